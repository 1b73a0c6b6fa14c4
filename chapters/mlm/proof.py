"""A proof that a deviance with one variance ratio is nowhere lower than at the estimate.

With one random effect the profiled deviance is a function of t = tau / sigma2 alone. In the
coordinates in which the random part of the residual contrasts is diagonal, with variances
1 + t l_i and squared contrasts h_i, it is (Patterson & Thompson, 1971, Biometrika 58(3))

    f(t) = C(t) + G(t),    C = df log r2(t),    r2 = sum h_i / (1 + t l_i),

and G is the sum of log(1 + t l_i) for REML, of log(1 + t a_j) over the groups for ML. So

- C is convex: each 1 / (1 + t l_i) is log-convex, and so is a sum of log-convex functions;
  it lies above its tangents;
- G is concave and rises; between two points it lies above its chord;
- r2 falls, r2'' falls, C' rises and G'' rises, which bounds f'' on an interval from its ends.

The coordinates themselves are never computed: r2, G and their derivatives follow from the
cross-products of the groups.
"""

import numpy as np

# Where f is evaluated first, in units of the ratio that makes the mean of an average group half reliable
GRID = np.append(0, np.geomspace(1e-2, 1e3, 32))
# Then round an estimate, in units of the width within which f'' is sure to be positive
LADDER = np.array([-8, -5, -3.2, -2, -1.2, -0.6, -0.1, 0, 0.1, 0.6, 1.2, 2, 3.2, 5, 8])
ROUNDS = 60  # until the search for a proof is given up


def curve(t, a, count, B, within, df, reml):
    """The deviance (less a constant) at each t, its two parts and their derivatives.

    Parameters
    ----------
    t : ndarray, shape (k,)
    a, count : ndarray, shape (m,)
        The different values of Z_j'Z_j, and how many groups have each.
    B : ndarray, shape (m, p + 1, p + 1)
        Sum of their [X y]'Z Z'[X y].
    within : ndarray, shape (p + 1, p + 1)
        [X y]'[X y] less the sum of B / a: what is left when each group is free to have any effect.
    df : int
        n - p for REML, n for ML.
    reml : bool

    Returns
    -------
    ndarray, shape (9, k)
        t, f, f', f'', C, C', G, G'' and df r2''/r2.
    """
    p, k = len(within) - 1, len(t)
    u = 1 / (1 + np.multiply.outer(t, a))
    au = a * u
    weights = np.concatenate([u / a, -u * u, 2 * au * u * u])  # of B in S and its derivatives: nothing is subtracted
    S = (weights @ B.reshape(len(a), -1)).reshape(3, k, p + 1, p + 1)
    S[0] += within
    X = S[:, :, :p, :p]
    inverse = np.linalg.inv(X[0])
    e = np.ones((k, p + 1, 1))
    e[:, :p] = -inverse @ S[0, :, :p, p:]
    Se = S @ e
    r2, r21, r22 = (e.mT @ Se)[:, :, 0, 0]
    e1 = Se[1, :, :p]
    r22 -= 2 * (e1.mT @ inverse @ e1)[:, 0, 0]
    G, G1, G2 = -np.log(u) @ count, au @ count, -(au * au) @ count
    if reml and p:
        F = inverse @ X[1]
        G += np.linalg.slogdet(X[0])[1]
        G1 += np.einsum("kii->k", F)
        G2 += np.einsum("kii->k", inverse @ X[2] - F @ F)
    C, C1, bend = df * np.log(r2), df * r21 / r2, df * r22 / r2
    return np.array([t, C + G, C1 + G1, bend - C1 * C1 / df + G2, C, C1, G, G2, bend])


def lower_bounds(at, df):
    """What f can't fall below between neighboring points: from C's tangents and G's chord, and where
    f'' can't be negative from parabolas at both ends."""
    (ta, fa, fa1, _, Ca, Ca1, Ga, Ga2, _), (tb, fb, fb1, _, Cb, Cb1, Gb, _, bend) = at[:, :-1], at[:, 1:]
    width = tb - ta
    chord = (Gb - Ga) / width
    down, up = Ca1 + chord, Cb1 + chord
    meet = np.clip((Cb - Ca - Cb1 * width) / np.minimum(Ca1 - Cb1, -1e-300), 0, width)
    bound = np.where(down >= 0, fa, np.where(up <= 0, fb, fa + down * meet))
    curvature = bend * np.exp((Cb - Ca) / df) - Ca1 * Ca1 / df + Ga2
    double = 2 * np.where(curvature > 0, curvature, np.nan)
    convex = np.maximum(fa - np.minimum(fa1, 0) ** 2 / double, fb - np.maximum(fb1, 0) ** 2 / double)
    return np.fmax(bound, convex)


