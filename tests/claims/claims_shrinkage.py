"""Shrinkage and prediction."""

import numpy as np
import pandas as pd
import pytest

import mlm
from course import fit, hsb

NOT_COMPUTED = {
    "and the average, or what the predictors say, gets the rest": "the formula itself, which the page's first cell computes by hand",
}


def null():
    return fit("mathach ~ 1")


def neighbours():
    """Ratios of the differences of schools next to each other to their standard deviations."""
    table = mlm.blups(null()).sort_values("estimate")
    sd = table["sd"].to_numpy()
    return np.diff(table["estimate"]) / np.hypot(sd[1:], sd[:-1])


@pytest.mark.claim("neighbors in a ranking can't be told apart", "Not one pair of neighbors here can be told apart")
def test_no_neighbours_are_told_apart():
    assert neighbours().max() < 1.96


@pytest.mark.claim("In the middle of the order only schools far apart can be told apart, at its ends nearer ones too.")
def test_how_far_apart_two_schools_must_be():
    table = mlm.blups(null()).sort_values("estimate")
    estimate, sd = table["estimate"].to_numpy(), table["sd"].to_numpy()
    apart = np.abs(np.subtract.outer(estimate, estimate)) > 1.96 * np.hypot.outer(sd, sd)
    places = [abs(np.subtract(*np.nonzero(part))).min() for part in (apart[:40, :40], apart[40:120, 40:120], apart[120:, 120:])]
    assert max(places[0], places[2]) < 12 < 40 < places[1]


@pytest.mark.claim("Each of those schools, taken by itself, can be told apart from the *average school*.")
def test_intervals_without_zero_are_right_each_by_itself():
    """Not all at once: in schools drawn from the fit some true effects lie on the other side of zero."""
    table, draws = mlm.blups(null()), np.random.default_rng(1).normal(size=(2000, 160))
    clear = (np.sign(table["lower"]) == np.sign(table["upper"])).to_numpy()
    wrong = np.sign(table["estimate"].to_numpy() + draws * table["sd"].to_numpy()) != np.sign(table["estimate"].to_numpy())
    assert wrong[:, clear].mean(axis=0).max() < 0.05 and wrong[:, clear].any(axis=1).mean() > 0.1


@pytest.mark.claim("Shrunken predictions fall short for a school that *is* extreme", "A lower mean, near its BLUP")
@pytest.mark.parametrize("seed", range(5))
def test_blups_of_the_true_best_fall_short_and_of_the_seeming_best_do_not(seed):
    rng, tau, sigma2 = np.random.default_rng(seed), null().cov_re.iloc[0, 0], null().scale
    n = hsb().groupby("schid", observed=True).size().to_numpy()
    truth = rng.normal(0, np.sqrt(tau), (1000, 160))
    own = truth + rng.normal(size=truth.shape) * np.sqrt(sigma2 / n)
    blup = own * tau / (tau + sigma2 / n)
    pick = np.arange(1000)

    def error(by, estimate):
        values = (estimate - truth)[pick, by.argmax(axis=1)]
        return values.mean() / (values.std() / np.sqrt(1000))

    # in Monte-Carlo standard errors; 4 of them lets one in 16 000 pass by chance
    assert error(truth, blup) < -4 and abs(error(blup, blup)) < 4 and error(own, own) > 4
    next_mean = truth[pick, own.argmax(axis=1)]
    assert next_mean.mean() < own.max(axis=1).mean() - 4 * next_mean.std() / np.sqrt(1000)
    assert abs(np.mean(next_mean - blup[pick, own.argmax(axis=1)])) < 4 * next_mean.std() / np.sqrt(1000)


@pytest.mark.claim("To ask that two 95 % intervals don't overlap is stricter than a test at the 5 % level")
def test_intervals_overlap_although_the_difference_is_significant():
    table = mlm.blups(null())
    estimate, sd = table["estimate"].to_numpy(), table["sd"].to_numpy()
    apart = np.abs(estimate[:, None] - estimate)
    significant = apart > 1.96 * np.hypot(sd[:, None], sd)
    disjoint = apart > 1.96 * (sd[:, None] + sd)
    assert (significant & ~disjoint).sum() > 1000 and not (disjoint & ~significant).any()


