import hashlib
import json
import subprocess
import sys
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minibert.course.texts import published as texts
from minibert.course.texts.corpora import CORPORA
from minibert.course.texts.datasets import DATASETS
from minibert.course.texts.published import tag_news_line
from minibert.data import hub
from minibert.data.corpora import load_corpus
from minibert.data.datasets import load_dataset
from minibert.data.duplicates import repeated_rows, without_repeated_rows
from minibert.data.examples import AnswerExample, Example, TaggedExample, label_names
from minibert.data.sentences import clean
from minibert.data.splits import Splits, divide, split_of
from minibert.data.stratified import divide_rows, grouping_text


def whole(splits) -> list:
    return splits.train + splits.dev + splits.test


def bucket(text: str) -> str:
    """The design's rule, written out once more."""
    number = int(hashlib.sha256(text.encode("utf-8")).hexdigest(), 16) % 10
    return {8: "dev", 9: "test"}.get(number, "train")


# ---------------------------------------------------------------- splits


def test_the_hash_of_the_text_decides_the_side():
    assert split_of("") == "test"  # e3b0c442…b855 in decimals ends in 9
    assert [split_of(f"text {i}") for i in range(300)] == [bucket(f"text {i}") for i in range(300)]
    assert {split_of(f"text {i}") for i in range(300)} == {"train", "dev", "test"}


def test_duplicates_stay_once_and_contradictions_not_at_all():
    rows = [("a", "x"), ("a", "x"), ("b", "x"), ("b", "y"), ("c", "y"), ("b", "x")]
    splits = divide((text, Example(text, label=label)) for text, label in rows)
    assert sorted((e.text, e.label) for e in whole(splits)) == [("a", "x"), ("c", "y")]


def test_the_same_question_about_another_passage_is_no_duplicate():
    pairs = [Example("q", "one", "yes"), Example("q", "two", "no")]
    assert whole(divide(("title", pair) for pair in pairs)) == pairs


# ---------------------------------------------------------------- a user's own files


def test_a_file_is_divided_with_every_label_in_its_share(tmp_path):
    path = tmp_path / "r.jsonl"
    rows = [{"text": f"text {i}", "label": "rare" if i < 20 else str(i % 2)} for i in range(200)]
    path.write_text("\n".join(map(json.dumps, rows)))
    splits = load_dataset(path)
    assert sorted(e.text for e in whole(splits)) == sorted(row["text"] for row in rows)
    for name, share in (("train", 8), ("dev", 1), ("test", 1)):
        counts = Counter(e.label for e in getattr(splits, name))
        assert counts == {"rare": 2 * share, "0": 9 * share, "1": 9 * share}
    # As the hash has it, wherever the shares allow.
    assert sum(bucket(e.text) == "test" for e in splits.test) > 10
    assert load_dataset(path) == splits


def test_four_hundred_rows_stay_four_hundred_and_those_of_a_text_together():
    rows = [Example(f"text {i % 36}", label=str(i % 2)) for i in range(400)]
    splits = divide_rows(rows)
    assert len(whole(splits)) == 400
    parts = [{e.text for e in part} for part in (splits.train, splits.dev, splits.test)]
    assert all(parts)
    assert len(set.union(*parts)) == sum(map(len, parts)) == 36


@given(st.lists(st.tuples(st.integers(0, 30), st.sampled_from("abcdef")), max_size=60))
def test_every_label_is_trained_on_and_no_text_is_in_two_splits(rows):
    examples = [Example(str(number), label=label) for number, label in rows]
    several = [Example(str(n), label=[name, "abcdef"[n % 6]]) for n, name in rows]
    tagged = [TaggedExample([str(n), "b"], [name, "O"]) for n, name in rows]
    for whole_file in (examples, several, tagged):
        splits = divide_rows(whole_file)
        assert sorted(map(repr, whole(splits))) == sorted(map(repr, whole_file))
        assert label_names(splits.train) == label_names(whole_file)
        texts = [{grouping_text(e) for e in part} for part in vars(splits).values()]
        assert len(set.union(*texts)) == sum(map(len, texts))


