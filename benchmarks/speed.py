"""Time the fit beside lme4, PyPI's glmm and mixedlm, and statsmodels; memory and growth with the data.

    python benchmarks/speed.py [folder for the table and the figure, default _build/bench]

Formula included, one thread. Each time is the least of repeated calls, the Python programs taking
turns: on a shared machine that is the figure other work disturbs least. Peers that are not
installed are left out of the table; `make bench` installs `mixedlm`, and tests need `glmm`.
"""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import importlib.util  # noqa: E402
import json  # noqa: E402
import shutil  # noqa: E402
import subprocess  # noqa: E402
import sys  # noqa: E402
import tempfile  # noqa: E402
import time  # noqa: E402
import warnings  # noqa: E402
from pathlib import Path  # noqa: E402

import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "chapters"))

from mlm.data import load_hsb  # noqa: E402
from mlm.fit import mixedlm  # noqa: E402
from mlm.planning import power  # noqa: E402
from mlm.simulation import bootstrap  # noqa: E402

MODELS = {
    "null": ("mathach ~ 1", "1"),
    "meanses": ("mathach ~ meanses", "1"),
    "ses_cwc": ("mathach ~ ses_cwc", "1"),
    "ses_cwc, random slope": ("mathach ~ ses_cwc", "ses_cwc"),
    "ses, random slope": ("mathach ~ ses", "ses"),
    "cross-level": ("mathach ~ meanses + schtype + ses_cwc + meanses:ses_cwc + schtype:ses_cwc", "ses_cwc"),
    "three random slopes": ("mathach ~ ses + minority + female", "ses + minority + female"),
}
BIG = (20_000, 50)
GROWTH = [(200, 50), (2_000, 50), (20_000, 50), (200_000, 50)]


def hsb():
    data = load_hsb()
    return data.assign(ses_cwc=data.ses - data.groupby("schid", observed=True).ses.transform("mean"))


def simulated(groups, size):
    rng = np.random.default_rng(1)
    g = np.repeat(np.arange(groups), size)
    x, u = rng.normal(size=len(g)), rng.normal(size=(groups, 2)) * [1, 0.4]
    return pd.DataFrame({"g": g, "x": x, "y": 1 + 0.5 * x + u[g, 0] + u[g, 1] * x + rng.normal(size=len(g))})


def seconds(calls, repeats):
    """Least seconds of each call; they take turns, after one round that does not count."""
    best = dict.fromkeys(calls, np.inf)
    for round_ in range(repeats + 1):
        for name, call in calls.items():
            begin = time.perf_counter()
            call()
            if round_:
                best[name] = min(best[name], time.perf_counter() - begin)
    return best


def python_times(data, repeats):
    """Seconds for each model, method and Python program."""
    import statsmodels.formula.api as smf

    import glmm

    lmer = importlib.import_module("mixedlm").lmer if importlib.util.find_spec("mixedlm") else None
    for model, (formula, effects) in MODELS.items():
        for method in ("REML", "ML"):
            reml = method == "REML"
            calls = {"mlm": lambda: mixedlm(formula, data, "schid", "~ " + effects, reml),
                     "glmm": lambda: glmm.fit(data, f"{formula} + ({effects} | schid)", reml=reml)}
            if lmer:
                calls["mixedlm"] = lambda: lmer(f"{formula} + ({effects} | schid)", data, REML=reml)
            stock = {"statsmodels": lambda: smf.mixedlm(
                formula, data, groups="schid", re_formula="~ " + effects).fit(reml=reml)}
            yield {"model": model, "method": method, **seconds(calls, repeats), **seconds(stock, 1)}


def lme4_times(data, repeats):
    """Seconds of lme4 for the same fits, in the same order."""
    with tempfile.TemporaryDirectory() as folder:
        data.to_csv(Path(folder, "data.csv"), index=False, float_format="%.17g")
        tasks = [f"{formula} + ({effects} | schid)" for formula, effects in MODELS.values()]
        Path(folder, "tasks.json").write_text(json.dumps(tasks))
        subprocess.run(["Rscript", str(HERE / "lme4_times.R"), folder, str(repeats)], check=True)
        return json.loads(Path(folder, "times.json").read_text())


