"""What people hand to the course's functions: formulas, types of columns, missing values, labels.

Each is read as they mean it, or refused with a word on what to write.
"""

import copy
import datetime
import importlib.util
import pickle
import time
import warnings
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mlm
from mlm.design import MissingRows
from mlm.fit import SingularFit, mixedlm

ARROW = importlib.util.find_spec("pyarrow") is not None  # no requirement of the course; pandas offers its types


def made(seed=1, groups=15, size=6):
    """Students x, z, k (0 to 2), age in groups g, and a response with a random slope of x."""
    rng = np.random.default_rng(seed)
    g = np.repeat(np.arange(groups), size)
    n = len(g)
    data = pd.DataFrame({"g": g, "x": rng.normal(size=n), "z": rng.normal(size=n), "k": rng.integers(0, 3, n),
                         "age": rng.integers(10, 20, n)})
    u = rng.normal(size=(groups, 2))[g]
    return data.assign(y=data.x + 0.3 * data.k + u[:, 0] + 0.5 * u[:, 1] * data.x + rng.normal(size=n))


@pytest.fixture
def data():
    return made()


def refused(message, *args, error=ValueError, **kwargs):
    with pytest.raises(error, match=message) as caught:
        mixedlm(*args, **kwargs)
    assert "\n" not in str(caught.value)


def same(one, other, rtol=1e-10):
    """The same fit, the names of its coefficients included."""
    assert one.llf == pytest.approx(other.llf, abs=1e-8)
    pd.testing.assert_series_equal(one.params, other.params, rtol=rtol, atol=1e-9)
    assert one.blups.index.tolist() == other.blups.index.tolist()
    np.testing.assert_allclose(one.blups, other.blups, rtol=1e-6, atol=1e-8)


# ---- formulas that patsy reads otherwise than people mean them ------------------------------------

BAR = r"bar as in lme4.*re_formula='~ x'.*mixedlm.lmer"


@pytest.mark.parametrize("formula, effects, message", [
    ("y ~ x", "1|g", BAR), ("y ~ x", "k|g", BAR), ("y ~ k | g", None, BAR), ("y ~ x + (1 | g)", None, BAR),
    ("y ~ x + (1 + k | g)", None, BAR), ("y ~ I(k | g)", None, BAR), ("y ~ np.abs(k) | g", None, BAR),
    ("y ~ x", "~ x || g", r"'\|\|' is lme4's.*correlated=False"), ("y ~ x + (x||g)", None, "correlated=False"),
    ("y ~ k^2", None, r"write I\(x \*\* 2\)"), ("y ~ I(k^2)", None, r"write I\(x \*\* 2\)"),
    ("y ~ (x + z)^2", None, r"\(a \+ b\) \*\* 2"), ("y ~ x", "~ k^2", r"write I\(x \*\* 2\)"),
    ("k^2 ~ x", None, r"write I\(x \*\* 2\)"),
    ("y ~ x**2", None, r"the power of x is x itself.*I\(x \*\* 2\)"),
    ("y ~ k & age", None, r"bits of numbers.*a:b"), ("y ~ I(~k)", None, "bits"), ("y ~ k << age", None, "bits"),
    ("y ~ (x > 0) | (z > 0)", None, r"stand in I\(\)"),
    ("y ~ .", None, "name the predictors"), ("y ~ . - x", None, "name the predictors"),
    ("y ~ x.1", None, r'Q\("x.1"\)'), ("y ~ my col", None, r'Q\("my col"\)'), ("y ~ class", None, r'Q\("class"\)'),
    ("y ~ as.factor(k)", None, r"write C\(k\)"), ("y ~ factor(k)", None, "write C"),
    ("y ~ log(age)", None, "write np.log"), ("y ~ poly(x, 2)", None, r"write x \+ I\(x \*\* 2\)"),
    ("y ~ x + offset(z)", None, r"I\(y - offset\) on the left"),
    ("y ~ x %in% z", None, "R's"), ("y ~ 2*x", None, "cannot be read"), ("y ~ x!", None, "cannot be read"),
    ("y ~ C(k, Summ)", None, r"'Summ' is neither.*write Sum"), ("y ~ xx", None, r"write x\?.*columns are: g, x, z"),
    ("y ~ C", None, "'C' is no column"), ("y ~ Q", None, "'Q' is no column"), ("y ~ np", None, "'np' is no column"),
    ("y ~ Q('x.2')", None, "'x.2' is neither"), ("y ~ Q(name)", None, "column's name into Q"),
    ("y ~ bs(x, df=2)", None, "df=2 is too small"), ("y ~ x.shift()", None, "compute its lags"),
])
def test_formulas_get_a_line_on_what_to_write(data, formula, effects, message):
    refused(message, formula, data, "g", effects)


