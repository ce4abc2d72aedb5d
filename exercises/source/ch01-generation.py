# %% [markdown]
# # Exercises 1 · Generating text, one token at a time
#
# Chapter 1 built a machine that says which token is likely to come next, and a loop that makes a
# poem of it. Here you write the loop, choose the token in a less obvious way, mend a loss that was
# too good to be true, reckon what a recitation costs, and then make it cheap.

# %% setup
import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

# %% task 1.1: Predict, append, repeat
# kind: write; points: 15; minutes: 8; function: recite
#
# Write `recite(model, prompt, eos, at_most)`: the greedy loop of the chapter.
#
# - `model(ids)` reads ids `(1, T)`, a tensor of whole numbers, and returns logits `(1, T, V)`: the
#   row at place `t` is about the token that follows place `t`.
# - `prompt` is a list of ids; `eos` is the id of the end token; write `at_most` new tokens.
# - Take the most probable token every time. Stop when the end token has been written.
# - Return the list of ids: the prompt and all that was written behind it, the end token included.
#
# *Example.* A model that always finds the next higher number most probable goes from `[3]`, with
# `eos=6, at_most=10`, to `[3, 4, 5, 6]`; with `at_most=2` only to `[3, 4, 5]`.

# %% stub
def recite(
    model: Callable[[Tensor], Tensor], prompt: list[int], eos: int, at_most: int
) -> list[int]:
    """The prompt and what the model writes behind it."""
    # BEGIN SOLUTION
    ids = list(prompt)
    for _ in range(at_most):
        logits = model(torch.tensor([ids]))  # (1, T, V)
        ids.append(logits[0, -1].argmax().item())
        if ids[-1] == eos:
            break
    return ids
    # END SOLUTION

# %% run
class Box:
    """A small causal model: its logits at a place depend on all ids up to that place."""

    def __init__(self, table, mix, out, ends, eos):
        self.table, self.mix, self.out, self.ends, self.eos = table, mix, out, ends, eos
        self.asked = 0

    def __call__(self, ids):
        self.asked += 1
        if self.asked > 200:
            raise RuntimeError("the model was asked 200 times for one text: does your loop end?")
        if not isinstance(ids, Tensor) or ids.dim() != 2:
            shape = tuple(ids.shape) if isinstance(ids, Tensor) else type(ids).__name__
            raise ValueError(f"the model reads a tensor of ids (1, T), and was given {shape}")
        if self.mix is None:  # the model that counts
            return self.table[ids]
        state, rows = torch.zeros(len(ids), self.table.shape[1]), []
        for place in range(ids.shape[1]):
            state = torch.tanh(state @ self.mix + self.table[ids[:, place]])
            logits = state @ self.out
            logits[:, self.eos] = 100.0 if place + 2 == self.ends else -100.0
            rows.append(logits)
        return torch.stack(rows, dim=1)

def run(function, case):
    case = dict(case)
    table, mix, out, ends = (case.pop(name) for name in ("table", "mix", "out", "ends"))
    box = Box(table, mix, out, ends, case["eos"])
    ids = function(box, list(case["prompt"]), case["eos"], case["at_most"])
    if isinstance(ids, Tensor):
        ids = ids.reshape(-1).tolist()
    return [int(i) for i in ids] if isinstance(ids, list | tuple) else ids

# %% check
def cases(rng):
    count = torch.eye(12).roll(1, dims=1)  # row i is largest at i + 1
    for at_most in (10, 2):
        yield {
            "table": count, "mix": None, "out": None, "ends": 0, "prompt": [3], "eos": 6,
            "at_most": at_most,
        }
    for given, ends, at_most in ((3, 9, 14), (2, 30, 7), (4, 12, 9)):
        yield {
            "table": torch.from_numpy(rng.normal(size=(40, 12))).float(),
            "mix": torch.from_numpy(rng.normal(size=(12, 12))).float(),
            "out": torch.from_numpy(rng.normal(size=(12, 40))).float(), "ends": ends,
            "prompt": rng.choice(np.arange(1, 40), size=given, replace=False).tolist(), "eos": 0,
            "at_most": at_most,
        }

def numbers(case, got, expected):
    return {
        "yours": got, "right": expected, "prompt": case["prompt"], "eos": case["eos"],
        "at_most": case["at_most"], "new": len(got) - len(case["prompt"]),
        "wanted": len(expected) - len(case["prompt"]),
    }

# %% another right solution
def recite(model, prompt, eos, at_most):
    row = torch.tensor(prompt)[None]
    new = 0
    while new < at_most:
        best = model(row).softmax(-1)[:, -1].topk(1).indices  # (1, 1)
        row = torch.cat((row, best), dim=1)
        new += 1
        if best.item() == eos:
            return row[0].tolist()
    return row[0].tolist()

