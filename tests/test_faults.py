"""Faults under a build: the site that was there stays, the message names the cause, and the next build is whole."""

import os
import re
import resource
import shutil
import signal
import socket
import time

import pytest

from small_book import build, make, page, ran, site, start, write_chapter, write_toc


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    """A book that was built once."""
    folder = make(tmp_path_factory.mktemp("first") / "book")
    code, output = build(folder)
    assert code == 0, output
    return folder


@pytest.fixture
def book(first, tmp_path):
    """A book that was built, in a folder of its own."""
    return shutil.copytree(first, tmp_path / "book", symlinks=True)


def fails(book, *words, **settings):
    """A build fails, says the words, and leaves the site as it was."""
    before = site(book)
    code, output = build(book, **settings)
    assert code not in (0, None) and all(word in output for word in words), output
    assert site(book) == before
    return output


def mends(book):
    """The next build of a book whose first chapter is sound is whole."""
    write_chapter(book, "one", "print('mended')")
    code, output = build(book)
    assert code == 0 and "mended" in page(book) and "fine" in page(book, "two"), output


def give_a_cell(book, seconds):
    config = book / "_config.yml"
    config.write_text(re.sub(r"timeout: \d+", f"timeout: {seconds}", config.read_text()))


@pytest.mark.parametrize("code, words", [
    ("while True: pass", ["one.md", "CellTimeoutError"]),
    ("x = bytearray(10 ** 15)", ["one.md", "MemoryError"]),
    ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", ["one.md", "DeadKernelError"])],  # as the system does when memory ends
    ids=["never ends", "asks for all memory", "is killed"])
def test_a_cell_that(book, code, words):
    write_chapter(book, "one", code)
    give_a_cell(book, 5 if "CellTimeoutError" in words else 180)
    fails(book, *words)
    give_a_cell(book, 180)
    mends(book)


def test_a_kernel_that_dies_once(book):
    """As one does that finds its port taken: the chapter runs once more, for its page and for the archives."""
    write_chapter(book, "one", "import os, signal\nif not os.path.exists('tried'):\n    open('tried', 'w')\n"
                               "    os.kill(os.getpid(), signal.SIGKILL)\nprint('alive')")
    code, output = build(book)
    assert code == 0 and "alive" in page(book) and "DeadKernelError" in output, output


DROPS = """
import os, sys
from jupyter_cache.cache.db import NbCacheRecord
delete = NbCacheRecord.records_to_delete
def records_to_delete(keep, db):
    if os.path.exists("dropped"):
        return delete(keep, db)
    open("dropped", "w")
    return [max(delete(0, db))]
NbCacheRecord.records_to_delete = staticmethod(records_to_delete)
from book.steps import build
sys.argv = ["build"]
build.main()
"""


def test_outputs_that_the_cache_drops(book):
    """As it does when two chapters end in the same moment."""
    write_chapter(book, "one", "print('kept')")
    code, output = build(book, "-c", DROPS)
    assert code == 0 and (book / "dropped").exists() and "kept" in page(book), output


def running(process):
    """Wait until a build says that a chapter runs."""
    for line in process.stdout:
        if "Executing" in line:
            return


SLOW = "import time; time.sleep(3); print('slow')"


def test_kill_while_chapters_run(book):
    """Those that run end, and nobody runs the others: the next build would wait for that."""
    before, others = site(book), [f"other-{number}" for number in range(2 * os.cpu_count() + 1)]
    for name in ("one", *others):
        write_chapter(book, name, f"{SLOW}; print('{name}')")
    write_toc(book)
    process = start(book)
    running(process)
    process.kill()
    begun = 1 + process.stdout.read().count("Executing")  # all that is said until the last process has ended
    assert begun <= os.cpu_count() and site(book) == before
    for name in others:
        (book / f"chapters/{name}.md").unlink()
    write_toc(book)
    mends(book)


ENDS_AFTER = """
import os, signal, sys
from book.steps import build
publish = build.publish
def publish_and_end(*folders):
    publish(*folders)
    os.kill(os.getpid(), signal.SIGKILL)
build.publish = publish_and_end
sys.argv = ["build"]
build.main()
"""


def test_kill_when_the_site_is_in_place(book):
    """The site is not taken for that of the sources before, to which its writer may return."""
    before = (book / "chapters/one.md").read_text(), site(book)
    write_chapter(book, "one", "print('other')")
    assert build(book, "-c", ENDS_AFTER)[0] == -signal.SIGKILL and "other" in page(book)
    (book / "chapters/one.md").write_text(before[0])
    code, output = build(book)
    assert code == 0 and site(book) == before[1], output


def test_kill_while_the_site_is_put_in_place(book):
    before = site(book)
    (book / "_build/html").rename(book / "_build/html.old")
    (book / "_build/html.new").mkdir()
    code, output = build(book)
    assert code == 0 and site(book) == before, output
    assert not list((book / "_build").glob("html.*"))


def test_the_work_folder_is_removed_under_a_build(book):
    before = site(book)
    write_chapter(book, "one", SLOW)
    process = start(book)
    running(process)
    time.sleep(1)
    shutil.rmtree(book / "_build/work", ignore_errors=True)
    output = process.communicate()[0]
    assert process.returncode and "_build/work" in output and site(book) == before, output
    mends(book)


def test_the_disk_is_full(book):
    """No file may grow beyond 50 KB, which looks alike to a program that writes."""
    write_chapter(book, "one", "print('other')")
    output = fails(book, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000)))
    assert re.search("disk|File too large", output), output
    mends(book)


def test_node_is_broken(book, tmp_path):
    (tmp_path / "node").write_text("#!/bin/sh\necho 'node: no such library' >&2\nexit 127\n")
    (tmp_path / "node").chmod(0o755)
    write_chapter(book, "one", "print('fine')", text="A formula, $x = 1$.")
    fails(book, "node", env={**os.environ, "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"})
    mends(book)


def test_the_clock_is_set_back(book):
    """All that was built is from years to come."""
    for path in (book / "_build").rglob("*"):
        os.utime(path, (3_000_000_000, 3_000_000_000), follow_symlinks=False)
    write_chapter(book, "one", "print('better')", text="Other words.")
    code, output = build(book)
    assert code == 0 and ran(output) == ["one"] and "better" in page(book) and "Other words." in page(book), output


def test_the_port_is_in_use(book):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        code, output = build(book, "-m", "book.steps.serve", str(port))
    assert code == 1 and output == f"Port {port} is in use: call `make serve PORT={port + 1}`.\n", output


def test_what_is_read_is_damaged(book):
    """Pages that Sphinx keeps, and outputs that the cache keeps."""
    for path in [*(book / "_build/work/_build/.doctrees").glob("**/*.doctree"), *(book / "_build/work/_build/.jupyter_cache").rglob("base.ipynb")]:
        path.write_bytes(b"damaged")
    write_chapter(book, "one", "print('mended')")
    fails(book, "`make strict` builds from nothing")
    code, output = build(book, "-m", "book.steps.build", "--clean")
    assert code == 0 and "mended" in page(book) and "fine" in page(book, "two"), output


STOPPED = """
import os, signal, threading
from book.workspace import turn
with turn():
    threading.Thread.start = lambda thread: os.kill(os.getpid(), signal.SIGTERM)
    child = os.fork()
    if not child:
        signal.alarm(20)
        signal.pause()
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def test_a_process_that_is_stopped_as_it_begins(book):
    """It waited for work for ever, and the build for its end."""
    assert build(book, "-c", STOPPED) == (0, f"{-signal.SIGTERM}\n")
