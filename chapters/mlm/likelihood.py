"""The likelihood of a two-level linear mixed model, and what certifies its minimum.

The model of group j is ``y_j = X_j g + Z_j u_j + r_j`` with ``u_j ~ N(0, s2 T)`` and
``r_j ~ N(0, s2 I)``. For a given T the best g and s2 follow in closed form, so the
deviance is a function of T alone (Bates, Maechler, Bolker & Walker, 2015, J. Stat. Softw.
67(1), sections 2 and 3). It needs the rows only through the cross-products Z'Z, Z'X and
Z'y of each group, and has simple first and second derivatives.

In the order of the code: `Products`, the data boiled down; `deviance` and its derivatives; `certify`.
"""

from collections import namedtuple
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

import numpy as np

from .formulas import listed

TOLERANCE = 1e-8  # deviance units by which a certified fit may still be improved
COLLINEAR = 1e-10  # share of a column's length left after the other columns explain it
EXACT = 1e-10  # share of the response's variance below which a residual counts as zero
UNIDENTIFIED = 1e-10  # information about one direction of T over that there would be without the others


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
    root_n = np.sqrt(len(matrix))
    if len(names) == 1:
        return matrix * (root_n / length), length[:, None] / root_n
    Q, R = np.linalg.qr(matrix / length)
    if R.size and np.abs(np.diag(R)).min() < COLLINEAR:
        weights = np.abs(np.linalg.svd(R)[2][-1])
        guilty = [name for name, weight in zip(names, weights) if weight > 1e-6]
        constant = f" ({guilty[-1]} is constant)" if len(guilty) == 2 and guilty[0] == "Intercept" else ""
        raise ValueError(f"The {what} columns {listed(guilty)} are collinear{constant}: leave one of them out.")
    Q *= root_n
    return Q, R * length / root_n


@dataclass
class Products:
    """What the deviance needs of the data; its size does not depend on the rows.

    X and Z are replaced by their Q factors, X'X = Z'Z = n I, and y by its OLS residuals
    divided by their standard deviation. So units and origins do not matter to what follows.
    Random effects without correlations are tied to their columns and to their origins: then
    Z is scaled alone.

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
    correlated : bool
        Whether T has covariances, or is diagonal.
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
    correlated: bool = True

    @classmethod
    def of(cls, design, correlated=True):
        (n, p), q = design.X.shape, design.Z.shape[1]
        X, Rx = orthonormal(design.X, design.fixed, "fixed-effects")
        Z, Rz = orthonormal(design.Z, design.random, "random-effects")
        if not correlated:
            length = np.sqrt(np.einsum("ij,ij->j", design.Z, design.Z) / n)
            Z, Rz = design.Z / length, np.diag(length)
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
        products = cls(sums, n * np.eye(p + 1), n, p, q, Rx, Rz, ols, unit, correlated)
        if q == 1 and products.within[p, p] < 1e-3 * n:  # a small difference of large sums: subtract in each row
            a, b = sums[:, 0, 0], sums[:, 0, 1:]
            slope = np.divide(b, a[:, None], where=a[:, None] > 0, out=np.zeros_like(b))
            rest = np.array(columns[1:]) - columns[0] * np.repeat(slope, np.diff(starts, append=n), axis=0).T
            products.within = rest @ rest.T
        return products

    @cached_property
    def within(self):
        """[X y]'[X y] within the groups, when each is free to have any effect, for q = 1."""
        a, b = self.groups[..., 0], self.groups[..., 0, 1:]
        return self.total - (b / np.maximum(a, 1e-300)).mT @ b

    def some(self, i):
        """These replicates (themselves, where all share one response)."""
        return self if self.groups.ndim == 3 else replace(self, groups=self.groups[i], total=self.total[i])

    @cached_property
    def free(self):
        """The elements of L, flattened, that may differ from 0."""
        return np.arange(self.q**2) if self.correlated else np.arange(self.q) * (self.q + 1)

    @cached_property
    def directions(self):
        """Orthonormal directions in which T can change, flattened, a row for each."""
        q, eye = self.q, np.eye(self.q)
        pairs = [(i, j) for i in range(q) for j in range(i + 1) if self.correlated or i == j]
        both = np.array([np.outer(eye[i], eye[j]) + np.outer(eye[j], eye[i]) for i, j in pairs]).reshape(-1, q * q)
        return both / np.linalg.norm(both, axis=1, keepdims=True)

    @cached_property
    def adjoint(self):
        """det A_j, (..., J), and adj(A_j) Z_j'[Z X y] of the groups, for q = 2."""
        A = adjugate(self.groups[..., :2])
        turned = A @ self.groups
        return turned[..., 0, 0], turned


