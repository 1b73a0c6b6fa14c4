"""The build: what makes chapters run again, and what a failure leaves behind."""

import shutil
import subprocess
import sys

import pytest

import build
from conftest import ROOT


@pytest.fixture
def book(tmp_path):
    """A small book with the course's own configuration and build script, and no mathematics."""
    scripts = [f"book/{path.name}" for path in (ROOT / "book").glob("*.*") if path.is_file()]
    for name in (*scripts, "CITATION.cff", "data/hsb.csv", "requirements.lock", "references.bib", "_config.yml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    shutil.copytree(ROOT / "book/assets", tmp_path / "book/assets")
    shutil.copytree(ROOT / "chapters/mlm", tmp_path / "chapters/mlm", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "book/node_modules").symlink_to(ROOT / "book/node_modules")
    (tmp_path / "_toc.yml").write_text("format: jb-book\nroot: index\nchapters:\n- file: chapters/one\n- file: chapters/two\n")
    (tmp_path / "index.md").write_text("# A small book\n")
    for name in ("one", "two"):
        write_chapter(tmp_path, name, "print('fine')")
    return tmp_path


def write_chapter(book, name, code, text="Some words."):
    header = (ROOT / "chapters/why.md").read_text().split("\n---\n")[0] + "\n---\n"
    (book / f"chapters/{name}.md").write_text(f"{header}\n# Chapter {name}\n\n{text}\n\n```{{code-cell}} ipython3\n{code}\n```\n")


def run(book):
    done = subprocess.run([sys.executable, "book/build.py"], cwd=book, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def page(book, name="one"):
    return (book / f"_build/html/chapters/{name}.html").read_text()


def ran(output):
    """Which chapters a build says that it runs."""
    line = next((line for line in output.splitlines() if line.startswith("Running ") and "chapters:" in line), "")
    return line.partition(": ")[2].split(", ") if line else []


def test_what_runs_again(book):
    code, output = run(book)
    assert code == 0 and ran(output) == ["one", "two"], output
    code, output = run(book)
    assert code == 0 and ran(output) == [], "nothing has changed"
    write_chapter(book, "one", "print('fine')", text="Other words.")
    code, output = run(book)
    assert code == 0 and ran(output) == [] and "Other words." in page(book), "a prose edit runs nothing"
    write_chapter(book, "one", "print('better')")
    code, output = run(book)
    assert code == 0 and ran(output) == ["one"] and "better" in page(book), "a code edit runs that chapter"
    (book / "chapters/mlm/data.py").open("a").write("\n# another comment\n")
    code, output = run(book)
    assert code == 0 and ran(output) == ["one", "two"], "an edit of the helper package runs all"
    dress = (book / "book/page.py").read_text()
    (book / "book/page.py").write_text(dress.replace("og:title", "og:other"))
    code, output = run(book)
    assert code == 0 and ran(output) == [] and "og:other" in page(book), "an edit of the pages' dress runs nothing"


def test_a_failed_cell_fails_every_time_and_leaves_the_site(book):
    assert run(book)[0] == 0
    write_chapter(book, "one", "raise ValueError('broken on purpose')")
    for attempt in ("first", "second"):
        code, output = run(book)
        assert code == 1 and "broken on purpose" in output, attempt
        assert "fine" in page(book)
    write_chapter(book, "one", "print('mended')")
    assert run(book)[0] == 0 and "mended" in page(book)


def test_warnings_and_dead_references_are_errors(book):
    for number, text in enumerate(["See {ref}`nowhere`.", "See {term}`nothing`.", "See [this](missing.md).",
                                   "{glue:text}`unknown:.2f`"]):
        write_chapter(book, "two", "print('fine')", text=text)
        code, output = run(book)
        assert code == 1 and "WARNING" in output, text
    assert not (book / "_build/html").exists()


def test_what_a_cell_prints_as_a_warning_fails_the_build(book):
    write_chapter(book, "two", "import warnings\nwarnings.warn('readers would see this')")
    code, output = run(book)
    assert code == 1 and "stderr was found" in output


@pytest.mark.parametrize("path", ["chapters/mlm/fit.py", "data/hsb.csv", "requirements.lock"])
def test_the_key_is_that_of_module_data_and_pins(book, path):
    before = build.execution_key(book)
    assert build.execution_key(book) == before
    with (book / path).open("ab") as file:
        file.write(b"\n")
    assert build.execution_key(book) != before


def test_an_interrupted_build_is_not_taken_for_finished(tmp_path):
    build.prepare(tmp_path / "work", "key")
    doctrees = tmp_path / "work/_build/.doctrees"
    cache = tmp_path / "work/_build/.jupyter_cache"
    for folder in (doctrees, cache):
        folder.mkdir(parents=True)
    build.prepare(tmp_path / "work", "key")  # the marker of the first call is still there
    assert not doctrees.exists() and cache.exists()
    build.prepare(tmp_path / "work", "other key")
    assert not cache.exists()


def test_the_pdf_and_the_golden_notebooks_leave_the_pages(tmp_path):
    """They share chapters' outputs with the site and make no pages: nothing is to be written anew after them."""
    work = tmp_path / "work"
    for kept in (True, False):
        build.prepare(work, "key", "pages")
        (work / "_build/html").mkdir(parents=True, exist_ok=True)
        (work / "unfinished").unlink()
        build.prepare(work, "key")
        (work / "unfinished").unlink()
        assert (work / "_build/html").exists()
        build.prepare(work, "key", "pages" if kept else "other pages")
        assert (work / "_build/html").exists() == kept


def test_publishing_replaces_the_site_whole(tmp_path):
    built, site = tmp_path / "built", tmp_path / "html"
    for folder, name in ((built, "new.html"), (site, "old.html")):
        folder.mkdir()
        (folder / name).touch()
    build.publish(built, site)
    assert [path.name for path in site.iterdir()] == ["new.html"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["built", "html"]
