"""The figures: alt text, what is on them, the fonts, and how a notebook shows them."""

import base64
import html
import io
import json
import re
import shutil
import subprocess
import sys
import warnings
from itertools import pairwise
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from IPython.core.displaypub import CapturingDisplayPublisher
from IPython.testing.globalipapp import start_ipython
from matplotlib.ft2font import FT2Font

from minibert.course import plots
from minibert.course.drawing import style
from minibert.course.drawing.attention_view import attention_view
from minibert.finetuning.calibration import reliability_curve
from minibert.model.config import BertConfig

BOOK = Path(__file__).resolve().parent.parent / "book"
ZH = ["[CLS]", "这", "部", "电", "影", "[SEP]"]
RNG = np.random.default_rng(0)
MAPS = RNG.dirichlet(np.ones(6) * 0.3, (2, 3, 6))  # (L, H, T, T)
P = RNG.random(200)

DRAWINGS = {
    "heatmap": lambda: plots.heatmap(MAPS[0, 0], ZH, ZH, "One head"),
    "signed": lambda: plots.heatmap(torch.randn(6, 6, requires_grad=True), ZH, ZH, "Signed"),
    "minus infinity": lambda: plots.heatmap(np.triu(np.full((6, 6), -np.inf), 1), ZH, ZH, "Cut"),
    "heads": lambda: plots.attention_heads(MAPS, ZH, "All heads"),
    "heads of a layer": lambda: plots.attention_heads(MAPS[0], ZH, "One layer"),
    "many heads": lambda: plots.attention_heads(np.tile(MAPS, (4, 4, 1, 1)), ZH, "Twelve"),
    "mask": lambda: plots.mask(torch.ones(6, 6).tril().bool(), ZH, "No future"),
    "matrices": lambda: plots.matrices(
        {"query": RNG.normal(size=(6, 16)), "value": RNG.random((6, 48))}, ZH, "Two maps"
    ),
    "positions": lambda: plots.positions(RNG.normal(size=(20, 16)), "Positions"),
    "confusion": lambda: plots.confusion([[5, 1], [0, 4]], ["negative", "positive"], "Errors"),
    "lines": lambda: plots.lines({"a": [3, 2, 1], "b": ([1, 9], [2, 1])}, "Loss", log_x=False),
    "band": lambda: plots.lines({"a": ([1, 10], [2, 1], [1, 0], [3, 2])}, "Loss", log_x=True),
    "bars": lambda: plots.bars({"a": 0.5, "b": -0.2}, "Bars", intervals={"a": (0.4, 0.6)}),
    "stacked": lambda: plots.stacked_bars({"x": {"p": 1, "q": 2}}, "Memory"),
    "stacked to a limit": lambda: plots.stacked_bars(
        {"x": {"p": 1, "q": 2}, "y": {"p": 3, "q": 9}}, "Memory", limits={"12 GiB": 12}
    ),
    "scatter": lambda: plots.scatter(P.reshape(-1, 2)[:3], "Words", labels=list("abc")),
    "groups": lambda: plots.scatter(P.reshape(-1, 2)[:2], "Senses", groups=["x", "y"]),
    "reliability": lambda: plots.reliability(reliability_curve(P, P > 0.4), "Sure"),
    "tokens": lambda: plots.token_rows([ZH, ZH[:2]], "Rows", names=["one", "two"]),
    "aligned": lambda: plots.token_rows([ZH * 2, ["8192"] * 12], "Columns", aligned=True),
    "embeddings": lambda: plots.embedding_sum(ZH, [0] * 6, "Sum", vectors=[torch.ones(6, 8)] * 3),
    "walk": lambda: plots.shapes_walk([("ids", (1, 6)), ("states", (1, 6, 8))], "Walk"),
    "network": lambda: plots.network(BertConfig.preset("tiny"), "Net", head=("classifier", 2)),
    "pre-norm": lambda: plots.network(BertConfig.preset("tiny", norm_position="pre"), "Net"),
}


# Sixteen heads in one figure take seconds to draw, the others a tenth of one.
NAMES = [pytest.param(n, marks=pytest.mark.slow) if n == "many heads" else n for n in DRAWINGS]


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


