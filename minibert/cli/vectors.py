"""What `embed` and `search` share: a model folder as a function from rows to vectors."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from minibert.cli.computing import Computing
from minibert.cli.input_rows import Answered, answered, given_rows, readable
from minibert.cli.options import read_options
from minibert.data.unlabelled import Row
from minibert.finetuning.embedding import SentenceEncoder
from minibert.finetuning.settings import Pooling, ReadingSettings, TaskSettings
from minibert.tokenization.covering import Dropped
from minibert.tokenization.rows import encode_rows


def rows_to_embed(options: Namespace, text: str | None, file: str | None) -> Iterator[Row]:
    """Rows of one text each: other columns are not looked at."""
    given = read_options(ReadingSettings, options).options
    return given_rows(text, file, "embed", given, pair_column=None, label_column=None)


def opened(
    options: Namespace, computed: Computing, pooling: Pooling
) -> tuple[SentenceEncoder, Callable[[list[Row]], Answered]]:
    """The encoder of a folder; and from rows to rows with their vectors."""
    encoder = SentenceEncoder.from_pretrained(
        options.model, pooling=pooling, precision=computed.precision, device=computed.device.type
    )
    settings = read_options(TaskSettings, options, task="classify")  # checks what was given
    names = ("max_length", "truncation", "stride")
    fit = {name: getattr(settings, name) for name in names}
    dropped = Dropped(encoder.tokenizer)

    def found(rows: list[Row]) -> Iterable[Any]:
        texts = [str(row.text) for row in rows]
        return encoder.encode(texts, batch_size=computed.batch_size, **fit)

    def why_not(row: Row) -> str | None:
        try:
            encode_rows(encoder.tokenizer, [row.text], **fit)
        except ValueError as error:
            return str(error)
        return None

    def answer(rows: list[Row]) -> Answered:
        return answered([readable(row, dropped) for row in rows], found, why_not)

    return encoder, answer
