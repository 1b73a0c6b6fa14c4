"""What the page on why multilevel models claims. Simulations are repeated with five seeds."""

from functools import lru_cache

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from scipy import stats

import mlm
from course import fit, hsb

SEEDS = [1, 2, 3, 4, 5]
ICC = 0.1735  # of achievement, see the page on the data


@lru_cache
def study(seed, schools=20, students=30, studies=2000):
    """Differences of two halves without an effect, and their two standard errors, for each study."""
    rng = np.random.default_rng(seed)
    y = rng.normal(0, ICC**0.5, (studies, schools, 1)) + rng.normal(0, (1 - ICC) ** 0.5, (studies, schools, students))
    a, b = np.split(y, 2, axis=1)

    def se(a, b):
        return np.sqrt((a.var(-1, ddof=1) + b.var(-1, ddof=1)) / a.shape[-1])

    return (a.mean((1, 2)) - b.mean((1, 2)), se(a.reshape(studies, -1), b.reshape(studies, -1)), se(a.mean(2), b.mean(2)))


def near(share, expected, draws):
    """Within four Monte-Carlo standard errors."""
    return abs(share - expected) < 4 * np.sqrt(expected * (1 - expected) / draws)


@pytest.mark.claim("Students of a school share its level, so the 600 values are not independent.",
                   "That of a predictor that is the same for all students of a school.")
@pytest.mark.parametrize("seed", SEEDS)
def test_false_alarms(seed):
    difference, students, schools = study(seed)
    alarms = np.mean(np.abs(difference / students) > stats.t.ppf(0.975, 598))
    assert alarms > 0.3
    # normal theory: the estimate scatters sqrt(deff) as widely as the test believes
    assert near(alarms, 2 * stats.norm.sf(1.96 / np.sqrt(1 + 29 * ICC)), 2000)
    assert near(np.mean(np.abs(difference / schools) > stats.t.ppf(0.975, 18)), 0.05, 2000)


@pytest.mark.claim("Nesting alone leaves the coefficients of ordinary regression")
@pytest.mark.parametrize("seed", SEEDS)
def test_unbiased(seed):
    difference = study(seed)[0]
    assert abs(difference.mean()) < 4 * stats.sem(difference)


@pytest.mark.claim("Students of one school tend to be alike, so they tell less about an overall mean, or about the effect of a school's property, than the same number of independent students.")
def test_what_students_of_a_school_tell_less_about():
    assert fit("mathach ~ 1").bse_fe.iloc[0] > 2 * hsb()["mathach"].sem()
    assert fit("mathach ~ schtype").bse_fe["schtype"] > 2 * smf.ols("mathach ~ schtype", hsb()).fit().bse["schtype"]
    # not about their own school: the more alike, the more reliable is its mean
    assert mlm.reliability(fit("mathach ~ 1")).mean().iloc[0] > mlm.reliability(fit("mathach ~ meanses")).mean().iloc[0]


@pytest.mark.claim("For school-level predictors the naive standard error is too small by about the square root of",
                   "because mean SES accounts for most of what the students of a school share.")
def test_design_effect_takes_the_iccs_of_the_residuals():
    size = len(hsb()) / 160
    for predictor in ["meanses", "schtype"]:
        formula = f"mathach ~ {predictor}"
        factor = fit(formula).bse_fe[predictor] / smf.ols(formula, hsb()).fit().bse[predictor]
        # schools differ in size, so it is an approximation
        assert factor == pytest.approx(np.sqrt(mlm.design_effect(mlm.icc(fit(formula)), size)), rel=0.03)
    assert np.sqrt(mlm.design_effect(ICC, size)) > 1.4 * fit("mathach ~ meanses").bse_fe["meanses"] / smf.ols(
        "mathach ~ meanses", hsb()).fit().bse["meanses"]
    assert mlm.variance_reduction(fit("mathach ~ 1"), fit("mathach ~ meanses"))["Intercept"] > 0.5


def naive_and_true(sd, draws=None, seed=None):
    """The naive slope within schools: its average standard error and true SD, by formula, or by simulation."""
    model, x, codes = fit("mathach ~ ses_cwc", "~ ses_cwc"), hsb()["ses_cwc"].to_numpy(), hsb()["schid"].cat.codes.to_numpy()
    S, sigma2, tau00 = np.bincount(codes, x * x), model.scale, model.cov_re.iloc[0, 0]
    if not draws:
        true = sigma2 / S.sum() + sd**2 * (S**2).sum() / S.sum() ** 2
        return np.sqrt((tau00 + sigma2 + sd**2 * S.sum() / len(x)) / S.sum()), np.sqrt(true)
    rng = np.random.default_rng(seed)
    slopes = []
    for _ in range(draws):
        u0, u1 = rng.normal(0, [[tau00**0.5], [sd]], (2, 160))
        slopes.append(x @ (u0[codes] + u1[codes] * x + rng.normal(0, sigma2**0.5, len(x))) / S.sum())
    return None, np.std(slopes)


@pytest.mark.claim("For predictors within schools it can err in either direction.",
                   "For predictors that vary within groups it can go either way.",
                   "(If slopes varied much, it would be too small here too.)",
                   "so the naive standard error is probably too small here, though not by much")
