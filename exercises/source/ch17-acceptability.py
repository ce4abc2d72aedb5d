# %% [markdown]
# # Exercises 17 · Acceptability, and honest numbers
#
# Chapter 17 had one task and many numbers. Here you compute the numbers yourself: a correlation
# from four counts, an interval that compares two models, a calibration error. You mend a report
# that looked at the test split, and measure how far an interval may be trusted. The last task is
# the **project of Part III**: a classifier of sentences, in a language that nobody has seen before.

# %% setup
import math

import numpy as np
import torch
from torch import Tensor


def matthews(labels, answers):
    """MCC of columns of zeros and ones, along the last axis; 0 where it is undefined."""
    t = labels - np.mean(labels, -1, keepdims=True)
    g = answers - np.mean(answers, -1, keepdims=True)
    spread = np.sqrt((t * t).sum(-1) * (g * g).sum(-1))
    return (t * g).sum(-1) / np.where(spread > 0, spread, np.inf)

# %% task 17.1: Matthews' coefficient from the four counts
# kind: write; points: 14; minutes: 8; function: mcc
#
# Write `mcc(counts)`. `counts` is a `(2, 2)` array of int64, a row for each true label (0, 1) and a
# column for each answer (0, 1): in the letters of the chapter `[[d, b], [c, a]]`. Return the
# correlation of Matthews as a float, and `0.0` where it is undefined, that is where a factor below
# the line is zero.
#
# The tables come from test sets of a hundred sentences, and of some hundred thousand. (`matthews`
# in the first cell starts from two columns of labels and is meant for the tasks that follow; here
# you have the counts alone.)
#
# *Example.* `[[20, 10], [10, 60]]`: above the line stands 60 · 20 − 10 · 10 = 1100, below it the
# root of 70 · 70 · 30 · 30, which is 2100. The coefficient is `0.5238`.

# %% stub
def mcc(counts: np.ndarray) -> float:
    """The correlation of Matthews from counts (2, 2): truth by answer; 0.0 where undefined."""
    # BEGIN SOLUTION
    (d, b), (c, a) = counts.tolist()
    below = (a + b) * (a + c) * (d + b) * (d + c)
    return (a * d - b * c) / math.sqrt(below) if below else 0.0
    # END SOLUTION

# %% check
def exact(counts):
    (d, b), (c, a) = counts.tolist()
    product = (a + b) * (a + c) * (d + b) * (d + c)
    return a * d - b * c, product

def cases(rng):
    yield {"counts": np.array([[20, 10], [10, 60]])}
    yield {"counts": rng.integers((15, 5, 5, 60), (30, 12, 12, 90)).reshape(2, 2)}
    yield {"counts": np.array([[int(rng.integers(10, 25)), 0], rng.integers((8, 60), (20, 80))])}
    yield {"counts": np.array([[0, int(rng.integers(25, 35))], [0, int(rng.integers(60, 80))]])}
    while True:
        counts = rng.integers((60_000, 20_000, 20_000, 200_000), (90_000, 40_000, 40_000, 300_000))
        above, product = exact(counts.reshape(2, 2))
        wrapped = (product + 2**63) % 2**64 - 2**63
        # What int64 makes of the product is positive here, and the result still far from right.
        if wrapped > 0 and above / math.sqrt(wrapped) > 1.1 * above / math.sqrt(product):
            break
    yield {"counts": counts.reshape(2, 2)}

def numbers(case, got, expected):
    (d, b), (c, a) = case["counts"].tolist()
    return {
        "table": case["counts"].tolist(), "n": a + b + c + d, "yours": got, "right": expected,
        "above": a * d - b * c, "plus": a * d + b * c, "agree": a + d, "differ": b + c,
    }

# %% another right solution
def mcc(counts):
    table = counts / counts.sum()
    truth, said = table.sum(1), table.sum(0)
    covariance = table[1, 1] - truth[1] * said[1]
    spread = truth.prod() * said.prod()
    return float(covariance / spread**0.5) if spread > 0 else 0.0

# %% misconception: the product does not fit into int64
# says: Your small tables are right, but for the one of {n:,} sentences you have {yours:.3f}, and
# {right:.3f} is expected. The product below the line has more than twenty digits there, and an
# int64 holds nineteen at most: NumPy's whole numbers then start again from below, with a warning at
# best. Python's own whole numbers have no such end, and floats are exact enough.
# edit: counts.tolist() => counts
# edit: math.sqrt(below) => np.sqrt(below)
# %% misconception: NaN for a classifier that always says the same
# says: For {table} you have {yours}: this classifier said the same of every sentence, a factor
# below the line is zero, and zero by zero is not a number. The coefficient is *set* to zero there,
# since such answers have nothing to do with the truth.
# edit: counts.tolist() => counts.astype(float)
# - return (a * d - b * c) / math.sqrt(below) if below else 0.0
# + return float((a * d - b * c) / np.sqrt(below))
# %% misconception: a division by zero for a classifier that always says the same
# says: Your function stops with a division by zero. That is the classifier that said the same of
# every sentence: a factor below the line is zero, and the coefficient has to be *set* to zero
# before anything is divided.
# edit: math.sqrt(below) if below else 0.0 => math.sqrt(below)
# %% misconception: zero as soon as one count is zero
# says: For {table} you have 0, and {right:.3f} is expected. One of the four counts may well be
# zero: a classifier without a single mistake of one kind is a good classifier, not an undefined
# one. What must not be zero are the four *sums* below the line.
# edit: if below else 0.0 => if counts.all() else 0.0
# %% misconception: the mistakes are added
# says: For {table} you have {yours:.3f}; expected is {right:.3f}. Above the line you have {plus:,},
# where {above:,} should stand: the product of the two kinds of mistakes is taken *off*. With a plus
# a classifier that is wrong about everything would look as good as one that is always right.
# edit: a * d - b * c => a * d + b * c
# %% misconception: no root below the line
# says: For {table} you have {yours:.6f}: four sums are multiplied below the line and only two
# counts above it, so without the root the result shrinks as the table grows. A correlation must not
# depend on how many sentences there are.
# edit: math.sqrt(below) => below
# %% misconception: the wrong sums below the line
# says: For {table} you have {yours:.3f}; expected is {right:.3f}. The four sums below the line are
# those of the two rows and of the two columns of the table. Yours seem to contain the right answers
# together ({agree:,}) and the mistakes together ({differ:,}), which run across it.
# edit: (a + c) * (d + b) * (d + c) => (b + d) * (a + d) * (b + c)
# %% hints
# 1. Take the four counts out by name first, and write the formula of the chapter down with them. Then
# ask: for which tables is there a zero below the line?
# 2. Two things are left once the example is right: a classifier that always says the same, and a
# table with hundreds of thousands of sentences. How large is the product below the line there, and
# how large may an int64 be?
# 3. `(d, b), (c, a) = counts.tolist()` gives Python's own whole numbers, which never overflow. If the
# product is zero return `0.0`, else divide by `math.sqrt` of it.
# %% explanation
# The four sums are how often each label is true and how often each answer is given; if one of them
# is zero there is nothing to correlate, and the coefficient is set to zero. The overflow is no toy:
# scikit-learn had it until 2017, and others after it, because test sets are rarely that large and
# the program goes on with a wrong number. Multiplying in Python's whole numbers, or dividing by the
# number of sentences first, avoids it.

