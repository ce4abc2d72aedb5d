# %% [markdown]
# # Exercises 7 · Left and right: GPT against BERT
#
# One flag divides a model that writes from one that reads. Here you build the test that tells two
# one-way readers from a two-way one, ask both kinds for the same masked token, mend a flag that is
# forgotten at the wrong moment, foretell who hears of a changed word, and give a well-known
# experiment the control that it lacks.

# %% setup
import torch
import torch.nn.functional as F
from torch import Tensor

# %% task 7.1: Do left and right act together?
# kind: write; points: 25; minutes: 12; function: acts_together
#
# ELMo lays two one-way readers side by side. To see from outside that this is not a two-way model,
# change a token on the left, one on the right, and both, and look at a place between them:
#
# $$ f(l', r') - f(l', r) - f(l, r') + f(l, r) $$
#
# Write `acts_together(read, ids, place, left, right, other)`. `read` is a model: called with ids
# `(T,)` it returns a vector for each token, `(T, d)`. $f$ is the vector at `place`; $l'$ means that
# the token at `left` has been replaced by the id `other`, $r'$ the same at `right`, and
# `left < place < right`. Return the length of the vector above, a number. `ids` itself must stay as it is.
#
# *Example.* Let `read` give to each token a single number, the product of its two neighbours' ids,
# and let `ids = [2, 9, 3]`, `place = 1`, `left = 0`, `right = 2`, `other = 5`. Then the four are
# 25, 15, 10 and 6, and 25 - 15 - 10 + 6 = 6. Were it the neighbours' *sum*, they would be 10, 8, 7
# and 5, and 10 - 8 - 7 + 5 = 0.

# %% stub
def acts_together(read, ids: Tensor, place: int, left: int, right: int, other: int) -> float:
    """The length of the mixed second difference at `place`."""

    # BEGIN SOLUTION
    def at(*changed: int) -> Tensor:
        text = ids.clone()
        text[list(changed)] = other
        return read(text)[place]  # (d,)

    mixed = at(left, right) - at(left) - at(right) + at()
    return mixed.norm().item()
    # END SOLUTION

# %% run
def run(function, case):
    draw = torch.Generator().manual_seed(case["seed"])
    width, kind = 8, case["model"]
    table = torch.randn(60, width, generator=draw, dtype=torch.float64)
    maps = torch.randn(2, 3, width, width, generator=draw, dtype=torch.float64) / width**0.5

    def one_way(ids):
        x, place = table[ids], torch.arange(len(ids))
        for query, key, value in maps:
            scores = (x @ query) @ (x @ key).mT / 2
            if kind != "one model, two-way":
                scores = scores.masked_fill(place > place[:, None], -torch.inf)
            x = x + scores.softmax(-1) @ (x @ value)
        return x

    def read(ids):
        if kind == "one model, two-way":
            return one_way(ids)
        from_left, from_right = one_way(ids), one_way(ids.flip(0)).flip(0)
        if kind == "two halves, added":
            return from_left + from_right
        if kind == "two halves, multiplied":
            return from_left * from_right
        return torch.cat((from_left, from_right), dim=-1)

    ids = case["ids"].clone()
    result = function(read, ids, *(case[name] for name in ("place", "left", "right", "other")))
    return {"together": result, "ids are as they were": bool((ids == case["ids"]).all())}

# %% check
def cases(rng):
    for model in (
        "two halves, side by side", "one model, two-way", "two halves, added",
        "two halves, multiplied",
    ):
        length = int(rng.integers(7, 11))
        place = int(rng.integers(2, length - 2))
        ids = torch.from_numpy(rng.permutation(60)[: length + 1].copy())
        yield {
            "model": model, "seed": int(rng.integers(2**31)), "ids": ids[:-1].clone(),
            "place": place, "left": int(rng.integers(0, place)),
            "right": int(rng.integers(place + 1, length)), "other": int(ids[-1]),
        }

def numbers(case, got, expected):
    return {
        **case, "yours": got["together"], "expected": expected["together"],
    }

# %% another right solution
def acts_together(read, ids, place, left, right, other):
    total = 0
    for change_left in (0, 1):
        for change_right in (0, 1):
            text = [
                other if (i == left and change_left) or (i == right and change_right) else token
                for i, token in enumerate(ids.tolist())
            ]
            total = total + (-1) ** (change_left + change_right) * read(torch.tensor(text))[place]
    return float((total**2).sum() ** 0.5)

