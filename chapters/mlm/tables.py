"""Small tables of a fit, one row a coefficient or a quantile."""

import numpy as np
import pandas as pd

from .inference import r_squared, satterthwaite, variance_intervals


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


FIXED, RANDOM, QUALITY = "Fixed effects", "Variance components", "Fit"
QUALITIES = ["method", "observations", "groups", "parameters", "deviance", "AIC", "BIC",
             "R\u00b2 marginal", "R\u00b2 conditional"]


def model_table(fits, spread="se", level=0.95, digits=3):
    """One fit with its tests, or several side by side: parameters against models.

    Parameters
    ----------
    fits : MixedResults, or dict of str to MixedResults
        One fit gives a row a parameter with estimate, standard error, Satterthwaite's degrees
        of freedom, t and p; several give a column a model.
    spread : {"se", "interval"}
        What stands beside an estimate: its standard error, or its interval (Satterthwaite's for
        fixed effects; profile intervals for the random effects, whose standard deviations and
        correlations are shown then).
    level : float, default 0.95
        Of the intervals.
    digits : int, default 3
        Decimals of estimates.

    Returns
    -------
    pandas.DataFrame
        Text, with two levels of row labels: the part of the table (fixed effects, variance
        components, fit) and the parameter. Shown in a notebook, on the site and in the handout
        with the parts as headings. Standard errors of variances are left out for a singular fit.

    Raises
    ------
    ValueError
        `spread` is neither of the two, or there is nothing to show.
    """
    if spread not in ("se", "interval"):
        raise ValueError(f"spread is 'se' or 'interval', not {spread!r}.")
    one = not isinstance(fits, dict)
    if not one and not fits:
        raise ValueError("There is no fit to show.")
    columns = [_column(fit, spread, level, digits) for fit in ([fits] if one else fits.values())]
    rows = sorted(dict.fromkeys(key for column in columns for key in column), key=_place)  # else as they first appear
    if one:
        table = _tests(fits, columns[0], rows, spread, level, digits)
    else:
        table = pd.DataFrame({name: [" ".join(filter(None, column.get(row, ("", "")))) for row in rows]
                              for name, column in zip(fits, columns)})
    table.index = pd.MultiIndex.from_tuples(rows, names=["part", "parameter"])
    table.attrs["row_groups"] = True
    return table


def _column(fit, spread, level, digits):
    """Estimate and spread, as text, of each row of one model."""
    def number(value):
        return f"{value:.{digits}f}".replace("-", "\N{MINUS SIGN}")

    def both(estimate, low, high=None):
        if np.isnan(low):
            return number(estimate), ""
        return number(estimate), f"({number(low)})" if high is None else f"[{number(low)}, {number(high)}]"

    fixed, variances = fit.cov_fixed.index, fit.cov_variances
    if spread == "se":
        column = {(FIXED, name): both(fit.fe_params[name], fit.bse_fe[name]) for name in fixed}
        estimates = np.append(fit.tau[np.tril_indices(fit.k_re)], fit.scale)
        column |= {(RANDOM, _label(name)): both(*pair) for name, *pair in
                   zip(variances.index, estimates, np.sqrt(np.diag(variances)))}
    else:
        tests = satterthwaite(fit, level=level)
        column = {(FIXED, name): both(*tests.loc[name, ["estimate", "lower", "upper"]]) for name in fixed}
        column |= {(RANDOM, name): both(*row) for name, *row in variance_intervals(fit, level).itertuples()}
    shares = r_squared(fit)
    criteria = ["", ""] if fit.reml else [f"{fit.aic:.1f}", f"{fit.bic:.1f}"]
    quality = [fit.method, str(fit.nobs), str(len(fit.design.labels)), str(fit.k_fe + fit.k_re2 + 1),
               f"{-2 * fit.llf:.2f}", *criteria, f"{shares.marginal:.3f}", f"{shares.conditional:.3f}"]
    return column | {(QUALITY, name): (text, "") for name, text in zip(QUALITIES, quality) if text}


def _place(row):
    """Parts in their order, the residual variance last among the variances, the qualities as listed."""
    part, name = row
    return [FIXED, RANDOM, QUALITY].index(part), name.lower().endswith(("residual", "residual)")), \
        QUALITIES.index(name) if part == QUALITY else 0


def _label(name):
    """`Intercept Var` -> `var(Intercept)`, `Intercept x ses Cov` -> `cov(Intercept, ses)`."""
    *names, kind = name.split(" ")
    return f"{kind.lower()}({', '.join(part for part in names if part != 'x')})"


def _tests(fit, column, rows, spread, level, digits):
    """The table of one fit: estimate, spread, degrees of freedom, t and p in columns of their own."""
    tests = satterthwaite(fit, level=level)
    width = f"{100 * level:g} % interval"

    def row(key):
        estimate, beside = column[key]
        cells = {"estimate": estimate, "SE" if spread == "se" else width: beside.strip("()")}
        if key[0] != FIXED:
            return cells | dict.fromkeys(["df", "t", "p"], "")
        test = tests.loc[key[1]]
        return cells | {"df": f"{test.df:.1f}", "t": f"{test.t:.2f}".replace("-", "\N{MINUS SIGN}"), "p": p_value(test.p)}

    return pd.DataFrame([row(key) for key in rows])
