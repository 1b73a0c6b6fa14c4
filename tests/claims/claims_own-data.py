"""Your own data."""

import inspect
import warnings
from functools import lru_cache

import jupytext
import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from statsmodels.imputation.mice import MICEData

import mlm
from conftest import ROOT

NOT_COMPUTED = {
    "`IterativeImputer` shrinks the indicators and draws nothing": "scikit-learn is not among the course's packages; its documentation names "
        "ridge regression without draws from the posterior as defaults",
    "For a missing $W$ indicators are no help.": "the group has no row from which the coefficient of its indicator could be learned",
    "Look at types, extremes, missing values and sizes of groups before any model": "advice; what a 999 and repeated ids do is tested",
    "Else impute, with the groups in the imputation": "advice; what an imputation without groups does is tested",
}
COLUMNS = ["after", "alliance", "before", "experience"]
TRUTH_OF_SITUATIONS = {"Intercept": 0, "x": 1, "w": 1, "tau00": 1}


@lru_cache
def code():
    """The names that the chapter's cells make: the example's data, and the functions that simulate."""
    import contextlib
    import io

    import matplotlib

    matplotlib.use("Agg")
    names, wanted = {}, ("file = ", "raw = pd", "na_values", "data[\"group\"]", "used = ", "def study", "def survey")
    for cell in jupytext.read(ROOT / "chapters/own-data.md").cells:
        if cell.cell_type == "code" and any(mark in cell.source for mark in wanted):
            source = cell.source.partition("\nrng = ")[0]  # the simulations themselves are made here with other seeds
            with contextlib.redirect_stdout(io.StringIO()):
                exec(source, names)
    return names


def truth():
    names = {"__file__": str(ROOT / "data/make_messy.py"), "__name__": "make_messy"}
    exec((ROOT / "data/make_messy.py").read_text(), names)
    return names


def model(data, groups="group", formula="after ~ alliance_cwc + alliance_mean + before + experience", random=None):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", mlm.SingularFit)
        return mlm.mixedlm(formula, data, groups, random)


def test_the_file_is_what_the_script_writes(tmp_path):
    names = truth()
    names["spoil"](*names["simulate"]()).to_csv(tmp_path / "messy.csv", index=False, lineterminator="\n")
    assert (tmp_path / "messy.csv").read_text() == (ROOT / "data/messy.csv").read_text()


def test_what_is_cleaned_is_what_was_simulated():
    """The chapter's cells find each fault: all that is known comes back as it was."""
    simulated, cleaned = truth()["simulate"]()[0], code()["data"].sort_values("patient")
    assert len(cleaned) == len(simulated) and cleaned["group"].nunique() == 36
    assert (cleaned["clinic"].to_numpy() == simulated["clinic"].str.lower().to_numpy()).all()
    for name, lost in {"before": 7, "alliance": 9, "after": 0, "experience": 0}.items():
        ours, theirs = cleaned[name].to_numpy(float, na_value=np.nan), simulated[name].to_numpy(float)
        assert np.isnan(ours).sum() == np.isnan(theirs).sum() + lost
        assert (ours[~np.isnan(ours)] == theirs[~np.isnan(ours)]).all()


def test_the_estimates_are_near_what_is_true():
    found, known = model(code()["full"]), truth()["TRUTH"]
    for name in ("before", "alliance_cwc", "alliance_mean", "experience"):
        assert abs(found.fe_params[name] - known[name]) < 4 * found.bse_fe[name]  # one in 16 000 misses by so much


@pytest.mark.claim("a 999 or ids that repeat change results without a warning", "Seven of the", "The relation is gone")
def test_a_999_takes_the_relation_away():
    raw = code()["raw"]
    assert (raw["before"] == 999).sum() == 7
    known = raw.dropna(subset=["after"])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        slopes = [mlm.mixedlm("after ~ before", part, "therapist").fe_params["before"] for part in (known, known[known["before"] < 999])]
    assert abs(slopes[0]) < 0.01 and slopes[1] > 0.4


