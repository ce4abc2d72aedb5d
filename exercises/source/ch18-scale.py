# %% [markdown]
# # Exercises 18 · Memory, precision, and more than one machine
#
# Chapter 18 counted what a step of training holds and found ways to make it smaller. Here you count
# for yourself, write an adapter that can be merged, mend an average over several machines that was
# wrong in more than one well-known program, and measure what bf16 does to a small step. The last
# task is the **project of Part IV**: teach a frozen network something new with very few numbers.

# %% setup
import math

import torch
from torch import Tensor, nn
from torch.nn import functional

# %% task 18.1: What a step of training holds
# kind: write; points: 18; minutes: 12; function: step_memory
#
# Write `step_memory(...)`: the bytes that one step of training with AdamW holds, all in numbers of
# 32 bits, as a dictionary with the keys `"weights"`, `"gradients"`, `"optimizer"` and
# `"activations"`.
#
# - The model has `parameters` numbers, of which `trained` are trained and the rest are frozen.
# - A batch of `batch` texts of `length` tokens goes through `layers` layers of width `hidden` with
#   `heads` heads. One layer leaves behind what the table of the chapter adds up to,
#   $18\,Nd + 3\,BHT^2$ numbers (attention written out, with dropout). Leave the small things out:
#   the two numbers a row of each LayerNorm, and whatever lies below and above the layers.
# - With `checkpointing` only what goes *into* each layer is kept, $Nd$ numbers. While a layer runs
#   forward for the second time, *all* that it leaves behind is there for that moment. (Its input is
#   part of that, and is not there twice.)
#
# *Example.* `parameters=10, trained=10, layers=2, batch=1, length=2, hidden=4, heads=1`: 40 bytes
# of weights, 40 of gradients, 80 for the optimizer. $Nd$ is 8, so a layer leaves 18 · 8 + 3 · 4 =
# 156 numbers: `1248` bytes of activations for both. With checkpointing 8 + 156 = 164 numbers, `656`
# bytes.

# %% stub
def step_memory(
    parameters: int,
    trained: int,
    layers: int,
    batch: int,
    length: int,
    hidden: int,
    heads: int,
    checkpointing: bool,
) -> dict[str, int]:
    """Bytes of weights, gradients, optimizer and activations in one step of training."""
    # BEGIN SOLUTION
    into = batch * length * hidden
    layer = 18 * into + 3 * batch * heads * length**2
    kept = (layers - 1) * into + layer if checkpointing else layers * layer
    return {
        "weights": 4 * parameters,
        "gradients": 4 * trained,
        "optimizer": 8 * trained,
        "activations": 4 * kept,
    }
    # END SOLUTION

# %% check
def cases(rng):
    small = {"parameters": 10, "trained": 10, "layers": 2, "batch": 1, "length": 2, "hidden": 4}
    yield {**small, "heads": 1, "checkpointing": False}
    for frozen, checkpointing in ((False, False), (True, False), (False, True), (True, True)):
        parameters, heads = int(rng.integers(10**7, 10**8)), int(rng.integers(4, 17))
        yield {
            "parameters": parameters,
            "trained": parameters // int(rng.integers(20, 200)) if frozen else parameters,
            "layers": int(rng.integers(6, 25)), "batch": int(rng.integers(4, 33)),
            "length": int(rng.integers(64, 513)), "hidden": 64 * heads, "heads": heads,
            "checkpointing": checkpointing,
        }

def numbers(case, got, expected):
    return {
        **case, "parts": got, "frozen": case["parameters"] - case["trained"],
        "yours": got["activations"], "right": expected["activations"],
        "ratio": got["activations"] / expected["activations"], "gradients": got["gradients"],
        "optimizer": got["optimizer"], "should": expected["optimizer"],
        "into": 4 * case["batch"] * case["length"] * case["hidden"],
    }

# %% another right solution
def step_memory(parameters, trained, layers, batch, length, hidden, heads, checkpointing):
    rows, maps = batch * length, batch * heads * length * length
    table = [1, 3, 0, 1, 2, 1, 8, 2]  # how many times rows of width `hidden`, line by line
    numbers = torch.zeros(layers, dtype=torch.int64)
    for layer in range(layers):
        is_alone = checkpointing and layer > 0  # the first stands for the one computed again
        times = table[:1] if is_alone else table
        numbers[layer] = sum(times) * rows * hidden + (0 if is_alone else 3 * maps)
    bytes_each = torch.finfo(torch.float32).bits // 8
    parts = {"weights": parameters, "gradients": trained, "optimizer": trained + trained}
    parts["activations"] = int(numbers.sum())
    return {name: bytes_each * count for name, count in parts.items()}

# %% misconception: frozen weights with gradients and optimizer state
# says: {frozen:,} parameters are frozen, and you give them gradients and optimizer state all the
# same. Nothing is ever added to a frozen weight, so nobody needs its gradient, nor a running mean
# of it: four bytes are left of its sixteen.
# edit: 4 * trained => 4 * parameters
# edit: 8 * trained => 8 * parameters
# %% misconception: one running mean instead of two
# says: You reckon {optimizer:,} bytes for the optimizer, and there are {should:,}. AdamW remembers
# *two* running means for each trained parameter, of the gradient and of its square.
# edit: 8 * trained => 4 * trained
# %% misconception: activations in numbers, not in bytes
# says: Your activations are {yours:,}; expected are {right:,}, four times as many. The formula of
# the chapter counts *numbers*, and a number in 32 bits takes four bytes.
# edit: 4 * kept => kept
# %% misconception: activations of one layer only
# says: You have {yours:,} bytes of activations, where {right:,} are expected. The formula is for
# *one* layer, and there are {layers} of them. Without checkpointing all of them wait for the way
# back.
# edit: else layers * layer => else layer
# %% misconception: fewer activations because less is trained
# says: Only {trained:,} of {parameters:,} parameters are trained here, and you let the activations
# shrink with them. The gradient still has to pass through all layers on its way to the lowest
# adapter, so every layer's results are needed as before. Freezing saves gradients and optimizer
# state alone.
# edit: 4 * kept => 4 * kept * trained // parameters
# %% misconception: one attention map for all heads
# says: Your activations are {ratio:.0%} of what is expected for {heads} heads. *Each* head has a
# map of its own with a number for every pair of tokens; the H in the formula counts them.
# edit: heads * length**2 => length**2
# %% misconception: checkpointing without the layer that is computed again
# says: With checkpointing you have {yours:,} bytes, the inputs of {layers} layers and nothing more.
# In the backward pass a layer runs forward once more, and at that moment all that *one* layer
# leaves behind is there as well. For a large batch that is a good part of the whole.
# edit: (layers - 1) * into + layer => layers * into
# %% misconception: an input that is there twice
# says: With checkpointing you have {into:,} bytes too many, one layer's input. The inputs of all
# layers are kept, and the table's first line counts the input of the layer that is computed again
# once more: it is the same tensor.
# edit: (layers - 1) * into => layers * into
# %% hints
# 1. Three of the four parts depend on two numbers alone. Who needs a gradient, and who needs a running
# mean of it?
# 2. Name two intermediate results: what goes into a layer, `batch * length * hidden`, and all that one
# layer leaves behind. Without checkpointing the latter counts `layers` times.
# 3. With checkpointing: `layers - 1` inputs, and one layer with everything, its input included. Four
# bytes a number.
# %% explanation
# Sixteen bytes for every trained parameter, four for a frozen one; what the text leaves behind
# comes on top, and does not ask how many parameters are trained. Checkpointing keeps about an
# eighteenth of it for each layer, or less, and pays with a second forward pass.
# `minibert.course.analysis.memory.training_memory` is this sum with the small things put back, and is right to the
# byte.

