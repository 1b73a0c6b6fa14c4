"""The whole book as Chromium prints it: what PDF/UA asks for, as far as a program can look at it without a checker of its own."""

import os
from collections import Counter

import pikepdf
import pytest
from selectolax.lexbor import LexborHTMLParser

from book.steps import tagged
from book.workspace import CHROMIUM, CONFIG
from test_browser import PAGES

if not CHROMIUM:
    if os.environ.get("CI"):
        pytest.fail("The PDF with tags needs Chromium (Debian: apt-get install chromium).")
    pytest.skip("needs Chromium (Debian: apt-get install chromium)", allow_module_level=True)


@pytest.fixture(scope="module")
def path(site, tmp_path_factory):
    path = tmp_path_factory.mktemp("tagged") / "book.pdf"
    tagged.write(site, path)
    return path


@pytest.fixture(scope="module")
def book(path):
    with pikepdf.open(path) as opened:
        yield opened


@pytest.fixture(scope="module")
def page(site):
    return LexborHTMLParser(tagged.whole(site))


@pytest.fixture(scope="module")
def tree(book):
    return list(tagged.elements(book.Root.StructTreeRoot))


@pytest.fixture(scope="module")
def kinds(tree):
    return Counter(str(part.S)[1:] for part in tree)


def test_no_page_is_left_out(site):
    assert sorted(tagged.pages(site)) == sorted(PAGES)


def test_the_document_says_what_it_is(site, book):
    language = LexborHTMLParser((site / "index.html").read_text("utf-8")).css_first("html").attrs["lang"]
    assert book.Root.MarkInfo.Marked and str(book.Root.Lang) == language and book.Root.ViewerPreferences.DisplayDocTitle
    assert str(book.docinfo["/Title"]) == CONFIG["title"] and "/Creator" not in book.docinfo


def test_every_chapter_stands_in_the_outline_and_has_its_headings_and_lists(book, page, kinds):
    titles = [" ".join(part.css_first("h1").text().split()) for part in page.css("article")]
    assert len(titles) == len(PAGES) == kinds["H1"]
    with book.open_outline() as outline:
        assert [entry.title for entry in outline.root] == titles
    for tag, kind in {"h2": "H2", "h3": "H3", "li": "LI"}.items():
        assert kinds[kind] == len(page.css(tag)), tag


def test_figures_and_formulas_are_read_in_the_order_of_the_pages_by_their_alternative_texts(book, page, tree):
    assert all(sheet.get("/Tabs") == "/S" for sheet in book.pages)
    told = [(str(element.S), " ".join(str(element.get("/Alt", "")).split())) for element in tree if element.S in ("/Figure", "/Formula")]
    there = [("/Figure", " ".join(part.attrs["alt"].split())) if part.tag == "img" else ("/Formula", part.attrs["aria-label"])
             for part in page.css("img, .katex")]
    assert ("/Figure", "") not in told and len(told) == len(there)
    assert next((pair for pair in zip(told, there) if pair[0] != pair[1]), None) is None


def test_tables_have_rows_and_headers(page, tree):
    """But for what statsmodels prints as a table without headers, which Chromium takes for a matter of layout."""
    tables = [[str(part.S) for part in tagged.elements(table)] for table in tree if table.S == "/Table"]
    headed = [table for table in page.css("table") if table.css_first("th")]
    assert len(tables) == len(headed) and all("/TR" in parts and "/TH" in parts for parts in tables)
    assert {table.attrs["class"] for table in page.css("table") if not table.css_first("th")} == {"simpletable"}


def test_every_link_is_tagged_and_leads_into_the_book_or_the_web(book, page):
    links = [note for sheet in book.pages for note in sheet.get("/Annots", [])]
    owners = pikepdf.NumberTree(book.Root.StructTreeRoot.ParentTree)
    assert links and {str(owners[int(note.StructParent)].S) for note in links} == {"/Link"}
    assert not any("/A" in note and tagged.HOST in str(note.A.URI) for note in links)
    names = [part.attrs["id"] for part in page.css("[id]")]
    assert len(names) == len(set(names))
    assert {link.attrs["href"][1:] for link in page.css("a[href^='#']")} <= {*names}


def test_every_font_is_in_the_file(book):
    fonts = [value for value in book.objects if isinstance(value, pikepdf.Dictionary) and value.get("/Type") == "/FontDescriptor"]
    assert fonts and all({"/FontFile", "/FontFile2", "/FontFile3"} & set(font.keys()) for font in fonts)


def test_what_the_site_offers_makes_no_other_book(site):
    """Or it would be another one once it is on the site."""
    page = LexborHTMLParser((site / "index.html").read_text("utf-8"))
    before = tagged.article("index", LexborHTMLParser(page.html), ["index"])
    offer = page.css_first("li:has(a[href*='downloads/'])")
    offer.insert_after(LexborHTMLParser('<li><a href="downloads/other.pdf">A PDF</a></li>', is_fragment=True).root.child)
    assert "other.pdf" in page.html and tagged.article("index", page, ["index"]) == before


def test_a_missing_picture_is_named(site, tmp_path, monkeypatch):
    monkeypatch.setattr(tagged, "whole", lambda site: "<img src='_images/none.svg'><img src='https://nowhere.example/a.png'>")
    with pytest.raises(FileNotFoundError, match="none.svg, https://nowhere.example/a.png"):
        tagged.write(site, tmp_path / "book.pdf")
    assert not list(tmp_path.iterdir())
