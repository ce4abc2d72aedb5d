"""`minibert embed`."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any

from minibert.cli.computing import computing
from minibert.cli.input_rows import Answered, in_chunks, reported
from minibert.cli.options import read_options
from minibert.cli.output import check_new_file, lines_to
from minibert.cli.vectors import opened, rows_to_embed
from minibert.data.strict_json import dump_json
from minibert.data.unlabelled import Row
from minibert.finetuning.embedding import SentenceEncoder
from minibert.finetuning.settings import EmbeddingSettings
from minibert.finetuning.stored_vectors import rows_file, vectors_to


def run(options: Namespace) -> None:
    """Write a vector for each text, in the order in which they come."""
    settings = read_options(EmbeddingSettings, options)
    _check_out(options.out)
    computed = computing(options)
    rows = rows_to_embed(options, options.text, options.file)
    chunks = in_chunks(rows, computed.batch_size, options.file)
    first = next(chunks, [])  # what is wrong with the file is told before the model is opened
    encoder, answer = opened(options, computed, settings.pooling)
    with _writer(options, encoder) as write:
        for found in reported(chain([first], chunks), answer, options, "embedding", "vector"):
            write(found)


def _check_out(out: str | None) -> None:
    if out is None:
        return
    if Path(out).suffix not in (".npy", ".jsonl"):
        raise ValueError(f"{out}: choose a file that ends in .npy or .jsonl")
    check_new_file(out)
    if Path(out).suffix == ".npy":
        check_new_file(str(rows_file(Path(out))))


@contextmanager
def _writer(options: Namespace, encoder: SentenceEncoder) -> Iterator[Callable[[Answered], None]]:
    """A function that writes rows with their vectors to where they are wanted."""
    out = options.out
    if out is not None and Path(out).suffix == ".npy":
        with vectors_to(Path(out), encoder, options.model, options.file) as add:
            yield add
            _check_out(out)  # nobody else's, made meanwhile
        return
    with lines_to(out) as write:
        yield lambda found: write([_as_json(row, vector) for row, vector in found])


def _as_json(row: Row, vector: Any | None) -> str:
    content: dict[str, Any] = {"id": row.id, "text": row.text, "error": row.problem}
    if vector is not None:
        # As few digits as say which float32 it is.
        content["vector"] = [float(str(number)) for number in vector]
    return dump_json({name: value for name, value in content.items() if value is not None})
