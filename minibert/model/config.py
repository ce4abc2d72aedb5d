"""The numbers that define a BERT, in one frozen dataclass."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Self

ACTIVATIONS = ("gelu", "gelu_tanh", "relu")
NORM_POSITIONS = ("post", "pre")
POSITION_EMBEDDING_TYPES = ("learned", "sinusoidal")
SINGLE_LABEL = "single_label_classification"
MULTI_LABEL = "multi_label_classification"
REGRESSION = "regression"
PROBLEM_TYPES = (SINGLE_LABEL, MULTI_LABEL, REGRESSION)
_COUNTS = (
    *("vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads"),
    *("intermediate_size", "max_position_embeddings", "type_vocab_size", "num_labels"),
)


@dataclass(frozen=True)
class BertConfig:
    """Shape and behaviour of a BERT (Devlin et al. 2019, section 3).

    The defaults are BERT-Base. `is_causal` hides the future from every position and so turns the
    same stack into a decoder-only language model (claim B3). `norm_position="pre"` normalises
    before each sub-layer instead of after the residual sum. `id2label` names the classes of a
    classifier and is saved with it, because which index means "positive" is only a convention
    (claim A18).

    Raises:
        ValueError: if a value is out of range, or `num_attention_heads` does not divide
            `hidden_size`.
    """

    vocab_size: int = 30522
    hidden_size: int = 768
    num_hidden_layers: int = 12
    num_attention_heads: int = 12
    intermediate_size: int = 3072
    hidden_act: str = "gelu"
    hidden_dropout_prob: float = 0.1
    attention_probs_dropout_prob: float = 0.1
    max_position_embeddings: int = 512
    type_vocab_size: int = 2
    initializer_range: float = 0.02
    layer_norm_eps: float = 1e-12
    pad_token_id: int = 0
    is_causal: bool = False
    norm_position: str = "post"
    position_embedding_type: str = "learned"
    num_labels: int = 2
    id2label: Mapping[int, str] | None = None
    problem_type: str | None = None

    def __post_init__(self) -> None:
        for name in _COUNTS:
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, not {getattr(self, name)}")
        if self.hidden_size % self.num_attention_heads:
            raise ValueError(
                f"hidden_size {self.hidden_size} cannot be divided among "
                f"{self.num_attention_heads} heads: choose a multiple of {self.num_attention_heads}"
            )
        if self.position_embedding_type == "sinusoidal" and self.hidden_size % 2:
            raise ValueError(
                f"sinusoidal positions need an even hidden_size, not {self.hidden_size}"
            )
        for name in ("hidden_dropout_prob", "attention_probs_dropout_prob"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"{name} must be in [0, 1), not {getattr(self, name)}")
        if not 0 <= self.pad_token_id < self.vocab_size:
            raise ValueError(f"pad_token_id {self.pad_token_id} is outside the vocabulary")
        for name, allowed in (
            ("hidden_act", ACTIVATIONS),
            ("norm_position", NORM_POSITIONS),
            ("position_embedding_type", POSITION_EMBEDDING_TYPES),
            ("problem_type", (None, *PROBLEM_TYPES)),
        ):
            if getattr(self, name) not in allowed:
                names = ", ".join(str(choice) for choice in allowed if choice)
                raise ValueError(f"{name} {getattr(self, name)!r} is unknown: choose from {names}")
        if self.id2label is not None:
            labels = {int(index): str(label) for index, label in self.id2label.items()}
            if sorted(labels) != list(range(self.num_labels)):
                raise ValueError(
                    f"id2label names {sorted(labels)}, but num_labels is {self.num_labels}"
                )
            object.__setattr__(self, "id2label", labels)

    @property
    def head_size(self) -> int:
        """Width of one attention head, d_k in the papers (claim B11)."""
        return self.hidden_size // self.num_attention_heads

    @property
    def labels(self) -> list[str]:
        """Class names in index order; `LABEL_0`, `LABEL_1` ... where none were given."""
        if self.id2label is None:
            return [f"LABEL_{index}" for index in range(self.num_labels)]
        return [self.id2label[index] for index in range(self.num_labels)]

    @classmethod
    def preset(cls, name: str, **changes: Any) -> Self:
        """A named size from `PRESETS`, with any field changed.

        Example: `BertConfig.preset("base", vocab_size=8192)`.
        """
        if name not in PRESETS:
            raise ValueError(f"unknown preset {name!r}: choose from {', '.join(PRESETS)}")
        return cls(**{**PRESETS[name], **changes})

    def to_dict(self) -> dict[str, Any]:
        """Every field, as plain values that JSON can hold."""
        return asdict(self)

    def changed(self, **changes: Any) -> Self:
        """The same with some fields changed.

        Raises:
            ValueError: naming the keys that are not fields of the configuration.
        """
        unknown = sorted(set(changes) - {field.name for field in fields(self)})
        if unknown:
            raise ValueError(f"unknown configuration keys: {', '.join(unknown)}")
        return replace(self, **changes)


def _size(layers: int, width: int, heads: int) -> dict[str, int]:
    # Every BERT that Google released has heads of 64 and a feed-forward of 4 x width (claim B27).
    return {
        "num_hidden_layers": layers,
        "hidden_size": width,
        "num_attention_heads": heads,
        "intermediate_size": 4 * width,
    }


# Names and shapes of the released models (Turc et al. 2019, table 1; Devlin et al. 2019).
PRESETS: dict[str, dict[str, int]] = {
    "tiny": _size(2, 128, 2),
    "mini": _size(4, 256, 4),
    "small": _size(4, 512, 8),
    "base": _size(12, 768, 12),
    "large": _size(24, 1024, 16),
}