def test_a_label_that_is_nowhere_the_rarest_is_trained_on_too():
    """Three texts with the label "often", each beside a rarer one that another text has as well."""
    made = [f"text {i}" for i in range(99)]
    train = (text for text in made if bucket(text) == "train")
    test = (text for text in made if bucket(text) == "test")
    rows = [Example(next(train), label=[f"alone {i}"]) for i in range(24)]
    for i in range(3):
        rows.append(Example(next(test), label=[f"rare {i}", "often"]))
        rows.append(Example(next(train), label=[f"rare {i}"]))
    splits = divide_rows(rows)
    assert label_names(splits.train) == label_names(rows)
    assert len(splits.test) == 2  # of the three that are due


def test_labels_of_one_row_take_nothing_from_what_is_held_out_of_the_others():
    rows = [Example(f"text {i}", label="x" if i < 30 else str(i)) for i in range(50)]
    splits = divide_rows(rows)
    assert {e.label for e in splits.dev + splits.test} == {"x"}
    assert (len(splits.dev), len(splits.test)) == (3, 4)


def test_many_labels_of_few_rows_still_leave_something_to_measure():
    splits = divide_rows([Example(f"text {i}", label=str(i % 50)) for i in range(200)])
    assert len({e.label for e in splits.train}) == 50
    assert (len(splits.train), len(splits.dev), len(splits.test)) == (160, 20, 20)


def test_what_repeats_is_told_and_left_out_on_request():
    train = [Example("fine", label="good")] * 100 + [Example("fine ", label="bad")]
    train += [Example("dull", label="bad"), Example("q", "one", "good"), Example("q", "two", "bad")]
    splits = Splits(train, [Example("dull", label="good"), Example("new", label="good")], [])
    assert repeated_rows(splits) == [
        "training examples: 100 of 104 rows repeat the text of another row",
        "training examples: 1 text with more than one label, such as 'fine'",
        "dev examples: 1 text of 2 (1 with another label) already among those before, such as "
        "'dull': metrics on dev say too much",
    ]
    kept = without_repeated_rows(splits)
    assert [e.text for e in kept.train] == ["q", "q"]
    assert [e.text for e in kept.dev] == ["new"]
    assert repeated_rows(kept) == []
    # What is in test is not trained on, and stays there.
    same = Splits([Example("a", label="x")] * 2, [Example("a", label="x")], [])
    assert without_repeated_rows(same) == Splits([], [Example("a", label="x")], [])
    several = [Example("a", label=["x", "y"]), Example("a", label=["y", "x"])]
    assert without_repeated_rows(Splits(several, [], [])).train == several[:1]


def test_rows_are_left_out_of_a_file_before_it_is_divided(tmp_path):
    path = tmp_path / "r.jsonl"
    rows = [{"text": f"text {i % 20}", "label": "once" if i == 39 else "x"} for i in range(40)]
    path.write_text("\n".join(map(json.dumps, rows)))
    assert len(whole(load_dataset(path))) == 40
    assert len(whole(load_dataset(path, deduplicate=True))) == 19


def test_reader_options_reach_the_reader(tmp_path):
    path = tmp_path / "r.csv"
    path.write_text("review,stars\nfine,5\n")
    read = whole(load_dataset(path, text_column="review", label_column="stars"))
    assert read == [Example("fine", label="5")]


def test_a_folder_keeps_its_own_split(tmp_path):
    for name in ("train", "test"):
        (tmp_path / f"{name}.tsv").write_text(f"text\tlabel\n{name}\tx\n")
    splits = load_dataset(str(tmp_path))
    assert [e.text for e in splits.train] == ["train"]
    assert splits.dev == []
    assert [e.text for e in splits.test] == ["test"]


def test_questions_of_one_context_stay_together(tmp_path):
    contexts = [f"text {i}" for i in range(20)]
    paragraphs = [
        {
            "context": context,
            "qas": [{"id": f"{i}{q}", "question": f"q{q}", "answers": []} for q in range(5)],
        }
        for i, context in enumerate(contexts)
    ]
    path = tmp_path / "s.json"
    path.write_text(json.dumps({"data": [{"paragraphs": paragraphs}]}))
    splits = load_dataset(path)
    for part in (splits.train, splits.dev, splits.test):
        assert all(count == 5 for count in Counter(e.context for e in part).values())
    assert len(whole(splits)) == 100
    assert splits.test


