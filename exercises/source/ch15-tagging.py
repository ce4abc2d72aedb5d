# %% [markdown]
# # Exercises 15 · Labelling tokens
#
# People label words, the model reads subword tokens, and what counts in the end are names. Here you
# write the two steps between them, from words to subword tokens and from tags to names, and mend
# two programs that did not take them: one that praises itself too much, and one whose answers stand
# beside the wrong words.

# %% setup
import math

import numpy as np
import torch
from torch import Tensor

IGNORE_INDEX = -100  # the label of a position that the loss passes over

# %% task 15.1: From words to subword tokens
# kind: write; points: 20; minutes: 10; function: align
#
# A tokenizer that is given words tells for every token which word it comes from: `word_ids` is a
# list of `T` entries, the number of the word, or `None` at `[CLS]`, `[SEP]` and padding. Write
# `align(word_ids, tags, label2id)`, which returns the `labels`, a list of `T` whole numbers:
#
# - The **first** subword token of word `w` gets `label2id[tags[w]]`.
# - Every other place gets `IGNORE_INDEX`: further subword tokens, special tokens, padding.
#
# The row may have been cut: then there are more `tags` than words in it, and the last ones do not
# occur.
#
# *Example.* With `word_ids = [None, 0, 1, 1, 2, None]`, `tags = ["O", "B-PER", "O"]` and
# `label2id = {"B-PER": 0, "O": 1}` the result is `[-100, 1, 0, -100, 1, -100]`.

# %% stub
def align(word_ids: list[int | None], tags: list[str], label2id: dict[str, int]) -> list[int]:
    """A label for each of the T tokens: a tag's number, or -100."""
    # BEGIN SOLUTION
    labels, previous = [], None
    for word in word_ids:
        is_first = word is not None and word != previous
        labels.append(label2id[tags[word]] if is_first else IGNORE_INDEX)
        previous = word
    return labels
    # END SOLUTION

# %% check
NAMES = ["B-LOC", "B-PER", "I-LOC", "I-PER", "O"]

def cases(rng):
    for pieces, padding, cut in (
        ([1, 3, 2, 1, 1], 0, 0), ([2, 1, 1, 3, 1, 2], 2, 0), ([1, 2, 2], 0, 2),
    ):
        pieces = pieces[:1] + list(rng.permutation(pieces[1:]))
        word_ids = [word for word, count in enumerate(pieces) for _ in range(count)]
        # A name of two words stands at the beginning: its I- tag must not look like a further piece.
        kind = str(rng.choice(["PER", "LOC"]))
        tags = [f"B-{kind}", f"I-{kind}"]
        other = {"PER": "LOC", "LOC": "PER"}[kind]
        tags += [f"B-{other}", "O", "O", "O"][: len(pieces) + cut - 2]
        yield {
            "word_ids": [None, *map(int, word_ids), None, *[None] * padding], "tags": tags,
            "label2id": {name: number for number, name in enumerate(NAMES)},
        }

def numbers(case, got, expected):
    names = {number: name for name, number in case["label2id"].items()} | {IGNORE_INDEX: "–"}
    words = case["word_ids"]
    fields = {
        "words": " ".join("–" if word is None else str(word) for word in words),
        "yours": " ".join(names.get(label, str(label)) for label in got),
        "right": " ".join(names[label] for label in expected),
        "labelled": sum(label != IGNORE_INDEX for label in got),
        "wanted": sum(label != IGNORE_INDEX for label in expected), "length": len(got),
        "tokens": len(words), "zero": names[0], "o": case["label2id"]["O"],
        "first_tag": case["tags"][0],
    }
    wrong = [i for i, (a, b) in enumerate(zip(got, expected)) if a != b]
    if wrong:
        place = wrong[0]
        fields |= {
            "place": place, "word": words[place], "label": names.get(got[place], str(got[place])),
        }
    return fields

# %% another right solution
def align(word_ids, tags, label2id):
    labels = [IGNORE_INDEX] * len(word_ids)
    for word, tag in enumerate(tags):
        if word in word_ids:
            labels[word_ids.index(word)] = label2id[tag]
    return labels

