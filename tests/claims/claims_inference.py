"""Inference."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import mlm
from course import fit, hsb

NOT_COMPUTED = {
    "Estimate by REML, compare fixed effects by ML": "advice; why is tested by the claims below on REML's bias and deviances",
}


def few():
    data = hsb()
    return data[data["schid"].isin(data["schid"].unique()[::14])]


def studies(seed, n=4000, schools=12, students=20):
    """Mean squares between and within schools of many studies without an effect, and the two variances."""
    null, rng = fit("mathach ~ 1"), np.random.default_rng(seed)
    tau, sigma2 = null.cov_re.iloc[0, 0], null.scale
    between = (sigma2 + students * tau) * rng.chisquare(schools - 2, n) / (schools - 2)
    within = sigma2 * rng.chisquare(schools * (students - 1), n) / (schools * (students - 1))
    return between, within, tau, sigma2


@pytest.mark.claim("never compare REML deviances of models with different fixed effects", "The ML fits",
                   "The unit of a predictor decides the result")
def test_the_unit_of_a_predictor_moves_the_reml_deviance_only():
    data = hsb().assign(unit=hsb()["ses_cwc"] * 1000)
    for reml, moves in ((False, False), (True, True)):
        change = mlm.mixedlm("mathach ~ unit", data, "schid", reml=reml).llf - fit("mathach ~ ses_cwc", reml=reml).llf
        assert (abs(change) > 1) == moves
    for reml in ("aic", "bic"):
        with_unit, without = mlm.mixedlm("mathach ~ unit", data, "schid"), fit("mathach ~ ses_cwc")
        assert np.isnan(getattr(without, reml)) or abs(getattr(with_unit, reml) - getattr(without, reml)) > 1
    with pytest.raises(ValueError):
        mlm.likelihood_ratio(fit("mathach ~ 1"), fit("mathach ~ ses_cwc"))


@pytest.mark.claim("degrees of freedom follow the number of schools", "The 24 classes: about 22 degrees of freedom")
def test_degrees_of_freedom_are_those_of_groups():
    df = mlm.satterthwaite(fit("mathach ~ meanses * ses_cwc", "~ ses_cwc"))["df"]
    assert df.between(100, 200).all()
    classes = pd.DataFrame({"klass": np.repeat(np.arange(24), 42)})
    classes["size"] = np.random.default_rng(0).normal(size=24)[classes["klass"]]
    classes["y"] = np.random.default_rng(1).normal(size=24)[classes["klass"]] + np.random.default_rng(2).normal(size=1008)
    assert mlm.satterthwaite(mlm.mixedlm("y ~ size", classes, "klass"))["df"]["size"] == pytest.approx(22, abs=0.1)


@pytest.mark.claim("are left in the model with `ses_cwc` alone")
def test_degrees_of_freedom_of_an_average_slope_are_those_of_schools():
    assert 150 < mlm.satterthwaite(fit("mathach ~ ses_cwc", "~ ses_cwc"))["df"]["ses_cwc"] < 160
    assert mlm.satterthwaite(fit("mathach ~ meanses * ses_cwc + schtype * ses_cwc", "~ ses_cwc"))["df"]["ses_cwc"] < 145


@pytest.mark.claim("even two standard errors lower it would be above .05")
def test_the_difference_of_girls_and_boys_is_not_shown_to_vary():
    pair = [fit("mathach ~ ses_cwc + female", random, reml=False) for random in (None, "~ female")]
    p = mlm.bootstrap_test(*pair, draws=200)
    assert p - 2 * np.sqrt(p * (1 - p) / 200) > 0.05


@pytest.mark.claim("Variances have lopsided intervals and null values on a boundary",
                   "Because data of a given spread can come from a much larger variance more easily than from a much smaller one")
def test_the_interval_of_a_variance_is_lopsided():
    small = mlm.mixedlm("mathach ~ 1", few(), "schid")
    row = mlm.variance_intervals(small).loc["sd Intercept"] ** 2
    assert row["upper"] - row["estimate"] > 2 * (row["estimate"] - row["lower"])


@pytest.mark.claim("It finds too many effects that aren't there")
@pytest.mark.parametrize("seed", range(5))
def test_z_finds_too_many_effects(seed):
    between, within, *_ = studies(seed)
    difference = np.random.default_rng(seed + 50).normal(size=4000) * np.sqrt(between.mean() / 20 / 3)
    between = np.maximum(between, within)  # tau00 is not negative
    t = np.abs(difference / np.sqrt(between / 20 / 3))
    error = np.sqrt(0.05 * 0.95 / 4000)
    assert (t > 1.96).mean() > 0.05 + 4 * error and abs((t > stats.t.ppf(0.975, 10)).mean() - 0.05) < 4 * error


@pytest.mark.claim("In the studies of twelve schools above they end too low, and miss twice as often as they promise",
                   "So **report the profile interval of a variance**")
@pytest.mark.parametrize("seed", range(5))
def test_which_interval_of_a_variance_keeps_its_level(seed):
    between, within, tau, sigma2 = studies(seed, 2000)
    rng = np.random.default_rng(seed)
    drawn = (between[:, None] * rng.chisquare(10, (2000, 400)) / 10
             - within[:, None] * rng.chisquare(228, (2000, 400)) / 228) / 20
    low, high = np.quantile(np.maximum(drawn, 0), [0.025, 0.975], axis=1)

    def deviance(tau, sigma2):
        return (10 * (np.log(sigma2 + 20 * tau) + between / (sigma2 + 20 * tau))
                + 228 * (np.log(sigma2) + within / sigma2))

    best = deviance(np.maximum(between - within, 0) / 20, np.where(between > within, within, (10 * between + 228 * within) / 238))
    at_truth = np.min([deviance(tau, s) for s in sigma2 * np.geomspace(0.5, 2, 300)], axis=0)
    profile = (at_truth - best > stats.chi2.ppf(0.95, 1)).mean()
    error = np.sqrt(0.05 * 0.95 / 2000)
    assert abs(profile - 0.05) < 4 * error
    assert (high < tau).mean() > 0.05 + 4 * error and (low > tau).mean() < 0.01


def test_the_shortcut_of_the_bootstrap_is_the_bootstrap():
    """Mean squares drawn from chi-square distributions give the quantiles of `mlm.bootstrap`."""
    rng = np.random.default_rng(7)
    school = np.repeat(np.arange(12), 20)
    study = pd.DataFrame({"school": school, "treated": school % 2})
    study["y"] = 3 * rng.normal(size=12)[school] + 6.3 * rng.normal(size=240)
    one = mlm.mixedlm("y ~ treated", study, "school")
    tau, sigma2 = one.cov_re.iloc[0, 0], one.scale
    short = ((sigma2 + 20 * tau) * rng.chisquare(10, 20000) / 10 - sigma2 * rng.chisquare(228, 20000) / 228) / 20
    drawn = mlm.bootstrap(one, 4000)["Intercept Var"]
    # the SE of a quantile from 4000 draws is about .07 of the draws' SD
    np.testing.assert_allclose(drawn.quantile([0.025, 0.975]), np.quantile(np.maximum(short, 0), [0.025, 0.975]),
                               atol=0.25 * drawn.std())


@pytest.mark.claim("although it is mostly shorter than the profile interval", "half of the intervals of the logarithm go up to")
@pytest.mark.parametrize("seed", range(3))
def test_the_interval_of_the_logarithm_is_long_only_where_the_estimate_is_far_too_low(seed):
    between, within, truth, _ = studies(seed, 600)
    between, within = between[between > within, None], within[between > within, None]
    tau = (between - within) / 20
    reach = 1.96 * np.sqrt(2 / 400 * (between**2 / 10 + within**2 / 228)) / tau
    values = np.geomspace(1e-3, 300, 600)  # of tau00, each with the sigma2 that suits it best, by Newton's method
    s = np.repeat(within, len(values), axis=1)
    for _ in range(8):
        expected = s + 20 * values
        slope = 10 / expected - 10 * between / expected**2 + 228 / s - 228 * within / s**2
        s = np.clip(s - slope * s**2 / 228, within / 2, within * 2)
    expected = s + 20 * values
    rise = 10 * (np.log(expected / between) + between / expected - 1) + 228 * (np.log(s / within) + within / s - 1)
    inside = rise < stats.chi2.ppf(0.95, 1)
    upper = np.where(inside, values, 0).max(axis=1)
    lower = np.where(inside[:, 0], 0, np.where(inside, values, np.inf).min(axis=1))
    with np.errstate(over="ignore"):  # where the estimate is next to 0 the interval ends at infinity
        log_upper = (tau * np.exp(reach))[:, 0]
    assert (log_upper - (tau * np.exp(-reach))[:, 0] < upper - lower).mean() > 0.75
    too_low = upper < truth
    assert 0.005 < too_low.mean() < 0.07 and np.median(log_upper[too_low]) > 1.3 * np.median(upper[too_low])
    assert (log_upper[too_low] > truth).mean() > 0.9


@pytest.mark.claim("end on the boundary instead: here with a correlation of ±1")
@pytest.mark.parametrize("seed", range(3))
def test_at_the_boundary_the_correlation_is_1_and_the_variance_not_0(seed):
    y = mlm.simulate(fit("mathach ~ ses_cwc"), 200, seed=seed)
    found = mlm.refit(fit("mathach ~ ses_cwc", "~ ses_cwc"), y)
    determinant = found["Intercept Var"] * found["ses_cwc Var"] - found["Intercept x ses_cwc Cov"] ** 2
    assert abs((determinant < 1e-6).mean() - 0.5) < 0.1 + 3 * np.sqrt(0.25 / 200) and (found["ses_cwc Var"] < 1e-6).mean() < 0.03


@pytest.mark.claim("The Wald test fails at the boundary")
@pytest.mark.parametrize("seed", range(5))
def test_the_wald_test_of_a_variance_hardly_ever_rejects_at_the_boundary(seed):
    """160 schools of 20 that don't differ: it should reject in 5 % (2.5 % on this side)."""
    rng = np.random.default_rng(seed)
    between, within = rng.chisquare(159, 4000) / 159, rng.chisquare(3040, 4000) / 3040
    tau = np.maximum(between - within, 0) / 20
    se = np.sqrt(2 / 400 * (between**2 / 159 + within**2 / 3040))
    assert 0.4 < (tau == 0).mean() < 0.6 and (tau > 1.96 * se).mean() < 0.015


