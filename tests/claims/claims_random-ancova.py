"""Claims of the page on the random ANCOVA."""

import numpy as np
import pytest
import statsmodels.formula.api as smf

import mlm
from course import fit, hsb

ANCOVA = "mathach ~ ses_cwc"


@pytest.mark.claim("With a predictor centered within schools, the slope of the random ANCOVA is that of the fixed effects approach: it compares students of the same school.",
                   "Both compare only students of the same school.",
                   "Fixed means equal in all schools. It is estimated, with a standard error.")
def test_the_slope_is_that_of_the_dummies_whatever_the_schools_levels():
    rng = np.random.default_rng(1)
    lift = dict(zip(hsb()["schid"].cat.categories, rng.normal(0, 5, 160)))
    lifted = hsb().assign(mathach=hsb()["mathach"] + hsb()["schid"].map(lift).astype(float))
    dummies = smf.ols("mathach ~ ses + C(schid)", hsb()).fit()
    for data in (hsb(), lifted):
        model = mlm.mixedlm(ANCOVA, data, "schid")
        assert model.fe_params["ses_cwc"] == pytest.approx(dummies.params["ses"], abs=1e-8)
        assert model.bse_fe["ses_cwc"] == pytest.approx(dummies.bse["ses"], rel=1e-3) and model.bse_fe["ses_cwc"] > 0.1


@pytest.mark.claim("Its intercepts are then the schools' means, not adjusted; a covariate with a common zero makes them adjusted means.",
                   "With `ses_cwc` they are not adjusted at all. With grand-mean centered SES they are adjusted for the students' own SES, by a mixed slope, and for nothing else.",
                   "The mean achievement of school $j$, not adjusted.",
                   "It is the variance of adjusted means, which differ less because schools are compared at the same SES.")
def test_intercepts_are_shrunken_means_or_shrunken_adjusted_means():
    schools = hsb().groupby("schid", observed=True)[["mathach", "ses_cgm"]].mean()
    for name, mean in (("ses_cwc", schools["mathach"]),
                       ("ses_cgm", schools["mathach"] - fit("mathach ~ ses_cgm").fe_params["ses_cgm"] * schools["ses_cgm"])):
        model = fit(f"mathach ~ {name}")
        gamma00, size = model.fe_params["Intercept"], hsb().groupby("schid", observed=True).size()
        kept = model.tau[0, 0] / (model.tau[0, 0] + model.scale / size)
        assert (gamma00 + model.blups["Intercept"]).tolist() == pytest.approx((gamma00 + kept * (mean - gamma00)).tolist(), abs=1e-6)
    assert fit("mathach ~ ses_cgm").tau[0, 0] < 0.7 * fit(ANCOVA).tau[0, 0]
    within, between = fit("mathach ~ ses_cwc + ses_mean").fe_params[["ses_cwc", "ses_mean"]]
    assert within < fit("mathach ~ ses_cgm").fe_params["ses_cgm"] < between  # a mixed slope


@pytest.mark.claim("A predictor centered within schools lowers $\\sigma^2$ if it is related to achievement, and $\\tau_{00}$ then rises a little.",
                   "The predictor lowers $\\sigma^2$, and the variance of the observed means is then divided anew.",
                   "It stays as it is; less of it is put down to sampling.")
def test_what_sampling_loses_tau00_gains():
    sizes = hsb().groupby("schid", observed=True).size()
    for name in ("ses", "minority", "female"):
        data = hsb().assign(x=mlm.center_within(hsb()[name], hsb()["schid"]))
        null, model = fit("mathach ~ 1"), mlm.mixedlm("mathach ~ x", data, "schid")
        lost = ((null.scale - model.scale) / sizes).mean()
        gained = model.tau[0, 0] - null.tau[0, 0]
        assert lost > 0 and gained == pytest.approx(lost, rel=0.25)  # schools are weighted, sizes are not equal
    # noise takes a chi-square with one degree of freedom of some 7000, less a degree of freedom: .002 is 14 of them
    for seed in range(5):
        noise = hsb().assign(x=np.random.default_rng(seed).normal(size=len(hsb())))
        model = mlm.mixedlm("mathach ~ x", noise.assign(x=mlm.center_within(noise["x"], noise["schid"])), "schid")
        assert abs(model.scale / null.scale - 1) < 0.002


@pytest.mark.claim("If slopes do differ, its standard error treats the slope of 160 schools as better known than it is.")
def test_the_standard_error_of_one_slope_is_too_small_where_slopes_vary():
    varying = fit(ANCOVA, "~ ses_cwc")
    estimates = mlm.refit(fit(ANCOVA), mlm.simulate(varying, 600, seed=1))["ses_cwc"]
    # the Monte-Carlo error of a standard deviation from 600 draws is 3 %
    assert estimates.std() > 1.08 * fit(ANCOVA).bse_fe["ses_cwc"]
    assert estimates.std() == pytest.approx(varying.bse_fe["ses_cwc"], rel=0.1)