def test_tagged_words_are_read_by_their_ending(tmp_path):
    path = tmp_path / "x.conll"
    path.write_text("a\tO\n")
    assert whole(load_dataset(path)) == [TaggedExample(["a"], ["O"])]


def test_an_ending_that_says_nothing_is_told(tmp_path):
    path = tmp_path / "x.docx"
    path.write_text("a")
    with pytest.raises(ValueError, match=r"cannot tell its form by the ending '\.docx'"):
        load_dataset(path)


def test_a_path_that_leads_nowhere_is_told_without_asking_the_hub(monkeypatch):
    monkeypatch.setattr(hub, "load", lambda *a, **k: pytest.fail("asked the hub"))
    for name in ("gone.tsv", "/gone/train", "./gone"):
        with pytest.raises(FileNotFoundError, match="no such file"):
            load_dataset(name)


def test_an_empty_folder_is_told(tmp_path):
    with pytest.raises(ValueError, match="has no train"):
        load_dataset(tmp_path)


# ---------------------------------------------------------------- a user's own corpus


def test_a_small_corpus_is_all_for_training_and_a_large_one_is_split(tmp_path):
    path = tmp_path / "c.txt"
    path.write_text("\n".join(f"Text {i}. The end of {i}." for i in range(99)))
    corpus = load_corpus(path)
    assert len(corpus.train) == 99
    assert corpus.train[0] == ["Text 0.", "The end of 0."]
    assert corpus.dev == corpus.test == []
    path.write_text("\n".join(f"Text {i}. The end of {i}." for i in range(100)) + "\nText 0.")
    with pytest.warns(UserWarning, match="101 of 202 documents repeat another one"):
        corpus = load_corpus([path, str(path)])  # what is there twice counts once
    assert len(whole(corpus)) == 101
    assert corpus.dev
    assert {bucket(" ".join(document)) for document in corpus.test} == {"test"}


def test_an_unknown_corpus_lists_the_known_ones():
    with pytest.raises(FileNotFoundError, match="boolq, bbc, sarcasm"):
        load_corpus("boolqq")


# ---------------------------------------------------------------- tagging by rule


def test_names_become_bio_and_adjacent_name_parts_one_person():
    tagged = tag_news_line("国家/n  主席/n  江/nr  泽民/nr  在/p  北京/ns  ，/w  新华社/nt")
    assert tagged.words == list("国家主席江泽民在北京，新华社")
    assert tagged.tags == (
        ["O"] * 4
        + ["B-PER", "I-PER", "I-PER", "O", "B-LOC", "I-LOC", "O", "B-ORG", "I-ORG", "I-ORG"]
    )


def test_two_places_side_by_side_stay_two():
    assert tag_news_line("中国/ns  北京/ns").tags == ["B-LOC", "I-LOC"] * 2


def test_letters_and_digits_of_a_word_are_one_unit():
    tagged = tag_news_line("１９９８年/t  IBM/nt  ３．５％/m  ——/w")
    assert tagged.words == ["１９９８", "年", "IBM", "３", "．", "５", "％", "—", "—"]
    assert tagged.tags[2] == "B-ORG"


def test_an_article_begins_at_a_headline_after_prose(tmp_path, monkeypatch):
    lines = [
        "头/n",
        "副/n",
        "一/n  。/w",
        "（/w  图/n  ）/w",
        "二/n  。/w",
        "",
        "新/n",
        "三/n  ！/w",
    ]
    (tmp_path / "tag").mkdir()
    (tmp_path / "tag" / "199801.txt").write_text("\n".join(lines), encoding="utf-8")
    monkeypatch.setattr(texts, "fetch", lambda name: tmp_path)
    assert texts.news_zh_articles() == [lines[:5], lines[6:]]
    corpus = load_corpus("people-zh")
    assert sorted(whole(corpus), key=len) == [
        ["新", "三！"],
        ["头", "副", "一。", "（图）", "二。"],
    ]
    tagged = whole(load_dataset("people-zh"))
    assert ["一", "。"] in [example.words for example in tagged]


