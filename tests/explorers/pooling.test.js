// The arithmetic of the pooling explorer against the fit, at its limits and on random input.
const { test } = require("node:test");
const assert = require("node:assert/strict");
const { explorers, truth, close } = require("./load.js")("pooling");

const { pool, tauAt } = explorers.all.pooling;
const { n, means, tau00, sigma2 } = truth.data;

test("at the estimated variances it is the fit", () => {
  const { average, kept, pooled } = pool(n, means, sigma2, tauAt(50, tau00));
  close(average, truth.average, 1e-8);
  close(kept, truth.reliability, 1e-8);
  close(pooled, truth.pooled, 1e-8);
});

test("complete pooling gives every school the mean of all students", () => {
  const { average, pooled } = pool(n, means, sigma2, tauAt(0, tau00));
  close(average, truth.grandMean, 1e-10);
  assert.deepEqual(new Set(pooled), new Set([average]));
});

test("no pooling leaves every school its own mean", () => {
  const { kept, pooled } = pool(n, means, sigma2, tauAt(100, tau00));
  close(pooled, means, 1e-12);
  assert.ok(kept.every((share) => share === 1));
});

test("a great variance comes near no pooling, a small one near complete pooling", () => {
  close(pool(n, means, sigma2, 1e9).pooled, means, 1e-6);
  close(pool(n, means, sigma2, 1e-9).average, truth.grandMean, 1e-8);
});

test("pooled values lie between the own mean and the average; larger schools keep more", () => {
  const random = explorers.uniform(1);
  for (let round = 0; round < 200; round++) {
    const sizes = Array.from({ length: 12 }, () => 1 + Math.floor(80 * random())).sort((a, b) => a - b);
    const own = sizes.map(() => 30 * random() - 10);
    const { average, kept, pooled } = pool(sizes, own, 0.1 + 50 * random(), 20 * random());
    pooled.forEach((value, j) => {
      const [low, high] = [Math.min(own[j], average), Math.max(own[j], average)];
      assert.ok(value >= low - 1e-9 && value <= high + 1e-9);
      assert.ok(!j || kept[j] >= kept[j - 1]);
    });
  }
});

test("a grabbed school follows: the place found for a value gives that value back", () => {
  const { placeFor } = explorers.all.pooling;
  for (const j of [0, 42, 159])
    for (const at of [0, 20, 50, 85, 100])
      close(pool(n, means, sigma2, tauAt(placeFor(truth.data, j, pool(n, means, sigma2, tauAt(at, tau00)).pooled[j]), tau00)).pooled[j],
        pool(n, means, sigma2, tauAt(at, tau00)).pooled[j], 1e-9);
});
