"""Tokenizer folders in Hugging Face's layout: reading and writing them.

A folder holds `tokenizer.json` (everything, in the library's own form) or only `vocab.txt` (one
entry a line, the line number is the id), and mostly `tokenizer_config.json` beside it.
"""

import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer as Backend
from tokenizers import decoders, models, normalizers, pre_tokenizers, processors

from minibert.data.lines import numbered_lines
from minibert.data.strict_json import dump_json, parse_json

SPECIAL_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
DEFAULT_LIMIT = 512  # positions of every BERT that Google published (claim B15)
FILES = ("tokenizer.json", "vocab.txt", "tokenizer_config.json", "config.json")


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


def read_folder(folder: Path) -> tuple[Backend, int]:
    """Open a tokenizer folder.

    Returns:
        the library's tokenizer; the most positions its model reads.

    Raises:
        FileNotFoundError: if neither tokenizer.json nor vocab.txt is there.
        ValueError: if a file is not what its name says, or the vocabulary is larger than the model.
    """
    settings = _read_json(folder / "tokenizer_config.json")
    if (folder / "tokenizer.json").is_file():
        try:
            backend = Backend.from_file(str(folder / "tokenizer.json"))
        except Exception as error:  # the library raises plain Exception
            raise ValueError(
                f"{folder / 'tokenizer.json'} cannot be read ({error}): save the tokenizer again"
            ) from None
        if backend.post_processor is None and backend.token_to_id("[CLS]") is not None:
            frame_with_special_tokens(backend)
    elif (folder / "vocab.txt").is_file():
        vocab = _read_vocab(folder / "vocab.txt")
        if "do_lower_case" not in settings:
            warn_of_capitals(vocab, folder / "vocab.txt")
        backend = bert_backend(vocab, lowercase=True)
    else:
        raise FileNotFoundError(
            f"{folder} has neither tokenizer.json nor vocab.txt: put one of them there"
        )
    _apply(settings, backend)
    config = _read_json(folder / "config.json")
    size, rows = max(backend.get_vocab().values(), default=-1) + 1, config.get("vocab_size")
    if isinstance(rows, int) and size > rows:
        raise ValueError(
            f"{folder}: the vocabulary has {size} entries, but the model of config.json knows "
            f"{rows} (vocab_size): put the tokenizer there that the model was trained with"
        )
    # Old exports write 1e30 for "no limit"; then what the model's own config says counts.
    limits = (
        settings.get("model_max_length"),
        config.get("max_position_embeddings"),
    )
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


def _read_json(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        content = parse_json(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is not JSON ({error}): repair or remove it") from None
    return content if isinstance(content, dict) else {}


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
