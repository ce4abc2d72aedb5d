# %% [markdown]
# # Exercises 11 · The `[CLS]` token, and what each layer knows
#
# Chapter 11 read vectors at different places and in different layers, and asked with probes what
# they hold. Here you make those vectors from a layer's states, look at the row of `[CLS]`, clean up
# a probe that had seen the exam, and measure which layer knows most.

# %% setup
import math

import torch
from torch import Tensor

# %% task 11.1: One vector for a text, in three ways
# kind: write; points: 20; minutes: 10; function: text_vectors
#
# Write `text_vectors(states, attention_mask, weight, bias)`, which returns a dictionary of three
# tensors `(B, d)`:
#
# - `"cls"`: the state of `[CLS]`;
# - `"mean"`: the mean over all real tokens, `[CLS]` and `[SEP]` included, padding not;
# - `"pooler"`: the state of `[CLS]` after a linear map and a hyperbolic tangent.
#
# `states` `(B, T, d)` come from one layer; `attention_mask` `(B, T)` is 1 at real tokens and 0 at
# padding, which stands at the right. `weight` `(d, d)` and `bias` `(d,)` are those of the pooler's
# `nn.Linear`: row *i* of `weight` makes number *i* of the result.
#
# *Example.* For `states = [[[1, 0], [3, 4], [9, 9]]]`, `attention_mask = [[1, 1, 0]]`,
# `weight = [[0, 0], [1, 0]]` and `bias = [0, 0]` the three are `[[1, 0]]`, `[[2, 2]]` and
# `[[0, 0.7616]]`, since `tanh(1)` is 0.7616.

# %% stub
def text_vectors(
    states: Tensor, attention_mask: Tensor, weight: Tensor, bias: Tensor
) -> dict[str, Tensor]:
    """The vectors "cls", "mean" and "pooler" of each text, (B, d) each."""
    # BEGIN SOLUTION
    cls = states[:, 0]
    real = attention_mask[..., None].to(states.dtype)  # (B, T, 1)
    mean = (states * real).sum(1) / real.sum(1)
    return {"cls": cls, "mean": mean, "pooler": torch.tanh(cls @ weight.T + bias)}
    # END SOLUTION

# %% check
def cases(rng):
    for length, width in ((6, 4), (9, 16)):
        draw = torch.Generator().manual_seed(int(rng.integers(2**31)))
        real = torch.from_numpy(rng.integers(3, length - 1, size=3))
        real[2] = length
        yield {
            "states": 0.7 + torch.randn(3, length, width, generator=draw),
            "attention_mask": (torch.arange(length) < real[:, None]).long(),
            "weight": torch.randn(width, width, generator=draw) / width**0.5,
            "bias": 0.5 + torch.rand(width, generator=draw),
        }

def variants(case):
    """What known mistakes give, by key and name."""
    states, mask = case["states"], case["attention_mask"]
    weight, bias = case["weight"], case["bias"]
    cls, real = states[:, 0], mask.float()[..., None]
    row, last = torch.arange(len(mask)), mask.sum(1) - 1
    inner = real.clone()
    inner[:, 0], inner[row, last] = 0, 0
    mean = (states * real).sum(1) / real.sum(1)
    return {
        "cls": {"the last place instead of the first": states[:, -1]},
        "mean": {
            "padding counts in the mean": states.mean(1),
            "padding is zeroed and still counted": (states * real).mean(1),
            "the mean leaves [CLS] and [SEP] out": (states * inner).sum(1) / inner.sum(1),
        },
        "pooler": {
            "the pooler has no tanh": cls @ weight.T + bias,
            "the pooler has no bias": torch.tanh(cls @ weight.T),
            "the pooler's matrix is the wrong way round": torch.tanh(cls @ weight + bias),
            "the pooler reads the mean": torch.tanh(mean @ weight.T + bias),
        },
    }

def judge(case, got, expected):
    for key, known in variants(case).items():
        mine = torch.as_tensor(got[key]).double()
        if mine.shape != expected[key].shape:
            return ""
        if torch.allclose(mine, expected[key].double(), rtol=1e-4, atol=1e-4):
            continue
        for name, wrong in known.items():
            if torch.allclose(mine, wrong.double(), rtol=1e-4, atol=1e-4):
                return name
        return ""
    return None if set(got) == set(expected) else ""

def numbers(case, got, expected):
    mask = case["attention_mask"]
    return {
        "places": mask.shape[1], "real": int(mask[0].sum()), "mean": float(got["mean"][0, 0]),
        "right": float(expected["mean"][0, 0]),
        "largest": float(torch.as_tensor(got["pooler"]).abs().max()),
    }

# %% another right solution
def text_vectors(states, attention_mask, weight, bias):
    mean = torch.stack([x[m.bool()].mean(0) for x, m in zip(states, attention_mask, strict=True)])
    pooler = torch.nn.functional.linear(states[:, 0], weight, bias).tanh()
    return {"cls": states[:, 0], "mean": mean, "pooler": pooler}

