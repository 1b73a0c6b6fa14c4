"""Claims of the page on cross-level interactions."""

import numpy as np
import patsy
import pytest

import mlm
from conftest import ROOT
from course import fit, hsb, variance_errors

FORMULA, SLOPE = "mathach ~ meanses * ses_cwc + schtype * ses_cwc", "~ ses_cwc"
NOT_COMPUTED = {
    "The data show flatter lines, not what made them flat.": "what made them flat is not in the data",
    "Report simple slopes and differences for kinds of schools and students": "advice: what to do, not what is so",
}


def model():
    return fit(FORMULA, SLOPE)


def test_parentheses_multiply_out_and_both_formulas_are_one_model():
    page = (ROOT / "chapters/cross-level.md").read_text("utf-8")
    assert "`mathach ~ (meanses + catholic) * ses_cwc`" in page
    short = mlm.mixedlm("mathach ~ (meanses + schtype) * ses_cwc", hsb(), "schid", SLOPE)
    assert short.fe_params[model().fe_params.index].tolist() == pytest.approx(model().fe_params.tolist(), abs=1e-6)
    names = [set(patsy.ModelDesc.from_formula(f).rhs_termlist) for f in ("(a + b) * c", "a + b + c + a:c + b:c")]
    assert names[0] == names[1]


@pytest.mark.claim("A level-2 predictor of a slope is a product in the combined equation, and the coefficients of its parts become conditional: they hold where the other part is 0.",
                   "It is the slope where `meanses` and `catholic` are 0.")
def test_the_coefficient_of_ses_is_the_slope_where_the_others_are_zero():
    moved = mlm.mixedlm(FORMULA, hsb().assign(meanses=hsb()["meanses"] - 0.5), "schid", SLOPE)
    g = model().fe_params
    assert moved.fe_params["ses_cwc"] == pytest.approx(g["ses_cwc"] + 0.5 * g["meanses:ses_cwc"], abs=1e-4)
    average = fit("mathach ~ ses_cwc", SLOPE).fe_params["ses_cwc"]
    assert abs(g["ses_cwc"] - average) > 0.5


@pytest.mark.claim("($\\gamma_{02}$ may be read as the average difference between the sectors, but only because `ses_cwc` averages 0 in every school.)")
def test_gamma02_is_the_average_difference_with_centered_ses_only():
    g = model().fe_params
    d = g["schtype"] + g["schtype:ses_cwc"] * hsb()["ses_cwc"]
    assert d.mean() == pytest.approx(g["schtype"], abs=1e-10)
    raw = mlm.mixedlm("mathach ~ meanses * x + schtype * x", hsb().assign(x=hsb()["ses"] + 1), "schid").fe_params
    assert abs((raw["schtype"] + raw["schtype:x"] * (hsb()["ses"] + 1)).mean() - raw["schtype"]) > 1


@pytest.mark.claim("Adding variances without the covariance.")
def test_the_variance_of_a_sum_needs_the_covariance():
    C, a, b = model().cov_fixed, "ses_cwc", "schtype:ses_cwc"
    right = mlm.satterthwaite(model(), f"{a} + {b}").se.iloc[0]
    assert right == pytest.approx(np.sqrt(C.loc[a, a] + C.loc[b, b] + 2 * C.loc[a, b]))
    assert np.sqrt(C.loc[a, a] + C.loc[b, b]) > 1.3 * right


@pytest.mark.claim("Whether slopes differ is the test of $\\gamma_{12}$, not two tests of two slopes.")
def test_both_slopes_are_clear_and_so_is_their_difference():
    tests = mlm.satterthwaite(model(), np.array([[0, 0, 1, 0, 0, 0], [0, 0, 1, 0, 0, 1.0]]))
    names = list(model().fe_params.index)
    assert [names[2], names[5]] == ["ses_cwc", "schtype:ses_cwc"]
    # both "significant", and they differ all the same
    assert (tests.p < 0.001).all() and mlm.satterthwaite(model()).loc["schtype:ses_cwc", "p"] < 0.001


@pytest.mark.claim("The two tests differ in power. Here $\\gamma_{12}$ is far clearer")
def test_the_moderator_is_clearer_than_the_variance():
    variance = mlm.likelihood_ratio(fit("mathach ~ ses_cwc"), fit("mathach ~ ses_cwc", SLOPE)).p
    moderator = mlm.satterthwaite(model()).loc["schtype:ses_cwc", "p"]
    assert moderator < variance / 1000 and moderator < 0.001 < variance


@pytest.mark.claim("Then the lines of the two sectors are forced together at $X = 0$.")
def test_without_the_lower_part_the_lines_meet_at_zero():
    forced = fit("mathach ~ meanses * ses_cwc + schtype:ses_cwc", SLOPE)
    ends = hsb()[["meanses", "ses_cwc", "schtype"]].head(2).assign(meanses=0, ses_cwc=0, schtype=[0, 1])
    assert forced.predict(ends).diff().iloc[-1] == pytest.approx(0, abs=1e-10)
    assert model().predict(ends).diff().iloc[-1] > 0.6


@pytest.mark.claim("An estimated slope variance near zero doesn't show that there is none: look at its interval.",
                   "The data don't show that slopes vary beyond what the predictors say, and don't rule it out either.")
def test_what_is_left_of_the_slope_variance_may_be_zero_or_much():
    limits, before = mlm.variance_intervals(model()).loc["sd ses_cwc"], fit("mathach ~ ses_cwc", SLOPE).tau[1, 1]
    assert limits.lower < 1e-3 and limits.upper**2 > 0.8 * before
    assert mlm.likelihood_ratio(fit(FORMULA), model()).p > 0.2


