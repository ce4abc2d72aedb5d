/* "Read and decide": a Chinese review, a classifier's verdict, and what each character does to it,
   found by leaving it out. */

(function (root) {
  const playground = (root.playground = root.playground || {});

  /** The row of ids of some words, `[CLS]` and `[SEP]` around them. */
  const rowOf = (tokenizer, words) =>
    [tokenizer.cls, ...words.flatMap((word) => word.pieces.map((piece) => piece.id)), tokenizer.sep];

  /** Rows in which one word each is left out, gathered by length: a batch holds rows of one length. */
  function withoutEach(tokenizer, words) {
    const batches = new Map();
    words.forEach((_, number) => {
      const row = rowOf(tokenizer, words.filter((_, other) => other !== number));
      if (!batches.has(row.length)) batches.set(row.length, []);
      batches.get(row.length).push({ number, row });
    });
    return [...batches.values()];
  }

  /** The classes' probabilities of some rows of one length. */
  async function decide(model, rows) {
    const { logits } = await model.run(rows);
    const classes = logits.dims[1];
    return rows.map((_, i) => {
      const scores = [...logits.data.slice(i * classes, (i + 1) * classes)];
      return { scores, shares: playground.model.softmax(scores) };
    });
  }

  /** For each word, how much of the verdict's probability goes when it is left out. */
  async function weights(model, words, verdict, share) {
    const found = new Array(words.length).fill(0);
    for (const batch of words.length > 1 ? withoutEach(model.tokenizer, words) : []) {
      const results = await decide(model, batch.map((one) => one.row));
      batch.forEach(({ number }, i) => (found[number] = share - results[i].shares[verdict]));
    }
    return found;
  }

  playground.deciding = { rowOf, withoutEach, decide, weights };
  if (typeof module !== "undefined") module.exports = playground.deciding;
  if (typeof document === "undefined") return;

  const { make, percent } = playground;
  const EXAMPLES = [
    ["下次还来！", "I'll come again!"],
    ["房间不干净，服务不好。", "The room is not clean, the service not good."],
    ["快递太慢了，但是东西不错。", "The delivery was too slow, but the thing is fine."],
    ["还不错，就是有点贵。", "Not bad, only a little expensive."],
    ["没有让我失望。", "It did not let me down."],
  ];

  playground.kinds.decide = async (stage, box) => {
    const model = await playground.model.open("course-zh-reviews", (share, text) => box.progress?.(share, text));
    let [words, out, turn] = [[], new Set(), 0];
    const id = `play-${Math.random().toString(36).slice(2)}`;
    const text = make("input", { id, type: "text", lang: "zh", maxlength: 120, autocomplete: "off", spellcheck: "false" });
    const gloss = make("p", { class: "play-note" });
    const verdict = make("div", { class: "play-card", "aria-live": "polite" });
    const path = make("p", { class: "play-note" });
    const strip = make("div", { class: "play-strip", role: "group", "aria-label": "Characters: tap one to leave it out" });

    const read = (sentence) => {
      text.value = sentence;
      gloss.textContent = EXAMPLES.find(([example]) => example === sentence)?.[1] || "";
      [words, out] = [model.tokenizer.split(sentence), new Set()];
      return update();
    };
    const update = async () => {
      const mine = ++turn;
      const left = words.filter((_, number) => !out.has(number));
      const row = rowOf(model.tokenizer, left);
      const [{ scores, shares }] = await decide(model, [row]);
      const best = shares[1] > shares[0] ? 1 : 0;
      const found = await weights(model, left, best, shares[best]);
      if (mine !== turn) return;
      const names = model.config.id2label;
      verdict.replaceChildren(playground.bars([1, 0].map((one) => ({ token: names[one], share: shares[one] })), { label: "Probability of each class" }));
      path.textContent = `${row.length} tokens → the vector of ${model.config.hidden_size} numbers at [CLS] → two scores, ${scores.map((one) => one.toFixed(2).replace("-", "−")).join(" and ")} → a softmax`;
      const letters = [...text.value];
      const before = [...strip.children].indexOf(document.activeElement);
      let place = 0;
      strip.replaceChildren(...words.map((word, number) => {
        const gone = out.has(number);
        const change = gone ? 0 : found[place++];
        const spelled = letters.slice(word.start, word.end).join("");
        const points = Math.round(100 * change);
        const said = gone ? "left out" : points > 0 ? `+${points}` : points < 0 ? `−${-points}` : "0";
        return make("button", {
          type: "button", class: `play-weight${change < 0 ? " is-against" : ""}${gone ? " is-gone" : ""}`, "aria-pressed": String(gone),
          "aria-label": `${spelled}: ${gone ? said : `${said} points for ${names[best]}`}`,
          onclick: () => {
            if (!out.delete(number)) out.add(number);
            update();
          },
        }, make("span", { class: "play-column", style: `--share: ${Math.abs(change)}` }), make("span", { lang: "zh" }, spelled), make("small", {}, gone ? "✕" : said));
      }));
      if (before >= 0) strip.children[before]?.focus();
    };

    let waiting = 0;
    text.addEventListener("input", () => {
      clearTimeout(waiting);
      waiting = setTimeout(() => read(text.value), 200);
    });
    stage.replaceChildren(
      make("label", { class: "play-label", for: id }, "A review, in Chinese"), text, gloss,
      make("div", { class: "play-examples", role: "group", "aria-label": "Examples" }, EXAMPLES.map(([one]) => make("button", { type: "button", lang: "zh", onclick: () => read(one) }, one))),
      verdict, path,
      make("p", { class: "play-label" }, "How many points of the verdict go with each character, when it alone is left out. Tap to leave it out"),
      strip,
      make("p", { class: "play-note" }, "Right in 84 of 100 held-out reviews: so wrong in 16."),
    );
    await read(EXAMPLES[0][0]);
  };
})(globalThis);
