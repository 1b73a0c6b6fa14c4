"""What a certified fit says about the population: tests, intervals, predictions, explained variance."""

import sys
from collections import namedtuple

import numpy as np
import pandas as pd
from scipy import optimize, stats

from .likelihood import Products, derivatives, deviance, estimate, minimise, root, symmetrizer

# ------------------------------------------------------------------ fixed effects


def satterthwaite(fit, contrasts=None, level=0.95):
    """t tests and intervals of the fixed effects with Satterthwaite's degrees of freedom.

    The variance of an estimate, v, is itself estimated, with a variance that follows from the
    information about the variances of the model; df = 2 v**2 / var(v) (Giesbrecht & Burns, 1985,
    Biometrics 41, p. 480; as in lmerTest: Kuznetsova, Brockhoff & Christensen, 2017, J. Stat.
    Softw. 82(13), eq. 5).

    Parameters
    ----------
    fit : MixedResults
    contrasts : array_like, shape (k, p), or str, optional
        Linear combinations of the fixed effects, also as ``"ses - female"``; each fixed effect
        by default.
    level : float, default 0.95

    Returns
    -------
    pandas.DataFrame
        A row for each: ``estimate``, ``se``, ``df``, ``t``, ``p`` (against 0), ``lower``, ``upper``.
    """
    rows, values = (np.eye(fit.k_fe), 0) if contrasts is None else fit._constraint(contrasts)
    variance, df = variance_and_df(rows, fit.T, fit.at, fit.products, fit.reml)
    names = fit.design.fixed if contrasts is None else None
    table = pd.DataFrame({"estimate": rows @ fit.fe_params.to_numpy(), "se": np.sqrt(variance), "df": df}, index=names)
    table["t"] = (table.estimate - values) / table.se
    table["p"] = 2 * stats.t.sf(table.t.abs(), table.df)
    reach = stats.t.ppf((1 + level) / 2, table.df) * table.se
    return table.assign(lower=table.estimate - reach, upper=table.estimate + reach)


def variance_and_df(rows, T, at, products, reml):
    """Squared standard error and Satterthwaite's degrees of freedom of contrasts, for each replicate.

    Parameters
    ----------
    rows : ndarray, shape (k, p)
    T, at, products, reml
        As in `likelihood.deviance`; T and `at` may have a leading axis that counts replicates.

    Returns
    -------
    variance, df : ndarray, shape (..., k)
    """
    L, df = root(T), products.n - products.p * reml
    scale = products.unit**2 * at.r2 / df
    h = rows @ np.linalg.inv(at.R.mT @ products.Rx) * np.sqrt(scale)[..., None, None]  # h h' = their covariances
    variance, Eh = (h**2).sum(axis=-1), np.einsum("...jqp,...kp->...kjq", at.E, h)
    slope = 2 * (Eh.mT @ Eh) @ L[..., None, :, :]  # of the variance, in L; in log s2 it is the variance itself
    slope = np.concatenate([slope.reshape(*variance.shape, -1), variance[..., None]], axis=-1)
    # a zero curvature belongs to a rotation of L or to a variance at 0, of which the variance does not depend
    inverse = np.linalg.pinv(_hessian(L, at, df), rcond=1e-9, hermitian=True)
    return variance, variance**2 / np.einsum("...ki,...ij,...kj->...k", slope, inverse, slope)


def _hessian(L, at, df):
    """Second derivatives of the deviance in L (flattened) and log s2, neither profiled."""
    observed = at.v.mT @ at.v
    cost = 2 * (observed @ L).reshape(*L.shape[:-2], -1) / df
    cost = np.concatenate([cost, np.ones_like(cost[..., :1])], axis=-1)
    hessian = df * cost[..., :, None] * cost[..., None, :]
    hessian[..., :-1, :-1] += derivatives(L, at)[1]
    return hessian


# ------------------------------------------------------------------ comparing models


