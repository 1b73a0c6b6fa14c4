"""After any edit, the site is the site: what a build from nothing of the same files would make, byte for byte.

Random sequences of edits on a small book. `SEQUENCES=30 pytest tests/test_any_edit.py` tries more of them.
"""

import copy
import os
import random
import shutil
import socket
import subprocess
import sys
import time
from urllib.error import URLError
from urllib.request import urlopen

import pytest

from small_book import REFERENCES, build, make, page, site, write_chapter, write_toc


class Writer:
    """Somebody who edits a book; what is on a page follows from `chapters`, `order` and `title`."""

    def __init__(self, folder):
        self.folder, self.serial = make(folder), 0
        self.chapters = {name: {"words": "Some words.", "value": 1, "label": f"label-{name}"} for name in ("one", "two", "three")}
        self.order = ["one", "two", "three"]
        (self.folder / "index.md").write_text("# A small book\n\n```{bibliography}\n```\n")
        self.write()

    def write(self):
        """Write every file."""
        for path in (self.folder / "chapters").glob("*.md"):
            if path.stem not in self.chapters:
                path.unlink()
        for name, chapter in self.chapters.items():
            others = [other for other in self.order if other != name]
            text = "\n\n".join([
                chapter["words"], "$x = {{{value}}}$, see {{cite:t}}`one`.".format(**chapter),
                *(f"See {{ref}}`{self.chapters[other]['label']}`: {{glue:text}}`{other}.md::value:.2f`." for other in others),
                f"({chapter['label']})=\n## Section of {name}, {chapter['label']}"])
            write_chapter(self.folder, name, f"import mlm\nmlm.glue(value={chapter['value']}.0)", text)
        write_toc(self.folder, *self.order)

    def some(self):
        return self.random.choice(self.order)

    def new(self):
        self.serial += 1
        return f"new{self.serial}"

    def words(self):
        self.chapters[self.some()]["words"] = f"Words that are {self.new()}."

    def old_time_stamp(self):
        name = self.some()
        self.chapters[name]["words"] = f"Words of long ago, {self.new()}."
        self.write()
        os.utime(self.folder / f"chapters/{name}.md", (1_000_000_000, 1_000_000_000))

    def value(self):
        self.chapters[self.some()]["value"] += 1

    def label(self):
        self.chapters[self.some()]["label"] = self.new()

    def reorder(self):
        self.random.shuffle(self.order)

    def add(self):
        name = self.new()
        self.chapters[name] = {"words": "Some words.", "value": 1, "label": f"label-{name}"}
        self.order.insert(self.random.randrange(len(self.order) + 1), name)

    def remove(self):
        if len(self.order) > 2:
            name = self.some()
            self.order.remove(name)
            del self.chapters[name]

    def rename(self):
        name, new = self.some(), self.new()
        self.order[self.order.index(name)] = new
        self.chapters[new] = self.chapters.pop(name)

    def bibliography(self):
        (self.folder / "references.bib").write_text(REFERENCES.format(title=f"A book, {self.new()}"))

    def move(self):
        self.folder = self.folder.rename(self.folder.with_name(self.new() + " & more"))

    def style(self):
        with (self.folder / "book/front/assets/course.css").open("a") as sheet:
            sheet.write(f"\n.article-container {{ --{self.new()}: 1; }}\n")

    EDITS = (words, old_time_stamp, value, label, reorder, add, remove, rename, bibliography, move, style)

    def edit(self):
        """Make one edit; its name."""
        kind = self.random.choice(self.EDITS)
        kind(self)
        if kind is not Writer.old_time_stamp:
            self.write()
        return kind.__name__


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    """A writer whose book was built once."""
    writer = Writer(tmp_path_factory.mktemp("first") / "book")
    code, output = build(writer.folder)
    assert code == 0, output
    return writer


@pytest.mark.parametrize("seed", range(int(os.environ.get("SEQUENCES", 2))))
def test_a_build_after_edits_is_a_build_from_nothing(first, tmp_path, seed):
    writer, done = copy.deepcopy(first), []
    writer.random = random.Random(seed)
    writer.folder = shutil.copytree(first.folder, tmp_path / "book", symlinks=True)
    for _ in range(4):
        done += [writer.edit(), writer.edit()]
        code, output = build(writer.folder)
        assert code == 0, (done, output)
    assert differing(writer.folder, tmp_path / "fresh") == [], done


def differing(edited, new):
    """The files in which the built site differs from one that is built from nothing of the same sources."""
    shutil.copytree(edited, new, symlinks=True, ignore=shutil.ignore_patterns("_build"))
    code, output = build(new)
    assert code == 0, output
    edited, new = site(edited), site(new)
    return [name for name in sorted({*edited, *new}) if edited.get(name) != new.get(name)]


def test_what_is_served_while_one_writes_is_a_build_from_nothing(first, tmp_path):
    """After edits of words, of a quoted number, of the order and the names, and after one that fails and is mended."""
    writer = copy.deepcopy(first)
    writer.random, writer.folder = random.Random(0), shutil.copytree(first.folder, tmp_path / "book", symlinks=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with open(tmp_path / "log", "w") as log:
        server = subprocess.Popen([sys.executable, "-m", "book.steps.serve", str(port)], cwd=writer.folder, stdout=log, stderr=log)

    def until(condition):
        while not condition():
            time.sleep(0.2)
            assert server.poll() is None and log_of_failures() < 2, (tmp_path / "log").read_text()

    def log_of_failures():
        return (tmp_path / "log").read_text().count("was not built")

    try:
        for edits in ("words", "value reorder rename"):
            for edit in edits.split():
                getattr(writer, edit)()
            writer.chapters[writer.order[0]]["words"] = f"The last words: {edits}."
            writer.write()
            until(lambda: f"The last words: {edits}." in page(writer.folder, writer.order[0]))
            if edits == "words":
                write_chapter(writer.folder, writer.order[1], "print('fine')", "See {ref}`nowhere`.")
                until(log_of_failures)
        shown = urlopen(f"http://127.0.0.1:{port}/chapters/{writer.order[0]}.html").read().decode()
        assert "The last words: value" in shown
    finally:
        server.terminate()
        server.wait()
    time.sleep(2)
    with pytest.raises(URLError):  # nobody holds the port
        urlopen(f"http://127.0.0.1:{port}/")
    assert differing(writer.folder, tmp_path / "fresh") == []
