"""The whole book as Chromium prints it: what PDF/UA asks for, as far as a program can look at it without a checker of its own."""

import os
from collections import Counter

import pikepdf
import pytest
from selectolax.lexbor import LexborHTMLParser

from book.steps import tagged
from book.workspace import CHROMIUM

if not CHROMIUM:
    if os.environ.get("CI"):
        pytest.fail("The PDF with tags needs Chromium (Debian: apt-get install chromium).")
    pytest.skip("needs Chromium (Debian: apt-get install chromium)", allow_module_level=True)


@pytest.fixture(scope="module")
def book(site, tmp_path_factory):
    path = tmp_path_factory.mktemp("tagged") / "book.pdf"
    tagged.write(site, path)
    with pikepdf.open(path) as opened:
        yield opened


@pytest.fixture(scope="module")
def page(site):
    return LexborHTMLParser(tagged.whole(site))


def elements(node):
    """The structure's elements, a parent before its children."""
    kids = node.get("/K", [])
    for kid in kids if isinstance(kids, pikepdf.Array) else [kids]:
        if isinstance(kid, pikepdf.Dictionary) and "/S" in kid:
            yield kid
            yield from elements(kid)


@pytest.fixture(scope="module")
def tree(book):
    return list(elements(book.Root.StructTreeRoot))


def test_the_document_says_what_it_is(book):
    assert book.Root.MarkInfo.Marked and str(book.Root.Lang) == "en" and book.Root.ViewerPreferences.DisplayDocTitle
    assert str(book.docinfo["/Title"]) == "Introduction to Multilevel Modeling" and "/Creator" not in book.docinfo


def test_every_page_is_read_in_the_order_of_its_structure(book):
    assert len(book.pages) > 300
    assert all("/StructParents" in sheet and sheet.get("/Tabs") == "/S" for sheet in book.pages)


def test_every_chapter_stands_in_the_outline_and_has_its_headings(book, page, tree):
    kinds = Counter(str(part.S)[1:] for part in tree)
    titles = [" ".join(part.css_first("h1").text().split()) for part in page.css("article")]
    assert len(titles) == len(tagged.contents()) == kinds["H1"]
    with book.open_outline() as outline:
        assert [entry.title for entry in outline.root] == titles
    for level in ("H2", "H3"):
        assert kinds[level] == len(page.css(level.lower())), level


def test_every_figure_has_its_alternative_text(page, tree):
    told = Counter(str(part.get("/Alt", "")).strip() for part in tree if part.S == "/Figure")
    assert "" not in told
    assert told == Counter(picture.attrs["alt"].strip() for picture in page.css("img"))


def test_tables_have_rows_and_headers(page, tree):
    """But for what statsmodels prints as a table without headers, which Chromium takes for a matter of layout."""
    tables = [[str(part.S) for part in elements(table)] for table in tree if table.S == "/Table"]
    headed = [table for table in page.css("table") if table.css_first("th")]
    assert len(tables) == len(headed) and all("/TR" in parts and "/TH" in parts for parts in tables)
    assert {table.attrs["class"] for table in page.css("table") if not table.css_first("th")} == {"simpletable"}


def test_every_link_is_tagged_and_leads_into_the_book_or_the_web(book, page):
    links = [note for sheet in book.pages for note in sheet.get("/Annots", [])]
    owners = pikepdf.NumberTree(book.Root.StructTreeRoot.ParentTree)
    assert len(links) > 900 and {str(owners[int(note.StructParent)].S) for note in links} == {"/Link"}
    assert all("/Dest" in note or str(note.A.URI).startswith("http") and tagged.HOST not in str(note.A.URI) for note in links)
    names = [part.attrs["id"] for part in page.css("[id]")]
    assert len(names) == len(set(names))
    assert {link.attrs["href"][1:] for link in page.css("a[href^='#']")} <= {*names}


def test_every_font_is_in_the_file(book):
    fonts = [value for value in book.objects if isinstance(value, pikepdf.Dictionary) and value.get("/Type") == "/FontDescriptor"]
    assert fonts and all({"/FontFile", "/FontFile2", "/FontFile3"} & set(font.keys()) for font in fonts)
