"""The static twin of an interactive figure, for print and for pages without JavaScript.

Drawn by matplotlib from the figure's own JSON: no browser is needed, and the twin can't
show other data than the figure. It knows what the site's bundle of plotly can draw of the
Cartesian kind, traces of the types scatter and bar, and refuses the rest by name.
"""

import base64
import html
import io
import itertools
import re

import matplotlib as mpl
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap, to_rgba
from matplotlib.figure import Figure

PIXELS_PER_INCH = 110  # the site's text column, some 715 pixels, becomes 6.5 inches
WIDTH = 6.5
DASHES = {"solid": "-", "dash": "--", "dot": ":", "dashdot": "-.", "longdash": (0, (8, 3)), "longdashdot": (0, (8, 3, 1, 3))}
MARKERS = {"circle": "o", "square": "s", "diamond": "D", "cross": "P", "x": "X", "triangle-up": "^",
           "triangle-down": "v", "star": "*", "hexagon": "h", "line-ns": "|", "line-ew": "_"}
STEPS = {"hv": "steps-post", "vh": "steps-pre", "hvh": "steps-mid"}


def draw(spec):
    """Draw a plotly figure with matplotlib.

    Parameters
    ----------
    spec : dict
        The figure's JSON: ``data`` and ``layout`` (with its template).

    Returns
    -------
    matplotlib.figure.Figure
        Not known to pyplot, so a notebook doesn't show it a second time.

    Raises
    ------
    ValueError
        A trace is neither ``scatter`` nor ``bar``.
    """
    layout = _merged(spec["layout"].get("template", {}).get("layout", {}), spec["layout"])
    traces = [trace for trace in spec["data"] if trace.get("visible", True) is True]
    layout["bar_traces"] = sum(trace.get("type") == "bar" for trace in traces)
    colours = itertools.cycle(layout.get("colorway") or mpl.rcParams["axes.prop_cycle"].by_key()["color"])
    height = layout.get("height", 420) / PIXELS_PER_INCH
    with mpl.rc_context({"figure.constrained_layout.use": False, "font.size": 8, "axes.titlesize": 8, "axes.labelsize": 8,
                         "xtick.labelsize": 7, "ytick.labelsize": 7, "legend.fontsize": 8, "lines.markersize": 4, "xtick.major.size": 3, "ytick.major.size": 3}):
        figure = Figure(figsize=(WIDTH, height), facecolor="none")
        FigureCanvasAgg(figure)
        panels = {pair: _panel(figure, layout, *pair)
                  for pair in dict.fromkeys((t.get("xaxis", "x"), t.get("yaxis", "y")) for t in traces)}
        for ax in panels.values():
            ax.bars = []
        for trace in traces:
            kind = trace.get("type", "scatter").replace("scattergl", "scatter")
            if kind not in TRACES:
                raise ValueError(f"The static twin can't draw a trace of type {kind}: use scatter or bar, or matplotlib.")
            TRACES[kind](panels[trace.get("xaxis", "x"), trace.get("yaxis", "y")], trace, next(colours), layout)
        for pair, ax in panels.items():
            _finish(ax, layout, *pair)
        for shape in layout.get("shapes", []):
            _shape(figure, panels, shape)
        for annotation in layout.get("annotations", []):
            _annotation(figure, panels, layout, annotation)
        if layout.get("title", {}).get("text"):
            figure.suptitle(_plain(layout["title"]["text"]), y=0.99, va="top", fontsize=9)
        _legend(figure, traces, panels, layout)
        return figure


def render(spec):
    """The twin as a PDF (fonts that can be embedded) and as an SVG (text as outlines).

    Returns
    -------
    (bytes, bytes)
        The same for the same figure: without a date.
    """
    figure = draw(spec)
    files = {"pdf": io.BytesIO(), "svg": io.BytesIO()}
    with mpl.rc_context({"pdf.fonttype": 42, "svg.hashsalt": "course", "figure.constrained_layout.use": False}):
        for kind, date in (("pdf", "CreationDate"), ("svg", "Date")):
            figure.savefig(files[kind], format=kind, metadata={date: None}, bbox_inches="tight", pad_inches=0.03, facecolor="none")
    return files["pdf"].getvalue(), files["svg"].getvalue()


