"""Attention to explore: choose a layer and a head, point at a token.

One block of HTML with its own style and script: no library, no network, as many on a page as
you like. It follows the page's colours, light or dark, works by mouse, touch and keyboard (Tab
reaches the tokens, arrow keys walk over them), and shows its first head where scripts are off.
"""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

_ROW, _TOP, _LEFT, _RIGHT, _WIDTH = 26, 22, 106, 206, 360  # of the drawing, in CSS pixels

# The last rule undoes the light box that the book's theme lays behind HTML output in the dark.
_STYLE = """
.minibert-attention{color:inherit;font:14px/1.4 system-ui,-apple-system,"Segoe UI","Noto Sans",
"Noto Sans CJK SC","PingFang SC","Microsoft YaHei",sans-serif;max-width:360px;margin:.5em 0}
.minibert-attention .choice{display:flex;gap:1em;flex-wrap:wrap;margin:0 0 .4em}
.minibert-attention select{font:inherit;color:inherit;background:transparent;
border:1px solid #767676;border-radius:.3em;padding:.15em .3em;margin-left:.3em}
.minibert-attention option{color:#222;background:#fff}
.minibert-attention svg{display:block;width:100%;height:auto;overflow:visible}
.minibert-attention text{fill:currentColor;font-size:14px;dominant-baseline:central}
.minibert-attention .head{font-size:12px;opacity:.8}
.minibert-attention .share{font-size:12px;font-variant-numeric:tabular-nums}
.minibert-attention .ask{cursor:pointer;outline:none}
.minibert-attention .ask rect{fill:transparent;stroke:transparent}
.minibert-attention .ask[aria-pressed=true] rect{fill:#0072B2;fill-opacity:.3;stroke:#3D9BD6}
.minibert-attention .ask:focus-visible rect{stroke:currentColor;stroke-width:2}
.minibert-attention .seen{fill:#E69F00}
.minibert-attention line{stroke:#3D9BD6;stroke-linecap:round}
.minibert-attention .said{min-height:3em;margin:.3em 0 0}
html[data-theme=dark] .bd-content div.cell_output .text_html:has(.minibert-attention){
background:transparent!important;color:inherit!important;padding:0!important}
"""

_SCRIPT = """
for (const root of document.querySelectorAll(".minibert-attention:not([data-ready])")) {
  root.dataset.ready = "";
  const tokens = JSON.parse(root.dataset.tokens), T = tokens.length;
  const heads = +root.dataset.heads, size = T * T;
  const bytes = Uint8Array.from(atob(root.dataset.weights), c => c.charCodeAt(0));
  const [layer, head] = root.querySelectorAll("select");
  const asks = [...root.querySelectorAll(".ask")], seen = [...root.querySelectorAll(".seen")];
  const shares = [...root.querySelectorAll(".share")], said = root.querySelector(".said");
  const lines = root.querySelector(".lines");
  let chosen = -1;
  const weight = (t, s) => {
    const at = h => bytes[((+layer.value * heads) + h) * size + t * T + s] / 255;
    if (head.value !== "mean") return at(+head.value);
    let sum = 0;
    for (let h = 0; h < heads; h++) sum += at(h);
    return sum / heads;
  };
  const draw = () => {
    lines.textContent = "";
    for (let t = 0; t < T; t++) for (let s = 0; s < T; s++) {
      const w = weight(t, s);
      if (chosen >= 0 ? t !== chosen : w < 0.02) continue;
      const line = document.createElementNS("http://www.w3.org/2000/svg", "line");
      const put = (name, value) => line.setAttribute(name, value);
      put("x1", LEFT); put("x2", RIGHT);
      put("y1", TOP + ROW * (t + 0.5)); put("y2", TOP + ROW * (s + 0.5));
      put("stroke-width", 0.5 + 4 * w); put("stroke-opacity", Math.min(1, 0.08 + w));
      lines.append(line);
    }
    asks.forEach((ask, t) => {
      ask.setAttribute("aria-pressed", t === chosen);
      ask.setAttribute("tabindex", t === Math.max(chosen, 0) ? 0 : -1);
    });
    for (let s = 0; s < T; s++) {
      const w = chosen >= 0 ? weight(chosen, s) : 0;
      seen[s].setAttribute("fill-opacity", 0.75 * w);
      shares[s].textContent = chosen >= 0 ? Math.round(100 * w) + " %" : "";
    }
    if (chosen < 0) { said.textContent = root.dataset.hint; return; }
    const order = [...tokens.keys()].sort((a, b) => weight(chosen, b) - weight(chosen, a));
    said.textContent = tokens[chosen] + " attends to: " + order.slice(0, 3).map(
      s => tokens[s] + " " + Math.round(100 * weight(chosen, s)) + " %").join(", ");
  };
  const choose = t => { chosen = t; draw(); };
  asks.forEach((ask, t) => {
    ask.addEventListener("mouseenter", () => choose(t));
    ask.addEventListener("click", () => choose(t));
    ask.addEventListener("focus", () => choose(t));
    ask.addEventListener("keydown", event => {
      const to = { ArrowDown: t + 1, ArrowUp: t - 1, Home: 0, End: T - 1 }[event.key];
      if (event.key === "Escape") choose(-1);
      if (event.key === "Enter" || event.key === " ") choose(t);
      if (to !== undefined && asks[to]) asks[to].focus();
      if (to !== undefined || event.key === " ") event.preventDefault();
    });
  });
  root.querySelector("svg").addEventListener("mouseleave", () => {
    if (!root.contains(document.activeElement)) choose(-1);
  });
  layer.addEventListener("change", draw);
  head.addEventListener("change", draw);
  draw();
}
"""


