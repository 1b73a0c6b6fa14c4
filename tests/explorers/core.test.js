// What the explorers share: distributions against SciPy, axes, random numbers, numbers in words.
const { test } = require("node:test");
const assert = require("node:assert/strict");
const { explorers, truth, close } = require("./load.js")("core");

test("p values and critical values of t are SciPy's", () => {
  for (const [t, df, p] of truth.p) close(explorers.twoSided(t, df), p, 1e-9);
  for (const [df, t] of truth.critical) close(explorers.critical(df), t, 1e-7);
});

test("ticks are round, inside the range and about as many as asked for", () => {
  const random = explorers.uniform(3);
  for (let round = 0; round < 500; round++) {
    const low = 200 * random() - 100, high = low + 10 ** (4 * random() - 2), count = 3 + Math.floor(5 * random());
    const { values, digits } = explorers.ticks([low, high], count);
    assert.ok(values.length >= 1 && values.length <= count + 1, `${values.length} ticks for ${count}`);
    for (const value of values) {
      assert.ok(value >= low - 1e-6 && value <= high + 1e-6);
      close(Number(value.toFixed(digits)), value, 1e-9);
    }
  }
});

test("random numbers repeat and are as they should be", () => {
  const z = explorers.normal(explorers.uniform(7)), again = explorers.normal(explorers.uniform(7));
  const draws = Array.from({ length: 20000 }, z);
  close(draws.slice(0, 10), Array.from({ length: 10 }, again), 0);
  const mean = explorers.sum(draws) / draws.length;
  assert.ok(Math.abs(mean) < 0.03);
  assert.ok(Math.abs(explorers.sum(draws.map((d) => (d - mean) ** 2)) / draws.length - 1) < 0.04);
});

test("numbers in words have a minus sign, and no negative zero", () => {
  assert.equal(explorers.format(-1.25, 1), "\u22121.3");
  assert.equal(explorers.format(-0.001), "0.00");
  assert.equal(explorers.percent(0.756), "76 %");
});

test("words in a picture can't become marks", () => {
  assert.equal(explorers.text(0, 0, '<b>&"'), '<text x="0" y="0" class="" text-anchor="start">&lt;b&gt;&amp;&quot;</text>');
});