# %% misconception: only both together against none
# says: For “{model}” you find {yours:.3f}, expected is {expected:.3f}. You compare the text with
# both changes with the text without any. That is how far the two move the vector in all; what each
# does **alone** has to be taken off before anything can be called an interaction.
# edit: at(left, right) - at(left) - at(right) + at() => at(left, right) - at()
# %% misconception: the unchanged text left out
# says: For “{model}” you find {yours:.3f}, expected is {expected:.3f}. Of four readings yours has
# three: the one without a change is missing. It is inside each of the two that you subtract, so it
# has been taken off twice and has to be added once.
# edit: - at(right) + at() => - at(right)
# %% misconception: the unchanged text taken off once more
# says: For “{model}” you find {yours:.3f}, expected is {expected:.3f}. The reading without a change
# comes with a **plus**. Put in a sum, f = a(left) + b(right): only with that sign everything
# cancels.
# edit: - at(right) + at() => - at(right) - at()
# %% misconception: lengths subtracted instead of vectors
# says: For “{model}” you find {yours:.3f}, expected is {expected:.3f}. You take the length of each
# move and subtract lengths. Two moves in different directions have a sum that is shorter than their
# lengths together, without any interaction. Subtract the **vectors**, and take one length at the
# end.
# edit: read(text)[place] => (read(text)[place] - read(ids)[place]).norm()
# %% misconception: the lengths of the four vectors
# says: For “{model}” you find {yours:.3f}, expected is {expected:.3f}. You take the length of each
# of the four vectors and then combine four numbers. A length is a root of squares, and even where
# nothing acts together four lengths do not cancel. Combine the **vectors**, and take one length at
# the end.
# edit: read(text)[place] => read(text)[place].norm()
# %% misconception: the numbers of the vector added up
# says: For “{model}” you find {yours:.3f}, expected is {expected:.3f}. You add up the numbers of
# the vector, and positive ones cancel against negative ones. Its length is the root of the sum of
# squares, `.norm()`.
# edit: mixed.norm() => mixed.sum()
# %% misconception: all places instead of the one between
# says: For “{model}” you find {yours:.3f}, expected is {expected:.3f}. You take all rows together.
# Beyond `left` and `right` stand rows for which both changes lie on one side, and there even a
# one-way reader lets them act together. Only the row at `place` lies between.
# edit: read(text)[place] => read(text)
# %% misconception: the first change is never undone
# says: For “{model}” you find {yours:.3f}, expected is {expected:.3f}, and the `ids` that you were
# given have changed. `text = ids` makes no copy: the change on the left is still there when you
# read the text with the change on the right. Begin each reading with `ids.clone()`.
# edit: ids.clone() => ids
# - mixed = at(left, right) - at(left) - at(right) + at()
# + mixed = at() - at(left) - at(right) + at(left, right)
# %% misconception: four readings of one text
# says: You find {yours:.3f} for every model, and the `ids` that you were given have changed. The
# very first reading has changed both tokens in `ids` itself, so all four read the same text and
# everything cancels. Begin each reading with `ids.clone()`.
# edit: ids.clone() => ids
# %% hints
# 1. Four readings of four texts. Write a small function that takes the places to be changed, changes a
# copy, and returns the vector at `place`.
# 2. `text = ids.clone()`, then `text[left] = other`. For the text without a change nothing is
# replaced, and it comes with a plus.
# 3. `(both - only_left - only_right + neither).norm().item()`
# %% explanation
# In a sum or a list of something that knows the left and something that knows the right, what a
# change on the left does is the same whatever stands on the right; so the four cancel. Adding the
# two halves does not help against that. Multiplying them does, and so does every layer that has
# both sides in one softmax.

# %% task 7.2: The same masked token, asked of both
# kind: measure; points: 20; minutes: 10; function: cloze
#
# Two models are asked for the same masked token. The **left-only** one is a model that writes: at
# each place it guesses the token that comes *next*. The **two-sided** one predicts masked tokens:
# at each place it guesses the token that belongs *there*. Both have read `N` texts of `T` tokens,
# with `[MASK]` in one place; you get their logits over a vocabulary of `V`. (The chapter's
# left-only model had been trained on masked tokens and was asked at the mask. This one has been
# trained to write, as GPT is.)
#
# Write `cloze(left_only, two_sided, masked, answers)`: `left_only` and `two_sided` are `(N, T, V)`,
# `masked` `(N,)` is the place of the masked token in each text (1 or later, since `[CLS]` stands at
# 0), `answers` `(N,)` is the id that belongs there. Return a dictionary:
#
# - `"left only"` and `"two-sided"`: the fraction of masked tokens for which the likeliest id is the
#   right one;
# - `"gained"`: in how many texts **only** the two-sided model is right;
# - `"lost"`: in how many only the left-only one is.
#
# *Example.* One text of 3 tokens, `[MASK]` at place 2, answer 1. What the left-only model guesses
# for it stands in its row 1, what the two-sided one guesses in its row 2.

# %% stub
def cloze(left_only: Tensor, two_sided: Tensor, masked: Tensor, answers: Tensor) -> dict:
    """Fractions of masked tokens guessed rightly, and the texts in which the models differ."""
    # BEGIN SOLUTION
    text = torch.arange(len(masked))
    left = left_only[text, masked - 1].argmax(-1) == answers  # (N,)
    both = two_sided[text, masked].argmax(-1) == answers
    return {
        "left only": left.float().mean().item(),
        "two-sided": both.float().mean().item(),
        "gained": int((both & ~left).sum()),
        "lost": int((left & ~both).sum()),
    }
    # END SOLUTION