def by_lme4(task, data, draws):
    """What lme4_times.R prints of a task that it repeats `draws` times."""
    with tempfile.TemporaryDirectory() as folder:
        data.to_csv(Path(folder, "data.csv"), index=False, float_format="%.17g")
        command = ["Rscript", str(HERE / "lme4_times.R"), task, folder, str(draws)]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def bootstrap_times(data, draws):
    """Seconds of `draws` refits of the random-slope model, and of a tenth of them by lme4, times 10."""
    formula, effects = MODELS["ses_cwc, random slope"]
    fit = mixedlm(formula, data, "schid", "~ " + effects)
    calls = {"mlm": lambda: bootstrap(fit, draws)}
    if importlib.util.find_spec("mixedlm"):
        rust = importlib.import_module("mixedlm")
        model = rust.lmer(f"{formula} + ({effects} | schid)", data)
        calls["mixedlm"] = lambda: rust.bootMer(model, nsim=draws)
    times = seconds(calls, 2)
    if shutil.which("Rscript"):
        times["lme4"] = 10 * float(by_lme4("--boot", data, draws // 10).split()[-1])
    return pd.Series(times)


def power_times(data, draws):
    """Seconds of `draws` simulated studies of the random-slope model, fitted and tested, and of lme4 for as many."""
    formula, effects = MODELS["ses_cwc, random slope"]
    fit = mixedlm(formula, data, "schid", "~ " + effects)
    cores = os.cpu_count()
    calls = {"mlm.power, 1 core": lambda: power(fit, "ses_cwc", draws=draws, jobs=1),
             f"mlm.power, {cores} cores": lambda: power(fit, "ses_cwc", draws=draws, jobs=cores)}
    times = seconds(calls, 2)
    if shutil.which("Rscript"):
        times |= json.loads(by_lme4("--power", data, draws // 10))
    return pd.Series(times)


def in_a_process(command):
    """Seconds that a program prints for its fit, and the peak memory of its process in MB."""
    script = ("import resource, subprocess, sys\n"
              "out = subprocess.run(sys.argv[1:], check=True, capture_output=True, text=True).stdout\n"
              "print(out.split()[-1], resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024)")
    out = subprocess.run([sys.executable, "-c", script, *command], check=True, capture_output=True, text=True)
    return tuple(map(float, out.stdout.split()))


def fit_once(groups, size):
    """Time one fit of a simulated data set; prints its seconds (run in a process of its own)."""
    data = simulated(groups, size)
    mixedlm("y ~ x", data.head(1000), "g", "~ x")
    print(seconds({"mlm": lambda: mixedlm("y ~ x", data, "g", "~ x")}, 1)["mlm"])


def main(folder):
    folder.mkdir(parents=True, exist_ok=True)
    data = hsb()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # statsmodels warns at every other fit, mixedlm at singular refits
        table = pd.DataFrame(python_times(data, 25)).set_index(["model", "method"])
        times = bootstrap_times(data, 1000)
        studies = power_times(data, 1000)
    if shutil.which("Rscript"):
        table.insert(1, "lme4", lme4_times(data, 10))
    table *= 1000
    for peer in table.columns.intersection(["lme4", "glmm", "mixedlm"]):
        table[f"mlm / {peer}"] = table["mlm"] / table[peer]
    print("Milliseconds, HSB\n" + table.round(2).to_string(), "\n")
    table.to_csv(folder / "speed.csv")

    print("Seconds, 1000 bootstrap refits of the random-slope model\n" + times.round(2).to_string())
    print("mlm / peer: " + ", ".join(f"{peer} {times.mlm / times[peer]:.3f}" for peer in times.index[1:]), "\n")

    print("Seconds, 1000 simulated studies of the random-slope model\n" + studies.round(1).to_string(), "\n")
    studies.rename("seconds").to_csv(folder / "power.csv", index_label="program")

    me = [sys.executable, str(HERE / "speed.py"), "--fit"]
    big = {"mlm": in_a_process([*me, *map(str, BIG)])}
    if shutil.which("Rscript"):
        big["lme4"] = in_a_process(["Rscript", str(HERE / "lme4_times.R"), "--fit", *map(str, BIG)])
    big = pd.DataFrame(big, index=["seconds", "MB, whole process"]).T
    print(f"{BIG[0]} groups of {BIG[1]}, one random slope\n" + big.round(2).to_string(), "\n")

    growth = pd.DataFrame([(g * n, g, *in_a_process([*me, str(g), str(n)])) for g, n in GROWTH],
                          columns=["rows", "groups", "seconds", "MB"])
    growth["microseconds per row"] = growth.seconds / growth.rows * 1e6
    print("Growth\n" + growth.round(3).to_string(index=False))
    growth.to_csv(folder / "growth.csv", index=False)
    draw(table, growth, folder / "speed.svg")


def draw(table, growth, path):
    import matplotlib.pyplot as plt

    programs = [name for name in ("mlm", "glmm", "mixedlm", "lme4", "statsmodels") if name in table]
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
    times = table.xs("REML", level="method")[programs]
    for name, marker in zip(programs, "ov^sD"):
        left.plot(times[name], range(len(times)), marker, label=name)
    left.set(xscale="log", xlabel="milliseconds for one fit (REML)")
    left.set_yticks(range(len(times)), times.index)
    left.invert_yaxis()
    left.legend()
    right.loglog(growth.rows, growth.seconds, "o-")
    right.set(xlabel="rows, in groups of 50", ylabel="seconds for one fit")
    figure.savefig(path)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--fit"]:
        fit_once(*map(int, sys.argv[2:]))
    else:
        main(Path(sys.argv[1] if len(sys.argv) > 1 else HERE.parent / "_build/bench"))
