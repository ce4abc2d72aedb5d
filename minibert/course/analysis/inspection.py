"""Look inside a model: what every layer holds, which token attends to which, where the gradient
goes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor, nn

from minibert.model.attention import SelfAttention
from minibert.model.bert import BertModel, BertOutput
from minibert.model.dropout import Dropout
from minibert.model.encoder import EncoderLayer
from minibert.weights.parameters import by_part


class NamesTokens(Protocol):
    """What is needed of a tokenizer here."""

    def convert_ids_to_tokens(self, ids: Sequence[int]) -> list[str]:
        """The text of each id."""
        ...


@dataclass(frozen=True)
class Recording:
    """What a model held while it read a batch; everything on the CPU, without gradient.

    Shapes: attention_mask (B, T) bool; hidden_states (L+1, B, T, d), the embeddings first;
    attentions (L, B, H, T, T), where row t of a map is what position t attends to; pooler_output
    (B, d) or `None`; logits as the model's head returns them, or `None` without one.
    """

    tokens: list[list[str]]
    attention_mask: Tensor
    hidden_states: Tensor
    attentions: Tensor
    pooler_output: Tensor | None = None
    logits: Tensor | None = None

    def __getitem__(self, sentence: int) -> Recording:
        """One sentence of the batch, padding cut away: (L+1, t, d), (L, H, t, t), (d,)."""
        rows = self.attention_mask[sentence].nonzero()[:, 0]
        return Recording(
            [[self.tokens[sentence][t] for t in rows.tolist()]],
            self.attention_mask[sentence, rows],
            self.hidden_states[:, sentence, rows],
            self.attentions[:, sentence][:, :, rows][..., rows],
            None if self.pooler_output is None else self.pooler_output[sentence],
            None if self.logits is None else self.logits[sentence],
        )


@torch.no_grad()
def record(model: nn.Module, tokenizer: NamesTokens | None = None, **batch: Any) -> Recording:
    """Run a model once and keep every layer's hidden states and attention maps.

    Dropout is off while it runs; afterwards the model is in the mode it was in.

    Args:
        model: a `BertModel`, or any model with a head on one.
        tokenizer: names the tokens; without it the labels are the ids.
        batch: what the tokenizer returned: input_ids (B, T), attention_mask, token_type_ids.

    Raises:
        ValueError: if no encoder is inside the model.
    """
    encoders = [module for module in model.modules() if isinstance(module, BertModel)]
    if not encoders:
        raise ValueError(f"{type(model).__name__} has no BertModel inside: nothing to record")
    device = next(model.parameters()).device
    inputs = {name: value.to(device) for name, value in batch.items()}
    was_training = model.training
    model.eval()
    try:
        output = model(**inputs, output_hidden_states=True, output_attentions=True)
    finally:
        model.train(was_training)
    encoded = output if model is encoders[0] else output.encoder
    ids = batch["input_ids"].cpu()
    mask = batch.get("attention_mask", torch.ones_like(ids)).bool().cpu()
    names = tokenizer.convert_ids_to_tokens if tokenizer else lambda row: [str(i) for i in row]
    pooled, logits = encoded.pooler_output, getattr(output, "logits", None)
    return Recording(
        [names(row) for row in ids.tolist()],
        mask,
        torch.stack(encoded.hidden_states).float().cpu(),
        torch.stack(encoded.attentions).float().cpu(),
        None if pooled is None else pooled.float().cpu(),
        None if logits is None else logits.float().cpu(),
    )


def query_key_value(attention: SelfAttention, hidden: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The three projections of one attention module, cut into heads (claims A12, B10).

    Args:
        attention: for example `model.encoder.layers[0].attention`.
        hidden: what goes into it, (B, T, hidden_size).

    Returns:
        query, key and value, each (B, H, T, d) with d = hidden_size / H.
    """
    return _split_heads(attention.query_key_value(hidden), attention.num_heads)