# %% task 18.2: What will fit, before anything runs
# kind: predict; points: 14; minutes: 8; function: predict
#
# A model has `parameters` numbers in all, among them `layers` layers of width `hidden` $= d$. A
# layer has four matrices: query-key-value ($d \to 3d$), output ($d \to d$), up ($d \to 4d$), down
# ($4d \to d$). **Without building anything**, return a dictionary:
#
# - `"adapter"`: how many numbers are trained if every one of these matrices gets an adapter of rank
#   `rank`, two thin matrices $A$ and $B$, and nothing else is trained;
# - `"float32"`: the bytes of weights, gradients and AdamW's state if *all* parameters are trained
#   in 32 bits;
# - `"mixed"`: the same with mixed precision, as in the chapter, where a copy of the layers'
#   matrices in 16 bits is there besides (leave all other copies out);
# - `"adapted"`: the bytes of weights, gradients and state, in 32 bits, if the `parameters` are
#   frozen and the adapters alone are trained.
#
# *Example.* With `layers=1, hidden=2, rank=1, parameters=100`: the adapters have
# (2 + 6) + (2 + 2) + (2 + 8) + (8 + 2) = `32` numbers; the bytes are `1600`, `1696` and `912`.

# %% stub
def predict(layers: int, hidden: int, rank: int, parameters: int) -> dict[str, int]:
    """Numbers of the adapters, and the bytes that belong to the model in three ways to train it."""
    # BEGIN SOLUTION
    matrices = [(hidden, 3 * hidden), (hidden, hidden), (hidden, 4 * hidden), (4 * hidden, hidden)]
    thin = layers * sum(rank * (inside + outside) for inside, outside in matrices)
    wide = layers * sum(inside * outside for inside, outside in matrices)
    return {
        "adapter": thin,
        "float32": 16 * parameters,
        "mixed": 16 * parameters + 2 * wide,
        "adapted": 4 * parameters + 16 * thin,
    }
    # END SOLUTION

# %% check
def cases(rng):
    yield {"layers": 1, "hidden": 2, "rank": 1, "parameters": 100}
    base = {"layers": 12, "hidden": 768, "parameters": 109_482_240}
    large = {"layers": 24, "hidden": 1024, "parameters": 335_141_888}
    for size in (base, large):
        yield {**size, "rank": int(rng.choice([2, 4, 8, 16, 32]))}

def numbers(case, got, expected):
    return {
        **case, **{f"your_{name}": value for name, value in got.items()},
        **{f"right_{name}": value for name, value in expected.items()},
        "times": got["adapter"] / expected["adapter"],
    }

# %% another right solution
def predict(layers, hidden, rank, parameters):
    adapter = 16 * rank * hidden * layers
    matrices = 12 * hidden**2 * layers
    weight, gradient, state, copy = 4, 4, 2 * 4, 2
    everything = (weight + gradient + state) * parameters
    return {
        "adapter": adapter,
        "float32": everything,
        "mixed": everything + copy * matrices,
        "adapted": weight * (parameters + adapter) + (gradient + state) * adapter,
    }

# %% misconception: mixed precision halves everything
# says: You have {your_mixed:,} bytes with mixed precision, half of those in 32 bits; there are
# {right_mixed:,}. What belongs to the parameters does not shrink: a small step would be lost in a
# weight of 16 bits, so weights, gradients and running means stay in 32. The copies come on top.
# What is halved are matrix products and what they leave behind.
# edit: 16 * parameters + 2 * wide => 8 * parameters
# %% misconception: copies in the place of the weights
# says: You have {your_mixed:,} bytes with mixed precision, where there are {right_mixed:,}. Yours
# are fewer than without it. The matrices in 16 bits are *copies*: the weights themselves stay in 32
# bits and are still there.
# edit: + 2 * wide => - 2 * wide
# %% misconception: no copies at all
# says: With mixed precision you have {your_mixed:,} bytes, as many as without. Two bytes for each
# number of the layers' matrices come on top, {right_mixed:,} in all: it is copies in 16 bits that
# are multiplied.
# edit: 16 * parameters + 2 * wide => 16 * parameters
# %% misconception: all four matrices square
# says: You count {your_adapter:,} numbers in the adapters; there are {right_adapter:,}. Yours would
# be right if all four matrices went from d to d. Three of them are wider on one side, and A or B is
# as wide as that side.
# edit: (inside + outside) for inside, outside in matrices => 2 * hidden for _ in matrices
# %% misconception: the rank times the whole matrix
# says: You count {your_adapter:,} numbers in the adapters; there are {right_adapter:,}. You
# multiply the two sides of each matrix, as for a matrix of full size. A has rank × in numbers and B
# has out × rank: the sides are *added*, and that is why an adapter is small.
# edit: rank * (inside + outside) => rank * inside * outside
# %% misconception: the frozen weights are not there
# says: You have {your_adapted:,} bytes when the adapters alone are trained; there are
# {right_adapted:,}. A frozen weight is not trained, but it is still used in every step: its four
# bytes stay.
# edit: 4 * parameters + 16 * thin => 16 * thin
# %% misconception: gradients and state for what is frozen
# says: You have {your_adapted:,} bytes when the adapters alone are trained, more than for training
# everything ({right_float32:,}). Frozen weights have no gradient and no state: four bytes each, and
# sixteen for each number of the adapters.
# edit: 4 * parameters + 16 * thin => 16 * (parameters + thin)
# %% hints
# 1. Start with one matrix, d to 4d. What shape has A, what shape has B, how many numbers have they
# together? And how many numbers has the matrix itself?
# 2. Per layer the adapters have rank × (4 + 2 + 5 + 5) d numbers, the matrices (3 + 1 + 4 + 4) d².
# 3. A trained number takes 4 + 4 + 8 bytes, a frozen one 4, a copy in 16 bits 2. Ask for each of the
# three sums: which numbers are trained, which are frozen, which are copied?
# %% explanation
# For Base and rank 8 the adapters are about one number in a hundred, and gradients and state all
# but vanish; the frozen weights stay. Mixed precision makes what belongs to the parameters *larger*
# by the copies; it saves on the activations, which is where most of the memory goes.

