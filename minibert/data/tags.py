"""How tags mark entities: IOB1, IOB2, IOBES and its kin, however they are spelled."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

# What a word is in its entity: beginning, inside, end, single. BILOU says last and unit instead,
# BMES middle.
_PLACES = {"B": "B", "I": "I", "M": "I", "E": "E", "L": "E", "S": "S", "U": "S"}
# One of these for all tags of a set, told in this order: B-LOC, B_LOC, LOC-B, LOC_B, B alone.
_FORMS = tuple(
    re.compile(form, re.IGNORECASE)
    for form in (
        r"(?P<place>[BIMELSU])-(?P<type>.+)",
        r"(?P<place>[BIMELSU])_(?P<type>.+)",
        r"(?P<type>.+)-(?P<place>[BIMELSU])",
        r"(?P<type>.+)_(?P<place>[BIMELSU])",
        r"(?P<place>[BIMELSU])(?P<type>)",
    )
)
OUTSIDE = ("O", "o")


def entity_tags(names: Iterable[str]) -> dict[str, str] | None:
    """What each tag of a set says, as O, B-TYPE, I-TYPE, E-TYPE (end) or S-TYPE (single).

    IOB1 and IOB2 have B and I, IOBES all four; BILOU's L and U are read as E and S, BMES's M as I.
    Capitals, a dash or underscore, and the type in front are all the same ("b-LOC", "B_LOC",
    "LOC-B"). Tags without a type have the type "_".

    Returns:
        one entry for each name; None where the tags mark no entities, such as parts of speech.
    """
    names = set(names)
    marks = names - set(OUTSIDE)
    for form in _FORMS:
        found = {name: match for name in marks if (match := form.fullmatch(name))}
        if not found or len(found) < len(marks):
            continue
        read = {name: _canonical(match) for name, match in found.items()}
        # Single letters may be parts of speech: some must begin and some go on.
        if form is _FORMS[-1] and not {"B-_"} < set(read.values()):
            continue
        return {name: read.get(name, "O") for name in names}
    return None


def _canonical(match: re.Match[str]) -> str:
    return f"{_PLACES[match['place'].upper()]}-{match['type'] or '_'}"


def odd_tags(counts: Mapping[str, int]) -> set[str]:
    """Tags that mark no entity in a set of which most do: probably mistakes.

    Args:
        counts: how often each tag occurs.

    Returns:
        none of them where `entity_tags` reads the set, and where it is of another kind altogether.
        The digit 0 beside the letter O is always odd.
    """
    marks = {name: count for name, count in counts.items() if name not in OUTSIDE}
    if not marks or entity_tags(marks) is not None:
        return set()
    fitting = ({name for name in marks if form.fullmatch(name)} for form in _FORMS)
    best = max(fitting, key=lambda names: sum(marks[name] for name in names))
    others = set(marks) - best
    if sum(marks[name] for name in others) < sum(marks[name] for name in best):
        return others
    return {"0"} & others if "O" in counts else set()


def is_mixed(names: Iterable[str]) -> bool:
    """Whether some tags of a set mark entities, B-TYPE and so on, and some do not."""
    names = set(names)
    return entity_tags(names) is None and any(_FORMS[0].fullmatch(name) for name in names)


def odd_tag_told(tag: str) -> str:
    """What to say of one."""
    zero = " (the digit; the letter O is outside of entities)" if tag == "0" else ""
    return f"the tag {tag!r}{zero} marks no entity as the others do (B-TYPE, I-TYPE, O): correct it"
