"""What one CUDA GPU makes of the package, beside `transformers`: parity, speed, memory.

    python benchmarks/gpu.py [--only NAME ...] [--seconds 330] [--quick]

Prints a row as soon as it has it and writes `benchmarks/results/gpu.json` after each, with the
card's name; with `--only` the other rows of the same card stay. `harness.py` says what a row is.
Both sides take the same steps on the same texts in turns, ours, theirs, ours, theirs; the figures
are medians. A speed counts real tokens, padding for nothing. After `--seconds` nothing else begins.
`--quick` is a rehearsal: tiny models, on a CPU where there is no GPU; it writes nothing.

The texts are random ids in passages and sentences about as long as BoolQ's, cut into rows as
`minibert pretrain` cuts them: most are far shorter than the longest.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from gpu_sides import (
    BUDGET,
    DEVICE,
    QUICK,
    Side,
    full_rows,
    in_turns,
    pair,
    plain,
    preset,
    texts,
    varied,
    wait,
)
from harness import Row, row, write
from torch import Tensor

from minibert import TrainingConfig, generate
from minibert.course.analysis.memory import GIB, peak_memory
from minibert.model import heads, task_heads
from minibert.model.pretrained import PretrainedModel
from minibert.training.devices import autocast
from minibert.training.packing import pack
from minibert.training.steps import on_device, pinned
from minibert.training.throughput import matrix_rate
from minibert.training.trainer import Trainer

RESULTS = Path(__file__).parent / "results" / "gpu.json"


def parity() -> Iterator[Row]:
    """Every head, in float32, and the packed path in bf16, against the same weights there."""
    config = preset("mini", hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
    rng = np.random.default_rng(0)
    data = texts(512)
    batch = data.collate(rng.integers(0, len(data), 16), torch.Generator().manual_seed(0))
    rows, ids = len(batch["input_ids"]), batch["input_ids"]
    kinds = torch.arange(rows) % 2
    common = {name: batch[name] for name in ("input_ids", "attention_mask", "token_type_ids")}
    masked = {**common, "labels": batch["labels"]}
    causal_labels = ids.masked_fill(batch["attention_mask"] == 0, -100)
    cases: list[tuple[Any, str, dict[str, Tensor]]] = [
        (heads.BertForPreTraining, "BertForPreTraining", {**masked, "next_sentence_label": kinds}),
        (heads.BertForMaskedLM, "BertForMaskedLM", masked),
        (heads.BertForCausalLM, "BertLMHeadModel", {**common, "labels": causal_labels}),
        (
            task_heads.BertForSequenceClassification,
            "BertForSequenceClassification",
            {**common, "labels": kinds},
        ),
        (
            task_heads.BertForTokenClassification,
            "BertForTokenClassification",
            {**common, "labels": (ids % 2).masked_fill(ids < 5, -100)},
        ),
        (
            task_heads.BertForQuestionAnswering,
            "BertForQuestionAnswering",
            {**common, "start_positions": kinds, "end_positions": kinds + 3},
        ),
    ]
    for ours, theirs, inputs in cases:
        mine, other = pair(config, ours, theirs)
        mine.eval()
        other.eval()
        inputs = plain(inputs)
        with torch.no_grad():
            one, two = mine(**inputs), other(**inputs)
        names = ("logits", "prediction_logits", "start_logits", "seq_relationship_logits")
        errors = [float((one.loss - two.loss).abs())]
        real = inputs["attention_mask"].bool()
        for name in names:
            if hasattr(one, name) and hasattr(two, name):
                gap = (getattr(one, name) - getattr(two, name)).abs()
                errors.append(float((gap[real] if gap.shape[:2] == real.shape else gap).max()))
        yield row(f"parity, {theirs}, float32", "largest difference", max(errors), floor=None) | {
            "floor": 1e-4,
            "holds": max(errors) <= 1e-4,
        }
        if theirs != "BertForQuestionAnswering":
            yield packed_parity(theirs, mine, other, inputs, batch)


def packed_parity(
    name: str,
    mine: PretrainedModel,
    other: torch.nn.Module,
    inputs: dict[str, Tensor],
    batch: dict[str, Tensor],
) -> Row:
    """The packed path in bf16 is as far from float32, in its gradients, as theirs is in bf16."""
    on_host = {key: value.cpu() for key, value in inputs.items()}
    if name == "BertLMHeadModel":
        on_host["labels"][:, 0] = -100
        inputs = {**inputs, "labels": on_host["labels"].to(DEVICE)}
    if name in ("BertForPreTraining", "BertForMaskedLM"):
        on_host["masked_positions"] = batch["masked_positions"]
    packed = on_device(pack(on_host, name != "BertForSequenceClassification"), DEVICE)

    def gradient(model: torch.nn.Module, given: dict[str, Any], precision: str) -> Tensor:
        model.zero_grad()
        with autocast(precision, DEVICE) if precision == "bf16" else nullcontext():
            model(**given).loss.backward()
        found = (p.grad for p in model.parameters())
        return torch.cat([part.flatten() for part in found if part is not None])

    def error(model: torch.nn.Module, given: dict[str, Any]) -> float:
        exact = gradient(model, inputs, "float32")
        return float((gradient(model, given, "bf16") - exact).norm() / exact.norm())

    ours, theirs = error(mine, packed), error(other, inputs)
    return row(f"packed, {name}, bf16", "gradient's relative error", ours, theirs) | {
        "ratio": ours / theirs,
        "floor": 1.5,
        "holds": ours <= 1.5 * theirs,
    }


def speeds() -> Iterator[Row]:
    """Steps of pre-training: texts of varied length, and full rows."""
    rate = matrix_rate(DEVICE, "bf16", 256 if QUICK else 8192)
    yield row("matrix product, bf16, 8192", "TFLOP/s", rate / 1e12)
    data = texts(512)
    for dropout, compiled, streams in (
        (0.1, True, (False, True)),
        (0.0, True, (True,)),
        (0.1, False, (False,)),
    ):
        rates = {"hidden_dropout_prob": dropout, "attention_probs_dropout_prob": dropout}
        config = preset("base", **rates)
        steps, theirs, tokens = varied(config, data, 3 if QUICK else 4)
        mine, other = pair(config, heads.BertForPreTraining, "BertForPreTraining")
        flops = statistics.mean(step.work.flops for step in steps)
        batches = [[part.batch for part in step.parts] for step in steps]
        compiles = compiled and not QUICK
        right = Side(other, theirs, compiling={"dynamic": True} if compiles else None)
        for narrow in streams:
            mine.base_model.encoder.stream_dtype = torch.bfloat16 if narrow else None
            left = Side(mine, batches, compiling={"dynamic": False} if compiles else None)
            took, took_theirs, ratios = in_turns(left, right, 3)
            name = f"Base, texts up to 512, {'compiled' if compiled else 'eager'}"
            name += f", dropout {dropout}{', bf16 between layers' if narrow else ''}"
            ratios = [ratio * tokens[0] / tokens[1] for ratio in ratios]
            ours, there = tokens[0] / took, tokens[1] / took_theirs
            yield row(name, "real tokens/s", ours, there, ratios, 2.5 if compiled else None)
            share = flops / took / rate
            yield row(name, "of the matrix rate", share, floor=0.5 if compiled else None)
        del left, right, mine, other
        torch.compiler.reset()
    for size, rows in (("base", 64), ("mini", 256)):
        mine, other = pair(preset(size), heads.BertForPreTraining, "BertForPreTraining")
        batch = full_rows(8 if QUICK else rows, 128)
        there_too = {name: value for name, value in batch.items() if name != "masked_positions"}
        left, right = Side(mine, [[pinned(batch)]] * 5), Side(other, [[pinned(there_too)]] * 5)
        took, took_theirs, ratios = in_turns(left, right, 3)
        count = batch["input_ids"].numel()
        name = f"{size}, {rows} x 128, eager"
        yield row(name, "tokens/s", count / took, count / took_theirs, ratios)


def trainer() -> Iterator[Row]:
    """What the trainer reaches of its own bare step: the same compiled model, no loop around."""
    data = texts(512)
    for name, steps in (("mini", 120), ("base", 50)):
        with tempfile.TemporaryDirectory() as folder:
            settings = TrainingConfig(
                folder,
                max_steps=12 if QUICK else steps,
                batch_tokens=2048 if QUICK else BUDGET // 2,
                compile=not QUICK,
                precision="bf16",
                learning_rate=1e-4,
            )
            with DEVICE:
                model = heads.BertForPreTraining(preset(name))
            run = Trainer(model, settings, data)
            history = run.fit()
            entries = [entry for entry in history if "tokens_per_second" in entry]
            speed = statistics.median(
                entry["tokens_per_second"] for entry in entries[2:] or entries
            )
            bare = Side(model, [])
            bare.run = run.runner
            planned = list(islice(run.steps.since(0), 3 if QUICK else 20))
            # With the count of labels in the batch and no logits, as the trainer asks for them.
            bare.batches = [
                [
                    pinned({**part.batch, "label_count": torch.tensor(float(step.labels or 1))})
                    | {"loss_only": DEVICE.type != "cpu"}
                    for part in step.parts
                ]
                for step in planned
            ]
            bare.seconds()
            took = statistics.median(bare.seconds() for _ in range(3))
            tokens = statistics.mean(step.work.tokens for step in planned)
        share = speed / (tokens / took)
        yield row(
            f"trainer, {name}, texts up to 512, compiled",
            "tokens/s, and its bare step's",
            speed,
            tokens / took,
            [share],
            0.95,
            mfu=entries[-1].get("mfu"),
            peak_memory_gib=entries[-1].get("peak_memory_gib"),
        )


def memory() -> Iterator[Row]:
    """The peak of fine-tuning's memory beside the course's model of it, in GiB."""
    on_gpu = DEVICE.type == "cuda"
    cases = [
        ("base", 32, 128, "float32"),
        ("base", 32, 128, "bf16"),
        ("base", 32, 512, "float32"),
        ("base", 32, 512, "bf16"),
        ("large", 32, 128, "float32"),
        ("large", 32, 128, "bf16"),
        ("large", 12, 384, "float32"),
        ("large", 12, 384, "bf16"),
    ]
    for name, rows, length, precision in cases:
        rows, length = (2, 8) if QUICK else (rows, length)
        config = preset(name)
        before = torch.cuda.memory_allocated() if on_gpu else 0
        with DEVICE:
            model = task_heads.BertForSequenceClassification(config)
        batch = full_rows(rows, length)
        mask = torch.ones(rows, length, dtype=torch.int64)
        mask[-1, -1] = 0
        inputs = {
            "input_ids": batch["input_ids"],
            "attention_mask": mask,
            "token_type_ids": batch["token_type_ids"],
            "labels": torch.arange(rows) % 2,
        }
        side = Side(model, [[pinned(inputs)]] * 3, precision)
        if on_gpu:
            torch.cuda.reset_peak_memory_stats()
        side.seconds()
        measured = (torch.cuda.max_memory_allocated() - before) / GIB if on_gpu else float("nan")
        told = peak_memory(config, rows, length, precision=precision).total / GIB
        gap = measured / told
        yield row(f"memory, {name}, {rows} x {length}, {precision}", "GiB", measured, told) | {
            "ratio": gap,
            "floor": 0.95,
            "holds": 0.95 <= gap <= 1.05,
        }
        del side, model
        if on_gpu:
            torch.cuda.empty_cache()


def finetuning() -> Iterator[Row]:
    """A classifier of `minilm`'s shape on short texts, 32 at a time."""
    shape = {"num_hidden_layers": 6, "hidden_size": 384, "num_attention_heads": 12}
    config = preset("base", **({} if QUICK else {**shape, "intermediate_size": 1536}))
    mine, other = pair(
        config, task_heads.BertForSequenceClassification, "BertForSequenceClassification"
    )
    data, rng = texts(128, "mlm"), np.random.default_rng(0)
    ours, theirs = [], []
    for number in range(10):
        batch = data.collate(rng.integers(0, len(data), 32), torch.Generator().manual_seed(number))
        batch = {name: batch[name] for name in ("input_ids", "attention_mask", "token_type_ids")}
        batch["labels"] = torch.arange(32) % 2
        theirs.append([pinned(batch)])
        ours.append([pinned(pack(batch, False))])
    took, took_theirs, ratios = in_turns(Side(mine, ours), Side(other, theirs), 5)
    yield row("fine-tuning, minilm's shape, 32 texts up to 128, eager", "texts/s", 32 / took,
              32 / took_theirs, ratios)  # fmt: skip


