r"""Self-checks: questions that answer at once and say why, without a script or a server.

A chapter writes them as a list, so that the source reads as what it is::

    ::::{self-check}
    1. Which of the two is $\tau_{00}$?
       - [ ] The variance of the students.

         That is $\sigma^2$.
       - [x] The variance of the schools' intercepts.

         It is written `fit.cov_re.iloc[0, 0]`.
    ::::

On the site each option is a disclosure (``<details>``) of which one is open at a time: keyboard,
touch and screen readers know it. Content is parsed as any other text, so mathematics, code,
quoted numbers and apostrophes are safe.
"""

import re

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

MARK = re.compile(r"\[( |x)\] ")


class self_check(nodes.General, nodes.Element):
    """All questions of a chapter."""


class check_question(nodes.General, nodes.Element):
    """One question: a paragraph or more, then its options."""


class check_option(nodes.General, nodes.Element):
    """An option, ``right`` or not: a `check_answer`, then the explanation."""


class check_answer(nodes.General, nodes.TextElement):
    """The option's own words."""


class SelfCheck(SphinxDirective):
    """``self-check``: a numbered list of questions, each with a list of options."""

    has_content = True

    def run(self) -> list[nodes.Node]:
        parsed = self.parse_content_to_nodes()
        if len(parsed) != 1 or not isinstance(parsed[0], nodes.enumerated_list):
            raise self.error("A self-check is one numbered list of questions.")
        prefix = f"check-{self.env.new_serialno('self-check')}"
        return [self_check("", *(self.question(item, f"{prefix}-{number}")
                                 for number, item in enumerate(parsed[0], 1)))]

    def question(self, item: nodes.list_item, name: str) -> check_question:
        *text, options = item.children
        if not text or not isinstance(options, nodes.bullet_list):
            raise self.error(f"A question needs a text and then its options: {item.astext()!r}")
        options = [self.option(option, name) for option in options]
        if sum(option["right"] for option in options) != 1 or len(options) < 2:
            raise self.error(f"A question needs two options or more, one of them right: {text[0].astext()!r}")
        return check_question("", *text, *options, name=name)

    def option(self, item: nodes.list_item, name: str) -> check_option:
        answer, *why = item.children
        mark = MARK.match(answer.astext())
        if not mark or not why:
            raise self.error("An option begins with '[ ] ' or '[x] ', and a paragraph after it says why: "
                             f"{answer.astext()!r}")
        right = mark[1] == "x"
        first = next(answer.findall(nodes.Text))
        first.parent.replace(first, nodes.Text(MARK.sub("", first.astext(), count=1)))
        verdict = nodes.strong("", "Right. " if right else "No. ")
        if isinstance(why[0], nodes.paragraph):
            why[0].insert(0, verdict)
        else:  # an explanation that begins with code or an equation
            why.insert(0, nodes.paragraph("", "", verdict))
        return check_option("", check_answer("", "", *answer.children), *why, right=right, group=name)


def visit_html_self_check(self, node):
    self.body.append('<div class="self-check">\n')


def visit_html_question(self, node):
    number = node.parent.index(node) + 1
    self.body.append(f'<div class="question" role="group" aria-label="Question {number}">\n')


def depart_html_div(self, node):
    self.body.append("</div>\n")


def visit_html_option(self, node):
    kind = "right" if node["right"] else "wrong"
    self.body.append(f'<details class="option {kind}" name="{node["group"]}">\n')


def depart_html_option(self, node):
    self.body.append("</div></details>\n")


def visit_html_answer(self, node):
    self.body.append("<summary>")


def depart_html_answer(self, node):
    self.body.append('</summary>\n<div class="why">\n')


def unlink_answers(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Take links out of answers on the site: an answer is a button, and a button holds no links."""
    if app.builder.format == "html":
        for answer in doctree.findall(check_answer):
            for link in list(answer.findall(nodes.reference)):
                link.replace_self(nodes.inline("", "", *link.children))


def nothing(self, node):
    """Other formats than HTML show the text as it is."""


def setup(app: Sphinx) -> dict:
    plain = (nothing, nothing)
    app.add_directive("self-check", SelfCheck)
    app.connect("doctree-resolved", unlink_answers)
    app.add_node(self_check, html=(visit_html_self_check, depart_html_div), latex=plain, text=plain)
    app.add_node(check_question, html=(visit_html_question, depart_html_div), latex=plain, text=plain)
    app.add_node(check_option, html=(visit_html_option, depart_html_option), latex=plain, text=plain)
    app.add_node(check_answer, html=(visit_html_answer, depart_html_answer), latex=plain, text=plain)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