def values(data):
    """A trace's numbers or words as an array; plotly writes numeric arrays in base64."""
    if isinstance(data, dict):
        flat = np.frombuffer(base64.b64decode(data["bdata"]), np.dtype(data["dtype"]))
        return flat.reshape([int(n) for n in str(data["shape"]).split(",")]) if "shape" in data else flat
    if any(isinstance(value, str) for value in data):
        return np.array(data, object)
    return np.array([np.nan if value is None else value for value in data], float)


def _merged(base, over):
    """`over` on top of `base`, level by level."""
    if isinstance(base, dict) and isinstance(over, dict):
        return {key: _merged(base.get(key), over.get(key)) if key in base and key in over else over.get(key, base.get(key))
                for key in base | over}
    return base if over is None else over


def _plain(text):
    """plotly's HTML as plain text."""
    return html.unescape(re.sub(r"<[^>]+>", "", re.sub(r"<br\s*/?>", "\n", str(text)))).replace("$", r"\$")


def _colour(value, opacity=None):
    """A CSS colour as RGBA."""
    match = re.fullmatch(r"rgba?\(([^)]*)\)", str(value).replace(" ", ""))
    if match:
        *rgb, alpha = [float(part) for part in match[1].split(",")] + [1.0] * (match[1].count(",") == 2)
        rgba = (*[part / 255 for part in rgb], alpha)
    else:
        rgba = to_rgba(value)
    return rgba[:3] + (rgba[3] * (1 if opacity is None else opacity),)


def _axis(layout, letter, name):
    """An axis' options: plotly calls the second x axis ``x2`` and keeps it under ``xaxis2``."""
    own = layout.get(f"{letter}axis{name[1:]}", {})
    template = layout.get("template", {}).get("layout", {}).get(f"{letter}axis", {})
    return _merged(template, own)


def _panel(figure, layout, x, y):
    """The axes at the place that the layout gives to a pair of plotly's axes."""
    margin = {"l": 80, "r": 80, "t": 100, "b": 80} | layout.get("margin", {})
    width, height = WIDTH * PIXELS_PER_INCH, layout.get("height", 420)
    left, bottom = margin["l"] / width, margin["b"] / height
    inner = (1 - left - margin["r"] / width, 1 - bottom - margin["t"] / height)
    (x0, x1), (y0, y1) = (_axis(layout, letter, name).get("domain", [0, 1]) for letter, name in (("x", x), ("y", y)))
    ax = figure.add_axes((left + x0 * inner[0], bottom + y0 * inner[1], (x1 - x0) * inner[0], (y1 - y0) * inner[1]),
                         facecolor="none", label=x + y)
    ax.spines[["top", "right"]].set_visible(False)
    return ax


def _series(trace):
    """The coordinates of a trace; the missing one counts up."""
    x, y = trace.get("x"), trace.get("y")
    if x is None or y is None:
        given = values(y if x is None else x)
        steps = np.arange(len(given))
        return (steps, given) if x is None else (given, steps)
    return values(x), values(y)


def _errors(ax, trace, x, y, colour):
    for name in ("error_x", "error_y"):
        bar = trace.get(name, {})
        if bar.get("visible", bool(bar.get("array"))) and "array" in bar:
            up = values(bar["array"])
            down = values(bar["arrayminus"]) if bar.get("arrayminus") and not bar.get("symmetric") else up
            ax.errorbar(x, y, **{name.replace("error_", "") + "err": [down, up]}, fmt="none",
                        ecolor=_colour(bar.get("color", colour)), elinewidth=bar.get("thickness", 2) * 0.5,
                        capsize=bar.get("width", 3) * 0.6)


