"""Words with two senses, in sentences written for the course, and the vectors they get (claim D2).

Each word stands once in each of its sentences, in this very form. The sentences of one sense
differ in their other words as far as it goes, so that two vectors are not close for that reason.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from minibert.model.bert import BertModel
from minibert.tokenization.tokenizer import Tokenizer

SENSES: dict[str, dict[str, tuple[str, ...]]] = {
    "bank": {
        "money": (
            "She paid her wages into the bank on Friday.",
            "The bank refused to lend them any more.",
            "My uncle has worked as a clerk in a bank for years.",
            "Thieves robbed the bank in broad daylight.",
            "He asked his bank for a new card.",
        ),
        "river": (
            "We sat on the grassy bank and watched the boats.",
            "The otter slid down the muddy bank into the stream.",
            "Willows grow along the bank where the water bends.",
            "After the flood the bank had been washed away.",
            "An angler stood on the far bank with his rod.",
        ),
    },
    "bat": {
        "animal": (
            "A bat flew out of the cave at dusk.",
            "The bat hangs upside down while it sleeps.",
            "Our cat caught a small brown bat in the attic.",
            "With its ears a bat finds moths in the dark.",
            "The young of the bat drink milk.",
        ),
        "club": (
            "He swung the bat and hit the ball over the fence.",
            "She bought a wooden bat for the cricket match.",
            "The player dropped his bat and ran to first base.",
            "His grip on the bat was too loose.",
            "Her new bat is made of willow and weighs little.",
        ),
    },
    "spring": {
        "season": (
            "The cherry trees bloom in spring.",
            "Every spring the swallows come back.",
            "Last spring was cold and wet.",
            "Lambs are born here in early spring.",
            "After a long winter we all wait for spring.",
        ),
        "coil": (
            "The spring in this mattress is broken.",
            "A steel spring pushes the door shut.",
            "He stretched the spring until it snapped.",
            "The clock stopped because its spring had rusted.",
            "A weak spring makes the pen jam.",
        ),
    },
    "mouse": {
        "animal": (
            "A mouse nibbled at the cheese in the pantry.",
            "The owl swooped down on a field mouse.",
            "There is a mouse behind the stove, and it squeaks.",
            "The snake swallowed the mouse whole.",
            "A mouse had made its nest in the straw.",
        ),
        "device": (
            "Click twice with the left button of the mouse.",
            "My laptop does not recognise the wireless mouse.",
            "Move the mouse until the arrow is on the icon.",
            "The cable of the mouse is too short for this desk.",
            "I prefer the keyboard to the mouse when editing.",
        ),
    },
    "crane": {
        "bird": (
            "A crane waded through the shallow marsh.",
            "The crane spread its wings and danced for its mate.",
            "Each autumn the crane migrates to the south.",
            "The crane laid two eggs among the reeds.",
            "With its long beak the crane caught a frog.",
        ),
        "machine": (
            "The crane lifted the steel beam to the tenth floor.",
            "A crane stood on the building site all year.",
            "The driver of the crane lowered the container onto the ship.",
            "They rented a crane to raise the roof.",
            "The load was too heavy for the crane at the harbour.",
        ),
    },
    "seal": {
        "animal": (
            "A seal dived under the ice after a fish.",
            "The seal barked at us from the rocks.",
            "A polar bear had killed the seal near its hole.",
            "The baby seal had soft white fur.",
            "We saw a seal swim beside the ferry.",
        ),
        "closure": (
            "The seal on the jar had been broken.",
            "A rubber seal keeps the water out of the pipe.",
            "The king pressed his seal into the hot wax.",
            "Do not accept the parcel if the seal is damaged.",
            "The letter bore the seal of the ministry.",
        ),
    },
}


@dataclass(frozen=True)
class SenseVectors:
    """Vectors of one word in its sentences.

    Shapes: layers (L + 1, N, d), what every layer holds at the word, the embeddings first; static
    (N, d), the word's row of the token matrix, the same each time; ends (L + 1, N, d), the same
    layers at the full stop of the sentence. senses: N names.
    """

    senses: list[str]
    layers: Tensor
    static: Tensor
    ends: Tensor


@torch.no_grad()
def sense_vectors(model: BertModel, tokenizer: Tokenizer, word: str) -> SenseVectors:
    """Read all sentences of a word of `SENSES` and keep what the model holds at the word.

    Raises:
        ValueError: if the word is unknown, or its sentences do not have it once, as one token.
    """
    if word not in SENSES:
        raise ValueError(f"no sentences for {word!r}: choose from {', '.join(SENSES)}")
    senses = [sense for sense, texts in SENSES[word].items() for _ in texts]
    sentences = [text for texts in SENSES[word].values() for text in texts]
    batch = tokenizer(sentences, padding=True)
    there = batch["input_ids"] == tokenizer.convert_tokens_to_ids([word])[0]
    if word not in tokenizer.vocab or (there.sum(dim=1) != 1).any():
        raise ValueError(f"{word!r} must be one token, once in each of its sentences")
    output = model(**batch, output_hidden_states=True)
    states = torch.stack(output.hidden_states)  # (L + 1, N, T, d)
    rows = torch.arange(len(sentences))
    places = there.int().argmax(dim=1)
    last = batch["attention_mask"].sum(dim=1) - 2  # before [SEP]
    token = batch["input_ids"][rows, places]
    static = model.embeddings.token.weight[token]
    return SenseVectors(senses, states[:, rows, places], static, states[:, rows, last])


def within_and_across(vectors: Tensor, senses: list[str]) -> tuple[Tensor, Tensor]:
    """Cosines (…) of all pairs of vectors (N, d): those of one sense, and those of two.

    Every pair of different sentences is counted once.
    """
    unit = vectors / vectors.norm(dim=-1, keepdim=True)
    cosines = unit @ unit.mT  # (N, N)
    same = torch.tensor([[a == b for b in senses] for a in senses])
    pairs = torch.ones_like(same).triu(1)
    return cosines[same & pairs], cosines[~same & pairs]


def nearest_is_same(vectors: Tensor, senses: list[str]) -> float:
    """Fraction of the vectors (N, d) whose nearest other one, by cosine, has the same sense.

    Vectors that are all equal tell nothing: a tie counts as often as it would be right by chance.
    """
    unit = vectors / vectors.norm(dim=-1, keepdim=True)
    cosines = (unit @ unit.mT).double().fill_diagonal_(-torch.inf)
    right = 0.0
    for own, row in zip(senses, cosines, strict=True):
        best = (row >= row.max() - 1e-6).nonzero()[:, 0].tolist()
        right += sum(senses[i] == own for i in best) / len(best)
    return right / len(senses)
