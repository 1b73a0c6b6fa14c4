"""Claims of the page on within, between and contextual effects."""

import warnings

import numpy as np
import pandas as pd
import pytest

import mlm
from course import fit, hsb

BOTH, MUNDLAK = "mathach ~ ses_cwc + ses_mean", "mathach ~ ses + ses_mean"
NOT_COMPUTED = {
    "It compares students in different schools, to which they were not assigned by lot.": "how students came to their schools is not in the data",
}


def slopes(formula, names):
    return fit(formula).fe_params[names].tolist()


def few(students, seed):
    """The data with a few random students of each school, their schools' means computed anew."""
    order = pd.Series(np.random.default_rng(seed).random(len(hsb())), index=hsb().index)
    data = hsb()[order.groupby(hsb()["schid"], observed=True).rank() <= students]
    within = mlm.center_within(data["ses"], data["schid"])
    return data.assign(ses_cwc=within, ses_mean=data["ses"] - within)


@pytest.mark.claim("Within schools, between schools and context are three questions with three coefficients, and the third is the second minus the first.",
                   "Beside `ses_cwc` it is the between effect, beside `ses` or `ses_cgm` the contextual effect.",
                   "$a + b$.")
def test_three_coefficients_and_their_names():
    within, between = slopes(BOTH, ["ses_cwc", "ses_mean"])
    for name in ("ses", "ses_cgm"):
        own, context = slopes(f"mathach ~ {name} + ses_mean", [name, "ses_mean"])
        assert own == pytest.approx(within, abs=1e-8) and context == pytest.approx(between - within, abs=1e-8)
        assert own + context == pytest.approx(between, abs=1e-8)
    tests = mlm.satterthwaite(fit(BOTH), "ses_mean - ses_cwc").iloc[0]
    assert tests.lower > 2.5 and between > 2 * within


@pytest.mark.claim("The slope of raw SES blends the first two, with a weight that depends on the design.",
                   "It is a blend, and its weight depends on the design.",
                   "It moves toward the within effect.")
def test_the_blend_moves_to_the_within_effect_with_more_students():
    raw = fit("mathach ~ ses")
    (within, between), n = slopes(BOTH, ["ses_cwc", "ses_mean"]), hsb().groupby("schid", observed=True).size()
    assert within < raw.fe_params["ses"] < between
    mean = hsb().groupby("schid", observed=True)["ses"].mean()

    def weight(times):
        w = 1 / (raw.tau[0, 0] + raw.scale / (times * n))
        around = mean - np.average(mean, weights=w)
        information = (w * around**2).sum(), times * hsb()["ses_cwc"].pow(2).sum() / raw.scale
        return information[0] / sum(information)

    assert weight(4) < weight(1) / 2 < weight(0.25)
    assert (1 - weight(1)) * within + weight(1) * between == pytest.approx(raw.fe_params["ses"], abs=0.01)
    fewer = [mlm.mixedlm("mathach ~ ses", few(6, seed), "schid").fe_params["ses"] for seed in range(5)]
    assert min(fewer) > raw.fe_params["ses"]


@pytest.mark.claim("To adjust for the student's SES and to adjust for the school's composition are two questions; say which one you ask.",
                   "`ses_cwc` alone.",
                   "Nothing is adjusted between schools: `ses_cwc` has the same mean in all of them.")
def test_the_sectors_differ_by_three_amounts():
    plain, beside_cwc, type_a, type_b = (mlm.satterthwaite(fit(f"mathach ~ {x}schtype")).loc["schtype"] for x in
                                         ("", "ses_cwc + ", "ses + ", "ses_cwc + ses_mean + "))
    assert beside_cwc.estimate == pytest.approx(plain.estimate, abs=0.01)
    assert type_b.estimate < type_b.upper < type_a.estimate < beside_cwc.estimate
    assert hsb().groupby("schid", observed=True)["ses_cwc"].mean().abs().max() < 1e-12


@pytest.mark.claim("so the models are equivalent only if the product of sector and the school's mean is in both. A square of SES needs the mean's square and its product with SES.")
def test_a_product_of_ses_makes_another_model_unless_the_mean_enters_it():
    def llf(formula):
        return mlm.mixedlm(f"mathach ~ {formula}", hsb(), "schid", reml=False).llf

    product, with_mean = "{0} * schtype + ses_mean", "{0} * schtype + ses_mean * schtype"
    square, with_means = "{0} + I({0} ** 2) + ses_mean", "{0} + I({0} ** 2) + ses_mean + I(ses_mean ** 2) + {0}:ses_mean"
    for other in (product, square):
        assert abs(llf(other.format("ses_cwc")) - llf(other.format("ses"))) > 0.5
    for same in (with_mean, with_means):
        assert llf(same.format("ses_cwc")) == pytest.approx(llf(same.format("ses")), abs=1e-6)


@pytest.mark.claim("Once the school's mean is in the model, centering doesn't change a model with random intercepts, only which effect the mean's coefficient is. With random slopes it makes another model.",
                   "Their random parts differ by $u_{1j}\\bar X_j$.")
def test_one_model_with_random_intercepts_and_two_with_random_slopes():
    assert fit(BOTH).llf == pytest.approx(fit(MUNDLAK).llf, abs=1e-6)
    for reml in (True, False):
        cwc, raw = fit(BOTH, "~ ses_cwc", reml), fit(MUNDLAK, "~ ses", reml)
        assert abs(cwc.llf - raw.llf) > 0.1
    # the part that makes the difference: with u1 * mean among the fixed parts of a single school nothing is left
    Z = [hsb()["ses_cwc"] + hsb()["ses_mean"], hsb()["ses"]]
    assert np.allclose(*Z)


