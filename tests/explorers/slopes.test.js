// The arithmetic of the explorer of intercepts and slopes.
const { test } = require("node:test");
const assert = require("node:assert/strict");
const { explorers, truth, close } = require("./load.js")("slopes");

const { residuals, variance, limit, correlation, narrowest, varianceThrough, draw } = explorers.all.slopes;

test("the variance by SES is that of the fit", () => {
  for (const [x, between, total] of truth.variance) {
    close(variance(x, truth.data).between, between, 1e-10);
    close(variance(x, truth.data).total, total, 1e-10);
  }
  close(correlation(truth.data), truth.correlation, 1e-10);
});

test("drawn residuals have the variances and the covariance", () => {
  const random = explorers.uniform(5);
  for (let round = 0; round < 20; round++) {
    const p = { tau00: 20 * random(), tau11: 6 * random() };
    p.tau01 = (2 * random() - 1) * limit(p);
    const u = draw(round, 20000).map((z) => residuals(z, p));
    const mean = (f) => explorers.sum(u.map(f)) / u.length;
    assert.ok(Math.abs(mean(([a]) => a * a) / p.tau00 - 1) < 0.06);
    assert.ok(Math.abs(mean(([, b]) => b * b) / p.tau11 - 1) < 0.06);
    assert.ok(Math.abs(mean(([a, b]) => a * b) - p.tau01) < 0.05 * limit(p));
  }
});

test("at the limits lines are parallel, or meet in a point, and nothing is lost", () => {
  for (const [u0, u1] of draw(1, 50).map((z) => residuals(z, { tau00: 8, tau01: 0, tau11: 0 })))
    assert.ok(Math.abs(u1) < 1e-12 && Number.isFinite(u0));
  assert.equal(narrowest({ tau01: 0, tau11: 0 }), undefined);
  assert.ok(Number.isNaN(correlation({ tau00: 0, tau01: 0, tau11: 1 })));
  const p = { tau00: 4, tau01: 2, tau11: 1, sigma: 0 }; // correlation 1: all lines meet at x = -2
  assert.equal(narrowest(p), -2);
  close(variance(-2, p).between, 0, 1e-12);
  for (const [u0, u1] of draw(2, 50).map((z) => residuals(z, p))) close(u0 - 2 * u1, 0, 1e-12);
  for (const [u0, u1] of draw(2, 50).map((z) => residuals(z, { tau00: 0, tau01: 0, tau11: 1 })))
    assert.ok(u0 === 0 && Number.isFinite(u1));
});

test("the variance is nowhere negative and smallest where it is said to be", () => {
  const random = explorers.uniform(9);
  for (let round = 0; round < 500; round++) {
    const p = { tau00: 20 * random(), tau11: 6 * random(), sigma: 12 * random() };
    p.tau01 = (2 * random() - 1) * limit(p);
    const least = variance(narrowest(p), p).between;
    assert.ok(least > -1e-9);
    for (const x of [-2, -1, 0, 1, 2]) assert.ok(variance(x, p).between >= least - 1e-9);
  }
});

test("a grabbed line follows: with the variance found it goes through the point, or as near as it can", () => {
  const random = explorers.uniform(13);
  for (let round = 0; round < 200; round++) {
    const p = { ...truth.data, tau00: 0.1 + 20 * random(), tau11: 0.1 + 6 * random() };
    p.tau01 = (2 * random() - 1) * limit(p);
    const z = [0.5 + random(), 0.5 + random()];
    const at = (x, values) => residuals(z, values).reduce((total, u, i) => total + u * x ** i, p.gamma00 + p.gamma10 * x);
    const [x, name] = round % 2 ? [0, "tau00"] : [1.5, "tau11"];
    close(varianceThrough(z, x, at(x, p), p), p[name], 1e-9);
    const least = varianceThrough(z, x, -1e6, p); // on the other side of the average
    close(least, round % 2 ? 0 : (p.tau01 * p.tau01) / p.tau00, 1e-9);
  }
});
