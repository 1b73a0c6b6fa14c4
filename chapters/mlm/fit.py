"""Two-level linear mixed models: a fit that is certified, or an error.

The model of group j is ``y_j = X_j g + Z_j u_j + r_j`` with ``u_j ~ N(0, s2 T)`` and
``r_j ~ N(0, s2 I)``. For a given T the best g and s2 follow in closed form, so the
deviance is a function of T alone (Bates, Maechler, Bolker & Walker, 2015, J. Stat. Softw.
67(1), sections 2 and 3). It needs the rows only through the cross-products Z'Z, Z'X and
Z'y of each group, and has simple first and second derivatives.

In the order of the code: `Design`, what the formulas say; `Products`, the data boiled down;
`deviance` and its derivatives; `minimise` (Newton's method) and `certify`; `mixedlm` and
`MixedResults`, what the user sees.
"""

import copy
import re
import warnings
from collections import namedtuple
from dataclasses import dataclass
from functools import cached_property, lru_cache
from types import SimpleNamespace

import numpy as np
import pandas as pd
import patsy
from scipy import stats
from statsmodels.regression.mixed_linear_model import MixedLM, MixedLMParams, MixedLMResults
from statsmodels.stats.contrast import ContrastResults

TOLERANCE = 1e-8  # deviance units by which a certified fit may still be improved
COLLINEAR = 1e-10  # share of a column's length left after the other columns explain it
EXACT = 1e-10  # share of the response's variance below which a residual counts as zero
UNIDENTIFIED = 1e-10  # information about one direction of T over that about the best known one


class SingularFit(UserWarning):
    """The best fit lies on the boundary: a variance of 0 or a correlation of +-1."""


class MissingRows(UserWarning):
    """Rows with missing values were left out."""


class NotCertified(RuntimeError):
    """No point was found that passes the checks of `certify`; the message has the figures."""


# ------------------------------------------------------------------ what the formulas say

parse = lru_cache(maxsize=256)(patsy.ModelDesc.from_formula)


LME4_BAR = re.compile(r"(?<!\w)\([^()]*\|[^()]*\)|^[^()]*\|")  # `(1 | g)`, but not `I(a | b)`
ONE_GROUPING = "There is one grouping variable; three levels and crossed effects need another program."


def check_not_lme4(*formulas):
    """Refuse lme4's way to write random effects, which patsy would misread."""
    for text in filter(None, formulas):
        if LME4_BAR.search(text):
            raise ValueError(f"{text!r} names random effects as lme4 does. Here groups and what varies over them are "
                             f"arguments of their own, as in groups='school', re_formula='~ x'. {ONE_GROUPING}")


def listed(names):
    return ", ".join(map(str, names))


def check_text(terms, data):
    """Refuse text that patsy would take for categories although it holds numbers."""
    for name in {factor.name() for term in terms for factor in term.factors} & set(data.columns):
        if data[name].dtype.kind in "iuf" or not pd.api.types.infer_dtype(data[name]).startswith(("str", "mixed")):
            continue
        values = data[name].dropna()
        numbers = pd.to_numeric(values, errors="coerce")
        if numbers.notna().any():
            odd = values[numbers.isna()].iloc[0] if numbers.isna().any() else values.iloc[0]
            raise ValueError(f"Column {name!r} holds text ({odd!r}) where numbers belong. Convert it with "
                             f"pd.to_numeric, or write C({name}) if it names categories.")


def by_hand(terms, data):
    """Columns of a design of plain numeric columns and their products, or None.

    It gives what patsy gives, without the milliseconds that patsy takes.
    """
    factors = {factor.name() for term in terms for factor in term.factors}
    if not all(name in data.columns and isinstance(data[name].dtype, np.dtype) and data[name].dtype.kind in "iuf"
               for name in factors):
        return None
    values = {name: data[name].to_numpy(float) for name in factors}
    matrix = np.ones((len(data), len(terms)), order="F")
    for column, term in zip(matrix.T, terms):
        for factor in term.factors:
            column *= values[factor.name()]
    return [term.name() for term in terms], matrix, None


