"""Design and power."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import mlm
from course import fit

NOT_COMPUTED = {
    "Try an ICC half as large and twice as large": "advice; the third exercise does it",
    "To see whether the test keeps its level in this design": "what `value=0` is for; the rates are computed on the page",
    "and state the Monte-Carlo error with the power": "advice on reporting",
}


def variances():
    null = fit("mathach ~ 1")
    return null.cov_re.iloc[0, 0], null.scale


def standard_error(schools, students):
    tau, sigma2 = variances()
    return np.sqrt(4 * (tau + sigma2 / students) / schools)


def power(effect, schools, students):
    limit, shift = stats.t.ppf(0.975, schools - 2), effect / standard_error(schools, students)
    return stats.nct.sf(limit, schools - 2, shift) + stats.nct.cdf(-limit, schools - 2, shift)


@pytest.mark.claim("School-level effects need schools", 'says little about a school-level effect', "In 30 further schools")
def test_schools_help_and_students_of_the_same_schools_hardly():
    assert standard_error(60, 20) < 0.75 * standard_error(30, 20) < 0.75 * standard_error(30, 40) * 1.1
    assert standard_error(20, 100) > standard_error(200, 10) * 2  # 2000 students each
    assert standard_error(20, 10**9) > 0.9 * standard_error(20, 40)


@pytest.mark.claim("has twice the standard error of the average slope", "About 80")
def test_an_interaction_has_twice_the_standard_error_of_the_average_slope():
    rng, school = np.random.default_rng(1), np.repeat(np.arange(200), 20)
    data = pd.DataFrame({"school": school, "kind": school % 2 - 0.5, "x": rng.normal(size=4000)})
    data["x"] = mlm.center_within(data["x"], data["school"])
    data["y"] = rng.normal(size=200)[school] + (1 + rng.normal(size=200)[school]) * data["x"] + rng.normal(size=4000)
    se = mlm.mixedlm("y ~ kind * x", data, "school", "~ x").bse_fe
    assert se["kind:x"] / se["x"] == pytest.approx(2, rel=0.02)
    assert power(2, 40, 10) == pytest.approx(power(2 * np.sqrt(2), 20, 10), abs=0.06)  # SE falls with the root of schools


@pytest.mark.claim("one that was published because it was significant is too large on average")
@pytest.mark.parametrize("seed", range(5))
def test_significant_estimates_are_too_large(seed):
    estimate = 2 + np.random.default_rng(seed).normal(0, standard_error(20, 10), 4000)
    significant = np.abs(estimate / standard_error(20, 10)) > 1.96
    assert estimate[significant].mean() > 3 and abs(estimate.mean() - 2) < 0.15


@pytest.mark.claim("That number is the p value in another form")
def test_the_power_of_a_finished_study_is_a_function_of_its_p():
    z = np.linspace(0.1, 4, 50)
    p, observed_power = 2 * stats.norm.sf(z), stats.norm.sf(1.96 - z) + stats.norm.cdf(-1.96 - z)
    assert np.all(np.diff(p) < 0) and np.all(np.diff(observed_power) > 0)
    assert np.interp(1.96, z, observed_power) == pytest.approx(0.5, abs=0.01)


@pytest.mark.claim("Look at its Monte-Carlo standard error first", "How far the power may be off because only so many studies were simulated")
def test_simulated_powers_scatter_as_their_error_says():
    tau, sigma2 = variances()
    plan = mlm.plan("y ~ program", fixed={"program": 2}, tau=tau, sigma2=sigma2, predictors={"program": "school 0/1"})
    runs = pd.concat(mlm.power(plan, "program", 20, 10, draws=100, seed=seed, jobs=1) for seed in range(20))
    assert 0.6 < runs["power"].std() / runs["mc_error"].mean() < 1.6  # of 20 runs an SD is known to a sixth
    assert abs(runs["power"].mean() - power(2, 20, 10)) < 4 * runs["mc_error"].mean() / np.sqrt(20)


@pytest.mark.claim("a single run of 1000 studies may show the first three in another order", "the optimum is flat")
def test_the_optimum_is_flat():
    values = [power(2, int(3000 / (30 + students)), students) for students in (5, 12, 30, 70)]
    assert np.argmax(values) == 1 and max(values) - values[2] < 0.1 < 0.2 < values[1] - values[3]
    error = np.sqrt(0.65 * 0.35 / 1000)
    assert values[1] - values[0] < 3 * np.sqrt(2) * error
