"""The playgrounds without a browser: what they compute, what they load, what is written instead."""

from __future__ import annotations

import base64
import gzip
import json
import re
import shutil
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from book import live, playgrounds
from book.plain import plain
from minibert import Tokenizer
from minibert.course.texts import published
from minibert.tokenization.wordpiece import count_words, train_bpe, train_wordpiece

ROOT = Path(__file__).resolve().parent.parent
SCRIPTS = ROOT / "book" / "_static" / "play"
needs_node = pytest.mark.skipif(
    shutil.which("node") is None,
    reason="NO NODE: the playgrounds' scripts are tested in a browser only",
)
ODD = [
    "", " ", "[MASK] and [SEP].", "Café NAÏVE Ångström Straße İstanbul ΣΑΣ", "don't-stop… $5^2 ~`|",
    "tab\there\nline\u2028para\u00a0nbsp\u3000wide", "zero\u200bwidth \ufeffbom \u00adsoft \x00nul",
    "😀 𝄞 emoji👍🏽", "電影电影，很好！ＡＢＣ１２３", "한국어 ひらがな カタカナ ｶﾞ", "x" * 101,
    "हिन्दी ไทย العَرَبِيَّة עִבְרִית", "e\u0301 \u1e9b\u0323 ﬁ ½ Ⅷ", "㐀𠀀豈 〇々",
]  # fmt: skip


@needs_node
def test_what_the_scripts_compute():
    done = subprocess.run(
        ["node", "--test", str(ROOT / "tests" / "playgrounds.test.js")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    assert re.search(r"^# pass [1-9]", done.stdout, re.MULTILINE) or "pass" in done.stdout


@needs_node
@pytest.mark.data
@pytest.mark.parametrize("name", ["course-en", "course-zh"])
def test_the_scripts_tokenizer_gives_pythons_tokens_ids_and_offsets(name: str, tmp_path: Path):
    lines = [row.passage for row in published.boolq_rows()[:700:7]]
    lines += [text for text, _ in published.reviews_zh_rows()[:30000:300]]
    assert len(lines) == 200
    lines += ODD
    tokenizer = Tokenizer.from_pretrained(name)
    inputs = {"vocabulary": list(tokenizer.vocab), "lines": lines}
    (tmp_path / "in.json").write_text(json.dumps(inputs), encoding="utf-8")
    calls = """
    const { Tokenizer } = require(process.argv[1]);
    const { vocabulary, lines } = JSON.parse(require("fs").readFileSync(process.argv[2], "utf8"));
    const tokenizer = new Tokenizer(vocabulary);
    process.stdout.write(JSON.stringify(lines.map((line) => tokenizer.encode(line))));
    """
    command = ["node", "-e", calls, str(SCRIPTS / "tokenizer.js"), str(tmp_path / "in.json")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    for line, row in zip(lines, json.loads(done.stdout), strict=True):
        wanted = tokenizer.backend.encode(line)
        assert row["tokens"] == wanted.tokens, line
        assert row["ids"] == wanted.ids, line
        assert [tuple(pair) for pair in row["offsets"]] == wanted.offsets, line


@needs_node
@pytest.mark.parametrize(("kind", "train"), [("bpe", train_bpe), ("wordpiece", train_wordpiece)])
def test_the_scripts_merges_are_those_of_the_package(kind: str, train: Callable[..., Any]):
    text = "She sells seashells by the seashore; the shells she sells are seashells for sure. " * 2
    text += "low lower lowest new newer newest wide wider widest 电影 电影 Éclair éclair éclairs."
    calls = """
    require(process.argv[1] + "/tokenizer.js");
    const { countWords, learn } = require(process.argv[1] + "/merges.js");
    const { steps } = learn(countWords(process.argv[2]), process.argv[3]);
    process.stdout.write(JSON.stringify(steps.map((step) => step.pair)));
    """
    command = ["node", "-e", calls, str(SCRIPTS), text, kind]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    _, merges = train(count_words([text]), 10**6, **({"prefix": "##"} if kind == "bpe" else {}))
    assert [tuple(pair) for pair in json.loads(done.stdout)] == merges[:60]
    assert len(merges) > 20


def test_a_recorded_result_is_what_the_model_gives_today():
    for name, record in playgrounds.RECORDERS.items():
        assert same(record(), playgrounds.recorded()[name]), name


def same(new: object, old: object) -> bool:
    """Equal, up to the last digit that was written down."""
    if isinstance(new, dict) and isinstance(old, dict):
        return new.keys() == old.keys() and all(same(new[key], old[key]) for key in new)
    if isinstance(new, list) and isinstance(old, list):
        return len(new) == len(old) and all(map(same, new, old))
    return abs(new - old) < 2e-4 if isinstance(new, float) else new == old  # type: ignore[operator]


def test_a_notebook_has_a_sentence_and_the_recorded_result_instead():
    for name, one in playgrounds.PLAYGROUNDS.items():
        text = plain(f"```{{playground}} {name}\n```", str)
        assert text.startswith(f"**{one.title}.**")
        assert "{" not in text
        assert len(text.split("\n")) >= 3 or not one.models
    assert "*drinking* 39%" in plain("```{playground} fill-mask\n```", str)
    with pytest.raises(ValueError, match="no playground 'chess'"):
        plain("```{playground} chess\n```", str)


def test_every_script_that_a_playground_names_is_there():
    for one in playgrounds.PLAYGROUNDS.values():
        assert [name for name in one.scripts if not (SCRIPTS / name).is_file()] == []
        assert set(one.models) <= set(live.MODELS)


def test_without_npm_the_build_says_so_and_so_does_the_manifest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setenv("MINIBERT_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(tmp_path))
    live.prepare(tmp_path / "live")
    assert "recorded results only" in capsys.readouterr().err
    assert live.why_not(tmp_path / "live") == live.NO_NPM
    written = sorted(path.name for path in (tmp_path / "live").iterdir())
    assert written == ["manifest.js", "vocabulary-course-en.0.js", "vocabulary-course-zh.0.js"]
    assert not live.can_fetch()


def test_an_archive_that_is_not_the_pinned_one_is_never_opened(tmp_path: Path):
    archive = tmp_path / "onnxruntime-web.tgz"
    with tarfile.open(archive, "w:gz"):
        pass
    with pytest.raises(ValueError, match="not the pinned one"):
        live.unpack(archive, tmp_path / "files")
    assert not (tmp_path / "files").exists()


def test_parts_put_together_are_the_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(live, "PART", 1000)
    data = bytes(i * i % 251 for i in range(9000))
    sizes = live.write_parts(tmp_path, "m", data, ["[PAD]", "电"], {"vocab_size": 2})
    calls = [(tmp_path / f"m.{i}.js").read_text(encoding="utf-8") for i in range(len(sizes))]
    received = [
        json.loads(f"[{re.fullmatch(r'playground.receive.(.*).;.', c, re.S)[1]}]") for c in calls
    ]
    assert [(name, number) for name, number, *_ in received] == [
        ("m", i) for i in range(len(sizes))
    ]
    assert received[0][3]["vocabulary"] == ["[PAD]", "电"]
    assert gzip.decompress(base64.b64decode("".join(row[2] for row in received))) == data
    assert sizes == [(tmp_path / f"m.{i}.js").stat().st_size for i in range(len(sizes))]
