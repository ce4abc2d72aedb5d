# %% [markdown]
# # Exercises 3 · Embeddings: close in meaning, close in angle
#
# Chapter 3 looked words up in a matrix, measured the angles between them, and asked which of its
# numbers a step of training moves. Here you do all three yourself, mend a table whose filler token
# learned to speak, and find out that the answer to the last question depends on who takes the step.

# %% setup
import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

# %% task 3.1: A look-up that is a product
# kind: write; points: 15; minutes: 7; function: embed
#
# Write `embed(ids, table)`. `ids` is `(B, T)`, whole numbers; `table` is `(V, d)`, a row for each
# entry of the vocabulary. Return two tensors:
#
# - the one-hot rows `(B, T, V)`, zeros but for a single 1 in each row;
# - the vectors `(B, T, d)`, their product with the table (or the look-up: it is the same).
#
# *Example.* With `ids = [[2, 0]]` and the table `[[1, 2], [3, 4], [5, 6]]` the one-hot rows are
# `[[[0, 0, 1], [1, 0, 0]]]` and the vectors `[[[5, 6], [1, 2]]]`.

# %% stub
def embed(ids: Tensor, table: Tensor) -> tuple[Tensor, Tensor]:
    """One-hot rows (B, T, V) and vectors (B, T, d)."""
    # BEGIN SOLUTION
    one_hot = F.one_hot(ids, len(table)).float()
    return one_hot, one_hot @ table
    # END SOLUTION

# %% run
def run(function, case):
    torch.manual_seed(0)
    return function(**case)

# %% check
def cases(rng):
    table = torch.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    yield {"ids": torch.tensor([[2, 0]]), "table": table}
    for rows, length, entries, size in ((2, 4, 9, 3), (3, 5, 12, 4)):
        ids = torch.from_numpy(rng.integers(0, entries - 2, size=(rows, length)))
        ids[0, 0], ids[0, 1], ids[0, 2] = 0, 3, 3
        table = torch.from_numpy(rng.normal(size=(entries, size))).float()
        yield {"ids": ids, "table": table}

def numbers(case, got, expected):
    ids, table = case["ids"], case["table"]
    return {
        "entries": len(table), "width": got[0].shape[-1], "largest": int(ids.max()),
        "first": int(ids[0, 0]), "place": int(got[0].flatten(0, -2)[0].argmax()),
        "value": got[0].flatten(0, -2)[0].max().item(), "shape": tuple(got[0].shape),
        "wanted": tuple(expected[0].shape),
    }

# %% another right solution
def embed(ids, table):
    one_hot = (ids[:, :, None] == torch.arange(table.shape[0])).to(table.dtype)
    return one_hot, table[ids]

# %% misconception: as wide as the largest id
# says: Your one-hot rows have {width} places, and the vocabulary has {entries} entries. Left to
# itself, `F.one_hot` stops at the largest id that it sees, here {largest}; another batch would get
# another width. Tell it how many entries there are.
# edit: ids, len(table) => ids
# edit: one_hot @ table => table[ids]
# %% misconception: one-hot rows that do not fit the table
# says: The example works, and the product fails on other ids: if the last entry of the vocabulary
# does not occur, your one-hot rows are shorter than the table. `F.one_hot` makes them as wide as
# the largest id needs, unless you tell it how many entries there are.
# edit: ids, len(table) => ids
# %% misconception: a new table of its own
# says: Your one-hot rows are right, but your vectors are other numbers than those in `table`.
# `nn.Embedding(V, d)` draws a new matrix at random; look up in the one that you were given.
# edit: one_hot @ table => nn.Embedding(*table.shape)(ids)
# %% misconception: ids counted from one
# says: The first id is {first}, and your one-hot row has its 1 at place {place}. Ids are counted
# from zero: id 0 is the first row of the table.
# edit: F.one_hot(ids, len(table)).float() => torch.eye(len(table))[ids - 1]
# %% misconception: the id instead of a one
# says: The first id is {first}, and your one-hot row holds {value:.0f} at its place. Only a 1 picks
# the row as it is; any other number would multiply it, so that words with large ids had long
# vectors.
# edit: .float() => * ids[..., None].float()
# %% misconception: one row for a whole text
# says: Your one-hot rows have the shape {shape}, and {wanted} is expected. You make one row for
# each text, in which its tokens are marked together: which came first, and which came twice, is
# lost. Every token has a row of its own.
# edit: F.one_hot(ids, len(table)).float() => torch.zeros(len(ids), len(table)).scatter(1, ids, 1.0)
# %% hints
# 1. How wide must a one-hot row be, if the batch happens to hold only small ids?
# 2. `F.one_hot(ids, V)` gives whole numbers; a product with the table wants `.float()`.
# 3. Without `one_hot`: compare `ids[:, :, None]` with `torch.arange(V)`. The vectors are `one_hot @
# table`, or `table[ids]`.
# %% explanation
# In the product each row of the table is multiplied by 0, except one, which is multiplied by 1:
# that is a look-up. The width is that of the vocabulary and has nothing to do with the ids of this
# batch; code that forgets it works on the example and fails on the next text.

