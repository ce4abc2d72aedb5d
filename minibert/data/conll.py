"""Tagged words in columns, as CoNLL has them: a word a line, a blank line between sentences."""

from __future__ import annotations

import re
from pathlib import Path

from minibert.data.examples import TaggedExample, numbered_lines


def read_conll(
    path: str | Path, *, word_column: int = 0, tag_column: int = -1
) -> list[TaggedExample]:
    """Read a file of columns: a word and its tag a line, a blank line between sentences.

    Columns are separated by tabs or spaces; `-DOCSTART-` lines are left out.

    Args:
        path: the file.
        word_column: place of the word, counted from 0, or from the end with -1.
        tag_column: place of the tag, likewise.

    Raises:
        ValueError: empty, not UTF-8 or a column too few; the message names file and line.
        FileNotFoundError: no such file.
    """
    path = Path(path)
    sentences: list[TaggedExample] = []
    words: list[str] = []
    tags: list[str] = []
    width = 0
    for number, line in numbered_lines(path):
        # Only tabs and spaces separate: a wide or unbreakable space can be part of a word.
        cells = re.split(r"\t" if "\t" in line else r" +", line.strip(" \t"))
        if cells[0] == "-DOCSTART-":
            continue
        if cells != [""]:
            width = width or len(cells)
            if len(cells) != width or len(cells) < 2:
                raise ValueError(
                    f"{path}, line {number}: expected {max(width, 2)} columns separated by "
                    f"spaces or tabs, found {len(cells)}"
                )
            try:
                word, tag = cells[word_column], cells[tag_column]
            except IndexError:
                raise ValueError(
                    f"{path}, line {number}: {len(cells)} columns, but column "
                    f"{max(word_column, tag_column)} (counted from 0) is asked for"
                ) from None
            if not word or not tag:
                raise ValueError(f"{path}, line {number}: empty {'tag' if word else 'word'}")
            words.append(word)
            tags.append(tag)
        elif words:
            sentences.append(TaggedExample(words, tags))
            words, tags = [], []
    if words:
        sentences.append(TaggedExample(words, tags))
    if not sentences:
        raise ValueError(f"{path} has no tagged word in it")
    return sentences
