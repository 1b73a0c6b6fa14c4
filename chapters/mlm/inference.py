"""What a certified fit says about the population: tests of fixed effects, comparisons of models."""

from itertools import product

import numpy as np
import pandas as pd
import patsy
from scipy import stats

from .checks import ANY, FIT, LEVEL, NOTHING, checked, floats
from .columns import variables
from .design import by_patsy
from .formulas import listed, parse
from .likelihood import derivatives, deviance, diagonal_root, root

# ------------------------------------------------------------------ fixed effects


@checked(fit=FIT, contrasts=ANY, level=LEVEL)
def satterthwaite(fit, contrasts=None, level=0.95):
    """t tests and intervals of the fixed effects with Satterthwaite's degrees of freedom.

    The variance of an estimate, v, is itself estimated, with a variance that follows from the
    information about the variances of the model; ``df = 2 v**2 / var(v)`` (Giesbrecht & Burns, 1985,
    Biometrics 41, p. 480; as in lmerTest: Kuznetsova, Brockhoff & Christensen, 2017, J. Stat.
    Softw. 82(13), eq. 5).

    Parameters
    ----------
    fit : MixedResults
    contrasts : str, list of str or array_like, shape (k, p), optional
        Linear combinations of the fixed effects: as text, ``"ses - female"``, or ``"ses = 2"`` to
        test against another value than 0; or a matrix, a row each. By default each fixed effect.
    level : float, default 0.95
        Of the intervals, between 0 and 1.

    Returns
    -------
    pandas.DataFrame
        A row for each: ``estimate``, ``se``, ``lower`` and ``upper`` in units of the combination;
        ``df``; ``t`` and the two-sided ``p`` against the value on the right side of ``=``, 0 where
        there is none.

    Raises
    ------
    ValueError
        A contrast names no fixed effect, or has another length than there are fixed effects.

    See Also
    --------
    joint_tests : several combinations at once, by an F test.

    Examples
    --------
    >>> import mlm
    >>> fit = mlm.mixedlm("mathach ~ ses + female", mlm.load_hsb(), groups="schid")
    >>> mlm.satterthwaite(fit)[["estimate", "se", "df"]].round(2)
               estimate    se       df
    Intercept     13.28  0.20   215.65
    ses            2.36  0.11  6795.92
    female        -1.19  0.17  6831.01
    >>> mlm.satterthwaite(fit, "ses = 2")[["estimate", "t"]].round(2)
       estimate     t
    0      2.36  3.38
    """
    rows, values = (np.eye(fit.k_fe), 0) if contrasts is None else combinations(fit, contrasts)
    names = fit.design.fixed if contrasts is None else None
    table = estimates(fit, rows, level, names)
    table["t"] = (table.estimate - values) / table.se
    table["p"] = 2 * stats.t.sf(table.t.abs(), table.df)
    return table[["estimate", "se", "df", "t", "p", "lower", "upper"]]


def estimates(fit, rows, level, index=None):
    """Linear combinations of the fixed effects, a row each: estimate, se, df and t interval."""
    variance, df = variance_and_df(rows, fit.T, fit.at, fit.products, fit.reml)
    table = pd.DataFrame({"estimate": rows @ fit.fe_params.to_numpy(), "se": np.sqrt(variance), "df": df}, index=index)
    reach = stats.t.ppf((1 + level) / 2, table.df) * table.se
    return table.assign(lower=table.estimate - reach, upper=table.estimate + reach)


def combinations(fit, contrasts):
    """Matrix (k, p) and values (k,) of linear hypotheses given as text or as a matrix."""
    names = listed(fit.design.fixed)
    texts = [contrasts] if isinstance(contrasts, str) else contrasts
    if isinstance(texts, list) and texts and all(isinstance(text, str) for text in texts):
        try:
            constraint = patsy.DesignInfo(fit.design.fixed).linear_constraint(texts)
        except patsy.PatsyError as error:
            raise ValueError(f"contrasts must combine the fixed effects {names}, as in 'a - b' or 'a = 1'; "
                             f"{contrasts!r} cannot be read: {error.message}.") from None
        return constraint.coefs, constraint.constants.ravel()
    rows = np.atleast_2d(floats(contrasts))
    if rows.ndim != 2 or rows.shape[1] != fit.k_fe or not len(rows) or not np.isfinite(rows).all():
        raise ValueError(f"contrasts must be text such as 'a - b', or finite numbers in {fit.k_fe} columns, for {names}; "
                         f"it is {contrasts!r}.")
    if not rows.any(axis=1).all():
        raise ValueError("contrasts must not be 0 in every column.")
    return rows, np.zeros(len(rows))


