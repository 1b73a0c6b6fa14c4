"""The built site, as files: links, anchors, foreign hosts, alt text."""

import re
from urllib.parse import unquote, urldefrag

import pytest
from bs4 import BeautifulSoup

from conftest import ROOT

LEFT_OUT = {"genindex.html", "search.html"}  # made by Sphinx, without content of ours


@pytest.fixture(scope="module")
def pages(site):
    return {path.relative_to(site).as_posix(): BeautifulSoup(path.read_text("utf-8"), "html.parser")
            for path in sorted(site.rglob("*.html")) if path.name not in LEFT_OUT and not {"_static", "slides"} & set(path.parts)}


def test_every_page_of_the_table_of_contents_is_built(pages):
    sources = {path.relative_to(ROOT).with_suffix(".html").as_posix()
               for path in [ROOT / "index.md", *(ROOT / "chapters").glob("*.md")]}
    assert sources <= set(pages)


def test_internal_links_and_anchors_lead_somewhere(site, pages):
    anchors = {name: {tag["id"] for tag in page.find_all(id=True)} for name, page in pages.items()}
    dead = []
    for name, page in pages.items():
        for link in page.find_all("a", href=True):
            target, anchor = urldefrag(link["href"])
            if re.match(r"[a-z]+:", target):
                continue
            path = (site / name).parent / unquote(target) if target else site / name
            path = path.resolve()
            relative = path.relative_to(site.resolve()).as_posix()
            if not path.exists() or (anchor and relative in anchors and unquote(anchor) not in anchors[relative]):
                dead.append((name, link["href"]))
    assert dead == []


def test_files_that_pages_load_are_there(site, pages):
    missing = []
    for name, page in pages.items():
        for tag, attribute in [("script", "src"), ("link", "href"), ("img", "src")]:
            for element in page.find_all(tag, **{attribute: True}):
                address = urldefrag(element[attribute].split("?")[0])[0]
                if not re.match(r"[a-z]+:", address) and not ((site / name).parent / address).exists():
                    missing.append((name, address))
    assert missing == []


def test_no_page_loads_anything_from_another_host(site, pages):
    loaded = [(name, str(element)[:120]) for name, page in pages.items()
              for element in page.find_all(["script", "img", "iframe", "link", "source"])
              if re.match(r"(https?:)?//", element.get("src") or element.get("href") or "")
              and element.get("rel") != ["canonical"]]
    assert loaded == []
    styles = "".join(path.read_text("utf-8") for path in site.rglob("*.css"))
    assert not re.search(r"url\(['\"]?(https?:)?//", styles)


def test_every_picture_has_alt_text_of_ours(pages):
    for name, page in pages.items():
        for picture in page.find_all("img"):
            assert len(picture.get("alt", "")) > 40, (name, picture.get("src"))
        for figure in page.select(".plotly-figure"):
            assert len(figure["aria-label"]) > 40, name


def test_no_name_says_a_word_twice(pages):
    """Such as "Explorer: Explorer: ...", of a role and of a title that names it as well."""
    for name, page in pages.items():
        names = [element.get(kind) for kind in ("aria-label", "title", "alt") for element in page.find_all(attrs={kind: True})]
        names += [element.get_text(" ") for element in page.select("title, h1, h2, h3, h4, summary, button, legend, figcaption, article a")]
        assert [text for text in names if re.search(r"\b(\w{2,})[\s:]+\1\b", text, re.I)] == [], name


def test_the_download_menu_says_what_each_item_does(pages):
    for name, page in pages.items():
        words = [item.get_text(strip=True) for item in page.select(".dropdown-download-buttons .dropdown-item")]
        if words:
            assert words[:2] == ["This page (.md)", "Print this page"] and all(re.match(r"\w[\w ]+", one) for one in words), name
    assert sum(bool(page.select(".dropdown-download-buttons")) for page in pages.values()) > 20


def test_every_figure_has_a_caption(pages):
    for name, page in pages.items():
        for picture in page.select(".cell_output img, .plotly-figure"):
            figure = picture.find_parent("figure")
            assert figure and figure.find("figcaption").get_text(strip=True), name


def test_no_markup_is_left_over(pages):
    for name, page in pages.items():
        text = (page.find("article") or page.body).get_text()
        for leftover in ["np.float64", "{glue", "{ref}", "{eq}", "{term}", "{cite", "```", "nan ", "$$"]:
            assert leftover not in text, (name, leftover)


def test_lines_break_neither_before_a_percent_sign_nor_inside_a_p_value(pages):
    for name, page in pages.items():
        article = BeautifulSoup(str(page.find("article") or page.body), "html.parser")
        for part in article.select("pre, code, .katex, .cell_output, script"):
            part.decompose()
        assert re.findall(r"\d %.{5}|\b[pt] [=<>] ?[.\d]+|\b[pt]\u00a0[=<>] [.\d]+", article.get_text()) == [], name


def test_what_opens_and_closes_is_of_one_kind_and_named_once(pages):
    """Native disclosures whose words say what is inside, and self-checks' options; no id twice."""
    for name, page in pages.items():
        for details in page.select("article details"):
            summary = details.find("summary", recursive=False)
            assert {"fold", "option"} & set(details["class"]) and summary.get_text(strip=True), (name, details)
            assert not summary.find("a") and not summary.get("aria-label") and "Click" not in summary.get_text(), (name, summary)
        ids = [tag["id"] for tag in page.find_all(id=True)]
        assert {one for one in ids if ids.count(one) > 1} == set(), name


def test_the_glossary_has_a_link_to_each_letter(pages):
    page = pages["chapters/glossary.html"]
    letters = [link.get_text() for link in page.select("nav.az a")]
    assert letters == sorted({term.get_text(strip=True)[0].upper() for term in page.select("dl.glossary dt")})


def test_tables_that_are_stacked_on_a_phone_name_their_columns(pages):
    stacked = [(name, cell) for name, page in pages.items() for cell in page.select("table.stacked td")]
    assert len(stacked) > 100
    assert [name for name, cell in stacked if cell["role"] != "cell" or "data-label" not in cell.attrs] == []


def test_the_slides_equations_carry_their_numbers(pages):
    def numbers(name):
        return [tag.get_text().strip("#()") for tag in pages[f"chapters/{name}.html"].select(".eqno")]

    assert [n[0] for n in numbers("fixed-effects") + numbers("model")] == ["1", "2", "3", "4", "5", "6"]


def test_mathematics_is_set_without_a_script(site, pages):
    assert pages["chapters/model.html"].select(".katex .katex-html")
    assert pages["chapters/model.html"].select(".katex math")  # for screen readers
    assert not [path for path in site.rglob("*") if "mathjax" in path.name.lower()]


def test_tables_have_headers_that_say_something(pages):
    for name, page in pages.items():
        for table in page.select("table.statistics"):
            assert all(cell.get_text(strip=True) and cell.get("scope") for cell in table.find_all("th")), name
