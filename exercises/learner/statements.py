"""The statements of a notebook's cells: their text, and which global names each has to do with.

It imports nothing of the course; `extraction` says why.
"""

from __future__ import annotations
import __future__

import ast
import dis
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from types import CodeType

# A statement that runs: where it stands, such as "cell 3, line 7", and its text.
Piece = tuple[str, str]

_READS = {"LOAD_NAME", "LOAD_GLOBAL", "LOAD_CLASSDEREF", "LOAD_FROM_DICT_OR_GLOBALS"}
_WRITES = {"STORE_NAME", "STORE_GLOBAL", "DELETE_NAME", "DELETE_GLOBAL"}
DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_PLAIN = (*DEFINITIONS, ast.Import, ast.ImportFrom, ast.Assign, ast.AnnAssign)
_SHOWING = {"print", "display", "help", "plt"}
_SHOWING |= {"bring", "case", "check", "hint", "progress", "solution"}
# Calls on a module that change how what follows computes: seeds, default types, limits.
_SETTING = re.compile(r"set|.*seed$|use_deterministic_algorithms$|seterr$")
_MAGIC = re.compile(r"\s*[%!?]|.*\?\s*$|[\w.,\s]+=\s*[!%]")
_TIMED = re.compile(r"(\s*)%(?:time|prun)\s+(?=\S)")
_PYTHON_CELLS = {"time", "capture", "prun"}  # cell magics below which there is Python
_ROUNDS = 100  # magics in a cell


@dataclass
class Statement:
    """One top-level statement of a cell.

    binds: names it gives a value; touches: names whose value it may change; uses: names it reads,
    of which those in `late` are read only when a function is called.
    """

    cell: int
    piece: Piece
    node: ast.stmt
    dump: str
    binds: frozenset[str]
    uses: frozenset[str]
    late: frozenset[str]
    touches: frozenset[str]
    is_initialiser: bool  # a function that sets global names when it is called

    @property
    def is_plain(self) -> bool:
        """Whether what it binds has a new value afterwards, whatever it was before."""
        return isinstance(self.node, _PLAIN) and not self.is_initialiser

    @property
    def is_future(self) -> bool:
        """Whether it says how all other statements are compiled."""
        return isinstance(self.node, ast.ImportFrom) and self.node.module == "__future__"

    @property
    def is_definition(self) -> bool:
        """Whether it is a function, a class, or a name for a lambda."""
        value = getattr(self.node, "value", None)
        return isinstance(self.node, DEFINITIONS) or isinstance(value, ast.Lambda)


@dataclass
class Reading:
    """The statements of a notebook, in order.

    broken: the cells that are not Python, each with the task that it belongs to, its text, and
    what is wrong with it.
    """

    statements: list[Statement] = field(default_factory=list)
    broken: list[tuple[str, str, str]] = field(default_factory=list)


def without_magics(source: str) -> str:
    """A cell as Python: what only IPython understands is left out, line for line.

    `%time statement` keeps its statement. A line is a magic if Python cannot read it, so that what
    looks like one inside a string stays.
    """
    lines = source.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    first = next((i for i, line in enumerate(lines) if line.strip()), 0)
    if lines[first].startswith("%%"):
        if lines[first][2:].split()[:1] and lines[first][2:].split()[0] not in _PYTHON_CELLS:
            return ""
        lines[first] = ""
    for _ in range(_ROUNDS):
        try:
            ast.parse("\n".join(lines))
            break
        except SyntaxError as error:
            at = (error.lineno or 0) - 1
            if not 0 <= at < len(lines) or not _MAGIC.match(lines[at]):
                break
            kept = _TIMED.sub(r"\1", lines[at], count=1)
            indent = lines[at][: len(lines[at]) - len(lines[at].lstrip())]
            lines[at] = kept if kept != lines[at] else f"{indent}pass"
    return "\n".join(lines)


