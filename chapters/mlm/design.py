"""What the formulas say of the data: response, fixed-effects and random-effects designs, groups."""

import copy
import re
import warnings
from dataclasses import dataclass, replace
from difflib import get_close_matches

import numpy as np
import pandas as pd
import patsy
import patsy.builtins

from .columns import (
    as_frame, group_labels, missing_in_memory, moved_centers, no_numbers, type_of, variables, variables_of, with_arrays)
from .formulas import OF_R, factors_of, listed, names_in, parse


class MissingRows(UserWarning):
    """Rows with missing values were left out.

    Examples
    --------
    >>> import mlm, warnings
    >>> hsb = mlm.load_hsb()
    >>> with warnings.catch_warnings(record=True) as caught:
    ...     fit = mlm.mixedlm("mathach ~ ses", hsb.assign(ses=hsb.ses.mask(hsb.ses > 2)), groups="schid")
    >>> caught[0].category is mlm.MissingRows, fit.nobs
    (True, 7184)
    """


def build(left, right, columns, env, known):
    """Names, columns and patsy's memory of the response, the fixed effects and the random effects.

    `columns` are those that the formulas read, `known` the names of all.
    """
    rows = len(next(iter(columns.values()), ()))
    sides = [by_hand(terms, columns, rows) for terms in (left.lhs_termlist, left.rhs_termlist)]
    response, fixed = by_patsy(left, columns, env, known) if None in sides else sides
    random = by_hand(right.rhs_termlist, columns, rows) or next(by_patsy(right, columns, env, known))
    if len(response[0]) != 1:
        raise ValueError(f"The response {left.lhs_termlist[0].name()!r} holds categories; it must be numeric.")
    if not random[0]:
        raise ValueError("The formula of the random effects is empty: this is a regression without groups.")
    return response, fixed, random


def by_hand(terms, data, rows=None):
    """Columns of a design of plain numeric columns and their products, or None.

    It gives what patsy gives, without the milliseconds that patsy takes.
    """
    factors = {factor.name() for term in terms for factor in term.factors}
    if not all(name in data and isinstance(data[name].dtype, np.dtype) and data[name].dtype.kind in "iuf"
               for name in factors):
        return None
    values = {name: np.asarray(data[name], float) for name in factors}
    matrix = np.ones((len(data) if rows is None else rows, len(terms)), order="F")
    for column, term in zip(matrix.T, terms):
        for factor in term.factors:
            column *= values[factor.name()]
    return [term.name() for term in terms], matrix, None


def by_patsy(description, data, env, known=None):
    """Names, columns (NaN where a value is missing) and patsy's memory of each side of a formula."""
    known = list(data) if known is None else known
    # Objects stay objects: pandas would make intervals and periods of them, which patsy can't read.
    data = pd.DataFrame({name: pd.Series(values, dtype=object) if getattr(values, "dtype", None) == object else values
                         for name, values in dict(data).items()}).reset_index(drop=True)
    try:
        design = patsy.dmatrices if getattr(description, "lhs_termlist", None) else patsy.dmatrix
        parts = design(description, data, env, return_type="dataframe")
    except Exception as error:  # whatever the formula's functions raise
        if isinstance(error.__cause__, NameError):
            name = re.search("'(.*?)'", str(error.__cause__))[1]
            raise ValueError(f"{name!r} is neither a column nor a name in your session{instead(name, known)}. "
                             f"The columns are: {listed(known)}.") from None
        factors = getattr(description, "factor_infos", None) or factors_of(description)
        hidden = [name for factor in factors for name in names_in(factor.name()).functions if name in data]
        reason = f"a column hides the function {hidden[0]}(): rename it" if hidden else str(error).splitlines()[0]
        raise ValueError(f"The formula cannot be evaluated: {reason}.") from error
    for part in parts if isinstance(parts, tuple) else (parts,):
        if not isinstance(description, patsy.DesignInfo):  # of new rows the fit has asked already
            check_categories(part.design_info, data)
        matrix = np.full((len(data), part.shape[1]), np.nan, order="F")
        matrix[part.index] = part
        yield list(part), matrix, part.design_info


def instead(name, columns):
    """What may be meant by a name that isn't there."""
    dotted = [column for column in columns if str(column).startswith(name + ".")]
    near = get_close_matches(name, [*map(str, columns), *patsy.builtins.__all__], 1)
    meant = (f'Q("{dotted[0]}")' if dotted else OF_R.get(name) or (f"np.{name}" if hasattr(np, name) else None)
             or (near[0] if near else None))
    return f" (write {meant}?)" if meant else ""


