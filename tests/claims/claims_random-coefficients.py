"""Claims of the page on random coefficients."""

import json
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import mlm
from conftest import ROOT
from course import fit, hsb, variance_errors

FORMULA, SLOPE = "mathach ~ ses_cwc", "~ ses_cwc"


def model(reml=True):
    return fit(FORMULA, SLOPE, reml)


def own():
    return pd.Series({school: mlm.figures.ols_line(s["ses_cwc"], s["mathach"])[1]
                      for school, s in hsb().groupby("schid", observed=True)})


@pytest.mark.claim("A random slope adds a variance of slopes and their covariance with the intercepts, and makes the variance of the outcome depend on the predictor.")
def test_a_random_slope_adds_two_parameters_and_a_variance_that_depends_on_x():
    assert len(model().params) - len(fit(FORMULA).params) == 2
    y = mlm.simulate(model(), 400, seed=1) - model().predict().to_numpy()[:, None]
    far, near = hsb()["ses_cwc"].abs().to_numpy() > 1.5, hsb()["ses_cwc"].abs().to_numpy() < 0.5
    t00, t01, t11 = model().tau[0, 0], model().tau[0, 1], model().tau[1, 1]
    for rows in (far, near):
        x = hsb()["ses_cwc"].to_numpy()[rows]
        assert (y[rows] ** 2).mean() == pytest.approx((t00 + 2 * t01 * x + t11 * x**2).mean() + model().scale, rel=0.02)
    assert (y[far] ** 2).mean() > (y[near] ** 2).mean() + 1


@pytest.mark.claim("$\\gamma_{10} \\pm 1.96 \\sqrt{\\tau_{11}}$ is about schools, the confidence interval of $\\gamma_{10}$ about their average.",
                   "The one is made of $\\sqrt{\\tau_{11}}$, the other of the standard error of $\\gamma_{10}$.",
                   "It stays about the same and is known more precisely.")
def test_twice_the_schools_leave_the_range_and_narrow_the_interval():
    twice = pd.concat([hsb(), hsb().assign(schid=hsb()["schid"].astype(str) + "b")])  # the same kind of schools
    more = mlm.mixedlm(FORMULA, twice, "schid", SLOPE)
    assert more.cov_re.iloc[1, 1] == pytest.approx(model().cov_re.iloc[1, 1], rel=0.02)  # REML allows for one mean in 320
    for few, many in ((model().bse_fe, more.bse_fe), (model().bse_re, more.bse_re)):
        assert many.iloc[-1] / few.iloc[-1] == pytest.approx(1 / np.sqrt(2), rel=0.02)


@pytest.mark.claim("twice as many schools would divide the standard error of $\\hat\\tau_{11}$ by about $\\sqrt 2$, and twice as many students in each by about as much or more",
                   "(For $\\tau_{00}$ it is more schools: their means are well known already.)")
def test_more_schools_or_more_students_make_the_slope_variance_known():
    now, schools, students = (variance_errors(model(), *times) for times in ((1, 1), (2, 1), (1, 2)))
    assert now[2] == pytest.approx(model().bse_re.iloc[2], rel=0.03)  # expected against observed information
    assert now[2] / schools[2] == pytest.approx(np.sqrt(2), rel=1e-6)
    for limit in mlm.variance_intervals(model()).loc["sd ses_cwc", ["lower", "upper"]]:
        tau = model().tau.copy()
        tau[1, 1] = limit**2
        there = SimpleNamespace(tau=tau, scale=model().scale)
        assert variance_errors(there)[2] / variance_errors(there, students=2)[2] > 0.98 * np.sqrt(2)
    assert now[2] / students[2] > np.sqrt(2) and now[0] / students[0] < 1.1


@pytest.mark.claim("Single slopes are hardly known even where their variance is clear.",
                   "Their variance of {glue:text}`own_var1:.2f` is largely sampling error;",
                   "Single slopes are noisy, but 160 noisy slopes together spread more than noise alone would.")
def test_own_slopes_are_mostly_noise_and_spread_more_than_noise():
    assert mlm.reliability(model())["ses_cwc"].mean() < 0.3
    assert model().tau[1, 1] < 0.3 * own().var()
    errors = fit(FORMULA).scale / hsb()["ses_cwc"].pow(2).groupby(hsb()["schid"], observed=True).sum()
    highest = mlm.variance_intervals(model()).loc["sd ses_cwc", "upper"] ** 2
    assert (highest / (highest + errors)).mean() < 0.45
    weight = 1 / errors.to_numpy()
    spread = (weight * (own() - np.average(own(), weights=weight)) ** 2).sum()
    assert stats.chi2.sf(spread, 159) < 0.01 and mlm.likelihood_ratio(fit(FORMULA), model()).p < 0.01


@pytest.mark.claim("The covariance of intercepts and slopes depends on where the predictor is zero.",
                   "Its sign depends on where zero is; say where, and look at the interval.",
                   "$\\gamma_{10}$, $\\tau_{11}$ and $\\sigma^2$.")
