"""Checking the model."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import statsmodels.formula.api as smf
from scipy import stats

import mlm
from course import fit, hsb

NOT_COMPUTED = {
    "They are part of the population": "advice; what changes without each school is computed on the page",
}


def full():
    return fit("mathach ~ meanses * ses_cwc + schtype * ses_cwc", "~ ses_cwc")


def blups_of_two_kinds(students, schools, seed):
    """BLUPs of schools of two kinds, good and bad, whose effects have the variance of the fit."""
    rng, tau, sigma2 = np.random.default_rng(seed), full().cov_re.iloc[0, 0], full().scale
    truth = np.sqrt(tau) * rng.choice([-1, 1], size=schools)
    return tau / (tau + sigma2 / students) * (truth + rng.normal(0, np.sqrt(sigma2 / students), schools))


@pytest.mark.claim("Normality is assumed of the residuals. Look at those of both levels", "The model assumes it of the residuals")
def test_an_outcome_may_be_far_from_normal_with_normal_residuals():
    rng, school = np.random.default_rng(1), np.repeat(np.arange(50), 40)
    data = pd.DataFrame({"school": school, "x": rng.chisquare(1, size=2000) * 3})
    data["y"] = 2 * data["x"] + rng.normal(size=50)[school] + rng.normal(size=2000)
    model = mlm.mixedlm("y ~ x", data, "school")
    assert abs(stats.skew(data["y"])) > 1.5 and stats.shapiro(model.resid).pvalue > 0.001


@pytest.mark.claim("BLUPs look normal even if there are two kinds of schools", "That none of them lies far out; little more")
@pytest.mark.parametrize("seed", range(5))
def test_blups_of_two_kinds_pass_for_normal_with_five_students(seed):
    """Rates of rejection by Shapiro and Wilk's test over 100 studies of 160 schools."""
    few, many = (np.mean([stats.shapiro(blups_of_two_kinds(students, 160, 1000 * seed + k)).pvalue < 0.05 for k in range(100)])
                 for students in (5, 45))
    assert few < 0.2 and many > 0.9
    one_far_out = np.append(blups_of_two_kinds(45, 159, seed), 12)
    assert stats.shapiro(one_far_out).pvalue < 0.001


@pytest.mark.claim("students a test rejects for a small departure, too")
def test_a_small_departure_is_significant_in_many_residuals():
    residuals = full().resid
    assert abs(stats.skew(residuals)) < 0.3 and stats.normaltest(residuals).pvalue < 1e-6
    assert stats.normaltest(residuals.sample(100, random_state=1)).pvalue > 0.001


@pytest.mark.claim("Where robust and model-based standard errors differ", "The slope varies over clusters, and the model has no random slope")
def test_the_robust_error_is_that_of_the_model_with_a_random_slope():
    formula, data = "mathach ~ ses_cwc + ses_mean", hsb()
    robust = smf.ols(formula, data).fit(cov_type="cluster", cov_kwds={"groups": data["schid"].cat.codes}).bse["ses_cwc"]
    assert robust == pytest.approx(fit(formula, "~ ses_cwc").bse_fe["ses_cwc"], rel=0.05)
    assert robust > 1.15 * fit(formula).bse_fe["ses_cwc"]


@pytest.mark.claim("The robust ones say about a tenth less than the mixed models.", "show a gap as large now and then, so it is a hint at most")
def test_a_tenth_less_between_schools_is_rare_but_not_that_rare():
    formula, codes = "mathach ~ ses_cwc + ses_mean", hsb()["schid"].cat.codes

    def ratio(y):
        data = hsb().assign(mathach=y)
        robust = smf.ols(formula, data).fit(cov_type="cluster", cov_kwds={"groups": codes}).bse["ses_mean"]
        return robust / mlm.mixedlm(formula, data, "schid").bse_fe["ses_mean"]

    observed = ratio(hsb()["mathach"])
    gee = smf.gee(formula, "schid", hsb(), cov_struct=sm.cov_struct.Exchangeable()).fit().bse["ses_mean"]
    for robust in (observed, gee / fit(formula, "~ ses_cwc").bse_fe["ses_mean"]):
        assert 0.87 < robust < 0.93
    y = mlm.simulate(fit(formula, "~ ses_cwc"), 300, seed=1)
    log = np.abs(np.log([ratio(y[:, k]) for k in range(300)]))
    # in either direction; about .1 with a Monte-Carlo error of .017
    assert 0.03 < (log >= abs(np.log(observed))).mean() < 0.2


