"""The last step before the site is published: every page read by an HTML parser, mended, and written once.

A stock page loads eleven style sheets, 1.5 MB of icons and a dozen scripts, each of which holds up its
first paint, and axe-core finds faults in the markup of the theme and its extensions. What Sphinx can be
told is told to Sphinx, in book/extensions; here is what only the finished pages show.
"""

import html
import re
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from selectolax.lexbor import LexborHTMLParser, LexborNode

from book.steps import readable
from book.steps.search import definitions, write_search
from book.steps.styles import TARGETS, join_styles, remove_unused, shorten_pictures, strip_scripts

# Before the first paint: the reader's theme, so that a dark page doesn't flash white, and whether
# scripts run, so that what they will fold is folded from the start. Where a browser keeps nothing, the
# theme's script would end at its first look into the store, before search and drawers work.
FIRST = """for (const name of ["localStorage", "sessionStorage"]) try {window[name].length} catch {
        Object.defineProperty(window, name, {value: {getItem: () => null, setItem() {}, removeItem() {}}})}
    {const page = document.documentElement, mode = page.dataset.mode = localStorage.getItem("mode") || "auto";
    page.classList.add("js");
    page.dataset.theme = mode != "auto" ? mode : matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";}"""

UNUSED = ("fontawesome", "sphinx_highlight")  # icons are a font; search leads to sections
NEEDED = {"clipboard": ".highlight", "copybutton": ".highlight", "design-tabs": ".sd-tab-set", "bootstrap": "[data-bs-toggle=dropdown]"}  # scripts, and what they serve


def add_cards(pages: dict[str, LexborHTMLParser]) -> None:
    """Put on each page, unseen, the terms and equations to which it refers; course.js shows them.

    They are in the page, so that nothing is fetched: this works from a disk too.
    """
    known = {}
    for page in pages.values():
        for terms, meaning in definitions(page):
            names = ", ".join(unlinked(term).strip() for term in terms)
            known |= {term.id: f"<p><strong>{names}</strong></p>{unlinked(meaning)}" for term in terms}
        for equation in page.css("div.math[id^=equation-]"):
            known[equation.id] = unlinked(equation)
    for page in pages.values():
        links = page.css("article a.reference.internal[href*='#term-'], article a.reference.internal[href*='#equation-']")
        for name in dict.fromkeys(link.attrs["href"].partition("#")[2] for link in links):
            if name in known:
                card = page.create_node("template")
                card.inner_html = known[name]
                card.attrs["data-card"] = name
                page.css_first("article").parent.insert_child(card)


def unlinked(node: LexborNode) -> str:
    """The content of a node as HTML without links: a card is itself shown by one."""
    copy = LexborHTMLParser(node.html, is_fragment=True)
    for link in copy.css("a.headerlink"):
        link.decompose()
    copy.unwrap_tags(["a"])
    return copy.css_first("dt, dd, div").inner_html


def leave_out_missing(page: LexborHTMLParser, site: Path) -> None:
    """Take the items that offer a file which isn't on the site out of a page: PDFs need TeX."""
    for link in page.css("a[href*='downloads/']"):
        address = link.attrs["href"].lstrip("./")
        item = link.parent
        while item and item.tag != "li":
            item = item.parent
        if item and address.startswith("downloads/") and not (site / address).exists():
            item.decompose()


def lighten_head(page: LexborHTMLParser, up: str, styles: list[str]) -> None:
    """Let a page load the joined style sheet, that of formulas if it has any, and its scripts once it stands.

    Parameters
    ----------
    page : LexborHTMLParser
    up : str
        The way from the page to the site's root: "" or "../".
    styles : list of str
        Addresses of both style sheets, from the root.
    """
    for link in page.css("link[href*='.css'], link[as=script]"):
        link.decompose()
    for sheet in reversed(styles if page.css_matches(".katex") else styles[:1]):  # each goes right behind the title
        link = page.create_node("link")
        link.attrs["rel"], link.attrs["href"] = "stylesheet", up + sheet
        page.css_first("title").insert_after(link)
    viewports = page.css("meta[name=viewport]")
    for viewport in viewports[1:]:
        viewport.decompose()
    # The theme has no colors for "auto": without a script the page is light, with it FIRST decides.
    page.css_first("html").attrs["data-theme"] = "light"
    seen = set()
    for script in page.css("script"):
        source, code = script.attrs.get("src"), script.text().strip()
        if (any(name in (source or "") for name in UNUSED) or "DOCUMENTATION_OPTIONS.pagename" in code
                or any(name in (source or "") and not page.css_matches(part) for name, part in NEEDED.items())):
            script.decompose()
        elif "dataset.theme" in code:
            script.inner_html = FIRST
        elif source:
            script.attrs["defer"] = ""
        elif "type" not in script.attrs:
            script.decompose() if code in seen else seen.add(code)


