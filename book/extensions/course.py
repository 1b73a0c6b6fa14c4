"""What the book adds to Sphinx: its own assets and front-end parts, no foreign host.

Third-party parts (KaTeX's style sheet and fonts, plotly's bundle) are not in the
repository; ``npm ci`` has put them in ``book/front/node_modules``, and they are copied
into the finished site from there.
"""

import re
import socket
import subprocess
import sys
import time
from pathlib import Path

import plotly
from docutils import nodes
from pybtex.backends import plaintext
from pybtex.plugin import register_plugin
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.util import logging
from sphinxcontrib.katex import KaTeXServer

from book.extensions import launch, page, shipped
from book.outputs import typeset
from book.workspace import FRONT, PICTURES, ROOT, copy_parts, draw_pictures

logger = logging.getLogger(__name__)

# Not below a folder called `_static`: Jupyter Book would load every script and
# style sheet in it on every page, synchronously.
NPM = FRONT / "node_modules"
PARTS = {
    NPM / "katex/dist/katex.min.css": "katex/katex.min.css",
    NPM / "katex/dist/fonts": "katex/fonts",
    NPM / "plotly.js-basic-dist-min/plotly-basic.min.js": "plotly-basic.min.js",
}
# What stands in where `jupyter-book build .` was called without them: plotly's own bundle, five times as large.
WITHOUT_NPM = {Path(plotly.__file__).parent / "package_data/plotly.min.js": "plotly-basic.min.js"}


def do_without_npm(app: Sphinx, config: Config) -> None:
    """Set mathematics the stock way where the parts from npm are not installed."""
    if not NPM.exists():
        config.html_math_renderer, config.katex_css_path = "mathjax", "katex-math.css"
        logger.info("Stock looks, for want of npm's parts: `make site` sets the mathematics and makes the pages light.")


def refuse_other_builders(app: Sphinx) -> None:
    """Say in one line which command makes a PDF."""
    if app.builder.name == "singlehtml" or app.builder.format == "latex" and "book.extensions.latex" not in app.extensions:
        sys.exit("This book's PDF is made by `make pdf`, its slides' by `make handout`.")


def add_parts(app: Sphinx, exception: Exception | None) -> None:
    """Put the front-end parts into the built site."""
    if not exception and app.builder.format == "html":
        copy_parts((PARTS if NPM.exists() else WITHOUT_NPM) | {PICTURES / "card.png": "card.png"}, Path(app.outdir) / "_static")


