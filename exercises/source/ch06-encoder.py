# %% [markdown]
# # Exercises 6 · The encoder
#
# Chapter 6 put BERT together, counted it, and took its parts out one by one. Here you write the
# small parts yourself (the LayerNorm, the curve, the lines around the boxes), mend a layer in which
# two of them are wrong, and count every BERT on a slip of paper. At the end the parts become an
# encoder, with the weights of a real one in it.

# %% setup
import math

import torch
import torch.nn.functional as F
from torch import Tensor

# %% task 6.1: LayerNorm by hand
# kind: write; points: 18; minutes: 10; function: layer_norm
# without: layer_norm, LayerNorm, native_layer_norm, group_norm, GroupNorm, instance_norm, batch_norm
#
# Write `layer_norm(x, gain, bias, eps)` yourself. `x` is
# `(B, T, d)`; `gain` and `bias` are `(d,)`. Each row, that is, each token's vector of `d` numbers, is
# normalised by itself:
#
# $$ y = \text{gain} \odot \frac{x - \mu}{\sqrt{\sigma^2 + \varepsilon}} + \text{bias} $$
#
# $\mu$ is the mean of the row, and $\sigma^2$ the mean of its squared distances from $\mu$.
#
# *Example.* With gain 1, bias 0 and eps 0 the row `[1, 3]` becomes `[-1, 1]`: its mean is 2, its
# two squared distances are 1 and 1, so $\sigma^2 = 1$. With eps 3 it becomes `[-0.5, 0.5]`.

# %% stub
def layer_norm(x: Tensor, gain: Tensor, bias: Tensor, eps: float) -> Tensor:
    """(B, T, d) to (B, T, d): every row normalised, then scaled and shifted."""
    # BEGIN SOLUTION
    centred = x - x.mean(dim=-1, keepdim=True)
    variance = centred.square().mean(dim=-1, keepdim=True)  # (B, T, 1)
    return gain * centred / (variance + eps).sqrt() + bias
    # END SOLUTION

# %% check
def cases(rng):
    def draw(*shape):
        return torch.from_numpy(rng.normal(size=shape)).float()

    width = int(rng.integers(5, 9))
    yield {
        "x": 3 * draw(2, 4, width) + 2, "gain": 1 + 0.2 * draw(width).clamp(-2, 2),
        "bias": draw(width), "eps": 1e-12,
    }
    x = 0.5 * draw(2, 3, 12)
    yield {"x": x, "gain": torch.ones(12), "bias": torch.zeros(12), "eps": 0.25}
    x = draw(1, 4, 6)
    x[0, 1] = 2.0  # a row of equal numbers: only eps keeps it from 0 / 0
    yield {"x": x, "gain": 1 + 0.2 * draw(6).clamp(-2, 2), "bias": draw(6), "eps": 1e-5}

def numbers(case, got, expected):
    row, right = ((y - case["bias"]) / case["gain"] for y in (got[0, 0], expected[0, 0]))
    return {
        "mean": row.mean().item(), "spread": row.std(correction=0).item(),
        "right": right.std(correction=0).item(), "nan": int(got.isnan().any(-1).sum()),
        "width": case["x"].shape[-1], "eps": case["eps"], "bias": case["bias"][0].item(),
        "off": (got - expected)[0, 0, 0].item(),
    }

# %% another right solution
def layer_norm(x, gain, bias, eps):
    variance, mean = torch.var_mean(x, dim=2, correction=0)
    scaled = torch.einsum("btd,bt->btd", x - mean[..., None], torch.rsqrt(variance + eps))
    return torch.addcmul(bias.expand_as(scaled), scaled, gain)

# %% misconception: divided by one less than the width
# says: Before gain and bias, your first row has a spread of {spread:.3f}, and it should have
# {right:.3f}. `var` and `std` in PyTorch divide by the count less one, {width} - 1, unless they are
# told not to (`correction=0`). The formula asks for the mean of the squares: divide by {width}.
# edit: centred.square().mean => x.var
# %% misconception: eps outside of the root
# says: With eps = {eps} your first row has a spread of {spread:.3f} before gain and bias, and it
# should have {right:.3f}. You add eps to the root. It belongs to the variance, **inside** the root:
# with BERT's tiny eps nobody sees the difference, and with a larger one loaded weights no longer
# fit.
# edit: (variance + eps).sqrt() => (variance.sqrt() + eps)
# %% misconception: PyTorch's spread, and eps added to it
# says: Before gain and bias, your first row has a spread of {spread:.3f}, and it should have
# {right:.3f}. Two things are mixed up here, and neither raises an error. PyTorch's `std` divides by
# {width} - 1 unless it is told not to (`correction=0`); and eps belongs to the variance, **inside**
# the root, not to the root.
# edit: centred.square().mean => x.var
# edit: (variance + eps).sqrt() => (variance.sqrt() + eps)
# %% misconception: the sum of the squares instead of their mean
# says: Before gain and bias, your first row has a spread of {spread:.3f}, and it should have
# {right:.3f}. You take the sum of the squared distances. The variance is their mean: divide by
# {width}.
# edit: .square().mean => .square().sum
# %% misconception: no eps at all
# says: With eps = {eps} your first row has a spread of {spread:.3f} before gain and bias, and it
# should have {right:.3f}. Your code does not use eps. It is there for rows whose numbers are all
# equal: their variance is zero, and 0 / 0 is NaN.
# edit: (variance + eps) => variance
# %% misconception: normalised over the tokens
# says: Before gain and bias, your first row has the mean {mean:.2f} and the spread {spread:.2f}.
# You normalise each dimension over the tokens of a text (`dim=1`). LayerNorm takes each token by
# itself, over its {width} numbers: what a row becomes must not depend on which other rows stand
# beside it.
# edit: x.mean(dim=-1, => x.mean(dim=1,
# edit: .square().mean(dim=-1, => .square().mean(dim=1,
# %% misconception: one mean and one spread for the whole text
# says: Before gain and bias, your first row has the mean {mean:.2f} and the spread {spread:.2f},
# and not 0 and 1. You take mean and variance over all tokens of a text together. Each row has its
# own: reduce the last axis only.
# edit: x.mean(dim=-1, => x.mean(dim=(1, 2),
# edit: .square().mean(dim=-1, => .square().mean(dim=(1, 2),
# %% misconception: one mean and one spread for everything
# says: Before gain and bias, your first row has the mean {mean:.2f} and the spread {spread:.2f},
# and not 0 and 1. A mean without `dim` runs over the whole batch, so that one text changes what
# becomes of another. Each row has its own mean and variance: reduce the last axis only.
# edit: x.mean(dim=-1, keepdim=True) => x.mean()
# edit: .square().mean(dim=-1, keepdim=True) => .square().mean()
# %% misconception: divided by the variance, not by its root
# says: Before gain and bias, your first row has a spread of {spread:.3f}, and it should have
# {right:.3f}. The variance is a square; divide by its root, which is in the same units as `x`.
# edit: (variance + eps).sqrt() => (variance + eps)
# %% misconception: the mean stays in
# says: Before gain and bias, your first row has the mean {mean:.2f}, and it should have 0: the mean
# is used for the variance, but the row itself is divided as it is. Subtract it above the fraction
# line, too.
# edit: gain * centred => gain * x
# %% misconception: only the size is normalised
# says: Before gain and bias, your first row has the mean {mean:.2f}, and it should have 0. You
# divide by the root of the mean square, without any mean. That exists and is called RMSNorm; newer
# models use it, BERT does not.
# edit: x - x.mean(dim=-1, keepdim=True) => x
# %% misconception: gain and bias left out
# says: Your rows are normalised, and that is where you stop. They are then multiplied by `gain` and
# `bias` is added, each dimension with its own number: that is what is learned in a LayerNorm.
# edit: gain * centred / (variance + eps).sqrt() + bias => centred / (variance + eps).sqrt()
# %% misconception: gain and bias before normalising
# says: You scale and shift first and normalise afterwards. That takes most of what gain and bias
# have done away again. Normalise first; they come last.
# - centred = x - x.mean(dim=-1, keepdim=True)
# + x = gain * x + bias
# + centred = x - x.mean(dim=-1, keepdim=True)
# edit: gain * centred / (variance + eps).sqrt() + bias => centred / (variance + eps).sqrt()
# %% misconception: the bias is multiplied by the gain
# says: Your rows are normalised, but what is added is not `bias`: the first number is off by
# {off:.3f}, where the bias is {bias:.3f}. Does the gain multiply the bias as well? It belongs to
# the normalised row alone, and the bias comes last.
# edit: gain * centred / (variance + eps).sqrt() + bias => gain * (centred / (variance + eps).sqrt() + bias)
# %% hints
# 1. The mean of each row is `(B, T, 1)`: which axis does it reduce, and what keeps that axis in place?
# 2. `x.mean(dim=-1, keepdim=True)`; subtract it; the mean of the squares of what is left is the
# variance.
# 3. Gain times what is left, divided by the root of (variance + eps), plus bias.
# %% explanation
# Each row is brought to mean 0 and spread 1 by numbers that are its own, so a token fares the same
# whatever stands beside it in the text or in the batch. The variance divides by d, since it
# describes these d numbers and estimates nothing beyond them. Eps under the root is what keeps a
# row of equal numbers from dividing by zero.

