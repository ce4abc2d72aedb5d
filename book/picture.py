"""Draw the map of the course, `book/_static/map.svg`: what happens to a sentence, and where.

python book/picture.py
"""

from __future__ import annotations

from html import escape
from pathlib import Path

TARGET = Path(__file__).parent / "_static" / "map.svg"
WIDTH, HEIGHT = 540, 890
# Okabe-Ito, as in the book's figures; ink and paper are fixed, so that it reads in the dark too.
INK, PAPER, SOFT = "#1f2933", "#ffffff", "#5b6770"
BLUE, GREEN, ORANGE, PURPLE = "#0072b2", "#009e73", "#d55e00", "#aa4499"
TOKENS = ["[CLS]", "this", "film", "is", "wonderful", "!", "[SEP]"]
TASKS = [  # heading, second line, chapters
    ("fill a", "blank", "8"),
    ("next", "sentence?", "9"),
    ("class of", "text, pair", "13, 14"),
    ("label", "each word", "15"),
    ("find the", "answer", "16"),
]
ATTENTION = [0.35, 0.25, 0.95, 0.3, 0.55, 0.3, 0.2]  # for show: the chapters compute it
LEFT, RIGHT = 18, 522
START = {"text_anchor": "start"}


def text(x: float, y: float, words: str, size: int = 17, **style: str) -> str:
    """A line of text; keywords become SVG attributes, `_` for `-`."""
    given = {"fill": INK, "text_anchor": "middle"} | style
    attributes = " ".join(f'{name.replace("_", "-")}="{value}"' for name, value in given.items())
    return f'<text x="{x:.0f}" y="{y:.0f}" font-size="{size}" {attributes}>{escape(words)}</text>'


def box(x: float, y: float, width: float, height: float, colour: str, fill: str = "0.10") -> str:
    """A rounded rectangle outlined and lightly filled in one colour."""
    return (
        f'<rect x="{x:.0f}" y="{y:.0f}" width="{width:.0f}" height="{height:.0f}" rx="9" '
        f'fill="{colour}" fill-opacity="{fill}" stroke="{colour}" stroke-width="1.6"/>'
    )


def down(x: float, y: float, length: float = 22) -> str:
    """A short arrow that points down."""
    return (
        f'<path d="M{x:.0f} {y:.0f}v{length:.0f}" stroke="{SOFT}" stroke-width="1.6" '
        f'fill="none" marker-end="url(#tip)"/>'
    )


def chapters(y: float, numbers: str, says: str, colour: str) -> str:
    """The line above a step: where the course shows it, and what it makes."""
    return text(LEFT, y, numbers, 17, fill=colour, text_anchor="start", font_weight="700") + text(
        RIGHT, y, says, 16, fill=SOFT, text_anchor="end"
    )


def draw_tokens(centres: list[float], width: float) -> list[str]:
    """The tokens, and under each the three vectors that are added up for it."""
    parts = []
    for centre, token in zip(centres, TOKENS, strict=True):
        fill = "0.22" if token.startswith("[") else "0.08"
        parts += [
            box(centre - width / 2 + 2, 156, width - 4, 38, ORANGE, fill),
            text(centre, 180, token, 14),
        ]
        for row, colour in enumerate((ORANGE, BLUE, GREEN)):
            parts.append(
                f'<rect x="{centre - 28:.0f}" y="{244 + 17 * row}" width="56" height="13" rx="3" '
                f'fill="{colour}" fill-opacity="0.75"/>'
            )
    return parts