def by_patsy(description, data, env):
    """Names, columns (NaN where a value is missing) and patsy's memory of each side of a formula."""
    try:
        design = patsy.dmatrices if getattr(description, "lhs_termlist", None) else patsy.dmatrix
        parts = design(description, data.set_axis(range(len(data))), env, return_type="dataframe")
    except patsy.PatsyError as error:
        name = getattr(error.__cause__, "name", None)
        if name is None:
            raise ValueError(f"The formula cannot be evaluated: {error}") from error
        raise ValueError(f"{name!r} is neither a column nor a name in your session. "
                         f"The columns are: {listed(data.columns)}.") from None
    for part in parts if isinstance(parts, tuple) else (parts,):
        matrix = np.full((len(data), part.shape[1]), np.nan, order="F")
        matrix[part.index] = part
        yield list(part), matrix, part.design_info


@dataclass
class Design:
    """The rows that enter a fit: response y (n,), X (n, p), Z (n, q), their names and groups.

    ``codes`` (n,) count the groups from 0, ``labels`` are their names, ``index`` is the
    rows' index, ``data`` the data frame they come from, ``memory`` what patsy has to remember
    of X and Z (None where they were built by hand).
    """

    y: np.ndarray
    X: np.ndarray
    Z: np.ndarray
    response: str
    fixed: list
    random: list
    codes: np.ndarray
    labels: pd.Index
    index: pd.Index
    formula: str
    re_formula: str
    data: pd.DataFrame
    memory: tuple

    @classmethod
    def read(cls, formula, data, groups, re_formula, env):
        """Build both designs, leave out rows with missing values, refuse what cannot be used."""
        data = data if isinstance(data, pd.DataFrame) else pd.DataFrame(data)
        if data.empty:
            raise ValueError("The data frame is empty.")
        if isinstance(groups, str):
            if groups not in data.columns:
                raise ValueError(f"There is no column {groups!r} for the groups. "
                                 f"The columns are: {listed(data.columns)}.")
            groups = data[groups]
        elif isinstance(groups, pd.DataFrame) or isinstance(groups, (list, tuple)) and len(groups) < len(data):
            raise ValueError(f"The groups are one column, or a name for each of the {len(data)} rows; they have "
                             f"{len(list(groups))} entries. {ONE_GROUPING}")
        elif len(groups) != len(data):
            raise ValueError(f"The groups have {len(groups)} entries, the data {len(data)} rows.")
        codes, labels = pd.factorize(groups if hasattr(groups, "dtype") else np.asarray(groups), sort=True)

        check_not_lme4(formula, re_formula)
        left, right = (parse(text) for text in (formula, re_formula or "~ 1"))
        if len(left.lhs_termlist) != 1 or right.lhs_termlist:
            raise ValueError(f"The formula needs one response on its left, as in 'y ~ x' (it is {formula!r}), "
                             f"and that of the random effects none, as in '~ x' (it is {re_formula!r}).")
        check_text(left.lhs_termlist + left.rhs_termlist + right.rhs_termlist, data)
        sides = [by_hand(terms, data) for terms in (left.lhs_termlist, left.rhs_termlist)]
        (response, y, _), (fixed, X, remember_X) = by_patsy(left, data, env) if None in sides else sides
        if len(response) != 1:
            raise ValueError(f"The response {left.lhs_termlist[0].name()!r} holds categories; it must be numeric.")
        random, Z, remember_Z = by_hand(right.rhs_termlist, data) or next(by_patsy(right, data, env))
        if not random:
            raise ValueError("The formula of the random effects is empty: this is a regression without groups.")

        index = data.index
        if codes.min() < 0 or not all(np.isfinite(part.sum()) for part in (y, X, Z)):
            complete = codes >= 0
            for names, part in ((response, y), (fixed, X), (random, Z)):
                infinite = np.isinf(part).any(axis=0)
                if infinite.any():
                    raise ValueError(f"Column {names[np.argmax(infinite)]!r} has infinite values.")
                complete &= ~np.isnan(part).any(axis=1)
            kept, codes = np.unique(codes[complete], return_inverse=True)
            lost = [label for i, label in enumerate(labels.tolist()) if i not in set(kept)]
            warnings.warn(f"{(~complete).sum()} of {len(data)} rows have missing values and are left out"
                          + (f"; nothing is left of the groups {listed(lost)}" if lost else "") + ".",
                          MissingRows, stacklevel=3)
            y, X, Z, index, data = (part[complete] for part in (y, X, Z, index, data))
            labels = labels[kept]
        return cls(y[:, 0], X, Z, response[0], fixed, random, codes, labels, index, formula, re_formula or "~ 1", data,
                   (remember_X, remember_Z))

    def of_new(self, data):
        """X and Z of new rows, by the same formulas."""
        for text, memory in zip((self.formula, self.re_formula), self.memory):
            if memory is True:  # pickled: patsy builds its memory again, with the names np and pd alone
                env = patsy.EvalEnvironment([{"np": np, "pd": pd}])
                memory = list(by_patsy(parse(text), self.data, env))[-1][2]
            built = by_hand(parse(text).rhs_termlist, data) if memory is None else next(by_patsy(memory, data, 0))
            if built is None:
                raise ValueError(f"New rows need the numeric columns of {text!r}; they have {listed(data.columns)}.")
            yield built[1]

    def __getstate__(self):
        return self.__dict__ | {"memory": tuple(None if memory is None else True for memory in self.memory)}

    def check_sizes(self):
        """Refuse data with which nothing can be estimated, and say why."""
        n, p, q, J = *self.X.shape, self.Z.shape[1], len(self.labels)
        if J < 2:
            raise ValueError(f"The data have {J} group; how groups vary takes at least two.")
        if np.bincount(self.codes).max() == 1:
            raise ValueError("Every group has one row: the variance between groups cannot be told from the residual.")
        if n <= J * q:
            raise ValueError(f"{J} groups with {q} random effects each make {J * q} random effects, but there are "
                             f"only {n} rows: they cannot be told from the residuals. Leave out a random slope.")
        if n <= p + 1:
            raise ValueError(f"{p} fixed effects and the variances cannot be estimated from {n} rows.")


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


