"""One loop that trains and one that only reads, for any model and any data set.

Read `config` (what can be decided; with `options`, which gives each field its option on the command
line), then `trainer`, the loop. It stands on `batching` (which rows make a batch, and how a batch
is cut into parts), `packing` (batches without padding), `draws` (random numbers that belong to a
row), `steps` (all of that, a step ahead of the device), `throughput` (how much of the device is
used), `optimization` (parameter groups, schedules), `devices` (where, in which precision),
`inference` (the loop without learning, for evaluation and prediction alike), `checkpoints` (what a
killed run goes on from, checked by SHA-256), `states` (gathered for them), `fingerprint` (of the
data), `resume` (whether folder
and run are the right ones), `log`, `divergence` (a loss that is no number), `start` (a run that
fails at once leaves nothing), `lock` (one run a folder), `distributed` (several processes),
`interruption` (Ctrl-C and SIGTERM) and `allocation`.

May import: `model.pretrained` and `weights`. No head and no data set is known here: a model says
itself what its loss is a mean over.
"""
