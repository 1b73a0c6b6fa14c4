"""The table of one or several fits: what stands where, and its HTML."""

import warnings

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import statsmodels.formula.api as smf
from bs4 import BeautifulSoup

import mlm
from mlm import formats, notebook

FIXED, RANDOM, FIT = "Fixed effects", "Variance components", "Fit"


@pytest.fixture(scope="module")
def fits(hsb):
    return {"A": mlm.mixedlm("mathach ~ 1", hsb, groups="schid"),
            "B": mlm.mixedlm("mathach ~ ses", hsb, groups="schid", re_formula="~ ses"),
            "C": mlm.mixedlm("mathach ~ ses", hsb, groups="schid", reml=False)}


def test_parameters_against_models(fits, reference):
    table = mlm.model_table(fits)
    assert table.loc[FIXED].index.tolist() == ["Intercept", "ses"]
    assert table.loc[RANDOM].index.tolist() == ["var(Intercept)", "cov(Intercept, ses)", "var(ses)", "var(Residual)"]
    assert table.loc[FIT].index.tolist() == ["method", "observations", "groups", "parameters", "deviance", "AIC", "BIC",
                                             "R\u00b2 marginal", "R\u00b2 conditional"]
    lme4 = reference("mixed")["slope_raw"]["reml"]
    tau, se = lme4["random"]["tau"], lme4["variance_se"]
    assert table.loc[(FIXED, "ses"), "B"] == f"{lme4['fixed']['estimate'][1]:.3f} ({lme4['fixed']['se'][1]:.3f})"
    assert table.loc[(RANDOM, "var(ses)"), "B"] == f"{tau[1][1]:.3f} ({se['tau'][1][1]:.3f})"
    assert table.loc[(RANDOM, "cov(Intercept, ses)"), "B"] == f"\u2212{-tau[0][1]:.3f} ({se['tau'][0][1]:.3f})"
    assert table.loc[(RANDOM, "var(Residual)"), "B"] == f"{lme4['sigma2']:.3f} ({se['sigma2']:.3f})"
    assert table.loc[(FIT, "deviance"), "B"] == f"{lme4['deviance']:.2f}"
    assert table.loc[(FIXED, "ses"), "A"] == table.loc[(FIT, "AIC"), "B"] == ""
    assert table.loc[(FIT, "parameters")].tolist() == ["3", "6", "4"]


def test_one_fit_has_its_tests(fits, reference):
    row = mlm.model_table(fits["B"]).loc[FIXED, :].loc["ses"]
    lmertest = reference("inference")["satterthwaite"]["slope_raw"]
    assert row.tolist() == [f"{lmertest['estimate'][1]:.3f}", f"{lmertest['se'][1]:.3f}", f"{lmertest['df'][1]:.1f}",
                            f"{lmertest['t'][1]:.2f}", "< .001"]


def test_intervals(fits, hsb, reference):
    null = mlm.mixedlm("mathach ~ 1", hsb, groups="schid", reml=False)
    table = mlm.model_table(null, "interval")
    profile = reference("inference")["profile"]["null"]
    assert table.loc[(RANDOM, "sd Intercept"), "95 % interval"] == f"[{profile['lower'][0]:.3f}, {profile['upper'][0]:.3f}]"
    several = mlm.model_table({"A": fits["A"]}, "interval")
    assert several.loc[(FIXED, "Intercept"), "A"].startswith("12.637 [12.1")


def test_singular_fits_have_no_standard_errors(hsb):
    with pytest.warns(mlm.SingularFit):
        some = hsb[hsb.schid.isin(hsb.schid.unique()[80:100])]
        fit = mlm.mixedlm("mathach ~ ses + minority", some, "schid", "~ ses")
    table = mlm.model_table({"A": fit})
    assert "(" not in table.loc[(RANDOM, "var(ses)"), "A"] and "(" in table.loc[(FIXED, "ses"), "A"]


def test_what_cannot_be_shown_is_refused(fits):
    with pytest.raises(ValueError, match="'se' or 'interval'; it is 'sd'"):
        mlm.model_table(fits, "sd")
    with pytest.raises(ValueError, match="at least one"):
        mlm.model_table({})