# %% task 3.2: Close in angle
# kind: write; points: 25; minutes: 12; function: closeness
#
# `counts` is `(W, C)`: how often each of `W` words stands near each of `C` others. Write
# `closeness(counts)` and return two tensors:
#
# - the cosines of all words with all words, `(W, W)`;
# - for each word the number of its nearest **other** word, by cosine, `(W,)`.
#
# No row is all zeros.
#
# *Example.* The rows `[3, 4]`, `[5, 12]` and `[4, 3]` have the lengths 5, 13 and 5. The cosine of
# the first two is (15 + 48) / (5 · 13) = 63/65, that of the first and third 24/25, that of the last
# two 56/65. The nearest are `[1, 0, 0]`.

# %% stub
def closeness(counts: Tensor) -> tuple[Tensor, Tensor]:
    """Cosines (W, W), and the number of each word's nearest other word (W,)."""
    # BEGIN SOLUTION
    unit = counts / counts.norm(dim=1, keepdim=True)  # every row of length 1
    cosine = unit @ unit.T
    others = cosine - 2 * torch.eye(len(cosine))  # nobody is a neighbour of itself
    return cosine, others.argmax(dim=1)
    # END SOLUTION

# %% run
def run(function, case):
    result = function(**case)
    if isinstance(result, list | tuple) and len(result) == 2:
        return result[0], torch.as_tensor(result[1])
    return result

# %% check
def cases(rng):
    # The textbook's counts, chapter 3: cherry, digital, information near pie, data, computer.
    yield {"counts": torch.tensor([[442.0, 8, 2], [5, 1683, 1670], [5, 3982, 3325]])}
    yield {"counts": torch.tensor([[3.0, 4], [5, 12], [4, 3]])}
    for words, columns in ((5, 3), (7, 4)):
        while True:  # by distance somebody else must be the nearest, for most of the words
            share = rng.dirichlet([0.6] * columns, size=words) + 0.01
            often = np.exp(rng.uniform(3, 8, size=(words, 1)))
            counts = torch.from_numpy(np.ceil(share * often)).float()
            unit = counts / counts.norm(dim=1, keepdim=True)
            cosine = unit @ unit.T - 2 * torch.eye(words)
            apart = torch.cdist(counts, counts) + 1e9 * torch.eye(words)
            best = cosine.topk(2, dim=1).values
            clear = (best[:, 0] - best[:, 1]).min() > 1e-3
            if clear and (cosine.argmax(1) != apart.argmin(1)).sum() >= 2:
                break
        yield {"counts": counts}

def numbers(case, got, expected):
    cosine, nearest = map(torch.as_tensor, got)
    lengths = case["counts"].norm(dim=1)
    return {
        "yours": cosine[1, 2].item(), "right": expected[0][1, 2].item(),
        "other": cosine[2, 1].item(), "own": cosine[1, 1].item(), "smallest": cosine.min().item(),
        "words": len(cosine), "nearest": nearest.tolist(), "expected": expected[1].tolist(),
        "one": lengths[1].item(), "two": lengths[2].item(),
    }

def family(case, got, expected):
    off = ~torch.eye(len(got[0]), dtype=torch.bool)
    if torch.allclose(torch.as_tensor(got[0])[off].float(), expected[0][off], atol=1e-4):
        return "the diagonal is written over"

# %% another right solution
def closeness(counts):
    cosine = F.cosine_similarity(counts[:, None, :].double(), counts[None, :, :].double(), dim=-1)
    nearest = []
    for word, row in enumerate(cosine.tolist()):
        nearest.append(max((i for i in range(len(row)) if i != word), key=lambda i: row[i]))
    return cosine, torch.tensor(nearest)

