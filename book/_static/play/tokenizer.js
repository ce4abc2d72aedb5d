/* BERT's tokenizer in JavaScript: the ids, tokens and offsets of `minibert.Tokenizer`, and the way
   there. Offsets count characters (code points), as Python does. */

(function (root) {
  const SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"];
  const LONGEST = 100; // characters of a word; a longer one is unknown
  const CHINESE = /[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\u{20000}-\u{2a6df}\u{2a700}-\u{2b73f}\u{2b740}-\u{2b81f}\u{2b820}-\u{2ceaf}\u{2f800}-\u{2fa1f}]/u;
  const PUNCTUATION = /[\p{P}!-/:-@[-`{-~]/u;
  const SPACE = /\p{White_Space}/u;
  const DROPPED = /[\0\ufffd]|(?![\t\n\r])\p{C}/u;

  /** A text's words: what stands between spaces, and each sign and Chinese character by itself.
      Each with the lower-case characters that the vocabulary is asked for, and where it stood. */
  function words(text) {
    const found = [];
    let word = null;
    const close = () => {
      if (word) found.push(word);
      word = null;
    };
    [...text].forEach((character, place) => {
      if (DROPPED.test(character)) return;
      if (SPACE.test(character)) return close();
      // é is taken apart into e and its accent, and the accent left out.
      const parts = [...character.normalize("NFD")].filter((part) => !/\p{Mn}/u.test(part));
      for (const part of [...parts].flatMap((one) => [...one.toLowerCase()])) {
        const alone = CHINESE.test(character) || PUNCTUATION.test(part);
        if (alone) close();
        if (!word) word = { characters: [], places: [] };
        word.characters.push(part);
        word.places.push(place);
        if (alone) close();
      }
    });
    close();
    return found.map((one) => ({ ...one, start: one.places[0], end: one.places.at(-1) + 1 }));
  }

  class Tokenizer {
    constructor(vocabulary) {
      this.tokens = vocabulary;
      this.ids = new Map(vocabulary.map((token, id) => [token, id]));
      [this.pad, this.unk, this.cls, this.sep, this.mask] = SPECIAL.map((token) => this.ids.get(token));
    }

    /** The pieces of one word, the longest entry first; `[UNK]` where nothing fits.
        `tried`, if given, is told every candidate: (text, whether it is an entry). */
    pieces(word, tried = () => {}) {
      const unknown = [{ token: "[UNK]", id: this.unk, start: word.start, end: word.end }];
      const { characters, places } = word;
      if (characters.length > LONGEST) return unknown;
      const found = [];
      for (let start = 0; start < characters.length; ) {
        let end = characters.length;
        let id;
        for (; end > start; end--) {
          const token = (start ? "##" : "") + characters.slice(start, end).join("");
          id = this.ids.get(token);
          tried(token, id !== undefined);
          if (id !== undefined) break;
        }
        if (id === undefined) return unknown;
        found.push({ token: this.tokens[id], id, start: places[start], end: places[end - 1] + 1 });
        start = end;
      }
      return found;
    }

    /** A text's words and their pieces; `[MASK]` and its like are words of one piece. */
    split(text) {
      const found = [];
      let place = 0; // in code points
      for (const part of text.split(/(\[(?:PAD|UNK|CLS|SEP|MASK)\])/)) {
        const length = [...part].length;
        if (SPECIAL.includes(part)) {
          const piece = { token: part, id: this.ids.get(part), start: place, end: place + length };
          found.push({ start: place, end: place + length, pieces: [piece] });
        } else {
          for (const word of words(part)) {
            const pieces = this.pieces(word);
            for (const one of [word, ...pieces]) (one.start += place), (one.end += place);
            found.push({ ...word, pieces });
          }
        }
        place += length;
      }
      return found;
    }

    /** `[CLS] text [SEP]`, or `[CLS] text [SEP] pair [SEP]`: ids, tokens, offsets, segments. */
    encode(text, pair) {
      const rows = [this.split(text), ...(pair === undefined ? [] : [this.split(pair)])];
      const row = [{ token: "[CLS]", id: this.cls, start: 0, end: 0, segment: 0 }];
      rows.forEach((found, segment) => {
        for (const word of found) for (const piece of word.pieces) row.push({ ...piece, segment });
        row.push({ token: "[SEP]", id: this.sep, start: 0, end: 0, segment });
      });
      return {
        ids: row.map((one) => one.id),
        tokens: row.map((one) => one.token),
        offsets: row.map((one) => [one.start, one.end]),
        segments: row.map((one) => one.segment),
      };
    }
  }

  const tokenizer = { words, Tokenizer };
  (root.playground = root.playground || {}).tokenizer = tokenizer;
  if (typeof module !== "undefined") module.exports = tokenizer;
})(globalThis);
