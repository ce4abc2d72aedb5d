"""The command line: `minibert --help`."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

# No module of the package is imported up here: with PyTorch behind them, `--help` would take
# seconds. A command's own module is opened when the command is known.


class _Parser(argparse.ArgumentParser):
    """A parser whose complaint is one line, like every other of ours."""

    def error(self, message: str) -> NoReturn:
        raise ValueError(f"{message} (see {self.prog} --help)")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Returns:
        0; 2 after a user's mistake, told in one line; 130 after Ctrl-C.
    """
    try:
        words = list(sys.argv[1:] if arguments is None else arguments)
        options = _parser().parse_args(words)
        options.command = ["minibert", *words]  # for the card of what it makes
        importlib.import_module(f"minibert.commands.{options.module}").run(options)
    except BrokenPipeError:
        # Who reads our output has seen enough (`| head`). Nothing is left to be flushed to it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (ValueError, OSError) as error:
        if os.environ.get("MINIBERT_DEBUG"):
            raise
        print(f"minibert: {_in_one_line(error)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


def _in_one_line(error: ValueError | OSError) -> str:
    """What went wrong; the system's own errors without their number."""
    if isinstance(error, OSError) and error.strerror and error.filename:
        return f"{error.filename}: {error.strerror}"
    return " ".join(str(error).split())


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="minibert", description="A small, complete BERT: train it, use it.")
    subparsers = parser.add_subparsers(required=True, metavar="COMMAND")
    for add in (
        _add_data,
        _add_pretrain,
        _add_finetune,
        _add_evaluate,
        _add_predict,
        _add_fill_mask,
        _add_generate,
        _add_export,
        _add_info,
    ):
        add(subparsers)
    return parser


Subparsers = argparse._SubParsersAction