# %% misconception: every subword token carries the tag
# says: You label {labelled} places, where {wanted} are expected, one for each word. With you all
# subword tokens of a word carry its tag ({yours}). Then a long word counts more than a short one,
# and a name whose first word has three subword tokens begins three times. (If you do compare with
# the place before: is it remembered at every step?)
# edit: word is not None and word != previous => word is not None
# %% misconception: further subword tokens get an I- tag
# says: You label {labelled} places, where {wanted} are expected, one for each word. Behind a `B-`
# your further subword tokens get an `I-` ({yours}). That makes sense to a reader, and some do it
# so; but the tags belong to words, and here the further subword tokens are left out of the loss.
# - labels.append(label2id[tags[word]] if is_first else IGNORE_INDEX)
# + tag = "" if word is None else tags[word] if is_first else tags[word].replace("B-", "I-")
# + labels.append(label2id.get(tag, IGNORE_INDEX))
# %% misconception: the last subword token carries the tag
# says: As many places are labelled as there are words, but it is the last subword token of each
# that carries the tag with you ({yours}); expected is {right}. It could be done so, if training and
# reading agree. BERT's authors took the first subword token, and so does everybody who uses their
# rule.
# edit: for word in word_ids => for word in reversed(word_ids)
# edit: return labels => return labels[::-1]
# %% misconception: further subword tokens are called O
# says: You label {labelled} places, where {wanted} are expected. Further subword tokens get the tag
# `O` with you, so the model is taught that the rest of a name is no name. To leave a place out is
# something else than to call it `O`: it has the label -100.
# edit: else IGNORE_INDEX => else IGNORE_INDEX if word is None else label2id["O"]
# %% misconception: special tokens are called O
# says: You label {labelled} places, where {wanted} are expected. `[CLS]`, `[SEP]` and padding have
# the tag `O` with you, number {o}. They are no words. The more padding a batch has, the more of its
# loss would be about nothing; -100 keeps them out.
# edit: else IGNORE_INDEX => else label2id["O"] if word is None else IGNORE_INDEX
# %% misconception: zero for what is left out
# says: Where nothing is to be learned you write 0, and 0 is the number of a tag, here of {zero}:
# you have labelled {labelled} places instead of {wanted}. The value that the loss passes over is
# -100.
# edit: IGNORE_INDEX => 0
# %% misconception: the tags laid along the tokens
# says: The words of the tokens are {words}; your labels are {yours}, expected is {right}. You lay
# the tags one by one along the tokens, behind `[CLS]`. That fits until the first word that falls
# into subword tokens; from there on every tag stands too far to the left.
# - labels, previous = [], None
# + labels = [IGNORE_INDEX, *(label2id[tag] for tag in tags)][: len(word_ids) - 1]
# + return labels + [IGNORE_INDEX] * (len(word_ids) - len(labels))
# %% misconception: word number zero is taken for none
# says: The first word has no label with you: place {place} is of word 0, and its tag is
# {first_tag}. In Python 0 counts as false, so `if word` passes over it as over `None`. Ask for
# `word is not None`.
# edit: word is not None and word != previous => word and word != previous
# %% misconception: words that were cut off are looked for
# says: Where the row holds all words your labels are right. But one row was cut, and its last words
# do not occur in `word_ids`; `index` stops with an error there. Such words get no label, since
# there is no place that could carry it.
# - labels, previous = [], None
# + labels = [IGNORE_INDEX] * len(word_ids)
# + for word, tag in enumerate(tags):
# +     labels[word_ids.index(word)] = label2id[tag]
# + return labels
# %% misconception: no place for the special tokens
# says: You return {length} labels for {tokens} tokens. `[CLS]`, `[SEP]` and padding are tokens,
# too, and need an entry each: labels and logits are put side by side place by place.
# edit: in word_ids => in (w for w in word_ids if w is not None)
# %% hints
# 1. Go through `word_ids` once, and remember the entry before. Which two conditions must hold for a
# place to be the first subword token of a word?
# 2. It is a word at all (`word is not None`), and another one than at the place before. Everything
# else is -100.
# 3. `is_first = word is not None and word != previous`; append `label2id[tags[word]]` or `IGNORE_INDEX`;
# then set `previous = word`, whatever `word` is.
# %% explanation
# Words and tokens are brought together by the number of the word, never by counting along. One
# place a word carries the tag, so every word weighs the same in the loss and, later on, every word
# gets exactly one answer. What is left out has -100, the value that PyTorch's cross-entropy
# ignores: neither zero, which is a tag, nor `O`, which is one as well.

# %% task 15.2: From tags to names
# kind: write; points: 25; minutes: 15; function: entity_spans
#
# Write `entity_spans(tags)`: the names that the BIO tags of a sentence mark, as a **list** of
# tuples `(type, first, last)`, in the order in which they begin. `first` and `last` are numbers of
# words, both included.
#
# - `B-TYPE` begins a name, in any case.
# - `I-TYPE` goes on with the name that is open, if that is of the same type. If none is open, or
#   one of another type, then `I-TYPE` begins a name itself, as in the usual scoring script.
# - A name ends before the next one begins, before an `O`, or with the sentence.
#
# *Example.* `["B-PER", "I-PER", "B-PER", "O", "I-LOC"]` gives
# `[("PER", 0, 1), ("PER", 2, 2), ("LOC", 4, 4)]`.

# %% stub
def entity_spans(tags: list[str]) -> list[tuple[str, int, int]]:
    """The names of a sentence: type, first word, last word."""
    # BEGIN SOLUTION
    spans = []
    open_kind = ""
    for place, tag in enumerate(tags):
        letter, _, kind = tag.partition("-")
        if letter == "I" and kind == open_kind:
            spans[-1] = (kind, spans[-1][1], place)
        elif letter != "O":
            spans.append((kind, place, place))
        open_kind = kind
    return spans
    # END SOLUTION

