"""The child of the grader: runs one learner's functions on inputs and sends back plain values.

This file is all of the course that a submission ever shares a process with. It is started as
`python -I -B child.py`, reads one job from standard input and writes one answer to what was
standard output. It knows no solution, no test and no seed. What it answers is data that the
parent unpacks, bounds and compares; nothing in it can say "passed".

A value on the way is a tree of None, bool, int, float, str, list, tuple and dict, whose leaves
may be numpy arrays and torch tensors. It is sent as the length of a JSON text, the text, and one
`.npy` after the other; nothing is ever unpickled.
"""

from __future__ import annotations

import ast
import ctypes
import io
import json
import os
import resource
import struct
import sys
import traceback
from typing import Any

import numpy as np

LONGEST = 16 * 2**20  # bytes of an answer
LONGEST_TREE = 2**20  # of it without the arrays: text becomes objects many times its size
_LENGTH = struct.Struct("<Q")


def pack(value: Any) -> bytes:
    """A plain value as bytes.

    Raises:
        TypeError: if there is anything in it that is neither plain nor an array.
    """
    arrays: list[np.ndarray] = []
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
        arrays = []
        while stream.tell() < len(data):
            arrays.append(_read_array(stream, len(data)))
        return _from_tree(tree, arrays)
    except (ValueError, TypeError, KeyError, IndexError, EOFError) as error:
        raise ValueError(f"not an answer: {error}") from None
    except (RecursionError, MemoryError, OverflowError, struct.error) as error:
        raise ValueError(f"not an answer: {type(error).__name__}") from None


def _read_array(stream: io.BytesIO, end: int) -> np.ndarray:
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


def _to_tree(value: Any, arrays: list[np.ndarray], depth: int) -> Any:
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


def _from_tree(tree: Any, arrays: list[np.ndarray]) -> Any:
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


# --- limits -------------------------------------------------------------------------------------


def limit_resources(seconds: float, memory: int) -> None:
    """Bound processor time, memory, the size of files, open files and core dumps, for good."""
    for name, bound in (
        ("RLIMIT_CPU", int(seconds) + 20),  # the imports count; the parent watches the clock
        ("RLIMIT_AS", memory),
        ("RLIMIT_FSIZE", 16 * 2**20),
        ("RLIMIT_NOFILE", 256),
        ("RLIMIT_CORE", 0),
    ):
        try:
            resource.setrlimit(getattr(resource, name), (bound, bound))
        except (ValueError, OSError, AttributeError):  # macOS knows no bound on memory
            continue


# Numbers of system calls (linux/unistd.h), for (x86-64, AArch64); None where there is none.
_CALLS: dict[str, tuple[int | None, int | None]] = {
    "fork": (57, None),
    "vfork": (58, None),
    "execve": (59, 221),
    "execveat": (322, 281),
    "socket": (41, 198),
    "socketpair": (53, 199),
    "ptrace": (101, 117),
    "process_vm_writev": (311, 271),
    "pidfd_open": (434, 434),
    "pidfd_send_signal": (424, 424),
    "tkill": (200, 130),
    "io_uring_setup": (425, 425),
    "mount": (165, 40),
    "unshare": (272, 97),
    "setns": (308, 268),
    "bpf": (321, 280),
    "keyctl": (250, 219),
    "perf_event_open": (298, 241),
}
_WRITING: dict[str, tuple[int | None, int | None]] = {
    "creat": (85, None),
    "openat2": (437, 437),
    "truncate": (76, 45),
    "rename": (82, None),
    "renameat": (264, 38),
    "renameat2": (316, 276),
    "mkdir": (83, None),
    "mkdirat": (258, 34),
    "rmdir": (84, None),
    "unlink": (87, None),
    "unlinkat": (263, 35),
    "link": (86, None),
    "linkat": (265, 37),
    "symlink": (88, None),
    "symlinkat": (266, 36),
    "chmod": (90, None),
    "fchmod": (91, 52),
    "fchmodat": (268, 53),
    "chown": (92, None),
    "lchown": (94, None),
    "fchown": (93, 55),
    "fchownat": (260, 54),
    "mknod": (133, None),
    "mknodat": (259, 33),
    "setxattr": (188, 5),
    "utimensat": (280, 88),
}


