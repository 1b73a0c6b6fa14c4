"""Where to go next."""

import re

import glmm
import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import statsmodels.formula.api as smf

import mlm
from conftest import ROOT
from course import fit, hsb

NOT_COMPUTED = {
    "use the logic of this course and need another program": "an overview; that `mlm.mixedlm` refuses is tested below",
    "Look up what the argument of your program means": "advice on reading a manual",
    "a version that begins with 0 promises nothing about the next one": "a convention of version numbers (semver.org, 4)",
    "What the posterior adds is an interval for every parameter": "what a sample of a distribution is",
}


def logistic(tau, slope=0.9, seed=1, schools=400, students=50):
    """GEE's slope where the slope within a school is known."""
    rng, school = np.random.default_rng(seed), np.repeat(np.arange(schools), students)
    data = pd.DataFrame({"school": school, "x": rng.normal(size=len(school))})
    chance = 1 / (1 + np.exp(-slope * data["x"] - np.sqrt(tau) * rng.normal(size=schools)[school]))
    data["y"] = (rng.random(len(school)) < chance).astype(int)
    return smf.gee("y ~ x", groups="school", data=data, family=sm.families.Binomial(),
                   cov_struct=sm.cov_struct.Exchangeable()).fit()


@pytest.mark.claim("the slope within a school and the slope of the average are two numbers", "A smaller slope.",
                   "One belongs to the curve of a school, the other to the average of such curves", "The scale changes when a variance enters, and with a raw predictor so does the mixture")
@pytest.mark.parametrize("seed", range(5))
def test_the_population_averaged_slope_is_smaller(seed):
    found = logistic(tau=4, seed=seed)
    expected = 0.9 / np.sqrt(1 + 0.346 * 4)  # Zeger, Liang & Albert (1988): good to some 3 %
    assert found.params["x"] == pytest.approx(expected, abs=4 * found.bse["x"] + 0.03 * expected)
    assert found.params["x"] < 0.9 - 4 * found.bse["x"]


@pytest.mark.claim("What is left is the difference between the two questions, and the approximation says how large it should be.",
                   "neither is the slope within schools")
def test_within_schools_the_two_slopes_differ_as_the_approximation_says():
    data = high()
    within = glmm.fit(data, "high ~ ses_cwc + (1 | schid)", family="binomial")
    gee = smf.gee("high ~ ses_cwc", "schid", data, family=sm.families.Binomial(), cov_struct=sm.cov_struct.Exchangeable()).fit()
    assert gee.params["ses_cwc"] == pytest.approx(within.beta[1] / np.sqrt(1 + 0.346 * within.tau2[0]), abs=0.02)
    assert gee.params["ses_cwc"] < within.beta[1] - 0.05
    raw = glmm.fit(data, "high ~ ses + (1 | schid)", family="binomial")
    apart = glmm.fit(data, "high ~ ses_cwc + ses_mean + (1 | schid)", family="binomial")
    assert apart.beta[1] == pytest.approx(within.beta[1], abs=0.01) and raw.beta[1] > within.beta[1] + 0.05


@pytest.mark.claim("In a linear model the two slopes would be the same parameter")
def test_in_a_linear_model_gee_and_the_mixed_model_agree():
    gee = smf.gee("mathach ~ ses_cwc", "schid", hsb(), cov_struct=sm.cov_struct.Exchangeable()).fit()
    assert gee.params["ses_cwc"] == pytest.approx(fit("mathach ~ ses_cwc").fe_params["ses_cwc"], abs=1e-6)


@pytest.mark.claim("What is new is that neighbors in time may be more alike than the model allows")
def test_a_growth_model_leaves_autocorrelation_in_the_residuals():
    rng, persons, occasions = np.random.default_rng(3), 300, 8
    noise = rng.normal(size=(persons, occasions))
    for t in range(1, occasions):
        noise[:, t] = 0.7 * noise[:, t - 1] + np.sqrt(1 - 0.49) * noise[:, t]
    data = pd.DataFrame({"person": np.repeat(np.arange(persons), occasions), "time": np.tile(np.arange(8.0), persons)})
    data["y"] = 2 * rng.normal(size=persons)[data["person"]] + (0.5 + 0.5 * rng.normal(size=persons)[data["person"]]) * data["time"]
    for error, alike in ((noise, True), (rng.normal(size=noise.shape), False)):
        rest = mlm.mixedlm("y ~ time", data.assign(y=data["y"] + error.ravel()), "person", "~ time").resid
        rest = rest.to_numpy().reshape(persons, occasions)
        assert (np.corrcoef(rest[:, :-1].ravel(), rest[:, 1:].ravel())[0, 1] > 0) == alike  # fitted lines make neighbors of independent errors unlike


