"""Explorers in a real browser: keyboard, touch, words, reduced motion, paper, no scripts, a strict policy."""

import io
import re
import shutil

import pytest
from sphinx.application import Sphinx
from sphinx.util.docutils import docutils_namespace

from book.audit.serving import served
from book.extensions import explorers
from conftest import ROOT
from test_browser import browser, swipe  # noqa: F401 (the first is a fixture)

NAMES = sorted(explorers.DATA)


# Files of the site itself and nothing else.
STRICT = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:"


def write(folder, pages):
    """A small book of the given pages with the extension and the course's assets; the warnings of its build."""
    source, out = folder / "source", folder / "out"
    source.mkdir()
    for name, text in pages.items():
        (source / f"{name}.md").write_text(text, "utf-8")
    warnings = io.StringIO()
    settings = {"extensions": ["myst_parser", "book.extensions.explorers"], "html_theme": "basic", "html_static_path": [str(ROOT / "book/front/assets")],
                "myst_enable_extensions": ["dollarmath"], "html_theme_options": {"nosidebar": True}, "master_doc": "index"}
    with docutils_namespace():
        Sphinx(source, None, out, folder / "doctrees", "html", settings, status=None, warning=warnings, freshenv=True).build()
    return out, warnings.getvalue()


PAGE = "# {name}\n\n```{{explorer}} {name}\n:title: The <{name}>\n:static: On paper: **{name}**.\n\nTry it.\n```\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    pages = {"index": "# Index\n\n" + "```{toctree}\n" + "\n".join(NAMES) + "\n```\n"}
    out, warnings = write(tmp_path_factory.mktemp("book"), pages | {name: PAGE.format(name=name) for name in NAMES})
    assert warnings == ""
    for page in out.glob("*.html"):  # the plain theme's own scripts and styles in the page would break the policy
        before, explorer, after = re.match(r'(.*?)(<div class="explorer".*?</section>|$)(.*)', page.read_text("utf-8"), re.S).groups()
        before, after = (re.sub(r'<script>.*?</script>| style="[^"]*"', "", part, flags=re.S) for part in (before, after))
        page.write_text(before + explorer + after, "utf-8")
    return out


@pytest.fixture(scope="module")
def address(folder):
    with served(folder, Content_Security_Policy=STRICT) as address:
        yield address


@pytest.fixture
def open_page(browser):  # noqa: F811
    """Open a page in a context of its own; at the end nothing may stand in the console."""
    contexts, heard = [], []

    def open_page(address, **settings):
        context = browser.new_context(**{"viewport": {"width": 1000, "height": 900}, **settings})
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: heard.append(message.text) if message.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: heard.append(str(error)))
        page.goto(address)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert [text for text in heard if "favicon" not in text and "404" not in text] == []


def said(page):
    return page.locator(".ex-status").text_content()


def says(page, pattern):
    """Wait until the explorer's words are these."""
    page.wait_for_function("pattern => new RegExp(pattern).test(document.querySelector('.ex-status').textContent)", arg=pattern)
    return said(page)


def press(page, key, times=1):
    for _ in range(times):
        page.keyboard.press(key)


def tab_to(page, selector, limit=40):
    """Press Tab until the element has the focus, which must be visible."""
    for _ in range(limit):
        page.keyboard.press("Tab")
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none"
            return
    raise AssertionError(f"the keyboard does not reach {selector}")


@pytest.mark.parametrize("name", NAMES)
def test_begins_with_a_picture_words_and_named_controls(open_page, address, name):
    page = open_page(address + f"{name}.html")
    assert page.locator(".explorer").get_attribute("aria-label") == f"The <{name}>"
    assert page.locator(".explorer-try").is_visible() and not page.locator(".explorer-static").is_visible()
    assert page.locator(".ex-status").get_attribute("role") == "status"
    for picture in page.locator(".ex-picture").all():
        assert len(picture.get_attribute("aria-label")) > 40 and picture.locator("line").count() > 5
    says(page, r"\w{3}")
    controls = page.locator(".ex-live :is(input, select)")
    for control in controls.all():
        assert control.evaluate("control => control.labels.length") == 1
        if control.get_attribute("type") == "range":
            assert re.search(r"\w", control.get_attribute("aria-valuetext"))
    assert not re.search("NaN|undefined|Infinity", page.locator(".ex-live").inner_html())


