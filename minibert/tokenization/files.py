"""Tokenizer folders in Hugging Face's layout: reading and writing them.

A folder holds `tokenizer.json` (everything, in the library's own form) or only `vocab.txt` (one
entry a line, the line number is the id), and mostly `tokenizer_config.json` beside it.
"""

import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, TypedDict

from tokenizers import Tokenizer as Backend
from tokenizers import decoders, models, normalizers, pre_tokenizers, processors

from minibert.data.lines import numbered_lines
from minibert.data.strict_json import dump_json
from minibert.tokenization.tokenizer_json import read_backend
from minibert.weights.typed_json import Within, named_file, read_typed

SPECIAL_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
DEFAULT_LIMIT = 512  # positions of every BERT that Google published (claim B15)
FILES = ("tokenizer.json", "vocab.txt", "tokenizer_config.json", "config.json")


class _SettingsFile(TypedDict, total=False):
    """What is read of a tokenizer_config.json."""

    model_max_length: Annotated[float, Within(4)] | None  # [CLS] and two [SEP], and room for one
    do_lower_case: bool
    strip_accents: bool | None
    tokenize_chinese_chars: bool


class _ModelSettingsFile(TypedDict, total=False):
    """What a tokenizer reads of its model's config.json."""

    vocab_size: int
    max_position_embeddings: Annotated[int, Within(4, 2**17)] | None


def bert_backend(vocab: dict[str, int], lowercase: bool) -> Backend:
    """BERT's pipeline around a vocabulary: clean, cut at spaces and punctuation, WordPiece, frame.

    The normalizer sets spaces around every Chinese character (claim A11). `lowercase` also drops
    accents, as in BERT "uncased".
    """
    backend = Backend(models.WordPiece(vocab, unk_token="[UNK]"))
    backend.normalizer = normalizers.BertNormalizer(lowercase=lowercase)
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    backend.decoder = decoders.WordPiece(prefix="##")
    if "[CLS]" in vocab and "[SEP]" in vocab:  # if not, `Tokenizer` says what is missing
        frame_with_special_tokens(backend)
    return backend


def frame_with_special_tokens(backend: Backend) -> None:
    """Set `[CLS] A [SEP]` (segment 0) and `B [SEP]` (segment 1) around every text."""
    backend.post_processor = processors.TemplateProcessing(
        single="[CLS]:0 $A:0 [SEP]:0",
        pair="[CLS]:0 $A:0 [SEP]:0 $B:1 [SEP]:1",
        special_tokens=[(t, backend.token_to_id(t)) for t in ("[CLS]", "[SEP]")],
    )


def check_special_tokens(backend: Backend, name: str) -> None:
    """Refuse a vocabulary without one of the five special tokens; `name` is whose it is."""
    missing = [token for token in SPECIAL_TOKENS if backend.token_to_id(token) is None]
    if missing:
        raise ValueError(
            f"the vocabulary of {name} has no {' '.join(missing)}: add to it, one entry each"
        )


def _check_frame(backend: Backend) -> None:
    """Refuse a post-processor that does not make `[CLS] A [SEP] B [SEP]`, segments 0 and 1."""
    inside = backend.encode("a", add_special_tokens=False).ids
    first = [backend.token_to_id("[CLS]"), *inside, backend.token_to_id("[SEP]")]
    second = first[1:]
    for row, ids, types in (
        (backend.encode("a"), first, [0] * len(first)),
        (backend.encode("a", "a"), first + second, [0] * len(first) + [1] * len(second)),
    ):
        if (row.ids, row.type_ids) != (ids, types):
            raise ValueError(
                "post_processor does not make [CLS] A [SEP] B [SEP] with segments 0 and 1: "
                "save the tokenizer again"
            )