@pytest.mark.parametrize("name", NAMES)
def test_every_figure_draws_without_a_warning_and_says_what_it_shows(name):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure = DRAWINGS[name]()
        picture = figure.png()
    assert picture.startswith(b"\x89PNG")
    assert figure.title
    assert len(figure.alt) > 20
    assert figure.get_figwidth() == style.WIDTH
    small = [t.get_fontsize() for t in figure.findobj(mpl.text.Text) if t.get_text()]
    assert min(small) >= 7, "too small for a phone"


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_cut_off_at_the_edge(name):
    picture = plt.imread(io.BytesIO(DRAWINGS[name]().png()))[..., :3]
    for edge in (picture[:2], picture[-2:], picture[:, :2], picture[:, -2:]):
        assert (edge == 1).all()


def test_given_alt_text_wins():
    assert plots.bars({"a": 1.0}, alt="one bar").alt == "one bar"


def test_automatic_alt_text_tells_the_numbers():
    matrix = np.zeros((2, 2))
    matrix[1, 0] = 0.62
    alt = plots.heatmap(matrix, ["this", "film"], ["great", "bad"]).alt
    assert "0.62 in row film, column great" in alt
    assert "negative: 5 of 6 right" in DRAWINGS["confusion"]().alt


def test_heatmap_prints_each_number_in_its_cell():
    figure = plots.heatmap([[1, 2], [3, 4]], ["a", "b"], ["c", "d"])
    cells = {text.get_position(): text.get_text() for text in figure.axes[0].texts}
    assert cells == {(0, 0): "1", (1, 0): "2", (0, 1): "3", (1, 1): "4"}
    assert [t.get_text() for t in figure.axes[0].get_yticklabels()] == ["a", "b"]


def test_long_names_above_a_matrix_do_not_run_into_each_other():
    names = ["[CLS]", "before", "my", "bed", "lies", "a", "pool", "of", "moon", "bright", "[SEP]"]
    for figure in (
        plots.heatmap(np.eye(11), names, names),
        plots.mask(np.tril(np.ones((11, 11))), names),
    ):
        figure.canvas.draw()
        boxes = [label.get_window_extent() for label in figure.axes[0].get_xticklabels()]
        assert len(boxes) == 11
        assert all(left.x1 < right.x0 for left, right in pairwise(boxes))


def test_names_that_do_not_fit_are_an_error():
    with pytest.raises(ValueError, match="2 row and 1 column names"):
        plots.heatmap(np.ones((2, 2)), ["a", "b"], ["c"])
    with pytest.raises(ValueError, match="do not fit 2 tokens"):
        plots.attention_heads(MAPS, ["a", "b"])
    with pytest.raises(ValueError, match="project them first"):
        plots.scatter(np.ones((3, 5)))


def test_aligned_tokens_stand_in_columns():
    boxes = DRAWINGS["aligned"]().axes[0].patches
    lefts = [box.get_x() for box in boxes]
    assert lefts[:12] == lefts[12:]
    assert len({box.get_y() for box in boxes}) == 2, "a row was broken"


def test_matrices_carry_their_shapes_and_need_a_row_for_each_token():
    axes = DRAWINGS["matrices"]().axes
    assert [a.get_title(loc="left") for a in axes] == ["query   6 × 16", "value   6 × 48"]
    assert axes[0].images[0].get_clim()[0] < 0 == axes[1].images[0].get_clim()[0]
    with pytest.raises(ValueError, match="one row for each of 6 tokens"):
        plots.matrices({"query": np.ones((5, 16))}, ZH)


def test_bars_print_their_values():
    axes = plots.bars({"a": 0.5, "b": 0.25}, form=".2f").axes[0]
    assert [text.get_text().strip() for text in axes.texts] == ["0.50", "0.25"]


def test_bars_show_intervals_whole():
    intervals = {"a": (-0.4, 1.3), "b": (-0.1, 0.3)}
    axes = plots.bars({"a": 0.5, "b": 0.1}, intervals=intervals).axes[0]
    left, right = axes.get_xlim()
    assert left < -0.4
    assert right > 1.3


def test_a_long_label_under_bars_with_long_names_stays_on_the_paper():
    figure = plots.bars({"a network with a long name": 1.0}, xlabel="accuracy on unseen texts " * 2)
    figure.canvas.draw()
    label = figure.axes[0].xaxis.label.get_window_extent()
    assert label.x0 >= 0
    assert label.x1 <= figure.bbox.x1


