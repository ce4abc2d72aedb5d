"""What only the chapters and the exercises need; nothing else in the package imports it.

`texts` has the course's own texts and tasks, registered by name in `minibert.data.catalog`;
`analysis` looks inside a model (what is recorded, probed, left out, counted); `plots` is the face
of `drawing`, the charts and diagrams in the course's style; `experiments` are what takes longer
than a chapter may, with their results.

May import: every other room.
"""
