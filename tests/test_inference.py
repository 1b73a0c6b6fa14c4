"""Inference around the fit: against lme4, lmerTest, nlme, merTools, and what the equations say directly."""

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from scipy import stats

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "chapters"))
sys.path.insert(0, str(ROOT / "tests"))

import mlm  # noqa: E402
from mlm.description import center_within  # noqa: E402
from mlm.fit import SingularFit, mixedlm  # noqa: E402
from test_fit import FITS, LME4, MODELS, fits, hsb, simulate  # noqa: E402, F401

REFERENCE = json.loads((ROOT / "tests/reference/inference.json").read_text())
EXPLAINED = json.loads((ROOT / "tests/reference/explained.json").read_text())
ENGINE = json.loads((ROOT / "tests/reference/engine.json").read_text())


@pytest.fixture(scope="module")
def singular(hsb):  # noqa: F811
    """Fits of 20 schools each whose random effects are correlated by -1."""
    schools, fitted = hsb.schid.unique(), {}
    for name in ENGINE["singular"]:
        first, last = map(int, name.split(" to "))
        with pytest.warns(SingularFit, match="correlation of Intercept and ses is -1"):
            some = hsb[hsb.schid.isin(schools[first - 1 : last])]
            fitted[name] = mixedlm("mathach ~ ses + minority", some, "schid", "~ ses")
    return fitted


# ---- fixed effects ------------------------------------------------------------------------------


@pytest.mark.parametrize("model", MODELS)
def test_satterthwaite_is_that_of_lmertest(fits, model):  # noqa: F811
    # lmerTest takes numerical derivatives: they cost it the last digits, 2e-6 with three slopes
    ours, theirs = mlm.satterthwaite(fits[model, "reml"]), REFERENCE["satterthwaite"][model]
    np.testing.assert_allclose(ours.df, theirs["df"], rtol=1e-5)
    np.testing.assert_allclose(ours.t, theirs["t"], rtol=1e-6)
    np.testing.assert_allclose(np.log(ours.p), np.log(theirs["p"]), rtol=1e-5)
    reach = stats.t.ppf(0.975, theirs["df"]) * theirs["se"]
    np.testing.assert_allclose(ours.upper - ours.estimate, reach, rtol=1e-6)


def test_singular_fits_agree_with_lme4_and_lmertest(singular):
    for name, theirs in ENGINE["singular"].items():
        fit = singular[name]
        table = mlm.satterthwaite(fit)
        assert fit.llf == pytest.approx(theirs["log_likelihood"], abs=1e-6)
        np.testing.assert_allclose(table.estimate, theirs["estimate"], rtol=1e-6)
        np.testing.assert_allclose(table.se, theirs["se"], rtol=1e-6)
        np.testing.assert_allclose(table.df, theirs["df"], rtol=1e-5)
        np.testing.assert_allclose(fit.cov_re, theirs["tau"], rtol=1e-5)
        np.testing.assert_allclose(fit.blups[:3], theirs["ranef"], rtol=1e-4)


def test_satterthwaite_of_contrasts(fits):  # noqa: F811
    fit = fits["cross_level", "reml"]
    each = mlm.satterthwaite(fit)
    named = mlm.satterthwaite(fit, "schtype = 1")
    assert named.df[0] == pytest.approx(each.df["schtype"], rel=1e-10)
    assert named.t[0] == pytest.approx((each.estimate["schtype"] - 1) / each.se["schtype"], rel=1e-10)
    doubled = mlm.satterthwaite(fit, 2 * np.eye(6)[[2]])
    assert doubled.se[0] == pytest.approx(2 * each.se["schtype"]) and doubled.df[0] == pytest.approx(each.df["schtype"])


# ---- comparing models ---------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["reml", "ml"])
def test_likelihood_ratio_of_a_random_slope(fits, method):  # noqa: F811
    test = mlm.likelihood_ratio(fits["ancova_cwc", method], fits["slope_cwc", method])
    theirs = REFERENCE["random_slope_lrt"][method]
    assert test.statistic == pytest.approx(theirs["chisq"], abs=1e-6) and test.df == theirs["df"]
    assert test.p_naive == pytest.approx(theirs["p"], rel=1e-6)
    assert test.p == pytest.approx(theirs["p_mixture"], rel=1e-6)


