"""What to pre-train, on what and from what: settings alone, quick to import."""

from __future__ import annotations

from dataclasses import dataclass

from minibert.training.options import check_at_least, check_fractions, option

OBJECTIVES = ("mlm+nsp", "mlm", "causal")


@dataclass(frozen=True)
class PretrainingSettings:
    """What `minibert pretrain` is told besides `TrainingConfig`.

    base: go on with this model, its shape and its tokenizer; adapter: of this rank, training only
    it and the head. prune_from: cut a smaller model out of this one. With neither of both the
    weights are drawn at random.

    Raises:
        ValueError: if one is out of range, or two of them contradict each other.
    """

    objective: str = option("mlm+nsp", choices=OBJECTIVES)
    preset: str = option("mini", "tiny, mini, small, base, large")
    tokenizer: str | None = option(None, "a name or folder; trained on the corpus if not given")
    vocab_size: int = option(8192)
    max_length: int = option(128, "tokens")
    dropout: float = option(0.1)
    base: str | None = option(None, "go on with this model")
    adapter: int | None = option(None, "train an adapter to --base", metavar="RANK")
    prune_from: str | None = option(None, "start from a smaller model cut out of this one")

    def __post_init__(self) -> None:
        check_at_least(self, 1, "vocab_size", "max_length", "adapter")
        check_fractions(self, "dropout")
        if self.base and self.prune_from:
            raise ValueError(
                "base=... goes on with a model, prune_from=... cuts one: give one of them"
            )
        if self.adapter is not None and not self.base:
            raise ValueError("adapter trains beside a given model: give its name as base=...")
        if self.base and self.tokenizer:
            raise ValueError("base=... has its own tokenizer: leave tokenizer=... out")
