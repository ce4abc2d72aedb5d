# %% [markdown]
# # Exercises 10 · Pre-training, both tasks at once
#
# Chapter 10 ran a pre-training and did its sums. Here you write the parts of a step that people get
# wrong without noticing: the schedule, the weight decay, the gradient of a batch that comes in
# parts. Then you do the arithmetic of a training, and as the project of part II you train a model to
# predict masked tokens that no reader from left to right can fill in. The last task is the
# optimizer itself.

# %% setup
import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class TwoHeads(nn.Module):
    """A toy with both heads: ids (B, T) to token logits (B, T, V) and pair logits (B, 2)."""

    def __init__(self, vocab_size: int, width: int = 8) -> None:
        super().__init__()
        self.table = nn.Embedding(vocab_size, width)
        self.mix = nn.Linear(width, width)
        self.tokens = nn.Linear(width, vocab_size)
        self.pairs = nn.Linear(width, 2)

    def forward(self, input_ids: Tensor) -> tuple[Tensor, Tensor]:
        vectors = self.table(input_ids)
        hidden = torch.tanh(self.mix(vectors + vectors.mean(1, keepdim=True)))
        return self.tokens(hidden), self.pairs(hidden[:, 0])

# %% task 10.1: Up, and down in a straight line
# kind: write; points: 12; minutes: 8; function: learning_rate; tolerance: 1e-9
#
# Write `learning_rate(step, total, warmup, peak)`: the learning rate of one step out of `total`.
# Steps are counted from 0.
#
# - In the first `warmup` steps it rises in equal pieces, so that the last of them has `peak`. The
#   very first step already moves.
# - From then on it falls in equal pieces. The first step after the warm-up has `peak` once more,
#   and the next one after the last step would have 0; the last step still moves.
# - `warmup` may be 0; it is less than `total`.
#
# *Example.* With `total=6, warmup=2, peak=1.0` the six rates are 0.5, 1, 1, 0.75, 0.5, 0.25.

# %% stub
def learning_rate(step: int, total: int, warmup: int, peak: float) -> float:
    """Linear warm-up to the peak, then linear decay towards zero."""
    # BEGIN SOLUTION
    if step < warmup:
        return peak * (step + 1) / warmup
    return peak * (total - step) / (total - warmup)
    # END SOLUTION

# %% run
def run(function, case):
    return [function(step, **case) for step in range(case["total"])]

# %% check
def cases(rng):
    peak = round(float(rng.uniform(1, 9)), 1) * 1e-4
    warmup = int(rng.integers(4, 8))
    yield {"total": warmup * 5 + int(rng.integers(5)), "warmup": warmup, "peak": peak}
    longer = {"total": int(rng.integers(80, 120)), "warmup": int(rng.integers(5, 30))}
    yield {**longer, "peak": 2 * peak}
    yield {"total": int(rng.integers(10, 20)), "warmup": 0, "peak": peak}

def numbers(case, got, expected):
    first = next(i for i, (a, b) in enumerate(zip(got, expected)) if not math.isclose(a, b))
    after = case["warmup"]
    return {
        **case, "step": first, "mine": got[first], "right": expected[first], "start": got[0],
        "before": got[after - 1] if after else got[0], "after": got[after], "last": got[-1],
        "top": max(got), "end": after - 1,
    }

def judge(case, got, expected):
    rates = [math.nan if rate is None else float(rate) for rate in got]
    if all(math.isclose(a, b, rel_tol=1e-6) for a, b in zip(rates, expected, strict=True)):
        return None
    if case["warmup"] and rates[0] == 0:
        return "the first step stands still"
    if abs(rates[-1]) < 1e-12:
        return "the last step stands still"
    return ""  # whatever it is, compare it with the others

# %% another right solution
def learning_rate(step, total, warmup, peak):
    # Two straight lines, and the lower of them counts.
    rising = (step + 1) / warmup if warmup else 1.0
    falling = (total - step) / (total - warmup)
    return peak * min(rising, falling, 1.0)

# %% misconception: the first step stands still
# says: Your first step has the rate {start:.1e}: it computes a whole batch and moves nothing, and
# every step of the warm-up comes one too late. Steps are counted from 0, so the first piece of the
# rise belongs to step 0.
# edit: (step + 1) => step
# %% misconception: the decay starts with the warm-up
# says: At the end of the warm-up your rate jumps from {before:.2e} to {after:.2e}. The falling line
# was begun at step 0, together with the warm-up. It starts where the warm-up ends, at the peak, and
# has `total - warmup` steps to come down. (The first published code of BERT has this jump.)
# edit: (total - step) / (total - warmup) => (1 - step / total)
# %% misconception: no decay
# says: Your rate stays at {last:.2e} to the end. After the warm-up it is to fall in a straight
# line, so that small steps can settle what the large ones keep stirring up.
# edit: peak * (total - step) / (total - warmup) => peak
# %% misconception: no warm-up
# says: Your first step has {start:.2e}, the full peak or nearly so. The first {warmup} steps are to
# rise towards it: AdamW has not yet seen how large the gradients usually are.
# - if step < warmup:
# -     return peak * (step + 1) / warmup
# edit: (total - warmup) => total
# %% misconception: rise and fall multiplied
# says: Your largest rate is {top:.2e}, and the peak of {peak:.2e} is never reached. You multiply
# the rise by the fall, so that the rate is already falling while it rises. One of the two holds at
# a time.
# edit: (step + 1) / warmup => (step + 1) / warmup * (total - step) / total
# edit: (total - warmup) => total
# %% misconception: the last step stands still
# says: Your last step has the rate {last:.1e} and moves nothing. The line is to reach zero at step
# {total}, which is no longer taken: its last one is the step before.
# edit: (total - step) / (total - warmup) => (total - 1 - step) / (total - 1 - warmup)
# %% misconception: a warm-up of one step more
# says: Step {end}, the last of the warm-up, has {before:.2e} with you; it is to have the peak,
# {peak:.2e}. Your rise takes one step more than `warmup`. In the example two pieces lead to the
# peak, 0.5 and 1.
# edit: (step + 1) / warmup => (step + 1) / (warmup + 1)
# %% misconception: one step above the peak
# says: Step {warmup} has {after:.2e} with you, more than the peak, {peak:.2e}. Does the rise go on for
# one step too many, with `<=` for `<`? Counted from 0, the last step of the warm-up is step {end}.
# edit: step < warmup => step <= warmup and warmup
# %% misconception: a division by zero without a warm-up
# says: Without a warm-up your code divides by zero. `warmup` may be 0, and then the first step has
# the peak.
# edit: if step < warmup => if (step + 1) / warmup <= 1
# %% misconception: a factor, not a rate
# says: Step {step} has {mine:.3f} with you; {right:.2e} is expected. That is the fraction of the
# peak: the rate is this fraction times `peak`.
# edit: peak * (step + 1) => (step + 1)
# edit: peak * (total - step) => (total - step)
# %% hints
# 1. Two cases, before and after the end of the warm-up. In the example: which two fractions give 0.5
# and 1 at the steps 0 and 1, and which four give 1, 0.75, 0.5, 0.25 at the steps 2 to 5?
# 2. Rising: `(step + 1) / warmup`. Falling: the steps that are left, `total - step`, of `total -
# warmup`.
# %% explanation
# Counted from 0, step number `step` is the one after `step` others, so the rise is `(step + 1) /
# warmup` and never zero. The fall divides the steps that are left by those that there were after
# the warm-up: it starts at one, wherever the warm-up ends, and its last value is one piece, not
# zero. A rate of zero would be a step paid for and not taken.

# %% task 10.2: Who is to decay?
# kind: write; points: 13; minutes: 10; function: parameter_groups
#
# With weight decay AdamW pulls weights a little towards zero at each step. BERT was trained with
# it, except for the **biases** and the parameters of **LayerNorm**: a LayerNorm pulled towards zero
# would fade out what it normalises. Write `parameter_groups(model, weight_decay)`. Return two
# groups for the optimizer, as a list of two dictionaries, `{"params": [...], "weight_decay": ...}`:
# one that decays by `weight_decay` and one that does not decay.
#
# - Tell them apart by their names, from `model.named_parameters()`. The last part of a bias's name
#   is `bias`. A LayerNorm is called `norm` or `LayerNorm`, and its parameters `norm.weight` and
#   `norm.bias` (`LayerNorm.weight`, `LayerNorm.bias`), wherever it stands in the model.
# - The models also have tables like `position_bias.weight` and matrices like `norm_gate.weight`:
#   these decay, whatever they are called.
# - Parameters that are frozen (`requires_grad` is `False`) are in neither group.
#
# *Example.* With the parameters `dense.weight`, `dense.bias`, `norm.weight`, `norm.bias` the first
# group holds `dense.weight`, the second the other three.

# %% stub
def parameter_groups(model: nn.Module, weight_decay: float) -> list[dict]:
    """Two groups for AdamW: matrices decay, biases and LayerNorm do not."""
    # BEGIN SOLUTION
    decays, stays = [], []
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            *_, owner, kind = ("", *name.split("."))
            is_spared = kind == "bias" or owner in ("norm", "LayerNorm")
            (stays if is_spared else decays).append(parameter)
    return [
        {"params": decays, "weight_decay": weight_decay},
        {"params": stays, "weight_decay": 0.0},
    ]
    # END SOLUTION

