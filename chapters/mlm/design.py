"""What the formulas say of the data: response, fixed-effects and random-effects designs, groups."""

import re
import warnings
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pandas as pd
import patsy


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


@lru_cache(maxsize=256)
def parse(formula):
    """patsy's reading of a formula; refuses lme4's bars, which patsy would take for Python's."""
    if re.search(r"(?<![\w.])\([^()]*\|", formula):
        raise ValueError(f"The formula {formula!r} has a bar as in lme4. Here random effects stand by themselves: "
                         "mixedlm('y ~ x', data, groups='school', re_formula='~ x') for y ~ x + (x | school). "
                         "Models with more than one grouping factor are not covered.")
    try:
        return patsy.ModelDesc.from_formula(formula)
    except (patsy.PatsyError, SyntaxError) as error:
        raise ValueError(f"The formula {formula!r} cannot be read: {error}") from error


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
        elif isinstance(groups, (list, tuple)) and len(groups) < len(data) and set(groups) <= set(data.columns):
            raise ValueError(f"The groups {listed(groups)} are {len(groups)} columns: models with more than one grouping "
                             "factor (three levels, crossed effects) are not covered. Name one column.")
        elif len(groups) != len(data):
            raise ValueError(f"The groups have {len(groups)} entries, the data {len(data)} rows.")
        codes, labels = pd.factorize(groups if hasattr(groups, "dtype") else np.asarray(groups), sort=True)

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
