"""What a learner's `check`, `case`, `hint`, `solution`, `progress` and `bring` need.

To be read in this order:

- `statements`: the statements of a notebook's cells, and which names each has to do with.
- `extraction`: which of them run for a task: the same for `check` and for the grader.
- `running`: runs a function on inputs, and makes plain values of what comes out.
- `withheld`: takes away, while an answer runs, what the task asks to build.
- `comparing`: whether two plain values are the same, and what is wrong with the form of one.
- `gradients`: whether a loss can be trained on.
- `layerwise`: which layer and which part of a BERT leaves the reference first.
- `source`: a set's one source file, and the tasks in it.
- `judging`: a task's inputs, and the verdict on results: right, or which mistake they look like.
- `packed`: a set that is handed out without its source.
- `updating`: a new version of the notebooks, with what a learner has written kept.
- `note`: text for a terminal and for a notebook.
- `clock`: stops code that takes too long.
- `record`: what a learner has done, in a file beside the notebooks.
- `checking`: the verdict on a function of the learner's, in this process.
- `trying`: an input of a task, for a learner to try things with.
- `bringing`: the answers of other sets, for a notebook that builds on them.
- `calls`: the six calls themselves.
- `output`: consoles that cannot show every character.

A module here imports those above it, and nothing of `exercises/grader/`: everything runs in the
learner's own process, on Windows, macOS and Linux alike. The first four import nothing else of the
course, since the grader gives them to the processes of strangers.
"""
