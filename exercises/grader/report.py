"""The report on a class: grades.csv, grades.json, an overview and a page for each submission."""

from __future__ import annotations

import csv
import html
import json
import os
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from exercises.grader.grading import Result, safe_name
from exercises.learner.note import marked
from exercises.learner.source import Task

STYLE = """
:root { color-scheme: light dark; --line: #8886; --ok: #009E73; --no: #D55E00; --dim: #767676; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; } .wide { overflow-x: auto; }
.list td, .list th { border-bottom: 1px solid var(--line); padding: .3rem .7rem; text-align: left; }
.list td.n, .list th.n { text-align: right; font-variant-numeric: tabular-nums; }
.bar { display: inline-block; height: .8rem; background: var(--ok); vertical-align: middle; }
.rest { background: #8884; }
.task { border-left: 5px solid var(--no); padding: 0 1rem; margin: 1rem 0; }
.task.passed { border-color: var(--ok); } small, .dim { color: var(--dim); }
code { background: #8882; padding: 0 .2em; } h1 { line-height: 1.2; }
"""


@dataclass
class Summary:
    """What the overview needs of all results, gathered one by one."""

    rows: list[tuple[str, int, list[int]]] = field(default_factory=list)
    passed: Counter[str] = field(default_factory=Counter)
    mistakes: dict[str, Counter[str]] = field(default_factory=dict)
    unnamed: Counter[str] = field(default_factory=Counter)
    absent: Counter[str] = field(default_factory=Counter)

    def add(self, result: Result) -> None:
        """Count one submission."""
        self.rows.append((result.name, result.points, [task.points for task in result.tasks]))
        for task in result.tasks:
            if task.points:
                self.passed[task.task] += 1
            elif task.mistake:
                self.mistakes.setdefault(task.task, Counter())[task.mistake] += 1
            elif task.message.startswith(("Not submitted", "There is no function", "Task ")):
                self.absent[task.task] += 1
            else:
                self.unnamed[task.task] += 1


def _page(title: str, body: str) -> str:
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{html.escape(title)}</title><style>{STYLE}</style></head>\n"
        f"<body>{body}</body></html>\n"
    )


def _write(path: Path, text: str) -> None:
    partial = path.with_name(path.name + ".partial")
    partial.write_text(text, encoding="utf-8", errors="backslashreplace", newline="")
    os.replace(partial, path)


def submission_page(result: Result, titles: Mapping[str, str]) -> str:
    """One learner's page, to be handed back: it speaks of nobody else."""
    total = sum(task.out_of for task in result.tasks)
    body = [f"<h1>{html.escape(result.name)}: {result.points} of {total} points</h1>"]
    body += [f"<p>{html.escape(note)}</p>" for note in result.notes]
    for task in result.tasks:
        kind = "task passed" if task.points else "task"
        heading = f"{task.task} · {html.escape(titles.get(task.task, ''))}"
        file = f" · from {html.escape(task.file)}" if task.file else ""
        body.append(
            f'<section class="{kind}"><h2>{heading}</h2><p><b>{task.points} of {task.out_of}'
            f"</b>{file} · {marked(task.message)}</p>{task.table}</section>"
        )
    return _page(f"{result.name}: exercises", "\n".join(body))


def write_submission(result: Result, tasks: Iterable[Task], out: Path) -> None:
    """Write a learner's page."""
    folder = out / "submissions"
    folder.mkdir(parents=True, exist_ok=True)
    titles = {task.id: task.title for task in tasks}
    _write(folder / f"{safe_name(result.name)}.html", submission_page(result, titles))


def write_overview(summary: Summary, tasks: list[Task], out: Path, isolation: str) -> None:
    """Write `index.html`, `grades.csv` and `grades.json`."""
    summary.rows.sort()
    _write(out / "index.html", overview(summary, tasks, isolation))
    write_csv(summary, tasks, out / "grades.csv")
    grades = {
        "isolation": isolation,
        "tasks": [{"id": t.id, "title": t.title, "points": t.points} for t in tasks],
        "submissions": [
            {"name": name, "points": points, "by_task": dict(zip(ids(tasks), each, strict=True))}
            for name, points, each in summary.rows
        ],
    }
    _write(out / "grades.json", json.dumps(grades, ensure_ascii=False, indent=1) + "\n")


def ids(tasks: list[Task]) -> list[str]:
    """The ids of tasks."""
    return [task.id for task in tasks]