@checked(fit=FIT, contrasts=ANY)
def joint_tests(fit, contrasts=None):
    """F tests of several degrees of freedom: each term of the formula, or one joint hypothesis.

    A term's hypothesis is that of type III, as lmerTest's ``anova`` tests it: a factor's marginal
    means, averaged over the levels of the factors it interacts with in equal parts, do not differ.
    It does not depend on how factors are coded or which level is the reference. For a numeric
    predictor in an interaction with another one it is the effect where the other is 0. A factor
    that interacts with a number is compared where the number is 0, and not at its mean as by
    `marginal_means`: center it.

    The estimates are rotated into uncorrelated ones; F is the mean of their squared t values, and
    its denominator's degrees of freedom make its expectation that of an F variable (Fai &
    Cornelius, 1996, J. Stat. Comput. Simul. 54; Kuznetsova, Brockhoff & Christensen, 2017, J.
    Stat. Softw. 82(13), section 2.2).

    Parameters
    ----------
    fit : MixedResults
    contrasts : str, list of str or array_like, shape (k, p), optional
        A joint hypothesis instead of the terms: ``"ses = 0, female = 0"``, or a matrix whose
        combinations of the fixed effects are all 0.

    Returns
    -------
    pandas.DataFrame
        A row for each term, or one row ``joint``: ``F``, ``df1`` (of the hypothesis), ``df2`` (of
        the denominator, Satterthwaite's) and ``p``.

    Raises
    ------
    ValueError
        A contrast names no fixed effect, or the hypotheses contradict each other.

    See Also
    --------
    marginal_means : the means of a factor's levels.
    pairwise : which of them differ, and by how much.

    Examples
    --------
    >>> import mlm, pandas as pd
    >>> hsb = mlm.load_hsb()
    >>> hsb["quarter"] = pd.qcut(hsb["size"], 4, labels=["small", "medium", "large", "huge"])
    >>> fit = mlm.mixedlm("mathach ~ ses * quarter", hsb, groups="schid")
    >>> mlm.joint_tests(fit)[["F", "df1", "df2"]].round(2)
                      F  df1      df2
    quarter        2.30    3   144.94
    ses          495.52    1  6847.33
    ses:quarter    3.72    3  6843.19
    """
    if contrasts is not None:
        hypotheses = {"joint": combinations(fit, contrasts)}
    else:
        hypotheses = {term: (rows, np.zeros(len(rows))) for term, rows in type_three(fit.design).items()}
    return pd.DataFrame([_f_test(fit, *hypothesis) for hypothesis in hypotheses.values()], index=list(hypotheses),
                        columns=["F", "df1", "df2", "p"])


def _f_test(fit, rows, values):
    """F, its two degrees of freedom and p of the hypothesis rows @ g = values."""
    spread = rows @ np.linalg.inv(fit.at.R.T @ fit.products.Rx) * np.sqrt(fit.scale)  # spread spread' = their covariances
    axes, sizes, _ = np.linalg.svd(spread)
    rank = np.linalg.matrix_rank(spread / np.linalg.norm(spread, axis=1, keepdims=True))
    off = axes.T @ (rows @ fit.fe_params.to_numpy() - values)
    if (np.abs(off[rank:]) > 1e-8 * sizes[0]).any():
        raise ValueError("contrasts must not contradict each other; these can never hold at once.")
    variance, df = variance_and_df(axes.T[:rank] @ rows, fit.T, fit.at, fit.products, fit.reml)
    F = (off[:rank] ** 2 / variance).mean()
    if np.ptp(df) < 1e-8:
        df2 = df.mean()
    elif (df <= 2).any():
        df2 = 2.0
    else:
        expected = (df / (df - 2)).sum()
        df2 = 2 * expected / (expected - len(df))
    return F, len(df), df2, stats.f.sf(F, len(df), df2)


