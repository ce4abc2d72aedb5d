"""The picture that other sites show beside a link to the course."""

from __future__ import annotations

from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from book.counts import count
from book.playgrounds import recorded

BLUE, INK, SOFT = "#0072b2", "#1f2933", "#5b6770"


def draw_card(target: Path) -> None:
    """Title, a sentence with a blank and what BERT puts there: 1200 by 630 pixels."""
    figure = Figure(figsize=(12, 6.3), dpi=100, facecolor="white")
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, 1200), ylim=(630, 0))
    axes.axis("off")
    axes.add_patch(Rectangle((0, 0), 24, 630, color=BLUE))
    style = {"color": INK, "va": "center"}
    axes.text(80, 100, "BERT, from the first matrix product", size=34, weight="bold", **style)
    result = recorded()["fill-mask"]
    axes.text(80, 190, result["text"], size=27, **style)
    for row, (word, share) in enumerate(result["both"][:4]):
        y = 265 + 62 * row
        axes.text(300, y, word, size=24, ha="right", **style)
        axes.add_patch(Rectangle((320, y - 18), 900 * share, 36, color=BLUE))
        axes.text(335 + 900 * share, y, f"{share * 100:.0f} %", size=24, **style)
    told = (
        f"{count('chapters')} chapters, computed in front of you · "
        f"{count('claims')} claims tested, {count('claims-wrong')} found wrong"
    )
    axes.text(80, 560, told, size=19, color=SOFT, va="center")
    target.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(target, metadata={"Software": None})
