"""The command line and nothing else: `minibert --help`.

`main` knows the commands, `options` derives their options from the settings classes and `messages`
shows a warning as one line. A command is a module, opened when it is called: `data`, `pretrain`,
`finetune`, `evaluate` (with `row_lists`, for what it says of single rows), `predict`, `fill_mask`,
`generate`, `export`, `info`. What they share: `models` opens a folder with the head it was saved
with, `computing` says where and in which precision, `cards` what a card says of a run, `lines` how
a prediction is printed, and `output` writes lines to a file, whole or not at all.

May import: everything but `course`. Nothing that is imported for `--help` may import PyTorch.
"""

from minibert.cli.main import main

__all__ = ["main"]