def _add(subparsers: Subparsers, name: str, module: str, told: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = subparsers.add_parser(name, help=told, description=told)
    parser.set_defaults(module=module)
    return parser


def _add_data(subparsers: Subparsers) -> None:
    parser = _add(subparsers, "data", "data", "list or fetch the texts and weights known by name")
    actions = parser.add_subparsers(required=True, metavar="ACTION", dest="action")
    actions.add_parser("list", help="what there is, and what is fetched already")
    get = actions.add_parser("get", help="fetch into the cache (MINIBERT_HOME)")
    get.add_argument("names", nargs="+", metavar="NAME", help="names of the list, or all")


def _add_training(parser: argparse.ArgumentParser, rate: float, epochs: int, batch: int) -> None:
    """The options that pre-training and fine-tuning share: the fields of `TrainingConfig`."""
    group = parser.add_argument_group("training")
    group.add_argument("--out", required=True, help="folder for the model, its log and snapshots")
    group.add_argument("--epochs", type=int, default=epochs, help="default: %(default)s")
    group.add_argument("--steps", type=int, help="steps in all, instead of epochs")
    group.add_argument("--batch-size", type=int, default=batch, help="default: %(default)s")
    group.add_argument("--learning-rate", type=float, default=rate, help="default: %(default)s")
    group.add_argument("--warmup", type=float, default=0.1, help="share of the steps")
    group.add_argument("--schedule", choices=("linear", "cosine"), default="linear")
    group.add_argument("--weight-decay", type=float, default=0.01)
    group.add_argument("--accumulation-steps", type=int, default=1)
    group.add_argument("--precision", choices=("auto", "float32", "bf16"), default="auto")
    group.add_argument("--device", choices=("auto", "cpu", "cuda", "mps"), default="auto")
    group.add_argument("--parallel", choices=("ddp", "fsdp"), default="ddp")
    group.add_argument("--gradient-checkpointing", action="store_true", help="less memory, slower")
    group.add_argument("--compile", action="store_true", help="torch.compile the model")
    group.add_argument("--tensorboard", action="store_true")
    group.add_argument("--seed", type=int, default=0)
    group.add_argument("--eval-every", type=int, help="steps; default: each epoch")
    group.add_argument("--save-every", type=int, help="steps; default: each epoch")
    group.add_argument("--patience", type=int, help="stop after so many worse evaluations")
    group.add_argument("--resume", action="store_true", help="go on from the last snapshot")


def _add_pretrain(subparsers: Subparsers) -> None:
    parser = _add(subparsers, "pretrain", "pretrain", "train a model on plain text")
    parser.add_argument("--corpus", nargs="+", required=True, help="names or text files")
    parser.add_argument("--objective", choices=("mlm+nsp", "mlm", "causal"), default="mlm+nsp")
    parser.add_argument("--preset", default="mini", help="tiny, mini, small, base, large")
    parser.add_argument("--tokenizer", help="a name or folder; trained on the corpus if not given")
    parser.add_argument("--vocab-size", type=int, default=8192, help="default: %(default)s")
    parser.add_argument("--max-length", type=int, default=128, help="tokens; default: %(default)s")
    parser.add_argument("--dropout", type=float, default=0.1, help="default: %(default)s")
    parser.add_argument("--base", help="go on with this model")
    parser.add_argument("--adapter", type=int, metavar="RANK", help="train an adapter to --base")
    parser.add_argument("--prune-from", help="start from a smaller model cut out of this one")
    _add_training(parser, rate=5e-4, epochs=10, batch=64)


def _add_reading(parser: argparse.ArgumentParser) -> None:
    """How a user's own table is to be read."""
    group = parser.add_argument_group("columns of a .jsonl, .csv or .tsv file")
    group.add_argument("--text-column", metavar="NAME", help="default: text")
    group.add_argument("--pair-column", metavar="NAME", help="second text; default: text_pair")
    group.add_argument("--label-column", metavar="NAME", help="default: label")
    group.add_argument("--columns", metavar="A,B,...", help="names for a file without a header")
    group.add_argument(
        "--problem",
        choices=("single", "multi", "regression"),
        help="one label, several, or a number; default: told by the labels' form",
    )


def _add_fitting(parser: argparse.ArgumentParser) -> None:
    """How a text is brought into a row of tokens."""
    group = parser.add_argument_group("long texts (by default, one too long is an error)")
    group.add_argument("--max-length", type=int, metavar="TOKENS", help="cut what is longer")
    group.add_argument(
        "--truncation",
        nargs="?",
        const="longest_first",
        choices=("longest_first", "only_first", "only_second"),
        help="cut what the model cannot read; of a pair the longer text, or the one named",
    )
    group.add_argument(
        "--stride", type=int, metavar="TOKENS", help="split into windows that share so many"
    )


def _add_decisions(parser: argparse.ArgumentParser, threshold: float | None) -> None:
    """How scores become answers."""
    parser.add_argument(
        "--threshold",
        type=float,
        default=threshold,
        help="several labels: say those more probable than this; default: 0.5",
    )
    parser.add_argument(
        "--null-threshold",
        type=float,
        help="answer: say 'no answer' where its score is higher by more than this",
    )


def _add_finetune(subparsers: Subparsers) -> None:
    parser = _add(subparsers, "finetune", "finetune", "train a model for a task")
    parser.add_argument("task", choices=("classify", "tag", "answer"))
    parser.add_argument("--base", required=True, help="name or folder of the pre-trained model")
    parser.add_argument("--train", required=True, help="name, file or folder")
    parser.add_argument("--dev", metavar="FILE", help="default: that of --train, or a tenth of it")
    parser.add_argument("--test", metavar="FILE", help="likewise")
    parser.add_argument("--adapter", type=int, metavar="RANK", help="train only an adapter")
    parser.add_argument("--dropout", type=float, default=0.1, help="default: %(default)s")
    parser.add_argument(
        "--class-weights", metavar="balanced|A=1,B=2", help="for labels of unequal frequency"
    )
    _add_decisions(parser, threshold=0.5)
    _add_fitting(parser)
    _add_reading(parser)
    _add_training(parser, rate=5e-5, epochs=3, batch=32)


def _add_evaluate(subparsers: Subparsers) -> None:
    told = "figures, confusion matrix and calibration on labelled data, or on a corpus"
    parser = _add(subparsers, "evaluate", "evaluate", told)
    parser.add_argument("model", metavar="DIR", help="name or folder of the model")
    parser.add_argument("data", metavar="FILE|NAME", help="examples; for a pre-trained model text")
    parser.add_argument(
        "--split",
        choices=("train", "dev", "test"),
        help="side of a named data set or corpus (default: test); of a file, all is read",
    )
    parser.add_argument("--plots", metavar="DIR", help="draw confusion matrix and calibration")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument("--batch-size", type=int, default=32, help="default: %(default)s")
    _add_decisions(parser, threshold=None)
    _add_fitting(parser)
    _add_reading(parser)


def _add_predict(subparsers: Subparsers) -> None:
    told = "label, tag or answer new texts: an argument, a file, or lines of standard input"
    parser = _add(subparsers, "predict", "predict", told)
    parser.add_argument("model", metavar="DIR", help="name or folder of a fine-tuned model")
    parser.add_argument("text", nargs="?", metavar="TEXT", help="a text, or a question")
    parser.add_argument("--pair", metavar="TEXT", help="the second text of a pair")
    parser.add_argument("--context", metavar="TEXT", help="where the answer is to be found")
    parser.add_argument("--context-file", metavar="FILE", help="likewise, from a text file")
    parser.add_argument("--file", help=".txt (a text a line), .jsonl, .csv, .tsv, .conll, .json")
    parser.add_argument("--json", action="store_true", help="print a JSON object a line")
    parser.add_argument("--batch-size", type=int, default=32, help="default: %(default)s")
    _add_decisions(parser, threshold=None)
    _add_fitting(parser)
    _add_reading(parser)


def _add_fill_mask(subparsers: Subparsers) -> None:
    parser = _add(subparsers, "fill-mask", "fill_mask", "guess the words behind [MASK]")
    parser.add_argument("--model", required=True, help="name or folder, with a masked-word head")
    parser.add_argument("text", metavar="TEXT", help='such as "Rome is the [MASK] of Italy."')
    parser.add_argument("--top", type=int, default=5, help="guesses; default: %(default)s")
    parser.add_argument("--json", action="store_true", help="print JSON")


def _add_generate(subparsers: Subparsers) -> None:
    parser = _add(subparsers, "generate", "generate", "go on with a text, word by word")
    parser.add_argument("--model", required=True, help="name or folder of a causal model")
    parser.add_argument("text", metavar="TEXT", help="how it begins")
    parser.add_argument("--max-new-tokens", type=int, default=40, help="default: %(default)s")
    parser.add_argument("--temperature", type=float, default=0.0, help="0: the likeliest; default")
    parser.add_argument("--top-k", type=int, help="draw among so many tokens")
    parser.add_argument("--top-p", type=float, help="draw among the likeliest of this share")
    parser.add_argument("--seed", type=int, default=0, help="default: %(default)s")


def _add_export(subparsers: Subparsers) -> None:
    parser = _add(subparsers, "export", "export", "write a model in 16 bits, or merged")
    parser.add_argument("model", help="a name or folder")
    parser.add_argument("--out", required=True)
    parser.add_argument("--dtype", choices=("float32", "float16", "bfloat16"), default="float16")
    parser.add_argument("--merge", action="store_true", help="fold an adapter into the weights")


def _add_info(subparsers: Subparsers) -> None:
    parser = _add(subparsers, "info", "info", "configuration, parameters, labels and card")
    parser.add_argument("model", metavar="NAME|DIR", help="a name or folder")


if __name__ == "__main__":
    sys.exit(main())
