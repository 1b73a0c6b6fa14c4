"""What the figures draw, and how results are shown."""

import base64
import html
import json
import re
from xml.etree import ElementTree

import jupytext
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest
from bs4 import BeautifulSoup

import mlm
from conftest import ROOT
from mlm import figures, notebook, tables
from test_browser import browser  # noqa: F401 (a fixture)


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


def test_scatter_draws_the_least_squares_line(hsb):
    school = hsb[hsb["schid"] == "1224"]
    x, y = figures.scatter_with_lines(school).lines[0].get_data()
    assert (y[-1] - y[0]) / (x[-1] - x[0]) == pytest.approx(2.508582, abs=1e-6)


@pytest.fixture(autouse=True)
def course_style():
    mlm.use_course_style()
    yield
    plt.close("all")


class Shown(list):
    """Collects what a cell would display."""

    def __call__(self, data, raw, metadata=None):
        self.append((data, metadata))


@pytest.fixture
def shown(monkeypatch):
    collected = Shown()
    monkeypatch.setattr(notebook, "display", collected)
    return collected


def line(y=(1, 2)):
    """An interactive figure of one line, and its still."""
    still, ax = plt.subplots()
    ax.plot([1, 2], y)
    return {"figure": go.Figure().add_scatter(x=np.array([1, 2]), y=np.array(y)), "still": still}


def test_show_gives_every_form_once(shown):
    for _ in range(2):
        mlm.show(**line([1 / 3, 2]), alt='A line & "points" </script>', table=pd.DataFrame({"n": range(100)}))
    (data, _), (again, _) = shown
    assert set(data) == {"text/html", "text/plain", "image/svg+xml", "application/pdf", "application/vnd.plotly.v1+json"}
    assert data == again  # the same bytes from build to build
    pdf = base64.b64decode(data["application/pdf"])
    assert pdf.startswith(b"%PDF") and b"CreationDate" not in pdf
    assert "<svg" in data["image/svg+xml"] and "<dc:date>" not in data["image/svg+xml"]
    assert not plt.get_fignums()  # else the notebook would show the still too
    page = BeautifulSoup(data["text/html"], "html.parser")
    spec = json.loads(page.find("script").string)
    assert spec == data["application/vnd.plotly.v1+json"]
    assert spec["data"][0]["y"] == [0.3333, 2.0]  # plain numbers, not plotly's base64, whose digits vary with the processor
    assert page.div["aria-label"] == 'A line & "points" </script>'
    assert len(page.select("details tbody tr")) == 100  # not cut: it stands for pointing at each


def test_the_digest_changes_with_the_data(shown):
    for y in ([1, 2], [1, 2], [1, 3]):
        mlm.show(**line(y), alt="the same")
    same, again, other = (data["text/plain"] for data, _ in shown)
    assert same == again != other


def test_a_figure_without_alt_text_or_still_is_refused():
    with pytest.raises(ValueError, match="needs alt text"):
        mlm.show(**line(), alt=" ")
    with pytest.raises(TypeError, match="needs a still"):
        mlm.show(**line() | {"still": plt.gca()}, alt="A line.")
    with pytest.raises(TypeError, match="'still'"):
        mlm.show(line()["figure"], alt="A line.")


def test_a_trace_that_the_site_cannot_draw_is_named():
    with pytest.raises(ValueError, match="scattergl"):
        mlm.show(**line() | {"figure": go.Figure().add_scattergl(x=[1], y=[1])}, alt="A point.")


INTERACTIVE = [path for path in sorted((ROOT / "chapters").glob("*.md")) if "mlm.show(" in path.read_text("utf-8")]


def in_order(rows):
    return np.array(sorted(map(tuple, rows)))