# ------------------------------------------------------------ the deviance, and what to check of it

Evaluation = namedtuple("Evaluation", "value D K W v E coef r2 R")


def adjugate(matrices):
    """det(M) M^-1 of 2 x 2 matrices."""
    turned = -matrices
    turned[..., 0, 0], turned[..., 1, 1] = matrices[..., 1, 1], matrices[..., 0, 0]
    return turned


def solve(T, data):
    """(I + Z_j'Z_j T)^-1 Z_j'[Z X y] of each group, and the log determinants of what is inverted.

    For 2 x 2 matrices, adj(I + A T) = I + adj(T) adj(A): nothing is subtracted, and it is fast.
    """
    q, each = data.q, T[..., None, :, :]
    if q == 1:
        M = 1 + data.groups[..., :1] * each
        return data.groups / M, np.log(M[..., 0, 0])
    if q == 2:
        det_A, turned = data.adjoint
        turn = adjugate(T)
        det_T = T[..., 0, 0] * T[..., 1, 1] - T[..., 0, 1] * T[..., 1, 0]
        det = 1 + (data.groups[..., :2] * each).sum(axis=(-2, -1)) + det_T[..., None] * det_A
        return (data.groups + turn[..., None, :, :] @ turned) / det[..., None, None], np.log(det)
    M = np.eye(q) + data.groups[..., :q] @ each
    return np.linalg.solve(M, data.groups), np.log(np.linalg.det(M))


def profile(T, data, reml):
    """The deviance at T, with what it was computed from: M^-1 Z'[Z X y], coef, r2, R and R'^-1."""
    p, q, lead = data.p, data.q, T.shape[:-2]
    df, J = data.n - p * reml, data.groups.shape[-3]
    WC, log_det = solve(T, data)
    if q == 1:  # nothing is subtracted
        C = WC[..., 0, 1:]
        S = data.within + (C / np.maximum(data.groups[..., 0, :1], 1e-300)).mT @ data.groups[..., 0, 1:]
    else:
        explained = ((T[..., None, :, :] @ data.groups[..., q:]).reshape(*lead, J * q, p + 1).mT
                     @ WC[..., q:].reshape(*lead, J * q, p + 1))
        S = data.total - explained
    S = (S + S.mT) / 2
    R = np.linalg.cholesky(S)
    r2, R = R[..., p, p] ** 2, R[..., :p, :p]
    to_fixed = np.linalg.inv(R).mT
    coef = (to_fixed @ (to_fixed.mT @ S[..., :p, p:]))[..., 0]
    value = df * (1 + np.log(2 * np.pi * r2 / df)) + log_det.sum(axis=-1)
    if reml:
        value = value + 2 * np.log(np.diagonal(R, axis1=-2, axis2=-1)).sum(axis=-1)
    return value, WC, coef, r2, R, to_fixed


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
    p, q, lead = data.p, data.q, T.shape[:-2]
    df = data.n - p * reml
    value, WC, coef, r2, R, to_fixed = profile(T, data, reml)
    W, C = WC[..., :q], WC[..., q:]
    # columns E of the fixed effects, then v of the residuals
    combine = np.zeros((*lead, p + 1, p + 1))
    combine[..., :p, :p], combine[..., :p, p], combine[..., p, p] = to_fixed, -coef, 1
    combine[..., p] *= np.sqrt(df / r2)[..., None]
    F = C @ combine[..., None, :, :]
    counted = F if reml else F[..., p:]
    FF = counted @ counted.mT
    sums = products_of_sums(F)
    weight = np.full((p + 1, p + 1), float(reml))
    weight[p], weight[:, p], weight[p, p] = 1, 1, 1 / df
    K = pairs(2 * FF - W, W) - sums * weight.ravel() @ sums.mT
    symmetric = symmetrizer(q)
    return Evaluation(value, (W - FF).sum(axis=-3), symmetric @ K @ symmetric, W, F[..., p], F[..., :p], coef, r2, R)


