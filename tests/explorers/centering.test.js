// The arithmetic of the centering explorer against six fits, and at its limits.
const { test } = require("node:test");
const assert = require("node:assert/strict");
const { explorers, truth, close } = require("./load.js")("centering");

const { slopes, coefficients, blendAt, sizeFor } = explorers.all.centering;
const data = { ...truth.data, ...truth.data.variances.raw };

test("each model's coefficients are those of its fit", () => {
  for (const { centering, withMean, values } of truth.fits)
    close(coefficients(data, centering, withMean).map(([, value]) => value), values, 1e-6);
});

test("coefficients have the right names", () => {
  const names = (...model) => coefficients(data, ...model).map(([name]) => name);
  assert.deepEqual(names("raw", false), ["blend"]);
  assert.deepEqual(names("cgm", true), ["within", "contextual"]);
  assert.deepEqual(names("cwc", false), ["within"]);
  assert.deepEqual(names("cwc", true), ["within", "between"]);
});

test("with very many students the blend is the within slope, with very few that of all students", () => {
  close(slopes(data, 1e9).raw, slopes(data).within, 1e-6);
  close(slopes(data, 1e-9).raw, truth.ols, 1e-6);
});

test("the blend lies between its parts, whatever the schools", () => {
  const random = explorers.uniform(4);
  for (let round = 0; round < 300; round++) {
    const some = (make) => Array.from({ length: 10 }, make);
    const s = slopes({ n: some(() => 1 + Math.floor(60 * random())), x: some(() => random() - 0.5), y: some(() => 20 * random()),
      sxx: 100 * random() + 1, sxy: 400 * random() - 200, tau00: 10 * random(), sigma2: 40 * random() + 0.1 }, 3 * random() + 0.01);
    assert.ok(s.share >= 0 && s.share <= 1);
    assert.ok(s.raw >= Math.min(s.within, s.between) - 1e-9 && s.raw <= Math.max(s.within, s.between) + 1e-9);
  }
});

test("a grabbed line follows: the size found for a value gives that value back", () => {
  for (const size of [-1.5, -0.6, 0, 0.35, 1.5]) close(sizeFor(data, 1.6, blendAt(data, 1.6, 10 ** size)), size, 1e-9);
  close(sizeFor(data, 1.6, 100), -1.5, 1e-9); // the steepest that there is
  close((blendAt(data, 1, 3) - blendAt(data, 0, 3)), slopes(data, 3).raw, 1e-9);
});
