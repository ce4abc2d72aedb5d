"""A page's MyST as plain Markdown, which Jupyter, Colab and a repository's pages can show.

Sphinx draws directives and roles; everywhere else they stand as raw text. So what goes into a
notebook, or into a reader's folder for JupyterLab, is written again without them: a dropdown
becomes `<details>`,
an admonition a quotation, `` {chapter}`5` `` a link, a list that is made from the
register or the exercises' sources that list.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from book import lists
from book.counts import count
from book.playgrounds import plain_lines
from book.register import CHAPTERS
from exercises.learner import source

# A fence of backticks or colons with a directive in it; code cells are none of ours.
_DIRECTIVE = re.compile(
    r"^(?P<fence>`{3,}|:{3,})\{(?P<name>[a-z-]+)\}[ ]*(?P<argument>[^\n]*)\n"
    r"(?P<body>.*?)^(?P=fence)[ ]*$",
    re.MULTILINE | re.DOTALL,
)
_OPTION = re.compile(r"^:([\w-]+):[ ]*(.*)\n?", re.MULTILINE)
_ROLE = re.compile(r"\{(?P<name>[a-z-]+)\}`(?P<text>[^`]+)`")
_ANCHOR = re.compile(
    r'<a class="reference internal" href="(?P<page>[\w-]+)\.html[^"]*">(?P<text>.*?)</a>'
)
_LINK = re.compile(r"\]\((?P<page>[\w/-]+)\.md(?P<anchor>#[\w-]+)?\)")
_TERM = re.compile(r"^(?P<term>[^\n:|>#`*-][^\n]*)\n: (?P<text>.*(?:\n(?!\n|: ).*)*)", re.MULTILINE)
_MORE = re.compile(r"\n\n: (?P<text>.*(?:\n(?!\n|: ).*)*)")


def plain(markdown: str, address: Callable[[str], str]) -> str:
    """Markdown without directives and roles.

    Args:
        markdown: a page, or a cell of one.
        address: where a page is, from where this text will stand; given its name without `.md`.

    Raises:
        ValueError: for a directive or role that nobody has said how to write plainly.
    """
    text = re.sub(r"^<!--.*?-->\n?", "", markdown, flags=re.MULTILINE | re.DOTALL)
    text = re.sub(r"^\(\w+\)=\n", "", text, flags=re.MULTILINE)
    text = _DIRECTIVE.sub(lambda found: _directive(found, address), text)
    text = _TERM.sub(lambda found: f"**{found['term']}**  \n{_unindent(found['text'])}", text)
    text = _MORE.sub(lambda found: f"\n\n{_unindent(found['text'])}", text)
    text = _ROLE.sub(lambda found: _role(found, address), text)
    text = _ANCHOR.sub(lambda found: f"[{found['text']}]({address(found['page'])})", text)
    text = _LINK.sub(lambda f: f"]({address(f['page'].split('/')[-1])}{f['anchor'] or ''})", text)
    return re.sub(r"\n{3,}", "\n\n", text).strip("\n")


def _unindent(text: str) -> str:
    return re.sub(r"\n {2}", "\n", text)


def _directive(found: re.Match[str], address: Callable[[str], str]) -> str:
    name, argument = found["name"], found["argument"].strip()
    options = dict(_OPTION.findall(found["body"]))
    body = _OPTION.sub("", found["body"]).strip("\n")
    if name == "notebook-links":
        return ""
    if name == "dropdown":
        return f"<details><summary>{argument}</summary>\n\n{body}\n\n</details>"
    if name in {"admonition", "note", "tip", "warning", "important"}:
        return "\n".join([f"> **{argument or name.title()}**", ">", *_quoted(body)])
    if name == "image":
        return f"![{options.get('alt', '')}]({argument})"
    if name == "course-progress":
        return "*The built pages show it here.*"
    if name == "div":
        return plain(body, address)
    if name == "map":
        return f"![{argument or body}](_static/map.svg)"
    if lines := _made(name, argument, body):
        return plain("\n".join(lines), address)
    raise ValueError(f"nobody has said how {{{name}}} is written in plain Markdown (book/plain.py)")


def _made(name: str, argument: str, body: str) -> list[str]:
    """What the site's directives make of register and sources, in Markdown."""
    if name == "playground":
        return plain_lines(argument)
    if name == "claim":
        return lists.claim_box_lines(argument)
    if name == "claims":
        return lists.claim_lines(argument)
    if name == "chapters":
        return lists.chapter_lines(body)
    if name == "exercise-sets":
        return [line for name in source.names() for line in lists.exercise_lines(name)]
    return []


def _quoted(text: str) -> list[str]:
    return [f"> {line}".rstrip() for line in text.split("\n")]


def _role(found: re.Match[str], address: Callable[[str], str]) -> str:
    name, text = found["name"], found["text"]
    if name == "chapter":
        return f"[chapter {text}]({address(CHAPTERS[int(text) - 1])})"
    if name == "count":
        return count(text)
    if name.startswith("bdg-"):
        return f"**{text}**"
    if name == "octicon":
        return "·"
    if name == "download":
        return re.sub(r"^.*<.*/(.*?)>$", r"`exercises/\1`", text)
    raise ValueError(f"nobody has said how {{{name}}} is written in plain Markdown (book/plain.py)")
