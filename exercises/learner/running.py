"""Runs a function on inputs, and makes plain values of what comes out.

The checks use it in the learner's own kernel and the grader's child in a process of its own, so
that both see the same. It imports nothing of the course: with `exercises/grader/child.py` it is all
of the course that a submission ever shares a process with.

A value on the way is a tree of None, bool, int, float, str, list, tuple and dict, whose leaves
may be numpy arrays and torch tensors. It is sent as the length of a JSON text, the text, and one
`.npy` after the other; nothing is ever unpickled.
"""

from __future__ import annotations

import io
import json
import struct
import sys
import traceback
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

LONGEST = 16 * 2**20  # bytes of an answer
LONGEST_TREE = 2**20  # of it without the arrays: text becomes objects many times its size
Array = NDArray[Any]  # of any numbers
Run = Callable[[Any, dict[str, Any]], Any]  # calls a function on a case
_LENGTH = struct.Struct("<Q")


def pack(value: Any) -> bytes:
    """A plain value as bytes.

    Raises:
        TypeError: if there is anything in it that is neither plain nor an array.
    """
    arrays: list[Array] = []
    tree = json.dumps(_to_tree(value, arrays, 0)).encode()
    out = io.BytesIO()
    out.write(_LENGTH.pack(len(tree)))
    out.write(tree)
    for array in arrays:
        np.lib.format.write_array(out, array, allow_pickle=False)
    return out.getvalue()


def unpack(data: bytes, limit: int = LONGEST) -> Any:
    """What `pack` packed.

    Args:
        data: the bytes.
        limit: of the JSON text, in bytes.

    Raises:
        ValueError: if the bytes are not that, whatever they are.
    """
    try:
        stream = io.BytesIO(data)
        size = _LENGTH.unpack(stream.read(_LENGTH.size))[0]
        if size > min(len(data), limit):
            raise ValueError("the text is too long")
        tree = json.loads(stream.read(size))
        arrays: list[Array] = []
        while stream.tell() < len(data):
            arrays.append(_read_array(stream, len(data)))
        return _from_tree(tree, arrays)
    except (ValueError, TypeError, KeyError, IndexError, EOFError) as error:
        raise ValueError(f"not an answer: {error}") from None
    except (RecursionError, MemoryError, OverflowError, struct.error) as error:
        raise ValueError(f"not an answer: {type(error).__name__}") from None


def _read_array(stream: io.BytesIO, end: int) -> Array:
    """The next `.npy`. Its header is believed only if the data that it speaks of is there."""
    start = stream.tell()
    version = np.lib.format.read_magic(stream)
    if version != (1, 0):
        raise ValueError(f"format {version} of an array")
    shape, _, dtype = np.lib.format.read_array_header_1_0(stream)
    if dtype.hasobject or dtype.kind not in "biuf":
        raise ValueError(f"an array of {dtype}")
    count = 1
    for length in shape:
        count *= int(length)
    if count < 0 or count * dtype.itemsize > end - stream.tell():
        raise ValueError("an array larger than its data")
    stream.seek(start)
    return np.lib.format.read_array(stream, allow_pickle=False)


def _to_tree(value: Any, arrays: list[Array], depth: int) -> Any:
    if depth > 20:
        raise TypeError("values nested more than twenty deep")
    if value is None or type(value) in (bool, int, float, str):
        return value
    if isinstance(value, np.generic):
        return value.item()
    if type(value) is list or isinstance(value, tuple):  # torch.Size is a tuple too
        items = [_to_tree(item, arrays, depth + 1) for item in value]
        return items if type(value) is list else {"": "tuple", "of": items}
    if type(value) is dict:
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
        arrays.append(np.ascontiguousarray(value).reshape(value.shape))
        return {"": kind, "of": len(arrays) - 1}
    raise TypeError(
        f"returned {type(value).__name__}: only numbers, strings, lists, tuples, dictionaries, "
        "arrays and tensors can be compared"
    )


def _from_tree(tree: Any, arrays: list[Array]) -> Any:
    if isinstance(tree, list):
        return [_from_tree(item, arrays) for item in tree]
    if not isinstance(tree, dict):
        return tree
    kind, of = tree[""], tree["of"]
    if kind == "tuple":
        return tuple(_from_tree(item, arrays) for item in of)
    if kind == "dict":
        return {_from_tree(k, arrays): _from_tree(v, arrays) for k, v in of}
    if kind not in ("array", "tensor"):
        raise ValueError(f"a value of kind {kind}")
    array = arrays[of]
    if kind == "array":
        return array
    import torch

    return torch.from_numpy(array.copy())


# --- one function on one input --------------------------------------------------------------------


def describe(error: BaseException, sources: dict[str, str]) -> dict[str, Any]:
    """An error as plain data: kind, message, and the learner's own line where it arose.

    Args:
        sources: the text of each piece of code, by the file name it was compiled under.
    """
    line = ""
    for frame in traceback.extract_tb(error.__traceback__):
        if frame.filename in sources and frame.lineno:
            line = sources[frame.filename].splitlines()[frame.lineno - 1].strip()
    return {"kind": type(error).__name__, "message": str(error)[:500], "line": line[:200]}


def call(run: Run, function: Any, case: dict[str, Any], sources: dict[str, str]) -> dict[str, Any]:
    """One case: {"value": ...}, or {"error": ...}."""
    try:
        return {"value": run(function, case)}
    except Exception as error:
        return {"error": describe(error, sources)}


def default_run(function: Any, case: dict[str, Any]) -> Any:
    """Call the function with the case as keyword arguments."""
    return function(**case)


def define(code: str, name: str, namespace: dict[str, Any]) -> None:
    """Execute definitions under a file name of their own."""
    exec(compile(code, name, "exec"), namespace)
