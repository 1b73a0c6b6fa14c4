"""Claims of the page on the one-way ANOVA with random effects."""

from contextlib import nullcontext

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import mlm
from course import fit, hsb

NULL = "mathach ~ 1"


def null():
    return fit(NULL)


def parts():
    model = null()
    return model.cov_re.iloc[0, 0], model.scale, hsb().groupby("schid", observed=True)["mathach"].agg(["size", "mean"])


@pytest.mark.claim("The ICC says how alike students of a school are, the design effect what that does to the standard error of a mean, and the reliability how well a school's mean is known.")
def test_icc_design_effect_and_reliability_are_what_they_are_said_to_be():
    tau00, sigma2, schools = parts()
    rng, n, J = np.random.default_rng(1), 20, 4000
    true = rng.normal(0, np.sqrt(tau00), J)
    y = true[:, None] + rng.normal(0, np.sqrt(sigma2), (J, n))
    icc = tau00 / (tau00 + sigma2)
    # 4000 schools: a correlation is off by .016 on average, a variance by 2.2 %; three times that
    assert np.corrcoef(y[:, 0], y[:, 1])[0, 1] == pytest.approx(icc, abs=0.05)
    assert np.corrcoef(y.mean(axis=1), true)[0, 1] ** 2 == pytest.approx(tau00 / (tau00 + sigma2 / n), abs=0.03)
    inflation = y.mean(axis=1).var() / (y.var() / n)  # of the variance of a mean, against independent students
    assert inflation == pytest.approx(mlm.design_effect(icc, n), rel=0.07)


@pytest.mark.claim("The plausible range describes schools; a confidence interval describes their average.",
                   "One is about schools, the other about their average.",
                   "About 95 % of the true means of the schools of which these are a random sample, if the means are normal.")
def test_more_schools_narrow_the_interval_and_not_the_range():
    tau00, sigma2, _ = parts()
    gamma00, n = null().fe_params["Intercept"], 45

    def study(J, seed):
        rng = np.random.default_rng(seed)
        true = rng.normal(gamma00, np.sqrt(tau00), J)
        y = np.repeat(true, n) + rng.normal(0, np.sqrt(sigma2), J * n)
        data = {"y": y, "school": np.repeat(np.arange(J), n)}
        model = mlm.mixedlm("y ~ 1", pd.DataFrame(data), "school")
        test = mlm.satterthwaite(model).iloc[0]
        reach = 1.96 * np.sqrt(model.cov_re.iloc[0, 0])
        inside = np.abs(true - model.fe_params["Intercept"]) < reach
        return 2 * reach, test.upper - test.lower, inside.mean()

    few, many = (np.mean([study(J, seed) for seed in range(5)], axis=0) for J in (100, 400))
    assert many[0] == pytest.approx(few[0], rel=0.1) and many[1] == pytest.approx(few[1] / 2, rel=0.15)
    assert many[2] == pytest.approx(0.95, abs=0.02)  # 2000 schools: Monte-Carlo error .005
    assert many[1] < 0.1 * many[0]


@pytest.mark.claim("A variance can't be below 0, so when $\\tau_{00}$ is tested alone, the *p* value of the likelihood ratio is about half of what the plain chi-square gives.",
                   "A variance ends at 0. Near this end neither the chi-square nor the normal distribution applies.")
def test_the_halved_p_value_rejects_as_often_as_it_says():
    rng, J, n = np.random.default_rng(2), 80, 10
    data = pd.DataFrame({"y": rng.normal(size=J * n), "school": np.repeat(np.arange(J), n)})
    model = mlm.mixedlm("y ~ 1", data.assign(y=data["y"] + np.repeat(rng.normal(size=J), n)), "school")
    noise = rng.normal(size=(J * n, 4000))
    refits, N = mlm.refit(model, noise), J * n
    variance = noise.var(axis=0, ddof=1)
    without = -(np.log(N) + (N - 1) * (np.log(2 * np.pi * variance) + 1)) / 2
    p = stats.chi2.sf(np.maximum(2 * (refits["llf"] - without), 0), df=1)
    # Monte-Carlo error .0034; with 80 schools slightly more than half of the estimates are 0, which costs .004
    assert (p / 2 < 0.05).mean() == pytest.approx(0.05, abs=0.012) and (p < 0.05).mean() < 0.035
    assert 0.4 < (refits["Intercept Var"] < 1e-8).mean() < 0.6


@pytest.mark.claim("so ordinary regression will do.\"* The design effect of a mean is")
def test_the_standard_error_without_schools_is_a_third_of_what_it_should_be():
    _, _, schools = parts()
    assert mlm.design_effect(mlm.icc(null()), schools["size"].mean()) > 8
    naive = hsb()["mathach"].std() / np.sqrt(len(hsb()))
    assert naive / null().bse_fe["Intercept"] == pytest.approx(1 / 3, abs=0.01)


