// The computing parts of the playgrounds, by `node --test`; tests/test_playgrounds.py runs them.
const assert = require("node:assert/strict");
const test = require("node:test");
const play = (name) => require(`../book/_static/play/${name}.js`);

play("core");
const { Tokenizer, words } = play("tokenizer");
const { softmax, highest } = play("model");
play("bars");
const { describe } = play("heads");
const { blankedRow, keepBlanks, guesses, leftOnly } = play("fill-mask");

const SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"];
const small = new Tokenizer([...SPECIAL, "play", "##ing", "the", "e", "##e", "电"]);

test("the longest entry is taken first, and a word that cannot be finished is unknown", () => {
  const tried = [];
  const pieces = small.pieces(words("playing")[0], (token, known) => tried.push([token, known]));
  assert.deepEqual(pieces.map((piece) => piece.token), ["play", "##ing"]);
  assert.deepEqual(tried, [["playing", false], ["playin", false], ["playi", false], ["play", true], ["##ing", true]]);
  assert.deepEqual(small.encode("plays").tokens, ["[CLS]", "[UNK]", "[SEP]"]);
});

test("offsets count characters of the reader's text, accents and signs beyond 16 bits included", () => {
  const row = small.encode("𝄞 Éé 电");
  assert.deepEqual(row.tokens, ["[CLS]", "[UNK]", "e", "##e", "电", "[SEP]"]);
  assert.deepEqual(row.offsets, [[0, 0], [0, 1], [2, 3], [3, 4], [5, 6], [0, 0]]);
});

test("a softmax sums to one, also of scores that would overflow, and heat makes it flatter", () => {
  const shares = softmax([1000, 999, -1000]);
  assert.ok(Math.abs(shares.reduce((a, b) => a + b) - 1) < 1e-12);
  assert.ok(Math.abs(shares[0] - 1 / (1 + Math.exp(-1))) < 1e-12);
  assert.ok(softmax([2, 0], 4)[0] < softmax([2, 0])[0]);
  assert.deepEqual(highest(shares, 2), [0, 1]);
});

test("a blanked word becomes one [MASK], however many pieces it had", () => {
  const found = small.split("the playing");
  const row = blankedRow(small, found, new Set([1]));
  assert.deepEqual(row.ids, [2, 7, 4, 3]);
  assert.deepEqual(row.places, [2]);
  assert.deepEqual(blankedRow(small, found, new Set()).ids, [2, 7, 5, 6, 3]);
});

test("blanks stay with their words while others are typed before or after them", () => {
  assert.deepEqual(keepBlanks(["a", "b"], ["x", "a", "b"], new Set([1])), [2]);
  assert.deepEqual(keepBlanks(["a", "b"], ["a", "b", "x"], new Set([1])), [1]);
  assert.deepEqual(keepBlanks(["a", "b", "c"], ["a", "c"], new Set([1, 2])), [1]);
  assert.deepEqual(keepBlanks(["a", "b"], ["a", "bb"], new Set([1])), [1]);
});

test("guesses are counted from the likeliest, and the word that was blanked is marked", () => {
  const found = guesses(small, [0, 0, 0, 0, 0, 1, 3, 2, 0, 0, 0], 7);
  assert.deepEqual(found.top.slice(0, 3).map((one) => one.token), ["##ing", "the", "play"]);
  assert.equal(found.rank, 2);
  assert.ok(found.top[1].mark);
  assert.equal(guesses(small, new Array(11).fill(0)).rank, null);
});

test("the twin has read only what stands before a blank, its own guess for an earlier one included", async () => {
  const asked = [];
  const twin = {
    tokenizer: small,
    read: async (ids) => {
      asked.push([...ids]);
      return { scores: (place) => small.tokens.map((_, id) => (id === (place === 0 ? 5 : 8) ? 1 : 0)) };
    },
  };
  const found = await leftOnly(twin, small.split("the 电 the"), new Set([0, 2]));
  assert.deepEqual(asked, [[2, 4, 10, 4, 3], [2, 5, 10, 4, 3]]);
  assert.deepEqual(found.guesses.map((one) => one.top[0].token), ["play", "e"]);
});

