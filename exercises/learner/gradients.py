"""Losses are there to be trained on: whether a gradient comes out of what a function returns.

A task says `gradient: logits`, and its function is then called with inputs that want a gradient.
"""

from __future__ import annotations

from typing import Any

from exercises.learner.comparing import same

# Behind the task's own `run`, in the child. It returns the result, and for each part of it the
# slopes at the inputs, or None where nothing goes back.
_RUN = """
def run(function, case, inner=globals().get("run")):
    leaves = {name: case[name].detach().requires_grad_() for name in NAMES}
    case = {**case, **{name: leaf.clone() for name, leaf in leaves.items()}}
    result = inner(function, case) if inner else function(**case)
    slopes = []
    for part in result if isinstance(result, (tuple, list)) else [result]:
        if isinstance(part, torch.Tensor) and part.requires_grad:
            of = torch.autograd.grad(
                part.sum(), list(leaves.values()), retain_graph=True, materialize_grads=True
            )
            slopes.append(list(of))
        else:
            slopes.append(None)
    return result, slopes
"""


def run_cell(run: str, inputs: str) -> str:
    """A `run` cell that asks for the gradient at these inputs, whose names blanks divide."""
    return f"{run}{_RUN.replace('NAMES', repr(inputs.split()))}"


def split(result: dict[str, Any]) -> dict[str, Any]:
    """A result of such a cell, {"value": (result, slopes)}, as {"value": ..., "slopes": ...}."""
    if "value" not in result or "slopes" in result:
        return result
    both = result["value"]
    value, slopes = both if isinstance(both, tuple) and len(both) == 2 else (both, None)
    return {"value": value, "slopes": slopes}


def problem(got: dict[str, Any], want: dict[str, Any], tolerance: float) -> str | None:
    """What is wrong with the gradients of a result that is right, beside those of the solution."""
    slopes = got["slopes"]
    if not isinstance(slopes, list) or len(slopes) != len(want["slopes"]):
        return "Your result does not have the form that the task asks for."
    for mine, right in zip(slopes, want["slopes"], strict=True):
        if right is None:
            continue
        if mine is None or (not _reaches(mine) and _reaches(right)):
            return (
                "Your values are right, but no gradient comes out of the loss, so nothing can be "
                "trained on it. Was it turned into a number on the way, with `.item()`, "
                "`float(...)` or `.detach()`, or computed under `no_grad()`?"
            )
        if same(got["value"], want["value"], tolerance) and not same(mine, right, 10 * tolerance):
            return (
                "Your values are right, but their gradient at the inputs is another. Is a part of "
                "the computation detached, or does it divide by zero on the way?"
            )
    return None


def _reaches(slopes: list[Any]) -> bool:
    return any(bool(one.any()) for one in slopes)
