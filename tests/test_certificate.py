"""The least deviance: proven with one variance ratio, searched with more, refused where there is none."""

import json
import sys
import warnings

import numpy as np
import pandas as pd
import pytest

from conftest import ROOT

sys.path[:0] = [str(ROOT / "benchmarks")]

import glmm  # noqa: E402
import hard_designs  # noqa: E402
import mlm  # noqa: E402
from mlm import likelihood as engine  # noqa: E402
from mlm import search  # noqa: E402
from mlm import proof  # noqa: E402
from mlm.design import Design  # noqa: E402

UNCORRELATED = json.loads((ROOT / "tests/reference/uncorrelated.json").read_text())


def products_of(data, formula="y ~ x", effects=None):
    return engine.Products.of(Design.read(formula, data, "g", effects, None))


def single_rows():
    """Forty single rows beside three groups of eight, with a slope that varies by group."""
    rng = np.random.default_rng(1114)
    g = np.r_[np.arange(40), np.repeat([40, 41, 42], 8)]
    data = pd.DataFrame({"g": g, "x": rng.normal(size=64)})
    data["y"] = data.x + rng.standard_t(2, 43)[g] * data.x * 3 + rng.normal(size=64)
    return data


# ---- one variance ratio ------------------------------------------------------------------------


def test_the_lower_of_two_minima_is_found_and_proven():
    # 18.7 deviance units lower than the minimum at tau = 0, at which all checks of derivatives pass;
    # lme4 1.1-31, nlme and glmm find 349.03 and tau = 47
    data = single_rows()
    fit = mlm.mixedlm("y ~ x", data, "g")
    assert -2 * fit.llf == pytest.approx(349.03, abs=0.005) and fit.cov_re.iloc[0, 0] == pytest.approx(47, abs=0.5)
    assert fit.certificate.kind == "proven" and fit.certificate.bound < 2e-8
    nothing = np.zeros((1, 1))
    point = engine.deviance(nothing, fit.products, True)
    assert engine.worst(engine.certify(nothing, point, fit.products)[0]) < engine.TOLERANCE  # a local minimum
    assert point.value - fit.at.value == pytest.approx(18.72, abs=0.01)


@pytest.mark.parametrize("reml", [True, False])
def test_no_scan_finds_less_than_the_proof(reml):
    # `make bench` does this for 12 000 designs; these are the first ones, and some with several minima
    several = 0
    for seed in [*range(60), 61, 120, 136, 167, 168, 238, 256, 374, 399]:
        data, formula, _ = hard_designs.hard(seed, 1)
        minima = hard_designs.scan(data, formula, reml)
        fit = hard_designs.fitted(data, formula, None, reml)
        several += len(minima) > 1
        assert fit["kind"] == "proven" and abs(fit["deviance"] - minima[0]) < hard_designs.SHORT
    assert several >= (3 if reml else 10)


def random_products(seed, reml=True):
    data, formula, _ = hard_designs.hard(seed, 1)
    products = products_of(data, formula)
    b = products.groups[:, 0, 1:]
    return products, (products.groups[:, 0, 0], np.ones(len(b)), b[:, :, None] * b[:, None, :], products.within,
                      products.n - products.p * reml, reml)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("reml", [True, False])
def test_bounds_hold_between_their_points(seed, reml):
    # what the proof rests on: nowhere inside an interval does the deviance fall below its bound
    products, known = random_products(seed, reml)
    t = np.append(0, np.geomspace(1e-3, 1e3, 12))
    bounds = proof.lower_bounds(proof.curve(t, *known), known[4])
    inner = np.linspace(t[:-1], t[1:], 202)[1:-1]
    values = proof.curve(inner.ravel(), *known)[1].reshape(inner.shape)
    assert (values.min(axis=0) >= bounds - 1e-9 * np.abs(bounds)).all()
    # and they are of use: wide intervals have loose ones, narrow ones lose the square of the width
    narrow = np.linspace(1, 1.001, 5)
    at = proof.curve(narrow, *known)
    assert (np.minimum(at[1, 1:], at[1, :-1]) - proof.lower_bounds(at, known[4])).max() < 1e-4


