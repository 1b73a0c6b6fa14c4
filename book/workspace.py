"""What every step of a build stands on: paths, keys of what is stale, a turn to build, running notebooks.

Stock Jupyter Book's cache looks at a chapter's code alone, not at the helper package, the data or the
library versions; Sphinx looks at time stamps, and at a page's own source. Here contents decide: outputs
belong to an `execution_key`, and read pages to the digests of their sources.
"""

import calendar
import gc
import hashlib
import json
import logging
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import yaml
from jupyter_book.config import get_final_config
from jupyter_cache import get_cache
from jupyter_cache.base import JupyterCacheAbstract
from jupyter_cache.cache.db import NbProjectRecord
from jupyter_cache.executors import load_executor
from sphinx.application import Sphinx
from sphinx.util.docutils import docutils_namespace, patch_docutils
from sqlalchemy.exc import DatabaseError

try:
    import fcntl
except ImportError:  # Windows, where `make` refuses and `jupyter-book build .` needs no turn
    fcntl = None

ROOT = Path(__file__).resolve().parent.parent
BUILT = ROOT / "_build"
SITE = BUILT / "html"
SITE_KEY = BUILT / "site-key"  # of the site that is published
WORK = BUILT / "work"
PAGES = WORK / "_build" / "html"  # as Sphinx writes them
PAGE_KEYS = WORK / "page-keys.json"
CACHE = WORK / "_build" / ".jupyter_cache"
PICTURES = BUILT / "pictures"
PDFS = BUILT / "pdf"
FRONT = ROOT / "book" / "front"
DECK = ROOT / "slides" / "deck.md"
WHEEL = "mlm_course-{}-py3-none-any.whl".format(yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))["version"])
CONFIG = yaml.safe_load((ROOT / "_config.yml").read_text("utf-8"))  # what a fork changes: the course's name, its repository
CHROMIUM = next(filter(None, map(shutil.which, ["chromium", "chromium-browser", "google-chrome"])), None)
PROFILE = "get_config().IPKernelApp.log_level = 40; from ipykernel.iostream import OutStream; OutStream.flush_interval = 3600"  # of the kernels
NOTEBOOKS_BRANCH = "notebooks"  # of the repository: the chapters as notebooks, for Colab, which opens nothing else


# ------------------------------------------------------------------ what has changed

def files(*paths: Path) -> list[Path]:
    """The files below the paths, without what tools leave there, and editors while they are open."""
    found = {path for path in paths if path.is_file()}
    for path in paths:
        for folder, folders, names in os.walk(path):
            folders[:] = set(folders) - {"__pycache__", "node_modules", ".ipynb_checkpoints"}  # thousands of files
            found.update(Path(folder, name) for name in names if not (name.startswith((".", "#")) or name.endswith("~")))
    return sorted(found)


def digest(paths: Iterable[Path]) -> str:
    """Hash of the names and contents of files."""
    whole = hashlib.sha256()
    for path in paths:
        whole.update(path.relative_to(ROOT).as_posix().encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return whole.hexdigest()


def execution_key() -> str:
    """Hash of everything, but a chapter's own code, that its outputs depend on."""
    return sys.version + PROFILE + digest([*files(ROOT / "chapters/mlm"), *sorted((ROOT / "data").glob("[!.]*.csv")), ROOT / "requirements.lock"])


def texts() -> list[Path]:
    """The texts of the pages, but for the home page's."""
    return sorted((ROOT / "chapters").glob("[!.]*.md"))


def page_keys() -> dict[str, str]:
    """Digest of each text that Sphinx reads, by its name; under "" that of all else that pages are read with."""
    return {path.relative_to(ROOT).with_suffix("").as_posix(): digest([path]) for path in [ROOT / "index.md", *texts()]} | {
        "": execution_key() + digest(files(ROOT / "book", ROOT / "chapters/r", ROOT / "chapters/bambi", *(
            ROOT / name for name in ("_config.yml", "_toc.yml", "references.bib", "CITATION.cff", "data/README.md"))))}


def pdf_key() -> str:
    """Hash of all that the PDFs are made from."""
    return execution_key() + last_change() + digest(files(*(ROOT / name for name in (
        "book", "chapters", "slides", "index.md", "_config.yml", "_toc.yml", "references.bib", "CITATION.cff", "data/README.md"))))


def site_key() -> str:
    """Hash of all that the site is made from."""
    return pdf_key() + digest(files(ROOT / "data", ROOT / "binder/requirements.txt", ROOT / "pyproject.toml",
                                    ROOT / "LICENSE", ROOT / "LICENSE-TEXT", *PDFS.glob("*.pdf")))


def last_change() -> str:
    """Time of the last commit; of the release, at midnight, where the course is not a git checkout."""
    git = subprocess.run(["git", "-C", ROOT, "log", "-1", "--format=%ct"], capture_output=True, text=True)
    released = date.fromisoformat(yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))["date-released"])
    return git.stdout.strip() or str(calendar.timegm(released.timetuple()))


