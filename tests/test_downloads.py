"""What can be taken along: offered where it is, and nowhere else."""

import re

import pytest
from selectolax.lexbor import LexborHTMLParser

from book import software
from book.extensions.launch import MENU
from book.steps import build
from book.steps.finish import leave_out_missing

OFFERED = [address for address, _, _ in MENU]
# As the theme writes the menu, and Markdown a list.
PAGE = "".join(f'<ul><li><a href="{{up}}{address}"\n class="x">A file</a>\n</li> <li><p><a href="{{up}}{address}">It</a>, too.</p></li></ul>'
               for address in OFFERED) + '<ul><li><a href="other.html">Stays</a></li></ul>'


@pytest.mark.parametrize("there", [[], OFFERED[:1], OFFERED])
def test_an_item_stays_where_its_file_is(tmp_path, there):
    for address in there:
        (tmp_path / address).parent.mkdir(exist_ok=True)
        (tmp_path / address).touch()
    for up in ("", "../"):
        page = LexborHTMLParser(PAGE.format(up=up))
        leave_out_missing(page, tmp_path)
        assert [link.attrs["href"].removeprefix(up) for link in page.css("a")] == [a for a in there for _ in "ab"] + ["other.html"]
        assert len(page.css("li")) == 2 * len(there) + 1


@pytest.mark.parametrize("key, copied", [("of these sources", True), ("of others", False)])
def test_a_pdf_of_other_sources_is_not_published(tmp_path, monkeypatch, key, copied):
    pdf = tmp_path / "pdf/multilevel-handout.pdf"
    pdf.parent.mkdir()
    pdf.touch()
    pdf.with_suffix(".key").write_text(key)
    monkeypatch.setattr(build, "PDFS", pdf.parent)
    monkeypatch.setattr(build, "pdf_key", lambda: "of these sources")
    build.add_pdfs(tmp_path / "site/downloads")
    assert (tmp_path / "site/downloads/multilevel-handout.pdf").exists() == copied


def test_the_site_offers_what_it_has(site):
    """`make public` builds the PDFs too; on a site of `make site` alone there may be none."""
    for page, up in [("index.html", ""), ("chapters/model.html", "../"), ("chapters/glossary.html", "../")]:
        text = (site / page).read_text("utf-8")
        offered = set(re.findall(rf'href="{re.escape(up)}(downloads/[^"]+)"', text))
        assert offered == {address for address in OFFERED if (site / address).exists()}, page
    assert "downloads/multilevel-notebooks.zip" in (site / "index.html").read_text("utf-8")
    for_class = set(re.findall(r'href="\.\./(downloads/[^"]+)"', (site / "chapters/instructors.html").read_text("utf-8")))
    assert {path.relative_to(site).as_posix() for path in (site / "downloads").iterdir()} <= {
        *OFFERED, *for_class, software.BILL, software.TEXTS}