# %% misconception: dot products for cosines
# says: For words 1 and 2 you have {yours:,.0f}, and a cosine is never above 1. This is their dot
# product: it is large for frequent words, whatever they mean. Divide by both lengths, {one:,.0f}
# and {two:,.0f}.
# edit: counts / counts.norm(dim=1, keepdim=True) => counts
# edit: cosine - 2 => cosine - 2 * cosine.max()
# %% misconception: divided by one length only
# says: For words 1 and 2 you have {yours:,.1f}, and for words 2 and 1 {other:,.1f}; an angle has no
# direction, so both must be equal. You divide by the length of one of the two words. Divide by
# both.
# edit: unit @ unit.T => unit @ counts.T
# edit: cosine - 2 => cosine - 2 * cosine.max()
# %% misconception: one length for all
# says: With itself word 1 has the cosine {own:.3f} with you, and every word is at the angle zero to
# itself, which is the cosine 1. Without `dim=1`, `norm()` is the length of the whole table, one
# number; every row has to be divided by its own length.
# edit: (dim=1, keepdim=True) => ()
# %% misconception: the distance for the cosine
# says: For words 1 and 2 you have {yours:,.0f}, the distance between the two points. A cosine is
# never above 1, and it does not change when a word becomes more frequent: it asks for the direction
# alone.
# edit: unit @ unit.T => torch.cdist(counts, counts)
# edit: cosine - 2 => cosine + 1e9
# edit: argmax => argmin
# %% misconception: the angle for the cosine
# says: For words 1 and 2 you have {yours:.3f}, and {right:.3f} is expected. You go one step too
# far: that is the angle, and its cosine is asked for.
# edit: return cosine, => return cosine.clamp(-1, 1).acos(),
# %% misconception: divided by the sum, not the length
# says: With itself word 1 has the cosine {own:.3f} with you, and every word is at the angle zero to
# itself, which is the cosine 1. You divide each row by its sum, so that it becomes proportions. The
# length is the root of the sum of the squares.
# edit: counts.norm => counts.sum
# %% misconception: no root of the squares
# says: For words 1 and 2 you have {yours:.2e}, and {right:.3f} is expected. You divide by the sums
# of the squares; the length of a vector is the root of that.
# edit: counts.norm => counts.square().sum
# %% misconception: columns made equally long
# says: For words 1 and 2 you have {yours:.3f}, and {right:.3f} is expected; with itself word 1 has
# {own:.3f}, and every word is at the angle zero to itself, which is the cosine 1. You bring the
# columns to length 1. A word is a row: its length runs over `dim=1`.
# edit: dim=1, keepdim => dim=0, keepdim
# %% misconception: the mean is taken away first
# says: Your smallest value is {smallest:.2f}. Counts are never negative, so no angle between two
# words can be more than a right one, and no cosine below 0. You subtract the mean of each row
# first: that gives a correlation, another measure.
# - unit = counts / counts.norm(dim=1, keepdim=True)  # every row of length 1
# + counts = counts - counts.mean(dim=1, keepdim=True)
# + unit = counts / counts.norm(dim=1, keepdim=True)
# %% misconception: everybody is their own neighbour
# says: Your cosines are right. Your nearest words are {nearest}: every word finds itself, with the
# cosine 1. Take the diagonal out of the running before you look for the largest.
# edit: others.argmax(dim=1) => torch.arange(len(counts))
# %% misconception: the nearest by distance
# says: Your cosines are right. Your nearest words are {nearest}, and {expected} is expected: you
# take those at the smallest distance. By distance a word lies next to others that are as frequent
# as it is, whatever their direction.
# edit: cosine - 2 => torch.cdist(counts, counts) + 1e9
# edit: argmax => argmin
# %% misconception: the furthest for the nearest
# says: Your cosines are right. Your nearest words are {nearest}, and {expected} is expected: you
# take the smallest cosine. It belongs to the largest angle; close words have a cosine near 1.
# edit: others.argmax => cosine.argmin
# %% misconception: the diagonal is written over
# says: Beside the diagonal your cosines are right, but with itself word 1 has {own:.3f}, and every
# word is at the angle zero to itself, which is the cosine 1. Did you write over the diagonal, with
# `fill_diagonal_` or by an index, to find the nearest *other* word? That changes the table that you
# return: look in a copy.
# edit: cosine - 2 * torch.eye(len(cosine)) => cosine.fill_diagonal_(-1.0)
# %% hints
# 1. The formula of the chapter has three parts: a dot product and two lengths. If every row is brought
# to length 1 beforehand, what is left of it?
# 2. `counts.norm(dim=1, keepdim=True)` is `(W, 1)`: the length of each row, ready to divide by. All
# dot products at once are `unit @ unit.T`.
# 3. On the diagonal stands 1, the largest value of all. Make it small (`cosine - 2 * torch.eye(W)`)
# before `argmax(dim=1)`.
# %% explanation
# Rows of length 1 have dot products that are cosines. Dividing by both lengths takes the frequency
# out and leaves the proportions, so the same two words come out alike whether the text is long or
# short. The distance does not do that: on the textbook's counts it puts digital next to cherry.
# %% free choices
# - `2 * torch.eye(len(cosine))`: whatever takes the diagonal below all cosines
# - `others.argmax(dim=1)` => `others.argmax(dim=0)`: the table is symmetric

