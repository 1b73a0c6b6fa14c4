"""The likelihood of a two-level linear mixed model, its minimum, and what certifies it.

The model of group j is ``y_j = X_j g + Z_j u_j + r_j`` with ``u_j ~ N(0, s2 T)`` and
``r_j ~ N(0, s2 I)``. For a given T the best g and s2 follow in closed form, so the
deviance is a function of T alone (Bates, Maechler, Bolker & Walker, 2015, J. Stat. Softw.
67(1), sections 2 and 3). It needs the rows only through the cross-products Z'Z, Z'X and
Z'y of each group, and has simple first and second derivatives.

In the order of the code: `Products`, the data boiled down; `deviance` and its derivatives;
`minimise` (Newton's method), `certify` and `estimate`, which does both or raises.
"""

from collections import namedtuple
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from .design import listed

TOLERANCE = 1e-8  # deviance units by which a certified fit may still be improved
COLLINEAR = 1e-10  # share of a column's length left after the other columns explain it
EXACT = 1e-10  # share of the response's variance below which a residual counts as zero
UNIDENTIFIED = 1e-10  # information about one direction of T over that about the best known one


class NotCertified(RuntimeError):
    """No point was found that passes the checks of `certify`; the message has the figures.

    Examples
    --------
    >>> import mlm
    >>> issubclass(mlm.NotCertified, RuntimeError)
    True
    """


# ------------------------------------------------------------------ the data, boiled down


def orthonormal(matrix, names, what):
    """Thin QR factors of `matrix`, the columns of Q scaled to length sqrt(n).

    Raises ValueError with the names of the columns that depend on each other.
    """
    length = np.sqrt(np.einsum("ij,ij->j", matrix, matrix))
    if not length.all():
        raise ValueError(f"The {what} column {names[np.argmin(length)]!r} is zero in every row.")
    Q, R = np.linalg.qr(matrix / length)
    if R.size and np.abs(np.diag(R)).min() < COLLINEAR:
        weights = np.abs(np.linalg.svd(R)[2][-1])
        guilty = [name for name, weight in zip(names, weights) if weight > 1e-6]
        constant = f" ({guilty[-1]} is constant)" if len(guilty) == 2 and guilty[0] == "Intercept" else ""
        raise ValueError(f"The {what} columns {listed(guilty)} are collinear{constant}: leave one of them out.")
    root_n = np.sqrt(len(matrix))
    Q *= root_n
    return Q, R * length / root_n


@dataclass
class Products:
    """What the deviance needs of the data; its size does not depend on the rows.

    X and Z are replaced by their Q factors, X'X = Z'Z = n I, and y by its OLS residuals
    divided by their standard deviation. So units and origins do not matter to what follows.

    Attributes
    ----------
    groups : ndarray, shape (..., J, q, q + p + 1)
        Z'[Z X y] of each group. The leading axis, if any, counts replicates of y.
    total : ndarray, shape (..., p + 1, p + 1)
        [X y]'[X y] of all rows.
    n, p, q : int
        Rows, fixed effects, random effects.
    Rx, Rz : ndarray, shapes (p, p), (q, q)
        The way back: the columns of the data are Q times these.
    ols : ndarray, shape (p,)
        OLS coefficients of the Q factor of X.
    unit : float
        Standard deviation of the OLS residuals, in units of the response.
    """

    groups: np.ndarray
    total: np.ndarray
    n: int
    p: int
    q: int
    Rx: np.ndarray
    Rz: np.ndarray
    ols: np.ndarray
    unit: float

    @classmethod
    def of(cls, design):
        (n, p), q = design.X.shape, design.Z.shape[1]
        X, Rx = orthonormal(design.X, design.fixed, "fixed-effects")
        Z, Rz = orthonormal(design.Z, design.random, "random-effects")
        ols = X.T @ design.y / n
        residual = design.y - X @ ols
        unit = np.sqrt(residual @ residual / n)
        if unit <= EXACT * np.sqrt(design.y @ design.y / n):
            raise ValueError(f"The response {design.response!r} is constant, or the fixed effects reproduce it "
                             "exactly: nothing is left for the variances.")
        columns = [*Z.T, *X.T, residual / unit]
        codes = design.codes
        if (codes[1:] < codes[:-1]).any():
            order = np.argsort(codes, kind="stable")
            columns, codes = [column[order] for column in columns], codes[order]
        starts = np.searchsorted(codes, np.arange(len(design.labels)))
        sums = np.empty((len(starts), q, q + p + 1))
        for a in range(q):
            for b in range(a, q + p + 1):
                sums[:, a, b] = np.add.reduceat(columns[a] * columns[b], starts)
                if b < q:
                    sums[:, b, a] = sums[:, a, b]
        return cls(sums, n * np.eye(p + 1), n, p, q, Rx, Rz, ols, unit)


