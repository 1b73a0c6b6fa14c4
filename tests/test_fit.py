"""The fit: against lme4 at a tight optimum, and where it has to warn or refuse."""

import json
import pickle
import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.regression.mixed_linear_model import MixedLM, MixedLMResults

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "chapters"), str(ROOT / "benchmarks")]

import certificate  # noqa: E402
import simulated_designs  # noqa: E402
from mlm import likelihood as engine  # noqa: E402
from mlm import search  # noqa: E402
from mlm.design import Design, MissingRows, by_hand  # noqa: E402
from mlm.formulas import parse  # noqa: E402
from mlm.fit import MixedResults, SingularFit, mixedlm  # noqa: E402

LME4 = json.loads((ROOT / "tests/reference/mixed.json").read_text())
MODELS = {
    "null": ("mathach ~ 1", None),
    "meanses": ("mathach ~ meanses", None),
    "ancova_cwc": ("mathach ~ ses_cwc", None),
    "slope_cwc": ("mathach ~ ses_cwc", "~ ses_cwc"),
    "slope_raw": ("mathach ~ ses", "~ ses"),
    "cross_level": ("mathach ~ meanses + schtype + ses_cwc + meanses:ses_cwc + schtype:ses_cwc", "~ ses_cwc"),
    "three_slopes": ("mathach ~ ses + minority + female", "~ ses + minority + female"),
}
FITS = [(model, method) for model in MODELS for method in ("reml", "ml")]


@pytest.fixture(scope="module")
def hsb():
    data = pd.read_csv(ROOT / "data/hsb.csv", dtype={"schid": str})
    data["ses_cwc"] = data.ses - data.groupby("schid").ses.transform("mean")
    return data


@pytest.fixture(scope="module")
def fits(hsb):
    return {(model, method): mixedlm(MODELS[model][0], hsb, "schid", MODELS[model][1], reml=method == "reml")
            for model, method in FITS}


def simulate(seed, groups=30, size=(2, 12), q=1, tau=0.5, p=2, x_scale=1.0, x_origin=0.0):
    """Unbalanced two-level data with predictors x0 ... and random effects of the first q - 1."""
    rng = np.random.default_rng(seed)
    g = np.repeat(np.arange(groups), rng.integers(*size, groups, endpoint=True))
    x = rng.normal(size=(len(g), max(p, q) - 1)) + 0.5 * rng.normal(size=(groups, 1))[g]
    root = np.broadcast_to(tau, q * q).reshape(q, q) if np.size(tau) > 1 else tau * np.eye(q)
    u = rng.normal(size=(groups, q)) @ np.asarray(root).T
    Z = np.column_stack([np.ones(len(g)), x[:, : q - 1]])
    y = 1 + x.sum(axis=1) + (Z * u[g]).sum(axis=1) + rng.normal(size=len(g))
    data = pd.DataFrame(x * x_scale + x_origin, columns=[f"x{i}" for i in range(x.shape[1])])
    return data.assign(y=y, g=g)


def formulas(data, q):
    predictors = [name for name in data if name.startswith("x")]
    return "y ~ " + (" + ".join(predictors) or "1"), "~ " + (" + ".join(predictors[: q - 1]) or "1")


# ---- accuracy ---------------------------------------------------------------------------------
# The reference is lme4 1.1-31 at the lowest deviance that six optimisers and Newton steps find
# (tests/reference/reference.R). Both programs solve the same equations in double precision; the
# tolerances are far above rounding (1e-10 in the deviance) and far below any printed digit.


