/* Attention on show: every head as a small picture to choose from, and the row of one token. */

(function (root) {
  const playground = (root.playground = root.playground || {});
  const { make, percent } = playground;
  const INK = [47, 143, 208]; // a blue that both themes' paper shows

  /** What a head mostly does, over the rows of a text: for those who cannot see its picture. */
  function describe(weights, size) {
    const offsets = new Map();
    let edges = 0;
    for (let row = 1; row < size - 1; row++) {
      let best = 0;
      for (let column = 1; column < size; column++) if (weights(row)[column] > weights(row)[best]) best = column;
      if (best === 0 || best === size - 1) edges++;
      else offsets.set(best - row, (offsets.get(best - row) || 0) + 1);
    }
    const rows = Math.max(size - 2, 1);
    const [offset, count] = [...offsets].sort((a, b) => b[1] - a[1])[0] || [0, 0];
    if (edges > rows / 2) return "mostly at [CLS] and [SEP]";
    if (count <= rows / 2) return "mixed";
    const names = { "-1": "mostly at the token before", 0: "mostly at the token itself", 1: "mostly at the token after" };
    return names[offset] || `mostly ${Math.abs(offset)} tokens ${offset < 0 ? "before" : "after"}`;
  }

  function draw(canvas, weights, size) {
    canvas.width = canvas.height = size;
    const context = canvas.getContext("2d");
    const image = context.createImageData(size, size);
    for (let row = 0; row < size; row++) {
      weights(row).forEach((weight, column) => {
        image.data.set([...INK, Math.round(255 * Math.sqrt(weight))], 4 * (row * size + column));
      });
    }
    context.putImageData(image, 0, 0);
  }

  /** The view. `show(read, tokens, place, language)` draws it for a text that a model has read. */
  function view() {
    const name = `head-${Math.random().toString(36).slice(2)}`;
    let [layer, head, chosen, last] = [1, 0, null, null];
    const grid = make("div", { class: "play-heads", role: "radiogroup", "aria-label": "Layer and head" });
    const says = make("p", { class: "play-note", role: "status", "aria-live": "polite" });
    const strip = make("div", { class: "play-strip", role: "group", "aria-label": "Tokens: choose whose row is shown" });
    const element = make("div", { class: "play-attention" }, grid, says, strip);
    let pictures = [];

    const build = (layers, heads) => {
      grid.replaceChildren();
      grid.style.setProperty("--heads", heads);
      pictures = [];
      for (let i = 0; i < layers; i++) {
        for (let j = 0; j < heads; j++) {
          const input = make("input", {
            type: "radio", name, value: `${i},${j}`, "aria-label": `Layer ${i + 1}, head ${j + 1}`,
            onchange: () => {
              [layer, head] = [i, j];
              drawRow();
            },
          });
          input.checked = i === layer && j === head;
          const canvas = make("canvas", { "aria-hidden": "true" });
          const label = make("label", { class: "play-head" }, input, canvas);
          pictures.push({ i, j, canvas, input, label });
          grid.append(label);
        }
      }
    };

    const drawRow = () => {
      const { read, tokens, language } = last;
      const weights = read.attention(layer, head, chosen);
      says.replaceChildren(
        `Layer ${layer + 1}, head ${head + 1} (${describe((row) => read.attention(layer, head, row), tokens.length)}): where `,
        make("b", { lang: language }, tokens[chosen]),
        " attends. Tap another token for its row, or another head above.",
      );
      const before = strip.contains(document.activeElement);
      strip.replaceChildren(
        ...tokens.map((token, place) =>
          make(
            "button",
            {
              type: "button", class: "play-weight", "aria-pressed": String(place === chosen),
              "aria-label": `${token}: ${percent(weights[place])}`,
              onclick: () => {
                chosen = place;
                drawRow();
              },
            },
            make("span", { class: "play-column", style: `--share: ${weights[place]}` }),
            make("span", { lang: language }, token),
            make("small", {}, weights[place] >= 0.005 ? `${Math.round(100 * weights[place])}` : "·"),
          ),
        ),
      );
      if (before) strip.children[chosen].focus();
    };

    const show = (read, tokens, place, language) => {
      last = { read, tokens, language };
      chosen = Math.min(place, tokens.length - 1);
      if (pictures.length !== read.layers * read.heads) build(read.layers, read.heads);
      for (const { i, j, canvas, input, label } of pictures) {
        const weights = (row) => read.attention(i, j, row);
        draw(canvas, weights, tokens.length);
        const what = `Layer ${i + 1}, head ${j + 1}: ${describe(weights, tokens.length)}`;
        input.setAttribute("aria-label", what);
        label.title = what;
      }
      drawRow();
    };
    return { element, show };
  }

  playground.heads = { view, describe };
  if (typeof module !== "undefined") module.exports = playground.heads;
})(globalThis);
