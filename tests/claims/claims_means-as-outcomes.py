"""Claims of the page on means as outcomes."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from scipy import stats

import mlm
from course import fit, hsb

NULL, MEANS = "mathach ~ 1", "mathach ~ meanses"
NOT_COMPUTED = {
    "The model describes; it does not say what would happen if a school enrolled other students.":
        "what students of other schools would do is not in the data",
}


@pytest.mark.claim("$\\gamma_{01}$ compares schools, not students.")
def test_only_the_means_of_schools_decide_the_coefficient():
    rng = np.random.default_rng(1)
    shuffled = hsb().groupby("schid", observed=True)["mathach"].transform(lambda y: rng.permutation(y.to_numpy()))
    again = mlm.mixedlm("y ~ meanses", hsb().assign(y=shuffled), "schid")
    assert again.fe_params.tolist() == pytest.approx(fit(MEANS).fe_params.tolist(), abs=1e-8)


@pytest.mark.claim("A predictor of schools can lower $\\tau_{00}$, which is then the variance between schools of equal $W$; it leaves $\\sigma^2$ alone.",
                   "How much the true means of schools of equal mean SES differ.",
                   "Because `meanses` is a constant within each school.",
                   "In one it is the variance of the schools' means, in the other the variance of their distances from a line.")
def test_tau00_falls_to_the_variance_around_the_line_and_sigma2_stays():
    null, model = fit(NULL), fit(MEANS)
    assert (hsb().groupby("schid", observed=True)["meanses"].nunique() == 1).all()
    assert model.scale == pytest.approx(null.scale, rel=1e-3)
    schools = hsb().groupby("schid", observed=True).agg(y=("mathach", "mean"), w=("meanses", "first"), n=("ses", "size"))
    around = smf.ols("y ~ w", schools).fit().mse_resid
    for variance, observed in ((null, schools["y"].var()), (model, around)):
        expected = variance.cov_re.iloc[0, 0] + (variance.scale / schools["n"]).mean()
        assert observed == pytest.approx(expected, rel=0.05)  # schools count equally here, by precision in the model
    assert model.cov_re.iloc[0, 0] < 0.35 * null.cov_re.iloc[0, 0]


def test_a_property_that_predicts_nothing_does_not_lower_tau00():
    rng = np.random.default_rng(2)
    coin = dict(zip(hsb()["schid"].cat.categories, rng.permutation(np.repeat([0.0, 1.0], 80))))
    model = mlm.mixedlm("mathach ~ coin", hsb().assign(coin=hsb()["schid"].map(coin).astype(float)), "schid")
    assert model.cov_re.iloc[0, 0] > 0.95 * fit(NULL).cov_re.iloc[0, 0]


@pytest.mark.claim("The coefficient of a school-level predictor rests on as many cases as there are schools.",
                   "They stay at about 150 to 160.")
def test_doubling_the_students_leaves_the_degrees_of_freedom():
    assert 145 < mlm.satterthwaite(fit(MEANS)).loc["meanses", "df"] < 160
    rng = np.random.default_rng(3)
    twice = pd.concat([hsb(), hsb()], ignore_index=True)
    model, n = fit(MEANS), len(twice)
    u = dict(zip(hsb()["schid"].cat.categories, rng.normal(0, np.sqrt(model.cov_re.iloc[0, 0]), 160)))
    twice["y"] = model.predict(twice) + twice["schid"].map(u).astype(float) + rng.normal(0, np.sqrt(model.scale), n)
    assert 145 < mlm.satterthwaite(mlm.mixedlm("y ~ meanses", twice, "schid")).loc["meanses", "df"] < 162


def test_the_regression_on_students_halves_the_standard_error_and_keeps_the_slope():
    ols = smf.ols(MEANS, hsb()).fit()
    assert ols.bse["meanses"] / fit(MEANS).bse_fe["meanses"] == pytest.approx(0.5, abs=0.05)
    assert ols.params["meanses"] == pytest.approx(fit(MEANS).fe_params["meanses"], abs=fit(MEANS).bse_fe["meanses"])


@pytest.mark.claim("$\\gamma_{01}$ compares schools. Within schools the slope is less than half as steep")
def test_the_slope_within_schools_is_less_than_half_as_steep():
    within = mlm.satterthwaite(fit("mathach ~ ses_cwc")).loc["ses_cwc"]
    between = mlm.satterthwaite(fit(MEANS)).loc["meanses"]
    assert within.upper < between.lower / 2


@pytest.mark.claim("It is the share of the variance *between schools*, and that is")
def test_the_whole_variance_falls_by_a_fifth_of_that_share():
    null, model = fit(NULL), fit(MEANS)
    share = mlm.variance_reduction(null, model)["Intercept"]
    whole = 1 - (model.cov_re.iloc[0, 0] + model.scale) / (null.cov_re.iloc[0, 0] + null.scale)
    assert whole == pytest.approx(share * mlm.icc(null), abs=0.001) and whole < 0.2 * share


@pytest.mark.claim("There is less true variance left to be told apart.")
def test_reliability_falls_while_the_sampling_variance_stays():
    null, model = fit(NULL), fit(MEANS)
    assert mlm.reliability(model).mean().iloc[0] < mlm.reliability(null).mean().iloc[0] - 0.1
    assert model.scale / null.scale == pytest.approx(1, abs=1e-3)


@pytest.mark.claim("At equal mean SES, Catholic schools are still ahead, by less than the raw difference between the sectors: they also have a higher mean SES.",
                   "By the estimates less than half of the difference is left; the intervals are too wide to claim that.")
def test_catholic_schools_are_still_ahead_at_equal_mean_ses():
    alone = mlm.satterthwaite(fit("mathach ~ schtype")).loc["schtype"]
    both = mlm.satterthwaite(fit("mathach ~ meanses + schtype"))
    assert 0 < both.loc["schtype", "lower"] and both.loc["schtype", "upper"] < alone.estimate
    schools = hsb().groupby("schid", observed=True)[["meanses", "schtype"]].first()
    assert smf.ols("meanses ~ schtype", schools).fit().conf_int().loc["schtype", 0] > 0 and both.loc["meanses", "lower"] > 0
    assert both.loc["schtype", "estimate"] < alone.estimate / 2 < both.loc["schtype", "upper"]


def test_the_reduction_is_uncertain_by_some_five_percentage_points_whatever_the_seed():
    rows = {school: students.index for school, students in hsb().groupby("schid", observed=True)}

    def redrawn(rng):
        drawn = rng.choice(list(rows), len(rows))
        data = hsb().loc[np.concatenate([rows[school] for school in drawn])]
        data["schid"] = np.repeat(np.arange(160), [len(rows[school]) for school in drawn])
        return mlm.variance_reduction(*(mlm.mixedlm(f, data, "schid") for f in (NULL, MEANS)))["Intercept"]

    spreads = [np.std([redrawn(rng) for _ in range(20)]) for rng in map(np.random.default_rng, range(5))]
    # the interval on the page is 20 points wide, four standard deviations; one from 100 draws is off by 7 %
    assert np.sqrt(np.mean(np.square(spreads))) == pytest.approx(0.05, abs=0.015)


@pytest.mark.claim("the sample means stand in for it with errors of different size, and the model takes these into account.")
def test_a_regression_of_sample_means_that_knows_their_errors_is_the_model():
    model = fit(MEANS)
    schools = hsb().groupby("schid", observed=True).agg(y=("mathach", "mean"), w=("meanses", "first"), n=("ses", "size"))
    error = model.scale / schools["n"]
    assert error.max() > 3 * error.min()
    weighted = smf.wls("y ~ w", schools, weights=1 / (model.cov_re.iloc[0, 0] + error)).fit()
    assert weighted.params.tolist() == pytest.approx(model.fe_params.tolist(), abs=1e-6)


# ------------------------------------------------------------------ a factor


def by_size(formula="size_group"):
    data = hsb().assign(size_group=pd.cut(hsb()["size"], [0, 800, 1400, 3000], labels=["small", "medium", "large"]))
    return mlm.mixedlm(f"mathach ~ {formula}", data, "schid")


@pytest.mark.claim("whether one of them is below .05, depends on the choice of the reference level", "It is the same for every reference level:",
                   "Each compares with the reference level. Whether the groups differ is the joint test.",
                   "A factor is tested as a whole; its rows compare with a reference level that somebody chose.")
def test_rows_depend_on_the_reference_level_and_the_joint_test_does_not():
    fits = [by_size(f"C(size_group, Treatment('{level}'))") for level in ("small", "medium", "large")]
    joint = [mlm.joint_tests(model).iloc[0] for model in fits]
    least = [mlm.satterthwaite(model)["p"].iloc[1:].min() for model in fits]
    assert [p < 0.05 for p in least] == [False, True, True]
    for test in joint:
        np.testing.assert_allclose(test, joint[0], rtol=1e-6)
    assert joint[0]["p"] > 0.1 and joint[0]["df1"] == 2
    assert [model.llf for model in fits] == pytest.approx([fits[0].llf] * 3, abs=1e-9)


@pytest.mark.claim("and allow for differences of more than two points", "At equal mean SES less is left")
def test_what_the_groups_of_size_leave_open():
    pairs, given = mlm.pairwise(by_size(), "size_group"), mlm.pairwise(by_size("meanses + size_group"), "size_group")
    assert pairs["p"].min() > 0.05 and np.abs(pairs[["lower", "upper"]]).to_numpy().max() > 2
    assert (given["estimate"].abs() < pairs["estimate"].abs()).all()
    schools = hsb().groupby("schid", observed=True)[["size", "meanses"]].first()
    assert schools["meanses"][schools["size"] > 1400].mean() < schools["meanses"][schools["size"].between(801, 1400)].mean()


@pytest.mark.claim("If no types differ, one of these rows is below .05 far more often than in 5 % of the studies.",
                   "The joint test: the data don't show that types differ.")
def test_one_of_three_rows_is_significant_too_often_and_the_joint_test_is_not():
    rng, studies, each = np.random.default_rng(5), 20_000, 40
    y = rng.normal(size=(studies, 4, each))  # means of schools of four types that do not differ
    mean, within = y.mean(axis=2), y.var(axis=2, ddof=1).mean(axis=1)
    df = 4 * (each - 1)
    t = np.abs(mean[:, 1:] - mean[:, :1]) / np.sqrt(2 * within / each)[:, None]
    some = (t > stats.t.ppf(0.975, df)).any(axis=1).mean()
    joint = (each * mean.var(axis=1, ddof=1) / within > stats.f.ppf(0.95, 3, df)).mean()
    error = np.sqrt(0.05 * 0.95 / studies)
    assert some > 0.10 and abs(joint - 0.05) < 4 * error
