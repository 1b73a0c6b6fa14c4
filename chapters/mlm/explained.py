"""How alike the members of a group are, how reliable groups' own estimates, how much is explained."""

import numpy as np
import pandas as pd

from .checks import FIT, PROBABILITY, POSITIVE, checked, each


@checked(fit=FIT)
def icc(fit):
    """Intraclass correlation tau00 / (tau00 + sigma2); with random slopes, where their predictors are 0.

    The share of the variance that lies between groups (Raudenbush & Bryk, 2002, eq. 2.10); given
    predictors, of the variance that they leave.

    Parameters
    ----------
    fit : MixedResults

    Returns
    -------
    float
        From 0 to 1.

    Raises
    ------
    ValueError
        The model has no random intercept.

    Examples
    --------
    >>> import mlm
    >>> round(mlm.icc(mlm.mixedlm("mathach ~ 1", mlm.load_hsb(), groups="schid")), 2)
    0.18
    """
    if "Intercept" not in fit.cov_re:
        raise ValueError("The model has no random intercept, of which the intraclass correlation is the share.")
    tau00 = fit.cov_re.loc["Intercept", "Intercept"]
    return float(tau00 / (tau00 + fit.scale))


@checked(icc=each(PROBABILITY, "them"), size=each(POSITIVE, "them"))
def design_effect(icc, size):
    """Factor by which groups of `size` inflate the variance of a mean: 1 + (size - 1) icc (Kish, 1965, p. 162).

    Parameters
    ----------
    icc : float or one-dimensional array_like
        Intraclass correlation, from 0 to 1.
    size : float or one-dimensional array_like
        Members of a group; a mean size may be a fraction.

    Returns
    -------
    float, or of the shape of the arguments

    Raises
    ------
    ValueError
        `icc` is not between 0 and 1, `size` not above 0, or they differ in length.

    Examples
    --------
    >>> import mlm
    >>> mlm.design_effect(0.18, [5, 45]).round(2).tolist()
    [1.72, 8.92]
    """
    if np.ndim(icc) and np.ndim(size) and len(icc) != len(size):
        raise ValueError(f"icc and size must be of one length; they have {len(icc)} and {len(size)} values.")
    return 1 + np.subtract(size, 1) * np.asarray(icc)


@checked(fit=FIT)
def reliability(fit):
    """Reliability of each group's own least-squares coefficients, tau_qq / (tau_qq + v_qqj).

    Raudenbush & Bryk (2002), eq. 3.53; HLM prints the means over groups.

    Parameters
    ----------
    fit : MixedResults

    Returns
    -------
    pandas.DataFrame
        From 0 to 1, a row for each group, a column for each random effect; not a number for a
        group whose own coefficients can't be computed.

    Raises
    ------
    TypeError
        `fit` is not a fit of `mixedlm`.

    Examples
    --------
    >>> import mlm
    >>> fit = mlm.mixedlm("mathach ~ 1", mlm.load_hsb(), groups="schid")
    >>> mlm.reliability(fit).mean().round(2)
    Intercept    0.9
    dtype: float64
    """
    A = fit.products.groups[..., : fit.k_re]
    error = np.full(A.shape[:2], np.nan)
    full = np.linalg.matrix_rank(A, hermitian=True) == fit.k_re
    error[full] = np.diagonal(fit.to_random @ np.linalg.inv(A[full]) @ fit.to_random.T, axis1=1, axis2=2)
    tau = np.diag(fit.cov_re)
    return pd.DataFrame(tau / (tau + fit.scale * error), index=fit.design.labels, columns=fit.design.random)


@checked(fit=FIT)
def r_squared(fit):
    """Marginal (fixed effects) and conditional (fixed and random) share of variance explained.

    Nakagawa & Schielzeth (2013, Methods Ecol. Evol. 4, eq. 26 and 30), with random slopes as
    Johnson (2014, ibid. 5, eq. 10): their variance is the mean of z' tau z over the rows.

    Parameters
    ----------
    fit : MixedResults

    Returns
    -------
    pandas.Series
        ``marginal``, ``conditional``, from 0 to 1.

    Raises
    ------
    TypeError
        `fit` is not a fit of `mixedlm`.

    Examples
    --------
    >>> import mlm
    >>> fit = mlm.mixedlm("mathach ~ ses", mlm.load_hsb(), groups="schid")
    >>> mlm.r_squared(fit).round(2)
    marginal       0.08
    conditional    0.18
    dtype: float64
    """
    fixed = fit.predict().var()
    random = np.einsum("ni,ij,nj->", fit.design.Z, fit.tau, fit.design.Z) / fit.nobs
    whole = fixed + random + fit.scale
    return pd.Series({"marginal": fixed / whole, "conditional": (fixed + random) / whole})