# %% misconception: the last place instead of the first
# says: Your "cls" is the state at the last place, `states[:, -1]`. In BERT `[CLS]` stands in front;
# and with padding the last place is, in most texts, not even a token that somebody wrote.
# edit: states[:, 0] => states[:, -1]
# %% misconception: padding counts in the mean
# says: Your "mean" of the first text runs over all {places} places, of which {real} are real
# tokens: it begins with {mean:.3f}, where {right:.3f} is expected. The states at padding are
# numbers like any others, and nothing but the mask tells that they mean nothing. The same text in a
# longer batch would get another vector from you.
# edit: (states * real).sum(1) / real.sum(1) => states.mean(1)
# %% misconception: padding is zeroed and still counted
# says: Your sum leaves the padding out, but it is then divided by all {places} places, although the
# first text has only {real} real tokens. So its "mean" is too short ({mean:.3f} at the start
# instead of {right:.3f}), and the more so the shorter the text. A mean divides by the number of
# what was added.
# edit: (states * real).sum(1) / real.sum(1) => (states * real).mean(1)
# %% misconception: the mean leaves [CLS] and [SEP] out
# says: Your "mean" leaves `[CLS]` and `[SEP]` out. That can be a sensible choice, but it is not the
# one of this task and of chapter 11: there the mean runs over all real tokens, the special ones
# included.
# - mean = (states * real).sum(1) / real.sum(1)
# + mean = (states[:, 1:-1] * real[:, 2:]).sum(1) / real[:, 2:].sum(1)
# %% misconception: the pooler has no tanh
# says: Your "pooler" has numbers as large as {largest:.2f}, and a hyperbolic tangent never leaves
# the range from minus one to one. After the linear map the squeezing is missing.
# edit: torch.tanh(cls @ weight.T + bias) => cls @ weight.T + bias
# %% misconception: the pooler has no bias
# says: Your "pooler" leaves the bias out. The pooler is a whole `nn.Linear`: the product with the
# matrix, and then a number added to each result, before the tanh.
# edit: weight.T + bias => weight.T
# %% misconception: the pooler's matrix is the wrong way round
# says: In your "pooler" the columns of `weight` make the results, where the rows should. The matrix
# is square, so the product runs either way and no shape gives it away. `nn.Linear` keeps one row
# for each number that comes out: with the vectors on the left it is the transposed matrix that is
# needed.
# edit: weight.T => weight
# %% misconception: the pooler reads the mean
# says: Your "pooler" works on the mean of the tokens. The name suggests it, but BERT's pooler pools
# nothing: it reads the state of `[CLS]` alone and sends it through one trained layer.
# edit: cls @ => mean @
# %% hints
# 1. `states[:, 0]` is `[CLS]` of every text. For the mean: how many vectors may be added, and by what
# must the sum be divided?
# 2. Give the mask a third axis, `attention_mask[..., None]`, and multiply: padding becomes zero. Then
# divide the sum by the number of real tokens of each text, `(B, 1)`.
# 3. The pooler is `torch.nn.functional.linear(cls, weight, bias)` and then `torch.tanh`.
# %% explanation
# Three readings of the same layer. The mean is the one in which padding can go wrong, because an
# average does not ask where its numbers come from: the mask belongs above the line and below it.
# The pooler is a dense layer and a tanh on `[CLS]` alone, whatever its name says. `minibert` makes
# the same vectors in `text_vectors`, for every layer at once.

# %% task 11.2: What does `[CLS]` attend to, and how evenly?
# kind: write; points: 20; minutes: 10; function: cls_attention
#
# In the middle layers of chapter 11's models `[CLS]` attended to almost nothing but itself. Put a
# number on such a thing. Write `cls_attention(attentions, attention_mask)` for the maps of a whole
# batch, `attentions` `(L, B, H, T, T)` (layer, text, head, query, key) and
# `attention_mask` `(B, T)`. Return
#
# - the **row** of `[CLS]`, mean of the heads: `(L, B, T)`;
# - its **spread**: `(L, B)`, the entropy $-\sum_j w_j \ln w_j$ of that row, divided by the largest
#   entropy that the text's real tokens allow, which is $\ln n$ for $n$ real tokens.
#
# A spread of 1 means that all real tokens get the same, 0 that one token gets everything. Padding
# has weights of exactly zero; $0 \ln 0$ counts as 0, as is usual.
#
# *Example.* One layer, one text of three places of which the last is padding, two heads. In one
# head `[CLS]` gives `[1, 0, 0]`, in the other `[0, 1, 0]`. The row is `[0.5, 0.5, 0]` and its
# spread is 1: the entropy of two equal weights is $\ln 2$, and more than $\ln 2$ is not to be had
# from two tokens.

# %% stub
def cls_attention(attentions: Tensor, attention_mask: Tensor) -> tuple[Tensor, Tensor]:
    """The row of [CLS] (L, B, T), mean of the heads, and its spread (L, B)."""
    # BEGIN SOLUTION
    rows = attentions[:, :, :, 0].mean(2)  # (L, B, T)
    entropy = -torch.xlogy(rows, rows).sum(-1)  # (L, B); xlogy(0, 0) is 0
    return rows, entropy / attention_mask.sum(-1).log()
    # END SOLUTION

# %% check
def cases(rng):
    for depth, heads, length in ((2, 2, 6), (3, 4, 8)):
        draw = torch.Generator().manual_seed(int(rng.integers(2**31)))
        real = torch.from_numpy(rng.integers(3, length - 1, size=3))
        real[2] = length
        mask = torch.arange(length) < real[:, None]
        scores = 2 * torch.randn(depth, 3, heads, length, length, generator=draw)
        scores = scores.masked_fill(~mask[None, :, None, None], -torch.inf)
        yield {"attentions": scores.softmax(-1), "attention_mask": mask.long()}

