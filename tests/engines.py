"""Use the built site in Firefox and in WebKit as readers do: keys, pointer, search, slides, a phone's drawer.

    python tests/engines.py [firefox|webkit] [part ...]

`make engines` prints a line for each part in each engine. Both browsers are Debian's own and are driven by the commands of
the W3C's WebDriver: Firefox by its Marionette (Debian has no geckodriver, without which Selenium can't), WebKit by WebKitWebDriver.
"""

import contextlib
import http.client
import itertools
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from book.audit.serving import served  # noqa: E402

SITE = ROOT / "_build/html"
FIREFOX = shutil.which("firefox-esr") or shutil.which("firefox")
MINI_BROWSER = next(map(str, Path("/usr/lib").glob("*/webkit2gtk-4.*/MiniBrowser")), None)
QUIET = {"marionette.port": 0, "datareporting.policy.dataSubmissionEnabled": False, "app.update.disabledForTesting": True,
         "network.captive-portal-service.enabled": False, "network.connectivity-service.enabled": False}


@contextlib.contextmanager
def running(*command, **settings):
    """A program and all that it starts, until the block ends."""
    program = subprocess.Popen(command, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **settings)
    try:
        yield program
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(program.pid, signal.SIGTERM)
        program.wait(20)


def wait(attempt, seconds=30):
    """What `attempt` returns as soon as that is something and no connection is refused."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with contextlib.suppress(OSError):
            if found := attempt():
                return found
        time.sleep(.1)
    raise TimeoutError(attempt)


@contextlib.contextmanager
def firefox(folder: Path):
    """A function that sends a command of WebDriver to Firefox."""
    (folder / "user.js").write_text("".join(f"user_pref({json.dumps(name)}, {json.dumps(value)});\n" for name, value in QUIET.items()))
    with running(FIREFOX, "--headless", "--marionette", "--no-remote", "--profile", folder, env=os.environ | {"HOME": str(folder)}):
        port = wait(lambda: (folder / "MarionetteActivePort").exists() and (folder / "MarionetteActivePort").read_text())
        with wait(lambda: socket.create_connection(("127.0.0.1", int(port)))) as connection, connection.makefile("rb") as answers:
            def answer():
                return json.loads(answers.read(int(b"".join(iter(lambda: answers.read(1), b":")))))

            def send(name, **parameters):
                message = json.dumps([0, 1, f"WebDriver:{name}", parameters]).encode()
                connection.sendall(b"%d:%s" % (len(message), message))
                *_, error, result = answer()
                if error:
                    raise RuntimeError(f"{name}: {error['message']}")
                return result.get("value")

            answer()  # its greeting
            send("NewSession")
            yield send


@contextlib.contextmanager
def webkit(folder: Path):
    """A function that sends a command of WebDriver to WebKit."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with running("xvfb-run", "-a", "-s", "-screen 0 1600x1200x24", "WebKitWebDriver", f"--port={port}", env=os.environ | {"HOME": str(folder)}):
        def ask(method, path, parameters):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
            connection.request(method, path, json.dumps(parameters), {"Content-Type": "application/json"})
            value = json.loads(connection.getresponse().read())["value"]
            if isinstance(value, dict) and "error" in value:
                raise RuntimeError(f"{path}: {value['error']}: {value['message']}")
            return value

        wait(lambda: ask("GET", "/status", None))
        options = {"binary": MINI_BROWSER, "args": ["--automation"]}
        session = ask("POST", "/session", {"capabilities": {"alwaysMatch": {"webkitgtk:browserOptions": options}}})["sessionId"]
        paths = {"Navigate": "url", "ExecuteAsyncScript": "execute/async", "PerformActions": "actions", "SetWindowRect": "window/rect"}
        yield lambda name, **parameters: ask("POST", f"/session/{session}/{paths[name]}", parameters)
        ask("DELETE", f"/session/{session}", None)


ENGINES = {"firefox": firefox, "webkit": webkit}

