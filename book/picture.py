"""Draw the map of the course, `book/_static/map.svg`: what happens to a sentence, and where.

python book/picture.py
"""

from __future__ import annotations

from html import escape
from pathlib import Path

TARGET = Path(__file__).parent / "_static" / "map.svg"
WIDTH, HEIGHT = 700, 826
# Okabe-Ito, as in the book's figures; ink and paper are fixed, so that it reads in the dark too.
INK, PAPER, SOFT = "#1f2933", "#ffffff", "#5b6770"
BLUE, GREEN, ORANGE, PURPLE = "#0072b2", "#009e73", "#d55e00", "#aa4499"
TOKENS = ["[CLS]", "this", "film", "is", "wonderful", "!", "[SEP]"]
TASKS = [  # heading, second line, chapters
    ("fill a", "blank", "8"),
    ("next", "sentence?", "9"),
    ("class of", "a text, a pair", "13, 14"),
    ("label", "each word", "15"),
    ("find the", "answer", "16"),
]
LEFT, RIGHT = 28, 556  # the drawing's column; the chapters stand right of it


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
    """The note in the right margin."""
    return text(
        RIGHT + 18, y, numbers, 17, fill=colour, text_anchor="start", font_weight="700"
    ) + text(RIGHT + 18, y + 21, says, 15, fill=SOFT, text_anchor="start")


def draw() -> str:
    """The whole picture as SVG."""
    middle, span = (LEFT + RIGHT) / 2, RIGHT - LEFT
    step = span / len(TOKENS)
    centres = [LEFT + step * (i + 0.5) for i in range(len(TOKENS))]
    parts = [
        text(LEFT, 44, "What BERT does with a sentence, and the chapters that show it", 20,
             text_anchor="start", font_weight="700"),
        box(LEFT, 66, span, 46, SOFT, "0.06"),
        text(middle, 95, "This film is wonderful!", 18),
        down(middle, 114),
    ]  # fmt: skip
    # Tokens
    for centre, token in zip(centres, TOKENS, strict=True):
        special = token.startswith("[")
        parts += [
            box(centre - step / 2 + 2, 140, step - 4, 36, ORANGE, "0.22" if special else "0.08"),
            text(centre, 163, token, 14),
            down(centre, 178),
        ]
    parts.append(chapters(154, "chapter 2", "tokens (B, T)", ORANGE))
    # Embeddings
    for centre, token in zip(centres, TOKENS, strict=True):
        del token
        for row, colour in enumerate((ORANGE, BLUE, GREEN)):
            parts.append(
                f'<rect x="{centre - 27:.0f}" y="{204 + 17 * row}" width="54" height="13" rx="3" '
                f'fill="{colour}" fill-opacity="0.75"/>'
            )
    parts += [
        text(middle, 277, "what it is  +  where it stands  +  which sentence", 16),
        down(middle, 286),
        chapters(226, "chapters 3, 4", "vectors (B, T, d)", BLUE),
    ]
    # Encoder: one layer drawn, the others behind it
    for back in (12, 6, 0):
        parts.append(
            f'<rect x="{LEFT + back}" y="{318 - back}" width="{span - 12}" height="270" rx="14" '
            f'fill="{PAPER}" stroke="{PURPLE}" stroke-width="1.6"/>'
        )
    from_word = 4  # "wonderful" looks both ways
    xs = [LEFT + 34 + (span - 80) / (len(TOKENS) - 1) * i for i in range(len(TOKENS))]
    weights = [0.35, 0.25, 0.95, 0.3, 0.55, 0.3, 0.2]
    for i, (x, weight) in enumerate(zip(xs, weights, strict=True)):
        parts.append(
            f'<path d="M{x:.0f} 352C{x:.0f} 392 {xs[from_word]:.0f} 386 {xs[from_word]:.0f} 426" '
            f'fill="none" stroke="{PURPLE}" stroke-opacity="{0.25 + 0.7 * weight:.2f}" '
            f'stroke-width="{1 + 6 * weight:.1f}"/>'
        )
        own = "1" if i == from_word else "0.45"
        parts += [
            f'<circle cx="{x:.0f}" cy="350" r="8" fill="{PURPLE}"/>',
            f'<circle cx="{x:.0f}" cy="428" r="8" fill="{PURPLE}" fill-opacity="{own}"/>',
        ]
    centre = LEFT + (span - 12) / 2
    parts += [
        text(centre, 464, "attention: every word looks at every word, both ways", 16,
             fill=PURPLE, font_weight="600"),
        box(LEFT + 24, 482, span - 60, 40, PURPLE, "0.08"),
        text(centre, 508, "feed-forward network, at each position alone", 16),
        text(centre, 556, "each: add what came in, normalise  ·  then the next layer", 16,
             fill=SOFT),
        chapters(372, "chapters 5–7", "a stack of", PURPLE),
        text(RIGHT + 18, 414, "equal layers;", 15, fill=SOFT, text_anchor="start"),
        text(RIGHT + 18, 435, "still (B, T, d)", 15, fill=SOFT, text_anchor="start"),
        down(middle, 592),
    ]  # fmt: skip
    # Tasks
    share = (WIDTH - 2 * LEFT) / len(TASKS)
    parts.append(
        text(LEFT, 640, "One small head for each task, on the same vectors:", 17,
             text_anchor="start", font_weight="600")
    )  # fmt: skip
    for i, (first, second, number) in enumerate(TASKS):
        x = LEFT + share * i
        parts += [
            box(x + 3, 656, share - 6, 92, GREEN),
            text(x + share / 2, 684, first, 16),
            text(x + share / 2, 705, second, 16),
            text(x + share / 2, 734, f"chapter{'s' if ',' in number else ''} {number}", 15,
                 fill=GREEN, font_weight="700"),
        ]  # fmt: skip
    notes = (
        "1 generating text · 10 pre-training · 11 what layers know",
        "12 one sentence, all the way through · 17 honest numbers · 18 scale",
    )
    parts += [
        text(LEFT, 778 + 22 * i, note, 15, fill=SOFT, text_anchor="start")
        for i, note in enumerate(notes)
    ]
    body = "\n".join(parts)
    return f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img"
 font-family="'Helvetica Neue', Arial, 'Noto Sans', sans-serif">
<title>What BERT does with a sentence, and the chapters that show it</title>
<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7"
 orient="auto"><path d="M0 0L8 4L0 8z" fill="{SOFT}"/></marker></defs>
<rect width="{WIDTH}" height="{HEIGHT}" rx="16" fill="{PAPER}"/>
{body}
</svg>
"""


if __name__ == "__main__":
    TARGET.write_text(draw(), encoding="utf-8")
    print(f"wrote {TARGET}")