@pytest.mark.parametrize("name", NAMES)
def test_scripts_only_where_used_and_deferred(folder, name):
    text = (folder / f"{name}.html").read_text("utf-8")
    scripts = re.findall(r'<script[^>]*src="_static/explorers/([\w-]+)\.js[^>]*>', text)
    assert scripts == ["core", name]
    assert all(" defer" in tag for tag in re.findall(r"<script[^>]*explorers/[^>]*>", text))
    assert "explorers/" not in (folder / "index.html").read_text("utf-8")


@pytest.mark.parametrize("name", NAMES)
def test_without_scripts_and_on_paper_the_static_text_stands_there(open_page, address, name):
    page = open_page(address + f"{name}.html", java_script_enabled=False)
    assert page.locator(".explorer-static").is_visible() and page.locator(".explorer-static strong").is_visible()
    assert not page.locator(".explorer-try").is_visible()
    page = open_page(address + f"{name}.html")
    page.emulate_media(media="print")
    assert page.locator(".explorer-static").is_visible()
    assert not page.locator(".ex-live").is_visible() and not page.locator(".explorer-try").is_visible()


@pytest.mark.parametrize("name", NAMES)
def test_runs_from_disk(open_page, folder, name):
    page = open_page((folder / f"{name}.html").as_uri())
    says(page, r"\w{3}")
    assert page.locator(".ex-picture").count()


@pytest.mark.parametrize("name", NAMES)
def test_fits_a_phone_and_its_controls_are_large_enough_to_touch(open_page, address, name):
    page = open_page(address + f"{name}.html", viewport={"width": 390, "height": 800}, has_touch=True, is_mobile=True)
    says(page, r"\w{3}")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    sizes = page.evaluate("""[...document.querySelectorAll('.ex-live :is(input[type=range], select, button, .ex-choice label)')]
        .map(control => control.getBoundingClientRect()).map(({width, height}) => Math.min(width, height))""")
    assert sizes and min(sizes) >= 24  # WCAG 2.2, 2.5.8


def test_pooling_by_keyboard(open_page, address):
    page = open_page(address + "pooling.html", reduced_motion="reduce")
    first = says(page, "School 8367: 14 students")
    known = explorers.pooling()
    share = sum(known["tau00"] / (known["tau00"] + known["sigma2"] / n) for n in known["n"]) / len(known["n"])
    assert f"Over all schools, {100 * share:.0f} % is kept." in first
    tab_to(page, "input[type=range]")
    press(page, "Home")
    assert page.locator(":focus").get_attribute("aria-valuetext") == "0: complete pooling"
    says(page, "It keeps 0 % of its deviation")
    press(page, "End")
    says(page, "It keeps 100 % of its deviation")
    tab_to(page, "button:nth-of-type(2)")
    press(page, "Enter")
    assert says(page, "It keeps 7") == first, "back at the estimate"
    tab_to(page, "select")
    press(page, "ArrowDown")
    assert "School 8367" not in says(page, "School (?!8367)")


def test_pooling_by_touch(open_page, address):
    page = open_page(address + "pooling.html", viewport={"width": 390, "height": 800}, has_touch=True, is_mobile=True)
    says(page, "School 8367")
    page.locator(".ex-picture").scroll_into_view_if_needed()
    # One that no other covers, and not the one that is shown.
    free = page.evaluate("""[...document.querySelectorAll('[data-grab]')].slice(0, -1).find(school => {
        const {left, top, width, height} = school.getBoundingClientRect();
        return document.elementFromPoint(left + width / 2, top + height / 2) === school;
    }).dataset.grab""")
    page.locator(f"[data-grab='{free}']").tap()
    says(page, "School (?!8367)")
    assert page.locator("select").input_value() == free


def drag(page, kind, x, y, to):
    """Move the mouse or a finger from one height to another, in steps."""
    heights = [y + (to - y) * step / 10 for step in range(11)]
    if kind == "mouse":
        page.mouse.move(x, y)
        page.mouse.down()
        for height in heights:
            page.mouse.move(x, height)
        page.mouse.up()
        return
    swipe(page, x, heights)


PHONE = {"viewport": {"width": 390, "height": 800}, "reduced_motion": "reduce"}
FINGER = PHONE | {"has_touch": True, "is_mobile": True}


