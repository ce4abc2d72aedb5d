# %% [markdown]
# # Exercises 2 · Tokens: what a model reads instead of words
#
# Chapter 2 learned two vocabularies of subword tokens and wrote words with them. Here you take one
# step of the learning yourself, once in each of the two ways, write words with the subword tokens,
# and count the tokens of sentences that you have not tokenised.

# %% setup
import math
import re
from collections import Counter
from itertools import pairwise

# %% task 2.1: One step of BPE
# kind: write; points: 25; minutes: 12; function: bpe_step
#
# Write `bpe_step(words, counts)`, one merge of byte-pair encoding.
#
# - `words` is a list of words, each a list of subword tokens such as `["l", "##o", "##w"]`;
#   `counts[i]` says how often word `i` occurs in the text.
# - A pair of neighbours is as frequent as the places where it stands, each counted as often as its
#   word occurs. In the cases of the check one pair is always ahead of all others.
# - Return the most frequent pair, a tuple of two subword tokens, and all words with that pair
#   joined wherever it stands, from left to right. Joining drops the `##` of the second subword
#   token: `##e` and `##s` become `##es`, while `e` and `##s` become `es`.
#
# *Example.* *low* occurs 5 times, *lower* 2 times and *newest* 6 times, all still in letters. `##w`
# and `##e` stand together 2 + 6 = 8 times, no pair more often. So the pair is `("##w", "##e")`, and
# the words are `l ##o ##w`, `l ##o ##we ##r` and `n ##e ##we ##s ##t`.

# %% stub
def bpe_step(words: list[list[str]], counts: list[int]) -> tuple[tuple[str, str], list[list[str]]]:
    """The most frequent pair, and the words after it has been joined."""
    # BEGIN SOLUTION
    often = Counter()
    for word, n in zip(words, counts, strict=True):
        for pair in pairwise(word):
            often[pair] += n
    best = max(often, key=often.get)
    merged = []
    for word in words:
        pieces = []
        for piece in word:
            if pieces and (pieces[-1], piece) == best:
                pieces[-1] += piece.removeprefix("##")
            else:
                pieces.append(piece)
        merged.append(pieces)
    return best, merged
    # END SOLUTION

# %% check
def cases(rng):
    def spell(word):
        return [word[0], *("##" + c for c in word[1:])]

    yield {"words": [spell(w) for w in ("low", "lower", "newest")], "counts": [5, 2, 6]}

    def letters(count):
        return rng.permutation(list("abcdefghiklmnoprstuw"))[:count].tolist()

    # The pair begins a word; the same letters stand inside words too, and in longer pieces.
    p, q, r, s = letters(4)
    yield {
        "words": [
            [p, f"##{q}", f"##{r}"],
            [r, f"##{p}", f"##{q}"],
            [p, f"##{q}{r}", f"##{s}"],
            [s, f"##{q}{r}", f"##{p}"],
            [p, f"##{q}"],
        ],
        "counts": [int(n) for n in rng.integers([20, 3, 4, 3, 2], [30, 8, 9, 9, 5])],
    }
    # A pair of equal pieces, several times in a word: often only because each place counts.
    p, q, r, s, t = letters(5)
    yield {
        "words": [
            [p, *[f"##{q}"] * 5, f"##{r}"],
            [r, f"##{s}"],
            [s, *[f"##{q}"] * 2, f"##{t}", *[f"##{q}"] * 2],
            [t, f"##{p}", f"##{s}"],
        ],
        "counts": [int(n) for n in rng.integers([6, 15, 2, 1], [8, 19, 4, 5])],
    }
    # A pair in many rare words, and another one in a single frequent word.
    p, q, r, s, t = letters(5)
    yield {
        "words": [
            [r, f"##{s}", f"##{t}"],
            [p, f"##{s}", f"##{t}"],
            [p, f"##{q}"],
            [q, f"##{r}", f"##{s}", f"##{t}"],
            [t],  # a word of one letter: it has no pair, however often it occurs
        ],
        "counts": [int(n) for n in rng.integers([2, 2, 20, 2, 60], [5, 5, 40, 5, 90])],
    }

