"""A small book with the course's own configuration and build, in a folder of its own: for tests of builds."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from conftest import ROOT

HEADER = (ROOT / "chapters/why.md").read_text("utf-8").split("\n---\n")[0] + "\n---\n"
COPIED = ("book", "chapters/mlm", "CITATION.cff", "data/hsb.csv", "data/sleepstudy.csv", "data/README.md",
          "binder/requirements.txt", "LICENSE", "LICENSE-TEXT", "requirements.lock", "_config.yml")
REFERENCES = "@book{{one, title={{{title}}}, author={{A. Author}}, year={{2002}}, publisher={{P}}}}\n"


def make(folder: Path) -> Path:
    """Write a book of two chapters, the second of which quotes the first."""
    for name in COPIED:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "node_modules"))
        else:
            shutil.copy(ROOT / name, folder / name)
    (folder / "book/front/node_modules").symlink_to((ROOT / "book/front/node_modules").resolve())
    (folder / "references.bib").write_text(REFERENCES.format(title="A book"))
    (folder / "index.md").write_text("# A small book\n")
    write_chapter(folder, "one", "print('fine')")
    write_chapter(folder, "two", "print('fine')")
    write_toc(folder)
    return folder


def write_chapter(folder: Path, name: str, code: str, text: str = "Some words.") -> None:
    (folder / f"chapters/{name}.md").write_text(
        f"{HEADER}\n# Chapter {name}\n\n{text}\n\n```{{code-cell}} ipython3\n{code}\n```\n")


def write_toc(folder: Path, *names: str) -> None:
    """Name the chapters in the table of contents: by default all, in order of the alphabet."""
    names = names or sorted(path.stem for path in (folder / "chapters").glob("*.md"))
    (folder / "_toc.yml").write_text("format: jb-book\nroot: index\nchapters:\n"
                                     + "".join(f"- file: chapters/{name}\n" for name in names))


def start(folder: Path, *arguments: str, **settings) -> subprocess.Popen:
    """Begin a build, or what else Python is to run; without the path to the course's own helper package, which `make` doesn't set either."""
    settings["env"] = {name: value for name, value in settings.get("env", os.environ).items() if name != "PYTHONPATH"}
    return subprocess.Popen([sys.executable, *(arguments or ("-m", "book.steps.build"))], cwd=folder, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True, **settings)


def build(folder: Path, *arguments: str, **settings) -> tuple[int, str]:
    """Build; the exit code, and what was printed."""
    process = start(folder, *arguments, **settings)
    output = process.communicate()[0]
    return process.returncode, output


def page(folder: Path, name: str = "one") -> str:
    return (folder / f"_build/html/chapters/{name}.html").read_text("utf-8")


def site(folder: Path) -> dict[str, bytes]:
    """Every file of the built site."""
    built = folder / "_build/html"
    return {path.relative_to(built).as_posix(): path.read_bytes() for path in sorted(built.rglob("*")) if path.is_file()}


def ran(output: str) -> list[str]:
    """Which chapters a build says that it runs."""
    line = next((line for line in output.splitlines() if line.startswith("Running ") and "chapters:" in line), "")
    return line.partition(": ")[2].split(", ") if line else []