# ---------------------------------------------------------------- the hub, faked


@pytest.fixture
def fake_hub(monkeypatch):
    """`datasets.load_dataset` on made-up rows: real row and feature types, no network."""
    library = pytest.importorskip("datasets")
    asked = []

    def install(**splits):
        def load(repository, configuration=None):
            asked.append((repository, configuration))
            return library.DatasetDict(splits)

        monkeypatch.setattr(library, "load_dataset", load)
        monkeypatch.setattr(hub, "_answers", lambda address: True)
        return asked

    return library, install


def rows_of(library, columns: dict, **features):
    plain = library.Dataset.from_dict(columns)
    return plain.cast(library.Features({**plain.features, **features}))


def test_cola_from_the_hub_has_its_label_names(fake_hub):
    library, install = fake_hub
    label = library.ClassLabel(names=["unacceptable", "acceptable"])

    def part(texts_, labels):
        return rows_of(library, {"sentence": texts_, "label": labels}, label=label)

    asked = install(
        train=part(["a", "b"], [0, 1]), validation=part(["c"], [1]), test=part(["d"], [-1])
    )
    splits = load_dataset("glue/cola")
    assert asked == [("nyu-mll/glue", "cola")]
    assert splits.train == [Example("a", label="unacceptable"), Example("b", label="acceptable")]
    assert splits.dev == [Example("c", label="acceptable")]
    assert splits.test == [Example("d", label=None)]


def test_pairs_scores_and_unlabelled_rows_from_the_hub(fake_hub):
    library, install = fake_hub
    label = library.ClassLabel(names=["entailment", "neutral"])
    pairs = {"premise": ["a", "b"], "hypothesis": ["c", "d"], "label": [1, -1]}
    install(train=rows_of(library, pairs, label=label), validation=rows_of(library, pairs))
    assert load_dataset("snli").train == [Example("a", "c", "neutral")]
    scores = {"sentence1": ["a"], "sentence2": ["b"], "label": [3.5]}
    install(train=rows_of(library, scores), validation=rows_of(library, scores))
    assert load_dataset("glue/stsb").train == [Example("a", "b", 3.5)]


def test_squad_and_tags_from_the_hub(fake_hub):
    library, install = fake_hub
    squad = {
        "id": ["1", "2"],
        "question": ["q", "r"],
        "context": ["In Rome", "In Rome"],
        "answers": [{"text": ["Rome"], "answer_start": [3]}, {"text": [], "answer_start": []}],
    }
    install(train=rows_of(library, squad), validation=rows_of(library, squad))
    assert load_dataset("squad_v2").dev == [
        AnswerExample("1", "q", "In Rome", [("Rome", 3)], False),
        AnswerExample("2", "r", "In Rome", [], True),
    ]
    tags = library.List(library.ClassLabel(names=["O", "B-PER"]))
    tagged = rows_of(library, {"tokens": [["a", "B"]], "ner_tags": [[0, 1]]}, ner_tags=tags)
    install(train=tagged, validation=tagged)
    assert load_dataset("someone/names").train == [TaggedExample(["a", "B"], ["O", "B-PER"])]


def test_without_a_published_dev_split_one_is_taken_from_training(fake_hub):
    library, install = fake_hub
    names = [f"text {i}" for i in range(100)]
    install(train=rows_of(library, {"text": names, "label": [0] * 100}))
    splits = load_dataset("imdb")
    assert len(splits.train) == 90
    assert len(splits.dev) == 10
    assert splits.test == []


def test_unknown_columns_are_listed(fake_hub):
    library, install = fake_hub
    install(train=rows_of(library, {"body": ["a"], "stars": [1]}))
    with pytest.raises(ValueError, match=r"there are: body, stars.*text_column"):
        load_dataset("someone/reviews")
    read = whole(load_dataset("someone/reviews", text_column="body", label_column="stars"))
    assert read == [Example("a", label="1")]


