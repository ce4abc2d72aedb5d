"""Vectors in a file for any program, and beside it what they are of and which model made them.

`films.npy` is a plain array (rows, hidden_size), which numpy opens. `films.npy.jsonl` has a line
for each of its rows, and a last one that says whose they are.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from minibert.data.lines import numbered_lines
from minibert.data.strict_json import dump_json, parse_json
from minibert.data.unlabelled import Row
from minibert.finetuning.embedding import SentenceEncoder
from minibert.finetuning.settings import POOLINGS, Pooling
from minibert.training.fingerprint import of_values
from minibert.weights.files import sha256, written_aside

Vectors = NDArray[np.float32]
_AGAIN = "run `minibert embed` again"
_MADE = {"model": str, "encoder": str, "pooling": str, "vectors": str}  # keys of the last line


class StoredVectors(NamedTuple):
    """Vectors of a user's rows.

    vectors: (rows, hidden_size), NaN for a row that could not be read. rows: whose they are. model:
    what it was called; encoder: see `encoder_fingerprint`.
    """

    vectors: Vectors
    rows: list[Row]
    model: str
    encoder: str
    pooling: Pooling


def rows_file(path: Path) -> Path:
    """The file beside the vectors."""
    return path.with_name(f"{path.name}.jsonl")


def encoder_fingerprint(encoder: SentenceEncoder) -> str:
    """Another text for an encoder that makes other vectors, however little its weights differ."""
    state = {name: value.cpu() for name, value in encoder.model.state_dict().items()}
    words = encoder.tokenizer.backend.to_str()
    how = {"tokenizer": words, "pooling": encoder.pooling, "normalize": encoder.normalize}
    return of_values({**state, **{f" {name}": value for name, value in how.items()}})


@contextmanager
def vectors_to(
    path: Path, encoder: SentenceEncoder, model: str, source: str | None
) -> Iterator[Callable[[Sequence[tuple[Row, Vectors | None]]], None]]:
    """A function that adds rows with their vectors; `None` is written as NaN.

    Both files get their names when all is written; whatever ends it before leaves neither.

    Args:
        path: of the vectors, `.npy`.
        encoder: which makes them.
        model: what it is called.
        source: the file that the rows come from, if they come from one.
    """
    width, count = encoder.model.config.hidden_size, 0
    with written_aside(rows_file(path)) as rows, written_aside(path) as aside:
        with rows.open("w", encoding="utf-8", newline="\n") as lines, aside.open("wb") as numbers:
            _write_header(numbers, 0, width)

            def add(found: Sequence[tuple[Row, Vectors | None]]) -> None:
                nonlocal count
                count += len(found)
                for row, vector in found:
                    entry = {"id": row.id, "text": row.text, "error": row.problem}
                    told = {name: value for name, value in entry.items() if value is not None}
                    lines.write(dump_json(told) + "\n")
                    full = np.full(width, np.nan) if vector is None else vector
                    numbers.write(full.astype("<f4").tobytes())

            yield add
            numbers.seek(0)
            _write_header(numbers, count, width)
        made = {"model": model, "encoder": encoder_fingerprint(encoder)}
        made |= {"pooling": encoder.pooling, "vectors": sha256(aside)}
        if source is not None:
            made |= {"source": os.path.abspath(source), "source_sha256": sha256(Path(source))}
        with rows.open("a", encoding="utf-8", newline="\n") as lines:
            lines.write(dump_json({"made": made}) + "\n")


def _write_header(file: Any, rows: int, width: int) -> None:
    """Of an array with so many rows: numpy leaves room in it for rows to be added."""
    form = {"descr": "<f4", "fortran_order": False, "shape": (rows, width)}
    np.lib.format.write_array_header_1_0(file, form)


def open_vectors(path: Path) -> StoredVectors:
    """What `vectors_to` wrote, its vectors mapped from the disk.

    Raises:
        ValueError: if it is another array, has changed, or is older than what it was made of.
        FileNotFoundError: no such file.
    """
    beside = rows_file(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file")
    if not beside.is_file():
        raise ValueError(
            f"{path}: there is no {beside.name} beside it, which says what its rows are and whose: "
            "run `minibert embed` to make both"
        )
    rows, made = _read_rows(beside)
    if sha256(path) != made["vectors"]:
        raise ValueError(f"{path} is not the file that {beside.name} was written with: {_AGAIN}")
    source = made.get("source")
    has_source = isinstance(source, str) and os.path.isfile(source)
    if has_source and sha256(Path(str(source))) != made.get("source_sha256"):
        raise ValueError(f"{source} has changed since {path} was made of it: {_AGAIN}")
    vectors = np.load(path, mmap_mode="r")
    if len(vectors) != len(rows):
        raise ValueError(f"{beside} has {len(rows):,} rows, {path} {len(vectors):,}: {_AGAIN}")
    return StoredVectors(vectors, rows, made["model"], made["encoder"], made["pooling"])


def check_encoder(stored: StoredVectors, path: Path, encoder: SentenceEncoder, name: str) -> None:
    """Refuse vectors that another encoder made.

    Raises:
        ValueError: naming both.
    """
    if encoder_fingerprint(encoder) != stored.encoder:
        raise ValueError(
            f"{path} was made with {stored.model}, pooling={stored.pooling}, and {name}, "
            f"pooling={encoder.pooling}, is another model or has changed since: {_AGAIN}"
        )


def _read_rows(path: Path) -> tuple[list[Row], dict[str, Any]]:
    """The rows of a file, and the contents of its last line."""
    rows: list[Row] = []
    made: Any = None
    for number, line in numbered_lines(path):
        try:
            entry = parse_json(line)
        except ValueError:
            entry = None
        if isinstance(entry, dict) and "made" in entry and made is None:
            made = entry["made"]
        elif isinstance(entry, dict) and isinstance(entry.get("text"), str) and made is None:
            where = f"{path}, line {number}: "
            rows.append(Row(where, entry["text"], None, entry.get("id"), entry.get("error")))
        else:
            raise ValueError(f"{path}, line {number}: not what `minibert embed` writes: {_AGAIN}")
    is_whole = isinstance(made, dict) and all(
        isinstance(made.get(name), kind) for name, kind in _MADE.items()
    )
    if not is_whole or made["pooling"] not in POOLINGS:
        raise ValueError(f"{path} does not say at its end whose rows these are: {_AGAIN}")
    return rows, made
