"""`minibert data`."""

from __future__ import annotations

from argparse import Namespace

from minibert import sources
from minibert.corpora import CORPORA
from minibert.datasets import DATASETS
from minibert.registry import SOURCES


def run(options: Namespace) -> None:
    """List what is known by name, or fetch some of it."""
    if options.action == "list":
        _list()
        return
    wanted = wanted_sources(options.names)
    for name in options.names:
        if name in DATASETS and DATASETS[name].source is None:
            print(f"{name}: comes with minibert")
    for name in wanted:
        print(f"{name}: {sources.fetch(name)}")


def wanted_sources(names: list[str]) -> list[str]:
    """The sources behind names of sources, data sets and corpora, each once.

    Raises:
        ValueError: for a name that is none of these, before anything is fetched.
    """
    wanted: list[str] = []
    for name in names:
        if name == "all":
            wanted += SOURCES
        elif name in SOURCES:
            wanted.append(name)
        elif name in DATASETS:
            source = DATASETS[name].source
            wanted += [source] if source else []  # some come with the package
        else:
            known = ", ".join(dict.fromkeys([*SOURCES, *DATASETS]))
            raise ValueError(f"unknown name {name!r}: known are all, {known}")
    return list(dict.fromkeys(wanted))


def _list() -> None:
    print(f"Sources (in {sources.home()}):")
    for source in SOURCES.values():
        state = "here" if sources.is_cached(source.name) else f"{source.size / 1e6:.0f} MB"
        print(f"  {source.name:13} {source.kind:8} {state:>7}  {source.note} [{source.license}]")
    for title, table in (("Data sets", DATASETS), ("Corpora", CORPORA)):
        print(f"\n{title}:")
        for name, entry in table.items():
            print(f"  {name:19} {entry[1]}")