# %% check
def cases(rng):
    for size in (2, 3):
        texts, length = 20 * size, int(rng.integers(8, 12))
        vocabulary = int(rng.integers(20, 30))
        masked = torch.from_numpy(rng.integers(2, length - 2, size=texts))
        answers = torch.from_numpy(rng.integers(1, vocabulary, size=texts))
        order = torch.from_numpy(rng.permutation(texts))
        last = torch.full_like(masked, length - 1)
        # Who is right where: 25 % left only, 10 % both, 50 % two-sided only; and, so that each
        # wrong row gives a fraction of its own, some right answers where none should be looked for.
        planted = {
            "left_only": ((masked - 1, 0, 7), (masked, 6, 8), (last, 9, 10)),
            "two_sided": ((masked, 5, 17), (masked - 1, 14, 18)),
        }
        case = {}
        for name, plants in planted.items():
            logits = torch.from_numpy(rng.normal(size=(texts, length, vocabulary))).float()
            logits[torch.arange(texts), :, answers] -= 8
            for rows, first, end in plants:
                chosen = order[first * size : end * size]
                logits[chosen, rows[chosen], answers[chosen]] += 14
            case[name] = logits
        yield {**case, "masked": masked, "answers": answers}

def numbers(case, got, expected):
    return {
        "left": got["left only"], "left_right": expected["left only"], "both": got["two-sided"],
        "both_right": expected["two-sided"], "gained": got["gained"],
        "gained_right": expected["gained"], "lost": got["lost"], "texts": len(case["masked"]),
    }

# %% another right solution
def cloze(left_only, two_sided, masked, answers):
    hits = []
    for n, (place, answer) in enumerate(zip(masked.tolist(), answers.tolist())):
        guesses = left_only[n, place - 1], two_sided[n, place]
        hits.append([int(guess.topk(1).indices.item() == answer) for guess in guesses])
    left, both = zip(*hits)
    return {
        "left only": sum(left) / len(hits),
        "two-sided": sum(both) / len(hits),
        "gained": hits.count([0, 1]),
        "lost": hits.count([1, 0]),
    }

# %% misconception: both are read at the mask
# says: You find that the left-only model guesses {left:.0%} of the masked tokens rightly, and it is
# {left_right:.0%}. You read it at the mask, where it has already gone on to guess the token
# **after** it. What it guesses for the masked token stands one row before, at the last token that
# it has seen.
# edit: [text, masked - 1] => [text, masked]
# %% misconception: both are read before the mask
# says: You find that the two-sided model guesses {both:.0%} of the masked tokens rightly, and it is
# {both_right:.0%}. You read it one row before the mask, like the one that writes. A masked language
# model guesses at each place the token that belongs **there**.
# edit: [text, masked] => [text, masked - 1]
# %% misconception: the wrong one of the two is shifted
# says: You find {left:.0%} for the left-only model, where {left_right:.0%} is right, and {both:.0%}
# for the two-sided one, where {both_right:.0%} is. One of them is to be read one row before the
# mask, and it is the other one: who guesses the **next** token?
# edit: [text, masked - 1] => [text, masked]
# edit: [text, masked] => [text, masked - 1]
# %% misconception: the left-only model is read at the end
# says: You find that the left-only model guesses {left:.0%} of the masked tokens rightly, and it is
# {left_right:.0%}. You read it at the last place of the text, as one does when it continues the
# text. The last place guesses what comes after the **text**; here the mask is inside, and what
# counts is the row before it.
# edit: [text, masked - 1] => [:, -1]
# %% misconception: the left-only model is read after the mask
# says: You find that the left-only model guesses {left:.0%} of the masked tokens rightly, and it is
# {left_right:.0%}. One step to the side is right, but it is the other side: you read the row
# **after** the mask. The guess for a place is made at the place before it.
# edit: [text, masked - 1] => [text, masked + 1]
# %% misconception: probabilities averaged instead of guesses counted
# says: Your fractions, {left:.1%} and {both:.1%}, are the average probability of the right answer.
# Asked for is how often the likeliest id **is** the right one, {left_right:.1%} and
# {both_right:.1%}: a guess is right or wrong, however sure the model was.
# edit: left.float().mean() => left_only[text, masked - 1].softmax(-1)[text, answers].mean()
# edit: both.float().mean() => two_sided[text, masked].softmax(-1)[text, answers].mean()
# %% misconception: gained and lost are all that each gets right
# says: Your fractions are right. But you report {gained} gained and {lost} lost: all texts that the
# one and the other model has right. Where **both** are right nothing has been gained or lost; leave
# those out.
# edit: (both & ~left) => both
# edit: (left & ~both) => left
# %% misconception: gained is the difference of the two
# says: Your fractions are right. But you report {gained} gained and {lost} lost: only the
# difference. Behind it there are texts that go one way and texts that go the other: {gained_right}
# are gained in fact. Count, text by text, who is right.
# edit: int((both & ~left).sum()) => max(int(both.sum() - left.sum()), 0)
# edit: int((left & ~both).sum()) => max(int(left.sum() - both.sum()), 0)
# %% misconception: gained and lost exchanged
# says: Your fractions are right, and your {gained} gained and {lost} lost have changed places.
# Gained are the texts in which only the **two-sided** model is right.
# edit: "gained": int((both & ~left) => "gained": int((left & ~both)
# edit: "lost": int((left & ~both) => "lost": int((both & ~left)
# %% misconception: gained and lost as fractions
# says: Your fractions are right. For `gained` and `lost` you return fractions, too, {gained:.2f}
# and {lost:.2f}. Asked for is in how many texts, so a count: {gained_right} are gained.
# edit: int((both & ~left).sum()) => (both & ~left).float().mean().item()
# edit: int((left & ~both).sum()) => (left & ~both).float().mean().item()
# %% misconception: counts instead of fractions
# says: You return {left} and {both}, the numbers of right guesses. Asked for are fractions: divide
# by the number of texts, {texts}.
# edit: left.float().mean().item() => int(left.sum())
# edit: both.float().mean().item() => int(both.sum())
# %% hints
# 1. Which row of the logits speaks about the masked token? It is not the same for both models: read
# what each of them guesses.
# 2. `logits[torch.arange(N), rows]` picks one row `(V,)` in each text, `(N, V)` in all; `argmax(-1)`
# is the likeliest id. For the left-only model the rows are `masked - 1`.
# 3. With two boolean tensors: `both & ~left` are the texts that are gained, `left & ~both` those that
# are lost.
# %% explanation
# A model that writes answers for the next place, a masked language model for its own; who overlooks
# that compares one of them with the wrong token and finds it stupid. And two fractions hide how
# often the models differ: which texts are gained and which are lost says more about the two
# directions than the difference does.