# %% task 18.3: An adapter that starts at nothing and can be folded away
# kind: write; points: 18; minutes: 20; function: LowRankLinear; tolerance: 0.001
#
# Write the class `LowRankLinear(linear, rank, alpha)`: a frozen `nn.Linear` from `d_in` to `d_out`,
# and beside it the trained product of two thin matrices, $Wx + c + \frac{\alpha}{r} B A x$.
#
# - `lora_a` `(rank, d_in)` and `lora_b` `(d_out, rank)` are parameters, and the only ones that are
#   trained. They start so that at first *nothing changes*, and so that training can use the whole
#   rank.
# - `forward(x)` takes `(N, d_in)` to `(N, d_out)`.
# - `merge()` adds the product into `linear.weight`. Afterwards `forward` gives what it gave before,
#   and a second call of `merge()` changes nothing any more.
#
# *Example.* `W = [[1, 0]]`, no bias, rank 1, alpha 2, and after some training `A = [[0, 1]]`,
# `B = [[3]]`. For `x = [[5, 7]]` the output is 5 + 2 · 3 · 7 = `47`. After `merge()` the weight is
# `[[1, 6]]`, and the output is still 47, however often `merge()` is called.

# %% stub
class LowRankLinear(nn.Module):
    """A frozen linear map and a trained one of low rank beside it."""

    lora_a: Tensor  # (rank, d_in)
    lora_b: Tensor  # (d_out, rank)

    def __init__(self, linear: nn.Linear, rank: int, alpha: float) -> None:
        super().__init__()
        self.linear = linear
        # BEGIN SOLUTION
        self.linear.requires_grad_(False)
        self.scale = alpha / rank
        self.lora_a = nn.Parameter(torch.randn(rank, linear.in_features) / linear.in_features**0.5)
        self.lora_b = nn.Parameter(torch.zeros(linear.out_features, rank))
        # END SOLUTION

    def forward(self, x: Tensor) -> Tensor:
        """(N, d_in) to (N, d_out)."""
        # BEGIN SOLUTION
        return self.linear(x) + self.scale * (x @ self.lora_a.mT) @ self.lora_b.mT
        # END SOLUTION

    @torch.no_grad()
    def merge(self) -> None:
        """Add the product into the weight; the outputs stay, and a second call changes nothing."""
        # BEGIN SOLUTION
        self.linear.weight += self.scale * self.lora_b @ self.lora_a
        self.lora_b.zero_()  # what has been added is not there a second time
        # END SOLUTION

# %% run
def run(function, case):
    weight, shapes = case["weight"], [tuple(case["a"].shape), tuple(case["b"].shape)]

    def build():
        torch.manual_seed(case["seed"])
        linear = nn.Linear(weight.shape[1], weight.shape[0])
        with torch.no_grad():
            linear.weight.copy_(weight)
            linear.bias.copy_(case["bias"])
        return function(linear, case["rank"], case["alpha"])

    module, x = build(), case["x"]
    result = {"shapes": [tuple(module.lora_a.shape), tuple(module.lora_b.shape)]}
    result["free"] = sorted(name for name, p in module.named_parameters() if p.requires_grad)
    if result["shapes"] != shapes or not result["free"]:
        return result
    result["start"] = module(x).detach().clone()
    learner = torch.optim.AdamW([p for p in module.parameters() if p.requires_grad], lr=0.03)
    for step in range(30):
        loss = ((module(x) - case["y"]) ** 2).mean()
        learner.zero_grad()
        loss.backward()
        if step in (0, 29):
            found = [module.lora_a.grad, module.lora_b.grad]
            pull = [0.0 if g is None else g.abs().max().item() for g in found]
            result["pull" if step == 0 else "later"] = pull
        learner.step()
    with torch.no_grad():
        result["spread"] = torch.linalg.svdvals(module.lora_b @ module.lora_a)[: case["rank"]]
        module = build()
        module.lora_a.copy_(case["a"])
        module.lora_b.copy_(case["b"])
        result["tuned"] = module(x).clone()
        module.merge()
        result["merged"] = module(x).clone()
        result["weight"] = module.linear.weight.clone()
        module.merge()
        result["again"] = module(x).clone()
    return result

# %% check
def cases(rng):
    for size_in, size_out, rank, times in ((6, 4, 2, 3.0), (10, 16, 4, 0.5)):
        shapes = (
            (size_out, size_in), (size_out,), (rank, size_in), (size_out, rank), (32, size_in),
        )
        w, c, a, b, x = (torch.from_numpy(rng.normal(size=shape)).float() for shape in shapes)
        wanted = x @ torch.from_numpy(rng.normal(size=(size_in, size_out))).float()
        yield {
            "weight": w, "bias": c, "a": a, "b": b, "x": x, "y": wanted, "rank": rank,
            "alpha": times * rank, "seed": int(rng.integers(2**31)),
        }

def outputs(case):
    """What comes out without the adapter, and what the product adds, unscaled."""
    plain = case["x"] @ case["weight"].mT + case["bias"]
    return plain, case["x"] @ case["a"].mT @ case["b"].mT

def near(one, other):
    return one.shape == other.shape and torch.allclose(one, other, 1e-3, 1e-3)

