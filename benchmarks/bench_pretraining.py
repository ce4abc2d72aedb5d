"""Pre-training speed beside `transformers`: tokens a second on the same batches, interleaved.

    python benchmarks/bench_pretraining.py [--rounds 7] [--dropout 0.1]

Both sides: 4 layers of 256, 4 heads, vocabulary 8,192, batches of 64 x 128, masked language model
and next sentence prediction, forward, backward, clipping and fused AdamW. `transformers` runs
`BertForPreTraining` with scaled-dot-product attention. The steps alternate (ours, theirs, ours,
theirs ...), so that a machine that slows down slows both; the ratio is the median of the pairs.
bf16 is measured where the processor has it, for emulated it says nothing and takes very long.

On a processor the trainer also keeps the memory of large tensors between steps. Neither side does
so above; what it gains is measured by itself, in turns of three steps with and without, for masked
words and for a causal model, whose scores of every position are by far the largest tensors.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import replace

import torch
import transformers
from torch import Tensor

from minibert import BertConfig, BertForCausalLM, BertForPreTraining
from minibert.pretraining.masking import mask_tokens
from minibert.training.allocation import kept_memory
from minibert.training.devices import autocast, choose_device, has_native_bf16
from minibert.training.optimization import parameter_groups
from minibert.weights.folder import config_to_hugging_face

ROWS, LENGTH, VOCABULARY = 64, 128, 8192


def make_batch(seed: int) -> dict[str, Tensor]:
    """Random ids, corrupted as in pre-training; no padding."""
    generator = torch.Generator().manual_seed(seed)
    ids = torch.randint(5, VOCABULARY, (ROWS, LENGTH), generator=generator)
    special = torch.zeros(ROWS, LENGTH, dtype=torch.bool)
    special[:, [0, LENGTH // 2, -1]] = True
    corrupted, labels, positions = mask_tokens(
        ids, special, 4, VOCABULARY, special_ids=torch.arange(5), generator=generator
    )
    segments = (torch.arange(LENGTH) > LENGTH // 2).long().expand(ROWS, LENGTH)
    return {
        "input_ids": corrupted,
        "token_type_ids": segments,
        "labels": labels,
        "masked_positions": positions,
        "next_sentence_label": torch.randint(0, 2, (ROWS,), generator=generator),
    }


def stepper(
    model: torch.nn.Module, precision: str, device: torch.device
) -> Callable[[dict[str, Tensor]], float]:
    """A function that takes one optimizer step and returns its seconds."""
    model.to(device).train()
    optimizer = torch.optim.AdamW(parameter_groups(model, 0.01), lr=1e-4, fused=True)

    def step(batch: dict[str, Tensor]) -> float:
        started = time.perf_counter()
        with autocast(precision, device):
            loss = model(**{name: value.to(device) for name, value in batch.items()}).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        if device.type == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter() - started

    return step


def compare(precision: str, rounds: int, dropout: float, device: torch.device) -> dict[str, float]:
    """Median tokens a second of each side and the median ratio of the pairs."""
    config = BertConfig.preset(
        "mini",
        vocab_size=VOCABULARY,
        hidden_dropout_prob=dropout,
        attention_probs_dropout_prob=dropout,
    )
    torch.manual_seed(0)
    ours = stepper(BertForPreTraining(config), precision, device)
    values = config_to_hugging_face(config, "BertForPreTraining")
    reference = transformers.BertConfig(**values, attn_implementation="sdpa")
    theirs = stepper(transformers.BertForPreTraining(reference), precision, device)
    pairs = []
    for number in range(rounds + 2):
        batch = make_batch(number)
        # The reference knows nothing of masked positions: it predicts all of them.
        plain = {name: value for name, value in batch.items() if name != "masked_positions"}
        pairs.append((ours(batch), theirs(plain)))
    pairs = pairs[2:]  # the first two warm up
    tokens = ROWS * LENGTH
    return {
        "minibert_tokens_per_second": round(tokens / statistics.median(a for a, _ in pairs)),
        "transformers_tokens_per_second": round(tokens / statistics.median(b for _, b in pairs)),
        "ratio": round(statistics.median(b / a for a, b in pairs), 2),
        "ratio_min": round(min(b / a for a, b in pairs), 2),
        "ratio_max": round(max(b / a for a, b in pairs), 2),
    }


def compare_allocation(rounds: int, dropout: float) -> dict[str, float]:
    """Median seconds of our steps in float32 with freed memory given back, by with it kept."""
    torch.manual_seed(0)
    config = BertConfig.preset(
        "mini",
        vocab_size=VOCABULARY,
        hidden_dropout_prob=dropout,
        attention_probs_dropout_prob=dropout,
    )
    masked = make_batch(0)
    ids = masked["input_ids"]
    cases = {
        "masked": (BertForPreTraining(config), masked),
        "causal": (
            BertForCausalLM(replace(config, is_causal=True)),
            {"input_ids": ids, "labels": ids},
        ),
    }
    ratios = {}
    for name, (model, batch) in cases.items():
        step = stepper(model, "float32", torch.device("cpu"))
        kept, given_back = [], []
        for _ in range(rounds):
            with kept_memory():
                kept += [step(batch) for _ in range(3)][1:]  # the first of a turn gets its pages
            given_back += [step(batch) for _ in range(3)][1:]
        ratios[name] = round(statistics.median(given_back) / statistics.median(kept), 2)
    return ratios


def main() -> None:
    """Print one JSON line a precision."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--dropout", type=float, default=0.1)
    options = parser.parse_args()
    device = choose_device("auto")
    print(
        f"{platform.processor() or platform.machine()}, {torch.get_num_threads()} threads, "
        f"{device}, torch {torch.__version__}, transformers {transformers.__version__}, "
        f"native bf16: {has_native_bf16(device)}"
    )
    for precision in ("bf16", "float32") if has_native_bf16(device) else ("float32",):
        result = compare(precision, options.rounds, options.dropout, device)
        print(json.dumps({"precision": precision, "dropout": options.dropout, **result}))
    if device.type == "cpu":
        gains = compare_allocation(options.rounds, options.dropout)
        print(json.dumps({"faster_with_memory_kept": gains}))


if __name__ == "__main__":
    main()