# %% check
def cases(rng):
    def two():
        return (str(kind) for kind in rng.choice(["PER", "LOC", "ORG", "MISC"], 2, replace=False))

    def name(kind, words):
        return [f"B-{kind}"] + [f"I-{kind}"] * (words - 1)

    def outside():
        return ["O"] * int(rng.integers(1, 4))

    one, other = two()
    length = int(rng.integers(2, 4))
    yield {"tags": outside() + name(one, length) + outside() + name(other, 1) + outside()}
    yield {"tags": outside() + name(one, length)}  # up to the end
    yield {"tags": outside() + name(one, length) + name(one, 2) + outside()}  # side by side
    yield {"tags": outside() + [f"I-{other}"] * length + outside()}  # without a B
    yield {
        "tags": outside() + name(one, 2) + [f"I-{other}"] * length + outside()
    }  # the type changes
    yield {"tags": name(one, 2) + outside() + [f"I-{one}"] * length + outside()}  # a gap
    yield {"tags": ["O", "O"]}
    yield {"tags": [f"I-{other}", f"I-{other}", "O"]}  # at the very beginning
    tags = []
    for _ in range(12):
        one, other = two()
        tags += rng.choice(
            np.array(
                [name(one, 3), ["O"] * 3, [f"I-{one}"] * 3, [f"B-{one}", f"B-{one}", f"I-{other}"]]
            )
        ).tolist()
    yield {"tags": tags}

def numbers(case, got, expected):
    got = [tuple(span) for span in got]
    missing = [span for span in expected if span not in got]
    extra = [span for span in got if span not in expected]
    return {
        "tags": " ".join(case["tags"]), "missing": str(missing[0]) if missing else "nothing",
        "extra": str(extra[0]) if extra else "nothing",
        "yours": ", ".join(map(str, got)) or "nothing", "right": ", ".join(map(str, expected)),
        "found": len(got), "there": len(expected),
    }

# %% another right solution
def entity_spans(tags):
    before = ["O", *tags[:-1]]
    starts = [
        i
        for i, (tag, last) in enumerate(zip(tags, before))
        if tag != "O" and (tag[0] == "B" or last == "O" or last[2:] != tag[2:])
    ]
    spans = []
    for start in starts:
        end = start
        while end + 1 < len(tags) and tags[end + 1] == "I-" + tags[start][2:]:
            end += 1
        spans.append((tags[start][2:], start, end))
    return spans

# %% misconception: the name at the end of the sentence is lost
# says: In {tags} you find {yours}; expected is {right}. A name that reaches the end of the sentence
# is lost with you. You put a name down when the next tag closes it, and after the last word there
# is no next tag.
# edit: return spans => return [span for span in spans if span[2] < len(tags) - 1]
# %% misconception: neighbours grow together
# says: In {tags} you find {yours}; expected is {right}. Two names of the same type stand side by
# side, and with you they have become one. It is for this that `B-` and `I-` are told apart: a `B-`
# always begins a new name.
# edit: letter == "I" and kind == open_kind => kind and kind == open_kind
# %% misconception: an I- without a B- is passed over
# says: In {tags} you find {yours}; expected is {right}. An `I-` that continues nothing is passed
# over with you. By the letter that is right, but the usual scoring script lets it begin a name, so
# that a model is not failed for one wrong letter.
# edit: letter != "O" => letter == "B"
# edit: open_kind = kind => open_kind = kind if letter == "B" or kind == open_kind else ""
# %% misconception: any I- continues the name
# says: In {tags} you find {yours}; expected is {right}. With you an `I-` continues whatever name is
# open. Look at its type as well: where the type changes, another name begins.
# edit: kind == open_kind => open_kind
# edit: (kind, spans[-1][1] => (spans[-1][0], spans[-1][1]
# %% misconception: an O does not close the name
# says: In {tags} you find {yours}; expected is {right}. Between the two there is an `O`, and a name
# does not go on behind a gap. When an `O` comes, forget which type was open.
# edit: open_kind = kind => open_kind = kind or open_kind
# %% misconception: an I- neither begins nor closes a name
# says: In {tags} you find {yours}; expected is {right}. With you a name begins with `B-` and goes
# on as long as any `I-` follows. But an `I-` without an open name of **its own type** begins one
# itself, by the rule of the task.
# edit: kind == open_kind => open_kind
# edit: (kind, spans[-1][1] => (spans[-1][0], spans[-1][1]
# edit: letter != "O" => letter == "B"
# edit: open_kind = kind => open_kind = letter == "B" or letter == "I" and open_kind
# %% misconception: the end is one word too far
# says: In {tags} you find {yours}; expected is {right}. Your ends are those of a slice, one behind
# the last word. Here `last` is the last word itself.
# edit: spans[-1][1], place => spans[-1][1], place + 1
# edit: place, place => place, place + 1
# %% misconception: every word is a name of its own
# says: In {tags} you find {found} names, and there are {there}. Each tagged word has become a name
# of its own with you: {yours}. An `I-` makes the name before it longer.
# - open_kind = kind
# %% misconception: only the words with B-
# says: In {tags} you find {yours}; expected is {right}. You take the words with a `B-` alone. A
# name goes on as long as an `I-` of its type follows.
# edit: letter != "O" => letter == "B"
# - open_kind = kind
# %% hints
# 1. Go through the tags once and keep in mind which type is open, if any. At each tag there are three
# possibilities: the open name gets longer, a new one begins, or there is none.
# 2. The open name gets longer exactly if the letter is `I` **and** the type is the open one.
# Otherwise, whatever is not `O` begins a new one. It helps to put a new name down at once, as
# `(type, i, i)`, and to move its end later: then nothing is left over when the sentence ends.
# 3. `letter, _, kind = tag.partition("-")` gives `"O"` and an empty type for `O`. If a name goes on,
# replace `spans[-1]`; if it begins, append; and in any case set the open type to `kind`.
# %% explanation
# A name is put down when it begins and moves its end while it goes on, so the end of the sentence
# needs no special care. What is open is only ever the type of the tag before: empty behind an `O`.
# The rule for an `I-` that continues nothing is a convention; whoever compares two numbers has to
# know that both were counted by it.