def test_html_has_the_parts_as_headings(fits):
    page = BeautifulSoup(notebook.frame_to_html(mlm.model_table(fits)), "html.parser")
    parts = page.select("th[scope=rowgroup]")
    assert [part.get_text() for part in parts] == [FIXED, RANDOM, FIT]
    assert {part["colspan"] for part in parts} == {"4"} and len(page.select("thead th")) == 4
    assert len(page.select("th[scope=row]")) == 15


# ---- what has gone wrong before -----------------------------------------------------------------


def test_a_predictor_named_x(hsb):
    fit = mlm.mixedlm("mathach ~ x + Residual", hsb.rename(columns={"ses": "x", "female": "Residual"}), "schid", "~ x")
    table = mlm.model_table(fit)
    assert table.loc[FIXED].index.tolist() == ["Intercept", "x", "Residual"]
    assert table.loc[RANDOM].index.tolist() == ["var(Intercept)", "cov(Intercept, x)", "var(x)", "var(Residual)"]


def test_a_list_of_fits(fits):
    table = mlm.model_table(list(fits.values()))
    assert list(table) == ["Model 1", "Model 2", "Model 3"]
    pd.testing.assert_frame_equal(table.set_axis(list(fits), axis=1), mlm.model_table(fits))
    for wrong in ([], {"A": None}, ["A"], 3):
        with pytest.raises(ValueError, match="fits must be a fit of mlm.mixedlm, or a list or a dict of at least one"):
            mlm.model_table(wrong)


def test_small_slopes_keep_their_digits(hsb):
    fit = mlm.mixedlm("mathach ~ I(1000 * ses) + size", hsb, "schid", "~ size")
    table, tests = mlm.model_table(fit), mlm.satterthwaite(fit)
    small = table.loc[(FIXED, "I(1000 * ses)")]
    assert small.estimate == f"{tests.estimate['I(1000 * ses)']:.5f}" and small.SE == f"{tests.se['I(1000 * ses)']:.5f}"
    assert float(small.SE) == pytest.approx(tests.se["I(1000 * ses)"], rel=0.05)
    assert float(table.loc[(RANDOM, "var(size)"), "estimate"]) > 0
    one = mlm.model_table({"A": fit}).loc[(FIXED, "I(1000 * ses)"), "A"]
    assert one == f"{small.estimate} ({small.SE})"
    # what decides is the spread: an estimate near 0 by chance gets no more digits than it deserves
    assert "0.000" not in table.loc[FIXED].to_numpy() and (table.p != "0.000").all()


def test_the_corner_says_what_the_parentheses_are(fits):
    assert mlm.model_table(fits).index.names == ["part", "estimate (SE)"]
    assert mlm.model_table(fits, "interval", level=0.9).index.names == ["part", "estimate [90 % interval]"]
    assert mlm.model_table(fits["A"]).index.names == ["part", "parameter"]


def test_numbers_as_apa_writes_them(fits, hsb):
    # what can't exceed 1 has no zero before its point
    assert formats.share(-0.5814, 3) == "\u2212.581" and formats.share(1, 3) == "1.000" and formats.share(0, 3) == ".000"
    assert mlm.model_table(fits["B"], "interval").loc[(RANDOM, "cor Intercept ses"), "estimate"].startswith("\u2212.")
    assert mlm.model_table(fits["B"]).loc[(FIT, "R\u00b2 marginal"), "estimate"].startswith(".0")
    assert mlm.p_value(0.0004999) == "< .001" and mlm.p_value(1) == "1.000" and mlm.p_value(0.05) == ".050"
    for wrong in (-0.1, 1.1, "small", None, float("nan")):
        with pytest.raises(ValueError, match="p must be a probability, from 0 to 1"):
            mlm.p_value(wrong)


def test_p_values_and_small_numbers_of_any_frame():
    frame = pd.DataFrame({"estimate": [12.0, 0.00042, 1e-17], "p": [0.2, 1e-9, float("nan")]})
    cells = [cell.get_text() for cell in BeautifulSoup(notebook.frame_to_html(frame, 3), "html.parser").select("tbody td")]
    assert cells == ["12.000", ".200", "0.00042", "< .001", "0.000", ""]


# ---- a fit as a paragraph -------------------------------------------------------------------------


