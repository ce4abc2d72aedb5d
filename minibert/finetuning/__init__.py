"""From labelled examples to a model for a task, and what it predicts.

A module a task: `classification`, `tagging`, `answering`. Each has the data set that makes rows out
of examples (`rows` is what they share) and turns scores into predictions. `settings` say how,
`recipe` trains, by `defaults` where nothing is said, and `sweep` does so at several learning rates.
`word_counts` is the baseline beside it, and `doubts` says what speaks against the result. `predict`
and `evaluate` use what was trained; `embedding` makes vectors of texts, and `stored_vectors` keeps
them in a file that says whose they are. `metrics` and `calibration`
say how good a model is, `plots` draws two pictures of that. `comparison` tests two models on the
same rows, and `label_errors` finds the rows to look at again.

May import: `data`, `weights`, `tokenization`, `model`, `training`.
"""
