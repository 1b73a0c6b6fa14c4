"""How far each Python package for multilevel models ends below the best log-likelihood, and how long it takes.

    python benchmarks/packages.py [file to write, default data/packages.csv]

The five models of the course by REML and ML, and a model with crossed groups by ML. A log-likelihood is held against
the best of all programs, a time against that of `mlm` in the same run (of glmm where groups are crossed, which `mlm`
doesn't fit), so the table depends little on the machine. The page "Where to go next" shows the file. Packages
that are not installed are left out; lme4 needs R with jsonlite. pymer4 hands its models to lme4, and is not run.
"""

import os

os.environ.update(dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "RAYON_NUM_THREADS"), "1"))

import importlib.util  # noqa: E402
import json  # noqa: E402
import shutil  # noqa: E402
import subprocess  # noqa: E402
import sys  # noqa: E402
import tempfile  # noqa: E402
import time  # noqa: E402
import warnings  # noqa: E402
from datetime import date  # noqa: E402
from importlib.metadata import version  # noqa: E402
from pathlib import Path  # noqa: E402

import pandas as pd  # noqa: E402

from speed import HERE, hsb, mixedlm, seconds  # noqa: E402

TARGET = HERE.parent / "data/packages.csv"
FIVE = {  # as in chapters/r/models.R
    "random-effects ANOVA": ("mathach ~ 1", "1"),
    "means as outcomes": ("mathach ~ meanses", "1"),
    "random ANCOVA": ("mathach ~ ses_cwc", "1"),
    "random coefficients": ("mathach ~ ses_cwc", "ses_cwc"),
    "cross-level interaction": ("mathach ~ meanses + schtype + ses_cwc + meanses:ses_cwc + schtype:ses_cwc", "ses_cwc"),
}
CROSSED = "attain ~ 1 + (1 | primary) + (1 | secondary)"


def programs(data, polars):
    """For each program installed, its fit of (fixed, random, reml): a function that returns the log-likelihood."""
    import glmm
    import statsmodels.formula.api as smf

    found = {
        "mlm": lambda fixed, random, reml: mixedlm(fixed, data, "schid", "~ " + random, reml).llf,
        "statsmodels": lambda fixed, random, reml: smf.mixedlm(
            fixed, data, groups="schid", re_formula="~ " + random).fit(reml=reml).llf,
        "glmm": lambda fixed, random, reml: glmm.fit(data, f"{fixed} + ({random} | schid)", reml=reml).loglik,
    }
    if importlib.util.find_spec("mixedlm"):
        import mixedlm as rust

        found["mixedlm"] = lambda fixed, random, reml: rust.lmer(f"{fixed} + ({random} | schid)", data, REML=reml).logLik().value
    if importlib.util.find_spec("mixedlm_rs"):
        import mixedlm_rs

        found["mixedlm-rs"] = lambda fixed, random, reml: mixedlm_rs.mixedlm(
            fixed, data, groups="schid", re_formula="~ " + random).fit(reml=reml).llf
    if importlib.util.find_spec("lme_python"):
        import lme_python

        found["lme-python"] = lambda fixed, random, reml: lme_python.lmer(
            f"{fixed} + ({random} | schid)", data=polars, reml=reml).log_likelihood
    if importlib.util.find_spec("interlace"):
        import interlace

        def by_interlace(fixed, random, reml):
            groups = {"groups": "schid"} if random == "1" else {"random": [f"(1 + {random} | schid)"]}
            return interlace.fit(fixed, data, method="REML" if reml else "ML", **groups).llf

        found["interlace-lme"] = by_interlace
    return found


def crossed_programs(data, polars):
    """The same for the model with crossed groups, by ML."""
    import glmm
    import statsmodels.formula.api as smf

    one = data.assign(everybody=1)
    found = {
        "glmm": lambda: glmm.fit(data, CROSSED, reml=False).loglik,
        "statsmodels": lambda: smf.mixedlm("attain ~ 1", one, groups="everybody", vc_formula={
            "primary": "0 + C(primary)", "secondary": "0 + C(secondary)"}).fit(reml=False).llf,
    }
    if importlib.util.find_spec("mixedlm"):
        import mixedlm as rust

        found["mixedlm"] = lambda: rust.lmer(CROSSED, data, REML=False).logLik().value
    if importlib.util.find_spec("lme_python"):
        import lme_python

        found["lme-python"] = lambda: lme_python.lmer(CROSSED, data=polars, reml=False).log_likelihood
    if importlib.util.find_spec("interlace"):
        import interlace

        found["interlace-lme"] = lambda: interlace.fit("attain ~ 1", data, groups=["primary", "secondary"], method="ML").llf
    return found


