"""Search in English and Chinese: English words by their stems, Chinese by pairs of characters.

Chinese has no spaces between words. Sphinx's English index keeps a whole clause as one word, so
that 注意力 was found only where it stood alone. Here every two neighbouring characters are an
entry, in the index and in what a reader types, and a page is found that has all of them.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Any

from sphinx.application import Sphinx
from sphinx.search.en import SearchEnglish

_CHINESE = "\u3400-\u4dbf\u4e00-\u9fff"
_PART = re.compile(rf"[{_CHINESE}]+|(?:(?![{_CHINESE}])\w)+")


class SearchBoth(SearchEnglish):
    """Takes the place of Sphinx's English, so that the pages' language stays `en`."""

    js_splitter_code = f"""
var splitQuery = (query) =>
  (query.match(/[{_CHINESE}]+|(?:(?![{_CHINESE}])[\\p{{Letter}}\\p{{Number}}_])+/gu) || [])
    .flatMap((part) => {{
      const letters = [...part];
      if (!/[{_CHINESE}]/u.test(part) || letters.length === 1) return [part];
      return letters.slice(1).map((letter, i) => letters[i] + letter);
    }});
"""

    def split(self, input: str) -> list[str]:
        """Words, pairs of neighbouring Chinese characters, and each such character."""
        words: list[str] = []
        for part in _PART.findall(input):
            words.append(part)
            if re.match(f"[{_CHINESE}]", part):
                words[-1:] = [*part, *(a + b for a, b in pairwise(part))]
        return words


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the language, and the script that keeps toolbars out of what a result shows."""
    app.add_search_language(SearchBoth)
    app.add_js_file("search.js")
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
