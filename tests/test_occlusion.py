"""Taking words away: what is left is classified as if the word had never been there."""

import pytest
import torch

from minibert.course.analysis.occlusion import occlude
from minibert.model.config import BertConfig
from minibert.model.task_heads import BertForSequenceClassification
from minibert.tokenization.tokenizer import Tokenizer

TOKENIZER = Tokenizer.train(
    ["这部电影很烂！ 真好看", "a dull film, badly made"], 120, min_frequency=1
)


@pytest.fixture
def model():
    torch.manual_seed(0)
    config = BertConfig.preset(
        "tiny", vocab_size=len(TOKENIZER), id2label={0: "negative", 1: "positive"}
    )
    return BertForSequenceClassification(config).train()


def chance(model, text, label=0):
    with torch.no_grad():
        return model.eval()(**TOKENIZER(text)).logits.softmax(-1)[0, label].item()


def test_each_effect_is_what_the_probability_loses(model):
    held = occlude(model, TOKENIZER, "这部电影很烂！", "negative")
    assert held.words == list("这部电影很烂！")
    assert held.probability == pytest.approx(chance(model, "这部电影很烂！"), abs=1e-6)
    assert held.without[5] == pytest.approx(chance(model, "这部电影很！"), abs=1e-6)
    assert held.effects[5] == held.probability - held.without[5]


def test_words_of_other_scripts_stay_whole(model):
    held = occlude(model, TOKENIZER, "a dull film", "positive")
    assert held.words == ["a", "dull", "film"]
    assert held.without[1] == pytest.approx(chance(model, "a film", 1), abs=1e-6)


def test_several_labels_are_asked_one_by_one(model):
    model.config = model.config.changed(problem_type="multi_label_classification")
    with torch.no_grad():
        logit = model.eval()(**TOKENIZER("a film")).logits[0, 0]
    held = occlude(model, TOKENIZER, "a film", "negative")
    assert held.probability == pytest.approx(logit.sigmoid().item(), abs=1e-6)


def test_dropout_is_off_meanwhile_and_the_mode_comes_back(model):
    assert occlude(model, TOKENIZER, "a film", "negative") == occlude(
        model, TOKENIZER, "a film", "negative"
    )
    assert model.training


@pytest.mark.parametrize(
    ("text", "label", "message"),
    [("a film", "good", "choose from negative, positive"), ("烂", "negative", "at least 2")],
)
def test_what_cannot_be_asked_is_said(model, text, label, message):
    with pytest.raises(ValueError, match=message):
        occlude(model, TOKENIZER, text, label)