def least(a, B, within, df, reml, tolerance, exact):
    """The ratio t with the least deviance, and a bound that the deviance is nowhere below.

    Each round evaluates f within those intervals whose lower bound lies below the best value.
    Beyond the last point f is at least G there + df log r2(infinity).

    Parameters
    ----------
    a : ndarray, shape (J,)
        Z_j'Z_j of each group.
    B, within, df, reml
        As for `curve`, B for each group.
    tolerance : float
        When to stop: by how much f may be lower elsewhere.
    exact : float
        Where an r2 counts as 0.

    Returns
    -------
    t : float
        Infinite if r2 falls to 0 (`exact`) with t.
    bound : float
        Of df log r2 + G. It is minus infinity if the rounds did not suffice.
    evaluations : int
    """
    a, member, count = np.unique(a, return_inverse=True, return_counts=True)
    B = np.add.reduceat(B[np.argsort(member, kind="stable")], np.cumsum(count) - count)
    if a[0] == 0:  # these groups say nothing
        a, count, B = a[1:], count[1:], B[1:]
    known = a, count.astype(float), B, within, df, reml
    values, axes = np.linalg.eigh(within[:-1, :-1])
    # level-2 predictors have nothing left within: their eigenvalues are rounding errors
    r2 = within[-1, -1] - ((axes.T @ within[:-1, -1]) ** 2 / np.maximum(values, 1e-13 * count @ a)).sum()
    if r2 < exact:
        return np.inf, -np.inf, 0
    far = df * np.log(r2)
    at = curve(GRID * (count.sum() / (count @ a)), *known)
    for _ in range(ROUNDS):
        best = at[1].argmin()
        t, value, slope, curvature = at[:4, best]
        if t > 0 and curvature > 0 and slope * slope < 2e-6 * curvature:  # a last step of Newton's
            t, value = t - slope / curvature, value - slope * slope / (2 * curvature)
        bounds, tail = lower_bounds(at, df), at[6, -1] + far
        bound = min(bounds.min(), tail)
        if bound >= value - tolerance:
            return t, bound, at.shape[1]
        new = inside(at, bounds < value - tolerance, df)
        if tail < value - tolerance:
            new = np.append(new, at[0, -1] * np.array([4.0, 32.0]))
        at = np.concatenate([at, curve(new, *known)], axis=1)
        at = at[:, np.argsort(at[0], kind="stable")]
        at = at[:, np.append(True, at[0, 1:] > at[0, :-1])]
    return t, -np.inf, at.shape[1]


def inside(at, doubtful, df):
    """Where to evaluate f in the doubtful intervals: in the middle, or where a minimum is expected and round it."""
    t, _, slope, curvature, _, C1, _, G2, bend = at
    turns = doubtful & (slope[:-1] < 0) & (slope[1:] > 0)
    k = np.flatnonzero(doubtful & ~turns)
    a, b = t[k], t[k + 1]
    points = [np.where(4 * a < b, np.sqrt(a * b), (a + b) / 2)]
    for k in np.flatnonzero(turns):
        a, b = t[k : k + 2]
        ends = slope[k], slope[k + 1], curvature[k], curvature[k + 1]
        if a == 0:
            centre = b * crossing(b, *ends)
        else:  # in log t, in which f is smoother
            u, v, x, y = ends
            h = np.log(b / a)
            centre = a * np.exp(h * crossing(h, a * u, b * v, a * (a * x + u), b * (b * y + v)))
        near = k + (centre - a > b - centre)
        # f'' changes by at most this much with the relative change of t
        change = 3 * bend[near] + 2 * C1[near] ** 2 / df - 2 * G2[near]
        width = min(centre * max(curvature[near] / change, 0.01 * (b - a) / b), b - a)
        points.append(centre + width * LADDER)
    points = np.concatenate(points)
    points = points[(points > 0) & (points < t[-1])]
    return points[doubtful[np.searchsorted(t, points) - 1]]


def crossing(h, down, up, bend_a, bend_b):
    """Where in [0, h] the cubic with these values (of opposite sign) and slopes at its ends is zero, in units of h."""
    c, d = 3 * (up - down) - h * (2 * bend_a + bend_b), 2 * (down - up) + h * (bend_a + bend_b)
    x = down / (down - up)
    for _ in range(8):
        x = x - (((d * x + c) * x + h * bend_a) * x + down) / ((3 * d * x + 2 * c) * x + h * bend_a)
        if not 0 < x < 1:
            return 0.5
    return x
