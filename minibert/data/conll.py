"""Tagged words in columns, as CoNLL has them: a word a line, a blank line between sentences."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from minibert.data.examples import TaggedExample
from minibert.data.lines import numbered_lines
from minibert.data.tags import odd_tag_told, odd_tags

_DOCUMENT = "-DOCSTART-"
_CONLLU = ".conllu"
# What may have been meant by a file that is called .txt.
_OTHER_FORMS = (
    " (a .txt file is read as tagged words; texts with labels end in .jsonl, .csv or .tsv)"
)
_CONLLU_PLACES = (1, 3)  # FORM and UPOS
# In CoNLL-U, words that were contracted (3-4) and words that are not said (3.1).
_NO_WORD = re.compile(r"[0-9]+[-.][0-9]+")


def read_conll(
    path: str | Path,
    *,
    word_column: int | None = None,
    tag_column: int | None = None,
    columns: Sequence[str] | None = None,
    labelled: bool = True,
) -> list[TaggedExample]:
    """Read a file of columns: a word and its tag a line, a blank line between sentences.

    Columns are separated by tabs or spaces. `-DOCSTART-` lines and comments are left out: a line
    that begins with `#` and has not as many columns as the words have. Of a `.conllu` file the
    syntactic words are read, not the contractions of several.

    Args:
        path: the file.
        word_column: place of the word, counted from 0, or from the end with -1. The first where not
            given; in a `.conllu` file the form.
        tag_column: place of the tag, likewise. The last; in a `.conllu` file the part of speech.
        columns: instead of both, names for the columns from the left, with "word" and "tag" among
            them.
        labelled: whether tags are needed. If not, a file may have words alone, and any tags.

    Raises:
        ValueError: empty, not UTF-8, a column too few, or a tag that marks no entity where the
            others do; the message names file and line.
        FileNotFoundError: no such file.
    """
    path = Path(path)
    places = _places(path, word_column, tag_column, columns, labelled)
    sentences: list[TaggedExample] = []
    counts: Counter[str] = Counter()
    first: dict[str, int] = {}  # the line where a tag is seen first
    for numbers, sentence in _sentences(path, *places, labelled):
        if isinstance(sentence, ValueError):
            raise sentence
        sentences.append(sentence)
        counts.update(sentence.tags)
        for number, tag in zip(numbers, sentence.tags, strict=True):
            first.setdefault(tag, number)
    odd = odd_tags(counts)
    if odd:
        tag = min(odd, key=first.__getitem__)
        raise ValueError(f"{path}, line {first[tag]}: {odd_tag_told(tag)}")
    return sentences


def untagged_sentences(
    path: str | Path, columns: Sequence[str] | None = None
) -> Iterator[tuple[int, list[str] | ValueError]]:
    """Every sentence, one after the other, without its tags.

    Args:
        path, columns, and errors of the whole file: as in `read_conll`.

    Yields:
        the line where it begins; its words, or an error that says why it cannot be read.
    """
    path = Path(path)
    for numbers, sentence in _sentences(path, *_places(path, None, None, columns, False), False):
        yield numbers[0], sentence if isinstance(sentence, ValueError) else sentence.words


def _sentences(
    path: Path, word_place: int, tag_place: int, labelled: bool
) -> Iterator[tuple[list[int], TaggedExample | ValueError]]:
    """The line of each word; and the sentence, or what is wrong with its first bad line."""
    numbers: list[int] = []
    words: list[tuple[str, str]] = []
    error: ValueError | None = None
    is_empty = True
    for number, cells in [*_rows(path, 2 if labelled else 1), (0, [])]:
        if cells:
            numbers.append(number)
            try:
                words.append(_word(cells, word_place, tag_place if labelled else None))
            except ValueError as found:
                error = error or ValueError(f"{path}, line {number}: {found}")
        elif numbers:
            is_empty = False
            tagged = TaggedExample([word for word, _ in words], [tag for _, tag in words])
            yield numbers, error or tagged
            numbers, words, error = [], [], None
    if is_empty:
        raise ValueError(f"{path} has no tagged word in it")


def _word(cells: list[str] | str, word_place: int, tag_place: int | None) -> tuple[str, str]:
    """A word and its tag, "O" where none is asked for."""
    if isinstance(cells, str):
        raise ValueError(cells)
    try:
        word, tag = cells[word_place], "O" if tag_place is None else cells[tag_place]
    except IndexError:
        raise ValueError(
            f"{len(cells)} columns, but column {max(word_place, tag_place or 0)} "
            "(counted from 0) is asked for"
        ) from None
    if not word or not tag:
        raise ValueError(f"empty {'tag' if word else 'word'}")
    return word, tag


def _places(
    path: Path,
    word_column: int | None,
    tag_column: int | None,
    columns: Sequence[str] | None,
    labelled: bool,
) -> tuple[int, int]:
    """Where the word and the tag stand."""
    if columns is not None:
        names = list(columns)
        for name in ("word", "tag") if labelled else ("word",):
            if names.count(name) != 1:
                raise ValueError(
                    f"columns={','.join(names)}: one of them must be called {name!r}, "
                    "as in columns=word,_,tag"
                )
        return names.index("word"), names.index("tag") if labelled else 0
    word, tag = _CONLLU_PLACES if path.suffix.lower() == _CONLLU else (0, -1)
    return word if word_column is None else word_column, tag if tag_column is None else tag_column


def _rows(path: Path, fewest: int) -> list[tuple[int, list[str] | str]]:
    """Line number and cells of every word (or what is wrong with them), none between sentences."""
    lines = [(number, line.strip(" \t")) for number, line in numbered_lines(path)]
    rows = [(number, line, _cells(line)) for number, line in lines]
    is_conllu, is_text = path.suffix.lower() == _CONLLU, path.suffix.lower() == ".txt"
    body = [(line, cells) for _, line, cells in rows if cells and cells[0] != _DOCUMENT]
    # What the first word has, every word has. It may be a "#" itself where all words begin so.
    plain = [each for each in body if not each[0].startswith("#")] or body
    model, width = (plain[0][0], len(plain[0][1])) if plain else ("", 0)
    kept: list[tuple[int, list[str] | str]] = []
    for number, line, cells in rows:
        if line.startswith("#") and (
            is_conllu or len(cells) != width or ("\t" in model and "\t" not in line)
        ):
            continue
        if cells[:1] == [_DOCUMENT] or (is_conllu and cells and _NO_WORD.fullmatch(cells[0])):
            continue
        wrong = cells and (len(cells) != width or width < fewest)
        expected = f"expected {max(width, fewest)} columns separated by spaces or tabs"
        told = f"{expected}, found {len(cells)}{_OTHER_FORMS if is_text else ''}"
        kept.append((number, told if wrong else cells))
    return kept


def _cells(line: str) -> list[str]:
    # Only tabs and spaces separate: a wide or unbreakable space can be part of a word.
    return re.split(r"\t" if "\t" in line else r" +", line) if line else []