def likelihood_ratio(smaller, larger):
    """Likelihood-ratio test of two nested fits.

    A variance can't be negative: if the larger model has one random effect more, its variance
    under the null hypothesis lies on the boundary, and the statistic follows an equal mixture of
    two chi-square distributions (Stram & Lee, 1994, Biometrics 50, case 2 and 3). With several
    more, no simple law holds: `p` is not a number, and `bootstrap_test` decides.

    Parameters
    ----------
    smaller : MixedResults or None
        None is the regression with the fixed effects of `larger` and no random effects.
    larger : MixedResults

    Returns
    -------
    pandas.Series
        ``statistic``, ``df``, ``p``, ``p_naive`` (by one chi-square distribution).

    Raises
    ------
    ValueError
        The fits can't be compared: other rows, other methods, not nested, or REML fits with
        different fixed effects, whose likelihoods are of different data.
    """
    if smaller is None:
        least = deviance(np.zeros_like(larger.T), larger.products, larger.reml).value - larger.at.value
        fixed, random, before = 0, larger.k_re, 0
    else:
        _check_nested(smaller, larger)
        least = 2 * (larger.llf - smaller.llf)
        fixed, random, before = larger.k_fe - smaller.k_fe, larger.k_re - smaller.k_re, smaller.k_re
    statistic = max(float(least), 0.0)
    variances = random * before + random * (random + 1) // 2
    naive = stats.chi2.sf(statistic, fixed + variances)
    if random == 0:
        p = naive
    elif random == 1:
        p = mixture_p(statistic, fixed + variances)
    else:
        p = np.nan
    return pd.Series({"statistic": statistic, "df": fixed + variances, "p": p, "p_naive": naive})


def mixture_p(statistic, df):
    """p value of an equal mixture of the chi-square distributions with df - 1 and df degrees of freedom."""
    lower = stats.chi2.sf(statistic, df - 1) if df > 1 else statistic <= 0
    return (lower + stats.chi2.sf(statistic, df)) / 2


def _check_nested(smaller, larger):
    """Refuse a comparison that means nothing."""
    if smaller.reml != larger.reml:
        raise ValueError("One fit is REML, the other ML: fit both by the same method.")
    if smaller.nobs != larger.nobs or not np.array_equal(smaller.design.y, larger.design.y):
        raise ValueError("The fits are of different rows or responses; missing values may have been left out.")

    def within(part, whole):
        length = np.linalg.norm(part, axis=0)
        rest = part - whole @ np.linalg.lstsq(whole, part)[0]
        return (np.linalg.norm(rest, axis=0) < 1e-8 * length).all()

    if not (within(smaller.design.X, larger.design.X) and within(smaller.design.Z, larger.design.Z)):
        raise ValueError("The models are not nested: the first has terms that the second cannot express.")
    if larger.reml and larger.k_fe != smaller.k_fe:
        raise ValueError("REML fits with different fixed effects have likelihoods of different data: "
                         "fit both with reml=False.")


# ------------------------------------------------------------------ simulation and bootstrap


def simulate(fit, draws, seed=None):
    """Responses drawn from the fitted model, shape (n, draws); the groups' effects are drawn anew."""
    half = fit.to_random @ root(fit.T)
    return draw(fit.design, fit.fe_params.to_numpy(), half, fit.scale, draws, np.random.default_rng(seed))


def draw(design, fixed, half, scale, draws, rng):
    """Responses, shape (n, draws), with these fixed effects, tau = scale half half' and sigma2 = scale."""
    u = rng.normal(size=(draws, len(design.labels), len(half))) @ half.T
    effects = sum(design.Z[:, k, None] * u[:, :, k].T[design.codes] for k in range(len(half)))
    noise = effects + rng.normal(size=(len(design.codes), draws))
    return (design.X @ fixed)[:, None] + np.sqrt(scale) * noise


Refits = namedtuple("Refits", "T at products fixed scale")


def refit(fit, responses):
    """Fit the same model to other responses, all at once.

    Only Z'y, X'y and y'y change, so a replicate costs as much as some evaluations of the deviance.

    Parameters
    ----------
    fit : MixedResults
    responses : ndarray, shape (n, m)

    Returns
    -------
    pandas.DataFrame
        A row for each response: fixed effects, lower triangle of `cov_re`, ``Residual Var`` and
        ``llf``. Every one has passed the checks of a single fit.
    """
    each = refits(fit.design, fit.products, fit.reml, fit.T, responses)
    tau = each.scale[:, None, None] * (fit.to_random @ each.T @ fit.to_random.T)
    llf = fit.llf - (each.at.value - fit.at.value) / 2
    return pd.DataFrame(np.column_stack([each.fixed, tau[:, *np.tril_indices(fit.k_re)], each.scale, llf]),
                        columns=[*fit.params.index, "Residual Var", "llf"])