def test_plans_read_formulas_in_the_same_way():
    with pytest.raises(ValueError, match="bar as in lme4"):
        mlm.plan("y ~ x", {}, 0.1, 0.9, {"x": "school 0/1"}, "x | g")


def test_conditions_and_powers_of_sums_are_no_mistakes(data):
    either = data.assign(either=((data.x > 0) | (data.z > 0)) * 1.0)
    assert mixedlm("y ~ I((x > 0) | ~(z <= 0))", data, "g").llf == pytest.approx(mixedlm("y ~ either", either, "g").llf)
    same(mixedlm("y ~ (x + z)**2", data, "g"), mixedlm("y ~ x * z", data, "g"))


def test_columns_with_the_names_of_functions(data):
    named = data.assign(C=data.x, Q=data.z, center=data.age)
    assert mixedlm("y ~ C + Q + center", named, "g").llf == pytest.approx(mixedlm("y ~ x + z + age", data, "g").llf)
    same(mixedlm("y ~ C(k)", named, "g"), mixedlm("y ~ C(k)", data, "g"))
    refused(r"a column hides the function C\(\)", "y ~ C + C(k)", named, "g")


def test_columns_with_names_that_are_not_pythons(data):
    odd = data.rename(columns={"x": "x.1", "z": "my col"})
    fit = mixedlm("y ~ Q('x.1') + Q('my col')", odd, "g")
    np.testing.assert_allclose(fit.fe_params, mixedlm("y ~ x + z", data, "g").fe_params)
    refused(r'write Q\("x.1"\)', "y ~ x", odd, "g")


def test_duplicate_columns(data):
    twice = pd.concat([data, data[["x"]]], axis=1)
    refused("several columns 'x'", "y ~ x", twice, "g")
    refused("several columns 'x'", "y ~ np.exp(x)", twice, "g")
    refused("several columns 'g'", "y ~ x", pd.concat([data, data[["g"]]], axis=1), "g")
    assert mixedlm("y ~ z", twice, "g").nobs == len(data)  # no matter where it isn't used
    with pytest.raises(ValueError, match="several columns 'x'"):
        mlm.describe(twice)


@pytest.mark.parametrize("keyword, message", [
    ("weights", "mixedlm.lmer"), ("offset", r"I\(y - offset\) ~ x"), ("correlation", "nlme"), ("vc_formula", "lme4"),
    ("family", "glmer"), ("missing", "left out"), ("nonsense", "no argument 'nonsense'"),
])
def test_what_is_not_covered_has_a_line_on_who_does_it(data, keyword, message):
    refused(message, "y ~ x", data, "g", error=TypeError, **{keyword: "x"})


def test_arguments_of_the_wrong_type(data):
    refused("reml is True or False", "y ~ x", data, "g", error=TypeError, reml="ML")
    refused("A formula is text", None, data, "g", error=TypeError)
    refused("A formula is text", "y ~ x", data, "g", 1, error=TypeError)


def test_an_offset_is_part_of_the_response(data):
    # what the message promises: y - z on x is the model of y with z's coefficient held at 1
    free, held = mixedlm("y ~ x + z", data, "g", reml=False), mixedlm("I(y - z) ~ x", data, "g", reml=False)
    assert held.llf < free.llf
    moved = data.assign(y=data.y + 5 * data.z)
    assert mixedlm("I(y - 5 * z) ~ x", moved, "g").llf == pytest.approx(mixedlm("y ~ x", data, "g").llf, abs=1e-8)


# ---- types of columns -----------------------------------------------------------------------------

NUMBERS = {
    "object": lambda s: s.astype(object), "Decimal": lambda s: s.map(lambda v: Decimal(repr(v))).astype(object),
    "Fraction": lambda s: s.map(Fraction).astype(object), "Float64": lambda s: s.astype("Float64"),
    "longdouble": lambda s: s.astype(np.longdouble), "sparse": lambda s: s.astype(pd.SparseDtype(float)),
    "mixed": lambda s: s.astype(object).where(s.index % 2 == 0, s.map(lambda v: Decimal(repr(v)))),
} | ({"pyarrow": lambda s: s.astype("double[pyarrow]")} if ARROW else {})
WHOLE = ["int8", "uint8", "int16", "Int8", "UInt8", "Int64", "object", "float16", "float32"] + ["int8[pyarrow]"] * ARROW
TEXT = ["object", "str", "string", "category"] + ["string[pyarrow]"] * ARROW


@pytest.mark.parametrize("sort", NUMBERS)
@pytest.mark.parametrize("formula, effects", [("y ~ x + z", "~ x"), ("y ~ I(x**2) + np.exp(x) + center(x)", None)])
def test_numbers_of_all_types(data, sort, formula, effects):
    odd = data.assign(**{name: NUMBERS[sort](data[name]) for name in ("x", "y")})
    fit, plain = mixedlm(formula, odd, "g", effects), mixedlm(formula, data, "g", effects)
    same(fit, plain)
    new = odd.head(3)
    np.testing.assert_allclose(fit.predict(new), plain.predict(data.head(3)))
    np.testing.assert_allclose(mlm.predict(fit, new, "g"), mlm.predict(plain, data.head(3), "g"))


