"""Launch buttons: from one setting, to files that are there, and absent where there is no repository."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import yaml
from bs4 import BeautifulSoup

from book.steps import notebooks
from book.workspace import NOTEBOOKS_BRANCH
from conftest import ROOT
from book.workspace import chapters

ADDRESS = "https://github.com/someone/some-fork"


def launch_links(folder, url, hub=""):
    """Build a chapter and a page without code with the book's own settings; the links of the buttons."""
    (folder / "chapters").mkdir(parents=True)
    for name in ("chapters/residuals.md", "chapters/glossary.md", "references.bib"):
        shutil.copy(ROOT / name, folder / name)
    (folder / "index.md").write_text("# Home\n")
    (folder / "_toc.yml").write_text("format: jb-book\nroot: index\nchapters:\n"
                                     "- file: chapters/residuals\n- file: chapters/glossary\n")
    settings = yaml.safe_load((ROOT / "_config.yml").read_text())
    settings["repository"]["url"] = url
    settings["launch_buttons"]["jupyterhub_url"] = hub
    settings["sphinx"]["config"]["katex_prerender"] = False  # the formulas are of no interest here
    settings["html"].pop("favicon", None)
    settings["sphinx"]["local_extensions"] = {name: str(ROOT / where)
                                              for name, where in settings["sphinx"]["local_extensions"].items()}
    settings["execute"]["execute_notebooks"] = "off"
    (folder / "_config.yml").write_text(yaml.safe_dump(settings))
    # in a process of its own: the other tests' Sphinx has registered its parsers in this one
    subprocess.run([Path(sys.executable).with_name("jupyter-book"), "build", folder, "-q"], check=True, capture_output=True)
    pages = {name: BeautifulSoup((folder / f"_build/html/chapters/{name}.html").read_text("utf-8"), "html.parser")
             for name in ("residuals", "glossary")}
    return {name: [link["href"] for link in page.select(".dropdown-launch-buttons a[href]")]
            for name, page in pages.items()}


def card(folder):
    """What a shared link of the chapter shows."""
    page = BeautifulSoup((folder / "_build/html/chapters/residuals.html").read_text("utf-8"), "html.parser")
    return page.find("meta", property="og:image")["content"]


def test_no_buttons_without_a_repository(tmp_path):
    assert launch_links(tmp_path, "") == {"residuals": [], "glossary": []}
    assert card(tmp_path) == "../_static/card.png"


def test_buttons_lead_to_files_of_the_repository(tmp_path):
    links = launch_links(tmp_path, ADDRESS, "https://hub.example.org")
    assert links["glossary"] == []
    binder, hub, colab = links["residuals"]
    assert urlsplit(binder)._replace(query="").geturl() == "https://mybinder.org/v2/gh/someone/some-fork/main"
    path = parse_qs(urlsplit(binder).query)["urlpath"][0].removeprefix("lab/tree/")
    assert (ROOT / path).is_file()
    assert hub.startswith("https://hub.example.org/hub/user-redirect/git-pull?")
    query = parse_qs(urlsplit(hub).query)
    assert (query["repo"], query["branch"]) == ([ADDRESS], ["main"])
    assert (ROOT / query["urlpath"][0].removeprefix("lab/tree/some-fork/")).is_file()
    assert colab == "https://colab.research.google.com/github/someone/some-fork/blob/notebooks/chapters/residuals.ipynb"
    assert card(tmp_path) == "https://someone.github.io/some-fork/_static/card.png"


def test_colab_only_where_it_can_open_the_repository(tmp_path):
    links = launch_links(tmp_path, "https://gitlab.com/someone/some-fork")
    assert [urlsplit(link).netloc for link in links["residuals"]] == ["mybinder.org"]


def test_what_colab_opens_runs_alone(tmp_path):
    """The branch that is pushed has each notebook, and a notebook fetches from there what it needs."""
    remote, alone = tmp_path / "repository", tmp_path / "alone"
    alone.mkdir()
    subprocess.run(["git", "init", "--quiet", "--bare", remote], check=True)
    notebooks.write_archive(notebooks.course_files(remote.as_uri()), tmp_path / "packed.zip")
    subprocess.run(["make", "push-notebooks", f"ARCHIVE={tmp_path / 'packed.zip'}", f"REMOTE={remote}"], cwd=ROOT, check=True)
    pushed = subprocess.run(["git", "ls-tree", "-r", "--name-only", NOTEBOOKS_BRANCH], cwd=remote, check=True,
                            capture_output=True, text=True).stdout.split()
    assert {f"chapters/{chapter.stem}.ipynb" for chapter in chapters()} <= set(pushed)
    subprocess.run(["git", "--git-dir", remote, f"--work-tree={alone}", "restore", "--source", NOTEBOOKS_BRANCH,
                    "chapters/residuals.ipynb"], check=True)
    (alone / "chapters/residuals.ipynb").rename(alone / "residuals.ipynb")
    (alone / "chapters").rmdir()
    code = ("import nbformat; from nbclient import NotebookClient\n"
            "notebook = nbformat.read('residuals.ipynb', as_version=4)\n"
            "notebook.cells.append(nbformat.v4.new_code_cell('print(mlm.__file__)'))\n"
            "NotebookClient(notebook, timeout=120, kernel_name='python3').execute()\n"
            "print(notebook.cells[-1].outputs[0].text)")
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run([sys.executable, "-c", code], cwd=alone, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert Path(done.stdout.strip()) == alone / "course/chapters/mlm/__init__.py"
