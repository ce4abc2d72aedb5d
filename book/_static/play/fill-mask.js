/* "Type, blank, watch": the reader's sentence, words of it blanked, and what two models expect there:
   one that reads both sides, and its twin that reads from the left only. */

(function (root) {
  const playground = (root.playground = root.playground || {});

  /** A row of ids with the blanked words as one `[MASK]` each; `places` says where the blanks are,
      `first` where each word begins. */
  function blankedRow(tokenizer, words, blanked) {
    const ids = [tokenizer.cls];
    const [places, first] = [[], []];
    words.forEach((word, number) => {
      first.push(ids.length);
      if (blanked.has(number)) {
        places.push(ids.length);
        ids.push(tokenizer.mask);
      } else ids.push(...word.pieces.map((piece) => piece.id));
    });
    return { ids: [...ids, tokenizer.sep], places, first };
  }

  /** The five likeliest tokens, and which of the vocabulary comes how far down. */
  function guesses(tokenizer, scores, original) {
    const shares = playground.model.softmax(scores);
    const top = playground.model.highest(shares, 5);
    const place = original === undefined ? null : shares.filter((share) => share > shares[original]).length + 1;
    return {
      top: top.map((id) => ({ token: tokenizer.tokens[id], share: shares[id], mark: id === original })),
      rank: place,
      share: original === undefined ? null : shares[original],
    };
  }

  /** What the model that reads both sides expects at each blank. */
  async function bothSides(model, words, blanked) {
    const row = blankedRow(model.tokenizer, words, blanked);
    const read = await model.read(row.ids);
    const found = [...blanked].sort((a, b) => a - b).map((number, k) =>
      guesses(model.tokenizer, read.scores(row.places[k]), only(words[number])));
    return { row, read, guesses: found };
  }

  /** The same of the twin: at a blank it has read what stands before it, nothing else. A blank further
      to the left holds its own first guess by then. */
  async function leftOnly(model, words, blanked) {
    const row = blankedRow(model.tokenizer, words, blanked);
    const found = [];
    let read = null;
    const numbers = [...blanked].sort((a, b) => a - b);
    for (const [k, number] of numbers.entries()) {
      read = await model.read(row.ids);
      const at = row.places[k];
      const told = guesses(model.tokenizer, read.scores(at - 1), only(words[number]));
      found.push(told);
      row.ids[at] = model.tokenizer.ids.get(told.top[0].token);
    }
    return { row, read, guesses: found };
  }

  /** The blanks of a sentence that was changed: those before the change stay, those after it move. */
  function keepBlanks(before, after, blanked) {
    const [shorter, added] = [Math.min(before.length, after.length), after.length - before.length];
    let start = 0;
    while (start < shorter && before[start] === after[start]) start++;
    let end = 0;
    while (end < shorter - start && before.at(-1 - end) === after.at(-1 - end)) end++;
    // A word that is being typed keeps its blank.
    const same = added === 0 ? before.length : start;
    return [...blanked].filter((one) => one < same || one >= before.length - end).map((one) => (one < same ? one : one + added));
  }

  /** The id of a word that is one entry of the vocabulary. */
  const only = (word) => (word.pieces.length === 1 ? word.pieces[0].id : undefined);

  playground.fillMask = { blankedRow, keepBlanks, guesses, bothSides, leftOnly };
  if (typeof module !== "undefined") module.exports = playground.fillMask;
  if (typeof document === "undefined") return;

  const { make, percent } = playground;
  const LANGUAGES = {
    en: {
      model: "course-en", twin: "course-en-causal", name: "English",
      what: "Four layers, trained on twelve thousand Wikipedia passages: it knows words, not the world.",
      examples: [
        ["Legal drinking age is 21 in most states.", [1]],
        ["Rome is the capital of Italy.", [3]],
        ["The Thames is a river in England.", [1]],
        ["The team won the world cup final.", [4]],
        ["The earth is a planet.", [1]],
      ],
    },
    zh: {
      model: "course-zh", twin: null, name: "中文",
      what: "Four layers, trained on thirty-five thousand Chinese reviews and some news: each character is a word.",
      examples: [
        ["房间很干净，服务很好。", [4]],
        ["质量太差了，退货。", [3]],
        ["电脑的键盘很好用。", [1]],
        ["这本书我一口气读完了。", [5]],
      ],
    },
  };

  playground.kinds["fill-mask"] = async (stage, box) => {
    let language = "en";
    let [words, blanked, model, twin, turn] = [[], new Set(), null, null, 0];
    const say = (share, text) => (box.progress ? box.progress(share, text) : null);
    model = await playground.model.open("course-en", say);

    const id = `play-${Math.random().toString(36).slice(2)}`;
    const text = make("input", { id, type: "text", autocomplete: "off", spellcheck: "false", maxlength: "300" });
    const strip = make("div", { class: "play-words", role: "group", "aria-label": "Words: tap one to blank it" });
    const results = make("div", { class: "play-results", "aria-live": "polite" });
    const status = make("p", { class: "play-note", role: "status" });
    const what = make("p", { class: "play-note" });
    const examples = make("div", { class: "play-examples", role: "group", "aria-label": "Examples" });
    const heads = playground.heads.view();
    const side = make("input", { type: "checkbox", onchange: () => toggleTwin() });
    const twinLine = make("label", { class: "play-check" }, side, " beside it, its twin that reads only from the left");
    const whose = make("select", { "aria-label": "Whose attention", onchange: () => update() },
      make("option", { value: "both" }, "reads both sides"), make("option", { value: "left" }, "reads only the left"));
    const whoseLine = make("label", { class: "play-check", hidden: true }, "Whose? ", whose);
    const tabs = make("div", { class: "play-tabs", role: "group", "aria-label": "Language" },
      Object.entries(LANGUAGES).map(([code, { name }]) =>
        make("button", { type: "button", "aria-pressed": String(code === language), lang: code, value: code, onclick: () => speak(code) }, name)));

    stage.replaceChildren(
      tabs,
      make("label", { class: "play-label", for: id }, "Your sentence"),
      text, examples,
      make("p", { class: "play-label" }, "Tap a word to blank it, and again to bring it back"),
      strip, twinLine, results, status,
      make("details", { class: "play-more", ontoggle: () => update() },
        make("summary", {}, "Attention: where each head looks"), whoseLine, heads.element),
      what,
    );
    const more = stage.querySelector("details");

    const read = (sentence, blanks) => {
      text.value = sentence;
      words = model.tokenizer.split(sentence);
      blanked = new Set(blanks.filter((number) => number < words.length));
      drawWords();
      return update();
    };

    const drawWords = () => {
      const letters = [...text.value];
      const focused = [...strip.children].indexOf(document.activeElement);
      strip.replaceChildren(...words.map((word, number) =>
        make("button", {
          type: "button", class: "play-word", "aria-pressed": String(blanked.has(number)), lang: language,
          onclick: () => {
            if (!blanked.delete(number)) blanked.add(number);
            drawWords();
            update();
          },
        }, blanked.has(number) ? make("span", { class: "play-blank" }, letters.slice(word.start, word.end).join("")) : letters.slice(word.start, word.end).join(""))));
      if (focused >= 0) strip.children[focused]?.focus();
    };

    const update = async () => {
      const mine = ++turn;
      status.textContent = "";
      if (blankedRow(model.tokenizer, words, blanked).ids.length > model.config.max_position_embeddings) {
        return results.replaceChildren(make("p", {}, "That is longer than the model can read."));
      }
      const both = await bothSides(model, words, blanked);
      const left = twin && blanked.size ? await leftOnly(twin, words, blanked) : null;
      if (mine !== turn) return null; // the reader has gone on
      drawResults(both, left);
      whoseLine.hidden = !left;
      if (more.open) {
        const from = left && whose.value === "left" ? left : both;
        const tokens = from.row.ids.map((one) => model.tokenizer.tokens[one]);
        const at = from.row.places[0] ?? 1;
        heads.show(from.read, tokens, left && whose.value === "left" ? at - 1 : at, language);
      }
      return null;
    };

    const drawResults = (both, left) => {
      if (!blanked.size) {
        return results.replaceChildren(make("p", { class: "play-note" }, "Nothing is blanked yet."));
      }
      const letters = [...text.value];
      const numbers = [...blanked].sort((a, b) => a - b);
      return results.replaceChildren(...numbers.map((number, k) => {
        const word = words[number];
        const original = letters.slice(word.start, word.end).join("");
        const card = (title, found) =>
          make("div", { class: "play-card" },
            make("p", { class: "play-label" }, title),
            playground.bars(found.top, { language, label: `${title}: five likeliest for blank ${k + 1}`, choose: (token) => put(number, token) }),
            make("p", { class: "play-note" }, ...(found.rank === null
              ? [make("b", { lang: language }, original), ` is ${word.pieces.length} tokens, and a blank is one.`]
              : [make("b", { lang: language }, original), `: place ${found.rank.toLocaleString("en")}, ${percent(found.share)}`])));
        return make("div", { class: "play-blank-result" },
          numbers.length > 1 ? make("p", { class: "play-label" }, `Blank ${k + 1}`) : null,
          make("div", { class: "play-cards" },
            card(left ? "reads both sides" : "the model expects", both.guesses[k]),
            left ? card("reads only the left", left.guesses[k]) : null));
      }));
    };

    /** A guess takes the word's place in the sentence, and the blank is closed. */
    const put = (number, token) => {
      const letters = [...text.value];
      const word = words[number];
      const next = letters.slice(0, word.start).join("") + token.replace(/^##/, "") + letters.slice(word.end).join("");
      const open = [...blanked].filter((one) => one !== number);
      return read(next, open);
    };

    const toggleTwin = async () => {
      twin = null;
      if (side.checked) {
        side.disabled = true;
        try {
          twin = await playground.model.open(LANGUAGES[language].twin, (_, words) => (status.textContent = words));
        } catch (error) {
          side.checked = false;
          status.textContent = `That did not work: ${error.message}`;
          return;
        } finally {
          side.disabled = false;
        }
      }
      await update();
    };

    const speak = async (code) => {
      try {
        model = await playground.model.open(LANGUAGES[code].model, (_, words) => (status.textContent = words));
      } catch (error) {
        status.textContent = `That did not work: ${error.message}`;
        return;
      }
      language = code;
      [twin, side.checked] = [null, false];
      twinLine.hidden = !LANGUAGES[code].twin;
      for (const tab of tabs.children) tab.setAttribute("aria-pressed", String(tab.value === code));
      text.lang = code;
      what.textContent = LANGUAGES[code].what;
      examples.replaceChildren(...LANGUAGES[code].examples.map(([sentence, blanks]) =>
        make("button", { type: "button", lang: code, onclick: () => read(sentence, blanks) }, sentence)));
      await read(...LANGUAGES[code].examples[0]);
    };

    let waiting = 0;
    text.addEventListener("input", () => {
      clearTimeout(waiting);
      waiting = setTimeout(() => {
        const spelled = (all) => all.map((word) => word.pieces.map((piece) => piece.token).join(" "));
        const next = model.tokenizer.split(text.value);
        read(text.value, keepBlanks(spelled(words), spelled(next), blanked));
      }, 200);
    });
    await speak("en");
  };
})(globalThis);