@pytest.mark.parametrize("chapter", INTERACTIVE, ids=lambda path: path.stem)
def test_the_still_shows_the_same_points_and_lines(chapter, shown, monkeypatch):
    pairs = []
    monkeypatch.setattr(mlm, "show", lambda figure, alt, *, still, table=None: pairs.append((figure, still)))
    monkeypatch.setattr(plt, "show", lambda: None)
    cells = [cell.source for cell in jupytext.read(chapter).cells if cell.cell_type == "code"]
    last = max(number for number, source in enumerate(cells) if "mlm.show(" in source)
    names = {"display": lambda *_: None}
    for source in cells[:last + 1]:
        exec(source, names)
    assert pairs
    for figure, still in pairs:
        points = [xy for trace in figure.data if "markers" in trace.mode for xy in zip(trace.x, trace.y)]
        lines = [(trace.x[0], trace.x[-1], trace.y[0], trace.y[-1]) for trace in figure.data if "lines" in trace.mode]
        artists = [line for ax in still.axes for line in ax.lines
                   if line.get_transform() is ax.transData and len(line.get_xdata())]  # no axhline, no sample of a legend
        drawn = [xy for ax in still.axes for scatter in ax.collections for xy in scatter.get_offsets() if len(scatter.get_offsets()) > 1]
        drawn += [xy for line in artists if line.get_marker() != "None" for xy in line.get_xydata()]
        assert in_order(drawn) == pytest.approx(in_order(points))
        assert in_order([line.get_xydata()[[0, -1]].T.ravel() for line in artists if line.get_linestyle() != "None"]) \
            == pytest.approx(in_order(lines))


def letters_on(pixels, svg):
    """Heights of a picture's letters, indices included, where it is shown so many pixels wide or, if it is smaller, as it is."""
    picture = ElementTree.fromstring(svg)
    width = float(picture.get("width").removesuffix("pt")) * 4 / 3
    sizes = []
    for group in picture.iter("{http://www.w3.org/2000/svg}g"):
        if size := re.search(r"scale\(([\d.]+) -[\d.]+\)$", group.get("transform", "")):  # matplotlib's text: outlines for 100 points
            inner = [re.search(r"scale\(([\d.]+)\)$", glyph.get("transform", "")) for glyph in group]
            sizes += [float(size[1]) * 100 * 4 / 3 * (float(scale[1]) if scale else 1) for scale in inner]
    return min(1, pixels / width) * np.array(sizes)


def test_the_variant_for_phones_stacks_panels_and_has_legible_letters():
    fig, axes = plt.subplots(1, 2, figsize=(7, 3), sharey=True)
    axes[0].plot([1, 2], label="a line")
    axes[0].set(xlabel="$u_{1j}$", ylabel="Achievement")
    axes[0].legend(fontsize="xx-small")
    before = fig.axes[1].get_position().bounds
    svg = notebook.figure_to_svg(fig)
    variant = html.unescape(re.search("<dc:description>(.*?)</dc:description>", svg, re.S)[1])
    assert min(letters_on(358, variant)) >= 11 > min(letters_on(358, svg))
    copy = notebook.narrow(fig)
    copy.draw_without_rendering()
    first, second = (ax.get_position() for ax in copy.axes)
    assert first.y0 > second.y1 and first.x0 == pytest.approx(second.x0)
    assert [ax.get_ylabel() for ax in copy.axes] == ["Achievement"] * 2 and [ax.get_xlabel() for ax in copy.axes] == ["", "$u_{1j}$"]
    assert copy.legends[0].get_window_extent().y0 >= first.transformed(copy.transFigure).y1  # touches no data
    assert plt.get_fignums() == [fig.number] and axes[0].get_legend() and fig.axes[1].get_position().bounds[1] == pytest.approx(before[1], abs=0.1)


def test_letters_of_every_figure_are_legible_on_a_phone(site):
    small, seen = {}, 0
    for path in sorted(site.rglob("*.html")):
        for image in BeautifulSoup(path.read_text("utf-8"), "html.parser").select("img[src*='_images/'][src$='.svg']"):
            source = image.find_previous_sibling("source")
            served = path.parent / (source["srcset"] if source else image["src"])
            heights = letters_on(358, served.read_text("utf-8"))
            seen += 1
            if len(heights) and min(heights) < 11:
                small[path.stem, served.name[:8]] = round(min(heights), 1)
    assert seen > 40 and small == {}


