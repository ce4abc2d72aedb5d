# %% [markdown]
# # Exercises 12 · One sentence, all the way through
#
# Chapter 12 took one sentence from its characters to a label. Here you foretell the shapes of that
# walk, go its last steps yourself, mend the end of a published script, count what one step of
# training can reach, and ask a classifier what its answer depends on. At the end you go the whole
# way, with a real vocabulary and real weights.

# %% setup
import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

# %% task 12.1: Every shape before you run anything
# kind: predict; points: 12; minutes: 8; function: predict
#
# A Chinese text (characters and Chinese punctuation marks, nothing else, all in the vocabulary)
# goes through a BERT with `layers` layers, width `hidden`, `heads` heads, a feed-forward part of
# width `intermediate` and a classifier for `labels` labels. It goes alone, as a batch of one,
# without padding. **Without running a model**, return a dictionary:
#
# - `"tokens"`: how many tokens the text becomes;
# - `"query"`: the shape of the queries of one layer, split into heads;
# - `"weights"`: the shape of one layer's attention weights;
# - `"inside"`: the shape inside the feed-forward part, at its widest;
# - `"states"`: the shape of all hidden states laid on top of each other, layers first;
# - `"pooled"`: the shape of what comes out of the pooler;
# - `"classifier"`: the shape of the classifier's matrix, as `nn.Linear` keeps it;
# - `"logits"`: the shape of the logits.
#
# *Example.* For `text="很好！", layers=1, hidden=4, heads=2, intermediate=8, labels=3`: 5 tokens,
# query `(1, 2, 5, 2)`, weights `(1, 2, 5, 5)`, inside `(1, 5, 8)`, states `(2, 1, 5, 4)`, pooled
# `(1, 4)`, classifier `(3, 4)`, logits `(1, 3)`.

