"""`BertModel`: embeddings, encoder, pooler; and how a model is initialised, loaded and saved."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import torch
from torch import Tensor, nn

from minibert import checkpoint
from minibert.attention import KeyValueCache, combined_mask
from minibert.config import BertConfig
from minibert.embeddings import BertEmbeddings
from minibert.encoder import Encoder

if TYPE_CHECKING:
    from minibert.adapters import Adapter


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


def initialize(module: nn.Module, spread: float) -> None:
    """Draw a module's weights from N(0, spread^2) cut at two deviations, as the paper's code does.

    Biases start at 0, the gains of LayerNorm at 1.
    """
    for name, parameter in module.named_parameters():
        if name.endswith("norm.weight"):
            nn.init.ones_(parameter)
        elif name.endswith("bias"):
            nn.init.zeros_(parameter)
        else:
            nn.init.trunc_normal_(parameter, std=spread, a=-2 * spread, b=2 * spread)


class PretrainedModel(nn.Module):
    """A model that knows its configuration and can be loaded and saved."""

    # The class of `transformers` that opens our folder.
    architecture: ClassVar[str]
    # Tensors that may start afresh when a checkpoint lacks them.
    may_be_new: ClassVar[tuple[str, ...]] = ()
    # What `from_pretrained` hands to the class itself: not part of the configuration.
    extra_arguments: ClassVar[tuple[str, ...]] = ()

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.config = config
        self.adapter: Adapter | None = None

    @classmethod
    def from_pretrained(cls, name_or_path: str | os.PathLike[str], **changes: Any) -> Self:
        """Load a registered name, a folder in Hugging Face layout, or a hub id.

        Args:
            changes: configuration fields to set, for example `num_labels=3`, `is_causal=True`;
                with a smaller `num_hidden_layers` the first layers are kept.

        Returns:
            the model in evaluation mode; heads that the checkpoint lacks are freshly drawn.

        Raises:
            FileNotFoundError: if there is no such model.
            ValueError: if the checkpoint does not fit, naming the tensors; or a field is unknown.
        """
        folder = checkpoint.resolve(name_or_path)
        config = checkpoint.read_config(folder)
        if "num_labels" in changes and changes["num_labels"] != config.num_labels:
            changes.setdefault("id2label", None)
        if changes.get("id2label") is not None:
            changes.setdefault("num_labels", len(changes["id2label"]))
        arguments = {name: changes.pop(name) for name in cls.extra_arguments if name in changes}
        model = cls(config.changed(**changes), **arguments)
        if (folder / checkpoint.ADAPTER_CONFIG_FILE).is_file():
            from minibert.adapters import load_adapter  # a later module: only here, and at need

            return load_adapter(model, folder).eval()
        return model.load_weights(folder, may_be_cut="num_hidden_layers" in changes).eval()

    def load_weights(self, folder: Path, may_be_cut: bool = False) -> Self:
        """Put the weights of a model folder into this model: see `checkpoint.fit`."""
        found = checkpoint.read_weights(folder)
        taken = checkpoint.fit(self.state_dict(), found, self.may_be_new, may_be_cut)
        self.load_state_dict(taken, strict=False)
        return self

    def save_pretrained(
        self,
        folder: str | os.PathLike[str],
        dtype: torch.dtype = torch.float32,
        overwrite: bool = False,
        state: Mapping[str, Tensor] | None = None,
    ) -> None:
        """Write `config.json` and `model.safetensors`; `transformers` opens the folder.

        A model with an adapter writes that alone: merge it first to write the whole model.

        Args:
            dtype: of the stored tensors; float16 halves the file.
            overwrite: replace a model that is already there.
            state: write these tensors instead of the model's own: what sharded training gathered.

        Raises:
            ValueError: if the folder already holds a model and `overwrite` is off.
        """
        tensors = dict(self.state_dict() if state is None else state)
        if self.adapter is not None:
            from minibert.adapters import save_adapter

            save_adapter(self, Path(folder), tensors, dtype, overwrite)
            return
        checkpoint.write_model(
            Path(folder), self.config, tensors, self.architecture, dtype, overwrite
        )

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.parameters()).device


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

        Raises:
            ValueError: if the text is longer than the positions, or a model that is not causal
                is given a cache.
        """
        length = input_ids.shape[1]
        if cache is not None and not self.config.is_causal:
            raise ValueError(
                "a cache needs a causal model: in a full one the past reads the future"
            )
        past = len(cache) if cache is not None else 0
        if past and attention_mask is None:
            attention_mask = input_ids.new_ones(input_ids.shape[0], past + length)
        hidden = self.embeddings(input_ids, token_type_ids, position_ids, past)
        mask = combined_mask(attention_mask, length, self.config.is_causal)
        if mask is not None:
            mask = mask.to(hidden.device)
        wanted, first = positions, hidden.new_empty(0)
        if positions is not None and self.pooler is not None:
            # The pooler reads [CLS] of every row: those come first.
            starts = torch.arange(0, input_ids.numel(), length, device=hidden.device)
            wanted = torch.cat((starts, positions))
        states, maps = self.encoder(hidden, mask, output_attentions, cache, wanted)
        last = states[-1]
        if positions is None:
            first = last[:, 0]
        elif self.pooler is not None:
            first, last = last.split((input_ids.shape[0], len(positions)))
        # The first position alone, a dense layer and a tanh: trained by next sentence prediction.
        pooled = torch.tanh(self.pooler(first)) if self.pooler is not None else None
        return BertOutput(
            last_hidden_state=last,
            pooler_output=pooled,
            hidden_states=tuple(states) if output_hidden_states else None,
            attentions=tuple(maps) if output_attentions else None,
        )