@pytest.mark.claim("To narrow such an interval one needs more schools, or more students in each.")
def test_students_help_with_the_slope_variance_as_schools_do():
    now, schools, students = (variance_errors(model(), *times)[2] for times in ((1, 1), (2, 1), (1, 2)))
    assert now / schools == pytest.approx(np.sqrt(2), rel=1e-6) and now / students > np.sqrt(2)


def test_no_seed_of_the_bootstrap_rejects():
    shares = [mlm.bootstrap_test(fit(FORMULA), model(), draws=50, seed=seed) for seed in range(5)]
    assert min(shares) > 0.2 and np.mean(shares) > 0.3  # Monte-Carlo errors .07 and .03; p is about .41


@pytest.mark.claim("Let them bend, by a square of `ses_cwc` for each sector, and no region is left in which the public sector is clearly ahead",
                   "So few students can't bear that out: the lines are drawn by all the others.")
def test_bent_lines_and_the_students_at_the_upper_end_show_no_public_lead():
    x = np.linspace(-3, 3, 61)

    def difference(formula, powers, data, random=SLOPE):
        model = mlm.mixedlm(formula, data, "schid", random)
        L = np.zeros((len(x), len(model.fe_params)))
        for power in powers:
            factor = ["", ":ses_cwc", ":I(ses_cwc ** 2)"][power]
            L[:, list(model.fe_params.index).index("schtype" + factor)] = x**power
        return mlm.satterthwaite(model, L).set_axis(x.round(1))

    bend = "mathach ~ meanses * ses_cwc + schtype * (ses_cwc + I(ses_cwc ** 2))"
    bent = difference(bend, [0, 1, 2], hsb())
    assert (bent["upper"] > 0).all() and bent.loc[-1, "lower"] > 1.5
    straight = difference(FORMULA, [0, 1], hsb())
    start = straight.index[straight["upper"] < 0].min()
    # the lines are drawn by the others: without the students beyond, they still say so further out
    others = difference(FORMULA, [0, 1], hsb()[hsb()["ses_cwc"] < start], None)  # no slope variance is left
    assert others.loc[2, "upper"] < 0
    top = hsb()[hsb()["ses_cwc"] >= start].groupby("schtype")["mathach"].mean()
    assert top[1] > top[0]


@pytest.mark.claim("$\\gamma_{02} + \\gamma_{12}$.")
def test_the_difference_of_sectors_one_unit_above_the_mean():
    g = model().fe_params
    ends = hsb()[["meanses", "ses_cwc", "schtype"]].head(2).assign(meanses=0.5, ses_cwc=1, schtype=[0, 1])
    assert model().predict(ends).diff().iloc[-1] == pytest.approx(g["schtype"] + g["schtype:ses_cwc"])


@pytest.mark.claim("$\\gamma_{00}$ and $\\gamma_{10}$ become those of Catholic schools; $\\gamma_{02}$ and $\\gamma_{12}$ change their signs.")
def test_the_other_coding_describes_the_same_lines():
    turned, g = mlm.mixedlm(FORMULA, hsb().assign(schtype=1 - hsb()["schtype"]), "schid", SLOPE), model().fe_params
    expected = {"Intercept": g["Intercept"] + g["schtype"], "ses_cwc": g["ses_cwc"] + g["schtype:ses_cwc"],
                "schtype": -g["schtype"], "schtype:ses_cwc": -g["schtype:ses_cwc"],
                "meanses": g["meanses"], "meanses:ses_cwc": g["meanses:ses_cwc"]}
    assert turned.fe_params[list(expected)].tolist() == pytest.approx(list(expected.values()), abs=1e-5)
    assert turned.llf == pytest.approx(model().llf, abs=1e-6)


@pytest.mark.claim("The schools' slopes were already allowed to differ; now the model predicts a part of these differences.")
def test_sigma2_hardly_differs_from_that_of_random_coefficients():
    assert model().scale == pytest.approx(fit("mathach ~ ses_cwc", SLOPE).scale, rel=1e-3)


def test_without_mean_ses_in_the_slope_the_sector_is_closer_to_zero():
    only = fit("mathach ~ meanses + schtype + ses_cwc + schtype:ses_cwc", SLOPE).fe_params["schtype:ses_cwc"]
    assert model().fe_params["schtype:ses_cwc"] < only < 0


def test_r_inline_is_that_of_the_script_whose_output_is_kept():
    script = (ROOT / "chapters/r/models.R").read_text("utf-8")
    assert "`(ses_cwc | schid)`" in (ROOT / "chapters/cross-level.md").read_text("utf-8") and "(ses_cwc | schid)" in script
    assert "`ave`" in (ROOT / "chapters/random-ancova.md").read_text("utf-8") and "ave(hsb$ses, hsb$schid)" in script


@pytest.mark.claim("these data don't show that slopes rise with mean SES as such",
                   "And among schools of the same sector they are steeper where mean SES is higher")
def test_slopes_rise_with_mean_ses_within_a_sector_only():
    all_schools = mlm.satterthwaite(fit("mathach ~ meanses * ses_cwc", SLOPE)).loc["meanses:ses_cwc"]
    assert all_schools["lower"] < 0 < all_schools["upper"]
    for sector in (0, 1):  # each sector by itself, without the other's variances
        part = hsb()[hsb()["schtype"] == sector]
        assert mlm.satterthwaite(mlm.mixedlm("mathach ~ meanses * ses_cwc", part, "schid")).loc["meanses:ses_cwc", "lower"] > 0
