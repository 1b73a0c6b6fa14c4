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

from mlm import inference  # noqa: E402
from mlm.describe import center_within  # noqa: E402
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
    ours, theirs = inference.satterthwaite(fits[model, "reml"]), REFERENCE["satterthwaite"][model]
    np.testing.assert_allclose(ours.df, theirs["df"], rtol=1e-5)
    np.testing.assert_allclose(ours.t, theirs["t"], rtol=1e-6)
    np.testing.assert_allclose(np.log(ours.p), np.log(theirs["p"]), rtol=1e-5)
    reach = stats.t.ppf(0.975, theirs["df"]) * theirs["se"]
    np.testing.assert_allclose(ours.upper - ours.estimate, reach, rtol=1e-6)


def test_singular_fits_agree_with_lme4_and_lmertest(singular):
    for name, theirs in ENGINE["singular"].items():
        fit = singular[name]
        table = inference.satterthwaite(fit)
        assert fit.llf == pytest.approx(theirs["log_likelihood"], abs=1e-6)
        np.testing.assert_allclose(table.estimate, theirs["estimate"], rtol=1e-6)
        np.testing.assert_allclose(table.se, theirs["se"], rtol=1e-6)
        np.testing.assert_allclose(table.df, theirs["df"], rtol=1e-5)
        np.testing.assert_allclose(fit.cov_re, theirs["tau"], rtol=1e-5)
        np.testing.assert_allclose(fit.blups[:3], theirs["ranef"], rtol=1e-4)


def test_satterthwaite_of_contrasts(fits):  # noqa: F811
    fit = fits["cross_level", "reml"]
    each = inference.satterthwaite(fit)
    named = inference.satterthwaite(fit, "schtype = 1")
    assert named.df[0] == pytest.approx(each.df["schtype"], rel=1e-10)
    assert named.t[0] == pytest.approx((each.estimate["schtype"] - 1) / each.se["schtype"], rel=1e-10)
    doubled = inference.satterthwaite(fit, 2 * np.eye(6)[[2]])
    assert doubled.se[0] == pytest.approx(2 * each.se["schtype"]) and doubled.df[0] == pytest.approx(each.df["schtype"])


# ---- comparing models ---------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["reml", "ml"])
def test_likelihood_ratio_of_a_random_slope(fits, method):  # noqa: F811
    test = inference.likelihood_ratio(fits["ancova_cwc", method], fits["slope_cwc", method])
    theirs = REFERENCE["random_slope_lrt"][method]
    assert test.statistic == pytest.approx(theirs["chisq"], abs=1e-6) and test.df == theirs["df"]
    assert test.p_naive == pytest.approx(theirs["p"], rel=1e-6)
    assert test.p == pytest.approx(theirs["p_mixture"], rel=1e-6)


def test_likelihood_ratio_of_fixed_effects_and_of_the_random_intercept(fits, hsb):  # noqa: F811
    small, large = fits["null", "ml"], fits["meanses", "ml"]
    test = inference.likelihood_ratio(small, large)
    expected = 2 * (LME4["meanses"]["ml"]["log_likelihood"] - LME4["null"]["ml"]["log_likelihood"])
    assert test.statistic == pytest.approx(expected, abs=1e-5) and test.df == 1 and test.p == test.p_naive
    # without random effects the model is a regression
    ols = smf.ols("mathach ~ ses_cwc", hsb).fit()
    against_none = inference.likelihood_ratio(None, fits["ancova_cwc", "ml"])
    assert against_none.statistic == pytest.approx(2 * (fits["ancova_cwc", "ml"].llf - ols.llf), abs=1e-6)
    assert against_none.p == pytest.approx(against_none.p_naive / 2)
    assert np.isnan(inference.likelihood_ratio(fits["null", "ml"], fits["three_slopes", "ml"]).p)


def test_comparisons_that_mean_nothing_are_refused(fits, hsb):  # noqa: F811
    def refused(message, smaller, larger):
        with pytest.raises(ValueError, match=message):
            inference.likelihood_ratio(smaller, larger)

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
    responses = inference.simulate(fit, 12, seed=4)
    table = inference.refit(fit, responses)
    for k in range(12):
        one = mixedlm("y ~ x0 + x1", data.assign(y=responses[:, k]), "g", "~ x0", reml)
        assert table.llf[k] == pytest.approx(one.llf, abs=1e-6)
        np.testing.assert_allclose(table.loc[k, one.params.index], one.params, atol=2e-5)
        assert table["Residual Var"][k] == pytest.approx(one.scale, rel=1e-5)


