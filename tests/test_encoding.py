"""Examples become rows of tokens: with their labels, in windows, and back."""

import numpy as np
import pytest
import tiny
import torch

from minibert.data.examples import AnswerExample, Example, TaggedExample
from minibert.finetuning.answering import AnsweringDataset
from minibert.finetuning.classification import ClassificationDataset, balanced_weights
from minibert.finetuning.tagging import TaggingDataset
from minibert.tokenization.rows import split_words
from minibert.training.batching import seeded


@pytest.fixture(scope="module")
def tokenizer():
    return tiny.tokenizer()


def whole(dataset):
    """All rows as one batch."""
    return dataset.collate(np.arange(len(dataset)), seeded(0))


FILMS = [
    Example("the film was great", label="good"),
    Example("awful", label="bad"),
    Example("the film was not very lovely .", label="bad"),
]


# ---------------------------------------------------------------------- texts with labels


def test_a_batch_is_what_the_tokenizer_gives(tokenizer):
    batch = whole(ClassificationDataset(FILMS, tokenizer))
    expected = tokenizer([example.text for example in FILMS], padding=True)
    for name, tensor in expected.items():
        assert torch.equal(batch[name], tensor), name


def test_pairs_have_two_segments(tokenizer):
    pairs = [Example("who lives", "anna lives in rome", "yes"), Example("who", "bob", "no")]
    batch = whole(ClassificationDataset(pairs, tokenizer))
    expected = tokenizer(["who lives", "who"], ["anna lives in rome", "bob"], padding=True)
    assert torch.equal(batch["token_type_ids"], expected["token_type_ids"])
    assert batch["token_type_ids"].max() == 1


def test_without_padding_there_is_no_mask(tokenizer):
    dataset = ClassificationDataset(FILMS, tokenizer)
    assert "attention_mask" not in dataset.collate(np.array([1]), seeded(0))
    assert "attention_mask" in dataset.collate(np.array([0, 1]), seeded(0))


def test_labels_are_numbered_in_the_order_of_their_names(tokenizer):
    dataset = ClassificationDataset(FILMS, tokenizer)
    assert dataset.label_names == ["bad", "good"]
    assert whole(dataset)["labels"].tolist() == [1, 0, 0]
    turned = ClassificationDataset(FILMS, tokenizer, labels=["good", "bad"])
    assert whole(turned)["labels"].tolist() == [0, 1, 1]


def test_a_label_not_seen_in_training_is_named(tokenizer):
    with pytest.raises(ValueError, match=r"text 2 of 2 \('poor'\): the label 'so-so' was not seen"):
        ClassificationDataset(
            [FILMS[0], Example("poor", label="so-so")], tokenizer, labels=["bad", "good"]
        )


def test_several_labels_become_zeros_and_ones(tokenizer):
    examples = [Example("fine", label=["a", "c"]), Example("dull", label=[])]
    dataset = ClassificationDataset(examples, tokenizer, labels=["a", "b", "c"])
    assert dataset.problem_type == "multi_label_classification"
    assert whole(dataset)["labels"].tolist() == [[1, 0, 1], [0, 0, 0]]


def test_numbers_stay_numbers(tokenizer):
    examples = [Example("fine", label=2.5), Example("dull", label=-1.0)]
    dataset = ClassificationDataset(examples, tokenizer)
    assert (dataset.problem_type, dataset.label_names) == ("regression", [])
    assert whole(dataset)["labels"].tolist() == [2.5, -1.0]


@pytest.mark.parametrize("label", [None, 1.5, ["good"]])
def test_a_label_of_another_kind_is_refused(tokenizer, label):
    with pytest.raises(ValueError, match="expected is one name"):
        ClassificationDataset([FILMS[0], Example("dull", label=label)], tokenizer)


def test_examples_of_another_task_are_refused(tokenizer):
    with pytest.raises(ValueError, match="these examples are for 'tag'"):
        ClassificationDataset([TaggedExample(["anna"], ["O"])], tokenizer)
    with pytest.raises(ValueError, match="there are no examples"):
        TaggingDataset([], tokenizer)


LONG = "the film was great " * 20  # 80 tokens and two, of 48


