"""Draw the map of the course: what happens to a sentence, and which chapter shows it.

    python book/picture.py        writes book/_static/map.svg

On the front page the same drawing stands inline, every part a link, in the page's own colours.
"""

from __future__ import annotations

import sys
from html import escape
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # this is a script, too

from book.register import CHAPTERS

TARGET = Path(__file__).parent / "_static" / "map.svg"
WIDTH, HEIGHT = 540, 944
# Okabe-Ito, as in the book's figures. The file has fixed ink and paper; inline they are the page's.
INK, PAPER, SOFT = "#1f2933", "#ffffff", "#5b6770"
BLUE, GREEN, ORANGE, PURPLE = "#0072b2", "#009e73", "#d55e00", "#aa4499"
NAMES = {INK: "ink", PAPER: "paper", SOFT: "soft"}
NAMES |= {BLUE: "blue", GREEN: "green", ORANGE: "orange", PURPLE: "purple"}
TOKENS = ["[CLS]", "this", "film", "is", "wonderful", "!", "[SEP]"]
TASKS = [  # first line, second line, chapter
    ("fill a", "blank", 8),
    ("next", "sentence?", 9),
    ("class of", "a text", 13),
    ("pairs of", "texts", 14),
    ("label", "each word", 15),
    ("find the", "answer", 16),
]
BESIDE = [  # what has no place in the drawing, and its chapter
    ("generating text", 1),
    ("pre-training", 10),
    ("what layers know", 11),
    ("one sentence, all of it", 12),
    ("honest numbers", 17),
    ("memory, many GPUs", 18),
]
# The drawing's words, for the page in Chinese.
CHINESE = {
    "A sentence on its way through BERT": "一个句子如何走过 BERT",
    "tokens (B, T)": "词元 (B, T)",
    "vectors (B, T, d)": "向量 (B, T, d)",
    "what it is  +  where it stands  +  which sentence": "是什么词  +  在哪个位置  +  属于哪一句",
    "equal layers (B, T, d)": "结构相同的各层 (B, T, d)",
    "attention: every word looks at every word": "注意力：每个词元看所有词元",
    "feed-forward network, at each position alone": "前馈网络：逐位置计算",
    "each adds to what came in, and normalises": "残差相加，再归一化",
    "a small head for each task": "每个任务一个小小的输出层",
    "and besides": "此外",
    "fill a": "完形", "blank": "填空", "next": "下一句", "sentence?": "预测",
    "class of": "文本", "a text": "分类", "pairs of": "文本对", "texts": "任务",
    "label": "序列", "each word": "标注", "find the": "抽取式", "answer": "问答",
    "generating text": "生成文本", "pre-training": "预训练", "what layers know": "各层知道什么",
    "one sentence, all of it": "一句话走完全程", "honest numbers": "可信的数字",
    "memory, many GPUs": "显存与多机",
}  # fmt: skip
ATTENTION = [0.35, 0.25, 0.95, 0.3, 0.55, 0.3, 0.2]  # for show: the chapters compute it
LEFT, RIGHT = 18, 522
PILL = 40  # the height of what can be pressed, in the drawing's units


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


