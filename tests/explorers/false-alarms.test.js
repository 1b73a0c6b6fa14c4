// The arithmetic of the explorer of false alarms: theory, and studies that follow it.
const { test } = require("node:test");
const assert = require("node:assert/strict");
const { explorers, truth, close } = require("./load.js")("false-alarms");

const { design, chiSquare, studies, limits, expectedRate } = explorers.all["false-alarms"];
const moments = (values) => {
  const mean = explorers.sum(values) / values.length;
  return { mean, sd: Math.sqrt(explorers.sum(values.map((v) => (v - mean) ** 2)) / values.length) };
};
const rates = (setting, count, seed = 1) => {
  const next = studies(setting, seed), limit = limits(setting);
  const found = Array.from({ length: count }, next);
  const alarms = (units) => found.filter((s) => Math.abs(s.difference) > limit[units] * s[units]).length / count;
  return { found, students: alarms("byStudents"), schools: alarms("bySchools") };
};

test("design effects are those of mlm", () => {
  for (const { n, icc, effect } of truth.effects) close(design({ schools: 20, n, icc }).effect, effect, 1e-12);
});

test("false alarms are as often as in a simulation student by student", () => {
  const { students, schools } = rates(truth.setting, 20000);
  assert.ok(Math.abs(students - truth.students) < 4 * truth.error, `${students}, simulated ${truth.students}`);
  assert.ok(Math.abs(schools - 0.05) < 0.006, `${schools}`);
  assert.ok(Math.abs(expectedRate(design(truth.setting)) - truth.students) < 0.02);
});

test("studies scatter as theory says, over many designs", () => {
  const random = explorers.uniform(11);
  for (let round = 0; round < 25; round++) {
    const setting = { schools: 4 + 2 * Math.floor(20 * random()), n: 1 + Math.floor(40 * random()), icc: 0.5 * random() };
    const { found, schools } = rates(setting, 4000, round);
    const theory = design(setting), differences = moments(found.map((s) => s.difference));
    assert.ok(Math.abs(differences.mean) < 5 * theory.actualSd / Math.sqrt(4000));
    assert.ok(Math.abs(differences.sd / theory.actualSd - 1) < 0.06);
    const squared = moments(found.map((s) => s.byStudents ** 2)).mean;
    assert.ok(Math.abs(squared / theory.naiveSe ** 2 - 1) < 0.06);
    assert.ok(Math.abs(schools - 0.05) < 0.02, `${schools} ${JSON.stringify(setting)}`);
  }
});

test("without clustering, and with one student a school, both tests keep their promise", () => {
  for (const setting of [{ schools: 30, n: 25, icc: 0 }, { schools: 60, n: 1, icc: 0.4 }]) {
    const { students, schools } = rates(setting, 20000);
    assert.ok(Math.abs(students - 0.05) < 0.007 && Math.abs(schools - 0.05) < 0.007, `${students} ${schools}`);
    close(design(setting).effect, 1, 1e-12);
  }
});

test("chi-square draws have mean df and variance 2 df", () => {
  const random = explorers.uniform(2), z = explorers.normal(random);
  assert.equal(chiSquare(0, z, random), 0);
  for (const df of [1, 2, 3, 10, 290]) {
    const { mean, sd } = moments(Array.from({ length: 20000 }, () => chiSquare(df, z, random)));
    assert.ok(Math.abs(mean / df - 1) < 0.05 && Math.abs(sd / Math.sqrt(2 * df) - 1) < 0.05, `${df}: ${mean} ${sd}`);
  }
});
