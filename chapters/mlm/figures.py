"""The course's figures: one look, and the pictures that several chapters need."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import plotly.graph_objects as go
import plotly.io as pio
import seaborn as sns
from IPython import get_ipython
from matplotlib.figure import Figure
from matplotlib_inline.backend_inline import set_matplotlib_formats
from plotly.subplots import make_subplots
from skmisc.loess import loess as _loess

from .notebook import figure_to_svg, frame_to_html

# Okabe & Ito's palette: apart for colour-blind readers, and in grey.
PUBLIC, CATHOLIC = "#0072B2", "#D55E00"
OLS, LOESS = PUBLIC, CATHOLIC
INK, POINT = "#333333", "#767676"
SECTOR = {"public": PUBLIC, "Catholic": CATHOLIC}
ACHIEVEMENT, SES = "Mathematics achievement", "Socio-economic status (SES)"


def use_course_style():
    """Make figures and tables of this session look as on the course's site.

    Sets seaborn's, plotly's and pandas' defaults and, in a notebook, how data frames are shown.

    Returns
    -------
    None

    Examples
    --------
    >>> import mlm, pandas as pd
    >>> before = pd.get_option("display.precision"), pd.get_option("display.max_rows")
    >>> mlm.use_course_style()
    >>> pd.get_option("display.precision")
    3
    >>> pd.set_option("display.precision", before[0], "display.max_rows", before[1])
    """
    sns.set_theme(style="ticks", context="notebook", rc={
        "figure.figsize": (6, 3.8), "figure.constrained_layout.use": True,
        "figure.facecolor": "none", "axes.facecolor": "none", "savefig.facecolor": "none",
        "axes.spines.top": False, "axes.spines.right": False, "legend.frameon": False,
        "text.color": INK, "axes.labelcolor": INK, "xtick.color": INK, "ytick.color": INK,
        "axes.edgecolor": INK, "svg.hashsalt": "course", "pdf.fonttype": 42,
        "font.family": "DejaVu Sans",  # shipped with matplotlib: the same on every machine
    })
    pio.templates["course"] = go.layout.Template(layout={
        "paper_bgcolor": "rgba(0,0,0,0)", "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"color": INK, "size": 13, "family": "system-ui, sans-serif"},
        "colorway": [PUBLIC, CATHOLIC], "margin": {"l": 55, "r": 10, "t": 30, "b": 50},
        "xaxis": {"showgrid": False, "zeroline": False, "linecolor": INK, "ticks": "outside"},
        "yaxis": {"showgrid": False, "zeroline": False, "linecolor": INK, "ticks": "outside"},
        "legend": {"orientation": "h", "y": -0.2, "x": 0}, "hoverlabel": {"align": "left"},
    })
    pio.templates.default = "course"
    pd.set_option("display.precision", 3, "display.max_rows", 12)
    shell = get_ipython()
    if shell:
        set_matplotlib_formats("svg", "pdf")
        formatters = shell.display_formatter.formatters
        formatters["image/svg+xml"].for_type(Figure, figure_to_svg)
        formatters["text/html"].for_type(pd.DataFrame, frame_to_html)


def loess(x, y, at, span=0.75):
    """Local quadratic regression, as R's ``loess`` and ggplot2's ``geom_smooth`` draw it.

    Parameters
    ----------
    x, y : array-like, shape (n,)
    at : array-like, shape (m,)
        Where to evaluate the curve, within the range of `x`.
    span : float, default 0.75
        The share of points that take part in each local fit.

    Returns
    -------
    numpy.ndarray, shape (m,)
        In the unit of `y`.

    Raises
    ------
    ValueError
        A point of `at` lies outside the range of `x`.

    Notes
    -----
    The same code as R's (Cleveland, Grosse & Shyu, 1992). statsmodels' ``lowess`` is
    another estimator: local lines, made robust by reweighting.

    Examples
    --------
    >>> import mlm
    >>> hsb = mlm.load_hsb()
    >>> mlm.figures.loess(hsb["ses"][:550], hsb["mathach"][:550], [-1, 0, 1]).round(1).tolist()
    [8.3, 11.7, 16.9]
    """
    fit = _loess(np.asarray(x, float), np.asarray(y, float), span=span, degree=2)
    fit.fit()
    return fit.predict(np.asarray(at, float)).values


def ols_line(x, y):
    """Intercept and slope of the least-squares line.

    Parameters
    ----------
    x, y : array_like, shape (n,)

    Returns
    -------
    intercept, slope : float
        In the unit of `y`, and in that over the unit of `x`. Not a number where fewer than two
        values of `x` differ; points of which a coordinate is missing are left out.

    Raises
    ------
    TypeError
        There is no point, or one of them has no partner.

    Examples
    --------
    >>> import mlm
    >>> intercept, slope = mlm.figures.ols_line([0, 1, 2], [1, 3, 5])
    >>> print(f"{intercept:.1f}, {slope:.1f}")
    1.0, 2.0
    """
    x, y = np.asarray(x, float), np.asarray(y, float)
    if len(x) and x.shape == y.shape:
        known = ~np.isnan(x + y)
        x, y = x[known], y[known]
        if len(np.unique(x)) < 2:
            return np.nan, np.nan
    slope, intercept = np.polyfit(x, y, 1)
    return intercept, slope


def ols_lines(data):
    """The least-squares line of achievement on SES in each school on its own.

    Parameters
    ----------
    data : pandas.DataFrame
        With columns ``schid``, ``ses`` and ``mathach``.

    Returns
    -------
    pandas.DataFrame, one row per school
        Columns ``intercept`` (points), ``slope`` (points per unit of SES) and ``n``.

    Raises
    ------
    KeyError
        A column is not there.

    Examples
    --------
    >>> import mlm
    >>> mlm.figures.ols_lines(mlm.load_hsb()).head(2).round(2)
           intercept  slope   n
    schid
    1224       10.81   2.51  47
    1288       13.11   3.26  25
    """
    schools = data.groupby("schid", observed=True)
    lines = {name: ols_line(school["ses"], school["mathach"]) for name, school in schools}
    frame = pd.DataFrame.from_dict(lines, orient="index", columns=["intercept", "slope"]).rename_axis("schid")
    return frame.assign(n=schools.size())


def scatter_with_lines(data, ax=None, smooth=True, title=None):
    """Achievement against SES: one point per student, the OLS line and the LOESS curve.

    Parameters
    ----------
    data : pandas.DataFrame
        With columns ``ses`` and ``mathach``.
    ax : matplotlib.axes.Axes, optional
    smooth : bool, default True
        Draw the LOESS curve too.
    title : str, optional

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    KeyError
        A column is not there.

    Examples
    --------
    >>> import mlm
    >>> ax = mlm.figures.scatter_with_lines(mlm.load_hsb()[:100], title="Two schools")
    >>> ax.get_xlabel(), ax.get_title()
    ('Socio-economic status (SES)', 'Two schools')
    """
    ax = ax or plt.gca()
    grid = np.linspace(data["ses"].min(), data["ses"].max(), 80)
    intercept, slope = ols_line(data["ses"], data["mathach"])
    ax.scatter(data["ses"], data["mathach"], s=18, facecolors="none", edgecolors=POINT, linewidths=0.8)
    ax.plot(grid, intercept + slope * grid, color=OLS, linewidth=2.5, label="OLS line")
    if smooth:
        ax.plot(grid, loess(data["ses"], data["mathach"], grid), color=LOESS, linewidth=2.5,
                linestyle="--", label="LOESS curve")
    ax.set(xlabel=SES, ylabel=ACHIEVEMENT)
    if title:
        ax.set_title(title)
    return ax


def school_panels(data, columns=4, height=820):
    """One panel per school, each with its students, its OLS line and its LOESS curve.

    Parameters
    ----------
    data : pandas.DataFrame
        With columns ``schid``, ``ses`` and ``mathach``.
    columns : int, default 4
        Panels in a row.
    height : int, default 820
        Of the figure, in pixels.

    Returns
    -------
    plotly.graph_objects.Figure
        Pointing at a student names the school, SES and achievement.

    Raises
    ------
    KeyError
        A column is not there.

    Examples
    --------
    >>> import mlm
    >>> figure = mlm.figures.school_panels(mlm.load_hsb()[:100])
    >>> [title.text for title in figure.layout.annotations]
    ['1224', '1288', '1296', 'SES', 'Achievement']
    """
    schools = data["schid"].unique()
    figure = make_subplots(rows=-(-len(schools) // columns), cols=columns, shared_xaxes="all", shared_yaxes="all",
                           horizontal_spacing=0.02, vertical_spacing=0.06, subplot_titles=list(schools),
                           x_title="SES", y_title="Achievement")
    for number, school in enumerate(schools):
        one = data[data["schid"] == school]
        where = {"row": number // columns + 1, "col": number % columns + 1}
        grid = np.linspace(one["ses"].min(), one["ses"].max(), 30)
        intercept, slope = ols_line(one["ses"], one["mathach"])
        figure.add_scatter(x=one["ses"].tolist(), y=one["mathach"].tolist(), mode="markers", showlegend=False,
                           marker={"color": "rgba(0,0,0,0)", "size": 5, "line": {"color": POINT, "width": 1}},
                           hovertemplate=f"School {school}<br>SES %{{x}}<br>achievement %{{y}}<extra></extra>", **where)
        figure.add_scatter(x=grid.tolist(), y=loess(one["ses"], one["mathach"], grid).tolist(), mode="lines",
                           line={"color": LOESS, "width": 2, "dash": "dash"}, name="LOESS curve",
                           showlegend=number == 0, hoverinfo="skip", **where)
        figure.add_scatter(x=grid[[0, -1]].tolist(), y=(intercept + slope * grid[[0, -1]]).tolist(), mode="lines",
                           line={"color": OLS, "width": 2}, name="OLS line", showlegend=number == 0,
                           hovertemplate=f"School {school}<br>achievement = {intercept:.2f} + {slope:.2f} × SES"
                                         "<extra></extra>", **where)
    figure.update_annotations(font_size=12)
    figure.update_annotations(selector={"text": "SES"}, yshift=-22)
    figure.update_annotations(selector={"text": "Achievement"}, xshift=-28)
    # Upright: on a phone plotly would turn the labels into the panel below.
    figure.update_xaxes(showline=True, dtick=1, tickangle=0, tickfont_size=10, showticklabels=True)
    figure.update_yaxes(showline=True)
    figure.update_layout(height=height, margin={"l": 50, "t": 60}, legend={"y": 1.04, "yanchor": "bottom"})
    return figure
