"""How results look in a notebook and on the site: numbers for the prose, tables, figures."""

import ast
import copyreg
import hashlib
import html
import io
import itertools
import json
import pickle

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from IPython.core.pylabtools import print_figure
from IPython.display import display
from matplotlib.figure import Figure
from matplotlib.gridspec import GridSpec
from matplotlib.text import Text
from pandas.api.types import is_numeric_dtype
from plotly.utils import PlotlyJSONEncoder

from .formats import decimals, p_value, text

PROBABILITIES = "p", "p_naive"  # columns of p values
PREFIX = "application/papermill.record/"
PHONE = 4  # inches, about as many as the text of a phone is wide


def glue(**values):
    """Keep numbers under names by which the text can quote them; shows nothing.

    The text quotes a number by MyST's role ``glue:text``, with ``name:.2f`` in it. The output has the form that
    ``myst_nb.glue`` gives it; here NumPy scalars become plain numbers first, since
    the text could not format their representation, and the last digits, which differ
    from processor to processor, are left out.

    Parameters
    ----------
    **values
        The values, by name.

    Returns
    -------
    None

    Examples
    --------
    >>> import mlm
    >>> mlm.glue(gamma10=2.19)
    {'application/papermill.record/text/plain': '2.19'}
    """
    for name, value in values.items():
        value = value.item() if isinstance(value, np.generic) else value
        value = float(f"{value:.10g}") if isinstance(value, float) else value
        display({PREFIX + "text/plain": repr(value)}, raw=True,
                metadata={"scrapbook": {"name": name, "mime_prefix": PREFIX}})


def written(value, column, precision):
    """A cell as text: p values as APA style has them, small numbers with two digits rather than as 0."""
    if not isinstance(value, (float, np.floating)):
        return value
    if np.isnan(value):
        return ""
    if column in PROBABILITIES and 0 <= value <= 1:
        return p_value(value)
    # what is smaller is a rounding error
    return text(value, decimals(value, precision) if 1e-8 < abs(value) < 0.5 * 0.1**precision else precision)


