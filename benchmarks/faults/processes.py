"""Several processes: they do what one does, and survive the death of one of them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from faults.tally import Tally

RANK = str(Path(__file__).with_name("rank.py"))
_STEPS, _DEATH = 12, 7


def processes(folder: Path, counts: tuple[int, ...] = (2, 4)) -> Iterator[Tally]:
    """With so many processes, data parallel and sharded."""
    from parallel_run import trainer

    trainer(folder / "one", _STEPS).fit()
    alike = Tally("so many processes train what one trains")
    ends: dict[tuple[int, str], bytes] = {}
    for count in counts:
        for parallel in ("ddp", "fsdp"):
            out = folder / f"{parallel}-{count}"
            status, said = _torchrun(count, out, parallel)
            far = said if status else _far_weights(out, folder / "one")
            alike.check(not far, f"{out.name}: {far}")
            if not status:
                ends[count, parallel] = (out / "model.safetensors").read_bytes()
    yield alike
    for name, lose in (
        ("rank killed, run resumed: equal to the bit", _killed),
        ("rank killed, started again by --max-restarts: equal to the bit", _restarted),
        ("SIGTERM to torchrun, run resumed: equal to the bit", _terminated),
    ):
        tally = Tally(name)
        for (count, parallel), end in ends.items():
            out = folder / f"{parallel}-{count}-{lose.__name__}"
            problem = lose(count, out, parallel)
            if problem is None and (out / "model.safetensors").read_bytes() != end:
                problem = "other weights"
            tally.check(problem is None, f"{out.name}: {problem}")
        yield tally


def _far_weights(out: Path, one: Path) -> list[str]:
    """Names of tensors that differ by more than another order of summation explains."""
    import torch
    from safetensors.torch import load_file

    found, expected = (load_file(folder / "model.safetensors") for folder in (out, one))
    return [
        name
        for name, tensor in expected.items()
        if not torch.allclose(found[name], tensor, rtol=0, atol=2e-4)
    ]


# Each loses a process, goes on, and says what went wrong.


def _killed(count: int, out: Path, parallel: str) -> str | None:
    status, _ = _torchrun(count, out, parallel, dying=count - 1)
    if status == 0 or (out / "model.safetensors").exists():
        return "it did not go down"
    status, said = _torchrun(count, out, parallel, resume=True)
    return said if status else None


def _restarted(count: int, out: Path, parallel: str) -> str | None:
    status, said = _torchrun(count, out, parallel, dying=0, restarts=1)
    return said if status else None


def _terminated(count: int, out: Path, parallel: str) -> str | None:
    command = command_of(count, out, parallel)
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, env=_environment(), **quiet) as process:
        until = time.monotonic() + 120
        while not (out / "resume").exists() and time.monotonic() < until:
            time.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        process.wait(300)
    if not (out / "resume" / "progress.json").exists():
        return "nothing was saved"
    status, said = _torchrun(count, out, parallel, resume=True)
    return said if status else None


def command_of(
    count: int,
    out: Path,
    parallel: str,
    *,
    resume: bool = False,
    dying: int = -1,
    restarts: int = 0,
) -> list[str]:
    """The words that train in so many processes.

    Args:
        dying: the rank that kills itself in its first life, before step 8 is saved.
        restarts: how often torchrun starts all of them again.
    """
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    torchrun += ["--nproc-per-node", str(count), "--max-restarts", str(restarts)]
    how = "resume" if resume else "new"
    return [*torchrun, RANK, str(out), str(_STEPS), parallel, how, str(dying), str(_DEATH)]


def _torchrun(count: int, out: Path, parallel: str, **how: int) -> tuple[int, str]:
    """Run it to its end: exit status and the end of what was said."""
    try:
        done = subprocess.run(
            command_of(count, out, parallel, **how),
            capture_output=True,
            text=True,
            env=_environment(),
            timeout=300,
        )
    except subprocess.TimeoutExpired:
        return -1, "no end after 300 s"
    return done.returncode, done.stderr[-1500:]


def _environment() -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1"}
