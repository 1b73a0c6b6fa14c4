"""Pack everything to run at home: the chapters as notebooks, the helper package, the data.

A chapter's text is MyST; Jupyter alone shows Markdown. So quoted numbers become what they are on
the site, links to other pages their words, and boxes a title in bold. The archive is the same,
byte for byte, whenever its contents are.
"""

import json
import re
import zipfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import BinaryIO

import jupytext
import nbformat
from sphinx.locale import admonitionlabels

from book import template
from book.outputs import glued_values, read_executed, set_numbers
from book.workspace import CONFIG, NOTEBOOKS_BRANCH, ROOT, chapters, files, texts

FOLDER = "multilevel-modeling"
README = f"""# {CONFIG['title']}: everything to run at home

    python3 -m venv course-env
    source course-env/bin/activate        # Windows: course-env\\Scripts\\activate
    python -m pip install -r requirements.txt jupyterlab
    jupyter lab chapters

Open a notebook and choose Run, Run All Cells; `your-data.ipynb` is the one for data of your own. Each needs the folders `chapters/mlm` and `data`
where they are. Text and figures: CC BY 4.0, code: MIT, data: see data/README.md.
"""
FETCH = """# For a notebook that has come alone, as in Colab: bring the course's helper, data and packages.
# If you are then asked to restart the session, do so, and run this cell once more.
import os
if not os.path.isdir("mlm"):
    if not os.path.isdir("course"):
        !git clone --quiet --depth 1 --branch {branch} {address} course
        %pip install --quiet -r course/requirements.txt
    %cd course/chapters"""


def plain_text(text: str, values: dict, titles: dict) -> str:
    """MyST as Markdown that Jupyter shows."""
    def words(match):
        role, content = match[1], match[2]
        named = re.fullmatch(r"(.*?)\s*<([^>]+)>", content, flags=re.S)
        if named:
            return named[1]
        return f"*{titles.get(content, content)}*" if role in ("ref", "numref") else content

    text = set_numbers(text, values)
    text = re.sub(r"\{(ref|numref|term|eq|cite(?::\w+)?)\}`([^`]+)`", words, text)
    text = re.sub(r"^\([\w-]+\)=\n", "", text, flags=re.M)
    text = re.sub(r"^ *(?::{3,}|`{3,})\{([\w-]+)\} *(.*)\n((?::[\w-]+:.*\n)*)", _box_title, text, flags=re.M)
    return re.sub(r"^ *:{3,}\s*$", "", text, flags=re.M)


def _box_title(match):
    title = match[2].strip() or admonitionlabels.get(match[1], "")  # the site calls a box `{note}` "Note" by itself
    return f"**{title}**\n\n" if title else ""


def boxes_in_colons(text: str) -> str:
    """Fences of boxes written with backticks, in colons: Jupyter would take the text for code."""
    return re.sub(r"^(`{3,})(\{(?!code-cell)[\w-]+\}.*?)^\1\s*$", r":::\2:::", text, flags=re.M | re.S)


def to_notebook(text: str, values: dict, titles: dict, address: str) -> str:
    """A chapter's text as a notebook without outputs, as JSON."""
    notebook = jupytext.reads(text, "md")
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = plain_text(boxes_in_colons(cell.source), values, titles)
    return alone(notebook, address)


def alone(notebook: nbformat.NotebookNode, address: str) -> str:
    """A notebook as JSON that fetches what it needs, if there is an address to fetch it from."""
    if address:
        notebook.cells.insert(0, nbformat.v4.new_code_cell(FETCH.format(branch=NOTEBOOKS_BRANCH, address=address)))
    for number, cell in enumerate(notebook.cells):
        cell.id = f"cell-{number}"  # jupytext's own are drawn by chance
    notebook.metadata = {"kernelspec": dict(notebook.metadata["kernelspec"])}
    return json.dumps(notebook, ensure_ascii=False, indent=1, sort_keys=True) + "\n"


@cache
def quoted() -> tuple[dict[str, dict], dict[str, str]]:
    """What texts quote: the numbers by chapter, each with those of the others, and the titles by label."""
    titles = {label: title for path in texts()
              for label, title in re.findall(r"^\(([\w-]+)\)=\n#+ (.+)$", path.read_text("utf-8"), flags=re.M)}
    values = {chapter: glued_values(read_executed(chapter).cells) for chapter in chapters()}
    elsewhere = {f"{chapter.name}::{key}": value for chapter, glued in values.items() for key, value in glued.items()}
    return {chapter.stem: elsewhere | glued for chapter, glued in values.items()}, titles


def course_files(address: str, change: Callable[[str], str] = str) -> dict[str, str]:
    """Every file that it takes to run the chapters, by its path.

    `address` is the repository's, or empty; `change` is made in each chapter's text before.
    """
    values, titles = quoted()
    found = {"README.md": README, "requirements.txt": (ROOT / "binder/requirements.txt").read_text("utf-8")}
    for chapter in chapters():
        text = change(chapter.read_text("utf-8"))
        found[f"chapters/{chapter.stem}.ipynb"] = to_notebook(text, values[chapter.stem], titles, address)
    if template.CHAPTER.exists():  # a fork may do without it
        found[f"chapters/{template.NAME}"] = alone(template.template(), address)
    copied = ("chapters/mlm", "chapters/r", "chapters/bambi", "data/README.md", "LICENSE", "LICENSE-TEXT")
    for path in files(*(ROOT / name for name in copied), *(ROOT / "data").glob("[!.]*.csv")):
        found[path.relative_to(ROOT).as_posix()] = path.read_text("utf-8")
    return found


def write_archive(files: dict[str, str | bytes], target: Path | BinaryIO, folder: str = FOLDER + "/") -> None:
    """Write the files as a zip archive, in a folder of it."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(folder + name)  # dated 1980
            entry.external_attr = 0o644 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, files[name])


def pack(target: Path) -> None:
    """Write the archive of the course."""
    write_archive(course_files(CONFIG["repository"]["url"]), target)
