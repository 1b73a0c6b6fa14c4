"""Explorers: their arithmetic against `mlm` (in node), and how they behave in a browser."""

import gzip
import json
import os
import subprocess

import numpy as np
import pytest
from scipy import stats

from book.extensions import explorers
import mlm
from conftest import ROOT

NAMES = sorted(explorers.DATA)
SCRIPTS = ROOT / "book/front/assets/explorers"


def pooling_values(hsb):
    fit = mlm.mixedlm("mathach ~ 1", hsb, groups="schid")
    return {"average": fit.fe_params["Intercept"], "grandMean": hsb["mathach"].mean(),
            "reliability": mlm.reliability(fit)["Intercept"].tolist(),
            "pooled": (fit.fe_params["Intercept"] + fit.blups["Intercept"]).tolist()}


def slopes_values(hsb):
    fit = mlm.mixedlm("mathach ~ ses", hsb, groups="schid", re_formula="~ ses")
    tau = fit.cov_re.to_numpy()
    rows = []
    for x in [-2.0, -0.5, 0.0, 1.0, 2.0]:
        between = np.array([1, x]) @ tau @ np.array([1, x])
        rows.append([x, between, between + fit.scale])
    return {"variance": rows, "correlation": tau[0, 1] / np.sqrt(tau[0, 0] * tau[1, 1])}


def false_alarm_values(hsb):
    """False alarms of the test over students, in studies drawn student by student."""
    setting = explorers.false_alarms()
    schools, n, icc, count = setting["schools"], setting["n"], setting["icc"], 20_000
    rng = np.random.default_rng(5)
    halves = []
    for _ in range(2):
        u = rng.normal(0, np.sqrt(icc), (count, schools // 2, 1))
        halves.append((u + rng.normal(0, np.sqrt(1 - icc), (count, schools // 2, n))).reshape(count, -1))
    alarms = float(np.mean(stats.ttest_ind(*halves, axis=1).pvalue < 0.05))
    effects = [{"n": n, "icc": icc, "effect": mlm.design_effect(icc, n)} for n in (1, 2, 30, 100) for icc in (0, 0.18, 0.5)]
    return {"setting": setting, "students": alarms, "error": np.sqrt(2 * alarms * (1 - alarms) / count), "effects": effects}


def centering_values(hsb):
    hsb = hsb.assign(ses_mean=hsb["ses"] - hsb["ses_cwc"], ses_cgm=hsb["ses"] - hsb["ses"].mean())
    fits = []
    for centering, predictor in {"raw": "ses", "cgm": "ses_cgm", "cwc": "ses_cwc"}.items():
        for with_mean in (False, True):
            formula = f"mathach ~ {predictor}" + " + ses_mean" * with_mean
            fit = mlm.mixedlm(formula, hsb, groups="schid")
            fits.append({"centering": centering, "withMean": with_mean, "values": fit.fe_params.iloc[1:].tolist()})
    return {"fits": fits, "ols": np.polyfit(hsb["ses"], hsb["mathach"], 1)[0]}


def output_values(hsb):
    fit = mlm.mixedlm("mathach ~ ses_cwc", hsb, groups="schid", re_formula="~ ses_cwc")
    tests = {name: {"z": fit.tvalues[name], "p": fit.pvalues[name], "low": fit.conf_int().loc[name, 0],
                    "high": fit.conf_int().loc[name, 1]} for name in fit.fe_params.index}
    sd = np.sqrt(np.diag(fit.cov_re))
    return {"wald": tests, "spread": {"sd0": sd[0], "sd1": sd[1], "sigma": np.sqrt(fit.scale),
                                      "correlation": fit.cov_re.iloc[0, 1] / sd.prod()}}


def core_values(hsb):
    degrees = [1, 2, 5, 18, 158, 598, 7183]
    return {"p": [[t, df, 2 * stats.t.sf(t, df)] for df in degrees for t in [0, 0.3, 1.96, 4, 12]],
            "critical": [[df, stats.t.ppf(0.975, df)] for df in degrees]}


VALUES = {"core": core_values, "pooling": pooling_values, "slopes": slopes_values,
          "false-alarms": false_alarm_values, "centering": centering_values, "output": output_values}


@pytest.fixture(scope="module")
def values(hsb, tmp_path_factory):
    """A file with what `mlm` says of everything that the explorers compute."""
    file = tmp_path_factory.mktemp("explorers") / "values.json"
    hsb = hsb.assign(ses_cwc=mlm.center_within(hsb["ses"], hsb["schid"]))
    data = {name: explorers.DATA[name]() if name in explorers.DATA else None for name in VALUES}
    file.write_text(json.dumps({name: {"data": data[name], **make(hsb)} for name, make in VALUES.items()}, default=float))
    return file


@pytest.mark.parametrize("name", ["core", *NAMES])
def test_arithmetic(values, name):
    # A loop with an error may come to no end: node ends it after ten minutes.
    done = subprocess.run(["node", "--test", "--test-timeout=600000", "--test-reporter=tap", ROOT / f"tests/explorers/{name}.test.js"], capture_output=True, text=True,
                          env={**os.environ, "EXPLORER_VALUES": str(values)})
    assert done.returncode == 0, done.stdout + done.stderr
    assert "# fail 0" in done.stdout and "# pass 0" not in done.stdout


@pytest.mark.parametrize("name", NAMES)
def test_weight(name):
    """An explorer, with what all share and with its data, is below 15 KB as a server sends it."""
    parts = [(SCRIPTS / f"{part}.js").read_bytes() for part in ("core", name)]
    parts.append(json.dumps(explorers.rounded(explorers.DATA[name]())).encode())
    assert sum(len(gzip.compress(part, 9)) for part in parts) < 15_000
