"""Questions that a reader answers on the page: predictions and quizzes, read from their source.

A prediction stands before a cell, and the cell's last expression decides it:

    ```{predict}
    :cell: one-layer
    How many of the eleven rows differ after **one** layer?

    - [1] Still just one. | Then a layer would treat every word by itself.
    - [2..10] That row and its neighbours. | That is how a convolution works.
    - [11] All eleven. | Every row takes something from every other row.
    ```

In brackets stand the results that make an option the right one: a value, several with commas, a
range of numbers with both ends (`2..10`, `..0`, `0.9..`), or `else`. A quiz has no cell, and `[x]`
or `[ ]` there; where it asks for a `:number:`, the options are answers to expect, each with a
sentence:

    ```{quiz}
    :number: 0.01
    What are the scores divided by, with rows of 768 and 12 heads?

    - [ ] 27.7 | That is the root of 768, the width of a row.
    - [x] 8 | The root of 64, the width of one head.
    ```

`:number:` is the tolerance. This module only reads and judges; `book/_ext/questions.py` makes pages
of it, and `book/build.py` plain Markdown for notebooks.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from typing import Literal

Kind = Literal["predict", "quiz"]
FENCE = re.compile(
    r"^(?P<fence>`{3,}|:{3,})\{(?P<kind>predict|quiz)\}[ ]*\n(?P<body>.*?)^(?P=fence)[ ]*$\n?",
    re.MULTILINE | re.DOTALL,
)
_OPTION = re.compile(r"- \[(?P<mark>[^\]]*)\] (?P<rest>.*)", re.DOTALL)
_SETTING = re.compile(r":(\w+): *(.*)")
_RANGE = re.compile(r"(?P<low>[-+.\de]*?)\.\.(?P<high>[-+.\de]*)")
_SETTINGS = {"predict": {"cell"}, "quiz": {"number"}}


@dataclass(frozen=True)
class Option:
    """One answer: what is in its brackets, its text, and what a reader who chose it needs."""

    mark: str
    text: str
    explanation: str


@dataclass(frozen=True)
class Question:
    """A prediction (`cell` is the tag of the cell that decides it) or a quiz.

    `tolerance` is set where the answer is a number.
    """

    kind: Kind
    text: str
    options: tuple[Option, ...]
    cell: str = ""
    tolerance: float | None = None

    @property
    def right(self) -> list[int]:
        """A quiz's right options, counted from 0."""
        return [i for i, option in enumerate(self.options) if option.mark == "x"]


def parse(kind: Kind, body: str) -> Question:
    """The question that the body of a directive holds.

    Raises:
        ValueError: where a setting, option or explanation is missing or not understood.
    """
    settings, lines = {}, body.strip("\n").split("\n")
    while lines and (found := _SETTING.fullmatch(lines[0].strip())):
        settings[found[1]] = found[2].strip()
        lines.pop(0)
    if unknown := set(settings) - _SETTINGS[kind]:
        raise ValueError(f"{{{kind}}} has no :{sorted(unknown)[0]}:")
    text, *items = re.split(r"\n(?=- )", "\n".join(lines))
    options = tuple(_option(kind, item) for item in items)
    if not text.strip() or not 2 <= len(options) <= 5:
        raise ValueError(f"{{{kind}}} needs a question and two to five options: {body[:60]!r}")
    question = Question(
        kind,
        text.strip(),
        options,
        cell=settings.get("cell", ""),
        tolerance=float(settings["number"]) if "number" in settings else None,
    )
    if kind == "predict" and not question.cell:
        raise ValueError(f"{{predict}} needs :cell:, the tag of a cell: {text.strip()[:60]!r}")
    if kind == "quiz" and not question.right:
        raise ValueError(f"{{quiz}} has no right option, [x]: {text.strip()[:60]!r}")
    return question


def _option(kind: Kind, item: str) -> Option:
    found = _OPTION.fullmatch(re.sub(r"\s*\n\s*", " ", item.strip()))
    if found is None:
        raise ValueError(f"an option is `- [..] text | explanation`, not {item.strip()[:60]!r}")
    text, bar, explanation = found["rest"].partition(" | ")
    mark = found["mark"].strip()
    if not bar or not explanation.strip():
        raise ValueError(f"option {text[:40]!r} has no explanation after ` | `")
    if kind == "quiz" and mark not in {"", "x"}:
        raise ValueError(f"option {text[:40]!r} of a quiz begins with [x] or [ ], not [{mark}]")
    if kind == "predict" and mark in {"", "x"}:
        raise ValueError(f"option {text[:40]!r}: the brackets hold the results that make it right")
    return Option(mark, _no_list(text.strip()), _no_list(explanation.strip()))


