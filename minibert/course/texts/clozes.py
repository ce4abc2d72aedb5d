"""Questions built from passages by rule, where no file of real ones is at hand (claims B23, D5).

From each passage one sentence is taken, and in it a name or a number; the question is that
sentence with "what" in its place, and the answer is what stood there. A quarter of the questions
are asked of another passage, where nothing answers them. Everything that is chosen is chosen by a
hash of the passage. Such questions are easier than SQuAD's, which people wrote in words of their
own: here what surrounds the answer is a copy of what surrounds the gap.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence

from minibert.data.examples import AnswerExample
from minibert.data.sentences import split_sentences

_GAP = "what"
_AROUND = 12  # words of the sentence that are kept on either side of the gap
_LONGEST = 5  # words of an answer
_CAPITAL = r"[A-Z\u00c0-\u00de][\w'\u2019-]+"
_NAME = re.compile(rf"\b{_CAPITAL}(?: (?:(?:of|the|of the) )?{_CAPITAL})*")
_NUMBER = re.compile(r"(?<![\w.,])\d+(?:[.,]\d+)*(?![\w])")


def cloze_questions(passages: Sequence[tuple[str, str]]) -> list[AnswerExample]:
    """A question for every passage that has a name or a number to ask for.

    Args:
        passages: (title, text), of one split of a data set. Where titles are equal, no question is
            moved from one to the other.

    Returns:
        the questions in the order of their ids; `is_impossible` marks those that were moved.
    """
    made = [
        (title, example)
        for title, text in passages
        if (example := _question(title, " ".join(text.split()))) is not None
    ]
    made.sort(key=lambda pair: pair[1].id)
    kept = [example for place, (_, example) in enumerate(made) if place % 4 < 3]
    moved = made[3::4]
    for place, (title, example) in enumerate(moved):
        others = moved[place + 1 :] + moved[:place]
        other = next((other for name, other in others if name != title), None)
        if other is not None:
            kept.append(AnswerExample(example.id, example.question, other.context, [], True))
    return sorted(kept, key=lambda example: example.id)


def _question(title: str, text: str) -> AnswerExample | None:
    digest = hashlib.sha256(f"{title}\n{text}".encode())
    gaps = list(_gaps(text))
    if not gaps:
        return None
    begin, end, start, stop = gaps[int(digest.hexdigest(), 16) % len(gaps)]
    left = text[begin:start].split()[-_AROUND:]
    right = text[stop:end].split()[:_AROUND]
    # What is glued to the gap, a comma or an opening bracket, stays glued.
    before = "" if start == begin or text[start - 1] != " " else " "
    after = "" if stop == end or text[stop] != " " else " "
    question = f"{' '.join(left)}{before}{_GAP}{after}{' '.join(right)}"
    return AnswerExample(digest.hexdigest()[:16], question, text, [(text[start:stop], start)])


def _gaps(text: str) -> Iterator[tuple[int, int, int, int]]:
    """What can be asked for: begin and end of its sentence, its own start and end."""
    at = 0
    for sentence in split_sentences(text):
        begin = text.index(sentence, at)
        at = begin + len(sentence)
        for pattern in (_NAME, _NUMBER):
            for match in pattern.finditer(sentence):
                # The capital of a sentence's first word says nothing.
                if match.start() and len(match.group().split()) <= _LONGEST:
                    yield begin, at, begin + match.start(), begin + match.end()