# %% stub
def predict(
    text: str, layers: int, hidden: int, heads: int, intermediate: int, labels: int
) -> dict:
    """Number of tokens, and shapes from the first layer to the logits."""
    # BEGIN SOLUTION
    tokens = len(text) + 2
    return {
        "tokens": tokens,
        "query": (1, heads, tokens, hidden // heads),
        "weights": (1, heads, tokens, tokens),
        "inside": (1, tokens, intermediate),
        "states": (layers + 1, 1, tokens, hidden),
        "pooled": (1, hidden),
        "classifier": (labels, hidden),
        "logits": (1, labels),
    }
    # END SOLUTION

# %% check
def cases(rng):
    film = {"text": "这部电影非常精彩！", "layers": 12, "hidden": 768, "heads": 12}
    yield {**film, "intermediate": 3072, "labels": 2}
    pieces = ["这部电影", "房间很大", "服务也好", "非常精彩", "太差了", "我不喜欢", "味道不错"]
    for _ in range(3):
        chosen = rng.permutation(pieces)[: int(rng.integers(2, 6))]
        heads = int(rng.integers(3, 9))
        hidden = heads * int(rng.choice([8, 16, 24]))
        yield {
            "text": "，".join(chosen.tolist()) + "。", "layers": int(rng.integers(3, 9)),
            "hidden": hidden, "heads": heads, "intermediate": 4 * hidden,
            "labels": int(rng.integers(3, 7)),
        }

def judge(case, got, expected):
    layers, hidden, heads, labels = (case[k] for k in ("layers", "hidden", "heads", "labels"))
    signs = len(case["text"])
    wrong = {
        "tokens": {
            "the special tokens are not counted": signs, "one token too few": signs + 1,
        },
        "query": {
            "every head as wide as the model": (1, heads, expected["tokens"], hidden),
            "heads after tokens": (1, expected["tokens"], heads, hidden // heads),
        },
        "weights": {"weights as wide as a head": expected["query"]},
        "inside": {"nothing gets wider": (1, expected["tokens"], hidden)},
        "states": {"what goes in is not counted": (layers, *expected["states"][1:])},
        "pooled": {"the pooler keeps all rows": (1, expected["tokens"], hidden)},
        "classifier": {"the classifier the wrong way round": (hidden, labels)},
        "logits": {"an answer for each token": (1, expected["tokens"], labels)},
    }
    for key, known in wrong.items():
        mine = got[key]
        mine = int(mine) if key == "tokens" else tuple(int(side) for side in mine)
        if mine != expected[key]:
            return next((name for name, value in known.items() if mine == value), "")
    return None if set(got) == set(expected) else ""

def numbers(case, got, expected):
    return {
        **case, "signs": len(case["text"]), "tokens": got["tokens"], "needed": expected["tokens"],
        "width": case["hidden"] // case["heads"], "states": got["states"][0],
        "next": case["layers"] + 1,
    }

# %% another right solution
def predict(text, layers, hidden, heads, intermediate, labels):
    x = torch.zeros(1, len(["[CLS]", *text, "[SEP]"]), hidden)
    query = x.unflatten(-1, (heads, -1)).transpose(1, 2)
    classifier = torch.nn.Linear(hidden, labels)
    shapes = {
        "query": query,
        "weights": query @ query.mT,
        "inside": x.repeat(1, 1, intermediate // hidden),
        "states": torch.stack([x] * (1 + layers)),
        "pooled": x[:, 0],
        "classifier": classifier.weight,
        "logits": classifier(x[:, 0]),
    }
    return {"tokens": x.shape[1]} | {name: list(part.shape) for name, part in shapes.items()}

# %% misconception: the special tokens are not counted
# says: You count {tokens} tokens, as many as there are characters. Nobody wrote `[CLS]` and
# `[SEP]`, and yet they are tokens like the others, with a row in every matrix: that makes {needed}.
# edit: len(text) + 2 => len(text)
# %% misconception: one token too few
# says: You count {tokens} tokens for “{text}”. That is the slip in the notes, which say 10 for
# their film sentence of nine characters. The text has {signs} signs, punctuation among them, and
# two tokens are added, one in front and one at the end.
# edit: len(text) + 2 => len(text) + 1
# %% misconception: every head as wide as the model
# says: Your queries are {hidden} wide in every head. The {heads} heads share the width: a row is
# cut into {heads} pieces, and each head works on its own piece of {hidden} / {heads} = {width}
# numbers.
# edit: hidden // heads => hidden
# %% misconception: heads after tokens
# says: Your queries have the axes batch, token, head, piece. Attention multiplies matrices with a
# row for each token, one such matrix a head, so the heads stand before the tokens.
# edit: (1, heads, tokens, hidden => (1, tokens, heads, hidden
# %% misconception: weights as wide as a head
# says: Your attention weights end in {width}, the width of a head. A weight belongs to two tokens,
# a query and a key, so the last two axes are both {needed} long.
# edit: tokens, tokens => tokens, hidden // heads
# %% misconception: nothing gets wider
# says: Inside the feed-forward part you have rows of {hidden} numbers. That is what goes in and
# what comes out; in between each row is {intermediate} wide, and this is where most of a layer's
# parameters sit.
# edit: (1, tokens, intermediate) => (1, tokens, hidden)
# %% misconception: what goes in is not counted
# says: You expect {states} states, one a layer. What goes into the first layer, the normalised sum
# of the three embeddings, is a state as well: there are {next}.
# edit: layers + 1 => layers
# %% misconception: the pooler keeps all rows
# says: What you let out of the pooler still has {needed} rows. The pooler is given the row of
# `[CLS]` alone; the other rows are dropped before it, and what they had to say must have reached
# `[CLS]` by attention.
# edit: "pooled": (1, hidden) => "pooled": (1, tokens, hidden)
# %% misconception: the classifier the wrong way round
# says: Your classifier is {hidden} × {labels}, as the notes have it. `nn.Linear` keeps one row for
# each number that comes out, so that a row is the vector with which one label's dot product is
# taken: {labels} × {hidden}.
# edit: (labels, hidden) => (hidden, labels)
# %% misconception: an answer for each token
# says: You have logits for each of the {needed} tokens. A tagger gives those; this head answers
# once for the whole text, with one number a label.
# edit: (1, labels) => (1, tokens, labels)
# %% hints
# 1. Each Chinese character is a token, and so is each punctuation mark. Which two more are there?
# 2. Up to the last layer there is a row for each token. Which axes has a number that belongs to a
# head? To a pair of tokens? After the pooler no axis for tokens is left.
# %% explanation
# `len(text) + 2` tokens, since nothing is merged in Chinese and two tokens are added. The matrix
# keeps one row a token as far as the last layer; only inside a layer do other shapes appear, for
# pairs of tokens and for the wide part. Then one row is left, and one number a label.

# %% task 12.2: From the last layer to a name
# kind: write; points: 16; minutes: 10; function: answer
#
# Write the end of the walk: a function `answer` that gets the encoder's output `last_hidden_state`
# `(B, T, d)`, matrix and bias of the pooler and of the classifier, and the names of the labels, and
# returns
#
# - the probabilities of the labels, `(B, C)`;
# - a list of the `B` names said, each that of the largest probability.
#
# The pooler is a linear map `(d, d)` and a hyperbolic tangent on the vector of `[CLS]`; the
# classifier is linear, `(C, d)`. Both keep their matrices as `nn.Linear` does, a row for each
# number that comes out. `id2label` is a dictionary from the number of a label to its name, as it
# stands in `config.json`: do not count on the order in which it is written down.
#
# *Example.* `last_hidden_state = [[[1, 0], [5, 5]]]`, pooler weight `[[0, 0], [1, 0]]`, classifier
# weight `[[0, 0], [0, 1]]`, all biases 0. The pooled vector is `[[0, 0.7616]]`, the logits are
# `[[0, 0.7616]]`, the probabilities `[[0.3183, 0.6817]]`, and with `{1: "good", 0: "bad"}` the name
# is `"good"`.

# %% stub
def answer(
    last_hidden_state: Tensor,
    pooler_weight: Tensor,
    pooler_bias: Tensor,
    classifier_weight: Tensor,
    classifier_bias: Tensor,
    id2label: dict[int, str],
) -> tuple[Tensor, list[str]]:
    """Probabilities (B, C) of the labels, and the name said of each text."""
    # BEGIN SOLUTION
    pooled = torch.tanh(F.linear(last_hidden_state[:, 0], pooler_weight, pooler_bias))  # (B, d)
    logits = F.linear(pooled, classifier_weight, classifier_bias)  # (B, C)
    return logits.softmax(-1), [id2label[i] for i in logits.argmax(-1).tolist()]
    # END SOLUTION

# %% check
def cases(rng):
    desks = ["hardware", "software", "billing", "sales"]
    stars = ["terrible", "poor", "fair", "good", "superb"]
    for names, width in ((desks, 8), (stars, 12)):
        draw = torch.Generator().manual_seed(int(rng.integers(2**31)))

        def normal(*shape, draw=draw):
            return torch.randn(*shape, generator=draw)

        count = len(names)
        places = [*range(1, count), 0]  # written down from number 1 on, number 0 last
        chosen = sorted(names)
        while any(a == b for a, b in zip(chosen, sorted(names), strict=True)) or (
            chosen[-1:] + chosen[:-1] == sorted(names) or chosen[1:] + chosen[:1] == sorted(names)
        ):
            chosen = rng.permutation(names).tolist()
        yield {
            "last_hidden_state": 0.5 + normal(4 * count, 6, width),
            "pooler_weight": normal(width, width), "pooler_bias": 1 + normal(width),
            "classifier_weight": normal(count, width), "classifier_bias": normal(count),
            "id2label": {place: chosen[place] for place in places},
        }

def variants(case):
    """The probabilities that known mistakes give."""
    states, weight, bias = (case[k] for k in ("last_hidden_state", "pooler_weight", "pooler_bias"))

    def classify(x):
        return F.linear(x, case["classifier_weight"], case["classifier_bias"])

    def pooled(x):
        return torch.tanh(F.linear(x, weight, bias))

    cls = states[:, 0]
    logits = classify(pooled(cls))
    return {
        "the pooler is left out": classify(cls).softmax(-1),
        "the tanh is left out": classify(F.linear(cls, weight, bias)).softmax(-1),
        "the pooler's matrix is the wrong way round": classify(
            torch.tanh(cls @ weight + bias)
        ).softmax(-1),
        "the mean of all tokens is read": classify(pooled(states.mean(1))).softmax(-1),
        "the last token is read": classify(pooled(states[:, -1])).softmax(-1),
        "softmax over the texts": logits.softmax(0),
        "a sigmoid for each label": logits.sigmoid(),
        "logits are no probabilities": logits,
    }

def judge(case, got, expected):
    mine = torch.as_tensor(got[0]).double()
    if mine.shape != expected[0].shape or len(got[1]) != len(mine):
        return ""

    def near(right):
        return torch.allclose(mine, right.double(), rtol=1e-4, atol=1e-4)

    if not near(expected[0]):
        return next(
            (name for name, wrong in variants(case).items() if near(wrong)),
            f"Your probabilities are not those expected: the first is {mine[0, 0]:.3f} instead of "
            f"{expected[0][0, 0]:.3f}.",
        )
    if list(got[1]) == expected[1]:
        return None
    names = list(case["id2label"].values())
    largest = expected[0].argmax(-1).tolist()
    if list(got[1]) == [names[i] for i in largest]:
        return "the names in the order in which they were written down"
    if list(got[1]) == [sorted(names)[i] for i in largest]:
        return "the names in alphabetical order"
    if list(got[1]) == largest:
        return "The probabilities are right. You return numbers; `id2label` has their names."
    return (
        f"The probabilities are right. The names are not: the first should be {expected[1][0]!r}."
    )

def numbers(case, got, expected):
    mine = torch.as_tensor(got[0])
    return {
        "sum": float(mine[0].sum()), "column": float(mine[:, 0].sum()),
        "largest": float(mine.max()), "smallest": float(mine.min()), "yours": float(mine[0, 0]),
        "right": float(expected[0][0, 0]), "number": int(torch.as_tensor(expected[0])[0].argmax()),
        "said": got[1][0], "name": expected[1][0], "length": case["last_hidden_state"].shape[1],
    }

# %% another right solution
def answer(
    last_hidden_state, pooler_weight, pooler_bias, classifier_weight, classifier_bias, id2label
):
    rows, said = [], []
    for text in last_hidden_state:
        pooled = (pooler_weight @ text[0] + pooler_bias).tanh()
        scores = [float(row @ pooled) for row in classifier_weight]
        scores = [score + float(bias) for score, bias in zip(scores, classifier_bias, strict=True)]
        shares = [math.exp(score - max(scores)) for score in scores]
        rows.append([share / sum(shares) for share in shares])
        said.append(max(id2label, key=lambda i: shares[i]))
    return torch.tensor(rows), [id2label[i] for i in said]

# %% misconception: the pooler is left out
# says: Your first probability is {yours:.3f} instead of {right:.3f}: the classifier reads the
# vector of `[CLS]` as it comes from the last layer. Between the two stands the pooler, a linear map
# and a tanh. It changes no shape, which is why the documents overlook it and why nothing complains.
# edit: F.linear(pooled, => F.linear(last_hidden_state[:, 0],
# %% misconception: the tanh is left out
# says: Your first probability is {yours:.3f} instead of {right:.3f}: the pooler's linear map is
# there, its hyperbolic tangent is not. Two linear maps in a row are no more than one; the tanh is
# what makes the pooler a layer.
# - pooled = torch.tanh(F.linear(last_hidden_state[:, 0], pooler_weight, pooler_bias))  # (B, d)
# + pooled = F.linear(last_hidden_state[:, 0], pooler_weight, pooler_bias)
# %% misconception: the pooler's matrix is the wrong way round
# says: Your first probability is {yours:.3f} instead of {right:.3f}, because the pooler's matrix is
# used the wrong way round. It is square, so no shape can show it. A row of it belongs to one number
# that comes out: with vectors on the left the product needs `pooler_weight.T`, or take `F.linear`.
# - pooled = torch.tanh(F.linear(last_hidden_state[:, 0], pooler_weight, pooler_bias))  # (B, d)
# + pooled = torch.tanh(last_hidden_state[:, 0] @ pooler_weight + pooler_bias)
# %% misconception: the mean of all tokens is read
# says: You average all {length} rows before the pooler. BERT's head reads one row, that of `[CLS]`,
# and training has made just that row carry the answer.
# edit: last_hidden_state[:, 0] => last_hidden_state.mean(1)
# %% misconception: the last token is read
# says: You read the last row. That is where a model that reads from left to right has seen
# everything; in BERT every row has, and the head reads the first, that of `[CLS]`.
# edit: last_hidden_state[:, 0] => last_hidden_state[:, -1]
# %% misconception: softmax over the texts
# says: Your first row sums to {sum:.2f}, and the first column to {column:.2f}: the softmax shares
# out one whole among the texts of the batch. It should share it out among the labels of each text,
# which are the last axis. What one text gets must not depend on its neighbours in the batch.
# edit: .softmax(-1) => .softmax(0)
# %% misconception: a sigmoid for each label
# says: Your first row sums to {sum:.2f}. With a sigmoid every label is a question of its own; here
# exactly one label is right, so the labels share out one whole by a softmax.
# edit: .softmax(-1) => .sigmoid()
# %% misconception: logits are no probabilities
# says: Your “probabilities” run from {smallest:.2f} to {largest:.2f}: these are the logits.
# Exponentials, divided by their sum over the labels, make probabilities of them.
# edit: logits.softmax(-1) => logits
# %% misconception: the names in the order in which they were written down
# says: The probabilities are right. For the first text number {number} is the largest, and
# `id2label` calls that {name!r}; you say {said!r}, which is what stands at that place when the
# dictionary is read from top to bottom. The number is the key: look it up.
# edit: id2label[i] => list(id2label.values())[i]
# %% misconception: the names in alphabetical order
# says: The probabilities are right. Your names are those of the alphabetical order, but the weights
# know nothing of the alphabet: which row means what is a convention, and it is kept in `id2label`.
# You say {said!r} where it has {name!r}.
# edit: id2label[i] => sorted(id2label.values())[i]
# %% hints
# 1. `[CLS]` is row 0 of each text. Then two linear maps with a tanh between them, then the softmax
# over the labels.
# 2. `F.linear(x, weight, bias)` is `x @ weight.T + bias`. `argmax(-1).tolist()` gives the number of
# the largest for each text; a name is `id2label[number]`.
# %% explanation
# Ten of the eleven rows are dropped, the first goes through the pooler and becomes one number a
# label. The softmax changes no order, so the name could be found from the logits as well. The name
# itself is not in the weights at all; it comes from the table that was saved with them, read by its
# keys.

# %% task 12.3: The end of a published script
# kind: repair; points: 20; minutes: 12; function: head; gradient: pooled
#
# One of the documents has its classifier as “fully connected, softmax, dropout, output”, and its
# scripts number the classes by what they find in the data. Here is the end of such a model as one
# function. It runs, and it has **three mistakes**. Mend them.
#
# `head(pooled, weight, bias, names, labels, p, training)` gets the pooled vectors `(B, d)`, the
# classifier (`weight` `(C, d)`, `bias` `(C,)`), the names of its `C` rows in their order, and the
# right label of each text, by name. It is to return the logits `(B, C)`, the mean cross-entropy,
# and the name said of each text; the loss is trained on. Dropout sets each number **of the pooled vectors** to zero with
# probability `p`, and only in training. `F.cross_entropy` takes logits: the softmax is inside it.
#
# *Example.* One text, `pooled = [[1, 0]]`, `weight = [[2, 0], [0, 0]]`, no bias, names
# `["positive", "negative"]`, label `"positive"`, not in training: the logits are `[[2, 0]]`, the
# loss is $\ln(1 + e^{-2})$ = 0.1269, and `"positive"` is said.

# %% stub
def head(
    pooled: Tensor,
    weight: Tensor,
    bias: Tensor,
    names: list[str],
    labels: list[str],
    p: float,
    training: bool,
) -> tuple[Tensor, Tensor, list[str]]:
    """Logits (B, C), the mean loss, and the name said of each text."""
    # BEGIN STUB
    classes = sorted(set(labels))
    scores = F.linear(pooled, weight, bias).softmax(-1)
    scores = F.dropout(scores, p, training)
    # END STUB
    # BEGIN SOLUTION
    classes = names
    kept = F.dropout(pooled, p, training)
    scores = F.linear(kept, weight, bias)
    # END SOLUTION
    target = torch.tensor([classes.index(label) for label in labels])
    loss = F.cross_entropy(scores, target)
    said = [classes[i] for i in scores.argmax(-1).tolist()]
    return scores, loss, said

# %% run
def run(function, case):
    torch.manual_seed(case["seed"])
    return function(**{name: value for name, value in case.items() if name != "seed"})

# %% check
def cases(rng):
    for training, batch in ((True, 120), (False, 12)):
        draw = torch.Generator().manual_seed(int(rng.integers(2**31)))
        alphabet = names = ["angry", "mixed", "negative", "none", "positive"]
        while any(a == b for a, b in zip(names, alphabet, strict=True)):
            names = rng.permutation(alphabet).tolist()
        count = len(names)
        # In training each logit depends on one number, so that what was dropped can be told.
        weight = torch.diag(1 + torch.rand(count, generator=draw))
        if not training:
            weight = torch.randn(count, 9, generator=draw)
        pooled = torch.rand(batch, weight.shape[1], generator=draw) * 1.6 - 0.8
        pooled = pooled + 0.1 * pooled.sign()
        bias = 0.3 + torch.rand(count, generator=draw)
        likely = F.linear(pooled, weight, bias).argmax(-1).tolist()
        likely[:count] = range(count)  # every label occurs
        yield {
            "pooled": pooled, "weight": weight, "bias": bias, "names": names,
            "labels": [names[i] for i in likely], "p": 0.25, "training": training,
            "seed": int(rng.integers(2**31)),
        }

def near(a, b):
    return (a - b).abs() < 1e-4 * (1 + b.abs())

def judge(case, got, expected):
    names, labels, p = case["names"], case["labels"], case["p"]
    scores = torch.as_tensor(got[0]).float()
    if scores.shape != (len(labels), len(names)):
        return ""
    plain = F.linear(case["pooled"], case["weight"], case["bias"])
    right = torch.tensor([names.index(label) for label in labels])
    alphabet = torch.tensor([sorted(set(labels)).index(label) for label in labels])
    loss = float(got[1])

    def is_loss(x, target):
        return math.isclose(loss, F.cross_entropy(x, target).item(), rel_tol=1e-4)

    sums_to_one = (scores >= 0).all() and near(scores.sum(-1), torch.ones(len(scores))).all()
    if sums_to_one and is_loss(scores.log(), right):
        return (
            "Your loss is right. What you return are probabilities; return the logits themselves."
        )
    if case["training"]:
        kept = F.linear(case["pooled"] / (1 - p), case["weight"], case["bias"])
        gone = near(scores, case["bias"].expand_as(scores))
        if sums_to_one:
            return "the softmax is still in front of the loss"
        if not (gone | near(scores, kept)).all() or not gone.any():
            if (scores >= 0).all() and (scores == 0).any():
                if is_loss(scores, alphabet):
                    return "all three mistakes are still there"
                return "the dropout is still after the softmax"
            if near(scores, plain).all():
                return "no dropout at all"
            if ((scores == 0) | near(scores, plain / (1 - p))).all():
                return "the dropout falls on the logits"
            if (gone | near(scores, plain)).all():
                return "what is left is not scaled up"
            return (
                "In training your logits are not those of pooled vectors in which each number is "
                f"either zero or divided by {1 - p}. What does the dropout fall on, how often, and "
                "what becomes of the rest?"
            )
        if abs(gone.float().mean().item() - p) > 0.12:
            return f"You drop {gone.float().mean():.0%} of the numbers, where {p:.0%} is asked for."
    elif sums_to_one:
        return "the softmax is still in front of the loss"
    elif not near(scores, plain).all():
        return "the dropout is never switched off"
    if not is_loss(scores, right):
        if is_loss(scores, alphabet):
            return "the classes are numbered by the alphabet"
        if is_loss(scores.softmax(-1), right):
            return "the softmax is still in front of the loss"
        return f"Your logits are right, but your loss, {loss:.3f}, is not their mean cross-entropy."
    if list(got[2]) != [names[i] for i in scores.argmax(-1).tolist()]:
        if list(got[2]) == [sorted(set(labels))[i] for i in scores.argmax(-1).tolist()]:
            return "the classes are numbered by the alphabet"
        return "Logits and loss are right; the names said do not belong to the largest logits."
    return None

def numbers(case, got, expected):
    scores = torch.as_tensor(got[0])
    names, alphabet = case["names"], sorted(case["names"])
    return {
        "zeros": int((scores == 0).sum()), "all": scores.numel(), "largest": float(scores.max()),
        "loss": float(got[1]), "sum": float(scores[0].sum()), "first": names[0],
        "sorted": alphabet[0], "place": alphabet.index(names[0]), "count": len(names),
        "floor": math.log(1 + (len(names) - 1) * math.exp(-1)),
    }

# %% another right solution
def head(pooled, weight, bias, names, labels, p, training):
    if training:
        pooled = pooled * (torch.rand(pooled.shape) >= p) / (1 - p)
    logits = pooled @ weight.T + bias
    numbers = {name: number for number, name in enumerate(names)}
    right = torch.tensor([numbers[label] for label in labels])
    loss = (logits.logsumexp(-1) - logits[torch.arange(len(right)), right]).mean()
    return logits, loss, [names[int(row.argmax())] for row in logits]

# %% misconception: all three mistakes are still there
# says: In training {zeros} of the {all} scores are exactly zero
# and the largest is {largest:.2f}, so they are neither logits nor probabilities. Ask of each of the
# three lines what it is about: which row belongs to which name, what the loss expects, and what
# dropout may fall on.
# edit: classes = names => classes = sorted(set(labels))
# edit: F.dropout(pooled, p, training) => pooled
# - scores = F.linear(kept, weight, bias)
# + scores = F.dropout(F.linear(kept, weight, bias).softmax(-1), p, training)
# %% misconception: the dropout is still after the softmax
# says: The names are in order now. But {zeros} of the {all} scores are exactly zero in training,
# and the largest is {largest:.2f}: dropout falls on probabilities, which then no longer sum to one;
# now and then it takes away the right answer itself. It belongs on the vector that goes into the
# classifier. (And is a softmax wanted at all, in front of this loss?)
# edit: F.dropout(pooled, p, training) => pooled
# - scores = F.linear(kept, weight, bias)
# + scores = F.dropout(F.linear(kept, weight, bias).softmax(-1), p, training)
# %% misconception: the softmax is still in front of the loss
# says: `F.cross_entropy` contains a softmax, and with you there is another one in front of it. Then
# even a perfect answer among {count} labels costs {floor:.2f}, because the loss never sees a number
# above one, and a very wrong answer hardly pulls. Hand the logits over as they are.
# edit: F.linear(kept, weight, bias) => F.linear(kept, weight, bias).softmax(-1)
# %% misconception: the dropout falls on the logits
# says: In training {zeros} of your {all} logits are exactly zero. The dropout falls on the answers
# themselves: a label whose logit is set to zero by chance may win or lose by it. It is meant for
# the vector in front of the classifier, so that no label can rely on a single one of its numbers.
# edit: F.dropout(pooled, p, training) => pooled
# edit: F.linear(kept, weight, bias) => F.dropout(F.linear(kept, weight, bias), p, training)
# %% misconception: the classes are numbered by the alphabet
# says: Your logits are right. But the classes are still numbered by the alphabet: {first!r} is row
# 0 of the classifier, and you take it to be number {place}, as {sorted!r} comes first when the
# names are sorted. A model trained like this learns its labels in one order and is read in another.
# The order of the rows is the one in `names`.
# edit: classes = names => classes = sorted(set(labels))
# %% misconception: the dropout is never switched off
# says: In training all is well. When `training` is `False` your logits are still those of a vector
# with holes: asked twice, your model would give two answers. `F.dropout` drops unless it is told
# not to; its third argument says whether it should.
# edit: pooled, p, training => pooled, p
# %% misconception: no dropout at all
# says: Your logits in training are those without any dropout. It was in the wrong place; it was not
# superfluous. Let it fall on the pooled vectors, before the classifier.
# edit: F.dropout(pooled, p, training) => pooled
# %% misconception: what is left is not scaled up
# says: You set numbers to zero in training and leave the others as they are. Then the classifier
# sees smaller sums in training than later. Dropout divides what is left by `1 - p`, so that the
# mean stays the same.
# - kept = F.dropout(pooled, p, training)
# + kept = pooled * (torch.rand(pooled.shape) >= p) if training else pooled
# %% hints
# 1. One line for each mistake. Which number has a label: the place of its name in `names`, or in the
# sorted labels of this batch?
# 2. The order in BERT is: dropout, then the linear map, and nothing more. What does `F.cross_entropy`
# do with what it is given?
# 3. `classes = names`; `F.dropout(pooled, p, training)` goes into `F.linear`; no `softmax` anywhere.
# %% explanation
# The head returns logits: dropout on the vector, then one linear map, and the softmax is part of
# the loss. After a softmax, dropout would leave “probabilities” that do not sum to one, and a
# second softmax flattens the loss at both ends. Sorting the labels of the data to number them works
# as long as the order happens to be the one that the weights were trained with, and breaks when a
# file lacks a label; names and rows must travel together.

# %% task 12.4: What one step of training can reach
# kind: predict; points: 16; minutes: 10; function: reached
#
# A BERT classifier with fresh random weights reads one batch of single texts (segment 0
# everywhere), and the loss is sent backwards. **Without building it**, say how many numbers get a
# gradient that is not zero, rounding aside.
# `reached(input_ids, attention_mask, vocab_size, hidden, layers, labels)` returns a dictionary:
#
# - `"token"`: in the token matrix, `(vocab_size, hidden)`;
# - `"position"`: in the position matrix, `(512, hidden)`;
# - `"segment"`: in the segment matrix, `(2, hidden)`;
# - `"key_bias"`: in the biases of the keys of all layers together;
# - `"frozen"`: in the **whole model**, if the encoder is frozen, its pooler too, and only the
#   classifier is trained (a matrix of `labels` × `hidden`, and its bias).
#
# `input_ids` and `attention_mask` are `(B, T)`; the mask is 0 at padding, which stands at the
# right. A batch may have been padded further than its longest text.
#
# *Example.* `input_ids = [[2, 7, 7, 3, 0, 0]]`, mask `[[1, 1, 1, 1, 0, 0]]`, `hidden=4`,
# `layers=2`, `labels=3`: three different tokens are used, 12 numbers; four positions, 16; one
# segment, 4; `key_bias` is 0 (why?); `frozen` is 15.

# %% stub
def reached(
    input_ids: Tensor,
    attention_mask: Tensor,
    vocab_size: int,
    hidden: int,
    layers: int,
    labels: int,
) -> dict[str, int]:
    """How many numbers of each part get a gradient that is not zero."""
    # BEGIN SOLUTION
    used = input_ids[attention_mask.bool()].unique()
    longest = int(attention_mask.sum(1).max())
    return {
        "token": len(used) * hidden,
        "position": longest * hidden,
        "segment": hidden,
        "key_bias": 0,  # the same number on a whole row of scores: softmax divides it out
        "frozen": labels * hidden + labels,
    }
    # END SOLUTION

# %% check
import numpy as np

def cases(rng):
    for batch, vocab in ((4, 40), (5, 60)):
        length = 12
        real = rng.integers(4, 8, size=batch)
        mask = np.arange(length) < real[:, None]
        ids = rng.integers(4, vocab, size=(batch, length))
        ids[:, 0] = 2
        ids[0, 1] = ids[0, 2]  # a token that occurs twice
        ids[np.arange(batch), real - 1] = 3
        ids[~mask] = 0
        yield {
            "input_ids": torch.from_numpy(ids),
            "attention_mask": torch.from_numpy(mask.astype(int)), "vocab_size": vocab,
            "hidden": int(rng.choice([8, 12, 16])), "layers": int(rng.integers(2, 5)),
            "labels": int(rng.integers(2, 5)),
        }

def judge(case, got, expected):
    ids, mask = case["input_ids"], case["attention_mask"].bool()
    hidden, labels = case["hidden"], case["labels"]
    wrong = {
        "token": {
            "the whole token matrix": case["vocab_size"] * hidden,
            "[PAD] is counted": len(ids.unique()) * hidden,
            "a token counts as often as it occurs": int(mask.sum()) * hidden,
            "rows are counted, not numbers": len(ids[mask].unique()),
        },
        "position": {
            "the whole position matrix": 512 * hidden,
            "positions of padding are counted": ids.shape[1] * hidden,
            "positions of all texts are added up": int(mask.sum()) * hidden,
        },
        "segment": {"both segments": 2 * hidden},
        "key_bias": {"the key bias is counted": case["layers"] * hidden},
        "frozen": {
            "the classifier has no bias": labels * hidden,
            "the pooler is not frozen": labels * hidden + labels + hidden * hidden + hidden,
        },
    }
    for key, known in wrong.items():
        mine = int(got[key])
        if mine != expected[key]:
            return next((name for name, value in known.items() if mine == value), "")
    return None if set(got) == set(expected) else ""

def numbers(case, got, expected):
    ids, mask = case["input_ids"], case["attention_mask"].bool()
    return {
        **{key: int(value) for key, value in got.items()}, "hidden": case["hidden"],
        "labels": case["labels"], "layers": case["layers"], "vocab": case["vocab_size"],
        "used": len(ids[mask].unique()), "places": int(mask.sum()), "length": ids.shape[1],
        "longest": int(mask.sum(1).max()),
    }

# %% another right solution
def reached(input_ids, attention_mask, vocab_size, hidden, layers, labels):
    # One layer of attention in double precision, and a look at every gradient.
    torch.manual_seed(0)

    def draw(*shape):
        return torch.randn(*shape, dtype=torch.double, requires_grad=True)

    token, position, segment = draw(vocab_size, hidden), draw(512, hidden), draw(2, hidden)
    maps, key_bias, out = (
        [draw(hidden, hidden) for _ in range(3)],
        draw(hidden),
        draw(labels, hidden),
    )
    batch, length = input_ids.shape
    x = token[input_ids] + position[:length] + segment[torch.zeros_like(input_ids)]
    x = F.layer_norm(x, (hidden,))
    query, key, value = (x @ m / hidden**0.5 for m in maps)
    scores = query @ (key + key_bias).mT / hidden**0.5
    scores = scores.masked_fill(attention_mask[:, None] == 0, -torch.inf)
    logits = (x + scores.softmax(-1) @ value)[:, 0] @ out.T
    F.cross_entropy(logits, torch.arange(batch) % labels).backward()

    def count(part):
        return int((part.grad.abs() > 1e-12).sum())

    return {
        "token": count(token),
        "position": count(position),
        "segment": count(segment),
        "key_bias": count(key_bias),
        "frozen": count(out) + labels,
    }

# %% misconception: the whole token matrix
# says: You count {token:,} numbers, the whole token matrix of {vocab} rows. The loss depends on a
# row only if its token is in the batch; {used} different ones are. All other rows have a gradient
# of exactly zero and keep what pre-training gave them.
# edit: len(used) => vocab_size
# %% misconception: [PAD] is counted
# says: You count {token} numbers, one row of {hidden} too many: that of the padding. Its vector
# goes in, but nothing may attend to it and the head does not read it, so the loss does not depend
# on it. The mask tells which tokens are real.
# edit: input_ids[attention_mask.bool()].unique() => input_ids.unique()
# %% misconception: a token counts as often as it occurs
# says: You count a row for each of the {places} real places. A token that occurs twice, as `[CLS]`
# does in every text, is the same row of the matrix both times, and its gradients are added up in
# it: {used} rows are different.
# edit: [attention_mask.bool()].unique() => [attention_mask.bool()]
# %% misconception: rows are counted, not numbers
# says: You count {token} in the token matrix. That many rows are reached, which is the main thing;
# but asked for are numbers, and each row holds {hidden}.
# edit: len(used) * hidden => len(used)
# edit: longest * hidden => longest
# edit: "segment": hidden => "segment": 1
# %% misconception: positions of padding are counted
# says: You count {position} numbers, those of all {length} places of the batch. The longest text
# has {longest} real tokens; behind it there is only padding, which nothing attends to, and so the
# positions there get nothing.
# edit: longest * hidden => input_ids.shape[1] * hidden
# %% misconception: the whole position matrix
# says: You count {position:,} numbers, all 512 positions. A place at which no text of the batch has
# a token plays no part in the loss. The longest text ends after {longest}.
# edit: longest * hidden => 512 * hidden
# %% misconception: positions of all texts are added up
# says: You count {position} numbers, a position for each of the {places} real tokens. Position 3 is
# the same row in every text, so only the longest text matters, with {longest}.
# edit: attention_mask.sum(1).max() => attention_mask.sum()
# %% misconception: both segments
# says: You count {segment} numbers, both rows of the segment matrix. These are single texts,
# segment 0 everywhere; the vector of the second text is never looked up.
# edit: "segment": hidden => "segment": 2 * hidden
# %% misconception: the key bias is counted
# says: You let {key_bias} numbers of the key biases be reached, {hidden} in each of {layers}
# layers. They are used, but they cannot matter: the bias adds the same number to all scores of a
# row, and the softmax divides it out again. What changes nothing has a gradient of zero.
# edit: "key_bias": 0 => "key_bias": layers * hidden
# %% misconception: the classifier has no bias
# says: With a frozen encoder you count {frozen} numbers, the classifier's matrix. It has a bias for
# each of its {labels} labels too.
# edit: labels * hidden + labels => labels * hidden
# %% misconception: the pooler is not frozen
# says: With a frozen encoder you count {frozen} numbers, those of the pooler among them. The pooler
# belongs to what is frozen here, as in chapter 12, where it is a part of `bert`: what is left is
# the classifier alone.
# edit: labels * hidden + labels => labels * hidden + labels + hidden * hidden + hidden
# %% hints
# 1. A row of a matrix gets a gradient if the loss depends on it. Which rows of the token matrix were
# looked up for a place that some query may attend to?
# 2. `input_ids[attention_mask.bool()].unique()` are the tokens that count. Positions: 0 to the last
# real token of the longest text.
# 3. The key bias: what happens to a softmax when the same number is added to all of its inputs?
# %% explanation
# “All parameters are updated” means all that were used: rows of tokens, positions and segments that
# did not occur have a gradient of exactly zero, and padding counts as not occurring, since nobody
# looks at it. The key bias is used and cannot matter, because a softmax does not notice what is
# added to a whole row. With a frozen encoder a single small matrix and its bias are left.

# %% task 12.5: What does the answer depend on?
# kind: write; points: 16; minutes: 8; function: occlude
#
# Write `occlude(words, probability)`. `words` is a text as a list; `probability` is a function that
# takes such a list and returns the probability of the label that is being watched, as a number.
# Return a list with one number for each **place** in the text: what the word there adds to the
# probability, that is, what is lost when it is taken away and everything else stays as it is.
#
# The same word may stand at several places, and may do different things there (“not good but
# good”).
#
# *Example.* Let `probability` return 0.9 if `"rotten"` is among the words and 0.4 if it is not.
# Then `occlude(["this", "film", "is", "rotten"], probability)` is `[0.0, 0.0, 0.0, 0.5]`.

# %% stub
def occlude(words: list[str], probability: Callable[[list[str]], float]) -> list[float]:
    """What each word adds to the probability: what is lost without it."""
    # BEGIN SOLUTION
    whole = probability(words)
    return [whole - probability(words[:i] + words[i + 1 :]) for i in range(len(words))]
    # END SOLUTION

# %% run
def run(function, case):
    """A small classifier: words add up, and “not” turns round what follows it."""
    weights, bias = case["weights"], case["bias"]

    def probability(words):
        if isinstance(words, str):
            raise TypeError("`probability` wants a list of words, not a string")
        total = 0.0
        for before, word in zip(["", *words], words, strict=False):
            total += weights.get(word, 0.0) * (-1 if before == "not" else 1)
        return 1 / (1 + math.exp(-bias - 3 * total / max(len(words), 1)))

    result = function(list(case["words"]), probability)
    return result.tolist() if hasattr(result, "tolist") else result

# %% check
def cases(rng):
    texts = (
        "this film is good not good but good", "not bad at all not bad and very very long",
        "the room is clean the bed is not clean",
    )
    for text in texts:
        words = text.split()

        def size():
            return float(rng.uniform(0.6, 1.4) * rng.choice([-1, 1]))

        weights = {word: size() for word in [*sorted(set(words)), "[MASK]"]}
        yield {
            "words": words, "weights": {**weights, "[UNK]": weights["[MASK]"]},
            "bias": float(rng.uniform(-0.3, 0.3)),
        }

def numbers(case, got, expected):
    words, repeated = case["words"], {}
    for place, word in enumerate(words):
        repeated.setdefault(word, []).append(place)
    word = next(word for word, places in repeated.items() if len(places) > 1)
    largest = max(range(len(words)), key=lambda i: abs(expected[i]))
    first = next(i for i in range(len(words)) if abs(got[i] - expected[i]) > 1e-4)
    return {
        "word": words[largest], "yours": float(got[largest]), "right": float(expected[largest]),
        "twice": word, "times": len(repeated[word]), "one": float(got[repeated[word][0]]),
        "other": float(got[repeated[word][1]]), "first": first, "at": words[first],
        "sum": float(sum(got)),
    }

# %% another right solution
def occlude(words, probability):
    import numpy as np

    effects, rest = np.full(len(words), probability(words)), list(words)
    for place in range(len(words)):
        word = rest.pop(place)
        effects[place] -= probability(rest)
        rest.insert(place, word)
    return effects.tolist()

# %% misconception: the wrong sign
# says: Your signs are turned round: for {word!r} you have {yours:+.3f} where {right:+.3f} is
# expected. A word without which the probability falls has added something, so it counts as
# positive: whole text minus what is left.
# edit: [whole - probability( => [-whole + probability(
# %% misconception: how much, and not which way
# says: At place {first} ({at!r}) your number is positive, and the word there takes away from the
# probability. Is it the absolute value? What is lost without a word may be less than nothing.
# - return [whole - probability(words[:i] + words[i + 1 :]) for i in range(len(words))]
# + return [abs(whole - probability(words[:i] + words[i + 1 :])) for i in range(len(words))]
# %% misconception: all places of a word at once
# says: {twice!r} stands in the text {times} times, and you give it the same effect, {one:+.3f},
# everywhere: you take all of them away at once. Each place is a question of its own; the word
# beside it may be a different one. Leave out by place, not by word.
# - return [whole - probability(words[:i] + words[i + 1 :]) for i in range(len(words))]
# + return [whole - probability([w for w in words if w != word]) for word in words]
# %% misconception: the first of equal words is taken away
# says: {twice!r} stands in the text {times} times, and its first two places get the same effect
# from you, {one:+.3f} and {other:+.3f}. `list.remove(word)` takes away the first word that is
# equal, wherever you meant it to happen, and so does anything built on `index`. Go by the place.
# edit: range(len(words)) => map(words.index, words)
# %% misconception: the word is replaced, not taken away
# says: You put something else in the word's place: the text you ask about stays as long as it was.
# For {word!r} that gives {yours:+.3f}, where taking it away gives {right:+.3f}. A `[MASK]` or an
# empty word is a text that the classifier has never been trained on, and it has an effect of its
# own. Ask about the shorter list.
# edit: words[:i] + words[i + 1 :] => [*words[:i], "[MASK]", *words[i + 1 :]]
# %% misconception: the place is emptied, not taken away
# says: You put an empty word there: the list stays as long as it was, and the neighbours do not
# move together. For {word!r} that gives {yours:+.3f}, where taking it away gives {right:+.3f}. Make
# the list one word shorter.
# edit: words[:i] + words[i + 1 :] => [*words[:i], "", *words[i + 1 :]]
# %% misconception: words that were taken away stay away
# says: From place {first} on ({at!r}) your numbers are not those expected: the words taken away
# before are still missing. Then an effect depends on which words were asked about earlier. Start
# from the whole text each time, with a copy of the list.
# edit: words[:i] + words[i + 1 :] => words[i + 1 :]
# %% misconception: each word against the text before it
# says: From place {first} on ({at!r}) your numbers are not those expected: you take one word after
# the other away and note each step. The steps add up nicely, but a word's effect then depends on
# which words went before it. Compare with the whole text each time, with only that word missing.
# edit: [whole - => [probability(words[i:]) -
# edit: words[:i] + words[i + 1 :] => words[i + 1 :]
# %% misconception: what is left, not what is lost
# says: You return the probabilities of the shortened texts. For {word!r} that is {yours:.3f}; what
# the word adds is how far the whole text is above that, {right:+.3f}.
# edit: whole - probability => probability
# %% misconception: each word by itself
# says: You ask about every word alone. For {word!r} that gives {yours:+.3f}, where {right:+.3f} is
# expected. Alone a word has no neighbours: “good” by itself cannot show that it stands behind
# “not”. Take the word away and leave the others.
# edit: whole - probability(words[:i] + words[i + 1 :]) => probability(words[i : i + 1])
# %% misconception: a fraction of the whole
# says: You divide by the probability of the whole text, so that your numbers say what fraction of
# it is lost ({yours:+.3f} for {word!r}). Asked for is the plain difference, {right:+.3f}.
# - return [whole - probability(words[:i] + words[i + 1 :]) for i in range(len(words))]
# + return [1 - probability(words[:i] + words[i + 1 :]) / whole for i in range(len(words))]
# %% hints
# 1. Ask once about the whole text; then, for each place, about the list without that place.
# 2. `words[:i] + words[i + 1 :]` is the list without place `i`, and it is a new list.
# %% explanation
# Nothing inside the model is looked at: it is asked the same question with one word less, and the
# difference is what this answer loses. The words go by place, since an equal word elsewhere stands
# among other neighbours. And it says only what happens without that one word: two words that can
# stand in for each other may both come out near zero.

# %% task 12.6: The whole way, with a real vocabulary
# kind: write; points: 20; minutes: 20; function: read_review; needs: minibert
# without: minibert, transformers
#
# Here is `course-zh-reviews`, the classifier of the chapter, taken apart. Write
# `read_review(text, vocab, weights, encoder, id2label)`, from the characters to the answer:
#
# - `vocab` is its vocabulary, a dictionary from token to id, 7,696 of them. Every character of
#   `text` is a token; one that is not in the vocabulary is `[UNK]`. `[CLS]` stands in front and
#   `[SEP]` at the end.
# - `weights` has the embeddings `word_embeddings`, `position_embeddings` and
#   `token_type_embeddings`, and behind their sum `LayerNorm`: `bert.embeddings.….weight`, the
#   LayerNorm with a `.bias` too (eps `1e-12`); the pooler, `bert.pooler.dense.weight` and `.bias`,
#   and `classifier.weight` and `.bias`. Matrices are kept as in `nn.Linear`.
# - `encoder` is a function, the four layers: from `(1, T, d)` to `(1, T, d)`.
# - `id2label` is a dictionary from the number of a label to its name.
#
# Return the ids `(T,)` as a list, the probabilities `(C,)`, and the name of the most probable
# label.
#
# *Example.* 这部电影很好看！ is ten tokens: eight characters, `[CLS]` and `[SEP]`. Segment 0
# everywhere, positions from 0 to 9.

# %% stub
def read_review(
    text: str,
    vocab: dict[str, int],
    weights: dict[str, Tensor],
    encoder: Callable[[Tensor], Tensor],
    id2label: dict[int, str],
) -> tuple[list[int], Tensor, str]:
    """The ids of a review, the probabilities of the labels (C,), and the label."""
    # BEGIN SOLUTION
    tokens = ["[CLS]", *text, "[SEP]"]
    ids = [vocab.get(token, vocab["[UNK]"]) for token in tokens]

    def table(kind: str) -> Tensor:
        return weights[f"bert.embeddings.{kind}_embeddings.weight"]

    def linear(name: str, rows: Tensor) -> Tensor:
        return F.linear(rows, weights[f"{name}.weight"], weights[f"{name}.bias"])

    x = table("word")[ids] + table("position")[: len(ids)] + table("token_type")[0]
    gain, bias = (weights[f"bert.embeddings.LayerNorm.{kind}"] for kind in ("weight", "bias"))
    states = encoder(F.layer_norm(x, gain.shape, gain, bias, 1e-12)[None])
    pooled = torch.tanh(linear("bert.pooler.dense", states[0, 0]))
    probabilities = linear("classifier", pooled).softmax(-1)
    return ids, probabilities, id2label[int(probabilities.argmax())]
    # END SOLUTION

# %% run
from minibert import BertForSequenceClassification, Tokenizer
from minibert.model.lora import merge_adapter
from minibert.weights.hugging_face import to_hugging_face

MODEL = BertForSequenceClassification.from_pretrained("course-zh-reviews")
MODEL = merge_adapter(MODEL).eval().requires_grad_(False)
WEIGHTS = {
    name: tensor
    for name, tensor in to_hugging_face(MODEL.state_dict()).items()
    if ".encoder." not in name
}
VOCAB = Tokenizer.from_pretrained("course-zh-reviews").vocab

def run(function, case):
    def encoder(x):
        if x.ndim != 3:
            raise TypeError(f"`encoder` wants (1, T, d), not {tuple(x.shape)}")
        return MODEL.bert.encoder(x)[0]

    return function(case["text"], dict(VOCAB), dict(WEIGHTS), encoder, case["id2label"])

# %% check
REVIEWS = [
    "这部电影很好看！", "房间很干净，服务也好。", "太差了，我不会再来。", "内容很无聊，浪费时间。",
    "非常喜欢，推荐给大家！", "质量不好，用了两天就坏了。",
]

def cases(rng):
    chosen = rng.permutation(REVIEWS).tolist()[:3]
    # A character that no vocabulary of characters of the news has.
    texts = [*chosen[:2], f"{chosen[2][:2]}{rng.choice(list('龘靐齉爩'))}{chosen[2][2:]}"]
    for text in texts:
        yield {"text": text, "id2label": {1: "positive", 0: "negative"}}

def numbers(case, got, expected):
    at = next((i for i, (a, b) in enumerate(zip(got[0], expected[0])) if a != b), 0)
    return {
        "count": len(got[0]), "needed": len(expected[0]), "text": case["text"], "at": at,
        "id": got[0][at], "right_id": expected[0][at], "yours": float(got[1].flatten()[0]),
        "right": float(expected[1][0]), "said": got[2], "name": expected[2],
        "sum": float(got[1].sum()), "sign": ["[CLS]", *case["text"], "[SEP]"][at],
    }

# %% another right solution
def read_review(text, vocab, weights, encoder, id2label):
    ids = [vocab["[CLS]"]]
    for character in text:
        ids.append(vocab[character] if character in vocab else vocab["[UNK]"])
    ids.append(vocab["[SEP]"])
    names = ("word", "position", "token_type")
    word, position, segment = (weights[f"bert.embeddings.{n}_embeddings.weight"] for n in names)
    places = torch.arange(len(ids))
    x = word[torch.tensor(ids)] + position[places] + segment[torch.zeros_like(places)]
    x = x - x.mean(-1, keepdim=True)
    x = x / x.square().mean(-1, keepdim=True).sqrt()
    x = x * weights["bert.embeddings.LayerNorm.weight"] + weights["bert.embeddings.LayerNorm.bias"]
    cls = encoder(x.unsqueeze(0))[:, 0]
    for name in ("bert.pooler.dense", "classifier"):
        cls = cls @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]
        cls = cls.tanh() if name != "classifier" else cls
    shares = (cls - cls.logsumexp(-1, keepdim=True)).exp()[0]
    return ids, shares, id2label[max(id2label, key=lambda number: float(shares[number]))]

# %% misconception: no special tokens
# says: For “{text}” you have {count} ids, and {needed} are expected: `[CLS]` stands in front of
# every text and `[SEP]` behind it. What you read at the end as `[CLS]` is the first character.
# edit: ["[CLS]", *text, "[SEP]"] => [*text]
# %% misconception: nothing at the end
# says: For “{text}” you have {count} ids, and {needed} are expected: `[SEP]` closes the text.
# edit: *text, "[SEP]"] => *text]
# %% misconception: an unknown character is left out
# says: “{text}” has a character that is not in the vocabulary, and you have {count} ids where
# {needed} are expected. It is not dropped: `[UNK]` stands in its place, and the characters behind
# it keep their positions.
# edit: for token in tokens] => for token in tokens if token in vocab]
# %% misconception: an unknown character becomes padding
# says: “{text}” has a character that is not in the vocabulary; your id for it, number {at}, is
# {id}, and {right_id} is that of `[UNK]`. Is it given the id 0? That is `[PAD]`.
# edit: vocab.get(token, vocab["[UNK]"]) => vocab.get(token, 0)
# %% misconception: no LayerNorm after the sum
# says: The ids are right. Your first probability is {yours:.3f} instead of {right:.3f}. Is the sum
# of the three embeddings normalised before it goes into the encoder? The documents leave that out.
# edit: F.layer_norm(x, gain.shape, gain, bias, 1e-12)[None] => x[None]
# %% misconception: gain and bias of the LayerNorm left out
# says: The ids are right. Your first probability is {yours:.3f} instead of {right:.3f}. The
# LayerNorm after the sum has a gain and a bias in the dictionary; are they used?
# edit: F.layer_norm(x, gain.shape, gain, bias, 1e-12) => F.layer_norm(x, gain.shape)
# %% misconception: no token-type embedding
# says: The ids are right. Your first probability is {yours:.3f} instead of {right:.3f}. Three
# vectors are added up for each token. A single text has segment 0 everywhere, and that is a row of
# numbers, not nothing: is it added?
# edit: + table("token_type")[0] =>
# %% misconception: no positions
# says: The ids are right. Your first probability is {yours:.3f} instead of {right:.3f}. Three
# vectors are added up for each token: are the positions among them?
# edit: + table("position")[: len(ids)] =>
# %% misconception: positions counted from one
# says: The ids are right. Your first probability is {yours:.3f} instead of {right:.3f}. Does
# `[CLS]` get the row of position 1? Positions are counted from 0.
# edit: table("position")[: len(ids)] => table("position")[1 : len(ids) + 1]
# %% misconception: the last row is read
# says: The ids are right. Your first probability is {yours:.3f} instead of {right:.3f}. Which row
# of the last layer goes into the pooler? It is that of `[CLS]`, the first.
# edit: states[0, 0] => states[0, -1]
# %% misconception: the mean of all rows is read
# says: The ids are right. Your first probability is {yours:.3f} instead of {right:.3f}. Do you
# average the rows of the last layer? This classifier was trained on the first row alone.
# edit: states[0, 0] => states[0].mean(0)
# %% misconception: the pooler is left out
# says: The ids are right. Your first probability is {yours:.3f} instead of {right:.3f}. Between
# the row of `[CLS]` and the classifier stands the pooler, a linear map and a tanh: is it there?
# edit: torch.tanh(linear("bert.pooler.dense", states[0, 0])) => states[0, 0]
# %% misconception: the tanh is left out
# says: The ids are right. Your first probability is {yours:.3f} instead of {right:.3f}. The pooler
# is a linear map **and** a hyperbolic tangent.
# edit: torch.tanh(linear("bert.pooler.dense", states[0, 0])) => linear("bert.pooler.dense", states[0, 0])
# %% misconception: logits are no probabilities
# says: Your probabilities sum to {sum:.2f}. Is the softmax over the labels there?
# edit: linear("classifier", pooled).softmax(-1) => linear("classifier", pooled)
# %% misconception: the names in the order in which they are written down
# says: Ids and probabilities are right. You say {said!r}, and {name!r} is the one meant: the keys of
# `id2label` are the numbers, in whatever order they are written down.
# edit: id2label[int(probabilities.argmax())] => list(id2label.values())[int(probabilities.argmax())]
# %% hints
# 1. `["[CLS]", *text, "[SEP]"]` are the tokens; `vocab.get(token, vocab["[UNK]"])` is an id.
# 2. `weights["bert.embeddings.word_embeddings.weight"][ids]` is `(T, d)`. Add the first T rows of
# the positions and row 0 of the segments, normalise, add an axis with `[None]`.
# 3. Behind the encoder it is task 12.2: row 0, pooler, tanh, classifier, softmax, name.
# %% explanation
# Fifteen lines, and they are the whole of a classifier but for its four layers. Nothing in them
# knows Chinese: the vocabulary gives numbers, the weights give rows for them, and the name comes
# from a table. (The four layers are task 6.6, and the capstone puts the two together.)
# %% free choices
# - `1e-12` => `2e-12`: the variances are far larger than either.