@pytest.mark.parametrize("model, method", FITS)
def test_agrees_with_lme4(fits, model, method):
    fit, lme4 = fits[model, method], LME4[model][method]
    assert fit.llf == pytest.approx(lme4["log_likelihood"], abs=1e-6)
    np.testing.assert_allclose(fit.fe_params, lme4["fixed"]["estimate"], rtol=1e-6)
    np.testing.assert_allclose(fit.bse_fe, lme4["fixed"]["se"], rtol=1e-6)
    np.testing.assert_allclose(fit.cov_fixed, lme4["fixed"]["vcov"], rtol=1e-5, atol=1e-10)
    np.testing.assert_allclose(fit.cov_re, lme4["random"]["tau"], rtol=1e-5)
    assert fit.scale == pytest.approx(lme4["sigma2"], rel=1e-6)
    assert bool(fit.singular) == lme4["singular"]


@pytest.mark.parametrize("model, method", FITS)
def test_standard_errors_of_variances(fits, model, method):
    # numDeriv's Hessian of lme4's deviance is good to some 1e-6
    fit, lme4 = fits[model, method], LME4[model][method]["variance_se"]
    size = fit.k_re
    np.testing.assert_allclose(fit.bse_re, np.array(lme4["tau"])[np.tril_indices(size)], rtol=1e-4)
    assert np.sqrt(fit.cov_variances.iloc[-1, -1]) == pytest.approx(lme4["sigma2"], rel=1e-4)


def test_standard_errors_of_sas(hsb):
    # SAS prints 1.0778 and .6607 beside tau00 = 8.6097 and sigma2 = 39.1487: it stops 1.6e-5
    # deviance units above the minimum. At its estimates the observed information gives its figures.
    products = engine.Products.of(Design.read("mathach ~ 1", hsb, "schid", None, None))
    T = np.array([[8.6097 / 39.1487]])
    result = MixedResults(Design.read("mathach ~ 1", hsb, "schid", None, None), products, True, T,
                                 engine.deviance(T, products, True), None)
    assert [f"{se:.4f}" for se in np.sqrt(np.diag(result.cov_variances))] == ["1.0778", "0.6607"]
    best = mixedlm("mathach ~ 1", hsb, "schid")
    assert 0 < -2 * (result.llf - best.llf) < 2e-5


@pytest.mark.parametrize("model, method", FITS)
def test_predictions_agree_with_lme4(fits, model, method):
    fit, lme4 = fits[model, method], LME4[model][method]
    schools = lme4["ranef"]["schools"]
    np.testing.assert_allclose(fit.blups.loc[schools], lme4["ranef"]["estimate"], rtol=1e-4, atol=1e-5)
    sd = [np.sqrt(np.diag(fit.random_effects_cov[school])) for school in schools]
    np.testing.assert_allclose(sd, lme4["ranef"]["conditional_sd"], rtol=1e-5)
    np.testing.assert_allclose(fit.fittedvalues[:6], lme4["first_students"]["fitted"], rtol=1e-5)
    np.testing.assert_allclose(fit.resid[:6], lme4["first_students"]["residual"], rtol=1e-4)


def test_information_criteria(fits):
    for model in MODELS:
        assert fits[model, "ml"].aic == pytest.approx(LME4[model]["ml"]["aic"], abs=1e-5)
        assert fits[model, "ml"].bic == pytest.approx(LME4[model]["ml"]["bic"], abs=1e-5)
        assert np.isnan(fits[model, "reml"].aic)  # as in statsmodels: not comparable over fixed effects


def test_likelihood_is_that_of_statsmodels(fits):
    # statsmodels' own loglike() at our parameters: its likelihood is right, its optimiser is not
    for model, method in FITS:
        fit = fits[model, method]
        fit.model.reml, fit.model.cov_pen, fit.model.fe_pen = fit.reml, None, None
        assert fit.model.loglike(fit.params_object, profile_fe=False) == pytest.approx(fit.llf, abs=1e-6)


# ---- derivatives --------------------------------------------------------------------------------