def judge(case, got, expected):
    maps, real = case["attentions"], case["attention_mask"].sum(-1)

    def near(a, b):
        return a.shape == b.shape and torch.allclose(
            torch.as_tensor(a).double(), b.double(), rtol=1e-4, atol=1e-4, equal_nan=True
        )

    if not near(got[0], expected[0]):
        known = {
            "the column instead of the row": maps[..., 0].mean(2),
            "the heads are added up": maps[:, :, :, 0].sum(2),
        }
        if tuple(got[0].shape) != tuple(expected[0].shape):
            return ""
        return next(
            (name for name, wrong in known.items() if near(got[0], wrong)),
            "Your rows are not those expected. Try the example, and a map of one head first.",
        )
    if near(got[1], expected[1]):
        return None
    rows, each = expected[0], maps[:, :, :, 0]
    entropy = -torch.xlogy(rows, rows).sum(-1)
    known = {
        "the logarithm of zero": -(rows * rows.log()).sum(-1) / real.log(),
        "the entropy of each head first": -torch.xlogy(each, each).sum(-1).mean(2) / real.log(),
        "padding counts among the places": entropy / math.log(rows.shape[-1]),
        "the entropy is not compared": entropy, "the minus sign is missing": -entropy / real.log(),
    }
    if tuple(got[1].shape) != tuple(expected[1].shape):
        return ""
    if near(got[1], expected[1] / math.log(2)):
        return "Your spreads are 1.44 times too large: one of your logarithms is to base two."
    mine, right = float(got[1][0, 0]), float(expected[1][0, 0])
    return next(
        (name for name, wrong in known.items() if near(got[1], wrong)),
        f"Your rows are right, your spreads not: the first is {mine:.3f} instead of {right:.3f}.",
    )

def numbers(case, got, expected):
    return {
        "sum": float(got[0][0, 0].sum()), "heads": case["attentions"].shape[2],
        "spread": float(got[1][0, 0]), "right": float(expected[1][0, 0]),
        "places": case["attention_mask"].shape[1], "real": int(case["attention_mask"][0].sum()),
        "largest": float(torch.nan_to_num(torch.as_tensor(got[1])).max()),
        "missing": int(torch.isnan(torch.as_tensor(got[1])).sum()), "all": got[1].numel(),
    }

# %% another right solution
def cls_attention(attentions, attention_mask):
    depth, batch, _, _, length = attentions.shape
    rows, spread = torch.zeros(depth, batch, length), torch.zeros(depth, batch)
    for i, text in enumerate(attention_mask.bool()):
        count = int(text.sum())
        for layer in range(depth):
            rows[layer, i] = sum(head[0] for head in attentions[layer, i]) / len(
                attentions[layer, i]
            )
            w = rows[layer, i][text]
            spread[layer, i] = (w * (1 / w).log()).sum() / math.log(count)
    return rows, spread

# %% misconception: the column instead of the row
# says: Your first row sums to {sum:.2f} and not to one. You took what every token gives to `[CLS]`,
# which is a column of the map. What `[CLS]` itself gives away is its row: it is the axis of the
# queries, the last but one, that has to be 0.
# edit: attentions[:, :, :, 0] => attentions[..., 0]
# %% misconception: the heads are added up
# says: Your first row sums to {sum:.2f}, as many as there are heads ({heads}). Each head shares out
# one whole; the mean of the heads does so again, their sum does not.
# edit: .mean(2) => .sum(2)
# %% misconception: the logarithm of zero
# says: {missing} of your {all} spreads are NaN, those of the texts with padding. The weights there
# are exactly zero, the logarithm of zero is minus infinity, and zero times minus infinity is NaN.
# Leave those places out, or use a function that knows that the product tends to zero.
# edit: torch.xlogy(rows, rows) => (rows * rows.log())
# %% misconception: the entropy of each head first
# says: Your first spread is {spread:.3f}, where {right:.3f} is expected: you have averaged the
# entropies of the heads. The task wants the entropy of the averaged row. They differ: in the
# example each head attends to a single token, and yet all heads together attend to both.
# - entropy = -torch.xlogy(rows, rows).sum(-1)  # (L, B); xlogy(0, 0) is 0
# + each = attentions[:, :, :, 0]
# + entropy = -torch.xlogy(each, each).sum(-1).mean(2)
# %% misconception: padding counts among the places
# says: You compare with the logarithm of all {places} places, but the first text has only {real}
# real tokens, and padding can never get any weight. So even a perfectly even row would stay below 1
# with you (the first spread is {spread:.3f} instead of {right:.3f}), and the more so the more
# padding the batch happens to bring.
# edit: attention_mask.sum(-1).log() => math.log(rows.shape[-1])
# %% misconception: the entropy is not compared
# says: Your largest spread is {largest:.2f}: that is the entropy itself, which grows with the
# length of the text. Divide it by the logarithm of the number of real tokens, and texts of
# different lengths can be compared.
# edit: entropy / attention_mask.sum(-1).log() => entropy
# %% misconception: the minus sign is missing
# says: Your spreads are negative ({spread:.3f} at the start). The logarithm of a weight is never
# above zero, so the sum of the products is not either; the entropy is minus that sum.
# edit: -torch.xlogy => torch.xlogy
# %% hints
# 1. Five axes: layer, text, head, query, key. `[CLS]` is the query, at place 0; then
# the heads are averaged, which takes one more axis away.
# 2. `torch.xlogy(w, w)` is `w * ln w` and gives 0 where `w` is 0. The number of real tokens of each
# text is a sum over the mask.
# %% explanation
# A row of the map belongs to a query, so the axis of queries is 0, and a mean over heads still sums
# to one. The entropy is largest when all real tokens get the same weight; measured against that, a
# row says how evenly it attends, whatever the length of the text. A spread near zero in a middle
# layer does not mean that `[CLS]` has found the important word: in chapter 11 the one token that
# got nearly everything was `[CLS]` itself.

