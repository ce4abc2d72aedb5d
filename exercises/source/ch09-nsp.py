# %% [markdown]
# # Exercises 9 · Next sentence prediction
#
# Chapter 9 made questions about pairs of texts out of plain documents, and showed how easily such
# pairs give themselves away. Here you draw pairs, lay them out in rows, mend a loss that hears only
# one half of the answers, and write the classifier that cannot read.

# %% setup
import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

# %% task 9.1: Pairs that only their content tells apart
# kind: write; points: 25; minutes: 20; function: make_pairs
#
# Write `make_pairs(documents, count, rng)`. `documents` is a list of documents, each a list of
# sentences (strings, no two alike); `rng` is a numpy generator, from which everything is drawn, so
# that the same one gives the same pairs. Return a list of `count` triples `(a, b, label)`:
#
# - `a` is a sentence that has a next one in its document;
# - with label 0, in one half of the pairs, `b` is that next sentence;
# - with label 1, in the other half, `b` comes from **another** document, and it may be any sentence
#   there that follows one, as a true `b` does (so never the one that opens its document).
#
# “Half” means each with a chance of one half, or exactly half. Nothing but the content may tell the
# two kinds apart: draw `a` in the same way for both, each sentence that qualifies with the same
# chance. Some documents are long, and some have one sentence only: these give neither an `a` nor a
# `b`.
#
# *Example.* From `[["x1", "x2", "x3"], ["y1", "y2"], ["z1"]]` the pairs with label 0 can be `("x1",
# "x2", 0)`, `("x2", "x3", 0)` and `("y1", "y2", 0)`. With label 1, `"x1"` and `"x2"` can only be
# followed by `"y2"`, and `"y1"` by `"x2"` or `"x3"`.

# %% stub
def make_pairs(
    documents: list[list[str]], count: int, rng: np.random.Generator
) -> list[tuple[str, str, int]]:
    """`count` triples (a, b, label): label 0 if b follows a, 1 if it is from another document."""
    # BEGIN SOLUTION
    splits = [(d, s) for d, sentences in enumerate(documents) for s in range(1, len(sentences))]
    pairs = []
    for _ in range(count):
        document, place = splits[rng.integers(len(splits))]  # a stands before it, b behind it
        a, b, label = documents[document][place - 1], documents[document][place], 0
        if rng.random() < 0.5:
            others = [split for split in splits if split[0] != document]
            other, there = others[rng.integers(len(others))]
            b, label = documents[other][there], 1
        pairs.append((a, b, label))
    return pairs
    # END SOLUTION

# %% run
def run(function, case):
    def call(count, seed):
        return function(case["documents"], count, np.random.default_rng(seed))

    pairs = call(case["count"], case["seed"])
    if pairs is None:
        return None
    few = [call(60, case["seed"] + more) for more in (0, 0, 1)]
    return [tuple(pair) for pair in pairs], few[0] == few[1], few[0] == few[2]

# %% check
def cases(rng):
    short = rng.integers(3, 8, size=6).tolist()
    for sizes, count in (([1, 40, *short, 1], 4000), ([2, 1, 5], 1000)):
        order = rng.permutation(len(sizes))
        documents = [
            [f"document {d}, sentence {s}" for s in range(1, sizes[where] + 1)]
            for d, where in enumerate(order, start=1)
        ]
        yield {"documents": documents, "count": count, "seed": int(rng.integers(2**31))}

def places(case, got):
    """Document and sentence of each a and b, how long their documents are, and the labels."""
    where = {
        text: (d, s) for d, texts in enumerate(case["documents"]) for s, text in enumerate(texts)
    }
    sizes = np.array([len(sentences) for sentences in case["documents"]])
    a = np.array([where[one[0]] for one in got])
    b = np.array([where[one[1]] for one in got])
    return a, b, sizes, np.array([int(one[2]) for one in got])

def numbers(case, got, expected):
    got = got[0]
    a, b, sizes, label = places(case, got)
    same, follows = a[:, 0] == b[:, 0], (a == b - [0, 1]).all(1)
    long = a[:, 0] == sizes.argmax()
    border = np.flatnonzero((label == 0) & ~same)
    example = got[border[0]] if len(border) else ("", "")
    return {
        "random": int((label == 1).sum()), "true": int((label == 0).sum()),
        "share": (label == 1).mean(), "same": int((same & (label == 1)).sum()),
        "follows": int((follows & (label == 1)).sum()),
        "opens": int(((b[:, 1] == 0) & (label == 1)).sum()),
        "last": int(((a[:, 1] == sizes[a[:, 0]] - 1) & (label == 1)).sum()), "one": example[0],
        "two": example[1], "long_true": long[label == 0].mean(),
        "long_random": long[label == 1].mean(),
        "second": int(((b[:, 1] == 1) & (label == 1)).sum()),
    }