# ------------------------------------------------------------ the deviance and its minimum

Evaluation = namedtuple("Evaluation", "value D K W v E coef r2 R")


def deviance(T, data, reml):
    """Profiled deviance (-2 log-likelihood) at T, with first and second derivatives.

    With ``V_j = I + Z_j T Z_j'`` and ``W_j = Z_j' V_j^-1 Z_j``, every derivative is a sum over
    groups of products of W_j, v_j = Z_j' V_j^-1 (residuals) and E_j = Z_j' V_j^-1 X_j.

    Parameters
    ----------
    T : ndarray, shape (..., q, q)
        Covariance matrix of the random effects over s2; one for each replicate.
    data : Products
    reml : bool

    Returns
    -------
    Evaluation
        ``value``; ``D`` (q, q), the gradient: d value = sum(D * dT); ``K`` (q², q²), the
        second derivatives: d2 value = dT.ravel() @ K @ dT.ravel() for symmetric dT; ``W``
        (J, q, q); ``v`` (J, q), for residuals over s; ``E`` (J, q, p), for X R'^-1; ``coef``
        (p,); ``r2``, the residual sum of squares; ``R`` (p, p), lower triangular with
        R R' = X'V^-1 X.
    """
    n, p, q = data.n, data.p, data.q
    df, J, lead = n - p * reml, data.groups.shape[-3], T.shape[:-2]
    each = T[..., None, :, :]
    M = np.eye(q) + data.groups[..., :q] @ each
    WC = np.linalg.solve(M, data.groups)
    W, C = WC[..., :q], WC[..., q:]
    explained = (each @ data.groups[..., q:]).reshape(*lead, J * q, p + 1).mT @ C.reshape(*lead, J * q, p + 1)
    S = data.total - (explained + explained.mT) / 2
    R = np.linalg.cholesky(S)
    r2, R = R[..., p, p] ** 2, R[..., :p, :p]
    to_fixed = np.linalg.inv(R).mT
    coef = (to_fixed @ (to_fixed.mT @ S[..., :p, p:]))[..., 0]
    value = df * (1 + np.log(2 * np.pi * r2 / df)) + np.log(np.linalg.det(M)).sum(axis=-1)
    value = value + 2 * reml * np.log(np.diagonal(R, axis1=-2, axis2=-1)).sum(axis=-1)

    weighted = np.sqrt(df / r2)[..., None, None]
    v = (C[..., p] - (C[..., :p] @ coef[..., None, :, None])[..., 0]) * weighted
    E = C[..., :p] @ to_fixed[..., None, :, :]
    vv, EE = v[..., :, None] * v[..., None, :], reml * E @ E.mT
    expected, observed = (W - EE).sum(axis=-3), vv.sum(axis=-3)

    vE = (v.mT @ E.reshape(*lead, J, q * p)).reshape(*lead, q * q, p)
    flat = observed.reshape(*lead, q * q, 1)
    K = pairs(2 * (vv + EE) - W, W) - reml * projected(E) - 2 * vE @ vE.mT - flat @ flat.mT / df
    symmetric = symmetrizer(q)
    return Evaluation(value, expected - observed, symmetric @ K @ symmetric, W, v, E, coef, r2, R)


def pairs(P, W):
    """Sum over the groups of tr(P_j dT W_j dT), as a quadratic form in dT."""
    *lead, J, q, _ = W.shape
    sums = P.reshape(*lead, J, q * q).mT @ W.reshape(*lead, J, q * q)
    return np.einsum("...abcd->...bcad", sums.reshape(*lead, q, q, q, q)).reshape(*lead, q * q, q * q)


def projected(E):
    """tr(H dT H dT) for H dT = sum of E_j' dT E_j: what estimating the fixed effects takes away."""
    *lead, J, q, p = E.shape
    flat = E.reshape(*lead, J, q * p)
    sums = (flat.mT @ flat).reshape(*lead, q, p, q, p).swapaxes(-3, -2).reshape(*lead, q * q, p * p)
    return sums @ sums.mT


