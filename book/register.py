"""The register of claims (`claims.yml`), and the cells of executed notebooks that settle them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import nbformat
import yaml

BOOK = Path(__file__).resolve().parent
CLAIMS = BOOK / "claims.yml"
NOTEBOOKS = BOOK / "notebooks"
TOC = BOOK.parent / "_toc.yml"

VERDICTS = ("holds", "loose", "wrong", "not shown", "example", "cited")
DOCUMENTS = {
    "A": ("Questions on the architecture", 21),
    "B": ("Lecture notes", 31),
    "C": ("A chapter of a textbook", 15),
    "D": ("Overview and fine-tuning", 12),
    "E": ("Input and embedding", 6),
}
IDS = [f"{letter}{n}" for letter, (_, last) in DOCUMENTS.items() for n in range(1, last + 1)]
PARTS = {
    "I · From text to attention": {
        "ch01-generation": "Generating text, one token at a time",
        "ch02-tokens": "Tokens",
        "ch03-embeddings": "Embeddings",
        "ch04-positions": "Positions: sinusoidal and learned",
        "ch05-attention": "Attention and its masks: causal and full",
    },
    "II · BERT": {
        "ch06-encoder": "The encoder",
        "ch07-left-and-right": "Left and right: GPT against BERT",
        "ch08-mlm": "Masked language modelling",
        "ch09-nsp": "Next sentence prediction",
        "ch10-pretraining": "Pre-training, both at once",
        "ch11-cls-and-layers": "The `[CLS]` token, and what each layer knows",
    },
    "III · At work": {
        "ch12-walkthrough": "One sentence, all the way through",
        "ch13-classification": "Classifying texts",
        "ch14-pairs": "Pairs of sentences",
        "ch15-tagging": "Labelling tokens",
        "ch16-answering": "Answering questions",
        "ch17-acceptability": "Acceptability, and honest numbers",
    },
    "IV · Further": {
        "ch18-scale": "Memory, precision, and more than one machine",
    },
}
CHAPTERS = [chapter for part in PARTS.values() for chapter in part]
SKIPPED = {"nbval-skip", "skip-execution", "remove-cell", "raises-exception"}


class Claim(NamedTuple):
    """One row of the register; `claims.yml` says what each field means."""

    id: str
    statement: str
    verdict: str
    chapters: list[str]
    finding: str
    measured: bool = False
    broken_by: str = ""


class ClaimCell(NamedTuple):
    """A cell of an executed notebook that is tagged with a claim."""

    claim: str
    number: int
    assertions: int
    executed: bool


def load_claims(text: str | None = None) -> list[Claim]:
    """The register in its order.

    Raises:
        ValueError: for an id that occurs twice or a field that is missing or unknown.
    """
    text = CLAIMS.read_text(encoding="utf-8") if text is None else text
    ids = re.findall(r"^([A-Z]\d+):", text, re.MULTILINE)
    if twice := sorted({one for one in ids if ids.count(one) > 1}):
        raise ValueError(f"claims.yml: {', '.join(twice)} more than once")
    try:
        return [Claim(id=one, **row) for one, row in yaml.safe_load(text).items()]
    except TypeError as error:
        raise ValueError(f"claims.yml: {error}") from None


def listed_chapters() -> list[str]:
    """The chapters in the book's table of contents, in its order."""
    toc = yaml.safe_load(TOC.read_text(encoding="utf-8"))
    files = [c["file"] for part in toc["parts"] for c in part["chapters"]]
    return [f.removeprefix("book/") for f in files if re.match(r"book/ch\d\d-", f)]


def title(chapter: str) -> str:
    """A chapter's title, as its page has it."""
    page = (BOOK / f"{chapter}.md").read_text(encoding="utf-8")
    heading = re.search(r"^# \d+ · (.+)$", page, re.MULTILINE)
    assert heading is not None, f"{chapter} has no title"
    return heading[1]


def count_assertions(source: str) -> int:
    """The assertions of a cell that could fail: not those on a constant, nor in a function."""
    code = "\n".join("" if re.match(r"\s*[%!]", line) else line for line in source.split("\n"))
    waiting: list[ast.AST] = [ast.parse(code)]
    found = 0
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Assert) and any(
            isinstance(part, (ast.Name, ast.Call, ast.Attribute)) for part in ast.walk(node.test)
        ):
            found += 1
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)):
            waiting.extend(ast.iter_child_nodes(node))
    return found


def claim_cells(notebook: Path) -> list[ClaimCell]:
    """Every cell of an executed notebook that is tagged with a claim, once for each claim."""
    found = []
    for number, cell in enumerate(nbformat.read(notebook, as_version=4).cells):
        tags = cell.metadata.get("tags", [])
        for tag in tags:
            if match := re.fullmatch(r"claim-([A-Z]\d+)", tag):
                code = cell.cell_type == "code"
                failed = any(o.output_type == "error" for o in cell.get("outputs", []))
                executed = code and cell.execution_count is not None and not failed
                found.append(
                    ClaimCell(
                        match[1],
                        number,
                        count_assertions(cell.source) if code else 0,
                        bool(executed and not SKIPPED & set(tags)),
                    )
                )
    return found


def problems(
    claims: Iterable[Claim], chapters: Iterable[str], notebooks: Path = NOTEBOOKS
) -> list[str]:
    """What is wrong between the register and the executed notebooks of these chapters."""
    claims, found = list(claims), []
    for chapter in chapters:
        path = notebooks / f"{chapter}.ipynb"
        if not path.exists():
            found.append(f"{chapter}: no executed notebook; run `make notebooks`")
            continue
        cells = claim_cells(path)
        expected = {claim.id: claim for claim in claims if chapter in claim.chapters}
        for claim in expected.values():
            own = [cell for cell in cells if cell.claim == claim.id]
            if not own:
                found.append(f"{chapter}: no cell is tagged claim-{claim.id}")
            elif not all(cell.executed for cell in own):
                found.append(f"{chapter}: a cell tagged claim-{claim.id} was skipped or failed")
            elif not any(cell.assertions for cell in own):
                found.append(f"{chapter}: no cell tagged claim-{claim.id} asserts anything")
        found += [
            f"{chapter}: a cell is tagged claim-{one}, which claims.yml does not have there"
            for one in sorted({cell.claim for cell in cells} - set(expected))
        ]
    return found
