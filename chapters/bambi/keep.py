"""Keep what the Bayesian fit beside this file prints, for the chapter to show: make bayes

The first line names the versions and the check sum of the script, so that a kept output which
no longer belongs to the script is found out (tests/test_kept_results.py).
"""

import hashlib
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

HERE = Path(__file__).resolve().parent
SCRIPT = HERE / "random_slope.py"


def main():
    run = subprocess.run([sys.executable, SCRIPT.relative_to(HERE.parents[1])], cwd=HERE.parents[1],
                         stdout=subprocess.PIPE, text=True, check=True)  # what PyMC says of its progress is shown
    packages = ", ".join(f"{name} {version(name)}" for name in ("bambi", "pymc", "arviz", "numpy"))
    digest = hashlib.md5(SCRIPT.read_bytes()).hexdigest()
    header = f"# Python {sys.version.split()[0]}, {packages}; {SCRIPT.name} has MD5 {digest}\n"
    lines = [line.rstrip() for line in run.stdout.splitlines()]
    SCRIPT.with_suffix(".txt").write_text(header + "\n".join(lines) + "\n", "utf-8", newline="\n")


if __name__ == "__main__":
    main()