# %% task 6.2: Two forms of one curve
# kind: measure; points: 14; minutes: 10; function: compare; tolerance: 0.00001
#
# BERT's curve is
#
# $$ \operatorname{GELU}(x) = \frac{x}{2}\left(1 + \operatorname{erf}\frac{x}{\sqrt 2}\right)
#    \;\approx\; \frac{x}{2}\left(1 + \tanh\left(\sqrt{2/\pi}\,(x + 0.044715\,x^3)\right)\right). $$
#
# Write `compare(x)` for a tensor `x` `(n,)` of places to look at. Return a dictionary:
#
# - `"exact"` and `"tanh"`: the values of the two forms at `x`, `(n,)` each;
# - `"tanh_off"`: the largest distance of the tanh form from the exact one, a number;
# - `"where"`: the `x` at which it is reached;
# - `"relu_off"`: the largest distance of ReLU from the exact form.
#
# *Example.* At `x = 1` the exact form is 0.84134, the probability that a draw from the standard
# normal distribution is below 1; the tanh form is 0.84119, and ReLU is 1. So for `x = [1]`,
# `tanh_off` is 0.00015, `where` is 1 and `relu_off` is 0.15866.

# %% stub
def compare(x: Tensor) -> dict:
    """Both forms of GELU at x, and how far tanh and ReLU are from the exact one at most."""
    # BEGIN SOLUTION
    exact = x / 2 * (1 + torch.erf(x / math.sqrt(2)))
    tanh = x / 2 * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))
    off = (tanh - exact).abs()
    return {
        "exact": exact,
        "tanh": tanh,
        "tanh_off": off.max().item(),
        "where": x[off.argmax()].item(),
        "relu_off": (x.relu() - exact).abs().max().item(),
    }
    # END SOLUTION

# %% check
def cases(rng):
    for low, high in ((0.0, 6.0), (0.4, 1.6), (-6.0, -0.1)):
        while True:  # no two places that are nearly as far off as each other
            x = torch.linspace(low, high, 60, dtype=torch.float64)
            x = x + float(rng.uniform(0, (high - low) / 60))
            off = (F.gelu(x) - F.gelu(x, approximate="tanh")).abs().topk(2).values
            if off[0] - off[1] > 2e-7:
                break
        yield {"x": x}

def numbers(case, got, expected):
    worst = {}
    for name in ("exact", "tanh"):
        place = int((got[name] - expected[name]).abs().argmax())
        worst[name] = got[name][place].item(), expected[name][place].item(), case["x"][place].item()
    name = "exact" if abs(worst["exact"][0] - worst["exact"][1]) > 1e-5 else "tanh"
    yours, right, at = worst[name]
    return {
        "yours": yours, "right": right, "at": at, "off": got["tanh_off"],
        "off_right": expected["tanh_off"], "low": case["x"][0].item(), "high": case["x"][-1].item(),
    }

# %% another right solution
def compare(x):
    pairs = [(v, v * 0.5 * math.erfc(-v / math.sqrt(2))) for v in x.tolist()]
    tanh = F.gelu(x, approximate="tanh")
    off = [(abs(t - e), v) for (v, e), t in zip(pairs, tanh.tolist())]
    return {
        "exact": torch.tensor([e for _, e in pairs]),
        "tanh": tanh,
        "tanh_off": max(off)[0],
        "where": max(off)[1],
        "relu_off": max(abs(max(v, 0.0) - e) for v, e in pairs),
    }

