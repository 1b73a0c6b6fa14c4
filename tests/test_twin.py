"""The static twin of an interactive figure shows the figure's data."""

import base64
import json

import numpy as np
import plotly.graph_objects as go
import pytest
from matplotlib.colors import to_hex

import mlm
from mlm import twin
from mlm.notebook import show


def spec(figure):
    mlm.use_course_style()
    return json.loads(go.Figure(figure).to_json())


def test_lines_and_points_are_where_the_data_are():
    figure = twin.draw(spec(go.Figure().add_scatter(x=[1, 2, 4], y=[3, 1, 5], mode="lines", line={"color": "#D55E00"})
                            .add_scatter(x=np.arange(3), y=np.arange(3) ** 2, mode="markers")))
    ax, = figure.axes
    line, = ax.lines
    assert line.get_xydata().tolist() == [[1, 3], [2, 1], [4, 5]] and to_hex(line.get_color()) == "#d55e00"
    assert ax.collections[0].get_offsets().tolist() == [[0, 0], [1, 1], [2, 4]]


def test_bars_stand_side_by_side_or_on_each_other():
    bars = go.Figure().add_bar(x=["a", "b"], y=[1, 2]).add_bar(x=["a", "b"], y=[3, 4])
    side, stack = (twin.draw(spec(go.Figure(bars).update_layout(barmode=mode))).axes[0].patches for mode in ("group", "stack"))
    assert [bar.get_height() for bar in side] == [1, 2, 3, 4] and len({bar.get_x() for bar in side}) == 4
    assert [bar.get_y() for bar in stack] == [0, 0, 1, 2]


def test_panels_titles_and_legend(hsb):
    mlm.use_course_style()
    figure = twin.draw(spec(mlm.figures.school_panels(hsb.head(550))))
    assert len(figure.axes) == 14
    assert {text.get_text() for ax in figure.axes for text in ax.texts} == set(hsb.head(550)["schid"].unique())
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["LOESS curve", "OLS line"]
    assert len({ax.get_ylim() for ax in figure.axes}) == 1  # the panels share their axes


def test_a_trace_that_it_does_not_know_is_named():
    with pytest.raises(ValueError, match="type heatmap"):
        twin.draw(spec(go.Figure().add_heatmap(z=[[1, 2]])))


def test_the_same_figure_gives_the_same_bytes():
    figure = spec(go.Figure().add_scatter(x=[1, 2], y=[1, 2]))
    assert twin.render(figure) == twin.render(figure)


def test_show_gives_every_form(monkeypatch):
    shown = {}
    monkeypatch.setattr("mlm.notebook.display", lambda data, raw: shown.update(data))
    mlm.use_course_style()
    show(go.Figure().add_scatter(x=np.array([1.0, 2.0]), y=np.array([1 / 3, 2])), alt="A line that rises.")
    assert base64.b64decode(shown["application/pdf"]).startswith(b"%PDF")
    assert shown["image/svg+xml"].lstrip().startswith("<?xml")
    data = shown["application/vnd.plotly.v1+json"]["data"][0]
    assert data["y"] == [0.3333, 2.0]  # plain numbers, not plotly's base64, whose digits vary with the processor
