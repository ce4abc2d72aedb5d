"""`minibert evaluate`."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import Any

from minibert import weights
from minibert.cli import models, row_lists
from minibert.cli.computing import computing
from minibert.cli.options import changed_by, check_new_folder, read_options
from minibert.data.datasets import load_dataset, naming, options_for, read_file, refuse_unread
from minibert.data.examples import AnswerExample, TaggedExample
from minibert.data.strict_json import dump_json
from minibert.finetuning.calibration import Reliability
from minibert.finetuning.evaluate import Report, evaluate
from minibert.finetuning.recipe import dataset_maker
from minibert.finetuning.settings import ReadingSettings, TaskSettings
from minibert.model.config import MULTI_LABEL, REGRESSION, BertConfig
from minibert.pretraining.corpus import CorpusDocuments, tokenise
from minibert.pretraining.dataset import PretrainingDataset
from minibert.pretraining.metrics import pretraining_metrics
from minibert.pretraining.start import MODELS
from minibert.tokenization.tokenizer import Tokenizer
from minibert.training.inference import run_inference

_OBJECTIVES = {kind: objective for objective, kind in MODELS.items()}


def run(options: Namespace) -> None:
    """Print what a model reaches on labelled examples, or a pre-trained one on a text."""
    kind = models.architecture(options.model)
    if options.plots is not None:
        check_new_folder(Path(options.plots))
    row_lists.check_options(options)
    if kind in _OBJECTIVES:
        found = _pretrained(options, _OBJECTIVES[kind])
        print(dump_json(found, indent=2) if options.json else _listed(found))
        return
    examples = _examples_for(options)
    result = _finetuned(options, options.model, examples)
    texts = [_text(example) for example in examples]
    lists = row_lists.listed(result, texts, options)
    if options.against is not None:
        other = _finetuned(options, options.against, examples)
        names = (options.model, options.against)
        lists.insert(0, row_lists.compared(result, other, texts, names))
    if options.json:
        more = {part.name: part.content for part in lists}
        print(dump_json({**_as_json(result), **more}, indent=2))
    else:
        print("\n\n".join([_as_text(result), *(part.text for part in lists)]))
    if options.plots is not None:
        _draw(result, Path(options.plots))


def _examples_for(options: Namespace) -> list[Any]:
    """The labelled examples, read as the model's task and kind of label say."""
    settings = TaskSettings.read(options.model)
    config = weights.read_config(weights.resolve(options.model), BertConfig)
    if options.plots is not None and (
        settings.task != "classify" or config.problem_type in (MULTI_LABEL, REGRESSION)
    ):
        raise ValueError("--plots draws one label a text, and this model does not give one")
    if options.against is not None:
        _check_comparable(options, settings, config)
    given = read_options(ReadingSettings, options).options
    refuse_unread(given, options.data)
    if config.problem_type is not None:
        given.setdefault("problem_type", config.problem_type)
    return _examples(options.data, options.split, given)


def _check_comparable(options: Namespace, settings: TaskSettings, config: BertConfig) -> None:
    other = TaskSettings.read(options.against)
    problem = weights.read_config(weights.resolve(options.against), BertConfig).problem_type
    if (other.task, problem) != (settings.task, config.problem_type):
        raise ValueError(
            f"{options.against} is for another task or kind of label than {options.model}: "
            "two models are compared on the same one"
        )


def _finetuned(options: Namespace, model: str, examples: list[Any]) -> Report:
    """What a model reaches on the examples, in the form and precision it was trained in."""
    settings = changed_by(TaskSettings.read(model), options)
    config = weights.read_config(weights.resolve(model), BertConfig)
    tokenizer = Tokenizer.from_pretrained(model)
    make = dataset_maker(settings, tokenizer, config.labels, config.problem_type)
    with naming(options.data):
        dataset = make(examples)
    device, precision, batch_size = computing(Namespace(**{**vars(options), "model": model}))
    opened = models.load(model).to(device)
    return evaluate(opened, dataset, batch_size, precision=precision, **settings.thresholds)


