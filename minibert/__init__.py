"""minibert: a small, complete BERT to read in one sitting, trust, and train."""

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