@pytest.mark.parametrize("sort", WHOLE)
def test_whole_numbers_do_not_overflow(data, sort):
    odd = data.assign(age=data.age.astype(sort))
    fit = mixedlm("y ~ I(age ** 2) + I(age ** 12)", odd, "g")
    same(fit, mixedlm("y ~ I(age ** 2) + I(age ** 12)", data.astype({"age": float}), "g"))
    np.testing.assert_allclose(fit.predict(odd), fit.predict())
    # as categories they keep their names
    if "float" not in sort:
        same(mixedlm("y ~ C(k) + k:x", data.assign(k=data.k.astype(sort)), "g"), mixedlm("y ~ C(k) + k:x", data, "g"))


@pytest.mark.parametrize("sort", TEXT)
def test_text(data, sort):
    words = data.k.map({0: "low", 1: "mid", 2: "top"})
    plain, odd = data.assign(k=words.astype(object)), data.assign(k=words.astype(sort), g=data.g.astype(str).astype(sort))
    fit = mixedlm("y ~ k + x", odd, "g")
    same(fit, mixedlm("y ~ k + x", plain.assign(g=data.g.astype(str)), "g"))
    np.testing.assert_allclose(mlm.predict(fit, odd.head(4), "g").fit, fit.fittedvalues[:4])
    np.testing.assert_allclose(mlm.predict(fit, plain.head(4), odd.g[:4].astype(str)).fit, fit.fittedvalues[:4])


def test_true_and_false(data):
    yes = data.x > 0
    fit = mixedlm("y ~ b", data.assign(b=yes), "g")
    for sort in ["boolean", "object"] + ["bool[pyarrow]"] * ARROW:
        same(mixedlm("y ~ b", data.assign(b=yes.astype(sort)), "g"), fit)
    refused("'b' holds categories; it must be numeric", "b ~ x", data.assign(b=yes), "g")


DATES = pd.Series(pd.date_range("2020-01-01", periods=90))
REFUSED = {
    "datetime": (DATES, "days since the first"), "zone": (DATES.dt.tz_localize("UTC"), "days since the first"),
    "timedelta": (DATES - DATES[0], "days since the first"), "period": (DATES.dt.to_period("M"), "days since the first"),
    "date": (pd.Series([datetime.date(2020, 1, 1 + i % 9) for i in range(90)]), "days since the first"),
    "complex": (pd.Series(range(90)) + 1j, "complex values"), "bytes": (pd.Series([b"1", b"2"] * 45), "bytes values"),
    "text numbers": (pd.Series(range(90)).astype(str), "holds text .'0'. where numbers"),
    "text among numbers": (pd.Series([*range(89), "n/a"], dtype=object), "holds text .'n/a'. where numbers"),
    "lists": (pd.Series([[1]] * 90), "several types"),
} | ({"arrow date": (DATES.astype("timestamp[ns][pyarrow]"), "days since the first")} if ARROW else {})


@pytest.mark.parametrize("sort", REFUSED)
@pytest.mark.parametrize("formula", ["y ~ odd", "y ~ Q('odd')", "odd ~ x"])
def test_what_is_no_number_is_refused_by_name(data, sort, formula):
    odd, message = REFUSED[sort]
    refused(f"odd.*{message}", formula, data.assign(odd=odd), "g")


def test_what_dates_can_be_used_for(data):
    dated = data.assign(day=DATES)
    for formula in ("y ~ day.dt.day_of_year", "y ~ I((day - pd.Timestamp('2020-01-01')).dt.days)"):
        assert mixedlm(formula, dated, "g").llf == pytest.approx(mixedlm("y ~ t", data.assign(t=data.index), "g").llf)
    monthly = data.assign(month=DATES.dt.to_period("M").dt.to_timestamp())
    assert len(mixedlm("y ~ C(month)", monthly, "g").fe_params) == 3


def test_expressions_that_give_no_numbers(data):
    refused(r"'I\(day\)' holds values of the type Timestamp", "y ~ I(day)", data.assign(day=DATES), "g")

    def exact(values):
        return [Decimal(repr(value)) for value in values]

    with pytest.raises(ValueError, match=r"'exact\(x\)' holds values of the type Decimal"):
        mixedlm("y ~ exact(x)", data, "g")