def middle(locator):
    box = locator.bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def test_a_finger_scrolls_over_the_crowd_and_the_right_button_drags_nothing(open_page, address):
    page = open_page(address + "pooling.html", **FINGER)
    first = says(page, r"\w{3}")
    page.evaluate("document.body.style.paddingBlock = '400px 1500px'")
    crowd = page.locator("[data-grab]").nth(80)
    crowd.evaluate("grip => grip.scrollIntoView({block: 'center', behavior: 'instant'})")
    before, (x, y) = page.evaluate("scrollY"), middle(crowd)
    swipe(page, x, range(int(y), int(y) - 150, -10))
    page.wait_for_function("before => scrollY > before + 50", arg=before)
    chosen = page.locator("[data-grab]").last
    page.mouse.move(*middle(chosen))
    page.mouse.down(button="right")
    page.mouse.move(middle(chosen)[0], middle(chosen)[1] - 60)
    page.mouse.up(button="right")
    page.wait_for_timeout(300)
    assert says(page, r"\w{3}") == first


def test_false_alarms_moves_and_speaks_only_when_asked(open_page, address):
    page = open_page(address + "false-alarms.html", **PHONE | {"reduced_motion": "no-preference"})
    assert said(page).startswith("1000 studies")


# What is grabbed, how many pixels it is moved down, the control that goes with it and what the words say then.
GRIPS = {"a school": ("pooling", -1, None, "Variance between schools", r"School 8367.* It keeps (9\d|100) %"),
         "a line's intercept": ("slopes", "tau00", -10, "Variance of intercepts", r"Intercepts scatter with an SD of [3-9]\.\d\d, slopes with 0\.[4-7]"),
         "a line's slope": ("slopes", "tau11", -20, "Variance of slopes", r"slopes with [1-9]\.\d\d around"),
         "a line's slope, down": ("slopes", "tau11", 4, "Variance of slopes", r"slopes with 0\.[0-3]\d around"),
         "the blend": ("centering", "blend", -15, "Students in every school", r"is a blend, (?!2\.[0-4])[23]\.\d\d")}


@pytest.mark.parametrize("kind", ["mouse", "finger"])
@pytest.mark.parametrize("what", GRIPS)
def test_can_be_grabbed(open_page, address, what, kind):
    name, thing, way, control, words = GRIPS[what]
    page = open_page(address + f"{name}.html", **(FINGER if kind == "finger" else PHONE))
    first = says(page, r"\w{3}")
    grips = page.locator(f"[data-grab='{thing}']" if way else "[data-grab]")
    grips.last.evaluate("grip => grip.scrollIntoView({block: 'center'})")
    x, y = middle(grips.last)  # drawn above the others
    to = y + way if way else middle(page.locator(".ex-ring.ex-chosen"))[1]  # a school to its own mean
    slider = page.get_by_label(control)
    before, value = page.evaluate("scrollY"), slider.input_value()
    drag(page, kind, x, y, to)
    says(page, words)
    assert said(page) != first and slider.input_value() != value, "the control goes with it"
    assert middle(grips.last)[1] == pytest.approx(to, abs=4), "it is where it was let go, but for the control's steps"
    assert page.evaluate("scrollY") == before, "the page does not move"
    says(page, re.escape(page.locator(".ex-words").text_content()))  # what is heard comes to what is shown
    # The keyboard can do the same: the control, told its own value, changes neither words nor picture.
    state = "[...document.querySelectorAll('.ex-words, .ex-picture, .ex-value')].map(part => part.innerHTML).join()"
    dragged = page.evaluate(state)
    slider.dispatch_event("input")
    assert page.evaluate(state) == dragged


@pytest.mark.parametrize("name", ["pooling", "slopes", "centering"])
def test_a_finger_beside_what_can_be_grabbed_scrolls_the_page(open_page, address, name):
    page = open_page(address + f"{name}.html", **FINGER)
    first = says(page, r"\w{3}")
    page.evaluate("document.body.append(Object.assign(document.createElement('p'), {innerHTML: '<br>'.repeat(99)}))")
    picture = page.locator(".ex-picture").first
    picture.evaluate("picture => picture.scrollIntoView({block: 'center'})")
    before, box = page.evaluate("scrollY"), picture.bounding_box()
    drag(page, "finger", box["x"] + 60, box["y"] + box["height"] - 30, box["y"] - 100)
    page.wait_for_function("before => scrollY > before + 50", arg=before)
    assert said(page) == first


