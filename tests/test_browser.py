"""The built pages in a browser: a reader commits before an output is shown, and finds it again."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, Page

from book import look

ROOT = Path(__file__).resolve().parent.parent
HTML = look.HTML
CHAPTER = "ch05-attention"
HEAVIEST = 700_000  # bytes of script and style, as they lie on disk
AXE_PAGES = ("book/intro", "book/exercises", f"book/{CHAPTER}", "404")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.data,
    pytest.mark.skipif(
        look.CHROMIUM is None, reason="NO BROWSER: install chromium to test the pages"
    ),
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium, and the site as `make book` builds it."""
    command = [sys.executable, str(ROOT / "book" / "build.py"), "site"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    with look.browser() as opened:
        yield opened


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A reader who has never been here; a script's error fails the test."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield page
    context.close()
    assert errors == []


def open_page(page: Page, name: str = CHAPTER) -> None:
    page.goto((HTML / "book" / f"{name}.html").as_uri())


def output_of(page: Page, name: str):
    return page.locator(f".cell.covered-by-{name} .cell_output > *").first


def told(page: Page, name: str) -> list[str]:
    """The bold beginnings of the explanations to be seen."""
    answers = page.locator(f'.answers[data-for="{name}"] .answer')
    seen = [one for one in answers.all() if one.is_visible()]
    return [one.locator("strong").first.inner_text() for one in seen]


def test_an_output_stays_covered_until_the_reader_commits(page: Page):
    open_page(page)
    output = output_of(page, "one-layer")
    gives_away = page.locator("p.covered-by-one-layer")
    assert not output.is_visible()
    assert not gives_away.is_visible()
    assert told(page, "one-layer") == []
    page.locator("#option-one-layer-1").check()
    assert output.is_visible()
    assert gives_away.is_visible()
    assert output.inner_text().strip() == "11"
    assert len(told(page, "one-layer")) == 3
    box = page.locator("#question-one-layer")
    assert "Not what happened" in box.locator(".said").inner_text()
    assert "✓" in box.locator(".option").nth(2).evaluate(
        "e => getComputedStyle(e.querySelector('label'), '::after').content"
    )
    assert box.locator("input").first.is_disabled()  # a commitment


def test_just_show_me_uncovers_and_is_no_answer(page: Page):
    open_page(page)
    page.locator("#question-one-layer .give-up").click()
    assert output_of(page, "one-layer").is_visible()
    assert page.locator(".bd-sidebar-primary .course-done").count() == 0


def test_answers_are_found_again_and_counted_in_the_navigation(page: Page):
    open_page(page)
    total = page.locator("fieldset.question").count()
    page.locator("#option-one-layer-2").check()
    open_page(page, "ch06-encoder")
    done = page.locator(".bd-sidebar-primary .course-done")
    assert done.all_inner_texts() == [f" 1/{total}"]
    open_page(page)
    assert output_of(page, "one-layer").is_visible()
    assert "You saw it coming" in page.locator("#question-one-layer .said").inner_text()


def test_a_quiz_says_what_a_wrong_answer_means_and_lets_one_try_again(page: Page):
    open_page(page)
    page.locator("#option-quiz-1-0").check()
    assert told(page, "quiz-1") == ["No: zero times anything is zero."]
    page.locator("#option-quiz-1-1").check()
    assert len(told(page, "quiz-1")) == 3
    assert page.locator("#question-quiz-1 .said").inner_text() == "Right."
    kept = page.evaluate("localStorage.getItem('minibert-course')")
    assert "quiz-1" not in kept  # by the question itself: others may come before it


def test_a_quiz_works_by_keyboard(page: Page):
    open_page(page)
    page.locator("#option-quiz-2-0").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    assert page.locator("#question-quiz-2 .said").inner_text() == "Right."


def test_with_two_right_answers_both_must_be_chosen(page: Page):
    open_page(page, "ch07-left-and-right")
    box = page.locator("fieldset.question", has=page.locator('input[type="checkbox"]')).first
    boxes = box.locator('input[type="checkbox"]')
    boxes.nth(1).check()
    box.locator("button.check").click()
    assert "Not quite" in box.locator(".said").inner_text()
    boxes.nth(2).check()
    box.locator("button.check").click()
    assert box.locator(".said").inner_text() == "Right."


def test_answers_are_saved_to_a_file_read_back_and_erased(page: Page, tmp_path: Path):
    open_page(page)
    page.locator("#option-one-layer-2").check()
    open_page(page, "exercises")
    panel = page.locator("#course-progress")
    with page.expect_download() as download:
        panel.get_by_role("button", name="Save my answers").click()
    saved = tmp_path / "answers.json"
    download.value.save_as(saved)
    assert json.loads(saved.read_text())["answers"] == {f"book/{CHAPTER}#one-layer": [2]}
    page.once("dialog", lambda dialog: dialog.accept())
    with page.expect_navigation():
        panel.get_by_role("button", name="Erase").click()
    assert "Answered here: 0 of" in panel.inner_text()
    panel.locator('input[type="file"]').set_input_files(saved)
    page.wait_for_function("document.body.innerText.includes('Answered here: 1 of')")
    progress = tmp_path / ".progress.json"
    progress.write_text('{"5.1": {"attempts": 1, "hints": 0, "passed": "2026-01-01"}}')
    panel.locator('input[type="file"]').set_input_files(progress)
    page.wait_for_function("document.body.innerText.includes('Exercises passed: 1')")
    progress.write_text("{}")
    panel.locator('input[type="file"]').set_input_files(progress)
    page.wait_for_function("document.body.innerText.includes('is neither answers')")


def test_without_a_script_question_options_output_and_explanations_are_all_there(
    browser: Browser,
):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    open_page(page)
    assert output_of(page, "one-layer").is_visible()
    assert len(told(page, "one-layer")) == 3
    top = [
        page.locator(where).first.bounding_box()["y"]
        for where in (
            "#question-one-layer",
            ".cell.covered-by-one-layer .cell_output",
            '.answers[data-for="one-layer"]',
        )
    ]
    assert top == sorted(top)
    assert page.locator('.answers[data-for="quiz-1"] details').count() == 1
    context.close()


def test_print_shows_every_output_and_every_explanation(page: Page):
    open_page(page)
    page.emulate_media(media="print")
    assert output_of(page, "one-layer").is_visible()
    assert len(told(page, "one-layer")) == 3
    assert len(told(page, "quiz-1")) == 3
    assert not page.locator("#question-one-layer .give-up").is_visible()
    assert page.locator("h1:visible").count() == 1
    assert page.locator("details:not([open]) pre").first.is_visible()  # folded code, too
    code = page.locator(".cell_input pre").evaluate_all(
        "all => all.filter(e => e.scrollWidth > e.clientWidth + 1).length"
    )
    assert code == 0


def test_every_page_is_light_fits_its_window_and_shows_its_code_whole(
    page: Page,
):
    heavy, wide, scrolling, cells = [], [], 0, 0
    for name in look.pages():
        weight = look.open_page(page, name)
        if weight > HEAVIEST:
            heavy.append(f"{name}: {weight // 1000} KB")
        for width, height in look.WIDTHS.items():
            page.set_viewport_size({"width": width, "height": height})
            if (over := look.too_wide(page)) > 0:
                wide.append(f"{name}: {over} px at {width}")
        some, all_of_them = look.scrolling_code(page)  # at the last width, a desk
        scrolling, cells = scrolling + some, cells + all_of_them
    assert heavy == []
    assert wide == []
    assert cells > 200
    assert scrolling <= cells // 50


@pytest.mark.parametrize(("theme", "width"), [("light", 390), ("dark", 1280)])
def test_axe_finds_nothing_that_is_ours(page: Page, theme: str, width: int):
    page.set_viewport_size({"width": width, "height": look.WIDTHS[width]})
    found = []
    for name in AXE_PAGES:
        look.open_page(page, name)
        look.set_theme(page, theme)
        found += [f"{name}: {one}" for one in look.violations(page, of_many=3)]
    assert found == []


def test_a_summary_in_chinese_is_marked_as_chinese_and_has_no_gaps(page: Page):
    open_page(page)
    summary = page.locator("div.admonition", has_text="中文小结")
    assert summary.get_attribute("lang") == "zh-CN"
    assert not re.search(r"[。，；] +[\u4e00-\u9fff]", summary.inner_text())


@pytest.mark.parametrize(("width", "height"), [(1280, 800), (390, 844)])
def test_the_front_door_is_one_screen(page: Page, width: int, height: int):
    page.set_viewport_size({"width": width, "height": height})
    for name in ("intro", "intro-zh"):
        open_page(page, name)
        for part in (".door-lead", ".door-try", ".door-links", ".door-why"):
            box = page.locator(part).bounding_box()
            assert box["y"] + box["height"] <= height, (name, part)


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """The site on a server: search results show their pages' texts only there."""
    with look.serving() as served:
        yield served


def found(page: Page, address: str, words: str) -> list[str]:
    """The pages that a search finds, in order."""
    page.goto(f"{address}/search.html?q={quote(words)}")
    page.wait_for_function("document.querySelector('.search-summary')?.innerText.length > 0")
    page.wait_for_function("/finished|did not match|found/i.test(document.body.innerText)")
    links = page.locator("ul.search a").all()
    return [str(link.get_attribute("href")) for link in links]


@pytest.mark.parametrize("word", ["掩码", "注意力", "词元", "微调", "预训练"])
def test_chinese_is_found_wherever_it_stands(page: Page, browser: Browser, address, word: str):
    del browser
    having = {
        path.stem
        for path in (ROOT / "book").glob("*.md")
        if word in path.read_text(encoding="utf-8") and (HTML / f"book/{path.stem}.html").exists()
    }
    pages = {re.sub(r".*/|\.html.*", "", link) for link in found(page, address, word)}
    assert len(having) >= 2
    assert having <= pages


def test_an_abbreviation_finds_its_chapter_and_not_parts_of_names(page: Page, browser, address):
    del browser
    first = found(page, address, "NSP")[:3]
    assert all(re.search(r"book/(ch\d\d|glossary)", link) for link in first), first
    snippets = page.locator("ul.search p").all_inner_texts()
    assert snippets
    assert not [text for text in snippets if "Contents" in text and "Back to top" in text]


def test_every_page_declares_its_language_and_names_its_questions(page: Page):
    del page
    for path in (HTML / "book").glob("ch*.html"):
        text = path.read_text(encoding="utf-8")
        assert 'lang="en"' in text
        assert len(re.findall(r'<fieldset class="question', text)) == text.count("<legend>")
