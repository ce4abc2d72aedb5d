"""Whatever is put in, an answer or one line comes out: no crash, no hang, no traceback.

Inputs are drawn by hypothesis. What is checked of an answer is what makes it one: offsets that are
places of the text, windows that hold it all, the best of all spans.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from faults import fuzz_commands, fuzz_models, fuzz_texts
from faults.tally import Tally

# What each is, and how many of 100,000.
PARTS = {
    "readers": (fuzz_texts.readers, 30_000),
    "tokenizer": (fuzz_texts.tokenizer, 30_000),
    "windows": (fuzz_texts.windows, 14_000),
    "spans": (fuzz_texts.spans, 14_000),
    "JSON files of model folders": (fuzz_models.json_files, 8_000),
    "bytes of model folders": (fuzz_models.folders, 2_000),
    "command line": (fuzz_commands.command_line, 2_000),
}


def fuzzed(folder: Path, cases: int) -> Iterator[Tally]:
    """So many cases in all, shared out as in `PARTS`."""
    with contextlib.chdir(folder):
        for name, (part, share) in PARTS.items():
            yield part(Tally(name), share * cases // 100_000)
