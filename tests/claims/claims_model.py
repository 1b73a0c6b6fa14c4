"""What the page on the model equation claims."""

import re

import numpy as np
import pandas as pd
import pytest

import mlm
from conftest import ROOT
from course import fit, hsb

NOT_COMPUTED = {
    "A fit is to be trusted only if it has been checked.": "advice; tests/upstream keeps searches that failed unnoticed",
    "The first index says which coefficient of level 1 is meant, and the slope is coefficient 1.": "a convention of the notation",
}


def model():
    return fit("mathach ~ ses", "~ ses")


def six(m):
    (t00, t01), (_, t11) = m.cov_re.to_numpy()
    return np.array([*m.fe_params, t00, t01, t11, m.scale])


def refitted(**changed):
    return mlm.mixedlm("mathach ~ ses", hsb().assign(**changed), "schid", "~ ses")


@pytest.mark.claim("Level 1 describes students within a school, level 2 the schools' intercepts and slopes; substitution gives the combined equation.",
                   "it makes the slope of school $j$ steeper or flatter than the average.")
def test_levels_and_combined():
    m, codes, x = model(), hsb()["schid"].cat.codes.to_numpy(), hsb()["ses"]
    beta = m.blups.to_numpy() + m.fe_params.to_numpy()  # level 2
    assert m.fittedvalues.to_numpy() == pytest.approx((beta[codes, 0] + beta[codes, 1] * x).to_numpy(), rel=1e-9)


@pytest.mark.claim("Two fixed effects, three (co)variances of level 2 and one of level 1 are all the parameters there are.")
def test_six_parameters():
    assert len(model().params) + 1 == 6  # the residual variance is kept apart


@pytest.mark.claim("$\\gamma_{00}$, $\\tau_{00}$ and $\\tau_{01}$ hold at the place where the predictor is zero.",
                   "They describe the schools *at an SES of 0*. Another zero point gives other values.",
                   "Three of the six parameters are what they are only because 0 lies where it does.")
def test_zero_point():
    g00, g10, t00, t01, t11, s2 = six(model())
    moved = refitted(ses=hsb()["ses"] + 1)
    # both fits end within 1e-7 of their maxima
    assert six(moved) == pytest.approx([g00 - g10, g10, t00 - 2 * t01 + t11, t01 - t11, t11, s2], rel=1e-5)
    assert moved.llf == pytest.approx(model().llf, abs=1e-6)
    changed = np.abs(six(moved) / six(model()) - 1) > 0.05
    assert changed.tolist() == [True, False, True, True, False, False]


@pytest.mark.claim("(Points per unit of SES)².", "$\\gamma_{10}$ and $\\tau_{01}$ are divided by $c$ and $\\tau_{11}$ by $c^2$.")
def test_units():
    c, a = 2.5, 3.0
    scaled = refitted(ses=c * hsb()["ses"], mathach=a * hsb()["mathach"])
    assert six(scaled) / six(model()) == pytest.approx([a, a / c, a**2, a**2 / c, a**2 / c**2, a**2], rel=1e-5)


@pytest.mark.claim("A variance can't be negative, so the normal distribution does not apply near 0.")
@pytest.mark.parametrize("seed", [1, 2, 3, 4, 5])
def test_estimates_of_a_variance_that_is_zero(seed):
    """None is below 0, where a normal distribution with their mean and SD would have many; they are skewed."""
    estimates = mlm.refit(model(), mlm.simulate(fit("mathach ~ ses"), 60, seed=seed))["ses Var"]
    assert estimates.min() >= 0 and estimates.skew() > 1 and estimates.mean() < estimates.std()


@pytest.mark.claim("The first is $\\sqrt{\\tau_{11}} =$ {glue:text}`sd1:.2f` here, the second is the standard error",
                   "This range is about *schools*. It is not the")
def test_two_kinds_of_spread():
    sd, se = model().cov_re.iloc[1, 1] ** 0.5, model().bse_fe["ses"]
    assert sd > 4 * se
    # twice the schools: the average is known better, schools differ as before
    twice = pd.concat([hsb(), hsb().assign(schid=hsb()["schid"].astype(str) + "b")])
    more = mlm.mixedlm("mathach ~ ses", twice.assign(schid=twice["schid"].astype("category")), "schid", "~ ses")
    assert more.bse_fe["ses"] == pytest.approx(se / 2**0.5, rel=0.02)
    assert more.cov_re.iloc[1, 1] ** 0.5 == pytest.approx(sd, rel=0.03)


@pytest.mark.claim("It is the thick line, the average.")
def test_average_school():
    at = pd.DataFrame({"ses": [-1.0, 0.0, 1.0]})
    average = model().fe_params["Intercept"] + model().fe_params["ses"] * at["ses"]
    assert mlm.predict(model(), at)["fit"].to_numpy() == pytest.approx(average.to_numpy(), rel=1e-12)


@pytest.mark.claim("With SES relative to the school's mean, the average slope is", "and there the relation with achievement is",
                   "so the range of slopes is wider")
def test_why_the_slope_is_steeper():
    within = fit("mathach ~ ses_cwc", "~ ses_cwc").fe_params["ses_cwc"]
    data = hsb()
    dummies = (data["ses_cwc"] @ data["mathach"]) / (data["ses_cwc"] @ data["ses_cwc"])
    assert within == pytest.approx(dummies, abs=0.01) and model().fe_params["ses"] - within > 0.15
    assert fit("mathach ~ ses_cwc", "~ ses_cwc").cov_re.iloc[1, 1] > model().cov_re.iloc[1, 1]
    means = data.groupby("schid", observed=True)[["ses", "mathach"]].mean()
    assert np.polyfit(means["ses"], means["mathach"], 1)[0] > 2 * within
    assert np.corrcoef(model().blups.to_numpy()[:, 0], means["ses"])[0, 1] > 0.5


@pytest.mark.claim("With many schools and few fixed effects the two nearly agree:")
def test_reml_and_ml():
    ratio = six(fit("mathach ~ ses", "~ ses", reml=False))[[2, 4, 5]] / six(model())[[2, 4, 5]]
    assert (ratio[:2] < 1).all() and (np.abs(ratio - 1) < 0.05).all()


@pytest.mark.claim("so the data don't say at which end schools differ more.", "an estimate so uncertain that not even its sign is known.")
def test_covariance_is_uncertain():
    assert abs(model().cov_re.iloc[0, 1]) < model().bse_re["Intercept x ses Cov"]
    correlation = mlm.variance_intervals(model()).loc["cor Intercept ses"]
    assert correlation["lower"] < 0 < correlation["upper"]


@pytest.mark.claim("| Symbol | Meaning | Estimate | Unit | In the result |")
def test_where_parameters_stand_in_the_result():
    rows = re.findall(r"^\| \$\\(\w+)[^|]*?\|.*\| `(fit\.[^`]*)` \|$", (ROOT / "chapters/model.md").read_text("utf-8"), flags=re.M)
    order = ["gamma_", "gamma_", "tau_", "tau_", "tau_", "sigma"]
    assert [symbol.split("{")[0] for symbol, _ in rows] == order
    values = [eval(code, {"fit": model()}) for _, code in rows]
    g00, g10, t00, t01, t11, s2 = six(model())
    assert values == [g00, g10, t00, t11, t01, s2]
