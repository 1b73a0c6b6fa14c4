"""The page "R to Python": every row of its tables is tested against the value of the R call.

A row ends with how far both may differ and the name of a function below, which returns what
comes out here and what R gave (tests/reference, r_to_python.R). The tolerance that is tested is
read from the page.
"""

import importlib.util
import inspect
import re
from importlib.metadata import version

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from bs4 import BeautifulSoup
from statsmodels.genmod.bayes_mixed_glm import BinomialBayesMixedGLM

import mlm
from conftest import ROOT
from mlm import notebook

PAGE = (ROOT / "chapters/r-to-python.md").read_text("utf-8")
# Every function in the code of the slides, `\(d)` (a function without a name) and operators left out.
SLIDES = ["c", "lapply", "rownames", "installed.packages", "install.packages", "library", "for", "cat", "paste0",
          "length", "packageVersion", "merTools::hsb", "head", "ggplot", "aes", "geom_point", "geom_smooth", "labs",
          "theme_classic", "lm", "summary", "subset", "facet_wrap"]
NEXT = ["lmer", "fixef", "ranef", "VarCorr", "confint", "anova", "predict", "predictInterval", "REsim", "plotREsim",
        "describe", "statsBy", "flextable"]
VARIABLES = ["minority", "female", "ses", "mathach", "size", "schtype", "meanses"]


def table_rows(page):
    """The R call, tolerance and check of each row of the tables with a third column `what: tolerance, check`."""
    rows = [re.split(r"(?<!\\)\|", line)[1:-1] for line in page.splitlines() if line.startswith("| `")]
    ends = [(row[0], re.search(r": `(\S+)`, `(\w+)` $", row[-1])) for row in rows]
    return [(call, *end.groups()) for call, end in ends if end]


ROWS = table_rows(PAGE)


class Case:
    """What the checks need: the data, fits as in r_to_python.R, and R's values."""

    def __init__(self, hsb, reference):
        self.r, self.reference = reference("r_to_python"), reference
        self.hsb = hsb.assign(ses_cwc=mlm.center_within(hsb["ses"], hsb["schid"]))
        self.first = self.hsb.head(550)
        self.fit = mlm.mixedlm("mathach ~ ses_cwc", self.hsb, groups="schid", re_formula="~ ses_cwc")
        self.null = mlm.mixedlm("mathach ~ 1", self.hsb, groups="schid")
        self.ancova = mlm.mixedlm("mathach ~ ses_cwc", self.hsb, groups="schid")

    def ml(self, formula, re_formula=None):
        return mlm.mixedlm(formula, self.hsb, groups="schid", re_formula=re_formula, reml=False)

    @property
    def axes(self):
        return mlm.figures.scatter_with_lines(self.first, plt.figure().add_subplot())


@pytest.fixture(scope="module")
def case(hsb, reference):
    return Case(hsb, reference)


@pytest.mark.parametrize("row", ROWS, ids=[check for *_, check in ROWS])
def test_row(row, case):
    _, tolerance, check = row
    ours, theirs = globals()[f"check_{check}"](case)
    with matplotlib.rc_context():
        if tolerance == "exact":
            assert np.array_equal(ours, theirs)
        elif tolerance.startswith("±"):
            np.testing.assert_allclose(ours, theirs, rtol=0, atol=float(tolerance[1:]))
        else:  # relative; a number near 0 by its distance, in units of the others
            np.testing.assert_allclose(ours, theirs, rtol=float(tolerance),
                                       atol=float(tolerance) * np.abs(theirs).max())
    plt.close("all")


def test_every_row_has_its_check():
    """No row of a table with the column "What agrees, how far, check" is passed over by `table_rows`."""
    tables = re.findall(r"^\| R \| Here \| What agrees, how far, check \|\n\|[-|]+\n((?:\|.*\n)+)", PAGE, flags=re.M)
    rows = [line for table in tables for line in table.splitlines()]
    assert len(tables) == PAGE.count("What agrees, how far, check") and len(rows) == len(ROWS)