def numbers(case, got, expected):
    def often(pair):
        return sum(
            n * sum(p == tuple(pair) for p in pairwise(word))
            for word, n in zip(case["words"], case["counts"], strict=True)
        )

    wrong = [
        (before, mine, right)
        for before, mine, right in zip(case["words"], got[1], expected[1], strict=True)
        if mine != right
    ]
    before, mine, right = wrong[0] if wrong else ([], [], [])
    return {
        "yours": " + ".join(got[0]), "right": " + ".join(expected[0]), "often": often(got[0]),
        "most": often(expected[0]), "before": " ".join(before), "mine": " ".join(mine),
        "wanted": " ".join(right),
    }

# %% another right solution
def bpe_step(words, counts):
    often = {}
    for word, n in zip(words, counts, strict=True):
        for i in range(len(word) - 1):
            pair = word[i], word[i + 1]
            often[pair] = often.get(pair, 0) + n
    best = sorted(often.items(), key=lambda item: item[1])[-1][0]
    joined = best[0] + best[1].removeprefix("##")
    pattern = r"(?<!\S)" + re.escape(" ".join(best)) + r"(?!\S)"
    return best, [re.sub(pattern, joined, " ".join(word)).split() for word in words]

# %% misconception: every word counts once
# says: You join {yours}, which stands in the text {often} times; {right} stands there {most} times.
# You count each word of the list once, however often it occurs: a place in a word that occurs six
# times counts six times.
# edit: often[pair] += n => often[pair] += 1
# %% misconception: a pair counts once a word
# says: You join {yours}, which stands in the text {often} times; {right} stands there {most} times.
# A pair that stands at several places of one word counts at each of them; with you it counts once.
# edit: pairwise(word) => dict.fromkeys(pairwise(word))
# %% misconception: WordPiece's choice
# says: You join {yours}, which stands in the text {often} times; {right} stands there {most} times.
# You divide by how often the parts occur: that is the choice of WordPiece, and task 2.2. BPE asks
# only how often the pair occurs.
# - best = max(often, key=often.get)
# + alone = Counter(piece for word, n in zip(words, counts) for piece in word * n)
# + best = max(often, key=lambda pair: often[pair] / (alone[pair[0]] * alone[pair[1]]))
# %% misconception: pairs across the words
# says: You join {yours}, which stands in the words {often} times; {right} stands there {most}
# times. You lay all words end to end and count pairs that consist of the end of one word and the
# beginning of the next. Pieces are learned inside words.
# - often = Counter()
# - ...
# - often[pair] += n
# + text = [piece for word, n in zip(words, counts, strict=True) for piece in word * n]
# + often = Counter(pairwise(text))
# %% misconception: the mark stays inside the subword token
# says: The pair is right, but out of `{before}` you make `{mine}`, and `{wanted}` is expected. The
# `##` says “this goes on inside a word”; in the middle of a subword token there is nothing for it
# to say.
# edit: piece.removeprefix("##") => piece
# %% misconception: the mark is lost
# says: The pair is right, but out of `{before}` you make `{mine}`, and `{wanted}` is expected. You
# remove every `##`. Only the second subword token loses its mark; if the first has one, the join
# goes on inside a word as well.
# edit: pieces[-1] += piece.removeprefix("##") => pieces[-1] = "".join(best).replace("##", "")
# %% misconception: the second subword token stays
# says: The pair is right, but out of `{before}` you make `{mine}`, and `{wanted}` is expected. The
# second subword token of the pair is in the join already, and then you append it once more by
# itself. After a join, go on behind both.
# - else:
# -     pieces.append(piece)
# + pieces.append(piece)
# %% misconception: joined once in a word
# says: The pair is right, but out of `{before}` you make `{mine}`, and `{wanted}` is expected. You
# stop after the first place. Go on behind the join, to the end of the word.
# edit: for piece in word: => for i, piece in enumerate(word):
# edit: if pieces and => if pieces and len(pieces) == i and
# %% misconception: a string is replaced
# says: The pair is right, but out of `{before}` you make `{mine}`, and `{wanted}` is expected. You
# put the subword tokens into one string and replace in it. A string knows no subword tokens: the
# end of one and the beginning of another look like the pair. Compare whole subword tokens.
# - merged = []
# - ...
# - return best, merged
# + joined = best[0] + best[1].removeprefix("##")
# + return best, [" ".join(word).replace(" ".join(best), joined).split() for word in words]
# %% hints
# 1. Two parts that do not know of each other: first count the pairs, then go through every word once
# more and join. `pairwise(word)` gives all neighbours of a list.
# 2. Count with `often[pair] += n`, where `n` is the count of the word; the best is `max(often,
# key=often.get)`.
# 3. For the joining build a new list subword token by subword token. If its last subword token and
# the next one are the pair, lengthen that last subword token by `piece.removeprefix("##")`; if not,
# append the next one.
# %% explanation
# BPE counts places in the text, so the count of the word and every place in it matter. The join
# replaces whole subword tokens from left to right, and of three equal ones in a row the first two.
# Working on strings is a mistake that is made again and again: inside a string, `e ##s` is found in
# `##e ##st`, too.

