"""Learning a vocabulary with the `tokenizers` library, the same one every time (claims B15, C3)."""

from collections import Counter
from collections.abc import Iterable

from tokenizers import Tokenizer as Backend
from tokenizers import trainers
from tqdm import tqdm

from minibert.tokenization.files import SPECIAL_TOKENS, bert_backend


def train_vocabulary(
    texts: Iterable[str],
    vocab_size: int,
    lowercase: bool,
    min_frequency: int,
    limit_alphabet: int | None,
) -> list[str]:
    """Learn WordPiece entries: special tokens, characters, then subword tokens by merge.

    The library merges the most frequent pair, as BPE does, although its class is called
    WordPieceTrainer (claim C3; `wordpiece.py` has the likelihood score beside it).

    Args:
        texts: sentences or documents; iterated twice.
        vocab_size: entries at most.
        lowercase: make capitals small and drop accents first.
        min_frequency: a pair seen less often is not merged.
        limit_alphabet: keep only so many characters, the most frequent; None keeps all.

    Returns:
        the entries in the order of their ids.

    Raises:
        ValueError: if `vocab_size` cannot hold the special tokens and the characters.
    """
    backend = bert_backend({token: i for i, token in enumerate(SPECIAL_TOKENS)}, lowercase)
    alphabet = _alphabet(backend, texts, limit_alphabet)
    if not alphabet:
        raise ValueError("no text to train a tokenizer on: every text is empty")
    fixed = [*SPECIAL_TOKENS, *alphabet]
    if vocab_size < len(fixed):
        raise ValueError(
            f"vocab_size={vocab_size} cannot hold {len(SPECIAL_TOKENS)} special tokens and "
            f"{len(alphabet)} characters: pass at least {len(fixed)}, or limit_alphabet"
        )
    # Left alone, the trainer numbers the ##x in the order of a randomly seeded hash table, and
    # ties between merges follow the numbers: another vocabulary at every run. Naming all
    # characters as "special" fixes their numbers; limit 0 keeps it from adding any of its own.
    trainer = trainers.WordPieceTrainer(
        vocab_size=vocab_size,
        min_frequency=min_frequency,
        special_tokens=fixed,
        limit_alphabet=0,
        show_progress=False,
    )
    backend.train_from_iterator(texts, trainer)
    learned = backend.get_vocab()
    return sorted(learned, key=learned.__getitem__)


def _alphabet(backend: Backend, texts: Iterable[str], limit: int | None) -> list[str]:
    """The characters of the texts, `x` and (where seen inside a word) `##x`, in a fixed order.

    Every character is there as `x`, even one seen only inside words: a text may begin with it.
    """
    words: Counter[str] = Counter()
    for text in tqdm(texts, desc="reading the characters", delay=2, disable=None):
        clean = backend.normalizer.normalize_str(text)
        words.update(word for word, _ in backend.pre_tokenizer.pre_tokenize_str(clean))
    characters: Counter[str] = Counter()
    inside: set[str] = set()
    for word, count in words.items():
        for character in word:
            characters[character] += count
        inside.update(word[1:])
    ranked = sorted(characters, key=lambda c: (-characters[c], c))  # ties by code point
    kept = set(ranked if limit is None else ranked[:limit])
    return sorted(kept) + [f"##{character}" for character in sorted(inside & kept)]
