"""Memory kept between steps: what the kernel is asked for, counted.

Each measurement runs in a process of its own: what an allocator does depends on what was allocated
and freed before, in a test that ran in the same process for one.
"""

import platform
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="concerns glibc alone")

FAULTS = """
import resource, torch
from minibert.training.allocation import kept_memory

def faults_of_a_tensor_after_a_larger_one():
    torch.ones(2**25)  # 128 MiB
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.ones(2**24)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

print(faults_of_a_tensor_after_a_larger_one())
with kept_memory():
    print(faults_of_a_tensor_after_a_larger_one())
print(faults_of_a_tensor_after_a_larger_one())
"""

RETURNED = """
import resource, torch
from minibert.training.allocation import kept_memory

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()

try:
    with kept_memory():
        torch.ones(2**25)
        held = resident()
        raise RuntimeError
except RuntimeError:
    print(held - resident())
"""


def _printed(program: str) -> list[int]:
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return [int(line) for line in done.stdout.split()]


@pytest.mark.slow
def test_a_large_tensor_gets_the_pages_of_the_one_before_only_within() -> None:
    before, within, after = _printed(FAULTS)
    assert within < min(before, after) / 10


@pytest.mark.slow
def test_memory_goes_back_to_the_system_at_the_end_even_after_an_error() -> None:
    (returned,) = _printed(RETURNED)
    assert returned > 2**26
