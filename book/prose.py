"""Find figures that stand in a chapter's prose although a cell should print them.

    python book/prose.py [book/chNN-name.md ...]      all chapters if none is named

A decimal, a percentage or a number from 1,000 on is flagged, except

- in code, in a formula that is more than one number, in a link's address;
- in a sentence that speaks of the notes, a document or a claim: their figures are examined;
- in a paragraph with a reference, `[Devlin et al., 2019](#devlin2019)`: cited history;
- years, version numbers, numbers of sections, and in the exercises, where they are to be tried;
- figures that the chapter lists in `<!-- figures: 15 %; 3,072: why -->`, for those that belong
  to a definition and come back often. A result is never listed: point at what the cell printed.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import NamedTuple

BOOK = Path(__file__).resolve().parent

FIGURE = re.compile(
    r"""(?<![\w.,/#-])            # not the end of a name, a version, a path
    (?: \d{1,3}(?:,\d{3})+(?:\.\d+)?      # 3,072
      | \d+\.\d+                          # 0.43
      | \d+(?=\s?(?:%|percent\b|per\s?cent\b))
      | \d{4,} )                          # 3072
    (?:\s?(?:%|percent\b|per\s?cent\b))?
    (?![\w]|[.,/-]\d)""",
    re.VERBOSE,
)
YEAR = re.compile(r"(?:1[5-9]|20)\d\d")
NUMBERED = re.compile(
    r"\b(?:sections?|appendix|tables?|figures?|pages?|chapters?|versions?|Python|PyTorch|CUDA)\s+"
    r"\d[\d.]*(?:(?:,| and| to|, and|–)\s*\d[\d.]*)*|§\s*[\d.]+",
    re.IGNORECASE,
)
EXAMINED = re.compile(r"\b(?:notes?|documents?|claims?)\b|讲义|文档", re.IGNORECASE)
REFERENCE = re.compile(r"\]\((?:bibliography\.md)?#[a-z]+\d{4}[a-z]?\)")
EXERCISES = re.compile(r"(?<=\n## Exercises\n).*?(?=\n## |\Z)", re.DOTALL)
LISTED = re.compile(r"<!--\s*figures:(.*?)-->", re.DOTALL)
FENCE = re.compile(r"^(`{3,}|~{3,}|:{3,})(.*)$")
# Directives whose body is prose; every other fence is code, a figure or mathematics.
PROSE_FENCES = (
    *(
        "admonition",
        "note",
        "tip",
        "warning",
        "important",
        "dropdown",
        "exercise",
        "solution",
        "quiz",
    ),
    *("margin", "sidebar", "epigraph", "card", "grid", "tab-", "div"),
)


class Finding(NamedTuple):
    """A figure in prose: where, and in which words."""

    line: int
    figure: str
    sentence: str


def prose_lines(text: str) -> list[str]:
    """The lines of a chapter, with everything that is not prose blanked out."""
    lines = text.split("\n")
    if lines and lines[0].strip() == "---":
        end = lines.index("---", 1)
        lines[: end + 1] = [""] * (end + 1)
    fences: list[tuple[str, bool]] = []  # opening marks, and whether their body is prose
    formula = False
    for number, line in enumerate(lines):
        bare = line.lstrip("> ").rstrip()
        opened = FENCE.match(bare)
        if opened and not formula:
            marks, rest = opened[1], opened[2].strip()
            if fences and not rest and marks[0] == fences[-1][0][0]:
                if len(marks) >= len(fences[-1][0]):
                    fences.pop()
            elif not fences or fences[-1][1]:
                name = rest.strip("{} ").lower()
                fences.append((marks, rest.startswith("{") and name.startswith(PROSE_FENCES)))
            title = re.sub(r"^\{[^}]*\}", "", rest)
            lines[number] = title if fences and fences[-1][1] else ""
            continue
        if fences and not fences[-1][1]:
            lines[number] = ""
            continue
        if re.match(r"^:[\w-]+:", bare):  # an option of a directive
            lines[number] = ""
            continue
        if bare.count("$$") % 2:
            formula = not formula
            lines[number] = ""
        elif formula:
            lines[number] = ""
    return lines


def _blank(match: re.Match[str]) -> str:
    """Something of the same length and number of lines that holds no figure."""
    return re.sub(r"[^\n]", "·", match[0])


def _formula(match: re.Match[str]) -> str:
    """A formula goes; a number that only stands between dollars stays."""
    inside = match[1].replace("{,}", ",").replace("\\%", "%").replace("\\,", " ").strip()
    return inside if re.fullmatch(r"[-+−]?[\d.,\s]+%?", inside) else "·"


def clean(paragraph: str) -> str:
    """A paragraph without code, formulas, comments and addresses."""
    paragraph = re.sub(r"<!--.*?-->", _blank, paragraph, flags=re.DOTALL)
    paragraph = re.sub(r"(`+)(?!`).*?(?<!`)\1(?!`)", _blank, paragraph, flags=re.DOTALL)
    paragraph = re.sub(r"\$\$.*?\$\$", _blank, paragraph, flags=re.DOTALL)
    paragraph = re.sub(r"\$((?:[^$\\]|\\.)+)\$", _formula, paragraph)
    paragraph = re.sub(r"\]\([^)]*\)", "]", paragraph)
    paragraph = NUMBERED.sub(_blank, paragraph)
    return re.sub(r"<https?://[^>]*>|https?://\S+", "·", paragraph)


def _same(figure: str) -> str:
    """A figure as it is compared with the list of the chapter."""
    return re.sub(r"\s|,(?=\d{3})", "", figure).replace("percent", "%")


def findings(text: str) -> list[Finding]:
    """The figures in a chapter's prose that nothing allows."""
    listed = {
        _same(figure)
        for comment in LISTED.findall(text)
        for figure in FIGURE.findall(comment.replace(";", " ; "))
    }
    text = EXERCISES.sub(_blank, text)
    lines, found = prose_lines(text), []
    start = 0
    while start < len(lines):
        end = start
        while end < len(lines) and lines[end].strip():
            end += 1
        paragraph = "\n".join(lines[start:end])
        if paragraph and not REFERENCE.search(paragraph):
            cleaned = clean(paragraph)
            for sentence in re.split(r"(?<=[.!?。！？])\s+|\n(?=\s*[-*\d|:])", cleaned):
                if EXAMINED.search(sentence):
                    continue
                for match in FIGURE.finditer(sentence):
                    figure = match[0]
                    if YEAR.fullmatch(figure) or _same(figure) in listed:
                        continue
                    line = start + 1 + cleaned[: cleaned.index(sentence)].count("\n")
                    line += sentence[: match.start()].count("\n")
                    found.append(Finding(line, figure, " ".join(sentence.split())))
        start = end + 1
    return found


def main() -> int:
    """Print what was found in the chapters named; 1 if there is anything."""
    paths = [Path(name) for name in sys.argv[1:]] or sorted(BOOK.glob("ch[0-9][0-9]-*.md"))
    total = 0
    for path in paths:
        for line, figure, sentence in findings(path.read_text(encoding="utf-8")):
            print(f"{path}:{line}: {figure} in “{sentence[:100]}”")
            total += 1
    print(f"{total} figures in the prose of {len(paths)} files", file=sys.stderr)
    return 1 if total else 0


if __name__ == "__main__":
    sys.exit(main())
