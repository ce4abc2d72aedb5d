# %% [markdown]
# # Exercises 5 · Attention and its masks
#
# Chapter 5 wrote attention in three lines and cut off the future with a fourth. Here you write them
# yourself, mend two mistakes that raise no error, and train an attention head
# of your own to look things up.

# %% setup
import math

import torch
from torch import Tensor

# %% task 5.1: Scaled dot-product attention
# kind: write; points: 25; minutes: 10; function: attention
#
# Write `attention(query, key, value, mask=None)`.
#
# - `query` is `(B, H, T, d)`; `key` and `value` are `(B, H, S, d)`: `T` queries and `S` keys.
# - `mask` is boolean, broadcasts to `(B, H, T, S)`, and is `True` where attending is allowed.
# - Return the mixed values `(B, H, T, d)` and the weights `(B, H, T, S)`.
#
# *Example.* With `query = key = 0` and no mask every weight is `1 / S`, and every output is the mean
# of the values: equal scores give equal weights.

# %% stub
def attention(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Mixed values (B, H, T, d) and weights (B, H, T, S)."""
    # BEGIN SOLUTION
    scores = query @ key.mT / math.sqrt(query.shape[-1])  # (B, H, T, S)
    if mask is not None:
        scores = scores.masked_fill(~mask, -torch.inf)
    weights = scores.softmax(dim=-1)
    return weights @ value, weights
    # END SOLUTION

# %% check
def cases(rng):
    for heads, asking, width, hidden in ((2, 5, 16, "some"), (1, 4, 64, "future"), (3, 6, 8, None)):
        draw = torch.Generator().manual_seed(int(rng.integers(2**31)))
        query, key, value = (torch.randn(2, heads, asking, width, generator=draw) for _ in range(3))
        case = {"query": 2 * query, "key": key, "value": value}
        if hidden == "future":
            case["mask"] = torch.ones(asking, asking, dtype=torch.bool).tril()
        elif hidden == "some":
            lengths = torch.tensor([asking, int(rng.integers(2, asking))])
            case["mask"] = (torch.arange(asking) < lengths[:, None])[:, None, None, :]
        yield case

def numbers(case, got, expected):
    weights = got[1]
    return {
        "row": weights[-1, 0, 0].sum().item(), "first": weights[0, 0, 0].sum().item(),
        "largest": weights.amax(-1).mean().item(), "right": expected[1].amax(-1).mean().item(),
        "width": case["query"].shape[-1],
        "leak": weights.masked_fill(case["mask"], 0).max().item() if "mask" in case else 0,
    }

def family(case, got, expected):
    weights, ones = got[1], torch.ones(())
    if torch.allclose(weights.sum(-2), ones, atol=1e-4):  # whatever hidden scores were set to
        return "softmax over the wrong axis"
    hidden = weights.masked_fill(case["mask"], 0)
    if hidden.max() > 1e-6 and torch.allclose(weights.sum(-1), ones, atol=1e-4):
        seen = weights.masked_fill(~case["mask"], 0)
        if torch.allclose(seen / seen.sum(-1, keepdim=True), expected[1], atol=1e-4):
            return "hidden scores set to zero"

# %% another right solution
def attention(query, key, value, mask=None):
    scores = torch.einsum("bhtd,bhsd->bhts", query, key) * query.shape[-1] ** -0.5
    if mask is not None:
        scores = torch.where(mask, scores, torch.finfo(scores.dtype).min)
    shares = (scores - scores.amax(-1, keepdim=True)).exp()
    weights = shares / shares.sum(-1, keepdim=True)
    return torch.einsum("bhts,bhsd->bhtd", weights, value), weights

# %% misconception: softmax over the wrong axis
# says: Your weights sum to one down each column, while the first row sums to {first:.2f}. A row
# belongs to one query: the weights that it gives to all keys must sum to one. Did softmax run over
# `dim=-2`?
# edit: dim=-1 => dim=-2
# %% misconception: no scaling
# says: The scores are not divided by the root of the width. Your largest weight in a row is
# {largest:.2f} on average, where {right:.2f} is expected: sums of {width} products are large, and
# softmax turns large differences into almost all or nothing.
# edit: key.mT / math.sqrt(query.shape[-1]) => key.mT
# %% misconception: scaled by the width, not by its root
# says: The scores are divided by {width}, the width, and not by its square root: your largest
# weight in a row is only {largest:.2f} on average, expected is {right:.2f}. The *variance* of a dot
# product grows with the width, so its typical size grows with the root.
# edit: math.sqrt(query.shape[-1]) => query.shape[-1]
# %% misconception: scaled by the length of the text
# says: Your weights are right up to the scale: the largest in a row is {largest:.2f} on average,
# expected is {right:.2f}. Are the scores divided by the root of the number of *queries*? The width
# of a head, here {width}, is the last axis, `query.shape[-1]`.
# edit: query.shape[-1] => query.shape[-2]
# %% misconception: mask after the softmax
# says: Rows with hidden positions sum to {row:.2f} and not to one. Softmax had already given the
# hidden positions their weight when they were cut out. Cut before it, in the scores.
# - scores = scores.masked_fill(~mask, -torch.inf)
# + weights = scores.softmax(dim=-1) * mask
# + return weights @ value, weights
# %% misconception: mask the wrong way round
# says: You attend exactly where attending is *not* allowed. The mask is `True` where attending is
# allowed, and `masked_fill` fills where its mask is `True`: it wants `~mask`.
# edit: ~mask => mask
# %% misconception: hidden scores set to zero
# says: Your rows sum to one, and yet hidden positions have a weight of up to {leak:.3f}. Is their
# score set to a number such as 0 or -1? A score is an exponent: e to the power of 0 is one, and
# that of -1 is a third, not nothing. Only minus infinity leaves a weight of zero.
# edit: -torch.inf => 0.0
# %% misconception: no mask at all
# says: The mask changes nothing: positions that are to be hidden get weight like the others.
# - if mask is not None:
# -     scores = scores.masked_fill(~mask, -torch.inf)
# %% misconception: scaled after the softmax
# says: Your first row sums to {first:.2f}. The weights of a row sum to one when they leave the
# softmax; are they divided by the root of the width afterwards? The division is for the scores,
# before the softmax.
# edit: key.mT / math.sqrt(query.shape[-1]) => key.mT
# edit: scores.softmax(dim=-1) => scores.softmax(dim=-1) / math.sqrt(query.shape[-1])
# %% hints
# 1. Four steps: scores `(B, H, T, S)` from one matrix product, the division, the mask, the softmax; then
# the average. Print the shape after each.
# 2. `key.mT` swaps the last two axes. Divide by `math.sqrt(query.shape[-1])`.
# 3. `scores.masked_fill(~mask, -torch.inf)` before `softmax(dim=-1)`; then `weights @ value`.
# %% explanation
# Each row of the scores belongs to one query, each column to one key. The root
# keeps the spread of the scores the same whatever the width; minus infinity becomes a weight of
# exactly zero while the rest still sums to one; the last product averages the values with it.

# %% task 5.2: A mask that is off by one
# kind: repair; points: 20; minutes: 8; function: causal_padding_mask
#
# `causal_padding_mask(attention_mask)` takes a batch's `(B, T)` of ones (real tokens) and zeros
# (padding) and is to return a boolean `(B, 1, T, T)`, `True` where attending is allowed: a position
# may attend **to itself and to what came before it, unless that is padding**. Padding stands at the
# right, and rows of padded positions may hold anything that follows the same rule.
#
# A model that is trained with the version below reaches an excellent loss, and cannot say a word
# afterwards. Find out why, and mend it.
#
# *Example.* For `[[1, 1, 0]]` the result is
# `[[[[True, False, False], [True, True, False], [True, True, False]]]]`.

# %% stub
def causal_padding_mask(attention_mask: Tensor) -> Tensor:
    """(B, T) of 1 and 0 to (B, 1, T, T) bool, True where attending is allowed."""
    length = attention_mask.shape[1]
    # BEGIN STUB
    past = torch.ones(length, length, dtype=torch.bool).tril(diagonal=1)
    allowed = past[None, None] & attention_mask[:, None, :, None].bool()
    # END STUB
    # BEGIN SOLUTION
    before = torch.ones((length, length)).bool().tril()
    allowed = before & attention_mask.bool()[:, None, None, :]
    # END SOLUTION
    return allowed

# %% check
def cases(rng):
    for length in (3, 6, 9):
        real = torch.from_numpy(rng.integers(1, length, size=3))
        real[0] = length
        yield {"attention_mask": (torch.arange(length) < real[:, None]).long()}

def numbers(case, got, expected):
    return {
        "sees": int(got[0, 0, 0].sum()), "empty": int((~got.any(-1)).sum()),
        "third": int(got[0, 0, 2].sum()),
    }

# %% another right solution
def causal_padding_mask(attention_mask):
    place = torch.arange(attention_mask.shape[1])
    past = place[None, :] <= place[:, None]
    return (past[None] & (attention_mask[:, None, :] != 0))[:, None]

# %% misconception: one step of the future is visible
# says: Your first position may attend to {sees} positions: itself and the next one, which is the
# very token that it is to predict. `tril(diagonal=1)` keeps one diagonal too many. (That is why the
# loss was so good.)
# edit: tril() => tril(diagonal=1)
# %% misconception: padded rows are closed, padded columns are open
# says: {empty} rows of your result attend to nothing, those of the padding, and the softmax of
# nothing is NaN, which no later layer gets rid of. A *row* is a query, a *column* a key: it is as a
# column that padding is closed, `attention_mask[:, None, None, :]`.
# edit: [:, None, None, :] => [:, None, :, None]
# %% misconception: both mistakes are still there
# says: Your first position may attend to {sees} positions, and {empty} rows attend to nothing.
# There are two mistakes: try it on `[[1, 1, 0]]` and compare the result with the example, row by
# row.
# edit: tril() => tril(diagonal=1)
# edit: [:, None, None, :] => [:, None, :, None]
# %% misconception: a position may not attend to itself
# says: Your first position may attend to nothing, and the softmax of nothing is NaN. A position
# attends to itself too: `tril()` keeps the diagonal, `tril(diagonal=-1)` does not.
# edit: tril() => tril(diagonal=-1)
# %% misconception: the past is hidden and the future open
# says: Your first position may attend to {sees} positions: its future. Rows are queries and columns
# are keys, so what came before lies *below* the diagonal: `tril`, not `triu`.
# edit: tril() => triu()
# %% misconception: either of the two is enough
# says: Your third row attends to {third} positions in the first text. Are the two conditions joined
# with `|`, so that one of them is enough? A key has to be no padding **and** no later than the
# query: `&`.
# edit: before & => before |
# %% misconception: either of the two is enough, and rows are closed
# says: Your third row attends to {third} positions in the first text, and in the example a row of
# padding to more than it should. Are the two conditions joined with `|`? Both must hold, `&`; and
# padding is closed as a *column*, which is a key.
# edit: before & => before |
# edit: [:, None, None, :] => [:, None, :, None]
# %% hints
# 1. Call it with `torch.tensor([[1, 1, 0]])` and compare with the example, row by row. Row 0 is the first
# token: whom may it see?
# 2. There are two mistakes. One is in the number after `diagonal`. For the other ask: which axis of
# the result holds the keys?
# %% explanation
# With `diagonal=1` position *i* sees position *i* + 1, which is its answer: the loss falls by
# copying, and at generation time, when there is no next token yet, nothing has been learned. And
# padding is closed as a column, because no query is to attend to it; a row that is closed instead
# has nothing left to attend to, and its softmax is NaN.

# %% task 5.3: Shapes and parameters before you run anything
# kind: predict; points: 15; minutes: 7; function: predict
#
# A multi-head self-attention layer of width `hidden` with `heads` heads gets a batch of `batch` texts
# of `length` tokens. It has four square weight matrices (query, key, value, output), each with a bias.
# **Without building it**, return a dictionary:
#
# - `"query"`: the shape of the queries once they are split into heads, a tuple of four numbers;
# - `"scores"`: the shape of the scores;
# - `"divisor"`: the number by which the scores are divided;
# - `"parameters"`: how many numbers the layer learns.
#
# *Example.* With `batch=1, length=2, hidden=4, heads=1`: queries `(1, 1, 2, 4)`, scores
# `(1, 1, 2, 2)`, divisor `2.0`, parameters `80`.

# %% stub
def predict(batch: int, length: int, hidden: int, heads: int) -> dict:
    """Shapes, divisor and number of parameters of a self-attention layer."""
    # BEGIN SOLUTION
    width = hidden // heads
    return {
        "query": (batch, heads, length, width),
        "scores": (batch, heads, length, length),
        "divisor": width**0.5,
        "parameters": 4 * (hidden * hidden + hidden),
    }
    # END SOLUTION

# %% check
def cases(rng):
    yield {"batch": 1, "length": 2, "hidden": 4, "heads": 1}
    for _ in range(3):
        heads = int(rng.integers(2, 13))
        yield {
            "batch": int(rng.integers(2, 9)), "length": int(rng.integers(10, 100)),
            "hidden": heads * int(rng.choice([16, 32, 64])), "heads": heads,
        }

def numbers(case, got, expected):
    return {
        **case, "yours": got["parameters"], "divisor": got["divisor"],
        "width": case["hidden"] // case["heads"],
    }

# %% another right solution
def predict(batch, length, hidden, heads):
    return {
        "query": [batch, heads, length, hidden // heads],
        "scores": [batch, heads, length, length],
        "divisor": math.sqrt(hidden / heads),
        "parameters": sum(
            p.numel() for p in torch.nn.MultiheadAttention(hidden, heads).parameters()
        ),
    }

# %% misconception: the divisor of the whole width
# says: You divide by {divisor:.1f}, the root of {hidden}. Each head makes its scores from its own
# piece, and that is {hidden} / {heads} = {width} wide.
# edit: width**0.5 => hidden**0.5
# %% misconception: parameters for each head anew
# says: You count {yours:,} parameters, {heads} times too many. More heads cut the same matrices
# into narrower pieces; they bring no new ones.
# edit: 4 * => 4 * heads *
# %% misconception: biases forgotten
# says: You count {yours:,} parameters and have left out the biases: each of the four maps adds a
# vector of {hidden} numbers.
# edit: (hidden * hidden + hidden) => hidden * hidden
# %% misconception: the output matrix forgotten
# says: You count {yours:,} parameters, those of query, key and value. A fourth matrix mixes the
# heads once they are laid side by side again.
# edit: 4 * => 3 *
# %% misconception: scores as wide as a head
# says: Your scores end in the width of a head. A score belongs to a *pair of positions*: the last
# two axes are query and key, both {length} long, however wide the vectors are.
# edit: length, length => length, width
# %% hints
# 1. How wide is a head, when `heads` of them share `hidden` numbers?
# 2. A linear map from `hidden` to `hidden` has `hidden * hidden` weights and `hidden` biases. There are
# four of them, whatever the number of heads.
# %% explanation
# Heads are free: they cut queries, keys and values into pieces of `hidden / heads` numbers. The number
# of parameters does not depend on them, the divisor does, and the scores depend on the length alone.

# %% task 5.4: Heads that mix up the words
# kind: repair; points: 20; minutes: 8; function: split_heads
#
# `split_heads(x, heads)` is to cut each row of `x` `(B, T, hidden)` into `heads` consecutive pieces and
# return them as `(B, heads, T, hidden // heads)`: head 0 gets the first piece of **every** token, head 1
# the second, and so on. The version below has the right shape and the wrong content. Nothing fails;
# the model only learns badly.
#
# *Example.* One text of two tokens, `[[[1, 2, 3, 4], [5, 6, 7, 8]]]`, in two heads is
# `[[[[1, 2], [5, 6]], [[3, 4], [7, 8]]]]`.

# %% stub
def split_heads(x: Tensor, heads: int) -> Tensor:
    """(B, T, hidden) to (B, heads, T, hidden // heads)."""
    batch, length, hidden = x.shape
    # BEGIN STUB
    return x.view(batch, heads, length, hidden // heads)
    # END STUB
    # BEGIN SOLUTION
    pieces = x.view(batch, length, heads, -1)
    return pieces.permute(0, 2, 1, 3)
    # END SOLUTION

# %% check
def cases(rng):
    yield {"x": torch.arange(1.0, 9.0).view(1, 2, 4), "heads": 2}
    for heads in (2, 3):
        shape = (2, int(rng.integers(4, 7)), 4 * heads)
        yield {"x": torch.from_numpy(rng.normal(size=shape)).float(), "heads": heads}

def numbers(case, got, expected):
    return {"yours": got[0, 0, 1].tolist(), "right": expected[0, 0, 1].tolist()}

# %% another right solution
def split_heads(x, heads):
    return torch.stack(x.chunk(heads, dim=-1), dim=1)

# %% misconception: a view without moving an axis
# says: The second token of head 0 holds {yours}; it should hold {right}. `view` never moves a
# number: it only cuts the same row of numbers elsewhere, here in the middle of another token. First
# cut each token into heads, then *move* that axis forward.
# edit: pieces.permute(0, 2, 1, 3) => x.view(batch, heads, length, -1)
# %% misconception: every so-many-th number
# says: The second token of head 0 holds {yours}; it should hold {right}. You deal the numbers out
# like cards, one to each head in turn. A head gets a *consecutive* piece: the weights that are
# loaded from a checkpoint expect that.
# edit: length, heads, -1 => length, -1, heads
# edit: 0, 2, 1, 3 => 0, 3, 1, 2
# %% misconception: heads after tokens
# says: Your axes are (batch, token, head, piece). The matrix product of queries and keys works on
# the last two axes, so these have to be token and piece: move the head before the token.
# edit: pieces.permute(0, 2, 1, 3) => pieces
# %% misconception: the axes are swapped before the cut
# says: The second token of head 0 holds {yours}; it should hold {right}. Was `x` transposed first
# and reshaped afterwards? Then the row of numbers is cut across the tokens. First cut each token
# into heads, `(B, T, heads, piece)`, then swap two axes.
# edit: pieces.permute(0, 2, 1, 3) => x.mT.reshape(batch, heads, length, -1)
# %% hints
# 1. Try it on the example. In which order do the eight numbers lie in memory, and can `view` change it?
# 2. Cut the last axis in two, `(B, T, heads, hidden // heads)`; that is a `view`. Then swap two axes.
# %% explanation
# `view` and `reshape` re-cut one long row of numbers; only `transpose` and `permute` move them. The
# heads lie inside each token, so that axis appears behind the tokens first and is then moved before
# them. The mistake survives training, since every weight matrix can adapt to it a little; it is found
# by a test like this one.

# %% task 5.5: Project: teach a head to look things up
# kind: project; points: 20; minutes: 25; function: recall; seconds: 40
#
# Each text is a list of pairs and a question: `[k1, v1, k2, v2, ..., q]`. The answer is the value that
# stood behind the key that the question asks for. Keys are the ids `0` to `keys - 1`, values are
# `keys` to `keys + values - 1`. Questions have ids of their own, the next `keys` ones: each asks for
# one key, the same in all texts, and which one is not told. Which value belongs to which key changes
# in every text, so no answer can be learned by heart: the model has to *look*.
#
# Write `recall(texts, answers, questions, keys, values)`: train on `texts` `(N, T)` with `answers`
# `(N,)`, then return your answers `(M,)` to `questions` `(M, T)`. You pass if at least **95 %** are
# right, on texts that you have not seen. Two CPU cores do it in two seconds with one head of
# attention; no deep model is needed.
#
# *Example.* With three keys and two values, questions are 5, 6 and 7. Let 6 ask for key 2: then the
# answer to `[2, 4, 0, 3, 6]` is 4. But that 6 asks for 2 shows only in many texts with their answers.
#
# Think before you train: the question's vector must find the *pair*. A key and its value stand side by
# side, so let the table of keys be made from one column of tokens and the values from the next.

# %% stub
def recall(texts: Tensor, answers: Tensor, questions: Tensor, keys: int, values: int) -> Tensor:
    """Train on texts and answers; answer the questions: ids (M,)."""
    # BEGIN SOLUTION
    torch.manual_seed(0)
    table = torch.nn.Embedding(2 * keys + values, 32)
    to_logits = torch.nn.Linear(32, keys + values)

    def forward(ids: Tensor) -> Tensor:
        asked = table(ids[:, -1:])  # (N, 1, 32)
        offered, told = table(ids[:, 0:-1:2]), table(ids[:, 1:-1:2])  # (N, pairs, 32) each
        shares = (asked @ offered.mT / 32**0.5).softmax(-1)
        return to_logits((shares @ told)[:, 0])

    learner = torch.optim.AdamW([*table.parameters(), *to_logits.parameters()], lr=0.02)
    for step in range(250):
        batch = torch.randint(len(texts), (256,))
        loss = torch.nn.functional.cross_entropy(forward(texts[batch]), answers[batch])
        learner.zero_grad()
        loss.backward()
        learner.step()
    with torch.no_grad():
        return forward(questions).argmax(-1)
    # END SOLUTION

# %% check
import numpy as np

def cases(rng):
    keys, values, pairs = 8, 8, 5
    names = np.arange(keys)
    while (names == np.arange(keys)).any():
        names = rng.permutation(keys)

    def draw(count):
        order = rng.random((count, keys)).argsort(1)[:, :pairs]
        told = rng.integers(keys, keys + values, size=(count, pairs))
        asked = rng.integers(pairs, size=count)
        row = np.arange(count)
        ids = np.stack([order, told], axis=2).reshape(count, 2 * pairs)
        question = keys + values + names[order[row, asked]]
        ids = np.concatenate([ids, question[:, None]], axis=1)
        return torch.from_numpy(ids), torch.from_numpy(told[row, asked])

    texts, answers = draw(2000)
    questions, right = draw(500)
    yield (
        {
            "texts": texts, "answers": answers, "questions": questions, "keys": keys,
            "values": values,
        },
        right,
    )

def judge(case, got, right):
    if tuple(got.shape) != tuple(right.shape):
        return f"One answer for each question is expected, {tuple(right.shape)}, not {tuple(got.shape)}."
    share = (got == right).double().mean().item()
    if share >= 0.95:
        return None
    if (got < case["keys"]).double().mean() > 0.5:
        return "answers with keys"
    offered, told = case["questions"][:, 0:-1:2], case["questions"][:, 1:-1:2]
    asked = case["questions"][:, -1] - case["keys"] - case["values"]
    if (got == told[:, -1]).double().mean() > 0.9:
        return "the last value, whatever was asked"
    named = (offered == asked[:, None]).any(1)
    if (got == (told * (offered == asked[:, None])).sum(1))[named].double().mean() > 0.9:
        return "questions and keys are compared by their numbers"
    if all(got[asked == one].bincount().max() > 0.9 * (asked == one).sum() for one in asked.unique()):
        return "no look at the text"
    if (got[:, None] == told).any(1).double().mean() > 0.9:
        return (
            f"{share:.0%} are right, 95 % are needed. Your answers do occur in their texts, so values "
            "are found, but not by their key: does the question's vector meet the *key* of each pair?"
        )
    return (
        f"{share:.0%} are right on new texts; 95 % are needed. Train longer, or look at the hints."
    )

# %% another right solution
def recall(texts, answers, questions, keys, values):
    # Which key a question asks for is counted: its value is the answer in every text that has it.
    hits = torch.zeros(2 * keys + values, keys)
    place, which = (texts[:, 1:-1:2] == answers[:, None]).nonzero().T
    hits.index_put_((texts[place, -1], texts[:, 0:-1:2][place, which]), torch.ones(()), accumulate=True)
    asked = hits.argmax(1)[questions[:, -1:]]
    return (questions[:, 1:-1:2] * (questions[:, 0:-1:2] == asked)).sum(1)

# %% misconception: answers with keys
# says: Your answers are keys. What is asked for is the value behind the key: an id of `keys` or
# more.
# edit: torch.manual_seed(0) => return questions[:, 0]
# %% misconception: the last value, whatever was asked
# says: You give the last value of each text, whatever is asked. The question has to be compared
# with every key.
# edit: torch.manual_seed(0) => return questions[:, -2]
# %% misconception: no look at the text
# says: You give nearly the same answer whenever a question has the same id, whatever the text says.
# Which value belongs to which key is different in every text: a table over the whole training set
# cannot know it.
# - torch.manual_seed(0)
# + told = [answers[texts[:, -1] == key].bincount(minlength=keys + values) for key in range(keys)]
# + return torch.stack(told).argmax(-1)[questions[:, -1]]
# %% misconception: questions and keys are compared by their numbers
# says: You answer as if the first question asked for key 0, the second for key 1, and so on. Which
# question asks for which key is not told by the ids; it has to be learned from texts and answers.
# (Where it is learned, no comparison of ids is needed: two vectors find each other.)
# - torch.manual_seed(0)
# + match = questions[:, 0:-1:2] == questions[:, -1:] - keys - values
# + return (questions[:, 1:-1:2] * match).sum(1) + keys * ~match.any(1)
# %% hints
# 1. One attention step: the query is made from the last token, the keys from tokens 0, 2, 4, …, the values
# from tokens 1, 3, 5, …
# 2. One embedding table will do for questions, keys and values. A question and its key begin with
# vectors that have nothing in common; training brings them together. A linear layer turns the mixed
# value into logits.
# 3. AdamW with a learning rate of 0.02, batches of 256, 250 steps, cross-entropy.
# %% explanation
# Question and key are two rows of the table, and only training makes their dot product the largest:
# whenever the value behind the right key is mixed in, the loss falls. The values behind are averaged
# with those weights, and a linear layer reads the answer off. This is what a head with a good key and
# a good query does in BERT, too. (Whoever counts which key has the answer behind it, text for text,
# is right as well: then you have learned by hand what the head learns.)
# %% free choices
# - `torch.manual_seed(0)`, `2 * keys + values, 32`, `torch.nn.Linear(32, keys + values)`, `32**0.5`,
#   `lr=0.02`, `range(250)`, `(256,)`, `learner.zero_grad()`: any start, width, divisor and rate that learn
# - `0:-1:2` => `0:-2:2`: the same places