def judge(case, got, expected):
    if got is None:
        return "Your function returns nothing: is there a `return`?"
    got, is_repeatable, is_constant = got
    if len(got) != case["count"]:
        return f"{case['count']} pairs are expected; you return {len(got)}."
    if any(len(one) != 3 for one in got):
        return "Each pair is to be a triple `(a, b, label)`."
    known = {text for sentences in case["documents"] for text in sentences}
    odd = next((text for one in got for text in one[:2] if text not in known), None)
    if odd is not None:
        return f"`a` and `b` are to be sentences of the documents; {str(odd)[:60]!r} is none."
    a, b, sizes, label = places(case, got)
    if not np.isin(label, (0, 1)).all():
        return f"Labels are 0 or 1; yours are {sorted(set(label.tolist()))[:4]}."
    if label.min() == label.max():
        return f"All your pairs have the label {label[0]}; one half of each kind is expected."
    follows = (a == b - [0, 1]).all(1)
    same = a[:, 0] == b[:, 0]
    is_true = label == 0
    is_last = a[:, 1] == sizes[a[:, 0]] - 1
    if follows[~is_true].mean() > 0.5 > follows[is_true].mean():
        return "labels exchanged"
    if (is_true & ~same & is_last).any():
        return "true pairs run across the border of two documents"
    if (is_last & ~is_true).any():
        return "a random pair may begin with a last sentence"
    off = abs(is_true.sum() - 0.5 * len(label)) > 6 * (0.25 * len(label)) ** 0.5
    if off and is_true.mean() < 0.2:
        return "the label is found out afterwards"
    if not follows[is_true].all():
        i = np.flatnonzero(is_true & ~follows)[0]
        return f"“{got[i][1]}” does not follow “{got[i][0]}”, and yet the label is 0."
    wrong = ~is_true & same
    if wrong.any():
        return "from anywhere" if follows[wrong].any() else "only the true continuation is excluded"
    if (b[~is_true, 1] == 0).any():
        often = "always opens" if (b[~is_true, 1] == 0).all() else "may open"
        return f"a random b {often} its document"
    long = a[:, 0] == sizes.argmax()
    if off:
        starts = (sizes - 1).clip(0)
        survive = 1 - ((starts / starts.sum()) ** 2).sum()  # a second draw is from elsewhere
        if abs(is_true.mean() - 1 / (1 + survive)) < 0.04:
            return "negatives that fail are thrown away"
        return f"{is_true.mean():.0%} of your pairs have the label 0; one half is expected."
    spread = (long.mean() * (1 - long.mean()) * (1 / is_true.sum() + 1 / (~is_true).sum())) ** 0.5
    if abs(long[is_true].mean() - long[~is_true].mean()) > 6 * spread:
        return "a is drawn anew with b"
    possible = {(d, s) for d, size in enumerate(sizes) for s in range(size - 1)}
    seen = set(map(tuple, a.tolist()))
    if len(seen) < 0.9 * len(possible):
        return (
            f"{len(possible)} sentences have a next one, but only {len(seen)} of them ever come up "
            f"as `a` in {len(got)} pairs."
        )
    if len({tuple(one) for one in b[~is_true].tolist()}) < 0.9 * len(possible):
        if (b[~is_true, 1] == 1).all():
            return "a random b is always the second sentence"
        return (
            f"{len(possible)} sentences follow another one, but only few of them ever come up as a "
            "random `b`. Any of them should."
        )
    partners = len(set(b[long & ~is_true, 0].tolist()))
    if partners < (sizes > 1).sum() - 1:
        return (
            f"For `a` from the longest document, `b` comes from {partners} of the "
            f"{(sizes > 1).sum() - 1} other documents only. Any of them should come up."
        )
    if abs(long.mean() - (sizes.max() - 1) / len(possible)) > 0.1:
        return "a document is drawn first"
    if is_constant:
        return "the generator is not used"
    if not is_repeatable:
        return "Two generators with the same seed give two lists of pairs: draw everything from `rng`."
    return None

# %% another right solution
def make_pairs(documents, count, rng):
    # One flat table of boundaries; where a random b falls into the own document, b is drawn anew.
    table = [(d, x, y) for d, texts in enumerate(documents) for x, y in zip(texts, texts[1:])]
    home = np.array([d for d, _, _ in table])
    first = rng.integers(len(table), size=count)
    second = rng.integers(len(table), size=count)
    while (bad := home[first] == home[second]).any():
        second[bad] = rng.integers(len(table), size=bad.sum())
    labels = rng.permutation(np.arange(count) % 2)
    return [
        (table[i][1], table[j][2] if label else table[i][2], int(label))
        for i, j, label in zip(first, second, labels)
    ]