def _text(example: Any) -> str:
    """What a row is called by in a list."""
    if isinstance(example, TaggedExample):
        return " ".join(example.words)
    if isinstance(example, AnswerExample):
        return example.question
    return example.text if example.text_pair is None else f"{example.text} | {example.text_pair}"


def _examples(data: str, split: str | None, given: dict[str, Any]) -> list[Any]:
    """A whole file, or one split of anything else."""
    if Path(data).is_file():
        if split is not None:
            raise ValueError(f"{data} is one file, read whole: leave --split out")
        return read_file(data, **options_for(data, given))
    split = split or "test"
    examples: list[Any] = getattr(load_dataset(data, **options_for(data, given)), split)
    if not examples:
        raise ValueError(f"{data} has no {split} split: choose another --split")
    return examples


def _pretrained(options: Namespace, objective: str) -> dict[str, float]:
    """Held-out metrics, on the masked tokens that every evaluation of this text gets."""
    if options.plots is not None:
        raise ValueError("--plots draws classes, and a pre-trained model has none: leave it out")
    if row_lists.is_asked_for(options):
        raise ValueError("a pre-trained model has no labelled rows to compare or list")
    refuse_unread(read_options(ReadingSettings, options).options)
    documents = CorpusDocuments([options.data])
    split = options.split or ("test" if "test" in documents.splits else "train")
    if split not in documents.splits:
        raise ValueError(f"{options.data} has no {split} split: choose another --split")
    tokenizer = Tokenizer.from_pretrained(options.model)
    length = options.max_length
    if length is None:
        length = min(128, tokenizer.model_max_length)
    tokens = tokenise(documents, tokenizer)[split]
    dataset = PretrainingDataset(tokens, tokenizer, length, objective)
    device, precision, batch_size = computing(options)
    model = models.load(options.model).to(device)
    results = run_inference(model, dataset, batch_size, precision)
    return pretraining_metrics(results, tokenizer.mask_token_id)


def _listed(metrics: dict[str, float]) -> str:
    width = max(map(len, metrics))
    return "\n".join(f"{name:{width}}  {value:.4f}" for name, value in metrics.items())


def _as_json(result: Report) -> dict[str, Any]:
    content: dict[str, Any] = {"metrics": result.metrics}
    if result.confusion is not None:
        content |= {"labels": result.names, "confusion": result.confusion.tolist()}
    if result.reliability is not None:
        columns = result.reliability._asdict().items()
        content["calibration"] = {name: column.tolist() for name, column in columns}
    return content


def _as_text(result: Report) -> str:
    parts = [_listed(result.metrics)]
    if result.table:
        parts.append(result.table)
    if result.confusion is not None:
        parts.append(_confusion_table(result.confusion, result.names))
    if result.reliability is not None:
        parts.append(_calibration_table(result.reliability))
    return "\n\n".join(parts)


def _confusion_table(counts: Any, names: list[str]) -> str:
    corner = "true \\ predicted"
    width = max(map(len, [corner, *names]))
    columns = [max(len(name), len(str(counts.max()))) for name in names]
    cells = "  ".join(f"{name:>{column}}" for name, column in zip(names, columns, strict=True))
    lines = ["Confusion matrix", f"{corner:{width}}  {cells}"]
    for name, row in zip(names, counts.tolist(), strict=True):
        cells = "  ".join(f"{n:>{column}}" for n, column in zip(row, columns, strict=True))
        lines.append(f"{name:{width}}  {cells}")
    return "\n".join(lines)


def _calibration_table(curve: Reliability) -> str:
    lines = ["Calibration", "how sure  how often right  predictions"]
    for sure, right, count in zip(*curve, strict=True):
        lines.append(f"{sure:8.3f}  {right:15.3f}  {count:11d}")
    return "\n".join(lines)


def _draw(result: Report, folder: Path) -> None:
    assert result.confusion is not None
    assert result.reliability is not None
    from minibert.finetuning import plots  # matplotlib takes a second to open

    folder.mkdir(parents=True, exist_ok=True)
    for path in (
        plots.draw_confusion(result.confusion, result.names, folder / "confusion.png"),
        plots.draw_reliability(result.reliability, folder / "calibration.png"),
    ):
        print(path)
