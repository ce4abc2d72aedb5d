"""The command line: `minibert --help`."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from minibert import commands


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Returns:
        0; 2 after a user's mistake, told in one line; 130 after Ctrl-C.
    """
    options = _parser().parse_args(arguments)
    try:
        options.run(options)
    except (ValueError, OSError) as error:
        if os.environ.get("MINIBERT_DEBUG"):
            raise
        print(f"minibert: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="minibert", description=__doc__)
    subparsers = parser.add_subparsers(required=True, metavar="COMMAND")
    for add in (_add_pretrain, _add_export):
        add(subparsers)
    return parser


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
    group.add_argument("--compile", action="store_true", help="torch.compile the model")
    group.add_argument("--tensorboard", action="store_true")
    group.add_argument("--seed", type=int, default=0)
    group.add_argument("--eval-every", type=int, help="steps; default: each epoch")
    group.add_argument("--save-every", type=int, help="steps; default: each epoch")
    group.add_argument("--patience", type=int, help="stop after so many worse evaluations")
    group.add_argument("--resume", action="store_true", help="go on from the last snapshot")


def _add_pretrain(subparsers: argparse._SubParsersAction) -> None:
    parser = subparsers.add_parser("pretrain", help="train a model on plain text")
    parser.set_defaults(run=commands.pretrain)
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


def _add_export(subparsers: argparse._SubParsersAction) -> None:
    parser = subparsers.add_parser("export", help="write a model in 16 bits, or merged")
    parser.set_defaults(run=commands.export)
    parser.add_argument("model", help="a name or folder")
    parser.add_argument("--out", required=True)
    parser.add_argument("--dtype", choices=("float32", "float16", "bfloat16"), default="float16")
    parser.add_argument("--merge", action="store_true", help="fold an adapter into the weights")


if __name__ == "__main__":
    sys.exit(main())
