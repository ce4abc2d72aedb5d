"""What the course's site adds to Sphinx: labels on claims, and Chinese marked as Chinese."""

from __future__ import annotations

import re
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

_SUMMARY = re.compile(
    r'(<div class="[^"]*admonition[^"]*")>(\s*<p class="admonition-title">中文小结.*?</div>)',
    re.DOTALL,
)
_GAP = re.compile(r"(?<=[\u3000-\u9fff\uff01-\uff5e”’])\n(?=[\u3000-\u9fff\uff01-\uff5e“‘])")
CLAIM_TAG = re.compile(r"tag_claim-([A-Z]\d+)$")


def label_claims(app: Sphinx, doctree: nodes.document) -> None:
    """Give each cell tagged `claim-B7` the anchor `claim-B7` and a visible label.

    The appendix of claims links to these anchors.
    """
    seen: set[str] = set()
    for cell in list(doctree.findall(nodes.container)):
        claims = [m[1] for name in cell.get("classes", []) if (m := CLAIM_TAG.match(name))]
        if not claims:
            continue
        for claim in claims:
            if claim not in seen:  # one claim may be settled by several cells: link to the first
                cell["ids"].append(f"claim-{claim}")
                seen.add(claim)
        if "tag_hide-input" in cell["classes"]:  # MyST-NB folds the first child: that is the code
            continue
        label = nodes.inline(classes=["claim-label"])
        label += nodes.Text("claim " + ", ".join(claims))
        cell.insert(0, nodes.paragraph("", "", label, classes=["claim-line"]))


def mark_chinese(
    app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: Any
) -> None:
    """Say that a summary, or a page, in Chinese is Chinese, and join its lines without gaps.

    A screen reader needs the language to pronounce it, a browser to choose the characters' forms. A
    line break in the source becomes a space, which Chinese does not have.
    """
    del app, templatename, doctree
    body = _SUMMARY.sub(
        lambda found: f'{found[1]} lang="zh-CN">{_GAP.sub("", found[2])}', context.get("body") or ""
    )
    if pagename.endswith("-zh"):
        body = f'<div lang="zh-CN">{_GAP.sub("", body)}</div>'
    context["body"] = body


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the two hooks with Sphinx."""
    app.connect("doctree-read", label_claims)
    app.connect("html-page-context", mark_chinese)
    app.add_js_file("print.js")
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
