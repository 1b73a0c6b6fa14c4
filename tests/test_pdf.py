"""The PDFs that `make pdf` and `make handout` have built, page by page and link by link."""

import functools
import html
import os
import re
import shutil
import subprocess
import unicodedata
import zlib

import jupytext
import numpy as np
import pytest
import yaml
from bs4 import BeautifulSoup
from PIL import Image

from book.steps.pdf import missing_tools
from book.workspace import PDFS
from conftest import ROOT

lack = missing_tools() or (not shutil.which("pdfinfo") and "apt install poppler-utils") or ""
# In continuous integration nothing is left out: there, a missing program fails.
pytestmark = pytest.mark.skipif(bool(lack) and not os.environ.get("CI"), reason=lack)
BOOK, SLIDES = PDFS / "multilevel-handout.pdf", PDFS / "multilevel-slides.pdf"
TOC = yaml.safe_load((ROOT / "_toc.yml").read_text())
CHAPTERS = [ROOT / f"{chapter['file']}.md" for part in TOC["parts"] for chapter in part["chapters"]]
APPENDICES = ["Answers to the questions", "Solutions to the exercises", "Code of figures and tables"]
PAGES = {BOOK: (6 * len(CHAPTERS), 9 * len(CHAPTERS)), SLIDES: (4, 12)}


@functools.cache  # the PDFs don't change meanwhile
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
    return (PDFS / "latex" / file.with_suffix(".log").name).read_text("utf-8", "replace")


def titles():
    return [re.search(r"^# (.*)$", path.read_text("utf-8"), flags=re.M)[1] for path in CHAPTERS]


def bookmarks():
    """Titles of chapters and the pages on which they begin."""
    outline = run("pdftohtml", "-xml", "-i", "-stdout", "-l", 1, BOOK)
    depth = 0
    for opened, closed, page, title in re.findall(r'(<outline>)|(</outline>)|<item page="(\d+)">(.*)</item>', outline):
        depth += bool(opened) - bool(closed)
        if title and depth == 2:  # below the parts
            yield flat(html.unescape(title)), int(page)


def test_every_chapter_is_there_and_in_the_bookmarks():
    text = flat(run("pdftotext", BOOK, "-"))
    assert [title for title in titles() if flat(title) not in text] == []
    assert [title for title, _ in bookmarks()] == [flat(title) for title in ["About this course", *titles(), *APPENDICES]]


def test_the_slides_handout_has_what_the_deck_shows():
    """Every slide in its order, its figures and equations; nothing that is for the speaker only."""
    text, source = flat(run("pdftotext", SLIDES, "-")), (PDFS / "latex/multilevel-slides.tex").read_text("utf-8")
    deck = jupytext.read(ROOT / "slides/deck.md")
    titles = [title for cell in deck.cells for title in re.findall(r"^## (.*)", cell.source, flags=re.M)]
    places = [text.find(flat(title)) for title in titles]
    assert -1 not in places and places == sorted(places)
    assert len(re.findall("BOOKMARK", (PDFS / "latex/multilevel-slides.out").read_text("utf-8"))) == len(titles)
    figures = [cell for cell in deck.cells if "mystnb" in cell.metadata]
    assert source.count(r"\sphinxincludegraphics") == len(figures)
    labels = re.findall(r"\$\$ \(([\w-]+)\)", "\n".join(cell.source for cell in deck.cells))
    assert re.findall(r"\\label\{equation:slides/deck:([\w-]+)\}", source) == labels
    notes = [cell.source for cell in deck.cells if cell.metadata.get("slideshow", {}).get("slide_type") == "notes"]
    assert len(notes) == len(titles) + 1
    assert [note for note in notes if flat(note)[:30] in text] == []
    assert "mlm.glue" not in source


def test_no_page_is_half_empty():
    """But for the last one of a chapter."""
    begins = {page for _, page in bookmarks()}
    sheets = run("pdftotext", "-bbox", BOOK, "-").split("<page ")[1:]
    filled = {number: max((float(y) for y in re.findall(r'yMax="([\d.]+)"', sheet)), default=0) / float(
        re.search(r'height="([\d.]+)"', sheet)[1]) for number, sheet in enumerate(sheets, 1)}
    assert [number for number in range(min(begins), len(sheets)) if number + 1 not in begins and filled[number] < 0.6] == []


