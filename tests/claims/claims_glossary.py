"""The glossary: what an entry states beyond its definition."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import statsmodels.formula.api as smf
from scipy import stats

import mlm
from course import fit, hsb

# Entries that say what a word means, and nothing that could be false.
DEFINITIONS = [
    "adjusted mean", "autocorrelation", "balanced", "BFLPE", "bias", "boundary", "caterpillar plot", "centering",
    "compositional effect", "confidence interval", "contrast", "convergence", "Cook's distance", "cross-classified",
    "cross-level interaction", "delta method", "dummy variable", "ecological fallacy", "first-order autoregression",
    "fixed effect", "growth model", "Hausman test", "heteroscedasticity", "iid", "influential group",
    "intercepts and slopes as outcomes", "level", "likelihood", "lme4", "LOESS", "logistic multilevel model",
    "long format", "marginal mean", "means-as-outcomes", "missing at random", "missing completely at random",
    "multilevel model", "multiple imputation", "nested", "nonrandomly varying slope", "OLS", "overfitting", "p value",
    "parametric bootstrap", "power", "prediction interval", "prior distribution", "Q-Q plot", "random ANCOVA",
    "random effect", "random intercept", "random-coefficients model", "reference level", "residual", "SAS",
    "Satterthwaite degrees of freedom",
    "scatter plot", "standard error", "variance component",
]


def null():
    return fit("mathach ~ 1")


def few():
    data = hsb()
    return data[data["schid"].isin(data["schid"].unique()[::14])]


def covariance(model):
    """The model's covariance matrix of the first school's students, and the rows of the data."""
    rows = np.flatnonzero(model.design.codes == 0)
    Z = model.design.Z[rows]
    return Z @ model.tau @ Z.T + model.scale * np.eye(len(rows)), rows


@pytest.mark.claim("Deviance plus a penalty for each parameter", "Minus twice the logarithm of the likelihood at the solution")
def test_criteria():
    model = fit("mathach ~ ses_cwc", "~ ses_cwc", reml=False)
    deviance, k = -2 * model.llf, 6
    assert model.aic == pytest.approx(deviance + 2 * k) and model.bic > model.aic
    y, total = model.design.y, 0
    for j in range(160):
        rows = np.flatnonzero(model.design.codes == j)
        Z = model.design.Z[rows]
        V = Z @ model.tau @ Z.T + model.scale * np.eye(len(rows))
        total += stats.multivariate_normal(model.design.X[rows] @ model.fe_params.to_numpy(), V).logpdf(y[rows])
    assert deviance == pytest.approx(-2 * total, abs=1e-5)


@pytest.mark.claim("drawn toward zero (shrunken), the more so the less the group's own data say",
                   "The movement of a group's estimate toward the average",
                   "A group's estimate is a weighted compromise", "the share of its variance over groups that is not sampling error",
                   "The standard deviation of a random effect given the data")
def test_shrinkage():
    groups = hsb().groupby("schid", observed=True)["mathach"]
    weight = null().cov_re.iloc[0, 0] / (null().cov_re.iloc[0, 0] + null().scale / groups.size())
    own = groups.mean() - null().fe_params["Intercept"]
    pd.testing.assert_series_equal(null().blups["Intercept"], (weight * own)[null().blups.index], check_names=False, rtol=1e-6)
    assert weight.corr(groups.size()) > 0.8
    sd = mlm.blups(null())["sd"].to_numpy()
    np.testing.assert_allclose(sd, np.sqrt(null().cov_re.iloc[0, 0] * (1 - weight)))


@pytest.mark.claim(
    "between two groups whose means of the predictor are one unit apart", "between two members of the same group",
    "the between effect minus the within effect", "The slope from deviations from the groups' means",
    "Indicator variables for the groups in an ordinary regression", "only differences within groups are left")
def test_within_between_and_contextual():
    both, raw = fit("mathach ~ ses_cwc + ses_mean").fe_params, fit("mathach ~ ses + ses_mean").fe_params
    assert raw["ses_mean"] == pytest.approx(both["ses_mean"] - both["ses_cwc"], abs=1e-6)
    data = hsb()[hsb()["schid"].isin(hsb()["schid"].cat.categories[:40])]
    data = data.assign(schid=data["schid"].cat.remove_unused_categories())
    dummies = smf.ols("mathach ~ ses + C(schid)", data).fit().params["ses"]
    deviations = np.polyfit(data["ses_cwc"], mlm.center_within(data["mathach"], data["schid"]), 1)[0]
    assert dummies == pytest.approx(deviations)
    assert data.groupby("schid", observed=True)["ses_cwc"].mean().abs().max() < 1e-12


@pytest.mark.claim("if the model has no random slopes and no products or powers of the predictor, only the intercept changes")
def test_grand_mean_centering_moves_the_intercept_only():
    before, after = fit("mathach ~ ses + female"), fit("mathach ~ ses_cgm + female")
    assert after.fe_params["ses_cgm"] == pytest.approx(before.fe_params["ses"], abs=1e-7)
    assert after.llf == pytest.approx(before.llf, abs=1e-6)
    sloped, moved = fit("mathach ~ meanses", "~ ses"), fit("mathach ~ meanses", "~ ses_cwc")
    assert sloped.cov_re.iloc[0, 0] != pytest.approx(moved.cov_re.iloc[0, 0], rel=1e-3)


@pytest.mark.claim("With many groups, the distribution of a likelihood-ratio statistic if the variance that is tested is 0",
                   "a weighted mixture of chi-square distributions, since a variance can't be negative",
                   "Compares two nested models by the difference of their deviances", "the smaller is the larger one with parameters fixed")
def test_mixture():
    same, slope = fit("mathach ~ ses_cwc", reml=False), fit("mathach ~ ses_cwc", "~ ses_cwc", reml=False)
    test = mlm.likelihood_ratio(same, slope)
    assert test["statistic"] == pytest.approx(2 * (slope.llf - same.llf)) and test["p"] < test["p_naive"]
    with pytest.raises(ValueError):
        mlm.likelihood_ratio(fit("mathach ~ 1"), fit("mathach ~ ses_cwc"))


@pytest.mark.claim("when observations of the same cluster are correlated in whatever way")
def test_cluster_robust_errors_hold_with_any_correlation():
    """200 studies with random slopes that the regression ignores: the robust error is the true one, the plain is not."""
    rng, group = np.random.default_rng(1), np.repeat(np.arange(100), 10)
    found = []
    for _ in range(200):
        x = rng.normal(size=1000)
        y = rng.normal(size=100)[group] * x + rng.normal(size=1000)
        plain = sm.OLS(y, sm.add_constant(x)).fit()
        robust = plain.get_robustcov_results("cluster", groups=group)
        found.append((plain.params[1], plain.bse[1], robust.bse[1]))
    found = np.array(found)
    assert found[:, 2].mean() == pytest.approx(found[:, 0].std(), rel=0.15)  # an SD from 200 is known to 5 %
    assert found[:, 1].mean() < 0.75 * found[:, 0].std()


@pytest.mark.claim("two of them fail to overlap when the two groups differ at the 5 % level, if their standard deviations are about equal")
def test_comparison_intervals():
    gap = np.linspace(0, 5, 1001)
    assert np.array_equal(gap > 2 * 1.96 / np.sqrt(2), gap / np.sqrt(2) > 1.96)


@pytest.mark.claim("For a predictor of the groups they are near the number of groups")
def test_degrees_of_freedom():
    assert mlm.satterthwaite(fit("mathach ~ meanses"))["df"]["meanses"] == pytest.approx(160, rel=0.1)


@pytest.mark.claim("for a mean, or a predictor of the groups, with groups of equal size", "also the correlation of two members of the same group",
                   "Any two members of a group have the same correlation")
def test_icc_and_design_effect():
    V, rows = covariance(null())
    icc, n = mlm.icc(null()), len(rows)
    correlation = V / V[0, 0]
    assert np.allclose(correlation[~np.eye(n, dtype=bool)], icc)
    assert V.mean() / (V[0, 0] / n) == pytest.approx(mlm.design_effect(icc, n))  # variance of the mean, dependent over independent


@pytest.mark.claim("A mixed model's fixed effects are GLS estimates, given the variances")
def test_fixed_effects_are_gls():
    model = fit("mathach ~ ses + meanses", "~ ses")
    XVX, XVy = np.zeros((3, 3)), np.zeros(3)
    for j in range(160):
        rows = np.flatnonzero(model.design.codes == j)
        Z, X = model.design.Z[rows], model.design.X[rows]
        VX = np.linalg.solve(Z @ model.tau @ Z.T + model.scale * np.eye(len(rows)), X)
        XVX, XVy = XVX + X.T @ VX, XVy + VX.T @ model.design.y[rows]
    np.testing.assert_allclose(np.linalg.solve(XVX, XVy), model.fe_params, rtol=1e-8)


@pytest.mark.claim("allows for their correlation in robust standard errors; it has no random effects")
def test_gee():
    model = smf.gee("mathach ~ ses", "schid", hsb(), cov_struct=sm.cov_struct.Exchangeable()).fit()
    assert model.cov_type == "robust" and not hasattr(model, "random_effects")


@pytest.mark.claim("Variances come out somewhat too small with few groups", "the default here")
@pytest.mark.parametrize("seed", range(5))
def test_ml_variances_are_too_small_with_few_groups(seed):
    formula = "mathach ~ meanses + schtype"
    restricted, full = (mlm.mixedlm(formula, few(), "schid", reml=reml) for reml in (True, False))
    assert mlm.mixedlm(formula, few(), "schid").reml
    y = mlm.simulate(restricted, 400, seed=seed)
    by_ml, by_reml = (mlm.refit(model, y)["Intercept Var"] for model in (full, restricted))
    truth = restricted.cov_re.iloc[0, 0]
    assert by_ml.mean() < truth - 4 * by_ml.sem() and abs(by_reml.mean() - truth) < 4 * by_reml.sem()


@pytest.mark.claim("that the fixed effects make up (marginal)", "It can be negative.")
def test_shares():
    within = fit("mathach ~ ses_cwc")
    assert mlm.variance_reduction(null(), within)["Intercept"] < 0
    marginal, conditional = mlm.r_squared(within)
    whole = within.predict().var() + within.cov_re.iloc[0, 0] + within.scale
    assert marginal * whole == pytest.approx(within.predict().var()) and conditional == pytest.approx(1 - within.scale / whole)


@pytest.mark.claim("It shrinks with the square root of their number")
def test_monte_carlo_error():
    draws = np.random.default_rng(1).random((2000, 400)) < 0.3
    assert draws[:, :100].mean(axis=1).std() / draws.mean(axis=1).std() == pytest.approx(2, rel=0.1)


@pytest.mark.claim("its square is about twice the height of a function above its minimum nearby, so half of the square says how much the deviance")
def test_newton_decrement():
    x, minimum = 2.1, 2.0  # f = cosh(x - 2)
    decrement = np.sinh(x - minimum) / np.sqrt(np.cosh(x - minimum))
    assert decrement**2 == pytest.approx(2 * (np.cosh(x - minimum) - 1), rel=0.02)


@pytest.mark.claim("The range that holds the coefficients of 95 % of the groups if these are normal")
def test_plausible_range():
    assert stats.norm.cdf(1.96) - stats.norm.cdf(-1.96) == pytest.approx(0.95, abs=1e-4)


@pytest.mark.claim("All values of a parameter that a likelihood-ratio test would not reject", "Poor for variances")
def test_profile_and_wald():
    model = mlm.mixedlm("mathach ~ 1", few(), "schid")
    row = mlm.variance_intervals(model).loc["sd Intercept"] ** 2
    assert row["upper"] - row["estimate"] > 2 * (row["estimate"] - row["lower"])
    assert model.cov_re.iloc[0, 0] + 1.96 * model.bse_re.iloc[0] < 0.8 * row["upper"]


@pytest.mark.claim("a sum of coefficients, with a standard error that uses their covariances")
def test_simple_slope():
    model = fit("mathach ~ schtype * ses_cwc", "~ ses_cwc")
    line = mlm.satterthwaite(model, "ses_cwc + schtype:ses_cwc").iloc[0]
    V = model.cov_fixed
    names = ["ses_cwc", "schtype:ses_cwc"]
    assert line["estimate"] == pytest.approx(model.fe_params[names].sum())
    assert line["se"] == pytest.approx(np.sqrt(V.loc[names, names].to_numpy().sum()))


@pytest.mark.claim("its interval reaches from the boundary to other values")
def test_interval_of_a_singular_fit():
    data = hsb()
    some = data[data["schid"].isin(data["schid"].cat.categories[80:100])]
    with pytest.warns(mlm.SingularFit):
        small = mlm.mixedlm("mathach ~ ses + minority", some, "schid", re_formula="~ ses")
    row = mlm.variance_intervals(small).loc["cor Intercept ses"]
    assert abs(row["estimate"]) == pytest.approx(1) and row["upper"] - row["lower"] > 0.5
