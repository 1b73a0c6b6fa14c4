"""Descriptive statistics of nested data, defined as in R's ``psych`` package."""

import numpy as np
import pandas as pd
from scipy import stats

from .columns import as_frame, group_labels, labels_of, numbers, one_column

STATISTICS = ["n", "mean", "sd", "median", "trimmed", "mad", "min", "max", "range", "skew", "kurtosis", "se"]


def describe(data):
    """Describe each numeric column as ``psych::describe`` does.

    Parameters
    ----------
    data : pandas.DataFrame
        Columns that do not hold numbers are left out, and so are missing values.

    Returns
    -------
    pandas.DataFrame
        One row per column of `data`: n (values that are not missing), mean, sd, median, trimmed (mean without the
        lowest and highest tenth), mad (times 1.4826, so that it estimates the SD of
        normal data), min, max, range, skew and kurtosis (third moments over ``sd**3``,
        fourth over ``sd**4`` minus 3: type 3 of Joanes & Gill, 1998), se.

    Raises
    ------
    ValueError
        `data` is no table, or two of its columns have one name.

    Examples
    --------
    >>> import mlm
    >>> mlm.describe(mlm.load_hsb())[["n", "mean", "sd"]].round(2).loc[["ses", "mathach"]]
                 n   mean    sd
    variable
    ses       7185   0.00  0.78
    mathach   7185  12.75  6.88
    """
    def row(x):
        x = x[~np.isnan(x)]
        n = len(x)
        if n == 0:
            return {"n": 0}
        sd, centred = x.std(ddof=1) if n > 1 else np.nan, x - x.mean()
        spread = sd or np.nan  # a constant has no shape
        return dict(n=n, mean=x.mean(), sd=sd, median=np.median(x), trimmed=stats.trim_mean(x, 0.1),
                    mad=stats.median_abs_deviation(x, scale=1 / 1.4826), min=x.min(), max=x.max(),
                    range=np.ptp(x), skew=(centred**3).mean() / spread**3,
                    kurtosis=(centred**4).mean() / spread**4 - 3, se=sd / np.sqrt(n))
    data = as_frame(data)
    columns = {name: numbers(one_column(data, name)) for name in data}
    frame = pd.DataFrame({name: row(x) for name, x in columns.items() if x is not None}, index=STATISTICS).T
    return frame.astype({"n": int}).rename_axis("variable")


def between_within(data, columns, groups):
    """Intraclass correlations from a one-way analysis of variance, as ``psych::statsBy``.

    Parameters
    ----------
    data : pandas.DataFrame
    columns : str or list of str
        Numeric columns of `data`.
    groups : str
        The column that names each row's group.

    Returns
    -------
    pandas.DataFrame
        One row per column, computed from the rows that have its value and a group: ``mean``,
        ``sd_within`` (pooled), ``sd_of_means``, ``ICC1`` (how alike two members of a group are) and
        ``ICC2`` (reliability of a group mean), with the mean group size for k (Shrout & Fleiss,
        1979; Bliese, 2000).

    Raises
    ------
    ValueError
        A column is not there, or doesn't hold numbers, or its values lie in one group or each in its own.

    Examples
    --------
    >>> import mlm
    >>> mlm.between_within(mlm.load_hsb(), ["mathach"], "schid").round(2)
               mean  sd_within  sd_of_means  ICC1  ICC2
    variable
    mathach   12.75       6.26         3.12  0.17   0.9
    """
    data = as_frame(data)
    labels = group_labels(groups, data)

    def row(name):
        x = numbers(one_column(data, name, "to describe"), flags=True)
        if x is None:
            raise ValueError(f"Column {name!r} does not hold numbers.")
        x = pd.Series(x, index=data.index)[(complete := ~np.isnan(x) & labels.notna().to_numpy())]
        grouped = x.groupby(labels[complete].to_numpy(), observed=True)
        n, k = len(x), grouped.ngroups
        if not 1 < k < n:
            raise ValueError(f"Column {name!r} has {n} values in {k} groups: variance between and within groups takes "
                             "at least two groups, and one of them with two values.")
        means = grouped.transform("mean")
        ms_between = ((means - x.mean()) ** 2).sum() / (k - 1)
        ms_within = ((x - means) ** 2).sum() / (n - k)
        difference = ms_between - ms_within
        return dict(mean=x.mean(), sd_within=np.sqrt(ms_within), sd_of_means=grouped.mean().std(),
                    ICC1=difference / (ms_between + (n / k - 1) * ms_within), ICC2=difference / ms_between)
    columns = [columns] if isinstance(columns, str) else columns
    return pd.DataFrame({name: row(name) for name in columns}).T.rename_axis("variable")


def center_within(x, groups):
    """Center within clusters (CWC, group-mean centering): subtract each group's mean.

    Rows that a model will leave out, because another variable is missing, must be left out *before*:
    else the means are those of more rows than the model has, and the centered variable is not free of
    differences between groups. `mixedlm` says so when it leaves out rows. For example
    ``data = data.dropna(subset=["y", "x"])``, then ``center_within(data["x"], data["g"])``.

    Parameters
    ----------
    x : pandas.Series, shape (n,)
        Numbers.
    groups : pandas.Series or array_like, shape (n,)
        Each row's group; a Series is matched with `x` by its index.

    Returns
    -------
    pandas.Series, shape (n,)
        In the unit of `x`, with mean 0 in every group. Not a number where x or the group is missing.

    Raises
    ------
    ValueError
        `x` does not hold numbers, or its rows and those of `groups` can't be matched.

    Examples
    --------
    >>> import mlm, pandas as pd
    >>> mlm.center_within(pd.Series([1.0, 3.0, 10.0]), pd.Series(["a", "a", "b"])).tolist()
    [-1.0, 1.0, 0.0]
    """
    x = x if isinstance(x, pd.Series) else pd.Series(x)
    values = numbers(x, flags=True)
    if values is None:
        raise ValueError(f"Column {x.name!r} does not hold numbers: there is no mean to subtract.")
    labels = labels_of(groups, x.index)
    x = pd.Series(values, index=x.index, name=x.name)
    return x - x.groupby(labels.to_numpy(object)).transform("mean")
