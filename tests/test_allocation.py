"""Memory kept between steps: what the kernel is asked for, counted."""

import platform
import resource

import pytest
import torch

from minibert.training.allocation import kept_memory


def _faults_of_a_tensor_after_a_larger_one() -> int:
    torch.ones(2**25)  # 128 MiB
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.ones(2**24)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="concerns glibc alone")
def test_a_large_tensor_gets_the_pages_of_the_one_before_only_within() -> None:
    before = _faults_of_a_tensor_after_a_larger_one()
    with kept_memory():
        within = _faults_of_a_tensor_after_a_larger_one()
    after = _faults_of_a_tensor_after_a_larger_one()
    assert within < min(before, after) / 10


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="concerns glibc alone")
def test_memory_goes_back_to_the_system_at_the_end_even_after_an_error() -> None:
    held = 0

    def fail() -> None:
        nonlocal held
        torch.ones(2**25)
        held = _resident()
        raise RuntimeError

    with pytest.raises(RuntimeError), kept_memory():
        fail()
    assert held - _resident() > 2**26


def _resident() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()
