"""The plain-Python subword algorithms against the `tokenizers` library, and against each other."""

import json
from collections import Counter
from itertools import islice, pairwise

import pytest
from tokenizers import Tokenizer as Library
from tokenizers import models, pre_tokenizers, trainers

from minibert import Tokenizer
from minibert.data.corpora import load_corpus
from minibert.data.datasets import load_dataset
from minibert.tokenization.files import SPECIAL_TOKENS, bert_backend
from minibert.tokenization.wordpiece import (
    count_words,
    encode_bpe,
    encode_wordpiece,
    split_words,
    train_bpe,
    train_wordpiece,
)

data = pytest.mark.data
HUGS = {"hug": 10, "pug": 5, "pun": 12, "bun": 4, "hugs": 5}


ENTRIES = 1_200  # of the vocabularies trained here


@pytest.fixture(scope="module")
def sentences():
    corpus = load_corpus("boolq").train
    return list(islice((sentence for document in corpus for sentence in document), 3_000))


@pytest.fixture(scope="module")
def counts(sentences):
    return count_words(sentences[:500])


@pytest.fixture(scope="module")
def unseen_words(sentences, counts):
    words = [word for word in count_words(sentences[500:]) if word not in counts]
    assert len(words) > 3_000
    return words


@pytest.fixture(scope="module")
def plain_bpe(counts):
    return train_bpe(counts, ENTRIES)


@pytest.fixture(scope="module")
def marked_bpe(counts):
    return train_bpe(counts, ENTRIES, prefix="##")


@pytest.fixture(scope="module")
def wordpiece(counts):
    return train_wordpiece(counts, ENTRIES)


def library_bpe(counts, vocab_size, prefix, fixed=()):
    """The library's vocabulary and merges."""
    options = {"continuing_subword_prefix": prefix} if prefix else {}
    library = Library(models.BPE(**options))
    library.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        min_frequency=2,
        special_tokens=list(fixed),
        show_progress=False,
        **options,
    )
    library.train_from_iterator([" ".join(Counter(counts).elements())], trainer)
    merges = json.loads(library.to_str())["model"]["merges"]
    return library.get_vocab(), [tuple(pair) for pair in merges]


# ---------------------------------------------------------------- words


@data
@pytest.mark.parametrize("lowercase", [True, False])
def test_words_are_the_librarys(sentences, lowercase):
    backend = bert_backend({}, lowercase)
    reviews = [example.text for example in load_dataset("reviews-zh").train[:2_000]]
    for text in [*sentences, *reviews]:
        clean = backend.normalizer.normalize_str(text)
        words = [word for word, _ in backend.pre_tokenizer.pre_tokenize_str(clean)]
        assert split_words(text, lowercase) == words


def test_chinese_characters_are_words_before_any_entry_is_looked_up():
    # Claim A11: that 电 and 影 were frequent has nothing to do with it.
    assert split_words("这部电影very good！") == [*"这部电影", "very", "good", "！"]


def test_an_entry_of_two_chinese_characters_is_never_used():
    tokenizer = Tokenizer.from_vocab([*SPECIAL_TOKENS, "电", "影", "电影", "##影"])
    assert tokenizer.tokenize("电影") == ["电", "影"]


# ---------------------------------------------------------------- BPE


@data
def test_bpe_merges_are_the_librarys(counts, plain_bpe):
    vocab, merges = plain_bpe
    wanted_vocab, wanted = library_bpe(counts, ENTRIES, "")
    assert len(vocab) == ENTRIES
    assert len(merges) == ENTRIES - len(alphabet_of(vocab))
    assert merges == wanted
    assert {token: i for i, token in enumerate(vocab)} == wanted_vocab


@data
def test_bpe_merges_with_marked_insides_are_the_librarys(counts, marked_bpe):
    vocab, merges = marked_bpe
    # The library numbers ##x in random order, which decides ties: give it our numbers.
    _, wanted = library_bpe(counts, ENTRIES, "##", alphabet_of(vocab))
    assert len(vocab) == ENTRIES
    assert len(merges) == ENTRIES - len(alphabet_of(vocab))
    assert merges == wanted


@data
@pytest.mark.parametrize("prefix", ["", "##"])
def test_bpe_encodings_are_the_librarys(counts, unseen_words, plain_bpe, marked_bpe, prefix):
    vocab, merges = marked_bpe if prefix else plain_bpe
    ids = {token: i for i, token in enumerate([*vocab, "[UNK]"])}
    options = {"continuing_subword_prefix": prefix} if prefix else {}
    library = Library(models.BPE(ids, merges, unk_token="[UNK]", **options))
    for word in [*list(counts)[:500], *unseen_words[:1_000], "☃", "snow☃man", "☃☃"]:
        assert encode_bpe(word, ids, merges, prefix) == library.encode(word).tokens, word


