"""What `minibert evaluate` says of single rows: where two models differ, what to look at again."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from numpy.typing import NDArray

from minibert.finetuning.comparison import differing_rows, mcnemar, paired_bootstrap
from minibert.finetuning.evaluate import Report
from minibert.finetuning.label_errors import confident_mistakes, likely_label_errors

_SHOWN = 20  # differing rows that are printed; as JSON all are
_WIDTH = 60  # characters of a text in a table


class Found(NamedTuple):
    """A part of what is printed: as JSON under its name, and as text."""

    name: str
    content: Any
    text: str


def check_options(options: Namespace) -> None:
    """Refuse lists of no rows."""
    for name in ("mistakes", "label_errors"):
        if (count := getattr(options, name)) is not None and count < 1:
            raise ValueError(f"{name} must be at least 1, not {count}")


def is_asked_for(options: Namespace) -> bool:
    """Whether anything is to be said of single rows."""
    return any(getattr(options, name) is not None for name in ("against", *_LISTS))


def compared(first: Report, second: Report, texts: Sequence[str], names: Sequence[str]) -> Found:
    """Two models on the same rows.

    Args:
        texts: of the rows.
        names: of the two models.
    """
    one, other = first.outcomes, second.outcomes
    assert one is not None
    assert other is not None
    difference = paired_bootstrap(one, other)
    content: dict[str, Any] = {"metrics": second.metrics, "bootstrap": difference._asdict()}
    lines = [
        f"{names[1]} against {names[0]}, {len(texts)} rows",
        f"{difference.metric}: {difference.second:.4f} - {difference.first:.4f} = "
        f"{difference.difference:+.4f}, 95 % interval {difference.low:+.4f} to "
        f"{difference.high:+.4f}, p = {difference.p:.3g} (paired bootstrap)",
    ]
    if one.right is not None and other.right is not None:
        test = mcnemar(one.right, other.right)
        content["mcnemar"] = test._asdict()
        lines.append(
            f"right only by {names[0]}: {test.only_first}, only by {names[1]}: "
            f"{test.only_second}, p = {test.p:.3g} (McNemar's exact test)"
        )
    rows = differing_rows(one, other)
    content["rows"] = [
        {
            "row": i + 1,
            "expected": one.expected[i],
            "first": one.predicted[i],
            "second": other.predicted[i],
            "text": texts[i],
        }
        for i in rows
    ]
    lines += ["", f"Rows on which they differ: {len(rows)}"]
    header = ("row", "expected", names[0], names[1], "text")
    table = [tuple(map(str, row.values())) for row in content["rows"][:_SHOWN]]
    lines += _aligned([header, *table]) if rows else []
    if len(rows) > _SHOWN:
        lines.append(f"... and {len(rows) - _SHOWN} more: --json has all")
    return Found("against", content, "\n".join(lines))


def listed(report: Report, texts: Sequence[str], options: Namespace) -> list[Found]:
    """The lists that were asked for.

    Raises:
        ValueError: if a text has not one label.
    """
    found = []
    for name, (find, title) in _LISTS.items():
        count = getattr(options, name)
        if count is None:
            continue
        if report.probabilities is None or report.truth is None:
            raise ValueError(f"{name} needs one label a text, and this model does not give one")
        rows = find(report.probabilities, report.truth)
        content = [_row(report, texts, int(i)) for i in rows[:count]]
        header = ("row", "label", "probability", "predicted", "probability", "text")
        table = [header, *(tuple(_shown(value) for value in row.values()) for row in content)]
        heading = f"{title}: {len(rows)}"
        heading += f", the first {count}" if len(rows) > count else ""
        found.append(
            Found(name, content, "\n".join([heading, *(_aligned(table) if content else [])]))
        )
    return found


_LISTS: dict[str, tuple[Any, str]] = {
    "mistakes": (confident_mistakes, "Mistakes, the surest first"),
    "label_errors": (
        likely_label_errors,
        "Labels that are likely wrong, the likeliest first (confident learning; of rows that the "
        "model was trained on it says nothing)",
    ),
}


def _row(report: Report, texts: Sequence[str], i: int) -> dict[str, Any]:
    assert report.probabilities is not None
    assert report.truth is not None
    chances: NDArray[Any] = report.probabilities[i]
    label, predicted = int(report.truth[i]), int(chances.argmax())
    return {
        "row": i + 1,
        "label": report.names[label],
        "label_probability": float(chances[label]),
        "predicted": report.names[predicted],
        "predicted_probability": float(chances[predicted]),
        "text": texts[i],
    }


def _shown(value: Any) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def _aligned(rows: Iterable[Sequence[str]]) -> list[str]:
    """Columns under each other; the last, a text, cut to what a line holds."""
    cut = [
        [*(" ".join(cell.split())[:_WIDTH] for cell in cells), " ".join(text.split())[:_WIDTH]]
        for *cells, text in rows
    ]
    widths = [max(map(len, column)) for column in zip(*cut, strict=True)]
    return [
        "  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in cut
    ]