def mend(page: LexborHTMLParser) -> None:
    """Mend what axe-core finds in the markup of the theme and its extensions, and small things beside."""
    for button in page.css("button.search-button-field"):
        for name in {"title", "aria-label"} & set(button.attrs):  # not what is read on it
            del button.attrs[name]
    for sidebar in page.css("#pst-primary-sidebar"):  # the course's name stands outside of any landmark
        sidebar.attrs["role"], sidebar.attrs["aria-label"] = "complementary", "The course"
    for given_up in page.css("[role=doc-biblioentry], div.citation-list[role=list]"):
        del given_up.attrs["role"]
    for header in page.css("th"):
        if not header.text().strip():
            header.replace_with(page.create_node("td"))
    for cell in page.css("td.text"):  # a short text, such as a p value, is not broken
        if len(cell.inner_html) <= 16 and "<" not in cell.inner_html:
            del cell.attrs["class"]


def size_of(svg: str) -> tuple[str, str] | None:
    """Width and height of a picture of matplotlib's, in pixels: 96 are 72 points."""
    size = re.search(r'<svg[^>]*?width="([\d.]+)pt" height="([\d.]+)pt"', svg[:2000])
    return size and tuple(str(round(float(points) * 4 / 3)) for points in size.groups())


def place_pictures(page: LexborHTMLParser, folder: Path) -> None:
    """Say how large each picture is, so that nothing moves when it comes, which it does when it is near; give phones its variant."""
    for picture in page.css("img[src*='_images/'][src$='.svg']"):
        source = picture.attrs["src"]
        svg = (folder / source).read_text("utf-8")
        if size := size_of(svg):
            picture.attrs["width"], picture.attrs["height"] = size
            picture.attrs["loading"] = "lazy"
        if variant := re.search("<dc:description>(.*?)</dc:description>", svg, re.S):  # by mlm.notebook.figure_to_svg
            variant, target = html.unescape(variant[1]), source.replace(".svg", "-narrow.svg")
            (folder / target).write_text(variant, "utf-8")
            width, height = size_of(variant)
            picture.replace_with(readable.make(page, "picture", f'<source media="(max-width: 600px)" srcset="{target}" width="{width}" '
                                               f'height="{height}">{picture.html}'))


def improve(name: str, page: LexborHTMLParser, site: Path) -> None:
    """All that a page gets by itself, but for its head."""
    leave_out_missing(page, site)
    mend(page)
    for step in (readable.add_alphabet, readable.name_drawers, readable.fold, readable.stack_tables, readable.break_names, readable.leave_plain):
        step(page)
    place_pictures(page, (site / name).parent)


def show_page(name: str, built: Path, site: Path) -> None:
    """Put a page of those that Sphinx has built into a finished site, with its pictures, and without cards of what it refers to."""
    page = LexborHTMLParser((built / name).read_text("utf-8"))
    for picture in page.css("img[src*='_images/']"):
        path = Path("_images", Path(picture.attrs["src"]).name)
        shutil.copyfile(built / path, site / path)
    improve(name, page, site)
    lighten_head(page, "../" * name.count("/"), TARGETS)
    new = (site / name).with_suffix(".new")
    new.write_text(page.html + "\n", "utf-8")
    new.replace(site / name)


def finish_pages(site: Path) -> None:
    """Finish the pages of a built site, in place.

    Raises
    ------
    ValueError
        If the theme's pages no longer have the shape that this step knows.
    """
    pages = {path.relative_to(site).as_posix(): LexborHTMLParser(path.read_text("utf-8"))
             for path in sorted(site.rglob("*.html"))
             if not {"_static", "slides"} & set(path.relative_to(site).parts) and path.name != "404.html"}
    if not all(page.css_matches("link[href*='.css']") and page.scripts_contain("dataset.theme") for page in pages.values()):
        raise ValueError("The theme's pages have changed: book/steps/finish.py must be adapted to them.")
    strip_scripts(site)
    write_search(site, pages)
    add_cards(pages)
    for name, page in pages.items():
        improve(name, page, site)
        (site / name).write_text(page.html, "utf-8")  # which rules are of use is read from the files
    with ThreadPoolExecutor() as beside:  # join_styles waits for node
        styles = beside.submit(join_styles, site, pages)
        shorten_pictures(site)
    for name, page in pages.items():
        lighten_head(page, "../" * name.count("/"), styles.result())
        (site / name).write_text(page.html + "\n", "utf-8")
    remove_unused(site)