def test_bpe_of_a_repeated_letter():
    # Overlapping pairs: "aaaa" holds the pair three times, but only two merges fit.
    vocab, merges = train_bpe({"aaaa": 2, "aaab": 1}, 10)
    assert merges[0] == ("a", "a")
    assert encode_bpe("aaaaa", set(vocab), merges[:1]) == ["aa", "aa", "a"]


# ---------------------------------------------------------------- WordPiece


@data
def test_wordpiece_encodings_are_the_librarys(sentences):
    backend = Tokenizer.from_pretrained("minilm").backend
    vocab = backend.get_vocab()
    words = [*count_words(sentences), "☃", "snow☃man", "a" * 100, "a" * 101, "unaffable" * 12]
    assert len(words) > 8_000
    for word in words:
        wanted = backend.encode(word, add_special_tokens=False).tokens
        assert encode_wordpiece(word, vocab) == wanted, word


def test_the_longest_entry_wins_even_where_a_shorter_one_would_let_the_word_be_finished():
    assert encode_wordpiece("abc", {"a", "ab", "##bc"}) == ["[UNK]"]
    assert encode_wordpiece("abc", {"a", "##bc"}) == ["a", "##bc"]


def test_the_two_trainers_first_merges_by_hand():
    # ug occurs 20 times; g and s 5 times together, 20 and 5 times at all: 5 / (20 * 5).
    assert train_bpe(HUGS, 100, prefix="##")[1][0] == ("##u", "##g")
    assert train_wordpiece(HUGS, 100)[1][0] == ("##g", "##s")


def scores_from_scratch(words, score):
    """Every pair's score, counted anew over all words."""
    singles, pairs = Counter(), Counter()
    for symbols, n in words:
        for symbol in symbols:
            singles[symbol] += n
        for pair in pairwise(symbols):
            pairs[pair] += n
    return {p: score(n, singles[p[0]], singles[p[1]]) for p, n in pairs.items() if n >= 2}


@data
@pytest.mark.parametrize(
    ("train", "score"),
    [
        (lambda counts: train_bpe(counts, 400, prefix="##"), lambda ab, a, b: ab),
        (lambda counts: train_wordpiece(counts, 400), lambda ab, a, b: ab / (a * b)),
    ],
    ids=["bpe", "wordpiece"],
)
def test_every_merge_has_the_best_score_of_its_moment(sentences, train, score):
    # The trainers count only what changed; this counts everything again after every merge.
    counts = count_words(sentences[:60])
    _, merges = train(counts)
    assert len(merges) > 250
    words = [([w[0], *marked(w)], n) for w, n in counts.items()]
    for merge in merges:
        scores = scores_from_scratch(words, score)
        assert scores[merge] == max(scores.values())
        for symbols, _ in words:
            i = 0
            while i < len(symbols) - 1:
                if (symbols[i], symbols[i + 1]) == merge:
                    symbols[i : i + 2] = [merge[0] + merge[1].removeprefix("##")]
                i += 1


# ---------------------------------------------------------------- claim C3


@data
@pytest.mark.slow
def test_the_librarys_wordpiece_trainer_merges_by_frequency():
    # Its WordPieceTrainer on BoolQ's passages gives the vocabulary that BPE gives.
    texts = [s for document in load_corpus("boolq").train[:3_000] for s in document]
    options = {"vocab_size": 4_096, "min_frequency": 2, "special_tokens": list(SPECIAL_TOKENS)}
    wordpiece = bert_backend({"[UNK]": 0}, lowercase=True)
    wordpiece.train_from_iterator(texts, trainers.WordPieceTrainer(show_progress=False, **options))
    bpe = Library(models.BPE(unk_token="[UNK]"))
    bpe.normalizer, bpe.pre_tokenizer = wordpiece.normalizer, wordpiece.pre_tokenizer
    bpe.train_from_iterator(
        texts,
        trainers.BpeTrainer(show_progress=False, continuing_subword_prefix="##", **options),
    )
    assert len(wordpiece.get_vocab()) == 4_096
    assert len(wordpiece.get_vocab().keys() & bpe.get_vocab().keys()) >= 4_094


@data
def test_the_likelihood_score_merges_other_pairs_than_frequency(marked_bpe, wordpiece):
    (frequency, by_frequency), (likelihood, by_likelihood) = marked_bpe, wordpiece
    assert len(set(by_frequency[:100]) & set(by_likelihood[:100])) <= 5
    assert len(set(frequency) & set(likelihood)) < 0.5 * ENTRIES


@data
def test_no_word_of_seen_characters_is_unknown(marked_bpe, wordpiece, unseen_words):
    for entries, _ in (marked_bpe, wordpiece):
        vocab = set(entries)
        spelled = [w for w in unseen_words if all(c in vocab for c in (w[0], *marked(w)))]
        assert len(spelled) > 3_000
        assert all(encode_wordpiece(word, vocab) != ["[UNK]"] for word in spelled)


def marked(word):
    return [f"##{character}" for character in word[1:]]


def alphabet_of(vocab):
    """The entries that are there before any merge: single characters, marked or not."""
    return [token for token in vocab if len(token.removeprefix("##")) == 1]
