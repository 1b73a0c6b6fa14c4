"""What the PDFs need beyond Sphinx's LaTeX builder; loaded by book/steps/pdf.py only.

Print has no folds, so answers, solutions and hidden code go to appendices, with links there
and back. Tables of data frames are set with booktabs from the same HTML that the site shows.
Numbers of figures and equations are the site's. `handout.sty` holds the layout.
"""

import inspect
import re
import textwrap
from operator import attrgetter

import jupytext
import yaml
from bs4 import BeautifulSoup
from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.builders.latex.nodes import footnotetext, thebibliography
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util.texescape import escape
from sphinx.writers.latex import LaTeXTranslator
from sphinx_exercise.nodes import exercise_enumerable_node, exercise_node, solution_node

from book.extensions.selfcheck import check_option, check_question, self_check
from book.workspace import ROOT

ENGINE = "xelatex"
DECK = "slides/deck"
LAYOUT = ROOT / "book/extensions/handout.sty"
# Kinds of boxes: those that have a color there.
BOXES = set(re.findall(r"^\\definecolor\{box(\w+)\}", LAYOUT.read_text("utf-8"), flags=re.M))
GREEK = dict(zip("alpha beta gamma delta epsilon eta theta lambda mu rho sigma tau phi".split(), "αβγδεηθλμρστφ"))
WHOLE, WHOLE_TABLE = 14, 7  # lines of a listing, rows of a table that no page break divides
# Headings that most chapters have: bookmarks, but no lines of the table of contents.
RECURRING = {"Check yourself", "Exercises", "What to keep"}


def raw(text: str) -> nodes.raw:
    return nodes.raw("", text, format="latex")


def tex(text: str) -> str:
    return escape(text, ENGINE)


def heading(title: str, *children: nodes.Node) -> nodes.section:
    return nodes.section("", nodes.title("", title), *children)


# ------------------------------------------------------------------ tables

NUMBER = re.compile(r"[^\w]*[−-]?[\d.,]+( ?%)?(\W.*)?$|$|[−-]$|nan$")
WORDS = re.compile(r"\s|-|(?<=[_(\[=.])")  # where a line of a cell may end
SYMBOLS = re.compile(r"\\[a-zA-Z]+|[{}_^\s]")  # of mathematics: what is one letter, and what is none
LINE = 100  # characters of a table's text in a line of the page, about


def table_to_latex(table) -> str:
    """An HTML table, of pandas, `mlm` or statsmodels, as a booktabs table.

    Numbers stand to the right. Long headings and long texts wrap; what is wider than the page
    even so is scaled down.
    """
    rows = [[(cell.get_text(" ", strip=True), cell.name == "th", int(cell.get("colspan", 1)))
             for cell in row.find_all(["th", "td"])] for row in table.find_all("tr")]
    rows = [row for row in rows if row]
    heads = len(table.thead.find_all("tr")) if table.thead else sum(all(is_head or not text for text, is_head, _ in row) for row in rows[:1])
    width = max(sum(span for *_, span in row) for row in rows)
    whole = [[text for text, _, span in row for _ in range(span)] for row in rows if all(span == 1 for *_, span in row)]
    columns = [list(column) for column in zip(*(row + [""] * (width - len(row)) for row in whole))]
    body = [column[heads:] for column in columns]
    right = [bool(column) and any(column) and all(NUMBER.match(text) for text in column) for column in body]
    longest = [max([max(map(len, textwrap.wrap(column[0], 16)), default=0) if heads else 0, *map(len, rest)])
               for column, rest in zip(columns, body)]
    spare = LINE - sum(length for length in longest if length <= 24) - 2 * width
    wide = [length > 24 and sum(longest) + 2 * width > LINE for length in longest]
    kinds = ["r" if r else rf">{{\raggedright\arraybackslash}}p{{{max(spare / sum(wide), 14) / LINE:.2f}\linewidth}}" if w else "l"
             for r, w in zip(right, wide)]

    def cell(text, place, span, is_head, above):
        if span > 1:
            weight = r"\bfseries " if is_head else ""
            return rf"\multicolumn{{{span}}}{{@{{}}l}}{{{weight}{tex(text)}}}"
        if above and len(text) > 16 and not wide[place]:
            lines = r" \\ ".join(map(tex, textwrap.wrap(text, 16)))
            return rf"\shortstack[{kinds[place]}]{{{lines}}}"
        return tex(text)

    lines = []
    for number, row in enumerate(rows):
        place, parts = 0, []
        for text, is_head, span in row:
            parts.append(cell(text, place, span, is_head, number < heads))
            place += span
        lines.append(" & ".join(parts) + r" \\")
        if number == heads - 1:
            lines.append(r"\midrule")
    return "\n".join([rf"\begin{{coursetable}}{{{''.join(kinds)}}}", r"\toprule", *lines, r"\bottomrule", r"\end{coursetable}"])