def draw_layers(middle: float) -> list[str]:
    """The stack of layers: one drawn, with what one word looks at, the others behind it."""
    parts = [
        f'<rect x="{LEFT + back}" y="{388 - back}" width="{RIGHT - LEFT - 12}" height="258" '
        f'rx="14" fill="{PAPER}" stroke="{PURPLE}" stroke-width="1.6"/>'
        for back in (12, 6, 0)
    ]
    word, last = 4, len(TOKENS) - 1  # "wonderful" looks both ways
    xs = [LEFT + 32 + (RIGHT - LEFT - 76) / last * i for i in range(last + 1)]
    for i, (x, weight) in enumerate(zip(xs, ATTENTION, strict=True)):
        parts += [
            f'<path d="M{x:.0f} 420C{x:.0f} 460 {xs[word]:.0f} 452 {xs[word]:.0f} 492" '
            f'fill="none" stroke="{PURPLE}" stroke-opacity="{0.25 + 0.7 * weight:.2f}" '
            f'stroke-width="{1 + 6 * weight:.1f}"/>',
            f'<circle cx="{x:.0f}" cy="418" r="8" fill="{PURPLE}"/>',
            f'<circle cx="{x:.0f}" cy="494" r="8" fill="{PURPLE}" '
            f'fill-opacity="{1 if i == word else 0.45}"/>',
        ]
    return [
        *parts,
        text(middle - 6, 530, "attention: every word looks at every word", 17, fill=PURPLE),
        box(LEFT + 22, 548, RIGHT - LEFT - 56, 40, PURPLE, "0.08"),
        text(middle - 6, 574, "feed-forward network, at each position alone", 17),
        text(middle - 6, 620, "each adds to what came in, and normalises", 16, fill=SOFT),
    ]


def draw_tasks() -> list[str]:
    """The heads, side by side."""
    share = (RIGHT - LEFT) / len(TASKS)
    parts = []
    for i, (first, second, number) in enumerate(TASKS):
        centre = LEFT + share * (i + 0.5)
        parts += [
            box(centre - share / 2 + 2, 720, share - 4, 94, GREEN),
            text(centre, 749, first, 16),
            text(centre, 770, second, 16),
            text(centre, 800, number, 17, fill=GREEN, font_weight="700"),
        ]
    return parts


def draw() -> str:
    """The whole picture as SVG."""
    middle, width = (LEFT + RIGHT) / 2, (RIGHT - LEFT) / len(TOKENS)
    centres = [LEFT + width * (i + 0.5) for i in range(len(TOKENS))]
    parts = [
        text(LEFT, 38, "A sentence on its way through BERT", 21, **START, font_weight="700"),
        box(LEFT, 56, RIGHT - LEFT, 46, SOFT, "0.06"),
        text(middle, 86, "This film is wonderful!", 19),
        down(middle, 106),
        chapters(144, "chapter 2", "tokens (B, T)", ORANGE),
        *draw_tokens(centres, width),
        down(middle, 198),
        chapters(232, "chapters 3, 4", "vectors (B, T, d)", BLUE),
        text(middle, 318, "what it is  +  where it stands  +  which sentence", 16),
        down(middle, 328),
        chapters(362, "chapters 5, 6, 7", "equal layers (B, T, d)", PURPLE),
        *draw_layers(middle),
        down(middle, 654),
        chapters(706, "chapters", "a small head for each task", GREEN),
        *draw_tasks(),
        text(LEFT, 846, "1 generating text · 10 pre-training · 11 what layers know", 16,
             **START, fill=SOFT),
        text(LEFT, 870, "12 one sentence, all through · 17 honest numbers · 18 scale", 16,
             **START, fill=SOFT),
    ]  # fmt: skip
    body = "\n".join(parts)
    return f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img"
 width="{WIDTH}" height="{HEIGHT}" font-family="'Helvetica Neue', Arial, 'Noto Sans', sans-serif">
<title>A sentence on its way through BERT, and the chapters that show it</title>
<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7"
 orient="auto"><path d="M0 0L8 4L0 8z" fill="{SOFT}"/></marker></defs>
<rect width="{WIDTH}" height="{HEIGHT}" rx="12" fill="{PAPER}"/>
{body}
</svg>
"""


if __name__ == "__main__":
    TARGET.write_text(draw(), encoding="utf-8")
    print(f"wrote {TARGET}")
