"""Plain text as documents: a document a line, or a sentence a line with blank lines between."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from minibert.data.lines import numbered_lines
from minibert.data.sentences import split_sentences


def read_documents(path: str | Path) -> Iterator[list[str]]:
    """Documents of a plain text file, one after the other, as lists of sentences.

    With blank lines in it, a line is a sentence and a blank line ends a document; without any,
    a line is a whole document, cut into sentences by `split_sentences`. The file is read as a
    stream, twice, so that its size does not matter.

    Raises:
        ValueError: empty, or not UTF-8; the message names file and line.
    """
    path = Path(path)
    sentence_lines = False
    text_seen = blank_seen = False
    for _, line in numbered_lines(path):
        if line.strip():
            sentence_lines = sentence_lines or blank_seen
            text_seen = True
        else:
            blank_seen = text_seen  # blank lines before the first text separate nothing
        if sentence_lines:
            break
    document: list[str] = []
    for _, line in numbered_lines(path):
        if not sentence_lines:
            document = split_sentences(line)
        elif line.strip():
            document.append(" ".join(line.split()))
            continue
        if document:
            yield document
            document = []
    if document:
        yield document