@pytest.mark.parametrize("q, p, reml", [(q, p, reml) for q in (1, 2, 3, 4) for p in (0, 1, 5) for reml in (True, False)])
def test_derivatives_equal_finite_differences(q, p, reml):
    data = simulate(seed=q, q=q, p=max(p, q))
    response, effects = formulas(data, q)
    fixed = {0: "y ~ 0", 1: "y ~ 1"}.get(p, response)
    products = engine.Products.of(Design.read(fixed, data, "g", effects, None))
    L = np.tril(np.random.default_rng(0).normal(size=(q, q)))
    L[-1, -1] = -0.3  # statsmodels' score has the wrong sign in a column whose diagonal is negative

    def evaluate(flat):
        factor = flat.reshape(q, q)
        return engine.deviance(factor @ factor.T, products, reml)

    gradient, hessian = engine.derivatives(L, evaluate(L.ravel()))
    step = 1e-5 * np.eye(q * q)
    slope = [(evaluate(L.ravel() + h).value - evaluate(L.ravel() - h).value) / 2e-5 for h in step]
    curve = [(engine.derivatives(L + h.reshape(q, q), evaluate(L.ravel() + h))[0]
              - engine.derivatives(L - h.reshape(q, q), evaluate(L.ravel() - h))[0]) / 2e-5 for h in step]
    # central differences err by the third derivative times 1e-10 and by rounding over 1e-5
    np.testing.assert_allclose(gradient, slope, rtol=1e-5, atol=1e-6 * np.abs(gradient).max())
    np.testing.assert_allclose(hessian, curve, rtol=1e-5, atol=1e-6 * np.abs(hessian).max())


# ---- what must not matter ----------------------------------------------------------------------


@settings(max_examples=15, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10**6), q=st.integers(1, 3), reml=st.booleans(),
       unit_y=st.sampled_from([1e-6, 1.0, 1e6]), unit_x=st.sampled_from([1e-6, 1.0, 1e6]),
       origin=st.sampled_from([0.0, -3.0, 1e5]))
def test_units_origins_order_and_names_change_nothing(seed, q, reml, unit_y, unit_x, origin):
    data = simulate(seed, q=q, p=3)
    response, effects = formulas(data, q)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SingularFit)
        plain = mixedlm(response, data, "g", effects, reml)
        other = data.assign(y=data.y * unit_y, g=data.g.map(lambda g: f"school {997 * g % 101}"))
        other[["x0", "x1"]] = data[["x0", "x1"]] * unit_x + origin * unit_x
        other = other.sample(frac=1, random_state=seed)
        moved = mixedlm(response, other, "g", effects, reml)
    shift = (len(data) - 3 * reml) * np.log(unit_y) + 2 * reml * np.log(unit_x)
    # x + 1e5 leaves 11 of the 16 digits of x
    digits = 1e-6 if origin == 1e5 else 1e-8
    assert moved.llf + shift == pytest.approx(plain.llf, abs=100 * digits)
    assert moved.scale == pytest.approx(plain.scale * unit_y**2, rel=10 * digits)
    slopes = plain.fe_params[1:] * unit_y / unit_x
    np.testing.assert_allclose(moved.fe_params[1:], slopes, rtol=100 * digits, atol=digits * np.abs(slopes).max())
    np.testing.assert_allclose(moved.bse_fe[1:], plain.bse_fe[1:] * unit_y / unit_x, rtol=100 * digits)
    np.testing.assert_allclose(moved.fittedvalues[data.index] / unit_y, plain.fittedvalues, atol=1e-4)
    assert bool(moved.singular) == bool(plain.singular)


# ---- singular fits ------------------------------------------------------------------------------


def balanced(rows_per_group):
    """Groups that are more alike than chance: within variation only, the best tau00 is 0."""
    g = np.repeat(np.arange(8), rows_per_group)
    return pd.DataFrame({"g": g, "y": np.tile(np.arange(rows_per_group, dtype=float), 8) + 0.01 * (g % 2)})


