"""What the figures draw, and how results are shown."""

import json
import re

import numpy as np
import pandas as pd
import pytest

import mlm
from mlm import figures, notebook, tables


@pytest.mark.parametrize("name", ["first_550", "school_1224", "school_1462", "school_1288", "school_1308", "school_1477"])
def test_loess_equals_r(hsb, reference, name):
    data = hsb.head(550) if name == "first_550" else hsb[hsb["schid"] == name.removeprefix("school_")]
    theirs = reference("loess")[name]
    # The same algorithm; sums in another order leave rounding errors only.
    assert figures.loess(data["ses"], data["mathach"], theirs["x"]) == pytest.approx(theirs["interpolate"], rel=1e-8)


def test_panels_show_every_school_and_student(hsb):
    first = hsb.head(550)
    figure = figures.school_panels(first)
    points = [trace for trace in figure.data if trace.mode == "markers"]
    assert len(points) == 14 and sum(len(trace.x) for trace in points) == 550
    assert sum(bool(trace.showlegend) for trace in figure.data) == 2  # each kind of line once


def test_lines_of_all_schools(hsb):
    lines = figures.ols_lines(hsb).assign(sector="public")
    figure = figures.school_lines(lines, (-1, 1))
    assert len(figure.data) == 160
    assert figure.data[0].y[1] - figure.data[0].y[0] == pytest.approx(2 * lines["slope"].iloc[0])


def test_scatter_draws_the_least_squares_line(hsb):
    school = hsb[hsb["schid"] == "1224"]
    x, y = figures.scatter_with_lines(school).lines[0].get_data()
    assert (y[-1] - y[0]) / (x[-1] - x[0]) == pytest.approx(2.508582, abs=1e-6)


@pytest.fixture(autouse=True)
def course_style():
    mlm.use_course_style()


class Shown(list):
    """Collects what a cell would display."""

    def __call__(self, data, raw, metadata=None):
        self.append((data, metadata))


@pytest.fixture
def shown(monkeypatch):
    collected = Shown()
    monkeypatch.setattr(notebook, "display", collected)
    return collected


def test_an_interactive_figure_carries_its_data_and_alt_text(shown, hsb):
    mlm.show(figures.school_panels(hsb.head(550)), alt='Lines & "points" </script>')
    (data, _), = shown
    spec = json.loads(re.search(r'<script type="application/json">(.*)</script>', data["text/html"])[1])
    assert len(spec["data"]) == len(data["application/vnd.plotly.v1+json"]["data"]) == 42
    assert 'aria-label="Lines &amp; &quot;points&quot; &lt;/script&gt;"' in data["text/html"]


def test_the_digest_changes_with_the_data(shown, hsb):
    first = hsb.head(550)
    for data in (first, first, first.assign(mathach=first["mathach"].where(first.index != 3, 10.0))):
        mlm.show(figures.school_panels(data), alt="the same")
    same, again, other = (data["text/plain"] for data, _ in shown)
    assert same == again != other


def test_a_figure_without_alt_text_is_refused(hsb):
    with pytest.raises(ValueError, match="needs alt text"):
        mlm.show(figures.school_panels(hsb.head(550)), alt=" ")


def test_glued_numbers_are_plain_numbers(shown):
    mlm.glue(mean=np.float64(2.1931963), count=np.int64(160), p="< .001")
    assert [next(iter(data.values())) for data, _ in shown] == ["2.1931963", "160", "'< .001'"]
    assert shown[0][1]["scrapbook"]["name"] == "mean"


def test_tables_have_no_empty_header_and_row_headers():
    html = notebook.frame_to_html(pd.DataFrame({"a<b": [1.5, -2.25], "c": ["x", "&"]}, index=["one", "two"]))
    assert '<th scope="col">a&lt;b</th>' in html and '<th scope="row">one</th>' in html
    assert "<td>\N{MINUS SIGN}2.250</td>" in html and ">&amp;</td>" in html
    assert "<th></th>" not in html


def test_long_tables_are_cut_in_the_middle():
    html = notebook.frame_to_html(pd.DataFrame({"x": range(100)}))
    assert "… 88 rows …" in html and html.count("<tr>") == 14


@pytest.mark.parametrize("p, text", [(0.0004, "< .001"), (0.0123, ".012"), (1.0, "1.000"), (0.0, "< .001")])
def test_p_values_in_apa_style(p, text):
    assert tables.p_value(p) == text


def test_p_values_are_probabilities():
    with pytest.raises(ValueError, match="from 0 to 1"):
        tables.p_value(1.2)
