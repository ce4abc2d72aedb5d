"""The tokenizer by itself: what it promises, and what it says to bad input."""

import json
import pickle
import sys
import types
import warnings
from itertools import pairwise

import pytest
import torch

from minibert import Tokenizer
from minibert.data.datasets import load_dataset
from minibert.data.download import fetch
from minibert.tokenization.files import SPECIAL_TOKENS

data = pytest.mark.data
WORDS = ["the", "cat", "sat", "a", "dog", "ran", "##s"]
PASSAGE = [f"w{i}" for i in range(40)]


@pytest.fixture
def small():
    """Every word of these tests is one token, but for `cats`, which is two."""
    return Tokenizer.from_vocab([*SPECIAL_TOKENS, *WORDS, *PASSAGE])


@pytest.fixture(scope="module")
def minilm():
    return Tokenizer.from_pretrained("minilm")


@pytest.fixture(scope="module")
def reviews():
    return [example.text for example in load_dataset("reviews-zh").train[:3_000]]


# ---------------------------------------------------------------- one sentence (A9, A10, A11)


@data
def test_the_documents_sentence_has_eleven_tokens_not_ten(reviews):
    tokenizer = Tokenizer.train(reviews, vocab_size=5_000)
    row = tokenizer.encode("这部电影非常精彩！")
    assert row["tokens"] == ["[CLS]", *"这部电影非常精彩！", "[SEP]"]
    assert len(row["input_ids"]) == 11


@data
def test_the_documents_ids_are_the_english_vocabularys(minilm):
    assert minilm.convert_tokens_to_ids(["[CLS]", "[SEP]", "this"]) == [101, 102, 2023]
    tokens = minilm.encode("这部电影非常精彩！")["tokens"]
    assert tokens.count("[UNK]") == 7
    assert len(tokens) == 11


def test_a_pair_is_framed_and_its_segments_are_numbered(small):
    row = small.encode("the cat sat", "a dog")
    assert row["tokens"] == ["[CLS]", "the", "cat", "sat", "[SEP]", "a", "dog", "[SEP]"]
    assert row["token_type_ids"] == [0, 0, 0, 0, 0, 1, 1, 1]
    assert row["special_tokens_mask"] == [1, 0, 0, 0, 1, 0, 0, 1]


def test_offsets_point_at_the_text_of_each_token(small):
    text = "The  CÄTS sat"
    row = small.encode(text)
    assert row["tokens"][1:-1] == ["the", "cat", "##s", "sat"]
    spans = [text[start:end] for start, end in row["offset_mapping"][1:-1]]
    assert spans == ["The", "CÄT", "S", "sat"]


def test_word_ids_say_which_word_a_token_belongs_to(small):
    words = [["the", "cats", "sat"], ["a", "dog"]]
    batch = small(words, is_split_into_words=True, padding=True, extra=["word_ids"])
    assert batch["word_ids"].tolist() == [[-1, 0, 1, 1, 2, -1], [-1, 0, 1, -1, -1, -1]]


def test_what_cannot_be_returned_is_refused(small):
    with pytest.raises(ValueError, match="'offsets' is unknown: choose from offset_mapping"):
        small("the cat", extra=["offsets"])


def test_a_special_token_written_in_the_text_is_one_token(small):
    assert small.tokenize("the [MASK] sat") == ["the", "[MASK]", "sat"]


# ---------------------------------------------------------------- the vocabulary


def test_training_puts_the_five_special_tokens_first():
    tokenizer = Tokenizer.train(["a cat sat on a mat"] * 3, vocab_size=40)
    assert list(tokenizer.vocab)[:5] == ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    assert tokenizer.special_ids == {0, 1, 2, 3, 4}
    ids = (tokenizer.pad_token_id, tokenizer.unk_token_id, tokenizer.cls_token_id)
    assert (*ids, tokenizer.sep_token_id, tokenizer.mask_token_id) == (0, 1, 2, 3, 4)


def test_the_vocabulary_stands_in_the_order_of_its_ids_and_is_the_callers_own(small):
    vocab = small.vocab
    assert list(vocab.values()) == list(range(len(small)))
    vocab.clear()
    assert small.vocab == small.backend.get_vocab()