def read(cells: Iterable[tuple[str, str]]) -> Reading:
    """Read code cells, each with the id of the task that it is the cell of, or "".

    What cannot be read costs its own cell and no other.
    """
    found = Reading()
    parsed: list[tuple[int, str, list[ast.stmt]]] = []
    flags = 0
    for number, (task_id, source) in enumerate(cells, start=1):
        try:
            text = without_magics(source)
            body = ast.parse(text).body
        except SyntaxError as error:
            line = f" in line {error.lineno} of the cell" if error.lineno else ""
            said = f"The cell is not Python: {error.msg}{line}."
            found.broken.append((task_id, source, said))
            continue
        except (ValueError, RecursionError, MemoryError) as error:
            # A zero byte, half a character, or nested too deep.
            said = f"The cell cannot be read: {str(error) or type(error).__name__}."
            found.broken.append((task_id, source, said))
            continue
        parsed.append((number, text, body))
        for node in body:
            if isinstance(node, ast.ImportFrom) and node.module == "__future__":
                flags |= sum(
                    getattr(__future__, alias.name).compiler_flag
                    for alias in node.names
                    if alias.name in __future__.all_feature_names
                )
    for number, text, body in parsed:
        lines = text.encode().split(b"\n")
        for node in body:
            made = _statement(node, number, lines, flags)
            if made is not None:
                found.statements.append(made)
    return found


def _statement(node: ast.stmt, cell: int, lines: list[bytes], flags: int) -> Statement | None:
    """A statement with its names; None for one that Python refuses, such as a lone `return`."""
    try:
        code = compile(ast.Module([node], []), "<cell>", "exec", flags, dont_inherit=True)
        dump = ast.dump(node)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    binds, uses, late, is_initialiser = _names(code)
    if isinstance(node, ast.ImportFrom) and any(alias.name == "*" for alias in node.names):
        binds.add("*")
    line, text = _text(node, lines)
    touches = frozenset() if isinstance(node, DEFINITIONS) else _touched(node)
    return Statement(
        cell,
        (f"cell {cell}, line {line}", text),
        node,
        dump,
        frozenset(binds),
        frozenset(uses),
        frozenset(late),
        touches,
        is_initialiser,
    )


def _text(node: ast.stmt, lines: list[bytes]) -> tuple[int, str]:
    """The line where a statement begins, and its text, whatever else stands on these lines."""
    decorators = getattr(node, "decorator_list", [])
    first = min([node.lineno, *(one.lineno for one in decorators)])
    last = node.end_lineno or node.lineno
    kept = lines[first - 1 : last]
    kept[-1] = kept[-1][: node.end_col_offset]
    if not decorators:
        kept[0] = kept[0][node.col_offset :]
    return first, b"\n".join(kept).decode()


def _names(code: CodeType) -> tuple[set[str], set[str], set[str], bool]:
    """Global names that some code binds and reads, and reads only when it is called."""
    binds: set[str] = set()
    uses: set[str] = set()
    late: set[str] = set()
    sets_globals = False
    waiting = [(code, False)]
    while waiting:
        one, is_inner = waiting.pop()
        for step in dis.get_instructions(one):
            if step.opname in _READS:
                uses.add(step.argval)
                if is_inner:
                    late.add(step.argval)
            elif step.opname in _WRITES and (not is_inner or step.opname.endswith("GLOBAL")):
                binds.add(step.argval)
                sets_globals = sets_globals or is_inner
        waiting += [(const, True) for const in one.co_consts if isinstance(const, CodeType)]
    return binds, uses, late, sets_globals


def _root(node: ast.expr) -> str:
    """The name at the left of `name.attribute[index]`; "" if there is none."""
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Call):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else ""


def _touched(statement: ast.stmt) -> frozenset[str]:
    """Names whose values a statement may change: by storing into them, by a call on or with them.

    A call on a module counts only where it sets something. A function that is called by its name
    is marked `name()`: that matters if it sets global names.
    """
    found: set[str] = set()
    for node in ast.walk(statement):
        if isinstance(node, ast.Attribute | ast.Subscript):
            if isinstance(node.ctx, ast.Store | ast.Del):
                found.add(_root(node))
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            call = node.value
            if _root(call.func) in _SHOWING:
                continue
            if isinstance(call.func, ast.Name):
                found.add(f"{call.func.id}()")
            elif isinstance(call.func, ast.Attribute):
                setting = _SETTING.match(call.func.attr)
                found.add(_root(call.func) if setting else f"{_root(call.func)}.")
            found |= {f"{arg.id}." for arg in call.args if isinstance(arg, ast.Name)}
    return frozenset(found - {"", "."})
