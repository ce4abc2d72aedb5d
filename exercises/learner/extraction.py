"""What of a notebook's cells runs for a task: one extraction, for `check` and for the grader.

A notebook is not run as it stands. For a task the statements are taken that its function needs, of
whatever kind and from whatever cell: imports, definitions, constants and what they are computed
from. Calls that only show or try something, magics and shell escapes have no effect on a grade.

It imports nothing of the course but `statements`: the grader gives both, like `running`, to a
process of its own, so that no text of a stranger is parsed where grades are kept.
"""

from __future__ import annotations
import __future__

import ast
import builtins
import itertools
import linecache
import re
from collections.abc import Iterable, Mapping
from typing import Any

from exercises.learner.statements import DEFINITIONS, Piece, Reading, Statement, read


def take(
    reading: Reading, task_id: str, function: str, setup: str, stubs: Mapping[str, str]
) -> tuple[list[list[Piece]], str]:
    """What runs for a task: one way to read the notebook, or two that differ.

    Of several definitions the last one counts that is not the stub. What other names mean is
    taken first as it was where that definition stands, and then as it is at the end of the
    notebook; a name without a value above the definition has the one from below it.

    Args:
        reading: of the notebook.
        task_id: whose function is wanted.
        function: its name.
        setup: code that has run before; a statement that repeats one of it is not run again.
        stubs: the cells as they were handed out, by task.

    Returns:
        The pieces in the order in which they run, for each way; and a problem where there is none.
    """
    given = read([("", setup)]).statements
    handed_out = {task: read([("", stub)]).statements for task, stub in stubs.items()}
    repeats = {one.dump for one in given}
    stub_dumps = {one.dump for each in handed_out.values() for one in each}
    statements = [one for one in reading.statements if one.dump not in repeats]
    written = {n for one in statements if one.dump not in stub_dumps for n in one.binds}
    statements = [
        one for one in statements if one.dump not in stub_dumps or not one.binds & written
    ]
    binding = [one for one in statements if function in one.binds]
    defining = [one for one in binding if one.is_definition] or binding
    own = {name for one in handed_out.get(task_id, []) for name in one.binds}
    if not defining or not own & written | {function} & written:
        name = re.compile(rf"^\s*(async\s+)?(def|class)\s+{re.escape(function)}\b", re.M)
        broken = (
            said for task, text, said in reading.broken if task == task_id or name.search(text)
        )
        problem = (
            f"Task {task_id} is still as it was: nothing is written yet."
            if defining
            else f"There is no function `{function}` in the notebook."
        )
        return [], next(broken, problem)
    last = defining[-1].cell
    there = sorted(statements, key=lambda one: one.cell <= last)  # those below it come first
    known = {name for one in given for name in one.binds} | set(dir(builtins))
    ways = [_needed(each, function, known) for each in (there, statements)]
    bound = [name for one in ways[0] for name in one.binds]
    # The same statements in another order mean the same where each name has one value.
    is_one = {id(one) for one in ways[0]} == {id(one) for one in ways[1]}
    if is_one and len(bound) == len(set(bound)):
        ways.pop()
    return [[one.piece for one in way] for way in ways], ""


def _needed(statements: list[Statement], function: str, known: set[str]) -> list[Statement]:
    """Those statements on which the function depends, in their order.

    From the last to the first, with the names whose value matters at that place. What functions
    read when they are called may be bound below them, so that it takes several passes.
    """
    constant = {
        name
        for one in statements
        if isinstance(one.node, (ast.Import, ast.ImportFrom, *DEFINITIONS))
        for name in one.binds
    }
    setters: dict[str, set[str]] = {}  # functions that set global names when they are called
    for one in statements:
        if one.is_initialiser:
            for name in one.binds:
                setters.setdefault(name, set()).update(one.binds)

    def changes(one: Statement, wanted: set[str]) -> bool:
        for name in one.touches:
            if name.endswith("()"):
                is_changed = bool(setters.get(name[:-2], set()) & wanted)
            elif name.endswith("."):
                is_changed = name[:-1] in wanted and name[:-1] not in constant
            else:
                is_changed = name in wanted
            if is_changed:
                return True
        return bool(one.binds & wanted)

    late, kept = {function}, [False] * len(statements)
    while True:
        wanted, found = set(late), set(late)
        for at in range(len(statements) - 1, -1, -1):
            one = statements[at]
            kept[at] = one.is_future or changes(one, wanted)
            if kept[at]:
                if one.is_plain:
                    wanted -= one.binds
                wanted |= one.uses
                found |= one.late
        if found == late:
            break
        late = found
    chosen = list(itertools.compress(statements, kept))
    bound = {name for one in chosen for name in one.binds}
    if {name for one in chosen for name in one.uses} - bound - known:
        # What is missing may be what a star import brings.
        kept = [k or "*" in one.binds for k, one in zip(kept, statements, strict=True)]
    return list(itertools.compress(statements, kept))


def execute(pieces: Iterable[Piece], namespace: dict[str, Any]) -> dict[str, BaseException]:
    """Run pieces in a namespace.

    One that fails is tried again behind the others, since cells may have been run in another
    order than that in which they stand, and then passed over.

    Returns:
        The names that have no value because a piece failed, each with its error.
    """
    pending = list(pieces)
    for place, text in pending:
        lines = text.splitlines(keepends=True)
        linecache.cache[place] = (len(text), None, lines, place)
    flags = 0
    if any(re.match(r"from\s+__future__\s+import\b.*\bannotations\b", t) for _, t in pending):
        flags = __future__.annotations.compiler_flag
    while True:
        failed: list[tuple[Piece, BaseException]] = []
        for piece in pending:
            try:
                code = compile(piece[1], piece[0], "exec", flags, dont_inherit=True)
                exec(code, namespace)
            except (Exception, SystemExit) as error:
                failed.append((piece, error))
        if not failed or len(failed) == len(pending):
            break
        pending = [piece for piece, _ in failed]
    return {
        name: error
        for (_, text), error in failed
        for one in read([("", text)]).statements
        for name in one.binds
        if name not in namespace
    }