@pytest.mark.claim("It is more than twice as long in a new school, and many times as long in a known one",
                   '`mlm.predict(fit, new, of="observation")` for a new school')
def test_a_students_interval_is_much_longer_than_that_of_a_mean():
    slopes = fit("mathach ~ ses_cwc", "~ ses_cwc")
    rows = pd.DataFrame({"ses_cwc": 0.0, "schid": ["a new one", *slopes.blups.index]})
    ends = {of: mlm.predict(slopes, rows, groups="schid", of=of) for of in ("mean", "observation")}
    ratio = ends["observation"]["se"] / ends["mean"]["se"]
    assert ratio[0] > 2 and ratio[1:].min() > 4
    new = ends["observation"]["se"][0] ** 2
    error = slopes.cov_fixed.iloc[0, 0]
    assert new == pytest.approx(error + slopes.cov_re.iloc[0, 0] + slopes.scale)


@pytest.mark.claim("They are shrunken, by unequal amounts, and so are the relations to other variables")
def test_regressing_blups_gives_too_flat_a_slope():
    groups = hsb().groupby("schid", observed=True)
    means = groups["ses_mean"].first()
    flat = np.polyfit(means, null().blups["Intercept"].loc[means.index], 1)[0]
    assert flat < fit("mathach ~ ses_mean").fe_params["ses_mean"] - 0.3
    assert mlm.reliability(null())["Intercept"].std() > 0.02


@pytest.mark.claim("That of the school with 60 students")
def test_the_larger_school_keeps_more():
    tau, sigma2 = null().cov_re.iloc[0, 0], null().scale
    assert 5 * tau / (tau + sigma2 / 60) > 5 * tau / (tau + sigma2 / 15) + 0.5


@pytest.mark.claim("They are 0, and every school is predicted at the average")
def test_without_variance_between_schools_all_are_predicted_at_the_average():
    shuffled = hsb().assign(y=np.random.default_rng(0).permutation(hsb()["mathach"] - hsb().groupby("schid", observed=True)
                                                                   ["mathach"].transform("mean")))
    shuffled["y"] -= shuffled.groupby("schid", observed=True)["y"].transform("mean")  # no differences at all
    with pytest.warns(mlm.SingularFit):
        flat = mlm.mixedlm("y ~ 1", shuffled, groups="schid")
    assert flat.cov_re.iloc[0, 0] == 0 and (flat.blups == 0).all().all()


@pytest.mark.claim("School 8367, the smallest, moves most")
def test_8367_moves_most():
    moved = (1 - mlm.reliability(null())["Intercept"]) * (hsb().groupby("schid", observed=True)["mathach"].mean()
                                                         - null().fe_params["Intercept"])
    assert moved.abs().idxmax() == "8367" == hsb().groupby("schid", observed=True).size().idxmin()


@pytest.mark.claim("Other draws move these ends by a place or two")
def test_places_in_the_ranking_hardly_depend_on_the_draws():
    table = mlm.blups(null()).sort_values("estimate", ascending=False)
    ends = []
    for seed in range(5):
        drawn = np.random.default_rng(seed).normal(table["estimate"], table["sd"], (4000, 160))
        ranks = 1 + (-drawn).argsort(axis=1).argsort(axis=1)
        ends.append(np.quantile(ranks[:, [9, 79]], [0.025, 0.975], axis=0))
    assert np.ptp(ends, axis=0).max() <= 3


@pytest.mark.claim("In each of the twenty draws partial pooling was the best")
def test_partial_pooling_predicts_best_whichever_students_are_seen():
    data, rng = hsb(), np.random.default_rng(99)
    for _ in range(5):
        seen = pd.Series(rng.random(len(data))).groupby(data["schid"], observed=True).rank() <= 6
        train, test = data[seen], data[~seen]
        model = mlm.mixedlm("mathach ~ 1", train, groups="schid")
        own = test["schid"].map(train.groupby("schid", observed=True)["mathach"].mean()).astype(float)
        errors = [np.sqrt(((test["mathach"] - p) ** 2).mean())
                  for p in (mlm.predict(model, test, "schid")["fit"], own, train["mathach"].mean())]
        assert errors[0] < min(errors[1:]) - 0.05
