# %% [markdown]
# # Capstone · Your own BERT
#
# In eighteen chapters you have written the parts. Here they become a BERT: yours, with real weights
# in it, that gives to the fifth decimal what the published one gives, reads text as it does, fills
# blanks, and is fine-tuned by your own optimizer.
#
# There are five milestones, the last in two tasks. Bring along what you have: the cell below the
# imports looks for your answers in the notebooks of the chapters, takes those that pass, writes
# them into a cell of this notebook, and says which are missing. Nothing obliges you to use them.
# Later tasks may call functions of earlier ones: everything is in one notebook.
#
# `minilm` and `course-en` are the two models. To look at one yourself:
#
# ```python
# weights, vocab, config = open_model("minilm")
# sorted(weights)[:8], len(vocab), config["num_hidden_layers"]
# ```

# %% setup
import math
import re
import unicodedata

import torch
import torch.nn.functional as F
from torch import Tensor


def open_model(name: str) -> tuple[dict[str, Tensor], dict[str, int], dict]:
    """Of "minilm" or "course-en": the tensors by name, the vocabulary, and its config.json."""
    import json

    from minibert.weights.names import resolve
    from safetensors.torch import load_file

    folder = resolve(name, ["*"])
    weights = {
        key.removeprefix("bert."): tensor.float()
        for key, tensor in load_file(folder / "model.safetensors").items()
        if tensor.is_floating_point()
    }
    tokens = (folder / "vocab.txt").read_text("utf-8").rstrip("\n").split("\n")
    vocab = {token: number for number, token in enumerate(tokens)}
    return weights, vocab, json.loads((folder / "config.json").read_text("utf-8"))

# %% bring
# 2.3, 3.1, 5.1, 5.4, 6.1, 6.6, 10.1, 10.2, 10.7

# %% task C.1: The vectors that go in
# kind: write; points: 10; minutes: 10; function: embeddings; needs: minilm; tolerance: 0.00001
# without: minibert, transformers
#
# Write `embeddings(input_ids, token_type_ids, weights)`. `input_ids` and `token_type_ids` are `(B,
# T)`; `weights` is what `open_model("minilm")` gives. Return the vectors `(B, T, d)` that go into
# the first layer.
#
# - Each is the sum of three rows, of `embeddings.word_embeddings.weight`,
#   `embeddings.position_embeddings.weight` and `embeddings.token_type_embeddings.weight`,
# - normalised by `embeddings.LayerNorm.weight` and `embeddings.LayerNorm.bias`, with an eps of
#   `1e-12`.
#
# Your answers to 3.1 and 6.1 fit in here. (3.1 goes through a row of 30,522 numbers for each token;
# is there a shorter way to the same vector?)
#
# *Example.* `embeddings(torch.tensor([[101, 102]]), torch.zeros(1, 2, dtype=torch.long), weights)`
# is `(1, 2, 384)`.

# %% stub
def embeddings(
    input_ids: Tensor, token_type_ids: Tensor, weights: dict[str, Tensor]
) -> Tensor:
    """(B, T) ids and segments to (B, T, d): what goes into the first layer."""
    # BEGIN SOLUTION
    names = ("word", "position", "token_type")
    word, position, segment = (weights[f"embeddings.{n}_embeddings.weight"] for n in names)
    x = word[input_ids] + segment[token_type_ids] + position[: input_ids.shape[1]]
    gain, bias = weights["embeddings.LayerNorm.weight"], weights["embeddings.LayerNorm.bias"]
    return F.layer_norm(x, gain.shape, gain, bias, 1e-12)
    # END SOLUTION

# %% run
WEIGHTS, _, _ = open_model("minilm")

def run(function, case):
    return function(weights=dict(WEIGHTS), **case)

# %% check
PAIRS = [
    ("Who wrote it?", "Nobody knows."), ("Is the bank open?", "It is, on the left bank."),
    ("Where is Rome?", "Rome lies on the Tiber, in the middle of Italy."),
    ("What did she say of the film?", "That it was a waste of two hours."),
]

def cases(rng):
    from minibert import Tokenizer

    tokenizer = Tokenizer.from_pretrained("minilm")
    chosen = [PAIRS[i] for i in rng.permutation(len(PAIRS))]
    for one, other in (([chosen[0][1]], None), ([a for a, _ in chosen], [b for _, b in chosen])):
        batch = tokenizer(one, other, padding=True)
        yield {name: batch[name] for name in ("input_ids", "token_type_ids")}

def numbers(case, got, expected):
    row, right = got[0, 0], expected[0, 0]
    return {
        "off": (got - expected).abs().max().item(), "size": row.square().mean().sqrt().item(),
        "right": right.square().mean().sqrt().item(), "shape": tuple(got.shape),
    }

# %% another right solution
def embeddings(input_ids, token_type_ids, weights):
    rows = []
    for ids, types in zip(input_ids.tolist(), token_type_ids.tolist()):
        for place, (token, kind) in enumerate(zip(ids, types)):
            row = weights["embeddings.word_embeddings.weight"][token]
            row = row + weights["embeddings.token_type_embeddings.weight"][kind]
            row = row + weights["embeddings.position_embeddings.weight"][place]
            row = row - row.mean()
            rows.append(row / row.square().mean().sqrt())
    x = torch.stack(rows).view(*input_ids.shape, -1)
    return x * weights["embeddings.LayerNorm.weight"] + weights["embeddings.LayerNorm.bias"]

# %% misconception: no token-type embedding
# says: Your vectors are off by up to {off:.2g}, already for a single text. Three rows are added up.
# Is the token-type embedding among them? Segment 0 has a row of numbers as well.
# edit: + segment[token_type_ids] =>
# %% misconception: segment 0 everywhere
# says: For a single text you are right, for a pair you are off by up to {off:.2g}. Is
# `token_type_ids` used? The second text has row 1 of the token-type embeddings.
# edit: segment[token_type_ids] => segment[0]
# %% misconception: no positions
# says: Your vectors are off by up to {off:.2g}. Three rows are added up. Are the positions among
# them?
# edit: + position[: input_ids.shape[1]] =>
# %% misconception: positions counted from one
# says: Your vectors are off by up to {off:.2g}. Which position has `[CLS]` with you? Positions are
# counted from 0.
# edit: position[: input_ids.shape[1]] => position[1 : input_ids.shape[1] + 1]
# %% misconception: no LayerNorm
# says: The numbers of your first vector have a root mean square of {size:.3f}, and {right:.3f} is
# expected. Is the sum normalised? Behind it stands a LayerNorm, which the documents leave out.
# edit: F.layer_norm(x, gain.shape, gain, bias, 1e-12) => x
# %% misconception: gain and bias left out
# says: The numbers of your first vector have a root mean square of {size:.3f}, and {right:.3f} is
# expected. A row that is only normalised has 1. Are `LayerNorm.weight` and `LayerNorm.bias` used?
# edit: F.layer_norm(x, gain.shape, gain, bias, 1e-12) => F.layer_norm(x, gain.shape, None, None, 1e-12)
# %% misconception: PyTorch's own eps
# says: Your vectors are off by up to {off:.2g} and no more. That is not rounding. Is the eps of
# your LayerNorm PyTorch's own, `1e-5`? BERT's is `1e-12`, and these vectors are so short before
# they are normalised that it can be seen.
# edit: gain, bias, 1e-12) => gain, bias)
# %% misconception: every part normalised by itself
# says: Your vectors are off by up to {off:.2g}. What is normalised: each of the three parts, or
# their sum? There is one LayerNorm, behind the sum.
# - x = word[input_ids] + segment[token_type_ids] + position[: input_ids.shape[1]]
# + parts = word[input_ids], segment[token_type_ids], position[: input_ids.shape[1]]
# + x = sum(F.layer_norm(part, part.shape[-1:], None, None, 1e-12) for part in parts)
# %% hints
# 1. `table[ids]` looks up a row for each id, whatever the shape of `ids` is.
# 2. The positions are the first T rows of their table; adding `(T, d)` to `(B, T, d)` gives each
# text the same ones.
# %% explanation
# The look-up is the product with one-hot rows, without the zeros. In these weights the rows are
# short, so that an eps of 1e-5 can be seen in the third or fourth decimal, which is the first thing
# that goes wrong when a BERT is written down from memory.

# %% task C.2: To the fifth decimal
# kind: write; points: 25; minutes: 30; function: bert; needs: minilm; builds: C.1; seconds: 20
# without: minibert, transformers, MultiheadAttention, multi_head_attention_forward
# without: TransformerEncoderLayer, TransformerEncoder
#
# Write `bert(input_ids, token_type_ids, attention_mask, weights, layers, heads)`: all of it.
# `attention_mask` is `(B, T)`, 1 at real tokens and 0 at padding. Return the hidden states in one
# tensor `(layers + 1, B, T, d)`: your `embeddings` first, then what each layer gives out.
#
# The names in `weights` are those of the file, as in task 6.6:
# `encoder.layer.0.attention.self.query.weight` and so on. Whoever has brought `encoder` along from
# there needs it here and hardly anything else.
#
# With the weights of `minilm` in it, every state has to agree with the published model's to
# **0.00001**. If one does not, the check says which layer is the first to leave, and which part of
# it: it has watched the tensors that your code computes.
#
# *Example.* A batch of two texts, padded to 14 tokens, gives `(7, 2, 14, 384)`.

