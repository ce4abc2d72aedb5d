"""The project's data sets and corpora by name, a user's own by path, the hub's by id.

A split is decided by a hash, never by chance: `int(sha256(text).hexdigest(), 16) % 10`, 0 to 7
for training, 8 for development, 9 for testing, after duplicates and texts that carry two
different labels are dropped. What is hashed is the text that must not be on both sides:

- one text (film reviews, headlines ...): that text, with its white space made even;
- BoolQ and everything made from it: the *title* of the passage, since 4,234 of the 12,271
  passages share theirs with another;
- tagged Chinese news: the article, so that one article's names are on one side only.

A corpus and a data set made from the same texts put each text on the same side, so that what
was held out from pre-training is held out from fine-tuning too.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Literal, TypeVar

from minibert import hub
from minibert.readers import (
    AnswerExample,
    Example,
    TaggedExample,
    read_conll,
    read_documents,
    read_examples,
    read_squad,
)
from minibert.sentences import clean, split_sentences
from minibert.sources import fetch
from minibert.texts import (
    Passage,
    bbc_rows,
    boolq_rows,
    news_zh_articles,
    reviews_zh_rows,
    sanguo_chapters,
    sarcasm_rows,
    tag_news_line,
    vader_rows,
)

E = TypeVar("E", Example, TaggedExample, AnswerExample)
AnyExample = Example | TaggedExample | AnswerExample
Side = Literal["train", "dev", "test"]


@dataclass(frozen=True)
class Splits(Generic[E]):
    """Examples for training, development and testing; no text is on two sides."""

    train: list[E]
    dev: list[E]
    test: list[E]


@dataclass(frozen=True)
class Corpus:
    """Documents for pre-training; a document is a list of sentences."""

    train: list[list[str]]
    dev: list[list[str]]
    test: list[list[str]]


def side(key: str) -> Side:
    """The side a text belongs to, from the SHA-256 of it: 80 % train, 10 % dev, 10 % test."""
    bucket = int(hashlib.sha256(key.encode("utf-8")).hexdigest(), 16) % 10
    return "train" if bucket < 8 else "dev" if bucket == 8 else "test"


def _divide(keyed: Iterable[tuple[str, E]]) -> Splits[E]:
    """Examples to the sides that their keys belong to, duplicates and contradictions dropped."""
    first: dict[Hashable, tuple[str, E]] = {}
    contradicted: set[Hashable] = set()
    for key, example in keyed:
        content, label = _content(example), _label(example)
        if content not in first:
            first[content] = (key, example)
        elif _label(first[content][1]) != label:
            contradicted.add(content)
    splits: Splits[E] = Splits([], [], [])
    for content, (key, example) in first.items():
        if content not in contradicted:
            getattr(splits, side(key)).append(example)
    return splits


def _content(example: AnyExample) -> Hashable:
    """What makes two examples the same one."""
    if isinstance(example, Example):
        return example.text, example.text_pair
    if isinstance(example, TaggedExample):
        return tuple(example.words)
    return example.question, example.context


def _label(example: AnyExample) -> Any:
    if isinstance(example, Example):
        return example.label
    return example.tags if isinstance(example, TaggedExample) else example.answers


# ---------------------------------------------------------------- data sets by name


def _scored(which: str) -> Splits[Example]:
    """Sentences whose mean score is beyond 0.5 either way; between lies no clear opinion."""
    return _divide(
        (text, Example(text, label="positive" if score > 0 else "negative"))
        for text, score in vader_rows(which)
        if abs(score) > 0.5
    )


def _movie_scores() -> Splits[Example]:
    return _divide(
        (text, Example(text, label=score)) for text, score in vader_rows("movieReviewSnippets")
    )


def _single(rows: Iterable[tuple[str, str]]) -> Splits[Example]:
    cleaned = ((clean(text), label) for text, label in rows)
    return _divide((text, Example(text, label=label)) for text, label in cleaned)


def _boolq() -> Splits[Example]:
    """The 12,697 answered questions: text is the question, text_pair "Title -- passage"."""
    return _divide(
        (row.title, Example(row.question, row.passage, "yes" if row.answer else "no"))
        for row in boolq_rows()
        if row.answer is not None
    )


def _boolq_match() -> Splits[Example]:
    """Does the passage answer the question? Built: half of the questions get another's passage.

    Which half is told by the hash of the question. The wrong passages are those of the very
    same half, handed on by one place in the order of that hash (further where the title would
    be the same), so that neither a question nor a passage alone gives the answer away.
    """
    by_side: dict[str, list[Passage]] = {"train": [], "dev": [], "test": []}
    for row in boolq_rows():
        by_side[side(row.title)].append(row)
    splits: Splits[Example] = Splits([], [], [])
    for name, rows in by_side.items():
        rows.sort(key=lambda row: hashlib.sha256(row.question.encode("utf-8")).digest())
        kept, moved = rows[0::2], rows[1::2]
        examples = [Example(row.question, row.passage, "match") for row in kept]
        for place, row in enumerate(moved):
            other = next(
                other
                for other in moved[place + 1 :] + moved[: place + 1]
                if other.title != row.title
            )
            examples.append(Example(row.question, other.passage, "different"))
        examples.sort(key=lambda example: hashlib.sha256(example.text.encode("utf-8")).digest())
        getattr(splits, name).extend(examples)
    return splits


def _conll_sample() -> Splits[TaggedExample]:
    examples = read_conll(fetch("conll-sample") / "sample.conll")
    return _divide((" ".join(example.words), example) for example in examples)


def _people_zh() -> Splits[TaggedExample]:
    """Sentences of the tagged news, split by article."""
    return _divide(
        (key, sentence)
        for article in news_zh_articles()
        for key in [_article_key(article)]
        for line in article
        for sentence in _tagged_sentences(line)
    )


def _article_key(article: list[str]) -> str:
    return "".join(token.rpartition("/")[0] for line in article for token in line.split())


def _tagged_sentences(line: str) -> Iterator[TaggedExample]:
    """The sentences of a line, each with its tags; cut before tagging, behind a full stop."""
    for part in re.split(r"(?<=[。！？]/w)\s+(?![”’』」）]/w)", line):
        yield tag_news_line(part)


DATASETS: dict[str, tuple[Callable[[], Splits[Any]], str]] = {
    "movies": (lambda: _scored("movieReviewSnippets"), "film reviews, negative or positive"),
    "products": (lambda: _scored("amazonReviewSnippets"), "product reviews, likewise"),
    "editorials": (lambda: _scored("nytEditorialSnippets"), "newspaper opinion, likewise"),
    "tweets": (lambda: _scored("tweets"), "tweets, likewise"),
    "movies-score": (_movie_scores, "film reviews with a score from -4 to 4 (regression)"),
    "reviews-zh": (lambda: _single(reviews_zh_rows()), "Chinese reviews, negative or positive"),
    "bbc": (lambda: _single(bbc_rows()), "news articles, five topics"),
    "sarcasm": (lambda: _single(sarcasm_rows()), "headlines, serious or sarcastic"),
    "boolq": (_boolq, "question and passage: is the answer yes or no?"),
    "boolq-match": (_boolq_match, "question and passage: do they belong together? (built)"),
    "conll-sample": (_conll_sample, "English sentences with names tagged"),
    "people-zh": (_people_zh, "Chinese news sentences with names tagged"),
}


# ---------------------------------------------------------------- corpora by name


def _documents(keyed: Iterable[tuple[str, str]]) -> Iterator[tuple[str, list[str]]]:
    for key, text in keyed:
        yield key, split_sentences(text)


def _news_documents() -> Iterator[tuple[str, list[str]]]:
    for article in news_zh_articles():
        lines = ("".join(t.rpartition("/")[0] for t in line.split()) for line in article)
        yield _article_key(article), [s for line in lines for s in split_sentences(line)]


CORPORA: dict[str, tuple[Callable[[], Iterable[tuple[str, list[str]]]], str]] = {
    "boolq": (
        lambda: _documents((row.title, row.body) for row in boolq_rows()),
        "12,271 Wikipedia passages, their titles left off",
    ),
    "bbc": (
        lambda: _documents((clean(text), text) for text, _ in bbc_rows()),
        "2,125 news articles",
    ),
    "sarcasm": (
        lambda: _documents((text, text) for text, _ in sarcasm_rows()),
        "headlines, one sentence each",
    ),
    "reviews-zh": (
        lambda: _documents((clean(text), text) for text, _ in reviews_zh_rows()),
        "Chinese reviews",
    ),
    "people-zh": (_news_documents, "Chinese news of January 1998, by article"),
    "sanguo": (
        lambda: _documents((clean(text), text) for text in sanguo_chapters()),
        "120 chapters of a Chinese novel",
    ),
}


def load_corpus(name_or_paths: str | Path | Sequence[str | Path]) -> Corpus:
    """Documents for pre-training, as lists of sentences, split by the hash of their text.

    Args:
        name_or_paths: a name in `CORPORA`, or one or more text files: one sentence a line with
            a blank line between documents, or (a file without blank lines) one document a line.

    Returns:
        the corpus; repeated documents are dropped. A user's own files with fewer than 100
        documents go to `train` whole: a tenth of them would measure nothing.

    Raises:
        ValueError: not UTF-8 or empty; the message names file and line.
        FileNotFoundError: neither a known name nor a file.
    """
    if isinstance(name_or_paths, str) and name_or_paths in CORPORA:
        keyed = CORPORA[name_or_paths][0]()
        own = False
    else:
        paths = [name_or_paths] if isinstance(name_or_paths, str | Path) else list(name_or_paths)
        for path in paths:
            if not Path(path).is_file():
                raise FileNotFoundError(
                    f"{path} is neither a text file nor a corpus: known are {', '.join(CORPORA)}"
                )
        keyed = ((" ".join(d), d) for path in paths for d in read_documents(path))
        own = True
    corpus = Corpus([], [], [])
    seen: set[tuple[str, ...]] = set()
    for key, document in keyed:
        content = tuple(document)
        if content and content not in seen:
            seen.add(content)
            getattr(corpus, side(key)).append(document)
    if own and len(seen) < 100:
        return Corpus(corpus.train + corpus.dev + corpus.test, [], [])
    return corpus


# ---------------------------------------------------------------- anything by name, path or id


def read_file(path: str | Path, **options: Any) -> list[Any]:
    """Read one file of examples by its ending: a table, CoNLL columns or SQuAD JSON.

    Args:
        path: `.jsonl`, `.csv` or `.tsv`; `.conll`, `.bio` or `.iob`; `.json`.
        options: passed to `read_examples`, `read_conll` or `read_squad`.
    """
    form = Path(path).suffix.lower()
    if form in (".jsonl", ".csv", ".tsv"):
        return read_examples(path, **options)
    if form in (".conll", ".bio", ".iob"):
        return read_conll(path, **options)
    if form == ".json":
        return read_squad(path, **options)
    raise ValueError(
        f"{path}: cannot tell its form by the ending {form!r}: texts with labels end in .jsonl, "
        ".csv or .tsv, tagged words in .conll, .bio or .iob, SQuAD questions in .json"
    )


def _own_key(example: AnyExample) -> str:
    """The text of a user's example that must not be on two sides."""
    if isinstance(example, TaggedExample):
        return " ".join(example.words)
    return clean(example.text if isinstance(example, Example) else example.context)


