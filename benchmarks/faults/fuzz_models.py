"""Odd folders of models: values in their JSON, and bytes of all their files."""

from __future__ import annotations

import json
import random
import warnings
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from faults.drawing import draw, refusals
from faults.tally import Tally

_NUMBERS = st.integers(-2, 70) | st.sampled_from([10**9, 10**18, -(10**9)]) | st.floats()
_JSON = st.recursive(
    st.none() | st.booleans() | _NUMBERS | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=6,
)


def _save(root: Path) -> None:
    """A fine-tuned model with every file that there is, and an adapter beside it."""
    import tiny

    from minibert import BertForSequenceClassification
    from minibert.model.lora import add_adapter

    labels = {"problem_type": "single_label_classification", "id2label": {0: "bad", 1: "good"}}
    folder = tiny.save(root / "whole", BertForSequenceClassification, **labels)
    task = {"task": "classify", "max_length": 20, "threshold": 0.4, "truncation": None}
    (folder / "task.json").write_text(json.dumps(task))
    (folder / "training_config.json").write_text('{"batch_size": 8, "precision": "float32"}')
    model = add_adapter(BertForSequenceClassification.from_pretrained(folder), "../whole", 4)
    model.save_pretrained(root / "adapter")
    tiny.tokenizer().save_pretrained(root / "adapter")


def json_files(tally: Tally, count: int) -> Tally:
    """Values of any kind at any place of any JSON file."""
    from minibert import BertConfig, Tokenizer
    from minibert.finetuning.settings import TaskSettings
    from minibert.training.config import TrainingConfig
    from minibert.weights import read_adapter_config, read_architecture, read_config
    from minibert.weights.typed_json import read_typed

    root = Path("json")
    _save(root)
    files = {path: path.read_text() for path in sorted(root.glob("*/*.json"))}

    def case(values: tuple[Path, list[tuple[int, Any]]]) -> None:
        path, changes = values
        content = json.loads(files[path])
        for seed, value in changes:
            _put(content, value, random.Random(seed))
        path.write_text(json.dumps(content))  # also what is no JSON: NaN
        folder = path.parent
        try:
            with refusals(str(folder)):
                read_config(folder, BertConfig)
                read_architecture(folder)
                TaskSettings.read(folder)
            with refusals(path.name):
                if path.name == "training_config.json":
                    read_typed(path, TrainingConfig)
                read_adapter_config(folder)
            with refusals(str(folder)), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                Tokenizer.from_pretrained(folder)("anna lives in rome")
        finally:
            path.write_text(files[path])

    change = st.tuples(st.integers(0, 2**31), _JSON)
    drawn = st.tuples(st.sampled_from(list(files)), st.lists(change, min_size=1, max_size=3))
    draw(count, tally, drawn, case)
    return tally


def _put(content: Any, value: Any, rng: random.Random) -> None:
    """Put a value somewhere into lists and dictionaries."""
    while True:
        keys = list(range(len(content)) if isinstance(content, list) else content)
        if not keys:
            return
        key = rng.choice(keys)
        inner = content[key]
        if not isinstance(inner, list | dict) or not inner or rng.random() < 0.3:
            content[key] = value
            return
        content = inner


def folders(tally: Tally, count: int) -> Tally:
    """Any file with bytes changed, or cut."""
    from minibert import Tokenizer
    from minibert.cli.models import load
    from minibert.finetuning.settings import TaskSettings

    root = Path("bytes")
    _save(root)
    files = {path: path.read_bytes() for path in sorted(root.glob("*/*"))}

    def case(values: tuple[Path, int, bytes, bool]) -> None:
        path, seed, bits, is_cut = values
        content, folder = files[path], path.parent
        # Mostly near the beginning, where a safetensors file says what is in it.
        place = int(random.Random(seed).random() ** 3 * len(content))
        rest = b"" if is_cut else bits + content[place + len(bits) :]
        path.write_bytes(content[:place] + rest)
        try:
            with refusals(root.name), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                TaskSettings.read(folder)
                model, tokenizer = load(folder), Tokenizer.from_pretrained(folder)
                if tokenizer.vocab_size <= model.config.vocab_size:
                    model(**tokenizer(["anna lives in rome"]))
        finally:
            path.write_bytes(content)

    load(root / "adapter")  # what is imported on the way is no part of the first case's time
    drawn = st.tuples(
        st.sampled_from(list(files)),
        st.integers(0, 2**31),
        st.binary(min_size=1, max_size=4),
        st.booleans(),
    )
    draw(count, tally, drawn, case)
    return tally
