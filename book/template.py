"""The chapter on data of your own as a notebook to fill in: its code, without the lesson.

    python book/template.py     write chapters/your-data.ipynb, as binder/postBuild does

It takes the cells that the chapter tags `template`, under the headings of their sections. Nothing of the
book is imported, since Binder has only what the chapters need.
"""

import re
from pathlib import Path

import jupytext
import nbformat

CHAPTER = Path(__file__).resolve().parent.parent / "chapters/own-data.md"
NAME = "your-data.ipynb"
HEAD = """# Your own data

From a file to a report. Put your file beside this notebook, change the first cell, then run the cells one by one and look at each result before you go on. As it stands, it runs on the course's example. Why each step is there, and what goes wrong in it, is in the chapter *Your own data*."""


def template() -> nbformat.NotebookNode:
    """The notebook, without outputs."""
    notebook = jupytext.read(CHAPTER)
    cells, heading = [nbformat.v4.new_markdown_cell(HEAD)], None
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            heading = (re.findall(r"^## (.+)$", cell.source, flags=re.M) or [heading])[-1]
        elif "template" in cell.metadata.get("tags", []):
            cells += [nbformat.v4.new_markdown_cell(f"## {heading}")] * bool(heading)
            cells.append(nbformat.v4.new_code_cell(cell.source))
            heading = None
    return nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": dict(notebook.metadata["kernelspec"])})


if __name__ == "__main__":
    nbformat.write(template(), CHAPTER.with_name(NAME))