def measured(calls, repeats):
    """Log-likelihood and least seconds of each call, statsmodels' of one call; nothing for one that fails."""
    values, first = {}, {}
    for name, call in calls.items():
        begin = time.perf_counter()
        try:
            values[name] = float(call())
        except Exception as error:  # whatever it raises, the others go on
            print(f"{name}: {type(error).__name__}: {error}", file=sys.stderr)
            values[name] = float("nan")
        first[name] = time.perf_counter() - begin
    quick = {name: call for name, call in calls.items() if values[name] == values[name] and name != "statsmodels"}
    times = {"statsmodels": first["statsmodels"], **seconds(quick, repeats)}
    return [{"program": name, "log_likelihood": value, "seconds": times.get(name)} for name, value in values.items()]


def by_lme4(data, schools, repeats):
    """lme4's log-likelihoods and seconds of the same models, in the same order, and its version."""
    tasks = [{"data": "hsb", "formula": f"{fixed} + ({random} | schid)", "reml": reml}
             for fixed, random in FIVE.values() for reml in (True, False)]
    tasks.append({"data": "schools", "formula": CROSSED, "reml": False})
    with tempfile.TemporaryDirectory() as folder:
        data.to_csv(Path(folder, "hsb.csv"), index=False, float_format="%.17g")
        schools.to_csv(Path(folder, "schools.csv"), index=False)
        Path(folder, "tasks.json").write_text(json.dumps(tasks))
        subprocess.run(["Rscript", str(HERE / "packages.R"), folder, str(repeats)], check=True)
        return json.loads(Path(folder, "found.json").read_text())


def main(target):
    data = hsb()
    schools = pd.read_csv(HERE.parent / "data/scottish_schools.csv", dtype={"primary": str, "secondary": str})
    polars = polars_schools = None
    if importlib.util.find_spec("polars"):
        import polars as pl

        polars, polars_schools = (pl.DataFrame({name: list(column) for name, column in frame.items()}) for frame in (data, schools))
    rows, fits = [], programs(data.assign(schid=data.schid.astype(str)), polars)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what a program says of its fits is not judged here
        for model, (fixed, random) in FIVE.items():
            for method in ("REML", "ML"):
                calls = {name: lambda fit=fit: fit(fixed, random, method == "REML") for name, fit in fits.items()}
                rows += [{"model": model, "method": method, **row} for row in measured(calls, 15)]
        rows += [{"model": "crossed", "method": "ML", **row} for row in measured(crossed_programs(schools, polars_schools), 5)]
    versions = {"mlm": "of this course", **{name: version(name) for name in fits if name != "mlm"}}
    if shutil.which("Rscript"):
        found = by_lme4(data, schools, 10)
        order = [(model, method) for model in FIVE for method in ("REML", "ML")] + [("crossed", "ML")]
        rows += [{"model": model, "method": method, "program": "lme4 (R)", **fit} for (model, method), fit in zip(order, found["fits"])]
        versions["lme4 (R)"] = found["version"]
    table = pd.DataFrame(rows)
    table["short"] = table.groupby(["model", "method"]).log_likelihood.transform("max") - table.log_likelihood
    base = table.model.map(lambda model: "glmm" if model == "crossed" else "mlm")
    per = table[table.program == base].set_index(["model", "method"]).seconds
    table["time"] = table.seconds / per.loc[list(zip(table.model, table.method))].to_numpy()
    table.insert(0, "date", f"{date.today()}")
    table.insert(2, "version", table.program.map(versions))
    for name, digits in {"log_likelihood": 4, "short": 6, "time": 2}.items():
        table[name] = table[name].round(digits)
    columns = ["date", "program", "version", "model", "method", "log_likelihood", "short", "time"]
    table[columns].to_csv(target, index=False, lineterminator="\n")
    print(table[columns].to_string(index=False))


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else TARGET)
