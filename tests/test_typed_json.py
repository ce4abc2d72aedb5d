"""What stands in a model folder's JSON is checked, key by key, before anything is done with it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, NotRequired, TypedDict

import pytest
import tiny
import torch

from minibert import BertConfig, BertForSequenceClassification, Tokenizer
from minibert.cli import main
from minibert.finetuning.settings import TaskSettings
from minibert.model.lora import add_adapter
from minibert.tokenization.files import read_folder
from minibert.training.config import TrainingConfig
from minibert.weights import read_adapter_config, read_architecture, read_config
from minibert.weights.typed_json import Within, read_typed


class Raw(str):
    """JSON that Python would not write."""


DEEP = Raw("[" * 50_000 + "]" * 50_000)
NEVER = (Raw("NaN"), Raw("-Infinity"), Raw("1e999"), Raw("9" * 5000), DEEP, Raw('"\\ud800"'))
CONTAINERS = ([], [1], {}, {"a": 1})
WHOLE = ("", "abc", "12", True, 2.5, 10**30, *CONTAINERS, *NEVER)
NUMBER = ("", "abc", False, 10**300, *CONTAINERS, *NEVER)
COUNT = (None, 0, -1, 10**9, *WHOLE)
TEXT = (None, 0, 1.5, True, "absurd", *CONTAINERS, *NEVER)
FLAG = (None, "true", 0, 1, *CONTAINERS, *NEVER)


def with_value(path, key, value):
    """The file with another value at a dotted key, where there is one or not."""
    content = json.loads(path.read_text())
    *above, last = key.split("/")
    inner = content
    for name in above:
        inner = inner[int(name) if isinstance(inner, list) else name]
    inner[int(last) if isinstance(inner, list) else last] = "@"
    raw = value if isinstance(value, Raw) else json.dumps(value)
    return json.dumps(content).replace('"@"', raw)


def refused(path, key, values, read):
    """Assert that each value is refused in one line that names file and key."""
    whole, word = path.read_text(), key.split("/")[0]
    for value in values:
        path.write_text(with_value(path, key, value))
        with pytest.raises(ValueError, match=path.name) as caught:
            read(path.parent)
        message = str(caught.value)
        assert "\n" not in message
        assert len(message) < 400
        assert word in message or "not JSON" in message, (key, value, message)
        path.write_text(whole)
    read(path.parent)  # as it was, it is read


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A folder with every file that there is, and an adapter beside it."""
    root = tmp_path_factory.mktemp("saved")
    labels = {"problem_type": "single_label_classification", "id2label": {0: "bad", 1: "good"}}
    folder = tiny.save(root / "whole", BertForSequenceClassification, **labels)
    task = {"task": "classify", "max_length": 20, "threshold": 0.4, "truncation": None}
    (folder / "task.json").write_text(json.dumps(task))
    (folder / "training_config.json").write_text('{"batch_size": 8, "precision": "float32"}')
    model = add_adapter(BertForSequenceClassification.from_pretrained(folder), "../whole", 4)
    model.save_pretrained(root / "adapter")
    tiny.tokenizer().save_pretrained(root / "adapter")
    return root


CONFIG = {
    **dict.fromkeys(("vocab_size", "hidden_size", "intermediate_size", "type_vocab_size"), COUNT),
    **dict.fromkeys(("num_hidden_layers", "num_attention_heads"), COUNT),
    **dict.fromkeys(("max_position_embeddings",), COUNT),
    **dict.fromkeys(("hidden_dropout_prob", "layer_norm_eps"), (None, -1, 10**9, *NUMBER)),
    **dict.fromkeys(("attention_probs_dropout_prob",), (None, 1, 10**9, *NUMBER)),
    **dict.fromkeys(("initializer_range",), (None, 0, -1, 10**9, *NUMBER)),
    **dict.fromkeys(("hidden_act", "model_type"), TEXT),
    **dict.fromkeys(("problem_type",), TEXT[1:]),
    **dict.fromkeys(("position_embedding_type", "norm_position"), TEXT),
    "pad_token_id": (None, -1, 10**9, *WHOLE),
    "is_decoder": FLAG,
    "architectures": ("BertModel", 1, {}, [1], [None], [[]], [""], *NEVER),
    "id2label": (1, "a", [], ["a"], {"a": "b"}, {"0": 1}, {"0": None}, {"-1": "a"}, {"1": "a"},
                 {"0": "a", "00": "b"}, {str(2**80): "a"}, *NEVER),
    "num_labels": COUNT,
}  # fmt: skip


