"""Small tables of a fit, one row per coefficient or quantile."""

import numpy as np
import pandas as pd

from .checks import FIT, LEVEL, Domain, checked, one_of, whole
from .explained import r_squared
from .formats import decimals, p_value, share, text
from .inference import satterthwaite
from .intervals import variance_intervals

REGRESSION = Domain("a result of a statsmodels regression",
                    lambda value: all(hasattr(value, name) for name in ("params", "bse", "tvalues", "pvalues", "resid")),
                    TypeError)
FITS = Domain("a fit of mlm.mixedlm, or a list or a dict of at least one",
              lambda value: FIT.holds(value) or isinstance(value, (dict, list, tuple)) and len(value) > 0
              and all(map(FIT.holds, value.values() if isinstance(value, dict) else value)))


@checked(fit=REGRESSION)
def coefficients(fit):
    """Estimates of a fitted model with standard errors and tests.

    Parameters
    ----------
    fit : result of a statsmodels regression
        Anything with ``params``, ``bse``, ``tvalues``, ``pvalues`` and ``resid``.

    Returns
    -------
    pandas.DataFrame
        Columns ``estimate``, ``SE``, ``t`` and ``p`` (text), one row per coefficient.

    Raises
    ------
    TypeError
        `fit` has none of these.

    Examples
    --------
    >>> import mlm, statsmodels.formula.api as smf
    >>> mlm.coefficients(smf.ols("mathach ~ ses", mlm.load_hsb()).fit()).round(2)
                 estimate    SE       t       p
    coefficient
    Intercept       12.75  0.08  168.42  < .001
    ses              3.18  0.10   32.78  < .001
    """
    names = getattr(fit.params, "index", None)  # arrays, where the fit was of arrays
    columns = {"estimate": fit.params, "SE": fit.bse, "t": fit.tvalues, "p": fit.pvalues}
    table = pd.DataFrame({name: np.asarray(values) for name, values in columns.items()},
                         index=fit.model.exog_names if names is None else names)
    return table.assign(p=["" if np.isnan(p) else p_value(p) for p in table["p"]]).rename_axis("coefficient")


@checked(fit=REGRESSION)
def residual_quantiles(fit):
    """Minimum, quartiles and maximum of a fit's residuals, as R's ``summary`` heads its output.

    Parameters
    ----------
    fit : result of a statsmodels regression

    Returns
    -------
    pandas.DataFrame, one row
        ``min``, ``1Q``, ``median``, ``3Q`` and ``max``, in units of the response.

    Raises
    ------
    TypeError
        `fit` has no residuals.

    Examples
    --------
    >>> import mlm, statsmodels.formula.api as smf
    >>> mlm.residual_quantiles(smf.ols("mathach ~ ses", mlm.load_hsb()).fit()).round(1)
                min   1Q  median   3Q   max
    residuals -19.4 -4.8     0.2  5.1  15.9
    """
    quantiles = pd.Series(np.asarray(fit.resid)).quantile([0, 0.25, 0.5, 0.75, 1])
    quantiles.index = ["min", "1Q", "median", "3Q", "max"]
    return quantiles.to_frame("residuals").T


FIXED, RANDOM, QUALITY = "Fixed effects", "Variance components", "Fit"
RESIDUAL = {"se": "var(Residual)", "interval": "sd residual"}
QUALITIES = ["method", "observations", "groups", "parameters", "deviance", "AIC", "BIC",
             "R\u00b2 marginal", "R\u00b2 conditional"]


