"""What can be downloaded to run at home: whole, readable in Jupyter, and running in a folder of its own."""

import os
import re
import subprocess
import sys
import zipfile

import jupytext
import nbformat
import pytest
import yaml

from book import template
from book.steps import notebooks
from book.outputs import glued_values, read_executed
from book.workspace import chapters
from conftest import ROOT
from golden import code_of

FETCH = notebooks.FETCH.splitlines()[0]


@pytest.fixture(scope="module")
def folder(site, tmp_path_factory):
    target = tmp_path_factory.mktemp("home")
    with zipfile.ZipFile(site / "downloads/multilevel-notebooks.zip") as archive:
        archive.extractall(target)
    return target / notebooks.FOLDER


def test_archive_is_the_same_whenever_its_contents_are(site, tmp_path):
    notebooks.pack(tmp_path / "again.zip")
    assert (tmp_path / "again.zip").read_bytes() == (site / "downloads/multilevel-notebooks.zip").read_bytes()


@pytest.mark.parametrize("chapter", chapters(), ids=lambda path: path.stem)
def test_notebook_is_valid_and_its_text_is_plain(chapter, folder):
    notebook = nbformat.read(folder / f"chapters/{chapter.stem}.ipynb", as_version=4)
    nbformat.validate(notebook)
    if yaml.safe_load((ROOT / "_config.yml").read_text())["repository"]["url"]:
        assert notebook.cells.pop(0).source.startswith(FETCH)
    assert code_of(notebook) == code_of(jupytext.read(chapter))
    for cell in notebook.cells:
        for leftover in ("{glue", "{ref}", "{term}", "{cite", "```{", ":::"):
            assert cell.cell_type == "code" or leftover not in cell.source, (leftover, cell.source)


@pytest.mark.parametrize("box, title", [(":::{note}", "**Note**\n\n"), ("```{caution}", "**Caution**\n\n"), (":::{self-check}", ""),
                                        (":::{admonition} What people get wrong\n:class: warning", "**What people get wrong**\n\n")])
def test_a_box_has_the_title_that_it_has_on_the_site(box, title):
    text = f"{box}\nSome words.\n{box[:3]}\n"
    assert notebooks.plain_text(notebooks.boxes_in_colons(text), {}, {}).strip() == f"{title}Some words."


def test_a_notebook_runs_where_it_was_unpacked(folder):
    """In a process that knows nothing of the checkout."""
    code = ("import nbformat, sys; from nbclient import NotebookClient\n"
            "notebook = nbformat.read('residuals.ipynb', as_version=4)\n"
            "NotebookClient(notebook, timeout=120, kernel_name='python3').execute()\n"
            "print(sum(len(cell.get('outputs', [])) for cell in notebook.cells))")
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run([sys.executable, "-c", code], cwd=folder / "chapters", env=environment,
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 5


def test_a_notebook_of_a_fork_fetches_what_it_needs():
    """One visible cell, for Colab and the like; without an address there is nothing to fetch from."""
    values = glued_values(read_executed(ROOT / "chapters/residuals.md").cells)
    for address in ("https://example.org/fork", ""):
        text = notebooks.to_notebook((ROOT / "chapters/residuals.md").read_text("utf-8"), values, {}, address)
        cell = nbformat.reads(text, as_version=4).cells[0]
        assert (cell.cell_type == "code") == bool(address)
        assert not address or cell.source.startswith(FETCH) and f"{address} course" in cell.source


WINDOWS = r"""
import os, pathlib, signal, sys, warnings
import matplotlib, plotly.io, seaborn, statsmodels.formula.api, skmisc.loess, joblib, IPython  # these know Windows
for module in ("fcntl", "grp", "posix", "pwd", "resource", "termios"):
    sys.modules[module] = None
for module, names in [(signal, ("SIGALRM", "SIGHUP", "SIGKILL", "alarm", "setitimer")), (os, ("fork", "getuid", "kill", "sysconf", "uname"))]:
    for name in names:
        delattr(module, name)
warnings.filterwarnings("error", category=EncodingWarning, module="mlm")  # where no encoding is said, Windows takes another than UTF-8
import mlm
mlm.use_course_style()
hsb = mlm.load_hsb(labels=True)
fit = mlm.mixedlm("mathach ~ ses", hsb, groups="schid", re_formula="~ ses")
mlm.model_table({"Slopes": fit})
print("read and fitted", len(hsb))
"""


def test_what_students_run_needs_nothing_that_windows_lacks(folder):
    """Neither modules and signals of Unix nor UTF-8 as the encoding of files; names of files that Windows knows."""
    done = subprocess.run([sys.executable, "-X", "warn_default_encoding", "-c", WINDOWS], cwd=folder / "chapters",
                          env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
                          capture_output=True, text=True)
    assert done.stdout == "read and fitted 7185\n", done.stderr
    for path in folder.rglob("*"):
        assert not set('<>:"|?*\\') & set(path.name) and path.stem.lower() not in ("aux", "con", "nul", "prn"), path
        assert len(path.relative_to(folder).as_posix()) < 100 and not path.is_symlink()


# ---- the notebook for data of one's own -------------------------------------------------------------

# The cell of the template that names a file, filled in for another study.
ELSEWHERE = """
file = {file!r}
ids = ["Subject"]
row_id = None
outcome = "distance"
predictor = "age"
others = []
categories = ["Sex"]
codes = {{}}
rows, groups = "measurements", "children"
"""


def run_template(folder, cells):
    """What the notebook prints, cell by cell, run where it lies."""
    notebook = nbformat.read(folder / "chapters/your-data.ipynb", as_version=4)
    first = next(cell for cell in notebook.cells if cell.cell_type == "code" and "file = " in cell.source)
    first.source = "\n".join([first.source, *cells])
    nbformat.write(notebook, folder / "chapters/filled-in.ipynb")
    code = ("import nbformat; from nbclient import NotebookClient\n"
            "notebook = nbformat.read('filled-in.ipynb', as_version=4)\n"
            "NotebookClient(notebook, timeout=120, kernel_name='python3').execute()\n"
            "print(''.join(out.get('text', '') for cell in notebook.cells for out in cell.get('outputs', [])))")
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run([sys.executable, "-c", code], cwd=folder / "chapters", env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return " ".join(done.stdout.split())


def test_the_template_is_the_chapters_code_without_the_lesson():
    notebook, chapter = template.template(), jupytext.read(template.CHAPTER)
    nbformat.validate(notebook)
    assert set(code_of(notebook)) < set(code_of(chapter))
    assert 10 < len(code_of(notebook)) and not [cell for cell in code_of(notebook) if "glue" in cell or "study(" in cell]
    titles = [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]
    assert all(re.search(rf"^{re.escape(title)}$", template.CHAPTER.read_text("utf-8"), flags=re.M) for title in titles[1:])


def test_the_template_ends_in_a_paragraph(folder):
    said = run_template(folder, [])
    assert "fitted by restricted maximum likelihood to 296 patients of 36 therapists" in said
    assert "Of 331 patients, 35 were left out" in said


def test_the_template_serves_a_file_that_it_was_not_written_for(folder):
    """Orthodont: another program's file (nlme), text as a predictor, ids in one column, nothing missing."""
    said = run_template(folder, [ELSEWHERE.format(file=str(ROOT / "tests/reference/real/Orthodont.csv"))])
    assert "to 108 measurements of 27 children (4 each)" in said and "age_cwc: b = 0.660, SE = 0.062" in said
