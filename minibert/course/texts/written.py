"""Questions written for the course, in words of their own, about passages of BoolQ (claim B23).

`questions.tsv` holds no passage, only the beginning of its hash; its title, for whoever reads the
file; a question; and the answers that count, separated by a bar, or none. Where an answer stands in
the passage more than once, a space and #2 after it say that the second one is meant.
The passages are of the dev and test splits: no named data set trains on them.
"""

from __future__ import annotations

import csv
import hashlib
import re
from pathlib import Path

from minibert.course.texts.published import boolq_rows
from minibert.data.examples import AnswerExample
from minibert.data.sentences import clean
from minibert.data.splits import Splits, split_of

_FILE = Path(__file__).with_name("questions.tsv")


def written_questions() -> Splits[AnswerExample]:
    """The 160 questions, split as their passages are; `train` is empty.

    Raises:
        KeyError: if a passage is unknown.
        ValueError: if an answer is not in its passage, or it is not said which of several.
    """
    passages = {
        _digest(body): (row.title, body) for row in boolq_rows() if (body := clean(row.body))
    }
    splits: Splits[AnswerExample] = Splits([], [], [])
    with _FILE.open(encoding="utf-8", newline="") as file:
        for number, row in enumerate(csv.DictReader(file, delimiter="\t")):
            title, context = passages[row["passage"]]
            accepted = [answer for answer in row["answers"].split(" | ") if answer]
            answers = [place(answer, context) for answer in accepted]
            example = AnswerExample(
                f"written-{number}", row["question"], context, answers, not answers
            )
            getattr(splits, split_of(title)).append(example)
    return splits


def place(answer: str, context: str) -> tuple[str, int]:
    """An answer as the file has it: its letters, and where they stand in the context.

    Args:
        answer: whole words of the context; layoff #2 is its second *layoff*.

    Raises:
        ValueError: if it is not in the context, or there several times without a number.
    """
    text, _, number = answer.partition(" #")
    found = [m.start() for m in re.finditer(rf"(?<!\w){re.escape(text)}(?!\w)", context)]
    if not number and len(found) > 1:
        raise ValueError(f"{text!r} stands {len(found)} times in its passage: add #1, #2 …")
    if not 0 < int(number or 1) <= len(found):
        raise ValueError(f"{answer!r} is not in its passage")
    return text, found[int(number or 1) - 1]


def _digest(body: str) -> str:
    return hashlib.sha256(body.encode("utf-8")).hexdigest()[:12]
