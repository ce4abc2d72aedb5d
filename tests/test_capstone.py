"""The capstone: what it says of a BERT that leaves the published one, and what it brings along."""

from __future__ import annotations

import dataclasses
import os
import re
from pathlib import Path

import nbformat
import pytest
import torch

from exercises.grader import build
from exercises.learner import bringing, checking, layerwise, packed, source
from exercises.learner.judging import Bench, Verdict
from minibert import BertModel, Tokenizer

CAPSTONE = source.load("capstone-your-own-bert")
BERT, FINE_TUNE = (source.find_task(name) for name in ("C.2", "C.6"))


def said_of(task: source.Task, code: str) -> Verdict:
    bench = checking.bench(task)
    return bench.verdict(bench.results_of(code))


def changed(old: str, new: str) -> str:
    assert BERT.solution.count(old) == 1
    return BERT.solution.replace(old, new)


# --- which layer, and which part of it ----------------------------------------------------------


@pytest.mark.slow
@pytest.mark.data
def test_the_last_part_of_each_layer_is_the_hidden_state_of_minilm():
    tokenizer, model = Tokenizer.from_pretrained("minilm"), BertModel.from_pretrained("minilm")
    batch = tokenizer(["A short one.", "It is"], ["And another", "longer than that"], padding=True)
    with torch.no_grad():
        states = model.eval()(**batch, output_hidden_states=True).hidden_states
        namespace: dict = {}
        exec(CAPSTONE.setup, namespace)
        weights, _, config = namespace["open_model"]("minilm")
        parts = layerwise.hidden_states(
            weights, config["num_hidden_layers"], config["num_attention_heads"], *_inputs(batch)
        )
    assert len(parts) == len(states) == 7
    for mine, right in zip(parts, states, strict=True):
        assert torch.allclose(mine[-1].value, right, rtol=0, atol=1e-5)


def _inputs(batch: dict[str, torch.Tensor]) -> list[torch.Tensor]:
    return [batch[name] for name in ("input_ids", "token_type_ids", "attention_mask")]


@pytest.mark.data
@pytest.mark.parametrize(
    ("old", "new", "layer", "said"),
    [
        ("F.gelu(linear", "(1 + 0.01 * (number == 3)) * F.gelu(linear", 3, "map back"),
        ('.output.dense", inner)', '.output.dense", inner) * (1 + (number == 4))', 4, "the sum"),
        ("query @ key.mT", "query.abs() @ key.mT", 0, "the scores, scaled"),
        ("-torch.inf).softmax(-1)", "-torch.inf).softmax(-1).square()", 0, "heads give out"),
        (".attention.self.value", ".attention.self.key", 0, "values"),
    ],
)
def test_a_mistake_that_nobody_foresaw_is_placed(old, new, layer, said):
    verdict = said_of(BERT, changed(old, new))
    assert f"Layer {layer} leaves first" in verdict.message
    assert said in re.search(r"\*\*(.+?)\*\*", verdict.message)[1]
    assert verdict.mistake is None


@pytest.mark.data
@pytest.mark.parametrize(
    ("mask", "mistake"),
    [
        ("None", "padding is attended to"),
        ("~hidden", None),
        ("~hidden, scale=1 / 32", "scaled by the width, not its root"),
    ],
)
def test_fused_attention_is_told_its_mistake_too(mask, mistake):
    scores = BERT.solution.index("        scores = query")
    change = BERT.solution.index("        change = linear(f", scores)
    call = f"        mixed = F.scaled_dot_product_attention(query, key, value, {mask})\n"
    verdict = said_of(BERT, BERT.solution[:scores] + call + BERT.solution[change:])
    assert (verdict.passed, verdict.mistake) == (mistake is None, mistake)


@pytest.mark.data
def test_a_mistake_in_one_layer_alone_is_named_with_its_layer():
    old = "F.layer_norm(rows, gain.shape, gain, bias, 1e-12)"
    new = "F.layer_norm(rows, gain.shape, gain, bias, 1e-5 if '.5.output.' in name else 1e-12)"
    verdict = said_of(BERT, changed(old, new))
    assert verdict.mistake == "PyTorch's own eps"
    assert "Layer 5 is the first to leave, at the LayerNorm at the end" in verdict.message


# --- bring --------------------------------------------------------------------------------------


def notebook(folder: Path, name: str, answers: dict[str, str]) -> None:
    made = build.notebook(source.load(name))
    for cell in made.cells:
        task = cell.metadata.get("minibert_task")
        if task in answers:
            cell.source = answers[task]
    nbformat.write(made, folder / f"{name}.ipynb")