# %% misconception: erf without the root of two
# says: At x = {at:.2f} your exact form is {yours:.4f}, and it should be {right:.4f}. The error
# function is not quite the normal distribution: P(Z ≤ x) is (1 + erf(x / √2)) / 2, and the root of
# two is missing.
# edit: x / math.sqrt(2) => x
# %% misconception: the probability instead of x times it
# says: At x = {at:.2f} your exact form is {yours:.4f}, and it should be {right:.4f}. You return the
# probability alone. GELU is `x` **times** the probability that a draw is below `x`.
# edit: exact = x / 2 => exact = 1 / 2
# edit: tanh = x / 2 => tanh = 1 / 2
# %% misconception: the halves left out
# says: At x = {at:.2f} your exact form is {yours:.4f}, twice what it should be, {right:.4f}. The
# brackets run from 0 to 2; the half in front makes them a probability.
# edit: exact = x / 2 * => exact = x *
# edit: tanh = x / 2 * => tanh = x *
# %% misconception: the root does not reach the cube
# says: Your exact form is right. At x = {at:.2f} your tanh form is {yours:.5f}, and it should be
# {right:.5f}: the root of 2/π is multiplied with `x` only. It stands before the bracket, so it
# belongs to the cube as well.
# edit: (x + 0.044715 * x**3) => x + 0.044715 * x**3
# %% misconception: no root in the tanh
# says: Your exact form is right. At x = {at:.2f} your tanh form is {yours:.5f}, and it should be
# {right:.5f}: the root of 2/π in front of the bracket is missing, and the curve climbs too fast.
# edit: math.sqrt(2 / math.pi) * (x + 0.044715 * x**3) => x + 0.044715 * x**3
# %% misconception: the root does not reach π
# says: Your exact form is right. At x = {at:.2f} your tanh form is {yours:.5f}, and it should be
# {right:.5f}. In front of the bracket stands the root of the whole fraction, √(2/π), about 0.798.
# You take the root of 2 alone and divide it by π, which is about 0.450.
# edit: math.sqrt(2 / math.pi) => math.sqrt(2) / math.pi
# %% misconception: a square instead of the cube
# says: Your exact form is right. At x = {at:.2f} your tanh form is {yours:.5f}, and it should be
# {right:.5f}. The small term is a cube, `x**3`; a square has the same sign on both sides of zero,
# and the curve would be bent the wrong way on one of them.
# edit: x**3 => x**2
# %% misconception: the sigmoid form
# says: Your exact form is right. At x = {at:.2f} your tanh form is {yours:.5f}, and it should be
# {right:.5f}: what you have is `x * sigmoid(1.702 * x)`, a third form, which is coarser by far.
# Asked for is the one with tanh and the cube.
# - tanh = x / 2 * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))
# + tanh = x * torch.sigmoid(1.702 * x)
# %% misconception: only where the tanh form lies above
# says: Both forms are right. Between {low:.1f} and {high:.1f} you report {off:.6f} as the largest
# distance, and it is {off_right:.6f}. The tanh form lies now above the exact one and now below it;
# a distance counts either way, so take the absolute value before the largest.
# edit: (tanh - exact).abs() => tanh - exact
# edit: (x.relu() - exact).abs() => (x.relu() - exact)
# %% misconception: only where the tanh form lies below
# says: Both forms are right. Between {low:.1f} and {high:.1f} you report {off:.6f} as the largest
# distance, and it is {off_right:.6f}. You subtract the tanh form from the exact one and take the
# largest result, which sees only the places where it lies below. A distance counts either way:
# `abs()` first.
# edit: (tanh - exact).abs() => exact - tanh
# %% misconception: the mean distance instead of the largest
# says: Both forms are right. You report {off:.6f}, the **average** distance at these places; the
# largest is {off_right:.6f}. An average depends on how many places far from zero you look at, where
# all these curves are all but the same.
# edit: off.max() => off.mean()
# edit: .abs().max() => .abs().mean()
# %% misconception: the number of the place instead of x
# says: Your distances are right. For `where` you give the number of the place in the tensor, which
# is what `argmax` returns. Asked for is the `x` that stands there: `x[...]`.
# edit: x[off.argmax()] => off.argmax()
# %% hints
# 1. `torch.erf`, `torch.tanh`, `math.sqrt`, `math.pi`; write each formula as it stands, bracket by
# bracket, and try it on `torch.tensor([1.0])` against the example.
# 2. A distance is an absolute difference. `max()` of it is how large, `argmax()` of it is where, as
# the number of a place in `x`.
# %% explanation
# On the whole line the tanh form is never off by as much as 0.0005, and most near x = 2.7 and x =
# -2.7; ReLU is off by 0.17 near 0.75 on both sides. That is a factor of some 360, and it is why
# trained weights take no notice of the one and suffer from the other.

# %% task 6.3: The same halves, in two orders
# kind: write; points: 16; minutes: 12; function: encode
#
# Write `encode(x, layers, norm, order)`, the whole stack. `x` is `(T, d)`. `layers` is a list with
# a pair `(attention, feed_forward)` for each layer; each of the two is a function from `(T, d)` to
# `(T, d)` that computes the *change* of its half, and nothing is added or normalised in it. `norm`
# is the LayerNorm, one and the same everywhere. `order` is
#
# - `"post"`: as BERT, each change is added to what came in, and the sum is normalised;
# - `"pre"`: each half reads what came in normalised, and the change is added to what came in **as
#   it was**; after the last layer one more `norm` follows.
#
# Return the rows `(T, d)` after the last layer.
#
# *Example.* Let `norm` halve what it gets, let both functions give back what they get, and let `x`
# be 8. With one layer, `"post"` gives (8 + 8) / 2 = 8 after the first half and 8 again after the
# second. `"pre"` gives 8 + 4 = 12 after the first half, 12 + 6 = 18 after the second, and 9 at the
# end.

# %% stub
def encode(x: Tensor, layers: list, norm, order: str) -> Tensor:
    """(T, d) to (T, d): every layer, with LayerNorm after each half or before it."""
    # BEGIN SOLUTION
    for attention, feed_forward in layers:
        for change in (attention, feed_forward):
            x = norm(x + change(x)) if order == "post" else x + change(norm(x))
    return x if order == "post" else norm(x)
    # END SOLUTION

# %% run
def run(function, case):
    def linear_map(weights):
        return lambda rows: rows @ weights

    def attending(scores, weights):
        return lambda rows: scores.softmax(-1) @ rows @ weights

    def feeding(up, down):
        return lambda rows: F.gelu(rows @ up) @ down

    layers = [
        (attending(scores, mix), feeding(up, down))
        for scores, mix, up, down in zip(case["scores"], case["mix"], case["up"], case["down"])
    ]
    return function(
        case["x"].clone(), layers, lambda rows: F.layer_norm(rows, rows.shape[-1:]), case["order"]
    )

# %% check
def cases(rng):
    def draw(*shape):
        return torch.from_numpy(rng.normal(size=shape)).float()

    for order, layers in (("post", 2), ("pre", 2), ("post", 3)):
        length, width = int(rng.integers(4, 7)), 8
        yield {
            "x": 1.5 * draw(length, width) + 0.5, "scores": draw(layers, length, length),
            "mix": draw(layers, width, width) / width**0.5,
            "up": draw(layers, width, 4 * width) / width**0.5,
            "down": draw(layers, 4 * width, width) / width**0.5, "order": order,
        }

