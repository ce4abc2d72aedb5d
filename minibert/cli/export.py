"""`minibert export`."""

from __future__ import annotations

import shutil
from argparse import Namespace
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from minibert import weights
from minibert.cli import models
from minibert.cli.options import check_new_folder
from minibert.finetuning.settings import TASK_FILE
from minibert.model.lora import merge_adapter
from minibert.model.pretrained import PretrainedModel
from minibert.tokenization.tokenizer import Tokenizer
from minibert.weights.files import write_json
from minibert.weights.folder import CONFIG_FILE
from minibert.weights.hugging_face import config_to_hugging_face
from minibert.weights.onnx import export_onnx, require_onnx
from minibert.weights.pickled import convert_pickled


def run(options: Namespace) -> None:
    """Write the model again: in another precision, with its adapter folded in, or as ONNX."""
    for name in ("int8", "attentions"):
        if getattr(options, name) and not options.onnx:
            raise ValueError(f"--{name} is for --onnx: give both, or neither")
    if options.onnx:
        if options.dtype is not None:
            raise ValueError("--dtype is not for --onnx, which writes float32: --int8 for smaller")
        require_onnx()
    check_new_folder(Path(options.out))
    if options.pickled:
        with TemporaryDirectory() as folder:
            convert_pickled(weights.resolve(options.model, pickled=True), Path(folder))
            options.model, options.pickled = folder, False
            run(options)
        return
    source, out = weights.resolve(options.model), Path(options.out)
    model = models.load(options.model)
    tokenizer = Tokenizer.from_pretrained(options.model)
    if (options.merge or options.onnx) and model.adapter is not None:
        merge_adapter(model)
    if options.onnx:
        _write_onnx(model, out, options)
    else:
        model.save_pretrained(out, dtype=getattr(torch, options.dtype or "float16"))
    tokenizer.save_pretrained(out)
    for name in ("log.jsonl", "metrics.json", "training_config.json", "CARD.md", TASK_FILE):
        if (source / name).is_file():
            shutil.copyfile(source / name, out / name)
    print(f"{out}: {sum(file.stat().st_size for file in out.iterdir()) / 1e6:.1f} MB")


def _write_onnx(model: PretrainedModel, out: Path, options: Namespace) -> None:
    outputs = export_onnx(model, out, int8=options.int8, attentions=options.attentions)
    config = config_to_hugging_face(model.config.to_dict(), model.architecture)
    write_json(out / CONFIG_FILE, config)
    print(f"outputs: {', '.join(outputs)}")