@pytest.mark.parametrize("key", CONFIG)
def test_every_key_of_a_configuration_is_checked(saved, key):
    def read(folder):
        read_config(folder, BertConfig)
        read_architecture(folder)

    refused(saved / "whole" / "config.json", key, CONFIG[key], read)


SETTINGS = {
    "model_max_length": (0, 3, -1, *NUMBER),
    "do_lower_case": FLAG,
    "strip_accents": FLAG[1:],
    "tokenize_chinese_chars": FLAG,
}
TOKEN = {"single_word": FLAG, "special": FLAG, "content": (None, 1, "", *CONTAINERS, *NEVER)}
TOKENIZER = {
    "version": TEXT,
    "added_tokens": (None, 1, "a", {}, [1], [{}], [None], *NEVER),
    "added_tokens/0/id": (None, -1, 10**9, *WHOLE),
    **{f"added_tokens/1/{key}": values for key, values in TOKEN.items()},
    **dict.fromkeys(("normalizer", "pre_tokenizer", "decoder"), (1, "a", [], {}, {"a": 1}, *NEVER)),
    "normalizer/lowercase": FLAG,
    "decoder/prefix": (None, 1, [], *NEVER),
    "post_processor": (1, "a", [], {}, {"a": 1}, *NEVER),
    "post_processor/single": (None, 1, "a", [], {}, [1], *NEVER),
    "post_processor/pair": ([{"SpecialToken": {"id": "[X]", "type_id": 0}}], []),
    "post_processor/single/0/SpecialToken/id": (None, 1, "", "abc", "[SEP]", *NEVER),
    "post_processor/single/0/SpecialToken/type_id": (None, 1, 10**9, "a", *NEVER),
    "post_processor/special_tokens/[CLS]/ids/0": (None, 0, 10**9, "a", *NEVER),
    "model": (None, 1, "a", [], {}, {"type": "WordPiece"}, *NEVER),
    "model/type": TEXT[1:],
    "model/unk_token": TEXT,
    "model/continuing_subword_prefix": (None, 1, True, *CONTAINERS, *NEVER),
    "model/max_input_chars_per_word": COUNT,
    "model/vocab": (None, 1, "a", [], {}, {"a": 0}, {"a": None}, *NEVER),
    "model/vocab/the": (None, -1, 0, 10**9, *WHOLE),
}


@pytest.mark.parametrize("key", TOKENIZER)
def test_every_key_of_a_tokenizer_is_checked(saved, key):
    refused(saved / "whole" / "tokenizer.json", key, TOKENIZER[key], read_folder)


@pytest.mark.parametrize("key", SETTINGS)
def test_every_key_of_a_tokenizers_settings_is_checked(saved, key):
    refused(saved / "whole" / "tokenizer_config.json", key, SETTINGS[key], read_folder)


TASK = {
    "task": TEXT,
    "max_length": COUNT[1:],
    "truncation": TEXT[1:],
    "stride": (-1, 10**9, *WHOLE),
    "threshold": (None, 0, 1, -1, *NUMBER),
    "null_threshold": NUMBER,
}


@pytest.mark.parametrize("key", TASK)
def test_every_key_of_a_task_is_checked(saved, key):
    values = TASK[key] if key != "task" else [v for v in TASK[key] if v != "absurd"]
    refused(saved / "whole" / "task.json", key, values, TaskSettings.read)


