"""A corpus of any size goes through in little memory."""

import subprocess
import sys

import numpy as np
import pytest
from trainings import environment

from minibert.data import corpora
from minibert.pretraining.corpus import CorpusDocuments, TokenCorpus, tokenise
from minibert.tokenization.tokenizer import Tokenizer

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


@pytest.fixture
def tokenizer():
    return Tokenizer.from_vocab([*SPECIAL, *"abcdefghij"])


def write_text(path, documents):
    with path.open("w") as file:
        for number in range(documents):
            first = " ".join(str(number).translate(str.maketrans("0123456789", "abcdefghij")))
            file.write(f"{first}\na b c\n\n")


# Grows by what is kept of each document: the token file is written as it is made.
STREAM = """
import sys
from pathlib import Path
from minibert.pretraining.corpus import TokenCorpus
from minibert.pretraining import corpus
from minibert.tokenization.tokenizer import Tokenizer
corpus._CHUNK = 300_000
words = [f"w{i}" for i in range(200)]
marks = []
def documents(count):
    for number in range(count):
        if number in (count // 10, count - 1):
            # Of this program alone: what getrusage says begins with the peak of who started it.
            status = Path("/proc/self/status").read_text().split()
            marks.append(int(status[status.index("VmHWM:") + 1]))
        line = " ".join(words[(number + place) % 200] for place in range(60))
        yield [line, line + " w1"]
tokenizer = Tokenizer.from_vocab(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *words])
made = TokenCorpus.build(documents(20_000), tokenizer, Path(sys.argv[1]) / "corpus")
print(marks[1] - marks[0], len(made.tokens), type(made.tokens).__name__)
"""


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_building_a_corpus_takes_no_more_memory_at_the_end_than_at_the_start(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", STREAM, str(tmp_path)],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert done.returncode == 0, done.stderr
    grown, tokens, kind = done.stdout.split()
    assert int(tokens) == 20_000 * 121
    assert kind == "memmap"
    assert int(grown) < 4_000  # kilobytes; the sentences alone are 9.5 MB of text


def test_the_corpus_does_not_depend_on_the_chunks(tmp_path, tokenizer, monkeypatch):
    documents = [["a b", "c"], [], [""], ["d e f", "", "g"], ["h"]]
    whole = TokenCorpus.build(documents, tokenizer, tmp_path / "whole")
    monkeypatch.setattr("minibert.pretraining.corpus._CHUNK", 1)
    parts = TokenCorpus.build(iter(documents), tokenizer, tmp_path / "parts")
    for corpus in (whole, parts):
        assert corpus.tokens.tolist() == [5, 6, 7, 8, 9, 10, 11, 12]
        assert corpus.sentence_starts.tolist() == [0, 2, 3, 6, 7]
        assert corpus.document_starts.tolist() == [0, 3, 7]
    assert isinstance(whole.sentence_starts, np.memmap)


def test_an_interrupted_corpus_leaves_nothing_and_is_made_again(tmp_path, tokenizer):
    def broken():
        yield ["a b"]
        raise KeyboardInterrupt

    folder = tmp_path / "corpus"
    with pytest.raises(KeyboardInterrupt):
        TokenCorpus.build(broken(), tokenizer, folder)
    assert list(tmp_path.iterdir()) == []
    assert len(TokenCorpus.build([["a b"]], tokenizer, folder).tokens) == 2


def test_a_corpus_that_another_process_made_meanwhile_is_taken(tmp_path, tokenizer):
    folder = tmp_path / "corpus"

    def overtaken():
        TokenCorpus.build([["a b"]], tokenizer, folder)
        yield ["a b"]

    assert len(TokenCorpus.build(overtaken(), tokenizer, folder).tokens) == 2
    assert list(tmp_path.iterdir()) == [folder]


def test_a_corpus_without_text_is_refused(tmp_path, tokenizer):
    with pytest.raises(ValueError, match="no text in it"):
        TokenCorpus.build([[], [""]], tokenizer, tmp_path / "corpus")


def test_a_users_files_are_streamed_and_split_and_tokenised_once(tmp_path, tokenizer, monkeypatch):
    monkeypatch.setattr("minibert.pretraining.corpus.home", lambda: tmp_path / "home")
    path = tmp_path / "c.txt"
    write_text(path, 150)
    texts = CorpusDocuments([str(path)])
    sides = {side: list(texts.of(side)) for side in texts.splits}
    loaded = corpora.load_corpus(path)
    assert sides == {"train": loaded.train, "dev": loaded.dev, "test": loaded.test}
    assert list(texts.sentences(3)) == [s for d in loaded.train for s in d][:3]
    made = tokenise(texts, tokenizer)
    assert [len(made[side].document_starts) for side in made] == [len(sides[s]) for s in sides]
    monkeypatch.setattr("minibert.pretraining.corpus._write", None)  # a second time would fail
    again = tokenise(texts, tokenizer)
    assert all((again[side].tokens == made[side].tokens).all() for side in made)
    path.write_text("a\nb\n\nc\n")
    with pytest.raises(TypeError):
        tokenise(texts, tokenizer)


def test_a_corpus_that_is_not_there_is_told():
    with pytest.raises(FileNotFoundError, match="neither a text file nor a corpus"):
        CorpusDocuments(["no-such-file.txt"])


def test_texts_are_only_what_was_named(tmp_path):
    one, two = tmp_path / "1.txt", tmp_path / "2.txt"
    one.write_text("a b\nc\n\nd\n")
    two.write_text("e f\ng\n\na b\nc\n")  # its second document is in the first file too
    texts = CorpusDocuments([str(one), str(two)])
    assert texts.splits == ["train"]
    assert list(texts.of("train")) == [["a b", "c"], ["d"], ["e f", "g"]]
