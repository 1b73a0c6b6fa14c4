"""Build a small book as people's machines would: each habit is an environment, and each site must be the same bytes.

    python tests/machines.py [habit ...]

`make fresh-machine` prints a line for each. What needs rights or programs that are not here is said, not passed over.
"""

import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from small_book import build, make, site

GIGABYTE = 2 ** 30
NOBODY = 65534


def limit(kind: int, value: int):
    return lambda: resource.setrlimit(kind, (value, value))


def as_nobody():
    os.setgroups([])
    os.setgid(NOBODY)
    os.setuid(NOBODY)


def environment(**changes: str) -> dict:
    return {"env": {**os.environ, **changes}}


# What differs from the plain machine, as arguments of Popen; "name" is that of the folder.
HABITS = {
    "plain": {},
    "folder with space, umlaut and &": {"name": "Köln & Söhne"},
    "umask 077": {"umask": 0o077},
    "LC_ALL=C": environment(LC_ALL="C", PYTHONCOERCECLOCALE="0", PYTHONUTF8="0"),
    "LC_ALL=de_DE.UTF-8": environment(LC_ALL="de_DE.UTF-8"),
    "time zone of Auckland": environment(TZ="Pacific/Auckland"),
    "TMPDIR with a space": environment(TMPDIR="tmp dir"),
    "one core": {"preexec_fn": lambda: os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})},
    "half a gigabyte for a process": {"preexec_fn": limit(resource.RLIMIT_DATA, GIGABYTE // 2)},
    "256 open files": {"preexec_fn": limit(resource.RLIMIT_NOFILE, 256)},
    "Node.js 24": {"node": "node@24"},
    "another user than root": {"preexec_fn": as_nobody, "owner": NOBODY},
    "sources that can't be written": {"preexec_fn": as_nobody, "owner": NOBODY, "locked": True},
}


def prepare(folder: Path, settings: dict) -> dict:
    """Make the book and what a habit needs; the arguments of its process."""
    book = make(folder / settings.pop("name", "book"))
    if "LC_ALL" in settings.get("env", {}) and settings["env"]["LC_ALL"].replace("-", "").lower() not in (
            subprocess.run(["locale", "-a"], capture_output=True, text=True).stdout.lower().split()):
        raise PermissionError("this language is not installed")
    if "env" in settings and "TMPDIR" in settings["env"]:
        settings["env"]["TMPDIR"] = str(folder / settings["env"]["TMPDIR"])
        Path(settings["env"]["TMPDIR"]).mkdir()
    if "node" in settings:
        subprocess.run(["npm", "install", "--no-audit", "--no-fund", "--prefix", folder / "node", settings.pop("node")], check=True, capture_output=True)
        settings |= environment(PATH=f"{folder / 'node/node_modules/.bin'}{os.pathsep}{os.environ['PATH']}")
    locked, owner = settings.pop("locked", False), settings.pop("owner", None)
    if owner:
        if os.getuid():
            raise PermissionError("tried by root alone")
        (book / "_build").mkdir()
        for path in [folder.parent, folder, book, *book.rglob("*")]:
            os.chown(path, 0 if locked and path != book / "_build" else owner, owner, follow_symlinks=False)
        folder.parent.chmod(0o755)  # a temporary folder is its owner's alone
        if subprocess.run([sys.executable, "-c", ""], preexec_fn=as_nobody, capture_output=True, cwd="/").returncode:
            raise PermissionError("this Python is root's alone")
        settings |= environment(HOME=str(book / "_build"))
    return {"book": book, **settings}


def attempt(habit: str, folder: Path, expected: dict) -> str:
    """What came of a build: "as it should be", or what was otherwise."""
    try:
        settings = prepare(folder, dict(HABITS[habit]))
    except (PermissionError, subprocess.SubprocessError) as reason:
        return f"NOT TRIED: {reason}"
    book = settings.pop("book")
    code, output = build(book, **settings)
    if code:
        return "FAILED\n" + "\n".join(output.splitlines()[-15:])
    found = site(book)
    if not expected:
        expected.update(found)
    differing = sorted(name for name in {*found, *expected} if found.get(name) != expected.get(name))
    hidden = [path for path in (book / "_build/html").rglob("*") if not path.stat().st_mode & 0o004]
    if hidden:
        return f"FAILED: a web server may not read {len(hidden)} files"
    return f"FAILED: differs in {', '.join(differing)}" if differing else "as it should be"


def main(chosen: list[str]) -> int:
    expected, outcomes = {}, []
    for number, habit in enumerate(["plain", *(name for name in HABITS if name != "plain" and (not chosen or name in chosen))]):
        started = time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / str(number)).mkdir()
            outcomes.append(attempt(habit, Path(folder) / str(number), expected))
        print(f"{habit:32} {time.monotonic() - started:4.0f} s  {outcomes[-1]}", flush=True)
    return int(any(outcome.startswith("FAILED") for outcome in outcomes))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