# %% task 17.2: Is the first model better than the second?
# kind: write; points: 18; minutes: 15; function: compare
#
# Two models answered the same `N` sentences. Write `compare(labels, first, second, draws, seed)`,
# all three arrays `(N,)` of zeros and ones, and return three floats:
#
# - the difference of the two MCCs on the sentences as they are, first minus second;
# - the low and the high end of its 95 % **bootstrap** interval: draw `draws` test sets of `N`
#   sentences out of these `N`, with repetition, take the same difference on each, and keep the
#   middle 95 % of what came out.
#
# A drawn sentence brings along its label *and both answers*: the models are compared on the same
# draw. `matthews` of the first cell works along the last axis, so it takes arrays `(draws, N)` too.
# Your random numbers may be any (`np.random.default_rng(seed)` will do); your ends are compared
# with those of very many draws, and have room for luck.
#
# *Example.* If both models gave the same answers, then the difference is zero in every draw, and
# the result is `(0.0, 0.0, 0.0)`, however small the test set.

# %% stub
def compare(
    labels: np.ndarray, first: np.ndarray, second: np.ndarray, draws: int, seed: int
) -> tuple[float, float, float]:
    """The difference of the MCCs, first minus second, and its paired bootstrap interval."""
    # BEGIN SOLUTION
    rows = np.random.default_rng(seed).integers(0, len(labels), (draws, len(labels)))
    drawn = matthews(labels[rows], first[rows]) - matthews(labels[rows], second[rows])
    low, high = np.quantile(drawn, [0.025, 0.975])
    measured = matthews(labels, first) - matthews(labels, second)
    return float(measured), float(low), float(high)
    # END SOLUTION

# %% check
def reference(labels, first, second, rng, draws):
    """Paired interval, and widths of what goes wrong, from many draws."""
    # A draw is nothing but how often each of eight kinds of sentence comes up.
    shares = np.bincount(4 * labels + 2 * first + second, minlength=8) / len(labels)
    counts, others = rng.multinomial(len(labels), shares, (2, draws)).reshape(2, draws, 2, 2, 2)

    def mcc(table):
        (d, c), (b, a) = table.T
        below = (a + b) * (a + c) * (d + b) * (d + c)
        return (a * d - b * c) / np.sqrt(np.maximum(below, 1))

    one, two, apart = mcc(counts.sum(3)), mcc(counts.sum(2)), mcc(others.sum(2))
    low, high = np.quantile(one - two, [0.025, 0.975])
    alone = np.quantile(one - apart, [0.025, 0.975])
    ends = np.quantile(one, [0.025, 0.975]) - np.quantile(two, [0.975, 0.025])
    return {
        "difference": float(matthews(labels, first) - matthews(labels, second)),
        "accuracy": float((first == labels).mean() - (second == labels).mean()), "low": float(low),
        "high": float(high), "alone": float(np.ptp(alone)), "ends": float(np.ptp(ends)),
    }

def cases(rng):
    for size in (200, 240):
        while True:
            labels = (rng.random(size) < 0.7).astype(int)
            first = np.where(rng.random(size) < 0.86, labels, 1 - labels)
            second = np.where(rng.random(size) < 0.93, first, 1 - labels)
            found = reference(labels, first, second, rng, 2000)
            width = found["high"] - found["low"]
            differ = abs(found["difference"] - found["accuracy"]) > 0.02 < found["difference"]
            if differ and found["alone"] > 1.4 * width and found["ends"] > 1.3 * found["alone"]:
                break
        case = {"labels": labels, "first": first, "second": second, "draws": 8000}
        yield {**case, "seed": int(rng.integers(2**31))}, reference(labels, first, second, rng, 100_000)

def parts(got):
    return [float(x) for x in got] if len(got) == 3 else None

def judge(case, got, expected):
    values = parts(got) if isinstance(got, list | tuple | np.ndarray | Tensor) else None
    if values is None:
        return "Three numbers are expected: the difference, the low end and the high end."
    difference, low, high = values
    right, width = expected["difference"], expected["high"] - expected["low"]
    if any(math.isnan(x) for x in values):
        return f"There is NaN in your result: ({difference:.3f}, {low:.3f}, {high:.3f})."
    if abs(difference + right) < 1e-4:
        return "second minus first"
    if abs(difference - expected["accuracy"]) < 1e-4:
        return "a difference of accuracies"
    if abs(difference - right) > 1e-4:
        if abs(difference - right) < 0.02:
            return (
                f"Your difference is {difference:.4f}, and on the sentences as they are it is "
                f"{right:.4f}. Is yours the mean over the draws? The draws are for the interval; "
                "the result itself is what was measured."
            )
        return (
            f"Your difference is {difference:.3f}; MCC of first minus MCC of second is {right:.3f}."
        )
    if low > high:
        return f"Your low end, {low:.3f}, is above your high end, {high:.3f}."
    ratio = (high - low) / width
    if ratio < 0.8 and (high < expected["low"] or low > expected["high"]):
        return "fractions taken for per cent"
    if ratio < 0.002:
        return "no interval: drawn without repetition"
    if ratio < 0.1:
        return "the error of the mean over draws"
    if max(abs(low - expected["low"]), abs(high - expected["high"])) < 0.045 * width:
        return None
    if 0.78 < ratio <= 0.91:
        return "ninety per cent instead of ninety-five"
    if 0.9 < ratio * width / expected["alone"] < 1.1:
        return "each model on a draw of its own"
    if 0.9 < ratio * width / expected["ends"] < 1.1:
        return "the ends of two separate intervals"
    return (
        f"Your interval runs from {low:.3f} to {high:.3f}; with very many draws it runs from "
        f"{expected['low']:.3f} to {expected['high']:.3f}. Has each draw as many sentences as the "
        "test set, and is it the middle 95 % that you keep?"
    )

def numbers(case, got, expected):
    difference, low, high = parts(got)
    return {
        "difference": difference, "low": low, "high": high, "width": high - low,
        "right": expected["difference"], "right_width": expected["high"] - expected["low"],
        "root": math.sqrt(case["draws"]),
    }

