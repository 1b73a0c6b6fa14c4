"""Fit simulated designs and compare each likelihood with lme4's two optimisers and PyPI's mixedlm.

    python benchmarks/simulated_designs.py [number of designs, default 320]

Needs R with lme4 and jsonlite; the package `mixedlm` is used when it is installed. Each design
is fitted by REML and ML. At the end it prints the designs by outcome, and ends with an error
when a fit was neither certified nor refused for a reason, or lies more than 1e-6 log units
below the best of the others.
"""

import json
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "chapters"))

from mlm import likelihood as engine  # noqa: E402
from mlm import search  # noqa: E402, F401
from mlm.design import Design  # noqa: E402, F401
from mlm.fit import SingularFit, mixedlm  # noqa: E402

SHORT = 1e-6  # log units


def design(seed):
    """One data set, its formulas and what kind of trouble it holds."""
    rng = np.random.default_rng(seed)
    q = 1 + seed % 4
    kind = ["ordinary", "small", "zero variance", "correlation one", "large variance", "units", "origins",
            "level-2 predictor"][seed // 4 % 8]
    groups = int(rng.integers(4, 8) if kind == "small" else rng.integers(10, 60))
    sizes = rng.integers(1, 5 if kind == "small" else 30, groups) + (q if kind == "small" else 0)
    g = np.repeat(np.arange(groups), sizes)
    if len(g) <= groups * q:
        g = np.concatenate([g, g, g])
    x = rng.normal(size=(len(g), max(q - 1, 1))) + rng.normal(size=(groups, 1))[g]
    if q > 2:
        x[:, 1] = x[:, 1] > 0.3  # a dummy variable
    if kind == "level-2 predictor":
        x[:, 0] = rng.normal(size=groups)[g]
    root = rng.normal(size=(q, q)) * rng.choice([0.3, 1.0])
    if kind == "zero variance":
        root[-1] = 0
    if kind == "correlation one":
        root = np.outer(rng.normal(size=q), np.eye(q)[0])
    if kind == "large variance":
        root *= 100
    Z = np.column_stack([np.ones(len(g)), x[:, : q - 1]])
    y = 2 + x.sum(axis=1) + (Z * (rng.normal(size=(groups, q)) @ root.T)[g]).sum(axis=1) + rng.normal(size=len(g))
    if kind == "units":
        x, y = x * 10.0 ** rng.integers(-4, 5, x.shape[1]), y * 1e4
    if kind == "origins":
        x = x + 10.0 ** rng.integers(2, 5)
    data = pd.DataFrame(x, columns=[f"x{i}" for i in range(x.shape[1])]).assign(y=y, g=g)
    predictors = list(data.columns[:-2])
    return data, "y ~ " + " + ".join(predictors), "~ " + " + ".join(["1", *predictors[: q - 1]]), kind


def ours(data, formula, effects, reml):
    """Our log-likelihood, whether the fit is singular, theta; or the reason for refusing."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SingularFit)
            fit = mixedlm(formula, data, "g", effects, reml)
    except (ValueError, engine.NotCertified) as error:
        return {"refused": f"{type(error).__name__}: {str(error).split(':')[0]}"}
    # lme4's theta: a lower triangular square root, also of a singular matrix, in any units
    size = np.sqrt(np.maximum(np.diag(fit.cov_re_unscaled), 1e-300))
    triangle = np.linalg.qr(engine.root(fit.cov_re_unscaled.to_numpy() / np.outer(size, size)).T)[1].T * size[:, None]
    triangle = triangle * np.where(np.diag(triangle) < 0, -1, 1)
    theta = triangle.T[np.triu_indices(len(triangle))].tolist()
    return {"refused": None, "llf": fit.llf, "singular": bool(fit.singular), "theta": theta}


def peer(data, formula, effects, reml):
    """The log-likelihood of PyPI's mixedlm, None when it fails or is not there."""
    try:
        import mixedlm as rust
    except ImportError:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return rust.lmer(f"{formula} + ({effects[1:]} | g)", data, REML=reml).logLik().value
    except Exception as error:  # whatever it raises, the comparison goes on
        return f"{type(error).__name__}"


def main(count):
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(count):
            data, formula, effects, kind = design(seed)
            data.to_csv(Path(folder, f"{seed}.csv"), index=False, float_format="%.17g")
            for reml in (True, False):
                rows.append({"seed": seed, "kind": kind, "reml": reml, "formula": formula, "effects": effects[1:],
                             **ours(data, formula, effects, reml), "peer": peer(data, formula, effects, reml)})
        Path(folder, "tasks.json").write_text(json.dumps(rows))
        subprocess.run(["Rscript", str(HERE / "simulated_designs.R"), folder], check=True)
        lme4 = pd.read_json(Path(folder, "lme4.json"))
    table = pd.DataFrame(rows).join(lme4)
    table["peer"] = pd.to_numeric(table.peer, errors="coerce")
    table["best"] = table[["nloptwrap", "bobyqa", "peer"]].max(axis=1)
    table["behind"] = table.best - table.llf
    # lme4's own deviance at our theta: a likelihood above the others' has to be a likelihood
    table["differs"] = (table.llf - table.at_ours).abs()
    table["outcome"] = np.select(
        [table.refused.notna(), table.behind > SHORT, table.behind < -1e-3, table.behind < -SHORT],
        ["refused", "WORSE", "better by more than 1e-3", "better"], "level with the best")
    pd.set_option("display.width", 200)
    print(pd.crosstab([table.kind], table.outcome, margins=True), "\n")
    print(table.refused.value_counts().to_string(), "\n")
    print("singular:", int(table.singular.sum()), " largest distance from lme4's likelihood at our estimates:",
          f"{table.differs.max():.2g}")
    for name in ("nloptwrap", "bobyqa", "peer"):
        short = (table.llf - table[name])
        print(f"{name:10s} failed {int((table[name].isna() & table.llf.notna()).sum()):4d}, more than 1e-3 short "
              f"{int((short > 1e-3).sum()):4d}, worst {short.max():.3g}")
    wrong = table[(table.behind > SHORT) | (table.differs > 1e-6 * table.llf.abs().clip(lower=1))]
    wrong = pd.concat([wrong, table[table.refused.fillna("").str.startswith("NotCertified")]])
    if len(wrong):
        print(wrong[["seed", "kind", "reml", "llf", "best", "at_ours", "refused"]].to_string())
    return len(wrong) > 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 320))