# %% misconception: only the newest token is read
# says: From {prompt} you come to {yours}, where {right} is expected. Your model is given the newest
# token alone, and so it cannot know what stood before. A table of “which word follows which” could
# do no less: the whole row has to go in again each time.
# edit: [ids] => [ids[-1:]]
# %% misconception: the answer is taken from the first place
# says: You come to {yours}, where {right} is expected: the same token again and again. The model
# answers at every place of the row, and the first place answers what follows the first token. What
# follows the whole row stands at the last place.
# edit: logits[0, -1] => logits[0, 0]
# %% misconception: the prompt is read again and again
# says: You come to {yours}, where {right} is expected. Your model reads the prompt {prompt} at
# every turn, and never what it has written itself; so it says the same each time. The row that it
# reads has to grow.
# edit: [ids] => [prompt]
# %% misconception: the end token is not kept
# says: Your row is {yours}, and {right} is expected: you stop at the end token {eos}, but before it
# is appended. It was predicted like every other token, and it is how a reader sees that the text is
# over.
# edit: break => return ids[:-1]
# %% misconception: no stop at the end token
# says: You write {new} new tokens, and the text was over after {wanted}: you go on behind the end
# token {eos}. In training nothing ever stands behind an end token, so what the model says there
# means nothing.
# - if ids[-1] == eos:
# -     break
# %% misconception: one new token too many
# says: You write {new} new tokens although `at_most` is {at_most}. Count on paper how often your
# loop runs: does it ask “is there room?” before it writes, or after?
# edit: range(at_most) => range(at_most + 1)
# %% misconception: the prompt counts as written
# says: With `at_most` = {at_most} the number of your new tokens is {new}, and {wanted} are
# expected. You compare the length of the whole row with `at_most`; the prompt in it was not written
# by the model.
# edit: range(at_most) => range(at_most - len(prompt))
# %% misconception: at_most is not asked
# says: You write {new} new tokens although `at_most` is {at_most}: only the end token stops your
# loop. A model that does not find its end would write for ever.
# edit: range(at_most) => range(60 - len(prompt))
# %% misconception: the prompt is left out
# says: You return {yours}, what the model wrote, without the prompt {prompt} in front of it. What
# grows is the whole row.
# edit: return ids => return ids[len(prompt) :]
# %% misconception: the whole row is written over
# says: The prompt was {prompt}, and your row begins differently: {yours}. You put the model's
# answers at all places behind the first token. Those at the earlier places are guesses at tokens
# that are already there; only the answer at the last place is news.
# edit: ids.append(logits[0, -1].argmax().item()) => ids = [ids[0], *logits[0].argmax(-1).tolist()]
# %% hints
# 1. Three things happen in each turn of the loop: the model reads the whole row, you take its answer
# at one place, and the answer goes to the end of the row. When is the loop left?
# 2. `torch.tensor([ids])` makes the `(1, T)` that the model reads; `logits[0, -1]` is what it says
# about the token behind the row; `argmax().item()` is the most probable id as a plain number.
# 3. `for _ in range(at_most):` with an `append`, and after it `if ids[-1] == eos: break`. Copy the
# prompt first, so that the caller's list stays as it was.
# %% explanation
# The model answers one question, “what comes next?”, and the loop asks it again about a row that is
# longer by one. The end token is predicted and appended like any other; only afterwards does the
# loop look at it. No weight changes anywhere in these lines.

# %% task 1.2: Hotter, colder, and without the tail
# kind: write; points: 20; minutes: 12; function: chances
#
# Instead of taking the most probable token one can draw. Two settings say from what. The
# **temperature** divides the logits before the softmax (the chapter's last section). **Top-p** then
# cuts off the long tail of improbable tokens: only the *fewest most probable tokens that together
# have at least the probability `top_p`* may be drawn.
#
# Write `chances(logits, temperature, top_p=None)`: from logits `(B, V)` the probabilities `(B, V)`
# to draw from. First the temperature; then, if `top_p` is given, the cut. What is cut off gets
# exactly zero, what is left sums to one again, in proportion. Every id keeps its place.
#
# *Example.* Logits `[[ln 4, ln 2, ln 1]]` stand in the proportion 4 : 2 : 1. At temperature 0.5
# they become 16 : 4 : 1, that is 0.762, 0.190, 0.048. At temperature 1 with `top_p=0.7` the first
# token has 0.571, which is not enough, the first two have 0.857, which is; so the result is 2/3,
# 1/3, 0.

# %% stub
def chances(logits: Tensor, temperature: float, top_p: float | None = None) -> Tensor:
    """What to draw from: probabilities (B, V), from logits (B, V)."""
    # BEGIN SOLUTION
    probabilities = (logits / temperature).softmax(-1)
    if top_p is None:
        return probabilities
    ordered, ids = probabilities.sort(dim=-1, descending=True)
    before = ordered.cumsum(-1) - ordered  # what the more probable tokens have together
    ordered = ordered.masked_fill(before >= top_p, 0.0)
    kept = torch.zeros_like(logits).scatter(-1, ids, ordered)
    return kept / kept.sum(-1, keepdim=True)
    # END SOLUTION