# %% task 2.2: The pair that belongs together
# kind: write; points: 25; minutes: 10; function: wordpiece_pair
#
# Write `wordpiece_pair(words, counts, min_frequency)`, the choice of WordPiece as it is usually
# taught. `words` and `counts` are as in task 2.1.
#
# Of all pairs of neighbours that occur at least `min_frequency` times, choose the one with the
# highest *n(ab)* / (*n(a)* *n(b)*). Here *n* is how often something stands in the text: each place
# counts, as often as its word occurs. Return the pair, a tuple, and its score. (In the check no two
# pairs share the highest score.)
#
# *Example.* With *low* 5 times, *lower* 2 times and *newest* 6 times, in letters, and
# `min_frequency=2`: `##s` occurs 6 times, `##t` occurs 6 times, and both together 6 times, so their
# score is 6 / (6 · 6) = 0.167. The most frequent pair, `##w ##e`, has only 8 / (13 · 14) = 0.044.
# The result is `(("##s", "##t"), 0.167)`.

# %% stub
def wordpiece_pair(
    words: list[list[str]], counts: list[int], min_frequency: int
) -> tuple[tuple[str, str], float]:
    """The pair with the highest n(ab) / (n(a) n(b)), and this score."""
    # BEGIN SOLUTION
    alone, together = Counter(), Counter()
    for word, n in zip(words, counts, strict=True):
        for piece in word:
            alone[piece] += n
        for pair in pairwise(word):
            together[pair] += n
    scores = {
        (a, b): n / (alone[a] * alone[b]) for (a, b), n in together.items() if n >= min_frequency
    }
    best = max(scores, key=scores.get)
    return best, scores[best]
    # END SOLUTION

# %% check
def cases(rng):
    def spell(word):
        return [word[0], *("##" + c for c in word[1:])]

    words = [spell(w) for w in ("low", "lower", "newest")]
    yield {"words": words, "counts": [5, 2, 6], "min_frequency": 2}
    for _ in range(3):
        a, b, c, d, e, f, g, h, i, k = rng.permutation(list("abcdefghiklmnoprstuw"))[:10].tolist()
        limit, single = int(rng.integers(5, 10)), int(rng.integers(1, 4))
        drawn = [
            (spell(a + b), limit - 1),  # belong together, but are too rare, together, ...
            (spell(a), 1),
            (spell(k + b), 1),  # ... though each of the two occurs often enough
            (spell(c + d + e + d), limit),  # the right pair is c + ##d; ##d stands there twice
            (spell(c), single),  # c stands alone, too
            (spell(h + i), int(rng.integers(30, 40))),  # the next best
            (spell(f + e + g), int(rng.integers(100, 120))),  # the most frequent
            (spell(g + e + k), int(rng.integers(50, 70))),
        ]
        order = rng.permutation(len(drawn)).tolist()
        yield {
            "words": [drawn[j][0] for j in order], "counts": [drawn[j][1] for j in order],
            "min_frequency": limit,
        }

def numbers(case, got, expected):
    alone, together = Counter(), Counter()
    for word, n in zip(case["words"], case["counts"], strict=True):
        for piece in word:
            alone[piece] += n
        for pair in pairwise(word):
            together[pair] += n
    (a, b), (c, d) = got[0], expected[0]
    return {
        "yours": f"{a} {b}", "right": f"{c} {d}", "score": got[1], "wanted": expected[1],
        "limit": case["min_frequency"], "ab": together[a, b], "na": alone[a], "nb": alone[b],
        "a": a, "b": b, "cd": together[c, d], "nc": alone[c], "nd": alone[d],
    }

