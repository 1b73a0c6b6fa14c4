"""Golden notebooks: each chapter with the outputs that it is known to have.

    python -m tests.golden     run the chapters and write tests/golden/*.ipynb

nbval runs them again and compares. Tables, text and quoted numbers are kept; pictures
are not, and of an interactive figure only a digest of its data.
"""

import re

import nbformat

from book.outputs import read_executed
from book.workspace import ROOT, chapters, execute, prepare, turn

GOLDEN = ROOT / "tests" / "golden"
KEPT = re.compile(r"text/(plain|html)|application/papermill")
FIGURE = re.compile(r'<div class="plotly-figure"[\s\S]*')


def code_of(notebook):
    """The source of each code cell."""
    return [cell.source for cell in notebook.cells if cell.cell_type == "code"]


def golden_notebook(chapter, executed):
    """The chapter's code cells with the outputs of `executed` that are worth comparing."""
    cells = []
    for cell in executed.cells:
        if cell.cell_type != "code":
            continue
        for output in cell.outputs:
            if "data" in output:
                output.data = {kind: FIGURE.sub("FIGURE", data) if kind == "text/html" else data
                               for kind, data in output.data.items() if KEPT.match(kind)}
        tags = [tag for tag in cell.metadata.get("tags", []) if tag.startswith("nbval")]
        # nbval takes a cell without a count for one that never ran, and compares nothing.
        cells.append(nbformat.v4.new_code_cell(cell.source, id=f"cell-{len(cells)}", outputs=cell.outputs,
                                               execution_count=len(cells) + 1, metadata={"tags": tags} if tags else {}))
        for output in cell.outputs:
            if output.output_type == "execute_result":
                output.execution_count = len(cells)
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel})


def main():
    with turn():
        prepare()
        execute(chapters())
        GOLDEN.mkdir(exist_ok=True)
        for path in chapters():
            nbformat.write(golden_notebook(path, read_executed(path)), GOLDEN / f"{path.stem}.ipynb")
            print("kept", f"{path.stem}.ipynb")


if __name__ == "__main__":
    main()