def test_curve_is_the_deviance_and_has_its_derivatives():
    products, known = random_products(3)
    df, t = known[4], np.array([0.02, 0.7, 40.0])
    at = proof.curve(t, *known)
    direct = [engine.deviance(np.array([[ratio]]), products, True).value for ratio in t]
    np.testing.assert_allclose(at[1] + df * (1 + np.log(2 * np.pi / df)), direct, rtol=1e-12)
    up, down = (proof.curve(t * (1 + h), *known) for h in (1e-5, -1e-5))
    for value, slope in ((1, 2), (2, 3), (4, 5), (6, None)):
        if slope:
            np.testing.assert_allclose(at[slope], (up[value] - down[value]) / (2e-5 * t), rtol=1e-5, atol=1e-8)


def test_a_bound_that_cannot_be_closed_is_not_called_proven(monkeypatch):
    monkeypatch.setattr(proof, "ROUNDS", 1)
    fit = mlm.mixedlm("y ~ x", single_rows(), "g")
    assert fit.certificate.kind == "searched" and not np.isfinite(fit.certificate.bound)


def test_twenty_thousand_groups_are_proven():
    rng = np.random.default_rng(2)
    g = np.repeat(np.arange(20_000), rng.integers(1, 4, 20_000))
    x = rng.normal(size=len(g))
    data = pd.DataFrame({"g": g, "x": x, "y": x + rng.normal(size=20_000)[g] * x + rng.normal(size=len(g))})
    fit = mlm.mixedlm("y ~ x", data, "g", "~ 0 + x")  # no two groups are alike
    assert fit.certificate.kind == "proven" and fit.cov_re.iloc[0, 0] == pytest.approx(1, abs=0.1)


# ---- more random effects -----------------------------------------------------------------------


@pytest.mark.parametrize("seed, q", [(128, 2), (130, 2), (383, 2), (20, 3), (29, 3), (56, 3)])
def test_slopes_with_several_minima(seed, q):
    # designs on which coarser searches stopped .36 to 195 deviance units short
    data, formula, effects = hard_designs.hard(seed, q)
    fit = hard_designs.fitted(data, formula, effects, seed % 2 == 0)
    assert fit["kind"] == "searched"
    assert fit["deviance"] < hard_designs.scattered(data, formula, effects, seed % 2 == 0, seed, 60) + 1e-5


def test_the_second_order_condition_has_a_sign():
    # between two minima of the ratio lies a maximum: level, no gain at the boundary, and refused
    fit = mlm.mixedlm("y ~ x", single_rows(), "g")
    t = np.geomspace(1e-4, 50, 4000)
    values = engine.profile(t[:, None, None], fit.products, True)[0]
    top = t[1 + np.flatnonzero((values[1:-1] > values[:-2]) & (values[1:-1] > values[2:]))]
    assert len(top) == 1
    for _ in range(20):  # Newton's method to the maximum itself
        at = engine.deviance(np.reshape(top, (1, 1)), fit.products, True)
        top = top - at.D.item() / at.K.item()
    T = np.reshape(top, (1, 1))
    certificate, aside = engine.certify(T, engine.deviance(T, fit.products, True), fit.products)
    assert certificate.newton < 1e-9 and certificate.boundary < 1e-9
    assert certificate.saddle > 1e-4 > certificate.tolerance
    lower = engine.deviance(aside @ aside.T, fit.products, True).value
    assert lower < engine.deviance(T, fit.products, True).value - 1e-4


@pytest.mark.parametrize("q", [2, 3])
def test_rotations_are_no_curvature(q):
    # any square root of T is as good as another: a certificate that minds which is wrong
    data, formula, effects = hard_designs.hard(7, q)
    products = products_of(data, formula, effects)
    T, at, certificate = search.estimate(products, True)
    assert certificate.saddle < certificate.tolerance
    bad = T + 0.3 * np.diag(np.diag(T))
    assert engine.worst(engine.certify(bad, engine.deviance(bad, products, True), products)[0]) > 1e-3


def test_the_screen_is_the_deviance():
    data, formula, effects = hard_designs.hard(11, 2)
    products = products_of(data, formula, effects)
    L = np.random.default_rng(0).normal(size=(6, 2, 2))
    for reml in (True, False):
        gap = search.screen(L @ L.mT, products, reml) - engine.profile(L @ L.mT, products, reml)[0]
        np.testing.assert_allclose(gap, gap[0], atol=1e-8)