def test_every_check_has_its_row():
    checks = [name.removeprefix("check_") for name in globals() if name.startswith("check_")]
    assert sorted(check for *_, check in ROWS) == sorted(checks)


@pytest.mark.parametrize("function", SLIDES + NEXT)
def test_function_of_the_slides_is_in_the_table(function):
    assert any(re.search(rf"(?<![\w.]){re.escape(function)}(?![\w.])", row[0]) for row in ROWS), function


def test_checks_take_their_value_from_r():
    for name, check in globals().items():
        if name.startswith("check_"):
            assert re.search(r"case\.(r\[|reference\()", inspect.getsource(check)), name


# ---- what the slides call -----------------------------------------------------------------------


def check_library(case):
    there = [importlib.util.find_spec(name) is not None for name in ("statsmodels", "no_such_package")]
    return there, case.r["base"]["there"]


def check_combine(case):
    return [*["a", "b"], len(["a", "b"])], [*case.r["base"]["combine"], case.r["base"]["length"]]


def check_lapply(case):
    return [x**2 for x in (1, 2, 3)], case.r["base"]["apply"]


def check_paste(case):
    return [f"{i}. {name}" for i, name in enumerate(["a", "b"], 1)], case.r["base"]["text"]


def check_version(case):
    recent = [int(part) for part in re.findall(r"\d+", version("statsmodels"))] >= [0, 9]
    return bool(re.fullmatch(r"[\d.]+", version("statsmodels"))) and recent, case.r["base"]["recent"]


def check_data(case):
    return [*case.hsb[["schid", *VARIABLES]].shape, *case.hsb[VARIABLES].sum()], \
        case.r["hsb"]["dim"] + case.r["hsb"]["sums"]


def check_head(case):
    return case.hsb.head(6)[VARIABLES].to_numpy(), case.r["head"]


def check_rows(case):
    first = case.hsb.iloc[:550]
    return [len(first), int(first["schid"].iloc[-1]), first["mathach"].sum()], \
        [case.r["first"]["n"], int(case.r["first"]["last"]), case.r["first"]["sum"]]


def check_subset(case):
    two = case.hsb[case.hsb["schid"].isin(["1224", "1462"])]
    return [len(two), *map(int, two["schid"].unique()), two["mathach"].sum()], \
        [case.r["subset"]["n"], *map(int, case.r["subset"]["schools"]), case.r["subset"]["sum"]]


def check_lm(case):
    return smf.ols("mathach ~ ses", case.first).fit().params, \
        [row[0] for row in case.reference("regression")["first_550"]["coefficients"]]


def check_summary(case):
    fit, theirs = smf.ols("mathach ~ ses", case.first).fit(), case.reference("regression")["first_550"]
    table = mlm.tables.coefficients(fit)[["estimate", "SE", "t"]].to_numpy().ravel()
    return [*table, fit.mse_resid**0.5, fit.df_resid, fit.rsquared, fit.rsquared_adj, fit.fvalue], \
        [*np.ravel([row[:3] for row in theirs["coefficients"]]), theirs["sigma"], theirs["df_residual"],
         theirs["r_squared"], theirs["adj_r_squared"], theirs["f_statistic"]["value"]]


def check_points(case):
    points, theirs = case.axes.collections[0].get_offsets(), case.r["figures"]["points"]
    return [len(points), *points.sum(axis=0)], [theirs["n"], theirs["sum_x"], theirs["sum_y"]]


def check_smooth_lm(case):
    return case.axes.lines[0].get_xydata()[[0, 39, 79]], case.r["figures"]["lm"]


def check_smooth_loess(case):
    return case.axes.lines[1].get_xydata()[[0, 39, 79]], case.r["figures"]["loess"]


def check_facets(case):
    figure, theirs = mlm.figures.school_panels(case.first, columns=7), case.r["figures"]["panels"]
    places = {title.text: (title.y, title.x) for title in figure.layout.annotations if title.text.isdigit()}
    y, x = (sorted({place[k] for place in places.values()}) for k in (0, 1))
    return [(int(school), len(y) - y.index(place[0]), x.index(place[1]) + 1) for school, place in places.items()], \
        list(zip(map(int, theirs["schools"]), theirs["row"], theirs["col"]))


