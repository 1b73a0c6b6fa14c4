"""What can be taken along, and links to it only where it is.

The PDFs need TeX, so a site is built with or without them. Pages offer them in items of lists;
an item whose file is not on the site is left out of the finished pages, so that no link is dead.
"""

import re
import shutil
from pathlib import Path

from sphinx.application import Sphinx

# What the download menu of every page offers besides the page itself: address, words, icon.
MENU = [
    ("downloads/multilevel-handout.pdf", "The book (.pdf)", "fas fa-book"),
    ("downloads/multilevel-slides.pdf", "The slides (.pdf)", "fas fa-file-pdf"),
    ("downloads/multilevel-notebooks.zip", "All notebooks (.zip)", "fas fa-box-archive"),
]
ITEM = re.compile(r'<li>(?:(?!</?li>).)*?<a href="(?:\.\./)*(downloads/[^"]+)"(?:(?!</?li>).)*</li>\s*', re.DOTALL)


def offer(app: Sphinx, pagename: str, templatename: str, context: dict, doctree) -> None:
    """Add to a page's download menu what there is of the whole course."""
    for group in context.get("header_buttons", []):
        if group.get("label") == "download-buttons":
            group["buttons"] += [{"type": "link", "url": "../" * pagename.count("/") + address, "text": words, "icon": icon}
                                 for address, words, icon in MENU]


def add_pdfs(root: Path, pdfs: Path, site: Path) -> None:
    """Copy the PDFs that have been built since the last edit of what they are made of."""
    sources = [root / "index.md", root / "_toc.yml", root / "references.bib", root / "data/hsb.csv",
               *(root / "chapters").rglob("*.md"), *(root / "chapters/mlm").glob("*.py"), *(root / "slides").glob("*.md")]
    edited = max(path.stat().st_mtime for path in sources)
    for path in pdfs.glob("multilevel-*.pdf"):
        if path.stat().st_mtime > edited:
            (site / "downloads").mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, site / "downloads" / path.name)


def leave_out_missing(site: Path) -> None:
    """Take the items that lead to a file that isn't there out of the pages."""
    for path in [*site.glob("*.html"), *(site / "chapters").glob("*.html")]:
        page = path.read_text("utf-8")
        path.write_text(ITEM.sub(lambda item: item[0] if (site / item[1]).exists() else "", page), "utf-8")


def setup(app: Sphinx) -> None:
    app.connect("html-page-context", offer, priority=502)  # after the theme has made the menu