# %% misconception: from anywhere
# says: {same} of your {random} random pairs have both sentences from one document, and in {follows}
# of them b even follows a. The label says that they have nothing to do with each other, just where
# they have most. Draw the second document from the others.
# edit: [split for split in splits if split[0] != document] => splits
# %% misconception: only the true continuation is excluded
# says: {same} of your {random} random pairs still have both sentences from one document, though b is
# never the very next sentence. Is that all that you rule out? The one after that continues the text nearly
# as well, and the label would deny it. All of the own document is to be left out.
# edit: split[0] != document => split != (document, place)
# %% misconception: true pairs run across the border of two documents
# says: “{two}” is no continuation of “{one}”, but you give the pair the label 0. If all sentences
# are put into one long list, the last of a document is followed by the first of the next. A last
# sentence has no next one.
# edit: range(1, len(sentences)) => range(len(sentences))
# - document, place = splits[rng.integers(len(splits))]  # a stands before it, b behind it
# - a, b, label = documents[document][place - 1], documents[document][place], 0
# + at = rng.integers(len(splits) - 1)
# + (document, place), (other, there) = splits[at], splits[at + 1]
# + a, b, label = documents[document][place], documents[other][there], 0
# %% misconception: a random pair may begin with a last sentence
# says: In {last} of your {random} random pairs a is the last sentence of its document, which never
# happens in a true pair. A last sentence often sounds like one, so a model would know the answer
# before it has read b. Draw a in the same way for both kinds.
# - others = [split for split in splits if split[0] != document]
# + everything = [(d, a) for d, sentences in enumerate(documents) for a in sentences]
# + document, a = everything[rng.integers(len(everything))]
# + others = [split for split in splits if split[0] != document]
# %% misconception: labels exchanged
# says: Your {true} pairs with the label 0 are the random ones. As in BERT, 0 means that b follows
# a, and 1 that it is random: it is the label that the shipped models were trained with.
# edit: documents[document][place], 0 => documents[document][place], 1
# edit: documents[other][there], 1 => documents[other][there], 0
# %% misconception: the label is found out afterwards
# says: Only {true} of your pairs have the label 0. Do you draw b from everywhere, and look
# afterwards whether it follows a? It hardly ever does. The other way round: first throw the coin, then draw b so
# that the label is true.
# edit: if rng.random() < 0.5 => if True
# edit: [split for split in splits if split[0] != document] => splits
# - b, label = documents[other][there], 1
# + b, label = documents[other][there], int((document, place) != (other, there))
# %% misconception: a random b may open its document
# says: In {opens} of your {random} random pairs b is the sentence that opens its document, which
# never happens in a true pair. Opening sentences are easily recognised, and whoever sees one knows
# the answer without reading a. A random b should follow a sentence of its own, too.
# - others = [split for split in splits if split[0] != document]
# + others = [(d, s) for d, one in enumerate(documents) for s in range(len(one)) if d != document]
# %% misconception: a random b always opens its document
# says: In all of your {random} random pairs b is the sentence that opens its document, in the true
# ones never. A model would learn what an opening sounds like, and reach a fine score without
# comparing anything. Draw b from all sentences that follow one.
# edit: documents[other][there], 1 => documents[other][0], 1
# %% misconception: a random b is always the second sentence
# says: In all of your {random} random pairs b is the second sentence of its document. Second
# sentences are recognised nearly as easily as the first, and in a true pair b stands anywhere. Do
# you draw only the document? Draw b from all sentences that follow one.
# edit: documents[other][there], 1 => documents[other][1], 1
# %% misconception: the generator is not used
# says: Two generators with different seeds give you the same pairs. Do you go through the pairs in
# order, or draw from a generator of your own? Whoever wants other pairs gives another `rng`.
# - pairs = []
# + pairs, rng = [], np.random.default_rng(0)
# %% misconception: negatives that fail are thrown away
# says: Only {share:.0%} of your pairs are random. Do you begin again, with a new label as well, if b
# happens to come from the own document? Only random pairs can fail in this way, and too few of them
# are left. Keep a and the label, and draw b anew.
# edit: for _ in range(count) => while len(pairs) < count
# edit: [split for split in splits if split[0] != document] => splits
# - b, label = documents[other][there], 1
# + if other == document:
# +     continue
# + b, label = documents[other][there], 1
# %% misconception: a is drawn anew with b
# says: In your true pairs {long_true:.0%} of the a come from the longest document, in the random
# ones {long_random:.0%}. Do you draw a anew as well if b falls into the own document? A long
# document fails more often. So a alone already says something about the label. Keep a, and draw
# only b anew.
# - others = [split for split in splits if split[0] != document]
# - other, there = others[rng.integers(len(others))]
# - b, label = documents[other][there], 1
# + other = document
# + while other == document:
# +     (document, place), (other, there) = (splits[rng.integers(len(splits))] for _ in "ab")
# + a, b, label = documents[document][place - 1], documents[other][there], 1
# %% misconception: a document is drawn first
# says: {long_true:.0%} of your true pairs have their a from the longest document, although most of
# the sentences stand there. Do you draw a document first and a sentence in it afterwards? Then a
# sentence of a short document comes up many times, and one of a long document hardly ever. Draw
# from all sentences that qualify at once.
# - document, place = splits[rng.integers(len(splits))]  # a stands before it, b behind it
# + document = rng.choice([d for d, s in splits if s == 1])
# + place = rng.integers(1, len(documents[document]))
#
# - other, there = others[rng.integers(len(others))]
# + other = rng.choice([d for d, s in others if s == 1])
# + there = rng.integers(1, len(documents[other]))
# %% hints
# 1. Make a list of all boundaries between two sentences of one document: what stands before a boundary
# can be an a, what stands behind it a b. How many are there in the example?
# 2. For each pair: draw a boundary, then throw the coin. For label 1 draw a second boundary from those
# whose document is another one, and take what stands behind it.
# 3. `splits = [(d, s) for d, sentences in enumerate(documents) for s in range(1, len(sentences))]`; a
# is `documents[d][s - 1]`, a true b is `documents[d][s]`, and a random b is the same for a split
# `(e, t)` with `e != d`.
# %% explanation
# A boundary inside a document gives an a and a b, for both kinds alike: so a is never a last
# sentence, b never a first one, and documents of one sentence drop out by themselves. The coin is
# thrown first, and a is fixed before it; only then is b drawn, from the boundaries of other
# documents. Every shortcut in another order leaves a trace that a model can find.
# %% free choices
# - `rng.random() < 0.5` => `rng.random() <= 0.5`: hardly ever exactly that

# %% task 9.2: Two texts in one row
# kind: write; points: 15; minutes: 10; function: lay_out
#
# Write `lay_out(pairs, cls_id, sep_id, pad_id)`. `pairs` is a list of pairs of lists of token ids.
# Return a dictionary of three integer tensors `(B, T)`, where `T` is the length of the longest row:
#
# - `"input_ids"`: `[CLS]` A `[SEP]` B `[SEP]`, and padding on the right. If B is empty the row is
#   `[CLS]` A `[SEP]`;
# - `"token_type_ids"`: 0 where $E_A$ is added, 1 where $E_B$ is: `[CLS]` and the first `[SEP]`
#   belong to A, the last `[SEP]` to B; padding has 0;
# - `"attention_mask"`: 1 at tokens, 0 at padding.
#
# *Example.* With `cls_id=1, sep_id=2, pad_id=0` the pairs `[([7, 8], [9]), ([5], [])]` give the ids
# `[[1, 7, 8, 2, 9, 2], [1, 5, 2, 0, 0, 0]]`, the segments `[[0, 0, 0, 0, 1, 1], [0, 0, 0, 0, 0,
# 0]]` and the mask `[[1, 1, 1, 1, 1, 1], [1, 1, 1, 0, 0, 0]]`.

# %% stub
def lay_out(
    pairs: list[tuple[list[int], list[int]]], cls_id: int, sep_id: int, pad_id: int
) -> dict[str, Tensor]:
    """input_ids, token_type_ids, attention_mask, each (B, T)."""
    # BEGIN SOLUTION
    first = [[cls_id, *a, sep_id] for a, _ in pairs]
    second = [[*b, sep_id] if b else [] for _, b in pairs]
    length = max(len(a) + len(b) for a, b in zip(first, second))
    ids = torch.full((len(pairs), length), pad_id)
    segments, mask = torch.zeros_like(ids), torch.zeros_like(ids)
    for row, (a, b) in enumerate(zip(first, second)):
        end = len(a) + len(b)
        ids[row, :end] = torch.tensor(a + b)
        segments[row, len(a) : end] = 1
        mask[row, :end] = 1
    return {"input_ids": ids, "token_type_ids": segments, "attention_mask": mask}
    # END SOLUTION