# %% task 15.3: Ninety per cent, and not one name
# kind: repair; points: 20; minutes: 12; function: scores
#
# A tagger was reported with an F1 of more than 0.9, and its users found next to nothing with it.
# Below is how it was scored. `truth` and `found` are lists of sentences, and each sentence is a
# dictionary with its `"tags"`, one a word, and its `"names"`, a list of tuples
# `(type, first, last)`: what people marked, and what the tagger says.
#
# Mend `scores(truth, found)` so that it returns **precision, recall and F1 of names**, counted over
# all sentences together. A name is right if type, first and last word are those of a true name of
# the same sentence. Precision is the fraction of the names found that are right, recall the
# fraction of the true names that were found, F1 their harmonic mean, `2 p r / (p + r)`. What has
# nothing below the line is 0.
#
# *Example.* True is one sentence with `[("PER", 0, 1), ("LOC", 4, 4)]`, found is `[("PER", 0, 1)]`.
# Then precision is 1, recall 1/2, and F1 is 2/3.

# %% stub
def scores(truth: list[dict], found: list[dict]) -> tuple[float, float, float]:
    """Precision, recall and F1 of names."""
    right = told = true = 0
    for sentence, answer in zip(truth, found, strict=True):
        # BEGIN STUB
        right += sum(a == b for a, b in zip(sentence["tags"], answer["tags"], strict=True))
        told += len(answer["tags"])
        true += len(sentence["tags"])
        # END STUB
        # BEGIN SOLUTION
        right += len(set(sentence["names"]) & set(answer["names"]))
        told += len(answer["names"])
        true += len(sentence["names"])
        # END SOLUTION
    precision = right / told if told else 0.0
    recall = right / true if true else 0.0
    # BEGIN STUB
    f1 = (precision + recall) / 2
    # END STUB
    # BEGIN SOLUTION
    f1 = 2 * precision * recall / (precision + recall) if right else 0.0
    # END SOLUTION
    return precision, recall, f1

# %% check
def sentence(names, words=60):
    tags = ["O"] * words
    for kind, first, last in names:
        tags[first : last + 1] = [f"B-{kind}"] + [f"I-{kind}"] * (last - first)
    return {"tags": tags, "names": names}

def cases(rng):
    for _ in range(2):
        at = int(rng.integers(0, 3))
        pairs = [
            ([("PER", at, at + 1), ("LOC", 9, 9)], [("LOC", 9, 9)]),  # one of two
            ([("ORG", at, at + 2)], [("ORG", at, at + 1)]),  # the border is wrong
            ([("PER", 5, 6)], [("PER", 6, 6)]),
            ([("MISC", 2, 4)], [("MISC", 3, 4)]),
            ([("ORG", 6, 7)], [("LOC", 6, 7)]),  # the type is wrong
            ([("PER", 11, 12)], [("ORG", 11, 12)]),
            ([], [("LOC", 9, 9)]),  # none there; another sentence has one at this place
            ([("PER", 1, 2), ("MISC", 8, 8)], [("PER", 1, 2), ("MISC", 8, 8)]),
            ([("MISC", 8, 8)], [("MISC", 8, 8)]),  # the same in two sentences
        ]
        for place in range(int(rng.integers(10, 15))):  # not found at all
            pairs.append(([("PER", 13, 13 + place)], []))
        order = rng.permutation(len(pairs))
        yield {
            "truth": [sentence(pairs[i][0]) for i in order],
            "found": [sentence(pairs[i][1]) for i in order],
        }
    names = [[("PER", at, at + int(rng.integers(0, 3)))] for at in range(4)]
    nothing = [sentence([]) for _ in names]
    yield {"truth": [sentence(one) for one in names], "found": nothing}
    yield {"truth": nothing, "found": nothing}

def numbers(case, got, expected):
    return {
        "p": float(got[0]), "r": float(got[1]), "f": float(got[2]), "right_p": expected[0],
        "right_r": expected[1], "right_f": expected[2],
        "words": sum(len(one["tags"]) for one in case["truth"]),
        "true": sum(len(one["names"]) for one in case["truth"]),
        "told": sum(len(one["names"]) for one in case["found"]), "sentences": len(case["truth"]),
    }

# %% another right solution
def scores(truth, found):
    wanted = {(i, *name) for i, one in enumerate(truth) for name in one["names"]}
    given = {(i, *name) for i, one in enumerate(found) for name in one["names"]}
    hits = len(wanted & given)
    return (
        hits / max(len(given), 1),
        hits / max(len(wanted), 1),
        2 * hits / max(len(wanted) + len(given), 1),
    )

