"""Metrics against scikit-learn, seqeval, and the worked examples of the official SQuAD script."""

import numpy as np
import pytest
import scipy.stats
import seqeval.metrics
import sklearn.metrics
from hypothesis import given, settings
from hypothesis import strategies as st
from seqeval.metrics.sequence_labeling import precision_recall_fscore_support as by_type
from sklearn.calibration import calibration_curve

from minibert.finetuning import metrics

classes = st.integers(1, 5).flatmap(
    lambda c: st.lists(
        st.tuples(st.integers(0, c), st.integers(0, c)), min_size=1, max_size=60
    ).map(lambda pairs: np.array(pairs).T)
)


@settings(deadline=None, max_examples=150)
@given(classes)
@pytest.mark.filterwarnings("ignore:A single label")
@pytest.mark.slow
def test_class_metrics_equal_scikit_learn(pair):
    y, p = pair
    sk = sklearn.metrics
    assert metrics.accuracy(y, p) == pytest.approx(sk.accuracy_score(y, p))
    assert metrics.f1(y, p, "macro") == pytest.approx(
        sk.f1_score(y, p, average="macro", zero_division=0)
    )
    assert metrics.f1(y, p, "micro") == pytest.approx(sk.f1_score(y, p, average="micro"))
    assert metrics.matthews_corrcoef(y, p) == pytest.approx(_reference_mcc(y, p), abs=1e-12)
    size = int(max(y.max(), p.max())) + 1
    expected = sk.confusion_matrix(y, p, labels=range(size))
    assert (metrics.confusion_matrix(y, p) == expected).all()
    precision, recall, f1, support = sk.precision_recall_fscore_support(y, p, zero_division=0)
    for i, scores in enumerate(metrics.class_scores(y, p).values()):
        assert scores == pytest.approx((precision[i], recall[i], f1[i], support[i]))


def _reference_mcc(y, p):
    # scikit-learn answers 0 for constant answers too, but warns about a single class.
    return 0.0 if len(set(y) | set(p)) == 1 else sklearn.metrics.matthews_corrcoef(y, p)


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 2**32 - 1), st.integers(2, 6), st.integers(1, 40))
@pytest.mark.slow
def test_multi_label_metrics_equal_scikit_learn(seed, columns, rows):
    rng = np.random.default_rng(seed)
    y, p = rng.integers(0, 2, (2, rows, columns))
    for average in ("macro", "micro"):
        expected = sklearn.metrics.f1_score(y, p, average=average, zero_division=0)
        assert metrics.f1(y, p, average) == pytest.approx(expected)
    assert metrics.accuracy(y, p) == pytest.approx(sklearn.metrics.accuracy_score(y, p))


def test_binary_f1_looks_at_the_positive_class_alone():
    y, p = ["spam", "ham", "spam", "ham"], ["spam", "spam", "ham", "ham"]
    expected = sklearn.metrics.f1_score(y, p, pos_label="spam")
    assert metrics.f1(y, p, "binary", positive="spam") == pytest.approx(expected)
    assert metrics.f1([0, 0], [0, 0], "binary") == 0.0


def test_majority_answer_has_high_accuracy_and_no_correlation():
    y = np.array([1] * 70 + [0] * 30)
    assert metrics.accuracy(y, np.ones(100, int)) == 0.7
    assert metrics.matthews_corrcoef(y, np.ones(100, int)) == 0.0


def test_confusion_matrix_has_true_classes_in_rows():
    assert metrics.confusion_matrix([0, 0, 1], [0, 1, 1], num_labels=3).tolist() == [
        [1, 1, 0],
        [0, 1, 0],
        [0, 0, 0],
    ]
    with pytest.raises(ValueError, match="between 0 and 1"):
        metrics.confusion_matrix([0, 2], [0, 1], num_labels=2)


def test_report_holds_the_figures_and_lines_up_with_chinese_names():
    report = metrics.classification_report([0, 0, 1, 1], [0, 1, 1, 1], ["差评", "positive"])
    lines = report.splitlines()
    assert lines[1].split() == ["差评", "1.000", "0.500", "0.667", "2"]
    assert lines[-1].split() == ["accuracy", "0.750", "4"]
    assert len({metrics._columns(line) for line in lines}) == 1


tags = st.sampled_from(["O", "B-PER", "I-PER", "B-LOC", "I-LOC"])
tagged = st.lists(
    st.lists(st.tuples(tags, tags), min_size=1, max_size=12), min_size=1, max_size=6
).map(lambda rows: ([[t for t, _ in row] for row in rows], [[g for _, g in row] for row in rows]))


@settings(deadline=None, max_examples=300)
@given(tagged)
@pytest.mark.filterwarnings("ignore::Warning")
@pytest.mark.slow
def test_entity_metrics_equal_seqeval(pair):
    y, p = pair
    assert metrics.entity_f1(y, p) == pytest.approx(seqeval.metrics.f1_score(y, p, zero_division=0))
    ours = metrics.entity_scores(y, p)
    if ours:
        expected = by_type(y, p, zero_division=0)
        for i, scores in enumerate(ours.values()):
            assert scores == pytest.approx([column[i] for column in expected])


