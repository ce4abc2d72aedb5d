"""The graded exercises: `from exercises import case, check, hint, solution, progress`.

The notebooks are here; the capstone's takes `bring` as well. What makes them work is in two rooms:
`learner/`, what these calls
need, and `grader/`, which builds the notebooks and grades them. Each room's first lines say in
which order to read it. `source/` holds what the notebooks are made from, `instructor/` the
solutions, `classroom/` a workflow for GitHub Classroom.
"""

from exercises.learner.calls import bring, case, check, hint, progress, solution
from exercises.learner.output import make_legible

__all__ = ["bring", "case", "check", "hint", "progress", "solution"]

make_legible()