@pytest.mark.claim("Without the random slope, the standard error of the average slope takes students for independent evidence")
def test_without_the_random_slope_its_standard_error_is_smaller():
    same, varies = fit("mathach ~ ses_cwc"), fit("mathach ~ ses_cwc", "~ ses_cwc")
    assert varies.bse_fe["ses_cwc"] > 1.1 * same.bse_fe["ses_cwc"]
    assert mlm.satterthwaite(same)["df"]["ses_cwc"] > 6000 and mlm.satterthwaite(varies)["df"]["ses_cwc"] < 200


@pytest.mark.claim("A smaller *p*, since half of the weight goes to a distribution with fewer degrees of freedom")
def test_the_mixture_gives_a_smaller_p():
    statistic = stats.chi2.isf(0.08, 2)
    assert mlm.inference.mixture_p(statistic, 2) < 0.08


@pytest.mark.claim("nearer to 5 %, and still on the cautious side")
@pytest.mark.parametrize("seed", range(5))
def test_the_mixture_is_nearer_but_cautious(seed):
    small = hsb()[hsb()["schid"].isin(hsb()["schid"].unique()[::4])]  # 40 schools: the same order of rates, sooner
    same = mlm.mixedlm("mathach ~ ses_cwc", small, "schid", reml=False)
    slope = mlm.mixedlm("mathach ~ ses_cwc", small, "schid", "~ ses_cwc", reml=False)
    y = mlm.simulate(same, 300, seed=seed)
    statistic = 2 * (mlm.refit(slope, y)["llf"] - mlm.refit(same, y)["llf"])
    naive = (stats.chi2.sf(statistic, 2) < 0.05).mean()
    mixed = np.mean([mlm.inference.mixture_p(value, 2) < 0.05 for value in statistic])
    assert naive <= mixed < 0.05 + 3 * np.sqrt(0.05 * 0.95 / 300) and naive < 0.05


@pytest.mark.claim("is the same remedy for mixed models")
def test_reml_divides_by_the_degrees_of_freedom_that_are_left():
    data = few().copy()
    data["y"] = data["mathach"] - data.groupby("schid", observed=True)["mathach"].transform("mean")
    with pytest.warns(mlm.SingularFit):
        flat = mlm.mixedlm("y ~ ses_cwc", data, "schid")
    rest = data["y"] - np.polyval(np.polyfit(data["ses_cwc"], data["y"], 1), data["ses_cwc"])
    assert flat.scale == pytest.approx((rest**2).sum() / (len(data) - 2))
