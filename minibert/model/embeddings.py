"""From token ids to vectors: token + position + segment, then LayerNorm and dropout."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from minibert.model.config import BertConfig
from minibert.model.dropout import Dropout


def sinusoidal_positions(length: int, size: int) -> Tensor:
    """Fixed position vectors (Vaswani et al. 2017, section 3.5; claim B6).

    PE(pos, 2i) = sin(pos / 10000^(2i/size)) and PE(pos, 2i+1) = cos of the same angle.

    Args:
        length: number of positions.
        size: width of each vector; even.

    Returns:
        (length, size) float32. The angles are computed in float64: in float32 the angle of
        position 5,000 is already wrong in the fourth decimal.
    """
    position = torch.arange(length, dtype=torch.float64)[:, None]  # (length, 1)
    even = torch.arange(0, size, 2, dtype=torch.float64)  # the 2i of the formula
    angle = position / 10000 ** (even / size)  # (length, size/2)
    return torch.stack((angle.sin(), angle.cos()), dim=-1).flatten(1).float()


class BertEmbeddings(nn.Module):
    """The encoder's input: the sum of three look-ups, normalised (claim A3).

    All five source documents leave out the LayerNorm and the dropout after the sum.
    """

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        size = config.hidden_size
        self.max_position_embeddings = config.max_position_embeddings
        self.token = nn.Embedding(config.vocab_size, size, padding_idx=config.pad_token_id)
        self.segment = nn.Embedding(config.type_vocab_size, size)
        self.position: Tensor | nn.Parameter
        if config.position_embedding_type == "learned":
            self.position = nn.Parameter(torch.empty(config.max_position_embeddings, size))
        else:
            fixed = sinusoidal_positions(config.max_position_embeddings, size)
            self.register_buffer("position", fixed, persistent=False)
        self.norm = nn.LayerNorm(size, eps=config.layer_norm_eps)
        self.dropout = Dropout(config.hidden_dropout_prob)

    def forward(
        self,
        input_ids: Tensor,
        token_type_ids: Tensor | None = None,
        position_ids: Tensor | None = None,
        past: int = 0,
    ) -> Tensor:
        """Look up and add.

        Args:
            input_ids: (B, T) int64.
            token_type_ids: (B, T) int64, 0 for segment A and 1 for B; all 0 where not given.
            position_ids: (B, T) or (T,) int64; past ... past+T-1 where not given.
            past: positions that were read before.

        Returns:
            (B, T, hidden_size).

        Raises:
            ValueError: if the text is longer than the positions (claim B15).
        """
        length = past + input_ids.shape[1]
        if position_ids is None:
            if length > self.max_position_embeddings:
                raise ValueError(
                    f"{length} tokens, but this model reads at most "
                    f"{self.max_position_embeddings}: truncate the text or split it into windows"
                )
            position = self.position[past:length]  # (T, d)
        else:
            position = F.embedding(position_ids, self.position)
        if token_type_ids is None:
            segment = self.segment.weight[0]
        else:
            segment = self.segment(token_type_ids)
        # In the order of the reference, so that not even the rounding differs.
        embedded: Tensor = self.dropout(self.norm(self.token(input_ids) + segment + position))
        return embedded
