"""What comes with the package is what its cards say, and opens in `transformers` as here."""

import json
import math
import os
import shlex
from dataclasses import asdict

import pytest
import torch
from torch.testing import assert_close

from minibert import Tokenizer, TrainingConfig
from minibert.cli import models
from minibert.cli.main import _parser
from minibert.cli.options import read_options
from minibert.model.lora import merge_adapter
from minibert.pretraining.corpus import CorpusDocuments, tokenise
from minibert.pretraining.dataset import PretrainingDataset, Subset
from minibert.pretraining.metrics import pretraining_metrics
from minibert.training.inference import run_inference
from minibert.weights.names import SHIPPED

os.environ.setdefault("HF_HUB_OFFLINE", "1")
transformers = pytest.importorskip("transformers")

NAMES = sorted(folder.name for folder in SHIPPED.iterdir())


def read(name, file):
    return json.loads((SHIPPED / name / file).read_text(encoding="utf-8"))


def card(name):
    return (SHIPPED / name / "CARD.md").read_text(encoding="utf-8")


def command(name):
    """What the card's command means to the command line."""
    (line,) = [line for line in card(name).splitlines() if line.startswith("minibert ")]
    return _parser().parse_args(shlex.split(line)[1:])


def test_everything_shipped_is_under_45_mb():
    size = sum(file.stat().st_size for file in SHIPPED.rglob("*") if file.is_file())
    assert size < 45e6


@pytest.mark.parametrize("name", NAMES)
def test_the_command_on_the_card_gives_the_settings_that_were_used(name):
    asked = json.loads(json.dumps(asdict(read_options(TrainingConfig, command(name))), default=str))
    used = read(name, "training_config.json")
    del used["best_metric"]  # follows from the task, not from the command
    differing = {key: (asked[key], used[key]) for key in used if asked[key] != used[key]}
    assert differing == {}
    assert f"Seed {used['seed']};" in card(name)


@pytest.mark.parametrize("name", NAMES)
def test_the_card_quotes_the_measured_figures_and_the_log_ends_with_the_last_step(name):
    figures = read(name, "metrics.json")
    for figure, value in figures["dev"].items():
        assert f"| {figure} | {value:.4g} | {figures['test'][figure]:.4g} |" in card(name)
    log = [json.loads(line) for line in (SHIPPED / name / "log.jsonl").read_text().splitlines()]
    steps = [line["step"] for line in log]
    assert steps == sorted(steps)
    planned = read(name, "training_config.json")["max_steps"]
    assert planned is None or planned - 10 < steps[-1] <= planned


def test_the_twins_differ_in_the_causal_flag_alone():
    twins = ("course-en", "course-en-causal")
    ours, theirs = (models.load(name).config.to_dict() for name in twins)
    assert [key for key in ours if ours[key] != theirs[key]] == ["is_causal"]
    entries = {(SHIPPED / name / "vocab.txt").read_text(encoding="utf-8") for name in twins}
    assert len(entries) == 1


@pytest.mark.parametrize(
    ("name", "theirs"),
    [
        ("course-en", "BertForPreTraining"),
        ("course-zh", "BertForPreTraining"),
        ("course-en-causal", "BertLMHeadModel"),
    ],
)
def test_shipped_weights_give_the_same_logits_in_transformers(name, theirs):
    tokenizer, ours = Tokenizer.from_pretrained(name), models.load(name)
    reference = getattr(transformers, theirs).from_pretrained(SHIPPED / name).float().eval()
    batch = tokenizer(["Rome is the capital of Italy.", "北京。"], padding=True)
    with torch.no_grad():
        mine, their = ours.eval()(**batch), reference(**batch)
    real = batch["attention_mask"].bool()
    for key in ("prediction_logits", "seq_relationship_logits", "logits"):
        if hasattr(mine, key):
            here, there = getattr(mine, key), getattr(their, key)
            if here.ndim == 3:
                here, there = here[real], there[real]
            scale = there.abs().max().item()
            assert_close(here / scale, there / scale, atol=1e-5, rtol=0)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in NAMES if hasattr(command(name), "corpus")])
def test_the_shipped_weights_reach_the_figures_on_their_card(name):
    options, told = command(name), read(name, "metrics.json")["dev"]
    tokenizer, model = Tokenizer.from_pretrained(name), models.load(name)
    if model.adapter is not None:
        merge_adapter(model)
    dev = tokenise(CorpusDocuments(options.corpus), tokenizer)["dev"]
    dataset = PretrainingDataset(dev, tokenizer, options.max_length, options.objective)
    found = pretraining_metrics(run_inference(model, Subset(dataset, 128)), tokenizer.mask_token_id)
    key = "next_token_accuracy" if options.objective == "causal" else "masked_accuracy"
    # At least 1,500 words are asked for; those of one row are not independent of each other.
    spread = math.sqrt(told[key] * (1 - told[key]) / 1500)
    assert abs(found[key] - told[key]) < 5 * spread
