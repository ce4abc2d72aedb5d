"""Builds the notebooks, and grades them: one's own, or those of a class.

To be read in this order, first a submission's way:

- `learners`: who handed something in: names in the names of files, and the list of a class.
- `submission`: what was handed in, and by whom.
- `results`: what is kept of grading, by learner and set.
- `notebook`: what is taken from a notebook, without running it.
- `limits`: what a process may take, call and spend.
- `hosting`: calls a learner's function from a process that the function cannot reach.
- `child`: does that, and runs what was taken on inputs, in a process of its own.
- `allowed`: the system calls that a learner's code may make.
- `isolation`: how that process is kept apart from everything.
- `answers`: what it may answer; nothing that it says is believed.
- `conversation`: what is said to it, and for how long it is listened to.
- `grading`: a result for a submission.
- `workers`: results for a class.
- `overrides`: points that somebody gives by hand.
- `gradebook`: the grades as files, for a spreadsheet, for Canvas and for Moodle.
- `pages`: a learner's page, to be handed back.
- `report`: the overview of a class.
- `term`: what is run, what is kept of the weeks before, who is gone.
- `similarity`: which submissions look like copies of each other.

Then what the authors of sets need, and the command line over all of it, `python -m exercises`:

- `build`: the notebooks and the instructor's pages, from `exercises/source/`.
- `gates`: what must hold of a set before a learner sees it.
- `mutants`: solutions broken by a machine, each of which must fail.
- `handout`: the learners' package, without sources and solutions.
- `commands`: list, build, gates, mutants, grade, similar, summary, handout, update.

A module here imports those above it, and of `exercises/learner/` what it likes; that room imports
nothing of this one. With `child` go `notebook`, `hosting`, `limits` and four modules of that room.
"""