# %% another right solution
def wordpiece_pair(words, counts, min_frequency):
    pieces = [piece for word, n in zip(words, counts, strict=True) for piece in word * n]
    pairs = [p for word, n in zip(words, counts, strict=True) for p in list(pairwise(word)) * n]
    score, best = 0.0, None
    for a, b in set(pairs):
        n = pairs.count((a, b))
        if n >= min_frequency and n / pieces.count(a) / pieces.count(b) > score:
            score, best = n / pieces.count(a) / pieces.count(b), (a, b)
    return best, score

# %% misconception: the most frequent pair
# says: You choose `{yours}`, which occurs {ab} times: that is BPE's choice. WordPiece divides by
# how often the parts occur, {na} and {nb} times, and then `{right}` is ahead: {cd} / ({nc} · {nd}).
# edit: key=scores.get => key=together.get
# %% misconception: divided by the sum
# says: For `{yours}` you have the score {score:.3f}. You divide by the sum {na} + {nb}, and the
# product is asked for. By chance two subword tokens would meet about as often as the product of
# their counts says.
# edit: alone[a] * alone[b] => alone[a] + alone[b]
# %% misconception: the limit is not asked
# says: You choose `{yours}`, whose count of {ab} is below `min_frequency` = {limit}. Rare subword
# tokens that happen to stand together always get a high score: that is what the limit is for.
# edit: .items() if n >= min_frequency => .items()
# %% misconception: more than the limit is asked
# says: You choose `{yours}`, but `{right}` has the higher score, {wanted:.4f}, and occurs {cd}
# times, exactly `min_frequency`. “At least” means that so many are enough.
# edit: n >= min_frequency => n > min_frequency
# %% misconception: the limit is asked of the parts
# says: You choose `{yours}`, whose count of {ab} is below `min_frequency` = {limit}. You ask
# whether each part is frequent enough, {na} and {nb} times; it is the pair that has to be.
# edit: n >= min_frequency => min(alone[a], alone[b]) >= min_frequency
# %% misconception: divided and multiplied
# says: For `{yours}` you have the score {score:.3f}. Python goes from left to right: `n / a * b`
# divides by the one count and multiplies by the other. Put the product in brackets.
# edit: (alone[a] * alone[b]) => alone[a] * alone[b]
# %% misconception: the gain in bits
# says: For `{yours}` you have the score {score:.1f}. You multiply the surprise of a meeting, in
# bits, by the number of meetings, which is near to the third column of the chapter's table. Here
# the plain ratio is asked for: the second column.
# edit: n / (alone[a] * alone[b]) => n * math.log2(n * alone.total() / alone[a] / alone[b])
# %% misconception: the parts are not counted in the text
# says: For `{yours}` you have the score {score:.3f}. You count the pair as often as its words
# occur, but the parts once for each word of the list. In the text `{a}` stands {na} times and `{b}`
# {nb} times.
# edit: alone[piece] += n => alone[piece] += 1
# %% misconception: the pairs are not counted in the text
# says: For `{yours}` you have the score {score:.3f}. The parts are counted as often as their words
# occur, {na} and {nb} times; the pair is counted once for each word of the list. In the text it
# stands {ab} times.
# edit: together[pair] += n => together[pair] += 1
# %% misconception: a part counts once a word
# says: For `{yours}` you have the score {score:.4f}. In the text `{a}` stands {na} times and `{b}`
# {nb} times, and the pair {ab} times. A subword token that stands twice in a word counts twice
# there; with you it counts once.
# edit: for piece in word: => for piece in set(word):
# %% misconception: the parts are counted within pairs only
# says: For `{yours}` you have the score {score:.4f}. In the text `{a}` stands {na} times and `{b}`
# {nb} times, and the pair {ab} times. You count a part only where it is the left or the right half
# of a pair. It also occurs at the end or the beginning of a word, and as a word by itself.
# - for piece in word:
# + for piece in (*((0, a) for a in word[:-1]), *((1, b) for b in word[1:])):
# edit: alone[a] * alone[b] => alone[0, a] * alone[1, b]
# %% hints
# 1. You need two counts of the text: of the subword tokens, and of the pairs. Write both down for
# the example and find out where the 13 and the 14 come from.
# 2. In one loop over words and counts: `alone[piece] += n` for every subword token, `together[pair]
# += n` for every pair of `pairwise(word)`.
# 3. Make a dictionary of scores for the pairs with `n >= min_frequency`, and take `max(scores,
# key=scores.get)`.
# %% explanation
# The ratio asks how much more often two subword tokens meet than they would if they were drawn
# independently. It does not care how often that is, so two subword tokens that occur once each,
# together, have the highest score that there is; this is why rare pairs have to be shut out by a
# limit, and why the choice differs so much from BPE's.
# %% free choices
# - `alone[piece] += n` => `alone[piece] -= n`: two signs cancel in the product

