"""The directives `{predict}` and `{quiz}` on the page (`book/questions.py` has their form).

A prediction covers the outputs of the cells after it, up to the one that decides it, and the
paragraph that says what came out, until the reader has chosen; `questions.js` does that, and keeps
what was chosen in the browser. Without a script, and in print, a page shows question, options,
outputs and then the explanations.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError
from sphinx.util.docutils import SphinxDirective

from book.questions import Kind, Option, Question, decide, parse


class question_box(nodes.General, nodes.Element):
    """Question and options. Attributes: `name` (unique in the page), `question`, `right`."""


class question_answers(nodes.General, nodes.Element):
    """The explanations, in the order of the options; `name` is that of the box."""


class _QuestionDirective(SphinxDirective):
    has_content = True
    kind: Kind

    def run(self) -> list[nodes.Node]:
        """Parse the question, and its texts as Markdown."""
        try:
            question = parse(self.kind, "\n".join([*self._settings(), *self.content]))
        except ValueError as error:
            raise self.error(str(error)) from None
        count = self.env.temp_data.setdefault("course_questions", [])
        count.append(self.kind)
        name = question.cell or f"quiz-{count.count('quiz')}"
        box, answers = question_box(), question_answers()
        for node in (box, answers):
            node["name"], node["question"] = name, question
        # What an answer is kept under: another quiz before this one must not inherit it.
        box["key"] = question.cell or hashlib.sha256(question.text.encode()).hexdigest()[:12]
        box += self._parsed(question.text)
        for number, option in enumerate(question.options):
            shown = nodes.paragraph("", "", *self._inline(option.text), classes=["option"])
            shown["number"] = number
            box += shown
            answers += self._answer(option, number)
        if question.cell:
            return [box, answers]  # `place` moves the answers behind the cell
        box["right"] = question.right
        return [box, answers]

    def _settings(self) -> list[str]:
        return [f":{name}: {value}" for name, value in self.options.items()]

    def _answer(self, option: Option, number: int) -> nodes.Node:
        text = nodes.strong("", "", *self._inline(option.text))
        told = [text, nodes.Text(" "), *self._inline(option.explanation)]
        answer = nodes.paragraph("", "", *told, classes=["answer"])
        answer["number"] = number
        return answer

    def _parsed(self, markdown: str) -> list[nodes.Node]:
        holder = nodes.container()
        self.state.nested_parse(StringList(markdown.split("\n"), "question"), 0, holder)
        return list(holder.children)

    def _inline(self, markdown: str) -> list[nodes.Node]:
        (paragraph,) = self._parsed(markdown)
        return list(paragraph.children)


class Predict(_QuestionDirective):
    """`{predict}`: commit to an answer before the cell's output is shown."""

    kind: Kind = "predict"
    option_spec = {"cell": lambda text: text or ""}  # noqa: RUF012  (docutils' own form)


class Quiz(_QuestionDirective):
    """`{quiz}`: choose, and read what your choice means."""

    kind: Kind = "quiz"
    option_spec = {"number": lambda text: text or ""}  # noqa: RUF012


class CourseProgress(SphinxDirective):
    """`{course-progress}`: where a reader saves, reads and erases the answers."""

    def run(self) -> list[nodes.Node]:
        """An empty box, which the script fills."""
        text = '<div id="course-progress">Answers are kept where the page may run its script.</div>'
        return [nodes.raw("", text, format="html")]


def _classes(node: nodes.Node) -> list[str]:
    return list(node.get("classes", [])) if isinstance(node, nodes.Element) else []


def place(app: Sphinx, doctree: nodes.document) -> None:
    """Let the cells decide, mark what a prediction covers, and put the explanations after it."""
    seen: set[str] = set()
    keys: list[str] = []
    for box in list(doctree.findall(question_box)):
        if box["name"] in seen:
            raise ExtensionError(f"{app.env.docname}: two questions are called {box['name']!r}")
        seen.add(box["name"])
        keys.append(box["key"])
        if not box["question"].cell:
            continue
        parent = box.parent
        siblings = list(parent.children)
        start = siblings.index(box)
        answers = siblings[start + 1]
        cells = _covered(app.env.docname, box, siblings[start + 2 :])
        for cell in cells:
            cell["classes"] += ["covered", f"covered-by-{box['name']}"]
        try:
            box["right"] = [decide(box["question"], _result(cells[-1]))]
        except ValueError as error:
            raise ExtensionError(f"{app.env.docname}: {error}") from None
        answers["right"] = box["right"]
        parent.remove(answers)
        after = parent.index(cells[-1]) + 1
        parent.insert(after, answers)
        if after + 1 < len(parent) and isinstance(parent[after + 1], nodes.paragraph):
            # The sentence that says what came out gives it away as well.
            parent[after + 1]["classes"] += ["covered", f"covered-by-{box['name']}"]
    counts = getattr(app.env, "course_questions", {})
    counts[app.env.docname] = keys
    app.env.course_questions = counts  # type: ignore[attr-defined]


