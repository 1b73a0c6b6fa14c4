"""Pack the helper package with its data as a wheel, which pip installs: pyproject.toml says what is in it."""

import os
from contextlib import chdir
from pathlib import Path

from hatchling.build import build_wheel

from book.workspace import ROOT

ZIPS_BEGIN = "315532800"  # 1980, the first year that a zip archive can name


def pack(folder: Path) -> None:
    """Write the wheel into `folder`, the same bytes for the same sources: dated 1980, as the archives are.

    By the hook that pip would call in an environment of its own, for which it would fetch hatchling again.
    """
    os.environ["SOURCE_DATE_EPOCH"] = ZIPS_BEGIN
    with chdir(ROOT):
        build_wheel(str(folder.resolve()))
