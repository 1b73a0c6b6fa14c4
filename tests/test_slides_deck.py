"""The deck: it follows the source's slides, its numbers are the chapters', and every slide fits."""

import json
import re

import jupytext
import pytest
from bs4 import BeautifulSoup

import mlm
from book.audit.audit import faults
from book.outputs import glued_values, read_executed
from book.steps import slides
from book.workspace import DECK
from golden import GOLDEN
from test_browser import browser  # noqa: F401  (the fixture)
import wcag

TITLES = [
    "Introduction to Multilevel Modeling", "Preface: Software I", "Preface: Software II", "Preface: Dataset",
    "Why multilevel modelling?", "Preliminaries: Logic of hierarchical linear models I",
    "Preliminaries: Logic of hierarchical linear models II", "Preliminaries: Logic of hierarchical linear models III",
    "Excursion: Fixed effects approach I", "Excursion: Fixed effects approach II", "Random effects approach",
    "Model Equation", "Meaning of the parameters", "A closer look at the random effects and residuals I",
    "A closer look at the random effects and residuals II", "Overview of Multilevel Models", "References"]


@pytest.fixture(scope="module")
def folder(site):
    return site / "slides"


@pytest.fixture(scope="module")
def sections(folder):
    return BeautifulSoup((folder / "index.html").read_text("utf-8"), "html.parser").select("section")


@pytest.fixture(scope="module")
def cells():
    """The cells of each slide, with the outputs of the build."""
    return slides.group_slides(read_executed(DECK))


def test_slides_are_the_sources_one_by_one(sections):
    assert [section.find(["h1", "h2"]).get_text() for section in sections] == TITLES


def test_every_slide_has_notes_and_leads_to_a_chapter(sections):
    for section in sections:
        assert len(section.select_one("aside.notes").get_text(strip=True)) > 60, section["id"]
        assert re.fullmatch(r"\.\./chapters/[\w-]+\.html", section.select_one("footer a")["href"])


def test_figures_have_alt_text_and_nothing_is_left_over(sections, folder):
    pictures = [picture for section in sections for picture in section.find_all("img")]
    assert len(pictures) == 6
    assert all(len(picture["alt"]) > 100 and (folder / picture["src"]).exists() for picture in pictures)
    page = " ".join(section.get_text() for section in sections)
    assert not re.search(r"\{glue|\$|np\.float|\0|Traceback|Warning", page)


def test_equations_carry_the_slides_numbers(sections):
    """Those of the source, and what points to one of them."""
    combined, recalled = sections[11].get_text(), sections[14].get_text()
    assert "Combined: (4) and (5) put into (3)" in combined and "Recall equation (6)" in recalled
    assert [tag.get_text() for section in sections for tag in section.select(".katex-html .tag")] == [
        f"({number})" for number in range(1, 7)]


def test_numbers_are_those_of_the_chapters(cells):
    """A name that a slide quotes is glued by its chapter too (or by the one on the data), with the same value."""
    def golden(chapter):
        path = GOLDEN / f"{chapter}.ipynb"
        return glued_values(jupytext.read(path).cells) if path.exists() else {}

    checked = 0
    for slide in cells:
        known = golden("dataset") | golden(slide[0].metadata["chapter"])
        for name, value in glued_values(slide).items():
            expected = known[name]
            assert value == (pytest.approx(expected, rel=1e-8) if isinstance(expected, float) else expected), name
            checked += 1
    assert checked > 30


def test_formulas_of_the_overview_fit(cells, hsb):
    """They stand in a table, where nothing runs them."""
    data = hsb.assign(catholic=hsb["schtype"], ses_cwc=mlm.center_within(hsb["ses"], hsb["schid"]))
    rows = re.findall(r"\| `(mathach[^`]*)` \| ([\w, ]+) \|", "".join(cell.source for cell in cells[15]))
    assert len(rows) == 5
    for formula, varies in rows:
        mlm.mixedlm(formula, data, "schid", "~ ses_cwc" if varies == "intercept, slope" else None)


def test_no_statistic_is_typed(cells):
    """Decimals stand in the text only as quoted values."""
    for slide in cells:
        for cell in slide:
            if cell.cell_type == "markdown":
                typed = re.sub(r"\{glue:text\}`[^`]*`|CC BY 4\.0", "", cell.source)
                assert not re.search(r"\d\.\d", typed), cell.source


