"""Change one thing at a time in a copy of the course, and see whether its tests notice.

    python tests/mutations.py [--seed 1] [--each 3] [kind ...]

`make mutations` prints a line for each change. Where a change is made, chance decides, by the seed. The
tests that are run are those of `make test` that could notice a change of its kind, the quickest first;
what they let live is listed, and is to get a test.
"""

import argparse
import random
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
PAGES = "chapters/*.md"
BUILD = ["-m", "book.steps.build"]
CLAIMS = "tests/test_claims.py"


class Change(NamedTuple):
    path: str  # from the root
    start: int
    end: int
    words: str  # what is put there


class Kind(NamedTuple):
    files: tuple[str, ...]  # patterns of paths
    place: str  # regular expression; its group 1, or all of it, is replaced
    words: object  # a text, or a function of what stands there, that gives the new one; None where there is none
    tests: tuple[str, ...]  # files of tests in their order; "build" is a build


def other_number(text: str) -> str:
    """A number whose last digit is another one."""
    return text[:-1] + str((int(text[-1]) + 3) % 10)


def flipped(text: str) -> str:
    """The other sign, operation, or comparison."""
    pairs = {"+": "-", "-": "+", "*": "/", "/": "*", "<": ">", ">": "<"}
    return "".join(pairs.get(letter, letter) for letter in text)


def contrary(text: str) -> str | None:
    """A statement turned round by its first word that can be."""
    pairs = [("more", "less"), ("larger", "smaller"), ("higher", "lower"), ("between", "within"), ("always", "never"), ("steeper", "flatter"),
             ("not ", ""), ("no ", "every "), ("too small", "too large"), ("students", "schools"), ("is ", "is not "), ("are ", "are not ")]
    for one, two in pairs + [(two, one) for one, two in pairs[:6]]:
        if re.search(rf"\b{one}", text):
            return re.sub(rf"\b{one}", two, text, count=1)
    return None


def moved_mark(text: str) -> str:
    """A question's options with the mark at another one."""
    marks = re.findall(r"- \[[ x]\]", text)
    new = iter(marks[-1:] + marks[:-1])
    return re.sub(r"- \[[ x]\]", lambda _: next(new), text)


CALCULATION = r"(?<=[\w)\]]) ([-+*/]) (?=[\w(])"  # of two things; not a sign, a default or a star of arguments
NUMERICS = ("tests/test_fit.py", "tests/test_inference.py", "tests/test_certificate.py", "tests/test_real.py", "tests/test_tables.py",
            "tests/test_power.py", "tests/test_means.py")
NUMBER = re.compile(r"(?<![\w.:-])\d+(?![\w.:])")
CELL = r"^```\{code-cell\}.*?^```$"
KINDS = {
    "datum": Kind(("data/hsb.csv", "data/sleepstudy.csv", "data/math_growth.csv", "data/messy.csv", "data/scottish_schools.csv"),
                  r"(?m)(?<=,)\d*\.?\d+(?=,|$)", other_number, ("tests/test_data.py", "tests/claims/claims_own-data.py")),
    "quoted number": Kind((PAGES,), r"mlm\.glue\(\w+=(\w[\w.\[\]\"']*)(?=[,)])", lambda text: f"0.9 * {text}", ("tests/test_golden.py",)),
    "typed number": Kind((PAGES, "index.md"), r"\{glue:text\}`[\w.:-]+:\.\df`", "4.27", ("tests/test_content.py",)),
    "gradient": Kind(("chapters/mlm/likelihood.py", "chapters/mlm/search.py"), CALCULATION, flipped, NUMERICS),
    "degrees of freedom": Kind(("chapters/mlm/inference.py", "chapters/mlm/means.py"), CALCULATION, flipped, NUMERICS[1:] + NUMERICS[:1]),
    "interval": Kind(("chapters/mlm/intervals.py", "chapters/mlm/prediction.py", "chapters/mlm/explained.py"), CALCULATION, flipped,
                     NUMERICS[1:] + ("tests/test_figures.py", "tests/claims/claims_shrinkage.py")),
    "alternative text": Kind((PAGES,), r"(?m)^ +alt: \|\n((?: {6}.*\n)+)", "      A figure.\n", ("tests/test_content.py", "tests/test_golden.py")),
    "caption": Kind((PAGES,), r"(?m)^ +caption: \|\n((?: {6}.*\n)+)", "      A figure.\n", ("tests/test_content.py",)),
    "link": Kind((PAGES, "index.md", "slides/deck.md"), r"\{(?:ref|numref|term|eq)\}`(?:[^`<]*<)?([^`<>]+)", lambda text: text + "x", ("build",)),
    "anchor": Kind((PAGES,), r"(?m)^\(ch-[\w-]+\)=\n", "", ("build",)),
    "label": Kind((PAGES,), r"(?m)^:label: ([\w-]+)$|^\$\$ \(([\w-]+)\)$", lambda text: text + "x", ("build",)),
    "pin": Kind(("requirements.txt", "requirements.lock", "binder/requirements.txt", "pyproject.toml", "book/front/package.json"),
                r"(?:==|>=|\": \")(\d+(?:\.\d+)+)", other_number, ("tests/test_setup.py", "tests/test_package.py")),
    "cell": Kind((PAGES,), r"(?ms)" + CELL, lambda text: NUMBER.sub(lambda number: other_number(number[0]), text, count=1), ("tests/test_golden.py",)),
    "mark of a self-check": Kind((PAGES,), r"(?m)(?:^ +- \[[ x]\] (?:.*\n(?! +- \[|\d\. |:::))*.*\n)+", moved_mark, (CLAIMS,)),
    "solution": Kind((PAGES,), r"(?ms)```\{solution-start\}.*?(" + CELL[1:] + r").*?```\{solution-end\}",
                     lambda text: re.sub(r" ([-+*/]) ", lambda sign: f" {flipped(sign[1])} ", text, count=1) if re.search(r" [-+*/] ", text) else None,
                     ("tests/test_golden.py",)),
    "claim": Kind((PAGES,), r"(?ms)^## What to keep\n(.*?)(?=\n## |\Z)", contrary, (CLAIMS,)),
    "explorer": Kind(("book/front/assets/explorers/*.js",), CALCULATION, flipped, ("tests/test_explorers.py", "tests/test_explorers_browser.py")),
    "slide": Kind(("slides/deck.md",), r"(?m)^(?=[A-Z*-]).*\b(?:more|larger|higher|between|within|not|each|same)\b.*$", contrary, (CLAIMS, "tests/test_slides_deck.py", "tests/test_slides.py")),
    "translation of R": Kind(("chapters/r-to-python.md",), r"(?m)^\|.*?`([^`\n|]*\b\w+\([^`\n]*)`.*\|$",
                             lambda text: re.sub(r"(\w)(?=\()", r"\1x", text, count=1), ("tests/test_code_on_pages.py", "tests/test_r_to_python.py")),
    "license": Kind(("LICENSE", "LICENSE-TEXT", "CITATION.cff", "pyproject.toml", "data/README.md"),
                    r"(?i)\b(?:MIT|CC[ -]BY[ -]4\.0|GPL\S*|public domain)\b", "BSD", ("tests/test_software.py", "tests/test_content.py", "tests/test_package.py", "tests/test_data.py")),
}


