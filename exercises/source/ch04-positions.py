# %% [markdown]
# # Exercises 4 · Positions: sinusoidal and learned
#
# Chapter 4 read positions off a clock, turned its hands with a rotation, and asked what is left of
# the order of words when positions are taken away. Here you set the clock yourself, mend one that
# three published mistakes have spoilt, turn it on without knowing the time, and build the
# instrument that finds out who is blind to order.

# %% setup
import math

import torch
from torch import Tensor

# %% task 4.1: The clock, hand by hand
# kind: write; points: 25; minutes: 10; function: sinusoidal
#
# Write `sinusoidal(length, size)`: the fixed positions of the first Transformer, as a tensor
# `(length, size)`. Row `pos` belongs to place `pos`, counted from 0. The width `size` is even, and
# the number $i$ of the pair runs from 0 to `size / 2 - 1`:
#
# $$ PE(pos, 2i) = \sin\frac{pos}{10000^{2i/size}}, \qquad
#    PE(pos, 2i+1) = \cos\frac{pos}{10000^{2i/size}} $$
#
# *Example.* `sinusoidal(2, 4)` is `[[0, 1, 0, 1], [0.841, 0.540, 0.010, 1.000]]`, rounded: at
# place 0 no hand has turned yet; at place 1 the fast hand has turned by 1, the slow one by
# $1 / 10000^{2/4} = 0.01$.

# %% stub
def sinusoidal(length: int, size: int) -> Tensor:
    """(length, size): a row of sines and cosines for each place."""
    # BEGIN SOLUTION
    place = torch.arange(length, dtype=torch.float64)[:, None]  # (length, 1)
    even = torch.arange(0, size, 2, dtype=torch.float64)  # the 2i of the formula
    angle = place / 10000 ** (even / size)  # (length, size / 2)
    return torch.stack((angle.sin(), angle.cos()), dim=-1).flatten(1).float()
    # END SOLUTION

# %% check
def cases(rng):
    for size in (8, 4, 64):
        yield {"length": int(rng.integers(5, 12)), "size": size}
    yield {"length": 60, "size": 2 * int(rng.integers(5, 20))}

def numbers(case, got, expected):
    rounded = [[round(x, 3) for x in table[1].tolist()[:4]] for table in (got, expected)]
    turned = [math.atan2(table[1, -2], table[1, -1]) for table in (got, expected)]
    return {
        "yours": rounded[0], "right": rounded[1],
        "first": [round(x, 3) for x in got[0].tolist()[:4]], "slow": f"{turned[0]:.2g}",
        "slow_right": f"{turned[1]:.2g}", **case,
    }