def spread(rows: list[list[str]], space: int) -> list[int]:
    """Widths of columns, in characters, that keep the rows of a wide table low.

    A column is at least as wide as its longest word; what space is left goes, bit by bit, where it saves most.
    """
    columns = list(zip(*rows))
    widths = [1 + max(len(word) for text in column for word in WORDS.split(text)) for column in columns]
    longest = [max(map(len, column)) for column in columns]

    def height(widths):
        return sum(max(max(1, len(text) / width) for text, width in zip(row, widths)) for row in rows)

    while sum(widths) < space:
        growing = [place for place, width in enumerate(widths) if width < longest[place]]
        if not growing:
            break
        best = min(growing, key=lambda place: height([width + (number == place) for number, width in enumerate(widths)]))
        widths[best] += 1
    return widths


def printed(entry: nodes.Element) -> str:
    """A cell's text, about as long as it is in print."""
    return "".join(SYMBOLS.sub(lambda found: "x" * (found[0][0] == "\\"), text.astext()) if isinstance(text.parent, nodes.math)
                   else text.astext() for text in entry.findall(nodes.Text))


class TablesFromHtml(SphinxPostTransform):
    """Choose the tables among a cell's output formats; myst-nb chooses the rest."""

    default_priority = 3  # before myst-nb's choice

    def run(self, **kwargs) -> None:
        for bundle in list(self.document.findall(lambda node: isinstance(node, nodes.container)
                                                 and node.get("nb_element") == "mime_bundle")):
            forms = {form["mime_type"]: form for form in bundle.children}
            if "text/html" in forms and "application/pdf" not in forms:  # a picture stands for the table that it carries
                tables = BeautifulSoup(forms["text/html"].astext(), "html.parser").find_all("table")
                if tables:
                    bundle.replace_self([raw(table_to_latex(table)) for table in tables])


# ------------------------------------------------- what is folded on the site

