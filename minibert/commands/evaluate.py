"""`minibert evaluate`."""

from __future__ import annotations

import json
from argparse import Namespace
from functools import partial
from pathlib import Path
from typing import Any

from minibert import auto, checkpoint
from minibert.commands.options import adjusted, check_new_folder, reading_options
from minibert.corpus import PretrainingDataset
from minibert.datasets import load_dataset, read_file
from minibert.encoding import MULTI_LABEL, REGRESSION
from minibert.evaluation import Report, evaluate
from minibert.finetuning import HEADS, TaskSettings, dataset_maker, naming, options_for
from minibert.heads import BertForCausalLM, BertForMaskedLM, BertForPreTraining
from minibert.metrics import Reliability
from minibert.model import PretrainedModel
from minibert.prediction import forward
from minibert.pretraining import Texts, pretraining_metrics, tokenise
from minibert.tokenizer import Tokenizer

_OBJECTIVES: dict[type[PretrainedModel], str] = {
    BertForPreTraining: "mlm+nsp",
    BertForMaskedLM: "mlm",
    BertForCausalLM: "causal",
}


def run(options: Namespace) -> None:
    """Print what a model reaches on labelled examples, or a pre-trained one on a text."""
    kind = auto.architecture(options.model)
    if options.plots is not None:
        check_new_folder(Path(options.plots))
    if kind in _OBJECTIVES:
        figures = _pretrained(options, _OBJECTIVES[kind])
        print(json.dumps(figures, indent=2) if options.json else _listed(figures))
        return
    result = _finetuned(options)
    if options.json:
        print(json.dumps(_as_json(result), indent=2, ensure_ascii=False))
    else:
        print(_as_text(result))
    if options.plots is not None:
        _draw(result, Path(options.plots))


def _finetuned(options: Namespace) -> Report:
    settings = adjusted(TaskSettings.read(options.model), options)
    config = checkpoint.read_config(checkpoint.resolve(options.model))
    tokenizer = Tokenizer.from_pretrained(options.model)
    make = dataset_maker(settings, tokenizer, config.labels, config.problem_type)
    if options.plots is not None and (
        settings.task != "classify" or config.problem_type in (MULTI_LABEL, REGRESSION)
    ):
        raise ValueError("--plots draws one label a text, and this model does not give one")
    said = reading_options(options)
    if config.problem_type is not None:
        said.setdefault("problem_type", config.problem_type)
    examples = _examples(options.data, options.split, said)
    with naming(options.data):
        dataset = make(examples)
    model = auto.load_with_head(options.model, HEADS[settings.task])
    return evaluate(model, dataset, options.batch_size, **settings.thresholds)


def _examples(data: str, split: str | None, said: dict[str, Any]) -> list[Any]:
    """A whole file, or one side of anything else."""
    if Path(data).is_file():
        if split is not None:
            raise ValueError(f"{data} is one file, read whole: leave --split out")
        return read_file(data, **options_for(data, said))
    side = split or "test"
    examples: list[Any] = getattr(load_dataset(data, **options_for(data, said)), side)
    if not examples:
        raise ValueError(f"{data} has no {side} side: choose another --split")
    return examples


def _pretrained(options: Namespace, objective: str) -> dict[str, float]:
    """Held-out figures on the blanks that every evaluation of this text gets."""
    if options.plots is not None:
        raise ValueError("--plots draws classes, and a pre-trained model has none: leave it out")
    texts = Texts([options.data])
    side = options.split or ("test" if "test" in texts.sides else "train")
    if side not in texts.sides:
        raise ValueError(f"{options.data} has no {side} side: choose another --split")
    tokenizer = Tokenizer.from_pretrained(options.model)
    length = options.max_length or min(128, tokenizer.model_max_length)
    tokens = tokenise(texts, tokenizer)[side]
    dataset = PretrainingDataset(tokens, tokenizer, length, objective)
    model = auto.load(options.model)
    metrics = partial(pretraining_metrics, mask_token_id=tokenizer.mask_token_id)
    return metrics(forward(model, dataset, options.batch_size))


def _listed(figures: dict[str, float]) -> str:
    width = max(map(len, figures))
    return "\n".join(f"{name:{width}}  {value:.4f}" for name, value in figures.items())


def _as_json(result: Report) -> dict[str, Any]:
    content: dict[str, Any] = {"figures": result.figures}
    if result.confusion is not None:
        content |= {"labels": result.names, "confusion": result.confusion.tolist()}
    if result.reliability is not None:
        columns = result.reliability._asdict().items()
        content["calibration"] = {name: column.tolist() for name, column in columns}
    return content


def _as_text(result: Report) -> str:
    parts = [_listed(result.figures)]
    if result.table:
        parts.append(result.table)
    if result.confusion is not None:
        parts.append(_confusion_table(result.confusion, result.names))
    if result.reliability is not None:
        parts.append(_calibration_table(result.reliability))
    return "\n\n".join(parts)


def _confusion_table(counts: Any, names: list[str]) -> str:
    corner = "true \\ said"
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
    from minibert import plots  # matplotlib takes a second to open

    folder.mkdir(parents=True, exist_ok=True)
    for name, figure in (
        ("confusion", plots.confusion(result.confusion, result.names)),
        ("calibration", plots.reliability(result.reliability)),
    ):
        (folder / f"{name}.png").write_bytes(figure.png())
        print(folder / f"{name}.png")