def check_labels(case):
    axes = plt.figure().add_subplot()
    axes.set(xlabel="SES", ylabel="Achievement")
    return [axes.get_xlabel(), axes.get_ylabel()], list(case.r["figures"]["labels"].values())


def check_theme(case):
    mlm.use_course_style()
    axes = plt.figure().add_subplot()
    box = axes.spines["top"].get_visible() or axes.spines["right"].get_visible()
    here = {"box": box, "grid": plt.rcParams["axes.grid"], "axes": axes.spines["bottom"].get_visible()}
    return [here[part] for part in case.r["figures"]["classic"]], list(case.r["figures"]["classic"].values())


# ---- what a teacher calls next ------------------------------------------------------------------


def check_lmer(case):
    return [case.fit.llf, *case.fit.fe_params, case.fit.nobs, len(case.fit.design.labels)], \
        [case.r["lmer"]["logLik"], *case.r["lmer"]["fixef"], case.r["lmer"]["n"], case.r["lmer"]["groups"]]


def check_summary_lmer(case):
    table = mlm.model_table(case.fit).loc["Fixed effects"][["estimate", "SE", "t"]].astype(float)
    theirs = case.r["lmer"]
    return table.T.to_numpy(), [theirs["fixef"], theirs["se"], theirs["t"]]


def check_fixef(case):
    return case.fit.fe_params, case.r["lmer"]["fixef"]


def check_vcov(case):
    return case.fit.cov_fixed, case.r["lmer"]["vcov"]


def check_VarCorr(case):
    tau, scale = case.fit.cov_re.to_numpy(), case.fit.scale
    theirs = case.r["lmer"]["VarCorr"]
    sds = np.sqrt(np.diag(tau))
    return [tau[0, 0], tau[1, 1], tau[0, 1], scale, *sds, tau[0, 1] / sds.prod(), np.sqrt(scale)], \
        [*theirs["variance"], *theirs["sd_cor"]]


def check_uncorrelated(case):
    ours = mlm.mixedlm("mathach ~ ses_cwc", case.hsb, "schid", "~ ses_cwc", correlated=False)
    theirs = case.reference("uncorrelated")["slope_cwc"]["reml"]
    # the correlation is nearly 0 in these data: only what tells the two fits apart, in small numbers
    return [case.fit.llf - ours.llf, *np.diag(ours.cov_re), ours.cov_re.iloc[0, 1]], \
        [case.r["lmer"]["logLik"] - theirs["log_likelihood"], *theirs["variances"], 0]


def check_sigma(case):
    return np.sqrt(case.fit.scale), case.r["lmer"]["sigma"]


def check_ranef(case):
    table = mlm.blups(case.fit)
    return np.hstack([case.fit.blups, table["sd"].unstack()[["Intercept", "ses_cwc"]]]), \
        np.hstack([case.r["lmer"]["ranef"], case.r["lmer"]["cond_sd"]])


def check_coef(case):
    larger = mlm.mixedlm("mathach ~ ses_cwc + meanses", case.hsb, groups="schid", re_formula="~ ses_cwc")
    both = larger.blups.add(larger.fe_params, fill_value=0)  # as R has it: a fixed effect alone is the same for all
    assert (both["meanses"] == larger.fe_params["meanses"]).all()
    return case.fit.blups.add(case.fit.fe_params, fill_value=0), case.r["lmer"]["coef"]


def check_fitted(case):
    return [case.fit.fittedvalues.head(6), case.fit.resid.head(6)], \
        [case.r["lmer"]["fitted"], case.r["lmer"]["residuals"]]


def check_logLik(case):
    return [case.fit.llf, -2 * case.fit.llf], [case.r["lmer"]["logLik"], case.r["lmer"]["deviance"]]


def check_AIC(case):
    fit = case.ml("mathach ~ ses_cwc", "~ ses_cwc")
    return [fit.aic, fit.bic], [case.r["lmer"]["aic"], case.r["lmer"]["bic"]]