# %% task 11.3: A probe that has seen the exam
# kind: repair; points: 20; minutes: 10; function: probe; tolerance: 0.002
#
# A linear probe on tokens: `states` `(n, d)` are the vectors of all tokens of a collection,
# `labels` `(n,)` are 0 or 1 (does it stand in a name?), and `sentence` `(n,)` says for each token
# the number of the sentence it comes from. `probe(states, labels, sentence, penalty)` is to
#
# - hold back for the exam **all tokens of every sentence whose number is divisible by 4**;
# - bring every dimension to mean zero and spread one, by the mean and the spread **of the tokens
#   that it may learn from**;
# - fit the linear map (that part is right: it solves for the weights directly, targets being -1 and
#   +1);
# - return which tokens are the exam, a boolean `(n,)`, and the scores of those, in their order.
#
# Two mistakes let the exam leak into the learning. Neither raises an error.
#
# *Example.* With `sentence = [0, 0, 1, 1, 1]` the exam is `[True, True, False, False, False]`, and
# the mean that is subtracted is the mean of the last three tokens.

# %% stub
def probe(
    states: Tensor, labels: Tensor, sentence: Tensor, penalty: float
) -> tuple[Tensor, Tensor]:
    """Which tokens are the exam (n,), and the scores of these."""
    # BEGIN STUB
    exam = torch.arange(len(states)) % 4 == 0
    x = (states - states.mean(0)) / states.std(0)
    # END STUB
    # BEGIN SOLUTION
    exam = sentence % 4 == 0
    known = states[~exam]
    x = (states - known.mean(0)) / known.std(0)
    # END SOLUTION
    target = 2.0 * labels - 1
    centre = target[~exam].mean()
    square = x[~exam].T @ x[~exam] + penalty * torch.eye(x.shape[1])
    weights = torch.linalg.solve(square, x[~exam].T @ (target[~exam] - centre))
    return exam, x[exam] @ weights + centre

# %% check
def cases(rng):
    for count, width in ((24, 5), (36, 8)):
        draw = torch.Generator().manual_seed(int(rng.integers(2**31)))
        lengths = torch.from_numpy(rng.integers(3, 8, size=count))
        sentence = torch.arange(count).repeat_interleave(lengths)
        topic = torch.randn(count, width, generator=draw)
        states = topic[sentence] + torch.randn(len(sentence), width, generator=draw)
        direction = torch.randn(width, generator=draw)
        noise = torch.randn(len(sentence), generator=draw)
        labels = (states @ direction + noise > 0).long()
        stretch = 1 + 4 * torch.rand(width, generator=draw)
        moved = (2 + torch.rand(width, generator=draw)) * (sentence % 4 == 0)[:, None]
        states = stretch * (states * (1 + 0.5 * (sentence % 4 == 0)[:, None]) + moved)
        yield {"states": states, "labels": labels, "sentence": sentence, "penalty": 2.0}

def numbers(case, got, expected):
    exam, sentence = got[0], case["sentence"]
    here, there = sentence[exam].unique(), sentence[~exam].unique()
    return {
        "both": int(torch.isin(here, there).sum()), "sentences": len(sentence.unique()),
        "yours": float(got[1][0]), "right": float(expected[1][0]),
        "share": float(exam.float().mean()),
    }

# %% another right solution
def probe(states, labels, sentence, penalty):
    exam = torch.tensor([number % 4 == 0 for number in sentence.tolist()])
    known, held_back = states[~exam], states[exam]
    mean = known.mean(0)
    spread = (known - mean).square().sum(0).div(len(known) - 1).sqrt()
    x = (known - mean) / spread
    x = torch.cat((x, penalty**0.5 * torch.eye(x.shape[1])))  # the penalty as further rows
    target = 2.0 * labels[~exam] - 1
    rest = torch.cat((target - target.mean(), torch.zeros(states.shape[1])))
    weights = torch.linalg.lstsq(x, rest[:, None]).solution[:, 0]
    return exam, (held_back - mean) / spread @ weights + target.mean()

