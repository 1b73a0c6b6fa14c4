"""Print the whole book by Chromium as a PDF with tags: for screen readers, whom XeTeX's PDF tells no structure and no figure.

    python -m book.steps.tagged            _build/pdf/multilevel-tagged.pdf, of the site that is built
    python -m book.steps.tagged --check    only say whether this machine can
"""

import html
import posixpath
import sys
from collections.abc import Iterator
from datetime import datetime, timezone
from io import BytesIO
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pikepdf
from playwright.sync_api import Route, sync_playwright
from selectolax.lexbor import LexborHTMLParser, LexborNode

from book.workspace import CHROMIUM, CONFIG, PDFS, SITE, last_change, pdf_key, turn

HOST = "http://book/"
PAPER = """@page { size: A4; margin: 20mm 20mm 22mm; @bottom-center { content: counter(page); font: 9pt sans-serif; } }
.bd-main .bd-content .bd-article h1:first-of-type { display: block; }  /* a page's title stands elsewhere when it is printed by itself */
article + article { break-before: page; }"""
NAMED = ("for", "aria-labelledby", "aria-describedby", "aria-controls")  # attributes that name other parts of the page


def pages(site: Path) -> dict[str, LexborHTMLParser]:
    """The pages by name, as one leads to the next."""
    found, name = {}, "index"
    while name:
        found[name] = LexborHTMLParser((site / f"{name}.html").read_text("utf-8"))
        after = found[name].css_first("link[rel=next]")
        name = after and beside(name, after.attrs["href"]).removesuffix(".html")
    return found


def beside(name: str, address: str) -> str:
    """Where an address on a page leads, from the site's root."""
    return posixpath.normpath(posixpath.join(posixpath.dirname(name), address))


def tex(formula: LexborNode) -> str:
    """What a formula was written as."""
    return " ".join(formula.css_first("annotation").text().split())


def place(name: str, part: str = "") -> str:
    """What a part of a page is called in the whole."""
    return f"{name.rpartition('/')[2]}--{part}"


def article(name: str, page: LexborHTMLParser, names: list[str]) -> str:
    """What a page says, with all folds open, its parts named for the whole and its links led there.

    A link to a file beside the pages has no target on paper; only its words stay, and nothing of what is offered
    only when it is there.
    """
    said = page.css_first("article")
    for offer in said.css("li:has(a[href*='downloads/'][href$='.pdf'])"):
        offer.decompose()
    for unseen in said.css(".part-opening, .explorer-try, .ex-live"):  # paper shows none of it
        unseen.decompose()
    for part in said.css("[id]"):
        part.attrs["id"] = place(name, part.attrs["id"])
    for attribute in NAMED:
        for part in said.css(f"[{attribute}]"):
            part.attrs[attribute] = " ".join(place(name, other) for other in part.attrs[attribute].split())
    for attribute in ("src", "srcset"):
        for picture in said.css(f"[{attribute}]"):
            if not urlsplit(picture.attrs[attribute]).scheme:
                picture.attrs[attribute] = beside(name, picture.attrs[attribute])
    for formula in said.css(".katex"):  # Chromium leaves MathML out of the tags, and what is drawn is hidden from them
        formula.attrs["role"], formula.attrs["aria-label"] = "img", tex(formula)
        formula.css_first(".katex-mathml").decompose()
        del formula.css_first(".katex-html").attrs["aria-hidden"]
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
            target = beside(name, address.path).removesuffix(".html") if address.path else name
            if target in names:
                link.attrs["href"] = "#" + place(target, unquote(address.fragment))
            else:
                del link.attrs["href"]
    said.attrs["id"] = place(name)
    return said.html


