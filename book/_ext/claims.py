"""The directives `claims`, the register with links to its cells, and `claim`, a box of a few."""

from __future__ import annotations

import re
from typing import Any

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from book.register import (
    CHAPTERS,
    CLAIMS,
    DOCUMENTS,
    NOTEBOOKS,
    VERDICTS,
    Claim,
    ClaimCell,
    claim_cells,
    load_claims,
)

COLOURS = {
    "holds": "success",
    "loose": "warning",
    "wrong": "danger",
    "not shown": "secondary",
    "example": "info",
    "cited": "muted",
}


def summary(claims: list[Claim]) -> list[str]:
    """A table in Markdown: how many claims of each document have which verdict."""
    lines = [f"| document | {' | '.join(VERDICTS)} |", f"| --- |{' ---: |' * len(VERDICTS)}"]
    rows = [(f"{k} · {title}", k) for k, (title, _) in DOCUMENTS.items()] + [("all", "")]
    for title, letter in rows:
        verdicts = [c.verdict for c in claims if c.id.startswith(letter)]
        lines.append(f"| {title} | {' | '.join(str(verdicts.count(v)) for v in VERDICTS)} |")
    return lines


def links(claim: Claim, cells: dict[str, list[ClaimCell]]) -> str:
    """Where the claim is settled, by how many assertions."""
    parts = []
    for chapter in claim.chapters:
        number = int(chapter[2:4])
        checks = sum(cell.assertions for cell in cells[chapter] if cell.claim == claim.id)
        counted = f"{checks} assertion{'s' if checks != 1 else ''}"
        # Plain HTML: the anchor is made when the chapter is read, too late for a reference.
        anchor = f'<a class="reference internal" href="{chapter}.html#claim-{claim.id}">'
        parts.append(f"{anchor}chapter {number}</a>, {counted}")
    return "; ".join(parts)


def entry(claim: Claim, cells: dict[str, list[ClaimCell]]) -> list[str]:
    """One claim in Markdown."""
    measured = " · measured" if claim.measured else ""
    broken = [f"*Broken on purpose:* {claim.broken_by}"] if claim.broken_by else []
    lines = [
        f"**{claim.id}** {{bdg-{COLOURS[claim.verdict]}}}`{claim.verdict}`{measured}",
        f"{claim.statement}",
        f"→ {claim.finding} {{octicon}}`arrow-right;0.8em` {links(claim, cells)}",
        *broken,
    ]
    return [*(f"{line} \\" for line in lines[:-1]), lines[-1], ""]


def list_lines(letter: str) -> list[str]:
    """One document's claims in Markdown, or, without a letter, the table of all."""
    claims = load_claims()
    if not letter:
        return summary(claims)
    cells = {name: claim_cells(NOTEBOOKS / f"{name}.ipynb") for name in CHAPTERS}
    wanted = [claim for claim in claims if re.match(rf"{letter}\d", claim.id)]
    return [line for claim in wanted for line in entry(claim, cells)]


def box_lines(ids: str) -> list[str]:
    """A line in Markdown on each of some claims.

    Raises:
        ValueError: for an id that the register does not have.
    """
    register = {claim.id: claim for claim in load_claims()}
    wanted = ids.replace(",", " ").split()
    if unknown := [one for one in wanted if one not in register]:
        raise ValueError(f"no claim {', '.join(unknown)} in claims.yml")
    lines = []
    for claim in (register[one] for one in wanted):
        badge = f"{{bdg-{COLOURS[claim.verdict]}}}`{claim.verdict}`"
        lines += [
            f"{badge} [{claim.id}](documents-checked.md) {claim.statement}",
            f"*{claim.finding}*",
            "",
        ]
    return lines


class Claims(SphinxDirective):
    """`{claims}` lists one document's claims (argument: its letter), or sums them all up."""

    optional_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Read register and notebooks, and parse what they give as Markdown."""
        for file in (CLAIMS, *NOTEBOOKS.glob("*.ipynb")):
            self.env.note_dependency(str(file))
        lines = list_lines(self.arguments[0] if self.arguments else "")
        box = nodes.container(classes=["claims"])
        self.state.nested_parse(StringList(lines, str(CLAIMS)), 0, box)
        return [box]


class ClaimBox(SphinxDirective):
    """`{claim}`: what a section settles of the documents, a line a claim; arguments: their ids."""

    required_arguments = 1
    final_argument_whitespace = True

    def run(self) -> list[nodes.Node]:
        """Look the claims up in the register, and parse a line on each as Markdown."""
        self.env.note_dependency(str(CLAIMS))
        try:
            lines = box_lines(self.arguments[0])
        except ValueError as error:
            raise self.error(str(error)) from None
        box = nodes.container(classes=["claim-box"])
        box += nodes.paragraph("", "What the documents say", classes=["claim-box-title"])
        self.state.nested_parse(StringList(lines, str(CLAIMS)), 0, box)
        return [box]


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directive."""
    app.add_directive("claims", Claims)
    app.add_directive("claim", ClaimBox)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