@pytest.mark.claim("Two of them have the highest means of all: there the ceiling leaves little room.")
def test_two_of_the_three_smallest_variances_are_under_the_ceiling():
    schools = hsb().groupby("schid", observed=True)
    means, top = schools["mathach"].mean(), hsb()["mathach"].max()

    def variance(school):
        return np.polyfit(school["ses_cwc"], school["mathach"], 1, full=True)[1][0] / (len(school) - 2)

    smallest = schools[["ses_cwc", "mathach"]].apply(variance).nsmallest(3).index
    high, third = means.nlargest(2).index, set(smallest) - set(means.nlargest(2).index)
    assert set(high) < set(smallest) and len(third) == 1
    near = (hsb()["mathach"] > top - 2).groupby(hsb()["schid"], observed=True).mean()
    assert near[high].min() > 0.15 and near[third.pop()] < 0.05


@pytest.mark.claim("Put into the model, these means protect the slopes within schools.",
                   "Put the school means of the level-1 predictors into the model")
def test_the_schools_means_give_the_slope_of_the_fixed_effects():
    data = hsb()
    within = np.polyfit(data["ses_cwc"], mlm.center_within(data["mathach"], data["schid"]), 1)[0]
    assert fit("mathach ~ ses + ses_mean").fe_params["ses"] == pytest.approx(within, abs=1e-6)
    assert abs(fit("mathach ~ ses").fe_params["ses"] - within) > 0.1


@pytest.mark.claim("The slope within schools is then safe from whatever shifts a whole school, measured or not",
                   "The contextual effect, and the coefficient of any school-level predictor, is not")
def test_what_shifts_a_school_moves_the_contextual_effect_only():
    plain, adjusted = (fit(f"mathach ~ ses + ses_mean{more}").fe_params for more in ("", " + schtype"))
    assert adjusted["ses"] == pytest.approx(plain["ses"], abs=1e-6)
    assert plain["ses_mean"] - adjusted["ses_mean"] > 0.3
    shift = 5 * np.random.default_rng(1).normal(size=160) + 10 * hsb().groupby("schid", observed=True)["ses"].mean().to_numpy()
    shifted = hsb().assign(mathach=hsb()["mathach"] + shift[hsb()["schid"].cat.codes])
    found = mlm.mixedlm("mathach ~ ses + ses_mean", shifted, "schid").fe_params
    assert found["ses"] == pytest.approx(plain["ses"], abs=1e-6) and found["ses_mean"] > plain["ses_mean"] + 5


@pytest.mark.claim("One assumption often fails, and plots of residuals against fitted values don't show it.",
                   "A plot shows a violation only for predictors whose school means you have.")
def test_blups_show_the_violation_and_residuals_against_fitted_values_do_not():
    model, data = fit("mathach ~ ses"), hsb()
    u, means = model.blups["Intercept"], data.groupby("schid", observed=True)["ses"].mean()
    assert np.corrcoef(u, means[u.index])[0, 1] > 0.5
    both = fit("mathach ~ ses + ses_mean").blups["Intercept"]
    assert abs(np.corrcoef(both, means[both.index])[0, 1]) < 0.1
    assert abs(np.corrcoef(model.fittedvalues, model.resid)[0, 1]) < 0.1


@pytest.mark.claim("for public ones the chi-square test, cautious here, finds nothing")
def test_the_variances_of_public_schools_are_in_doubt():
    """H of residuals dealt out within a sector (mean, then the share that exceeds the observed one)."""
    data, rng = hsb().assign(r=full().resid), np.random.default_rng(11)

    def h(r, codes, n):
        logs = np.log(np.bincount(codes, (r - (np.bincount(codes, r) / n)[codes]) ** 2) / (n - 1))
        return ((n - 1) / 2 * (logs - np.average(logs, weights=n - 1)) ** 2).sum()

    beyond = {}
    for sector, part in data.groupby("schtype"):
        codes, r = pd.factorize(part["schid"])[0], part["r"].to_numpy()
        n = np.bincount(codes)
        dealt = np.array([h(rng.permutation(r), codes, n) for _ in range(999)])
        assert dealt.mean() < len(n) - 1
        beyond[sector] = (1 + (dealt >= h(r, codes, n)).sum()) / 1000
    assert beyond[1] < 0.005 and 0.03 < beyond[0] < 0.12


@pytest.mark.claim("They mend the standard error. The mixture of within and between slopes stays as it is")
def test_robust_errors_leave_the_estimate():
    data = hsb()
    plain = smf.ols("mathach ~ ses", data).fit()
    robust = plain.get_robustcov_results("cluster", groups=data["schid"].cat.codes)
    assert robust.params[1] == plain.params["ses"] and robust.bse[1] > 1.2 * plain.bse["ses"]


