"""Build the site: execute what is stale, check strictly, publish whole or not at all.

    python -m book.steps.build            build into _build/work, then put _build/html in place
    python -m book.steps.build --clean    the same from nothing
    python -m book.steps.build --slides   only the slides, into _build/slides

After any edit the site is what a build from nothing would make: a page is read again if its text, or
anything that pages are read with, has changed, and every page is written again, since menus, numbers
and titles are quoted from page to page. If nothing has changed, nothing is done.
"""

import argparse
import os
import shutil
import sys
import time
import traceback
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from book.software import write_software
from book.steps import classroom, notebooks, slides, wheel
from book.steps.finish import finish_pages, show_page
from book.steps.policy import write_policy
from book.workspace import (BUILT, DECK, PAGES, PDFS, PICTURES, ROOT, SITE, SITE_KEY, WORK, chapters, course_notebooks,
                            execute, pdf_key, prepare, read_pages, run_sphinx, site_key, turn)


def add_extras(site: Path) -> None:
    """Put beside the chapters what is made from the same sources.

    The list of software, slides, notebooks to run at home and for a class, the helper package, and the PDFs if they are of these sources.
    """
    os.environ["SOURCE_DATE_EPOCH"] = wheel.ZIPS_BEGIN  # Python 3.14 dates what it packs by it; figures have 1970
    notebooks.quoted()  # all that ran is looked at
    write_software(site)
    if DECK.exists():
        slides.write_deck(site / "slides", book="../")
        downloads = site / "downloads"
        downloads.mkdir(exist_ok=True)
        notebooks.pack(downloads / "multilevel-notebooks.zip")
        classroom.pack(downloads / "multilevel-class.zip", downloads / "multilevel-instructors.zip")
        wheel.pack(downloads)
        add_pdfs(downloads)


def add_pdfs(folder: Path) -> None:
    """Copy the PDFs that are made from these sources."""
    for path in PDFS.glob("multilevel-*.pdf"):
        if path.with_suffix(".key").read_text() == pdf_key():
            folder.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, folder / path.name)


def publish(built: Path, site: Path) -> None:
    """Put a site in place: the old one is there until the new one is whole.

    A web server may read it, whoever built it and with whatever umask.
    """
    for path in [built, *built.rglob("*")]:
        path.chmod(path.stat().st_mode | (0o555 if path.is_dir() else 0o444))
    old = site.with_name("html.old")
    shutil.rmtree(old, ignore_errors=True)
    if site.exists():
        site.rename(old)
    built.rename(site)
    shutil.rmtree(old, ignore_errors=True)


def build() -> None:
    """Build strictly: warnings are errors, references are checked."""
    started = time.monotonic()
    key = site_key()  # before the work: what is edited meanwhile is for the next build
    if (SITE / "index.html").exists() and SITE_KEY.exists() and SITE_KEY.read_text() == key:
        print(f"Nothing has changed: {SITE.relative_to(ROOT)} is as it should be.")
        return
    prepare()
    execute(course_notebooks())
    fresh = SITE.with_name("html.new")
    for folder in (PAGES, fresh):  # pages that no longer exist among them
        shutil.rmtree(folder, ignore_errors=True)
    fresh.mkdir()
    with ProcessPoolExecutor(1) as beside, read_pages() as doctrees:
        extras = beside.submit(add_extras, fresh)
        if not run_sphinx("html", PAGES, doctrees):
            sys.exit(f"\nThe book was not built; what is wrong stands above. {SITE.relative_to(ROOT)} is unchanged.")
        extras.result()
    shutil.copytree(PAGES, fresh, ignore=shutil.ignore_patterns(".buildinfo", ".doctrees"), dirs_exist_ok=True)
    finish_pages(fresh)
    write_policy(fresh)
    SITE_KEY.unlink(missing_ok=True)  # it is never that of another site, even if all ends here
    publish(fresh, SITE)
    SITE_KEY.write_text(key)
    print(f"Built in {time.monotonic() - started:.0f} s. Open {SITE.relative_to(ROOT) / 'index.html'} or run `make serve`.")


def show(names: list[str]) -> None:
    """Show edited pages at once, on the site that is there; the build that follows makes all of it anew."""
    texts = [ROOT / f"{name}.md" for name in names]
    with turn():
        prepare()
        execute([path for path in chapters() if path in texts])
        with read_pages() as doctrees:
            if not run_sphinx("html", PAGES, doctrees, only=texts):
                sys.exit(1)
        SITE_KEY.unlink(missing_ok=True)  # from here on it is the site of no sources
        for name in names:
            show_page(f"{name}.html", PAGES, SITE)
    SITE_KEY.write_text("")  # `make serve` looks at it


def build_slides() -> None:
    """Make the deck by itself; `build` puts one beside the chapters."""
    prepare()
    execute([DECK])
    folder = BUILT / "slides"
    number = slides.write_deck(folder)
    print(f"{number} slides. Open {folder.relative_to(ROOT) / 'index.html'}; for a PDF, add ?print-pdf and print.")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clean", action="store_true", help="build from nothing")
    parser.add_argument("--slides", action="store_true", help="build only the slides")
    arguments = parser.parse_args()
    try:
        with turn():
            if arguments.clean:
                shutil.rmtree(WORK, ignore_errors=True)
                shutil.rmtree(PICTURES, ignore_errors=True)
                SITE_KEY.unlink(missing_ok=True)
            build_slides() if arguments.slides else build()
    except KeyboardInterrupt:
        sys.exit("\nInterrupted. The site that was there is unchanged; run the same command to go on.")
    except Exception:
        traceback.print_exc()
        sys.exit(f"\nThe build broke down; {SITE.relative_to(ROOT)} is unchanged. If the last line above names nothing that you can mend,"
                 " what was kept of earlier builds may be damaged: `make strict` builds from nothing.")


if __name__ == "__main__":
    main()
