"""Explained variance and effect size."""

import numpy as np
import pytest

import mlm
from course import fit, hsb

NOT_COMPUTED = {
    "so say of which variance a share is": "advice; the shares are computed on the page",
    'Say which: of which variance, from which models, by whose formula': "advice on reporting",
    "*A $d$ without its standard deviation.*": "advice on reporting; that the three differ is tested below",
}


def null():
    return fit("mathach ~ 1")


def observed(model):
    size = hsb().groupby("schid", observed=True).size()
    return model.cov_re.iloc[0, 0] + model.scale * (1 / size).mean()


@pytest.mark.claim("A falling $\\sigma^2$ pushes $\\tau_{00}$ up", "It has a cause: the predictor varies within schools only")
def test_a_predictor_within_schools_raises_tau00_and_leaves_the_sum():
    within = fit("mathach ~ ses_cwc")
    reduction = mlm.variance_reduction(null(), within)
    assert reduction["Residual"] > 0.05 and reduction["Intercept"] < 0
    assert observed(within) == pytest.approx(observed(null()), rel=2e-3)


@pytest.mark.claim("A large share of a small part is small", "without saying how small these differences are",
                   "Less than one percent")
def test_the_slopes_share_is_small():
    before = fit("mathach ~ ses_cwc + ses_mean", "~ ses_cwc")
    after = fit("mathach ~ ses_cwc * ses_mean + ses_cwc * schtype", "~ ses_cwc")
    share = mlm.variance_partition(before)["total"]["slopes"]
    assert mlm.variance_reduction(before, after)["ses_cwc"] > 0.5 and share < 0.01
    assert share - mlm.variance_partition(after)["total"]["slopes"] < 0.01


@pytest.mark.claim("In public schools, and it is mostly the slope, which is about twice as steep; SES is spread only a little more.")
def test_why_ses_accounts_for_more_in_public_schools():
    slope, spread, whole, share = np.array([
        (m.fe_params["ses_cwc"], part["ses_cwc"].std(), mlm.variance_partition(m)["variance"].sum(), mlm.r_squared(m)["marginal"])
        for part in (hsb()[hsb()["schtype"] == sector] for sector in (0, 1))
        for m in [mlm.mixedlm("mathach ~ ses_cwc", part, "schid")]]).T
    assert slope[0] / slope[1] == pytest.approx(2, abs=0.2) and 1 < spread[0] / spread[1] < 1.2
    assert share[0] / share[1] == pytest.approx((slope * spread)[0] ** 2 / (slope * spread)[1] ** 2 * whole[1] / whole[0])
    assert whole[0] > 1.1 * whole[1]


@pytest.mark.claim("Give a $d$ only with its standard deviation")
def test_the_three_d_differ():
    sector = fit("mathach ~ schtype")
    tau, sigma2 = sector.cov_re.iloc[0, 0], sector.scale
    d = sector.fe_params["schtype"] / np.sqrt([tau + sigma2, sigma2, tau])
    assert d[2] > 2 * d[0]


@pytest.mark.claim("The null model has one too: the intraclass correlation", "What is the conditional $R^2$ of the null model?")
def test_the_conditional_r2_of_the_null_model_is_the_icc():
    shares = mlm.r_squared(null())
    assert shares["conditional"] == pytest.approx(mlm.icc(null())) and shares["marginal"] == pytest.approx(0, abs=1e-12)


@pytest.mark.claim("The model is wrong, perhaps by one slope for within and between schools")
def test_errors_of_prediction_fall_with_a_right_predictor_and_rise_with_a_wrong_constraint():
    """Where the slope between schools is the opposite of that within, one slope for both predicts means worse."""
    rng, data = np.random.default_rng(1), hsb().copy()
    u = dict(zip(data["schid"].cat.categories, rng.normal(0, 1, 160)))
    data["y"] = 3 * data["ses_cwc"] - 3 * data["ses_mean"] + data["schid"].map(u).astype(float) + rng.normal(0, 3, len(data))

    def error(formula):
        model = mlm.mixedlm(formula, data, "schid")
        return observed(model)

    assert error("y ~ ses_cwc + ses_mean") < error("y ~ 1") < error("y ~ ses") - 0.5