@pytest.mark.claim("An id names a group only together with the level above it", "School and number together",
                   "a property of the class is the same in all of its rows", "Each made-up group mixes three therapists")
def test_numbers_that_repeat_mix_groups():
    full = code()["full"]
    assert full["therapist"].nunique() == 12 and full["group"].nunique() == 36
    assert full.groupby("group")["experience"].nunique().max() == 1 < full.groupby("therapist")["experience"].nunique().min()
    rng, ratio, errors = np.random.default_rng(3), [], []
    for _ in range(20):  # other studies of the same kind: never by one seed
        number, u = np.repeat(np.arange(36), 9), rng.normal(0, 2, 36)
        data = pd.DataFrame({"group": number, "therapist": number % 12, "w": rng.normal(size=36)[number]})
        data["y"] = u[number] + rng.normal(0, 5, len(number))
        right, wrong = (model(data, name, "y ~ w") for name in ("group", "therapist"))
        ratio.append(wrong.cov_re.iloc[0, 0] - right.cov_re.iloc[0, 0])
        errors.append(wrong.bse_fe["w"] - right.bse_fe["w"])
    for differences in (ratio, errors):
        assert np.mean(differences) < -4 * np.std(differences) / np.sqrt(20)


@pytest.mark.claim("Without ids two persons may be alike in all that the file has")
def test_equal_rows_may_be_different_persons():
    assert mlm.load_hsb()[["minority", "female", "ses", "schid"]].duplicated().sum() > 100
    raw = code()["raw"]
    assert raw.duplicated().sum() == 1 and raw.drop_duplicates()["patient"].is_unique


@pytest.mark.claim("The centered variable is no longer free of differences between groups", "Drop incomplete rows, then center",
                   "In the rows that are left the centered means are no longer 0")
def test_the_order_of_dropping_and_centering_matters():
    data = code()["data"]
    early = data.assign(alliance_cwc=mlm.center_within(data["alliance"], data["group"])).dropna(subset=COLUMNS)
    late = early.assign(alliance_cwc=mlm.center_within(early["alliance"], early["group"]))
    largest = [part.groupby("group")["alliance_cwc"].mean().abs().max() for part in (early, late)]
    assert largest[0] > 0.05 and largest[1] < 1e-12


@pytest.mark.claim("They count for what lies between groups", "it still counts for differences between them",
                   "is there nothing to tell the levels apart")
def test_groups_of_one_make_a_level_two_coefficient_more_certain():
    rng, gain = np.random.default_rng(1), []
    for _ in range(10):
        g = np.concatenate([np.repeat(np.arange(30), 6), np.arange(30, 90)])
        data = pd.DataFrame({"g": g, "w": rng.normal(size=90)[g]})
        data["y"] = data["w"] + rng.normal(0, 1, 90)[g] + rng.normal(0, 2, len(g))
        gain.append(model(data, "g", "y ~ w").bse_fe["w"] - model(data[data["g"] < 30], "g", "y ~ w").bse_fe["w"])
    assert np.mean(gain) < -4 * np.std(gain) / np.sqrt(10)
    with pytest.raises(ValueError, match="Every group has one row"):
        mlm.mixedlm("y ~ w", data[data["g"] >= 30], "g")


@pytest.mark.claim("The test has little power")
def test_a_slope_variance_is_seldom_found_in_a_study_of_this_size():
    plan = mlm.plan("y ~ x", re_formula="~ x", fixed={"x": -1.5}, tau=[[4.0, 0.0], [0.0, 0.5**2]], sigma2=25.0, predictors={"x": "student normal"})
    found = mlm.power(plan, "x Var", 36, 8, draws=200, jobs=1)  # slopes from -2.5 to -0.5
    assert found["power"][0] + 4 * found["mc_error"][0] < 0.5