@pytest.mark.parametrize("reml", [True, False])
def test_zero_variance(reml):
    data = balanced(6)
    with pytest.warns(SingularFit, match="variance of Intercept is 0"):
        fit = mixedlm("y ~ 1", data, "g", reml=reml)
    assert fit.cov_re.iloc[0, 0] == 0 and fit.singular
    # with tau00 = 0 the model is an ordinary regression
    assert fit.scale == pytest.approx(data.y.var(ddof=int(reml)), rel=1e-10)
    assert (fit.blups == 0).all(axis=None) and fit.bse_re.isna().all()
    np.testing.assert_allclose(fit.fittedvalues, data.y.mean())
    assert "0.000" in str(fit.summary())
    assert all((matrix == 0).all(axis=None) for matrix in fit.random_effects_cov.values())


@pytest.mark.parametrize("sign", [1, -1])
def test_correlation_of_one(sign):
    data = simulate(8, groups=60, q=2, tau=[1.5, 0, sign * 0.6, 0])
    with pytest.warns(SingularFit, match="correlation of Intercept and x0 is " + ("[+]1" if sign > 0 else "-1")):
        fit = mixedlm("y ~ x0", data, "g", "~ x0")
    sd = np.sqrt(np.diag(fit.cov_re))
    assert fit.cov_re.iloc[0, 1] == pytest.approx(sign * sd[0] * sd[1], rel=1e-8)
    # one dimension is left: the two BLUPs are proportional, and statsmodels' attributes hold up
    assert np.abs(np.corrcoef(fit.blups.T)[0, 1]) == pytest.approx(1)
    assert len(fit.random_effects_cov) == 60 and fit.t_test("x0 = 1").pvalue < 1
    assert "x0 Var" in str(fit.summary())


def test_the_certificate_refuses_wrong_answers(hsb):
    # statsmodels' own end point for the random-slope model by ML, and T = 0, where the gradient vanishes
    products = engine.Products.of(Design.read("mathach ~ ses_cwc", hsb, "schid", "~ ses_cwc", None))
    to_T = products.Rz @ np.array([[8.9, 0.6], [0.6, 16.07]]) @ products.Rz.T / 37
    for T in (to_T, np.zeros((2, 2))):
        certificate, _ = engine.certify(T, engine.deviance(T, products, False), products)
        assert max(certificate.newton, certificate.boundary) > 1e4 * engine.TOLERANCE
    stationary, _ = engine.certify(np.zeros((2, 2)), engine.deviance(np.zeros((2, 2)), products, False), products)
    assert stationary.newton == 0 and stationary.eigenvalue < 0


def test_the_certificate_refuses_end_points_of_stock_optimisers():
    # benchmarks/certificate.py does this for many designs
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # SciPy's optimisers try points without a deviance
        table = certificate.study([17, 21])
    wrong = table[table.short > 1e-4]
    assert len(wrong) >= 10 and wrong["by derivatives"].all()
    assert not table.refused[table.short < 1e-9].any()


def test_few_groups_with_two_minima():
    # 5 groups, 24 rows: lme4's optimisers end .066 log units lower
    data, formula, effects, _ = simulated_designs.design(261)
    fit = mixedlm(formula, data, "g", effects)
    assert fit.llf == pytest.approx(-33.159784, abs=1e-5) and fit.certificate.kind == "searched"


def test_leaves_a_saddle_on_the_boundary(hsb):
    # started where the gradient vanishes, the search has to step off the boundary by itself
    products = engine.Products.of(Design.read("mathach ~ ses_cwc", hsb, "schid", "~ ses_cwc", None))
    for L in (np.zeros((2, 2)), np.array([[0.0, 0.0], [0.0, 0.5]])):
        value = search.minimise(products, True, L[None])[1].value[0]
        assert value == pytest.approx(search.estimate(products, True)[1].value, abs=1e-7)


# ---- bad input ----------------------------------------------------------------------------------


@pytest.fixture
def small():
    return simulate(5, groups=12, q=2, p=3)


def refused(message, formula, data, groups="g", *args, **kwargs):
    with pytest.raises(ValueError, match=message):
        mixedlm(formula, data, groups, *args, **kwargs)


