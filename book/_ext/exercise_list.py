"""The list of exercise sets, made from their sources."""

from __future__ import annotations

from typing import Any

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from book.register import CHAPTERS, title
from exercises.learner import source


def lines_of(name: str) -> list[str]:
    """One set in Markdown: its notebook, and a row for each task."""
    exercises = source.load(name)
    minutes = sum(task.minutes for task in exercises.tasks)
    rows = [
        f"| {task.id} | {task.title.removeprefix('Project: ')} | "
        f"{source.KINDS[task.kind].lower()} | {task.points} | {task.minutes} |"
        for task in exercises.tasks
    ]
    is_chapter = name in CHAPTERS
    heading = f"{int(name[2:4])} · {title(name)}" if is_chapter else exercises.title
    chapter = f"[Chapter {int(name[2:4])}]({name}.md) · " if is_chapter else ""
    return [
        f"### {heading}",
        "",
        f"{chapter}{len(rows)} tasks, about {minutes} minutes · "
        f"{{download}}`download the notebook <../exercises/{name}.ipynb>`",
        "",
        "| id | task | kind | points | minutes |",
        "| --- | --- | --- | ---: | ---: |",
        *rows,
        "",
    ]


class ExerciseSets(SphinxDirective):
    """`{exercise-sets}`: every set with its tasks."""

    def run(self) -> list[nodes.Node]:
        """Write the list in Markdown and parse it."""
        lines: list[str] = []
        for name in source.names():
            self.env.note_dependency(str(source.SOURCES / f"{name}.py"))
            lines += lines_of(name)
        box = nodes.container(classes=["exercise-sets"])
        self.state.nested_parse(StringList(lines, "exercises"), 0, box, match_titles=1)
        return box.children


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directive."""
    app.add_directive("exercise-sets", ExerciseSets)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
