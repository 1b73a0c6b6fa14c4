"""Launch buttons: from one setting, to files that are there, and absent where there is no repository."""

import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import yaml
from bs4 import BeautifulSoup

from conftest import ROOT

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


def test_no_buttons_without_a_repository(tmp_path):
    assert launch_links(tmp_path, "") == {"residuals": [], "glossary": []}


def test_buttons_lead_to_files_of_the_repository(tmp_path):
    links = launch_links(tmp_path, ADDRESS, "https://hub.example.org")
    assert links["glossary"] == []
    binder, hub = sorted(links["residuals"], key=lambda link: "hub.example.org" in link)
    assert urlsplit(binder)._replace(query="").geturl() == "https://mybinder.org/v2/gh/someone/some-fork/main"
    path = parse_qs(urlsplit(binder).query)["urlpath"][0].removeprefix("lab/tree/")
    assert (ROOT / path).is_file()
    assert hub.startswith("https://hub.example.org/hub/user-redirect/git-pull?")
    query = parse_qs(urlsplit(hub).query)
    assert (query["repo"], query["branch"]) == ([ADDRESS], ["main"])
    assert (ROOT / query["urlpath"][0].removeprefix("lab/tree/some-fork/")).is_file()
