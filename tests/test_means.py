"""Joint tests, marginal means and their differences: against lmerTest and emmeans."""

import pickle

import numpy as np
import pandas as pd
import pytest

import mlm

FORMULAS = {"one": "ses + quarter", "two": "ses * quarter + quarter * sector + female",
            "three": "origin * sector * quarter + I(ses ** 2) + ses", "slopes": "ses_cwc * quarter + minority * ses_cwc"}
MEANS = {"one": ("one", "quarter", None), "two_sector": ("two", "sector", None),
         "two_slopes": ("two", ["quarter", "ses"], {"ses": [-1, 1]}), "three": ("three", ["origin", "quarter"], None),
         "slopes": ("slopes", "minority", None)}
PAIRS = {**{f"one_{adjust}": ("one", {"of": "quarter", "adjust": adjust}) for adjust in
            ("tukey", "bonferroni", "holm", "none")},
         "three_by": ("three", {"of": "quarter", "by": "origin"}), "three_all": ("three", {"of": ["origin", "quarter"]}),
         "two_sector": ("two", {"of": "sector"})}


@pytest.fixture(scope="module")
def data(hsb):
    quarter = pd.cut(hsb["size"], [0, 600, 1100, 1600, 3000], labels=["small", "medium", "large", "huge"])
    return hsb.assign(quarter=quarter, ses_cwc=mlm.center_within(hsb.ses, hsb.schid),
                      sector=pd.Categorical.from_codes(hsb.schtype, ["public", "Catholic"]),
                      origin=pd.Categorical.from_codes(hsb.minority, ["majority", "minority"]))


@pytest.fixture(scope="module")
def fits(data):
    return {name: mlm.mixedlm(f"mathach ~ {formula}", data, "schid", "~ ses_cwc" if name == "slopes" else None)
            for name, formula in FORMULAS.items()}


def rows_of(table):
    """Row labels as the R script writes them."""
    return [" ".join(map(str, label)) if isinstance(label, tuple) else str(label) for label in table.index]


# ---- joint tests --------------------------------------------------------------------------------


@pytest.mark.parametrize("model", FORMULAS)
def test_terms_are_tested_as_by_lmertest(fits, reference, model):
    # lmerTest takes numerical derivatives: df agree to about 1e-6
    ours, theirs = mlm.joint_tests(fits[model]), reference("means")["anova"][model]
    assert fits[model].llf == pytest.approx(reference("means")["log_likelihood"][model], abs=1e-6)
    ours.index = [":".join(sorted(term.split(":"))) for term in ours.index]  # patsy has another order
    ours = ours.loc[[":".join(sorted(term.replace("^", " ** ").split(":"))) for term in theirs["terms"]]]
    assert ours.df1.tolist() == theirs["df1"]
    np.testing.assert_allclose(ours.F, theirs["F"], rtol=1e-5)
    np.testing.assert_allclose(ours.df2, theirs["df2"], rtol=1e-5)
    np.testing.assert_allclose(ours.p, theirs["p"], rtol=1e-4)


def test_a_factor_is_compared_where_the_number_it_interacts_with_is_zero(data):
    """And by its marginal means at the number's mean, wherever its zero is: `joint_tests` says so."""
    moved, centered = (mlm.mixedlm("mathach ~ ses * quarter", data.assign(ses=data["ses"] + shift), "schid") for shift in (3, -data["ses"].mean()))
    at_three = mlm.joint_tests(mlm.mixedlm("mathach ~ ses * quarter", data, "schid"), [
        f"quarter[T.{label}] - 3 * ses:quarter[T.{label}]" for label in data["quarter"].cat.categories[1:]])
    assert mlm.joint_tests(moved).loc["quarter", "F"] == pytest.approx(at_three.loc["joint", "F"], rel=1e-6)  # where ses + 3 is 0
    np.testing.assert_allclose(mlm.marginal_means(moved, "quarter"), mlm.marginal_means(centered, "quarter"), rtol=1e-6)
    assert abs(mlm.joint_tests(moved).loc["quarter", "F"] / mlm.joint_tests(centered).loc["quarter", "F"] - 1) > 0.2


