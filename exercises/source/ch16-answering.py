# %% [markdown]
# # Exercises 16 · Answering questions
#
# Chapter 16 answered by pointing: two numbers for each token, a search over all pairs, windows
# where the text is too long, and two scores. Here you write the search, the way back to letters and
# the scores, and mend a window that lets answers fall through.

# %% setup
import math
import re
import string
from collections import Counter

import numpy as np
import torch
from torch import Tensor

# %% task 16.1: The best span, or none
# kind: write; points: 25; minutes: 15; function: best_spans
#
# Write `best_spans(start, end, context, longest, threshold)` for a batch of `B` rows of `T` tokens:
#
# - `start` and `end` `(B, T)` are the logits; `context` `(B, T)` is boolean, `True` at the tokens
#   of the context, of which every row has some.
# - A span from `i` to `j`, both included, is allowed if both lie in the context, `j` is not before
#   `i`, and it has at most `longest` tokens. Its score is `start[i] + end[j]`. The best one has the
#   largest.
# - “No answer” has the score `start[0] + end[0]`, both at `[CLS]`. It is said where it is higher
#   than the best span's **by more than** `threshold`.
#
# Return two tensors `(B,)` of whole numbers, the first and the last token; both are 0 for “no
# answer”. No loop over positions is needed: `start[:, :, None] + end[:, None, :]` holds every pair.
#
# *Example.* With `start = [[0., 1, 5, 2]]`, `end = [[0., 4, 3, 1]]`,
# `context = [[False, True, True, True]]`, `longest = 2` and `threshold = 0`: the largest start and
# the largest end would make the span from 2 to 1, which runs backwards. The best allowed one is
# from 2 to 2, score 8, and the result is `[2]` and `[2]`.

# %% stub
def best_spans(
    start: Tensor, end: Tensor, context: Tensor, longest: int, threshold: float
) -> tuple[Tensor, Tensor]:
    """First and last token (B,) of the best allowed span; 0 and 0 for no answer."""
    # BEGIN SOLUTION
    length = start.shape[1]
    pairs = start[:, :, None] + end[:, None, :]  # (B, T, T): row i starts, column j ends
    band = torch.ones(length, length, dtype=torch.bool).triu().tril(longest - 1)
    allowed = band & context[:, :, None] & context[:, None, :]
    score, flat = pairs.masked_fill(~allowed, -torch.inf).flatten(1).max(dim=1)
    is_null = start[:, 0] + end[:, 0] - score > threshold
    first, last = flat // length, flat % length
    return first.masked_fill(is_null, 0), last.masked_fill(is_null, 0)
    # END SOLUTION

# %% check
# Of the 18 tokens the first six are [CLS], four of the question and [SEP]; the last one is [SEP].
LENGTH, BEGIN, END, LONGEST = 18, 6, 17, 4

def row(rng, starts, ends, null=-12.0):
    """Two rows of logits with hills at some places, and the sum at [CLS]."""
    start, end = rng.uniform(-3.2, -2.8, size=(2, LENGTH))
    for logits, hills in ((start, starts), (end, ends)):
        for place, height in hills.items():
            logits[place] = height + rng.uniform(-0.05, 0.05)
    start, end = np.round(64 * start) / 64, np.round(64 * end) / 64  # whose sums are exact
    share = rng.uniform(-1, 1)
    start[0], end[0] = null / 2 + share, null / 2 - share
    return start, end

def cases(rng):
    def plain():
        first = int(rng.integers(BEGIN, END - 2))
        return {first: 4.0}, {first + 1: 4.0}

    rows = [
        (*plain(), -12.0, 0.0),
        # The largest end stands before the largest start.
        ({12: 5.0, 8: 3.0}, {9: 5.0, 13: 1.0}, -12.0, 0.0),
        # The question looks best, and then the separator at the end.
        ({2: 6.0, 9: 3.0}, {3: 6.0, 10: 3.0}, -12.0, 0.0),
        ({15: 4.0}, {17: 6.0, 16: 2.0}, -12.0, 0.0),
        # Far too long, too long by one, just not too long, and one token.
        ({7: 5.0, 13: 2.0}, {14: 5.0}, -12.0, 0.0),
        ({8: 5.0, 10: 3.0}, {8 + LONGEST: 5.0, 9: 1.0}, -12.0, 0.0),
        ({9: 5.0}, {9 + LONGEST - 1: 5.0, 10: 3.0}, -12.0, 0.0),
        ({11: 5.0}, {11: 5.0, 13: 3.0}, -12.0, 0.0),
        # All logits are negative.
        ({9: -0.6}, {11: -0.5}, -12.0, 0.0),
        # No answer by more than the threshold; by less; and against a threshold below zero.
        (*plain(), 8.0 + 3.0, 2.0),
        (*plain(), 8.0 + 1.0, 2.0),
        (*plain(), 8.0 - 1.0, 2.0),
        (*plain(), 8.0 - 1.0, -2.0),
        (*plain(), 8.0 - 3.0, -2.0),
        (*plain(), 8.0 + 1.0, -2.0),
        # By the threshold, and not by more.
        (*plain(), None, 2.0),
    ]
    context = torch.zeros(LENGTH, dtype=torch.bool)
    context[BEGIN:END] = True
    for starts, ends, null, threshold in rows:
        batch = [row(rng, starts, ends, null or 0.0)]
        if null is None:
            (start, end), inside = batch[0], slice(BEGIN, END)
            start[0], end[0] = start[inside].max(), end[inside].max() + threshold
        batch += [row(rng, *plain()) for _ in range(2)]
        batch = [batch[i] for i in rng.permutation(3)]
        start, end = (torch.tensor(np.stack(part)).float() for part in zip(*batch))
        yield {
            "start": start, "end": end, "context": context.expand(3, LENGTH).clone(),
            "longest": LONGEST, "threshold": threshold,
        }

def numbers(case, got, expected):
    first, last = (torch.as_tensor(part) for part in got)
    worst = int(((first != expected[0]) | (last != expected[1])).int().argmax())
    i, j = int(first[worst]), int(last[worst])
    a, b = int(expected[0][worst]), int(expected[1][worst])
    start, end = case["start"][worst], case["end"][worst]

    def name(i, j):
        return "“no answer”" if i == j == 0 else f"the span from {i} to {j}"

    kept = start.masked_fill(~case["context"][worst], -torch.inf).argmax()
    return {
        "row": worst, "first": i, "last": j, "yours": name(i, j), "right": name(a, b),
        "length": j - i + 1, "right_length": b - a + 1, "longest": case["longest"],
        "threshold": case["threshold"], "score": (start[i] + end[j]).item(),
        "right_score": (start[a] + end[b]).item(), "null": (start[0] + end[0]).item(),
        "top": int(kept), "begin": BEGIN, "end": END - 1,
    }