class Unfold(SphinxPostTransform):
    """Move answers, solutions and hidden code to appendices; put the parts of the book in order."""

    default_priority = 760  # references are resolved, the bibliography is collected

    def run(self, **kwargs) -> None:
        for node in list(self.document.findall(addnodes.index)):
            node.parent.remove(node)
        if self.document.get("docname") != self.config.master_doc:
            return
        files = {node["docname"]: node for node in self.document.findall(addnodes.start_of_file)}
        answers, solutions, code = [], [], []
        for name, file in files.items():
            for kind, collect in ((answers, self.answers), (solutions, self.solutions), (code, self.hidden_code)):
                found = collect(file, name)
                if found:
                    kind.append(addnodes.start_of_file("", heading(self.env.titles[name].astext(), *found), docname=name))
        self.arrange(files, [("Answers to the questions", answers), ("Solutions to the exercises", solutions),
                             ("Code of figures and tables", code)])

    def answers(self, file, name) -> list[nodes.Node]:
        """Letter the options of a self-check; return the list of what is right, and why."""
        found = []
        for check in list(file.findall(self_check)):
            questions, replies = (nodes.enumerated_list("", enumtype="arabic", prefix="", suffix=".") for _ in range(2))
            for question in check.findall(check_question):
                text = [child for child in question.children if not isinstance(child, check_option)]
                options = list(question.findall(check_option))
                asked, why = (nodes.enumerated_list("", enumtype="loweralpha", prefix="", suffix=")") for _ in range(2))
                for option in options:
                    answer, *reasons = option.children
                    asked += nodes.list_item("", nodes.paragraph("", "", *answer.children))
                    why += nodes.list_item("", *reasons)
                right = "abcdefgh"[[option["right"] for option in options].index(True)]
                questions += nodes.list_item("", *text, asked)
                replies += nodes.list_item("", nodes.paragraph("", "", raw(rf"\textbf{{{right}}} is right.")), why)
            check.replace_self([raw(rf"\phantomsection\label{{check:{name}}}\courselink{{Answers}}{{answers:{name}}}"),
                                questions])
            found += [raw(rf"\label{{answers:{name}}}\courselink{{Questions}}{{check:{name}}}"), replies]
        dropdowns = list(file.findall(lambda node: isinstance(node, nodes.container)
                                      and node.get("design_component") == "dropdown"))
        titles = [dropdown[0].astext() for dropdown in dropdowns]
        for number, (dropdown, title) in enumerate(zip(dropdowns, titles), 1):
            here, there = f"fold:{name}:{number}", f"unfolded:{name}:{number}"
            # Titles that repeat, as "Answer" does, are told apart by their number.
            title = tex(f"{title} {number}" if titles.count(title) > 1 else title)
            found += [raw(rf"\coursesolution{{{there}}}{{{here}}}{{{title}}}"), *dropdown[1:]]
            dropdown.replace_self([raw(rf"\coursesolution{{{here}}}{{{there}}}{{{title}}}")])
        return found

    def solutions(self, file, name) -> list[nodes.Node]:
        """Take the solutions out; the exercises say on which page they stand."""
        found = []
        exercises = {node["label"]: node for node in file.findall(lambda node: isinstance(
            node, (exercise_node, exercise_enumerable_node)))}
        for solution in list(file.findall(solution_node)):
            title, *content = solution.children
            content = [child for part in content
                       for child in (part.children if isinstance(part, nodes.section) else [part])]
            exercise = exercises[solution["target_label"]]
            label = f"solution:{name}:{solution['target_label']}"
            next(exercise.findall(nodes.title)).append(raw(rf"\coursetitlelink{{Solution}}{{{label}}}"))
            solution.parent.remove(solution)
            found += [raw(rf"\coursesolution{{{label}}}{{exercise:{solution['target_label']}}}"
                          rf"{{{tex(re.sub('^Solution to ', '', title.astext()))}}}"), *content]
        return found

    def hidden_code(self, file, name) -> list[nodes.Node]:
        """Take the input of cells out that the site folds."""
        found = []
        cells = list(file.findall(lambda node: isinstance(node, nodes.container) and
                                  {"tag_hide-input", "tag_hide-cell"} & set(node.get("classes", []))))
        for number, cell in enumerate(cells):
            source = next(node for node in cell.findall(nodes.container) if "cell_input" in node["classes"])
            source.parent.remove(source)
            label = f"code:{name}:{number}"
            figure = next(cell.findall(nodes.figure), None)
            link = rf"\courselink{{Code}}{{{label}}}"
            if figure is not None:
                caption = next(figure.findall(nodes.caption))
                caption += raw(rf" \courseinlinelink{{Code}}{{{label}}}")
                # A label of its own: not every figure has one.
                caption += raw(rf"\label{{figure-of:{label}}}")
                back = rf"Figure~\ref{{figure-of:{label}}}"
            else:
                cell += raw(link + rf"\label{{figure-of:{label}}}")
                back = "Output"
            found += [raw(rf"\coursecode{{{label}}}{{figure-of:{label}}}{{{back}}}"), source]
        return found

    def arrange(self, files, appendices) -> None:
        """The front page as an unnumbered chapter, the parts of the table of contents, the appendices."""
        root = next(self.document.findall(nodes.section))
        title, *front = [child for child in root.children if not (
            isinstance(child, nodes.compound) and "toctree-wrapper" in child["classes"])]
        for wrapper in list(root.findall(lambda node: isinstance(node, nodes.compound)
                                         and "toctree-wrapper" in node.get("classes", []))):
            wrapper.parent.remove(wrapper)
        root.children = []
        root += [title, raw(r"\courseunnumbered"), heading("About this course", *front), raw(r"\coursenumbered")]
        for part in self.env.external_site_map.root.subtrees:
            root += raw(rf"\coursepart{{{tex(part.caption)}}}")
            for name in part.items:
                root += files[str(name)]
        root += raw(r"\coursepart{Appendix}\appendix")
        for title, content in appendices:
            if content:
                root += heading(title, raw(r"\coursetocoff"), *content, raw(r"\coursetocon"))
        for section in list(root.findall(nodes.section)):
            if section[0].astext() in RECURRING:
                section.parent.insert(section.parent.index(section), raw(r"\coursetocoff"))
                section.insert(1, raw(r"\coursetocon"))
        # The bibliography stands in the chapter of that name, not once more at the end.
        for entries in list(self.document.findall(thebibliography)):
            entries.parent.remove(entries)
            for note in list(entries.findall(lambda node: isinstance(node, (nodes.footnote, footnotetext, nodes.footnote_reference)))):
                note.parent.remove(note)  # the address is the entry's own text
            target = next(file for name, file in files.items() if name.endswith("bibliography"))
            next(target.findall(nodes.section)).append(entries)


