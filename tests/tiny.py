"""A tiny model folder with random weights, and data so small that it fits into a test."""

import json
from pathlib import Path

import torch

from minibert import BertConfig, BertModel, Tokenizer

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
_TEXT = """
the film was great fine lovely awful dull poor and not very . , ? who saw where is anna bob lives
in paris rome works at acme zed un ##believ ##able ##s 电 影 好 坏 cafe 0 1 2 3 4 5 6 7 8 9
"""
WORDS = _TEXT.split()
POSITIONS = 48


def tokenizer() -> Tokenizer:
    made = Tokenizer.from_vocab(SPECIAL + WORDS, name="tiny")
    made.model_max_length = POSITIONS
    return made


def config(**changes) -> BertConfig:
    shape = {
        "vocab_size": len(SPECIAL + WORDS),
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 64,
        "max_position_embeddings": POSITIONS,
        "initializer_range": 0.1,  # the usual 0.02 is too little for a width of 32
    }
    return BertConfig(**{**shape, **changes})


def save(folder: Path, kind: type = BertModel, **changes) -> Path:
    """A model of any kind and its tokenizer, in a folder."""
    torch.manual_seed(0)
    kind(config(**changes)).save_pretrained(folder)
    tokenizer().save_pretrained(folder)
    return folder


GOOD, BAD = ("great", "fine", "lovely"), ("awful", "dull", "poor")


def reviews(path: Path, count: int, **columns: str) -> Path:
    """Rows of "the film was great and fine" with their labels: what a tiny model learns."""
    text, label = columns.get("text", "text"), columns.get("label", "label")
    lines = []
    for i in range(count):
        words = (GOOD, BAD)[i % 2]
        sentence = f"the film {i % 10} was {words[i % 3]} and {words[(i + 1) % 3]}"
        row = {text: sentence + " ." * (i % 4), label: ("good", "bad")[i % 2]}
        lines.append(json.dumps(row))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def tagged(path: Path, count: int) -> Path:
    """Sentences with a person and a place."""
    sentences = []
    for i in range(count):
        who, where = ("anna", "bob")[i % 2], ("paris", "rome")[i // 2 % 2]
        words = [(who, "B-PER"), ("lives", "O"), ("in", "O"), (where, "B-LOC"), (".", "O")]
        sentences.append("\n".join(f"{word} {tag}" for word, tag in words[: 5 - i % 3 // 2]))
    path.write_text("\n\n".join(sentences) + "\n", encoding="utf-8")
    return path


def squad(path: Path, count: int, impossible: bool = False) -> Path:
    """Questions with their answers; every third has none where that is asked for."""
    paragraphs = []
    for i in range(count):
        who, where = ("Anna", "Bob")[i % 2], ("Paris", "Rome")[i // 2 % 2]
        context = f"The film {i % 10} was great. {who} lives in {where}."
        answer = {"text": where, "answer_start": context.index(where)}
        qa = {"id": str(i), "question": f"Where is {who}?", "answers": [answer]}
        if impossible and i % 3 == 0:
            qa |= {"answers": [], "is_impossible": True, "question": "Who works at Acme?"}
        paragraphs.append({"context": context, "qas": [qa]})
    content = {"version": "v", "data": [{"title": "t", "paragraphs": paragraphs}]}
    path.write_text(json.dumps(content), encoding="utf-8")
    return path
