"""minibert: a small, complete BERT to read in one sitting, trust, and train."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from minibert.config import BertConfig
    from minibert.datasets import load_dataset
    from minibert.generation import generate
    from minibert.heads import (
        BertForCausalLM,
        BertForMaskedLM,
        BertForPreTraining,
        BertForQuestionAnswering,
        BertForSequenceClassification,
        BertForTokenClassification,
    )
    from minibert.model import BertModel
    from minibert.tokenizer import Tokenizer
    from minibert.training import Trainer, TrainingConfig

__all__ = [
    "BertConfig",
    "BertForCausalLM",
    "BertForMaskedLM",
    "BertForPreTraining",
    "BertForQuestionAnswering",
    "BertForSequenceClassification",
    "BertForTokenClassification",
    "BertModel",
    "Tokenizer",
    "Trainer",
    "TrainingConfig",
    "generate",
    "load_dataset",
]

_HOMES = {
    "BertConfig": "config",
    "BertModel": "model",
    "Tokenizer": "tokenizer",
    "Trainer": "training",
    "TrainingConfig": "training",
    "generate": "generation",
    "load_dataset": "datasets",
}


def __getattr__(name: str) -> Any:
    """Open a module when one of its names is first asked for: `minibert --help` needs none."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOMES.get(name, 'heads')}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