def test_the_vocabulary_knows_entries_that_its_backend_gets_later():
    tokenizer = Tokenizer.train(["a cat sat on a mat"] * 3, vocab_size=40)
    assert "zebra" not in tokenizer.vocab
    tokenizer.backend.add_tokens(["zebra"])
    assert tokenizer.vocab["zebra"] == len(tokenizer) - 1


@data
def test_training_gives_the_same_vocabulary_every_time(reviews):
    # The library's own trainer does not: it numbers the ##x in the order of a hash table.
    english = [example.text for example in load_dataset("movies").train[:2_000]]
    first = Tokenizer.train(english, vocab_size=2_000).vocab
    assert len(first) == 2_000
    for _ in range(3):
        assert Tokenizer.train(english, vocab_size=2_000).vocab == first
    assert Tokenizer.train(iter(english), vocab_size=2_000).vocab == first


@data
def test_no_character_of_the_training_texts_is_unknown(reviews):
    tokenizer = Tokenizer.train(reviews, vocab_size=5_000)
    for text in reviews:
        assert "[UNK]" not in tokenizer.tokenize(text)


def test_a_character_seen_only_inside_words_may_begin_one():
    tokenizer = Tokenizer.train(["abz abz abz"], vocab_size=20)
    assert "[UNK]" not in tokenizer.tokenize("bz zb b")


def test_limit_alphabet_keeps_the_most_frequent_characters():
    tokenizer = Tokenizer.train(["电影 电影 电 好"], vocab_size=20, limit_alphabet=2)
    assert tokenizer.tokenize("电影好") == ["电", "影", "[UNK]"]
    assert len(tokenizer) == 5 + 2
    # Two characters are four entries (a, b, ##a, ##b): the limit counts characters.
    tokenizer = Tokenizer.train(["ab ba ab ba c"], vocab_size=20, limit_alphabet=2)
    assert tokenizer.tokenize("ab c") == ["ab", "[UNK]"]


@pytest.mark.parametrize("lowercase", [True, False])
def test_capitals_count_only_where_asked(lowercase):
    tokenizer = Tokenizer.train(["The Cat the cat THE CAT"] * 5, 60, lowercase=lowercase)
    assert (tokenizer.tokenize("THE") == tokenizer.tokenize("the")) == lowercase
    assert tokenizer.lowercase == lowercase


def test_ids_and_tokens_go_both_ways(small):
    ids = small.convert_tokens_to_ids(["[CLS]", "cat", "nothing"])
    assert ids == [2, 6, small.unk_token_id]
    assert small.convert_ids_to_tokens(torch.tensor(ids)) == ["[CLS]", "cat", "[UNK]"]
    assert small.vocab_size == len(small) == len(small.vocab) == 5 + len(WORDS) + len(PASSAGE)


def test_decoding_joins_pieces_and_leaves_special_tokens_out(small):
    row = small("the cats sat")["input_ids"][0]
    assert small.decode(row) == "the cats sat"
    assert small.decode(row, skip_special_tokens=False) == "[CLS] the cats sat [SEP]"


# ---------------------------------------------------------------- batches


def test_a_batch_is_padded_on_the_side_asked_for(small):
    texts = ["the cat sat", "dog"]
    right = small(texts, padding=True)
    left = small(texts, padding=True, padding_side="left", extra=["special_tokens_mask"])
    assert right["attention_mask"].tolist() == [[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]]
    assert left["attention_mask"].tolist() == [[1, 1, 1, 1, 1], [0, 0, 1, 1, 1]]
    assert left["special_tokens_mask"].tolist() == [[1, 0, 0, 0, 1], [1, 1, 1, 0, 1]]
    assert torch.equal(right["input_ids"][1], left["input_ids"][1].roll(-2))
    assert right["input_ids"].dtype == torch.int64
    assert small(texts, padding="max_length", max_length=9)["input_ids"].shape == (2, 9)