# %% run
def run(function, case):
    result = function([tuple(pair) for pair in case.pop("pairs")], **case)
    if not isinstance(result, dict):
        return result
    return {name: torch.as_tensor(part).long() for name, part in result.items()}

# %% check
def cases(rng):
    for count in (3, 4, 6):
        pad, cls, sep = rng.choice(np.arange(1, 100), size=3, replace=False).tolist()
        lengths = [(int(rng.integers(3, 6)), int(rng.integers(2, 5))) for _ in range(count)]
        lengths[0] = (4, 3)  # the first row is padded: the last one is longer
        lengths[-1] = (int(rng.integers(6, 9)), int(rng.integers(5, 9)))
        if count > 3:
            lengths[1] = (int(rng.integers(2, 6)), 0)
        pairs = [tuple(rng.integers(100, 999, size=n).tolist() for n in both) for both in lengths]
        yield {"pairs": pairs, "cls_id": cls, "sep_id": sep, "pad_id": pad}

def numbers(case, got, expected):
    short = {"ids": "input_ids", "segments": "token_type_ids", "mask": "attention_mask"}

    def row(which, values):
        return " ".join(str(value) for value in values[which][0].tolist())

    return {
        **{f"my_{key}": row(name, got) for key, name in short.items()},
        **{f"right_{key}": row(name, expected) for key, name in short.items()},
        "tokens": int(expected["attention_mask"][0].sum()), "sep": case["sep_id"],
        "pad": case["pad_id"], "alone": " ".join(map(str, got["input_ids"][1].tolist())),
    }

# %% another right solution
def lay_out(pairs, cls_id, sep_id, pad_id):
    ids, segments, mask = [], [], []
    for a, b in pairs:
        row = [cls_id] + list(a) + [sep_id] + list(b) + [sep_id] * bool(b)
        ids.append(torch.tensor(row))
        segments.append((torch.arange(len(row)) >= len(a) + 2).long())
        mask.append(torch.ones(len(row), dtype=torch.long))
    pad = torch.nn.utils.rnn.pad_sequence
    return {
        "input_ids": pad(ids, batch_first=True, padding_value=pad_id),
        "token_type_ids": pad(segments, batch_first=True),
        "attention_mask": pad(mask, batch_first=True),
    }

# %% misconception: the first [SEP] belongs to B
# says: Your first row has the segments `{my_segments}`; `{right_segments}` is expected. You begin B
# at the `[SEP]` before it. That token closes A and belongs to A, as `[CLS]` does.
# edit: segments[row, len(a) : end] = 1 => segments[row, len(a) - 1 : end] = int(bool(b))
# %% misconception: the last [SEP] belongs to A
# says: Your first row has the segments `{my_segments}`; `{right_segments}` is expected. The `[SEP]`
# behind B closes B, and belongs to it.
# edit: len(a) : end => len(a) : end - 1
# %% misconception: padding belongs to B
# says: Your first row has the segments `{my_segments}`; `{right_segments}` is expected. The ones
# run on to the end of the row, over the padding, which belongs to no text. It has 0 here.
# edit: len(a) : end => len(a) :
# %% misconception: separators counted
# says: Your first row has the segments `{my_segments}`; `{right_segments}` is expected. You count
# the separators up to each token, that token included: so the first `[SEP]` has 1 already and the
# last has 2, for which a BERT has no vector. Count only those that stand before a token.
# - segments[row, len(a) : end] = 1
# + segments[row, :end] = (ids[row, :end] == sep_id).cumsum(0)
# %% misconception: padding with the id 0
# says: Your first row is `{my_ids}`; `{right_ids}` is expected. You fill up with 0, which is the id
# of the padding in some vocabularies only. Here it is {pad}: use `pad_id`.
# edit: length), pad_id => length), 0
# %% misconception: segments 1 and 2
# says: Your first row has the segments `{my_segments}`; `{right_segments}` is expected. You count
# the texts from 1 and keep 0 for the padding. A BERT has a table of two segment vectors, rows 0 and
# 1, so A is 0 and B is 1, and there is no row 2.
# - segments[row, len(a) : end] = 1
# + segments[row, : len(a)] = 1
# + segments[row, len(a) : end] = 2
# %% misconception: no [SEP] at the end
# says: Your first row is `{my_ids}`; `{right_ids}` is expected. B has no `[SEP]` of its own. Both
# texts are closed by one, here by the id {sep}.
# edit: [*b, sep_id] if b else [] => b
# %% misconception: a [SEP] for a text that is not there
# says: Where B is empty your row is `{alone}`: it ends in two `[SEP]` with nothing between them. A
# single text is `[CLS]` A `[SEP]`, all in segment 0.
# edit: [*b, sep_id] if b else [] => [*b, sep_id]
# %% misconception: the mask shows padding
# says: Your first row has the mask `{my_mask}`; `{right_mask}` is expected. 1 stands where there is
# a token to be read, 0 where there is padding, so that nothing attends to it.
# edit: mask[row, :end] => mask[row, end:]
# %% misconception: the mask lets padding through
# says: Your mask is 1 everywhere, in the first row `{my_mask}`. It has only {tokens} tokens; behind
# them stands padding, and there the mask has to be 0.
# edit: mask[row, :end] => mask[row]
# %% misconception: padding on the left
# says: Your first row is `{my_ids}`; `{right_ids}` is expected. The padding stands on the right
# here, so that `[CLS]` is always the first token: that is where the classifier looks.
# edit: ids[row, :end] => ids[row, length - end :]
# edit: segments[row, len(a) : end] => segments[row, length - len(b) :]
# edit: mask[row, :end] => mask[row, length - end :]
# %% hints
# 1. Build each row as a Python list first. How many tokens of it belong to A, with its two special
# ones?
# 2. A's part is `[cls_id, *a, sep_id]`, B's part `[*b, sep_id]`, or empty. The segments are as many
# zeros as A's part is long and as many ones as B's; then fill all three up to the longest row.
# %% explanation
# Each text is closed by a `[SEP]` that belongs to it, and `[CLS]` goes with the first: so the
# segment ids are `len(a) + 2` zeros and `len(b) + 1` ones. Padding gets a segment only because a
# tensor has no gaps; what keeps it out is the mask.

