"""What an instructor does with a fork: another name, another repository, data of their own. Each is one edit, or a message says what to do."""

import re
import shutil
import zipfile

import pytest

from conftest import ROOT
from small_book import build, make, page, site, write_chapter


@pytest.fixture
def book(tmp_path):
    return make(tmp_path / "book")


def test_a_course_by_another_name_with_an_address(book):
    """Two lines of _config.yml name it everywhere: pages, cards, archives; the chapters' own text is theirs."""
    config = book / "_config.yml"
    config.write_text(re.sub(r"(?m)^title: &title .*", "title: &title Levels at Ulm", config.read_text()).replace(
        'url: ""', "url: https://github.com/ulm/levels"))
    write_chapter(book, "deck", "print('a slide')")
    (book / "slides").mkdir()
    (book / "chapters/deck.md").rename(book / "slides/deck.md")
    deck = book / "slides/deck.md"
    deck.write_text(deck.read_text().replace("# Chapter", '+++ {"slideshow": {"slide_type": "slide"}, "chapter": "one"}\n\n# Chapter'))
    for name in ("deck.css", "deck.js"):
        (book / "slides" / name).touch()
    shutil.copy(ROOT / "pyproject.toml", book)
    code, output = build(book)
    assert code == 0, output
    assert "Levels at Ulm" in page(book) and "https://mybinder.org/v2/gh/ulm/levels/" in page(book)
    with zipfile.ZipFile(book / "_build/html/downloads/multilevel-notebooks.zip") as archive:
        assert b"# Levels at Ulm" in archive.read("multilevel-modeling/README.md")
    named = [name for name, content in site(book).items() if name.endswith(".html") and b"Introduction to Multilevel Modeling" in content]
    assert named == []


def test_data_of_their_own(book):
    """Beside the course's: these the loader refuses to take others for, and says how others are read."""
    own = "school,score\n1,2.5\n1,3.5\n2,4.5\n"
    hsb = book / "data/hsb.csv"
    kept = hsb.read_bytes()
    hsb.write_text(own)
    write_chapter(book, "one", "import mlm\nmlm.load_hsb()")
    code, output = build(book)
    assert code == 1 and "hsb.csv is not the course's" in output and "pandas.read_csv" in output, output
    hsb.write_bytes(kept)
    (book / "data/own.csv").write_text(own)
    write_chapter(book, "one", "import pandas as pd\nprint(len(pd.read_csv('../data/own.csv')), 'rows')")
    code, output = build(book)
    assert code == 0 and "3 rows" in page(book), output
    (book / "data/own.csv").write_text(own + "2,5.5\n")
    code, output = build(book)
    assert code == 0 and "4 rows" in page(book), "an edit of the data runs the chapters again"