# %% misconception: both mistakes are still there
# says: {both} of the {sentences} sentences have tokens in both splits. Compare the two lines with
# the two demands in the task: what is held back, and whose mean is subtracted.
# edit: sentence % 4 == 0 => torch.arange(len(states)) % 4 == 0
# edit: states[~exam] => states
# %% misconception: tokens of one sentence in both splits
# says: {both} of the {sentences} sentences have tokens in both splits with you. Tokens of one
# sentence have been attending to each other all through the model, so their vectors are alike:
# whoever has learned from one of them knows part of the answer for the next. Hold back whole
# sentences.
# edit: sentence % 4 => torch.arange(len(states)) % 4
# %% misconception: the exam helps to set the scale
# says: The sentences are divided as they should be, but your first score is {yours:.3f} instead of
# {right:.3f}: mean and spread were taken over all tokens, those of the exam among them. Scaling is
# part of learning. What is measured about the exam before the exam makes it a little less unseen.
# edit: states[~exam] => states
# %% misconception: each split has its own scale
# says: You scale the exam by its own mean and spread (your first score is {yours:.3f}, expected is
# {right:.3f}). Then the same vector means one thing in training and another in the exam, and a
# score depends on which other tokens happen to be asked with it. The exam is measured with the
# scale that was learned before.
# - x = (states - known.mean(0)) / known.std(0)
# + x = (states - known.mean(0)) / known.std(0)
# + x[exam] = (states[exam] - states[exam].mean(0)) / states[exam].std(0)
# %% misconception: the scale comes from the exam
# says: The sentences are divided as they should be, but mean and spread are those of the exam
# alone: your first score is {yours:.3f} instead of {right:.3f}. `exam` is `True` where a token is
# held back; the tokens to learn from are the others, `~exam`.
# edit: states[~exam] => states[exam]
# %% misconception: no scale at all
# says: The exam can no longer help to set the scale, because there is none: your first score is
# {yours:.3f}, expected is {right:.3f}. The penalty treats all dimensions alike and needs them on
# one scale, and the last line relies on a mean of zero. Keep the scaling, and measure it on fewer
# tokens.
# edit: (states - known.mean(0)) / known.std(0) => states
# %% misconception: learning and exam exchanged
# says: You hold back {share:.0%} of the tokens: those whose sentence is **not** divisible by 4, and
# learn from the rest. `exam` is to be `True` where the number leaves no remainder.
# edit: % 4 == 0 => % 4 != 0
# %% hints
# 1. The first line counts tokens. What should it count?
# 2. For the second line ask of every number in it: could I have known it before I saw the exam?
# 3. Divide first (`sentence % 4 == 0`), then take mean and spread from `states[~exam]` alone, and use
# both for all tokens.
# %% explanation
# A fair split keeps apart what belongs together: tokens of one sentence share their context, and
# copies of a context in both splits make every vector look better than it is. And everything that
# is estimated, the scale included, comes from the training split. Leaking a mean often changes
# little; but whether it did can only be said after doing it properly. A pipeline such as chapter
# 11's, with the scaler inside, cannot get the order wrong.

# %% task 11.4: States and maps before you run anything
# kind: predict; points: 15; minutes: 8; function: predict
#
# A BERT with `layers` layers, `heads` heads and width `hidden` reads a batch of texts in one go;
# `words` tells how many words each text has, and every word is one token. The tokenizer adds
# `[CLS]` and `[SEP]` and fills up to the longest. **Without running a model**, return a dictionary:
#
# - `"hidden_states"`: the shape of all states laid on top of each other, `(layers …, B, T, …)`;
# - `"attentions"`: the shape of all maps laid on top of each other, `(layers …, B, heads, …)`;
# - `"zeros"`: how many weights in all those maps are exactly zero because of padding;
# - `"even"`: for each text, a list of the weights that each of its real tokens would get if a row
#   were spread evenly.
#
# *Example.* With `words=[2, 4], layers=2, hidden=4, heads=2`: states `(3, 2, 6, 4)`, maps
# `(2, 2, 2, 6, 6)`, `zeros` 48 (the first text has two padded places, and in each of its four maps
# six rows give them nothing), `even` `[1/4, 1/6]`.

# %% stub
def predict(words: list[int], layers: int, hidden: int, heads: int) -> dict:
    """Shapes of states and maps, the number of zeros in the maps, and even weights."""
    # BEGIN SOLUTION
    real = [count + 2 for count in words]
    batch, length = len(real), max(real)
    padded = sum(length - tokens for tokens in real)
    return {
        "hidden_states": (layers + 1, batch, length, hidden),
        "attentions": (layers, batch, heads, length, length),
        "zeros": layers * heads * length * padded,
        "even": [1 / tokens for tokens in real],
    }
    # END SOLUTION

# %% check
def cases(rng):
    yield {"words": [2, 4], "layers": 2, "hidden": 4, "heads": 2}
    for _ in range(3):
        heads = int(rng.integers(2, 13))
        words = rng.integers(3, 30, size=int(rng.integers(2, 6))).tolist()
        words[0] = max(words) + int(rng.integers(1, 4))
        yield {
            "words": words, "layers": int(rng.integers(2, 13)), "hidden": 16 * heads,
            "heads": heads,
        }