# %% task 2.3: Write a word with subword tokens
# kind: write; points: 30; minutes: 12; function: encode
#
# Write `encode(word, vocab)`: how WordPiece writes one word with the entries of `vocab`, a list of
# strings.
#
# Take the **longest** entry with which the word begins; then the longest with which the rest
# begins, and so on. Inside a word the entries carry the mark `##`. If at some point no entry fits,
# the whole word becomes `["[UNK]"]`; nothing is taken back and tried in another way.
#
# *Example.* With the vocabulary `["m", "mini", "bert", "##i", "##n", "##b", "##ert", "##e", "##r",
# "##t"]` the word `minibert` becomes `["mini", "##b", "##ert"]`. (`bert` is an entry for the
# beginning of a word only.) With the same vocabulary `minimum` is `["[UNK]"]`, as there is no
# `##m`.

# %% stub
def encode(word: str, vocab: list[str]) -> list[str]:
    """The pieces of a word, or ["[UNK]"]."""
    # BEGIN SOLUTION
    pieces, start = [], 0
    while start < len(word):
        mark = "##" if start else ""
        for end in range(len(word), start, -1):
            if mark + word[start:end] in vocab:
                break
        else:
            return ["[UNK]"]
        pieces.append(mark + word[start:end])
        start = end
    return pieces
    # END SOLUTION

# %% check
def cases(rng):
    vocab = ["m", "mini", "bert", "##i", "##n", "##b", "##ert", "##e", "##r", "##t"]
    yield {"word": "minibert", "vocab": vocab}
    yield {"word": "minimum", "vocab": vocab}

    def shuffled(entries):
        return rng.permutation(entries).tolist()

    a, b, c, d, e = rng.permutation(list("abcdefghiklmnoprstuw"))[:5].tolist()
    # The longest first piece leads to more pieces than a shorter one would ...
    entries = [a, f"{a}{b}", f"##{b}", f"##{b}{c}{d}", f"##{c}", f"##{d}", d]
    yield {"word": a + b + c + d, "vocab": shuffled(entries)}
    # ... and here into a dead end.
    entries = [a, f"{a}{b}", f"##{b}", f"##{b}{c}{d}", f"##{d}", c, d]
    yield {"word": a + b + c + d, "vocab": shuffled(entries)}
    # Beginning with the longest ending would take three pieces instead of two.
    entries = [a, f"{a}{b}{c}", f"##{b}", f"##{c}", f"##{d}", f"##{e}", f"##{d}{e}"]
    entries.append(f"##{c}{d}{e}")
    yield {"word": a + b + c + d + e, "vocab": shuffled(entries)}
    # A character that is no entry, in the middle of a word.
    entries = [a, b, f"{a}{c}", f"##{a}", f"##{b}", f"##{c}", f"##{b}{c}"]
    yield {"word": a + c + str(rng.choice(list("贝尔特京"))) + b + c, "vocab": shuffled(entries)}

    def shortest_ways(word, entries):
        """How many ways there are to write the word with as few pieces as possible."""
        ways = {0: (0, 1)}  # pieces, ways
        for end in range(1, len(word) + 1):
            found = [
                (ways[start][0] + 1, ways[start][1])
                for start in range(end)
                if start in ways and ("##" if start else "") + word[start:end] in entries
            ]
            if found:
                fewest = min(found)[0]
                ways[end] = (fewest, sum(n for pieces, n in found if pieces == fewest))
        return ways.get(len(word), (0, 0))[1]

    letters, drawn = [a, b, c], 0
    while drawn < 4:
        longer = {"".join(rng.choice(letters, size=int(rng.integers(2, 4)))) for _ in range(10)}
        entries = [*letters, *("##" + x for x in letters)]
        entries += [("##" if rng.random() < 0.6 else "") + x for x in sorted(longer)]
        word = "".join(rng.choice(letters, size=9))
        if shortest_ways(word, entries) == 1:
            drawn += 1
            yield {"word": word, "vocab": shuffled(entries)}

