"""Finished pages made easier to find one's way in and to read: what opens and closes, tables on a phone, long names."""

import re

from selectolax.lexbor import LexborHTMLParser, LexborNode

PLAIN = ("n", "nn", "p", "w")  # Pygments' classes of names, punctuation and space, to which both themes give the color of the code around them
LONG = 28  # letters of a cell: a column of such cells has no room beside two others on a phone


def make(page: LexborHTMLParser, tag: str, inner: str, **attributes: str) -> LexborNode:
    """A new element; ``class_`` is its class, ``aria_label`` its aria-label."""
    element = page.create_node(tag)
    element.inner_html = inner
    for name, value in attributes.items():
        element.attrs[name.rstrip("_").replace("_", "-")] = value
    return element


def add_alphabet(page: LexborHTMLParser) -> None:
    """Lead from above the glossary to the first term of each letter."""
    for glossary in page.css("dl.glossary"):
        first = {}
        for term in glossary.css("dt"):
            first.setdefault(term.text().strip()[0].upper(), term.id)
        letters = "".join(f'<li><a href="#{term}">{letter}</a></li>' for letter, term in sorted(first.items()))
        glossary.insert_before(make(page, "nav", f"<ul>{letters}</ul>", class_="az", aria_label="A to Z"))


def name_drawers(page: LexborHTMLParser) -> None:
    """Call both side bars what they hold, give each a button that closes it on a phone, and mark the current page.

    A phone shows what they hold in a dialog, which has a name of its own; so has the search.
    """
    for name, dialog in {"Chapters": "pst-primary-sidebar-modal", "On this page": "pst-secondary-sidebar-modal", "Search": "pst-search-dialog"}.items():
        for found in page.css(f"#{dialog}"):
            found.attrs["aria-label"] = name
    for side, name in {"primary": "Chapters", "secondary": "On this page"}.items():
        for button in page.css(f"button.{side}-toggle"):
            button.attrs["title"] = button.attrs["aria-label"] = name
            closing = make(page, "button", '<i class="fa-solid fa-xmark"></i>', class_="drawer-close btn", type="button", aria_label=f"Close: {name}")
            page.css_first(f"#pst-{side}-sidebar").first_child.insert_before(closing)
    for body in page.css("body[data-bs-spy]"):  # course.js marks the contents
        del body.attrs["data-bs-spy"]
    for contents in page.css("ul.section-nav.visible"):  # the theme's word for it shows them to the keyboard in a drawer that is closed
        contents.attrs["class"] = contents.attrs["class"].replace("visible ", "")
    for link in page.css("nav.bd-links a.current"):
        link.attrs["aria-current"] = "page"


def fold(page: LexborHTMLParser) -> None:
    """Make one thing of all that opens and closes: a disclosure whose words say what is inside."""
    for solution in page.css(".admonition.dropdown"):
        title = solution.css_first(".admonition-title")
        words = " ".join(title.text().split())
        title.decompose()
        folded = make(page, "details", f"<summary>{words}</summary>{solution.inner_html}", class_="fold solution")
        if solution.id:
            folded.attrs["id"] = solution.id
        solution.replace_with(folded)
    for details in page.css("details.sd-dropdown, details.hide, details.figure-data"):
        summary = details.css_first("summary")
        code = "hide" in details.attrs["class"].split()
        words = "The code" if code else " ".join(summary.text().split())
        details.attrs["class"] = "fold code" if code else "fold figure-data" if "figure-data" in details.attrs["class"] else "fold"
        summary.replace_with(make(page, "summary", words))
        for content in details.css(".sd-summary-content"):
            content.attrs["class"] = "fold-content"
    for section in page.css("section#exercise-content, section#solution-content"):  # as often as there are exercises
        del section.attrs["id"]


def stack_tables(page: LexborHTMLParser) -> None:
    """Mark tables of three columns and more with long cells: on a phone their rows are stacked, each cell below its column's name.

    Their roles are written out, since a table that isn't laid out as one is none to some screen readers.
    """
    for table in page.css("table.table"):
        names = [" ".join(cell.text().split()) for cell in table.css("thead tr:last-child > *")]
        rows = table.css("tbody tr")
        long = [name for at, name in enumerate(names)
                if any(len(row.css("td, th")[at].text().strip()) > LONG for row in rows if len(row.css("td, th")) > at)]
        if len(names) < 3 or not long:
            continue
        table.attrs["class"] += " stacked"
        table.attrs["role"] = "table"
        for group in table.css("thead, tbody"):
            group.attrs["role"] = "rowgroup"
        for row in table.css("tr"):
            row.attrs["role"] = "row"
            for name, cell in zip(names, row.css("td, th"), strict=False):
                cell.attrs["role"] = "columnheader" if cell.tag == "th" else "cell"
                cell.attrs["data-label"] = name


def break_names(page: LexborHTMLParser) -> None:
    """Let long code in a line break after a dot, an underscore or an opening bracket, and nowhere else."""
    for code in page.css("article code .pre"):
        text = code.inner_html
        if len(text) > 12:
            code.inner_html = re.sub(r"(?<=\w[._(/=,])(?=[\w\"'])", "<wbr>", text)


def leave_plain(page: LexborHTMLParser) -> None:
    """Take the marks off code that looks the same without: an eighth to a third of a page's elements, which a phone has to lay out."""
    for mark in page.css(", ".join(f".highlight .{name}" for name in PLAIN)):
        mark.unwrap()
