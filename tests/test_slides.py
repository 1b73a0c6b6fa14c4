"""Every number of the slides, and the published values for these data.

The slides print four or five digits; a number is reproduced if it is the same when
printed so. Published values of other programs carry the tolerance of their last digit,
or what is known about how far their optimiser stopped short.
"""

import pytest
import statsmodels.formula.api as smf

import mlm


@pytest.fixture(scope="module")
def first(hsb):
    return smf.ols("mathach ~ ses", data=hsb.head(550)).fit()


@pytest.fixture(scope="module")
def centered(hsb):
    return hsb.assign(ses_cwc=mlm.center_within(hsb["ses"], hsb["schid"]))


def printed(value, digits):
    return f"{value:.{digits}f}"


def test_table_of_logic_one(first):
    assert [printed(x, 4) for x in first.params] == ["12.3956", "4.1711"]
    assert [printed(x, 4) for x in first.bse] == ["0.2806", "0.3551"]
    assert [printed(x, 2) for x in first.tvalues] == ["44.17", "11.74"]  # 11.745 is printed 11.74 by R
    assert printed(first.mse_resid**0.5, 2) == "6.58" and first.df_resid == 548
    assert [printed(first.rsquared, 4), printed(first.rsquared_adj, 4)] == ["0.2011", "0.1996"]
    assert printed(first.fvalue, 1) == "137.9" and first.f_pvalue < 2.2e-16


def test_residual_quantiles_of_logic_one(first):
    row = mlm.tables.residual_quantiles(first).loc["residuals"]
    assert [printed(x, 4) for x in row] == ["-18.0224", "-4.5656", "0.1607", "4.8815", "17.8936"]


def test_equations_of_logic_two(hsb):
    b0, b1 = mlm.figures.ols_lines(hsb).loc["1224", ["intercept", "slope"]]
    assert (printed(b0, 2), printed(b1, 2)) == ("10.81", "2.51")
    b0, b1 = mlm.figures.ols_lines(hsb).loc["1462", ["intercept", "slope"]]
    # The slides print 9.994 - 0.82: a slip, see the errata. R gives these.
    assert (printed(b0, 6), printed(b1, 6)) == ("9.940754", "-0.828809")


def test_parameters_of_the_fixed_effects_slides(hsb, reference):
    fit = smf.ols("mathach ~ ses + C(schid)", data=hsb).fit()
    assert len(fit.params) + 1 == 162
    theirs = reference("regression")["dummies"]
    assert fit.params["ses"] == pytest.approx(theirs["ses"]["estimate"], rel=1e-9)
    assert fit.mse_resid**0.5 == pytest.approx(theirs["sigma"], rel=1e-9)
    assert printed(fit.params["ses"], 6) == "2.191172"


def test_regressions_equal_r(hsb, reference):
    ours = {"first_550": smf.ols("mathach ~ ses", hsb.head(550)).fit(), "all_students": smf.ols("mathach ~ ses", hsb).fit()}
    for name, fit in ours.items():
        theirs = reference("regression")[name]
        assert fit.params.tolist() == pytest.approx([row[0] for row in theirs["coefficients"]], rel=1e-9)
        assert fit.bse.tolist() == pytest.approx([row[1] for row in theirs["coefficients"]], rel=1e-9)
        assert mlm.tables.residual_quantiles(fit).loc["residuals"].tolist() == pytest.approx(
            list(theirs["residual_quantiles"].values()), rel=1e-9)


def test_the_lines_of_all_schools_equal_r(hsb, reference):
    lines, theirs = mlm.figures.ols_lines(hsb), reference("regression")["separate_lines"]
    assert (len(lines), (lines["slope"] < 0).sum()) == (theirs["n"], theirs["n_negative_slopes"])
    assert lines["slope"].std() == pytest.approx(theirs["sd"]["ses"], rel=1e-9)


# formula, slopes that vary, {coefficient: (estimate, SE)}, tau, sigma2, deviance; None where none was published.
# Sources: output of lme4 (course page and own run), UCLA's SAS pages and HLM for Raudenbush & Bryk (2002, ch. 4).
PUBLISHED = {
    "one-way ANOVA": ("1", None, {"Intercept": (12.6370, 0.2444)}, [[8.614]], 39.148, 47116.793),
    "means as outcomes": ("meanses", None, {"Intercept": (12.6495, 0.1493), "meanses": (5.8635, 0.3615)}, [[2.6387]], 39.157, 46961.3),
    "random ANCOVA": ("ses_cwc", None, {"Intercept": (12.6361, 0.2445), "ses_cwc": (2.1912, 0.1087)}, [[8.672]], 37.010, 46724.0),
    "random coefficients": ("ses_cwc", "~ ses_cwc", {"Intercept": (12.6362, 0.2445), "ses_cwc": (2.1932, 0.1283)},
                            [[8.681, 0.047], [0.047, 0.694]], 36.700, 46714.2),
    "raw ses": ("ses", "~ ses", {"Intercept": (12.6650, 0.1898), "ses": (2.3938, 0.1181)},
                [[4.8286, -0.1543], [-0.1543, 0.4129]], 36.8302, None),
    "cross-level": ("meanses * ses_cwc + schtype * ses_cwc", "~ ses_cwc",
                    {"Intercept": (12.0960, 0.1987), "meanses": (5.3329, 0.3692), "schtype": (1.2265, 0.3063),
                     "ses_cwc": (2.9388, 0.1551), "meanses:ses_cwc": (1.0389, 0.2989), "schtype:ses_cwc": (-1.6426, 0.2398)},
                    [[2.379, 0.192], [0.192, 0.101]], 36.721, 2 * 23251.832),
}


@pytest.mark.parametrize("model", PUBLISHED)
def test_published_models(centered, model):
    fixed, slopes, coefficients, tau, sigma2, deviance = PUBLISHED[model]
    fit = mlm.mixedlm(f"mathach ~ {fixed}", centered, groups="schid", re_formula=slopes)
    for name, (estimate, se) in coefficients.items():
        assert fit.fe_params[name] == pytest.approx(estimate, abs=1e-4)  # four digits are published
        assert fit.bse_fe[name] == pytest.approx(se, abs=1e-4)
    assert fit.cov_re.to_numpy().tolist() == [pytest.approx(row, abs=6e-4) for row in tau]  # three digits
    assert fit.scale == pytest.approx(sigma2, abs=6e-4)
    if deviance:
        assert -2 * fit.llf == pytest.approx(deviance, abs=0.06)  # one digit


def test_published_intraclass_correlation_and_residuals(hsb):
    fit = mlm.mixedlm("mathach ~ 1", hsb, groups="schid")
    tau00 = fit.cov_re.iloc[0, 0]
    assert tau00 / (tau00 + fit.scale) == pytest.approx(0.18035, abs=1e-5)
    published = {"1224": -2.6639, "1288": 0.7394, "1296": -4.5685, "1308": 2.9485, "1317": 0.4939}
    for school, u in published.items():
        # Published after lme4's default optimiser, which stops where tau00 is 1e-5 relative off.
        assert fit.random_effects[school].iloc[0] == pytest.approx(u, abs=2e-4)