# %% stub
def bert(
    input_ids: Tensor,
    token_type_ids: Tensor,
    attention_mask: Tensor,
    weights: dict[str, Tensor],
    layers: int,
    heads: int,
) -> Tensor:
    """The hidden states (layers + 1, B, T, d): the embeddings, then every layer."""
    # BEGIN SOLUTION
    def linear(name: str, rows: Tensor) -> Tensor:
        return F.linear(rows, weights[f"{name}.weight"], weights[f"{name}.bias"])

    def norm(name: str, rows: Tensor) -> Tensor:
        gain, bias = weights[f"{name}.weight"], weights[f"{name}.bias"]
        return F.layer_norm(rows, gain.shape, gain, bias, 1e-12)

    def split(rows: Tensor) -> Tensor:
        return rows.unflatten(-1, (heads, -1)).transpose(1, 2)  # (B, H, T, d / H)

    hidden = ~attention_mask[:, None, None, :].bool()
    x = embeddings(input_ids, token_type_ids, weights)
    states = [x]
    for number in range(layers):
        layer = f"encoder.layer.{number}"
        query = split(linear(f"{layer}.attention.self.query", x))
        key = split(linear(f"{layer}.attention.self.key", x))
        value = split(linear(f"{layer}.attention.self.value", x))
        scores = query @ key.mT / math.sqrt(query.shape[-1])
        mixed = scores.masked_fill(hidden, -torch.inf).softmax(-1) @ value
        change = linear(f"{layer}.attention.output.dense", mixed.transpose(1, 2).flatten(2))
        x = norm(f"{layer}.attention.output.LayerNorm", x + change)
        inner = F.gelu(linear(f"{layer}.intermediate.dense", x))
        change = linear(f"{layer}.output.dense", inner)
        x = norm(f"{layer}.output.LayerNorm", x + change)
        states.append(x)
    return torch.stack(states)
    # END SOLUTION

# %% run
from torch.overrides import TorchFunctionMode

WEIGHTS, _, _ = open_model("minilm")

# The same numbers in another shape.
SAME = {"transpose", "permute", "view", "reshape", "unflatten", "flatten", "contiguous", "__get__"}

class Watch(TorchFunctionMode):
    """Notes every tensor that is computed: how many numbers, and a sample of them by size."""

    def __init__(self):
        super().__init__()
        self.counts, self.notes = [], []

    def __torch_function__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        if function.__name__ not in SAME:
            for one in result if isinstance(result, (tuple, list)) else [result]:
                self.note(one)
        return result

    def note(self, tensor):
        if type(tensor) is Tensor and tensor.is_floating_point() and len(self.notes) < 1500:
            if 256 <= tensor.numel() <= 100_000:
                ordered = tensor.detach().flatten().float().sort().values
                places = torch.linspace(0, len(ordered) - 1, 128).round().long()
                self.notes.append(ordered[places])
                self.counts.append(len(ordered))

def run(function, case):
    with torch.no_grad(), Watch() as watch:
        states = function(**case, weights=dict(WEIGHTS), layers=6, heads=12)
    return states, torch.stack(watch.notes), torch.tensor(watch.counts)

# %% check
from exercises.learner import layerwise

PAIRS = [
    ("Who wrote it?", "Nobody knows."), ("Is the bank open?", "On the left bank it is."),
    ("Where is Rome?", "It lies on the Tiber."), ("Did she like it?", "No."),
]
WEIGHTS, _, _ = open_model("minilm")

def cases(rng):
    from minibert import Tokenizer

    chosen = [PAIRS[i] for i in rng.permutation(len(PAIRS))[:2]]
    tokenizer, model = Tokenizer.from_pretrained("minilm"), layerwise.published("minilm")
    batch = tokenizer([a for a, _ in chosen], [b for _, b in chosen], padding=True)
    with torch.no_grad():
        states = model(**batch, output_hidden_states=True).hidden_states
    yield dict(batch), torch.stack(states)

def wrong(got, expected):
    return (got - expected).abs().flatten(1).amax(1)

NAMES_ALL = True  # `judge` does: no mistake's states are computed to be compared
REFERENCE = {}  # by the ids: one batch a seed, and every answer is compared with it

def leaving(case, got, expected):
    states, notes, counts = got
    off = wrong(states, expected)
    first = int((~(off <= 1e-5)).int().argmax())
    ids, segments, mask = (
        case[name] for name in ("input_ids", "token_type_ids", "attention_mask")
    )
    key = tuple(ids.flatten().tolist())
    if key not in REFERENCE:
        REFERENCE.clear()
        REFERENCE[key] = layerwise.hidden_states(WEIGHTS, 6, 12, ids, segments, mask)
    return layerwise.leaves_first(REFERENCE[key], first, notes.float(), counts, 2e-5), off

def judge(case, got, expected):
    states = got[0]
    if tuple(states.shape) != tuple(expected.shape):
        return (
            f"Your shape is {tuple(states.shape)}, expected is {tuple(expected.shape)}: a state for "
            "the embeddings and one for each layer."
        )
    if (wrong(states, expected) <= 1e-5).all():
        return None
    found, off = leaving(case, got, expected)
    if found.mistake:
        return found.mistake
    where = "The embeddings" if found.layer < 0 else f"Layer {found.layer}"
    return (
        f"{where} leave{'' if found.layer < 0 else 's'} first, by up to "
        f"{off[found.layer + 1]:.2g}; all states before agree. The part where it happens is "
        f"**{found.part}**: what comes before it, {found.before}, is among what your code computes, "
        "and this is not."
    )

def numbers(case, got, expected):
    found, off = leaving(case, got, expected)
    where = "The embeddings are" if found.layer < 0 else f"Layer {found.layer} is"
    return {
        "layer": where, "part": found.part, "off": off[found.layer + 1].item(),
        "last": off[-1].item(),
    }

# %% another right solution
def bert(input_ids, token_type_ids, attention_mask, weights, layers, heads):
    def affine(name, rows):
        return rows @ weights[name + ".weight"].T + weights[name + ".bias"]

    def normalised(name, rows):
        variance, mean = torch.var_mean(rows, -1, correction=0, keepdim=True)
        rows = (rows - mean) * torch.rsqrt(variance + 1e-12)
        return torch.addcmul(weights[name + ".bias"], rows, weights[name + ".weight"])

    states = [embeddings(input_ids, token_type_ids, weights)]
    mask = attention_mask.bool()[:, None, None]
    for i in range(layers):
        x, p = states[-1], f"encoder.layer.{i}."
        batch, length, width = x.shape
        parts = [
            affine(p + "attention.self." + kind, x).view(batch, length, heads, -1).transpose(1, 2)
            for kind in ("query", "key", "value")
        ]
        mixed = F.scaled_dot_product_attention(*parts, attn_mask=mask)
        mixed = mixed.transpose(1, 2).reshape(batch, length, width)
        x = normalised(p + "attention.output.LayerNorm", x + affine(p + "attention.output.dense", mixed))
        wide = affine(p + "intermediate.dense", x)
        wide = wide * (1 + torch.erf(wide / 2**0.5)) / 2
        states.append(normalised(p + "output.LayerNorm", x + affine(p + "output.dense", wide)))
    return torch.stack(states)

