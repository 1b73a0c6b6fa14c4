"""Power by simulation: against formulas, lme4 and single fits; the same numbers whatever does the work."""

import importlib
import json
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
from scipy import stats

import mlm
from mlm.inference import likelihood_ratio, satterthwaite
from mlm.likelihood import root
from mlm.planning import BATCH, Plan, _batch, _estimable, _seeds, _share

ROOT = Path(__file__).resolve().parents[1]
LME4 = json.loads((ROOT / "tests/reference/power.json").read_text())
TREATED = {"treated": "school 0/1", "x": "student normal"}


def trial(effect=0.4, tau00=0.2, tau11=0.0, **fixed):
    """A cluster-randomised trial in units of the residual standard deviation, with a random slope or none."""
    if tau11:
        return mlm.plan("y ~ treated * x", {"treated": effect, **fixed}, np.diag([tau00, tau11]), 1, TREATED, "~ x")
    return mlm.plan("y ~ treated + x", {"treated": effect, **fixed}, tau00, 1, TREATED)


def noncentral(effect, variance, df, alpha=0.05):
    """Power of the two-sided t test of an estimate with this variance."""
    limit, shift = stats.t.ppf(1 - alpha / 2, df), effect / np.sqrt(variance)
    return stats.nct.sf(limit, df, shift) + stats.nct.cdf(-limit, df, shift)


def agrees(row, expected):
    """Within 3.5 standard errors: by chance once in 2000 comparisons, and the seeds are fixed."""
    return abs(row.power - expected) < 3.5 * row.mc_error


# ---- against something outside -----------------------------------------------------------------


@pytest.mark.parametrize("schools, students", [(20, 10), (40, 10), (41, 5), (30, 20)])
def test_school_level_effect_follows_the_noncentral_t(schools, students):
    # Raudenbush (1997): the difference of two groups of schools, J - 2 degrees of freedom
    share = schools // 2 / schools
    variance = (0.2 + 1 / students) / (schools * share * (1 - share))
    row = mlm.power(trial(0.5), "treated", schools, students, draws=4000, jobs=1).iloc[0]
    assert agrees(row, noncentral(0.5, variance, schools - 2))
    assert row.se == pytest.approx(np.sqrt(variance), rel=0.03)  # the mean of square roots is a little less
    assert row.df == pytest.approx(schools - 2, rel=0.02)


def test_student_level_effect_follows_the_noncentral_t():
    row = mlm.power(trial(x=0.15), "x", 20, 20, draws=4000, jobs=1).iloc[0]
    assert agrees(row, noncentral(0.15, 1 / 400, 20 * 19 - 1))


def test_cross_level_interaction_follows_the_noncentral_t():
    # the slopes of the schools' own regressions have the variance tau11 + sigma2 / n
    plan = trial(0, tau11=0.2, **{"treated:x": 0.4})
    row = mlm.power(plan, "treated:x", 40, 12, draws=4000, jobs=1).iloc[0]
    assert agrees(row, noncentral(0.4, 4 * (0.2 + 1 / 12) / 40, 38))


@pytest.fixture(scope="module")
def forty():
    """A random-slope fit of every fourth school."""
    hsb = mlm.load_hsb()
    hsb["ses_cwc"] = mlm.center_within(hsb.ses, hsb.schid)
    some = hsb[hsb.schid.isin(hsb.schid.unique()[::4])]
    return mlm.mixedlm("mathach ~ schtype * ses_cwc", some, "schid", "~ ses_cwc")


@pytest.mark.parametrize("effect", LME4["power"])
def test_power_is_that_of_lme4s_simulate_and_refit(forty, effect):
    plan = Plan.of(forty)
    truth = replace(plan, fixed=pd.Series(LME4["beta"], plan.fixed.index), sigma2=LME4["sigma2"],
                    tau=pd.DataFrame(LME4["tau"], plan.tau.index, plan.tau.columns))
    row, theirs = mlm.power(truth, effect, draws=2000, jobs=2).iloc[0], LME4["power"][effect]
    assert 0.2 < theirs < 0.8  # where a difference would show
    error = np.hypot(row.mc_error, np.sqrt(theirs * (1 - theirs) / LME4["draws"]))
    assert abs(row.power - theirs) < 3.5 * error