# %% task 7.3: A flag that is forgotten
# kind: repair; points: 20; minutes: 10; function: mix
#
# `mix(query, key, value, attention_mask, is_causal)` is the attention of a model that can be told,
# by one flag, to read from the left. `query`, `key` and `value` are `(B, H, T, d)`.
# `attention_mask` is `(B, T)` with 1 at tokens and 0 at padding, which stands at the right, or it
# is `None` if nothing is padded. `is_causal` is `True` if a token must not attend to those after
# it. Nothing may ever attend to padding. Return the mixed values `(B, H, T, d)`; what stands in the
# rows of padding does not matter.
#
# With a single text the version below does what it should. A left-only model was trained with it on
# batches of texts of different lengths, with an excellent loss, and could not write. Find out why,
# and mend it. (The function it calls is PyTorch's own attention. Its boolean `attn_mask` is `True`
# where attending is allowed. By its documentation it may be given a mask or `is_causal`, but not
# both.)
#
# *Example.* Let `query` and `key` be zero, so that all who may be seen have equal weights, and let
# the values be 1, 3 and 8. With `attention_mask = [[1, 1, 0]]` and `is_causal = True` the rows are
# 1, 2, and anything; with `is_causal = False` they are 2, 2, and anything.

# %% stub
def mix(
    query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor | None, is_causal: bool
) -> Tensor:
    """Mixed values (B, H, T, d), without padding and, if asked for, without the future."""
    # BEGIN STUB
    if attention_mask is not None:
        allowed = attention_mask[:, None, None, :].bool()
        return F.scaled_dot_product_attention(query, key, value, attn_mask=allowed)
    return F.scaled_dot_product_attention(query, key, value, is_causal=is_causal)
    # END STUB
    # BEGIN SOLUTION
    length = query.shape[2]
    allowed = torch.ones(1, 1, length, length, dtype=torch.bool)
    if is_causal:
        allowed = allowed.tril()
    if attention_mask is not None:
        allowed = allowed & attention_mask[:, None, None, :].bool()
    return F.scaled_dot_product_attention(query, key, value, attn_mask=allowed)
    # END SOLUTION

# %% run
def run(function, case):
    mixed = function(**case)
    if case["attention_mask"] is None:
        return mixed
    real = case["attention_mask"][:, None, :, None].bool()
    return torch.where(real, mixed, torch.zeros(()))  # nobody asks what the padding's rows hold

# %% check
def cases(rng):
    for padded, is_causal in ((True, True), (True, False), (False, True), (False, False)):
        length = int(rng.integers(5, 9))
        query, key, value = (
            torch.from_numpy(rng.normal(size=(3, 2, length, 4))).float() for _ in range(3)
        )
        case = {"query": 2 * query, "key": key, "value": value, "is_causal": is_causal}
        case["attention_mask"] = None
        if padded:
            real = torch.from_numpy(rng.integers(2, length, size=3))
            real[0] = length
            case["attention_mask"] = (torch.arange(length) < real[:, None]).long()
        yield case

def numbers(case, got, expected):
    alone = case["value"][0, 0, 0]
    how = "without padding" if case["attention_mask"] is None else "with padding"
    return {
        "how": how, "first": [round(x, 2) for x in got[0, 0, 0].tolist()],
        "alone": [round(x, 2) for x in alone.tolist()], "nan": int(got.isnan().any(-1).sum()),
    }

# %% another right solution
def mix(query, key, value, attention_mask, is_causal):
    scores = query @ key.mT / query.shape[-1] ** 0.5
    place = torch.arange(scores.shape[-1])
    if is_causal:
        scores = scores.masked_fill(place > place[:, None], -1e9)
    if attention_mask is not None:
        scores = scores.masked_fill(attention_mask[:, None, None, :] == 0, -1e9)
    return scores.softmax(-1) @ value

