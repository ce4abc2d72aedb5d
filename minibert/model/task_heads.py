"""Heads that are fine-tuned: a label a text, a label a token, an answer in a paragraph."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from minibert.model.bert import BertModel, BertOutput
from minibert.model.config import MULTI_LABEL, REGRESSION, SINGLE_LABEL, BertConfig
from minibert.model.dropout import Dropout
from minibert.model.heads import HeadOutput
from minibert.model.loss import token_loss
from minibert.model.pretrained import PretrainedModel, initialize


@dataclass
class AnswerOutput:
    """start_logits and end_logits (B, T)."""

    start_logits: Tensor
    end_logits: Tensor
    loss: Tensor | None = None
    encoder: BertOutput | None = None


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
            if self._problem_type(None) == REGRESSION:
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
        **encoder_options: Any,
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
        if problem_type == REGRESSION:
            return F.mse_loss(logits.reshape(labels.shape), labels.float())
        if problem_type == MULTI_LABEL:
            # One yes-or-no question a label: a softmax would make them compete (claim A16).
            return F.binary_cross_entropy_with_logits(logits, labels.float(), weight=weights)
        loss = F.cross_entropy(logits, labels, reduction="none")
        return (loss * weights[labels]).mean() if weights is not None else loss.mean()

    def _problem_type(self, labels: Tensor | None) -> str | None:
        if self.config.problem_type is not None:
            return self.config.problem_type
        if self.config.num_labels == 1:
            return REGRESSION
        if labels is not None and labels.is_floating_point():
            return MULTI_LABEL
        return SINGLE_LABEL


class BertForTokenClassification(PretrainedModel):
    """The same classifier on every token (claim C6); tokens that are not labelled carry -100."""

    architecture = "BertForTokenClassification"
    first_label = 0
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
        label_count: Tensor | float | None = None,
        **encoder_options: Any,
    ) -> HeadOutput:
        """Label each token; `labels` (B, T) int64 with -100 where there is none."""
        encoded = self.bert(input_ids, attention_mask, token_type_ids, **encoder_options)
        logits = self.classifier(self.dropout(encoded.last_hidden_state))
        return HeadOutput(logits, token_loss(logits, labels, label_count), encoded)


class BertForQuestionAnswering(PretrainedModel):
    """Where does the answer start and where does it end: one Linear(H, 2) (claims B23 to B26)."""

    architecture = "BertForQuestionAnswering"
    may_be_new = ("qa_outputs.",)
    learns_packed = False  # the softmax of its loss is over one row's positions

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
        **encoder_options: Any,
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
            if "cu_seqlens" in encoder_options:
                raise ValueError("the loss of an answer needs a row a text: pad the batch")
            start_loss = F.cross_entropy(start.float(), start_positions)
            end_loss = F.cross_entropy(end.float(), end_positions)
            loss = (start_loss + end_loss) / 2
        return AnswerOutput(start, end, loss, encoded)