def test_entity_needs_type_and_both_ends():
    truth = [["B-PER", "I-PER", "O", "B-LOC"]]
    assert metrics.entity_spans(truth[0]) == {("PER", 0, 1), ("LOC", 3, 3)}
    assert metrics.entity_f1(truth, truth) == 1.0
    assert metrics.entity_f1(truth, [["B-PER", "O", "O", "B-LOC"]]) == 0.5
    assert metrics.entity_f1(truth, [["B-LOC", "I-LOC", "O", "B-PER"]]) == 0.0
    with pytest.raises(ValueError, match="'X' at word 1"):
        metrics.entity_spans(["O", "X"])
    with pytest.raises(ValueError, match="sentence 0: 4 tags but 1 predicted"):
        metrics.entity_f1(truth, [["O"]])
    assert "LOC" in metrics.entity_report(truth, truth)


# Worked by hand through evaluate-v1.1.py / evaluate-v2.0.py: normalise, then count shared words.
SQUAD = [
    (["Denver Broncos"], "The Denver Broncos!", 1.0, 1.0),
    (["Denver Broncos", "the Broncos"], "Broncos", 1.0, 1.0),
    (["Santa Clara, California"], "Levi's Stadium in Santa Clara", 0.0, 2 * 2 / (3 + 5)),
    (["a cat and a cat"], "cat cat cat", 0.0, 2 * 2 / (3 + 3)),  # articles go, words pair off
    (["U.S."], "us", 1.0, 1.0),
    (["1,000"], "1000", 1.0, 1.0),
    (["gold"], "silver", 0.0, 0.0),
    ([], "", 1.0, 1.0),
    ([], "gold", 0.0, 0.0),
    (["gold"], "", 0.0, 0.0),
    (["the"], "a", 1.0, 1.0),  # both are empty after normalisation
    (["上海"], "上海", 1.0, 1.0),
]


@pytest.mark.parametrize(("answers", "prediction", "exact", "f1"), SQUAD)
def test_answers_are_scored_as_by_the_official_script(answers, prediction, exact, f1):
    assert metrics.squad_exact_match(answers, prediction) == exact
    assert metrics.squad_f1(answers, prediction) == pytest.approx(f1)


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 2**32 - 1), st.integers(1, 300), st.integers(2, 20))
def test_reliability_equals_scikit_learn(seed, n, bins):
    rng = np.random.default_rng(seed)
    p, y = rng.random(n), rng.integers(0, 2, n)
    accuracy, confidence = calibration_curve(y, p, n_bins=bins)
    ours = metrics.reliability_curve(p, y, bins)
    np.testing.assert_allclose(ours.accuracy, accuracy)
    np.testing.assert_allclose(ours.confidence, confidence)
    assert ours.counts.sum() == n
    assert metrics.brier_score(p, y) == pytest.approx(sklearn.metrics.brier_score_loss(y, p))
    both = np.stack([1 - p, p], 1)
    assert metrics.brier_score(both, y) == pytest.approx(2 * metrics.brier_score(p, y))


def test_calibration_error_by_hand():
    # Two at 0.9, one right: |0.9 - 0.5|; two at 0.6, both right: |0.6 - 1|. Mean 0.4.
    p = np.array([[0.9, 0.1], [0.9, 0.1], [0.4, 0.6], [0.6, 0.4]])
    assert metrics.expected_calibration_error(p, [0, 1, 1, 0]) == pytest.approx(0.4)
    sure = np.eye(3)[[0, 1, 2]]
    assert metrics.expected_calibration_error(sure, [0, 1, 2]) == 0.0
    assert metrics.brier_score(sure, [1, 2, 0]) == pytest.approx(2.0)
    with pytest.raises(ValueError, match="softmax"):
        metrics.expected_calibration_error([[3.0, -1.0]], [0])


def test_mean_interval_is_students():
    for n in (2, 3, 5, 11, 12, 20, 40):
        values = np.random.default_rng(n).normal(3.0, 2.0, n)
        mean, low, high = metrics.mean_interval(values)
        expected = scipy.stats.t.interval(0.95, n - 1, values.mean(), scipy.stats.sem(values))
        assert mean == pytest.approx(values.mean())
        assert (low, high) == pytest.approx(expected, abs=2e-3)
    with pytest.raises(ValueError, match="two runs or more"):
        metrics.mean_interval([0.5])


def test_wilson_interval_covers_as_often_as_it_says():
    rng = np.random.default_rng(0)
    hits = [
        low <= 0.15 <= high
        for low, high in (metrics.wilson_interval(k, 200) for k in rng.binomial(200, 0.15, 4000))
    ]
    assert 0.93 < np.mean(hits) < 0.97
    assert metrics.wilson_interval(0, 10)[0] == 0.0
    assert metrics.wilson_interval(10, 10)[1] == 1.0


@pytest.mark.parametrize("function", [metrics.accuracy, metrics.f1, metrics.matthews_corrcoef])
def test_bad_lengths_and_nothing_are_said_in_one_line(function):
    with pytest.raises(ValueError, match="one prediction for each label"):
        function([0, 1], [0])
    with pytest.raises(ValueError, match="nothing to score"):
        function([], [])
