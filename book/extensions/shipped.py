"""The directive `shipped-software`: a table of what the site carries of others."""

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from book.software import SHIPPED, shipped


class ShippedSoftware(SphinxDirective):
    def run(self) -> list[nodes.Node]:
        rows = [f"| {part['name']} {part['version']} | {SHIPPED[part['name']]} | {part['licenses'][0]['license']['name']} |" for part in shipped()]
        return self.parse_text_to_nodes("\n".join(["| Package | What it does here | License |", "|---|---|---|", *rows]))


def setup(app: Sphinx) -> None:
    app.add_directive("shipped-software", ShippedSoftware)
