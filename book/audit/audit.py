"""Measure every page of the built site, beside a stock Jupyter Book of the same chapters.

    python -m book.audit.audit                all pages, both books
    python -m book.audit.audit chapters/why   only these pages
    --no-stock, --no-lighthouse               leave out what takes longest
    --runs 5                                  Lighthouse's medians of so many runs

Prints one table and writes it to _build/audit/pages.csv. Bytes are those transferred with gzip and
a cold cache; axe-core looks at each page light and dark, at 1280 and at 390 px, with all folds open; a fault of
side bars and the like, which are the same on each page, may count for the first page alone. Lighthouse plays a slow phone. Timings vary with the machine; the rest doesn't.
"""

import argparse
import contextlib
import csv
import json
import math
import os
import re
import shlex
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import Browser, TimeoutError, sync_playwright

from book.audit.serving import served
from book.workspace import BUILT, CHROMIUM, FRONT, ROOT, SITE

AUDIT = Path(__file__).resolve().parent
AXE = FRONT / "node_modules/axe-core/axe.min.js"
OUT = BUILT / "audit"
KB = 1000
BUDGET = {"without figures": 200, "with figures opened": 650}  # KB, from the first byte to the last
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--no-first-run"]
# Without a network the stock book's requests to other hosts would be waited for; with this they fail at once.
CUT_OFF = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"
# Colours fade in and side bars slide; what watches for a change of width hears of it a frame later.
SETTLED = """async () => {
    await Promise.allSettled(document.getAnimations().map(animation => animation.finished));
    for (let frame = 0; frame < 3; frame++) await new Promise(requestAnimationFrame);
}"""
# Keeps how each part of a page looks, as far as a rule on colors may ask for it, in a view that is judged whole. In
# another view: the parts that look otherwise there, each described by its look and its place among kinds of parts.
LOOKS = """([theme, whole]) => {
    const looks = new Map([...document.querySelectorAll("body *")].map(part => {
        const style = getComputedStyle(part);
        const large = parseFloat(style.fontSize) >= (style.fontWeight >= 700 ? 18.66 : 24);  // WCAG: contrast of 3 to 1 suffices
        return [part, part.checkVisibility({visibilityProperty: true}) && [style.color, style.backgroundColor, style.backgroundImage,
            style.opacity, style.textShadow, large, style.textDecorationLine, style.borderBottom].join()];
    }));
    window.looks ??= {};
    if (whole) window.looks[theme] = looks;
    const seen = window.looks[theme], kind = part => part === document.body ? "" : `${kind(part.parentElement)} ${part.tagName}.${part.getAttribute("class")}`;
    window.others = [...looks].filter(([part, look]) => look && look !== seen.get(part)).map(([part]) => part);
    return window.others.map(part => kind(part) + looks.get(part));
}"""
# Axe's rules on room and colors; the others judge markup alone.
SEEN = ["color-contrast", "link-in-text-block", "scrollable-region-focusable", "target-size"]
NARROW = 360  # pixels, of the smallest phones


def online() -> bool:
    """Whether the host can be reached from which stock books take MathJax."""
    try:
        socket.create_connection(("cdn.jsdelivr.net", 443), timeout=5).close()
    except OSError:
        return False
    return True


def page_names(site: Path) -> list[str]:
    """All pages of a built book, but for Sphinx's index."""
    names = [path.relative_to(site).with_suffix("").as_posix() for path in sorted(site.rglob("*.html"))
             if "_static" not in path.relative_to(site).parts]
    return [name for name in names if name not in ("genindex", "404")]


def settle(page) -> None:
    """Wait until the network is quiet. A stock page with plotly figures, cut off from RequireJS' host, never is."""
    with contextlib.suppress(TimeoutError):
        page.wait_for_load_state("networkidle", timeout=10000)


@contextlib.contextmanager
def opened(browser: Browser, address: str, name: str, width: int):
    """A page in a fresh, cold context; yields it with what it transferred, said and asked of others."""
    with browser.new_context(viewport={"width": width, "height": 800}, color_scheme="light") as context:  # closed after a fault, too
        page = context.new_page()
        seen = {"bytes": 0, "console": [], "foreign": []}
        network = context.new_cdp_session(page)
        network.send("Network.enable")
        network.on("Network.loadingFinished", lambda event: seen.update(bytes=seen["bytes"] + event["encodedDataLength"]))
        page.on("console", lambda message: seen["console"].append(message.text) if message.type in ("error", "warning") else 0)
        page.on("pageerror", lambda error: seen["console"].append(str(error)))
        page.on("request", lambda request: 0 if request.url.startswith((address, "data:", "blob:"))
                else seen["foreign"].append(request.url))
        page.goto(address + name + ".html", wait_until="load")
        settle(page)
        yield page, seen