# %% misconception: no token-type embedding
# says: {layer} the first to leave, by up to {off:.2g}, at {part}. Three rows are added up for each
# token. Is the one of its segment among them? Segment 0 has a row of numbers, too.
# - x = embeddings(input_ids, token_type_ids, weights)
# + word, position, segment = (
# +     weights[f"embeddings.{n}_embeddings.weight"] for n in ("word", "position", "token_type")
# + )
# + x = norm("embeddings.LayerNorm", word[input_ids] + position[: input_ids.shape[1]])
# %% misconception: segment 0 everywhere
# says: {layer} the first to leave, by up to {off:.2g}, at {part}. Does the second text of a pair
# get row 1 of the token-type embeddings? `token_type_ids` says where it stands.
# edit: embeddings(input_ids, token_type_ids, weights) => embeddings(input_ids, 0 * token_type_ids, weights)
# %% misconception: no positions
# says: {layer} the first to leave, by up to {off:.2g}, at {part}. Three rows are added up for each
# token. Is the one of its position among them?
# - x = embeddings(input_ids, token_type_ids, weights)
# + word, position, segment = (
# +     weights[f"embeddings.{n}_embeddings.weight"] for n in ("word", "position", "token_type")
# + )
# + x = norm("embeddings.LayerNorm", word[input_ids] + segment[token_type_ids])
# %% misconception: positions counted from one
# says: {layer} the first to leave, by up to {off:.2g}, at {part}. Does `[CLS]` get the row of
# position 1? Positions are counted from 0.
# - x = embeddings(input_ids, token_type_ids, weights)
# + word, position, segment = (
# +     weights[f"embeddings.{n}_embeddings.weight"] for n in ("word", "position", "token_type")
# + )
# + x = norm("embeddings.LayerNorm", word[input_ids] + segment[token_type_ids] + position[1 : 1 + input_ids.shape[1]])
# %% misconception: PyTorch's own eps
# says: {layer} the first to leave, at {part}, by no more than {off:.2g}; after the last layer it is
# {last:.2g}. Everything seems to be there, and one number is another one. Is it the eps of your
# LayerNorm? PyTorch's own is `1e-5`, BERT's `1e-12`.
# edit: gain, bias, 1e-12) => gain, bias)
# %% misconception: pre-LN
# says: {layer} the first to leave, by up to {off:.2g}, at {part}. They are those of the rows
# *after* the LayerNorm, so it stands before this half with you. Is this pre-LN? BERT adds first,
# and normalises the sum.
# - query = split(linear(f"{layer}.attention.self.query", x))
# + came, x = x, norm(f"{layer}.attention.output.LayerNorm", x)
# + query = split(linear(f"{layer}.attention.self.query", x))
#
# - x = norm(f"{layer}.attention.output.LayerNorm", x + change)
# + came = came + change
# + x = norm(f"{layer}.output.LayerNorm", came)
#
# - x = norm(f"{layer}.output.LayerNorm", x + change)
# + x = came + change
# %% misconception: biases left out
# says: {layer} the first to leave, by up to {off:.2g}, at {part}. Yours is the product with the
# matrix alone. Is the `.bias` added, that belongs to each `.weight`?
# edit: weights[f"{name}.weight"], weights[f"{name}.bias"]) => weights[f"{name}.weight"])
# %% misconception: matrices the wrong way round
# says: {layer} the first to leave, by up to {off:.2g}, at {part}. Yours is a product with the
# matrix as it lies in the file. The file has a row for each number that comes out: it is `x @
# weight.T`, or `F.linear(x, weight, bias)`. Is it so everywhere?
# edit: linear(f"{layer}.attention.self.query", x) => linear(f"{layer}.attention.self.query", x, True)
# edit: linear(f"{layer}.attention.self.key", x) => linear(f"{layer}.attention.self.key", x, True)
# edit: linear(f"{layer}.attention.self.value", x) => linear(f"{layer}.attention.self.value", x, True)
# - def linear(name: str, rows: Tensor) -> Tensor:
# -     return F.linear(rows, weights[f"{name}.weight"], weights[f"{name}.bias"])
# + def linear(name, rows, turned=False):
# +     weight = weights[f"{name}.weight"]
# +     return F.linear(rows, weight.T if turned else weight, weights[f"{name}.bias"])
# %% misconception: every layer has the weights of the first
# says: {layer} the first to leave, by up to {off:.2g}, at {part}. Yours are computed with the
# weights of layer 0. Is the number of the layer in the name that you look up?
# edit: f"encoder.layer.{number}" => "encoder.layer.0"
# %% misconception: scaled by the width of the model
# says: {layer} the first to leave, by up to {off:.2g}, at {part}. Yours are divided by the root of
# 384, the width of the model. A head is 32 wide, and its scores are divided by the root of that.
# edit: math.sqrt(query.shape[-1]) => math.sqrt(x.shape[-1])
# %% misconception: scaled by the width, not its root
# says: {layer} the first to leave, by up to {off:.2g}, at {part}. Yours are divided by 32, the
# width of a head. It is the root of it.
# edit: math.sqrt(query.shape[-1]) => query.shape[-1]
# %% misconception: no scaling
# says: {layer} the first to leave, by up to {off:.2g}, at {part}. Yours are those of scores as they
# come from the product. Are they divided by the root of the width of a head, before the softmax?
# edit: query @ key.mT / math.sqrt(query.shape[-1]) => query @ key.mT
# %% misconception: the heads are cut across the tokens
# says: {layer} the first to leave, by up to {off:.2g}, at {part}. Queries and keys are right, and
# their products are those of heads that were cut with a `view` to `(B, heads, T, …)`, in the middle
# of tokens. First `(B, T, heads, …)`, then swap two axes.
# edit: rows.unflatten(-1, (heads, -1)).transpose(1, 2) => rows.reshape(len(rows), heads, rows.shape[1], -1)
# %% misconception: padding is attended to
# says: {layer} the first to leave, by up to {off:.2g}, at {part}. Your weights are those without
# any mask: padding gets a part of them. Where is `attention_mask` used?
# edit: scores.masked_fill(hidden, -torch.inf) => scores
# %% misconception: the mask is multiplied
# says: {layer} the first to leave, by up to {off:.2g}, at {part}. Your scores of padding are 0
# before the softmax: was the mask multiplied? Zero is a score like any other, and gets weight. It
# has to be minus infinity.
# edit: scores.masked_fill(hidden, -torch.inf) => (scores * ~hidden)
# %% misconception: the mask after the softmax
# says: {layer} the first to leave, by up to {off:.2g}, at {part}. Padding has the weight 0 with
# you, but the rest of a row no longer sums to one: was the mask multiplied with the weights? It
# belongs before the softmax, as minus infinity.
# edit: scores.masked_fill(hidden, -torch.inf).softmax(-1) => (scores.softmax(-1) * ~hidden)
# %% misconception: the mask is turned round
# says: {layer} the first to leave, by up to {off:.2g}, at {part}. With you padding alone is
# attended to (and where there is none, nothing). What does 1 stand for in `attention_mask`?
# edit: ~attention_mask[:, None, None, :].bool() => attention_mask[:, None, None, :].bool()
# %% misconception: softmax over the queries
# says: {layer} the first to leave, by up to {off:.2g}, at {part}. Your weights sum to one down each
# column. A row belongs to a query, and it is the row that sums to one: softmax over the last axis.
# edit: -torch.inf).softmax(-1) => -torch.inf).softmax(-2)
# %% misconception: the heads are not laid side by side again
# says: {layer} the first to leave, by up to {off:.2g}, at {part}. What the heads give out is right,
# `(B, heads, T, 32)`. Is it reshaped to `(B, T, 384)` as it lies? Swap heads and tokens back first.
# edit: mixed.transpose(1, 2).flatten(2) => mixed.reshape(x.shape)
# %% misconception: no map after the heads
# says: {layer} the first to leave, by up to {off:.2g}, at {part}. What the heads give out is right,
# and is added to what came in as it is. Between the two stands `attention.output.dense`, which
# mixes the heads. Is it there?
# edit: linear(f"{layer}.attention.output.dense", mixed.transpose(1, 2).flatten(2)) => mixed.transpose(1, 2).flatten(2)
# %% misconception: nothing is added in the attention half
# says: {layer} the first to leave, by up to {off:.2g}, at {part}. Yours normalises the change
# alone. Is what came in added to it first?
# edit: attention.output.LayerNorm", x + change) => attention.output.LayerNorm", change)
# %% misconception: one LayerNorm for both halves
# says: {layer} the first to leave, by up to {off:.2g}, at {part}. The sum is right and is
# normalised with the weights of `output.LayerNorm`, which is that of the second half. The first has
# its own, `attention.output.LayerNorm`.
# edit: {layer}.attention.output.LayerNorm => {layer}.output.LayerNorm
# %% misconception: the tanh form of GELU
# says: {layer} the first to leave, at {part}, by no more than {off:.2g}; after the last layer it is
# {last:.2g}. What goes into the bend is right, and what comes out of it is the tanh form of GELU.
# `minilm` was trained with the exact one, with the error function.
# edit: F.gelu(linear(f"{layer}.intermediate.dense", x)) => F.gelu(linear(f"{layer}.intermediate.dense", x), approximate="tanh")
# %% misconception: ReLU instead of GELU
# says: {layer} the first to leave, by up to {off:.2g}, at {part}. What goes into the bend is right,
# and what comes out of it is ReLU's. BERT's is GELU.
# edit: F.gelu( => F.relu(
# %% misconception: no activation
# says: {layer} the first to leave, by up to {off:.2g}, at {part}. What goes into it is the wide
# rows as they are. Is there a GELU between the two maps?
# edit: F.gelu(linear(f"{layer}.intermediate.dense", x)) => linear(f"{layer}.intermediate.dense", x)
# %% misconception: nothing is added in the second half
# says: {layer} the first to leave, by up to {off:.2g}, at {part}. Yours normalises the change of
# the second half alone. Is what came into this half added to it first?
# - x = norm(f"{layer}.output.LayerNorm", x + change)
# + x = norm(f"{layer}.output.LayerNorm", change)
# %% misconception: the layer's input is added in the second half
# says: {layer} the first to leave, by up to {off:.2g}, at {part}. You add what came into the
# **layer**. What came into the second half is what the first gave out.
# - query = split(linear(f"{layer}.attention.self.query", x))
# + start = x
# + query = split(linear(f"{layer}.attention.self.query", x))
#
# - x = norm(f"{layer}.output.LayerNorm", x + change)
# + x = norm(f"{layer}.output.LayerNorm", start + change)
# %% hints
# 1. `torch.stack` at the end; before the loop a list with your `embeddings` in it. Whoever has
# `encoder` of task 6.6 needs `torch.cat` once, and no loop.
# 2. What leaves first is what is wrong. Mend that, run the check again, and it tells the next.
# 3. `layer = f"encoder.layer.{number}"`, then line for line as in task 6.6.
# %% explanation
# The same sixteen tensors six times, and one set of embeddings. What the check does is what one does
# when a model is carried over from another program: run both on the same rows, compare state by
# state, and look into the first that differs, part by part. A model that is nearly right does not
# look wrong: with the tanh form or another eps it answers as well as before.

# %% task C.3: Read as it reads
# kind: write; points: 20; minutes: 25; function: tokenize; needs: minilm; seconds: 20
# without: minibert, transformers, tokenizers
#
# Write `tokenize(text, vocab)`: from a text to the ids that `minilm` is given, `[CLS]` in front and
# `[SEP]` at the end. `vocab` is the dictionary from token to id, 30,522 of them. In this order:
#
# - `[MASK]` in the text stays one token. All else goes through the steps below.
# - **Clean**: tabs and line ends are spaces; other characters whose Unicode category begins with
#   `C`, and U+FFFD, are dropped; any other white space is a space.
# - A **Chinese character** stands alone, as with a space on either side: U+4E00 to U+9FFF, or U+3400
#   to U+4DBF (and some rarer blocks that the check leaves out).
# - **Lower case**, and without accents: in the form NFD, drop the category `Mn`.
# - **Cut** at spaces, and around each punctuation mark, which stands alone: whatever of ASCII is
#   neither a letter nor a digit nor white space, and every category that begins with `P`.
# - **WordPiece** for each word, as in task 2.3; a word of more than 100 characters is `[UNK]`.
#
# The ids have to be those of the real tokenizer, on film reviews and on texts that are made up to be
# awkward.
#
# *Example.* `tokenize("Café $5?", vocab)` is `[101, 7668, 1002, 1019, 1029, 102]`: `[CLS] cafe $ 5 ?
# [SEP]`.

