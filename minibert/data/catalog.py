"""Data sets and corpora that have a name.

This room has none of its own. Whoever has some registers them as an entry point, the way plug-ins
do (`[project.entry-points."minibert.data"]` in `pyproject.toml`). So they reach every command and
`load_dataset` without anything here importing them. The course registers its own like that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from minibert.data.splits import Splits

GROUP = "minibert.data"


@dataclass(frozen=True)
class NamedDataset:
    """How a data set is read, what it is in a line, and the source it is read from.

    source: a name in `minibert.data.registry.SOURCES`; `None` where nothing is fetched.
    """

    load: Callable[[], Splits[Any]]
    note: str
    source: str | None = None


@dataclass(frozen=True)
class NamedCorpus:
    """How documents are read, each as the key that decides its split and its sentences."""

    read: Callable[[], Iterable[tuple[str, list[str]]]]
    note: str


@dataclass(frozen=True)
class Catalog:
    """Data sets and corpora by name."""

    datasets: Mapping[str, NamedDataset] = field(default_factory=dict)
    corpora: Mapping[str, NamedCorpus] = field(default_factory=dict)


def listed(names: Iterable[str]) -> str:
    """Names as a message lists them."""
    return ", ".join(names) or "none, for no package registers any: pip install -e . does"


@cache
def catalog() -> Catalog:
    """Everything that the installed packages have registered under `minibert.data`.

    Raises:
        ValueError: what a package registers cannot be imported, or is no `Catalog`.
    """
    datasets: dict[str, NamedDataset] = {}
    corpora: dict[str, NamedCorpus] = {}
    for point in sorted(entry_points(group=GROUP), key=lambda point: point.name):
        registered = _loaded(point)
        datasets |= registered.datasets
        corpora |= registered.corpora
    return Catalog(datasets, corpora)


def _loaded(point: EntryPoint) -> Catalog:
    package = point.dist.name if point.dist else point.value
    try:
        registered = point.load()
    except Exception as error:  # whatever a package does when it is imported
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
    else:
        if isinstance(registered, Catalog):
            return registered
        reason = f"{point.value} is no Catalog"
    raise ValueError(
        f"the data sets that the package {package} registers cannot be loaded ({reason}): "
        f"mend it, or pip uninstall {package}"
    )