# %% another right solution
def best_spans(start, end, context, longest, threshold):
    firsts, lasts = [], []
    for s, e, inside in zip(start.tolist(), end.tolist(), context.tolist()):
        best, first, last = -math.inf, 0, 0
        for i in range(len(s)):
            for j in range(i, min(i + longest, len(s))):
                if inside[i] and inside[j] and s[i] + e[j] > best:
                    best, first, last = s[i] + e[j], i, j
        if s[0] + e[0] > best + threshold:
            first = last = 0
        firsts.append(first)
        lasts.append(last)
    return torch.tensor(firsts), torch.tensor(lasts)

# %% misconception: backwards is allowed
# says: In row {row} you give the span from {first} to {last}, which ends before it starts. Those
# pairs lie below the diagonal of the square: `triu()` keeps what is on it and above.
# edit: .triu().tril => .tril
# %% misconception: only the start has to lie in the context
# says: In row {row} you give {yours}. The context goes from token {begin} to {end}, and your span
# ends behind it, at `[SEP]`. You ask of the start alone that it lies in the context; the end has to
# do so as well.
# edit: & context[:, :, None] & context[:, None, :] => & context[:, :, None]
# %% misconception: one token too long
# says: In row {row} you give {yours}: {length} tokens, one more than the {longest} allowed. A span
# from `i` to `j` has `j - i + 1` tokens, since both ends are included, so `j - i` is at most
# `longest - 1`.
# edit: longest - 1 => longest
# %% misconception: one token too short
# says: In row {row} you give {yours}; {right} has {right_length} tokens and is allowed: `longest`
# is {longest}. Your limit is too tight by one.
# edit: longest - 1 => longest - 2
# %% misconception: an answer of one token is not allowed
# says: In row {row} you give {yours}; expected is {right}, one single token. Many answers are that
# short. The end must not come **before** the start; it may be the same token.
# edit: .triu() => .triu(1)
# %% misconception: no limit to the length
# says: In row {row} you give {yours}: {length} tokens, where at most {longest} are allowed. The
# limit cuts off the upper right corner of the square, `tril` with the right number.
# edit: .triu().tril(longest - 1) => .triu()
# %% misconception: the threshold is not used
# says: In row {row} you give {yours}; expected is {right}. You compare “no answer” with the best
# span as they are. It has to be higher by more than the threshold, here {threshold:.1f}.
# edit: - score > threshold => > score
# %% misconception: start and end chosen apart
# says: In row {row} you give the span from {first} to {last}; expected is {right}. You take the
# largest start and the largest end, each by itself. Nobody has asked whether the two fit together:
# here the end lies before the start. Score **pairs**, and take the largest allowed one.
# edit: band & context[:, :, None] => context[:, :, None]
# %% misconception: chosen apart, and exchanged where they cross
# says: In row {row} you give {yours}; expected is {right}. You choose start and end apart, and
# exchange them where the end comes first. But a good end is not a good start: your span has the
# score {score:.1f}, and the best allowed one has {right_score:.1f}.
# edit: band & context[:, :, None] => context[:, :, None]
# - first, last = flat // length, flat % length
# + first, last = torch.stack((flat // length, flat % length)).sort(dim=0).values
# %% misconception: first the start, then an end behind it
# says: In row {row} you give {yours}, score {score:.1f}; {right} has {right_score:.1f}. You settle
# the start first, and only then look for an end behind it. The best start may have no good end
# within reach; the two have to be chosen together.
# - allowed = band & context[:, :, None] & context[:, None, :]
# + row = start.masked_fill(~context, -torch.inf).argmax(1, keepdim=True)
# + chosen = torch.arange(length) == row
# + allowed = band & chosen[:, :, None] & context[:, None, :]
# %% misconception: the question is searched, too
# says: In row {row} you give {yours}. The context goes from token {begin} to {end}: you point at
# the question, whose words look very much like what is asked for, or at a separator. Both ends have
# to lie in the context.
# edit: band & context[:, :, None] & context[:, None, :] => band
# %% misconception: never no answer
# says: All spans are found. But in row {row} you give {yours}, score {score:.1f}, and “no answer”
# has {null:.1f}, which is higher by more than the threshold of {threshold:.1f}. Where the text has
# no answer, there is still a best span; only the comparison with `[CLS]` tells.
# edit: return first.masked_fill(is_null, 0), last.masked_fill(is_null, 0) => return first, last
# %% misconception: logits multiplied
# says: In row {row} you give {yours}, where start and end have the sum {score:.1f}; {right} has
# {right_score:.1f}. You multiply the logits, and of two negative ones the product is positive. What
# may be multiplied are probabilities; to that corresponds the **sum** of the logits.
# edit: + end[:, None, :] => * end[:, None, :]
# - is_null = start[:, 0] + end[:, 0] - score > threshold
# + sums = start[:, :, None] + end[:, None, :]
# + score = sums.flatten(1).gather(1, flat[:, None])[:, 0]
# + is_null = start[:, 0] + end[:, 0] - score > threshold
# %% misconception: the threshold on the wrong side
# says: In row {row} you give {yours}; expected is {right}. “No answer” has {null:.1f} and the best
# span is to be beaten by more than {threshold:.1f}. With you the threshold makes it easier for “no
# answer”, and not harder: it belongs to the side of the span, or has the wrong sign.
# edit: - score > threshold => + threshold > score
# %% misconception: start and end chosen apart, without the context
# says: In row {row} you give the span from {first} to {last}; expected is {right}. You take the
# largest start and the largest end of the whole row, each by itself. Score **pairs** instead, and
# look only at pairs that run forwards, are not too long and lie in the context.
# edit: band & context[:, :, None] & context[:, None, :] => torch.ones_like(band)
# %% misconception: start and end exchanged
# says: In row {row} you give the span from {first} to {last}; expected is {right}. They are
# exchanged. The square is laid out row by row, and if a row is a start, then `flat // T` is the
# start and `flat % T` the end.
# edit: flat // length, flat % length => flat % length, flat // length
# %% misconception: no answer where the span is better
# says: In row {row} you give {yours}; expected is {right}. The best span has the larger score
# there, and just then you say “no answer”, or the other way round. It is the score of `[CLS]`
# **minus** that of the span which has to exceed the threshold.
# edit: start[:, 0] + end[:, 0] - score > threshold => score - start[:, 0] - end[:, 0] > threshold
# %% hints
# 1. Build the square of all pairs, `(B, T, T)`, and a boolean square of the same size that says which
# pairs are allowed. Three conditions: in the context, forwards, not too long.
# 2. `torch.ones(T, T).bool().triu()` is `True` where the end is not before the start. `tril(k)` cuts
# off what lies more than `k` places to the right of the diagonal; which `k` leaves spans of
# `longest` tokens?
# 3. Fill what is not allowed with minus infinity, `flatten(1).max(1)`, and take the place apart:
# `flat // T` and `flat % T`. Then `masked_fill(start[:, 0] + end[:, 0] - score > threshold, 0)` on
# both.
# %% explanation
# All pairs stand in one square: rows are starts, columns ends. What is forbidden becomes minus
# infinity before the search, as with attention's mask, and the largest entry that is left is the
# answer. The sum of logits orders spans as the product of probabilities does, since the
# denominators are the same for all. “No answer” is no pair of the context, so it is compared in the
# end, with the threshold that the development set has given.

