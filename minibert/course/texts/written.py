"""Questions written for the course, in words of their own, about passages of BoolQ (claim B23).

`questions.tsv` holds no passage, only the beginning of its hash; its title, for whoever reads the
file; a question; and the answers that count, separated by a bar, or none.
The passages are of the dev and test splits: no named data set trains on them.
"""

from __future__ import annotations

import csv
import hashlib
from pathlib import Path

from minibert.course.texts.published import boolq_rows
from minibert.data.examples import AnswerExample
from minibert.data.sentences import clean
from minibert.data.splits import Splits, split_of

_FILE = Path(__file__).with_name("questions.tsv")


def written_questions() -> Splits[AnswerExample]:
    """The 160 questions, split as their passages are; `train` is empty.

    Raises:
        ValueError: if a passage is unknown or an answer is not in it.
    """
    passages = {
        _digest(body): (row.title, body) for row in boolq_rows() if (body := clean(row.body))
    }
    splits: Splits[AnswerExample] = Splits([], [], [])
    with _FILE.open(encoding="utf-8", newline="") as file:
        for number, row in enumerate(csv.DictReader(file, delimiter="\t")):
            title, context = passages[row["passage"]]
            accepted = [answer for answer in row["answers"].split(" | ") if answer]
            answers = [(answer, context.index(answer)) for answer in accepted]
            example = AnswerExample(
                f"written-{number}", row["question"], context, answers, not answers
            )
            getattr(splits, split_of(title)).append(example)
    return splits


def _digest(body: str) -> str:
    return hashlib.sha256(body.encode("utf-8")).hexdigest()[:12]