@pytest.mark.parametrize("coding", ["C({}, Sum)", "C({}, Helmert)", "C({}, Treatment('large'))", "C({}, Poly)"])
def test_terms_do_not_depend_on_coding(data, fits, coding):
    quarter = coding.format("quarter")
    other = mlm.mixedlm(f"mathach ~ ses * {quarter} + {quarter} * C(sector, Sum) + female", data, "schid")
    ours, plain = mlm.joint_tests(other), mlm.joint_tests(fits["two"])
    np.testing.assert_allclose(ours.to_numpy(), plain.to_numpy(), rtol=1e-6)


def test_a_joint_hypothesis(fits, reference):
    theirs, fit = reference("means")["joint"], fits["two"]
    ours = mlm.joint_tests(fit, "ses = 2, female = -1")
    assert ours.index.tolist() == ["joint"]
    np.testing.assert_allclose(ours.iloc[0], [theirs[name] for name in ("F", "df1", "df2", "p")], rtol=1e-5)
    # the same hypothesis said twice, and other units of its parts
    twice = mlm.joint_tests(fit, ["ses = 2", "female = -1", "ses + female = 1"])
    assert twice.F.iloc[0] == pytest.approx(ours.F.iloc[0]) and twice.df1.iloc[0] == 2
    matrix = np.zeros((2, fit.k_fe))
    matrix[0, fit.design.fixed.index("ses")] = matrix[1, fit.design.fixed.index("female")] = 1
    small = mlm.joint_tests(fit, matrix * [[1e7], [1]])
    assert small.F.iloc[0] == pytest.approx(mlm.joint_tests(fit, matrix).F.iloc[0], rel=1e-9)
    with pytest.raises(ValueError, match="contradict each other"):
        mlm.joint_tests(fit, ["ses = 2", "ses = 3"])


def test_one_degree_of_freedom_is_the_squared_t(fits):
    fit = fits["one"]
    single = mlm.satterthwaite(fit).loc["ses"]
    F, df1, df2, p = mlm.joint_tests(fit).loc["ses"]
    assert (F, df1, df2, p) == pytest.approx((single.t**2, 1, single.df, single.p))


def test_numeric_predictors_alone_and_none(hsb, fits, data):
    fit = mlm.mixedlm("mathach ~ ses * female", hsb, "schid")  # built without patsy
    np.testing.assert_allclose(mlm.joint_tests(fit).F, mlm.satterthwaite(fit).t.drop("Intercept") ** 2)
    assert mlm.joint_tests(mlm.mixedlm("mathach ~ 1", hsb, "schid")).empty
    cells = mlm.mixedlm("mathach ~ 0 + quarter", data, "schid")  # without an intercept: all means are 0
    F, df1 = mlm.joint_tests(cells).iloc[0][:2]
    assert (F, df1) == (pytest.approx(cells.wald_test(np.eye(4), scalar=True).statistic / 4), 4)
    again = pickle.loads(pickle.dumps(fits["two"]))
    pd.testing.assert_frame_equal(mlm.joint_tests(again), mlm.joint_tests(fits["two"]))


def test_level_and_power_of_the_joint_test():
    # 12 groups in three arms, nothing between them: 5 % of the studies find something, chi-square too many
    rng, arm = np.random.default_rng(1), np.repeat(np.arange(12) % 3, 10)
    data = pd.DataFrame({"g": np.repeat(np.arange(12), 10), "arm": np.array(list("abc"))[arm]})
    found = []
    for _ in range(400):
        y = np.repeat(rng.normal(size=12), 10) + rng.normal(size=120)
        row = mlm.joint_tests(mlm.mixedlm("y ~ arm", data.assign(y=y), "g")).iloc[0]
        found.append((row.p < 0.05, 2 * row.F > 5.991, row.df2))
    ours, chi2, df2 = np.mean(found, axis=0)
    assert abs(ours - 0.05) < 3 * np.sqrt(0.05 * 0.95 / 400) and chi2 > 0.08  # Monte-Carlo error
    assert df2 == pytest.approx(9, abs=0.5)


# ---- marginal means -----------------------------------------------------------------------------