def open_figures(page) -> int:
    """Bring every figure of a page into view and wait until it is there."""
    page.evaluate("document.querySelectorAll('img').forEach(picture => picture.loading = 'eager')")
    figures = page.locator(".plotly-figure")
    for number in range(figures.count()):
        figures.nth(number).scroll_into_view_if_needed()
        page.wait_for_selector(f":nth-match(.plotly-figure, {number + 1}) .main-svg", timeout=20000)
    # A network once quiet counts as quiet. `wait_for_function` asks again by eval, which the site's policy refuses.
    page.evaluate("""Promise.all([...document.images].filter(picture => !picture.complete)
        .map(picture => new Promise(done => ["load", "error"].forEach(kind => picture.addEventListener(kind, done)))))""")
    return figures.count()


def weigh(page, seen: dict) -> dict:
    """Bytes at first and with all figures opened, console, requests to other hosts, sideways scrolling, of a page just opened."""
    first, width = seen["bytes"], page.viewport_size["width"]
    figures = open_figures(page)
    wide = page.evaluate("document.documentElement.scrollWidth") > width
    return {"first KB": round(first / KB), "all KB": round(seen["bytes"] / KB), "figures": figures,
            "console": len(seen["console"]), "foreign": len(set(seen["foreign"])), f"scrolls at {NARROW}": int(wide)}


def faults(page, parts: str = "document", rules: list[str] | None = None) -> list[str]:
    """The rules of axe-core, or of those that are named, that a page breaks as it is shown, each with the first element that breaks it."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE.read_text("utf-8"))
    options = {"resultTypes": ["violations"]} | ({"runOnly": rules} if rules else {})
    found = page.evaluate(f"axe.run({parts}, {json.dumps(options)})")["violations"]
    return [f"{rule['id']} ({len(rule['nodes'])}): {rule['nodes'][0]['target'][0]}" for rule in found]


def violations(page, judged: set) -> list[str]:
    """The faults of an opened page, light and dark, wide and narrow, with all folds and answers open.

    A rule judges markup, which is the same in each view, room, which follows the width, or colors,
    which follow the theme. So one view is judged by all rules and a second, of the other theme and
    width, by those of room and colors. Of the others is judged what looks otherwise there than in the
    view of the same theme: mostly side bars and their buttons, and one of each kind on all pages.

    Parameters
    ----------
    page : playwright.sync_api.Page
    judged : set
        What was judged of other pages by itself; this page's is added.
    """
    # Folds of one name, the answers of a question, would close each other.
    page.evaluate("document.querySelectorAll('details').forEach(fold => {fold.removeAttribute('name'); fold.open = true})")
    broken = []
    for theme, width, whole, rules in [("light", 1280, True, None), ("light", 390, False, None),
                                       ("dark", 390, True, SEEN), ("dark", 1280, False, None)]:
        page.emulate_media(color_scheme=theme)
        page.set_viewport_size({"width": width, "height": 800})
        page.wait_for_timeout(300)
        page.evaluate(SETTLED)
        looks = page.evaluate(LOOKS, [theme, whole])
        kinds = {(theme, width, look): number for number, look in enumerate(looks)}
        new = [number for kind, number in kinds.items() if kind not in judged]
        judged |= {*kinds}
        if whole or new:
            parts = "document" if whole else f"{{include: {new}.map(number => others[number])}}"
            broken += [f"{theme} {width}: {fault}" for fault in faults(page, parts, rules)]
    return broken


def lighthouse(address: str, name: str) -> dict:
    """Lighthouse's four scores and four timings, on its slow phone."""
    with tempfile.NamedTemporaryFile(suffix=".json") as report:
        subprocess.run([AUDIT / "node_modules/.bin/lighthouse", f"{address}{name}.html", "--quiet", "--output=json",
                        f"--output-path={report.name}", "--chrome-flags=" + shlex.join(["--headless=new", *FLAGS])],
                       env={**os.environ, "CHROME_PATH": CHROMIUM}, check=True, stderr=subprocess.DEVNULL)
        result = json.load(open(report.name))
    scores = {short: result["categories"][key]["score"] for short, key in
              [("perf", "performance"), ("a11y", "accessibility"), ("best", "best-practices"), ("seo", "seo")]}
    return scores | {short: result["audits"][key].get("numericValue", math.nan) / unit for short, key, unit in
                     [("FCP s", "first-contentful-paint", 1000), ("LCP s", "largest-contentful-paint", 1000),
                      ("TBT s", "total-blocking-time", 1000), ("CLS", "cumulative-layout-shift", 1)]}


def medians(rows: list[dict]) -> dict:
    """The median of each number of several runs, and the least and the greatest of the first; of what Lighthouse could judge."""
    told = {key: [row[key] for row in rows if row[key] is not None] or [math.nan] for key in rows[0]}
    return {key: round(statistics.median(values), 3) for key, values in told.items()} | {"perf range": f"{min(told['perf'])} to {max(told['perf'])}"}


