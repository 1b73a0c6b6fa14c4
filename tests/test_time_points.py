"""Growth models of the sleepstudy data against what is published, and against a second fit of the one that nlme makes."""

import re
from functools import lru_cache

import jupytext
import numpy as np
import pytest
from scipy import optimize, stats

import mlm
from conftest import ROOT

KEPT = (ROOT / "chapters/r/time-points-ar1.txt").read_text("utf-8")


def test_fit_to_all_days_is_that_of_the_lme4_paper():
    """Bates, Maechler, Bolker & Walker (2015), J. Stat. Softw. 67(1), the example of section 1.2, to the printed digit."""
    fit = mlm.mixedlm("Reaction ~ Days", mlm.load_sleepstudy(), "Subject", "~ Days")
    assert fit.fe_params.round(3).tolist() == [251.405, 10.467] and fit.bse_fe.round(3).tolist() == [6.825, 1.546]
    sd = np.sqrt(np.diag(fit.cov_re))
    assert sd.round(2).tolist() == [24.74, 5.92] and round(np.sqrt(fit.scale), 2) == 25.59
    assert round(fit.cov_re.iloc[0, 1] / np.prod(sd), 2) == 0.07 and round(-2 * fit.llf, 1) == 1743.6


# ------------------------------------------------------------------ the model with autocorrelation


@lru_cache
def page():
    """The names of the page's cell that fits the model."""
    cell, = (cell.source for cell in jupytext.read(ROOT / "chapters/time-points.md").cells if "def reml_ar1(" in cell.source)
    data = mlm.load_sleepstudy()
    data = data[data["Days"] >= 2].assign(day=data["Days"] - 2)
    names = {"np": np, "optimize": optimize, "stats": stats, "restricted": data, "X": np.column_stack([np.ones(8), np.arange(8)]),
             "fit": mlm.mixedlm("Reaction ~ day", data, "Subject", "~ day")}
    exec(cell, names)
    return names


def test_without_autocorrelation_it_is_the_models_deviance():
    fit = page()["fit"]
    L = np.linalg.cholesky(fit.cov_re)
    deviance, g, se = page()["reml_ar1"]([L[0, 0], *L[1], 0, np.log(fit.scale) / 2])
    assert deviance == pytest.approx(-2 * fit.llf, abs=1e-9)
    np.testing.assert_allclose([g, se], [fit.fe_params, fit.bse_fe], rtol=1e-8)


def test_what_nlme_prints_is_the_optimum():
    x, deviance = page()["best"], page()["least"]
    _, g, se = page()["reml_ar1"](x)
    sd = np.abs([x[0], np.hypot(x[1], x[2])])
    assert float(re.search(r"Log-restricted-likelihood: (\S+)", KEPT)[1]) == pytest.approx(-deviance / 2, abs=5.1e-5)
    # nlme stops 1e-8 short, where the deviance is flat: three digits of the variances, five of what hardly depends on them
    printed = {name: float(re.search(pattern, KEPT, re.M)[1]) for name, pattern in {
        "phi": r"^ +Phi *\n(\S+)", "intercept": r"^\(Intercept\) +(\S+) \(Intr\)", "slope": r"^day +(\S+) +\S+ *$",
        "cor": r"^day +\S+ +(\S+) *$", "residual": r"^Residual +(\S+)"}.items()}
    expected = {"phi": np.tanh(x[3]), "intercept": sd[0], "slope": sd[1], "cor": x[1] / sd[1] * np.sign(x[0]), "residual": np.exp(x[4])}
    assert printed == pytest.approx(expected, rel=1e-3)
    rows = re.findall(r"^(?:\(Intercept\)|day) +(\S+) +(\S+) 125 +(\S+) ", KEPT, re.M)
    np.testing.assert_allclose(np.array(rows, float).T, [g, se, g / se], rtol=2e-5)


def test_nlmes_likelihood_ratio():
    alone, both, ratio, p = re.search(r"alone .* (\S+) +\nar1 .* (\S+) 1 vs 2 (\S+) +(\S+)", KEPT).groups()
    without, least = -2 * page()["fit"].llf, page()["least"]
    assert [float(alone), float(both)] == pytest.approx([-without / 2, -least / 2], abs=5.1e-5)  # four decimals are printed
    assert float(ratio) == pytest.approx(without - least, abs=1e-6)
    assert float(p) == pytest.approx(stats.chi2.sf(float(ratio), 1), abs=5e-5)


def test_no_start_leads_lower():
    """Nelder and Mead's search is local; so the page's optimum is compared with those from other starts."""
    rng, deviance = np.random.default_rng(3), lambda x: page()["reml_ar1"](x)[0]
    for _ in range(8):
        start = [rng.normal(0, 20), rng.normal(0, 4), rng.normal(0, 4), rng.uniform(-0.2, 1), rng.uniform(3, 4)]
        found = optimize.minimize(deviance, start, method="Nelder-Mead", options={"maxiter": 9000, "maxfev": 9000, "fatol": 1e-10})
        assert found.fun > page()["least"] - 1e-7


def test_profile_interval_ends_where_the_deviance_is_high_enough():
    for phi in page()["limits"]:
        rise = page()["reml_ar1"](page()["lowest"](phi))[0] - page()["least"]
        assert rise == pytest.approx(3.8415, abs=1e-3)
    low, high = page()["limits"]
    assert 0 < low < np.tanh(page()["best"][3]) < high < 1