def test_simulated_responses_have_the_moments_of_the_model(fits, hsb):  # noqa: F811
    fit = fits["slope_cwc", "reml"]
    draws = inference.simulate(fit, 2000, seed=2)
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
    table = inference.bootstrap(fit, 400, seed=3, progress=True)
    assert capsys.readouterr().err.endswith("100% of 400 replicates\n")
    assert len(table) == 400 and list(table)[-2:] == ["Residual Var", "llf"]
    # a standard deviation of 400 replicates has a standard error of 3.5 %; four of them
    np.testing.assert_allclose(table[fit.params.index].std(), fit.bse, rtol=0.14)
    pd.testing.assert_frame_equal(table[:150], inference.bootstrap(fit, 150, seed=3))
    assert not table.equals(inference.bootstrap(fit, 400, seed=4))


def test_bootstrap_judges_the_mixture(hsb):  # noqa: F811
    # 60 schools, where the slope's p value is large enough to be estimated from 400 draws
    some = hsb[hsb.schid.isin(hsb.schid.unique()[100:])]
    small = mixedlm("mathach ~ ses_cwc", some, "schid")
    large = mixedlm("mathach ~ ses_cwc", some, "schid", "~ ses_cwc")
    p = inference.likelihood_ratio(small, large).p
    drawn = inference.bootstrap_test(small, large, 400, seed=1)
    assert 0.02 < p < 0.5
    assert drawn == pytest.approx(p, abs=4 * np.sqrt(p * (1 - p) / 400))


# ---- intervals of variances ---------------------------------------------------------------------


@pytest.mark.parametrize("model", ["null", "slope_cwc"])
def test_profile_intervals(fits, model):  # noqa: F811
    # reference.R solves for the limits directly; lme4's own, by splines, differ in the fourth digit
    table, theirs = inference.variance_intervals(fits[model, "ml"]), REFERENCE["profile"][model]
    rows = len(table)
    np.testing.assert_allclose(table.lower, theirs["lower"][:rows], rtol=2e-6)
    np.testing.assert_allclose(table.upper, theirs["upper"][:rows], rtol=2e-6)
    np.testing.assert_allclose(table.lower, theirs["lme4_lower"][:rows], rtol=2e-3)


def test_profile_intervals_on_the_boundary(singular):
    table = inference.variance_intervals(singular["81 to 100"])
    np.testing.assert_allclose(table.loc["cor Intercept ses"], [-1, -1, 1], atol=1e-6)
    assert table.lower["sd ses"] == pytest.approx(0, abs=1e-3) and table.upper["sd ses"] > table.estimate["sd ses"]


def test_delta_intervals(fits, singular):  # noqa: F811
    # nlme takes numerical second derivatives
    table = inference.variance_intervals(fits["null", "reml"], method="delta")
    np.testing.assert_allclose(table[["lower", "estimate", "upper"]], ENGINE["delta_null"], rtol=2e-4)
    slope = inference.variance_intervals(fits["slope_cwc", "reml"], method="delta")
    se = LME4["slope_cwc"]["reml"]["variance_se"]["tau"][1][1]  # by numDeriv from lme4's deviance
    tau11 = LME4["slope_cwc"]["reml"]["random"]["tau"][1][1]
    assert slope.upper["sd ses_cwc"] == pytest.approx(np.sqrt(tau11 * np.exp(1.959964 * se / tau11)), rel=1e-4)
    assert inference.variance_intervals(singular["61 to 80"], method="delta").lower.isna().all()


# ---- how alike, how reliable --------------------------------------------------------------------


def test_icc_reliability_design_effect(fits):  # noqa: F811
    fit, theirs = fits["null", "reml"], REFERENCE["null_model"]
    assert inference.icc(fit) == pytest.approx(theirs["icc"], rel=1e-6)
    reliability = inference.reliability(fit).Intercept
    assert f"{reliability.mean():.3f}" == "0.901"  # HLM
    assert reliability.mean() == pytest.approx(theirs["reliability_mean"], rel=1e-6)
    np.testing.assert_allclose(reliability[LME4["null"]["reml"]["ranef"]["schools"]], theirs["reliability_first_schools"],
                               rtol=1e-6)
    assert inference.design_effect(0.18, 45) == pytest.approx(8.92)
    # a school without minority students has no slope of its own
    gaps = inference.reliability(fits["three_slopes", "reml"])
    assert gaps.isna().any(axis=None) and gaps.notna().any(axis=None)


def test_reliability_of_slopes_from_single_regressions(fits, hsb):  # noqa: F811
    fit = fits["slope_cwc", "reml"]
    x = hsb.ses_cwc[hsb.schid == "1224"]
    error = fit.scale / ((x - x.mean()) ** 2).sum()
    tau11 = fit.cov_re.iloc[1, 1]
    assert inference.reliability(fit).ses_cwc["1224"] == pytest.approx(tau11 / (tau11 + error), rel=1e-10)