class Cards(SphinxPostTransform):
    """A card of the front page becomes a paragraph: its title, linked, and its text."""

    default_priority = 750

    def run(self, **kwargs) -> None:
        def component(name):
            return lambda node: isinstance(node, nodes.Element) and node.get("design_component") == name

        for card in list(self.document.findall(component("card"))):
            link = next(card.findall(nodes.reference), None)
            body = next(card.findall(component("card-body")))
            title, *text = body.children
            words = nodes.strong("", title.astext())
            if link is not None:
                words = nodes.reference("", "", words, **{key: link[key] for key in ("refuri", "refid", "internal") if key in link})
            paragraphs = [child for child in text if isinstance(child, nodes.paragraph)]
            paragraphs[0].insert(0, [words, nodes.Text(". ")])
            card.replace_self(paragraphs)


# ------------------------------------------------------------------- writer

class HandoutTranslator(LaTeXTranslator):
    """Sphinx's writer with the site's numbers and boxes with a colour for each purpose."""

    def number_of(self, kind: str, ids) -> int | None:
        numbers = self.builder.env.toc_fignumbers.get(self.curfilestack[-1], {}).get(kind, {})
        return next((numbers[name][-1] for name in ids if name in numbers), None)

    def visit_figure(self, node):
        number = self.number_of("figure", node["ids"])
        if number:
            self.body.append(rf"\setcounter{{figure}}{{{number - 1}}}")
        super().visit_figure(node)

    def visit_math(self, node):
        if not self.in_title:
            return super().visit_math(node)
        # A bookmark holds plain text: Greek letters by their name, no braces.
        plain = re.sub(r"\\([a-z]+)", lambda m: GREEK.get(m[1], m[1]), node.astext())
        self.body.append(rf"\texorpdfstring{{\({node.astext()}\)}}{{{tex(re.sub('[{}_^]', '', plain))}}}")
        raise nodes.SkipNode

    def visit_math_block(self, node):
        number = self.number_of("displaymath", node["ids"])
        if number:
            self.body.append(rf"\setcounter{{equation}}{{{number - 1}}}")
        super().visit_math_block(node)

    def visit_math_reference(self, node):
        label = f"equation:{node['docname']}:{node['target']}"
        self.body.append(rf"\hyperref[{label}]{{(\ref*{{{label}}})}}")
        raise nodes.SkipNode

    def visit_table(self, node):
        self.body.append("\\begingroup\\small\\setlength{\\extrarowheight}{2pt}\n")
        rows = [list(map(printed, row)) for row in node.findall(nodes.row)]
        space = round(.9 * LINE) - 3 * len(rows[0])
        if len(rows) > WHOLE_TABLE:
            node["classes"].append("longtable")
        if len(rows) > WHOLE_TABLE or sum(max(map(len, column)) for column in zip(*rows)) > space:
            widths = spread(rows, space)
            total = max(space, sum(widths))
            self.next_table_colspec = "".join(
                rf">{{\raggedright\arraybackslash}}p{{\dimexpr(\linewidth-{2 * len(widths)}\tabcolsep)*{width}/{total}}}"
                for width in widths) + "\n"
        super().visit_table(node)

    def depart_table(self, node):
        super().depart_table(node)
        self.body.append("\\endgroup\n")

    def visit_entry(self, node):
        if not node.astext().strip():
            node.clear()  # an empty paragraph is a line high
        super().visit_entry(node)

    def visit_literal_block(self, node):
        """A short listing stays on one page, and with the output below it."""
        short = not self.table and not self.in_footnote and node.astext().count("\n") < WHOLE
        self.body.append("\n\\begin{courselisting}\n" if short else "\n\\courselonglisting\n")
        try:
            super().visit_literal_block(node)
        finally:
            if short:
                self.body.append("\\end{courselisting}\n")

    def visit_literal(self, node):
        # Names of code may break after these characters: TeX knows no place in them.
        for text in list(node.findall(nodes.Text)):
            text.parent.replace(text, nodes.Text(re.sub(r"(?<=[_(\[=.])(?=\w|[\"'])", "\u200b", text.astext())))
        super().visit_literal(node)

    def visit_admonition(self, node):
        kind = next((name for name in node["classes"] if name in BOXES), "note")
        self.body.append(rf"\begin{{coursebox}}{{{kind}}}")
        self.no_latex_floats += 1

    def depart_admonition(self, node):
        self.no_latex_floats -= 1
        self.body.append("\\end{coursebox}\n")


def visit_exercise(self, node):
    self.body.append(rf"\phantomsection\label{{exercise:{node['label']}}}\begin{{coursebox}}{{exercise}}")


def depart_exercise(self, node):
    self.body.append("\\end{coursebox}\n")


# -------------------------------------------------------- the slides' handout

class slide(nodes.General, nodes.Element):
    """A slide, beside lines for notes."""


