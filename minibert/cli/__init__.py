"""The command line and nothing else: `minibert --help`.

`commands` has the commands and their options, which `options` derives from the settings classes;
`main` calls one of them, and `messages` shows a warning as one line. A command is a module, opened
when it is called: `data`, `pretrain`, `finetune`, `evaluate` (with `row_lists`, for what it says of
single rows), `predict`, `embed`, `search` (with `vectors`, for both of these), `fill_mask`,
`generate`, `export`, `info`. What they share: `models` opens a folder with the head it was saved
with, `computing` says where and in which precision, `input_rows` has a row for every row that was
given, `cards` what a card says of a run, `lines` how a prediction is printed, and `output` writes
lines to a file, whole or not at all.

May import: everything but `course`. Nothing that is imported for `--help` may import PyTorch.
"""

from minibert.cli.main import main

__all__ = ["main"]
