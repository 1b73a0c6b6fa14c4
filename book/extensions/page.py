"""What each page gets besides its text: a description, its place in the course, and stills of
interactive figures."""

import html
import re

from bs4 import BeautifulSoup
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform

UNTITLED = {"genindex": "Index", "search": "Search"}  # Sphinx's own pages

def description(doctree: nodes.document) -> str:
    """A page in one or two sentences: the chapter's question, or its first paragraph."""
    questions = [box for box in doctree.findall(nodes.admonition) if "question" in box["classes"]]
    paragraph = next((questions[0] if questions else doctree).findall(nodes.paragraph), None)
    words = (re.sub(r"\\(\w+)|[_^{}]", r"\1", part.astext()) if isinstance(part.parent, nodes.math) else part.astext()
             for part in (paragraph.findall(nodes.Text) if paragraph else ()))  # formulas without TeX's signs
    text = " ".join("".join(words).split())
    if len(text) > 160:
        text = text[:160].rsplit(" ", 1)[0] + " …"
    return text


def metatags(title: str, text: str, site: str, card: str) -> str:
    """What search engines and those who share a link show of a page."""
    quoted = html.escape(text)
    tags = {"og:title": html.escape(title), "og:description": quoted, "og:site_name": html.escape(site),
            "og:type": "article", "og:image": card, "og:image:alt": "Slopes of the schools, each on its own and as a multilevel model predicts them"}
    return (f'<meta name="description" content="{quoted}" />\n<meta name="twitter:card" content="summary_large_image" />\n'
            + "".join(f'<meta property="{name}" content="{value}" />\n' for name, value in tags.items()))


class Stills(SphinxPostTransform):
    """Keep the still of each interactive figure beside it, for paper and for readers without JavaScript.

    The notebook has given it as one more form of the same output (`mlm.notebook.show`).
    """

    default_priority = 3  # just before MyST-NB keeps one form of each output
    formats = ("html",)

    def run(self, **kwargs) -> None:
        for bundle in list(self.document.findall(lambda node: isinstance(node, nodes.container)
                                                 and node.get("nb_element") == "mime_bundle")):
            forms = {form["mime_type"]: form for form in bundle.children}
            if {"text/html", "image/svg+xml"} <= forms.keys():  # MyST-NB has left out plotly's own form
                element, picture = forms["text/html"], forms["image/svg+xml"]
                still, = picture.findall(nodes.image)
                still["alt"] = BeautifulSoup(element.astext(), "html.parser").div["aria-label"]
                still["classes"].append("plotly-still")
                bundle.replace_self(element.children + picture.children)


def place(app: Sphinx, pagename: str) -> tuple[int, str, list[str]] | None:
    """The part of the course that a page is in: its number, name and pages."""
    for number, part in enumerate(app.env.external_site_map.root.subtrees, 1):
        names = [str(item) for item in part.items]
        if part.caption and pagename in names:
            return number, part.caption, names
    return None


def heading(app: Sphinx, pagename: str) -> str:
    """What stands above a page's title: where it is in its part and, on the first one, what the part holds."""
    where = place(app, pagename)
    if not where:
        return ""
    part, caption, names = where
    number, caption = names.index(pagename) + 1, html.escape(caption)
    line = (f'<p class="course-place">{caption} <progress value="{number}" max="{len(names)}" '
            f'aria-label="Chapter of this part"></progress> {number} of {len(names)}</p>')
    if number > 1:
        return line
    chapters = "".join(f'<li><a href="{app.builder.get_relative_uri(pagename, name)}">{html.escape(app.env.titles[name].astext())}</a></li>'
                       for name in names[1:])
    return (f'<nav class="part-opening" aria-label="Part {part}"><p class="part-number">Part {part}</p><p class="part-name">{caption}</p>'
            f'<p>After this chapter:</p><ol start="2">{chapters}</ol></nav>{line}')


def dress(app: Sphinx, pagename: str, templatename: str, context: dict, doctree: nodes.document | None) -> None:
    """Add to a page what this module makes; pages without a source get a description only."""
    if app.builder.format != "html":
        return
    up = "../" * pagename.count("/")
    base = (app.config.html_baseurl or "").rstrip("/")
    card = (base + "/" if base else up) + "_static/card.png"
    title = re.sub(r"<[^>]+>", "", context.get("title", "")) or UNTITLED.get(pagename, pagename)
    text = description(doctree) if doctree else f"{title}: {app.config.project}."
    context["metatags"] = context.get("metatags", "") + metatags(title, text, app.config.project, card)
    if doctree:
        context["body"] = heading(app, pagename) + context["body"]


def setup(app: Sphinx) -> None:
    app.add_post_transform(Stills)
    app.connect("html-page-context", dress)
