"""Estimated marginal means and their differences: what the fixed effects say of a balanced population."""

import ast
from itertools import combinations, product

import numpy as np
import pandas as pd
from scipy import optimize, stats
from statsmodels.stats.multitest import multipletests

from .checks import FIT, LEVEL, NAMES, NOTHING, Domain, checked, one_of
from .columns import numbers
from .formulas import listed, parse
from .inference import estimates

VALUES = Domain("a dict of predictors to a value or a list of values", lambda value: isinstance(value, dict)) | NOTHING


@checked(fit=FIT, of=NAMES, at=VALUES, level=LEVEL)
def marginal_means(fit, of, at=None, level=0.95):
    """Estimated marginal means of the levels of one or several factors.

    Predictions from the fixed effects for each combination of levels, averaged in equal parts over
    the factors that `of` doesn't name, however many observations have them; other predictors are
    at their means over the rows (Searle, Speed & Milliken, 1980, Am. Stat. 34(4); "least-squares
    means" in SAS, and what R's emmeans gives). Factors are predictors that are not numeric, stand in
    ``C()`` or have two values; a product or power of predictors follows from their values.

    Parameters
    ----------
    fit : MixedResults
    of : str or list of str
        The factors, by the names of their columns.
    at : dict of str to value or list of values, optional
        Values of other predictors instead of their mean or levels, or the levels of a factor to
        which to keep; a numeric predictor of `of` needs them.
    level : float, default 0.95
        Of the intervals, between 0 and 1.

    Returns
    -------
    pandas.DataFrame
        A row for each combination of levels, which are its index: ``estimate``, ``se``,
        ``lower`` and ``upper`` in units of the response, and ``df`` by Satterthwaite.

    Raises
    ------
    ValueError
        A name is no predictor of the fixed effects, or a value is none that it can have.

    See Also
    --------
    pairwise : differences of these means.

    Examples
    --------
    >>> import mlm
    >>> hsb = mlm.load_hsb(labels=True)
    >>> fit = mlm.mixedlm("mathach ~ ses * schtype + female", hsb, groups="schid")
    >>> mlm.marginal_means(fit, "schtype").round(2)
              estimate    se      df  lower  upper
    schtype
    public       11.82  0.22  154.34  11.39  12.26
    Catholic     13.96  0.24  141.18  13.47  14.44
    >>> mlm.marginal_means(fit, ["schtype", "ses"], at={"ses": [-1, 1]})["estimate"].round(2)
    schtype   ses
    public    -1      8.92
               1     14.73
    Catholic  -1     12.34
               1     15.58
    Name: estimate, dtype: float64
    """
    cells, rows = _cells(fit.design, _listed(of), at or {})
    return estimates(fit, rows, level, cells)


@checked(fit=FIT, of=NAMES, by=NAMES | NOTHING, at=VALUES, adjust=one_of("tukey", "bonferroni", "holm", "none"), level=LEVEL)
def pairwise(fit, of, by=None, at=None, adjust="tukey", level=0.95):
    """All differences between the marginal means of two levels, with adjusted p values and intervals.

    Parameters
    ----------
    fit : MixedResults
    of : str or list of str
        The factors whose levels are compared, as for `marginal_means`.
    by : str or list of str, optional
        Factors at each of whose levels to compare; each is a family of its own.
    at : dict, optional
        As for `marginal_means`.
    adjust : {"tukey", "bonferroni", "holm", "none"}
        How to keep the level over a family. ``"tukey"``: by the studentized range (Tukey-Kramer;
        exact for equal and uncorrelated errors, else close). ``"holm"`` gives the smaller p values
        of the two that presume nothing; its intervals are those of ``"bonferroni"``.
    level : float, default 0.95
        Of the intervals, between 0 and 1, jointly for a family.

    Returns
    -------
    pandas.DataFrame
        A row for each pair: ``estimate`` (the first less the second), ``se``, ``lower`` and
        ``upper`` in units of the response; ``df`` by Satterthwaite; ``t`` and ``p`` against 0.

    Raises
    ------
    ValueError
        As for `marginal_means`, or there is only one level to compare.

    Examples
    --------
    >>> import mlm, pandas as pd
    >>> hsb = mlm.load_hsb()
    >>> hsb["third"] = pd.qcut(hsb["size"], 3, labels=["small", "medium", "large"])
    >>> fit = mlm.mixedlm("mathach ~ ses + third", hsb, groups="schid")
    >>> mlm.pairwise(fit, "third").round(3)[["estimate", "df", "t", "p"]]
                    estimate       df      t      p
    contrast
    small - medium    -0.342  144.412 -0.729  0.747
    small - large      0.279  147.380  0.607  0.816
    medium - large     0.622  148.357  1.364  0.363
    """
    of, by = _listed(of), [] if by is None else _listed(by)
    cells, rows = _cells(fit.design, [*by, *of], at or {})
    cells = cells.to_frame(index=False)
    names = cells[of].astype(str).agg(" ".join, axis=1)
    families = [part.index for _, part in cells.groupby(by, sort=False, observed=True)] if by else [cells.index]
    tables = []
    for family in families:
        if len(family) < 2:
            raise ValueError(f"of must name factors with two levels or more to compare; {listed(of)} has one.")
        pairs = list(combinations(family, 2))
        table = estimates(fit, np.array([rows[i] - rows[j] for i, j in pairs]), level,
                          pd.MultiIndex.from_tuples([(*cells.loc[i, by], f"{names[i]} - {names[j]}") for i, j in pairs],
                                                    names=[*by, "contrast"]))
        tables.append(_adjusted(table, len(family), adjust, level))
    table = pd.concat(tables)
    return table if by else table.set_axis(table.index.get_level_values(0))


