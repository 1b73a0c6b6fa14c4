"""Publish the same commit twice from nothing, in two folders and on two days: site, PDFs, slides and archives must be the same bytes.

    python tests/twice.py

`make twice` prints what differs. The other day needs faketime (Debian: apt-get install faketime), the PDFs need TeX and Chromium.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from small_book import site

ROOT = Path(__file__).resolve().parent.parent
STEPS = ("book.steps.build", "book.steps.pdf", "book.steps.tagged", "book.steps.build")  # as `make public`


def publish(folder: Path, *before: str) -> dict[str, bytes]:
    """Clone the course into a folder and build all that is published; every file of it."""
    subprocess.run(["git", "clone", "--quiet", ROOT, folder], check=True)
    (folder / "book/front/node_modules").symlink_to((ROOT / "book/front/node_modules").resolve())
    for step in STEPS:
        subprocess.run([*before, sys.executable, "-m", step], cwd=folder, check=True, stdout=subprocess.DEVNULL,
                       env={**os.environ, "FAKETIME_DONT_FAKE_MONOTONIC": "1"})  # kernels wait by it
    return site(folder)


def main() -> int:
    other_day = ["faketime", "-f", "+400d"] if shutil.which("faketime") else []
    with tempfile.TemporaryDirectory() as folder:
        first, second = publish(Path(folder, "course")), publish(Path(folder, "another place"), *other_day)
    differing = sorted(name for name in {*first, *second} if first.get(name) != second.get(name))
    print(f"{len(first)} files, {sum(map(len, first.values())) / 1e6:.1f} MB, {sum(name.endswith('.pdf') for name in first)} PDFs; "
          + ("another day; " if other_day else "THE SAME DAY, for want of faketime; ") + (f"differing: {', '.join(differing)}" if differing else "all the same"))
    return bool(differing)


if __name__ == "__main__":
    sys.exit(main())
