"""Who handed something in: names in the names of files, and the list of a class.

A learning system's download has its own file names; `PATTERNS` knows those of Canvas and Moodle. A
roster is a list of a class as a CSV file: the grades as Canvas exports them, the participants as
Moodle does, or any table with a column `name`. It says who is who, and who is missing.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, fields
from pathlib import Path

from exercises.learner.note import printable

# Canvas: leeanna_LATE_4711_99002_ch02-tokens.ipynb is the user 4711, and anon_x7Qa2_99002_… one
# whose name is not told. Moodle: Anna Lee_815_assignsubmission_file_, where the number is another
# in each assignment, and only a name for whom it calls Participant.
PATTERNS = {
    "canvas": r"(?:(?!(?:LATE_)?anon_)(?P<name>.+?)_)?(?:LATE_)?(?P<id>\d+|anon_[^_]+)_\d+_.+",
    "moodle": r"(?P<name>Participant[ _]\d+|.+?)(?:_\d+)?_assignsubmission_.*",
}
# What columns are called, by Canvas, by Moodle and by hand.
COLUMNS = {
    "name": ("student", "name", "full name", "learner"),
    "first": ("first name", "firstname"),
    "last": ("last name", "surname", "lastname"),
    "id": ("id", "user id"),
    "number": ("sis user id", "id number", "number"),
    "login": ("sis login id", "username", "login", "user name"),
    "email": ("email address", "email", "e-mail"),
    "section": ("section", "group", "groups"),
}


@dataclass(frozen=True)
class Person:
    """A learner.

    Attributes:
        name: as one writes it.
        id: the system's own number for a user (Canvas).
        number: the school's (Canvas's SIS User ID, Moodle's ID number).
        login: the user name.
        email: the address.
        section: of the course.
    """

    name: str
    id: str = ""
    number: str = ""
    login: str = ""
    email: str = ""
    section: str = ""


NOBODY = Person("")


def _squeezed(text: str) -> str:
    """A name as systems write it into file names: letters and digits in one row."""
    return re.sub(r"[\W_]+", "", text).lower()


class Roster:
    """The list of a class.

    Args:
        people: in the order of the list.
    """

    def __init__(self, people: Iterable[Person]) -> None:
        self.people = list(people)
        self._by_id = self._unique([(p.id.lower(), p) for p in self.people])
        exact, names = [], []
        for one in self.people:
            local = one.email.partition("@")[0]
            own = {one.login, one.email, local, one.number, one.id}
            exact += [(key.lower(), one) for key in sorted(own)]
            last, comma, first = one.name.partition(",")
            turned = {one.name, f"{first} {last}" if comma else " ".join(one.name.split()[::-1])}
            names += [(key, one) for key in sorted({_squeezed(each) for each in turned})]
        self._exact, self._names = self._unique(exact), self._unique(names)

    @staticmethod
    def _unique(pairs: list[tuple[str, Person]]) -> dict[str, Person]:
        """What is one person's alone."""
        counts = Counter(key for key, _ in pairs)
        return {key: one for key, one in pairs if key and counts[key] == 1}

    def find(self, name: str, number: str) -> Person | None:
        """Who has this id or number, or else, where no id is known, this login, address or name."""
        if number and self._by_id:
            return self._by_id.get(number.lower()) or self._exact.get(number.lower())
        return self._exact.get(name.lower()) or self._names.get(_squeezed(name))


def read_roster(path: Path) -> Roster:
    """Read the list of a class.

    Raises:
        ValueError: if it is no such list; the message names file and line.
        FileNotFoundError: if there is none.
    """
    if not path.is_file():
        raise FileNotFoundError(f"there is no roster {path}")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError(f"{path} is not UTF-8: save it as “CSV UTF-8”") from None
    lines = text.splitlines()
    head = lines[0] if lines else ""
    rows = list(csv.reader(lines, delimiter=max(",;\t", key=head.count)))
    columns = [cell.strip().lower() for cell in rows[0]] if rows else []
    at = {
        field: columns.index(known)
        for field, words in COLUMNS.items()
        for known in words[::-1]
        if known in columns
    }
    if "name" not in at and not {"first", "last"} <= set(at):
        raise ValueError(
            f"{path}, line 1: no column with names: Student, name, or First name and Last name"
        )
    people: list[Person] = []
    for number, row in enumerate(rows[1:], start=2):
        cells = {field: row[i].strip() if i < len(row) else "" for field, i in at.items()}
        name = cells.get("name") or " ".join(
            part for part in (cells.get("first"), cells.get("last")) if part
        )
        if not any(row) or "points possible" in name.lower():
            continue  # Canvas writes what can be reached as if it were a student
        if not name:
            raise ValueError(f"{path}, line {number}: a row without a name")
        kept = {f.name: printable(cells.get(f.name, "")) for f in fields(Person)}
        person = Person(**(kept | {"name": printable(name)}))
        if person in people:
            raise ValueError(f"{path}, line {number}: {name} stands there twice")
        people.append(person)
    if not people:
        raise ValueError(f"{path} lists nobody")
    return Roster(people)


class Names:
    """Says whose a file or folder is.

    Args:
        pattern: a key of `PATTERNS`, or a regular expression with a group `name` or `id`; without
            one the whole name is the learner's.
        roster: the class, if there is a list of it.

    Raises:
        ValueError: if the pattern is none.
    """

    def __init__(self, pattern: str | None = None, roster: Roster | None = None) -> None:
        self.roster = roster
        try:
            known = PATTERNS.get(pattern or "", pattern)
            self._pattern = re.compile(known) if known else None
        except re.error as error:
            raise ValueError(f"--name-pattern is no regular expression: {error}") from None
        groups = set(self._pattern.groupindex) if self._pattern else {"name"}
        if not groups & {"name", "id"}:
            raise ValueError(
                f"--name-pattern needs a group (?P<name>...) or (?P<id>...), or is one of "
                f"{', '.join(PATTERNS)}"
            )

    def person(self, entry: str, stem: str) -> tuple[Person, list[str]]:
        """Whose something is, and what is wrong with its name.

        Args:
            entry: the name of the file or folder.
            stem: the same without its ending.
        """
        notes, name, number = [], stem, ""
        if self._pattern is not None:
            match = self._pattern.fullmatch(entry)
            groups = match.groupdict() if match else {}
            name, number = groups.get("name") or "", groups.get("id") or ""
            if not name and not number:
                name = stem
                notes.append(f"{printable(entry)}: its name does not fit --name-pattern.")
        name, number = printable(name), printable(number)
        if self.roster is None:
            return Person(name or number, number), notes
        found = self.roster.find(name, number)
        if found is None:
            notes.append(f"{printable(entry)}: nobody on the roster.")
        return found or Person(name or number, number), notes


def shown_names(people: Iterable[Person]) -> dict[Person, str]:
    """A name for each, equal to nobody else's: with an id where there is need of it."""
    people = list(dict.fromkeys(people))
    counts = Counter(one.name for one in people)
    shown: dict[Person, str] = {}
    taken: set[str] = set()
    for one in people:
        key = one.id or one.number or one.login or one.email
        name = f"{one.name} ({key})" if counts[one.name] > 1 and key else one.name
        number = 2
        while name in taken:  # two names that look alike, in different encodings
            name, number = f"{one.name} ({number})", number + 1
        taken.add(name)
        shown[one] = name
    return shown


def looks_like_canvas(entries: Iterable[str]) -> bool:
    """Whether files have the names of a download from Canvas."""
    names = list(entries)
    return bool(names) and all(re.fullmatch(PATTERNS["canvas"], name) for name in names)
