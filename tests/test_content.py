"""What every page must have, and what no page may have."""

import ast
import operator
import re

import jupytext
import pytest
import yaml
from bs4 import BeautifulSoup

import mlm
from book.extensions.latex import BOXES, RECURRING
from book.workspace import chapters
from conftest import ROOT

PAGES = [ROOT / "index.md", *sorted((ROOT / "chapters").glob("*.md"))]
EXECUTED = chapters()
PARTS = yaml.safe_load((ROOT / "_toc.yml").read_text())["parts"]
REFERENCE = {chapter["file"] for part in PARTS if part["caption"] == "Reference" for chapter in part["chapters"]}
LESSONS = [path for path in EXECUTED if path.relative_to(ROOT).with_suffix("").as_posix() not in REFERENCE]
ids = {"ids": lambda path: path.stem}


def prose(text):
    """The text of a page without code, mathematics, roles, options, links and comments."""
    text = re.sub(r"\A---\n.*?\n---\n", "", text, flags=re.S)
    text = re.sub(r"```\{code-cell\}.*?\n```|```(python|bash).*?\n```", "", text, flags=re.S)
    text = re.sub(r"\$\$.*?\$\$|\$[^$\n]+\$", "", text, flags=re.S)
    text = re.sub(r"\{[a-z:]+\}`[^`]*`|`[^`]*`", "", text)
    text = re.sub(r"section \d\.\d", "", text)  # a place in a book
    text = re.sub(r'href="[^"]*"', "", text)
    return re.sub(r"^(```|:::).*$|^:\w[\w-]*:.*$|\([^)\s]+\)=", "", text, flags=re.M)


def captions(text):
    """The captions, which stand in the options of code cells."""
    return re.findall(r"caption: (?:\|\n((?:      .*\n)+)|(.*)\n)", text)


# A statistic has a decimal point or many digits. What may be typed: conventions (a level of .05, a
# coefficient of 1.96, an R-hat of 1.01), versions and numbers of criteria, school numbers, years, designs that the text chooses ("200 schools").
STATISTIC = re.compile(r"(?<![\w.])[−-]?\d*\.\d+\b(?!\.\d)|(?<![\w.])\d{1,3}(,\d{3})+\b")
CONVENTIONS = {".05", "1.96", "1.01", "3.11", "3.14", "4.0", "2.2", "1.2", "−1.3", "−1.5"}


@pytest.mark.parametrize("page", PAGES, **ids)
def test_no_statistic_is_typed_into_prose(page):
    text = page.read_text("utf-8")
    found = STATISTIC.finditer(prose(text) + "\n".join(map(" ".join, captions(text))))
    assert [m[0] for m in found if m[0] not in CONVENTIONS] == []


def test_the_rule_about_typed_statistics_can_fail():
    assert STATISTIC.search(prose("The slope is 2.19 points."))
    assert STATISTIC.search(prose("There are 7,185 students."))
    assert not STATISTIC.search(prose("The slope is {glue:text}`b1:.2f`, see `x = 2.19` and $z = 1.64$."))


# One form: "5", a space that doesn't break, "%"; American spelling; no zero before the point of a p value or a correlation.
FORMS = {r"\d ?%": "a percent sign without the space that doesn't break", r"\b[Ll]icence": "British spelling",
         r"\*p\* (=|<|of) 0\.\d|\*r\* = 0\.\d|:\.\d%`\s*%": "not APA's form of a number",
         r"[Ss]imply|[Oo]bviously|[Oo]f course": "a word that helps nobody"}


@pytest.mark.parametrize("page", [*PAGES, ROOT / "README.md", ROOT / "data/README.md", ROOT / "slides/deck.md"], **ids)
def test_forms(page):
    text = page.read_text("utf-8")
    shown = prose(text) + "\n".join(map(" ".join, captions(text)))
    assert {form: found for form in FORMS if (found := [shown[max(0, m.start() - 30):m.end() + 10] for m in re.finditer(form, shown)])} == {}


def test_a_wrong_form_is_found():
    for wrong in ["5 % of", "5% of", "Licence", "*p* = 0.03"]:
        assert any(re.search(form, wrong) for form in FORMS), wrong
    assert not any(re.search(form, "5\N{NO-BREAK SPACE}% of them, *p* = .03, a license") for form in FORMS)


@pytest.mark.parametrize("page", EXECUTED, **ids)
def test_quoted_shares_have_the_space_before_the_percent_sign(page, site):
    html = BeautifulSoup((site / "chapters" / f"{page.stem}.html").read_text("utf-8"), "html.parser")
    quoted = [number.get_text() for number in html.select(".pasted-text")]
    assert [number for number in quoted if re.search(r"\d%", number)] == []


@pytest.mark.parametrize("page", PAGES, **ids)
def test_one_title(page):
    outside_code = re.sub(r"^```.*?^```", "", page.read_text("utf-8"), flags=re.M | re.S)
    assert len(re.findall(r"^# ", outside_code, flags=re.M)) == 1


def test_every_page_is_in_the_table_of_contents():
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text())
    listed = [toc["root"], *(chapter["file"] for part in toc["parts"] for chapter in part["chapters"])]
    assert sorted(listed) == sorted(path.relative_to(ROOT).with_suffix("").as_posix() for path in PAGES)


def draws(source):
    return re.search(r"plt\.show\(\)|mlm\.show\(", source)


@pytest.mark.parametrize("chapter", EXECUTED, **ids)
def test_every_figure_has_a_caption_and_alt_text(chapter):
    for cell in jupytext.read(chapter).cells:
        options = cell.metadata.get("mystnb", {})
        if cell.cell_type == "code" and (draws(cell.source) or "name" in options.get("figure", {})):
            assert len(options.get("figure", {}).get("caption", "")) > 30, cell.source
            if "mlm.show(" not in cell.source:  # mlm.show refuses a figure without alt text by itself
                assert len(options.get("image", {}).get("alt", "")) > 60, cell.source


@pytest.mark.parametrize("chapter", LESSONS, **ids)
def test_a_lesson_asks_predicts_checks_and_exercises(chapter):
    """What a lesson needs; its order, and whether there is a report or a list to keep, follow the thought."""
    text = chapter.read_text("utf-8")
    for part in [":::{admonition} The question of this chapter", "**You will be able to**", "**Time**", "} Before you run it"]:
        assert part in text, part
    check = re.search(r"^::::\{self-check\}\n(.*?)^::::$", text, flags=re.M | re.S)[1]
    assert 3 <= len(re.findall(r"^\d\. ", check, flags=re.M)) <= 5
    assert 1 <= text.count("\n```{exercise}") <= 3
    assert text.count("\n```{exercise}") == text.count("\n```{solution-start}") == text.count("\n```{solution-end}")


def test_every_kind_of_box_has_its_look_on_the_site_and_on_paper():
    styles = (ROOT / "book/front/assets/course.css").read_text("utf-8")
    kinds = {kind for page in PAGES
             for kind in re.findall(r"\{admonition\} .+\n:class: ([\w-]+)\n", page.read_text("utf-8"))}
    assert kinds >= {"question", "predict", "warning", "report"}
    for kind in kinds:
        assert f".admonition.{kind} " in styles, f"course.css has no rule for .admonition.{kind}"
        assert kind in BOXES, f"handout.sty has no color box{kind}"


def test_headings_that_the_contents_on_paper_leave_out_are_those_of_chapters():
    texts = [page.read_text("utf-8") for page in PAGES]
    for heading in RECURRING:
        assert sum(f"\n## {heading}\n" in text for text in texts) > len(LESSONS) / 2, heading


@pytest.mark.parametrize("chapter", EXECUTED, **ids)
def test_visible_code_needs_no_hidden_cell(chapter):
    """A reader who copies all visible cells gets the same results."""
    hidden, shown = set(), set()
    for cell in jupytext.read(chapter).cells:
        if cell.cell_type != "code":
            continue
        tree = ast.parse(cell.source)
        names = [node for node in ast.walk(tree) if isinstance(node, ast.Name)]
        stored = {n.id for n in names if not isinstance(n.ctx, ast.Load)} | {
            (alias.asname or alias.name).split(".")[0] for node in ast.walk(tree)
            if isinstance(node, (ast.Import, ast.ImportFrom)) for alias in node.names}
        if "remove-cell" in cell.metadata.get("tags", []):
            hidden |= stored - shown
        else:
            used = {n.id for n in names if isinstance(n.ctx, ast.Load)} - stored
            assert not used & hidden, f"{used & hidden} is made in a hidden cell"
            shown |= stored
            hidden -= stored