# %% task 16.2: An answer that falls through
# kind: repair; points: 15; minutes: 8; function: windows
#
# `windows(n, room, stride)` is to cut a context of `n` tokens into windows: a list of pairs
# `(first, behind)`, the first token and one behind the last, as in a slice.
#
# - A window has at most `room` tokens; every one but the last has exactly `room`.
# - Neighbours **share exactly** `stride` tokens (`stride` is less than `room`).
# - Every token is in some window, and the last window ends with the context. There is no window
#   that holds nothing new. If `n` is at most `room`, there is one window.
#
# The version below was in use for months. Most answers were found; some never, and nobody saw why.
# There are two mistakes in it. Mend it.
#
# *Example.* `windows(11, 5, 2)` is `[(0, 5), (3, 8), (6, 11)]`, and `windows(4, 5, 2)` is
# `[(0, 4)]`.

# %% stub
def windows(n: int, room: int, stride: int) -> list[tuple[int, int]]:
    """First token and one behind the last, of each window."""
    # BEGIN STUB
    step = room - stride + 1
    starts = range(0, n - room, step)
    # END STUB
    # BEGIN SOLUTION
    step = room - stride
    starts = range(0, max(n - stride, 1), step)
    # END SOLUTION
    return [(first, min(first + room, n)) for first in starts]

# %% check
def cases(rng):
    yield {"n": 25, "room": 10, "stride": 4}
    for _ in range(3):
        stride = int(rng.integers(3, 8))
        step = int(rng.integers(5, 12))
        # The last window is fuller than what it shares with the one before.
        yield {
            "n": 3 * step + int(rng.integers(1, stride)), "room": step + stride, "stride": stride,
        }
    yield {"n": 3 * step + stride, "room": step + stride, "stride": stride}  # it just fits
    yield {"n": int(rng.integers(8, 20)), "room": 5, "stride": 0}
    yield {"n": int(rng.integers(3, 9)), "room": 9, "stride": 4}
    yield {"n": 3, "room": 9, "stride": 5}
    yield {"n": 5, "room": 5, "stride": 4}

def numbers(case, got, expected):
    n, stride = case["n"], case["stride"]
    got = [tuple(window) for window in got]
    fields = {
        **case, "yours": ", ".join(map(str, got)) or "nothing at all",
        "right": ", ".join(map(str, expected)), "count": len(got),
        "last": max((behind for _, behind in got), default=0),
        "missing": n - max((behind for _, behind in got), default=0), "step": case["room"] - stride,
    }
    if len(got) > 1:
        fields["shared"] = got[0][1] - got[1][0]
        fields["shared_last"] = got[-2][1] - got[-1][0]
        fields["final"] = str(got[-1])
        fields["before"] = str(got[-2])
        between = got[1][0] - 1
        fields |= {"size": stride + 1, "from": between, "to": between + stride}
    return fields

# %% another right solution
def windows(n, room, stride):
    found = [(0, min(room, n))]
    while found[-1][1] < n:
        first = found[-1][1] - stride
        found.append((first, min(first + room, n)))
    return found

# %% misconception: a short text has no window
# says: Long texts are cut rightly now. But for `n = {n}, room = {room}, stride = {stride}` you
# return no window, so a text this short is never read. A `range` with an end of zero or below is
# empty.
# edit: max(n - stride, 1) => n - stride
# %% misconception: the end is lost, unless it fits exactly
# says: Neighbours share {stride} tokens now. But for `n = {n}, room = {room}, stride = {stride}`
# your windows are {yours}: the last {missing} tokens are in none. Your last window has to be full;
# what is left over needs a shorter one.
# edit: max(n - stride, 1) => max(n - room, 0) + 1
# %% misconception: the last window is moved back
# says: For `n = {n}, room = {room}, stride = {stride}` your windows are {yours}. You move the last
# one back so that it is full. Nothing is lost by that, but it shares {shared_last} tokens with the
# one before and not {stride}: the rule here is that the last window is shorter.
# edit: (first, min( => (max(min(first, n - room), 0), min(
# %% misconception: the stride taken for the step
# says: For `n = {n}, room = {room}, stride = {stride}` your windows are {yours}. You move on by
# {stride} tokens, but the stride is here what neighbours **share**, as in BERT's tokenizers: they
# move on by {step}. (Elsewhere the word does mean the step, which is why one looks it up.)
# edit: room - stride => max(stride, 1)
# edit: n - stride, 1 => n - room + step, 1
# %% misconception: a window that holds nothing new
# says: For `n = {n}, room = {room}, stride = {stride}` your windows are {yours}. The last one,
# {final}, lies in {before} as a whole: it costs time and can find nothing new. Stop once a window
# has reached the end.
# edit: max(n - stride, 1) => n
# %% misconception: neighbours share one token too few
# says: The end is reached now. But for `n = {n}, room = {room}, stride = {stride}` your first two
# windows share {shared} tokens. An answer of {size} tokens from {from} to {to} is whole in neither
# of them. A window moves on by what it does **not** share.
# edit: room - stride => room - stride + 1
# edit: n - stride, 1 => n - stride + 1, 1
# %% misconception: both mistakes are still there
# says: For `n = {n}, room = {room}, stride = {stride}` you give {yours}; expected is {right}. That
# is still what you were given. Two questions: how many tokens do your neighbours share, and where
# does the last window end?
# edit: room - stride => room - stride + 1
# edit: max(n - stride, 1) => n - room
# %% misconception: the end is lost
# says: Neighbours share {stride} tokens now. But for `n = {n}, room = {room}, stride = {stride}`
# your windows are {yours}: the last {missing} tokens are in none. An answer that stands there
# cannot be found by any model.
# edit: max(n - stride, 1) => n - room
# %% hints
# 1. Run it with `windows(11, 5, 2)` and lay the result beside the example. How many tokens do the
# first two windows share? Which tokens are in none?
# 2. A window that shares `stride` tokens with the one before brings `room - stride` new ones. And from
# which start on is there nothing new left to bring?
# 3. A window that starts at `n - stride` or later lies in the one before. So the starts are below
# `n - stride`; but 0 is always one of them, even if the text is shorter than the stride.
# %% explanation
# With a step that is too wide by one, neighbours share `stride - 1` tokens, and an answer of
# `stride + 1` tokens at the wrong place is whole in no window; it goes unnoticed, since most
# answers are shorter or stand elsewhere. With `n - room` as the end of the range the tail of every
# text is never read. A test that asks of each span of `stride + 1` tokens whether some window holds
# it would have found both.