@pytest.mark.claim("Five regions are better entered as indicators")
def test_a_variance_of_five_units_is_hardly_known():
    rng = np.random.default_rng(1)
    estimates = 4 * rng.chisquare(4, 10000) / 4
    low, high = np.quantile(estimates, [0.025, 0.975])
    assert high / low > 20


@pytest.mark.claim("it follows from the mean", "You get a linear probability model")
def test_zeros_and_ones_give_a_linear_probability_model():
    data = hsb().assign(high=(hsb()["mathach"] >= 18).astype(int))
    linear = mlm.mixedlm("high ~ ses_cwc", data, "schid")
    chance = data["high"].mean()
    assert data["high"].var(ddof=0) == pytest.approx(chance * (1 - chance))
    groups = data.groupby(pd.qcut(data["ses_cwc"], 4), observed=True)
    rise = np.polyfit(groups["ses_cwc"].mean(), groups["high"].mean(), 1)[0]  # of a share
    assert linear.fe_params["ses_cwc"] == pytest.approx(rise, rel=0.1)
    spread = (linear.resid**2).groupby(pd.qcut(linear.fittedvalues, 4), observed=True).mean()  # grows with p below one half
    assert chance < 0.5 and spread.is_monotonic_increasing and spread.iloc[-1] > 2 * spread.iloc[0]


@pytest.mark.claim("raw SES mixes differences within schools and between them, and each method mixes them in another way")
def test_the_logistic_methods_differ_less_when_within_and_between_are_apart():
    data = hsb().assign(high=(hsb()["mathach"] >= 18).astype(int))

    def slopes(formula, name):
        return [smf.gee(formula, "schid", data, family=sm.families.Binomial(), cov_struct=working()).fit().params[name]
                for working in (sm.cov_struct.Independence, sm.cov_struct.Exchangeable)]

    independent, exchangeable = slopes("high ~ ses", "ses")
    assert independent - exchangeable > 0.1
    independent, exchangeable = slopes("high ~ ses_cwc + ses_mean", "ses_cwc")
    assert abs(independent - exchangeable) < 0.02


def test_what_is_asked_for_more_is_refused():
    for call in ({"formula": "mathach ~ ses + (1 | schid) + (1 | schtype)", "groups": "schid"},
                 {"formula": "mathach ~ ses", "groups": ["schtype", "schid"]},
                 {"formula": "mathach ~ ses", "groups": "schid", "weights": "size"}):
        with pytest.raises((TypeError, ValueError)):
            mlm.mixedlm(data=hsb(), **call)


def high():
    return hsb().assign(high=(hsb()["mathach"] >= 18).astype(int), schid=hsb()["schid"].astype(str))


@pytest.mark.claim("the estimates differ in the third digit only", "lie half a unit apart")
def test_laplace_and_quadrature_differ_more_in_the_likelihood_than_in_the_estimates():
    laplace, quadrature = (glmm.fit(high(), "high ~ ses + (1 | schid)", family="binomial", nagq=nodes) for nodes in (1, 9))
    for estimates in zip([*laplace.beta, laplace.tau2[0] ** 0.5], [*quadrature.beta, quadrature.tau2[0] ** 0.5]):
        assert 0 < abs(np.diff(estimates)[0]) < 0.01
    assert quadrature.loglik - laplace.loglik == pytest.approx(0.5, abs=0.05)


@pytest.mark.claim("the default of glmm and of lme4's `glmer`")
@pytest.mark.parametrize("nodes, peers", [(1, ("lme4", "glmmTMB")), (9, ("lme4_quadrature",))])
def test_the_binary_model_by_maximum_likelihood_is_lme4s_and_glmmtmbs(nodes, peers, reference):
    """glmer ends 8e-4 below glmmTMB in the log-likelihood, whatever its optimizer is told; glmm doesn't."""
    ours = glmm.fit(high(), "high ~ ses + (1 | schid)", family="binomial", nagq=nodes)
    for peer in peers:
        theirs = reference("next")["binary"][peer]
        assert ours.loglik == pytest.approx(theirs["llf"], abs=2e-3 if peer == "lme4" else 1e-5)
        np.testing.assert_allclose(ours.beta, theirs["estimate"], atol=3e-4)
        np.testing.assert_allclose(ours.se, theirs["se"], rtol=5e-3)  # lme4 takes the Hessian by finite differences
        sd = theirs["sd"] if "sd" in theirs else theirs["variances"][0]["vcov"] ** 0.5
        assert ours.tau2[0] ** 0.5 == pytest.approx(sd, rel=1e-3)
    if nodes == 1:
        assert ours.loglik == pytest.approx(-3821.476, abs=5e-4)