# Of a picture that matplotlib has written: which letters leave it, and which legends and labels lie on what is drawn.
LAID_OUT = r"""() => {
    const picture = document.querySelector("svg"), frame = picture.getBoundingClientRect(), found = {outside: [], covered: {}};
    const around = (boxes) => ({left: Math.min(...boxes.map(b => b.left)), top: Math.min(...boxes.map(b => b.top)),
        right: Math.max(...boxes.map(b => b.right)), bottom: Math.max(...boxes.map(b => b.bottom))});
    const box = (part) => around([...part.querySelectorAll("use, path")].filter(one => !one.closest("defs")).map(one => one.getBoundingClientRect()));
    const apart = (a, b) => a.left >= b.right || a.right <= b.left || a.top >= b.bottom || a.bottom <= b.top;
    const words = (part) => [...part.querySelectorAll("g")].concat(part).flatMap(one => [...one.childNodes])
        .filter(node => node.nodeType === Node.COMMENT_NODE).map(node => node.data.trim()).join(", ");
    const letters = [...picture.querySelectorAll("g[id^=text_]")].filter(text => text.querySelector("use"));
    for (const text of letters) {
        const {left, top, right, bottom} = box(text);
        if (left < frame.left || top < frame.top || right > frame.right || bottom > frame.bottom) found.outside.push(words(text));
    }
    const labels = letters.filter(text => !text.closest("g[id^='matplotlib.axis'], g[id^=legend]"));
    const kept = [...labels, ...picture.querySelectorAll("g[id^=legend_]")].map(part => [words(part), box(part)]);
    for (const mark of picture.querySelectorAll("g[id^=axes_] > :is([id^=patch], [id^=line2d], g[id*=Collection]) :is(path, use)")) {
        if (mark.closest("defs")) continue;
        const {fill, stroke} = getComputedStyle(mark);
        if (fill === "none" && stroke === "none" && mark.tagName === "path") continue;
        const clip = mark.closest("[clip-path]")?.getAttribute("clip-path").slice(5, -1);
        const {x, y, width, height} = clip ? picture.querySelector(`#${clip} > *`).getBBox() : {x: -1e6, y: -1e6, width: 2e6, height: 2e6};
        const matrix = picture.getScreenCTM(), place = (x, y) => new DOMPoint(x, y).matrixTransform(matrix);
        const [a, b] = [place(x, y), place(x + width, y + height)], whole = mark.getBoundingClientRect();
        const shown = {left: Math.max(whole.left, a.x), top: Math.max(whole.top, a.y), right: Math.min(whole.right, b.x), bottom: Math.min(whole.bottom, b.y)};
        for (const [name, label] of kept) {
            let hit = shown.left <= shown.right && shown.top <= shown.bottom && !apart(shown, label);
            if (hit && mark.tagName === "path" && fill === "none") { // of a line its own course counts
                hit = false;
                for (let at = 0; at <= mark.getTotalLength() && !hit; at++) {
                    const {x, y} = mark.getPointAtLength(at).matrixTransform(mark.getScreenCTM());
                    hit = x > Math.max(label.left, a.x) && x < Math.min(label.right, b.x) && y > Math.max(label.top, a.y) && y < Math.min(label.bottom, b.y);
                }
            }
            if (hit) (found.covered[name] ??= []).push(mark.closest("g[id]").id);
        }
    }
    return found;
}"""


def laid_out(page, svg):
    page.set_content(svg[svg.index("<svg"):])
    return page.evaluate(LAID_OUT)


@pytest.fixture
def page(browser):  # noqa: F811
    page = browser.new_page()
    yield page
    page.close()