def pairs(P, W):
    """Sum over the groups of tr(P_j dT W_j dT), as a quadratic form in dT."""
    *lead, J, q, _ = W.shape
    sums = P.reshape(*lead, J, q * q).mT @ W.reshape(*lead, J, q * q)
    return np.einsum("...abcd->...bcad", sums.reshape(*lead, q, q, q, q)).reshape(*lead, q * q, q * q)


def products_of_sums(F):
    """Sums over the groups of f_i f_k', for any two columns of F: shape (q², columns²)."""
    *lead, J, q, k = F.shape
    flat = F.reshape(*lead, J, q * k)
    return (flat.mT @ flat).reshape(*lead, q, k, q, k).swapaxes(-3, -2).reshape(*lead, q * q, k * k)


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


def newton_step(L, at, data):
    """Newton's step downhill in L, its squared decrement (twice the drop of the deviance that it predicts), the Hessian.

    Curvatures count by their size: a negative one belongs to a saddle, to be left in the
    direction of descent, and a zero one to a rotation of L, which changes nothing.
    """
    gradient, hessian = derivatives(L, at)
    gradient, hessian = gradient[..., data.free], hessian[..., data.free[:, None], data.free]
    curvature, axes = eigen(hessian)
    size = np.abs(curvature)
    slopes = (axes.mT @ gradient[..., None])[..., 0]
    steps = slopes / np.maximum(size, 1e-9 * size.max(axis=-1, keepdims=True) + 1e-300)
    step = np.zeros_like(L)
    step.reshape(*L.shape[:-2], -1)[..., data.free] = -(axes @ steps[..., None])[..., 0]
    return step, (slopes * steps).sum(axis=-1), hessian


def eigen(matrix):
    """`numpy.linalg.eigh`, at once for 1 x 1 matrices."""
    return (matrix[..., 0], np.ones_like(matrix)) if matrix.shape[-1] == 1 else np.linalg.eigh(matrix)


def root(T, floor=0.0):
    """A square root of T, eigenvalues below `floor` raised to it."""
    values, axes = eigen(T)
    return axes * np.sqrt(np.maximum(values, floor))[..., None, :]


def diagonal_root(T):
    return np.eye(T.shape[-1]) * np.sqrt(np.diagonal(T, axis1=-2, axis2=-1))[..., None]


# newton, boundary, saddle, eigenvalue, tolerance: see `certify`. kind: "proven" or "searched". bound: how
# far below the estimate's the deviance can lie anywhere, infinite for a search. starts, evaluations: of the search
Certificate = namedtuple(
    "Certificate", "newton boundary saddle eigenvalue tolerance kind bound starts evaluations",
    defaults=["searched", np.inf, 1, 1])


def worst(certificate):
    """The largest improvement that a certificate predicts."""
    return np.maximum(np.maximum(certificate.newton, certificate.boundary), certificate.saddle)