def test_a_mistyped_name_offline_lists_the_known_ones_at_once(monkeypatch):
    pytest.importorskip("datasets")
    monkeypatch.setattr(hub, "_answers", lambda address: False)
    with pytest.raises(FileNotFoundError, match=r"movis is no file.*\(movies, ") as caught:
        load_dataset("movis")
    assert "\n" not in str(caught.value)


def test_what_the_hub_says_no_with_is_told_in_one_line(fake_hub, monkeypatch):
    library, install = fake_hub
    install()

    def refuse(repository, configuration=None):
        raise RuntimeError("no such thing\nlong story")

    monkeypatch.setattr(library, "load_dataset", refuse)
    with pytest.raises(FileNotFoundError, match=r"\(no such thing\)"):
        load_dataset("someone/nothing")


def test_without_the_library_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(FileNotFoundError, match="pip install datasets"):
        load_dataset("glue/cola")


def test_an_address_with_nobody_behind_it_does_not_answer():
    assert not hub._answers("http://127.0.0.1:9")


def test_the_hub_library_is_not_loaded_for_the_projects_own_data():
    program = "import minibert.data.datasets, sys; sys.exit('datasets' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0


# ---------------------------------------------------------------- the real texts


@pytest.fixture(scope="module")
def loaded():
    """Every data set, loaded once."""
    return {name: load_dataset(name) for name in DATASETS}


@pytest.fixture(scope="module")
def corpora():
    return {name: load_corpus(name) for name in CORPORA}


@pytest.mark.data
def test_boolq_has_the_published_counts():
    rows = texts.boolq_rows()
    assert len(rows) == 15_942
    titles = Counter({row.passage: row.title for row in rows}.values())
    assert titles.total() == 12_271
    assert sum(count for count in titles.values() if count > 1) == 4_234
    assert sum(row.answer is not None for row in rows) == 12_697


@pytest.mark.data
def test_boolqs_two_files_agree_on_the_answers():
    answers = {row.question: row.answer for row in texts.boolq_rows()}
    lines = (texts.fetch("boolq") / "dev.jsonl").read_text("utf-8").splitlines()
    dev = [json.loads(line) for line in lines]
    assert len(dev) == 3_270
    assert all(answers[row["question"]] == row["answer"] for row in dev)


@pytest.mark.data
@pytest.mark.parametrize(
    ("which", "rows"),
    [
        ("movieReviewSnippets", 10_605),
        ("amazonReviewSnippets", 3_708),
        ("tweets", 4_200),
        ("nytEditorialSnippets", 5_190),
    ],
)
def test_vader_has_the_published_counts(which, rows):
    scored = texts.vader_rows(which)
    assert len(scored) == rows
    assert all(-4 <= score <= 4 for _, score in scored)


@pytest.mark.data
def test_film_reviews_are_those_beyond_one_half(loaded):
    clear = [text for text, s in texts.vader_rows("movieReviewSnippets") if abs(s) > 0.5]
    assert len(clear) == 10_043
    assert {e.text for e in whole(loaded["movies"])} == set(clear)
    assert len(whole(loaded["movies"])) == 10_041  # two are there twice
    sizes = [len(getattr(loaded["movies"], name)) for name in ("train", "dev", "test")]
    assert sizes == [8_027, 1_001, 1_013]


@pytest.mark.data
def test_chinese_reviews_are_distinct_and_carry_one_label(loaded):
    rows = texts.reviews_zh_rows()
    assert len({text for text, _ in rows}) == 17_410
    labels: dict[str, set[str]] = {}
    for text, label in rows:
        labels.setdefault(clean(text), set()).add(label)
    both = {text for text, found in labels.items() if len(found) == 2}
    assert len(both) == 47
    kept = {e.text for e in whole(loaded["reviews-zh"])}
    # Two texts more are gone that differ from another one only in white space.
    assert len(kept) == len(whole(loaded["reviews-zh"])) == 17_410 - 2 - 47
    assert not kept & both