@checked(fits=FITS, spread=one_of("se", "interval"), level=LEVEL, digits=whole(0))
def model_table(fits, spread="se", level=0.95, digits=3):
    """One fit with its tests, or several side by side: parameters against models.

    Parameters
    ----------
    fits : MixedResults, or dict of str to MixedResults, or list of MixedResults
        One fit gives one row per parameter with estimate, standard error, Satterthwaite's degrees
        of freedom, t and p. Several give one column per model, each cell with the estimate and, in
        parentheses, its standard error, or in brackets its interval; those of a list are called
        Model 1, Model 2 and so on.
    spread : {"se", "interval"}
        What stands beside an estimate: its standard error, or its interval (Satterthwaite's for
        fixed effects; profile intervals for the random effects, whose standard deviations and
        correlations are shown then).
    level : float, default 0.95
        Of the intervals, between 0 and 1.
    digits : int, default 3
        Decimals of estimates; more where the spread would have fewer than two significant digits.

    Returns
    -------
    pandas.DataFrame
        Text, with two levels of row labels: the part of the table (fixed effects, variance
        components, fit) and the parameter. Shown in a notebook, on the site and in the handout
        with the parts as headings. Standard errors of variances are left out for a singular fit.
        p values, correlations and R2 have no zero before the point, as in APA style.

    Raises
    ------
    ValueError
        `spread` is neither of the two, or there is nothing to show.

    Examples
    --------
    >>> import mlm
    >>> hsb = mlm.load_hsb()
    >>> null = mlm.mixedlm("mathach ~ 1", hsb, groups="schid")
    >>> ses = mlm.mixedlm("mathach ~ ses", hsb, groups="schid")
    >>> mlm.model_table({"null": null, "SES": ses}).loc["Fixed effects"]
                             null             SES
    estimate (SE)
    Intercept      12.637 (0.244)  12.657 (0.188)
    ses                             2.390 (0.106)
    """
    one = FIT.holds(fits)
    if isinstance(fits, (list, tuple)):
        fits = {f"Model {number}": fit for number, fit in enumerate(fits, start=1)}
    columns = [_column(fit, spread, level, digits) for fit in ([fits] if one else fits.values())]
    rows = sorted(dict.fromkeys(key for column in columns for key in column), key=_place)  # else as they first appear
    if one:
        table = _tests(fits, columns[0], rows, spread, level, digits)
    else:
        table = pd.DataFrame({name: [" ".join(filter(None, column.get(row, ("", "")))) for row in rows]
                              for name, column in zip(fits, columns)})
    # the corner of several models says what stands beside the estimates
    corner = "parameter" if one else "estimate (SE)" if spread == "se" else f"estimate [{_width(level)}]"
    table.index = pd.MultiIndex.from_tuples(rows, names=["part", corner])
    table.attrs["row_groups"] = True
    return table


def _column(fit, spread, level, digits):
    """Estimate and spread, as text, of each row of one model."""
    def both(estimate, low, high=None, write=text):
        spread = low if high is None else (high - low) / 2
        places = decimals(estimate if np.isnan(spread) else spread, digits)
        estimate, low, high = (None if value is None else write(value, places) for value in (estimate, low, high))
        return estimate, "" if np.isnan(spread) else f"({low})" if high is None else f"[{low}, {high}]"

    fixed, names = fit.cov_fixed.index, fit.design.random
    if spread == "se":
        column = {(FIXED, name): both(fit.fe_params[name], fit.bse_fe[name]) for name in fixed}
        estimates = np.append(fit.tau[fit.elements], fit.scale)
        labels = [f"var({names[i]})" if i == j else f"cov({names[j]}, {names[i]})"
                  for i, j in zip(*fit.elements)] + [RESIDUAL["se"]]
        column |= {(RANDOM, label): both(*pair) for label, *pair in
                   zip(labels, estimates, np.sqrt(np.diag(fit.cov_variances)))}
    else:
        tests = satterthwaite(fit, level=level)
        column = {(FIXED, name): both(*tests.loc[name, ["estimate", "lower", "upper"]]) for name in fixed}
        column |= {(RANDOM, name): both(*row, write=share if name.startswith("cor ") else text)
                   for name, *row in variance_intervals(fit, level).itertuples()}
    shares = r_squared(fit)
    criteria = ["", ""] if fit.reml else [f"{fit.aic:.1f}", f"{fit.bic:.1f}"]
    quality = [fit.method, str(fit.nobs), str(len(fit.design.labels)), str(fit.k_fe + fit.k_re2 + 1),
               f"{-2 * fit.llf:.2f}", *criteria, *(share(r2, 3) for r2 in shares)]
    return column | {(QUALITY, name): (text, "") for name, text in zip(QUALITIES, quality) if text}


def _place(row):
    """Parts in their order, the residual variance last among the variances, the qualities as listed."""
    part, name = row
    return [FIXED, RANDOM, QUALITY].index(part), part == RANDOM and name in RESIDUAL.values(), \
        QUALITIES.index(name) if part == QUALITY else 0


def _width(level):
    return f"{100 * level:g} % interval"


def _tests(fit, column, rows, spread, level, digits):
    """The table of one fit: estimate, spread, degrees of freedom, t and p in columns of their own."""
    tests = satterthwaite(fit, level=level)
    def row(key):
        estimate, beside = column[key]
        cells = {"estimate": estimate, "SE" if spread == "se" else _width(level): beside.strip("()")}
        if key[0] != FIXED:
            return cells | dict.fromkeys(["df", "t", "p"], "")
        test = tests.loc[key[1]]
        return cells | {"df": f"{test.df:.1f}", "t": text(test.t, 2), "p": p_value(test.p)}

    return pd.DataFrame([row(key) for key in rows])
