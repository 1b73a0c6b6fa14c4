"""Publish the same commit twice from nothing, in two folders and on two days: site, PDFs, slides and archives must be the same bytes.

    python tests/twice.py

`make twice` prints what differs. The other day needs a C compiler (Debian: apt-get install gcc), the PDFs need TeX and Chromium.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from small_book import site

ROOT = Path(__file__).resolve().parent.parent
STEPS = ("book.steps.build", "book.steps.pdf", "book.steps.tagged", "book.steps.build")  # as `make public`


def publish(course: Path, folder: Path, **environment: str) -> dict[str, bytes]:
    """Clone the course into a folder and build all that is published, with variables of the environment; every file of it."""
    subprocess.run(["git", "clone", "--quiet", course, folder], check=True)
    (folder / "book/front/node_modules").symlink_to((ROOT / "book/front/node_modules").resolve())
    for step in STEPS:
        subprocess.run([sys.executable, "-m", step], cwd=folder, check=True, stdout=subprocess.DEVNULL, env=os.environ | environment)
    return site(folder)


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        clock = Path(folder, "later.so")
        subprocess.run(["cc", "-shared", "-fPIC", "-o", clock, ROOT / "tests/later.c"], check=True)
        one, other = Path(folder, "course"), Path(folder, "another place")
        # The second is a clone of the first: what is committed meanwhile is in neither.
        first, second = publish(ROOT, one), publish(one, other, LD_PRELOAD=str(clock))
    differing = sorted(name for name in {*first, *second} if first.get(name) != second.get(name))
    print(f"{len(first)} files, {sum(map(len, first.values())) / 1e6:.1f} MB, {sum(name.endswith('.pdf') for name in first)} PDFs; "
          + (f"differing: {', '.join(differing)}" if differing else "all the same"))
    return bool(differing)


if __name__ == "__main__":
    sys.exit(main())
