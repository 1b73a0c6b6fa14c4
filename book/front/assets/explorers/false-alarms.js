// Clustering and false alarms: studies of a program without effect, tested in two ways.
(() => {
  "use strict";
  const { all, uniform, normal, critical, twoSided, format, percent, tag, line, text, path, axes, slider, button, picture, status, calm } =
    globalThis.explorers;

  /** What theory says of studies with `schools` schools, `n` students in each, and this ICC (total variance 1). */
  function design({ schools, n, icc }) {
    const half = schools / 2;
    const ofMean = icc + (1 - icc) / n; // variance of a school's mean
    const effect = 1 + (n - 1) * icc;
    // What the variance over the students of a half is on average: somewhat below 1, since schools are few.
    const naive = ((half - 1) * n * ofMean + half * (n - 1) * (1 - icc)) / (half * n - 1);
    return { effect, effective: (schools * n) / effect, actualSd: Math.sqrt((2 * ofMean) / half),
      naiveSe: Math.sqrt((2 * naive) / (half * n)) };
  }

  /** A chi-square draw by Marsaglia and Tsang's method; `df` may be any number from 1 on, or 0. */
  function chiSquare(df, z, random) {
    if (df === 0) return 0;
    if (df === 1) return z() ** 2;
    const d = df / 2 - 1 / 3, c = 1 / Math.sqrt(9 * d);
    for (;;) {
      const x = z(), v = (1 + c * x) ** 3;
      if (v > 0 && Math.log(1 - random()) < 0.5 * x * x + d - d * v + d * Math.log(v)) return 2 * d * v;
    }
  }

  /** A source of studies: each a difference of two halves and its standard errors, by students and by schools.
   *
   * A study is drawn by what its tests use, the schools' means and the squares within, whose distributions
   * are exactly those of data drawn student by student.
   */
  function studies({ schools, n, icc }, seed) {
    const random = uniform(seed), z = normal(random), half = schools / 2;
    const sd = Math.sqrt(icc + (1 - icc) / n);
    function side() {
      const means = Array.from({ length: half }, () => sd * z());
      const mean = means.reduce((a, b) => a + b, 0) / half;
      const squares = means.reduce((a, b) => a + (b - mean) ** 2, 0);
      const within = (1 - icc) * chiSquare(half * (n - 1), z, random);
      return { mean, bySchools: squares / (half - 1) / half, byStudents: (n * squares + within) / (half * n - 1) / (half * n) };
    }
    return () => {
      const a = side(), b = side();
      return { difference: a.mean - b.mean, byStudents: Math.sqrt(a.byStudents + b.byStudents),
        bySchools: Math.sqrt(a.bySchools + b.bySchools) };
    };
  }

  /** The values of |t| beyond which each test reports an effect. */
  const limits = ({ schools, n }) => ({ byStudents: critical(schools * n - 2), bySchools: critical(schools - 2) });

  const density = (x, sd) => Math.exp(-0.5 * (x / sd) ** 2) / (sd * Math.sqrt(2 * Math.PI));
  const expectedRate = (d) => twoSided((1.959963985 * d.naiveSe) / d.actualSd, Infinity);
  const COUNT = 1000, BINS = 41;

  function mount(box, { icc, schools, n }) {
    const chosen = { icc, schools, n };
    let seed = 1, counts, next, limit, theory, width, run = 0;
    const controls = box.appendChild(document.createElement("div"));
    controls.className = "ex-controls";
    const set = (name) => (value) => { chosen[name] = value; restart(); };
    slider(controls, { label: "Schools", min: 4, max: 100, step: 2, value: schools,
      say: (value) => `${value}, half with the program`, change: set("schools") });
    slider(controls, { label: "Students in each school", min: 1, max: 100, step: 1, value: n,
      say: (value) => `${value}`, change: set("n") });
    slider(controls, { label: "Intraclass correlation", min: 0, max: 0.5, step: "any", value: icc,
      say: (value) => format(value, 2) + (Math.abs(value - icc) < 1e-9 ? ", as in the data" : ""), change: set("icc") })
      .input.addEventListener("keydown", (event) => {
        const way = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1 }[event.key];
        if (!way) return;
        event.preventDefault();
        event.target.value = Math.round(100 * Number(event.target.value) + way) / 100;
        event.target.dispatchEvent(new Event("input"));
      });
    const buttons = controls.appendChild(document.createElement("div"));
    buttons.className = "ex-buttons";
    button(buttons, `${COUNT} more studies`, () => more(COUNT));
    button(buttons, "Start anew", () => { seed++; restart(); });

    const pictures = box.appendChild(document.createElement("div"));
    pictures.className = "ex-pictures";
    const place = () => pictures.appendChild(document.createElement("div"));
    const histogram = picture(place(), {
      height: 300,
      label: "Differences found in the studies as bars, how widely they scatter in truth as a line, how widely the naive test believes they scatter as a dashed line.",
      draw(w, height) {
        const highest = 1.15 * Math.max(density(0, theory.naiveSe), density(0, theory.actualSd));
        const frame = axes({ width: w, height, x: [-width, width], y: [0, highest], xLabel: "Difference found (in SD)", yLabel: "Density", xTicks: 4 });
        const step = (2 * width) / BINS;
        const bars = counts.bins.map((count, i) => {
          const top = frame.y(count / (counts.studies || 1) / step);
          return tag("rect", { x: frame.x(-width + i * step), y: top, width: frame.x(step) - frame.x(0) - 1,
            height: frame.y(0) - top, class: "ex-bar" });
        }).join("");
        const curve = (sd, kind) => path(Array.from({ length: 81 }, (_, i) => {
          const x = -width + (i * width) / 40;
          return [frame.x(x), frame.y(density(x, sd))];
        }), kind);
        const edges = [-1, 1].map((side) => side * limit.byStudents * theory.naiveSe)
          .map((x) => line(frame.x(x), frame.y(0), frame.x(x), frame.y(highest), "ex-average")).join("");
        return frame.marks + frame.inside(bars + edges + curve(theory.actualSd, "ex-blue") + curve(theory.naiveSe, "ex-red ex-dashed"));
      },
    });
    const rates = picture(place(), {
      height: 300,
      label: "The share of studies with a false alarm, for the test over students and the test over schools, beside the promised 5 %.",
      draw(w, height) {
        const shares = [counts.byStudents, counts.bySchools].map((count) => (counts.studies ? count / counts.studies : 0));
        const frame = axes({ width: w, height, x: [0, 2], y: [0, Math.max(20, Math.ceil(11 * Math.max(...shares)) * 10)],
          xLabel: "", yLabel: "False alarms (%)", xTicks: 0 });
        const clear = (y) => (y > frame.y(5) && y - 22 < frame.y(5) ? frame.y(5) : y); // a number isn't struck through by the line
        const bar = (share, i) => tag("rect", { x: frame.x(i + 0.2), width: frame.x(0.6) - frame.x(0), y: frame.y(100 * share),
          height: frame.y(0) - frame.y(100 * share), class: i ? "ex-bar" : "ex-bar ex-bar-red" }) +
          text(frame.x(i + 0.5), height - 8, ["test over students", "over schools"][i], "", "middle");
        return frame.marks + shares.map(bar).join("") +
          line(frame.x(0), frame.y(5), frame.x(2), frame.y(5), "ex-dash") +
          shares.map((share, i) => text(frame.x(i + 0.5), clear(frame.y(100 * share)) - 6, format(100 * share, 1), "ex-strong", "middle")).join("");
      },
    });
    const say = status(box);

    function add(count) {
      for (let i = 0; i < count; i++) {
        const study = next();
        const bin = Math.floor(((study.difference + width) / (2 * width)) * BINS);
        if (bin >= 0 && bin < BINS) counts.bins[bin]++;
        counts.studies++;
        for (const units of ["byStudents", "bySchools"])
          if (Math.abs(study.difference) > limit[units] * study[units]) counts[units]++;
      }
    }

    /** Add studies, for the eye a few in each frame; the first ones at once, since nobody has asked for motion. */
    function more(count) {
      const mine = ++run;
      const goal = counts.studies + count;
      const step = () => {
        if (mine !== run) return;
        add(calm() || mine === 1 ? goal - counts.studies : Math.min(20, goal - counts.studies));
        histogram.redraw();
        rates.redraw();
        report();
        if (counts.studies < goal) requestAnimationFrame(step);
      };
      step();
    }

    function report() {
      say(`${counts.studies} studies of a program without effect. The test over students sees an effect in ` +
        `${percent(counts.byStudents / counts.studies, 1)} of them (expected: about ${percent(expectedRate(theory))}), the test over ` +
        `schools in ${percent(counts.bySchools / counts.studies, 1)}. The design effect is ${format(theory.effect)}: the ` +
        `${chosen.schools * chosen.n} students tell as much as ${format(theory.effective, 0)} independent ones.`);
    }

    function restart() {
      theory = design(chosen);
      limit = limits(chosen);
      next = studies(chosen, seed);
      width = 3.5 * Math.max(theory.actualSd, theory.naiveSe);
      counts = { studies: 0, byStudents: 0, bySchools: 0, bins: new Array(BINS).fill(0) };
      more(COUNT);
    }
    restart();
  }

  all["false-alarms"] = { design, chiSquare, studies, limits, expectedRate, mount };
})();