def _covered(page: str, box: question_box, siblings: list[nodes.Node]) -> list[nodes.Element]:
    """The cells from a prediction to the one that decides it."""
    cells = []
    for node in siblings:
        if "cell" not in _classes(node):
            break
        cells.append(node)
        if f"tag_{box['question'].cell}" in _classes(node):
            return cells  # type: ignore[return-value]
    raise ExtensionError(
        f"{page}: no cell tagged {box['question'].cell!r} comes directly after its prediction"
    )


def _result(cell: nodes.Element) -> str:
    """What the last expression of a cell came to, as text."""
    found = [
        block.astext()
        for block in cell.findall(nodes.literal_block)
        if {"output", "text_plain"} <= set(_classes(block))
    ]
    return found[-1] if found else ""


def visit_box(self: Any, node: question_box) -> None:
    """A fieldset with a radio button, or check box, for each option."""
    question: Question = node["question"]
    settings = {
        "kind": question.kind,
        "right": node["right"],
        "tolerance": question.tolerance,
        "values": [o.text for o in question.options] if question.tolerance is not None else [],
    }
    data = json.dumps(settings).replace("&", "&amp;").replace('"', "&quot;")
    self.body.append(
        f'<fieldset class="question {question.kind}" id="question-{node["name"]}" '
        f'data-name="{node["name"]}" data-key="{node["key"]}" data-settings="{data}">'
        f"<legend>{'Predict' if question.cell else 'Check yourself'}</legend>"
    )
    several = "checkbox" if len(node["right"]) > 1 else "radio"
    for child in node.children:
        if "option" not in _classes(child):
            continue
        mark = f"{node['name']}-{child['number']}"
        child.insert(
            0,
            nodes.raw(
                "",
                f'<input type="{several}" name="{node["name"]}" value="{child["number"]}" '
                f'id="option-{mark}"><label for="option-{mark}">',
                format="html",
            ),
        )
        child.append(nodes.raw("", "</label>", format="html"))


def depart_box(self: Any, node: question_box) -> None:
    """Close the fieldset."""
    self.body.append("</fieldset>\n")


def visit_answers(self: Any, node: question_answers) -> None:
    """The explanations of a prediction stand open, those of a quiz are folded."""
    question: Question = node["question"]
    self.body.append(f'<div class="answers" data-for="{node["name"]}">')
    if not question.cell:
        self.body.append("<details><summary>Answers</summary>")
    right = node.get("right", question.right)
    for child in node.children:
        if child["number"] in right:
            child["classes"].append("right")


def depart_answers(self: Any, node: question_answers) -> None:
    """Close what `visit_answers` opened."""
    if not node["question"].cell:
        self.body.append("</details>")
    self.body.append("</div>\n")


def skip(self: Any, node: nodes.Node) -> None:
    """Other builders write what is inside."""


def count_on_page(
    app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: Any
) -> None:
    """Tell each page how many questions every page has, for the progress in its navigation."""
    del templatename, doctree
    counts = {
        page: names for page, names in getattr(app.env, "course_questions", {}).items() if names
    }
    here = json.dumps({"page": pagename, "questions": counts}).replace("</", "<\\/")
    script = f'<script type="application/json" id="course-questions">{here}</script>'
    context["metatags"] = context.get("metatags", "") + script


def forget(app: Sphinx, env: Any, docname: str) -> None:
    """Drop what a page had, before it is read again."""
    getattr(env, "course_questions", {}).pop(docname, None)


def setup(app: Sphinx) -> dict[str, Any]:
    """Register directives, nodes and the script."""
    app.add_directive("predict", Predict)
    app.add_directive("quiz", Quiz)
    app.add_directive("course-progress", CourseProgress)
    pass_through = (skip, skip)
    for node, visit, depart in (
        (question_box, visit_box, depart_box),
        (question_answers, visit_answers, depart_answers),
    ):
        app.add_node(node, html=(visit, depart), latex=pass_through, text=pass_through)
    app.connect("doctree-read", place)
    app.connect("env-purge-doc", forget)
    app.connect("html-page-context", count_on_page)
    app.add_js_file("questions.js")
    app.add_css_file("questions.css")
    return {"version": "1", "parallel_read_safe": False, "parallel_write_safe": True}
