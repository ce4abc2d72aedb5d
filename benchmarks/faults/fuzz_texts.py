"""Odd files, texts and logits: what is read of them, and what is made of them."""

from __future__ import annotations

from pathlib import Path

from hypothesis import strategies as st

from faults.drawing import draw, refusals
from faults.tally import Tally

# ---------------------------------------------------------------------- files of examples

_VALID = {
    ".csv": b'text,label\nthe film was great,good\n"dull, and poor",bad\n',
    ".tsv": b"text\tlabel\nthe film was great\tgood\n",
    ".jsonl": b'{"text": "the film", "label": "good"}\n{"text": "x", "label": ["a", "b"]}\n',
    ".conll": b"anna B-PER\nlives O\n\nrome B-LOC\n",
    ".conllu": b"# text = anna lives\n1\tanna\tanna\tPROPN\t_\t_\t0\troot\t_\t_\n",
    ".json": b'{"data": [{"title": "t", "paragraphs": [{"context": "anna lives in rome", "qas": '
    b'[{"id": "1", "question": "who", "answers": [{"text": "anna", "answer_start": 0}]}]}]}]}',
    ".txt": b"anna lives in rome.\n\nthe film was great.\n",
}
_BITS = [
    b"\xff", b"\x00", b"\r", b"\n", b"\t", b'"', b"{", b"}", b"[", b"]", b",", b";",
    b"\xef\xbb\xbf", b"\xe2\x80\xa8", b"null", b"NaN", b"1e999", b"-1", b'"\\ud800"', b"true",
    b"9" * 400, b"[" * 200,
]  # fmt: skip


@st.composite
def _files(draw: st.DrawFn) -> tuple[str, bytes]:
    """A form, and a file of it in which something is not as it should be, or anything at all."""
    form = draw(st.sampled_from(sorted(_VALID)))
    if draw(st.integers(0, 9)) == 0:
        return form, draw(st.binary(max_size=200))
    content = _VALID[form] * draw(st.integers(1, 2))
    for _ in range(draw(st.integers(0, 4))):
        first = draw(st.integers(0, len(content)))
        last = min(len(content), first + draw(st.sampled_from([0, 0, 1, 1, 5, 40])))
        bit = draw(st.sampled_from(_BITS) | st.binary(max_size=3))
        content = content[:first] + bit + content[last:]
    return form, content


def readers(tally: Tally, count: int) -> Tally:
    """Files of every form, with something in them that does not belong there."""
    from minibert.data.datasets import read_file
    from minibert.data.plain_text import read_documents
    from minibert.data.unlabelled import read_rows

    def case(file: tuple[str, bytes]) -> None:
        form, content = file
        path = Path(f"file{form}")
        path.write_bytes(content)
        with refusals(path.name):
            read_file(path)
        for task in ("classify", "tag", "answer"):
            with refusals(path.name):
                list(read_rows(str(path), task))
        if form == ".txt":
            with refusals(path.name):
                list(read_documents(path))

    draw(count, tally, _files(), case)
    return tally


# ---------------------------------------------------------------------- texts to tokens

_WORDS = [
    "café", "cafe\u0301", "CAFÉ", "unbelievable", "Straße", "电影", "한국", "İ", "ﬁ", "हिंदी",
    "[SEP]", "[MASK]", "##s", "don't", "3.5", "\u200d", "\u0301", "\U0001f600", "\x00", "\ufffd",
    "\xa0", " ",
]  # fmt: skip
_TEXT = (
    st.text(max_size=60)
    | st.lists(st.sampled_from(_WORDS) | st.text(max_size=3), max_size=12).map("".join)
    | st.lists(st.sampled_from(_WORDS), max_size=12).map(" ".join)
    | st.text(st.characters(codec=None), max_size=20)  # halves of characters, which are refused
)


def tokenizer(tally: Tally, count: int) -> Tally:
    """Any text: each token stands at its offsets, and a batch is what its texts are."""
    from minibert import Tokenizer

    tokenizer = Tokenizer.from_pretrained("course-en")
    tokenizer.model_max_length = 1000
    normal = tokenizer.backend.normalizer.normalize_str
    vocab = list(tokenizer.vocab)

    def case(text: str) -> None:
        with refusals():
            row = tokenizer.encode(text, special_tokens=False)
            last = 0
            columns = (row[name] for name in ("input_ids", "offset_mapping", "special_tokens_mask"))
            for number, (start, end), is_special in zip(*columns, strict=True):
                if is_special:
                    continue
                assert last <= start < end <= len(text), f"{start}, {end} after {last}"
                last, found = start, normal(text[start:end])
                token = vocab[number].removeprefix("##")
                assert token in found or token == "[UNK]", f"{token!r} at {text[start:end]!r}"
            again = tokenizer.encode_batch([text, text], special_tokens=False)
            assert [encoding.ids for encoding in again] == [row["input_ids"]] * 2
            tokenizer.decode(row["input_ids"])

    draw(count, tally, _TEXT, case)
    return tally


def windows(tally: Tally, count: int) -> Tally:
    """Lengths and strides: windows fit, and together hold the whole text."""
    import tiny

    from minibert.tokenization.rows import encode_rows

    tokenizer = tiny.tokenizer()
    words = st.lists(st.sampled_from(tiny.WORDS[:30]), min_size=1, max_size=60).map(" ".join)
    drawn = st.tuples(words, st.none() | words, st.integers(-1, 50), st.integers(-1, 50))

    def case(values: tuple[str, str | None, int, int]) -> None:
        text, pair, length, stride = values
        with refusals():
            pairs = None if pair is None else [pair]
            rows, samples = encode_rows(tokenizer, [text], pairs, max_length=length, stride=stride)
            assert set(samples.tolist()) == {0}
            assert all(len(row) <= length for row in rows)
            cut = text if pair is None else pair  # windows slide over the second of a pair
            number = 0 if pair is None else 1
            (whole,) = tokenizer.encode_batch([cut], add_special_tokens=False)
            found: list[int] = []
            for row in rows:
                part = [
                    token
                    for token, sequence in zip(row.ids, row.sequence_ids, strict=True)
                    if sequence == number
                ]
                shared = min(stride, len(found)) if found else 0
                assert found[len(found) - shared :] == part[:shared], "neighbours share no tokens"
                found += part[shared:]
            assert found == whole.ids, "windows do not hold the whole text"

    draw(count, tally, drawn, case)
    return tally


def spans(tally: Tally, count: int) -> Tally:
    """Logits and masks: the span found is the best of all."""
    import torch

    from minibert.finetuning.answering import best_spans

    def case(values: tuple[int, int, int, float]) -> None:
        seed, length, longest, density = values
        generator = torch.Generator().manual_seed(seed)
        start, end = torch.randn(2, 1, length, generator=generator).unbind(0)
        mask = torch.rand(1, length, generator=generator) < density
        first, last, score, null = (x.item() for x in best_spans(start, end, mask, longest))
        inside = [i for i in range(length) if mask[0, i]]
        pairs = [(i, j) for i in inside for j in inside if i <= j < i + longest]
        best = max((float(start[0, i] + end[0, j]) for i, j in pairs), default=-float("inf"))
        assert score == best, f"{score} is not the best, {best}"
        assert not pairs or (first, last) in pairs, f"{first} to {last} is no span"
        assert null == float(start[0, 0] + end[0, 0])

    drawn = st.tuples(
        st.integers(0, 2**31), st.integers(1, 24), st.integers(1, 30), st.floats(0, 1)
    )
    draw(count, tally, drawn, case)
    return tally
