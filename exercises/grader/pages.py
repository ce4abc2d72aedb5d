"""A learner's page, to be handed back: it speaks of nobody else."""

from __future__ import annotations

import html
from collections.abc import Mapping

from exercises.grader.results import Result, SetResult, TaskResult
from exercises.learner.note import marked
from exercises.learner.source import ExerciseSet

STYLE = """
:root { color-scheme: light dark; --line: #8886; --ok: #009E73; --no: #D55E00; --dim: #767676; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem;
  overflow-wrap: anywhere; }
table { border-collapse: collapse; overflow-wrap: normal; } .wide { overflow-x: auto; }
.list td, .list th { border-bottom: 1px solid var(--line); padding: .3rem .7rem; text-align: left; }
.list td.n, .list th.n { text-align: right; font-variant-numeric: tabular-nums; }
.list th, .list td.n { white-space: nowrap; }
.bar { display: inline-block; height: .8rem; background: var(--ok); vertical-align: middle; }
td.bars { white-space: nowrap; } .rest { background: #8884; }
.task { border-left: 5px solid var(--no); padding: 0 1rem; margin: 1rem 0; }
.task.passed { border-color: var(--ok); } small, .dim { color: var(--dim); }
.changed { background: #E69F0033; padding: .2rem .5rem; }
code { background: #8882; padding: 0 .2em; } h1, h2, h3 { line-height: 1.2; }
pre { overflow-x: auto; overflow-wrap: normal; background: #8882; padding: .5rem; }
summary { cursor: pointer; color: var(--dim); }
@media (max-width: 40rem) { /* a phone: one below the other */
  .list { font-size: .85rem; } .list .bars { display: none; }
  .list td, .list th { padding: .3rem; white-space: normal; overflow-wrap: break-word; }
  .both { font-size: .75rem; } .both table table td { padding: 3px !important; }
  .both > table > tbody > tr:first-child { display: none; }
  .both > table > tbody > tr > td { display: block; padding: 0; }
  .both > table > tbody > tr > td::before { content: "expected"; font-weight: bold; }
  .both > table > tbody > tr > td:last-child::before { content: "yours"; }
}
"""


def page(title: str, body: str) -> str:
    """A page that runs nothing and asks nobody for anything, whatever is in it."""
    policy = "default-src 'none'; style-src 'unsafe-inline'"
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{html.escape(title)}</title><style>{STYLE}</style></head>\n"
        f"<body>{body}</body></html>\n"
    )


def learners_page(result: Result, sets: Mapping[str, ExerciseSet]) -> str:
    """One learner's page; sets: of the course."""
    name = result.name
    count = len(result.sets)
    sum_ = f"{points(result.points)} of {100 * count} points" if count else "nothing graded"
    body = [f"<h1>{html.escape(name)}: {sum_}</h1>"]
    body += [f"<p>{html.escape(note)}</p>" for note in result.problems]
    if not count and not result.problems:
        body.append("<p>Nothing was handed in.</p>")
    now = {file.set for file in result.files}
    for set_name, one in sorted(result.sets.items()):
        title = sets[set_name].title if set_name in sets else set_name
        body.append(f"<h2>{html.escape(title)}: {points(one.points)} of 100</h2>")
        body.append(f"<p><small>{html.escape(set_name)}</small></p>")
        if set_name not in now and one.tasks:
            body.append("<p>Graded from what was handed in before.</p>")
        if one.given is not None:
            body.append(_changed(one.given, sum(task.points for task in one.tasks), one))
        titles = {task.id: task.title for task in sets[set_name].tasks} if set_name in sets else {}
        body += [_task(task, titles.get(task.task, "")) for task in one.tasks]
    return page(f"{name}: exercises", "\n".join(body))


def points(number: float) -> str:
    """Points as one writes them."""
    return f"{number:g}"


def _changed(now: float, graded: float, one: TaskResult | SetResult) -> str:
    """That somebody has given other points, and why."""
    return (
        f'<p class="changed">{points(now)} points given by hand; the grader gave {points(graded)}. '
        f"{html.escape(one.reason)}</p>"
    )


def _task(task: TaskResult, title: str) -> str:
    kind = "task passed" if task.points else "task"
    file = f" · from {html.escape(task.file)}" if task.file else ""
    changed = "" if task.graded is None else _changed(task.points, task.graded, task)
    table = f'<div class="wide both">{task.table}</div>' if task.table else ""
    code = ""
    if task.code:
        shown = html.escape(task.code)
        code = f"<details><summary>what was run of your code</summary><pre>{shown}</pre></details>"
    return (
        f'<section class="{kind}"><h3>{task.task} · {html.escape(title)}</h3>'
        f"<p><b>{points(task.points)} of {task.out_of}</b>{file} · {marked(task.message)}</p>"
        f"{changed}{table}{code}</section>"
    )