def set_signs(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Give numbers quoted in the text a minus sign instead of a hyphen, and a space before the percent sign."""
    for number in doctree.findall(lambda node: isinstance(node, nodes.inline) and "pasted-text" in node["classes"]):
        number[:] = [nodes.Text(typeset(number.astext()))]


def keep_punctuation(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Keep commas and brackets on the line of the formula that they stand beside: browsers would break there."""
    if app.builder.format != "html":
        return
    for formula in list(doctree.findall(nodes.math)):
        parent, at = formula.parent, formula.parent.index(formula)
        before, after = (parent[i] if 0 <= i < len(parent) and isinstance(parent[i], nodes.Text) else "" for i in (at - 1, at + 1))
        opening, closing = re.search(r"[(\[]*$", before)[0], re.match(r"[.,;:!?)\]]*", after)[0]
        if opening or closing:
            whole = nodes.inline("", "", nodes.Text(opening), formula.deepcopy(), nodes.Text(closing), classes=["course-whole"])
            pieces = [before and nodes.Text(before[:len(before) - len(opening)]), whole, after and nodes.Text(after[len(closing):])]
            parent[at - bool(before):at + 1 + bool(after)] = list(filter(None, pieces))


# A relation binds what it relates: "p = .005" is one word to the eye. So does the space before a percent sign.
RELATION = re.compile(r"(?<![^\s(])(\w{1,3}) ([=<>≤≥≈]) (?=[−-]?[.\d]|$)")
BESIDE = re.compile(r"^ ([=<>≤≥≈]) (?=[−-]?[.\d]|$)")


def bind_numbers(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Let no line end before a percent sign, nor inside "*p* = .005"."""
    if app.builder.format != "html":
        return
    unset = (nodes.literal, nodes.literal_block, nodes.doctest_block, nodes.math, nodes.math_block, nodes.raw)
    for parent in {id(text.parent): text.parent for text in doctree.findall(nodes.Text)}.values():
        for at, text in enumerate(parent.children if not isinstance(parent, unset) else ()):
            if isinstance(text, nodes.Text):
                before = parent[at - 1] if at else None
                bound = RELATION.sub("\\1\u00a0\\2\u00a0", re.sub(r"(?<=\d) (?=%)", "\u00a0", text))
                if isinstance(before, nodes.emphasis) and len(before.astext()) <= 3 or isinstance(before, nodes.math):
                    bound = BESIDE.sub("\u00a0\\1\u00a0", bound)
                if isinstance(before, nodes.inline) and bound.startswith(" %") or bound == " " and isinstance(before, nodes.emphasis):
                    bound = "\u00a0" + bound[1:]
                bound = re.sub(r"^([<>]) (?=[.\d])", "\\1\u00a0", bound)
                parent[at] = nodes.Text(bound)


def set_version(app: Sphinx, config) -> None:
    """The course's version, which the footer shows, is that of CITATION.cff."""
    citation = (ROOT / "CITATION.cff").read_text("utf-8")
    config.version = config.release = re.search(r"^version: (.+)$", citation, re.MULTILINE)[1]
    config.html_theme_options["footer_content_items"] = ["course-footer.html"]
    config.html_theme_options["enable_search_shortcuts"] = False  # "/" would look for a field that isn't shown


def not_found(app: Sphinx) -> list[tuple[str, dict, str]]:
    """The page for addresses that don't exist, with links to all that do; its icon is in it, since it is shown at any address."""
    pages = {name: app.env.titles[name].astext() for name in app.env.external_site_map}
    return [("404", {"pages": pages, "icon": (FRONT / "assets/favicon.svg").read_text("utf-8")}, "404.html")]


def name_the_site(app: Sphinx, config: Config) -> None:
    """The site's address, which the card of a shared link needs: GitHub Pages', unless `html: baseurl` names another."""
    repository = re.fullmatch(r"https://github\.com/([^/]+)/([^/]+?)/?", config.html_theme_options.get("repository_url") or "")
    if repository and not config.html_baseurl:
        config.html_baseurl = "https://{}.github.io/{}/".format(*repository.groups())


def start_katex(cls: type, rundir: Path, timeout: float) -> tuple[subprocess.Popen, socket.socket]:
    """Start KaTeX's server and connect to it, trying again until it listens.

    sphinxcontrib.katex connects as soon as the socket's file is there, which on a busy machine is
    a moment too early, and gives the server 5 seconds. Its other way, over the network, waits 40 ms for each formula.
    """
    path, give_up = rundir / "katex.sock", time.monotonic() + max(timeout, 60)
    process = subprocess.Popen(cls.build_command(socket=path), stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=rundir)
    while time.monotonic() < give_up and process.poll() is None:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.connect(str(path))
            return process, connection
        except (FileNotFoundError, ConnectionRefusedError):
            connection.close()
            time.sleep(0.01)
    process.kill()
    raise cls.timeout_error(timeout)


def setup(app: Sphinx) -> dict:
    sys.path.insert(0, str(ROOT / "chapters"))  # autodoc imports mlm
    KaTeXServer.start_server_process = classmethod(start_katex)
    # Without this each citation looks through all installed packages for who can write plain text.
    register_plugin("pybtex.backends", "plaintext", plaintext.Backend, force=True)
    app.connect("config-inited", do_without_npm)
    app.connect("builder-inited", refuse_other_builders)
    app.connect("builder-inited", lambda app: draw_pictures())
    app.connect("config-inited", name_the_site)
    launch.setup(app)
    page.setup(app)
    shipped.setup(app)
    app.connect("config-inited", set_version)
    app.connect("html-collect-pages", not_found)
    app.connect("config-inited", lambda app, config: config.templates_path.append(str(FRONT / "templates")))
    app.connect("builder-inited", lambda app: app.config.html_static_path.append(str(FRONT / "assets")))
    app.add_css_file("course.css")
    app.add_js_file("course.js", loading_method="defer")
    app.connect("doctree-resolved", set_signs)
    app.connect("doctree-resolved", bind_numbers)
    app.connect("doctree-resolved", keep_punctuation)
    app.connect("build-finished", add_parts)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