# Before all scripts of a page: what goes wrong is kept, since WebKit's driver doesn't tell it.
LISTENER = """<script>window.heard = [];
for (const kind of ["error", "warn"]) { const say = console[kind]; console[kind] = (...words) => (heard.push(words.join(" ")), say.apply(console, words)); }
addEventListener("error", event => heard.push(event.message || "not loaded: " + (event.target.src || event.target.href)), true);
addEventListener("unhandledrejection", event => heard.push(String(event.reason)));</script>"""
KEYS = {"Tab": "\ue004", "Enter": "\ue007", "Home": "\ue011", "End": "\ue010", "ArrowLeft": "\ue012", "ArrowRight": "\ue014", "ArrowDown": "\ue015",
        "Space": " ", "Escape": "\ue00c"}
# Where a part can be pointed at: in the middle of its first line. WebKit gives parts of SVG no client rectangles and scrolls past them.
POINT = """const place = () => { const box = part.getClientRects()[0] ?? part.getBoundingClientRect(); return [Math.round(box.left + box.width / 2), Math.round(box.top + box.height / 2)]; };
    if (place()[1] < 100 || place()[1] > innerHeight - 100) (part.ownerSVGElement ?? part).scrollIntoView({block: "center", behavior: "instant"});
    await new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)));
    return place();"""


