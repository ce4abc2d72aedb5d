"""The grades as files: for a spreadsheet, for Canvas and for Moodle. A column a set, in each.

No file has a sum, which a learning system would count beside its parts. What was not handed in is
no 0: it stays empty, and in Moodle's file it is `-`.

How the systems read them is in their own sources. Canvas (`lib/gradebook_importer.rb`): the first
five columns say who it is, by ID, SIS User ID, SIS Login ID or name; a row that begins with “Points
Possible” says what a column is worth; a column is the assignment of the same name, or a new one.
Moodle (`grade/import/csv/classes/load_data.php`): every row below the first is a user, found by one
column, and one that is not found ends the whole import; in a column of a new grade item an empty
cell becomes 0, and `-` no grade.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from exercises.grader.learners import Person

POINTS = 100  # of a set


@dataclass(frozen=True)
class Row:
    """A learner's points by set, without those not handed in; notes: what is wrong."""

    name: str
    person: Person
    points: dict[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    is_listed: bool = True
    alias: str = ""


def write_gradebooks(rows: Sequence[Row], sets: Sequence[str], folder: Path) -> None:
    """Write `grades.csv`, `canvas.csv` and `moodle.csv`."""
    _write(folder / "grades.csv", for_spreadsheet(rows, sets), encoding="utf-8-sig")
    known = [row for row in rows if row.is_listed]  # nobody else is in the systems
    _write(folder / "canvas.csv", for_canvas(known, sets))
    _write(folder / "moodle.csv", for_moodle(known, sets))


def _write(path: Path, rows: Iterable[Sequence[object]], encoding: str = "utf-8") -> None:
    partial = path.with_name(path.name + ".partial")
    with partial.open("w", encoding=encoding, errors="backslashreplace", newline="") as stream:
        csv.writer(stream).writerows(rows)
    partial.replace(path)


def _cells(row: Row, sets: Iterable[str], missing: str = "") -> list[object]:
    return [row.points.get(name, missing) for name in sets]


def for_spreadsheet(rows: Iterable[Row], sets: Sequence[str]) -> list[list[object]]:
    """Every learner, and what is to be looked at."""
    rows = list(rows)
    aliased = any(row.alias for row in rows)
    head = ["name", *["anonymous"] * aliased, "id", "login", "email", *sets, "notes"]
    table: list[list[object]] = [list(head)]
    for row in rows:
        one = row.person
        who = [row.name, *[row.alias] * aliased, one.id or one.number, one.login, one.email]
        notes = harmless(" ".join(row.notes))
        table.append([*map(harmless, who), *_cells(row, sets), notes])
    return table


def for_canvas(rows: Iterable[Row], sets: Sequence[str]) -> list[list[object]]:
    """With the columns and the second row of Canvas's own export."""
    who = ["Student", "ID", "SIS User ID", "SIS Login ID", "Section"]
    table: list[list[object]] = [[*who, *sets]]
    table.append(["    Points Possible", "", "", "", "", *[POINTS] * len(sets)])
    for row in rows:
        one = row.person
        # A learner of this name would be taken for the row that says what columns are worth.
        name = re.sub(r"(?i)points possible", "Points-Possible", one.name)
        login = one.login or ("" if one.id or one.number or one.email else row.name)
        cells = [name, one.id, one.number, login, one.section]
        table.append([*map(harmless, cells), *_cells(row, sets)])
    return table


def for_moodle(rows: Iterable[Row], sets: Sequence[str]) -> list[list[object]]:
    """With one column by which Moodle finds a user, and no row for anything else."""
    rows = list(rows)
    # The first of these that everybody has; where there is no roster, names are user names.
    ways = [
        ("Username", [row.person.login for row in rows]),
        ("Email address", [row.person.email for row in rows]),
        ("ID number", [row.person.number for row in rows]),
        ("Username", [row.person.login or row.name for row in rows]),
    ]
    head, found = next((head, found) for head, found in ways if all(found))
    return [
        [head, *sets],
        *(
            [harmless(who), *_cells(row, sets, missing="-")]
            for who, row in zip(found, rows, strict=True)
        ),
    ]


# Where a cell begins, in whatever a spreadsheet takes for the separator; then what opens a formula,
# as it is typed in the West and in the East.
_FORMULA = re.compile(r"(^|[;,|\t\r\n])([\s\u200b\ufeff]*)(?=[=+\-@＝＋－＠])")


def harmless(text: str) -> str:
    """A text that no spreadsheet takes for a formula, whatever it takes for the end of a cell."""
    return _FORMULA.sub(r"\1\2'", text)
