"""What is cut out of a text by its tokens is the text, letter for letter, in every script."""

import unicodedata

import numpy as np
import pytest
import tiny
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from minibert import BertForQuestionAnswering, BertForTokenClassification, Tokenizer
from minibert.data.examples import AnswerExample
from minibert.finetuning.answering import AnsweringDataset, answers
from minibert.finetuning.predict import predict
from minibert.pretraining.corpus import TokenCorpus
from minibert.tokenization.covering import Dropped, covering
from minibert.tokenization.rows import split_words
from minibert.training.inference import Inference

# Letters with what may follow them as characters of their own.
SCRIPTS = {
    "Latin": ("acefzAEİßﬁ1é", "\u0301\u0308\u0327\u200d\u00ad"),
    "Devanagari": ("कखहदम", "\u093f\u0940\u0947\u0902\u094d\u093c"),
    "Arabic": ("بسمكتا", "\u064b\u064e\u0650\u0651\u0652\u0670\u200c\u200f"),
    "Hebrew": ("שלום", "\u05b0\u05b8\u05c1\u200f"),
    "Thai": ("กขคน", "\u0e31\u0e34\u0e48\u0e49"),
    "Hangul": ("한글가", "\u3099"),
    "CJK": ("你好电影𠮷", "\U000e0100\ufe00"),
    "emoji": ("👩👧❤🏴🇫", "\u200d\ufe0f\U0001f3fd\U000e0067\U000e007f"),
    "dropped": ("a", "\ue000\ufffd\U0001fae9"),
}
CLUSTERS = [
    st.builds(lambda a, b: a + "".join(b), st.sampled_from(bases), st.lists(st.sampled_from(marks)))
    for bases, marks in SCRIPTS.values()
]
WORD = st.one_of(*(st.lists(each, min_size=1, max_size=3).map("".join) for each in CLUSTERS))
BEFORE = st.sampled_from(["", "", "", "\u0301", "\ue000"])
WORDS = st.lists(st.builds(str.__add__, BEFORE, WORD), min_size=1, max_size=7)
# What stands between words and is dropped like an accent, but is part of no word.
BETWEEN = st.sampled_from([" ", " ", " \u200b", "\u200b ", "\ufeff \x7f", "\n"])


def tokenizers():
    """One that drops accents and one that keeps them, with pieces of all words but emoji."""
    letters = {letter for bases, _ in SCRIPTS.values() for letter in bases if letter.isalnum()}
    found = []
    for lowercase in (True, False):
        pieces = set()
        for letter in letters:
            text = unicodedata.normalize("NFD", letter.lower()) if lowercase else letter
            pieces.update(text[:1] if lowercase else text)
        vocab = [*tiny.SPECIAL, *sorted(pieces), *(f"##{piece}" for piece in sorted(pieces))]
        found.append(Tokenizer.from_vocab(vocab, lowercase))
    return found


TOKENIZERS = tokenizers()


def span(dataset: AnsweringDataset) -> set[str]:
    """What the labels of all windows that hold the answer stand for."""
    batch = dataset.collate(torch.arange(len(dataset)).numpy(), torch.Generator())
    pairs = zip(batch["start_positions"].tolist(), batch["end_positions"].tolist(), strict=True)
    return {dataset.text(row, *pair) for row, pair in enumerate(pairs) if pair != (0, 0)}


def test_the_examples_of_the_issue():
    for context, answer in (
        ("Le cafe\u0301 noir", "cafe\u0301"),
        ("वह मेरे घर में है", "मेरे"),
        ("قال كِتَابٌ جديد", "كِتَابٌ"),
        ("I ❤\ufe0f you", "❤\ufe0f"),
        ("la fin : cafe\u0301", "cafe\u0301"),  # to the end of the text
    ):
        example = AnswerExample("1", "a ?", context, [(answer, context.index(answer))])
        for tokenizer in TOKENIZERS:
            assert span(AnsweringDataset([example], tokenizer)) == {answer}
            assert split_words(tokenizer, context)[0] == context.split()[0]