@pytest.mark.claim("The second sample has a larger spread of SES", "the slope stays as it was, within its error")
def test_a_narrow_sample_has_a_similar_slope_and_a_smaller_r2():
    middle = hsb()[hsb()["ses"].between(*hsb()["ses"].quantile([0.25, 0.75]))].copy()
    middle["ses_cwc"] = mlm.center_within(middle["ses"], middle["schid"])
    half, whole = mlm.mixedlm("mathach ~ ses_cwc", middle, "schid"), fit("mathach ~ ses_cwc")
    assert abs(half.fe_params["ses_cwc"] - whole.fe_params["ses_cwc"]) < 2 * half.bse_fe["ses_cwc"]
    assert mlm.r_squared(half)["marginal"] < mlm.r_squared(whole)["marginal"] / 3


@pytest.mark.claim("its draws scatter nearly symmetrically around the estimate, and the quantiles can be used")
@pytest.mark.parametrize("seed", range(5))
def test_draws_of_r2_are_symmetric_around_the_estimate(seed):
    model, data = fit("mathach ~ ses_cwc + ses_mean"), hsb()
    draws = mlm.bootstrap(model, 300, seed=seed)
    fixed = draws["ses_cwc"] ** 2 * data["ses_cwc"].var() + draws["ses_mean"] ** 2 * data["ses_mean"].var()
    share = fixed / (fixed + draws["Intercept Var"] + draws["Residual Var"])
    # in Monte-Carlo standard errors of a median and of a skewness from 300 draws
    assert abs(share.median() - mlm.r_squared(model)["marginal"]) < 4 * 1.25 * share.std() / np.sqrt(300)
    assert abs(share.skew()) < 4 * np.sqrt(6 / 300)


@pytest.mark.claim("what is left may be nothing, or nearly as much as before")
def test_how_much_of_the_slope_variance_is_left_is_not_known():
    before = fit("mathach ~ ses_cwc + ses_mean", "~ ses_cwc").cov_re.iloc[1, 1]
    after = mlm.variance_intervals(fit("mathach ~ ses_cwc * ses_mean + ses_cwc * schtype", "~ ses_cwc")).loc["sd ses_cwc"] ** 2
    assert after["lower"] < 1e-6 and after["upper"] > 0.8 * before


@pytest.mark.claim("if these count as a sample too, the interval is longer")
def test_resampling_the_schools_ses_as_well_lengthens_the_interval():
    """Marginal R² over draws of the estimates, with SES as it is and with SES of schools drawn with replacement."""
    data, rng, model = hsb(), np.random.default_rng(1), fit("mathach ~ ses_cwc + ses_mean")
    draws = mlm.bootstrap(model, draws=300, seed=1)
    rows = list(data.groupby("schid", observed=True).indices.values())
    columns = data[["ses_cwc", "ses_mean"]].to_numpy()

    def marginal(spread):
        explained = (draws[["ses_cwc", "ses_mean"]].to_numpy() ** 2 * spread).sum(axis=1)
        return explained / (explained + draws["Intercept Var"] + draws["Residual Var"])

    again = [columns[np.concatenate([rows[school] for school in rng.integers(160, size=160)])].var(axis=0, ddof=1) for _ in range(300)]
    assert marginal(np.array(again)).std() > 1.1 * marginal(columns.var(axis=0, ddof=1)).std()


@pytest.mark.claim("the standard deviation of achievement grows with the slope, so their ratio varies less than the slope does.")
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_standardized_slope_between_schools_varies_less_than_its_slope(seed):
    model, sd_ses = fit("mathach ~ ses_cwc + ses_mean"), np.sqrt(fit("ses ~ 1").cov_re.iloc[0, 0])
    draws = mlm.bootstrap(model, draws=300, seed=seed)
    explained = draws["ses_mean"] * sd_ses
    drawn = (explained / np.sqrt(explained**2 + draws["Intercept Var"])).std()
    # 300 draws: the Monte-Carlo standard error of a standard deviation is 4 %
    assert model.bse_fe["ses_mean"] * sd_ses / np.sqrt(null().cov_re.iloc[0, 0]) > 1.5 * drawn
