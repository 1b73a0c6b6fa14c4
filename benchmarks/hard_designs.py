"""Designs whose deviance has several minima: is the fit's the lowest?

    python benchmarks/hard_designs.py [random intercepts, default 10000] [random slopes, default 3000]

Many single rows beside a few groups, heavy tails, outliers, unequal variances and level-2
predictors, each fitted by REML and ML in turns. Random intercepts are judged by a dense scan of the variance ratio
that shares nothing with the fit; random slopes by the best of 200 scattered starts, PyPI's `glmm`
and, for a tenth of them, lme4 with two optimisers. Ends with an error when a random intercept is
short, or when a fit is neither certified nor refused for a reason.
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