def type_three(design):
    """Each term's hypothesis of type III: term -> matrix (k, p) of combinations that are 0.

    Where each level's column is centered over the levels in equal parts, a term's coefficients are
    differences from the first level in the mean over all others. Both codings make the same columns,
    so those coefficients are linear in the fitted ones. The map is found on a grid of all levels
    and as many arbitrary values of the numeric predictors as it takes.
    """
    info = _patsys_memory(design)
    if info is None:  # plain numeric columns
        return {name: row[None] for name, row in zip(design.fixed, np.eye(len(design.fixed))) if name != "Intercept"}
    kinds = info.factor_infos
    levels = {factor: range(len(kind.categories)) for factor, kind in kinds.items() if kind.type == "categorical"}
    numeric = {tuple(factor for factor in term.factors if factor not in levels): None for term in info.terms}
    repeats = sum(np.prod([kinds[factor].num_columns for factor in factors], dtype=int) for factors in numeric) + 1
    cells = np.array(list(product(*levels.values(), range(repeats))))
    rng = np.random.default_rng(0)
    grid = dict(zip(levels, cells.T)) | {factor: rng.normal(size=(len(cells), kinds[factor].num_columns))
                                         for factor in kinds if factor not in levels}

    def columns(term, coding):
        """A term's columns on the grid; in the order of patsy, the first factor's fastest."""
        for part in info.term_codings[term]:
            block = np.ones((len(cells), 1))
            for factor in part.factors:
                own = coding(part.contrast_matrices[factor].matrix)[grid[factor]] if factor in levels else grid[factor]
                block = (own[:, :, None] * block[:, None, :]).reshape(len(cells), -1)
            yield block

    def centered(matrix):
        count, width = matrix.shape
        return np.eye(count)[:, 1:] - 1 / count if width == count - 1 else matrix

    fitted = np.hstack([block for term in info.terms for block in columns(term, lambda matrix: matrix)])
    coded = {term: np.hstack(list(columns(term, centered))) for term in info.terms}
    change = np.linalg.lstsq(np.hstack(list(coded.values())), fitted)[0]
    ends = np.cumsum([block.shape[1] for block in coded.values()])
    return {term.name(): rows for term, rows in zip(coded, np.split(change, ends[:-1])) if term.factors}


def _patsys_memory(design):
    """How patsy coded the fixed effects; None for plain numeric columns."""
    memory = design.memory[0]
    if memory is True:  # pickled
        env = patsy.EvalEnvironment([{"np": np, "pd": pd}])
        terms = parse(design.formula).rhs_termlist
        factors = [factor.name() for term in terms for factor in term.factors]
        return next(by_patsy(patsy.ModelDesc([], terms), variables(factors, design.data), env))[2]
    return memory


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
    df = products.n - products.p * reml
    L = root(T) if products.correlated else diagonal_root(T)
    scale = products.unit**2 * at.r2 / df
    h = rows @ np.linalg.inv(at.R.mT @ products.Rx) * np.sqrt(scale)[..., None, None]  # h h' = their covariances
    variance, Eh = (h**2).sum(axis=-1), np.einsum("...jqp,...kp->...kjq", at.E, h)
    slope = 2 * (Eh.mT @ Eh) @ L[..., None, :, :]  # of the variance, in L; in log s2 it is the variance itself
    slope = np.concatenate([slope.reshape(*variance.shape, L.shape[-1] ** 2), variance[..., None]], axis=-1)
    # changes of L relative to its size, so that a large or a small T has as many digits
    size = np.sqrt(np.diagonal(T, axis1=-2, axis2=-1))
    size = np.where(size > 0, size, 1)[..., None] * np.ones(len(products.Rz))
    size = np.concatenate([size.reshape(*T.shape[:-2], -1), np.ones_like(size[..., 0, :1])], axis=-1)
    free = np.append(products.free, -1)
    slope = (slope * size[..., None, :])[..., free]
    curvature = (hessian(L, at, df) * size[..., :, None] * size[..., None, :])[..., free[:, None], free]
    # a zero curvature belongs to a rotation of L or to a variance at 0, of which the variance does not depend
    inverse = np.linalg.pinv(curvature, rcond=1e-9, hermitian=True)
    return variance, variance**2 / np.einsum("...ki,...ij,...kj->...k", slope, inverse, slope)