@pytest.mark.claim("That the residuals have shorter ends than normal ones, so the chi-square test is cautious")
def test_short_ended_residuals_lower_h():
    rng = np.random.default_rng(5)

    def mean_h(draw):
        variances = draw((300, 160, 45)).var(axis=2, ddof=1)
        logs = np.log(variances)
        return (22 * (logs - logs.mean(axis=1, keepdims=True)) ** 2).sum(axis=1).mean()

    assert mean_h(lambda size: rng.uniform(-1, 1, size)) < 120 < 150 < mean_h(lambda size: rng.normal(size=size)) < 175
    assert stats.kurtosis(full().resid) < -0.3


@pytest.mark.claim("The scores are not cut off but *compressed* toward both ends")
@pytest.mark.parametrize("seed", range(5))
def test_cut_off_scores_would_pile_up_at_the_limits(seed):
    score, drawn = hsb()["mathach"], mlm.simulate(full(), 20, seed=seed)
    for beyond, there in (((drawn >= score.max()), score.max()), ((drawn <= score.min()), score.min())):
        assert beyond.sum(axis=0).min() > 1.5 * (score == there).sum()


@pytest.mark.claim("the limits produce a difference of")
@pytest.mark.parametrize("seed", range(5))
def test_the_limits_alone_make_no_difference_of_slopes(seed):
    score = hsb()["mathach"]
    equal = fit("mathach ~ meanses + schtype + ses_cwc", "~ ses_cwc")
    cut = mlm.simulate(equal, 20, seed=seed).clip(score.min(), score.max())
    made = mlm.refit(full(), cut)["schtype:ses_cwc"]
    assert abs(made.mean()) < 0.3 < 1.5 < abs(full().fe_params.filter(like="schtype:ses").iloc[0])


@pytest.mark.claim("Compressed instead of cut off, equal slopes give")
@pytest.mark.parametrize("seed", range(5))
def test_compression_alone_makes_little_difference_of_slopes(seed):
    score = hsb()["mathach"]
    bottom, height = score.min() - 0.5, score.max() - score.min() + 1
    share = (score - bottom) / height
    equal = mlm.mixedlm("log_odds ~ meanses + schtype + ses_cwc", hsb().assign(log_odds=np.log(share / (1 - share))),
                        "schid", "~ ses_cwc")
    drawn = bottom + height / (1 + np.exp(-mlm.simulate(equal, 20, seed=seed)))
    made = mlm.refit(full(), drawn)["schtype:ses_cwc"]
    assert abs(made.mean()) < 0.3 < 1.5 < abs(full().fe_params.filter(like="schtype:ses").iloc[0])


@pytest.mark.claim("it points to single schools far out")
def test_the_lowest_schools_stand_out():
    u = full().blups["Intercept"]
    assert u.min() / u.std() < -2.5


@pytest.mark.claim("The third relation is bent, and neither panel can show it",
                   "With the bend in the model, slopes in Catholic schools differ from those in public schools of the same mean SES")
def test_slopes_rise_with_mean_ses_up_to_its_average():
    formula = "mathach ~ meanses * ses_cwc + schtype * ses_cwc"

    def tests(data):
        return mlm.satterthwaite(mlm.mixedlm(f"{formula} + I(meanses ** 2) * ses_cwc", data, "schid", "~ ses_cwc"))

    bent = tests(hsb())
    assert bent["p"].iloc[-1] < 0.05 / 3 and bent["estimate"].iloc[-1] < 0
    top = -bent.loc["meanses:ses_cwc", "estimate"] / (2 * bent["estimate"].iloc[-1])
    assert 0 < top < 0.4  # in units of mean SES, which has a standard deviation of .41
    assert bent.loc["schtype:ses_cwc", "upper"] < -1
    assert tests(hsb()[hsb()["meanses"] > -0.9])["p"].iloc[-1] < 0.05  # not by the three schools of lowest SES alone


@pytest.mark.claim("own slopes are flatter in the highest third than in both others; it has more Catholic schools")
def test_thirds_of_mean_ses():
    schools = hsb().groupby("schid", observed=True)
    x, y = hsb()["ses_cwc"], mlm.center_within(hsb()["mathach"], hsb()["schid"])
    slopes = (x * y).groupby(hsb()["schid"], observed=True).sum() / (x * x).groupby(hsb()["schid"], observed=True).sum()
    thirds = pd.qcut(schools["ses"].mean(), 3, labels=False)
    assert slopes.groupby(thirds).mean().idxmin() == 2 == schools["schtype"].first().groupby(thirds).mean().idxmax()


@pytest.mark.claim("Dependence shows in residuals only where the data say what rows may share")
def test_residuals_of_minority_students_lie_low():
    left = full().resid.groupby(hsb()["minority"]).agg(["mean", "sem"])
    assert left["mean"][1] < -1 < 0.3 < left["mean"][0] and left["sem"].max() < 0.2
