"""Build the site: execute what is stale, check strictly, publish whole or not at all.

    python book/build.py            build into _build/work, then put _build/html in place
    python book/build.py --clean    the same from nothing
    python book/build.py --execute  only run the chapters that are stale, for `make serve`

Stock Jupyter Book keeps three things that could hide a fault; each is cured here:
its cache looks at a chapter's code alone, not at the helper package, the data or the
library versions; a page whose build failed passes the second time; and the site is
written in place, so that a failed build leaves half of it.
"""

import argparse
import hashlib
import logging
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parent.parent
SITE = ROOT / "_build" / "html"
WORK = ROOT / "_build" / "work"
SERVED = ROOT / "_build" / "serve"
PICTURES = ROOT / "_build" / "pictures"


def execution_key(root: Path = ROOT) -> str:
    """Hash of everything, but a chapter's own code, that its outputs depend on."""
    digest = hashlib.sha256(sys.version.encode())
    for path in sorted([*(root / "chapters/mlm").rglob("*.py"), root / "data/hsb.csv", root / "requirements.lock"]):
        digest.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def page_key(root: Path = ROOT) -> str:
    """Hash of what dresses the pages: Sphinx alone would not write them anew for an edit of a style sheet."""
    digest = hashlib.sha256()
    for path in sorted([*(root / "book").glob("*.*"), *(root / "book/assets").rglob("*.*"), root / "CITATION.cff"]):
        if path.is_file():
            digest.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def prepare(work: Path, key: str, pages: str | None = None) -> None:
    """Remove what an earlier run left and this one must not take for finished; `pages` only where pages are made."""
    kept, kept_pages = work / "execution-key", work / "page-key"
    if kept.exists() and kept.read_text() != key:
        print("The helper package, the data or a library has changed: every chapter runs again.")
        shutil.rmtree(work)
    elif (work / "unfinished").exists():
        # Outputs of chapters that ran well stay in the cache; pages are made anew,
        # so that a warning or a failed cell is reported again.
        shutil.rmtree(work / "_build" / "html", ignore_errors=True)
        shutil.rmtree(work / "_build" / ".doctrees", ignore_errors=True)
    elif pages and (not kept_pages.exists() or kept_pages.read_text() != pages):
        shutil.rmtree(work / "_build" / "html", ignore_errors=True)
    work.mkdir(parents=True, exist_ok=True)
    (work / "unfinished").touch()
    kept.write_text(key)
    if pages:
        kept_pages.write_text(pages)


def last_change(root: Path) -> str:
    """Time of the last commit, or now where the course is not a git checkout."""
    git = subprocess.run(["git", "-C", root, "log", "-1", "--format=%ct"], capture_output=True, text=True)
    return git.stdout.strip() or str(int(time.time()))


def use_plain_kernels(folder: Path) -> None:
    """Give the kernels a profile of their own.

    The user's own profile could change outputs, and by default each kernel warns that it
    talks to this machine's loopback without encryption.
    """
    profile = folder / "profile_default"
    profile.mkdir(parents=True, exist_ok=True)
    (profile / "ipython_kernel_config.py").write_text("get_config().IPKernelApp.log_level = 40\n")
    os.environ["IPYTHONDIR"] = str(folder)
    os.environ["JUPYTER_PREFER_ENV_PATH"] = "1"  # the kernel of this environment, not the user's


def execute_notebooks(paths: list[Path], cache_path: Path) -> None:
    """Run the notebooks whose code has changed, one on each core, ahead of Sphinx.

    Sphinx runs chapters that failed here once more and reports them with the cell.
    """
    from jupyter_cache import get_cache
    from jupyter_cache.executors import load_executor

    logger = logging.getLogger("chapters")
    logger.setLevel(logging.INFO)  # a line when a chapter starts and when it is done
    use_plain_kernels(cache_path.with_name("ipython"))
    # One chapter runs on each core already: more threads of linear algebra only get in each other's way.
    os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"))
    cache = get_cache(cache_path)
    for path in paths:
        cache.add_nb_to_project(str(path), read_data={"name": "myst_nb_md", "type": "plugin"})
    stale = [record for record in cache.list_unexecuted() if Path(record.uri) in paths]
    if stale:
        print(f"Running {len(stale)} chapters: {', '.join(sorted(Path(r.uri).stem for r in stale))}", flush=True)
        load_executor("local-parallel", cache=cache, logger=logger).run_and_cache(
            filter_pks=[record.pk for record in stale], timeout=180)