def judge(case, got, expected):
    rank, alpha = case["rank"], case["alpha"]
    if got["shapes"] != expected["shapes"]:
        return (
            f"Your `lora_a` and `lora_b` are {got['shapes'][0]} and {got['shapes'][1]}; expected "
            f"are {expected['shapes'][0]} and {expected['shapes'][1]}: A reads the input, B makes "
            "the output."
        )
    if not got["free"]:
        return "No parameter can be trained: `lora_a` and `lora_b` have to be `nn.Parameter`."
    if "linear.weight" in got["free"]:
        return "the frozen weight is trained as well"
    if got["free"] != ["lora_a", "lora_b"]:
        free = ", ".join(got["free"])
        return f"Trained are {free}; `lora_a` and `lora_b`, and nothing else, should be."
    plain, product = outputs(case)
    scale = alpha / rank
    tuned, start = got["tuned"], got["start"]
    if near(tuned, plain + product):
        return "no scale"
    if near(tuned, plain + alpha * product):
        return "scaled by alpha alone"
    if near(tuned, plain + scale**2 * product):
        return "scaled twice"
    if near(tuned, scale * product) or near(tuned, scale * product + case["bias"]):
        return "the frozen map is left out"
    if near(tuned, plain - case["bias"] + scale * product):
        return "The bias of the frozen map is missing from your output."
    if not near(tuned, plain + scale * product):
        return (
            "With given A and B your output is not W x + c + (alpha / rank) B A x: for the first "
            f"row it begins with {tuned.flatten()[0].item():.3f}, and "
            f"{(plain + scale * product).flatten()[0].item():.3f} is expected."
        )
    if not near(start, plain):
        return "both matrices random: the start is changed"
    if max(got["pull"]) == 0:
        return "both matrices zero: nothing can learn"
    if min(got["later"]) == 0:
        name = "lora_a" if got["later"][0] == 0 else "lora_b"
        return (
            f"No gradient reaches `{name}`, not even after many steps: is it cut off by a `detach`?"
        )
    if got["spread"][-1] < 1e-3 * got["spread"][0]:
        return "all rows alike"
    if not near(got["merged"], tuned):
        if near(got["merged"], plain + 2 * scale * product):
            return "merged, and still added"
        if near(got["merged"], plain):
            return "Your `merge` leaves the weight as it was, and the adapter is gone."
        if near(got["weight"], case["weight"] + case["b"] @ case["a"]):
            return "merged without the scale"
        return "After `merge()` your output is another one: it is not the product that is added."
    if near(got["weight"], case["weight"]):
        return "After `merge()` the weight of `linear` is what it was: add the product to it."
    if not near(got["again"], tuned):
        return "merged twice"
    return None

def numbers(case, got, expected):
    plain, product = outputs(case)
    scale = case["alpha"] / case["rank"]
    moved = (got["start"] - plain).abs().max().item() if "start" in got else 0.0
    return {
        "rank": case["rank"], "alpha": case["alpha"], "scale": scale, "moved": moved,
        "before": got["tuned"][0, 0].item(), "after": got["merged"][0, 0].item(),
        "again": got["again"][0, 0].item(), "free": ", ".join(got["free"]),
    }

# %% another right solution
class LowRankLinear(nn.Module):
    def __init__(self, linear, rank, alpha):
        super().__init__()
        self.linear = linear
        for parameter in linear.parameters():
            parameter.requires_grad = False
        self.factor, self.is_merged = alpha / rank, False
        self.lora_a = nn.Parameter(linear.weight.new_zeros(rank, linear.in_features))
        self.lora_b = nn.Parameter(0.3 * torch.randn(linear.out_features, rank))

    def change(self):
        return torch.einsum("or,ri->oi", self.lora_b, self.lora_a) * self.factor

    def forward(self, x):
        weight = self.linear.weight if self.is_merged else self.linear.weight + self.change()
        return functional.linear(x, weight, self.linear.bias)

    def merge(self):
        if not self.is_merged:
            self.linear.weight.data = self.linear.weight.data + self.change().detach()
            self.is_merged = True

# %% misconception: both matrices random: the start is changed
# says: Before any training your output differs from that of the frozen map by up to {moved:.2f}: A
# and B both start at random, so their product is a random matrix that is added to W. What was
# learned in pretraining is disturbed before the first step. It is enough if *one* of them starts at
# zero.
# edit: torch.zeros(linear.out_features, rank) => torch.randn(linear.out_features, rank) / rank**0.5
# %% misconception: both matrices zero: nothing can learn
# says: At the start nothing is changed, as it should be, and the gradients of `lora_a` and `lora_b`
# are both exactly zero: the gradient of each factor is multiplied by the *other* one, and both are
# zero. No optimizer gets away from there. One of the two has to start at random.
# - self.lora_a = nn.Parameter(torch.randn(rank, linear.in_features) / linear.in_features**0.5)
# + self.lora_a = nn.Parameter(torch.zeros(rank, linear.in_features))
# %% misconception: all rows alike
# says: After thirty steps of training the product still has rank 1, though {rank} is paid for. If
# all rows of a matrix start alike, they get the same gradient in every step and stay alike for
# ever: {rank} copies of one row. Random numbers make them differ.
# - self.lora_a = nn.Parameter(torch.randn(rank, linear.in_features) / linear.in_features**0.5)
# + self.lora_a = nn.Parameter(torch.full((rank, linear.in_features), 0.1))
# %% misconception: the frozen weight is trained as well
# says: Trained are {free}. The weight of the frozen map needs `requires_grad_(False)`, its bias
# too: else it gets a gradient and optimizer state like any other, and nothing is saved.
# - self.linear.requires_grad_(False)
# %% misconception: no scale
# says: The product is added as it is. It is to be multiplied by alpha / rank, here {alpha:g} /
# {rank} = {scale:g}, so that a change of the rank does not change how large the steps are.
# edit: alpha / rank => 1.0
# %% misconception: scaled by alpha alone
# says: You multiply the product by alpha, {alpha:g}; the scale is alpha / rank = {scale:g}. With a
# larger rank more products are added up, and the division makes up for it.
# edit: alpha / rank => alpha
# %% misconception: merged, and still added
# says: Before merging the output begins with {before:.2f}, after it with {after:.2f}: the product
# is in the weight now, and `forward` adds it once more. Either `forward` has to know that the
# adapter is merged, or there must be nothing left to add.
# - self.lora_b.zero_()  # what has been added is not there a second time
# %% misconception: merged without the scale
# says: Before merging the output begins with {before:.2f}, after it with {after:.2f}. Into the
# weight goes what `forward` adds, the product times alpha / rank = {scale:g}; you merge the product
# alone.
# edit: weight += self.scale * self.lora_b => weight += self.lora_b
# %% misconception: merged twice
# says: After one `merge()` all is well; after a second call the output moves from {after:.2f} to
# {again:.2f}, since the product is added to the weight again. Such a call happens, for instance
# when a model is saved after every epoch. Remember that it has been done, or leave nothing to be
# merged.
# edit: self.lora_b.zero_() => self.forward = self.linear.forward
# %% hints
# 1. `__init__` has four things to do: freeze `linear`, note the scale, make A, make B. If B is zero,
# what is the product, whatever A is? And what is the gradient of A, what that of B?
# 2. For rows `x` `(N, d_in)` the product B A x is `x @ lora_a.mT @ lora_b.mT`. The weight of an
# `nn.Linear` is `(d_out, d_in)`, the same shape as `lora_b @ lora_a`.
# 3. A at random, divided by the root of `d_in`, B zero. In `merge` add scale times `lora_b @ lora_a`
# to the weight, and then set `lora_b` to zero: what has been added cannot be added again.
# %% explanation
# The gradient of B is made with A and that of A with B. If B is zero, the start is unchanged and B
# moves in the first step, A from the second on; if both are zero, neither ever moves; if both are
# random, the start is lost. After merging B is zero again, so that `forward` adds nothing and a
# second merge adds nothing. `minibert.model.lora.LowRankLinear` hands out the plain linear map
# instead.
# %% free choices
# - `/ linear.in_features**0.5`: any spread will do that is not zero

