"""What every Jupyter Book user types works too, without make, npm or TeX."""

import subprocess
import sys
from pathlib import Path

import pytest

from small_book import make, page, write_chapter


def jupyter_book(folder, *arguments):
    done = subprocess.run([Path(sys.executable).with_name("jupyter-book"), *arguments], cwd=folder, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


@pytest.fixture(scope="module")
def book(tmp_path_factory):
    folder = make(tmp_path_factory.mktemp("stock") / "book")
    (folder / "book/front/node_modules").unlink()
    write_chapter(folder, "one", "print('fine')", text="$$ y = a + b x $$ (eq-line)\n\nSee {eq}`eq-line`.")
    return folder


def test_a_book_is_built_with_stock_looks(book):
    code, output = jupyter_book(book, "build", ".", "-W", "-n", "--keep-going")
    assert code == 0 and "`make site`" in output, output
    built = page(book)
    assert "mathjax" in built.lower() and "fine" in built and "pydata-sphinx-theme.css" in built
    assert (book / "_build/html/_static/plotly-basic.min.js").exists()
    code, output = jupyter_book(book, "clean", ".")
    assert code == 0 and not (book / "_build/html").exists(), output


@pytest.mark.parametrize("builder", ["pdflatex", "latex", "pdfhtml"])
def test_where_the_pdf_is_made_is_said_in_one_line(book, builder):
    code, output = jupyter_book(book, "build", ".", "--builder", builder)
    assert code == 1 and "`make pdf`" in output.splitlines()[-1] and "Traceback" not in output
