"""`minibert data`."""

from __future__ import annotations

from argparse import Namespace

from minibert.data import download
from minibert.data.catalog import catalog
from minibert.data.registry import SOURCES


def run(options: Namespace) -> None:
    """List what is known by name, or fetch some of it."""
    if options.action == "list":
        _list()
        return
    wanted = wanted_sources(options.names)
    named = catalog().datasets
    for name in options.names:
        if name in named and named[name].source is None:
            print(f"{name}: comes with minibert")
    for name in wanted:
        print(f"{name}: {download.fetch(name)}")


def wanted_sources(names: list[str]) -> list[str]:
    """The sources behind names of sources, data sets and corpora, each once.

    Raises:
        ValueError: for a name that is none of these, before anything is fetched.
    """
    wanted: list[str] = []
    named = catalog().datasets
    for name in names:
        if name == "all":
            wanted += SOURCES
        elif name in SOURCES:
            wanted.append(name)
        elif name in named:
            source = named[name].source
            wanted += [source] if source else []  # some come with the package
        else:
            known = ", ".join(dict.fromkeys([*SOURCES, *named]))
            raise ValueError(f"unknown name {name!r}: known are all, {known}")
    return list(dict.fromkeys(wanted))


def _list() -> None:
    print(f"Sources (in {download.home()}):")
    for source in SOURCES.values():
        state = "here" if download.is_cached(source.name) else f"{source.size / 1e6:.0f} MB"
        print(f"  {source.name:13} {source.kind:8} {state:>7}  {source.note} [{source.license}]")
    named = catalog()
    for title, table in (("Data sets", named.datasets), ("Corpora", named.corpora)):
        print(f"\n{title}:")
        for name, entry in table.items():
            print(f"  {name:19} {entry.note}")