def test_stacked_bars_print_totals_where_they_differ():
    sizes = plots.stacked_bars({"x": {"a": 1.0, "b": 2.0}, "y": {"a": 1.0, "b": 1.0}})
    shares = plots.stacked_bars({"x": {"a": 0.25, "b": 0.75}, "y": {"a": 0.5, "b": 0.5}})
    assert [text.get_text().strip() for text in sizes.axes[0].texts] == ["3", "2"]
    assert len(shares.axes[0].texts) == 0


def test_reader_settings_are_left_alone():
    before = dict(mpl.rcParams)
    DRAWINGS["lines"]().png()
    assert dict(mpl.rcParams) == before


def test_same_figure_is_the_same_bytes():
    assert DRAWINGS["heads"]().png() == DRAWINGS["heads"]().png()


def test_chinese_is_drawn_without_any_installed_font(monkeypatch):
    monkeypatch.setattr(style, "_INSTALLED", ())
    style.families.cache_clear()
    style._covered.cache_clear()
    try:
        assert style.families() == ("DejaVu Sans", "Minibert Sans SC")
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            plots.heatmap(MAPS[0, 0], ZH, ZH, "这部电影非常精彩！").png()
    finally:
        style.families.cache_clear()
        style._covered.cache_clear()


@pytest.mark.parametrize("installed", ["", "DejaVu Sans Display"])  # which has no bold face
def test_drawing_the_first_figure_says_nothing(installed):
    # A process of its own: matplotlib tells of a missing weight once, through a logger.
    code = (
        "from minibert.course import plots\n"
        "from minibert.course.drawing import style\n"
        f"style._INSTALLED = ({installed!r},)\n"
        "figure = plots.heatmap([[0, 1], [1, 0]], ['这', 'b'], ['部', 'd'], 'Bold 电影')\n"
        "figure.png()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == ""


def test_every_chinese_character_of_the_chapters_is_in_the_shipped_font():
    characters = {c for file in BOOK.glob("*.md") for c in file.read_text(encoding="utf-8")}
    chinese = {ord(c) for c in characters if ord(c) >= 0x2E80}
    assert chinese - set(FT2Font(str(style._OWN_FONT)).get_charmap()) == set()
    assert style._OWN_FONT.stat().st_size < 1e6


@pytest.mark.slow
def test_a_character_that_no_font_has_warns_which_stops_the_build(monkeypatch):
    style._covered.cache_clear()
    monkeypatch.setattr(style, "families", lambda: ("DejaVu Sans",))
    try:
        with pytest.warns(UserWarning, match="no font has 这"):
            assert style.drawable("a 这 $") == r"a u8FD9 \$"
        with pytest.warns(UserWarning, match="no font has"):
            figure = plots.heatmap(MAPS[0, 0], ZH, ZH, "这部电影")
        assert "u7535" in [t.get_text() for t in figure.axes[0].get_yticklabels()]
        assert figure.title == "这部电影"  # what is said aloud keeps the characters
    finally:
        style._covered.cache_clear()


@pytest.mark.parametrize(
    "title",
    [
        "Few unseen requests, or none, reach the wrong department",
        "WWWWWWWWW MMMMMMMMM WWWWWWWWW MMMMMMMMM WWWWWWWWW",
        "这部电影 非常精彩， 这家餐厅 的服务很差， 可是我们 下次还来， 因为离家 很近",
    ],
)
def test_a_title_is_broken_where_it_would_leave_the_figure(title):
    figure = plots.bars({"a": 1.0, "b": 2.0}, title)
    assert len(style.wrap(title)) == 2
    assert " ".join(style.wrap(title)) == title
    right = plt.imread(io.BytesIO(figure.png()))[..., :3][:, -2:]
    assert (right == 1).all()


@pytest.mark.parametrize("color", [*style.COLORS.values(), *style.SERIES])
def test_words_on_every_colour_can_be_read(color):
    def luminance(c):
        rgb = np.array(mpl.colors.to_rgb(c))
        return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4) @ [
            0.2126,
            0.7152,
            0.0722,
        ]

    light, dark = sorted([luminance(color), luminance(style.ink_on(color))], reverse=True)
    # The reader sees it as it is, or turned around in the dark by the book's style sheet.
    assert (light + 0.05) / (dark + 0.05) > 3.8


