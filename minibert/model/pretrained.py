"""What every model has: a configuration, the way in and out of a folder, and an initialisation."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn

from minibert import weights
from minibert.model.config import BertConfig
from minibert.model.lora import Adapter, add_adapter
from minibert.model.loss import IGNORE_INDEX


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
    # Where the loss is a mean over labelled tokens, the first position whose label it counts.
    first_label: ClassVar[int | None] = None
    # Whether `forward` takes `loss_only`, and whether it reads packed batches with their labels.
    may_skip_logits: ClassVar[bool] = False
    learns_packed: ClassVar[bool] = True

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.config = config
        self.adapter: Adapter | None = None
        self.precision = "float32"  # the trainer notes the one it trained in

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
        folder = weights.resolve(name_or_path)
        config = weights.read_config(folder, BertConfig)
        if "num_labels" in changes and changes["num_labels"] != config.num_labels:
            changes.setdefault("id2label", None)
        if changes.get("id2label") is not None:
            changes.setdefault("num_labels", len(changes["id2label"]))
        arguments = {name: changes.pop(name) for name in cls.extra_arguments if name in changes}
        config, may_be_cut = config.changed(**changes), "num_hidden_layers" in changes
        stored = weights.read_adapter(folder)
        found = weights.read_weights(folder if stored is None else stored[1])
        # Shapes alone first: no memory is asked for that the file does not have.
        with torch.device("meta"), weights.named_file(folder):
            found = weights.fit(cls(config).state_dict(), found, cls.may_be_new, may_be_cut)
        model = cls(config, **arguments)
        model.load_state_dict(found, strict=False)
        if stored is not None:
            add_adapter(model, **stored[0])
            own = weights.fit(_trained(model), stored[2], cls.may_be_new)
            model.load_state_dict(own, strict=False)
        return model.eval()

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
        to, config = Path(folder), self.config.to_dict()
        if self.adapter is not None:
            trained = {name: tensors[name] for name in _trained(self)}
            adapter = asdict(self.adapter)
            weights.write_adapter(to, adapter, config, trained, self.architecture, dtype, overwrite)
        else:
            weights.write_model(to, config, tensors, self.architecture, dtype, overwrite)

    @property
    def base_model(self) -> Any:
        """The `BertModel` under the head; a model without a head is its own."""
        return getattr(self, "bert", self)

    def label_count(self, batch: Mapping[str, Tensor]) -> int | None:
        """How many labelled tokens the loss of a batch is a mean over; `None`: over its rows.

        The trainer weights the parts of a batch by it, and hands it to `forward`.
        """
        if self.first_label is None or "labels" not in batch:
            return None
        if "masked_positions" in batch:  # counted when the batch was made
            return len(batch["masked_positions"])
        return int((batch["labels"][:, self.first_label :] != IGNORE_INDEX).sum())

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.parameters()).device


def _trained(model: PretrainedModel) -> dict[str, Tensor]:
    """What training changes of a model with an adapter: its matrices, the pooler and the head."""
    trained = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    return {name: tensor for name, tensor in model.state_dict().items() if name in trained}
