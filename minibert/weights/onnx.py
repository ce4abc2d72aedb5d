"""A model as an ONNX graph, which runs without PyTorch: in other languages, in a browser."""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence
from contextlib import redirect_stdout
from dataclasses import fields
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

OPSET = 21  # the first with a scale for a block of numbers
MODEL_FILE = "model.onnx"
INT8_FILE = "model_int8.onnx"
INPUTS = ("input_ids", "attention_mask", "token_type_ids")
_BLOCK, _SMALLEST = 32, 1024  # numbers that share a scale, and of a matrix that is worth it
_NOT_OUTPUTS = ("loss", "mlm_loss", "nsp_loss", "encoder", "hidden_states", "attentions")


def require_onnx() -> None:
    """Raise ValueError, with what to install, where a package of the extra `onnx` is missing."""
    missing = [name for name in ("onnx", "onnxscript", "onnxruntime") if find_spec(name) is None]
    if missing:
        raise ValueError(
            f"ONNX needs {', '.join(missing)}: pip install onnx onnxscript onnxruntime"
        )


def export_onnx(
    model: nn.Module, folder: str | Path, *, int8: bool = False, attentions: bool = False
) -> list[str]:
    """Write `model.onnx`: batch and sequence may be of any size, opset 21, float32.

    Inputs are `input_ids`, `attention_mask` and `token_type_ids`, each (batch, sequence) int64.
    Outputs have the names that `forward` gives them.

    Args:
        model: any of minibert's.
        folder: where to; it is made.
        int8: also write `model_int8.onnx`, below a third of the size: matrices in whole numbers of
            8 bits, which are scaled as they are read.
        attentions: also give the attention weights (layers, batch, heads, sequence, sequence).

    Returns:
        the names of the outputs.

    Raises:
        ValueError: if a package of the extra `onnx` is missing.
    """
    require_onnx()
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    device, was_training = next(model.parameters()).device, model.training
    graph = _Outputs(model, attentions).eval().cpu()
    example = torch.ones(2, 7, dtype=torch.int64)
    names = graph.names(example)
    batch = torch.export.Dim("batch")
    config: Any = model.config
    sequence = torch.export.Dim("sequence", max=config.max_position_embeddings)
    with warnings.catch_warnings(), redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")  # about the exporter's own insides
        program = torch.onnx.export(
            graph,
            # Three tensors: of one given twice, the graph would read one input for both.
            (example, example.clone(), torch.zeros_like(example)),
            input_names=INPUTS,
            output_names=names,
            dynamic_shapes=({0: batch, 1: sequence},) * 3,
            opset_version=OPSET,
            dynamo=True,
        )
    assert program is not None
    model.to(device).train(was_training)
    # One file: weights beside the graph would be lost when somebody copies it.
    program.save(folder / MODEL_FILE, external_data=False)
    if int8:
        _quantize(folder / MODEL_FILE, folder / INT8_FILE)
    return names


def _quantize(whole: Path, small: Path) -> None:
    """Write the graph again with each matrix in 8 bits: a scale for 32 numbers, no zero point.

    The probabilities of `course-en`'s five likeliest words at 100 blanks are off by 0.013 at most
    (with a scale for 64 numbers by 0.032).

    Inputs of the products stay float32. Rounding them too, as ONNX Runtime's dynamic quantization
    does, is faster and changed one word of twenty that a small masked language model restores.
    """
    import onnx

    model = onnx.load(whole)
    graph = model.graph
    multiplied = {node.input[1] for node in graph.node if node.op_type == "MatMul"}
    scaled = []
    for stored in list(graph.initializer):
        matrix = onnx.numpy_helper.to_array(stored)
        if matrix.dtype != np.float32 or matrix.ndim != 2 or matrix.size < _SMALLEST:
            continue
        # Numbers that one output sums over share a scale: a column of a MatMul, a row elsewhere.
        axis = 0 if stored.name in multiplied else 1
        rows = matrix if axis == 1 else matrix.T
        block = _BLOCK if rows.shape[1] % _BLOCK == 0 else rows.shape[1]
        blocks = rows.reshape(len(rows), -1, block)
        scale = _short(np.abs(blocks).max(-1) / 127)
        scale[scale == 0] = 1.0
        rounded = np.rint(blocks / scale[..., None]).astype(np.int8).reshape(rows.shape)
        values: tuple[Any, Any] = (rounded, scale) if axis == 1 else (rounded.T, scale.T)
        parts = (f"{stored.name}_int8", f"{stored.name}_scale")
        graph.initializer.remove(stored)
        for value, name in zip(values, parts, strict=True):
            graph.initializer.append(onnx.numpy_helper.from_array(value.copy(), name))
        scaled.append(
            onnx.helper.make_node(
                "DequantizeLinear", parts, [stored.name], axis=axis, block_size=block
            )
        )
    rest = list(graph.node)
    del graph.node[:]
    graph.node.extend([*scaled, *rest])
    onnx.save(model, small)


def _short(scale: NDArray[np.float32]) -> NDArray[np.float32]:
    """The nearest numbers of 8 bits behind the point: enough for a scale, and they pack well."""
    bits = scale.astype(np.float32).view(np.uint32)
    return ((bits + np.uint32(1 << 14)) & np.uint32(0xFFFF8000)).view(np.float32)


class _Outputs(nn.Module):
    """A model that returns its tensors in a row, and nothing else."""

    def __init__(self, model: nn.Module, attentions: bool) -> None:
        super().__init__()
        self.model, self.attentions = model, attentions

    def forward(self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor) -> Any:
        output = self._run(input_ids, attention_mask, token_type_ids)
        tensors = [getattr(output, name) for name in _tensors(output)]
        if self.attentions:
            maps: Sequence[Tensor] = getattr(output, "encoder", output).attentions
            tensors.append(torch.stack(list(maps)))
        return tuple(tensors)

    def _run(self, *inputs: Tensor) -> Any:
        return self.model(*inputs, output_attentions=self.attentions)

    def names(self, example: Tensor) -> list[str]:
        with torch.no_grad():
            found = _tensors(self._run(example, example, example * 0))
        return [*found, *(["attentions"] if self.attentions else [])]


def _tensors(output: Any) -> list[str]:
    """The fields of an output that a reader of the graph wants."""
    return [
        entry.name
        for entry in fields(output)
        if entry.name not in _NOT_OUTPUTS and getattr(output, entry.name) is not None
    ]
