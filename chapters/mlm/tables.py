"""Small tables of a fit, one row a coefficient or a quantile."""

import pandas as pd


def p_value(p):
    """A p value as APA style prints it: ``.012``, ``< .001``.

    Raises
    ------
    ValueError
        `p` is not a probability.
    """
    if not 0 <= p <= 1:
        raise ValueError(f"A p value lies between 0 and 1, this is {p}.")
    return "< .001" if p < 0.001 else f"{p:.3f}".removeprefix("0")


def coefficients(fit):
    """Estimates of a fitted model with standard errors and tests.

    Parameters
    ----------
    fit : result of a statsmodels regression
        Anything with ``params``, ``bse``, ``tvalues`` and ``pvalues``.

    Returns
    -------
    pandas.DataFrame
        Columns ``estimate``, ``SE``, ``t`` and ``p`` (text), a row a coefficient.
    """
    return pd.DataFrame({"estimate": fit.params, "SE": fit.bse, "t": fit.tvalues,
                         "p": fit.pvalues.map(p_value)}).rename_axis("coefficient")


def residual_quantiles(fit):
    """Minimum, quartiles and maximum of a fit's residuals, as R's ``summary`` heads its output.

    Returns
    -------
    pandas.DataFrame, one row
    """
    quantiles = fit.resid.quantile([0, 0.25, 0.5, 0.75, 1])
    quantiles.index = ["min", "1Q", "median", "3Q", "max"]
    return quantiles.to_frame("residuals").T


def compare(models):
    """Several multilevel models side by side, a column a model.

    Parameters
    ----------
    models : dict of str to result of ``mlm.mixedlm``

    Returns
    -------
    pandas.DataFrame
        Fixed effects with their standard errors in brackets, the variances and
        covariances of level 2, the residual variance and the deviance; text.
    """
    def column(fit):
        fixed = {name: f"{fit.fe_params[name]:.3f} ({fit.bse_fe[name]:.3f})" for name in fit.fe_params.index}
        tau = fit.cov_re
        random = {f"var({a})" if a == b else f"cov({b}, {a})": f"{tau.loc[a, b]:.3f}"
                  for i, a in enumerate(tau.index) for b in tau.columns[:i + 1]}
        return fixed, random, {"residual variance": f"{fit.scale:.3f}", "deviance": f"{-2 * fit.llf:.1f}"}

    columns = {name: column(fit) for name, fit in models.items()}
    order = list(dict.fromkeys(key for block in range(3) for parts in columns.values() for key in parts[block]))
    flat = {name: parts[0] | parts[1] | parts[2] for name, parts in columns.items()}
    return pd.DataFrame(flat).reindex(order).fillna("").rename_axis("parameter")
