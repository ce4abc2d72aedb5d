"""`minibert search`."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from minibert.cli.computing import Computing, computing
from minibert.cli.input_rows import Answered, given_rows, in_chunks, reported
from minibert.cli.lines import cell
from minibert.cli.options import read_options
from minibert.cli.vectors import opened, rows_to_embed
from minibert.data.datasets import refuse_unread
from minibert.data.strict_json import dump_json
from minibert.data.unlabelled import Row
from minibert.finetuning.embedding import nearest
from minibert.finetuning.settings import EmbeddingSettings, ReadingSettings
from minibert.finetuning.stored_vectors import Vectors, check_encoder, open_vectors

_NO_QUERY = "no query: give a QUERY, --queries, or lines on standard input"
Found = list[tuple[Row, float]]  # texts, each with its cosine, the largest first


def run(options: Namespace) -> None:
    """Print the texts of a file that are nearest to each query, the nearest first."""
    if options.top < 1:
        raise ValueError(f"top must be at least 1, not {options.top}")
    if options.query and options.queries:
        raise ValueError("a QUERY and --queries: give one of them")
    computed = computing(options)
    rows, vectors, answer = _texts(options, computed)
    is_named = any(row.id is not None for row in rows)
    queries = in_chunks(_queries(options), computed.batch_size, options.queries)
    for chunk in reported(queries, answer, options, "searching", "answer"):
        for query, found in _searched(chunk, rows, vectors, options.top):
            if options.json:
                print(_as_json(query, found), flush=True)
            else:
                alone = len(options.query) == 1
                print("\n".join(_as_text(query, found, alone, is_named)), flush=True)


def _texts(
    options: Namespace, computed: Computing
) -> tuple[list[Row], Vectors, Callable[[list[Row]], Answered]]:
    """The texts to be searched that can be read, their vectors, and how to make more of them."""
    path, settings = Path(options.file), read_options(EmbeddingSettings, options)
    if path.suffix == ".npy":
        refuse_unread(read_options(ReadingSettings, options).options)
        stored = open_vectors(path)
        pooling = stored.pooling if options.pooling is None else settings.pooling
        encoder, answer = opened(options, computed, pooling)
        check_encoder(stored, path, encoder, options.model)
        fine = [number for number, row in enumerate(stored.rows) if row.problem is None]
        return [stored.rows[number] for number in fine], stored.vectors[fine], answer
    chunks = in_chunks(rows_to_embed(options, None, options.file), computed.batch_size, str(path))
    first = next(chunks, [])
    _, answer = opened(options, computed, settings.pooling)
    rows, vectors = list[Row](), list[Any]()
    for chunk in reported(chain([first], chunks), answer, options, "embedding", "vector"):
        for row, vector in chunk:
            if vector is not None:
                rows.append(row)
                vectors.append(vector)
    return rows, np.stack(vectors), answer


def _queries(options: Namespace) -> Iterator[Row]:
    """Those of the command line, of a file, or of standard input."""
    if not options.query:
        fixed = {"pair_column": None, "label_column": None}
        yield from given_rows(None, options.queries, "embed", {}, no_text=_NO_QUERY, **fixed)
    for text in options.query:
        yield from given_rows(text, None, "embed", {})


def _searched(
    queries: Answered, rows: list[Row], vectors: Vectors, top: int
) -> Iterator[tuple[Row, Found]]:
    """What is found for each query; nothing for one that cannot be read."""
    fine = [vector for _, vector in queries if vector is not None]
    found = iter(zip(*nearest(np.stack(fine), vectors, top), strict=True) if fine else [])
    for query, vector in queries:
        numbers, scores = next(found) if vector is not None else ([], [])
        yield query, [(rows[n], float(s)) for n, s in zip(numbers, scores, strict=True)]


def _as_text(query: Row, found: Found, alone: bool, is_named: bool) -> list[str]:
    """A line for each text: the query where there are several, the cosine, the id, the text."""
    front = [] if alone else [cell(query.text)]
    if not found:
        return ["\t".join([*front, *[""] * (2 + is_named)])]
    return [
        "\t".join([*front, f"{score:.3f}", *([cell(row.id)] if is_named else []), cell(row.text)])
        for row, score in found
    ]


def _as_json(query: Row, found: Found) -> str:
    content: dict[str, Any] = {"id": query.id, "query": query.text, "error": query.problem}
    if query.problem is None:
        content["nearest"] = [
            {"score": float(f"{score:.6f}"), **({} if row.id is None else {"id": row.id})}
            | {"text": row.text}
            for row, score in found
        ]
    return dump_json({name: value for name, value in content.items() if value is not None})
