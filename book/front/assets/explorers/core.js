// What the explorers share: arithmetic, drawing, controls, and the start on a page.
//
// A classic script, not a module: a page opened from disk may not import modules. Each explorer adds
// itself to `explorers.all`; its arithmetic needs no page and is tested in node.
(() => {
  "use strict";
  const explorers = (globalThis.explorers ??= { all: {} });

  // ---- arithmetic

  const sum = (values) => values.reduce((total, value) => total + value, 0);

  /** The mean of `values`, weighted. */
  const weightedMean = (values, weights) => sum(values.map((v, i) => v * weights[i])) / sum(weights);

  /** A generator of numbers in [0, 1) that repeats for the same seed (mulberry32). */
  function uniform(seed) {
    let a = seed >>> 0;
    return () => {
      a = (a + 0x6d2b79f5) | 0;
      let t = Math.imul(a ^ (a >>> 15), 1 | a);
      t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
      return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
    };
  }

  /** Standard normal draws by Box and Muller's transformation. */
  function normal(random) {
    return () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  }

  /** Logarithm of the gamma function (Lanczos, g = 7, nine terms). */
  function lnGamma(x) {
    const c = [0.99999999999980993, 676.5203681218851, -1259.1392167224028, 771.32342877765313, -176.61502916214059,
      12.507343278686905, -0.13857109526572012, 9.9843695780195716e-6, 1.5056327351493116e-7];
    if (x < 0.5) return Math.log(Math.PI / Math.sin(Math.PI * x)) - lnGamma(1 - x);
    const t = x + 6.5;
    const series = c.reduce((total, term, i) => total + (i ? term / (x - 1 + i) : term), 0);
    return 0.5 * Math.log(2 * Math.PI) + (x - 0.5) * Math.log(t) - t + Math.log(series);
  }

  /** The regularised incomplete beta function, by its continued fraction (Lentz). */
  function betaRatio(x, a, b) {
    if (x <= 0 || x >= 1) return x <= 0 ? 0 : 1;
    if (x > (a + 1) / (a + b + 2)) return 1 - betaRatio(1 - x, b, a);
    const tiny = 1e-300;
    let c = 1, d = 1 / (1 - ((a + b) * x) / (a + 1) || tiny), h = d;
    for (let m = 1; m < 1000; m++) {
      for (const term of [(m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m)),
        (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1))]) {
        d = 1 / (1 + term * d || tiny);
        c = 1 + term / c || tiny;
        h *= c * d;
      }
      if (Math.abs(c * d - 1) < 1e-14) break;
    }
    return (h * Math.exp(lnGamma(a + b) - lnGamma(a) - lnGamma(b) + a * Math.log(x) + b * Math.log1p(-x))) / a;
  }

  /** The two-sided p value of Student's t; of the normal distribution for df = Infinity. */
  function twoSided(t, df) {
    if (df === Infinity) return twoSided(t, 1e9);
    return betaRatio(df / (df + t * t), df / 2, 0.5);
  }

  /** The t beyond which a two-sided p value is below `level`. */
  function critical(df, level = 0.05) {
    let low = 0, high = 1e4;
    for (let i = 0; i < 100; i++) {
      const middle = (low + high) / 2;
      if (twoSided(middle, df) > level) low = middle;
      else high = middle;
    }
    return (low + high) / 2;
  }

  // ---- words and numbers

  const format = (value, digits = 2) => {
    const text = value.toFixed(digits);
    return (Number(text) === 0 ? text.replace("-", "") : text).replace("-", "\u2212");
  };
  const percent = (share, digits = 0) => `${format(100 * share, digits)} %`;
  const escape = (text) =>
    String(text).replace(/[&<>"]/g, (c) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[c]);

  // ---- drawing

  const scale = ([a, b], [c, d]) => (value) => c + ((value - a) / (b - a)) * (d - c);

  /** The one of `values` for which `result` is nearest to `wanted`. */
  const nearest = (values, result, wanted) =>
    values.reduce((best, value) => (Math.abs(result(value) - wanted) < Math.abs(result(best) - wanted) ? value : best));

  /** Round values that divide [low, high] in about `count` steps. */
  function ticks([low, high], count = 5) {
    const rough = (high - low) / count;
    const power = 10 ** Math.floor(Math.log10(rough));
    const step = power * [1, 2, 5, 10].find((factor) => factor * power >= rough * 0.999);
    const values = [];
    for (let k = Math.ceil(low / step - 1e-9); k * step <= high + 1e-9 * step; k++) values.push(k * step);
    return { values, digits: Math.max(0, -Math.floor(Math.log10(step) + 1e-9)) };
  }

  const tag = (name, attributes, content = "") =>
    `<${name}${Object.entries(attributes).map(([key, value]) =>
      ` ${key}="${escape(typeof value === "number" ? Math.round(value * 100) / 100 : value)}"`).join("")}>${content}</${name}>`;

  const line = (x1, y1, x2, y2, kind) => tag("line", { x1, y1, x2, y2, class: kind });
  const circle = (cx, cy, r, kind, more = {}) => tag("circle", { cx, cy, r, class: kind, ...more });
  const text = (x, y, words, kind = "", anchor = "start") =>
    tag("text", { x, y, class: kind, "text-anchor": anchor }, escape(words));
  const path = (points, kind, close = false) =>
    tag("path", { d: points.map(([x, y], i) => `${i ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`).join("") + (close ? "Z" : ""),
      class: kind });

  /** A frame with axes: the scales, and the marks to begin a picture with. */
  function axes({ width, height, x, y, xLabel, yLabel, left = 44, top = 22, right = 8, bottom = 40, xTicks = 5, yTicks = 5, hint = "" }) {
    const toX = scale(x, [left, width - right]), toY = scale(y, [height - bottom, top]);
    const base = height - bottom;
    const xs = xTicks ? ticks(x, xTicks) : { values: [] }, ys = ticks(y, yTicks);
    const marks = line(left, base, width - right, base, "ex-axis") + line(left, base, left, top, "ex-axis") +
      xs.values.map((v) => line(toX(v), base, toX(v), base + 4, "ex-axis") +
        text(toX(v), base + 16, format(v, xs.digits), "", "middle")).join("") +
      ys.values.map((v) => line(left - 4, toY(v), left, toY(v), "ex-axis") +
        text(left - 7, toY(v) + 4, format(v, ys.digits), "", "end")).join("") +
      text((left + width - right) / 2, height - 6, xLabel, "", "middle") + text(4, 13, yLabel) + text(width - right, 13, hint, "ex-hint", "end");
    // What lies outside the axes is cut off: a picture within the picture, in the same coordinates.
    const inside = (content) => tag("svg", { x: left, y: top, width: width - right - left, height: base - top,
      viewBox: `${left} ${top} ${width - right - left} ${base - top}` }, content);
    return { x: toX, y: toY, invert: scale([base, top], y), marks, inside };
  }

  // ---- the page

  /** An element with attributes and children. */
  function element(name, attributes = {}, ...children) {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.append(...children);
    return made;
  }

  let serial = 0;
  const newId = () => `explorer-${++serial}`;
  const calm = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

  /** A labelled slider. `say` puts its value into words, for the eye and for a screen reader. */
  function slider(parent, { label, min, max, step, value, say, change }) {
    const id = newId();
    const input = element("input", { type: "range", id, min, max, step, value });
    const shown = element("span", { class: "ex-value", "aria-hidden": "true" });
    const show = () => {
      shown.textContent = say(Number(input.value));
      input.setAttribute("aria-valuetext", shown.textContent);
    };
    input.addEventListener("input", () => {
      const { value } = input;
      settle();
      input.value = value;
      show();
      change(Number(value));
    });
    parent.append(element("div", { class: "ex-control" }, element("label", { for: id }, label), input, shown));
    show();
    return {
      input,
      get value() { return Number(input.value); },
      set value(wanted) { input.value = wanted; show(); },
      bounds(low, high) { input.min = low; input.max = high; show(); },
    };
  }

  /** A labelled list to choose from; options are [value, words]. */
  function select(parent, { label, options, value, change }) {
    const id = newId();
    const input = element("select", { id, class: "ex-select" },
      ...options.map(([key, words]) => element("option", { value: key }, words)));
    input.value = value;
    input.addEventListener("change", () => change(input.value));
    parent.append(element("div", { class: "ex-control" }, element("label", { for: id }, label), input));
    return input;
  }

  /** A group of radio buttons; options are [value, words]. */
  function choice(parent, { label, options, value, change }) {
    const name = newId();
    const group = element("fieldset", { class: "ex-choice" }, element("legend", {}, label));
    for (const [key, words] of options) {
      const input = element("input", { type: "radio", name, value: key });
      input.checked = key === value;
      input.addEventListener("change", () => change(key));
      group.append(element("label", {}, input, " " + words));
    }
    parent.append(group);
    return { set value(key) { for (const input of group.querySelectorAll("input")) input.checked = input.value === key; } };
  }

  function button(parent, words, press) {
    const made = element("button", { type: "button", class: "ex-button" }, words);
    made.addEventListener("click", press);
    parent.append(made);
    return made;
  }

  /** A picture as wide as its place: `draw(width, height)` returns its marks, and is asked again when the width changes. */
  function picture(parent, { label, height, draw }) {
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    svg.setAttribute("role", "img");
    svg.setAttribute("aria-label", label);
    svg.setAttribute("class", "ex-picture");
    parent.append(svg);
    const redraw = () => {
      const width = Math.max(200, Math.floor(parent.clientWidth));
      svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
      svg.setAttribute("height", height);
      svg.innerHTML = draw(width, height);
    };
    // The first report comes when the picture has its width.
    let width;
    new ResizeObserver(() => parent.clientWidth !== width && ((width = parent.clientWidth), redraw())).observe(parent);
    return { svg, redraw };
  }

  /** What readers can grab in a picture: `thing` is what `grab` is told. */
  const grip = (x, y, r, thing, kind = "") => circle(x, y, r, `ex-target ${kind}`, { "data-grab": thing });
  const handle = (x, y, thing) => circle(x, y, 6, "ex-handle") + grip(x, y, 16, thing);

  /** Let readers grab a picture's grips: `move(thing, y)` is told where one is moved to, `take(thing)` which one was touched.
   *
   * With a mouse, pen or finger; of a crowd (`ex-tap`) a finger taps one and drags none, or it could not scroll
   * the page. What can be moved so has a control for the keyboard as well. Nothing is
   * redrawn before the finger moves or leaves: an element that is gone can't keep the page from scrolling.
   */
  function grab(svg, move, take = () => {}) {
    let held;
    svg.addEventListener("pointerdown", ({ target, pointerId, pointerType, button }) => {
      if (button || (pointerType === "touch" && target.classList.contains("ex-tap"))) return;
      held = target.dataset.grab;
      if (held !== undefined) svg.setPointerCapture(pointerId);
    });
    svg.addEventListener("touchstart", (event) => held !== undefined && event.preventDefault(), { passive: false }); // nor scrolls the page
    svg.addEventListener("pointermove", ({ clientY }) => {
      if (held === undefined) return;
      settle();
      const { top, height } = svg.getBoundingClientRect();
      move(held, ((clientY - top) / height) * svg.viewBox.baseVal.height);
    });
    svg.addEventListener("click", ({ target }) => target.dataset.grab !== undefined && take(target.dataset.grab));
    for (const end of ["pointerup", "pointercancel", "lostpointercapture"]) svg.addEventListener(end, () => {
      if (held !== undefined) take(held);
      held = undefined;
    });
  }

  /** The result in words. Shown with the picture; announced politely, and not before the reader has paused. */
  function status(parent) {
    const place = element("p", { class: "ex-status", role: "status" });
    const shown = element("p", { class: "ex-words", "aria-hidden": "true" });
    parent.append(shown, place);
    let timer, first = true;
    return (words) => {
      shown.textContent = words;
      clearTimeout(timer);
      if (first) place.textContent = words;
      else timer = setTimeout(() => (place.textContent = words), 200);
      first = false;
    };
  }

  let settle = () => {}; // ends the motion under way

  /** Call `step` with 0 to 1 over half a second; with 1 at once for readers who prefer reduced motion, or who act meanwhile. */
  function glide(step) {
    settle();
    if (calm()) return step(1);
    let start;
    settle = () => {
      settle = () => {};
      start = Infinity;
      step(1);
    };
    const frame = (now) => {
      start ??= now;
      const share = (now - start) / 500;
      if (share >= 1) settle();
      if (!(share >= 0 && share < 1)) return;
      step(share * share * (3 - 2 * share));
      requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
  }

  function start() {
    for (const box of document.querySelectorAll(".explorer")) {
      const { mount } = explorers.all[box.dataset.explorer] ?? {};
      if (!mount) continue;
      const live = element("div", { class: "ex-live" });
      box.append(live);
      box.querySelector(".explorer-try").hidden = false;
      box.classList.add("ex-running");
      mount(live, JSON.parse(box.querySelector("script").textContent));
    }
  }

  Object.assign(explorers, { sum, weightedMean, uniform, normal, lnGamma, twoSided, critical, format, percent, escape, scale, nearest, ticks,
    tag, line, circle, text, path, axes, element, slider, select, choice, button, picture, grip, handle, grab, status, glide, calm });
  if (typeof document !== "undefined") {
    // Deferred scripts have all run before this event.
    document.readyState === "complete" ? start() : addEventListener("DOMContentLoaded", start);
  }
})();
