"""What is measured of a pre-trained model on held-out text."""

from __future__ import annotations

from collections.abc import Iterable

from minibert.model.loss import IGNORE_INDEX
from minibert.training.inference import Inference


def pretraining_metrics(results: Iterable[Inference], mask_token_id: int) -> dict[str, float]:
    """Held-out metrics of any of the three objectives.

    Args:
        results: of `run_inference` over held-out text.
        mask_token_id: the id of [MASK].

    Returns:
        mlm_loss and masked_accuracy over all selected positions (the 80, the 10 and the 10 %);
        masked_accuracy_at_mask over those that became [MASK] alone; nsp_accuracy. For a causal
        model next_token_accuracy.
    """
    sums: dict[str, list[float]] = {}

    def add(name: str, total: float, count: int) -> None:
        entry = sums.setdefault(name, [0.0, 0])
        entry[0] += total
        entry[1] += count

    for _, batch, output in results:
        if "masked_positions" not in batch:
            labels = batch["labels"][:, 1:]
            predicted = labels != IGNORE_INDEX
            hits = (output.logits[:, :-1].argmax(-1).cpu() == labels) & predicted
            add("next_token_accuracy", int(hits.sum()), int(predicted.sum()))
            continue
        positions = batch["masked_positions"]
        logits = output.prediction_logits if hasattr(output, "prediction_logits") else output.logits
        labels = batch["labels"].flatten()[positions]
        inputs = batch["input_ids"].flatten()[positions]
        hits = logits.argmax(-1).cpu() == labels
        add("masked_accuracy", int(hits.sum()), len(labels))
        is_mask = inputs == mask_token_id
        add("masked_accuracy_at_mask", int(hits[is_mask].sum()), int(is_mask.sum()))
        mlm_loss = getattr(output, "mlm_loss", output.loss)
        add("mlm_loss", float(mlm_loss) * len(labels), len(labels))
        if "next_sentence_label" in batch:
            truth = batch["next_sentence_label"]
            right = output.seq_relationship_logits.argmax(-1).cpu() == truth
            add("nsp_accuracy", int(right.sum()), int((truth != IGNORE_INDEX).sum()))
    return {name: total / count for name, (total, count) in sums.items() if count}