# %% run
def run(function, case):
    width = case["width"]

    def layer(norm):
        block = nn.ModuleDict({"dense": nn.Linear(width, width), norm: nn.LayerNorm(width)})
        block["position_bias"] = nn.Embedding(5, 2)
        return block

    model = nn.ModuleDict({"embeddings": nn.ModuleDict({"token": nn.Embedding(9, width)})})
    model["embeddings"]["LayerNorm"] = nn.LayerNorm(width)
    model["layers"] = nn.ModuleList([layer(norm) for norm in case["norms"]])
    model["norm_gate"] = nn.Linear(width, width)
    model["head"] = nn.Linear(width, 9)
    model["head"].weight = model["embeddings"]["token"].weight  # tied: one parameter, two places
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(not name.startswith(case["frozen"]))
    groups = function(model, case["weight_decay"])
    if groups is None:
        return None
    optimizer = torch.optim.AdamW(groups, lr=1e-3)
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    return {
        names[id(parameter)]: group["weight_decay"]
        for group in optimizer.param_groups
        for parameter in group["params"]
    }

# %% check
def cases(rng):
    for layers in (2, 3):
        norms = ["norm", "LayerNorm", "norm"][:layers]
        yield {
            "width": int(rng.integers(3, 7)), "norms": norms,
            "frozen": f"layers.{int(rng.integers(1, layers))}." if layers == 3 else "nothing",
            "weight_decay": float(rng.choice([0.05, 0.1, 0.2])),
        }

def sort(case, got, expected):
    """Names that are in a wrong place, by kind."""
    wrong = [name for name in expected if got.get(name) != expected[name]]
    decays = [name for name in wrong if expected[name] == 0.0]
    spared = [name for name in wrong if expected[name] != 0.0]
    return wrong, decays, spared

def numbers(case, got, expected):
    wrong, decays, spared = sort(case, got, expected)
    extra = [name for name in got if name not in expected]

    def some(names):
        names = sorted(names, key=lambda name: ("norm" not in name.lower(), name))
        return ", ".join(f"`{name}`" for name in names[:2])

    return {
        "decay": case["weight_decay"], "frozen": some(extra), "decays": some(decays),
        "norms": some([name for name in decays if name.endswith("weight")]), "spared": some(spared),
        "here": got.get(decays[0]) if decays else None, "many": len(decays),
    }

def judge(case, got, expected):
    if got is None:
        return "Your function returns nothing: is there a `return`?"
    if set(got) - set(expected):
        return "frozen parameters are in a group"
    missing = sorted(set(expected) - set(got))
    if missing:
        return f"These parameters are in no group and are never trained: {', '.join(missing[:3])}."
    wrong, decays, spared = sort(case, got, expected)
    if not wrong:
        return None
    still = [name for name in expected if expected[name] == 0.0]
    if not spared and decays == still:
        if {got[name] for name in still} == {0.01}:
            return "a group without a value does decay"
        return "everything decays"
    if len(wrong) == len(expected):
        return "the groups are exchanged"
    if any(got[name] not in (0.0, case["weight_decay"]) for name in wrong):
        values = sorted(set(got.values()))
        return f"Your groups decay by {values}; 0 and {case['weight_decay']} are asked for."
    if not decays and len(spared) == len(expected) - len(still):
        return "Nothing decays with you. The matrices and tables are to decay."
    biases = [name for name in decays if name.endswith("bias")]
    norms = [name for name in decays if name.endswith("weight")]
    if biases and norms:
        return f"These are to be spared and still decay: {', '.join([norms[0], *biases[:2]])}."
    if biases:
        return "biases decay"
    if norms == [name for name in still if name.endswith("weight")]:
        return "only biases are spared"
    if decays:
        return "a LayerNorm is known by one name only"
    if any("position_bias" in name for name in spared):
        return "“bias” anywhere in the name"
    return "“norm” anywhere in the name"

# %% another right solution
def parameter_groups(model, weight_decay):
    # By kind instead of by name: what a LayerNorm owns, and whatever has one axis only.
    spared = {
        id(parameter)
        for module in model.modules()
        for parameter in module.parameters(recurse=False)
        if isinstance(module, nn.LayerNorm) or parameter.ndim == 1
    }
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    return [
        {"params": [p for p in trained if id(p) in spared], "weight_decay": 0},
        {"params": [p for p in trained if id(p) not in spared], "weight_decay": weight_decay},
    ]

# %% misconception: everything decays
# says: Everything decays by {decay}, also {many} biases and parameters of LayerNorms, such as
# {decays}. These are to be left alone.
# edit: (stays if is_spared else decays) => decays
# %% misconception: a group without a value does decay
# says: The groups are right, but the second one decays by {here}. That is what AdamW takes if a
# group says nothing about it: its default is not zero. Write the 0 down.
# edit: stays, "weight_decay": 0.0 => stays
# %% misconception: the groups are exchanged
# says: It is the other way round with you: {decays} decay, and {spared} do not. Weight decay is for
# the matrices.
# edit: stays if is_spared else decays => decays if is_spared else stays
# %% misconception: a LayerNorm is known by one name only
# says: Still decaying: {norms}, while the LayerNorms of the other name are spared. The pair of
# words `bias` and `LayerNorm.weight` is copied from program to program; where a LayerNorm is called
# `norm` it finds nothing, and says nothing.
# edit: owner in ("norm", "LayerNorm") => owner == "LayerNorm"
# %% misconception: only biases are spared
# says: Still decaying: {norms}. The biases are spared, and a LayerNorm's bias with them, but its
# weight is to be left alone as well: it is one at the start, and near zero it would fade out its
# whole row.
# edit: kind == "bias" or owner in ("norm", "LayerNorm") => kind == "bias"
# %% misconception: biases decay
# says: Still decaying: {decays}. Besides the LayerNorms all biases are to be spared: the last part
# of their name says what they are.
# edit: kind == "bias" or owner in => owner in
# %% misconception: “bias” anywhere in the name
# says: These should decay and do not: {spared}. The word `bias` occurs in the name, but it is a
# table of that name: only the last part, behind the last full stop, says whether a parameter is a
# bias.
# edit: kind == "bias" => "bias" in name
# %% misconception: “norm” anywhere in the name
# says: This should decay and does not: {spared}. The letters `norm` occur in the name, but it is no
# LayerNorm: cut the name at its full stops, and compare the part before the last one as a whole.
# edit: owner in ("norm", "LayerNorm") => "norm" in name.lower()
# %% misconception: frozen parameters are in a group
# says: These are frozen, and in one of your groups all the same: {frozen}. AdamW passes over what
# has no gradient, but whoever counts the trained parameters, or thaws some later, is misled. Look
# at `requires_grad` first.
# edit: if parameter.requires_grad => if True
# %% hints
# 1. Cut each name at its full stops: `name.split(".")`. The last part says what the parameter is, the
# one before it to whom it belongs.
# 2. A parameter is spared if the last part is `bias`, or if the part before is `norm` or `LayerNorm`.
# Go through `model.named_parameters()` and fill two lists.
# %% explanation
# Whole parts of a name are compared, not pieces of text in it: so `position_bias.weight` is a table
# and `norm_gate.weight` a matrix. Tied weights come up once in `named_parameters()`, and so in one
# group only. Both groups write their decay down, since AdamW's own default is 0.01. (minibert asks
# for the number of axes instead, as the second solution does: a name can be changed, a vector stays
# a vector.)

# %% task 10.3: A large batch in parts
# kind: write; points: 17; minutes: 20; function: accumulate
#
# A batch that does not fit into memory is cut into parts; the gradients are added up, and the
# weights move once. Write `accumulate(model, parts)`.
#
# - `model` takes `input_ids` `(b, T)` and returns token logits `(b, T, V)` and pair logits `(b,
#   2)`. You can try with `TwoHeads(vocab_size)` from the first cell.
# - `parts` is a list of dictionaries with `input_ids` `(b, T)`, `labels` `(b, T)`, -100 where
#   nothing is asked, and `next_sentence_label` `(b,)`. The parts may have different `b` and `T`,
#   different numbers of labels, and a part may have **no label at all**.
# - Call `backward()` so that each parameter's `.grad` ends with the gradient that **the whole
#   batch** would have given. Its loss is the sum of two: the mean cross-entropy over all labelled
#   tokens of all parts, and the mean over all pairs of all parts. Return that loss as a number. The
#   gradients are empty at the beginning; do not move the weights.
#
# *Example.* Two parts, with one label that costs 8.0 and with three that cost 4.0 each: the whole
# batch has 20 / 4 = 5.0. The mean of the two means would be 6.0.

# %% stub
def accumulate(model: nn.Module, parts: list[dict[str, Tensor]]) -> float:
    """Leave the whole batch's gradient in the parameters; return the whole batch's loss."""
    # BEGIN SOLUTION
    labelled = sum(int((part["labels"] != -100).sum()) for part in parts)
    pairs = sum(len(part["input_ids"]) for part in parts)
    whole = 0.0
    for part in parts:
        token_logits, pair_logits = model(part["input_ids"])
        mlm = F.cross_entropy(token_logits.mT, part["labels"], reduction="sum") / labelled
        nsp = F.cross_entropy(pair_logits, part["next_sentence_label"], reduction="sum") / pairs
        (mlm + nsp).backward()
        whole += (mlm + nsp).item()
    return whole
    # END SOLUTION