@lru_cache
def situations(draws=60, seed=7):
    """Mean estimates of each situation and their Monte-Carlo errors, with another seed than the page's."""
    names, rng, rows = code(), np.random.default_rng(seed), []
    for _ in range(draws):
        whole = names["study"](rng)
        for name, drop in names["situations"].items():
            fit = model(drop(whole, rng), "g", "y ~ x + w")
            rows.append({"missing": name, **fit.fe_params, "tau00": fit.cov_re.iloc[0, 0], "se_x": fit.bse_fe["x"], "se_w": fit.bse_fe["w"]})
    found = pd.DataFrame(rows).groupby("missing", sort=False)
    return found.mean(), found.sem()


@pytest.mark.claim("Complete rows give right results if, given the predictors, being complete doesn't depend on the outcome", "Rows two to four are right",
                   "Nothing but to make it less certain", "What is lost is precision")
def test_gaps_that_depend_on_predictors_only_cost_precision():
    means, errors = situations()
    for name in ("Y, by X and W", "whole groups, by W", "X, by X itself"):
        for parameter, value in TRUTH_OF_SITUATIONS.items():
            assert abs(means.loc[name, parameter] - value) < 4 * errors.loc[name, parameter], (name, parameter)
        assert means.loc[name, "se_x"] > 1.1 * means.loc["nothing is missing", "se_x"]
    assert means.loc["whole groups, by W", "se_w"] > 1.1 * means.loc["nothing is missing", "se_w"]


@pytest.mark.claim("Only if what the gaps depend on is among the model's *predictors*, or", "The last three are wrong")
def test_gaps_that_depend_on_the_outcome_mislead():
    means, errors = situations()
    off = ((means - pd.Series(TRUTH_OF_SITUATIONS)) / errors)[list(TRUTH_OF_SITUATIONS)]
    for name in ("X, by Y", "Y, by z"):
        assert (off.loc[name] < -4).all(), name
    assert (off.loc["W, by the mean of Y", ["Intercept", "w", "tau00"]] < -4).all() and abs(off.loc["W, by the mean of Y", "x"]) < 4


@pytest.mark.claim("standard errors come out too small", "An imputation that ignores the groups makes them less alike than they are")
def test_filled_gaps_are_no_data():
    names, rng, errors, taus = code(), np.random.default_rng(5), [], []
    for _ in range(15):
        whole = names["study"](rng)
        gap = rng.random(len(whole)) < 0.4
        line = smf.ols("y ~ x + w", whole[~gap]).fit()
        drawn = line.predict(whole) + np.sqrt(line.scale) * rng.normal(size=len(whole))
        kept, by_mean, by_line = (model(part, "g", "y ~ x + w") for part in (
            whole[~gap], whole.assign(y=whole["y"].mask(gap, whole["y"][~gap].mean())), whole.assign(y=whole["y"].mask(gap, drawn))))
        errors.append((by_mean.bse_fe - kept.bse_fe).max())
        taus.append(by_line.cov_re.iloc[0, 0] - kept.cov_re.iloc[0, 0])
    assert max(errors) < 0
    assert np.mean(taus) < -4 * np.std(taus) / np.sqrt(15)


@pytest.mark.claim("in a long table it may depend on earlier outcomes that are in the fit",
                   "is an earlier outcome of the same person that is in the fit",
                   "So keep such persons; don't drop everybody who has a gap.")
