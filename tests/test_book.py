"""The chapters and their stored notebooks: made from one source, executed, compared exactly."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from types import ModuleType

import nbformat
import pytest
import yaml

from book import picture, register

ROOT = Path(__file__).resolve().parent.parent
BOOK = ROOT / "book"

CHAPTER = """---
jupytext: {text_representation: {extension: .md, format_name: myst}}
kernelspec: {display_name: Python 3, language: python, name: python3}
---

# 一 · A chapter

```{code-cell} ipython3
:tags: [claim-A9]
print("四", 2 + 2)
```
"""


def load_build() -> ModuleType:
    """`book/build.py`, which is a script and in no package."""
    spec = importlib.util.spec_from_file_location("book_build", BOOK / "build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


build = load_build()
STORED = sorted((BOOK / "notebooks").glob("*.ipynb"))


@pytest.fixture
def small_book(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A book of one chapter in a folder of its own; the chapter's path."""
    book = tmp_path / "book"
    book.mkdir()
    for name, value in {
        "ROOT": tmp_path,
        "BOOK": book,
        "NOTEBOOKS": book / "notebooks",
        "BUILD": tmp_path / "_build",
    }.items():
        monkeypatch.setattr(build, name, value)
    chapter = book / "ch99-small.md"
    chapter.write_text(CHAPTER, encoding="utf-8")
    return chapter


def code_cells(path: Path) -> list[nbformat.NotebookNode]:
    """The code cells of a stored notebook."""
    return [c for c in nbformat.read(path, as_version=4).cells if c.cell_type == "code"]


def test_every_chapter_in_the_table_of_contents_exists_and_the_other_way_round():
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    files = [c["file"] for part in toc["parts"] for c in part["chapters"]]
    listed = [name for name in files if re.match(r"book/ch\d\d-", name)]
    assert listed == [f"book/{chapter.stem}" for chapter in build.chapters()]  # and in order
    assert {c.stem for c in build.chapters()} <= set(register.CHAPTERS)
    assert [name for name in [toc["root"], *files] if not (ROOT / f"{name}.md").exists()] == []


def test_a_chapter_opens_with_its_number_and_closes_with_five_chinese_sentences():
    for chapter in build.chapters():
        text = chapter.read_text(encoding="utf-8")
        assert f"# {int(chapter.stem[2:4])} · {register.title(chapter.stem)}\n" in text
        summary = text.rpartition("中文小结")[2]
        assert summary.count("。") + summary.count("？") == 5, chapter.stem


def test_stored_notebooks_match_their_chapters():
    assert [line for c in build.chapters() for line in build.differences(c)] == []
    assert {p.stem for p in STORED} == {c.stem for c in build.chapters()}, "a notebook too many"


@pytest.mark.parametrize("path", STORED, ids=lambda p: p.stem)
def test_stored_notebooks_were_executed_from_the_top_without_a_warning(path: Path):
    cells = code_cells(path)
    assert [c.execution_count for c in cells] == list(range(1, len(cells) + 1))
    kinds = {(o.output_type, o.get("name")) for c in cells for o in c.outputs}
    assert not {k for k in kinds if k[0] == "error" or k[1] == "stderr"}


@pytest.mark.parametrize("path", STORED, ids=lambda p: p.stem)
def test_every_stored_figure_says_in_words_what_is_to_be_seen(path: Path):
    silent = []
    for cell in code_cells(path):
        header = cell.metadata.get("mystnb", {}).get("image", {}).get("alt", "")
        for output in cell.outputs:
            for kind in [k for k in output.get("data", {}) if k.startswith("image/")]:
                alt = output.get("metadata", {}).get(kind, {}).get("alt", "") or header
                if len(alt.split()) < 4:
                    silent.append(f"{cell.id}: {cell.source[-80:]}")
    assert silent == []


@pytest.mark.skipif(not STORED, reason="no notebooks: the test above fails then")
def test_at_least_85_percent_of_the_cells_are_compared_exactly():
    tags = [c.metadata.get("tags", []) for path in STORED for c in code_cells(path)]
    assert not [t for t in tags if "nbval-skip" in t]
    exact = sum("nbval-ignore-output" not in t for t in tags)
    assert exact / len(tags) >= 0.85, f"{exact} of {len(tags)}"


def test_a_chapter_becomes_the_same_notebook_every_time(small_book: Path):
    first, second = (nbformat.writes(build.to_notebook(small_book)) for _ in range(2))
    assert first == second


@pytest.mark.slow
def test_an_executed_notebook_is_stored_and_a_changed_chapter_makes_it_stale(small_book: Path):
    assert "make notebooks" in build.differences(small_book)[0]
    assert build.write_notebooks([], force=False) == 1
    assert build.differences(small_book) == []
    stored = build.notebook_path(small_book)
    assert code_cells(stored)[0].outputs[0].text == "四 4\n"
    assert build.write_notebooks([], force=False) == 0  # nothing changed: nothing is executed
    before = stored.read_bytes()
    build.write_notebooks(["ch99-small"], force=True)
    assert stored.read_bytes() == before
    for old, new in (("2 + 2", "2 + 3"), ("claim-A9", "claim-A8"), ("# 一", "# 二")):
        small_book.write_text(CHAPTER.replace(old, new), encoding="utf-8")
        assert len(build.differences(small_book)) == 1, new
    small_book.write_text(CHAPTER + "\n```{code-cell}\n1\n```\n", encoding="utf-8")
    assert "2 cells" in build.differences(small_book)[0]