def test_false_alarms():
    schools = [8, 30]
    t, z = (mlm.power(trial(0.4), "treated", schools, 20, value=0, draws=4000, test=test, jobs=2) for test in "tz")
    assert agrees(t.iloc[0], 0.05) and agrees(t.iloc[1], 0.05)
    assert z.power[0] > 0.08 and z.power[0] > z.power[1] > t.power[1]  # the normal law, with few schools
    # The mixture is right for many schools; with REML and few it is a little cautious.
    row = mlm.power(trial(tau11=0.1), "x Var", 60, 10, value=0, draws=2000, jobs=2).iloc[0]
    assert row.value == 0 and 0.02 < row.power < 0.05 + 3.5 * row.mc_error
    row = mlm.power(trial(), "Intercept Var", 60, 10, value=0, draws=2000, jobs=2).iloc[0]
    assert 0.02 < row.power < 0.05 + 3.5 * row.mc_error


# ---- against single fits ------------------------------------------------------------------------


@pytest.mark.parametrize("reml", [True, False])
@pytest.mark.filterwarnings("ignore::mlm.SingularFit")
def test_a_batch_is_its_single_fits(reml):
    plan = replace(trial(0.4, tau00=0.1, tau11=0.02, x=0.3), reml=reml)
    seed = np.random.SeedSequence(5)
    p, se, df, singular = _batch(plan, "treated:x", 40, 8, 12, "t", seed)
    p_variance = _batch(plan, "x Var", 40, 8, 12, "t", seed)[0]
    half = root(plan.tau.to_numpy() / plan.sigma2)
    design, _, responses = _estimable(plan, 40, 8, half, 12, np.random.default_rng(seed))
    data = pd.DataFrame(design.X, columns=design.fixed).assign(school=design.codes)
    assert 0 < singular.sum() < 12
    for k, y in enumerate(responses.T):
        fit = mlm.mixedlm("y ~ treated * x", data.assign(y=y), "school", "~ x", reml)
        single = satterthwaite(fit).loc["treated:x"]
        assert bool(fit.singular) == bool(singular[k])
        assert se[k] == pytest.approx(single.se, rel=1e-5) and p[k] == pytest.approx(single.p, rel=1e-4)
        assert df[k] == pytest.approx(single.df, rel=1e-3)  # rests on second derivatives
        smaller = mlm.mixedlm("y ~ treated * x", data.assign(y=y), "school", None, reml)
        assert p_variance[k] == pytest.approx(likelihood_ratio(smaller, fit).p, abs=1e-3)


@pytest.mark.filterwarnings("ignore::mlm.SingularFit")
def test_the_only_variance_is_tested_against_the_regression():
    plan, seed = trial(tau00=0.05), np.random.SeedSequence(2)
    p = _batch(plan, "Intercept Var", 30, 8, 6, "t", seed)[0]
    design, _, responses = _estimable(plan, 30, 8, np.sqrt([[0.05]]), 6, np.random.default_rng(seed))
    data = pd.DataFrame(design.X, columns=design.fixed).assign(school=design.codes)
    for y, ours in zip(responses.T, p):
        fit = mlm.mixedlm("y ~ treated + x", data.assign(y=y), "school")
        assert ours == pytest.approx(likelihood_ratio(None, fit).p, abs=1e-6)


# ---- whatever does the work ---------------------------------------------------------------------


def test_workers_and_company_change_nothing():
    one = mlm.power(trial(), "treated", [10, 20], [5, 10], draws=120, jobs=1)
    pd.testing.assert_frame_equal(one, mlm.power(trial(), "treated", [10, 20], [5, 10], draws=120, jobs=2), rtol=1e-12)
    alone = mlm.power(trial(), "treated", 20, 5, draws=120, jobs=1)
    pd.testing.assert_frame_equal(one[2:3].reset_index(drop=True), alone)
    other = mlm.power(trial(), "treated", 20, 5, draws=120, seed=2, jobs=1)
    assert not np.isclose(other.se, alone.se, rtol=1e-6)[0]


@pytest.fixture
def cluster(tmp_path, monkeypatch):
    """A Dask scheduler and two workers, processes that know nothing of the course, in a folder with `mlm`."""
    shutil.copytree(ROOT / "chapters/mlm", tmp_path / "mlm", ignore=shutil.ignore_patterns("__pycache__"))
    elsewhere = tmp_path / "workers"
    elsewhere.mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PYTHONPATH", raising=False)
    file = str(tmp_path / "scheduler.json")
    python = [sys.executable, "-m", "dask"]
    commands = [[*python, "scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", file],
                *[[*python, "worker", "--no-dashboard", "--no-nanny", "--nthreads", "1", "--scheduler-file", file]] * 2]
    processes = [subprocess.Popen(command, cwd=elsewhere, stderr=subprocess.DEVNULL) for command in commands]
    yield processes
    for process in processes:
        process.kill()  # they hold nothing that would have to be put in order
        process.wait()