def numbers(case, got, expected):
    return {
        "order": case["order"], "size": got.square().mean().sqrt().item(),
        "mean": got[0].mean().item(), "away": ((got - expected).norm() / expected.norm()).item(),
    }

# %% another right solution
def encode(x, layers, norm, order):
    if order == "post":
        for attention, feed_forward in layers:
            y = norm(x + attention(x))
            x = norm(y + feed_forward(y))
        return x
    residual = x
    for attention, feed_forward in layers:
        residual = residual + attention(norm(residual))
        residual = residual + feed_forward(norm(residual))
    return norm(residual)

# %% misconception: the last norm of pre-LN forgotten
# says: Your `"post"` is right. Under `"pre"` the size of your rows is {size:.2f} at the end (the
# root of the mean square), and it should be 1: nothing has normalised the residual path on its way
# up, and so one more `norm` is needed after the last layer.
# edit: return x if order == "post" else norm(x) => return x
# %% misconception: the two orders exchanged
# says: You have the two the wrong way round: what you do for `"post"` is pre-LN. The name says
# where the LayerNorm stands, **after** the sum or before the half.
# edit: change(x)) if order == "post" => change(x)) if order == "pre"
# edit: return x if order == "post" => return x if order == "pre"
# %% misconception: the change normalised instead of the sum
# says: Under `"post"` your rows come out with the size {size:.2f}, and a row that has just been
# normalised has the size 1. You normalise the change and add it afterwards. First the sum, then the
# LayerNorm of the sum.
# edit: norm(x + change(x)) => x + norm(change(x))
# %% misconception: no residual
# says: Your rows are {away:.0%} of their length away from the right ones: what came in is never
# added. Each half computes a **change**, and the residual path carries the row itself past it.
# edit: norm(x + change(x)) => norm(change(x))
# edit: else x + change => else change
# %% misconception: both residuals from the input of the layer
# says: Your rows are {away:.0%} of their length away from the right ones. In the second half you
# add the change to what came into the **layer**, and so the change that attention made is lost.
# What came into the second half is what the first half gave out.
# - for change in (attention, feed_forward):
# + start = x
# + for change in (attention, feed_forward):
# edit: norm(x + change(x)) => norm(start + change(x))
# edit: else x + change => else start + change
# %% misconception: attention's raw output as the second residual
# says: Your rows are {away:.0%} of their length away from the right ones. The residual of the
# second half is what attention computed, and not what the first half gave out as a whole: a row's
# own content gets no further than attention. (This is the notes' formula, read by the letter.)
# - for change in (attention, feed_forward):
# -     x = norm(x + change(x)) if order == "post" else x + change(norm(x))
# + attended = attention(x if order == "post" else norm(x))
# + x = attended + feed_forward(norm(x + attended))
# + x = norm(x) if order == "post" else x
# %% misconception: under pre-LN the residual is normalised, too
# says: Your `"post"` is right, and under `"pre"` you are {away:.0%} away from the right rows. You
# normalise the row and then add the change to the normalised row. Under pre-LN only what the half
# **reads** is normalised; what is carried past it stays as it was.
# edit: else x + change => else norm(x) + change
# %% misconception: every layer starts from the input of the stack
# says: Your rows are {away:.0%} of their length away from the right ones. Every layer of yours
# reads the `x` that came into the stack, so of all layers only the last one counts. Each layer
# reads what the one before it gave out.
# edit: in layers => in layers[-1:]
# %% misconception: under pre-LN both halves read the same normalised rows
# says: Your `"post"` is right, and under `"pre"` you are {away:.0%} away from the right rows. You
# normalise once in a layer and let both halves read that. The feed-forward half has its own
# LayerNorm, and it reads what the first half has given out, with the change of attention in it.
# - for change in (attention, feed_forward):
# + same = norm(x)
# + for change in (attention, feed_forward):
# edit: change(norm(x)) => change(same)
# %% misconception: one LayerNorm for a whole layer
# says: Your rows are {away:.0%} of their length away from the right ones. You have one LayerNorm in
# a layer. It has two halves, attention and feed-forward, and there is one to each.
# - for change in (attention, feed_forward):
# -     x = norm(x + change(x)) if order == "post" else x + change(norm(x))
# + x = x + attention(x if order == "post" else norm(x))
# + x = x + feed_forward(x)
# + x = norm(x) if order == "post" else x
# %% misconception: feed-forward before attention
# says: Your rows are {away:.0%} of their length away from the right ones. Does the feed-forward half
# come first? In a layer attention comes before it.
# edit: (attention, feed_forward): => (feed_forward, attention):
# %% misconception: under pre-LN a norm after every layer
# says: Your `"post"` is right, and under `"pre"` you are {away:.0%} away from the right rows. Does a
# `norm` follow every layer? It follows the last one only: between the layers the residual path
# carries the rows on as they are.
# - return x if order == "post" else norm(x)
# +     x = x if order == "post" else norm(x)
# + return x
# %% misconception: both halves read what came into the layer
# says: Your rows are {away:.0%} of their length away from the right ones. Do both halves read what
# came into the layer, with one sum and one LayerNorm for the two? The feed-forward half comes after
# attention, reads what the first half gave out, and has a LayerNorm of its own.
# - for change in (attention, feed_forward):
# -     x = norm(x + change(x)) if order == "post" else x + change(norm(x))
# + came = x if order == "post" else norm(x)
# + x = x + attention(came) + feed_forward(came)
# + x = norm(x) if order == "post" else x
# %% hints
# 1. Both halves follow the same rule, so one line will do for attention and feed-forward. Write that
# line for `"post"` first and work the example through by hand.
# 2. `"post"`: norm of (what came in + change of what came in). `"pre"`: what came in + change of (norm
# of what came in).
# 3. After each half, what it gave out is what comes into the next one: call both `x`, and let the line
# `x = …` overwrite it. Under `"pre"`, return `norm(x)`.
# %% explanation
# The two orders differ in where one function stands. Under post-LN every row has size 1 after every
# half; under pre-LN the residual path is a plain sum from the bottom to the top, which is why a
# last LayerNorm is needed, and why gradients find their way down more easily.