def hessian(L, at, df):
    """Second derivatives of the deviance in L (flattened) and log s2, neither profiled."""
    observed = at.v.mT @ at.v
    cost = 2 * (observed @ L).reshape(*L.shape[:-2], -1) / df
    cost = np.concatenate([cost, np.ones_like(cost[..., :1])], axis=-1)
    hessian = df * cost[..., :, None] * cost[..., None, :]
    hessian[..., :-1, :-1] += derivatives(L, at)[1]
    return hessian


# ------------------------------------------------------------------ comparing models

SMALLER = FIT | NOTHING


@checked(smaller=SMALLER, larger=FIT)
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
        ``statistic`` (deviance units), ``df``, ``p``, ``p_naive`` (by one chi-square distribution).

    Raises
    ------
    ValueError
        The fits can't be compared: other rows, other groups, other methods, not nested, or REML
        fits whose fixed effects do not span the same space, so that their likelihoods are of
        different data. REML fits with the same fixed effects in another coding are compared.

    Examples
    --------
    >>> import mlm
    >>> hsb = mlm.load_hsb()
    >>> same = mlm.mixedlm("mathach ~ ses", hsb, groups="schid")
    >>> varies = mlm.mixedlm("mathach ~ ses", hsb, groups="schid", re_formula="~ ses")
    >>> mlm.likelihood_ratio(same, varies).round(4)
    statistic    4.7711
    df           2.0000
    p            0.0605
    p_naive      0.0920
    dtype: float64
    """
    if smaller is None:
        least = deviance(np.zeros_like(larger.T), larger.products, larger.reml).value - larger.at.value
        fixed, random, variances = 0, larger.k_re, larger.k_re2
    else:
        check_nested(smaller, larger)
        least = _comparable(smaller) - _comparable(larger)
        fixed, random, variances = larger.k_fe - smaller.k_fe, larger.k_re - smaller.k_re, larger.k_re2 - smaller.k_re2
    statistic = max(float(least), 0.0)
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


def _comparable(fit):
    """Deviance of the fit; by REML without log |X'X|, which depends on how the fixed effects are coded."""
    return -2 * fit.llf - 2 * fit.reml * np.log(np.abs(np.diag(fit.products.Rx))).sum()


def _within(part, whole):
    """Whether the columns of `part` are combinations of those of `whole`, blind to units and origins."""
    part, whole = (np.linalg.qr(matrix / np.linalg.norm(matrix, axis=0))[0] for matrix in (part, whole))
    # an origin of 1e9 standard deviations leaves these seven digits
    return np.linalg.norm(part - whole @ (whole.T @ part), axis=0).max(initial=0) < 1e-6


def check_nested(smaller, larger):
    """Refuse a comparison that means nothing."""
    if smaller.reml != larger.reml:
        raise ValueError("One fit is REML, the other ML: fit both by the same method.")
    one, two = smaller.design, larger.design
    if smaller.nobs != larger.nobs or not np.array_equal(one.y, two.y) or not one.index.equals(two.index):
        raise ValueError("The fits are of different rows or responses: fit both to the same data frame, without the "
                         "rows that have missing values in either.")
    pairs = len(np.unique(np.column_stack([one.codes, two.codes]), axis=0))
    if not pairs == len(one.labels) == len(two.labels):
        raise ValueError("The fits have different groups: models with different grouping are not nested.")
    if not (_within(one.X, two.X) and _within(one.Z, two.Z)):
        raise ValueError("The models are not nested: the first has terms that the second cannot express.")
    if (smaller.k_fe, smaller.k_re2) == (larger.k_fe, larger.k_re2):
        raise ValueError("The models are the same: there is nothing to test.")
    diagonal = smaller.k_re == 1 or not smaller.products.correlated
    if not larger.products.correlated and not (  # a diagonal tau stays one only for the same columns
            diagonal and all(any(_within(z[:, None], w[:, None]) for w in two.Z.T) for z in one.Z.T)):
        raise ValueError("The models are not nested: the second has uncorrelated random effects, which the first's aren't.")
    if larger.reml and larger.k_fe != smaller.k_fe:
        raise ValueError("REML fits with different fixed effects have likelihoods of different data: "
                         "fit both with reml=False.")
