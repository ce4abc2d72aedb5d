"""The playgrounds: what each is called and says, what it loads, and its recorded result.

    python book/playgrounds.py record        compute the recorded results again

A playground is placed by one line, a directive without a body:

    ```{playground} fill-mask
    ```

Wherever no model runs (Jupyter, print, no script, no WebAssembly, a book built without npm) its
place has a sentence and the recorded result, from `playgrounds.json`, which the course's models
gave in Python. `book/_ext/playgrounds.py` makes the page's box, `book/plain.py` the notebook's.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # as a script its folder, not the checkout, is on the path
RECORDED = Path(__file__).with_suffix(".json")


@dataclass(frozen=True)
class Playground:
    """`scripts` are files of `book/_static/play`, in order; `models` those loaded at the start."""

    title: str
    about: str
    scripts: tuple[str, ...]
    models: tuple[str, ...] = ()


PLAYGROUNDS = {
    "fill-mask": Playground(
        "Type, blank, watch",
        "Write a sentence, blank words of it, and watch what `course-en` expects there: a model of"
        " four layers, trained on twelve thousand passages of Wikipedia.",
        ("tokenizer.js", "model.js", "bars.js", "heads.js", "fill-mask.js"),
        ("course-en",),
    ),
    "continue": Playground(
        "Continue the text",
        "Give `course-en-causal` a beginning: a model of four layers, trained to predict the next"
        " token on twelve thousand passages of Wikipedia. At temperature 0 it always takes the"
        " likeliest; then turn the temperature up.",
        ("tokenizer.js", "model.js", "bars.js", "continue.js"),
        ("course-en-causal",),
    ),
    "decide": Playground(
        "Read and decide",
        "`course-zh-reviews` reads a Chinese review and says whether its writer was pleased: four"
        " layers, fine-tuned on reviews of hotels, books and goods. Leave a character out, and see"
        " what the verdict rests on. The first is praise, and one sign makes it a complaint.",
        ("tokenizer.js", "model.js", "bars.js", "decide.js"),
        ("course-zh-reviews",),
    ),
    "merges": Playground(
        "Merge by merge",
        "How pieces of words are learned: write a text, and watch BPE, and WordPiece as it was"
        " published, join two neighbours at a time. No model is needed for it: the page counts.",
        ("tokenizer.js", "merges.js"),
    ),
    "attention": Playground(
        "Attention by hand",
        "Four tokens of two dimensions each. Drag a key, the query or a value, and every number on"
        " the way to the mix moves with it. The query of *bed* starts pointing straight at the key"
        " of *bed*. Why does *moon* get more? (Nothing here is trained: the vectors are wherever"
        " you put them.)",
        ("plane.js", "attention.js"),
    ),
}


def recorded() -> dict[str, Any]:
    """What the models gave when `record` was last run."""
    found: dict[str, Any] = json.loads(RECORDED.read_text(encoding="utf-8"))
    return found


def find(name: str) -> Playground:
    """The playground of that name.

    Raises:
        ValueError: where there is none.
    """
    if name not in PLAYGROUNDS:
        raise ValueError(f"no playground {name!r}: there are {', '.join(PLAYGROUNDS)}")
    return PLAYGROUNDS[name]


def recorded_lines(name: str) -> list[str]:
    """A playground's recorded result, in Markdown."""
    if name not in _LINES:
        return []
    return _LINES[name](recorded()[name])


def plain_lines(name: str) -> list[str]:
    """What stands in a playground's place where none runs, in Markdown."""
    one = find(name)
    played = "On the built page you can play with this."
    return [f"**{one.title}.** {one.about} *{played}*", "", *recorded_lines(name)]


def _fill_mask_lines(result: dict[str, Any]) -> list[str]:
    def said(guesses: list[list[Any]]) -> str:
        return ", ".join(f"*{token}* {share:.0%}" for token, share in guesses)

    return [
        f"> {result['text'].replace('[MASK]', '`[MASK]`')}",
        "",
        f"- `course-en`, which reads both sides: {said(result['both'])}",
        f"- its causal twin, which reads only the left: {said(result['left'])}",
    ]