# %% task 6.4: A layer that reads its neighbours twice
# kind: repair; points: 16; minutes: 10; function: finish_layer; tolerance: 0.003
#
# `finish_layer(x, attended, up, down)` is all of a post-LN layer that comes after attention. `x` is
# what came into the layer and `attended` is what attention computed from it, both `(B, T, d)`; `up`
# `(4 d, d)` and `down` `(d, 4 d)` are the two matrices of the feed-forward half. (Gains, biases and
# dropout are left out, and `eps` is PyTorch's own.) It is to return the rows `(B, T, d)` that the
# layer gives out.
#
# The version below holds two mistakes. One follows a formula in the notes by the letter. The other
# is found in published code: it raises no error, and what comes out even looks normalised; but here
# rows attend to each other a second time, where every row should go its way alone, and what a text
# gives depends on how far it was padded.
#
# *Example.* Take `d = 2`, matrices of zeros, `x = [[[3, 1], [0, 8]]]` and `attended` zero. Both
# sums are then what came in, and each row of two numbers is normalised by itself:
# `[[[1, -1], [-1, 1]]]`.

# %% stub
def finish_layer(x: Tensor, attended: Tensor, up: Tensor, down: Tensor) -> Tensor:
    """What comes after attention in a post-LN layer: (B, T, d) twice to (B, T, d)."""
    # BEGIN STUB
    y = F.layer_norm(x + attended, x.shape[1:])
    changed = F.gelu(y @ up.T) @ down.T
    return F.layer_norm(attended + changed, x.shape[1:])
    # END STUB
    # BEGIN SOLUTION
    y = F.layer_norm(x + attended, x.shape[-1:])
    changed = F.gelu(y @ up.T) @ down.T
    return F.layer_norm(y + changed, x.shape[-1:])
    # END SOLUTION

# %% check
def cases(rng):
    def draw(*shape):
        return torch.from_numpy(rng.normal(size=shape)).float()

    for length in (5, 1, 7):
        width = 2 * int(rng.integers(3, 6))
        size = 1 + torch.from_numpy(rng.uniform(0, 3, size=(2, length, 1))).float()
        yield {
            "x": size * draw(2, length, width) + draw(2, length, 1),
            "attended": draw(2, length, width) + 0.5, "up": draw(4 * width, width) / width**0.5,
            "down": draw(width, 4 * width) / width**0.5,
        }

def numbers(case, got, expected):
    row, right = got[0, 0], expected[0, 0]
    return {
        "mean": row.mean().item(), "spread": row.std(correction=0).item(),
        "away": ((row - right).norm() / right.norm()).item(),
    }

# %% another right solution
def finish_layer(x, attended, up, down):
    def normalised(rows):
        rows = rows - rows.mean(-1, keepdim=True)
        return rows / (rows.square().mean(-1, keepdim=True) + 1e-5).sqrt()

    y = normalised(x + attended)
    inner = F.gelu(torch.einsum("btd,ed->bte", y, up))
    return normalised(y + torch.einsum("bte,de->btd", inner, down))

# %% misconception: both mistakes are still there
# says: The first row that you give out has the mean {mean:.2f} and the spread {spread:.2f}; a row
# that has been normalised by itself has 0 and 1. That is one mistake, and there is another one, in
# what the second sum adds to `changed`. Ask two questions: over which axes does each LayerNorm run,
# and what came into the second half?
# edit: attended, x.shape[-1:] => attended, x.shape[1:]
# edit: y + changed, x.shape[-1:] => attended + changed, x.shape[1:]
# %% misconception: the LayerNorms still run over all tokens
# says: The residual is right now. But the first row that you give out has the mean {mean:.2f} and
# the spread {spread:.2f}, and not 0 and 1. `x.shape[1:]` is all axes from the tokens on, so one
# mean and one spread are taken for the whole text, padding included.
# edit: attended, x.shape[-1:] => attended, x.shape[1:]
# edit: changed, x.shape[-1:] => changed, x.shape[1:]
# %% misconception: attention's raw output is still the residual
# says: Your LayerNorms are right now. The first row is still {away:.0%} of its length away from the
# right one: the second sum adds the change to what attention computed. The residual carries what
# **came into** this half, and that is what the first half gave out, its own sum and LayerNorm
# included.
# edit: y + => attended +
# %% misconception: the residual of the layer's input
# says: Your LayerNorms are right now. The first row is {away:.0%} of its length away from the right
# one: you add the change to `x`, what came into the **layer**. All that attention has found out is
# then lost on this path. What came into the second half?
# edit: y + => x +
# %% misconception: the first sum without its LayerNorm as the residual
# says: Your LayerNorms are right now. The first row is {away:.0%} of its length away from the right
# one: you add the change to the **sum** of `x` and `attended`, before it was normalised. Under
# post-LN the residual of the second half is the normalised sum.
# edit: y + => x + attended +
# %% misconception: only the last LayerNorm is mended
# says: What you give out is normalised row by row, and it is still {away:.0%} of its length away
# from the right one. There are two LayerNorms in these lines. The first still mixes all tokens of
# the text.
# edit: attended, x.shape[-1:] => attended, x.shape[1:]
# %% misconception: only the first LayerNorm is mended
# says: The first row that you give out has the mean {mean:.2f} and the spread {spread:.2f}, and not
# 0 and 1. There are two LayerNorms in these lines. The second still runs over all tokens of the
# text.
# edit: changed, x.shape[-1:] => changed, x.shape[1:]
# %% misconception: the LayerNorms run over the tokens
# says: The first row that you give out has the mean {mean:.2f} and the spread {spread:.2f}, and not
# 0 and 1. You normalise each dimension over the tokens of the text, so every row still depends on
# all the others. Each row is to be normalised by itself, over its own numbers: the last axis.
# edit: F.layer_norm(x + attended, x.shape[-1:]) => F.layer_norm((x + attended).mT, x.shape[1:2]).mT
# edit: F.layer_norm(y + changed, x.shape[-1:]) => F.layer_norm((y + changed).mT, x.shape[1:2]).mT
# %% misconception: no residual in the second half
# says: The first row is {away:.0%} of its length away from the right one: nothing is added to the
# change in the second half. Each half has its residual; without it a row's own content ends here.
# edit: y + changed => changed
# %% hints
# 1. Call it on the example and look at the two rows. Then print `x.shape[1:]`: over how many numbers
# does each LayerNorm take its mean?
# 2. The second argument of `F.layer_norm` lists the axes, from the right, that are normalised
# together. For one row at a time it is `x.shape[-1:]`. And for the residual: which variable came
# into the second half?
# %% explanation
# `F.layer_norm(x, x.shape[1:])` takes one mean and one spread over all tokens of a text; other
# tokens, and even padding, then move every row, past all masks. With a single token both are the
# same, which is how such a thing gets through a quick test. The residual of the second half is the
# first half's normalised output: it alone carries both the row's own content and what attention
# added.