# %% task 16.3: Back to the letters
# kind: write; points: 20; minutes: 12; function: answer
#
# A long context went through the model in `W` windows. Write
# `answer(context, offsets, spans, scores, nulls, threshold)`, which gives the answer as it stands
# in the text:
#
# - `context` is the text. `offsets` is a list of `W` arrays `(T, 2)`: for each token of a window
#   the characters of the context that it covers, the first one and one behind the last; `-1` and
#   `-1` at tokens that do not belong to the context.
# - `spans` holds for each window its best span as `(first, last)`, positions of tokens **in that
#   window**, both included; `scores` the score of each, and `nulls` the score of “no answer” in
#   each window.
# - The answer is the span with the highest score of all windows. “No answer” counts with its
#   **lowest** score of all windows, and is said where that is higher than the answer's score by
#   more than `threshold`.
#
# Return the answer's text and its first character; `""` and `-1` for “no answer”.
#
# *Example.* With `context = "Bern, Rome"`, one window with the offsets
# `[[-1, -1], [-1, -1], [0, 4], [4, 5], [6, 10], [-1, -1]]`, `spans = [(4, 4)]`, `scores = [3.0]`,
# `nulls = [1.0]` and `threshold = 0.0`, the result is `("Rome", 6)`.

# %% stub
def answer(
    context: str,
    offsets: list[np.ndarray],
    spans: list[tuple[int, int]],
    scores: list[float],
    nulls: list[float],
    threshold: float,
) -> tuple[str, int]:
    """The answer and its first character; "" and -1 for no answer."""
    # BEGIN SOLUTION
    best = int(np.argmax(scores))
    if min(nulls) - scores[best] > threshold:
        return "", -1
    first, last = spans[best]
    begin, behind = int(offsets[best][first][0]), int(offsets[best][last][1])
    return context[begin:behind], begin
    # END SOLUTION

# %% check
WORDS = "Ávila Harbour Lighthouse Ada Finch Émile Zürich Tower Bridge River Senate Opera".split()

def drawn(rng):
    """A context in windows, with a span of two words in each."""
    context, whole, first_pieces = "", [], []
    for number, word in enumerate(rng.choice(WORDS, size=24)):
        gap = ", " if rng.random() < 0.25 else "  " if rng.random() < 0.2 else " "
        context += gap * (number > 0)
        begin = len(context)
        context += word
        first_pieces.append(len(whole))
        cuts = [begin, begin + 3, len(context)] if len(word) > 5 else [begin, len(context)]
        whole += zip(cuts, cuts[1:])
    asked = int(rng.integers(4, 7))
    room, stride = 14, 4
    offsets, spans = [], []
    for start in range(0, len(whole) - stride, room - stride):
        inside = whole[start : start + room]
        offsets.append(np.array([(-1, -1)] * asked + inside + [(-1, -1)]))
        words = [
            (one, after - 1)
            for one, after in zip(first_pieces, [*first_pieces[2:], len(whole)])
            if start < one and after <= start + len(inside)
        ]
        if not words:
            return drawn(rng)
        one, last = words[rng.integers(len(words))]
        spans.append((one - start + asked, last - start + asked))
    if len({window[first][0] for window, (first, _) in zip(offsets, spans)}) < len(spans):
        return drawn(rng)
    return {
        "context": context, "offsets": offsets, "spans": spans,
        "scores": rng.normal(0, 2, size=len(offsets)).round(2).tolist(),
        "nulls": rng.normal(0, 2, size=len(offsets)).round(2).tolist(),
        "threshold": float(rng.choice([-1.5, 1.5])),
    }

def decisions(case):
    """Which window several ways of deciding would answer from; None for no answer."""
    scores, nulls = np.array(case["scores"]), np.array(case["nulls"])
    best, threshold = int(scores.argmax()), case["threshold"]
    least, lead = nulls.min(), nulls - scores

    def decide(is_null, window=best):
        return None if is_null else window

    return {
        "right": decide(least - scores[best] > threshold), "own": decide(lead[best] > threshold),
        "mean": decide(nulls.mean() - scores[best] > threshold),
        "highest": decide(nulls.max() - scores[best] > threshold),
        "plain": decide(least > scores[best]), "sign": decide(least + threshold > scores[best]),
        "turned": decide(scores[best] - least > threshold), "never": best,
        "first": decide(lead[0] > threshold, 0),
        "lead": decide(lead.min() > threshold, int(lead.argmin())),
        "worst": decide(least - scores.min() > threshold, int(scores.argmin())),
    }

def is_clear(case):
    """Whether no comparison is so close that rounding would decide it."""
    scores, nulls = np.array(case["scores"]), np.array(case["nulls"])
    against = np.array([*nulls, nulls.mean()])[:, None] - scores
    bounds = np.array([-1.5, 0.0, 1.5])
    apart = np.abs(np.sort(scores)[1:] - np.sort(scores)[:-1]).min()
    return np.abs(against[..., None] - bounds).min() > 0.05 < apart

def cases(rng):
    found = []
    while len(found) < 2:  # plainly answered, with a word in two pieces, from a later window
        case = drawn(rng)
        best = int(np.argmax(case["scores"]))
        first, last = case["spans"][best]
        is_plain = max(case["nulls"]) < case["scores"][best] - 3 and is_clear(case)
        # The last token of the second one is a word by itself, with a gap before it.
        ends = case["offsets"][best][:, 1][last - 1] < case["offsets"][best][:, 0][last]
        if is_plain and best > 0 and last - first > 1 and (ends or not found):
            found.append(case)
    # Of any two other ways of deciding, the one is to be wrong somewhere where the other is not, or
    # not in its way. Three pairs cannot be had; there the narrower mistake is listed first.
    said = decisions(found[0])
    wanted = {(a, b) for a in said for b in said if a != "right" and a != b}
    wanted -= {("mean", "highest"), ("own", "highest"), ("plain", "sign")}
    while wanted:
        case = drawn(rng)
        said = decisions(case)
        tells = {(a, b) for a, b in wanted if said[a] != said["right"] and said[a] != said[b]}
        if is_clear(case) and tells and len(tells) >= len(wanted) // 5:
            wanted -= tells
            found.append(case)
    yield from found
    # No answer leads by the threshold, and not by more.
    case = dict(found[0], scores=[min(score, 5.0) for score in found[0]["scores"]])
    case["scores"][int(np.argmax(case["scores"]))] = 6.0
    yield {**case, "nulls": [6.0 + case["threshold"]] * len(case["nulls"])}

def numbers(case, got, expected):
    best = int(np.argmax(case["scores"]))
    return {
        "yours": repr(got[0]) if got[0] else "“no answer”",
        "right": repr(expected[0]) if expected[0] else "“no answer”", "at": got[1],
        "right_at": expected[1],
        "there": repr(case["context"][got[1] : got[1] + len(got[0])]) if got[1] >= 0 else "nothing",
        "scores": ", ".join(f"{score:.1f}" for score in case["scores"]),
        "nulls": ", ".join(f"{null:.1f}" for null in case["nulls"]), "best": best,
        "score": case["scores"][best], "lowest": min(case["nulls"]), "own": case["nulls"][best],
        "lead": case["nulls"][best] - case["scores"][best], "mean": float(np.mean(case["nulls"])),
        "highest": max(case["nulls"]), "threshold": case["threshold"],
        "difference": min(case["nulls"]) - case["scores"][best],
    }