# %% check
def cases(rng):
    yield {"logits": torch.tensor([[4.0, 2.0, 1.0]]).log(), "temperature": 0.5}
    yield {"logits": torch.tensor([[2.0, 8.0, 4.0]]).log(), "temperature": 1.0, "top_p": 0.7}
    for temperature in (2.5, 0.6):
        while True:  # a clear case: no sum near the limit, and the temperature changes the cut
            logits = torch.from_numpy(2 * rng.normal(size=(2, 9))).float()
            top_p = float(rng.choice([0.7, 0.8, 0.9]))
            sums = [
                (logits / t).softmax(-1).sort(descending=True).values.cumsum(-1)
                for t in (temperature, 1.0)
            ]
            hot, plain = ((s < top_p).sum(-1) for s in sums)
            apart = min((s - top_p).abs().min() for s in sums)
            if apart > 0.005 and (hot != plain).all() and min(hot.min(), plain.min()) >= 1:
                break
        yield {"logits": logits, "temperature": temperature, "top_p": top_p}

def numbers(case, got, expected):
    got = torch.as_tensor(got)
    return {
        "temperature": case["temperature"], "top_p": case.get("top_p"),
        "largest": got[0].max().item(), "right": expected[0].max().item(),
        "total": got[0].sum().item(), "kept": int((got[0] > 0).sum()),
        "wanted": int((expected[0] > 0).sum()), "best": int(got[0].argmax()),
        "favourite": int(expected[0].argmax()), "empty": int(got.isnan().all(-1).sum()), "row": [round(x, 3) for x in got[0].tolist()],
        "right_row": [round(x, 3) for x in expected[0].tolist()],
    }

# %% another right solution
def chances(logits, temperature, top_p=None):
    rows = []
    for row in logits:
        shares = torch.exp(row / temperature - torch.logsumexp(row / temperature, 0))
        if top_p is not None:
            total, keep = 0.0, []
            for i in sorted(range(len(row)), key=lambda i: -shares[i].item()):
                keep.append(i)
                total += shares[i].item()
                if total >= top_p:
                    break
            mask = torch.zeros(len(row))
            mask[keep] = 1.0
            shares = shares * mask / total
        rows.append(shares)
    return torch.stack(rows)

# %% misconception: multiplied by the temperature
# says: At temperature {temperature} your largest probability is {largest:.3f}, and {right:.3f} is
# expected. You multiply by the temperature. Cold must sharpen: dividing by a number below one makes
# the differences between the logits larger.
# edit: logits / temperature => logits * temperature
# %% misconception: the temperature changes nothing
# says: At temperature {temperature} your largest probability is {largest:.3f}, the same as at
# temperature 1; {right:.3f} is expected. If you divide the probabilities by the temperature and
# make them sum to one again, the factor cancels. It has to act on the logits, before the softmax.
# edit: (logits / temperature) => logits
# %% misconception: the probabilities are divided
# says: Your first row sums to {total:.2f}, and probabilities sum to one. You divide by the
# temperature after the softmax; divide the logits, and let the softmax come last.
# edit: (logits / temperature).softmax(-1) => logits.softmax(-1) / temperature
# %% misconception: the cut comes before the temperature
# says: At temperature {temperature} you keep {kept} tokens of the first row, and {wanted} are
# expected. You count up to `top_p` with the probabilities of temperature 1 and warm or cool what is
# left. The temperature comes first: heat spreads the probability, so that more tokens are needed to
# reach {top_p}.
# - before = ordered.cumsum(-1) - ordered  # what the more probable tokens have together
# + plain = logits.softmax(-1).gather(-1, ids)
# + before = plain.cumsum(-1) - plain
# %% misconception: the token that reaches top_p is cut off
# says: You keep {kept} of the tokens in the first row, and {wanted} are expected. What you keep has
# less than {top_p} together: the token with which the sum gets over the limit belongs to those that
# are needed. (A very sure model would leave you with no token at all.)
# edit: before >= top_p => before + ordered > top_p
# %% misconception: what is left does not sum to one
# says: Your first row sums to {total:.3f}. When the tail is gone, what is left has to sum to one
# again: divide it by its sum, row by row.
# edit: kept / kept.sum(-1, keepdim=True) => kept
# %% misconception: cut tokens get the logit zero
# says: You keep {kept} tokens of the first row, and {wanted} are expected: your row is {row}. A
# logit of zero is no probability of zero: the softmax takes exponentials, and that of zero is one.
# Only minus infinity becomes nothing.
# - ordered = ordered.masked_fill(before >= top_p, 0.0)
# + scores = (logits / temperature).gather(-1, ids)
# + ordered = scores.masked_fill(before >= top_p, 0.0).softmax(-1)
# %% misconception: the order of sorting is kept
# says: Your most probable token has the id {best}, and it should be {favourite}: your row is {row},
# and {right_row} is expected. The values are right and stand in the order in which they were
# sorted. Each has to go back to its own id, or you draw other words than the model meant.
# edit: torch.zeros_like(logits).scatter(-1, ids, ordered) => ordered
# %% misconception: added up in the order of the ids
# says: Your first row is {row}, and {right_row} is expected. You add up the probabilities in the
# order of the ids. An id is a place in a list and says nothing about how probable a token is: sort
# first.
# - ordered, ids = probabilities.sort(dim=-1, descending=True)
# + ordered, ids = probabilities, torch.arange(logits.shape[-1]).expand_as(logits)
# %% misconception: a softmax to sum to one
# says: You keep {kept} tokens of the first row, and {wanted} are expected: your row is {row}. A
# second softmax does sum to one, but it takes the exponential of a probability of zero, which is
# one: what was cut off is back. Divide by the sum.
# edit: kept / kept.sum(-1, keepdim=True) => kept.softmax(-1)
# %% misconception: softmax over the texts
# says: Your first row is {row}, and {right_row} is expected. Your softmax runs over `dim=0`, from
# text to text; each text has its own probabilities, along the vocabulary.
# edit: .softmax(-1) => .softmax(0)
# %% misconception: each token by its own probability
# says: You keep {kept} of the tokens in the first row, and {wanted} are expected: you ask of each
# token alone whether it has at least 1 - {top_p}. The rule asks of the tokens together: go down
# from the most probable one and stop when the sum is enough.
# - before = ordered.cumsum(-1) - ordered  # what the more probable tokens have together
# - ordered = ordered.masked_fill(before >= top_p, 0.0)
# + least = ordered.amax(-1, keepdim=True).clamp(max=1 - top_p)
# + ordered = ordered.masked_fill(ordered < least, 0.0)
# %% misconception: each token has to reach top_p by itself
# says: {empty} of your rows have no token left: no token has {top_p} by itself. The rule asks of the
# tokens together: go down from the most probable one and stop when the sum is enough.
# edit: before >= top_p => ordered < top_p
# %% misconception: nothing is cut
# says: With `top_p` = {top_p} you keep all {kept} tokens of the first row, and {wanted} are
# expected: the tail is still there.
# - ordered = ordered.masked_fill(before >= top_p, 0.0)
# %% hints
# 1. Do the second example on paper, with the ids in another order. Which four steps did you take?
# 2. Divide the logits, softmax, sort with `descending=True`. A token is needed as long as those before
# it in that order have less than `top_p` together: `cumsum(-1)` minus the token's own probability.
# 3. `sort` also returns the ids in sorted order. `torch.zeros_like(logits).scatter(-1, ids, ordered)`
# puts each value back to its id; then divide by `sum(-1, keepdim=True)`.
# %% explanation
# The temperature acts on logits, where differences count; on probabilities a factor would cancel.
# The cut keeps a token if the more probable ones do not suffice without it, so at least one always
# stays. How many stay differs from row to row: few where the model is sure, many where it is not,
# which is what a fixed number could not do. Holtzman and others (2020) named it nucleus sampling.
# %% free choices
# - `dim=-1, descending`: the last axis is what `sort` takes by itself
# - `before >= top_p` => `before > top_p`: sums of rounded numbers do not meet the limit exactly