def build_stock(folder: Path) -> Path:
    """Build the same chapters as a Jupyter Book of stock settings; return its pages."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(ROOT / "chapters", folder / "chapters", ignore=shutil.ignore_patterns("__pycache__", "_build", "*.ipynb"))
    shutil.copytree(ROOT / "data", folder / "data")
    for name in ("index.md", "references.bib", "_toc.yml", "requirements.lock"):
        shutil.copy(ROOT / name, folder / name)
    # What the syntax of the chapters needs, and nothing else.
    (folder / "_config.yml").write_text(
        "title: Stock Jupyter Book\nauthor: nobody\nonly_build_toc_files: true\nexecute: {execute_notebooks: cache, timeout: 300}\n"
        "parse:\n  myst_enable_extensions: [colon_fence, dollarmath]\n"
        "bibtex_bibfiles: [references.bib]\nsphinx:\n  extra_extensions: [sphinx_exercise]\n"
        "  config: {html_theme_options: {}}\n", "utf-8")
    notebook = folder / "chapters/mlm/notebook.py"
    code = notebook.read_text("utf-8")
    # Figures as plotly itself shows them in a notebook.
    notebook.write_text(re.sub(r'(?m)^def show\(figure, alt.*\):', 'def show(figure, alt="", **_):\n    figure.show("notebook")\n\n\n'
                               'def _course_show(figure, alt="", **_):', code), "utf-8")
    done = subprocess.run([Path(sys.executable).with_name("jupyter-book"), "build", str(folder), "-q"],
                          capture_output=True, text=True)
    site = folder / "_build/html"
    if not (site / "index.html").exists():
        raise RuntimeError("The stock book could not be built:\n" + done.stdout[-2000:] + done.stderr[-2000:])
    return site


def audit(browser: Browser, book: str, site: Path, names: list[str], runs: int) -> Iterator[dict]:
    """One row a page."""
    judged = set()
    with served(site) as address:
        for name in names:
            with opened(browser, address, name, NARROW) as (page, seen):
                row = {"book": book, "page": name} | weigh(page, seen)
                rules = violations(page, judged)
            row["axe"] = len({rule.split(": ")[1].split(" ")[0] for rule in rules})
            if runs:
                row |= medians([lighthouse(address, name) for _ in range(runs)])
            print("  ".join(f"{key} {value}" for key, value in row.items() if key != "book"), flush=True)
            if book == "course":
                for rule in rules:
                    print("    axe", rule)
            yield row | {"axe rules": " | ".join(sorted(set(rules)))}


def measure(browser: Browser, arguments: argparse.Namespace) -> Iterator[dict]:
    """The rows of the course and, unless left out, of the stock book."""
    runs = 0 if arguments.no_lighthouse else arguments.runs
    print("The course's pages", flush=True)
    yield from audit(browser, "course", SITE, arguments.pages or page_names(SITE), runs)
    if not arguments.no_stock:
        print("\nA stock Jupyter Book of the same chapters", flush=True)
        stock = build_stock(OUT / "stock")
        names = [name for name in arguments.pages or page_names(stock) if (stock / f"{name}.html").exists()]
        yield from audit(browser, "stock", stock, names, runs)


def over_budget(row: dict) -> list[str]:
    """In what a page of the course breaks its budget; timings are judged by the reader of the table."""
    size = row["all KB"], BUDGET["with figures opened" if row["figures"] else "without figures"]
    return ([f"{size[0]} KB of {size[1]}"] if size[0] > size[1] else []) + [
        f"{key}: {row[key]}" for key in ("console", "foreign", f"scrolls at {NARROW}", "axe") if row[key]]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pages", nargs="*")
    parser.add_argument("--no-stock", action="store_true")
    parser.add_argument("--no-lighthouse", action="store_true")
    parser.add_argument("--runs", type=int, default=1)
    arguments = parser.parse_args()
    if not CHROMIUM:
        sys.exit("The audit needs Chromium (Debian: apt-get install chromium).")
    if not online():
        FLAGS.append(CUT_OFF)
        print("Other hosts can't be reached: the stock book's bytes and seconds are without MathJax and the like, "
              "and its console counts what failed.")
    rows = []
    OUT.mkdir(parents=True, exist_ok=True)
    columns = ["book", "page", "first KB", "all KB", "figures", "console", "foreign", f"scrolls at {NARROW}", "axe",
               "perf", "perf range", "a11y", "best", "seo", "FCP s", "LCP s", "TBT s", "CLS", "axe rules"]
    with open(OUT / "pages.csv", "w", newline="", buffering=1) as file, sync_playwright() as playwright:
        table = csv.DictWriter(file, columns)
        table.writeheader()
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        for row in measure(browser, arguments):
            rows.append(row)
            table.writerow(row)
        browser.close()
    broken = {row["page"]: over_budget(row) for row in rows if row["book"] == "course" and over_budget(row)}
    for name, what in broken.items():
        print(f"Over budget: {name}: {', '.join(what)}")
    print(f"{len(rows)} rows in {(OUT / 'pages.csv').relative_to(ROOT)}")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
