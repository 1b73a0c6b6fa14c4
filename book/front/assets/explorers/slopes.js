// Intercepts and slopes: schools drawn from a bivariate normal distribution.
(() => {
  "use strict";
  const { all, uniform, normal, format, line, circle, text, path, axes, slider, button, picture, handle, grab, status,
    glide } =
    globalThis.explorers;

  /** Residuals (u0, u1) of a school, from two independent standard normal draws. */
  function residuals([z0, z1], { tau00, tau01, tau11 }) {
    const u0 = Math.sqrt(tau00) * z0;
    if (tau00 === 0) return [0, Math.sqrt(tau11) * z1];
    const rest = Math.max(0, tau11 - (tau01 * tau01) / tau00);
    return [u0, (tau01 / tau00) * u0 + Math.sqrt(rest) * z1];
  }

  /** The variance of achievement at x: between schools, and in all. */
  function variance(x, { tau00, tau01, tau11, sigma }) {
    const between = tau00 + 2 * tau01 * x + tau11 * x * x;
    return { between, total: between + sigma * sigma };
  }

  /** How far the covariance can go. */
  const limit = ({ tau00, tau11 }) => Math.sqrt(tau00 * tau11);
  const correlation = (p) => (limit(p) > 0 ? p.tau01 / limit(p) : NaN);

  /** Where the lines are closest together; undefined without variance of the slopes. */
  const narrowest = ({ tau01, tau11 }) => (tau11 > 0 ? -tau01 / tau11 : undefined);

  /** The variance, of intercepts for x = 0 and else of slopes, with which the line of a school has the value y at x. */
  function varianceThrough([z0, z1], x, y, { gamma00, gamma10, tau00, tau01 }) {
    if (x === 0) return Math.max(0, (y - gamma00) / z0) ** 2;
    const u0 = Math.sqrt(tau00) * z0, ratio = tau00 > 0 ? tau01 / tau00 : 0;
    return ratio * tau01 + Math.max(0, ((y - gamma00 - u0) / x - gamma10 - ratio * u0) / z1) ** 2;
  }

  function draw(seed, count) {
    const z = normal(uniform(seed));
    return Array.from({ length: count }, () => [z(), z()]);
  }

  function mount(box, estimate) {
    const { gamma00, gamma10 } = estimate;
    let p = { ...estimate };
    let seed = 1;
    let draws = draw(seed, 60);
    const controls = box.appendChild(document.createElement("div"));
    controls.className = "ex-controls";
    const set = (name) => (value) => {
      p[name] = value;
      const most = limit(p);
      p.tau01 = Math.max(-most, Math.min(most, p.tau01));
      inputs.tau01.bounds(-most, most);
      inputs.tau01.value = p.tau01;
      update();
    };
    const root = (unit) => (value) => `${format(value)} (SD ${format(Math.sqrt(value))} ${unit})`;
    const inputs = {};
    inputs.tau00 = slider(controls, { label: "Variance of intercepts, τ₀₀", min: 0, max: 20, step: 0.01, value: p.tau00,
      say: root("points"), change: set("tau00") });
    inputs.tau11 = slider(controls, { label: "Variance of slopes, τ₁₁", min: 0, max: 6, step: 0.01, value: p.tau11,
      say: root("points"), change: set("tau11") });
    inputs.tau01 = slider(controls, { label: "Covariance, τ₀₁", min: -limit(p), max: limit(p), step: "any", value: p.tau01,
      say: () => `${format(p.tau01)} (${limit(p) > 0 ? "correlation " + format(correlation(p)) : "must be 0"})`,
      change: set("tau01") });
    // A step of its own for the arrow keys: `step="any"` leaves it to the browser.
    inputs.tau01.input.addEventListener("keydown", (event) => {
      const way = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1 }[event.key];
      if (!way) return;
      event.preventDefault();
      set("tau01")(p.tau01 + (way * limit(p)) / 20);
    });
    inputs.sigma = slider(controls, { label: "SD within schools, σ", min: 0, max: 12, step: 0.01, value: p.sigma,
      say: (value) => `${format(value)} points`, change: set("sigma") });
    const show = (values) => {
      p = { ...p, ...values };
      inputs.tau01.bounds(-limit(p), limit(p));
      for (const name of ["tau00", "tau11", "tau01", "sigma"]) inputs[name].value = p[name];
    };
    const buttons = controls.appendChild(document.createElement("div"));
    buttons.className = "ex-buttons";
    const goTo = (target) => {
      const from = p;
      glide((share) => {
        show(Object.fromEntries(Object.keys(estimate).map((key) => [key, from[key] + share * (target[key] - from[key])])));
        update();
      });
    };
    button(buttons, "As estimated", () => goTo(estimate));
    button(buttons, "Same slope everywhere", () => goTo({ ...p, tau11: 0, tau01: 0 }));
    button(buttons, "Higher means steeper", () => goTo({ ...p, tau00: estimate.tau00, tau11: 3, tau01: 0.9 * Math.sqrt(3 * estimate.tau00) }));
    button(buttons, "Draw other schools", () => { draws = draw(++seed, 60); update(); });

    const pictures = box.appendChild(document.createElement("div"));
    pictures.className = "ex-pictures";
    const place = () => pictures.appendChild(document.createElement("div"));
    const X = [-2, 2];
    // The line to grab: at SES 0 it moves the intercepts of all, farther out their slopes. Like all, it is drawn anew.
    const HANDLES = { tau00: 0, tau11: 1.5 };
    const far = ([z0, z1]) => Math.hypot(z0 - 1.2, z1 - 1.2);
    const mine = () => draws.reduce((best, z) => (far(z) < far(best) ? z : best));
    let view;
    const lines = picture(place(), {
      height: 230,
      label: "The lines of 60 schools drawn from the distribution, one of them with handles, and the average line.",
      draw(width, height) {
        const frame = view = axes({ width, height, x: X, y: [-4, 30], xLabel: "SES", yLabel: "Achievement", xTicks: 4,
          hint: "drag a large dot" });
        const [m0, m1] = residuals(mine(), p), a = gamma00 + m0, b = gamma10 + m1;
        const one = (a, b, kind) => line(frame.x(X[0]), frame.y(a + b * X[0]), frame.x(X[1]), frame.y(a + b * X[1]), kind);
        return frame.marks + frame.inside(draws.map((z) => residuals(z, p))
          .map(([u0, u1]) => one(gamma00 + u0, gamma10 + u1, "ex-line")).join("") + one(gamma00, gamma10, "ex-red") + one(a, b, "ex-ink")) +
          Object.entries(HANDLES).map(([name, x]) => handle(frame.x(x), frame.y(a + b * x), name)).join("");
      },
    });
    grab(lines.svg, (name, y) => {
      inputs[name].value = varianceThrough(mine(), HANDLES[name], view.invert(y), p);
      set(name)(inputs[name].value);
    });
    const cloud = picture(place(), {
      height: 230,
      label: "Each school's residuals of intercept and slope, with the ellipse that holds 95 % of schools and, dashed, the one estimated from the data.",
      draw(width, height) {
        const frame = axes({ width, height, x: [-10, 10], y: [-5, 5], xLabel: "Intercept, u₀", yLabel: "Slope, u₁", xTicks: 4 });
        const radius = Math.sqrt(-2 * Math.log(0.05));
        const ellipse = (values, kind) => path(Array.from({ length: 61 }, (_, i) => {
          const [u0, u1] = residuals([radius * Math.cos((i * Math.PI) / 30), radius * Math.sin((i * Math.PI) / 30)], values);
          return [frame.x(u0), frame.y(u1)];
        }), kind);
        return frame.marks + frame.inside(ellipse(p, "ex-blue") + ellipse(estimate, "ex-dash") +
          draws.map((z) => [z, ...residuals(z, p)])
            .map(([z, u0, u1]) => circle(frame.x(u0), frame.y(u1), z === mine() ? 5 : 3, z === mine() ? "ex-handle" : "ex-dot")).join(""));
      },
    });
    const total = picture(place(), {
      height: 230,
      label: "The variance of achievement by SES: its part between schools as an area, the total as a line.",
      draw(width, height) {
        const grid = Array.from({ length: 41 }, (_, i) => X[0] + (i * (X[1] - X[0])) / 40);
        const highest = Math.max(60, ...grid.map((x) => variance(x, p).total));
        const frame = axes({ width, height, x: X, y: [0, highest], xLabel: "SES", yLabel: "Variance", xTicks: 4 });
        const curve = (part) => grid.map((x) => [frame.x(x), frame.y(variance(x, p)[part])]);
        const foot = [[frame.x(X[1]), frame.y(0)], [frame.x(X[0]), frame.y(0)]];
        return frame.marks + path([...curve("between"), ...foot], "ex-area", true) + path(curve("between"), "ex-blue") +
          path(curve("total"), "ex-red") + text(frame.x(0), frame.y(variance(0, p).total) - 8, "total", "ex-words-red", "middle") +
          text(frame.x(0), frame.y(variance(0, p).between) - 8, "between schools", "ex-words-blue", "middle");
      },
    });
    const say = status(box);

    function update() {
      for (const drawn of [lines, cloud, total]) drawn.redraw();
      const at = narrowest(p);
      const where = at === undefined ? "the same at every SES" : Math.abs(at) > 2
        ? `smallest outside the range drawn, at an SES of ${format(at, 1)}` : `smallest at an SES of ${format(at, 1)}`;
      const together = Number.isNaN(correlation(p)) ? "without a correlation" : `correlation ${format(correlation(p))}`;
      say(`Intercepts scatter with an SD of ${format(Math.sqrt(p.tau00))}, slopes with ${format(Math.sqrt(p.tau11))} around ` +
        `${format(gamma10)}, ${together}. The variance between schools is ${format(variance(-2, p).between, 1)} at an SES of −2, ` +
        `${format(p.tau00, 1)} at 0 and ${format(variance(2, p).between, 1)} at 2: ${where}. ` +
        `At 0 it is ${format((100 * p.tau00) / variance(0, p).total || 0, 0)} % of the total.`);
    }
    update();
  }

  all.slopes = { residuals, variance, limit, correlation, narrowest, varianceThrough, draw, mount };
})();