# %% task 6.5: BERT on a slip of paper
# kind: predict; points: 14; minutes: 12; function: count; tolerance: 1e-9
#
# How many parameters has a BERT of `layers` layers, `hidden` wide, with `heads` heads and a
# vocabulary of `vocab`? It has 512 positions, 2 segments, a feed-forward part four times as wide as
# the model, biases in every linear map, and a pooler. **Without building it**, return a dictionary
# with the number of parameters of each part:
#
# - `"embeddings"`: the three tables and the LayerNorm after their sum;
# - `"attention"`: of all layers, with the map that mixes the heads at the end;
# - `"feed-forward"`: of all layers;
# - `"norms"`: the LayerNorms inside the layers;
# - `"pooler"`: one linear map from the width to the width;
# - `"total"`.
#
# *Example.* For `layers=1, hidden=2, heads=1, vocab=10`: embeddings (10 + 512 + 2) · 2 + 4 = 1052,
# attention 24, feed-forward 42, norms 8, pooler 6, in total 1132.

# %% stub
def count(layers: int, hidden: int, heads: int, vocab: int) -> dict:
    """The number of parameters of each part of a BERT, and of all of it."""
    # BEGIN SOLUTION
    d = hidden
    parts = {
        "embeddings": (vocab + 512 + 2) * d + 2 * d,
        "attention": layers * (4 * d * d + 4 * d),
        "feed-forward": layers * (8 * d * d + 5 * d),
        "norms": layers * 4 * d,
        "pooler": d * d + d,
    }
    return {**parts, "total": sum(parts.values())}
    # END SOLUTION

# %% check
def cases(rng):
    yield {"layers": 12, "hidden": 768, "heads": 12, "vocab": 30522}
    yield {"layers": 24, "hidden": 1024, "heads": 16, "vocab": 30522}
    for _ in range(2):
        heads = int(rng.integers(2, 13))
        yield {
            "layers": int(rng.integers(2, 13)), "hidden": 64 * heads, "heads": heads,
            "vocab": int(rng.integers(5000, 60000)),
        }

def numbers(case, got, expected):
    d = case["hidden"]
    fields = {**case, "inner": 4 * d, "name": f"{case['layers']} layers of {d}"}
    for part in ("embeddings", "attention", "feed-forward", "norms", "pooler", "total"):
        key = part.replace("-", "_")
        fields[key] = got[part]
        fields[f"{key}_lacks"] = expected[part] - got[part]
        fields[f"{key}_over"] = got[part] - expected[part]
        fields[f"{key}_right"] = expected[part]
    return fields

# %% another right solution
def count(layers, hidden, heads, vocab):
    with torch.device("meta"):
        layer = torch.nn.TransformerEncoderLayer(hidden, heads, 4 * hidden)
        tables = [torch.nn.Embedding(n, hidden) for n in (vocab, 512, 2)]
        norm, pooler = torch.nn.LayerNorm(hidden), torch.nn.Linear(hidden, hidden)

    def size(*modules):
        return sum(p.numel() for module in modules for p in module.parameters())

    parts = {
        "embeddings": size(*tables, norm),
        "attention": layers * size(layer.self_attn),
        "feed-forward": layers * size(layer.linear1, layer.linear2),
        "norms": layers * size(layer.norm1, layer.norm2),
        "pooler": size(pooler),
    }
    parts["total"] = layers * size(layer) + size(*tables, norm, pooler)
    return parts

# %% misconception: the layers share their weights
# says: For {name} you count {attention:,} parameters of attention, those of a single layer. Each of
# the {layers} layers has weights of its own. (ALBERT shares them; BERT does not.)
# edit: d = hidden => d, layers = hidden, 1
# %% misconception: every head brings its own matrices
# says: For {name} you count {attention:,} parameters of attention, {heads} times too many. Heads
# cut the output of the same matrices into pieces; the count does not contain their number.
# edit: layers * (4 * => layers * heads * (4 *
# %% misconception: the map that mixes the heads forgotten
# says: For {name} your attention is {attention_lacks:,} parameters short, a quarter of it. Query,
# key and value are three maps; a fourth mixes the heads once they are laid side by side again.
# edit: (4 * d * d + 4 * d) => (3 * d * d + 3 * d)
# %% misconception: biases forgotten
# says: For {name} your attention is {attention_lacks:,} parameters short, and your feed-forward
# part {feed_forward_lacks:,}: you count matrices only. Every linear map has a bias, too, as long as
# its output is wide. (That is less than a thousandth of the whole; the count is exact with it.)
# edit: (4 * d * d + 4 * d) => 4 * d * d
# edit: (8 * d * d + 5 * d) => 8 * d * d
# edit: d * d + d, => d * d,
# %% misconception: the wide bias counted as narrow
# says: For {name} your feed-forward part is {feed_forward_lacks:,} parameters short. A bias is as
# long as the **output** of its map: the first map ends {inner} wide, the second {hidden}, five
# times the width together.
# edit: 8 * d * d + 5 * d => 8 * d * d + 2 * d
# %% misconception: only one of the two wide matrices
# says: For {name} your feed-forward part holds {feed_forward:,} parameters, about half of what it
# should. A row goes up to {inner} numbers **and** down again to {hidden}: two matrices.
# edit: 8 * d * d + 5 * d => 4 * d * d + 4 * d
# %% misconception: the LayerNorm of the embeddings forgotten
# says: For {name} your embeddings are {embeddings_lacks:,} parameters short: the LayerNorm after
# the sum, with its gain and its bias. The documents leave it out as well; without it the model
# talks nonsense.
# edit: (vocab + 512 + 2) * d + 2 * d => (vocab + 512 + 2) * d
# %% misconception: only the table of tokens
# says: For {name} your embeddings are {embeddings_lacks:,} parameters short: beside the table of
# tokens there is one with 512 positions and one with 2 segments, each row {hidden} wide, and both
# are learned.
# edit: (vocab + 512 + 2) * d => vocab * d
# %% misconception: half of the LayerNorms
# says: For {name} you count {norms:,} parameters of LayerNorms, half of what there is. A layer has
# two of them, one after each half, and each has two vectors, a gain and a bias: four times the
# width.
# edit: layers * 4 * d => layers * 2 * d
# %% misconception: the embeddings' LayerNorm among those of the layers
# says: For {name} your total is right. But you count {norms_over:,} parameters too many among the
# LayerNorms inside the layers, and those are missing in the embeddings: the LayerNorm after the sum
# of the three vectors belongs to them, since it comes before the first layer.
# edit: (vocab + 512 + 2) * d + 2 * d => (vocab + 512 + 2) * d
# edit: layers * 4 * d => layers * 4 * d + 2 * d
# %% misconception: the pooler is left out of the total
# says: For {name} your parts are right, and your total is {total_lacks:,} short: that is the
# pooler. It belongs to the model, and it is what the well-known count of BERT-Base, 109,482,240,
# contains.
# edit: sum(parts.values()) => sum(parts.values()) - parts["pooler"]
# %% hints
# 1. A linear map from n to m numbers has n · m weights and m biases. Check each part against the
# example before you go on to the next.
# 2. In a layer: four maps from d to d, one from d to 4 d, one from 4 d to d, and two LayerNorms with a
# gain and a bias each. All of it once for every layer.
# 3. Attention 4 d² + 4 d, feed-forward 8 d² + 5 d, norms 4 d, each times the number of layers; the
# embeddings (vocab + 512 + 2) d + 2 d; the pooler d² + d.
# %% explanation
# The layers grow with the square of the width and the embeddings only with the width itself, so a
# small BERT is mostly vocabulary and a large one mostly layers. The number of heads occurs nowhere.
# With the pooler, Base comes to 109,482,240 and Large to 335,141,888, which is not quite the 340
# million that everybody copies.

