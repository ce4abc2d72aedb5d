"""Examples by name, by path or by hub id, with their splits.

A user's own files keep the splits they come in, and every row. Where a split has to be made, see
`minibert.data.stratified`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from minibert.data import hub
from minibert.data.catalog import catalog, listed
from minibert.data.conll import read_conll
from minibert.data.duplicates import without_repeated_rows
from minibert.data.examples import Example
from minibert.data.labels import problem_of
from minibert.data.splits import Splits
from minibert.data.squad import read_squad
from minibert.data.stratified import divide_rows
from minibert.data.tables import read_examples

_TABLES = (".jsonl", ".csv", ".tsv")
_CONLL = (".conll", ".conllu", ".bio", ".iob", ".txt")
_SQUAD = (".json",)
_ENDINGS = {*_TABLES, *_CONLL, *_SQUAD}


def read_file(path: str | Path, **options: Any) -> list[Any]:
    """Read one file of examples by its ending: a table, CoNLL columns or SQuAD JSON.

    Args:
        path: `.jsonl`, `.csv` or `.tsv`; `.conll`, `.conllu`, `.bio`, `.iob` or `.txt`; `.json`.
        options: passed to `read_examples`, `read_conll` or `read_squad`.
    """
    form = Path(path).suffix.lower()
    if form in _TABLES:
        return read_examples(path, **options)
    if form in _CONLL:
        return read_conll(path, **options)
    if form in _SQUAD:
        return read_squad(path, **options)
    raise ValueError(
        f"{path}: cannot tell its form by the ending {form!r}: texts with labels end in .jsonl, "
        ".csv or .tsv, tagged words in .conll, .conllu, .bio, .iob or .txt, and SQuAD questions in "
        ".json"
    )


def load_dataset(
    name_or_path: str | Path, *, deduplicate: bool = False, **options: Any
) -> Splits[Any]:
    """A data set with its `train`, `dev` and `test`, by name, by path or by hub id.

    Args:
        name_or_path: a name that `minibert data list` shows; a file (divided here so that every
            label has its share, and the rows of one text, or of SQuAD of one context, stay
            together); a folder with `train.*`, `dev.*` and `test.*`, of which all but the first may
            be missing; or a Hugging Face hub id ("glue/cola", "squad", "imdb"), which needs the
            package `datasets` and the network.
        deduplicate: leave out repeated rows; see `minibert.data.duplicates`. Without it every row
            of a file is kept.
        options: for a file, what its reader takes (`text_column` ...).

    Raises:
        ValueError: unknown name, or a file of the wrong form; the message names file and line.
        FileNotFoundError: no such file, or neither cache nor network.
    """
    path = Path(name_or_path).expanduser()
    named = catalog().datasets
    if isinstance(name_or_path, str) and name_or_path in named:
        return named[name_or_path].load()
    if path.is_file():
        rows = Splits(read_file(path, **options), [], [])
        return divide_rows((without_repeated_rows(rows) if deduplicate else rows).train)
    splits = _load_folder(path, options) if path.is_dir() else _load_from_hub(name_or_path, options)
    return without_repeated_rows(splits) if deduplicate else splits


def _load_from_hub(name_or_path: str | Path, options: dict[str, Any]) -> Splits[Any]:
    path, name, named = Path(name_or_path), str(name_or_path), catalog().datasets
    if path.suffix.lower() in _ENDINGS or not hub.is_hub_id(name):
        raise FileNotFoundError(f"{name}: no such file")
    try:
        parts = hub.load(name, **options)
    except FileNotFoundError as error:
        # The likeliest reason is a mistyped name of ours.
        raise FileNotFoundError(
            f"{name} is no file and no data set known here ({listed(named)}); {error}"
        ) from None
    if "dev" not in parts:
        whole = divide_rows(parts["train"])
        return Splits(whole.train + whole.test, whole.dev, parts.get("test", []))
    return Splits(parts["train"], parts["dev"], parts.get("test", []))


def _load_folder(folder: Path, options: dict[str, Any]) -> Splits[Any]:
    parts: dict[str, list[Any]] = {}
    for name in ("train", "dev", "test"):
        found = sorted(p for p in folder.glob(f"{name}.*") if p.suffix.lower() in _ENDINGS)
        if len(found) > 1:
            raise ValueError(f"{folder} has {len(found)} files called {name}: keep one of them")
        parts[name] = _read_like(parts.get("train", []), found[0], options) if found else []
    if not parts["train"]:
        raise ValueError(f"{folder} has no train.jsonl, .csv, .tsv, .conll or .json")
    return Splits(parts["train"], parts["dev"], parts["test"])


def read_splits(
    train: str,
    dev: str | None = None,
    test: str | None = None,
    *,
    deduplicate: bool = False,
    **options: Any,
) -> Splits[Any]:
    """Examples for training, development and testing.

    Args:
        train: a file, a folder, a name or a hub id. Where neither of the other two is given, it
            brings them along, or a file is divided: see `load_dataset`.
        dev, test: files.
        deduplicate: see `load_dataset`.
        options: for tables, as `read_examples` takes them.
    """
    refuse_unread(options, train, dev, test)
    if dev is None and test is None:
        return load_dataset(train, deduplicate=deduplicate, **options_for(train, options))
    if Path(train).is_file() and dev is not None:
        splits = Splits(read_file(train, **options_for(train, options)), [], [])
    else:
        splits = load_dataset(train, deduplicate=deduplicate, **options_for(train, options))
    # What stood in for a split that is given now is not thrown away.
    own = Path(train).is_file() and test is not None
    first = splits.train + splits.test if own else splits.train
    splits = Splits(
        first,
        _read_like(splits.train, dev, options) if dev else splits.dev,
        _read_like(splits.train, test, options) if test else splits.test,
    )
    return without_repeated_rows(splits) if deduplicate else splits


def _read_like(train: list[Any], path: str | Path, options: dict[str, Any]) -> list[Any]:
    """A file whose labels are read as those for training are, whatever they look like alone."""
    label = train[0].label if train and isinstance(train[0], Example) else None
    if label is not None:
        options = {"problem_type": problem_of(label), **options}
    return read_file(path, **options_for(path, options))


def options_for(source: str | Path, options: dict[str, Any]) -> dict[str, Any]:
    """Those of the options that mean something to a source.

    Column names mean something to tables and to the hub, names for columns without a header to
    tables and to CoNLL, none of them to SQuAD or a data set that has a name.
    """
    form = Path(source).suffix.lower()
    if str(source) in catalog().datasets or form in _SQUAD:
        return {}
    if form in _CONLL:
        return {name: value for name, value in options.items() if name == "columns"}
    if Path(source).exists():
        return options
    return {name: value for name, value in options.items() if name.endswith("_column")}


def refuse_unread(options: dict[str, Any], *sources: str | None) -> None:
    """Refuse options that none of the sources heeds.

    Raises:
        ValueError: naming the first of them.
    """
    heeded = {name for source in sources if source for name in options_for(source, options)}
    for name in options:
        if name not in heeded:
            read = " ".join(source for source in sources if source) or "what is given here"
            raise ValueError(f"{name}=... does not say anything about {read}: leave it out")


@contextmanager
def naming(source: str | None) -> Iterator[None]:
    """Put the name of a file in front of what is wrong with its examples."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"{source}: {error}" if source else str(error)) from None