def test_likelihood_ratio_of_fixed_effects_and_of_the_random_intercept(fits, hsb):  # noqa: F811
    small, large = fits["null", "ml"], fits["meanses", "ml"]
    test = mlm.likelihood_ratio(small, large)
    expected = 2 * (LME4["meanses"]["ml"]["log_likelihood"] - LME4["null"]["ml"]["log_likelihood"])
    assert test.statistic == pytest.approx(expected, abs=1e-5) and test.df == 1 and test.p == test.p_naive
    # without random effects the model is a regression
    ols = smf.ols("mathach ~ ses_cwc", hsb).fit()
    against_none = mlm.likelihood_ratio(None, fits["ancova_cwc", "ml"])
    assert against_none.statistic == pytest.approx(2 * (fits["ancova_cwc", "ml"].llf - ols.llf), abs=1e-6)
    assert against_none.p == pytest.approx(against_none.p_naive / 2)
    assert np.isnan(mlm.likelihood_ratio(fits["null", "ml"], fits["three_slopes", "ml"]).p)


def test_comparisons_that_mean_nothing_are_refused(fits, hsb):  # noqa: F811
    def refused(message, smaller, larger):
        with pytest.raises(ValueError, match=message):
            mlm.likelihood_ratio(smaller, larger)

    refused("REML fits with different fixed effects", fits["null", "reml"], fits["meanses", "reml"])
    refused("by the same method", fits["ancova_cwc", "ml"], fits["slope_cwc", "reml"])
    refused("not nested", fits["meanses", "ml"], fits["slope_cwc", "ml"])
    refused("not nested", fits["slope_cwc", "ml"], fits["slope_raw", "ml"])
    refused("not nested", fits["slope_cwc", "ml"], fits["ancova_cwc", "ml"])
    refused("different rows", mixedlm("mathach ~ 1", hsb[:-1], "schid", reml=False), fits["meanses", "ml"])


# ---- bootstrap ----------------------------------------------------------------------------------


@pytest.mark.parametrize("reml", [True, False])
@pytest.mark.parametrize("tau", [0.5, 0.05])
@pytest.mark.filterwarnings("ignore::mlm.fit.SingularFit")
def test_refits_are_the_fits(reml, tau):
    # with tau = .05 most replicates are singular
    data = simulate(11, groups=70, q=2, tau=tau, p=3)
    fit = mixedlm("y ~ x0 + x1", data, "g", "~ x0", reml)
    responses = mlm.simulate(fit, 12, seed=4)
    table = mlm.refit(fit, responses)
    for k in range(12):
        one = mixedlm("y ~ x0 + x1", data.assign(y=responses[:, k]), "g", "~ x0", reml)
        assert table.llf[k] == pytest.approx(one.llf, abs=1e-6)
        np.testing.assert_allclose(table.loc[k, one.params.index], one.params, atol=2e-5)
        assert table["Residual Var"][k] == pytest.approx(one.scale, rel=1e-5)


def test_simulated_responses_have_the_moments_of_the_model(fits, hsb):  # noqa: F811
    fit = fits["slope_cwc", "reml"]
    draws = mlm.simulate(fit, 2000, seed=2)
    school = hsb.schid.to_numpy() == "1224"
    Z = fit.design.Z[school]
    covariance = Z @ fit.tau @ Z.T + fit.scale * np.eye(school.sum())
    centred = draws[school] - fit.predict()[school].to_numpy()[:, None]
    # covariances of 2000 draws have standard errors of at most 1.5; five of them
    np.testing.assert_allclose(centred @ centred.T / 2000, covariance, atol=7.5)
    # the mean over all draws and rows has one of sqrt(8.7 / 160 / 2000)
    assert (draws.mean(axis=1) - fit.predict()).mean() == pytest.approx(0, abs=0.03)