def test_a_chapter_whose_prose_alone_changed_keeps_its_outputs(small_book: Path):
    stored = build.notebook_path(small_book)
    stored.parent.mkdir()
    notebook = build.to_notebook(small_book)
    notebook.cells[1].outputs = [nbformat.v4.new_output("stream", text="四 4\n")]
    notebook.cells[1].execution_count = 1
    nbformat.write(notebook, stored)
    small_book.write_text(CHAPTER.replace("# 一", "# 二\n\nNew."), encoding="utf-8")
    assert build.write_notebooks([], force=False) == 1  # at once: there is no kernel here
    assert build.differences(small_book) == []
    (cell,) = code_cells(stored)
    assert (cell.outputs[0].text, cell.execution_count) == ("四 4\n", 1)
    for old, new in (("2 + 2", "2 + 3"), ("claim-A9", "claim-A8")):
        small_book.write_text(CHAPTER.replace(old, new), encoding="utf-8")
        assert build.with_stored_outputs(small_book) is None


@pytest.mark.slow
def test_a_cell_that_warns_is_refused_and_nothing_is_stored(small_book: Path):
    warns = "import warnings; warnings.warn('old')"
    small_book.write_text(CHAPTER.replace('print("四", 2 + 2)', warns), encoding="utf-8")
    with pytest.raises(RuntimeError, match=r"ch99-small.md, cell 1 wrote to stderr"):
        build.write_notebooks([], force=False)
    assert not build.notebook_path(small_book).exists()


def test_an_unknown_chapter_is_named(small_book: Path):
    del small_book
    with pytest.raises(ValueError, match="no chapter ch98-none"):
        build.write_notebooks(["ch98-none"], force=False)


def test_the_fingerprint_sees_a_changed_and_a_renamed_file(small_book: Path):
    first = build.fingerprint([small_book])
    small_book.write_text(CHAPTER + "more", encoding="utf-8")
    second = build.fingerprint([small_book])
    renamed = small_book.rename(small_book.with_name("ch98-small.md"))
    assert len({first, second, build.fingerprint([renamed])}) == 3


def test_the_map_of_the_course_is_the_one_its_script_draws():
    assert picture.TARGET.read_text(encoding="utf-8") == picture.Map().svg()


def test_no_chapter_imports_what_is_not_in_the_wheel():
    outside = re.compile(r"^\s*(?:from|import)\s+(?:book|exercises|tests)\b.*", re.MULTILINE)
    sources = {
        f"{chapter.stem}, {cell.id}": cell.source
        for chapter in build.chapters()
        for cell in build.to_notebook(chapter).cells
        if cell.cell_type == "code"
    }
    assert len(sources) > 200
    assert {where: outside.findall(source) for where, source in sources.items()} == {
        where: [] for where in sources
    }


def test_the_api_reference_has_every_module_that_a_chapter_imports():
    named = re.compile(r"^\s*from (minibert\.[\w.]+) import (.+)", re.MULTILINE)
    page = (BOOK / "api.md").read_text(encoding="utf-8")
    missing = {
        module
        for chapter in build.chapters()
        for module, names in named.findall(chapter.read_text(encoding="utf-8"))
        if f"automodule:: {module}\n" not in page
        and not module.startswith("minibert.course.experiments")  # a chapter's own
        and (module, names) != ("minibert.model.config", "PRESETS")  # BertConfig.preset
    }
    assert missing == set()


def test_nobody_is_told_to_install_the_package_of_another_owner():
    """The distribution is `minibert-course`; `minibert` on the index is somebody else's."""
    wrong = re.compile(r"\b(?:pip3? install|uv add)\b[^\n`&;|]*?[ '\"]minibert(?![\w./:-])")
    assert wrong.search("python -m pip install -U 'minibert[hub]'")
    assert wrong.search("uv add minibert torch")
    assert not wrong.search("pip install dist/minibert_course-*.whl")
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if listed.returncode:
        pytest.skip("not a git checkout")
    text_of = re.compile(r"\.(md|py|toml|txt|ipynb|yml|yaml|cfg)$|(^|/)(Makefile|Containerfile)$")
    told = []
    for name in listed.stdout.split("\0"):
        if text_of.search(name) and (ROOT / name).is_file() and name != "tests/test_book.py":
            text = (ROOT / name).read_text(encoding="utf-8")
            told += [f"{name}: {found[0]}" for found in wrong.finditer(text)]
    assert told == []


@pytest.mark.slow
def test_the_wheel_holds_what_chapters_import_and_nothing_of_the_workshop(tmp_path: Path):
    source = tmp_path / "source"
    for name in ("minibert", "book", "exercises", "tests"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    command = "-m pip wheel --quiet --no-deps --no-build-isolation --no-index -w dist ."
    subprocess.run([sys.executable, *command.split()], cwd=source, check=True)
    (wheel,) = (source / "dist").iterdir()
    assert wheel.name.startswith("minibert_course-")
    names = set(zipfile.ZipFile(wheel).namelist())
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"minibert"}
    tracked = {  # by their names below source
        path.relative_to(source).as_posix()
        for path in (source / "minibert").rglob("*")
        if path.is_file() and not path.name.startswith(".")
    }
    assert {name for name in names if name.startswith("minibert/")} == tracked
    assert {
        "minibert/py.typed",
        "minibert/course/texts/requests.tsv",
        "minibert/course/experiments/results/ch17_honest.json",
        "minibert/checkpoints/course-en/model.safetensors",
        "minibert/checkpoints/course-en/CARD.md",
    } <= names
