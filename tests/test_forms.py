"""Files as people have them: what is read, what is told, and that nothing else ever happens."""

import json
import warnings
from collections import Counter

import pytest
import tiny
from hypothesis import given, settings
from hypothesis import strategies as st
from seqeval.metrics import f1_score
from seqeval.metrics.sequence_labeling import get_entities

from minibert.data.conll import read_conll
from minibert.data.datasets import options_for, read_file, read_splits, refuse_unread
from minibert.data.examples import TaggedExample
from minibert.data.plain_text import read_documents
from minibert.data.squad import read_squad
from minibert.data.tables import read_examples
from minibert.data.tags import entity_tags, odd_tags
from minibert.finetuning.evaluate import report
from minibert.finetuning.metrics import entity_spans
from minibert.finetuning.recipe import best_metric
from minibert.finetuning.tagging import TaggingDataset, TagPrediction

pytestmark = pytest.mark.filterwarnings("ignore:.*are read as numbers")


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Write a file in the working folder, so that messages have its bare name."""
    monkeypatch.chdir(tmp_path)

    def to(name: str, content: str | bytes):
        data = content if isinstance(content, bytes) else content.encode("utf-8")
        (tmp_path / name).write_bytes(data)
        return name

    return to


def labels(path, **options):
    return [example.label for example in read_examples(path, **options)]


def csv_of(*cells: str, delimiter: str = ",") -> str:
    return "".join(f"t{delimiter}{cell}\n" for cell in ("label", *cells)).replace("t", "text", 1)


# ---------------------------------------------------------------- labels, told by the whole column


@pytest.mark.parametrize(
    ("cells", "problem", "read"),
    [
        (["3.5", "2.25", "4"], None, [3.5, 2.25, 4.0]),
        (["1", "1.0", "0", "-0.0"], None, ["1", "1", "0", "0"]),
        (["1", "1.0", "0"], "regression", [1.0, 1.0, 0.0]),
        (["3.5", "2.25", "2.0"], "single_label_classification", ["3.5", "2.25", "2"]),
        (["007", "07", "7"], None, ["007", "07", "7"]),
        (["1.1", "1.1.2", "2.0.3"], None, ["1.1", "1.1.2", "2.0.3"]),
        (["x|y", "", "1.0|x|"], "multi_label_classification", [["x", "y"], [], ["1", "x"]]),
        (["1e-3", ".5", "+2"], None, [0.001, 0.5, 2.0]),
        (["1", "nan", "0"], None, ["1", "nan", "0"]),
    ],
)
def test_labels_of_a_table_are_told_by_the_whole_column(write, cells, problem, read):
    path = write("r.csv", csv_of(*cells))
    with warnings.catch_warnings(record=True, action="always") as warned:
        assert labels(path, problem_type=problem) == read
    # That numbers are no classes is said where nobody did.
    assert len(warned) == (problem is None and isinstance(read[0], float))


@pytest.mark.parametrize(
    ("values", "problem", "read"),
    [
        ([1.0, 0.0], "single_label_classification", ["1", "0"]),
        ([1.0, 0.0], None, [1.0, 0.0]),
        ([1, 0], None, ["1", "0"]),
        (["3.5", "2"], None, [3.5, 2.0]),
        ([0.5, 1], "single_label_classification", ["0.5", "1"]),
        ([["a", 1.0, True], [], ""], None, [["a", "1", "true"], [], []]),
    ],
)
def test_labels_in_json_likewise(write, values, problem, read):
    rows = "".join(json.dumps({"text": "t", "label": value}) + "\n" for value in values)
    assert labels(write("r.jsonl", rows), problem_type=problem) == read


def test_decimal_commas_are_read_where_semicolons_separate(write):
    assert labels(write("r.csv", csv_of("3,5", "2,25", "4", delimiter=";"))) == [3.5, 2.25, 4.0]


@pytest.mark.parametrize(
    ("cells", "problem", "told"),
    [
        (
            ["3.5", "2.5", "good"],
            None,
            "r.csv, line 4: the label 'good' is a name, but other lines have numbers "
            "(correct it, or say with problem_type=... what they are)",
        ),
        (["3.5", "nan"], None, "r.csv, line 3: the label 'nan' is no number to train on"),
        (["3.5", "-inf"], "regression", "r.csv, line 3: the label '-inf' is no number"),
        (["3.5", "1e99"], "regression", "r.csv, line 3: the label '1e99' is no number"),
        (["a", " "], None, "r.csv, line 3: no label (column 'label' is empty)"),
    ],
)
def test_a_label_that_does_not_fit_its_column_is_told(write, cells, problem, told):
    with pytest.raises(ValueError, match="label") as caught:
        labels(write("r.csv", csv_of(*cells)), problem_type=problem)
    assert str(caught.value).startswith(told)


def test_held_out_labels_are_read_as_those_for_training(write):
    train = write("train.csv", csv_of("3.5", "2.25"))
    dev = write("dev.csv", csv_of("3", "2"))
    assert [e.label for e in read_splits(train, dev).dev] == [3.0, 2.0]
    train = write("train.jsonl", '{"text": "a", "label": ["x"]}\n')
    assert [e.label for e in read_splits(train, write("dev.csv", csv_of("x|y", ""))).dev] == [
        ["x", "y"],
        [],
    ]


# ---------------------------------------------------------------- how a text file is written


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("columns", [None, ["label", "text"]])
def test_the_delimiter_is_told_by_the_first_lines(write, delimiter, columns):
    rows = [["label", "text"], ["x", '"one; two, three"'], ["y", "four"]]
    path = write("r.csv", "".join(f"{delimiter.join(row)}\n" for row in rows[bool(columns) :]))
    read = read_examples(path, columns=columns)
    assert [(e.text, e.label) for e in read] == [("one; two, three", "x"), ("four", "y")]


def test_a_message_names_the_delimiter_that_was_told(write):
    for name, content, told in (
        ("r.csv", "text;label\na;b\nc\n", "line 3: no label (expected 2 columns separated by a s"),
        ("r.csv", "review;stars\na;b\n", r"line 1: no column 'text' \(there are: review, stars\)"),
        ("r.tsv", "text,label\na\n", "line 2: no label (expected 2 columns separated by a comma"),
    ):
        with pytest.raises(ValueError, match=told.replace("l (e", r"l \(e")):
            read_examples(write(name, content))


ROWS = "text,label\ngood film é,a\nbad,b\n"


@pytest.mark.parametrize(
    "content",
    [
        ROWS.replace("\n", "\r").encode(),
        ROWS.replace("\n", "\r\n").encode(),
        ROWS.encode("utf-8-sig"),
        ROWS.encode("utf-16"),
        b"\xfe\xff" + ROWS.encode("utf-16-be"),
        ROWS.replace("\n", "\r").encode("utf-16"),
    ],
)
def test_line_ends_and_byte_order_marks_make_no_difference(write, content):
    expected = [("good film é", "a"), ("bad", "b")]
    assert [(e.text, e.label) for e in read_examples(write("r.csv", content))] == expected


def test_line_breaks_inside_a_cell_of_an_old_macintosh_file(write):
    assert read_examples(write("r.csv", 'text,label\r"a\nb",x\r'))[0].text == "a\nb"


def test_a_cell_may_be_longer_than_the_csv_module_allows_by_itself(write):
    long = "word " * 40_000 + "end"
    assert read_examples(write("r.csv", f"text,label\n{long},x\n"))[0].text == long


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (
            b"text,label\rcaf\xe9,x\r",
            "r.csv, line 2: not UTF-8 (byte 0xe9 at place 4): save the file as UTF-8",
        ),
        (ROWS.encode("utf-16-le"), "r.csv, line 1: a zero byte (UTF-16 without a byte order mark"),
        (ROWS.encode("utf-16")[:-1], "r.csv begins as UTF-16 but goes on as something else (byte"),
        (b"PK\x03\x04\x14", "r.csv is a zip archive or an Excel workbook, not a text file"),
        (
            'text,label\n"He said "no" twice",x\n',
            "r.csv, line 2: a quoted cell goes on behind its closing quote (a quote inside",
        ),
        (
            'text,label\n"open,x\n"next",y\n',
            "r.csv, line 2: a quoted cell goes on behind its closing quote in line 3",
        ),
        ("text,label,text\na,b,c\n", "r.csv, line 1: two columns are called 'text': rename one"),
    ],
)
def test_the_real_reason_is_told(write, content, told):
    with pytest.raises(ValueError, match=r"r\.csv") as caught:
        read_examples(write("r.csv", content))
    assert str(caught.value).startswith(told)


def test_other_columns_may_have_one_name(write):
    assert labels(write("r.csv", ",text,label,\n0,a,x,\n")) == ["x"]


@pytest.mark.parametrize(
    ("row", "told"),
    [
        (r'{"text": "a \ud83d", "label": "x"}', "'text' holds half a character (U+D83D)"),
        (r'{"text": "a", "label": "\udc00"}', "the label holds half a character (U+DC00)"),
        ('{"text": "a", "text": "b", "label": "x"}', "'text' stands twice in one JSON object"),
        ('{"text": "a", "label": NaN}', "not JSON (NaN is no finite number at place 24)"),
    ],
)
def test_a_mistake_in_jsonl_is_told_with_its_line(write, row, told):
    path = write("r.jsonl", '{"text": "\\ud83d\\ude00", "label": "x"}\n' + row)
    with pytest.raises(ValueError, match="line 2") as caught:
        read_examples(path)
    assert str(caught.value).startswith(f"r.jsonl, line 2: {told}")


# ---------------------------------------------------------------- tags in columns

CONLLU = (
    "# sent_id = 1\n# text = Vámonos al mar\n1-2\tVámonos\t_\t_\t_\t_\t_\t_\t_\t_\n"
    "1\tVamos\tir\tVERB\t_\t_\t0\troot\t_\t_\n2\tnos\tnosotros\tPRON\t_\t_\t1\tobj\t_\t_\n"
    "2.1\tx\t_\t_\t_\t_\t_\t_\t_\t_\n3\t#\t#\tSYM\t_\t_\t1\tobl\t_\t_\n\n"
)


def test_conllu_is_read_by_its_words_and_parts_of_speech(write):
    expected = TaggedExample(["Vamos", "nos", "#"], ["VERB", "PRON", "SYM"])
    assert read_file(write("x.conllu", CONLLU)) == [expected]
    by_name = read_conll("x.conllu", columns=["id", "word", "_", "_", "_", "_", "_", "tag"])
    assert by_name[0].tags == ["root", "obj", "obl"]


@pytest.mark.parametrize("name", ["x.txt", "x.conll"])
def test_comments_are_left_out_and_a_word_may_be_a_hash(write, name):
    content = (
        "# id 5 train\n#2 NN B-CARD\n# NN I-CARD\n# text = a\nRome NNP B-LOC\n\n#\n# another\n"
    )
    expected = TaggedExample(["#2", "#", "Rome"], ["B-CARD", "I-CARD", "B-LOC"])
    assert read_file(write(name, content)) == [expected]


def test_a_tabbed_file_may_have_comments_of_as_many_words(write):
    assert read_conll(write("x.conll", "# Rome\n#b\tO\na\tO\n"))[0].words == ["#b", "a"]


def test_columns_say_where_word_and_tag_stand(write):
    path = write("x.conll", "# id 5\n1 Rome NNP B-LOC\n2 fell VBD O\n")
    assert options_for(path, {"columns": ["_", "word"], "text_column": "x"}) == {
        "columns": ["_", "word"]
    }
    expected = [TaggedExample(["Rome", "fell"], ["NNP", "VBD"])]
    assert read_conll(path, columns=["_", "word", "tag"]) == expected
    for columns, told in (
        (["word", "pos"], "columns=word,pos: one of them must be called 'tag'"),
        (["tag", *"abcd", "word"], "x.conll, line 2: 4 columns, but column 5"),
    ):
        with pytest.raises(ValueError, match=told):
            read_conll(path, columns=columns)


def test_words_without_tags_are_read_where_none_are_needed(write):
    read = read_conll(write("x.conll", "Rome\nfell\n"), labelled=False)
    assert read == [TaggedExample(["Rome", "fell"], ["O", "O"])]


def test_an_option_that_nothing_heeds_is_refused(write):
    write("x.conll", "a O\n")
    with pytest.raises(
        ValueError, match=r"text_column=\.\.\. does not say anything about x\.conll"
    ):
        read_splits("x.conll", text_column="word")
    refuse_unread({"text_column": "word"}, "x.conll", "r.csv")


# ---------------------------------------------------------------- schemes of tags


@pytest.mark.parametrize(
    "spell",
    [
        lambda place, kind: f"{place}-{kind}",
        lambda place, kind: f"{place.lower()}-{kind}",
        lambda place, kind: f"{place}_{kind}",
        lambda place, kind: f"{kind}-{place}",
        lambda place, kind: f"{kind}_{place.lower()}",
    ],
)
def test_tags_are_read_however_they_are_spelled(spell):
    tags = {spell(place, kind): f"{place}-{kind}" for place in "BIES" for kind in ("loc", "a-b_c")}
    assert entity_tags([*tags, "O"]) == {**tags, "O": "O"}


def test_other_letters_and_no_types_are_read_too():
    assert entity_tags(["B-X", "I-X", "L-X", "U-X", "O"]) == {
        "B-X": "B-X",
        "I-X": "I-X",
        "L-X": "E-X",
        "U-X": "S-X",
        "O": "O",
    }
    assert entity_tags("BMES") == {"B": "B-_", "M": "I-_", "E": "E-_", "S": "S-_"}
    for others in (["NN", "VB", "O"], ["O"], [], ["O", "B-X", "NN"], ["S"], ["B", "O"]):
        assert entity_tags(others) is None


@settings(max_examples=60)
@given(
    st.sampled_from(["BIO", "BIES"]),
    st.lists(st.tuples(st.sampled_from("BIESO"), st.sampled_from(["PER", "LOC"])), min_size=1),
)
def test_spans_equal_seqeval(scheme, drawn):
    tags = ["O" if p == "O" or p not in scheme else f"{p}-{kind}" for p, kind in drawn]
    assert entity_spans(tags) == set(get_entities(tags))
    turned = ["O" if tag == "O" else f"{tag[2:]}-{tag[0]}" for tag in tags]
    read = entity_tags([*turned, "PER-B"])
    with warnings.catch_warnings(action="ignore"):  # seqeval takes "O" for no tag there
        assert entity_spans([read.get(tag, "O") for tag in turned]) == set(
            get_entities(turned, suffix=True)
        )


def spelled(entities: list[tuple[str, int]], scheme: str) -> list[str]:
    """Tags of entities (type, or "" outside; length), as each scheme is defined."""
    tags: list[str] = []
    before = ""
    for kind, length in entities:
        inside = ["I"] * length
        if scheme != "IOB1" or before == kind:
            inside[0] = "B"
        if scheme == "IOBES":
            inside[-1] = "E" if length > 1 else "S"
        tags += [f"{place}-{kind}" if kind else "O" for place in inside]
        before = kind
    return tags


@given(
    st.lists(st.tuples(st.sampled_from(["", "PER", "LOC"]), st.integers(1, 3)), min_size=1),
    st.sampled_from(["IOB1", "IOB2", "IOBES"]),
)
def test_every_scheme_gives_back_its_entities(entities, scheme):
    expected, place = set(), 0
    for kind, length in entities:
        if kind:
            expected.add((kind, place, place + length - 1))
        place += length
    assert entity_spans(spelled(entities, scheme)) == expected


def test_an_odd_tag_is_named_with_its_line(write):
    sentence = "Rome B-LOC\nfell O\n\n"
    path = write("x.conll", sentence * 10 + "It 0\nfell O\n" + sentence * 10)
    with pytest.raises(ValueError, match="the tag '0'") as caught:
        read_conll(path)
    assert str(caught.value) == (
        "x.conll, line 31: the tag '0' (the digit; the letter O is outside of entities) marks no "
        "entity as the others do (B-TYPE, I-TYPE, O): correct it"
    )
    assert read_conll(path, labelled=False)


def test_tags_are_odd_only_beside_entities():
    assert odd_tags({"O": 840, "B-X": 2, "Y": 1, "X": 1}) == set()
    assert odd_tags({"O": 840, "B-X": 3, "0": 1, "X": 1}) == {"0", "X"}
    assert odd_tags({"O": 840, "0": 1}) == {"0"}
    assert odd_tags({"NN": 30, "B-X": 2, "O": 5}) == set()
    assert odd_tags(Counter(["B", "I", "O", "B"])) == set()


def test_entity_f1_is_never_missing_in_silence():
    examples = [TaggedExample(["paris"] * 4, ["B-LOC", "NN", "NN", "O"])]
    with pytest.warns(UserWarning, match="there is no entity F1"):
        TaggingDataset(examples, tiny.tokenizer())


TRUE = [["LOC-B", "LOC-E", "O", "PER-S"], ["o", "LOC-S", "LOC-B", "LOC-I"]]
SAID = [["LOC-S", "LOC-E", "O", "PER-S"], ["o", "PER-S", "LOC-B", "LOC-E"]]


def test_entity_f1_is_there_for_every_scheme_and_picks_the_best_weights(monkeypatch):
    examples = [TaggedExample(["paris"] * 4, tags) for tags in TRUE]
    names = sorted({tag for part in (TRUE, SAID) for tags in part for tag in tags})
    dataset = TaggingDataset(examples, tiny.tokenizer(), names)
    said = [TagPrediction(["paris"] * 4, tags, [1.0] * 4) for tags in SAID]
    monkeypatch.setattr("minibert.finetuning.evaluate.tagged_sentences", lambda *_: said)
    assert best_metric(dataset, False) == "entity_f1"
    upper = [[[tag.upper() for tag in tags] for tags in part] for part in (TRUE, SAID)]
    expected = f1_score(*upper, suffix=True)
    assert 0 < expected < 1
    assert report([], dataset).metrics["entity_f1"] == pytest.approx(expected)


def test_an_odd_tag_from_elsewhere_is_named_with_its_text():
    examples = [TaggedExample(["paris", "was"], ["B-LOC", tag]) for tag in ("O", "0", "O")]
    with pytest.raises(ValueError, match=r"text 2 of 3 \('paris was'\): the tag '0' \(the digit"):
        TaggingDataset(examples, tiny.tokenizer())


# ---------------------------------------------------------------- SQuAD

ROME = {"text": "Rome", "answer_start": 0}


def squad(*questions) -> str:
    qas = [{"question": "Who?", **question} for question in questions]
    return json.dumps({"data": [{"paragraphs": [{"context": "Rome fell.", "qas": qas}]}]})


@pytest.mark.parametrize(
    ("question", "name", "impossible"),
    [
        ({"id": 7, "answers": [ROME]}, "7", False),
        ({"answers": [ROME]}, "0.0.1", False),
        ({"id": None, "is_impossible": True}, "0.0.1", True),
        ({"id": "q", "answers": [], "is_impossible": "True"}, "q", True),
        ({"id": "q", "answers": [ROME], "is_impossible": "false"}, "q", False),
        ({"id": "q", "answers": [], "is_impossible": "false"}, "q", False),
        ({"id": "q", "answers": []}, "q", False),
        ({"id": "q", "answers": None, "is_impossible": None}, "q", False),
    ],
)
def test_one_rule_says_which_questions_have_no_answer(write, question, name, impossible):
    _, example = read_squad(write("s.json", squad({"id": "first"}, question)))
    assert (example.id, example.is_impossible) == (name, impossible)


@pytest.mark.parametrize(
    ("question", "told"),
    [
        ({"id": 1.5}, "qas[0]: expected 'id' to be a text"),
        ({"id": True}, "qas[0]: expected 'id' to be a text"),
        (
            {"id": 7, "is_impossible": "perhaps"},
            "qas[0] (id 7): expected 'is_impossible' to be tru",
        ),
        ({"id": 7, "is_impossible": []}, "qas[0] (id 7): expected 'is_impossible' to be true or"),
        (
            {"id": 7, "is_impossible": "TRUE", "answers": [ROME]},
            "qas[0] (id 7): is_impossible is t",
        ),
        ({"id": 7, "answers": 5}, "qas[0] (id 7): expected 'answers' to be a list"),
        ({"question": "W\ud83d"}, "qas[0]: 'question' holds half a character (U+D83D)"),
    ],
)
def test_a_mistake_in_a_question_names_it(write, question, told):
    with pytest.raises(ValueError, match="qas") as caught:
        read_squad(write("s.json", squad(question)))
    assert str(caught.value).startswith(f"s.json, data[0].paragraphs[0].{told}")


# ---------------------------------------------------------------- whatever a file holds

PIECES = st.sampled_from(
    [
        *(piece.encode() for piece in ("text,label\n", "text\tlabel\n", '{"text": "a", "label": ')),
        *(piece.encode() for piece in ('"', "a,b\n", "a\tO\n", "#", "\n\n", "\r", "1.5}", "[]}")),
        *(
            piece.encode()
            for piece in ('{"data": [', '{"paragraphs": [', "]}", "null", "-DOCSTART-")
        ),
        *(b"\xef\xbb\xbf", b"\xff\xfe", b"\0", b"\xe9", b"PK\x03\x04", b"\\ud83d", b"B-LOC", b" "),
    ]
)
CONTENT = st.lists(st.one_of(PIECES, st.binary(max_size=4)), max_size=12).map(b"".join)


def told(read, path) -> str | None:
    """The one line with which a file is refused."""
    try:
        read(path)
    except ValueError as error:
        return str(error)
    return None


@settings(max_examples=60)
@given(
    CONTENT,
    st.sampled_from(["r.csv", "r.tsv", "r.jsonl", "r.conll", "r.conllu", "r.json"]),
    st.booleans(),
)
def test_a_reader_gives_examples_or_one_line_with_the_file(tmp_path_factory, content, name, needed):
    path = tmp_path_factory.getbasetemp() / name
    path.write_bytes(content)
    options = {"labelled": needed} if name != "r.json" else {}
    for read in (lambda p: read_file(p, **options), lambda p: list(read_documents(p))):
        line = told(read, path)
        assert line is None or (line.startswith(str(path)) and "\n" not in line)


QA = st.fixed_dictionaries(
    {},
    optional={
        "id": st.sampled_from(["q", 3, None, 1.5, True]),
        "question": st.sampled_from(["Who?", "", 1, "\ud83d"]),
        "answers": st.sampled_from(
            [[], None, 5, {}, [3], [{"text": "Rome", "answer_start": 0}], [{"text": "Rome"}]]
        ),
        "is_impossible": st.sampled_from([True, False, "false", "TRUE", "perhaps", 1, None, []]),
    },
)


@settings(max_examples=60)
@given(st.lists(st.one_of(QA, st.none()), min_size=1, max_size=2))
def test_every_question_is_read_or_told(tmp_path_factory, questions):
    path = tmp_path_factory.getbasetemp() / "s.json"
    path.write_text(squad(*(question or {} for question in questions)))
    line = told(lambda p: len(read_squad(p)) == len(questions) or pytest.fail("lost"), path)
    assert line is None or line.startswith(f"{path}, data[0].paragraphs[0].qas[")
