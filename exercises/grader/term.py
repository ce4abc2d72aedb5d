"""A class in the course of a term: what is run, what is kept of the weeks before, who is gone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from exercises.grader.grading import Grader
from exercises.grader.overrides import FILE, Override, read_overrides, with_overrides
from exercises.grader.report import Summary, alias, anonymous, write_overview, write_page
from exercises.grader.results import Store, safe_name
from exercises.grader.submission import Submission
from exercises.learner import source
from exercises.learner.source import ExerciseSet


@dataclass(frozen=True)
class Term:
    """A report's folder, and what is graded into it.

    Attributes:
        out: the folder.
        grader: of the sets that are graded now.
        asked: the sets that have a column whether or not anybody has handed in anything.
        is_anonymous: whether pages show ids in place of names.
    """

    out: Path
    grader: Grader
    asked: tuple[str, ...] = ()
    is_anonymous: bool = False

    @property
    def store(self) -> Store:
        """What is kept of each learner."""
        return Store(self.out / "results")

    def everybody(self, submissions: Sequence[Submission]) -> tuple[list[Submission], list[str]]:
        """Those who have handed in, and those of whom there are grades of sets not graded now.

        What is kept of all others is put aside: they are no longer of the class.

        Returns:
            the learners, sorted by name, and who is gone.
        """
        store, known = self.store, {safe_name(one.name) for one in submissions}
        everybody, gone = list(submissions), []
        for folder in store.names():
            if folder in known:
                continue
            kept = store.read_folder(folder)
            if set(kept.sets) - set(self.grader.sets):
                everybody.append(Submission(kept.name, (), (), kept.person))
            else:
                store.remove(folder)
                gone.append(kept.name)
        return sorted(everybody, key=lambda one: one.name), gone

    def given(self, everybody: Sequence[Submission]) -> list[Override]:
        """The points that were given by hand.

        Raises:
            ValueError: if something is wrong with the file of those.
        """
        names = [one.name for one in everybody]
        for store in (self.store, Store(self.out / "removed")):
            names += [store.read_folder(folder).name for folder in store.names()]
        return read_overrides(self.out / FILE, names, self.course())

    def course(self) -> dict[str, ExerciseSet]:
        """The sets of the course, with those that are graded."""
        return {name: source.load(name) for name in source.names()} | self.grader.sets

    def write_report(self, everybody: Sequence[Submission]) -> Summary:
        """Write all of the report; pages of those who are gone go too."""
        course, pages = self.course(), set()
        columns, given = set(self.asked), self.given(everybody)
        summary = Summary([])
        for one in everybody:
            result = self.store.read(one.name)
            if one.is_absent:
                result = replace(result, files=[], notes=[])
            result = with_overrides(result, given, course)
            columns |= set(result.sets)
            shown = result
            if self.is_anonymous:
                shown = anonymous(result, alias(self.grader.seed, result.name))
            pages.add(write_page(shown, course, self.out))
            summary.add(result, shown, one.is_listed)
        summary.sets = sorted(columns & set(course))
        write_overview(summary, course, self.out)
        for path in (self.out / "submissions").glob("*.html"):
            if path not in pages:
                with suppress(OSError):
                    path.unlink()
        return summary


def say(summary: Summary, gone: Sequence[str], tell: Callable[[str], None], most: int = 30) -> None:
    """Tell an instructor what to look at."""
    found = [f"{name}: {text}" for name, text in summary.to_look_at()]
    found += [f"{name}: no longer there; what was graded is in removed/" for name in gone]
    if not found:
        return
    tell(f"{len(found)} to look at:")
    for line in found[:most]:
        tell(f"  {line[:300]}")
    if len(found) > most:
        tell(f"  and {len(found) - most} more: see index.html")