def test_bootstrap(fits, capsys):  # noqa: F811
    fit = fits["slope_cwc", "reml"]
    table = mlm.bootstrap(fit, 400, seed=3, progress=True)
    assert capsys.readouterr().err.endswith("100% of 400 replicates\n")
    assert len(table) == 400 and list(table)[-2:] == ["Residual Var", "llf"]
    # a standard deviation of 400 replicates has a standard error of 3.5 %; four of them
    np.testing.assert_allclose(table[fit.params.index].std(), fit.bse, rtol=0.14)
    pd.testing.assert_frame_equal(table[:150], mlm.bootstrap(fit, 150, seed=3))
    assert not table.equals(mlm.bootstrap(fit, 400, seed=4))


def test_bootstrap_judges_the_mixture(hsb):  # noqa: F811
    # 60 schools, where the slope's p value is large enough to be estimated from 400 draws
    some = hsb[hsb.schid.isin(hsb.schid.unique()[100:])]
    small = mixedlm("mathach ~ ses_cwc", some, "schid")
    large = mixedlm("mathach ~ ses_cwc", some, "schid", "~ ses_cwc")
    p = mlm.likelihood_ratio(small, large).p
    drawn = mlm.bootstrap_test(small, large, 400, seed=1)
    assert 0.02 < p < 0.5
    assert drawn == pytest.approx(p, abs=4 * np.sqrt(p * (1 - p) / 400))


# ---- intervals of variances ---------------------------------------------------------------------


@pytest.mark.parametrize("model", ["null", "slope_cwc"])
def test_profile_intervals(fits, model):  # noqa: F811
    # reference.R solves for the limits directly; lme4's own, by splines, differ in the fourth digit
    table, theirs = mlm.variance_intervals(fits[model, "ml"]), REFERENCE["profile"][model]
    rows = len(table)
    np.testing.assert_allclose(table.lower, theirs["lower"][:rows], rtol=2e-6)
    np.testing.assert_allclose(table.upper, theirs["upper"][:rows], rtol=2e-6)
    np.testing.assert_allclose(table.lower, theirs["lme4_lower"][:rows], rtol=2e-3)


def test_profile_intervals_on_the_boundary(singular):
    table = mlm.variance_intervals(singular["81 to 100"])
    np.testing.assert_allclose(table.loc["cor Intercept ses"], [-1, -1, 1], atol=1e-6)
    assert table.lower["sd ses"] == pytest.approx(0, abs=1e-3) and table.upper["sd ses"] > table.estimate["sd ses"]


def test_delta_intervals(fits, singular):  # noqa: F811
    # nlme takes numerical second derivatives
    table = mlm.variance_intervals(fits["null", "reml"], method="delta")
    np.testing.assert_allclose(table[["lower", "estimate", "upper"]], ENGINE["delta_null"], rtol=2e-4)
    slope = mlm.variance_intervals(fits["slope_cwc", "reml"], method="delta")
    se = LME4["slope_cwc"]["reml"]["variance_se"]["tau"][1][1]  # by numDeriv from lme4's deviance
    tau11 = LME4["slope_cwc"]["reml"]["random"]["tau"][1][1]
    assert slope.upper["sd ses_cwc"] == pytest.approx(np.sqrt(tau11 * np.exp(1.959964 * se / tau11)), rel=1e-4)
    assert mlm.variance_intervals(singular["61 to 80"], method="delta").lower.isna().all()


# Which intervals keep their level. In groups of equal size, half of them treated, all estimates follow from two
# mean squares, so that many studies cost little; one of them is compared with the functions themselves.

TAU, SIGMA2, N, Z = 8.6, 39.1, 20, stats.norm.ppf(0.975)  # an intraclass correlation of .18


def balanced(between, within, J, reml):
    """lambda = n tau + sigma2 and sigma2 at best, and the deviance as a function of both."""
    a, b = J - 2 * reml, J * (N - 1)
    ssb, ssw = (J - 2) * between, b * within

    def deviance(lam, sigma2):
        return a * np.log(lam) + ssb / lam + b * np.log(sigma2) + ssw / sigma2

    lam, sigma2 = ssb / a, ssw / b
    low = lam < sigma2
    pooled = (ssb + ssw) / (a + b)
    return np.where(low, pooled, lam), np.where(low, pooled, sigma2), deviance


