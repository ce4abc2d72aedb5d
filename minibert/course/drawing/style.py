"""The look of every figure: colours with a meaning, fonts that have the characters, alt text.

Figures are drawn dark on opaque white, so that they can be read wherever a notebook is opened,
and the book's style sheet turns their lightness around on dark pages (hues stay). Colours are
those of Okabe and Ito (2008), which people with any colour vision tell apart; shape, dash or a
printed word always says the same thing a second time.
"""

from __future__ import annotations

import base64
import io
import unicodedata
import warnings
from collections.abc import Callable
from dataclasses import replace
from functools import cache, wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
from cycler import cycler
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ft2font import FT2Font
from matplotlib.textpath import TextToPath

P = ParamSpec("P")
R = TypeVar("R")

WIDTH = 4.8  # inches; 480 CSS pixels, so that a phone (390) shrinks it by a quarter at most
RESOLUTION = 200  # dots an inch: twice the CSS pixels
TITLE: dict[str, Any] = {"size": 10.5, "weight": "bold"}

# One thing, one colour, through the whole book.
COLORS = {
    "query": "#0072B2",
    "key": "#D55E00",
    "value": "#009E73",
    "A": "#56B4E9",
    "B": "#E69F00",
    "masked": "#CC79A7",
    "special": "#BBBBBB",
    "answer": "#F0E442",
    "new": "#E69F00",
    "plain": "#FFFFFF",
}
INK, FAINT = "#222222", "#666666"
SERIES = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#222222", "#56B4E9"]
DASHES = ["-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (8, 2)), (0, (1, 1))]
MARKERS = "osD^vPX"

SEQUENTIAL = LinearSegmentedColormap.from_list(
    "share", ["#FFFFFF", "#56B4E9", "#0072B2", "#002B45"]
)
DIVERGING = LinearSegmentedColormap.from_list(
    "sign", ["#8A3B00", "#D55E00", "#FFFFFF", "#0072B2", "#00466E"]
)

# Chinese characters come from a font of our own (`book/make_font.py`), so that figures are the same
# on every machine; for rarer ones, the first of these that is installed helps out.
_OWN_FONT = Path(__file__).parent / "fonts" / "MinibertSansSC.otf"
_INSTALLED = (
    *("Noto Sans CJK SC", "Noto Sans SC", "Source Han Sans SC", "PingFang SC", "Hiragino Sans GB"),
    *("Microsoft YaHei", "SimHei", "WenQuanYi Zen Hei", "WenQuanYi Micro Hei"),
)


@cache
def families() -> tuple[str, ...]:
    """Font families, in order: the text font, ours with Chinese characters, an installed one."""
    fonts = font_manager.fontManager
    fonts.addfont(_OWN_FONT)
    own = font_manager.FontProperties(fname=_OWN_FONT).get_name()
    names = {font.name for font in fonts.ttflist}
    chinese = [own, *[name for name in _INSTALLED if name in names][:1]]
    for name in chinese:
        # Titles are bold. Ours has no bold face, nor have many others: where one is missing
        # matplotlib takes the regular one and says so, which would stop the book's build.
        faces = [font for font in fonts.ttflist if font.name == name]
        if not any(font.weight in (700, "bold") for font in faces):
            fonts.ttflist.append(replace(faces[0], weight=700))
    return ("DejaVu Sans", *chinese)


@cache
def _covered() -> frozenset[int]:
    files = [font_manager.findfont(family) for family in families()]
    return frozenset().union(*(FT2Font(file).get_charmap() for file in files))


def drawable(text: str) -> str:
    """The text as figures draw it; a character that no font has becomes its code, `u8FD9`.

    Warns of such a character, which stops the book's build: no reader can read a code. The alt text
    keeps the characters themselves.
    """
    missing = sorted({c for c in text if ord(c) not in _covered() and c != "\n"})
    if missing:
        warnings.warn(f"no font has {' '.join(missing)}: drawn as codes", stacklevel=2)
    # A dollar sign would start a formula.
    drawn = (f"u{ord(c):04X}" if c in missing else c for c in text)
    return "".join(drawn).replace("$", r"\$")


def _style() -> Any:
    return {
        "font.family": list(families()),
        "font.size": 10,
        "axes.titlesize": 10,
        "axes.labelsize": 9.5,
        "xtick.labelsize": 9,
        "ytick.labelsize": 9,
        "legend.fontsize": 9,
        "legend.frameon": False,
        "text.color": INK,
        "axes.edgecolor": FAINT,
        "axes.labelcolor": INK,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.prop_cycle": cycler(color=SERIES, linestyle=DASHES),
        "axes.unicode_minus": False,
        "xtick.color": INK,
        "ytick.color": INK,
        "grid.color": "#DDDDDD",
        "grid.linewidth": 0.7,
        "lines.linewidth": 1.8,
        "figure.facecolor": "white",
        "savefig.facecolor": "white",
        "svg.fonttype": "path",
        "figure.max_open_warning": 0,  # a figure closes itself when a notebook has shown it
    }


def in_style(function: Callable[P, R]) -> Callable[P, R]:
    """Draw in the course's style and leave the reader's own matplotlib settings alone."""

    @wraps(function)
    def styled(*args: P.args, **kwargs: P.kwargs) -> R:
        with mpl.rc_context(_style()):
            return function(*args, **kwargs)

    return styled


class CourseFigure(Figure):
    """A matplotlib figure that knows its title and its alt text and tells Jupyter both."""

    title = ""
    alt = ""

    def draw(self, renderer: Any) -> None:
        """Draw in the course's style."""
        # Ticks are made when they are drawn, and take the settings of that moment.
        with mpl.rc_context(_style()):
            super().draw(renderer)

    def png(self) -> bytes:
        """The picture at the course's resolution."""
        buffer = io.BytesIO()
        # No software name or date: the same figure is the same bytes.
        self.savefig(buffer, format="png", dpi=RESOLUTION, metadata={"Software": None})
        return buffer.getvalue()

    def _ipython_display_(self) -> None:
        from IPython.display import publish_display_data

        plt.close(self)  # shown: the notebook must not show it again when the cell ends
        publish_display_data(
            {
                "image/png": base64.b64encode(self.png()).decode(),
                "text/plain": f"Figure: {self.title or self.alt}",
            },
            {"image/png": {"alt": self.alt, "width": round(self.get_figwidth() * 100)}},
        )


def canvas(
    title: str, alt: str, height: float, rows: int = 1, columns: int = 1, **options: Any
) -> tuple[CourseFigure, Any]:
    """A new figure of the course's width, its title set, and its axes as `plt.subplots` does.

    Args:
        title: one message, as a sentence; broken into lines where it is too long for the width.
        alt: what is to be seen, for who cannot see it.
        height: in inches, without the title.
        rows: of axes.
        columns: of axes.
        **options: as for `Figure.subplots`.
    """
    lines = wrap(title)
    figure = plt.figure(
        FigureClass=CourseFigure,
        figsize=(WIDTH, height + 0.19 * len(lines) + 0.1),
        layout="constrained",
    )
    assert isinstance(figure, CourseFigure)
    if title:
        text = drawable("\n".join(lines))
        figure.suptitle(text, x=0.015, ha="left", **TITLE)
    figure.title, figure.alt = title, alt
    return figure, figure.subplots(rows, columns, **options)


def bare(axes: Axes) -> None:
    """Hide frame and ticks."""
    axes.set_axis_off()


def columns_of(text: str) -> int:
    """Width of a text in columns; a Chinese character fills two."""
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def points_of_title(text: str) -> float:
    """Width of a line of a title as it is drawn, in points; a Chinese character is a square."""
    font = font_manager.FontProperties(family=families()[0], **TITLE)
    narrow = "".join(c for c in text if columns_of(c) == 1)
    width, _, _ = TextToPath().get_text_width_height_descent(narrow, font, ismath=False)
    return float(width + TITLE["size"] * (len(text) - len(narrow)))


def wrap(title: str, width: float = 0.97 * WIDTH * 72) -> list[str]:
    """Break a title at spaces into lines of at most so many points."""
    lines = [""]
    for word in title.split():
        longer = f"{lines[-1]} {word}".strip()
        if points_of_title(longer) <= width or not lines[-1]:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines if title else []


def as_array(values: Any) -> np.ndarray:
    """A NumPy array out of a list, an array, or a tensor wherever it is."""
    # A tensor that carries a gradient refuses to become an array by itself.
    return np.asarray(values.detach().cpu() if hasattr(values, "detach") else values)


def ink_on(color: Any) -> str:
    """Black or white, whichever can be read on this colour (WCAG relative luminance)."""
    channels = mpl.colors.to_rgb(color)
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return INK if luminance > 0.22 else "#FFFFFF"