def _split_heads(projected: Tensor, heads: int) -> tuple[Tensor, Tensor, Tensor]:
    # (B, T, 3 * hidden_size) to three times (B, H, T, d)
    batch, length, size = projected.shape
    projected = projected.view(batch, length, 3, heads, size // (3 * heads))
    query, key, value = projected.permute(2, 0, 3, 1, 4)
    return query, key, value


# ------------------------------------------------------------------------------- parameters


class Reached(NamedTuple):
    """A part of the model, its parameters, and how many of them the last gradient reached."""

    name: str
    size: int
    reached: int


class GradientTable(list[Reached]):
    """Rows from the input to the output; printed, it is a table with a total."""

    def __str__(self) -> str:
        total = Reached("total", sum(p.size for p in self), sum(p.reached for p in self))
        width = max(len(part.name) for part in self)
        return "\n".join(
            f"{p.name:{width}}  {p.reached:>11,} of {p.size:>11,}  {p.reached / p.size:7.1%}"
            for p in [*self, total]
        )


def gradient_table(model: nn.Module, above: float = 0.0) -> GradientTable:
    """How many parameters of each part have a gradient that is not 0 (claim A14).

    To be called after `loss.backward()`; what is frozen has none.

    Args:
        model: with the gradients of one backward pass.
        above: count what is larger than this: where a gradient is 0 because terms cancel,
            rounding leaves a rest.
    """
    parts: dict[str, Reached] = {}
    for part, parameter in by_part(model):
        count = 0 if parameter.grad is None else int((parameter.grad.abs() > above).sum())
        held = parts.get(part, Reached(part, 0, 0))
        parts[part] = Reached(part, held.size + parameter.numel(), held.reached + count)
    return GradientTable(parts.values())


# ----------------------------------------------------------------------------------- shapes


class Step(NamedTuple):
    """One operation as it ran: where, what, and the shapes that went in and came out."""

    name: str
    kind: str
    before: tuple[int, ...]
    after: tuple[int, ...]


class ShapeTrace(list[Step]):
    """The steps in the order in which they ended; printed, one a line."""

    def __str__(self) -> str:
        width = max(len(step.name) for step in self)
        kinds = max(len(step.kind) for step in self)
        return "\n".join(
            f"{s.name:{width}}  {s.kind:{kinds}}  {_times(s.before):>16} → {_times(s.after)}"
            for s in self
        )


@torch.no_grad()
def trace_shapes(model: nn.Module, batch: Mapping[str, Tensor]) -> ShapeTrace:
    """Run a batch and write down every shape on the way (claims A12, A13).

    Modules report through forward hooks. What happens inside attention is no module: after a
    `query_key_value` map come the steps `query`, `key`, `value`, `weights` and `mixed`, taken
    from the maps of the same run.

    Args:
        model: any model of the package.
        batch: input_ids (B, T) and what else the model takes.
    """
    steps = ShapeTrace()
    inside: dict[str, Tensor] = {}  # the value of the attention module that is running

    def hook(name: str, module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        if isinstance(module, Dropout) or not inputs:
            return  # dropout changes no shape, and is off
        after = output[0] if isinstance(output, tuple) else output
        after = after.last_hidden_state if isinstance(after, BertOutput) else after
        if not isinstance(after, Tensor):
            return
        step = Step(name, type(module).__name__, tuple(inputs[0].shape), tuple(after.shape))
        outer = name.rpartition(".")[0]
        parent = model.get_submodule(outer)
        if isinstance(parent, SelfAttention) and name.endswith(".query_key_value"):
            steps.append(step)
            projections = _split_heads(after, parent.num_heads)
            for label, part in zip(("query", "key", "value"), projections, strict=True):
                steps.append(Step(f"{outer}.{label}", "head view", step.after, tuple(part.shape)))
            inside["value"] = projections[2]
        elif isinstance(module, SelfAttention):
            # Its hook runs after that of its output map: what came before that goes before it.
            ends, weights, value = steps.pop(), output[1], inside["value"]
            shapes = tuple(value.shape), tuple(weights.shape), tuple((weights @ value).shape)
            steps.append(Step(f"{name}.weights", "softmax(QK/√d)", *shapes[:2]))
            steps.append(Step(f"{name}.mixed", "weights @ value", *shapes[1:]))
            steps.extend([ends, step])
        else:
            steps.append(step)

    handles = [
        module.register_forward_hook(
            lambda module, inputs, output, name=name: hook(name, module, inputs, output)
        )
        for name, module in model.named_modules()
        if name
    ]
    was_training = model.training
    model.eval()
    try:
        # With the maps asked for, attention takes its explicit implementation.
        output = model(**batch, output_attentions=True)
    finally:
        model.train(was_training)
        for handle in handles:
            handle.remove()
    steps += _to_probabilities(model, output)
    return steps


def _to_probabilities(model: nn.Module, output: Any) -> list[Step]:
    """The step after the last module: none where the model has no logits, or gives numbers."""
    logits = getattr(output, "logits", None)
    problem = getattr(getattr(model, "config", None), "problem_type", None)
    if logits is None or problem == "regression":
        return []
    is_multi = problem == "multi_label_classification"
    chances = logits.sigmoid() if is_multi else logits.softmax(-1)
    kind = "sigmoid" if is_multi else "softmax"
    return [Step(kind, "function", tuple(logits.shape), tuple(chances.shape))]


def main_steps(model: nn.Module, trace: ShapeTrace) -> list[tuple[str, tuple[int, ...]]]:
    """The few stations of a walk, for `plots.shapes_walk`: (what it is, its shape).

    Ids, embeddings, the stack of layers as one, then pooler and head where the model has them.
    """
    depth = sum(isinstance(module, EncoderLayer) for module in model.modules())
    names = {"pooler": "pooler: dense + tanh on [CLS]", "classifier": "logits"}
    names |= {"qa_outputs": "start and end logits", "nsp": "next-sentence logits"}
    stations: list[tuple[str, tuple[int, ...]]] = []
    for step in trace:
        last = step.name.split(".")[-1]
        if step.kind == "BertEmbeddings":
            stations += [("token ids", step.before), ("embeddings", step.after)]
        elif step.name.endswith("encoder"):
            stations.append((f"after {depth} layers", step.after))
        elif step.kind == "function":
            stations.append(("probabilities", step.after))
        elif last in names and "." not in step.name.removeprefix("bert."):
            if last == "pooler":
                stations.append(("[CLS] alone", step.before))
            stations.append((names[last], step.after))
        elif step.kind == "MaskedLMHead":
            stations.append(("token logits", step.after))
    return stations


def _times(shape: Sequence[int]) -> str:
    return " × ".join(map(str, shape)) if shape else "scalar"
