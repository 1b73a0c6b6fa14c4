"""The table of one or several fits: what stands where, and its HTML and LaTeX."""

import pandas as pd
import pytest
from bs4 import BeautifulSoup

import mlm
from mlm import notebook

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


def test_latex_has_the_parts_as_headings(fits):
    lines = notebook.frame_to_latex(mlm.model_table(fits)).splitlines()
    heading = lines.index(r"\multicolumn{4}{l}{\textbf{Variance components}} \\")
    assert lines[heading + 1].startswith("var(Intercept) & 8.614 (1.079) &") and lines.count(r"\midrule") == 1
    plain = notebook.frame_to_latex(pd.DataFrame({"x": [1.0]}))
    assert "multicolumn" not in plain and "1.000" in plain
