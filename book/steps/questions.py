"""The self-checks and the examination as question banks for a learning platform: Moodle XML, and QTI for Canvas.

Moodle reads an XML of its own, a dozen elements, written here with the standard library; libraries for it want
their own sources (YAML) and scripts. QTI, with its packages and identifiers, is text2qti's work.
"""

import io
import re
import zipfile
from datetime import datetime, timezone
from textwrap import dedent, indent
from typing import NamedTuple
from xml.etree import ElementTree

from markdown_it import MarkdownIt
from mdit_py_plugins.dollarmath import dollarmath_plugin
from text2qti.config import Config
from text2qti.qti import QTI
from text2qti.quiz import Quiz

from book.workspace import CONFIG, last_change

SELF_CHECK = re.compile(r"^(:{3,})\{self-check\}\n(.*?)^\1$", re.M | re.S)
EXAM = re.compile(r"^\*\*\d+\.\*\* (.*?)\n\n:::\{dropdown\} Answer\n(.*?)\n:::$", re.M | re.S)


class Option(NamedTuple):
    """An answer to choose, and why it is right or wrong; Markdown."""

    right: bool
    answer: str
    why: str


class Question(NamedTuple):
    """A question to choose from options, or, without any, to answer in words, for which `answer` is the model."""

    text: str
    options: list[Option] = []
    answer: str = ""


def self_checks(text: str) -> list[Question]:
    """The questions of a chapter's self-check."""
    questions = []
    for question in re.split(r"^\d+\. ", "".join(block for _, block in SELF_CHECK.findall(text)), flags=re.M)[1:]:
        words, *options = re.split(r"^ +- (?=\[[ x]\] )", question, flags=re.M)
        options = [(option[1] == "x", *dedent("     " + option[4:]).strip().split("\n\n", 1)) for option in options]
        questions.append(Question(dedent("   " + words).strip(), [Option(*option) for option in options]))
    return questions


def examination(text: str) -> list[Question]:
    """The questions of the instructors' page, with their answers."""
    return [Question(words, answer=answer) for words, answer in EXAM.findall(text)]


def to_html() -> MarkdownIt:
    r"""Markdown as HTML whose formulas stand in \( \), as MathJax on learning platforms reads them."""
    markdown = MarkdownIt("commonmark", {"typographer": True}).enable(["table", "smartquotes"]).use(dollarmath_plugin)
    markdown.add_render_rule("math_inline", lambda self, tokens, i, *_: rf"\({escaped(tokens[i].content)}\)")
    for kind in ("math_block", "math_block_label"):
        markdown.add_render_rule(kind, lambda self, tokens, i, *_: rf"<p>\[{escaped(tokens[i].content)}\]</p>")
    return markdown


def escaped(tex: str) -> str:
    return tex.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def moodle(banks: dict[str, list[Question]]) -> str:
    """Moodle XML of questions by category; the format: docs.moodle.org, "Moodle XML format"."""
    quiz, markdown = ElementTree.Element("quiz"), to_html()

    def add(parent, tag, text, **attributes):
        element = ElementTree.SubElement(parent, tag, attributes)
        if tag == "answer":  # one line: "1000." alone would be taken for the beginning of a list
            text = markdown.renderInline(text)
        elif attributes.get("format") == "html":
            text = markdown.render(text)
        ElementTree.SubElement(element, "text").text = text
        return element

    for category, questions in banks.items():
        element = ElementTree.SubElement(quiz, "question", type="category")
        add(element, "category", f"$course$/top/{CONFIG['title']}/{category.replace('/', '//')}")
        for number, question in enumerate(questions, 1):
            element = ElementTree.SubElement(quiz, "question", type="multichoice" if question.options else "essay")
            add(element, "name", f"{category}, {number}")
            add(element, "questiontext", question.text, format="html")
            if question.options:
                for tag, value in (("single", "true"), ("shuffleanswers", "true"), ("answernumbering", "abc")):
                    ElementTree.SubElement(element, tag).text = value
            else:
                add(element, "graderinfo", question.answer, format="html")
            for option in question.options:
                answer = add(element, "answer", option.answer, format="html", fraction="100" if option.right else "0")
                add(answer, "feedback", option.why, format="html")
    ElementTree.indent(quiz)
    return ElementTree.tostring(quiz, encoding="unicode", xml_declaration=True) + "\n"


def quiz_text(title: str, questions: list[Question]) -> str:
    """A quiz as text2qti reads it: what follows a mark is indented below it."""
    def marked(mark, text):
        return mark + indent(text, "    ")[len(mark):]

    parts = [f"Quiz title: {title}\nshuffle answers: true"]
    for number, question in enumerate(questions, 1):
        lines = [marked(f"{number}.", question.text)]
        for letter, option in zip("abcdefgh", question.options):
            lines += [marked(f"{'*' * option.right}{letter})", option.answer), marked("...", option.why)]
        if not question.options:
            lines += [marked("...", question.answer), "____"]
        parts.append("\n".join(lines))
    return "\n\n".join(parts) + "\n"


def qti(title: str, questions: list[Question]) -> dict[str, bytes]:
    """The files of a QTI package for Canvas, by their names in it."""
    config = Config()
    package = io.BytesIO()
    QTI(Quiz(quiz_text(title, questions), config=config)).write(package)
    with zipfile.ZipFile(package) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    day = datetime.fromtimestamp(int(last_change()), timezone.utc).date()  # text2qti dates it by today
    files["imsmanifest.xml"] = re.sub(rb"(?<=<imsmd:dateTime>)[^<]+", f"{day}".encode(), files["imsmanifest.xml"])
    return files