def _continue_lines(result: dict[str, Any]) -> list[str]:
    begin, text = result["begin"], result["text"]
    return [f"> *{begin}* {text}", "", "That is the likeliest token, taken twenty times in a row."]


def _decide_lines(result: dict[str, Any]) -> list[str]:
    said = ", ".join(f"{label} {share:.0%}" for label, share in result["shares"].items())
    words = " ".join(f"{word} {100 * weight:+.0f}" for word, weight in result["weights"])
    return [
        f"> {result['text']} (*{result['gloss']}*)",
        "",
        f"{said}. Points of the verdict that go with each character left out: {words}.",
    ]


_LINES = {"fill-mask": _fill_mask_lines, "continue": _continue_lines, "decide": _decide_lines}


# ------------------------------------------------------------------ recording


def record_fill_mask() -> dict[str, Any]:
    """The example of the first playground, in float32."""
    import torch

    from minibert import BertForCausalLM, BertForMaskedLM, Tokenizer
    from minibert.pretraining.fill_mask import fill_mask

    text = "Legal [MASK] age is 21 in most states."
    tokenizer = Tokenizer.from_pretrained("course-en")
    both = fill_mask(BertForMaskedLM.from_pretrained("course-en"), tokenizer, text)[0]
    twin = BertForCausalLM.from_pretrained("course-en-causal").eval()
    left = ["[CLS]", *tokenizer.tokenize(text.split("[MASK]")[0])]
    with torch.no_grad():
        logits = twin(torch.tensor([tokenizer.convert_tokens_to_ids(left)])).logits[0, -1]
    shares, best = logits.softmax(-1).topk(5)
    pairs = zip(tokenizer.convert_ids_to_tokens(best), shares.tolist(), strict=True)
    return {
        "text": text,
        "both": [[token, round(share, 4)] for token, share in both],
        "left": [[token, round(share, 4)] for token, share in pairs],
    }


def record_continue() -> dict[str, Any]:
    """What the causal twin makes of two words, always taking the likeliest."""
    import torch

    from minibert import BertForCausalLM, Tokenizer, generate

    begin = "The cat"
    tokenizer = Tokenizer.from_pretrained("course-en")
    ids = tokenizer.convert_tokens_to_ids(["[CLS]", *tokenizer.tokenize(begin)])
    written = generate(BertForCausalLM.from_pretrained("course-en-causal"), torch.tensor([ids]), 20)
    return {"begin": begin, "text": tokenizer.decode(written[0][len(ids) :])}


def record_decide() -> dict[str, Any]:
    """A verdict, and what each character does to it."""
    import torch

    from minibert import BertForSequenceClassification, Tokenizer
    from minibert.model.lora import merge_adapter

    text = "下次还来！"
    name = "course-zh-reviews"
    model = merge_adapter(BertForSequenceClassification.from_pretrained(name)).eval()
    tokenizer = Tokenizer.from_pretrained(name)
    letters = tokenizer.tokenize(text)
    without = [letters, *(letters[:i] + letters[i + 1 :] for i in range(len(letters)))]
    with torch.no_grad():
        shares = [
            model(**tokenizer(["".join(row)])).logits[0].softmax(-1).tolist() for row in without
        ]
    labels = model.config.id2label
    verdict = shares[0].index(max(shares[0]))
    changes = [shares[0][verdict] - row[verdict] for row in shares[1:]]
    return {
        "text": text,
        "gloss": "I'll come again!",
        "shares": {labels[i]: round(share, 4) for i, share in enumerate(shares[0])},
        "weights": [[a, round(w, 4)] for a, w in zip(letters, changes, strict=True)],
    }


RECORDERS = {
    "fill-mask": record_fill_mask,
    "continue": record_continue,
    "decide": record_decide,
}


def main() -> int:
    """`record`, or how to call it."""
    if sys.argv[1:] != ["record"]:
        print(__doc__)
        return 2
    results = {name: record() for name, record in RECORDERS.items()}
    RECORDED.write_text(json.dumps(results, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
