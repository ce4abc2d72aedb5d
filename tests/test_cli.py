"""The command line: what each command does, and one line for every mistake."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import tiny
from safetensors.torch import load_file, save_file

from minibert import (
    BertForCausalLM,
    BertForMaskedLM,
    BertForPreTraining,
    BertForQuestionAnswering,
    BertForSequenceClassification,
    BertForTokenClassification,
)
from minibert.cli.data import wanted_sources
from minibert.cli.main import main
from minibert.course.texts.corpora import CORPORA
from minibert.course.texts.datasets import DATASETS
from minibert.data.registry import SOURCES

FAST = ["--precision", "float32", "--device", "cpu", "--batch-size", "8"]


@pytest.fixture(scope="module")
def base(tmp_path_factory) -> Path:
    return tiny.save(tmp_path_factory.mktemp("base"))


@pytest.fixture(scope="module")
def fine_tuned(tmp_path_factory, base) -> Path:
    """A classifier of good and bad, made by the command itself."""
    folder = tmp_path_factory.mktemp("fine-tuned")
    train = tiny.reviews(folder / "train.jsonl", 64)
    out = folder / "out"
    command = ["finetune", "classify", "--base", str(base), "--train", str(train), "--dev"]
    rate = ["--epochs", "12", "--learning-rate", "3e-3", "--out", str(out)]
    assert main([*command, str(tiny.reviews(folder / "dev.jsonl", 20)), *rate, *FAST]) == 0
    return out


def snapshot(folder: Path) -> dict[str, bytes]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@pytest.fixture
def fails(capsys, tmp_path, monkeypatch):
    """Run a command that must fail: one line (and warnings), status 2, nothing written."""
    monkeypatch.delenv("MINIBERT_DEBUG", raising=False)

    def run(*arguments: object) -> str:
        capsys.readouterr()
        before = snapshot(tmp_path)
        status = main([str(argument) for argument in arguments])
        said = capsys.readouterr()
        assert status == 2
        assert said.out == ""
        lines = said.err.splitlines(keepends=True)
        (told,) = [line for line in lines if not line.startswith("minibert: warning: ")]
        assert told.startswith("minibert: ")
        assert told.endswith("\n")
        assert snapshot(tmp_path) == before
        return told.removeprefix("minibert: ").strip()

    return run


@pytest.fixture
def no_hub(monkeypatch):
    """As on a machine without the hub's packages: a name is ours or nobody's."""
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    monkeypatch.setitem(sys.modules, "datasets", None)


def classify(base, train, out, *more):
    return ("finetune", "classify", "--base", base, "--train", train, "--out", out, *FAST, *more)


# ---------------------------------------------------------------------- the list


def test_a_wrong_path(fails, base, fine_tuned, tmp_path):
    missing, out = tmp_path / "missing.jsonl", tmp_path / "out"
    assert fails(*classify(base, missing, out)) == f"{missing}: no such file"
    assert "there is no folder" in fails(*classify(tmp_path / "base", missing, out))
    assert fails("evaluate", fine_tuned, missing) == f"{missing}: no such file"
    assert fails("predict", fine_tuned, "--file", missing) == f"{missing}: no such file"
    told = fails("pretrain", "--corpus", tmp_path / "no.txt", "--out", out)
    assert "is neither a text file nor a corpus" in told
    for command in (["info"], ["fill-mask", "[MASK]", "--model"], ["generate", "x", "--model"]):
        assert "there is no folder" in fails(*command, tmp_path / "model")


def test_an_unknown_name(fails, base, fine_tuned, tmp_path, no_hub):
    train, out = tiny.reviews(tmp_path / "train.jsonl", 8), tmp_path / "out"
    told = fails(*classify("minilmm", train, out))
    assert told.startswith("minilmm is no local folder and no known model (known: ")
    assert "minilm" in told.split("known: ")[1]
    assert "movies" in fails(*classify(base, "moovies", out))
    assert "movies" in fails("evaluate", fine_tuned, "moovies")
    assert "known are all, minilm" in fails("data", "get", "minilm", "minilmm")
    assert "choose from tiny, mini" in fails(
        "pretrain", "--corpus", "boolq", "--preset", "huge", "--out", out
    )
    told = fails(*classify(base, train, out, "--text-column", "review"))
    assert told == (
        f"{train}, line 1: no column 'review' (there are: text, label): "
        "say which one is meant with --text-column"
    )
    assert "choose from" in fails(*classify(base, train, out, "--schedule", "square"))


@pytest.mark.parametrize(
    ("name", "content", "line"),
    [
        ("a.jsonl", '{"text": "fine", "label": "good"}\n{"text": "du\n', 2),
        ("a.tsv", "text\tlabel\nfine\tgood\ndull\n", 3),
        ("a.csv", "text,label\nfine,good\n,bad\n", 3),
        ("a.jsonl", '{"text": "fine", "label": "good"}\n\n{"text": "dull"}\n', 3),
    ],
)
def test_a_file_of_the_wrong_form_names_file_and_line(
    fails, base, fine_tuned, tmp_path, name, content, line
):
    path = tmp_path / name
    path.write_text(content)
    assert fails(*classify(base, path, tmp_path / "out")).startswith(f"{path}, line {line}: ")
    assert fails("evaluate", fine_tuned, path).startswith(f"{path}, line {line}: ")


def test_tagged_words_and_questions_of_the_wrong_form(fails, base, tmp_path):
    tagged, asked = tmp_path / "a.conll", tmp_path / "a.json"
    tagged.write_text("anna B-PER\nlives\n")
    asked.write_text('{"data": [{"paragraphs": [{"context": "anna", "qas": [{"id": "7"}]}]}]}')
    start, end = ("--base", base, "--train"), ("--out", tmp_path / "out")
    assert fails("finetune", "tag", *start, tagged, *end).startswith(f"{tagged}, line 2: expected")
    told = fails("finetune", "answer", *start, asked, *end)
    assert told.startswith(f"{asked}, data[0].paragraphs[0].qas[0]: expected 'question'")
    for task in ("classify", "answer"):
        tiny.tagged(tagged, 4)  # without a row twice, of which there would be a warning
        assert "these examples are for 'tag'" in fails("finetune", task, *start, tagged, *end)


def test_a_label_not_seen_in_training(fails, base, fine_tuned, tmp_path):
    train, dev = tiny.reviews(tmp_path / "train.jsonl", 8), tmp_path / "dev.jsonl"
    dev.write_text('{"text": "fine", "label": "good"}\n{"text": "dull", "label": "so-so"}\n')
    told = fails(*classify(base, train, tmp_path / "out", "--dev", dev))
    assert "text 2 of 2 ('dull'): the label 'so-so' was not seen in training" in told
    assert "bad, good" in told
    told = fails("evaluate", fine_tuned, dev)
    assert told.startswith(f"{dev}: text 2 of 2 ('dull'): the label 'so-so' was not seen")


def test_a_text_longer_than_the_positions(fails, base, fine_tuned, tmp_path):
    train, long = tmp_path / "train.jsonl", "the film was great " * 20
    rows = [{"text": long, "label": "good"}, {"text": "dull", "label": "bad"}]
    train.write_text("".join(json.dumps(row) + "\n" for row in rows))
    told = fails("predict", fine_tuned, long)
    assert "82 tokens, but" in told
    assert "reads at most 48: pass --truncation" in told
    assert "--stride 12" in told
    told = fails(*classify(base, train, tmp_path / "out", "--max-length", "64"))
    assert "--max-length 64, but" in told
    assert "reads at most 48: pass 48 or less" in told


def test_an_empty_text(fails, fine_tuned, base, tmp_path, monkeypatch):
    assert fails("predict", fine_tuned, " ") == "the text is empty: give at least one word"
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"\n \n")))
    assert fails("predict", fine_tuned).startswith("no text: give a TEXT, --file, or lines")
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": " ", "label": "good"}\n')
    assert fails(*classify(base, path, tmp_path / "out")).startswith(f"{path}, line 1: empty text")
    path.write_text("")
    assert fails("evaluate", fine_tuned, path) == f"{path} is empty"


def changed_config(folder: Path, **changes) -> Path:
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
    return folder


def test_a_hidden_size_that_the_heads_do_not_divide(fails, tmp_path):
    train = tiny.reviews(tmp_path / "train.jsonl", 8)
    odd = changed_config(tiny.save(tmp_path / "odd"), num_attention_heads=5)
    told = "hidden_size 32 cannot be divided among 5 heads: choose a multiple of 5"
    told = f"{odd / 'config.json'}: {told}"
    assert fails(*classify(odd, train, tmp_path / "out")) == told
    assert fails("info", odd) == told


def test_a_checkpoint_that_does_not_fit_names_the_keys(fails, tmp_path):
    train = tiny.reviews(tmp_path / "train.jsonl", 8)
    larger = changed_config(tiny.save(tmp_path / "larger"), num_hidden_layers=3)
    told = fails(*classify(larger, train, tmp_path / "out"))
    assert told.startswith(f"{larger}: the checkpoint does not fit this model: missing: ")
    assert "bert.encoder.layers.2.attention.output.weight" in told
    wider = changed_config(tiny.save(tmp_path / "wider"), intermediate_size=96)
    assert "feed_forward.up.weight is (64, 32), not (96, 32)" in fails(
        *classify(wider, train, tmp_path / "out")
    )
    cut = tiny.save(tmp_path / "cut", BertForSequenceClassification)
    weights = load_file(cut / "model.safetensors")
    del weights["classifier.bias"]
    save_file(weights, cut / "model.safetensors")
    assert "missing: classifier.bias" in fails("predict", cut, "fine")
    (cut / "model.safetensors").write_bytes(b"not at all")
    assert "is damaged or not a safetensors file" in fails("predict", cut, "fine")


@pytest.mark.slow
def test_a_download_whose_hash_differs(fails, tmp_path, monkeypatch):
    cache = tmp_path / "cache"
    monkeypatch.setenv("MINIBERT_HOME", str(cache))
    index = tmp_path / "index"
    index.mkdir()
    source = SOURCES["bbc"]
    (index / source.archive).write_bytes(b"PK\x05\x06" + bytes(18))  # an empty archive
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(index))
    with monkeypatch.context() as quiet:
        quiet.setattr("tqdm.std.tqdm.__init__", _silent(quiet))
        told = fails("data", "get", "bbc")
    assert f"expected {source.sha256}" in told or "not in the cache" not in told
    assert "nothing was opened or kept" in told


def _silent(_patch):
    from tqdm.std import tqdm

    original = tqdm.__init__

    def start(self, *arguments, **options):
        original(self, *arguments, **{**options, "disable": True})

    return start


def test_no_network_and_no_cache(fails, base, tmp_path, monkeypatch):
    monkeypatch.setenv("MINIBERT_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", "0")
    (tmp_path / "cache" / "sources").mkdir(parents=True)
    with monkeypatch.context() as quiet:
        quiet.setattr("tqdm.std.tqdm.__init__", _silent(quiet))
        quiet.setattr(
            "minibert.data.download._run", lambda *_, **__: (1, "ERROR: Connection refused")
        )
        for command in (["data", "get", "bbc"], classify(base, "bbc", tmp_path / "out")):
            told = fails(*command)
            assert told.startswith("bbc is not in the cache")
            assert told.endswith("run `minibert data get bbc` when on-line")


def test_an_output_folder_that_is_not_empty(fails, base, fine_tuned, tmp_path):
    train, out = tiny.reviews(tmp_path / "train.jsonl", 8), tmp_path / "out"
    out.mkdir()
    (out / "notes.txt").write_text("mine")
    told = f"{out} is not empty: choose another folder"
    assert fails(*classify(base, train, out)) == told
    assert fails("export", fine_tuned, "--out", out) == told
    assert fails("pretrain", "--corpus", train, "--out", out) == told
    assert fails("evaluate", fine_tuned, train, "--plots", out) == told
    file = out / "notes.txt"
    assert fails(*classify(base, train, file)).startswith(f"{file} is a file")


# ---------------------------------------------------------------------- other mistakes


def test_the_parser_complains_in_one_line_too(fails, base):
    told = fails("finetune", "classify", "--base", base)
    assert told.startswith("the following arguments are required: --train, --out")
    assert told.endswith("(see minibert finetune --help)")
    assert "invalid choice: 'dance'" in fails("dance")
    assert "invalid int value: 'many'" in fails("pretrain", "--epochs", "many")
    assert "required: COMMAND" in fails()


def test_values_out_of_range(fails, base, fine_tuned, tmp_path):
    train, out = tiny.reviews(tmp_path / "train.jsonl", 8), tmp_path / "out"
    for option, value, told in (
        ("--epochs", 0, "--epochs must be at least 1"),
        ("--learning-rate", 0, "--learning-rate must be above 0"),
        ("--warmup", 2, "--warmup must be between 0 and 1"),
        ("--adapter", 0, "--adapter must be at least 1"),
        ("--threshold", 1, "--threshold must be between 0 and 1"),
        ("--class-weights", "great=2", "name=factor,... with names among bad, good"),
        ("--class-weights", "good=heavy", "'heavy' is not a number"),
        ("--stride", 60, "too few to share --stride 60"),
    ):
        assert told in fails(*classify(base, train, out, option, value)), option
    one = tmp_path / "one.jsonl"
    one.write_text('{"text": "fine", "label": "good"}\n' * 2)
    assert "every training example has the label 'good'" in fails(
        *classify(base, one, out, "--dev", one)
    )


def test_what_a_command_would_not_heed_is_refused(fails, base, fine_tuned, tmp_path):
    asks = tiny.save(tmp_path / "asks", BertForQuestionAnswering)
    tags = tiny.save(tmp_path / "tags", BertForTokenClassification, num_labels=2)
    context = tmp_path / "context.txt"
    context.write_text("anna lives in rome")
    for words, told in (
        ((fine_tuned, "fine", "--context", "x"), "--context is no text that"),
        ((fine_tuned, "fine", "--context-file", context), "--context-file is no text that"),
        ((tags, "fine", "--pair", "x"), "its second text: none): leave it out"),
        ((asks, "who", "--pair", "x"), "its second text: --context or --context-file"),
        ((asks, "who", "--context", "x", "--context-file", context), "give one of them"),
        ((asks, "who", "--context", "x", "--max-length", 0), "--max-length must be at least 1"),
        ((fine_tuned, "fine", "--max-length", 0), "--max-length must be at least 1"),
        ((fine_tuned, "fine", "--text-column", "a"), "--text-column does not say anything about"),
        ((asks, "--file", tiny.squad(tmp_path / "a.json", 2), "--columns", "a"), "--columns does"),
    ):
        assert told in fails("predict", *words)
    rows, squad = tiny.reviews(tmp_path / "a.jsonl", 8), tmp_path / "a.json"
    for words in (
        ("evaluate", fine_tuned, "movies", "--label-column", "a"),
        ("finetune", "tag", "--base", base, "--out", "x", "--train", squad, "--problem", "multi"),
    ):
        assert " does not say anything about " in fails(*words)
    twice = ("--text-column", "text", "--label-column", "text")
    assert "three different columns are needed" in fails("evaluate", fine_tuned, rows, *twice)


def test_what_this_machine_or_this_budget_cannot_hold(fails, base, tmp_path, monkeypatch):
    train, out = tiny.reviews(tmp_path / "train.jsonl", 8), tmp_path / "out"
    monkeypatch.setenv("CXX", "no-such-compiler")
    for words, told in (
        (
            ("--precision", "fp16"),
            "--precision fp16 needs a GPU: use --precision bf16 or 'float32'",
        ),
        (("--device", "cuda"), "no CUDA device here: use --device cpu"),
        (("--compile",), "--compile needs a C++ compiler"),
        (("--batch-tokens", "8"), "a text of 12 tokens, but --batch-tokens 8: give at least"),
    ):
        assert told in fails(*classify(base, train, out, *words)), words


def test_a_model_of_the_wrong_kind(fails, base, fine_tuned, tmp_path):
    assert "not fine-tuned for a task" in fails("predict", base, "fine")
    assert "not fine-tuned for a task" in fails("evaluate", base, "movies")
    told = fails("fill-mask", "--model", base, "the [MASK]")
    assert "is a BertModel, but this needs a BertForMaskedLM" in told
    assert "needs a BertLMHeadModel" in fails("generate", "--model", fine_tuned, "the")
    foreign = changed_config(tiny.save(tmp_path / "t5"), model_type="t5")
    assert "this is a t5 model, not a BERT" in fails("info", foreign)
    foreign = changed_config(tiny.save(tmp_path / "mc"), architectures=["BertForMultipleChoice"])
    for words in ((), ("--onnx",)):
        told = fails("export", foreign, "--out", tmp_path / "x", *words)
        assert "is a BertForMultipleChoice: known are" in told


def test_an_unexpected_error_shows_its_traceback_where_asked(monkeypatch, base):
    monkeypatch.setenv("MINIBERT_DEBUG", "1")
    with pytest.raises(FileNotFoundError):
        main(["predict", str(base / "nothing"), "fine"])


# ---------------------------------------------------------------------- the real entry point


def program(*arguments: object, text: str | None = None, **environment: str):
    return subprocess.run(
        [sys.executable, "-m", "minibert.cli", *map(str, arguments)],
        input=text,
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        timeout=300,
    )


@pytest.mark.slow
def test_the_program_ends_with_status_2_and_no_traceback(fine_tuned, tmp_path):
    done = program("predict", fine_tuned, "--file", tmp_path / "none.txt")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"minibert: {tmp_path / 'none.txt'}: no such file\n"
    assert program("dance").returncode == 2


def test_help_opens_nothing_heavy():
    code = (
        "import sys; from minibert.cli import main\n"
        "try: main(['--help'])\n"
        "except SystemExit as end: assert not end.code\n"
        "heavy = {'torch', 'numpy', 'tokenizers', 'matplotlib'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for command in (
        "data",
        "pretrain",
        "finetune",
        "evaluate",
        "predict",
        "embed",
        "search",
        "export",
    ):
        assert command in done.stdout


@pytest.mark.slow
def test_standard_input_is_read_and_a_closed_output_is_no_error(fine_tuned):
    done = program("predict", fine_tuned, text="the film was great\n\nthe film was awful\n")
    assert [line.split("\t")[:2] for line in done.stdout.splitlines()] == [
        ["the film was great", "good"],
        ["", ""],
        ["the film was awful", "bad"],
    ]
    # A reader that is gone before anything is written.
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "minibert.cli", "data", "list"]
    done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, text=True)
    os.close(writer)
    assert done.stderr == ""


# ---------------------------------------------------------------------- what commands do


def test_every_name_of_a_data_set_or_corpus_can_be_fetched(capsys):
    for name in (*DATASETS, *CORPORA):
        wanted = wanted_sources([name])
        assert wanted == [] if name == "requests" else wanted[0] in SOURCES
    assert wanted_sources(["movies", "tweets", "vader"]) == ["vader"]
    assert wanted_sources(["all"]) == list(SOURCES)
    assert main(["data", "get", "requests"]) == 0
    assert capsys.readouterr().out == "requests: comes with minibert\n"
    assert main(["data", "list"]) == 0
    listed = capsys.readouterr().out
    assert all(f"  {name} " in listed for name in (*SOURCES, *DATASETS, *CORPORA))


def test_data_get_fetches_each_source_once(monkeypatch, capsys):
    fetched = []
    monkeypatch.setattr(
        "minibert.data.download.fetch", lambda name: fetched.append(name) or Path(name)
    )
    assert main(["data", "get", "movies", "bbc", "tweets"]) == 0
    assert fetched == ["vader", "bbc"]


def test_predict_prints_labels_and_json(fine_tuned, tmp_path, capsys):
    assert main(["predict", str(fine_tuned), "the film was lovely"]) == 0
    assert capsys.readouterr().out.startswith("good\tgood ")
    table = tmp_path / "new.tsv"
    table.write_text("text\nthe film was dull\nthe film was great\n")
    assert main(["predict", str(fine_tuned), "--file", str(table), "--json"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["label"] for row in rows] == ["bad", "good"]
    assert rows[0]["text"] == "the film was dull"
    assert sum(rows[0]["probabilities"].values()) == pytest.approx(1)


@pytest.mark.slow
def test_evaluate_prints_figures_confusion_and_calibration_and_draws_them(
    fine_tuned, tmp_path, capsys
):
    test = tiny.reviews(tmp_path / "test.jsonl", 12)
    plots = tmp_path / "plots"
    assert main(["evaluate", str(fine_tuned), str(test), "--plots", str(plots)]) == 0
    said = capsys.readouterr().out
    assert "accuracy           1.0000" in said
    assert "Confusion matrix" in said
    assert "Calibration" in said
    for name in ("confusion.png", "calibration.png"):
        assert (plots / name).read_bytes().startswith(b"\x89PNG")
    assert main(["evaluate", str(fine_tuned), str(test), "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    assert content["confusion"] == [[6, 0], [0, 6]]
    assert sum(content["calibration"]["counts"]) == 12


@pytest.mark.parametrize(
    ("kind", "figures"),
    [
        (BertForPreTraining, {"masked_accuracy", "nsp_accuracy"}),
        (BertForMaskedLM, {"masked_accuracy", "mlm_loss"}),
        (BertForCausalLM, {"next_token_accuracy"}),
    ],
)
def test_evaluate_measures_a_pretrained_model_on_a_text(
    tmp_path, monkeypatch, capsys, kind, figures
):
    monkeypatch.setenv("MINIBERT_HOME", str(tmp_path / "cache"))
    causal = {"is_causal": True} if kind is BertForCausalLM else {}
    model = tiny.save(tmp_path / "model", kind, **causal)
    text = tmp_path / "text.txt"
    documents = [
        f"the film {i} was great .\nanna saw it .\nbob lives in rome .\n" for i in range(9)
    ]
    text.write_text("\n".join(documents))
    assert main(["evaluate", str(model), str(text), "--max-length", "24", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert figures <= set(said)
    assert all(0 <= said[name] <= 1 for name in figures if name.endswith("accuracy"))


def test_fill_mask_prints_the_likeliest_words_of_every_mask(tmp_path, capsys):
    model = tiny.save(tmp_path / "mlm", BertForPreTraining)
    text = "the [MASK] was [MASK] ."
    assert main(["fill-mask", "--model", str(model), text, "--top", "2"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if "MASK" in line] == ["[MASK] 1", "[MASK] 2"]
    assert len(lines) == 6
    assert main(["fill-mask", "--model", str(model), text, "--json"]) == 0
    masks = json.loads(capsys.readouterr().out)
    assert [len(mask) for mask in masks] == [5, 5]
    assert masks[0][0]["probability"] >= masks[0][1]["probability"]


def test_generate_goes_on_with_the_text_the_same_for_the_same_seed(tmp_path, capsys):
    model = tiny.save(tmp_path / "causal", BertForCausalLM, is_causal=True)
    said = []
    for seed in ("1", "1", "2"):
        command = ["generate", "--model", str(model), "the film was", "--max-new-tokens", "12"]
        assert main([*command, "--temperature", "1.5", "--seed", seed]) == 0
        said.append(capsys.readouterr().out)
    assert all(text.startswith("the film was") for text in said)
    assert said[0] == said[1] != said[2]


def test_info_shows_shape_parameters_labels_and_card(fine_tuned, tmp_path, capsys):
    model = tiny.save(tmp_path / "model", BertForSequenceClassification)
    (model / "CARD.md").write_text("# my card\n")
    assert main(["info", str(model)]) == 0
    said = capsys.readouterr().out
    weights = load_file(model / "model.safetensors")
    assert f"{sum(tensor.numel() for tensor in weights.values()):,}" in said
    assert "hidden_size" in said
    assert "# my card" in said
    assert main(["info", str(fine_tuned)]) == 0
    assert "labels: bad, good" in capsys.readouterr().out


def test_export_keeps_what_the_model_says(fine_tuned, tmp_path, capsys):
    out = tmp_path / "half"
    assert main(["export", str(fine_tuned), "--out", str(out)]) == 0
    assert load_file(out / "model.safetensors")["classifier.weight"].dtype.itemsize == 2
    capsys.readouterr()
    said = []
    for model in (fine_tuned, out):
        assert main(["predict", str(model), "the film was dull", "--json"]) == 0
        said.append(json.loads(capsys.readouterr().out))
    assert said[0]["label"] == said[1]["label"] == "bad"
    assert said[0]["probabilities"] == pytest.approx(said[1]["probabilities"], abs=1e-3)