# %% stub
def tokenize(text: str, vocab: dict[str, int]) -> list[int]:
    """The ids of a text, [CLS] and [SEP] included."""
    # BEGIN SOLUTION
    def clean(text: str) -> str:
        kept = []
        for sign in text:
            if sign in "\t\n\r":
                kept.append(" ")
            elif unicodedata.category(sign).startswith("C") or sign == "\ufffd":
                continue
            elif "\u4e00" <= sign <= "\u9fff" or "\u3400" <= sign <= "\u4dbf":
                kept.append(f" {sign} ")
            else:
                kept.append(" " if sign.isspace() else sign)
        return "".join(kept)

    def is_mark(sign: str) -> bool:
        if sign.isascii():
            return not sign.isalnum() and not sign.isspace()
        return unicodedata.category(sign).startswith("P")

    def pieces(word: str) -> list[str]:
        found, start = [], 0
        if len(word) > 100:
            return ["[UNK]"]
        while start < len(word):
            mark = "##" if start else ""
            for end in range(len(word), start, -1):
                if mark + word[start:end] in vocab:
                    break
            else:
                return ["[UNK]"]
            found.append(mark + word[start:end])
            start = end
        return found

    tokens = ["[CLS]"]
    for part in re.split(r"(\[MASK\])", text):
        if part == "[MASK]":
            tokens.append(part)
            continue
        plain = unicodedata.normalize("NFD", clean(part).lower())
        plain = "".join(sign for sign in plain if unicodedata.category(sign) != "Mn")
        spaced = "".join(f" {sign} " if is_mark(sign) else sign for sign in plain)
        for word in spaced.split():
            tokens += pieces(word)
    return [vocab[token] for token in [*tokens, "[SEP]"]]
    # END SOLUTION

# %% run
_, VOCAB, _ = open_model("minilm")

def run(function, case):
    return [function(text, dict(VOCAB)) for text in case["texts"]]

# %% check
TOKENS = list(open_model("minilm")[1])

def cases(rng):
    from minibert import Tokenizer, load_dataset

    tokenizer = Tokenizer.from_pretrained("minilm")

    def some(texts, count):
        return [texts[i] for i in rng.permutation(len(texts))[:count]]

    plain = some("the film and its story of river bank house reads again unbelievably".split(), 8)
    accents = some("café naïve Über señor Ångström façade rôle Zürich coöperate".split(), 5)
    marks = some(list("!#%&()*,-./:;?@[]{}'"), 6)
    symbols = some(list("$+<=>^`|~"), 5)
    foreign = some(["“", "”", "…", "—", "¿", "·", "。", "，", "«", "‰"], 6)
    others = some(["€", "→", "©", "×", "½"], 2)  # no punctuation: they stay in their word
    chinese = some(list("电影很好看天气户外散步北京大学"), 5)
    drop = some(["\u200b", "\u00ad", "\x07", "\ufeff", "\x00", "\ufffd"], 3)
    spaces = some(["\u00a0", "\t", "\n", "\r\n", "\u2003", "  "], 4)
    number = int(rng.integers(101, 140))
    kinds = [
        [example.text for example in some(load_dataset("movies").test, 5)],
        [f"The {plain[0].title()} OF {plain[1].upper()}", " ".join(word.upper() for word in plain)],
        [" ".join(accents[:3]), f"{plain[2]} {accents[3]}, {accents[4]}"],
        ["".join(map("".join, zip(plain, marks))), f"{plain[3]}{marks[0]}{marks[1]}{plain[4]}"],
        ["".join(map("".join, zip(plain, symbols))), f"{symbols[0]}5 {plain[0]}{symbols[1]}"],
        ["".join(map("".join, zip(plain, foreign))), f"{foreign[0]}{plain[1]}{foreign[1]}"],
        [f"{others[0]}9{plain[0]}{others[1]} {plain[2]}"],
        [f"{plain[0]}{''.join(chinese)}{plain[1]}", "".join(chinese)],
        [f"{plain[0]}ly {plain[1]}{drop[0]}{plain[2]} {drop[1]} {plain[3]}{drop[2]}s"],
        ["".join(a + b for a, b in zip(plain, spaces))],
        [f"un{plain[7]}able ☃{plain[5]} {plain[2]}龘 {plain[6]}☃ xqzj{plain[3]}贝{plain[4]}"],
        ["a" * 100 + " " + plain[0], f"{plain[1]} {'ab' * (number // 2 + 1)} {plain[2]}"],
        [f"{plain[0]} [MASK] {plain[1]}.", f"“[MASK]”, {plain[2]} [MASK]!"],
        [" ".join(some([*plain, *accents, *foreign, *chinese, *symbols, "[MASK]"], 20))],
    ]
    for texts in kinds:
        yield {"texts": texts}, [tokenizer([text])["input_ids"][0].tolist() for text in texts]

def numbers(case, got, expected):
    at = next(i for i, (a, b) in enumerate(zip(got, expected)) if a != b)

    def shown(ids):
        return " ".join(TOKENS[i] if 0 <= i < len(TOKENS) else "?" for i in ids)

    mine, right = shown(got[at]), shown(expected[at])
    first = next((i for i, (a, b) in enumerate(zip(got[at], expected[at])) if a != b), 0)
    return {
        "text": repr(case["texts"][at])[1:-1][:80], "mine": shown(got[at][first : first + 6]),
        "right": shown(expected[at][first : first + 6]), "count": len(got[at]),
        "needed": len(expected[at]), "at": first, "whole": mine, "whole_right": right,
    }

def judge(case, got, expected):
    if all(list(a) == b for a, b in zip(got, expected, strict=True)):
        return None
    return ""

# %% another right solution
def tokenize(text, vocab):
    ids = []
    for i, stretch in enumerate(text.split("[MASK]")):
        if i:
            ids.append(vocab["[MASK]"])
        stretch = re.sub(r"[\t\n\r]", " ", stretch)
        stretch = "".join(c for c in stretch if unicodedata.category(c)[0] != "C" and c != "\ufffd")
        stretch = re.sub(r"([\u3400-\u4dbf\u4e00-\u9fff])", r" \1 ", stretch)
        stretch = unicodedata.normalize("NFD", stretch)
        stretch = "".join(c for c in stretch if unicodedata.category(c) != "Mn").lower()
        word = ""
        for sign in stretch + " ":
            kind = unicodedata.category(sign)[0]
            alone = kind == "P" or (sign < "\x7f" and not sign.isalnum() and sign != " ")
            if not (sign.isspace() or alone):
                word += sign
                continue
            for whole in (word, sign if alone else ""):
                row, rest, mark = [], whole, ""
                while rest and len(whole) <= 100:
                    fits = [n for n in range(1, len(rest) + 1) if mark + rest[:n] in vocab]
                    if not fits:
                        break
                    row.append(vocab[mark + rest[: fits[-1]]])
                    rest, mark = rest[fits[-1] :], "##"
                ids += [vocab["[UNK]"]] if rest else row
            word = ""
    return [vocab["[CLS]"], *ids, vocab["[SEP]"]]

