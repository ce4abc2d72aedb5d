"""What depends on what: whose change moves whom, who acts together, and what must wait for whom.

A network is tested as a whole, by changing its input or by walking the record that
PyTorch keeps of a computation, so that it holds whatever is inside.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

Reader = Callable[[Tensor], Tensor]  # ids (1, T) to vectors (T, d)


@torch.no_grad()
def influence(read: Reader, ids: Tensor, other: int) -> Tensor:
    """How far each output moves when one token is replaced (claims B13, B14).

    Args:
        read: ids (1, T) to vectors (T, d).
        ids: (T,).
        other: the id that takes a token's place; it must not be among them.

    Returns:
        (T, T): row t, column s is the distance by which output t moves when token s is replaced.
        A zero means that no bit of it moved.
    """
    before = read(ids[None])
    moved = [read(_replaced(ids, other, s)[None]) - before for s in range(len(ids))]
    distances: Tensor = torch.stack(moved, dim=1).norm(dim=-1)
    return distances


@torch.no_grad()
def interaction(read: Reader, ids: Tensor, place: int, other: int) -> Tensor:
    """What a left and a right token do together at a place between them (claim D3).

    The mixed second difference f(l', r') - f(l', r) - f(l, r') + f(l, r): zero exactly where the
    output is a sum, or a list, of something that knows the left and something that knows the right.

    Args:
        read: ids (1, T) to vectors (T, d).
        ids: (T,).
        place: the output in question.
        other: the id that takes the place of a token; it must not be among them.

    Returns:
        (place, T - place - 1): the length of the difference, by the place of the token on the left
        and of the one on the right.
    """
    left, right = range(place), range(place + 1, len(ids))

    def at(*places: int) -> Tensor:
        return read(_replaced(ids, other, *places)[None])[place]  # (d,)

    neither = at()
    one = {s: at(s) for s in (*left, *right)}
    rows = [[(at(i, j) - one[i]) - (one[j] - neither) for j in right] for i in left]
    lengths: Tensor = torch.stack([torch.stack(row) for row in rows]).norm(dim=-1)
    return lengths


def longest_chain(output: Tensor) -> int:
    """Operations that had to wait for one another to compute a tensor, along the longest path.

    No number of cores can take fewer steps than this (claim D1). Counted are the operations
    that PyTorch recorded for the gradient.

    Raises:
        ValueError: if nothing was recorded.
    """
    if output.grad_fn is None:
        raise ValueError("nothing was recorded: compute it from weights, without torch.no_grad()")
    length: dict[object, int] = {}
    waiting = [output.grad_fn]
    while waiting:  # not by recursion: a chain may be longer than Python's stack
        node = waiting[-1]
        before = [earlier for earlier, _ in node.next_functions if earlier is not None]
        unknown = [earlier for earlier in before if earlier not in length]
        if unknown:
            waiting += unknown
        else:
            length[waiting.pop()] = 1 + max((length[earlier] for earlier in before), default=0)
    return length[output.grad_fn]


def _replaced(ids: Tensor, other: int, *places: int) -> Tensor:
    changed = ids.clone()
    changed[list(places)] = other
    return changed