def test_unused_categories(data):
    words = data.k.map({0: "low", 1: "mid", 2: "top"})
    kinds = pd.Categorical(words, ["zero", "low", "mid", "top", "best"])
    plain = mixedlm("y ~ k + x", data.assign(k=words), "g")
    fit = mixedlm("y ~ k + x", data.assign(k=kinds), "g")
    same(fit, plain)
    # categories of new rows are matched by name: none has to be there, no matter in which order
    for new in (["top"], pd.Categorical(["top"]), pd.Categorical(["top"], ["top", "low"]), np.array(["top"], object)):
        assert fit.predict(pd.DataFrame({"k": new, "x": 1.0}))[0] == pytest.approx(
            plain.predict(pd.DataFrame({"k": ["top"], "x": 1.0}))[0])
    with pytest.raises(ValueError, match="'zero' does not match any of the expected levels .*low.*mid.*top"):
        fit.predict(pd.DataFrame({"k": ["zero"], "x": 1.0}))


FACTORS = {
    "whole numbers": lambda k: k.astype("category"),
    "intervals": lambda k: pd.cut(k, [-1, 0, 1, 2]),
    "periods": lambda k: pd.Series(pd.PeriodIndex((k + 2000).astype(str), freq="Y").astype("category"), k.index),
    "dates": lambda k: pd.to_datetime(k.map("200{}-01-01".format)).astype("category"),
    "nullable numbers, as categories": lambda k: k.astype("Int64"),
    "unused": lambda k: pd.Categorical(k.map({0: "low", 1: "mid", 2: "top"}), ["zero", "low", "mid", "top"]),
}


@pytest.mark.parametrize("kind", FACTORS)
def test_a_factor_of_any_type_is_the_factor_of_words(data, kind):
    """In the fit, for new rows, in marginal means and joint tests, and after a pickle."""
    formula = "y ~ x * C(k)" if kind.startswith("nullable") else "y ~ x * k"
    words = data.assign(k=data.k.map({0: "low", 1: "mid", 2: "top"}))
    plain = mixedlm("y ~ x * k", words, "g")
    fit = mixedlm(formula, given := data.assign(k=FACTORS[kind](data.k)), "g")
    for again in (fit, pickle.loads(pickle.dumps(fit))):
        np.testing.assert_allclose(again.predict(given), plain.predict(words), rtol=1e-9)
        np.testing.assert_allclose(mlm.joint_tests(again), mlm.joint_tests(plain), rtol=1e-8)
        np.testing.assert_allclose(mlm.marginal_means(again, "k")["estimate"], mlm.marginal_means(plain, "k")["estimate"], rtol=1e-9)
    np.testing.assert_allclose(mlm.pairwise(fit, "k")["estimate"], mlm.pairwise(plain, "k")["estimate"], rtol=1e-8)


def test_numbers_kept_as_objects_are_numbers_in_means_and_tests(data):
    plain, given = mixedlm("y ~ x * C(k)", data, "g"), data.assign(x=data.x.astype(object))
    fit = mixedlm("y ~ x * C(k)", given, "g")
    for again in (fit, pickle.loads(pickle.dumps(fit))):
        pd.testing.assert_frame_equal(mlm.marginal_means(again, "k", at={"x": 0.5}), mlm.marginal_means(plain, "k", at={"x": 0.5}))
        pd.testing.assert_frame_equal(mlm.marginal_means(again, "k"), mlm.marginal_means(plain, "k"))
        pd.testing.assert_frame_equal(mlm.joint_tests(again), mlm.joint_tests(plain))


@pytest.mark.parametrize("wrong", ["False", None, 0])
def test_a_switch_is_true_or_false(data, wrong):
    for name in ("reml", "correlated"):
        refused(f"{name} is True or False, not {wrong!r}", "y ~ x", data, "g", error=TypeError, **{name: wrong})


@pytest.mark.parametrize("wrong", ["data.csv", 5, None])
def test_data_that_are_no_table(wrong):
    refused(f"The data must be a data frame; this is {wrong!r}", "y ~ x", wrong, "g")


def test_other_containers(data):
    tables = []
    if ARROW:
        import pyarrow

        tables = [pyarrow.Table.from_pandas(data)]
    for given in (data.to_dict("list"), data.to_dict("series"), data.to_records(), *tables):
        same(mixedlm("y ~ x", given, "g"), mixedlm("y ~ x", data, "g"))
    fit = mixedlm("y ~ x", data, "g")
    np.testing.assert_allclose(fit.predict({"x": [1.0, 2.0]}), fit.predict(pd.DataFrame({"x": [1.0, 2.0]})))


# ---- missing values -------------------------------------------------------------------------------


def holes(data):
    """Missing values in y and x; a kind of student that only occurs where they are."""
    words = data.k.map({0: "low", 1: "mid", 2: "top"})
    words[[3, 12]] = "alone"
    out = data.assign(k=words, w=data.z)
    out.loc[3, "y"] = np.nan
    out.loc[[12, 13, 40], "x"] = np.nan
    return out


