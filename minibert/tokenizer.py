"""The tokenizer: text in, the integers that BERT reads out, and the way back (chapter 2).

The work is done by the `tokenizers` library (`wordpiece.py` has the same algorithms in plain
Python, for reading). This module fixes what makes it BERT's: the cleaning of the text, every
Chinese character a word of its own (claim A11), `[CLS] A [SEP] B [SEP]` with segment ids 0 and 1
(claim A9), and rows padded, cut or split into overlapping windows (claims B15, D5).
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers import Encoding, trainers
from tokenizers import Tokenizer as Backend

from minibert.tokenizer_files import (
    DEFAULT_LIMIT,
    SPECIAL_TOKENS,
    bert_backend,
    read_folder,
    resolve_folder,
    write_folder,
)

STRATEGIES = {
    True: "longest_first",
    "longest_first": "longest_first",
    "only_first": "only_first",
    "only_second": "only_second",
}
Text = str | Sequence[str]  # a text, or (is_split_into_words) its words


class Tokenizer:
    """BERT's WordPiece tokenizer: `train`, `from_vocab` or `from_pretrained` make one.

    Attributes:
        backend: the `tokenizers.Tokenizer` that does the work.
        name: what messages call it.
        model_max_length: the longest row, special tokens included, that the model can read.
        lowercase: whether capitals and accents are removed.
    """

    def __init__(
        self, backend: Backend, *, name: str = "this tokenizer", model_max_length: int | None = None
    ):
        missing = [token for token in SPECIAL_TOKENS if backend.token_to_id(token) is None]
        if missing:
            raise ValueError(
                f"the vocabulary of {name} has no {' '.join(missing)}: add {SPECIAL_TOKENS} to it"
            )
        # A tokenizer.json may pad or cut by itself (minilm's does, to 128): only `__call__` may.
        backend.no_padding()
        backend.no_truncation()
        backend.add_special_tokens(list(SPECIAL_TOKENS))
        ids = [backend.token_to_id(token) for token in SPECIAL_TOKENS]
        self.pad_token_id, self.unk_token_id, self.cls_token_id = ids[:3]
        self.sep_token_id, self.mask_token_id = ids[3:]
        self.special_ids = frozenset(ids)
        self.backend = backend
        self.name = name
        self.model_max_length = model_max_length or DEFAULT_LIMIT

    # ---------------------------------------------------------------- making and keeping one

    @classmethod
    def from_vocab(
        cls, vocab: Sequence[str], lowercase: bool = True, *, name: str = "this tokenizer"
    ) -> "Tokenizer":
        """Build BERT's tokenizer around a vocabulary: the entry at index i gets id i.

        Raises:
            ValueError: if an entry stands twice or one of the five special tokens is missing.
        """
        twice = [token for token, count in Counter(vocab).items() if count > 1]
        if twice:
            raise ValueError(f"the vocabulary has {twice[0]!r} twice: every entry must be unique")
        return cls(bert_backend({token: i for i, token in enumerate(vocab)}, lowercase), name=name)

    @classmethod
    def train(
        cls,
        texts: Iterable[str],
        vocab_size: int,
        lowercase: bool = True,
        min_frequency: int = 2,
        limit_alphabet: int | None = None,
    ) -> "Tokenizer":
        """Learn a vocabulary from texts; the same texts give the same vocabulary, always.

        The five special tokens come first (ids 0 to 4), then every character of the texts (alone
        and as `##x` where it is seen inside a word), then pieces in the order of the merges. The
        library merges the most frequent pair, as BPE does (claim C3; `wordpiece.py`).

        Args:
            texts: sentences or documents.
            vocab_size: entries at most; fewer when no pair is left.
            lowercase: make capitals small and drop accents, in training and ever after.
            min_frequency: a pair seen less often is not merged.
            limit_alphabet: keep only so many characters, the most frequent.

        Raises:
            ValueError: if `vocab_size` cannot hold the special tokens and the characters.
        """
        texts = _checked(texts if isinstance(texts, list) else list(texts), allow_empty=True)
        backend = bert_backend({token: i for i, token in enumerate(SPECIAL_TOKENS)}, lowercase)
        alphabet = _alphabet(backend, texts, limit_alphabet)
        if not alphabet:
            raise ValueError("no text to train a tokenizer on: every text is empty")
        if vocab_size < len(SPECIAL_TOKENS) + len(alphabet):
            raise ValueError(
                f"vocab_size={vocab_size} cannot hold {len(SPECIAL_TOKENS)} special tokens and "
                f"{len(alphabet)} characters: pass at least {len(SPECIAL_TOKENS) + len(alphabet)}, "
                "or limit_alphabet"
            )
        # Left alone, the trainer numbers the ##x in the order of a randomly seeded hash table,
        # and ties between merges follow the numbers. Naming them as "special" fixes both.
        trainer = trainers.WordPieceTrainer(
            vocab_size=vocab_size,
            min_frequency=min_frequency,
            special_tokens=[*SPECIAL_TOKENS, *alphabet],
            limit_alphabet=len(alphabet),
            show_progress=False,
        )
        backend.train_from_iterator(texts, trainer, length=len(texts))
        learned = backend.get_vocab()
        return cls.from_vocab(sorted(learned, key=learned.__getitem__)[:vocab_size], lowercase)

    @classmethod
    def from_pretrained(cls, name_or_path: str | Path) -> "Tokenizer":
        """Load from a local folder, a registered or shipped name, or a Hugging Face hub id.

        `tokenizer.json` is read if it is there, `vocab.txt` otherwise; `tokenizer_config.json`
        says whether capitals count (`do_lower_case`) and how long a row may be.

        Raises:
            FileNotFoundError: if there is no such folder or name, or no tokenizer file in it.
            ValueError: if a file in it cannot be read or a special token is missing.
        """
        folder = resolve_folder(name_or_path)
        backend, limit = read_folder(folder)
        return cls(backend, name=Path(name_or_path).name, model_max_length=limit)

    def save_pretrained(self, folder: str | Path) -> None:
        """Write tokenizer.json, vocab.txt, tokenizer_config.json and special_tokens_map.json.

        Hugging Face's `BertTokenizerFast` opens the folder and gives the same ids.
        """
        write_folder(Path(folder), self.backend, self.lowercase, self.model_max_length)

    # ---------------------------------------------------------------- the vocabulary

    def __len__(self) -> int:
        return self.backend.get_vocab_size()

    @property
    def vocab_size(self) -> int:
        """Number of entries, special tokens included."""
        return len(self)

    @property
    def vocab(self) -> dict[str, int]:
        """Entry to id, in the order of the ids."""
        return dict(sorted(self.backend.get_vocab().items(), key=lambda item: item[1]))

    @property
    def lowercase(self) -> bool:
        """Whether capitals are made small before anything else."""
        return bool(getattr(self.backend.normalizer, "lowercase", False))

    def convert_tokens_to_ids(self, tokens: Sequence[str]) -> list[int]:
        """The id of each token; `[UNK]`'s for a token that is no entry."""
        found = [self.backend.token_to_id(token) for token in tokens]
        return [self.unk_token_id if i is None else i for i in found]

    def convert_ids_to_tokens(self, ids: Sequence[int] | torch.Tensor) -> list[str]:
        """The entry of each id.

        Raises:
            ValueError: if an id is not in the vocabulary.
        """
        tokens = []
        for i in _plain(ids):
            token = self.backend.id_to_token(i) if i >= 0 else None
            if token is None:
                raise ValueError(f"id {i} is not in the vocabulary: pass 0 to {len(self) - 1}")
            tokens.append(token)
        return tokens

    def decode(self, ids: Sequence[int] | torch.Tensor, skip_special_tokens: bool = True) -> str:
        """Text of a row of ids: pieces joined, spaces before full stops removed."""
        return self.backend.decode(_plain(ids), skip_special_tokens=skip_special_tokens)

    def tokenize(self, text: str) -> list[str]:
        """The tokens of a text, without `[CLS]` and `[SEP]`."""
        _checked([text], allow_empty=True)
        return self.backend.encode(text, add_special_tokens=False).tokens

    # ---------------------------------------------------------------- text to ids

    def encode_batch(
        self,
        texts: Sequence[Text],
        pairs: Sequence[Text] | None = None,
        *,
        truncation: bool | str | None = None,
        max_length: int | None = None,
        truncation_side: str = "right",
        stride: int | None = None,
        is_split_into_words: bool = False,
        add_special_tokens: bool = True,
    ) -> list[Encoding]:
        """Encode many texts at once, on all cores, into the library's `Encoding`s, unpadded.

        Each has `.ids`, `.type_ids`, `.tokens`, `.special_tokens_mask`, `.offsets`, `.word_ids`
        and, with `stride`, the further windows in `.overflowing`. The arguments are those of
        `__call__`, and `add_special_tokens`: False leaves `[CLS]` and `[SEP]` out, and then no
        length is refused, for the caller will put such pieces together to rows.
        """
        batch = _as_input(texts, pairs, is_split_into_words)
        frame = (2 if pairs is None else 3) if add_special_tokens else 0
        cut = truncation if truncation is not None else (max_length or stride) is not None
        if cut and stride is not None and pairs is not None and truncation is None:
            cut = "only_second"  # a question and its passage: the windows slide over the passage
        if cut:
            room = self._checked_length(max_length, frame)
            strategy = _checked_strategy(cut, pairs is not None, stride)
            if stride is not None:
                self._check_stride(batch, strategy, room, stride, pairs is not None, frame)
            self.backend.enable_truncation(
                room,
                stride=stride or 0,
                strategy=strategy,
                direction=_checked_side(truncation_side),
            )
        try:
            # Not encode_batch_fast: its second and further windows have wrong segment ids.
            encodings = self.backend.encode_batch(
                batch, is_pretokenized=is_split_into_words, add_special_tokens=add_special_tokens
            )
        except TypeError:
            raise ValueError(_unreadable(batch)) from None
        except Exception as error:
            if "Truncation error" not in str(error):
                raise
            raise ValueError(
                f"{strategy} cannot bring every pair down to {room} tokens, the other text is too "
                "long by itself: pass truncation='longest_first' or a longer max_length"
            ) from None
        finally:
            self.backend.no_truncation()
        if not cut and add_special_tokens:
            self._check_lengths(encodings, max_length)
        return encodings

    def encode(self, text: Text, text_pair: Text | None = None, **options: Any) -> dict[str, list]:
        """One text (or pair) as plain lists, unpadded; options as in `encode_batch`.

        Returns:
            `tokens`, `input_ids`, `token_type_ids`, `attention_mask`, `special_tokens_mask`,
            `offset_mapping` (first and one-past-last character of each token) and `word_ids`.
        """
        (row,) = self.encode_batch([text], None if text_pair is None else [text_pair], **options)
        return {
            "tokens": row.tokens,
            "input_ids": row.ids,
            "token_type_ids": row.type_ids,
            "attention_mask": row.attention_mask,
            "special_tokens_mask": row.special_tokens_mask,
            "offset_mapping": row.offsets,
            "word_ids": row.word_ids,
        }

    def __call__(
        self,
        texts: Text | Sequence[Text],
        pairs: Text | Sequence[Text] | None = None,
        *,
        padding: bool | str = False,
        truncation: bool | str | None = None,
        max_length: int | None = None,
        padding_side: str = "right",
        truncation_side: str = "right",
        stride: int | None = None,
        return_offsets: bool = False,
        return_special_tokens_mask: bool = False,
        return_word_ids: bool = False,
        is_split_into_words: bool = False,
    ) -> dict[str, torch.Tensor]:
        """Encode a text, or a batch, into the tensors that a model takes.

        Args:
            texts: one text or B texts; with `is_split_into_words` one list of words or B lists.
            pairs: as many second texts (segment 1).
            padding: False (rows must then be equally long), True (to the longest row) or
                "max_length" (to `max_length`, or to the model's limit).
            truncation: True or "longest_first" (of a pair, cut the longer text), "only_first",
                "only_second", or False. By default a row is cut only where `max_length` is given,
                and one that the model cannot read is an error: nothing is lost in silence.
            max_length: tokens in a row, special tokens included; the model's limit by default.
            padding_side: "right" or "left".
            truncation_side: "right" or "left", where tokens are cut off.
            stride: split what is too long into windows that share `stride` tokens (claim D5). Of a
                pair the second text is split, or the one that `truncation` names.
            return_offsets: add `offset_mapping` (B, T, 2): the characters of each token.
            return_special_tokens_mask: add `special_tokens_mask` (B, T), 1 also at padding.
            return_word_ids: add `word_ids` (B, T): which word each token comes from, -1 for none.
            is_split_into_words: the texts are lists of words.

        Returns:
            int64 tensors (B, T): `input_ids`, `token_type_ids`, `attention_mask`, and those asked
            for; with `stride` also `overflow_to_sample_mapping` (B,): the text of each window.

        Raises:
            ValueError: if a text is empty, no string, or too long; the message says what to do.
        """
        single = isinstance(texts, str)
        if is_split_into_words and not single and len(texts) and isinstance(texts[0], str):
            single = True
        encodings = self.encode_batch(
            [texts] if single else texts,  # type: ignore[list-item, arg-type]
            [pairs] if single and pairs is not None else pairs,  # type: ignore[list-item, arg-type]
            truncation=truncation,
            max_length=max_length,
            truncation_side=truncation_side,
            stride=stride,
            is_split_into_words=is_split_into_words,
        )
        if not encodings:
            raise ValueError("no texts to encode: pass at least one")
        samples = list(range(len(encodings)))
        if stride is not None:
            windows = [(i, w) for i, row in enumerate(encodings) for w in (row, *row.overflowing)]
            samples, encodings = [i for i, _ in windows], [window for _, window in windows]
        width = self._width([len(e) for e in encodings], padding, max_length)

        def column(rows: list[list[Any]], filler: int) -> torch.Tensor:
            return torch.from_numpy(_pad_rows(rows, width, filler, _checked_side(padding_side)))

        batch = {
            "input_ids": column([e.ids for e in encodings], self.pad_token_id),
            "token_type_ids": column([e.type_ids for e in encodings], 0),
            "attention_mask": column([[1] * len(e) for e in encodings], 0),
        }
        if return_offsets:
            batch["offset_mapping"] = column([e.offsets for e in encodings], 0)
        if return_special_tokens_mask:
            batch["special_tokens_mask"] = column([e.special_tokens_mask for e in encodings], 1)
        if return_word_ids:
            words = [[-1 if w is None else w for w in e.word_ids] for e in encodings]
            batch["word_ids"] = column(words, -1)
        if stride is not None:
            batch["overflow_to_sample_mapping"] = torch.tensor(samples)
        return batch

    def _check_lengths(self, encodings: Sequence[Encoding], max_length: int | None) -> None:
        limit = min(max_length or self.model_max_length, self.model_max_length)
        for i, encoding in enumerate(encodings):
            if len(encoding) > limit:
                where = f"text {i}: " if len(encodings) > 1 else ""
                raise ValueError(
                    f"{where}{len(encoding)} tokens, but {self._reader(limit)} {limit}: "
                    f"pass truncation=True or stride={max(1, limit // 4)} to split"
                )

    def _reader(self, limit: int) -> str:
        return f"{self.name} reads at most" if limit == self.model_max_length else "max_length is"

    def _checked_length(self, max_length: int | None, frame: int) -> int:
        """The length to cut to; the library itself goes silently wrong where it is too small."""
        room = self.model_max_length if max_length is None else max_length
        if room > self.model_max_length:
            raise ValueError(
                f"max_length={room}, but {self.name} reads at most {self.model_max_length}: "
                "pass a smaller one"
            )
        if room <= frame:
            raise ValueError(f"max_length={room} leaves no room beside {frame} special tokens")
        return room

    def _check_stride(
        self, batch: list[Any], strategy: str, room: int, stride: int, paired: bool, frame: int
    ) -> None:
        """Windows must move on: each has to hold more tokens than it shares with the last."""
        fixed = [0]
        if paired:  # the text that is not split stands in every window
            rest = [pair[0] if strategy == "only_second" else pair[1] for pair in batch]
            split = not isinstance(rest[0], str)
            rows = self.backend.encode_batch_fast(
                rest, is_pretokenized=split, add_special_tokens=False
            )
            fixed = [len(row) for row in rows]
        for i, length in enumerate(fixed):
            if stride < 0 or room - frame - length <= stride:
                raise ValueError(
                    f"text {i}: a window of {room} tokens has {max(0, room - frame - length)} left "
                    f"for the text, which must be more than stride={stride}: "
                    "pass a smaller stride or a longer max_length"
                )

    def _width(self, lengths: list[int], padding: bool | str, max_length: int | None) -> int:
        if padding == "max_length":
            return max_length or self.model_max_length
        if padding in (True, "longest"):
            return max(lengths)
        if padding is not False:
            raise ValueError(f"padding={padding!r}: pass True, False or 'max_length'")
        if min(lengths) != max(lengths):
            raise ValueError(
                f"rows of {min(lengths)} to {max(lengths)} tokens make no tensor: pass padding=True"
            )
        return lengths[0]