@checked(smaller=FIT, larger=FIT)
def variance_reduction(smaller, larger):
    """Share by which each variance of `smaller` has shrunk in `larger`: level-wise R2.

    Raudenbush & Bryk (2002), eq. 4.12 and 4.20. It can be negative.

    Parameters
    ----------
    smaller, larger : MixedResults
        Of the same rows.

    Returns
    -------
    pandas.Series
        A share for each random effect that both have, and ``Residual``; minus infinity or not a
        number where the variance of `smaller` is 0.

    Raises
    ------
    ValueError
        The fits are of different rows or responses.

    Examples
    --------
    >>> import mlm
    >>> hsb = mlm.load_hsb()
    >>> null = mlm.mixedlm("mathach ~ 1", hsb, groups="schid")
    >>> means = mlm.mixedlm("mathach ~ meanses", hsb, groups="schid")
    >>> mlm.variance_reduction(null, means).round(2)
    Intercept    0.69
    Residual    -0.00
    dtype: float64
    """
    if not np.array_equal(smaller.design.y, larger.design.y):
        raise ValueError("The fits are of different rows or responses, so their variances are not those of the same data.")
    common = [name for name in smaller.cov_re if name in larger.cov_re]
    before, after = (np.append(np.diag(fit.cov_re.loc[common, common]), fit.scale) for fit in (smaller, larger))
    return pd.Series(1 - after / before, index=[*common, "Residual"])


@checked(fit=FIT)
def variance_partition(fit):
    """The model's variance of the outcome in five parts, and the shares that they make up.

    Rights & Sterba (2019, Psychol. Methods 24(3), Figure 1): the fixed effects within and between groups,
    the slopes' deviations, the intercepts' and the residuals. Sums are those of `r_squared`:
    the two fixed parts make its marginal share, all but the residual its conditional one.

    Parameters
    ----------
    fit : MixedResults

    Returns
    -------
    pandas.DataFrame
        Rows ``fixed within``, ``fixed between``, ``slopes``, ``intercepts``, ``residual``; columns
        ``variance`` (units of the response, squared), then its share in the ``total`` and in the variance ``within`` and ``between``
        groups (0 where a part does not belong).

    Raises
    ------
    ValueError
        A predictor with a random slope is not centered within groups, so that the slopes'
        deviations lie in both variances.

    Examples
    --------
    >>> import mlm
    >>> hsb = mlm.load_hsb()
    >>> hsb["ses_cwc"] = mlm.center_within(hsb["ses"], hsb["schid"])
    >>> fit = mlm.mixedlm("mathach ~ ses_cwc + meanses", hsb, groups="schid", re_formula="~ ses_cwc")
    >>> mlm.variance_partition(fit).round(2)
                   variance  total  within  between
    fixed within       2.10   0.04    0.05     0.00
    fixed between      5.95   0.12    0.00     0.69
    slopes             0.30   0.01    0.01     0.00
    intercepts         2.69   0.06    0.00     0.31
    residual          36.71   0.77    0.94     0.00
    """
    Z, codes = fit.design.Z, fit.design.codes
    size = np.bincount(codes)
    for name, z in zip(fit.design.random, Z.T):
        means = np.bincount(codes, z) / size
        if name != "Intercept" and np.abs(means).max() > 1e-8 * np.abs(z).max():
            raise ValueError(f"{name} has a random slope and is not centered within groups: center it (center_within), "
                             "or the variance of its slopes can't be told from that between groups.")
    fixed = fit.predict().to_numpy()
    between = (np.bincount(codes, fixed) / size)[codes]
    centre = Z.mean(axis=0)
    slopes = np.einsum("ni,ij,nj->", Z - centre, fit.tau, Z - centre) / fit.nobs
    variance = pd.Series({"fixed within": np.var(fixed - between, ddof=1), "fixed between": np.var(between, ddof=1),
                          "slopes": slopes, "intercepts": centre @ fit.tau @ centre, "residual": fit.scale})
    inside = pd.Series([1, 0, 1, 0, 1], index=variance.index)
    return pd.DataFrame({"variance": variance, "total": variance / variance.sum(),
                         "within": variance * inside / (variance @ inside),
                         "between": variance * (1 - inside) / (variance @ (1 - inside))})
