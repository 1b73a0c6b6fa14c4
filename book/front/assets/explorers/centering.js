// Centering: the same schools with three zeros, and which coefficient is which.
(() => {
  "use strict";
  const { all, sum, weightedMean, format, percent, nearest, line, circle, text, axes, slider, choice, picture, handle, grab, status, glide } =
    globalThis.explorers;

  /** Slopes of a model with a random intercept, by generalised least squares from the schools' sums.
   *
   * `x`, `y`: the schools' means; `sxx`, `sxy`: sums of squares and products within schools; `tau00` and
   * `sigma2` are given. `times` makes every school so many times as large as it is.
   */
  function slopes({ n, x, y, sxx, sxy, tau00, sigma2 }, times = 1) {
    const weights = n.map((size) => 1 / (tau00 + sigma2 / (times * size)));
    const xBar = weightedMean(x, weights), yBar = weightedMean(y, weights);
    const informationBetween = sum(weights.map((w, j) => w * (x[j] - xBar) ** 2));
    const between = sum(weights.map((w, j) => w * (x[j] - xBar) * y[j])) / informationBetween;
    const informationWithin = (times * sxx) / sigma2;
    const within = sxy / sxx;
    const share = informationBetween / (informationBetween + informationWithin);
    const raw = (1 - share) * within + share * between;
    return { within, between, contextual: between - within, share, raw, xBar, yBar };
  }

  // The zero of SES in each school.
  const zero = { raw: () => 0, cgm: (data) => data.grandMean, cwc: (data, j) => data.x[j] };
  const NAMES = { raw: "raw SES", cgm: "SES minus the mean of all students", cwc: "SES minus the school's mean" };

  /** What the coefficients of a model are called, and their values. */
  function coefficients(data, centering, withMean, times = 1) {
    const s = slopes(centering === "cwc" || withMean ? { ...data, ...data.variances.both } : data, times);
    if (!withMean) return centering === "cwc" ? [["within", s.within]] : [["blend", s.raw]];
    return centering === "cwc" ? [["within", s.within], ["between", s.between]] : [["within", s.within], ["contextual", s.contextual]];
  }

  // What the slider makes of the size of the schools: from a thirtieth to thirty times as many students.
  const [LOW, HIGH, STEP] = [-1.5, 1.5, 0.05];
  const SIZES = Array.from({ length: Math.round((HIGH - LOW) / STEP) + 1 }, (_, i) => LOW + STEP * i);

  /** The value of the blend's line, and the slider's place at which it has this value. */
  function blendAt(data, x, times) {
    const { xBar, yBar, raw } = slopes(data, times);
    return yBar + (x - xBar) * raw;
  }
  const sizeFor = (data, x, value) => nearest(SIZES, (size) => blendAt(data, x, 10 ** size), value);

  function mount(box, shipped) {
    const data = { ...shipped, ...shipped.variances.raw };
    let centering = "raw", withMean = false, times = 1;
    let moved = data.x.map((_, j) => zero.raw(data, j)); // where the zero is drawn, on its way too
    const controls = box.appendChild(document.createElement("div"));
    controls.className = "ex-controls";
    choice(controls, { label: "Predictor", value: centering, options: Object.entries(NAMES),
      change: (value) => {
        centering = value;
        const from = moved, to = data.x.map((_, j) => zero[value](data, j));
        glide((share) => { moved = from.map((place, j) => place + share * (to[j] - place)); update(); });
      } });
    choice(controls, { label: "Second predictor", value: "none", options: [["none", "none"], ["mean", "the school's mean SES"]],
      change: (value) => { withMean = value === "mean"; update(); } });
    const size = slider(controls, { label: "Students in every school", min: LOW, max: HIGH, step: STEP, value: 0,
      say: (value) => (Math.abs(value) < 1e-9 ? "as in the data" : `${format(10 ** value, value < 0 ? 2 : 1)} times as many`),
      change: (value) => { times = 10 ** value; update(); } });

    // A few schools from all over the range show their lines within.
    const order = data.x.map((_, j) => j).sort((a, b) => data.x[a] - data.x[b]);
    const drawn = [4, 30, 60, 90, 120, 155].map((rank) => order[rank]);
    const REACH = 1.6; // where the line of the blend is grabbed
    let view;
    const { svg, redraw } = picture(box.appendChild(document.createElement("div")), {
      height: 360,
      label: "The means of 160 schools as rings, short lines within six schools, and the lines that belong to the model's coefficients.",
      draw(width, height) {
        const blend = centering !== "cwc" && !withMean;
        const frame = view = axes({ width, height, x: [-2, 2], y: [3, 21], xLabel: centering === "raw" ? "SES" : "SES, centered",
          yLabel: "Achievement", xTicks: 4, hint: blend ? "drag the large dot" : "" });
        const s = slopes(data, times);
        const both = slopes({ ...data, ...data.variances.both }, times);
        const at = (j) => data.x[j] - moved[j];
        const segment = (x0, y0, slope, reach, kind) => line(frame.x(x0 - reach), frame.y(y0 - slope * reach), frame.x(x0 + reach),
          frame.y(y0 + slope * reach), kind);
        const schools = data.x.map((_, j) => circle(frame.x(at(j)), frame.y(data.y[j]), 3, "ex-ring")).join("");
        const lines = drawn.map((j) => circle(frame.x(at(j)), frame.y(data.y[j]), 4, "ex-dot-red") +
          segment(at(j), data.y[j], both.within, 0.6, "ex-red")).join("");
        const shift = centering === "raw" ? 0 : data.grandMean;
        const wide = centering === "cwc" ? "" : (withMean ? segment(both.xBar - shift, both.yBar, both.between, 1.3, "ex-blue") +
          text(frame.x(both.xBar - shift + 1.25), frame.y(both.yBar + both.between * 1.0) + 18, "between", "ex-words-blue", "end")
          : segment(s.xBar - shift, s.yBar, s.raw, 2, "ex-ink") +
          text(frame.x(1.95), frame.y(s.yBar + 1.6 * s.raw) - 14, "blend", "", "end"));
        return frame.marks + frame.inside(line(frame.x(0), frame.y(3), frame.x(0), frame.y(21), "ex-average") + schools + lines + wide) +
          (blend ? handle(frame.x(REACH - shift), frame.y(blendAt(data, REACH, times)), "blend") : "");
      },
    });
    grab(svg, (_, y) => {
      size.value = sizeFor(data, REACH, view.invert(y));
      times = 10 ** size.value;
      update();
    });
    const say = status(box);

    function update() {
      redraw();
      const found = coefficients(data, centering, withMean, times);
      const second = found[1] ? `, that of the school's mean is the ${found[1][0]} effect, ${format(found[1][1])}` : "";
      const { share } = slopes(data, times);
      const first = found[0][0] === "blend"
        ? `The slope of ${NAMES[centering]} is a blend, ${format(found[0][1])}: the between effect has a weight of ${percent(share)}`
        : `The slope of ${NAMES[centering]} is the within effect, ${format(found[0][1])}`;
      const picture = centering === "cwc" ? " All schools stand at zero: what tells rich schools from poor ones is gone from the predictor" +
        (withMean ? ", and kept by the second one." : ".") : "";
      say(`${first}${second}.${picture}`);
    }
    update();
  }

  all.centering = { slopes, coefficients, blendAt, sizeFor, mount };
})();
