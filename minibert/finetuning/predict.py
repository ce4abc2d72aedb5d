"""What a fine-tuned model says about new texts: labels, tags, answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from minibert.data.examples import AnswerExample, Example, TaggedExample
from minibert.finetuning.answering import AnsweringDataset, answers
from minibert.finetuning.classification import ClassificationDataset, classify
from minibert.finetuning.settings import THRESHOLD
from minibert.finetuning.tagging import TaggingDataset, tagged_sentences
from minibert.model.config import REGRESSION, SINGLE_LABEL
from minibert.model.pretrained import PretrainedModel
from minibert.model.task_heads import (
    BertForQuestionAnswering,
    BertForSequenceClassification,
    BertForTokenClassification,
)
from minibert.tokenization.rows import split_words
from minibert.tokenization.tokenizer import Tokenizer
from minibert.training.inference import run_inference


def predict(
    model: PretrainedModel,
    tokenizer: Tokenizer,
    texts: Sequence[Any],
    pairs: Sequence[str] | None = None,
    *,
    batch_size: int = 32,
    precision: str | None = None,
    threshold: float = THRESHOLD,
    null_threshold: float | None = None,
    temperature: float = 1.0,
    **fit: Any,
) -> list[Any]:
    """Apply a fine-tuned model to new texts.

    Args:
        model: with a head for classification, tagging or question answering.
        tokenizer: the model's.
        texts: for question answering the questions; for tagging also lists of words.
        pairs: second texts; for question answering the contexts.
        precision: see `run_inference`; the device is the model's.
        threshold: of several labels, name those above it.
        null_threshold: see `answers`.
        temperature: of one label a text; see `classify`.
        fit: `max_length`, `truncation`, `stride`, `special_tokens` (see
            `minibert.tokenization.rows`).

    Returns:
        a `ClassPrediction`, `TagPrediction` or `AnswerPrediction` for every text.

    Raises:
        ValueError: if a text is empty or too long, or the model has no such head.
    """
    dataset = _dataset(model, tokenizer, texts, pairs, fit)
    if isinstance(dataset, ClassificationDataset):
        assert isinstance(model, BertForSequenceClassification)
        return classify(model, dataset, threshold, batch_size, precision, temperature)
    results = run_inference(model, dataset, batch_size, precision)
    if isinstance(dataset, TaggingDataset):
        return tagged_sentences(results, dataset)
    return answers(results, dataset, null_threshold)


def why_unreadable(
    model: PretrainedModel, tokenizer: Tokenizer, text: Any, pair: str | None, **fit: Any
) -> str | None:
    """Why `predict` would refuse this text, or pair of texts; `None` where it would not.

    Arguments are those of `predict`. It also refuses what the tokenizer makes nothing of, such as a
    zero-width space: the model would see an empty text.
    """
    try:
        _dataset(model, tokenizer, [text], None if pair is None else [pair], fit)
    except ValueError as error:
        return str(error)
    return None


def _dataset(
    model: PretrainedModel,
    tokenizer: Tokenizer,
    texts: Sequence[Any],
    pairs: Sequence[str] | None,
    fit: dict[str, Any],
) -> ClassificationDataset | TaggingDataset | AnsweringDataset:
    """The texts as this model reads them."""
    if isinstance(texts, str) or isinstance(pairs, str):
        raise ValueError("texts must be a list: put the text in [ ]")
    if pairs is not None and len(pairs) != len(texts):
        raise ValueError(f"{len(texts)} texts, but {len(pairs)} second texts: pass one for each")
    labels = model.config.labels
    second: Sequence[str | None] = pairs if pairs is not None else [None] * len(texts)
    if isinstance(model, BertForSequenceClassification):
        problem_type = model.config.problem_type or (
            SINGLE_LABEL if model.config.num_labels > 1 else REGRESSION
        )
        examples = [Example(text, pair) for text, pair in zip(texts, second, strict=True)]
        return ClassificationDataset(examples, tokenizer, labels, problem_type, **fit)
    if isinstance(model, BertForTokenClassification):
        if pairs is not None:
            raise ValueError("a tagger reads single texts: leave the second ones out")
        return TaggingDataset(_untagged(texts, tokenizer, labels), tokenizer, labels, **fit)
    if isinstance(model, BertForQuestionAnswering):
        if pairs is None:
            raise ValueError("a question needs a context to look in: pass it as the second text")
        questions = [
            AnswerExample(str(i), text, pair, [])
            for i, (text, pair) in enumerate(zip(texts, pairs, strict=True))
        ]
        fit = {name: value for name, value in fit.items() if name != "truncation"}
        return AnsweringDataset(questions, tokenizer, **fit)
    raise ValueError(
        f"a {model.architecture} makes no prediction about a text: fine-tune it first "
        "(`minibert finetune classify --base ...`)"
    )


def _untagged(
    texts: Sequence[Any], tokenizer: Tokenizer, labels: Sequence[str]
) -> list[TaggedExample]:
    """Sentences, split into words where they are not yet, with a tag that nobody will look at."""
    sentences = [
        split_words(tokenizer, text) if isinstance(text, str) else list(text) for text in texts
    ]
    return [TaggedExample(words, [labels[0]] * len(words)) for words in sentences]
