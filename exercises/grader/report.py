"""The report on a class: an overview, a page for each learner, grades as files."""

from __future__ import annotations

import hashlib
import html
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import quote

from exercises.grader.gradebook import Row, write_gradebooks
from exercises.grader.pages import learners_page, page, points
from exercises.grader.results import Result, safe_name, write_whole
from exercises.learner.source import ExerciseSet, Task

WAYS = {
    "bwrap": "in namespaces of its own (bubblewrap): no network, no file to see but Python's",
    "container": "in a container without a network",
    "limits": "with limits only (neither bubblewrap nor a container was there): a submission "
    "could read what the grader can read. Grade strangers' work with one of the other two",
    "clock": "under a clock alone",
}


@dataclass
class Summary:
    """What the overview needs of all results, gathered one by one.

    sets: the columns. labels: the names shown, by name.
    """

    sets: list[str]
    rows: list[Row] = field(default_factory=list)
    tasks: dict[str, dict[str, float]] = field(default_factory=dict)  # points, by learner
    labels: dict[str, str] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)  # what is wrong, as it is shown
    passed: Counter[str] = field(default_factory=Counter)
    tried: Counter[str] = field(default_factory=Counter)
    mistakes: dict[str, Counter[str]] = field(default_factory=dict)
    unnamed: Counter[str] = field(default_factory=Counter)
    absent: Counter[str] = field(default_factory=Counter)
    ways: Counter[str] = field(default_factory=Counter)
    scores: dict[str, list[tuple[float, str]]] = field(default_factory=dict)

    def add(self, result: Result, shown: Result, is_listed: bool) -> None:
        """Count one learner; shown: the same, under the name and with the texts to be shown."""
        label = self.labels[result.name] = shown.name
        self.notes[result.name] = " ".join(shown.problems)
        each = {name: one.points for name, one in result.sets.items()}
        alias = label if label != result.name else ""
        notes = tuple(result.problems)
        self.rows.append(Row(result.name, result.person, each, notes, is_listed, alias))
        self.tasks[result.name] = {task.task: task.points for task in result.tasks}
        self.ways.update({one.isolation for one in result.sets.values() if one.tasks})
        for task in result.tasks:
            self.tried[task.task] += 1
            if task.score is not None:
                self.scores.setdefault(task.task, []).append((task.score, label))
            if task.points:
                self.passed[task.task] += 1
            elif task.mistake:
                self.mistakes.setdefault(task.task, Counter())[task.mistake] += 1
            elif task.message.startswith(("There is no function", "Task ")):
                self.absent[task.task] += 1
            else:
                self.unnamed[task.task] += 1

    def to_look_at(self) -> list[tuple[str, str]]:
        """What an instructor should see: a learner's name or a set's, and what there is."""
        found = [(self.labels[row.name], self.notes[row.name]) for row in self.rows if row.notes]
        for name in self.sets:
            missing = [
                self.labels[row.name]
                for row in self.rows
                if name not in row.points and not row.notes
            ]
            if missing:
                found.append((name, f"nothing of {_some(missing)}"))
        return found


def _some(names: list[str], most: int = 12) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return f"{', '.join(names[:most])}{more}"


def alias(seed: bytes, name: str) -> str:
    """A name that tells nobody who it is, the same in every run with this seed."""
    return f"learner {hashlib.sha256(seed + b'alias' + name.encode()).hexdigest()[:8]}"


def anonymous(result: Result, name: str) -> Result:
    """A result under another name, whose texts name no file: those hold the names of learners."""
    names = {one.file: f"notebook {i}" for i, one in enumerate(result.files, start=1)}
    sets = {
        key: replace(
            one,
            tasks=[replace(task, file=names.get(task.file, task.file)) for task in one.tasks],
        )
        for key, one in result.sets.items()
    }
    files = [replace(one, file=names[one.file]) for one in result.files]
    notes = ["Something else was handed in, or is wrong with it."] if result.notes else []
    return replace(result, name=name, files=files, notes=notes, sets=sets)