# %% task 9.3: A loss that never hears “it follows”
# kind: repair; points: 20; minutes: 8; function: pretraining_losses; gradient: token_logits pair_logits
#
# A small BERT that was copied many times trains both exercises with one loss function. Its token
# labels are 0 where nothing is predicted (0 is the id of `[PAD]`, which is never an answer). Its
# pair labels, written here as in this course, are 0 if B follows A and 1 if B is random. The masked
# tokens are learned well. The second exercise soon has a loss close to 0, and an accuracy of one
# half.
#
# `pretraining_losses(token_logits, token_labels, pair_logits, pair_labels)` gets `(B, T, V)`, `(B,
# T)`, `(B, 2)` and `(B,)` and is to return both losses: the mean over the tokens that are asked,
# and the mean over **all** pairs. Both are trained on. Mend it.
#
# *Example.* Three pairs with the logits `[[0, 0], [0, 0], [0, 0]]` and the labels `[0, 0, 1]` have
# a loss of $\ln 2 = 0.693$, whichever are counted; with `[[9, 0], [9, 0], [9, 0]]` it is near 3.0,
# a third of 9, if all are.

# %% stub
def pretraining_losses(
    token_logits: Tensor, token_labels: Tensor, pair_logits: Tensor, pair_labels: Tensor
) -> tuple[Tensor, Tensor]:
    """Loss of the masked tokens and loss of the pairs."""
    tokens = token_logits.flatten(0, 1), token_labels.flatten()
    # BEGIN STUB
    criterion = nn.CrossEntropyLoss(ignore_index=0)
    return criterion(*tokens), criterion(pair_logits, pair_labels)
    # END STUB
    # BEGIN SOLUTION
    token_loss = nn.CrossEntropyLoss(ignore_index=0)
    pair_loss = nn.CrossEntropyLoss()
    return token_loss(*tokens), pair_loss(pair_logits, pair_labels)
    # END SOLUTION

