"""The commands and their options."""

from __future__ import annotations

import argparse
from typing import Any

from minibert.cli.options import add_options
from minibert.finetuning.defaults import CHOSEN
from minibert.finetuning.settings import (
    TASKS,
    EmbeddingSettings,
    FinetuningSettings,
    ReadingSettings,
    TaskSettings,
)
from minibert.pretraining.settings import PretrainingSettings
from minibert.training.config import TrainingConfig

# Nothing that is imported here has PyTorch behind it: with it, `--help` would take seconds. A
# command's own module is opened when the command is known.
_FITTING = ("max_length", "truncation", "stride")
_DECIDING = ("threshold", "null_threshold")
Subparsers = argparse._SubParsersAction


def _add(subparsers: Subparsers[Any], name: str, told: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = subparsers.add_parser(name, help=told, description=told)
    parser.set_defaults(module=name.replace("-", "_"))
    return parser


def _add_data(subparsers: Subparsers[Any]) -> None:
    parser = _add(subparsers, "data", "list or fetch the texts and weights known by name")
    actions = parser.add_subparsers(required=True, metavar="ACTION", dest="action")
    actions.add_parser("list", help="what there is, and what is fetched already")
    get = actions.add_parser("get", help="fetch into the cache (MINIBERT_HOME)")
    get.add_argument("names", nargs="+", metavar="NAME", help="names of the list, or all")


def _add_pretrain(subparsers: Subparsers[Any]) -> None:
    parser = _add(subparsers, "pretrain", "train a model on plain text")
    parser.add_argument("--corpus", nargs="+", required=True, help="names or text files")
    add_options(parser, PretrainingSettings)
    training = parser.add_argument_group("training")
    add_options(training, TrainingConfig, learning_rate=5e-4, epochs=10, batch_size=64)


def _add_finetune(subparsers: Subparsers[Any]) -> None:
    parser = _add(subparsers, "finetune", "train a model for a task")
    parser.add_argument("task", choices=tuple(TASKS))
    parser.add_argument("--base", required=True, help="name or folder of the pre-trained model")
    parser.add_argument("--train", required=True, help="name, file or folder")
    parser.add_argument("--dev", metavar="FILE", help="default: that of --train, or a tenth of it")
    parser.add_argument("--test", metavar="FILE", help="likewise")
    parser.add_argument(
        "--deduplicate",
        action="store_true",
        help="leave out repeated rows, and texts with different labels (default: only say so)",
    )
    parser.add_argument(
        "--sweep",
        type=float,
        metavar="MINUTES",
        help="train with several learning rates, as many as this time allows, and keep the model "
        "that is best on the dev split; sweep.json has the table",
    )
    add_options(parser, FinetuningSettings)
    add_options(parser, TaskSettings, *_DECIDING)
    _add_reading(parser, "long texts (by default, split into windows where the model needs it)")
    training = parser.add_argument_group("training")
    add_options(training, TrainingConfig, chosen=CHOSEN)


def _add_evaluate(subparsers: Subparsers[Any]) -> None:
    told = "metrics, confusion matrix and calibration on labelled data, or on a corpus"
    parser = _add(subparsers, "evaluate", told)
    parser.add_argument("model", metavar="DIR", help="name or folder of the model")
    parser.add_argument("data", metavar="FILE|NAME", help="examples; for a pre-trained model text")
    parser.add_argument(
        "--split",
        choices=("train", "dev", "test"),
        help="of a named data set or corpus (default: test); of a file, all is read",
    )
    parser.add_argument("--plots", metavar="DIR", help="draw confusion matrix and calibration")
    parser.add_argument("--json", action="store_true", help="print the metrics as JSON")
    rows = parser.add_argument_group("row by row (rows are counted from 1)")
    rows.add_argument(
        "--against",
        metavar="DIR",
        help="another model on the same data: paired tests (McNemar's, a bootstrap), and the rows "
        "on which the two differ",
    )
    lists = {
        "--mistakes": "list so many of the surest mistakes",
        "--label-errors": "list so many of the labels that are likely wrong, by confident "
        "learning; only on data that the model was not trained on",
    }
    for flag, line in lists.items():
        told = f"{line}; default: %(const)s"
        rows.add_argument(flag, nargs="?", const=20, type=int, metavar="ROWS", help=told)
    _add_computing(parser)
    add_options(parser, TaskSettings, *_DECIDING, threshold=None)
    _add_reading(parser)


def _add_predict(subparsers: Subparsers[Any]) -> None:
    told = "label, tag or answer new texts: an argument, a file, or lines of standard input"
    parser = _add(subparsers, "predict", told)
    parser.epilog = (
        "Every row gets a line, in order: its id where it has one (a column `id`, SQuAD), its text "
        "and the answer, separated by tabs; a tab, line end or backslash in a text is written as "
        r"\t, \n, \r, \\. Tags: a word and its tag a line, and a blank line after each row. "
        "Of standard input, --batch-size 1 answers each line at once."
    )
    parser.add_argument("model", metavar="DIR", help="name or folder of a fine-tuned model")
    parser.add_argument("text", nargs="?", metavar="TEXT", help="a text, or a question")
    parser.add_argument("--pair", metavar="TEXT", help="the second text of a pair")
    parser.add_argument("--context", metavar="TEXT", help="where the answer is to be found")
    parser.add_argument("--context-file", metavar="FILE", help="likewise, from a text file")
    parser.add_argument("--file", help=".txt (a text a line), .jsonl, .csv, .tsv, .conll, .json")
    parser.add_argument("--json", action="store_true", help="print a JSON object a line")
    parser.add_argument("--out", metavar="FILE", help="a new file, whole or not there at all")
    parser.add_argument(
        "--strict",
        action="store_true",
        help="stop at a row that cannot be read; by default its answer is empty",
    )
    _add_computing(parser)
    add_options(parser, TaskSettings, *_DECIDING, threshold=None)
    _add_reading(parser)


def _add_embed(subparsers: Subparsers[Any]) -> None:
    told = "make a vector of each text: an argument, a file, or lines of standard input"
    parser = _add(subparsers, "embed", told)
    parser.epilog = (
        "Vectors have the length 1: the dot product of two is their cosine. Every row gets one, in "
        "order; one that cannot be read has NaN in a .npy, and in JSON its error. Beside FILE.npy, "
        "FILE.npy.jsonl has the texts with their ids, and `minibert search` reads both."
    )
    parser.add_argument("model", metavar="DIR", help="name or folder of a model; heads are left")
    parser.add_argument("text", nargs="?", metavar="TEXT")
    parser.add_argument("--file", help=".txt (a text a line), .jsonl, .csv or .tsv")
    parser.add_argument(
        "--out",
        metavar="FILE",
        help="a new .npy or .jsonl, whole or not there at all; default: JSON lines to the screen",
    )
    parser.add_argument(
        "--strict", action="store_true", help="stop at a row that cannot be read; default: go on"
    )
    add_options(parser, EmbeddingSettings)
    _add_computing(parser)
    _add_single_texts(parser)


def _add_search(subparsers: Subparsers[Any]) -> None:
    parser = _add(
        subparsers, "search", "the texts of a file that are nearest in meaning to a query"
    )
    parser.epilog = (
        "Every text is compared. A line for each text found, the nearest first: the query (where "
        "there are several), the cosine, the text's id where it has one, the text."
    )
    parser.add_argument("model", metavar="DIR", help="name or folder of a model; heads are left")
    parser.add_argument("file", metavar="FILE", help="texts (.txt, .jsonl, .csv, .tsv), or the "
                        ".npy that `minibert embed` made of them with this model")  # fmt: skip
    parser.add_argument("query", nargs="*", metavar="QUERY", help="default: standard input")
    parser.add_argument("--queries", metavar="FILE", help="of queries: .txt, .jsonl, .csv or .tsv")
    parser.add_argument("--top", type=int, default=5, help="texts a query; default: %(default)s")
    parser.add_argument("--json", action="store_true", help="print a JSON object a query")
    chosen = {"pooling": "default: mean, or that of the .npy"}
    add_options(parser, EmbeddingSettings, chosen=chosen)
    _add_computing(parser)
    _add_single_texts(parser)


def _add_fill_mask(subparsers: Subparsers[Any]) -> None:
    parser = _add(subparsers, "fill-mask", "predict the words behind [MASK]")
    parser.add_argument("--model", required=True, help="name or folder, with a masked-word head")
    parser.add_argument("text", metavar="TEXT", help='such as "Rome is the [MASK] of Italy."')
    parser.add_argument("--top", type=int, default=5, help="guesses; default: %(default)s")
    parser.add_argument("--json", action="store_true", help="print JSON")
    _add_computing(parser, "device", "precision")


def _add_generate(subparsers: Subparsers[Any]) -> None:
    parser = _add(subparsers, "generate", "continue a text, token by token")
    parser.add_argument("--model", required=True, help="name or folder of a causal model")
    parser.add_argument("text", metavar="TEXT", help="how it begins")
    parser.add_argument("--max-new-tokens", type=int, default=40, help="default: %(default)s")
    parser.add_argument("--temperature", type=float, default=0.0, help="0: the likeliest; default")
    parser.add_argument("--top-k", type=int, help="draw among so many tokens")
    parser.add_argument("--top-p", type=float, help="draw among the likeliest of this probability")
    parser.add_argument("--seed", type=int, default=0, help="default: %(default)s")
    _add_computing(parser, "device", "precision")


def _add_export(subparsers: Subparsers[Any]) -> None:
    parser = _add(subparsers, "export", "write a model in 16 bits, merged, or as ONNX")
    parser.add_argument("model", help="a name or folder")
    parser.add_argument("--out", required=True)
    dtypes = ("float32", "float16", "bfloat16")
    parser.add_argument("--dtype", choices=dtypes, help="of the weights; default: float16")
    parser.add_argument("--merge", action="store_true", help="fold an adapter into the weights")
    parser.add_argument(
        "--pickled", action="store_true", help="read pytorch_model.bin: tensors, never code"
    )
    parser.add_argument("--onnx", action="store_true", help="write a graph that needs no PyTorch")
    parser.add_argument("--int8", action="store_true", help="with --onnx: another of 8-bit weights")
    parser.add_argument("--attentions", action="store_true", help="with --onnx: also an output")


def _add_info(subparsers: Subparsers[Any]) -> None:
    parser = _add(subparsers, "info", "configuration, parameters, labels and card")
    parser.add_argument("model", metavar="NAME|DIR", help="a name or folder")


def _add_computing(parser: argparse.ArgumentParser, *names: str) -> None:
    """Where and how a model that was trained is run: as in training, where nothing is said."""
    names = names or ("batch_size", "device", "precision")
    group = parser.add_argument_group("computing (by default, as the model was trained)")
    defaults = {name: None for name in names if name != "device"}
    add_options(group, TrainingConfig, *names, **defaults)


def _add_single_texts(parser: argparse.ArgumentParser) -> None:
    """How rows of one text each are read."""
    add_options(
        parser.add_argument_group("long texts (by default refused)"), TaskSettings, *_FITTING
    )
    table = parser.add_argument_group("columns of a .jsonl, .csv or .tsv file")
    add_options(table, ReadingSettings, "text_column", "columns")


def _add_reading(
    parser: argparse.ArgumentParser, long_texts: str = "long texts (by default, as in training)"
) -> None:
    """How a text is brought into a row of tokens, and a user's own table read."""
    long = parser.add_argument_group(long_texts)
    add_options(long, TaskSettings, *_FITTING)
    add_options(parser, TaskSettings, "special_tokens")
    table = parser.add_argument_group("columns of a .jsonl, .csv, .tsv or .conll file")
    add_options(table, ReadingSettings)


COMMANDS = (
    _add_data,
    _add_pretrain,
    _add_finetune,
    _add_evaluate,
    _add_predict,
    _add_embed,
    _add_search,
    _add_fill_mask,
    _add_generate,
    _add_export,
    _add_info,
)