def test_one_text_is_a_batch_of_one(small):
    assert small("the cat")["input_ids"].shape == (1, 4)
    assert small("the cat", "a dog")["token_type_ids"].tolist() == [[0, 0, 0, 0, 1, 1, 1]]
    assert small(["the", "cat"], is_split_into_words=True)["input_ids"].shape == (1, 4)


def test_the_sides_and_strategies_of_cutting(small):
    def tokens(*texts, **options):
        return " ".join(small.encode(*texts, **options)["tokens"])

    text = "w1 w2 w3 w4 w5"
    assert tokens(text, max_length=4) == "[CLS] w1 w2 [SEP]"
    assert tokens(text, max_length=4, truncation_side="left") == "[CLS] w4 w5 [SEP]"
    pair = (text, "w6 w7 w8")
    assert tokens(*pair, max_length=9) == "[CLS] w1 w2 w3 [SEP] w6 w7 w8 [SEP]"
    cut = tokens(*pair, max_length=9, truncation="only_second")
    assert cut == "[CLS] w1 w2 w3 w4 w5 [SEP] w6 [SEP]"
    cut = tokens(*pair, max_length=9, truncation="only_first")
    assert cut == "[CLS] w1 w2 w3 [SEP] w6 w7 w8 [SEP]"


def test_a_call_that_cuts_leaves_the_next_one_alone(small):
    small("w1 w2 w3 w4", max_length=3)
    with pytest.raises(ValueError, match="only_second"):
        small("w1 w2 w3 w4", "w5", max_length=5, truncation="only_second")
    assert small("w1 w2 w3 w4")["input_ids"].shape == (1, 6)


# ---------------------------------------------------------------- windows (D5)


def test_windows_share_stride_tokens_and_lose_none(small):
    batch = small(" ".join(PASSAGE), max_length=12, stride=4, padding=True)
    rows = [[i for i in row if i not in small.special_ids] for row in batch["input_ids"].tolist()]
    assert len(rows) == 6
    for before, after in pairwise(rows):
        assert before[-4:] == after[:4]
    joined = rows[0] + [i for row in rows[1:] for i in row[4:]]
    assert small.convert_ids_to_tokens(joined) == PASSAGE
    assert batch["overflow_to_sample_mapping"].tolist() == [0] * 6


def test_an_answer_across_the_boundary_of_two_windows_is_whole_in_one(small):
    cut = small("the cat", " ".join(PASSAGE), max_length=15, stride=0, padding=True)
    shared = small("the cat", " ".join(PASSAGE), max_length=15, stride=4, padding=True)
    answer = small.convert_tokens_to_ids(["w9", "w10"])  # w9 is the last of the first window

    def holds(row):
        return any(row[i : i + 2] == answer for i in range(len(row)))

    assert not any(holds(row) for row in cut["input_ids"].tolist())
    assert any(holds(row) for row in shared["input_ids"].tolist())


def test_every_window_of_a_pair_repeats_the_question_and_keeps_its_segments(small):
    # encode_batch_fast of the library gives segment 0 to the passage from the second window on.
    batch = small(
        ["dog ran", "the cat"], ["w1 w2", " ".join(PASSAGE)], max_length=15, stride=4, padding=True
    )
    assert batch["overflow_to_sample_mapping"].tolist() == [0, 1, 1, 1, 1, 1, 1]
    for row, segments, mask in zip(
        batch["input_ids"].tolist()[1:],
        batch["token_type_ids"].tolist()[1:],
        batch["attention_mask"].sum(1).tolist()[1:],
        strict=True,
    ):
        assert small.convert_ids_to_tokens(row[:4]) == ["[CLS]", "the", "cat", "[SEP]"]
        assert segments[:mask] == [0] * 4 + [1] * (mask - 4)


# ---------------------------------------------------------------- folders


def test_a_saved_tokenizer_comes_back_whole(tmp_path, small):
    small.model_max_length = 77
    small.save_pretrained(tmp_path / "new" / "folder")
    again = Tokenizer.from_pretrained(tmp_path / "new" / "folder")
    assert again.vocab == small.vocab
    assert again.model_max_length == 77
    assert again.name == "folder"
    assert again.encode("The cats", "ran") == small.encode("The cats", "ran")


