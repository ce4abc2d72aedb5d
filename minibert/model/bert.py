"""`BertModel`: embeddings, encoder, pooler."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from minibert.model.attention import KeyValueCache, PackedRows, combined_mask
from minibert.model.config import BertConfig
from minibert.model.embeddings import BertEmbeddings
from minibert.model.encoder import Encoder
from minibert.model.pretrained import PretrainedModel, initialize


@dataclass
class BertOutput:
    """What the encoder returns.

    Shapes: last_hidden_state (B, T, hidden_size); pooler_output (B, hidden_size) or `None`;
    hidden_states, where asked for, num_hidden_layers + 1 of (B, T, hidden_size), the embeddings
    first; attentions, where asked for, num_hidden_layers of (B, H, T, S).
    """

    last_hidden_state: Tensor
    pooler_output: Tensor | None = None
    hidden_states: tuple[Tensor, ...] | None = None
    attentions: tuple[Tensor, ...] | None = None


class BertModel(PretrainedModel):
    """BERT without a head (Devlin et al. 2019, section 3)."""

    architecture = "BertModel"
    may_be_new = ("pooler.",)

    def __init__(self, config: BertConfig, add_pooler: bool = True) -> None:
        super().__init__(config)
        self.embeddings = BertEmbeddings(config)
        self.encoder = Encoder(config)
        self.pooler = nn.Linear(config.hidden_size, config.hidden_size) if add_pooler else None
        initialize(self, config.initializer_range)

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        position_ids: Tensor | None = None,
        output_hidden_states: bool = False,
        output_attentions: bool = False,
        cache: KeyValueCache | None = None,
        positions: Tensor | None = None,
        cu_seqlens: Tensor | None = None,
        max_seqlen: int | None = None,
    ) -> BertOutput:
        """Read a batch.

        Args:
            input_ids: (B, T) int64.
            attention_mask: (B, S), 1 at real tokens and 0 at padding; S = T, or with a cache the
                past and the present together. `None` where nothing is padded.
            token_type_ids: (B, T), 0 for segment A and 1 for B.
            position_ids: (B, T) or (T,); where not given, counted on from the cached positions.
            output_hidden_states: also return the states of every layer.
            output_attentions: also return the attention weights.
            cache: keys and values of earlier positions; needs `is_causal`.
            positions: (n,) flat indices of the positions whose last state will be read: then
                `last_hidden_state` is (n, hidden_size), and the last layer is spared the rest.
            cu_seqlens, max_seqlen: of a packed batch: `input_ids` is (1, N), R rows laid end to
                end, see `PackedRows`. Then `pooler_output` is (R, hidden_size).

        Raises:
            ValueError: if the text is longer than the positions, a model that is not causal
                is given a cache, or a packed batch has no `max_seqlen`, or padding.
        """
        length = input_ids.shape[1]
        if cache is not None and not self.config.is_causal:
            raise ValueError(
                "a cache needs a causal model: in a full one the past reads the future"
            )
        rows: PackedRows | None = None
        if cu_seqlens is not None:
            if max_seqlen is None or attention_mask is not None or cache is not None:
                raise ValueError("a packed batch has max_seqlen, and neither padding nor a cache")
            rows = PackedRows(cu_seqlens, max_seqlen)
            position_ids = rows.places(length)[1] if position_ids is None else position_ids
        past = len(cache) if cache is not None else 0
        if past and attention_mask is None:
            attention_mask = input_ids.new_ones(input_ids.shape[0], past + length)
        hidden = self.embeddings(input_ids, token_type_ids, position_ids, past)
        mask: Tensor | PackedRows | None = rows
        if attention_mask is not None:
            mask = combined_mask(attention_mask.to(hidden.device), length, self.config.is_causal)
        if rows is None:
            first_tokens = torch.arange(0, input_ids.numel(), length, device=hidden.device)
        else:  # of an empty row some other token
            first_tokens = rows.cu_seqlens[:-1].long().clamp(max=length - 1)
        if positions is not None and self.pooler is not None:
            # The pooler reads [CLS] of every row: those come first.
            positions = torch.cat((first_tokens, positions))
        last, states, maps = self.encoder(
            hidden, mask, output_hidden_states, output_attentions, cache, positions
        )
        pooled = None
        if self.pooler is not None:
            if positions is None:
                first = last[:, 0] if rows is None else last[0, first_tokens]
            else:
                first, last = last.tensor_split([len(first_tokens)])
            # The first position alone, a dense layer and a tanh: trained by next sentence
            # prediction.
            pooled = torch.tanh(self.pooler(first))
        return BertOutput(last, pooled, states, maps)
