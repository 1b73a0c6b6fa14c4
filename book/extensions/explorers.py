"""Explorers: pictures that a reader moves, with no server and no kernel.

A chapter says where one stands, what to try, and which figure has the same message on paper::

    ```{explorer} pooling
    :title: Between one mean for all and a mean for each
    :static: In {numref}`fig-x` ...

    Press *No pooling*, then *Complete pooling* ...
    ```

The data that an explorer computes with come from `mlm` when the page is read, and stand in the page.
Its script, ``assets/explorers/<name>.js``, is loaded on that page only. Without scripts, on paper
and in the handout, the text of ``static`` stands in its place.
"""

import html
import json
import subprocess
import sys
from pathlib import Path

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from book.workspace import FRONT, ROOT

EXAMPLE = "1224"  # the school whose students a picture shows


def load():
    """The helper package and its data. Imported here, since only pages with an explorer need it."""
    chapters = str(ROOT / "chapters")
    if chapters not in sys.path:
        sys.path.insert(0, chapters)
    import mlm

    hsb = mlm.load_hsb()
    return mlm, hsb.assign(ses_cwc=mlm.center_within(hsb["ses"], hsb["schid"]))


def pooling() -> dict:
    """Sizes and means of the schools, and the variances of the model without predictors."""
    mlm, hsb = load()
    schools = hsb.groupby("schid", observed=True)["mathach"].agg(["size", "mean"])
    fit = mlm.mixedlm("mathach ~ 1", hsb, groups="schid")
    return {"schools": list(schools.index), "n": schools["size"].tolist(), "means": schools["mean"].tolist(),
            "tau00": float(fit.cov_re.iloc[0, 0]), "sigma2": float(fit.scale)}


def slopes() -> dict:
    """The parameters of the chapter's model: lines of achievement on raw SES."""
    mlm, hsb = load()
    fit = mlm.mixedlm("mathach ~ ses", hsb, groups="schid", re_formula="~ ses")
    tau = fit.cov_re.to_numpy()
    return {"gamma00": float(fit.fe_params["Intercept"]), "gamma10": float(fit.fe_params["ses"]),
            "tau00": float(tau[0, 0]), "tau01": float(tau[0, 1]), "tau11": float(tau[1, 1]), "sigma": float(fit.scale**0.5)}


def false_alarms() -> dict:
    """The chapter's design: twenty schools, thirty students in each, the ICC of the data."""
    mlm, hsb = load()
    icc = mlm.between_within(hsb, ["mathach"], "schid").loc["mathach", "ICC1"]
    return {"schools": 20, "n": 30, "icc": float(icc)}


def centering() -> dict:
    """Sizes, means, and sums of squares within schools; the variances of two models."""
    mlm, hsb = load()
    schools = hsb.groupby("schid", observed=True)
    mean = schools["ses"].mean()
    hsb["ses_mean"] = hsb["ses"] - hsb["ses_cwc"]
    variances = {}
    for name, predictors in {"raw": "ses", "both": "ses_cwc + ses_mean"}.items():
        fit = mlm.mixedlm(f"mathach ~ {predictors}", hsb, groups="schid")
        variances[name] = {"tau00": float(fit.cov_re.iloc[0, 0]), "sigma2": float(fit.scale)}
    return {"n": schools.size().tolist(), "x": mean.tolist(), "y": schools["mathach"].mean().tolist(),
            "sxx": float((hsb["ses_cwc"] ** 2).sum()), "sxy": float(hsb["ses_cwc"] @ hsb["mathach"]),
            "grandMean": float(hsb["ses"].mean()), "variances": variances}


def output() -> dict:
    """The rows of the summary as it prints them, the numbers behind, the schools' lines and one school's students."""
    mlm, hsb = load()
    fit = mlm.mixedlm("mathach ~ ses_cwc", hsb, groups="schid", re_formula="~ ses_cwc")
    head, table = fit.summary().tables[:2]
    cells = dict(zip(head[0], head[1])) | dict(zip(head[2], head[3]))
    labels = {"No. Observations:": "observations", "No. Groups:": "groups", "Scale:": "sigma2", "Log-Likelihood:": "llf"}
    keys = ["Intercept", "ses_cwc", "tau00", "tau01", "tau11"]
    tau, school = fit.cov_re.to_numpy(), hsb[hsb["schid"] == EXAMPLE]
    lines = fit.fe_params.to_numpy() + fit.blups.to_numpy()
    return {"header": [[label, key, str(cells[label]).strip()] for label, key in labels.items()],
            "columns": list(table.columns),
            "rows": [[label, key, *map(str.strip, row)] for key, (label, *row) in zip(keys, table.itertuples(name=None))],
            "fixed": {name: {"estimate": float(fit.fe_params[name]), "se": float(fit.bse_fe[name])} for name in keys[:2]},
            "tau00": float(tau[0, 0]), "tau01": float(tau[0, 1]), "tau11": float(tau[1, 1]),
            "sigma2": float(fit.scale), "llf": float(fit.llf), "lines": lines.tolist(),
            "example": {"school": EXAMPLE, "line": lines[fit.blups.index.get_loc(EXAMPLE)].tolist(),
                        "points": school[["ses_cwc", "mathach"]].to_numpy().tolist()}}


