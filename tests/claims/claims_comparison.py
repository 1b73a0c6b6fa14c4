"""Claims of the page that compares the five models."""

import numpy as np
import pytest

import mlm
from course import fit, hsb

CROSS = "mathach ~ meanses * ses_cwc + schtype * ses_cwc"
MODELS = {"ANOVA": ("mathach ~ 1", None), "means": ("mathach ~ meanses", None), "ANCOVA": ("mathach ~ ses_cwc", None),
          "coefficients": ("mathach ~ ses_cwc", "~ ses_cwc"), "cross-level": (CROSS, "~ ses_cwc")}
NOT_COMPUTED = {
    "Choose the model by the question, and show its neighbors.": "advice: what to do, not what is so",
}


def model(name, reml=True):
    return fit(*MODELS[name], reml=reml)


@pytest.mark.claim("Properties of schools can lower $\\tau_{00}$, and $\\tau_{11}$ only where they predict the slope; predictors centered within schools lower $\\sigma^2$.")
def test_tau11_falls_only_with_the_products():
    intercepts = fit("mathach ~ meanses + schtype + ses_cwc", "~ ses_cwc")
    assert intercepts.tau[0, 0] < 0.35 * model("coefficients").tau[0, 0]
    assert intercepts.tau[1, 1] == pytest.approx(model("coefficients").tau[1, 1], rel=0.05)
    assert model("cross-level").tau[1, 1] < 0.3 * model("coefficients").tau[1, 1]
    assert intercepts.scale == pytest.approx(model("coefficients").scale, rel=1e-3)
    assert model("ANCOVA").scale < 0.96 * model("ANOVA").scale


@pytest.mark.claim("Compare models that differ in fixed effects by ML, test a variance with the mixture, and report REML estimates.",
                   "By its *t* test in the REML fit, or by comparing two ML fits.")
def test_reml_deviances_are_refused_and_both_allowed_tests_answer_alike():
    with pytest.raises(ValueError):
        mlm.likelihood_ratio(model("ANOVA"), model("means"))
    large, small = (fit(f"mathach ~ ses_cwc + meanses{x}", "~ ses_cwc", reml=False) for x in (" + schtype", ""))
    by_t = mlm.satterthwaite(fit("mathach ~ ses_cwc + meanses + schtype", "~ ses_cwc")).loc["schtype", "p"]
    test = mlm.likelihood_ratio(small, large)
    assert test.df == 1 and test.p == test.p_naive < 0.001 and by_t < 0.001
    variance = mlm.likelihood_ratio(model("ANCOVA"), model("coefficients"))
    assert variance.p < variance.p_naive


@pytest.mark.claim("A restricted likelihood depends on the fixed effects that were removed from the data, even on their units.")
def test_a_unit_moves_the_reml_deviance_and_not_that_of_ml():
    data = hsb().assign(meanses=10 * hsb()["meanses"])
    for reml, moved in ((True, 2 * np.log(10)), (False, 0)):
        again = mlm.mixedlm("mathach ~ meanses", data, "schid", reml=reml)
        assert -2 * (again.llf - model("means", reml).llf) == pytest.approx(moved, abs=1e-6)


@pytest.mark.claim("The estimate of a variance may rise when a predictor of the other level enters.")
def test_shares_are_negative_across_levels():
    assert mlm.variance_reduction(model("ANOVA"), model("ANCOVA"))["Intercept"] < 0
    assert mlm.variance_reduction(model("ANOVA"), model("means"))["Residual"] < 0


@pytest.mark.claim("They are shares of different wholes.")
def test_the_sum_of_shares_is_not_the_share_of_the_sum():
    null, both = model("ANOVA"), fit("mathach ~ ses_cwc + ses_mean")
    shares = mlm.variance_reduction(null, both).sum()
    whole = 1 - (both.tau[0, 0] + both.scale) / (null.tau[0, 0] + null.scale)
    assert shares > 3 * whole


@pytest.mark.claim("`ses_cwc` is an average slope in two models and that of public schools with a `meanses` of 0 in the last.")
def test_the_coefficient_of_ses_is_that_of_public_schools_in_the_last_model():
    slopes = [model(name).fe_params["ses_cwc"] for name in ("ANCOVA", "coefficients", "cross-level")]
    assert slopes[0] == pytest.approx(slopes[1], abs=0.01) and slopes[2] > slopes[1] + 0.5
    public = mlm.mixedlm("mathach ~ meanses * ses_cwc", hsb()[hsb()["schtype"] == 0], "schid")
    assert slopes[2] == pytest.approx(public.fe_params["ses_cwc"], abs=0.2)  # estimated by itself; its SE is .16


@pytest.mark.claim("By ML, the deviance never rises when parameters are added to a model.")
def test_ml_deviances_fall_along_every_chain():
    chains = [("ANOVA", "means", "cross-level"), ("ANOVA", "ANCOVA", "coefficients", "cross-level")]
    for chain in chains:
        deviances = [-2 * model(name, reml=False).llf for name in chain]
        assert deviances == sorted(deviances, reverse=True)
    rng = np.random.default_rng(1)
    useless = mlm.mixedlm("mathach ~ noise", hsb().assign(noise=rng.normal(size=len(hsb()))), "schid", reml=False)
    assert useless.llf > model("ANOVA", reml=False).llf


@pytest.mark.claim("$\\tau_{00}$.")
def test_enrollment_is_the_same_for_all_students_of_a_school():
    assert (hsb().groupby("schid", observed=True)["size"].nunique() == 1).all()
    change = mlm.variance_reduction(model("ANOVA"), fit("mathach ~ size"))
    assert abs(change["Residual"]) < 1e-3 and change["Intercept"] > 0


@pytest.mark.claim("Ten: three fixed effects, six variances and covariances, and $\\sigma^2$.")
def test_two_random_slopes_make_six_variances_and_covariances():
    model = fit("mathach ~ ses + female", "~ ses + female")
    assert (model.k_fe, model.k_re2, model.k_fe + model.k_re2 + 1) == (3, 6, 10)


@pytest.mark.claim("Nothing; the differences between the schools' slopes are now counted in $\\tau_{11}$.")
def test_what_sigma2_loses_is_the_slopes_variance_times_that_of_ses():
    lost = model("ANCOVA").scale - model("coefficients").scale
    moved = model("coefficients").tau[1, 1] * hsb()["ses_cwc"].var()
    assert list(model("ANCOVA").fe_params.index) == list(model("coefficients").fe_params.index)
    assert lost == pytest.approx(moved, rel=0.2)


def test_aic_and_bic_disagree_about_the_random_slope():
    small, large = model("ANCOVA", reml=False), model("coefficients", reml=False)
    assert large.aic < small.aic and large.bic > small.bic