def check_confint_profile(case):
    table = mlm.variance_intervals(case.ml("mathach ~ ses_cwc", "~ ses_cwc"))
    return table.loc[["sd Intercept", "sd ses_cwc", "sd residual"], ["lower", "upper"]], case.r["lmer"]["profile"][:3]


def check_confint_wald(case):
    return case.fit.conf_int().loc[["Intercept", "ses_cwc"]], case.r["lmer"]["wald"]


def check_confint_boot(case):
    draws = mlm.bootstrap(case.null, 4000, seed=1)
    draws = draws.assign(sd=np.sqrt(draws["Intercept Var"]), sigma=np.sqrt(draws["Residual Var"]))
    return draws[["sd", "sigma", "Intercept"]].quantile([0.025, 0.975]).T, case.r["simulation"]["boot"]


def check_anova(case):
    test = mlm.likelihood_ratio(case.ml("mathach ~ 1"), case.ml("mathach ~ ses_cwc"))
    # p is below 1e-80, of which only the logarithm can be compared
    return [test["statistic"], test["df"], np.log(test["p"])], [*case.r["lmer"]["anova"][:2],
                                                                np.log(case.r["lmer"]["anova"][2])]


def check_update(case):
    return [case.ancova.llf, *case.ancova.fe_params], [case.r["lmer"]["update"]["logLik"],
                                                       *case.r["lmer"]["update"]["fixef"]]


def check_isSingular(case):
    return bool(case.fit.singular), case.r["lmer"]["singular"]


def quarters(case):
    """The data of means.R, with schools in four classes of size."""
    quarter = pd.cut(case.hsb["size"], [0, 600, 1100, 1600, 3000], labels=["small", "medium", "large", "huge"])
    return case.hsb.assign(quarter=quarter, sector=case.hsb.schtype.map({0: "public", 1: "Catholic"}))


def check_joint_tests(case):
    theirs = case.reference("means")["anova"]["two"]
    fit = mlm.mixedlm("mathach ~ ses * quarter + quarter * sector + female", quarters(case), "schid")
    ours = mlm.joint_tests(fit).loc[theirs["terms"]]
    return np.column_stack([ours.F, ours.df1, ours.df2, np.log(ours.p)]), \
        np.column_stack([theirs["F"], theirs["df1"], theirs["df2"], np.log(theirs["p"])])


def check_emmeans(case):
    fit = mlm.mixedlm("mathach ~ ses + quarter", quarters(case), "schid")
    return mlm.marginal_means(fit, "quarter").to_numpy(), np.array(case.reference("means")["means"]["one"]["values"])


def check_pairs(case):
    fit, theirs = mlm.mixedlm("mathach ~ ses + quarter", quarters(case), "schid"), case.reference("means")["pairwise"]["one_tukey"]
    return mlm.pairwise(fit, "quarter")[["estimate", "se", "df", "lower", "upper"]].to_numpy(), np.array(theirs["values"])[:, :5]


def check_lmerTest(case):
    table = mlm.satterthwaite(case.fit)
    theirs = np.array(case.r["lmer"]["lmertest"])
    return np.column_stack([table["df"], table["t"], np.log(table["p"])]), \
        np.column_stack([theirs[:, :2], np.log(theirs[:, 2])])


def check_predict(case):
    return [mlm.predict(case.fit, case.hsb.head(6), "schid")["fit"], case.fit.predict(case.hsb.head(6))], \
        [case.r["lmer"]["predict"]["known"], case.r["lmer"]["predict"]["fixed"]]


def check_predict_new(case):
    new = pd.DataFrame({"ses_cwc": [-1.0, 0.0, 1.0]})
    return mlm.predict(case.fit, new)["fit"], case.r["lmer"]["predict"]["new"]


def check_simulate(case):
    draws = mlm.simulate(case.null, 200, seed=1)
    return [draws.mean(), draws.std()], list(case.r["simulation"]["simulate"].values())


