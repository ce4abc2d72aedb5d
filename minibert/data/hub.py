"""Data sets of the Hugging Face hub as examples, where the package `datasets` is installed."""

from __future__ import annotations

import os
import re
import urllib.error
import urllib.request
from collections.abc import Iterable
from typing import Any

from minibert.data.examples import AnswerExample, Example, Label, TaggedExample

# Short names that everybody says, and where the hub keeps them.
_ADDRESS = {
    "glue": "nyu-mll/glue",
    "super_glue": "aps/super_glue",
    "squad": "rajpurkar/squad",
    "squad_v2": "rajpurkar/squad_v2",
    "imdb": "stanfordnlp/imdb",
    "snli": "stanfordnlp/snli",
    "sst2": "stanfordnlp/sst2",
}
# Set to one of these, both say to ask nobody.
_OFFLINE, _ON = ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE"), ("1", "ON", "YES", "TRUE")
_SPLITS = {
    "train": ("train",),
    "dev": ("validation", "validation_matched", "dev"),
    "test": ("test", "test_matched"),
}
# What the texts are called: the first pair, else the first single name, that is there.
_PAIRS = (
    ("text", "text_pair"),
    ("sentence1", "sentence2"),
    ("premise", "hypothesis"),
    ("question1", "question2"),
    ("question", "sentence"),
    ("question", "passage"),
)
_SINGLES = ("text", "sentence", "content")
_LABELS = ("label", "labels")
_TAGS = ("ner_tags", "tags", "labels")


def is_hub_id(name: str) -> bool:
    """Whether a name has the form of a hub id: up to three parts between slashes."""
    return re.fullmatch(r"\w[\w.-]*(/\w[\w.-]*){0,2}", name) is not None


def address(name: str) -> tuple[str, str | None]:
    """Repository and configuration: "glue/cola" is ("nyu-mll/glue", "cola")."""
    first, *rest = name.split("/")
    if first in _ADDRESS:
        return _ADDRESS[first], "/".join(rest) or None
    if len(rest) == 2:
        return f"{first}/{rest[0]}", rest[1]
    return name, None


def load(
    name: str,
    *,
    text_column: str | None = None,
    pair_column: str | None = None,
    label_column: str | None = None,
) -> dict[str, list[Any]]:
    """The published splits of a data set: "train" always, "dev" and "test" where they are.

    Texts (alone or in pairs), tagged words and SQuAD are told apart by their column names.
    Examples without a label are left out, unless their whole split has none.

    Args:
        name: hub id, perhaps with a configuration behind it ("glue/cola").
        text_column: name of the column with the text, where it is none of the usual ones.
        pair_column: likewise of the second text.
        label_column: likewise of the label.

    Raises:
        FileNotFoundError: `datasets` is not installed, the hub is not reached, or has no such
            data set.
        ValueError: the columns are of no form known here; the message lists them.
    """
    try:
        import datasets
    except ImportError:
        raise FileNotFoundError(
            f"{name} may be on the Hugging Face hub: run `pip install datasets` to look there"
        ) from None
    repository, configuration = address(name)
    # Without this question a mistyped name would cost half a minute of retries off-line.
    cached = os.path.isdir(
        os.path.join(datasets.config.HF_DATASETS_CACHE, repository.replace("/", "___"))
    )
    if not cached and not _answers(datasets.config.HF_ENDPOINT):
        raise FileNotFoundError(
            f"the Hugging Face hub cannot be reached to look for {name} there (or may not, with "
            "HF_HUB_OFFLINE): check the name, or try again when on-line"
        )
    try:
        loaded = datasets.load_dataset(repository, configuration)
    except Exception as error:  # whatever a foreign library and its network layers raise
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise FileNotFoundError(
            f"{name} could not be had from the Hugging Face hub ({reason[:200]}): "
            "check the name, or try again when on-line"
        ) from error
    parts: dict[str, list[Any]] = {}
    for split, names in _SPLITS.items():
        there = next((published for published in names if published in loaded), None)
        if there is not None:
            parts[split] = _convert(name, loaded[there], text_column, pair_column, label_column)
    if not parts.get("train"):
        raise ValueError(f"{name} has no split for training (it has: {', '.join(loaded)})")
    return parts


def _answers(address: str) -> bool:
    """Whether anything answers at an address within five seconds; not asked where that is off."""
    if any(os.environ.get(name, "").upper() in _ON for name in _OFFLINE):
        return False
    try:
        urllib.request.urlopen(urllib.request.Request(address, method="HEAD"), timeout=5).close()
    except urllib.error.HTTPError:
        return True  # an error page is an answer
    except (OSError, ValueError):
        return False
    return True


def _convert(
    name: str, rows: Any, text: str | None, pair: str | None, label: str | None
) -> list[Any]:
    columns: list[str] = list(rows.column_names)
    if {"question", "context", "answers"} <= set(columns):
        return [_answer(row) for row in rows]
    tag_column = next((column for column in (label, *_TAGS) if column in columns), None)
    if "tokens" in columns and tag_column is not None:
        tag = _namer(rows.features[tag_column])
        return [
            TaggedExample(list(row["tokens"]), [str(tag(t)) for t in row[tag_column]])
            for row in rows
        ]
    texts = _text_columns(columns, text, pair)
    label_name = next((column for column in (label, *_LABELS) if column in columns), None)
    if not texts:
        raise ValueError(
            f"{name}: cannot tell which column is the text (there are: {', '.join(columns)}): "
            "say which one is meant with text_column=..."
        )
    read = _namer(rows.features[label_name]) if label_name else lambda value: None
    examples = [
        Example(
            row[texts[0]],
            row[texts[1]] if len(texts) > 1 else None,
            read(row[label_name]) if label_name else None,
        )
        for row in rows
    ]
    labelled = [example for example in examples if example.label is not None]
    return labelled or examples


def _text_columns(columns: Iterable[str], text: str | None, pair: str | None) -> list[str]:
    there = set(columns)
    if text is not None:
        chosen = [text, *([pair] if pair is not None else [])]
        return chosen if set(chosen) <= there else []
    for names in _PAIRS:
        if set(names) <= there:
            return list(names)
    return [name for name in _SINGLES if name in there][:1]


def _namer(feature: Any) -> Any:
    """A function from the stored label to ours: names for classes, None for the hub's -1."""
    inner = getattr(feature, "feature", feature)  # of a list of labels
    names = getattr(inner, "names", None)
    floating = str(getattr(inner, "dtype", "")).startswith("float")

    def one(value: Any) -> Label:
        if value is None or (names and value < 0):
            return None
        return names[value] if names else float(value) if floating else str(value)

    if inner is feature:
        return one
    # Called with a whole list for several labels, and with its items for tags.
    return lambda value: [str(one(v)) for v in value] if isinstance(value, list) else one(value)


def _answer(row: dict[str, Any]) -> AnswerExample:
    answers = list(zip(row["answers"]["text"], row["answers"]["answer_start"], strict=True))
    return AnswerExample(
        str(row.get("id", "")), row["question"], row["context"], answers, not answers
    )
