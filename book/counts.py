"""What the front page says of the course in figures: counted, so that no page states it by hand.

A chapter takes as many minutes as its words divided by 230, plus its lines of code divided by 15:
what silent reading of plain prose, and of code that one means to understand, comes to. Folded cells
are left out, like the answers to questions that nobody has asked yet.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache

from book.register import BOOK, CHAPTERS, load_claims
from exercises.learner import source

WORDS_A_MINUTE = 230
LINES_A_MINUTE = 15
_CELL = re.compile(r"^```\{code-cell\}[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_HEADER = re.compile(r"\A(?:---\n.*?\n---\n|(?::\w+:[^\n]*\n)+)", re.DOTALL)
_WORD = re.compile(r"[^\W_][\w'’-]*")


def minutes(chapter: str) -> int:
    """How long a chapter takes to read, to the next five minutes."""
    text = (BOOK / f"{chapter}.md").read_text(encoding="utf-8")
    text = re.sub(r"\A---\n.*?\n---\n", "", text, flags=re.DOTALL)
    lines = 0
    for cell in _CELL.findall(text):
        header = _HEADER.match(cell)
        if header is None or "hide-input" not in header[0]:
            lines += sum(bool(line.strip()) for line in _HEADER.sub("", cell).split("\n"))
    words = len(_WORD.findall(re.sub(r"<!--.*?-->", "", _CELL.sub("", text), flags=re.DOTALL)))
    return 5 * max(1, round((words / WORDS_A_MINUTE + lines / LINES_A_MINUTE) / 5))


def _hours(chapters: str) -> str:
    """The sum for some chapters, `12 5 8`, or `all`, in half hours."""
    wanted = CHAPTERS if chapters == "all" else [CHAPTERS[int(n) - 1] for n in chapters.split()]
    halves = round(sum(minutes(chapter) for chapter in wanted) / 30)
    return f"{halves // 2 or ''}{'½' if halves % 2 else ''}"


@cache
def _sets() -> list[source.ExerciseSet]:
    return [source.load(name) for name in source.names()]


COUNTS: dict[str, Callable[[], int]] = {
    "chapters": lambda: len(CHAPTERS),
    "claims": lambda: len(load_claims()),
    "claims-wrong": lambda: sum(claim.verdict == "wrong" for claim in load_claims()),
    "tasks": lambda: sum(len(one.tasks) for one in _sets()),
    "mistakes": lambda: sum(len(task.misconceptions) for one in _sets() for task in one.tasks),
}


def count(what: str) -> str:
    """A figure by its name: one of `COUNTS`, or `hours 12 5 8 13`, or `hours all`.

    Raises:
        ValueError: for a name that there is not.
    """
    if found := re.fullmatch(r"hours (all|\d+(?: \d+)*)", what):
        return _hours(found[1])
    if what not in COUNTS:
        raise ValueError(f"nothing is counted as {what!r}; there are {', '.join(COUNTS)}")
    return str(COUNTS[what]())