# %% misconception: no special tokens
# says: For “{text}” you have {count} ids, and {needed} are expected: `[CLS]` stands in front and
# `[SEP]` at the end.
# edit: tokens = ["[CLS]"] => tokens = []
# edit: [*tokens, "[SEP]"] => tokens
# %% misconception: capitals stay
# says: For “{text}” you have `{mine}`, where the real one has `{right}`. Is the text put into lower
# case? This vocabulary has no capitals.
# edit: clean(part).lower() => clean(part)
# %% misconception: accents stay
# says: For “{text}” you have `{mine}`, where the real one has `{right}`. Are the accents taken off?
# In the form NFD they are characters of their own, of the category `Mn`.
# - plain = "".join(sign for sign in plain if unicodedata.category(sign) != "Mn")
# %% misconception: only spaces cut
# says: For “{text}” you have `{mine}`, where the real one has `{right}`. Is the text cut at its
# punctuation marks as well? Each of them stands alone.
# edit: f" {sign} " if is_mark(sign) else sign => sign
# %% misconception: punctuation of ASCII alone
# says: For “{text}” you have `{mine}`, where the real one has `{right}`. Other scripts, and good
# typography, have punctuation marks, too: whatever has a category that begins with `P`.
# edit: return unicodedata.category(sign).startswith("P") => return False
# %% misconception: punctuation by category alone
# says: For “{text}” you have `{mine}`, where the real one has `{right}`. For Unicode some signs of
# ASCII are symbols and no punctuation, such as `$` and `+`. BERT counts all that is neither letter
# nor digit.
# - if sign.isascii():
# -     return not sign.isalnum() and not sign.isspace()
# %% misconception: symbols of all scripts cut
# says: For “{text}” you have `{mine}`, where the real one has `{right}`. Outside of ASCII only the
# categories that begin with `P` stand alone. A symbol such as `€` or `→` stays in its word.
# edit: startswith("P") => startswith(("P", "S", "N"))
# %% misconception: Chinese characters stay together
# says: For “{text}” you have `{mine}`, where the real one has `{right}`. Each Chinese character
# stands alone, as if there were a space on either side.
# edit: kept.append(f" {sign} ") => kept.append(sign)
# %% misconception: nothing is dropped
# says: For “{text}” you have `{mine}`, where the real one has `{right}`. There are characters in it
# that nobody sees, of a category that begins with `C`, or U+FFFD. They are dropped.
# - elif unicodedata.category(sign).startswith("C") or sign == "\ufffd":
# -     continue
# %% misconception: what is dropped leaves a space
# says: For “{text}” you have `{mine}`, where the real one has `{right}`. Does a space come where an
# invisible character was? It is dropped, so that the word goes on behind it.
# -     continue
# - elif "\u4e00" <= sign <= "\u9fff" or "\u3400" <= sign <= "\u4dbf":
# +     kept.append(" ")
# + elif "\u4e00" <= sign <= "\u9fff" or "\u3400" <= sign <= "\u4dbf":
# %% misconception: tabs and line ends are dropped
# says: For “{text}” you have `{mine}`, where the real one has `{right}`. Tabs and line ends are of a
# category that begins with `C` as well, but they are spaces.
# - if sign in "\t\n\r":
# -     kept.append(" ")
# - elif unicodedata.category(sign).startswith("C") or sign == "\ufffd":
# + if unicodedata.category(sign).startswith("C") or sign == "\ufffd":
# %% misconception: long words are taken apart
# says: For “{text}” you have `{mine}`, where the real one has `{right}`. A word of more than 100
# characters is not taken apart: it is `[UNK]`.
# - if len(word) > 100:
# -     return ["[UNK]"]
# %% misconception: words of 100 characters are too long
# says: For “{text}” you have `{mine}`, where the real one has `{right}`. A word of exactly 100
# characters is taken apart; only a longer one is `[UNK]`.
# edit: len(word) > 100 => len(word) >= 100
# %% misconception: what was found stays in front of [UNK]
# says: For “{text}” you have `{mine}`, where the real one has `{right}`. Where the rest of a word
# fits nothing, the **whole** word is one `[UNK]`; pieces that were found before are given up.
# - else:
# -     return ["[UNK]"]
# - found.append(mark + word[start:end])
# + else:
# +     return [*found, "[UNK]"]
# + found.append(mark + word[start:end])
# %% misconception: no mark inside a word
# says: For “{text}” you have `{mine}`, where the real one has `{right}`. Inside a word the tokens
# carry the mark `##`.
# edit: "##" if start else "" => ""
# %% misconception: the shortest piece first
# says: For “{text}” you have `{mine}`, where the real one has `{right}`. WordPiece takes the
# **longest** token that fits, and then the longest for the rest.
# edit: range(len(word), start, -1) => range(start + 1, len(word) + 1)
# %% misconception: [MASK] is taken apart
# says: For “{text}” you have `{mine}`, where the real one has `{right}`. `[MASK]` in a text is one
# token; it goes through none of the steps.
# edit: re.split(r"(\[MASK\])", text) => [text]
# %% hints
# 1. One function for each step: clean, is it a punctuation mark, the pieces of a word. Put spaces
# around what stands alone; then `split()` does the cutting.
# 2. `unicodedata.category("ß")` is `"Ll"`. `unicodedata.normalize("NFD", text)` parts a letter from
# its accent. `"é".isascii()` is `False`.
# 3. `re.split(r"(\[MASK\])", text)` gives the stretches between, and the masks themselves.
# %% explanation
# Most of a tokenizer is not WordPiece but what comes before it, and each of these steps is in the
# weights: the model has never seen a capital, an accent or two Chinese characters in one token.
# Whoever leaves one out gets other ids and no error.

# %% task C.4: Fill the blank
# kind: write; points: 20; minutes: 20; function: fill_blank; needs: minilm; builds: C.1, C.2, C.3
# seconds: 20
# without: minibert, transformers, tokenizers
#
# Write `fill_blank(text, vocab, weights, layers, heads, top)`. `text` has one `[MASK]` in it. Return
# the `top` most probable tokens for its place, the most probable first: a list of pairs of the
# token and its probability.
#
# `minilm` has no head for this, so the model is `course-en`, which the course has trained: 4 layers,
# 8 heads, 8,192 tokens. Read the text with your `tokenize`, send it through your `bert`, and take
# the last state at the place of `[MASK]`. The head has two parts:
#
# - `cls.predictions.transform`: a linear map `.dense`, then GELU, then `.LayerNorm` (eps `1e-12`);
# - the logits: the product with each row of the **word embeddings**, which are used a second time
#   here, plus `cls.predictions.bias`.
#
# *Example.* `weights, vocab, config = open_model("course-en")`, and
# `fill_blank("Rome is the [MASK] of Italy.", vocab, weights, 4, 8, 3)` begins with `capital`.

# %% stub
def fill_blank(
    text: str, vocab: dict[str, int], weights: dict[str, Tensor], layers: int, heads: int, top: int
) -> list[tuple[str, float]]:
    """The most probable tokens for the [MASK] of a text, each with its probability."""
    # BEGIN SOLUTION
    ids = torch.tensor([tokenize(text, vocab)])
    states = bert(ids, torch.zeros_like(ids), torch.ones_like(ids), weights, layers, heads)
    place = ids[0].tolist().index(vocab["[MASK]"])
    head = {name.removeprefix("cls.predictions."): w for name, w in weights.items()}
    x = F.linear(states[-1, 0, place], head["transform.dense.weight"], head["transform.dense.bias"])
    x = F.gelu(x)
    gain, bias = head["transform.LayerNorm.weight"], head["transform.LayerNorm.bias"]
    x = F.layer_norm(x, gain.shape, gain, bias, 1e-12)
    logits = weights["embeddings.word_embeddings.weight"] @ x + head["bias"]
    best = logits.softmax(-1).topk(top)
    names = {number: token for token, number in vocab.items()}
    return [(names[i], p) for i, p in zip(best.indices.tolist(), best.values.tolist())]
    # END SOLUTION

# %% run
WEIGHTS, VOCAB, _ = open_model("course-en")

def run(function, case):
    with torch.no_grad():
        found = function(case["text"], dict(VOCAB), dict(WEIGHTS), 4, 8, case["top"])
    return [[token, float(p)] for token, p in found]

# %% check
TOKENS = list(open_model("course-en")[1])
BLANKS = [
    "Rome is the [MASK] of Italy.", "The film was released in the United [MASK].",
    "He was born in London and [MASK] in Paris.", "The river flows into the Black [MASK].",
    "It is one of the largest cities in the [MASK].", "The game was played [MASK] two teams.",
    "The series was created [MASK] a British writer.", "She won the gold [MASK] at the Olympics.",
    "Water is made of hydrogen and [MASK].", "The president is elected by the [MASK].",
]

def cases(rng):
    from minibert import BertForPreTraining, Tokenizer

    tokenizer = Tokenizer.from_pretrained("course-en")
    model = BertForPreTraining.from_pretrained("course-en").eval()
    for text in rng.permutation(BLANKS).tolist()[:4]:
        batch = tokenizer([text])
        place = batch["input_ids"][0].tolist().index(tokenizer.vocab["[MASK]"])
        with torch.no_grad():
            logits = model(**batch).prediction_logits[0, place]
        yield {"text": text, "top": int(rng.integers(3, 7))}, logits.softmax(-1)

def listed(case, expected):
    """The right answer, as it is to be returned."""
    best = expected.topk(case["top"])
    return [(TOKENS[i], p) for i, p in zip(best.indices.tolist(), best.values.tolist())]

def judge(case, got, expected):
    right = listed(case, expected)
    if [type(token) for token, _ in got] != [str] * len(got):
        return "The first of each pair is the token itself, a string, and not its id."
    if len(got) != case["top"]:
        return f"You return {len(got)} tokens, and `top` is {case['top']}."
    number = {token: i for i, token in enumerate(TOKENS)}
    chances = [float(expected[number[t]]) if t in number else -1.0 for t, _ in got]
    near = [abs(mine - p) < 1e-4 for (_, mine), p in zip(got, chances)]
    # Two that are equally probable, but for rounding, may stand either way.
    in_order = all(abs(a - p) < 2e-5 for a, (_, p) in zip(chances, right))
    return None if all(near) and in_order else ""

def numbers(case, got, expected):
    right = listed(case, expected)
    return {
        "text": case["text"], "mine": got[0][0], "p": got[0][1], "right": right[0][0],
        "p_right": right[0][1], "sum": sum(p for _, p in got), "sum_right": sum(p for _, p in right),
        "top": case["top"],
    }

# %% another right solution
def fill_blank(text, vocab, weights, layers, heads, top):
    row = torch.tensor(tokenize(text, vocab))[None]
    inputs = row, row.new_zeros(row.shape), row.new_ones(row.shape)
    state = bert(*inputs, weights, layers, heads)[layers, row == vocab["[MASK]"]]  # (1, d)
    part = "cls.predictions.transform."
    state = state @ weights[part + "dense.weight"].T + weights[part + "dense.bias"]
    state = state * (1 + torch.erf(state / math.sqrt(2))) / 2
    state = (state - state.mean()) / state.var(correction=0).sqrt()
    state = state * weights[part + "LayerNorm.weight"] + weights[part + "LayerNorm.bias"]
    logits = state @ weights["embeddings.word_embeddings.weight"].T + weights["cls.predictions.bias"]
    chances = (logits - logits.logsumexp(-1, keepdim=True)).exp()[0]
    tokens = list(vocab)
    order = sorted(range(len(tokens)), key=lambda i: -chances[i].item())[:top]
    return [(tokens[i], chances[i].item()) for i in order]

