"""What the buttons above a page lead to: Binder, a hub, Colab, and what can be taken along."""

from sphinx.application import Sphinx
from sphinx.config import Config

from book.workspace import NOTEBOOKS_BRANCH, WHEEL

# What the download menu of every page offers besides the page itself: address, words, icon. An item whose
# file is not on the site, such as a PDF where there is no TeX, is left out of the finished page.
MENU = [
    ("downloads/multilevel-handout.pdf", "The book (.pdf)", "fas fa-book"),
    ("downloads/multilevel-tagged.pdf", "The book with tags (.pdf)", "fas fa-file-pdf"),
    ("downloads/multilevel-slides.pdf", "The slides (.pdf)", "fas fa-file-pdf"),
    ("downloads/multilevel-notebooks.zip", "All notebooks (.zip)", "fas fa-box-archive"),
    (f"downloads/{WHEEL}", "The package mlm (.whl)", "fas fa-cube"),
]
# The theme names these by the ending of a file; the second makes none, but opens the browser's window to print.
OWN = {".md": "This page (.md)", ".pdf": "Print this page"}


def launch_only_from_a_repository(app: Sphinx, config: Config) -> None:
    """No launch buttons where _config.yml names no repository: the theme would make dead ones or fail."""
    options = config.html_theme_options
    url = options.get("repository_url")
    if not url:
        options.pop("repository_url", None)
        options["launch_buttons"] = {}
    elif "github.com/" not in url:  # Colab opens from nowhere else
        options["launch_buttons"].pop("colab_url", None)


def mend_launch_buttons(app: Sphinx, pagename: str, templatename: str, context: dict, doctree) -> None:
    """Lead Colab, which opens notebooks only, to the branch where the chapters are some.

    The services' logos, 11 KB for a page, give way to an icon: the names stand beside.
    """
    chapter = f"/blob/{app.config.html_theme_options.get('repository_branch')}/{pagename}.md"
    for group in context.get("header_buttons", []):
        if group.get("label") == "launch-buttons":
            for button in group["buttons"]:
                button["icon"] = "fas fa-play"
                button["url"] = button["url"].replace(chapter, f"/blob/{NOTEBOOKS_BRANCH}/{pagename}.ipynb")


def offer_downloads(app: Sphinx, pagename: str, templatename: str, context: dict, doctree) -> None:
    """Say in a page's download menu what each item does, and add what there is of the whole course."""
    for group in context.get("header_buttons", []):
        if group.get("label") == "download-buttons":
            for button in group["buttons"]:
                button["text"] = OWN.get(button["text"], button["text"])
            group["buttons"] += [{"type": "link", "url": "../" * pagename.count("/") + address, "text": words, "icon": icon}
                                 for address, words, icon in MENU]


def setup(app: Sphinx) -> None:
    app.connect("config-inited", launch_only_from_a_repository)
    for step in (mend_launch_buttons, offer_downloads):
        app.connect("html-page-context", step, priority=502)  # after the theme has made the buttons