def prepare() -> None:
    """Remove the outputs of chapters that are no longer those of the helper package, the data or the libraries."""
    kept, key = WORK / "execution-key", execution_key()
    if kept.exists() and kept.read_text() != key:
        print("The helper package, the data or a library has changed: every chapter runs again.")
        shutil.rmtree(WORK)
    WORK.mkdir(parents=True, exist_ok=True)
    kept.write_text(key)


@contextmanager
def read_pages() -> Iterator[Path]:
    """Where Sphinx keeps the pages that it has read, without those that are to be read again.

    What it reads counts only if the build comes to its end: after a fault, warnings are to be reported again.
    """
    doctrees = WORK / "_build" / ".doctrees"
    kept, keys = json.loads(PAGE_KEYS.read_text()) if PAGE_KEYS.exists() else {}, page_keys()
    PAGE_KEYS.unlink(missing_ok=True)
    if kept.get("") != keys[""]:
        shutil.rmtree(doctrees, ignore_errors=True)
    for name in keys:
        if kept.get(name) != keys[name]:  # also one with an older time stamp, which Sphinx would pass over
            (doctrees / f"{name}.doctree").unlink(missing_ok=True)
    yield doctrees
    PAGE_KEYS.write_text(json.dumps(keys))


def end_with_parent() -> None:
    """End a process when the one that started it was killed: no chapter that is left is run, no port is kept."""
    def watch(parent: int) -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    try:
        # A pool ends its processes by this signal, once. As the interrupt that the build makes of it, it
        # would be lost here: Python passes over what is raised right after a fork.
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        threading.Thread(target=watch, args=[os.getppid()], daemon=True).start()
    except KeyboardInterrupt:
        os._exit(1)


@contextmanager
def turn() -> Iterator[None]:
    """Build alone: of two builds of one folder the second waits for the first.

    Processes that run chapters hold the lock too, so they must not outlive the build.
    """
    BUILT.mkdir(exist_ok=True)
    if sys.platform == "linux":  # elsewhere they are started afresh and hold nothing
        multiprocessing.set_start_method("fork", force=True)
        os.register_at_fork(after_in_child=end_with_parent)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with (BUILT / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("Waiting for another build of this folder to finish ...", flush=True)
            fcntl.flock(lock, fcntl.LOCK_EX)
        except OSError:  # a network disk that knows no locks
            pass
        yield


def copy_parts(parts: dict[Path, str], folder: Path) -> None:
    """Copy files and folders of fonts into a folder; of fonts woff2 alone, which KaTeX lists first and every browser since 2018 reads."""
    for source, target in parts.items():
        if source.is_dir():
            shutil.copytree(source, folder / target, dirs_exist_ok=True,
                            ignore=lambda _, names: [name for name in names if not name.endswith(".woff2")])
        else:
            (folder / target).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, folder / target)


# ----------------------------------------------------------------- running notebooks

def chapters() -> list[Path]:
    """The chapters that hold code."""
    return [path for path in texts() if "{code-cell}" in path.read_text("utf-8")]


def course_notebooks() -> list[Path]:
    """All that is run: the chapters with code, and the deck of slides."""
    return chapters() + [DECK] * DECK.exists()


def use_plain_kernels(folder: Path) -> None:
    """Give the kernels a profile of their own.

    The user's own profile could change outputs, and by default each kernel warns that it
    talks to this machine's loopback without encryption. What a cell prints is sent when it ends: sent
    five times a second, a line would be cut where the kernel happens to pause, and the page with it.
    """
    profile = folder / "profile_default"
    profile.mkdir(parents=True, exist_ok=True)
    (profile / "ipython_kernel_config.py").write_text(PROFILE)
    os.environ["IPYTHONDIR"] = str(folder)
    os.environ["JUPYTER_PREFER_ENV_PATH"] = "1"  # the kernel of this environment, not the user's
    # One chapter runs on each core already: more threads of linear algebra only get in each other's way.
    os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"))
    # Figures name the day on which they were drawn: one for all, since outputs are kept from commit to commit.
    os.environ["SOURCE_DATE_EPOCH"] = "0"


