"""What every test stands on."""

import signal

import pytest


@pytest.fixture(autouse=True)
def _ctrl_c_is_heard():
    """A test run started in the background ignores Ctrl-C, and so would what it tests."""
    previous = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, previous)
