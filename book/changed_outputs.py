"""Which printed outputs of the stored notebooks differ from those of an earlier commit.

    python book/changed_outputs.py 6b2b84a

Pictures are left out (their titles are compared), and how a kernel cut its stream into parts.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent


def printed(notebook: dict[str, Any]) -> list[list[str]]:
    """The lines that each code cell printed or returned."""
    cells = []
    for cell in notebook["cells"]:
        if cell["cell_type"] != "code":
            continue
        parts = [output for output in cell["outputs"] if "data" in output]
        text = "".join("".join(o["text"]) for o in cell["outputs"] if o["output_type"] == "stream")
        text += "".join("\n" + "".join(part["data"].get("text/plain", "")) for part in parts)
        for part in parts:
            if "image/png" not in part["data"]:
                text += "\n" + re.sub(r"<[^>]+>", " ", "".join(part["data"].get("text/html", "")))
        cells.append([line for line in text.splitlines() if line.strip()])
    return cells


def main(revision: str) -> int:
    """Print every line that differs, and how many cells have one."""
    cells = changed = 0
    for path in sorted((HERE / "notebooks").glob("*.ipynb")):
        command = ["git", "show", f"{revision}:./notebooks/{path.name}"]
        told = subprocess.run(command, cwd=HERE, capture_output=True, check=True).stdout
        then, now = printed(json.loads(told)), printed(json.loads(path.read_text("utf-8")))
        if len(then) != len(now):
            print(f"{path.name}: {len(then)} cells, now {len(now)}")
        for number, (before, after) in enumerate(zip(then, now, strict=False)):
            cells += 1
            changed += before != after
            for line in (line for line in before if line not in after):
                print(f"{path.name} cell {number}: - {line}")
            for line in (line for line in after if line not in before):
                print(f"{path.name} cell {number}: + {line}")
    print(f"{changed} of {cells} cells differ")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