# %% run
def run(function, case):
    torch.manual_seed(case["seed"])
    model = TwoHeads(case["vocab_size"])
    loss = function(model, case["parts"])
    return {
        "loss": loss,
        "gradient": {
            name: torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
            for name, parameter in model.named_parameters()
        },
    }

# %% check
import numpy as np

def cases(rng):
    for asked in ((1, 9, 4), (2, 7), (6, 0, 3)):
        vocab = int(rng.integers(12, 20))
        parts = []
        for number, count in enumerate(asked):
            rows, length = 3 + 2 * number, int(rng.integers(4, 8))
            labels = np.full(rows * length, -100)
            asked_at = rng.choice(len(labels), size=count, replace=False)
            labels[asked_at] = rng.integers(vocab, size=count)
            parts.append(
                {
                    "input_ids": torch.from_numpy(rng.integers(vocab, size=(rows, length))),
                    "labels": torch.from_numpy(labels.reshape(rows, length)),
                    "next_sentence_label": torch.from_numpy(rng.integers(2, size=rows)),
                }
            )
        yield {"parts": parts, "vocab_size": vocab, "seed": int(rng.integers(2**31))}

def flat(gradient):
    return torch.cat([value.flatten() for value in gradient.values()])

def numbers(case, got, expected):
    labels = [int((part["labels"] != -100).sum()) for part in case["parts"]]
    return {
        "mine": flat(got["gradient"]).norm().item(),
        "right": flat(expected["gradient"]).norm().item(), "labels": " and ".join(map(str, labels)),
        "pairs": " and ".join(str(len(part["input_ids"])) for part in case["parts"]),
        "parts": len(labels),
    }

def judge(case, got, expected):
    mine, right = flat(got["gradient"]), flat(expected["gradient"])

    def close(one, other):
        return torch.allclose(one.double(), other.double(), rtol=1e-3, atol=1e-6)

    if mine.isnan().any():
        return "There is NaN in your gradients: something is divided by zero on the way."
    if close(mine, right):
        if got["loss"] is None:
            return "The gradients are right; the loss of the whole batch is to be returned as well."
        loss, want = float(got["loss"]), float(expected["loss"])
        if math.isclose(loss, want, rel_tol=1e-4):
            return None
        if math.isnan(loss):
            return "NaN from a part without labels"
        return (
            f"The gradients are right, but the loss that you return is {loss:.3f}, not {want:.3f}."
        )
    if (mine == 0).all():
        return "All gradients are empty: `backward()` is missing, or a `zero_grad()` follows it."

    # The gradient of each part's two sums. Whatever was computed is some mixture of these.
    torch.manual_seed(case["seed"])
    model, mlm, nsp, labels, pairs = TwoHeads(case["vocab_size"]), [], [], [], []
    weights = list(model.parameters())

    def gradient(loss):
        slopes = torch.autograd.grad(loss, weights, retain_graph=True, allow_unused=True)
        both = zip(weights, slopes, strict=True)
        return torch.cat([torch.zeros(w.numel()) if s is None else s.flatten() for w, s in both])

    for part in case["parts"]:
        token_logits, pair_logits = model(part["input_ids"])
        both = (token_logits.mT, part["labels"]), (pair_logits, part["next_sentence_label"])
        for into, (logits, wanted) in zip((mlm, nsp), both, strict=True):
            into.append(gradient(F.cross_entropy(logits, wanted, reduction="sum")))
        labels.append(max(1, int((part["labels"] != -100).sum())))
        pairs.append(len(pair_logits))
    n, b, k = sum(int((p["labels"] != -100).sum()) for p in case["parts"]), sum(pairs), len(pairs)
    x = [one / count for one, count in zip(mlm, labels, strict=True)]  # the parts' means
    y = [one / count for one, count in zip(nsp, pairs, strict=True)]
    by_labels, by_pairs = [count / n for count in labels], [count / b for count in pairs]

    def mixed(of_x, of_y):
        return sum(a * one for a, one in zip(of_x, x, strict=True)) + sum(
            a * one for a, one in zip(of_y, y, strict=True)
        )

    places = [part["labels"].numel() for part in case["parts"]]
    by_places = [count / sum(places) for count in places]
    even, none, last = [1 / k] * k, [0.0] * k, [0.0] * (k - 1)
    known = [
        ("the mean of the parts' means", (even, even)),
        ("the mean of the parts' means", (even, by_pairs)),
        ("the sum of the parts' means", ([1.0] * k, [1.0] * k)),
        ("everything by tokens", (by_labels, by_labels)),
        ("everything by pairs", (by_pairs, by_pairs)),
        ("the pairs are forgotten", (by_labels, none)), ("the pairs are forgotten", (even, none)),
        ("the tokens are forgotten", (none, by_pairs)),
        ("the pairs part by part", (by_labels, even)),
        ("only the last part is left", ([*last, by_labels[-1]], [*last, by_pairs[-1]])),
        ("only the last part is left", ([*last, 1 / k], [*last, 1 / k])),
        ("only the last part is left", ([*last, 1.0], [*last, 1.0])),
        ("by positions", (by_places, by_places)), ("by positions", (by_places, by_pairs)),
        ("two sums", (labels, pairs)),
        ("one divisor for both", (by_labels, [count / n for count in pairs])),
    ]
    name = next((name for name, shares in known if close(mine, mixed(*shares))), None)
    if name == "the tokens are forgotten":
        return "Your gradient is that of the pairs alone: the tokens have to be in the loss, too."
    if name == "by positions":
        return (
            f"You weigh the parts by all their positions, {' and '.join(map(str, places))}. Most "
            "of these are not asked: a token counts if it has a label."
        )
    if name == "the pairs part by part":
        return (
            "The tokens are right. Of the pairs you take a mean in each part, and then the mean of "
            f"these; but the parts have {' and '.join(map(str, pairs))} pairs."
        )
    return name or (
        f"Your gradient has the length {mine.norm():.3f}, that of the whole batch "
        f"{right.norm():.3f}. Which two numbers does the whole batch divide by?"
    )

# %% another right solution
def accumulate(model, parts):
    # Means of the parts, each weighted by its fraction of the whole, and one backward pass for all.
    counts = torch.tensor([(part["labels"] != -100).sum().item() for part in parts])
    rows = torch.tensor([part["labels"].shape[0] for part in parts])
    shares = counts / counts.sum(), rows / rows.sum()
    total = torch.zeros(())
    for part, of_tokens, of_pairs in zip(parts, *shares):
        tokens, pairs = model(part["input_ids"])
        if of_tokens > 0:
            mlm = F.cross_entropy(tokens.flatten(0, 1), part["labels"].flatten())
            total = total + of_tokens * mlm
        total = total + of_pairs * F.cross_entropy(pairs, part["next_sentence_label"])
    total.backward()
    return total

