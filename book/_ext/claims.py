"""The directive `claims`: every row of the register with its verdict and a link to its cells."""

from __future__ import annotations

import re
from typing import Any

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from book.register import (
    CLAIMS,
    DOCUMENTS,
    NOTEBOOKS,
    TOC,
    VERDICTS,
    Claim,
    ClaimCell,
    claim_cells,
    listed_chapters,
    load_claims,
)

COLOURS = {
    "holds": "success",
    "loose": "warning",
    "wrong": "danger",
    "example": "info",
    "cited": "muted",
    "to come": "muted-line",
}


def shown_verdict(claim: Claim, listed: list[str]) -> str:
    """The verdict, or `to come` as long as no page settles the claim."""
    settled = set(claim.chapters) & set(listed) and claim.verdict != "open"
    return claim.verdict if settled else "to come"


def summary(claims: list[Claim], listed: list[str]) -> list[str]:
    """A table in Markdown: how many claims of each document have which verdict."""
    columns = [*(v for v in VERDICTS if v != "open"), "to come"]
    lines = [f"| document | {' | '.join(columns)} |", f"| --- |{' ---: |' * len(columns)}"]
    rows = [(f"{k} · {title}", k) for k, (title, _) in DOCUMENTS.items()] + [("all", "")]
    for title, letter in rows:
        verdicts = [shown_verdict(c, listed) for c in claims if c.id.startswith(letter)]
        lines.append(f"| {title} | {' | '.join(str(verdicts.count(v)) for v in columns)} |")
    return lines


def links(claim: Claim, cells: dict[str, list[ClaimCell]]) -> str:
    """Where the claim is settled, by how many assertions."""
    parts = []
    for chapter in claim.chapters:
        number = int(chapter[2:4])
        own = [cell for cell in cells.get(chapter, []) if cell.claim == claim.id]
        if not own:
            parts.append(f"chapter {number} (to come)")
            continue
        checks = sum(cell.assertions for cell in own)
        counted = f"{checks} assertion{'s' if checks != 1 else ''}"
        # Plain HTML: the anchor is made when the chapter is read, too late for a reference.
        anchor = f'<a class="reference internal" href="{chapter}.html#claim-{claim.id}">'
        parts.append(f"{anchor}chapter {number}</a>, {counted}")
    return "; ".join(parts)


def entry(claim: Claim, listed: list[str], cells: dict[str, list[ClaimCell]]) -> list[str]:
    """One claim in Markdown."""
    verdict = shown_verdict(claim, listed)
    measured = " · measured" if claim.measured and verdict != "to come" else ""
    finding = f"{claim.finding} " if verdict != "to come" else ""
    return [
        f"**{claim.id}** {{bdg-{COLOURS[verdict]}}}`{verdict}`{measured} \\",
        f"{claim.statement} \\",
        f"→ {finding}{{octicon}}`arrow-right;0.8em` {links(claim, cells)}".replace(
            "→ {octicon}", "{octicon}"
        ),
        "",
    ]


class Claims(SphinxDirective):
    """`{claims}` lists one document's claims (argument: its letter), or sums them all up."""

    optional_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Read register and notebooks, and parse what they give as Markdown."""
        for file in (CLAIMS, TOC, *NOTEBOOKS.glob("*.ipynb")):
            self.env.note_dependency(str(file))
        claims, listed = load_claims(), listed_chapters()
        if self.arguments:
            cells = {
                chapter: claim_cells(NOTEBOOKS / f"{chapter}.ipynb")
                for chapter in listed
                if (NOTEBOOKS / f"{chapter}.ipynb").exists()
            }
            wanted = [c for c in claims if re.match(rf"{self.arguments[0]}\d", c.id)]
            lines = [line for c in wanted for line in entry(c, listed, cells)]
        else:
            lines = summary(claims, listed)
        box = nodes.container(classes=["claims"])
        self.state.nested_parse(StringList(lines, str(CLAIMS)), 0, box)
        return [box]


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directive."""
    app.add_directive("claims", Claims)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
