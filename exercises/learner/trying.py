"""An input of a task, for a learner to try things with."""

from __future__ import annotations

import contextlib
import copy
from typing import Any

from exercises.learner.clock import OutOfTime, within
from exercises.learner.comparing import in_short
from exercises.learner.judging import Bench
from exercises.learner.note import Note


class Case(Note):
    """An input on which a function is wrong; the first one, if it is right everywhere.

    inputs: by name, as the check draws them; expected: the result for them, None where it would
    give the task away.
    """

    def __init__(self, bench: Bench, function: Any) -> None:
        self._bench, self._function = bench, function
        index = 0
        if callable(function):
            with contextlib.suppress(OutOfTime), within(bench.task.seconds):
                index = bench.first_wrong(function)
        self.inputs: dict[str, Any] = copy.deepcopy(bench.cases[index])
        self.expected = copy.deepcopy(bench.to_show(index))
        call = f'case("{bench.task.id}")'
        said = [f"**An input of {bench.task.id}**: `{call}.inputs`."]
        said += [f"- `{name}`: {in_short(value)}" for name, value in self.inputs.items()]
        if self.expected is not None:
            said.append(f"\nExpected, `{call}.expected`: {in_short(self.expected)}")
        said.append(
            f"\n`{call}.run()` calls your `{bench.task.function}` on it as the check does, with "
            "all that it prints, and lets an error come as it is."
        )
        super().__init__("\n".join(said))

    def run(self) -> Any:
        """What the function gives for the input.

        Raises:
            NameError: if there is no function yet; and whatever the function raises.
        """
        if not callable(self._function):
            raise NameError(f"there is no function `{self._bench.task.function}` here yet")
        return self._bench.run(self._function, copy.deepcopy(self.inputs))
