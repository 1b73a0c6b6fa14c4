"""Three levels and crossed groups."""

import re
import warnings

import glmm
import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from scipy import optimize, stats
from statsmodels.tools.sm_exceptions import ConvergenceWarning

import mlm
from conftest import ROOT

NOT_COMPUTED = {
    "Answers in persons crossed with items": "the definition of crossed groups",
    "groups are nested if each belongs to one group of the other kind only": "the definition of nested groups",
    "Since each person reads it once, that effect is another name for the residual": "algebra: a diagonal matrix plus another",
}


@pytest.fixture(scope="module")
def growth():
    return pd.read_csv(ROOT / "data/math_growth.csv", dtype={"school": str, "child": str})


@pytest.fixture(scope="module")
def scottish():
    return pd.read_csv(ROOT / "data/scottish_schools.csv", dtype={"primary": str, "secondary": str})


def experiment(rng, persons=40, words=24, sd_words=30):
    """Reading times without a difference between rare and other words."""
    person, word = np.divmod(np.arange(persons * words), words)
    time = 600 + 60 * rng.normal(size=persons)[person] + sd_words * rng.normal(size=words)[word] + 100 * rng.normal(size=len(word))
    return pd.DataFrame({"person": person, "word": word}).astype(str).assign(rare=word % 2, time=time, everybody=1)


def vc(data, **call):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # of the Hessian; the likelihoods are compared below
        return smf.mixedlm("time ~ rare", data, **call).fit(reml=False)


NATURAL = {"groups": "person", "vc_formula": {"word": "0 + C(word)"}}
ONE_GROUP = {"groups": "everybody", "vc_formula": {"person": "0 + C(person)", "word": "0 + C(word)"}}
CROSSED = "time ~ rare + (1 | person) + (1 | word)"


def triangles(rows):
    """lme4's variances and covariances by group, in the order of glmm's: intercept, covariance, slope."""
    order = {("(Intercept)", None): 0, ("(Intercept)", "year"): 1, ("year", None): 2}
    found = {}
    for row in rows:
        found.setdefault(row["grp"], {})[order.get((row.get("var1"), row.get("var2")), 0)] = row["vcov"]
    return {group: [block[k] for k in sorted(block)] for group, block in found.items()}


@pytest.mark.claim("so what it finds is compared with lme4 on this page")
@pytest.mark.parametrize("name, formula, groups", [
    ("growth", "math ~ year + (year | school) + (year | child)", ("school", "school:child")),
    ("scottish", "attain ~ 1 + (1 | primary) + (1 | secondary)", ("primary", "secondary")),
    ("adjusted", "attain ~ verbal + (1 | primary) + (1 | secondary)", ("primary", "secondary")),
])
def test_glmm_finds_what_lme4_finds(name, formula, groups, growth, scottish, reference):
    """lme4 at a tight optimum; glmm stops when the deviance no longer changes by 1e-6 or so, which moves a variance
    by its root at most: a thousandth."""
    theirs, ours = reference("next")[name], glmm.fit(growth if name == "growth" else scottish, formula, reml=False)
    assert ours.loglik == pytest.approx(theirs["llf"], abs=1e-5)
    np.testing.assert_allclose(ours.beta, np.atleast_1d(theirs["estimate"]), rtol=1e-4)
    np.testing.assert_allclose(ours.se, np.atleast_1d(theirs["se"]), rtol=1e-3)
    blocks = triangles(theirs["variances"])
    for group, found in zip(groups, ours.varcorr):
        np.testing.assert_allclose(found, blocks[group], rtol=1e-3)
    assert ours.dispersion == pytest.approx(blocks["Residual"][0], rel=1e-4)


def test_the_simplest_model_of_the_children_is_statas(growth):
    """Log-likelihood and variances that Stata prints: G. Rodriguez, Princeton, course POP 510, "3-level models"."""
    fit = glmm.fit(growth, "math ~ 1 + (1 | school) + (1 | child)", reml=False)
    assert fit.loglik == pytest.approx(-12652.99, abs=5e-3)
    assert fit.beta[0] == pytest.approx(-0.510021, abs=1e-5) and fit.se[0] == pytest.approx(0.0779638, abs=1e-5)


