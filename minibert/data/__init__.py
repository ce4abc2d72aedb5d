"""Texts: what an example is, how a user's files become examples, what is fetched, and the splits.

Read `examples` first, then a reader for each form a file has, all of them over `lines`: `tables`
(CSV, TSV, JSON lines; with `labels`), `conll` (with `tags`), `squad`, `plain_text` (with
`sentences`). `datasets` opens any of them by name, path or hub id (`hub`), `corpora` does so for
plain text, and `splits` divides what comes undivided (`stratified`: with every label on both sides;
`duplicates`: what stands twice); `unlabelled` reads texts to predict, none of them lost. Names are
in the `catalog`, which whoever has data sets fills from outside. `download` fetches and checks what
the `registry` lists; `strict_json` is for everybody's JSON.

May import: no other room.
"""
