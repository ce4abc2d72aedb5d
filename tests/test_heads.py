"""The heads: losses that add up, labels that are left out, answers that are found."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.testing import assert_close

from minibert.finetuning.answering import best_spans
from minibert.model.bert import BertModel
from minibert.model.config import BertConfig
from minibert.model.heads import BertForCausalLM, BertForMaskedLM, BertForPreTraining
from minibert.model.loss import token_loss
from minibert.model.task_heads import (
    BertForQuestionAnswering,
    BertForSequenceClassification,
    BertForTokenClassification,
)

VOCABULARY, ROWS, LENGTH = 60, 4, 10
CONFIG = BertConfig(
    vocab_size=VOCABULARY,
    hidden_size=16,
    num_hidden_layers=2,
    num_attention_heads=2,
    intermediate_size=32,
    max_position_embeddings=16,
    num_labels=3,
    initializer_range=0.2,
)


def make(kind, *arguments, **changes):
    torch.manual_seed(0)
    return kind(CONFIG.changed(**changes), *arguments).eval()


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(1)
    ids = torch.randint(5, VOCABULARY, (ROWS, LENGTH), generator=generator)
    labels = ids.masked_fill(torch.rand(ROWS, LENGTH, generator=generator) > 0.3, -100)
    assert 5 < (labels != -100).sum() < 20
    mask = torch.ones_like(ids)
    mask[1, 7:] = 0
    labels[1, 7:] = -100
    return {"input_ids": ids, "attention_mask": mask, "labels": labels}


def positions(labels):
    return (labels.flatten() != -100).nonzero().squeeze(1)


def gradients(model, loss):
    model.zero_grad()
    loss.backward()
    return {
        name: torch.zeros_like(parameter) if parameter.grad is None else parameter.grad.clone()
        for name, parameter in model.named_parameters()
    }


# ---------------------------------------------------------------- pre-training


@pytest.mark.parametrize("kind", [BertForPreTraining, BertForMaskedLM])
def test_predicting_only_the_masked_positions_is_the_same(kind, batch):
    model = make(kind)
    found = positions(batch["labels"])
    full, short = model(**batch), model(**batch, masked_positions=found)
    logits = [
        getattr(out, "prediction_logits", getattr(out, "logits", None)) for out in (full, short)
    ]
    assert logits[0].shape == (ROWS, LENGTH, VOCABULARY)
    assert logits[1].shape == (len(found), VOCABULARY)
    assert_close(logits[1], logits[0].flatten(0, 1)[found], atol=1e-6, rtol=0)
    assert_close(short.loss, full.loss, atol=1e-6, rtol=0)
    one, other = gradients(model, full.loss), gradients(model, short.loss)
    for name in one:
        assert_close(one[name], other[name], atol=1e-6, rtol=1e-5)


def test_the_pretraining_loss_is_the_sum_of_both_and_so_are_its_gradients(batch):
    model = make(BertForPreTraining)
    truth = torch.tensor([0, 1, 1, 0])
    both = model(**batch, next_sentence_label=truth)
    assert_close(both.loss, both.mlm_loss + both.nsp_loss)
    inputs = {name: batch[name] for name in ("input_ids", "attention_mask")}
    mlm = model(**batch)
    nsp = model(**inputs, next_sentence_label=truth)
    assert mlm.nsp_loss is None
    assert nsp.mlm_loss is None
    assert model(**inputs).loss is None
    total = gradients(model, both.loss)
    first, second = gradients(model, mlm.loss), gradients(model, nsp.loss)
    for name in total:
        assert_close(total[name], first[name] + second[name], atol=1e-6, rtol=1e-5)
    assert first["nsp.weight"].abs().max() == 0
    assert second["mlm.dense.weight"].abs().max() == 0
    assert first["bert.encoder.layers.0.attention.output.weight"].abs().max() > 0
    assert second["bert.encoder.layers.0.attention.output.weight"].abs().max() > 0


def test_the_losses_are_the_mean_log_probabilities(batch):
    output = make(BertForPreTraining)(**batch, next_sentence_label=torch.tensor([0, 1, 1, 0]))
    logs = output.prediction_logits.log_softmax(-1)
    wanted = [
        -logs[row, place, label]
        for row, line in enumerate(batch["labels"].tolist())
        for place, label in enumerate(line)
        if label != -100
    ]
    assert_close(output.mlm_loss, torch.stack(wanted).mean())
    nsp = -output.seq_relationship_logits.log_softmax(-1)[range(4), [0, 1, 1, 0]].mean()
    assert_close(output.nsp_loss, nsp)


def test_the_output_matrix_is_the_token_matrix(batch):
    model = make(BertForMaskedLM)
    assert sum(p.numel() for p in model.mlm.parameters()) == 16 * 16 + 16 + 2 * 16 + VOCABULARY
    batch["input_ids"][batch["input_ids"] == 7] = 8  # read nowhere, it can still be written
    before = model(**batch).logits
    model.bert.embeddings.token.weight.data[7, 0] += 1
    moved = model(**batch).logits != before
    assert moved[..., 7].all()
    assert not moved[..., :7].any()


def test_parts_of_a_batch_with_a_common_count_add_up_to_the_whole(batch):
    model = make(BertForMaskedLM)
    count = (batch["labels"] != -100).sum().item()
    parts = [{name: value[rows] for name, value in batch.items()} for rows in ([0], [1, 2, 3])]
    shares = [(part["labels"] != -100).sum().item() for part in parts]
    assert shares[0] != shares[1]  # else plain means would add up, too
    summed = sum(model(**part, label_count=count).loss for part in parts)
    assert_close(summed, model(**batch).loss)


def test_a_batch_without_labels_costs_nothing_and_breaks_nothing(batch):
    # A mean over no position is NaN, and one such batch would end a training.
    model = make(BertForMaskedLM)
    nothing = torch.full_like(batch["labels"], -100)
    for chosen in ({}, {"masked_positions": positions(nothing)}):
        loss = model(batch["input_ids"], labels=nothing, **chosen).loss
        assert loss.item() == 0
        assert all(grad.abs().max() == 0 for grad in gradients(model, loss).values())


def test_token_loss_is_taken_in_float32():
    logits = torch.randn(5, 9, generator=torch.Generator().manual_seed(0))
    labels = torch.tensor([1, 2, -100, 4, 5])
    assert token_loss(logits.bfloat16(), labels).dtype == torch.float32


def test_a_causal_model_predicts_the_next_token(batch):
    output = make(BertForCausalLM)(**batch)
    logs = output.logits.log_softmax(-1)
    wanted = [
        -logs[row, place - 1, label]
        for row, line in enumerate(batch["labels"].tolist())
        for place, label in enumerate(line)
        if label != -100 and place > 0
    ]
    assert_close(output.loss, torch.stack(wanted).mean())


# ---------------------------------------------------------------- classification


@pytest.fixture
def texts(batch):
    return {name: batch[name] for name in ("input_ids", "attention_mask")}


def test_class_weights_multiply_the_losses_of_their_class(texts):
    labels, factors = torch.tensor([2, 0, 0, 1]), [0.5, 1.0, 4.0]
    plain = make(BertForSequenceClassification)
    weighted = make(BertForSequenceClassification, factors)
    logits = plain(**texts).logits
    assert torch.equal(weighted(**texts).logits, logits)
    each = F.cross_entropy(logits, labels, reduction="none")
    expected = (each * torch.tensor([4.0, 0.5, 0.5, 1.0])).mean()
    assert_close(weighted(**texts, labels=labels).loss, expected)
    assert_close(plain(**texts, labels=labels).loss, each.mean())
    assert "class_weights" not in weighted.state_dict()


def test_class_weights_of_several_labels(texts):
    labels, factors = torch.tensor([[1, 0, 0], [0, 1, 1], [0, 0, 0], [1, 1, 1]]), [0.5, 1.0, 4.0]
    model = make(BertForSequenceClassification, factors, problem_type="multi_label_classification")
    output = model(**texts, labels=labels)
    each = F.binary_cross_entropy_with_logits(output.logits, labels.float(), reduction="none")
    assert_close(output.loss, (each * torch.tensor(factors)).mean())


def test_weights_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="2 class weights for 3 classes"):
        make(BertForSequenceClassification, [1.0, 2.0])
    with pytest.raises(ValueError, match="regression has none"):
        make(BertForSequenceClassification, [1.0] * 3, problem_type="regression")


@pytest.mark.parametrize("shape", [(ROWS,), (ROWS, 1)])
def test_regression_compares_each_score_with_its_own_label(texts, shape):
    # Shapes (B, 1) and (B,) would broadcast to all pairs, and train towards the mean.
    model = make(BertForSequenceClassification, num_labels=1)
    labels = torch.tensor([0.0, 1.0, -2.0, 5.0]).view(shape)
    output = model(**texts, labels=labels)
    assert_close(output.loss, (output.logits.flatten() - labels.flatten()).square().mean())


def test_token_labels_of_minus_hundred_are_left_out(texts):
    model = make(BertForTokenClassification)
    labels = torch.randint(0, 3, (ROWS, LENGTH), generator=torch.Generator().manual_seed(2))
    labels[:, ::2] = -100
    output = model(**texts, labels=labels)
    logs = output.logits.log_softmax(-1)[:, 1::2].flatten(0, 1)
    picked = logs[range(len(logs)), labels[:, 1::2].flatten()]
    assert_close(output.loss, -picked.mean())


def test_the_pooler_reads_the_first_position_only(texts):
    model = make(BertModel)
    states, pooled = model(**texts).last_hidden_state, model(**texts).pooler_output
    expected = torch.tanh(states[:, 0] @ model.pooler.weight.T + model.pooler.bias)
    assert_close(pooled, expected, atol=1e-6, rtol=0)


# ---------------------------------------------------------------- answers


def test_the_answer_loss_is_the_mean_of_both_ends(texts):
    model = make(BertForQuestionAnswering)
    start, end = torch.tensor([1, 0, 3, 2]), torch.tensor([4, 0, 3, 5])
    output = model(**texts, start_positions=start, end_positions=end)
    losses = F.cross_entropy(output.start_logits, start), F.cross_entropy(output.end_logits, end)
    assert_close(output.loss, (losses[0] + losses[1]) / 2)
    assert model.config.num_labels == 2  # whatever the configuration said


def brute_force(start, end, context, longest):
    """The best span by trying all of them; `None` where the context is empty."""
    best = None
    for first in range(len(start)):
        for last in range(first, min(len(start), first + longest)):
            if context[first] and context[last]:
                score = start[first] + end[last]
                if best is None or score > best[0]:
                    best = (score, first, last)
    return best


@settings(deadline=None, max_examples=150)
@given(st.data())
@pytest.mark.slow
def test_the_span_search_finds_what_trying_all_finds(data):
    length = data.draw(st.integers(1, 12))
    rows = data.draw(st.integers(1, 3))
    longest = data.draw(st.integers(1, 14))
    seed = data.draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    start, end = rng.permutation(2 * rows * length).reshape(2, rows, length) / 7.0
    context = rng.random((rows, length)) < data.draw(st.sampled_from([0.1, 0.5, 1.0]))
    first, last, score, null = best_spans(
        torch.tensor(start), torch.tensor(end), torch.tensor(context), longest
    )
    for row in range(rows):
        expected = brute_force(start[row], end[row], context[row], longest)
        assert null[row].item() == pytest.approx(start[row, 0] + end[row, 0])
        if expected is None:
            assert score[row] == -torch.inf
            continue
        # Where two spans tie, either may be found.
        assert score[row].item() == pytest.approx(expected[0], rel=1e-6)
        found = start[row, first[row]] + end[row, last[row]]
        assert found == pytest.approx(expected[0], rel=1e-6)
        assert first[row] <= last[row] < first[row] + longest
        assert context[row, first[row]]
        assert context[row, last[row]]


def test_the_null_answer_is_both_ends_at_cls_and_never_a_span():
    start = torch.tensor([[9.0, 1.0, 2.0, 0.0]])
    end = torch.tensor([[8.0, 0.0, 1.0, 3.0]])
    context = torch.tensor([[False, True, True, True]])
    first, last, score, null = best_spans(start, end, context)
    assert (first.item(), last.item(), score.item(), null.item()) == (2, 3, 5.0, 17.0)


def test_an_answer_is_not_longer_than_the_cap():
    start, end = torch.tensor([[0.0, 5.0, 0.0, 0.0, 0.0]]), torch.tensor([[0.0, 0, 1, 0, 5]])
    context = torch.ones(1, 5, dtype=torch.bool)
    for longest, expected in ((4, (1, 4)), (3, (1, 2))):
        first, last, _, _ = best_spans(start, end, context, max_answer_tokens=longest)
        assert (first.item(), last.item()) == expected


@pytest.mark.parametrize("kind", [BertForPreTraining, BertForMaskedLM, BertForCausalLM])
def test_the_loss_alone_in_chunks_is_the_loss(kind, batch, monkeypatch):
    model = make(kind)
    labels = batch["labels"] if kind is not BertForCausalLM else batch["input_ids"]
    batch = {**batch, "labels": labels, "label_count": torch.tensor(5.0)}
    results = []
    for chunk in (None, 10**6, 7):
        model.zero_grad()
        if chunk is not None:
            monkeypatch.setattr("minibert.model.loss._CHUNK", chunk)
        output = model(**batch, loss_only=chunk is not None)
        output.loss.backward()
        results.append((output.loss.detach(), [p.grad for p in model.parameters()]))
    logits = output.prediction_logits if kind is BertForPreTraining else output.logits
    assert logits.numel() == 0
    for other in results[1:]:
        torch.testing.assert_close(other, results[0], rtol=1e-5, atol=1e-6)


def test_on_a_gpu_the_output_matrix_is_wider_than_the_vocabulary_and_nobody_sees_it(monkeypatch):
    made = BertForMaskedLM(CONFIG).to("meta")
    widths = []
    linear = torch.nn.functional.linear
    monkeypatch.setattr(
        "minibert.model.heads.F.linear", lambda *a: widths.append(len(a[1])) or linear(*a)
    )
    logits = made(torch.zeros(2, 5, dtype=torch.int64, device="meta")).logits
    assert CONFIG.vocab_size % 64
    assert widths[-1] % 64 == 0
    assert logits.shape == (2, 5, CONFIG.vocab_size)
    assert made.state_dict()["mlm.bias"].shape == (CONFIG.vocab_size,)