def profile_excess(tau, between, within, J, reml):
    """By how much the deviance grows if the variance is tau; the best sigma2 by golden section."""
    *best, deviance = balanced(between, within, J, reml)
    lo, hi = (np.full_like(within, np.log(SIGMA2) + side) for side in (-5, 5))
    for _ in range(50):
        c, d = hi - 0.618034 * (hi - lo), lo + 0.618034 * (hi - lo)
        left = deviance(N * tau + np.exp(c), np.exp(c)) < deviance(N * tau + np.exp(d), np.exp(d))
        lo, hi = np.where(left, lo, c), np.where(left, d, hi)
    return deviance(N * tau + np.exp(lo), np.exp(lo)) - deviance(*best)


def drawn_quantiles(lam, sigma2, J, reml, rng, draws=400):
    lams = lam * rng.chisquare(J - 2, (draws, len(lam))) / (J - 2)
    new = balanced(lams, sigma2 * rng.chisquare(J * (N - 1), lams.shape) / (J * (N - 1)), J, reml)
    return np.quantile((new[0] - new[1]) / N, [0.025, 0.975], axis=0)


@pytest.mark.parametrize("reml", [True, False])
def test_the_short_cut_is_what_the_functions_do(reml):
    rng, group = np.random.default_rng(4), np.repeat(np.arange(12), N)
    data = pd.DataFrame({"g": group, "x": group % 2, "y": rng.normal(0, TAU**0.5, 12)[group] + rng.normal(0, 6.25, len(group))})
    fit = mlm.mixedlm("y ~ x", data, "g", reml=reml)
    means = data.groupby("g").y.mean()
    between = np.array([N * ((means - means.groupby(means.index % 2).transform("mean")) ** 2).sum() / 10])
    within = np.array([data.groupby("g").y.var(ddof=1).mean()])
    lam, sigma2, _ = balanced(between, within, 12, reml)
    assert (lam[0] - sigma2[0]) / N == pytest.approx(fit.cov_re.iloc[0, 0], rel=1e-5)
    for limit in mlm.variance_intervals(fit).loc["sd Intercept", ["lower", "upper"]]:
        assert profile_excess(limit**2, between, within, 12, reml)[0] == pytest.approx(stats.chi2.ppf(0.95, 1), rel=1e-4)
    quantiles = mlm.bootstrap(fit, 2000)["Intercept Var"].quantile([0.025, 0.975])
    # of 2000 and 20 000 draws: their own error is 4 %
    np.testing.assert_allclose(drawn_quantiles(lam, sigma2, 12, reml, rng, 20_000)[:, 0], quantiles, rtol=0.12)
    assert fit.bse_fe["x"] == pytest.approx(np.sqrt(lam[0] / N / 3))


@pytest.mark.parametrize("J, reml, said", [(12, True, {"profile": 6, "delta": 1, "quantiles": 10, "z": 8, "t": 5}),
                                           (12, False, {"profile": 10, "quantiles": 28}),
                                           (160, True, {"profile": 5, "delta": 5, "quantiles": 6, "z": 5, "t": 5})])
def test_intervals_miss_as_often_as_the_docstrings_say(J, reml, said):
    rng, studies = np.random.default_rng(J), 6000 if J == 12 else 2000
    between = (N * TAU + SIGMA2) * rng.chisquare(J - 2, studies) / (J - 2)
    within = SIGMA2 * rng.chisquare(J * (N - 1), studies) / (J * (N - 1))
    lam, sigma2, _ = balanced(between, within, J, reml)
    tau = (lam - sigma2) / N
    low, high = np.hstack([drawn_quantiles(*part, J, reml, rng) for part in
                           zip(np.array_split(lam, 20), np.array_split(sigma2, 20))])
    effect = rng.normal(0, np.sqrt((N * TAU + SIGMA2) / N * 4 / J), studies) / np.sqrt(lam / N * 4 / J)
    se = np.sqrt(2 / N**2 * (lam**2 / (J - 2 * reml) + sigma2**2 / (J * (N - 1))))
    positive = tau > 0
    misses = {"profile": profile_excess(TAU, between, within, J, reml) > stats.chi2.ppf(0.95, 1),
              "delta": positive & (np.abs(np.log(TAU / np.where(positive, tau, 1))) > Z * se / np.where(positive, tau, 1)),
              "quantiles": (low > TAU) | (high < TAU), "z": np.abs(effect) > Z, "t": np.abs(effect) > stats.t.ppf(0.975, J - 2)}
    for name, percent in said.items():
        rate = misses[name].mean()
        # rounding to whole percents, and four Monte-Carlo errors
        assert abs(rate - percent / 100) < 0.005 + 4 * np.sqrt(rate * (1 - rate) / studies), (name, rate)
    assert J > 12 or (high < TAU).mean() > 20 * (low > TAU).mean()  # too low, nearly always