# ------------------------------------------------------------------ what the user sees


def mixedlm(formula, data, groups, re_formula=None, reml=True):
    """Fit a two-level linear mixed model, certified, or raise.

    Parameters
    ----------
    formula : str
        Response and fixed effects, as in statsmodels (patsy's formulas). It sees the
        columns of `data` and the names where `mixedlm` is called.
    data : pandas.DataFrame
        A row for each observation. Rows with missing values are left out, with a warning.
    groups : str or array_like
        The column that names each row's group, or the names themselves.
    re_formula : str, optional
        Random effects: ``"~ x"`` is an intercept and a slope, with their covariance;
        ``"~ 0 + x"`` a slope alone. By default a random intercept.
    reml : bool, default True
        Restricted maximum likelihood, or maximum likelihood.

    Returns
    -------
    MixedResults

    Raises
    ------
    ValueError
        Something can't be estimated from these data; says what, and what to do about it.
    NotCertified
        No point passed the checks of `certify`.

    Warns
    -----
    SingularFit
        The best fit has a variance of 0 or a correlation of +-1.
    MissingRows
        Rows were left out.
    """
    env = patsy.EvalEnvironment.capture(0, reference=1)
    design = Design.read(formula, data, groups, re_formula, env)
    design.check_sizes()
    products = Products.of(design)
    result = MixedResults(design, products, reml, *estimate(products, reml))
    if result.singular:
        warnings.warn(result.singular, SingularFit, stacklevel=2)
    return result


def lower_triangle(names):
    """Names of the variance parameters, in the order of statsmodels' summary."""
    return [f"{names[i]} Var" if i == j else f"{names[j]} x {names[i]} Cov"
            for i in range(len(names)) for j in range(i + 1)]