def _adjusted(table, means, adjust, level):
    """t, p and limits of the differences between so many means."""
    t = table.estimate / table.se
    p, reach = 2 * stats.t.sf(t.abs(), table.df), (1 + level) / 2
    if adjust == "tukey" and means > 2:
        p = stats.studentized_range.sf(np.sqrt(2) * t.abs(), means, table.df)
        reach = _range_quantile(level, means, table.df.to_numpy()) / np.sqrt(2)
    else:
        if adjust in ("bonferroni", "holm"):
            p, reach = multipletests(p, method=adjust)[1], 1 - (1 - level) / (2 * len(table))
        reach = stats.t.ppf(reach, table.df)
    return table.assign(t=t, p=p, lower=table.estimate - reach * table.se, upper=table.estimate + reach * table.se)[
        ["estimate", "se", "df", "t", "p", "lower", "upper"]]


def _range_quantile(level, means, df):
    """Quantiles of the studentized range, all at once: SciPy's ppf takes each by itself, four times as long."""
    pairs = means * (means - 1) / 2
    near = np.sqrt(2) * stats.t.ppf(1 - (1 - level) / (2 * pairs), df)
    return optimize.newton(lambda q: stats.studentized_range.sf(q, means, df) - (1 - level), near, tol=1e-7)


def _listed(names):
    return [names] if isinstance(names, str) else list(names)


def _cells(design, of, at):
    """The combinations of levels of the factors `of`, and what makes their means of the fixed effects."""
    data = design.data
    factors = predictors(design, design.formula)
    for name in [*of, *at]:
        if name not in factors:
            raise ValueError(f"of, by and at must name predictors of the fixed effects; {name!r} is none, "
                             f"these are: {listed(factors)}.")
    if len(set(of)) < len(of):
        raise ValueError(f"of and by must name each factor once; they name {listed(of)}.")
    values = {}
    for name, factor in factors.items():
        if name in at:
            values[name] = list(at[name]) if np.ndim(at[name]) == 1 else [at[name]]
            _check_values(name, values[name], data[name], factor, name in of)
        elif factor:
            values[name] = _levels(data[name])
        elif name in of:
            raise ValueError(f"{name!r} is numeric: give the values at which to take means, at={{{name!r}: [...]}}.")
        else:
            values[name] = [data[name].astype(float).mean()]
    cells = pd.MultiIndex.from_product([values[name] for name in of], names=of)
    cells = cells.get_level_values(0) if len(of) == 1 else cells
    others = [name for name in values if name not in of]
    grid = pd.DataFrame(list(product(*(values[name] for name in [*of, *others]))), columns=[*of, *others])
    for name, factor in factors.items():
        if factor:
            grid[name] = grid[name].astype(data[name].dtype)
    X = next(design.of_new(grid))
    return cells, X.reshape(len(cells), -1, X.shape[1]).mean(axis=1)


def predictors(design, formula):
    """The columns that the right side of a formula is made of, and whether each is a factor."""
    found = {}
    for factor in dict.fromkeys(factor for term in parse(formula).rhs_termlist for factor in term.factors):
        code = factor.name()
        # names, and texts since Q("a name") is one
        parts = [getattr(node, "id", getattr(node, "value", None)) for node in ast.walk(ast.parse(code))]
        for name in dict.fromkeys(part for part in parts if isinstance(part, str) and part in design.data.columns):
            column = design.data[name]
            found[name] = found.get(name, False) or code.startswith("C(") or column.nunique() <= 2 or numbers(column) is None
    return found


def _levels(column):
    """The levels of a factor that occur, in order."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        return [level for level in column.cat.categories if (column == level).any()]
    return sorted(column.unique().tolist())


def _check_values(name, values, column, factor, several):
    """Refuse values that a predictor cannot have."""
    if not values or len(values) > 1 and not several:
        raise ValueError(f"at must give one value of {name!r}, or of must name it too; it gives {values!r}.")
    if factor:
        unknown = [value for value in values if value not in _levels(column)]
        if unknown:
            raise ValueError(f"at must give levels of {name!r}, which are {listed(map(repr, _levels(column)))}; "
                             f"{unknown[0]!r} is none.")
    elif not all(isinstance(value, (int, float, np.number)) and np.isfinite(value) for value in values):
        raise ValueError(f"at must give finite numbers for {name!r}; it gives {values!r}.")