# %% another right solution
def answer(context, offsets, spans, scores, nulls, threshold):
    order = sorted(range(len(scores)), key=lambda window: -scores[window])
    characters = [
        range(*offsets[order[0]][token])
        for token in range(spans[order[0]][0], spans[order[0]][1] + 1)
    ]
    null = sorted(nulls)[0]
    if null > scores[order[0]] + threshold:
        return ["", -1]
    first, last = characters[0][0], characters[-1][-1]
    return [context[first : last + 1], first]

# %% misconception: the threshold is not used
# says: You say {yours}, expected is {right}. The lowest “no answer” is {lowest:.1f}, the best span
# has {score:.1f}. You compare the two as they are; the difference of {difference:.1f} is to be
# compared with the threshold, {threshold:.1f}.
# edit: - scores[best] > threshold => > scores[best]
# %% misconception: never no answer
# says: Every answer is found in the text. But here you say {yours}, and “no answer” is right: its
# lowest score is {lowest:.1f}, that of the span {score:.1f}, and the difference is more than the
# threshold of {threshold:.1f}.
# - if min(nulls) - scores[best] > threshold:
# -     return "", -1
# %% misconception: the mean of no answer
# says: You say {yours}, expected is {right}. “No answer” has {nulls} in the windows, and you take
# the mean, {mean:.1f}. But all windows except one may well lack the answer and rightly say so. The
# lowest is to count, {lowest:.1f}.
# edit: min(nulls) => sum(nulls) / len(nulls)
# %% misconception: no answer of the best window alone
# says: You say {yours}, expected is {right}. “No answer” has {nulls} in the windows, and you
# compare with {own:.1f}, that of the window with the best span. The lowest is to count,
# {lowest:.1f}: a window without the answer is right to say so, and only one that is sure of having
# it speaks against “no answer”.
# edit: min(nulls) => nulls[best]
# %% misconception: the threshold on the wrong side
# says: You say {yours}, expected is {right}. The lowest “no answer” is {lowest:.1f}, the best span
# has {score:.1f}, the difference is {difference:.1f}, and the threshold is {threshold:.1f}. With
# you a high threshold makes “no answer” easier; it should make it harder.
# edit: - scores[best] > threshold => + threshold > scores[best]
# %% misconception: windows compared by their lead over no answer
# says: You give {yours}, expected is {right}. You compare in each window its span with its own “no
# answer”, and take the window with the largest lead. The rule compares once, at the end: the
# highest score of a span, here {score:.1f}, against the lowest “no answer”, {lowest:.1f}.
# edit: np.argmax(scores) => np.argmin(np.array(nulls) - scores)
# edit: min(nulls) => nulls[best]
# %% misconception: the highest no answer
# says: You say {yours}, expected is {right}. “No answer” has {nulls} in the windows, and you take
# the highest, {highest:.1f}. In a long text some window always has nothing to do with the question;
# so the lowest is to count, {lowest:.1f}.
# edit: min(nulls) => max(nulls)
# %% misconception: the subword tokens joined by spaces
# says: You give {yours}, expected is {right}. You put the answer together token by token. Then a
# word that fell into two subword tokens has a space in it, and commas and double spaces of the text
# are lost. One slice of the context, from the first character to the last, gives the answer letter
# for letter.
# - return context[begin:behind], begin
# + rows = offsets[best][first : last + 1].tolist()
# + return " ".join(context[a:b] for a, b in rows), begin
# %% misconception: no answer where the span is better
# says: You say {yours}, expected is {right}. The lowest “no answer” is {lowest:.1f} and the best
# span has {score:.1f}. You subtract the wrong way round: “no answer” is said where **its** score
# exceeds the span's by more than the threshold, {threshold:.1f}.
# edit: min(nulls) - scores[best] => scores[best] - min(nulls)
# %% misconception: the first window only
# says: You give {yours}, expected is {right}. You look at the first window alone. The scores of the
# windows are {scores}: the best span is that of window {best}, and its text may stand far behind.
# edit: int(np.argmax(scores)) => 0
# edit: min(nulls) => nulls[0]
# %% misconception: one character too many
# says: You give {yours}, expected is {right}. The second number of an offset is already one behind
# the token's last character, so it can stand in a slice as it is.
# edit: begin:behind => begin : behind + 1
# %% misconception: the last token is left out
# says: You give {yours}, expected is {right}. The last token of a span belongs to it, so the text
# goes on to where that token **ends**, its second number; you stop where it begins.
# edit: [last][1] => [last][0]
# %% misconception: the span taken for a slice
# says: You give {yours}, expected is {right}. You have treated `last` as one behind the last token,
# as in a slice. In a span both tokens are included: the one at `last` is the last of the answer.
# edit: [last][1] => [last - 1][1]
# %% misconception: the place in the window instead of the text
# says: The text is right, {yours}, but not its place: you say {at}, and it begins at character
# {right_at} of the context. What you return is the number of a token in its window. `offsets` knows
# the character.
# edit: context[begin:behind], begin => context[begin:behind], first
# %% misconception: the worst window
# says: You give {yours}, expected is {right}. The scores of the windows are {scores}, and you take
# the smallest. They are sums of logits, no losses: the larger, the better.
# edit: np.argmax => np.argmin
# %% hints
# 1. Which window has the highest score? Only its `spans` and `offsets` are needed afterwards.
# 2. The answer begins with the first character of its first token and ends behind the last character
# of its last token: one number from each of two rows of `offsets[best]`.
# 3. `best = int(np.argmax(scores))`; “no answer” if `min(nulls) - scores[best] > threshold`; otherwise
# `offsets[best][first][0]` and `offsets[best][last][1]` are the two ends of the slice.
# %% explanation
# Positions of tokens only mean something in their own window; characters mean the same everywhere,
# so that is where the windows meet. Slicing the context gives back capitals, accents and spaces
# which the tokenizer dropped. And of all the windows it takes the highest score of a span and the
# lowest of “no answer”: one window that is sure is enough.

# %% task 16.4: Two scores for an answer
# kind: write; points: 25; minutes: 15; function: squad_scores
#
# Write `squad_scores(answers, prediction)`, which returns exact match and F1, two floats. `answers`
# is the list of accepted answers of one question; it is empty if the question has none, and
# `prediction` is `""` for “no answer”. Before anything is compared, every text is **normalised**,
# in this order:
#
# 1. lower case;
# 2. every character in `string.punctuation` is taken out, and nothing put in its place;
# 3. the words *a*, *an* and *the* are taken out, as whole words;
# 4. what is left is split into words at white space.
#
# Exact match is 1 if the words of the prediction are those of some accepted answer, in order, and
# else 0. F1 compares the prediction with each accepted answer and keeps the **best**: with `k`
# words in common (a word that occurs twice in both counts twice), precision is `k` by the words of
# the prediction, recall `k` by those of the answer, and F1 their harmonic mean. If one of the two
# has no words, F1 is 1 if both have none, and else 0. A question without an answer has `""` as its
# only accepted one.
#
# *Example.* `squad_scores(["the Tower of London"], "Tower Bridge, London")`: the words are *tower
# of london* and *tower bridge london*, two in common, so exact match is 0 and F1 is `2/3`.

