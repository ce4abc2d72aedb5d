"""The same small model behind two tokenizers: does WordPiece suit meaning better than BPE (C13)?

Both vocabularies have 800 entries and are learned from the same Wikipedia sentences: BPE merges
the most frequent pair, WordPiece the pair with the highest n(ab) / (n(a) n(b)). A language model
(2 layers of 32, causal) reads the same sentences in the same order through each, and is judged by
bits per character on held-out sentences, since bits per token would reward longer tokens. Then the
same model, with what it has learned and without its mask, learns which headlines are serious and
which are sarcastic.

    python -m minibert.course.experiments.ch02_tokenizers
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable
from functools import cache
from itertools import islice, pairwise

import torch
from tokenizers import models

from minibert import (
    BertConfig,
    BertForCausalLM,
    BertForSequenceClassification,
    Tokenizer,
    load_dataset,
)
from minibert.course.experiments.harness import run
from minibert.data.corpora import load_corpus
from minibert.data.examples import Example
from minibert.data.splits import Splits
from minibert.model.loss import IGNORE_INDEX
from minibert.tokenization.files import SPECIAL_TOKENS
from minibert.tokenization.wordpiece import (
    count_words,
    encode_wordpiece,
    split_words,
    train_wordpiece,
)
from minibert.training.optimization import parameter_groups

ARMS = ("BPE", "WordPiece")


corpus = cache(load_corpus)


@cache
def sentences(side: str, number: int) -> list[str]:
    """The first sentences of Wikipedia passages that have 20 to 200 characters, all ASCII."""
    usable = (
        sentence
        for document in getattr(corpus("boolq"), side)
        for sentence in document
        if 20 <= len(sentence) <= 200 and "".join(split_words(sentence)).isascii()
    )
    return list(islice(usable, number))


@cache
def tokenizers(
    learned_from: int, vocab_size: int, frequencies: tuple[int, ...]
) -> dict[str, Tokenizer]:
    """The two tokenizers. WordPiece gets the smallest count of a pair that serves it best.

    Left to itself, n(ab) / (n(a) n(b)) fills the vocabulary with rare words. So it is learned with
    several limits, and the one that writes the training text in the fewest pieces is kept.
    """
    texts = sentences("train", learned_from)
    counts = count_words(texts)
    frequent = Tokenizer.train(texts, vocab_size)  # the library's merges: those of BPE
    merges = merges_of(list(frequent.vocab)[len(SPECIAL_TOKENS) :])
    frequent.backend.model = models.BPE(
        frequent.vocab, merges, unk_token="[UNK]", continuing_subword_prefix="##"
    )
    learned = [train_wordpiece(counts, vocab_size - len(SPECIAL_TOKENS), n) for n in frequencies]
    best = min((set(vocab) for vocab, _ in learned), key=lambda vocab: pieces(counts, vocab))
    likely = next(vocab for vocab, _ in learned if set(vocab) == best)
    return {"BPE": frequent, "WordPiece": Tokenizer.from_vocab([*SPECIAL_TOKENS, *likely])}


def merges_of(entries: list[str]) -> list[tuple[str, str]]:
    """The pair that each entry was merged from, from a vocabulary in the order of the merges."""
    vocab: set[str] = set()
    merges: list[tuple[str, str]] = []
    for entry in entries:
        letters = entry.removeprefix("##")
        if len(letters) > 1:
            order = {pair: i for i, pair in enumerate(merges)}
            symbols = [
                ("##" if i or entry.startswith("##") else "") + c for i, c in enumerate(letters)
            ]
            while len(symbols) > 2:
                _, i = min((order[p], i) for i, p in enumerate(pairwise(symbols)) if p in order)
                symbols[i : i + 2] = [symbols[i] + symbols[i + 1].removeprefix("##")]
            merges.append((symbols[0], symbols[1]))
        vocab.add(entry)
    return merges


def pieces(counts: dict[str, int], vocab: set[str]) -> int:
    """Into how many pieces the words are cut, all together."""
    return sum(n * len(encode_wordpiece(word, vocab)) for word, n in counts.items())


@cache
def headlines() -> Splits[Example]:
    """Headlines, serious or sarcastic, with their sides."""
    return load_dataset("sarcasm")


def config(tokenizer: Tokenizer, size: int) -> BertConfig:
    """Two layers."""
    return BertConfig(
        vocab_size=tokenizer.vocab_size,
        hidden_size=size,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=4 * size,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        max_position_embeddings=256,
    )


def train(
    model: torch.nn.Module,
    batches: Iterable[dict[str, torch.Tensor]],
    steps: int,
    rate: float,
    quiet: bool = False,
) -> None:
    """AdamW over the batches, the rate rising for a tenth of them and falling to zero."""
    optimizer = torch.optim.AdamW(parameter_groups(model, 0.01), lr=rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, rate, total_steps=steps, pct_start=0.1, anneal_strategy="linear"
    )
    model.train()
    for step, batch in enumerate(batches):
        loss = model(**batch).loss
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if step % 50 == 0 and not quiet:
            print(f"    step {step} of {steps}: loss {loss.item():.3f}", flush=True)
    model.eval()


def language_batch(tokenizer: Tokenizer, texts: list[str]) -> dict[str, torch.Tensor]:
    """Sentences as a batch with the labels of a causal language model."""
    batch = tokenizer(texts, padding=True)
    labels = batch["input_ids"].masked_fill(batch["attention_mask"] == 0, IGNORE_INDEX)
    return {**batch, "labels": labels}


@torch.no_grad()
def bits_per_character(model: BertForCausalLM, tokenizer: Tokenizer, texts: list[str]) -> float:
    """What the texts cost, ends of sentence included, by the characters they are made of."""
    bits = 0.0
    for start in range(0, len(texts), 64):
        batch = language_batch(tokenizer, texts[start : start + 64])
        predicted = int((batch["labels"][:, 1:] != IGNORE_INDEX).sum())
        bits += model(**batch).loss.item() * predicted / math.log(2)
    return bits / sum(map(len, texts))


def headline_batch(tokenizer: Tokenizer, examples: list[Example]) -> dict[str, torch.Tensor]:
    """Headlines with 1 for sarcastic."""
    rows = tokenizer([e.text for e in examples], padding=True, max_length=128)
    return {**rows, "labels": torch.tensor([int(e.label == "sarcastic") for e in examples])}


@torch.no_grad()
def accuracy(
    model: BertForSequenceClassification, tokenizer: Tokenizer, examples: list[Example]
) -> float:
    """The share of headlines judged rightly."""
    right = 0
    for start in range(0, len(examples), 64):
        rows = headline_batch(tokenizer, examples[start : start + 64])
        right += int((model(**rows).logits.argmax(-1) == rows["labels"]).sum())
    return right / len(examples)


def measure(
    seed: int,
    *,
    learned_from: int,
    vocab_size: int,
    frequencies: list[int],
    size: int,
    steps: int,
    batch: int,
    rate: float,
    judge_rate: float,
    held_out: int,
    judged: int,
    asked: int,
) -> dict[str, dict[str, float]]:
    """One seed: it draws the weights and the order of the sentences, the same for both arms."""
    both = tokenizers(learned_from, vocab_size, tuple(frequencies))
    texts, unseen = sentences("train", learned_from), sentences("dev", held_out)
    order = torch.Generator().manual_seed(seed)
    drawn = torch.randint(len(texts), (steps, batch), generator=order).tolist()
    chosen = torch.randperm(len(headlines().train), generator=order)[:judged]
    parts = [part.tolist() for part in chosen.split(32)]
    outcome: dict[str, dict[str, float]] = {}
    for arm in ARMS:
        tokenizer, began = both[arm], time.process_time()
        torch.manual_seed(seed)
        reader = BertForCausalLM(config(tokenizer, size))
        train(
            reader,
            (language_batch(tokenizer, [texts[i] for i in row]) for row in drawn),
            steps,
            rate,
        )
        torch.manual_seed(seed)
        judge = BertForSequenceClassification(config(tokenizer, size))
        judge.bert.load_state_dict(reader.bert.state_dict(), strict=False)  # all but the pooler
        train(
            judge,
            (headline_batch(tokenizer, [headlines().train[i] for i in p]) for p in parts),
            len(parts),
            judge_rate,
        )
        tokens = sum(len(row.ids) - 2 for row in tokenizer.encode_batch(unseen))
        outcome[arm] = {
            "bits_per_character": round(bits_per_character(reader, tokenizer, unseen), 4),
            "accuracy": round(accuracy(judge, tokenizer, headlines().test[:asked]), 4),
            "characters_per_token": round(sum(map(len, unseen)) / tokens, 4),
            "seconds": round(time.process_time() - began, 1),
        }
        print("   ", arm, outcome[arm], flush=True)
    return outcome


if __name__ == "__main__":
    run(
        "ch02_tokenizers",
        {
            "learned_from": 2000,
            "vocab_size": 800,
            "frequencies": [30, 60],
            "size": 32,
            "steps": 1000,
            "batch": 16,
            "rate": 5e-3,
            "judge_rate": 4e-3,
            "held_out": 128,
            "judged": 3840,
            "asked": 500,
        },
        seeds=[0, 1, 2, 3, 4],
        measure=measure,
        quick={"steps": 20, "held_out": 32, "judged": 640, "asked": 64},
    )
