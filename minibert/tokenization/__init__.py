"""From text to the integers that BERT reads, and back again.

Read `wordpiece` first: WordPiece and BPE in plain Python, for the eye. `tokenizer` is what the rest
of the package uses: `Tokenizer`, on the `tokenizers` library, which a test holds to the former.
`files` are its four files on disk, `tokenizer_json` reads the largest of them, `vocabulary` learns
one from texts, `checks` refuses what the library would crash on, `rows` brings many texts into rows
that fit, or into windows, and `covering` says which characters a token stands for.

May import: `weights.names`, which says what folder a name stands for, and `weights.typed_json`.
"""