# %% stub
def squad_scores(answers: list[str], prediction: str) -> tuple[float, float]:
    """Exact match and F1 of one prediction."""

    # BEGIN SOLUTION
    def words(text: str) -> list[str]:
        text = "".join(c for c in text.lower() if c not in string.punctuation)
        return [word for word in text.split() if word not in ("a", "an", "the")]

    guess, best = words(prediction), 0.0
    accepted = [words(one) for one in answers or [""]]
    for truth in accepted:
        both = (Counter(truth) & Counter(guess)).total()
        f1 = 2 * both / (len(truth) + len(guess)) if truth and guess else float(truth == guess)
        best = max(best, f1)
    return float(guess in accepted), best
    # END SOLUTION

# %% check
def cases(rng):
    a, b, c, d, e, f = rng.choice(
        ["Ankara", "Theodor", "Panama", "Atlanta", "Thera", "Oslo", "Dublin", "Tallinn"], 6,
        replace=False,
    ).tolist()
    pairs = [
        ([f"{a} {b} {c}"], f"{a} {d} {c}"),  # two of three
        ([f"{a} {b}"], f"{a.lower()} {b.upper()}"),  # lower case
        ([f"{a} and {b}"], f"the {a} and {b}"),  # an article
        ([f"{a} and {b}"], f"The {a} and {b}"),  # an article with a capital
        ([f"{a}, {b}"], f"{a} {b}."),  # punctuation
        ([f"the U.S. {c}"], f"US {c}"),  # nothing in its place
        ([f"{b}'s {c}"], f"{b}s {c}"),
        ([f"{a} {b}"], f"{b} {a}"),  # the same words, another order
        ([f"{a} or {b} or {c}"], f"{a} or {d} or {e}"),  # twice in both
        ([f"{a} {b}"], f"{a} {a} {a}"),  # once in one
        ([f"{d} {e}", f"{a} {b}", f"{a} {b} {c}"], f"{a} {b}"),  # the second of three
        ([f"{d} {e} {f}", f"{a} {b} {c}"], f"{b} {c}"),  # the best of two
        ([f"{a} {b} {c} {d}"], f"{b}"),  # short, and all of it right
        ([], ""),
        ([], f"{a}"),
        ([f"{a}"], ""),
        (["The A."], "the"),  # no words are left on either side
        # Without the letters of articles these would be the same.
        *([(["Ann Arbor"], "N. Arbor")] if rng.random() < 0.5 else [(["Thea Stone"], "A. Stone")]),
        ([f"{a} {b}"], f"{d}"),
    ]
    for answers, prediction in pairs:
        yield {"answers": answers, "prediction": prediction}

def numbers(case, got, expected):
    return {
        "answers": " | ".join(map(repr, case["answers"])) or "none",
        "prediction": repr(case["prediction"]), "em": float(got[0]), "f": float(got[1]),
        "right_em": expected[0], "right_f": expected[1], "count": len(case["answers"]),
    }

# %% another right solution
def squad_scores(answers, prediction):
    def normal(text):
        table = str.maketrans("", "", string.punctuation)
        return " ".join(re.sub(r"\b(a|an|the)\b", " ", text.lower().translate(table)).split())

    def overlap(one, other):
        left, right = one.split(), other.split()
        if not left or not right:
            return float(left == right)
        rest, common = list(right), 0
        for word in left:
            if word in rest:
                rest.remove(word)
                common += 1
        if not common:
            return 0.0
        precision, recall = common / len(right), common / len(left)
        return 2 * precision * recall / (precision + recall)

    wanted = [normal(one) for one in (answers if answers else [""])]
    said = normal(prediction)
    return (1.0 if said in wanted else 0.0), max(overlap(one, said) for one in wanted)

