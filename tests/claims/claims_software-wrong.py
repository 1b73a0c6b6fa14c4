"""When the software is wrong."""

import json
import warnings

import numpy as np
import pytest
import statsmodels.formula.api as smf
from statsmodels.regression.mixed_linear_model import MixedLMParams

import mlm
from conftest import ROOT
from course import fit, hsb
from mlm.likelihood import certify, deviance
from mlm.simulation import draw

NOT_COMPUTED = {
    "That is what the optimizer says of itself": "advice; that a converged fit can be wrong is tested below",
    "are four checks that need no trust": "the chapter's four sections, each with its cell",
    "Say what was dropped, and why": "advice on reporting",
}


def best():
    return fit("mathach ~ ses_cwc", "~ ses_cwc", reml=False)


def stock():
    model = smf.mixedlm("mathach ~ ses_cwc", hsb(), groups=hsb()["schid"], re_formula="~ ses_cwc")
    model.reml, model.use_sqrt, model._freepat = False, True, None  # what fit() sets before it begins
    model.cov_pen, model.fe_pen, model._cov_sing = None, None, 0
    return model


def height(model, factor):
    return model.loglike(MixedLMParams.from_packed(np.asarray(factor), 2, 2, use_sqrt=True, has_fe=False))


@pytest.mark.claim('"Converged" is an opinion of the optimizer', "The fit by `lbfgs` above is short of the best",
                   "The lower one is wrong; the higher one may be right", "Keep the one with the highest log-likelihood")
def test_a_stock_fit_is_short_of_the_best():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # on some machines it warns, on others not: the page says so
        found = smf.mixedlm("mathach ~ ses_cwc", hsb(), groups=hsb()["schid"], re_formula="~ ses_cwc").fit(reml=False,
                                                                                                         method="lbfgs")
    assert best().llf > found.llf + 0.1  # the shared summit is known to 1e-6


@pytest.mark.claim("A slope of the likelihood that is clearly not zero at the reported estimates")
def test_the_slope_vanishes_at_the_summit_and_not_beside_it():
    model, factor = stock(), np.linalg.cholesky(best().cov_re / best().scale)[np.tril_indices(2)]

    def slope(at):
        steps = 1e-4 * np.eye(3)
        return max(abs(height(model, at + h) - height(model, at - h)) / 2e-4 for h in steps)

    assert slope(factor) < 1e-2 and slope(factor * 1.5) > 10


@pytest.mark.claim("The left one leads away from both summits.",
                   "steps across zero and past the summit on the other side")
def test_the_reported_slope_leads_away_beyond_the_left_summit_only():
    model, top = stock(), np.linalg.cholesky(best().cov_re / best().scale)

    def score(last):
        factor = np.array([top[0, 0], top[1, 0], last])
        return model.score(MixedLMParams.from_packed(factor, 2, 2, use_sqrt=True, has_fe=False), profile_fe=True)[-1]

    assert 0.1 < top[1, 1] < 0.2 and score(0.3) < 0 and score(-0.3) < 0  # to the left: away from both
    assert score(-0.1) > 0 and score(-0.05) > 0  # to the right: over zero to the other summit


@pytest.mark.claim("By ML, with `REML = FALSE`, lme4 gives the log-likelihood and the variances of `mlm.mixedlm` in the first table.",
                   "shows lme4's own output for this model by REML")
def test_lme4_agrees_by_the_same_method_only():
    lme4 = json.loads((ROOT / "tests/reference/mixed.json").read_text("utf-8"))["slope_cwc"]
    kept = lme4["ml"]
    assert best().llf == pytest.approx(kept["log_likelihood"], abs=1e-5)
    assert best().cov_re.to_numpy() == pytest.approx(np.array(kept["random"]["tau"]), abs=1e-4)
    assert lme4["reml"]["log_likelihood"] < best().llf - 1
    printed = (ROOT / "chapters/r/random-coefficients.txt").read_text("utf-8")
    assert "fit by REML" in printed and f"{-2 * lme4['reml']['log_likelihood']:.1f}" in printed


@pytest.mark.claim("Because the search runs over a square root of $\\tau_{00}$")
def test_the_likelihood_is_the_same_for_both_signs_and_level_between():
    model = stock()
    assert height(model, [0.4, 0.1, 0.2]) == pytest.approx(height(model, [0.4, 0.1, -0.2]), abs=1e-8)
    products = best().products
    nothing = np.zeros((2, 2))
    check, _ = certify(nothing, deviance(nothing, products, reml=False), products)
    assert check.newton < 1e-6 < 1 < check.boundary


@pytest.mark.claim("A singular fit is an answer at the edge, and no evidence of equal slopes",
                   "It says that the data can't tell, which is no evidence of equality")
def test_data_with_unequal_slopes_give_singular_fits():
    """20 schools whose slopes do differ, with the variances of the fit to all: a good part of the fits is singular."""
    some = hsb()[hsb()["schid"].isin(hsb()["schid"].cat.categories[80:100])]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", mlm.SingularFit)
        few = mlm.mixedlm("mathach ~ ses_cwc", some, "schid", re_formula="~ ses_cwc")
    true = best().cov_re.to_numpy()
    y = draw(few.design, best().fe_params.to_numpy(), np.linalg.cholesky(true / best().scale), best().scale,
                           200, np.random.default_rng(1))
    found = mlm.refit(few, y)
    determinant = found["Intercept Var"] * found["ses_cwc Var"] - found["Intercept x ses_cwc Cov"] ** 2
    assert true[1, 1] > 0.5 and (determinant < 1e-3).mean() > 0.15


@pytest.mark.claim("if a variance is truly 0, about half of the fits are singular even then")
@pytest.mark.parametrize("seed", range(2))
def test_half_of_the_fits_are_singular_where_a_variance_is_truly_0(seed):
    """160 schools that share their mean, or their slope; shares of 200 draws, with their Monte-Carlo error."""
    level, shared = fit("mathach ~ 1"), fit("mathach ~ ses_cwc")
    alike = np.random.default_rng(seed).normal(0, np.sqrt(level.scale), (level.nobs, 200))
    intercepts = mlm.refit(level, alike)["Intercept Var"] < 1e-9
    found = mlm.refit(fit("mathach ~ ses_cwc", "~ ses_cwc"), mlm.simulate(shared, 200, seed=seed))
    slopes = found["Intercept Var"] * found["ses_cwc Var"] - found["Intercept x ses_cwc Cov"] ** 2 < 1e-6
    for share in (intercepts.mean(), slopes.mean()):
        assert abs(share - 0.5) < 0.1 + 3 * np.sqrt(0.25 / 200)  # "about half": to a tenth


@pytest.mark.claim("A million.")
def test_the_standard_error_of_a_variance_grows_with_the_square_of_the_unit():
    milli = mlm.mixedlm("mathach ~ 1", hsb().assign(mathach=hsb()["mathach"] * 1000), "schid")
    assert milli.bse_re.iloc[0] == pytest.approx(1e6 * fit("mathach ~ 1").bse_re.iloc[0], rel=1e-5)


@pytest.mark.claim("by maximum likelihood its log-likelihood can't be lower")
def test_a_larger_model_is_never_lower_by_ml():
    formulas = ["1", "ses_cwc", "ses_cwc + female", "ses_cwc * female"]
    heights = [fit(f"mathach ~ {formula}", reml=False).llf for formula in formulas] + [
        fit("mathach ~ ses_cwc * female", "~ ses_cwc", reml=False).llf]
    assert np.all(np.diff(heights) > -1e-6)