# ---- how alike, how reliable --------------------------------------------------------------------


def test_icc_reliability_design_effect(fits):  # noqa: F811
    fit, theirs = fits["null", "reml"], REFERENCE["null_model"]
    assert mlm.icc(fit) == pytest.approx(theirs["icc"], rel=1e-6)
    reliability = mlm.reliability(fit).Intercept
    assert f"{reliability.mean():.3f}" == "0.901"  # HLM
    assert reliability.mean() == pytest.approx(theirs["reliability_mean"], rel=1e-6)
    np.testing.assert_allclose(reliability[LME4["null"]["reml"]["ranef"]["schools"]], theirs["reliability_first_schools"],
                               rtol=1e-6)
    assert mlm.design_effect([0.18, 0], 45) == pytest.approx([8.92, 1])
    # a school without minority students has no slope of its own
    gaps = mlm.reliability(fits["three_slopes", "reml"])
    assert gaps.isna().any(axis=None) and gaps.notna().any(axis=None)


def test_reliability_of_slopes_from_single_regressions(fits, hsb):  # noqa: F811
    fit = fits["slope_cwc", "reml"]
    x = hsb.ses_cwc[hsb.schid == "1224"]
    error = fit.scale / ((x - x.mean()) ** 2).sum()
    tau11 = fit.cov_re.iloc[1, 1]
    assert mlm.reliability(fit).ses_cwc["1224"] == pytest.approx(tau11 / (tau11 + error), rel=1e-10)


def test_blups_with_intervals(fits):  # noqa: F811
    table, theirs = mlm.blups(fits["slope_cwc", "reml"]), LME4["slope_cwc"]["reml"]["ranef"]
    first = table.loc[theirs["schools"]]
    np.testing.assert_allclose(first.estimate, np.ravel(theirs["estimate"]), rtol=1e-5)
    np.testing.assert_allclose(first.sd, np.ravel(theirs["conditional_sd"]), rtol=1e-6)
    np.testing.assert_allclose(first.upper - first.lower, 2 * 1.959964 * first.sd, rtol=1e-6)


# ---- prediction ---------------------------------------------------------------------------------


def test_prediction_errors_are_those_of_the_mixed_model_equations():
    data = simulate(7, groups=40, q=2, p=3)
    fit = mixedlm("y ~ x0 + x1", data, "g", "~ x0")
    X, Z, J = fit.design.X, fit.design.Z, 40
    wide = np.zeros((len(X), 2 * J))
    for i, g in enumerate(fit.design.codes):
        wide[i, 2 * g : 2 * g + 2] = Z[i]
    rows = np.hstack([X, wide])
    inside = rows.T @ rows / fit.scale
    inside[3:, 3:] += np.kron(np.eye(J), np.linalg.inv(fit.tau))
    covariance = np.linalg.inv(inside)  # of (g estimated - g, u predicted - u)
    new = data[::17]
    variance = np.einsum("ni,ij,nj->n", rows[::17], covariance, rows[::17])
    known = mlm.predict(fit, new, "g", of="mean")
    np.testing.assert_allclose(known.se**2, variance, rtol=1e-8)
    np.testing.assert_allclose(known.fit, fit.fittedvalues[::17])
    observation = mlm.predict(fit, new, "g")
    np.testing.assert_allclose(observation.se**2, variance + fit.scale, rtol=1e-8)
    unknown = mlm.predict(fit, new, of="mean")
    fixed = np.einsum("ni,ij,nj->n", X[::17], covariance[:3, :3], X[::17])
    np.testing.assert_allclose(unknown.se**2, fixed + np.einsum("ni,ij,nj->n", Z[::17], fit.tau, Z[::17]), rtol=1e-8)
    mixed = mlm.predict(fit, new, [-1] * len(new), of="mean")
    pd.testing.assert_frame_equal(mixed, unknown)