def generation() -> Iterator[Row]:
    """Greedy continuation with a cache, in float32; the tokens must be the same."""
    for name, rows in (("base", 1), ("base", 8), ("base", 16), ("mini", 1), ("mini", 16)):
        new = 10 if QUICK else 200
        mine, other = pair(preset(name), heads.BertForCausalLM, "BertLMHeadModel")
        mine.eval()
        other.eval()
        prompt = torch.randint(5, 900, (rows, 16), device=DEVICE)
        options = {"max_new_tokens": new, "min_new_tokens": new, "do_sample": False}
        sides: list[Callable[[], Tensor]] = [
            partial(generate, mine, prompt, new),
            partial(other.generate, prompt, pad_token_id=0, **options),
        ]
        times: list[list[float]] = [[], []]
        for _ in range(3):
            results = []
            for side, taken in zip(sides, times, strict=True):
                wait()
                started = time.perf_counter()
                results.append(side())
                wait()
                taken.append(time.perf_counter() - started)
        same = float((results[0] == results[1]).all(1).float().mean())
        ratios = [b / a for a, b in zip(*times, strict=True)][1:]
        ours, theirs = (statistics.median(taken[1:]) for taken in times)
        yield row(f"generation, {name}, {rows} x {new}", "s", ours, theirs, ratios, 2.0) | {
            "rows with the same tokens": same
        }


