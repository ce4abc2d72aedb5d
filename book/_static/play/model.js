/* A model of the course in the browser: loaded once a page, run on rows of ids. */

(function (root) {
  const playground = (root.playground = root.playground || {});

  /** Probabilities of scores, at a temperature. */
  function softmax(scores, temperature = 1) {
    let top = -Infinity;
    for (const score of scores) if (score > top) top = score;
    const powers = Float64Array.from(scores, (score) => Math.exp((score - top) / temperature));
    const sum = powers.reduce((a, b) => a + b, 0);
    return powers.map((power) => power / sum);
  }

  /** The places of the highest numbers, the highest first. */
  function highest(numbers, count) {
    const places = Array.from(numbers, (_, place) => place);
    return places.sort((a, b) => numbers[b] - numbers[a]).slice(0, count);
  }

  class Model {
    constructor(session, { vocabulary, config }) {
      this.session = session;
      this.config = config;
      this.tokenizer = new playground.tokenizer.Tokenizer(vocabulary);
    }

    /** Run rows of equal length. Each output has its name, `data` and `dims`. */
    async run(rows, segments) {
      const length = rows[0].length;
      const tensor = (all) =>
        new ort.Tensor("int64", BigInt64Array.from(all.flat(), BigInt), [rows.length, length]);
      return this.session.run({
        input_ids: tensor(rows),
        attention_mask: tensor(rows.map((row) => row.map(() => 1))),
        token_type_ids: tensor(segments || rows.map((row) => row.map(() => 0))),
      });
    }

    /** Of one row: the scores of each place over the vocabulary, and the attention weights. */
    async read(ids) {
      const out = await this.run([ids]);
      const logits = out.logits || out.prediction_logits;
      const [layers, , heads, size] = out.attentions.dims;
      const entries = logits.dims[2];
      return {
        scores: (place) => logits.data.subarray(place * entries, (place + 1) * entries),
        layers,
        heads,
        /** The weights of the token at `place` over all tokens, in one head. */
        attention: (layer, head, place) => {
          const start = ((layer * heads + head) * size + place) * size;
          return out.attentions.data.subarray(start, start + size);
        },
      };
    }
  }

  let runtime = null;
  const models = new Map();

  async function startRuntime(progress) {
    await playground.load("ort.wasm.min.js");
    const half = await playground.bytes("other-half", progress);
    const wasm = await playground.bytes("wasm", progress);
    ort.env.wasm.numThreads = 1; // several would need headers that only some servers send
    ort.env.wasm.wasmBinary = wasm.data;
    // From a folder nothing can be imported but what is already here.
    ort.env.wasm.wasmPaths = { mjs: URL.createObjectURL(new Blob([half.data], { type: "text/javascript" })) };
  }

  /** A model by its name; `progress(share, words)` is told how far loading is. */
  async function open(name, progress = () => {}) {
    if (!models.has(name)) {
      models.set(name, load(name, progress));
      models.get(name).catch(() => models.delete(name));
    }
    return models.get(name);
  }

  async function load(name, progress) {
    const names = runtime ? [name] : ["other-half", "wasm", name];
    const total = playground.weight(names);
    let done = 0;
    const step = (size) => {
      done += size;
      progress(done / total, `Loading ${name}: ${(done / 1e6).toFixed(1)} of ${(total / 1e6).toFixed(1)} MB`);
    };
    if (!runtime) {
      runtime = startRuntime(step);
      runtime.catch(() => (runtime = null));
    }
    await runtime;
    const parts = await playground.bytes(name, step);
    progress(1, `Starting ${name} …`);
    const session = await ort.InferenceSession.create(parts.data, {
      executionProviders: ["wasm"],
      // Unpack the 8-bit matrices once, not at every run.
      extra: { session: { disable_quant_qdq: "1" } },
    });
    return new Model(session, parts);
  }

  playground.model = { open, softmax, highest, Model };
  if (typeof module !== "undefined") module.exports = playground.model;
})(globalThis);