class Map:
    """The drawing: with links and translated words, or as a picture alone."""

    def __init__(self, linked: bool = False, words: dict[str, str] | None = None) -> None:
        self.linked, self.words = linked, words or {}

    def say(self, words: str) -> str:
        """The words in the page's language."""
        return self.words.get(words, words)

    def link(self, chapter: int, drawing: str) -> str:
        """A part of the drawing that leads to its chapter."""
        if not self.linked:
            return drawing
        return f'<a href="{CHAPTERS[chapter - 1]}.html">{drawing}</a>'

    def step(self, y: float, numbers: list[int], says: str, colour: str) -> str:
        """The line above a step: the chapters that show it, and what it makes."""
        parts = [text(RIGHT, y + 26, self.say(says), 16, fill=SOFT, text_anchor="end")]
        for place, number in enumerate(numbers):
            x = LEFT + place * (PILL + 8)
            digit = text(x + PILL / 2, y + 27, str(number), 18, fill=colour, font_weight="700")
            parts.append(self.link(number, box(x, y, PILL, PILL, colour, "0.12") + digit))
        return "".join(parts)

    def tokens(self, top: float) -> list[str]:
        """The tokens, and under each the three vectors that are added up for it."""
        width, parts = (RIGHT - LEFT) / len(TOKENS), []
        for place, token in enumerate(TOKENS):
            centre, fill = LEFT + width * (place + 0.5), "0.22" if token[0] == "[" else "0.08"
            parts += [
                box(centre - width / 2 + 2, top, width - 4, 38, ORANGE, fill),
                text(centre, top + 24, token, 13),
            ]
            parts += [
                f'<rect x="{centre - 28:.0f}" y="{top + 116 + 17 * row:.0f}" width="56" '
                f'height="13" rx="3" fill="{colour}" fill-opacity="0.75"/>'
                for row, colour in enumerate((ORANGE, BLUE, GREEN))
            ]
        return parts

    def layers(self, top: float) -> list[str]:
        """The stack of layers: one drawn, with what one word looks at, the others behind it."""
        middle = (LEFT + RIGHT) / 2
        parts = [
            f'<rect x="{LEFT + back}" y="{top - back:.0f}" width="{RIGHT - LEFT - 12}" '
            f'height="234" rx="14" fill="{PAPER}" stroke="{PURPLE}" stroke-width="1.6"/>'
            for back in (12, 6, 0)
        ]
        word, last = 4, len(TOKENS) - 1  # "wonderful" looks both ways
        xs = [LEFT + 32 + (RIGHT - LEFT - 76) / last * i for i in range(last + 1)]
        high, low = top + 26, top + 98
        for i, (x, weight) in enumerate(zip(xs, ATTENTION, strict=True)):
            bend = (
                f"C{x:.0f} {high + 38:.0f} {xs[word]:.0f} {low - 38:.0f} {xs[word]:.0f} {low:.0f}"
            )
            parts += [
                f'<path d="M{x:.0f} {high:.0f}{bend}" fill="none" stroke="{PURPLE}" '
                f'stroke-opacity="{0.25 + 0.7 * weight:.2f}" stroke-width="{1 + 6 * weight:.1f}"/>',
                f'<circle cx="{x:.0f}" cy="{high:.0f}" r="8" fill="{PURPLE}"/>',
                f'<circle cx="{x:.0f}" cy="{low:.0f}" r="8" fill="{PURPLE}" '
                f'fill-opacity="{1 if i == word else 0.45}"/>',
            ]
        says = self.say("attention: every word looks at every word")
        feeds = self.say("feed-forward network, at each position alone")
        adds = self.say("each adds to what came in, and normalises")
        return [
            *parts,
            text(middle - 6, top + 136, says, 17, fill=PURPLE),
            box(LEFT + 22, top + 152, RIGHT - LEFT - 56, 38, PURPLE, "0.08"),
            text(middle - 6, top + 177, feeds, 17),
            text(middle - 6, top + 217, adds, 16, fill=SOFT),
        ]

    def boxes(self, top: float, items: list[tuple[str, ...]], colour: str, size: int) -> list[str]:
        """Linked boxes side by side, each with its lines of text and its chapter."""
        share, parts = (RIGHT - LEFT) / len(items), []
        height = 30 + 22 * (len(items[0]) - 1)
        for place, (*lines, number) in enumerate(items):
            centre = LEFT + share * (place + 0.5)
            drawing = [box(centre - share / 2 + 2, top, share - 4, height, colour)]
            drawing += [
                text(centre, top + 21 + 21 * row, self.say(line), size)
                for row, line in enumerate(lines)
            ]
            below = top + height - 9
            drawing.append(text(centre, below, number, 17, fill=colour, font_weight="700"))
            parts.append(self.link(int(number), "".join(drawing)))
        return parts

    def svg(self) -> str:
        """The whole drawing."""
        middle = (LEFT + RIGHT) / 2
        title = self.say("A sentence on its way through BERT")
        tasks = [(first, second, str(number)) for first, second, number in TASKS]
        beside = [(words, str(number)) for words, number in BESIDE]
        parts = [
            text(LEFT, 34, title, 21, text_anchor="start", font_weight="700"),
            box(LEFT, 50, RIGHT - LEFT, 42, SOFT, "0.06"),
            text(middle, 78, "This film is wonderful!", 19),
            down(middle, 94),
            self.step(118, [2], "tokens (B, T)", ORANGE),
            *self.tokens(166),
            down(middle, 206),
            self.step(230, [3, 4], "vectors (B, T, d)", BLUE),
            text(middle, 352, self.say("what it is  +  where it stands  +  which sentence"), 16),
            down(middle, 362),
            self.step(386, [5, 6, 7], "equal layers (B, T, d)", PURPLE),
            *self.layers(446),
            down(middle, 684),
            text(LEFT, 726, self.say("a small head for each task"), 16, fill=SOFT,
                 text_anchor="start"),
            *self.boxes(738, tasks, GREEN, 15),
            *self.boxes(822, beside[:3], SOFT, 15),
            *self.boxes(882, beside[3:], SOFT, 15),
        ]  # fmt: skip
        body = "\n".join(parts)
        named = f'role="group" aria-label="{title}"' if self.linked else 'role="img"'
        shown = "" if self.linked else f"<title>{title}, and the chapters that show it</title>\n"
        ground = f'<rect width="{WIDTH}" height="{HEIGHT}" rx="12" fill="{PAPER}"/>'
        fonts = "'Helvetica Neue', Arial, 'Noto Sans', 'Noto Sans SC', sans-serif"
        drawn = f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" {named}
 width="{WIDTH}" height="{HEIGHT}" font-family="{fonts}">
{shown}<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7"
 orient="auto"><path d="M0 0L8 4L0 8z" fill="{SOFT}"/></marker></defs>
{ground}
{body}
</svg>
"""
        if self.linked:
            for colour, name in NAMES.items():
                drawn = drawn.replace(f'"{colour}"', f'"var(--map-{name}, {colour})"')
        return drawn


if __name__ == "__main__":
    TARGET.write_text(Map().svg(), encoding="utf-8")
    print(f"wrote {TARGET}")
