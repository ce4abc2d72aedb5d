"""Options of the command line: said once, as fields; and messages in their words."""

from argparse import ArgumentParser
from dataclasses import asdict, fields

import pytest

from minibert.cli.main import _parser
from minibert.cli.options import add_options, in_options, read_options
from minibert.finetuning.settings import FinetuningSettings, ReadingSettings, TaskSettings
from minibert.pretraining.settings import PretrainingSettings
from minibert.training.config import TrainingConfig

FINETUNE = ["finetune", "classify", "--base", "b", "--train", "t", "--out", "o"]


def test_what_is_not_said_is_the_default_of_the_settings_class():
    options = _parser().parse_args(FINETUNE)
    assert read_options(TrainingConfig, options) == TrainingConfig("o")
    assert read_options(TaskSettings, options, task="classify") == TaskSettings("classify")
    assert read_options(FinetuningSettings, options) == FinetuningSettings()
    assert read_options(ReadingSettings, options).options == {}


def test_pretraining_has_defaults_of_its_own_and_says_them():
    options = _parser().parse_args(["pretrain", "--corpus", "c", "--out", "o"])
    asked = asdict(read_options(TrainingConfig, options))
    default = asdict(TrainingConfig("o"))
    changed = {name: value for name, value in asked.items() if value != default[name]}
    assert changed == {"learning_rate": 5e-4, "epochs": 10, "batch_size": 64}
    assert read_options(PretrainingSettings, options) == PretrainingSettings()


def test_every_setting_of_training_but_two_has_an_option():
    options = vars(_parser().parse_args(FINETUNE))
    without = {field.name for field in fields(TrainingConfig)} - set(options)
    assert without == {"max_grad_norm", "best_metric"}


@pytest.mark.parametrize(
    ("words", "name", "value"),
    [
        (["--steps", "7"], "max_steps", 7),
        (["--warmup", "0.2"], "warmup_ratio", 0.2),
        (["--learning-rate", "1e-3"], "learning_rate", 1e-3),
        (["--resume"], "resume", True),
        (["--truncation"], "truncation", "longest_first"),
        (["--truncation", "only_first"], "truncation", "only_first"),
        (["--stride", "8"], "stride", 8),
        (["--columns", "a,b"], "columns", "a,b"),
        (["--adapter", "4"], "adapter", 4),
    ],
)
def test_a_field_is_read_under_the_name_of_its_option(words, name, value):
    assert getattr(_parser().parse_args(FINETUNE + words), name) == value


@pytest.mark.parametrize("command", ["evaluate", "predict", "fill-mask", "generate"])
def test_whatever_computes_can_be_told_where_and_in_which_precision(command, capsys):
    with pytest.raises(SystemExit):
        _parser().parse_args([command, "--help"])
    told = capsys.readouterr().out
    assert "--device" in told
    assert "--precision" in told


@pytest.mark.parametrize(
    ("python", "told"),
    [
        ("pass resume=True to go on from step 4, or another output_dir", "pass --resume to go on"),
        ("pass truncation='longest_first' to cut", "pass --truncation longest_first to cut"),
        ("or stride=12 to split", "or --stride 12 to split"),
        ("learning_rate must be above 0", "--learning-rate must be above 0"),
        ("epochs must be at least 1, not 0", "--epochs must be at least 1"),
        ("say which one is meant with text_column=...", "meant with --text-column"),
        ("max_length=64, but tiny reads", "--max-length 64, but tiny reads"),
        ("max_steps must be at least 1", "--steps must be at least 1"),
        # Ordinary words, files and folders stay what they are.
        ("runs/max_length.csv, line 3: no label", "runs/max_length.csv, line 3: no label"),
        ("seed of the stride of epochs", "seed of the stride of epochs"),
        ("output_dir", "--out"),
        ("runs/max_length=64/t.jsonl: no such file", "runs/max_length=64/t.jsonl: no such file"),
        ("there is no column 'batch_size'", "there is no column 'batch_size'"),
        ("no CUDA device here: use device='cpu'", "use --device cpu"),
    ],
)
def test_messages_of_the_package_come_in_the_words_of_the_command_line(python, told):
    options = vars(_parser().parse_args(FINETUNE))
    assert told in in_options(python, options)


def test_an_option_that_a_command_lacks_stays_python():
    options = vars(_parser().parse_args(["info", "m"]))
    assert in_options("pass stride=12", options) == "pass stride=12"


def test_a_default_is_said_once():
    parser = ArgumentParser()
    add_options(parser, TrainingConfig, "batch_size", "seed", batch_size=None)
    told = parser.format_help()
    assert told.count("default: 0") == 1
    assert "--batch-size BATCH_SIZE" in told
