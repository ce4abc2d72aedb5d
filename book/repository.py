"""Where the course can be found: one address, `repository.url` in `_config.yml`, or none yet.

While it is empty, no page links to sources, to "edit this page", to Colab or to Binder.
"""

from __future__ import annotations

import re
from pathlib import Path

import yaml

CONFIG = Path(__file__).resolve().parent.parent / "_config.yml"


def address(config: Path = CONFIG) -> str:
    """The address, such as `https://github.com/OWNER/NAME`, or nothing.

    Raises:
        ValueError: for an address that Colab and Binder cannot open.
    """
    repository = yaml.safe_load(config.read_text(encoding="utf-8")).get("repository") or {}
    url = str(repository.get("url") or "").rstrip("/")
    if url and not re.fullmatch(r"https://github\.com/[\w.-]+/[\w.-]+", url):
        raise ValueError(
            f"_config.yml: repository.url is https://github.com/OWNER/NAME, not {url!r}"
        )
    return url


def site(url: str) -> str:
    """Where GitHub publishes the built book of a repository, or nothing."""
    if not url:
        return ""
    owner, name = url.removeprefix("https://github.com/").split("/")
    return f"https://{owner.lower()}.github.io/{name}/"


def notebook_links(chapter: str, url: str) -> dict[str, str]:
    """Where a chapter's notebook opens without installing anything: names and addresses."""
    if not url:
        return {}
    name, file = url.removeprefix("https://github.com/"), f"book/notebooks/{chapter}.ipynb"
    return {
        "open in Colab": f"https://colab.research.google.com/github/{name}/blob/main/{file}",
        "open in Binder": f"https://mybinder.org/v2/gh/{name}/main?labpath={file}",
    }


def install_cell(url: str) -> str:
    """The first cell of a notebook that is opened elsewhere: installs the course if need be.

    One statement, so that it prints nothing where there is nothing to do.
    """
    return (
        "import importlib.util\n\n"
        'if importlib.util.find_spec("minibert") is None:  # on Colab, for one\n'
        f'    %pip install --quiet "minibert-course[course] @ git+{url}"'
    )