def test_the_chapters_dask_code_runs_on_a_cluster(cluster, forty):
    fit = mlm.mixedlm("mathach ~ catholic", forty.design.data.rename(columns={"schtype": "catholic"}), "schid")
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "chapters/power.md").read_text(), flags=re.S)
    code, = [block for block in blocks if "dask" in block]
    names = {"mlm": mlm, "fit": fit}
    exec(code, names)
    client = names["client"]
    try:
        assert len(client.scheduler_info()["workers"]) == 2
        homes = client.run(lambda: importlib.import_module("mlm.planning").__file__)  # the copy that was sent, on both
        assert len(homes) == 2 and all("mlm.zip" in home for home in homes.values())
        here = mlm.power(fit, "catholic", **names["designs"], jobs=1)
        pd.testing.assert_frame_equal(names["table"], here, rtol=1e-12)
    finally:
        client.close()


def test_the_chapter_shows_what_the_benchmark_measured():
    times = pd.read_csv(ROOT / "benchmarks/power.csv", index_col="program").seconds
    block, = re.findall(r"```text\nSeconds.*\n((?:.+\n)+?)```", (ROOT / "chapters/power.md").read_text())
    shown = dict(line.rsplit(maxsplit=1) for line in block.splitlines())
    assert shown == {program: f"{time:.1f}" for program, time in times.items()}
    assert times.iloc[0] < times["lme4 refit"] / 30


def test_a_local_cluster_gives_the_same(forty):
    from dask.distributed import Client, LocalCluster

    with (LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster, Client(cluster) as client,
          joblib.parallel_config("dask")):
        there = mlm.power(forty, "schtype", 20, draws=200)
        loaded = client.run(lambda: "mlm.planning" in sys.modules)
    assert len(loaded) == 2 and any(loaded.values())  # a busy machine may let one do all the work
    pd.testing.assert_frame_equal(there, mlm.power(forty, "schtype", 20, draws=200, jobs=1), rtol=1e-12)


def test_progress_bar(capfd):
    quiet = mlm.power(trial(), "treated", 10, 5, draws=60, jobs=1)
    assert capfd.readouterr() == ("", "")
    loud = mlm.power(trial(), "treated", 10, 5, draws=60, jobs=1, progress=True)
    assert capfd.readouterr().err.endswith("[########################################] 100% of 60 studies\n")
    pd.testing.assert_frame_equal(quiet, loud)


# ---- what is drawn ------------------------------------------------------------------------------


def test_made_predictors():
    kinds = {"a": "school 0/1", "b": "school normal", "c": "student 0/1", "d": "student normal"}
    plan = mlm.plan("y ~ a + b + c + d + a:d", {}, 0, 1, kinds)
    rows = plan.rows(10, 6, np.random.default_rng(1))
    frame = pd.DataFrame(rows.X, columns=rows.fixed).assign(school=rows.codes)
    schools = frame.groupby("school")
    assert (schools[["a", "b"]].nunique() == 1).all(axis=None) and schools.a.first().sum() == 5
    np.testing.assert_allclose([schools.b.first().mean(), schools.b.first().std(ddof=0)], [0, 1], atol=1e-12)
    np.testing.assert_array_equal(schools.c.mean(), 0.5)
    np.testing.assert_allclose(schools.d.mean(), 0, atol=1e-12)
    np.testing.assert_allclose(schools.d.std(ddof=0), 1)
    np.testing.assert_array_equal(frame["a:d"], frame.a * frame.d)
    assert list(rows.fixed) == ["Intercept", "a", "b", "c", "d", "a:d"]


def test_rows_of_a_fit(forty):
    plan, rng = Plan.of(forty), np.random.default_rng(3)
    assert plan.rows(None, None, rng) is plan.design
    known = {tuple(row) for row in plan.design.X}
    for schools, students in [(15, 7), (None, 7), (15, None)]:
        rows = plan.rows(schools, students, rng)
        sizes = np.bincount(rows.codes)
        assert len(sizes) == len(rows.labels) == (schools or 40)
        assert students is None or (sizes == students).all()
        assert {tuple(row) for row in rows.X} <= known
        assert (pd.Series(rows.X[:, 1]).groupby(rows.codes).nunique() == 1).all()  # a school has one sector
    sizes = set(np.bincount(plan.design.codes))
    assert set(np.bincount(plan.rows(15, None, rng).codes)) <= sizes


