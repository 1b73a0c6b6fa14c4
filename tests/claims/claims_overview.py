"""Claims of the page on the five models."""

import inspect
import re

import numpy as np
import patsy
import pytest

import mlm
from conftest import ROOT
from course import fit, hsb

CROSS = "mathach ~ meanses * ses_cwc + catholic * ses_cwc"
NOT_COMPUTED = {
    "Choose by the question; the name follows.": "advice: what to do, not what is so",
}


def data():
    return hsb().assign(catholic=hsb()["schtype"])


def test_formulas_of_the_map_are_those_that_the_page_fits():
    page = (ROOT / "chapters/overview.md").read_text("utf-8")
    rows = re.findall(r"^\| \{ref\}`[^`]+` \| [^|]+ \| `([^`]+)` \| ([^|]+) \|$", page, flags=re.M)
    assert len(rows) == 5
    for formula, varies in rows:
        assert f'"{formula}"' in page
        random = "~ ses_cwc" if "slope" in varies else None
        effects = mlm.mixedlm(formula, data(), "schid", random).cov_re.columns.tolist()
        assert effects == ["Intercept"] + ["ses_cwc"] * ("slope" in varies)


def test_the_call_that_the_page_names_has_these_parameters_in_this_order():
    assert "`mlm.mixedlm(formula, data, groups, re_formula)`" in (ROOT / "chapters/overview.md").read_text("utf-8")
    assert list(inspect.signature(mlm.mixedlm).parameters)[:4] == ["formula", "data", "groups", "re_formula"]


def test_a_star_stands_for_both_and_their_product():
    frame = data().head(200)
    assert set(patsy.dmatrix("meanses * ses_cwc", frame).design_info.term_names) == \
        set(patsy.dmatrix("meanses + ses_cwc + meanses:ses_cwc", frame).design_info.term_names)


@pytest.mark.claim("The equations of level 2 tell the models apart: what predicts a school's intercept and its slope, and which of the two has a residual $u$.")
def test_no_two_models_have_the_same_fixed_and_random_effects():
    models = [("mathach ~ 1", None), ("mathach ~ meanses", None), ("mathach ~ ses_cwc", None),
              ("mathach ~ ses_cwc", "~ ses_cwc"), (CROSS.replace("catholic", "schtype"), "~ ses_cwc")]
    fits = [fit(*model) for model in models]
    assert len({(tuple(f.fe_params.index), tuple(f.cov_re.columns)) for f in fits}) == 5


@pytest.mark.claim("Each coefficient compares somebody: $\\gamma_{01}$ schools, $\\gamma_{10}$ of `ses_cwc` students of the same school, $\\gamma_{11}$ the slopes of different schools.")
def test_each_coefficient_uses_only_the_comparison_that_it_is_said_to_make():
    frame = data()
    rng = np.random.default_rng(1)
    # gamma10: whatever is added to whole schools, the comparison of students of the same school stays
    lift = frame["schid"].map(dict(zip(frame["schid"].cat.categories, rng.normal(0, 3, 160)))).astype(float)
    lifted = mlm.mixedlm("y ~ ses_cwc", frame.assign(y=frame["mathach"] + lift), "schid")
    assert lifted.fe_params["ses_cwc"] == pytest.approx(fit("mathach ~ ses_cwc").fe_params["ses_cwc"], abs=1e-8)
    # gamma01: students changing places within their school don't touch the comparison of schools
    shuffled = frame.groupby("schid", observed=True)["mathach"].transform(lambda y: rng.permutation(y.to_numpy()))
    again = mlm.mixedlm("y ~ meanses", frame.assign(y=shuffled), "schid")
    assert again.fe_params["meanses"] == pytest.approx(fit("mathach ~ meanses").fe_params["meanses"], abs=1e-8)
    # gamma11: a slope added to every school moves gamma10 and leaves the comparison of slopes
    cross = CROSS.replace("mathach", "y")
    before = mlm.mixedlm(CROSS, frame, "schid", "~ ses_cwc").fe_params
    steeper = mlm.mixedlm(cross, frame.assign(y=frame["mathach"] + frame["ses_cwc"]), "schid", "~ ses_cwc").fe_params
    assert steeper["ses_cwc"] - before["ses_cwc"] == pytest.approx(1, abs=1e-4)  # the optimum moves with the variances: 1e-5
    assert steeper["meanses:ses_cwc"] == pytest.approx(before["meanses:ses_cwc"], abs=1e-4)


@pytest.mark.claim("The average slope is a fixed effect. What varies is each school's deviation from it.")
def test_the_average_slope_is_fixed_and_deviations_average_zero():
    model = fit("mathach ~ ses_cwc", "~ ses_cwc")
    assert "ses_cwc" in model.fe_params
    assert abs(model.blups["ses_cwc"].mean()) < 0.01 * model.fe_params["ses_cwc"]
    assert model.blups["ses_cwc"].std() > 0.1


@pytest.mark.claim("Random ANCOVA and random coefficients have the same formula; `re_formula` makes the difference.")
def test_the_same_formula_makes_two_models():
    one, both = fit("mathach ~ ses_cwc"), fit("mathach ~ ses_cwc", "~ ses_cwc")
    assert list(one.fe_params.index) == list(both.fe_params.index)
    assert one.k_re == 1 and both.k_re == 2


@pytest.mark.claim("Means as outcomes, and the model with a cross-level interaction.")
def test_only_two_models_have_a_predictor_that_is_constant_in_schools():
    def has(formula):
        matrix = patsy.dmatrix(formula.split("~")[1], data(), return_type="dataframe").drop(columns="Intercept")
        return any(matrix.groupby(data()["schid"], observed=True).nunique().max() == 1)

    formulas = ["mathach ~ 1", "mathach ~ meanses", "mathach ~ ses_cwc", "mathach ~ ses_cwc", CROSS]
    assert [has(formula) for formula in formulas] == [False, True, False, False, True]


@pytest.mark.claim("Random coefficients, with `female` as the level-1 predictor.")
def test_only_random_coefficients_let_the_gap_between_girls_and_boys_vary():
    assert "female" in fit("mathach ~ female", "~ female").cov_re
    assert "female" not in fit("mathach ~ female").cov_re


@pytest.mark.claim("The levels: the slope of a level-1 predictor depends on a level-2 predictor.")
def test_a_cross_level_product_has_one_factor_of_each_level():
    frame = data()
    within = frame.groupby("schid", observed=True)[["meanses", "catholic", "ses_cwc"]].nunique()
    assert (within[["meanses", "catholic"]] == 1).all().all() and (within["ses_cwc"] > 1).all()


@pytest.mark.claim("yet with raw `female` they enter the estimate, as comparisons *between* schools")
def test_schools_of_one_sex_enter_the_comparison_of_girls_and_boys():
    frame = hsb()
    one_sex = frame.groupby("schid", observed=True)["female"].transform("nunique") == 1
    girls = one_sex & (frame["female"] == 1)
    before = fit("mathach ~ female", "~ female")
    lifted = mlm.mixedlm("y ~ female", frame.assign(y=frame["mathach"] + 2 * girls), "schid", "~ female")
    assert lifted.fe_params["female"] > before.fe_params["female"] + 0.05
    mixed = mlm.mixedlm("mathach ~ female", frame[~one_sex], "schid", "~ female")
    assert abs(mixed.tau[1, 1] - before.tau[1, 1]) > 0.1