def load_dataset(name_or_path: str | Path, **options: Any) -> Splits[Any]:
    """A data set with its `train`, `dev` and `test`, by name, by path or by hub id.

    Args:
        name_or_path: a name in `DATASETS`; a file (split here by the hash of its text, of SQuAD
            by the context); a folder with `train.*`, `dev.*` and `test.*`, of which all but
            the first may be missing; or a Hugging Face hub id ("glue/cola", "squad", "imdb"),
            which needs the package `datasets` and the network.
        options: for a file, what its reader takes (`text_column` ...).

    Raises:
        ValueError: unknown name, or a file of the wrong form; the message names file and line.
        FileNotFoundError: no such file, or neither cache nor network.
    """
    path = Path(name_or_path).expanduser()
    if isinstance(name_or_path, str) and name_or_path in DATASETS:
        return DATASETS[name_or_path][0]()
    if path.is_file():
        return _divide((_own_key(example), example) for example in read_file(path, **options))
    if path.is_dir():
        return _load_folder(path, options)
    name = str(name_or_path)
    if path.suffix.lower() in _ENDINGS or not hub.is_hub_id(name):
        raise FileNotFoundError(f"{name}: no such file")
    try:
        parts = hub.load(name, **options)
    except FileNotFoundError as error:
        # The likeliest reason is a mistyped name of ours.
        raise FileNotFoundError(
            f"{name} is no file and no data set of minibert ({', '.join(DATASETS)}); {error}"
        ) from None
    if "dev" not in parts:
        whole = _divide((_own_key(example), example) for example in parts["train"])
        return Splits(whole.train + whole.test, whole.dev, parts.get("test", []))
    return Splits(parts["train"], parts["dev"], parts.get("test", []))


_ENDINGS = {".jsonl", ".csv", ".tsv", ".conll", ".bio", ".iob", ".json", ".txt"}


def _load_folder(folder: Path, options: dict[str, Any]) -> Splits[Any]:
    parts: dict[str, list[Any]] = {}
    for name in ("train", "dev", "test"):
        found = sorted(p for p in folder.glob(f"{name}.*") if p.suffix.lower() in _ENDINGS)
        if len(found) > 1:
            raise ValueError(f"{folder} has {len(found)} files called {name}: keep one of them")
        parts[name] = read_file(found[0], **options) if found else []
    if not parts["train"]:
        raise ValueError(f"{folder} has no train.jsonl, .csv, .tsv, .conll or .json")
    return Splits(parts["train"], parts["dev"], parts["test"])