def test_prediction_intervals_near_those_of_mertools(fits, hsb):  # noqa: F811
    # merTools simulates (10 000 draws, so limits to about .15) and takes fixed and random effects as independent
    theirs = REFERENCE["predict_interval"]
    ours = mlm.predict(fits[theirs["model"], "reml"], hsb[:3], "schid")
    np.testing.assert_allclose(ours.fit, theirs["fit"], atol=0.2)
    np.testing.assert_allclose(ours.lower, theirs["lower"], atol=0.5)
    np.testing.assert_allclose(ours.upper, theirs["upper"], atol=0.5)


def test_prediction_by_patsys_memory(hsb):  # noqa: F811
    fit = mixedlm("mathach ~ C(schtype) + np.exp(ses)", hsb, "schid", "~ I(ses + 1)")
    ours = mlm.predict(fit, hsb[40:60], "schid")
    np.testing.assert_allclose(ours.fit, fit.fittedvalues[40:60])
    with pytest.raises(ValueError, match="need the .*columns"):
        mlm.predict(mixedlm("mathach ~ ses", hsb, "schid"), hsb[["mathach"]])


# ---- explained variance -------------------------------------------------------------------------


def test_r_squared_from_lme4s_estimates(fits, hsb):  # noqa: F811
    theirs = LME4["slope_raw"]["reml"]
    tau, fixed = np.array(theirs["random"]["tau"]), theirs["fixed"]["estimate"]
    explained = (fixed[0] + fixed[1] * hsb.ses).var()
    # E(z' tau z) by the moments of ses
    random = tau[0, 0] + 2 * tau[0, 1] * hsb.ses.mean() + tau[1, 1] * (hsb.ses**2).mean()
    whole = explained + random + theirs["sigma2"]
    ours = mlm.r_squared(fits["slope_raw", "reml"])
    assert ours.marginal == pytest.approx(explained / whole, rel=1e-5)
    assert ours.conditional == pytest.approx((explained + random) / whole, rel=1e-5)


def test_variance_reduction(fits):  # noqa: F811
    share = mlm.variance_reduction(fits["null", "reml"], fits["meanses", "reml"])
    before, after = LME4["null"]["reml"], LME4["meanses"]["reml"]
    assert share.Intercept == pytest.approx(1 - after["random"]["tau"][0][0] / before["random"]["tau"][0][0], rel=1e-5)
    assert share.Residual == pytest.approx(1 - after["sigma2"] / before["sigma2"], abs=1e-6)
    assert round(share.Intercept, 2) == 0.69  # Raudenbush & Bryk (2002), p. 74


# ---- explained variance -------------------------------------------------------------------------

EXPLAINED_MODELS = [name for name in EXPLAINED if name != "versions"]


@pytest.fixture(scope="module")
def explained(hsb):  # noqa: F811
    """The models of explained.R, fitted here."""
    data = hsb.assign(ses_cwc=center_within(hsb.ses, hsb.schid), catholic=hsb.schtype)
    data = data.assign(ses_mean=data.ses - data.ses_cwc)
    formulas = {"null": ("1", None), "within": ("ses_cwc", None), "both": ("ses_cwc + ses_mean", None),
                "slopes": ("ses_cwc + ses_mean", "~ ses_cwc"),
                "cross": ("ses_cwc * catholic + ses_cwc * meanses", "~ ses_cwc"),
                "raw": ("ses + ses_mean", "~ ses")}
    return {name: mixedlm(f"mathach ~ {fixed}", data, "schid", slopes) for name, (fixed, slopes) in formulas.items()}