def test_answers_that_pass_are_brought_along_and_the_others_are_said_to_be_missing(tmp_path):
    helped = "SCALE = 0.5\ndef attention(query, key, value, mask=None):\n"
    helped += "    scores = query @ key.mT * query.shape[-1] ** -SCALE\n"
    helped += "    if mask is not None:\n        scores = scores.masked_fill(~mask, -math.inf)\n"
    helped += "    return scores.softmax(-1) @ value, scores.softmax(-1)\n"
    notebook(tmp_path, "ch05-attention", {"5.1": helped})
    found = bringing.bring(["5.1", "5.4", "6.1"], "import torch\n", tmp_path)
    assert [bool(one.code) for one in found] == [True, False, False]
    assert "SCALE = 0.5" in found[0].code
    assert "import math" in found[0].code  # of the first cell of chapter 5, and not of this one
    assert "import torch" not in found[0].code
    assert [one.lacks for one in found[1:]] == [
        "nothing is written yet",
        "there is no ch06-encoder.ipynb here",
    ]
    namespace: dict = {}
    exec("import torch\n" + found[0].code, namespace)
    assert callable(namespace["attention"])


def test_a_set_that_was_not_handed_out_is_said_to_be_missing(tmp_path, monkeypatch):
    monkeypatch.setattr(source, "SOURCES", tmp_path)
    found = bringing.bring(["5.1"], "", tmp_path)
    assert found == [bringing.Brought("5.1", "", "its set was not handed out")]


def test_the_cell_says_what_came_and_what_is_missing(tmp_path):
    notebook(tmp_path, "ch05-attention", {"5.4": source.find_task("5.4").solution})
    note = bringing.brought_along(CAPSTONE.name, tmp_path)
    assert f"1 of {len(CAPSTONE.brings)} answers brought along" in note.text
    assert "5.4 `split_heads`" in note.text
    assert "5.1 `attention`, Scaled dot-product attention: nothing is written yet." in note.text
    assert "def split_heads" in note.code


def test_helpers_of_one_name_in_two_answers_are_told():
    two = [
        bringing.Brought("5.1", "def f():\n    return 1"),
        bringing.Brought("5.2", "f = 2\nx = 1"),
    ]
    assert bringing.twice_named(two) == ["f"]
    assert bringing.twice_named(two[:1] * 2) == []


def test_the_notebook_of_the_capstone_asks_for_the_answers_first():
    cells = [cell.source for cell in build.notebook(CAPSTONE).cells if cell.cell_type == "code"]
    assert "import bring, case, check" in cells[0]
    assert cells[1] == "bring()"
    assert set(CAPSTONE.brings) <= set(source.all_tasks())


# --- handed out ---------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.data
def test_it_is_handed_out_without_a_training_and_names_mistakes_without_its_source(tmp_path):
    chosen = dataclasses.replace(CAPSTONE, tasks=(BERT, FINE_TUNE))
    (tmp_path / "a.pack").write_bytes(packed.pack_set(chosen, hints=0))
    handed = packed.read_packed(tmp_path / "a.pack")
    assert handed.brings == CAPSTONE.brings
    assert [task.is_long for task in handed.tasks] == [False, True]
    bench, here = Bench(handed.tasks[0]), checking.bench(BERT)
    wrong = BERT.misconceptions[-1]
    verdicts = [here.verdict(here.results_of(code)) for code in (BERT.solution, wrong.code)]
    assert [bench.verdict(here.results_of(c)) for c in (BERT.solution, wrong.code)] == verdicts
    assert [one.mistake for one in verdicts] == [None, wrong.name]


# --- the last milestone -------------------------------------------------------------------------


def test_answers_that_are_guessed_turned_round_or_in_another_order_never_pass():
    """Whatever the seed, and however well the model has learned."""
    namespace: dict = {}
    exec(CAPSTONE.setup + FINE_TUNE.check, namespace)
    judge, numbers = namespace["judge"], namespace["numbers"]
    for seed in range(200):
        draw = torch.Generator().manual_seed(seed)
        right = torch.randint(2, (100,), generator=draw)
        lengths = torch.randint(5, 12, (100,), generator=draw)
        case = {"questions_lengths": lengths}
        good = torch.where(torch.rand(100, generator=draw) < 0.95, right, 1 - right)
        sorted_ = good[lengths.argsort(stable=True)]
        assert judge(case, sorted_, right) == "the answers in the order of length"
        assert numbers(case, sorted_, right)["in_order"] > 0.84
        assert judge(case, 1 - good, right) == "the labels turned round"
        assert judge(case, torch.ones(100), right) == "the same answer everywhere"
        guessed = torch.randint(2, (100,), generator=draw)
        assert "are right, and 84% are needed" in judge(case, guessed, right)


@pytest.mark.slow
@pytest.mark.data
@pytest.mark.skipif("MINIBERT_LONG" not in os.environ, reason="takes minutes: MINIBERT_LONG=1")
@pytest.mark.parametrize("seed", ["public", "a class"])
def test_the_whole_training_reaches_84_in_a_hundred(seed):
    bench = Bench(FINE_TUNE, seed)
    verdict = bench.verdict(bench.results_of(FINE_TUNE.solution))
    assert verdict.passed, verdict.message
    assert verdict.score is not None
    assert verdict.score >= 0.84