def check_predictInterval(case):
    ours = mlm.predict(case.fit, case.hsb.head(3), "schid")
    return ours[["fit", "lower", "upper"]], case.r["simulation"]["predictInterval"]


def check_REsim(case):
    table = mlm.blups(case.fit)
    theirs = case.r["simulation"]["REsim"]
    assert theirs["school"] == 2 * case.fit.blups.index.tolist() and theirs["term"][160] == "ses_cwc"
    return [table[column].unstack()[["Intercept", "ses_cwc"]] for column in ("estimate", "sd")], \
        [np.reshape(theirs[what], (2, 160)).T for what in ("mean", "sd")]


def check_plotREsim(case):
    theirs = case.r["simulation"]["plotREsim"]
    table = mlm.blups(case.fit, level=0.95).xs("Intercept", level="effect").loc[theirs["school"]]
    return [table["lower"], table["upper"]], [theirs["ymin"], theirs["ymax"]]


def check_FEsim(case):
    return [case.fit.fe_params, case.fit.bse_fe], list(case.r["simulation"]["FEsim"].values())


def check_describe(case):
    return mlm.describe(case.hsb[VARIABLES]), case.r["psych"]["describe"]


def check_describeBy(case):
    parts = [mlm.describe(part[["mathach"]]) for _, part in case.hsb.groupby("schtype")]
    return [part.loc["mathach", ["n", "mean", "sd", "median", "min", "max"]] for part in parts], \
        case.r["psych"]["describeBy"]


def check_statsBy(case):
    table, theirs = mlm.between_within(case.hsb, ["ses", "mathach"], "schid"), case.r["psych"]["statsBy"]
    return [table["ICC1"], table["ICC2"]], [theirs["icc1"], theirs["icc2"]]


def check_statsBy_r(case):
    means = case.hsb.groupby("schid", observed=True)[["ses", "mathach"]].transform("mean")
    within = case.hsb[["ses", "mathach"]] - means
    return [within["ses"].corr(within["mathach"]), means["ses"].corr(means["mathach"])], \
        [case.r["psych"]["statsBy"]["rwg"], case.r["psych"]["statsBy"]["rbg"]]


def check_icc(case):
    return mlm.icc(case.null), case.r["performance"]["icc"]


def check_r2(case):
    return mlm.r_squared(case.fit), case.r["performance"]["r2"]


def check_flextable(case):
    mlm.use_course_style()
    table = notebook.frame_to_html(case.hsb.head(2)[["ses", "mathach"]].set_axis(["1", "2"]))
    cells = BeautifulSoup(table, "html.parser").select("th[scope=col], td")
    return [cell.get_text().replace("\N{MINUS SIGN}", "-") for cell in cells if cell.get_text()], case.r["flextable"]


def test_a_binary_outcome_by_statsmodels_and_by_lme4(case):
    """The figures that "Where to go next" compares: variational Bayes has the estimates of glmer, not the errors."""
    text = re.sub(r" +", " ", (ROOT / "chapters/r/binary.txt").read_text("utf-8"))
    exact = case.r["glmer"]
    for name, estimate, se in zip(["(Intercept)", "ses"], exact["fixef"], exact["se"]):
        printed = re.search(rf"^{re.escape(name)} (-?[\d.]+) ([\d.]+)", text.split("Fixed effects")[1], flags=re.M)
        # Laplace's approximation against 15 quadrature points
        assert float(printed[1]) == pytest.approx(estimate, abs=2e-3)
        assert float(printed[2]) == pytest.approx(se, rel=0.02)
    data = case.hsb.assign(high=(case.hsb["mathach"] >= 18).astype(int))
    bayes = BinomialBayesMixedGLM.from_formula("high ~ ses", {"school": "0 + C(schid)"}, data).fit_vb(rng=1)
    # a prior, and an approximation: two digits
    np.testing.assert_allclose(bayes.fe_mean, exact["fixef"], atol=0.01)
    assert np.exp(bayes.vcp_mean[0]) == pytest.approx(exact["sd"], rel=0.02)
    assert bayes.fe_sd[0] < 0.6 * exact["se"][0]