def test_acting_ends_a_motion(open_page, address):
    """Half a second of gliding doesn't overwrite what a reader does meanwhile."""
    page = open_page(address + "pooling.html", reduced_motion="no-preference")
    says(page, "School 8367")
    slider = page.locator("input[type=range]")
    slider.evaluate("""slider => {
        document.querySelectorAll('.ex-button')[2].click();
        return new Promise(done => setTimeout(() => { slider.value = 20; slider.dispatchEvent(new Event('input')); done(); }, 150));
    }""")
    page.wait_for_timeout(700)
    assert slider.input_value() == "20"


def test_words_and_picture_agree_at_every_moment(open_page, address):
    page = open_page(address + "pooling.html", reduced_motion="no-preference")
    says(page, "School 8367")
    page.evaluate("""() => {window.wrong = 0; window.frames = 0; new MutationObserver(() => {
        const at = (name) => Number(document.querySelector('.ex-move.ex-chosen').getAttribute(name));
        const average = Number(document.querySelector('.ex-picture > .ex-average').getAttribute('y1'));
        const drawn = 100 * (at('y2') - average) / (at('y1') - average);
        const told = Number(/keeps (\\d+) %/.exec(document.querySelector('.ex-words').textContent)[1]);
        const set = document.querySelector('.ex-live input').valueAsNumber;
        window.wrong += window.frames > 0 && set < window.set || set === 100 && told < 99; window.set = set;
        window.frames++; window.wrong += Math.abs(drawn - told) > 1;
    }).observe(document.querySelector('.ex-words'), {childList: true})}""")
    page.locator(".ex-button").nth(2).click()
    says(page, "It keeps 100 % of")
    assert page.evaluate("window.frames") > 3 and page.evaluate("window.wrong") == 0


def places(page):
    return page.evaluate("[...document.querySelectorAll('.ex-dot')].map(dot => dot.getAttribute('cy')).join()")


def test_motion_is_only_for_readers_who_do_not_mind(open_page, address):
    def press_and_count(page):
        """How many pictures are shown on the way to complete pooling."""
        says(page, "School 8367")
        page.evaluate("""() => {window.seen = 0; new MutationObserver(() => window.seen++)
            .observe(document.querySelector('.ex-picture'), {childList: true})}""")
        page.locator(".ex-button").first.click()
        says(page, "It keeps 0 % of")
        return page.evaluate("window.seen")

    assert press_and_count(open_page(address + "pooling.html", reduced_motion="reduce")) == 1
    assert press_and_count(open_page(address + "pooling.html", reduced_motion="no-preference")) > 3


def test_slopes_by_keyboard(open_page, address):
    page = open_page(address + "slopes.html", reduced_motion="reduce")
    first, known = says(page, "Intercepts scatter"), explorers.slopes()
    tau00, tau01, tau11 = known["tau00"], known["tau01"], known["tau11"]
    between = [f"{tau00 + 2 * x * tau01 + x * x * tau11:.1f}" for x in (-2, 0, 2)]
    assert f"an SD of {tau00 ** .5:.2f}, slopes with {tau11 ** .5:.2f} around {known['gamma10']:.2f}" in first
    assert "is {} at an SES of −2, {} at 0 and {} at 2".format(*between) in first
    assert f"At 0 it is {100 * tau00 / (tau00 + known['sigma'] ** 2):.0f} % of the total." in first
    ranges = page.locator("input[type=range]")
    tab_to(page, "input[type=range]")
    press(page, "Tab")
    press(page, "Home")  # no variance of the slopes
    says(page, "slopes with 0.00 around .* without a correlation.* the same at every SES")
    assert ranges.nth(2).get_attribute("aria-valuetext") == "0.00 (must be 0)"
    ends = page.evaluate("""[...document.querySelectorAll('.ex-picture')[0].querySelectorAll('.ex-line')]
        .map(line => Math.round(line.getAttribute('y2') - line.getAttribute('y1')))""")
    assert len(ends) == 60 and len(set(ends)) == 1, "parallel lines"
    press(page, "End")
    press(page, "Tab")
    press(page, "ArrowRight", 30)
    assert "correlation 1.00" in page.locator(":focus").get_attribute("aria-valuetext")
    says(page, "correlation 1.00")
    tab_to(page, "button")
    press(page, "Enter")
    assert says(page, re.escape(first)) == first


