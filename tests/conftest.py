"""What all tests share: where the course lies, and how nbval compares chapters."""

import os
import re
import sys
import tempfile
from pathlib import Path

import pytest
from nbval.plugin import IPyNbFile

ROOT = Path(__file__).resolve().parent.parent
for folder in ("chapters", "", "tests", "tests/claims"):
    sys.path.insert(0, str(ROOT / folder))
# The kernels that run the golden notebooks start in another folder than the chapters.
os.environ["PYTHONPATH"] = str(ROOT / "chapters")
from book.workspace import use_plain_kernels  # noqa: E402

# The golden notebooks run as in a build, and so does linear algebra: on one thread a worker.
KERNELS = tempfile.TemporaryDirectory()
use_plain_kernels(Path(KERNELS.name))

# A file is one worker's. What takes longest begins first, so that no worker ends long after the others.
LONGEST = ["test_browser.py", "test_any_edit.py", "test_faults.py", "test_build.py", "test_power.py", "test_explorers_browser.py", "test_slides_deck.py", "test_launch.py"]


def pytest_collection_modifyitems(items):
    """nbval leaves out PNG and JPEG; the course's figures, and statsmodels' summaries, come in other formats too.

    What a figure shows is tested by test_figures.py, and by the digest of its data.
    """
    formats = ("image/svg+xml", "application/pdf", "application/vnd.plotly.v1+json", "text/latex")
    for notebook in {item.parent for item in items if isinstance(item.parent, IPyNbFile)}:
        notebook.skip_compare += formats
    items.sort(key=lambda item: LONGEST.index(item.path.name) if item.path.name in LONGEST else len(LONGEST))


@pytest.fixture(scope="session")
def hsb():
    import mlm

    return mlm.load_hsb()


@pytest.fixture(scope="session")
def reference():
    """Values from R: ``reference("mixed")`` is tests/reference/mixed.json."""
    import json

    return lambda name: json.loads((ROOT / "tests" / "reference" / f"{name}.json").read_text())


@pytest.fixture(scope="session")
def site():
    """The built site."""
    folder = ROOT / "_build" / "html"
    if not (folder / "index.html").exists():
        pytest.fail("The site is not built: run `make site` first (`make test` does).")
    return folder


@pytest.fixture(scope="session")
def policy(site):
    """The Content-Security-Policy that a browser is told: nginx's, with the hashes that the build has written."""
    from book.steps.policy import NAME

    nginx = (ROOT / "deploy/nginx.conf").read_text()
    variable, hashes = re.fullmatch(r'set (\$\w+) "(.+)";\n', (site / NAME).read_text()).groups()
    assert f"include /srv/course/{NAME};" in nginx and nginx.count("Content-Security-Policy") == 1
    given = re.search(r'add_header Content-Security-Policy "(.+)" always;', nginx)[1]
    assert variable in given
    return given.replace(variable, hashes)