def _scatter(ax, trace, colour, layout):
    x, y = _series(trace)
    opacity, line, marker = trace.get("opacity"), trace.get("line", {}), trace.get("marker", {})
    mode = trace.get("mode") or ("lines+markers" if len(x) < 20 else "lines")
    main = line.get("color") or (marker.get("color") if isinstance(marker.get("color"), str) else None) or colour
    fill = trace.get("fill", "none")
    if fill != "none":
        shade = _colour(trace["fillcolor"], opacity) if trace.get("fillcolor") else _colour(main, 0.3)
        if fill == "tonexty" and hasattr(ax, "previous"):
            px, py = ax.previous
            ax.fill(np.concatenate([px, x[::-1]]), np.concatenate([py, y[::-1]]), color=shade, linewidth=0)
        elif fill == "tozeroy":
            ax.fill_between(x, y, color=shade, linewidth=0)
        elif fill == "tozerox":
            ax.fill_betweenx(y, x, color=shade, linewidth=0)
        else:
            ax.fill(x, y, color=shade, linewidth=0)
    ax.previous = x, y
    if "lines" in mode:
        ax.plot(x, y, color=_colour(main, opacity), linewidth=0.75 * line.get("width", 2),
                linestyle=DASHES.get(line.get("dash", "solid"), "-"), drawstyle=STEPS.get(line.get("shape"), "default"))
    if "markers" in mode:
        size = marker.get("size", 6)
        size = (values(size) if isinstance(size, (list, dict)) else size) * 0.7
        own, edge = marker.get("color", main), marker.get("line", {})
        alpha = marker.get("opacity", opacity)
        if isinstance(own, (list, dict)):
            own = values(own)
            face = _scaled(own, marker) if own.dtype != object else [_colour(value, alpha) for value in own]
        else:
            face = [_colour(own, alpha)]
        symbol = marker.get("symbol", "circle")
        symbol = symbol if isinstance(symbol, str) else "circle"
        ax.scatter(x, y, s=np.square(size), c=face, marker=MARKERS.get(symbol.removesuffix("-open"), "o"),
                   edgecolors=_colour(edge["color"], alpha) if isinstance(edge.get("color"), str) else "none",
                   linewidths=edge.get("width", 0) * 0.6 if isinstance(edge.get("width", 0), (int, float)) else 0.6,
                   **({"facecolors": "none"} if symbol.endswith("-open") else {}))
    if "text" in mode and trace.get("text"):
        texts = trace["text"] if isinstance(trace["text"], list) else [trace["text"]] * len(x)
        side = trace.get("textposition", "middle center")
        up = {"top": 1, "bottom": -1}.get(side.split()[0], 0)
        right = {"right": 1, "left": -1}.get(side.split()[-1], 0)
        for xi, yi, text in zip(x, y, texts):
            ax.annotate(_plain(text), (xi, yi), xytext=(4 * right, 4 * up), textcoords="offset points",
                        ha=["center", "left", "right"][right], va=["center", "bottom", "top"][up],
                        color=_colour(trace.get("textfont", {}).get("color", main)))
    _errors(ax, trace, x, y, main)


def _scaled(numbers, marker):
    """Colours of numbers on plotly's colour scale."""
    scale = marker.get("colorscale") or [[0, "#440154"], [1, "#fde725"]]
    if isinstance(scale, str):
        cmap = mpl.colormaps[scale.lower()]
    else:
        cmap = LinearSegmentedColormap.from_list("scale", [(stop, _colour(c)) for stop, c in scale])
    low, high = marker.get("cmin", np.nanmin(numbers)), marker.get("cmax", np.nanmax(numbers))
    return cmap((numbers - low) / ((high - low) or 1))


