"""What each page gets besides its text: a description, its place in the course, and the data of
interactive figures as a table."""

import base64
import html
import json
import re

import numpy as np
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform

FIGURE = re.compile(r'(<div class="plotly-figure"[^>]*>.*?<script type="application/json">)(.*?)'
                    r'(</script>\s*</div>(?:\s*</div>\s*<img [^>]*>)?)', re.DOTALL)
UNTITLED = {"genindex": "Index", "search": "Search"}  # Sphinx's own pages
ROWS = 60  # A longer table is summed up: nobody listens to hundreds of numbers.


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


def numbers(values) -> list:
    """The values of one coordinate of a plotly trace, packed or not."""
    if isinstance(values, dict):
        values = np.frombuffer(base64.b64decode(values["bdata"]), np.dtype(values["dtype"])).tolist()
    return list(values) if values is not None else []


def axis_title(layout: dict, trace: dict, axis: str) -> str:
    """The title of a trace's axis, or that of the first axis of its kind that has one."""
    own = axis + "axis" + trace.get(axis + "axis", axis)[1:]
    titles = [layout.get(name, {}).get("title", {}).get("text") for name in (own, *layout) if name.startswith(axis + "axis")]
    return re.sub(r"<[^>]+>", " ", next(filter(None, titles), axis))


def data_table(spec: dict) -> str:
    """A figure's data as a table: each point, or where there are many, each trace's extent.

    Returns
    -------
    str
        HTML of a closed fold.
    """
    layout = spec["layout"]
    traces = [(trace, numbers(trace.get("x")), numbers(trace.get("y"))) for trace in spec["data"]]
    traces = [(trace, x, y) for trace, x, y in traces if x and y]
    if not traces:
        return ""

    def label(number, trace):
        hover = re.sub(r"<extra>.*", "", trace.get("hovertemplate") or "").split("<br>")[0]
        name = hover if hover and "%{" not in hover else ""
        return html.escape(" – ".join(filter(None, dict.fromkeys([name, trace.get("name") or ""])))
                           or f"series {number}")

    def cell(value):
        text = f"{value:.4g}" if isinstance(value, float) else str(value)
        return f"<td>{html.escape(text).replace('-', chr(8722))}</td>"

    x_name, y_name = (html.escape(axis_title(layout, traces[0][0], axis)) for axis in "xy")
    if sum(len(x) for _, x, _ in traces) <= ROWS:
        head = ["Series", x_name, y_name]
        rows = [(label(n, trace), [a, b]) for n, (trace, x, y) in enumerate(traces, 1) for a, b in zip(x, y)]
    else:
        head = ["Series", "points", f"{x_name}: from", "to", f"{y_name}: least", "greatest"]
        rows = []
        for number, (trace, x, y) in enumerate(traces, 1):
            known = [value for value in y if value is not None]
            rows.append((label(number, trace), [len(x), min(x, key=str) if isinstance(x[0], str) else min(x),
                                                max(x, key=str) if isinstance(x[0], str) else max(x),
                                                min(known, default=""), max(known, default="")]))
    body = "".join(f'<tr><th scope="row">{name}</th>' + "".join(map(cell, values)) + "</tr>" for name, values in rows)
    return ('<details class="figure-data"><summary>The figure’s data as a table</summary><div class="scroll" tabindex="0" '
            'role="group" aria-label="The figure’s data"><table class="statistics"><thead><tr>'
            + "".join(f'<th scope="col">{name}</th>' for name in head) + f"</tr></thead><tbody>{body}</tbody></table></div></details>")


def with_tables(body: str) -> str:
    """The page's text with a table behind each interactive figure."""
    return FIGURE.sub(lambda m: m[0] + data_table(json.loads(m[2])), body)


class StaticTwins(SphinxPostTransform):
    """Put the picture of each interactive figure behind it, for paper and for readers without JavaScript.

    The notebook has given it as one more form of the same output (`mlm.notebook.show`).
    """

    default_priority = 3  # just before MyST-NB keeps one form of each output
    formats = ("html",)

    def run(self, **kwargs) -> None:
        for output in self.document.findall(lambda node: isinstance(node, nodes.container)
                                            and node.get("nb_element") == "mime_bundle"):
            forms = {form["mime_type"]: form for form in output.children}
            figure = FIGURE.search(forms["text/html"].astext()) if "text/html" in forms else None
            if figure:
                label = re.search(r'aria-label="([^"]*)"', figure[1])[1]
                picture = next(forms["image/svg+xml"].findall(nodes.image)).deepcopy()
                picture.update_basic_atts({"classes": ["plotly-twin"]})
                picture["alt"] = html.unescape(label)
                forms["text/html"] += picture


def place(app: Sphinx, pagename: str) -> tuple[str, int, int] | None:
    """The part of the course that a page is in, its number there, and of how many."""
    for part in app.env.external_site_map.root.subtrees:
        names = [str(item) for item in part.items]
        if part.caption and pagename in names:
            return part.caption, names.index(pagename) + 1, len(names)
    return None


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
        body = with_tables(context["body"])
        where = place(app, pagename)
        if where:
            caption, number, count = where
            body = (f'<p class="course-place">{html.escape(caption)} <progress value="{number}" max="{count}" '
                    f'aria-label="Chapter of this part"></progress> {number} of {count}</p>' + body)
        context["body"] = body


def setup(app: Sphinx) -> None:
    app.add_post_transform(StaticTwins)
    app.connect("html-page-context", dress)