def refits(design, old, reml, T, responses):
    """What `refit` does, without its table.

    Parameters
    ----------
    design : Design
    old : Products
        Of the same X and Z with any response.
    reml : bool
    T : ndarray, shape (q, q)
        Near which the estimates are expected.
    responses : ndarray, shape (n, m)

    Returns
    -------
    Refits
        ``T`` (m, q, q), ``at`` and ``products`` of the replicates, their fixed effects (m, p) and sigma2 (m,).
    """
    order, m = np.argsort(design.codes, kind="stable"), responses.shape[1]
    X, Z = design.X[order] @ np.linalg.inv(old.Rx), design.Z[order] @ np.linalg.inv(old.Rz)
    y = responses[order]
    starts = np.searchsorted(design.codes[order], np.arange(len(design.labels)))
    ols = X.T @ y / old.n
    rest = (y - X @ ols) / old.unit
    Zy = np.stack([np.add.reduceat(column[:, None] * rest, starts, axis=0).T for column in Z.T], axis=-1)
    groups = np.concatenate([np.broadcast_to(old.groups[..., :-1], (m, *old.groups[..., :-1].shape)), Zy[..., None]], -1)
    total = np.broadcast_to(old.total, (m, *old.total.shape)).copy()
    total[:, -1, -1] = (rest**2).sum(axis=0)

    def some(i):
        return Products(groups[i], total[i], old.n, old.p, old.q, old.Rx, old.Rz, ols, old.unit)

    def failed(certificate):
        return np.maximum(certificate.newton, certificate.boundary) >= certificate.tolerance

    def put(i, T_i, at_i):
        for whole, part in zip((T, *at), (T_i, *at_i)):
            whole[i] = part

    # most replicates need few steps; the others go on in smaller company, the last by themselves
    begin = root(T, floor=0.1 * len(design.labels) / old.n)
    T, at, certificate = minimise(some(slice(None)), reml, np.broadcast_to(begin, (m, *begin.shape)), steps=5)
    left = np.flatnonzero(failed(certificate))
    if len(left):
        *found, certificate = minimise(some(left), reml, root(T[left]))
        put(left, *found)
        for i in left[failed(certificate)]:
            put(i, *estimate(some(i), reml)[:2])
    fixed = np.linalg.solve(old.Rx, ols + old.unit * at.coef.T).T
    return Refits(T, at, some(slice(None)), fixed, old.unit**2 * at.r2 / (old.n - old.p * reml))