# %% misconception: the transform is left out
# says: For “{text}” you say `{mine}` with {p:.3f}; `{right}` with {p_right:.3f} is expected. Is the
# last state multiplied with the word embeddings as it is? Between the two stands
# `cls.predictions.transform`, a map, a bend and a LayerNorm.
# - x = F.linear(states[-1, 0, place], head["transform.dense.weight"], head["transform.dense.bias"])
# - x = F.gelu(x)
# - gain, bias = head["transform.LayerNorm.weight"], head["transform.LayerNorm.bias"]
# - x = F.layer_norm(x, gain.shape, gain, bias, 1e-12)
# + x = states[-1, 0, place]
# %% misconception: no GELU in the head
# says: For “{text}” you say `{mine}` with {p:.3f}; `{right}` with {p_right:.3f} is expected. Is
# there a GELU behind the map of the transform?
# - x = F.gelu(x)
# %% misconception: no LayerNorm in the head
# says: For “{text}” you say `{mine}` with {p:.3f}; `{right}` with {p_right:.3f} is expected. Is
# there a LayerNorm at the end of the transform?
# - x = F.layer_norm(x, gain.shape, gain, bias, 1e-12)
# %% misconception: no bias for the tokens
# says: For “{text}” you say `{mine}` with {p:.3f}; `{right}` with {p_right:.3f} is expected. Each
# token has a bias of its own, `cls.predictions.bias`, which says how frequent it is anyhow. Is it
# added?
# edit: @ x + head["bias"] => @ x
# %% misconception: the state of [CLS] is read
# says: For “{text}” you say `{mine}` with {p:.3f}; `{right}` with {p_right:.3f} is expected. The
# state of which place do you read? It is that of `[MASK]`; is it the one of `[CLS]` with you?
# edit: states[-1, 0, place] => states[-1, 0, 0]
# %% misconception: one place too far
# says: For “{text}” you say `{mine}` with {p:.3f}; `{right}` with {p_right:.3f} is expected. Do you
# read the place behind the mask? `[CLS]` is the first of the ids, so that a place is the same in the
# ids and in the states.
# edit: states[-1, 0, place] => states[-1, 0, place + 1]
# %% misconception: one place too early
# says: For “{text}” you say `{mine}` with {p:.3f}; `{right}` with {p_right:.3f} is expected. Do you
# read the place before the mask? Is it counted in the text without `[CLS]`?
# edit: states[-1, 0, place] => states[-1, 0, place - 1]
# %% misconception: the layer before the last
# says: For “{text}” you say `{mine}` with {p:.3f}; `{right}` with {p_right:.3f} is expected. Which
# state is read? There are `layers + 1` of them, and the last one goes into the head.
# edit: states[-1, 0, place] => states[layers - 1, 0, place]
# %% misconception: the mask hidden from itself
# says: For “{text}” you say `{mine}` with {p:.3f}; `{right}` with {p_right:.3f} is expected. Is
# `attention_mask` 0 at `[MASK]` with you? It is a token like the others; only padding is 0.
# edit: torch.ones_like(ids) => (ids != vocab["[MASK]"]).long()
# %% misconception: only the best share the probability
# says: Your {top} probabilities sum to {sum:.3f}, and {sum_right:.3f} is expected. Does the softmax
# run over the best ones alone? It runs over the whole vocabulary, and then the best are taken.
# - best = logits.softmax(-1).topk(top)
# + best = logits.topk(top)
# + best = type(best)((best.values.softmax(-1), best.indices))
# %% misconception: logits are no probabilities
# says: For “{text}” you give `{mine}` the probability {p:.2f}; {p_right:.3f} is expected. Is that
# the logit? A softmax over the vocabulary makes probabilities.
# edit: logits.softmax(-1).topk(top) => logits.topk(top)
# %% hints
# 1. `ids.index(vocab["[MASK]"])` is the place; `states[-1, 0, place]` is the vector, `(d,)`.
# 2. `table @ x` is a logit for each row of the table. `softmax`, and then `topk(top)`.
# 3. From an id back to a token: `list(vocab)[i]`, or a dictionary the other way round.
# %% explanation
# The head asks: which row of the word embeddings is this vector most like? The transform turns the
# state into something that can be compared with them. That the table is used at both ends saves a
# third of the model, and makes a token that is predicted and a token that is read the same thing.

# %% task C.5: Your loop, your optimizer
# kind: write; points: 15; minutes: 30; function: train; needs: minilm; builds: C.1, C.2; seconds: 30
# tolerance: 0.002
# without: minibert, transformers, optim, AdamW, Adam, adamw
#
# Write `train(weights, layers, heads, batches, rates, decay, frozen)`: the training, with your own
# AdamW. One step for each batch, with the learning rate that stands in `rates` at its place.
#
# - A batch has `input_ids`, `attention_mask` `(B, T)` and `labels` `(B,)`. All texts are single:
#   segment 0. The vector of a text is the **mean of the last states of its real tokens**; the logits
#   are a linear map of it, `classifier.weight` `(2, d)` and `classifier.bias`. The loss is the mean
#   cross-entropy of the batch.
# - Every weight that the loss depends on is trained, except those whose name begins with one of
#   `frozen`. AdamW's betas are 0.9 and 0.999, its eps `1e-8`. Matrices and tables decay by `decay`;
#   **biases and LayerNorms do not**.
# - Nothing is dropped out, nothing is cut.
#
# Return the list of losses, one for each step, each before its update. When the function returns,
# `weights` holds the trained numbers (the same tensors, or new ones under the same names).
#
# Your answers to 10.2 and 10.7 fit in here. The check takes four steps with the lower half of
# `course-en`, with the tokens alone that occur, and compares every loss. `F.cross_entropy` and
# autograd are yours to use; `torch.optim` is what you replace.
#
# *Example.* With `rates = [0.0]` the weights stay as they are, and the loss of a classifier of zeros
# is ln 2, 0.693.

# %% stub
def train(
    weights: dict[str, Tensor],
    layers: int,
    heads: int,
    batches: list[dict[str, Tensor]],
    rates: list[float],
    decay: float,
    frozen: tuple[str, ...] = (),
) -> list[float]:
    """Train the weights, one step a batch; the loss of each step."""
    # BEGIN SOLUTION
    unused = ("pooler", "cls", *frozen)
    trained = {n: w.requires_grad_() for n, w in weights.items() if not n.startswith(unused)}
    means = {name: torch.zeros_like(weight) for name, weight in trained.items()}
    squares = {name: torch.zeros_like(weight) for name, weight in trained.items()}
    losses = []
    for step, (batch, rate) in enumerate(zip(batches, rates, strict=True), start=1):
        ids, mask = batch["input_ids"], batch["attention_mask"]
        rows = bert(ids, torch.zeros_like(ids), mask, weights, layers, heads)[-1]
        real = mask[..., None]
        vectors = (rows * real).sum(1) / real.sum(1)  # (B, d)
        logits = F.linear(vectors, weights["classifier.weight"], weights["classifier.bias"])
        loss = F.cross_entropy(logits, batch["labels"])
        losses.append(loss.item())
        slopes = torch.autograd.grad(loss, list(trained.values()))
        with torch.no_grad():
            for (name, weight), slope in zip(trained.items(), slopes):
                means[name] = 0.9 * means[name] + 0.1 * slope
                squares[name] = 0.999 * squares[name] + 0.001 * slope**2
                mean = means[name] / (1 - 0.9**step)
                square = squares[name] / (1 - 0.999**step)
                if weight.ndim > 1:
                    weight *= 1 - rate * decay
                weight -= rate * mean / (square.sqrt() + 1e-8)
    return losses
    # END SOLUTION

# %% run
WEIGHTS, _, _ = open_model("course-en")
SHOWN = ["classifier.weight", "embeddings.LayerNorm.bias", "encoder.layer.0.output.LayerNorm.weight"]

def run(function, case):
    upper = "encoder.layer.2.", "encoder.layer.3."  # two layers show as much as four
    weights = {n: weight.clone() for n, weight in WEIGHTS.items() if not n.startswith(upper)}
    weights["classifier.weight"] = case["start"].clone()
    weights["classifier.bias"] = torch.tensor([0.5, -0.5])
    # Of the tokens those that occur: the others would take half of the time, and change no loss.
    used = torch.cat([batch["input_ids"].flatten() for batch in case["batches"]]).unique()
    before = weights["embeddings.word_embeddings.weight"][used]
    weights["embeddings.word_embeddings.weight"] = before.clone()
    batches = [
        {**batch, "input_ids": torch.searchsorted(used, batch["input_ids"])}
        for batch in case["batches"]
    ]
    losses = function(
        weights, 2, 8, batches, list(case["rates"]), case["decay"], tuple(case["frozen"])
    )
    moved = (weights["embeddings.word_embeddings.weight"].detach() - before).abs().max().item()
    # What rounding can turn, in weights that hardly matter, it does not turn in a mean.
    after = [[w.mean().item(), w.abs().mean().item()] for w in (weights[n].detach() for n in SHOWN)]
    return [float(loss) for loss in losses], after, weights["classifier.bias"].tolist(), moved

# %% check
def cases(rng):
    from minibert import Tokenizer, load_dataset

    tokenizer, reviews = Tokenizer.from_pretrained("course-en"), list(load_dataset("movies").dev)
    for decay, frozen in ((0.0, []), (10.0, ["embeddings."])):
        chosen = [reviews[i] for i in rng.permutation(len(reviews))[:12]]
        batches = []
        for i in range(0, 12, 3):
            rows = chosen[i : i + 3]
            # Of different lengths, so that there is padding.
            texts = [" ".join(row.text.split()[:n]) for row, n in zip(rows, (4, 9, 13))]
            batch = tokenizer(texts, padding=True, truncation=True, max_length=20)
            batches.append(
                {
                    "input_ids": batch["input_ids"], "attention_mask": batch["attention_mask"],
                    "labels": torch.tensor([int(row.label == "positive") for row in rows]),
                }
            )
        yield {
            "batches": batches, "decay": decay, "frozen": frozen,
            "rates": [0.002, 0.004, 0.003, 0.001],
            "start": torch.from_numpy(rng.normal(size=(2, 256))).float() / 16,
        }

