"""`minibert embed` and `minibert search`: a vector for every row, and the nearest of them."""

import io
import json
import sys
from pathlib import Path

import numpy as np
import pytest
import tiny

from minibert import BertModel, SentenceEncoder
from minibert.cli.main import main
from minibert.finetuning.stored_vectors import rows_file

LONG = "the film was great " * 20
TEXTS = ["the film was great", "anna lives in rome", "who saw bob ?", "dull and poor"]


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> str:
    return str(tiny.save(tmp_path_factory.mktemp("model"), initializer_range=0.5))


@pytest.fixture
def said(capsys, monkeypatch):
    """The lines of standard output and the message on standard error of one command."""
    monkeypatch.delenv("MINIBERT_DEBUG", raising=False)

    def run(*words: object, status: int = 0, stdin: bytes | None = None):
        if stdin is not None:
            monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        capsys.readouterr()
        assert main([str(word) for word in words]) == status
        out, err = capsys.readouterr()
        assert err.count("\n") <= 1, err
        assert status == 0 or not out
        return out.split("\n")[:-1], err

    return run


def written(path: Path, content: str) -> Path:
    path.write_text(content)
    return path


@pytest.fixture
def films(tmp_path) -> Path:
    rows = "".join(f'{i + 7},"{text}",x\n' for i, text in enumerate(TEXTS))
    return written(tmp_path / "films.csv", f"id,text,text_pair\n{rows}")


# ---------------------------------------------------------------------- vectors


@pytest.mark.slow
@pytest.mark.parametrize("pooling", ["mean", "cls"])
def test_the_command_writes_the_vectors_of_sentence_transformers(model, said, tmp_path, pooling):
    from test_embedding import reference

    texts = [" ".join(tiny.WORDS[i : 2 * i + 3]) for i in range(11)]
    path, out = written(tmp_path / "a.txt", "\n".join(texts) + "\n"), tmp_path / "a.npy"
    said("embed", model, "--file", path, "--out", out, "--pooling", pooling, "--batch-size", "4")
    wanted = reference(model, pooling, True).encode(texts, show_progress_bar=False)
    np.testing.assert_allclose(np.load(out), wanted, atol=1e-5)
    assert np.ptp(wanted, axis=0).max() > 0.1


def test_every_row_gets_its_vector_in_order_with_its_id(model, said, films, tmp_path):
    wanted = SentenceEncoder.from_pretrained(model).encode(TEXTS)
    lines, err = said("embed", model, "--file", films, "--batch-size", "1")
    rows = [json.loads(line) for line in lines]
    assert [(row["id"], row["text"]) for row in rows] == [
        (str(i + 7), text) for i, text in enumerate(TEXTS)
    ]
    np.testing.assert_allclose([row["vector"] for row in rows], wanted, atol=1e-6)
    for name in ("a.npy", "a.jsonl"):
        said("embed", model, "--file", films, "--out", tmp_path / name)
    again = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text().splitlines()]
    found = np.load(tmp_path / "a.npy")
    assert found.dtype == np.float32
    np.testing.assert_array_equal(np.float32([row["vector"] for row in again]), found)
    np.testing.assert_allclose(found, wanted, atol=1e-6)
    beside = rows_file(tmp_path / "a.npy").read_text().splitlines()
    assert [json.loads(line).get("id") for line in beside] == ["7", "8", "9", "10", None]
    assert not err


def test_a_row_that_cannot_be_read_is_a_row_too(model, said, tmp_path):
    content = f"{TEXTS[0]}\n\n{LONG}\n\u200b\n{TEXTS[1]}\n"
    path, out = written(tmp_path / "a.txt", content), tmp_path / "a.npy"
    _, err = said("embed", model, "--file", path, "--out", out)
    assert err.startswith(f"minibert: 3 of 5 rows have no vector: {path}, line 2: the line is emp")
    assert "line 3: 82 tokens, but" in err
    assert "pass --truncation longest_first to cut, or --stride 12 to split" in err
    assert "line 4: there is nothing in it that the tokenizer reads" in err
    assert np.isnan(np.load(out)).all(1).tolist() == [False, True, True, True, False]
    lines, _ = said("embed", model, stdin=content.encode())
    rows = [json.loads(line) for line in lines]
    assert [set(row) for row in rows] == [{"text", k} for k in ("vector", *["error"] * 3, "vector")]
    told = said("embed", model, "--strict", stdin=content.encode(), status=2)
    assert told == ([], "minibert: standard input, line 2: the line is empty\n")
    np.testing.assert_array_equal(
        json.loads(said("embed", model, TEXTS[1])[0][0])["vector"], rows[4]["vector"]
    )
    (cut,), _ = said("embed", model, LONG, "--truncation", "--pooling", "cls")
    (windows,), _ = said("embed", model, LONG, "--max-length", "20", "--stride", "2")
    assert np.abs(np.subtract(*(json.loads(x)["vector"] for x in (cut, windows)))).max() > 0.01