def test_a_tokenizer_goes_to_worker_processes_by_pickle(small):
    again = pickle.loads(pickle.dumps(small))
    assert again.encode("the cats sat") == small.encode("the cats sat")
    assert again.special_ids == small.special_ids


def test_lines_of_vocab_txt_end_only_where_lines_end(tmp_path):
    # str.splitlines also cuts at U+0085 and U+2028: all later ids would be off by one.
    odd = ["\x85", "\u2028"]
    Tokenizer.from_vocab([*SPECIAL_TOKENS, *odd, "last"]).save_pretrained(tmp_path)
    (tmp_path / "tokenizer.json").unlink()
    assert Tokenizer.from_pretrained(tmp_path).vocab["last"] == 7


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_vocab_txt_may_begin_with_a_byte_order_mark(tmp_path, encoding):
    entries = [*SPECIAL_TOKENS, "caf\u00e9", "##s"]
    (tmp_path / "vocab.txt").write_text("\r\n".join(entries), encoding=encoding, newline="")
    assert list(Tokenizer.from_pretrained(tmp_path).vocab) == entries


def test_a_cased_vocabulary_alone_is_not_made_small_in_silence(tmp_path):
    (tmp_path / "vocab.txt").write_text("\n".join([*SPECIAL_TOKENS, "[unused1]", "the", "The"]))
    with pytest.warns(UserWarning, match=r"has 1 entries with capitals, such as 'The'"):
        Tokenizer.from_pretrained(tmp_path)
    with warnings.catch_warnings(action="error"):
        for said in (True, False):
            settings = json.dumps({"do_lower_case": said})
            (tmp_path / "tokenizer_config.json").write_text(settings)
            assert Tokenizer.from_pretrained(tmp_path).lowercase == said
        (tmp_path / "tokenizer_config.json").unlink()
        (tmp_path / "vocab.txt").write_text("\n".join([*SPECIAL_TOKENS, "[UNUSED1]", "the"]))
        Tokenizer.from_pretrained(tmp_path)


@pytest.mark.parametrize("file", ["tokenizer.json", "vocab.txt"])
def test_a_vocabulary_larger_than_the_model_is_refused_on_loading(tmp_path, small, file):
    small.save_pretrained(tmp_path)
    for other in {"tokenizer.json", "vocab.txt"} - {file}:
        (tmp_path / other).unlink()
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"vocab_size": len(small)}))
    assert len(Tokenizer.from_pretrained(tmp_path)) == len(small)
    config.write_text(json.dumps({"vocab_size": len(small) - 1}))
    told = f"has {len(small)} entries, but the model of config.json knows {len(small) - 1}"
    with pytest.raises(ValueError, match=told):
        Tokenizer.from_pretrained(tmp_path)


@data
def test_padding_and_truncation_written_in_tokenizer_json_are_switched_off(minilm):
    written = json.loads((fetch("minilm") / "tokenizer.json").read_text(encoding="utf-8"))
    assert written["padding"]
    assert written["truncation"]["max_length"] == 128
    assert minilm("word")["input_ids"].shape == (1, 3)
    assert minilm("word " * 300)["input_ids"].shape == (1, 302)


@pytest.mark.parametrize("file", ["tokenizer.json", "vocab.txt"])
def test_do_lower_case_of_tokenizer_config_overrules(tmp_path, small, file):
    small.save_pretrained(tmp_path)
    for other in {"tokenizer.json", "vocab.txt"} - {file}:
        (tmp_path / other).unlink()
    config = tmp_path / "tokenizer_config.json"
    config.write_text(json.dumps({"do_lower_case": False}))
    assert Tokenizer.from_pretrained(tmp_path).tokenize("the THE") == ["the", "[UNK]"]
    config.write_text(json.dumps({"do_lower_case": True}))
    assert Tokenizer.from_pretrained(tmp_path).tokenize("the THE") == ["the", "the"]