def write_page(result: Result, sets: Mapping[str, ExerciseSet], out: Path) -> Path:
    """Write a learner's page; its path."""
    path = out / "submissions" / f"{safe_name(result.name)}.html"
    write_whole(path, learners_page(result, sets))
    return path


def write_overview(summary: Summary, sets: Mapping[str, ExerciseSet], out: Path) -> None:
    """Write `index.html`, `grades.json` and the files for spreadsheets and learning systems."""
    summary.rows.sort(key=lambda row: row.name)
    shown = sorted(summary.rows, key=lambda row: summary.labels[row.name])
    write_whole(out / "index.html", overview(summary, shown, sets))
    write_gradebooks(summary.rows, summary.sets, out)
    tasks = [task for name in summary.sets for task in sets[name].tasks]
    grades = {
        "isolation": sorted(summary.ways),
        "sets": summary.sets,
        "tasks": [{"id": t.id, "title": t.title, "points": t.points} for t in tasks],
        "submissions": [
            {
                "name": summary.labels[row.name],
                "points": {name: row.points.get(name) for name in summary.sets},
                "by_task": summary.tasks[row.name],
                "notes": summary.notes[row.name],
            }
            for row in shown
        ],
        "leaderboard": {
            task.id: [{"name": n, "score": round(s, 4)} for s, n in ranking(summary, task)]
            for task in tasks
            if task.id in summary.scores
        },
    }
    write_whole(out / "grades.json", json.dumps(grades, ensure_ascii=False, indent=1) + "\n")


def overview(summary: Summary, rows: Sequence[Row], sets: Mapping[str, ExerciseSet]) -> str:
    """The page on the whole class."""
    graded = [row for row in rows if row.points]
    total = 100 * len(summary.sets)
    mean = sum(sum(row.points.values()) for row in graded) / max(len(graded), 1)
    body = [
        "<h1>Grades</h1>",
        f"<p>Learners: {len(rows)}, of whom {len(graded)} have something graded; mean: {mean:.1f} "
        f"of {total} points.</p>",
        *(f"<p>Each task ran {html.escape(WAYS.get(way, way))}.</p>" for way in summary.ways),
    ]
    looked = summary.to_look_at()
    if looked:
        items = [f"<li><b>{html.escape(n)}</b>: {html.escape(text)}</li>" for n, text in looked]
        body.append(f"<h2>To look at</h2><ul>{''.join(items)}</ul>")
    if graded:
        body += ["<h2>Distribution</h2>"]
        body += [histogram([sum(row.points.values()) for row in graded], total)]
    body += ["<h2>Tasks</h2>", *(_tasks(summary, graded, sets[name]) for name in summary.sets)]
    body += [_leaderboard(summary, t) for n in summary.sets for t in sets[n].tasks]
    body += ["<h2>Learners</h2>", _learners(summary, rows)]
    return page("Grades", "\n".join(body))


def _learners(summary: Summary, rows: Sequence[Row]) -> str:
    """A line for each learner, a column for each set."""
    chapters = [name.split("-")[0] for name in summary.sets]
    heads = "".join(f'<th class="n">{html.escape(one)}</th>' for one in chapters)
    lines = []
    for row in rows:
        label = summary.labels[row.name]
        cells = "".join(
            f'<td class="n">{points(row.points[name]) if name in row.points else ""}</td>'
            for name in summary.sets
        )
        sum_ = points(sum(row.points.values())) if row.points else ""
        lines.append(
            f'<tr><td><a href="submissions/{quote(safe_name(label))}.html">{html.escape(label)}</a>'
            f'</td>{cells}<td class="n"><b>{sum_}</b></td></tr>'
        )
    return (
        f'<div class="wide"><table class="list"><tr><th>name</th>{heads}<th class="n">all</th></tr>'
        f"{''.join(lines)}</table></div>"
    )