def _no_list(text: str) -> str:
    """Text that begins like a list or a heading (`64.`), made a sentence for Markdown."""
    return re.sub(
        r"^(\d+)([.)])(?= |$)|^(?=[-+#>] )", lambda m: f"{m[1]}\\{m[2]}" if m[1] else "\\", text
    )


def decide(question: Question, result: str) -> int:
    """Which option a cell's last expression, as printed, makes the right one.

    Raises:
        ValueError: unless exactly one is: text and result disagree, or that is no plain value.
    """
    try:
        value = ast.literal_eval(result.strip())
    except (ValueError, SyntaxError):
        raise ValueError(
            f"cell {question.cell!r} ends with {result.strip()[:60]!r}, which is no number, word "
            "or list of such: nothing that could decide a prediction"
        ) from None
    fitting = [i for i, option in enumerate(question.options) if _fits(option.mark, value)]
    if not fitting:
        fitting = [i for i, option in enumerate(question.options) if option.mark == "else"]
    if len(fitting) != 1:
        raise ValueError(
            f"cell {question.cell!r} gives {value!r}, which makes {len(fitting)} options of "
            f"{question.text[:60]!r} right, where it should be one"
        )
    return fitting[0]


def _fits(mark: str, value: object) -> bool:
    """Whether a value is among those in an option's brackets."""
    if mark == "else":
        return False
    for part in (part.strip() for part in mark.split(",")):
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if (found := _RANGE.fullmatch(part)) and number:
            low = float(found["low"] or "-inf")
            high = float(found["high"] or "inf")
            if low <= value <= high:  # type: ignore[operator]
                return True
        elif part == str(value):
            return True
    return False


def as_markdown(question: Question) -> tuple[str, str]:
    """The question, and its answers folded away, for where there is no page: a notebook."""
    ask = "**Predict** before you run the next cell." if question.cell else "**Question.**"
    bullet = "" if question.tolerance is None else "about "
    asked = f"{ask} {question.text}\n"
    if question.tolerance is None:
        asked += "\n" + "\n".join(f"- {option.text}" for option in question.options) + "\n"
    told = [
        f"- {'✓ ' if option.mark == 'x' else ''}{bullet}**{option.text}** {option.explanation}"
        for option in question.options
    ]
    summary = "What each prediction would mean" if question.cell else "Answers"
    answers = f"<details><summary>{summary}</summary>\n\n" + "\n".join(told) + "\n\n</details>\n"
    return asked, answers


def replace_in_notebook(cells: list[tuple[str, str, list[str]]]) -> list[str]:
    """What the Markdown cells of a notebook say where nothing draws directives.

    Args:
        cells: type, source and tags of each cell.

    Returns:
        the new source of each. A prediction's answers go to the first Markdown cell after the cell
        that decides it; a quiz's stand below it.

    Raises:
        ValueError: if no later cell has the tag, or no Markdown follows it.
    """
    sources = [source for _, source, _ in cells]
    for number, (kind, _, _) in enumerate(cells):
        if kind != "markdown":
            continue
        while found := FENCE.search(sources[number]):
            question = parse(found["kind"], found["body"])  # type: ignore[arg-type]
            asked, answers = as_markdown(question)
            if question.cell:
                after = _after(cells, number, question.cell)
                sources[after] = answers + "\n" + sources[after]
            else:
                asked += "\n" + answers
            sources[number] = (
                sources[number][: found.start()] + asked + sources[number][found.end() :]
            )
        sources[number] = sources[number].strip("\n")
    return sources


def _after(cells: list[tuple[str, str, list[str]]], number: int, tag: str) -> int:
    later = range(number + 1, len(cells))
    decided = next((i for i in later if tag in cells[i][2]), None)
    if decided is None:
        raise ValueError(f"no cell after the prediction is tagged {tag!r}")
    after = next((i for i in range(decided + 1, len(cells)) if cells[i][0] == "markdown"), None)
    if after is None:
        raise ValueError(f"no text follows the cell {tag!r}, where its explanations could stand")
    return after