@pytest.mark.parametrize("case", MEANS)
def test_means_are_those_of_emmeans(fits, reference, case):
    model, of, at = MEANS[case]
    ours, theirs = mlm.marginal_means(fits[model], of, at), reference("means")["means"][case]
    ours.index = rows_of(ours)
    np.testing.assert_allclose(ours.loc[theirs["rows"]], theirs["values"], rtol=1e-5)


@pytest.mark.parametrize("case", PAIRS)
def test_differences_are_those_of_emmeans(fits, reference, case):
    model, asked = PAIRS[case]
    ours, theirs = mlm.pairwise(fits[model], **asked), reference("means")["pairwise"][case]
    ours.index = rows_of(ours)
    table = pd.DataFrame(theirs["values"], index=np.atleast_1d(theirs["rows"]), columns=theirs["columns"])
    if "by" in asked:  # R puts the factor that is held last
        table.index = [" ".join([label.split()[-1], *label.split()[:-1]]) for label in table.index]
    turned = [label for label in table.index if label not in ours.index]  # the other order of the two
    for label in turned:
        first, second = label.split(" - ")
        row = table.loc[label].to_dict()
        table = table.drop(label)
        table.loc[f"{second} - {first}"] = row | {"estimate": -row["estimate"], "t.ratio": -row["t.ratio"],
                                                  "lower.CL": -row["upper.CL"], "upper.CL": -row["lower.CL"]}
    columns = {"estimate": "estimate", "se": "SE", "df": "df", "lower": "lower.CL", "upper": "upper.CL", "t": "t.ratio",
               "p": "p.value"}
    assert len(ours) == len(table)
    for mine, his in columns.items():  # p: R's ptukey and SciPy's integrate, to about 1e-7
        np.testing.assert_allclose(ours[mine], table.loc[ours.index, his], rtol=1e-5, atol=1e-7)


def test_means_are_predictions_averaged_by_hand(data):
    fit = mlm.mixedlm("mathach ~ ses * sector + np.exp(ses) + C(female)", data, "schid")
    grid = pd.DataFrame([(sector, data.ses.mean(), female) for sector in ["public", "Catholic"] for female in (0, 1)],
                        columns=["sector", "ses", "female"])
    expected = fit.predict(grid).to_numpy().reshape(2, 2).mean(axis=1)
    np.testing.assert_allclose(mlm.marginal_means(fit, "sector").estimate, expected)
    held = mlm.marginal_means(fit, "sector", at={"ses": 1.5, "female": 0})
    np.testing.assert_allclose(held.estimate, fit.predict(grid[grid.female == 0].assign(ses=1.5)))


@pytest.mark.parametrize("asked, message", [
    ({"of": "nothing"}, "'nothing' is none, these are: quarter, sector, ses, female|'nothing' is none"),
    ({"of": "ses"}, "'ses' is numeric: give the values"),
    ({"of": "sector", "at": {"ses": [0, 1]}}, "at must give one value of 'ses'"),
    ({"of": "sector", "at": {"ses": "high"}}, "finite numbers for 'ses'"),
    ({"of": "sector", "at": {"quarter": "tiny"}}, "levels of 'quarter', which are 'small', 'medium', 'large', 'huge'"),
    ({"of": ["sector", "sector"]}, "each factor once"),
    ({"of": []}, "of must be a string, or a list of them"),
    ({"of": 3}, "of must be a string, or a list of them; it is 3"),
    ({"of": "sector", "at": "ses"}, "at must be a dict"),
    ({"of": "sector", "level": 95}, "level must be a share between 0 and 1, such as 0.95; it is 95"),
])
def test_means_that_cannot_be(fits, asked, message):
    with pytest.raises(ValueError, match=message):
        mlm.marginal_means(fits["two"], **asked)


def test_differences_that_cannot_be(fits):
    with pytest.raises(ValueError, match="'tukey' or 'bonferroni' or 'holm' or 'none'; it is 'scheffe'"):
        mlm.pairwise(fits["two"], "quarter", adjust="scheffe")
    with pytest.raises(ValueError, match="two levels or more"):
        mlm.pairwise(fits["two"], "quarter", at={"quarter": "small"})
    with pytest.raises(TypeError, match="fit must be a fit of mlm.mixedlm"):
        mlm.pairwise(fits, "quarter")
