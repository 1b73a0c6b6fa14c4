"""Intervals of the standard deviations and correlations of the random effects."""

from dataclasses import replace

import numpy as np
import pandas as pd
from scipy import optimize, stats

from .checks import FIT, LEVEL, checked, one_of
from .inference import hessian
from .likelihood import Products, deviance
from .search import estimate


@checked(fit=FIT, level=LEVEL, method=one_of("profile", "delta"))
def variance_intervals(fit, level=0.95, method="profile"):
    """Estimates and intervals of standard deviations and correlations of the random effects.

    To report: profile intervals of a REML fit. With 12 groups of 20, half of them treated, and an
    intraclass correlation of .18 they miss the truth in 6 % of the studies; those of an ML fit in
    10 %, since ML estimates are too low; those by the delta method in 1 %, since their upper ends
    run off where an estimate is far too low. With 160 groups after REML both miss in 5 to 6 % (rates
    of 16,000 simulated studies, of 8000 with 160 groups; standard errors are at most .3 %).

    Parameters
    ----------
    fit : MixedResults
    level : float, default 0.95
        Between 0 and 1.
    method : {"profile", "delta"}
        ``"profile"``: from the smallest to the largest value that a model can have whose deviance
        lies no more than the chi-square quantile above the best (Bates, Maechler, Bolker & Walker,
        2015, J. Stat. Softw. 67(1), section 5.1; what lme4's ``confint`` gives for ML fits).
        ``"delta"``: normal theory for log standard deviations and Fisher's z of correlations, from
        `fit.cov_variances`; none for a singular fit.

    Returns
    -------
    pandas.DataFrame
        Rows ``sd Intercept``, ``cor Intercept x``, ..., ``sd residual``; columns ``estimate``,
        ``lower``, ``upper``. Standard deviations are in units of the response over those of the
        predictor. If a model without a random effect lies near enough to the best, the lower limit
        of its standard deviation is 0 and nothing is known of its correlations: -1 to 1.

    Raises
    ------
    ValueError
        `level` or `method` is none of these.
    RuntimeError
        The search for a limit found none; the message says for which.

    Examples
    --------
    >>> import mlm
    >>> fit = mlm.mixedlm("mathach ~ 1", mlm.load_hsb(), groups="schid", reml=False)
    >>> mlm.variance_intervals(fit).round(2)
                  estimate  lower  upper
    sd Intercept      2.92   2.59   3.32
    sd residual       6.26   6.15   6.36
    """
    names = fit.design.random
    pairs = list(zip(*fit.elements))
    labels = [f"sd {names[i]}" if i == j else f"cor {names[j]} {names[i]}" for i, j in pairs] + ["sd residual"]

    def value(tau, sigma2, k):
        """The parameter in row k: a variance, a correlation or sigma2."""
        if k == len(pairs):
            return sigma2
        i, j = pairs[k]
        return tau[i, j] if i == j else tau[i, j] / np.sqrt(max(tau[i, i] * tau[j, j], 1e-300))

    estimates = {label: value(fit.tau, fit.scale, k) for k, label in enumerate(labels)}
    limits = (_profile_limits if method == "profile" else _delta_limits)(fit, value, estimates, pairs, level)
    table = pd.DataFrame([(best, *ends) for best, ends in zip(estimates.values(), limits)], index=labels,
                         columns=["estimate", "lower", "upper"])
    deviations = table.index.str.startswith("sd ")
    table[deviations] = np.sqrt(table[deviations].clip(lower=0))
    return table


def _delta_limits(fit, value, estimates, pairs, level):
    z, q = stats.norm.ppf((1 + level) / 2), fit.k_re
    steps = np.append(fit.tau[fit.elements], fit.scale)

    def at(parameters, k):
        tau = np.zeros((q, q))
        tau[fit.elements] = parameters[:-1]
        return value(tau + np.tril(tau, -1).T, parameters[-1], k)

    for k, best in enumerate(estimates.values()):
        if fit.singular:
            yield np.nan, np.nan
            continue
        slope = optimize.approx_fprime(steps, at, 1e-6 * np.sqrt(np.diag(fit.cov_variances)), k)
        se = np.sqrt(slope @ fit.cov_variances.to_numpy() @ slope)
        if k < len(pairs) and pairs[k][0] != pairs[k][1]:
            yield tuple(np.tanh(np.arctanh(best) + sign * z * se / (1 - best**2)) for sign in (-1, 1))
        else:
            yield tuple(best * np.exp(sign * z * se / best) for sign in (-1, 1))


