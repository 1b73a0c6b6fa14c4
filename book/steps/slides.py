"""Make the deck, slides/deck.md, into a folder that a browser opens without a network.

The deck is a notebook like the chapters, run by the same tools and cached with them. The
metadata of its cells are those of Jupyter's slideshow: a cell of type "slide" begins a slide,
one of type "notes" speaks to the presenter. reveal.js shows the slides; KaTeX sets the
mathematics while the deck is built. nbconvert's own slides were tried first: they ask foreign
hosts for MathJax and more, and fit code and its output into a slide one below the other only.
sphinx-revealjs would leave layout, footers and notes with markup to be written here, and colors code with a script.
"""

import json
import re
import shutil
import subprocess
from html import escape
from pathlib import Path

from markdown_it import MarkdownIt
from mdit_py_plugins.dollarmath import dollarmath_plugin
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer

from book.outputs import glued_values, read_executed, set_numbers
from book.steps.styles import shorten
from book.workspace import CONFIG, DECK, FRONT, copy_parts

NPM = FRONT / "node_modules"
PARTS = {
    NPM / "reveal.js/dist/reveal.css": "reveal.css",
    NPM / "reveal.js/dist/reset.css": "reset.css",
    NPM / "reveal.js/dist/reveal.js": "reveal.js",
    NPM / "reveal.js/plugin/notes/notes.js": "notes.js",
    NPM / "reveal.js/LICENSE": "LICENSE-reveal.js",
    NPM / "katex/dist/katex.min.css": "katex/katex.min.css",
    NPM / "katex/dist/fonts": "katex/fonts",
}
EQUATION, TO_EQUATION = re.compile(r"\$\$ \(([\w-]+)\)$", re.M), re.compile(r"\{eq\}`([\w-]+)`")
SET_FORMULAS = """const katex = require("katex"), fs = require("fs");
const formulas = JSON.parse(fs.readFileSync(0));
console.log(JSON.stringify(formulas.map(([tex, displayMode]) => katex.renderToString(tex, {displayMode}))));"""
PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="description" content="Slides on two-level models in Python, after Sven Rieger (2023).">
<title>Slides: {title}</title>
<link rel="icon" href="favicon.svg">
<link rel="stylesheet" href="reset.css">
<link rel="stylesheet" href="reveal.css">
<link rel="stylesheet" href="katex/katex.min.css">
<link rel="stylesheet" href="deck.css">
</head>
<body>
<main><div class="reveal"><div class="slides">
{slides}
</div></div></main>
<script src="reveal.js"></script>
<script src="notes.js"></script>
<script src="deck.js"></script>
</body>
</html>
"""


def group_slides(notebook) -> list:
    """The cells of each slide."""
    slides = []
    for cell in notebook.cells:
        if cell.metadata.get("slideshow", {}).get("slide_type") == "slide":
            slides.append([])
        slides[-1].append(cell)
    return slides


def number_equations(cells) -> None:
    """Number the equations that have a label, in their order; what points to a label gets its number."""
    cells = [cell for cell in cells if cell.cell_type == "markdown"]
    labels = [label for cell in cells for label in EQUATION.findall(cell.source)]
    for cell in cells:
        text = EQUATION.sub(lambda match: rf"\tag{{{labels.index(match[1]) + 1}}}$$", cell.source)
        cell.source = TO_EQUATION.sub(lambda match: f"({labels.index(match[1]) + 1})", text)


class Markdown:
    """Markdown to HTML; formulas are collected and set together, since node is slow to start."""

    def __init__(self):
        self.formulas = []
        self.parser = MarkdownIt("commonmark").enable("table").use(dollarmath_plugin, renderer=self._remember)

    def _remember(self, tex, options):
        self.formulas.append((tex, options["display_mode"]))
        return f"\0{len(self.formulas) - 1}\0"

    def html(self, text):
        return self.parser.render(text)

    def with_formulas(self, page):
        done = subprocess.run(["node", "-e", SET_FORMULAS], input=json.dumps(self.formulas), cwd=FRONT, check=True,
                              capture_output=True, text=True)
        whole = json.loads(done.stdout)
        return re.sub("\0(\\d+)\0", lambda match: whole[int(match[1])], page)


def show_code(source: str) -> str:
    return highlight(source, PythonLexer(), HtmlFormatter())


def show_outputs(cell, figures: dict) -> str:
    """Tables as they are, pictures as files of their own: `figures` collects them."""
    parts = []
    for output in cell.outputs:
        data = output.get("data", {})
        if "image/svg+xml" in data:
            name = f"figure-{len(figures) + 1}.svg"
            figures[name] = data["image/svg+xml"]
            alt = escape(cell.metadata["mystnb"]["image"]["alt"].strip())
            parts.append(f'<figure><img src="{name}" alt="{alt}"></figure>')
        elif "text/html" in data:
            parts.append(data["text/html"])
    return "".join(parts)


def slide_html(cells, number: int, values: dict, markdown: Markdown, figures: dict, book: str | None) -> str:
    """One slide: text to the left and figure to the right, or below if the cell's tags say so."""
    text, notes, picture, layout = [], "", "", ""
    for cell in cells:
        tags = cell.metadata.get("tags", [])
        if cell.cell_type == "markdown":
            html = markdown.html(set_numbers(cell.source, values))
            if cell.metadata.get("slideshow", {}).get("slide_type") == "notes":
                notes = html
            else:
                text.append(html)
            continue
        if "show" in tags:
            text.append(show_code(cell.source))
        shown = show_outputs(cell, figures)
        if "<figure>" in shown:
            picture, layout = shown, "below" if "below" in tags else "beside"
        else:
            text.append(shown)
    chapter = cells[0].metadata["chapter"]
    where = f'<a href="{book}chapters/{chapter}.html">{chapter}</a>' if book else chapter
    heading, body = re.fullmatch(r"\s*(<h[12]>.*?</h[12]>)(.*)", "".join(text), re.S).groups()
    kind = "title" if heading.startswith("<h1") else layout
    return (f'<section id="slide-{number}" class="{kind} {chapter}">{heading}'
            f'<div class="body"><div class="text">{body}</div>{picture}</div>'
            f'<footer>Sven Rieger’s slide {number} in Python. Chapter: {where}</footer>'
            f'<aside class="notes">{notes}</aside></section>')


def write_deck(folder: Path, book: str | None = None, deck: Path = DECK) -> int:
    """Write the deck into `folder`; return how many slides it has.

    `book` is the way from there to the book's first page; without it chapters are named, not linked.
    """
    notebook = read_executed(deck)
    number_equations(notebook.cells)
    values, markdown, figures, slides = glued_values(notebook.cells), Markdown(), {}, []
    for number, cells in enumerate(group_slides(notebook), 1):
        slides.append(slide_html(cells, number, values, markdown, figures, book))
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / "index.html").write_text(markdown.with_formulas(PAGE.format(title=escape(CONFIG["title"]), slides="\n".join(slides))), encoding="utf-8")
    for name, picture in figures.items():
        (folder / name).write_text(shorten(picture), encoding="utf-8")
    for source in (deck.with_name("deck.css"), deck.with_name("deck.js"), FRONT / "assets/favicon.svg"):
        shutil.copyfile(source, folder / source.name)
    copy_parts(PARTS, folder)
    return len(slides)
