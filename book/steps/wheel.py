"""Pack the helper package with its data as a wheel, which pip installs: pyproject.toml says what is in it."""

import os
import subprocess
import sys
from pathlib import Path

from book.workspace import ROOT, last_change


def pack(folder: Path) -> None:
    """Write the wheel into `folder`, the same bytes for the same commit.

    By hatchling itself, which is pinned: `pip wheel` would fetch one into an environment of its own.
    """
    subprocess.run([sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", folder],
                   cwd=ROOT, check=True, env=os.environ | {"SOURCE_DATE_EPOCH": last_change()}, stdout=subprocess.DEVNULL)
