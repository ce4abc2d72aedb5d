"""The encoder: attention and feed-forward, each with its residual and LayerNorm, stacked."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from minibert.model.attention import KeyValueCache, PackedRows, SelfAttention
from minibert.model.config import BertConfig
from minibert.model.dropout import Dropout


def gelu(x: Tensor) -> Tensor:
    """Exactly x * P(Z <= x) for a standard normal Z (Hendrycks and Gimpel 2016; claims A5, D6)."""
    return x * 0.5 * (1 + torch.erf(x / math.sqrt(2)))


def gelu_tanh(x: Tensor) -> Tensor:
    """The tanh approximation of `gelu`, off by at most 5e-4 (claim D6)."""
    return 0.5 * x * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


# What the layers call: torch's fused kernels, equal to the formulas above (a test says so).
ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "gelu": F.gelu,
    "gelu_tanh": lambda x: F.gelu(x, approximate="tanh"),
    "relu": F.relu,
}


class FeedForward(nn.Module):
    """Two linear maps with an activation between, the same at every position (claim B27)."""

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.up = nn.Linear(config.hidden_size, config.intermediate_size)
        self.down = nn.Linear(config.intermediate_size, config.hidden_size)
        self.activation = ACTIVATIONS[config.hidden_act]

    def forward(self, hidden: Tensor) -> Tensor:
        """(B, T, hidden_size) to the same, by way of (B, T, intermediate_size)."""
        changed: Tensor = self.down(self.activation(self.up(hidden)))
        return changed


class EncoderLayer(nn.Module):
    """One layer (claims A4, A19).

    Post-norm, as BERT:  x = norm(x + attention(x));  x = norm(x + feed_forward(x))
    Pre-norm:            x = x + attention(norm(x));  x = x + feed_forward(norm(x))
    """

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.attention = SelfAttention(config)
        self.attention_norm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.feed_forward = FeedForward(config)
        self.feed_forward_norm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.dropout = Dropout(config.hidden_dropout_prob)
        self.is_pre_norm = config.norm_position == "pre"

    def forward(
        self,
        hidden: Tensor,
        mask: Tensor | PackedRows | None = None,
        need_weights: bool = False,
        cache: KeyValueCache | None = None,
        layer: int = 0,
    ) -> tuple[Tensor, Tensor | None]:
        """One layer on (B, T, hidden_size).

        Returns:
            (B, T, hidden_size), and the attention weights (B, H, T, S) or `None`.
        """
        mixed, weights = self._mix(hidden, mask, need_weights, cache, layer)
        return self._transform(hidden, mixed), weights

    def forward_at(
        self, positions: Tensor, hidden: Tensor, *arguments: Any
    ) -> tuple[Tensor, Tensor | None]:
        """The same, but only at some positions (n,), flat indices: (n, hidden_size). No hooks run.

        Attention has to read all of them. What follows it does not, and of what the last layer
        would compute, the masked-word head reads 15 %.
        """
        mixed, weights = self._mix(hidden, *arguments)
        hidden, mixed = (x.flatten(0, 1)[positions] for x in (hidden, mixed))
        return self._transform(hidden, mixed), weights

    def _mix(self, hidden: Tensor, *arguments: Any) -> tuple[Tensor, Tensor | None]:
        """The half in which positions meet: what attention makes of (B, T, hidden_size)."""
        query = self.attention_norm(hidden) if self.is_pre_norm else hidden
        mixed: tuple[Tensor, Tensor | None] = self.attention(query, *arguments)
        return mixed

    def _transform(self, hidden: Tensor, mixed: Tensor) -> Tensor:
        """The half that treats every position by itself: both residuals, norms, feed-forward.

        Args:
            hidden, mixed: (..., hidden_size), what went into attention and what came out.
        """
        # The norms answer in the precision of the stream, which `Encoder.stream_dtype` sets.
        dtype = hidden.dtype
        if self.is_pre_norm:
            hidden = hidden + self.dropout(mixed)
            changed = self.feed_forward(self.feed_forward_norm(hidden))
            hidden = hidden + self.dropout(changed)
        else:
            hidden = self.attention_norm(hidden + self.dropout(mixed)).to(dtype)
            # The residual is the normalised output of the first half, not attention's raw output.
            changed = self.feed_forward(hidden)
            hidden = self.feed_forward_norm(hidden + self.dropout(changed))
        return hidden.to(dtype)


class Encoder(nn.Module):
    """The stack. With pre-norm one more LayerNorm follows the last layer."""

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.layers = nn.ModuleList(EncoderLayer(config) for _ in range(config.num_hidden_layers))
        is_pre_norm = config.norm_position == "pre"
        self.final_norm = (
            nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps) if is_pre_norm else None
        )
        self.gradient_checkpointing = False
        # Under autocast, what passes from layer to layer: float32 where `None`.
        self.stream_dtype: torch.dtype | None = None

    def forward(
        self,
        hidden: Tensor,
        mask: Tensor | PackedRows | None = None,
        need_states: bool = False,
        need_weights: bool = False,
        cache: KeyValueCache | None = None,
        positions: Tensor | None = None,
    ) -> tuple[Tensor, tuple[Tensor, ...] | None, tuple[Tensor, ...] | None]:
        """Run every layer.

        Args:
            hidden: (B, T, hidden_size), the embeddings.
            mask: bool, broadcastable to (B, H, T, S).
            need_states: keep the state after every layer; else each is forgotten.
            need_weights: keep the attention weights.
            cache: keys and values of earlier positions, extended in place.
            positions: (n,) flat indices where the last state is wanted; everywhere if not given.

        Returns:
            the last state (B, T, hidden_size), or (n, hidden_size) at the positions; where asked
            for, num_hidden_layers + 1 states, the embeddings first and the last one included; and
            num_hidden_layers weights (B, H, T, S).
        """
        if self.stream_dtype is not None and torch.is_autocast_enabled(hidden.device.type):
            hidden = hidden.to(self.stream_dtype)
        states, maps = [hidden] if need_states else [], []
        layers = cast("Iterable[EncoderLayer]", self.layers)  # a ModuleList does not say of what
        for index, layer in enumerate(layers):
            run: Callable[..., tuple[Tensor, Tensor | None]] = layer
            if positions is not None and index == len(self.layers) - 1:
                run = partial(layer.forward_at, positions)
            arguments = (hidden, mask, need_weights, cache, index)
            if self.gradient_checkpointing and self.training and cache is None:
                # Forget what is inside the layer and compute it again in the backward pass: memory
                # falls to one hidden state a layer, for a third more work.
                hidden, weights = checkpoint(run, *arguments, use_reentrant=False)
            else:
                hidden, weights = run(*arguments)
            if need_states:
                states.append(hidden)
            if need_weights:
                maps.append(weights)
        if self.final_norm is not None:
            hidden = self.final_norm(hidden)
            if need_states:
                states[-1] = hidden
        return hidden, tuple(states) if need_states else None, tuple(maps) if need_weights else None