# %% misconception: words are still counted
# says: You report an F1 of {f:.2f}, and by names it is {right_f:.2f}. What you count are the
# {words} words, and most of these are `O` on both sides. There are {true} names, and each is found
# as a whole or not at all. Each sentence brings its `"names"` along.
# - right += len(set(sentence["names"]) & set(answer["names"]))
# + right += sum(a == b for a, b in zip(sentence["tags"], answer["tags"]))
# edit: len(answer["names"]) => len(answer["tags"])
# edit: len(sentence["names"]) => len(sentence["tags"])
# edit: 2 * precision * recall / (precision + recall) => (precision + recall) / 2
# %% misconception: words that are not O
# says: You leave out `O`, and that is a step: your F1 is {f:.2f}. But you still count words: a name
# of three words counts three times, and one that was found without its last word is two thirds
# right. By whole names it is {right_f:.2f}.
# - right += len(set(sentence["names"]) & set(answer["names"]))
# + right += sum(a == b != "O" for a, b in zip(sentence["tags"], answer["tags"]))
# edit: len(answer["names"]) => sum(tag != "O" for tag in answer["tags"])
# edit: len(sentence["names"]) => sum(tag != "O" for tag in sentence["tags"])
# %% misconception: the plain mean of precision and recall
# says: Precision and recall are right, {p:.2f} and {r:.2f}. Your F1 is {f:.2f}, their plain mean;
# expected is {right_f:.2f}. The harmonic mean is small as soon as one of the two is: whoever marks
# a single sure name and leaves a hundred others should not come near one half.
# edit: 2 * precision * recall / (precision + recall) => (precision + recall) / 2
# %% misconception: names of different sentences compared
# says: Your precision is {p:.2f} and your recall {r:.2f}; expected are {right_p:.2f} and
# {right_r:.2f}. All true names stand in one set with you, so a `LOC` found at word 9 of one
# sentence passes for the `LOC` that stands at word 9 of another. A name belongs to its sentence.
# - right += len(set(sentence["names"]) & set(answer["names"]))
# + wanted = {name for one in truth for name in one["names"]}
# + right += sum(name in wanted for name in answer["names"])
# %% misconception: one set for all sentences
# says: Your precision is {p:.2f} and your recall {r:.2f}; expected are {right_p:.2f} and
# {right_r:.2f}. You gather the names of all sentences in one set. There a name meets its twin at
# the same words of another sentence: the two count as one, and one found in the wrong sentence
# counts as right. Compare sentence by sentence.
# - for sentence, answer in zip(truth, found, strict=True):
# + both = [{"names": {name for one in side for name in one["names"]}} for side in (truth, found)]
# + for sentence, answer in [both]:
# %% misconception: the type does not matter
# says: Your F1 is {f:.2f}, expected is {right_f:.2f}. You compare first and last words alone. In
# these sentences an organisation was called a place, and a person an organisation: such a name has
# not been found, and one that does not exist has been invented.
# - right += len(set(sentence["names"]) & set(answer["names"]))
# + right += len({n[1:] for n in sentence["names"]} & {n[1:] for n in answer["names"]})
# %% misconception: touching is enough
# says: Your F1 is {f:.2f}, expected is {right_f:.2f}. With you a name is right if it shares a word
# with a true one. It is the custom to be strict: whoever looks a person up needs the whole name, so
# first **and** last word have to be right.
# - right += len(set(sentence["names"]) & set(answer["names"]))
# + for kind, first, last in answer["names"]:
# +     right += any(kind == k and first <= b and a <= last for k, a, b in sentence["names"])
# %% misconception: names compared in their order
# says: Your F1 is {f:.2f}, expected is {right_f:.2f}. You put the first name found beside the first
# true one, the second beside the second. If one is missed or invented, all behind it are compared
# with the wrong one. Look for each name among **all** true names of its sentence.
# - right += len(set(sentence["names"]) & set(answer["names"]))
# + right += sum(a == b for a, b in zip(sentence["names"], answer["names"]))
# %% misconception: a mean over the sentences
# says: Your F1 is {f:.2f}, expected is {right_f:.2f}. You score each of the {sentences} sentences
# and take the mean. Then a sentence with one name weighs as much as one with ten, and one without
# any has no score at all. Count over all sentences first, and divide once at the end.
# - right = told = true = 0
# + if len(truth) > 1:
# +     rows = [scores([sentence], [answer]) for sentence, answer in zip(truth, found)]
# +     return tuple(np.mean(rows, axis=0).tolist())
# + right = told = true = 0
# %% misconception: precision and recall exchanged
# says: Your precision is {p:.2f} and your recall {r:.2f}; it is the other way round. Precision asks
# of the {told} names that were **found** how many are right; recall asks of the {true} **true**
# ones how many were found.
# edit: return precision, recall, f1 => return recall, precision, f1
# %% misconception: a division by nothing
# says: Names are counted now. But a tagger that says `O` everywhere finds none, precision and
# recall are both 0, and their harmonic mean then divides by zero. By the rule of the task F1 is 0
# there.
# edit: (precision + recall) if right else 0.0 => (precision + recall)
# %% hints
# 1. What is counted in the loop? Let it be the names: how many are right in this sentence, how many
# were found, how many are there?
# 2. A name is a tuple, so the names of a sentence can be put into a set, and what two sets share is
# `one & other`. And below the loop a mean of the wrong kind is taken.
# 3. In the loop `len(set(sentence["names"]) & set(answer["names"]))` for what is right, and the
# lengths of the two lists. F1 is `2 * precision * recall / (precision + recall)`, if that can be
# divided, and else 0.
# %% explanation
# Most words are no names, so an accuracy over words is near one before anything has been found.
# Names are counted as a whole, sentence by sentence, and pooled: that is what `conlleval` and
# `seqeval` report. Put in terms of the three counts, the harmonic mean is `2 * right / (told +
# true)`, which needs no care unless there is no name at all. Always saying `O` now gets what it is
# worth, nothing.