def _alphabet(backend: Backend, texts: list[str], limit: int | None) -> list[str]:
    """The characters of the texts as they stand in words, `x` and `##x`, in a fixed order.

    With a limit, the most frequent characters (by the number of places, ties by code point).
    """
    words: Counter[str] = Counter()
    for text in texts:
        clean = backend.normalizer.normalize_str(text)
        words.update(word for word, _ in backend.pre_tokenizer.pre_tokenize_str(clean))
    characters: Counter[str] = Counter()
    pieces = set()
    for word, count in words.items():
        for i, character in enumerate(word):
            characters[character] += count
            pieces.add(character if i == 0 else f"##{character}")
    ranked = sorted(characters, key=lambda c: (-characters[c], c))
    kept = set(ranked if limit is None else ranked[:limit])
    # An entry "x" must be there even if x is only seen inside words: a text may start with it.
    return sorted(kept) + sorted(p for p in pieces if p.startswith("##") and p[2:] in kept)


def _as_input(texts: Sequence[Text], pairs: Sequence[Text] | None, split: bool) -> list[Any]:
    """What the library takes: texts, or tuples of two, each checked."""
    first = _checked(texts, split)
    if pairs is None:
        return first
    second = _checked(pairs, split)
    if len(first) != len(second):
        raise ValueError(f"{len(first)} texts, but {len(second)} second texts: pass one for each")
    return list(zip(first, second, strict=True))


