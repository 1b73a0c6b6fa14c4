"""The least deviance of a response: proven for one variance ratio, searched for more.

`minimise` is Newton's method from given starts; `estimate` chooses them, or asks `proof.least`, and raises
where no point passes `likelihood.certify`.
"""

from functools import lru_cache
from itertools import product

import numpy as np
from scipy import ndimage

from .likelihood import (
    EXACT, TOLERANCE, UNIDENTIFIED, Certificate, Evaluation, NotCertified, certify, deviance, diagonal_root, eigen, newton_step,
    pairs, products_of_sums, profile, reproduced, root, rounding, worst)
from .proof import least

LEVELS = 0.03, 1000  # variances to start from, times what makes group means half reliable
SCREENED = 70_000, 16_000  # groups times points at which the deviance is computed to find starts (q = 2, more)


def minimise(data, reml, L, steps=200):
    """Minimise the deviance over T = L L', for each replicate or from each start.

    Parameters
    ----------
    data : Products
    reml : bool
    L : ndarray, shape (m, q, q)
        Where to start.
    steps : int
        Where to stop at the latest.

    Returns
    -------
    T : ndarray, shape (m, q, q)
    at : Evaluation
    certificate : Certificate
        For the caller to judge.

    Raises
    ------
    ValueError
        The random effects reproduce the response: the residual variance is zero.
    """
    L = L if data.correlated else diagonal_root(L @ L.mT)
    at, shrink, lane, found = deviance(L @ L.mT, data, reml), np.ones(len(L)), np.arange(len(L)), []
    for evaluations in range(2, steps + 2):
        step, decrement, _ = newton_step(L, at, data)
        length, longest = (np.sqrt(np.einsum("kij,kij->k", matrix, matrix)) for matrix in (step, 2 * L))
        part = shrink * np.minimum(1, longest / np.maximum(length, 1e-300))
        moved = L + step * part[:, None, None]
        trial = deviance(moved @ moved.mT, data, reml)
        if reproduced(trial.r2, data).any():
            raise ValueError(REPRODUCED)
        lower = trial.value <= at.value - 1e-4 * part * decrement + 1e-9 + rounding(trial, data)
        L, at = choose(lower, moved, L), Evaluation(*map(choose, [lower] * len(at), trial, at))
        shrink = np.where(lower, 1, shrink / 4)
        last = evaluations == steps + 1
        still = decrement < TOLERANCE + rounding(at, data)
        if not (still.any() or last):
            continue
        T = L @ L.mT
        certificate, aside = certify(T, at, data)
        stop = last | (still & (worst(certificate) < certificate.tolerance))
        if stop.any():
            found.append([part[stop] for part in (lane, T, *at, *certificate[:5])])
            if stop.all():
                break
        elsewhere = still & (np.maximum(certificate.boundary, certificate.saddle) >= certificate.tolerance)
        if elsewhere.any():
            L = choose(elsewhere, aside, L)
            at = deviance(L @ L.mT, data, reml)
        if stop.any():
            L, shrink, lane, *at = (part[~stop] for part in (L, shrink, lane, *at))
            at, data = Evaluation(*at), data.some(~stop)
    parts = found[0] if len(found) == 1 else [np.concatenate(part) for part in zip(*found)]
    lane, T, *rest = parts if len(found) == 1 else (part[np.argsort(parts[0])] for part in parts)
    return T, Evaluation(*rest[:9]), Certificate(*rest[9:], evaluations=evaluations)


def choose(which, new, old):
    """`new` where `which` is true, for arrays whose first axis counts replicates."""
    return new if which.all() else np.where(which.reshape(-1, *[1] * (new.ndim - 1)), new, old)


REPRODUCED = ("The random effects reproduce the response exactly, or all but 1e-10 of its variance: the residual "
              "variance is zero, or lost in rounding. Is the response constant within groups?")


def check_identified(data, reml):
    """Refuse data whose likelihood is flat in some direction of T.

    The expected second derivatives at T = 0, where V = I, say so: the random effects, or the
    fixed effects of REML, leave directions of T that change nothing.
    """
    q, df = data.q, data.n - reml * data.p
    A, E = data.groups[..., :q], data.groups[..., q:-1] / np.sqrt(data.n)
    EE, sums = reml * E @ E.mT, reml * products_of_sums(E)
    flat = (A - EE).sum(axis=0).reshape(-1, 1)
    known = pairs(A - 2 * EE, A) + sums @ sums.T - flat @ flat.T / df
    alone = data.directions @ pairs(A, A) @ data.directions.T
    scale = np.sqrt(np.diag(alone))
    if eigen(data.directions @ known @ data.directions.T / np.outer(scale, scale))[0][0] < UNIDENTIFIED:
        raise ValueError("The data cannot tell the variances and covariances of the random effects apart: different "
                         "ones fit equally well. Leave out a random effect that varies too little within or between "
                         "groups, or a fixed effect that already tells the groups apart.")


