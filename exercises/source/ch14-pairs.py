# %% [markdown]
# # Exercises 14 · Pairs of sentences
#
# Chapter 14 put two texts into one row, built pairs that match and pairs that do not, and compared
# two vectors by their cosine. Here you do all three by hand, and then find out how much of a good
# score can come from a careless split.

# %% setup
import numpy as np
import torch
from torch import Tensor

CLS, SEP, PAD = 101, 102, 0  # the ids of the special tokens in the vocabulary of `minilm`

# %% task 14.1: Two texts, one row, and not too long
# kind: write; points: 20; minutes: 12; function: encode_pair
#
# Write `encode_pair(a, b, max_length)`. `a` and `b` are lists of token ids without any special
# tokens. Return two lists of the same length, the `input_ids` and the `token_type_ids`:
#
# - The row is `[CLS]`, `a`, `[SEP]`, `b`, `[SEP]`, and has **at most** `max_length` tokens, all
#   three special tokens included.
# - The segment is 0 from `[CLS]` to the first `[SEP]`, that one included, and 1 for everything
#   behind.
# - If it is too long, take tokens away one at a time, always **from the end of the text that is
#   longer at the moment**; if both are equally long, from the end of `b`. (This is
#   `longest_first`.)
#
# `max_length` leaves room for at least one token of each text.
#
# *Example.* `encode_pair([7, 8], [1, 2, 3, 4, 5], 8)` has room for 5 tokens beside the special
# ones. `b` loses two, and the result is `[101, 7, 8, 102, 1, 2, 3, 102]` with the segments `[0, 0,
# 0, 0, 1, 1, 1, 1]`.

# %% stub
def encode_pair(a: list[int], b: list[int], max_length: int) -> tuple[list[int], list[int]]:
    """The input_ids and token_type_ids of a pair in one row."""
    # BEGIN SOLUTION
    a, b = list(a), list(b)
    while len(a) + len(b) > max_length - 3:
        (a if len(a) > len(b) else b).pop()
    ids = [CLS, *a, SEP, *b, SEP]
    return ids, [0] * (len(a) + 2) + [1] * (len(b) + 1)
    # END SOLUTION

# %% check
def cases(rng):
    def draw(count):
        return rng.integers(1000, 30000, size=count).tolist()

    short = int(rng.integers(3, 6))
    yield {"a": draw(int(rng.integers(2, 5))), "b": draw(int(rng.integers(5, 8))), "max_length": 20}
    yield {"a": draw(short), "b": draw(25), "max_length": int(rng.integers(20, 25))}
    # An odd number of places beside the special tokens, and both texts give some up.
    odd = 2 * int(rng.integers(5, 9)) + 1
    yield {"a": draw(odd - 2), "b": draw(odd + 2), "max_length": odd + 3}
    yield {"a": draw(20), "b": draw(short + 2), "max_length": 24}
    yield {"a": draw(odd - 1), "b": draw(odd - 3), "max_length": odd + 3}

def kept(ids):
    """How many tokens of A and of B stand in a row."""
    first = ids.index(SEP)
    return first - 1, sum(token != SEP for token in ids[first + 1 :])

def numbers(case, got, expected):
    ids, segments = got
    row = {
        "length": len(ids), "max_length": case["max_length"], "room": case["max_length"] - 3,
        "has_a": len(case["a"]), "has_b": len(case["b"]), "right_length": len(expected[0]),
        "last": ids[-1], "segments": " ".join(map(str, segments)),
        "right": " ".join(map(str, expected[1])),
    }
    row["right_a"], row["right_b"] = kept(expected[0])
    row["empty"] = case["max_length"] - len(ids)
    if SEP in ids:
        row["a"], row["b"] = kept(ids)
    return row

