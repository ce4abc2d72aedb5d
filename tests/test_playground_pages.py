"""The playgrounds in a browser: Python's numbers, from a server and from a folder, by keyboard."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import onnxruntime
import pytest
import torch
from playwright.sync_api import Browser, Page, Request

from book import live, look, playgrounds
from minibert import BertForMaskedLM, Tokenizer
from minibert.course.texts import published

ROOT = Path(__file__).resolve().parent.parent
HTML = look.HTML
PAGE = "book/ch08-mlm.html"
EXPORTED = ROOT / "_build" / ".live" / "exported" / "course-en"
Expected = dict[str, float]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.data,
    pytest.mark.skipif(
        look.CHROMIUM is None, reason="NO BROWSER: install chromium to test the pages"
    ),
    pytest.mark.skipif(not live.can_fetch(), reason="NO NPM: the pages run no models"),
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium, and the site as `make book` builds it."""
    command = [sys.executable, str(ROOT / "book" / "build.py"), "site"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    with look.browser() as opened:
        yield opened


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with look.serving() as served:
        yield served


class Visit:
    """A reader with a page, what it asked for, and the errors of its scripts."""

    def __init__(self, browser: Browser, **context: Any) -> None:
        self.context = browser.new_context(**context)
        self.page: Page = self.context.new_page()
        self.page.set_default_timeout(120_000)  # how fast is no question here
        self.asked: list[Request] = []
        self.errors: list[str] = []
        self.page.on("request", lambda request: self.asked.append(request))
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))

    def start(self, url: str, name: str = "fill-mask") -> None:
        self.page.goto(url)
        box = self.page.locator(f'.playground[data-playground="{name}"]')
        if box.locator(".play-button").count():
            box.locator(".play-button").click()
        self.page.wait_for_selector(f'.playground[data-playground="{name}"].is-live')

    def close(self) -> None:
        self.context.close()
        assert self.errors == []


@pytest.fixture(scope="module")
def served(browser: Browser, address: str) -> Iterator[Visit]:
    """The page on a server, its model started."""
    visit = Visit(browser)
    visit.start(f"{address}/{PAGE}")
    yield visit
    visit.close()


def first_five(page: Page) -> list[str]:
    page.wait_for_selector(".playground .play-card")
    return page.locator(".playground .play-card").first.locator(".play-token").all_inner_texts()


def test_a_page_loads_nothing_heavy_before_the_reader_asks_and_nothing_from_elsewhere(
    browser: Browser, address: str
):
    visit = Visit(browser)
    visit.page.goto(f"{address}/{PAGE}")
    visit.page.wait_for_load_state("networkidle")
    early = [request.url for request in visit.asked if "/play/" in request.url]
    names = sorted(re.sub(r".*/|\?.*", "", url) for url in early)
    assert names == ["core.js", "play.css"]
    recorded = visit.page.locator(".play-recorded").first
    word, share = playgrounds.recorded()["fill-mask"]["both"][0]
    assert f"{word} {share:.0%}" in recorded.inner_text()
    visit.page.locator(".play-button").click()
    visit.page.wait_for_selector(".playground.is-live")
    assert not recorded.is_visible()
    outside = [r.url for r in visit.asked if not r.url.startswith((address, "blob:", "data:"))]
    assert outside == []
    assert any("wasm.0.js" in request.url for request in visit.asked)
    visit.close()


def sentences() -> list[tuple[str, int]]:
    """A hundred sentences with a word to blank, which is one of the vocabulary's entries."""
    tokenizer = Tokenizer.from_pretrained("course-en")
    found = []
    for passage in published.boolq_rows()[::97]:
        words = passage.passage.split(". ")[0].split()
        words = [word for word in words if word.isalpha()][:25]
        place = (7 * len(found)) % max(len(words), 1)
        if len(words) >= 5 and len(tokenizer.tokenize(words[place])) == 1:
            found.append((" ".join(words), place))
    assert len(found) >= 100
    return found[:100]


