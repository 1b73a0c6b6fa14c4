"""Claims of the page on where zero is."""

import numpy as np
import pytest

import mlm
from course import fit, hsb


def moved(by, formula="mathach ~ x", re_formula=None):
    return mlm.mixedlm(formula, hsb().assign(x=hsb()["ses"] - by), "schid", re_formula)


@pytest.mark.claim("An intercept, and the variance of intercepts, is about students at the zero of the predictor: say where it is.",
                   "They describe students at that place, even if there are none.")
def test_with_random_slopes_the_intercept_and_its_variance_are_those_at_the_zero():
    here, there = moved(0, re_formula="~ x"), moved(-5, re_formula="~ x")  # no student has an SES of -5
    assert hsb()["ses"].min() > -5
    assert there.fe_params["Intercept"] == pytest.approx(here.fe_params["Intercept"] - 5 * here.fe_params["x"], abs=1e-4)
    at = np.array([1, -5])
    assert there.tau[0, 0] == pytest.approx(at @ here.tau @ at, rel=1e-3)
    assert there.tau[0, 0] > 2 * here.tau[0, 0]


@pytest.mark.claim("Grand-mean centering moves the zero; centering within schools changes who is compared.",
                   "Subtracting one number from everybody is. Subtracting each school's own mean changes the comparison, and with it the slope.")
def test_one_number_changes_nothing_and_a_number_for_each_school_changes_the_slope():
    raw, cgm, cwc = (fit(f"mathach ~ {name}") for name in ("ses", "ses_cgm", "ses_cwc"))
    assert cgm.fe_params["ses_cgm"] == pytest.approx(raw.fe_params["ses"], abs=1e-8)
    assert cgm.llf == pytest.approx(raw.llf, abs=1e-6) and cgm.tau[0, 0] == pytest.approx(raw.tau[0, 0], abs=1e-6)
    assert raw.fe_params["ses"] - cwc.fe_params["ses_cwc"] > 0.15
    # who is compared: lifting whole schools moves the slope of raw SES and not that within schools
    data = hsb().assign(y=hsb()["mathach"] - 5 * hsb()["ses_mean"])
    change = [mlm.mixedlm(f"y ~ {name}", data, "schid").fe_params[name] - fit(f"mathach ~ {name}").fe_params[name]
              for name in ("ses", "ses_cwc")]
    assert change[0] < -0.1 and abs(change[1]) < 1e-8


@pytest.mark.claim("Raw SES also accounts for some of the differences between schools, which `ses_cwc` leaves to")
def test_the_deviance_is_larger_by_either_method_because_of_what_is_left_between_schools():
    for reml in (True, False):
        raw, cwc = (fit(f"mathach ~ {name}", reml=reml) for name in ("ses", "ses_cwc"))
        assert -2 * cwc.llf > -2 * raw.llf + 70
        assert raw.tau[0, 0] < 0.6 * cwc.tau[0, 0] and raw.scale == pytest.approx(cwc.scale, rel=1e-3)


@pytest.mark.claim("With `ses_cwc` the slope compares students of the same school, the intercepts are the schools' means, and nothing between schools is adjusted.",
                   "The mean achievement of the school.",
                   "Centered within schools, SES adjusts nothing between schools.")
def test_intercepts_are_means_and_the_difference_between_sectors_is_not_adjusted():
    for _, students in hsb().groupby("schid", observed=True):
        intercept, _ = mlm.figures.ols_line(students["ses_cwc"], students["mathach"])
        assert intercept == pytest.approx(students["mathach"].mean(), abs=1e-8)
    plain, beside_cwc, beside_raw = (fit(f"mathach ~ {x}schtype").fe_params["schtype"] for x in ("", "ses_cwc + ", "ses + "))
    assert beside_cwc == pytest.approx(plain, abs=0.01)  # schools are weighted by variances that differ a little
    assert beside_raw < plain - 0.5


@pytest.mark.claim("Another zero gives another intercept, and another test of it.")
def test_the_test_of_the_intercept_depends_on_the_zero():
    root = fit("mathach ~ ses").fe_params
    there = mlm.satterthwaite(moved(-root["Intercept"] / root["ses"])).loc["Intercept"]  # where the line crosses 0
    assert there.p > 0.99 and mlm.satterthwaite(moved(0)).loc["Intercept", "p"] < 1e-6


@pytest.mark.claim("The intercept and its standard error, and nothing else.")
def test_a_constant_moves_the_intercept_only():
    here, there = moved(0), moved(50)
    assert there.fe_params["Intercept"] - here.fe_params["Intercept"] == pytest.approx(50 * here.fe_params["x"], abs=1e-5)
    assert there.bse_fe["Intercept"] > 2 * here.bse_fe["Intercept"]
    assert [there.fe_params["x"], there.bse_fe["x"]] == pytest.approx([here.fe_params["x"], here.bse_fe["x"]], abs=1e-8)
    assert [there.tau[0, 0], there.scale, there.llf] == pytest.approx([here.tau[0, 0], here.scale, here.llf], rel=1e-8)


@pytest.mark.claim("$3$.")
def test_a_predictor_times_c_has_its_slope_divided_by_c():
    data = hsb().assign(score=50 + 10 * hsb()["ses"])
    per_point = mlm.mixedlm("mathach ~ score", data, "schid")
    tenth = mlm.mixedlm("mathach ~ score", data.assign(score=data["score"] / 10), "schid")
    assert tenth.fe_params["score"] / per_point.fe_params["score"] == pytest.approx(0.3 * 10 / 0.3)
    assert tenth.tvalues["score"] == pytest.approx(per_point.tvalues["score"])


def test_unit_rule_for_random_slopes():
    here = moved(0, re_formula="~ x")
    c = 4
    there = mlm.mixedlm("mathach ~ x", hsb().assign(x=c * hsb()["ses"]), "schid", "~ x")
    assert there.tau.tolist() == [pytest.approx(row, rel=1e-4) for row in
                                  [[here.tau[0, 0], here.tau[0, 1] / c], [here.tau[0, 1] / c, here.tau[1, 1] / c**2]]]