# %% misconception: the flag is forgotten as soon as there is padding
# says: With padding and `is_causal=True` the first token comes out as {first}. It may look at
# itself only, so it should be its own value, {alone}: it sees the future. Follow the lines with
# both a mask and the flag: where is `is_causal` used in that case?
# edit: allowed & attention_mask => attention_mask
# %% misconception: causal whenever there is padding
# says: With padding and `is_causal=False` the first token comes out as {first}, its own value, as
# if it were alone. You join the two masks, but without looking at the flag: as soon as there is
# padding the future is hidden, asked for or not.
# edit: if is_causal: => if is_causal or attention_mask is not None:
# %% misconception: causal even if nobody asked for it
# says: The flag is heeded now. But {how} and with `is_causal=False` the first token comes out as
# {first}, its own value, as if it were alone: you hide the future always, and the two-sided model
# has become a left-only one.
# edit: dtype=torch.bool) => dtype=torch.bool).tril()
# %% misconception: the padding is forgotten instead
# says: The flag is heeded now. But with a mask and `is_causal=False` your tokens attend to padding.
# Is the mask used in that case, and does it close the **columns**, the keys? (With
# padding at the right a causal mask hides it from the real tokens in passing; a two-sided model has
# no such luck.)
# - if attention_mask is not None:
# -     allowed = allowed & attention_mask[:, None, None, :].bool()
# %% misconception: allowed by either of the two masks
# says: With padding and `is_causal=True` the first token comes out as {first}, and it should be its
# own value, {alone}. You join the masks with “or”: whatever one of them allows is then allowed. A
# place may be attended to only if **both** allow it.
# edit: allowed & attention_mask => allowed | attention_mask
# %% misconception: the mask holds numbers that are added
# says: With padding the first token comes out as {first}. Your mask holds 0 and 1 as floats, and a
# mask of floats is **added** to the scores: the allowed ones get one more, and nobody is hidden.
# Make it boolean, or fill it with 0 and minus infinity.
# - allowed = allowed & attention_mask[:, None, None, :].bool()
# + allowed = allowed * attention_mask[:, None, None, :].float()
# %% misconception: the past is hidden and the future open
# says: With `is_causal=True` the first token comes out as {first}, and it should be its own value,
# {alone}. It sees what comes after it. Rows are queries and columns are keys, so what came before
# lies **below** the diagonal: `tril`, not `triu`.
# edit: tril() => triu()
# %% misconception: True where attending is forbidden
# says: With padding the first token comes out as {first}: your mask is the wrong way round. PyTorch
# has both conventions. In `nn.MultiheadAttention` a boolean mask is `True` where attending is
# forbidden; in `scaled_dot_product_attention` it is `True` where attending is **allowed**.
# edit: attn_mask=allowed => attn_mask=~allowed
# %% misconception: a token may not attend to itself
# says: With `is_causal=True` the first token comes out as {first}, and it should be its own value,
# {alone}. With you it may attend to nothing. A token attends to itself, too: `tril()` keeps the
# diagonal, `tril(diagonal=-1)` does not.
# edit: tril() => tril(diagonal=-1)
# %% misconception: a token may attend to the next one
# says: With `is_causal=True` the first token comes out as {first}, and it should be its own value,
# {alone}. It still sees one token too many: `tril(diagonal=1)` keeps a diagonal above the main one.
# edit: tril() => tril(diagonal=1)
# %% hints
# 1. There are four cases: with and without padding, causal or not. For each of them, which line is
# reached, and what does it know of the flag?
# 2. Make one mask `(B, 1, T, T)` or smaller that says everything, and give the function that mask
# alone.
# 3. Begin with ones, `(T, T)`, boolean; if the flag is set, take `.tril()`; if there is padding, `&`
# with `attention_mask[:, None, None, :].bool()`.
# %% explanation
# Two ways to hide something met in one place, and the one that came first returned. That a mask and
# the flag must not be passed together makes it natural to write such a branch, and a test with a
# single text never reaches it. One mask that says everything is the remedy; and the test is to
# change a later token in a padded batch and see that no earlier output moves.
# %% free choices
# - `1, 1, length` => `1, 2, length`: one mask for all heads, or one for each

# %% task 7.4: Who hears of a changed token?
# kind: predict; points: 15; minutes: 8; function: who_moves
#
# In a text of `length` tokens the token at place `changed` is replaced by another. Which outputs
# move, after `layers` layers of attention? Here a layer is attention alone: nothing is carried past
# it, so a token knows of itself only if it may attend to itself. `kind` says what each token may
# attend to:
#
# - `"full"`: everybody;
# - `"causal"`: itself and all that stand before it;
# - `"neighbours"`: itself and the tokens directly before and after it;
# - `"others"`: everybody **but** itself;
# - `"pair"`: two causal stacks, each of `layers` layers, one reading from the left and one from the
#   right, their outputs laid side by side.
#
# **Without building anything**, return the list of the places whose output moves, in rising order,
# taking it that whatever may depend on the changed token does.
#
# *Example.* `length=4, changed=2, layers=1`: full `[0, 1, 2, 3]`, causal `[2, 3]`, neighbours
# `[1, 2, 3]`, others `[0, 1, 3]`.

