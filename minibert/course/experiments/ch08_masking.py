"""What the masks are for: 80/10/10, its parts, all masks, and no masks at all (claims B18, E2).

Five small models a seed, alike but for what is done to their input, read the same documents of
`small_world.py` (constructed) in the same order. They are then asked about documents that they
have not read:

- cloze: the original behind `[MASK]`;
- noisy cloze: the same, with some of the visible tokens replaced by random ones;
- kept: at a visible token, is that token what the model predicts?
- zebra: at a random token, does it predict the original, or the random one?
- place: in plain text, with nothing masked, can a linear classifier tell from the vector of the
  thing's word which place the document is about?

    python -m minibert.course.experiments.ch08_masking

It takes half an hour on one busy core.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from minibert import BertForMaskedLM, Tokenizer
from minibert.course.experiments.harness import run
from minibert.course.experiments.small_world import (
    PLACES,
    THINGS,
    documents,
    model_config,
    tokenizer,
)
from minibert.model.loss import IGNORE_INDEX
from minibert.pretraining.corpus import TokenCorpus
from minibert.pretraining.dataset import PretrainingDataset
from minibert.training.batching import derived_seed, epoch_batches, seeded
from minibert.training.optimization import learning_rate_factor, parameter_groups

# Of the selected tokens, in percent: masked / random / kept.
ARMS = {"80/10/10": 0.8, "80/20/0": 0.8, "80/0/20": 0.8, "100/0/0": 1.0, "no masks": None}


def as_arm(arm: str, batch: dict[str, Tensor], words: Tokenizer, seed: int) -> dict[str, Tensor]:
    """A batch of 80/10/10 with its kept tokens made random, or its random ones put back."""
    ids, labels = batch["input_ids"], batch["labels"]
    seen = (labels != IGNORE_INDEX) & (ids != words.mask_token_id)  # selected, and not hidden
    if arm == "80/20/0":
        ordinary = torch.tensor(sorted(set(range(words.vocab_size)) - words.special_ids))
        picks = ordinary[torch.randint(len(ordinary), ids.shape, generator=seeded(seed))]
        return batch | {"input_ids": torch.where(seen & (ids == labels), picks, ids)}
    if arm == "80/0/20":
        return batch | {"input_ids": torch.where(seen, labels, ids)}
    return batch


def train(
    model: BertForMaskedLM,
    dataset: PretrainingDataset,
    arm: str,
    *,
    steps: int,
    seed: int,
    rate: float,
) -> list[float]:
    """The bare loop, without files: the loss of every step."""
    optimizer = torch.optim.AdamW(parameter_groups(model, 0.01), lr=rate)
    epoch_steps = len(dataset) // 32
    losses = []
    model.train()
    for step in range(steps):
        if step % epoch_steps == 0:
            batches = epoch_batches(dataset.lengths, 32, seed, step // epoch_steps)
        batch = dataset.collate(batches[step % epoch_steps], seeded(seed, step))
        batch = as_arm(arm, batch, dataset.tokenizer, derived_seed(seed, step))
        for group in optimizer.param_groups:
            group["lr"] = rate * learning_rate_factor("linear", step, steps, steps // 10)
        loss = model(**batch).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    return losses


@torch.no_grad()
def examine(
    model: BertForMaskedLM, dataset: PretrainingDataset, noise: float, rows: int
) -> dict[str, float]:
    """Cloze, noisy cloze, kept and zebra: the same rows and blanks for every model."""
    model.eval()
    tokenizer, generator = dataset.tokenizer, seeded(0)
    order = torch.randperm(len(dataset.points), generator=generator)[:rows].numpy()
    batch = dataset.collate(order, generator)  # all selected tokens are [MASK]
    ids, chosen = batch["input_ids"], batch["labels"] != IGNORE_INDEX
    whole = torch.where(chosen, batch["labels"], ids)
    mask = batch.get("attention_mask")
    special = torch.isin(whole, torch.tensor(sorted(tokenizer.special_ids)))
    ordinary = torch.tensor(sorted(set(range(tokenizer.vocab_size)) - tokenizer.special_ids))
    picks = ordinary[torch.randint(len(ordinary), ids.shape, generator=generator)]
    disturbed = (torch.rand(ids.shape, generator=generator) < noise) & ~special & ~chosen

    def read(inputs: Tensor) -> Tensor:
        logits: Tensor = model(inputs, mask).logits[chosen]
        return logits

    truth, zebra = whole[chosen], picks[chosen]
    differs = zebra != truth
    cloze, replaced = read(ids), read(torch.where(chosen, picks, ids))
    noisy = read(torch.where(disturbed, picks, ids))
    return {
        "cloze": (cloze.argmax(-1) == truth).float().mean().item(),
        "cloze loss": cross_entropy(cloze, truth).item(),
        "noisy cloze": (noisy.argmax(-1) == truth).float().mean().item(),
        "noisy cloze loss": cross_entropy(noisy, truth).item(),
        "kept": (read(whole).argmax(-1) == truth).float().mean().item(),
        "zebra: the original": (replaced.argmax(-1) == truth)[differs].float().mean().item(),
        "zebra: the random one": (replaced.argmax(-1) == zebra)[differs].float().mean().item(),
    }


def place_rows(texts: list[list[str]], tokenizer: Tokenizer) -> tuple[Tensor, Tensor]:
    """Documents (B, T) in plain sight and, at each thing, the number of its place (B, T).

    -1 elsewhere, and where the place is not mentioned.
    """
    ids = tokenizer([" ".join(text) for text in texts], padding=True)["input_ids"]
    things = torch.tensor([tokenizer.vocab[thing] for thing in THINGS])
    labels = torch.full_like(ids, -1)
    for number, place in enumerate(PLACES):
        here = (ids == tokenizer.vocab[place]).any(1, keepdim=True)
        labels[here & torch.isin(ids, things)] = number
    return ids, labels


def probe(
    model: BertForMaskedLM,
    learn: tuple[Tensor, Tensor],
    unseen: tuple[Tensor, Tensor],
) -> list[float]:
    """Accuracy of a linear classifier on each layer's vectors, the embeddings first."""

    @torch.no_grad()
    def vectors(ids: Tensor, labels: Tensor) -> list[tuple[Tensor, Tensor]]:
        mask = (ids != model.config.pad_token_id).long()
        states = model.bert(ids, mask, output_hidden_states=True).hidden_states
        return [(state[labels >= 0], labels[labels >= 0]) for state in states]

    model.eval()
    found = []
    for (x, y), (x_new, y_new) in zip(vectors(*learn), vectors(*unseen), strict=True):
        centre, spread = x.mean(0), x.std(0) + 1e-6
        x, x_new = (x - centre) / spread, (x_new - centre) / spread
        classifier = torch.nn.Linear(x.shape[1], len(PLACES))
        torch.nn.init.zeros_(classifier.weight)
        search = torch.optim.LBFGS(
            classifier.parameters(), max_iter=60, line_search_fn="strong_wolfe"
        )

        def loss(
            x: Tensor = x,
            y: Tensor = y,
            classifier: torch.nn.Linear = classifier,
            search: torch.optim.Optimizer = search,
        ) -> Tensor:
            search.zero_grad()
            value = cross_entropy(classifier(x), y) + 1e-3 * classifier.weight.square().sum()
            value.backward()
            return value

        search.step(loss)
        found.append((classifier(x_new).argmax(-1) == y_new).float().mean().item())
    return found


