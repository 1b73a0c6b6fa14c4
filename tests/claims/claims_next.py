"""Where to go next."""

import warnings

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import statsmodels.formula.api as smf

import mlm
from course import fit, hsb

NOT_COMPUTED = {
    "use the logic of this course and need another program": "an overview; that `mlm.mixedlm` refuses is tested below",
    "Look up what the argument of your program means": "advice on reading a manual",
    "Answers in persons crossed with items": "the definition of crossed groups",
}


def logistic(tau, slope=0.9, seed=1, schools=400, students=50):
    """GEE's slope where the slope within a school is known."""
    rng, school = np.random.default_rng(seed), np.repeat(np.arange(schools), students)
    data = pd.DataFrame({"school": school, "x": rng.normal(size=len(school))})
    chance = 1 / (1 + np.exp(-slope * data["x"] - np.sqrt(tau) * rng.normal(size=schools)[school]))
    data["y"] = (rng.random(len(school)) < chance).astype(int)
    return smf.gee("y ~ x", groups="school", data=data, family=sm.families.Binomial(),
                   cov_struct=sm.cov_struct.Exchangeable()).fit()


@pytest.mark.claim("the slope within a school and the slope of the average are two numbers", "A smaller slope.",
                   "One belongs to the curve of a school, the other to the average of such curves", "The scale changes when a variance enters, and with a raw predictor so does the mixture")
@pytest.mark.parametrize("seed", range(5))
def test_the_population_averaged_slope_is_smaller(seed):
    found = logistic(tau=4, seed=seed)
    expected = 0.9 / np.sqrt(1 + 0.346 * 4)  # Zeger, Liang & Albert (1988): good to some 3 %
    assert found.params["x"] == pytest.approx(expected, abs=4 * found.bse["x"] + 0.03 * expected)
    assert found.params["x"] < 0.9 - 4 * found.bse["x"]


@pytest.mark.claim("In a linear model the two slopes would be the same parameter")
def test_in_a_linear_model_gee_and_the_mixed_model_agree():
    gee = smf.gee("mathach ~ ses_cwc", "schid", hsb(), cov_struct=sm.cov_struct.Exchangeable()).fit()
    assert gee.params["ses_cwc"] == pytest.approx(fit("mathach ~ ses_cwc").fe_params["ses_cwc"], abs=1e-6)


@pytest.mark.claim("What is new is that neighbors in time may be more alike than the model allows")
def test_a_growth_model_leaves_autocorrelation_in_the_residuals():
    rng, persons, occasions = np.random.default_rng(3), 300, 8
    noise = rng.normal(size=(persons, occasions))
    for t in range(1, occasions):
        noise[:, t] = 0.7 * noise[:, t - 1] + np.sqrt(1 - 0.49) * noise[:, t]
    data = pd.DataFrame({"person": np.repeat(np.arange(persons), occasions), "time": np.tile(np.arange(8.0), persons)})
    data["y"] = 2 * rng.normal(size=persons)[data["person"]] + (0.5 + 0.5 * rng.normal(size=persons)[data["person"]]) * data["time"]
    for error, alike in ((noise, True), (rng.normal(size=noise.shape), False)):
        rest = mlm.mixedlm("y ~ time", data.assign(y=data["y"] + error.ravel()), "person", "~ time").resid
        rest = rest.to_numpy().reshape(persons, occasions)
        assert (np.corrcoef(rest[:, :-1].ravel(), rest[:, 1:].ravel())[0, 1] > 0) == alike  # fitted lines make neighbors of independent errors unlike


@pytest.mark.claim("Five regions are better entered as indicators")
def test_a_variance_of_five_units_is_hardly_known():
    rng = np.random.default_rng(1)
    estimates = 4 * rng.chisquare(4, 10000) / 4
    low, high = np.quantile(estimates, [0.025, 0.975])
    assert high / low > 20


