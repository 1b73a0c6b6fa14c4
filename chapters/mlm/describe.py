"""Descriptive statistics of nested data, defined as in R's ``psych`` package."""

import numpy as np
import pandas as pd
from scipy import stats


def describe(data):
    """Describe each numeric column as ``psych::describe`` does.

    Parameters
    ----------
    data : pandas.DataFrame
        Columns that are not numeric are left out.

    Returns
    -------
    pandas.DataFrame
        A row a column of `data`: n, mean, sd, median, trimmed (mean without the
        lowest and highest tenth), mad (times 1.4826, so that it estimates the SD of
        normal data), min, max, range, skew and kurtosis (third moments over ``sd**3``,
        fourth over ``sd**4`` minus 3: type 3 of Joanes & Gill, 1998), se.

    Raises
    ------
    TypeError
        `data` is no data frame.

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
        x = x.dropna().to_numpy(float)
        n, sd, centred = len(x), x.std(ddof=1), x - x.mean()
        return dict(n=n, mean=x.mean(), sd=sd, median=np.median(x), trimmed=stats.trim_mean(x, 0.1),
                    mad=stats.median_abs_deviation(x, scale=1 / 1.4826), min=x.min(), max=x.max(),
                    range=np.ptp(x), skew=(centred**3).mean() / sd**3,
                    kurtosis=(centred**4).mean() / sd**4 - 3, se=sd / np.sqrt(n))
    numeric = data.select_dtypes("number")
    frame = pd.DataFrame({name: row(numeric[name]) for name in numeric}).T
    return frame.astype({"n": int}).rename_axis("variable")


def between_within(data, columns, groups):
    """Intraclass correlations from a one-way analysis of variance, as ``psych::statsBy``.

    Parameters
    ----------
    data : pandas.DataFrame
    columns : list of str
        Numeric columns of `data`.
    groups : str
        The column that names each row's group.

    Returns
    -------
    pandas.DataFrame
        A row a column: ``mean``, ``sd_within`` (pooled), ``sd_of_means``, ``ICC1`` (how
        alike two members of a group are) and ``ICC2`` (reliability of a group mean),
        with the mean group size for k (Shrout & Fleiss, 1979; Bliese, 2000).

    Raises
    ------
    KeyError
        `columns` or `groups` is no column.

    Examples
    --------
    >>> import mlm
    >>> mlm.between_within(mlm.load_hsb(), ["mathach"], "schid").round(2)
               mean  sd_within  sd_of_means  ICC1  ICC2
    variable
    mathach   12.75       6.26         3.12  0.17   0.9
    """
    grouped = data.groupby(groups, observed=True)
    n, sizes = len(data), grouped.size()
    k, average_size = len(sizes), len(data) / len(sizes)

    def row(x):
        means = grouped[x.name].transform("mean")
        ms_between = ((means - x.mean()) ** 2).sum() / (k - 1)
        ms_within = ((x - means) ** 2).sum() / (n - k)
        difference = ms_between - ms_within
        return dict(mean=x.mean(), sd_within=np.sqrt(ms_within), sd_of_means=grouped[x.name].mean().std(),
                    ICC1=difference / (ms_between + (average_size - 1) * ms_within),
                    ICC2=difference / ms_between)
    return pd.DataFrame({name: row(data[name].astype(float)) for name in columns}).T.rename_axis("variable")


def center_within(x, groups):
    """Center within clusters (CWC, group-mean centering): subtract each group's mean.

    Parameters
    ----------
    x : pandas.Series, shape (n,)
    groups : pandas.Series, shape (n,)
        Each row's group.

    Returns
    -------
    pandas.Series, shape (n,)
        In the unit of `x`, with mean 0 in every group.

    Raises
    ------
    TypeError
        `x` does not hold numbers.

    Examples
    --------
    >>> import mlm, pandas as pd
    >>> mlm.center_within(pd.Series([1.0, 3.0, 10.0]), pd.Series(["a", "a", "b"])).tolist()
    [-1.0, 1.0, 0.0]
    """
    return x - x.groupby(groups, observed=True).transform("mean")