def test_meanings_keep_their_colours():
    meant = ["query", "key", "value", "A", "B", "masked", "special"]
    assert len({plots.COLORS[name] for name in meant}) == len(meant)


@pytest.fixture
def published(monkeypatch):
    """What a notebook would receive."""
    shell = start_ipython()
    if shell is None:
        from IPython import get_ipython

        shell = get_ipython()
    publisher = CapturingDisplayPublisher()
    monkeypatch.setattr(shell, "display_pub", publisher)
    return publisher.outputs


def test_notebook_gets_picture_title_alt_text_and_width_once(published):
    figure = plots.bars({"a": 1.0}, "A title", alt="one bar")
    figure._ipython_display_()
    (output,) = published
    assert base64.b64decode(output["data"]["image/png"]).startswith(b"\x89PNG")
    assert output["data"]["text/plain"] == "Figure: A title"
    assert output["metadata"]["image/png"] == {"alt": "one bar", "width": 480}
    assert not plt.get_fignums(), "an open figure would be shown a second time"


def test_show_takes_an_alt_text(published):
    plots.show(plots.bars({"a": 1.0}, "A title"), alt="said")
    assert published[0]["metadata"]["image/png"]["alt"] == "said"


def test_highlight_marks_spans_and_escapes_the_rest():
    marked = plots.highlight("a <b> Shanghai & Asia", [(6, 14, "LOC"), (17, 21, "")])
    markup = marked._repr_html_()
    assert "a &lt;b&gt; <mark" in markup
    assert ">Shanghai<small" in markup
    assert re.sub("<small.*?</small>|<[^>]+>", "", markup) == "a &lt;b&gt; Shanghai &amp; Asia"
    assert repr(marked) == "a <b> [Shanghai/LOC] & [Asia]"
    with pytest.raises(ValueError, match="overlaps"):
        plots.highlight("abcdef", [(0, 3, ""), (2, 4, "")])
    with pytest.raises(ValueError, match="leaves the text"):
        plots.highlight("abc", [(2, 9, "")])


def test_shaded_tokens_carry_their_values():
    shaded = plots.shaded(["很", "烂"], [0.25, -0.9], "")
    assert repr(shaded) == "很(+0.25)烂(-0.90)"
    assert shaded._repr_html_().count("<mark") == 2
    assert plots.shaded(["a"], [0.0])  # nothing to scale by


def test_attention_view_holds_the_weights_and_the_tokens():
    tokens = ["[CLS]", "<b>", '"', "&", "电", "[SEP]"]
    markup = attention_view(torch.tensor(MAPS), tokens, layer=1, head=2)._repr_html_()
    stored = re.search('data-weights="([^"]+)"', markup)[1]
    held = np.frombuffer(base64.b64decode(stored), np.uint8).reshape(MAPS.shape) / 255
    assert np.abs(held - MAPS).max() <= 0.5 / 255 + 1e-9
    assert json.loads(html.unescape(re.search('data-tokens="([^"]+)"', markup)[1])) == tokens
    assert "<b>" not in markup
    assert markup.count("selected") == 2


def test_attention_view_asks_for_nothing_outside_and_is_the_same_each_time():
    markup = attention_view(MAPS, ZH)._repr_html_()
    assert not re.search(r"(src|href)=|url\(|@import|fetch\(", markup)
    assert markup.count("http") == markup.count("http://www.w3.org/2000/svg")
    assert markup == attention_view(MAPS, ZH)._repr_html_()
    assert " id=" not in markup  # so that several fit on a page


def test_attention_view_shows_its_first_head_without_a_script():
    markup = attention_view(MAPS, ZH, head=0)._repr_html_().split("<script>")[0]
    assert markup.count("<line ") == int((MAPS[0, 0] >= 0.02).sum())


def test_attention_view_can_be_reached_by_keyboard():
    markup = attention_view(MAPS, ZH)._repr_html_().split("<script>")[0]
    assert markup.count('tabindex="0"') == 1
    assert markup.count('role="button"') == len(ZH)
    assert 'aria-live="polite"' in markup