def in_short(page: str) -> str:
    """A page of docstrings as a list: of each function its first line."""
    import mlm

    def first_line(match):
        name = match[1].removeprefix("mlm.")
        return f"- `mlm.{name}`: {inspect.getdoc(attrgetter(name)(mlm)).splitlines()[0]}"

    page = re.sub(r"^```(\{eval-rst\}\n\.\. currentmodule:: mlm\n)?", "", page, flags=re.MULTILINE)
    return re.sub(r"^\.\. auto\w+:: (\S+)$", first_line, page, flags=re.MULTILINE)


def for_paper(app: Sphinx, docname: str, source: list[str]) -> None:
    """Of the deck's cells, leave what its slides show: neither the speaker's notes nor hidden code."""
    if docname == "chapters/api":
        source[0] = in_short(source[0])
    if docname != DECK:
        return
    deck = jupytext.reads(source[0], fmt="md:myst")
    deck.cells = [cell for cell in deck.cells if cell.metadata.get("slideshow", {}).get("slide_type") != "notes"]
    for cell in deck.cells:
        tags = cell.metadata.get("tags", [])
        if cell.cell_type == "code" and "show" not in tags:
            cell.metadata["tags"] = [*tags, "remove-input"]
    app.env.metadata[docname]["orphan"] = True  # in no table of contents
    source[0] = jupytext.writes(deck, fmt="md:myst")


class Slides(SphinxPostTransform):
    """Each section below the deck's title becomes a slide."""

    default_priority = 2

    def run(self, **kwargs) -> None:
        if self.env.docname != DECK:
            return
        for section in list(self.document.findall(lambda node: isinstance(node, nodes.section)
                                                  and isinstance(node.parent, nodes.section))):
            title, *content = section.children
            wide = any(isinstance(node, nodes.table) or "tag_below" in node["classes"]
                       for node in section.findall(nodes.Element))
            for image in section.findall(nodes.image):
                image["width"] = "100%" if wide else "75%"
            section.replace_self(slide("", *content, title=title.astext(), layout="coursewideslide" if wide else "courseslide"))


def visit_slide(self, node):
    self.body.append(rf"\begin{{{node['layout']}}}{{{tex(node['title'])}}}" + "\n")


def depart_slide(self, node):
    self.body.append(f"\n\\end{{{node['layout']}}}\n")


# ------------------------------------------------------------- configuration

def configure(app: Sphinx, config) -> None:
    """Two documents in one run: the book, and the slides' content with space for notes."""
    about = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    config.latex_engine = ENGINE
    config.latex_use_xindy = False
    config.latex_table_style = ["booktabs"]
    config.latex_show_urls = "footnote"
    config.latex_domain_indices = False
    config.latex_additional_files = [str(LAYOUT)]
    title = tex(about["title"])
    config.latex_documents = [
        (config.master_doc, "multilevel-handout.tex", title, tex(config.author), "manual", False),
        (DECK, "multilevel-slides.tex", title, tex(config.author), "howto", False)]
    # Not a page of the site.
    config.exclude_patterns = [pattern for pattern in config.exclude_patterns if pattern != "slides"]
    facts = {"coursetitle": title, "courseauthor": tex(config.author), "courseversion": about["version"],
             "coursedate": config.today, "coursekeywords": tex(", ".join(about["keywords"])), "courseabstract": tex(about["abstract"])}
    config.latex_elements = {
        "papersize": "a4paper", "pointsize": "10pt", "extraclassoptions": "openany,oneside", "fncychap": "",
        "babel": r"\usepackage[english]{babel}", "figure_align": "htbp", "makeindex": "", "printindex": "",
        "fontpkg": "", "fontenc": r"\usepackage{fontspec}", "geometry": r"\usepackage[margin=25mm,top=28mm,bottom=22mm,headheight=14pt,headsep=7mm]{geometry}",
        "sphinxsetup": "", "maketitle": r"\coursetitlepage", "tableofcontents": r"\coursecontents",
        "extrapackages": "".join(rf"\newcommand{{\{name}}}{{{text}}}" for name, text in facts.items()) + r"\usepackage{handout}",
        "preamble": r"\coursesetup",
    }


def setup(app: Sphinx) -> dict:
    app.connect("config-inited", configure, priority=900)
    app.set_translator("latex", HandoutTranslator)
    app.connect("source-read", for_paper)
    app.add_node(slide, latex=(visit_slide, depart_slide))
    for node in (exercise_node, exercise_enumerable_node):
        app.add_node(node, override=True, latex=(visit_exercise, depart_exercise))
    for transform in (Slides, TablesFromHtml, Cards, Unfold):
        app.add_post_transform(transform)
    return {"parallel_read_safe": True}