def numbers(case, got, expected):
    return {
        "word": case["word"], "yours": " ".join(got), "right": " ".join(expected), "first": got[0],
        "count": len(got),
    }

# %% another right solution
def encode(word, vocab):
    entries, rest, pieces = set(vocab), word, []
    while rest:
        begun = "##" if pieces else ""
        fitting = [e for e in entries if (begun + rest).startswith(e) and len(e) > len(begun)]
        if not fitting:
            return ["[UNK]"]
        pieces.append(max(fitting, key=len))
        rest = rest[len(pieces[-1]) - len(begun) :]
    return pieces

# %% misconception: the shortest entry first
# says: You write `{word}` as `{yours}`, and `{right}` is expected. You take the first entry that
# fits, starting from the short ones: so a word becomes letters. Begin with the whole rest of the
# word and shorten it from its end until it is an entry.
# edit: range(len(word), start, -1) => range(start + 1, len(word) + 1)
# %% misconception: no mark inside the word
# says: You write `{word}` as `{yours}`, and `{right}` is expected. You look up the rest of the word
# as if a new word began there. Inside a word the entry has to be found with its `##`: `bert` and
# `##bert` are two different entries.
# edit: "##" if start else "" => ""
# %% misconception: the mark is put on afterwards
# says: You write `{word}` as `{yours}`, and `{right}` is expected. You look up the subword token
# without its mark and put the mark on afterwards, so that your subword tokens need not be entries
# at all. Look up what you write.
# edit: if mark + word => if word
# %% misconception: only the rest is unknown
# says: You write `{word}` as `{yours}`, and `{right}` is expected. You keep the subword tokens that
# were found before the word got stuck. A word that cannot be finished is unknown as a whole.
# edit: return ["[UNK]"] => return [*pieces, "[UNK]"]
# %% misconception: only the letter is unknown
# says: You write `{word}` as `{yours}`, and `{right}` is expected. You replace the letter that does
# not fit and go on behind it, as BPE does. In WordPiece a word that cannot be finished is unknown
# as a whole.
# - return ["[UNK]"]
# + pieces.append("[UNK]")
# + start += 1
# + continue
# %% misconception: another way is tried
# says: You write `{word}` as `{yours}`, and `{right}` is expected. After the longest entry the word
# cannot be finished; you go back and try a shorter one. WordPiece never goes back: that is why it
# is fast, and why this word is unknown to it.
def encode(word, vocab):
    def write(start):
        if start == len(word):
            return []
        mark = "##" if start else ""
        for end in range(len(word), start, -1):
            if mark + word[start:end] in vocab and (rest := write(end)) is not None:
                return [mark + word[start:end], *rest]
        return None

    pieces = write(0)
    return ["[UNK]"] if pieces is None else pieces

# %% misconception: the fewest subword tokens
# says: You write `{word}` as `{yours}`, and `{right}` is expected. Yours is as short as can be, and
# it begins with `{first}`, although a longer entry fits there. WordPiece does not look ahead: the
# longest entry first, whatever comes of it.
def encode(word, vocab):
    best = {0: []}
    for end in range(1, len(word) + 1):
        ways = [
            [*best[start], ("##" if start else "") + word[start:end]]
            for start in range(end)
            if start in best and ("##" if start else "") + word[start:end] in vocab
        ]
        if ways:
            best[end] = min(ways, key=len)
    return best.get(len(word), ["[UNK]"])