READ = """
async ([pairs, graph]) => {
  const { fillMask, model: models } = playground;
  let model = await models.open("course-en");
  if (graph) {
    const data = await (await fetch(graph)).arrayBuffer();
    const parts = { vocabulary: model.tokenizer.tokens, config: model.config };
    model = new models.Model(await ort.InferenceSession.create(data), parts);
  }
  const all = [];
  for (const [text, place] of pairs) {
    const words = model.tokenizer.split(text);
    const { guesses } = await fillMask.bothSides(model, words, new Set([place]));
    all.push(guesses[0].top.map(({ token, share }) => [token, share]));
  }
  return all;
}
"""


def expected(pairs: list[tuple[str, int]], logits: Callable[..., torch.Tensor]) -> list[Expected]:
    """The probability of every token of the vocabulary at each blank."""
    tokenizer = Tokenizer.from_pretrained("course-en")
    rows = []
    for text, place in pairs:
        words = text.split()
        words[place] = "[MASK]"
        batch = tokenizer(" ".join(words))
        at = int((batch["input_ids"][0] == tokenizer.mask_token_id).nonzero())
        shares = logits(**batch)[0, at].softmax(-1).tolist()
        rows.append(dict(zip(tokenizer.vocab, shares, strict=True)))
    return rows


@torch.no_grad()
def in_float32(pairs: list[tuple[str, int]]) -> list[Expected]:
    model = BertForMaskedLM.from_pretrained("course-en").eval()
    return expected(pairs, lambda **batch: model(**batch).logits)


def in_8_bits(pairs: list[tuple[str, int]]) -> list[Expected]:
    """Of the very file that the page has, run by Python's ONNX Runtime."""
    options = onnxruntime.SessionOptions()
    options.add_session_config_entry("session.disable_quant_qdq", "1")  # as the page has it
    graph = onnxruntime.InferenceSession(EXPORTED / "model_int8.onnx", options)

    def logits(**batch: torch.Tensor) -> torch.Tensor:
        inputs = {name: value.numpy() for name, value in batch.items()}
        return torch.tensor(graph.run(["prediction_logits"], inputs)[0])

    return expected(pairs, logits)


def likeliest(row: dict[str, float]) -> list[str]:
    return sorted(row, key=lambda token: -row[token])[:5]


def test_in_8_bits_the_browser_expects_what_python_does_on_100_sentences(served: Visit):
    pairs = sentences()
    found = served.page.evaluate(READ, [pairs, None])
    for pair, guesses, same, whole in zip(
        pairs, found, in_8_bits(pairs), in_float32(pairs), strict=True
    ):
        assert [token for token, _ in guesses] == likeliest(same), pair
        assert max(abs(share - same[token]) for token, share in guesses) < 1e-4, pair
        assert max(abs(share - whole[token]) for token, share in guesses) < 2e-2, pair


def test_in_float32_the_browser_gives_pythons_numbers(served: Visit):
    pairs = sentences()[:10]
    served.page.route("**/whole", lambda route: route.fulfill(path=EXPORTED / "model.onnx"))
    found = served.page.evaluate(READ, [pairs, "whole"])
    for guesses, row in zip(found, in_float32(pairs), strict=True):
        assert [token for token, _ in guesses] == likeliest(row)
        assert max(abs(share - row[token]) for token, share in guesses) < 1e-5


def test_from_a_folder_and_by_keyboard_words_are_blanked_and_come_back(browser: Browser):
    visit = Visit(browser)
    visit.start((HTML / PAGE).as_uri())
    page = visit.page
    assert first_five(page)[0] == "drinking"
    words = page.locator(".play-word")
    assert [word.get_attribute("aria-pressed") for word in words.all()][:3] == [
        "false",
        "true",
        "false",
    ]
    words.nth(1).focus()
    page.keyboard.press("Enter")
    page.wait_for_function(
        "document.querySelector('.play-results').innerText.includes('Nothing is blanked')"
    )
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    assert words.nth(2).get_attribute("aria-pressed") == "true"
    page.get_by_label("Your sentence").fill("Rome is the old capital of Italy.")
    page.wait_for_function("document.querySelectorAll('.play-word').length == 8")
    visit.close()