def test_another_value():
    plan = mlm.plan("y ~ x", {"x": 0.3}, [[0.4, 0.1], [0.1, 0.1]], 1, TREATED, "~ x")
    assert plan.with_value("x", 0.5).fixed.tolist() == [0, 0.5] and plan.fixed["x"] == 0.3
    np.testing.assert_allclose(plan.with_value("x Var", 0.4).tau, [[0.4, 0.2], [0.2, 0.4]])  # the correlation stays
    np.testing.assert_array_equal(plan.with_value("x Var", 0).tau, [[0.4, 0], [0, 0]])
    table = mlm.power(plan, "x", 10, 5, value=[0.2, 0.8], draws=100, jobs=1)
    assert table.value.tolist() == [0.2, 0.8] and table.power[0] < table.power[1]


def test_error_of_batches_that_are_alike():
    rejected = np.repeat([1.0, 0.0], 20 * BATCH)  # 40 batches, each of one kind: as good as 40 studies
    share, error, lower, upper = _share(rejected, drawn=True)
    assert share == 0.5 and error == pytest.approx(np.sqrt(0.25 / 39)) and lower < 0.5 - error < 0.5 + error < upper
    share, error, lower, upper = _share(rejected, drawn=False)
    assert error == pytest.approx(np.sqrt(0.25 / 1000))
    # Wilson's limits, from the quadratic that defines them
    assert all((p - 0.5) ** 2 == pytest.approx(stats.chi2.ppf(0.95, 1) * p * (1 - p) / 1000) for p in (lower, upper))
    assert _share(np.ones(1000), drawn=True)[1:3] == (0, pytest.approx(1000 / (1000 + stats.chi2.ppf(0.95, 1))))


def test_a_draw_without_one_sector_is_drawn_again(forty):
    table = mlm.power(forty, "schtype", 4, 20, draws=400, jobs=1)  # one in eight such draws has one sector
    assert 0 <= table.power[0] <= 1 and table.schools[0] == 4
    seeds = _seeds(1, 4, 20, 16)
    plan = Plan.of(forty)
    assert any(np.ptp(plan.rows(4, 20, np.random.default_rng(seed)).X[:, 1]) == 0 for seed in seeds)


# ---- bad input ----------------------------------------------------------------------------------

GOOD = {"formula": "y ~ treated * x", "fixed": {"x": 0.1}, "tau": np.eye(2), "sigma2": 1, "predictors": TREATED,
        "re_formula": "~ x"}


@pytest.mark.parametrize("change, message", [
    ({"formula": "treated"}, "one response on its left"),
    ({"fixed": {"z": 1}}, "'z' is no fixed effect .* these are Intercept, treated, x, treated:x"),
    ({"tau": 1}, "the random effects are Intercept, x"),
    ({"tau": [[1, 2], [2, 1]]}, "no covariance matrix"),
    ({"tau": [[1, 0.2], [0.1, 1]]}, "no covariance matrix"),
    ({"tau": [[np.inf, 0], [0, 1]]}, "tau must be finite"),
    ({"tau": "small"}, "tau must be finite"),
    ({"sigma2": 0}, "sigma2 must be a number above 0; it is 0"),
    ({"sigma2": np.nan}, "sigma2 must be a number above 0; it is nan"),
    ({"sigma2": np.inf}, "sigma2 must be a number above 0; it is inf"),
    ({"fixed": {"x": np.nan}}, "fixed must be a dict of fixed effects to finite numbers; it is {'x': nan}"),
    ({"fixed": [0.1]}, "fixed must be a dict"),
    ({"reml": "ML"}, "reml must be True or False; it is 'ML'"),
    ({"predictors": {"treated": "half"}}, "predictors must be a dict of predictors to one of 'school 0/1'"),
    ({"predictors": {"treated": "school 0/1"}}, "'x' is neither a column"),
])
def test_bad_plans(change, message):
    with pytest.raises(ValueError, match=message):
        mlm.plan(**(GOOD | change))


