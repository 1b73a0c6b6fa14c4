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


def test_without_the_two_persons_who_scatter_most():
    """nlme's output to three digits, as above; the page says that the intercepts' SD falls little there."""
    text = (ROOT / "chapters/r/time-points-without.txt").read_text("utf-8")
    names = page()
    keep = ~np.isin(names["fit"].design.labels, ["308", "332"])
    y = names["y"][:, keep]
    best = names["lowest"](y=y)
    assert keep.sum() == 16
    assert float(re.search(r"Log-restricted-likelihood: (\S+)", text)[1]) == pytest.approx(-names["reml_ar1"](best, y)[0] / 2, abs=1e-4)
    sd, correlation = abs(best[0]), best[1] * np.sign(best[0]) / np.hypot(best[1], best[2])
    assert float(re.search(r"^\(Intercept\) +(\S+) \(Intr\)", text, re.M)[1]) == pytest.approx(sd, rel=1e-3)
    assert float(re.search(r"^day +\S+ +(\S+) *$", text, re.M)[1]) == pytest.approx(correlation, abs=2e-3)
    assert float(re.search(r"Phi *\n(\S+)", text)[1]) == pytest.approx(np.tanh(best[3]), rel=1e-3)
    assert sd > 28 and correlation < 0.5  # with all 18: 20 ms and .97


# ------------------------------------------------------------------ a variance of residuals for each person


def reml_scatter(parameters, y, X, correlated=False):
    """REML deviance, fixed effects, their SE and the persons' predicted effects: a sigma for each, AR(1) if asked for.

    The parameters: Cholesky factor of T (3), log of each sigma (18), Fisher's z of phi.
    """
    a, b, c = parameters[:3]
    Z, L = X[:, :2], np.array([[a, 0], [b, c]])
    apart = np.abs(np.subtract.outer(np.arange(8), np.arange(8)))
    R = np.tanh(parameters[21]) ** apart if correlated else np.eye(8)
    V = Z @ L @ L.T @ Z.T + np.exp(2 * np.asarray(parameters[3:21]))[:, None, None] * R
    W = np.linalg.inv(V)
    information = np.einsum("ti,jts,sk->ik", X, W, X)
    g = np.linalg.solve(information, np.einsum("ti,jts,js->i", X, W, y))
    r = y - X @ g
    deviance = (np.linalg.slogdet(V)[1].sum() + np.linalg.slogdet(information)[1] + np.einsum("jt,jts,js", r, W, r)
                + (y.size - X.shape[1]) * np.log(2 * np.pi))
    return deviance, g, np.sqrt(np.diag(np.linalg.inv(information))), np.einsum("ik,tk,jts,js->ji", L @ L.T, Z, W, r)


@lru_cache
def scatter_fit(correlated=False, bend=False):
    y = page()["y"].T
    X = np.vander(np.arange(8.0), 3 if bend else 2, increasing=True)
    own = np.polynomial.polynomial.polyfit(np.arange(8), y.T, 1)
    start = [30, 1, 6, *np.log(np.std(y - (page()["X"] @ own).T, axis=1)), *[0.2] * correlated]
    found = optimize.minimize(lambda p: reml_scatter(p, y, X, correlated)[0], start, method="BFGS", options={"gtol": 1e-4})
    return found.fun, *reml_scatter(found.x, y, X, correlated)[1:], found.x


def test_a_variance_for_each_person_is_nlmes():
    """The page quotes nlme. Its search stops 1e-4 short in the likelihood: three digits of what hangs on the variances."""
    text = (ROOT / "chapters/r/time-points-scatter.txt").read_text("utf-8")
    deviance, g, se, effects, x = scatter_fit()
    assert float(re.search(r"Log-restricted-likelihood: (\S+)", text)[1]) == pytest.approx(-deviance / 2, abs=1e-3)
    rows = re.findall(r"^(?:\(Intercept\)|day) +(\S+) +(\S+) 125 ", text, re.M)
    np.testing.assert_allclose(np.array(rows, float).T, [g, se], rtol=1e-3)
    sd = [abs(x[0]), np.hypot(x[1], x[2])]
    printed = re.search(r"^\(Intercept\) +(\S+) \(Intr\)\nday +(\S+) +(\S+) *\nResidual +(\S+)", text, re.M).groups()
    intercept, slope, correlation, residual = (float(value) for value in printed)
    assert [intercept, slope] == pytest.approx(sd, rel=2e-3) and correlation == pytest.approx(x[1] * np.sign(x[0]) / sd[1], abs=2e-3)
    block = text.split("Parameter estimates:")[1].split("Number of")[0]
    ratios = {label: float(value) for labels, values in zip(*[iter(block.strip("\n").splitlines())] * 2)
              for label, value in zip(labels.split(), values.split())}
    assert list(ratios) == list(page()["fit"].design.labels)
    np.testing.assert_allclose(residual * np.array(list(ratios.values())), np.exp(x[3:21]), rtol=1e-2)
    person = list(page()["fit"].design.labels).index("335")
    line = [float(value) for value in re.search(r"^335 +(\S+) +(\S+)$", text, re.M).groups()]
    np.testing.assert_allclose(line, g + effects[person], rtol=2e-3)
    own, both = (float(re.search(pattern, text, re.M)[1]) for pattern in (r"^own .* 1 vs 2 +(\S+)", r"^both .* 2 vs 3 +(\S+)"))
    assert own == pytest.approx(-2 * page()["fit"].llf - deviance, abs=2e-3)
    assert both == pytest.approx(deviance - scatter_fit(correlated=True)[0], abs=4e-3)
    assert float(re.search(r"^ +Phi *\n *(\S+)", text, re.M)[1]) == pytest.approx(np.tanh(scatter_fit(correlated=True)[4][21]), rel=1e-2)
    _, g, se, *_ = scatter_fit(bend=True)
    bend = [float(value) for value in re.search(r"^I\(day\^2\) +(\S+) +(\S+)", text, re.M).groups()]
    np.testing.assert_allclose(bend, [g[2], se[2]], rtol=1e-2)
