// Loads an explorer's script as the page does, and the values that tests/test_explorers.py has computed with mlm.
const fs = require("node:fs");
const path = require("node:path");
const assert = require("node:assert/strict");

module.exports = (name) => {
  const folder = path.join(__dirname, "../../book/front/assets/explorers");
  for (const script of ["core", name]) require(path.join(folder, script + ".js"));
  const truth = JSON.parse(fs.readFileSync(process.env.EXPLORER_VALUES, "utf8"))[name];
  /** All numbers of `found` are those of `wanted`, within `tolerance`, relative to numbers above 1. */
  const close = (found, wanted, tolerance) => {
    if (typeof wanted === "number") {
      assert.ok(Math.abs(found - wanted) <= tolerance * Math.max(1, Math.abs(wanted)), `${found} is not ${wanted}`);
      return;
    }
    assert.deepEqual(Object.keys(found), Object.keys(wanted));
    for (const key of Object.keys(wanted)) close(found[key], wanted[key], tolerance);
  };
  return { explorers: globalThis.explorers, truth, close };
};
