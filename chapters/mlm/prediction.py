"""What groups and rows are predicted to be, with how little certainty."""

import numpy as np
import pandas as pd
from scipy import stats

from .checks import ANY, FIT, FRAME, LEVEL, checked, one_of


@checked(fit=FIT, level=LEVEL)
def blups(fit, level=0.95):
    """Predicted random effects with their conditional standard deviations and intervals.

    Best linear unbiased predictions (Robinson, 1991, Statist. Sci. 6(1)), their standard
    deviations given the estimated fixed effects and variances, as lme4's ``condVar``.

    Parameters
    ----------
    fit : MixedResults
    level : float, default 0.95
        Between 0 and 1; normal intervals.

    Returns
    -------
    pandas.DataFrame
        A row for each group and effect (both in the index): ``estimate``, ``sd``, ``lower``,
        ``upper``, in units of the response over those of the predictor.

    Raises
    ------
    ValueError
        `level` is not between 0 and 1.

    Examples
    --------
    >>> import mlm
    >>> fit = mlm.mixedlm("mathach ~ 1", mlm.load_hsb(), groups="schid")
    >>> mlm.blups(fit).head(2).round(2)
                     estimate    sd  lower  upper
    group effect
    1224  Intercept     -2.66  0.87  -4.37  -0.96
    1288  Intercept      0.74  1.15  -1.52   3.00
    """
    sd = np.sqrt(np.maximum(np.diagonal(fit.blups_cov, axis1=1, axis2=2), 0))
    index = pd.MultiIndex.from_product([fit.design.labels, fit.design.random], names=["group", "effect"])
    table = pd.DataFrame({"estimate": fit.blups.to_numpy().ravel(), "sd": sd.ravel()}, index=index)
    reach = stats.norm.ppf((1 + level) / 2) * table.sd
    return table.assign(lower=table.estimate - reach, upper=table.estimate + reach)


@checked(fit=FIT, data=FRAME, groups=ANY, level=LEVEL, of=one_of("observation", "mean"))
def predict(fit, data, groups=None, level=0.95, of="observation"):
    """Predictions with intervals for new rows of known or new groups.

    Given the variances, the error of x'g + z'u_j has three parts: the fixed effects', which
    also enter through the predicted u_j, that of u_j itself, and sigma2 (Henderson's mixed
    model equations: Robinson, 1991, Statist. Sci. 6(1), section 2). A new group has u_j = 0
    and the whole of tau.

    Parameters
    ----------
    fit : MixedResults
    data : pandas.DataFrame
        The columns of the formulas.
    groups : str or array_like, optional
        The groups of the rows: a column of `data`, or a label each. Those the fit does not know,
        and None, are new groups; so are all rows without this argument.
    level : float, default 0.95
        Between 0 and 1; normal intervals.
    of : {"observation", "mean"}
        The interval for a new row, or for the mean of its kind in its group.

    Returns
    -------
    pandas.DataFrame
        ``fit``, ``se``, ``lower``, ``upper`` in units of the response, on the index of `data`.

    Raises
    ------
    ValueError
        A column is not there; `groups` has another length or index than `data`, or labels of
        another kind than the fit (text for numbers), which would all count as new.

    Examples
    --------
    >>> import mlm
    >>> hsb = mlm.load_hsb()
    >>> fit = mlm.mixedlm("mathach ~ ses", hsb, groups="schid")
    >>> mlm.predict(fit, hsb.head(2), groups="schid").round(1)
       fit   se  lower  upper
    0  7.4  6.1   -4.7   19.4
    1  9.6  6.1   -2.4   21.7
    >>> mlm.predict(fit, hsb.head(2), of="mean").round(1)
        fit   se  lower  upper
    0   9.0  2.2    4.7   13.3
    1  11.3  2.2    7.0   15.5
    """
    X, Z = fit.design.of_new(data)
    codes = np.full(len(data), -1) if groups is None else fit.design.codes_of(groups, data)
    known = codes >= 0
    u = np.where(known[:, None], fit.blups.to_numpy()[codes], 0)
    spread = np.where(known[:, None, None], fit.blups_cov[codes], fit.tau)
    # what an error of g does to the predicted u_j: -T Z'V^-1 X
    pull = fit.to_random @ fit.T @ fit.at.E @ fit.at.R.T @ fit.products.Rx
    x = X - np.where(known[:, None], (Z[:, None, :] @ pull[codes])[:, 0], 0)
    variance = np.einsum("ni,ij,nj->n", x, fit.cov_fixed, x) + np.einsum("ni,nij,nj->n", Z, spread, Z)
    se = np.sqrt(variance + fit.scale * (of == "observation"))
    table = pd.DataFrame({"fit": X @ fit.fe_params.to_numpy() + (Z * u).sum(axis=1), "se": se}, index=data.index)
    reach = stats.norm.ppf((1 + level) / 2) * table.se
    return table.assign(lower=table.fit - reach, upper=table.fit + reach)