# %% task 1.3: A loss that is too good to be true
# kind: repair; points: 20; minutes: 10; function: next_token_loss; gradient: logits
#
# `next_token_loss(logits, input_ids, pad_id)` gets the logits `(B, T, V)` of a causal model for the
# ids `(B, T)` that it has read. Short rows are filled up at the right with `pad_id`. It is to
# return the mean of the cross-entropy over all questions of the batch: **at each place, which token
# comes next?** Padding is no answer that anybody wants, so it is not asked for. The model is trained
# on what you return, so its gradient has to reach the logits.
#
# The version below was used on the chapter's two poems. After 150 steps its loss was 0.02. Given
# “Before my”, the model then recited “my my my my my”. Find out why, and mend it; there are two
# mistakes.
#
# *Example.* Ids `[[1, 2, 2]]`, and logits whose probabilities are `[1/4, 1/4, 1/2]` at the first
# two places and `[1/3, 1/3, 1/3]` at the last. Two questions; the right answer has 1/2 each time;
# the loss is $-\ln(1/2) = 0.693$.

# %% stub
def next_token_loss(logits: Tensor, input_ids: Tensor, pad_id: int) -> Tensor:
    """The mean over all questions, one number; logits (B, T, V), input_ids (B, T)."""
    # BEGIN STUB
    answers = input_ids
    return cross_entropy(logits.flatten(0, 1), answers.flatten())
    # END STUB
    # BEGIN SOLUTION
    answers = input_ids[:, 1:]
    answers = answers.masked_fill(answers == pad_id, -100)  # -100: do not ask here
    return cross_entropy(logits[:, :-1].flatten(0, 1), answers.flatten())
    # END SOLUTION

# %% check
def cases(rng):
    shares = torch.tensor([[[1 / 4, 1 / 4, 1 / 2]] * 2 + [[1 / 3] * 3]])
    yield {"logits": shares.log(), "input_ids": torch.tensor([[1, 2, 2]]), "pad_id": 0}
    for rows, length, pad in ((3, 7, 0), (4, 9, 5)):
        real = rng.permutation(np.arange(3, length))[: rows - 1].tolist()
        ids = rng.choice([i for i in range(10) if i != pad], size=(rows, length))
        for row, n in enumerate([length, *real]):
            ids[row, n:] = pad
        yield {
            "logits": torch.from_numpy(2 * rng.normal(size=(rows, length, 10))).float(),
            "input_ids": torch.from_numpy(ids), "pad_id": pad,
        }