test("a head is described by where most of its rows look", () => {
  const rows = (column) => (row) => [0, 1, 2, 3, 4, 5].map((one) => (one === column(row) ? 1 : 0));
  assert.equal(describe(rows((row) => row - 1), 6), "mostly at the token before");
  assert.equal(describe(rows((row) => row + 1), 6), "mostly at the token after");
  assert.equal(describe(rows(() => 0), 6), "mostly at [CLS] and [SEP]");
  assert.equal(describe(rows((row) => [1, 1, 3, 1, 2][row]), 6), "mixed");
});

const { countWords, learn } = play("merges");

test("BPE merges the most frequent pair first, WordPiece the one whose parts most belong together", () => {
  const counts = countWords("hug hug hug hug hug pug pug pun pun pun bun bun hugs hugs");
  assert.deepEqual([...counts], [["hug", 5], ["pug", 2], ["pun", 3], ["bun", 2], ["hugs", 2]]);
  const bpe = learn(counts, "bpe");
  assert.deepEqual(bpe.steps[0].pair, ["##u", "##g"]);
  assert.equal(bpe.steps[0].both, 9);
  const wordpiece = learn(counts, "wordpiece");
  assert.deepEqual(wordpiece.steps[0].pair, ["##g", "##s"]);
  assert.deepEqual(wordpiece.steps[0].words.at(-1).pieces, ["h", "##u", "##gs"]);
  assert.equal(learn(countWords("电影 电影 电影"), "bpe").steps.length, 0);
});

const { attend } = play("attention");

test("attention by hand: equal weights for a zero query, none for what is hidden, and the mix between", () => {
  const [keys, values] = [[[1, 0], [0, 1], [3, 3]], [[2, 0], [0, 2], [9, 9]]];
  const flat = attend([0, 0], keys, values, { hidden: (place) => place === 2 });
  assert.deepEqual(flat.weights, [0.5, 0.5, 0]);
  assert.deepEqual(flat.mix, [1, 1]);
  const { scores, divided, weights } = attend([2, 0], keys, values);
  assert.deepEqual(scores, [2, 0, 6]);
  assert.ok(Math.abs(divided[0] - Math.SQRT2) < 1e-12);
  assert.ok(attend([2, 0], keys, values, { scaled: false }).weights[2] > weights[2]);
});

const { drawnFrom, draw, asText } = play("continue");

test("temperature 0 leaves one token, top-p the fewest that reach it, and a draw falls by its share", () => {
  const scores = [Math.log(5), Math.log(3), Math.log(2)];
  assert.deepEqual([...drawnFrom(scores, 0, 1)], [1, 0, 0]);
  const kept = drawnFrom(scores, 1, 0.6);
  assert.ok(Math.abs(kept[0] - 5 / 8) < 1e-12 && kept[2] === 0);
  assert.deepEqual([...drawnFrom(scores, 1, 0.05)], [1, 0, 0]);
  assert.deepEqual([0, 0.49, 0.51, 0.85, 1].map((number) => draw([0.5, 0.3, 0.2], number)), [0, 0, 1, 2, 2]);
  assert.equal(asText(["the", "cat", "##s", ",", "(", "a", ")", "."]), "the cats, (a).");
});

const { withoutEach, weights } = play("decide");

test("a word's weight is what of the verdict goes when it alone is left out", async () => {
  const found = small.split("the playing 电");
  assert.deepEqual(withoutEach(small, found), [
    [{ number: 0, row: [2, 5, 6, 10, 3] }],
    [{ number: 1, row: [2, 7, 10, 3] }],
    [{ number: 2, row: [2, 7, 5, 6, 3] }],
  ].reduce((all, [one]) => {
    const same = all.find((batch) => batch[0].row.length === one.row.length);
    if (same) same.push(one);
    else all.push([one]);
    return all;
  }, []));
  // A classifier that is sure of the second class as long as 电 is there.
  const model = {
    tokenizer: small,
    run: async (rows) => ({ logits: { dims: [rows.length, 2], data: Float32Array.from(rows.flatMap((row) => [0, row.includes(10) ? 50 : 0])) } }),
  };
  assert.deepEqual((await weights(model, found, 1, 1)).map((one) => Math.round(100 * one)), [0, 0, 50]);
  assert.deepEqual(await weights(model, found.slice(0, 1), 1, 1), [0]);
});