def _tasks(summary: Summary, graded: Sequence[Row], exercises: ExerciseSet) -> str:
    """Passes and commonest mistakes by task of one set."""
    own = [row.points[exercises.name] for row in graded if exercises.name in row.points]
    mean = f", mean {sum(own) / len(own):.1f} of 100 points" if own else ""
    lines = [_line(summary, task) for task in exercises.tasks]
    return (
        f"<h3>{html.escape(exercises.title)}</h3><p>{len(own)} graded{mean}.</p>"
        '<div class="wide"><table class="list"><tr><th>task</th><th class="bars">passed</th>'
        '<th class="n">proportion</th><th>commonest mistakes</th></tr>'
        f"{''.join(lines)}</table></div>"
    )


def _line(summary: Summary, task: Task) -> str:
    proportion = summary.passed[task.id] / max(summary.tried[task.id], 1)
    mistakes = [
        f"{html.escape(name)} ({number})"
        for name, number in _commonest(summary.mistakes.get(task.id, Counter()))
    ]
    for what, counter in (("none known", summary.unnamed), ("not written", summary.absent)):
        if counter[task.id]:
            mistakes.append(f'<span class="dim">{what} ({counter[task.id]})</span>')
    full = round(100 * proportion)
    bar = (
        f'<span class="bar" style="width:{full}px"></span>'
        f'<span class="bar rest" style="width:{100 - full}px"></span>'
    )
    return (
        f'<tr><td>{task.id} {html.escape(task.title)}</td><td class="bars">{bar}</td>'
        f'<td class="n">{proportion:.0%}</td><td>{"<br>".join(mistakes)}</td></tr>'
    )


def ranking(summary: Summary, task: Task) -> list[tuple[float, str]]:
    """The scores of a task, each with the name shown: the best first, equal ones by name."""
    return sorted(summary.scores.get(task.id, []), key=lambda pair: (-pair[0], pair[1]))


def _leaderboard(summary: Summary, task: Task) -> str:
    """A line for each learner with a score; nothing where nobody has one."""
    rows = [
        f'<tr><td class="n">{place}</td><td>{html.escape(name)}</td><td class="n">{score:.1%}</td>'
        "</tr>"
        for place, (score, name) in enumerate(ranking(summary, task), start=1)
    ]
    heading = f"<h2>Leaderboard: {task.id} {html.escape(task.title)}</h2>"
    table = f'<div class="wide"><table class="list">{"".join(rows)}</table></div>'
    return heading + table if rows else ""


def _commonest(counts: Counter[str]) -> list[tuple[str, int]]:
    """The three of most, equal ones by name: not in the order in which they came."""
    return sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))[:3]


def histogram(values: Sequence[float], total: int) -> str:
    """Ten bars of equal width over the points, in plain SVG; what bounds them stands between."""
    counts = [0] * 10
    for one in values:
        counts[min(9, int(10 * one // max(total, 1)))] += 1
    highest = max(counts) or 1
    bars = []
    for i in range(11):
        bars.append(
            f'<text x="{i * 42 + 16}" y="126" text-anchor="middle" font-size="12" '
            f'fill="currentColor">{i * total // 10}</text>'
        )
    for i, number in enumerate(counts):
        height = 90 * number / highest
        low, high = i * total // 10, (i + 1) * total // 10
        bars.append(
            f'<rect x="{i * 42 + 17}" y="{110 - height:.0f}" width="40" height="{height:.0f}" '
            f'fill="#0072B2"><title>{number} with {low} to {high} points</title></rect>'
            f'<text x="{i * 42 + 37}" y="{105 - height:.0f}" text-anchor="middle" '
            f'font-size="12" fill="currentColor">{number or ""}</text>'
        )
    said = f"Bars: how many learners have how many of {total} points."
    return (
        f'<svg viewBox="0 0 452 132" width="452" style="max-width:100%" role="img" '
        f'aria-label="{said}">{"".join(bars)}</svg>'
    )
