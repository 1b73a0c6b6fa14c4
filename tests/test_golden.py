"""The golden notebooks are those of the chapters as they stand.

nbval compares outputs only where outputs are kept, so a golden notebook without any,
or of an older chapter, would pass and prove nothing.
"""

from collections import Counter

import jupytext
import nbformat
import pytest
from nbclient import NotebookClient

from golden import GOLDEN, chapters, code_of


def test_every_chapter_has_its_golden_notebook_and_no_other():
    assert sorted(path.stem for path in GOLDEN.glob("*.ipynb")) == sorted(path.stem for path in chapters())


@pytest.mark.parametrize("chapter", chapters(), ids=lambda path: path.stem)
def test_golden_code_is_the_chapters_code(chapter):
    golden = nbformat.read(GOLDEN / f"{chapter.stem}.ipynb", as_version=4)
    assert code_of(golden) == code_of(jupytext.read(chapter)), "run `make golden` and look at what has changed"


@pytest.mark.parametrize("chapter", chapters(), ids=lambda path: path.stem)
def test_golden_outputs_are_there_and_whole(chapter):
    cells = nbformat.read(GOLDEN / f"{chapter.stem}.ipynb", as_version=4).cells
    assert all(cell.execution_count for cell in cells)
    outputs = [output for cell in cells for output in cell.outputs]
    assert sum("text/html" in output.get("data", {}) or output.output_type == "stream" for output in outputs) >= 3
    assert not any(output.output_type == "error" or output.get("name") == "stderr" for output in outputs)


def test_few_cells_are_left_out_of_the_comparison():
    ignored = Counter(chapter.stem for chapter in chapters() for cell in jupytext.read(chapter).cells
                      if "nbval-ignore-output" in cell.metadata.get("tags", []))
    # The stock fits, which differ from processor to processor, and the numbers quoted from them;
    # The version of Python.
    assert ignored == {"software-wrong": 4, "own-data": 1}


def test_what_a_cell_prints_is_kept_in_one_piece():
    """Also where it takes its time amid a line."""
    cell = nbformat.v4.new_code_cell("import time\nfor part in 'ab':\n    print(part, end='')\n    time.sleep(0.5)")
    NotebookClient(nbformat.v4.new_notebook(cells=[cell])).execute()
    assert [output.text for output in cell.outputs] == ["ab"]