@pytest.fixture(scope="module")
def pages(site):
    """The site's pages by their names."""
    names = [path.relative_to(ROOT).with_suffix("").as_posix() for path in [ROOT / "index.md", *CHAPTERS]]
    return {name: BeautifulSoup((site / f"{name}.html").read_text("utf-8"), "html.parser") for name in names}


def printed(kind):
    """The numbers of the book's figures or equations, by their labels."""
    labels = re.findall(r"^\\newlabel\{([^}]*)\}\{\{(\d+)\}\{.*\{(\w+)\.[\w.]+\}\{\}\}$",
                        (PDFS / "latex" / "multilevel-handout.aux").read_text("utf-8"), flags=re.M)
    return {label: number for label, number, counter in labels if counter == kind}


def test_every_figure_of_the_site_is_there_with_its_number(pages):
    """By its number and the first words of its caption; none is a bitmap."""
    text = flat(run("pdftotext", BOOK, "-"))
    figures = {}
    for name, page in pages.items():
        for figure in page.select("figure:has(figcaption)"):
            number, words = figure.select_one(".caption-number"), figure.select_one(".caption-text")
            start = words.find(string=True).split("$")[0]  # up to the first link or symbol
            figures[f"{name}:{figure['id']}"] = (number.get_text(), flat(number.get_text() + start)[:40])
    labels = {label: number for label, number in printed("figure").items() if not label.startswith("figure-of:")}
    assert labels == {label: re.sub(r"\D", "", number) for label, (number, _) in figures.items()}
    assert [number for number, start in figures.values() if start not in text] == []
    assert len(run("pdfimages", "-list", BOOK).splitlines()) == 2  # the two lines of its heading


def test_every_equation_has_the_number_of_the_site(pages):
    """Of those with a number; equations without a label have none in either."""
    equations = {f"equation:{name}:{equation['id'].removeprefix('equation-')}": equation.select_one(".eqno").find(string=True)
                 for name, page in pages.items() for equation in page.select(".math:has(.eqno)")}
    assert equations and {label: f"({number})" for label, number in printed("equation").items()} == equations
    text = run("pdftotext", "-layout", BOOK, "-")
    assert [number for number in equations.values() if not re.search(rf" {{8,}}{re.escape(number)}$", text, flags=re.M)] == []


def test_the_number_of_pages(file):
    low, high = PAGES[file]
    number = int(re.search(r"Pages:\s+(\d+)", run("pdfinfo", file))[1])
    assert low <= number <= high
    sizes = re.findall(r"Page +\d+ size:.*", run("pdfinfo", "-f", 1, "-l", number, file))
    assert len(sizes) == number and [size for size in sizes if "A4" not in size] == []


def test_metadata_and_title_page(file):
    info, first = run("pdfinfo", file), run("pdftotext", "-l", "1", file, "-")
    about = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    for name, value in (("Title", about["title"]), ("Subject", about["abstract"]), ("Keywords", about["keywords"][0])):
        assert value in re.search(rf"{name}:.*", info)[0]
    assert about["title"] in first and f"Version {about['version']}" in first and "CC BY 4.0" in first
    assert re.search(r"\d{1,2} \w+ 20\d\d", first)


def test_the_language_is_said_and_the_title_is_shown(file):
    """Of the catalog, which poppler doesn't print; it is in one of the packed streams."""
    packed = re.findall(rb"stream\r?\n(x.*?)endstream", file.read_bytes(), flags=re.S)
    text = b"".join(zlib.decompressobj().decompress(stream) for stream in packed)
    assert b"/Lang(en)" in text and re.search(rb"/DisplayDocTitle true", text)


def test_no_page_holds_a_line_or_two(file):
    """Below the line at its head; pages of figures alone have their captions."""
    lines = [len(re.findall(r"^.*\S", sheet, flags=re.M)) for sheet in run("pdftotext", "-layout", file, "-").split("\f")[:-1]]
    assert [number for number, count in enumerate(lines, 1) if count < 4] == []