def test_persons_who_drop_out_by_an_outcome_that_is_in_the_fit():
    """Growth by 1 an occasion; those who are low at one occasion mostly don't come to the next."""
    rng, found = np.random.default_rng(6), []
    for _ in range(40):
        person, time = np.repeat(np.arange(150), 5), np.tile(np.arange(5.0), 150)
        effects = rng.multivariate_normal([0, 0], [[1, 0.1], [0.1, 0.25]], size=150)[person]
        y = time + effects[:, 0] + effects[:, 1] * time + rng.normal(size=750)
        stays = rng.random((150, 5)) < 1 / (1 + np.exp(-1.5 * (y - time).reshape(150, 5) - 1))
        there = np.column_stack([np.ones(150, bool), np.cumprod(stays[:, :-1], axis=1).astype(bool)])
        rows = pd.DataFrame({"person": person, "time": time, "y": y})
        left = rows[there.ravel()]
        whole = rows[np.repeat(there.all(axis=1), 5)]
        found.append([model(left, "person", "y ~ time", "~ time").fe_params["time"],
                      model(whole, "person", "y ~ time", "~ time").fe_params["time"], smf.ols("y ~ time", left).fit().params["time"]])
    (all_rows, complete_persons, no_groups), error = np.mean(found, axis=0), np.std(found, axis=0) / np.sqrt(40)
    assert abs(all_rows - 1) < 4 * error[0]
    assert abs(complete_persons - 1) > 4 * error[1] and abs(no_groups - 1) > 4 * error[2]


@pytest.mark.claim("Indicators of the groups among their columns help if the imputation is an unpenalized regression with random draws",
                   "even then they make groups more different than they are")
def test_an_imputation_by_indicators_of_the_groups():
    """Y is missing by z; Bayesian regression on x, z and an indicator of each group, five times."""
    names, rng, found = code(), np.random.default_rng(12), []
    for _ in range(30):
        whole = names["study"](rng)
        kept = names["situations"]["Y, by z"](whole, rng)
        gap = ~whole.index.isin(kept.index)
        X = np.column_stack([whole[["x", "z"]], pd.get_dummies(whole["g"]).to_numpy(float)])
        use = X[~gap].sum(axis=0) != 0
        root = np.linalg.pinv(X[~gap][:, use].T @ X[~gap][:, use] + 1e-3 * np.eye(use.sum()))
        y = whole["y"].to_numpy()
        line = root @ X[~gap][:, use].T @ y[~gap]
        rest, df = ((y[~gap] - X[~gap][:, use] @ line) ** 2).sum(), (~gap).sum() - use.sum()
        drawn = []
        for _ in range(5):
            sigma2 = rest / rng.chisquare(df)
            b = rng.multivariate_normal(line, sigma2 * root)
            filled = np.where(gap, X[:, use] @ b + rng.normal(0, np.sqrt(sigma2), len(y)), y)
            fit = model(whole.assign(y=filled), "g", "y ~ x + w")
            drawn.append([*fit.fe_params, fit.cov_re.iloc[0, 0]])
        found.append(np.mean(drawn, axis=0))
    means, errors = np.mean(found, axis=0), np.std(found, axis=0) / np.sqrt(30)
    assert (abs(means[:3] - [TRUTH_OF_SITUATIONS[name] for name in ("Intercept", "x", "w")]) < 4 * errors[:3] + 0.02).all()
    assert means[3] > TRUTH_OF_SITUATIONS["tau00"] + 2 * errors[3]


@pytest.mark.claim("`MICEData` of statsmodels and `IterativeImputer` of scikit-learn, know no groups by themselves", "`MICEData` borrows values of similar rows")
def test_the_stock_imputation_is_told_of_no_groups():
    assert inspect.signature(MICEData).parameters["k_pmm"].default > 0  # rows of which one is drawn: predictive mean matching
    assert not [name for name in inspect.signature(MICEData).parameters if "group" in name or "cluster" in name]


def surveys(draws, equal=False):
    """Slopes of a mixed model without the design, and of regressions with weights and without."""
    names, rng, rows = code(), np.random.default_rng(4), []
    for _ in range(draws):
        sample = names["survey"](rng)
        if equal:  # the same slope, 1.5, in both kinds of schools
            sample["y"] += sample["private"] * sample["x"]
        rows.append({"mixed": model(sample, "school", "y ~ x").fe_params["x"], "plain": smf.ols("y ~ x", sample).fit().params["x"],
                     "weighted": smf.wls("y ~ x", sample, weights=sample["weight"]).fit().params["x"]})
    return pd.DataFrame(rows)