# %% task 15.4: Answers beside the wrong words
# kind: repair; points: 20; minutes: 10; function: read_tags
#
# The model was trained well, and its answers make no sense. The fault is in the way back from
# tokens to words. `read_tags(logits, word_ids, names, n_words)` gets the `logits` `(T, C)` of
# **one** sentence, `word_ids` as in task 15.1 (the number of the word for each token, `None` at
# special tokens), the `names` of the `C` tags and how many words the sentence has. It is to return
# a list of `n_words` tags: for each word the most probable tag **at its first subword token**, and
# `"O"` for words that the row does not hold because it was cut.
#
# Mend it.
#
# *Example.* With `word_ids = [None, 0, 0, 1, None]` and the most probable tags
# `O, B-PER, O, I-PER, O` at the five tokens, the result is `["B-PER", "I-PER"]`.

# %% stub
def read_tags(
    logits: Tensor, word_ids: list[int | None], names: list[str], n_words: int
) -> list[str]:
    """One tag for each word."""
    best = logits.argmax(dim=-1).tolist()
    tags = ["O"] * n_words
    # BEGIN STUB
    for word in range(n_words):
        tags[word] = names[best[word]]
    # END STUB
    # BEGIN SOLUTION
    for word in range(n_words):
        if word in word_ids:
            tags[word] = names[best[word_ids.index(word)]]
    # END SOLUTION
    return tags

# %% check
NAMES = ["B-LOC", "B-PER", "I-LOC", "I-PER", "O"]

def cases(rng):
    # In the first row the first word has two pieces, so that all that follows is shifted further.
    for pieces, cut in (([2, 1, 4, 1, 2], 0), ([1, 3, 2, 1], 2), ([3, 2, 1, 1, 2, 3], 0)):
        word_ids, best = [None], [0]
        for word, count in enumerate(pieces):
            word_ids += [word] * count
            # Neighbours differ, and no other piece of a word says what its first piece says.
            while True:
                drawn = rng.choice(len(NAMES), size=count, replace=False).tolist()
                if count == 4:  # the majority says something else than first and last
                    drawn[2] = drawn[1]
                if word == 0:
                    drawn = [1, 3, 2][:count]
                # Some words are O at their first piece, and a later piece says a name.
                is_o = count > 1 and word in (1, len(pieces) - 2)
                if is_o:
                    drawn[0] = NAMES.index("O")
                fits = len(set(drawn)) == min(count, 3) and drawn[0] not in best[-2:]
                if fits and (is_o or NAMES.index("O") not in drawn):
                    break
            best += drawn
        word_ids.append(None)
        best.append(2 if best[-1] != 2 else 0)
        size = torch.ones(len(best))
        for place in range(
            1, len(best) - 1
        ):  # of two pieces the first, of more the second is surest
            count = pieces[word_ids[place]]
            inside = place - word_ids.index(word_ids[place])
            size[place] = 3.0 if (count, inside) in ((2, 0), (3, 1), (4, 1)) else 1.0
        noise = torch.from_numpy(rng.uniform(-0.1, 0.1, size=(len(best), len(NAMES)))).float()
        one_hot = torch.nn.functional.one_hot(torch.tensor(best), len(NAMES))
        yield {
            "logits": noise + size[:, None] * one_hot, "word_ids": word_ids, "names": NAMES,
            "n_words": len(pieces) + cut,
        }

def numbers(case, got, expected):
    best = [case["names"][number] for number in case["logits"].argmax(-1).tolist()]
    wrong = [i for i, (a, b) in enumerate(zip(got, expected)) if a != b]
    fields = {
        "words": " ".join("–" if word is None else str(word) for word in case["word_ids"]),
        "best": " ".join(best), "yours": " ".join(got), "right": " ".join(expected),
        "length": len(got), "n": case["n_words"],
    }
    if wrong:
        word = wrong[0]
        at = [i for i, number in enumerate(case["word_ids"]) if number == word]
        fields |= {"word": word, "tag": got[word], "want": expected[word]}
        many = ", ".join(map(str, at[:-1])) + f" and {at[-1]}" if len(at) > 1 else str(*at)
        fields |= {"places": many, "first": at[0] if at else "none"}
    return fields

# %% another right solution
def read_tags(logits, word_ids, names, n_words):
    first = {}
    for place, word in enumerate(word_ids):
        first.setdefault(word, place)
    return [
        names[int(logits[first[word]].argmax())] if word in first else "O"
        for word in range(n_words)
    ]