def numbers(case, got, expected):
    ids, pad = case["input_ids"], case["pad_id"]
    return {
        "yours": float(got), "right": float(expected), "questions": int((ids[:, 1:] != pad).sum()),
        "filled": int((ids[:, 1:] == pad).sum()), "rows": len(ids),
        "places": ids.numel() - len(ids),
    }

# %% another right solution
def next_token_loss(logits, input_ids, pad_id):
    total, asked = 0.0, 0
    for row, ids in zip(logits.log_softmax(-1), input_ids.tolist(), strict=True):
        for place, answer in enumerate(ids[1:]):
            if answer != pad_id:
                total, asked = total - row[place, answer], asked + 1
    return total / asked

# %% misconception: both mistakes are still there
# says: Your loss is {yours:.3f}, and {right:.3f} is expected. Take the example and write down, for each place, which token has just been read there and which is
# asked for. Then do the same at a place where the row has been filled up.
# edit: input_ids[:, 1:] => input_ids
# - answers = answers.masked_fill(answers == pad_id, -100)  # -100: do not ask here
# edit: logits[:, :-1] => logits
# %% misconception: each place is asked for its own token
# says: Your loss is {yours:.3f}, and {right:.3f} is expected. Padding is no longer asked for, but
# each place is still asked for the token that it has just read. It only has to copy it: hence the
# splendid loss and “my my my my”. Answer and place have to be moved against each other by one.
# edit: input_ids[:, 1:] => input_ids
# edit: logits[:, :-1] => logits
# %% misconception: padding is asked for
# says: Your loss is {yours:.3f}, and {right:.3f} is expected. The rows are shifted as they should
# be, but among your {places} questions there are {filled} whose answer is padding. A model that
# learns to say “filler” is rewarded for short rows. The answer -100 means: do not ask here.
# - answers = answers.masked_fill(answers == pad_id, -100)  # -100: do not ask here
# %% misconception: shifted the wrong way
# says: Your loss is {yours:.3f}, and {right:.3f} is expected. You ask each place for the token
# before it, which it has already seen. The first place has to be asked for the second token: drop
# the last row of the logits and the first of the ids, not the other way round.
# edit: input_ids[:, 1:] => input_ids[:, :-1]
# edit: logits[:, :-1] => logits[:, 1:]
# %% misconception: shifted twice
# says: Your loss is {yours:.3f}, and {right:.3f} is expected. You ask for the token two places on.
# This happens when the data are already shifted and the loss shifts them once more; here one shift
# is needed.
# edit: input_ids[:, 1:] => input_ids[:, 2:]
# edit: logits[:, :-1] => logits[:, :-2]
# %% misconception: shifted after the rows were joined
# says: With one row you are right, with {rows} rows your loss is {yours:.3f} instead of
# {right:.3f}. You laid the rows end to end and shifted then: so the last place of one text is asked
# for the first token of the next text, which nobody can know. Shift first, then flatten.
# edit: input_ids[:, 1:] => input_ids
# edit: logits[:, :-1].flatten(0, 1) => logits.flatten(0, 1)[:-1]
# edit: answers.flatten() => answers.flatten()[1:]
# %% misconception: the last place is asked for the first token
# says: Your loss is {yours:.3f}, and {right:.3f} is expected. You shift by rolling the row round,
# so that the last place is asked for the first token of its own row. Nothing follows the last
# place: it has no question.
# edit: input_ids[:, 1:] => input_ids.roll(-1, dims=1)
# edit: logits[:, :-1] => logits
# %% misconception: both are shifted
# says: Your loss is {yours:.3f}, and {right:.3f} is expected. You drop the same place from the
# logits and from the ids, so they still stand as before: each place is asked for the token that it
# has just read. Drop the last of the one and the first of the other.
# edit: logits[:, :-1] => logits[:, 1:]
# %% misconception: a softmax before the cross-entropy
# says: Your loss is {yours:.3f}, and {right:.3f} is expected. `cross_entropy` wants logits and
# takes the softmax itself. With yours before it, it is taken twice, and a model that is sure of
# itself looks undecided.
# edit: logits[:, :-1] => logits.softmax(-1)[:, :-1]
# %% misconception: padding makes the mean smaller
# says: Your loss is {yours:.3f}, and {right:.3f} is expected. The {filled} places of padding add
# nothing to your sum any more, but you still divide by all {places} places. Divide by the
# {questions} questions that are asked.
# - return cross_entropy(logits[:, :-1].flatten(0, 1), answers.flatten())
# + losses = cross_entropy(logits[:, :-1].flatten(0, 1), answers.flatten(), reduction="none")
# + return losses.mean()
# %% misconception: the mean of the texts' means
# says: Your loss is {yours:.3f}, and {right:.3f} is expected. You take the mean of each text and
# then the mean of these, so that a question in a short text counts for more than one in a long
# text. All {questions} questions of the batch count alike.
# - return cross_entropy(logits[:, :-1].flatten(0, 1), answers.flatten())
# + pairs = zip(logits[:, :-1], answers, strict=True)
# + return torch.stack([cross_entropy(row, ids) for row, ids in pairs]).mean()
# %% hints
# 1. At place 0 the model has read token 0. Which token does it then have to say? Which one does the
# code ask for?
# 2. The last place has no question, for nothing follows; the first token is no answer, for nothing
# comes before it. Drop the one from the logits and the other from the ids.
# 3. `logits[:, :-1]` beside `input_ids[:, 1:]`. Then put -100 where the answer is `pad_id`
# (`masked_fill`): `cross_entropy` leaves those out, and out of the number that it divides by, too.
# %% explanation
# A causal model sees its own place. Asked for the token that stands there, it copies, and the loss
# falls to zero without anything having been learned; in the loop it then repeats the last token
# for ever. The shift makes the question honest, and -100 leaves out the places where there is none.
# A package may shift for you (minibert's `labels` are the unshifted ids): look it up, for two
# shifts are as wrong as none.

