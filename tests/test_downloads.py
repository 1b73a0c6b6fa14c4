"""What can be taken along: offered where it is, and nowhere else."""

import os
import re

import pytest

import downloads
from conftest import ROOT

OFFERED = [address for address, _, _ in downloads.MENU]
# As the theme writes the menu, and Markdown a list.
PAGE = "".join(f'<ul><li><a href="{{up}}{address}"\n class="x">A file</a>\n</li> <li><p><a href="{{up}}{address}">It</a>, too.</p></li></ul>'
               for address in OFFERED) + '<ul><li><a href="other.html">Stays</a></li></ul>'


def course(folder):
    """A small course with one PDF."""
    for name in ("index.md", "_toc.yml", "references.bib", "data/hsb.csv", "chapters/a.md", "_build/pdf/multilevel-handout.pdf"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    return folder / "chapters/a.md", folder / "_build/pdf/multilevel-handout.pdf"


@pytest.mark.parametrize("there", [[], OFFERED[:1], OFFERED])
def test_an_item_stays_where_its_file_is(tmp_path, there):
    for name, up in [("index.html", ""), ("chapters/a.html", "../")]:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(PAGE.format(up=up))
    for address in there:
        (tmp_path / address).parent.mkdir(exist_ok=True)
        (tmp_path / address).touch()
    downloads.leave_out_missing(tmp_path)
    for name in ("index.html", "chapters/a.html"):
        text = (tmp_path / name).read_text()
        assert [address for address in OFFERED for _ in range(text.count(address))] == [a for a in there for _ in "ab"]
        assert "Stays" in text and text.count("<li>") == text.count("</li>") == 2 * len(there) + 1


@pytest.mark.parametrize("age, copied", [(-1, True), (1, False)])
def test_a_pdf_older_than_its_sources_is_not_published(tmp_path, age, copied):
    chapter, pdf = course(tmp_path)
    now = pdf.stat().st_mtime
    for path in tmp_path.rglob("*.*"):
        os.utime(path, (now - 10, now - 10))
    os.utime(pdf, (now, now))
    os.utime(chapter, (now + age, now + age))
    downloads.add_pdfs(tmp_path, pdf.parent, tmp_path / "site")
    assert (tmp_path / "site/downloads/multilevel-handout.pdf").exists() == copied


def test_the_site_offers_what_it_has(site):
    """`make public` builds the PDFs too; on a site of `make site` alone there may be none."""
    for page, up in [("index.html", ""), ("chapters/model.html", "../"), ("chapters/glossary.html", "../")]:
        text = (site / page).read_text("utf-8")
        offered = set(re.findall(rf'href="{re.escape(up)}(downloads/[^"]+)"', text))
        assert offered == {address for address in OFFERED if (site / address).exists()}, page
    assert "downloads/multilevel-notebooks.zip" in (site / "index.html").read_text("utf-8")
    assert {path.relative_to(site).as_posix() for path in (site / "downloads").iterdir()} <= set(OFFERED)