# %% misconception: the mean of the parts' means
# says: Your gradient has the length {mine:.3f}, that of the whole batch {right:.3f}. You take the
# mean in each part and then the mean of the {parts} parts. They have {labels} labels, so that a
# token in a part with few labels counts for more than one elsewhere. Divide by the number of labels
# in all parts.
# edit: / labelled => / (part["labels"] != -100).sum().clamp(min=1) / len(parts)
# edit: / pairs => / len(pair_logits) / len(parts)
# %% misconception: the sum of the parts' means
# says: Your gradient has the length {mine:.3f}, that of the whole batch {right:.3f}. `backward()`
# adds to what is there, and you add up {parts} means: the more parts a batch is cut into, the
# larger the step. The whole batch has one mean.
# edit: / labelled => / (part["labels"] != -100).sum().clamp(min=1)
# edit: / pairs => / len(pair_logits)
# %% misconception: everything by tokens
# says: Your gradient has the length {mine:.3f}, that of the whole batch {right:.3f}. The tokens are
# weighted rightly, by {labels} labels, but you give the pairs the same weights. There are {pairs}
# pairs in the parts, and each of them counts alike: the second loss needs fractions of its own.
# edit: / pairs => / len(pair_logits) * (part["labels"] != -100).sum() / labelled
# %% misconception: everything by pairs
# says: Your gradient has the length {mine:.3f}, that of the whole batch {right:.3f}. You weigh each
# part by its pairs, {pairs}. For the second loss that is right. The first is a mean over labelled
# tokens, and of these the parts have {labels}.
# edit: / labelled => / (part["labels"] != -100).sum().clamp(min=1) * len(pair_logits) / pairs
# %% misconception: NaN from a part without labels
# says: The gradients are right, but the loss that you return is NaN. A part without labels has no
# mean: its loss is 0 / 0, and zero times NaN is still NaN, in this sum and in every mean of the log
# that it enters. Take the sum over a part, which is 0 there, and divide by the labels of the whole
# batch.
# - mlm = F.cross_entropy(token_logits.mT, part["labels"], reduction="sum") / labelled
# + mlm = F.cross_entropy(token_logits.mT, part["labels"])
# + mlm = mlm * (part["labels"] != -100).sum() / labelled
# %% misconception: the pairs are forgotten
# says: Your gradient has the length {mine:.3f}, that of the whole batch {right:.3f}: nothing goes
# back from the pairs, and their head gets no gradient at all. The loss is the sum of both
# exercises.
# edit: / pairs => * 0
# %% misconception: only the last part is left
# says: Your gradient has the length {mine:.3f}, that of the whole batch {right:.3f}: it is that of
# the last part alone. Are the gradients cleared inside the loop, or is `backward()` called only
# behind it, on the last loss? They are to add up over all {parts} parts.
# - token_logits, pair_logits = model(part["input_ids"])
# + model.zero_grad()
# + token_logits, pair_logits = model(part["input_ids"])
# %% misconception: two sums
# says: Your gradient has the length {mine:.3f}, that of the whole batch {right:.3f}. You add up all
# losses and divide by nothing. Both exercises are means: over all labelled tokens, {labels}, and
# over all pairs, {pairs}.
# edit: "sum") / labelled => "sum")
# edit: "sum") / pairs => "sum")
# %% misconception: one divisor for both
# says: Your gradient has the length {mine:.3f}, that of the whole batch {right:.3f}. Both sums are
# divided by the number of labelled tokens. The pairs, {pairs}, are fewer or more than these,
# {labels}: their mean has a divisor of its own.
# edit: / pairs => / labelled
# %% hints
# 1. Two numbers have to be known before the first part is read: how many labels all parts have
# together, and how many pairs.
# 2. In each part take sums (`reduction="sum"`) and divide by the numbers of the whole batch. Gradients
# add up by themselves: `backward()` adds to what is in `.grad`.
# 3. `mlm = F.cross_entropy(token_logits.mT, labels, reduction="sum") / labelled`, the same for the
# pairs with `/ pairs`, and `(mlm + nsp).backward()` inside the loop.
# %% explanation
# A mean over the whole batch is the sum over all parts, divided once by the whole batch's count.
# The two exercises count different things, tokens and pairs, so each has its own divisor. With sums
# a part without labels adds an honest zero. The gradient of a sum is the sum of the gradients,
# which is why the parts can be read one after the other, and why both losses can go back at once.

# %% task 10.4: One step, three mistakes
# kind: repair; points: 13; minutes: 10; function: update
#
# `update(model, optimizer, parts, limit)` takes **one** step with a batch that comes in parts, each
# a tuple of inputs and targets, all of the same size. The loss is the mean squared error over the
# whole batch, and before the step the batch's gradient is cut down to the length `limit` if it is
# longer. What was in `.grad` before, from the last update, must not count.
#
# The version below contains three mistakes. With AdamW, which divides by the usual size of the
# gradients, the loss falls all the same, so they are rarely found. Mend them.
#
# *Example.* Two parts have the gradients 3 and 1. Their mean is 2, and with `limit=1.5` the step is
# taken with 1.5.

# %% stub
def update(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    parts: list[tuple[Tensor, Tensor]],
    limit: float,
) -> None:
    """One step of the optimizer on a batch in parts."""
    # BEGIN STUB
    for inputs, targets in parts:
        optimizer.zero_grad()
        loss = F.mse_loss(model(inputs), targets)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), limit)
    optimizer.step()
    # END STUB
    # BEGIN SOLUTION
    optimizer.zero_grad()
    for inputs, targets in parts:
        (F.mse_loss(model(inputs), targets) / len(parts)).backward()
    nn.utils.clip_grad_norm_(model.parameters(), limit)
    optimizer.step()
    # END SOLUTION

