"""What a page loads, made lighter: used styles and icons only, images with their size, read late.

The theme is made for every site that there could be. After the build `lean` drops from its style
sheets what no page and no script names, and `cut_icons` from its icon fonts what no page shows.
"""

from __future__ import annotations

import re
import struct
from pathlib import Path
from typing import Any

import tinycss2
from sphinx.application import Sphinx

from book.cut_font import cut_font

WORTH_IT = 10_000  # bytes: smaller style sheets are left alone
OURS = Path(__file__).resolve().parent.parent / "_static"  # and so are our own
_CLASS = re.compile(r'\bclass="([^"]*)"')
_NAME = re.compile(r"[A-Za-z_][\w-]*")
_IMAGE = re.compile(r'<img\b(?P<rest>[^>]*?\bsrc="(?P<src>[^"]+)"[^>]*?)\s*/?>')
_ICON_FONT = re.compile(r'url\([^)]*/fontawesome/webfonts/[^)]*\.woff2\) format\("woff2"\),')
_ICON = re.compile('content: ?"([\ue000-\uf8ff])"')  # the area that Unicode leaves to anybody


def png_size(path: Path) -> tuple[int, int] | None:
    """Width and height of a PNG in pixels, from its first bytes."""
    with path.open("rb") as file:
        head = file.read(24)
    if not head.startswith(b"\x89PNG"):
        return None
    width, height = struct.unpack(">II", head[16:24])
    return width, height


def size_images(
    app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: Any
) -> None:
    """Say how large each image is, so that text does not jump, and load it when it is near."""
    del pagename, templatename, doctree
    paths = {name: Path(app.srcdir) / source for source, name in _images(app)}

    def sized(found: re.Match[str]) -> str:
        more, source = ' loading="lazy" decoding="async"', paths.get(Path(found["src"]).name)
        size = png_size(source) if source and source.exists() else None
        if size and ' width="' not in found["rest"]:  # a width in its style may stand beside it
            more += f' width="{size[0]}" height="{size[1]}"'
        return f"<img{found['rest']}{more} />"

    context["body"] = _IMAGE.sub(sized, context.get("body") or "")


def _images(app: Sphinx) -> list[tuple[str, str]]:
    """Source and name of every image that the builder will copy."""
    return list(getattr(app.builder, "images", {}).items())


def used_names(out: Path) -> set[str]:
    """Every class in a page, and every word in a script, which may set classes."""
    names: set[str] = set()
    for page in out.rglob("*.html"):
        if "_static" not in page.relative_to(out).parts:
            for classes in _CLASS.findall(page.read_text(encoding="utf-8")):
                names.update(classes.split())
    for script in (out / "_static").rglob("*.js"):
        if script.stat().st_size > 500_000:  # a model, or what runs it
            continue
        names.update(_NAME.findall(script.read_text(encoding="utf-8", errors="replace")))
    return names


def _matches(selector: list[Any], used: set[str]) -> bool:
    """Whether every class of a selector is used; those inside `:not(…)` and its like count not."""
    for before, token in zip([None, *selector], selector, strict=False):
        if (
            token.type == "ident"
            and before is not None
            and before == "."
            and token.value not in used
        ):
            return False
    return True


def lean(css: str, used: set[str]) -> str:
    """A style sheet without the rules that no page can match."""
    return _lean(tinycss2.parse_stylesheet(css, skip_comments=True, skip_whitespace=True), used)


def _lean(rules: list[Any], used: set[str]) -> str:
    kept = []
    for rule in rules:
        if rule.type == "qualified-rule":
            selectors: list[list[Any]] = [[]]
            for token in rule.prelude:
                if token == ",":
                    selectors.append([])
                else:
                    selectors[-1].append(token)
            wanted = [one for one in selectors if _matches(one, used)]
            if wanted:
                head = ",".join(tinycss2.serialize(one).strip() for one in wanted)
                kept.append(f"{head}{{{tinycss2.serialize(rule.content).strip()}}}")
        elif rule.type == "at-rule" and rule.lower_at_keyword in {"media", "supports"}:
            inner = tinycss2.parse_rule_list(rule.content, skip_comments=True, skip_whitespace=True)
            if text := _lean(inner, used):
                kept.append(f"@{rule.at_keyword}{tinycss2.serialize(rule.prelude)}{{{text}}}")
        elif rule.type != "error":
            kept.append(rule.serialize())
    return "\n".join(kept)


def cut_icons(fonts: Path, css: list[str]) -> None:
    """Cut the theme's icon fonts down to the icons that style sheets still name."""
    shown = {ord(icon) for sheet in css for icon in _ICON.findall(sheet)}
    for font in fonts.glob("*.ttf"):
        cut_font(font, font, shown)
        font.with_suffix(".woff2").unlink(missing_ok=True)


def finish(app: Sphinx, exception: Exception | None) -> None:
    """Rewrite the style sheets, cut the fonts, drop the maps and scripts that nobody loads."""
    if exception is not None or app.builder.format != "html":
        return
    static = Path(app.outdir) / "_static"
    for left in (*static.rglob("fontawesome.js*"), *static.rglob("*.map")):
        left.unlink(missing_ok=True)
    used, sheets = used_names(Path(app.outdir)), []
    for sheet in static.rglob("*.css"):
        css = sheet.read_text(encoding="utf-8")
        ours = (OURS / sheet.relative_to(static)).exists()
        if len(css) > WORTH_IT and not ours:
            css = _ICON_FONT.sub("", lean(css, used))
            sheet.write_text(css, encoding="utf-8")
        sheets.append(css)
    cut_icons(static / "vendor" / "fontawesome" / "webfonts", sheets)


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the hooks: the last comes after every page and script has been written."""
    app.connect("html-page-context", size_images, priority=900)
    app.connect("build-finished", finish, priority=900)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