# %% task 1.4: What grows, what moves, what it costs
# kind: predict; points: 20; minutes: 10; function: predict
#
# `lengths` are the numbers of tokens in some texts, `[SOS]` and `[EOS]` included. They are filled
# up to the length of the longest and trained on in one batch. The model has `weights` weights, and
# its vocabulary has `entries` entries. Afterwards it is given the first `prompt` tokens of the
# **first** text and recites the rest, until it has written `[EOS]`. **Without running anything**,
# return a dictionary:
#
# - `"questions"`: how many questions one training step asks of the whole batch;
# - `"guess"`: the loss of a model that finds all entries equally likely;
# - `"passes"`: how often the model has to be run for the recitation;
# - `"read"`: how many tokens it reads in all of these passes together, if each begins from the
#   start;
# - `"read_cached"`: the same, if it remembers what it computed for the tokens read before;
# - `"changed"`: how many weights are different after the recitation.
#
# *Example.* `predict([6, 3], prompt=2, entries=8, weights=100)` is 7 questions, a guess of 2.079, 4
# passes, 14 tokens read, 5 tokens read with memory, and 0 weights changed.

# %% stub
def predict(lengths: list[int], prompt: int, entries: int, weights: int) -> dict:
    """What training asks, and what reciting costs."""
    # BEGIN SOLUTION
    end = lengths[0]
    return {
        "questions": sum(n - 1 for n in lengths),
        "guess": math.log(entries),
        "passes": end - prompt,
        "read": sum(range(prompt, end)),
        "read_cached": end - 1,
        "changed": 0,
    }
    # END SOLUTION

# %% check
def cases(rng):
    yield {"lengths": [6, 3], "prompt": 2, "entries": 8, "weights": 100}
    for texts in (2, 3, 5):
        lengths = rng.integers(12, 60, size=texts)
        lengths[0] += 20
        yield {
            "lengths": lengths.tolist(), "prompt": int(rng.integers(3, 9)),
            "entries": int(rng.integers(50, 30_000)),
            "weights": int(rng.integers(10_000, 1_000_000)),
        }

def numbers(case, got, expected):
    return {
        **case, **got, "texts": len(case["lengths"]), "end": case["lengths"][0],
        "longest": max(case["lengths"]),
    }

# %% another right solution
def predict(lengths, prompt, entries, weights):
    row, passes, read, held, cached = prompt, 0, 0, 0, 0
    while row < lengths[0]:
        passes, read, cached = passes + 1, read + row, cached + row - held
        held, row = row, row + 1
    return {
        "questions": sum(lengths) - len(lengths),
        "guess": -math.log(1 / entries),
        "passes": passes,
        "read": read,
        "read_cached": cached,
        "changed": 0,
    }