@pytest.mark.parametrize(
    ("stated", "positions", "limit"),
    [(256, None, 256), (1e30, 128, 128), (512, 64, 64), (None, None, 512), (1e30, None, 512)],
)
def test_the_limit_is_what_the_folder_says(tmp_path, small, stated, positions, limit):
    small.save_pretrained(tmp_path)
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"model_max_length": stated}))
    (tmp_path / "config.json").write_text(json.dumps({"max_position_embeddings": positions}))
    assert Tokenizer.from_pretrained(tmp_path).model_max_length == limit


def test_a_shipped_checkpoint_is_found_by_its_name(tmp_path, small, monkeypatch):
    small.save_pretrained(tmp_path / "checkpoints" / "course-xx")
    monkeypatch.setattr("minibert.weights.names.SHIPPED", tmp_path / "checkpoints")
    assert Tokenizer.from_pretrained("course-xx").vocab == small.vocab


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """A Hugging Face hub that has one model, and no network."""

    def snapshot_download(name, allow_patterns):
        assert "vocab.txt" in allow_patterns
        assert not any("safetensors" in pattern for pattern in allow_patterns)
        if name != "someone/their-bert":
            raise OSError("We couldn't connect\nsecond line")
        return str(tmp_path / "snapshot")

    fake = types.ModuleType("huggingface_hub")
    fake.snapshot_download = snapshot_download
    monkeypatch.setitem(sys.modules, "huggingface_hub", fake)
    return tmp_path / "snapshot"


def test_a_hub_id_is_downloaded(hub, small):
    small.save_pretrained(hub)
    assert Tokenizer.from_pretrained("someone/their-bert").vocab == small.vocab


def test_an_unknown_hub_id_is_one_line(hub):
    with pytest.raises(FileNotFoundError, match="someone/else is no local folder") as raised:
        Tokenizer.from_pretrained("someone/else")
    assert "\n" not in str(raised.value)


def test_without_huggingface_hub_the_message_names_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(FileNotFoundError, match="pip install huggingface_hub"):
        Tokenizer.from_pretrained("someone/their-bert")


# ---------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((["w1 w2", ""],), "text 1 is empty"),
        (([" \n"],), "text 0 is empty"),
        (([],), "no texts to encode"),
        ((None,), "expected a list, each a string, but got NoneType"),
        ((["w1", 5],), "text 1 must be a string, but is int 5"),
        ((["w1", None],), "text 1 must be a string, but is NoneType None"),
        (([["w1", "w2"]],), "pass is_split_into_words=True"),
        ((["w1"], ["w2", "w3"]), "1 texts, but 2 second texts"),
        ((["w1 \ud83d w2"],), "half a character .U.D83D."),
        ((["caf\udce9"],), "half a character .U.DCE9, or the byte 0xe9., which is not UTF-8"),
        ((["w1", "w2 w3"],), "pass padding=True"),
    ],
)
def test_texts_that_cannot_be_encoded(small, arguments, message):
    with pytest.raises(ValueError, match=message) as raised:
        small(*arguments)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"truncation": "first"}, "truncation='first': pass one of"),
        ({"truncation": "only_second"}, "needs second texts"),
        ({"max_length": 2}, "no room beside 2 special tokens"),
        ({"max_length": 513}, "reads at most 512"),
        ({"max_length": 6, "stride": 4}, "pass a smaller stride"),
        ({"max_length": 6, "stride": -1}, "pass a smaller stride"),
        ({"stride": 2, "truncation": False}, "without truncation=False"),
        ({"padding": "longst"}, "padding='longst'"),
        ({"padding": True, "padding_side": "top"}, "pass 'left' or 'right'"),
        ({"max_length": 4, "truncation_side": "top"}, "pass 'left' or 'right'"),
    ],
)
def test_options_that_make_no_sense(small, options, message):
    with pytest.raises(ValueError, match=message) as raised:
        small(["w1 w2 w3 w4 w5"], **options)
    assert "\n" not in str(raised.value)