@pytest.mark.claim("If the four are a sample of the class and the pupils' values are free of error, the contextual effect is probably larger than 1.")
def test_few_students_draw_the_contextual_effect_to_zero_and_the_between_effect_to_the_within_effect():
    found = []
    for seed in range(20):
        data = few(5, seed)
        model = mlm.mixedlm(BOTH, data, "schid")
        reliability = mlm.reliability(mlm.mixedlm("ses ~ 1", data, "schid")).mean().iloc[0]
        found.append([*model.fe_params[["ses_cwc", "ses_mean"]], reliability])
    (within, between, reliability), error = np.mean(found, axis=0), np.std(found, axis=0) / np.sqrt(20)
    w, b = slopes(BOTH, ["ses_cwc", "ses_mean"])
    assert between - within == pytest.approx(reliability * (b - w), abs=3 * error[:2].sum() + 0.1)
    assert between < b - 5 * error[1] and between > within + 1  # toward the within effect, not toward zero
    assert within == pytest.approx(w, abs=3 * error[0])


@pytest.mark.claim("Error in the students' own values flattens the within slope and makes the contextual effect too large; the expected mean does not put that right.")
@pytest.mark.parametrize("seed", range(5))
def test_error_in_own_values_makes_context(seed):
    """SES with error added, reliability .8: once the real outcome, once one without a contextual effect."""
    rng, data = np.random.default_rng(seed), hsb()
    x = data["ses"] + rng.normal(0, data["ses"].std() / 2, len(data))
    model = mlm.mixedlm("x ~ 1", data.assign(x=x), "schid")
    data = data.assign(x=x, observed=x - mlm.center_within(x, data["schid"]),
                       expected=model.blups["Intercept"].to_numpy()[data["schid"].cat.codes])
    within, context = slopes(MUNDLAK, ["ses", "ses_mean"])
    for y, true in ((data["mathach"], context), (data["mathach"] - context * data["ses_mean"], 0)):
        found = [mlm.mixedlm(f"y ~ x + {mean}", data.assign(y=y), "schid").fe_params for mean in ("observed", "expected")]
        assert all(one["x"] < within - 0.3 for one in found)
        # errors of the draw are about .1
        assert found[1]["expected"] > found[0]["observed"] > true + 0.2


@pytest.mark.claim("of either type, the difference is larger than this for students with a low SES, and smaller for those with a high one, where it may be zero.")
def test_with_a_slope_for_each_sector_either_type_depends_on_ses():
    for composition in ("", " + ses_mean"):
        one = mlm.satterthwaite(fit(f"mathach ~ ses + schtype{composition}")).loc["schtype", "estimate"]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", mlm.SingularFit)  # a correlation of 1, the best there is
            apart = fit(f"mathach ~ ses * schtype{composition}", "~ ses")
        low, high = (mlm.satterthwaite(apart, L).iloc[0] for L in (
            "schtype - ses:schtype", "schtype + ses:schtype"))
        assert low["lower"] > one > high["estimate"] and high["lower"] < 0 < high["upper"]


@pytest.mark.claim("Centered within schools, the model finds the slopes' variance in both worlds, up to the Monte-Carlo error.")
def test_which_tau11_is_found_with_another_seed():
    cwc, raw = fit(BOTH, "~ ses_cwc"), fit(MUNDLAK, "~ ses")
    for truth in (cwc, raw):
        y = mlm.simulate(truth, 150, seed=7)
        by_cwc, by_raw = mlm.refit(cwc, y)["ses_cwc Var"], mlm.refit(raw, y)["ses Var"]
        assert by_cwc.mean() == pytest.approx(truth.tau[1, 1], abs=3 * by_cwc.std() / np.sqrt(150))
        gap = by_raw - by_cwc
        assert (gap.mean() < -4 * gap.std() / np.sqrt(150)) == (truth is cwc)


@pytest.mark.claim("So low a value is unusual in the first world")
def test_the_difference_seen_is_rarer_in_the_second_world_with_another_seed():
    cwc, raw = fit(BOTH, "~ ses_cwc"), fit(MUNDLAK, "~ ses")
    seen, as_low = raw.tau[1, 1] - cwc.tau[1, 1], []
    for truth in (cwc, raw):
        y = mlm.simulate(truth, 600, seed=8)
        gap = mlm.refit(raw, y)["ses Var"] - mlm.refit(cwc, y)["ses_cwc Var"]
        as_low.append((gap <= seen).mean())
    # .08 and .01 with Monte-Carlo errors of .011 and .004
    assert 0.04 < as_low[0] < 0.12 and as_low[1] < 0.03 and as_low[0] > as_low[1] + 0.03


@pytest.mark.claim("isn't touched, whether deviations are entered or own values beside the mean.")
def test_the_within_slope_rests_on_deviations_in_both_models():
    deviations = hsb()["ses_cwc"]
    expected = deviations @ hsb()["mathach"] / (deviations**2).sum()
    assert [*slopes(BOTH, ["ses_cwc"]), *slopes(MUNDLAK, ["ses"])] == pytest.approx([expected] * 2, abs=1e-8)
