"""Model folders: tensors and JSON, in and out. No model class is known here.

Read `folder` first (what a folder holds, and whether its tensors fit a model), then `hugging_face`
(the same tensors under the names of `transformers`, both ways), `names` (which folder a name
stands for), `adapter`, `cards`, `parameters` and `pickled` (weights of older versions, on request).
`files` writes all of it, whole or not at all; `typed_json` checks what a file says against declared
types. `onnx` writes a model as a graph that runs without PyTorch.

May import: `data.download` and its registry, for the weights that are fetched.
"""

from minibert.weights.adapter import read_adapter, read_adapter_config, write_adapter
from minibert.weights.folder import (
    fit,
    read_architecture,
    read_config,
    read_weights,
    resolve,
    write_model,
)
from minibert.weights.typed_json import named_file

__all__ = [
    "fit",
    "named_file",
    "read_adapter",
    "read_adapter_config",
    "read_architecture",
    "read_config",
    "read_weights",
    "resolve",
    "write_adapter",
    "write_model",
]
