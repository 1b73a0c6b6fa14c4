"""Print the whole book by Chromium as a PDF with tags: for screen readers, whom XeTeX's PDF tells no structure and no figure.

    python -m book.steps.tagged    _build/pdf/multilevel-tagged.pdf, of the site that is built
"""

import posixpath
import sys
from datetime import datetime, timezone
from io import BytesIO
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pikepdf
import yaml
from playwright.sync_api import Route, sync_playwright
from selectolax.lexbor import LexborHTMLParser

from book.workspace import CHROMIUM, PDFS, ROOT, SITE, last_change, pdf_key, turn

HOST = "http://book/"
PAPER = """@page { size: A4; margin: 20mm 20mm 22mm; @bottom-center { content: counter(page); font: 9pt sans-serif; } }
.bd-main .bd-content .bd-article h1:first-of-type { display: block; }  /* a page's title stands elsewhere when it is printed by itself */
article + article { break-before: page; }"""
NAMED = ("for", "aria-labelledby", "aria-describedby", "aria-controls")  # attributes that name other parts of the page


def contents() -> list[str]:
    """The pages' names in the order of the contents."""
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text("utf-8"))
    return [toc["root"], *(chapter["file"] for part in toc["parts"] for chapter in part["chapters"])]


def place(name: str, part: str = "") -> str:
    """What a part of a page is called in the whole."""
    return f"{name.rpartition('/')[2]}--{part}"


def article(name: str, page: LexborHTMLParser, names: list[str]) -> str:
    """What a page says, with all folds open, its parts named for the whole and its links led there.

    A link to a file beside the pages has no target on paper; only its words stay.
    """
    said = page.css_first("article")
    for part in said.css("[id]"):
        part.attrs["id"] = place(name, part.attrs["id"])
    for attribute in NAMED:
        for part in said.css(f"[{attribute}]"):
            part.attrs[attribute] = " ".join(place(name, other) for other in part.attrs[attribute].split())
    for picture in said.css("[src], [srcset]"):
        for attribute in {"src", "srcset"} & set(picture.attrs):
            picture.attrs[attribute] = posixpath.normpath(posixpath.join(posixpath.dirname(name), picture.attrs[attribute]))
    for picture in said.css("[loading]"):  # paper has no scrolling
        del picture.attrs["loading"]
    for figure in said.css("figure"):  # or it would be a second figure around its picture, without a text
        figure.attrs["role"] = "group"
    for link in said.css(".headerlink"):
        link.decompose()
    for link in said.css("a[role]"):  # a way back from a source is to Chromium no link
        del link.attrs["role"]
    for fold in said.css("details[name]"):  # folds of one name close each other
        del fold.attrs["name"]
    for fold in said.css("details"):  # also the numbers of a figure, for whom its picture says less
        fold.attrs["open"] = ""
    for link in said.css("a[href]"):
        address = urlsplit(link.attrs["href"])
        if not address.scheme:
            path = posixpath.normpath(posixpath.join(posixpath.dirname(name), address.path)) if address.path else f"{name}.html"
            target = path.removesuffix(".html")
            if target in names:
                link.attrs["href"] = "#" + place(target, unquote(address.fragment))
            else:
                del link.attrs["href"]
    said.attrs["id"] = place(name)
    return said.html


def whole(site: Path) -> str:
    """All pages of a finished site as one, without scripts."""
    names = contents()
    pages = {name: LexborHTMLParser((site / f"{name}.html").read_text("utf-8")) for name in names}
    articles = [article(name, page, names) for name, page in pages.items()]
    book = pages[names[0]]
    title = book.css_first("meta[property='og:site_name']").attrs["content"]
    style = book.css_first("link[rel=stylesheet]").html
    return (f'<!DOCTYPE html><html lang="en" data-theme="light"><head><meta charset="utf-8"><title>{title}</title>{style}'
            f'<style>{PAPER}</style></head><body><div class="bd-main"><div class="bd-content"><div class="bd-article-container">'
            f'{"".join(articles)}</div></div></div></body></html>')


def mend(book: pikepdf.Pdf, text: str) -> None:
    """Date a printed book by its last commit, and put the spaces back that Chromium drops where a heading goes on in another line."""
    day = datetime.fromtimestamp(int(last_change()), timezone.utc)
    del book.docinfo["/Creator"]  # which names the machine
    book.docinfo["/CreationDate"] = book.docinfo["/ModDate"] = f"D:{day:%Y%m%d%H%M%S}Z"
    headings = [" ".join(heading.text().split()) for heading in LexborHTMLParser(text).css("h1, h2, h3, h4")]
    known = {heading.replace(" ", ""): heading for heading in headings}
    with book.open_outline() as outline:
        entries = list(outline.root)
        for entry in entries:  # grows meanwhile
            entry.title = known.get(entry.title.replace(" ", ""), entry.title)
            entries += entry.children


def write(site: Path, target: Path) -> None:
    """Print a finished site."""
    text = whole(site)

    def answer(route: Route) -> None:
        path = unquote(urlsplit(route.request.url).path).lstrip("/")
        route.fulfill(path=site / path) if path else route.fulfill(body=text, content_type="text/html; charset=utf-8")

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page()
        page.route("**/*", answer)
        page.goto(HOST, wait_until="networkidle")
        page.emulate_media(media="print")
        page.evaluate("document.fonts.ready")
        content = page.pdf(tagged=True, outline=True, prefer_css_page_size=True)
        browser.close()
    target.parent.mkdir(parents=True, exist_ok=True)
    with pikepdf.open(BytesIO(content)) as book:  # Chromium leaves the tags as they are: four fifths of the file
        mend(book, text)
        book.save(target, object_stream_mode=pikepdf.ObjectStreamMode.generate, deterministic_id=True)


if __name__ == "__main__":
    if not CHROMIUM:
        sys.exit("The PDF with tags needs Chromium. Debian: apt install chromium")
    with turn():
        write(SITE, PDFS / "multilevel-tagged.pdf")
        (PDFS / "multilevel-tagged.key").write_text(pdf_key())
