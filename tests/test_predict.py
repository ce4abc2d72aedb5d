"""`minibert predict`: what goes in comes out, in order, with its name."""

import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import tiny
from hypothesis import given, settings
from hypothesis import strategies as st

from minibert import (
    BertForQuestionAnswering,
    BertForSequenceClassification,
    BertForTokenClassification,
)
from minibert.cli.lines import as_text
from minibert.cli.main import main
from minibert.data.unlabelled import Row
from minibert.finetuning.classification import ClassPrediction
from minibert.finetuning.settings import TaskSettings

LONG = "the film was great " * 20


@pytest.fixture(scope="module")
def models(tmp_path_factory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("models")
    kinds = {
        "classify": (BertForSequenceClassification, {"id2label": {0: "bad", 1: "good"}}),
        "regression": (BertForSequenceClassification, {"num_labels": 1, "id2label": None}),
        "tag": (BertForTokenClassification, {"id2label": {0: "O", 1: "B-PER"}}),
        "answer": (BertForQuestionAnswering, {}),
    }
    return {
        name: str(tiny.save(folder / name, kind, **changes))
        for name, (kind, changes) in kinds.items()
    }


@pytest.fixture
def said(models, capsys, monkeypatch):
    """The lines of standard output and the message on standard error of one command."""
    monkeypatch.delenv("MINIBERT_DEBUG", raising=False)

    def run(task: str, *words: object, status: int = 0, stdin: bytes | None = None):
        if stdin is not None:
            monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        capsys.readouterr()
        assert main(["predict", models[task], *map(str, words)]) == status
        out, err = capsys.readouterr()
        assert err.count("\n") <= 1, err
        assert not out or out.endswith("\n")
        return out.split("\n")[:-1], err

    return run


def written(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


# ---------------------------------------------------------------------- every row a row


def test_blank_lines_of_a_text_file_and_of_standard_input_are_rows(said, tmp_path):
    content = "the film was great\n\nthe film was dull\n \n"
    path = written(tmp_path / "a.txt", content)
    for words, name, stdin in (
        (("--file", path), str(path), None),
        ((), "standard input", content.encode()),
    ):
        lines, err = said("classify", *words, stdin=stdin)
        texts = [line.split("\t")[0] for line in lines]
        assert texts == ["the film was great", "", "the film was dull", ""]
        assert [line.count("\t") for line in lines] == [2] * 4
        assert lines[1] == "\t\t"
        assert err == (
            f"minibert: 2 of 4 rows have no answer: {name}, line 2: the line is empty; "
            f"{name}, line 4: the line is empty\n"
        )
        lines, _ = said("classify", *words, "--json", stdin=stdin)
        rows = [json.loads(line) for line in lines]
        assert ["error" in row for row in rows] == [False, True, False, True]
        assert rows[1] == {"text": "", "error": f"{name}, line 2: the line is empty"}


def test_a_line_that_is_not_utf8_is_a_row_too(said, tmp_path):
    lines, err = said("classify", stdin=b"great\ncaf\xe9\ndull\n")
    assert [line.split("\t")[0] for line in lines] == ["great", "caf\ufffd", "dull"]
    assert "standard input, line 2: not UTF-8 (byte 0xe9 at place 4): pass it as UTF-8" in err
    path = written(tmp_path / "a.csv", b"text\ngreat\ncaf\xe9\n\xff\ndull\n")
    lines, err = said("classify", "--file", path)
    assert [bool(line.split("\t")[1]) for line in lines] == [True, False, False, True]
    assert "a.csv, line 3: not UTF-8" in err


BROKEN = {
    "a.csv": 'id,text\n7,great\n8,\n9,"two\nlines",x\n10,"a"b\n11,"a\tb\nc\\"\n,,\n12,dull\n',
    "a.tsv": "id\ttext\n7\tgreat\n8\t\n9\ttwo\tx\n10\n11\tab\\\n\t \n12\tdull\n",
    "a.jsonl": '{"id": 7, "text": "great"}\n{"id": 8, "text": ""}\n{"id": 9}\n{"id": 10,\n'
    '{"id": "11", "text": "a\\tb\\nc\\\\"}\n[]\n{"id": 12, "text": "dull"}\n',
}


@pytest.mark.parametrize("name", BROKEN)
def test_every_row_of_a_table_gets_its_row_with_its_id(said, tmp_path, name):
    path = written(tmp_path / name, BROKEN[name])
    lines, err = said("classify", "--file", path)
    rows = [line.split("\t") for line in lines]
    assert [len(row) for row in rows] == [4] * 7
    assert [bool(row[2]) for row in rows] == [True, False, False, False, True, False, True]
    assert [row[0] for row in rows if row[2]] == ["7", "11", "12"]
    text = {"a.csv": r"a\tb\nc\\", "a.tsv": r"ab\\", "a.jsonl": r"a\tb\nc\\"}[name]
    assert rows[4][1] == text
    assert rows[1][0] == "8"  # known, though its text is empty
    first = f"{path}, line {2 if name == 'a.jsonl' else 3}: empty text in column 'text'"
    assert f"minibert: 4 of 7 rows have no answer: {first}; " in err
    lines, _ = said("classify", "--file", path, "--json")
    found = [json.loads(line) for line in lines]
    assert [row.get("label") is not None for row in found] == [bool(row[2]) for row in rows]
    assert found[6]["id"] == (12 if name == "a.jsonl" else "12")
    told = said("classify", "--file", path, "--strict", status=2)
    assert told == ([], f"minibert: {first}\n")


def test_an_empty_cell_of_the_only_column_is_a_row_and_an_empty_line_of_others_none(said, tmp_path):
    path = written(tmp_path / "a.csv", 'text\ngreat\n\n""\ndull\n')
    assert [line.split("\t")[0] for line in said("classify", "--file", path)[0]] == [
        *("great", "", "", "dull")
    ]
    path = written(tmp_path / "b.csv", "text,id\n\ngreat,1\n \ndull,2\n\n")
    assert len(said("classify", "--file", path)[0]) == 2


def test_a_file_of_which_no_row_can_be_read_is_refused(said, tmp_path):
    path = written(tmp_path / "a.csv", "text\n\n\n\n")
    told = "line 2: empty text in column 'text'"
    assert said("classify", "--file", path, status=2) == ([], f"minibert: {path}, {told}\n")
    path = written(tmp_path / "b.jsonl", '{"review": "great"}\n' * 3)
    _, err = said("classify", "--file", path, status=2)
    assert "line 1: no column 'text' (there are: review): say which" in err
    assert "--text-column" in err
    path = written(tmp_path / "c.csv", 'text\ngreat\n"dull\nfine\n')
    _, err = said("classify", "--file", path, status=2)
    assert "line 3: a double quote is opened and not closed" in err
    path = written(tmp_path / "d.txt", "great\ndull\n")
    told = said("classify", "--file", path, "--max-length", "99", status=2)
    assert told[0] == []
    assert "reads at most 48: pass 48 or less" in told[1]


def test_a_text_too_long_and_one_of_nothing_are_told_and_the_others_answered(said, tmp_path):
    texts = ["great", LONG, "\u200b", "dull"]
    path = tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    lines, err = said("classify", "--file", path)
    assert [bool(line.split("\t")[1]) for line in lines] == [True, False, False, True]
    assert "line 2: 82 tokens, but" in err
    assert "pass --truncation longest_first to cut, or --stride 12 to split" in err
    assert "line 3: there is nothing in it that the tokenizer reads" in err
    assert said("classify", "--file", path, "--truncation")[0][1].startswith(LONG.strip() + "\t")
    assert said("classify", LONG, status=2)[0] == []


def test_rows_do_not_depend_on_the_rows_beside_them(said, tmp_path):
    texts = [f"the film {i % 10} was {'great ' * (i % 7)}" for i in range(45)]
    path = written(tmp_path / "a.txt", "\n".join(["", *texts, ""]))
    lines, _ = said("classify", "--file", path, "--batch-size", "2")  # chunks of 16 rows
    assert len(lines) == 46
    alone = [said("classify", text)[0][0] for text in texts[::9]]
    assert [line.split("\t", 1)[1] for line in lines[1::9]] == alone


def test_a_row_without_a_second_text_where_others_have_one_is_told(said, tmp_path):
    rows = '{"text": "a", "text_pair": "b"}\n{"text": "a"}\n{"text": "a", "text_pair": ""}\n'
    path = written(tmp_path / "a.jsonl", rows)
    lines, err = said("classify", "--file", path, "--json")
    assert [json.loads(line).get("text_pair") for line in lines] == ["b", None, None]
    assert "line 2: no second text, but other rows have one" in err
    assert (
        "has second texts already" in said("classify", "--file", path, "--pair", "c", status=2)[1]
    )


def test_a_number_stays_one_column_where_there_is_none(said, tmp_path):
    lines, _ = said("regression", "--file", written(tmp_path / "a.txt", "great\n\n"))
    assert re.fullmatch(r"great\t-?\d\.\d{3}", lines[0])
    assert lines[1] == "\t"


# ---------------------------------------------------------------------- questions and tags


def test_questions_come_with_their_ids_and_stand_beside_their_answers(said, tmp_path):
    path = tiny.squad(tmp_path / "a.json", 3)
    content = json.loads(path.read_text())
    content["data"][0]["paragraphs"][1]["qas"][0]["question"] = " "
    content["data"][0]["paragraphs"][2]["qas"][0]["answers"] = [{"text": "x", "answer_start": 9}]
    path.write_text(json.dumps(content))
    lines, err = said("answer", "--file", path)
    assert [line.split("\t")[:2] for line in lines] == [
        ["0", "Where is Anna?"],
        ["1", ""],
        ["2", "Where is Anna?"],
    ]
    assert lines[1] == "1\t\t"
    assert "data[0].paragraphs[1].qas[0]: 'question' is empty" in err
    rows = [json.loads(line) for line in said("answer", "--file", path, "--json")[0]]
    assert [row["id"] for row in rows] == ["0", "1", "2"]
    assert rows[0]["question"] == "Where is Anna?"
    assert rows[0]["text"] in content["data"][0]["paragraphs"][0]["context"]
    assert "text" not in rows[1]
    lines, _ = said("answer", "who ?", "--context", "bob\nlives", "--json")
    assert json.loads(lines[0])["question"] == "who ?"
    context = written(tmp_path / "c.txt", "\n")
    assert "is empty" in said("answer", "who ?", "--context-file", context, status=2)[1]


def test_a_context_of_nothing_has_no_answer_and_no_infinity(said, tmp_path):
    path = tmp_path / "a.jsonl"
    rows = [{"text": "who ?", "text_pair": pair} for pair in ("\u200b", "bob")]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    lines, err = said("answer", "--file", path, "--json")
    assert "Infinity" not in "".join(lines)
    assert [json.loads(line).get("text") for line in lines] == [None, "bob"]
    assert "line 1: there is nothing in it that the tokenizer reads" in err


def test_every_sentence_is_a_block_and_one_that_cannot_be_read_is_empty(said, tmp_path):
    path = written(tmp_path / "a.conll", "anna O\nlives O\n\nbob O x\nin O\n\nrome O\n")
    lines, err = said("tag", "--file", path)
    assert [line.split("\t")[0] for line in lines] == ["anna", "lives", "", "", "rome", ""]
    assert "1 of 3 rows" in err
    assert "line 4: expected 2 columns separated by spaces or tabs, found 3" in err
    lines, _ = said("tag", "--file", written(tmp_path / "a.txt", "anna lives\n\nrome\n"))
    assert [line.split("\t")[0] for line in lines] == ["anna", "lives", "", "", "rome", ""]
    table = written(tmp_path / "a.csv", "id,text\n7,anna\n8,\n")
    assert [line.split("\t")[0] for line in said("tag", "--file", table)[0]] == [
        *("# id = 7", "anna", "", "# id = 8", "")
    ]
    assert said("tag", "anna")[0][0].startswith("anna\t")


# ---------------------------------------------------------------------- columns


@settings(max_examples=50)
@given(text=st.text(), name=st.text())
def test_no_text_breaks_the_columns_and_each_is_told_in_full(text, name):
    row = Row("", text, id=name)
    found = ClassPrediction("good", {"good": 0.75, "bad": 0.25})
    line = as_text(row, found, named=True, alone=False, columns=2)
    assert "\n" not in line
    assert "\r" not in line
    cells = line.split("\t")
    assert cells[2:] == ["good", "good 0.750 bad 0.250"]
    plain = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\"}
    back = [re.sub(r"\\(.)", lambda found: plain[found[1]], cell) for cell in cells[:2]]
    assert back == [name, text]


# ---------------------------------------------------------------------- where it goes


def test_out_writes_what_would_be_printed_and_replaces_nothing(said, tmp_path):
    path = written(tmp_path / "a.txt", "great\n\ndull\n")
    printed, told = said("classify", "--file", path)
    out = tmp_path / "out.tsv"
    assert said("classify", "--file", path, "--out", out) == ([], told)
    assert out.read_text() == "\n".join([*printed, ""])
    before = sorted(tmp_path.iterdir())
    _, err = said("classify", "--file", path, "--out", out, status=2)
    assert err == f"minibert: {out} is there already: choose another file\n"
    for words in (("--out", tmp_path / "no" / "out"), ("--out", tmp_path / "b", "--strict")):
        said("classify", "--file", path, *words, status=2)
    assert sorted(tmp_path.iterdir()) == before
    assert out.read_text() == "\n".join([*printed, ""])


def test_a_file_that_appears_meanwhile_is_kept(tmp_path):
    from minibert.cli.output import lines_to

    out = tmp_path / "out"

    def interfere():
        with lines_to(str(out)) as write:
            write(["ours"])
            out.write_text("theirs")

    with pytest.raises(ValueError, match="is there already"):
        interfere()
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert out.read_text() == "theirs"


@pytest.mark.slow
def test_a_row_is_answered_before_the_next_one_is_there(models):
    command = [sys.executable, "-m", "minibert.cli", "predict", models["classify"]]
    with subprocess.Popen(
        [*command, "--batch-size", "1"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        for text in ("great", "", "dull"):
            process.stdin.write(f"{text}\n")
            process.stdin.flush()
            assert process.stdout.readline().split("\t")[0] == text
        process.stdin.close()


def test_progress_does_not_flood_a_log():
    code = (
        "import time\n"
        "from minibert.cli import main\n"
        "main(['data', 'dance'])\n"
        "from tqdm import tqdm\n"
        "for _ in tqdm(range(8)): time.sleep(0.15)\n"
    )
    clean = {name: value for name, value in os.environ.items() if not name.startswith("TQDM")}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=clean)
    assert done.returncode == 0
    assert done.stderr.count("\r") <= 2  # the first look and the last


# ---------------------------------------------------------------------- settings


def test_special_tokens_are_read_as_the_model_was_trained_or_as_asked(models, tmp_path, said):
    folder = Path(models["classify"])
    assert not TaskSettings.read(folder).special_tokens
    plain = said("classify", "great [SEP] dull")[0]
    special = said("classify", "great [SEP] dull", "--special-tokens")[0]
    assert plain != special
    kept = tmp_path / "kept"
    kept.mkdir()
    for path in folder.iterdir():
        (kept / path.name).write_bytes(path.read_bytes())
    (kept / "task.json").write_text('{"special_tokens": true}')
    models["kept"] = str(kept)
    assert said("kept", "great [SEP] dull")[0] == special


# ---------------------------------------------------------------------- the network

BLOCKED = """
import socket, sys
def refuse(*_, **__): raise SystemExit("the network was asked")
socket.socket.connect = socket.create_connection = socket.getaddrinfo = refuse
"""


@pytest.mark.slow
def test_nothing_leaves_the_machine_at_import_and_offline_is_honoured(models):
    code = BLOCKED + (
        "import pkgutil, importlib, minibert\n"
        "for module in pkgutil.walk_packages(minibert.__path__, 'minibert.'):\n"
        "    if not module.name.endswith('__main__'): importlib.import_module(module.name)\n"
        "from minibert.cli import main\n"
        f"assert main(['predict', {models['classify']!r}, 'great']) == 0\n"
        "assert main(['predict', 'somebody/model', 'great']) == 2\n"
        f"told = ['finetune', 'classify', '--base', {models['classify']!r}, '--out', 'none']\n"
        "assert main([*told, '--train', 'somebody/data']) == 2\n"
    )
    offline = {**os.environ, "HF_HUB_OFFLINE": "1"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=offline)
    assert done.returncode == 0, done.stderr
    assert "the Hugging Face hub did not give it" in done.stderr
    assert "cannot be reached to look for somebody/data there" in done.stderr


def test_the_version_is_that_of_the_distribution(capsys):
    from importlib.metadata import version

    with pytest.raises(SystemExit) as end:
        main(["--version"])
    assert not end.value.code
    assert capsys.readouterr().out == f"minibert {version('minibert-course')}\n"
