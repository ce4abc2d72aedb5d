# %% [markdown]
# # Exercises 8 · Masked language modelling
#
# Chapter 8 corrupted a text with two throws of the dice and took the loss where a token had been
# selected. Here you write both, mend two programs that were published with a mistake, and say in
# advance what a fresh model and a fresh corruption must look like.

# %% setup
import math

import torch
import torch.nn.functional as F
from torch import Tensor

# %% task 8.1: Fifteen, and then eighty, ten, ten
# kind: write; points: 30; minutes: 20; function: mask_tokens
#
# Write `mask_tokens(input_ids, special_tokens_mask, mask_token_id, vocab_size, special_ids,
# generator)`.
#
# - `input_ids` is `(B, T)`; `special_tokens_mask` `(B, T)` is boolean, `True` at `[CLS]`, `[SEP]`
#   and padding. `special_ids` `(n,)` holds the ids of all special tokens, `[MASK]` among them.
# - Each token that is not special is **selected** with a chance of 15 %. Of the selected ones 80 %
#   become `mask_token_id`, 10 % some token drawn from all ids below `vocab_size` that are not
#   special, each with the same chance, and 10 % stay.
# - Return the corrupted ids `(B, T)` and the labels `(B, T)`: the original id at each selected
#   position, -100 elsewhere. Leave `input_ids` as it is, for the next epoch reads it again.
# - Draw all random numbers with `generator=generator`, so that a run can be repeated.
#
# *Example.* With `[[2, 5, 7, 3]]`, where 2 and 3 are special, let 7 alone be selected. Whatever
# becomes of it, the labels are `[[-100, -100, 7, -100]]`. If it becomes `[MASK]`, with the id 4,
# the corrupted ids are `[[2, 5, 4, 3]]`; if it stays, they are `[[2, 5, 7, 3]]`.

# %% stub
def mask_tokens(
    input_ids: Tensor,
    special_tokens_mask: Tensor,
    mask_token_id: int,
    vocab_size: int,
    special_ids: Tensor,
    generator: torch.Generator,
) -> tuple[Tensor, Tensor]:
    """Corrupted ids (B, T) and labels (B, T), -100 where nothing is predicted."""
    # BEGIN SOLUTION
    first, second = torch.rand(2, *input_ids.shape, generator=generator)
    selected = (first < 0.15) & ~special_tokens_mask
    labels = input_ids.masked_fill(~selected, -100)

    ids = torch.arange(vocab_size)
    ordinary = ids[~torch.isin(ids, special_ids)]
    drawn = ordinary[torch.randint(len(ordinary), input_ids.shape, generator=generator)]
    corrupted = input_ids.masked_fill(selected & (second < 0.8), mask_token_id)
    corrupted = torch.where(selected & (second >= 0.9), drawn, corrupted)
    return corrupted, labels
    # END SOLUTION

# %% run
def run(function, case):
    case = dict(case)
    seed = case.pop("seed")

    def call(rows, seed=seed):
        given = {**case, "input_ids": case["input_ids"][:rows].clone()}
        given["special_tokens_mask"] = case["special_tokens_mask"][:rows].clone()
        result = function(**given, generator=torch.Generator().manual_seed(seed))
        return result, given["input_ids"]

    result, afterwards = call(None)
    others = [call(6, seed + more)[0] for more in range(1, 9)]
    return result, afterwards, call(6)[0], call(6)[0], others

# %% check
import numpy as np

def cases(rng):
    texts, length, vocab_size = 400, 256, 400
    first = int(rng.integers(120, 160))
    pad, cls, sep, mask = 0, first + 1, first + 2, first + 3
    special = [pad, first, cls, sep, mask]  # scattered as in BERT's vocabulary
    ordinary = np.setdiff1d(np.arange(vocab_size), special)
    ids = rng.choice(ordinary, size=(texts, length))
    last = rng.integers(180, length, size=texts)
    column = np.arange(length)
    ids[:, 0] = cls
    ids[np.arange(texts), last] = sep
    ids[column > last[:, None]] = pad
    input_ids = torch.from_numpy(ids)
    yield {
        "input_ids": input_ids, "special_tokens_mask": torch.isin(input_ids, torch.tensor(special)),
        "mask_token_id": mask, "vocab_size": vocab_size, "special_ids": torch.tensor(special),
        "seed": int(rng.integers(2**31)),
    }

def parts(case, got):
    """Counts of what became of the tokens."""
    corrupted, labels = got[0]
    ids, special = case["input_ids"], case["special_tokens_mask"]
    selected = labels != -100
    masked = selected & (corrupted == case["mask_token_id"])
    kept = selected & (corrupted == ids)
    return ids, special, corrupted, labels, selected, masked, kept

def numbers(case, got, expected):
    ids, special, corrupted, labels, selected, masked, kept = parts(case, got)
    swapped = corrupted[selected & ~masked & ~kept]
    of = max(1, int(selected.sum()))
    return {
        "ordinary": int((~special).sum()), "selected": int(selected.sum()),
        "share": selected.sum().item() / (~special).sum().item(),
        "special": int((selected & special).sum()), "masked": masked.sum().item() / of,
        "kept": kept.sum().item() / of, "random": len(swapped) / of,
        "unasked": int(((corrupted != ids) & ~selected).sum()),
        "bad": int(torch.isin(swapped, case["special_ids"]).sum()),
        "which": ", ".join(str(i) for i in case["special_ids"].tolist() if (swapped == i).any()),
        "lost": int((labels != ids)[selected].sum()),
        "fixed": int((got[4][0][1] != -100).sum()),
        "columns": int((selected.sum(0) > 0.8 * (~special).sum(0).clamp(min=60)).sum()),
    }

