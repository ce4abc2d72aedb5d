"""Language-model heads: masked words, next sentences, the next word; and their losses."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from minibert.model.attention import KeyValueCache
from minibert.model.bert import BertModel, BertOutput
from minibert.model.config import BertConfig
from minibert.model.encoder import ACTIVATIONS
from minibert.model.loss import IGNORE_INDEX, chunked_loss, token_loss
from minibert.model.pretrained import PretrainedModel, initialize


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
        # In memory alone: a GPU multiplies a matrix of 30,528 rows far faster than one of 30,522.
        spare = 0 if hidden.device.type == "cpu" else -len(token_matrix) % 64
        if not spare:
            return F.linear(hidden, token_matrix, self.bias)
        token_matrix, bias = F.pad(token_matrix, (0, 0, 0, spare)), F.pad(self.bias, (0, spare))
        return F.linear(hidden, token_matrix, bias)[..., :-spare]

    def score(
        self, hidden: Tensor, token_matrix: Tensor, labels: Tensor | None, count: Any, short: bool
    ) -> tuple[Tensor, Tensor | None]:
        """Logits and their `token_loss`; if `short`, it alone, in chunks, and no logits."""
        if short and labels is not None and count is not None:
            predict = partial(self, token_matrix=token_matrix)
            nothing = hidden.new_empty(0, len(token_matrix))
            return nothing, chunked_loss(predict, hidden, labels, count)
        logits = self(hidden, token_matrix)
        return logits, token_loss(logits, labels, count)


def labels_at(labels: Tensor | None, positions: Tensor | None) -> Tensor | None:
    """The labels (n,) at flat positions, or all of them (B, T)."""
    return labels if labels is None or positions is None else labels.flatten()[positions]


class BertForPreTraining(PretrainedModel):
    """Masked language model and next sentence prediction together; the loss is their sum (C2)."""

    architecture = "BertForPreTraining"
    may_skip_logits = True
    first_label = 0
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
        label_count: Tensor | float | None = None,
        loss_only: bool = False,
        **encoder_options: Any,
    ) -> PreTrainingOutput:
        """Both tasks on one batch.

        Args:
            labels: (B, T), the original ids at the selected positions, -100 elsewhere.
            next_sentence_label: (B,), 0 where B follows A, 1 where it is random, -100 where there
                is no B; the loss is a mean over all rows, the latter counted as 0.
            masked_positions: (n_masked,) flat indices of the selected positions, from the
                collator; then only these are predicted, and nothing waits for the host.
            label_count: see `token_loss`.
            loss_only: with `label_count`, leave the logits empty, which saves their memory.
            encoder_options: see `BertModel`.
        """
        # Output matrix and last layer are computed where something is predicted, at 15 %.
        encoded = self.bert(
            input_ids, attention_mask, token_type_ids, positions=masked_positions, **encoder_options
        )
        states, matrix = encoded.last_hidden_state, self.bert.embeddings.token.weight
        labels = labels_at(labels, masked_positions)
        logits, mlm_loss = self.mlm.score(states, matrix, labels, label_count, loss_only)
        relation = self.nsp(encoded.pooler_output)
        nsp_loss = None
        if next_sentence_label is not None:
            # A mean over rows, so that parts of a batch add up; a row without a pair adds nothing.
            nsp_loss = F.cross_entropy(
                relation.float(), next_sentence_label, ignore_index=IGNORE_INDEX, reduction="sum"
            ) / len(relation)
        losses = [loss for loss in (mlm_loss, nsp_loss) if loss is not None]
        total = torch.stack(losses).sum() if losses else None
        return PreTrainingOutput(logits, relation, total, mlm_loss, nsp_loss, encoded)


class BertForMaskedLM(PretrainedModel):
    """Predict the masked tokens; no pooler."""

    architecture = "BertForMaskedLM"
    may_skip_logits = True
    first_label = 0
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
        label_count: Tensor | float | None = None,
        loss_only: bool = False,
        **encoder_options: Any,
    ) -> HeadOutput:
        """As `BertForPreTraining`, without the second task."""
        encoded = self.bert(
            input_ids, attention_mask, token_type_ids, positions=masked_positions, **encoder_options
        )
        states, matrix = encoded.last_hidden_state, self.bert.embeddings.token.weight
        labels = labels_at(labels, masked_positions)
        scored = self.mlm.score(states, matrix, labels, label_count, loss_only)
        return HeadOutput(*scored, encoded)


class BertForCausalLM(PretrainedModel):
    """The same stack behind a causal mask: a decoder-only language model (claims B3, B14)."""

    architecture = "BertLMHeadModel"
    may_skip_logits = True
    first_label = 1  # nothing predicts the first token
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
        label_count: Tensor | float | None = None,
        loss_only: bool = False,
        **encoder_options: Any,
    ) -> HeadOutput:
        """Predict at every position the token that follows.

        Args:
            labels: (B, T), usually `input_ids` with -100 at padding; shifted by one here. -100 at
                the first token of a packed row, too.
            cache: keys and values of earlier positions, extended in place.

        Returns:
            logits (B, T, V): row t is about the token at t + 1.
        """
        encoded = self.bert(
            input_ids, attention_mask, token_type_ids, position_ids, cache=cache, **encoder_options
        )
        states, matrix = encoded.last_hidden_state, self.bert.embeddings.token.weight
        following = labels[:, 1:] if labels is not None else None
        if loss_only:
            scored = self.mlm.score(states[:, :-1], matrix, following, label_count, True)
            return HeadOutput(*scored, encoded)
        logits = self.mlm(states, matrix)
        return HeadOutput(logits, token_loss(logits[:, :-1], following, label_count), encoded)