# %% stub
def who_moves(kind: str, length: int, layers: int, changed: int) -> list:
    """The places whose output moves when the token at `changed` is replaced."""
    # BEGIN SOLUTION
    places = range(length)
    moves = {
        "full": lambda place: True,
        "pair": lambda place: True,
        "causal": lambda place: place >= changed,
        "neighbours": lambda place: abs(place - changed) <= layers,
        "others": lambda place: place != changed or layers > 1,
    }
    return [place for place in places if moves[kind](place)]
    # END SOLUTION

# %% run
def run(function, case):
    places = function(**case)
    return sorted(int(place) for place in places) if hasattr(places, "__iter__") else places

# %% check
def cases(rng):
    for kind, layers in (
        ("causal", int(rng.integers(3, 7))), ("causal", 1), ("full", 3), ("full", 1),
        ("neighbours", 3), ("neighbours", 1), ("others", 1), ("others", 2),
        ("pair", 1), ("pair", 3),
    ):
        length = int(rng.integers(11, 15))
        yield {
            "kind": kind, "length": length, "layers": layers,
            "changed": int(rng.integers(4, length - 5)),
        }

def judge(case, got, expected):
    """Case by case, so that two mistakes in two kinds are told one after the other."""
    if got == expected:
        return None
    kind, layers, changed = case["kind"], case["layers"], case["changed"]
    places = list(range(case["length"]))
    if kind == "pair" and got in (places[changed:], places[: changed + 1], [changed]):
        return "in the pair nobody sees both sides"
    if got == [changed]:
        return "only the changed token moves" if layers > 1 else "the first layer brings no news"
    if kind == "others":
        if layers == 1 and got == places:
            return "a token that hears of itself at once"
        if layers > 1 and got == [place for place in places if place != changed]:
            return "what may not attend to itself never hears of itself"
        return ""
    if got == [place for place in expected if place != changed]:
        return "the changed token does not see itself"
    if kind in ("causal", "full") and layers > 1:
        near = [place for place in expected if abs(place - changed) <= layers]
        if got in (near, [place for place in near if abs(place - changed) < layers]):
            return "a layer for each place, whatever the mask"
    if kind == "neighbours" and layers > 1 and got == places:
        return (
            f"With neighbours only, in {layers} layers, you let every place move. In each layer the "
            "news goes one place further, to both sides, so that it gets to places at most "
            f"{layers} away from {changed}."
        )
    if kind == "causal":
        if got == places[: changed + 1]:
            return "the mask the wrong way round"
        if got == places:
            return "in many layers the past hears of it as well"
    if kind == "neighbours" and got == places[changed - 1 : changed + 2]:
        return "neighbours of neighbours never hear of it"
    if kind == "neighbours" and got == places[changed - layers + 1 : changed + layers]:
        return "the first layer brings no news"
    return ""

def numbers(case, got, expected):
    many = "one layer" if case["layers"] == 1 else f"{case['layers']} layers"
    return {**case, "yours": got, "many": many, "right": expected}

# %% another right solution
def who_moves(kind, length, layers, changed):
    place = torch.arange(length)
    distance = place[None, :] - place[:, None]  # column minus row: key minus query
    looks = {
        "full": distance < length,
        "causal": distance <= 0,
        "neighbours": distance.abs() <= 1,
        "others": distance != 0,
        "pair": distance <= 0,
    }[kind].float()

    def reached(allowed):
        knows = torch.eye(length)[changed]
        for _ in range(layers):
            knows = ((allowed @ knows) > 0).float()
        return knows > 0

    moves = reached(looks)
    if kind == "pair":
        moves = moves | reached(looks.T)
    return moves.nonzero().flatten().tolist()