def _checked(texts: Sequence[Text], split: bool = False, allow_empty: bool = False) -> list[Any]:
    """The texts as a list.

    Raises:
        ValueError: naming the first that is empty or not of the right kind.
    """
    wanted = "a list of words" if split else "a string"
    if isinstance(texts, str) or not isinstance(texts, Sequence):
        raise ValueError(f"expected a list, each {wanted}, and found {type(texts).__name__}")
    for i, text in enumerate(texts):
        if split:
            fits = isinstance(text, Sequence) and not isinstance(text, str)
            fits = fits and all(isinstance(word, str) for word in text)
        else:
            fits = isinstance(text, str)
        if not fits:
            found = f"{type(text).__name__} {text!r:.40}"
            hint = " (words: pass is_split_into_words=True)" if isinstance(text, list) else ""
            raise ValueError(f"text {i} must be {wanted}, but is {found}{hint}")
        if not allow_empty and not (any(map(str.strip, text)) if split else text.strip()):
            raise ValueError(f"text {i} is empty: leave it out or give it at least one word")
    return list(texts)


def _checked_side(side: str) -> str:
    if side not in ("left", "right"):
        raise ValueError(f"side {side!r}: pass 'left' or 'right'")
    return side


def _checked_strategy(truncation: bool | str, paired: bool, stride: int | None) -> str:
    if truncation not in STRATEGIES:
        raise ValueError(f"truncation={truncation!r}: pass one of {[*STRATEGIES, False]}")
    strategy = STRATEGIES[truncation]
    if strategy == "only_second" and not paired:
        raise ValueError("truncation='only_second' without second texts: pass True")
    if paired and stride is not None and strategy == "longest_first":
        raise ValueError(
            "windows slide over one text of a pair: pass truncation='only_first' or 'only_second'"
        )
    return strategy