def starts(data, reml, most=6):
    """Roots L from which to search, scattered over the sizes and correlations that T can have.

    The deviance is computed on a grid of T, and points that have none lower beside them are kept,
    the lowest first.
    """
    J = len(data.groups)
    T, shape = grid(data.q, data.correlated, J)
    T = T * (J / data.n)
    value = screen(T, data, reml)
    lowest = ndimage.minimum_filter(value.reshape(shape), 3, mode="nearest").ravel()
    kept = np.flatnonzero(value <= lowest)
    L = root(T[kept[np.argsort(value[kept])][:most]])
    if J > 100:
        return L
    # some more at random, the fewer the groups the more (the same for the same data): grids miss narrow minima
    rng, shape = np.random.default_rng(0), (min(24, 2000 // J), data.q)
    size = np.exp(2 * rng.normal(size=(*shape, 1)) + 1.5 * rng.normal(size=(shape[0], 1, 1)))
    return np.concatenate([L, rng.normal(size=(*shape, data.q)) * size * np.sqrt(J / data.n)])


@lru_cache
def grid(q, correlated, J):
    """Covariance matrices that combine variances and correlations, and the shape of their grid.

    The finest grid is taken that `SCREENED` allows for J groups. With two random effects it is
    regular in the correlation, with more there are those of all signs, and none.
    """
    signs = [(1, *rest) for rest in product((1, -1), repeat=q - 1)]
    options = {1: [(12, 1)], 2: [(12, 9), (8, 5), (5, 3)], 3: [(5, 2), (4, 2), (4, 1), (3, 1)], 4: [(4, 2), (3, 2), (3, 1)]}
    for levels, correlations in options.get(q, [(2, 1)]):
        rho = np.linspace(-0.97, 0.97, correlations) if q == 2 else [0] + [0.9] * len(signs) * (correlations > 1)
        rho = rho if correlated else [0]
        if levels**q * len(rho) * J <= SCREENED[q > 2]:
            break
    kinds = np.reshape(rho, (-1, 1, 1)) * (np.ones((q, q)) if q == 2 or len(rho) == 1 else
                                           np.array([np.outer(s, s) for s in [signs[0], *signs]]))
    kinds[:, range(q), range(q)] = 1
    size = np.array(list(product(np.sqrt(np.geomspace(*LEVELS, levels)), repeat=q)))[:, None]
    return (size[..., :, None] * size[..., None, :] * kinds).reshape(-1, q, q), (levels,) * q + (len(rho),)


def screen(T, data, reml):
    """The deviance at many T, for one response.

    For q = 2, (T^-1 + A)^-1 = (T + det T adj A) / det(I + A T), and the determinant too is linear in the elements
    of T and in det T: so all the groups and all T meet in two matrix products.
    """
    p, q, J = data.p, data.q, len(data.groups)
    if q > 2:
        size = max(1, 1_000_000 // (J * q * (q + p + 1)))
        return np.concatenate([profile(T[i : i + size], data, reml)[0] for i in range(0, len(T), size)])
    A, B = data.groups[:, :, :2], data.groups[:, :, 2:]
    det_A, turned = data.adjoint
    t = np.stack([T[:, 0, 0], 2 * T[:, 0, 1], T[:, 1, 1], np.linalg.det(T)])
    det = 1 + t.T @ np.stack([A[:, 0, 0], A[:, 0, 1], A[:, 1, 1], det_A])
    parts = np.stack([B[:, 0, :, None] * B[:, 0, None], B[:, 0, :, None] * B[:, 1, None],
                      B[:, 1, :, None] * B[:, 1, None], B.mT @ turned[..., 2:]], axis=1)
    explained = (1 / det @ parts.reshape(J, -1)).reshape(len(T), 4, p + 1, p + 1)
    explained = (t.T[:, :, None, None] * explained).sum(axis=1)
    S = data.total - (explained + explained.mT) / 2
    log_det = np.log(np.multiply.reduceat(det, np.arange(0, J, 8), axis=1)).sum(axis=1)
    whole, fixed = (np.linalg.slogdet(part)[1] for part in (S, S[:, :p, :p]))
    return (data.n - p * reml) * (whole - fixed) + log_det + reml * fixed


def estimate(data, reml):
    """T, its Evaluation and its certificate for one response."""
    check_identified(data, reml)
    T, at, certificate = (proven if data.q == 1 else searched)(data, reml)
    if worst(certificate) >= certificate.tolerance:
        raise NotCertified(f"No certified minimum after {certificate.evaluations} evaluations of the deviance: it is "
                           f"{at.value:.6f}, {certificate}. Please report the data.")
    return T, at, certificate


def searched(data, reml):
    """The lowest of the minima that are found from `starts`."""
    L = starts(data, reml)
    T, at, certificate = minimise(data, reml, L)
    best = at.value.argmin()
    T, at = T[best], Evaluation(*(part[best] for part in at))
    figures = (part[best].item() for part in certificate[:5])
    return T, at, Certificate(*figures, starts=len(L), evaluations=certificate.evaluations)


def proven(data, reml):
    """The minimum with one variance ratio, and how far below it the deviance can be anywhere."""
    df = data.n - data.p * reml
    b = data.groups[:, 0, 1:]
    t, bound, evaluations = least(data.groups[:, 0, 0], b[:, :, None] * b[:, None, :], data.within, df, reml, TOLERANCE,
                                  EXACT**2 * data.total[-1, -1])
    if t == np.inf:
        raise ValueError(REPRODUCED)
    T = np.array([[t]])
    at = deviance(T, data, reml)
    below = at.value - (bound + df * (1 + np.log(2 * np.pi / df)))
    certificate = certify(T, at, data)[0]._replace(bound=max(below, 0.0), evaluations=evaluations)
    if abs(below) < 2 * certificate.tolerance:  # as a check of both, the bound is no higher either
        return T, at, certificate._replace(kind="proven")
    T, at, certificate = minimise(data, reml, np.sqrt(T)[None])
    return T[0], Evaluation(*(part[0] for part in at)), Certificate(
        *(part.item() for part in certificate[:5]), evaluations=evaluations + certificate.evaluations)