# %% misconception: the mask the wrong way round
# says: Under the causal mask, with token {changed} of {length} changed, you let the places {yours}
# move. These are the ones that it may attend **to**. Those that move may attend to **it**:
# itself and all that come after.
# edit: place >= changed => place <= changed
# %% misconception: the changed token does not see itself
# says: Under “{kind}”, with token {changed} changed, you let {yours} move. Place {changed} is
# missing: it may attend to itself, and it has been replaced. The diagonal belongs to this mask.
# edit: if moves[kind](place) => if moves[kind](place) and (place != changed or kind == "others")
# %% misconception: in many layers the past hears of it as well
# says: Under the causal mask, in {many}, you let {yours} move. In no layer may a place attend to
# one behind it, so nothing that stands before {changed} can learn of it from anybody: whoever knows
# of it stands at {changed} or later. However many layers there are, no news goes left.
# edit: place >= changed => place >= changed or layers > 1
# %% misconception: only the changed token moves
# says: Under “{kind}”, with token {changed} of {length} changed, you let only {yours} move. In
# attention every row becomes an average of the rows that it may attend to. Whatever may attend to
# {changed} has it in that average.
# edit: [place for place in places if moves[kind](place)] => [changed]
# %% misconception: neighbours of neighbours never hear of it
# says: With neighbours only, in {many}, you let {yours} move. That is right for one layer. In the
# second layer a place attends to neighbours that have heard of the change in the first: the news
# goes one place further in each layer, to both sides.
# edit: <= layers => <= 1
# %% misconception: what may not attend to itself never hears of itself
# says: With “others”, in {many}, you leave {changed} out. In the first layer it does not see
# itself. But all the others do, and in the second it attends to them: a token sees itself **through
# its neighbours**. That is why hiding a token from itself does not do for training in depth, and
# why BERT's words are masked.
# edit: place != changed or layers > 1 => place != changed
# %% misconception: in the pair nobody sees both sides
# says: For the pair you let {yours} move. The reader from the left moves at {changed} and after it,
# the reader from the right at {changed} and **before** it, and the two lie side by side in each
# output. So every output moves. (This is why such a picture does not tell ELMo from BERT; the
# interaction does.)
# edit: "pair": lambda place: True => "pair": lambda place: place >= changed
# %% misconception: the first layer brings no news
# says: Under “{kind}”, in {many}, you let {yours} move, and it should be {right}. You count one
# layer too few. The first layer already attends to the tokens: after it, all that may attend to
# {changed} have heard of it.
# edit: places = range(length) => places = range(length) if layers > 1 else [changed]
# edit: <= layers => < layers
# edit: layers > 1 => layers != 2
# %% misconception: a layer for each place, whatever the mask
# says: Under “{kind}”, in {many}, you let {yours} move, as if the news needed a layer for each
# place. That is so where a token sees its neighbours only. Here whatever may attend to {changed}
# does so directly, however far away: for attention all places are equally near.
# - places = range(length)
# + places = [i for i in range(length) if abs(i - changed) <= layers or kind == "pair"]
# %% misconception: a token that hears of itself at once
# says: With “others” you let all places move in a single layer, {changed} included. There it may
# attend to everything but itself, and nothing is carried past attention here: what it gives out is
# made from the others, and none of these has changed.
# edit: place != changed or layers > 1 => True
# %% hints
# 1. Draw a text of five tokens and an arrow from each token to all that may attend to it. After one
# layer the news has gone along one arrow, after two layers along two.
# 2. Under which masks can the news reach somebody in the second layer who has not heard in the first?
# And which arrows of the causal mask point to the left?
# %% explanation
# News spreads one step a layer, along the mask. Full and causal masks have nothing left to do after
# the first layer: whom it can ever reach it has reached then. With neighbours it takes a layer for
# each place. And a token that is hidden from itself comes back to itself in the second layer by way
# of the others.

# %% task 7.5: Two senses, and a control
# kind: measure; points: 20; minutes: 12; function: senses_apart
#
# `N` sentences hold the same word, in different senses. You get `word` `(N, d)`, the vector at the
# word in each, `stop` `(N, d)`, the vector at the full stop of the same sentences, and `senses`
# `(N,)`, the number of the sense. Write `senses_apart(word, stop, senses)`, which measures both in
# the same way. Return a dictionary `{"word": (gap, nearest), "full stop": (gap, nearest)}`, in
# which
#
# - `gap` is the mean cosine of all pairs of *different* sentences with the **same** sense, minus
#   the mean cosine of all pairs with **different** senses;
# - `nearest` is the share of sentences whose nearest *other* sentence, by cosine, has the same
#   sense.
#
# *Example.* The vectors `[1, 0], [2, 0], [0, 1], [0, 3]` with the senses `0, 0, 1, 1`: within a
# sense the cosines are 1 and 1, across they are all 0, so the gap is 1; and each one's nearest has
# its own sense, so the fraction is 1.

# %% stub
def senses_apart(word: Tensor, stop: Tensor, senses: Tensor) -> dict:
    """Cosines within minus across, and how often the nearest has the same sense."""
    # BEGIN SOLUTION
    same = senses[:, None] == senses[None, :]  # (N, N)
    other = ~torch.eye(len(senses), dtype=torch.bool)

    def measured(vectors: Tensor) -> tuple[float, float]:
        unit = F.normalize(vectors, dim=-1)
        cosines = unit @ unit.T  # (N, N)
        gap = cosines[same & other].mean() - cosines[~same].mean()
        nearest = cosines.masked_fill(~other, -torch.inf).argmax(1)
        return gap.item(), (senses[nearest] == senses).double().mean().item()

    return {"word": measured(word), "full stop": measured(stop)}
    # END SOLUTION

# %% check
import numpy as np

def cases(rng):
    for sizes in ((5, 3), (6, 4, 3), (4, 7)):
        senses = torch.from_numpy(np.repeat(np.arange(len(sizes)), sizes))
        senses = senses[torch.from_numpy(rng.permutation(len(senses)))]
        case = {}
        # The word's own sense is strong, what a full stop knows of the topic is weaker.
        for name, strength in (("word", 0.8), ("stop", 0.3)):
            common, apart = rng.normal(size=12), rng.normal(size=(len(sizes), 12))
            made = common + strength * apart[senses] + 0.7 * rng.normal(size=(len(senses), 12))
            made *= np.exp(rng.normal(size=(len(senses), 1)))  # long ones and short ones
            case[name] = torch.from_numpy(made)
        yield {**case, "senses": senses}