def test_the_twin_is_untouched_by_what_follows_the_blank(served: Visit):
    page = served.page
    page.get_by_text("beside it, its twin").click()
    page.wait_for_function("document.querySelectorAll('.play-card').length == 2")

    def guesses(ending: str) -> list[list[str]]:
        page.get_by_label("Your sentence").fill(f"Rome is the capital {ending}")
        page.wait_for_function(
            f"document.querySelector('.play-words').innerText.includes('{ending[-3:-1]}')"
        )
        page.wait_for_timeout(400)
        cards = page.locator(".play-card").all()
        return [card.locator(".play-token").all_inner_texts() for card in cards]

    page.locator(".play-examples button").nth(1).click()
    page.wait_for_function("document.querySelector('.play-words').innerText.includes('Rome')")
    italy, film = guesses("of Italy."), guesses("in the film.")
    assert italy[1] == film[1]
    assert italy[0] != film[0]


def test_chinese_is_chinese_and_reads_both_sides(served: Visit):
    page = served.page
    page.get_by_role("button", name="中文").click()
    page.wait_for_function("document.querySelector('.play-words').innerText.includes('房')")
    page.wait_for_function("document.querySelector('.play-token')?.innerText == '净'")
    assert page.locator(".play-token").first.get_attribute("lang") == "zh"
    assert page.locator(".play-word").first.get_attribute("lang") == "zh"
    page.get_by_role("button", name="English").click()
    page.wait_for_function("document.querySelector('.play-token')?.innerText == 'drinking'")


def test_attention_shows_the_row_of_the_token_that_is_tapped(served: Visit):
    page = served.page
    page.get_by_text("where each head looks").click()
    page.wait_for_selector(".play-weight")
    assert page.locator(".play-head").count() == 32
    pressed = page.locator('.play-weight[aria-pressed="true"]')
    assert pressed.get_attribute("aria-label").startswith("[MASK]:")
    page.locator(".play-weight").nth(3).click()
    assert pressed.get_attribute("aria-label").startswith("age:")
    shares = page.locator(".play-column").evaluate_all(
        "all => all.map((one) => Number(one.style.getPropertyValue('--share')))"
    )
    assert abs(sum(shares) - 1) < 1e-4


def test_merges_go_on_by_keyboard_and_a_finished_vocabulary_gives_pythons_ids(browser: Browser):
    visit = Visit(browser)
    visit.start((HTML / "book" / "ch02-tokens.html").as_uri(), "merges")
    page, step = visit.page, visit.page.locator(".play-said-step")
    assert "u + g → ug" in step.inner_text()
    page.get_by_role("button", name="WordPiece").click()
    assert "g + s → gs" in step.inner_text()
    page.get_by_label("Merges done").press("ArrowRight")
    assert step.inner_text().startswith("Merge 2:")
    text = "Unbelievably naïve seashells."
    page.get_by_label("Your text").fill(text)
    page.wait_for_function("document.querySelector('.play-pieces').innerText.includes('v')")
    page.get_by_text("cut by a finished vocabulary").click()
    page.wait_for_selector(".play-cut")
    tokenizer = Tokenizer.from_pretrained("course-en")
    tokens = [piece.inner_text() for piece in page.locator(".play-cut .play-piece").all()]
    assert tokens == tokenizer.tokenize(text)
    page.locator(".play-cut").nth(2).click()
    cells = page.locator(".play-table tbody tr").first.locator("th, td").all_inner_texts()
    row = tokenizer.backend.encode(text, add_special_tokens=False)
    at = row.word_ids.index(2)
    start, end = row.offsets[at]
    assert cells == [row.tokens[at], str(row.ids[at]), f"{start} to {end}"]
    assert problems(page) == []
    visit.close()