def judge(case, got, expected):
    result, afterwards, once, again, others = got
    if result is None:
        return "Your function returns nothing: is there a `return`?"
    if not isinstance(result, tuple | list) or len(result) != 2:
        return "Two tensors are expected: first the corrupted ids, then the labels."
    if any(part.shape != case["input_ids"].shape for part in result):
        return "Corrupted ids and labels should both have the shape of `input_ids`."
    ids, special, corrupted, labels, selected, masked, kept = parts(case, got)
    changed = corrupted != ids
    if (corrupted == -100).any():
        return "ids and labels are one tensor"
    if selected.all():
        return "labels everywhere" if (labels == ids).all() else "zero where nothing is asked"
    if (labels != ids)[selected].any():
        return "labels read after the corruption"
    if (selected & ~special).sum() > 0.5 * (~special).sum():
        return "labels the wrong way round"
    if selected.any() and not (selected & ~special).any():
        return (
            "Only special tokens have a label. `special_tokens_mask` is `True` where a token is "
            "special: select where it is `False`."
        )
    if (selected & special).any():
        return "special tokens are selected"
    if (changed & ~selected).any():
        if masked.sum() == selected.sum():
            return "labels at [MASK] alone"
        return "tokens change that were not selected"
    if not selected.any():
        return "Nothing is selected: all your labels are -100."
    if (selected.sum(0) > 0.8 * (~special).sum(0).clamp(min=60)).any():
        return "the same columns in every text"
    if (selected.sum(1) > 0.8 * (~special).sum(1)).any():
        return (
            "In some texts every token is selected, in others none: you throw once for a whole "
            "text. Each token has a throw of its own."
        )

    def is_off(count, of, share):  # further than chance allows, once in several hundred millions
        return abs(count - of * share) > 6 * (of * share * (1 - share)) ** 0.5 + 0.004 * of * share

    of = int((~special).sum())
    if kept.sum() < 0.01 * selected.sum() and not is_off(int(selected.sum()), of, 0.135):
        return "kept tokens have no label"
    if is_off(int(selected.sum()), of, 0.15):
        return (
            f"{selected.sum() / of:.1%} of the tokens that are not special are selected in a large "
            "batch; 15 % are expected."
        )
    swapped = corrupted[selected & ~masked & ~kept]
    if torch.isin(swapped, case["special_ids"]).any():
        return "random tokens that are special"
    of = int(selected.sum())
    if masked.sum() == of:
        return "every selected token becomes [MASK]"
    if (masked.sum(1) == selected.sum(1)).double().mean() > 0.4:
        return "one fate for a whole text"
    if not is_off(int(masked.sum()), of, 0.8) and not is_off(len(swapped), of, 0.02):
        return "a tenth of the rest"
    counts = int(masked.sum()), len(swapped), int(kept.sum())
    if any(is_off(count, of, share) for count, share in zip(counts, (0.8, 0.1, 0.1), strict=True)):
        shown = ", ".join(f"{count / of:.1%}" for count in counts)
        return (
            f"Of the selected tokens {shown} become `[MASK]`, become random, stay; expected are "
            "80 %, 10 %, 10 %, up to what chance does in a large batch."
        )
    if len(swapped.unique()) < 0.85 * (case["vocab_size"] - len(case["special_ids"])):
        return (
            f"The number of different ids among your {len(swapped)} random tokens is only "
            f"{len(swapped.unique())}. Draw each anew, from all ids that are not special."
        )
    if (afterwards != ids).any():
        return "the input itself is changed"
    if any((one != other).any() for one, other in zip(once, again, strict=True)):
        return "not repeatable"
    if len({int((labels != -100).sum()) for _, labels in others}) == 1:
        return "a fixed number is selected"
    if all((labels == others[0][1]).all() for _, labels in others):
        return "Every seed of the generator gives the same labels: all numbers are to be drawn from it."
    return None

# %% another right solution
def mask_tokens(input_ids, special_tokens_mask, mask_token_id, vocab_size, special_ids, generator):
    # One throw with four outcomes, and random tokens drawn until none of them is special.
    chances = torch.tensor([0.85, 0.12, 0.015, 0.015])
    throws = torch.multinomial(chances, input_ids.numel(), replacement=True, generator=generator)
    throws = throws.reshape(input_ids.shape)
    throws[special_tokens_mask] = 0
    labels = torch.where(throws > 0, input_ids, -100)
    corrupted = input_ids.clone()
    corrupted[throws == 1] = mask_token_id
    special = set(special_ids.tolist())
    for row, column in (throws == 2).nonzero().tolist():
        drawn = None
        while drawn is None or drawn in special:
            drawn = int(torch.randint(vocab_size, (), generator=generator))
        corrupted[row, column] = drawn
    return corrupted, labels