MEASURE = """slide => {
    const box = slide.getBoundingClientRect(), foot = slide.querySelector("footer").getBoundingClientRect().top;
    const title = slide.querySelector("h1, h2").getBoundingClientRect();
    const inner = [...slide.querySelectorAll(".body *")].filter(e => !e.closest(".katex-mathml"))
        .map(e => e.getBoundingClientRect()).filter(b => b.width);
    return {id: slide.id, seen: slide.contains(document.elementFromPoint(title.left + 5, title.top + 5)),
            scroll: [slide.scrollWidth, slide.scrollHeight], box: [box.width, box.height],
            room: foot - Math.max(...inner.map(b => b.bottom)), right: Math.max(...inner.map(b => b.right)) - box.left,
            pre: [...slide.querySelectorAll("pre")].filter(p => p.scrollWidth > p.clientWidth).length}}"""


def check_fit(size):
    assert size["scroll"] == size["box"] == [1280, 720], size
    assert size["room"] >= 0 and size["right"] <= 1280 - 40 and not size["pre"], size


def test_every_slide_fits_from_disk_and_without_a_network(browser, folder):  # noqa: F811
    context = browser.new_context(viewport={"width": 1280, "height": 720}, offline=True)
    page = context.new_page()
    heard, asked = [], []
    page.on("console", lambda message: heard.append(message.text))
    page.on("pageerror", lambda error: heard.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto((folder / "index.html").as_uri())
    page.wait_for_function("Reveal.isReady()")
    for number in range(1, len(TITLES) + 1):
        size = page.evaluate(f"({MEASURE})(Reveal.getCurrentSlide())")
        assert size["id"] == f"slide-{number}" and size["seen"]
        check_fit(size)
        page.keyboard.press("ArrowRight")
    assert heard == []
    assert all(address.startswith("file:") or address.startswith("data:") for address in asked)
    context.close()


@pytest.fixture
def deck(browser, folder):  # noqa: F811
    context = browser.new_context(viewport={"width": 1280, "height": 720}, reduced_motion="reduce")
    page = context.new_page()
    page.goto((folder / "index.html").as_uri())
    page.wait_for_function("Reveal.isReady()")
    yield page
    context.close()


def test_axe_finds_nothing_on_any_slide(deck):
    for title in TITLES:
        assert faults(deck) == [], title
        deck.keyboard.press("ArrowRight")


def test_the_keyboard_does_all_and_nothing_moves_for_who_asks_so(deck):
    def here():
        return deck.evaluate("Reveal.getCurrentSlide().id")

    deck.keyboard.press("ArrowRight")
    deck.keyboard.press("Space")
    assert here() == "slide-3" and deck.evaluate("document.getAnimations().length") == 0
    deck.keyboard.press("ArrowLeft")
    assert here() == "slide-2"
    deck.keyboard.press("Escape")
    assert deck.evaluate("Reveal.isOverview()")
    deck.keyboard.press("End")
    deck.keyboard.press("Escape")
    assert here() == f"slide-{len(TITLES)}" and not deck.evaluate("Reveal.isOverview()")
    deck.keyboard.press("Shift+Slash")
    assert "Keyboard Shortcuts" in deck.locator(".overlay-help").text_content()
    deck.keyboard.press("Escape")
    with deck.expect_popup() as opened:
        deck.keyboard.press("s")
    opened.value.wait_for_selector(f"text={deck.locator('.present aside.notes p').text_content()}")
    deck.keyboard.press("e")
    deck.wait_for_selector(".pdf-page")


def test_deck_prints_one_slide_a_page(browser, folder, tmp_path):  # noqa: F811
    page = browser.new_page()
    page.goto((folder / "index.html").as_uri() + "?print-pdf")
    page.wait_for_selector(".pdf-page")
    for size in page.locator(".pdf-page section").evaluate_all(f"slides => slides.map({MEASURE})"):
        check_fit(size)
    page.pdf(path=tmp_path / "deck.pdf", prefer_css_page_size=True, print_background=True, tagged=True)
    page.close()
    pages = re.findall(rb"/Type\s*/Page\b", (tmp_path / "deck.pdf").read_bytes())
    assert len(pages) == len(TITLES)
    kinds, described = wcag.tags(tmp_path / "deck.pdf")
    assert kinds["H1"] + kinds["H2"] == len(TITLES) and described == 6


def test_a_deck_by_itself_links_to_no_chapter(tmp_path):
    slides.write_deck(tmp_path / "deck")
    page = (tmp_path / "deck" / "index.html").read_text("utf-8")
    assert "chapters/" not in page and json.dumps("reveal.js") in page