@settings(max_examples=100)
@given(words=WORDS, data=st.data(), tokenizer=st.sampled_from(TOKENIZERS))
def test_a_gold_answer_decodes_to_itself_in_every_window_that_holds_it(words, data, tokenizer):
    first = data.draw(st.integers(0, len(words) - 1))
    last = data.draw(st.integers(first, len(words) - 1))
    between = data.draw(st.lists(BETWEEN, min_size=len(words) + 1, max_size=len(words) + 1))
    pieces = [part for pair in zip(between, words, strict=False) for part in pair]
    context, start = "".join([*pieces, between[-1]]), len("".join(pieces[: 2 * first + 1]))
    answer = "".join(pieces[2 * first + 1 : 2 * last + 2])
    assert context[start : start + len(answer)] == answer
    example = AnswerExample("1", "a", context, [(answer, start)])
    whole = AnsweringDataset([example], tokenizer)
    assert span(whole) == {answer}
    windows = AnsweringDataset([example], tokenizer, max_length=9, stride=3)
    assert span(windows) <= {answer}
    # What a model that is sure of these tokens would say is the answer, too.
    batch = whole.collate(torch.tensor([0]).numpy(), torch.Generator())
    logits = {
        f"{end}_logits": torch.nn.functional.one_hot(
            batch[f"{end}_positions"], batch["input_ids"].shape[1]
        ).float()
        for end in ("start", "end")
    }
    output = type("Output", (), logits)
    (said,) = answers(
        [Inference(torch.tensor([0]).numpy(), batch, output)], whole, max_answer_tokens=512
    )
    assert (said.text, said.start) == (answer, start)


@settings(max_examples=100)
@given(words=WORDS, tokenizer=st.sampled_from(TOKENIZERS))
def test_words_come_out_letter_for_letter(words, tokenizer):
    text = " ".join(words)
    found = split_words(tokenizer, text)
    assert "".join(found) == "".join(words)
    pieces = iter(found)
    for word in words:  # none reaches over a space
        joined = ""
        while joined != word:
            joined += next(pieces)
            assert word.startswith(joined)


@settings(max_examples=100)
@given(
    text=st.text(
        st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\u200b\ufeff"),
        min_size=1,
    ),
    tokenizer=st.sampled_from(TOKENIZERS),
)
def test_no_character_of_any_text_is_lost_beside_a_token_or_in_two_words(text, tokenizer):
    dropped = Dropped(tokenizer)
    kept = [word for word in text.split() if not all(dropped[letter] for letter in word)]
    if kept:
        assert "".join(split_words(tokenizer, text)) == "".join(kept)


def test_offsets_of_nothing_are_left_alone():
    dropped = Dropped(TOKENIZERS[0])
    assert covering("\u0301a", [(0, 0), (-1, -1)], dropped) == [(0, 0), (-1, -1)]


def test_predictions_keep_what_the_tokenizer_drops(tmp_path):
    torch.manual_seed(0)
    tagger = BertForTokenClassification(tiny.config(num_labels=2, id2label={0: "O", 1: "B-X"}))
    (said,) = predict(tagger, tiny.tokenizer(), ["Le cafe\u0301 noir"])
    assert said.words == ["Le", "cafe\u0301", "noir"]
    reader = BertForQuestionAnswering(tiny.config())
    (said,) = predict(reader, tiny.tokenizer(), ["where ?"], ["cafe\u0301"])
    assert said.text == "cafe\u0301"


# ---------------------------------------------------------------------- [SEP] in a text


@pytest.mark.parametrize("literal", ["[SEP]", "[MASK]", "[CLS]", "[PAD]", "[UNK]"])
def test_a_special_token_that_somebody_wrote_is_text_unless_asked_for(literal):
    tokenizer = Tokenizer.from_vocab([*tiny.SPECIAL, "a", "[", "]", literal.lower()[1:-1]])
    text = f"a {literal} a"
    assert "".join(split_words(tokenizer, text)) == text.replace(" ", "")
    inside = literal.lower()[1:-1]
    for special, middle in ((False, ["[", inside, "]"]), (True, [literal])):
        (row,) = tokenizer.encode_batch([text], special_tokens=special)
        assert row.tokens == ["[CLS]", "a", *middle, "a", "[SEP]"]
    assert tokenizer.encode(text)["tokens"] == ["[CLS]", "a", literal, "a", "[SEP]"]


def test_windows_count_a_written_special_token_as_the_text_that_it_is():
    example = AnswerExample("1", "[SEP] [SEP] a", "b " * 30, [])
    tokenizer = Tokenizer.from_vocab([*tiny.SPECIAL, "a", "b", "[", "]", "sep"])
    dataset = AnsweringDataset([example], tokenizer, max_length=20, stride=4)
    assert max(dataset.lengths) == 20
    rows = dataset.collate(np.arange(len(dataset)), torch.Generator())["input_ids"]
    assert ((rows == tokenizer.sep_token_id).sum(1) == 2).all()
    with pytest.raises(ValueError, match="too few to share"):
        AnsweringDataset([example], tokenizer, max_length=12, stride=4)


def test_a_special_token_in_a_corpus_is_text(tmp_path):
    tokenizer = Tokenizer.from_vocab([*tiny.SPECIAL, "a", "[", "]", "mask"])
    tokens = TokenCorpus.build([["a [MASK] a"]], tokenizer, tmp_path / "corpus").tokens
    assert tokenizer.convert_ids_to_tokens(tokens.tolist()) == ["a", "[", "mask", "]", "a"]
