"""Reading a `tokenizer.json`: what the `tokenizers` library would stumble over later is refused."""

import re
from pathlib import Path
from typing import Annotated, Any, NotRequired, TypedDict

from tokenizers import Tokenizer as Backend

from minibert.data.strict_json import dump_json
from minibert.weights.typed_json import Within, named_file, read_typed

_PARTS = ("normalizer", "pre_tokenizer", "post_processor", "decoder")  # each may be null
_Id = Annotated[int, Within(0, 2**24 - 1)]


class _AddedToken(TypedDict):
    id: _Id
    content: Annotated[str, Within(1, 10_000)]
    single_word: bool
    lstrip: bool
    rstrip: bool
    normalized: bool
    special: bool


class _ModelFile(TypedDict):
    type: NotRequired[str]
    vocab: dict[str, _Id] | list[Any]
    unk_token: NotRequired[str | None]
    continuing_subword_prefix: NotRequired[str | None]
    max_input_chars_per_word: NotRequired[Annotated[int, Within(1, 10**6)]]


class _TokenizerFile(TypedDict):
    """What is read; within its `_PARTS` the library checks for itself."""

    version: NotRequired[str]
    added_tokens: NotRequired[list[_AddedToken]]
    normalizer: NotRequired[dict[str, Any] | None]
    pre_tokenizer: NotRequired[dict[str, Any] | None]
    post_processor: NotRequired[dict[str, Any] | None]
    decoder: NotRequired[dict[str, Any] | None]
    model: _ModelFile


def read_backend(path: Path) -> Backend:
    """The library's tokenizer that a tokenizer.json describes.

    Raises:
        ValueError: naming the part of it that makes no sense.
    """
    # Padding and cutting are asked for call by call, not by a file: these parts are not read.
    content = {**read_typed(path, _TokenizerFile), "padding": None, "truncation": None}
    found = _opened(content)
    if isinstance(found, Backend):
        with named_file(path):
            _check_vocabulary(content["model"])
            _check_templates(content.get("post_processor") or {})
        return found
    # The part at fault is the one without which it opens.
    part = next((p for p in _PARTS if isinstance(_opened({**content, p: None}), Backend)), "model")
    reason = re.sub(" at line [0-9]+ column [0-9]+", "", found)
    raise ValueError(f"{path}: {part} cannot be read ({reason}): save the tokenizer again")


def _opened(content: dict[str, Any]) -> Backend | str:
    """The library's tokenizer, or what it has against it."""
    try:
        return Backend.from_str(dump_json(content))
    except Exception as error:  # the library raises plain Exception
        return " ".join(str(error).split())


def _check_vocabulary(model: dict[str, Any]) -> None:
    """Refuse ids that two entries share, and a word for the unknown that is no entry."""
    vocab, unknown = model["vocab"], model.get("unk_token")
    if isinstance(vocab, list):  # of a Unigram model, which the library has checked
        return
    if unknown is not None and unknown not in vocab:
        raise ValueError(f"model.unk_token {unknown!r} is not in model.vocab: add it")
    entries: dict[int, str] = {}
    for entry, number in vocab.items():
        if entries.setdefault(number, entry) != entry:
            raise ValueError(
                f"model.vocab: {entries[number]!r} and {entry!r} both have the id {number}"
            )


def _check_templates(post_processor: dict[str, Any]) -> None:
    """Refuse a template with a token that it does not declare: the library panics on its use."""
    for template in (post_processor, *post_processor.get("processors", [])):
        pieces = [*template.get("single", []), *template.get("pair", [])]
        named = {piece["SpecialToken"]["id"] for piece in pieces if "SpecialToken" in piece}
        for token in sorted(named - set(template.get("special_tokens", ()))):
            raise ValueError(f"post_processor.special_tokens has no {token!r}: add it")