@pytest.mark.claim("Sample means also vary by chance, so they spread more than true means.")
def test_sample_means_spread_more_than_true_means_by_the_sampling_variance():
    tau00, sigma2, schools = parts()
    sampling = (sigma2 / schools["size"]).mean()
    assert schools["mean"].var() > tau00 + sampling / 2
    assert schools["mean"].var() == pytest.approx(tau00 + sampling, rel=0.02)  # REML weights schools, a variance doesn't


@pytest.mark.claim("The ICC is about students, the reliability about means of many students.",
                   "The reliability of the school means goes up, the ICC stays about the same.")
def test_with_half_of_the_students_reliability_falls_and_the_icc_stays():
    order = hsb()["mathach"].sample(frac=1, random_state=1).index
    half = hsb().loc[order].groupby("schid", observed=True).cumcount().sort_index() % 2 == 0
    fewer = mlm.mixedlm(NULL, hsb()[half], "schid")
    assert mlm.reliability(fewer).mean().iloc[0] < mlm.reliability(null()).mean().iloc[0] - 0.05
    assert mlm.icc(fewer) == pytest.approx(mlm.icc(null()), abs=0.02)  # the interval of the ICC is .07 wide
    assert mlm.icc(null()) < 0.2 and mlm.reliability(null()).mean().iloc[0] > 0.9  # a small ICC, reliable means


@pytest.mark.claim("The school means differ no more than sampling alone would make them.")
def test_an_estimate_of_zero_comes_when_means_spread_less_than_sampling_would_make_them():
    rng, J, n = np.random.default_rng(3), 40, 10
    school = np.repeat(np.arange(J), n)
    for _ in range(20):
        y = rng.normal(size=J * n) + np.repeat(rng.normal(0, 0.1, J), n)
        no_more = stats.f_oneway(*y.reshape(J, n)).statistic <= 1  # means spread no more than sampling makes them
        with pytest.warns(mlm.SingularFit) if no_more else nullcontext():
            model = mlm.mixedlm("y ~ 1", pd.DataFrame({"y": y, "school": school}), "school")
        assert (model.cov_re.iloc[0, 0] == 0) == no_more


@pytest.mark.claim("In the one with more students in each school.")
def test_the_design_effect_grows_with_the_students_of_a_school():
    assert mlm.design_effect(0.1, 40) > mlm.design_effect(0.1, 10) > 1


def test_two_students_of_a_school_usually_differ_by_more_than_two_schools_do():
    tau00, sigma2, _ = parts()
    assert 1 - 2 / np.pi * np.arctan(np.sqrt(tau00 / sigma2)) > 0.65  # P(|difference of students| > |of schools|)


def test_the_interval_of_the_icc_agrees_with_that_of_the_f_distribution():
    # exact for schools of equal size (Searle, Casella & McCulloch, 1992, table 3.2); sizes here differ, so .01
    frame, (_, _, schools) = hsb(), parts()
    n0 = (len(frame) - (schools["size"] ** 2).sum() / len(frame)) / (len(schools) - 1)
    F = stats.f_oneway(*(y for _, y in frame.groupby("schid", observed=True)["mathach"])).statistic
    ends = [(F / q - 1) / (F / q + n0 - 1) for q in stats.f.ppf([0.975, 0.025], len(schools) - 1, len(frame) - len(schools))]
    drawn = mlm.bootstrap(null(), draws=1000, seed=4)
    iccs = drawn["Intercept Var"] / (drawn["Intercept Var"] + drawn["Residual Var"])
    assert iccs.quantile([0.025, 0.975]).tolist() == pytest.approx(ends, abs=0.01)


def test_neighbors_in_a_ranking_differ_by_less_than_the_error_of_a_mean():
    _, sigma2, schools = parts()
    gaps = schools["mean"].sort_values().diff()
    assert gaps.median() < 0.1 * np.sqrt(sigma2 / schools["size"]).median()


def test_a_school_keeps_the_share_of_its_distance_that_is_its_reliability():
    _, _, schools = parts()
    kept = null().blups["Intercept"] / (schools["mean"] - null().fe_params["Intercept"])
    assert kept.tolist() == pytest.approx(mlm.reliability(null())["Intercept"].tolist(), abs=1e-8)


@pytest.mark.claim("The variance falls by the ICC,")
def test_the_standard_deviation_falls_by_about_half_of_the_icc():
    tau00, sigma2, _ = parts()
    fall = 1 - np.sqrt(sigma2 / (tau00 + sigma2))
    assert fall == pytest.approx(mlm.icc(null()) / 2, abs=0.01)