# %% misconception: ids and labels are one tensor
# says: Your corrupted ids contain -100, which is no token. Do ids and labels share one tensor?
# `labels = input_ids` gives it a second name and makes no copy, so writing -100 into the labels
# writes it into the text as well.
# edit: input_ids.masked_fill(~selected, => input_ids.masked_fill_(~selected,
# edit: input_ids.masked_fill(selected => input_ids.masked_fill_(selected
# - corrupted = torch.where(selected & (second >= 0.9), drawn, corrupted)
# %% misconception: labels read after the corruption
# says: {lost} of your {selected} labels are not what stood there. Are they read from the text after
# it has been corrupted? Then the model would be taught to answer `[MASK]` at a `[MASK]`. The label
# is the original token.
# edit: return corrupted, labels => return corrupted, corrupted.masked_fill(~selected, -100)
# %% misconception: labels everywhere
# says: Every position has a label, also those that were not selected. There the answer stands in
# plain view, and the model would be paid for copying. Where nothing is asked the label is -100.
# edit: input_ids.masked_fill(~selected, -100) => input_ids.clone()
# %% misconception: zero where nothing is asked
# says: No label of yours is -100. Where nothing is predicted you have another number, and every id
# from 0 on is a token of the vocabulary: PyTorch would ask for it. -100 is the sign that it leaves
# out.
# edit: (~selected, -100) => (~selected, 0)
# %% misconception: labels the wrong way round
# says: {selected} positions of yours have a label, which is most of the text: they are those that
# were not selected. -100 belongs where nothing is asked, and the original id where a token was
# selected.
# edit: (~selected, -100) => (selected, -100)
# %% misconception: special tokens are selected
# says: {special} special tokens have a label in your batch. `[CLS]`, `[SEP]` and padding are no
# words that a context could tell: where `special_tokens_mask` is `True`, nothing is to be selected.
# edit: (first < 0.15) & ~special_tokens_mask => first < 0.15
# %% misconception: labels at [MASK] alone
# says: {unasked} tokens of yours are changed and have no label: only those behind `[MASK]` are
# asked for. All selected tokens count, also the random ones and those that stay; without a label
# the random tokens would be nothing but noise.
# edit: (~selected, -100) => (~selected | (second >= 0.8), -100)
# %% misconception: kept tokens have no label
# says: {share:.1%} of the tokens have a label, where 15 % are expected, and none of them stays as
# it was. Those that stay have been selected too: they keep their place in the text and get their
# label, so that the model is asked about a word that it can see.
# - return corrupted, labels
# + return corrupted, torch.where(corrupted != input_ids, input_ids, -100)
# %% misconception: tokens change that were not selected
# says: {unasked} tokens are changed that were never selected. The second throw is for the selected
# tokens alone: 80 % of the 15 %, not 80 % of all.
# edit: selected & (second < 0.8) => second < 0.8
# edit: selected & (second >= 0.9) => second >= 0.9
# %% misconception: the same columns in every text
# says: In {columns} columns every token of the batch is selected, in the others none. Is one number
# drawn for each place, which all texts share? Draw numbers of the shape of `input_ids`.
# edit: (first < 0.15) => (first[:1] < 0.15)
# %% misconception: random tokens that are special
# says: {bad} of your random tokens are special ones, with the ids {which} (and some are `[MASK]`,
# where it cannot be seen). No text has these in its middle, so the model would learn nothing from
# seeing through them. Draw from the ids that are not in `special_ids`, wherever these stand.
# edit: ids[~torch.isin(ids, special_ids)] => ids
# %% misconception: every selected token becomes [MASK]
# says: All {selected} selected tokens became `[MASK]`. Is one random number compared twice? Whoever
# is below 0.15 is below 0.8 and 0.9 as well, so the second throw needs numbers of its own, or
# limits that divide the first 0.15. Or is the second throw made once for the whole batch?
# edit: (first < 0.15) => (second < 0.15)
# %% misconception: one fate for a whole text
# says: In most texts all selected tokens became `[MASK]`, in the others none. The second throw,
# too, is made anew for each selected token, and not once for a text: draw numbers of the shape of
# `input_ids`.
# edit: (second < 0.8) => (second[:, :1] < 0.8)
# edit: (second >= 0.9) => (second[:, :1] >= 0.9)
# %% misconception: a tenth of the rest
# says: Of the selected tokens {masked:.1%} become `[MASK]`, {random:.1%} random, and {kept:.1%}
# stay. After the masks a fifth is left: is it a tenth of that which becomes random? The 10 % are of
# all selected tokens, which is half of what the masks leave.
# edit: second >= 0.9 => second >= 0.98
# %% misconception: the input itself is changed
# says: The fractions are right, but the `input_ids` that came in are corrupted too. In the next
# epoch the text would be corrupted a second time, and its labels would be masks. Work on a copy:
# `clone()`, `torch.where` and `masked_fill` (without the underscore) make one.
# edit: input_ids.masked_fill(selected => input_ids.masked_fill_(selected
# %% misconception: not repeatable
# says: The fractions are right, but with the same `generator` you draw other tokens the second
# time. Is a random number drawn somewhere without `generator=generator`? Then a run cannot be
# repeated.
# edit: *input_ids.shape, generator=generator => *input_ids.shape
# edit: , input_ids.shape, generator=generator => , input_ids.shape
# %% misconception: a fixed number is selected
# says: In each of eight batches, drawn from eight seeds, exactly {fixed} tokens are selected. Do you
# choose a fixed number of places? Each token has a chance of its own, so the number differs from
# batch to batch, and a text may have none or many.
# - selected = (first < 0.15) & ~special_tokens_mask
# + first = first.masked_fill(special_tokens_mask, 2.0)
# + limit = first.flatten().sort().values[int(0.15 * (~special_tokens_mask).sum())]
# + selected = first < limit
# %% hints
# 1. Two throws, both of the shape of `input_ids`: `torch.rand(input_ids.shape, generator=generator)`.
# The first says who is selected, the second what becomes of a selected token. Make the labels
# before you change anything.
# 2. `selected = (first < 0.15) & ~special_tokens_mask`, and the labels are `input_ids` with -100
# wherever `~selected`. Then `second < 0.8` is a mask, `second >= 0.9` a random token, each only if
# selected.
# 3. The ids to draw from: `ids = torch.arange(vocab_size)` without those in `torch.isin(ids,
# special_ids)`. Draw places in that list with `torch.randint`, look the ids up, and put them in
# with `torch.where`.
# %% explanation
# Who is selected and what becomes of it are two independent throws; the labels come from the first
# alone, which is why random and kept tokens have one as well. Random tokens are drawn by their
# place in a list of ordinary ids, so that none can be special. `torch.where` and `masked_fill`
# return new tensors: the text stays whole and is corrupted anew in the next epoch.
# %% free choices
# - `first < 0.15` => `first <= 0.15`, `second < 0.8` => `second <= 0.8`, `second >= 0.9` => `second > 0.9`:
#   a random number is hardly ever exactly that

