"""Sentence vectors beside sentence-transformers and ONNX Runtime: the same weights and texts.

`minilm` on sentences of film reviews, 32 at a time. sentence-transformers is used as its
documentation says, `SentenceTransformer(...).encode(texts)`, which sorts by length; ONNX Runtime
gets the graph of `minibert export --onnx`, the batches sorted in the same way, and as many threads.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from harness import Row, compared, in_turns, void
from numpy.typing import NDArray

from minibert import BertModel, SentenceEncoder, Tokenizer, load_dataset, weights
from minibert.training.devices import has_native_bf16
from minibert.weights.onnx import INT8_FILE, MODEL_FILE, export_onnx

Vectors = NDArray[np.float32]


def sentence_transformers(name: str) -> Callable[[list[str]], Vectors]:
    """The peer, on the same folder, with mean pooling and vectors of length 1."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, Transformer

    words = Transformer(str(weights.resolve(name)))
    pooling = Pooling(words.get_embedding_dimension(), pooling_mode="mean")
    model = SentenceTransformer(modules=[words, pooling, Normalize()], device="cpu")
    return partial(model.encode, show_progress_bar=False)


def onnx_runtime(path: Path, tokenizer: Tokenizer) -> Callable[[list[str]], Vectors]:
    """The graph with mean pooling in numpy."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(path, options)
    names = [output.name for output in session.get_outputs()]

    def encode(texts: list[str]) -> Vectors:
        order = np.argsort([-len(text) for text in texts], kind="stable")
        found: list[Any] = [None] * len(texts)
        for first in range(0, len(order), 32):
            numbers = order[first : first + 32]
            batch = tokenizer([texts[n] for n in numbers], padding=True)
            batch.setdefault("attention_mask", torch.ones_like(batch["input_ids"]))
            given = {key: value.numpy() for key, value in batch.items()}
            states = session.run(names, given)[names.index("last_hidden_state")]
            mask = given["attention_mask"][..., None]
            pooled = (states * mask).sum(1) / mask.sum(1)
            pooled /= np.linalg.norm(pooled, axis=1, keepdims=True)
            for number, vector in zip(numbers, pooled, strict=True):
                found[number] = vector
        return np.stack(found)

    return encode


def embedding(quick: bool) -> Iterator[Row]:
    """Rows of each precision beside each peer."""
    name, rounds = "minilm", 1 if quick else 3
    texts = [example.text for example in load_dataset("movies").dev[: 64 if quick else 600]]
    ours = SentenceEncoder.from_pretrained(name, device="cpu")
    theirs = sentence_transformers(name)
    with tempfile.TemporaryDirectory() as folder:
        model = BertModel.from_pretrained(name)
        export_onnx(model, folder, int8=True)
        graphs = [onnx_runtime(Path(folder, f), ours.tokenizer) for f in (MODEL_FILE, INT8_FILE)]
    sides: list[Callable[[list[str]], Vectors]] = [ours.encode, theirs, *graphs]
    found = [side(texts) for side in sides]
    times = in_turns([partial(side, texts) for side in sides], rounds, warm=0)
    unit = "texts/s"
    gaps = [float(np.abs(found[0] - other).max()) for other in found[1:]]
    cosine = float((found[0] * found[3]).sum(1).min())
    for number, (peer, floor, most) in enumerate(
        (("sentence-transformers", 1.3, 1e-5), ("ONNX Runtime", 1.0, 1e-4)), 1
    ):
        told = f"sentence vectors, float32, beside {peer}"
        if gaps[number - 1] > most:
            yield void(told, unit, f"vectors differ by {gaps[number - 1]:.1e}", floor)
        else:
            gap = gaps[number - 1]
            yield compared(told, unit, len(texts), times[0], times[number], floor, difference=gap)
    told = "sentence vectors, float32, beside ONNX Runtime int8"
    yield compared(told, unit, len(texts), times[0], times[3], smallest_cosine=cosine)
    told = "sentence vectors, bf16, beside sentence-transformers float32"
    if not has_native_bf16(torch.device("cpu")):
        yield void(told, unit, "this processor has no bf16 products (AVX-512 BF16 or AMX)", 3.0)
        return
    narrow = SentenceEncoder.from_pretrained(name, precision="bf16", device="cpu")
    cosine = float((narrow.encode(texts) * found[1]).sum(1).min())
    if cosine < 0.999:
        yield void(told, unit, f"the smallest cosine of a text's two vectors is {cosine:.4f}", 3.0)
        return
    both = in_turns([partial(narrow.encode, texts), partial(theirs, texts)], rounds, warm=0)
    yield compared(told, unit, len(texts), *both, 3.0, smallest_cosine=cosine)