# ---- no minimum --------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
def test_flat_likelihoods_are_refused(seed):
    rng = np.random.default_rng(seed)
    g = np.repeat(np.arange(5), 8)
    data = pd.DataFrame({"g": g, "x": rng.normal(size=40), "w": rng.normal(size=5)[g], "y": rng.normal(size=40)})
    with pytest.raises(ValueError, match="cannot tell the variances"):
        mlm.mixedlm("y ~ C(g) + x", data, "g")  # the fixed effects have told the groups apart
    with pytest.raises(ValueError, match="cannot tell the variances"):
        mlm.mixedlm("y ~ w", data[data.g < 2], "g")  # two groups and a predictor of groups
    assert search.estimate(products_of(data, "y ~ w"), True)[2].kind == "proven"


# ---- extreme ratios of variances ---------------------------------------------------------------


@pytest.mark.parametrize("ratio", [1, 1e3, 1e4, 1e5])
def test_extreme_ratios_of_standard_deviations(ratio):
    rng = np.random.default_rng(1)
    g = np.repeat(np.arange(50), 4)
    x, u, noise = rng.normal(size=200), rng.normal(size=50), rng.normal(size=200)
    data = pd.DataFrame({"g": g, "x": x, "y": 1 + x + ratio * u[g] + noise})
    fit = mlm.mixedlm("y ~ x", data, "g")
    tests = mlm.satterthwaite(fit)
    assert tests.df["Intercept"] == pytest.approx(49, abs=0.2) and fit.certificate.kind == "proven"
    within = pd.DataFrame({"x": x, "y": data.y}).groupby(g).transform(lambda column: column - column.mean())
    slope = within.x @ within.y / (within.x @ within.x)
    if ratio > 1:  # then the slope is the one within groups, the residual variance too
        assert fit.fe_params["x"] == pytest.approx(slope, rel=1e-4)
        assert fit.scale == pytest.approx(((within.y - slope * within.x) ** 2).sum() / 149, rel=1e-4)
        assert fit.cov_re.iloc[0, 0] == pytest.approx(ratio**2 * u.var(ddof=1), rel=0.02 if ratio > 100 else 0.1)


@pytest.mark.parametrize("ratio", [1e3, 1e4])
def test_extreme_ratios_with_slopes(ratio):
    rng = np.random.default_rng(4)
    g, x = np.repeat(np.arange(50), 8), rng.normal(size=400)
    u = rng.normal(size=(50, 2)) * [ratio, 1]
    data = pd.DataFrame({"g": g, "x": x, "y": 1 + x + u[g, 0] + u[g, 1] * x + rng.normal(size=400)})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fit = mlm.mixedlm("y ~ x", data, "g", "~ x")  # and no word of a correlation of +-1
    small = mlm.mixedlm("y ~ x", data.assign(y=data.y - (u[:, 0] * (1 - 1 / ratio))[g]), "g", "~ x")
    assert mlm.satterthwaite(fit).df["Intercept"] == pytest.approx(49, abs=0.2)
    assert fit.cov_re.iloc[1, 1] == pytest.approx(small.cov_re.iloc[1, 1], rel=0.1)


# ---- uncorrelated random effects ---------------------------------------------------------------

WITHOUT = {"slope_raw": ("mathach ~ ses", "~ ses"), "slope_cwc": ("mathach ~ ses_cwc", "~ ses_cwc"),
           "three_slopes": ("mathach ~ ses + minority + female", "~ ses + minority + female"),
           "sleepstudy": ("Reaction ~ Days", "~ Days")}


def uncorrelated(model, method):
    if model == "sleepstudy":
        data = pd.DataFrame(UNCORRELATED["sleep"])
    else:
        data = pd.read_csv(ROOT / "data/hsb.csv").rename(columns={"schid": "g"})
        data["ses_cwc"] = data.ses - data.groupby("g").ses.transform("mean")
    formula, effects = WITHOUT[model]
    return mlm.mixedlm(formula, data, "g", effects, reml=method == "reml", correlated=False)