# %% misconception: articles cut out of words
# says: Accepted: {answers}, said: {prediction}. You give exact match {em:.0f} and F1 {f:.2f};
# expected are {right_em:.0f} and {right_f:.2f}. You replace the letters *a*, *an* and *the*
# wherever they stand, also in the middle of a word, and so different words become alike. Articles
# are whole words.
# - return [word for word in text.split() if word not in ("a", "an", "the")]
# + for article in ("the", "an", "a"):
# +     text = text.replace(article, "")
# + return text.split()
# %% misconception: exact match in any order
# says: Accepted: {answers}, said: {prediction}. You give exact match {em:.0f}, expected is
# {right_em:.0f}. You ask whether the words are the same, in whatever order. Exact match wants them
# in the same order; for F1 alone it does not matter.
# edit: guess in accepted => sorted(guess) in [sorted(truth) for truth in accepted]
# %% misconception: words as a set, counts by length
# says: Accepted: {answers}, said: {prediction}. Your F1 is {f:.2f}, expected is {right_f:.2f}. You
# count what the two **sets** of words share, and in a set a word stands once. A word that occurs
# twice in both is common twice: a `Counter` keeps count, and `&` of two takes the smaller number.
# edit: (Counter(truth) & Counter(guess)).total() => len(set(truth) & set(guess))
# %% misconception: a word found again and again
# says: Accepted: {answers}, said: {prediction}. Your F1 is {f:.2f}, expected is {right_f:.2f}. You
# count how many words of the prediction occur in the answer. One that is said three times and
# stands there once is common once, not three times.
# edit: (Counter(truth) & Counter(guess)).total() => sum(word in truth for word in guess)
# %% misconception: a space for each punctuation mark
# says: Accepted: {answers}, said: {prediction}. You give exact match {em:.0f} and F1 {f:.2f};
# expected are {right_em:.0f} and {right_f:.2f}. You put a space where a mark was, so that *U.S.*
# becomes two words. The mark is to be taken out and nothing put in its place.
# - text = "".join(c for c in text.lower() if c not in string.punctuation)
# + text = "".join(" " if c in string.punctuation else c for c in text.lower())
# %% misconception: all words as sets
# says: Accepted: {answers}, said: {prediction}. Your F1 is {f:.2f}, expected is {right_f:.2f}. You
# have made sets of the words, and there a word that is said twice stands only once, in the lengths
# as well. Who repeats a word until it fits should not gain by it: count with multiplicity.
# edit: (Counter(truth) & Counter(guess)).total() => len(set(truth) & set(guess))
# edit: (len(truth) + len(guess)) => (len(set(truth)) + len(set(guess)))
# %% misconception: only the first accepted answer
# says: Accepted: {answers}, said: {prediction}. You give exact match {em:.0f} and F1 {f:.2f};
# expected are {right_em:.0f} and {right_f:.2f}. There are {count} accepted answers, and you compare
# with the first alone. People point at slightly different spans; the best match counts.
# edit: in answers or [""] => in (answers or [""])[:1]
# %% misconception: the mean over the accepted answers
# says: Accepted: {answers}, said: {prediction}. You give F1 {f:.2f}, expected is {right_f:.2f}. You
# take the mean over the {count} accepted answers. Nobody can say all of them at once: the best one
# counts.
# edit: best = max(best, f1) => best += f1 / len(accepted)
# %% misconception: no answer is never right
# says: Accepted: {answers}, said: {prediction}. You give exact match {em:.0f} and F1 {f:.2f};
# expected are {right_em:.0f} and {right_f:.2f}. Where nothing is to be said, or nothing is left
# after normalising, saying nothing is right, and scores 1 in both.
# edit: in answers or [""] => in answers
# edit: if truth and guess else float(truth == guess) => if both else 0.0
# edit: float(guess in accepted) => float(bool(guess) and guess in accepted)
# %% misconception: an empty list of answers
# says: Your function stops with an error where it should give a score: for a question without an
# accepted answer the list is empty, and there is nothing to take the largest of. Such a question
# has `""` as its only accepted answer.
# edit: best = words(prediction), 0.0 => every = words(prediction), []
# edit: in answers or [""] => in answers
# edit: best = max(best, f1) => every.append(f1)
# edit: in accepted), best => in accepted), max(every)
# %% misconception: articles before lower case
# says: Accepted: {answers}, said: {prediction}. You give exact match {em:.0f} and F1 {f:.2f};
# expected are {right_em:.0f} and {right_f:.2f}. An article at the beginning of a sentence has a
# capital, and you look for the small ones before you have made the text small. The order of the
# steps matters.
# - text = "".join(c for c in text.lower() if c not in string.punctuation)
# - return [word for word in text.split() if word not in ("a", "an", "the")]
# + text = " ".join(word for word in text.split() if word not in ("a", "an", "the"))
# + return "".join(c for c in text.lower() if c not in string.punctuation).split()
# %% misconception: a division by zero
# says: Your function stops with a division by zero where there is nothing to divide by: a text
# without words, or two without a word in common, where precision and recall are both 0. By the rule
# of the task F1 is 1 if neither has a word, and 0 if one has none or they share none.
# - f1 = 2 * both / (len(truth) + len(guess)) if truth and guess else float(truth == guess)
# + if truth and guess and len(accepted) > 1 and not both:
# +     continue
# + precision, recall = both / max(len(guess), 1), both / max(len(truth), 1)
# + f1 = 2 * precision * recall / (precision + recall) if truth or guess else 1.0
# %% misconception: the fraction of the words said
# says: Accepted: {answers}, said: {prediction}. Your F1 is {f:.2f}, expected is {right_f:.2f}. You
# give the fraction of the words **said** that are right, the precision. Then one safe word would be
# a perfect answer. Recall, the fraction of the answer's words, belongs to it, and F1 is the
# harmonic mean of both.
# edit: 2 * both / (len(truth) + len(guess)) => both / len(guess)
# %% misconception: articles stay
# says: Accepted: {answers}, said: {prediction}. You give exact match {em:.0f} and F1 {f:.2f};
# expected are {right_em:.0f} and {right_f:.2f}. Lower case and punctuation are done, but *the*
# still counts as a word.
# edit: [word for word in text.split() if word not in ("a", "an", "the")] => text.split()
# %% misconception: punctuation stays
# says: Accepted: {answers}, said: {prediction}. You give exact match {em:.0f} and F1 {f:.2f};
# expected are {right_em:.0f} and {right_f:.2f}. Case and articles are done, but commas and full
# stops still hang on the words.
# edit: "".join(c for c in text.lower() if c not in string.punctuation) => text.lower()
# %% misconception: nothing is normalised
# says: Accepted: {answers}, said: {prediction}. You give exact match {em:.0f} and F1 {f:.2f};
# expected are {right_em:.0f} and {right_f:.2f}. You compare the texts as they are. Case,
# punctuation and articles are no mistakes: take them out on both sides first.
# - text = "".join(c for c in text.lower() if c not in string.punctuation)
# - return [word for word in text.split() if word not in ("a", "an", "the")]
# + return text.split()
# %% misconception: normalised for exact match alone
# says: Accepted: {answers}, said: {prediction}. Your exact match is right, {em:.0f}, but F1 is
# {f:.2f} where {right_f:.2f} is expected. You normalise for the one score and not for the other. F1
# can never be lower than exact match.
# - for truth in accepted:
# + exact, guess = float(guess in accepted), prediction.split()
# + for truth in map(str.split, answers or [""]):
# edit: float(guess in accepted), best => exact, best
# %% hints
# 1. Write a helper `words(text)` first and try it on `"The U.S., a Tower"`: it should give
# `["us", "tower"]`. Then both scores compare lists of words.
# 2. `Counter(truth) & Counter(guess)` holds the words in common with their numbers; `.total()` adds
# them up. Precision and recall divide by the two lengths.
# 3. With `k` in common F1 is `2 * k / (len(truth) + len(guess))`, which is never a division by zero if
# one of them has words. Take `max` over `answers or [""]`, and let two empty lists have F1 1.
# %% explanation
# Both scores look at words, after everything has been taken out in which two people would differ
# without disagreeing. Exact match wants one of the accepted answers as a whole; F1 gives part of a
# point for words in common, counted with multiplicity. Of several accepted answers the best counts,
# and “no answer” is an answer like another, namely the one without words.
# %% free choices
# - `truth and guess` => `truth or guess`: with one of the two empty both ways give 0

# %% task 16.5: Windows and losses before you run anything
# kind: predict; points: 15; minutes: 10; function: predict
#
# A context of `n` tokens and a question of `question` tokens (special tokens not counted) go
# through the model in windows. A row has at most `max_length` tokens and holds `[CLS]`, the
# question, `[SEP]`, a piece of the context, `[SEP]`. Neighbouring windows share `stride` tokens of
# the context, and no window holds nothing new. The context needs at least two windows. Return a
# dictionary:
#
# - `"windows"`: how many there are;
# - `"last"`: how many tokens of the context the last one holds;
# - `"safe"`: the largest number of tokens that an answer may have so that **wherever** it stands
#   some window holds all of it. (Draw two windows and count; the chapter's rule of thumb is on the
#   safe side.)
# - `"mean"`: the loss of one full window, `max_length` tokens, as BERT's code takes it, for a model
#   whose logits are all equal;
# - `"sum"`: the same as the notes take it.
#
# *Example.* With `n=25, question=4, max_length=16, stride=3`: there is room for 9 tokens of the
# context, the windows are 0 to 8, 6 to 14, 12 to 20 and 18 to 24, so `windows` is 4 and `last` is
# 7; `safe` is 4; `mean` is the natural logarithm of 16, 2.773, and `sum` is 5.545.

# %% stub
def predict(n: int, question: int, max_length: int, stride: int) -> dict:
    """Windows, what the last one holds, the longest safe answer, and the two losses."""
    # BEGIN SOLUTION
    room = max_length - question - 3
    step = room - stride  # new tokens of each window but the first
    count = math.ceil((n - stride) / step)
    return {
        "windows": count,
        "last": n - (count - 1) * step,
        "safe": stride + 1,
        "mean": math.log(max_length),
        "sum": 2 * math.log(max_length),
    }
    # END SOLUTION

