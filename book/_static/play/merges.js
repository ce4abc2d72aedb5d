/* "Merge by merge": how BPE and WordPiece learn pieces from a text, and how a finished vocabulary
   cuts a word, step by step. The trainers are those of `minibert/tokenization/wordpiece.py`. */

(function (root) {
  const playground = (root.playground = root.playground || {});

  /** How often each word stands in a text, in the order of their first use. */
  function countWords(text) {
    const counts = new Map();
    for (const word of playground.tokenizer.words(text)) {
      const letters = word.characters.join("");
      counts.set(letters, (counts.get(letters) || 0) + 1);
    }
    return counts;
  }

  const SCORES = {
    bpe: (both) => both,
    wordpiece: (both, a, b) => both / (a * b),
  };

  const join = ([a, b]) => a + (b.startsWith("##") ? b.slice(2) : b);

  /** Every step of learning: `{ pair, joined, score, both, words }`; `words` are the pieces after it. */
  function learn(counts, kind, most = 60, least = 2) {
    let words = [...counts].map(([word, times]) => ({
      times,
      pieces: [...word].map((letter, i) => (i ? "##" : "") + letter),
    }));
    // Equal scores: the pair of the earlier entries wins; characters alone come first, in order.
    const byCode = (a, b) => a.codePointAt(a.startsWith("##") ? 2 : 0) - b.codePointAt(b.startsWith("##") ? 2 : 0);
    const alone = [...new Set([...counts.keys()].flatMap((word) => [...word]))].sort(byCode);
    const inside = [...new Set(words.flatMap(({ pieces }) => pieces.slice(1)))].sort(byCode);
    const rank = new Map([...alone, ...inside].map((piece, i) => [piece, i]));
    const start = words;
    const steps = [];
    while (steps.length < most) {
      const [singles, pairs] = [new Map(), new Map()];
      for (const { times, pieces } of words) {
        pieces.forEach((piece, i) => {
          singles.set(piece, (singles.get(piece) || 0) + times);
          if (i) {
            const key = JSON.stringify([pieces[i - 1], piece]);
            pairs.set(key, (pairs.get(key) || 0) + times);
          }
        });
      }
      let best = null;
      for (const [key, both] of pairs) {
        if (both < least) continue;
        const [a, b] = JSON.parse(key);
        const score = SCORES[kind](both, singles.get(a), singles.get(b));
        const place = [rank.get(a), rank.get(b)];
        const earlier = best && (place[0] < best.place[0] || (place[0] === best.place[0] && place[1] < best.place[1]));
        if (!best || score > best.score || (score === best.score && earlier)) {
          best = { pair: [a, b], both, score, place, parts: [singles.get(a), singles.get(b)] };
        }
      }
      if (!best) break;
      const joined = join(best.pair);
      words = words.map(({ times, pieces }) => ({ times, pieces: merged(pieces, best.pair, joined) }));
      if (!rank.has(joined)) rank.set(joined, rank.size);
      steps.push({ ...best, joined, words });
    }
    return { start, steps };
  }

  function merged(pieces, [a, b], joined) {
    const out = [];
    for (let i = 0; i < pieces.length; i++) {
      if (pieces[i] === a && pieces[i + 1] === b) {
        out.push(joined);
        i++;
      } else out.push(pieces[i]);
    }
    return out;
  }

  playground.merges = { countWords, learn };
  if (typeof module !== "undefined") module.exports = playground.merges;
  if (typeof document === "undefined") return;

  const { make } = playground;
  const EXAMPLES = [
    ["en", "hug hug hug hug hug pug pug pun pun pun bun bun hugs hugs"],
    ["en", "She sells seashells by the seashore; the shells she sells are seashells for sure."],
    ["en", "low lower lowest new newer newest wide wider widest"],
    ["zh", "电影很好看，电影院很好，电视也很好看。"],
  ];

  playground.kinds.merges = async (stage) => {
    let [kind, at, learned, timer] = ["bpe", 0, null, 0];
    const id = `play-${Math.random().toString(36).slice(2)}`;
    const text = make("textarea", { id, rows: 2, maxlength: 600, spellcheck: "false" });
    const words = make("div", { class: "play-pieces" });
    const said = make("p", { class: "play-said-step", role: "status", "aria-live": "polite" });
    const slider = make("input", { type: "range", min: 0, value: 0, "aria-label": "Merges done", class: "play-slider" });
    const note = make("p", { class: "play-note" });
    const button = (words, move) => make("button", { type: "button", onclick: () => go(move()) }, words);
    const tabs = make("div", { class: "play-tabs", role: "group", "aria-label": "Algorithm" },
      [["bpe", "BPE"], ["wordpiece", "WordPiece"]].map(([value, name]) =>
        make("button", { type: "button", value, "aria-pressed": String(value === kind), onclick: () => choose(value) }, name)));

    const go = (next) => {
      at = Math.max(0, Math.min(next, learned.steps.length));
      draw();
    };
    const choose = (value) => {
      kind = value;
      for (const tab of tabs.children) tab.setAttribute("aria-pressed", String(tab.value === kind));
      begin();
    };
    const begin = () => {
      learned = learn(countWords(text.value), kind);
      picked = null;
      cut();
      slider.max = learned.steps.length;
      go(Math.min(at, learned.steps.length));
    };
    const shown = (piece) => piece.replace(/^##/, "");
    const draw = () => {
      slider.value = at;
      slider.setAttribute("aria-valuetext", `${at} of ${learned.steps.length} merges`);
      const step = learned.steps[at - 1];
      const state = step ? step.words : learned.start;
      words.replaceChildren(...state.map(({ times, pieces }) =>
        make("span", { class: "play-whole", lang: text.lang },
          pieces.map((piece) => make("span", { class: step && piece === step.joined ? "play-piece is-new" : "play-piece" }, shown(piece))),
          make("small", {}, `×${times}`))));
      const entries = new Set(state.flatMap(({ pieces }) => pieces)).size;
      if (step) {
        const [a, b] = step.pair.map(shown);
        const why = kind === "bpe"
          ? `side by side ${step.both} times, more than any other pair`
          : `side by side ${step.both} times, of ${step.parts[0]} and ${step.parts[1]}: ${step.both} / (${step.parts[0]} · ${step.parts[1]}) = ${step.score.toFixed(3)}, the highest`;
        said.replaceChildren(`Merge ${at}: `, make("b", { lang: text.lang }, a), " + ", make("b", { lang: text.lang }, b), " → ",
          make("b", { lang: text.lang }, shown(step.joined)), ` (${why})`);
      } else said.textContent = "No merge yet: every character is a piece.";
      note.textContent = at < learned.steps.length
        ? `${entries} different pieces in use.`
        : `${entries} different pieces in use. No pair is left that stands there twice${/[\u4e00-\u9fff]/.test(text.value) ? "; and two Chinese characters are never joined, each being a word of its own" : ""}.`;
    };

    const examples = make("div", { class: "play-examples", role: "group", "aria-label": "Examples" },
      EXAMPLES.map(([language, example]) =>
        make("button", { type: "button", lang: language, onclick: () => put(language, example) }, example.length > 34 ? `${example.slice(0, 32)}…` : example)));
    const put = (language, example) => {
      [text.lang, text.value, at] = [language, example, 0];
      begin();
    };
    const finished = make("details", { class: "play-more", ontoggle: () => cut() },
      make("summary", {}, "The same text, cut by a finished vocabulary: tokens, ids, offsets"));
    const cuts = make("div", { "aria-live": "polite" });
    finished.append(cuts);
    const vocabularies = new Map();
    let picked = null;

    /** The tokens of the text, and how one word was cut: the longest entry that fits, again and again. */
    const cut = async () => {
      if (!finished.open) return;
      const name = text.lang === "zh" ? "course-zh" : "course-en";
      if (!vocabularies.has(name)) {
        await playground.load("manifest.js");
        const { data } = await playground.bytes(`vocabulary-${name}`);
        const entries = new TextDecoder().decode(data).trimEnd().split("\n");
        vocabularies.set(name, new playground.tokenizer.Tokenizer(entries));
      }
      const tokenizer = vocabularies.get(name);
      const found = tokenizer.split(text.value);
      const letters = [...text.value];
      const spelled = (word) => letters.slice(word.start, word.end).join("");
      const longest = found.reduce((most, word) => (word.pieces.length > (most?.pieces.length || 0) ? word : most), null);
      const chosen = found[picked] || longest;
      const tried = [];
      if (chosen?.characters) tokenizer.pieces(chosen, (token, known) => tried.push([token, known]));
      cuts.replaceChildren(
        make("p", { class: "play-note" }, `With the ${tokenizer.tokens.length.toLocaleString("en")} entries of ${name}. Tap a word to see how it was cut.`),
        make("div", { class: "play-words", role: "group", "aria-label": "Words" }, found.map((word, place) =>
          make("button", { type: "button", class: "play-word play-cut", lang: text.lang, "aria-pressed": String(word === chosen), "aria-label": `${spelled(word)}: ${word.pieces.map((piece) => piece.token).join(" ")}`,
            onclick: async () => {
              picked = place;
              await cut();
              cuts.querySelectorAll(".play-word")[place]?.focus();
            } }, word.pieces.map((piece) => make("span", { class: "play-piece" }, piece.token))))),
        chosen ? make("p", { class: "play-tries" }, make("b", { lang: text.lang }, spelled(chosen)), ": ", tried.slice(0, 40).map(([token, known]) =>
          make("span", { class: known ? "play-tried is-known" : "play-tried" }, token, known ? " ✓ " : " "))) : null,
        chosen ? make("div", { class: "play-table", tabindex: "0", role: "region", "aria-label": "Tokens of the word" }, make("table", {},
          make("thead", {}, make("tr", {}, ["token", "id", "characters of the text"].map((one) => make("th", { scope: "col" }, one)))),
          make("tbody", {}, chosen.pieces.map((piece) => make("tr", {}, make("th", { scope: "row", lang: text.lang }, piece.token), make("td", {}, String(piece.id)), make("td", {}, `${piece.start} to ${piece.end}`)))))) : null,
      );
    };
    text.addEventListener("input", () => {
      clearTimeout(timer);
      timer = setTimeout(() => {
        text.lang = /[\u4e00-\u9fff]/.test(text.value) ? "zh" : "en";
        at = 0;
        begin();
      }, 200);
    });
    slider.addEventListener("input", () => go(Number(slider.value)));
    stage.replaceChildren(
      tabs, make("label", { class: "play-label", for: id }, "Your text"), text, examples,
      make("div", { class: "play-steps" }, button("‹ back", () => at - 1), slider, button("merge ›", () => at + 1)),
      said, words, note, finished,
    );
    put(...EXAMPLES[0]);
    go(1);
  };
})(globalThis);
