"""From a plain text to a BERT: masked words, next sentences, next words.

Read `masking` and `pairs` first: the two tasks. `corpus` tokenises a text of any size once into a
file, `dataset` draws batches from it, `start` makes the model before the first step (`pruning` cuts
one out of a larger one), and `recipe` does all of it as the `settings` say. `metrics` are measured
on held-out text, `fill_mask` asks the result.

May import: `data`, `weights`, `tokenization`, `model`, `training`.
"""
