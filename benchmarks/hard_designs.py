"""Designs whose deviance has several minima: is the fit's the lowest?

    python benchmarks/hard_designs.py [random intercepts, default 12000] [random slopes, default 3000]

Many single rows beside a few groups, heavy tails, outliers, unequal variances and level-2
predictors. Random intercepts, each by REML and by ML, are judged by a dense scan of the variance
ratio that shares nothing with the fit; random slopes, by REML or ML in turns, by the best of 200
scattered starts, PyPI's `glmm` and, for a fifth of them, lme4 with two optimisers. Ends with an
error when a random intercept is short, or when a fit is neither certified nor refused for a reason.
"""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import json  # noqa: E402
import shutil  # noqa: E402
import subprocess  # noqa: E402
import sys  # noqa: E402
import tempfile  # noqa: E402
import warnings  # noqa: E402
from pathlib import Path  # noqa: E402

import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402
from scipy.optimize import minimize_scalar  # noqa: E402

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "chapters"))

from mlm import likelihood as engine  # noqa: E402
from mlm import search  # noqa: E402
from mlm.design import Design  # noqa: E402

SHORT = 1e-6  # deviance units


def hard(seed, q):
    """A data set y, x0, x1, g; the formulas of its fixed and its q random effects."""
    rng = np.random.default_rng([seed, q])
    if rng.random() < 0.6:  # many small groups, a few large ones
        small = np.full(rng.integers(15, 60), q)
        sizes = np.concatenate([small, rng.integers(q + 3, 25, rng.integers(2, 6))])
    else:
        sizes = rng.integers(q, rng.choice([4, 8, 20]) + q, rng.integers(5, 40))
    g = np.repeat(np.arange(len(sizes)), sizes)
    if len(g) <= q * len(sizes) + 3:
        g = np.concatenate([g, np.repeat(g[-1], q * len(sizes) + 4 - len(g))])
    J, n = len(sizes), len(g)
    x = rng.normal(size=(n, 2)) + rng.choice([0, 1]) * rng.normal(size=(J, 2))[g]
    if rng.random() < 0.3:
        x[:, 1] = rng.normal(size=J)[g]  # a level-2 predictor
    law = rng.choice([1, 2, 3, 100])
    effects = rng.standard_t(law, size=(J, 3)) * rng.choice([0, 0.3, 1, 3], size=3)
    noise = rng.standard_t(rng.choice([2, 100]), size=n)
    noise *= rng.choice([1, 0]) * np.exp(rng.normal(size=J))[g] + 0.3  # unequal variances
    y = x.sum(axis=1) + (effects[g] * np.column_stack([np.ones(n), x])).sum(axis=1) + noise
    if rng.random() < 0.3:
        y[rng.integers(n)] += 10 * y.std()  # an outlier
    if rng.random() < 0.2:
        y[g == rng.integers(J)] += 5 * y.std()  # a strange group
    data = pd.DataFrame(x, columns=["x0", "x1"]).assign(y=y, g=g)
    return data, "y ~ " + " + ".join(["x0", "x1"][: rng.integers(max(q - 1, 1), 3)]), "~ " + " + ".join(["1", "x0", "x1"][:q])


def scan(data, formula, reml):
    """The minima of the deviance of a random intercept over the variance ratio, the lowest first.

    By the singular values of the groups' indicators after the fixed effects are taken out: then
    the deviance is a sum over single terms. The ratio is scanned in steps of 1 %, and each
    minimum on that grid is refined.
    """
    X = np.column_stack([np.ones(len(data)), data[formula[4:].split(" + ")]])
    y, Z = data.y.to_numpy(), np.eye(data.g.max() + 1)[data.g]
    n, p = X.shape
    Q = np.linalg.qr(X)[0]
    rest = y - Q @ (Q.T @ y)
    U, s, _ = np.linalg.svd(Z - Q @ (Q.T @ Z), full_matrices=False)
    eigenvalues, h = np.where(s > 1e-9 * s[0], s, 0) ** 2, (U.T @ rest) ** 2
    h = np.where(eigenvalues > 0, h, 0)
    within, df = max(rest @ rest - h.sum(), 0), n - p * reml
    spread = eigenvalues if reml else Z.sum(axis=0)
    constant = df * (1 + np.log(2 * np.pi / df)) + reml * np.linalg.slogdet(X.T @ X)[1]

    def value(t):
        t = np.asarray(t)[..., None]
        return (df * np.log(within + (h / (1 + t * eigenvalues)).sum(axis=-1)) + np.log1p(t * spread).sum(axis=-1) + constant)

    u = np.arange(np.log(1e-7), np.log(1e9), 0.01)
    values = np.append(value(0.0), value(np.exp(u)))
    low = np.flatnonzero((values[1:-1] < values[:-2]) & (values[1:-1] <= values[2:]))
    minima = [values[0]] if values[0] <= values[1] + 1e-12 else []
    for i in low:
        minima.append(minimize_scalar(lambda v: value(np.exp(v)), bounds=(u[max(i - 1, 0)], u[i + 1]), method="bounded",
                                      options={"xatol": 1e-9}).fun)
    return np.sort(minima)