def fp16() -> Iterator[Row]:
    """A run in float16 with scaled gradients comes to the loss of the same run in bf16."""
    data, losses = texts(128), {}
    for precision in ("fp16" if DEVICE.type == "cuda" else "float32", "bf16"):
        with tempfile.TemporaryDirectory() as folder:
            torch.manual_seed(0)
            settings = TrainingConfig(
                folder,
                max_steps=4 if QUICK else 60,
                batch_tokens=1024 if QUICK else 8192,
                precision=precision,
                learning_rate=5e-4,
            )
            model = heads.BertForPreTraining(preset("mini"))
            losses[precision] = Trainer(model, settings, data).fit()[-1]["loss"]
    gap = losses["fp16"] / losses["bf16"] if "fp16" in losses else float("nan")
    yield row("fp16, mini, loss after 60 steps", "nats, and bf16's", *losses.values()) | {
        "ratio": gap,
        "floor": 1.02,
        "holds": gap <= 1.02,
    }


# What takes minutes to compile comes last: the other side compiles anew for its shapes.
SECTIONS = {
    part.__name__: part for part in (parity, trainer, memory, generation, fp16, finetuning, speeds)
}


def main() -> None:
    """Print and write the rows."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=SECTIONS, default=list(SECTIONS))
    parser.add_argument("--seconds", type=float, default=330)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    if DEVICE.type != "cuda" and not QUICK:
        parser.error("there is no CUDA GPU here: --quick rehearses on the CPU")
    started = time.perf_counter()
    card = torch.cuda.get_device_name() if DEVICE.type == "cuda" else "CPU"
    about = {"card": card, "torch": torch.__version__, "transformers": transformers.__version__}
    print(json.dumps(about), flush=True)
    # What was measured before, on this card, stays until it is measured again.
    held = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.is_file() else {}
    before: list[Row] = held["rows"] if held.get("card") == card and not QUICK else []
    kept = {name: [one for one in before if one["section"] == name] for name in SECTIONS}
    for name in options.only:
        if time.perf_counter() - started > options.seconds:
            print(f"{name}: no time left", flush=True)
            continue
        fresh: list[Row] = []
        try:
            for made in SECTIONS[name]():
                taken = time.perf_counter() - started
                fresh.append({"section": name, **made, "seconds": round(taken)})
                kept[name] = fresh
                print(json.dumps(fresh[-1]), flush=True)
                if not QUICK:
                    write(RESULTS, about, [one for part in kept.values() for one in part])
                if taken > options.seconds:
                    print(f"{name}: no time for the rest of it", flush=True)
                    break
        except Exception:  # one section that breaks must not cost the others
            traceback.print_exc()
        if DEVICE.type == "cuda":
            torch.cuda.empty_cache()


if __name__ == "__main__":
    main()
