"""What a launch installs: that it is what the chapters were tested with, and that it is enough.

`make binder-check` does the rest in minutes: an empty environment, JupyterLab, the chapters run there.
"""

import datetime
import json
import math
import shutil
import statistics
import subprocess
import sys
from pathlib import Path

import jupytext
import nbformat
import yaml

from conftest import ROOT
from book.workspace import chapters

BINDER = ROOT / "binder"


def test_after_installing_chapters_open_as_notebooks_without_a_question(tmp_path):
    environment = {"HOME": str(tmp_path), "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin"}
    for name in ("binder/postBuild", "binder/overrides.json", "book/template.py", "chapters/own-data.md"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    subprocess.run(["sh", "binder/postBuild"], cwd=tmp_path, env=environment, check=True)
    assert len(nbformat.read(tmp_path / "chapters/your-data.ipynb", as_version=4).cells) > 20
    kept = json.loads((tmp_path / ".jupyter/labconfig/default_setting_overrides.json").read_text())
    assert kept["@jupyterlab/docmanager-extension:plugin"]["defaultViewers"]["markdown"] == "Jupytext Notebook"
    for path in (ROOT / "chapters").glob("*.md"):  # without it JupyterLab asks for a kernel, also where no code is
        assert jupytext.read(path).metadata["kernelspec"]["name"] == "python3", path.name


def test_what_the_text_says_of_memory_was_measured():
    """To whole megabytes, so that the parts of the text add up to its sum."""
    measured = json.loads((BINDER / "measured.json").read_text())
    text = " ".join((ROOT / "chapters/instructors.md").read_text("utf-8").split())
    day = datetime.date.fromisoformat(measured["date"])
    assert f"Measured on {day:%-d %B %Y} with `make binder-check`" in text
    lab, kernels = measured["jupyterlab_mb"], {path.stem: measured["kernel_mb"][path.stem] for path in chapters()}
    power, others = kernels["power"], sorted(kernels[name] for name in kernels if name != "power")
    typical = math.ceil(statistics.median(others))
    for words in (f"held at most {typical} MB, the largest {others[-1]} MB",
                  f"with the processes that it computes on, {power} MB", f"JupyterLab itself held {lab} MB",
                  f"needs about {lab + typical} MB"):
        assert words in text
    # what values.yaml guarantees is enough for most chapters, and its limit for all
    values = yaml.safe_load((ROOT / "deploy/values.yaml").read_text())["singleuser"]
    memory = {name: int(size.replace("1G", "1000M").removesuffix("M")) for name, size in values["memory"].items()}
    assert lab + typical < memory["guarantee"] and lab + max(power, others[-1]) < memory["limit"]
    assert values["cpu"]["limit"] == 2