@pytest.mark.parametrize("name", ["three-levels", "crossed"])
def test_what_lme4_prints_on_the_page_is_the_reference(name, reference):
    """Half a unit of the printed digit, and a thousandth for lme4's default optimizer."""
    printed = (ROOT / f"chapters/r/{name}.txt").read_text("utf-8").split("Random effects:")[1].split("Number of obs")[0]
    found = [float(line.split()[-2 - (line.count(".") > 2)]) for line in printed.splitlines()[2:] if line.strip()]
    rows = reference("next")[{"three-levels": "growth", "crossed": "scottish"}[name]]["variances"]
    expected = [row["vcov"] for row in rows if not row.get("var2")]
    np.testing.assert_allclose(found, expected, rtol=2e-3)


@pytest.mark.claim("Children are nested in schools. Primary and secondary schools are crossed")
def test_the_count_tells_nested_from_crossed(growth, scottish):
    assert growth.groupby("child")["school"].nunique().max() == 1
    assert scottish.groupby("primary")["secondary"].nunique().max() > 1
    assert scottish.groupby("secondary")["primary"].nunique().min() > 1
    assert (scottish.groupby("primary")["secondary"].nunique() > 1).mean() > 0.5  # "most columns have more"


@pytest.mark.claim("A level that is left out passes its variance on to the next one, and standard errors at that level are wrong",
                   "It becomes a part of the variance between classes", "A variance doesn't vanish with its level",
                   'Leaving out the level "because its variance is small".')
def test_where_a_variance_goes(growth):
    three = glmm.fit(growth, "math ~ year + (year | school) + (year | child)", reml=False)
    school, child = three.varcorr
    top, middle = (mlm.mixedlm("math ~ year", growth, group, "~ year", reml=False) for group in ("child", "school"))
    # groups of unequal size share out the variance nearly, not exactly
    assert top.cov_re.iloc[0, 0] == pytest.approx(school[0] + child[0], rel=0.05)
    assert top.scale == pytest.approx(three.dispersion, rel=0.01)
    assert three.se[1] > 2 * top.bse_fe["year"]  # the children count as independent
    assert 0.9 < (middle.scale + middle.cov_re.iloc[0, 0]) / (three.dispersion + child[0] + school[0]) < 1.1
    assert middle.scale > three.dispersion + 0.9 * child[0]
    assert middle.bse_fe["year"] == pytest.approx(three.se[1], rel=0.1)  # "hardly change"
    assert three.loglik - middle.llf > 2000 and three.loglik - top.llf > 200


@pytest.mark.claim("and the standard errors of what varies there are wrong", "the standard errors of predictors that belong to children")
def test_without_the_middle_level_its_predictors_seem_known_too_well():
    """A predictor of children, 4 occasions each: its standard error comes from the spread of its estimates."""
    rng, estimates, told = np.random.default_rng(1), [], []
    school, child = np.repeat(np.arange(30), 40), np.repeat(np.arange(300), 4)
    for _ in range(200):
        x = rng.normal(size=300)[child]
        y = 0.4 * rng.normal(size=30)[school] + rng.normal(size=300)[child] + 0.5 * rng.normal(size=1200)
        fit = mlm.mixedlm("y ~ x", pd.DataFrame({"y": y, "x": x, "school": school}), "school")
        estimates.append(fit.fe_params["x"])
        told.append(fit.bse_fe["x"])
    ratio = np.std(estimates) / np.mean(told)
    assert ratio * (1 - 4 / np.sqrt(400)) > 1.2  # the SD of 200 draws has a relative standard error of 1 in 20