def changes(kind: Kind, root: Path) -> Iterator[list[Change]]:
    """All changes of a kind that could be made, file by file."""
    for path in sorted({path for pattern in kind.files for path in root.glob(pattern)}):
        text, found = path.read_text("utf-8"), []
        for match in re.finditer(kind.place, text):
            group = next((number for number in range(1, (match.re.groups or 0) + 1) if match[number] is not None), 0)
            words = kind.words(match[group]) if callable(kind.words) else kind.words
            if words not in (None, match[group]):
                found.append(Change(path.relative_to(root).as_posix(), *match.span(group), words))
        if found:
            yield found


def shown(old: str, new: str) -> str:
    """Where two texts begin to differ."""
    start = next((at for at, (one, two) in enumerate(zip(old, new)) if one != two), min(len(old), len(new)))
    return " -> ".join(repr(text[max(0, start - 30):start + 30]) for text in (old, new))


def run(root: Path, test: str) -> str:
    """What notices in a file of tests, or in a build: the last lines that say so, or nothing."""
    arguments = BUILD if test == "build" else ["-m", "pytest", "-x", "-q", "--no-header", "--tb=no", "-p", "no:cacheprovider", test]
    try:
        done = subprocess.run([sys.executable, *arguments], cwd=root, capture_output=True, text=True, timeout=1800)
    except subprocess.TimeoutExpired:
        return "it came to no end"
    lines = [line for line in (done.stdout + done.stderr).splitlines() if re.search("WARNING|FAILED|^ERROR|Error", line)] or ["it failed"]
    return lines[0].replace(str(root), "")[:150] if done.returncode else ""


@cache
def sound(root: Path, test: str) -> None:
    """Stop if a test fails without any change: it would prove nothing."""
    if failure := run(root, test):
        sys.exit(f"{test} fails without a change: {failure}")


def attempt(root: Path, name: str, change: Change) -> str:
    """Make a change, run what could notice it, and take it back; what noticed it first, or nothing."""
    for test in KINDS[name].tests:
        sound(root, test)
    path = root / change.path
    text = path.read_text("utf-8")
    path.write_text(text[:change.start] + change.words + text[change.end:], "utf-8")
    try:
        return next(filter(None, (run(root, test) for test in KINDS[name].tests)), "")
    finally:
        path.write_text(text, "utf-8")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kinds", nargs="*", choices=[[], *KINDS], metavar="kind", help=", ".join(KINDS))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--each", type=int, default=3, help="changes of each kind")
    parser.add_argument("--list", action="store_true", help="show the changes without trying them")
    arguments = parser.parse_args()
    alive = []
    with tempfile.TemporaryDirectory() as folder:
        root = ROOT if arguments.list else shutil.copytree(
            ROOT, Path(folder) / "course", symlinks=True, ignore=shutil.ignore_patterns(".git", ".venv", "node_modules", "__pycache__"))
        if not arguments.list:
            (root / "book/front/node_modules").symlink_to(ROOT / "book/front/node_modules")
            subprocess.run([sys.executable, *BUILD], cwd=root, check=True)
        for name in arguments.kinds or KINDS:
            chance, files = random.Random(f"{arguments.seed} {name}"), list(changes(KINDS[name], root))
            for _ in range(arguments.each):
                change = chance.choice(chance.choice(files))
                text = (root / change.path).read_text("utf-8")
                line, old = text.count("\n", 0, change.start) + 1, text[change.start:change.end]
                caught = "?" if arguments.list else attempt(root, name, change)
                print(f"{name}: {change.path}:{line} {shown(old, change.words)}\n    {caught or 'LIVED'}", flush=True)
                alive += [name] * (not caught)
    print(f"{len(alive)} lived" + (f": {', '.join(alive)}" if alive else ""))
    return bool(alive)


if __name__ == "__main__":
    sys.exit(main())
