"""What the playgrounds run in a reader's browser: ONNX Runtime's WebAssembly and our own models.

A page that is opened from a folder may neither fetch a file nor import a module: what it may load
is a classic script. So runtime and models become scripts that carry their bytes, compressed and as
base64, in parts of a megabyte, after each of which a page can say how far it is.

The runtime is the npm package `onnxruntime-web`, fetched by npm, checked against its pinned SHA-512
and kept in the cache beside the course's texts; a model is what `minibert export` makes of a
checkpoint, and is made again when the checkpoint or the code that exports it changes. Without npm
there is no runtime, and the pages show recorded results only.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import minibert
from minibert.data.download import home

RUNTIME = "onnxruntime-web"
VERSION = "1.30.0"
SHA512 = (
    "ab4cbe26baedba45d2cec05610c71c55fa97db92d19a8b171c5f8269126683ca"
    "590a5cdc57bb2f35ce2b298de32f4d956fb42644c0ecd528a0a91e025c07ca61"
)
# The script that a page loads as it is; and what it asks for: its other half, and the WebAssembly.
SCRIPT, OTHER_HALF = "ort.wasm.min.js", "ort-wasm-simd-threaded.mjs"
WASM = "ort-wasm-simd-threaded.wasm"
MODELS = ("course-en", "course-en-causal", "course-zh", "course-zh-reviews")
VOCABULARIES = ("course-en", "course-zh")  # for a playground that cuts words and runs no model
PART = 1_000_000  # characters of base64 in a script

ROOT = Path(__file__).resolve().parent.parent
NO_NPM = "npm is not installed"


class NoRuntimeError(Exception):
    """Why there is no runtime for the browser; the message is for whoever builds the book."""


def runtime_folder() -> Path:
    """Where the runtime is kept between builds."""
    return home() / "npm" / f"{RUNTIME}-{VERSION}"


def can_fetch() -> bool:
    """Whether the runtime is in the cache, or npm is there to fetch it."""
    return runtime_folder().is_dir() or shutil.which("npm") is not None


def fetch_runtime() -> Path:
    """The folder with the three files of the runtime, from the cache or by npm.

    Raises:
        NoRuntimeError: without npm, or where npm could not fetch it.
        ValueError: if the archive is not the one that was pinned.
    """
    folder = runtime_folder()
    if folder.is_dir():
        return folder
    npm = shutil.which("npm")
    if npm is None:
        raise NoRuntimeError(NO_NPM)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as name:
        target = Path(name)
        command = [npm, "pack", f"{RUNTIME}@{VERSION}", "--silent", "--pack-destination", name]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        archives = list(target.glob("*.tgz"))
        if done.returncode or len(archives) != 1:
            last = (done.stderr.strip() or "no archive").splitlines()[-1]
            raise NoRuntimeError(f"npm could not fetch {RUNTIME} {VERSION}: {last}")
        unpack(archives[0], target / "files")
        (target / "files").rename(folder)
    return folder


def unpack(archive: Path, target: Path) -> None:
    """Take the needed files out of the checked archive.

    Raises:
        ValueError: if the archive is not the one that was pinned.
    """
    found = hashlib.sha512(archive.read_bytes()).hexdigest()
    if found != SHA512:
        raise ValueError(f"{archive.name} has SHA-512 {found}, not the pinned one: nothing is used")
    target.mkdir()
    with tarfile.open(archive) as tar:
        for name in (SCRIPT, OTHER_HALF, WASM):
            member = tar.extractfile(f"package/dist/{name}")
            assert member is not None
            (target / name).write_bytes(member.read())


def prepare(folder: Path, models: tuple[str, ...] = MODELS) -> None:
    """Write into a folder what the built pages load; `manifest.js` says what there is.

    Without a runtime the manifest says why, and there are only vocabularies, which no model reads.

    Raises:
        ValueError: if the archive of the runtime is not the one that was pinned.
        RuntimeError: if a model cannot be exported.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for old in [*folder.glob("*.js"), *folder.glob("*.txt")]:
        old.unlink()
    sizes = {}
    for name in VOCABULARIES:
        text = (checkpoint(name) / "vocab.txt").read_bytes()
        sizes[f"vocabulary-{name}"] = write_parts(folder, f"vocabulary-{name}", text)
    try:
        runtime = fetch_runtime()
    except NoRuntimeError as error:
        print(
            f"WARNING: {error}.\nWARNING: the playgrounds of this book will show recorded results"
            " only. With Node.js and npm installed, build it again.",
            file=sys.stderr,
        )
        _write_manifest(folder, sizes, str(error))
        return
    for name in models:
        print(f"Exporting {name} for the playgrounds", file=sys.stderr)
        exported = export(name, folder)
        about = json.loads((exported / "config.json").read_text(encoding="utf-8"))
        vocabulary = (exported / "vocab.txt").read_text(encoding="utf-8").splitlines()
        sizes[name] = write_parts(
            folder, name, (exported / "model_int8.onnx").read_bytes(), vocabulary, about
        )
    sizes["wasm"] = write_parts(folder, "wasm", (runtime / WASM).read_bytes())
    sizes["other-half"] = write_parts(folder, "other-half", (runtime / OTHER_HALF).read_bytes())
    script = (runtime / SCRIPT).read_text(encoding="utf-8")
    (folder / SCRIPT).write_text(re.sub(r"\n//# sourceMappingURL=.*", "", script))
    (folder / f"{RUNTIME}-LICENSE.txt").write_text(_license(script))
    _write_manifest(folder, sizes, "")