def crossed_deviance(scottish):
    """ML deviance of the crossed model as a function of (SD of primary, SD of secondary, SD of residuals), without lme4."""
    codes = [pd.factorize(scottish[name])[0] for name in ("primary", "secondary")]
    Z = np.hstack([np.eye(code.max() + 1)[code] for code in codes])
    kinds = np.repeat([0, 1], [code.max() + 1 for code in codes])
    data = np.column_stack([np.ones(len(Z)), scottish["attain"]])
    ZZ, Zd, dd = Z.T @ Z, Z.T @ data, data.T @ data

    def deviance(sds):
        ratio = np.asarray(sds[:2])[kinds] / sds[2]
        M = np.eye(len(ratio)) + ratio[:, None] * ZZ * ratio
        half = ratio[:, None] * Zd
        inner = dd - half.T @ np.linalg.solve(M, half)  # data' V^-1 data sigma^2
        squares = inner[1, 1] - inner[0, 1] ** 2 / inner[0, 0]
        return np.linalg.slogdet(M)[1] + len(Z) * np.log(2 * np.pi * sds[2] ** 2) + squares / sds[2] ** 2

    return deviance


def lowest(function, start):
    return optimize.minimize(function, start, method="Nelder-Mead", options={"xatol": 1e-7, "fatol": 1e-9, "maxiter": 2000}).fun


@pytest.mark.claim("The test is a likelihood ratio", "lme4's profile intervals are")
def test_lme4s_profile_and_likelihood_ratio_by_a_second_computation(scottish, reference):
    """What R printed has eight digits; lme4 interpolates the profile by splines, to 1e-4 or better."""
    printed = (ROOT / "chapters/r/crossed-profile.txt").read_text("utf-8")
    deviance, best = crossed_deviance(scottish), glmm.fit(scottish, "attain ~ 1 + (1 | primary) + (1 | secondary)", reml=False)
    sds = [*np.sqrt(best.tau2), np.sqrt(best.dispersion)]
    least = lowest(deviance, sds)
    assert least == pytest.approx(-2 * best.loglik, abs=1e-5)
    limits = dict(zip(("primary", "secondary"), np.transpose([reference("next")["scottish"]["profile"][end] for end in ("lower", "upper")])))
    for k, (kind, ends) in enumerate(limits.items()):
        text = re.search(rf"^sd_\(Intercept\)\|{kind} +(\S+) +(\S+)$", printed, re.M).groups()
        assert [float(value) for value in text] == pytest.approx(list(ends), rel=1e-4)
        for end in ends:
            rest = [sd for place, sd in enumerate(sds) if place != k]
            raised = lowest(lambda others: deviance(np.insert(others, k, end)), rest)
            assert raised - least == pytest.approx(stats.chi2.ppf(0.95, 1), abs=5e-3)
    equal = lowest(lambda pair: deviance([pair[0], pair[0], pair[1]]), [0.9, sds[2]])
    ratio, p = (float(value) for value in re.search(r"^likelihood_ratio +p *\n +(\S+) +(\S+)", printed, re.M).groups())
    assert ratio == pytest.approx(equal - least, abs=1e-4) and p == pytest.approx(stats.chi2.sf(ratio, 1), rel=1e-6)


@pytest.mark.claim("another study would seldom turn the order round", "with 19 schools they end too low")
def test_bootstrap_quantiles_end_below_lme4s_profile(scottish, reference):
    """For 19 secondary schools, by more than the Monte-Carlo error of quantiles from 400 draws (some 3 % of the length)."""
    profile = reference("next")["scottish"]["profile"]
    fit = glmm.fit(scottish, "attain ~ 1 + (1 | primary) + (1 | secondary)", reml=False)
    rng, drawn = np.random.default_rng(7), []
    codes = [pd.factorize(scottish[name])[0] for name in ("primary", "secondary")]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", glmm.SingularFitWarning)  # a drawn variance may be 0
        for _ in range(400):
            y = sum(np.sqrt(v) * rng.normal(size=code.max() + 1)[code] for v, code in zip(fit.tau2, codes))
            data = scottish.assign(attain=y + np.sqrt(fit.dispersion) * rng.normal(size=len(scottish)))
            drawn.append(np.sqrt(glmm.fit(data, fit.formula, reml=False, satterthwaite=False).tau2))
    low, high = np.quantile(drawn, [0.025, 0.975], axis=0)
    length = np.subtract(profile["upper"], profile["lower"])
    assert (np.array([low, high]).T[1] < np.array([profile["lower"], profile["upper"]]).T[1] - 0.06 * length[1]).all()
    assert (abs(low - profile["lower"]) < 0.4 * length).all() and (abs(high - profile["upper"]) < 0.4 * length).all()
    assert (np.array(drawn)[:, 1] > np.array(drawn)[:, 0]).mean() < 0.03
    assert length[1] > length[0]  # "the wider one"


