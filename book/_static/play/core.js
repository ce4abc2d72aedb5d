/* What every playground needs: it finds the boxes on a page, loads scripts and bytes when the reader
   asks, and makes elements. Classic scripts only: a page opened from a folder may load nothing else. */

(function (root) {
  const playground = (root.playground = root.playground || {});
  playground.kinds = {}; // name -> function (box), filled in by the scripts of the playgrounds

  /** An element with attributes, listeners (`onclick: …`) and children. */
  playground.make = (name, attributes = {}, ...children) => {
    const element = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) {
      if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
      else if (value !== undefined && value !== false) element.setAttribute(key, value === true ? "" : value);
    }
    element.append(...children.flat().filter((child) => child !== null && child !== undefined));
    return element;
  };

  /** A share of one as a reader reads it: "46 %", "0.3 %", "< 0.1 %", "0 %". */
  playground.percent = (share) =>
    share === 0 ? "0 %" : share >= 0.0995 ? `${Math.round(100 * share)} %` : share >= 0.001 ? `${(100 * share).toFixed(1)} %` : "< 0.1 %";

  if (typeof module !== "undefined") module.exports = playground;
  if (typeof document === "undefined") return;

  const here = new URL("./", document.currentScript.src).href;
  const loaded = new Map();

  /** Load one of our scripts, once. */
  playground.load = (file) => {
    if (!loaded.has(file)) {
      loaded.set(
        file,
        new Promise((resolve, reject) => {
          const script = document.createElement("script");
          script.onload = resolve;
          script.onerror = () => reject(new Error(`${file} could not be loaded`));
          script.src = here + file;
          document.head.append(script);
        }),
      );
      loaded.get(file).catch(() => loaded.delete(file)); // so that the reader may try again
    }
    return loaded.get(file);
  };

  const received = new Map(); // name -> the parts of its base64 that have come
  const extras = new Map();

  /** Called by the data scripts themselves. */
  playground.receive = (name, number, text, extra) => {
    if (!received.has(name)) received.set(name, []);
    received.get(name)[number] = text;
    if (extra) extras.set(name, extra);
  };

  /** How many bytes of scripts some names need that are not here yet. */
  playground.weight = (names) =>
    names.filter((name) => !received.has(name)).flatMap((name) => playground.manifest.sizes[name])
      .reduce((sum, size) => sum + size, 0);

  /** The bytes of a name, unpacked; `progress` is told the size of each part that has come. */
  playground.bytes = async (name, progress = () => {}) => {
    const sizes = playground.manifest.sizes[name];
    for (let number = 0; number < sizes.length; number++) {
      await playground.load(`${name}.${number}.js`);
      progress(sizes[number]);
    }
    const text = received.get(name).join("");
    const letters = atob(text);
    const packed = new Uint8Array(letters.length);
    for (let i = 0; i < packed.length; i++) packed[i] = letters.charCodeAt(i);
    received.set(name, []); // the text is needed no more
    const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
    return { data: await new Response(stream).arrayBuffer(), ...extras.get(name) };
  };

  /** Why this browser cannot run a model; empty where it can. */
  playground.cannot = () => {
    if (typeof WebAssembly === "undefined") return "This browser has no WebAssembly (or has it switched off)";
    if (typeof DecompressionStream === "undefined") return "This browser is too old to unpack the model";
    return "";
  };

  const start = async (box) => {
    const kind = box.dataset.playground;
    const needs = box.dataset.scripts.split(" ");
    for (const script of needs) await playground.load(script);
    const stage = box.querySelector(".play-stage");
    await playground.kinds[kind](stage, box);
    box.classList.add("is-live");
  };

  const offer = (box) => {
    const line = box.querySelector(".play-start");
    if (!line) return start(box); // needs no model: plays at once
    const why = playground.cannot();
    if (why) {
      line.textContent = `${why}, so what stands above is what the model said when the book was written.`;
      return null;
    }
    const said = playground.make("span", { class: "play-said", role: "status", "aria-live": "polite" });
    const bar = playground.make("progress", { class: "play-progress", max: 1, value: 0, "aria-label": "Loading", hidden: true });
    const button = line.querySelector("button");
    button.hidden = false;
    line.append(bar, said);
    button.addEventListener("click", async () => {
      button.disabled = true;
      bar.hidden = false;
      said.textContent = "Loading …";
      try {
        await playground.load("manifest.js");
        box.progress = (share, words) => {
          bar.value = share;
          said.textContent = words;
        };
        await start(box);
        line.hidden = true;
        box.querySelector(".play-recorded").hidden = true;
        box.querySelector(".play-stage :is(input, button, select)")?.focus({ preventScroll: true });
      } catch (error) {
        button.disabled = false;
        bar.hidden = true;
        said.textContent = `That did not work: ${error.message}. What stands above is recorded.`;
        throw error;
      }
    });
    return null;
  };

  const startAll = () => document.querySelectorAll(".playground").forEach(offer);
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", startAll);
  else startAll();
})(globalThis);