# %% task 3.3: The filler that learned
# kind: repair; points: 20; minutes: 10; function: make_table
#
# `make_table(entries, size, pad_id)` makes the `nn.Embedding` of a new model. Its numbers are drawn
# with a spread of 0.02, as BERT's are. Only the row of `[PAD]`, whose id is `pad_id`, is to be
# **zero and to stay so** under training; every other row learns.
#
# The version below served a first model well. In a second one, with another vocabulary, the filler
# had a vector like any other token, and it moved with every step, whereas one ordinary token never
# learned a thing. No message was ever printed. There are two mistakes; mend them.
#
# *Example.* `make_table(5, 3, pad_id=1)`: row 1 is `[0, 0, 0]` before and after a step of training
# in which all five rows were looked up; the other four rows have moved.

# %% stub
def make_table(entries: int, size: int, pad_id: int) -> nn.Embedding:
    """A table (entries, size) with a spread of 0.02; the row of padding is zero for good."""
    # BEGIN STUB
    table = nn.Embedding(entries, size, padding_idx=0)
    nn.init.normal_(table.weight, std=0.02)
    # END STUB
    # BEGIN SOLUTION
    table = nn.Embedding(entries, size, padding_idx=pad_id)
    nn.init.normal_(table.weight, std=0.02)  # writes over the row of zeros, too
    with torch.no_grad():
        table.weight[pad_id] = 0.0
    # END SOLUTION
    return table

# %% run
def run(function, case):
    torch.manual_seed(case["entries"])
    table = function(**case)
    if not isinstance(table, nn.Embedding):
        raise TypeError(f"an nn.Embedding is to be returned, not a {type(table).__name__}")
    before = table.weight.detach().clone()
    ordinary = before[[i for i in range(len(before)) if i != case["pad_id"]]]
    everything = table(torch.arange(case["entries"]))
    if everything.requires_grad:  # one step in which every row is looked up
        everything.sum().backward()
        with torch.no_grad():
            table.weight -= 0.1 * table.weight.grad
    moved = (table.weight.detach() != before).any(dim=1)
    return {
        "shape": tuple(before.shape), "spread": round(ordinary.std().item(), 2),
        "rows that start at zero": (before == 0).all(dim=1).nonzero().flatten().tolist(),
        "rows that never move": (~moved).nonzero().flatten().tolist(),
    }

# %% check
def cases(rng):
    for pad in (1, int(rng.integers(5, 150)), 0):
        yield {
            "entries": int(rng.integers(160, 300)), "size": 32, "pad_id": pad,
        }

def numbers(case, got, expected):
    still = got["rows that never move"]
    return {
        "pad": case["pad_id"], "entries": case["entries"], "still": still[0] if still else None,
        "count": len(still), "spread": got["spread"],
    }

# %% another right solution
def make_table(entries, size, pad_id):
    weight = torch.randn(entries, size) * 0.02
    weight[pad_id] = 0
    return nn.Embedding.from_pretrained(weight, freeze=False, padding_idx=pad_id)