# %% task 6.6: The layers in a row, with real weights
# kind: write; points: 22; minutes: 25; function: encoder; needs: minilm; tolerance: 0.00003
# without: minibert, transformers, MultiheadAttention, multi_head_attention_forward
# without: TransformerEncoderLayer, TransformerEncoder
#
# Now the parts become an encoder, and the encoder gets the weights of `minilm`, a real BERT. Write
# `encoder(x, attention_mask, weights, layers, heads)`.
#
# - `x` is `(B, T, d)`: the embeddings, summed and normalised. `attention_mask` is `(B, T)`, 1 at
#   real tokens and 0 at padding, which no query may attend to.
# - `weights` is the dictionary that lies in the file. Layer 0 has the names
#   `encoder.layer.0.attention.self.query`, `….self.key`, `….self.value`,
#   `encoder.layer.0.attention.output.dense`, `encoder.layer.0.attention.output.LayerNorm`,
#   `encoder.layer.0.intermediate.dense`, `encoder.layer.0.output.dense` and
#   `encoder.layer.0.output.LayerNorm`, each of them once with `.weight` and once with `.bias`
#   behind it. The matrices are kept as `nn.Linear` keeps them, a row for each number that comes
#   out.
# - A layer is post-LN; GELU is the exact form; eps is `1e-12`.
#
# Return what each layer gives out, in one tensor `(layers, B, T, d)`. It has to agree with `minilm`
# to 0.00003.
#
# *Example.* Let all weights be 0 but the gains of the LayerNorms, and these 1: both changes are then
# 0, and every layer gives out the rows of `x`, normalised.

# %% stub
def encoder(
    x: Tensor, attention_mask: Tensor, weights: dict[str, Tensor], layers: int, heads: int
) -> Tensor:
    """(B, T, d) to (layers, B, T, d): what each layer gives out."""
    # BEGIN SOLUTION
    def linear(name: str, rows: Tensor) -> Tensor:
        return F.linear(rows, weights[f"{name}.weight"], weights[f"{name}.bias"])

    def norm(name: str, rows: Tensor) -> Tensor:
        gain, bias = weights[f"{name}.weight"], weights[f"{name}.bias"]
        return F.layer_norm(rows, rows.shape[-1:], gain, bias, 1e-12)

    def split(rows: Tensor) -> Tensor:
        return rows.unflatten(-1, (heads, -1)).transpose(1, 2)  # (B, H, T, d / H)

    hidden = ~attention_mask[:, None, None, :].bool()
    states = []
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
from minibert.data.download import fetch
from safetensors.torch import load_file

WEIGHTS = load_file(fetch("minilm") / "model.safetensors")

def run(function, case):
    ids = case["input_ids"]
    kinds = ("word", "position", "token_type")
    token, position, segment = (WEIGHTS[f"embeddings.{kind}_embeddings.weight"] for kind in kinds)
    gain, bias = (WEIGHTS[f"embeddings.LayerNorm.{kind}"] for kind in ("weight", "bias"))
    x = token[ids] + segment[0] + position[: ids.shape[1]]
    return function(
        F.layer_norm(x, (384,), gain, bias, 1e-12), case["attention_mask"], dict(WEIGHTS),
        case["layers"], 12,
    )

# %% check
SENTENCES = [
    "Before my bed the moonlight shone.", "The bank of the river was steep.",
    "She opened an account at the bank.", "Nobody expected the film to be that good!",
    "The quick brown fox jumps over the lazy dog.", "Rome is the capital of Italy.",
    "It rained, so we stayed at home.", "What a waste of two hours.",
]

def cases(rng):
    from minibert import Tokenizer

    tokenizer = Tokenizer.from_pretrained("minilm")
    texts = rng.permutation(SENTENCES).tolist()
    # A long one and a short one, so that there is padding.
    for layers, chosen in ((3, texts[:1]), (6, [texts[1], f"{texts[2]} {texts[3]}"])):
        batch = tokenizer(chosen, padding=True)
        yield {
            "input_ids": batch["input_ids"], "attention_mask": batch["attention_mask"],
            "layers": layers,
        }

def numbers(case, got, expected):
    off = (got - expected).abs().flatten(1).amax(1)
    first = int((off > 3e-5).int().argmax())
    return {
        "layer": first, "off": off[first].item(), "last": off[-1].item(),
        "layers": case["layers"], "rows": got.shape[0],
    }

# %% another right solution
def encoder(x, attention_mask, weights, layers, heads):
    batch, length, width = x.shape
    mask = attention_mask.bool()[:, None, None].expand(batch, 1, length, length)
    found = torch.empty(layers, batch, length, width)
    for i in range(layers):
        prefix = f"encoder.layer.{i}."
        own = {k.removeprefix(prefix): w for k, w in weights.items() if k.startswith(prefix)}

        def affine(name, rows):
            return rows @ own[name + ".weight"].T + own[name + ".bias"]

        def normalised(name, rows):
            rows = rows - rows.mean(-1, keepdim=True)
            rows = rows / rows.square().mean(-1, keepdim=True).sqrt()
            return rows * own[name + ".LayerNorm.weight"] + own[name + ".LayerNorm.bias"]

        parts = [
            affine(f"attention.self.{kind}", x).view(batch, length, heads, -1).permute(0, 2, 1, 3)
            for kind in ("query", "key", "value")
        ]
        mixed = F.scaled_dot_product_attention(*parts, attn_mask=mask)
        mixed = mixed.permute(0, 2, 1, 3).reshape(batch, length, width)
        x = normalised("attention.output", x + affine("attention.output.dense", mixed))
        wide = affine("intermediate.dense", x)
        wide = wide / 2 * (1 + torch.erf(wide / math.sqrt(2)))
        found[i] = x = normalised("output", x + affine("output.dense", wide))
    return found

