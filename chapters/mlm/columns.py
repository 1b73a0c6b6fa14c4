"""Columns of data: numbers of every type as numbers, labels of groups, and a word where they are neither."""

import re
from decimal import Decimal
from numbers import Real
from types import ModuleType

import numpy as np
import pandas as pd
import patsy
import patsy.builtins

from .formulas import MORE_FACTORS, listed, names_in


def as_frame(data):
    """The data as a pandas data frame: also a dict of columns, Polars' and Arrow's tables."""
    if isinstance(data, pd.DataFrame):
        return data
    if np.ndim(data) == 0 and not hasattr(data, "keys") and not hasattr(data, "to_pandas"):
        raise ValueError(f"The data must be a data frame; this is {data!r}.")
    return data.to_pandas() if hasattr(data, "to_pandas") else pd.DataFrame(data)


def one_column(data, name, what="for the groups"):
    """The column of that name, if there is just one."""
    if name not in data.columns:
        raise ValueError(f"There is no column {name!r} {what}. The columns are: {listed(data.columns)}.")
    column = data[name]
    if isinstance(column, pd.DataFrame):
        raise ValueError(f"The data have several columns {name!r}: rename them, so that each has a name of its own.")
    return column


def sorted_out(series):
    """A column as NumPy's numbers or as objects, where it has values, and of what sort they are."""
    if not isinstance(series.dtype, np.dtype) and series.dtype.kind not in "mM":
        series = pd.Series(np.asarray(series, dtype=object), index=series.index)
    present = series.notna().to_numpy()
    known = series[present]
    sort = pd.api.types.infer_dtype(known)
    if sort.startswith("mixed") and all(isinstance(value, (Real, Decimal)) and not isinstance(value, bool)
                                        for value in known):
        sort = "floating"
    return series, present, sort


def is_float(series):
    return isinstance(series.dtype, np.dtype) and series.dtype.kind == "f"


def numbers(series, flags=False):
    """The values of a column of numbers of any type as float64, NaN where they are missing; of others None.

    With `flags`, true and false count as 1 and 0.
    """
    if is_float(series):
        return series.to_numpy(float)
    if isinstance(series.dtype, pd.CategoricalDtype):
        return None
    series, present, sort = sorted_out(series)
    if sort not in ("integer", "floating", "decimal", "empty") and not (flags and sort == "boolean"):
        return None
    values = np.full(len(series), np.nan)
    values[present] = series[present].to_numpy().astype(float)
    return values


def usable(series, name, kinds=False, computed=True, fresh=False):
    """The values of a column in a type that patsy reads rightly, or ValueError with its name.

    Parameters
    ----------
    series : pandas.Series, shape (n,)
    name : str
    kinds : bool
        Only categories are made of it, so that numbers and text of any sort will do.
    computed : bool
        A formula computes with it, so that whole numbers must not overflow.
    fresh : bool
        It belongs to new rows, whose categories are those of the fit.

    Returns
    -------
    array, shape (n,)
        Numbers of all types as float64 (whole ones that nothing is computed with as int64); text as objects, None
        where it is missing; true and false as bool; categories without unused ones; dates as they are, for the
        formula's functions to work on.
    """
    if isinstance(series.dtype, pd.CategoricalDtype):
        return series.astype(object).to_numpy() if fresh else series.array.remove_unused_categories()
    plain, present, sort = (series, None, "floating") if is_float(series) else sorted_out(series)
    if sort == "integer" and not computed and present.all():
        return plain.to_numpy(np.int64)
    if (values := numbers(series)) is not None:
        return values
    known = plain[present]
    if sort == "boolean":
        return plain.to_numpy(bool) if present.all() else pd.Categorical(plain, [False, True])
    if sort == "string" or sort.startswith("mixed"):
        parsed = pd.to_numeric(known.astype(object), errors="coerce")
        if sort == "string" and (kinds or parsed.isna().all()):
            return plain.astype(object).where(present, None).to_numpy()
        odd = known[parsed.isna()].iloc[0] if parsed.isna().any() else known.iloc[0]
        raise ValueError(f"Column {name!r} holds text ({odd!r}) where numbers belong. Convert it with "
                         f"pd.to_numeric, or write C({name}) if it names categories."
                         if isinstance(odd, str) else
                         f"Column {name!r} holds values of several types, {odd!r} among them: convert them to one.")
    if sort in ("complex", "bytes"):
        raise ValueError(f"Column {name!r} holds {sort} values ({known.iloc[0]!r}), not numbers or text.")
    return series.array


def variables_of(factors):
    """Names of the variables in the factors' code, in its order."""
    return list(dict.fromkeys(name for code in factors for name in sorted(names_in(code).variables)))


