"""What the page on the fixed effects approach claims."""

import numpy as np
import pandas as pd
import patsy
import pytest
import statsmodels.formula.api as smf
from scipy import stats

import mlm
from course import hsb
from splits import SEEDS, errors


def within(data):
    x, y = (mlm.center_within(data[name], data["schid"]) for name in ("ses", "mathach"))
    return (x @ y) / (x @ x)


@pytest.fixture(scope="module")
def dummies():
    return smf.ols("mathach ~ ses + C(schid)", hsb()).fit()


@pytest.fixture(scope="module")
def interactions():
    return smf.ols("mathach ~ ses * C(schid)", hsb()).fit()


@pytest.mark.claim("Indicator variables give each school its own intercept, at the price of one parameter per school; the slope then compares students of the same school.",
                   "One intercept, one slope, 159 indicators and the residual variance.")
def test_parameters_and_slope(dummies):
    indicators = [name for name in dummies.params.index if name.startswith("C(schid)")]
    assert len(indicators) == 159 and len(dummies.params) + 1 == 162
    assert dummies.params["ses"] == pytest.approx(within(hsb()), rel=1e-9)


@pytest.mark.claim("With a slope for each school too, the model mostly adds chance, and here it predicts other students of the same schools worse than with a common slope.",
                   "On students held out, its error was larger: much of what it had picked up was chance.")
@pytest.mark.parametrize("seed", SEEDS)
def test_a_line_for_each_school_predicts_worse(seed):
    half, eight = errors(seed), errors(seed, 8)
    assert half["lines"] > half["intercepts"] + 0.05
    assert eight["lines"] > eight["one"] + 0.3


@pytest.mark.claim("$R^2$ is computed on the students to whom the model was fitted.",
                   "It is not: slopes that differ only by chance would rarely spread so much.",
                   "$R^2$ never falls when a coefficient is added, be it useful or not.")
def test_slopes_differ_and_the_rest_is_chance(dummies, interactions):
    f, p, df = interactions.compare_f_test(dummies)
    assert df == 159 and p < 0.01 and interactions.rsquared > dummies.rsquared
    assert 1 / f > 0.5  # without differences, F is 1 on average: most of what the products account for


@pytest.mark.claim("Indicators exclude the main effects of school-level predictors and say nothing about schools outside the data.",
                   "No: sector is the same for all students of a school, and the indicators have taken up all differences between schools.",
                   "Only its interaction with a student-level predictor could be estimated.")
def test_no_sector_and_no_new_school(dummies):
    design = np.asarray(patsy.dmatrix("ses + C(schid)", hsb()))
    sector = hsb()["schtype"].to_numpy()
    assert np.linalg.matrix_rank(np.column_stack([design, sector])) == design.shape[1] == 161
    assert np.linalg.matrix_rank(np.column_stack([design, sector * hsb()["ses"]])) == 162
    with pytest.raises(patsy.PatsyError, match="9999"):
        dummies.predict(pd.DataFrame({"ses": [0.0], "schid": ["9999"]}))


@pytest.mark.claim("For the relation within schools alone, fixed effects need fewer assumptions.",
                   "whatever raises or lowers all students of a school alike, known or unknown, can't")
def test_what_schools_share_cannot_bias():
    """Schools with a high mean SES get more: the residuals of a random intercept model then depend on SES."""
    rng, data, codes = np.random.default_rng(1), hsb(), hsb()["schid"].cat.codes.to_numpy()
    fixed, random = [], []
    for _ in range(20):
        school = 4 * data["ses_mean"] + rng.normal(0, 1, 160)[codes]
        drawn = data.assign(mathach=2 * data["ses"] + school + rng.normal(0, 6, len(data)))
        fixed.append(within(drawn))
        random.append(mlm.mixedlm("mathach ~ ses", drawn, groups="schid").fe_params["ses"])
    assert abs(np.mean(fixed) - 2) < 4 * stats.sem(fixed)
    assert np.mean(random) - 2 > 10 * stats.sem(random)


@pytest.mark.claim("It is the difference from the reference school.")
def test_indicators_are_differences(dummies):
    means, slope = hsb().groupby("schid", observed=True)[["ses", "mathach"]].mean(), dummies.params["ses"]
    heights = means["mathach"] - slope * means["ses"]
    assert dummies.params["Intercept"] == pytest.approx(heights["1224"], rel=1e-9)
    assert dummies.params["C(schid)[T.9586]"] == pytest.approx(heights["9586"] - heights["1224"], rel=1e-7)


@pytest.mark.claim("All $k$ indicators add up to 1 in every row, which is the intercept's column already.")
def test_all_indicators_add_up():
    every = np.asarray(patsy.dmatrix("0 + C(schid)", hsb()))
    assert every.shape[1] == 160 and (every.sum(1) == 1).all()


@pytest.mark.claim("It doesn't know that 160 means were estimated on the way, and so counts too many degrees of freedom.")
def test_standard_error_of_deviations(dummies):
    x, y = (mlm.center_within(hsb()[name], hsb()["schid"]) for name in ("ses", "mathach"))
    naive = smf.ols("y ~ x - 1", pd.DataFrame({"x": x, "y": y})).fit()
    assert dummies.bse["ses"] / naive.bse["x"] == pytest.approx(np.sqrt(naive.df_resid / dummies.df_resid), rel=1e-9)
