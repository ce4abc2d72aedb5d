"""The rooms of the package: how many, how large, what their docstrings say, what they open."""

import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import minibert

PACKAGE = Path(minibert.__file__).parent
ROOMS = [
    *("model", "tokenization", "weights", "data", "training"),
    *("pretraining", "finetuning", "cli", "course"),
]


def test_there_are_nine_rooms_and_nothing_beside_them():
    found = {path.name for path in PACKAGE.iterdir() if path.name != "__pycache__"}
    assert found == {*ROOMS, "__init__.py", "checkpoints", "py.typed"}


def test_all_of_bert_is_read_in_one_sitting():
    lines = sum(len(path.read_text().splitlines()) for path in (PACKAGE / "model").glob("*.py"))
    assert lines <= 1650


@pytest.mark.parametrize("room", ROOMS)
def test_every_room_says_what_is_in_it_and_what_it_may_import(room):
    told = import_module(f"minibert.{room}").__doc__
    assert "May import" in told
    found = (PACKAGE / room).iterdir()
    modules = {path.stem for path in found if not path.name.startswith("_")}
    unsaid = [name for name in modules if f"`{name}`" not in told]
    assert not unsaid, f"the docstring of {room}/__init__.py leaves out {unsaid}"


@pytest.mark.parametrize("room", ROOMS)
def test_no_module_holds_two_ideas(room):
    long = {
        str(path.relative_to(PACKAGE)): len(path.read_text().splitlines())
        for path in (PACKAGE / room).rglob("*.py")
    }
    assert max(long.values()) <= 400, long


def opened_by(code):
    """The top-level names of the modules that are open after this code in a fresh process."""
    program = f"import sys\n{code}\nprint(*{{name.partition('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.splitlines()[-1].split())


def test_help_opens_neither_torch_nor_the_tokenizers():
    code = (
        "from minibert.cli import main\n"
        "try:\n"
        "    main(['finetune', '--help'])\n"
        "except SystemExit:\n"
        "    pass"
    )
    assert not opened_by(code) & {"torch", "tokenizers", "numpy", "matplotlib"}


@pytest.mark.slow
def test_the_network_opens_no_tokenizer_and_no_plots():
    code = "import minibert.model.heads, minibert.model.task_heads, minibert.model.generation"
    assert not opened_by(code) & {"tokenizers", "matplotlib", "sklearn", "transformers"}