def test_only_weights_and_lines_of_a_view_depend_on_the_weights():
    def rest(weights):
        markup = attention_view(weights, ZH)._repr_html_()
        markup = re.sub('data-weights="[^"]*"', "", markup)
        return re.sub(r'<g class="lines">[\s\S]*?</g>', "", markup)

    assert rest(MAPS) == rest(MAPS[:, ::-1, ::-1])


def test_attention_view_refuses_what_does_not_fit():
    with pytest.raises(ValueError, match="do not fit 2 tokens"):
        attention_view(MAPS, ["a", "b"])
    with pytest.raises(ValueError, match="2 layers of 3 heads"):
        attention_view(MAPS, ZH, layer=2)


@pytest.mark.skipif(not shutil.which("chromium"), reason="needs a browser: apt install chromium")
@pytest.mark.slow
def test_attention_view_shows_in_a_browser_what_the_weights_say(tmp_path):
    # Two views on a page: the second is set to layer 2, head 3 and driven by keyboard alone.
    drive = """<script>
    const root = document.querySelectorAll(".minibert-attention")[1];
    const [layer, head] = root.querySelectorAll("select"), asks = root.querySelectorAll(".ask");
    for (const [select, value] of [[layer, "1"], [head, "2"]]) {
      select.value = value; select.dispatchEvent(new Event("change")); }
    asks[0].focus();
    asks[0].dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowDown", bubbles: true }));
    const all = [...document.querySelectorAll(".minibert-attention")];
    document.title = JSON.stringify(all.map(r => [...r.querySelectorAll(".share")].map(
      s => s.textContent)).concat([[root.querySelector(".said").textContent]]));
    </script>"""
    view = attention_view(MAPS, ZH)._repr_html_()
    page = tmp_path / "page.html"
    page.write_text(f"<!doctype html><meta charset=utf-8><title></title>{view}{view}{drive}")
    flags = "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-sync "
    flags += "--disable-background-networking --disable-component-update --dump-dom"
    command = ["chromium", *flags.split(), f"--user-data-dir={tmp_path}/profile", page.as_uri()]
    dom = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout
    first, second, (said,) = json.loads(html.unescape(re.search("<title>(.*?)</title>", dom)[1]))
    row = np.round(MAPS[1, 2, 1] * 255) / 255
    assert first == [""] * 6  # a view does not meddle with its neighbour
    assert [int(share.split()[0]) for share in second] == pytest.approx(100 * row, abs=0.51)
    assert said.startswith(f"这 attends to: {ZH[row.argmax()]} ")


def test_the_few_measured_points_of_a_logarithmic_axis_are_written_out():
    figure = plots.lines({"a": ([3e-5, 3e-4], [1, 2])}, "Rates", log_x=True, markers=True)
    (axes,) = figure.axes
    assert [label.get_text() for label in axes.get_xticklabels()] == ["3e-05", "0.0003"]
    assert list(axes.get_xticks(minor=True)) == []


def test_words_of_a_scatter_plot_do_not_cover_each_other():
    close = [[0.0, 0.0], [0.01, 0.005], [0.0, 0.01], [1.0, 1.0]]
    figure = plots.scatter(close, labels=["first", "second", "third", "far"])
    figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in figure.axes[0].texts]
    assert [text.get_text() for text in figure.axes[0].texts] == ["first", "second", "third", "far"]
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])


def test_an_entity_keeps_its_colour_from_text_to_text():
    def colour(marked):
        return re.findall(r"background:(#\w+)", marked._repr_html_())

    alone = colour(plots.highlight("Ada", [(0, 3, "PER")]))
    both = colour(plots.highlight("Rome, Ada", [(0, 4, "LOC"), (6, 9, "PER")]))
    assert alone == both[1:]
    assert both[0] != both[1]


def test_the_first_row_of_tokens_keeps_its_upper_edge():
    axes = plots.token_rows([["a", "b"], ["c"]], "Rows").axes[0]
    half_a_border = 0.8 / 72 / 2
    assert min(box.get_y() for box in axes.patches) >= half_a_border


def test_labels_of_a_mask_and_limits_of_curves_are_as_asked():
    axes = plots.mask(torch.ones(2, 2).tril().bool(), ["a", "b"], xlabel="looks at").axes[0]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("looks at", "query")
    assert plots.lines({"a": [0.6, 0.9]}, limits=(0, 1)).axes[0].get_ylim() == (0, 1)
