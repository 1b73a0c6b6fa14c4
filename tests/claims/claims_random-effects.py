"""What the page on the random effects approach claims."""

from functools import lru_cache

import numpy as np
import pytest
import statsmodels.formula.api as smf
from scipy import stats

import mlm
from course import fit, hsb
from splits import SEEDS, errors

NOT_COMPUTED = {
    "It is assumed that residuals are normal at both levels, independent of each other and of the predictors.":
        "an assumption of the model; the page on checking looks at it",
}


def model():
    return fit("mathach ~ ses", "~ ses")


def own_lines():
    return mlm.figures.ols_lines(hsb())


def squared_errors():
    """Squared standard errors of intercept and slope of each school's own line."""
    own, found = own_lines(), []
    for name, school in hsb().groupby("schid", observed=True):
        x = np.column_stack([np.ones(len(school)), school["ses"]])
        residual = school["mathach"] - x @ own.loc[name, ["intercept", "slope"]].to_numpy(float)
        found.append(residual @ residual / (len(x) - 2) * np.diag(np.linalg.inv(x.T @ x)))
    first = hsb()[hsb()["schid"] == "1224"]
    assert found[0] == pytest.approx(smf.ols("mathach ~ ses", first).fit().bse ** 2, rel=1e-9)
    return np.array(found)


@lru_cache
def drawn(draws=20):
    """True slopes of schools drawn from the fit, those predicted by a new fit, and their own OLS slopes."""
    rng, data, m = np.random.default_rng(1), hsb(), model()
    codes, x = data["schid"].cat.codes.to_numpy(), data["ses"].to_numpy()
    S = np.bincount(codes, data["ses_cwc"] ** 2)
    found = []
    for _ in range(draws):
        u = rng.multivariate_normal([0, 0], m.cov_re, 160)
        y = m.fe_params.iloc[0] + m.fe_params.iloc[1] * x + u[codes, 0] + u[codes, 1] * x + rng.normal(0, m.scale**0.5, len(x))
        new = mlm.mixedlm("y ~ ses", data.assign(y=y), "schid", "~ ses")
        own = np.bincount(codes, data["ses_cwc"] * y) / S
        found.append((u[:, 1], new.blups.to_numpy()[:, 1] + new.fe_params.iloc[1] - m.fe_params.iloc[1], own - m.fe_params.iloc[1]))
    return np.array(found).swapaxes(0, 1)


@pytest.mark.claim("Of the outcome nothing more is assumed: its shape is what the residuals and the predictors make of it.",
                   "nothing is assumed about SES, and about achievement only what follows from these residuals.")
def test_residuals_and_predictors_make_the_outcome():
    drawn = mlm.simulate(model(), 100, seed=1)
    assert np.abs(stats.kurtosis(drawn)).max() < 0.3  # SES accounts for little: nearly normal
    rng, far = np.random.default_rng(1), 20 * (hsb()["ses_cwc"] > 0)  # a predictor that accounts for much
    assert stats.kurtosis(far + rng.normal(0, model().scale**0.5, len(far))) < -1


@pytest.mark.claim("Random effects describe schools by a distribution: two means, two variances, one covariance.",
                   "Two means, two variances and one covariance.",
                   "The parameters are the means, variances and covariance. Random effects are predicted, given these.")
def test_parameters():
    assert len(model().fe_params) + len(np.tril_indices_from(model().cov_re.to_numpy())[0]) == 5
    assert len(model().params) == 5 and len(model().blups) == 160


@pytest.mark.claim("Over all schools it predicts better than separate lines or one line for all.")
@pytest.mark.parametrize("students", [8, None])
@pytest.mark.parametrize("seed", SEEDS)
def test_partial_pooling_predicts_best(seed, students):
    found = errors(seed, students)
    assert found["pooled"] < min(found["one"], found["lines"], found["intercepts"])