def test_other_schools_are_drawn_from_the_same_distribution(open_page, address):
    page = open_page(address + "slopes.html")
    before, words = places(page), says(page, "Intercepts")
    page.get_by_role("button", name="Draw other schools").click()
    assert places(page) != before and said(page) == words


def test_false_alarms_by_keyboard(open_page, address):
    page = open_page(address + "false-alarms.html", reduced_motion="reduce")
    share = lambda text: float(re.search(r"over students sees an effect in ([\d.]+) %", text)[1])  # noqa: E731
    first = says(page, "^1000 studies")
    assert share(first) > 25
    tab_to(page, "input[type=range]")
    press(page, "Tab", 2)
    press(page, "Home")  # no clustering
    assert share(says(page, "design effect is 1.00: the 600 students tell as much as 600 ")) < 8
    press(page, "ArrowRight", 3)
    assert page.locator(":focus").get_attribute("aria-valuetext") == "0.03"
    tab_to(page, "button")
    press(page, "Enter")
    says(page, "^2000 studies")


def test_counts_grow_before_the_eye(open_page, address):
    page = open_page(address + "false-alarms.html")
    says(page, "^1000 studies")
    page.evaluate("""() => {window.seen = new Set(); new MutationObserver(() => window.seen.add(
        document.querySelectorAll('.ex-picture')[1].textContent)).observe(document.querySelectorAll('.ex-picture')[1], {childList: true})}""")
    page.get_by_role("button", name="1000 more").click()
    says(page, "^2000 studies")
    assert page.evaluate("window.seen.size") > 5


def test_centering_by_keyboard(open_page, address):
    page = open_page(address + "centering.html", reduced_motion="reduce")
    says(page, "slope of raw SES is a blend")
    spread = """() => {const at = [...document.querySelectorAll('.ex-ring')].map(ring => Number(ring.getAttribute('cx')));
        return Math.max(...at) - Math.min(...at)}"""
    assert page.evaluate(spread) > 100
    tab_to(page, "input[type=radio]")
    press(page, "ArrowDown", 2)
    says(page, "is the within effect, .*All schools stand at zero")
    assert page.evaluate(spread) == 0
    press(page, "Tab")
    press(page, "ArrowDown")
    says(page, "that of the school's mean is the between effect")
    tab_to(page, "input[type=range]")
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Shift+Tab")
    press(page, "ArrowUp", 2)
    says(page, "slope of raw SES is the within effect, .* is the contextual effect")


def test_output_by_keyboard_and_mouse(open_page, address):
    page = open_page(address + "output.html")
    says(page, "^τ₀₀")
    assert page.locator("mark").all_text_contents() == ["u₀ⱼ"]
    tab_to(page, ".ex-number")
    press(page, "ArrowDown")
    says(page, "^τ₀₁")
    assert page.locator("mark").all_text_contents() == ["u₀ⱼ", "u₁ⱼ"]
    press(page, "Home")
    says(page, "The students in the fit")
    for _ in range(40):  # through all numbers, each with its words
        press(page, "ArrowRight")
    says(page, "scatter from study to study. For a variance")
    assert page.locator(".ex-number[aria-pressed=true]").count() == page.locator(".ex-number[tabindex='0']").count() == 1
    page.locator(".ex-number[data-row=ses_cwc]").first.hover()
    says(page, "^γ₁₀, estimated as")
    assert page.locator("mark").all_text_contents() == ["γ₁₀"]


@pytest.mark.parametrize("text, message", [
    ("```{explorer} nothing\n:title: A\n:static: B\n\nC\n```\n", "has a name out of"),
    ("```{explorer} slopes\n:title: A\n\nC\n```\n", "options title and static"),
    ("```{explorer} slopes\n:title: A\n:static: B\n```\n", "text of what to try"),
])
def test_what_is_not_an_explorer_is_refused(tmp_path, text, message):
    out, warnings = write(tmp_path, {"index": "# Title\n\n" + text})
    assert message in warnings
    shutil.rmtree(out)