def test_direction_of_the_error():
    for sd, sign in [(0, 1), (0.3, 1), (0.6, 1), (0.9, -1), (1.2, -1)]:
        naive, true = naive_and_true(sd)
        assert np.sign(naive - true) == sign
    spread = mlm.variance_intervals(fit("mathach ~ ses_cwc", "~ ses_cwc")).loc["sd ses_cwc"]
    assert spread["lower"] < 0.63 < spread["estimate"]
    naive, true = naive_and_true(spread["estimate"])
    assert 0.85 < naive / true < 1


@pytest.mark.parametrize("seed", SEEDS)
def test_the_formula_of_the_variance_is_right(seed):
    draws = 400
    # an SD from 400 draws has a relative standard error of 1 / sqrt(800)
    assert naive_and_true(0.9, draws, seed)[1] == pytest.approx(naive_and_true(0.9)[1], rel=4 / np.sqrt(2 * draws))


@pytest.mark.claim("with an ICC of .05 and classes of 100, it is nearly 6.")
def test_small_icc():
    assert 5.9 < mlm.design_effect(0.05, 100) < 6


@pytest.mark.claim("$n$.")
def test_all_alike():
    assert [mlm.design_effect(1, n) for n in (2, 30)] == [2, 30] and mlm.design_effect(0, 30) == 1


@pytest.mark.claim("A relation between schools and a relation within schools are two things, and both can be studied.",
                   "The first is about schools. Check the second within schools.", "and their intervals are far apart")
@pytest.mark.parametrize("seed", SEEDS)
def test_two_relations(seed):
    data, rng = hsb(), np.random.default_rng(seed)
    means = data.groupby("schid", observed=True)[["ses", "mathach"]].mean()
    inside = data[["ses", "mathach"]] - means.loc[data["schid"]].to_numpy()

    def correlation(d, times):
        c = np.cov(d["ses"], d["mathach"], fweights=times)
        return c[0, 1] / np.sqrt(c[0, 0] * c[1, 1])

    draws = [rng.multinomial(160, np.ones(160) / 160) for _ in range(200)]
    within = [correlation(inside, times[data["schid"].cat.codes]) for times in draws]
    between = [correlation(means, times) for times in draws]
    assert np.quantile(within, 0.995) + 0.2 < np.quantile(between, 0.005)


@pytest.mark.claim("No, the relation between regions says nothing certain about persons.",
                   "Correlations of groups can be much stronger than those of their members, as here for SES, and can have the other sign.")
def test_regions_leave_persons_open():
    region = np.repeat(np.arange(10), 20)
    inside = np.tile(np.linspace(-1, 1, 20), 10)
    for slope in (1, -1):  # the same means of the regions, opposite relations of the persons in them
        persons = pd.DataFrame({"region": region, "x": region + inside, "y": region + slope * inside})
        means = persons.groupby("region").mean()
        assert means["x"].corr(means["y"]) == pytest.approx(1)
        assert np.sign(inside @ (persons["y"] - region)) == slope


@pytest.mark.claim("Twice as many schools help much more, although the number of students is the same in the last two lines.")
@pytest.mark.parametrize("seed", SEEDS)
def test_schools_help_more(seed):
    base, students, schools = (study(seed, *design, studies=1000)[0].std() for design in [(20, 30), (20, 60), (40, 30)])
    assert schools < 0.8 * base and students > 0.9 * base


@pytest.mark.claim("a hint that some of it is real, not more.", "The $F$ test of {ref}`ch-fixed-effects` weights them and is clearer",
                   "Most of the variation arises by chance alone.")
@pytest.mark.parametrize("seed", SEEDS)
def test_shuffles(seed):
    data, rng = hsb(), np.random.default_rng(seed)
    x, codes = data["ses_cwc"].to_numpy(), data["schid"].cat.codes.to_numpy()
    S, y = np.bincount(codes, x * x), mlm.center_within(data["mathach"], data["schid"]).to_numpy()
    common = (x @ y) / (x @ x)

    def spread(y):
        return (np.bincount(codes, x * y) / S).var(ddof=1)

    def weighted(y):
        """What own slopes explain beyond a common one, by what they leave: F but for its degrees of freedom."""
        own, one = np.bincount(codes, x * y) / S, (x @ y) / (x @ x)
        return S @ (own - one) ** 2 / (y @ y - S @ own**2)

    errors = (y - common * x) * np.sqrt(len(y) / (len(y) - 161))
    shuffled = [mlm.center_within(common * x + rng.permutation(errors), data["schid"]).to_numpy() for _ in range(2000)]
    real, chance = spread(y), [spread(y) for y in shuffled]
    # a share of .05 from 2000 shuffles has a standard error of .005
    assert np.mean(chance) > real / 2 and 0.03 < np.mean(np.array(chance) >= real) < 0.075
    assert np.mean([weighted(other) >= weighted(y) for other in shuffled]) < 0.015


@pytest.mark.claim("the same achievement is a different rank in different schools")
def test_fish():
    schools = hsb().groupby("schid", observed=True)["mathach"]
    # nobody stands above themselves: of the others, so that the first of a school stands above all of them
    data = hsb().assign(below=(schools.rank(method="min") - 1) / (schools.transform("size") - 1))
    assert data["below"].min() == 0 and data["below"].max() == 1
    quarter = pd.qcut(data.groupby("schid", observed=True)["mathach"].mean(), 4, labels=False)
    average = data[(data["mathach"] - data["mathach"].mean()).abs() < 0.5]
    medians = average.groupby(average["schid"].map(quarter).astype(int))["below"].median()
    assert medians.is_monotonic_decreasing and medians[0] > medians[3] + 0.3
