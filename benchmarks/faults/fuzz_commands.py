"""Odd commands: any option of any command, with values that suit it or do not."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any
from unittest import mock

from hypothesis import strategies as st

from faults.drawing import draw
from faults.tally import Tally

_VALUES = [
    "base", "reviewer", "tagger", "reader", "writer", "train.jsonl", "train.csv", "dev.conll",
    "train.json", "notes.txt", "out", "nowhere", "no/where", "classify", "tag", "answer",
    "1", "0", "-1", "8", "1e-3", "nan", "inf", "1e999", "0.5", "x", "", "auto", "cpu", "float32",
    "bf16", "linear", "tiny", "mlm", "causal", "mlm+nsp", "train", "dev", "test", "float16",
    "text", "label", "good=2", "balanced", "文", "[MASK]", "--", "-", "=", "../up",
]  # fmt: skip
# Each is right as it stands; options that are drawn come after it.
_LIKELY = [
    "finetune classify --base base --train train.jsonl --out out",
    "finetune tag --base base --train dev.conll --out out",
    "finetune answer --base base --train train.json --out out",
    "pretrain --corpus notes.txt --tokenizer base --preset tiny --out out",
    "evaluate reviewer train.jsonl",
    "evaluate tagger dev.conll",
    "predict reviewer --file train.jsonl",
    "predict tagger --file notes.txt",
    "predict reader who --context rome",
    "fill-mask --model base [MASK]",
    "generate --model writer anna --max-new-tokens 2",
    "export base --out out",
    "info reviewer",
]


def command_line(tally: Tally, count: int) -> Tally:
    """A command and up to five words; what would train stops where it would begin."""
    with contextlib.ExitStack() as stack:
        place = Path("commands")
        place.mkdir()
        stack.enter_context(contextlib.chdir(place))
        # Nothing is fetched, and nothing kept where a user keeps it.
        quiet = {"HF_HUB_OFFLINE": "1", "MINIBERT_HOME": str(Path.cwd() / "home")}
        stack.enter_context(mock.patch.dict(os.environ, {**quiet, "TQDM_DISABLE": "1"}))
        from minibert.training.trainer import Trainer

        stack.enter_context(mock.patch.object(Trainer, "fit", _no_training))
        stack.enter_context(mock.patch.object(sys, "stdin", io.StringIO("anna lives in rome\n")))
        _write_files()
        draw(count, tally, _commands(), _try)
    return tally


def _no_training(_: Any) -> Any:
    raise ValueError("training is not what is tried here")


def _write_files() -> None:
    import tiny

    import minibert

    reviewer = {"problem_type": "single_label_classification", "id2label": {0: "bad", 1: "good"}}
    kinds: dict[str, tuple[Any, dict[str, Any]]] = {
        "base": (minibert.BertForPreTraining, {}),
        "reviewer": (minibert.BertForSequenceClassification, reviewer),
        "tagger": (minibert.BertForTokenClassification, {"id2label": {0: "O", 1: "B-PER"}}),
        "reader": (minibert.BertForQuestionAnswering, {}),
        "writer": (minibert.BertForCausalLM, {"is_causal": True}),
    }
    for name, (kind, changes) in kinds.items():
        tiny.save(Path(name), kind, **changes)
    tiny.reviews(Path("train.jsonl"), 16)
    tiny.tagged(Path("dev.conll"), 8)
    tiny.squad(Path("train.json"), 8)
    Path("train.csv").write_text("text,label\na,x\nb,y\n")
    Path("notes.txt").write_text("anna lives in rome.\n\nthe film was great.\n")


def _commands() -> st.SearchStrategy[list[str]]:
    from minibert.cli.main import _parser

    parser = _parser()
    assert parser._subparsers is not None
    (choices,) = (action.choices for action in parser._subparsers._group_actions)
    assert isinstance(choices, dict)
    # `data get` would fetch. Everything else is tried with every option that there is.
    names = [name for name in choices if name != "data"]
    options = sorted({flag for name in names for flag in choices[name]._option_string_actions})
    # Text of any kind, except what would be the name of a place outside.
    text = st.text(st.characters(exclude_characters="/\\~", codec="utf-8"), max_size=5)
    words = st.sampled_from(options) | st.sampled_from(_VALUES) | text
    start = st.sampled_from([line.split() for line in _LIKELY] * 3 + [[name] for name in names])
    return st.tuples(start, st.lists(words, max_size=5)).map(lambda parts: [*parts[0], *parts[1]])


def _try(words: list[str]) -> None:
    from minibert.cli.main import main

    for path in (Path("out"), Path("../up")):
        shutil.rmtree(path, ignore_errors=True)
    out, said = io.StringIO(), io.StringIO()
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(out):
        try:
            status = main(words)
        except SystemExit as error:  # --help
            status = error.code or 0
    lines = [line for line in said.getvalue().splitlines() if line.strip()]
    assert status in (0, 2), f"status {status}"
    assert "Traceback" not in said.getvalue()
    if status == 2:
        assert lines, "nothing is said"
        assert lines[-1].startswith("minibert: "), f"{lines[-1]!r}"
    elif "--json" in words and out.getvalue().startswith("{"):
        for line in out.getvalue().splitlines()[:1]:
            assert line == "{" or json.loads(line), f"{line!r}"