class AttentionView:
    """What `attention_view` returns; Jupyter and the book show its HTML."""

    def __init__(self, markup: str, summary: str) -> None:
        self._markup, self._summary = markup, summary

    def _repr_html_(self) -> str:
        return self._markup

    def __repr__(self) -> str:
        return self._summary


def attention_view(
    weights: npt.ArrayLike | Any,
    tokens: Sequence[str],
    *,
    layer: int = 0,
    head: int | None = None,
) -> AttentionView:
    """The interactive view of one sentence's attention.

    Only the attribute `data-weights` and the content of `<g class="lines">` depend on the
    weights, so that a comparison of stored notebooks can leave these two out.

    Args:
        weights: (L, H, T, T): what `inspection.record(...)[0].attentions` holds. Rows sum to 1.
        tokens: T names.
        layer: the layer shown first, from 0.
        head: the head shown first, from 0; the mean of all heads by default.

    Raises:
        ValueError: if weights and tokens do not fit, or there is no such layer or head.
    """
    w = np.asarray(weights.detach().cpu() if hasattr(weights, "detach") else weights, dtype=float)
    if w.ndim != 4 or w.shape[2:] != (len(tokens), len(tokens)):
        raise ValueError(
            f"weights {w.shape} do not fit {len(tokens)} tokens: give (layers, heads, T, T)"
        )
    depth, heads, length, _ = w.shape
    if not 0 <= layer < depth or not 0 <= (head or 0) < heads:
        raise ValueError(f"layer {layer}, head {head}: there are {depth} layers of {heads} heads")
    packed = base64.b64encode((w.clip(0, 1) * 255).round().astype(np.uint8).tobytes()).decode()
    first = w[layer].mean(0) if head is None else w[layer, head]
    hint = "Point at a word on the left, or tab to it and use the arrow keys."
    attributes = {
        "tokens": json.dumps(list(tokens), ensure_ascii=False),
        "heads": str(heads),
        "hint": hint,
    }
    data = " ".join(f'data-{k}="{html.escape(v, quote=True)}"' for k, v in attributes.items())
    label = f"Attention of {depth} layers of {heads} heads over: {' '.join(tokens)}"
    markup = f"""<style>{_STYLE}</style>
<div class="minibert-attention" role="group" aria-label="{html.escape(label, quote=True)}" {data}
data-weights="{packed}">
<div class="choice"><label>layer<select>{_options(depth, layer)}</select></label>
<label>head<select><option value="mean"{" selected" if head is None else ""}>mean of all</option>\
{_options(heads, head)}</select></label></div>
<svg viewBox="0 0 {_WIDTH} {_TOP + _ROW * length + 4}">
<text class="head" x="{_LEFT - 8}" y="9" text-anchor="end">query</text>
<text class="head" x="{_RIGHT + 8}" y="9">key</text>
<g class="lines">{_lines(first)}</g>
{"".join(_asking(t, token) for t, token in enumerate(tokens))}
{"".join(_answering(t, token) for t, token in enumerate(tokens))}
</svg><p class="said" aria-live="polite">{hint}</p></div>
<script>{_script()}</script>"""
    return AttentionView(markup, f"Attention view: {label}")


def _script() -> str:
    numbers = f"const LEFT={_LEFT},RIGHT={_RIGHT},TOP={_TOP},ROW={_ROW};"
    return f"(() => {{{numbers}{_SCRIPT}}})();"


def _options(count: int, chosen: int | None) -> str:
    return "".join(
        f'<option value="{i}"{" selected" if i == chosen else ""}>{i + 1}</option>'
        for i in range(count)
    )


def _shortened(token: str) -> str:
    # So many letters fit beside the lines; the accessible name and the data keep the whole.
    return html.escape(token if len(token) <= 12 else token[:11] + "…")


def _asking(t: int, token: str) -> str:
    y = _TOP + _ROW * t
    return (
        f'<g class="ask" role="button" tabindex="{0 if t == 0 else -1}" aria-pressed="false" '
        f'aria-label="{html.escape(token, quote=True)}, word {t + 1}"><rect x="1" y="{y + 1}" '
        f'width="{_LEFT - 2}" height="{_ROW - 2}" rx="5"/><text x="{_LEFT - 8}" '
        f'y="{y + _ROW / 2}" text-anchor="end">{_shortened(token)}</text></g>'
    )


def _answering(t: int, token: str) -> str:
    y = _TOP + _ROW * t
    return (
        f'<rect class="seen" x="{_RIGHT + 1}" y="{y + 1}" width="{_WIDTH - _RIGHT - 2}" '
        f'height="{_ROW - 2}" rx="5" fill-opacity="0"/><text x="{_RIGHT + 8}" '
        f'y="{y + _ROW / 2}">{_shortened(token)}</text>'
        f'<text class="share" x="{_WIDTH - 4}" y="{y + _ROW / 2}" text-anchor="end"></text>'
    )


def _lines(weights: np.ndarray) -> str:
    # What the script draws first, for where it does not run.
    def y(t: int) -> float:
        return _TOP + _ROW * (t + 0.5)

    return "".join(
        f'<line x1="{_LEFT}" y1="{y(t)}" x2="{_RIGHT}" y2="{y(s)}" stroke-width='
        f'"{0.5 + 4 * w:.2f}" stroke-opacity="{min(1.0, 0.08 + w):.2f}"/>'
        for (t, s), w in np.ndenumerate(weights)
        if w >= 0.02
    )