# %% another right solution
def encode_pair(a, b, max_length):
    room = max_length - 3
    of_b = min(len(b), max(room // 2, room - len(a)))
    of_a = min(len(a), room - of_b)
    ids, segments = [CLS], [0]
    for segment, text in enumerate((a[:of_a], b[:of_b])):
        for token in [*text, SEP]:
            ids.append(token)
            segments.append(segment)
    return ids, segments

# %% misconception: the special tokens are not counted
# says: Your row has {length} tokens, and `max_length` is {max_length}. The three special tokens
# take places, too: for `a` and `b` together there is room for {room}. (A model that was built for
# `max_length` positions stops with an error on such a row.)
# edit: max_length - 3 => max_length
# %% misconception: the finished row is cut
# says: The last token of your row is {last} and not `[SEP]`: the row was put together first and cut
# afterwards, so the end of it is lost, the separator too. In training every row was closed by one.
# Cut the texts first, and then put the row together.
# - while len(a) + len(b) > max_length - 3:
# -     (a if len(a) > len(b) else b).pop()
#
# - return ids, [0] * (len(a) + 2) + [1] * (len(b) + 1)
# + segments = [0] * (len(a) + 2) + [1] * (len(b) + 1)
# + return ids[:max_length], segments[:max_length]
# %% misconception: the second text pays for everything
# says: You keep {a} tokens of `a` and {b} of `b`, where {right_a} and {right_b} are expected: only
# `b` gives something up. For a question and its passage that is what one wants (`only_second`).
# Here the text that is longer at the moment has to give, and that may be `a`.
# - while len(a) + len(b) > max_length - 3:
# -     (a if len(a) > len(b) else b).pop()
# + b = b[: max_length - 3 - len(a)]
# %% misconception: nothing is cut
# says: Your row has {length} tokens, and `max_length` is {max_length}. Nothing has been taken away:
# while the two texts do not fit beside three special tokens, the longer one has to give up its last
# token.
# - while len(a) + len(b) > max_length - 3:
# -     (a if len(a) > len(b) else b).pop()
# %% misconception: one place stays empty
# says: Your row has {length} tokens, one fewer than it could have: `max_length` is {max_length},
# and a row of exactly that length still fits. Is there a `>=` where `>` is meant?
# edit: > max_length - 3 => >= max_length - 3
# %% misconception: padded to the full length
# says: Your row has {length} tokens, {right_length} are expected. You fill it up to `max_length`
# with padding. “At most” means that a short pair makes a short row; padding comes later, when rows
# of different lengths are put into one batch.
# - return ids, [0] * (len(a) + 2) + [1] * (len(b) + 1)
# + left = max_length - len(ids)
# + return ids + [PAD] * left, [0] * (len(a) + 2) + [1] * (len(b) + 1) + [0] * left
# %% misconception: half of the room for each
# says: Of texts with {has_a} and {has_b} tokens you keep {a} and {b}, where {right_a} and {right_b}
# are expected. You give each text half of the room and no more. But a short text does not need its
# half, and what it leaves may go to the other: of your row's {max_length} places {empty} stay
# empty.
# - while len(a) + len(b) > max_length - 3:
# -     (a if len(a) > len(b) else b).pop()
# + half = (max_length - 3) // 2
# + if len(a) + len(b) > max_length - 3:
# +     a, b = a[: max_length - 3 - half], b[:half]
# %% misconception: of two equally long texts the first is cut
# says: You keep {a} tokens of `a` and {b} of `b`, where {right_a} and {right_b} are expected. You
# are off by one, and only where the number of places is odd: when both texts are equally long, it
# is `b` that gives up a token.
# edit: len(a) > len(b) => len(a) >= len(b)
# %% misconception: cut at the beginning
# says: The lengths are right, but a text that is cut has lost its beginning with you. Tokens are
# taken away at the end: `pop()` takes the last one, `pop(0)` the first.
# edit: .pop() => .pop(0)
# %% misconception: the separator between counts as the second text
# says: Your segments are {segments}; expected are {right}. With you the first `[SEP]` already
# belongs to the second text. It closes the first one, and has its segment: this is how the model
# was trained.
# edit: [0] * (len(a) + 2) + [1] * (len(b) + 1) => [0] * (len(a) + 1) + [1] * (len(b) + 2)
# %% misconception: the last separator counts as the first text
# says: Your segments are {segments}; expected are {right}. The `[SEP]` at the end closes the second
# text and belongs to it, as the first `[SEP]` belongs to the first.
# edit: [1] * (len(b) + 1) => [1] * len(b) + [0]
# %% misconception: segments counted from one
# says: Your segments are {segments}; expected are {right}. They are the rows of a table that has
# just two, number 0 and number 1.
# edit: [0] * (len(a) + 2) + [1] * (len(b) + 1) => [1] * (len(a) + 2) + [2] * (len(b) + 1)
# %% misconception: nothing at the end
# says: Your row ends with {last}, a token of `b`: nothing closes the second text. A pair has two
# separators, one behind each text.
# edit: *b, SEP] => *b]
# edit: [1] * (len(b) + 1) => [1] * len(b)
# %% misconception: each text with its own [CLS]
# says: Your row has {length} tokens. You open the second text with a `[CLS]` of its own. There is
# one `[CLS]` in a row, and it speaks for both texts.
# edit: max_length - 3 => max_length - 4
# edit: SEP, *b => SEP, CLS, *b
# edit: len(b) + 1 => len(b) + 2
# %% hints
# 1. Two steps, in this order: shorten `a` and `b` until they fit beside three special tokens; then put
# the row together. Doing the second first is what loses the last `[SEP]`.
# 2. A `while` loop with one `pop()` in it follows the rule word for word. What is its condition? And
# from which list does it pop when both are equally long?
# 3. Segment 0 stands at `len(a) + 2` places, those of `[CLS]`, `a` and `[SEP]`; segment 1 at
# `len(b) + 1`.
# %% explanation
# Taking from the longer text keeps as much of both as one can: a short question stays whole, and
# two long texts end up equally long. The tokenizer's library computes the two lengths in one step,
# and differs from this rule in one thing only: an odd last place goes to the text that was longer
# before, and to `b` if both were equally long. A separator belongs to the text that it closes, and
# `[CLS]` to the first.
# %% free choices
# - `a, b = list(a), list(b)`: what becomes of the lists of the caller is not asked

# %% task 14.2: Segments that are wrong by one
# kind: repair; points: 15; minutes: 8; function: segment_ids
#
# Somebody has a batch of finished rows and wants their segments back. `segment_ids(input_ids,
# attention_mask)` takes two tensors `(B, T)` and is to return the `token_type_ids` `(B, T)`: 0 for
# the first text and the `[SEP]` that closes it, 1 for the second text and its `[SEP]`, and 0 at
# padding, as everywhere in this course. Some rows hold **one** text only, and these are 0
# throughout. The `attention_mask` is 1 at tokens and 0 at padding.
#
# The idea below is good: a token belongs to the second text if a separator stands before it. But
# the function gets two kinds of places wrong. Mend it.
#
# *Example.* For the rows `[101, 7, 102, 8, 102, 0]` and `[101, 7, 102, 0, 0, 0]`, where 0 is
# padding, the result is `[[0, 0, 0, 1, 1, 0], [0, 0, 0, 0, 0, 0]]`.

# %% stub
def segment_ids(input_ids: Tensor, attention_mask: Tensor) -> Tensor:
    """(B, T) and (B, T) to token_type_ids (B, T)."""
    is_sep = (input_ids == SEP).long()
    # BEGIN STUB
    seen = is_sep.cumsum(dim=1)
    return seen.clamp(max=1)
    # END STUB
    # BEGIN SOLUTION
    before = is_sep.cumsum(1) - is_sep
    return before * attention_mask
    # END SOLUTION

# %% check
def cases(rng):
    yield {
        "input_ids": torch.tensor([[CLS, 7, SEP, 8, SEP, PAD], [CLS, 7, SEP, PAD, PAD, PAD]]),
        "attention_mask": torch.tensor([[1, 1, 1, 1, 1, 0], [1, 1, 1, 0, 0, 0]]),
    }
    for padding in (0, 1, 1):
        rows = []
        for is_pair in (True, False, True) if padding else (True, True):
            row = [CLS, *rng.integers(1000, 30000, size=int(rng.integers(2, 6))).tolist(), SEP]
            if is_pair:
                row += [*rng.integers(1000, 30000, size=int(rng.integers(2, 6))).tolist(), SEP]
            rows.append(row)
        width = max(map(len, rows)) + padding
        yield {
            "input_ids": torch.tensor([row + [PAD] * (width - len(row)) for row in rows]),
            "attention_mask": torch.tensor([[1] * len(r) + [0] * (width - len(r)) for r in rows]),
        }

def numbers(case, got, expected):
    padding = case["attention_mask"] == 0
    wrong = (got != expected).sum(1) if got.max() < 2 else got.amax(1)
    worst = int(wrong.argmax())
    names = {CLS: "[CLS]", SEP: "[SEP]", PAD: "[PAD]"}
    row = [names.get(token, "word") for token in case["input_ids"][worst].tolist()]
    return {
        "row": " ".join(row), "yours": got[worst].tolist(), "right": expected[worst].tolist(),
        "padding": int((got[padding] != 0).sum()), "largest": int(got.max()),
    }

# %% another right solution
def segment_ids(input_ids, attention_mask):
    result = torch.zeros_like(input_ids)
    for row, ids in enumerate(input_ids.tolist()):
        length = int(attention_mask[row].sum())
        if ids.count(SEP) == 2:
            result[row, ids.index(SEP) + 1 : length] = 1
    return result

# %% misconception: both mistakes are still there
# says: For the row {row} you give {yours}; expected is {right}. Go through it place by place: one place is wrong because it counts itself, others are no text at
# all.
# edit: is_sep.cumsum(1) - is_sep => is_sep.cumsum(1).clamp(max=1)
# edit: before * attention_mask => before
# %% misconception: a separator still counts itself
# says: Padding is right now. But for the row {row} you give {yours}; expected is {right}. `cumsum`
# includes the place itself, so the `[SEP]` of the first text already counts as one that has been
# seen. What is wanted are the separators **before** a place.
# edit: is_sep.cumsum(1) - is_sep => is_sep.cumsum(1).clamp(max=1)
# %% misconception: padding still counts as the second text
# says: The separators are right now, but {padding} places of padding have the segment 1: for the
# row {row} you give {yours}. Separators stand before padding as well. Which of your two inputs
# tells padding from text?
# edit: before * attention_mask => before.clamp(max=1)
# %% misconception: padding has the segment two
# says: The largest segment of your result is {largest}: for the row {row} you give {yours}. The
# table of segment vectors has two rows, 0 and 1, so this would be an error in the model, or on a
# graphics card a puzzling crash. Two separators stand before the padding of a pair, but padding is
# no text.
# edit: before * attention_mask => before
# %% misconception: padding behind a single text still counts
# says: Pairs are right now, the separators too. But {padding} places of padding have the segment 1:
# for the row {row} you give {yours}. Behind a pair two separators have been seen, which you tell
# from one; behind a single text it is just one, as in a second text. Which of your two inputs tells
# padding from text?
# edit: before * attention_mask => before % 2
# %% misconception: the end of the row comes back at its beginning
# says: For the row {row} you give {yours}; expected is {right}. You shift by one place with `roll`,
# and what leaves the row on the right comes in again on the left: `[CLS]` gets the count of the
# last place. Before `[CLS]` no separator has been seen.
# edit: is_sep.cumsum(1) - is_sep => is_sep.cumsum(1).roll(1, dims=1)
# %% misconception: a separator comes back at the beginning
# says: With padding you are right. For the row {row}, which is full, you give {yours}; expected is
# {right}. Do you shift by one place with `roll`? What leaves the row on the right comes in again on
# the left, and here that is a `[SEP]`.
# edit: is_sep.cumsum(1) - is_sep => is_sep.roll(1, dims=1).cumsum(1)
# %% misconception: a separator goes over into the next text
# says: With padding you are right. For the row {row} you give {yours}; expected is {right}. Do you
# shift with `roll` and name no axis? Then all rows are one, and the last place of a full row becomes
# the first of the next one.
# edit: is_sep.cumsum(1) - is_sep => is_sep.roll(1).cumsum(1)
# %% misconception: every separator counts as the first text
# says: For the row {row} you give {yours}; expected is {right}. The `[SEP]` in the middle is right
# now, and with it you have moved the one at the end, which closes the second text and belongs to
# it.
# edit: is_sep.cumsum(1) - is_sep => is_sep.cumsum(1).clamp(max=1) * (1 - is_sep)
# %% misconception: one separator too many taken away
# says: For the row {row} you give {yours}; expected is {right}. You take one away everywhere, and
# so the second text only begins at the last `[SEP]`. What a separator should not count is
# **itself**; a word behind it must still count it.
# edit: is_sep.cumsum(1) - is_sep => (is_sep.cumsum(1) - 1).clamp(min=0)
# %% hints
# 1. Print `is_sep` and its `cumsum` for the two rows of the example, and put the wanted result below.
# 2. The separators **up to** a place, minus the place's own `is_sep`, are those before it. That mends
# the first mistake. What does it say at the padding of a pair, and at that of a single text?
# 3. `is_sep.cumsum(dim=1) - is_sep`, and then a product with `attention_mask`.
# %% explanation
# A running sum includes the place where it stands; subtracting the place's own number leaves what
# came before. The first mistake gives the separator the vector of the wrong text in every pair, and
# in a single text it even makes a second one of one token. The second is harmless as long as
# padding is masked, but it is not what the model saw in training, and without `clamp` it asks for a
# third row of a table of two.

# %% task 14.3: Pairs that do not match
# kind: write; points: 20; minutes: 15; function: mismatch
#
# There are `n` questions, and `passage_of[i]` is the id of the passage that answers question `i`.
# **Several questions may share one passage.** Write `mismatch(passage_of, seed)`, which builds
# pairs as chapter 14 does: half of the questions keep their passage, the others get a wrong one.
# Return two arrays `(n,)`:
#
# - `source`: the **row** (0 to `n - 1`) whose passage question `i` is given;
# - `label`: 1 where it is the question's own (`source[i] == i`), 0 where it is a wrong one.
#
# The rules:
#
# - Exactly `n / 2` labels are 1, and which ones they are is drawn from the seed (`n` is even).
# - A pair with the label 0 really does not match: its passage is another one, not the same passage
#   from another row.
# - The wrong passages are those of the questions that lost theirs, **handed on among them**: among
#   the pairs with the label 0 every passage occurs exactly as often as it does among those
#   questions' own. So the passage alone never gives the label away.
# - The same seed gives the same pairs, another seed other ones.
#
# *Example.* For `passage_of = [50, 50, 51, 52]` one right result is `source = [0, 2, 1, 3]` with
# `label = [1, 0, 0, 1]`: questions 1 and 2 have exchanged their passages. `source = [1, 0, 2, 3]`
# would be wrong, since rows 0 and 1 hold the same passage.

# %% stub
def mismatch(passage_of: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """The row (n,) whose passage each question gets, and the label (n,)."""
    # BEGIN SOLUTION
    rng = np.random.default_rng(seed)
    n = len(passage_of)
    losers = rng.permutation(n)[: n // 2]
    source, label = np.arange(n), np.ones(n, dtype=int)
    label[losers] = 0
    while (passage_of[source[losers]] == passage_of[losers]).any():
        source[losers] = rng.permutation(losers)
    return source, label
    # END SOLUTION

# %% run
def run(function, case):
    seeds = [case["seed"], *range(case["seed"], case["seed"] + 20)]
    return [function(case["passage_of"].copy(), seed) for seed in seeds]

# %% check
def cases(rng):
    for _ in range(2):
        sizes = rng.integers(1, 7, size=50)
        if sizes.sum() % 2:
            sizes[0] += 1
        ids = 1000 + rng.permutation(len(sizes))
        yield {"passage_of": np.repeat(ids, sizes), "seed": int(rng.integers(1000))}

def judge(case, got, expected):
    passage = np.asarray(case["passage_of"])
    n = len(passage)
    draws = [(np.asarray(source), np.asarray(label)) for source, label in got]
    for source, label in draws:
        if source.shape != (n,) or label.shape != (n,):
            return (
                f"Two arrays of shape ({n},) are expected for {n} questions; yours are "
                f"{source.shape} and {label.shape}."
            )
        if source.dtype.kind not in "iu":
            return (
                f"`source` has to hold whole numbers, the numbers of rows; yours is {source.dtype}."
            )
        if source.min() >= 1000:
            return "ids of passages instead of rows"
        if source.min() < 0 or source.max() >= n:
            return f"`source` goes from {source.min()} to {source.max()}; rows are 0 to {n - 1}."
        if not np.isin(label, (0, 1)).all():
            return "`label` has to be 0 or 1 in every place."
    if (draws[0][0] != draws[1][0]).any():
        return "the seed is not used"
    if all((source == draws[0][0]).all() for source, _ in draws):
        return "The seed changes nothing: twenty seeds give the very same pairs."
    own = [source == np.arange(n) for source, _ in draws]
    if all(((label == 0) == mine).all() for mine, (_, label) in zip(own, draws, strict=True)):
        return "labels the wrong way round"
    for mine, (_, label) in zip(own, draws, strict=True):
        if (mine & (label == 0)).any():
            return "a question keeps its own passage by chance"
    for source, label in draws:
        if ((passage[source] == passage) & (label == 0)).any():
            return "another row, and the same passage"
        if ((passage[source] != passage) & (label == 1)).any():
            row = int(np.flatnonzero((passage[source] != passage) & (label == 1))[0])
            return f"Question {row} has the label 1 with you, but the passage of row {source[row]}."
    if all(label.sum() * 4 < n for _, label in draws):
        return "the passages of all questions are shuffled"
    if any(label.sum() * 2 != n for _, label in draws):
        return "about half instead of exactly half"
    for source, label in draws:
        lost = label == 0
        if (np.sort(passage[source[lost]]) != np.sort(passage[lost])).any():
            return "wrong passages drawn from everywhere"
    if all((label == draws[0][1]).all() for _, label in draws):
        return "always the same questions"
    return None

def numbers(case, got, expected):
    passage = np.asarray(case["passage_of"])
    n = len(passage)
    draws = [(np.asarray(source), np.asarray(label)) for source, label in got]
    wrong = [(passage[source % n] == passage) & (label == 0) for source, label in draws]
    draw = int(np.argmax([rows.sum() for rows in wrong]))
    source, label = draws[draw]
    own = [int(((s == np.arange(n)) & (y == 0)).sum()) for s, y in draws]
    fields = {
        "n": n, "half": n // 2, "seed": case["seed"],
        "ones": next((int(y.sum()) for _, y in draws if y.sum() * 2 != n), n // 2), "own": max(own),
        "shared": int(wrong[draw].sum()), "least": int(source.min()),
    }
    if wrong[draw].any():
        row = int(np.flatnonzero(wrong[draw])[0])
        fields |= {"row": row, "from": int(source[row]), "passage": int(passage[row])}
    if max(source.max() for source, _ in draws) < n:
        lost = label == 0
        given = {p: int((passage[source[lost]] == p).sum()) for p in set(passage.tolist())}
        had = {p: int((passage[lost] == p).sum()) for p in given}
        most = max(given, key=lambda p: given[p] - had[p])
        fields |= {"popular": most, "given": given[most], "had": had[most]}
    return fields

# %% another right solution
def mismatch(passage_of, seed):
    draw = torch.Generator().manual_seed(seed)
    n = len(passage_of)
    losers = torch.randperm(n, generator=draw)[n // 2 :].tolist()
    losers.sort(key=lambda row: passage_of[row])  # equal passages stand together ...
    largest = max(np.unique(passage_of[losers], return_counts=True)[1])
    source, label = list(range(n)), [1] * n
    for place, row in enumerate(losers):  # ... and a step as wide as the widest group leaves it
        source[row] = losers[(place + int(largest)) % len(losers)]
        label[row] = 0
    return np.array(source), np.array(label)

# %% misconception: a question keeps its own passage by chance
# says: In one of twenty draws {own} of the questions labelled 0 have got **their own** passage: a
# shuffled list leaves one place unchanged on average. The model would be told that a matching pair
# does not match. Test what you have drawn, and draw again.
# - while (passage_of[source[losers]] == passage_of[losers]).any():
# -     source[losers] = rng.permutation(losers)
# + source[losers] = rng.permutation(losers)
# %% misconception: another row, and the same passage
# says: Question {row} has the label 0 and the passage of row {from}. That is another row, but both
# hold the passage {passage}: the pair matches. There are {shared} such pairs in this draw. It is
# not the rows that have to differ, it is what stands in `passage_of`.
# edit: rng.permutation(n)[: n // 2] => np.sort(rng.permutation(n)[: n // 2])
# - while (passage_of[source[losers]] == passage_of[losers]).any():
# -     source[losers] = rng.permutation(losers)
# + source[losers] = np.roll(losers, 1)
# %% misconception: wrong passages drawn from everywhere
# says: No wrong pair matches, and yet the passage tells something: in one of your draws passage
# {popular} stands {given} times under the label 0, and {had} of the questions with that label had
# it before. Where every question draws for itself, some passages become frequent as wrong ones and
# others never occur. A model that reads **only the passage** will learn which. Hand the passages on
# among those who lost theirs, each of them once.
# - while (passage_of[source[losers]] == passage_of[losers]).any():
# -     source[losers] = rng.permutation(losers)
# + for row in losers:
# +     source[row] = rng.choice(np.flatnonzero(passage_of != passage_of[row]))
# %% misconception: the passages of all questions are shuffled
# says: In one of your draws only {ones} of {n} labels are 1. Are all passages shuffled, so that
# next to nobody keeps the right one? Exactly {half} questions keep their passage; draw these first,
# and shuffle the passages of the others alone.
# - losers = rng.permutation(n)[: n // 2]
# + source = rng.permutation(n)
# + return source, (passage_of[source] == passage_of).astype(int)
# %% misconception: about half instead of exactly half
# says: In one of your draws {ones} of {n} labels are 1; {half} are asked for. A coin for each
# question gives about half. Then “always 1” or “always 0” scores a little more than one half, and
# every comparison with chance is blurred. Shuffle the rows and take half of them.
# edit: rng.permutation(n)[: n // 2] => np.flatnonzero(rng.integers(0, 2, size=n))
# %% misconception: always the same questions
# says: The wrong passages depend on the seed, but the labels do not: twenty seeds spoil the very
# same questions. The rows stand in an order (here by passage, elsewhere by date or by author), and
# a half that is chosen by its place in it may differ from the other in more than the label. Draw
# it.
# edit: rng.permutation(n)[: n // 2] => np.arange(n // 2, n)
# %% misconception: the seed is not used
# says: Called twice with the seed {seed} your function gives two different sets of pairs. Nobody
# could repeat your experiment. Make a generator from the seed, `np.random.default_rng(seed)`, and
# draw everything from it.
# edit: default_rng(seed) => default_rng()
# %% misconception: labels the wrong way round
# says: The pairs are there, but your label is 0 where a question has its own passage and 1 where it
# has a wrong one. Here 1 means that they match. (In BERT's next sentence prediction it is the other
# way round, so the mistake is easily made; the accuracy then comes out as one minus the right one.)
# edit: np.ones => np.zeros
# edit: label[losers] = 0 => label[losers] = 1
# %% misconception: ids of passages instead of rows
# says: Your `source` holds ids of passages, the smallest is {least}. What is asked for is the row,
# 0 to `n - 1`, from which the passage is taken: `passage_of[source[i]]` then is its id.
# edit: arange(n) => array(passage_of)
# edit: passage_of[source[losers]] => source[losers]
# edit: rng.permutation(losers) => passage_of[rng.permutation(losers)]
# %% hints
# 1. First draw which half loses its passage: `rng.permutation(n)[: n // 2]` are as many different
# rows. Then hand the passages on among just these rows.
# 2. Shuffle the chosen rows and look whether any question has got its own passage back, by comparing
# `passage_of`, not the rows. If so, shuffle again: with a few shared passages this takes some ten
# or twenty attempts.
# 3. `source[losers] = rng.permutation(losers)`, in a `while` loop whose condition is
# `(passage_of[source[losers]] == passage_of[losers]).any()`; with `source = np.arange(n)` before
# it, the condition is true at the first visit.
# %% explanation
# Half of the questions exchange their passages among themselves, so both labels are equally
# frequent, and a passage is as frequent under the label 0 as its questions are: neither text alone
# tells anything. Drawing again until no pair matches is short and right. So is sorting the chosen
# rows by passage and handing on by as many places as the largest group has rows. A wrong pair that
# matches after all is the mistake that is met most often in such data, and no training can correct
# it.

# %% task 14.4: Room for two texts, and the price of reading them together
# kind: predict; points: 15; minutes: 8; function: predict
#
# A question of `question` tokens and a passage of `passage` tokens (special tokens not counted) go
# into one row of at most `max_length` tokens, as a pair. Without encoding anything, return a
# dictionary:
#
# - `"only_second"`: how many tokens of question and passage are kept if only the passage may be
#   cut, a tuple of two numbers (the question fits);
# - `"longest_first"`: the same if tokens are taken one at a time from the end of the longer text,
#   of two equally long ones from the passage;
# - `"ones"`: how many 1s stand in the `token_type_ids` of the row that `only_second` gives;
# - `"cross_encoder"`: there are `questions` questions and `passages` passages, and each question is
#   compared with each passage. How many rows go through the model if question and passage stand in
#   one row?
# - `"bi_encoder"`: and how many if each text goes through by itself, once, and vectors are
#   compared?
#
# *Example.* With `question=4, passage=9, max_length=12, questions=2, passages=5`: 9 places beside
# the special tokens, so `only_second` keeps `(4, 5)` and `longest_first` `(4, 5)` as well; `ones`
# is 6, `cross_encoder` 10, `bi_encoder` 7.

# %% stub
def predict(question: int, passage: int, max_length: int, questions: int, passages: int) -> dict:
    """Tokens kept, ones in token_type_ids, rows through the model."""
    # BEGIN SOLUTION
    room = max_length - 3
    behind = min(passage, room - question)
    fair = max(room // 2, room - question)
    second = min(passage, fair)
    return {
        "only_second": (question, behind),
        "longest_first": (min(question, room - second), second),
        "ones": behind + 1,
        "cross_encoder": questions * passages,
        "bi_encoder": questions + passages,
    }
    # END SOLUTION

# %% check
def cases(rng):
    yield {"question": 4, "passage": 9, "max_length": 12, "questions": 2, "passages": 5}
    for _ in range(2):  # the question takes more than half, and both give up tokens
        half = int(rng.integers(20, 60))
        yield {
            "question": half + int(rng.integers(3, 9)), "passage": half + int(rng.integers(40, 90)),
            "max_length": 2 * half + 4, "questions": int(rng.integers(20, 90)),
            "passages": int(rng.integers(100, 900)),
        }
    yield {  # nothing has to be cut
        "question": int(rng.integers(5, 12)),
        "passage": int(rng.integers(20, 50)),
        "max_length": 128,
        "questions": int(rng.integers(3, 9)),
        "passages": int(rng.integers(100, 900)),
    }

def numbers(case, got, expected):
    return {
        **case, "room": case["max_length"] - 3, "kept": got["only_second"][1],
        "all": sum(got["only_second"]), "row": sum(got["only_second"]) + 3, "ones": got["ones"],
        "first": got["longest_first"], "right": expected["longest_first"],
        "right_ones": expected["ones"], "cross_encoder": got["cross_encoder"],
        "bi_encoder": got["bi_encoder"],
        "sum": case["questions"] + case["passages"],
        "product": case["questions"] * case["passages"],
    }

# %% another right solution
def predict(question, passage, max_length, questions, passages):
    a, b = question, passage
    while a + b + 3 > max_length:
        if a > b:
            a -= 1
        else:
            b -= 1
    second = 0
    while second < passage and 1 + question + 1 + second + 1 < max_length:
        second += 1
    return {
        "only_second": [question, second],
        "longest_first": [a, b],
        "ones": len([*range(second), "[SEP]"]),
        "cross_encoder": len([(i, j) for i in range(questions) for j in range(passages)]),
        "bi_encoder": len([*range(questions), *range(passages)]),
    }

# %% misconception: no room for the special tokens
# says: You keep {all} tokens of the two texts; with three special tokens the row would have {row},
# and `max_length` is {max_length}. A pair leaves {room} places for the texts.
# edit: max_length - 3 => max_length
# %% misconception: two special tokens, as for a single text
# says: You keep {all} tokens of the two texts; with `[CLS]` and two `[SEP]` the row would have
# {row}, and `max_length` is {max_length}. A single text has two special tokens, a pair has three.
# edit: max_length - 3 => max_length - 2
# %% misconception: the last separator is not counted
# says: You count {ones} ones in the `token_type_ids`; there are {right_ones}. The `[SEP]` at the
# end closes the passage, so it has the passage's segment.
# edit: behind + 1 => behind
# %% misconception: both separators counted to the passage
# says: You count {ones} ones in the `token_type_ids`; there are {right_ones}. Of the two `[SEP]`
# only the last belongs to the passage. The first closes the question, and has its segment.
# edit: behind + 1 => behind + 2
# %% misconception: longest first never cuts the question
# says: For `longest_first` you say {first}; it is {right}. Both rules give the same with you. That
# is so as long as the question is the shorter text to the end. Here the passage shrinks until it is
# as long as the question, and from then on the two give up tokens in turn.
# edit: min(question, room - second), second => question, behind
# %% misconception: longest first as half for each
# says: For `longest_first` you say {first}; it is {right}. You give each text half of the {room}
# places. But a text is only cut while it is the longer one: a short question stays whole, and the
# passage may have what the question leaves.
# edit: max(room // 2, room - question) => room // 2
# edit: room - second => room - room // 2
# %% misconception: the odd place to the passage
# says: For `longest_first` you say {first}; it is {right}. The two are equally long at the end, but
# for one token: {room} places are an odd number. The last cut is made when both are equally long,
# and then it is the passage that gives.
# edit: max(room // 2, => max((room + 1) // 2,
# %% misconception: more of the passage than there is
# says: You keep {kept} tokens of a passage that has {passage}. Where everything fits nothing is
# cut, and the row is shorter than `max_length`: padding comes later, and only up to the longest row
# of the batch.
# edit: min(passage, room - question) => room - question
# edit: min(passage, fair) => fair
# %% misconception: rows of a cross-encoder added up
# says: For the cross-encoder you count {cross_encoder} rows. That would do if the vectors of a
# passage could be stored and used again. There they depend on the question beside it, so every
# **combination** goes through the model: {questions} times {passages}.
# edit: questions * passages => questions + passages
# %% misconception: a bi-encoder run for every combination
# says: For the bi-encoder you count {bi_encoder} rows. Each text goes through by itself, so its
# vector does not depend on what it is compared with: once is enough, and that makes {sum} rows. The
# {product} comparisons that are left are cosines, which cost next to nothing.
# edit: questions + passages => 2 * questions * passages
# %% misconception: one passage vector for each question anew
# says: For the bi-encoder you count {bi_encoder} rows, as many as for the cross-encoder. Then
# nothing would be gained. A text that goes through by itself has the same vector whatever it is
# compared with, so each text goes through once: {questions} and {passages}.
# edit: questions + passages => questions * passages
# %% hints
# 1. A pair has three special tokens. What is left of `max_length` is shared by the two texts.
# 2. For `longest_first` imagine the loop: the longer text shrinks until both are equally long, and
# from there on they take turns, the passage first. With an odd number of places, who has one more
# at the end?
# 3. The passage keeps `min(passage, max(room // 2, room - question))`, the question what is left of
# the room, and never more than it has. In the cross-encoder every combination is a row of its own;
# in the bi-encoder each text is one.
# %% explanation
# Three places go to the special tokens. `only_second` protects the question, `longest_first`
# protects whichever text is shorter. And reading together has its price: as many rows as there are
# combinations, while vectors of single texts are made once and compared as often as one likes. That
# is why search engines take a bi-encoder to find candidates and a cross-encoder to put these in
# order.

# %% task 14.5: Which of these passages?
# kind: measure; points: 15; minutes: 10; function: in_batch
#
# A batch holds the vectors of `B` questions `(B, d)` and of their passages `(B, d)`: row `i` of the
# one belongs to row `i` of the other. Let every question choose among **all** passages of the batch
# the one with the largest **cosine**. `passage_of` `(B,)` holds the id of each row's passage: some
# rows hold the same passage, and a question that picks its own passage from another row is right.
#
# Write `in_batch(questions, passages, passage_of)`, which measures and returns two floats:
#
# - the share of questions that choose right;
# - what choosing blindly would get: the share that is right **on average** if each question picks
#   one of the `B` rows at random.
#
# *Example.* With the same vectors for questions and passages, all different, and `passage_of = [5,
# 6, 7, 7]`: every question finds itself, so the first is `1.0`. Blindly, the first two are right
# once in four times and the last two twice in four times: `(1 + 1 + 2 + 2) / 16 = 0.375`.

# %% stub
def in_batch(questions: Tensor, passages: Tensor, passage_of: Tensor) -> tuple[float, float]:
    """Fraction of right choices by cosine, and the fraction by blind choice."""
    # BEGIN SOLUTION
    unit = torch.nn.functional.normalize
    cosines = unit(questions, dim=-1) @ unit(passages, dim=-1).mT  # (B, B): row i asks
    is_right = passage_of[:, None] == passage_of[None, :]
    chosen = cosines.argmax(dim=1)
    hits = is_right[torch.arange(len(chosen)), chosen]
    return hits.float().mean().item(), is_right.float().mean().item()
    # END SOLUTION

# %% check
def cases(rng):
    for size, width in ((12, 6), (40, 8), (60, 8)):
        while True:
            passage_of = np.concatenate([np.arange(size - size // 4), np.arange(size // 4)])
            table = rng.normal(size=(size, width))
            table /= np.linalg.norm(table, axis=1, keepdims=True)
            passages = (table * rng.lognormal(0, 0.8, size=(size, 1)))[passage_of]
            questions = table[passage_of] + 0.35 * rng.normal(size=(size, width))
            # No two passages may be nearly equally good for a question, and what is wrong must show.
            cosines = questions @ table[passage_of].T
            cosines /= np.linalg.norm(questions, axis=1, keepdims=True)
            equal = passage_of[:, None] == passage_of
            places = np.arange(size)
            best = cosines.max(1, keepdims=True)
            other = np.where(passage_of == passage_of[cosines.argmax(1)][:, None], -9, cosines)
            clear = (best[:, 0] - other.max(1) > 1e-3).all()
            scores = {
                "right": equal[places, cosines.argmax(1)].mean(),
                "columns": equal[cosines.argmax(0), places].mean(),
                "dot": equal[places, (questions @ passages.T).argmax(1)].mean(),
                "far": equal[
                    places, ((questions[:, None] - passages) ** 2).sum(-1).argmin(1)
                ].mean(),
                "batch": equal[
                    places,
                    (
                        (questions / np.linalg.norm(questions, axis=0))
                        @ (passages / np.linalg.norm(passages, axis=0)).T
                    ).argmax(1),
                ].mean(),
                "least": equal[places, cosines.argmin(1)].mean(),
                "row": (cosines.argmax(1) == places).mean(),
            }
            if clear and len({round(score, 6) for score in scores.values()}) == len(scores):
                break
        order = rng.permutation(size)
        yield {
            "questions": torch.from_numpy(questions[order]).float(),
            "passages": torch.from_numpy(passages[order]).float(),
            "passage_of": torch.from_numpy(200 + passage_of[order]),
        }

def numbers(case, got, expected):
    size = len(case["passage_of"])
    return {
        "size": size, "yours": float(got[0]), "right": expected[0], "blind": float(got[1]),
        "chance": expected[1], "different": len(case["passage_of"].unique()), "plain": 1 / size,
    }

# %% another right solution
def in_batch(questions, passages, passage_of):
    right, blind = 0, 0.0
    ids = passage_of.tolist()
    for question, own in zip(questions.double(), ids):
        cosines = torch.cosine_similarity(question[None], passages.double())
        right += ids[int(cosines.argmax())] == own
        blind += ids.count(own) / len(ids)
    return right / len(ids), blind / len(ids)

# %% misconception: lengths left in
# says: You find {yours:.1%} right; by cosine it is {right:.1%}. You choose by the dot product, and
# that grows with the length of a passage's vector: a few long vectors attract all questions. A
# cosine compares directions alone; bring both to length one first.
# edit: unit(questions, dim=-1) @ unit(passages, dim=-1).mT => questions @ passages.mT
# %% misconception: columns brought to length one
# says: You find {yours:.1%} right; by cosine it is {right:.1%}. You divide each of the `d` columns
# by its length over the whole batch, so the vectors of single texts still differ in length. A
# vector is a row: take the norm over the last axis, with `keepdim=True`.
# edit: unit(questions, dim=-1) => unit(questions, dim=0)
# edit: unit(passages, dim=-1) => unit(passages, dim=0)
# %% misconception: the smallest distance instead of the largest cosine
# says: You find {yours:.1%} right; by cosine it is {right:.1%}. You choose the passage at the
# smallest distance, and a long vector is far from everything, however well its direction fits. On
# vectors of length one, distance and cosine would choose alike.
# edit: cosines.argmax => torch.cdist(questions, passages).argmin
# %% misconception: passages choose their question
# says: You find {yours:.1%} right; expected is {right:.1%}. With you every passage chooses a
# question. In the square of cosines a row belongs to one question, a column to one passage, and
# `argmax` has to run along the row.
# edit: dim=1 => dim=0
# edit: torch.arange(len(chosen)), chosen => chosen, torch.arange(len(chosen))
# %% misconception: only the own row counts
# says: You find {yours:.1%} right and {blind:.1%} by blind choice; expected are {right:.1%} and
# {chance:.1%}. In this batch {size} rows hold {different} different passages. A question that picks
# its own passage in another row is right, so compare `passage_of` and not the number of the row.
# edit: passage_of[:, None] == passage_of[None, :] => torch.eye(len(cosines), dtype=torch.bool)
# %% misconception: blind choice as if all passages were different
# says: The first number is right. For blind choice you say {blind:.1%}, one in {size}; it is
# {chance:.1%}. Some passages stand in two rows, and whoever belongs to one of these is right twice
# as often by luck.
# edit: is_right.float().mean().item() => 1 / len(hits)
# %% misconception: own row for the choice, all rows for chance
# says: For blind choice you are right, and there you count a passage in another row. In the choice
# by cosine you do not: {yours:.1%} with you, {right:.1%} expected. A question that picks its own
# passage from another row has picked its own passage.
# edit: is_right[torch.arange(len(chosen)), chosen] => chosen == torch.arange(len(chosen))
# %% misconception: one over the number of different passages
# says: The first number is right. For blind choice you say {blind:.1%}, one in the {different}
# different passages; it is {chance:.1%}. A blind choice draws one of the {size} **rows**, so a
# passage that stands in two of them is drawn twice as often.
# edit: is_right.float().mean().item() => 1 / len(passage_of.unique())
# %% misconception: the smallest cosine
# says: You find {yours:.1%} right, hardly anything. You take the smallest cosine, as if it were a
# distance. A cosine is largest where two vectors point the same way.
# edit: cosines.argmax => cosines.argmin
# %% hints
# 1. One matrix product gives all cosines at once, `(B, B)`, if the vectors have length one before:
# `torch.nn.functional.normalize(x, dim=-1)`.
# 2. Make a second square of the same size that says for every question and row whether choosing this
# row would be right. It answers both parts of the task.
# 3. `is_right = passage_of[:, None] == passage_of[None, :]`. The first number is its mean at the
# chosen places, one in each row; the second is its mean over all places.
# %% explanation
# Every other passage of the batch serves as a wrong one, at no cost, since its vector is there
# anyway. Two things go wrong easily: lengths that have no meaning are left in, and a passage that
# occurs twice is called wrong. Chance belongs beside the score, since it changes with the size of
# the batch: the same model gets a lower fraction in a larger one.
# %% free choices
# - `questions, dim=-1`, `passages, dim=-1`: the last of two axes is what `normalize` takes by itself

# %% task 14.6: What a careless split is worth
# kind: measure; points: 15; minutes: 10; function: leak
#
# Several rows of a data set speak about the same title, and tend to have the same label. Whoever
# divides it **row by row** has rows of one title in both splits, and a model that only recognises
# titles looks clever. Measure it with the plainest model there is: a row that is held back gets the
# label of the nearest row (smallest Euclidean distance) that was learned from.
#
# Write `leak(vectors, labels, titles)` for tensors `(n, d)`, `(n,)`, `(n,)`. Each row is held back
# in turn. Return two floats, the fraction of rows that get their right label
#
# - if all **other rows** were learned from;
# - if all rows of **other titles** were learned from.
#
# *Example.* For the vectors `[[0.0], [1.0], [5.0], [7.0]]`, labels `[1, 1, 0, 1]` and titles `[8,
# 8, 9, 9]`: by rows the nearest rows are 1, 0, 3, 2, and two of four labels agree, `0.5`. By titles
# they are 2, 2, 1, 1, and only the last one agrees, `0.25`.

# %% stub
def leak(vectors: Tensor, labels: Tensor, titles: Tensor) -> tuple[float, float]:
    """Share right if other rows are known, and if only other titles are."""
    # BEGIN SOLUTION
    distance = torch.cdist(vectors.double(), vectors.double())

    def share(hidden: Tensor) -> float:
        nearest = distance.masked_fill(hidden, torch.inf).argmin(dim=1)
        return (labels[nearest] == labels).double().mean().item()

    return share(torch.eye(len(labels)).bool()), share(titles[:, None] == titles)
    # END SOLUTION

# %% check
def cases(rng):
    for groups, rows in ((15, 4), (30, 5)):
        while True:
            titles = np.repeat(rng.permutation(groups), rows)
            centres = rng.normal(size=(groups, 6))
            usual = (centres[:, 0] + rng.normal(size=groups) > 0).astype(int)
            flipped = rng.random(len(titles)) < 0.06
            labels = np.where(flipped, 1 - usual[titles], usual[titles])
            vectors = (centres[titles] + 0.5 * rng.normal(size=(len(titles), 6))).round(3)
            apart = np.sqrt(((vectors[:, None] - vectors[None]) ** 2).sum(-1))
            same = titles[:, None] == titles
            itself = np.eye(len(titles), dtype=bool)
            shares, clear = {}, True
            for name, hidden in (("rows", itself), ("titles", same), ("inside", ~same | itself)):
                left = np.sort(np.where(hidden, np.inf, apart), axis=1)
                clear &= bool((left[:, 1] - left[:, 0] > 1e-4).all())
                nearest = np.where(hidden, np.inf, apart).argmin(1)
                shares[name] = (labels[nearest] == labels).mean()
            shares["self"] = 1.0
            shares["first"] = (labels[same.argmax(1)] == labels).mean()
            shares["far"] = (labels[apart.argmax(1)] == labels).mean()
            products = vectors @ vectors.T
            chosen = np.where(itself, -np.inf, products).argmax(1)
            shares["dot"] = (labels[chosen] == labels).mean()
            shares["found"] = (titles[np.where(itself, np.inf, apart).argmin(1)] == titles).mean()
            differ = len({round(share, 6) for share in shares.values()}) == len(shares)
            if clear and differ and shares["rows"] > 0.8 > shares["titles"] + 0.1:
                break
        yield {
            "vectors": torch.from_numpy(vectors).float(), "labels": torch.from_numpy(labels),
            "titles": torch.from_numpy(titles),
        }
    yield {
        "vectors": torch.tensor([[0.0], [1.0], [5.0], [7.0]]), "labels": torch.tensor([1, 1, 0, 1]),
        "titles": torch.tensor([8, 8, 9, 9]),
    }

def numbers(case, got, expected):
    return {
        "rows": float(got[0]), "titles": float(got[1]), "right_rows": expected[0],
        "right_titles": expected[1], "n": len(case["labels"]),
    }

# %% another right solution
def leak(vectors, labels, titles):
    right = [0, 0]
    for row in range(len(labels)):
        away = ((vectors - vectors[row]) ** 2).sum(dim=1)
        others = torch.arange(len(labels)) != row
        for which, known in enumerate((others, titles != titles[row])):
            places = known.nonzero()[:, 0]
            nearest = places[away[places].argmin()]
            right[which] += int(labels[nearest] == labels[row])
    return right[0] / len(labels), right[1] / len(labels)

# %% misconception: a row finds itself
# says: By rows you get {rows:.0%}. The row nearest to a row is that row, at a distance of zero, so
# each row copies its own label. The row that is held back must not be among those learned from:
# expected is {right_rows:.1%}.
# edit: torch.eye(len(labels)).bool() => torch.tensor(False)
# %% misconception: both splits by row
# says: By titles you get {titles:.1%}, as by rows; expected is {right_titles:.1%}. Other rows of
# the same title are still among those learned from. Hide **all** of them, not only the row itself.
# edit: titles[:, None] == titles => torch.eye(len(labels)).bool()
# %% misconception: only its own title is known
# says: By titles you get {titles:.1%}; expected is {right_titles:.1%}. You have turned the mask
# round: a row is compared with the rows of its own title, and these are the ones to be hidden.
# edit: titles[:, None] == titles => (titles[:, None] != titles) | torch.eye(len(labels)).bool()
# %% misconception: the title found instead of the label
# says: Your numbers are {rows:.1%} and {titles:.1%}; expected are {right_rows:.1%} and
# {right_titles:.1%}. You compare the titles of a row and its nearest one. That shows how easily
# titles are recognised; but what is predicted is the label, so compare `labels`.
# edit: labels[nearest] == labels => titles[nearest] == titles
# %% misconception: the largest dot product
# says: Your numbers are {rows:.1%} and {titles:.1%}; expected are {right_rows:.1%} and
# {right_titles:.1%}. You take the row with the largest dot product, and that favours long vectors
# wherever they stand. Here the nearest row is the one at the smallest distance.
# edit: torch.cdist(vectors.double(), vectors.double()) => -vectors @ vectors.mT
# %% misconception: the two numbers exchanged
# says: Your numbers are {rows:.1%} and {titles:.1%}; expected are {right_rows:.1%} and
# {right_titles:.1%}. They are the right ones in the wrong order: by rows first, then by titles.
# - return share(torch.eye(len(labels)).bool()), share(titles[:, None] == titles)
# + return share(titles[:, None] == titles), share(torch.eye(len(labels)).bool())
# %% misconception: hidden rows at a distance of zero
# says: Your numbers are {rows:.1%} and {titles:.1%}; expected are {right_rows:.1%} and
# {right_titles:.1%}. Hidden rows have the distance zero with you, and nothing is nearer than that:
# they are chosen every time. Put them infinitely far away.
# edit: torch.inf => 0.0
# %% misconception: the farthest row
# says: Your numbers are {rows:.1%} and {titles:.1%}; expected are {right_rows:.1%} and
# {right_titles:.1%}. You take the row that is farthest away. A distance is small where two rows are
# alike: the other way round than with a cosine.
# edit: torch.inf).argmin => -torch.inf).argmax
# %% hints
# 1. `torch.cdist(vectors, vectors)` gives all distances, `(n, n)`. Both parts differ only in what is
# hidden before `argmin(dim=1)`.
# 2. By rows, hide the diagonal. By titles, hide every place where the titles of row and column are
# equal. What is the distance of something that must never be chosen?
# 3. `distance.masked_fill(titles[:, None] == titles, torch.inf).argmin(dim=1)`, and for the rows the
# same with `torch.eye(n).bool()` as the mask. Then compare `labels[nearest]` with `labels`.
# %% explanation
# Nothing was learned here but which rows stand together, and by rows that looks like a good model.
# The second number is what is left when the title is new, and it is the one that will be met in
# practice. The course divides by a hash of the title, and of the questions about one passage none
# is learned from while another is tested; in medicine one divides by patient, with speech by
# speaker.
# %% free choices
# - `argmin(dim=1)` => `argmin(dim=0)`: distances and what is hidden are symmetric