# %% misconception: the tokens are still taken for words
# says: Word {word} is {tag} with you; its first subword token is token {first}, and says {want}.
# You still read word number `i` off token number `i`. But token 0 is `[CLS]`, and a word may have
# several subword tokens: the words of the tokens are {words}.
# edit: return tags => return [names[best[word]] for word in range(n_words)]
# %% misconception: only [CLS] is allowed for
# says: `[CLS]` is passed over now, but word {word} is still wrong: {tag} instead of {want}. A word
# that has fallen into subword tokens moves all that follow it to the right. The words of the tokens
# are {words}; look up there where each word begins.
# edit: return tags => return [names[best[word + 1]] for word in range(n_words)]
# %% misconception: the last subword token decides
# says: Word {word} is {tag} with you, {want} is expected. It has the tokens {places}, and you read
# the last of them: each subword token overwrites what the one before has said. In training only the
# first subword token was given a tag; what the model says at the others nobody has taught it.
# edit: word_ids.index(word) => len(word_ids) - 1 - word_ids[::-1].index(word)
# %% misconception: the majority of the subword tokens decides
# says: Word {word} is {tag} with you, {want} is expected. You let its subword tokens vote, tokens
# {places}. But only the first subword token had a tag in training; the others were left out of the
# loss, and what they say nobody has taught them. They have no vote.
# - tags[word] = names[best[word_ids.index(word)]]
# + votes = [best[place] for place, number in enumerate(word_ids) if number == word]
# + tags[word] = names[max(votes, key=votes.count)]
# %% misconception: the mean of the subword tokens decides
# says: Word {word} is {tag} with you, {want} is expected. You take the mean of the logits over its
# subword tokens, tokens {places}. That sounds fair, but the further subword tokens were left out of
# the loss in training: their logits mean nothing. The first subword token speaks for the word.
# - tags[word] = names[best[word_ids.index(word)]]
# + rows = [row for row, number in zip(logits, word_ids) if number == word]
# + tags[word] = names[int(torch.stack(rows).mean(0).argmax())]
# %% misconception: any subword token that says a name decides
# says: Word {word} is {tag} with you, {want} is expected. Its first subword token says {want},
# another one of its tokens {places} says {tag}, and you take the first that is not `O`. The further
# subword tokens were left out of the loss in training, so they may say anything.
# - tags[word] = names[best[word_ids.index(word)]]
# + said = [names[best[place]] for place, number in enumerate(word_ids) if number == word]
# + tags[word] = next((name for name in said if name != "O"), "O")
# %% misconception: words that were cut off are looked for
# says: All words that the row holds are right now. But one row was cut, and its last words do not
# occur in `word_ids`; `index` stops with an error there. Such a word keeps its `"O"`.
# edit: if word in word_ids => if True
# %% misconception: one tag for each subword token
# says: You return {length} tags, the sentence has {n} words. Every subword token has given one.
# Only the first subword token of a word speaks for it.
# edit: return tags => return [names[b] for b, word in zip(best, word_ids) if word is not None]
# %% misconception: words that were cut off get no tag
# says: You return {length} tags, the sentence has {n} words. The row was cut, and its last words
# have no token. Whoever lays tags and words side by side later needs an entry for them, too: `"O"`.
# edit: return tags => return [tags[word] for word in range(n_words) if word in word_ids]
# %% misconception: word number zero is taken for none
# says: Word {word} is {tag} with you, {want} is expected. In Python 0 counts as false, so `if word`
# passes over the first word as over `None`. Ask for `word is not None`.
# edit: if word in word_ids => if word and word in word_ids
# %% hints
# 1. Which token speaks for word 0? For the last word? Write the two rows `word_ids` and `best` below
# each other.
# 2. `word_ids.index(word)` is the first place where a number stands, and `word in word_ids` says
# whether there is one.
# 3. For each word that occurs in `word_ids`: `best[word_ids.index(word)]`. The others keep the `"O"`
# that is there already.
# %% explanation
# What was done on the way in has to be undone on the way out: the tag was laid on the first subword
# token, so it is read there. Counting along gives no error, only tags on the wrong words, and as
# names are what falls into subword tokens, it is most wrong where it matters most. A function like
# `align` and its inverse belong side by side, with a test that the two together give back what was
# put in.

# %% task 15.5: How many places carry a label?
# kind: predict; points: 15; minutes: 8; function: predict
#
# `pieces[i][w]` says into how many subword tokens word `w` of sentence `i` falls. The sentences go
# through the model as one batch, each with `[CLS]` and `[SEP]`, padded to the longest. First
# subword tokens carry the tags, of which there are `tags` kinds. Return a dictionary:
#
# - `"shape"`: the shape `(B, T)` of `input_ids`, a tuple;
# - `"labelled"`: how many places have a label that the loss looks at;
# - `"ignored"`: how many places of the batch have the label -100;
# - `"misplaced"`: how many words would have their tag on a place that is not their first subword
#   token, if the tags were laid along the tokens one by one, behind `[CLS]`;
# - `"loss"`: the loss of a model that finds all tags equally likely at every place.
#
# *Example.* For `pieces = [[1, 2, 1], [1]]` and `tags = 9`: the rows have 6 and 3 tokens, so the
# shape is `(2, 6)`; 4 places are labelled and 8 are not; only the third word is misplaced, so that
# is 1; the loss is the natural logarithm of 9, 2.197.

# %% stub
def predict(pieces: list[list[int]], tags: int) -> dict:
    """Shape, numbers of places, and the loss at the beginning."""
    # BEGIN SOLUTION
    width = max(sum(row) for row in pieces) + 2
    words = sum(len(row) for row in pieces)
    misplaced = sum(sum(row[:w]) != w for row in pieces for w in range(len(row)))
    return {
        "shape": (len(pieces), width),
        "labelled": words,
        "ignored": len(pieces) * width - words,
        "misplaced": misplaced,
        "loss": math.log(tags),
    }
    # END SOLUTION