def forbid_calls(deny_writing: bool) -> bool:
    """Ask the kernel to refuse new processes, programs, sockets and signals to others (seccomp).

    Threads stay possible: torch wants them.

    Args:
        deny_writing: refuse also whatever changes the file system. Where bubblewrap makes it
            read-only that is not needed.

    Returns:
        whether the kernel took the filter; it is for good. False on other systems than Linux.
    """
    machine = os.uname().machine
    if sys.platform != "linux" or machine not in ("x86_64", "aarch64"):
        return False
    column = 0 if machine == "x86_64" else 1
    audit = (0xC000003E, 0xC00000B7)[column]
    clone, clone3, kill, tgkill = ((56, 435, 62, 234), (220, 435, 129, 131))[column]
    open_, openat = ((2, 257), (None, 56))[column]
    allow, refuse, missing = 0x7FFF0000, 0x00050000 | 1, 0x00050000 | 38  # EPERM, ENOSYS
    load, equal, at_least, any_bit, give = 0x20, 0x15, 0x35, 0x45, 0x06

    program: list[tuple[int, int, int, int]] = []
    # Another architecture's numbers, or those of the x32 interface, would walk past the list.
    program += [(load, 0, 0, 4), (equal, 1, 0, audit), (give, 0, 0, refuse)]
    program += [(load, 0, 0, 0), (at_least, 0, 1, 0x40000000), (give, 0, 0, refuse)]
    named = {**_CALLS, **(_WRITING if deny_writing else {})}
    for number in (numbers[column] for numbers in named.values()):
        if number is not None:
            program += [(equal, 0, 1, number), (give, 0, 0, refuse)]
    # Of clone3 the flags are out of sight; told that it is missing, glibc takes clone.
    program += [(equal, 0, 1, clone3), (give, 0, 0, missing)]

    def by_argument(call: int | None, offset: int, test: int, value: int, allow_if: bool) -> None:
        """Allow or refuse `call` by the argument at this offset; other calls go on below."""
        if call is None:
            return
        jump = (1, 0) if allow_if else (0, 1)
        program.extend([(equal, 0, 4, call), (load, 0, 0, offset), (test, *jump, value)])
        program.extend([(give, 0, 0, refuse), (give, 0, 0, allow)])

    first, second, third = 16, 24, 32  # offsets of the arguments' lower halves
    thread, writing = 0x00010000, 0o1 | 0o2 | 0o100 | 0o1000 | 0o2000
    by_argument(clone, first, any_bit, thread, allow_if=True)
    for number in (kill, tgkill):  # to itself alone
        by_argument(number, first, equal, os.getpid(), allow_if=True)
    if deny_writing:
        by_argument(open_, second, any_bit, writing, allow_if=False)
        by_argument(openat, third, any_bit, writing, allow_if=False)
    program.append((give, 0, 0, allow))

    packed = b"".join(struct.pack("<HBBI", *instruction) for instruction in program)
    buffer = ctypes.create_string_buffer(packed, len(packed))
    header = struct.pack("@HxxxxxxP", len(program), ctypes.addressof(buffer))
    libc = ctypes.CDLL(None, use_errno=True)
    no_new_privileges, set_seccomp, filter_mode = 38, 22, 2
    if libc.prctl(no_new_privileges, 1, 0, 0, 0):
        return False
    return not libc.prctl(set_seccomp, filter_mode, ctypes.create_string_buffer(header), 0, 0)


# --- one job ------------------------------------------------------------------------------------


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


def call(run: Any, function: Any, case: Any, sources: dict[str, str]) -> dict[str, Any]:
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


def answer(job: dict[str, Any], ready: Any) -> dict[str, Any]:
    """Run a job: {"results": [...]}, or {"error": ...} if the code cannot even be defined."""
    namespace: dict[str, Any] = {"__name__": "submission"}
    define(job["setup"], "<setup>", namespace)
    harness = dict(namespace)
    define(job["run"], "<run>", harness)
    run = harness.get("run", default_run)
    cases = unpack(job["cases"])
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)
    forbid_calls(job["deny_writing"])
    ready()  # from here on the clock of the task runs, and the learner's code too
    sources = {"<helpers>": job["helpers"], "<submission>": job["code"]}
    for node in ast.parse(job["helpers"]).body:
        try:  # one broken helper or missing import elsewhere must not cost this task
            exec(compile(ast.Module([node], []), "<helpers>", "exec"), namespace)
        except Exception:
            continue
    try:
        define(job["code"], "<submission>", namespace)
        function = namespace[job["function"]]
    except Exception as error:
        return {"error": describe(error, sources)}
    return {"results": [call(run, function, case, sources) for case in cases]}


def main() -> None:
    """Read a job, answer it, and be gone without any clean-up that learner's code could catch."""
    out = os.dup(1)
    null = os.open(os.devnull, os.O_RDWR)
    for stream in (1, 2):  # prints go nowhere
        os.dup2(null, stream)
    data = sys.stdin.buffer.read()
    os.dup2(null, 0)
    job = unpack(data)
    # The job's own bytes stay bytes on the way: they are unpacked here, in one place.
    job["cases"] = job["cases"].tobytes()
    limit_resources(job["seconds"], job["memory"])
    for path in job["paths"]:
        sys.path.append(path)
    packed = b""
    result = answer(job, lambda: os.write(out, b"R"))
    try:
        packed = pack(result)
    except TypeError:
        # Say which of the results is no plain value, and keep the others.
        results = []
        for one in result["results"]:
            try:
                pack(one)
                results.append(one)
            except TypeError as error:
                message = {"kind": "TypeError", "message": str(error)[:500], "line": ""}
                results.append({"error": message})
        packed = pack({"results": results})
    with os.fdopen(out, "wb") as sink:
        sink.write(packed[: LONGEST + 1])
    os._exit(0)


if __name__ == "__main__":
    main()