@pytest.mark.parametrize("change, message", [
    ({"effect": "treat"}, "no effect 'treat'. The effects are: Intercept, treated, x, treated:x, Intercept Var, x Var"),
    ({"schools": None}, "Give the number of schools"),
    ({"students": None}, "Give the number of students"),
    ({"schools": 1}, "schools must be a whole number from 2 on or None, or a list of them; it is 1"),
    ({"schools": [10, 20.5]}, "it is .10, 20.5"),
    ({"students": 0}, "students must be a whole number from 1 on"),
    ({"students": 1}, "one row"),
    ({"students": 2}, "cannot be told from the residuals"),
    ({"draws": 0}, "draws must be"),
    ({"seed": -1}, "seed must be"),
    ({"alpha": 5}, "alpha must be a share between 0 and 1"),
    ({"test": "F"}, "test must be 't' or 'z'"),
    ({"effect": "x Var", "value": -1}, "cannot be -1"),
    ({"value": np.nan}, "value must be a finite number, or a list of them or None; it is nan"),
    ({"jobs": 0}, "jobs must be a whole number other than 0"),
    ({"progress": 1}, "progress must be True or False"),
])
def test_bad_calls(change, message):
    good = {"effect": "treated", "schools": 10, "students": 5, "draws": 50, "jobs": 1}
    with pytest.raises(ValueError, match=message):
        mlm.power(mlm.plan(**GOOD), **(good | change))


def test_a_design_that_cannot_be_estimated():
    plan = mlm.plan("y ~ treated", {}, np.eye(2), 1, TREATED, "~ treated")  # a random slope of a school's property
    with pytest.raises(ValueError, match="cannot be estimated with 10 schools and 50 students: .* Leave out"):
        mlm.power(plan, "treated", 10, 5, draws=10, jobs=1)
    with pytest.raises(TypeError, match="study must be a plan .* it is {}"):
        mlm.power({}, "x")


@pytest.mark.parametrize("reml", [True, False])
def test_schools_are_more_than_their_fixed_effects(reml):
    plan = mlm.plan("y ~ treated", {"treated": 0.5}, 0.1, 1, TREATED, reml=reml)
    with pytest.raises(ValueError, match=r"2 schools have 2 fixed effects of schools \(Intercept, treated\)"):
        mlm.power(plan, "treated", 2, 10, draws=50, jobs=1)
    assert mlm.power(plan, "treated", 4, 10, draws=50, jobs=1).power.notna().all()


def occasions(persons=30, times=4):
    rng = np.random.default_rng(2)
    person, time = np.repeat(np.arange(persons), times), np.tile(np.arange(times), persons)
    y = rng.normal(size=persons)[person] + 0.2 * time + rng.normal(size=len(time))
    return pd.DataFrame({"person": person, "time": time, "x": rng.normal(size=len(time)), "y": y})


@pytest.mark.parametrize("formula", ["y ~ time", "y ~ C(time) + x", "y ~ x + time:x"])
def test_a_designed_time_axis_is_not_drawn_from(formula):
    data = occasions().sample(frac=0.9, random_state=1)  # some occasions are missing
    fit = mlm.mixedlm(formula, data, "person")
    with pytest.raises(ValueError, match="students must be None for this fit: no school has a value of .* twice"):
        mlm.power(fit, fit.design.fixed[-1], schools=20, students=4, draws=20, jobs=1)
    assert mlm.power(fit, fit.design.fixed[-1], schools=20, draws=50, jobs=1).power.notna().all()


def test_values_that_fell_by_chance_may_be_drawn(forty):
    assert mlm.power(forty, "ses_cwc", students=10, draws=25, jobs=1).students[0] == 10
    fit = mlm.mixedlm("y ~ x", occasions(), "person")  # continuous: no value occurs twice anywhere
    assert mlm.power(fit, "x", students=4, draws=25, jobs=1).students[0] == 4


def test_a_planned_time_axis():
    plan = mlm.plan("y ~ time", {"time": 0.3}, np.diag([0.5, 0.1]), 1, {"time": "student steps"}, "~ time")
    rows = plan.rows(5, 4, np.random.default_rng(1))
    np.testing.assert_array_equal(rows.X[:, 1], np.tile(np.arange(4), 5))
    row = mlm.power(plan, "time", 30, 4, draws=2000, jobs=2).iloc[0]
    # the slopes' own variance and their error: sigma2 / sum of squares, of 30 persons
    assert agrees(row, noncentral(0.3, (0.1 + 1 / 5) / 30, 29))