@pytest.mark.claim("Nor are the quantiles intervals to report")
def test_quantiles_miss_too_often_with_19_schools():
    """One kind of schools, 19 of 180 students, in closed form: between and within mean squares are chi-squares."""
    rng, J, n, tau, sigma2 = np.random.default_rng(1), 19, 180, 0.348, 9.2

    def estimates(tau, draws):
        between = (sigma2 + n * tau)[:, None] * rng.chisquare(J - 1, (len(tau), draws)) / J
        within = sigma2 * rng.chisquare(J * (n - 1), (len(tau), draws)) / (J * (n - 1))
        return np.maximum((between - within) / n, 0)

    found = estimates(np.full(2000, tau), 1)[:, 0]
    low, high = np.quantile(estimates(found, 1000), [0.025, 0.975], axis=1)
    assert (high < tau).mean() > 0.08 and (low > tau).mean() < 0.02  # Monte-Carlo SE .006


@pytest.mark.claim("Most of what looked like differences between schools was there when the students came")
def test_both_variances_fall_by_more_than_half(reference):
    before, after = (triangles(reference("next")[name]["variances"]) for name in ("scottish", "adjusted"))
    assert all(after[kind][0] < before[kind][0] / 2 for kind in ("primary", "secondary"))


@pytest.mark.claim("An ordinary regression.", "Naming persons in `groups` and words in `vc_formula`.", "and says that it converged",
                   "at the log-likelihood of an ordinary regression", "It agrees with glmm")
@pytest.mark.parametrize("seed", range(5))
def test_the_natural_call_is_an_ordinary_regression(seed):
    """statsmodels' optimizer stops when the gain is small; what is left out costs a thousand times as much."""
    data = experiment(np.random.default_rng(seed))
    natural, right, half = vc(data, **NATURAL), vc(data, **ONE_GROUP), vc(data, re_formula="1", **NATURAL)
    assert natural.converged and natural.cov_re.size == 0
    assert natural.llf == pytest.approx(smf.ols("time ~ rare", data).fit().llf, abs=1e-2)
    assert right.llf == pytest.approx(glmm.fit(data, CROSSED, reml=False).loglik, abs=1e-2)
    assert half.llf == pytest.approx(mlm.mixedlm("time ~ rare", data, "person", reml=False).llf, abs=1e-2)  # no words
    assert natural.llf < half.llf - 10 and half.llf < right.llf - 1


@pytest.mark.claim("a claim about words needs many words", "10 more words of each kind.", "More persons don't help",
                   "Testing a difference between words with persons as the only groups.")
