"""A small world to read about: constructed documents that a model of two layers can learn.

On real text a model learns nothing but how frequent words are for its first million tokens, and
experiments with several seeds would take days. So this world is made by a rule. Every document
tells of one person, one thing of one kind, and one place, four sentences of six, in any order:

    carla finds a red kettle . carla goes to the harbour . carla sells the kettle at the harbour . …

What stands in one sentence can be told from the others: that is all there is to learn, for filling
in blanks and for knowing whether two halves belong together.
"""

from __future__ import annotations

import random

from minibert import BertConfig, Tokenizer

PERSONS = (
    "anna",
    "ben",
    "carla",
    "david",
    "emma",
    "felix",
    "greta",
    "hugo",
    "ida",
    "jonas",
    "karl",
    "lena",
)
THINGS = (
    "apple",
    "basket",
    "candle",
    "drum",
    "fiddle",
    "glove",
    "hammer",
    "kettle",
    "lamp",
    "mirror",
    "rope",
    "violin",
)
PLACES = ["market", "river", "forest", "harbour", "castle", "garden"]
KINDS = ["red", "old", "small", "heavy", "new", "blue"]
SENTENCES = (
    "{person} goes to the {place} .",
    "{person} finds a {kind} {thing} .",
    "{person} takes the {thing} .",
    "{person} looks at the {kind} {thing} .",
    "{person} sells the {thing} at the {place} .",
    "{person} leaves the {place} .",
)


def facts(rng: random.Random) -> dict[str, str]:
    """One person, thing, place and kind, each drawn by itself."""
    return {
        "person": rng.choice(PERSONS),
        "thing": rng.choice(THINGS),
        "place": rng.choice(PLACES),
        "kind": rng.choice(KINDS),
    }


def facts_of_a_household(rng: random.Random) -> dict[str, str]:
    """The same in the version of chapter 9, where what belongs together stays together.

    There are six households, each with two persons and two things of its own, its own place and
    its own kind of things: so every sentence tells which household it is about.
    """
    house = rng.randrange(len(PLACES))
    return {
        "person": PERSONS[2 * house + rng.randrange(2)],
        "thing": THINGS[2 * house + rng.randrange(2)],
        "place": PLACES[house],
        "kind": KINDS[house],
    }


def tell(facts: dict[str, str], rng: random.Random, count: int = 4) -> list[str]:
    """So many different sentences about these facts."""
    return [sentence.format(**facts) for sentence in rng.sample(SENTENCES, count)]


def documents(count: int, seed: int, households: bool = False) -> list[list[str]]:
    """So many documents of four sentences, the same for the same seed."""
    rng = random.Random(seed)
    draw = facts_of_a_household if households else facts
    return [tell(draw(rng), rng) for _ in range(count)]


def tokenizer() -> Tokenizer:
    """Every word of the world is a token of its own."""
    words = {word for text in SENTENCES for word in text.split() if "{" not in word}
    words |= {*PERSONS, *THINGS, *PLACES, *KINDS}
    return Tokenizer.from_vocab(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *sorted(words)])


def model_config(words: Tokenizer, width: int, length: int) -> BertConfig:
    """The shape of every model that reads this world: two layers, four heads, no dropout."""
    return BertConfig(
        vocab_size=words.vocab_size,
        hidden_size=width,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=4 * width,
        max_position_embeddings=length,
        initializer_range=0.1,  # 0.02 suits a width of 768
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )
