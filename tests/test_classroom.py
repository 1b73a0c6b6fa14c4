"""What a class gets: nothing that tells an answer for students, every answer for instructors, questions that platforms read."""

import ast
import io
import re
import subprocess
import sys
import zipfile
from urllib.parse import unquote
from xml.etree import ElementTree

import jupytext
import nbformat
import pytest
from selectolax.lexbor import LexborHTMLParser

from book.steps import classroom, questions, worksheets
from book.workspace import chapters
from conftest import ROOT
from golden import code_of

TAUGHT = [chapter for chapter in chapters() if "{self-check}" in chapter.read_text("utf-8")]
NAMES = [chapter.stem for chapter in TAUGHT]


def unpacked(path):
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture(scope="module")
def for_class(site):
    return unpacked(site / "downloads/multilevel-class.zip")


@pytest.fixture(scope="module")
def for_instructors(site):
    return unpacked(site / "downloads/multilevel-instructors.zip")


def notebook(files, name):
    read = nbformat.reads(files[f"multilevel-modeling/{name}.ipynb"].decode(), as_version=4)
    nbformat.validate(read)
    return read


def solutions(chapter):
    """Code of a chapter's solutions."""
    return [cell for _, solution in worksheets.EXERCISE.findall(chapter.read_text("utf-8"))
            for cell in re.findall(r"^```\{code-cell\} ipython3\n(?:---\n.*?\n---\n|:[^\n]*\n)*(.*?)^```$", solution, re.M | re.S)]


def words(notebook):
    return "\n".join(cell.source for cell in notebook.cells)


@pytest.mark.parametrize("chapter", TAUGHT, ids=NAMES)
def test_students_get_no_answer_and_instructors_get_all(chapter, for_class, for_instructors):
    text = chapter.read_text("utf-8")
    exercises, checks = text.count("```{exercise}"), questions.self_checks(text)
    assert exercises == len(worksheets.EXERCISE.findall(text)) > 0 and len(checks) >= 3
    whole, sheet = (notebook(for_class, f"{folder}/{chapter.stem}") for folder in ("chapters", "worksheets"))
    answers = notebook(for_instructors, f"answers/{chapter.stem}")
    for code in solutions(chapter):
        assert code.strip() not in words(whole) + words(sheet) and code.strip() in words(answers)
    for option in (option for question in checks for option in question.options):
        first = re.split(r"[`$*{]", option.why)[0]  # what follows is plain in one place, MyST in the other
        if len(first) > 25:  # a few words may stand elsewhere on the page
            assert first not in words(whole) + words(sheet) and (first in words(answers)) == option.right
    for given in (whole, sheet):
        assert sum(cell.source == "" for cell in given.cells) == exercises, "an empty cell for each exercise"
        assert words(given).count(worksheets.SPACE.strip()) >= exercises and not re.search(r"^ *- \[[ x]\] ", words(given), re.M)
    assert len([code for code in code_of(whole) if code]) == len(code_of(jupytext.read(chapter))) - len(solutions(chapter))


@pytest.mark.parametrize("chapter", TAUGHT, ids=NAMES)
def test_the_chapter_runs_without_its_solutions(chapter):
    """No cell after a solution needs a name that only a solution defines."""
    def names(code, kind):
        tree = ast.parse("\n".join(line for line in code.splitlines() if not line.startswith("%")))
        arguments = {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)} if kind is ast.Store else set()
        return arguments | {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, kind)}

    solved = solutions(chapter)
    rest = [cell.source for cell in jupytext.read(chapter).cells
            if cell.cell_type == "code" and cell.source.strip() not in {code.strip() for code in solved}]
    only = set().union(*(names(code, ast.Store) for code in solved)) - set().union(*(names(code, ast.Store) for code in rest))
    assert sorted(only & set().union(*(names(code, ast.Load) for code in rest))) == []


def test_a_worksheet_with_its_answers_runs_where_both_archives_were_unpacked(for_class, for_instructors, tmp_path):
    for name, content in {**for_instructors, **for_class}.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    code = ("import nbformat; from nbclient import NotebookClient\n"
            "notebook = nbformat.read('residuals.ipynb', as_version=4)\n"
            "NotebookClient(notebook, timeout=120, kernel_name='python3').execute()\n"
            "print(sum(len(cell.get('outputs', [])) for cell in notebook.cells))")
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path / "multilevel-modeling/answers", capture_output=True, text=True)
    assert done.returncode == 0 and int(done.stdout) > 0, done.stderr


def plain(html):
    """Text of a fragment, its formulas in any of the two ways, without spaces."""
    fragment = LexborHTMLParser(f"<body>{html}</body>")
    for image in fragment.css("img.equation_image"):
        assert unquote(image.attributes["src"]).removeprefix("/equation_images/").removesuffix("?scale=1") == \
            image.attributes["data-equation-content"]
        image.replace_with(image.attributes["data-equation-content"])
    straight = fragment.body.text().translate(str.maketrans("‘’“”", "\'\'\"\""))  # platforms differ in which way a quote turns
    return re.sub(r"\\[()\[\]]|\s", "", straight)


def of_moodle(xml):
    """Read Moodle's XML back: by category, text and (right, answer, why) of each question; an essay has its answer alone."""
    read, category = {}, None
    for question in ElementTree.fromstring(xml).findall("question"):
        def at(path, of=question):
            return plain(of.findtext(path + "/text"))

        kind = question.get("type")
        if kind == "category":
            category = question.findtext("category/text").rpartition("/")[2]
        elif kind == "multichoice":
            assert question.findtext("single") == "true"
            read.setdefault(category, []).append((at("questiontext"), [
                (answer.get("fraction") == "100", plain(answer.findtext("text")), at("feedback", answer))
                for answer in question.findall("answer")]))
        else:
            assert kind == "essay"
            read.setdefault(category, []).append((at("questiontext"), [(True, "", at("graderinfo"))]))
    return read


def of_qti(package):
    """Read a QTI package back, in the same way: from the manifest to the questions."""
    space = {"q": "http://www.imsglobal.org/xsd/ims_qtiasiv1p2", "c": "http://www.imsglobal.org/xsd/imsccv1p1/imscp_v1p1"}
    with zipfile.ZipFile(io.BytesIO(package)) as archive:
        manifest = ElementTree.fromstring(archive.read("imsmanifest.xml"))
        resources = {r.get("type"): [file.get("href") for file in r.findall("c:file", space)] for r in manifest.findall(".//c:resource", space)}
        assert {name for names in resources.values() for name in names} <= set(archive.namelist())
        tree = ElementTree.fromstring(archive.read(resources["imsqti_xmlv1p2"][0]))
    read = []
    for item in tree.findall(".//q:item", space):
        feedback = {f.get("ident"): plain(f.findtext(".//q:mattext", namespaces=space)) for f in item.findall("q:itemfeedback", space)}
        text = plain(item.findtext("q:presentation/q:material/q:mattext", namespaces=space))
        scored = [c.findtext(".//q:varequal", namespaces=space) for c in item.findall(".//q:respcondition", space) if c.find("q:setvar", space) is not None]
        options = [(label.get("ident") in scored, plain(label.findtext(".//q:mattext", namespaces=space)), feedback[f"{label.get('ident')}_fb"])
                   for label in item.findall(".//q:response_label", space) if label.find(".//q:mattext", space) is not None]
        read.append((text, options or [(True, "", feedback["general_fb"])]))
    return tree.find("q:assessment", space).get("title"), read


def test_both_platforms_read_the_same_questions_and_those_of_the_chapters(for_instructors):
    folder, markdown = "multilevel-modeling/questions/", questions.to_html()
    total = 0
    for kind, bank in zip(("self-checks", "examination"), classroom.banks()):
        read = of_moodle(for_instructors[f"{folder}{kind}.moodle.xml"].decode())
        assert list(read) == [title for _, title, _ in bank]
        for name, title, asked in bank:
            same = [(plain(markdown.render(q.text)), [(o.right, plain(markdown.renderInline(o.answer)), plain(markdown.render(o.why)))
                                                      for o in q.options] or [(True, "", plain(markdown.render(q.answer)))])
                    for q in asked]
            assert read[title] == same
            assert of_qti(for_instructors[f"{folder}canvas/{name if kind == 'self-checks' else kind}.zip"]) == (title, same)
            total += len(same)
    asked = sum(len(questions.self_checks(chapter.read_text("utf-8"))) for chapter in TAUGHT)
    assert total == asked + (ROOT / "chapters/instructors.md").read_text("utf-8").count(":::{dropdown} Answer") > 90


def test_questions_hold_no_myst_and_each_has_one_right_answer():
    for bank in classroom.banks():
        for _, _, asked in bank:
            for question in asked:
                assert not re.search(r"\{[\w:]+\}`|:::|```\{", repr(question)), question
                assert question.answer or sum(option.right for option in question.options) == 1


def test_archives_are_the_same_whenever_their_contents_are(site, tmp_path):
    classroom.pack(tmp_path / "class.zip", tmp_path / "instructors.zip")
    for name in ("class", "instructors"):
        assert (tmp_path / f"{name}.zip").read_bytes() == (site / f"downloads/multilevel-{name}.zip").read_bytes()


def test_a_package_for_canvas_has_the_day_of_the_last_change(monkeypatch):
    """Not today's, or no two days would give the same bytes."""
    monkeypatch.setattr(questions, "last_change", lambda: "86400")
    asked = questions.Question("Is it?", [questions.Option(True, "Yes", "It is."), questions.Option(False, "No", "It is.")])
    assert b"<imsmd:dateTime>1970-01-02<" in questions.qti("One question", [asked])["imsmanifest.xml"]