@pytest.mark.claim("Letting the slopes vary as well buys nothing for prediction")
def test_pooled_slopes_buy_nothing():
    splits = [errors(seed, 8) for seed in range(20)]
    gain = [one["pooled intercepts"] - one["pooled"] for one in splits]
    # pooling the intercepts saves some .17 points
    assert abs(np.mean(gain)) < 0.01 < np.mean([one["intercepts"] - one["pooled intercepts"] for one in splits]) / 10


@pytest.mark.claim("OLS slopes vary even if all schools are the same. Only a part of their variance is real.",
                   "It even includes zero, so this crude subtraction can't show that slopes differ.", "Of the intercepts' variance most is real")
def test_real_shares():
    own, noise = own_lines()[["intercept", "slope"]].to_numpy(), squared_errors()
    for seed in SEEDS:
        drawn = np.random.default_rng(seed).integers(0, 160, (1000, 160))
        shares = 1 - noise[drawn].mean(1) / own[drawn].var(1, ddof=1)
        (int_low, slope_low), (_, slope_high) = np.quantile(shares, [0.025, 0.975], axis=0)
        assert int_low > 0.7 and slope_low < 0 and 0.25 < slope_high < 0.36
    x, codes, rng = hsb()["ses_cwc"].to_numpy(), hsb()["schid"].cat.codes, np.random.default_rng(1)
    same = np.bincount(codes, x * rng.normal(0, 6.06, len(x))) / np.bincount(codes, x * x)
    assert same.std() > 1


@pytest.mark.claim("A school that is truly far from the average is drawn toward it: its slope, on average, by some four fifths of the way by these estimates, and by between two thirds and nearly all over the interval of the standard deviation.",
                   "What shrinkage promises is that the predictions are closer to the truth over all schools.",
                   "They trade the sampling error of a school's line against what is known of all schools.",
                   "They accept some bias for each school and get rid of more variance in return.")
def test_what_shrinkage_costs_and_gains():
    assert 0.75 < 1 - mlm.reliability(model()).mean()["ses"] < 0.85
    noise = model().scale / (hsb()["ses_cwc"] ** 2).groupby(hsb()["schid"], observed=True).sum()
    estimate, *limits = mlm.variance_intervals(model()).loc["sd ses"]
    given_up = [(noise / (sd**2 + noise)).mean() for sd in (estimate, *limits)]
    assert given_up[0] == pytest.approx(1 - mlm.reliability(model()).mean()["ses"], rel=1e-9)
    assert 0.64 < given_up[2] < 0.7 and 0.97 < given_up[1] < 1
    true, predicted, own = drawn()
    kept = [(t @ p) / (t @ t) for t, p in zip(true, predicted)]
    assert abs(np.mean(kept) - 0.2) < 0.1 + 4 * stats.sem(kept)
    unbiased = [(t @ o) / (t @ t) for t, o in zip(true, own)]
    assert abs(np.mean(unbiased) - 1) < 4 * stats.sem(unbiased)
    assert ((predicted - true) ** 2).mean() < ((own - true) ** 2).mean() / 3


@pytest.mark.claim("Those whose own line is least certain.", "All keep the same share.")
def test_who_shrinks_most():
    reliability = mlm.reliability(model())["Intercept"]
    sizes = hsb().groupby("schid", observed=True).size()
    assert reliability.loc["3427"] > reliability.loc["8367"] and sizes["3427"] > sizes["8367"]
    spread, n = (hsb()["ses_cwc"] ** 2).groupby(hsb()["schid"], observed=True).sum(), mlm.reliability(model())["ses"]
    assert n.corr(spread, method="spearman") == pytest.approx(1) and reliability.std() > 0.05