def execute(paths: list[Path]) -> None:
    """Run the notebooks whose code has changed, one on each core.

    Sphinx runs chapters that failed here once more and reports them with the cell.
    """
    logger = logging.getLogger("chapters")
    logger.setLevel(logging.INFO)  # a line when a chapter starts and when it is done
    use_plain_kernels(CACHE.with_name("ipython"))
    try:
        forget_moved(get_cache(CACHE))
    except DatabaseError:
        print("The cache of the chapters' outputs is damaged: every chapter runs again.")
        shutil.rmtree(CACHE)
    kept = CACHE / "ran.json"  # what texts need not be looked at again
    ran = json.loads(kept.read_text()) if kept.exists() else {}
    texts = {str(path): digest([path]) for path in paths}
    changed = [path for path in texts if ran.get(path) != texts[path]]
    cache = get_cache(CACHE)
    for path in changed:
        cache.add_nb_to_project(path, read_data={"name": "myst_nb_md", "type": "plugin"})
    stale = cache.list_unexecuted(filter_uris=changed)
    if stale:
        print(f"Running {len(stale)} chapters: {', '.join(sorted(Path(r.uri).stem for r in stale))}", flush=True)
        run(stale, cache, logger)
    failed = {record.uri for record in cache.list_unexecuted(filter_uris=changed)} if stale else set()
    kept.write_text(json.dumps(ran | {path: texts[path] for path in changed if path not in failed}))


def run(records: list[NbProjectRecord], cache: JupyterCacheAbstract, logger: logging.Logger) -> None:
    """Run notebooks and keep their outputs; once more what came to no end by no fault of its own.

    Such is one whose kernel found its port taken, or whose outputs were lost as another one ended: the cache
    counts its records and then removes those that it did not count.
    """
    settings = {"timeout": CONFIG["execute"]["timeout"]}
    # Of chapters with the same code one runs, for all: two would write the same place of the cache at once.
    codes = {cache.create_hashed_notebook(cache.get_project_notebook(record.pk).nb)[1]: record.pk for record in records}
    ran = load_executor("local-parallel", cache=cache, logger=logger).run_and_cache(filter_pks=list(codes.values()), **settings)
    if not (CACHE / "global.db").exists():
        sys.exit("_build/work was removed while the chapters ran. _build/html is unchanged; run the same command again.")
    lost = {record.uri for record in cache.list_unexecuted(filter_pks=list(codes.values()))} - set(ran.excepted)
    if lost:
        load_executor("local-serial", cache=cache, logger=logger).run_and_cache(filter_uris=list(lost), **settings)


def forget_moved(cache: JupyterCacheAbstract) -> None:
    """Drop the cache's records of chapters that have been renamed or removed, and of where the folder was before."""
    for record in cache.list_project_records():
        if Path(record.uri) not in course_notebooks():
            cache.remove_nb_from_project(record.pk)


def draw_pictures() -> None:
    """Draw the home page's picture and the card for shared links, if they are not there yet."""
    kept, key = PICTURES / "key", execution_key() + digest([ROOT / "book/steps/pictures.py", ROOT / "_config.yml"])
    if not kept.exists() or kept.read_text() != key:
        subprocess.run([sys.executable, "-m", "book.steps.pictures"], cwd=ROOT, check=True)
        kept.write_text(key)


# ------------------------------------------------------------------------- Sphinx

def run_sphinx(builder: str, out: Path, doctrees: Path, only: list[Path] | None = None, **settings) -> bool:
    """Let Sphinx write every page anew, or `only` some, strictly; whether it had nothing to complain of.

    Not by `jupyter-book build`: that writes only pages whose own text has changed, so that menus and
    numbers quoted from other pages would be old, and it breaks down over a second LaTeX document.
    """
    found, _ = get_final_config(user_yaml=ROOT / "_config.yml", sourcedir=ROOT, cli_config={"latex_individualpages": False})
    extensions = [*found["extensions"], *settings.pop("extensions", [])]
    # Two builds of the same commit are the same bytes, and "last updated" is its date.
    os.environ["SOURCE_DATE_EPOCH"] = last_change()
    settings = found | settings | {"extensions": extensions, "nb_execution_cache_path": str(CACHE), "nitpicky": True}
    gc.set_threshold(1_000_000)  # to look for circles among millions of living nodes takes a third of Sphinx's time, and finds few
    with patch_docutils(), docutils_namespace():
        app = Sphinx(ROOT, None, out, doctrees, builder, confoverrides=settings, status=None, warningiserror=True, keep_going=True)
        # The search has texts of its own: book/steps/search.py.
        app.builder.index_page = app.builder.dump_search_index = app.builder.load_indexer = lambda *page: None
        if only:  # the index and the like are made with the whole
            app.builder.finish = app.builder.copy_image_files
        app.build(force_all=only is None, filenames=only and list(map(str, only)))
    gc.freeze()  # what Sphinx leaves is not looked through when the process ends, either
    return app.statuscode == 0