def fitted(data, formula, effects, reml):
    """The deviance of our fit and its certificate, or the reason for refusing."""
    try:
        products = engine.Products.of(Design.read(formula, data, "g", effects, None))
        _, at, certificate = search.estimate(products, reml)
    except (ValueError, engine.NotCertified) as error:
        return {"kind": f"{type(error).__name__}: {str(error).split(':')[0][:50]}"}
    return {"kind": certificate.kind, "deviance": at.value + units(products, reml), "rounding": certificate.tolerance}


def units(products, reml):
    """What the deviance of `Products` leaves out: the units of the data."""
    return (2 * (products.n - products.p * reml) * np.log(products.unit)
            + 2 * reml * np.log(np.abs(np.diag(products.Rx))).sum())


def scattered(data, formula, effects, reml, seed, count=200):
    """The least deviance that the search finds from scattered starts."""
    products = engine.Products.of(Design.read(formula, data, "g", effects, None))
    rng, q = np.random.default_rng([seed, 1]), products.q
    size = np.exp(2 * rng.normal(size=(count, q, 1)) + 1.5 * rng.normal(size=(count, 1, 1)))
    L = rng.normal(size=(count, q, q)) * size * np.sqrt(len(products.groups) / products.n)
    try:
        return search.minimise(products, reml, L)[1].value.min() + units(products, reml)
    except ValueError:
        return np.nan


def by_glmm(data, formula, effects, reml):
    """The deviance of PyPI's glmm; not a number when it fails."""
    import glmm

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return -2 * glmm.fit(data, f"{formula} + ({effects[1:]} | g)", reml=reml).loglik
    except Exception:  # whatever it raises, the comparison goes on
        return np.nan


def intercepts(count):
    rows = []
    for seed in range(count):
        data, formula, effects = hard(seed, 1)
        for reml in (True, False):
            minima = scan(data, formula, reml)
            rows.append({"seed": seed, "reml": reml, "minima": len(minima), "least": minima[0],
                         **fitted(data, formula, effects, reml)})
    table = pd.DataFrame(rows)
    short = table.deviance - table.least
    print(f"{len(table)} random intercepts, {int((table.minima > 1).sum())} with several minima")
    print(table.kind.value_counts().to_string())
    print(f"more than {SHORT:g} short of the scan: {int((short > SHORT).sum())}, worst {short.max():.2g}; "
          f"more than {SHORT:g} below it: {int((short < -SHORT).sum())}\n")
    return ((short > SHORT) | table.kind.str.startswith("NotCertified")).any()


def slopes(count):
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(count):
            q, reml = 2 + (seed % 3 == 2), seed % 2 == 0
            data, formula, effects = hard(seed, q)
            rows.append({"seed": seed, "q": q, "reml": reml, "formula": formula, "effects": effects[1:],
                         **fitted(data, formula, effects, reml), "glmm": by_glmm(data, formula, effects, reml),
                         "scattered": scattered(data, formula, effects, reml, seed)})
        table = pd.DataFrame(rows)
        if shutil.which("Rscript"):
            some = table[table.seed % 10 < 2].index  # two in ten: R takes most of the time
            for i in some:
                hard(table.seed[i], table.q[i])[0].to_csv(Path(folder, f"{table.seed[i]}.csv"), index=False,
                                                          float_format="%.17g")
            tasks = table.loc[some, ["seed", "reml", "formula", "effects"]].to_dict("records")
            Path(folder, "tasks.json").write_text(json.dumps(tasks))
            subprocess.run(["Rscript", str(HERE / "simulated_designs.R"), folder], check=True)
            lme4 = pd.read_json(Path(folder, "lme4.json")).set_index(some)
            table = table.join(-2 * lme4[["nloptwrap", "bobyqa"]].apply(pd.to_numeric))
    report(table)
    return table.kind.str.startswith("NotCertified").any()


def report(table):
    programs = [name for name in ("deviance", "scattered", "glmm", "nloptwrap", "bobyqa") if name in table]
    best = table[programs].min(axis=1)
    print(f"{len(table)} random slopes\n" + table.kind.value_counts().to_string())
    allowed = np.maximum(SHORT, table.rounding)
    for name in programs:
        short = (table[name] - best)[table[name].notna() & table.deviance.notna()]
        wrong = short[short > allowed[short.index]]
        print(f"{'mlm' if name == 'deviance' else name:10s} of {len(short):5d} short {len(wrong):4d}, by "
              + (f"{wrong.median():.2g} in the median, {wrong.max():.3g} at worst" if len(wrong) else "nothing"))


def main(few, many):
    failed = intercepts(few)
    return slopes(many) | failed


if __name__ == "__main__":
    sys.exit(main(*map(int, (sys.argv[1:] + ["12000", "3000"][len(sys.argv) - 1:]))))