def read_folder(folder: Path) -> tuple[Backend, int]:
    """Open a tokenizer folder.

    Returns:
        the library's tokenizer; the most positions its model reads.

    Raises:
        FileNotFoundError: if neither tokenizer.json nor vocab.txt is there.
        ValueError: if a file is not what its name says, or the vocabulary is larger than the model.
    """
    settings = _read_if_there(folder / "tokenizer_config.json", _SettingsFile)
    if (path := folder / "tokenizer.json").is_file():
        backend = read_backend(path)
    elif (path := folder / "vocab.txt").is_file():
        vocab = _read_vocab(path)
        if "do_lower_case" not in settings:
            warn_of_capitals(vocab, path)
        backend = bert_backend(vocab, lowercase=True)
    else:
        raise FileNotFoundError(
            f"{folder} has neither tokenizer.json nor vocab.txt: put one of them there"
        )
    _apply(settings, backend)
    check_special_tokens(backend, str(path))
    if backend.post_processor is None:
        frame_with_special_tokens(backend)
    with named_file(path):
        _check_frame(backend)
    config = _read_if_there(folder / "config.json", _ModelSettingsFile)
    size = max(backend.get_vocab().values()) + 1
    if size > (rows := config.get("vocab_size", size)):
        raise ValueError(
            f"{folder}: the vocabulary has {size} entries, but the model of config.json knows "
            f"{rows} (vocab_size): put the tokenizer there that the model was trained with"
        )
    # Old exports write 1e30 for "no limit"; then what the model's own config says counts.
    limits = (settings.get("model_max_length"), config.get("max_position_embeddings"))
    known = [int(limit) for limit in limits if limit and limit < 1e9]
    return backend, min(known, default=DEFAULT_LIMIT)


def write_folder(folder: Path, backend: Backend, lowercase: bool, model_max_length: int) -> None:
    """Write the four files that Hugging Face's `BertTokenizerFast` opens."""
    folder.mkdir(parents=True, exist_ok=True)
    names = [f"{token.strip('[]').lower()}_token" for token in SPECIAL_TOKENS]
    special = dict(zip(names, SPECIAL_TOKENS, strict=True))
    normalizer = backend.normalizer
    settings = {
        "tokenizer_class": "BertTokenizer",
        "do_lower_case": lowercase,
        "strip_accents": getattr(normalizer, "strip_accents", None),
        "tokenize_chinese_chars": getattr(normalizer, "handle_chinese_chars", True),
        "model_max_length": model_max_length,
        **special,
    }
    vocab = backend.get_vocab()
    (folder / "tokenizer.json").write_text(backend.to_str(), encoding="utf-8")
    lines = "".join(f"{token}\n" for token in sorted(vocab, key=vocab.__getitem__))
    (folder / "vocab.txt").write_text(lines, encoding="utf-8", newline="\n")
    for stem, content in (("tokenizer_config", settings), ("special_tokens_map", special)):
        text = dump_json(content, indent=2) + "\n"
        (folder / f"{stem}.json").write_text(text, encoding="utf-8")


def _read_vocab(path: Path) -> dict[str, int]:
    # Not str.splitlines: an entry may be a character that it takes for a line's end (U+0085 ...).
    return {line: number - 1 for number, line in numbered_lines(path)}


def warn_of_capitals(vocab: Iterable[str], name: object) -> None:
    """Warn where a vocabulary has entries that no text can become once capitals are made small."""
    lost = [entry for entry in vocab if entry != entry.lower() and not entry.startswith("[")]
    if lost:
        warnings.warn(
            f"{name} has {len(lost)} entries with capitals, such as {lost[0]!r}, but nothing says "
            "that capitals count, so they are made small: with a cased model, write "
            '{"do_lower_case": false} into tokenizer_config.json',
            stacklevel=2,
        )


def _read_if_there(path: Path, kind: type) -> dict[str, Any]:
    return read_typed(path, kind) if path.is_file() else {}


def _apply(settings: dict[str, Any], backend: Backend) -> None:
    """Let tokenizer_config.json overrule the normalizer, as `BertTokenizerFast` does."""
    normalizer = backend.normalizer
    if isinstance(normalizer, normalizers.BertNormalizer):
        backend.normalizer = normalizers.BertNormalizer(
            clean_text=normalizer.clean_text,
            lowercase=settings.get("do_lower_case", normalizer.lowercase),
            strip_accents=settings.get("strip_accents", normalizer.strip_accents),
            handle_chinese_chars=settings.get(
                "tokenize_chinese_chars", normalizer.handle_chinese_chars
            ),
        )
