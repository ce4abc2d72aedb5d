import json

import pytest

from minibert.data.conll import read_conll
from minibert.data.examples import AnswerExample, Example, TaggedExample, label_names
from minibert.data.plain_text import read_documents
from minibert.data.sentences import split_sentences
from minibert.data.squad import read_squad
from minibert.data.tables import read_examples


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Write a file in the working folder, so that messages have its bare name."""
    monkeypatch.chdir(tmp_path)

    def to(name: str, content: str | bytes):
        data = content if isinstance(content, bytes) else content.encode("utf-8")
        (tmp_path / name).write_bytes(data)
        return name

    return to


def message(read, *args, kind=ValueError, **options) -> str:
    with pytest.raises(kind) as caught:
        read(*args, **options)
    text = str(caught.value)
    assert "\n" not in text, "one line"
    return text


# ---------------------------------------------------------------- tables


def test_tsv_is_read_and_quotes_in_it_are_ordinary_characters(write):
    path = write("r.tsv", 'text\tlabel\n"Great" film\tgood\n"unclosed\tbad\n')
    assert read_examples(path) == [
        Example('"Great" film', label="good"),
        Example('"unclosed', label="bad"),
    ]


def test_csv_cells_may_hold_commas_quotes_and_line_breaks(write):
    path = write("r.csv", 'label,text\r\ngood,"one, ""two""\nthree"\r\nbad,four\r\n')
    assert [e.text for e in read_examples(path)] == ['one, "two"\nthree', "four"]


def test_jsonl_labels_may_be_names_numbers_or_lists(write):
    rows = [{"text": "a", "label": 1}, {"text": "b", "label": "x"}, {"text": "c", "label": True}]
    path = write("r.jsonl", "\n".join(map(json.dumps, rows)))
    assert [e.label for e in read_examples(path)] == ["1", "x", "true"]
    path = write("m.jsonl", '{"text": "a", "label": ["x", 2]}\n\n{"text": "b", "label": []}\n')
    assert [e.label for e in read_examples(path)] == [["x", "2"], []]


def test_a_whole_number_among_scores_is_a_score(write):
    path = write("r.jsonl", '{"text": "a", "label": 2}\n{"text": "b", "label": 2.5}\n')
    assert [e.label for e in read_examples(path)] == [2.0, 2.5]


def test_the_problem_type_decides_how_a_table_is_read(write):
    path = write("r.tsv", "text\tlabel\na\t1\nb\t2|3\n")
    assert [e.label for e in read_examples(path)] == ["1", "2|3"]
    several = read_examples(path, problem_type="multi_label_classification")
    assert [e.label for e in several] == [["1"], ["2", "3"]]
    told = message(read_examples, path, problem_type="regression")
    assert told == "r.tsv, line 3: the label '2|3' is not a number"


def test_columns_may_have_other_names(write):
    path = write("r.csv", "premise,hypothesis,gold\na,b,yes\n")
    read = read_examples(path, text_column="premise", pair_column="hypothesis", label_column="gold")
    assert read == [Example("a", "b", "yes")]


def test_a_file_without_header_is_read_with_the_columns_given(write):
    path = write("cola.tsv", "gj04\t1\t\tOur friends won't buy this.\ngj04\t0\t*\tThem is.\n")
    read = read_examples(path, columns=["source", "label", "mark", "text"])
    assert read == [
        Example("Our friends won't buy this.", label="1"),
        Example("Them is.", label="0"),
    ]


def test_a_missing_label_is_no_error_where_none_is_needed(write):
    path = write("r.csv", "text\nhello\n")
    assert read_examples(path, labelled=False) == [Example("hello")]


def test_a_byte_order_mark_is_no_part_of_the_first_column(write):
    path = write("r.csv", b"\xef\xbb\xbftext,label\na,b\n")
    assert read_examples(path) == [Example("a", label="b")]


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        (
            "reviews.tsv",
            "text\tlabel\n" + "fine\tgood\n" * 15 + "no label here\n",
            "reviews.tsv, line 17: no label (expected 2 columns separated by a tab, found 1)",
        ),
        ("r.tsv", "text\tlabel\na\t\n", "r.tsv, line 2: no label (column 'label' is empty)"),
        ("r.tsv", "text\tlabel\n \tx\n", "r.tsv, line 2: empty text in column 'text'"),
        (
            "r.csv",
            "text,label\none, two,x\n",
            "r.csv, line 2: wrong number of columns (expected 2 columns separated by a comma, "
            "found 3)",
        ),
        (
            "r.csv",
            'text,label\na,b\n"open,b\nc,d\n',
            "r.csv, line 3: a double quote is opened and not closed",
        ),
        (
            "r.csv",
            "review,stars\na,b\n",
            "r.csv, line 1: no column 'text' (there are: review, stars): say which one is meant "
            "with text_column=...",
        ),
        ("r.csv", "text,label\n", "r.csv has a header line and nothing below it"),
        ("r.csv", "", "r.csv is empty"),
        ("r.csv", " \n\n", "r.csv is empty"),
        (
            "r.csv",
            "text,label\ncafé,x\n".encode("latin-1"),
            "r.csv, line 2: not UTF-8 (byte 0xe9 at place 4): save the file as UTF-8",
        ),
        (
            "r.jsonl",
            '{"text": "a", "label": "b"}\n{"text": \n',
            "r.jsonl, line 2: not JSON (Expecting value at place 10)",
        ),
        ("r.jsonl", "[1]\n", "r.jsonl, line 1: not a JSON object ({...})"),
        (
            "r.jsonl",
            '{"txt": "a", "label": 1}\n',
            "r.jsonl, line 1: no column 'text' (there are: txt, label): say which one is meant "
            "with text_column=...",
        ),
        (
            "r.jsonl",
            '{"text": 3, "label": 1}\n',
            "r.jsonl, line 1: 'text' is no text but 3",
        ),
        (
            "r.jsonl",
            '{"text": "a", "label": "x"}\n{"text": "b", "label": ["x"]}\n',
            "r.jsonl, line 2: this label is of another kind than those before (one name, a list "
            "of names, or a number: the same in the whole file)",
        ),
        (
            "r.jsonl",
            '{"text": "a", "label": 0.5}\n{"text": "b", "label": "x"}\n',
            "r.jsonl, line 2: the label 'x' is a name, but other lines have numbers",
        ),
        (
            "r.jsonl",
            '{"text": "a", "text_pair": "b", "label": 1}\n{"text": "b", "label": 1}\n',
            "r.jsonl, line 2: no second text, but other lines have one",
        ),
        ("r.jsonl", '{"text": "a", "label": {}}\n', "r.jsonl, line 1: the label {} is no name"),
        ("r.txt", "a\n", "r.txt: not a .jsonl, .csv or .tsv file"),
    ],
)
def test_a_mistake_in_a_table_is_told_with_its_line(write, name, content, told):
    assert message(read_examples, write(name, content)).startswith(told)


def test_a_file_that_is_not_there_is_told(write):
    assert message(read_examples, "gone.csv", kind=FileNotFoundError) == "gone.csv: no such file"


# ---------------------------------------------------------------- labels


def test_label_names_are_sorted_and_numbers_as_numbers():
    assert label_names([Example("a", label=x) for x in ("10", "9", "-1")]) == ["-1", "9", "10"]
    assert label_names([Example("a", label=x) for x in ("b", "10", "a")]) == ["10", "a", "b"]
    assert label_names([Example("a", label=["y", "x"]), Example("b", label=[])]) == ["x", "y"]
    assert label_names([TaggedExample(["w", "v"], ["O", "B-PER"])]) == ["B-PER", "O"]
    assert label_names([Example("a", label=0.5), Example("b")]) == []


# ---------------------------------------------------------------- CoNLL


def test_conll_columns_become_words_and_tags(write):
    path = write(
        "x.conll",
        "-DOCSTART- -X- -X- O\n\nJapan NNP B-NP B-LOC\nwins VBZ B-VP O\n\n\nYes UH B-NP O\n",
    )
    expected = [TaggedExample(["Japan", "wins"], ["B-LOC", "O"]), TaggedExample(["Yes"], ["O"])]
    assert read_conll(path) == expected
    assert read_conll(path, tag_column=1)[0].tags == ["NNP", "VBZ"]


def test_a_wide_space_inside_a_tabbed_word_does_not_split_it(write):
    assert read_conll(write("x.conll", "New\u3000York\tB-LOC\n"))[0].words == ["New\u3000York"]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("a O\nb\n", "x.conll, line 2: expected 2 columns separated by spaces or tabs, found 1"),
        ("a N O\nb O\n", "x.conll, line 2: expected 3 columns"),
        ("a\t\n", "x.conll, line 1: expected 2 columns"),
        ("", "x.conll is empty"),
        ("-DOCSTART- O\n\n", "x.conll has no tagged word in it"),
        (b"a O\n\xff O\n", "x.conll, line 2: not UTF-8 (byte 0xff at place 1)"),
    ],
)
def test_a_mistake_in_conll_columns_is_told_with_its_line(write, content, told):
    assert message(read_conll, write("x.conll", content)).startswith(told)


def test_a_text_file_that_has_no_columns_is_told_what_else_there_is(write):
    told = message(read_conll, write("x.txt", "great film\nnot very good\n"))
    assert told.startswith("x.txt, line 2: expected 2 columns separated by spaces or tabs, found 3")
    assert told.endswith("texts with labels end in .jsonl, .csv or .tsv)")


def test_a_tag_column_that_is_not_there_is_told(write):
    told = message(read_conll, write("x.conll", "a O\n"), tag_column=3)
    assert told == "x.conll, line 1: 2 columns, but column 3 (counted from 0) is asked for"


# ---------------------------------------------------------------- SQuAD


def squad(**changes) -> str:
    qa = {
        "id": "q1",
        "question": "Which city?",
        "answers": [{"text": "Shanghai", "answer_start": 3}],
    } | changes
    paragraph = {"context": "In Shanghai, fashion.", "qas": [qa]}
    return json.dumps({"version": "v2.0", "data": [{"title": "t", "paragraphs": [paragraph]}]})


def test_squad_answers_carry_their_place(write):
    (example,) = read_squad(write("s.json", squad()))
    assert example == AnswerExample(
        "q1", "Which city?", "In Shanghai, fashion.", [("Shanghai", 3)], False
    )


def test_squad_v2_knows_questions_without_answer(write):
    (example,) = read_squad(write("s.json", squad(answers=[], is_impossible=True)))
    assert example.is_impossible
    assert example.answers == []


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (
            squad(answers=[{"text": "Shanghai", "answer_start": 4}]),
            "s.json, data[0].paragraphs[0].qas[0] (id q1): the answer 'Shanghai' is not at "
            "answer_start 4 of the context (there: 'hanghai,')",
        ),
        (
            squad(answers=[{"text": "In", "answer_start": -21}]),
            "s.json, data[0].paragraphs[0].qas[0] (id q1): the answer 'In' is not at",
        ),
        (squad(question=" "), "s.json, data[0].paragraphs[0].qas[0]: 'question' is empty"),
        (
            squad(answers=[{"text": "In"}]),
            "s.json, data[0].paragraphs[0].qas[0] (id q1): expected 'answer_start' to be a whole",
        ),
        (
            squad(is_impossible=True),
            "s.json, data[0].paragraphs[0].qas[0] (id q1): is_impossible is true, but there is",
        ),
        ('{"data": 3}', "s.json: expected 'data' to be a list"),
        ('{"data": [{}]}', "s.json, data[0]: expected 'paragraphs' to be a list"),
        ("[]", "s.json: not SQuAD"),
        ('{"data": []}', "s.json has no question in it"),
        ('{\n"data": [,]}', "s.json, line 2: not JSON"),
        ("", "s.json is empty"),
    ],
)
def test_a_mistake_in_squad_is_told_with_its_place(write, content, told):
    assert message(read_squad, write("s.json", content)).startswith(told)


# ---------------------------------------------------------------- plain text and sentences


def test_blank_lines_separate_documents_of_a_sentence_a_line(write):
    path = write("c.txt", "\nOne. Still one.\nTwo.\n\n\nThree.\n")
    assert list(read_documents(path)) == [["One. Still one.", "Two."], ["Three."]]


def test_without_blank_lines_a_line_is_a_document(write):
    path = write("c.txt", "One is here. Two is here.\nThree.\n\n")
    assert list(read_documents(path)) == [["One is here.", "Two is here."], ["Three."]]


def test_an_empty_corpus_is_told(write):
    assert message(lambda p: list(read_documents(p)), write("c.txt", "\n \n")) == "c.txt is empty"


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("It rains. It pours!  Does it? Yes.", ["It rains.", "It pours!", "Does it?", "Yes."]),
        ("Mr. J. Smith met Dr. Lee. They ate.", ["Mr. J. Smith met Dr. Lee.", "They ate."]),
        ("It cost 3.5 million. 20 came.", ["It cost 3.5 million.", "20 came."]),
        ('He said "yes." Then he left.', ['He said "yes."', "Then he left."]),
        ("no capital. follows here", ["no capital. follows here"]),
        ("这部电影非常精彩！我喜欢。", ["这部电影非常精彩！", "我喜欢。"]),
        ("他说：“走吧！”然后走了。", ["他说：“走吧！”", "然后走了。"]),
        ("真的吗？！太好了！！！好", ["真的吗？！", "太好了！！！", "好"]),
        ("很好!不错", ["很好!", "不错"]),
        ("a\nb\r\n\n c ", ["a", "b", "c"]),
        ("", []),
        (" \n ", []),
    ],
)
def test_sentences_are_cut_where_a_reader_would(text, sentences):
    assert split_sentences(text) == sentences


def test_cutting_into_sentences_loses_no_character():
    text = "One (two!) three... Four? 五。“六！”七 e.g. Eight. U.S. Nine"
    assert "".join("".join(split_sentences(text)).split()) == "".join(text.split())
