"""Cut a font down to the characters that are used."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path

from fontTools import subset
from fontTools.ttLib import TTFont


def cut_font(
    source: Path, target: Path, characters: Iterable[int], features: Iterable[str] = ()
) -> None:
    """Write a part of a font, with its names and its licence; `.woff` is compressed."""
    logging.getLogger("fontTools").setLevel(logging.ERROR)
    options = subset.Options(
        layout_features=list(features), hinting=False, notdef_outline=True, name_IDs=["*"]
    )
    cut = subset.Subsetter(options)
    cut.populate(unicodes=characters)
    partial = target.with_suffix(".part")
    with TTFont(source) as font:
        cut.subset(font)
        font.flavor = "woff" if target.suffix == ".woff" else None
        font.save(partial)
    partial.replace(target)