# %% misconception: a question for every token
# says: You have {questions} questions for texts of {lengths} tokens: one for each token. Nothing
# stands before `[SOS]`, so nobody can be asked for it: each text has one question fewer than
# tokens.
# edit: sum(n - 1 for n in lengths) => sum(lengths)
# %% misconception: padding is asked for
# says: You have {questions} questions, {longest} - 1 for each of the {texts} texts. The shorter
# texts are filled up to that length, but padding is not asked for: a text of n tokens asks n - 1
# questions, however long its neighbours are.
# edit: sum(n - 1 for n in lengths) => len(lengths) * (max(lengths) - 1)
# %% misconception: a probability for a loss
# says: Your guess is {guess:.4f}: that is the probability which each of the {entries} entries gets.
# The loss is minus the logarithm of it.
# edit: math.log(entries) => 1 / entries
# %% misconception: one pass, as in training
# says: You count {passes} pass for the recitation. In training one pass is enough, because all
# answers are known beforehand. Here the second new token cannot be asked for before the first one
# is there: every new token needs a pass of its own.
# edit: end - prompt => 1
# edit: sum(range(prompt, end)) => end
# edit: end - 1 => end
# %% misconception: the prompt is recited, too
# says: You count {passes} passes for a text of {end} tokens, of which {prompt} are given. Nobody
# has to predict the prompt: it goes in whole, at the first pass. Only new tokens need a pass.
# edit: - prompt => - 1
# edit: prompt, end => 1, end
# %% misconception: every pass reads the whole text
# says: You have {read} tokens read in {passes} passes, {end} in each. The row grows: the first pass
# reads the {prompt} tokens of the prompt, the next one token more, and so on. (And nobody reads
# `[EOS]`: once it is written, the loop ends.)
# edit: sum(range(prompt, end)) => end * (end - prompt)
# %% misconception: the prompt need not be read
# says: With memory you have {read_cached} tokens read, one a pass. Before anything can be
# remembered it must have been read once: the first pass reads all {prompt} tokens of the prompt.
# edit: end - 1 => end - prompt
# %% misconception: the end token is read
# says: With memory you have {read_cached} tokens read, as many as the text has. The last of them,
# `[EOS]`, is written and never read: nobody asks what follows it.
# edit: end - 1 => end
# %% misconception: a pass for nothing
# says: You count {passes} passes, and the last of them is not needed: the pass over {end} - 1
# tokens writes `[EOS]`, and with that the loop ends. Nobody asks what follows it.
# edit: - prompt => - prompt + 1
# edit: , end => , end + 1
# edit: end - 1 => end
# %% misconception: it learns while it recites
# says: You let {changed} weights change. The chapter took a hash over every byte of every weight
# before and after: it was the same. What grows is the input. Only a training step moves weights,
# and nobody takes one here.
# edit: "changed": 0 => "changed": weights
# %% hints
# 1. Write the example down: a row of 2 tokens, then 3, 4, 5, and at last 6. How often was the model
# run, and how long was the row each time it was run?
# 2. The pass that writes `[EOS]` reads `lengths[0] - 1` tokens. Without memory the passes read
# `prompt`, `prompt + 1`, …; with it, the prompt once and then one token each.
# 3. `sum(range(prompt, lengths[0]))` is `prompt + … + (lengths[0] - 1)`. The blind guess costs
# `math.log(entries)`.
# %% explanation
# Training asks all questions of a text in one pass, because the causal mask makes them honest;
# reciting asks one a pass. Read again from the start, a text of n tokens costs about n² / 2; with
# the remembered tokens it costs about n. That is why every program that writes keeps such a memory.
# The weights are the only thing that stays as it is.

# %% task 1.5: Do not read it twice
# kind: write; points: 25; minutes: 15; function: continue_text
#
# The package's loop “also remembers what it has computed for the earlier tokens”, says the chapter.
# This memory is called a **cache**; what it holds are the keys and values of every layer, which
# chapter 5 explains. You need not know them in order to use it.
#
# `model(ids, cache)` reads `t` further ids, `(1, t)`, behind those that `cache` remembers (`None`:
# nothing yet), and returns two things: the logits `(1, t, V)` at the new places, and a new cache
# that remembers these tokens too. The old cache stays as it was.
#
# Write `continue_text(model, prompt, eos, at_most)`: the same list of ids as the greedy loop
# without a cache (the prompt and at most `at_most` new tokens, up to and with `eos`), but **no
# token may be read twice, nor one whose successor nobody asks for**. The check counts what your
# model reads.
#
# *Example.* A prompt of 3 tokens and 4 new ones: the model reads 3, and then three times one token,
# 6 in all. The loop without a cache reads 3 + 4 + 5 + 6 = 18.

# %% stub
def continue_text(model: Callable, prompt: list[int], eos: int, at_most: int) -> list[int]:
    """The prompt and what the model writes behind it, with every token read once."""
    # BEGIN SOLUTION
    ids, cache, unread = list(prompt), None, list(prompt)
    for _ in range(at_most):
        logits, cache = model(torch.tensor([unread]), cache)
        unread = [int(logits[0, -1].argmax())]
        ids += unread
        if unread == [eos]:
            break
    return ids
    # END SOLUTION

# %% run
class Reader:
    """One layer of causal attention with random weights, which counts what it reads."""

    def __init__(self, table, place, maps, out, ends, eos):
        self.table, self.place, self.maps, self.out = table, place, maps, out
        self.ends, self.eos, self.read = ends, eos, 0

    def __call__(self, ids, cache=None):
        if self.read > 2000:
            raise RuntimeError("the model has read 2000 tokens for one text: does your loop end?")
        if not isinstance(ids, Tensor) or ids.dim() != 2 or ids.shape[1] == 0:
            shape = tuple(ids.shape) if isinstance(ids, Tensor) else type(ids).__name__
            raise ValueError(f"the model reads a tensor of ids (1, t), and was given {shape}")
        past = 0 if cache is None else cache[0].shape[0]
        new = ids.shape[1]
        self.read += new
        where = torch.arange(past, past + new).clamp(max=len(self.place) - 1)
        x = self.table[ids[0]] + self.place[where]
        query, key, value = x @ self.maps[0], x @ self.maps[1], x @ self.maps[2]
        if cache is not None:
            key, value = torch.cat((cache[0], key)), torch.cat((cache[1], value))
        scores = query @ key.T / math.sqrt(x.shape[1])
        scores = scores.masked_fill(torch.arange(past + new) > where[:, None], -torch.inf)
        logits = (x + 3 * scores.softmax(-1) @ value) @ self.out
        logits[:, self.eos] = torch.where(where + 2 == self.ends, 1000.0, -1000.0)
        return logits[None], (key, value)

def host(function, case):
    weights = (case[name] for name in ("table", "place", "maps", "out"))
    model = Reader(*weights, case["ends"], case["eos"])
    ids = function(model, list(case["prompt"]), case["eos"], case["at_most"])
    if isinstance(ids, Tensor):
        ids = ids.reshape(-1).tolist()
    return {"ids": [int(i) for i in ids], "read": model.read}

