/* Predictions and quizzes: choose, then see. What was chosen stays in this browser, under one key.
   The pure parts are exported for `node --test`; the page's part runs only where there is a page. */

const KEY = "minibert-course";

/** An empty record: answers by "page#question", and what the exercises' progress file said. */
function emptyRecord() {
  return { version: 1, answers: {}, exercises: {} };
}

/** Read a record from text; anything that is none gives an empty one. */
function readRecord(text) {
  try {
    const found = JSON.parse(text);
    if (found && found.version === 1 && found.answers && typeof found.answers === "object") {
      return { ...emptyRecord(), ...found };
    }
  } catch (error) {
    /* not JSON: as if there were none */
  }
  return emptyRecord();
}

/** Which option a typed number is: within the tolerance of its value; -1 for none. */
function optionOfNumber(typed, values, tolerance) {
  const number = Number(String(typed).trim().replace(",", "."));
  if (String(typed).trim() === "" || Number.isNaN(number)) return -1;
  const distances = values.map((value) => Math.abs(Number(value) - number));
  const nearest = distances.indexOf(Math.min(...distances));
  return distances[nearest] <= tolerance + 1e-12 ? nearest : -1;
}

/** Whether what was chosen is exactly what is right. */
function isRight(chosen, right) {
  return chosen.length === right.length && right.every((one) => chosen.includes(one));
}

/** How many of a page's questions have an answer; "just show me" (an empty list) counts as none. */
function answered(record, page, names) {
  return names.filter((name) => (record.answers[`${page}#${name}`] || []).length > 0).length;
}

/** What an exercises' progress file says: ids of passed tasks. Throws for another file. */
function passedTasks(text) {
  const entries = JSON.parse(text);
  const ids = Object.entries(entries).filter(([, e]) => e && typeof e === "object" && "passed" in e);
  if (ids.length === 0) throw new Error("no progress file of the exercises");
  return ids.filter(([, entry]) => entry.passed).map(([id]) => id);
}

if (typeof module !== "undefined") {
  module.exports = { emptyRecord, readRecord, optionOfNumber, isRight, answered, passedTasks };
}

