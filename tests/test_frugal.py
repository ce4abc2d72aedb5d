"""What is kept of many rows and of large states: little, and the same as before."""

import tracemalloc

import numpy as np
import torch
from safetensors.torch import load_file

from minibert.data.duplicates import repeated_rows
from minibert.data.examples import Example
from minibert.data.splits import Splits
from minibert.finetuning.rows import TokenRows
from minibert.training.batching import seeded
from minibert.weights.files import write_tensors


class Row:
    """An encoding, as far as rows look at it."""

    def __init__(self, ids, types=None):
        self.ids, self.type_ids = ids, types or [0] * len(ids)

    def __len__(self):
        return len(self.ids)


def test_rows_end_to_end_come_out_as_they_went_in():
    chunks = [
        [Row([1, 2, 3]), Row([4])],
        [Row([5, 6], [0, 1])],  # the first second text
        [Row([70_000, 8]), Row([9])],  # the first id of more than 16 bits
    ]
    rows = TokenRows([(some, range(len(some))) for some in chunks], 2, pad_token_id=77)
    batch = rows.collate(np.array([4, 2, 3, 0]), seeded(0))
    assert batch["input_ids"].tolist() == [[9, 77, 77], [5, 6, 77], [70_000, 8, 77], [1, 2, 3]]
    assert batch["token_type_ids"].tolist() == [[0] * 3, [0, 1, 0], [0] * 3, [0] * 3]
    assert batch["attention_mask"].tolist() == [[1, 0, 0], [1, 1, 0], [1, 1, 0], [1, 1, 1]]
    assert rows.samples.tolist() == [0, 1, 0, 0, 1]
    single = TokenRows([([Row([1, 2]), Row([3])], [0, 1])], 2, 0).collate(np.arange(2), seeded(0))
    assert single["token_type_ids"].tolist() == [[0, 0], [0, 0]]
    assert all(value.dtype == torch.int64 for value in (*batch.values(), *single.values()))


def test_a_row_takes_little_more_than_its_tokens():
    tracemalloc.start()
    rows = TokenRows([([Row([5] * 20)] * 1000, range(1000))] * 20, 20_000, 0)
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(rows) == 20_000
    assert held < 20_000 * (2 * 20 + 3 * 8 + 20)


def test_what_repeats_is_told_without_a_copy_of_every_text():
    texts = [f"a text of some length, number {i}, which is not short" * 10 for i in range(3000)]
    splits = Splits([Example(text, label="ab"[i % 2]) for i, text in enumerate(texts)], [], [])
    tracemalloc.start()
    assert repeated_rows(splits) == []
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 3000 * 250  # the texts have 500 each
    told = repeated_rows(Splits(splits.train, splits.train[:2], [Example(texts[1], label="x")]))
    assert [line.split(",")[0].split(" (")[0] for line in told] == [
        "dev examples: 2 texts of 2 already among those before",
        "test examples: 1 text of 1",
    ]


def test_tensors_that_share_their_memory_are_written_each_by_itself(tmp_path):
    whole = torch.arange(12.0).view(3, 4)
    state = {"a": whole, "b": whole, "row": whole[1], "turned": whole.T, "none": torch.zeros(0)}
    write_tensors(tmp_path / "a.safetensors", state)
    found = load_file(tmp_path / "a.safetensors")
    assert found.keys() == state.keys()
    for name, tensor in state.items():
        torch.testing.assert_close(found[name], tensor)
    assert torch.equal(whole, torch.arange(12.0).view(3, 4))
