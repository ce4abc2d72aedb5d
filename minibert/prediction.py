"""What a fine-tuned model says about new text: labels, tags, answers, the words behind [MASK]."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from minibert.answering import AnsweringDataset
from minibert.batching import BatchSource, ordered_batches, seeded
from minibert.encoding import (
    MULTI_LABEL,
    REGRESSION,
    SINGLE_LABEL,
    ClassificationDataset,
    encode_rows,
    split_words,
)
from minibert.examples import AnswerExample, Example, TaggedExample
from minibert.heads import (
    BertForMaskedLM,
    BertForQuestionAnswering,
    BertForSequenceClassification,
    BertForTokenClassification,
    best_spans,
)
from minibert.model import PretrainedModel
from minibert.optimization import autocast
from minibert.tagging import TaggingDataset
from minibert.tokenizer import Tokenizer

Results = Iterable[tuple[dict[str, Tensor], Any]]


@torch.no_grad()
def forward(
    model: PretrainedModel,
    dataset: BatchSource,
    batch_size: int = 32,
    precision: str = "float32",
) -> Iterator[tuple[dict[str, Tensor], Any]]:
    """Run a model over a data set, without dropout, longest rows first.

    Yields:
        each batch with the model's output, in the order that `Trainer.evaluate` goes through them:
        that of `ordered_batches`. What is random in a data set is drawn the same every time.
    """
    was_training = model.training
    model.eval()
    batches = ordered_batches(dataset.lengths, batch_size)
    try:
        for number, indices in enumerate(tqdm(batches, desc="reading", delay=2, leave=False)):
            batch = dataset.collate(indices, seeded(0, number))
            moved = {name: value.to(model.device) for name, value in batch.items()}
            with autocast(precision, model.device):
                output = model(**moved)
            yield batch, output
    finally:
        model.train(was_training)


def _rows_in_order(dataset: BatchSource) -> NDArray[np.int64]:
    """Which row each output belongs to, when outputs come in the order of evaluation."""
    return ordered_batches(dataset.lengths, len(dataset))[0]


# ---------------------------------------------------------------------- texts with labels


def class_scores_of(results: Results, dataset: ClassificationDataset) -> NDArray[np.float64]:
    """What the model says of each example.

    Args:
        results: from `forward` or `Trainer.evaluate`, over all of `dataset`.

    Returns:
        (examples, classes) probabilities, by softmax, or for several labels by sigmoid; (examples,)
        numbers for regression. For a text in several windows, their mean.
    """
    logits = torch.cat([output.logits.float().cpu() for _, output in results])  # (rows, C)
    if dataset.problem_type == SINGLE_LABEL:
        logits = logits.softmax(-1)
    elif dataset.problem_type == MULTI_LABEL:
        logits = logits.sigmoid()
    samples = dataset.samples[_rows_in_order(dataset)]
    sums = np.zeros((dataset.size, logits.shape[1]))
    np.add.at(sums, samples, logits.double().numpy())
    means = sums / np.bincount(samples, minlength=dataset.size)[:, None]
    return means[:, 0] if dataset.problem_type == REGRESSION else means


@dataclass(frozen=True)
class ClassPrediction:
    """What a classifier says of one text.

    label: the most probable name; every name above the threshold for several labels; the number
    for regression. probabilities: of every name; empty for regression.
    """

    label: str | list[str] | float
    probabilities: dict[str, float]


def classify(
    model: BertForSequenceClassification,
    dataset: ClassificationDataset,
    threshold: float = 0.5,
    batch_size: int = 32,
) -> list[ClassPrediction]:
    """The label of every example; `threshold` is for several labels a text."""
    scores = class_scores_of(forward(model, dataset, batch_size), dataset)
    names = dataset.label_names
    predictions = []
    for row in scores:
        if dataset.problem_type == REGRESSION:
            predictions.append(ClassPrediction(float(row), {}))
            continue
        probabilities = dict(zip(names, row.tolist(), strict=True))
        if dataset.problem_type == MULTI_LABEL:
            chosen = [name for name, share in probabilities.items() if share > threshold]
            predictions.append(ClassPrediction(chosen, probabilities))
        else:
            predictions.append(ClassPrediction(names[int(row.argmax())], probabilities))
    return predictions


# ---------------------------------------------------------------------- words with tags


@dataclass(frozen=True)
class TagPrediction:
    """The words of a sentence, a tag for each, and how probable it is."""

    words: list[str]
    tags: list[str]
    probabilities: list[float]


def tagged_sentences(results: Results, dataset: TaggingDataset) -> list[TagPrediction]:
    """The tag of every word: what the model says at its first piece.

    A word in two windows gets its tag where it has more text on its scarcer side; a word that was
    cut off, or that is nothing to the tokenizer, gets "O" (or the first tag) with probability 0.
    """
    default = "O" if "O" in dataset.label_names else dataset.label_names[0]
    tags = [[default] * len(words) for words in dataset.words]
    shares = [[0.0] * len(words) for words in dataset.words]
    context = [np.full(len(words), -1) for words in dataset.words]
    rows = iter(_rows_in_order(dataset))
    for _, output in results:
        probabilities, best = output.logits.float().softmax(-1).max(-1)  # (B, T)
        for row_shares, row_best in zip(
            probabilities.cpu().numpy(), best.cpu().numpy(), strict=True
        ):
            row = next(rows)
            sample, length = dataset.samples[row], int(dataset.lengths[row])
            for place in np.flatnonzero(dataset.word_starts[row] >= 0):
                word = dataset.word_starts[row][place]
                room = min(place, length - 1 - place)
                if room > context[sample][word]:
                    context[sample][word] = room
                    tags[sample][word] = dataset.label_names[row_best[place]]
                    shares[sample][word] = float(row_shares[place])
    return [TagPrediction(*each) for each in zip(dataset.words, tags, shares, strict=True)]


# ---------------------------------------------------------------------- answers


@dataclass(frozen=True)
class AnswerPrediction:
    """The answer to one question.

    text: "" where there is none. start: its first character in the context, -1 where there is
    none. score: sum of the start and end logits of the best span in all windows. null_score: that
    of "no answer", the lowest of all windows, since every window but one may well lack it.
    """

    text: str
    start: int
    score: float
    null_score: float


def answers(
    results: Results,
    dataset: AnsweringDataset,
    null_threshold: float | None = None,
    max_answer_tokens: int = 30,
) -> list[AnswerPrediction]:
    """The best span over all windows of each question.

    Args:
        results: from `forward` or `Trainer.evaluate`, over all of `dataset`.
        null_threshold: say "no answer" where its score is higher than the best span's by more
            than this (Devlin et al. 2019, section 4.3); never where not given.
        max_answer_tokens: longest answer.
    """
    best: list[tuple[float, int, int, int]] = [(-np.inf, 0, 0, 0)] * dataset.size
    null = np.full(dataset.size, np.inf)
    order, done = _rows_in_order(dataset), 0
    for _, output in results:
        indices = order[done : done + len(output.start_logits)]
        done += len(indices)
        mask = dataset.context_mask(indices, output.start_logits.shape[1])
        mask = mask.to(output.start_logits.device)
        spans = best_spans(output.start_logits, output.end_logits, mask, max_answer_tokens)
        columns = [column.tolist() for column in spans]
        for row, start, end, score, null_score in zip(indices, *columns, strict=True):
            sample = dataset.samples[row]
            null[sample] = min(null[sample], null_score)
            best[sample] = max(best[sample], (score, int(row), start, end))
    predictions = []
    for (score, row, start, end), null_score in zip(best, null.tolist(), strict=True):
        text, first = dataset.text(row, start, end), int(dataset.offsets[row][start, 0])
        if null_threshold is not None and null_score - score > null_threshold:
            text, first = "", -1
        predictions.append(AnswerPrediction(text, first, score, null_score))
    return predictions


# ---------------------------------------------------------------------- any of them


def predict(
    model: PretrainedModel,
    tokenizer: Tokenizer,
    texts: Sequence[Any],
    pairs: Sequence[str] | None = None,
    *,
    batch_size: int = 32,
    threshold: float = 0.5,
    null_threshold: float | None = None,
    **fit: Any,
) -> list[Any]:
    """Apply a fine-tuned model to new texts.

    Args:
        model: with a head for classification, tagging or question answering.
        tokenizer: the model's.
        texts: for question answering the questions; for tagging also lists of words.
        pairs: second texts; for question answering the contexts.
        threshold: of several labels, name those above it.
        null_threshold: see `answers`.
        fit: `max_length`, `truncation`, `stride` (see `minibert.encoding.encode_rows`).

    Returns:
        a `ClassPrediction`, `TagPrediction` or `AnswerPrediction` for every text.

    Raises:
        ValueError: if a text is empty or too long, or the model has no such head.
    """
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
        dataset = ClassificationDataset(examples, tokenizer, labels, problem_type, **fit)
        return classify(model, dataset, threshold, batch_size)
    if isinstance(model, BertForTokenClassification):
        if pairs is not None:
            raise ValueError("a tagger reads single texts: leave the second ones out")
        default = "O" if "O" in labels else labels[0]
        sentences = [
            split_words(tokenizer, text) if isinstance(text, str) else list(text) for text in texts
        ]
        tagged = [TaggedExample(words, [default] * len(words)) for words in sentences]
        sentences_dataset = TaggingDataset(tagged, tokenizer, labels, **fit)
        return tagged_sentences(forward(model, sentences_dataset, batch_size), sentences_dataset)
    if isinstance(model, BertForQuestionAnswering):
        if pairs is None:
            raise ValueError("a question needs a context to look in: pass it as the second text")
        questions = [
            AnswerExample(str(i), text, pair, [])
            for i, (text, pair) in enumerate(zip(texts, pairs, strict=True))
        ]
        fit.pop("truncation", None)
        windows = AnsweringDataset(questions, tokenizer, **fit)
        return answers(forward(model, windows, batch_size), windows, null_threshold)
    raise ValueError(
        f"a {model.architecture} makes no prediction about a text: fine-tune it first "
        "(`minibert finetune classify --base ...`)"
    )


@torch.no_grad()
def fill_mask(
    model: BertForMaskedLM, tokenizer: Tokenizer, text: str, top: int = 5
) -> list[list[tuple[str, float]]]:
    """The most probable tokens behind every `[MASK]` of a text (claim A6).

    Each mask is filled by itself: the model does not know what it chose for the others.

    Returns:
        for each mask, in the order of the text, tokens and probabilities, the likeliest first.

    Raises:
        ValueError: if there is no `[MASK]` in the text, or it is too long.
    """
    if top < 1:
        raise ValueError(f"top must be at least 1, not {top}")
    (row,), _ = encode_rows(tokenizer, [text])
    ids = torch.tensor([row.ids], device=model.device)
    places = (ids[0] == tokenizer.mask_token_id).nonzero().squeeze(1)
    if not len(places):
        raise ValueError("there is no [MASK] in the text: write it where a word is missing")
    was_training = model.training
    logits = model.eval()(ids).logits[0, places].float()  # (masks, V)
    model.train(was_training)
    shares, best = logits.softmax(-1).topk(min(top, logits.shape[-1]))
    return [
        list(zip(tokenizer.convert_ids_to_tokens(tokens), chances.tolist(), strict=True))
        for tokens, chances in zip(best.cpu(), shares.cpu(), strict=True)
    ]