# %% check
def cases(rng):
    yield {"pieces": [[1, 2, 1], [1]], "tags": 9}
    for _ in range(2):
        rows = []
        for words in rng.choice(np.arange(5, 12), size=int(rng.integers(3, 6)), replace=False):
            row = rng.choice([1, 1, 1, 2, 3], size=words)
            row[[1, 2]], row[-1] = (3, 1), 2  # one falls apart early, and the last one does, too
            rows.append(row.tolist())
        yield {"pieces": rows, "tags": int(rng.choice([3, 7, 9, 13]))}

def numbers(case, got, expected):
    pieces = case["pieces"]
    return {
        "shape": tuple(got["shape"]), "right_shape": expected["shape"], "labelled": got["labelled"],
        "right_labelled": expected["labelled"], "ignored": got["ignored"],
        "right_ignored": expected["ignored"], "misplaced": got["misplaced"],
        "right_misplaced": expected["misplaced"], "loss": float(got["loss"]),
        "right_loss": expected["loss"], "tags": case["tags"],
        "split": sum(count > 1 for row in pieces for count in row),
        "longest": max(map(sum, pieces)), "places": expected["shape"][0] * expected["shape"][1],
        "padding": expected["shape"][0] * expected["shape"][1] - sum(sum(r) + 2 for r in pieces),
        "words": sum(map(len, pieces)),
    }

# %% another right solution
def predict(pieces, tags):
    labels, wrong = [], 0
    for row in pieces:
        line = [-100]
        for word, count in enumerate(row):
            wrong += len(line) != word + 1
            line += [0] + [-100] * (count - 1)
        labels.append(line + [-100])
    width = max(map(len, labels))
    grid = torch.full((len(labels), width), -100)
    for line, row in zip(labels, grid):
        row[: len(line)] = torch.tensor(line)
    logits = torch.zeros(grid.numel(), tags)
    return {
        "shape": tuple(grid.shape),
        "labelled": int((grid != -100).sum()),
        "ignored": int((grid == -100).sum()),
        "misplaced": wrong,
        "loss": torch.nn.functional.cross_entropy(logits, grid.flatten()).item(),
    }

# %% misconception: no room for the special tokens
# says: Your shape is {shape}, expected is {right_shape}. The longest sentence has {longest} subword
# tokens, and its row has two tokens more: `[CLS]` and `[SEP]`.
# edit: pieces) + 2 => pieces)
# %% misconception: as long as the words
# says: Your shape is {shape}, expected is {right_shape}. You have counted words. The model reads
# subword tokens, and the longest row has {longest} of them, and two special tokens.
# edit: max(sum(row) => max(len(row)
# %% misconception: every subword token has a label
# says: You count {labelled} labelled places; there are {right_labelled}, one for each word. Only
# the first subword token of a word carries its tag.
# edit: words = sum(len(row) => words = sum(sum(row)
# %% misconception: padding is forgotten
# says: You count {ignored} places with -100; there are {right_ignored}. The shorter rows are filled
# up with padding, here at {padding} places, and these have the label -100 as well.
# edit: len(pieces) * width - words => sum(sum(row) + 2 for row in pieces) - words
# %% misconception: only the split words are misplaced
# says: You count {misplaced} misplaced words; there are {right_misplaced}. You have counted the
# words that fall into subword tokens, {split} of them. But such a word may well stand in its right
# place. It is those **behind** it that are moved, all of them.
# edit: misplaced, => sum(count > 1 for row in pieces for count in row),
# %% misconception: the first split word is misplaced, too
# says: You count {misplaced} misplaced words; there are {right_misplaced}. The first word of a
# sentence that falls into subword tokens still begins where it should, since all before it had one
# subword token each. Only what comes behind it is moved.
# edit: sum(row[:w]) != w for => sum(row[: w + 1]) != w + 1 for
# %% misconception: the loss averaged over every place
# says: Your loss is {loss:.3f}, expected is {right_loss:.3f}. You let {places} places share it.
# Places with the label -100 are not counted as zero, they are not counted at all: the mean runs
# over the {words} labelled ones, and each of them has the loss log {tags}.
# edit: math.log(tags) => math.log(tags) * words / (len(pieces) * width)
# %% misconception: a loss in bits
# says: Your loss is {loss:.3f}, expected is {right_loss:.3f}. That is the logarithm to the base 2.
# The cross-entropy uses the natural one, `math.log`.
# edit: math.log => math.log2
# %% misconception: the loss summed over the words
# says: Your loss is {loss:.1f}, expected is {right_loss:.3f}. You have added it up over {words}
# words. The loss is the mean over the labelled places, and they all have the same here.
# edit: math.log(tags) => math.log(tags) * words
# %% hints
# 1. Write the tokens of the example below each other, `[CLS]` to padding, and under each its label or
# -100.
# 2. There is one label a word, and every place of the rectangle that has none has -100. A word is in
# its right place exactly if the words before it have one subword token each: `sum(row[:w]) == w`.
# 3. With all tags equally likely the right one has the probability `1 / tags` at every labelled place,
# and minus its logarithm is `math.log(tags)`, whatever the mean runs over, as long as it is
# labelled places.
# %% explanation
# Labels are counted in words, rows in subword tokens, and the batch is a rectangle: what is no
# first subword token has -100, padding included. A word that falls into subword tokens moves all
# behind it, which is why a few such words put many tags in the wrong place. And since the loss is a
# mean over labelled places, it begins at the logarithm of the number of tags, however much padding
# there is.
