"""Solutions broken by a machine are found by the inputs of their tasks."""

from __future__ import annotations

import pytest

from exercises.grader import mutants
from exercises.learner import source
from exercises.learner.source import SourceError, parse
from tests.test_exercises import SMALL

BODY = """
    x = x - 1 if x > 1.5 and x != 3 else -x
    for i in range(x):
        x += rows[i:n].sum(dim=-1, out=y)
    if not x or x is None:
        return {"a": [k for k in x if k]}
    return x // 2
"""

ENDLESS = """
    n = 2
    while n > 1:
        n -= 1
    return x + x
"""


def small(body: str, choices: str = "") -> source.Task:
    """The small task with another solution, and perhaps free choices."""
    start, end = SMALL.index("    # BEGIN"), SMALL.index("# %% check")
    marked = f"    # BEGIN SOLUTION\n{body.strip(chr(10))}\n    # END SOLUTION\n"
    text = SMALL[:start] + marked + SMALL[end:]
    for wrong in ("squared", "halved"):
        at = text.index(f"# %% misconception: {wrong}")
        says = text.index("\n", text.index("# says", at)) + 1
        text = f"{text[:says]}def double(x): return {wrong!r}\n{text[text.index('# %%', says) :]}"
    return parse(text + choices, "ch09-small").tasks[0]


def test_every_kind_of_small_change_is_made_and_only_between_the_markers():
    made = {str(m).split("` => `")[1].rstrip("`") for m in mutants.mutants(small(BODY))}
    expected = """
        x = x + 1 if x > 1.5 and x != 3 else -x
        x = x - 2 if x > 1.5 and x != 3 else -x
        x = x - 1 if x >= 1.5 and x != 3 else -x
        x = x - 1 if x > 3.0 and x != 3 else -x
        x = x - 1 if x > 1.5 or x != 3 else -x
        x = x - 1 if x > 1.5 and x == 3 else -x
        x = x - 1 if x > 1.5 and x != 4 else -x
        x = x - 1 if x > 1.5 and x != 2 else -x
        x = x - 1 if x > 1.5 and x != 3 else x
        for i in range(x - 1):
        x -= rows[i:n].sum(dim=-1, out=y)
        x += rows[i + 1:n].sum(dim=-1, out=y)
        x += rows[i:n - 1].sum(dim=-1, out=y)
        x += rows[i:n].mean(dim=-1, out=y)
        x += rows[i:n].sum(dim=-2, out=y)
        x += rows[i:n].sum(dim=-1)
        x += rows[i:n].sum(out=y)
        if not x and x is None:
        if x or x is None:
        if not x or x is not None:
        return {"a": [k for k in x if True]}
        return x * 2
        return x // 3
        return x // 1
        pass
    """
    assert made == {line.strip() for line in expected.strip().splitlines()}


@pytest.mark.parametrize(
    ("body", "alive"),
    [
        ("    return x + x", []),
        ("    return x + x if x < 100 else None", ["x <= 100", "x < 50", "x < 150"]),
        (ENDLESS, ["n = 3", "n = 1", "n >= 1", "n > 2", "n -= 2"]),
    ],
)
def test_a_mutant_that_passes_is_told_of_and_an_endless_one_is_stopped(body, alive):
    found = mutants.survivors(small(body))
    assert len(found) == len(alive)
    for line in alive:
        assert any(line in one.split("=>")[1] for one in found), line


def test_a_free_choice_excuses_what_it_names_and_has_to_excuse_something():
    body = "    return x + x if x < 100 else None"
    cell = "# %% free choices\n# - `x < 100`: no x is\n# that large\n"
    assert mutants.survivors(small(body, cell)) == []
    cell = "# %% free choices\n# - `x < 100` => `x <= 100`,\n# `if`: never equal, or none\n"
    found = mutants.survivors(small(body, cell))
    assert "9.1: the free choice `if` excuses no mutant" in found
    assert len(found) == 3
    with pytest.raises(SourceError, match="no free choice of the solution"):
        small(body, "# %% free choices\n# - `y < 100`: why not\n")