@pytest.mark.parametrize("chapter", EXECUTED, **ids)
def test_code_fits_the_page(chapter):
    cells = [cell for cell in jupytext.read(chapter).cells if cell.cell_type == "code"
             and not {"hide-input", "remove-cell"} & set(cell.metadata.get("tags", []))]
    assert [line for cell in cells for line in cell.source.splitlines() if len(line) > 88] == []


def test_slides_of_the_source_have_their_place():
    table = (ROOT / "chapters/slides.md").read_text("utf-8")
    for title in ["Software I, II", "Dataset", "Why multilevel modelling?", "Logic of hierarchical linear models I |",
                  "Logic of hierarchical linear models II |", "Logic of hierarchical linear models III |",
                  "Fixed effects approach I, II", "Random effects approach", "Model equation", "Meaning of the parameters",
                  "random effects and residuals I |", "random effects and residuals II |", "Overview of Multilevel Models",
                  "References"]:
        assert title.lower() in table.lower(), title


GLOSSARY = (ROOT / "chapters/glossary.md").read_text("utf-8").split(":::{glossary}\n")[1].rsplit(":::", 1)[0]
ENTRIES = [entry.splitlines() for entry in GLOSSARY.strip().split("\n\n")]


def test_the_glossary_is_in_order_and_explains_each_term_once():
    names = [[line for line in entry if not line.startswith(" ")] for entry in ENTRIES]
    first = [re.sub(r"[^a-z0-9 ]", "", group[0].lower()) for group in names]
    assert first == sorted(first)
    terms = [name for group in names for name in group]
    assert len(terms) == len(set(terms)), sorted(name for name in terms if terms.count(name) > 1)


def questions(page):
    """How many questions a page's self-check has; none while it is being written."""
    text = page.read_text("utf-8").partition("## Check yourself")[2].partition("\n## ")[0]
    return len(re.findall(r"^\d\. |^:::\{dropdown\} \d", text, flags=re.M))


def test_misconceptions_name_questions_that_exist():
    text = (ROOT / "chapters/instructors.md").read_text("utf-8")
    rows = re.findall(r"^\| \{ref\}`ch-([\w-]+)` \| .* \| (\d) \|$", text, flags=re.M)
    assert len(rows) > 20
    for chapter, number in rows:
        there = questions(ROOT / f"chapters/{chapter}.md")
        assert not there or int(number) <= there, (chapter, number)


def test_reading_times_of_the_meetings_are_those_of_the_chapters():
    text = (ROOT / "chapters/instructors.md").read_text("utf-8")
    meetings = re.findall(r"^\| \d\. [^|]*\|([^|]*)\| (\d+) \|", text, flags=re.M)
    assert len(meetings) == 6
    for chapters_read, minutes in meetings:
        pages = [(ROOT / f"chapters/{name}.md").read_text("utf-8") for name in re.findall(r"`ch-([\w-]+)`", chapters_read)]
        times = [re.search(r"\*\*Time\*\* (\d+)", page) for page in pages]
        assert not all(times) or sum(int(time[1]) for time in times) == int(minutes), chapters_read


def test_the_longest_session_of_the_workshop_is_as_long_as_its_chapters():
    text = (ROOT / "chapters/instructors.md").read_text("utf-8")
    number, minutes = re.search(r"holds (\w+) chapters, (\d+) minutes by their own times", text).groups()
    parts = re.findall(r"chapters/([\w-]+)$", (ROOT / "_toc.yml").read_text("utf-8"), flags=re.M)
    session = parts[parts.index("overview") : parts.index("random-coefficients") + 1]
    times = [re.search(r"\*\*Time\*\* (\d+)", (ROOT / f"chapters/{name}.md").read_text("utf-8"))[1] for name in session]
    assert len(session) == {"six": 6}[number] and sum(map(int, times)) == int(minutes)


@pytest.mark.parametrize("page", PAGES, **ids)
def test_names_of_the_helper_package_exist(page):
    for name in re.findall(r"`mlm\.([\w.]+)", page.read_text("utf-8")):
        operator.attrgetter(name)(mlm)


def test_code_on_the_home_page_runs_and_says_what_it_is_said_to_say():
    names = {}
    for block in re.findall(r"```python\n(.*?)```", (ROOT / "index.md").read_text("utf-8"), flags=re.S):
        exec(block, names)
    assert "MixedLM" in str(names["fit"].summary()) and names["fit"].k_re == 2