@pytest.mark.claim("it follows from the mean", "You get a linear probability model")
def test_zeros_and_ones_give_a_linear_probability_model():
    data = hsb().assign(high=(hsb()["mathach"] >= 18).astype(int))
    linear = mlm.mixedlm("high ~ ses_cwc", data, "schid")
    chance = data["high"].mean()
    assert data["high"].var(ddof=0) == pytest.approx(chance * (1 - chance))
    groups = data.groupby(pd.qcut(data["ses_cwc"], 4), observed=True)
    rise = np.polyfit(groups["ses_cwc"].mean(), groups["high"].mean(), 1)[0]  # of a share
    assert linear.fe_params["ses_cwc"] == pytest.approx(rise, rel=0.1)
    spread = (linear.resid**2).groupby(pd.qcut(linear.fittedvalues, 4), observed=True).mean()  # grows with p below one half
    assert chance < 0.5 and spread.is_monotonic_increasing and spread.iloc[-1] > 2 * spread.iloc[0]


@pytest.mark.claim("raw SES mixes differences within schools and between them, and each method mixes them in another way")
def test_the_logistic_methods_differ_less_when_within_and_between_are_apart():
    data = hsb().assign(high=(hsb()["mathach"] >= 18).astype(int))

    def slopes(formula, name):
        return [smf.gee(formula, "schid", data, family=sm.families.Binomial(), cov_struct=working()).fit().params[name]
                for working in (sm.cov_struct.Independence, sm.cov_struct.Exchangeable)]

    independent, exchangeable = slopes("high ~ ses", "ses")
    assert independent - exchangeable > 0.1
    independent, exchangeable = slopes("high ~ ses_cwc + ses_mean", "ses_cwc")
    assert abs(independent - exchangeable) < 0.02


def test_what_is_asked_for_more_is_refused():
    for call in ({"formula": "mathach ~ ses + (1 | schid) + (1 | schtype)", "groups": "schid"},
                 {"formula": "mathach ~ ses", "groups": ["schtype", "schid"]},
                 {"formula": "mathach ~ ses", "groups": "schid", "weights": "size"}):
        with pytest.raises((TypeError, ValueError)):
            mlm.mixedlm(data=hsb(), **call)


@pytest.mark.claim('Without `re_formula="1"` the level of the schools is dropped in silence',
                   "A column called `class` can't stand in a formula")
def test_three_levels_and_crossed_groups_in_statsmodels_are_those_of_lme4(reference):
    nested, crossed = (reference("next")[name] for name in ("nested", "crossed"))
    pastes, penicillin = (pd.DataFrame(part["data"]).assign(everybody=1) for part in (nested, crossed))
    cask = {"cask": "0 + C(cask)"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # statsmodels warns of a Hessian; the estimates are compared with lme4's
        three = smf.mixedlm("strength ~ 1", pastes, groups="batch", re_formula="1", vc_formula=cask).fit()
        dropped = smf.mixedlm("strength ~ 1", pastes, groups="batch", vc_formula=cask).fit()
        both = smf.mixedlm("diameter ~ 1", penicillin, groups="everybody",
                           vc_formula={name: f"0 + C({name})" for name in ("plate", "sample")}).fit()
    found = [three.cov_re.iloc[0, 0], three.vcomp[0], three.scale]
    # its optimizer stops when the gain is small: three digits
    np.testing.assert_allclose(found, [nested["variances"][name] for name in ("batch", "cask:batch", "Residual")], rtol=1e-2)
    np.testing.assert_allclose([*both.vcomp, both.scale], [crossed["variances"][name] for name in ("plate", "sample", "Residual")],
                               rtol=1e-2)
    assert dropped.cov_re.size == 0
    with pytest.raises(SyntaxError):
        smf.mixedlm("strength ~ 1", pastes.rename(columns={"cask": "class"}), groups="batch", vc_formula={"class": "0 + C(class)"})