def test_the_pair_and_label_columns_of_a_table_are_not_looked_at(model, said, tmp_path):
    path = written(tmp_path / "a.csv", "text_pair,label\nanna lives in rome,\n")
    lines, _ = said("embed", model, "--file", path, "--text-column", "text_pair")
    assert json.loads(lines[0])["text"] == "anna lives in rome"
    lines, _ = said("embed", model, "--file", path, "--columns", "label,text")
    assert [json.loads(line)["text"] for line in lines[:1]] == ["label"]


# ---------------------------------------------------------------------- search


def test_search_prints_the_nearest_texts_from_texts_and_from_vectors(model, said, films, tmp_path):
    out, queries = tmp_path / "films.npy", [TEXTS[2], "great film"]
    said("embed", model, "--file", films, "--out", out)
    vectors = SentenceEncoder.from_pretrained(model).encode([*queries, *TEXTS])
    cosines = vectors[:2] @ vectors[2:].T
    for source in (films, out):
        lines, _ = said("search", model, source, *queries, "--top", "3")
        rows = [line.split("\t") for line in lines]
        assert [row[0] for row in rows] == [queries[0]] * 3 + [queries[1]] * 3
        for found, scores in zip((rows[:3], rows[3:]), cosines, strict=True):
            order = np.argsort(-scores)[:3]
            assert [row[2:] for row in found] == [[str(i + 7), TEXTS[i]] for i in order]
            assert [float(row[1]) for row in found] == pytest.approx(scores[order], abs=1e-3)
    assert said("search", model, out, TEXTS[2])[0][0] == f"1.000\t9\t{TEXTS[2]}"
    lines, _ = said("search", model, out, "--json", "--top", "1", stdin=b"who saw bob ?\n")
    assert json.loads(lines[0]) == {
        "query": "who saw bob ?",
        "nearest": [{"score": pytest.approx(1, abs=1e-5), "id": "9", "text": TEXTS[2]}],
    }


def test_what_cannot_be_read_is_neither_found_nor_in_the_way(model, said, tmp_path):
    path = written(tmp_path / "a.txt", f"{TEXTS[0]}\n\n{LONG}\n{TEXTS[1]}\n")
    out, queries = tmp_path / "a.npy", written(tmp_path / "q.txt", f"{TEXTS[1]}\n\n{TEXTS[0]}\n")
    said("embed", model, "--file", path, "--out", out)
    lines, err = said("search", model, out, "--queries", queries, "--top", "9")
    assert [line.split("\t")[::2] for line in lines] == [
        [TEXTS[1], TEXTS[1]],
        [TEXTS[1], TEXTS[0]],
        ["", ""],
        [TEXTS[0], TEXTS[0]],
        [TEXTS[0], TEXTS[1]],
    ]
    assert err == f"minibert: 1 of 3 rows have no answer: {queries}, line 2: the line is empty\n"


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (lambda npy: rows_file(npy).unlink(), "there is no films.npy.jsonl beside it"),
        (lambda npy: np.save(npy, np.load(npy)[::-1]), "is not the file that films.npy.jsonl was"),
        (
            lambda npy: npy.with_name("films.csv").write_text("text\nnew\n"),
            "films.csv has changed since",
        ),
        (
            lambda npy: rows_file(npy).write_text(rows_file(npy).read_text().split("\n", 1)[1]),
            "has 3 rows, ",
        ),
        (
            lambda npy: rows_file(npy).write_text(rows_file(npy).read_text()[:-99]),
            "line 5: not what `minibert embed` writes",
        ),
        (
            lambda npy: rows_file(npy).write_text('{"text": "a"}\n'),
            "does not say at its end whose rows these are",
        ),
    ],
)
def test_vectors_that_are_stale_or_somebody_elses_are_refused(model, said, films, harm, message):
    out = films.with_name("films.npy")
    said("embed", model, "--file", films, "--out", out)
    assert said("search", model, out, "rome")[0]
    harm(out)
    _, err = said("search", model, out, "rome", status=2)
    assert message in err
    assert "run `minibert embed`" in err


