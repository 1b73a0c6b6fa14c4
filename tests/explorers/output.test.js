// The numbers that the output's explorer derives, and that every number of the output has words.
const { test } = require("node:test");
const assert = require("node:assert/strict");
const { explorers, truth, close } = require("./load.js")("output");

const { wald, spread, words } = explorers.all.output;
const { data } = truth;

test("tests and intervals are those of the fit", () => {
  for (const [name, wanted] of Object.entries(truth.wald)) {
    const { estimate, se } = data.fixed[name];
    close(wald(estimate, se), wanted, 1e-8);
  }
  close(spread(data), truth.spread, 1e-9);
});

test("every number of the output has words, and those of the fixed effects quote it", () => {
  for (const [, key] of data.header) assert.ok(words(key, "", data).length > 30, key);
  for (const [, key, ...shown] of data.rows)
    shown.forEach((value, i) => {
      if (value === "") return;
      const said = words(key, data.columns[i], data);
      assert.ok(said.length > 40 && !/undefined|NaN|null/.test(said), `${key} ${data.columns[i]}: ${said}`);
      if (data.fixed[key] && ["Coef.", "Std.Err.", "[0.025", "0.975]"].includes(data.columns[i])) assert.ok(said.includes(value), said);
    });
});

test("the correlation is in words what it is in numbers", () => {
  assert.match(words("tau01", "Coef.", { ...data, tau01: 1 }), /steeper/);
  assert.match(words("tau01", "Coef.", { ...data, tau01: -1 }), /flatter\./);
  assert.match(words("tau01", "Coef.", { ...data, tau01: 0 }), /neither steeper nor flatter/);
});

test("an estimate of 0 has z 0 and p 1; random ones an interval around them", () => {
  close(wald(0, 1).z, 0, 0);
  close(wald(0, 1).p, 1, 1e-9);
  const random = explorers.uniform(6);
  for (let round = 0; round < 200; round++) {
    const estimate = 10 * random() - 5, se = random() + 0.01, w = wald(estimate, se);
    assert.ok(w.low < estimate && estimate < w.high);
    assert.equal(w.p < 0.05, w.low > 0 || w.high < 0);
  }
});