def test_attention_by_hand_moves_by_mouse_finger_and_keyboard(browser: Browser):
    visit = Visit(browser, has_touch=True)
    visit.start((HTML / "book" / "ch05-attention.html").as_uri(), "attention")
    page = visit.page
    table = page.locator(".play-table tbody")
    before = table.inner_text()
    query = page.locator(".play-point.is-query")
    query.focus()
    page.keyboard.press("ArrowUp")
    assert table.inner_text() != before
    before = table.inner_text()
    query.scroll_into_view_if_needed()
    box = query.locator(".play-hit").bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x - 60, y + 30, steps=3)
    page.mouse.up()
    assert table.inner_text() != before
    page.get_by_label("hide the future").check()
    moon = table.locator("tr").nth(3).locator("td").all_inner_texts()
    assert moon[2:] == ["−∞", "0 %"]
    page.get_by_role("button", name="the query at zero").tap()
    weights = [row.locator("td").nth(3).inner_text() for row in table.locator("tr").all()]
    assert weights == ["33 %", "33 %", "33 %", "0 %"]
    assert problems(page) == []
    visit.close()


def test_the_twin_continues_a_text_as_python_does(browser: Browser):
    visit = Visit(browser)
    visit.start((HTML / "book" / "ch01-generation.html").as_uri(), "continue")
    page = visit.page
    page.get_by_role("button", name="twenty").click()
    # Of Python's twenty tokens the first words: in 8 bits a near tie may fall otherwise later.
    words = playgrounds.recorded()["continue"]["text"].split()[:5]
    page.wait_for_function(
        f"document.querySelector('.play-written').innerText.includes('{words[-1]}')"
    )
    assert page.locator(".play-written").inner_text().startswith(" ".join(["the cat", *words]))
    page.get_by_role("slider", name="temperature").fill("1")
    page.wait_for_function(
        "!document.querySelector('.play-results').innerText.includes('1 of 8,192')"
    )
    assert problems(page) == []
    visit.close()


def test_leaving_out_one_sign_turns_the_classifiers_verdict(browser: Browser):
    visit = Visit(browser)
    visit.start((HTML / "book" / "ch12-walkthrough.html").as_uri(), "decide")
    page = visit.page
    recorded = playgrounds.recorded()["decide"]

    def positive() -> float:
        return float(page.locator(".play-share").first.inner_text().removesuffix(" %")) / 100

    assert abs(positive() - recorded["shares"]["positive"]) < 2e-2
    signs = page.locator(".play-weight")
    said = [int(one.inner_text().replace("−", "-")) for one in signs.locator("small").all()]
    for points, (_, weight) in zip(said, recorded["weights"], strict=True):
        assert abs(points - 100 * weight) < 3
    signs.nth(4).click()
    page.wait_for_function("document.querySelectorAll('.play-weight.is-gone').length == 1")
    assert positive() > 0.5
    assert problems(page) == []
    visit.close()


def problems(page: Page) -> list[str]:
    """What axe finds in a playground, light on a desk and dark on a phone, and what is too wide."""
    page.evaluate(look.AXE.read_text(encoding="utf-8"))
    found = []
    for theme, width in (("light", 1280), ("dark", 390)):
        page.set_viewport_size({"width": width, "height": 800})
        look.set_theme(page, theme)
        for one in page.evaluate("axe.run('.playground')")["violations"]:
            found.append(f"{theme}, {width}: {one['id']}: {one['nodes'][0]['html'][:100]}")
        if look.too_wide(page) > 0:
            found.append(f"{width}: too wide")
    return found


def test_axe_finds_nothing_in_a_playground_light_or_dark_on_a_desk_or_a_phone(served: Visit):
    assert problems(served.page) == []


def test_without_webassembly_the_recorded_result_stays_and_the_page_says_why(browser: Browser):
    visit = Visit(browser)
    visit.page.add_init_script("delete globalThis.WebAssembly")
    visit.page.goto((HTML / PAGE).as_uri())
    assert "no WebAssembly" in visit.page.locator(".play-start").inner_text()
    assert visit.page.locator(".play-recorded").is_visible()
    visit.close()
