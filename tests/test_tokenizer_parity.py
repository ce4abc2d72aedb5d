"""Tokenizer against transformers' BertTokenizerFast: same ids, segments, masks, offsets."""

import shutil
from itertools import islice

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from minibert import Tokenizer
from minibert.data.corpora import load_corpus
from minibert.data.datasets import load_dataset
from minibert.data.download import fetch

transformers = pytest.importorskip("transformers")
pytestmark = pytest.mark.data

FIELDS = ("input_ids", "token_type_ids", "attention_mask", "special_tokens_mask", "offset_mapping")


@pytest.fixture(scope="module")
def english():
    """12,000 sentences of Wikipedia and 4,000 of film reviews."""
    corpus = (sentence for document in load_corpus("boolq").train for sentence in document)
    reviews = [example.text for example in load_dataset("movies").train]
    return [*islice(corpus, 12_000), *reviews[:4_000]]


@pytest.fixture(scope="module")
def chinese():
    return [example.text for example in load_dataset("reviews-zh").train][:6_000]


@pytest.fixture(scope="module")
def minilm():
    return Tokenizer.from_pretrained("minilm"), reference(fetch("minilm"))


@pytest.fixture(scope="module")
def trained_zh(chinese, tmp_path_factory):
    """A Chinese tokenizer made here, saved here, and opened there."""
    folder = tmp_path_factory.mktemp("zh")
    ours = Tokenizer.train(chinese, vocab_size=8_000)
    ours.save_pretrained(folder)
    return ours, reference(folder)


def reference(folder):
    return transformers.BertTokenizerFast.from_pretrained(folder)


def expected(theirs, texts, pairs=None, **options):
    options.setdefault("padding", True)
    # In transformers the sides are attributes; putting them back keeps the tests apart.
    sides = {k: options.pop(k) for k in ("padding_side", "truncation_side") if k in options}
    before = theirs.padding_side, theirs.truncation_side
    theirs.padding_side = sides.get("padding_side", "right")
    theirs.truncation_side = sides.get("truncation_side", "right")
    try:
        return theirs(
            texts,
            pairs,
            return_tensors="pt",
            return_special_tokens_mask=True,
            return_offsets_mapping=True,
            **options,
        )
    finally:
        theirs.padding_side, theirs.truncation_side = before


def found(ours, texts, pairs=None, **options):
    options.setdefault("padding", True)
    extra = ["special_tokens_mask", "offset_mapping", "word_ids"]
    return ours(texts, pairs, extra=extra, **options)


def assert_same(mine, theirs, fields=FIELDS):
    for field in fields:
        assert mine[field].shape == theirs[field].shape, field
        differing = (mine[field] != theirs[field]).flatten(1).any(1).nonzero().flatten().tolist()
        assert not differing, f"{field} differs in rows {differing[:5]}"


def batches(items, size=1_000):
    return [items[i : i + size] for i in range(0, len(items), size)]


# ---------------------------------------------------------------- 20,000 real sentences


@pytest.mark.slow
def test_english_sentences(minilm, english):
    ours, theirs = minilm
    assert len(english) == 16_000
    for texts in batches(english):
        assert_same(found(ours, texts), expected(theirs, texts))


@pytest.mark.slow
def test_chinese_sentences_with_a_tokenizer_trained_here(trained_zh, chinese):
    ours, theirs = trained_zh
    assert len(chinese) == 6_000
    for texts in batches(chinese):
        options = {"truncation": True, "max_length": 512}
        assert_same(found(ours, texts, **options), expected(theirs, texts, **options))


def test_chinese_sentences_with_the_english_vocabulary(minilm, chinese):
    ours, theirs = minilm
    options = {"truncation": True, "max_length": 256}
    texts = chinese[:1_000]
    assert_same(found(ours, texts, **options), expected(theirs, texts, **options))


def test_pairs(minilm, english):
    ours, theirs = minilm
    first, second = english[:2_000], english[2_000:4_000]
    assert_same(found(ours, first, second), expected(theirs, first, second))


def test_words_already_split_and_their_word_ids(minilm, english):
    ours, theirs = minilm
    words = [sentence.split() for sentence in english[:1_000]]
    mine = found(ours, words, is_split_into_words=True)
    wanted = expected(theirs, words, is_split_into_words=True)
    assert_same(mine, wanted)
    for i, row in enumerate(mine["word_ids"].tolist()):
        assert [None if w == -1 else w for w in row] == wanted.word_ids(i)


def test_decoding(minilm, english):
    ours, theirs = minilm
    for text in english[:500]:
        ids = ours.encode(text)["input_ids"]
        for skip in (True, False):
            wanted = theirs.decode(
                ids, skip_special_tokens=skip, clean_up_tokenization_spaces=False
            )
            assert ours.decode(ids, skip_special_tokens=skip) == wanted


# ---------------------------------------------------------------- cutting, padding, windows


@pytest.fixture(scope="module")
def questions():
    """Question, long passage: the lengths differ enough for every strategy to matter."""
    rows = load_dataset("boolq").dev[:200]
    return [row.text for row in rows], [row.text_pair for row in rows]


@pytest.mark.parametrize("truncation_side", ["right", "left"])
@pytest.mark.parametrize("padding_side", ["right", "left"])
@pytest.mark.parametrize("padding", [True, "max_length"])
def test_sides_of_padding_and_truncation(minilm, english, padding, padding_side, truncation_side):
    ours, theirs = minilm
    options = {
        "padding": padding,
        "padding_side": padding_side,
        "truncation_side": truncation_side,
        "truncation": True,
        "max_length": 24,
    }
    texts = english[:300]
    assert_same(found(ours, texts, **options), expected(theirs, texts, **options))