# %% task 18.4: The mean of the means
# kind: repair; points: 16; minutes: 12; function: shared_gradient
#
# Several workers hold a copy of the same `weight` `(C, d)`, a linear classifier, and each has its
# part of the batch: `features[k]` `(n_k, d)` and `labels[k]` `(n_k,)` of worker `k`, with the label
# -100 where nothing is to be predicted. The result is to be the gradient of the **mean
# cross-entropy over all labelled positions of the whole batch**, the same as if one machine had
# seen it all. Parts are not equally long, and a worker may have no labelled position at all.
#
# The version below runs, and its loss falls. In several widely used programs it stood for years,
# for workers or for the parts of an accumulated batch. Mend it. (The loop stands for the workers;
# the sum over workers for what they exchange.)
#
# *Example.* Two classes, `weight` zero, all features `[1.0]`. Worker 0 has one position with label
# 0, worker 1 three with label 1. With `weight` zero both classes have probability ½, so a position
# with label 0 gives the gradient `[[-0.5], [0.5]]`, one with label 1 the opposite. Over four
# positions the mean is `[[0.25], [-0.25]]`. The version below says zero.

# %% stub
def shared_gradient(weight: Tensor, features: list[Tensor], labels: list[Tensor]) -> Tensor:
    """Gradient (C, d) of the mean loss over all labelled positions of all workers."""
    total = torch.zeros_like(weight)
    # BEGIN SOLUTION
    count = sum(int((part != -100).sum()) for part in labels)
    # END SOLUTION
    for inputs, targets in zip(features, labels, strict=True):
        copy = weight.clone().requires_grad_()
        logits = inputs @ copy.mT
        # BEGIN STUB
        loss = functional.cross_entropy(logits, targets, ignore_index=-100)
        # END STUB
        # BEGIN SOLUTION
        loss = functional.cross_entropy(logits, targets, ignore_index=-100, reduction="sum")
        # END SOLUTION
        loss.backward()
        total += copy.grad
    # BEGIN STUB
    return total / len(features)
    # END STUB
    # BEGIN SOLUTION
    return total / count
    # END SOLUTION

# %% check
def cases(rng):
    features = [torch.ones(1, 1), torch.ones(3, 1)]
    labels = [torch.tensor([0]), torch.tensor([1, 1, 1])]
    yield {"weight": torch.zeros(2, 1), "features": features, "labels": labels}
    for workers, is_one_empty in ((3, False), (4, True)):
        classes, width = 4, 5
        case = {"weight": torch.from_numpy(rng.normal(size=(classes, width))).float()}
        case["features"], case["labels"] = [], []
        for worker in range(workers):
            rows = int(rng.integers(4, 8)) + 6 * worker
            labelled = 1 + worker * 2 if worker % 2 else rows - 1
            labels = rng.integers(classes, size=rows)
            labels[rng.permutation(rows)[labelled:]] = -100
            if is_one_empty and worker == 2:
                labels[:] = -100
            # Every worker has texts of another kind, as when they are grouped by length.
            inputs = rng.normal(size=(rows, width)) + rng.normal(size=width)
            case["features"].append(torch.from_numpy(inputs).float())
            case["labels"].append(torch.from_numpy(labels))
        yield case

def numbers(case, got, expected):
    counts = [int((part != -100).sum()) for part in case["labels"]]
    return {
        "yours": got[0, 0].item(), "right": expected[0, 0].item(),
        "counts": ", ".join(map(str, counts)),
        "rows": ", ".join(str(len(part)) for part in case["labels"]), "all": sum(counts),
        "workers": len(counts),
    }

# %% another right solution
def shared_gradient(weight, features, labels):
    x, y = torch.cat(features), torch.cat(labels)
    x, y = x[y != -100], y[y != -100]
    mistakes = (x @ weight.mT).softmax(1) - functional.one_hot(y, len(weight))
    return mistakes.mT @ x / len(y)

