"""An instructor's term: files for learning systems, a roster, weeks, changes by hand, pages."""

from __future__ import annotations

import csv
import itertools
import json
import re
from pathlib import Path

import pytest

from exercises.grader.commands import main
from exercises.grader.learners import Names, Person, Roster, read_roster
from exercises.grader.report import histogram
from exercises.grader.results import safe_name
from exercises.grader.submission import MOST_FILES, find_submissions
from exercises.learner import source
from tests.test_grading import REPLY, SCALE, SET, notebook

WRONG = "def reply():\n    return 24"
FIRST, SECOND = "ch09-small", "ch10-other"
SCALE2, REPLY2 = (code.replace("def ", "def other_") for code in (SCALE, REPLY))


@pytest.fixture
def course(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A course of two sets, and a folder for submissions."""
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / f"{FIRST}.py").write_text(SET)
    other = SET.replace("9.1", "10.1").replace("9.2", "10.2")
    for name in ("scale", "reply"):
        other = other.replace(f"def {name}(", f"def other_{name}(")
        other = other.replace(f"function: {name}", f"function: other_{name}")
    (tmp_path / "source" / f"{SECOND}.py").write_text(other)
    monkeypatch.setattr(source, "SOURCES", tmp_path / "source")
    source.load.cache_clear()
    (tmp_path / "class").mkdir()
    (tmp_path / "seed.txt").write_text("some random words")
    yield tmp_path
    source.load.cache_clear()


def hand_in(course: Path, file: str, *cells: str, name: str = FIRST) -> None:
    """Hand in a notebook of a set."""
    path = course / "class" / file
    path.parent.mkdir(parents=True, exist_ok=True)
    content = json.loads(notebook(*cells)) | {"metadata": {"minibert_exercises": {"set": name}}}
    path.write_text(json.dumps(content))


def grade(course: Path, *options: str, status: int = 0) -> dict[str, list[str]]:
    """Grade through the command: each row of `grades.csv` behind the addresses."""
    seed, out = str(course / "seed.txt"), str(course / "report")
    command = ["grade", str(course / "class"), "--seed-file", seed, "--out", out]
    assert main([*command, *options]) == status
    return {row[0]: row[4:-1] for row in table(course, "grades")} if not status else {}


def table(course: Path, name: str) -> list[list[str]]:
    """The rows of one of the files of grades."""
    with (course / "report" / f"{name}.csv").open(encoding="utf-8-sig", newline="") as stream:
        return list(csv.reader(stream))


ROSTER = """Student,ID,SIS User ID,SIS Login ID,Section,Week 1 (77)
    Points Possible,,,,,10
"Lee, Anna",4711,S1,alee,A,9
"Okafor, Ben",4712,S2,bokafor,A,
李明,4713,S3,liming,B,7
"""


def two_weeks(course: Path) -> None:
    """Hand in: Anna both sets, Ben the first, Li Ming nothing that can be read."""
    (course / "roster.csv").write_text(ROSTER)
    hand_in(course, "leeanna_4711_99001_ch09-small.ipynb", SCALE, REPLY)
    hand_in(course, "leeanna_LATE_4711_99002_other.ipynb", SCALE2, REPLY2, name=SECOND)
    hand_in(course, "okaforben_4712_99003_ch09-small.ipynb", SCALE, WRONG)
    (course / "class" / "李明_4713_99004_ch09-small.ipynb").write_text('{"cells": [')


ASKED = ("--name-pattern", "canvas")


@pytest.fixture
def graded(course: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """The two weeks, graded with a roster; what the command said."""
    two_weeks(course)
    grade(course, *ASKED, "--roster", str(course / "roster.csv"))
    return capsys.readouterr().out


# --- files for learning systems -------------------------------------------------------------------


def canvas_import(rows: list[list[str]]) -> tuple[dict[str, str], dict[str, dict[str, str]]]:
    """What Canvas takes from a file: points possible, and grades by user, of each assignment."""
    head = rows[0]
    assert len(head) > 3
    assert "Student" in head[0]
    assert "ID" in head[1]
    assert re.search(r"SIS\s+User\s+ID", head[2])
    assert re.search(r"SIS\s+Login\s+ID", head[3])
    assert "Section" in head[4]
    possible, grades = {}, {}
    for row in rows[1:]:
        assert len(row) == len(head)
        values = dict(zip(head[5:], row[5:], strict=True))
        if "Points Possible" in row[0]:
            possible = values
        elif any(row):
            grades[row[1] or row[2] or row[3] or row[0]] = values
    return possible, grades


def moodle_import(rows: list[list[str]], users: set[str]) -> dict[str, dict[str, float | None]]:
    """What Moodle takes from a file: grades by user, in new columns; it stops at who is unknown."""
    grades: dict[str, dict[str, float | None]] = {}
    for row in rows[1:]:
        assert row[0] in users, f"the import ends here: {row}"
        read = {}
        for title, value in zip(rows[0][1:], row[1:], strict=True):
            read[title] = None if value == "-" else float(value or 0)
        grades[row[0]] = read
    return grades


def test_canvas_imports_a_column_a_set_named_after_it_and_nothing_twice(course, graded):
    possible, grades = canvas_import(table(course, "canvas"))
    assert possible == {FIRST: "100", SECOND: "100"}
    assert grades == {
        "4711": {FIRST: "100", SECOND: "100"},
        "4712": {FIRST: "70", SECOND: ""},
        "4713": {FIRST: "", SECOND: ""},
    }


def test_moodle_imports_every_row_as_a_user_and_missing_work_as_no_grade(course, graded):
    grades = moodle_import(table(course, "moodle"), {"alee", "bokafor", "liming"})
    assert grades == {
        "alee": {FIRST: 100, SECOND: 100},
        "bokafor": {FIRST: 70, SECOND: None},
        "liming": {FIRST: None, SECOND: None},
    }


def test_a_spreadsheet_has_everybody_a_column_a_set_and_what_is_wrong(course, graded):
    rows = table(course, "grades")
    assert rows[0] == ["name", "id", "login", "email", FIRST, SECOND, "notes"]
    assert rows[1] == ["Lee, Anna", "4711", "alee", "", "100", "100", ""]
    assert rows[3][:6] == ["李明", "4713", "liming", "", "", ""]
    assert "not JSON" in rows[3][6]


def test_nobody_outside_the_roster_is_in_a_systems_file_and_all_are_listed(course, capsys):
    (course / "roster.csv").write_text(ROSTER)
    hand_in(course, "stranger_9999_1_x.ipynb", SCALE, REPLY)
    rows = grade(course, *ASKED, "--roster", str(course / "roster.csv"))
    assert rows["stranger"] == ["100"]
    moodle_import(table(course, "moodle"), {"alee", "bokafor", "liming"})
    assert "9999" not in canvas_import(table(course, "canvas"))[1]
    assert "stranger: stranger_9999_1_x.ipynb: nobody on the roster." in capsys.readouterr().out


def test_no_name_is_taken_for_the_row_of_points_possible(course):
    hand_in(course, "Points Possible.ipynb", SCALE, WRONG)
    grade(course)
    possible, grades = canvas_import(table(course, "canvas"))
    assert possible == {FIRST: "100"}
    assert list(grades.values()) == [{FIRST: "70"}]


# --- weeks ----------------------------------------------------------------------------------------


def written(course: Path) -> dict[str, int]:
    """When each result was written."""
    results = course / "report" / "results"
    files = results.glob("*/ch*.json")
    return {str(path.relative_to(results)): path.stat().st_mtime_ns for path in files}


def test_a_week_graded_alone_leaves_the_other_as_it_is(course):
    hand_in(course, "anna/one.ipynb", SCALE, WRONG)
    hand_in(course, "anna/two.ipynb", SCALE2, REPLY2, name=SECOND)
    hand_in(course, "ben.ipynb", SCALE, REPLY)
    assert grade(course, "--sets", "ch09") == {"name": [FIRST], "anna": ["70"], "ben": ["100"]}
    first = written(course)
    rows = {"name": [FIRST, SECOND], "anna": ["70", "100"], "ben": ["100", ""]}
    assert grade(course, "--sets", "ch10") == rows
    second = written(course)
    assert {name: second[name] for name in first} == first
    for sets in ((), ("--sets", "ch09"), ("--sets", "ch10", "ch09")):  # nothing is run again
        assert grade(course, *sets) == rows
        assert written(course) == second
    hand_in(course, "anna/one.ipynb", SCALE, REPLY)
    assert grade(course)["anna"] == ["100", "100"]
    third = written(course)
    assert {name for name in third if third[name] != second.get(name)} == {"anna/ch09-small.json"}
    (earlier,) = (course / "report" / "results" / "anna" / "earlier").iterdir()
    assert json.loads(earlier.read_text())["tasks"][1]["points"] == 0


def test_what_was_handed_in_for_a_week_counts_when_the_folder_has_only_the_next(course):
    hand_in(course, "anna.ipynb", SCALE, REPLY)
    hand_in(course, "ben.ipynb", SCALE, REPLY)
    grade(course, "--sets", "ch09")
    for path in (course / "class").iterdir():
        path.unlink()
    hand_in(course, "anna.ipynb", SCALE2, REPLY2, name=SECOND)
    rows = {"anna": ["100", "100"], "ben": ["100", ""]}
    assert grade(course, "--sets", "ch10") == {"name": [FIRST, SECOND], **rows}
    page = (course / "report" / "submissions" / "anna.html").read_text()
    assert "Graded from what was handed in before." in page


def test_who_is_gone_has_no_page_and_what_was_graded_is_put_aside(course, capsys):
    hand_in(course, "anna.ipynb", SCALE, REPLY)
    hand_in(course, "ben.ipynb", SCALE, REPLY)
    grade(course)
    (course / "class" / "ben.ipynb").unlink()
    assert list(grade(course)) == ["name", "anna"]
    assert "ben: no longer there" in capsys.readouterr().out
    report = course / "report"
    assert [path.name for path in (report / "submissions").iterdir()] == ["anna.html"]
    assert (report / "removed" / "ben" / f"{FIRST}.json").is_file()
    assert "ben" not in (report / "index.html").read_text()
    hand_in(course, "ben.ipynb", SCALE, WRONG)
    assert grade(course)["ben"] == ["70"]
    (course / "class" / "ben.ipynb").unlink()
    grade(course)
    assert sorted(path.name for path in (report / "removed").iterdir()) == ["ben", "ben-2"]


def test_unreadable_and_absent_work_is_listed_in_the_index_and_on_the_terminal(course, graded):
    page = (course / "report" / "index.html").read_text()
    for text in (page, graded):
        assert re.search(r"李明(</b>)?: 李明_4713_99004_ch09-small.ipynb: not a notebook", text)
        assert re.search(r"ch10-other(</b>)?: nothing of Okafor, Ben", text)
    assert "2 to look at:" in graded


# --- who is who -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pattern", "entry", "name", "number"),
    [
        ("canvas", "leeanna_4711_99002_ch02-tokens.ipynb", "leeanna", "4711"),
        ("canvas", "leeanna_LATE_4711_99002_ch02-tokens-1.ipynb", "leeanna", "4711"),
        ("canvas", "李明_4711_99002_ch02_tokens.ipynb", "李明", "4711"),
        ("canvas", "anon_x7Qa2_99002_ch02-tokens.ipynb", "anon_x7Qa2", "anon_x7Qa2"),
        ("canvas", "LATE_anon_x7Qa2_99002_ch02.ipynb", "anon_x7Qa2", "anon_x7Qa2"),
        ("moodle", "Anna Lee_815_assignsubmission_file_", "Anna Lee", ""),
        ("moodle", "Anna Lee_815_assignsubmission_file_ch02.ipynb", "Anna Lee", ""),
        ("moodle", "Participant_815_assignsubmission_file_", "Participant_815", ""),
        (r"(?P<id>s\d+)-.*", "s1234-ch02.ipynb", "s1234", "s1234"),
        (r"(?P<name>\w+)@.*", "anna@ch02.ipynb", "anna", ""),
    ],
)
def test_a_file_is_told_by_its_name(pattern, entry, name, number):
    person, notes = Names(pattern).person(entry, Path(entry).stem)
    assert (person, notes) == (Person(name, number), [])


def test_a_name_that_does_not_fit_is_a_learner_and_said(course):
    hand_in(course, "anna_1_2_x.ipynb", SCALE)
    hand_in(course, "ben.ipynb", SCALE)
    found = find_submissions(course / "class", Names("canvas"))
    assert [(one.name, len(one.notes)) for one in found] == [("anna", 0), ("ben", 1)]


def test_files_of_a_download_without_a_pattern_are_told_to_be_that(course, capsys):
    hand_in(course, "leeanna_4711_99002_ch09-small.ipynb", SCALE)
    grade(course)
    assert "--name-pattern canvas" in capsys.readouterr().err


@pytest.mark.parametrize(
    "text",
    [
        ROSTER,
        ROSTER.replace(",", ";").replace("Lee;", "Lee,").replace("Okafor;", "Okafor,"),
        "First name,Last name,ID number,Email address,Groups\nAnna,Lee,S1,alee@x.org,A\n"
        "Ben,Okafor,S2,ben@x.org,A\n明,李,S3,li@x.org,B\n",
        "name\nAnna Lee\nBen Okafor\n李明\n",
    ],
)
@pytest.mark.parametrize("asked", ["leeanna", "Anna Lee", "annalee", "ANNA LEE"])
def test_a_roster_is_read_as_systems_export_it_and_finds_who_is_meant(tmp_path, text, asked):
    (tmp_path / "roster.csv").write_text(text, encoding="utf-8-sig")
    roster = read_roster(tmp_path / "roster.csv")
    assert len(roster.people) == 3
    assert roster.find(asked, "") is roster.people[0]
    assert roster.find("nobody", "") is None


def test_two_of_one_name_are_told_apart_by_their_id_and_guessed_never():
    one, other = Person("Anna Lee", "1"), Person("Anna Lee", "2")
    roster = Roster([one, other])
    assert roster.find("annalee", "2") is other
    assert roster.find("annalee", "") is None
    assert Roster([Person("Anna", "1", "s77")]).find("", "S77") is not None
    assert Roster([Person("Anna", "1", "s77")]).find("Anna", "2") is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "line 1: no column with names"),
        ("id,login\n1,a\n", "line 1: no column with names"),
        ("name,id\nanna,1\n,2\n", "line 3: a row without a name"),
        ("name\nanna\nanna\n", "line 3: anna stands there twice"),
        ("name\n", "lists nobody"),
    ],
)
def test_a_roster_that_is_none_is_told_by_line(course, capsys, text, said):
    hand_in(course, "anna.ipynb", SCALE)
    (course / "roster.csv").write_text(text)
    grade(course, "--roster", str(course / "roster.csv"), status=2)
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--roster", "none.csv"], "there is no roster none.csv"),
        (["--name-pattern", "("], "--name-pattern is no regular expression"),
        (["--name-pattern", "x"], "--name-pattern needs a group"),
        (["--sets", "ch"], "no set ch: known are"),
    ],
)
def test_a_wrong_option_is_one_line(course, capsys, options, said):
    hand_in(course, "anna.ipynb", SCALE)
    grade(course, *options, status=2)
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert said in line


def test_pages_without_names(course, capsys):
    hand_in(course, "anna/annas work.ipynb", SCALE, REPLY)
    (course / "class" / "anna" / "anna.txt").write_text("")
    hand_in(course, "anna/more of anna.ipynb", SCALE2, name=SECOND)
    (course / "class" / "ben.pdf").write_text("")
    grade(course, "--anonymous")
    report = course / "report"
    rows = table(course, "grades")
    assert [row[0] for row in rows] == ["name", "anna", "ben"]
    assert rows[1][1].startswith("learner ")
    pages = [report / "index.html", report / "grades.json", *(report / "submissions").iterdir()]
    for path in pages:
        assert "anna" not in path.read_text() + path.name
        assert "ben" not in path.read_text() + path.name
    assert rows[1][1] in (report / "index.html").read_text()
    before = {path: path.read_bytes() for path in pages}
    grade(course, "--anonymous")
    assert {path: path.read_bytes() for path in pages} == before


SCORED = """def judge(case, got, expected):
    return None if len(got) == 4 else "another length"

def score(case, got, expected):
    return float(np.mean(np.sign(got) == np.sign(expected)))
"""


def test_a_project_with_a_score_has_a_leaderboard_of_those_who_pass(course):
    path = course / "source" / f"{FIRST}.py"
    at = "# %% another right solution\ndef scale"
    path.write_text(SET.replace(at, SCORED + at))
    source.load.cache_clear()
    for name, result in (("anna", "-x * by"), ("ben", "x * by"), ("cem", "x[:2]")):
        hand_in(course, f"{name}.ipynb", f"def scale(x, by):\n    return {result}")
    grade(course)
    report = course / "report"
    board = json.loads((report / "grades.json").read_text())["leaderboard"]
    assert board == {"9.1": [{"name": "ben", "score": 1.0}, {"name": "anna", "score": 0.0}]}
    said = (report / "index.html").read_text().partition("Leaderboard: 9.1")[2].split("<h2>")[0]
    assert re.findall(r"<td>(\w+)</td>", said) == ["ben", "anna"]
    assert "100.0%" in said
    grade(course, "--anonymous")
    for file in ("index.html", "grades.json"):
        assert "anna" not in (report / file).read_text()


# --- changes by hand ------------------------------------------------------------------------------


def test_points_given_by_hand_survive_regrading_and_say_why(course):
    hand_in(course, "anna.ipynb", SCALE, WRONG)
    hand_in(course, "ben.ipynb", SCALE, REPLY)
    grade(course)
    file = course / "report" / "overrides.csv"
    file.write_text(
        "name,task,points,reason\nanna,9.2,12.5,Explained it <b>well</b>.\n"
        "ben,ch09-small,40,Two days late.\nben,ch10-other,80,Asked in person.\n"
    )
    for _ in range(2):
        rows = grade(course)
        assert rows == {
            "name": [FIRST, SECOND],
            "anna": ["82.5", ""],
            "ben": ["40", "80"],
        }
        hand_in(course, "anna.ipynb", SCALE, "# later", WRONG)  # graded anew
    page = (course / "report" / "submissions" / "anna.html").read_text()
    assert "12.5 points given by hand; the grader gave 0. Explained it &lt;b&gt;well" in page
    assert "82.5 of 100 points" in page
    page = (course / "report" / "submissions" / "ben.html").read_text()
    assert "40 points given by hand; the grader gave 100. Two days late." in page
    stored = json.loads((course / "report" / "results" / "anna" / f"{FIRST}.json").read_text())
    assert [task["points"] for task in stored["tasks"]] == [70, 0]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("ann,9.2,1,why", "overrides.csv, line 2: no learner “ann”"),
        ("anna,9.9,1,why", "line 2: no task or set “9.9”"),
        ("anna,9.2,many,why", "line 2: “many” are no points"),
        ("anna,9.2,31,why", "line 2: 31 points: 9.2 has 0 to 30"),
        ("anna,9.2,nan,why", "line 2: nan points"),
        ("anna,9.2,1,", "line 2: give a reason"),
    ],
)
def test_a_change_that_is_none_is_told_before_anything_is_graded(course, capsys, line, said):
    hand_in(course, "anna.ipynb", SCALE, REPLY)
    (course / "report").mkdir()
    (course / "report" / "overrides.csv").write_text(f"name,task,points,reason\n{line}\n")
    grade(course, status=2)
    assert said in capsys.readouterr().err
    assert not (course / "report" / "results").exists()


# --- pages ----------------------------------------------------------------------------------------


def test_a_page_has_a_subtotal_a_set_and_the_code_and_runs_nothing(course):
    attack = SCALE.replace("    return", "    '</pre><script src=x>'\n    return")
    hand_in(course, "anna/1.ipynb", attack, REPLY)
    hand_in(course, "anna/2.ipynb", SCALE2, name=SECOND)
    grade(course)
    page = (course / "report" / "submissions" / "anna.html").read_text()
    assert "anna: 170 of 200 points" in page
    assert page.count(": 100 of 100</h2>") == page.count(": 70 of 100</h2>") == 1
    assert "&lt;/pre&gt;&lt;script" in page
    assert "<script" not in page
    assert "default-src 'none'" in page


def test_the_labels_of_a_histogram_never_touch():
    for total in (100, 200, 1800):
        label = r'<text x="(\d+)" y="126"[^>]*font-size="(\d+)"[^>]*>(\d+)<'
        said = re.findall(label, histogram([1], total))
        assert len(said) == 11
        ends = [(int(x), len(label) * int(size) * 0.62) for x, size, label in said]
        for (x, width), (next_x, next_width) in itertools.pairwise(ends):
            assert x + width / 2 < next_x - next_width / 2


# --- folders as attacks ---------------------------------------------------------------------------


def test_a_name_is_never_taken_for_that_of_anothers_results():
    victim = safe_name("Anna Lee")
    assert victim != "Anna Lee"
    assert safe_name(victim) != victim


def test_folders_without_end_and_files_without_number_are_a_note(course):
    deep = course / "class" / "mallory"
    for _ in range(60):
        deep = deep / "d"
    deep.mkdir(parents=True)
    wide = course / "class" / "wide"
    wide.mkdir()
    for number in range(MOST_FILES + 1):
        (wide / f"{number:05}.txt").touch()
    hand_in(course, "wide/00000.ipynb", SCALE)
    mallory, other = find_submissions(course / "class")
    assert "folders more than 10 deep" in mallory.notes[0]
    assert f"more than {MOST_FILES} files" in other.notes[0]
    assert len(other.paths) == 1
