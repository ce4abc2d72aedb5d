"""The graded exercises: `from exercises import check, hint, solution, progress`."""

from exercises.learner import check, hint, progress, solution

__all__ = ["check", "hint", "progress", "solution"]
