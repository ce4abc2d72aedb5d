"""One of the processes that `processes.py` starts with torchrun: train, and die where it is told.

    rank.py FOLDER STEPS PARALLEL new|resume DYING_RANK DYING_STEP

It dies in the first life only: torchrun says in an environment variable how often it started again.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]  # tiny models are those of the tests


def main(folder: str, steps: str, parallel: str, how: str, dying: str, at: str) -> None:
    """Train to the end, or to this process's."""
    import torch
    from parallel_run import trainer

    torch.set_num_threads(1)
    run = trainer(Path(folder), int(steps), parallel=parallel, resume=how == "resume")
    advance, is_first_life = run.optimizer.step, os.environ["TORCHELASTIC_RESTART_COUNT"] == "0"

    def step() -> None:
        advance()
        if is_first_life and dying == os.environ["RANK"] and run.step == int(at):
            os.kill(os.getpid(), signal.SIGKILL)

    run.optimizer.step = step
    run.fit()


if __name__ == "__main__":
    main(*sys.argv[1:])