# %% check
def cases(rng):
    yield {"n": 25, "question": 4, "max_length": 16, "stride": 3}
    for count in (3, 5, 8):
        question = int(rng.integers(7, 15))
        stride = int(rng.integers(12, 30))
        step = int(rng.integers(40, 90))
        # The last window is fuller than what it shares, and not quite full.
        n = count * step + int(rng.integers(3, stride - 3))
        yield {
            "n": n, "question": question, "max_length": question + 3 + step + stride,
            "stride": stride,
        }

def numbers(case, got, expected):
    room = case["max_length"] - case["question"] - 3
    return {
        **case, "room": room, "step": room - case["stride"], "count": got["windows"],
        "right": expected["windows"], "last": got["last"], "right_last": expected["last"],
        "safe": got["safe"], "right_safe": expected["safe"], "mean": float(got["mean"]),
        "sum": float(got["sum"]), "right_mean": expected["mean"], "right_sum": expected["sum"],
        "second": room - case["stride"], "before": room - 1, "need": case["stride"] + 2,
    }

# %% another right solution
def predict(n, question, max_length, stride):
    room = max_length - question - 3
    cut = [(0, room)]
    while cut[-1][1] < n:
        first = cut[-1][1] - stride
        cut.append((first, min(first + room, n)))
    safe = 0
    while all(any(a <= s and s + safe + 1 <= b for a, b in cut) for s in range(n - safe)):
        safe += 1
    flat, place = torch.zeros(1, max_length), torch.tensor([0])
    one = torch.nn.functional.cross_entropy(flat, place).item()
    return {
        "windows": len(cut),
        "last": cut[-1][1] - cut[-1][0],
        "safe": safe,
        "mean": (one + one) / 2,
        "sum": one + one,
    }

# %% misconception: the question takes no room
# says: You count {count} windows; there are {right}. The question stands in every window again, and
# so do the three special tokens: of {max_length} places only {room} are left for the context.
# edit: max_length - question - 3 => max_length
# %% misconception: the special tokens take no room
# says: You count {count} windows with {last} tokens of the context in the last one; expected are
# {right} and {right_last}. `[CLS]` and two `[SEP]` take places, too: of {max_length} only {room}
# are left for the context.
# edit: max_length - question - 3 => max_length - question
# %% misconception: the stride taken for the step
# says: You count {count} windows; there are {right}. You move on by {stride} tokens. The stride is
# here what neighbours **share**: of the {room} tokens of a window {step} are new.
# edit: room - stride => stride
# edit: (n - stride) / step => 1 + (n - room) / step
# %% misconception: windows without overlap
# says: You count {count} windows; there are {right}. You divide by the room of {room} tokens, as if
# neighbours shared nothing. They share {stride}, so each one after the first brings {step} new
# tokens.
# edit: room - stride => room
# edit: (n - stride) / step => n / step
# %% misconception: one window too many
# says: You count {count} windows; there are {right}. You divide all {n} tokens by the {step} that a
# window brings. But the first window brings {room}, its overlap as well, and your last one would
# hold nothing that the one before does not.
# edit: (n - stride) / step => n / step
# %% misconception: the rest has no window
# says: You count {count} windows; there are {right}. You round down, and what is left over at the
# end of the context is in no window. The last one is shorter, but it is there.
# edit: math.ceil((n - stride) / step) => (n - stride) // step
# %% misconception: the last window is full
# says: For the last window you say {last} tokens of the context; it holds {right_last}. The last
# window is as long as what is left: it begins where the overlap of the one before begins, and ends
# with the context.
# edit: n - (count - 1) * step => room
# %% misconception: only the new tokens of the last window
# says: For the last window you say {last} tokens of the context; it holds {right_last}. You count
# what is new in it. The {stride} tokens that it shares with the one before are in it, too.
# edit: n - (count - 1) * step => n - (count - 1) * step - stride
# %% misconception: as long as the overlap and no longer
# says: You say {safe}; it is {right_safe}. That is the rule of thumb, and it is safe, but one more
# token can be allowed. To be whole in neither of two windows, an answer has to begin before the
# second does, at token {second}, **and** end behind the last token of the first, number {before}.
# From {second} to {before} there are {stride} tokens, and one more on either side makes {need}.
# edit: stride + 1 => stride
# %% misconception: as long as a window
# says: You say {safe}; it is {right_safe}. An answer as long as a window fits into one if it begins
# where a window begins. Elsewhere it lies across an edge, and of what crosses an edge the
# neighbours only share {stride} tokens.
# edit: stride + 1 => room
# %% misconception: each loss halved
# says: You say {mean:.3f} for the mean and {sum:.3f} for the sum; expected are {right_mean:.3f} and
# {right_sum:.3f}. Each of the two ends has the loss log {max_length}. Their mean is that again,
# their sum is twice as much.
# edit: "mean": math.log(max_length) => "mean": math.log(max_length) / 2
# edit: 2 * math.log => math.log
# %% misconception: a choice among the tokens of the context
# says: You say {mean:.3f} for the mean; expected is {right_mean:.3f}. You let the {room} tokens of
# the context share the probability. In the search only these are allowed, but in training the
# softmax runs over all {max_length} positions, so that the model also learns not to point at the
# question.
# edit: "mean": math.log(max_length) => "mean": math.log(room)
# edit: 2 * math.log(max_length) => 2 * math.log(room)
# %% misconception: a choice between two labels
# says: You say {mean:.3f} for the mean; expected is {right_mean:.3f}. Two numbers for each token
# are not two labels: the softmax runs over the {max_length} **positions**, once for the start and
# once for the end.
# edit: "mean": math.log(max_length) => "mean": math.log(2)
# edit: 2 * math.log(max_length) => 2 * math.log(2)
# %% misconception: losses in bits
# says: You say {mean:.3f} for the mean; expected is {right_mean:.3f}. That is the logarithm to the
# base 2. The cross-entropy uses the natural one, `math.log`.
# edit: "mean": math.log => "mean": math.log2
# edit: 2 * math.log => 2 * math.log2
# %% hints
# 1. The first window brings `room` tokens, every other one `room - stride` new ones. How many are
# needed to reach `n`?
# 2. Each window but the last accounts for `room - stride` tokens; together with the last `stride` ones
# of the context that makes `n`. So count how often `room - stride` goes into `n - stride`, rounded
# up.
# 3. An answer is lost if it begins before the second window does and ends behind the first. How short
# can it be? One token less is safe everywhere. And a softmax of `T` equal logits gives each
# position `1 / T`.
# %% explanation
# With `stride` tokens shared, an answer of `stride + 1` is whole in one of two neighbours wherever
# it stands; of `stride + 2` it may stick out of both. Choose the stride by the longest answer. The
# two losses differ by the factor 2 alone, here and everywhere: under AdamW hardly anything else
# follows from it, with plain gradient descent the sum takes steps twice as long.
