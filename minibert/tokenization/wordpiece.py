"""How subwords are learned and used, in plain Python, for reading (chapter 2; claims A11, B15, C3).

BPE merges the pair of neighbours that is most frequent; WordPiece, as published (Schuster and
Nakajima 2012; claim C3), the pair whose parts most belong together, n(ab) / (n(a) n(b)). To
write a word, BPE repeats its merges in the order in which they were learned; WordPiece takes the
longest entry that fits, from left to right. `tokenizer.py` does the same at full speed.
"""

import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from itertools import pairwise

Pair = tuple[str, str]
UNKNOWN = "[UNK]"
# Blocks of Chinese characters, as in Google's BERT (tokenization.py, `_is_chinese_char`).
CHINESE = (
    (0x3400, 0x4DBF),
    (0x4E00, 0x9FFF),
    (0xF900, 0xFAFF),
    (0x20000, 0x2A6DF),
    (0x2A700, 0x2B73F),
    (0x2B740, 0x2B81F),
    (0x2B820, 0x2CEAF),
    (0x2F800, 0x2FA1F),
)


# ------------------------------------------------------------------ text to words


def split_words(text: str, lowercase: bool = True) -> list[str]:
    """Cut a text into words as BERT does: at spaces, around punctuation and Chinese characters.

    So no entry can ever hold two Chinese characters: 电影 reaches WordPiece as 电 and 影 (A11).

    Args:
        text: any text.
        lowercase: make capitals small and drop accents.
    """
    if lowercase:
        # Take é apart into e and its accent, then leave the accents ("Mn") out.
        parts = unicodedata.normalize("NFD", text)
        text = "".join(c for c in parts if unicodedata.category(c) != "Mn").lower()
    spaced = []
    for character in text:
        if character in "\t\n\r":
            spaced.append(" ")
        elif character in "\0\ufffd" or unicodedata.category(character).startswith("C"):
            continue
        elif is_chinese(character) or is_punctuation(character):
            spaced.append(f" {character} ")
        else:
            spaced.append(character)
    return "".join(spaced).split()


def is_chinese(character: str) -> bool:
    """Whether a character stands in one of the `CHINESE` blocks."""
    return any(first <= ord(character) <= last for first, last in CHINESE)


def is_punctuation(character: str) -> bool:
    """Whether Unicode calls it punctuation, or it is a sign of the keyboard such as $ or ^."""
    keyboard = "!" <= character <= "~" and not character.isalnum()
    return keyboard or unicodedata.category(character).startswith("P")


def count_words(texts: Iterable[str], lowercase: bool = True) -> Counter[str]:
    """How often each word stands in the texts: all that the trainers below need to know."""
    return Counter(word for text in texts for word in split_words(text, lowercase))


# ------------------------------------------------------------------ learning


def train_bpe(
    counts: Mapping[str, int], vocab_size: int, min_frequency: int = 2, prefix: str = ""
) -> tuple[list[str], list[Pair]]:
    """Learn BPE: merge the most frequent pair of neighbours, again and again.

    Args:
        counts: how often each word occurs.
        vocab_size: stop at so many entries, characters included.
        min_frequency: stop when no pair is as frequent as this.
        prefix: what marks a subword token inside a word, "##" to compare with WordPiece.

    Returns:
        the entries (characters, then one for each merge); the merges in order.
    """
    return _train(counts, vocab_size, min_frequency, prefix, lambda n_ab, n_a, n_b: n_ab)


def train_wordpiece(
    counts: Mapping[str, int], vocab_size: int, min_frequency: int = 2
) -> tuple[list[str], list[Pair]]:
    """Learn WordPiece: merge the pair with the highest n(ab) / (n(a) n(b)).

    Up to a factor that is the same for all pairs, this is how much more often a and b are
    neighbours than they would be by chance, so frequent parts have to earn their merge (C3).

    Args:
        counts: how often each word occurs.
        vocab_size: stop at so many entries, characters included.
        min_frequency: a pair seen less often is left alone: with 1, every pair of characters
            that both occur once would come first.

    Returns:
        the entries (characters, then one for each merge); the merges in order.
    """
    return _train(
        counts, vocab_size, min_frequency, "##", lambda n_ab, n_a, n_b: n_ab / (n_a * n_b)
    )


