"""What a task asks to build is out of reach while an answer runs, however its name is spelled."""

from __future__ import annotations

import importlib
import sys

import pytest
import torch
import torch.nn.functional as F

from exercises.grader import isolation
from exercises.grader.conversation import Child
from exercises.learner import checking, source
from exercises.learner.judging import Bench, forbidden
from exercises.learner.withheld import WithheldError, withheld

NORM = source.find_task("6.1")
HEAD = "def layer_norm(x, gain, bias, eps=1e-12):\n"
SPELLED = [
    'return getattr(F, "layer_" + "norm")(x, x.shape[-1:], gain, bias, eps)',
    'return vars(torch)["layer" "_" + "norm"](x, x.shape[-1:], gain, bias, eps)',
    'return getattr(torch.ops.aten, "layer_" + "norm")(x, x.shape[-1:], gain, bias, eps)',
    'return getattr(torch.nn, "Layer" + "Norm")(x.shape[-1], eps)(x) * gain + bias',
    'name = "torch.nn.functional"; name += ".layer_"; f = [F]; '
    'return [v for k, v in vars(f[0]).items() if k == name.split(".")[-1] + "norm"][0]'
    "(x, x.shape[-1:], gain, bias, eps)",
]


@pytest.mark.parametrize("line", SPELLED)
def test_a_name_that_is_spelled_out_is_withheld_in_a_check(line):
    code = f"import torch\nimport torch.nn.functional as F\n{HEAD}    {line}\n"
    assert forbidden(NORM, code) == ""  # the text alone does not tell
    verdict = checking.judge_pieces(Bench(NORM), [("cell 1, line 1", code)])
    assert not verdict.passed
    assert "This task is to be written without" in verdict.message


def test_so_is_one_that_was_put_aside_before_and_the_grader_sees_the_same():
    aside = 'import torch.nn.functional as F\nmine = getattr(F, "layer_" + "norm")\n'
    code = f"{aside}{HEAD}    return mine(x, x.shape[-1:], gain, bias, eps)\n"
    bench, pieces = Bench(NORM), [("cell 1, line 1", code)]
    here = checking.judge_pieces(bench, pieces)
    with Child(isolation.choose("auto"), (), 60) as child:
        (came,) = child.run([(NORM, pieces, bench.cases)])
    assert here == bench.verdict(came["results"])
    assert "written without `layer_norm`" in here.message


def test_modules_are_withheld_loaded_or_not_but_not_from_the_first_cell():
    opening = (
        "def open_model():\n    from minibert.weights.names import resolve\n    return resolve\n"
    )
    first_cell: dict = {}
    exec(compile(opening, "<setup of a set>", "exec"), first_cell)
    with withheld({"minibert", "transformers"}):
        for name in ("minibert", "minibert.model.bert", "transformers"):
            with pytest.raises(WithheldError, match=f"without `{name.split('.')[0]}`"):
                _ = importlib.import_module(name).BertModel
        assert callable(first_cell["open_model"]())
    assert importlib.import_module("minibert").BertModel


def test_everything_is_in_its_place_again_afterwards():
    before = F.layer_norm, torch.nn.LayerNorm, dict(sys.modules), list(sys.meta_path)
    with pytest.raises(ZeroDivisionError), withheld({"layer_norm", "LayerNorm", "logsumexp"}):
        _ = 1 / 0
    assert before == (F.layer_norm, torch.nn.LayerNorm, dict(sys.modules), list(sys.meta_path))
    assert "logsumexp" not in vars(torch.Tensor)
    assert torch.zeros(1, 2).logsumexp(-1).item() == pytest.approx(0.6931, abs=1e-4)
