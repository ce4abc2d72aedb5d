"""Make the font with which figures draw Chinese: a subset of Noto Sans CJK SC, under its licence.

    python book/make_font.py [NotoSansCJK-Regular.ttc]     (Debian's package fonts-noto-cjk has it)

It keeps every character of GB 2312's first level (3,755 common ones) and whatever else stands in
the course's pages, texts and exercises. Figures then look the same on every machine.
"""

from __future__ import annotations

import sys
from pathlib import Path

from fontTools import subset
from fontTools.ttLib import TTCollection

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "minibert" / "course" / "drawing" / "fonts" / "MinibertSansSC.otf"
SYSTEM = Path("/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc")
FAMILY = "Minibert Sans SC"
READ = ("book/*.md", "book/*.yml", "minibert/course/**/*.py", "minibert/course/**/*.tsv")


def first_level() -> set[str]:
    """The 3,755 most common characters, in GB 2312's order: rows 16 to 55."""
    cells = (bytes([row + 0xA0, cell + 0xA0]) for row in range(16, 56) for cell in range(1, 95))
    return {cell.decode("gb2312", errors="ignore") for cell in cells} - {""}


def wanted() -> set[str]:
    """Every character outside the text font that a figure of the course may draw."""
    files = [file for pattern in (*READ, "exercises/source/*.py") for file in ROOT.glob(pattern)]
    text = "".join(file.read_text(encoding="utf-8") for file in files)
    punctuation = "".join(map(chr, (*range(0x3000, 0x3020), *range(0xFF01, 0xFF5F))))
    return first_level() | {c for c in text + punctuation if ord(c) >= 0x2E80}


def main() -> int:
    """Write the subset."""
    source = Path(sys.argv[1]) if len(sys.argv) > 1 else SYSTEM
    fonts = TTCollection(source).fonts
    font = next(f for f in fonts if f["name"].getDebugName(1) == "Noto Sans CJK SC")
    options = subset.Options(layout_features=[], hinting=False, notdef_outline=True)
    options.name_IDs = ["*"]
    cut = subset.Subsetter(options)
    cut.populate(text="".join(wanted()))
    cut.subset(font)
    for record in list(
        font["name"].names
    ):  # the licence reserves no name, but ours is no Noto font
        if record.nameID in {1, 4, 16}:
            record.string = FAMILY
        elif record.nameID == 6:
            record.string = FAMILY.replace(" ", "")
        elif record.nameID not in {0, 2, 5, 13, 14}:
            font["name"].names.remove(record)
    TARGET.parent.mkdir(exist_ok=True)
    font.save(TARGET)
    print(f"{TARGET}: {len(wanted()):,} characters, {TARGET.stat().st_size / 1e6:.2f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
