"""What differs between systems, emulated on this one: Windows' files, its code pages, drives."""

import os
import subprocess
import sys

import pytest
import tiny
import torch

from minibert.finetuning.recipe import noted_base
from minibert.model.heads import BertForMaskedLM
from minibert.weights import files


@pytest.fixture
def windows(monkeypatch):
    """The file calls of Windows: it syncs only what is writable and opens no folder."""
    descriptors, opened, sync = {}, os.open, os.fsync

    def open_file(path, flags, *rest, **more):
        if os.path.isdir(path):
            raise PermissionError(13, "Permission denied", str(path))
        return opened(path, flags, *rest, **more)

    def fsync(descriptor):
        if not os.get_blocking(descriptor) or not _is_writable(descriptor):
            raise OSError(9, "Bad file descriptor")
        descriptors[descriptor] = True
        sync(descriptor)

    monkeypatch.setattr(files, "_IS_POSIX", False)
    monkeypatch.setattr(os, "open", open_file)
    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.delattr(os, "fchmod", raising=False)
    return descriptors


def _is_writable(descriptor):
    import fcntl

    return fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_ACCMODE != os.O_RDONLY


def test_models_are_saved_and_read_on_windows(tmp_path, windows):
    torch.manual_seed(0)
    model = BertForMaskedLM(tiny.config()).eval()
    model.save_pretrained(tmp_path / "model")
    assert windows, "nothing was synced"
    again = BertForMaskedLM.from_pretrained(tmp_path / "model")
    ids = torch.tensor([[2, 5, 6, 3]])
    assert torch.equal(model(ids).logits, again(ids).logits)
    assert sorted(path.name for path in (tmp_path / "model").iterdir()) == [
        "config.json",
        "model.safetensors",
    ]


def test_a_base_on_another_drive_is_noted_whole(tmp_path, monkeypatch):
    def relpath(path, start):
        raise ValueError("path is on mount 'D:', start on mount 'C:'")

    monkeypatch.setattr(os.path, "relpath", relpath)
    assert noted_base(str(tmp_path), tmp_path / "out") == str(tmp_path)


def test_a_base_beside_is_noted_with_slashes(tmp_path):
    (tmp_path / "base").mkdir()
    assert noted_base(str(tmp_path / "base"), tmp_path / "runs" / "a") == "../../base"


@pytest.mark.slow
@pytest.mark.parametrize("encoding", ["cp1252", "ascii"])
def test_output_that_the_terminal_cannot_show_is_escaped(tmp_path, encoding):
    folder = tiny.save(tmp_path / "model", BertForMaskedLM)
    command = [sys.executable, "-m", "minibert.cli", "fill-mask", "--model", str(folder)]
    environment = {**os.environ, "PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"}
    done = subprocess.run(
        [*command, "电 影 [MASK]", "--top", "60"], capture_output=True, env=environment
    )
    assert done.returncode == 0, done.stderr
    assert rb"\u7535" in done.stdout
    done = subprocess.run([*command, "电 影"], capture_output=True, env=environment)
    assert done.returncode == 2
    assert b"Traceback" not in done.stderr