ADAPTER = {"base": (None, 0, "", "./" + 5000 * "a", *CONTAINERS, *NEVER), "rank": COUNT,
           "alpha": (None, *NUMBER)}  # fmt: skip


@pytest.mark.parametrize("key", ADAPTER)
def test_every_key_of_an_adapter_is_checked(saved, key):
    refused(saved / "adapter" / "adapter_config.json", key, ADAPTER[key], read_adapter_config)


@pytest.mark.parametrize(
    ("name", "key", "value"),
    [
        ("config.json", "num_hidden_layers", 10**9),
        ("config.json", "hidden_size", None),
        ("tokenizer.json", "model/vocab/the", 10**9),
        ("tokenizer_config.json", "do_lower_case", "yes"),
        ("task.json", "max_length", "long"),
        ("task.json", "max_length", 49),
        ("training_config.json", "batch_size", "many"),
        ("training_config.json", "batch_size", 0),
        ("training_config.json", "precision", "fp8"),
    ],
)
def test_the_command_line_tells_file_and_key_in_one_line(saved, capsys, name, key, value):
    path = saved / "whole" / name
    whole = path.read_text()
    path.write_text(with_value(path, key, value))
    assert main(["predict", str(saved / "whole"), "the film"]) == 2
    path.write_text(whole)
    printed = capsys.readouterr()
    assert printed.out == ""
    (line,) = printed.err.splitlines()
    assert line.startswith(f"minibert: {path}: {key.split('/')[0]}")


# Within their limits, but not what the tensors are: 128 layers of 65,536 would be 26 TB.
@pytest.mark.parametrize(
    "changes",
    [
        {"num_hidden_layers": 128, "hidden_size": 2**16, "intermediate_size": 2**18},
        {"vocab_size": 2**24, "hidden_size": 2**16},
        {"max_position_embeddings": 2**17, "hidden_size": 2**16},
        {"num_hidden_layers": 1},
    ],
)
def test_a_configuration_that_the_tensors_do_not_have_asks_for_no_memory(saved, changes):
    path = saved / "whole" / "config.json"
    whole = path.read_text()
    path.write_text(json.dumps({**json.loads(whole), **changes}))
    with pytest.raises(ValueError, match="whole: the checkpoint does not fit"):
        BertForSequenceClassification.from_pretrained(path.parent)
    path.write_text(whole)


def test_an_adapters_rank_is_compared_with_its_matrices(saved):
    path = saved / "adapter" / "adapter_config.json"
    whole = path.read_text()
    for rank in (3, 32, 33, 2**16):
        path.write_text(json.dumps({**json.loads(whole), "rank": rank}))
        with pytest.raises(ValueError, match=r"lora_a is \(4, 32\)|rank must be at"):
            BertForSequenceClassification.from_pretrained(path.parent)
    path.write_text(whole)


def test_an_adapter_without_its_base_says_which_file_names_it(saved):
    path = saved / "adapter" / "adapter_config.json"
    whole = path.read_text()
    for base in ("../nowhere/at/all", "./" + 300 * "a", "\0"):
        path.write_text(json.dumps({**json.loads(whole), "base": base}))
        with pytest.raises(FileNotFoundError, match=r"adapter_config\.json: .*base"):
            BertForSequenceClassification.from_pretrained(path.parent)
    path.write_text(whole)


def test_a_fresh_head_is_drawn_as_if_nothing_had_been_checked(tmp_path):
    tiny.save(tmp_path / "base")
    torch.manual_seed(3)
    model = BertForSequenceClassification.from_pretrained(tmp_path / "base", num_labels=5)
    after = torch.rand(1)
    torch.manual_seed(3)
    drawn = BertForSequenceClassification(model.config)
    assert torch.equal(model.classifier.weight, drawn.classifier.weight)
    assert torch.equal(after, torch.rand(1))


