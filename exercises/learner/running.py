"""Runs a function on inputs, and makes plain values of what comes out.

The checks use it in the learner's own kernel and the grader's child in a process of its own, so
that both see the same. It imports nothing of the course: with `extraction` it is all of the course
that a submission ever shares a process with.

A value on the way is a tree of None, bool, int, float, str, list, tuple and dict, whose leaves
may be numpy arrays and torch tensors. It is sent as the length of a JSON text, the text, and the
numbers of one array after the other; nothing is ever unpickled.
"""

from __future__ import annotations

import json
import math
import struct
import sys
import traceback
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

# What an answer may hold: bytes, bytes of it without the arrays (text becomes objects many times
# its size), arrays, levels of lists in lists, and bits of a whole number.
LONGEST = 8 * 2**20
LARGEST_SHAPE = 2**24  # of numbers, a side of length zero taken for one
LONGEST_TREE = 2**20
MOST_ARRAYS = 2000
MOST_KEYS = 10_000  # that are tuples: whoever chooses their numbers can give all of them one hash
DEEPEST = 20
WIDEST = 64
Array = NDArray[Any]  # of any numbers
Run = Callable[[Any, dict[str, Any]], Any]  # calls a function on a case
EMPTY: Mapping[str, BaseException] = MappingProxyType({})
_LENGTH = struct.Struct("<Q")


def pack(value: Any) -> bytes:
    """A plain value as bytes.

    Raises:
        TypeError: if there is anything in it that is neither plain nor an array, or too much.
    """
    arrays: list[Array] = []
    tree = json.dumps(_to_tree(value, arrays, 0)).encode()
    return b"".join([_LENGTH.pack(len(tree)), tree, *(array.tobytes() for array in arrays)])


def unpack(data: bytes, limit: int = LONGEST) -> Any:
    """What `pack` packed.

    Args:
        data: the bytes.
        limit: of the JSON text, in bytes.

    Raises:
        ValueError: if the bytes are not that, whatever they are.
    """
    try:
        size = _LENGTH.unpack_from(data)[0]
        if size > min(len(data), limit):
            raise ValueError("the text is too long")
        start = _LENGTH.size + size
        tree = json.loads(data[_LENGTH.size : start], parse_int=_whole_number)
        reader = _Reader(data, start)
        value = reader.value(tree, 0)
        if reader.at != len(data):
            raise ValueError("more than an answer")
        return value
    except Exception as error:  # of whatever kind: it is a stranger's text
        raise ValueError(f"not an answer: {error or type(error).__name__}") from None


def _whole_number(text: str) -> int:
    if len(text) > WIDEST // 3 or not -(2**WIDEST) < int(text) < 2**WIDEST:
        raise ValueError("a whole number is too large")
    return int(text)


class _Reader:
    """Makes values of a tree, and of the bytes behind it arrays, each of which is used once."""

    def __init__(self, data: bytes, start: int) -> None:
        self.data, self.at, self.arrays, self.keys = data, start, 0, 0

    def value(self, tree: Any, depth: int) -> Any:
        if depth > DEEPEST:
            raise ValueError("nested too deep")
        if isinstance(tree, list):
            return [self.value(item, depth + 1) for item in tree]
        if not isinstance(tree, dict):
            return tree
        kind = tree[""]
        if kind == "tuple":
            return tuple(self.value(item, depth + 1) for item in tree["of"])
        if kind == "dict":
            return {self.key(k, depth + 1): self.value(v, depth + 1) for k, v in tree["of"]}
        if kind not in ("array", "tensor"):
            raise ValueError(f"a value of kind {kind}")
        array = self.array(str(tree["type"]), tree["shape"])
        if kind == "array":
            return array
        import torch

        return torch.from_numpy(array)

    def key(self, tree: Any, depth: int) -> Any:
        self.keys += isinstance(tree, dict)
        if self.keys > MOST_KEYS:
            raise ValueError("too many keys")
        return self.value(tree, depth)

    def array(self, name: str, shape: list[Any]) -> Array:
        dtype = np.dtype(name)
        self.arrays += 1
        if self.arrays > MOST_ARRAYS:
            raise ValueError("too many arrays")
        # A side of length zero must not hide another that somebody would make room for.
        if math.prod(max(1, size) for size in shape) > LARGEST_SHAPE:
            raise ValueError("too large a shape")
        if dtype.kind not in "biuf" or any(type(size) is not int or size < 0 for size in shape):
            raise ValueError(f"an array of {dtype}")
        count = math.prod(shape)
        if count * dtype.itemsize > len(self.data) - self.at:
            raise ValueError("an array larger than its data")
        array = np.frombuffer(self.data, dtype, count, self.at).reshape(shape).copy()
        self.at += array.nbytes
        return array