# %% misconception: every layer has the weights of the first
# says: Layer 0 is right, and layer {layer} is the first that is not: it is off by {off:.2g}. Do all
# layers read the weights of layer 0? The number stands in the name, `encoder.layer.1.…`.
# edit: f"encoder.layer.{number}" => "encoder.layer.0"
# %% misconception: the tanh form of GELU
# says: Layer {layer} is the first that is off, by {off:.2g}, which looks like rounding and is not:
# after the last layer it is {last:.2g}. Is your GELU the tanh form? `minilm` was trained with the
# exact one, with the error function.
# edit: F.gelu(linear(f"{layer}.intermediate.dense", x)) => F.gelu(linear(f"{layer}.intermediate.dense", x), approximate="tanh")
# %% misconception: ReLU instead of GELU
# says: Layer {layer} is off by {off:.2g}. The bend between the two wide matrices is not the one
# that these weights were trained with. Is it ReLU? BERT's is GELU.
# edit: F.gelu( => F.relu(
# %% misconception: PyTorch's own eps
# says: Layer {layer} is the first that is off, by no more than {off:.2g}. All parts seem to be
# there, and one number is another one. Is it the eps of the LayerNorms? PyTorch's own is `1e-5`,
# BERT's `1e-12`.
# edit: gain, bias, 1e-12) => gain, bias)
# %% misconception: scaled by the width of the model
# says: Layer {layer} is off by {off:.2g}: attention is spread more evenly than it should be. By
# which root are the scores divided? A head's queries are `d / heads` numbers wide, and it is the
# root of that.
# edit: math.sqrt(query.shape[-1]) => math.sqrt(x.shape[-1])
# %% misconception: no scaling
# says: Layer {layer} is off by {off:.2g}: attention is more one-sided than it should be. Are the
# scores divided by the root of the width of a head?
# edit: query @ key.mT / math.sqrt(query.shape[-1]) => query @ key.mT
# %% misconception: padding is attended to
# says: Without padding you are right; with it, layer {layer} is off by {off:.2g}. Where is
# `attention_mask` used? No query may attend to a place that is 0 in it.
# edit: scores.masked_fill(hidden, -torch.inf) => scores
# %% misconception: the mask is multiplied
# says: Without padding you are right; with it, layer {layer} is off by {off:.2g}. Are the scores of
# the padding set to zero? Zero is a score like any other, and the softmax gives it weight. It has
# to be minus infinity.
# edit: scores.masked_fill(hidden, -torch.inf) => (scores * ~hidden)
# %% misconception: the heads are cut across the tokens
# says: Layer {layer} is off by {off:.2g}. Is `x` cut into heads by a `view` to `(B, heads, T, …)`?
# That cuts the row of numbers in the middle of tokens. First `(B, T, heads, …)`, then swap two axes
# (task 5.4).
# edit: rows.unflatten(-1, (heads, -1)).transpose(1, 2) => rows.reshape(len(rows), heads, rows.shape[1], -1)
# %% misconception: the heads are not laid side by side again
# says: Layer {layer} is off by {off:.2g}. What the heads give out is `(B, heads, T, d / heads)`. Is
# it reshaped to `(B, T, d)` as it lies? Then a row holds pieces of other tokens. Swap heads and
# tokens back first.
# edit: mixed.transpose(1, 2).flatten(2) => mixed.reshape(x.shape)
# %% misconception: no map after the heads
# says: Layer {layer} is off by {off:.2g}. Are the heads laid side by side and added as they are?
# Between the two stands `attention.output.dense`, which mixes them.
# edit: linear(f"{layer}.attention.output.dense", mixed.transpose(1, 2).flatten(2)) => mixed.transpose(1, 2).flatten(2)
# %% misconception: biases left out
# says: Layer {layer} is off by {off:.2g}. Every linear map has a `.bias` in the dictionary as well;
# is it added?
# edit: weights[f"{name}.weight"], weights[f"{name}.bias"]) => weights[f"{name}.weight"])
# %% misconception: pre-LN
# says: Layer {layer} is off by {off:.2g}. Do your halves read what came in normalised, and is the
# change added to what came in as it was? That is pre-LN. BERT adds first, and normalises the sum.
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
# %% misconception: one LayerNorm for both halves
# says: Layer {layer} is off by {off:.2g}. A layer has two LayerNorms with weights of their own,
# `attention.output.LayerNorm` and `output.LayerNorm`. Do both halves use the second?
# edit: {layer}.attention.output.LayerNorm => {layer}.output.LayerNorm
# %% misconception: nothing is added in the attention half
# says: Layer {layer} is off by {off:.2g}. Is what attention computes added to what came in, before
# the LayerNorm? It is a change.
# edit: attention.output.LayerNorm", x + change) => attention.output.LayerNorm", change)
# %% misconception: nothing is added in the second half
# says: Layer {layer} is off by {off:.2g}. The second half computes a change as well: is it added to
# what the first half gave out, before the LayerNorm?
# - x = norm(f"{layer}.output.LayerNorm", x + change)
# + x = norm(f"{layer}.output.LayerNorm", change)
# %% misconception: queries and keys exchanged
# says: Layer {layer} is off by {off:.2g}. A row of the scores belongs to one query. With you it
# belongs to a key: is it `key @ query.mT`?
# edit: query @ key.mT => key @ query.mT
# %% misconception: the last layer only
# says: You return what {rows} layers give out, and {layers} are expected: (layers, B, T, d).
# edit: torch.stack(states) => torch.stack(states[-1:])
# %% hints
# 1. Two helpers make it short: `linear(name, rows)` looks up `name + ".weight"` and `name +
# ".bias"`, and `norm(name, rows)` does so for a LayerNorm. Then a layer is about ten lines.
# 2. Cut queries, keys and values into heads as in task 5.4, attend as in 5.1, swap the axes back,
# `flatten(2)`, and then `attention.output.dense`. Everything after that is task 6.4 with weights.
# 3. Begin with one layer and compare: `case("6.6")` has an input and what is expected.
# %% explanation
# Sixteen tensors a layer, and everything that this chapter took apart is in its place again. It is
# worth noticing what the comparison can see: a tanh for an erf, or an eps of 1e-5, makes a model
# that reads and answers as before and that is a little off everywhere. To the fifth decimal is the
# only way to know that it is the same model.
# %% free choices
# - `1e-12` => `2e-12`: the variances are far larger than either.