@pytest.mark.data
def test_bbc_duplicates_are_dropped(loaded):
    rows = texts.bbc_rows()
    assert len(rows) == 2_225
    assert len(rows) - len({text for text, _ in rows}) == 98
    assert len(whole(loaded["bbc"])) == 2_125  # two more differ only in white space
    assert len(label_names(whole(loaded["bbc"]))) == 5
    assert not any("\ufffd" in text for text, _ in rows)


@pytest.mark.data
def test_headlines_news_and_novel_have_the_published_counts():
    assert len(texts.sarcasm_rows()) == 28_614
    assert sum(map(len, texts.news_zh_articles())) == 19_484
    assert len(texts.sanguo_chapters()) == 120


@pytest.mark.data
def test_the_conll_sample_is_well_formed(loaded):
    examples = whole(loaded["conll-sample"])
    assert 200 < len(examples) < 240
    assert {tag[2:] for tag in label_names(examples)} == {"", "PER", "LOC", "ORG", "MISC"}


@pytest.mark.data
def test_bio_tags_never_continue_what_did_not_begin(loaded):
    for example in whole(loaded["people-zh"]):
        for before, tag in zip(["O", *example.tags], example.tags, strict=False):
            assert not tag.startswith("I-") or before[2:] == tag[2:]


@pytest.mark.data
def test_no_name_of_the_tagged_news_is_lost():
    """Every place and organisation begins once; persons in at least every other nr."""
    begun, marked = Counter(), Counter()
    for article in texts.news_zh_articles():
        for line in article:
            begun.update(tag for tag in tag_news_line(line).tags if tag.startswith("B-"))
            marked.update(token.rpartition("/")[2] for token in line.split())
    assert (begun["B-LOC"], begun["B-ORG"]) == (marked["ns"], marked["nt"])
    assert marked["nr"] / 2 <= begun["B-PER"] < marked["nr"]
    assert begun.total() > 30_000


def test_persons_that_stand_side_by_side_are_several():
    tagged = tag_news_line("牛/nr 廷相/nr 刘/nr 伟/nr 欧阳/nr 修/nr 克林顿/nr 江/nr 泽民/nr")
    begins = [i for i, tag in enumerate(tagged.tags) if tag == "B-PER"]
    assert begins == [0, 3, 5, 8, 11]  # 牛廷相, 刘伟, 欧阳修, 克林顿, 江泽民


@pytest.mark.data
@pytest.mark.parametrize("name", list(DATASETS))
def test_no_text_is_on_two_sides(loaded, name):
    splits = loaded[name]

    def contents(examples):
        return {
            " ".join(e.words)
            if isinstance(e, TaggedExample)
            else (e.question, e.context)
            if isinstance(e, AnswerExample)
            else (e.text, e.text_pair)
            for e in examples
        }

    train, dev, test = (contents(part) for part in (splits.train, splits.dev, splits.test))
    assert train
    assert dev
    assert test
    assert not train & dev
    assert not train & test
    assert not dev & test
    assert len(train) + len(dev) + len(test) == len(whole(splits))


@pytest.mark.data
@pytest.mark.parametrize("name", ["movies", "reviews-zh", "bbc", "sarcasm"])
def test_the_side_can_be_told_from_the_text_alone(loaded, name):
    for where in ("train", "dev", "test"):
        assert {bucket(e.text) for e in getattr(loaded[name], where)} == {where}


def test_the_requests_are_three_hundred_in_equal_parts():
    splits = load_dataset("requests")
    counts = Counter(e.label for e in whole(splits))
    assert counts == {"hardware": 100, "software": 100, "billing": 100}
    for where in ("train", "dev", "test"):
        examples = getattr(splits, where)
        assert {bucket(e.text) for e in examples} == {where}
        assert len({e.label for e in examples}) == 3


def test_no_request_says_its_own_label():
    """A classifier that reads the label's name has learned nothing."""
    for e in whole(load_dataset("requests")):
        if e.label != "billing":  # "two bills" says which invoice, as people do
            assert e.label not in e.text.lower()