# %% misconception: everything is as it was
# says: Your first number is {yours:.3f}, and {right:.3f} is expected. The workers have {counts}
# labelled positions, and each mean counts the same: a position weighs more, the fewer others its
# worker has. Each *position* should count the same.
# edit: , reduction="sum") => )
# edit: total / count => total / len(features)
# %% misconception: weighted by rows, labelled or not
# says: You weigh each worker's mean by its rows ({rows}). A mean is over the *labelled* positions,
# of which there are {counts}: rows with -100 have no part in it, so they must not lend it weight.
# edit: += copy.grad => += copy.grad * len(targets) / (targets != -100).sum().clamp(min=1)
# edit: total / count => total / sum(len(part) for part in labels)
# %% misconception: means that are added up
# says: You add the workers' means up. Your first number is {yours:.3f}, and {right:.3f} is
# expected. Two mistakes are in it: the result grows with the number of workers, here {workers}, and
# a mean over few positions still counts as much as one over many ({counts}).
# edit: , reduction="sum") => )
# edit: total / count => total
# %% misconception: sums that are not divided
# says: Your first number is {yours:.3f}, where {right:.3f} is expected: {all} times as much. The
# loss is a sum for each worker now, and the exchange adds these up; the division by the number of
# labelled positions of the whole batch is missing.
# edit: total / count => total
# %% misconception: sums divided by all rows
# says: You divide the sum by all rows ({rows}), with those that have the label -100. The labelled
# positions are {counts}: nothing was added for the others, so they are not to be counted either.
# The more padding a batch has, the smaller your gradient would get.
# edit: total / count => total / sum(len(part) for part in labels)
# %% misconception: sums divided by the number of workers
# says: Your first number is {yours:.3f}, where {right:.3f} is expected. The workers give sums over
# {all} labelled positions together, and you divide by {workers}, the number of workers. The
# gradient would grow with the batch, and the learning rate would mean another thing for each.
# edit: total / count => total / len(features)
# %% misconception: divided twice
# says: Your first number is {yours:.4f}, where {right:.4f} is expected, {workers} times as much.
# The fractions of the workers already sum to one, so what they exchange is to be added up. If it is
# divided by the number of workers as well, the learning rate shrinks unnoticed with every machine.
# (DDP does divide by it: there each worker's loss has to be multiplied by their number.)
# edit: total / count => total / count / len(features)
# %% misconception: a mean of means without the empty worker
# says: You leave out the worker that has nothing labelled, which is right, and still give each of
# the others the same weight. They have {counts} labelled positions: your first number is
# {yours:.3f}, and {right:.3f} is expected.
# edit: += copy.grad => += copy.grad / (targets != -100).sum().clamp(min=1)
# edit: total / count => total / sum(bool((part != -100).any()) for part in labels)
# %% hints
# 1. Work through the example. How much does the one position of worker 0 weigh in the version below,
# how much does each of the three of worker 1?
# 2. A mean of means is right only if all parts are equally long. Let every worker give a *sum*. By
# what is the sum of sums to be divided, and who knows that number?
# 3. Count the labels that are not -100 over all workers first. Then `reduction="sum"` in the loss, and
# divide the total by that count.
# %% explanation
# With means of parts a position's weight depends on which others happen to lie with it. Sums have
# no such trouble: they add up to the sum of the whole, and one division at the end makes the mean.
# A worker without labels adds nothing. That is why `split_batch` hands the trainer the number of
# labels of the *whole* batch, and why the update of chapter 18 is the same however many share it.
# %% free choices
# - `targets, ignore_index=-100`: it is what `cross_entropy` takes by itself

# %% task 18.5: How far does a small step get in bf16?
# kind: measure; points: 14; minutes: 10; function: small_steps; tolerance: 0.006
#
# Write `small_steps(weights, step, steps)`. `weights` `(n,)` are in 32 bits. Let `start` be these
# weights in bf16. To each of them the number `step` is added `steps` times. Measure, as floats:
#
# - `"moved"`: the share of the weights that are different from `start` after *one* step taken in
#   bf16;
# - `"bf16"`: all steps in bf16, one after the other, each rounded. How far have the weights come
#   from `start`, on average, as a fraction of the whole way `steps * step`?
# - `"mixed"`: the same if the steps are added to the weights in 32 bits, and a copy in bf16 is made
#   only at the end.
#
# Compute distances and means in 32 bits (`.float()`).
#
# *Example.* A weight of 1.0, a step of 0.001, ten steps. Above 1 the next number in bf16 is
# 1.0078125, so in bf16 nothing ever moves: `"moved"` and `"bf16"` are 0. In 32 bits the weight
# comes to 1.01, and the copy is 1.0078125: `"mixed"` is `0.78125`.
#
# Before you run it on weights like those of BERT (a spread of 0.02) with a step of 2e-5, guess: how
# many per cent of the way does the average weight come?

# %% stub
def small_steps(weights: Tensor, step: float, steps: int) -> dict[str, float]:
    """How many weights move in bf16, and how far they come in bf16 and with mixed precision."""
    # BEGIN SOLUTION
    start = weights.to(torch.bfloat16)
    low, master = start.clone(), weights.clone()
    for _ in range(steps):
        low = low + step
        master = master + step

    def share(end: Tensor) -> float:
        return ((end.float() - start.float()).mean() / (steps * step)).item()

    moved = (start + step != start).float().mean().item()
    return {"moved": moved, "bf16": share(low), "mixed": share(master.to(torch.bfloat16))}
    # END SOLUTION

# %% check
def cases(rng):
    yield {"weights": torch.ones(1), "step": 0.001, "steps": 10}
    yield {"weights": torch.ones(1), "step": 0.003, "steps": 3}  # downwards it would move
    yield {"weights": torch.tensor([1.003]), "step": 0.001, "steps": int(rng.integers(2, 4))}
    for step in (float(rng.choice([1e-5, 2e-5])), float(rng.choice([2.5e-5, 5e-5]))):
        draw = torch.Generator().manual_seed(int(rng.integers(2**31)))
        weights = 0.02 * torch.randn(20_000, generator=draw)
        yield {"weights": weights, "step": step, "steps": int(rng.integers(40, 80))}

def numbers(case, got, expected):
    return {
        **{key: value for key, value in case.items() if key != "weights"},
        "n": len(case["weights"]), "way": case["step"] * case["steps"],
        **{f"your_{name}": value for name, value in got.items()},
        **{f"right_{name}": value for name, value in expected.items()},
    }

# %% another right solution
def small_steps(weights, step, steps):
    def rounded(x):
        """To seven bits behind the leading one, ties to even, by hand."""
        digits, exponent = torch.frexp(x.double())
        return torch.ldexp((digits * 2**8).round() / 2**8, exponent)

    start = rounded(weights)
    once = rounded(start + step)
    end = start
    for _ in range(steps):
        end = rounded(end + step)
    copy = rounded(weights.double() + steps * step)
    way = len(weights) * steps * step
    return {
        "moved": (once != start).double().mean().item(),
        "bf16": ((end - start).sum() / way).item(),
        "mixed": ((copy - start).sum() / way).item(),
    }

