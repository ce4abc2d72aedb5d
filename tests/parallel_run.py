"""What the processes of test_distributed.py run; started by torchrun with an empty folder."""

import json
import os
import signal
import sys
from pathlib import Path

import torch
from trainings import OBJECTIVES, pretraining_data, still

from minibert.pretraining.dataset import Subset
from minibert.training import distributed
from minibert.training.config import TrainingConfig
from minibert.training.trainer import Trainer

SCENARIOS = {
    "one": {},
    "ddp": {},
    "fsdp": {"parallel": "fsdp"},
    "ddp-parts": {"accumulation_steps": 2},
    "fsdp-parts": {"parallel": "fsdp", "accumulation_steps": 2, "gradient_checkpointing": True},
}


def trainer(folder, steps=12, unlike=0, **changes):
    # Heads of other processes may be drawn otherwise: all must start from the first one's.
    torch.manual_seed(unlike)
    model = OBJECTIVES["mlm+nsp"](still())
    data = pretraining_data()
    values = {"batch_size": 8, "learning_rate": 1e-3, "eval_every": 5, "save_every": 2}
    config = TrainingConfig(
        folder, max_steps=steps, device="cpu", precision="float32", **{**values, **changes}
    )
    return Trainer(model, config, data, Subset(data, 8))


def main(root):
    torch.set_num_threads(1)
    rank = int(os.environ["RANK"])
    written = []

    def watch(event, arguments):
        changes = event in ("os.mkdir", "os.rename", "os.remove", "os.rmdir")
        if event == "open" and isinstance(arguments[1], str):
            changes = bool(set(arguments[1]) & set("wax+"))
        if changes and str(arguments[0]).startswith(str(root)):
            written.append(f"{event} {arguments[0]}")

    sys.addaudithook(watch)
    figures = {}
    for name, changes in SCENARIOS.items():
        if name == "one":
            continue
        run = trainer(root / name, unlike=rank, **changes)
        history = run.fit()
        figures[name] = {"history": history, "evaluation": run.evaluate()}
    packed = trainer(root / "packed", batch_tokens=200)
    figures["packed"] = {"history": packed.fit()}
    for parallel in distributed.PARALLEL:
        # Interrupted in one process alone, in the middle of a step; then resumed.
        folder = root / f"{parallel}-resumed"
        run = trainer(folder, parallel=parallel)
        advance = run.optimizer.step

        def interrupted(run=run, advance=advance):
            advance()
            if run.step == 6 and rank == 1:
                signal.raise_signal(signal.SIGINT)

        run.optimizer.step = interrupted
        try:
            run.fit()
        except KeyboardInterrupt as error:
            figures[f"{parallel}-stopped"] = run.step
            figures[f"{parallel}-said"] = str(error)
        resumed = trainer(folder, parallel=parallel, resume=True)
        figures[f"{parallel}-resumed-from"] = resumed.step
        resumed.fit()
    # Not through the folder that is watched: this is the test's own.
    beside = root.with_name(f"rank{rank}.json")
    beside.write_text(json.dumps({"figures": figures, "written": written}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
