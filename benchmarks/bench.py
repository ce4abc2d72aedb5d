"""`make bench`: what the package reaches on a CPU, beside its peers.

    python benchmarks/bench.py [--only NAME ...] [--quick]

Prints each row as soon as it has it and writes `benchmarks/results/latest.json` and `latest.svg`;
`harness.py` says what a row is. With `--only` the other rows stay as they were. All sides use as
many threads as OMP_NUM_THREADS says, each peer is used as its documentation says, and both sides'
results are compared in the same run. Takes some twenty minutes on one core; `--quick` rehearses on
tiny models, and writes nothing.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import traceback

import harness
import transformers
from bench_embedding import embedding
from bench_finetuning import finetuning
from bench_generation import generation
from bench_memory import memory
from bench_pretraining import pretraining

FAMILIES = {
    part.__name__: part for part in (pretraining, embedding, generation, memory, finetuning)
}
PATH = harness.RESULTS / "latest.json"


def main() -> int:
    """Print and write the rows; 1 if a family broke off."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=FAMILIES, default=list(FAMILIES))
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    about = harness.about()
    print(json.dumps(about), flush=True)
    held = json.loads(PATH.read_text(encoding="utf-8"))["rows"] if PATH.is_file() else []
    kept = {name: [entry for entry in held if entry["family"] == name] for name in FAMILIES}
    broken = False
    for name in options.only:
        fresh: list[harness.Row] = []
        started = time.perf_counter()
        try:
            for made in FAMILIES[name](options.quick):
                taken = round(time.perf_counter() - started)
                fresh.append({"family": name, **made, "seconds": taken})
                kept[name] = fresh
                print(json.dumps(fresh[-1]), flush=True)
        except Exception:  # what breaks must not cost the others
            traceback.print_exc()
            broken = True
        if not options.quick:
            rows = [entry for entries in kept.values() for entry in entries]
            harness.write(PATH, about, rows)
            harness.draw(PATH.with_suffix(".svg"), rows)
    return int(broken)


if __name__ == "__main__":
    sys.exit(main())