class Page:
    """A window of a browser, as `send` drives it."""

    def __init__(self, send):
        self.send = send

    def ask(self, body: str):
        """What an asynchronous function of this body returns in the page."""
        script = f"const done = arguments[0]; (async () => {{{body}}})().then(value => done([value]), fault => done([null, String(fault)]))"
        value, *fault = self.send("ExecuteAsyncScript", script=script, args=[])
        if fault:
            raise AssertionError(f"{fault[0]} in: {body[:80]}")
        return value

    def until(self, expression: str, seconds=20):
        """Wait until an expression is true."""
        try:
            wait(lambda: self.ask(f"return !!({expression})"), seconds)
        except TimeoutError:
            raise AssertionError(f"never came true: {expression}") from None

    def open(self, address: str, width=1280):
        self.send("SetWindowRect", width=width, height=900)
        self.send("Navigate", url=address)

    def press(self, *names: str):
        strokes = [{"type": kind, "value": KEYS.get(name, name)} for name in names for kind in ("keyDown", "keyUp")]
        self.send("PerformActions", actions=[{"type": "key", "id": "keys", "actions": strokes}])

    def point(self, selector: str, *buttons: str, kind="mouse"):
        """Go to the middle of a part, which a selector or an expression names; press and let go there too if told so."""
        what = selector if selector.startswith(("document.", "[...")) else f"[...document.querySelectorAll({json.dumps(selector)})].find(part => part.getBoundingClientRect().width)"
        x, y = self.ask(f"const part = {what};{POINT}")
        moves = [{"type": "pointerMove", "duration": 0, "x": x - 1, "y": y}, {"type": "pointerMove", "duration": 50, "x": x, "y": y}]
        moves += [{"type": f"pointer{button}", "button": 0} for button in buttons]
        self.send("PerformActions", actions=[{"type": "pointer", "id": kind, "parameters": {"pointerType": kind}, "actions": moves}])
        return x, y

    def drag(self, selector: str, kind: str, way=(-40, 25)):
        """Grab the middle of a part and let it go elsewhere: up, and a bit down again."""
        x, y = self.point(selector, "Down", kind=kind)
        moves = [{"type": "pointerMove", "duration": 100, "x": x, "y": y + step} for step in (way[0] // 2, way[0], sum(way))]
        self.send("PerformActions", actions=[{"type": "pointer", "id": kind, "parameters": {"pointerType": kind},
                                              "actions": [*moves, {"type": "pointerUp", "button": 0}]}])

    def click(self, selector: str):
        self.point(selector, "Down", "Up")


def changed(page: Page, expression: str, act) -> None:
    """An act changes what an expression says."""
    before = page.ask(f"return {expression}")
    act()
    page.until(f"({expression}) !== {json.dumps(before)}")


WORDS = "document.querySelector('.ex-status').textContent"
RANGES = "[...document.querySelectorAll('.ex-live input[type=range]')]"

# Pictures glide from one state to the next.
SETTLED = "for (let last; last !== (last = document.querySelector('.ex-live').innerHTML);) await new Promise(done => setTimeout(done, 300));"
# A school that no other covers, and not the one that is shown.
FREE_SCHOOL = """[...document.querySelectorAll("[data-grab]")].find(school => {
    const {left, top, width, height} = school.getBoundingClientRect();
    return school.dataset.grab !== document.querySelector(".ex-live select").value && document.elementFromPoint(left + width / 2, top + height / 2) === school;
})"""


def explorers(page: Page, root: str):
    """Each slider answers to keys, each button to the pointer, with a picture without NaN; choices and numbers too."""
    for name in EXPLORERS:
        page.open(f"{root}{name}.html")
        page.until(f"/\\w{{3}}/.test({WORDS})")
        for number in range(page.ask(f"return {RANGES}.length")):
            page.ask(f"{RANGES}[{number}].focus()")
            value = f"{RANGES}[{number}].getAttribute('aria-valuetext') + document.querySelector('.ex-live').innerHTML.length"
            page.press("Home")
            changed(page, value, lambda: page.press("End"))
        for number in range(page.ask("return document.querySelectorAll('.ex-live button.ex-button').length")):
            changed(page, "document.querySelector('.ex-live').innerHTML", lambda: page.click(f"document.querySelectorAll('.ex-live button.ex-button')[{number}]"))
        if page.ask("return !!document.querySelector('.ex-live input[type=radio]')"):
            page.ask("document.querySelector('.ex-live input[type=radio]:checked').focus()")
            changed(page, WORDS, lambda: page.press("ArrowDown"))
        if page.ask("return !!document.querySelector('.ex-number')"):
            changed(page, WORDS, lambda: page.point("document.querySelectorAll('.ex-number')[3]"))
            changed(page, WORDS, lambda: page.click("document.querySelectorAll('.ex-number')[1]"))
            changed(page, WORDS, lambda: page.press("ArrowDown"))
        if page.ask("return !!document.querySelector('[data-grab]')"):
            page.open(f"{root}{name}.html")
            page.until(f"/\\w{{3}}/.test({WORDS})")
            page.ask("document.querySelector('.ex-picture').scrollIntoView({block: 'center', behavior: 'instant'});" + SETTLED)
            if page.ask("return !!document.querySelector('.ex-live select')"):
                changed(page, WORDS, lambda: page.click(FREE_SCHOOL))
            for kind in ("mouse", "touch"):
                before = page.ask("return scrollY")
                changed(page, WORDS, lambda: page.drag("[...document.querySelectorAll('[data-grab]')].at(-1)", kind))
                assert page.ask("return scrollY") == before, (name, kind)
        assert not page.ask("return /NaN|undefined|Infinity/.test(document.querySelector('.ex-live').innerHTML)")
        assert page.ask("return heard") == []


def self_checks(page: Page, root: str):
    """Of a question's answers one is open, whether it was chosen by pointer or by keys."""
    page.open(f"{root}chapters/why.html")
    opened = "[...question.querySelectorAll('details')].map(fold => Number(fold.open)).join('')"
    question = "const question = document.querySelector('.self-check .question:has(details ~ details)');"
    assert set(page.ask(f"{question} return {opened}")) == {"0"}
    page.click(".self-check .question:has(details ~ details) details summary")
    assert page.ask(f"{question} return {opened}").startswith("10")
    page.click(".self-check .question:has(details ~ details) details ~ details summary")
    assert page.ask(f"{question} return {opened}").startswith("01")
    page.ask(f"{question} question.querySelector('summary').focus()")
    page.press("Enter")
    assert page.ask(f"{question} return {opened}").startswith("10")
    page.press("Space")
    assert set(page.ask(f"{question} return {opened}")) == {"0"}
    assert page.ask("return heard") == []


def figures(page: Page, root: str):
    """Interactive figures are drawn and say what is pointed at; all pictures come, in light and dark."""
    page.open(f"{root}chapters/logic.html")
    page.ask("document.querySelector('.plotly-figure').scrollIntoView({behavior: 'instant'})")
    page.until("document.querySelector('.plotly-figure .main-svg .point')")
    page.point(".plotly-figure .point")
    page.until("/School 1224/.test(document.querySelector('.hoverlayer').textContent)")
    for theme in ("light", "dark"):
        page.ask(f"document.documentElement.dataset.theme = '{theme}'; document.querySelectorAll('article img').forEach(picture => picture.loading = 'eager')")
        page.until("[...document.querySelectorAll('article img')].every(picture => !picture.checkVisibility() || picture.complete && picture.naturalWidth)")
    assert page.ask("return document.querySelectorAll('article img').length") > 3
    assert page.ask("return heard") == []


def search(page: Page, root: str):
    """A term's entry in the glossary and its own page come first."""
    for words, (term, name) in SOUGHT.items():
        page.open(f"{root}search.html?q={words.replace(' ', '+')}", width=320)
        page.until("document.querySelector('.search-summary')")
        assert page.ask("return document.querySelector('.search-term a')?.getAttribute('href')") == (f"chapters/glossary.html#{term}" if term else None), words
        assert page.ask("return document.querySelector('.search-list li a').getAttribute('href')").partition("#")[0] == f"chapters/{name}.html", words
    page.open(f"{root}search.html")
    page.click("input[name=q]")
    page.press(*"ICC", "Enter")
    page.until("document.querySelector('.search-term a')")
    assert page.ask("return heard") == []


def deck(page: Page, root: str):
    """Keys turn the slides to the last one; the overview opens and closes; none is wider or higher than its frame."""
    page.open(f"{root}slides/index.html")
    page.until("window.Reveal?.isReady()")
    slides = page.ask("return Reveal.getTotalSlides()")
    for number in range(1, slides + 1):
        page.until(f"Reveal.getCurrentSlide().id === 'slide-{number}'")
        size = page.ask("const slide = Reveal.getCurrentSlide(); return [slide.scrollWidth, slide.scrollHeight]")
        assert size == [1280, 720], (number, size)
        page.press("ArrowRight")
    page.press("ArrowLeft")
    page.until(f"Reveal.getCurrentSlide().id === 'slide-{slides - 1}'")
    page.press("Escape")
    page.until("Reveal.isOverview()")
    page.press("Escape")
    page.until("!Reveal.isOverview()")
    assert slides > 10 and page.ask("return heard") == []


def drawer(page: Page, root: str):
    """A phone's two drawers open, the first at the current page, and close by button, key and choice.

    Neither browser makes its window narrower than 447 pixels.
    """
    still = "!document.getAnimations().length"  # while a drawer glides away, it takes the clicks
    page.open(f"{root}chapters/power.html", width=390)
    for side, name in [("primary", "Chapters"), ("secondary", "On this page")]:
        for close in (lambda: page.click("dialog[open] .drawer-close"), lambda: page.press("Escape")):
            page.until(still)
            page.click(f".{side}-toggle")
            page.until(f"document.querySelector('dialog[open]') && {still}")
            if side == "primary":
                page.until("(box => box && box.top >= 0 && box.bottom <= innerHeight)(document.querySelector('dialog[open] [aria-current=page]')?.getBoundingClientRect())")
            close()
            page.until("!document.querySelector('dialog[open]')")
            page.until(f"document.activeElement.getAttribute('aria-label') === '{name}'")
    page.until(still)
    page.click(".secondary-toggle")
    page.until(f"document.querySelector('dialog[open]') && {still}")
    page.click("[...document.querySelectorAll('dialog[open] a')].at(-1)")
    page.until("!document.querySelector('dialog[open]') && location.hash")
    assert page.ask("return heard") == []


def cards(page: Page, root: str):
    """A term explains itself to the pointer and to the keyboard; Escape hides it; a first tap explains (in Firefox)."""
    page.open(f"{root}chapters/logic.html")
    link, shown = "article a[href*='#term-LOESS']", "document.querySelector('#course-card')?.checkVisibility()"
    page.point(link)
    page.until(shown)
    page.press("Escape")
    page.until(f"!{shown}")
    page.point("h1")
    page.ask(f'document.querySelector("{link}").focus({{focusVisible: true}})')
    page.until(shown)
    page.ask("document.activeElement.blur()")
    page.until(f"!{shown}")
    page.ask("addEventListener('pointerdown', event => window.touched = event.pointerType === 'touch')")
    page.point("h1", "Down", "Up", kind="touch")
    if page.ask("return touched"):  # WebKit's driver has no fingers: it says that the mouse did it
        page.point(link, "Down", "Up", kind="touch")
        page.until(f"{shown} && location.pathname.endsWith('logic.html')")
    assert page.ask("return heard") == []


def quiet(page: Page, root: str):
    """Every page is silent and no wider than its window, narrow and wide."""
    for name in PAGES:
        for width in (390, 1280):
            page.open(root + name, width=width)
            page.ask("for (let y = 0; y < document.body.scrollHeight; y += 2000) { scrollTo({top: y, behavior: 'instant'}); await new Promise(done => setTimeout(done, 50)); }")
            assert page.ask("return heard") == [], name
            assert page.ask("return document.documentElement.scrollWidth - innerWidth") <= 0, (name, width)


PAGES = sorted(str(path.relative_to(SITE)) for path in [*SITE.glob("*.html"), *SITE.glob("chapters/*.html")])
EXPLORERS = [name.removesuffix(".html") for name in PAGES if 'class="explorer"' in (SITE / name).read_text("utf-8")]
# What readers look for, its entry in the glossary, and where it is taught.
SOUGHT = {"ICC": ("term-ICC", "anova"), "shrinkage": ("term-shrinkage", "shrinkage"), "lmer": ("term-lme4", "r-to-python"),
          "random slope": ("term-random-intercept", "random-coefficients"), "p value": ("term-p-value", "inference"),
          "SPSS": ("term-SAS", "notation"), "singular fits": ("term-singular-fit", "software-wrong"), "centring": (None, "zero-point"),
          "ranef": (None, "notation"), "τ00": (None, "explained-variance")}
# What is tried, and whether it is tried from disk too.
PARTS = {explorers: True, self_checks: False, figures: True, search: True, deck: True, drawer: False, cards: False, quiet: False}


def listening(folder: Path) -> Path:
    """A copy of the site whose pages keep what goes wrong in them."""
    copy = Path(shutil.copytree(SITE, folder / "site"))
    for path in copy.rglob("*.html"):
        path.write_text(re.sub(r"<head>|(?=<meta charset)", lambda found: found[0] + LISTENER, path.read_text("utf-8"), count=1), "utf-8")
    return copy


def attempt(part, page: Page, root: str) -> str:
    try:
        part(page, root)
    except (AssertionError, RuntimeError, TimeoutError) as fault:
        return f"FAILED: {str(fault) or traceback.extract_tb(fault.__traceback__)[-1].line}"
    return "as it should be"


def main(chosen: list[str]) -> int:
    if not (FIREFOX and MINI_BROWSER and shutil.which("WebKitWebDriver") and shutil.which("xvfb-run")):
        sys.exit("Needed are Firefox and WebKit. Debian: apt-get install firefox-esr webkit2gtk-driver xvfb xauth")
    failed = 0
    parts = {part: on_disk for part, on_disk in PARTS.items() if part.__name__ in chosen or not {part.__name__ for part in PARTS} & set(chosen)}
    for engine in [name for name in ENGINES if name in chosen] or ENGINES:
        with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
            site = listening(Path(folder))
            address = stack.enter_context(served(site))
            (Path(folder) / "home").mkdir()
            page = Page(stack.enter_context(ENGINES[engine](Path(folder) / "home")))
            for (part, on_disk), root in itertools.product(parts.items(), [address, f"{site.as_uri()}/"]):
                if root == address or on_disk:
                    started = time.monotonic()
                    outcome = attempt(part, page, root)
                    failed += outcome.startswith("FAILED")
                    print(f"{engine:8} {part.__name__:12} {'served' if root == address else 'disk':7}{time.monotonic() - started:4.0f} s  {outcome}", flush=True)
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
