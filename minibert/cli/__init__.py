"""The command line and nothing else: `minibert --help`.

`main` knows the commands, `options` derives their options from the settings classes, and every
other module is one command, opened when it is called. What a command does is done elsewhere.

May import: everything but `course`. Nothing that is imported for `--help` may import PyTorch.
"""

from minibert.cli.main import main

__all__ = ["main"]
