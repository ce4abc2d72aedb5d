"""What every test stands on."""

import os
import signal

if "PYTEST_XDIST_WORKER" in os.environ:
    # Before torch is imported: workers that each take every core only wait for one another.
    os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest

# Before anything opens the standard library's distutils: torch.compile asserts that it is this one.
import setuptools  # noqa: F401
import torch
from hypothesis import settings

# Time is measured in benchmarks, never asserted in a test: a busy machine is no failure.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


def pytest_collection_modifyitems(items):
    """Without a GPU, say so of what needs one."""
    if not torch.cuda.is_available():
        for item in items:
            if item.get_closest_marker("gpu"):
                item.add_marker(pytest.mark.skip(reason="needs a CUDA GPU, and there is none here"))


@pytest.fixture(autouse=True)
def _ctrl_c_is_heard():
    """A test run started in the background ignores Ctrl-C, and so would what it tests."""
    previous = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, previous)
