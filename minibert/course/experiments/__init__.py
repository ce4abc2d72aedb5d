"""Experiments that take longer than a chapter may: a module each, and what came out as JSON.

`python -m minibert.course.experiments.chNN_topic` measures again; see `harness`.
"""