def measure(
    seed: int,
    *,
    width: int,
    length: int,
    read: int,
    steps: int,
    rate: float,
    noise: float,
    rows: int,
) -> dict[str, Any]:
    """One seed of all arms."""
    words = tokenizer()
    texts, new_texts = documents(read, seed=0), documents(rows, seed=1)
    learn, unseen = place_rows(documents(2 * rows, seed=2), words), place_rows(new_texts, words)
    result: dict[str, Any] = {}
    with TemporaryDirectory() as folder:
        train_corpus = TokenCorpus.build(texts, words, Path(folder) / "train")
        new_corpus = TokenCorpus.build(new_texts, words, Path(folder) / "new")
        blanks = PretrainingDataset(new_corpus, words, length, "mlm", masked=1.0)
        counts = np.bincount(np.asarray(train_corpus.tokens), minlength=words.vocab_size)
        frequent = int(counts.argmax())
        result["frequent"] = {
            "token": words.convert_ids_to_tokens([frequent])[0],
            "share": round(float((np.asarray(new_corpus.tokens) == frequent).mean()), 4),
        }
        for arm, masked in ARMS.items():
            if masked is None:
                # What "causal" hands out is the plain text, every token its own label.
                dataset = PretrainingDataset(train_corpus, words, length, "causal")
            else:
                dataset = PretrainingDataset(train_corpus, words, length, "mlm", masked)
            torch.manual_seed(seed)
            shape = model_config(words, width, length)
            model = BertForMaskedLM(shape)
            losses = train(model, dataset, arm, steps=steps, seed=seed, rate=rate)
            curve = np.array(losses[: steps // 10 * 10]).reshape(-1, 10).mean(1)
            result[arm] = {
                "loss": [round(float(value), 4) for value in curve],
                **{k: round(v, 4) for k, v in examine(model, blanks, noise, rows).items()},
                "place": [round(value, 4) for value in probe(model, learn, unseen)],
            }
            shown = {k: v for k, v in result[arm].items() if k != "loss"}
            print(f"seed {seed}, {arm}: last loss {curve[-1]:.3f}, {shown}", flush=True)
    return result


if __name__ == "__main__":
    run(
        "ch08_masking",
        {
            "width": 64,
            "length": 32,
            "read": 20000,  # documents
            "steps": 2000,
            "rate": 2e-3,
            "noise": 0.15,
            "rows": 1000,
        },
        seeds=[0, 1, 2, 3, 4],
        measure=measure,
        quick={"read": 1000, "steps": 30, "rows": 50},
    )
