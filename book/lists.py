"""What pages list out of the register and the exercises' sources, in Markdown.

The site's directives parse these lines, and `book/plain.py` puts them into notebooks. Nothing here
needs Sphinx.
"""

from __future__ import annotations

import re

from book.counts import minutes
from book.register import (
    BOOK,
    CHAPTERS,
    DOCUMENTS,
    NOTEBOOKS,
    PARTS,
    VERDICTS,
    Claim,
    ClaimCell,
    claim_cells,
    load_claims,
    title,
)
from exercises.learner import source

COLOURS = {
    "holds": "success",
    "loose": "warning",
    "wrong": "danger",
    "not shown": "secondary",
    "example": "info",
    "cited": "muted",
}
_AIM = re.compile(r"^You will be able to\n: (.*?)\n\n", re.MULTILINE | re.DOTALL)
_TRANSLATED = re.compile(r"- (?P<number>\d+) (?P<title>[^|]+) \| (?P<aim>.+)")


def aim(chapter: str) -> str:
    """What a reader can do after a chapter: its own words, on one line."""
    found = _AIM.search((BOOK / f"{chapter}.md").read_text(encoding="utf-8"))
    if found is None:
        raise ValueError(f"{chapter} does not say what you will be able to do")
    return re.sub(r"\s*\n\s*", " ", found[1])


def chapter_lines(translated: str = "") -> list[str]:
    """Every part with its chapters: number, title, minutes and what one can do afterwards.

    Args:
        translated: for a page in another language, a line a part (`# …`) and a line a chapter
            (`- 5 title | aim`), in the order of the book.

    Raises:
        ValueError: if the translation does not have every part and chapter, in order.
    """
    parts, unit = list(PARTS), "min"
    said = {chapter: (title(chapter), aim(chapter)) for chapter in CHAPTERS}
    if translated:
        rows = [row.strip() for row in translated.strip().split("\n") if row.strip()]
        parts = [row.removeprefix("# ") for row in rows if row.startswith("# ")]
        found = [_TRANSLATED.fullmatch(row) for row in rows if row.startswith("- ")]
        numbers = [int(one["number"]) for one in found if one]
        if len(parts) != len(PARTS) or numbers != list(range(1, len(CHAPTERS) + 1)):
            raise ValueError(
                f"{len(PARTS)} parts and {len(CHAPTERS)} chapters, in order, not {numbers}"
            )
        said = {
            CHAPTERS[int(one["number"]) - 1]: (one["title"], one["aim"]) for one in found if one
        }
        unit = "分钟"
    lines = []
    for part, chapters in zip(parts, PARTS.values(), strict=True):
        lines += [f"**{part}**", ""]
        for chapter in chapters:
            name, able = said[chapter]
            number = int(chapter[2:4])
            lines.append(f"- [{number} · {name}]({chapter}.md) *{minutes(chapter)} {unit}* \\")
            lines.append(f"  {able}")
        lines.append("")
    return lines


def claim_summary(claims: list[Claim]) -> list[str]:
    """A table: how many claims of each document have which verdict."""
    lines = [f"| document | {' | '.join(VERDICTS)} |", f"| --- |{' ---: |' * len(VERDICTS)}"]
    rows = [(f"{k} · {title}", k) for k, (title, _) in DOCUMENTS.items()] + [("all", "")]
    for name, letter in rows:
        verdicts = [c.verdict for c in claims if c.id.startswith(letter)]
        lines.append(f"| {name} | {' | '.join(str(verdicts.count(v)) for v in VERDICTS)} |")
    return lines


def _claim_links(claim: Claim, cells: dict[str, list[ClaimCell]]) -> str:
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


def _claim_entry(claim: Claim, cells: dict[str, list[ClaimCell]]) -> list[str]:
    measured = " · measured" if claim.measured else ""
    broken = [f"*Broken on purpose:* {claim.broken_by}"] if claim.broken_by else []
    lines = [
        f"**{claim.id}** {{bdg-{COLOURS[claim.verdict]}}}`{claim.verdict}`{measured}",
        f"{claim.statement}",
        f"→ {claim.finding} {{octicon}}`arrow-right;0.8em` {_claim_links(claim, cells)}",
        *broken,
    ]
    return [*(f"{line} \\" for line in lines[:-1]), lines[-1], ""]


def claim_lines(letter: str) -> list[str]:
    """One document's claims with their verdicts, or, without a letter, the table of all."""
    claims = load_claims()
    if not letter:
        return claim_summary(claims)
    cells = {name: claim_cells(NOTEBOOKS / f"{name}.ipynb") for name in CHAPTERS}
    wanted = [claim for claim in claims if re.match(rf"{letter}\d", claim.id)]
    return [line for claim in wanted for line in _claim_entry(claim, cells)]


def claim_box_lines(ids: str) -> list[str]:
    """A line on each of some claims.

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


def exercise_lines(name: str) -> list[str]:
    """One set of exercises: its notebook, and a row for each task."""
    exercises = source.load(name)
    total = sum(task.minutes for task in exercises.tasks)
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
        f"{chapter}{len(rows)} tasks, about {total} minutes · "
        f"{{download}}`download the notebook <../exercises/{name}.ipynb>`",
        "",
        "| id | task | kind | points | minutes |",
        "| --- | --- | --- | ---: | ---: |",
        *rows,
        "",
    ]
