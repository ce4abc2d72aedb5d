"""Builds the notebooks, and grades them: one's own, or those of a class.

To be read in this order, first a submission's way:

- `submission`: what is taken from a notebook, without running it.
- `child`: runs a learner's definitions on inputs, in a process of its own.
- `isolation`: starts that process, apart from everything, and believes nothing that it says.
- `grading`: a folder of submissions, a result each.
- `report`: grades and pages made of the results.
- `similarity`: which submissions look like copies of each other.

Then what the authors of sets need, and the command line over all of it, `python -m exercises`:

- `build`: the notebooks and the instructor's pages, from `exercises/source/`.
- `gates`: what must hold of a set before a learner sees it.
- `mutants`: solutions broken by a machine, each of which must fail.
- `commands`: list, build, gates, mutants, grade, similar, summary.

A module here imports those above it, and of `exercises/learner/` what it likes; that room imports
nothing of this one. `child` imports of the course only `learner/running.py`, by its file.
"""