def _bar(ax, trace, colour, layout):
    x, y = _series(trace)
    marker = trace.get("marker", {})
    across = trace.get("orientation") == "h"
    places, lengths = (y, x) if across else (x, y)
    own = marker.get("color", colour)
    if isinstance(own, (list, dict)):
        own = values(own)
        face = _scaled(own, marker) if own.dtype != object else [_colour(value) for value in own]
    else:
        face = _colour(own, marker.get("opacity", trace.get("opacity")))
    width = trace.get("width", 1 - layout.get("bargap", 0.2))
    if places.dtype == object:
        axis = ax.yaxis if across else ax.xaxis
        axis.update_units(places)
        places = np.asarray(axis.convert_units(places), float)
    elif len(places) > 1 and "width" not in trace:
        width *= np.diff(np.sort(places)).min()
    base = np.zeros(len(lengths))
    if layout.get("barmode", "group") == "group":
        width /= layout["bar_traces"]
        places = places + width * (len(ax.bars) - (layout["bar_traces"] - 1) / 2)
    elif layout["barmode"] in ("stack", "relative"):
        base = sum((bar for bar in ax.bars if len(bar) == len(lengths)), base)
    ax.bars.append(lengths)
    (ax.barh if across else ax.bar)(places, lengths, width, base, color=face)
    _errors(ax, trace, *((lengths, places) if across else (places, lengths)), "#333333")


TRACES = {"scatter": _scatter, "bar": _bar}


def _finish(ax, layout, x, y):
    """Ranges, ticks, titles and grid of a panel."""
    for letter, name, axis, set_lim in (("x", x, ax.xaxis, ax.set_xlim), ("y", y, ax.yaxis, ax.set_ylim)):
        options = _axis(layout, letter, name)
        # Axes that match another one have its range.
        partners = [n for n in _names(layout, letter) if _axis(layout, letter, n).get("matches", n) == options.get("matches", name)]
        ranges = [option["range"] for option in (options, *(_axis(layout, letter, n) for n in partners)) if "range" in option]
        if options.get("type") == "log":
            (ax.set_xscale if letter == "x" else ax.set_yscale)("log")
        if ranges:
            low, high = (10.0 ** np.array(ranges[0]) if options.get("type") == "log" else ranges[0])
            set_lim(low, high)
        elif options.get("autorange") == "reversed":
            (ax.invert_xaxis if letter == "x" else ax.invert_yaxis)()
        elif len(partners) > 1:
            limits = np.array([getattr(other, f"get_{letter}lim")() for other in ax.figure.axes
                               if re.match(rf"(x\d*)(y\d*)", other.get_label())["xy".index(letter) + 1] in partners])
            set_lim(limits[:, 0].min(), limits[:, 1].max())
        if "tickvals" in options:
            axis.set_ticks(values(options["tickvals"]), [_plain(t) for t in options.get("ticktext", options["tickvals"])])
        elif isinstance(options.get("dtick"), (int, float)) and options.get("type") != "log":
            axis.set_major_locator(mpl.ticker.MultipleLocator(options["dtick"]))
        axis.set_tick_params(colors="#333333")
        if not options.get("showticklabels", True):
            axis.set_tick_params(labelleft=False, labelbottom=False)
        if options.get("showgrid"):
            ax.grid(True, axis=letter, linewidth=0.4, color="#cccccc")
        if options.get("zeroline"):
            (ax.axvline if letter == "x" else ax.axhline)(0, color="#999999", linewidth=0.6, zorder=0)
        title = options.get("title", {})
        axis.label.set_text(_plain(title.get("text", "") if isinstance(title, dict) else title))
        if options.get("visible") is False:
            axis.set_visible(False)
            ax.spines["bottom" if letter == "x" else "left"].set_visible(False)


def _names(layout, letter):
    return [letter + key[5:] for key in layout if re.fullmatch(rf"{letter}axis\d*", key)]


def _transform(figure, panels, xref, yref):
    """Where plotly's references ``paper``, ``x``, ``y2`` and ``x domain`` measure."""
    def one(ref, letter):
        name = ref.split()[0]
        for pair, ax in panels.items():
            if name in pair:
                return ax, ax.transAxes if "domain" in ref else ax.transData
        return None, None

    (ax_x, along), (ax_y, up) = one(xref, "x"), one(yref, "y")
    frame = next(iter(panels.values()))
    boxes = [ax.get_position() for ax in panels.values()]
    paper = mpl.transforms.BboxTransformTo(mpl.transforms.TransformedBbox(mpl.transforms.Bbox.union(boxes), figure.transFigure))
    along, up = along or paper, up or paper
    if along is up:
        return along, ax_x or frame
    return mpl.transforms.blended_transform_factory(along, up), ax_x or ax_y or frame