def test_the_binary_model_is_what_lme4_prints_on_the_page():
    printed = (ROOT / "chapters/r/binary.txt").read_text("utf-8")
    ours = glmm.fit(high(), "high ~ ses + (1 | schid)", family="binomial")
    assert float(re.search(r"logLik.*\n.*? (-\d+\.\d)", printed)[1]) == round(ours.loglik, 1)
    for name, value in zip((r"\(Intercept\)", "ses"), ours.beta):
        assert float(re.search(rf"^{name} +(-?\d+\.\d+)", printed, flags=re.M)[1]) == pytest.approx(value, abs=3e-4)


@pytest.mark.claim("With few observations in a group, take quadrature")
def test_laplace_is_biased_where_groups_are_small():
    """Groups of 3, a large variance: mean estimates of tau over 40 data sets, quadrature nearer the truth of 4."""
    rng, found = np.random.default_rng(1), []
    for _ in range(40):
        group = np.repeat(np.arange(400), 3)
        chance = 1 / (1 + np.exp(-2 * rng.normal(size=400)[group]))
        data = pd.DataFrame({"y": (rng.random(1200) < chance).astype(int), "g": group.astype(str)})
        found.append([glmm.fit(data, "y ~ 1 + (1 | g)", family="binomial", nagq=nodes).tau2[0] for nodes in (1, 15)])
    mean, error = np.mean(found, axis=0), np.std(found, axis=0) / np.sqrt(len(found))
    assert mean[0] < 4 - 4 * error[0]
    assert abs(mean[1] - 4) < abs(mean[0] - 4) - 4 * np.std(np.diff(found)) / np.sqrt(len(found))


@pytest.mark.claim("is about half of what maximum likelihood", "its estimates are close to the others")
def test_variational_bayes_is_too_sure_of_the_intercept():
    ours = glmm.fit(high(), "high ~ ses + (1 | schid)", family="binomial")
    bayes = sm.BinomialBayesMixedGLM.from_formula("high ~ ses", {"school": "0 + C(schid)"}, high()).fit_vb(rng=1)
    assert 0.4 < bayes.fe_sd[0] / ours.se[0] < 0.65
    np.testing.assert_allclose(bayes.fe_mean, ours.beta, atol=0.03)


def posterior():
    """The kept summary of the draws: a row for each parameter."""
    lines = (ROOT / "chapters/bambi/random_slope.txt").read_text("utf-8").splitlines()
    head = next(k for k, line in enumerate(lines) if "mcse_mean" in line)
    rows = [line.split() for line in lines[head + 1 : -1]]
    return pd.DataFrame([list(map(float, row[1:])) for row in rows], [row[0] for row in rows], lines[head].split())


@pytest.mark.claim("to within a fraction of the latter", "There are two standard deviations and no correlation",
                   "Taking one formula to be one model in every program", "wide enough to matter little here")
def test_the_posterior_is_that_of_the_uncorrelated_model():
    """With 160 schools posterior and REML agree to a quarter of a posterior SD and four Monte-Carlo errors."""
    draws, ours = posterior(), mlm.mixedlm("mathach ~ ses_cwc", hsb(), "schid", "~ ses_cwc", correlated=False)
    expected = [ours.scale**0.5, *ours.fe_params, *np.diag(ours.cov_re) ** 0.5]
    assert (abs(draws["mean"] - expected) < draws["sd"] / 4 + 4 * draws["mcse_mean"]).all()
    np.testing.assert_allclose(draws["sd"].iloc[1:3], ours.bse_fe, rtol=0.1)
    assert (draws["r_hat"] < 1.01).all() and (draws["mcse_mean"] < draws["sd"] / 20).all()
    correlated = fit("mathach ~ ses_cwc", "~ ses_cwc")
    assert correlated.cov_re.iloc[0, 1] != 0
    text = (ROOT / "chapters/bambi/random_slope.txt").read_text("utf-8")
    assert text.rstrip().endswith("divergent transitions: 0") and "corr" not in text.lower()


@pytest.mark.claim("end at the same log-likelihood, and it is")
def test_two_programs_agree_and_are_wrong():
    kept = pd.read_csv(ROOT / "data/packages.csv")
    cross = kept[(kept["model"] == "cross-level interaction") & (kept["method"] == "REML")].set_index("program")
    assert abs(np.diff(cross["log_likelihood"][["lme-python", "interlace-lme"]])[0]) < 1e-3
    assert cross["short"][["lme-python", "interlace-lme"]].min() > 0.01