def test_a_text_that_is_too_long_is_refused_with_what_to_do(tokenizer):
    told = (
        r"^text 2 of 2 \('the film .*82 tokens, but tiny reads at most 48: "
        r"pass truncation='longest_first' to cut, or stride=12 to split"
    )
    with pytest.raises(ValueError, match=told):
        ClassificationDataset([FILMS[0], Example(LONG, label="good")], tokenizer)


def test_a_pair_that_is_too_long_is_counted_right(tokenizer):
    with pytest.raises(ValueError, match=r"^85 tokens, but"):
        ClassificationDataset([Example("who saw", LONG, "yes")], tokenizer)


def test_what_is_cut_keeps_its_beginning(tokenizer):
    for options, length in (({"truncation": "longest_first"}, 48), ({"max_length": 9}, 9)):
        dataset = ClassificationDataset([Example(LONG, label="good")], tokenizer, **options)
        row = whole(dataset)["input_ids"][0]
        assert len(row) == length
        assert (
            row[1:-1].tolist() == tokenizer(LONG, max_length=length)["input_ids"][0][1:-1].tolist()
        )


def test_windows_carry_the_label_of_their_text_and_hold_all_of_it(tokenizer):
    examples = [FILMS[1], Example(LONG, label="good")]
    dataset = ClassificationDataset(examples, tokenizer, max_length=20, stride=4)
    assert dataset.samples.tolist() == [0] + [1] * 6
    batch = whole(dataset)
    assert batch["labels"].tolist() == [0] + [1] * 6
    ids = [
        row[1 : n - 1].tolist() for row, n in zip(batch["input_ids"], dataset.lengths, strict=True)
    ]
    glued = ids[1] + [token for window in ids[2:] for token in window[4:]]
    assert glued == tokenizer.backend.encode(LONG, add_special_tokens=False).ids


def test_balanced_weights_make_every_class_count_the_same(tokenizer):
    dataset = ClassificationDataset(FILMS, tokenizer)
    weights = balanced_weights(dataset)
    assert weights == pytest.approx([3 / 4, 3 / 2])  # two bad, one good
    assert sum(weights[i] for i in dataset.targets) == pytest.approx(len(FILMS))
    with pytest.raises(ValueError, match="no example has the label 'so-so'"):
        balanced_weights(ClassificationDataset(FILMS, tokenizer, labels=["bad", "good", "so-so"]))


# ---------------------------------------------------------------------- words with tags


def test_only_the_first_piece_of_a_word_carries_its_tag(tokenizer):
    example = TaggedExample(["anna", "unbelievables", "rome"], ["B-PER", "O", "B-LOC"])
    dataset = TaggingDataset([example], tokenizer)
    assert dataset.label_names == ["B-LOC", "B-PER", "O"]
    # [CLS] anna un ##believ ##able ##s rome [SEP]
    assert whole(dataset)["labels"][0].tolist() == [-100, 1, 2, -100, -100, -100, 0, -100]


def test_padding_carries_no_tag(tokenizer):
    sentences = [TaggedExample(["anna"], ["O"]), TaggedExample(["anna", "bob", "rome"], ["O"] * 3)]
    labels = whole(TaggingDataset(sentences, tokenizer))["labels"]
    assert labels.tolist() == [[-100, 0, -100, -100, -100], [-100, 0, 0, 0, -100]]


def test_a_tag_not_seen_in_training_is_named(tokenizer):
    with pytest.raises(ValueError, match="the label 'B-ORG' was not seen in training"):
        TaggingDataset([TaggedExample(["acme"], ["B-ORG"])], tokenizer, labels=["O", "B-PER"])


@pytest.mark.parametrize("stride", [0, 1, 2, 3])
def test_every_word_starts_in_some_window_and_only_with_its_first_piece(tokenizer, stride):
    words = ["unbelievables", "anna", "unbelievable", "bob"] * 5
    dataset = TaggingDataset(
        [TaggedExample(words, ["O"] * len(words))], tokenizer, max_length=9, stride=stride
    )
    assert len(dataset) > 3
    first = {word: tokenizer.tokenize(word)[0] for word in set(words)}
    seen = set()
    for ids, starts in zip(whole(dataset)["input_ids"], dataset.word_starts, strict=True):
        for place in np.flatnonzero(starts >= 0):
            token = tokenizer.convert_ids_to_tokens([int(ids[place])])[0]
            assert token == first[words[starts[place]]]
            seen.add(int(starts[place]))
    assert seen == set(range(len(words)))