@pytest.mark.claim("The better a school's own data determine its line, the more of it the school keeps. One with few students, or with little variation in SES among them, is drawn more")
def test_what_a_school_keeps_of_its_line():
    schools, keeps = hsb().groupby("schid", observed=True), mlm.reliability(model())
    n, spread = schools.size(), (hsb()["ses_cwc"] ** 2).groupby(hsb()["schid"], observed=True).sum()
    assert keeps["ses"].max() < 0.4  # no school keeps most of its slope
    assert keeps["ses"].corr(spread, method="spearman") == pytest.approx(1)
    # students far from an SES of 0 cost the intercept weight, not the height at the school's own mean SES
    mean, (t0, t01), t1 = schools["ses"].mean(), model().cov_re.to_numpy()[0], model().cov_re.iloc[1, 1]
    true = t0 + 2 * t01 * mean + t1 * mean**2
    height = true / (true + model().scale / n)
    X = np.column_stack([np.ones(160), mean.abs(), 1 / n])
    of_intercept, of_height = (np.linalg.lstsq(X, k.to_numpy(), rcond=None)[0][1] for k in (keeps["Intercept"], height))
    assert of_intercept < -0.1 and of_height > -0.01


@pytest.mark.claim("A horizontal line.")
def test_ellipse_without_variance_of_slopes():
    values, vectors = np.linalg.eigh([[model().cov_re.iloc[0, 0], 0], [0, 0]])
    assert values[0] == 0 and np.abs(vectors[:, 1]).tolist() == [1, 0]  # it extends along the first axis only


@pytest.mark.claim("In such schools, at both ends of the SES scale, own slopes are flatter than in the middle.")
def test_slopes_at_the_ends():
    mean = hsb().groupby("schid", observed=True)["ses"].mean()
    ends = (mean < mean.quantile(0.25)) | (mean > mean.quantile(0.75))
    interval = stats.ttest_ind(own_lines()["slope"][~ends], own_lines()["slope"][ends], equal_var=False).confidence_interval()
    assert interval.low > 0


@pytest.mark.claim("According to either model falling lines are rare, even at the upper limits; most of the falling OLS lines are sampling error.")
def test_falling_lines():
    for name in ("ses", "ses_cwc"):
        m = fit(f"mathach ~ {name}", f"~ {name}")
        limits = mlm.variance_intervals(m).loc[f"sd {name}"]
        assert stats.norm.cdf(-m.fe_params[name] / limits["upper"]) < 0.03 < (own_lines()["slope"] < 0).mean() / 3


@pytest.mark.claim("A model with SES relative to the school's mean, in which schools count by how much they tell, will do better, and allows a larger share")
def test_which_model_does_better():
    p = {x: mlm.likelihood_ratio(fit(f"mathach ~ {x}"), fit(f"mathach ~ {x}", f"~ {x}"))["p"] for x in ("ses", "ses_cwc")}
    assert p["ses_cwc"] < 0.01 < 0.05 < p["ses"]  # so it isn't the model of the page
    upper = mlm.variance_intervals(fit("mathach ~ ses_cwc", "~ ses_cwc")).loc["sd ses_cwc", "upper"]
    assert 0.45 < upper**2 / own_lines()["slope"].var() < 0.55


@pytest.mark.claim("Its lower limit is itself unsure, as values below it fit nearly as well")
def test_lower_limit_of_the_correlation():
    low = [mlm.variance_intervals(model(), level).loc["cor Intercept ses", "lower"] for level in (0.95, 0.96)]
    assert low[0] > -0.85 and low[1] < -0.9999


@pytest.mark.claim("The correlation may be negative, zero or positive.", "The spread of the intercepts is known well, that of the slopes badly")
def test_how_well_spreads_are_known():
    table = mlm.variance_intervals(model())
    width = (table["upper"] - table["lower"]) / table["estimate"]
    assert width["sd Intercept"] < 0.3 < 1 < width["sd ses"]
    assert table.loc["cor Intercept ses", "lower"] < 0 < table.loc["cor Intercept ses", "upper"]


@pytest.mark.claim("The one line for all has a slope of")
def test_one_line_is_steeper_than_the_average_line():
    assert mlm.figures.ols_line(hsb()["ses"], hsb()["mathach"])[1] - model().fe_params["ses"] > 4 * model().bse_fe["ses"]