def variables(factors, data, categories=None):
    """The columns that the factors read, as patsy reads them rightly.

    For new rows, `categories` are the factors which the fit made categories of.
    """
    read = [names_in(code) for code in factors]
    bare = {one.bare for one in read}
    kinds = {name for one in read for name in one.kinds} - {name for one in read for name in one.variables - one.kinds}
    if categories is not None:
        kinds = set(variables_of(categories))
    computed = {name for one in read for name in one.variables - one.kinds - {one.bare}}
    columns = {name: usable(one_column(data, name), name, name in kinds, name in computed, categories is not None)
               for name in variables_of(factors) if name in data}
    for name, values in columns.items():
        if name in bare and not isinstance(values, (np.ndarray, pd.Categorical)):
            raise no_numbers(name, values[0])
    return columns


def no_numbers(code, value):
    return ValueError(f"{code!r} holds values of the type {type(value).__name__} ({value}), not numbers. Write C({code}) "
                      "for categories; make numbers of dates in the data, such as the days since the first: "
                      "(date - date.min()).dt.days.")


def with_arrays(factors, data, env):
    """The data, and the caller's own arrays that the factors read as further columns."""
    arrays = {}
    for name in variables_of(factors):
        found = env.namespace[name] if name in env.namespace else getattr(patsy.builtins, name, None)
        if name in data:
            continue
        if name in factors and (callable(found) or isinstance(found, ModuleType)):
            raise ValueError(f"{name!r} is no column. The columns are: {listed(data.columns)}.")
        if isinstance(found, (np.ndarray, pd.Series)) and np.ndim(found) and len(found) == len(data):
            if found.ndim > 1:
                raise ValueError(f"{name!r} is an array of {found.ndim} dimensions: put its columns into the data.")
            arrays[name] = aligned(found, data.index, name)
    return data.assign(**{name: np.asarray(values) for name, values in arrays.items()}) if arrays else data


def missing_in_memory(factors, data, env):
    """Rows without a value in a variable of which a formula remembers something, such as its mean."""
    missing = np.zeros(len(data), bool)
    for code in factors:
        called = [getattr(patsy.builtins, name, None) if name not in env.namespace else env.namespace[name]
                  for name in names_in(code).functions]
        if any(hasattr(function, "__patsy_stateful_transform__") for function in called):
            for name, values in variables([code], data).items():
                if isinstance(values, np.ndarray) and values.dtype.kind == "f" and np.isinf(values).any():
                    raise ValueError(f"Column {name!r} has infinite values.")
                missing |= pd.isna(values)
    return missing


def moved_centers(columns, codes, complete):
    """Columns whose means are 0 in every group before rows are left out, and not after."""
    def largest_mean(values, rows):
        rows = rows & (codes >= 0) & ~np.isnan(values)
        sums, count = np.bincount(codes[rows], values[rows]), np.bincount(codes[rows])
        return np.abs(sums / np.maximum(count, 1)).max(initial=0)

    for name, values in columns.items():
        if isinstance(values, np.ndarray) and values.dtype.kind == "f":
            limit = 1e-8 * np.nanmax(np.abs(values))
            if largest_mean(values, np.isfinite(values)) < limit < largest_mean(values, complete):
                yield name


def aligned(values, index, what="groups"):
    """Values of the rows with that index: a Series by its own index, all else by position."""
    if len(values) != len(index):
        raise ValueError(f"The {what} have {len(values)} entries, the data {len(index)} rows.")
    if not isinstance(values, pd.Series) or values.index.equals(index):
        return values
    if index.is_unique and values.index.is_unique and index.isin(values.index).all():
        return values.reindex(index)
    raise ValueError(f"The {what} are a Series with another index than the data: their rows can't be matched. If both "
                     f"have the same order, pass {what}.to_numpy().")


def group_labels(groups, data):
    """Each row's group: a column of the data, or values for its rows."""
    if isinstance(groups, str) or (np.isscalar(groups) and groups in data.columns):
        if groups not in data.columns and re.search(r"[:/*+|]", groups):
            raise ValueError(f"The groups {groups!r} are no column. {MORE_FACTORS}")
        groups = one_column(data, groups)
    elif isinstance(groups, (list, tuple)) and len(groups) < len(data) and set(groups) <= set(data.columns):
        raise ValueError(f"The groups {listed(groups)} are {len(groups)} columns. {MORE_FACTORS} Name one column.")
    return labels_of(groups, data.index)


def labels_of(groups, index):
    """One label for each row, all text or all numbers."""
    if np.ndim(groups) != 1:
        raise ValueError("The groups are the name of one column, or one label for each row.")
    groups = pd.Series(aligned(groups, index))
    if groups.dtype == object and groups.dropna().map(lambda label: isinstance(label, str)).nunique() > 1:
        raise ValueError("The groups' labels mix numbers and text: convert them to one type.")
    return groups


def type_of(labels):
    """What sort of labels these are, in a word, and the first of them."""
    known = pd.Series(labels, dtype=object).dropna()
    kind = pd.api.types.infer_dtype(known)
    words = {"integer": "numbers", "floating": "numbers", "mixed-integer-float": "numbers", "decimal": "numbers",
             "string": "text", "empty": None}
    return words.get(kind, kind), known.iloc[0] if len(known) else None
