"""Where one sentence ends and the next begins, in English and in Chinese, by rule.

Next-sentence pairs are built from documents that are lists of sentences, so the quality that
matters here is modest: a rule that is right nearly always, the same on every machine, and
readable. It reads no model and no dictionary beyond one line of abbreviations.
"""

from __future__ import annotations

import re

# A full stop after one of these ends no sentence (compared without case).
_ABBREVIATIONS = re.compile(
    r"(?:mr|mrs|ms|dr|prof|st|sr|jr|rev|hon|gen|col|lt|sgt|capt|gov|sen|rep|pres|vs|etc|approx|nos?"
    r"|vol|pp|fig|eq|eds?|cf|ca|dept|inc|ltd|co|corp|mt|ft|jan|feb|mar|apr|aug|sept?|oct|nov|dec"
    r"|e\.g|i\.e|a\.k\.a|u\.s|u\.k|u\.n|a\.m|p\.m|al|[a-z])",
    re.IGNORECASE,
)
_CJK = r"\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uff00-\uffef\u3000-\u303f"
# English: a stop, perhaps closing quotes or brackets, white space, then what can open a
# sentence: a capital, a digit, a quote or a bracket.
_ENGLISH = re.compile(
    r"[.!?]+['\"\u2019\u201d)\]]*\s+(?=['\"`\u2018\u201c(\[]*[A-Z0-9\u00c0-\u00de])"
)
# Chinese: needs no white space; what closes a quotation belongs to the sentence before it.
_CHINESE = re.compile(
    r"(?:[。！？]|…{1,2}(?=[”’」』）])|[!?](?=[" + _CJK + r"]))+[。！？!?…”’」』）》\"]*\s*"
)


def clean(text: str) -> str:
    """The text with every run of white space made one space, none at the ends."""
    return " ".join(text.split())


def split_sentences(text: str) -> list[str]:
    """Cut a text into its sentences; their words, in order, are those of the text.

    A line break ends a sentence. Chinese stops (。！？) end one anywhere; English ones before
    white space and a capital, unless the word is a known abbreviation or an initial ("J.").

    Returns:
        non-empty sentences with white space made even; an empty list for an empty text.
    """
    sentences = []
    for line in text.splitlines():
        rest = clean(line)
        start = 0
        for cut in _cuts(rest):
            sentences.append(rest[start:cut].strip())
            start = cut
        sentences.append(rest[start:].strip())
    return [sentence for sentence in sentences if sentence]


def _cuts(line: str) -> list[int]:
    """Positions at which a new sentence begins."""
    cuts = {match.end() for match in _CHINESE.finditer(line)}
    for match in _ENGLISH.finditer(line):
        before = line[: match.start()].rsplit(None, 1)
        word = before[-1].lstrip("('\"`\u201c[") if before else ""
        if line[match.start()] != "." or not _ABBREVIATIONS.fullmatch(word):
            cuts.add(match.end())
    return sorted(cuts)