FORMULAS = ["y ~ x", "y ~ center(x)", "y ~ standardize(x)", "y ~ bs(x, df=4)", "y ~ bs(w, df=4) + x", "y ~ center(w) + x",
            "y ~ k + x", "y ~ x * k", "y ~ C(k, Sum) + center(x)", "y ~ cr(x, df=3) - 1", "y ~ Q('x') + scale(w)",
            "y ~ np.log(x ** 2)"]


@pytest.mark.parametrize("formula", FORMULAS)
def test_rows_left_out_leave_no_trace(data, formula):
    with pytest.warns(MissingRows, match="^4 of 90 rows"):
        fit = mixedlm(formula, holes(data), "g")
    clean = holes(data).dropna()
    same(fit, mixedlm(formula, clean, "g"))
    np.testing.assert_allclose(fit.predict(clean.head()), fit.predict()[:5])


@pytest.mark.parametrize("formula", FORMULAS)
def test_copies_predict_the_same(data, formula):
    with pytest.warns(MissingRows):
        fit = mixedlm(formula, holes(data), "g", "~ center(w)")
    new = holes(data).dropna().iloc[5:9]
    again = copy.deepcopy(fit)
    for again in (again, copy.copy(fit), *(pickle.loads(pickle.dumps(one)) for one in (fit, again))):
        np.testing.assert_allclose(again.predict(new), fit.predict(new), rtol=1e-12)
        np.testing.assert_allclose(mlm.predict(again, new, "g"), mlm.predict(fit, new, "g"), rtol=1e-12)
    assert copy.deepcopy(fit).design.X is not fit.design.X


def test_a_deep_copy_keeps_names_of_the_session(data):
    def double(x):
        return 2 * x

    fit = mixedlm("y ~ double(x)", data, "g")
    np.testing.assert_allclose(copy.deepcopy(fit).predict(data), fit.predict())


def test_a_pickle_that_would_predict_otherwise_is_refused(data):
    fit = pickle.loads(pickle.dumps(mixedlm("y ~ bs(x, df=4)", data, "g")))
    fit.design.data = fit.design.data.assign(x=fit.design.data.x ** 3)  # as after an edit, or another version of patsy
    with pytest.raises(ValueError, match="depends on the other rows|other values"):
        fit.predict(data.head())


def test_predictions_that_depend_on_the_other_rows_are_refused(data):
    for formula in ("y ~ I(x - x.mean())", "y ~ x.rank()", "y ~ I(x / x.max())"):
        with pytest.raises(ValueError, match="depends on the other rows"):
            mixedlm(formula, data, "g").predict(data.head())


def test_arrays_of_the_session_lose_the_same_rows(data):
    mine = data.z.to_numpy() ** 2
    series = pd.Series(mine, name="other")
    for formula in ("y ~ x + mine", "y ~ x + series"):
        with pytest.warns(MissingRows):
            fit = mixedlm(formula, holes(data), "g")
        expected = mixedlm("y ~ x + w", holes(data).assign(w=mine).dropna(), "g")
        np.testing.assert_allclose(fit.fe_params, expected.fe_params)
        with pytest.raises(ValueError, match="(mine|series) is not among"):
            fit.predict(data)
    both = np.ones((len(data), 2))  # noqa: F841 (the formula sees it)
    with pytest.raises(ValueError, match="'both' is an array of 2 dimensions"):
        mixedlm("y ~ both", data, "g")


def test_functions_that_fill_missing_values_are_heeded(data):
    gaps = data.assign(x=data.x.where(data.index > 5))
    fit = mixedlm("y ~ x.fillna(0) + x.isna()", gaps, "g")
    assert fit.nobs == 90 and fit.llf == pytest.approx(
        mixedlm("y ~ a + b", gaps.assign(a=gaps.x.fillna(0), b=gaps.x.isna() * 1.0), "g").llf, abs=1e-8)


@pytest.mark.parametrize("backend", ["numpy_nullable"] + ["pyarrow"] * ARROW)
def test_converted_types(data, backend):
    gaps = holes(data).assign(b=data.z > 0, age=data.age.astype("Int64"))
    gaps["b"] = gaps.b.astype("boolean")
    gaps.loc[20, ["b", "age"]] = pd.NA
    gaps["g"] = gaps.g.astype("Int64")
    gaps.loc[21, "g"] = pd.NA
    converted = gaps.convert_dtypes(dtype_backend=backend)
    clean = gaps.dropna()
    clean = clean.assign(b=clean.b.astype(bool), age=clean.age.astype(float), g=clean.g.astype(int))
    for formula in ("y ~ x + k + b + age", "y ~ center(age) + C(k) + b + np.exp(x)"):
        with pytest.warns(MissingRows, match="^6 of 90"):
            fit = mixedlm(formula, converted, "g")
        same(fit, mixedlm(formula, clean, "g"))
        np.testing.assert_allclose(mlm.predict(fit, converted.loc[clean.index], "g").fit, fit.fittedvalues)


