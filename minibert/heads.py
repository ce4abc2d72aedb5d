"""What stands on the encoder: one small module a task, and its loss."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from minibert.attention import KeyValueCache
from minibert.config import BertConfig
from minibert.dropout import Dropout
from minibert.encoder import ACTIVATIONS
from minibert.model import BertModel, BertOutput, PretrainedModel, initialize

IGNORED = -100  # the label of a position where nothing is predicted


@dataclass
class PreTrainingOutput:
    """prediction_logits (n_masked, V) or (B, T, V); seq_relationship_logits (B, 2)."""

    prediction_logits: Tensor
    seq_relationship_logits: Tensor
    loss: Tensor | None = None
    mlm_loss: Tensor | None = None
    nsp_loss: Tensor | None = None
    encoder: BertOutput | None = None


@dataclass
class HeadOutput:
    """logits: (B, num_labels), (B, T, num_labels), (B, T, V) or (n_masked, V), by the head."""

    logits: Tensor
    loss: Tensor | None = None
    encoder: BertOutput | None = None


@dataclass
class AnswerOutput:
    """start_logits and end_logits (B, T)."""

    start_logits: Tensor
    end_logits: Tensor
    loss: Tensor | None = None
    encoder: BertOutput | None = None


def token_loss(logits: Tensor, labels: Tensor, label_count: float | None = None) -> Tensor:
    """Cross-entropy averaged over the labelled positions; 0 where there is none.

    Args:
        logits: (..., V).
        labels: (...), -100 where nothing is predicted.
        label_count: divide by this instead of by the labels that are here. The trainer gives
            each part of a batch its share of the whole batch's labels, so that accumulated and
            parallel steps add up to exactly the one large step.
    """
    logits, labels = logits.flatten(0, -2).float(), labels.flatten()
    total = F.cross_entropy(logits, labels, ignore_index=IGNORED, reduction="sum")
    if label_count is None:
        # The mean of nothing is NaN, and so would be every loss that it is added to.
        return total / (labels != IGNORED).sum().clamp(min=1)
    return total / label_count


class MaskedLMHead(nn.Module):
    """Dense, activation, LayerNorm, then the token matrix again as output matrix, plus a bias."""

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.dense = nn.Linear(config.hidden_size, config.hidden_size)
        self.activation = ACTIVATIONS[config.hidden_act]
        self.norm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.bias = nn.Parameter(torch.zeros(config.vocab_size))
        initialize(self, config.initializer_range)

    def forward(self, hidden: Tensor, token_matrix: Tensor) -> Tensor:
        """(..., hidden_size) and the tied (V, hidden_size) to logits (..., V)."""
        hidden = self.norm(self.activation(self.dense(hidden)))
        return F.linear(hidden, token_matrix, self.bias)


def labels_at(labels: Tensor | None, positions: Tensor | None) -> Tensor | None:
    """The labels (n,) at flat positions, or all of them (B, T)."""
    return labels if labels is None or positions is None else labels.flatten()[positions]


class BertForPreTraining(PretrainedModel):
    """Masked language model and next sentence prediction together; the loss is their sum (C2)."""

    architecture = "BertForPreTraining"
    may_be_new = ("bert.pooler.", "mlm.", "nsp.")

    def __init__(self, config: BertConfig) -> None:
        super().__init__(config)
        self.bert = BertModel(config)
        self.mlm = MaskedLMHead(config)
        self.nsp = nn.Linear(config.hidden_size, 2)
        initialize(self.nsp, config.initializer_range)

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        labels: Tensor | None = None,
        next_sentence_label: Tensor | None = None,
        masked_positions: Tensor | None = None,
        label_count: float | None = None,
        **encoder_options: bool,
    ) -> PreTrainingOutput:
        """Both tasks on one batch.

        Args:
            labels: (B, T), the original ids at the selected positions, -100 elsewhere.
            next_sentence_label: (B,), 0 where B follows A, 1 where it is random, -100 where there
                is no B; the loss is a mean over all rows, the latter counted as 0.
            masked_positions: (n_masked,) flat indices of the selected positions, from the
                collator; then only these are predicted, and nothing waits for the host.
            label_count: see `token_loss`.
            encoder_options: `output_hidden_states`, `output_attentions`.
        """
        encoded = self.bert(
            input_ids,
            attention_mask,
            token_type_ids,
            # Output matrix and last layer are computed where something is predicted, at 15 %.
            positions=masked_positions,
            **encoder_options,
        )
        logits = self.mlm(encoded.last_hidden_state, self.bert.embeddings.token.weight)
        labels = labels_at(labels, masked_positions)
        relation = self.nsp(encoded.pooler_output)
        mlm_loss = token_loss(logits, labels, label_count) if labels is not None else None
        nsp_loss = None
        if next_sentence_label is not None:
            # A mean over rows, so that parts of a batch add up; a row without a pair adds nothing.
            nsp_loss = F.cross_entropy(
                relation.float(), next_sentence_label, ignore_index=IGNORED, reduction="sum"
            ) / len(relation)
        losses = [loss for loss in (mlm_loss, nsp_loss) if loss is not None]
        total = torch.stack(losses).sum() if losses else None
        return PreTrainingOutput(logits, relation, total, mlm_loss, nsp_loss, encoded)


class BertForMaskedLM(PretrainedModel):
    """Fill in the blanks; no pooler."""

    architecture = "BertForMaskedLM"
    may_be_new = ("mlm.",)

    def __init__(self, config: BertConfig) -> None:
        super().__init__(config)
        self.bert = BertModel(config, add_pooler=False)
        self.mlm = MaskedLMHead(config)

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        labels: Tensor | None = None,
        masked_positions: Tensor | None = None,
        label_count: float | None = None,
        **encoder_options: bool,
    ) -> HeadOutput:
        """As `BertForPreTraining`, without the second task."""
        encoded = self.bert(
            input_ids,
            attention_mask,
            token_type_ids,
            # Output matrix and last layer are computed where something is predicted, at 15 %.
            positions=masked_positions,
            **encoder_options,
        )
        logits = self.mlm(encoded.last_hidden_state, self.bert.embeddings.token.weight)
        labels = labels_at(labels, masked_positions)
        loss = token_loss(logits, labels, label_count) if labels is not None else None
        return HeadOutput(logits, loss, encoded)


class BertForCausalLM(PretrainedModel):
    """The same stack behind a causal mask: a decoder-only language model (claims B3, B14)."""

    architecture = "BertLMHeadModel"
    may_be_new = ("mlm.",)

    def __init__(self, config: BertConfig) -> None:
        super().__init__(replace(config, is_causal=True))
        self.bert = BertModel(self.config, add_pooler=False)
        self.mlm = MaskedLMHead(self.config)

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        labels: Tensor | None = None,
        position_ids: Tensor | None = None,
        cache: KeyValueCache | None = None,
        label_count: float | None = None,
        **encoder_options: bool,
    ) -> HeadOutput:
        """Predict at every position the token that follows.

        Args:
            labels: (B, T), usually `input_ids` with -100 at padding; shifted by one here.
            cache: keys and values of earlier positions, extended in place.

        Returns:
            logits (B, T, V): row t is about the token at t + 1.
        """
        encoded = self.bert(
            input_ids, attention_mask, token_type_ids, position_ids, cache=cache, **encoder_options
        )
        logits = self.mlm(encoded.last_hidden_state, self.bert.embeddings.token.weight)
        loss = None
        if labels is not None:
            loss = token_loss(logits[:, :-1], labels[:, 1:], label_count)
        return HeadOutput(logits, loss, encoded)


class BertForSequenceClassification(PretrainedModel):
    """`[CLS]`, pooler, dropout, linear (claims A8, C5: the softmax belongs to the loss).

    Args:
        class_weights: one factor a class on its examples' losses, for unbalanced labels. The loss
            stays the plain mean over the examples, so that it does not depend on how a batch is
            cut into parts. Not for regression.

    Raises:
        ValueError: if there are not as many weights as classes.
    """

    architecture = "BertForSequenceClassification"
    may_be_new = ("bert.pooler.", "classifier.")
    extra_arguments = ("class_weights",)

    def __init__(
        self, config: BertConfig, class_weights: Sequence[float] | Tensor | None = None
    ) -> None:
        super().__init__(config)
        self.bert = BertModel(config)
        self.dropout = Dropout(config.hidden_dropout_prob)
        self.classifier = nn.Linear(config.hidden_size, config.num_labels)
        initialize(self.classifier, config.initializer_range)
        if class_weights is not None:
            weights = torch.as_tensor(class_weights, dtype=torch.float32)
            if weights.shape != (config.num_labels,):
                raise ValueError(f"{weights.numel()} class weights for {config.num_labels} classes")
            if self._problem_type(None) == "regression":
                raise ValueError("class weights are for classes: regression has none")
            class_weights = weights
        self.class_weights: Tensor | None
        self.register_buffer("class_weights", class_weights, persistent=False)

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        labels: Tensor | None = None,
        **encoder_options: bool,
    ) -> HeadOutput:
        """Classify each text.

        Args:
            labels: (B,) int64 for one class a text; (B, num_labels) of 0 and 1 for several;
                (B,) or (B, num_labels) float for regression. Where the configuration leaves
                `problem_type` open it follows from them, as in the reference: one output means
                regression, whole numbers mean one class, others mean several.
        """
        encoded = self.bert(input_ids, attention_mask, token_type_ids, **encoder_options)
        logits = self.classifier(self.dropout(encoded.pooler_output))
        loss = self._loss(logits.float(), labels) if labels is not None else None
        return HeadOutput(logits, loss, encoded)

    def _loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        weights, problem_type = self.class_weights, self._problem_type(labels)
        if problem_type == "regression":
            return F.mse_loss(logits.reshape(labels.shape), labels.float())
        if problem_type == "multi_label_classification":
            # One yes-or-no question a label: a softmax would make them compete (claim A16).
            return F.binary_cross_entropy_with_logits(logits, labels.float(), weight=weights)
        loss = F.cross_entropy(logits, labels, reduction="none")
        return (loss * weights[labels]).mean() if weights is not None else loss.mean()

    def _problem_type(self, labels: Tensor | None) -> str | None:
        if self.config.problem_type is not None:
            return self.config.problem_type
        if self.config.num_labels == 1:
            return "regression"
        if labels is not None and labels.is_floating_point():
            return "multi_label_classification"
        return "single_label_classification"


class BertForTokenClassification(PretrainedModel):
    """The same classifier on every token (claim C6); pieces that are not labelled carry -100."""

    architecture = "BertForTokenClassification"
    may_be_new = ("classifier.",)

    def __init__(self, config: BertConfig) -> None:
        super().__init__(config)
        self.bert = BertModel(config, add_pooler=False)
        self.dropout = Dropout(config.hidden_dropout_prob)
        self.classifier = nn.Linear(config.hidden_size, config.num_labels)
        initialize(self.classifier, config.initializer_range)

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        labels: Tensor | None = None,
        label_count: float | None = None,
        **encoder_options: bool,
    ) -> HeadOutput:
        """Label each token; `labels` (B, T) int64 with -100 where there is none."""
        encoded = self.bert(input_ids, attention_mask, token_type_ids, **encoder_options)
        logits = self.classifier(self.dropout(encoded.last_hidden_state))
        loss = token_loss(logits, labels, label_count) if labels is not None else None
        return HeadOutput(logits, loss, encoded)


class BertForQuestionAnswering(PretrainedModel):
    """Where does the answer start and where does it end: one Linear(H, 2) (claims B23 to B26)."""

    architecture = "BertForQuestionAnswering"
    may_be_new = ("qa_outputs.",)

    def __init__(self, config: BertConfig) -> None:
        # The reference makes as many outputs as there are labels: here always start and end.
        super().__init__(replace(config, num_labels=2, id2label=None))
        self.bert = BertModel(self.config, add_pooler=False)
        self.qa_outputs = nn.Linear(config.hidden_size, 2)
        initialize(self.qa_outputs, config.initializer_range)

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        start_positions: Tensor | None = None,
        end_positions: Tensor | None = None,
        **encoder_options: bool,
    ) -> AnswerOutput:
        """Score every position.

        Args:
            start_positions, end_positions: (B,), the first and the last token of the answer; the
                position of `[CLS]`, 0, where this text has none.

        Returns:
            the loss is the mean of the two cross-entropies, as in the reference (claim B26).
        """
        encoded = self.bert(input_ids, attention_mask, token_type_ids, **encoder_options)
        start, end = self.qa_outputs(encoded.last_hidden_state).unbind(-1)  # each (B, T)
        loss = None
        if start_positions is not None and end_positions is not None:
            start_loss = F.cross_entropy(start.float(), start_positions)
            end_loss = F.cross_entropy(end.float(), end_positions)
            loss = (start_loss + end_loss) / 2
        return AnswerOutput(start, end, loss, encoded)


def best_spans(
    start_logits: Tensor, end_logits: Tensor, context_mask: Tensor, max_answer_tokens: int = 30
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The most probable answer of each text, over all pairs start <= end at once (claim B25).

    Args:
        start_logits, end_logits: (B, T).
        context_mask: (B, T) bool, `True` at the paragraph's tokens. A text that has none gets a
            score of minus infinity.
        max_answer_tokens: longest answer, in tokens.

    Returns:
        start, end (B,) positions; their score (B,), the sum of both logits, which orders spans as
        the product of probabilities does; and the score (B,) of the null answer, both at `[CLS]`.
    """
    length = start_logits.shape[1]
    start = start_logits.float().masked_fill(~context_mask, -torch.inf)
    end = end_logits.float().masked_fill(~context_mask, -torch.inf)
    pairs = start[:, :, None] + end[:, None, :]  # (B, start, end)
    allowed = torch.ones(length, length, dtype=torch.bool, device=pairs.device)
    allowed = allowed.triu().tril(max_answer_tokens - 1)  # start <= end < start + longest
    score, flat = pairs.masked_fill(~allowed, -torch.inf).flatten(1).max(dim=1)
    null_score = start_logits[:, 0].float() + end_logits[:, 0].float()
    return flat // length, flat % length, score, null_score
