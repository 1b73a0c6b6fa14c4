"""What claims of several pages are judged by: the data with the chapters' centered columns, and fits, made once."""

from functools import lru_cache

import numpy as np

import mlm


@lru_cache
def hsb():
    """The data with ``ses_cwc`` (within schools), ``ses_mean`` and ``ses_cgm`` (grand mean)."""
    data = mlm.load_hsb()
    within = mlm.center_within(data["ses"], data["schid"])
    return data.assign(ses_cwc=within, ses_mean=data["ses"] - within, ses_cgm=data["ses"] - data["ses"].mean())


@lru_cache
def fit(formula, re_formula=None, reml=True):
    """A certified fit to the data, schools as groups."""
    return mlm.mixedlm(formula, hsb(), groups="schid", re_formula=re_formula, reml=reml)


def variance_errors(model, schools=1, students=1):
    """Standard errors of tau00, tau01, tau11 and sigma2, from the expected information of intercepts and slopes of
    ``ses_cwc``, with so many times the schools or the students of each."""
    parts = [np.array(part, float) for part in ([[1, 0], [0, 0]], [[0, 1], [1, 0]], [[0, 0], [0, 1]])]
    information = np.zeros((4, 4))
    for _, x in hsb().groupby("schid", observed=True)["ses_cwc"]:
        Z = np.column_stack([np.ones(len(x) * students), np.tile(x, students)])
        V = Z @ model.tau @ Z.T + model.scale * np.eye(len(Z))
        moved = [np.linalg.solve(V, Z @ part @ Z.T) for part in parts] + [np.linalg.inv(V)]
        information += [[(a * b.T).sum() / 2 for b in moved] for a in moved]
    return np.sqrt(np.diag(np.linalg.inv(schools * information)))