def judge(case, got, expected):
    words, layers, heads, hidden = (case[key] for key in ("words", "layers", "heads", "hidden"))
    batch, length = len(words), max(words) + 2
    real = [count + 2 for count in words]
    empty = sum(length - tokens for tokens in real)
    wrong = {
        "hidden_states": {
            "the special tokens are forgotten": (layers + 1, batch, length - 2, hidden),
            "only [CLS] is counted": (layers + 1, batch, length - 1, hidden),
            "what goes in is not counted": (layers, batch, length, hidden),
        },
        "attentions": {
            "a map for what goes in": (layers + 1, batch, heads, length, length),
            "maps as wide as a head": (layers, batch, heads, length, hidden // heads),
        },
        "zeros": {
            "padded rows are counted as zeros": layers
            * heads
            * sum(length**2 - t * t for t in real),
            "the zeros of one head only": layers * length * empty,
            "the zeros of the row of [CLS] only": layers * heads * empty,
        },
    }
    for key, known in wrong.items():
        mine = got[key]
        mine = int(mine) if key == "zeros" else tuple(int(side) for side in mine)
        if mine != expected[key]:
            return next((name for name, value in known.items() if mine == value), "")
    mine = [float(share) for share in got["even"]]
    if len(mine) == batch and all(
        math.isclose(a, b, rel_tol=1e-4) for a, b in zip(mine, expected["even"], strict=True)
    ):
        return None if set(got) == set(expected) else ""
    return "padding counts in the even spread" if set(mine) == {1 / length} else ""

def numbers(case, got, expected):
    return {
        "first": got["hidden_states"][0], "length": got["hidden_states"][2],
        "most": max(case["words"]), "needed": max(case["words"]) + 2, "layers": case["layers"],
        "next": case["layers"] + 1, "heads": case["heads"], "zeros": got["zeros"],
        "right": expected["zeros"], "real": min(case["words"]) + 2, "short": min(case["words"]),
    }

# %% another right solution
def predict(words, layers, hidden, heads):
    tokens = torch.tensor(words) + 2
    mask = torch.arange(int(tokens.max())) < tokens[:, None]
    maps = mask[None, :, None, None, :].expand(layers, -1, heads, mask.shape[1], -1)
    states = torch.empty(layers + 1, *mask.shape, hidden, device="meta")
    return {
        "hidden_states": list(states.shape),
        "attentions": list(maps.shape),
        "zeros": int((~maps).sum()),
        "even": (1 / tokens).tolist(),
    }

# %% misconception: what goes in is not counted
# says: You expect {first} layers of states. Each of the {layers} layers leaves one, and there is
# one more: what went into the first layer. Index 0 is that input, so that the state after layer 3
# is number 3.
# edit: layers + 1 => layers
# %% misconception: the special tokens are forgotten
# says: You expect {length} tokens, the words of the longest text. The tokenizer sets `[CLS]` in
# front of every text and `[SEP]` behind it, so there are two more: {needed}.
# edit: count + 2 => count
# %% misconception: only [CLS] is counted
# says: You expect {length} tokens, one more than the longest text has words. That is the matrix
# that the notes have drawn; BERT adds `[CLS]` in front and `[SEP]` at the end, which makes
# {needed}.
# edit: count + 2 => count + 1
# %% misconception: a map for what goes in
# says: You expect {next} layers of maps. There are {next} states, but what goes in has not looked
# at anything yet: a map belongs to a layer, and there are {layers} of those.
# edit: (layers, batch, heads => (layers + 1, batch, heads
# edit: "zeros": layers => "zeros": (layers + 1)
# %% misconception: maps as wide as a head
# says: Your maps end in the width of a head. A weight belongs to a pair of tokens, a query and a
# key; both axes are {needed} long, however wide the vectors are.
# edit: length, length => length, hidden // heads
# %% misconception: padded rows are counted as zeros
# says: You count {zeros:,} zeros, and there are {right:,}. Padding is hidden as something to look
# at: its columns are zero. Its rows are not; a padded place is a query like any other, its row sums
# to one, and only nobody reads the result.
# edit: length * padded => sum(length * length - tokens * tokens for tokens in real)
# %% misconception: the zeros of one head only
# says: You count {zeros:,} zeros. That is right for one head in every layer; there are {heads}
# heads, each with a map of its own, and the mask is the same for all of them.
# edit: layers * heads * length * padded => layers * length * padded
# %% misconception: the zeros of the row of [CLS] only
# says: You count {zeros:,} zeros, those of a single row of each map. Padding is hidden from every
# row, not from `[CLS]` alone, and there are {needed} rows.
# edit: length * padded => padded
# %% misconception: padding counts in the even spread
# says: You spread every row over all {needed} places. Padding gets nothing, so in the shortest
# text, with {short} words, each of the {real} real tokens would get 1/{real}.
# edit: 1 / tokens => 1 / length
# %% hints
# 1. How many tokens has the longest text, once `[CLS]` and `[SEP]` are there? And which of the two
# stacks has something for what went in, before the first layer?
# 2. For the zeros take one map of one head: which columns belong to padding, and how many rows cross
# them? Then add up over texts, heads and layers.
# %% explanation
# States: one for what goes in and one a layer, with a vector for each token, padding included.
# Maps: one a layer and head, square. The mask closes the columns of padding in every row, those of
# the padded places too, so a text with p padded places has T times p zeros in each of its maps.

# %% task 11.5: Which layer knows most?
# kind: measure; points: 25; minutes: 15; function: by_layer; needs: sklearn
#
# Someone has frozen a model and handed you its vectors: `states` `(L + 1, N, d)` of texts to learn
# from, with `labels` `(N,)` of 0 and 1, and `unseen` `(L + 1, M, d)` with `truth` `(M,)`. Layer 0
# is what went in. Dimensions have very different means and sizes, as in real models. Fit **a linear
# probe on each layer**, and return a dictionary:
#
# - `"accuracy"`: a list of `L + 1` numbers, the accuracy of each layer's probe on the unseen texts;
# - `"constant"`: the rival that knows nothing: the accuracy, on the unseen texts, of always giving
#   the label that is commonest there;
# - `"best"`: the number of the layer with the highest accuracy.
#
# Any linear map will do: least squares with a small penalty, solved directly; or
# `LogisticRegression` of scikit-learn after a `StandardScaler`, as in chapter 11 (import them
# inside the function). You pass if your accuracies are within 0.15 of those of a good linear probe.
#
# *Example.* If `truth` is `[1, 0, 1, 1]` and the probe of some layer says `[1, 0, 0, 1]`, the
# accuracy of that layer is 0.75, and so is `"constant"`: this probe has shown nothing yet.

# %% stub
def by_layer(states: Tensor, labels: Tensor, unseen: Tensor, truth: Tensor) -> dict:
    """Accuracy of a linear probe on each layer, of the constant answer, and the best layer."""
    # BEGIN SOLUTION
    target = 2.0 * labels - 1
    accuracy = []
    for x, new in zip(states, unseen, strict=True):
        mean, spread = x.mean(0), x.std(0)
        x, new = (x - mean) / spread, (new - mean) / spread
        square = x.T @ x + 10 * torch.eye(x.shape[1])
        weights = torch.linalg.solve(square, x.T @ (target - target.mean()))
        said = new @ weights + target.mean() > 0
        accuracy.append((said == truth).float().mean().item())
    share = truth.float().mean().item()
    best = max(range(len(accuracy)), key=accuracy.__getitem__)
    return {"accuracy": accuracy, "constant": max(share, 1 - share), "best": best}
    # END SOLUTION

# %% run
def run(function, case):
    """Once as it is, and once on half of the unseen texts, with their labels turned round."""
    states, labels, unseen, truth = (
        case[key].clone() for key in ("states", "labels", "unseen", "truth")
    )
    half = len(truth) // 2
    return [function(**case), function(states, labels, unseen[:, :half], 1 - truth[:half])]

# %% check
import numpy as np

def cases(rng):
    layers, width, known, asked = 5, 24, 120, 500

    def draw(labels):
        noise = rng.normal(size=(layers, len(labels), width))
        signs = (labels - 0.5)[None, :, None]
        return centre + size * (noise + signs * distance[:, None, None] * direction)

    for best in (int(rng.integers(1, layers - 1)), layers - 1):
        distance = np.array([0.3, 0.9, 1.1, 1.0, 2.2])  # between the classes, in spreads
        distance[best] = 4.5
        direction = rng.normal(size=(layers, 1, width))
        direction /= np.linalg.norm(direction, axis=-1, keepdims=True)
        centre = 30 * rng.normal(size=(layers, 1, width))
        size = 10 ** rng.uniform(-1, 1.5, size=(layers, 1, width))
        labels = rng.permutation(np.arange(known) < 0.52 * known).astype(int)
        truth = rng.permutation(np.arange(asked) < 0.6 * asked).astype(int)
        yield {
            "states": torch.from_numpy(draw(labels)).float(), "labels": torch.from_numpy(labels),
            "unseen": torch.from_numpy(draw(truth)).float(), "truth": torch.from_numpy(truth),
        }

def judge(case, got, expected):
    (got, turned), (expected, _) = got, expected
    mine = np.array([float(share) for share in got["accuracy"]])
    right = np.array(expected["accuracy"])
    depth = len(right) - 1
    if len(mine) == depth:
        return "layer 0 is left out"
    if len(mine) != depth + 1:
        return f"You return {len(mine)} accuracies; one for each of {depth + 1} layers is expected."
    if (mine > 1).any():
        return f"An accuracy is a fraction between 0 and 1; yours goes up to {mine.max():.1f}."
    gap, peak = mine - right, int(right.argmax())
    # With the truth turned round an honest probe is wrong where it was right.
    again = np.array([float(share) for share in turned["accuracy"]])
    if mine[peak] > 0.6 and again[peak] > 0.6:
        if np.allclose(mine, again, atol=1e-6):
            return "scored on texts that it learned from"
        return "fitted to the unseen texts"
    if (abs(1 - mine - right) <= 0.1).all() and gap.min() < -0.3:
        return "wrong answers are counted"
    if (abs(gap) > 0.15).any():
        if gap[-1] > -0.07 and gap[peak] < -0.15:
            return "one probe for all layers"
        if gap.max() < 0.15:
            return "the probe is not fitted to the end"
        return ""
    labels = case["labels"].double().mean().item()
    if abs(float(got["constant"]) - expected["constant"]) > 1e-3:
        if abs(float(got["constant"]) - max(labels, 1 - labels)) < 1e-3:
            return "the constant answer is scored on the training texts"
        if abs(float(got["constant"]) - 0.5) < 1e-6:
            return "the constant answer is taken to be one half"
        return ""
    if got["best"] == expected["best"]:
        return None
    if got["best"] == depth:
        return "the last layer is taken for the best"
    if got["best"] == expected["best"] + 1:
        return (
            "Your accuracies are right, but you count the layers from one. The first accuracy is "
            "that of layer 0."
        )
    return f"Your accuracies are right, but the highest of them is not in layer {got['best']}."

def numbers(case, got, expected):
    got, expected = got[0], expected[0]
    mine, right = got["accuracy"], expected["accuracy"]
    short = len(mine) == len(right)
    worst = int(np.argmax(np.abs(np.array(mine) - np.array(right)))) if short else 0
    return {
        "layer": worst, "yours": float(mine[worst]), "right": float(right[worst]),
        "count": len(mine), "needed": len(right), "constant": float(got["constant"]),
        "should": float(expected["constant"]), "best": got["best"], "top": expected["best"],
        "last": float(mine[-1]), "high": float(max(mine)),
    }

# %% another right solution
def by_layer(states, labels, unseen, truth):
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    accuracy = []
    for layer in range(len(states)):
        judge = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=2000))
        judge.fit(states[layer].numpy(), labels.numpy())
        accuracy.append(judge.score(unseen[layer].numpy(), truth.numpy()))
    counts = torch.bincount(truth)
    return {
        "accuracy": accuracy,
        "constant": (counts.max() / counts.sum()).item(),
        "best": int(torch.tensor(accuracy).argmax()),
    }