@pytest.mark.claim("put into the model what the drawing depended on, or weight", "Without the design the model averages over the *sample*")
def test_without_the_design_the_average_is_that_of_the_sample():
    found = surveys(80)
    error = 4 * found.sem()
    assert abs(found["mixed"].mean() - 1.0) < error["mixed"] and abs(found["weighted"].mean() - 1.4) < error["weighted"]


@pytest.mark.claim("If the model has the kind, with its interaction where slopes differ.",
                   "If the slope is the same in all kinds of schools, the kind without its interaction will do.",
                   "Equal slopes are not enough by themselves")
def test_with_equal_slopes_the_kind_must_be_in_the_model_if_predictor_and_outcome_differ_by_it():
    names, rng, found = code(), np.random.default_rng(8), []
    for _ in range(60):
        sample = names["survey"](rng)
        sample["y"] += sample["private"] * (sample["x"] + 3)  # a slope of 1.5 in both kinds, and
        sample["x"] += sample["private"]  # pupils of private schools are ahead in x by 1, in y by 3 beyond that
        found.append([model(sample, "school", formula).fe_params["x"] for formula in ("y ~ x", "y ~ x + private")])
    (without, kind), error = np.mean(found, axis=0), np.std(found, axis=0) / np.sqrt(60)
    assert without > 1.5 + 4 * error[0] and abs(kind - 1.5) < 4 * error[1]


@pytest.mark.claim("Weights make estimates less certain")
def test_where_the_slope_is_the_same_weights_only_cost():
    found = surveys(150, equal=True)
    assert abs(found["mixed"].mean() - 1.5) < 4 * found["mixed"].sem()
    assert abs(found["weighted"].mean() - 1.5) < 4 * found["weighted"].sem()
    # Kish: by 1 + var(weights) / mean**2 = 1.64; four standard errors of a log ratio of correlated variances leave 1.1
    assert found["weighted"].var() > 1.1 * found["plain"].var()


@pytest.mark.claim("It puts right what is missing at random, if the model of the gaps has the outcome, what predicts the gaps, *and the groups*")
def test_an_imputation_with_the_groups_and_what_predicts_the_gaps_is_right():
    """Y is missing by z. Given all of z and x, Y is linear in them and in their groups' means, with a group's effect left."""
    names, rng, found = code(), np.random.default_rng(11), []
    for _ in range(40):
        whole = names["study"](rng).assign(gap=False)
        kept = names["situations"]["Y, by z"](whole, rng)
        whole.loc[whole.index.difference(kept.index), "gap"] = True
        for name in ("x", "z"):
            whole[f"{name}_mean"] = whole.groupby("g")[name].transform("mean")
        gaps = model(whole[~whole["gap"]], "g", "y ~ x + w + z + x_mean + z_mean")
        fixed = mlm.predict(gaps, whole, of="mean")["fit"]  # of a new group: without its effect
        effects = mlm.blups(gaps).droplevel("effect")
        effects = pd.Series(rng.normal(effects["estimate"], effects["sd"]), index=effects.index)
        new = rng.normal(0, np.sqrt(gaps.cov_re.iloc[0, 0]), 60)  # where nothing is left of a group
        drawn = fixed + whole["g"].map(effects).fillna(whole["g"].map(dict(enumerate(new)))) + rng.normal(0, np.sqrt(gaps.scale), len(whole))
        filled = model(whole.assign(y=whole["y"].mask(whole["gap"], drawn)), "g", "y ~ x + w")
        found.append({**filled.fe_params, "tau00": filled.cov_re.iloc[0, 0]})
    found = pd.DataFrame(found)
    assert (abs(found.mean() - pd.Series(TRUTH_OF_SITUATIONS)) < 4 * found.sem()).all()