def test_columns_without_values(data):
    refused("x has no values", "y ~ x", data.assign(x=np.nan), "g")
    refused("x has no values", "y ~ x", data.assign(x=None), "g")
    refused("x has no values", "y ~ x", data.assign(x=pd.Categorical([None] * 90)), "g")
    refused("No row is complete", "y ~ center(x)", data.assign(x=np.nan), "g")
    refused("No row is complete", "y ~ x", data.assign(g=np.nan), "g")
    refused("'x' has infinite", "y ~ center(x)", data.assign(x=data.x.where(data.x > 0, np.inf)), "g")


def test_many_groups_and_a_gap_are_no_slower():
    rng = np.random.default_rng(1)
    g = np.repeat(np.arange(20_000), 3)
    data = pd.DataFrame({"g": g, "x": rng.normal(size=len(g))})
    data["y"] = data.x + rng.normal(size=20_000)[g] + rng.normal(size=len(g))

    def seconds(data):
        begin = time.process_time()
        mixedlm("y ~ x", data, "g")
        return time.process_time() - begin

    whole = min(seconds(data) for _ in range(3))
    data.loc[5, "x"] = np.nan
    with pytest.warns(MissingRows):
        gap = min(seconds(data) for _ in range(3))
    assert gap < 5 * whole + 0.2  # it was 370 times as long; a factor of 2 is right


# ---- property: traits of real frames change nothing -----------------------------------------------

TRAITS = {
    "x": [*NUMBERS.values(), lambda s: s.astype(float)],
    "age": [lambda s, sort=sort: s.astype(sort) for sort in ("int8", "uint8", "Int8", "Int64", "float32", "object")],
    "k": [lambda s, sort=sort: s.astype(sort) for sort in TEXT]
    + [lambda s: pd.Series(pd.Categorical(s, ["none", "top", "low", "mid", "rest"]), s.index)],
    "g": [lambda s, sort=sort: s.astype(sort) for sort in ("int8", "Int64", "float", "category", "object")],
    "b": [lambda s, sort=sort: s.astype(sort) for sort in ("bool", "boolean", "object")],
}


@settings(max_examples=60, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10**6), draw=st.data(), reml=st.booleans(),
       formula=st.sampled_from(["y ~ x + age + k + b", "y ~ center(x) * k + C(b)", "y ~ bs(x, df=4) + I(age ** 2) + b",
                                "y ~ Q('my x') + x + C(k, Sum)", "y ~ standardize(age) + np.tanh(x)"]),
       effects=st.sampled_from([None, "~ x", "~ 0 + b", "~ center(age)"]))