# %% task 8.2: The loss at labelled positions
# kind: write; points: 20; minutes: 10; function: masked_lm_loss; gradient: logits
#
# Write `masked_lm_loss(logits, labels)`.
#
# - `logits` is `(B, T, V)`, `labels` `(B, T)`: a token id at the selected positions, -100
#   elsewhere.
# - Return the cross-entropy **averaged over all labelled positions of the batch**, a tensor without
#   axes whose gradient reaches the logits. A text with more labels counts for more.
# - A small batch may have no label at all. Its loss is 0, not NaN, and it can be trained on like any
#   other: a single NaN spoils every sum and every mean that it enters.
#
# Use `F.cross_entropy` or do it by hand.
#
# *Example.* `logits = [[[5.0, 1.0], [1.0986, 0.0]]]` and `labels = [[-100, 0]]`: only the second
# position counts. Since $e^{1.0986} = 3$, softmax gives token 0 the probability 3 / 4 there, and
# the loss is $-\ln 0.75 = 0.288$.

# %% stub
def masked_lm_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Mean cross-entropy over the labelled positions; 0 where there is none."""
    # BEGIN SOLUTION
    total = F.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="sum")
    return total / (labels != -100).sum().clamp(min=1)
    # END SOLUTION

# %% check
def cases(rng):
    for texts, length in ((2, 6), (3, 9), (1, 5), (2, 4)):
        vocab = int(rng.integers(110, 140))  # over 100: an index of -100 would find something
        logits = torch.from_numpy(rng.normal(size=(texts, length, vocab)) * 2).float()
        labels = torch.full((texts, length), -100)
        if length != 4:
            for row, count in enumerate(range(1, texts + 1)):
                places = rng.choice(length, size=count, replace=False)
                labels[row, places] = torch.from_numpy(rng.integers(1, vocab, size=count))
            labels[-1, places[0]] = 0  # id 0 may be asked for like any other
        yield {"logits": logits, "labels": labels}

def numbers(case, got, expected):
    labels = case["labels"]
    asked = labels != -100
    return {
        "yours": float(got), "right": float(expected), "labelled": int(asked.sum()),
        "all": labels.numel(), "counts": " and ".join(str(n) for n in asked.sum(1).tolist()),
    }

def judge(case, got, expected):
    if isinstance(got, Tensor) and got.ndim:
        return f"A tensor without axes is expected; yours has the shape {tuple(got.shape)}."
    loss, right, labels = float(got), float(expected), case["labels"]
    asked = labels != -100
    if math.isnan(loss) and not asked.any():
        return "NaN for a batch without labels"
    if math.isclose(loss, right, rel_tol=1e-4, abs_tol=1e-4):
        return None
    every = -case["logits"].log_softmax(-1)
    losses = every.gather(-1, labels.clamp(min=0)[..., None])[..., 0] * asked
    again = -case["logits"].softmax(-1).log_softmax(-1)
    wrapped = every.flatten(0, 1)[torch.arange(labels.numel()), labels.flatten()]
    known = {
        "averaged over all positions": losses.mean(),
        "averaged text by text": (losses.sum(1) / asked.sum(1)).mean(),
        "-100 used as an index": wrapped.mean(),
        "-100 turned into token 0": every.gather(-1, labels.clamp(min=0)[..., None]).mean(),
        "softmax before the cross-entropy": again[asked, labels[asked]].mean(),
        "token 0 is left out": losses[labels > 0].mean(), "a sum, not a mean": losses.sum(),
        "the sign is missing": -losses.sum() / asked.sum(),
    }
    for name, value in known.items():
        if math.isclose(loss, value.item(), rel_tol=1e-4):
            return name
    return f"Your loss is {loss:.3f}; {right:.3f} is expected."

# %% another right solution
def masked_lm_loss(logits, labels):
    asked = labels != -100
    rows, wanted = logits[asked], labels[asked]  # (n, V) and (n,)
    if not len(rows):
        return 0 * logits.sum()
    right = rows[torch.arange(len(rows)), wanted]
    return (rows.logsumexp(-1) - right).mean()

# %% misconception: averaged over all positions
# says: Your loss is {yours:.3f}; {right:.3f} is expected. You add up the right terms and divide by
# all {all} positions, although only {labelled} of them are asked. The rest would make every loss
# look small, and the smaller the fewer tokens are selected.
# edit: (labels != -100).sum().clamp(min=1) => labels.numel()
# %% misconception: averaged text by text
# says: Your loss is {yours:.3f}; {right:.3f} is expected. You take a mean in each text and then the
# mean of these. The texts have {counts} labels, so a token in a text with few labels counts for
# more than one in another. Average over all labelled tokens of the batch at once.
# edit: logits.flatten(0, 1), labels.flatten() => logits.mT, labels
# edit: "sum") => "none").sum(1)
# - return total / (labels != -100).sum().clamp(min=1)
# + return (total / (labels != -100).sum(1).clamp(min=1)).mean()
# %% misconception: -100 used as an index
# says: Your loss is {yours:.3f}; {right:.3f} is expected. All {all} positions enter it: at those
# without a label you look up index -100, and Python counts that from the end of the vocabulary. It
# finds a number and no error. First choose the labelled positions, then look up.
# - total = F.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="sum")
# - return total / (labels != -100).sum().clamp(min=1)
# + shares = logits.log_softmax(-1).flatten(0, 1)
# + return -shares[torch.arange(labels.numel()), labels.flatten()].mean()
# %% misconception: -100 turned into token 0
# says: Your loss is {yours:.3f}; {right:.3f} is expected. All {all} positions enter it: where the
# label is -100 you ask for token 0 instead. That avoids an error, but now the model is taught to
# answer 0 wherever nothing was selected.
# edit: labels.flatten() => labels.clamp(min=0).flatten()
# edit: (labels != -100).sum().clamp(min=1) => labels.numel()
# %% misconception: NaN for a batch without labels
# says: With no label in the batch your loss is {yours}: a sum over nothing is divided by nothing.
# PyTorch sends back zeros from there, but the NaN stays in every mean of losses that it enters, and
# whoever looks for the best held-out loss cannot compare it with anything. Where nothing is asked
# the loss is 0.
# edit: .sum().clamp(min=1) => .sum()
# %% misconception: softmax before the cross-entropy
# says: Your loss is {yours:.3f}; {right:.3f} is expected. The numbers that you give to the
# cross-entropy have been through a softmax already, and it takes another one of them. Probabilities
# lie between 0 and 1, so all tokens then look almost alike, and even a model that is always right
# keeps a high loss.
# edit: logits.flatten(0, 1) => logits.softmax(-1).flatten(0, 1)
# %% misconception: token 0 is left out
# says: Your loss is {yours:.3f}; {right:.3f} is expected. One of the labels is 0, and you leave it
# out, probably with `labels > 0`. 0 is the id of a token like any other; the sign for “not asked”
# is -100.
# edit: labels.flatten() => labels.masked_fill(labels == 0, -100).flatten()
# edit: labels != -100 => labels > 0
# %% misconception: a sum, not a mean
# says: Your loss is {yours:.3f}, the sum over {labelled} labelled positions; their mean,
# {right:.3f}, is expected. A sum would grow with the batch, and with it the size of every step.
# edit: total / (labels != -100).sum().clamp(min=1) => total
# %% misconception: the sign is missing
# says: Your loss is {yours:.3f}; {right:.3f} is expected. Logarithms of probabilities are negative,
# and the loss is minus their mean. With your sign the training would make the right tokens less
# likely.
# edit: return total => return -total
# %% hints
# 1. How many positions are asked? `(labels != -100).sum()`. What stands above the fraction, and what
# below it, if that number is zero?
# 2. `F.cross_entropy` wants `(n, V)` and `(n,)`: flatten the first axes. It leaves out -100 by itself,
# and with `reduction="sum"` it gives the numerator. Then divide by the count, but by one at least.
# %% explanation
# The labelled positions form one long list, whatever text they come from, and the loss is their
# mean. `F.cross_entropy` with its default would do all of that except for the empty batch, where 0
# / 0 is NaN; a count of at least one makes it 0 / 1. The gradient at all other rows of logits is
# exactly zero.

# %% task 8.3: Weights that weigh nothing
# kind: repair; points: 20; minutes: 10; function: slot_loss; gradient: logits
#
# A well-known teaching program keeps its masked tokens in slots. Each text has `P` of them:
# `logits` `(B, P, V)`, `labels` `(B, P)`, and `weights` `(B, P)`, which is 1.0 for a slot that is
# used and 0.0 for one that only fills up the row. A slot that is not used has the label 0, which is
# also the id of a real token.
#
# The loss should be the mean cross-entropy over the **used** slots of the batch. The line with the
# weights looks right, the loss falls, and yet the weights change nothing: the model is taught to
# answer 0 at slots that mean nothing. Mend it; the gradient of what you return has to reach the
# logits. At least one slot is used.
#
# *Example.* Let the four slots of a batch have the losses 1, 2, 3 and 6 and the weights 1, 1, 0, 0.
# The loss is 1.5, and not 3.

# %% stub
def slot_loss(logits: Tensor, labels: Tensor, weights: Tensor) -> Tensor:
    """Mean cross-entropy over the slots whose weight is 1."""
    # BEGIN STUB
    loss = F.cross_entropy(logits.flatten(0, 1), labels.flatten())
    weighted = loss * weights.reshape(-1, 1)
    # END STUB
    # BEGIN SOLUTION
    losses = F.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="none")
    weighted = losses * weights.flatten()
    # END SOLUTION
    return weighted.sum() / weights.sum()

# %% check
def cases(rng):
    for texts, slots, vocab in ((2, 5, 12), (4, 6, 30), (3, 8, 20)):
        used = torch.from_numpy(rng.integers(1, slots - 1, size=texts))
        used[0], used[1] = 1, slots - 2
        weights = (torch.arange(slots) < used[:, None]).float()
        labels = torch.from_numpy(rng.integers(1, vocab, size=(texts, slots)))
        labels[1, 0] = 0  # a real token with the id 0
        labels[weights == 0] = 0
        logits = torch.from_numpy(rng.normal(size=(texts, slots, vocab)) * 2).float()
        yield {"logits": logits, "labels": labels, "weights": weights}

def numbers(case, got, expected):
    return {
        "yours": float(got), "right": float(expected), "used": int(case["weights"].sum()),
        "all": case["weights"].numel(),
        "counts": " and ".join(str(int(n)) for n in case["weights"].sum(1).tolist()),
    }

# %% another right solution
def slot_loss(logits, labels, weights):
    kept = labels.masked_fill(weights == 0, -100)
    return F.cross_entropy(logits.mT, kept)

# %% misconception: the weights still do nothing
# says: Your loss is {yours:.3f}, the mean over all {all} slots; over the {used} used ones it would
# be {right:.3f}. Print the shape of what `F.cross_entropy` returns. It has averaged before any
# weight comes to it, and the weighted mean of one and the same number is that number, whatever the
# weights are.
# edit: losses * weights.flatten() => losses.mean() * weights
# %% misconception: the sum of all losses
# says: Your loss is {yours:.3f}, the sum over all {all} slots; {right:.3f} is expected. If you
# asked for `reduction="none"`, print the shapes: the losses are a row `({all},)`, the weights a
# column `({all}, 1)`, and their product is a table in which every loss meets every weight. If you
# asked for `reduction="sum"`, the losses were added before any weight came to them.
# edit: weights.flatten() => weights.reshape(-1, 1)
# %% misconception: divided by all slots
# says: Your loss is {yours:.3f}; {right:.3f} is expected. The right losses are added, and then
# divided by all {all} slots instead of the {used} used ones. How many slots fill up the rows should
# not matter.
# edit: weighted.sum() / weights.sum() => weighted.mean()
# %% misconception: label 0 left out instead of weight 0
# says: Your loss is {yours:.3f}; {right:.3f} is expected. You leave out every slot whose label is
# 0, and one of these is used: a real token has that id. What says whether a slot is used is its
# weight.
# edit: weighted.sum() / weights.sum() => losses[labels.flatten() != 0].mean()
# %% misconception: logits weighted instead of losses
# says: Your loss is {yours:.3f}; {right:.3f} is expected. You multiply the logits by the weights,
# so an unused slot has logits of zero: all tokens alike, which costs the logarithm of the
# vocabulary and not nothing. Weigh the losses.
# edit: logits.flatten(0, 1) => (logits * weights[..., None]).flatten(0, 1)
# edit: weighted.sum() => losses.sum()
# %% misconception: a mean for each text, then their mean
# says: Your loss is {yours:.3f}; {right:.3f} is expected. You average in each text first. The texts
# have {counts} used slots, so their tokens count differently. Add all losses, then divide once.
# edit: weighted.sum() / weights.sum() => (weighted.view_as(weights).sum(1) / weights.sum(1)).mean()
# %% hints
# 1. What are the shapes of `loss` and of `weighted`? Change a weight and see whether the result
# changes.
# 2. `F.cross_entropy(..., reduction="none")` gives one loss for each slot, `(B * P,)`. Bring the
# weights to the same shape, not to a column.
# %% explanation
# By default a loss function averages and returns one number, and a weighted mean of one number is
# that number. With `reduction="none"` there is a loss for each slot, and a weight of zero removes
# it from the sum. The column of weights is a second trap: once there are many losses, row times
# column is a table. (The other way is to write -100 into the labels, as everywhere else in this
# course.)

# %% task 8.4: Special tokens do not stand at the front
# kind: repair; points: 10; minutes: 6; function: random_tokens
#
# `random_tokens(count, vocab_size, special_ids, generator)` draws the random tokens of the recipe:
# `count` ids below `vocab_size`, none of them in `special_ids`, every other one **with the same
# chance**. All of them are drawn with `generator`.
#
# The version below takes for granted that the special tokens are the first ids of the vocabulary.
# In many small vocabularies they are. In that of BERT they are 0, 100, 101, 102 and 103.
#
# *Example.* With `vocab_size=6` and `special_ids=[0, 3, 4]` the ids 1, 2 and 5 come up, each about
# `count / 3` times, and no others.

# %% stub
def random_tokens(
    count: int, vocab_size: int, special_ids: Tensor, generator: torch.Generator
) -> Tensor:
    """Random ids (count,), none of them special."""
    # BEGIN STUB
    first = len(special_ids)
    return torch.randint(first, vocab_size, (count,), generator=generator)
    # END STUB
    # BEGIN SOLUTION
    is_ordinary = torch.ones(vocab_size, dtype=torch.bool)
    is_ordinary[special_ids] = False
    choices = is_ordinary.nonzero().flatten()
    return choices[torch.randint(len(choices), (count,), generator=generator)]
    # END SOLUTION

# %% run
def run(function, case):
    case = dict(case)
    seed = case.pop("seed")

    def call(seed):
        drawn = function(**case, generator=torch.Generator().manual_seed(seed))
        return drawn if drawn is None else torch.as_tensor(drawn).long()

    return [call(seed), call(seed), call(seed + 1)]

# %% check
def cases(rng):
    first = int(rng.integers(30, 60))
    yield {
        "count": 60_000, "vocab_size": 120,
        "special_ids": torch.tensor([0, first, first + 1, first + 2, first + 3]),
        "seed": int(rng.integers(2**31)),
    }

def tally(case, got):
    times = torch.bincount(got, minlength=case["vocab_size"])
    special = torch.zeros_like(times, dtype=torch.bool)
    special[case["special_ids"]] = True
    return times, special, case["count"] / int((~special).sum())

def numbers(case, got, expected):
    times, special, fair = tally(case, got[0])
    missing = (~special & (times == 0)).nonzero().flatten().tolist()
    return {
        "bad": int(times[special].sum()),
        "which": ", ".join(map(str, (special & (times > 0)).nonzero().flatten().tolist())),
        "missing": len(missing), "some": ", ".join(map(str, missing[:4])), "fair": round(fair),
        "often": int(times.argmax()), "times": int(times.max()),
    }

def judge(case, got, expected):
    got, again, other = got
    if got is None:
        return "Your function returns nothing: is there a `return`?"
    if tuple(got.shape) != (case["count"],):
        return (
            f"{case['count']} ids are expected, shape ({case['count']},), not {tuple(got.shape)}."
        )
    if got.min() < 0 or got.max() >= case["vocab_size"]:
        return f"Ids run from 0 to {case['vocab_size'] - 1}; yours from {got.min()} to {got.max()}."
    times, special, fair = tally(case, got)
    missing = ~special & (times == 0)
    if times[special].any():
        if missing.any():
            return "special tokens are still taken for the first ids"
        rare = times[special].sum() < 0.3 * fair * int(special.sum())
        return "drawn again only once" if rare else "drawn from everything"
    if missing.any():
        return "ordinary ids are lost"
    if (times[~special] - fair).abs().max() > 6.5 * fair**0.5:
        return "some ids come up more often"
    if not got.equal(again) or got.equal(other):
        return "the generator is not asked"
    # Of chance every id comes up a little more or less often, and each is as likely to be followed
    # by a larger one as by a smaller.
    choices = int((~special).sum())
    unevenness = float(((times[~special] - fair) ** 2 / fair).sum())
    rising, falling = (int((got[1:] > got[:-1]).sum()), int((got[1:] < got[:-1]).sum()))
    if unevenness < choices - 6.5 * (2 * choices) ** 0.5 or abs(rising - falling) > 6.5 * len(got) ** 0.5:
        return "one after the other"
    return None

# %% another right solution
def random_tokens(count, vocab_size, special_ids, generator):
    drawn = torch.randint(vocab_size - len(special_ids), (count,), generator=generator)
    for special in special_ids.sort().values:
        drawn += drawn >= special  # step over each special id, the smallest first
    return drawn

# %% misconception: special tokens are still taken for the first ids
# says: The special ids {which} come up {bad} times, and {missing} ordinary ids, {some}, never do.
# Leaving out the first few ids leaves out the wrong ones: what is special is said by `special_ids`
# alone.
# edit: is_ordinary.nonzero().flatten() => torch.arange(len(special_ids), vocab_size)
# %% misconception: drawn from everything
# says: Every id of the vocabulary comes up now, the special ones too: {which}, {bad} times in all.
# They have to be left out, wherever they stand.
# - is_ordinary[special_ids] = False
# %% misconception: drawn again only once
# says: Special ids have become rare, but {bad} are left. Do you draw again where one was drawn? The
# second draw can hit a special id as well. Repeat until there is none, or draw from a list that has
# none in it.
# - return choices[torch.randint(len(choices), (count,), generator=generator)]
# + drawn, again = torch.randint(vocab_size, (2, count), generator=generator)
# + return torch.where(is_ordinary[drawn], drawn, again)
# %% misconception: ordinary ids are lost
# says: No special id comes up any more, but {missing} ordinary ones are lost with them, {some}
# among others. Between the special ids there are many that are not: start from a list of all ids
# and remove only those in `special_ids`.
# edit: is_ordinary.nonzero().flatten() => torch.arange(int(special_ids.max()) + 1, vocab_size)
# %% misconception: some ids come up more often
# says: No special id comes up, but id {often} does {times} times, where about {fair} are fair. Is a
# special id, when it was drawn, replaced by a neighbour or by one fixed id? That comes up more
# often than the others then.
# - return choices[torch.randint(len(choices), (count,), generator=generator)]
# + drawn = torch.randint(vocab_size, (count,), generator=generator)
# + return choices[torch.searchsorted(choices, drawn)]  # the next one that is not special
# %% misconception: the generator is not asked
# says: No special id comes up, and every other one often enough, but your draws do not follow the
# generator: the same seed has to give the same ids again, and another seed others. *Do you hand
# `generator` on to what draws?*
# edit: (count,), generator=generator) => (count,))
# %% misconception: one after the other
# says: No special id comes up, and every other one as often as it should, but not by chance: your
# ids come in an order, or each exactly as often as the next. Each of them is to be **drawn**, whatever
# the one before it was.
# - return choices[torch.randint(len(choices), (count,), generator=generator)]
# + start = torch.randint(len(choices), (1,), generator=generator)
# + return choices[(start + torch.arange(count)) % len(choices)]
# %% hints
# 1. Make the list of the ids that may be drawn. How do you draw from a list whose ids have gaps?
# 2. Start with `torch.ones(vocab_size, dtype=torch.bool)`, write `False` at the special ids, and take
# `nonzero()`. Then draw places in that list, from 0 to its length, and look the ids up.
# %% explanation
# Whatever is drawn from a range without gaps needs the gaps taken out first: draw a place in the
# list of ordinary ids, then look up which id stands there. The place has the same chance
# everywhere, so each id has, too. Counting places instead of ids is also what makes the result
# independent of where a vocabulary keeps its special tokens.

# %% task 8.5: What must come out before anything is learned
# kind: predict; points: 20; minutes: 10; function: predict; tolerance: 1e-6
#
# A batch has `texts` texts of `length` tokens each, `[CLS]` and `[SEP]` included and no padding.
# The vocabulary has `vocab_size` entries, `special` of which are special tokens. The batch is
# corrupted by BERT's recipe, with random tokens drawn from all ordinary ids (the old one may come
# up again). **Without running it**, return a dictionary:
#
# - `"masked"`, `"random"`, `"kept"`: how many tokens of the batch are expected to become `[MASK]`,
#   to be drawn at random, to stay (three numbers, not rounded);
# - `"loss"`: the masked-LM loss of a fresh model whose logits are all zero, over the whole
#   vocabulary;
# - `"copier"`: the share of the selected tokens at which somebody is right who always answers with
#   what stands there.
#
# *Example.* With `texts=100, length=12, vocab_size=105, special=5`: 1,000 tokens can be selected,
# 150 are; masked 120, random 15, kept 15; loss $\ln 105 = 4.654$; the copier is right at 0.101 of
# them.

# %% stub
def predict(texts: int, length: int, vocab_size: int, special: int) -> dict:
    """Expected counts, the loss of a fresh model, and the accuracy of copying."""
    # BEGIN SOLUTION
    selected = 0.15 * texts * (length - 2)
    return {
        "masked": 0.8 * selected,
        "random": 0.1 * selected,
        "kept": 0.1 * selected,
        "loss": math.log(vocab_size),
        "copier": 0.1 + 0.1 / (vocab_size - special),
    }
    # END SOLUTION

# %% check
def cases(rng):
    yield {"texts": 100, "length": 12, "vocab_size": 105, "special": 5}
    for _ in range(3):
        yield {
            "texts": int(rng.integers(10, 400)), "length": int(rng.integers(20, 500)),
            "vocab_size": int(rng.integers(40, 3000)), "special": int(rng.integers(3, 9)),
        }

def numbers(case, got, expected):
    return {
        **case, **{f"my_{key}": value for key, value in got.items()},
        **{f"right_{key}": value for key, value in expected.items()},
        "ordinary": case["vocab_size"] - case["special"],
        "sum": got["masked"] + got["random"] + got["kept"], "inside": case["length"] - 2,
    }

# %% another right solution
def predict(texts, length, vocab_size, special):
    shares = torch.tensor([0.12, 0.015, 0.015], dtype=torch.float64)
    masked, random, kept = (texts * (length - 2) * shares).tolist()
    ordinary = vocab_size - special
    flat = F.cross_entropy(torch.zeros(1, vocab_size, dtype=torch.float64), torch.tensor([0]))
    return {
        "masked": masked,
        "random": random,
        "kept": kept,
        "loss": flat.item(),
        "copier": (kept + random / ordinary) / (masked + random + kept),
    }

# %% misconception: special tokens counted
# says: You expect {my_masked:.1f} masks; {right_masked:.1f} are right. Each text has {length}
# tokens, but `[CLS]` and `[SEP]` are never selected: {inside} of them take part.
# edit: (length - 2) => length
# %% misconception: fractions of all tokens
# says: Your three counts add up to {sum:.0f}, which is every token of the batch that is not
# special. The 80, 10 and 10 % are fractions of the selected tokens, and these are 15 % of the
# others.
# edit: 0.15 * texts => texts
# %% misconception: a logarithm to the base two
# says: Your loss is {my_loss:.3f}; {right_loss:.3f} is expected. You count in bits, with the
# logarithm to the base two. PyTorch's cross-entropy takes the natural one.
# edit: math.log => math.log2
# %% misconception: the softmax knows what is special
# says: Your loss is {my_loss:.4f}, the logarithm of {ordinary}; {right_loss:.4f} is expected. The
# softmax runs over all {vocab_size} entries. A fresh model does not know that a special token is
# never the answer: it has to learn that, and pays for it until then.
# edit: math.log(vocab_size) => math.log(vocab_size - special)
# %% misconception: the loss spread over all positions
# says: Your loss is {my_loss:.3f}; {right_loss:.3f} is expected. You multiply by the 15 % that are
# asked. The mean is taken over these positions alone, and at each of them the loss of guessing is
# the same, so that is their mean as well.
# edit: math.log(vocab_size) => 0.15 * math.log(vocab_size)
# %% misconception: a random token is never the old one
# says: You say that the copier is right at {my_copier:.4f} of the selected tokens; it is
# {right_copier:.4f}. The kept tokens are most of it. But a random token is one of {ordinary}
# ordinary ids, and now and then the old one is drawn again.
# edit: 0.1 + 0.1 / (vocab_size - special) => 0.1
# %% misconception: the copier is right wherever no mask stands
# says: You say that the copier is right at {my_copier:.4f} of the selected tokens; it is
# {right_copier:.4f}. Where a random token stands, copying it is almost always wrong: the label is
# what stood there before.
# edit: 0.1 + 0.1 / (vocab_size - special) => 0.2
# %% hints
# 1. How many tokens of a text can be selected at all? 15 % of them are, and 80, 10 and 10 % of those
# have the three fates.
# 2. If all logits are equal, softmax gives each of the `vocab_size` entries the same probability. What
# is minus its logarithm?
# 3. The copier is right at the kept tokens, which is a tenth, and at a random token if it happens to
# be the old one: one chance among the ordinary ids.
# %% explanation
# Expected counts are products of fractions. A model that knows nothing gives each entry the
# probability one over `vocab_size`, and minus the logarithm of that is the first value of any
# honest training log; a start far above it means a mistake in the set-up. And copying pays at a
# tenth of the selected tokens: this is what makes an accuracy over all of them look better than one
# at the masks.
