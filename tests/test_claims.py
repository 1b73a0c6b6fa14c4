"""Every claim that a page asks readers to keep is decided by a test.

tests/claims/claims_<page>.py has the tests of a page. Each quotes the words that it judges,
``@pytest.mark.claim("words of the page")``; what no computation decides (a definition, a
convention, advice) stands in the file's ``NOT_COMPUTED``, words to reason. So a sentence that is
reworded has to be judged again, and a new one that nobody judges fails here.
"""

import ast
import re

import jupytext
import pytest

from conftest import ROOT

CLAIMS = sorted((ROOT / "tests/claims").glob("claims_*.py"))
PAGES = sorted((ROOT / "chapters").glob("*.md"))
DECK = ROOT / "slides/deck.md"


def squeezed(text):
    return " ".join(text.split())


def quoted(path):
    """The words of a page that a file of claims quotes: tested ones, and those with a reason why not."""
    tree = ast.parse(path.read_text("utf-8"))
    tested = [argument.value for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)
              for mark in node.decorator_list if isinstance(mark, ast.Call) and ast.unparse(mark.func) == "pytest.mark.claim"
              for argument in mark.args]
    reasons = next((ast.literal_eval(node.value) for node in tree.body if isinstance(node, ast.Assign)
                    and ast.unparse(node.targets[0]) == "NOT_COMPUTED"), {})
    assert all(len(reason) > 10 for reason in reasons.values())
    return tested + list(reasons)


def to_judge(text):
    """The sentences to keep, the right answers, and the points of what people get wrong."""
    parts = [re.split(r"\n## ", part)[0] for part in re.split(r"\n## What to keep\n", text)[1:]]
    parts += re.findall(r"^:{3,}\{[\w-]+\} What people get wrong\n(.*?)^:{3,}$", text, flags=re.M | re.S)
    parts = [re.sub(r"^:[\w-]+:.*\n", "", part, flags=re.M) for part in parts]  # options of the box
    points = [point for part in parts for point in re.split(r"^(?:\d\.|[-*]) |\n\n", part, flags=re.M)]
    points = [point for point in points if point.strip()]
    return [squeezed(point) for point in points + re.findall(r"^ *- \[x\] (.*?)(?=^ *- \[|^\d\. |^:::|\n\n)", text, flags=re.M | re.S)]


@pytest.mark.parametrize("path", CLAIMS, ids=lambda path: path.stem)
def test_quoted_words_stand_on_their_page(path):
    name = path.stem.removeprefix("claims_")
    text = squeezed((DECK if name == "deck" else ROOT / f"chapters/{name}.md").read_text("utf-8"))
    assert [words for words in quoted(path) if squeezed(words) not in text] == []


def test_each_entry_of_the_glossary_is_a_definition_or_judged():
    """An entry that states something checkable is quoted by a test; the others are listed as definitions, no more."""
    from claims_glossary import DEFINITIONS

    text = (ROOT / "chapters/glossary.md").read_text("utf-8").split(":::{glossary}\n")[1].rsplit(":::", 1)[0]
    entries = {entry.splitlines()[0]: squeezed(entry) for entry in text.strip().split("\n\n")}
    judged = {name for name, entry in entries.items()
              for words in quoted(ROOT / "tests/claims/claims_glossary.py") if squeezed(words) in entry}
    assert judged.isdisjoint(DEFINITIONS) and judged.union(DEFINITIONS) == entries.keys()


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.stem)
def test_what_readers_shall_keep_is_judged(page):
    path = ROOT / f"tests/claims/claims_{page.stem}.py"
    words = [squeezed(words) for words in quoted(path)] if path.exists() else []
    assert [point for point in to_judge(page.read_text("utf-8")) if not any(quote in point for quote in words)] == []


def test_what_slides_list_is_judged():
    """Each point of a list on a slide; the others are titles of figures and equations, and quoted where they say more."""
    quotes = [squeezed(words) for words in quoted(ROOT / "tests/claims/claims_deck.py")]
    kind, points = None, []
    for cell in jupytext.read(DECK).cells:
        kind = cell.metadata.get("slideshow", {}).get("slide_type", kind)
        if cell.cell_type == "markdown" and kind != "notes" and "References" not in cell.source:
            points += re.findall(r"^ *- (.+)$", cell.source, flags=re.M)
    assert len(points) > 15
    assert [point for point in points if len(point.split()) > 7 and not any(quote in squeezed(point) for quote in quotes)] == []