# %% misconception: from the end of the word
# says: You write `{word}` as `{yours}`, and `{right}` is expected. You begin at the end of the word
# and take the longest entry with which it ends. WordPiece goes from left to right.
# - pieces, start = [], 0
# - while start < len(word):
# -     mark = "##" if start else ""
# -     for end in range(len(word), start, -1):
# + pieces, end = [], len(word)
# + while end:
# +     for start in range(end):
# +         mark = "##" if start else ""
# edit: pieces.append(mark + word[start:end]) => pieces.insert(0, mark + word[start:end])
# edit: start = end => end = start
# %% hints
# 1. Keep a number `start`: so much of the word is written. Which stretches `word[start:end]` do you
# try, and in which order?
# 2. `for end in range(len(word), start, -1)` goes from the longest stretch to the shortest. Look up
# `"##" + word[start:end]` unless `start` is 0.
# 3. If the inner loop finds no entry, `return ["[UNK]"]` at once (`for … else`). Otherwise append the
# subword token and set `start = end`.
# %% explanation
# This is the whole of WordPiece's writing: from left to right, longest first, and no way back. The
# mark is part of the entry, so the look-up has to include it. Since nearly every letter is an entry
# with and without the mark, few words get stuck; those that do have a sign that was never seen in
# learning.
# %% free choices
# - `range(len(word), start, -1)` => `range(len(word), start - 1, -1)`: an empty piece stands in no
#   vocabulary

# %% task 2.4: How many tokens?
# kind: predict; points: 20; minutes: 8; function: count_tokens
#
# BERT sees a text in tokens, and you want to know how many **before** you tokenise anything. Write
# `count_tokens(text, second=None)`: the number of tokens of a text, or of a pair of texts, with
# `[CLS]` and `[SEP]`.
#
# The pre-tokenizer separates at spaces, makes each punctuation mark a word of its own, and each
# Chinese character as well (those from `"一"` to `"鿿"`). What is left between these are words of
# letters or digits; assume that each of them is one entry of the vocabulary.
#
# *Example.* `BERT有12层` has six tokens: `[CLS] bert 有 12 层 [SEP]`. `It's 3 pm.` has eight: `[CLS] it
# ' s 3 pm . [SEP]`.

# %% stub
def count_tokens(text: str, second: str | None = None) -> int:
    """Tokens of a text or of a pair, special tokens included."""
    # BEGIN SOLUTION
    both = [text] if second is None else [text, second]
    words = re.findall(r"[一-鿿]|[^\W一-鿿]+|[^\w\s]", " ".join(both))
    return len(words) + 1 + len(both)
    # END SOLUTION

# %% check
def cases(rng):
    chinese = "这部电影非常精彩服务很差他正在跑步天气好户外散"
    latin = ["BERT", "model", "GPT", "reads", "film", "isn't", "T5", "well-known"]
    marks = list("，。！？、") + [",", ".", "!", "?", ":"]

    def text(parts):
        out = ""
        for _ in range(parts):
            kind = rng.random()
            if kind < 0.5:
                out += "".join(rng.choice(list(chinese), size=int(rng.integers(2, 6))))
            elif kind < 0.8:
                word = str(rng.choice(latin)) if kind < 0.7 else str(rng.integers(10, 3000))
                out += (" " if out and out[-1].isascii() and out[-1].isalnum() else "") + word
            else:
                out += str(rng.choice(marks)) + " "
        return out.strip() + str(rng.choice(list("。！？")))

    yield {"text": "这部电影非常精彩！"}
    yield {"text": "天气很好", "second": "户外散步"}
    yield {"text": "BERT有12层"}
    yield {"text": "It's 3 pm."}
    yield {"text": "BERT 读 2 个 词 。"}
    yield {"text": "T5读了2024个词,很快!"}
    yield {"text": "well-known, isn't it?"}
    for parts in (4, 7, 9):
        yield {"text": text(parts)}
    for _ in range(2):
        yield {"text": text(4), "second": text(3)}

def numbers(case, got, expected):
    second = case.get("second")
    both = case["text"] if second is None else f"{case['text']} + {second}"
    return {
        "text": both, "yours": got, "right": expected,
        "characters": len(case["text"]) + len(second or ""),
    }

# %% another right solution
def count_tokens(text, second=None):
    total, inside = 1, False
    for part in (text, second):
        if part is None:
            continue
        for character in part + " ":
            if "一" <= character <= "鿿" or not (character.isalnum() or character.isspace()):
                total, inside = total + 1, False
            elif character.isspace():
                inside = False
            else:
                total, inside = total + (not inside), True
        total += 1
    return total