def test_words_left_out_make_false_findings_and_persons_do_not_help():
    """Shares of 400 tests at .05; four Monte-Carlo standard errors are kept clear of."""
    rng, found = np.random.default_rng(3), {}
    for persons, words in ((40, 24), (80, 24)):
        data = [experiment(rng, persons, words) for _ in range(400)]
        found[persons, "persons"] = np.mean([mlm.mixedlm("time ~ rare", d, "person").pvalues["rare"] < 0.05 for d in data])
        fits = [glmm.fit(d, CROSSED) for d in data]
        found[persons, "both"] = np.mean([fit.coef_p[1] < 0.05 for fit in fits])
        found[persons, "SE"] = np.mean([fit.se[1] for fit in fits])
    assert found[40, "persons"] > 0.05 + 0.1 + 4 * 0.024 and found[80, "persons"] > found[40, "persons"]
    assert abs(found[40, "both"] - 0.05) < 4 * 0.011 and abs(found[80, "both"] - 0.05) < 4 * 0.011
    more_words = np.mean([glmm.fit(experiment(rng, 40, 48), CROSSED).se[1] for _ in range(100)])
    assert more_words < found[80, "SE"] < found[40, "SE"]  # as many answers: words are worth more than persons


@pytest.mark.claim("Then child 1 of all schools is one child", "It sees as many children as the largest school has")
def test_numbers_that_begin_again_make_one_child_of_many(growth):
    number = growth.groupby("school")["child"].transform(lambda children: pd.factorize(children)[0] + 1).astype(str)
    fit = glmm.fit(growth.assign(child=number), "math ~ year + (1 | school) + (1 | child)", reml=False)
    assert fit.ranef_levels[1] == growth.groupby("school")["child"].nunique().max() < growth["child"].nunique() / 10
    right = glmm.fit(growth, "math ~ year + (1 | school) + (1 | child)", reml=False)
    assert right.loglik - fit.loglik > 1000 and fit.dispersion > right.dispersion + right.tau2[1] * 0.9


def test_counts_of_the_data_cards(growth, scottish):
    assert growth.shape == (7230, 4) and (growth["child"].nunique(), growth["school"].nunique()) == (1721, 60)
    assert growth.groupby("child").size().agg(["min", "max"]).tolist() == [2, 6] and not growth.isna().any().any()
    assert growth["math"].agg(["min", "max"]).tolist() == [-5.219, 5.766] and growth["year"].agg(["min", "max"]).tolist() == [-2.5, 2.5]
    assert scottish.shape == (3435, 4) and (scottish["primary"].nunique(), scottish["secondary"].nunique()) == (148, 19)
    assert scottish["attain"].agg(["min", "max"]).tolist() == [1, 10] and scottish["verbal"].agg(["min", "max"]).tolist() == [-30, 40]
    assert (round(scottish["verbal"].mean()), round(scottish["verbal"].std())) == (-2, 13)


@pytest.mark.claim('intercept is dropped unless `re_formula="1"` asks for it',
                   "A column called `class` can't stand in a formula")
def test_three_levels_and_crossed_groups_in_statsmodels_are_those_of_lme4(reference):
    nested, crossed = (reference("next")[name] for name in ("nested", "crossed"))
    pastes, penicillin = (pd.DataFrame(part["data"]).assign(everybody=1) for part in (nested, crossed))
    cask = {"cask": "0 + C(cask)"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # statsmodels warns of a Hessian; the estimates are compared with lme4's
        three = smf.mixedlm("strength ~ 1", pastes, groups="batch", re_formula="1", vc_formula=cask).fit()
        dropped = smf.mixedlm("strength ~ 1", pastes, groups="batch", vc_formula=cask).fit()
        both = smf.mixedlm("diameter ~ 1", penicillin, groups="everybody",
                           vc_formula={name: f"0 + C({name})" for name in ("plate", "sample")}).fit()
    found = [three.cov_re.iloc[0, 0], three.vcomp[0], three.scale]
    # its optimizer stops when the gain is small: three digits
    np.testing.assert_allclose(found, [nested["variances"][name] for name in ("batch", "cask:batch", "Residual")], rtol=1e-2)
    np.testing.assert_allclose([*both.vcomp, both.scale], [crossed["variances"][name] for name in ("plate", "sample", "Residual")],
                               rtol=1e-2)
    assert dropped.cov_re.size == 0
    with pytest.raises(SyntaxError):
        smf.mixedlm("strength ~ 1", pastes.rename(columns={"cask": "class"}), groups="batch", vc_formula={"class": "0 + C(class)"})