if (typeof document !== "undefined") {
  let memory = null; // where the browser keeps nothing (private windows), the page remembers
  const load = () => {
    try {
      return readRecord(localStorage.getItem(KEY));
    } catch (error) {
      return memory || emptyRecord();
    }
  };
  const save = (record) => {
    memory = record;
    try {
      localStorage.setItem(KEY, JSON.stringify(record));
    } catch (error) {
      /* kept in memory only */
    }
    document.dispatchEvent(new CustomEvent("course-progress"));
  };

  // At once, before anything is drawn: what a prediction covers must not flash up.
  document.documentElement.classList.add("asks");

  const make = (name, attributes = {}, text = "") => {
    const element = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    element.textContent = text;
    return element;
  };

  const start = () => {
    const data = document.getElementById("course-questions");
    if (!data) return;
    const { page, questions } = JSON.parse(data.textContent);
    for (const box of document.querySelectorAll("fieldset.question")) new Box(box, page);
    drawProgress(page, questions);
    document.addEventListener("course-progress", () => drawProgress(page, questions));
  };

  class Box {
    constructor(box, page) {
      this.box = box;
      this.id = `${page}#${box.dataset.key}`;
      Object.assign(this, JSON.parse(box.dataset.settings)); // kind, right, tolerance, values
      this.covered = document.querySelectorAll(`.covered-by-${box.dataset.name}`);
      this.answers = document.querySelector(`.answers[data-for="${box.dataset.name}"]`);
      this.inputs = [...box.querySelectorAll("input")];
      this.said = make("p", { class: "said", role: "status", "aria-live": "polite" });
      box.append(this.buttons(), this.said);
      const details = this.answers.querySelector("details");
      if (details) details.replaceWith(...[...details.children].slice(1)); // the script folds them
      this.answers.hidden = true;
      const before = load().answers[this.id];
      if (before) this.show(before, false);
    }

    buttons() {
      const line = make("p", { class: "question-buttons" });
      if (this.tolerance !== null) {
        for (const option of this.box.querySelectorAll(".option")) option.hidden = true;
        const name = `number-${this.box.dataset.name}`;
        this.number = make("input", { id: name, inputmode: "decimal", autocomplete: "off" });
        line.append(make("label", { for: name }, "Your number: "), this.number, " ");
        this.number.addEventListener("keydown", (event) => {
          if (event.key === "Enter") this.check();
        });
      }
      if (this.tolerance !== null || this.right.length > 1) {
        const check = make("button", { type: "button", class: "check" }, "Check");
        check.addEventListener("click", () => this.check());
        line.append(check, " ");
      } else {
        for (const input of this.inputs) input.addEventListener("change", () => this.check());
      }
      const text = this.kind === "predict" ? "Just show me" : "Show the answers";
      this.giveUp = make("button", { type: "button", class: "give-up" }, text);
      this.giveUp.addEventListener("click", () => this.choose([]));
      line.append(this.giveUp);
      return line;
    }

    check() {
      if (this.tolerance !== null) {
        const option = optionOfNumber(this.number.value, this.values, this.tolerance);
        if (option >= 0) this.choose([option]);
        else if (this.number.value.trim()) {
          this.said.textContent = "Not that, and not a usual mistake either. Try again, or let it show you.";
        }
        return;
      }
      const chosen = this.inputs.filter((one) => one.checked).map((one) => Number(one.value));
      if (chosen.length) this.choose(chosen);
    }

    choose(chosen) {
      const record = load();
      // A prediction is a commitment: the first counts. A quiz may be answered again.
      if (this.kind === "quiz" || !record.answers[this.id]) {
        record.answers[this.id] = chosen;
        save(record);
      }
      this.show(chosen, true);
    }

    show(chosen, now) {
      const right = isRight(chosen, this.right);
      const done = this.kind === "predict" || right || chosen.length === 0;
      for (const input of this.inputs) {
        const number = Number(input.value);
        input.checked = chosen.includes(number);
        const option = input.closest(".option");
        option.classList.toggle("chosen", input.checked);
        option.classList.toggle("right", done && this.right.includes(number));
        if (this.kind === "predict") input.disabled = true;
      }
      for (const cell of this.covered) cell.classList.add("uncovered");
      this.answers.hidden = false;
      for (const answer of [...this.answers.querySelectorAll(".answer")]) {
        const number = [...this.answers.querySelectorAll(".answer")].indexOf(answer);
        answer.classList.toggle("chosen", chosen.includes(number));
        answer.hidden = !done && !chosen.includes(number);
      }
      if (this.kind === "predict") this.giveUp.hidden = true;
      const words = { predict: ["You saw it coming.", "Not what happened: see below."] };
      const [good, bad] = words[this.kind] || ["Right.", "Not quite: read on, and choose again."];
      this.said.textContent = chosen.length === 0 ? "" : right ? good : bad;
      this.box.classList.toggle("is-right", chosen.length > 0 && right);
      this.box.classList.toggle("is-wrong", chosen.length > 0 && !right);
      if (now && this.covered.length) {
        this.covered[0].scrollIntoView({ block: "nearest", behavior: "smooth" });
      }
    }
  }

  /** "3/7" behind each page of the navigation in which something was answered. */
  const drawProgress = (page, questions) => {
    const record = load();
    const root = new URL(document.documentElement.dataset.content_root || "./", document.baseURI);
    for (const link of document.querySelectorAll(".bd-sidebar-primary .bd-links a[href]")) {
      const name = link.href.split("#")[0].replace(root.href, "").replace(/\.html$/, "");
      const names = questions[link.getAttribute("href") === "#" ? page : name];
      link.querySelector(".course-done")?.remove();
      const done = names ? answered(record, link.getAttribute("href") === "#" ? page : name, names) : 0;
      if (!done) continue;
      const words = `${done} of ${names.length} questions answered`;
      link.append(make("span", { class: "course-done", title: words }, ` ${done}/${names.length}`));
    }
    const panel = document.getElementById("course-progress");
    if (panel) drawPanel(panel, record, questions);
  };

  const drawPanel = (panel, record, questions) => {
    const total = Object.values(questions).flat().length;
    const done = Object.entries(questions).reduce((n, [page, names]) => n + answered(record, page, names), 0);
    const tasks = record.exercises.passed || [];
    const line = make("p", {}, `Answered here: ${done} of ${total} questions. `);
    if (tasks.length) line.append(`Exercises passed: ${tasks.length} (from your progress file).`);
    const buttons = make("p");
    const keep = make("button", { type: "button" }, "Save my answers to a file");
    keep.addEventListener("click", () => {
      const text = JSON.stringify(load(), null, 1);
      const link = make("a", { download: "minibert-answers.json" });
      link.href = URL.createObjectURL(new Blob([text], { type: "application/json" }));
      link.click();
      URL.revokeObjectURL(link.href);
    });
    const drop = make("button", { type: "button" }, "Erase my answers");
    drop.addEventListener("click", () => {
      if (window.confirm("Erase every answer that this browser holds for the course?")) {
        save(emptyRecord());
        window.location.reload();
      }
    });
    const label = make("label", {}, "Read a file: answers saved here, or exercises/.progress.json ");
    const file = make("input", { type: "file", accept: ".json,application/json" });
    label.append(file);
    const said = make("p", { role: "status", "aria-live": "polite" });
    file.addEventListener("change", () => file.files[0] && take(file.files[0], said));
    buttons.append(keep, " ", drop);
    panel.replaceChildren(line, buttons, label, said);
    panel.ondragover = (event) => event.preventDefault();
    panel.ondrop = (event) => {
      event.preventDefault();
      if (event.dataTransfer.files[0]) take(event.dataTransfer.files[0], said);
    };
  };

  const take = async (file, said) => {
    const text = await file.text();
    const record = load();
    try {
      const saved = readRecord(text);
      if (Object.keys(saved.answers).length) save({ ...record, answers: { ...record.answers, ...saved.answers } });
      else save({ ...record, exercises: { passed: passedTasks(text) } });
    } catch (error) {
      said.textContent = `${file.name} is neither answers that were saved here nor the exercises' .progress.json.`;
    }
  };

  if (document.readyState === "loading") {
    document.addEventListener("DOMContentLoaded", () => {
      try {
        start();
      } catch (error) {
        document.documentElement.classList.remove("asks"); // a page that cannot ask hides nothing
        throw error;
      }
    });
  } else start();
}
