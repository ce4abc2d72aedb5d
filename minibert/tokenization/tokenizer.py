"""The tokenizer: text in, the integers that BERT reads out, and back again (chapter 2).

The work is done by the `tokenizers` library (`wordpiece.py` has the same algorithms in plain
Python, for reading). This module fixes what makes it BERT's: the cleaning of the text, every
Chinese character a word of its own (claim A11), `[CLS] A [SEP] B [SEP]` with segment ids 0 and 1
(claim A9), and rows padded, cut or split into overlapping windows (claims B15, D5).
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from tokenizers import Encoding
from tokenizers import Tokenizer as Backend

from minibert.tokenization.checks import (
    Text,
    check_rows_fit,
    check_windows_move,
    checked_batch,
    checked_length,
    checked_side,
    checked_strategy,
    checked_texts,
    pad_rows,
    padded_width,
    why_unreadable,
)
from minibert.tokenization.files import (
    DEFAULT_LIMIT,
    FILES,
    SPECIAL_TOKENS,
    bert_backend,
    check_special_tokens,
    read_folder,
    write_folder,
)
from minibert.tokenization.vocabulary import train_vocabulary
from minibert.weights.names import resolve

# What `Tokenizer.__call__` can add to a batch: how it comes out of a row, and what padding gets.
_EXTRA: dict[str, tuple[Callable[[Encoding], list[Any]], int]] = {
    "offset_mapping": (lambda row: row.offsets, 0),
    "special_tokens_mask": (lambda row: row.special_tokens_mask, 1),
    "word_ids": (lambda row: [-1 if word is None else word for word in row.word_ids], -1),
}


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
        check_special_tokens(backend, name)
        # A tokenizer.json may pad or cut by itself (minilm's does, to 128): only `__call__` may.
        backend.no_padding()
        backend.no_truncation()
        backend.add_special_tokens(list(SPECIAL_TOKENS))
        vocab = backend.get_vocab()
        ids = [vocab[token] for token in SPECIAL_TOKENS]
        self.pad_token_id, self.unk_token_id, self.cls_token_id = ids[:3]
        self.sep_token_id, self.mask_token_id = ids[3:]
        self.special_ids = frozenset(ids)
        self.backend = backend
        self.name = name
        self.model_max_length = model_max_length or DEFAULT_LIMIT
        self._vocab: dict[str, int] = {}  # in the order of the ids, once it is asked for

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
        and as `##x` where it is seen inside a word), then subword tokens in the order of the
        merges. The library merges the most frequent pair, as BPE does (claim C3; `wordpiece.py`).

        Args:
            texts: sentences or documents, in memory or (what can be iterated twice) not.
            vocab_size: entries at most; fewer when no pair is left.
            lowercase: make capitals small and drop accents, in training and ever after.
            min_frequency: a pair seen less often is not merged.
            limit_alphabet: keep only so many characters, the most frequent.

        Raises:
            ValueError: if `vocab_size` cannot hold the special tokens and the characters.
        """
        if isinstance(texts, Iterator | Sequence):
            texts = list(texts) if isinstance(texts, Iterator) else texts
            texts = checked_texts(texts, allow_empty=True)
        vocab = train_vocabulary(texts, vocab_size, lowercase, min_frequency, limit_alphabet)
        return cls.from_vocab(vocab, lowercase)

    @classmethod
    def from_pretrained(cls, name_or_path: str | Path) -> "Tokenizer":
        """Load from a local folder, a registered or shipped name, or a Hugging Face hub id.

        `tokenizer.json` is read if it is there, `vocab.txt` otherwise; `tokenizer_config.json`
        says whether capitals count (`do_lower_case`) and how long a row may be.

        Raises:
            FileNotFoundError: if there is no such folder or name, or no tokenizer file in it.
            ValueError: if a file in it cannot be read or a special token is missing.
        """
        folder = resolve(name_or_path, FILES)
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
        """Entry to id, in the order of the ids: a copy, the caller's own."""
        if len(self._vocab) != len(self):  # not asked for yet, or the backend has got new entries
            entries = self.backend.get_vocab().items()
            self._vocab = dict(sorted(entries, key=lambda item: item[1]))
        return dict(self._vocab)

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
        """Text of a row of ids: subword tokens joined, spaces before full stops removed."""
        return self.backend.decode(_plain(ids), skip_special_tokens=skip_special_tokens)

    def tokenize(self, text: str) -> list[str]:
        """The tokens of a text, without `[CLS]` and `[SEP]`."""
        checked_texts([text], allow_empty=True)
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
        special_tokens: bool = True,
    ) -> list[Encoding]:
        """Encode many texts at once, on all cores, into the library's `Encoding`s, unpadded.

        Each has `.ids`, `.type_ids`, `.tokens`, `.special_tokens_mask`, `.offsets`, `.word_ids`
        and, with `stride`, the further windows in `.overflowing`. The arguments are those of
        `__call__`, and `add_special_tokens`: False leaves `[CLS]` and `[SEP]` out, and then no
        length is refused: the caller will put such parts together to rows. With
        `special_tokens=False` a `[SEP]` that somebody has written in a text is that text.
        """
        batch = checked_batch(texts, pairs, is_split_into_words)
        paired = pairs is not None
        if truncation is None:
            # A question and its passage: the windows slide over the passage.
            truncation = "only_second" if stride is not None and paired else max_length is not None
            truncation = truncation or stride is not None
        elif truncation is False and stride is not None:
            raise ValueError("stride splits what is too long: pass it without truncation=False")
        frame = (2 + paired) if add_special_tokens else 0
        length = checked_length(max_length, self.model_max_length, frame, self.name)
        self.backend.encode_special_tokens = not special_tokens  # "encode" as any other text
        try:
            if truncation:
                strategy = checked_strategy(truncation, paired, stride)
                if stride is not None:
                    room = length - frame
                    rooms = self._rooms(batch, strategy, room, paired, is_split_into_words)
                    check_windows_move(rooms, stride, length)
                side = checked_side(truncation_side)
                self.backend.enable_truncation(
                    length, stride=stride or 0, strategy=strategy, direction=side
                )
            # Not encode_batch_fast: its second and further windows have wrong segment ids.
            encodings = self.backend.encode_batch(
                batch, is_pretokenized=is_split_into_words, add_special_tokens=add_special_tokens
            )
        except TypeError:
            raise ValueError(why_unreadable(batch)) from None
        except Exception as error:
            if "Truncation error" not in str(error):
                raise
            raise ValueError(
                f"truncation={truncation!r} cannot bring every pair down to {length} tokens, the "
                "other text is too long by itself: pass truncation=True or a longer max_length"
            ) from None
        finally:
            self.backend.no_truncation()
            self.backend.encode_special_tokens = False
        if not truncation and add_special_tokens:
            reader = "max_length is" if max_length else f"{self.name} reads at most"
            check_rows_fit([len(row) for row in encodings], length, reader)
        return encodings

    def encode(
        self, text: Text, text_pair: Text | None = None, **options: Any
    ) -> dict[str, list[Any]]:
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
        is_split_into_words: bool = False,
        extra: Sequence[str] = (),
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
            is_split_into_words: the texts are lists of words.
            extra: what else to return: "offset_mapping" (B, T, 2), the characters of each token;
                "special_tokens_mask" (B, T), 1 also at padding; "word_ids" (B, T), which word each
                token comes from, -1 for none.

        Returns:
            int64 tensors (B, T): `input_ids`, `token_type_ids`, `attention_mask`, and those asked
            for; with `stride` also `overflow_to_sample_mapping` (B,): the text of each window.

        Raises:
            ValueError: if a text is empty, no string, or too long; the message says what to do.
        """
        single = isinstance(texts, str)
        if is_split_into_words and isinstance(texts, Sequence) and len(texts):
            single = isinstance(texts[0], str)
        # A list of words has the type of a list of texts: only `single` tells them apart.
        rows = self.encode_batch(
            [texts] if single else texts,  # type: ignore[list-item]
            [pairs] if single and pairs is not None else pairs,  # type: ignore[list-item]
            truncation=truncation,
            max_length=max_length,
            truncation_side=truncation_side,
            stride=stride,
            is_split_into_words=is_split_into_words,
        )
        if not rows:
            raise ValueError("no texts to encode: pass at least one")
        samples = list(range(len(rows)))
        if stride is not None:
            windows = [(i, w) for i, row in enumerate(rows) for w in (row, *row.overflowing)]
            samples, rows = [i for i, _ in windows], [window for _, window in windows]
        longest = max_length or self.model_max_length
        width = padded_width([len(row) for row in rows], padding, longest)
        side = checked_side(padding_side)

        def column(values: list[list[Any]], filler: int) -> torch.Tensor:
            return torch.from_numpy(pad_rows(values, width, filler, side))

        batch = {
            "input_ids": column([row.ids for row in rows], self.pad_token_id),
            "token_type_ids": column([row.type_ids for row in rows], 0),
            "attention_mask": column([[1] * len(row) for row in rows], 0),
        }
        for name in extra:
            if name not in _EXTRA:
                raise ValueError(f"extra {name!r} is unknown: choose from {', '.join(_EXTRA)}")
            values, filler = _EXTRA[name]
            batch[name] = column([values(row) for row in rows], filler)
        if stride is not None:
            batch["overflow_to_sample_mapping"] = torch.tensor(samples)
        return batch

    def _rooms(
        self, batch: list[Any], strategy: str, length: int, paired: bool, split: bool
    ) -> list[int]:
        """How many tokens each row has for the text that is split, beside its fixed other text."""
        if not paired:
            return [length]
        fixed = [pair[0] if strategy == "only_second" else pair[1] for pair in batch]
        encodings = self.backend.encode_batch(
            fixed, is_pretokenized=split, add_special_tokens=False
        )
        return [length - len(encoding) for encoding in encodings]


def _plain(ids: Sequence[int] | torch.Tensor) -> list[int]:
    return ids.tolist() if isinstance(ids, torch.Tensor) else list(ids)