@pytest.mark.parametrize("draw, found", [
    (lambda ax: ax.plot([0, 1], [0, 1], label="a line") and ax.legend(loc="center"), {"outside": [], "covered": ["a line"]}),
    (lambda ax: ax.plot([0, 1], [0, 1], label="a line") and ax.legend(loc="upper left"), {"outside": [], "covered": []}),
    (lambda ax: ax.bar([0, 1], [1, 1]) and ax.text(0, 0.5, "high"), {"outside": [], "covered": ["high"]}),
    (lambda ax: ax.scatter([0, 1], [0, 1]) and ax.text(1, 1, "top", ha="center", va="center"), {"outside": [], "covered": ["top"]}),
    (lambda ax: ax.scatter([0, 1], [0, 1]) and ax.text(0.5, 0.5, "middle"), {"outside": [], "covered": []}),
    (lambda ax: ax.set_xlabel("far below", labelpad=30), {"outside": ["far below"], "covered": []}),
])
def test_what_lies_on_data_or_outside_is_seen(page, draw, found, tmp_path):
    fig, ax = plt.subplots(layout="none")
    draw(ax)
    fig.savefig(tmp_path / "figure.svg")
    seen = laid_out(page, (tmp_path / "figure.svg").read_text("utf-8"))
    assert {"outside": seen["outside"], "covered": list(seen["covered"])} == found


def test_legends_and_labels_of_every_figure_touch_no_data_and_no_letter_is_cut(site, page):
    found, seen = {}, 0
    for path in sorted(site.rglob("*.html")):
        for image in BeautifulSoup(path.read_text("utf-8"), "html.parser").select("img[src*='_images/'][src$='.svg']"):
            for source in [image["src"], *(variant["srcset"] for variant in image.find_previous_siblings("source"))]:
                result = laid_out(page, (path.parent / source).read_text("utf-8"))
                seen += 1
                if result["outside"] or result["covered"]:
                    found[path.stem, source[-14:], image["alt"][:40]] = result
    assert seen > 90 and found == {}


def test_no_letter_of_an_interactive_figure_is_cut_or_lies_on_another_on_a_phone(site, page):
    wrong, seen = {}, 0
    page.set_viewport_size({"width": 390, "height": 800})
    for path in [path for path in sorted(site.rglob("*.html")) if 'class="plotly-figure"' in path.read_text("utf-8")]:
        page.goto(path.as_uri())
        for figure in page.locator(".plotly-figure").all():
            figure.scroll_into_view_if_needed()
            figure.locator(".infolayer").first.wait_for(state="attached")
            letters, bad = figure.evaluate("""figure => {
                const frame = figure.querySelector(".main-svg").getBoundingClientRect();
                const letters = [...figure.querySelectorAll(".main-svg text")].map(text => [text.textContent, text.getBoundingClientRect()]);
                return [letters.length, letters.filter(([, one], i) =>
                    one.left < frame.left - 1 || one.right > frame.right + 1 || one.top < frame.top - 1 || one.bottom > frame.bottom + 1 ||
                    letters.some(([, two], j) => i !== j && one.left < two.right - 2 && two.left < one.right - 2 && one.top < two.bottom - 4 && two.top < one.bottom - 4))
                    .map(([words]) => words)];
            }""")
            seen += letters > 5
            if bad:
                wrong[path.stem] = bad
    assert seen >= 4 and wrong == {}


@pytest.mark.parametrize("mode, canvas", [("light", "dark"), ("dark", "light")])
def test_figures_have_a_ground_of_their_own_where_the_system_chooses_colours(site, page, mode, canvas):
    """The system's page may be dark where the course's mode is light."""
    page.emulate_media(forced_colors="active", color_scheme=canvas)
    page.goto((site / "chapters/shrinkage.html").as_uri())
    page.evaluate("mode => document.documentElement.dataset.theme = mode", mode)
    page.locator(".plotly-figure").scroll_into_view_if_needed()
    page.locator(".infolayer").first.wait_for(state="attached")
    looks = page.evaluate("""[...document.querySelectorAll("article .cell_output img, .plotly-figure .main-svg:first-child")].filter(part => part.checkVisibility())
        .map(part => getComputedStyle(part)).map(({backgroundColor, filter}) => [backgroundColor, filter !== "none"])""")
    assert len(looks) > 1 and all(look == ["rgb(255, 255, 255)", mode == "dark"] for look in looks)  # turned round with the figure


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