# %% misconception: both mistakes are still there
# says: With `[PAD]` as id {pad}, its row does not start at zero and moves with a step; the row that
# never moves is row {still}. Ask of each line: which row does it treat specially?
# edit: =pad_id => =0
# - with torch.no_grad():
# -     table.weight[pad_id] = 0.0
# %% misconception: the wrong row is mended
# says: Row {still} starts at zero and stays so, and `[PAD]` has the id {pad}: you have mended a row
# that belongs to an ordinary token. Both lines that single out a row need the id that the function
# was given.
# edit: =pad_id => =0
# edit: weight[pad_id] => weight[0]
# %% misconception: the zeros are written over
# says: Row {pad} never moves any more, as it should, but it does not start at zero: it keeps for
# ever whatever was drawn for it. `padding_idx` makes the row zero when the table is built. What
# does the next line do with the table?
# - with torch.no_grad():
# -     table.weight[pad_id] = 0.0
# %% misconception: another row is kept still
# says: The row of `[PAD]`, {pad}, starts at zero, and the first step moves it. Row {still} never
# moves, and that is an ordinary token. `padding_idx` is still told an id that belonged to another
# vocabulary.
# edit: =pad_id => =0
# %% misconception: zero at first, and learned
# says: The row of `[PAD]`, {pad}, starts at zero, and the first step moves it: no row of your table
# stays where it is. Zeros alone do not keep a gradient away; `padding_idx` does.
# edit: size, padding_idx=pad_id => size
# %% misconception: padding like any other token
# says: Every row of your table starts at random and learns, the one of `[PAD]`, {pad}, like all
# others. The table has to be told which row is the filler, with `padding_idx`.
# edit: size, padding_idx=pad_id => size
# - with torch.no_grad():
# -     table.weight[pad_id] = 0.0
# %% misconception: the small start is gone
# says: The row of `[PAD]` is as it should be. But the others have a spread of {spread}, and 0.02 is
# asked for: with the line that drew the numbers its purpose has gone, too. Keep the line, and mend
# what it does to row {pad}.
# - nn.init.normal_(table.weight, std=0.02)  # writes over the row of zeros, too
# %% misconception: nothing learns at all
# says: The row of `[PAD]` is zero, but {count} of {entries} rows never move: the whole table is
# frozen. `from_pretrained` freezes what it is given unless you say `freeze=False`.
# edit: return table => return table.requires_grad_(False)
# %% hints
# 1. Print `table.weight[pad_id]` after each of the two lines, with `pad_id=1`.
# 2. The first mistake is a number that was true of one vocabulary only. The second: `normal_` fills
# the whole matrix, after `padding_idx` has made a row of zeros.
# 3. Set the row to zero once more, behind `normal_`: inside `with torch.no_grad():`, because a
# parameter may not be changed under the eyes of the gradient.
# %% explanation
# `padding_idx` does two things: it makes the row zero when the table is built, and it keeps the
# gradient away from it. The first is undone by whoever draws the numbers afresh afterwards; it has
# been found in published models, Graphormer and fastai's language model among them. And ids belong
# to a vocabulary (chapter 2): a 0 that stands in the code is a `[PAD]` only by luck.

# %% task 3.4: Shapes, numbers, and who learns
# kind: predict; points: 15; minutes: 8; function: predict
#
# Before its first layer BERT adds three vectors for every token: its row of the token matrix, the
# row of its position (a second matrix, with `positions` rows) and the row of its segment (a third
# one, with 2 rows). All are `hidden` wide. The sum is normalised by a *LayerNorm*, which has two
# learned numbers for every dimension, a factor and a shift.
#
# The batch is `ids`, a list of rows of equal length; id 0 is `[PAD]`, and `padding_idx=0` is set.
# The vocabulary has `entries` entries. **Without building anything**, return a dictionary:
#
# - `"one_hot"`: the shape that the batch would have as one-hot rows, a tuple;
# - `"vectors"`: the shape of what goes into the first layer;
# - `"parameters"`: how many numbers are learned in these three matrices and the LayerNorm (count
#   the row of `[PAD]`, too: it is in the matrix);
# - `"rows"`: how many rows of the *token* matrix get a gradient other than zero from this batch.
#
# *Example.* `predict([[7, 7, 8], [9, 0, 0]], entries=10, hidden=4, positions=6)`: shapes `(2, 3,
# 10)` and `(2, 3, 4)`, 40 + 24 + 8 + 8 = 80 parameters, 3 rows.

# %% stub
def predict(ids: list[list[int]], entries: int, hidden: int, positions: int) -> dict:
    """Shapes, parameters, and rows that learn."""
    # BEGIN SOLUTION
    batch, length = len(ids), len(ids[0])
    different = {i for row in ids for i in row}
    return {
        "one_hot": (batch, length, entries),
        "vectors": (batch, length, hidden),
        "parameters": (entries + positions + 2 + 2) * hidden,
        "rows": len(different - {0}),
    }
    # END SOLUTION

