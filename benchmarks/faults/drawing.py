"""Draw inputs with hypothesis, and say what a refusal has to be."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import hypothesis
from hypothesis import HealthCheck, Phase
from hypothesis import strategies as st

from faults.tally import Tally


def draw(
    count: int, tally: Tally, what: st.SearchStrategy[Any], case: Callable[[Any], None]
) -> None:
    """Call `case` with so many values; `Tally.case` keeps what goes wrong."""

    @hypothesis.seed(0)
    @hypothesis.settings(
        max_examples=count,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @hypothesis.given(what)
    def run(value: Any) -> None:
        with tally.case(value):
            case(value)

    if count:
        run()


@contextlib.contextmanager
def refusals(*names: str) -> Iterator[None]:
    """A user's mistake may be refused, in one line that holds one of these names."""
    try:
        yield
    except (ValueError, OSError) as error:
        message = str(error)
        assert "\n" not in message, f"more than one line: {message!r}"
        assert not names or any(name in message for name in names), f"no name in {message!r}"
