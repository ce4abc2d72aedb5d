/* A plane with points that are dragged by mouse or finger, or moved with the arrow keys. */

(function (root) {
  const playground = (root.playground = root.playground || {});
  const NAMESPACE = "http://www.w3.org/2000/svg";
  const [SIZE, REACH] = [320, 3.2]; // pixels of the drawing; its edge in units

  const svg = (name, attributes = {}, ...children) => {
    const element = document.createElementNS(NAMESPACE, name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    element.append(...children);
    return element;
  };
  const toPixels = ([x, y]) => [((x + REACH) / (2 * REACH)) * SIZE, ((REACH - y) / (2 * REACH)) * SIZE];
  const within = (value) => Math.max(-REACH + 0.2, Math.min(REACH - 0.2, value));
  const near = (value) => Math.round(value * 10) / 10;

  /** A plane. `points`: `{ name, place: [x, y], kind, label, fixed, hidden }`; `moved(point)` is called
      after each move. `draw()` shows what has changed. */
  function plane(points, { title, moved }) {
    const drawing = svg("svg", { viewBox: `0 0 ${SIZE} ${SIZE}`, class: "play-plane", role: "group", "aria-label": title });
    const middle = SIZE / 2;
    drawing.append(
      svg("line", { x1: 0, y1: middle, x2: SIZE, y2: middle, class: "play-axis" }),
      svg("line", { x1: middle, y1: 0, x2: middle, y2: SIZE, class: "play-axis" }),
    );
    const draws = points.map((point) => {
      const stem = svg("line", { x1: middle, y1: middle, class: `play-stem is-${point.kind}` });
      const shape = point.kind === "query" || point.kind === "mix"
        ? svg("path", { d: "M0,-10 L10,0 L0,10 L-10,0 Z" })
        : svg("circle", { r: 9 });
      const label = svg("text", { x: 13, y: 5 });
      const hit = svg("circle", { r: 20, class: "play-hit" });
      const group = svg("g", { class: `play-point is-${point.kind}` }, hit, shape, label);
      if (!point.fixed) {
        group.setAttribute("tabindex", "0");
        group.setAttribute("role", "slider");
        group.setAttribute("aria-valuemin", -REACH);
        group.setAttribute("aria-valuemax", REACH);
        const put = (x, y) => {
          point.place = [near(within(x)), near(within(y))];
          moved(point);
        };
        group.addEventListener("keydown", (event) => {
          const step = { ArrowLeft: [-0.2, 0], ArrowRight: [0.2, 0], ArrowUp: [0, 0.2], ArrowDown: [0, -0.2] }[event.key];
          if (!step) return;
          event.preventDefault();
          put(point.place[0] + step[0], point.place[1] + step[1]);
        });
        group.addEventListener("pointerdown", (event) => {
          event.preventDefault();
          group.focus();
          group.setPointerCapture(event.pointerId);
        });
        group.addEventListener("pointermove", (event) => {
          if (!group.hasPointerCapture(event.pointerId)) return;
          const box = drawing.getBoundingClientRect();
          put(((event.clientX - box.left) / box.width) * 2 * REACH - REACH, REACH - ((event.clientY - box.top) / box.height) * 2 * REACH);
        });
      }
      drawing.append(stem, group);
      return { point, stem, group, label };
    });
    const draw = () => {
      for (const { point, stem, group, label } of draws) {
        const [x, y] = toPixels(point.place);
        for (const element of [stem, group]) element.classList.toggle("is-hidden", Boolean(point.hidden));
        stem.setAttribute("x2", x);
        stem.setAttribute("y2", y);
        group.setAttribute("transform", `translate(${x},${y})`);
        label.textContent = point.label;
        // Below what asks and what comes out, above the rest: they often lie on one another.
        const beneath = point.kind === "query" || point.kind === "mix";
        const half = 4.5 * point.label.length;
        label.setAttribute("text-anchor", "middle");
        label.setAttribute("x", Math.max(half - x, Math.min(0, SIZE - half - x)));
        label.setAttribute("y", beneath ? 27 : -15);
        if (!point.fixed) {
          const text = point.place.map((value) => value.toFixed(1)).join(", ");
          group.setAttribute("aria-label", `${point.name}: the arrow keys move it`);
          group.setAttribute("aria-valuenow", point.place[0]);
          group.setAttribute("aria-valuetext", text);
        }
      }
    };
    draw();
    return { element: drawing, draw };
  }

  playground.plane = plane;
})(globalThis);
