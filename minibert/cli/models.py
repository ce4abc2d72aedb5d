"""Open a model folder with the class that its `config.json` names."""

from __future__ import annotations

import os
from typing import Any

from minibert import weights
from minibert.model.bert import BertModel
from minibert.model.heads import BertForCausalLM, BertForMaskedLM, BertForPreTraining
from minibert.model.pretrained import PretrainedModel
from minibert.model.task_heads import (
    BertForQuestionAnswering,
    BertForSequenceClassification,
    BertForTokenClassification,
)

_CLASSES: tuple[type[PretrainedModel], ...] = (
    BertModel,
    *(BertForPreTraining, BertForMaskedLM, BertForCausalLM),
    *(BertForSequenceClassification, BertForTokenClassification, BertForQuestionAnswering),
)
ARCHITECTURES = {kind.architecture: kind for kind in _CLASSES}


def architecture(name_or_path: str | os.PathLike[str]) -> type[PretrainedModel]:
    """The class a model was saved from; `BertModel` where nothing is said.

    Raises ValueError if it is of a kind that minibert does not have.
    """
    name = weights.read_architecture(weights.resolve(name_or_path))
    if name not in ARCHITECTURES:
        raise ValueError(f"{name_or_path} is a {name}: known are {', '.join(ARCHITECTURES)}")
    return ARCHITECTURES[name]


def load(name_or_path: str | os.PathLike[str], **changes: Any) -> PretrainedModel:
    """The model with its own head; arguments and errors as of `from_pretrained`."""
    return architecture(name_or_path).from_pretrained(name_or_path, **changes)


def load_with_head(
    name_or_path: str | os.PathLike[str], *kinds: type[PretrainedModel]
) -> PretrainedModel:
    """The model opened as the first of `kinds`, if it was saved as one of them.

    `from_pretrained` alone would draw a fresh head where there is none, and guess.

    Raises:
        ValueError: if it has another head, or none.
    """
    found = architecture(name_or_path)
    if found not in kinds:
        wanted = " or a ".join(kind.architecture for kind in kinds)
        raise ValueError(
            f"{name_or_path} is a {found.architecture}, but this needs a {wanted}: "
            "choose another model"
        )
    return kinds[0].from_pretrained(name_or_path)