# %% another right solution
def sinusoidal(length, size):
    def entry(pos, column):
        angle = pos / 10000 ** (column // 2 * 2 / size)
        return math.cos(angle) if column % 2 else math.sin(angle)

    return torch.tensor([[entry(pos, column) for column in range(size)] for pos in range(length)])

# %% misconception: sines in one half, cosines in the other
# says: Row 1 of yours begins with {yours}, expected is {right}. Your angles are right, but all
# sines come first and all cosines after them. In the formula they take turns: column `2i` holds a
# sine and column `2i + 1` the cosine of the same angle. (Halves do occur in other code. Both are
# clocks, but weights that were trained with one layout can do nothing with the other.)
# edit: torch.stack => torch.cat
# edit: .flatten(1).float() => .float()
# %% misconception: every column has its own speed
# says: Row 1 of yours begins with {yours}, expected is {right}. Your cosine turns more slowly than
# the sine beside it, because the exponent was made from the number of the column. A pair is **one**
# hand: columns `2i` and `2i + 1` share the angle with `2i` in it. With two speeds it would be no
# clock hand, and going on by some places would be no rotation.
# edit: torch.arange(0, size, 2, => torch.arange(size,
# edit: angle.sin(), angle.cos() => angle[:, 0::2].sin(), angle[:, 1::2].cos()
# %% misconception: the exponent doubled twice
# says: From place 0 to place 1 your slowest hand turns by {slow}, and it should turn by
# {slow_right}. The even numbers 0, 2, 4, … **are** already the `2i` of the formula; if they are
# multiplied by two again, half of the hands hardly move in any text. (This one has been published,
# and trained.)
# edit: even / size => 2 * even / size
# %% misconception: the exponent without its two
# says: From place 0 to place 1 your slowest hand turns by {slow}, and it should turn by
# {slow_right}: yours is too fast. The exponent is `2i / size`, which runs from 0 to nearly 1 as `i`
# runs through the pairs; with `i / size` it ends at a half.
# edit: even / size => even / 2 / size
# %% misconception: exponents that reach one
# says: From place 0 to place 1 your slowest hand turns by {slow}, and it should turn by
# {slow_right}. Your exponents run from 0 to exactly 1, divided into `size / 2 - 1` steps. The
# formula divides by `size`, and so the last exponent stays a little below 1. (Other code does it
# your way. It is a clock, too, but not this one, and weights are trained with one of them.)
# edit: even / size => even / (size - 2)
# %% misconception: sine and cosine the other way round
# says: Your row of place 0 begins with {first}. There every angle is 0, so the sines are 0 and the
# cosines 1, and the sine comes first: `0, 1, 0, 1, …`.
# edit: angle.sin(), angle.cos() => angle.cos(), angle.sin()
# %% misconception: the first place is 1
# says: Your first row begins with {first}, which is the row of place 1. Places are counted from 0,
# like everything else in Python, and at place 0 no hand has turned yet: `0, 1, 0, 1, …`.
# edit: torch.arange(length, => torch.arange(1, length + 1,
# %% misconception: no cosine anywhere
# says: Row 1 of yours begins with {yours}, expected is {right}. The odd columns hold the sine once
# more. From the sine alone nobody can tell whether a hand is rising or falling; that is what the
# cosine is there for.
# edit: angle.cos() => angle.sin()
# %% misconception: each hand faster than the one before
# says: From place 0 to place 1 your slowest hand should turn by {slow_right}. Yours is a fast one:
# the angle is the place **divided** by the power of 10000, so that each hand turns more slowly than
# the one before it. You multiply.
# edit: place / 10000 => place * 10000
# %% hints
# 1. Make the angles first, one for each place and each **pair**: `(length, size / 2)`. What are the
# numbers `2i`?
# 2. `torch.arange(0, size, 2)` gives `2i` for all pairs, and a column of places, `(length, 1)`,
# divided by a row of powers, `(size / 2,)`, gives all angles at once. Then make two columns from
# each.
# 3. To let sines and cosines take turns: fill `table[:, 0::2]` and `table[:, 1::2]`, or stack both
# along a new last axis and flatten it.
# %% explanation
# One angle for each place and each pair; its sine and its cosine stand side by side. The exponent
# runs from 0 to nearly 1, so the speeds run from 1 down to nearly 1/10000: the fast hand tells
# neighbours apart, and in a vector 512 wide the slowest needs some sixty thousand places to go
# round once. The angles are computed in double precision, which costs nothing, since it is done
# once.

# %% task 4.2: A clock that starts anew with every word
# kind: repair; points: 20; minutes: 10; function: rows_for
#
# A model that writes reads its text in chunks: first what it was given, then each new token alone,
# keeping what it has computed for those before. So it asks for the rows of *some* places.
# `rows_for(past, new, size)` is to return the sinusoidal rows of the places `past`, `past + 1`, …,
# `past + new - 1`: row by row what the formula of task 4.1 says, `(new, size)`.
#
# The version below joins **three** mistakes, each of which has been published. It raises no error,
# and all its numbers lie between -1 and 1. Mend it. Places may lie some thousands away.
#
# *Example.* `rows_for(2, 1, 4)` is `[[0.9093, -0.4161, 0.0200, 0.9998]]`: the row of place 2, with
# angles 2 and 0.02, although only one token is new.

# %% stub
def rows_for(past: int, new: int, size: int) -> Tensor:
    """(new, size): the rows of the places past, past + 1, ..., past + new - 1."""
    rows = torch.empty(new, size)
    # BEGIN STUB
    place = torch.arange(new, dtype=torch.float16)
    for i in range(0, size, 2):
        rows[:, i] = torch.sin(place / 10000 ** (2 * i / size))
        rows[:, i + 1] = torch.cos(place / 10000 ** (2 * (i + 1) / size))
    # END STUB
    # BEGIN SOLUTION
    place = torch.arange(past, past + new, dtype=torch.float64)
    for i in range(0, size, 2):
        rows[:, i] = torch.sin(place / 10000 ** (i / size))
        rows[:, i + 1] = torch.cos(place / 10000 ** (i / size))
    # END SOLUTION
    return rows

# %% check
def cases(rng):
    yield {"past": int(rng.integers(4100, 5000)), "new": 6, "size": 8}
    yield {"past": 0, "new": 5, "size": 2 * int(rng.integers(5, 12))}
    yield {"past": int(rng.integers(100, 200)), "new": 1, "size": 16}

def _clock(start, new, size, sine, cosine):
    """A table with exponents of its own for the two columns of each pair."""
    place = torch.arange(start, start + new, dtype=torch.float64)[:, None]
    even = torch.arange(0, size, 2, dtype=torch.float64)
    pair = (
        (place / 10000 ** (sine(even) / size)).sin(),
        (place / 10000 ** (cosine(even) / size)).cos(),
    )
    return torch.stack(pair, dim=-1).flatten(1)

_EXPONENTS = {
    "": (lambda i: i, lambda i: i), "doubled": (lambda i: 2 * i, lambda i: 2 * (i + 1)),
    "doubled in both": (lambda i: 2 * i, lambda i: 2 * i), "apart": (lambda i: i, lambda i: i + 1),
    "doubled in the sine": (lambda i: 2 * i, lambda i: i),
    "halved": (lambda i: i / 2, lambda i: i / 2),
}

def judge(case, got, expected):
    got = torch.as_tensor(got).double()
    if got.shape != expected.shape:
        return ""
    if torch.allclose(got, expected.double(), rtol=0, atol=5e-3):
        return None
    if ((got[1:] - got[:-1]).abs().amax(1) < 1e-6).any():
        return "places in half precision"
    for start in (case["past"], 0, case["past"] + 1, case["past"] - 1):
        for kind, pair in _EXPONENTS.items():
            right = _clock(start, case["new"], case["size"], *pair)
            if not torch.allclose(got, right, rtol=0, atol=5e-3):
                continue
            if start != case["past"] and kind:
                return "other places, and other speeds"
            if start == case["past"]:
                return {
                    "apart": "the cosine has a speed of its own",
                    "halved": "the exponent halved once too often",
                }.get(kind, "the exponent is still doubled")
            if start < case["past"] and start:
                return (
                    f"Asked for the places from {case['past']} on, you begin with place {start}, the "
                    "last that has been read already: two tokens would stand at one place."
                )
            return "every chunk starts at place 0" if start == 0 else "one place too far"
    return ""

def numbers(case, got, expected):
    got = torch.as_tensor(got).double()
    near = ((got[1:] - got[:-1]).abs().amax(1) < 1e-6).nonzero().flatten().tolist() or [0]
    shown = [[round(x, 2) for x in table[0].tolist()[:4]] for table in (got, expected)]
    return {
        **case, "last": case["past"] + case["new"] - 1, "yours": shown[0], "right": shown[1],
        "one": case["past"] + near[0], "two": case["past"] + near[0] + 1,
    }

# %% another right solution
def rows_for(past, new, size):
    speed = torch.exp(torch.arange(0, size, 2) * (-math.log(10000.0) / size))
    angle = torch.outer(torch.arange(past + new), speed)[past:]
    rows = torch.zeros(new, size)
    rows[:, 0::2] = angle.sin()
    rows[:, 1::2] = angle.cos()
    return rows

# %% misconception: other places, and other speeds
# says: Asked for the places {past} to {last}, your first row begins with {yours}; expected is
# {right}. More than one mistake is left. Two questions: does `past` occur anywhere in your code,
# and which numbers does `i` run through? Then ask for a single row whose angles you know, such as
# that of the example.
# edit: past, past + new, dtype=torch.float64 => new, dtype=torch.float16
# edit: sin(place / 10000 ** (i / size)) => sin(place / 10000 ** (2 * i / size))
# edit: cos(place / 10000 ** (i / size)) => cos(place / 10000 ** (2 * (i + 1) / size))
# %% misconception: every chunk starts at place 0
# says: Asked for the places {past} to {last} you give the rows of places 0, 1, 2, …. The speeds are
# right now. But every chunk of the text starts at place 0 again, so a model that writes token by
# token would find each of its words at the very beginning.
# edit: past, past + new => new
# %% misconception: one place too far
# says: Asked for the places {past} to {last} you begin with place {past} + 1. If `past` tokens have
# been read they stand at places 0 to `past - 1`, so the first new one stands at place `past`.
# edit: past, past + new => past + 1, past + new + 1
# %% misconception: the exponent is still doubled
# says: The places are right, the speeds are not: your first row begins with {yours}, expected is
# {right}. `i` runs through 0, 2, 4, …, so it already **is** the `2i` of the formula.
# edit: sin(place / 10000 ** (i / size)) => sin(place / 10000 ** (2 * i / size))
# edit: cos(place / 10000 ** (i / size)) => cos(place / 10000 ** (2 * (i + 1) / size))
# %% misconception: the cosine has a speed of its own
# says: Your sines are all right now, your cosines are not: the first row begins with {yours},
# expected is {right}. Sine and cosine of a pair belong to **one** hand and so to one angle; `i + 1`
# is the number of a column, not of another speed.
# edit: cos(place / 10000 ** (i / size)) => cos(place / 10000 ** ((i + 1) / size))
# %% misconception: the exponent halved once too often
# says: The places are right, the speeds are not: your first row begins with {yours}, expected is
# {right}. Your exponents end at a half. They are to run from 0 to nearly 1 over the pairs; with an
# `i` that counts 0, 1, 2, … the formula's `2 * i` is needed, with one that counts 0, 2, 4, … it is
# not.
# edit: sin(place / 10000 ** (i / size)) => sin(place / 10000 ** (i / 2 / size))
# edit: cos(place / 10000 ** (i / size)) => cos(place / 10000 ** (i / 2 / size))
# %% misconception: places in half precision
# says: Your rows of places {one} and {two} are the same, number for number. Of sixteen bits at most
# eleven hold the digits of a number: beyond 2048 not every whole number can be held any more, and
# places fall together. Look at the `dtype` of the places.
# edit: torch.float64 => torch.float16
# %% hints
# 1. Compute the row of the example by hand, angle by angle, and print the angles that the code makes.
# You will not find the third mistake there: print `torch.arange(4096, 4102).half()`.
# 2. One mistake is in where the places begin, one in what they are kept in, one in the exponents.
# Which numbers does `i` run through, and is there one angle or are there two to a pair?
# 3. `past` has to occur where the places are made, with a `dtype` of 32 or 64 bits; and both exponents
# are `i / size`.
# %% explanation
# In a loop over 0, 2, 4, … the number `i` is the formula's `2i`: doubled once more, and with `i +
# 1` for the cosine, half of the hands hardly move and no pair is a rotation any more. Without
# `past` each new token stands at place 0; nothing fails, and the text that is written falls apart.
# And whole numbers in half precision are exact up to 2048 only. Each of these is found by one test
# with a row whose angles are known, far away from place 0.
# %% free choices
# - `range(0, size, 2)` => `range(0, size - 1, 2)`: the size is even

# %% task 4.3: Go on by k places without knowing where you are
# kind: write; points: 20; minutes: 12; function: go_on
#
# $PE(p + k) = M_k\,PE(p)$ for every $p$: whoever goes on by `k` places need not know where they
# stand. Write `go_on(rows, k)`. Each of the `rows`, `(n, size)` in double precision (`float64`), is
# the sinusoidal vector of a place that you are **not told**, or an average of such vectors, as
# attention makes them. Return `(n, size)`: each vector `k` places further. `k` may be negative. The
# average of places 4 and 9 goes, with `k = 3`, to the average of places 7 and 12: that is what a
# linear map does.
#
# *Example.* `go_on([[0, 1]], 1)` (as a tensor) is `[[0.8415, 0.5403]]`: with a single hand, from
# place 0 to place 1; and `go_on` of that by `-1` is `[[0, 1]]` again.

# %% stub
def go_on(rows: Tensor, k: int) -> Tensor:
    """(n, size) to (n, size): what stands k places further."""
    # BEGIN SOLUTION
    even = torch.arange(0, rows.shape[-1], 2, dtype=torch.float64)
    turn = k / 10000 ** (even / rows.shape[-1])  # (size / 2,): one angle a hand
    sine, cosine = rows[:, 0::2], rows[:, 1::2]
    further = sine * turn.cos() + cosine * turn.sin(), cosine * turn.cos() - sine * turn.sin()
    return torch.stack(further, dim=-1).flatten(1)
    # END SOLUTION

# %% check
def _clock(places, size):
    even = torch.arange(0, size, 2, dtype=torch.float64)
    angle = places.double()[..., None] / 10000 ** (even / size)
    return torch.stack((angle.sin(), angle.cos()), dim=-1).flatten(-2)

def cases(rng):
    places = torch.from_numpy(rng.integers(10, 300, size=4))
    yield {"rows": _clock(places, 8), "k": int(rng.integers(2, 6))}
    for size, sign in ((6, -1), (32, 1)):
        places = torch.from_numpy(rng.integers(10, 300, size=(3, 2)))
        yield {"rows": _clock(places, size).mean(1), "k": sign * int(rng.integers(3, 9))}

def numbers(case, got, expected):
    shown = [[round(x, 2) for x in table[0].tolist()[:4]] for table in (got, expected)]
    return {
        "k": case["k"], "yours": shown[0], "right": shown[1], "came": case["rows"][0].norm().item(),
        "went": torch.as_tensor(got)[0].norm().item(),
    }

# %% another right solution
def go_on(rows, k):
    size = rows.shape[-1]
    blocks = []
    for i in range(0, size, 2):
        c, s = math.cos(k / 10000 ** (i / size)), math.sin(k / 10000 ** (i / size))
        blocks.append(torch.tensor([[c, s], [-s, c]], dtype=rows.dtype))
    return rows @ torch.block_diag(*blocks).mT

# %% misconception: turned the wrong way
# says: With k = {k} you have turned every hand the wrong way, by as much as it should have turned.
# If you used a matrix: `M @ vector` stands in the formula, but here the vectors lie in rows, so the
# matrix has to be transposed, `rows @ M.mT`. If you turned each pair: the sine of a sum is sin a
# cos b **plus** cos a sin b.
# edit: k / 10000 => -k / 10000
# %% misconception: the vector of place k added
# says: You add the vector of k = {k} to each row. Places can be added, vectors of places cannot:
# your first vector was {came:.2f} long and is now {went:.2f}, while a hand that turns keeps its
# length. The **angles** are what has to be added.
# - further = sine * turn.cos() + cosine * turn.sin(), cosine * turn.cos() - sine * turn.sin()
# + further = sine + turn.sin(), cosine + turn.cos()
# %% misconception: every hand by the same angle
# says: You turn all hands by the same angle, {k}. Only the fastest turns by 1 at each step; the
# others are slower, each in its own measure: by `k` times its speed. Your first row begins with
# {yours}, expected is {right}: the first pair is right.
# edit: k / 10000 ** (even / rows.shape[-1]) => torch.tensor(float(k))
# %% misconception: a wrong sign in the cosine
# says: Your first vector was {came:.2f} long and is now {went:.2f}. A hand that turns keeps its
# length. The sines are right; look at the cosine of a sum, which is cos a cos b **minus** sin a sin
# b.
# edit: cosine * turn.cos() - sine => cosine * turn.cos() + sine
# %% misconception: the hands are taken from two halves
# says: Your first row begins with {yours}, expected is {right}. You pair the first half of the
# columns with the second. In these rows the sine and the cosine of a hand stand side by side, in
# columns `2i` and `2i + 1`.
# edit: rows[:, 0::2], rows[:, 1::2] => rows.chunk(2, dim=-1)
# edit: torch.stack(further, dim=-1).flatten(1) => torch.cat(further, dim=-1)
# %% misconception: the place is read off the fast hand
# says: Your first row begins with {yours}, expected is {right}: the first pair is right and the
# slower hands are not. You read the place off the fast hand alone, which has gone round many times
# by then: every place that lies a full turn away looks the same on it. You need not know the place
# at all. Turn each hand from wherever it stands.
# - turn = k / 10000 ** (even / rows.shape[-1])  # (size / 2,): one angle a hand
# + place = torch.atan2(rows[:, :1], rows[:, 1:2]) + k
# + turn = place / 10000 ** (even / rows.shape[-1])
#
# - further = sine * turn.cos() + cosine * turn.sin(), cosine * turn.cos() - sine * turn.sin()
# + further = turn.sin(), turn.cos()
# %% misconception: the new sine used for the cosine
# says: Your sines are right and your cosines are not: the first row begins with {yours}, expected
# is {right}. The columns of sines were overwritten before the cosines were made from them. Both new
# numbers of a pair come from the **old** two, so keep these until both are done.
# - further = sine * turn.cos() + cosine * turn.sin(), cosine * turn.cos() - sine * turn.sin()
# + sine = sine * turn.cos() + cosine * turn.sin()
# + further = sine, cosine * turn.cos() - sine * turn.sin()
# %% misconception: the nearest place looked up
# says: For the vectors of single places you are right, for averages of two you are not: your first
# row begins with {yours}, expected is {right}. You look up which place is most like the row and
# give the vector of a place further on, and an average is not the vector of any place. You need not
# know the place at all. Turn each hand from wherever it stands.
# - return torch.stack(further, dim=-1).flatten(1)
# + angle = torch.arange(400)[:, None] / 10000 ** (even / rows.shape[-1])
# + table = torch.stack((angle.sin(), angle.cos()), dim=-1).flatten(1)
# + return table[(rows @ table.mT).argmax(1) + k]
# %% misconception: hands that are too fast
# says: Your first row begins with {yours}, expected is {right}: the first pair is right, and the
# others turn too far. The speed of pair `i` is `1 / 10000 ** (2 * i / size)`; without the 2 all but
# the first are too fast.
# edit: even / rows.shape[-1] => even / 2 / rows.shape[-1]
# %% hints
# 1. By which angle does each hand turn while the clock goes on by `k` places? That depends on the hand
# and on `k`, and not on where the hand stands.
# 2. sin(a + b) = sin a cos b + cos a sin b, and cos(a + b) = cos a cos b - sin a sin b. Here `a` is
# hidden in the row (its sine and its cosine are all you have, and all you need), and `b` is `k`
# times the speed.
# 3. `sine, cosine = rows[:, 0::2], rows[:, 1::2]`, the new pairs from the two formulas, and then side
# by side again, as in task 4.1. Or a matrix with a block of two by two for each hand, as in the
# chapter.
# %% explanation
# The two sums of angles are a matrix of two by two for each hand, [[cos b, sin b], [-sin b, cos
# b]], in which the place does not occur. That is why the same map works everywhere, and on
# averages, too. One layer of a network can hold such a matrix; whether training finds it is another
# question, as the chapter has shown.

# %% task 4.4: How long may the text be?
# kind: predict; points: 15; minutes: 7; function: predict
#
# A BERT with **learned** positions has a table of `rows` rows, `hidden` wide. The longest text of
# its training had `trained` tokens, special tokens included. Now it gets a text of `pieces` subword
# tokens, around which the tokenizer puts `[CLS]` and `[SEP]`. **Without building it**, return a
# dictionary:
#
# - `"parameters"`: how many numbers its positions are made of, all of them learned;
# - `"runs"`: `True` if it reads the text, `False` if it stops with an error, since nothing is cut
#   off;
# - `"untaught"`: how many rows of the table no training text ever used;
# - `"sinusoidal"`: how many parameters its positions would have if they were sinusoidal;
# - `"norm"`: how long each sinusoidal vector of this width is, $\lVert PE(pos) \rVert$.
#
# *Example.* `rows=8, hidden=2, trained=6, pieces=7`: parameters 16; runs `False`, for 9 tokens do
# not fit in 8 rows; untaught 2; sinusoidal 0; norm 1.0.

# %% stub
def predict(rows: int, hidden: int, trained: int, pieces: int) -> dict:
    """Parameters, whether it runs, rows without training; and the same in sinusoidal."""
    # BEGIN SOLUTION
    return {
        "parameters": rows * hidden,
        "runs": pieces + 2 <= rows,
        "untaught": rows - trained,
        "sinusoidal": 0,
        "norm": math.sqrt(hidden / 2),
    }
    # END SOLUTION

# %% check
def cases(rng):
    for over in (-1, -2, 0):  # one token too many, exactly full, two too many
        rows = int(rng.choice([256, 512, 1024]))
        yield {
            "rows": rows, "hidden": 64 * int(rng.integers(2, 13)),
            "trained": int(rng.integers(64, 200)), "pieces": rows + over,
        }
    rows = int(rng.choice([512, 1024]))
    trained = int(rng.integers(64, 200))
    pieces = trained + int(rng.integers(20, 200))
    yield {"rows": rows, "hidden": 384, "trained": trained, "pieces": pieces}

def numbers(case, got, expected):
    return {
        **case, "tokens": case["pieces"] + 2, "yours": got["parameters"],
        "untaught": got["untaught"], "norm": got["norm"], "norm_right": expected["norm"],
        "half": case["hidden"] // 2, "fixed": got["sinusoidal"],
    }

# %% another right solution
def predict(rows, hidden, trained, pieces):
    table = torch.empty(rows, hidden, device="meta")
    angle = 7 / 10000 ** (torch.arange(0, hidden, 2, dtype=torch.float64) / hidden)
    tokens = ["[CLS]", *["piece"] * pieces, "[SEP]"]
    return {
        "parameters": table.numel(),
        "runs": not len(tokens) > rows,
        "untaught": len(range(trained, rows)),
        "sinusoidal": sum(p.numel() for p in torch.nn.Module().parameters()),
        "norm": float(torch.cat((angle.sin(), angle.cos())).norm()),
    }

# %% misconception: the special tokens forgotten
# says: {pieces} subword tokens in a table of {rows} rows: you say that this runs. But `[CLS]` and
# `[SEP]` have places, too, and {tokens} tokens are too many. This is how most texts come to be one
# or two tokens too long.
# edit: pieces + 2 <= rows => pieces <= rows
# %% misconception: the last row is not used
# says: {tokens} tokens in a table of {rows} rows: you say that this stops with an error. The places
# 0 to {rows} - 1 are {rows} places, and all of them have a row: a text may fill the table to its
# end.
# edit: pieces + 2 <= rows => pieces + 2 < rows
# %% misconception: it stops where the training stopped
# says: {tokens} tokens, {rows} rows, and training ended at {trained}: you say that it stops with an
# error. It runs. The rows beyond {trained} exist, and nothing in the model knows that they are
# still the random numbers they were drawn as. That is what makes this mistake easy to make.
# edit: pieces + 2 <= rows => pieces + 2 <= trained
# %% misconception: only the rows of this text are counted
# says: You count {yours:,} parameters, a row for each of the text's tokens. Parameters belong to
# the model: its table has {rows} rows before any text comes in, and however short that is.
# edit: rows * hidden => (pieces + 2) * hidden
# %% misconception: a clock that is learned
# says: You count {fixed:,} parameters for sinusoidal positions. They are computed from the formula
# and never trained: a buffer, not a parameter. No training step touches them.
# edit: "sinusoidal": 0 => "sinusoidal": rows * hidden
# %% misconception: the norm of as many ones
# says: You say that a sinusoidal vector is {norm:.2f} long, the root of {hidden}. Of each pair the
# square of the sine and the square of the cosine sum to one, and there are {half} pairs, not
# {hidden}.
# edit: math.sqrt(hidden / 2) => math.sqrt(hidden)
# %% misconception: the norm without its root
# says: You say that a sinusoidal vector is {norm:.2f} long. That is the sum of the squares, one for
# each of the {half} pairs; the length is the root of it, {norm_right:.2f}.
# edit: math.sqrt(hidden / 2) => hidden / 2
# %% misconception: untaught places of the text instead of the table
# says: You count {untaught} rows that no training text used: those that this text would need. Asked
# for is the whole table: it has {rows} rows, and training reached the first {trained} of them.
# edit: rows - trained => max(0, pieces + 2 - trained)
# %% hints
# 1. How many tokens does the text have once the tokenizer is done with it? And which place has the
# last of them?
# 2. A table is a matrix: rows times width. The clock is computed. And the square of a sine plus the
# square of the cosine of the same angle is one, for each pair.
# %% explanation
# Two limits must be kept apart. Where the table ends there is an error, and everybody notices.
# Where the training ended there is none: the rows are there, never used, and the model reads them
# without a word. A sinusoidal vector is the root of half the width long at every place, since each
# pair adds one to the sum of squares; that is large beside vectors that are drawn with a spread of
# 0.02.

# %% task 4.5: Who is blind to order?
# kind: measure; points: 20; minutes: 10; function: order_test
#
# Write the instrument of the chapter's first experiment. `order_test(read, ids, order)` gets
#
# - `read`, a model: called with ids `(T,)` it returns a row for each token, `(T, d)`;
# - `ids` `(T,)`, all different, and `order` `(T,)`, the new order of the places: the shuffled text
#   is `ids[order]`.
#
# Let it read both texts, and return a dictionary:
#
# - `"moved"`: by how much a number in a token's row moves *at most* when the text is shuffled.
#   Compare each token with **itself**, wherever it now stands;
# - `"blind"`: `True` if `moved` is nothing but rounding, that is, below `1e-4`.
#
# It will be used on models with and without positions, with full and causal masks, and on one that
# averages neighbours.
#
# *Example.* `read` gives to each token one number, its id plus its place. Ids `[5, 7, 9]` in the
# order `[2, 0, 1]`: first the rows are 5, 8, 11; shuffled, with the text `[9, 5, 7]`, they are 9,
# 6, 9. Token 9 moved from 11 to 9, token 5 from 5 to 6, token 7 from 8 to 9: `moved` is 2.0, and
# `blind` is `False`.

# %% stub
def order_test(read, ids: Tensor, order: Tensor) -> dict:
    """How far a token's row moves when the text is shuffled, and whether that is only rounding."""
    # BEGIN SOLUTION
    rows, shuffled = read(ids), read(ids[order])
    moved = (shuffled - rows[order]).abs().max().item()
    return {"moved": moved, "blind": moved < 1e-4}
    # END SOLUTION

# %% run
def run(function, case):
    draw = torch.Generator().manual_seed(case["seed"])
    width, length = 16, len(case["ids"])
    table, places = (torch.randn(100, width, generator=draw) for _ in range(2))
    maps = torch.randn(2, 3, width, width, generator=draw) / width**0.5
    kind, scale = case["model"], case["scale"]

    def read(ids):
        place = torch.arange(len(ids))
        x = table[ids]
        if kind == "the number of the place added":
            return x + scale * place[:, None]
        if kind == "neighbours averaged":
            return (x + x.roll(1, dims=0)) / 2
        if "with positions" in kind:
            x = x + places[place]
        for query, key, value in maps:
            scores = (x @ query) @ (x @ key).mT / width**0.5
            if "causal" in kind:
                scores = scores.masked_fill(place > place[:, None], -torch.inf)
            x = x + scores.softmax(-1) @ (x @ value)
        return x

    return function(read, case["ids"].clone(), case["order"].clone())

# %% check
def cases(rng):
    for model, roll, scale in (
        ("full mask, no positions", 0, 1), ("full mask, with positions", 0, 1),
        ("causal mask, no positions", 0, 1), ("neighbours averaged", 0, 1),
        ("the number of the place added", 1, 1),  # the greatest move goes down,
        ("the number of the place added", -1, 1),  # and here up
        ("the number of the place added", 1, 0.8e-5),  # on one side of the limit,
        ("the number of the place added", 1, 1.6e-5),  # and on the other
    ):
        length = int(rng.integers(9, 13))
        order = torch.arange(length).roll(roll)
        if not roll:  # the first three go round, so that the order is not its own inverse
            order[3:] = order[3:][torch.from_numpy(rng.permutation(length - 3))]
            order[:3] = torch.tensor([2, 0, 1])
        yield {
            "model": model, "scale": scale, "seed": int(rng.integers(2**31)),
            "ids": torch.from_numpy(rng.permutation(100)[:length].copy()), "order": order,
        }

def numbers(case, got, expected):
    return {
        "model": case["model"], "yours": got["moved"], "right": expected["moved"],
    }

# %% another right solution
def order_test(read, ids, order):
    before = dict(zip(ids.tolist(), read(ids)))
    shuffled = ids[order]
    after = dict(zip(shuffled.tolist(), read(shuffled)))
    moved = max(float((after[token] - before[token]).abs().max()) for token in before)
    return {"moved": moved, "blind": bool(moved <= 1e-4)}

# %% misconception: places compared instead of tokens
# says: For the model “{model}” you measure {yours:.3f}, and it is {right:.3f}. You compare what
# stands in the same **place**, and there another token has come to stand. Bring the first rows into
# the new order as well, so that each token meets itself.
# edit: shuffled - rows[order] => shuffled - rows
# %% misconception: shuffled once more instead of back
# says: For the model “{model}” you measure {yours:.3f}, and it is {right:.3f}. You bring the
# shuffled rows into the order a second time, instead of bringing the **first** rows into it: row
# `n` of the shuffled text belongs to the token that stood at place `order[n]`. (To undo an order
# takes `order.argsort()`.)
# edit: shuffled - rows[order] => shuffled[order] - rows
# %% misconception: the model never saw the other order
# says: For the model “{model}” you measure nothing at all, and {right:.3f} is there to be found.
# You shuffle the rows that came out. What has to be shuffled is the text, **before** the model
# reads it.
# edit: read(ids[order]) => read(ids)[order]
# %% misconception: rounding taken for a difference
# says: For the model “{model}” you have measured a difference of {yours:.1e} and called it not
# blind. That is rounding: the same numbers are summed in another order, and in single precision the
# last digits then differ. Nobody can ask for exactly 0 here; ask for less than `1e-4`.
# edit: < 1e-4 => == 0
# %% misconception: the mean instead of the most
# says: For the model “{model}” you measure {yours:.3f}, the average over all numbers; the largest
# is {right:.3f}. One token that moves is enough to give an order away, and in an average it may
# drown.
# edit: .max() => .mean()
# %% misconception: the length of a row's move
# says: For the model “{model}” you measure {yours:.3f}, the length of the longest move of a whole
# row. Asked for is the largest move of a single number in it, {right:.3f}. (Either would do to tell
# who is blind; what matters is to compare like with like.)
# edit: .abs() => .norm(dim=-1)
# %% misconception: blind the wrong way round
# says: For the model “{model}” your `moved` is right, {yours:.3f}, and `blind` says the opposite of
# it. Blind to order is whoever moves by nothing but rounding: less than `1e-4`.
# edit: < 1e-4 => > 1e-4
# %% misconception: only the average of all rows compared
# says: For the model “{model}” you measure {yours:.3f}, and it is {right:.3f}. You compare the
# average over all rows. It may stay where it is while every single row moves: what one token gains
# in it another loses. Compare token by token.
# edit: shuffled - rows[order] => shuffled.mean(0) - rows.mean(0)
# %% misconception: only moves upwards count
# says: For the model “{model}” you measure {yours:.3f}, and it is {right:.3f}. A number that falls
# has moved, too: take the absolute value before the largest.
# edit: (shuffled - rows[order]).abs() => (rows[order] - shuffled)
# %% hints
# 1. Two readings: one of `ids`, one of `ids[order]`. Row `n` of the second belongs to which token, and
# where did that token stand in the first text?
# 2. `read(ids)[order]` has its rows in the order of the shuffled text. Subtract, `abs()`, `max()`.
# %% explanation
# `rows[order]` lets each token meet itself; if the model is permutation equivariant, that is all
# that shuffling does. Only the model with a full mask and without positions passes, up to rounding.
# A causal mask gives the order away, since it matters who came before; so does a model that looks
# at neighbours.
# %% free choices
# - `moved < 1e-4` => `moved <= 1e-4`: the two are never equal