# %% run
def run(function, case):
    torch.manual_seed(case["seed"])
    model = nn.Linear(case["width"], 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    steps = []
    for batch in case["batches"]:
        function(model, optimizer, [tuple(part) for part in batch], case["limit"])
        steps.append(torch.cat([p.detach().flatten() for p in model.parameters()]).clone())
    return torch.stack(steps)

# %% check
def cases(rng):
    width = 4
    for limit, updates in ((1e6, 1), (1e6, 3), (0.5, 3)):

        def part():
            x = torch.from_numpy(rng.normal(size=(5, width))).float()
            return x, torch.from_numpy(rng.normal(size=(5, 1)) + rng.choice([-2, 2])).float()

        batches = [[part() for _ in range(3)] for _ in range(updates)]
        yield {
            "batches": batches, "width": width, "limit": limit, "seed": int(rng.integers(2**31)),
        }

def simulate(case, clear="first", divide=True, cut="whole", step="once"):
    """The weights after each update of one of the versions, right or wrong."""

    def version(model, optimizer, parts, limit):
        if clear == "first":
            optimizer.zero_grad()
        for inputs, targets in parts:
            if clear == "each":
                optimizer.zero_grad()
            loss = F.mse_loss(model(inputs), targets)
            (loss / len(parts) if divide else loss).backward()
            if cut == "each":
                nn.utils.clip_grad_norm_(model.parameters(), limit)
            if step == "each":
                optimizer.step()
        if cut == "whole":
            nn.utils.clip_grad_norm_(model.parameters(), limit)
        if step == "once":
            optimizer.step()

    torch.manual_seed(case["seed"])
    model = nn.Linear(case["width"], 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    steps = []
    for batch in case["batches"]:
        version(model, optimizer, batch, case["limit"])
        steps.append(torch.cat([p.detach().flatten() for p in model.parameters()]).clone())
    return torch.stack(steps)

def numbers(case, got, expected):
    torch.manual_seed(case["seed"])
    model = nn.Linear(case["width"], 1)
    start = torch.cat([p.detach().flatten() for p in model.parameters()])
    return {
        "mine": (got[0] - start).norm().item(), "right": (expected[0] - start).norm().item(),
        "later": (got[-1] - got[-2]).norm().item() if len(got) > 1 else 0.0,
        "right_later": (expected[-1] - expected[-2]).norm().item() if len(got) > 1 else 0.0,
        "limit": case["limit"], "length": (got[0] - start).norm().item() / 0.1,
        "apart": (got[0] - expected[0]).norm().item(), "parts": len(case["batches"][0]),
    }

def judge(case, got, expected):
    def alike(other):
        return torch.allclose(got.double(), other.double(), rtol=1e-4, atol=1e-5)

    if alike(expected):
        return None
    torch.manual_seed(case["seed"])
    start = torch.cat([p.detach().flatten() for p in nn.Linear(case["width"], 1).parameters()])
    if (got == start).all():
        return "the weights do not move"
    for clear in ("each", "first", "never"):
        for divide in (True, False):
            if alike(simulate(case, clear, divide, "each", "each")):
                return "a step for each part"
    for cut in ("whole", "each", "never"):
        for divide in (True, False):
            if alike(simulate(case, "each", divide, cut)):
                return "the parts before the last are thrown away"
        if alike(simulate(case, "first", False, cut)):
            return "the parts are added, not averaged"
        for divide in (True, False):
            if alike(simulate(case, "never", divide, cut)):
                return "old gradients are never cleared"
    if alike(simulate(case, cut="each")):
        return "each part is cut for itself"
    if alike(simulate(case, cut="never")):
        return "the cut has no effect"
    cut = f", cut to {case['limit']}" if case["limit"] < 100 else ""
    return (
        "The weights after the update are not those of one step with the mean gradient of the "
        f"whole batch{cut}."
    )

# %% another right solution
def update(model, optimizer, parts, limit):
    # All parts have the same size: the batch is put together again, and cut by hand.
    inputs = torch.cat([x for x, _ in parts])
    targets = torch.cat([y for _, y in parts])
    loss = ((model(inputs) - targets) ** 2).mean()
    slopes = torch.autograd.grad(loss, list(model.parameters()))
    length = sum(slope.square().sum() for slope in slopes).sqrt()
    for parameter, slope in zip(model.parameters(), slopes):
        parameter.grad = slope * min(1.0, limit / (length.item() + 1e-6))
    optimizer.step()

# %% misconception: the parts before the last are thrown away
# says: One update moves your weights by {mine:.3f}; {right:.3f} is expected. The gradients are
# cleared before every part, so that only the last of {parts} parts is left when the step is taken.
# The others were computed for nothing. When do the old gradients have to go?
# - (F.mse_loss(model(inputs), targets) / len(parts)).backward()
# + optimizer.zero_grad()
# + F.mse_loss(model(inputs), targets).backward()
# %% misconception: the parts are added, not averaged
# says: One update moves your weights by {mine:.3f}; {right:.3f} is expected. All parts count now,
# but the {parts} means are added up. The mean over the whole batch, with parts of the same size, is
# the mean of their means.
# edit: (F.mse_loss(model(inputs), targets) / len(parts)) => F.mse_loss(model(inputs), targets)
# %% misconception: old gradients are never cleared
# says: The first update is right, the third moves your weights by {later:.3f} instead of
# {right_later:.3f}: the gradients of the earlier updates are still in it. Once for each update they
# have to be cleared.
# - optimizer.zero_grad()
# %% misconception: the weights do not move
# says: Your weights do not move at all. Are the gradients cleared just before the step? Then the
# optimizer finds none. Clear them before the first part, or after the step.
# - optimizer.step()
# + optimizer.zero_grad()
# + optimizer.step()
# %% misconception: a step for each part
# says: One update moves your weights by {mine:.3f}; {right:.3f} is expected. You take a step after
# each part, {parts} in all: that is a training with small batches, and the later parts already see
# other weights. Here one step is taken, when all parts are in the gradient.
# - (F.mse_loss(model(inputs), targets) / len(parts)).backward()
# - nn.utils.clip_grad_norm_(model.parameters(), limit)
# - optimizer.step()
# + optimizer.zero_grad()
# + F.mse_loss(model(inputs), targets).backward()
# + nn.utils.clip_grad_norm_(model.parameters(), limit)
# + optimizer.step()
# %% misconception: each part is cut for itself
# says: Where nothing has to be cut you are right. With the limit {limit} your first update ends
# {apart:.3f} away from the right place. You cut inside the loop, where only some of the parts are
# in the gradient: what came early is shortened before the rest is there, and counts for less. What
# is to be cut is the gradient of the whole batch, once.
# - nn.utils.clip_grad_norm_(model.parameters(), limit)
# +     nn.utils.clip_grad_norm_(model.parameters(), limit)
# %% misconception: the cut has no effect
# says: Where nothing has to be cut you are right. With the limit {limit} your first step still uses
# a gradient of the length {length:.2f}. Is the cut missing, or does it come after the step?
# - nn.utils.clip_grad_norm_(model.parameters(), limit)
# - optimizer.step()
# + optimizer.step()
# + nn.utils.clip_grad_norm_(model.parameters(), limit)
# %% hints
# 1. Write down what is in `.grad` after each line, for the two parts of the example, with the
# gradients 3 and 1.
# 2. Which of the five lines belong to a part, and which to the whole update? And what do two means
# have to be divided by, so that their sum is the mean of all?
# 3. Clear once before the loop; in the loop divide the loss by `len(parts)` and go back; cut once
# after the loop; then step.
# %% explanation
# A gradient is cleared once for each update, filled part by part, and cut when it is whole. Each
# part's mean enters with the weight one over the number of parts. That holds for parts of the same
# size; where a loss counts tokens, and the parts have different numbers of them, it takes the
# fractions of task 10.3.

# %% task 10.5: What a training costs
# kind: predict; points: 12; minutes: 15; function: predict
#
# A pre-training is told to you in a few numbers. Check it **by arithmetic**. A product of `(n, a)`
# with `(a, b)` takes $n a b$ multiplications and as many additions. For **each token** the forward
# pass takes:
#
# - in each of `layers` layers: four products with a square matrix of `width` by `width`, two with
#   one of `width` by `inner` (or `inner` by `width`), and attention over the `length` positions of
#   the sequence: scores and average are `length * width` multiplications each;
# - at the fraction `asked` of the tokens the head: one product with a square matrix, and one with
#   the `width` by `vocab` output matrix.
#
# All else counts nothing. The backward pass costs twice the forward pass. `plan` is a list of
# `(steps, length)`: so many steps with full sequences of that length, `batch` sequences each.
# Return a dictionary:
#
# - `"tokens"`: how many tokens the training goes through;
# - `"rounds"`: how often it goes through a corpus of `words` words, if a word makes `pieces`
#   tokens;
# - `"operations"`: additions and multiplications, forward and backward, of the whole training;
# - `"used"`: the fraction of `chips` chips' peak, `peak` operations a second each, that was used if
#   it took `days` days.
#
# *Example.* `layers=1, width=2, inner=8, vocab=10, asked=0.5, batch=2, plan=[(10, 4)], words=20,
# pieces=2.0, chips=1, peak=1.0, days=1`: 80 tokens are 2 rounds. Forward, a token takes 2 · (16 +
# 32 + 16) in the layer and 0.5 · 2 · (4 + 20) in the head, 152 together; all is 80 · 3 · 152 =
# 36,480. A day has 86,400 seconds: used is 0.422.

# %% stub
def predict(
    layers: int,
    width: int,
    inner: int,
    vocab: int,
    asked: float,
    batch: int,
    plan: list[tuple[int, int]],
    words: float,
    pieces: float,
    chips: int,
    peak: float,
    days: float,
) -> dict:
    """Tokens, rounds, operations, and the fraction of the chips' peak."""
    # BEGIN SOLUTION
    tokens, operations = 0, 0.0
    for steps, length in plan:
        layer = 4 * width * width + 2 * width * inner + 2 * length * width
        head = width * width + width * vocab
        forward = 2 * (layers * layer + asked * head)
        tokens += steps * batch * length
        operations += steps * batch * length * 3 * forward
    return {
        "tokens": tokens,
        "rounds": tokens / (words * pieces),
        "operations": operations,
        "used": operations / (chips * peak * days * 24 * 3600),
    }
    # END SOLUTION

# %% check
def cases(rng):
    yield {
        "layers": 1, "width": 2, "inner": 8, "vocab": 10, "asked": 0.5, "batch": 2,
        "plan": [(10, 4)], "words": 20, "pieces": 2.0, "chips": 1, "peak": 1.0, "days": 1,
    }
    bert = {"layers": 12, "width": 768, "inner": 3072, "vocab": 30522, "asked": 0.15, "batch": 256}
    bert |= {"plan": [(900_000, 128), (100_000, 512)], "words": 3.3e9, "pieces": 1.3}
    yield {**bert, "chips": 16, "peak": 46e12, "days": 4}  # BERT-Base itself
    for _ in range(2):
        width = 64 * int(rng.integers(2, 9))
        yield {
            "layers": int(rng.integers(2, 9)),
            "width": width,
            "inner": 3 * width,
            "vocab": int(rng.integers(2000, 9000)),
            "asked": float(rng.choice([0.1, 0.2, 0.25])),
            "batch": int(rng.choice([24, 32, 48])),
            "plan": [
                (int(rng.integers(5000, 9000)), 64),
                (int(rng.integers(1000, 3000)), 32 * int(rng.integers(8, 16))),
            ],
            "words": float(rng.integers(2, 9)) * 1e6,
            "pieces": round(float(rng.uniform(1.2, 1.6)), 2),
            "chips": int(rng.integers(2, 5)),
            "peak": 1e12,
            "days": round(float(rng.uniform(0.2, 2)), 2),
        }

def numbers(case, got, expected):
    return {
        **case, **{f"my_{key}": value for key, value in got.items()},
        **{f"right_{key}": value for key, value in expected.items()},
        "times": expected["operations"] / got["operations"],
        "phases": " and ".join(str(length) for _, length in case["plan"]),
    }

# %% another right solution
def predict(layers, width, inner, vocab, asked, batch, plan, words, pieces, chips, peak, days):
    # Counted for whole sequences, matrix by matrix.
    matrices = layers * [(width, width)] * 4 + layers * [(width, inner), (inner, width)]
    head = [(width, width), (width, vocab)]
    forward = tokens = 0
    for steps, length in plan:
        sequences = steps * batch
        products = sum(length * a * b for a, b in matrices)
        products += layers * 2 * length * length * width
        products += sum(asked * length * a * b for a, b in head)
        forward += sequences * 2 * products
        tokens += sequences * length
    seconds = 86_400 * days
    return {
        "tokens": float(tokens),
        "rounds": tokens / pieces / words,
        "operations": forward + 2 * forward,
        "used": 3 * forward / seconds / chips / peak,
    }

# %% misconception: additions forgotten
# says: You count {my_operations:.4g} operations; {right_operations:.4g} are expected, twice as
# many. Each product of two numbers is also added to a sum: a product of matrices takes as many
# additions as multiplications.
# edit: 2 * (layers => (layers
# %% misconception: the backward pass counted once
# says: You count {my_operations:.4g} operations; {right_operations:.4g} are expected. The backward
# pass costs twice the forward pass, for each product has two gradients, one for the matrix and one
# for what went in. Both passes together are three, not two.
# edit: 3 * forward => 2 * forward
# %% misconception: forward only
# says: You count {my_operations:.4g} operations, a third of {right_operations:.4g}. That is the
# forward pass alone. A training step also has a backward pass, which costs twice as much.
# edit: 3 * forward => forward
# %% misconception: attention left out
# says: You count {my_operations:.4g} operations; {right_operations:.4g} are expected. The six
# matrices of a layer are there, and attention is missing: each token is compared with all positions
# of its sequence, and mixes all of their values.
# edit: 2 * width * inner + 2 * length * width => 2 * width * inner
# %% misconception: the head at every token
# says: You count {my_operations:.4g} operations; {right_operations:.4g} are expected. You send
# every token through the head, but only the fraction {asked} of them is asked. With a large
# vocabulary that makes a difference.
# edit: asked * head => head
# %% misconception: an average length
# says: You count {my_operations:.5g} operations; {right_operations:.5g} are expected. The tokens
# are right, but for attention you take one average length for all. A long sequence has more tokens,
# and each of them costs more as well; an average of the lengths cannot know that the two go
# together. Go through {phases} one by one.
# - for steps, length in plan:
# + steps = sum(count for count, _ in plan)
# + for length in [sum(count * long for count, long in plan) / steps]:
# %% misconception: one sequence a step
# says: You count {my_tokens:,} tokens; {right_tokens:,} are expected. A step reads a whole batch of
# {batch} sequences, not one.
# edit: tokens += steps * batch => tokens += steps
# edit: operations += steps * batch => operations += steps
# %% misconception: words taken for tokens
# says: You count {my_rounds:.3f} rounds; {right_rounds:.3f} are expected. You divide tokens by
# words, two different units: a word makes {pieces} tokens here, so the corpus is longer in tokens
# than in words. (It is the kind of mistake that made characters of BERT's 3.3 billion words.)
# edit: (words * pieces) => words
# %% misconception: one chip
# says: Your fraction of the peak is {my_used:.4g}; {right_used:.4g} is expected. `peak` is that of
# one chip, and {chips} of them worked.
# edit: (chips * peak => (peak
# %% hints
# 1. Begin with the forward pass of one token, and check the 152 of the example. How many
# multiplications does a product of one row with an `(a, b)` matrix take?
# 2. `layer = 4 * width * width + 2 * width * inner + 2 * length * width`, and the head in the same
# manner, times `asked`. All of it twice for the additions, and three times for both passes.
# 3. Go through `plan` with a loop: tokens are `steps * batch * length`, and the cost of a token
# depends on the length.
# %% explanation
# One row times a matrix costs two operations for each number in the matrix: so the work of a layer
# is about twice its parameters, and three times that for both passes, which is the rule of six
# operations for each parameter and token. Attention comes on top and grows with the length. For
# BERT-Base this gives 2.4e19 operations, so that four days on 16 chips of the second generation
# used about a tenth of their peak, and about ten rounds over the text.
# %% free choices
# - `0, 0.0` => `0, 1.0`: one operation of many millions of millions

# %% task 10.6: Project: what neither side knows alone
# kind: project; points: 18; minutes: 30; function: predict_masked; seconds: 60
#
# The project of part II: a masked language model of your own, for a language of which you know
# nothing. Its tokens are the ids `0` to `tokens - 1`; a text is a row of `T` of them, `T` odd. At
# the even places 0, 2, 4, … stands what the speaker likes, some tokens more often than others. Each
# token **between** two of these is decided by them: it needs the left **and** the right neighbour.
# As in any language, tokens come in kinds: two of a kind mean the same to the rule. Kinds and rule
# are hidden in the texts, and when your work is graded they are others.
#
# Write `predict_masked(texts, questions, tokens)`. `texts` `(N, T)` are whole; mask the tokens for
# training yourself. Each row of `questions` `(M, T)` has the id `tokens`, a `[MASK]`, at one odd
# place. Return what belongs there, ids `(M,)`. You pass with **95 %**. The two neighbours of a mask
# **stand beside each other in none of the texts**: a list of what was seen between two tokens has
# no answer. One CPU core needs one second with two small tables and one hidden layer; a small
# encoder with attention can do it, too. Whoever looks to the left alone is right in four of ten.
#
# *Example.* With the rule “the middle one is the left one plus twice the right one, counted modulo
# 5”, and every token of a kind of its own, a text could be `[1, 2, 3, 1, 4]`, since 1 + 2 · 3 = 7
# is 2, and 3 + 2 · 4 = 11 is 1. For the question `[1, 5, 3, 1, 4]` the answer is 2. (The real rules
# need not be sums of any kind.)

# %% stub
def predict_masked(texts: Tensor, questions: Tensor, tokens: int) -> Tensor:
    """Train on whole texts; predict the masked token of each question: ids (M,)."""
    # BEGIN SOLUTION
    torch.manual_seed(0)
    left, right = nn.Embedding(tokens, 32), nn.Embedding(tokens, 32)
    to_logits = nn.Linear(32, tokens)

    def forward(rows: Tensor, row: Tensor, place: Tensor) -> Tensor:
        hidden = left(rows[row, place - 1]) + right(rows[row, place + 1])
        return to_logits(F.gelu(hidden))  # (n, tokens)

    modules = nn.ModuleList([left, right, to_logits])
    optimizer = torch.optim.AdamW(modules.parameters(), lr=0.05)
    for step in range(150):
        row = torch.randint(len(texts), (256,))
        spot = 2 * torch.randint(texts.shape[1] // 2, (256,)) + 1
        loss = F.cross_entropy(forward(texts, row, spot), texts[row, spot])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    row, spot = (questions == tokens).nonzero().T
    with torch.no_grad():
        return forward(questions, row, spot).argmax(-1)
    # END SOLUTION

# %% check
import numpy as np

def cases(rng):
    kinds, each, length, count = 6, 5, 9, 3000
    tokens = kinds * each
    # A Latin square: either neighbour alone leaves all answers open. Not a symmetric one.
    symmetric = True
    while symmetric:
        order = rng.permutation(kinds)[:, None], rng.permutation(kinds)[None, :]
        rule = rng.permutation(kinds)[(order[0] + order[1]) % kinds]
        symmetric = (rule == rule.T).mean() > 0.4
    ids = rng.permutation(tokens).reshape(kinds, each)  # the tokens of each kind
    kind, number = np.nonzero(ids == np.arange(tokens)[:, None, None])[1:]
    rule = ids.max(1)[rng.permutation(kinds)][rule]  # no answer is 0, as that of an empty list
    chances = np.full(kinds, 0.6 / (kinds - 1))
    chances[rng.integers(kinds)] = 0.4
    is_new = (number[:, None] + number) % each == 0  # neighbours that are kept for the questions

    def draw(rows):
        return rng.choice(tokens, size=(rows, length), p=chances[kind] / each)

    def decide(rows):
        rows[:, 1::2] = rule[kind[rows[:, 0:-1:2]], kind[rows[:, 2::2]]]
        return rows

    texts = draw(count)
    for place in range(2, length, 2):
        while (bad := is_new[texts[:, place - 2], texts[:, place]]).any():
            texts[bad, place] = draw(bad.sum())[:, 0]
    # Three questions belong together: the second has the left side of the first, the third its
    # right side. So the answers say who looks only to one of them.
    spot, place, row = 2 * rng.integers(length // 2, size=200) + 1, np.arange(length), np.arange(200)
    first, left, right = draw(200), draw(200), draw(200)
    left = np.where(place < spot[:, None], first, left)
    for one, other, side in ((first, 1, -1), (left, 1, -1), (right, -1, 1)):
        if one is right:
            right[:] = np.where(place > spot[:, None], first, right)
        beside = one[row, spot + side]  # whoever stands opposite has never stood beside it
        one[row, spot + other] = ids[kind[one[row, spot + other]], -number[beside] % each]
    questions, spot = decide(np.concatenate([first, left, right])), np.tile(spot, 3)
    row = np.arange(len(questions))
    answers = questions[row, spot].copy()
    questions[row, spot] = tokens
    yield (
        {
            "texts": torch.from_numpy(decide(texts)), "questions": torch.from_numpy(questions),
            "tokens": tokens,
        },
        {
            "answers": torch.from_numpy(answers), "kind": torch.from_numpy(kind),
            "rule": torch.from_numpy(rule),
        },
    )

def share_of(got, expected):
    return (got == expected).double().mean().item()

def numbers(case, got, expected):
    common = int(torch.bincount(got.long().clamp(0, case["tokens"])).argmax())
    return {"share": share_of(got, expected["answers"]), "common": common, "mask": case["tokens"]}

def judge(case, got, expected):
    if got is None:
        return "Your function returns nothing: is there a `return`?"
    got, answers, kind, rule = torch.as_tensor(got), *(expected[k] for k in ("answers", "kind", "rule"))
    if tuple(got.shape) != tuple(answers.shape):
        want, have = tuple(answers.shape), tuple(got.shape)
        return f"One id for each question is expected, shape {want}; your result has {have}."
    got = got.long()
    share = share_of(got, answers)
    if share >= 0.95:
        return None
    tokens, questions, texts = case["tokens"], case["questions"], case["texts"]
    row, spot = (questions == tokens).nonzero().T
    left, right = questions[row, spot - 1], questions[row, spot + 1]
    if share_of(got, torch.full_like(got, tokens)) > 0.5:
        return "answers with the mask"

    if got.min() < 0 or got.max() >= tokens:
        return f"Ids run from 0 to {tokens - 1}; yours from {got.min()} to {got.max()}."
    if got.bincount().max() > 0.9 * len(got):
        never = texts[:, 1::2].flatten().bincount(minlength=tokens)[got.mode().values] == 0
        return "a list of what was seen" if never else "the same answer everywhere"
    before, behind = kind[left], kind[right]
    if share_of(got, rule[behind, before]) > 0.9:
        return "left and right exchanged"
    for place in range(1, texts.shape[1], 2):
        beside = kind[questions[:, [place - 1, place + 1]].clamp(max=tokens - 1)]
        if share_of(got, rule[beside[:, 0], beside[:, 1]]) > 0.9:
            return "always the same place"
    first, same_left, same_right = got.view(3, -1)
    beside, other, _ = right.view(3, -1)
    if share_of(first[other != beside], same_left[other != beside]) > 0.9:
        return "only what is left"
    beside, _, other = left.view(3, -1)
    if share_of(first[other != beside], same_right[other != beside]) > 0.9:
        return "only what is right"
    said, truth = torch.full((tokens, tokens), -1), rule[kind[:, None], kind]
    said[left, right] = got
    turned = (said >= 0) & (said.mT >= 0) & (truth != truth.mT)
    if share_of(said[turned], said.mT[turned]) > 0.9:
        return "both neighbours, but not which is which"
    # Added votes: any two tables whose sums give just these answers.
    votes = [torch.zeros(tokens, tokens, requires_grad=True) for _ in range(2)]
    optimizer = torch.optim.Adam(votes, lr=0.3)
    for _ in range(300):
        added = votes[0][left] + votes[1][right]
        optimizer.zero_grad()
        F.multi_margin_loss(added, got).backward()
        optimizer.step()
    if share > 0.3 and share_of(got, (votes[0][left] + votes[1][right]).argmax(-1)) > 0.97:
        return "each side votes for itself"
    if share < 0.25:
        return (
            f"{share:.0%} are right on new questions, about what guessing gives. Was the answer "
            "itself in view while you trained? Then your model has learned to copy it: in training "
            "the place that is asked for has to be masked, too. And do the neighbours of the mask "
            "reach the model?"
        )
    if share > 0.7:
        return (
            f"{share:.0%} are right on new questions; 95 % are needed. Most of the rule is found. "
            "Do you mask odd places only, as the questions do? What stands at an even place "
            "nobody can know. Otherwise train longer, or with more masked tokens in a batch."
        )
    return (
        f"{share:.0%} are right on new questions; 95 % are needed. Do both neighbours of the mask "
        "reach your model, and does it know which is which? Is there a layer that is not linear, "
        "where they meet before the logits? Then train longer, or look at the hints."
    )

# %% another right solution
def predict_masked(texts, questions, tokens):
    # Each side is given as a one-hot row, and one hidden layer lets the two meet.
    torch.manual_seed(1)
    net = nn.Sequential(nn.Linear(2 * tokens, 128), nn.ReLU(), nn.Linear(128, tokens))
    triples = texts.unfold(1, 3, 2).flatten(0, 1)
    optimizer = torch.optim.Adam(net.parameters(), lr=0.01)

    def forward(left, right):
        return net(torch.cat([F.one_hot(left, tokens), F.one_hot(right, tokens)], 1).float())

    for _ in range(200):
        left, middle, right = triples[torch.randint(len(triples), (512,))].T
        loss = F.cross_entropy(forward(left, right), middle)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    row, spot = (questions == tokens).nonzero().T
    return forward(questions[row, spot - 1], questions[row, spot + 1]).argmax(-1)

# %% misconception: only what is left
# says: {share:.0%} are right, and your answer stays the same whatever stands to the right of the
# mask. More training will not help: what is left of it leaves all answers open, and a reader from
# left to right can only bet on the commonest right neighbour. Let your model see what follows the
# mask as well.
# edit: left(rows[row, place - 1]) + right(rows[row, place + 1]) => left(rows[row, place - 1])
# %% misconception: only what is right
# says: {share:.0%} are right, and your answer stays the same whatever stands to the left of the
# mask. The rule needs the left neighbour, too: with one of the two every answer is still possible.
# edit: left(rows[row, place - 1]) + right(rows[row, place + 1]) => right(rows[row, place + 1])
# %% misconception: both neighbours, but not which is which
# says: {share:.0%} are right. Your model sees both neighbours, but gives the same answer when they
# change places: if their vectors come from one table and are added, nothing tells left from right.
# Give each side a table of its own, or add positions.
# edit: right(rows[row, place + 1]) => left(rows[row, place + 1])
# %% misconception: each side votes for itself
# says: {share:.0%} are right. Both sides are there, but all your answers can be had by letting each
# vote on its own and adding the votes, as if two one-way readers were asked. What the right
# neighbour means depends on the left one. The two have to meet in a layer that is not linear,
# before the logits (and if there is one, it needs more training).
# edit: F.gelu(hidden) => hidden
# %% misconception: left and right exchanged
# says: {share:.0%} are right, and nearly all of your answers would be if left and right changed
# places. In the questions you read the neighbours in another order than in the texts.
# - return forward(questions, row, spot).argmax(-1)
# + return forward(questions.flip(1), row, questions.shape[1] - 1 - spot).argmax(-1)
# %% misconception: always the same place
# says: {share:.0%} are right. Your model has learned the rule, and answers for one and the same
# place in every question. The mask stands elsewhere in each: `(questions == tokens).nonzero()`
# finds it.
# edit: forward(questions, row, spot) => forward(questions, row, torch.ones_like(spot))
# %% misconception: the same answer everywhere
# says: {share:.0%} are right: nearly all of your answers are {common}, whatever stands around the
# mask. Either nothing of the context reaches the logits, or the answer was in view while you
# trained. Then your model has learned to copy it, and behind a mask there is nothing to copy.
# - torch.manual_seed(0)
# + return torch.full((len(questions),), int(texts[:, 1::2].flatten().bincount().argmax()))
# %% misconception: answers with the mask
# says: Most of your answers are {mask}, the `[MASK]` itself. Your model repeats what it sees. The
# label of a masked token is what stood there before it was masked, and the mask is never an answer.
# edit: torch.manual_seed(0) => return torch.full((len(questions),), tokens)
# %% misconception: a list of what was seen
# says: {share:.0%} are right: nearly all of your answers are {common}, which stands at no odd place
# of any text. Do you count what was seen between two tokens, and find nothing? The two neighbours
# of these masks stand together in none of the texts. Tokens of one kind mean the same: a vector for
# each token can learn that, a list of pairs cannot.
# - torch.manual_seed(0)
# + seen = torch.zeros(tokens, tokens, tokens)
# + for text in texts.tolist():
# +     for left, middle, right in zip(text[0::2], text[1::2], text[2::2]):
# +         seen[left, right, middle] += 1
# + row, spot = (questions == tokens).nonzero().T
# + return seen[questions[row, spot - 1], questions[row, spot + 1]].argmax(-1)
# %% hints
# 1. To mask a token for training, choose a text and an odd place in it: the label is what stands
# there, and the input is what stands on both sides. You can have thousands of these.
# 2. Two tables of vectors, one for the left neighbour and one for the right, so that the model can
# tell them apart. Add the two vectors, bend the sum (`F.gelu`), and let a linear layer make logits
# of it.
# 3. AdamW with a learning rate of 0.05, batches of 256 masked tokens, 150 steps, cross-entropy. In
# a question the mask is found by `row, spot = (questions == tokens).nonzero().T`.
# %% explanation
# The two tables tell left from right, and the bend between the sum and the logits lets the two
# sides meet: without it each side could only add its own votes, and no such sum fits a rule in
# which every left neighbour leaves every answer open. This is what a masked model can do and a
# reader from left to right cannot, however long it is trained. And a token's vector is learned from
# all texts that it stands in, so that tokens of one kind come to lie together: that is why the model
# has an answer for neighbours that it has never seen side by side, where a list of pairs has none.
# %% free choices
# - `torch.manual_seed(0)`, `nn.Embedding(tokens, 32), nn.Embedding(tokens, 32)`, `nn.Linear(32, tokens)`,
#   `lr=0.05`, `range(150)`, `(256,)`, `optimizer.zero_grad()`: any start, width and rate that learn
# - `texts.shape[1] // 2`, ` + right(` => ` - right(`: some odd places will do, and either sign

# %% task 10.7: AdamW's step, from its parts
# kind: write; points: 15; minutes: 15; function: adamw_step; tolerance: 0.00001
# without: optim, AdamW, Adam, NAdam, RAdam, SparseAdam, adamw, _foreach_addcdiv_, _fused_adamw_
#
# Nobody has looked into the optimizer so far. Write `adamw_step(weight, gradient, state, rate,
# decay, betas, eps)`: one step of AdamW for one `weight`, which is changed **in place** (so that
# the model has the new numbers). Nothing is returned. With $g$ the gradient, $w$ the weight and $t$
# the number of the step, counted from 1:
#
# $$ m \leftarrow \beta_1 m + (1 - \beta_1)\, g, \qquad v \leftarrow \beta_2 v + (1 - \beta_2)\, g^2 $$
#
# $$ w \leftarrow (1 - \text{rate} \cdot \text{decay})\, w
#    - \text{rate} \cdot \frac{m / (1 - \beta_1^t)}{\sqrt{v / (1 - \beta_2^t)} + \varepsilon} $$
#
# `state` is a dictionary of this weight's own, empty at its first step. Keep $m$, $v$ and $t$ in
# it; $m$ and $v$ begin at zero. The function is called under `torch.no_grad()`.
#
# *Example.* `weight = [1.0]`, `gradient = [0.5]`, an empty state, rate 0.1, decay 0: $m$ = 0.05 and
# $v$ = 0.00025, corrected 0.5 and 0.25, so the step is 0.1 · 0.5 / 0.5, and the weight is 0.9. The
# first step is as long as the rate, however large the gradient is.

# %% stub
def adamw_step(
    weight: Tensor,
    gradient: Tensor,
    state: dict,
    rate: float,
    decay: float,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
) -> None:
    """Move one weight by one step of AdamW, in place; its memory is in `state`."""
    # BEGIN SOLUTION
    first, second = betas
    step = state["step"] = state.get("step", 0) + 1
    mean = state["mean"] = first * state.get("mean", 0) + (1 - first) * gradient
    square = state["square"] = second * state.get("square", 0) + (1 - second) * gradient**2
    mean = mean / (1 - first**step)
    square = square / (1 - second**step)
    weight.mul_(1 - rate * decay)
    weight.sub_(rate * mean / (square.sqrt() + eps))
    # END SOLUTION

# %% run
def run(function, case):
    # Two weights in turn, each with a state of its own.
    weights = [nn.Parameter(weight.clone()) for weight in case["weights"]]
    states = [{} for _ in weights]
    options = {key: case[key] for key in ("decay", "betas", "eps")}
    after = []
    with torch.no_grad():
        for rate, gradients in zip(case["rates"], case["gradients"]):
            for weight, gradient, state in zip(weights, gradients, states):
                function(weight, gradient.clone(), state, rate, **options)
            after.append([weight.detach().clone() for weight in weights])
    return after

# %% check
def cases(rng):
    def draw(*shape):
        return torch.from_numpy(rng.normal(size=shape)).float()

    for size, decay, eps, betas in (
        (1.0, 0.0, 1e-8, (0.9, 0.999)), (1e-4, 0.0, 1e-4, (0.9, 0.99)), (0.3, 0.5, 1e-8, (0.8, 0.9)),
    ):
        shapes = (3, 4), (5,)
        trend = [size * draw(*shape) for shape in shapes]
        yield {
            "weights": [draw(*shape) for shape in shapes], "decay": decay, "eps": eps,
            "gradients": [[t + 0.7 * size * draw(*t.shape) for t in trend] for _ in range(4)],
            "rates": [round(float(rng.uniform(0.05, 0.2)), 3) for _ in range(4)], "betas": betas,
        }

def numbers(case, got, expected):
    off = [max(float((a - b).abs().max()) for a, b in zip(x, y)) for x, y in zip(got, expected)]
    first = next(i for i, one in enumerate(off) if not one < 1e-5)
    before = case["weights"][0] if first == 0 else expected[first - 1][0]
    return {
        "step": first + 1, "rate": case["rates"][first], "decay": case["decay"],
        "mine": (got[first][0] - before)[0, 0].item(), "eps": case["eps"],
        "right": (expected[first][0] - before)[0, 0].item(),
    }

# %% another right solution
def adamw_step(weight, gradient, state, rate, decay, betas=(0.9, 0.999), eps=1e-8):
    if not state:
        state |= {"t": 0, "m": torch.zeros_like(weight), "v": torch.zeros_like(weight)}
    state["t"] += 1
    state["m"].lerp_(gradient, 1 - betas[0])
    state["v"].mul_(betas[1]).addcmul_(gradient, gradient, value=1 - betas[1])
    # Both corrections in one number, and eps scaled to fit, as the paper's second form has it.
    root = math.sqrt(1 - betas[1] ** state["t"])
    moved = state["m"] / (state["v"].sqrt() + eps * root)
    weight.copy_(weight - rate * decay * weight - rate * root / (1 - betas[0] ** state["t"]) * moved)

# %% misconception: no bias correction
# says: In step {step} your first number moves by {mine:.4f}; {right:.4f} is expected. Are both
# means divided by `1 - beta ** t`? They begin at zero, so after one step `m` is a tenth of the
# gradient, and `v` a thousandth of its square: without the correction the first steps are of the
# wrong length.
# - mean = mean / (1 - first**step)
# - square = square / (1 - second**step)
# %% misconception: only the first mean is corrected
# says: In step {step} your first number moves by {mine:.4f}; {right:.4f} is expected. Is `v`
# corrected, too? It begins at zero as `m` does, and with its `beta` it takes longer to forget that.
# - square = square / (1 - second**step)
# %% misconception: only the second mean is corrected
# says: In step {step} your first number moves by {mine:.4f}; {right:.4f} is expected. Is `m`
# corrected, too? After the first step it is only a small part of the gradient.
# - mean = mean / (1 - first**step)
# %% misconception: steps are counted from zero
# says: In step {step} your numbers are no longer finite, or far off: in the first step `1 - beta **
# 0` is zero. Is `t` raised before it is used? It is 1 in the first step.
# - step = state["step"] = state.get("step", 0) + 1
# + step = state.get("step", 0)
# + state["step"] = step + 1
# %% misconception: the number of the step is never raised
# says: The first step is right, and step {step} moves your first number by {mine:.4f} instead of
# {right:.4f}. Does your code remember which step it is? The corrections fade as `t` grows.
# edit: state.get("step", 0) + 1 => 1
# %% misconception: nothing is remembered
# says: The first step is right, and step {step} moves your first number by {mine:.4f} instead of
# {right:.4f}. Does every step begin with an empty memory? `m` and `v` have to be in `state` when
# the function is called again.
# edit: state.get("mean", 0) => 0
# edit: state.get("square", 0) => 0
# edit: state.get("step", 0) => 0
# %% misconception: one memory for all weights
# says: Step {step} moves your first number by {mine:.4f}; {right:.4f} is expected. Do all weights
# share one count of steps? Each is called with a `state` of its own, in which its own first step is
# step 1.
# edit: step = state["step"] = state.get("step", 0) + 1 => step = adamw_step.step = getattr(adamw_step, "step", 0) + 1
# %% misconception: decay in the gradient
# says: Without decay you are right. With decay {decay}, step {step} moves your first number by
# {mine:.4f}; {right:.4f} is expected. Is the decay added to the gradient? There AdamW would divide
# it by the root of `v` along with everything else: that is Adam with an L2 term. The W in the name
# says that it is taken from the weight itself.
# - first, second = betas
# + first, second = betas
# + gradient = gradient + decay * weight
# - weight.mul_(1 - rate * decay)
# %% misconception: decay without the rate
# says: Without decay you are right. With decay {decay} and rate {rate}, step {step} moves your
# first number by {mine:.4f}; {right:.4f} is expected. The weight shrinks by `rate * decay`, not by
# `decay`: as the rate falls, the pull fades with it.
# edit: 1 - rate * decay => 1 - decay
# %% misconception: no decay
# says: Without decay you are right. With decay {decay}, step {step} moves your first number by
# {mine:.4f}; {right:.4f} is expected, as without any. Where does the weight shrink?
# - weight.mul_(1 - rate * decay)
# %% misconception: decay after the step
# says: Without decay you are right. With decay {decay}, step {step} moves your first number by
# {mine:.4f}; {right:.4f} is expected. Does the weight shrink after it has moved? Then a part of the
# step shrinks with it. It is the weight as it was that shrinks.
# - weight.mul_(1 - rate * decay)
# - weight.sub_(rate * mean / (square.sqrt() + eps))
# + weight.sub_(rate * mean / (square.sqrt() + eps))
# + weight.mul_(1 - rate * decay)
# %% misconception: eps inside the root
# says: With gradients that are not much larger than eps = {eps}, step {step} moves your first
# number by {mine:.4f}; {right:.4f} is expected. Does eps stand under the root? Here it is added to
# the root. (LayerNorm has it the other way round.)
# edit: square.sqrt() + eps => (square + eps).sqrt()
# %% misconception: no root
# says: Step {step} moves your first number by {mine:.4g}; {right:.4f} is expected. You divide by
# the mean square. Its root is in the units of the gradient, so that the two cancel.
# edit: square.sqrt() + eps => square + eps
# %% misconception: uphill
# says: Step {step} moves your first number by {mine:.4f}, and {right:.4f} is expected: the sign is
# turned round. A step goes against the gradient.
# edit: weight.sub_ => weight.add_
# %% misconception: the betas exchanged
# says: Step {step} moves your first number by {mine:.4f}; {right:.4f} is expected. The first of
# `betas` belongs to the mean of the gradients, the second, longer one to that of their squares. Are
# they exchanged?
# edit: first, second = betas => second, first = betas
# %% misconception: a new tensor instead of the weight
# says: After step {step} the weight has not moved. Does your function compute new numbers under the
# same name? That leaves the model's own tensor as it was: `weight.sub_(…)`, `weight.copy_(…)` or
# `weight -= …` changes it in place.
# edit: weight.mul_(1 - rate * decay) => weight = weight * (1 - rate * decay)
# edit: weight.sub_ => weight.sub
# %% hints
# 1. Four lines for `t`, `m` and `v` and their corrections, one for the decay, one for the step.
# `state.get("mean", 0)` is zero the first time.
# 2. The corrected means are for this step only; what is kept in `state` is uncorrected.
# 3. In place: `weight.mul_(1 - rate * decay)`, and then `weight.sub_(rate * …)`.
# %% explanation
# Two means that forget, one of the gradients and one of their squares; their ratio has no units, so
# every weight moves by about `rate` a step as long as its gradients agree in sign. The corrections
# undo that the means began at zero. Decay stands beside all of this and is not divided by anything,
# which is what Loshchilov and Hutter changed in Adam (2019). `torch.optim.AdamW` does the same for
# many weights at once.