def test_no_page_begins_with_a_frame_around_nothing(file, tmp_path):
    """Of a listing that ends with its page: a strip of its tint, and no line in it."""
    run("pdftoppm", "-r", 36, "-gray", file, tmp_path / "page")
    found = []
    for path in sorted(tmp_path.iterdir()):
        sheet = np.asarray(Image.open(path))
        height, width = sheet.shape
        darkest = sheet[height // 12:, width // 8:-width // 8].min(axis=1)
        kinds = "".join("ink" if row < 240 else "tint" if row < 252 else " " for row in darkest)
        found += [path.stem] * bool(re.match(r" *(tint){1,5} ", kinds))
    assert found == []


def test_nothing_is_left_unset(text):
    left = re.findall(r"\{(?:ref|eq|term|cite|glue)[^}]*\}|\{[\w:-]+\}`|:::|```\{|\?\?|np\.float64\(|\\(?:begin|text|sphinx|course)\w*"
                      r"|</?(?:a|br|div|span|sub|sup)\b", text)
    assert left == []


def test_paper_does_not_ask_to_click():
    """What only a screen can do is named as such."""
    sentences = re.split(r"(?<=[.!?]) |\n\n", " ".join(run("pdftotext", BOOK, "-").split()))
    asked = [sentence for sentence in sentences if re.search(r"\b(?:[Cc]lick|[Hh]over\b|[Tt]ap it|[Dd]rag|Point at|point at a line)", sentence)]
    assert [sentence for sentence in asked if not re.search("screen|JupyterLab|Criterion", sentence)] == []


def test_the_log_has_no_missing_character_and_nothing_sticks_out(log):
    assert re.findall(r"Missing character:.*|.*undefined.*(?:on|references).*", log) == []
    assert [width for width in re.findall(r"Overfull \\[hv]box \(([\d.]+)pt", log) if float(width) > 10] == []


def test_fonts_are_embedded_and_none_is_of_type_3(file):
    fonts = run("pdffonts", file).splitlines()[2:]
    assert fonts and not [line for line in fonts if "Type 3" in line or not re.search(r"\byes yes|\byes no ", line)]


def test_internal_links_lead_somewhere(file):
    source = (PDFS / "latex" / file.with_suffix(".tex").name).read_text("utf-8")
    labels = dict(re.findall(r"\\newlabel\{([^}]*)\}\{.*\{([^{}]*)\}\{\}\}$",
                             (PDFS / "latex" / file.with_suffix(".aux").name).read_text("utf-8"), flags=re.M))
    places = set(re.findall(r'"([^"]*)"$', run("pdfinfo", "-dests", file), flags=re.M))
    links = {name.replace("\\detokenize{", "") for name in re.findall(
        r"\\(?:hyperref\[|ref\*?\{|pageref\*?\{|course\w*link\{\w+\}\{|course(?:solution|code)\{[^}]*\}\{)((?:\\detokenize\{)?[^]}]+)", source)}
    assert [name for name in links if labels.get(name) not in places] == []
    assert [name for name in set(re.findall(r"\\hyperlink\{([^}]*)\}", source)) if name not in places] == []
    if file == BOOK:
        assert len(links) > 100


def test_the_bibliography_is_that_of_the_site(pages):
    entries = re.findall(r"^\[(\d{1,3})\]$|^\[(\d{1,3})\] ", run("pdftotext", BOOK, "-"), flags=re.M)
    page = pages["chapters/bibliography"]
    assert [int("".join(entry)) for entry in entries] == list(range(1, len(page.select("div.citation")) + 1))


def test_every_question_and_every_exercise_has_its_answer(pages):
    text = run("pdftotext", BOOK, "-")
    questions = {name: len(page.select(".self-check .question")) for name, page in pages.items()}
    assert sum(questions.values()) > 50 and len(re.findall(r"\b[a-h] is right\.", text)) == sum(questions.values())
    labels = (PDFS / "latex" / "multilevel-handout.aux").read_text("utf-8")
    assert [name for name, number in questions.items() if number and f"newlabel{{answers:{name}}}" not in labels] == []
    exercises = {f"{path.relative_to(ROOT).with_suffix('')}:{label}" for path in CHAPTERS
                 for label in re.findall(r"\{exercise\}\n:label: (\S+)", path.read_text("utf-8"))}
    assert exercises and exercises == set(re.findall(r"newlabel\{solution:([^}]*)\}", labels))


def test_without_tex_one_line_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    line = missing_tools()
    assert "texlive-xetex" in line and "\n" not in line
