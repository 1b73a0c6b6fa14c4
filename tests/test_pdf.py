"""The PDFs that `make pdf` and `make handout` have built, page by page and link by link."""

import os
import re
import shutil
import subprocess
import unicodedata

import jupytext
import pytest
import yaml
from bs4 import BeautifulSoup

from conftest import ROOT
from pdf import OUT, missing_tools

lack = missing_tools() or (not shutil.which("pdfinfo") and "apt install poppler-utils") or ""
# In continuous integration nothing is left out: there, a missing program fails.
pytestmark = pytest.mark.skipif(bool(lack) and not os.environ.get("CI"), reason=lack)
BOOK, SLIDES = OUT / "multilevel-handout.pdf", OUT / "multilevel-slides.pdf"
TOC = yaml.safe_load((ROOT / "_toc.yml").read_text())
CHAPTERS = [ROOT / f"{chapter['file']}.md" for part in TOC["parts"] for chapter in part["chapters"]]
PAGES = {BOOK: (4 * len(CHAPTERS), 11 * len(CHAPTERS)), SLIDES: (4, 12)}


def run(*command):
    return subprocess.run(list(map(str, command)), capture_output=True, text=True, check=True).stdout


def flat(text):
    """Text without what setting changes: line ends, hyphenation, kinds of quotes and spaces."""
    return re.sub(r"\W", "", unicodedata.normalize("NFKC", text))


@pytest.fixture(scope="module", params=[BOOK, SLIDES], ids=lambda path: path.stem)
def file(request):
    if not request.param.exists():
        pytest.fail("The PDFs are not built: run `make pdf` first (`make test` does, where TeX is).")
    return request.param


@pytest.fixture(scope="module")
def text(file):
    return run("pdftotext", "-layout", file, "-")


@pytest.fixture(scope="module")
def log(file):
    return (OUT / "latex" / file.with_suffix(".log").name).read_text("utf-8", "replace")


def titles():
    return [re.search(r"^# (.*)$", path.read_text("utf-8"), flags=re.M)[1] for path in CHAPTERS]


def test_every_chapter_is_there_and_in_the_bookmarks():
    text = flat(run("pdftotext", BOOK, "-"))
    outlines = flat(re.sub(r"\\\w+", "", (OUT / "latex" / "multilevel-handout.toc").read_text("utf-8")))
    assert [title for title in titles() if flat(title) not in text] == []
    assert [title for title in titles() if flat(title) not in outlines] == []


def test_the_slides_handout_has_what_the_deck_shows():
    """Every slide in its order, its figures and equations; nothing that is for the speaker only."""
    text, source = flat(run("pdftotext", SLIDES, "-")), (OUT / "latex/multilevel-slides.tex").read_text("utf-8")
    deck = jupytext.read(ROOT / "slides/deck.md")
    titles = [title for cell in deck.cells for title in re.findall(r"^## (.*)", cell.source, flags=re.M)]
    places = [text.find(flat(title)) for title in titles]
    assert -1 not in places and places == sorted(places)
    assert len(re.findall("BOOKMARK", (OUT / "latex/multilevel-slides.out").read_text("utf-8"))) == len(titles)
    figures = [cell for cell in deck.cells if "mystnb" in cell.metadata]
    assert source.count(r"\sphinxincludegraphics") == len(figures)
    labels = re.findall(r"\$\$ \(([\w-]+)\)", "\n".join(cell.source for cell in deck.cells))
    assert re.findall(r"\\label\{equation:slides/deck:([\w-]+)\}", source) == labels
    notes = [cell.source for cell in deck.cells if cell.metadata.get("slideshow", {}).get("slide_type") == "notes"]
    assert len(notes) == len(titles) + 1
    assert [note for note in notes if flat(note)[:30] in text] == []
    assert "mlm.glue" not in source


def test_every_figure_of_the_site_is_there(site):
    """By its number and caption; none is a bitmap."""
    text = flat(run("pdftotext", BOOK, "-"))
    missing = []
    for path in CHAPTERS:
        page = BeautifulSoup((site / path.relative_to(ROOT).with_suffix(".html")).read_text("utf-8"), "html.parser")
        for caption in page.select("figcaption"):
            number, words = caption.select_one(".caption-number"), caption.select_one(".caption-text")
            for mathematics in words.select(".katex, .math"):
                mathematics.decompose()
            start = flat(words.get_text())[:30]
            if flat(number.get_text()) + start not in text and start not in text:
                missing.append((path.stem, caption.get_text()[:60]))
    assert missing == []
    assert len(run("pdfimages", "-list", BOOK).splitlines()) == 2  # the two lines of its heading


def test_the_number_of_pages(file):
    low, high = PAGES[file]
    info = run("pdfinfo", file)
    assert low <= int(re.search(r"Pages:\s+(\d+)", info)[1]) <= high
    assert "A4" in re.search(r"Page size:.*", info)[0]


def test_metadata_and_title_page(file):
    info, first = run("pdfinfo", file), run("pdftotext", "-l", "1", file, "-")
    about = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    for name, value in (("Title", about["title"]), ("Subject", about["abstract"]), ("Keywords", about["keywords"][0])):
        assert value in re.search(rf"{name}:.*", info)[0]
    assert about["title"] in first and f"Version {about['version']}" in first and "CC BY 4.0" in first
    assert re.search(r"\d{1,2} \w+ 20\d\d", first)


def test_nothing_is_left_unset(text):
    left = re.findall(r"\{(?:ref|eq|term|cite|glue)[^}]*\}|:::|\?\?|np\.float64\(|\\(?:begin|text|sphinx)\w*", text)
    assert left == []


def test_the_log_has_no_missing_character_and_nothing_sticks_out(log):
    assert re.findall(r"Missing character:.*|.*undefined.*(?:on|references).*", log) == []
    assert [width for width in re.findall(r"Overfull \\hbox \(([\d.]+)pt", log) if float(width) > 10] == []


def test_fonts_are_embedded_and_none_is_of_type_3(file):
    fonts = run("pdffonts", file).splitlines()[2:]
    assert fonts and not [line for line in fonts if "Type 3" in line or not re.search(r"\byes yes|\byes no ", line)]


def test_internal_links_lead_somewhere(file):
    source = (OUT / "latex" / file.with_suffix(".tex").name).read_text("utf-8")
    labels = dict(re.findall(r"\\newlabel\{([^}]*)\}\{.*\{([^{}]*)\}\{\}\}$",
                             (OUT / "latex" / file.with_suffix(".aux").name).read_text("utf-8"), flags=re.M))
    places = set(re.findall(r'"([^"]*)"$', run("pdfinfo", "-dests", file), flags=re.M))
    links = {name.replace("\\detokenize{", "") for name in re.findall(
        r"\\(?:hyperref\[|ref\*?\{|pageref\*?\{|course\w*link\{\w+\}\{)((?:\\detokenize\{)?[^]}]+)", source)}
    assert [name for name in links if labels.get(name) not in places] == []
    assert [name for name in set(re.findall(r"\\hyperlink\{([^}]*)\}", source)) if name not in places] == []
    if file == BOOK:
        assert len(links) > 100


@pytest.mark.parametrize("title", ["Answers to the questions", "Solutions to the exercises", "Code of figures and tables", "Bibliography"])
def test_the_appendices_are_there(title):
    assert flat(title) in flat(run("pdftotext", BOOK, "-"))


def test_without_tex_one_line_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    line = missing_tools()
    assert "texlive-xetex" in line and "\n" not in line
