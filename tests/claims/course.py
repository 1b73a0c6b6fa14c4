"""What claims of several pages are judged by: the data with the chapters' centered columns, and fits, made once."""

from functools import lru_cache

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
