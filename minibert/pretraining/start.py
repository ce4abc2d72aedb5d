"""The model before the first step: drawn at random, taken over, or cut out of a larger one."""

from __future__ import annotations

from collections.abc import Sequence

from minibert import weights
from minibert.model.bert import BertModel
from minibert.model.config import BertConfig
from minibert.model.heads import BertForCausalLM, BertForMaskedLM, BertForPreTraining
from minibert.model.lora import add_adapter, merge_adapter
from minibert.model.pretrained import PretrainedModel
from minibert.pretraining.pruning import prune, transfer_tokens
from minibert.pretraining.settings import PretrainingSettings
from minibert.tokenization.tokenizer import Tokenizer

MODELS: dict[str, type[PretrainedModel]] = {
    "mlm+nsp": BertForPreTraining,
    "mlm": BertForMaskedLM,
    "causal": BertForCausalLM,
}


def starting_model(
    settings: PretrainingSettings, config: BertConfig, tokenizer: Tokenizer, sample: Sequence[str]
) -> PretrainedModel:
    """The model that pre-training begins with.

    Args:
        settings: the objective, the dropout, and what it starts from.
        config: the shape, where `settings.base` does not give it.
        tokenizer: of the new model.
        sample: a few texts; what pruning keeps is measured on them.
    """
    kind, base = MODELS[settings.objective], settings.base
    rates = {
        "hidden_dropout_prob": settings.dropout,
        "attention_probs_dropout_prob": settings.dropout,
    }
    if base:
        model = kind.from_pretrained(base, **rates)
        if model.adapter is not None:
            merge_adapter(model)
        return add_adapter(model, base, settings.adapter) if settings.adapter is not None else model
    if not settings.prune_from:
        return kind(config.changed(vocab_size=tokenizer.vocab_size, **rates))
    # With the masked-word head that it has, if it has one: that is cut down, too.
    saved_as = weights.read_architecture(weights.resolve(settings.prune_from))
    with_heads = {kind.architecture: kind for kind in MODELS.values()}
    larger = with_heads.get(saved_as, BertModel).from_pretrained(settings.prune_from)
    if larger.adapter is not None:
        merge_adapter(larger)
    # Attention heads are kept whole, so the smaller model has as many as fit in its width.
    heads = config.hidden_size // larger.config.head_size
    config = config.changed(vocab_size=tokenizer.vocab_size, num_attention_heads=heads, **rates)
    model = kind(config)
    old = Tokenizer.from_pretrained(settings.prune_from)
    length = min(128, old.model_max_length)
    batch = old(list(sample), padding=True, truncation=True, max_length=length)
    prune(larger, model, transfer_tokens(larger.base_model, old, tokenizer), batch)
    return model