# %% check
def cases(rng):
    for given, ends, at_most in ((3, 30, 4), (4, 13, 20), (5, 9, 12)):
        yield {
            "table": torch.from_numpy(rng.normal(size=(60, 12))).float(),
            "place": torch.from_numpy(rng.normal(size=(40, 12))).float(),
            "maps": torch.from_numpy(rng.normal(size=(3, 12, 12)) / 2).float(),
            "out": torch.from_numpy(rng.normal(size=(12, 60))).float(), "ends": ends,
            "prompt": rng.choice(np.arange(1, 60), size=given, replace=False).tolist(), "eos": 0,
            "at_most": at_most,
        }

def numbers(case, got, expected):
    return {
        "yours": got["ids"], "right": expected["ids"], "read": got["read"],
        "enough": expected["read"], "given": len(case["prompt"]),
        "new": len(got["ids"]) - len(case["prompt"]),
        "wanted": len(expected["ids"]) - len(case["prompt"]), "last": case["prompt"][-1],
        "at_most": case["at_most"],
    }

# %% another right solution
def continue_text(model, prompt, eos, at_most):
    cache = None
    for token in prompt:  # the prompt one by one: more passes, not more tokens
        logits, cache = model(torch.tensor([[token]]), cache)
    row = [*prompt, logits[0, -1].argmax().item()]
    while row[-1] != eos and len(row) - len(prompt) < at_most:
        logits, cache = model(torch.tensor([row[-1:]]), cache)
        row.append(logits[0, -1].argmax().item())
    return row

# %% misconception: no cache is used
# says: Your tokens are right, but the model has read {read} tokens for them, where {enough} are
# enough: every pass begins from the start. Hand the cache on, and give the model only what it has
# not read.
# edit: torch.tensor([unread]), cache => torch.tensor([ids]), None
# %% misconception: the whole row behind the cache
# says: Your model reads {read} tokens, and it should read {enough}. You hand the cache on and still
# give the whole row each time: the model then sees the text once in its memory and once more behind
# it, and answers about a row that nobody wrote. What the cache holds is not given again.
# edit: [unread] => [ids]
# %% misconception: one token without the cache
# says: You come to {yours}, where {right} is expected. After the prompt you give the newest token
# alone, and no cache: the model has forgotten all that came before it, and even which place it is
# at. The second thing that `model` returns has to go in again at the next pass.
# edit: [unread]), cache => [unread]), None
# %% misconception: the cache of the prompt, for ever
# says: You come to {yours}, where {right} is expected. Your cache stays that of the prompt: each
# new token is read as if it were the first behind it, and those in between are forgotten. Every
# pass returns a new cache; keep that one.
# - logits, cache = model(torch.tensor([unread]), cache)
# + logits, longer = model(torch.tensor([unread]), cache)
# + cache = longer if cache is None else cache
# %% misconception: the last token of the prompt is read twice
# says: Your model reads {read} tokens, and it should read {enough}. You read the whole prompt into
# the cache and then give its last token, {last}, again, so that the model believes it stands there
# twice. The pass over the prompt has already answered what comes next: use its last logits.
# - ids, cache, unread = list(prompt), None, list(prompt)
# + ids, unread = list(prompt), list(prompt[-1:])
# + _, cache = model(torch.tensor([ids]), None)
# %% misconception: the prompt is not read
# says: Your model reads {read} tokens, and it should read {enough}. Your first pass reads only the
# last token of the prompt. The cache is empty then: the other tokens of the prompt have to be read
# as well, once.
# edit: None, list(prompt) => None, list(prompt[-1:])
# %% misconception: the last token is read for nothing
# says: Your tokens are right, but the model has read {read} tokens where {enough} are enough. The
# last token that you write is read, too, and nobody asks what follows it. Stop before that pass.
# - return ids
# + model(torch.tensor([unread]), cache)
# + return ids
# %% misconception: no stop at the end token
# says: You write {new} new tokens, and the text was over after {wanted}: the loop goes on behind
# the end token.
# - if unread == [eos]:
# -     break
# %% misconception: one new token too many
# says: You write {new} new tokens although at most {at_most} are asked for: {yours}. Count on paper
# how often your loop runs: does it ask “is there room?” before it writes, or after?
# edit: range(at_most) => range(at_most + 1)
# %% hints
# 1. At each pass ask: which tokens has the model not read yet? Before the first pass it is the prompt,
# afterwards always the one token that was just written.
# 2. Keep three things: all ids, the cache, and the ids that are still unread. After
# `logits, cache = model(torch.tensor([unread]), cache)` the answer is at the last place, as ever.
# 3. The answer becomes the new `unread`, a list of one id, and is appended to the ids. If it is `eos`,
# leave the loop, so that it is never read.
# %% explanation
# Behind a causal mask nothing that is written later changes what was computed earlier. So it need
# not be computed again: the cache keeps it, and each pass reads one token. The tokens that come out
# are the same, and the work grows with the length instead of with its square. Of the token written
# last nothing is ever computed.