def test_traits_of_frames_change_nothing(seed, draw, formula, effects, reml):
    rng = np.random.default_rng(seed)
    clean = made(seed, groups=25)
    clean = clean.assign(k=clean.k.map({0: "low", 1: "mid", 2: "top"}), b=rng.random(len(clean)) > 0.5)
    clean["my x"] = clean.z
    odd = clean.copy()
    for name, traits in TRAITS.items():
        odd[name] = draw.draw(st.sampled_from(traits), label=name)(clean[name])
    gaps = draw.draw(st.dictionaries(st.sampled_from(["y", "x", "k", "my x"]), st.integers(0, len(clean) - 1), max_size=4))
    if draw.draw(st.booleans(), label="copies of the index"):
        odd.index = clean.index = rng.integers(0, 50, len(clean))
    if draw.draw(st.booleans(), label="shuffled"):
        order = rng.permutation(len(clean))
        odd, clean = odd.iloc[order], clean.iloc[order]
    kept = np.ones(len(clean), bool)
    for name, row in gaps.items():
        values, dtype = odd[name].to_numpy(object, copy=True), odd[name].dtype
        values[row] = np.nan if dtype.kind == "f" or isinstance(dtype, pd.SparseDtype) else None
        odd[name] = pd.Series(values, index=odd.index).astype(dtype)
        kept[row] &= name not in formula and name not in (effects or "")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SingularFit)
        warnings.simplefilter("ignore", MissingRows)
        fit = mixedlm(formula, odd, "g", effects, reml)
        plain = mixedlm(formula, clean[kept], "g", effects, reml)
    assert fit.nobs == kept.sum()
    assert fit.llf == pytest.approx(plain.llf, abs=1e-7)
    # whole numbers up to 19 are exact in float32; categories may stand in another order
    np.testing.assert_allclose(fit.fittedvalues.to_numpy(), plain.fittedvalues.to_numpy(), rtol=1e-6, atol=1e-6)
    new = odd[kept][:5]
    predicted = mlm.predict(fit, new, "g")
    np.testing.assert_allclose(predicted.fit, fit.fittedvalues.to_numpy()[:5], rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(pickle.loads(pickle.dumps(fit)).predict(new), fit.predict(new), rtol=1e-9)


# ---- groups ---------------------------------------------------------------------------------------


def test_groups_as_a_series_are_matched_by_index(data):
    plain = mixedlm("y ~ x", data, "g")
    for groups in (data.g, data.g.sample(frac=1, random_state=2), data.g.to_numpy(), data.g.tolist()):
        same(mixedlm("y ~ x", data, groups), plain)
    refused("another index.*to_numpy", "y ~ x", data, data.g.set_axis(range(1, 91)))
    refused("another index", "y ~ x", data.set_axis(["a"] * 90), data.g)
    refused("another index", "y ~ x", data.set_axis(range(5, 95)), data.g)
    same(mixedlm("y ~ x", data.set_axis([3] * 90), data.g.set_axis([3] * 90)), plain)


def test_groups_that_are_no_groups(data):
    refused("name of one column, or one label", "y ~ x", data, data[["g", "k"]])
    refused("name of one column, or one label", "y ~ x", data, None)
    refused("name of one column, or one label", "y ~ x", data, 3)
    refused("more than one grouping factor", "y ~ x", data, "g/k")
    refused("g, k are 2 columns.*mixedlm.lmer", "y ~ x", data, ["g", "k"])
    refused("mix numbers and text", "y ~ x", data, [*data.g[:-1], "a"])
    refused("mix numbers and text", "y ~ x", data, [*(data.g[:-1] + 0.5), "a"])


def test_labels_of_another_type_are_an_error(data):
    by_number = mixedlm("y ~ x", data, "g")
    by_text = mixedlm("y ~ x", data.assign(g=data.g.astype(str)), "g")
    with pytest.raises(ValueError, match="groups are numbers .such as 0., those of the new rows text .such as '0'."):
        mlm.predict(by_number, data, data.g.astype(str))
    for groups in (data.g, data.g.astype("category"), data.g.astype("Int64"), data.g.astype(float)):
        with pytest.raises(ValueError, match="groups are text .such as '0'., those of the new rows numbers"):
            mlm.predict(by_text, data, groups)
        np.testing.assert_allclose(mlm.predict(by_number, data, groups).fit, by_number.fittedvalues)
    with pytest.raises(ValueError, match="numbers .such as 0., those of the new rows boolean"):
        mlm.predict(by_number, data, data.g > 0)
    with pytest.raises(ValueError, match="no column 'school'"):
        mlm.predict(by_number, data, "school")
    with pytest.raises(ValueError, match="5 entries, the data 90"):
        mlm.predict(by_number, data, [1] * 5)
    # a new group has to be of the same type, or missing
    new = mlm.predict(by_number, data.head(3)).fit
    for groups in ([99, 99, 99], [None] * 3, [np.nan, None, 99], pd.array([None, None, 99], dtype="Int64")):
        np.testing.assert_allclose(mlm.predict(by_number, data.head(3), groups).fit, new)
    reordered = data.g.head(3).iloc[::-1].set_axis([2, 1, 0])
    np.testing.assert_allclose(mlm.predict(by_number, data.head(3), reordered).fit, by_number.fittedvalues[:3])


# ---- new rows -------------------------------------------------------------------------------------


def test_one_row_and_rows_of_odd_types(data):
    kinds = data.assign(k=data.k.map({0: "low", 1: "mid", 2: "top"}))
    fit = mixedlm("y ~ x * k + center(age)", kinds, "g", "~ x")
    for new in (kinds.iloc[[4]], kinds.iloc[4].to_frame().T, kinds.iloc[[4]].convert_dtypes(), kinds.iloc[[4]].astype(object)):
        assert fit.predict(new).iloc[0] == pytest.approx(fit.predict().iloc[4])
        assert mlm.predict(fit, new, "g").fit.iloc[0] == pytest.approx(fit.fittedvalues.iloc[4])
    assert len(fit.predict(kinds.iloc[:0])) == 0
    assert fit.predict(kinds.head(2).assign(x=[1.0, np.nan])).isna().tolist() == [False, True]
    assert fit.predict(kinds.head(2).assign(k=["low", None])).isna().tolist() == [False, True]
    for new, message in ((kinds.drop(columns="x"), "x is not among theirs"), (kinds.assign(x="a"), "need numbers in x"),
                         (kinds.assign(k=1.0), "does not match any of the expected levels")):
        with pytest.raises(ValueError, match=message):
            fit.predict(new)


# ---- description ----------------------------------------------------------------------------------


def test_describe_takes_every_type_of_number(data):
    plain = mlm.describe(data[["x"]]).loc["x"]
    for sort in NUMBERS:
        pd.testing.assert_series_equal(mlm.describe(data.assign(x=NUMBERS[sort](data.x))).loc["x"], plain, rtol=1e-9)
    frame = data.assign(empty=np.nan, one=1, t=DATES - DATES[0], day=DATES, text="a", flag=True, kind=pd.Categorical(data.k))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        table = mlm.describe(frame)
        single = mlm.describe(pd.DataFrame({"x": [2.0, None]})).loc["x"]
    assert table.index.tolist() == ["g", "x", "z", "k", "age", "y", "empty", "one"]
    assert table.loc["empty", "n"] == 0 and table.loc["empty"].drop("n").isna().all()
    assert table.loc["one", "sd"] == 0 and np.isnan(table.loc["one", "skew"])
    assert single["n"] == 1 and single["mean"] == 2 and np.isnan(single["sd"])


def test_between_within_leaves_out_missing_values_as_psych(reference):
    theirs = reference("missing")
    ours = mlm.between_within(pd.DataFrame(theirs["data"], dtype=float), ["x", "y"], "g")
    np.testing.assert_allclose(ours.ICC1, [theirs["icc1"]["x"], theirs["icc1"]["y"]], rtol=1e-10)
    np.testing.assert_allclose(ours.ICC2, [theirs["icc2"]["x"], theirs["icc2"]["y"]], rtol=1e-10)


def test_between_within_of_complete_rows(data):
    gaps = data.assign(x=data.x.where(data.index % 7 > 0), g=data.g.where(data.index != 8))
    for given in (gaps, gaps.convert_dtypes(), gaps.assign(g=gaps.g.map(str).where(gaps.g.notna(), None))):
        pd.testing.assert_frame_equal(mlm.between_within(given, ["x"], "g"), mlm.between_within(gaps.dropna(), "x", "g"),
                                      rtol=1e-10)


@pytest.mark.parametrize("columns, groups, message", [
    (["nope"], "g", "no column 'nope'"), (["x"], "nope", "no column 'nope'"), (["text"], "g", "'text' does not hold numbers"),
    (["x"], "one", "in 1 groups"), (["x"], "own", "in 90 groups"), (["empty"], "g", "0 values in 0 groups"),
])
def test_between_within_refuses_by_name(data, columns, groups, message):
    frame = data.assign(text="a", one=1, own=range(90), empty=np.nan)
    with pytest.raises(ValueError, match=message):
        mlm.between_within(frame, columns, groups)


def test_center_within_takes_every_type_and_matches_by_index(data):
    plain = data.x - data.groupby("g").x.transform("mean")
    for sort in NUMBERS:
        np.testing.assert_allclose(mlm.center_within(NUMBERS[sort](data.x), data.g), plain, atol=1e-12)
    for groups in (data.g.sample(frac=1, random_state=1), data.g.to_numpy(), data.g.astype("string"), data.g.astype("category")):
        pd.testing.assert_series_equal(mlm.center_within(data.x, groups), plain)
    ages = mlm.center_within(data.age.astype("int8"), data.g)
    np.testing.assert_allclose(ages, data.age - data.groupby("g").age.transform("mean"))
    np.testing.assert_allclose(mlm.center_within(data.x > 0, data.g).groupby(data.g).mean(), 0, atol=1e-12)
    gaps = mlm.center_within(data.x.astype("Float64").mask(data.index == 3), data.g.where(data.index != 9))
    assert gaps.index[gaps.isna()].tolist() == [3, 9]
    for x, groups, message in ((data.x.astype(str), data.g, "does not hold numbers"), (data.x, data.g[:9], "9 entries"),
                               (data.x, data.g.set_axis(range(1, 91)), "another index")):
        with pytest.raises(ValueError, match=message):
            mlm.center_within(x, groups)


def test_centering_before_rows_are_left_out_is_told(data):
    centered = data.assign(x_cwc=mlm.center_within(data.x, data.g))
    gaps = centered.assign(y=data.y.where(~data.index.isin([3, 30])))
    for formula in ("y ~ x_cwc", "y ~ np.abs(z) + x_cwc"):
        with pytest.warns(MissingRows, match="2 of 90.*x_cwc was centered within groups before, and is no longer"):
            mixedlm(formula, gaps, "g")
    rest = gaps.dropna()
    with pytest.warns(MissingRows) as told:  # a whole group leaves the others' means alone
        mixedlm("y ~ x_cwc", centered.assign(y=data.y.where(data.g > 0)), "g")
        mixedlm("y ~ x", gaps, "g")
    assert not any("centered" in str(warning.message) for warning in told)
    assert mixedlm("y ~ x_cwc", rest.assign(x_cwc=mlm.center_within(rest.x, rest.g)), "g").nobs == 88