# %% check
def cases(rng):
    yield {"ids": [[7, 7, 8], [9, 0, 0]], "entries": 10, "hidden": 4, "positions": 6}
    for rows, length, positions in ((3, 8, 512), (5, 11, 256), (4, 9, 128)):
        some = rng.choice(np.arange(1, 5000), size=rows * length // 2, replace=False)
        ids = rng.choice(some, size=(rows, length))
        ids[0, 1] = ids[1, 0] = ids[0, 0]
        ids[-1, 5:] = 0
        yield {
            "ids": ids.tolist(), "entries": int(rng.integers(5000, 30_000)),
            "hidden": int(rng.choice([128, 256, 384, 768])), "positions": positions,
        }

def numbers(case, got, expected):
    ids = case["ids"]
    return {
        **got, "entries": case["entries"], "hidden": case["hidden"], "positions": case["positions"],
        "places": len(ids) * len(ids[0]), "length": len(ids[0]), "right": expected["parameters"],
        "right_rows": expected["rows"],
    }

# %% another right solution
def predict(ids, entries, hidden, positions):
    with torch.device("meta"):
        parts = [nn.Embedding(n, hidden) for n in (entries, positions, 2)] + [nn.LayerNorm(hidden)]
    shape = tuple(torch.tensor(ids).shape)
    return {
        "one_hot": [*shape, entries],
        "vectors": [*shape, hidden],
        "parameters": sum(p.numel() for part in parts for p in part.parameters()),
        "rows": int(torch.tensor(ids).unique().count_nonzero()),
    }

# %% misconception: a row for every token
# says: You let {rows} rows learn, one for each place that is no padding; {right_rows} is right. A
# token that occurs twice is looked up twice in the same row, where both gradients are added.
# edit: len(different - {0}) => sum(i != 0 for row in ids for i in row)
# %% misconception: padding learns
# says: You let {rows} rows learn, and {right_rows} is right: all different ids of the batch, with
# `[PAD]` among them. Its row is looked up, but `padding_idx` keeps the gradient away from it.
# edit: different - {0} => different
# %% misconception: the whole matrix learns
# says: You let all {rows} rows learn. A row that was not looked up could not have changed the loss,
# so its gradient is exactly zero.
# edit: len(different - {0}) => entries
# %% misconception: the LayerNorm is forgotten
# says: You count {parameters:,} parameters, and there are {right:,}: the three matrices are
# complete, and the LayerNorm behind the sum is missing. (All five documents behind this course
# forgot it.) It has a factor and a shift for each of the {hidden} dimensions.
# edit: + 2 + 2 => + 2
# %% misconception: two numbers for the whole LayerNorm
# says: You count {parameters:,} parameters, and there are {right:,}. You give the LayerNorm one
# factor and one shift. It has one of each for every dimension, so that some can be made larger than
# others: 2 · {hidden}.
# edit: 2 + 2) * hidden => 2) * hidden + 2
# %% misconception: the token matrix alone
# says: You count {parameters:,} parameters, those of the token matrix, {entries} × {hidden}. The
# positions, the segments and the LayerNorm have learned numbers, too.
# edit: (entries + positions + 2 + 2) => entries
# %% misconception: positions for this batch only
# says: You count {parameters:,} parameters, and there are {right:,}: you give the matrix of
# positions {length} rows, as many as this batch is long. It was built before any batch came, with
# {positions} rows.
# edit: positions + 2 + 2 => length + 2 + 2
# %% misconception: three vectors side by side
# says: Your vectors are {vectors}: three times {hidden} wide, as if token, position and segment
# were laid side by side. They are added, number by number, and the sum is as wide as each of them.
# edit: length, hidden => length, 3 * hidden
# %% misconception: one-hot rows as wide as the vectors
# says: Your one-hot rows are {one_hot}. A one-hot row has a place for every entry of the
# vocabulary, {entries}; only the product with the matrix makes {hidden} numbers of it.
# edit: length, entries => length, hidden
# %% hints
# 1. Every matrix has `hidden` columns. How many rows do the three have, and how many numbers does the
# LayerNorm add?
# 2. Which ids occur in the batch, each counted once? And which of them is kept away from learning?
# 3. A set does the counting: `{i for row in ids for i in row} - {0}`. The parameters are `hidden`
# times the sum of `entries`, `positions`, 2 for the segments and 2 for the LayerNorm.
# %% explanation
# Nearly all of these numbers are rows of the token matrix, and a batch moves only the few that it
# looks up. With BERT-Base's 30,522 entries, 512 positions and a width of 768 the block has
# 23,837,184 parameters, more than a fifth of the whole model.
# %% free choices
# - `len(ids[0])` => `len(ids[1])`: all rows are equally long

# %% task 3.5: What a step really moves
# kind: measure; points: 25; minutes: 15; function: distances
#
# “A step of training moves only the rows that were looked up”, the chapter found, with plain
# gradient descent (SGD). Is that so for every optimizer? Measure it.
#
# `distances(start, make_optimizer, batches, pad_id)` gets the first weights `(V, d)` and a list of
# batches of ids `(B, T)`; `make_optimizer(parameters)` makes an optimizer for them. For every batch
# take **one** training step, with the *sum of the squares* of all numbers that were looked up as
# its loss. Return a tensor `(steps, V)`: how far each row has moved **in that step**, the length of
# the difference between the row after and the row before.
#
# *Example.* SGD with a learning rate of 0.1. The gradient of the loss is twice the row for each
# time that it was looked up. Row 1 is `[3, 4]`, of length 5: looked up once, it moves by 0.1 · 2 ·
# 5 = 1. Row 2 is `[0, 5]`: looked up twice, it moves by 2. Row 3 is not looked up and moves by 0.
# In the next step row 1, now `[2.4, 3.2]` and of length 4, moves by 0.8.
#
# When you pass, print your result for `torch.optim.AdamW` beside that for SGD.

# %% stub
def distances(
    start: Tensor, make_optimizer: Callable, batches: list[Tensor], pad_id: int
) -> Tensor:
    """How far each step has moved each row: (steps, V)."""
    table = nn.Embedding(*start.shape, padding_idx=pad_id)
    with torch.no_grad():
        table.weight.copy_(start)
    # BEGIN SOLUTION
    optimizer = make_optimizer(table.parameters())
    moved = []
    for ids in batches:
        before = table.weight.detach().clone()
        optimizer.zero_grad()
        table(ids).square().sum().backward()
        optimizer.step()
        moved.append((table.weight.detach() - before).norm(dim=1))
    return torch.stack(moved)
    # END SOLUTION

# %% run
torch.optim.SGD([nn.Parameter(torch.zeros(1))])  # the first one takes seconds: not on the clock
OPTIMIZERS = {
    "SGD": lambda parameters: torch.optim.SGD(parameters, lr=0.1),
    "SGD with momentum": lambda parameters: torch.optim.SGD(parameters, lr=0.1, momentum=0.9),
    "AdamW": lambda parameters: torch.optim.AdamW(parameters, lr=0.1, weight_decay=0.05),
}

def run(function, case):
    case = dict(case)
    moved = function(make_optimizer=OPTIMIZERS[case.pop("optimizer")], **case)
    if isinstance(moved, list | tuple) and moved and isinstance(moved[0], Tensor):
        moved = torch.stack(list(moved))
    return torch.tensor(moved) if isinstance(moved, list) else moved

# %% check
def cases(rng):
    start = torch.tensor([[0.0, 0.0], [3.0, 4.0], [0.0, 5.0], [1.0, 0.0], [2.0, 2.0]])
    batches = [torch.tensor([[1, 2, 2]]), torch.tensor([[1, 3, 0]])]
    yield {"start": start, "optimizer": "SGD", "batches": batches, "pad_id": 0}
    for optimizer in ("SGD", "SGD with momentum", "AdamW"):
        start = torch.from_numpy(rng.normal(size=(14, 6))).float()
        start[0] = 0.0
        ids = rng.permutation(np.arange(1, 14))
        batches = [
            np.array([[ids[0], ids[1], ids[1]], [ids[2], 0, 0]]),
            np.array([[ids[0], ids[3], 0], [ids[4], ids[4], ids[4]]]),
            np.array([[ids[5], ids[3], ids[1]], [ids[6], ids[5], 0]]),
        ]
        yield {
            "start": start, "optimizer": optimizer,
            "batches": [torch.from_numpy(b) for b in batches], "pad_id": 0,
        }

def numbers(case, got, expected):
    got = torch.as_tensor(got)
    wrong = (got - expected).abs() > 1e-4 * (1 + expected.abs())
    step = int(wrong.any(dim=1).float().argmax())
    row = int(wrong[step].float().argmax())
    return {
        "optimizer": case["optimizer"], "step": step + 1, "row": row,
        "yours": got[step, row].item(), "right": expected[step, row].item(),
        "count": int((got[step] > 0).sum()), "most": int((expected[step] > 0).sum()),
    }

# %% another right solution
def distances(start, make_optimizer, batches, pad_id):
    weight = start.clone().requires_grad_()
    optimizer = make_optimizer([weight])
    states = [start.clone()]
    for ids in batches:
        counts = torch.bincount(ids.flatten(), minlength=len(start)).float()
        counts[pad_id] = 0
        weight.grad = 2 * counts[:, None] * weight.detach()  # the gradient by hand
        optimizer.step()
        states.append(weight.detach().clone())
    return (torch.stack(states[1:]) - torch.stack(states[:-1])).square().sum(-1).sqrt()

# %% misconception: nothing moves
# says: With you no row has moved in any step. Two things do that. `before = table.weight` (or its
# `detach()`) is no copy but the same memory under another name, and moves with it: only `clone()`
# keeps what was there. Or the gradients are set to zero between `backward()` and `step()`.
# edit: .detach().clone() => .detach()
# %% misconception: the gradients pile up
# says: In step {step} ({optimizer}) row {row} moves by {yours:.3f} with you, and {right:.3f} is
# expected. Gradients are added to what is there. Without `zero_grad()` every step takes all earlier
# batches along once more.
# - optimizer.zero_grad()
# %% misconception: measured from the beginning
# says: In step {step} ({optimizer}) row {row} is {yours:.3f} away with you, and {right:.3f} is
# expected. You compare with the weights at the very beginning, so that all earlier steps are in it.
# Take a new copy before every step.
# - before = table.weight.detach().clone()
# edit: table.weight.detach() - before => table.weight.detach() - start
# %% misconception: a new optimizer for every batch
# says: With plain SGD you are right. With {optimizer}, row {row} moves in step {step} by
# {yours:.3f} with you, and {right:.3f} is expected. You make the optimizer anew for each batch, and
# it forgets what it remembered of the earlier steps. Make it once, before the loop.
# - optimizer.zero_grad()
# + optimizer = make_optimizer(table.parameters())
# + optimizer.zero_grad()
# %% misconception: the gradient for the movement
# says: For row {row} in step {step} you have {yours:.2f}, and it moves by {right:.2f}. What you
# return is the length of its gradient. How the gradient becomes a movement is the optimizer's
# business: compare the weights before and after.
# edit: (table.weight.detach() - before) => table.weight.grad
# %% misconception: only the rows of the batch are looked at
# says: With plain SGD you are right. With {optimizer}, {count} rows move in step {step} with you,
# and in truth {most} do. You measure only the rows that were looked up, and so you find what you
# believed before. Measure all of them.
# - moved.append((table.weight.detach() - before).norm(dim=1))
# + in_batch = torch.isin(torch.arange(len(start)), ids)
# + moved.append((table.weight.detach() - before).norm(dim=1) * in_batch)
# %% misconception: the mean of the squares
# says: In step {step} ({optimizer}) row {row} moves by {yours:.3f} with you, and {right:.3f} is
# expected. Your loss is the mean of the squares; the sum is asked for, so that the numbers can be
# checked by hand.
# edit: .sum().backward() => .mean().backward()
# %% misconception: the sum without the squares
# says: In step {step} ({optimizer}) row {row} moves by {yours:.3f} with you, and {right:.3f} is
# expected. Your loss is the plain sum of the numbers, whose gradient is 1 everywhere. The sum of
# their squares is asked for.
# edit: .square().sum() => .sum()
# %% misconception: the square of the length
# says: In step {step} ({optimizer}) row {row} moves by {right:.3f}, and you have {yours:.3f}, the
# square of it: the length is the **root** of the sum of the squares.
# edit: .norm(dim=1) => .square().sum(dim=1)
# %% misconception: each row is looked up once
# says: In step {step} ({optimizer}) row {row} moves by {yours:.3f} with you, and {right:.3f} is
# expected. A token that stands twice in the batch is looked up twice, and both times count. Did you
# leave out what occurs again?
# edit: table(ids) => table(ids.unique())
# %% misconception: the sum for the length
# says: In step {step} ({optimizer}) row {row} moves by {yours:.3f} with you, and {right:.3f} is
# expected. You add up how much each number has changed. The distance is the length of the
# difference, the root of the sum of its squares.
# edit: .norm(dim=1) => .abs().sum(dim=1)
# %% hints
# 1. Five things happen for each batch: keep a copy of the weights, set the gradients to zero, compute
# the loss and its gradients, take the step, compare. The optimizer is made once.
# 2. The copy is `table.weight.detach().clone()`, the loss `table(ids).square().sum()`.
# 3. After `optimizer.step()` the distances are `(table.weight.detach() - before).norm(dim=1)`; collect
# one such row for every batch and `torch.stack` them.
# %% explanation
# The gradient of a row that was not looked up is zero, always. But an optimizer may move a row
# without a gradient: with momentum, as in Adam, a row goes on rolling after the batches in which it
# occurred, and the weight decay of AdamW makes every row a little shorter at every step. So plain
# SGD moves only what was looked up, and AdamW, with which BERT is trained, moves everything except
# the row of zeros.
