// The output, row by row: a number of the fit in the picture, in the equation and in words.
(() => {
  "use strict";
  const { all, twoSided, format, line, circle, text, path, axes, element, picture, status } = globalThis.explorers;

  /** What follows from the estimates: the test and the interval of a fixed effect. */
  function wald(estimate, se) {
    const z = estimate / se;
    return { z, p: twoSided(Math.abs(z), Infinity), low: estimate - 1.959963985 * se, high: estimate + 1.959963985 * se };
  }

  /** SDs and the correlation that belong to the variances and the covariance. */
  const spread = ({ tau00, tau01, tau11, sigma2 }) => ({ sd0: Math.sqrt(tau00), sd1: Math.sqrt(tau11), sigma: Math.sqrt(sigma2),
    correlation: tau01 / Math.sqrt(tau00 * tau11) });

  const FIXED = {
    Intercept: { symbol: "γ₀₀", of: "the average achievement of the schools, for students at their school's mean SES", unit: "points" },
    ses_cwc: { symbol: "γ₁₀", of: "the average slope within schools", unit: "points per unit of SES" },
  };
  // The parts of the equation that light up.
  const TERMS = { Intercept: ["γ₀₀"], ses_cwc: ["γ₁₀"], tau00: ["u₀ⱼ"], tau01: ["u₀ⱼ", "u₁ⱼ"], tau11: ["u₁ⱼ"], sigma2: ["rᵢⱼ"],
    observations: ["Yᵢⱼ"], groups: ["u₀ⱼ", "u₁ⱼ"], llf: [] };
  const EQUATION = ["Yᵢⱼ", " = ", "γ₀₀", " + ", "γ₁₀", " Xᵢⱼ + ", "u₀ⱼ", " + ", "u₁ⱼ", " Xᵢⱼ + ", "rᵢⱼ"];

  /** In words: what the number in this row and column says. */
  function words(row, column, data) {
    const s = spread(data);
    if (FIXED[row]) {
      const { symbol, of, unit } = FIXED[row];
      const { estimate, se } = data.fixed[row];
      const w = wald(estimate, se);
      const p = w.p < 0.001 ? "below .001" : format(w.p, 3).replace("0.", ".");
      return {
        "Coef.": `${symbol}, estimated as ${format(estimate, 3)} ${unit}: ${of}.`,
        "Std.Err.": `How far the estimate of ${symbol} would scatter from study to study: ${format(se, 3)} ${unit}.`,
        z: `${symbol} over its standard error, ${format(estimate, 4)} / ${format(se, 4)} = ${format(w.z, 1)}: so many standard errors lie between the estimate and 0.`,
        "P>|z|": `If ${symbol} were 0, an estimate at least so far from 0 would come with a probability ${p}.`,
        "[0.025": `The lower end of the 95 % interval of ${symbol}: ${format(estimate, 4)} − 1.96 × ${format(se, 4)} = ${format(w.low, 3)}.`,
        "0.975]": `The upper end of the 95 % interval of ${symbol}: ${format(estimate, 4)} + 1.96 × ${format(se, 4)} = ${format(w.high, 3)}.`,
      }[column];
    }
    if (column === "Std.Err.")
      return "How far this estimate would scatter from study to study. For a variance it makes a poor interval, since a variance can't be negative.";
    const middle = (sd, mean) => `${format(mean - 2 * sd, 1)} to ${format(mean + 2 * sd, 1)}`;
    return {
      tau00: `τ₀₀, the variance of u₀ⱼ, in points². Its root, ${format(s.sd0)} points, is the SD of the schools' means: about 95 % of them lie from ${middle(s.sd0, data.fixed.Intercept.estimate)}.`,
      tau01: `τ₀₁, the covariance of u₀ⱼ and u₁ⱼ. As a correlation it is ${format(s.correlation)}: ${Math.abs(s.correlation) < 0.1
        ? "schools that lie high are neither steeper nor flatter than others" : `schools that lie high are ${s.correlation > 0 ? "steeper" : "flatter"}`}.`,
      tau11: `τ₁₁, the variance of u₁ⱼ. Its root, ${format(s.sd1)} points per unit of SES, is the SD of the slopes: about 95 % of them lie from ${middle(s.sd1, data.fixed.ses_cwc.estimate)}.`,
      sigma2: `σ², the variance of rᵢⱼ, in points². Its root, ${format(s.sigma)} points, is how far students scatter around the line of their school (here school ${data.example.school}).`,
      observations: `The students in the fit, each with one Yᵢⱼ.`,
      groups: `The schools, each with a line of its own: ${data.lines.length} pairs of u₀ⱼ and u₁ⱼ.`,
      llf: `The logarithm of the restricted likelihood at the estimates; −2 times it is the deviance, ${format(-2 * data.llf, 1)}. No part of the picture: it compares models.`,
    }[row];
  }

  function mount(box, data) {
    const { fixed, lines, example } = data;
    const g0 = fixed.Intercept.estimate, g1 = fixed.ses_cwc.estimate, s = spread(data);
    let row = "tau00", column = "Coef.";

    const cells = [];
    const cell = (r, c, shown) => {
      if (shown === "") return element("td");
      const made = element("button", { type: "button", class: "ex-number", tabindex: -1, "data-row": r, "data-column": c }, shown);
      cells.push(made);
      return element("td", {}, made);
    };
    const head = element("table", { class: "ex-output" }, element("tbody", {}, ...data.header.map(([label, key, shown]) =>
      element("tr", {}, element("th", { scope: "row" }, label), cell(key, "", shown)))));
    const table = element("table", { class: "ex-output" },
      element("thead", {}, element("tr", {}, element("td"), ...data.columns.map((name) => element("th", { scope: "col" }, name)))),
      element("tbody", {}, ...data.rows.map(([label, key, ...shown]) =>
        element("tr", {}, element("th", { scope: "row" }, label), ...shown.map((value, i) => cell(key, data.columns[i], value))))));
    box.append(element("div", { class: "ex-tables", role: "group", "aria-label": "The output. Arrow keys move from number to number." }, head, table));
    const equation = element("p", { class: "ex-equation" });
    box.append(equation);

    const { redraw } = picture(box.appendChild(document.createElement("div")), {
      height: 330,
      label: "The lines of 160 schools, the average line, and the chosen number drawn into them.",
      draw(width, height) {
        const frame = axes({ width, height, x: [-2, 2], y: [0, 25], xLabel: "SES relative to the school's mean", yLabel: "Achievement", xTicks: 4 });
        const one = (a, b, kind) => line(frame.x(-2), frame.y(a - 2 * b), frame.x(2), frame.y(a + 2 * b), kind);
        const band = (lower, upper) => path([[-2, lower(-2)], [-1, lower(-1)], [0, lower(0)], [1, lower(1)], [2, lower(2)], [2, upper(2)], [1, upper(1)], [0, upper(0)],
          [-1, upper(-1)], [-2, upper(-2)]].map(([x, y]) => [frame.x(x), frame.y(y)]), "ex-area", true);
        const label = (x, y, shown, kind = "ex-words-red", anchor = "start") => text(frame.x(x), frame.y(y), shown, `${kind} ex-strong`, anchor);
        const average = one(g0, g1, "ex-ink");
        const all160 = (kind) => lines.map(([a, b]) => one(a, b, kind)).join("");
        const isFixed = row in fixed, { se } = fixed[row] ?? {};
        let over = "", schools = "ex-line ex-faint";
        if (isFixed && column === "Coef.")
          over = row === "Intercept" ? circle(frame.x(0), frame.y(g0), 6, "ex-dot-red") +
            line(frame.x(-2), frame.y(g0), frame.x(0), frame.y(g0), "ex-red ex-dashed") + label(-1.95, 22.5, `γ₀₀ = ${format(g0)}, at zero`)
            : line(frame.x(0), frame.y(g0), frame.x(1), frame.y(g0), "ex-red ex-dashed") +
            line(frame.x(1), frame.y(g0), frame.x(1), frame.y(g0 + g1), "ex-red") + label(-1.95, 22.5, `γ₁₀ = ${format(g1)}, for one unit of SES`);
        else if (isFixed) {
          const reach = { "[0.025": 1.96, "0.975]": 1.96 }[column] ?? 1;
          const [lower, upper] = row === "Intercept" ? [[g0 - reach * se, g1], [g0 + reach * se, g1]] : [[g0, g1 - reach * se], [g0, g1 + reach * se]];
          over = column === "z" || column === "P>|z|"
            ? (row === "Intercept" ? one(0, g1, "ex-red ex-dashed") + label(-1.95, 22.5, "dashed: γ₀₀ = 0") : one(g0, 0, "ex-red ex-dashed") + label(-1.95, 22.5, "dashed: γ₁₀ = 0"))
            : (column === "0.975]" ? "" : one(...lower, "ex-red")) + (column === "[0.025" ? "" : one(...upper, "ex-red")) +
              label(-1.95, 22.5, { "Std.Err.": "one standard error to either side", "[0.025": "lower end of the interval", "0.975]": "upper end of the interval" }[column]);
        } else if (row === "tau00")
          over = one(g0 - s.sd0, g1, "ex-red ex-dashed") + one(g0 + s.sd0, g1, "ex-red ex-dashed") +
            line(frame.x(0), frame.y(g0 - s.sd0), frame.x(0), frame.y(g0 + s.sd0), "ex-red") + label(-1.95, 22.5, `average line ± √τ₀₀ = ${format(s.sd0)}`);
        else if (row === "tau11")
          over = one(g0, g1 - s.sd1, "ex-red") + one(g0, g1 + s.sd1, "ex-red") + label(-1.95, 22.5, `average slope ± √τ₁₁ = ${format(s.sd1)}`);
        else if (row === "tau01")
          over = [-1, 1].map((side) => one(g0 + side * s.sd0, g1 + (side * data.tau01) / s.sd0, "ex-red")).join("") +
            label(-1.95, 22.5, "expected lines of a high and a low school");
        else if (row === "sigma2") {
          const [a, b] = example.line;
          over = band((x) => a + b * x - s.sigma, (x) => a + b * x + s.sigma) + one(a, b, "ex-red") +
            example.points.map(([x, y]) => circle(frame.x(x), frame.y(y), 3, "ex-ring")).join("") + label(-1.95, 22.5, `school ${example.school}, ± σ = ${format(s.sigma)}`);
        } else if (row === "groups") schools = "ex-line";
        else if (row === "observations") over = example.points.map(([x, y]) => circle(frame.x(x), frame.y(y), 3, "ex-ring")).join("") +
          label(-1.95, 22.5, `the ${example.points.length} of school ${example.school}`, "");
        return frame.marks + frame.inside(all160(schools) + average + over);
      },
    });
    const say = status(box);

    function choose(button) {
      ({ row, column } = button.dataset);
      update();
    }
    cells.forEach((button, i) => {
      button.addEventListener("focus", () => choose(button));
      button.addEventListener("click", () => choose(button));
      button.addEventListener("pointerenter", (event) => event.pointerType === "mouse" && choose(button));
      button.addEventListener("keydown", (event) => {
        const to = { ArrowRight: i + 1, ArrowLeft: i - 1, Home: 0, End: cells.length - 1,
          ArrowDown: neighbour(button, 1), ArrowUp: neighbour(button, -1) }[event.key];
        if (to === undefined || !cells[to] || event.altKey || event.ctrlKey || event.metaKey) return;
        event.preventDefault();
        cells[to].focus();
      });
    });
    /** The number of the button below or above: in the same column, or else at the end of that row. */
    function neighbour(button, way) {
      const rows = [...new Set(cells.map((c) => c.closest("tr")))];
      const target = rows[rows.indexOf(button.closest("tr")) + way];
      if (!target) return undefined;
      const there = [...target.querySelectorAll("button")];
      const place = [...button.closest("tr").querySelectorAll("button")].indexOf(button);
      return cells.indexOf(there[Math.min(place, there.length - 1)]);
    }

    function update() {
      for (const button of cells) {
        const on = button.dataset.row === row && button.dataset.column === column;
        button.setAttribute("aria-pressed", on);
        button.tabIndex = on ? 0 : -1;
      }
      equation.replaceChildren(...EQUATION.map((part) => (TERMS[row].includes(part) ? element("mark", {}, part) : part)));
      redraw();
      say(words(row, column, data));
    }
    update();
  }

  all.output = { wald, spread, words, mount };
})();
