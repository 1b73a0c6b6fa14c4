"""The build: what makes chapters run again, and what a failure leaves behind."""

import shutil
import sqlite3

import pytest

from book import workspace
from book.steps import build as building
from small_book import build, make, page, ran, start, write_chapter, write_toc


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    """A book that was built once; what that build said."""
    folder = make(tmp_path_factory.mktemp("first") / "book")
    return folder, build(folder)


@pytest.fixture
def book(first, tmp_path):
    """A book that was built, in a folder of its own."""
    return shutil.copytree(first[0], tmp_path / "book", symlinks=True)


def test_what_runs_again(first, book):
    code, output = first[1]
    assert code == 0 and ran(output) == ["one", "two"], output
    code, output = build(book)
    assert code == 0 and "Nothing has changed" in output
    write_chapter(book, "one", "print('fine')", text="Other words.")
    code, output = build(book)
    assert code == 0 and ran(output) == [] and "Other words." in page(book), "a prose edit runs nothing"
    write_chapter(book, "one", "print('better')")
    code, output = build(book)
    assert code == 0 and ran(output) == ["one"] and "better" in page(book), "a code edit runs that chapter"
    (book / "chapters/mlm/data.py").open("a").write("\n# another comment\n")
    code, output = build(book)
    assert code == 0 and ran(output) == ["one", "two"], "an edit of the helper package runs all"
    dress = book / "book/extensions/page.py"
    dress.write_text(dress.read_text().replace("og:title", "og:other"))
    code, output = build(book)
    assert code == 0 and ran(output) == [] and "og:other" in page(book), "an edit of the pages' dress runs nothing"


def test_a_failed_cell_fails_every_time_and_leaves_the_site(book):
    write_chapter(book, "one", "raise ValueError('broken on purpose')")
    for attempt in ("first", "second"):
        code, output = build(book)
        assert code == 1 and "broken on purpose" in output, attempt
        assert "fine" in page(book)
    write_chapter(book, "one", "print('mended')")
    assert build(book)[0] == 0 and "mended" in page(book)


def test_a_result_that_can_not_be_displayed_fails(book):
    """No cell ends by it: the page would show a traceback."""
    write_chapter(book, "one", "import matplotlib.pyplot as plt\nimport mlm\nmlm.use_course_style()\nmlm.notebook.narrow = lambda figure: 1 / 0\n"
                               "plt.plot([1, 2])\nplt.show()")
    code, output = build(book)
    assert code == 1 and "one.md shows an error in place of a result: ZeroDivisionError" in output and "fine" in page(book), output


def test_warnings_and_dead_references_are_errors(book):
    """Also what a cell prints as a warning."""
    faults = ["See {ref}`nowhere`.", "See {term}`nothing`.", "See [this](missing.md).", "{glue:text}`unknown:.2f`"]
    for text in faults:
        write_chapter(book, f"fault-{faults.index(text)}", "print('fine')", text=text)
    write_chapter(book, f"fault-{len(faults)}", "import warnings\nwarnings.warn('readers would see this')")
    write_toc(book)
    code, output = build(book)
    assert code == 1 and not (book / "_build/html/chapters/fault-0.html").exists()
    found = {number: "\n".join(line for line in output.splitlines() if f"fault-{number}.md" in line and "WARNING" in line)
             for number in range(len(faults) + 1)}
    assert all(found.values()) and "stderr was found" in found[len(faults)], output


@pytest.mark.parametrize("path", ["chapters/mlm/fit.py", "data/hsb.csv", "data/sleepstudy.csv", "requirements.lock"])
def test_the_key_is_that_of_module_data_and_pins(book, path, monkeypatch):
    monkeypatch.setattr(workspace, "ROOT", book)
    before = workspace.execution_key()
    assert workspace.execution_key() == before
    with (book / path).open("ab") as file:
        file.write(b"\n")
    assert workspace.execution_key() != before


KEYS = "from book.workspace import *; print(execution_key(), page_keys(), pdf_key(), site_key(), sep='\\n')"


def keys(book):
    output = start(book, "-c", KEYS).communicate()[0].splitlines()
    assert len(output) == 4, output
    return output


def test_what_an_open_editor_leaves_is_none_of_the_book(book):
    """Emacs' link to nowhere and copy, Vim's file, an older version, of a page, a module, a table."""
    before = keys(book)
    for name in ("chapters/{}one.md", "chapters/mlm/{}fit.py", "data/{}hsb.csv"):
        (book / name.format(".#")).symlink_to("somebody@somewhere.4711")
        for left in (name.format(".") + ".swp", name.format("#") + "#", name.format("") + "~"):
            (book / left).write_bytes(b"\xff")
    assert keys(book) == before
    write_chapter(book, "one", "print('fine')", text="Other words.")
    code, output = build(book)
    assert code == 0 and "Other words." in page(book), output


def test_a_card_of_the_data_is_part_of_the_pages_and_of_the_pdf(book):
    before = keys(book)
    (book / "data/README.md").write_text("# Other words\n")
    assert [old == new for old, new in zip(before, keys(book))] == [True, False, False, False]


def test_pages_read_before_a_fault_are_read_again(tmp_path, monkeypatch):
    """What Sphinx warned of in a build that failed must be warned of again."""
    monkeypatch.setattr(workspace, "WORK", tmp_path)
    monkeypatch.setattr(workspace, "page_keys", lambda: {"": "key", "index": "text"})

    def read(fail=False):
        with workspace.read_pages() as doctrees:
            kept = (doctrees / "index.doctree").exists()
            doctrees.mkdir(parents=True, exist_ok=True)
            (doctrees / "index.doctree").touch()
            if fail:
                raise SystemExit("a warning")
            return kept

    assert not read() and read()
    with pytest.raises(SystemExit):
        read(fail=True)
    assert not read() and read()


def test_publishing_replaces_the_site_whole(tmp_path):
    built, site = tmp_path / "built", tmp_path / "html"
    for folder, name in ((built, "new.html"), (site, "old.html")):
        folder.mkdir()
        (folder / name).touch()
    building.publish(built, site)
    assert [path.name for path in site.iterdir()] == ["new.html"]
    assert [path.name for path in tmp_path.iterdir()] == ["html"]


def test_of_two_builds_at_once_the_second_waits(book):
    """Neither gives half a site, and no chapter runs twice."""
    for name in ("one", "two"):
        write_chapter(book, name, "print('better')")
    both = [start(book), start(book)]
    first, second = sorted((process.communicate()[0] for process in both), key=lambda output: "Waiting" in output)
    assert [process.returncode for process in both] == [0, 0], first + second
    assert ran(first) == ["one", "two"] and "Built" in first
    assert "Waiting for another build" in second and ran(second) == [] and "Nothing has changed" in second


def test_a_damaged_cache_is_made_anew(book):
    database = book / "_build/work/_build/.jupyter_cache/global.db"
    with sqlite3.connect(database) as connection:  # it is the file that is meant
        connection.execute("select 1")
    database.write_bytes(b"damaged" * 1000)
    write_chapter(book, "one", "print('fine')", text="Other words.")
    code, output = build(book)
    assert code == 0 and "damaged" in output and ran(output) == ["one", "two"], output


def test_a_chapter_that_is_gone_leaves_nothing(book):
    shutil.move(book / "chapters/two.md", book / "chapters/three.md")
    write_toc(book)
    code, output = build(book)
    assert code == 0, output
    pages = {path.stem for path in (book / "_build/html/chapters").iterdir()}
    assert "three" in pages and "two" not in pages
    assert "chapters/two" not in page(book, "one") and "three.html" in page(book, "one")