def frame_to_html(frame, precision=None):
    """A data frame as a table that a screen reader can follow.

    pandas' own table has empty header cells and no row headers' scope. With
    ``frame.attrs["row_groups"]`` the first level of row labels becomes headings.
    """
    precision = pd.get_option("display.precision") if precision is None else precision
    limit = pd.get_option("display.max_rows")
    cut = limit and len(frame) > limit and not frame.attrs.get("row_groups")
    shown = pd.concat([frame.head(limit // 2), frame.tail(limit // 2)]) if cut else frame

    def cell(value, numeric, name):
        kind = "" if numeric else ' class="text"'
        return f"<td{kind}>{html.escape(str(written(value, name, precision)))}</td>"

    def heading(name, scope):
        name = " ".join(map(str, name)) if isinstance(name, tuple) else str(name)
        return f'<th scope="{scope}">{html.escape(name)}</th>'

    grouped = shown.attrs.get("row_groups", False)
    levels = shown.index.names[grouped:]
    corner = "".join(heading(name, "col") if name is not None else "<td></td>" for name in levels)
    head = corner + "".join(heading(name, "col") for name in shown.columns)
    numeric = [is_numeric_dtype(dtype) for dtype in shown.dtypes]
    rows, group = [], None
    for label, row in zip(shown.index, shown.itertuples(index=False, name=None)):
        labels = label if isinstance(label, tuple) else (label,)
        if grouped and labels[0] != group:
            group = labels[0]
            width = len(levels) + len(numeric)
            rows.append(f'<tr class="part"><th scope="rowgroup" colspan="{width}">{html.escape(group)}</th></tr>')
        labels = labels[grouped:]
        rows.append("<tr>" + "".join(heading(part, "row") for part in labels)
                    + "".join(map(cell, row, numeric, shown.columns)) + "</tr>")
    if cut:
        gap = f'<tr><td colspan="{len(levels) + len(numeric)}">… {len(frame) - len(shown)} rows …</td></tr>'
        rows.insert(limit // 2, gap)
    return ('<table class="statistics"><thead><tr>' + head + "</tr></thead><tbody>"
            + "".join(rows) + "</tbody></table>")


class _Pickler(pickle.Pickler):
    """Python 3.14 no longer pickles the counter that matplotlib gives to an axis of names."""

    dispatch_table = copyreg.dispatch_table | {itertools.count: lambda counter: (itertools.count, ast.literal_eval(f"({repr(counter)[6:-1]},)"))}


def _copied(figure):
    """A figure's copy, by way of its bytes: it has no other."""
    file = io.BytesIO()
    _Pickler(file).dump(figure)
    return pickle.loads(file.getvalue())


def narrow(figure):
    """The same figure for a phone: panels of a row one below the other, legends above, no letter below 10 points.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        Is left as it is.

    Returns
    -------
    matplotlib.figure.Figure
        Of `PHONE` inches.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from mlm.notebook import narrow
    >>> figure, axes = plt.subplots(1, 2)
    >>> [axes.get_subplotspec().rowspan.start for axes in narrow(figure).axes]
    [0, 1]
    >>> plt.close(figure)
    """
    copy = _copied(figure)
    plt.close(copy)  # pyplot would show it too
    width, height = copy.get_size_inches()
    panels = [axes for axes in copy.axes if axes.get_subplotspec()]
    if len(panels) > 1:
        grid = panels[0].get_gridspec()
        columns = 1 if grid.nrows == 1 else min(grid.ncols, round(grid.ncols * PHONE / width))
        rows = -(-len(panels) // columns)
        height *= rows / grid.nrows * (0.8 if columns < grid.ncols else 1)
        for number, (axes, place) in enumerate(zip(panels, GridSpec(rows, columns, figure=copy))):
            axes.set_subplotspec(place)
            if axes.get_shared_y_axes().joined(axes, panels[0]):
                axes.tick_params(labelleft=number % columns == 0)
                axes.set_ylabel(panels[0].get_ylabel() if number % columns == 0 else "")
            if columns > 1 and axes.get_shared_x_axes().joined(axes, panels[0]):
                axes.tick_params(labelbottom=number + columns >= len(panels))
        if len({axes.get_xlabel() for axes in panels} - {""}) == 1 and columns == 1:  # once, below all
            panels[-1].set_xlabel("".join({axes.get_xlabel() for axes in panels}))
            for axes in panels[:-1]:
                axes.set_xlabel("")
    for legend in [*copy.legends, *filter(None, (axes.get_legend() for axes in copy.axes))]:
        names = [name.get_text() for name in legend.get_texts()]
        copy.legend(legend.legend_handles, names, title=legend.get_title().get_text() or None, loc="outside upper left",
                    ncols=2 if len(max(names, key=len)) < 15 else 1)
        legend.remove()
    copy.draw_without_rendering()  # else axes don't yet know their numbers
    for letters in copy.findobj(Text):
        smallest = 14 if {"_", "^"} & set(letters.get_text()) else 10  # an index has 0.7 of its letter's size
        letters.set_fontsize(max(smallest, letters.get_fontsize()))
    copy.set_size_inches(PHONE, height)
    return copy


def figure_to_svg(figure):
    """A figure for the site, whose variant for phones is kept in its description until the site is finished."""
    variant = print_figure(narrow(figure), "svg", metadata={"Date": None})
    return print_figure(figure, "svg", metadata={"Date": None, "Description": variant})


def show(figure, alt, *, still, table=None):
    """Show a plotly figure on the site and in JupyterLab, and its still on paper.

    Parameters
    ----------
    figure : plotly.graph_objects.Figure
        Of scatters and bars, which the site's bundle of plotly can draw.
    alt : str
        What somebody who can't see the figure needs in order to follow the argument.
    still : matplotlib.figure.Figure
        The same data as a picture, for paper and for readers without JavaScript. It is
        closed, so that the notebook doesn't show it a second time.
    table : pandas.DataFrame, optional
        What the figure tells those who point at it, for those who can't. Folded on the site.

    Returns
    -------
    None

    Raises
    ------
    ValueError
        There is no alt text, or a trace of another type.
    TypeError
        The still is no figure of matplotlib's.

    Notes
    -----
    No stock renderer serves: each puts the whole library into every page or asks a
    foreign host for it. The page gets the figure's data; one script of the site draws it.
    All forms are always given, since outputs are kept from build to build.

    Examples
    --------
    >>> import matplotlib.pyplot as plt, mlm, plotly.graph_objects as go
    >>> still, ax = plt.subplots()
    >>> lines = ax.plot([0, 1], [0, 2])
    >>> mlm.show(go.Figure(go.Scatter(x=[0, 1], y=[0, 2])), alt="A line that rises from 0 to 2.", still=still)
    ... # doctest: +ELLIPSIS
    {'text/html': '<div class="plotly-figure"...
    """
    if not alt.strip():
        raise ValueError("An interactive figure needs alt text: show(figure, alt='…', still=…).")
    if not isinstance(still, Figure):
        raise TypeError("An interactive figure needs a still: show(figure, alt='…', still=a figure of matplotlib's).")
    others = {trace.type for trace in figure.data} - {"scatter", "bar"}
    if others:
        raise ValueError(f"The site can't draw {', '.join(sorted(others))}: use scatter or bar, or matplotlib.")
    # Part by part: a whole figure writes its numbers in base64. To 4 digits: finer than a pixel, and the same on every processor.
    spec = json.loads(json.dumps({"data": figure.data, "layout": figure.layout}, cls=PlotlyJSONEncoder),
                      parse_float=lambda number: float(f"{float(number):.4g}"))
    digest = hashlib.sha256(json.dumps(spec["data"]).encode()).hexdigest()[:16]
    # A script element ends at the first "</": JSON may write it as "<\/".
    element = (f'<div class="plotly-figure" role="group" aria-label="{html.escape(alt)}" '
               f'style="--figure-height: {figure.layout.height or 420}px"><script type="application/json">'
               + json.dumps(spec).replace("</", "<\\/") + "</script></div>")
    if table is not None:
        with pd.option_context("display.max_rows", None):
            element += ('<details class="figure-data"><summary>The figure’s data as a table</summary><div class="scroll" tabindex="0" '
                        f'role="group" aria-label="The figure’s data">{frame_to_html(table)}</div></details>')
    display({"text/html": element, "application/vnd.plotly.v1+json": spec,
             "image/svg+xml": figure_to_svg(still),
             "application/pdf": print_figure(still, "pdf", base64=True, metadata={"CreationDate": None}),
             "text/plain": f"Interactive figure, data {digest}: {alt}"}, raw=True)
    plt.close(still)