def whole(site: Path) -> str:
    """All pages of a finished site as one, without scripts."""
    book = pages(site)
    articles = [article(name, page, list(book)) for name, page in book.items()]
    style, language = book["index"].css_first("link[rel=stylesheet]").html, book["index"].css_first("html").attrs["lang"]
    return (f'<!DOCTYPE html><html lang="{language}" data-theme="light"><head><meta charset="utf-8">'
            f'<title>{html.escape(CONFIG["title"])}</title>{style}'
            f'<style>{PAPER}</style></head><body><div class="bd-main"><div class="bd-content"><div class="bd-article-container">'
            f'{"".join(articles)}</div></div></div></body></html>')


def elements(node: pikepdf.Dictionary) -> Iterator[pikepdf.Dictionary]:
    """The elements of a PDF's structure below one, a parent before its children."""
    kids = node.get("/K", [])
    for kid in kids if isinstance(kids, pikepdf.Array) else [kids]:
        if isinstance(kid, pikepdf.Dictionary) and "/S" in kid:
            yield kid
            yield from elements(kid)


def mend(book: pikepdf.Pdf, text: str) -> None:
    """Mend what Chromium printed of a page.

    It is dated by the last commit, formulas are called so, and spaces are put back where a heading goes on in another line.
    """
    page = LexborHTMLParser(text)
    formulas = {formula.attrs["aria-label"] for formula in page.css(".katex")}
    for element in elements(book.Root.StructTreeRoot):
        if element.S == "/Figure" and str(element.get("/Alt")) in formulas:
            element.S = pikepdf.Name.Formula
    day = datetime.fromtimestamp(int(last_change()), timezone.utc)
    del book.docinfo["/Creator"]  # which names the machine
    book.docinfo["/CreationDate"] = book.docinfo["/ModDate"] = f"D:{day:%Y%m%d%H%M%S}Z"
    headings = [" ".join(heading.text().split()) for heading in page.css("h1, h2, h3, h4")]
    known = {heading.replace(" ", ""): heading for heading in headings}
    with book.open_outline() as outline:
        entries = list(outline.root)
        for entry in entries:  # grows meanwhile
            entry.title = known.get(entry.title.replace(" ", ""), entry.title)
            entries += entry.children


def write(site: Path, target: Path) -> None:
    """Print a finished site.

    Raises
    ------
    FileNotFoundError
        If a picture of the pages isn't there.
    """
    text = whole(site)

    def answer(route: Route) -> None:
        path = unquote(urlsplit(route.request.url).path).lstrip("/")
        if not path:
            route.fulfill(body=text, content_type="text/html; charset=utf-8")
        elif route.request.url.startswith(HOST) and (site / path).is_file():
            route.fulfill(path=site / path)
        else:
            route.abort()

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page()
        page.route("**/*", answer)
        page.goto(HOST, wait_until="networkidle")
        page.emulate_media(media="print")
        page.evaluate("document.fonts.ready")
        if missing := page.evaluate("[...document.images].filter(picture => !picture.naturalWidth).map(picture => picture.src)"):
            raise FileNotFoundError(f"The book was not printed, for want of {', '.join(missing)}.")
        content = page.pdf(tagged=True, outline=True, prefer_css_page_size=True)
        browser.close()
    with pikepdf.open(BytesIO(content)) as book:  # Chromium leaves the tags as they are: four fifths of the file
        mend(book, text)
        book.save(target.with_suffix(".new"), object_stream_mode=pikepdf.ObjectStreamMode.generate, deterministic_id=True)
    target.with_suffix(".new").replace(target)


def build() -> None:
    """Print the site that is built; it is kept as the book of the sources there were before."""
    target, key = PDFS / "multilevel-tagged.pdf", pdf_key()
    target.unlink(missing_ok=True)  # with another key it would be that of other sources
    target.parent.mkdir(parents=True, exist_ok=True)
    target.with_suffix(".key").write_text(key)
    write(SITE, target)
    print(target.relative_to(PDFS.parent.parent))


if __name__ == "__main__":
    if not CHROMIUM:
        sys.exit("The PDF with tags needs Chromium. Debian: apt install chromium")
    if "--check" not in sys.argv:
        with turn():
            build()