def test_vectors_of_another_model_or_pooling_are_refused(model, said, films, tmp_path):
    out = tmp_path / "films.npy"
    said("embed", model, "--file", films, "--out", out, "--pooling", "cls")
    assert said("search", model, out, TEXTS[0])[0][0].startswith("1.000\t7")  # pooled as stored
    told = f"was made with {model}, --pooling cls, and {model}, --pooling mean, is another model"
    assert told in said("search", model, out, "rome", "--pooling", "mean", status=2)[1]
    changed = BertModel.from_pretrained(model)
    changed.embeddings.norm.bias.data[0] += 1e-6
    other = tiny.save(tmp_path / "other")
    changed.save_pretrained(other, overwrite=True)
    assert "is another model or has changed since" in said(
        "search", other, out, "rome", status=2
    )[1]  # fmt: skip


# ---------------------------------------------------------------------- mistakes


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["embed", "MODEL", "--file", "empty.csv"], "empty.csv is empty"),
        (["embed", "MODEL", "--file", "header.csv"], "has a header line and nothing below it"),
        (["embed", "MODEL", "--file", "none.csv"], "none.csv: no such file"),
        (["embed", "MODEL", "--file", "a.xml"], "cannot tell its form by the ending '.xml'"),
        (["embed", "MODEL", "--file", "a.conll"], "not a file of what this model reads"),
        (["embed", "MODEL", "--file", "films.csv", "--out", "a.bin"], "ends in .npy or .jsonl"),
        (["embed", "MODEL", "--file", "films.csv", "--out", "taken.npy"], "is there already"),
        (["embed", "MODEL", "--file", "films.csv", "--out", "no/a.npy"], "there is no folder no"),
        (["embed", "MODEL", "a", "--file", "films.csv"], "a TEXT and --file: give one of them"),
        (["embed", "MODEL", "a", "--text-column", "b"], "--text-column does not say anything"),
        (["embed", "MODEL", " "], "the text is empty"),
        (["embed", "MODEL", LONG], "82 tokens, but"),
        (["embed", "MODEL", "a", "--pooling", "max"], "invalid choice: 'max'"),
        (["embed", "MODEL", "a", "--precision", "fp16"], "--precision fp16 needs a GPU"),
        (["embed", "MODEL", "a", "--batch-size", "0"], "--batch-size must be at least 1"),
        (["embed", "MODEL", "a", "--max-length", "99"], "--max-length 99, but"),
        (["search", "MODEL", "films.csv"], "no query: give a QUERY, --queries, or lines"),
        (["search", "MODEL", "empty.csv", "a"], "empty.csv is empty"),
        (["search", "MODEL", "none.npy", "a"], "none.npy: no such file"),
        (["search", "MODEL", "films.csv", "a", "--top", "0"], "top must be at least 1"),
        (["search", "MODEL", "films.csv", "a", "--queries", "b"], "a QUERY and --queries"),
    ],
)
def test_a_mistake_is_one_line_and_leaves_nothing(
    model, said, films, tmp_path, monkeypatch, words, message
):
    monkeypatch.chdir(tmp_path)
    written(Path("empty.csv"), "")
    written(Path("header.csv"), "text\n")
    for name in ("a.xml", "a.conll", "taken.npy"):
        written(Path(name), "a\n")
    before = sorted(tmp_path.iterdir())
    told = said(*[model if word == "MODEL" else word for word in words], status=2, stdin=b"")
    assert message in told[1]
    assert sorted(tmp_path.iterdir()) == before


def test_an_embedding_that_breaks_off_leaves_nothing(model, said, tmp_path):
    path = written(tmp_path / "a.csv", "text\n" + "rome\n" * 20 + '"paris\n')
    _, err = said(
        "embed", model, "--file", path, "--out", tmp_path / "a.npy", "--batch-size", "1", status=2
    )
    assert "line 22: a double quote is opened and not closed" in err
    assert list(tmp_path.iterdir()) == [path]
