"""`minibert predict`."""

from __future__ import annotations

import sys
from argparse import Namespace
from dataclasses import asdict
from pathlib import Path
from typing import Any

from minibert.cli import models
from minibert.cli.computing import computing
from minibert.cli.options import changed_by, read_options
from minibert.data.datasets import naming, read_file, refuse_unread
from minibert.data.examples import AnswerExample, Example, TaggedExample
from minibert.data.lines import numbered_lines
from minibert.data.strict_json import dump_json
from minibert.finetuning.answering import AnswerPrediction
from minibert.finetuning.classification import ClassPrediction
from minibert.finetuning.predict import predict
from minibert.finetuning.settings import ReadingSettings, TaskSettings
from minibert.finetuning.tagging import TagPrediction
from minibert.tokenization.tokenizer import Tokenizer


def run(options: Namespace) -> None:
    """Print what a fine-tuned model predicts for each text."""
    settings = changed_by(TaskSettings.read(options.model), options)
    texts, pairs = _texts(options, settings.task)
    tokenizer = Tokenizer.from_pretrained(options.model)
    device, precision, batch_size = computing(options)
    model = models.load(options.model).to(device)
    with naming(options.file):
        predictions = predict(
            model,
            tokenizer,
            texts,
            pairs,
            batch_size=batch_size,
            precision=precision,
            **settings.thresholds,
            **settings.fit,
        )
    for text, prediction in zip(texts, predictions, strict=True):
        if options.json:
            given = text if isinstance(text, str) else None
            content = {"text": given, **asdict(prediction)}
            print(dump_json({k: v for k, v in content.items() if v is not None}))
        else:
            print(_line(text, prediction, alone=len(texts) == 1))


def _texts(options: Namespace, task: str) -> tuple[list[Any], list[str] | None]:
    """Texts (or lists of words), and second texts, from wherever they were given."""
    context = options.context
    if options.context_file is not None:
        lines = numbered_lines(Path(options.context_file))
        context = "\n".join(line for _, line in lines)
    if options.file is None:
        refuse_unread(read_options(ReadingSettings, options).options)
    if options.file is not None:
        if options.text is not None:
            raise ValueError("a TEXT and --file: give one of them")
        texts, pairs = _from_file(options, task)
    elif options.text is not None:
        if not options.text.strip():
            raise ValueError("the text is empty: give at least one word")
        texts, pairs = [options.text], None
    else:
        texts, pairs = [line.strip() for line in sys.stdin if line.strip()], None
        if not texts:
            raise ValueError("no text: give a TEXT, --file, or lines on standard input")
    second = context if task == "answer" else options.pair
    if second is not None:
        if pairs is not None:
            raise ValueError(f"{options.file} has second texts already: leave the option out")
        pairs = [second] * len(texts)
    if task == "answer" and pairs is None:
        raise ValueError("a question needs a text to look in: --context or --context-file")
    return texts, pairs


def _from_file(options: Namespace, task: str) -> tuple[list[Any], list[str] | None]:
    if Path(options.file).suffix.lower() == ".txt":
        lines = numbered_lines(Path(options.file))
        return [line.strip() for _, line in lines if line.strip()], None
    given = read_options(ReadingSettings, options).options
    refuse_unread(given, options.file)
    if Path(options.file).suffix.lower() != ".json":
        given = {**given, "labelled": False}
    examples = read_file(options.file, **given)
    # A table may hold questions too: contexts are second texts, or given by --context.
    kinds: dict[str, tuple[type, ...]] = {
        "classify": (Example,),
        "tag": (Example, TaggedExample),
        "answer": (Example, AnswerExample),
    }
    if not isinstance(examples[0], kinds[task]):
        raise ValueError(f"{options.file}: not a file of what this model reads (task {task!r})")
    if isinstance(examples[0], TaggedExample):
        return [example.words for example in examples], None
    if isinstance(examples[0], AnswerExample):
        return [e.question for e in examples], [e.context for e in examples]
    pairs = [example.text_pair for example in examples if example.text_pair is not None]
    return [example.text for example in examples], pairs or None


def _line(text: Any, prediction: Any, alone: bool) -> str:
    """One prediction for people to read."""
    if isinstance(prediction, TagPrediction):
        pairs = zip(prediction.words, prediction.tags, strict=True)
        return "\n".join([*(f"{word}\t{tag}" for word, tag in pairs), *([] if alone else [""])])
    front = "" if alone else f"{text}\t"
    if isinstance(prediction, AnswerPrediction):
        return f"{front}{prediction.text or '(no answer)'}"
    assert isinstance(prediction, ClassPrediction)
    if isinstance(prediction.label, float):
        return f"{front}{prediction.label:.3f}"
    ordered = sorted(prediction.probabilities.items(), key=lambda item: -item[1])
    if isinstance(prediction.label, list):
        named = ", ".join(prediction.label) or "(none)"
    else:
        named = prediction.label
    return f"{front}{named}\t{' '.join(f'{name} {chance:.3f}' for name, chance in ordered[:5])}"
