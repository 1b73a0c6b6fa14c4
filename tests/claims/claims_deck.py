"""What the slides claim."""

import numpy as np
import patsy
import pytest
import statsmodels.formula.api as smf

import mlm
from course import fit, hsb

NOT_COMPUTED = {
    "students in classes and schools, time points in persons": "examples of a definition",
    "The assumption of independent and identically distributed residuals is violated": "follows from the correlation, which is tested",
    "**indicator variables** (dummy variables) for the clusters in the model, the *fixed effects approach*": "a definition",
    'The "problem": overfitting and the number of parameters': "the number is on the slide; the chapter on random effects shows the rest",
    "estimate the **parameters of their distribution**: means, variances, covariance": "a definition",
    "$r_{ij} \\sim N(0, \\sigma^2)$ in all clusters": "an assumption",
    "with one predictor, variances $\\tau_{00}, \\tau_{11}$ and covariance $\\tau_{01}$": "a definition",
    "Fixed effects: $\\gamma_{00}, \\gamma_{10}$. Random effects or residuals: $u_{0j}, u_{1j}, r_{ij}$.": "a definition",
    "rearranged: $u_{0j} = \\beta_{0j} - \\gamma_{00}$": "a definition",
    "rearranged: $u_{1j} = \\beta_{1j} - \\gamma_{10}$": "a definition",
    "the deviation of the intercept of cluster $j$ from the average intercept across clusters": "a definition",
    "the deviation of the slope of cluster $j$ from the average slope across clusters": "a definition",
    "the deviation of the observed value $Y_{ij}$ from the conditional expected value, given the predictor $X_{ij}$, in cluster $j$": "a definition",
    "The relation of achievement $Y$ and SES $X$ within any school $j$, level by level": "what the equations below it are",
}


def naive(formula):
    return smf.ols(formula, hsb()).fit()


@pytest.mark.claim("They *may* make data **dependent**. Within schools, the residuals of achievement on SES correlate")
def test_residuals_of_a_school_correlate():
    left = hsb().assign(left=naive("mathach ~ ses").resid)
    assert mlm.icc(mlm.mixedlm("left ~ 1", left, "schid")) > 0.05


@pytest.mark.claim("Ignored, this makes standard errors of school-level predictors too small, and tests and *p* values wrong. For predictors within schools, the error can go either way.")
def test_what_ignoring_schools_does_to_standard_errors():
    for predictor in ("meanses", "schtype"):
        assert naive(f"mathach ~ {predictor}").bse[predictor] < 0.8 * fit(f"mathach ~ {predictor}").bse_fe[predictor]
    within = naive("mathach ~ ses_cwc").bse["ses_cwc"]
    assert within > fit("mathach ~ ses_cwc").bse_fe["ses_cwc"]  # what schools share is noise to it
    assert within < fit("mathach ~ ses_cwc", "~ ses_cwc").bse_fe["ses_cwc"]  # slopes that vary


@pytest.mark.claim("A relation may differ from level to level")
def test_the_relation_differs_from_level_to_level():
    both = fit("mathach ~ ses_cwc + ses_mean").fe_params
    assert both["ses_mean"] > 2 * both["ses_cwc"]


@pytest.mark.claim("Effects and relations may vary between clusters")
def test_slopes_vary():
    assert mlm.likelihood_ratio(fit("mathach ~ ses_cwc"), fit("mathach ~ ses_cwc", "~ ses_cwc")).p < 0.01


@pytest.mark.claim("With reference coding, $k$ clusters need $k - 1$ indicators", "Three clusters, for example, need two indicators",
                   "an intercept, a slope, {glue:text}`n_indicators` indicators, a residual variance",
                   "It still assumes the same relation of $Y$ and $X$ in all schools: a slope of",
                   "products of SES with the indicators, makes {glue:text}`n_par_inter` parameters")
def test_parameters_of_the_fixed_effects_approach():
    columns = patsy.dmatrix("C(schid) + ses", hsb()).design_info.column_names
    assert len(columns) + 1 == 162 and sum("C(schid)" in name for name in columns) == 159
    assert [name for name in columns if "ses" in name] == ["ses"]
    assert len(patsy.dmatrix("C(schid) * ses", hsb()).design_info.column_names) + 1 == 162 + 159
    assert patsy.dmatrix("C(g)", {"g": np.array(["a", "b", "c"])}).shape == (3, 3)


@pytest.mark.claim("`minority` happens to be 0 in all six, but it can differ between two students of a school")
def test_six_rows_of_one_school():
    six, schools = hsb().head(6), hsb().groupby("schid", observed=True)
    same = [name for name in six if six[name].nunique() == 1]
    assert {"schid", "size", "schtype", "meanses", "minority"} == set(same)
    assert (schools[["size", "schtype", "meanses"]].nunique() == 1).all(axis=None) and schools["minority"].nunique().max() == 2