def test_a_template_that_frames_as_bert_does_is_read_whatever_its_form(saved, tmp_path):
    content = json.loads((saved / "whole" / "tokenizer.json").read_text())
    content["post_processor"] = {"type": "BertProcessing", "sep": ["[SEP]", 3], "cls": ["[CLS]", 2]}
    (tmp_path / "tokenizer.json").write_text(json.dumps(content))
    ids = [Tokenizer.from_pretrained(f)("the film") for f in (saved / "whole", tmp_path)]
    assert torch.equal(ids[0]["input_ids"], ids[1]["input_ids"])


# ---------------------------------------------------------------------- the checker itself


class Inner(TypedDict):
    name: str
    size: NotRequired[Annotated[int, Within(1, 5)]]


class Outer(TypedDict, total=False):
    inner: list[Inner]
    by_number: Mapping[int, Annotated[str, Within(1, 3)]] | None
    side: Literal["left", "right"]
    either: list[int] | str
    anything: Any


@dataclass
class Choosing:
    colour: str | None = field(default=None, metadata={"choices": ("red", "blue")})


@pytest.mark.parametrize(
    ("kind", "content", "told"),
    [
        (Outer, [], "the file must be an object, not a list"),
        (Outer, {"inner": [{"name": "a"}, {}]}, "inner[1] lacks 'name'"),
        (Outer, {"inner": [{"name": "a", "size": 6}]}, "inner[0].size must be at most 5, not 6"),
        (Outer, {"inner": [{"name": "a", "size": True}]}, "a whole number, not true"),
        (Outer, {"by_number": {"x": "a"}}, 'by_number has the key "x", which is no number'),
        (Outer, {"by_number": {"1": ""}}, "by_number.1 must have a length of at least 1, not 0"),
        (Outer, {"by_number": [1]}, "by_number must be an object or null, not a list"),
        (Outer, {"side": "up"}, 'side must be "left" or "right", not "up"'),
        (Outer, {"side": None}, 'side must be "left" or "right", not null'),
        (Outer, {"either": [1, "b"]}, 'either[1] must be a whole number, not "b"'),
        (Outer, {"either": 1}, "either must be a list or a text, not 1"),
        (Outer, {"inner": "x" * 100}, f'a list, not "{"x" * 36}...'),
        (Choosing, {"colour": "green"}, 'colour must be "red" or "blue" or null, not "green"'),
    ],
)
def test_what_is_wrong_is_told_in_words(tmp_path, kind, content, told):
    path = tmp_path / "a.json"
    path.write_text(json.dumps(content))
    with pytest.raises(ValueError, match=r"a\.json: ") as caught:
        read_typed(path, kind)
    assert told in str(caught.value)


def test_what_is_declared_is_returned_and_the_rest_left_alone(tmp_path):
    path = tmp_path / "a.json"
    content = {"inner": [{"name": "a", "size": 5}], "by_number": {"3": "a"}, "either": "x"}
    path.write_text(json.dumps({**content, "anything": [{}], "unknown": [None]}))
    assert read_typed(path, Outer) == {**content, "anything": [{}]}
    path.write_text("\ufeff" + json.dumps({"colour": "red"}), encoding="utf-8")
    assert read_typed(path, Choosing) == {"colour": "red"}


@pytest.mark.parametrize("content", [b"{\xff}", b"{", b"", b"\x00", b'{"a": 1, "a": 2}'])
def test_what_is_no_json_is_named(tmp_path, content):
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(ValueError, match=r"a\.json[,:] "):
        read_typed(tmp_path / "a.json", Outer)


def test_a_file_that_is_too_large_is_not_read(tmp_path):
    with (tmp_path / "a.json").open("wb") as file:
        file.truncate(2**28 + 1)  # a hole: takes no room
    with pytest.raises(ValueError, match="268,435,457 bytes, and at most 268,435,456"):
        read_typed(tmp_path / "a.json", Outer)


def test_every_setting_of_a_training_is_one_that_json_can_hold(tmp_path):
    path = tmp_path / "training_config.json"
    path.write_text(json.dumps({**vars(TrainingConfig("out")), "output_dir": "out"}))
    assert TrainingConfig(**read_typed(path, TrainingConfig)) == TrainingConfig("out")