def _chunks(fit, draws, seed, progress):
    """Simulated responses in portions that fit into the cache, with a progress bar on stderr."""
    rng, size = np.random.default_rng(seed), max(1, min(50, 5_000_000 // fit.nobs))
    for done in range(0, draws, size):
        yield simulate(fit, min(size, draws - done), rng)
        if progress:
            bar(min(done + size, draws) / draws, f"{draws} replicates")


def bar(share, of):
    """Draw a progress bar on stderr over the one before."""
    print(f"\r[{'#' * int(40 * share):40}] {share:4.0%} of {of}", end="\n" if share == 1 else "", file=sys.stderr,
          flush=True)


def bootstrap(fit, draws=1000, seed=1, progress=False):
    """Parametric bootstrap: estimates from `draws` data sets simulated from the fit.

    Returns
    -------
    pandas.DataFrame, shape (draws, parameters + 2)
        As `refit`. Its quantiles are intervals: ``bootstrap(fit).quantile([.025, .975])``.
    """
    return pd.concat([refit(fit, y) for y in _chunks(fit, draws, seed, progress)], ignore_index=True)


def bootstrap_test(smaller, larger, draws=1000, seed=1, progress=False):
    """p value of the likelihood-ratio test, by data sets simulated from the smaller fit.

    (1 + statistics at least as large) / (1 + draws) (Davison & Hinkley, 1997, eq. 4.11).
    """
    _check_nested(smaller, larger)
    observed = larger.llf - smaller.llf
    drawn = np.concatenate([refit(larger, y).llf - refit(smaller, y).llf
                            for y in _chunks(smaller, draws, seed, progress)])
    return (1 + (drawn >= observed).sum()) / (1 + draws)


# ------------------------------------------------------------------ intervals of variances


def variance_intervals(fit, level=0.95, method="profile"):
    """Estimates and intervals of standard deviations and correlations of the random effects.

    Parameters
    ----------
    fit : MixedResults
    level : float, default 0.95
    method : {"profile", "delta"}
        ``"profile"``: from the smallest to the largest value that a model can have whose deviance
        lies no more than the chi-square quantile above the best (what lme4's ``confint`` gives for
        ML fits). ``"delta"``: normal theory for log standard deviations and Fisher's z of
        correlations, from `fit.cov_variances`; none for a singular fit.

    Returns
    -------
    pandas.DataFrame
        Rows ``sd Intercept``, ``cor Intercept x``, ..., ``sd residual``; columns ``estimate``,
        ``lower``, ``upper``.
    """
    names, q = fit.design.random, fit.k_re
    pairs = [(i, j) for i in range(q) for j in range(i + 1)]
    labels = [f"sd {names[i]}" if i == j else f"cor {names[j]} {names[i]}" for i, j in pairs] + ["sd residual"]

    def value(tau, sigma2, k):
        """The parameter in row k: a variance, a correlation or sigma2."""
        if k == len(pairs):
            return sigma2
        i, j = pairs[k]
        return tau[i, j] if i == j else tau[i, j] / np.sqrt(max(tau[i, i] * tau[j, j], 1e-300))

    estimates = [value(fit.tau, fit.scale, k) for k in range(len(labels))]
    limits = (_profile_limits if method == "profile" else _delta_limits)(fit, value, estimates, pairs, level)
    table = pd.DataFrame([(best, *ends) for best, ends in zip(estimates, limits)], index=labels,
                         columns=["estimate", "lower", "upper"])
    deviations = table.index.str.startswith("sd ")
    table[deviations] = np.sqrt(table[deviations].clip(lower=0))
    return table


def _delta_limits(fit, value, estimates, pairs, level):
    z, q = stats.norm.ppf((1 + level) / 2), fit.k_re
    steps = np.append(fit.tau[np.tril_indices(q)], fit.scale)

    def at(parameters, k):
        tau = np.zeros((q, q))
        tau[np.tril_indices(q)] = parameters[:-1]
        return value(tau + np.tril(tau, -1).T, parameters[-1], k)

    for k, best in enumerate(estimates):
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
    symmetric = np.zeros((q * q + 1, q * (q + 1) // 2 + 1))
    symmetric[:-1, :-1] = np.linalg.eigh(symmetrizer(q))[1][:, q * (q - 1) // 2 :]
    symmetric[-1, -1] = 1
    curvature, axes = np.linalg.eigh(symmetric.T @ _hessian(L, fit.at, fit.df) @ symmetric / 2)
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

    centre = np.zeros(len(curvature))
    for k, estimated in enumerate(estimates):
        ends = []
        for sign in (-1, 1):
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
                raise RuntimeError(f"No limit was found for parameter {k}: {end.message}.")
            ends.append(-sign * size * min(found))
        yield tuple(ends)


# ------------------------------------------------------------------ how alike, how reliable


def icc(fit):
    """Intraclass correlation tau00 / (tau00 + sigma2); with random slopes, where their predictors are 0."""
    if "Intercept" not in fit.cov_re:
        raise ValueError("The model has no random intercept, of which the intraclass correlation is the share.")
    tau00 = fit.cov_re.loc["Intercept", "Intercept"]
    return float(tau00 / (tau00 + fit.scale))


def design_effect(icc, size):
    """Factor by which groups of `size` inflate the variance of a mean: 1 + (size - 1) icc (Kish, 1965, p. 162)."""
    return 1 + (size - 1) * icc


def reliability(fit):
    """Reliability of each group's own least-squares coefficients, tau_qq / (tau_qq + v_qqj).

    Raudenbush & Bryk (2002), eq. 3.53; HLM prints the means over groups. Not a number for a
    group whose own coefficients can't be computed.

    Returns
    -------
    pandas.DataFrame, a row for each group, a column for each random effect.
    """
    A = fit.products.groups[..., : fit.k_re]
    error = np.full(A.shape[:2], np.nan)
    full = np.linalg.matrix_rank(A, hermitian=True) == fit.k_re
    error[full] = np.diagonal(fit.to_random @ np.linalg.inv(A[full]) @ fit.to_random.T, axis1=1, axis2=2)
    tau = np.diag(fit.cov_re)
    return pd.DataFrame(tau / (tau + fit.scale * error), index=fit.design.labels, columns=fit.design.random)


def blups(fit, level=0.95):
    """Predicted random effects with their conditional standard deviations and intervals.

    Returns
    -------
    pandas.DataFrame
        A row for each group and effect (both in the index): ``estimate``, ``sd``, ``lower``, ``upper``.
    """
    sd = np.sqrt(np.maximum(np.diagonal(fit.blups_cov, axis1=1, axis2=2), 0))
    index = pd.MultiIndex.from_product([fit.design.labels, fit.design.random], names=["group", "effect"])
    table = pd.DataFrame({"estimate": fit.blups.to_numpy().ravel(), "sd": sd.ravel()}, index=index)
    reach = stats.norm.ppf((1 + level) / 2) * table.sd
    return table.assign(lower=table.estimate - reach, upper=table.estimate + reach)


# ------------------------------------------------------------------ prediction


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
        The groups of the rows; those the fit does not know, and None, are new ones.
    level : float, default 0.95
    of : {"observation", "mean"}
        The interval for a new row, or for the mean of its kind in its group.

    Returns
    -------
    pandas.DataFrame
        ``fit``, ``se``, ``lower``, ``upper``, on the index of `data`.
    """
    X, Z = fit.design.of_new(data)
    codes = fit.design.codes_of(groups, data)
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


# ------------------------------------------------------------------ explained variance


def r_squared(fit):
    """Marginal (fixed effects) and conditional (fixed and random) share of variance explained.

    Nakagawa & Schielzeth (2013, Methods Ecol. Evol. 4, eq. 26 and 30), with random slopes as
    Johnson (2014, ibid. 5, eq. 10): their variance is the mean of z' tau z over the rows.

    Returns
    -------
    pandas.Series : ``marginal``, ``conditional``.
    """
    fixed = fit.predict().var()
    random = np.einsum("ni,ij,nj->", fit.design.Z, fit.tau, fit.design.Z) / fit.nobs
    whole = fixed + random + fit.scale
    return pd.Series({"marginal": fixed / whole, "conditional": (fixed + random) / whole})


def variance_reduction(smaller, larger):
    """Share by which each variance of `smaller` has shrunk in `larger`: level-wise R2.

    Raudenbush & Bryk (2002), eq. 4.12 and 4.20. It can be negative.

    Returns
    -------
    pandas.Series : a share for each random effect that both have, and ``Residual``.
    """
    common = [name for name in smaller.cov_re if name in larger.cov_re]
    before, after = (np.append(np.diag(fit.cov_re.loc[common, common]), fit.scale) for fit in (smaller, larger))
    return pd.Series(1 - after / before, index=[*common, "Residual"])


def variance_partition(fit):
    """The model's variance of the outcome in five parts, and the shares that they make up.

    Rights & Sterba (2019, Psychol. Methods 24(3), Figure 1): the fixed effects within and between groups,
    the slopes' deviations, the intercepts' and the residuals. Sums are those of `r_squared`:
    the two fixed parts make its marginal share, all but the residual its conditional one.

    Returns
    -------
    pandas.DataFrame
        Rows ``fixed within``, ``fixed between``, ``slopes``, ``intercepts``, ``residual``; columns
        ``variance``, then its share in the ``total`` and in the variance ``within`` and ``between``
        groups (0 where a part does not belong).

    Raises
    ------
    ValueError
        A predictor with a random slope is not centered within groups, so that the slopes'
        deviations lie in both variances.
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
