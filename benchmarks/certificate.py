"""Feed the certificate with the end points of stock optimisers, and count what it refuses.

    python benchmarks/certificate.py [number of designs, default 80]

Each optimiser of SciPy minimises the deviance over the lower triangle of L with its default
tolerances, from lme4's start. The derivatives refuse an end point that is no local minimum; the
proof (one random effect) or the search of `estimate` refuse one that is not the lowest. Ends with an error when an end point more than 1e-4 log units
short of the best was accepted.
"""

import sys
import warnings

import numpy as np
import pandas as pd
from scipy.optimize import minimize
from simulated_designs import Design, design, engine, search

STOCK = {
    "Nelder-Mead": {}, "Powell": {}, "COBYQA": {}, "SLSQP": {}, "BFGS": {},
    "L-BFGS-B with bounds": {"bounds": True}, "L-BFGS-B with bounds, from 0": {"bounds": True, "start": 0.0},
}


def end_points(products, reml):
    """Yield each optimiser's name and the T at which it stops."""
    q = products.q
    rows, columns = np.tril_indices(q)

    def factor(theta):
        L = np.zeros((q, q))
        L[rows, columns] = theta
        return L

    def value(theta):
        L = factor(theta)
        try:
            return engine.deviance(L @ L.T, products, reml).value
        except np.linalg.LinAlgError:  # far away from any sensible T
            return 1e10

    diagonal = rows == columns
    for name, options in STOCK.items():
        start = np.where(diagonal, options.get("start", 1.0), 0.0)
        bounds = [(0, None) if on else (None, None) for on in diagonal] if options.get("bounds") else None
        theta = minimize(value, start, method=name.split(" ")[0], bounds=bounds).x
        yield name, factor(theta) @ factor(theta).T


def study(seeds):
    """A row for each end point: how far it is from the best, and whether it was refused."""
    rows = []
    for seed in seeds:
        data, formula, effects, _ = design(seed)
        products = engine.Products.of(Design.read(formula, data, "g", effects, None))
        for reml in (True, False):
            best = search.estimate(products, reml)[1].value
            for name, T in end_points(products, reml):
                at = engine.deviance(T, products, reml)
                certificate, _ = engine.certify(T, at, products)
                short = (at.value - best) / 2
                derivatives = engine.worst(certificate) >= certificate.tolerance
                rows.append({"optimiser": name, "short": short, "by derivatives": derivatives,
                             "refused": derivatives or short > 1e-6})
    return pd.DataFrame(rows)


def main(count):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # SciPy's optimisers try points without a deviance
        table = study(range(count))
    kinds = pd.cut(table.short, [-np.inf, 1e-9, 1e-6, 1e-4, np.inf],
                   labels=["within 1e-9", "to 1e-6", "to 1e-4", "more than 1e-4 short"])
    print(table.groupby(["optimiser", kinds], observed=False).refused.agg(["size", "sum"]).unstack().to_string())
    print(f"lowest end point below our minimum: {-table.short.min():.2g} log units")
    wrong = table[table.short > 1e-4]
    print(f"{len(wrong)} end points more than 1e-4 short, {int(wrong.refused.sum())} refused, "
          f"{int(wrong['by derivatives'].sum())} by the derivatives")
    return not wrong.refused.all()


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 80))