@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize("strategy", [True, "longest_first", "only_second"])
@pytest.mark.parametrize("max_length", [40, 63, 128])
def test_truncation_of_pairs(minilm, questions, strategy, side, max_length):
    ours, theirs = minilm
    options = {"truncation": strategy, "truncation_side": side, "max_length": max_length}
    assert_same(found(ours, *questions, **options), expected(theirs, *questions, **options))


def test_truncation_of_the_first_text_only(minilm, questions):
    ours, theirs = minilm
    turned = questions[1], questions[0]
    options = {"truncation": "only_first", "max_length": 64}
    assert_same(found(ours, *turned, **options), expected(theirs, *turned, **options))


@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize(("max_length", "stride"), [(64, 0), (64, 16), (100, 50)])
def test_windows_over_the_passage(minilm, questions, side, max_length, stride):
    ours, theirs = minilm
    options = {"truncation_side": side, "max_length": max_length, "stride": stride}
    mine = found(ours, *questions, **options)
    wanted = expected(
        theirs, *questions, truncation="only_second", return_overflowing_tokens=True, **options
    )
    assert len(mine["input_ids"]) > 1.5 * len(questions[0])  # most passages were split
    assert_same(mine, wanted)
    samples = wanted["overflow_to_sample_mapping"]
    assert torch.equal(mine["overflow_to_sample_mapping"], samples)


def test_windows_over_single_texts(minilm, questions):
    ours, theirs = minilm
    options = {"max_length": 64, "stride": 20}
    mine = found(ours, questions[1], **options)
    wanted = expected(
        theirs, questions[1], truncation=True, return_overflowing_tokens=True, **options
    )
    assert_same(mine, wanted)
    samples = wanted["overflow_to_sample_mapping"]
    assert torch.equal(mine["overflow_to_sample_mapping"], samples)


# ---------------------------------------------------------------- folders, both ways


@pytest.mark.parametrize("lowercase", [True, False])
def test_a_folder_saved_here_opens_there(tmp_path, english, lowercase):
    ours = Tokenizer.train(english[:1_000], vocab_size=1_000, lowercase=lowercase)
    ours.model_max_length = 128
    ours.save_pretrained(tmp_path)
    theirs = reference(tmp_path)
    assert theirs.model_max_length == 128
    assert theirs.get_vocab() == ours.vocab
    options = {"truncation": True, "max_length": 128}
    assert_same(
        found(ours, english[:1_000], **options), expected(theirs, english[:1_000], **options)
    )


def test_a_folder_with_vocab_txt_alone(tmp_path, english, minilm):
    shutil.copy(fetch("minilm") / "vocab.txt", tmp_path)
    ours = Tokenizer.from_pretrained(tmp_path)
    assert_same(found(ours, english[:500]), expected(minilm[1], english[:500]))


@pytest.mark.parametrize("lowercase", [True, False])
def test_a_folder_saved_there_opens_here(tmp_path, english, minilm, lowercase):
    vocab = minilm[0].vocab
    theirs = transformers.BertTokenizerFast(vocab=vocab, do_lower_case=lowercase)
    theirs.save_pretrained(tmp_path)
    ours = Tokenizer.from_pretrained(tmp_path)
    assert ours.lowercase == lowercase
    assert_same(found(ours, english[:500]), expected(theirs, english[:500]))


# ---------------------------------------------------------------- generated Unicode

GENERATED = settings(derandomize=True, max_examples=400, deadline=None, database=None)
# Anything, mixed with what tokenizers trip over: accents, joiners, Chinese, special tokens.
odd = "é e\u0301 \u200d \u00ad 电影 𠀀 ！ [MASK] [SEP] ##s \ufffd \0 İ ß ﬁ \u2028 \x85 👩\u200d👧"
tricky = st.sampled_from([*odd.split(" "), "한국", "don't", "U.S.", "x" * 101, " ", "\t"])
letters = st.characters(exclude_categories=["Cs"])
texts = st.lists(st.one_of(tricky, st.text(letters, max_size=8)), min_size=1, max_size=8)
texts = texts.map("".join).filter(str.strip)


@GENERATED
@given(text=texts)
def test_generated_text(minilm, text):
    ours, theirs = minilm
    assert_same(found(ours, [text]), expected(theirs, [text]))


@GENERATED
@given(
    first=texts,
    second=texts,
    max_length=st.integers(5, 20),
    side=st.sampled_from(["left", "right"]),
)
def test_generated_pairs_cut(minilm, first, second, max_length, side):
    ours, theirs = minilm
    options = {"truncation": True, "max_length": max_length, "truncation_side": side}
    assert_same(
        found(ours, [first], [second], **options), expected(theirs, [first], [second], **options)
    )


@GENERATED
@given(text=texts, max_length=st.integers(4, 12), data=st.data())
def test_generated_windows(minilm, text, max_length, data):
    ours, theirs = minilm
    stride = data.draw(st.integers(0, max_length - 3))
    options = {"max_length": max_length, "stride": stride}
    wanted = expected(theirs, [text], truncation=True, return_overflowing_tokens=True, **options)
    assert_same(found(ours, [text], **options), wanted)


@GENERATED
@given(text=texts)
def test_generated_text_with_a_cased_chinese_vocabulary(cased_zh, text):
    ours, theirs = cased_zh
    assert_same(found(ours, [text]), expected(theirs, [text]))


@pytest.fixture(scope="module")
def cased_zh(chinese, tmp_path_factory):
    folder = tmp_path_factory.mktemp("cased")
    ours = Tokenizer.train(chinese[:2_000], vocab_size=4_000, lowercase=False)
    ours.save_pretrained(folder)
    return ours, reference(folder)