def execute_chapters(root: Path, cache_path: Path) -> None:
    """Run the chapters, and the deck of slides, as far as they are stale."""
    execute_notebooks([path for path in [*sorted((root / "chapters").glob("*.md")), *(root / "slides").glob("deck.md")]
                       if "{code-cell}" in path.read_text(encoding="utf-8")], cache_path)


def add_extras(root: Path, work: Path, site: Path) -> None:
    """Put beside the chapters what is made from the same sources: slides, notebooks to run at home, PDFs if built."""
    from downloads import add_pdfs, leave_out_missing
    from notebooks import pack
    from slides import write_deck

    deck, cache_path = root / "slides" / "deck.md", work / "_build" / ".jupyter_cache"
    if deck.exists():
        write_deck(deck, cache_path, site / "slides", book="../")
        pack(root, cache_path, site / "downloads" / "multilevel-notebooks.zip")
        add_pdfs(root, root / "_build" / "pdf", site)
    leave_out_missing(site)


def draw_pictures(root: Path, folder: Path, key: str) -> None:
    """Draw the home page's picture and the card for shared links, if they are not those of `key`."""
    key += hashlib.sha256((root / "book/picture.py").read_bytes()).hexdigest()
    kept = folder / "key"
    if not kept.exists() or kept.read_text() != key:
        subprocess.run([sys.executable, root / "book/picture.py", folder], check=True)
        kept.write_text(key)


def publish(built: Path, site: Path, finish: Callable[[Path], None] = lambda _: None) -> None:
    """Put the built site in place: the old one is there until the new one is whole.

    What `finish` does to the new one is done before anybody sees it.
    """
    fresh, old = site.with_name("html.new"), site.with_name("html.old")
    for path in (fresh, old):
        shutil.rmtree(path, ignore_errors=True)
    shutil.copytree(built, fresh, ignore=shutil.ignore_patterns(".buildinfo", ".doctrees"))
    finish(fresh)
    if site.exists():
        site.rename(old)
    fresh.rename(site)
    shutil.rmtree(old, ignore_errors=True)


def build(root: Path = ROOT, work: Path = WORK, site: Path = SITE) -> int:
    """Build strictly (warnings are errors, references are checked); return the exit code."""
    started = time.monotonic()
    prepare(work, execution_key(root), page_key(root))
    # Two builds of the same commit are the same bytes, and "last updated" is its date.
    os.environ["SOURCE_DATE_EPOCH"] = last_change(root)
    draw_pictures(root, root / "_build" / "pictures", execution_key(root))
    execute_chapters(root, work / "_build" / ".jupyter_cache")
    code = subprocess.call(
        [Path(sys.executable).with_name("jupyter-book"), "build", str(root), "--path-output", str(work),
         "-W", "-n", "--keep-going", "-q"])
    if code:
        print(f"\nThe book was not built; what is wrong stands above. {site.relative_to(root)} is unchanged.",
              file=sys.stderr)
        return 1
    # Here, not above: `book/pdf.py --packages` reads this module before there is an environment.
    from page import add_cards
    from slim import slim

    publish(work / "_build" / "html", site,
            finish=lambda fresh: (add_cards(fresh), slim(fresh), add_extras(root, work, fresh)))
    (work / "unfinished").unlink()
    print(f"Built in {time.monotonic() - started:.0f} s. Open {site.relative_to(root) / 'index.html'} "
          "or run `make serve`.")
    return 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clean", action="store_true", help="build from nothing")
    parser.add_argument("--execute", action="store_true", help="only run the chapters that are stale")
    arguments = parser.parse_args()
    if arguments.clean:
        shutil.rmtree(WORK, ignore_errors=True)
        shutil.rmtree(PICTURES, ignore_errors=True)
    try:
        if arguments.execute:
            prepare(SERVED, execution_key())
            draw_pictures(ROOT, PICTURES, execution_key())
            execute_chapters(ROOT, SERVED / "_build" / ".jupyter_cache")
        else:
            sys.exit(build())
    except KeyboardInterrupt:
        sys.exit("\nInterrupted. The site that was there is unchanged; run the same command to go on.")