# %% misconception: scored on texts that it learned from
# says: In layer {layer} you report {yours:.2f}, where a linear probe reaches {right:.2f} on unseen
# texts. That is what one gets on texts that the probe was fitted to: with so many dimensions and so
# few texts it can learn part of the labels by heart, even where the vectors hold nothing. Fit on
# `states`, score on `unseen`.
# edit: said = new => said = x
# edit: said == truth => said == labels
# %% misconception: fitted to the unseen texts
# says: Your probe has learned from `truth`. When the check turns all labels of the unseen texts
# round, a probe that was fitted to `states` and `labels` alone becomes wrong where it was right;
# yours learns the new labels and stays as good as before. What it is scored on must not take part
# in the fitting.
# edit: labels - 1 => torch.cat((labels, truth)) - 1
# - mean, spread = x.mean(0), x.std(0)
# + x = torch.cat((x, new))
# + mean, spread = x.mean(0), x.std(0)
# %% misconception: layer 0 is left out
# says: You return {count} accuracies, and `states` has {needed} layers. Layer 0, what went in,
# belongs to them: it is the rival that shows whether the layers have added anything.
# edit: zip(states, unseen, => zip(states[1:], unseen[1:],
# %% misconception: one probe for all layers
# says: In the last layer you report {last:.2f} as expected, in the others little more than guessing
# (layer {layer}: {yours:.2f} instead of {right:.2f}). It looks as if one probe, fitted to the last
# layer, read all of them. Layers do not share their axes: a direction that means something in one
# is a random direction in another. Every layer needs its own probe, and its own scale.
# edit: zip(states, unseen, strict=True) => zip([states[-1]] * len(states), unseen)
# %% misconception: the probe is not fitted to the end
# says: In layer {layer} your probe is right on {yours:.2f} of the unseen texts, and a linear map
# can be on {right:.2f}. So yours is not fitted to the end, and its score would say more about the
# fitting than about the vectors. The dimensions have very different means and sizes: bring each to
# mean zero and spread one first (measured on `states`), or solve for the weights directly.
# - mean, spread = x.mean(0), x.std(0)
# - ...
# - said = new @ weights + target.mean() > 0
# + weights, bias = torch.zeros(x.shape[1]), 0.0
# + for _ in range(20):
# +     error = x @ weights + bias - target
# +     weights, bias = weights - 1e-7 * x.T @ error / len(x), bias - 1e-7 * error.mean()
# + said = new @ weights + bias > 0
# %% misconception: wrong answers are counted
# says: Your accuracies are the fractions of wrong answers: in layer {layer} you have {yours:.2f},
# and one minus that is about what is expected. Or every label is the other way round: score above
# zero means 1 if you gave 1 the target +1.
# edit: said == truth => said != truth
# %% misconception: the constant answer is scored on the training texts
# says: Your accuracies are right. For the constant answer you have {constant:.2f}, the fraction of
# the commonest label among the texts to learn from. It has to be compared with accuracies on the
# unseen texts, so it must be scored on them as well: {should:.2f}.
# edit: share = truth => share = labels
# %% misconception: the constant answer is taken to be one half
# says: Your accuracies are right, but the constant answer gets one half only where both labels are
# equally common. Here one of them is commoner among the unseen texts, and always giving that one is
# right on {should:.2f} of them.
# edit: max(share, 1 - share) => 0.5
# %% misconception: the last layer is taken for the best
# says: You name the last layer, where your own accuracy is {last:.2f}. The highest one is
# {high:.2f}, and it stands elsewhere. That the last layer has the richest features is what one of
# the documents says; here you have measured it.
# edit: max(range(len(accuracy)), key=accuracy.__getitem__) => len(accuracy) - 1
# %% hints
# 1. A loop over the layers: scale by what `states[layer]` tells, fit, predict on `unseen[layer]`,
# compare with `truth`.
# 2. Least squares: targets -1 and +1; with `x` scaled, solve `(x.T @ x + 10 * eye) w = x.T @ target`
# by `torch.linalg.solve`, and say 1 where the score is above zero. Subtract the mean of the targets
# before and add it again to the scores: that is the bias.
# 3. With scikit-learn: `make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=2000))`,
# then `fit` on the one and `score` on the other, as arrays (`.numpy()`).
# %% explanation
# One probe a layer, each with its own scale, fitted on one split and scored on the other. The best
# layer was somewhere in the middle here because the vectors were made that way; in chapter 11 it
# depended on the question. What carries over is the procedure: unseen texts, a rival that knows
# nothing, and layer 0 beside the others. (With real data you would not choose the best layer on the
# same texts on which you then report its accuracy: choose it on a development set.)
# %% free choices
# - `target = 2.0 * labels - 1`, `mean, spread = x.mean(0), x.std(0)`, `target - target.mean()`,
#   `x, new = (x - mean) / spread, (new - mean) / spread`, `new @ weights + target.mean() > 0`,
#   `square = x.T @ x + 10 * torch.eye(x.shape[1])`: any two targets, size and small penalty
