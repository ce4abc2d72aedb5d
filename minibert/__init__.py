"""minibert: a small, complete BERT to read in one sitting, trust, and train."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from minibert.data.datasets import load_dataset
    from minibert.finetuning.embedding import SentenceEncoder
    from minibert.model.bert import BertModel
    from minibert.model.config import BertConfig
    from minibert.model.generation import generate
    from minibert.model.heads import BertForCausalLM, BertForMaskedLM, BertForPreTraining
    from minibert.model.task_heads import (
        BertForQuestionAnswering,
        BertForSequenceClassification,
        BertForTokenClassification,
    )
    from minibert.tokenization.tokenizer import Tokenizer
    from minibert.training.config import TrainingConfig
    from minibert.training.trainer import Trainer

__all__ = [
    "BertConfig",
    "BertForCausalLM",
    "BertForMaskedLM",
    "BertForPreTraining",
    "BertForQuestionAnswering",
    "BertForSequenceClassification",
    "BertForTokenClassification",
    "BertModel",
    "SentenceEncoder",
    "Tokenizer",
    "Trainer",
    "TrainingConfig",
    "generate",
    "load_dataset",
]

_HOMES = {
    "BertConfig": "model.config",
    "BertForCausalLM": "model.heads",
    "BertForMaskedLM": "model.heads",
    "BertForPreTraining": "model.heads",
    "BertForQuestionAnswering": "model.task_heads",
    "BertForSequenceClassification": "model.task_heads",
    "BertForTokenClassification": "model.task_heads",
    "BertModel": "model.bert",
    "SentenceEncoder": "finetuning.embedding",
    "Tokenizer": "tokenization.tokenizer",
    "Trainer": "training.trainer",
    "TrainingConfig": "training.config",
    "generate": "model.generation",
    "load_dataset": "data.datasets",
}


def __getattr__(name: str) -> Any:
    """Open a module when one of its names is first asked for: `minibert --help` needs none."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