def test_missing_columns_and_empty_frames(small):
    refused("'z' is neither a column nor a name.*x0, x1, y, g", "y ~ z", small)
    refused("'z' is neither a column nor a name.*x0, x1, y, g", "y ~ x0", small, "g", "~ z")
    refused("no column 'school'.*x0, x1, y, g", "y ~ x0", small, "school")
    refused("data frame is empty", "y ~ x0", small.iloc[:0])
    refused("one response", "~ x0", small)
    refused("one response", "y ~ x0", small, "g", "y ~ x0")
    refused("3 entries", "y ~ x0", small, [1, 2, 3])
    refused("random effects is empty", "y ~ x0", small, "g", "~ 0")
    refused("cannot be read", "y ~ x0 +* x1", small)


def test_models_that_are_not_covered(small):
    refused("bar as in lme4.*re_formula='~ x'", "y ~ x0 + (1 | g)", small)
    refused("bar as in lme4", "y ~ x0 + (x0|g)", small)
    refused("x0, x1 are 2 columns.*crossed effects", "y ~ x0", small, ["x0", "x1"])
    with pytest.raises(TypeError, match="weights"):
        mixedlm("y ~ x0", small, "g", weights="x1")
    # a bar of Python's own, in a function's argument, is none of lme4's
    assert mixedlm("y ~ I((x0 > 0) | (x1 > 0))", small, "g").nobs == len(small)


@pytest.mark.parametrize("column", ["y", "x0", "x1", "g"])
def test_missing_values(small, column):
    holes = small.astype({"g": float})
    holes.loc[[2, 7], column] = np.nan
    with pytest.warns(MissingRows, match=rf"^2 of {len(small)} rows"):
        fit = mixedlm("y ~ x0 + x1", holes, "g")
    whole = mixedlm("y ~ x0 + x1", small.drop([2, 7]), "g")
    assert fit.llf == whole.llf and fit.nobs == len(small) - 2 == len(fit.fittedvalues)
    assert list(fit.fittedvalues.index) == list(small.drop([2, 7]).index)


def test_missing_values_by_way_of_patsy(small):
    holes = small.copy()
    holes.loc[[2, 7], "x0"] = np.nan
    with pytest.warns(MissingRows, match="^2 of"):
        fit = mixedlm("y ~ np.exp(x0)", holes, "g")
    assert fit.llf == mixedlm("y ~ np.exp(x0)", small.drop([2, 7]), "g").llf


def test_a_group_that_vanishes_is_named(small):
    holes = small.copy()
    holes.loc[holes.g == 4, "x0"] = np.nan
    with pytest.warns(MissingRows, match="nothing is left of the groups 4[.]"):
        fit = mixedlm("y ~ x0", holes, "g")
    assert 4 not in fit.random_effects and len(fit.random_effects) == 11


def test_infinite_values_and_text(small):
    refused("'x0' has infinite values", "y ~ x0 + x1", small.assign(x0=small.x0.where(small.index != 3, np.inf)))
    refused("'y' has infinite values", "y ~ x0", small.assign(y=small.y.where(small.index != 3, -np.inf)))
    text = small.assign(x0=small.x0.astype(object))
    text.loc[3, "x0"] = "n/a"
    refused("'x0' holds text .'n/a'. where numbers belong", "y ~ x0", text)
    refused("'x0' holds text", "y ~ x0", small.assign(x0=small.x0.astype(str)))
    refused("'y' holds text", "y ~ x0", small.assign(y=small.y.astype(str)))
    refused("response 'y' holds categories", "y ~ x0", small.assign(y=np.where(small.y > 0, "pass", "fail")))


def test_text_that_names_categories_is_no_error(small):
    labelled = small.assign(kind=np.where(small.x0 > 0, "a", "b"), b=(small.x0 <= 0) * 1.0)
    by_name, by_number = mixedlm("y ~ kind", labelled, "g"), mixedlm("y ~ b", labelled, "g")
    assert by_name.llf == pytest.approx(by_number.llf, abs=1e-8)
    assert list(by_name.fe_params.index) == ["Intercept", "kind[T.b]"]