def check_categories(info, data):
    """Refuse numbers and dates that patsy would take for categories unasked."""
    for factor, about in info.factor_infos.items():
        code = factor.name()
        read = names_in(code)
        asked = read.kinds or read.bare in data and isinstance(data[read.bare].dtype, pd.CategoricalDtype)
        odd = [value for value in about.categories or () if not isinstance(value, (str, bool, np.bool_, pd.Interval))]
        if odd and not asked:
            raise no_numbers(code, odd[0])


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
        """Build both designs, leave out rows with missing values, refuse what cannot be used.

        The rows left out leave no trace: unused categories, and what formulas remember (means, knots),
        come from the other rows.
        """
        data, re_formula = as_frame(data), "~ 1" if re_formula is None else re_formula
        if data.empty:
            raise ValueError("The data frame is empty.")
        left, right = parse(formula), parse(re_formula)
        if len(left.lhs_termlist) != 1 or right.lhs_termlist:
            raise ValueError(f"The formula needs one response on its left, as in 'y ~ x' (it is {formula!r}), "
                             f"and that of the random effects none, as in '~ x' (it is {re_formula!r}).")
        env = env or patsy.EvalEnvironment([])
        factors = [factor.name() for model in (left, right) for factor in factors_of(model)]
        data = with_arrays(factors, data, env)
        codes, labels = pd.factorize(group_labels(groups, data), sort=True)
        if not isinstance(labels.dtype, (np.dtype, pd.CategoricalDtype)):
            labels = pd.Index(labels.tolist())
        complete = (codes >= 0) & ~missing_in_memory(factors, data, env)
        for _ in range(3):
            rows = data if complete.all() else data[complete]
            columns = variables(factors, rows)
            empty = [name for name in {names_in(code).bare: None for code in factors}
                     if name in columns and pd.isna(columns[name]).all()]
            if not complete.any() or empty:
                raise ValueError("No row is complete" + (f": {listed(empty)} has no values." if len(rows) else "."))
            sides = build(left, right, columns, env, list(data))
            bad = np.zeros(len(rows), bool)
            for names, part, _ in sides:
                if not np.isfinite(part.sum()):
                    infinite = np.isinf(part).any(axis=0)
                    if infinite.any():
                        raise ValueError(f"Column {names[np.argmax(infinite)]!r} has infinite values.")
                    bad |= np.isnan(part).any(axis=1)
            if not bad.any():
                break
            complete[np.flatnonzero(complete)[bad]] = False
        else:
            raise ValueError("The formula makes new missing values of those that are left, whenever rows with missing "
                             "values are left out: compute its lags and the like as columns first.")
        (response, y, _), (fixed, X, remember_X), (random, Z, remember_Z) = sides
        if not complete.all():
            kept, inverse = np.unique(codes[complete], return_inverse=True)
            lost = labels.delete(kept).tolist()
            moved = [*moved_centers(variables(factors, data), codes, complete)]
            warnings.warn(f"{(~complete).sum()} of {len(data)} rows have missing values and are left out"
                          + (f"; nothing is left of the groups {listed(lost)}" if lost else "")
                          + (f"; {listed(moved)} was centered within groups before, and is no longer: drop these rows, "
                             "then center" if moved else "") + ".", MissingRows, stacklevel=3)
            codes, labels = inverse, labels[kept]
        return cls(y[:, 0], X, Z, response[0], fixed, random, codes, labels, rows.index, formula, re_formula, rows,
                   (remember_X, remember_Z))

    def of_new(self, data):
        """X and Z of new rows, by the same formulas."""
        data = as_frame(data)
        for text, memory, matrix in zip((self.formula, self.re_formula), self.memory, (self.X, self.Z)):
            terms = parse(text).rhs_termlist
            factors = [factor.name() for term in terms for factor in term.factors]
            names = variables_of(factors)
            lacking = [name for name in names if name not in data and (self.data is None or name in self.data)]
            if lacking:
                raise ValueError(f"New rows need the columns of {text!r}; {listed(lacking)} is not among theirs: "
                                 f"{listed(data.columns)}.")
            if memory is None:
                built = by_hand(terms, variables(factors, data), len(data))
                if built is None:
                    raise ValueError(f"New rows need numbers in {listed(names)}, as the rows of the fit had.")
                yield built[1]
                continue
            if memory is True:  # pickled: patsy builds its memory again, with the names np and pd alone
                env = patsy.EvalEnvironment([{"np": np, "pd": pd}])
                memory = next(by_patsy(patsy.ModelDesc([], terms), variables(factors, self.data), env))[2]
            categories = {factor.name() for factor, about in memory.factor_infos.items() if about.categories}
            columns = variables(factors, data, categories)
            wrong = [name for code in factors if code not in categories and (name := names_in(code).bare) in columns
                     and columns[name].dtype.kind not in "iuf"]
            if wrong:
                raise ValueError(f"New rows need numbers in {listed(wrong)}, as the rows of the fit had.")
            half = len(self.data) // 2
            for rows in (slice(half), slice(half, None)):
                again = next(by_patsy(memory, variables(factors, self.data[rows], categories), 0))[1]
                if not np.allclose(again, matrix[rows], rtol=1e-9, atol=1e-12 * np.abs(matrix).max(), equal_nan=False):
                    raise ValueError(f"What {text!r} makes of a row depends on the other rows, so that new rows would "
                                     "get other values: write center(x) instead of x - x.mean(), or compute the column "
                                     "in the data.")
            yield next(by_patsy(memory, columns, 0))[1]

    def codes_of(self, groups, data):
        """Which groups of the fit new rows belong to, -1 for a new group.

        Labels of another type than the fit's are an error: none of them would be found.
        """
        if groups is None:
            return np.full(len(data), -1)
        groups = group_labels(groups, data)
        (ours, example), (theirs, odd) = type_of(self.labels), type_of(groups)
        if theirs not in (None, ours):
            raise ValueError(f"The fit's groups are {ours} (such as {example!r}), those of the new rows {theirs} (such as "
                             f"{odd!r}), so that none would be found: convert one of them.")
        return pd.Index(self.labels.tolist(), dtype=object).get_indexer(pd.Index(groups.tolist(), dtype=object))

    def __getstate__(self):
        return self.__dict__ | {"memory": tuple(None if memory is None else True for memory in self.memory)}

    def __deepcopy__(self, memo):
        return replace(self, **{name: copy.deepcopy(value, memo) for name, value in self.__dict__.items()
                                if name != "memory"})

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