@pytest.mark.parametrize("model", EXPLAINED_MODELS)
def test_r_squared_is_that_of_performance(explained, model):
    ours, theirs = mlm.r_squared(explained[model]), EXPLAINED[model]
    # the package divides the variance of the slopes by n, the R script fits to about 1e-7
    assert ours.marginal == pytest.approx(theirs["marginal"], rel=1e-6, abs=1e-12)
    if theirs["conditional"] is not None:  # the package gives none without predictors
        assert ours.conditional == pytest.approx(theirs["conditional"], rel=1e-6)
    assert model != "null" or ours.conditional == pytest.approx(mlm.icc(explained["null"]))


@pytest.mark.parametrize("model", EXPLAINED_MODELS)
def test_the_parts_are_those_of_rights_and_sterba(explained, model):
    fit, theirs = explained[model], EXPLAINED[model]["partition"]
    parts = mlm.variance_partition(fit)
    variance = parts.variance.rename(index=lambda name: name.replace(" ", "_"))
    variance["slopes"] *= fit.nobs / (fit.nobs - 1)  # theirs by n - 1, as a sample's variance
    np.testing.assert_allclose(variance[list(theirs)], list(theirs.values()), rtol=1e-5, atol=1e-12)
    np.testing.assert_allclose(parts[["total", "within", "between"]].sum(), 1)


def test_the_parts_add_up_to_nakagawas_shares(explained):
    for model in EXPLAINED_MODELS:
        share, r2 = mlm.variance_partition(explained[model])["total"], mlm.r_squared(explained[model])
        assert share["fixed within"] + share["fixed between"] == pytest.approx(r2.marginal, rel=1e-12, abs=1e-15)
        assert 1 - share["residual"] == pytest.approx(r2.conditional, rel=1e-12)


def test_parts_of_slopes_that_also_differ_between_schools_are_refused(explained):
    with pytest.raises(ValueError, match="ses has a random slope and is not centered within groups"):
        mlm.variance_partition(explained["raw"])


# ---- what has gone wrong before -----------------------------------------------------------------


