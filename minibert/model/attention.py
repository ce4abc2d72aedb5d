"""Attention: which tokens attend to which, how much, and what comes of it.

Masks are boolean everywhere, `True` where a query may attend to a key, and broadcast to
(B, H, T, S): T queries, S keys.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from minibert.model.config import BertConfig
from minibert.model.dropout import dropout


def causal_mask(length: int, past: int = 0, device: torch.device | None = None) -> Tensor:
    """Each position sees itself and what came before, never the future (claim B13).

    Args:
        length: queries.
        past: positions before them that are already cached and may all be seen.

    Returns:
        (length, past + length) bool.
    """
    return torch.ones(length, past + length, dtype=torch.bool, device=device).tril(past)


def padding_mask(attention_mask: Tensor) -> Tensor:
    """(B, S) with 1 at real tokens and 0 at padding, as (B, 1, 1, S) bool (claim B31)."""
    return attention_mask[:, None, None, :].bool()


def combined_mask(attention_mask: Tensor | None, length: int, is_causal: bool) -> Tensor | None:
    """One mask out of padding and causality; `None` where every token may attend to every token.

    Args:
        attention_mask: (B, S), 1 at real tokens, over past and present; or `None`.
        length: queries, the last `length` of the S positions.
        is_causal: hide the future.

    Returns:
        bool, broadcastable to (B, H, length, S), or `None`.
    """
    if attention_mask is None:
        return causal_mask(length) if is_causal else None
    allowed = padding_mask(attention_mask)  # (B, 1, 1, S)
    if not is_causal:
        return allowed
    past = attention_mask.shape[1] - length
    allowed = allowed & causal_mask(length, past, attention_mask.device)  # (B, 1, length, S)
    # A padded slot to the left of its text would see nothing at all, and the softmax of nothing
    # is NaN. It may see itself: no real position ever reads it.
    sees_nothing = ~allowed.any(dim=-1, keepdim=True)
    itself = torch.ones_like(allowed).tril(past).triu(past)
    return allowed | (sees_nothing & itself)


def attention(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None, dropout_prob: float = 0.0
) -> tuple[Tensor, Tensor]:
    """Scaled dot-product attention, explicitly: softmax(Q K^T / sqrt(d)) V (claim A12).

    Args:
        query: (B, H, T, d).
        key, value: (B, H, S, d).
        mask: bool, broadcastable to (B, H, T, S), `True` where a query may attend to a key.
        dropout_prob: probability of zeroing a weight.

    Returns:
        the mixed values (B, H, T, d) and the weights (B, H, T, S), each row of which sums to 1.
    """
    # The root divides the queries, not the scores: the same product, but (T, d) and not (T, S) of
    # them to divide.
    scores = (query / math.sqrt(query.shape[-1])) @ key.mT  # (B, H, T, S)
    if mask is not None:
        # Before the softmax: zeroing weights after it would leave rows that sum to less than 1.
        scores = scores.masked_fill(~mask, -torch.inf)
    weights = scores.softmax(dim=-1)
    mixed = (dropout(weights, dropout_prob) if dropout_prob else weights) @ value
    return mixed, weights


class PackedRows(NamedTuple):
    """Where the rows of a packed batch begin: rows laid end to end, without padding, as (1, N).

    What treats each position by itself needs no change; in attention, a token may attend to its own
    row only. On a GPU FlashAttention is told where the rows begin (Dao 2023); elsewhere they are
    padded for attention, and for it alone.

    cu_seqlens: (R + 1,) int32, the first token of each row and at the end N; rows may be empty.
    max_seqlen: tokens of the longest row, or more.
    """

    cu_seqlens: Tensor
    max_seqlen: int

    def places(self, tokens: int) -> tuple[Tensor, Tensor]:
        """The row and the position in it of each of N tokens, both (N,) int64."""
        number = torch.arange(tokens, dtype=torch.int32, device=self.cu_seqlens.device)
        row = torch.searchsorted(self.cu_seqlens, number, right=True) - 1
        return row, (number - self.cu_seqlens[row]).long()

    def pad(self, packed: Tensor) -> tuple[Tensor, Tensor]:
        """(N, ...) as (R, max_seqlen, ...), and its mask (R, max_seqlen), True at real tokens."""
        starts = self.cu_seqlens.long()
        column = torch.arange(self.max_seqlen, device=starts.device)
        # An empty row gets a token that nobody reads: the softmax of nothing would be NaN.
        is_real = column < starts.diff().clamp(min=1)[:, None]
        index = (starts[:-1, None] + column).clamp(max=len(packed) - 1)  # (R, max_seqlen)
        return packed.index_select(0, index.flatten()).unflatten(0, index.shape), is_real


def has_packed_kernel(tensor: Tensor) -> bool:
    """Whether FlashAttention runs here: 16-bit numbers on a GPU of Ampere's generation or newer."""
    if tensor.itemsize != 2 or not tensor.is_cuda:
        return tensor.itemsize == 2 and tensor.is_meta
    return torch.cuda.get_device_properties(tensor.device).major >= 8


