"""The light pages: what they load, their icons, descriptions and cards."""

import base64
import io
import re
from collections import Counter

import pytest
import yaml
from fontTools.ttLib import TTFont
from selectolax.lexbor import LexborHTMLParser

from book.steps import finish, readable, styles
from conftest import ROOT

TITLE = yaml.safe_load((ROOT / "_config.yml").read_text("utf-8"))["title"]


@pytest.fixture(scope="module")
def sources(site):
    return {path.relative_to(site).as_posix(): path.read_text("utf-8") for path in sorted(site.rglob("*.html"))
            if "_static" not in path.parts and path.name != "404.html" and path.parent.name != "slides"}


def test_pages_load_one_style_sheet_one_more_for_formulas_and_wait_for_no_script(sources):
    for name, source in sources.items():
        sheets = re.findall(r'rel="stylesheet" href="([^"?]+)', source)
        wanted = ["_static/site.css", "_static/formulas.css"][:1 + ('class="katex"' in source)]
        assert sheets == ["../" * name.count("/") + sheet for sheet in wanted], name
        blocking = [tag for tag in re.findall(r"<script\b[^>]*\bsrc=[^>]*>", source) if "defer" not in tag]
        assert blocking == [], name


def test_no_icon_library_is_published(site):
    assert not [path for path in site.rglob("*") if "awesome" in path.name or path.suffix in (".ttf", ".map")]


def embedded(css, family):
    """The characters of the fonts of a family that the style sheet holds."""
    faces = re.findall(rf'@font-face\{{[^}}]*font-family:"?{family}[^}}]*base64,([^)]*)\)', css)
    return {code for face in faces for code in TTFont(io.BytesIO(base64.b64decode(face))).getBestCmap()}


def test_every_icon_in_use_is_in_the_font(site, sources):
    """A class of Font Awesome in a page has its rule, and the rule's character is in the font."""
    css = (site / "_static/site.css").read_text("utf-8")
    characters = embedded(css, "Font Awesome")
    styles = {"fa-solid", "fa-lg", "fa-fw", "fa-regular", "fa-brands"}
    for icon in {icon for source in sources.values() for icon in re.findall(r"\bfa-[a-z-]+", source)} - styles:
        code = re.search(rf"\.{icon}:before[^{{}}]*\{{content:\"\\([0-9a-f]+)", css)
        assert code and int(code[1], 16) in characters, icon


def test_the_style_sheet_holds_every_letter_of_the_formulas(site, sources):
    """Of the upright, the italic and the large ones; what is in none of them is no letter but a space."""
    css = (site / "_static/formulas.css").read_text("utf-8")
    letters, italic = Counter(), Counter()
    for formula in [formula for source in sources.values() for formula in LexborHTMLParser(source).css(".katex-html")]:
        letters.update(letter for letter in formula.text() if letter.isprintable())
        italic.update(letter for part in formula.css(".mathnormal") for letter in part.text())
    assert {ord(letter) for letter in italic} <= embedded(css, "KaTeX_Math") and len(italic) > 30
    assert {ord(letter) for letter in letters - italic} <= embedded(css, "KaTeX_(?:Main|Size)") and len(letters) > 60


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_marks_are_taken_off_code_only_where_they_give_no_color(site, sources, theme):
    css = (site / "_static/site.css").read_text("utf-8")
    around, = re.findall(rf"html\[data-theme={theme}\] \.highlight\{{[^}}]*color:(#\w+)\}}", css)
    for name in readable.PLAIN:
        rules = re.findall(rf"html\[data-theme={theme}\] [^{{}}]*\.highlight \.{name}\b[^{{}}]*\{{([^}}]*)\}}", css)
        assert set(rules) <= {f"color:{around}"}, name
    page = LexborHTMLParser(sources["chapters/why.html"])
    assert page.css(".highlight .k") and not page.css(", ".join(f".highlight .{name}" for name in readable.PLAIN))


def test_scripts_of_a_page_keep_their_order():
    page = LexborHTMLParser('<head><title>t</title><link rel="stylesheet" href="_static/a.css?v=1" /><script>x = dataset.theme</script>'
                            '<script src="one.js"></script><script src="_static/fontawesome.js"></script>'
                            '<script>var a</script><script>var a</script><script defer src="two.js"></script></head>')
    finish.lighten_head(page, "", styles.TARGETS)
    assert [script.attrs.get("src") for script in page.css("script")] == [None, "one.js", None, "two.js"]
    assert all("defer" in script.attrs for script in page.css("script[src]"))
    assert [link.attrs["href"] for link in page.css("link")] == ["_static/site.css"]


def test_a_page_of_an_unknown_shape_stops_the_build(tmp_path):
    (tmp_path / "index.html").write_text("<head><title>t</title></head>")
    with pytest.raises(ValueError, match="theme's pages have changed"):
        finish.finish_pages(tmp_path)


def test_pages_say_what_they_are_and_where(site, sources):
    seen = {}
    for name, source in sources.items():
        text, = re.findall(r'<meta name="description" content="([^"]+)"', source)
        assert 20 <= len(text) <= 200 and text not in seen, (name, seen.get(text))
        if text != "This chapter is being written.":
            seen[text] = name
        page = LexborHTMLParser(source)
        shared = {tag.attrs["property"]: tag.attrs["content"] for tag in page.css("meta[property^='og:']")}
        assert shared["og:site_name"] == TITLE and shared["og:title"] and shared["og:description"], name
        assert (site / name).parent.joinpath(shared["og:image"]).is_file(), name
        assert not re.search(r"[\\{}_]", shared["og:description"]), name
        for formula in page.css(".admonition.question .katex"):
            formula.decompose()
        question = page.css_first(".admonition.question > p:not(.admonition-title)")
        assert not question or question.text().split()[:2] == shared["og:description"].split()[:2], name
    assert "of 6</p>" in sources["chapters/why.html"] and "<progress" in sources["chapters/why.html"]


def test_terms_and_equations_have_their_cards(sources):
    for name, source in sources.items():
        wanted = set(re.findall(r'<a class="reference internal" href="[^"#]*#((?:term|equation)-[^"]+)"', source))
        assert set(re.findall(r'<template data-card="([^"]+)">', source)) == wanted, name


def test_pictures_are_short_and_the_same_to_the_eye():
    svg = ('<svg><metadata>\n<rdf/>\n</metadata><path d="M 10.123456 5.0001 L 3 0.125"/><use x="7.987654" '
           'transform="scale(0.015625)"/><text>0.12345</text></svg>')
    assert styles.shorten(svg) == ('<svg><path d="M 10.1 5 L 3 0.1"/><use x="8" transform="scale(0.015625)"/>'
                                 "<text>0.12345</text></svg>")