def _shape(figure, panels, shape):
    transform, ax = _transform(figure, panels, shape.get("xref", "x"), shape.get("yref", "y"))
    line = shape.get("line", {})
    style = {"edgecolor": _colour(line.get("color", "#333333"), shape.get("opacity")), "linewidth": 0.75 * line.get("width", 2),
             "linestyle": DASHES.get(line.get("dash", "solid"), "-"), "transform": transform, "clip_on": False}
    (x0, x1), (y0, y1) = ((shape[a], shape[b]) for a, b in (("x0", "x1"), ("y0", "y1")))
    if shape["type"] == "line":
        ax.add_line(mpl.lines.Line2D([x0, x1], [y0, y1], color=style.pop("edgecolor"), **style))
    elif shape["type"] == "rect":
        ax.add_patch(mpl.patches.Rectangle((x0, y0), x1 - x0, y1 - y0, zorder=0, **style,
                                           facecolor=_colour(shape.get("fillcolor", "#00000000"), shape.get("opacity"))))
    else:
        raise ValueError(f"The static twin can't draw a shape of type {shape['type']}: use line or rect.")


def _annotation(figure, panels, layout, note):
    if note.get("visible") is False:
        return
    font = layout.get("font", {}) | note.get("font", {})
    transform, ax = _transform(figure, panels, note.get("xref", "paper"), note.get("yref", "paper"))
    text = {"ha": {"auto": "center"}.get(note.get("xanchor", "center"), note.get("xanchor", "center")),
            "va": {"auto": "center", "middle": "center"}.get(note.get("yanchor", "center"), note.get("yanchor", "center")),
            "color": _colour(font.get("color", "#333333")), "fontsize": 0.62 * font.get("size", 12)}
    arrow = note.get("showarrow", True)
    shift = (0.65 * note.get("ax", -10), -0.65 * note.get("ay", -30)) if arrow else \
        (0.65 * note.get("xshift", 0), 0.65 * note.get("yshift", 0))
    ax.annotate(_plain(note.get("text", "")), (note["x"], note["y"]), xycoords=transform, xytext=shift,
                textcoords="offset points", annotation_clip=False, **text,
                arrowprops={"arrowstyle": "->", "color": text["color"], "linewidth": 0.6} if arrow else None)


def _legend(figure, traces, panels, layout):
    """A legend below the figure, with a sample of each trace that plotly lists."""
    several = len(traces) > 1
    samples = []
    for trace, colour in zip(traces, itertools.cycle(layout.get("colorway", ["#333333"]))):
        if not trace.get("name") or not trace.get("showlegend", several):
            continue
        line, marker = trace.get("line", {}), trace.get("marker", {})
        main = line.get("color") or (marker.get("color") if isinstance(marker.get("color"), str) else None) or colour
        edge = marker.get("line", {}).get("color")
        if trace.get("type") == "bar" or (trace.get("fill", "none") != "none" and line.get("width") == 0):
            samples.append(mpl.patches.Patch(color=_colour(trace.get("fillcolor", main)), label=_plain(trace["name"])))
            continue
        mode = trace.get("mode") or "lines"
        samples.append(mpl.lines.Line2D(
            [], [], label=_plain(trace["name"]), color=_colour(main), linewidth=1.5 if "lines" in mode else 0,
            linestyle=DASHES.get(line.get("dash", "solid"), "-"), marker="o" if "markers" in mode else None,
            markeredgecolor=_colour(edge if isinstance(edge, str) else main)))
    if samples and layout.get("showlegend", True):
        figure.draw_without_rendering()
        inked = [ax.get_tightbbox().transformed(figure.transFigure.inverted()) for ax in panels.values()]
        figure.legend(handles=samples, loc="upper left", ncols=min(len(samples), 4), frameon=False, borderaxespad=0,
                      bbox_to_anchor=(min(box.x0 for box in inked) + 0.05, min(box.y0 for box in inked) - 0.02))