# %% misconception: the special tokens are forgotten
# says: For “{text}” you have {yours}, and there are {right}. The words are counted rightly; `[CLS]`
# in front and a `[SEP]` behind each text are tokens as well, and take a place each.
# edit: len(words) + 1 + len(both) => len(words)
# %% misconception: no separator in a pair
# says: For the pair “{text}” you have {yours}, and there are {right}. Between the two texts stands
# a `[SEP]` as well: without it nobody could tell where the second begins.
# edit: 1 + len(both) => 2
# %% misconception: one special token
# says: For “{text}” you have {yours}, and there are {right}. One special token is missing: `[CLS]`
# stands in front of the row, and `[SEP]` ends every text, the last one too. (The notes behind this
# course made the same slip.)
# edit: + 1 + len(both) => + len(both)
# %% misconception: characters for tokens
# says: For “{text}” you have {yours}, and there are {right}. You count all {characters} characters.
# That is right for pure Chinese; a word in letters or a number is one token however long it is, and
# a space is none.
# edit: len(words) => len("".join(both))
# %% misconception: characters without the spaces
# says: For “{text}” you have {yours}, and there are {right}. You count all characters but the
# spaces. That is right for pure Chinese; a word in letters or a number is one token, however long
# it is.
# edit: len(words) => len("".join(both).replace(" ", ""))
# %% misconception: every digit by itself
# says: For “{text}” you have {yours}, and there are {right}. You make every digit a word of its
# own. The pre-tokenizer does not cut between letters and digits, nor between digits: a number is
# one word.
# edit: [^\W一-鿿]+ => [a-zA-Z]+|\d
# %% misconception: letters and digits apart
# says: For “{text}” you have {yours}, and there are {right}. You cut between letters and digits.
# The pre-tokenizer does not: what stands between spaces, marks and Chinese characters is one word,
# be it of letters or digits or both.
# edit: [^\W一-鿿]+ => [a-zA-Z]+|\d+
# %% misconception: only the keyboard's marks count
# says: For “{text}” you have {yours}, and there are {right}. You know the punctuation of an English
# keyboard and miss marks such as ！ and 。, which are tokens as well. (`string.punctuation` holds
# only the former.)
# edit: [^\W一-鿿]+|[^\w\s] => [a-zA-Z0-9]+|[!-/:-@\[-`{-~]
# %% misconception: an apostrophe joins
# says: For “{text}” you have {yours}, and there are {right}. With you a mark inside a word belongs
# to it. BERT's pre-tokenizer cuts around every punctuation mark: it's becomes it, ' and s.
# edit: [^\W一-鿿]+ => [a-zA-Z0-9'-]+
# %% misconception: Chinese words stay whole
# says: For “{text}” you have {yours}, and there are {right}. A run of Chinese characters is one
# word with you. BERT's pre-tokenizer cuts around each Chinese character, before anything is looked
# up.
# edit: [一-鿿]|[^\W一-鿿]+ => \w+
# %% misconception: only spaces separate
# says: For “{text}” you have {yours}, and there are {right}. You cut at spaces alone. Punctuation
# marks and Chinese characters become words of their own, and Chinese has no spaces between them.
# edit: re.findall(r"[一-鿿]|[^\W一-鿿]+|[^\w\s]", " ".join(both)) => " ".join(both).split()
# %% misconception: two rows for a pair
# says: For the pair “{text}” you have {yours}, and there are {right}. You count each text as a row
# of its own. A pair is one row: there is only one `[CLS]`, in front of the first text.
# edit: 1 + len(both) => 2 * len(both)
# %% misconception: punctuation is left out
# says: For “{text}” you have {yours}, and there are {right}. Punctuation is missing. BERT throws no
# mark away: each is a token of its own, also the ones inside a word such as the apostrophe in it's.
# edit: |[^\w\s]" => "
# %% hints
# 1. Write down the tokens of `这部电影非常精彩！` and count them. Nine characters; how many tokens?
# 2. One way: put a space on both sides of every Chinese character and every punctuation mark, then
# `split()`. What is neither a letter nor a digit nor a space is punctuation (`isalnum`, `isspace`);
# and mind that Chinese characters are letters to `isalnum`.
# 3. Another way: `re.findall` with three alternatives: one Chinese character; a run of other letters
# and digits; one sign that is neither letter nor space. To the number of words add 2 for a text and
# 3 for a pair.
# %% explanation
# For Chinese, counting tokens is counting characters, because each is cut off before WordPiece
# looks at anything; letters and digits stay together until then. A text has two special tokens, a
# pair three. (In a real vocabulary a rare word of letters takes several subword tokens, so the true
# number can be larger.)