DATA = {"pooling": pooling, "slopes": slopes, "false-alarms": false_alarms, "centering": centering, "output": output}


def rounded(value):
    """The same data with seven digits: more is weight without use in a picture."""
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    if isinstance(value, list):
        return [rounded(item) for item in value]
    return float(f"{value:.7g}") if isinstance(value, float) else value


class explorer(nodes.General, nodes.Element):
    """An explorer, of a ``name``, with its ``title`` and ``data``: an `explorer_part` to try, another for paper."""


class explorer_part(nodes.General, nodes.Element):
    """Text of which the ``part`` is "try", for readers who can, or "static", for all others."""


class Explorer(SphinxDirective):
    """``explorer``: what to try, and the text that stands in for it on paper."""

    has_content = True
    required_arguments = 1
    option_spec = {"title": directives.unchanged_required, "static": directives.unchanged_required}

    def run(self) -> list[nodes.Node]:
        name = self.arguments[0]
        missing = {"title", "static"} - set(self.options)
        if name not in DATA or missing or not self.content:
            raise self.error(f"An explorer has a name out of {', '.join(DATA)}, a text of what to try, "
                             "and the options title and static.")
        self.env.note_dependency(__file__)  # where the data come from
        return [explorer("", explorer_part("", *self.parse_content_to_nodes(), part="try"),
                         explorer_part("", *self.parse_text_to_nodes(self.options["static"]), part="static"),
                         name=name, title=self.options["title"], data=json.dumps(rounded(DATA[name]())))]


def visit_html_explorer(self, node):
    title = html.escape(node["title"])
    # A script element ends at the first "</": JSON may write it as "<\/".
    data = node["data"].replace("</", "<\\/")
    self.body.append(f'<div class="explorer" data-explorer="{node["name"]}" role="group" aria-label="{title}">\n'
                     f'<script type="application/json">{data}</script>\n<p class="explorer-title">{title}</p>\n')


def visit_html_part(self, node):
    hidden = " hidden" if node["part"] == "try" else ""
    self.body.append(f'<div class="explorer-{node["part"]}"{hidden}>\n')


def depart_html(self, node):
    self.body.append("</div>\n")


def visit_other_part(self, node):
    """The handout has the text for paper only."""
    if node["part"] == "try":
        raise nodes.SkipNode


def nothing(self, node):
    """The parts say what there is to say."""


def add_scripts(app: Sphinx, pagename: str, templatename: str, context: dict, doctree: nodes.document | None) -> None:
    """Load the scripts of the explorers that stand on a page."""
    names = dict.fromkeys(node["name"] for node in doctree.findall(explorer)) if doctree else []
    if names:
        app.add_css_file("explorers/explorers.css")
    for name in ["core", *names] if names else []:
        app.add_js_file(f"explorers/{name}.js", loading_method="defer")


def minify(app: Sphinx, exception: Exception | None) -> None:
    """Leave comments and long names out of the scripts that readers load: a third of their weight."""
    folder = Path(app.outdir) / "_static/explorers"
    if not exception and app.builder.format == "html" and folder.exists() and (FRONT / "node_modules").exists():
        subprocess.run([FRONT / "node_modules/.bin/esbuild", "--minify", "--allow-overwrite", "--log-level=warning",
                        f"--outdir={folder}", *sorted(folder.glob("*.js"))], check=True)


def setup(app: Sphinx) -> dict:
    app.add_directive("explorer", Explorer)
    app.add_node(explorer, html=(visit_html_explorer, depart_html), latex=(nothing, nothing), text=(nothing, nothing))
    part = (visit_other_part, nothing)
    app.add_node(explorer_part, html=(visit_html_part, depart_html), latex=part, text=part)
    app.connect("html-page-context", add_scripts)
    app.connect("build-finished", minify)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