# %% another right solution
def compare(labels, first, second, draws, seed):
    torch.manual_seed(seed)
    kind = torch.from_numpy(4 * labels + 2 * first + second)
    shares = torch.bincount(kind, minlength=8) / len(labels)
    # A draw is nothing but how often each of the eight kinds of sentence came up.
    counts = torch.distributions.Multinomial(len(labels), shares).sample((draws,)).double()
    counts = torch.cat([shares[None].double() * len(labels), counts])

    def coefficient(bit):
        four = torch.zeros(len(counts), 2, 2, dtype=torch.float64)
        for number in range(8):
            four[:, number // 4, number // bit % 2] += counts[:, number]
        product = four.sum(1).prod(1) * four.sum(2).prod(1)
        above = four[:, 1, 1] * four[:, 0, 0] - four[:, 0, 1] * four[:, 1, 0]
        return above / product.clamp(min=1e-9).sqrt()

    difference = coefficient(2) - coefficient(1)
    ends = torch.quantile(difference[1:], torch.tensor([0.025, 0.975], dtype=torch.float64))
    return difference[0].item(), ends[0].item(), ends[1].item()

# %% misconception: no interval: drawn without repetition
# says: Your interval has no width, from {low:.3f} to {high:.3f}. If every sentence is drawn once,
# each draw is the same test set in another order, and gives the same MCC. Drawn *with* repetition
# some sentences come twice and others not at all, as in a fresh test set.
# - rows = np.random.default_rng(seed).integers(0, len(labels), (draws, len(labels)))
# + random = np.random.default_rng(seed)
# + rows = np.stack([random.permutation(len(labels)) for _ in range(draws)])
# %% misconception: each model on a draw of its own
# says: Your interval is {width:.3f} wide, and {right_width:.3f} is enough. Is each model scored on
# sentences of its own? Then one may get the easy ones and the other the hard ones. They answered
# the *same* sentences: one draw for both, and the luck of the draw falls out of the difference.
# edit: rows = np => rows, others = np
# edit: (draws, len(labels)) => (2, draws, len(labels))
# edit: matthews(labels[rows], second[rows]) => matthews(labels[others], second[others])
# %% misconception: the ends of two separate intervals
# says: Your interval is {width:.3f} wide, and {right_width:.3f} is enough. It looks as if each
# model had an interval of its own and you had subtracted the ends. That supposes the worst draw for
# one model together with the best for the other. Take the difference *within* each draw, and its
# quantiles.
# - drawn = matthews(labels[rows], first[rows]) - matthews(labels[rows], second[rows])
# - low, high = np.quantile(drawn, [0.025, 0.975])
# + one = np.quantile(matthews(labels[rows], first[rows]), [0.025, 0.975])
# + two = np.quantile(matthews(labels[rows], second[rows]), [0.025, 0.975])
# + low, high = one[0] - two[1], one[1] - two[0]
# %% misconception: the error of the mean over draws
# says: Your interval, {low:.3f} to {high:.3f}, is narrower than it should be by a factor of about
# {root:.0f}, the root of the number of draws. The spread *of the draws* already is what a fresh
# test set would bring. Divided by that root it says how well the mean of the draws is known, which
# any computer can make as narrow as you like without a single new sentence.
# - return float(measured), float(low), float(high)
# + half = 1.96 * drawn.std() / math.sqrt(draws)
# + return measured, measured - half, measured + half
# %% misconception: ninety per cent instead of ninety-five
# says: Your interval is {width:.3f} wide; the one that is asked for is {right_width:.3f}. Yours
# would fit 90 %: the middle 95 % leave two and a half per cent on *either* side, not five.
# edit: [0.025, 0.975] => [0.05, 0.95]
# %% misconception: fractions taken for per cent
# says: Your interval runs from {low:.3f} to {high:.3f}, beyond all but a handful of the draws. The
# middle 95 % lie between the fractions 0.025 and 0.975 for `np.quantile`, and between 2.5 and 97.5
# for `np.percentile`: is one given the numbers of the other?
# edit: np.quantile => np.percentile
# %% misconception: second minus first
# says: Your difference is {difference:.3f}: it is the second's MCC minus the first's. The first
# comes first, so that a positive number speaks for it.
# - return float(measured), float(low), float(high)
# + return -float(measured), -float(high), -float(low)
# %% misconception: a difference of accuracies
# says: Your difference, {difference:.3f}, is that of the accuracies. Seven in ten of these
# sentences are acceptable, so compare by MCC: there the first is ahead by {right:.3f}.
# - drawn = matthews(labels[rows], first[rows]) - matthews(labels[rows], second[rows])
# + drawn = (first == labels)[rows].mean(1) - (second == labels)[rows].mean(1)
# - measured = matthews(labels, first) - matthews(labels, second)
# + measured = (first == labels).mean() - (second == labels).mean()
# %% hints
# 1. One array of row numbers, `(draws, N)`, chosen from `0` to `N - 1` with repetition. What do you
# get from `labels[rows]`?
# 2. Use the *same* `rows` for the labels, the first and the second. Then there is one difference for
# each draw, `(draws,)`.
# 3. `rows = generator.integers(0, N, (draws, N))`; the ends are
# `np.quantile(differences, [0.025, 0.975])`; the first number is the difference without any draw.
# %% explanation
# Each draw plays “another test set”, and the spread of the differences over draws is the luck of
# the sentences. Because both models sit the same examination, hard sentences pull both down and
# fall out of the difference: the paired interval is narrower than any that treats the models apart.
# It says nothing about the other kind of luck, the seeds of the training.
# %% free choices
# - `integers(0,` => `integers(1,`: one sentence of two hundred is less than the luck of the draws

# %% task 17.3: A score that was chosen by looking
# kind: repair; points: 16; minutes: 10; function: choose_and_report
#
# A classifier was trained with `S` seeds. `dev_scores` `(S, N)` and `test_scores` `(S, M)` hold the
# scores for “acceptable” that each of them gives, `dev_labels` `(N,)` and `test_labels` `(M,)` the
# truth; a sentence is called acceptable if its score is *above* the threshold. One seed and one of
# the `thresholds` are to be chosen **together**, so that MCC is best where one may look, and the
# number reported is the **MCC on the test split**. Return seed, threshold and that number.
#
# The function below stands at the end of more than one project, and its number was printed in bold.
# Mend it. (`matthews` is in the first cell.)
#
# *Example.* One seed, two thresholds: `dev_scores = [[0.2, 0.4, 0.6, 0.8]]` with labels
# `[0, 0, 1, 1]`, `test_scores = [[0.1, 0.6, 0.4, 0.9]]` with the same labels,
# `thresholds = [0.3, 0.5]`. On the development split 0.5 separates everything. On the test split it
# is right about two of four sentences, one of each label, so the result is `(0, 0.5, 0.0)`. (A look
# at the test split would have chosen 0.3.)

# %% stub
def choose_and_report(
    dev_scores: np.ndarray,
    dev_labels: np.ndarray,
    test_scores: np.ndarray,
    test_labels: np.ndarray,
    thresholds: list[float],
) -> tuple[int, float, float]:
    """The chosen seed, the chosen threshold, and the test split's MCC with both."""
    best, chosen = -2.0, (0, thresholds[0])
    for seed in range(len(dev_scores)):
        for threshold in thresholds:
            # BEGIN STUB
            found = ((test_scores[seed] > threshold) == test_labels).mean()
            # END STUB
            # BEGIN SOLUTION
            found = matthews(dev_labels, dev_scores[seed] > threshold)
            # END SOLUTION
            if found > best:
                best, chosen = float(found), (seed, threshold)
    # BEGIN STUB
    return *chosen, best
    # END STUB
    # BEGIN SOLUTION
    said = test_scores[chosen[0]] > chosen[1]
    return *chosen, float(matthews(test_labels, said))
    # END SOLUTION

# %% check
import itertools

def tables(scores, labels, thresholds):
    """MCC and accuracy of every seed with every threshold, (S, C) each."""
    said = scores[:, None, :] > np.array(thresholds)[:, None]
    truth = np.broadcast_to(labels, said.shape)
    return matthews(truth, said), (truth == said).mean(-1)

def outcomes(dev, test, thresholds):
    """What is chosen and reported, rightly and wrongly; empty if the choice is not clear."""
    (dev_mcc, dev_share), (mcc, share) = tables(*dev, thresholds), tables(*test, thresholds)
    first, second = np.sort(dev_mcc.ravel())[-1:-3:-1]
    if first - second < 1e-6:
        return []
    seed = dev_mcc.argmax() // len(thresholds)
    again = seed * len(thresholds) + mcc[seed].argmax()
    common = dev_mcc.mean(0).argmax()
    later = dev_mcc[:, common].argmax() * len(thresholds) + common
    pairs = [(dev_mcc, mcc), (mcc, mcc), (dev_share, mcc), (dev_mcc, dev_mcc)]
    pairs += [(dev_mcc, share), (dev_share, dev_share), (share, share)]
    found = [(chosen.argmax(), reported.flat[chosen.argmax()]) for chosen, reported in pairs]
    return [*found, (again, mcc.flat[again]), (later, mcc.flat[later])]

def cases(rng):
    thresholds = [0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8]
    made = 0
    labels = np.array([0, 0, 1, 1])
    yield {  # scores that are no more than a threshold
        "dev_scores": np.array([[0.2, 0.5, 0.6, 0.8]]), "dev_labels": labels,
        "test_scores": np.array([[0.1, 0.5, 0.4, 0.9]]), "test_labels": labels,
        "thresholds": [0.3, 0.5],
    }
    while made < 2:
        quality = rng.uniform(0.3, 1.2, size=5)

        def side(size, quality=quality):
            labels = (np.arange(size) < 0.7 * size).astype(int)
            rng.shuffle(labels)
            z = quality[:, None] * (2 * labels - 1) + 0.7 + rng.normal(size=(5, size)) * 1.4
            return np.round(1 / (1 + np.exp(-z)), 6), labels

        dev, test = side(80), side(80)
        found = outcomes(dev, test, thresholds)
        if not found:
            continue
        apart = all(
            a[0] != b[0] or abs(a[1] - b[1]) > 0.005 for a, b in itertools.combinations(found, 2)
        )
        # The look at the test split is to flatter, and accuracy to let more through than MCC.
        places = [pair[0] % len(thresholds) for pair in found]
        if apart and found[1][1] > found[0][1] + 0.05 and places[2] < places[0]:
            made += 1
            yield {
                "dev_scores": dev[0], "dev_labels": dev[1], "test_scores": test[0],
                "test_labels": test[1], "thresholds": thresholds,
            }

def numbers(case, got, expected):
    seed, threshold, value = got
    dev = matthews(case["dev_labels"], case["dev_scores"][seed] > threshold)
    said = case["test_scores"][seed] > threshold
    return {
        "value": value, "seed": seed, "threshold": threshold, "right": expected[2], "dev": dev,
        "test": matthews(case["test_labels"], said),
        "accuracy": (said == case["test_labels"]).mean(),
        "looks": len(case["dev_scores"]) * len(case["thresholds"]),
    }

# %% another right solution
def choose_and_report(dev_scores, dev_labels, test_scores, test_labels, thresholds):
    above = np.stack([dev_scores > threshold for threshold in thresholds], axis=1)  # (S, C, N)
    found = matthews(np.broadcast_to(dev_labels, above.shape), above)
    seed, place = np.unravel_index(found.argmax(), found.shape)
    said = test_scores[seed] > thresholds[place]
    return int(seed), thresholds[place], np.nan_to_num(np.corrcoef(test_labels, said)[0, 1])

# %% misconception: everything is as it was
# says: You report {value:.2f}; an honest choice among these five seeds has an MCC of {right:.2f}.
# Two questions: on which split is the choice made? And what would a classifier that calls
# everything acceptable get by this number?
# - found = matthews(dev_labels, dev_scores[seed] > threshold)
# + found = ((test_scores[seed] > threshold) == test_labels).mean()
# edit: matthews(test_labels, said) => (said == test_labels).mean()
# %% misconception: MCC, but still chosen on the test split
# says: Now it is MCC that is reported, {value:.2f}, but it is the best of {looks} looks at the test
# split and high by selection. The same seeds, chosen where one may look, reach {right:.2f}. Seed
# and threshold are chosen on the development split.
# edit: matthews(dev_labels, dev_scores[seed] => matthews(test_labels, test_scores[seed]
# %% misconception: the development split's score is reported
# says: You choose rightly, seed {seed} and threshold {threshold}, and then report {value:.2f}, the
# very score by which they were chosen. That is flattered: it won among {looks} because it was the
# highest. What was chosen has to be measured on sentences that had no part in the choice, and gets
# {right:.2f}.
# edit: float(matthews(test_labels, said)) => best
# %% misconception: chosen by accuracy
# says: You look at the right split, but what you choose, seed {seed} with threshold {threshold}, is
# best by *accuracy*. Where seven in ten are acceptable that favours a low threshold, which lets
# nearly everything through. Choose by the number that you are going to report, by MCC.
# - found = matthews(dev_labels, dev_scores[seed] > threshold)
# + found = ((dev_scores[seed] > threshold) == dev_labels).mean()
# %% misconception: the other split, but accuracy throughout
# says: The choice is now made on the development split, but by accuracy, and the {value:.2f} that
# you report is the accuracy there. Seven in ten sentences are acceptable, so 0.70 is what a
# classifier gets that has learned nothing. On the test split your choice has an MCC of {test:.2f}.
# - found = matthews(dev_labels, dev_scores[seed] > threshold)
# + found = ((dev_scores[seed] > threshold) == dev_labels).mean()
# edit: float(matthews(test_labels, said)) => best
# %% misconception: chosen rightly, accuracy reported
# says: Seed {seed} and threshold {threshold} are the right choice. The number beside them,
# {value:.2f}, is their accuracy on the test split, and a classifier that says “acceptable” to all
# would have 0.70 there. Their MCC is what is asked for.
# edit: matthews(test_labels, said) => (said == test_labels).mean()
# %% misconception: the threshold is chosen again on the test split
# says: The seed is chosen on the development split, and then the threshold, {threshold}, once more
# on the test split. A threshold is a choice like any other: yours reports {value:.2f} where
# {right:.2f} is honest.
# - said = test_scores[chosen[0]] > chosen[1]
# + scores = test_scores[chosen[0]]
# + chosen = chosen[0], max(thresholds, key=lambda t: matthews(test_labels, scores > t))
# + said = scores > chosen[1]
# %% misconception: first a threshold for all, then a seed
# says: You choose seed {seed} with threshold {threshold}. It seems that you took the threshold that
# is best on average over the seeds, and then the best seed with that one. Each seed has scores of
# its own and may want another threshold: go through the pairs.
# - best, chosen = -2.0, (0, thresholds[0])
# + quality = lambda t: np.mean([matthews(dev_labels, scores > t) for scores in dev_scores])
# + thresholds = [max(thresholds, key=quality)]
# + best, chosen = -2.0, (0, thresholds[0])
# %% hints
# 1. Follow the names: which of the four arrays of the signature are never used?
# 2. Two things change in the loop, the split and the score. After the loop `best` is the score of
# the *choice*: is that the number that is to be reported?
# 3. In the loop `matthews(dev_labels, dev_scores[seed] > threshold)`. After it, apply the chosen seed
# and threshold to `test_scores` once, and report the MCC of that.
# %% explanation
# The best of thirty-five numbers is high by selection, whatever was trained; chapter 17 got a
# “result” out of coins that way. So seed and threshold are chosen on the development split, whose
# best score is flattered in turn, and the test split is asked once, about that one choice. Accuracy
# would have hidden a choice that lets everything through.

# %% task 17.4: Does it mean what it says?
# kind: write; points: 16; minutes: 12; function: calibration_error
#
# Write `calibration_error(probabilities, labels, bins=10)`: the expected calibration error of
# answers with `probabilities` `(N, C)`, rows that sum to one, and `labels` `(N,)` from 0.
#
# - The *confidence* of an answer is the largest probability of its row; the answer is *right* if
#   that is the label's.
# - Sort the answers by confidence into `bins` equally wide bins between 0 and 1, each open below
#   and closed above, as in the chapter: with ten bins (0, 0.1], (0.1, 0.2], … (0.9, 1].
# - In each bin take the distance between mean confidence and share of right answers. Return the
#   mean of these distances, in which each bin counts as often as there are answers in it.
#
# *Example.* Rows `[0.05, 0.95]`, `[0.05, 0.95]`, `[0.95, 0.05]`, `[0.65, 0.35]` with the labels 1,
# 1, 1 and 0. Three answers are 0.95 sure, two of them right: a distance of 0.2833. One is 0.65
# sure, and right: a distance of 0.35. The error is (3 · 0.2833 + 1 · 0.35) / 4 = `0.3`.

# %% stub
def calibration_error(probabilities: np.ndarray, labels: np.ndarray, bins: int = 10) -> float:
    """Mean distance between confidence and accuracy over bins, weighted by their counts."""
    # BEGIN SOLUTION
    confidence = probabilities.max(1)
    right = probabilities.argmax(1) == labels
    error = 0.0
    for number in range(bins):
        inside = (confidence > number / bins) & (confidence <= (number + 1) / bins)
        if inside.any():
            error += inside.mean() * abs(confidence[inside].mean() - right[inside].mean())
    return float(error)
    # END SOLUTION

# %% check
def well_apart(p, labels, bins):
    """Whether the error differs from what comes out by one mistake or another, and these too."""
    confidence, right = p.max(1), p.argmax(1) == labels
    which = np.ceil(confidence * bins).astype(int)
    used = [k for k in range(1, bins + 1) if (which == k).any()]
    weights = np.array([(which == k).mean() for k in used])
    gaps = np.array([(confidence - right)[which == k].mean() for k in used])
    middles = np.array([(k - 0.5) / bins - right[which == k].mean() for k in used])
    ones = confidence == 1
    last = (which == bins) & ~ones
    found = [
        (weights * abs(gaps)).sum(), abs((weights * gaps).sum()), abs(gaps).mean(),
        abs(gaps).sum() / bins, (weights * abs(middles)).sum(),
        (weights * abs(gaps))[:-1].sum() + last.mean() * abs((confidence - right)[last].mean()),
        abs(confidence - right).mean(),
    ]
    return np.diff(np.sort(found)).min() > 0.002

def cases(rng):
    rows = np.array([[0.05, 0.95], [0.05, 0.95], [0.95, 0.05], [0.65, 0.35]])
    yield {"probabilities": rows, "labels": np.array([1, 1, 1, 0]), "bins": 10}
    for classes, bins in ((2, 10), (3, 5), (3, 15)):
        while True:
            z = rng.normal(size=(300, classes)) * 1.4
            p = np.exp(z) / np.exp(z).sum(1, keepdims=True)
            # Too sure where it is very sure, not sure enough where it is not.
            right = rng.random(300) < 0.85 - 0.2 * (p.max(1) - 1 / classes)
            other = (p.argmax(1) + rng.integers(1, classes, size=300)) % classes
            labels = np.where(right, p.argmax(1), other)
            p[:20] = np.eye(classes)[rng.integers(classes, size=20)]  # quite sure, and by chance
            if well_apart(p, labels, bins):
                break
        yield {"probabilities": p, "labels": labels, "bins": bins}
    rows = np.array([[0.75, 0.25], [0.75, 0.25], [0.875, 0.125], [0.625, 0.375]])  # on a border
    yield {"probabilities": rows, "labels": np.array([0, 1, 0, 1]), "bins": 4}

def numbers(case, got, expected):
    p, labels = case["probabilities"], case["labels"]
    confidence, right = p.max(1), p.argmax(1) == labels
    return {
        "yours": got, "right": expected, "n": len(labels), "bins": case["bins"],
        "used": len(set(np.ceil(confidence * case["bins"]).astype(int))),
        "confidence": confidence.mean(), "accuracy": right.mean(),
        "ones": int((confidence == 1).sum()),
    }

# %% another right solution
def calibration_error(probabilities, labels, bins=10):
    p = torch.as_tensor(probabilities)
    confidence, answer = p.max(dim=1)
    gap = confidence - (answer == torch.as_tensor(labels)).double()
    edges = torch.linspace(0, 1, bins + 1, dtype=torch.float64)
    which = torch.bucketize(confidence, edges[1:-1])
    sums = torch.zeros(bins, dtype=torch.float64).index_add(0, which, gap)
    return (sums.abs().sum() / len(p)).item()

# %% misconception: every bin counts the same
# says: You have {yours:.4f}, where {right:.4f} is expected. Each of your bins counts the same,
# whether one answer is in it or most of the {n}. Weigh each distance by the fraction of the answers
# in its bin; otherwise a single unlucky answer may decide.
# edit: inside.mean() * abs( => abs(
# edit: float(error) => float(error / len(np.unique(np.ceil(confidence * bins))))
# %% misconception: empty bins count as perfect
# says: You have {yours:.4f}, where {right:.4f} is expected. You add up the distances and divide by
# all {bins} bins, of which only {used} hold any answer: an empty bin passes for perfectly
# calibrated. Weigh each bin by the fraction of the answers that are in it, and empty ones drop out
# by themselves.
# edit: inside.mean() * abs( => abs(
# edit: float(error) => float(error / bins)
# %% misconception: too sure here and too unsure there cancel out
# says: You have {yours:.4f}, where {right:.4f} is expected. Yours is the distance between the mean
# confidence of all answers, {confidence:.4f}, and their accuracy, {accuracy:.4f}: bins that are too
# sure and bins that are not sure enough cancel each other. Take the distance, without its sign, in
# each bin *before* you add up.
# edit: float(error) => float(abs(confidence.mean() - right.mean()))
# %% misconception: each answer is compared for itself
# says: You have {yours:.4f}, where {right:.4f} is expected. You compare every single answer's
# confidence with 0 or 1. An answer that is 0.9 sure and right is not “off by 0.1”: of ten such
# answers one *should* be wrong. Only a group of answers has an accuracy, which is what the bins are
# for.
# edit: float(error) => float(abs(confidence - right).mean())
# %% misconception: the middle of the bin for the confidence
# says: You have {yours:.4f}, where {right:.4f} is expected. It looks as if you had taken the middle
# of each bin for its confidence. The answers in a bin need not lie around its middle: take their
# mean.
# edit: confidence[inside].mean() => (number + 0.5) / bins
# %% misconception: the probability of label 1 for the confidence
# says: You have {yours:.4f}, where {right:.4f} is expected. You sort by the probability of label 1.
# An answer with [0.95, 0.05] is sure as well, of label 0: the confidence is the *largest*
# probability of the row, and right is whether that one is the label's.
# edit: probabilities.max(1) => probabilities[:, 1].clip(1e-9)
# edit: probabilities.argmax(1) == labels => labels == 1
# %% misconception: a confidence of one falls out
# says: You have {yours:.4f}, where {right:.4f} is expected. {ones} answers have a confidence of
# exactly one, and with bins that are open *above* they are in none of them: the surest answers of
# all go unexamined. The bins are closed above, and the last one includes 1.
# edit: confidence > number => confidence >= number
# edit: confidence <= (number => confidence < (number
# %% misconception: a confidence of one has no bin
# says: Your function stops with an index that is too large. Some answers have a confidence of
# exactly 1, and `int(1.0 * bins)` is one more than the number of the last bin. The bins are closed
# above: 1 belongs in the last of them.
# - error = 0.0
# + sums = np.zeros(bins)
# + for sure, is_right in zip(confidence, right, strict=True):
# +     sums[int(sure * bins)] += sure - is_right
# + return float(abs(sums).sum() / len(labels))
# %% hints
# 1. Two arrays first, both `(N,)`: `confidence`, and whether the answer was right. Check them by hand
# on the example.
# 2. Then a loop over the bins. `inside` is boolean, `(N,)`; `inside.mean()` is the fraction of the
# answers in the bin; skip a bin that is empty.
# 3. For each bin add `inside.mean() * abs(confidence[inside].mean() - right[inside].mean())`, where
# `inside` is `confidence > lower edge` and `confidence <= upper edge`.
# %% explanation
# Calibration is a property of groups: among all answers that are about 0.9 sure, about nine in ten
# should be right. Each bin is such a group, and it counts by its size. A model may be perfectly
# calibrated and useless, as the collapsed one of the chapter, so this number stands beside MCC and
# does not replace it.

# %% task 17.5: Does a 95 % interval hold 95 times in 100?
# kind: measure; points: 16; minutes: 15; function: coverage
#
# A model is truly right about a proportion $p$ of all sentences. You test it on $n$ of them, find
# the proportion $\hat p$, and give an interval. How often does the interval contain the truth? Two
# formulas, both with $z = 1.96$:
#
# - the simple one, $\hat p \pm z \sqrt{\hat p (1 - \hat p) / n}$;
# - Wilson's, $\dfrac{\hat p + z^2 / 2n}{1 + z^2 / n} \pm \dfrac{z}{1 + z^2 / n}
#   \sqrt{\dfrac{\hat p (1 - \hat p)}{n} + \dfrac{z^2}{4 n^2}}$.
#
# Write `coverage(proportion, trials, experiments, seed)`: draw `experiments` test sets of `trials`
# sentences, each sentence being right with probability `proportion`; compute both intervals for
# each; return the fraction of experiments whose interval contains `proportion`, for the simple
# interval and for Wilson's. Your result is compared with the exact one, with room for the luck of
# the draws.
#
# *Example.* For one test set of 20 sentences with 20 right, the simple interval is [1, 1], and
# Wilson's [0.839, 1]. If the truth is 0.95, the first misses it and the second does not.
#
# Before you run it, write down what you expect for `proportion=0.95`, `trials=30`.

# %% stub
def coverage(proportion: float, trials: int, experiments: int, seed: int) -> tuple[float, float]:
    """How often the simple and Wilson's 95 % interval contain the true proportion."""
    # BEGIN SOLUTION
    z, n = 1.96, trials
    found = np.random.default_rng(seed).binomial(n, proportion, experiments) / n
    half = z * np.sqrt(found * (1 - found) / n)
    simple = abs(found - proportion) <= half
    centre = (found + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * np.sqrt(found * (1 - found) / n + z * z / (4 * n * n))
    wilson = abs(centre - proportion) <= half
    return float(simple.mean()), float(wilson.mean())
    # END SOLUTION

# %% check
def exact(proportion, n):
    """Exact coverage of right and wrong intervals, from every number of right sentences."""
    k = np.arange(n + 1)
    ways = np.cumprod(np.append(1.0, (n - k[:-1]) / k[1:]))
    weight = ways * proportion**k * (1 - proportion) ** (n - k)
    p, z = k / n, 1.96
    spread, true = p * (1 - p) / n, proportion * (1 - proportion) / n
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * np.sqrt(spread + z * z / (4 * n * n))
    holds = {
        "simple": abs(p - proportion) <= z * np.sqrt(spread), "wilson": abs(centre - proportion) <= half,
        "true spread": abs(p - proportion) <= z * np.sqrt(true), "no root": abs(p - proportion) <= z * spread,
        "no n": abs(p - proportion) <= z * np.sqrt(spread * n), "centre": abs(p - proportion) <= half,
        "narrow": abs(centre - proportion) <= z * np.sqrt(spread),
    }
    for part in (3, 5):
        wide = z / (1 + z * z / n) * np.sqrt(spread + z * z / (part * n * n))
        holds[f"4 is {part}"] = abs(centre - proportion) <= wide
    return {name: float(weight[held].sum()) for name, held in holds.items()}

def cases(rng):
    # In the first case every mistake of the simple interval is to show, and to differ from the
    # others; in the others, the parts of Wilson's.
    seen = "wilson", "true spread", "no root", "no n"
    for base, names, lowest, fewest in (
        ("simple", seen, 0.9, 20), ("wilson", ("narrow", "4 is 3"), 0.8, 6),
        ("wilson", ("narrow", "4 is 5"), 0.8, 6),
    ):
        apart = 0.0
        while apart < 0.03:
            proportion = float(np.round(rng.uniform(lowest, 0.97), 4))
            trials = int(rng.integers(fewest, 45))
            found = exact(proportion, trials)
            apart = min(abs(found[base] - found[name]) for name in names)
            if base == "simple":
                apart = min(apart, abs(found["wilson"] - found["centre"]), found["no root"])
                apart = min(apart, abs(found["true spread"] - found["no n"]))
        case = {"proportion": proportion, "trials": trials, "experiments": 40_000}
        yield {**case, "seed": int(rng.integers(2**31))}, found

def judge(case, got, expected):
    if not isinstance(got, list | tuple | np.ndarray | Tensor) or len(got) != 2:
        return "Two fractions are expected: that of the simple interval, and that of Wilson's."
    simple, wilson = (float(x) for x in got)

    def near(value, name):
        return abs(value - expected[name]) < 0.012

    if near(simple, "simple") and near(wilson, "wilson"):
        return None
    if near(1 - simple, "simple") and near(1 - wilson, "wilson"):
        return "misses are counted"
    if near(wilson, "simple") and near(simple, "wilson"):
        return "Both numbers are right, the other way round: the simple interval comes first."
    if {simple, wilson} <= {0.0, 1.0} and (simple, wilson) != (1.0, 1.0):
        return (
            f"You have {simple:.0f} and {wilson:.0f}: all your experiments came out alike. Is the "
            "generator seeded inside the loop? Then each of them draws the very same test set. "
            "Seed it once, before."
        )
    if simple == 1:
        return "an interval that always holds"
    if near(simple, "true spread"):
        return "the true proportion under the root"
    if near(simple, "no root"):
        return "no root"
    if near(simple, "no n"):
        return "not divided by n"
    if near(simple, "simple") and near(wilson, "centre"):
        return "Wilson's width around the wrong centre"
    return (
        f"You measure {simple:.3f} and {wilson:.3f}; exact are {expected['simple']:.3f} for the "
        f"simple interval and {expected['wilson']:.3f} for Wilson's. Compare your ends with the "
        "example, and draw as many experiments as are asked for."
    )

def numbers(case, got, expected):
    simple, wilson = (float(x) for x in got)
    return {"simple": simple, "wilson": wilson, **case, "right": expected["simple"]}

# %% another right solution
def coverage(proportion, trials, experiments, seed):
    torch.manual_seed(seed)
    draws = torch.rand(experiments, trials, dtype=torch.float64) < proportion
    hits = {"simple": 0, "wilson": 0}
    z = 1.96
    counts = draws.sum(1).bincount(minlength=trials + 1)
    for right, times in enumerate(counts.tolist()):
        p = right / trials
        half = z * (p * (1 - p) / trials) ** 0.5
        hits["simple"] += times * (p - half <= proportion <= p + half)
        # Wilson's ends are where the proportion lies z of *its own* spreads away from p.
        hits["wilson"] += times * ((p - proportion) ** 2 <= z * z * proportion * (1 - proportion) / trials)
    return hits["simple"] / experiments, hits["wilson"] / experiments

# %% misconception: misses are counted
# says: You have {simple:.3f} and {wilson:.3f}: these are the fractions of intervals that *miss* the
# truth. Asked for are those that contain it.
# edit: float(simple.mean()) => float((~simple).mean())
# edit: float(wilson.mean()) => float((~wilson).mean())
# %% misconception: an interval that always holds
# says: With you the simple interval holds in every single experiment. Most likely you ask whether
# it contains the proportion that was *found*, around which it was built; the question is whether it
# contains the true one, {proportion}. (If that is what you ask: is the generator seeded inside the
# loop, so that all experiments draw the same test set?)
# edit: abs(found - proportion) => abs(found - found)
# edit: abs(centre - proportion) => abs(centre - found)
# %% misconception: the true proportion under the root
# says: You measure {simple:.3f} for the simple interval; exact is {right:.3f}. Is your width made
# from the true proportion {proportion}? Whoever tests a model does not know it: under the root
# stands the proportion that was found, and when that happens to be 1 the interval shrinks to a
# point. This is what makes the simple one fail. (With the true proportion it would be just as good
# as Wilson's.)
# edit: np.sqrt(found * (1 - found) / n) => np.sqrt(proportion * (1 - proportion) / n)
# %% misconception: no root
# says: Your simple interval holds in {simple:.3f} of the experiments only, {right:.3f} is exact. Is
# there a root over p (1 − p) / n? That is a variance, and so small that without the root the
# interval is far too narrow.
# edit: np.sqrt(found * (1 - found) / n) => found * (1 - found) / n
# edit: np.sqrt(found * (1 - found) / n + => (found * (1 - found) / n +
# %% misconception: not divided by n
# says: Your simple interval holds in {simple:.3f} of the experiments, {right:.3f} is exact: it is
# too wide. Is its width the spread of a single sentence, 0 or 1? A proportion of {trials} sentences
# spreads less: there is a division by n under the root.
# edit: np.sqrt(found * (1 - found) / n) => np.sqrt(found * (1 - found))
# %% misconception: Wilson's width around the wrong centre
# says: Your simple interval is right. Wilson's holds in {wilson:.3f} of the experiments with you.
# Does it still sit around the proportion that was found? Its centre is drawn towards one half, (p +
# z² / 2n) / (1 + z² / n), and near 1 that matters as much as the width.
# edit: abs(centre - proportion) => abs(found - proportion)
# %% hints
# 1. First one experiment: draw the number of right sentences, compute both intervals by the formulas,
# and hold them against the example. Then many.
# 2. `np.random.default_rng(seed).binomial(trials, proportion, experiments)` gives the number of
# right sentences of all experiments at once; NumPy's formulas then work on the whole array.
# 3. An interval “centre ± half” contains the truth where `abs(centre - proportion) <= half`; the
# mean of that boolean array is the coverage.
# %% explanation
# The simple interval promises 95 % and keeps far less near the ends, because it measures its own
# width with the proportion that was found: a run of luck without a mistake makes it sure and narrow
# at once. Wilson's asks instead which true proportions would make the finding unsurprising, and
# stays near 95 %. That is why the chapter's bars carry it. Measuring the coverage is how any recipe
# for intervals is tested.
# %% free choices
# - `<= half` => `< half`: the two are hardly ever equal

# %% task 17.6: Project of Part III: a classifier of a language nobody knows
# kind: project; points: 20; minutes: 40; function: judge_sentences; seconds: 40
#
# Somewhere people speak a language of which you have 3,000 sentences (`texts`, strings of words
# between spaces) with `labels`: 1 for acceptable, 0 for not. Seven in ten are acceptable. The
# others were spoilt by the two rules of the chapter: a verb no longer *agrees* with its subject, or
# an article or a preposition has changed places with the word behind it. Every seed has another
# language: its words, its forms and the place of its verb are drawn afresh, so nothing can be known
# in advance.
#
# Write `judge_sentences(texts, labels, questions)`: return a 0 or 1 for each of the `questions`,
# 1,000 new sentences with the same mixture. You pass with an **MCC of 0.80** or more. Any method is
# allowed. A good one needs about a second on one CPU core.
#
# *Example of a language.* `su bovuka el su nigumi satero su bovumi` is acceptable: *the dog near
# the cats sees the dogs*. The first noun is the subject, and *sees* agrees with it, not with
# *cats*. `su nigumi el su bovuka satero su bovumi` (*the cats near the dog sees the dogs*) holds
# the very same words, and is not.
#
# Look at some sentences of both kinds before you train anything: let your function print a few, and
# run the check.

# %% stub
def judge_sentences(texts: list[str], labels: list[int], questions: list[str]) -> list[int]:
    """Train on texts and labels; judge the questions: 1 for acceptable, 0 for not."""
    # BEGIN SOLUTION
    torch.manual_seed(0)
    pieces: dict[str, int] = {}

    def ids(sentences: list[str]) -> Tensor:
        """The last two letters of each word, as a number: what is left of a word is its form."""
        rows = torch.zeros(len(sentences), 12, dtype=torch.long)
        for row, sentence in enumerate(sentences):
            for place, word in enumerate(sentence.split()):
                rows[row, place] = pieces.setdefault(word[-2:], len(pieces) + 1)
        return rows

    x, asked = ids(texts), ids(questions)
    y = torch.tensor(labels).float()
    model = torch.nn.Sequential(
        torch.nn.Embedding(len(pieces) + 1, 16),
        torch.nn.Flatten(),  # every place has weights of its own, so order counts
        torch.nn.Linear(12 * 16, 64),
        torch.nn.ReLU(),
        torch.nn.Linear(64, 1),
    )
    learner = torch.optim.AdamW(model.parameters(), lr=0.01)
    for _ in range(300):
        batch = torch.randint(len(x), (128,))
        logits = model(x[batch])[:, 0]
        loss = torch.nn.functional.binary_cross_entropy_with_logits(logits, y[batch])
        learner.zero_grad()
        loss.backward()
        learner.step()
    with torch.no_grad():
        return (model(asked)[:, 0] > 0).long().tolist()
    # END SOLUTION

# %% check
def language(rng):
    """A made-up language: a function that draws a sentence together with a spoilt one."""
    used = set()

    def word(pattern):
        while True:
            letters = ("bdfgklmnprtvz" if kind == "c" else "aeiou" for kind in pattern)
            made = "".join(some[int(rng.integers(len(some)))] for some in letters)
            if made not in used:
                used.add(made)
                return made

    one, many, does, do, quality, article = (word("cv") for _ in range(6))
    stems = [word("cvcv") for _ in range(26)]
    nouns = [(stem + one, stem + many) for stem in stems[:12]]
    verbs = [(stem + does, stem + do) for stem in stems[12:20]]
    adjectives = [stem + quality for stem in stems[20:]]
    small = [word("vc") for _ in range(3)]
    verb_is_last = bool(rng.integers(2))

    def pair(rule):
        """A good sentence, a spoilt one, and whether both hold the same words."""
        numbers, named = rng.integers(2, size=3), []
        for number in numbers:
            noun, more = int(rng.integers(12)), int(rng.integers(18))
            named.append([article, *adjectives[more : more + 1], nouns[noun][number]])
        before, verb = small[int(rng.integers(3))], verbs[int(rng.integers(8))]

        def write(first, second, form):
            rest = [*named[2], form] if verb_is_last else [form, *named[2]]
            return [*first, before, *second, *rest]

        good = write(named[0], named[1], verb[numbers[0]])
        if rule == "agreement" and numbers[0] != numbers[1]:
            return good, write(named[1], named[0], verb[numbers[0]]), True
        if rule == "agreement":
            return good, write(named[0], named[1], verb[1 - numbers[0]]), False
        places = [i for i, one_word in enumerate(good) if one_word in (article, before)]
        place, bad = places[int(rng.integers(len(places)))], list(good)
        bad[place : place + 2] = good[place + 1], good[place]
        return good, bad, True

    return pair

def cases(rng):
    pair = language(rng)

    def draw(count):
        """Of ten sentences seven good ones, two with a wrong verb, one in a wrong order."""
        rows = []  # sentence, what is wrong with it, which row holds the same words rightly
        for _ in range(count // 10):
            for rule in ("agreement", "agreement", "order"):
                good, bad, same = pair(rule)
                rows += [(good, "", -1), (bad, rule, len(rows) if same else -1)]
            rows += [(pair("order")[0], "", -1) for _ in range(4)]
        order = rng.permutation(len(rows))
        now = np.argsort(order)
        texts = [" ".join(rows[i][0]) for i in order]
        kinds = [rows[i][1] for i in order]
        return texts, kinds, [int(now[rows[i][2]]) if rows[i][2] >= 0 else -1 for i in order]

    texts, kinds, _ = draw(3000)
    questions, asked, twins = draw(1000)
    labels = [int(kind == "") for kind in kinds]
    secret = {"kinds": asked, "twins": np.array(twins)}
    yield {"texts": texts, "labels": labels, "questions": questions}, secret

def found(got, secret):
    """What the answers say about each kind of sentence."""
    said, kinds = np.asarray(got, dtype=float).reshape(-1), np.array(secret["kinds"])
    bad = np.flatnonzero(secret["twins"] >= 0)
    return {
        "mcc": float(matthews((kinds == "").astype(float), said)),
        "accuracy": float((said == (kinds == "")).mean()),
        "order": float((said[kinds == "order"] == 0).mean()),
        "agreement": float((said[kinds == "agreement"] == 0).mean()),
        "alarms": float((said[kinds == ""] == 0).mean()),
        "apart": float((said[bad] != said[secret["twins"][bad]]).mean()), "pairs": len(bad),
        "alike": int((said[bad] == said[secret["twins"][bad]]).sum()),
    }

def judge(case, got, secret):
    said = np.asarray(got)
    if said.dtype.kind not in "biuf":
        return "Numbers are expected, 1 for acceptable and 0 for spoilt, and no words."
    if said.size != len(case["questions"]):
        return (
            f"One answer for each question is expected, {len(case['questions'])}, not {said.size}."
        )
    if not np.isin(said, (0, 1)).all():
        return "scores instead of answers"
    if said.mean() < 0.02:
        return (
            "You call next to every sentence unacceptable. If you look whole sentences up in the "
            "training texts: next to none of the questions stands there. What has to be learned is "
            "what sentences share."
        )
    if said.min() == 1:
        return "the colleague's model"
    f = found(got, secret)
    if f["mcc"] >= 0.8:
        return None
    if f["mcc"] < -0.4:
        return "the labels the wrong way round"
    if f["apart"] < 0.01:
        return "a bag of words"
    if f["order"] > 0.6 and f["agreement"] - f["alarms"] < 0.3:
        return "neighbours only"
    return (
        f"An MCC of {f['mcc']:.2f} on new sentences; 0.80 is needed. You find {f['agreement']:.0%} "
        f"of the wrong verbs and {f['order']:.0%} of the wrong orders, and call {f['alarms']:.0%} "
        "of the good sentences unacceptable. If the loss on the training sentences is still high, "
        "train longer; if it is almost zero, your model knows those by heart: give it less to hold "
        "on to, such as pieces of words."
    )

def numbers(case, got, secret):
    return found(got, secret)

# %% another right solution
def judge_sentences(texts, labels, questions):
    def pattern(sentence):
        return tuple(word[-2:] for word in sentence.split())

    votes: dict = {}
    for text, label in zip(texts, labels, strict=True):
        votes.setdefault(pattern(text), []).append(label)
    return [int(np.mean(votes.get(pattern(question), [0])) > 0.5) for question in questions]

# %% misconception: the colleague's model
# says: You call every sentence acceptable. Your accuracy is {accuracy:.2f}, and your MCC is 0: this
# is the colleague's model of the chapter. If a training ended there, either it was short, for “most
# sentences are fine” is the first thing that is learned, or your model is not shown what decides: a
# list of words without their order looks the same for a sentence and for the same sentence spoilt.
# edit: torch.manual_seed(0) => return [1 for _ in questions]
# %% misconception: a bag of words
# says: Your MCC is {mcc:.2f}. Among the questions are {pairs} pairs of sentences that hold the same
# words, one good and one spoilt, and in {alike} of these pairs you said the same of both. Does your
# model see *which* words there are and not *where*? Counts, sums and means of word vectors all
# forget the order. Let each place count: vectors laid side by side, positions, a recurrent network.
# edit: torch.nn.Embedding( => torch.nn.EmbeddingBag(
# - torch.nn.Flatten(),  # every place has weights of its own, so order counts
# edit: 12 * 16 => 16
# edit: range(300) => range(150)
# %% misconception: neighbours only
# says: Your MCC is {mcc:.2f}. You find {order:.0%} of the sentences in a wrong order, and of those
# with a wrong verb {agreement:.0%}, while you reject {alarms:.0%} of the good ones. So far your
# classifier knows which words may stand *beside* each other. Between subject and verb there is
# another noun, and agreement has to be seen over that distance. If your model sees pairs of
# neighbours, it never will; if it sees whole sentences, it has not got there yet: train longer, or
# cut the words so that there are fewer kinds to learn.
# - torch.manual_seed(0)
# + neighbours = lambda text: list(zip(text.split(), text.split()[1:]))
# + good = {pair for t, label in zip(texts, labels, strict=True) if label for pair in neighbours(t)}
# + return [int(good.issuperset(neighbours(question))) for question in questions]
# %% misconception: the labels the wrong way round
# says: Your MCC is {mcc:.2f}, so your classifier knows the language well and says the opposite of
# what is asked: 1 stands for acceptable, 0 for spoilt.
# edit: [:, 0] > 0 => [:, 0] < 0
# edit: range(300) => range(80)
# %% misconception: scores instead of answers
# says: There are numbers other than 0 and 1 in your result: scores or probabilities, or labels of
# another kind. Decide for each sentence, for example by a threshold (of zero for a logit, of one
# half for a probability).
# edit: (model(asked)[:, 0] > 0).long() => model(asked)[:, 0].sigmoid()
# edit: range(300) => range(80)
# %% hints
# 1. Print ten acceptable sentences below each other. Which words occur all the time? What do the
# others have in common at their ends?
# 2. As in English, a word is a stem and an ending, and the ending says noun or verb, one or many. The
# stem decides nothing. Chapter 2 cut words into subword tokens for that reason: here the last two
# letters are enough, and instead of some sixty words there are about ten subword tokens.
# 3. Turn every sentence into the numbers of its endings, padded to 12 places. An embedding of width
# 16, all places laid side by side (`torch.nn.Flatten`), a hidden layer of 64 with ReLU, one logit;
# AdamW with 0.01, batches of 128, 300 steps.
# %% explanation
# What decides is which ending stands where. The hidden layer sees all places at once, so that it
# can compare the first noun with the verb and pass over the noun in between; a bag of words cannot,
# since half of the spoilt sentences hold the very words of a good one. (A table of all patterns of
# endings, without any training, does as well: the language is small. On whole words a recurrent
# network needs a few seconds.) And MCC was the right metric for it: seven in ten would have been
# right without a thought.
# %% free choices
# - `torch.manual_seed(0)`, `torch.zeros(len(sentences), 12, dtype=torch.long)`, `word[-2:]`,
#   `len(pieces) + 1`, `torch.nn.Embedding(len(pieces) + 1, 16)`, `torch.nn.Linear(12 * 16, 64)`,
#   `torch.nn.Linear(64, 1)`, `lr=0.01`, `range(300)`, `(128,)`, `learner.zero_grad()`, `> 0`: any
#   start, form of a word, width, rate and border that will do