@pytest.mark.parametrize("model, method", [(model, method) for model in WITHOUT for method in ("reml", "ml")])
def test_uncorrelated_random_effects_agree_with_lme4(model, method):
    # bobyqa's last steps of 1e-10 in theta leave 1e-5 in a variance near 0
    fit, lme4 = uncorrelated(model, method), UNCORRELATED[model][method]
    assert fit.llf == pytest.approx(lme4["log_likelihood"], abs=1e-7)
    np.testing.assert_allclose(fit.fe_params, lme4["fixed"], rtol=1e-6)
    np.testing.assert_allclose(fit.bse_fe, lme4["se"], rtol=1e-6)
    np.testing.assert_allclose(mlm.satterthwaite(fit).df, lme4["df"], rtol=1e-5)
    np.testing.assert_allclose(np.diag(fit.cov_re), lme4["variances"], rtol=2e-5)
    assert (fit.cov_re.to_numpy()[~np.eye(fit.k_re, dtype=bool)] == 0).all()
    rows = [list(fit.design.labels.astype(str)).index(group) for group in lme4["groups"]]
    np.testing.assert_allclose(fit.blups.iloc[rows], lme4["blups"], rtol=1e-4, atol=1e-5)
    sd = np.sqrt(np.diagonal(fit.blups_cov, axis1=1, axis2=2))[rows]
    np.testing.assert_allclose(sd, lme4["sd"], rtol=1e-5)


@pytest.mark.parametrize("model", ["slope_cwc", "sleepstudy"])
def test_profile_limits_of_uncorrelated_random_effects(model):
    # lme4's limits come from a spline through its profile
    limits = mlm.variance_intervals(uncorrelated(model, "ml"))
    np.testing.assert_allclose(limits[["lower", "upper"]], UNCORRELATED[model]["ml"]["limits"], rtol=1e-4, atol=1e-4)


def test_inference_from_uncorrelated_random_effects():
    fit = uncorrelated("sleepstudy", "reml")
    data = pd.DataFrame(UNCORRELATED["sleep"])
    full, null = (mlm.mixedlm("Reaction ~ Days", data, "g", effects) for effects in ("~ Days", None))
    assert list(fit.params.index) == ["Intercept", "Days", "Intercept Var", "Days Var"]
    assert "Days Var" in str(fit.summary()) and "Cov" not in str(fit.summary())
    assert fit.wald_test("Days = 0", scalar=True).statistic == pytest.approx(fit.tvalues["Days"] ** 2, rel=1e-8)
    assert mlm.likelihood_ratio(fit, full)["df"] == 1 == mlm.likelihood_ratio(null, fit)["df"]
    assert mlm.likelihood_ratio(fit, full)["p"] == mlm.likelihood_ratio(fit, full)["p_naive"]  # no boundary
    with pytest.raises(ValueError, match="not nested"):
        mlm.likelihood_ratio(full, fit)
    again = mlm.refit(fit, fit.design.y[:, None])
    np.testing.assert_allclose(again.iloc[0, :4], fit.params, rtol=1e-5)
    # the standard errors of the variances: by finite differences of the likelihood in them
    assert mlm.mixedlm("Reaction ~ Days", data.assign(Days=data.Days + 1), "g", "~ Days",
                       correlated=False).llf != pytest.approx(fit.llf, abs=1e-3)  # another origin, another model


# ---- a second implementation -------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(20))
def test_agrees_with_glmm(seed):
    # designs without heavy tails: on those both may have minima of their own
    rng = np.random.default_rng(seed)
    g = np.repeat(np.arange(25), rng.integers(3, 9, 25))
    x = rng.normal(size=len(g))
    data = pd.DataFrame({"g": g, "x": x})
    data["y"] = x + rng.normal(size=25)[g] + rng.normal(size=25)[g] * x * (seed % 3) / 2 + rng.normal(size=len(g))
    effects = "x" if seed % 2 else "1"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        other = glmm.fit(data, f"y ~ x + ({effects} | g)", reml=seed % 4 < 2)
        fit = mlm.mixedlm("y ~ x", data, "g", "~ " + effects, reml=seed % 4 < 2)
    assert fit.llf > other.loglik - 1e-6
    if not fit.singular:  # its search ends where its own figures are rounding
        assert fit.llf == pytest.approx(other.loglik, abs=1e-5)
        np.testing.assert_allclose(fit.fe_params, other.beta, rtol=1e-3, atol=1e-4)
        np.testing.assert_allclose(fit.bse_fe, other.se, rtol=1e-3)