def information(at, reml, df):
    """Expected second derivatives, as `Evaluation.K`."""
    EE = reml * at.E @ at.E.mT
    flat = (at.W - EE).sum(axis=0).reshape(-1, 1)
    matrix = pairs(at.W - 2 * EE, at.W) + reml * projected(at.E) - flat @ flat.T / df
    symmetric = symmetrizer(at.W.shape[-1])
    return symmetric @ matrix @ symmetric


@lru_cache
def symmetrizer(q):
    """The projection of vectorised q x q matrices on the symmetric ones."""
    eye = np.eye(q * q).reshape(q, q, q, q)
    return ((eye + eye.transpose(1, 0, 2, 3)) / 2).reshape(q * q, q * q)


def derivatives(L, at):
    """Gradient and Hessian of the deviance in L, any square root of T = L L', flattened.

    Signs and rotations of L do not matter: ``d value = sum(D * (dL L' + L dL'))`` makes the
    gradient 2 D L, also where an element on the diagonal of L is negative.
    """
    q, lead = L.shape[-1], L.shape[:-2]
    first = np.einsum("...abcd,...bk,...dl->...akcl", at.K.reshape(*lead, q, q, q, q), L, L)
    second = at.D[..., :, None, :, None] * np.eye(q)[:, None, :]
    return 2 * (at.D @ L).reshape(*lead, q * q), (4 * first + 2 * second).reshape(*lead, q * q, q * q)


def newton_step(gradient, hessian):
    """Newton's step downhill, and its decrement (twice the drop of the deviance it predicts).

    Curvatures count by their size: a negative one belongs to a saddle, to be left in the
    direction of descent, and a zero one to a rotation of L, which changes nothing.
    """
    curvature, axes = np.linalg.eigh(hessian)
    size = np.abs(curvature)
    slopes = (axes.mT @ gradient[..., None])[..., 0]
    steps = slopes / np.maximum(size, 1e-9 * size.max(axis=-1, keepdims=True) + 1e-300)
    return -(axes @ steps[..., None])[..., 0], (slopes * steps).sum(axis=-1)


def root(T, floor=0.0):
    """A square root of T, eigenvalues below `floor` raised to it."""
    values, axes = np.linalg.eigh(T)
    return axes * np.sqrt(np.maximum(values, floor))[..., None, :]


