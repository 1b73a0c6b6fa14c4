// Pooling: 160 school means between complete, partial and no pooling.
(() => {
  "use strict";
  const { all, sum, weightedMean, format, percent, nearest, line, circle, text, axes, slider, select, button, picture, grip, grab, status,
    glide } = globalThis.explorers;

  /** What the model without predictors says of each school, given the two variances.
   *
   * `tau` is the variance between schools: 0 is complete pooling, Infinity no pooling. The average is
   * the generalised least squares estimate, each school weighted by 1 / (tau + sigma2 / n).
   */
  function pool(n, means, sigma2, tau) {
    const kept = n.map((size) => (tau === Infinity ? 1 : tau / (tau + sigma2 / size)));
    const weights = n.map((size) => (tau === Infinity ? 1 : tau === 0 ? size : 1 / (tau + sigma2 / size)));
    const average = weightedMean(means, weights);
    return { average, kept, pooled: means.map((mean, j) => average + kept[j] * (mean - average)) };
  }

  // The slider's places 0 to 100: complete pooling at 0, the estimate at 50, no pooling at 100.
  const tauAt = (place, estimate) => (place >= 100 ? Infinity : (estimate * place) / (100 - place));

  /** The slider's place at which school `j` has the pooled value nearest to `value`. */
  const placeFor = ({ n, means, tau00, sigma2 }, j, value) =>
    nearest(Array.from({ length: 101 }, (_, at) => at), (at) => pool(n, means, sigma2, tauAt(at, tau00)).pooled[j], value);

  function mount(box, { schools, n, means, tau00, sigma2 }) {
    let chosen = schools.indexOf("8367");
    let place = 50;
    const controls = box.appendChild(document.createElement("div"));
    controls.className = "ex-controls";
    const sayTau = (value) => (value >= 100 ? "infinite: no pooling" : value <= 0 ? "0: complete pooling"
      : format(tauAt(value, tau00), 2) + (value === 50 ? ", as estimated" : ""));
    const tau = slider(controls, { label: "Variance between schools, τ₀₀", min: 0, max: 100, step: 1, value: place, say: sayTau,
      change: (value) => { place = value; update(); } });
    const buttons = controls.appendChild(document.createElement("div"));
    buttons.className = "ex-buttons";
    for (const [words, target] of [["Complete pooling", 0], ["Partial pooling", 50], ["No pooling", 100]])
      button(buttons, words, () => {
        const from = place;
        glide((share) => { tau.value = place = from + share * (target - from); update(); });
      });
    const order = schools.map((_, j) => j).sort((a, b) => n[a] - n[b] || schools[a].localeCompare(schools[b]));
    const school = select(controls, { label: "School", value: chosen,
      options: order.map((j) => [j, `${schools[j]} (${n[j]} students)`]),
      change: (value) => { chosen = Number(value); update(); } });

    let view;
    const { svg, redraw } = picture(box.appendChild(document.createElement("div")), {
      height: 340,
      label: "160 schools by their number of students: own mean as a ring, pooled value as a dot, a line between the two.",
      draw(width, height) {
        const { average, pooled } = pool(n, means, sigma2, tauAt(place, tau00));
        const frame = view = axes({ width, height, x: [12, 70], y: [3, 21], xLabel: "Students in the school", yLabel: "Mean achievement",
          hint: matchMedia("(pointer: coarse)").matches ? "drag the large dot" : "drag a dot" });
        const mark = (j, kind) => line(frame.x(n[j]), frame.y(means[j]), frame.x(n[j]), frame.y(pooled[j]), `ex-move ${kind}`) +
          circle(frame.x(n[j]), frame.y(means[j]), 3, `ex-ring ${kind}`) +
          circle(frame.x(n[j]), frame.y(pooled[j]), kind ? 6 : 3.5, `ex-dot ${kind}`) +
          grip(frame.x(n[j]), frame.y(pooled[j]), 9, j, kind ? "" : "ex-tap");
        return frame.marks + line(frame.x(12), frame.y(average), frame.x(70), frame.y(average), "ex-average") +
          schools.map((_, j) => (j === chosen ? "" : mark(j, ""))).join("") + mark(chosen, "ex-chosen") +
          text(width - 8, frame.y(average) - 6, "average", "ex-strong", "end");
      },
    });
    const choose = (j) => {
      school.value = chosen = Number(j);
      update();
    };
    // A school that is drawn to the average or away takes all others with it.
    grab(svg, (j, y) => {
      tau.value = place = placeFor({ n, means, tau00, sigma2 }, j, view.invert(y));
      choose(j);
    }, choose);
    const say = status(box);

    function update() {
      redraw();
      const { average, kept, pooled } = pool(n, means, sigma2, tauAt(place, tau00));
      say(`School ${schools[chosen]}: ${n[chosen]} students with a mean of ${format(means[chosen])}, the average is ` +
        `${format(average)}. It keeps ${percent(kept[chosen])} of its deviation: its pooled value is ` +
        `${format(pooled[chosen])}. Over all schools, ${percent(sum(kept) / kept.length)} is kept.`);
    }
    update();
  }

  all.pooling = { pool, tauAt, placeFor, mount };
})();
