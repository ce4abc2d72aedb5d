/* Five likely tokens with their probabilities, as a list of bars. */

(function (root) {
  const playground = (root.playground = root.playground || {});
  const { make, percent } = playground;

  /** A list: each entry `{ token, share, mark }`; `choose(token)`, if given, makes them buttons. */
  playground.bars = (entries, { language, choose, label } = {}) =>
    make(
      "ol",
      { class: "play-bars", "aria-label": label },
      entries.map(({ token, share, mark }) => {
        const inside = [
          make("span", { class: "play-bar", style: `--share: ${share}`, "aria-hidden": "true" }),
          make("span", { class: "play-token", lang: language }, token),
          make("span", { class: "play-share" }, percent(share)),
        ];
        const attributes = { class: mark ? "play-row is-marked" : "play-row" };
        return make(
          "li",
          {},
          choose
            ? make("button", { ...attributes, type: "button", title: "Put it into the sentence", onclick: () => choose(token) }, inside)
            : make("span", attributes, inside),
        );
      }),
    );
})(globalThis);