def test_windows_that_a_long_question_leaves_no_room_for(small):
    # Left to the library this is a crash of its Rust code, which `except Exception` misses.
    with pytest.raises(ValueError, match="text 1: a window of 12 tokens has 3"):
        small(["the", "w1 w2 w3 w4 w5 w6"], ["w1"] * 2, max_length=12, stride=3, padding=True)
    with pytest.raises(ValueError, match="windows slide over one text"):
        small("the", "cat", max_length=12, stride=3, truncation=True)


@pytest.mark.parametrize("truncation", [None, False])
def test_too_long_is_an_error_unless_it_may_be_cut(small, truncation):
    small.name = "minilm"
    message = (
        "640 tokens, but minilm reads at most 512: "
        "pass truncation=True to cut, or stride=128 to split"
    )
    with pytest.raises(ValueError) as raised:  # noqa: PT011 (the whole message is compared)
        small("cat " * 638, truncation=truncation)
    assert str(raised.value) == message
    assert small("cat " * 638, truncation=True)["input_ids"].shape == (1, 512)
    assert small("cat " * 510)["input_ids"].shape == (1, 512)


def test_a_row_over_max_length_that_may_not_be_cut(small):
    with pytest.raises(ValueError, match="text 1: 7 tokens, but max_length is 4"):
        small(["w1", "w1 w2 w3 w4 w5"], padding="max_length", max_length=4, truncation=False)


@pytest.mark.parametrize("missing", SPECIAL_TOKENS)
def test_a_vocabulary_without_a_special_token(tmp_path, missing):
    vocab = [token for token in [*SPECIAL_TOKENS, "cat"] if token != missing]
    with pytest.raises(ValueError, match=rf"has no \[{missing[1:-1]}\]"):
        Tokenizer.from_vocab(vocab)
    (tmp_path / "vocab.txt").write_text("\n".join(vocab))
    with pytest.raises(ValueError, match=rf"has no \[{missing[1:-1]}\]"):
        Tokenizer.from_pretrained(tmp_path)


def test_a_vocabulary_with_an_entry_twice():
    with pytest.raises(ValueError, match="'cat' twice"):
        Tokenizer.from_vocab([*SPECIAL_TOKENS, "cat", "dog", "cat"])


def test_an_id_that_is_no_entry(small):
    for i in (-1, len(small)):
        with pytest.raises(ValueError, match=f"id {i} is not in the vocabulary"):
            small.convert_ids_to_tokens([i])


def test_a_vocabulary_too_small_for_the_characters():
    with pytest.raises(ValueError, match="pass at least 10, or limit_alphabet"):
        Tokenizer.train(["abc"], vocab_size=8)  # 5 + a, b, c, ##b, ##c is 10


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ([], "no text to train"),
        (["", " "], "no text to train"),
        ("one string", "expected a list"),
        (["a", 1], "text 1"),
    ],
)
def test_texts_that_teach_nothing(texts, message):
    with pytest.raises(ValueError, match=message):
        Tokenizer.train(texts, vocab_size=100)


def test_folders_that_hold_no_tokenizer(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"neither tokenizer\.json nor vocab\.txt"):
        Tokenizer.from_pretrained(tmp_path)
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        Tokenizer.from_pretrained(tmp_path / "missing")
    (tmp_path / "vocab.txt").write_text("[PAD]\n")
    with pytest.raises(FileNotFoundError, match="is a file: pass the folder"):
        Tokenizer.from_pretrained(tmp_path / "vocab.txt")


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("tokenizer.json", b"{}", "lacks 'model'"),
        ("tokenizer.json", b'{"version": ', "line 1: not JSON"),
        ("vocab.txt", b"[PAD]\n\xff\xfe\n", "line 2: not UTF-8"),
        ("tokenizer_config.json", b"{", "line 1: not JSON"),
    ],
)
def test_files_that_are_not_what_they_are_called(tmp_path, small, file, content, message):
    small.save_pretrained(tmp_path)
    if file == "vocab.txt":
        (tmp_path / "tokenizer.json").unlink()
    (tmp_path / file).write_bytes(content)
    with pytest.raises(ValueError, match=message) as raised:
        Tokenizer.from_pretrained(tmp_path)
    assert file in str(raised.value)
    assert "\n" not in str(raised.value)
