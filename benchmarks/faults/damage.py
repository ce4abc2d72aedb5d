"""Checkpoints with a flipped bit or a cut end: found by their SHA-256, and the one before taken."""

from __future__ import annotations

import contextlib
import random
import shutil
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from faults.tally import Tally

# Steps in all; of the checkpoint before the newest, and of the newest: the best weights of both are
# those of step 3.
_STEPS, _BEFORE, _NEWEST = 8, 4, 5


def damaged(folder: Path, tries: int, whole_runs: int, seed: int = 0) -> Iterator[Tally]:
    """Damage one file of the newest checkpoint, so many times; train to the end in some of them."""
    rng = random.Random(seed)
    expected, stopped = _run_and_stop(folder)
    files = sorted((stopped / "resume").iterdir())
    for name, damage in (("a flipped bit", _flip), ("a cut end", _cut)):
        tally = Tally(f"checkpoint with {name}: found, the one before taken")
        for number in range(tries):
            path = files[number % len(files)]
            content = path.read_bytes()
            how = damage(path, rng)
            with tally.case(f"{path.name} {how}"):
                _is_found(stopped, path)
            path.write_bytes(content)
        yield tally
    tally = Tally("run resumed from the checkpoint before a damaged one, equal to the bit")
    for number in range(whole_runs):
        copy = folder / "copy"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(stopped, copy)
        path = copy / "resume" / rng.choice(files).name
        how = (_flip, _cut)[number % 2](path, rng)
        with tally.case(f"{path.name} {how}"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            _trainer(copy, resume=True).fit()
            assert (copy / "model.safetensors").read_bytes() == expected, "other weights"
    yield tally


def _is_found(stopped: Path, path: Path) -> None:
    from minibert.training import checkpoints

    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        found = checkpoints.open_newest(stopped)
    assert found is not None, "no checkpoint was taken"
    assert found[1]["step"] == _BEFORE, f"that of step {found[1]['step']} was taken"
    assert any(path.name in str(one.message) for one in told), "no warning names the file"


def _trainer(folder: Path, **options: Any) -> Any:
    from test_resume import trainer

    return trainer(folder, max_steps=_STEPS, eval_every=3, save_every=1, **options)


def _run_and_stop(folder: Path) -> tuple[bytes, Path]:
    """The weights of a whole run, and the folder of one that was stopped with two checkpoints."""
    whole, stopped = folder / "whole", folder / "stopped"
    _trainer(whole).fit()
    run = _trainer(stopped)
    save = run._save_checkpoint

    def save_and_stop() -> None:
        save()
        if run.step == _NEWEST:
            raise KeyboardInterrupt

    run._save_checkpoint = save_and_stop
    with contextlib.suppress(KeyboardInterrupt):
        run.fit()
    return (whole / "model.safetensors").read_bytes(), stopped


def _flip(path: Path, rng: random.Random) -> str:
    content = bytearray(path.read_bytes())
    bit = rng.randrange(8 * len(content))
    content[bit // 8] ^= 1 << (bit % 8)
    path.write_bytes(content)
    return f"with bit {bit} of {8 * len(content)} flipped"


def _cut(path: Path, rng: random.Random) -> str:
    content = path.read_bytes()
    size = rng.randrange(len(content))
    path.write_bytes(content[:size])
    return f"cut to {size} of {len(content)} bytes"