# %% misconception: all steps at once
# says: In bf16 you come {your_bf16:.0%} of the way, and {right_bf16:.0%} is right. It seems that
# you add the whole way, {way:.1e}, in one go. A large step is not lost; {steps} small ones are,
# each on its own, because the weight is rounded after every one of them.
# - for _ in range(steps):
# -     low = low + step
# -     master = master + step
# + low, master = low + steps * step, master + steps * step
# %% misconception: fp16 instead of bf16
# says: With you {your_moved:.1%} of the weights move in the first step, where {right_moved:.1%} is
# right. That fits `torch.float16`, the other format of 16 bits: three digits, and a small range.
# bf16 (`torch.bfloat16`) keeps the range of 32 bits and has a digit less.
# edit: weights.to(torch.bfloat16) => weights.half()
# edit: master.to(torch.bfloat16) => master.half()
# %% misconception: compared with the weights in 32 bits
# says: With you {your_moved:.1%} of the weights move in one step, and {right_moved:.1%} is right.
# You compare with the weights in 32 bits: nearly all of them are changed by the *rounding* to bf16,
# before any step is taken. Compare with `start`.
# edit: start + step != start => start + step != weights
# %% misconception: the master weights are rounded, too
# says: With mixed precision you come {your_mixed:.0%} of the way, as in bf16 alone;
# {right_mixed:.0%} is right. The weights in 32 bits seem to be taken from the rounded copy again
# after each step, and so each small step is lost as before. The copy is only for reading: the sum
# stays in 32 bits.
# edit: master = master + step => master = (master + step).to(torch.bfloat16).float()
# %% misconception: the master weights begin rounded
# says: With mixed precision you come {your_mixed:.2f} times the way for {n} weight(s) and {steps}
# steps of {step:g}, where {right_mixed:.2f} is right. Your weights in 32 bits seem to be taken from
# `start`, so the digits that bf16 has not got are gone before the first step. They begin as the
# `weights` that were given.
# edit: weights.clone() => start.float()
# %% misconception: the copy at the end is missing
# says: With mixed precision you come {your_mixed:.2f} of the way; {right_mixed:.2f} is right. You
# measure the weights in 32 bits themselves. What is multiplied is their copy in bf16, made at the
# end: how far has *that* come?
# edit: share(master.to(torch.bfloat16)) => share(master)
# %% misconception: distances, not fractions of the way
# says: For the way covered you have {your_bf16:.1e} and {your_mixed:.1e}. These are distances; as a
# fraction of the whole way, {steps} steps of {step:g}, they are easier to read: divide by `steps *
# step`.
# edit: .mean() / (steps * step) => .mean()
# %% misconception: the sum slips back into 32 bits
# says: With you {your_moved:.0%} of the weights move and come {your_bf16:.0%} of the way in bf16,
# as if nothing were rounded. Is the step a tensor in 32 bits? A number in bf16 plus a tensor in 32
# bits is a tensor in 32 bits. Print `low.dtype` after a step; each sum has to be in bf16 again.
# edit: low = low + step => low = low + torch.full_like(weights, step)
# edit: start + step != start => start + torch.full_like(weights, step) != start
# %% hints
# 1. `weights.to(torch.bfloat16)` rounds. Adding a Python number to a tensor in bf16 gives a tensor in
# bf16, rounded again.
# 2. Two weights side by side in one loop: one is in bf16 all the time, the other in 32 bits and copied
# to bf16 once, after the loop.
# 3. `(start + step != start).float().mean()` is the first number; for the others take
# `(end.float() - start.float()).mean() / (steps * step)`.
# %% explanation
# In bf16 a weight has two or three digits. A step of less than half the distance to the next number
# is rounded away each time, so a large weight never moves; a smaller one may move by more than the
# step, since it is rounded to the next number there is. Added in 32 bits the steps pile up until
# they are large enough to show in the copy. Hence mixed precision: sums in 32 bits, products in 16.

# %% task 18.6: Project of Part IV: teach a frozen network with a few hundred numbers
# kind: project; points: 20; minutes: 30; function: adapt; seconds: 40
#
# A network of two layers has been trained and is frozen: `y = W2 tanh(W1 x + b1)`, with `w1`
# `(h, d)`, `b1` `(h,)` and `w2` `(c, h)`. At its new place it is wrong: `x` `(N, d)` and `y`
# `(N, c)` are new examples, and the new truth differs from the network by a change of **low rank in
# `W2`**, besides some noise. Nobody tells you the rank.
#
# Write `adapt(w1, b1, w2, x, y, budget)`: return two matrices `a` `(r, h)` and `b` `(c, r)` of a
# rank of your choice, so that `(W2 + B A) tanh(W1 x + b1)` fits new data. Two conditions:
#
# - `a` and `b` have at most **`budget` numbers** together;
# - on *fresh* examples the mean squared error is at most **5 %** of that of the frozen network.
#
# Half a second on one CPU core is enough.
#
# *Example.* With `h = 48` and `c = 32` a rank of 1 costs 48 + 32 = 80 numbers, the whole matrix
# 1536. A budget of 250 pays for rank 3.

# %% stub
def adapt(
    w1: Tensor, b1: Tensor, w2: Tensor, x: Tensor, y: Tensor, budget: int
) -> tuple[Tensor, Tensor]:
    """Two thin matrices a (r, h) and b (c, r) whose product is added to w2."""
    # BEGIN SOLUTION
    torch.manual_seed(0)
    hidden = (x @ w1.mT + b1).tanh()  # frozen: computed once
    missing = y - hidden @ w2.mT  # what is left for the adapter
    rank = budget // (w2.shape[0] + w2.shape[1])
    a = (torch.randn(rank, w2.shape[1]) / w2.shape[1] ** 0.5).requires_grad_()
    b = torch.zeros(w2.shape[0], rank, requires_grad=True)
    learner = torch.optim.Adam([a, b], lr=0.02)
    for _ in range(400):
        loss = ((hidden @ a.mT @ b.mT - missing) ** 2).mean()
        learner.zero_grad()
        loss.backward()
        learner.step()
    return a.detach(), b.detach()
    # END SOLUTION

# %% check
TARGET = 0.05

def cases(rng):
    wide, inside, out, rank = 12, 48, 32, 3

    def draw(*shape):
        return torch.from_numpy(rng.normal(size=shape)).float()

    w1, b1 = 1.5 * draw(inside, wide) / wide**0.5, 0.5 * draw(inside)
    # A trained matrix does most of its work in a few directions; the change goes elsewhere.
    sides = torch.linalg.qr(draw(out, out))[0], torch.linalg.qr(draw(inside, out))[0]
    w2 = sides[0] * (5 * 0.6 ** torch.arange(out)) @ sides[1].mT
    left, right = torch.linalg.qr(draw(out, rank))[0], torch.linalg.qr(draw(inside, rank))[0]
    change = left * torch.tensor([2.0, 1.8, 1.6]) @ right.mT
    x, fresh = draw(800, wide), draw(1000, wide)

    def truth(inputs):
        return (inputs @ w1.mT + b1).tanh() @ (w2 + change).mT

    y = truth(x) + 0.1 * draw(800, out)
    budget = rank * (inside + out) + int(rng.integers(1, inside))
    case = {"w1": w1, "b1": b1, "w2": w2, "x": x, "y": y, "budget": budget}
    yield case, {"x": fresh, "y": truth(fresh)}