def _pad_rows(rows: list[list[Any]], width: int, filler: int, side: str) -> np.ndarray:
    """Rows of numbers (or of pairs of numbers) as one int64 array, filled up on one side."""
    depth = np.shape(rows[0])[1:]
    array = np.full((len(rows), width, *depth), filler, dtype=np.int64)
    for i, row in enumerate(rows):
        if row and side == "right":
            array[i, : len(row)] = row
        elif row:
            array[i, width - len(row) :] = row
    return array


def _plain(ids: Sequence[int] | torch.Tensor) -> list[int]:
    return ids.tolist() if isinstance(ids, torch.Tensor) else list(ids)


def _unreadable(batch: list[Any]) -> str:
    """Why the library refused: Python strings may hold half a surrogate pair, UTF-8 may not."""
    for i, item in enumerate(batch):
        for character in str(item) if isinstance(item, str) else "".join(map(str, _flat(item))):
            if "\ud800" <= character <= "\udfff":
                return (
                    f"text {i} holds half a character (U+{ord(character):04X}), which no file can "
                    "hold: read it again with errors='replace'"
                )
    return "the tokenizer cannot read these texts: pass strings"


def _flat(item: Any) -> list[str]:
    return [item] if isinstance(item, str) else [word for part in item for word in _flat(part)]