def checkpoint(name: str) -> Path:
    """The folder of a model that comes with the package."""
    return Path(minibert.__file__).parent / "checkpoints" / name


def export(name: str, folder: Path) -> Path:
    """The folder of an exported model, made unless what it depends on is as it was."""
    target = folder / "exported" / name
    package = Path(minibert.__file__).parent
    digest = hashlib.sha256()
    code = [*(package / "model").glob("*.py"), package / "weights" / "onnx.py"]
    weights = [path for path in checkpoint(name).iterdir() if path.is_file()]
    adapter = checkpoint(name) / "adapter_config.json"
    if adapter.exists():
        weights.append(checkpoint(json.loads(adapter.read_text())["base"]) / "model.safetensors")
    for path in sorted([*code, *weights]):
        digest.update(path.name.encode() + hashlib.sha256(path.read_bytes()).digest())
    stamp = target / ".made-from"
    if stamp.exists() and stamp.read_text() == digest.hexdigest():
        return target
    shutil.rmtree(target, ignore_errors=True)
    target.parent.mkdir(exist_ok=True)
    command = [sys.executable, "-m", "minibert.cli", "export", name]
    command += ["--onnx", "--int8", "--attentions", "--out", str(target)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{name} was not exported: {done.stderr.strip().splitlines()[-1]}")
    stamp.write_text(digest.hexdigest())
    return target


def write_parts(
    folder: Path,
    name: str,
    data: bytes,
    vocabulary: list[str] | None = None,
    config: dict[str, object] | None = None,
) -> list[int]:
    """Write data as scripts `NAME.0.js`, `NAME.1.js`, …; their sizes in bytes.

    The first also carries a model's vocabulary and configuration.
    """
    text = base64.b64encode(gzip.compress(data, 9, mtime=0)).decode()
    sizes = []
    for number, start in enumerate(range(0, len(text), PART)):
        arguments = [name, number, text[start : start + PART]]
        if number == 0 and vocabulary:
            arguments.append({"vocabulary": vocabulary, "config": config})
        inside = json.dumps(arguments, ensure_ascii=False)[1:-1]
        path = folder / f"{name}.{number}.js"
        path.write_text(f"playground.receive({inside});\n", encoding="utf-8")
        sizes.append(path.stat().st_size)
    return sizes


def _write_manifest(folder: Path, sizes: dict[str, list[int]], why_not: str) -> None:
    manifest = json.dumps({"sizes": sizes, "whyNot": why_not})
    (folder / "manifest.js").write_text(f"playground.manifest = {manifest};\n")


def why_not(folder: Path) -> str:
    """Why the pages cannot run models; empty where they can."""
    path = folder / "manifest.js"
    if not path.exists():
        return "it was built without its models"
    found = re.search(r'"whyNot": ("(?:[^"\\]|\\.)*")', path.read_text())
    return str(json.loads(found[1])) if found else ""


def size(folder: Path, models: tuple[str, ...]) -> int:
    """How many bytes a page loads to run some models."""
    names = ["wasm", "other-half", *models]
    scripts = [path for name in names for path in folder.glob(f"{name}.[0-9]*.js")]
    return sum(path.stat().st_size for path in [*scripts, folder / SCRIPT])


def _license(script: str) -> str:
    """The runtime's licence: MIT, with the copyright line that stands in its script."""
    found = re.search(r"Copyright \(c\)[^\n]*", script)
    assert found is not None
    ours = (ROOT / "LICENSE").read_text(encoding="utf-8")
    text = re.sub(r"Copyright \(c\)[^\n]*", found[0].strip(), ours, count=1)
    return f"{RUNTIME} {VERSION}\n\n{text}"