def test_a_report_has_the_numbers_of_lmertest_and_lme4(hsb, reference):
    known = reference("inference")
    data = hsb.assign(ses_cwc=mlm.center_within(hsb["ses"], hsb["schid"]))
    by_reml, by_ml = (mlm.report(mlm.mixedlm("mathach ~ ses_cwc", data, "schid", "~ ses_cwc", reml=reml), "students", "schools")
                      for reml in (True, False))
    assert "restricted maximum likelihood to 7,185 students of 160 schools (14 to 67 each), with random intercepts and random slopes of ses_cwc" in by_reml
    assert "by maximum likelihood to" in by_ml
    lmer = known["satterthwaite"]["slope_cwc"]
    for name, b, se, df, t in zip(["Intercept", "ses_cwc"], *(lmer[key] for key in ("estimate", "se", "df", "t"))):
        sentence = by_reml.partition(f"{name}: ")[2]
        assert sentence.startswith(f"b = {b:.2f}, SE = {se:.2f}, 95% CI [") and f"t({df:.1f}) = {t:.2f}, p < .001" in sentence
    ends = known["profile"]["slope_cwc"]  # of the ML fit, as lme4 computes them
    ends = {name: [formats.text(end, 2) for end in pair] for name, *pair in zip(ends["parameters"], ends["lower"], ends["upper"])}
    cor = [end.replace("0.", ".") for end in ends["cor_ses_cwc.(Intercept)|schid"]]
    order = [ends["sd_(Intercept)|schid"], ends["sd_ses_cwc|schid"], cor, ends["sigma"]]
    spreads = by_ml.partition("between schools: ")[2].partition(" Tests")[0].split("; ")
    assert [spread.partition("CI ")[2].rstrip(".") for spread in spreads] == [f"[{low}, {high}]" for low, high in order]
    assert spreads[2].startswith("correlation of Intercept and ses_cwc")


def test_a_report_names_effects_as_they_are_called(hsb):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", mlm.SingularFit)
        said = mlm.report(mlm.mixedlm("mathach ~ 1", hsb.rename(columns={"ses": "my ses"}), "schid", '~ Q("my ses")'))
    assert 'correlation of Intercept and Q("my ses") ' in said


def test_a_report_of_a_small_balanced_or_singular_study(hsb):
    ten = hsb[hsb["schid"].isin(hsb["schid"].cat.categories[:10])].groupby("schid", observed=True).head(10)
    with pytest.warns(mlm.SingularFit):
        said = mlm.report(mlm.mixedlm("mathach ~ ses", ten, "schid", "~ ses"), level=0.9)
    assert "100 rows of 10 groups (10 each)" in said and "Singular fit: " in said and "90% CI" in said
    assert not any(zero in said for zero in ("p = 0", "p = .000"))


# ---- small tables of one fit ----------------------------------------------------------------------

def test_regressions_of_arrays_have_the_same_tables(hsb):
    by_formula = smf.ols("mathach ~ ses", hsb).fit()
    by_arrays = sm.OLS(hsb["mathach"].to_numpy(), sm.add_constant(hsb["ses"].to_numpy())).fit()
    pd.testing.assert_frame_equal(mlm.coefficients(by_arrays).set_axis(["Intercept", "ses"]).rename_axis("coefficient"),
                                  mlm.coefficients(by_formula))
    pd.testing.assert_frame_equal(mlm.residual_quantiles(by_arrays), mlm.residual_quantiles(by_formula))


def test_of_a_singular_fit_variances_have_no_p(hsb):
    with pytest.warns(mlm.SingularFit):
        fit = mlm.mixedlm("mathach ~ ses", hsb[hsb.schid.isin(hsb.schid.unique()[:5])], "schid", "~ ses")
    assert mlm.coefficients(fit).loc["Intercept Var", "p"] == "" and mlm.coefficients(fit).loc["ses", "p"]


def test_a_line_needs_two_places():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for x, y in [([1.5], [10]), ([1, 1], [2, 8]), ([1, np.nan], [2, 3]), ([1, 2], [2, np.nan])]:
            assert np.isnan(mlm.figures.ols_line(x, y)).all()
    assert mlm.figures.ols_line([0, 1, 2, np.nan], [1, 3, 5, 7]) == pytest.approx((1, 2))