def test_another_zero_turns_the_sign_and_leaves_the_slopes():
    found = {}
    for c in (-1, 0, 1):
        moved = mlm.mixedlm("mathach ~ x", hsb().assign(x=hsb()["ses_cwc"] - c), "schid", "~ x")
        found[c] = moved.tau[0, 1]
        # the optimum is found to 1e-5 of a variance
        assert [moved.fe_params["x"], moved.tau[1, 1], moved.scale, moved.llf] == \
            pytest.approx([model().fe_params["ses_cwc"], model().tau[1, 1], model().scale, model().llf], rel=1e-4)
        assert moved.tau[0, 1] == pytest.approx(model().tau[0, 1] + c * model().tau[1, 1], abs=1e-3)
    assert found[-1] < 0 < found[1]
    limits = mlm.variance_intervals(model()).loc["cor Intercept ses_cwc"]
    assert limits.lower < 0 < limits.upper


@pytest.mark.claim("On the boundary neither distribution holds.",
                   "The mixture puts half of its weight on a distribution with smaller values.")
def test_with_one_slope_for_all_the_mixture_rejects_as_often_as_it_says():
    rng, J, n = np.random.default_rng(1), 80, 20
    data = pd.DataFrame({"x": rng.normal(size=J * n), "school": np.repeat(np.arange(J), n)})
    data["x"] -= data.groupby("school")["x"].transform("mean")
    u, slopes = (np.repeat(rng.normal(size=J), n) for _ in range(2))
    data["y"] = u + (1 + slopes) * data["x"] + rng.normal(size=J * n)
    small, large = (mlm.mixedlm("y ~ x", data, "school", r) for r in (None, "~ x"))
    y = mlm.simulate(small, 800, seed=2)
    drawn, flat = mlm.refit(large, y), mlm.refit(small, y)
    statistic = np.maximum(2 * (drawn["llf"] - flat["llf"]), 0)
    naive = stats.chi2.sf(statistic, 2)
    mixture = (naive + stats.chi2.sf(statistic, 1)) / 2
    # Monte-Carlo error .008
    assert (mixture < 0.05).mean() == pytest.approx(0.05, abs=0.02) and (naive < 0.05).mean() < (mixture < 0.05).mean()
    assert stats.skew(drawn["x Var"]) > 1  # far from a normal distribution


@pytest.mark.claim("Slopes can be clearly positive in some schools and negative in others, around an average of zero.")
def test_an_average_slope_of_zero_with_slopes_that_matter():
    rng, J, n = np.random.default_rng(4), 100, 40
    data = pd.DataFrame({"x": rng.normal(size=J * n), "school": np.repeat(np.arange(J), n)})
    slopes = np.repeat([-1.0, 1.0], J // 2)
    data["y"] = np.repeat(slopes, n) * data["x"] + rng.normal(size=J * n)
    varying = mlm.mixedlm("y ~ x", data, "school", "~ 0 + x")
    assert mlm.satterthwaite(varying).loc["x", "p"] > 0.05 and varying.cov_re.iloc[0, 0] > 0.8
    predicted = mlm.blups(varying)
    assert (predicted["lower"] > 0).any() and (predicted["upper"] < 0).any()


def test_a_unit_moves_each_reml_deviance_and_not_their_difference():
    s = 0.5
    scaled = hsb().assign(z=hsb()["ses_cwc"] / s)
    large, small = (mlm.mixedlm("mathach ~ z", scaled, "schid", r) for r in ("~ z", None))
    moved = -2 * (large.llf - model().llf)
    assert moved == pytest.approx(-2 * np.log(s), abs=1e-4)
    assert mlm.likelihood_ratio(small, large).statistic == \
        pytest.approx(mlm.likelihood_ratio(fit(FORMULA), model()).statistic, abs=1e-4)


def test_the_bootstrap_agrees_with_the_mixture_within_its_error_for_any_seed():
    mixture = mlm.likelihood_ratio(fit(FORMULA), model()).p
    shares = [mlm.bootstrap_test(fit(FORMULA), model(), draws=60, seed=seed) for seed in range(11, 16)]
    error = np.sqrt(mixture * (1 - mixture) / 300)
    assert np.mean(shares) == pytest.approx(mixture, abs=3 * error + 1 / 61)  # a share is (1 + k) / (1 + draws)


def test_confint_of_lme4_is_that_of_the_ml_fit_and_not_that_of_reml():
    kept = json.loads((ROOT / "tests/reference/r_to_python.json").read_text())["lmer"]["profile"][1]
    ml, reml = (mlm.variance_intervals(model(reml)).loc["sd ses_cwc", ["lower", "upper"]].tolist() for reml in (False, True))
    # lme4 interpolates its profile: tests/test_r_to_python.py allows 2e-3
    assert ml == pytest.approx(kept, abs=2e-3) and abs(reml[0] - kept[0]) > 0.01