def overview(summary: Summary, tasks: list[Task], isolation: str) -> str:
    """The page on the whole class: distribution, tasks, commonest mistakes, submissions."""
    count = len(summary.rows)
    total = sum(task.points for task in tasks)
    ways = {
        "bwrap": "in namespaces of its own (bubblewrap): no network, no file to see but Python's",
        "container": "in a container without a network",
        "limits": "with limits only (neither bubblewrap nor a container was there): a submission "
        "could read what the grader can read. Grade strangers' work with one of the other two",
        "clock": "under a clock alone",
    }
    mean = sum(points for _, points, _ in summary.rows) / max(count, 1)
    body = [
        "<h1>Grades</h1>",
        f"<p>{count} submissions, mean {mean:.1f} of {total} points. Each task of each submission "
        f"ran {html.escape(ways[isolation])}.</p>",
        "<h2>Distribution</h2>",
        _histogram([points for _, points, _ in summary.rows], total),
        '<h2>Tasks</h2><div class="wide"><table class="list"><tr><th>task</th><th>passed</th>'
        '<th class="n">proportion</th><th>commonest mistakes</th></tr>',
    ]
    for task in tasks:
        proportion = summary.passed[task.id] / max(count, 1)
        mistakes = [
            f"{html.escape(name)} ({number})"
            for name, number in _commonest(summary.mistakes.get(task.id, Counter()))
        ]
        for what, counter in (("none known", summary.unnamed), ("not written", summary.absent)):
            if counter[task.id]:
                mistakes.append(f'<span class="dim">{what} ({counter[task.id]})</span>')
        body.append(
            f"<tr><td>{task.id} {html.escape(task.title)}</td><td>{_bar(proportion)}</td>"
            f'<td class="n">{proportion:.0%}</td><td>{"<br>".join(mistakes)}</td></tr>'
        )
    heads = "".join(f'<th class="n">{task.id}</th>' for task in tasks)
    body.append(
        '</table></div><h2>Submissions</h2><div class="wide"><table class="list"><tr>'
        f'<th>name</th><th class="n">points</th>{heads}</tr>'
    )
    for name, points, each in summary.rows:
        link = f"submissions/{quote(safe_name(name))}.html"
        cells = "".join(f'<td class="n">{one}</td>' for one in each)
        body.append(
            f'<tr><td><a href="{link}">{html.escape(name)}</a></td><td class="n">{points}</td>'
            f"{cells}</tr>"
        )
    return _page("Grades", "\n".join([*body, "</table></div>"]))


def _commonest(counts: Counter[str]) -> list[tuple[str, int]]:
    """The three of most, equal ones by name: not in the order in which they came."""
    return sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))[:3]


def _bar(proportion: float) -> str:
    full, rest = round(100 * proportion), 100 - round(100 * proportion)
    return (
        f'<span class="bar" style="width:{full}px"></span>'
        f'<span class="bar rest" style="width:{rest}px"></span>'
    )


def _histogram(points: list[int], total: int) -> str:
    """Ten bars of equal width over the points, in plain SVG."""
    counts = [0] * 10
    for one in points:
        counts[min(9, 10 * one // max(total, 1))] += 1
    highest = max(counts) or 1
    bars = []
    for i, number in enumerate(counts):
        height = 90 * number / highest
        low, high = i * total // 10, (i + 1) * total // 10 - (i < 9)
        bars.append(
            f'<rect x="{i * 46 + 2}" y="{110 - height:.0f}" width="42" height="{height:.0f}" '
            f'fill="#0072B2"><title>{number} with {low} to {high} points</title></rect>'
            f'<text x="{i * 46 + 23}" y="{105 - height:.0f}" text-anchor="middle" '
            f'font-size="12" fill="currentColor">{number or ""}</text>'
            f'<text x="{i * 46 + 23}" y="126" text-anchor="middle" font-size="11" '
            f'fill="currentColor">{low}–{high}</text>'
        )
    said = f"Bars: how many submissions have how many of {total} points."
    return (
        f'<svg viewBox="0 0 462 132" width="462" style="max-width:100%" role="img" '
        f'aria-label="{said}">{"".join(bars)}</svg>'
    )


def write_csv(summary: Summary, tasks: list[Task], path: Path) -> None:
    """The grades for a spreadsheet and for the import of Canvas and of Moodle.

    The first five columns are those that Canvas asks for; it finds a student by `SIS Login ID`, and
    Moodle's import is told to take the same column as the user name. The submission's name stands
    in both. The second row has the points that are possible, as Canvas writes it.
    """
    with path.open("w", encoding="utf-8-sig", errors="backslashreplace", newline="") as stream:
        writer = csv.writer(stream)
        heads = [f"{task.id} {task.title}" for task in tasks]
        total = sum(task.points for task in tasks)
        writer.writerow(
            ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", "minibert total", *heads]
        )
        writer.writerow(["    Points Possible", "", "", "", "", total, *(t.points for t in tasks)])
        for name, points, each in summary.rows:
            shown = harmless(name)
            writer.writerow([shown, "", "", shown, "", points, *each])


# Where a cell begins, in whatever a spreadsheet takes for the separator; then what opens a formula,
# as it is typed in the West and in the East.
_FORMULA = re.compile(r"(^|[;,|\t\r\n])([\s\u200b\ufeff]*)(?=[=+\-@＝＋－＠])")


def harmless(text: str) -> str:
    """A text that no spreadsheet takes for a formula, whatever it takes for the end of a cell."""
    return _FORMULA.sub(r"\1\2'", text)