@pytest.fixture(scope="module")
def growth():
    """Six occasions of 40 persons in calendar years, with random slopes."""
    rng = np.random.default_rng(5)
    person, time = np.repeat(np.arange(40), 6), np.tile(np.arange(6.0), 40)
    u = rng.normal(size=(40, 2)) * [1, 0.3]
    y = 2 + 0.5 * time - 0.05 * time**2 + u[person, 0] + u[person, 1] * time + rng.normal(size=240)
    return pd.DataFrame({"person": person, "time": time, "year": 1999 + time, "seconds": 9.3e8 + 3.15e7 * time, "y": y,
                         "half": person % 2, "half_days": 7 * (person % 2) + 4, "pair": person // 2})


def test_reml_fits_of_the_same_fixed_effects_in_another_coding_are_compared(growth):
    same = mlm.likelihood_ratio(mlm.mixedlm("y ~ time", growth, "person"), mlm.mixedlm("y ~ time", growth, "person", "~ time"))
    assert same.statistic > 10
    for smaller, larger in [("time", "year"), ("I(100 * time)", "time"), ("seconds", "I(time / 50)")]:
        other = mlm.likelihood_ratio(mlm.mixedlm(f"y ~ {smaller}", growth, "person"),
                                     mlm.mixedlm(f"y ~ {larger}", growth, "person", "~ time"))
        # 7 digits of the seconds are left to tell occasions apart
        assert other.statistic == pytest.approx(same.statistic, abs=1e-6) and other.p == pytest.approx(same.p, rel=1e-5)


def test_large_origins_do_not_hide_that_models_are_nested(growth):
    for time in ("time", "year", "seconds"):
        small, large = (mlm.mixedlm(f"y ~ {time}{square}", growth, "person", "~ time", reml=False)
                        for square in ("", f" + I({time} ** 2)"))
        assert mlm.likelihood_ratio(small, large).df == 1
    # nor do they make models nested that are not
    rng = np.random.default_rng(1)
    far = growth.assign(a=1e8 + rng.normal(size=240), b=1e8 + rng.normal(size=240))
    with pytest.raises(ValueError, match="not nested"):
        mlm.likelihood_ratio(mlm.mixedlm("y ~ a", far, "person", reml=False),
                             mlm.mixedlm("y ~ b + time", far, "person", reml=False))


def test_fits_of_other_groups_and_other_rows_are_not_compared(growth):
    small, large = mlm.mixedlm("y ~ 1", growth, "pair", reml=False), mlm.mixedlm("y ~ time", growth, "person", reml=False)
    with pytest.raises(ValueError, match="different groups"):
        mlm.likelihood_ratio(small, large)
    with pytest.raises(ValueError, match="different groups"):
        mlm.bootstrap_test(small, large, 5)
    renamed = mlm.mixedlm("y ~ 1", growth.assign(person="p" + growth.person.astype(str)), "person", reml=False)
    assert mlm.likelihood_ratio(renamed, large).df == 1  # the same groups under other names
    # a missing value leaves out another row, with the same response in the same group
    twin = growth.assign(y=growth.y.where(growth.time != 1, growth.y.shift(1)))
    with pytest.warns(match="1 of 240 rows"):
        one, two = (mlm.mixedlm(formula, twin.assign(z=twin.time.where(twin.index != row)), "person", reml=False)
                    for formula, row in (("y ~ z", 0), ("y ~ z", 1)))
    assert np.array_equal(one.design.y, two.design.y)
    with pytest.raises(ValueError, match="different rows"):
        mlm.likelihood_ratio(one, two)


REAL = {"Orthodont": ("Subject", ["distance ~ age", "distance ~ age * Sex"]), "Loblolly": ("Seed", ["height ~ age + I(age ** 2)"])}


@pytest.mark.parametrize("name, formula", [(name, formula) for name, (_, formulas) in REAL.items() for formula in formulas])
def test_profile_limits_where_a_variance_may_be_zero(name, formula, reference):
    theirs = reference("profiles")[name]
    fit = mlm.mixedlm(formula, pd.DataFrame(theirs["data"]), REAL[name][0], "~ age", reml=False)
    ours, limits = mlm.variance_intervals(fit), theirs["limits"][formula]
    for row, (lower, upper) in zip(ours.itertuples(index=False), limits):
        # lme4 interpolates its profile by splines, coarsely near 0
        assert (row.lower, row.upper) == (pytest.approx(lower, rel=2e-3, abs=6e-3), pytest.approx(upper, rel=2e-3))
    correlation = ours.filter(like="cor ", axis=0).iloc[0]
    assert (correlation.lower, correlation.upper) == (-1, 1)
    zero = [deviance < stats.chi2.ppf(0.95, 1) for deviance in theirs["deviance_without"][formula]]
    assert any(zero) and [lower == 0 for lower in ours.filter(like="sd ", axis=0).lower] == [*zero, False]


def test_a_model_without_fixed_effects(hsb):  # noqa: F811
    fit = mlm.mixedlm("ses ~ 0", hsb, "schid", reml=False)
    assert mlm.satterthwaite(fit).empty and mlm.joint_tests(fit).empty
    assert mlm.model_table(fit).loc["Variance components", "estimate"].notna().all()


def test_labels_of_another_type_are_refused(hsb):  # noqa: F811
    numbered = hsb.assign(schid=hsb.schid.astype(int))
    fit = mlm.mixedlm("mathach ~ ses", numbered, "schid")
    with pytest.raises(ValueError, match="numbers.*1224.*'1224'"):
        mlm.predict(fit, hsb, "schid")
    known = mlm.predict(fit, numbered[:50], "schid")
    pd.testing.assert_frame_equal(known, mlm.predict(fit, numbered[:50], numbered.schid.astype(float)[:50]))
    pd.testing.assert_frame_equal(known, mlm.predict(fit, numbered[:50], numbered.schid[:50].tolist()))
    # a Series is matched by its index, whatever its order
    pd.testing.assert_frame_equal(known, mlm.predict(fit, numbered[:50], numbered.schid[:50][::-1]))
    for wrong in ([1224], "school", numbered.schid[50:100]):
        with pytest.raises(ValueError, match="50|school|index"):
            mlm.predict(fit, numbered[:50], wrong)
    some = mlm.predict(fit, numbered[:2], [None, 1224], of="mean")
    assert some.se.iloc[0] > some.se.iloc[1]