# %% check
def cases(rng):
    for pairs, length, vocab, kind in ((8, 5, 12, "both"), (6, 7, 20, "both"), (4, 6, 9, "true")):
        labels = rng.integers(1, vocab, size=(pairs, length))
        labels[rng.random(labels.shape) < 0.6] = 0
        labels[:, 0] = rng.integers(1, vocab, size=pairs)
        follows = np.zeros(pairs, dtype=np.int64)
        if kind == "both":  # more of the label 0, so that to leave out either is another number
            follows[rng.choice(pairs, size=pairs // 2 - 1, replace=False)] = 1
        logits = rng.normal(size=(pairs, length, vocab)) * 2
        logits[..., 0] -= 6  # a model that never answers [PAD]
        yield {
            "token_logits": torch.from_numpy(logits).float(),
            "token_labels": torch.from_numpy(labels),
            "pair_logits": torch.from_numpy(rng.normal(size=(pairs, 2)) * 2).float(),
            "pair_labels": torch.from_numpy(follows),
        }

def numbers(case, got, expected):
    labels = case["pair_labels"]
    return {
        "mlm": float(got[0]), "right_mlm": float(expected[0]), "nsp": float(got[1]),
        "right_nsp": float(expected[1]), "pairs": len(labels), "zeros": int((labels == 0).sum()),
        "ones": int((labels == 1).sum()), "asked": int((case["token_labels"] != 0).sum()),
        "all": case["token_labels"].numel(),
    }

def judge(case, got, expected):
    if got is None:
        return "Your function returns nothing: is there a `return`?"
    if not isinstance(got, tuple | list):
        return "both added up"
    if len(got) != 2:
        return f"Two losses are expected; you return {len(got)} values."

    def alike(one, other):
        return math.isclose(one, float(other), rel_tol=1e-4, abs_tol=1e-4)

    mlm, nsp = map(float, got)
    logits, labels = case["pair_logits"], case["pair_labels"]
    if not alike(mlm, expected[0]):
        if alike(mlm, expected[1]):
            return "The two losses are in the wrong order: first that of the tokens."
        everywhere = F.cross_entropy(case["token_logits"].mT, case["token_labels"])
        if alike(mlm, everywhere) and alike(nsp, expected[1]):
            return "nothing is left out any more"
        return f"Your token loss is {mlm:.3f}; {float(expected[0]):.3f} is expected."
    if alike(nsp, expected[1]):
        return None
    some = F.cross_entropy(logits, labels, ignore_index=0, reduction="sum")
    known = {
        "label 0 is still left out": some / (labels == 1).sum(),
        "the other label is left out": F.cross_entropy(logits, labels, ignore_index=1),
        "labels turned round instead": F.cross_entropy(logits, 1 - labels, ignore_index=0),
        "divided by all, one label counted": some / len(labels),
    }
    for name, value in known.items():
        if alike(nsp, value) or math.isnan(nsp) and math.isnan(value):
            return name
    return f"Your loss of the pairs is {nsp:.3f}; {float(expected[1]):.3f} is expected."

# %% another right solution
def pretraining_losses(token_logits, token_labels, pair_logits, pair_labels):
    asked = token_labels != 0
    shares = token_logits[asked].log_softmax(-1)
    mlm = -shares.gather(1, token_labels[asked][:, None]).mean()
    margin = pair_logits[:, 1] - pair_logits[:, 0]
    return mlm, F.binary_cross_entropy_with_logits(margin, pair_labels.to(margin.dtype))

# %% misconception: label 0 is still left out
# says: Your loss of the pairs is {nsp:.3f}; over all {pairs} of them it is {right_nsp:.3f}. {zeros}
# pairs have the label 0, and 0 is what `ignore_index=0` leaves out: a pair that follows is never
# counted. A model that says “random” to everything has no loss at all then. Padding and “it
# follows” share a number by accident.
# edit: pair_loss = nn.CrossEntropyLoss() => pair_loss = token_loss
# %% misconception: nothing is left out any more
# says: The pairs are right now, but your token loss is {mlm:.3f} where {right_mlm:.3f} is expected:
# it counts all {all} positions, although only {asked} are asked. In the token labels 0 does mean
# “not asked”. The two exercises need a loss function each.
# edit: ignore_index=0 =>
# %% misconception: the other label is left out
# says: Your loss of the pairs is {nsp:.3f}; over all {pairs} of them it is {right_nsp:.3f}. Now the
# {ones} pairs with the label 1 are left out. There is no pair here that should not count.
# edit: nn.CrossEntropyLoss() => nn.CrossEntropyLoss(ignore_index=1)
# %% misconception: labels turned round instead
# says: Your loss of the pairs is {nsp:.3f}; over all {pairs} of them it is {right_nsp:.3f}. You
# exchange the two labels, but whichever is 0 then is left out again, and the other is taught the
# wrong way round.
# edit: pair_loss(pair_logits, pair_labels) => token_loss(pair_logits, 1 - pair_labels)
# %% misconception: divided by all, one label counted
# says: Your loss of the pairs is {nsp:.3f}; {right_nsp:.3f} is expected. You divide by all {pairs}
# pairs, which is right, but only the {ones} with the label 1 are in the sum: the others are still
# left out.
# - return token_loss(*tokens), pair_loss(pair_logits, pair_labels)
# + total = token_loss(pair_logits, pair_labels) * pair_labels.sum()
# + return token_loss(*tokens), total / len(pair_labels)
# %% misconception: both added up
# says: You return one number. The task asks for the two losses side by side; adding them comes
# later, and while they are apart one can see which of them is wrong.
# edit: token_loss(*tokens), => token_loss(*tokens) +
# %% hints
# 1. Give it a batch in which every pair has the label 0. What is the loss of the pairs?
# 2. `ignore_index=0` leaves out every label that is 0. For which of the two kinds of labels is that
# meant?
# %% explanation
# The number 0 means “not asked” among the token labels and “B follows A” among the pair labels, and
# one loss function cannot know which. With class 0 left out the pairs' loss falls to zero as soon
# as the model always says “random”, which is right for one half of them. That is why this course
# writes -100, which is nobody's class, where nothing is asked. (A batch of true pairs alone gives 0
# / 0, NaN.)

# %% task 9.4: Positions, and the odds of a careless draw
# kind: predict; points: 20; minutes: 12; function: predict
#
# `sentences` is a list: how many sentences each document has. A text of `a` tokens and one of `b`
# tokens are laid out as a pair. **Without drawing anything**, return a dictionary:
#
# - `"separators"`: the positions of the two `[SEP]`, counted from 0 (a tuple of two);
# - `"segments"`: how many tokens of the row get $E_A$ and how many $E_B$ (a tuple of two);
# - `"same"`: A is any sentence that has a next one in its document, each with the same chance. A
#   careless program draws the “random” B from **all** sentences of all documents, each with the
#   same chance. How probable is it that this B comes from A's own document?
# - `"denied"`: half of the careless program's pairs are meant to be random. Which share of **all**
#   its pairs is labelled “random” although B is the very sentence that follows A?
#
# *Example.* With `sentences=[3, 1], a=4, b=2` the row has 9 tokens; the separators stand at `(5,
# 8)`, the segments are `(6, 3)`. A can only be one of the first two sentences of the first
# document, so that B is from the same document with the probability 3 / 4; denied are 1 / 8 of all
# pairs.

# %% stub
def predict(sentences: list[int], a: int, b: int) -> dict:
    """Layout of a pair, and the odds of drawing a random B carelessly."""
    # BEGIN SOLUTION
    total = sum(sentences)
    chances = [max(n - 1, 0) / sum(max(m - 1, 0) for m in sentences) for n in sentences]
    return {
        "separators": (a + 1, a + b + 2),
        "segments": (a + 2, b + 1),
        "same": sum(chance * n / total for chance, n in zip(chances, sentences)),
        "denied": 0.5 / total,
    }
    # END SOLUTION

# %% check
def cases(rng):
    yield {"sentences": [3, 1], "a": 4, "b": 2}
    for documents in (3, 5, 8):
        sizes = rng.integers(2, 12, size=documents)
        sizes[0], sizes[-1] = int(rng.integers(13, 30)), 1
        yield {
            "sentences": rng.permutation(sizes).tolist(), "a": int(rng.integers(5, 60)),
            "b": int(rng.integers(65, 120)),
        }

def numbers(case, got, expected):
    return {
        **case, **{f"my_{key}": value for key, value in got.items()},
        **{f"right_{key}": value for key, value in expected.items()},
        "documents": len(case["sentences"]), "total": sum(case["sentences"]),
        "starts": sum(case["sentences"]) - len(case["sentences"]),
        "tokens": case["a"] + case["b"] + 3, "row": sum(got["segments"]),
    }

# %% another right solution
def predict(sentences, a, b):
    row = ["[CLS]"] + ["a"] * a + ["[SEP]"] + ["b"] * b + ["[SEP]"]
    first, second = [i for i, token in enumerate(row) if token == "[SEP]"]
    home = [d for d, n in enumerate(sentences) for _ in range(n)]
    starts = [i for i in range(len(home) - 1) if home[i] == home[i + 1]]
    hits = [home[i] == home[j] for i in starts for j in range(len(home))]
    nexts = [j == i + 1 for i in starts for j in range(len(home))]
    return {
        "separators": (first, second),
        "segments": (first + 1, second - first),
        "same": sum(hits) / len(hits),
        "denied": sum(nexts) / len(nexts) / 2,
    }

# %% misconception: last sentences counted as A
# says: Your “same” is {my_same:.4f}; {right_same:.4f} is expected. You weigh each document by all
# its sentences, but the last one of each cannot be an A: of {total} sentences {starts} can. That
# makes long documents a little more probable than they look.
# edit: max(n - 1, 0) / sum(max(m - 1, 0) for m in sentences) => n / total
# %% misconception: one over the number of documents
# says: Your “same” is {my_same:.4f}; {right_same:.4f} is expected. One in {documents} would be
# right if all documents were equally long. Most sentences stand in long documents, A as well as B,
# so that the two meet there much more often.
# edit: sum(chance * n / total for chance, n in zip(chances, sentences)) => 1 / len(sentences)
# %% misconception: a fraction of all pairs, not a chance
# says: Your “same” is {my_same:.4f}, half of {right_same:.4f}. The question is about the careless
# B: given that one is drawn, how probable is the own document? That only one half of the pairs has
# a random B matters for “denied” alone.
# edit: sum(chance * n => 0.5 * sum(chance * n
# %% misconception: denied among the random pairs only
# says: Your “denied” is {my_denied:.4f}; {right_denied:.4f} is expected. One careless B in {total}
# is the true next sentence, that is right. But the question is for a fraction of all pairs, and one
# half of these are not meant to be random.
# edit: 0.5 / total => 1 / total
# %% misconception: A itself left out
# says: Your “same” is {my_same:.4f}; {right_same:.4f} is expected. You let the careless program
# avoid A itself. It does not even do that: all {total} sentences have the same chance.
# edit: chance * n / total => chance * (n - 1) / (total - 1)
# edit: 0.5 / total => 0.5 / (total - 1)
# %% misconception: denied wherever the document is the same
# says: Your “denied” is {my_denied:.4f}; {right_denied:.4f} is expected. You count every B from A's
# own document. That is the larger trouble, but the question here is for the one sentence that truly
# follows A: of {total} sentences, one.
# edit: 0.5 / total => 0.5 * sum(chance * n / total for chance, n in zip(chances, sentences))
# %% misconception: positions counted without [CLS]
# says: Your separators stand at {my_separators}; {right_separators} is expected. Position 0 is
# `[CLS]`, so the {a} tokens of A end at position {a}, and the separator comes behind them.
# edit: a + 1, a + b + 2 => a, a + b + 1
# %% misconception: the middle [SEP] given to B
# says: Your segments are `{my_segments}`; `{right_segments}` is expected. The separator between the
# texts closes A and gets the vector of A, like `[CLS]`; B has one special token, the last.
# edit: a + 2, b + 1 => a + 1, b + 2
# %% misconception: special tokens without a segment
# says: Your segments are `{my_segments}`, {row} tokens together; the row has {tokens}. Every token
# of it gets one of the two vectors, the three special ones as well: which of them go with A?
# edit: a + 2, b + 1 => a, b
# %% hints
# 1. Write the row of the example down, token by token, with positions below it.
# 2. For “same”: how probable is it that A is from a certain document? Given that, how probable is it
# that B is from there, too? Multiply, and add over the documents.
# 3. A document of n sentences has n - 1 that can be an A, and n that can be a careless B.
# %% explanation
# `[CLS]` and the middle `[SEP]` go with A, the last `[SEP]` with B, so that the segments are `a +
# 2` and `b + 1` tokens long. Whoever draws B from everywhere draws it from A's own document as
# often as that document is long, and A itself more likely comes from a long one: with uneven
# documents this is far from rare. That B is just the next sentence is rare in a large corpus; that
# it continues A's subject is not.

# %% task 9.5: A classifier that counts tokens
# kind: measure; points: 20; minutes: 12; function: length_classifier
#
# Somebody has made pairs. Can they be told apart by their **lengths** alone? `lengths` `(N, 2)`
# holds the number of tokens of A and of B, `labels` `(N,)` 0 or 1; both are numpy arrays of whole
# numbers, and `N` is even. Write `length_classifier(lengths, labels)`, which tries two classifiers,
# one that sees only the length of A, and one that sees only that of B:
#
# - a classifier **learns from the first half** of the pairs: for each length, the label that is
#   commoner there;
# - it **answers the second half** in this way; where there was a tie, or a length that it has never
#   met, it says 0.
#
# Return `{"A": ..., "B": ...}`: the fraction of right answers of each, on the second half.
#
# *Example.* With the lengths `[[5, 8], [5, 9], [5, 8], [5, 9]]` and the labels `[0, 1, 0, 1]` the
# classifier of A meets a tie, says 0 and is right in 0.5; the classifier of B is right in 1.0: B
# gives itself away.

# %% stub
def length_classifier(lengths: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """Accuracies of a classifier that sees the length of A, and of one that sees that of B."""
    # BEGIN SOLUTION
    half, found = len(labels) // 2, {}
    for name, length in zip("AB", lengths.T):
        size = length.max() + 1
        met = np.bincount(length[:half], minlength=size)
        random = np.bincount(length[:half][labels[:half] == 1], minlength=size)
        says = random > met - random  # at each length; False where there is a tie, or nothing
        found[name] = (says[length[half:]] == labels[half:]).mean()
    return found
    # END SOLUTION

# %% check
def cases(rng):
    count = 600

    def plain():
        return rng.integers(5, 41, size=count)

    for leaks in ("B", "A", "", "more", "fewer"):
        ones = {"more": 2, "fewer": 1}.get(leaks, 1.5)
        labels = rng.permutation(np.arange(count) < count * ones // 3).astype(int)
        # Random texts of middle length, true ones short or long: no single limit tells them apart.
        short_or_long = np.where(
            rng.random(count) < 0.5, rng.integers(5, 17, count), rng.integers(29, 41, count)
        )
        telling = np.where(labels == 1, rng.integers(17, 29, count), short_or_long)
        telling = np.where(rng.random(count) < 0.2, plain(), telling)
        a, b = (telling if leaks == "A" else plain()), (telling if leaks == "B" else plain())
        if ones != 1.5:  # in the second half there are lengths that the first had not
            new = 40 * ((np.arange(count) >= count // 2) & (rng.random(count) < 0.3))
            a, b = a + new, b + new * (labels == ones - 1)
        yield {"lengths": np.stack([a, b], axis=1), "labels": labels}

def numbers(case, got, expected):
    which = "B" if got["A"] == expected["A"] else "A"
    return {
        "which": which, "mine": float(got[which]), "right": float(expected[which]),
        "my_a": float(got["A"]), "my_b": float(got["B"]), "a": float(expected["A"]),
        "b": float(expected["B"]), "middle": case["lengths"][:, 1].mean(),
        "common": case["labels"].mean(),
    }

# %% another right solution
def length_classifier(lengths, labels):
    from collections import Counter

    half = len(labels) // 2
    shares = {}
    for column, name in enumerate(("A", "B")):
        votes = Counter()
        for row in range(half):
            votes[int(lengths[row, column])] += 1 if labels[row] == 1 else -1
        right = 0
        for row in range(half, len(labels)):
            right += int(votes[int(lengths[row, column])] > 0) == int(labels[row])
        shares[name] = right / half
    return shares

# %% misconception: tested on the pairs that it learned from
# says: From the length of A your classifier is right in {my_a:.2f}, though it says nothing here
# ({a:.2f} on the second half). It is asked about the very pairs that it has learned, and has some
# of them by heart. What a classifier is worth shows on pairs that it has not seen.
# edit: says[length[half:]] == labels[half:] => says[length[:half]] == labels[:half]
# %% misconception: learned from all pairs
# says: From the length of A your classifier is right in {my_a:.2f}; {a:.2f} is expected. It learns
# from all pairs, and the second half, on which it is tested, is among them. Let it see the first
# half only.
# edit: np.bincount(length[:half], => np.bincount(length,
# edit: length[:half][labels[:half] == 1] => length[labels == 1]
# %% misconception: tested on all pairs
# says: From the length of A your classifier is right in {my_a:.2f}; {a:.2f} is expected. It learns
# from the first half, but is then tested on all pairs, and those that it knows make it look better
# than it is.
# edit: says[length[half:]] == labels[half:] => says[length] == labels
# %% misconception: one limit between short and long
# says: From the length of B your classifier is right in {my_b:.2f}; {b:.2f} is expected. It knows
# only “shorter” and “longer” than a limit. Here the random B are of middle length and the true ones
# short or long, which no limit can tell. Let it learn an answer for each length.
# - says = random > met - random  # at each length; False where there is a tie, or nothing
# + learn, known = length[:half], labels[:half]
# + means = [learn[known == label].mean() for label in (0, 1)]
# + says = (np.arange(size) > sum(means) / 2) == (means[1] > means[0])
# %% misconception: the commoner label for all lengths
# says: From the length of B your classifier is right in {my_b:.2f}; {b:.2f} is expected. It gives
# the same answer to every pair, the label that is commoner on the whole, and never looks at a
# length.
# edit: random > met - random => np.full(size, labels[:half].mean() > 0.5)
# %% misconception: at a tie it says 1
# says: From the length of {which} your classifier is right in {mine:.4f}; {right:.4f} is expected.
# Where both labels were equally common, does it say 1? By the rule it says 0: otherwise two people
# who measure the same pairs get two results.
# edit: random > met - random => (random >= met - random) & (met > 0)
# %% misconception: at a length never met it says 1
# says: From the length of {which} your classifier is right in {mine:.4f}; {right:.4f} is expected.
# Some lengths of the second half do not occur in the first. What does it say there? By the rule 0,
# and not 1.
# edit: random > met - random => (random > met - random) | (met == 0)
# %% misconception: at a tie and at a new length it says 1
# says: From the length of {which} your classifier is right in {mine:.4f}; {right:.4f} is expected.
# Where both labels were equally common, or a length was never met, it seems to say 1. By the rule
# it says 0.
# edit: random > met - random => random >= met - random
# %% misconception: at a length never met it says what is commoner on the whole
# says: From the length of {which} your classifier is right in {mine:.4f}; {right:.4f} is expected.
# Some lengths of the second half do not occur in the first. There it seems to say the label that is
# commoner on the whole, or that of the nearest length. By the rule it says 0.
# edit: random > met - random => random + (met == 0) * (labels[:half].mean() > 0.5) > met - random
# %% misconception: at a tie the first label counts
# says: From the length of {which} your classifier is right in {mine:.4f}; {right:.4f} is expected.
# Where both labels were equally common it says the one that it met first, as `most_common` and
# `max` do. By the rule it says 0 at a tie, so that the result does not depend on the order of the
# pairs.
# - says = random > met - random  # at each length; False where there is a tie, or nothing
# + first = dict(zip(length[:half][::-1].tolist(), labels[:half][::-1].tolist()))
# + says = 2 * random + np.array([first.get(n, 0) for n in range(size)]) > met
# %% misconception: wrong answers counted
# says: You say {my_b:.2f} for B, and the classifier is right in {b:.2f}: you have counted its wrong
# answers. An accuracy far from one half is a leak in either direction, but the task asks for the
# right ones.
# edit: says[length[half:]] == labels[half:] => says[length[half:]] != labels[half:]
# %% misconception: A and B exchanged
# says: You say {my_a:.2f} for A and {my_b:.2f} for B; it is the other way round. The first column
# of `lengths` is A.
# edit: "AB" => "BA"
# %% hints
# 1. For one column: count in the first half how often each length occurs with label 0, and how often
# with label 1. Then go through the second half.
# 2. `np.bincount(length[:half], minlength=size)` counts each length; with the lengths of the random
# pairs alone it counts these. A length means 1 if more than half of its pairs are random.
# %% explanation
# A classifier that has learned one answer for each length is the best that lengths alone allow, up
# to what chance did to the first half. On the half that it learned from it is right in more than
# one half even if the lengths say nothing, since it has learned its accidents; only the second half
# shows whether there is a leak. If it does, look at how B is drawn before you train anything.
# %% free choices
# - `length.max() + 1`: a table may be longer than it has to be