class MixedResults(MixedLMResults):
    """A fitted model, with the attributes and methods of statsmodels' `MixedLMResults`.

    What differs from statsmodels: the variances in `params`, `bse` and `conf_int()` are in
    the units of `cov_re` (statsmodels divides them by `scale`). Standard errors of the
    fixed effects are those of generalised least squares, as in lme4, HLM and SAS; those of
    the variances come from the observed information, and are not a number for a singular
    fit, where no normal theory holds. The random intercept is called Intercept, not Group.

    Attributes
    ----------
    singular : str
        Empty, or what makes the fit singular.
    certificate : Certificate
        What was checked at the optimum, see `certify`, and how often the deviance was computed.
    """

    llf = None  # set for each fit; statsmodels has a read-only property of this name

    def __init__(self, design, products, reml, T, at, certificate):
        self.design, self.products, self.reml, self.method = design, products, reml, "REML" if reml else "ML"
        self.T, self.at, self.certificate = T, at, certificate
        n, p, q = products.n, products.p, products.q
        self.df = n - p * reml
        self.scale = float(products.unit**2 * at.r2 / self.df)
        jacobian = 2 * self.df * np.log(products.unit) + 2 * reml * np.log(np.abs(np.diag(products.Rx))).sum()
        self.llf = float(-(at.value + jacobian) / 2)
        self.to_random = np.linalg.inv(products.Rz)
        tau = self.scale * self.to_random @ T @ self.to_random.T
        self.zero = np.diag(tau) < 1e-9 * self.scale * (self.to_random**2).sum(axis=1)
        tau[self.zero] = tau[:, self.zero] = 0
        self.tau = (tau + tau.T) / 2
        # what statsmodels' own methods look for
        self.k_fe, self.k_re, self.k_re2, self.k_vc = p, q, q * (q + 1) // 2, 0
        self.converged, self.nobs, self.df_resid, self._use_t = True, n, n - p, False
        self.vcomp, self.freepat, self.cov_pen, self._cache = np.array([]), None, None, {}
        self._data_attr, self._data_in_cache = [], []
        self.singular = self._singularity()

    def _singularity(self):
        eigenvalues = np.linalg.eigvalsh(self.T)
        if self.zero.any():
            names = listed(name for name, zero in zip(self.design.random, self.zero) if zero)
            return f"Singular fit: the best estimate of the variance of {names} is 0."
        if eigenvalues[0] > 1e-10 * eigenvalues[-1]:
            return ""
        if self.k_re == 2:
            sign = "+1" if self.tau[0, 1] > 0 else "-1"
            pair = " and ".join(self.design.random)
            return f"Singular fit: the best estimate of the correlation of {pair} is {sign}."
        return f"Singular fit: a combination of the random effects {listed(self.design.random)} has variance 0."

    # -- estimates

    @cached_property
    def fe_params(self):
        """Estimated fixed effects."""
        beta = np.linalg.solve(self.products.Rx, self.products.ols + self.products.unit * self.at.coef)
        return pd.Series(beta, index=self.design.fixed)

    @cached_property
    def cov_fixed(self):
        """Covariance matrix of the fixed effects by generalised least squares: s2 (X'V^-1 X)^-1."""
        half = np.linalg.inv(self.at.R.T @ self.products.Rx)
        return pd.DataFrame(self.scale * half @ half.T, index=self.design.fixed, columns=self.design.fixed)

    @cached_property
    def bse_fe(self):
        """Standard errors of the fixed effects."""
        return np.sqrt(pd.Series(np.diag(self.cov_fixed), index=self.design.fixed))

    @cached_property
    def cov_re(self):
        """Covariance matrix of the random effects (tau00, tau10, tau11 ...)."""
        return pd.DataFrame(self.tau, index=self.design.random, columns=self.design.random)

    @property
    def cov_re_unscaled(self):
        """`cov_re` over `scale`."""
        return self.cov_re / self.scale

    @cached_property
    def params(self):
        """Fixed effects, then the lower triangle of `cov_re`."""
        variances = pd.Series(self.tau[np.tril_indices(self.k_re)], index=lower_triangle(self.design.random))
        return pd.concat([self.fe_params, variances])

    # -- standard errors of the variances

    @cached_property
    def cov_variances(self):
        """Covariance matrix of the variance parameters, ``Residual Var`` (sigma2) last.

        The inverse of the observed information of the (restricted) likelihood in
        (tau, sigma2); not a number for a singular fit.
        """
        names = [*lower_triangle(self.design.random), "Residual Var"]
        covariance = np.full((len(names), len(names)), np.nan)
        if not self.singular:
            steps = np.array([*self._unit_steps(), -self.T / self.scale]).reshape(len(names), -1)
            # the profiled deviance has sigma2 at its best; this is what it costs to leave that
            observed = (self.at.v.T @ self.at.v).ravel()
            cost = steps @ observed / self.df
            cost[-1] += 1 / self.scale
            covariance = 2 * np.linalg.inv(steps @ self.at.K @ steps.T + self.df * np.outer(cost, cost))
        return pd.DataFrame(covariance, index=names, columns=names)

    def _unit_steps(self):
        """How T moves with each element of the lower triangle of `cov_re`, sigma2 fixed."""
        for i, j in zip(*np.tril_indices(self.k_re)):
            unit = np.zeros((self.k_re, self.k_re))
            unit[i, j] = unit[j, i] = 1 / self.scale
            yield self.products.Rz @ unit @ self.products.Rz.T

    @cached_property
    def bse_re(self):
        """Standard errors of the lower triangle of `cov_re`, in its units."""
        return np.sqrt(pd.Series(np.diag(self.cov_variances), index=self.cov_variances.index))[:-1]

    @cached_property
    def normalized_cov_params(self):
        """Covariance matrix of `params` over `scale`; fixed effects and variances are uncorrelated."""
        covariance = np.zeros((len(self.params), len(self.params)))
        covariance[: self.k_fe, : self.k_fe] = self.cov_fixed
        covariance[self.k_fe :, self.k_fe :] = self.cov_variances.iloc[:-1, :-1]
        return pd.DataFrame(covariance / self.scale, index=self.params.index, columns=self.params.index)

    @cached_property
    def bse(self):
        """Standard errors of `params`."""
        return pd.concat([self.bse_fe, self.bse_re])

    @cached_property
    def tvalues(self):
        """`params` over `bse`."""
        return self.params / self.bse

    @cached_property
    def pvalues(self):
        """Two-sided p values of the z tests of `params` against 0."""
        return pd.Series(2 * stats.norm.sf(np.abs(self.tvalues)), index=self.params.index)

    # -- what the groups and rows are predicted to be

    @cached_property
    def blups(self):
        """Predicted random effects: a data frame, a row for each group."""
        effects = np.sqrt(self.scale) * self.at.v @ self.T @ self.to_random.T
        effects[:, self.zero] = 0
        return pd.DataFrame(effects, index=self.design.labels, columns=self.design.random)

    @cached_property
    def blups_cov(self):
        """Their conditional covariance matrices given the estimates, shape (J, q, q)."""
        inner = self.T - self.T @ self.at.W @ self.T
        return self.scale * self.to_random @ inner @ self.to_random.T

    @cached_property
    def random_effects(self):
        """Predicted random effects (BLUPs): group -> Series."""
        return dict(zip(self.blups.index.tolist(), (row for _, row in self.blups.iterrows())))

    @cached_property
    def random_effects_cov(self):
        """Conditional covariance matrix of the random effects: group -> data frame."""
        names = self.design.random
        return {label: pd.DataFrame(matrix, index=names, columns=names)
                for label, matrix in zip(self.design.labels.tolist(), self.blups_cov)}

    @cached_property
    def fittedvalues(self):
        """X g + Z u: the fixed effects and the predicted random effects, for each row."""
        effects = (self.design.Z * self.blups.to_numpy()[self.design.codes]).sum(axis=1)
        return pd.Series(self.design.X @ self.fe_params.to_numpy() + effects, index=self.design.index)

    @cached_property
    def resid(self):
        """The response less `fittedvalues`."""
        return self.design.y - self.fittedvalues

    def predict(self, exog=None):
        """The fixed part X g, for the rows of the fit or for new data.

        `exog` is a data frame with the columns of the formula, or a matrix X.
        """
        if exog is None:
            return pd.Series(self.design.X @ self.fe_params.to_numpy(), index=self.design.index)
        if not isinstance(exog, pd.DataFrame):
            return np.asarray(exog) @ self.fe_params.to_numpy()
        return pd.Series(next(self.design.of_new(exog)) @ self.fe_params.to_numpy(), index=exog.index)

    # -- statsmodels' machinery

    def profile_re(self, *args, **kwargs):
        """Not available: statsmodels' version refits by its own optimiser."""
        raise NotImplementedError("Use mlm.inference.variance_intervals(fit) for profile intervals.")

    @cached_property
    def model(self):
        """statsmodels' own model object; built only when something asks for it."""
        design = self.design
        y = pd.Series(design.y, index=design.index, name=design.response)
        X, Z = (pd.DataFrame(part, index=design.index, columns=names)
                for part, names in ((design.X, design.fixed), (design.Z, design.random)))
        return MixedLM(y, X, np.asarray(design.labels)[design.codes], exog_re=Z)

    @property
    def params_object(self):
        """The parameters as statsmodels packs them, variances over `scale`."""
        return MixedLMParams.from_components(self.fe_params.to_numpy(), cov_re=self.cov_re_unscaled.to_numpy())

    def _plain(self):
        """A copy with arrays instead of labelled frames: what statsmodels' methods compute with."""
        plain = copy.copy(self)
        for name in ("params", "fe_params", "cov_re", "bse", "normalized_cov_params"):
            plain.__dict__[name] = getattr(self, name).to_numpy()
        return plain

    def _constraint(self, r_matrix):
        """Matrix and values of linear hypotheses about the fixed effects."""
        if not isinstance(r_matrix, (str, dict, tuple)):
            r_matrix = np.atleast_2d(r_matrix)
            if r_matrix.shape[1] == len(self.params) and not r_matrix[:, self.k_fe :].any():
                r_matrix = r_matrix[:, : self.k_fe]
        constraint = patsy.DesignInfo(self.design.fixed).linear_constraint(r_matrix)
        return constraint.coefs, constraint.constants.ravel()

    def t_test(self, r_matrix, cov_p=None, use_t=None):
        """Test linear hypotheses about the fixed effects: ``"ses = 2"``, or a matrix with p columns."""
        R, values = self._constraint(r_matrix)
        effect = R @ self.fe_params.to_numpy()
        sd = np.sqrt(np.diag(R @ (self.cov_fixed.to_numpy() if cov_p is None else cov_p) @ R.T))
        law = {"distribution": "t", "distargs": (self.df_resid,)} if use_t else {"distribution": "norm"}
        return ContrastResults(effect=effect, statistic=(effect - values) / sd, sd=sd, df_denom=self.df_resid, **law)

    def wald_test(self, r_matrix, *args, **kwargs):
        """Joint test of linear hypotheses about the fixed effects: ``"ses = 0, female = 0"``."""
        R, values = self._constraint(r_matrix)
        R = np.hstack([R, np.zeros((len(R), self.k_re2))])
        return super(MixedResults, self._plain()).wald_test((R, values), *args, **kwargs)

    def conf_int(self, alpha=0.05):
        """Normal-theory intervals of `params`; for variances a profile interval is better."""
        reach = stats.norm.ppf(1 - alpha / 2) * self.bse
        return pd.DataFrame({0: self.params - reach, 1: self.params + reach})

    def summary(self, yname=None, xname_fe=None, xname_re=None, title=None, alpha=0.05):
        """statsmodels' summary table, with right standard errors of the variances."""
        plain = self._plain()
        plain.bse = plain.bse / np.sqrt(self.scale)  # by which summary() multiplies
        plain.model = SimpleNamespace(  # what summary() reads of the model; the real one takes time
            endog_names=self.design.response, data=SimpleNamespace(param_names=list(self.params.index)),
            n_totobs=self.nobs, n_groups=len(self.design.labels),
            endog_li=[range(size) for size in np.bincount(self.design.codes)])
        return super(MixedResults, plain).summary(yname, xname_fe, xname_re, title, alpha)

    def __getstate__(self):
        return {name: value for name, value in self.__dict__.items() if name != "model"}
