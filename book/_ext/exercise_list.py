"""The list of exercise sets, made from their sources."""

from __future__ import annotations

from typing import Any

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from book.lists import exercise_lines
from exercises.learner import source


class ExerciseSets(SphinxDirective):
    """`{exercise-sets}`: every set with its tasks."""

    def run(self) -> list[nodes.Node]:
        """Write the list in Markdown and parse it."""
        lines: list[str] = []
        for name in source.names():
            self.env.note_dependency(str(source.SOURCES / f"{name}.py"))
            lines += exercise_lines(name)
        box = nodes.container(classes=["exercise-sets"])
        self.state.nested_parse(StringList(lines, "exercises"), 0, box, match_titles=1)
        return box.children


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directive."""
    app.add_directive("exercise-sets", ExerciseSets)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