def _profile_limits(fit, value, estimates, pairs, level):
    """Extremes of each parameter among the models whose deviance is near enough to the best.

    The models are described by the symmetric root of T and log s2, in coordinates in which the
    deviance near the best is the squared distance from it.
    """
    products, q = fit.products, fit.k_re
    spread, least = stats.chi2.ppf(level, 1), fit.at.value
    eigenvalues, axes = np.linalg.eigh(fit.T)
    L = axes * np.sqrt(np.maximum(eigenvalues, 1e-6 * len(fit.design.labels) / fit.nobs)) @ axes.T
    best = np.append(L.ravel(), np.log(fit.at.r2 / fit.df))
    symmetric = np.zeros((q * q + 1, fit.k_re2 + 1))
    symmetric[:-1, :-1] = products.directions.T
    symmetric[-1, -1] = 1
    curvature, axes = np.linalg.eigh(symmetric.T @ hessian(L, fit.at, fit.df) @ symmetric / 2)
    basis = symmetric @ axes / np.sqrt(np.maximum(curvature, 1e-4 * curvature[-1]))

    def unpack(y):
        x = best + basis @ y
        return x[:-1].reshape(q, q), np.exp(x[-1])

    def excess(y):
        """Deviance above the best, neither coefficient profiled, and its gradient."""
        L, s2 = unpack(y)
        at = deviance(L @ L, products, fit.reml)
        ratio = at.r2 / fit.df / s2
        D = at.D - (ratio - 1) * at.v.T @ at.v
        return (at.value - least + fit.df * (ratio - 1 - np.log(ratio)),
                np.append((D @ L + L @ D).ravel(), fit.df * (1 - ratio)) @ basis)

    def parameter(y, k):
        L, s2 = unpack(y)
        half = products.unit * fit.to_random @ L
        return value(s2 * half @ half.T, products.unit**2 * s2, k)

    def extreme(sign, k, size, begin, limit, box):
        """Where the parameter is most extreme while the deviance is within `limit` of the best."""
        inside = {"type": "ineq", "fun": lambda y: limit - excess(y)[0], "jac": lambda y: -excess(y)[1]}
        return optimize.minimize(lambda y: -sign * parameter(y, k) / size, begin, method="SLSQP", jac="3-point",
                                 constraints=inside, bounds=[(-box, box)] * len(begin),
                                 options={"ftol": 1e-10, "maxiter": 200})

    dispensable = [_deviance_without(fit, i) - least < spread for i in range(q)]
    centre = np.zeros(len(curvature))
    for k, (label, estimated) in enumerate(estimates.items()):
        i, j = pairs[k] if k < len(pairs) else (None, None)
        if i != j and (dispensable[i] or dispensable[j]):
            yield -1.0, 1.0
            continue
        ends = [0.0] if i is not None and i == j and dispensable[i] else []
        for sign in (-1, 1)[len(ends):]:
            slope = optimize.approx_fprime(centre, parameter, 1e-5, k)
            ahead = sign * slope * np.sqrt(spread / max(slope @ slope, 1e-300))
            size = max(abs(estimated), abs(parameter(ahead, k) - estimated))
            found = []  # until SLSQP says success or two searches agree
            for stages in (1, 2, 4, 7, 12):  # the limit is approached in smaller and smaller steps
                y = ahead / stages
                for stage in range(1, stages + 1):
                    limit = spread * (stage / stages) ** 2
                    box = 4 * np.sqrt(limit) + np.abs(y).max()
                    end = extreme(sign, k, size, y, limit, box)
                    y = end.x * (stage + 1) / stage
                if excess(end.x)[0] < spread + 1e-6 and np.abs(end.x).max() < 0.999 * box:
                    found.append(end.fun)
                    if end.success or abs(found[-1] - min(found[:-1], default=np.inf)) < 1e-6:
                        break
            else:
                raise RuntimeError(f"No limit was found for {label!r}: {end.message}.")
            ends.append(-sign * size * min(found))
        yield tuple(ends)


def _deviance_without(fit, i):
    """Deviance at best where random effect i has no variance, in the coordinates of the fit."""
    design = fit.design
    if fit.k_re == 1:
        return deviance(np.zeros_like(fit.T), fit.products, fit.reml).value
    fewer = replace(design, Z=np.delete(design.Z, i, axis=1), random=[*design.random[:i], *design.random[i + 1:]])
    return estimate(Products.of(fewer, fit.products.correlated), fit.reml)[1].value