def test_plain_text_is_split_as_bert_splits_it(tokenizer):
    assert split_words(tokenizer, "Anna, unbelievables 电影!") == [
        *("Anna", ",", "unbelievables", "电", "影", "!")
    ]


# ---------------------------------------------------------------------- answers

CONTEXT = "The film was very great . " * 5 + "Anna lives in Paris , Bob works at Acme ."


def question(answer: str, context: str = CONTEXT) -> AnswerExample:
    return AnswerExample("q", "Where is Anna ?", context, [(answer, context.index(answer))])


@pytest.mark.parametrize("answer", ["The film", "Paris", "Anna lives in Paris", "Acme ."])
def test_the_labelled_tokens_are_the_answer_letter_for_letter(tokenizer, answer):
    dataset = AnsweringDataset([question(answer)], tokenizer, max_length=20, stride=6)
    batch = whole(dataset)
    found = [
        dataset.text(row, int(start), int(end))
        for row, (start, end) in enumerate(
            zip(batch["start_positions"], batch["end_positions"], strict=True)
        )
        if start
    ]
    assert found
    assert set(found) == {answer}
    assert len(found) < len(dataset)  # the other windows point at [CLS]


def test_an_answer_across_a_boundary_is_whole_in_another_window(tokenizer):
    answer, cut = "Anna lives in Paris", 0
    for start in range(CONTEXT.index("Anna")):
        shifted = CONTEXT[start:]
        dataset = AnsweringDataset([question(answer, shifted)], tokenizer, max_length=20, stride=6)
        begin = shifted.index(answer)
        positions = whole(dataset)["start_positions"].tolist()
        assert any(positions), start
        for row, position in enumerate(positions):
            context = dataset.offsets[row][dataset.offsets[row][:, 0] >= 0]
            first, last = context[0, 0], context[-1, 1]
            # A part of the answer is no answer.
            assert (position > 0) == (first <= begin and last >= begin + len(answer)), start
            cut += begin < last < begin + len(answer)
    assert cut > 0  # else nothing was shown


def test_capitals_accents_and_chinese_come_back_as_they_were(tokenizer):
    for context, answer in (("Bob saw a Café in Rome", "Café"), ("anna 电影好", "影好")):
        dataset = AnsweringDataset([question(answer, context)], tokenizer)
        batch = whole(dataset)
        start, end = int(batch["start_positions"][0]), int(batch["end_positions"][0])
        assert dataset.text(0, start, end) == answer


def test_a_question_without_an_answer_points_at_cls(tokenizer):
    impossible = AnswerExample("q", "Who ?", "anna lives", [], is_impossible=True)
    dataset = AnsweringDataset([impossible], tokenizer)
    batch = whole(dataset)
    assert (batch["start_positions"].item(), batch["end_positions"].item()) == (0, 0)
    assert dataset.has_impossible
    dataset.require_answers()
    unknown = AnsweringDataset([impossible, AnswerExample("q7", "Who ?", "anna", [])], tokenizer)
    with pytest.raises(
        ValueError, match=r"question 'q7' \('Who \?'\) has no answer, and its is_imp"
    ):
        unknown.require_answers()


def test_only_the_context_can_hold_an_answer(tokenizer):
    dataset = AnsweringDataset([question("Paris"), question("Acme")], tokenizer, max_length=20)
    batch = whole(dataset)
    mask = dataset.context_mask(np.arange(len(dataset)), batch["input_ids"].shape[1])
    real = batch.get("attention_mask", torch.ones_like(batch["input_ids"])).bool()
    not_sep = batch["input_ids"] != tokenizer.sep_token_id
    assert torch.equal(mask, (batch["token_type_ids"] == 1) & not_sep & real)


def test_a_question_that_fills_the_window_is_refused(tokenizer):
    long = AnswerExample("q", "who saw " * 20, "anna", [])
    with pytest.raises(ValueError, match="too few to share stride"):
        AnsweringDataset([long], tokenizer)