def start(data, reml):
    """A first L: one step of Fisher's scoring from the T that makes group means half reliable.

    Raises ValueError if the information says that T cannot be identified: the random
    effects, or the fixed effects of REML, leave directions of T that change nothing.
    """
    q = data.q
    middle = np.eye(q) * data.groups.shape[-3] / data.n
    at = deviance(middle, data, reml)
    known, axes = np.linalg.eigh(information(at, reml, data.n - reml * data.p))
    known, axes = (part[..., q * (q - 1) // 2 :] for part in (known, axes))  # without antisymmetric dT
    if known[0] < UNIDENTIFIED * known[-1]:
        raise ValueError("The data cannot tell the variances and covariances of the random effects apart: different "
                         "ones fit equally well. Leave out a random effect that varies too little within or between "
                         "groups, or a fixed effect that already tells the groups apart.")
    step = axes @ ((axes.T @ at.D.ravel()) / known)
    return root(middle - step.reshape(q, q), floor=0.1 * middle[0, 0])


Certificate = namedtuple("Certificate", "newton boundary eigenvalue tolerance starts evaluations", defaults=[1, None])


def certify(T, at, data):
    """By how much a further step could lower the deviance at T.

    Returns
    -------
    Certificate
        ``newton``: half the Newton decrement in L. It vanishes at every stationary point,
        a bad one such as T = 0 included.
        ``boundary``: the drop predicted for more variance in the direction of the smallest
        eigenvalue of D, given as ``eigenvalue``. It vanishes only where D is positive
        semidefinite: the first-order condition for a minimum over all covariance
        matrices, singular ones included.
        ``tolerance``: what both have to stay below.
    off : ndarray, shape (..., q, q)
        The variance to add for the drop at the boundary.
    """
    newton = newton_step(*derivatives(root(T), at))[1] / 2
    values, axes = np.linalg.eigh(at.D)
    lowest, axis = np.minimum(values[..., 0], 0), axes[..., 0]
    size = ((at.W @ axis[..., None, :, None])[..., 0] * axis[..., None, :]).sum(axis=-1) ** 2
    more = -lowest / size.sum(axis=-1)
    off = more[..., None, None] * axis[..., :, None] * axis[..., None, :]
    return Certificate(newton, -lowest * more / 2, values[..., 0], TOLERANCE + rounding(at, data)), off


def rounding(at, data):
    """Digits that the deviance loses: the residual sum of squares is a difference of sums."""
    return 1e-14 * data.n * data.total[..., -1, -1] / at.r2


Certificate.__doc__ = """What was checked at the optimum of a fit, in deviance units.

    Attributes
    ----------
    newton : float
        By how much Newton's next step would lower the deviance.
    boundary : float
        By how much more variance in the best direction would lower it.
    eigenvalue : float
        The smallest eigenvalue of the deviance's gradient in the covariance matrix.
    tolerance : float
        What `newton` and `boundary` have to stay below.
    starts, evaluations : int
        How many searches there were, and how often the deviance was computed.

    Examples
    --------
    >>> import mlm
    >>> certificate = mlm.mixedlm("mathach ~ ses", mlm.load_hsb(), groups="schid").certificate
    >>> bool(certificate.newton < certificate.tolerance)
    True
    """


def minimise(data, reml, L, steps=200):
    """Minimise the deviance over T = L L', for each replicate.

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
    at, evaluations, shrink = deviance(L @ L.mT, data, reml), 1, np.ones(len(L))
    for last in [False] * (steps - 1) + [True]:
        step, decrement = newton_step(*derivatives(L, at))
        step = step.reshape(L.shape)
        length, longest = (np.linalg.norm(matrix, axis=(-2, -1)) for matrix in (step, 2 * L))
        part = shrink * np.minimum(1, longest / np.maximum(length, 1e-300))
        step *= part[:, None, None]
        trial = deviance((L + step) @ (L + step).mT, data, reml)
        evaluations += 1
        if (trial.r2 < EXACT * data.total[..., -1, -1]).any():
            raise ValueError("The random effects reproduce the response exactly: the residual variance is zero. "
                             "Is the response constant within groups?")
        lower = trial.value <= at.value - 1e-4 * part * decrement + 1e-9 + rounding(trial, data)
        L, at = choose(lower, L + step, L), Evaluation(*map(choose, [lower] * len(at), trial, at))
        shrink = np.where(lower, 1, shrink / 4)
        if last or (decrement < TOLERANCE + rounding(at, data)).all():
            certificate, off = certify(L @ L.mT, at, data)
            short = certificate.boundary >= certificate.tolerance
            if last or not (short | (certificate.newton >= certificate.tolerance)).any():
                return L @ L.mT, at, certificate._replace(evaluations=evaluations)
            L = choose(short, root(L @ L.mT + off), L)  # step off the boundary
            at = deviance(L @ L.mT, data, reml)


def choose(which, new, old):
    """`new` where `which` is true, for arrays whose first axis counts replicates."""
    return new if which.all() else np.where(which.reshape(-1, *[1] * (new.ndim - 1)), new, old)


def estimate(data, reml):
    """T, its Evaluation and its certificate for one response.

    With few groups the deviance can have several minima: of 1438 fits of designs with 4 to
    60 groups 25 had, none of them with 30 groups or more for each random effect. Below that
    number the search is repeated from 24 scattered points (the same for the same data).
    """
    L = start(data, reml)[None]
    J, q = len(data.groups), data.q
    if J < 30 * q:
        rng = np.random.default_rng(0)
        scattered = rng.normal(size=(24, q, q)) * np.exp(1.5 * rng.normal(size=(24, 1, 1)))
        L = np.concatenate([L, scattered * np.sqrt(J / data.n)])
    T, at, certificate = minimise(data, reml, L)
    best = at.value.argmin()
    T, at = T[best], Evaluation(*(part[best] for part in at))
    certificate = Certificate(*(part[best].item() for part in certificate[:4]), len(L), certificate.evaluations + 1)
    if max(certificate.newton, certificate.boundary) >= certificate.tolerance:
        raise NotCertified(f"No certified minimum after {certificate.evaluations} evaluations of the deviance: it is "
                           f"{at.value:.6f}, {certificate}. Please report the data.")
    return T, at, certificate
