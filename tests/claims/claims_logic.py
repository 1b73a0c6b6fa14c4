"""What the page on the logic of hierarchical models claims."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from scipy import stats

import mlm
from course import hsb

SEEDS = [1, 2, 3, 4, 5]
NOT_COMPUTED = {
    "Intercepts and slopes have distributions over schools, and these are the subject of multilevel models.":
        "says what the course is about",
}


def line(school):
    return smf.ols("mathach ~ ses", hsb()[hsb()["schid"] == school]).fit()


def own_slopes(y):
    """The slopes of the schools' own lines, with the sums of squares that they rest on."""
    x, codes = hsb()["ses_cwc"].to_numpy(), hsb()["schid"].cat.codes
    S = np.bincount(codes, x * x)
    return np.bincount(codes, x * y) / S, S


def within_between(data):
    """OLS slopes within and between schools, and the share of the sum of squares of SES that lies within."""
    means = data.groupby("schid", observed=True)[["ses", "mathach"]].transform("mean")
    inside, outside = data[["ses", "mathach"]] - means, means - data[["ses", "mathach"]].mean()
    slopes = [(d["ses"] @ d["mathach"]) / (d["ses"] @ d["ses"]) for d in (inside, outside)]
    return *slopes, (inside["ses"] @ inside["ses"]) / ((data["ses"] - data["ses"].mean()) ** 2).sum()


@pytest.mark.claim("One line for all compares students whichever their schools, so its slope mixes differences within schools with differences between them.",
                   "It also contains the differences between lower-SES and higher-SES schools.",
                   "Schools with a higher mean SES lie higher, by more than the slope within them accounts for.")
def test_one_line_mixes():
    for data in (hsb(), hsb().head(550)):
        within, between, share = within_between(data)
        assert smf.ols("mathach ~ ses", data).fit().params["ses"] == pytest.approx(share * within + (1 - share) * between, rel=1e-9)
        assert between > 2 * within


@pytest.mark.claim("Separate lines rest on few students each: most of what distinguishes two schools' slopes is sampling error.",
                   "In nearly all of these schools, the standard error of the slope is larger than one point.")
def test_slopes_are_mostly_noise():
    y, codes = mlm.center_within(hsb()["mathach"], hsb()["schid"]).to_numpy(), hsb()["schid"].cat.codes
    own, S = own_slopes(y)
    squares, n = np.bincount(codes, (y - own[codes] * hsb()["ses_cwc"]) ** 2), np.bincount(codes)
    errors = np.sqrt(squares / (n - 2) / S)
    assert errors[0] == pytest.approx(line("1224").bse["ses"], rel=1e-9)
    assert np.mean(errors > 1) > 0.9
    draws = np.random.default_rng(1).integers(0, 160, (1000, 160))
    noise = (errors[draws] ** 2).mean(1) / own[draws].var(1, ddof=1)
    assert np.quantile(noise, 0.025) > 0.5


@pytest.mark.claim("In a small school LOESS follows single students.")
def test_loess_follows_single_students():
    school = hsb()[hsb()["schid"] == "1308"]
    x, y = school["ses"].to_numpy(), school["mathach"].to_numpy()
    assert len(x) == 20

    def most(curve):  # how far the curve moves where a student stands who is moved by five points
        moved = [curve(y + 5 * (np.arange(20) == i))[i] - curve(y)[i] for i in range(20)]
        return max(moved)

    smooth, straight = most(lambda y: mlm.figures.loess(x, y, x)), most(lambda y: np.polyval(np.polyfit(x, y, 1), x))
    assert smooth > 2.5 and smooth > 1.5 * straight


@pytest.mark.claim("The expected achievement of a student of the school whose SES is 0.")
def test_intercept():
    fit = line("1224")
    assert fit.predict(pd.DataFrame({"ses": [0]})).iloc[0] == pytest.approx(fit.params["Intercept"], rel=1e-12)
    assert abs(hsb()["ses"].mean()) < 0.01


@pytest.mark.claim("The data don't show that.", "Neither slope can be told from zero", "the two can't be told from each other")
def test_two_schools():
    assert line("1462").params["ses"] < 0 < line("1224").params["ses"]
    assert min(line(school).pvalues["ses"] for school in ("1224", "1462")) > 0.1
    both = hsb()[hsb()["schid"].isin(["1224", "1462"])]
    product = smf.ols("mathach ~ ses * other", both.assign(other=(both["schid"] == "1462").astype(int))).fit()
    low, high = product.conf_int().loc["ses:other"]
    assert low < 0 < high


@pytest.mark.claim("Each OLS slope is the true slope plus sampling error.", "The variances of the two add up.",
                   "They are unbiased. They only scatter around the true slope, to both sides.")
@pytest.mark.parametrize("seed", SEEDS)
def test_variances_add_up(seed):
    rng, x, codes = np.random.default_rng(seed), hsb()["ses_cwc"].to_numpy(), hsb()["schid"].cat.codes.to_numpy()
    excess, bias = [], []
    for _ in range(200):
        true = rng.normal(2, 0.8, 160)
        own, S = own_slopes(true[codes] * x + rng.normal(0, 6, len(x)))
        excess.append(own.var(ddof=1) - true.var(ddof=1) - (36 / S).mean())
        bias.append((own - true).mean())
    assert abs(np.mean(excess)) < 4 * stats.sem(excess) and abs(np.mean(bias)) < 4 * stats.sem(bias)


@pytest.mark.claim("With 160 schools of this size some slopes are negative by chance, even if all true slopes are positive.")
@pytest.mark.parametrize("seed", SEEDS)
def test_negative_by_chance(seed):
    y = 2.19 * hsb()["ses_cwc"] + np.random.default_rng(seed).normal(0, 6.06, len(hsb()))
    assert (own_slopes(y)[0] < 0).sum() >= 3


@pytest.mark.claim("Public schools have a lower mean intercept", "So schools do differ, and part of the differences is associated with a property of the school, its sector.")
def test_sectors():
    lines = mlm.figures.ols_lines(hsb()).join(hsb().groupby("schid", observed=True)["schtype"].first())
    for what, sign in [("intercept", -1), ("slope", 1)]:
        public, catholic = (part[what] for _, part in lines.groupby("schtype"))
        interval = stats.ttest_ind(public, catholic, equal_var=False).confidence_interval()
        assert sign * interval.low > 0 and sign * interval.high > 0


@pytest.mark.claim("shows that weighting by the number of students hardly matters.", "The two agree closely.")
def test_weights():
    lines = mlm.figures.ols_lines(hsb())
    difference = np.average(lines["slope"], weights=lines["n"]) - lines["slope"].mean()
    assert abs(difference) < stats.sem(lines["slope"])


@pytest.mark.claim("From an SES of about −1 up, line and curve stay within a point of each other.")
def test_curve_and_line():
    first = hsb().head(550)
    at = np.linspace(first["ses"].min(), first["ses"].max(), 200)
    intercept, slope = mlm.figures.ols_line(first["ses"], first["mathach"])
    above = mlm.figures.loess(first["ses"], first["mathach"], at) - intercept - slope * at
    assert np.abs(above[at > -1]).max() < 1 and 2.5 < above[at < -1].max() < 3.5