def numbers(case, got, expected):
    return {
        "gap": got["word"][0], "gap_right": expected["word"][0], "nearest": got["word"][1],
        "nearest_right": expected["word"][1], "stop": got["full stop"][0],
        "stop_right": expected["full stop"][0], "count": len(case["senses"]),
    }

# %% another right solution
def senses_apart(word, stop, senses):
    kinds, out = senses.tolist(), {}
    for name, vectors in (("word", word), ("full stop", stop)):
        within, across, hits = [], [], 0
        for i, a in enumerate(vectors):
            best = None
            for j, b in enumerate(vectors):
                if i == j:
                    continue
                cosine = float(a @ b / (a.norm() * b.norm()))
                (within if kinds[i] == kinds[j] else across).append(cosine)
                if best is None or cosine > best[0]:
                    best = (cosine, kinds[j])
            hits += best[1] == kinds[i]
        gap = sum(within) / len(within) - sum(across) / len(across)
        out[name] = [gap, hits / len(kinds)]
    return out

# %% misconception: each sentence is compared with itself
# says: For the word you find a gap of {gap:.3f} and a nearest fraction of {nearest:.0%}; right are
# {gap_right:.3f} and {nearest_right:.0%}. Every vector has the cosine 1 with itself, so each
# sentence is its own nearest, and {count} ones have come into the mean within. Leave the diagonal
# out.
# edit: cosines[same & other] => cosines[same]
# edit: cosines.masked_fill(~other, -torch.inf) => cosines
# %% misconception: in the mean within, each sentence is compared with itself
# says: Your nearest are right. For the word you find a gap of {gap:.3f}, and it is {gap_right:.3f}:
# in the mean within a sense each sentence is also compared with itself, and these {count} ones push
# it up. Only pairs of different sentences count.
# edit: cosines[same & other] => cosines[same]
# %% misconception: each sentence is its own nearest
# says: Your gaps are right, and your nearest fraction is {nearest:.0%}: nothing is as near to a
# sentence as itself. Take its own place out before you look for the nearest, for example with minus
# infinity on the diagonal.
# edit: cosines.masked_fill(~other, -torch.inf) => cosines
# %% misconception: dot products instead of cosines
# says: For the word you find a gap of {gap:.3f}, and it is {gap_right:.3f}. You compare dot
# products: a long vector is then near to everybody, whatever its direction. Bring every vector to
# the length 1 first.
# edit: F.normalize(vectors, dim=-1) => vectors
# %% misconception: dimensions brought to length 1 instead of vectors
# says: For the word you find a gap of {gap:.3f}, and it is {gap_right:.3f}. Your vectors are not of
# length 1: the columns are, one dimension over all sentences. `F.normalize` takes the axis along
# which the length is measured, and that is the last one, `dim=-1`.
# edit: dim=-1 => dim=0
# %% misconception: across is everybody
# says: For the word you find a gap of {gap:.3f}, and it is {gap_right:.3f}. You subtract the mean
# of **all** pairs, and that contains the pairs within a sense. Across are only pairs with different
# senses.
# edit: cosines[~same] => cosines[other]
# %% misconception: each sense counts the same, however many pairs it has
# says: For the word you find a gap of {gap:.3f}, and it is {gap_right:.3f}. You average each sense
# for itself and then the averages. A sense with few sentences has few pairs, and asked for is the
# mean over all pairs within a sense, taken together.
# - gap = cosines[same & other].mean() - cosines[~same].mean()
# + within = [cosines[same & other & (senses == k)].mean() for k in senses.unique()]
# + gap = sum(within) / len(within) - cosines[~same].mean()
# %% misconception: the control measures the word again
# says: The word's numbers are right, and those of the full stop are the word's once more,
# {stop:.3f} where {stop_right:.3f} is right. A control has to measure something else **in the same
# way**: the vectors `stop`.
# edit: measured(stop) => measured(word)
# %% misconception: across minus within
# says: For the word you find a gap of {gap:.3f}, and it is {gap_right:.3f}: the same with the other
# sign. It is within **minus** across, so that vectors which tell the senses apart have a gap above
# zero.
# edit: return gap.item() => return -gap.item()
# %% hints
# 1. All cosines at once: bring the vectors to length 1, then one matrix product, `(N, N)`. Which
# entries are pairs within a sense, which are pairs across, and which are no pairs at all?
# 2. `same = senses[:, None] == senses` is `(N, N)`; the diagonal has to come out of it. For the
# nearest, put minus infinity on the diagonal and take `argmax` along each row.
# 3. Write an inner function that measures one set of vectors, and call it for `word` and for `stop`.
# %% explanation
# A word's vectors come apart by sense, and the full stop's do as well, by topic, for a sentence
# about money differs from one about rivers in every token. Only the difference between the two says
# something about the word. A sentence compared with itself is the classic slip here: it makes every
# measure look better than it is.
# %% free choices
# - `vectors, dim=-1`: the last of two axes is what `normalize` takes by itself
