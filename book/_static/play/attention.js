/* "Attention by hand": drag two-dimensional queries and keys, and see scores, division, mask, softmax
   and mix move. */

(function (root) {
  const playground = (root.playground = root.playground || {});

  /** One token's row of attention: every number on the way from its query to its mix.
      `hidden(place)` says which keys it must not see. */
  function attend(query, keys, values, { scaled = true, hidden = () => false } = {}) {
    const scores = keys.map((key) => key.reduce((sum, one, i) => sum + one * query[i], 0));
    const divided = scores.map((score) => (scaled ? score / Math.sqrt(query.length) : score));
    const masked = divided.map((score, place) => (hidden(place) ? -Infinity : score));
    const top = Math.max(...masked);
    const powers = masked.map((score) => Math.exp(score - top));
    const sum = powers.reduce((a, b) => a + b, 0);
    const weights = powers.map((power) => power / sum);
    const mix = values[0].map((_, i) => values.reduce((total, value, place) => total + weights[place] * value[i], 0));
    return { scores, divided, masked, weights, mix };
  }

  playground.attention = { attend };
  if (typeof module !== "undefined") module.exports = playground.attention;
  if (typeof document === "undefined") return;

  const { make } = playground;
  const WORDS = ["before", "my", "bed", "moon"];
  // The query of "bed" points straight at its own key, and the longer key of "moon" gets more.
  const START = {
    queries: [[1, 0.4], [-0.6, 1.2], [1.8, -0.6], [0.8, -1.6]],
    keys: [[0.4, -1.8], [-1.6, 0.6], [1.2, -0.4], [2.2, 1.4]],
    values: [[-1.8, -1.4], [-1.4, 1.6], [1.4, -1.6], [1.8, 1.6]],
  };

  playground.kinds.attention = async (stage) => {
    let asking = 2;
    let [queries, keys, values] = [START.queries, START.keys, START.values].map((all) => all.map((one) => [...one]));
    const scaled = make("input", { type: "checkbox", checked: true, onchange: () => draw() });
    const causal = make("input", { type: "checkbox", onchange: () => draw() });
    const query = { name: "query", kind: "query", place: queries[asking], label: "" };
    const keyPoints = WORDS.map((word, i) => ({ name: `key of ${word}`, kind: "key", place: keys[i], label: word }));
    const valuePoints = WORDS.map((word, i) => ({ name: `value of ${word}`, kind: "value", place: values[i], label: word }));
    const mix = { name: "mix", kind: "mix", place: [0, 0], label: "mix", fixed: true };
    const left = playground.plane([...keyPoints, query], { title: "Keys, and the query of the token that asks", moved: () => draw() });
    const right = playground.plane([...valuePoints, mix], { title: "Values, and their mix", moved: () => draw() });
    const rows = make("tbody");
    const said = make("p", { class: "play-note", role: "status", "aria-live": "polite" });
    const who = make("select", { onchange: () => ask(Number(who.value)) }, WORDS.map((word, i) => make("option", { value: i }, word)));
    who.value = asking;

    const ask = (place) => {
      queries[asking] = query.place;
      asking = place;
      query.place = queries[asking];
      draw();
    };

    const number = (value) => (value === -Infinity ? "−∞" : value.toFixed(2).replace("-", "−"));
    const draw = () => {
      const hidden = (place) => causal.checked && place > asking;
      const row = attend(query.place, keyPoints.map((one) => one.place), valuePoints.map((one) => one.place), { scaled: scaled.checked, hidden });
      query.label = `query of ${WORDS[asking]}`;
      mix.place = row.mix;
      for (const [i, point] of keyPoints.entries()) point.hidden = valuePoints[i].hidden = hidden(i);
      left.draw();
      right.draw();
      rows.replaceChildren(...WORDS.map((word, i) =>
        make("tr", { class: hidden(i) ? "is-hidden" : "" },
          make("th", { scope: "row" }, word), make("td", {}, number(row.scores[i])), make("td", {}, number(row.divided[i])), make("td", {}, number(row.masked[i])),
          make("td", { class: "play-weight-cell" }, make("span", { class: "play-bar", style: `--share: ${row.weights[i]}`, "aria-hidden": "true" }), make("span", { class: "play-share" }, playground.percent(row.weights[i]))))));
      const best = row.weights.indexOf(Math.max(...row.weights));
      said.textContent = row.weights[best] > 0.99
        ? `Nearly all the weight is on “${WORDS[best]}”: the mix is its value, and a change of the query hardly moves it.`
        : Math.max(...row.weights) - Math.min(...row.weights.filter((_, i) => !hidden(i))) < 0.005
          ? "Equal scores, so equal weights: the mix is the average of the values."
          : `“${WORDS[asking]}” takes most from “${WORDS[best]}”.`;
    };

    const preset = (words, change) => make("button", { type: "button", onclick: () => { change(); draw(); } }, words);
    stage.replaceChildren(
      make("div", { class: "play-examples", role: "group", "aria-label": "Try" },
        preset("the query at zero", () => (query.place = [0, 0])),
        preset("one and a half times as long", () => (query.place = query.place.map((one) => Math.max(-3, Math.min(3, Math.round(15 * one) / 10))))),
        preset("turned to face the other way", () => (query.place = query.place.map((one) => -one || 0))),
        preset("start again", () => {
          query.place = [...START.queries[asking]];
          keyPoints.forEach((point, i) => (point.place = [...START.keys[i]]));
          valuePoints.forEach((point, i) => (point.place = [...START.values[i]]));
        })),
      make("div", { class: "play-checks" },
        make("label", { class: "play-check" }, "Who asks? ", who),
        make("label", { class: "play-check" }, scaled, " divide by √2"),
        make("label", { class: "play-check" }, causal, " hide the future")),
      make("div", { class: "play-planes" },
        make("figure", {}, make("figcaption", { class: "play-label" }, "Drag the keys and the query"), left.element),
        make("figure", {}, make("figcaption", { class: "play-label" }, "Drag the values; the mix follows"), right.element)),
      make("div", { class: "play-table", tabindex: "0", role: "region", "aria-label": "The numbers" },
        make("table", {}, make("thead", {}, make("tr", {}, ["key", "q · k", "÷ √2", "mask", "softmax"].map((name) => make("th", { scope: "col" }, name)))), rows)),
      said,
    );
    draw();
  };
})(globalThis);