def flash_attention(
    query: Tensor, key: Tensor, value: Tensor, rows: PackedRows, dropout_prob: float, causal: bool
) -> Tensor:
    """`attention` on (N, H, d), by the kernel below `varlen_attn`, which has no dropout."""
    bounds = (rows.cu_seqlens, rows.cu_seqlens, rows.max_seqlen, rows.max_seqlen)
    kernel = torch.ops.aten._flash_attention_forward
    mixed: Tensor = kernel(query, key, value, *bounds, dropout_prob, causal, False)[0]
    return mixed


class KeyValueCache:
    """Keys and values of the positions read so far, one pair a layer: what generation reuses."""

    def __init__(self) -> None:
        self._layers: dict[int, tuple[Tensor, Tensor]] = {}

    def __len__(self) -> int:
        """Positions held."""
        return self._layers[0][0].shape[2] if self._layers else 0

    def extend(self, layer: int, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """Append (B, H, T, d) to this layer's past and return all of it."""
        if layer in self._layers:
            past_key, past_value = self._layers[layer]
            key = torch.cat((past_key, key), dim=2)
            value = torch.cat((past_value, value), dim=2)
        self._layers[layer] = (key, value)
        return key, value


class SelfAttention(nn.Module):
    """Multi-head self-attention: every token attends to every token (Vaswani et al. 2017, 3.2.2).

    Query, key and value are three learned projections of the same input (claim B10), computed
    as one matrix product.
    """

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.num_heads = config.num_attention_heads
        self.query_key_value = nn.Linear(config.hidden_size, 3 * config.hidden_size)
        self.output = nn.Linear(config.hidden_size, config.hidden_size)
        self.dropout_prob = config.attention_probs_dropout_prob
        self.is_causal = config.is_causal

    def forward(
        self,
        hidden: Tensor,
        mask: Tensor | PackedRows | None = None,
        need_weights: bool = False,
        cache: KeyValueCache | None = None,
        layer: int = 0,
    ) -> tuple[Tensor, Tensor | None]:
        """Mix the positions.

        Args:
            hidden: (B, T, hidden_size).
            mask: bool, broadcastable to (B, H, T, S); or the rows of a packed batch (1, N,
                hidden_size). Without one, all positions, or the past where the model is causal.
            need_weights: also return the weights; takes the explicit implementation, which is
                slower. Of a packed batch (R, H, max_seqlen, max_seqlen).
            cache: keys and values of earlier positions, extended in place.
            layer: which layer of the cache is ours.

        Returns:
            (B, T, hidden_size), and the weights (B, H, T, S) or `None`.
        """
        batch, length, size = hidden.shape
        projected = self.query_key_value(hidden)  # (B, T, 3 * hidden_size)
        projected = projected.view(batch, length, 3, self.num_heads, size // self.num_heads)
        dropout_prob = self.dropout_prob if self.training else 0.0
        rows: PackedRows | None = None
        if isinstance(mask, PackedRows):
            rows = mask
            if has_packed_kernel(projected) and not need_weights:
                query, key, value = projected[0].unbind(1)  # each (N, H, d)
                mixed = flash_attention(query, key, value, rows, dropout_prob, self.is_causal)
                return self.output(mixed.reshape(1, length, size)), None
            projected, is_real = rows.pad(projected[0])  # (R, longest, 3, H, d)
            mask = combined_mask(is_real, rows.max_seqlen, self.is_causal)
        query, key, value = projected.permute(2, 0, 3, 1, 4)  # each (B, H, T, d)
        if cache is not None:
            key, value = cache.extend(layer, key, value)
        is_causal = self.is_causal and mask is None and length > 1
        weights = None
        # Training on a CPU, the fused kernel's backward pass takes three times as long as the
        # explicit one's (`make bench` shows it); everywhere else the kernel is faster.
        if need_weights or (self.training and hidden.device.type == "cpu"):
            if is_causal:
                mask = causal_mask(length, device=hidden.device)
            mixed, weights = attention(query, key, value, mask, dropout_prob)
        else:
            mixed = F.scaled_dot_product_attention(query, key, value, mask, dropout_prob, is_causal)
        mixed = mixed.transpose(1, 2)  # (B, T, H, d)
        if rows is not None:
            mixed = mixed[rows.places(length)]  # (N, H, d), packed again
        mixed = mixed.reshape(batch, length, size)  # heads side by side again
        return self.output(mixed), weights if need_weights else None