def _train(
    counts: Mapping[str, int],
    vocab_size: int,
    min_frequency: int,
    prefix: str,
    score: Callable[[int, int, int], float],
) -> tuple[list[str], list[Pair]]:
    """Merge the pair of the highest score until the vocabulary is full.

    Only the words that hold the merged pair change, so only their pairs are counted anew. Equal
    scores: the pair of the earlier entries wins, as in the `tokenizers` library.
    """
    words = [[c if i == 0 else prefix + c for i, c in enumerate(word)] for word in counts]
    times = list(counts.values())
    singles: Counter[str] = Counter()
    pairs: Counter[Pair] = Counter()
    where: defaultdict[Pair, set[int]] = defaultdict(set)  # numbers of words; some out of date

    def count(w: int, sign: int) -> None:
        for symbol in words[w]:
            singles[symbol] += sign * times[w]
        for pair in pairwise(words[w]):
            pairs[pair] += sign * times[w]
            if sign > 0:
                where[pair].add(w)
            elif pairs[pair] == 0:
                del pairs[pair]

    for w in range(len(words)):
        count(w, +1)
    # Every character by itself, for a text may begin with it; then those seen inside words.
    alone = sorted({c for word in counts for c in word})
    inside = sorted(symbol for symbol in singles if prefix and len(symbol) > 1)
    rank = {symbol: i for i, symbol in enumerate(alone + inside)}
    merges: list[Pair] = []
    while len(rank) < vocab_size:
        frequent = [pair for pair, n in pairs.items() if n >= min_frequency]
        if not frequent:
            break
        scores = [score(pairs[a, b], singles[a], singles[b]) for a, b in frequent]
        top = max(scores)
        equal = [pair for pair, s in zip(frequent, scores, strict=True) if s == top]
        best = min(equal, key=lambda pair: (rank[pair[0]], rank[pair[1]]))
        joined = best[0] + best[1].removeprefix(prefix)
        for w in where.pop(best):
            count(w, -1)
            words[w] = _merge(words[w], best, joined)
            count(w, +1)
        merges.append(best)
        rank.setdefault(joined, len(rank))
    return list(rank), merges


def _merge(symbols: Sequence[str], pair: Pair, joined: str) -> list[str]:
    """Replace a pair by its join wherever it stands, from left to right."""
    merged: list[str] = []
    i = 0
    while i < len(symbols):
        if tuple(symbols[i : i + 2]) == pair:
            merged.append(joined)
            i += 2
        else:
            merged.append(symbols[i])
            i += 1
    return merged


# ------------------------------------------------------------------ using


def encode_bpe(
    word: str, vocab: Container[str], merges: Sequence[Pair], prefix: str = ""
) -> list[str]:
    """Write a word with BPE: of the pairs in it, join the one learned first, until none is left.

    A character that is no entry becomes `[UNK]`, the rest of the word is still written.
    """
    order = {pair: i for i, pair in enumerate(merges)}
    symbols = [c if i == 0 else prefix + c for i, c in enumerate(word)]
    symbols = [symbol if symbol in vocab else UNKNOWN for symbol in symbols]
    while True:
        known = [(order[pair], i) for i, pair in enumerate(pairwise(symbols)) if pair in order]
        if not known:
            return symbols
        _, i = min(known)
        symbols[i : i + 2] = [symbols[i] + symbols[i + 1].removeprefix(prefix)]


def encode_wordpiece(word: str, vocab: Container[str], max_characters: int = 100) -> list[str]:
    """Write a word with WordPiece: the longest entry that fits, then the longest for the rest.

    A word that cannot be finished, or is longer than `max_characters`, becomes one `[UNK]`.
    """
    if len(word) > max_characters:
        return [UNKNOWN]
    tokens: list[str] = []
    start = 0
    while start < len(word):
        for end in range(len(word), start, -1):
            token = word[start:end] if start == 0 else "##" + word[start:end]
            if token in vocab:
                break
        else:
            return [UNKNOWN]
        tokens.append(token)
        start = end
    return tokens