def test_too_little_to_estimate_from(small):
    refused("1 group;", "y ~ x0", small.assign(g=1))
    refused("Every group has one row", "y ~ x0", small.assign(g=range(len(small))))
    pairs = small.assign(g=np.arange(len(small)) // 2)
    refused("random effects, but there are only", "y ~ x0", pairs, "g", "~ x0")
    refused("cannot be estimated from 4 rows", "y ~ x0 + x1 + I(x0**2)", small[:4].assign(g=[1, 1, 1, 2]))
    # in REML the fixed effects have told the groups apart already; in ML nothing is left between them
    refused("cannot tell the variances", "y ~ C(g)", small)
    with pytest.warns(SingularFit):
        assert mixedlm("y ~ C(g)", small, "g", reml=False).cov_re.iloc[0, 0] == 0
    # two kinds of groups tell two variances, not two variances and their covariance
    refused("cannot tell the variances", "y ~ 1", small.assign(kind=small.g % 2), "g", "~ kind")


def test_collinear_predictors(small):
    refused("fixed-effects columns Intercept, c are collinear .c is constant.", "y ~ c", small.assign(c=3.5))
    refused("fixed-effects columns x0, x1, d are collinear", "y ~ x0 + x1 + d", small.assign(d=small.x0 - small.x1))
    refused("random-effects columns Intercept, c are collinear", "y ~ x0", small.assign(c=3.5), "g", "~ c")
    refused("column 'c' is zero in every row", "y ~ x0 + c", small.assign(c=0.0))


def test_responses_without_residuals(small):
    refused("constant, or the fixed effects reproduce it", "y ~ x0", small.assign(y=2.0))
    refused("constant, or the fixed effects reproduce it", "y ~ x0", small.assign(y=3 - 2 * small.x0))
    for reml in (True, False):
        refused("residual variance is zero", "y ~ 1", small.assign(y=small.g**2 * 1.0), "g", None, reml)
        refused("residual variance is zero", "y ~ x0", small.assign(y=np.sin(small.g) + np.cos(small.g) * small.x0),
                "g", "~ x0", reml)


# ---- a genuine result of statsmodels ------------------------------------------------------------


def test_is_a_result_of_statsmodels(fits):
    fit = fits["slope_cwc", "reml"]
    assert isinstance(fit, MixedLMResults) and fit.converged
    text = str(fit.summary())
    for piece in ("12.636", "0.245", "ses_cwc Var", "0.694", "0.281", "-23357.1170", "160", "REML"):
        assert piece in text
    assert fit.summary(yname="maths").tables[0].iloc[0, 3] == "maths"
    assert fit.conf_int().loc["ses_cwc"].tolist() == pytest.approx(
        [2.19319630 - 1.959964 * 0.12825866, 2.19319630 + 1.959964 * 0.12825866], abs=1e-6)
    assert fit.tvalues["ses_cwc"] == pytest.approx(17.09979, abs=1e-4)
    assert list(fit.params.index) == list(fit.bse.index) == list(fit.pvalues.index) == list(fit.cov_params().index)
    assert fit.model.n_groups == 160 and isinstance(fit.model, MixedLM)


def test_hypothesis_tests(fits):
    fit = fits["slope_cwc", "reml"]
    by_name, by_matrix, padded = (fit.t_test(c) for c in ("ses_cwc = 0", [[0, 1]], [[0, 1, 0, 0, 0]]))
    for test in (by_name, by_matrix, padded):
        assert np.squeeze(test.tvalue) == pytest.approx(fit.tvalues["ses_cwc"], rel=1e-10)
    assert np.squeeze(fit.t_test("ses_cwc = 2").tvalue) == pytest.approx((2.1931963 - 2) / 0.1282587, abs=1e-4)
    assert fit.wald_test("ses_cwc = 0", scalar=True).statistic == pytest.approx(fit.tvalues["ses_cwc"] ** 2, rel=1e-8)
    assert float(np.squeeze(fit.f_test("ses_cwc = 0").fvalue)) == pytest.approx(fit.tvalues["ses_cwc"] ** 2, rel=1e-8)
    with pytest.raises(Exception, match="columns|cols|wrong"):
        fit.t_test([[0, 0, 1]])


@pytest.mark.parametrize("model", ["slope_cwc", "null"])
def test_pickling(fits, hsb, model):
    fit = fits[model, "reml"]
    again = pickle.loads(pickle.dumps(fit))
    assert str(again.summary()) == str(fit.summary())
    pd.testing.assert_series_equal(again.fittedvalues, fit.fittedvalues)
    np.testing.assert_allclose(again.predict(hsb.head(3)), fit.predict(hsb.head(3)))


def test_pickling_of_a_formula_with_names_of_the_session(fits, hsb, tmp_path):
    def double(x):
        return 2 * x

    fit = mixedlm("mathach ~ double(ses)", hsb, "schid")
    fit.save(tmp_path / "fit.pickle")
    again = MixedLMResults.load(tmp_path / "fit.pickle")
    assert again.llf == fit.llf and str(again.summary()) == str(fit.summary())
    with pytest.raises(ValueError, match="'double' is neither"):
        again.predict(hsb.head())


def test_statsmodels_profile_is_not_passed_on(fits):
    with pytest.raises(NotImplementedError, match="variance_intervals"):
        fits["null", "ml"].profile_re(0, "re")


def test_prediction_of_the_fixed_part(fits, hsb):
    fit = fits["cross_level", "ml"]
    np.testing.assert_allclose(fit.predict(hsb.head()), fit.predict().head())
    np.testing.assert_allclose(fit.predict(fit.design.X[:4]), fit.predict()[:4])
    curved = mixedlm("mathach ~ np.exp(ses) + C(schtype)", hsb, "schid")
    np.testing.assert_allclose(curved.predict(hsb.head()), curved.predict().head())
    np.testing.assert_allclose(pickle.loads(pickle.dumps(curved)).predict(hsb.head()), curved.predict().head())


def test_formulas_see_the_callers_names(hsb):
    def cube(x):
        return x**3

    lift = 2.0  # noqa: F841 (the formula sees it)
    fit = mixedlm("mathach ~ cube(ses) + np.abs(ses - lift)", hsb, "schid", "~ I(ses / lift)")
    by_column = hsb.assign(a=hsb.ses**3, b=np.abs(hsb.ses - 2), c=hsb.ses / 2)
    assert fit.llf == pytest.approx(mixedlm("mathach ~ a + b", by_column, "schid", "~ c").llf, abs=1e-7)


def test_columns_by_hand_are_patsys(hsb):
    import patsy

    for formula in [model for model, _ in MODELS.values()] + ["mathach ~ 0 + ses", "mathach ~ ses*minority*female - ses"]:
        y, X = patsy.dmatrices(formula, hsb, return_type="dataframe")
        names, matrix, _ = by_hand(parse(formula).rhs_termlist, hsb)
        assert names == list(X) and (matrix == X.to_numpy()).all()


def test_groups_by_array_and_by_category(hsb, fits):
    best = fits["null", "reml"]
    by_category = hsb.assign(schid=pd.Categorical(hsb.schid, categories=hsb.schid.unique()[::-1]))
    for data, groups in ((hsb, hsb.schid.to_numpy()), (hsb, list(hsb.schid)), (by_category, "schid")):
        fit = mixedlm("mathach ~ 1", data, groups)
        assert fit.llf == pytest.approx(best.llf, abs=1e-9)
        assert fit.random_effects["1224"].iloc[0] == pytest.approx(best.random_effects["1224"].iloc[0])
    assert list(mixedlm("mathach ~ 1", by_category, "schid").random_effects)[0] == hsb.schid.iloc[-1]