def certify(T, at, data):
    """By how much a further step could lower the deviance at T: the conditions for a local minimum.

    Returns
    -------
    Certificate
        ``newton``: half the squared Newton decrement in L. It vanishes at every stationary point,
        a bad one such as T = 0 included.
        ``boundary``: the drop predicted for more variance in the direction of the smallest
        eigenvalue of D, given as ``eigenvalue``. It vanishes only where D is positive
        semidefinite: the first-order condition for a minimum over all covariance
        matrices, singular ones included. (Without correlations: for the variance that gains
        most.)
        ``saddle``: the drop predicted for a step of a tenth of L in the direction of the most
        negative curvature, rotations of L apart. It vanishes only where no curvature is
        negative: the second-order condition.
        ``tolerance``: what the three have to stay below.
    aside : ndarray, shape (..., q, q)
        A square root from which to go on: of T with more variance, or off the saddle.
    """
    q, lead = data.q, T.shape[:-2]
    square_root = root if data.correlated else diagonal_root
    L = square_root(T)
    _, newton, hessian = newton_step(L, at, data)
    values, axes = eigen(at.D if data.correlated else at.D * np.eye(q))
    lowest, axis = np.minimum(values[..., 0], 0), axes[..., 0]
    size = ((at.W @ axis[..., None, :, None])[..., 0] * axis[..., None, :]).sum(axis=-1) ** 2
    more = -lowest / size.sum(axis=-1)
    off = more[..., None, None] * axis[..., :, None] * axis[..., None, :]

    if data.correlated and q > 1:  # weigh down rotations of L, which change nothing whatever their curvature
        turns = (L[..., None, :, :] @ rotations(q)).reshape(*lead, -1, q * q)
        weight = np.linalg.norm(hessian, axis=(-2, -1)) / np.maximum((L * L).sum(axis=(-2, -1)), 1e-300)
        hessian = hessian + weight[..., None, None] * (turns.mT @ turns)
    curvature, axes = eigen(hessian)
    step = 0.1 * np.linalg.norm(L, axis=(-2, -1))
    bent = np.zeros_like(L)
    bent.reshape(*lead, -1)[..., data.free] = step[..., None] * axes[..., 0]
    saddle = np.maximum(-curvature[..., 0], 0) * step**2 / 2
    certificate = Certificate(newton / 2, -lowest * more / 2, saddle, values[..., 0], TOLERANCE + rounding(at, data))
    edge = (certificate.boundary >= certificate.tolerance)[..., None, None]
    bend = (saddle >= certificate.tolerance)[..., None, None]
    return certificate, np.where(edge, square_root(T + off), np.where(bend, L + bent, L))


@lru_cache
def rotations(q):
    """The antisymmetric q x q matrices with two entries."""
    eye = np.eye(q)
    return np.array([np.outer(eye[i], eye[j]) - np.outer(eye[j], eye[i]) for i in range(q) for j in range(i)])


def rounding(at, data):
    """Digits that the deviance loses: the residual sum of squares r2 is a difference of sums.

    With one random effect these are no larger than y'V^-1 y, with more they are y'y; of these, 1e-14
    is allowed for, some 45 units in the last place.
    """
    explained = ((at.R.mT @ at.coef[..., None]) ** 2).sum(axis=(-2, -1))
    return 1e-14 * data.n * ((at.r2 + explained if data.q == 1 else data.total[..., -1, -1]) / at.r2)


def reproduced(r2, data):
    """Whether the residuals are nothing, or so small beside the response that rounding hides them."""
    return r2 < (EXACT**2 if data.q == 1 else EXACT) * data.total[..., -1, -1]


Certificate.__doc__ = """What was checked at the optimum of a fit, in deviance units.

    Attributes
    ----------
    newton : float
        By how much Newton's next step would lower the deviance.
    boundary : float
        By how much more variance in the best direction would lower it.
    saddle : float
        By how much a step in the direction of the most negative curvature would lower it.
    eigenvalue : float
        The smallest eigenvalue of the deviance's gradient in the covariance matrix.
    tolerance : float
        What `newton`, `boundary` and `saddle` have to stay below.
    kind : str
        ``"proven"`` or ``"searched"``: whether a bound shows that no other point is better.
    bound : float
        How far below that of the estimate the deviance can lie anywhere; infinite for a search.
    starts : int
        How many searches there were.
    evaluations : int
        How often the deviance was computed.

    Examples
    --------
    >>> import mlm
    >>> certificate = mlm.mixedlm("mathach ~ ses", mlm.load_hsb(), groups="schid").certificate
    >>> bool(certificate.newton < certificate.tolerance)
    True
    """