def judge(case, got, expected):
    losses, after, bias, moved = got
    if len(losses) != len(case["rates"]):
        return f"You return {len(losses)} losses, and there are {len(case['rates'])} steps."
    if case["frozen"] and moved > 0:
        return "what is frozen moves"
    both = zip([*losses, *bias, *sum(after, [])], [*expected[0], *expected[2], *sum(expected[1], [])])
    return None if all(abs(a - b) < 2e-3 * (1 + abs(b)) for a, b in both) else ""

def numbers(case, got, expected):
    losses, _, bias, moved = got
    right = expected[0]
    at = next((i for i, (a, b) in enumerate(zip(losses, right)) if abs(a - b) > 2e-3), 0)
    return {
        "step": at + 1, "mine": losses[at], "right": right[at], "decay": case["decay"],
        "moved": moved, "bias": bias[0], "bias_right": expected[2][0],
    }

# %% another right solution
def train(weights, layers, heads, batches, rates, decay, frozen=()):
    memory, losses = {}, []
    for rate, batch in zip(rates, batches):
        leaves = {name: weight.detach().requires_grad_() for name, weight in weights.items()}
        ids, mask = batch["input_ids"], batch["attention_mask"]
        last = bert(ids, 0 * ids, mask, leaves, layers, heads)[layers]
        vectors = torch.stack([row[real.bool()].mean(0) for row, real in zip(last, mask)])
        logits = vectors @ leaves["classifier.weight"].T + leaves["classifier.bias"]
        right = logits.gather(1, batch["labels"][:, None])[:, 0]
        loss = (logits.logsumexp(-1) - right).mean()
        loss.backward()
        for name, leaf in leaves.items():
            if leaf.grad is None or any(name.startswith(prefix) for prefix in frozen):
                continue
            m, v, t = memory.get(name, (0, 0, 0))
            memory[name] = m, v, t = m + (leaf.grad - m) / 10, v + (leaf.grad**2 - v) / 1000, t + 1
            moved = m / (1 - 0.9**t) / ((v / (1 - 0.999**t)).sqrt() + 1e-8)
            spared = name.endswith("bias") or "LayerNorm" in name
            weights[name] = leaf.detach() * (1 - (0 if spared else rate * decay)) - rate * moved
        losses.append(loss.item())
    return losses

# %% misconception: no bias correction
# says: Step 1 has the right loss, and step {step} has {mine:.4f} instead of {right:.4f}: the first
# update was of another length. Are both means divided by `1 - beta ** step`? They begin at zero.
# - mean = means[name] / (1 - 0.9**step)
# - square = squares[name] / (1 - 0.999**step)
# + mean, square = means[name], squares[name]
# %% misconception: biases and LayerNorms decay
# says: Without decay you are right. With decay {decay}, the first bias of the classifier is
# {bias:.4f} after four steps, and {bias_right:.4f} is expected: it has shrunk. Do all weights decay?
# Biases and LayerNorms are spared.
# - if weight.ndim > 1:
# -     weight *= 1 - rate * decay
# + weight *= 1 - rate * decay
# %% misconception: decay in the gradient
# says: Without decay you are right. With decay {decay}, step {step} has the loss {mine:.4f} instead
# of {right:.4f}. Is the decay added to the gradient? It is taken from the weight itself, beside the
# step: that is the W in AdamW.
# - means[name] = 0.9 * means[name] + 0.1 * slope
# + slope = slope + decay * weight if weight.ndim > 1 else slope
# + means[name] = 0.9 * means[name] + 0.1 * slope
# - if weight.ndim > 1:
# -     weight *= 1 - rate * decay
# %% misconception: no decay
# says: Without decay you are right. With decay {decay}, step {step} has the loss {mine:.4f} instead
# of {right:.4f}, as without any. Where do the matrices shrink?
# - if weight.ndim > 1:
# -     weight *= 1 - rate * decay
# %% misconception: decay without the rate
# says: Without decay you are right. With decay {decay}, step {step} has the loss {mine:.4f} instead
# of {right:.4f}. The matrices shrink by `rate * decay`, not by `decay`.
# edit: 1 - rate * decay => 1 - decay
# %% misconception: the mean of all places
# says: Already step {step} has the loss {mine:.4f} instead of {right:.4f}. Is the mean taken over
# padding as well? The last states of padding are rows like others; only those of real tokens count.
# edit: (rows * real).sum(1) / real.sum(1) => rows.mean(1)
# %% misconception: the sum of the real rows divided by all places
# says: Already step {step} has the loss {mine:.4f} instead of {right:.4f}. Padding is left out of
# your sum, but is it left out of what the sum is divided by?
# edit: / real.sum(1) => / real.shape[1]
# %% misconception: the row of [CLS]
# says: Already step {step} has the loss {mine:.4f} instead of {right:.4f}. Do you read the row of
# `[CLS]`? Here the vector of a text is the mean of its rows.
# edit: (rows * real).sum(1) / real.sum(1) => rows[:, 0]
# %% misconception: padding is attended to
# says: Already step {step} has the loss {mine:.4f} instead of {right:.4f}. Does your `bert` get the
# batch's `attention_mask`?
# edit: torch.zeros_like(ids), mask, weights => torch.zeros_like(ids), torch.ones_like(mask), weights
# %% misconception: the sum of the losses
# says: Step {step} has the loss {mine:.4f} instead of {right:.4f}. Are the losses of a batch added
# up? They are averaged.
# edit: F.cross_entropy(logits, batch["labels"]) => F.cross_entropy(logits, batch["labels"], reduction="sum")
# %% misconception: the loss after the update
# says: Step {step} has the loss {mine:.4f} with you, and {right:.4f} is expected. Is it computed
# again after the update? Each loss is that of the batch before the weights have moved.
# - losses.append(loss.item())
# - ...
# - weight -= rate * mean / (square.sqrt() + 1e-8)
# + slopes = torch.autograd.grad(loss, list(trained.values()))
# + with torch.no_grad():
# +     for (name, weight), slope in zip(trained.items(), slopes):
# +         means[name] = 0.9 * means[name] + 0.1 * slope
# +         squares[name] = 0.999 * squares[name] + 0.001 * slope**2
# +         mean = means[name] / (1 - 0.9**step)
# +         square = squares[name] / (1 - 0.999**step)
# +         if weight.ndim > 1:
# +             weight *= 1 - rate * decay
# +         weight -= rate * mean / (square.sqrt() + 1e-8)
# +     rows = bert(ids, torch.zeros_like(ids), mask, weights, layers, heads)[-1]
# +     vectors = (rows * real).sum(1) / real.sum(1)
# +     logits = F.linear(vectors, weights["classifier.weight"], weights["classifier.bias"])
# +     losses.append(F.cross_entropy(logits, batch["labels"]).item())
# %% misconception: one learning rate for all steps
# says: The first two losses are right, and step {step} has {mine:.4f} instead of {right:.4f}. Does
# every step use the rate of the first? `rates` has one for each.
# - means[name] = 0.9 * means[name] + 0.1 * slope
# + rate = rates[0]
# + means[name] = 0.9 * means[name] + 0.1 * slope
# %% misconception: the memory is lost
# says: The first two losses are right, and step {step} has {mine:.4f} instead of {right:.4f}. Are
# the two means of AdamW made anew in each step? They remember all steps before.
# edit: 0.9 * means[name] + => 0.9 * 0 +
# edit: 0.999 * squares[name] + => 0.999 * 0 +
# %% misconception: plain gradient descent
# says: Step 1 has the right loss, and step {step} has {mine:.4f} instead of {right:.4f}. Is the
# step the rate times the gradient? AdamW divides the mean of the gradients by the root of the mean
# of their squares.
# edit: rate * mean / (square.sqrt() + 1e-8) => rate * slope
# %% misconception: only the classifier is trained
# says: Step 1 has the right loss, and step {step} has {mine:.4f} instead of {right:.4f}. Do the
# weights of the encoder move? Every weight moves that the loss depends on, and is not frozen.
# edit: if not n.startswith(unused)} => if n.startswith("classifier")}
# %% misconception: what is frozen moves
# says: The word embeddings are frozen in the second training, and have moved by up to {moved:.2g}.
# `frozen` has beginnings of names: what begins with one of them stays as it is.
# edit: ("pooler", "cls", *frozen) => ("pooler", "cls")
# %% hints
# 1. `torch.autograd.grad(loss, list_of_weights)` gives a gradient for each; with
# `weights[name].requires_grad_()` before. Weights that the loss does not depend on (the pooler, the
# old head) would raise an error: leave them out of the list.
# 2. Change weights under `torch.no_grad()`, in place. One state of AdamW for each name.
# 3. `weight.ndim > 1` tells matrices and tables from biases and LayerNorms.
# %% explanation
# Twenty lines are a training: forward pass, loss, gradient, one step of AdamW for each tensor. That
# four losses agree to the third decimal says more than a falling curve, for AdamW makes losses fall
# with nearly any mistake in it.