@pytest.mark.data
def test_joined_headlines_have_the_topics_of_both(loaded):
    topics: dict[str, set[str]] = {}
    for article, topic in texts.bbc_rows():
        topics.setdefault(clean(article.split("\n")[0]), set()).add(topic)
    splits = loaded["bbc-headlines"]
    joined = [e for e in whole(splits) if len(e.label) == 2]
    assert 0.3 < len(joined) / len(whole(splits)) < 0.5
    for e in whole(splits):
        if len(e.label) == 1:
            assert topics[e.text] == set(e.label)
    for e in joined:
        dots = [i for i in range(len(e.text)) if e.text.startswith(". ", i)]
        parts = [(e.text[:i], e.text[i + 2 :]) for i in dots]
        assert any(sorted(topics.get(a, {""}) | topics.get(b, {""})) == e.label for a, b in parts)


@pytest.mark.data
def test_headlines_are_on_the_side_of_their_article(loaded):
    where_is = {
        clean(article.split("\n")[0]): bucket(clean(article)) for article, _ in texts.bbc_rows()
    }
    for where in ("train", "dev", "test"):
        single = [e.text for e in getattr(loaded["bbc-headlines"], where) if len(e.label) == 1]
        assert {where_is[text] for text in single} == {where}


@pytest.mark.data
@pytest.mark.parametrize("name", ["boolq", "boolq-match"])
def test_no_passage_title_is_on_two_sides(loaded, name):
    for where in ("train", "dev", "test"):
        examples = getattr(loaded[name], where)
        titles = {e.text_pair.partition(" -- ")[0] for e in examples}
        assert {bucket(title) for title in titles} == {where}


@pytest.mark.data
def test_question_and_passage_match_half_of_the_time(loaded):
    own = {row.question: row for row in texts.boolq_rows()}
    for where in ("train", "dev", "test"):
        examples = getattr(loaded["boolq-match"], where)
        counts = Counter(e.label for e in examples)
        assert abs(counts["match"] - counts["different"]) <= 1
        assert len({e.text for e in examples}) == len(examples)
        for e in examples:
            title = e.text_pair.partition(" -- ")[0]
            assert (title == own[e.text].title) == (e.label == "match")
            assert (e.text_pair == own[e.text].passage) == (e.label == "match")


@pytest.mark.data
def test_wrong_passages_are_drawn_as_often_as_right_ones(loaded):
    """Else a passage alone would tell: one drawn for many questions could only be wrong."""
    drawn = Counter(e.text_pair for e in loaded["boolq-match"].train if e.label == "different")
    right = Counter(e.text_pair for e in loaded["boolq-match"].train if e.label == "match")
    assert max(drawn.values()) <= max(right.values()) + 2


@pytest.mark.data
@pytest.mark.parametrize("name", list(CORPORA))
def test_no_document_is_on_two_sides(corpora, name):
    corpus = corpora[name]
    parts = [{tuple(d) for d in part} for part in (corpus.train, corpus.dev, corpus.test)]
    assert all(parts)
    assert len(set().union(*parts)) == sum(map(len, parts)) == len(whole(corpus))
    assert all(sentence.strip() for document in whole(corpus) for sentence in document)


@pytest.mark.data
def test_what_is_held_out_from_pretraining_is_held_out_from_finetuning(corpora, loaded):
    for name in ("bbc", "sarcasm", "reviews-zh"):
        for where in ("train", "dev", "test"):
            documents = {"".join("".join(d).split()) for d in getattr(corpora[name], where)}
            examples = {"".join(e.text.split()) for e in getattr(loaded[name], where)}
            assert examples <= documents
    bodies = {row.passage: row.body for row in texts.boolq_rows()}
    held_out = {"".join(bodies[e.text_pair].split()) for e in loaded["boolq"].test}
    trained_on = {"".join("".join(d).split()) for d in corpora["boolq"].train}
    assert not held_out & trained_on


@pytest.mark.data
def test_the_passages_are_about_fifty_thousand_sentences(corpora):
    documents = whole(corpora["boolq"])
    assert len(documents) == 12_266  # of 12,271 five repeat another's text under another title
    assert 49_000 < sum(map(len, documents)) < 53_000
    assert not any(" -- " in d[0][:20] for d in documents[:2000])