def _to_tree(value: Any, arrays: list[Array], depth: int) -> Any:
    if depth > DEEPEST:
        raise TypeError("values nested more than twenty deep")
    if value is None or type(value) in (bool, float, str):
        return value
    if type(value) is int:
        if not -(2**WIDEST) < value < 2**WIDEST:
            raise TypeError(f"returned a whole number of {value.bit_length()} bits")
        return value
    if isinstance(value, np.generic):
        return _to_tree(value.item(), arrays, depth + 1)
    if isinstance(value, list | tuple):  # torch.Size is a tuple too
        items = [_to_tree(item, arrays, depth + 1) for item in value]
        return items if isinstance(value, list) else {"": "tuple", "of": items}
    if isinstance(value, dict):  # a Counter and an OrderedDict are dictionaries too
        pairs = [
            [_to_tree(k, arrays, depth + 1), _to_tree(v, arrays, depth + 1)]
            for k, v in value.items()
        ]
        return {"": "dict", "of": pairs}
    kind = "array"
    if "torch" in sys.modules and isinstance(value, sys.modules["torch"].Tensor):
        value, kind = value.detach().cpu(), "tensor"
        value = (value.float() if value.dtype.itemsize == 2 else value).contiguous().numpy()
    if isinstance(value, np.ndarray) and value.dtype.kind in "biuf":
        if len(arrays) == MOST_ARRAYS:
            raise TypeError(f"returned more than {MOST_ARRAYS} arrays")
        value = np.asarray(value, value.dtype.newbyteorder("<"))
        arrays.append(value)
        return {"": kind, "type": value.dtype.str, "shape": list(value.shape)}
    raise TypeError(
        f"returned {type(value).__name__}: only numbers, strings, lists, tuples, dictionaries, "
        "arrays and tensors can be compared"
    )


# --- one function on one input --------------------------------------------------------------------


def describe(
    error: BaseException, sources: dict[str, str], failed: Mapping[str, BaseException] = EMPTY
) -> dict[str, Any]:
    """An error as plain data: kind, message, and the learner's own lines, where it arose first.

    Args:
        error: which.
        sources: the text of each piece of code, by the file name it was compiled under.
        failed: names that have no value because of another error.
    """
    lines: list[str] = []
    for frame in traceback.extract_tb(error.__traceback__):
        if frame.filename in sources and frame.lineno:
            found = sources[frame.filename].splitlines()[frame.lineno - 1 : frame.lineno]
            text = "".join(found).strip()[:150]
            lines += [text] if text and text not in lines else []
    # The innermost first, as one reads it: where it stops, and how it came there.
    line = "`, called from `".join(lines[:-4:-1])
    try:
        message = str(error)[:500]
        cause = failed.get(error.name or "") if isinstance(error, NameError) else None
        if cause is not None:
            message += f" (where it is to get its value: {type(cause).__name__}: {cause})"[:500]
    except Exception:  # an error of the learner's own, which cannot even be printed
        message = ""
    return {"kind": type(error).__name__, "message": message, "line": line}


def call(
    run: Run,
    function: Any,
    case: dict[str, Any],
    describe: Callable[[BaseException], dict[str, Any]],
) -> dict[str, Any]:
    """One case: {"value": ...}, or {"error": ...} as `describe` describes it."""
    try:
        return {"value": run(function, case)}
    except (Exception, SystemExit) as error:
        return {"error": describe(error)}


def default_run(function: Any, case: dict[str, Any]) -> Any:
    """Call the function with the case as keyword arguments."""
    return function(**case)


def define(code: str, name: str, namespace: dict[str, Any]) -> None:
    """Execute definitions under a file name of their own."""
    exec(compile(code, name, "exec"), namespace)