def test_blups_with_intervals(fits):  # noqa: F811
    table, theirs = inference.blups(fits["slope_cwc", "reml"]), LME4["slope_cwc"]["reml"]["ranef"]
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
    known = inference.predict(fit, new, "g", of="mean")
    np.testing.assert_allclose(known.se**2, variance, rtol=1e-8)
    np.testing.assert_allclose(known.fit, fit.fittedvalues[::17])
    observation = inference.predict(fit, new, "g")
    np.testing.assert_allclose(observation.se**2, variance + fit.scale, rtol=1e-8)
    unknown = inference.predict(fit, new, of="mean")
    fixed = np.einsum("ni,ij,nj->n", X[::17], covariance[:3, :3], X[::17])
    np.testing.assert_allclose(unknown.se**2, fixed + np.einsum("ni,ij,nj->n", Z[::17], fit.tau, Z[::17]), rtol=1e-8)
    mixed = inference.predict(fit, new, [99] * len(new), of="mean")
    pd.testing.assert_frame_equal(mixed, unknown)


def test_prediction_intervals_near_those_of_mertools(fits, hsb):  # noqa: F811
    # merTools simulates (10 000 draws, so limits to about .15) and takes fixed and random effects as independent
    theirs = REFERENCE["predict_interval"]
    ours = inference.predict(fits[theirs["model"], "reml"], hsb[:3], "schid")
    np.testing.assert_allclose(ours.fit, theirs["fit"], atol=0.2)
    np.testing.assert_allclose(ours.lower, theirs["lower"], atol=0.5)
    np.testing.assert_allclose(ours.upper, theirs["upper"], atol=0.5)


def test_prediction_by_patsys_memory(hsb):  # noqa: F811
    fit = mixedlm("mathach ~ C(schtype) + np.exp(ses)", hsb, "schid", "~ I(ses + 1)")
    ours = inference.predict(fit, hsb[40:60], "schid")
    np.testing.assert_allclose(ours.fit, fit.fittedvalues[40:60])
    with pytest.raises(ValueError, match="need the columns.*ses is not among theirs"):
        inference.predict(mixedlm("mathach ~ ses", hsb, "schid"), hsb[["mathach"]])


# ---- explained variance -------------------------------------------------------------------------


def test_r_squared_from_lme4s_estimates(fits, hsb):  # noqa: F811
    theirs = LME4["slope_raw"]["reml"]
    tau, fixed = np.array(theirs["random"]["tau"]), theirs["fixed"]["estimate"]
    explained = (fixed[0] + fixed[1] * hsb.ses).var()
    # E(z' tau z) by the moments of ses
    random = tau[0, 0] + 2 * tau[0, 1] * hsb.ses.mean() + tau[1, 1] * (hsb.ses**2).mean()
    whole = explained + random + theirs["sigma2"]
    ours = inference.r_squared(fits["slope_raw", "reml"])
    assert ours.marginal == pytest.approx(explained / whole, rel=1e-5)
    assert ours.conditional == pytest.approx((explained + random) / whole, rel=1e-5)


def test_variance_reduction(fits):  # noqa: F811
    share = inference.variance_reduction(fits["null", "reml"], fits["meanses", "reml"])
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
    ours, theirs = inference.r_squared(explained[model]), EXPLAINED[model]
    # the package divides the variance of the slopes by n, the R script fits to about 1e-7
    assert ours.marginal == pytest.approx(theirs["marginal"], rel=1e-6, abs=1e-12)
    if theirs["conditional"] is not None:  # the package gives none without predictors
        assert ours.conditional == pytest.approx(theirs["conditional"], rel=1e-6)
    assert model != "null" or ours.conditional == pytest.approx(inference.icc(explained["null"]))


@pytest.mark.parametrize("model", EXPLAINED_MODELS)
def test_the_parts_are_those_of_rights_and_sterba(explained, model):
    fit, theirs = explained[model], EXPLAINED[model]["partition"]
    parts = inference.variance_partition(fit)
    variance = parts.variance.rename(index=lambda name: name.replace(" ", "_"))
    variance["slopes"] *= fit.nobs / (fit.nobs - 1)  # theirs by n - 1, as a sample's variance
    np.testing.assert_allclose(variance[list(theirs)], list(theirs.values()), rtol=1e-5, atol=1e-12)
    np.testing.assert_allclose(parts[["total", "within", "between"]].sum(), 1)


def test_the_parts_add_up_to_nakagawas_shares(explained):
    for model in EXPLAINED_MODELS:
        share, r2 = inference.variance_partition(explained[model])["total"], inference.r_squared(explained[model])
        assert share["fixed within"] + share["fixed between"] == pytest.approx(r2.marginal, rel=1e-12, abs=1e-15)
        assert 1 - share["residual"] == pytest.approx(r2.conditional, rel=1e-12)


def test_parts_of_slopes_that_also_differ_between_schools_are_refused(explained):
    with pytest.raises(ValueError, match="ses has a random slope and is not centered within groups"):
        inference.variance_partition(explained["raw"])
