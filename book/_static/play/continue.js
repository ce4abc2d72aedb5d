/* "Continue the text": the causal twin writes on, a token at a time; temperature and top-p reshape what
   it draws from. */

(function (root) {
  const playground = (root.playground = root.playground || {});

  /** What is drawn from: probabilities at a temperature, then only the likeliest that together reach
      `topP` (at least one). Temperature 0 leaves the likeliest alone. As `minibert.generate` does. */
  function drawnFrom(scores, temperature, topP) {
    const { softmax, highest } = playground.model;
    if (temperature === 0) {
      const [best] = highest(scores, 1);
      return Float64Array.from(scores, (_, id) => (id === best ? 1 : 0));
    }
    const shares = softmax(scores, temperature);
    const order = highest(shares, shares.length);
    let before = 0;
    const kept = new Float64Array(shares.length);
    for (const id of order) {
      if (before >= topP && before > 0) break;
      kept[id] = shares[id];
      before += shares[id];
    }
    return kept.map((share) => share / before);
  }

  /** The token that a number from 0 to 1 falls on. */
  function draw(shares, number) {
    let left = number;
    for (let id = 0; id < shares.length; id++) {
      left -= shares[id];
      if (left < 0) return id;
    }
    return shares.findLastIndex((share) => share > 0);
  }

  /** Tokens as text: pieces joined, no space before signs. */
  const asText = (tokens) =>
    tokens.join(" ").replaceAll(" ##", "").replace(/ ([.,;:!?)\]'’])/g, "$1").replace(/([([]) /g, "$1");

  playground.continueText = { drawnFrom, draw, asText };
  if (typeof module !== "undefined") module.exports = playground.continueText;
  if (typeof document === "undefined") return;

  const { make, percent } = playground;
  const EXAMPLES = ["The cat", "The president of the United States", "The film was", "In the second season", "Water is"];

  playground.kinds.continue = async (stage, box) => {
    const model = await playground.model.open("course-en-causal", (share, text) => box.progress?.(share, text));
    const { tokenizer } = model;
    let [ids, prompt, running, turn] = [[], 0, false, 0];
    const id = `play-${Math.random().toString(36).slice(2)}`;
    const text = make("input", { id, type: "text", maxlength: 200, autocomplete: "off", spellcheck: "false" });
    const written = make("p", { class: "play-written", lang: "en", "aria-live": "polite" });
    const next = make("div", { class: "play-results" });
    const status = make("p", { class: "play-note", role: "status" });
    const slider = (label, min, max, value, step) => {
      const number = make("b", {}, String(value)); // an <output> would take the label for itself
      const input = make("input", { type: "range", min, max, step, value, oninput: () => { number.textContent = input.value; show(); } });
      return { input, element: make("label", { class: "play-dial" }, `${label} `, number, input) };
    };
    const temperature = slider("temperature", 0, 2, 0, 0.1);
    const topP = slider("top-p", 0.05, 1, 1, 0.05);
    const button = (words, act) => make("button", { type: "button", onclick: act }, words);

    const begin = (sentence) => {
      running = false;
      status.textContent = "";
      text.value = sentence;
      ids = tokenizer.encode(sentence).ids.slice(0, -1); // [CLS] and the text; a [SEP] would end it
      prompt = ids.length;
      return show();
    };
    const scoresNow = async () => (await model.read(ids)).scores(ids.length - 1).slice();
    const shares = (scores) => drawnFrom(scores, Number(temperature.input.value), Number(topP.input.value));

    const show = async () => {
      const mine = ++turn;
      const scores = await scoresNow();
      if (mine !== turn) return null;
      const [plain, kept] = [playground.model.softmax(scores), shares(scores)];
      const row = ids.map((one) => tokenizer.tokens[one]);
      written.replaceChildren(make("span", {}, asText(row.slice(1, prompt))), " ", make("mark", {}, asText(row.slice(prompt))));
      const top = playground.model.highest(plain, 8).map((one) => ({ token: tokenizer.tokens[one], share: kept[one], id: one }));
      next.replaceChildren(
        make("p", { class: "play-label" }, "The next token is drawn from these (tap one to take it)"),
        playground.bars(top, { label: "The eight likeliest next tokens", choose: (token) => take(tokenizer.ids.get(token)) }),
        make("p", { class: "play-note" }, `${kept.filter((share) => share > 0).length.toLocaleString("en")} of ${tokenizer.tokens.length.toLocaleString("en")} entries can come; before temperature and top-p the first has ${percent(plain[top[0].id])}.`));
      return scores;
    };
    const take = (one) => {
      ids.push(one);
      return show();
    };
    const write = async (count) => {
      if (running) return;
      running = true;
      for (let i = 0; i < count && running; i++) {
        if (ids.length >= 128) {
          status.textContent = "That is as long as the texts that it was trained on.";
          break;
        }
        const one = draw(shares(await scoresNow()), Math.random());
        await take(one);
        if (one === tokenizer.sep) break;
        await new Promise((resolve) => setTimeout(resolve, 60));
      }
      running = false;
    };

    let waiting = 0;
    text.addEventListener("input", () => {
      clearTimeout(waiting);
      waiting = setTimeout(() => begin(text.value), 200);
    });
    stage.replaceChildren(
      make("label", { class: "play-label", for: id }, "How it begins"), text,
      make("div", { class: "play-examples", role: "group", "aria-label": "Examples" }, EXAMPLES.map((one) => make("button", { type: "button", lang: "en", onclick: () => begin(one) }, one))),
      make("div", { class: "play-dials" }, temperature.element, topP.element),
      make("div", { class: "play-steps play-plain" }, button("one token", () => write(1)), button("twenty", () => write(20)), button("stop", () => (running = false)), button("back to the start", () => begin(text.value))),
      written, status, next,
    );
    await begin(EXAMPLES[0]);
  };
})(globalThis);
