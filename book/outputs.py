"""What chapters have computed: their outputs, the numbers that they keep, and text that quotes these."""

import ast
import re
from pathlib import Path

import jupytext
from jupyter_cache import get_cache
from nbformat import NotebookNode

from book.workspace import CACHE

GLUE = re.compile(r"\{glue:text\}`((?:[\w-]+\.md::)?\w+)(?::([^`]+))?`")


def read_executed(path: Path) -> NotebookNode:
    """A notebook with the outputs that the cache has for it, none of them an error that its cell doesn't mean to show.

    What goes wrong while a result or a figure is displayed ends no cell.
    """
    try:
        notebook = get_cache(CACHE).merge_match_into_notebook(jupytext.read(path))[1]
    except KeyError:
        raise SystemExit(f"{path.name} did not run to its end; what is wrong stands above.") from None
    errors = [output for cell in notebook.cells if "raises-exception" not in cell.metadata.get("tags", [])
              for output in cell.get("outputs", []) if output.output_type == "error"]
    if errors:
        raise SystemExit(f"{path.name} shows an error in place of a result: {errors[0].ename}: {errors[0].evalue}")
    return notebook


def glued_values(cells: list[NotebookNode]) -> dict:
    """What ``mlm.glue`` kept in these cells, by name."""
    return {output.metadata["scrapbook"]["name"]: ast.literal_eval(text)
            for cell in cells for output in cell.get("outputs", []) if "scrapbook" in output.get("metadata", {})
            for kind, text in output.data.items() if kind.endswith("text/plain")}


def typeset(number: str) -> str:
    """A quoted number as the text has it: with a minus sign, and a space that doesn't break before a percent sign."""
    return re.sub(r"(?<=\d)%", "\N{NO-BREAK SPACE}%", re.sub(r"^-", "\N{MINUS SIGN}", number))


def set_numbers(text: str, values: dict) -> str:
    """The text with the numbers that it quotes, typeset as on the site."""
    def number(match):
        return typeset(format(values[match[1]], match[2] or ""))

    return GLUE.sub(number, text)
