"""Memory of large tensors, kept from step to step instead of asked for again.

glibc serves a request above a limit (at most 32 MiB) with pages fresh from the kernel and gives
them back when it is freed. A training step does that with every large tensor, the scores of a whole
vocabulary above all, and the kernel has to find and to clear each page when it is first touched
(`make bench` says what that costs). Nothing of this concerns other C libraries, or a GPU, where
PyTorch keeps memory itself.
"""

from __future__ import annotations

import ctypes
import platform
from collections.abc import Iterator
from contextlib import contextmanager

# The parameters of glibc's `mallopt`, by their numbers in <malloc.h>.
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD, _MMAP_MAX = -1, -2, -3, -4
_MIB = 2**20


@contextmanager
def kept_memory() -> Iterator[None]:
    """Within, freed memory stays with the process; afterwards it goes back to the system.

    It holds for the whole process and changes no result.
    """
    if platform.libc_ver()[0] != "glibc":
        yield
        return
    libc = ctypes.CDLL(None)
    libc.mallopt(_MMAP_MAX, 0)  # no request gets pages of its own
    libc.mallopt(_TRIM_THRESHOLD, 2**31 - 1)
    libc.mallopt(_TOP_PAD, 64 * _MIB)  # grow by so much at a time
    try:
        yield
    finally:
        # Its defaults, but for the thresholds, which grow to this when large blocks are freed.
        libc.mallopt(_MMAP_MAX, 65536)
        libc.mallopt(_MMAP_THRESHOLD, 32 * _MIB)
        libc.mallopt(_TRIM_THRESHOLD, 64 * _MIB)
        libc.mallopt(_TOP_PAD, _MIB // 8)
        libc.malloc_trim(0)