def measure(case, got, secret):
    a, b = (torch.as_tensor(part).float() for part in got)
    hidden = (secret["x"] @ case["w1"].mT + case["b1"]).tanh()
    missing = secret["y"] - hidden @ case["w2"].mT
    added = hidden @ a.mT @ b.mT
    frozen = (missing**2).mean()
    factor = (added * missing).sum() / (added**2).sum().clamp(min=1e-9)
    sizes = torch.linalg.svdvals(b @ a)
    out, inside = case["w2"].shape
    return {
        "count": a.numel() + b.numel(), "budget": case["budget"], "rank": len(a),
        "each": inside + out, "affordable": case["budget"] // (inside + out),
        "share": ((missing - added) ** 2).mean().item() / frozen.item(),
        "alone": ((secret["y"] - added) ** 2).mean().item() / frozen.item(),
        "factor": factor.item(),
        "scaled": ((missing - factor * added) ** 2).mean().item() / frozen.item(),
        "largest": sizes[0].item(),
        "used": int((sizes > 1e-3 * sizes[0]).sum()) if sizes[0] > 0 else 0,
    }

def judge(case, got, secret):
    if not isinstance(got, list | tuple) or len(got) != 2:
        return "Two matrices are expected, a and b."
    out, inside = case["w2"].shape
    a, b = (torch.as_tensor(part) for part in got)
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != inside or b.shape != (out, a.shape[0]):
        return (
            f"Your matrices are {tuple(a.shape)} and {tuple(b.shape)}; expected are a of (r, "
            f"{inside}) and b of ({out}, r)."
        )
    if not (a.isfinite().all() and b.isfinite().all()):
        return "There is NaN or infinity in your matrices: is the learning rate too large?"
    m = measure(case, got, secret)
    if m["count"] > case["budget"]:
        return "over the budget"
    if m["share"] <= TARGET:
        return None
    if m["largest"] < 1e-6:
        return "nothing has been learned"
    if m["alone"] < m["share"]:
        return "trained in the place of the frozen matrix"
    if m["scaled"] <= TARGET:
        return "the scale was left behind"
    if m["rank"] < m["affordable"]:
        return "a rank that is too small"
    if m["used"] < m["rank"]:
        return "the rank is paid for and not used"
    if m["share"] > 1:
        return (
            f"On fresh examples your error is {m['share']:.1f} times that of the frozen network: "
            "your change makes it worse. Is what you fit the same as what is used, (W2 + B A) "
            "tanh(W1 x + b1)?"
        )
    return (
        f"On fresh examples your error is {m['share']:.0%} of that of the frozen network; at most "
        "5 % is asked for. Print the loss on the given examples while you train: if it still falls "
        "at the end, train longer or take larger steps."
    )

def numbers(case, got, secret):
    return measure(case, got, secret)

# %% another right solution
def adapt(w1, b1, w2, x, y, budget):
    hidden = torch.tanh(x @ w1.T + b1)
    full = torch.linalg.lstsq(hidden, y - hidden @ w2.T).solution.T  # (c, h), far over the budget
    # The directions in which it changes the outputs most are the ones worth keeping.
    directions = torch.linalg.svd(hidden @ full.T, full_matrices=False).Vh
    b = directions[: budget // sum(w2.shape)].T
    return b.T @ full, b

# %% misconception: over the budget
# says: Your matrices have {count:,} numbers, and the budget is {budget}. On fresh examples they
# reach {share:.1%} of the frozen network's error, but a rank r costs r · {each} numbers, and yours
# is {rank}. Take the largest rank that the budget pays for: the change has a low one.
# edit: budget // (w2.shape[0] + w2.shape[1]) => w2.shape[1]
# edit: range(400) => range(1)
# %% misconception: a rank that is too small
# says: Your error on fresh examples is {share:.0%} of the frozen network's; at most 5 % is asked
# for. Your rank is {rank}: {count} numbers of a budget of {budget}. A change of a higher rank
# cannot be reached with it, however long you train, and the budget pays for {affordable}.
# edit: budget // (w2.shape[0] + w2.shape[1]) => 1
# edit: range(400) => range(100)
# %% misconception: nothing has been learned
# says: Your product is zero, and the error that of the frozen network. If `a` and `b` both start at
# zero, neither has a gradient: that of each is multiplied by the other. Let one of them start at
# random.
# edit: torch.randn(rank, w2.shape[1]) => torch.zeros(rank, w2.shape[1])
# edit: range(400) => range(1)
# %% misconception: trained in the place of the frozen matrix
# says: Added to W2 your product has an error of {share:.0%} of the frozen network's; *without* W2
# it has {alone:.0%}. It was trained to do all by itself. The output is (W2 + B A) tanh(W1 x + b1):
# with the frozen part in the sum, only the change is left to learn, and only that is of low rank.
# edit: y - hidden @ w2.mT => y
# edit: range(400) => range(100)
# %% misconception: the scale was left behind
# says: Your error is {share:.0%} of the frozen network's, and would be {scaled:.1%} if the product
# were multiplied by {factor:.2f}. Was it trained with a scale, such as alpha / rank? What is added
# here is B A alone, so the scale has to go into one of the two matrices before you return them.
# edit: return a.detach(), => return a.detach() / 2,
# edit: range(400) => range(100)
# %% misconception: the rank is paid for and not used
# says: Your error is {share:.0%} of the frozen network's. You pay for a rank of {rank}, and your
# product has only {used}: if the rows of a matrix start alike, they get the same gradient in each
# step and stay alike. Start one matrix at random, and the other at zero.
# edit: torch.randn(rank, w2.shape[1]) => torch.ones(rank, w2.shape[1])
# edit: range(400) => range(100)
# %% hints
# 1. What is frozen is the same in every step: compute `tanh(W1 x + b1)` once, and what the frozen
# network leaves over of `y`. Which rank does the budget pay for?
# 2. Two tensors with `requires_grad`: `a` at random, divided by the root of `h`, and `b` zero. The
# loss is the mean square of what is left over minus `hidden @ a.mT @ b.mT`.
# 3. Rank `budget // (h + c)`; Adam with a learning rate of 0.02, all examples at once, 400 steps;
# return `a.detach(), b.detach()`.
# %% explanation
# The frozen matrix keeps what it knows, and three times eighty numbers learn the change: a sixth of
# the matrix. A smaller rank cannot hold it, and a larger one is not paid for. Because only the last
# matrix changes, there is a way without training as well: the best full change by least squares,
# cut down to the directions in which it moves the outputs most. In BERT, where changes lie below
# many layers, one has to train.
# %% free choices
# - `torch.manual_seed(0)`, `torch.randn(rank, w2.shape[1]) / w2.shape[1] ** 0.5`, `lr=0.02`, `range(400)`,
#   `learner.zero_grad()`, `.mean()` => `.sum()`: any start but zero, and any rate that trains