# %% task C.6: Project: 84 in a hundred
# kind: project; points: 10; minutes: 20; function: fine_tune; needs: minilm
# builds: C.1, C.2, C.5; seconds: 900
# without: minibert, transformers, optim, AdamW, Adam, adamw, sklearn
#
# Fine-tune `minilm` on film reviews: sentences whose authors thought well of a film, or not. Write
# `fine_tune(weights, layers, heads, rows, labels, questions)`. `rows` is a list of 7,500 sentences,
# each a tensor of ids, `[CLS]` and `[SEP]` included; `labels` `(N,)` is 1 for praise. `questions` is
# a list of 950 others, from the test split. Return your answers, 0 or 1, `(M,)`.
#
# You pass with **84 in a hundred** right. `weights` is that of `minilm`, with `classifier.weight`
# `(2, d)` and `classifier.bias` beside it; your `train` does the work. The rest is yours: how the
# sentences are put into batches, the rates, how often you go through them, and what stays frozen.
# **The check trains**, which takes some five minutes on one core, and there are fifteen at most; try
# with the first few hundred sentences, until the loss falls. Sentences of similar length in a batch
# save half of the time, frozen embeddings a little more. A frozen half of the model saves a third,
# and costs two answers in a hundred.
#
# Which sentences you learn from and are asked about is drawn anew when your work is graded. The ids
# are those of a vocabulary that has been shuffled, and the rows of the word embeddings with it:
# nothing changes for a model, and a list of sentences that somebody has looked up is of no use.
#
# What you reach is your line on the leaderboard.

# %% stub
def fine_tune(
    weights: dict[str, Tensor],
    layers: int,
    heads: int,
    rows: list[Tensor],
    labels: Tensor,
    questions: list[Tensor],
) -> Tensor:
    """Train on sentences with labels (N,); the answers to other sentences (M,)."""
    # BEGIN SOLUTION
    torch.manual_seed(0)

    def padded(chosen: list[Tensor]) -> dict[str, Tensor]:
        ids = torch.nn.utils.rnn.pad_sequence(chosen, batch_first=True)
        lengths = torch.tensor([len(row) for row in chosen])
        real = torch.arange(ids.shape[1]) < lengths[:, None]
        return {"input_ids": ids, "attention_mask": real.long()}

    def by_length(texts: list[Tensor], size: int) -> list[list[int]]:
        order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
        return [order[i : i + size] for i in range(0, len(order), size)]

    parts = by_length(rows, 32)
    parts = [parts[i] for i in torch.randperm(len(parts)).tolist()]
    batches = [padded([rows[i] for i in part]) | {"labels": labels[part]} for part in parts]
    peak, steps, warmup = 2e-4, len(parts), max(1, len(parts) // 10)
    rates = [peak * min((i + 1) / warmup, (steps - i) / (steps - warmup)) for i in range(steps)]
    train(weights, layers, heads, batches, rates, 0.01, ("embeddings.", "encoder.layer.0."))

    answers = torch.zeros(len(questions), dtype=torch.long)
    with torch.no_grad():
        for part in by_length(questions, 64):
            asked = padded([questions[i] for i in part])
            ids, mask = asked["input_ids"], asked["attention_mask"]
            states = bert(ids, torch.zeros_like(ids), mask, weights, layers, heads)[-1]
            vectors = (states * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)
            logits = F.linear(vectors, weights["classifier.weight"], weights["classifier.bias"])
            answers[part] = logits.argmax(-1)
    return answers
    # END SOLUTION

# %% run
WEIGHTS, _, _ = open_model("minilm")

def run(function, case):
    above = tuple(f"encoder.layer.{number}." for number in range(case["layers"], 6))
    weights = {n: weight.clone() for n, weight in WEIGHTS.items() if not n.startswith(above)}
    table = "embeddings.word_embeddings.weight"
    weights[table] = weights[table][case["order"].long()]
    weights["classifier.weight"] = case["start"].clone()
    weights["classifier.bias"] = torch.zeros(2)
    rows, questions = (
        list(case[name].long().split(case[f"{name}_lengths"].tolist())) for name in ("rows", "questions")
    )
    return torch.as_tensor(function(weights, case["layers"], 12, rows, case["labels"], questions))

# %% check
import numpy as np

def cases(rng, small=False):
    from minibert import Tokenizer, load_dataset

    tokenizer, movies = Tokenizer.from_pretrained("minilm"), load_dataset("movies")
    # A few steps do not learn what a review thinks of a film, but in which script it is.
    other = load_dataset("reviews-zh") if small else None

    def labelled(part):
        rows = list(getattr(movies, part))
        if small:
            return [[(row.text, 0) for row in getattr(other, part)], [(row.text, 1) for row in rows]]
        return [[(row.text, int(row.label == "positive")) for row in rows]]

    order = rng.permutation(30522)
    place = np.argsort(order)

    def draw(part, count):
        kinds = labelled(part)
        each = [[kind[i] for i in rng.permutation(len(kind))[: count // len(kinds)]] for kind in kinds]
        chosen = sum(each, [])
        chosen = [chosen[i] for i in rng.permutation(len(chosen))]
        batch = tokenizer(
            [text for text, _ in chosen], padding=True, truncation=True, max_length=64
        )
        real = batch["attention_mask"].bool()
        if small:  # short ones, of any length, which is to tell nothing
            shortened = torch.from_numpy(rng.integers(5, 12, count))[:, None]
            real &= torch.arange(real.shape[1]) < shortened
        ids = torch.from_numpy(place)[batch["input_ids"][real]].int()
        return ids, real.sum(1), torch.tensor([label for _, label in chosen])

    known, asked = (480, 100) if small else (7500, 950)
    rows, lengths, labels = draw("train", known)
    questions, questions_lengths, answers = draw("test", asked)
    yield (
        {
            "rows": rows, "rows_lengths": lengths, "labels": labels, "questions": questions,
            "questions_lengths": questions_lengths, "order": torch.from_numpy(order).int(),
            "start": torch.from_numpy(0.02 * rng.normal(size=(2, 384))).float(),
            "layers": 2 if small else 6,
        },
        answers,
    )

LEAST = 0.84

def proportion(got, expected):
    return (got == expected).double().mean().item()

def in_order(case, got, expected):
    """How many would be right if the questions stood in the order of their lengths."""
    lengths = case["questions_lengths"]
    orders = lengths.argsort(stable=True), lengths.argsort(stable=True, descending=True)
    return max(proportion(got, expected[by]) for by in orders)

def judge(case, got, expected):
    if tuple(got.shape) != tuple(expected.shape):
        return f"One answer for each question is expected, {tuple(expected.shape)}, not {tuple(got.shape)}."
    right = proportion(got, expected)
    if (got == got.mode().values).double().mean() > 0.97:
        return "the same answer everywhere"
    if right >= LEAST:
        return None
    # Answers that have nothing to do with their questions are right in half of them, give or take
    # this: five standard deviations.
    rare = 2.5 / math.sqrt(len(expected))
    if right < 0.5 - rare:
        return "the labels turned round"
    if right < 0.5 + rare < in_order(case, got, expected):
        return "the answers in the order of length"
    return (
        f"{right:.1%} are right, and {LEAST:.0%} are needed. How far did the loss fall? "
        "A peak of the rates between 1e-4 and 3e-4, a warm-up, one pass over all the sentences, "
        "and no more frozen than the embeddings and a layer or two will do."
    )

def numbers(case, got, expected):
    return {
        "right": proportion(got, expected), "in_order": in_order(case, got, expected),
        "said": int(got.mode().values),
    }

def score(case, got, expected):
    return proportion(got, expected)

# %% another right solution
def fine_tune(weights, layers, heads, rows, labels, questions):
    batches = []
    for start in range(0, len(rows), 16):
        part = rows[start : start + 16]
        ids = torch.zeros(len(part), max(map(len, part)), dtype=torch.long)
        mask = torch.zeros_like(ids)
        for i, row in enumerate(part):
            ids[i, : len(row)], mask[i, : len(row)] = row, 1
        batches.append(
            {"input_ids": ids, "attention_mask": mask, "labels": labels[start : start + 16]}
        )
    rates = [3e-4 * (1 - i / len(batches)) for i in range(len(batches))]
    train(weights, layers, heads, batches, rates, 0.0, ("embeddings.", "encoder.layer.0."))
    found = []
    for row in questions:
        with torch.no_grad():
            one = bert(row[None], 0 * row[None], 1 + 0 * row[None], weights, layers, heads)[-1, 0]
            found.append(weights["classifier.weight"] @ one.mean(0) + weights["classifier.bias"])
    return torch.stack(found).argmax(-1)

# %% misconception: the answers in the order of length
# says: {right:.0%} are right, about what guessing gives; and {in_order:.0%} would be if the questions
# stood in the order of their lengths. Do you sort them, to read those of equal length together? The
# answers go back into the places of their questions.
# - answers = torch.zeros(len(questions), dtype=torch.long)
# + answers, done = torch.zeros(len(questions), dtype=torch.long), 0
# - answers[part] = logits.argmax(-1)
# + answers[done : done + len(part)] = logits.argmax(-1)
# + done += len(part)
# %% misconception: the same answer everywhere
# says: You answer {said} to nearly all questions. The training has not begun, or it has gone wild: a
# peak that is ten times too high does that. Is the loss below 0.69 at the end?
# - answers[part] = logits.argmax(-1)
# + answers[part] = logits.argmax(-1) * 0
# %% misconception: the labels turned round
# says: {right:.0%} are right, far less than guessing gives. Is 1 praise in your answers, too?
# edit: logits.argmax(-1) => logits.argmin(-1)
# %% hints
# 1. `torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)` makes a batch; the mask is 1 where a
# row is real.
# 2. One pass over the sentences in batches of 32; rates that rise over a tenth of the steps to 2e-4
# and fall to zero; embeddings and the lowest layer frozen.
# 3. Sorted by length the questions are read faster. `answers[part] = …` with `part` a list of their
# numbers puts the answers back.
# %% explanation
# Some 235 steps with an optimizer of your own, and the model says of more than five sentences in six
# what their authors meant. Nothing in it comes from a library but the tensors and their gradients.
