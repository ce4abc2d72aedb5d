"""The course's own corpora, document by document, each with the key that decides its split."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from minibert.course.texts.published import (
    article_text,
    bbc_rows,
    boolq_rows,
    news_zh_articles,
    reviews_zh_rows,
    sanguo_chapters,
    sarcasm_rows,
)
from minibert.data.catalog import NamedCorpus
from minibert.data.sentences import clean, split_sentences


def _documents(keyed: Iterable[tuple[str, str]]) -> Iterator[tuple[str, list[str]]]:
    for key, text in keyed:
        yield key, split_sentences(text)


def _news_documents() -> Iterator[tuple[str, list[str]]]:
    for article in news_zh_articles():
        lines = ("".join(t.rpartition("/")[0] for t in line.split()) for line in article)
        yield article_text(article), [s for line in lines for s in split_sentences(line)]


CORPORA: dict[str, NamedCorpus] = {
    "boolq": NamedCorpus(
        lambda: _documents((row.title, row.body) for row in boolq_rows()),
        "12,271 Wikipedia passages, their titles left off",
    ),
    "bbc": NamedCorpus(
        lambda: _documents((clean(text), text) for text, _ in bbc_rows()),
        "2,125 news articles",
    ),
    "sarcasm": NamedCorpus(
        lambda: _documents((text, text) for text, _ in sarcasm_rows()),
        "headlines, one sentence each",
    ),
    "reviews-zh": NamedCorpus(
        lambda: _documents((clean(text), text) for text, _ in reviews_zh_rows()),
        "Chinese reviews",
    ),
    "people-zh": NamedCorpus(_news_documents, "People's Daily of January 1998, by article"),
    "sanguo": NamedCorpus(
        lambda: _documents((clean(text), text) for text in sanguo_chapters()),
        "120 chapters of a Chinese novel",
    ),
}
