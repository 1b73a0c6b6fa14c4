"""The pages in a real browser: console, foreign requests, width, figures, dark mode."""

import functools
import os
import re
import shutil
from pathlib import Path

import pytest
from selectolax.lexbor import LexborHTMLParser

from book.audit import audit as auditing
from book.audit.serving import served
from book.steps.styles import style_sheets
from book.workspace import CHROMIUM, WORK
from conftest import ROOT
from engines import SOUGHT
import wcag

PAGES = ["index", *sorted(f"chapters/{path.stem}" for path in (ROOT / "chapters").glob("*.md"))]

if not CHROMIUM:
    if os.environ.get("CI"):
        pytest.fail("The tests in a browser need Chromium (Debian: apt-get install chromium).")
    pytest.skip("need Chromium (Debian: apt-get install chromium)", allow_module_level=True)


@pytest.fixture(scope="module")
def address(site):
    with served(site) as address:
        yield address


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        # Chromium's own background requests would only be noise; as root it needs --no-sandbox.
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[
            "--no-sandbox", "--disable-gpu", "--disable-background-networking"])
        yield browser
        browser.close()


@pytest.fixture(params=["light", "dark"], scope="module")
def phone(request, browser):
    context = browser.new_context(viewport={"width": 390, "height": 800}, color_scheme=request.param)
    context.theme = request.param
    yield context
    context.close()


@pytest.fixture(scope="module")
def reader(browser):
    page = browser.new_page(viewport={"width": 1000, "height": 800})
    yield page
    page.close()


A4 = 673  # pixels between the margins that course.css sets
# Of all that is beyond the page's right edge; 2 pixels: KaTeX ends each index with an empty box of that width.
CUT = """[...document.querySelectorAll("article *")]
    .filter(part => part.checkVisibility() && !part.closest(".katex-mathml, svg") && part.getBoundingClientRect().right > innerWidth + 2)
    .map(part => part.tagName + " " + part.className + " " + part.textContent.slice(0, 40))"""
# The sizes given are those of the picture, or of the one for narrow windows.
STRETCHED = """[...document.querySelectorAll("img[width]")].filter(picture => {
    const given = [...picture.parentElement.querySelectorAll("source")].find(source => matchMedia(source.media).matches) ?? picture;
    return picture.checkVisibility()
        && Math.abs(picture.width / picture.height / (given.getAttribute("width") / given.getAttribute("height")) - 1) > 0.03;
}).map(picture => picture.src)"""
# How many parts a page has, and which look otherwise with the given style sheets in place of its own.
DRESSED = """async sheets => {
    // Nothing that says how much room a part was given: the icons differ.
    const names = ["color", "background", "font", "display", "position", "visibility", "opacity", "marginTop", "padding", "border", "float",
        "textDecoration", "textAlign", "whiteSpace", "boxShadow", "outline", "overflow", "zIndex", "cursor", "content", "gap", "flex",
        "listStyle", "fill", "transition"];
    const parts = [...document.querySelectorAll("body, body *")].filter(part => !part.closest("svg, template, [class*=fa-]"));
    // A box that scrolls can have the focus, and looks otherwise; whether one does depends on its room.
    const boxes = document.querySelectorAll("div.math, .cell_output .output.text_html, .bd-article pre, .pst-scrollable-table-container");
    const looks = () => ["light", "dark"].flatMap(theme => {
        document.documentElement.dataset.theme = theme;
        boxes.forEach(box => (box.tabIndex = 0));
        // The section that is read is marked a moment after the page has another height.
        document.querySelectorAll("#pst-page-toc-nav a").forEach(link => {link.classList.remove("active"); link.removeAttribute("aria-current")});
        return parts.flatMap(part => ["", "::before", "::after"].map(pseudo => {
            const style = getComputedStyle(part, pseudo || null);
            return pseudo && style.content === "none" ? [] : [`${theme} ${part.tagName} ${part.className}${pseudo}`, ...names.map(name => style[name])];
        }));
    });
    const slim = looks(), old = document.querySelectorAll('link[rel="stylesheet"]');
    await Promise.all(sheets.map(sheet => new Promise((done, fail) => document.head.append(
        Object.assign(document.createElement("link"), {rel: "stylesheet", href: sheet, onload: done, onerror: fail})))));
    old.forEach(link => link.remove());
    const whole = looks(), same = (one, other) => one.length === other.length && one.every((value, at) => value === other[at]);
    return [parts.length, slim.map((look, at) => [look, whole[at]]).filter(([here, there]) => !same(here, there))
        .map(([here, there]) => [here[0] ?? there[0], ["", ...names].filter((_, at) => here[at] !== there[at])])];
}"""


def on_a_phone(page, seen):
    """What a page, all of whose figures were opened, says, asks of others, and how it is shown at 390 pixels."""
    page.set_viewport_size({"width": 390, "height": 800})
    return {"heard": [*seen["console"]], "foreign": [*seen["foreign"]], "stretched": page.evaluate(STRETCHED),
            "width": page.evaluate("document.documentElement.scrollWidth"), "theme": page.evaluate("document.documentElement.dataset.theme")}


def on_paper(page):
    """The parts of a page that a sheet of paper cuts."""
    page.set_viewport_size({"width": A4, "height": 900})
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    page.wait_for_load_state("networkidle")
    cut = page.evaluate(CUT)
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    page.emulate_media(media="screen")
    return cut


@pytest.fixture(scope="module")
def visit(browser, site, policy):
    """All that the tests below ask of a page, by its name: of one visit, with a second load in the dark.

    The site is served with its strict policy; what that refuses, the console tells.
    """
    whole = WORK / "_build/html"  # the same pages with all rules of the style sheets

    judged, focused = set(), set()

    @functools.cache
    def visit(name):
        with auditing.opened(browser, f"{address}{site.name}/", name, auditing.NARROW) as (page, seen):
            found = {"weight": auditing.weigh(page, seen), "light": on_a_phone(page, seen)}
            if name == "slides/index":
                return found
            found |= {"paper": on_paper(page), "axe": auditing.violations(page, judged)}
            if name not in [*PAGES, "search"]:
                return found
            page.emulate_media(reduced_motion="reduce", color_scheme="light")
            page.set_viewport_size({"width": 320, "height": 800})
            page.evaluate(auditing.SETTLED)
            found |= {"reflow": page.evaluate("document.documentElement.scrollWidth"), "small": page.evaluate(wcag.SMALL),
                      "misnamed": page.evaluate(wcag.MISNAMED), "spaced": wcag.cut_by_spacing(page)}
            page.set_viewport_size({"width": 1280, "height": 900})
            page.evaluate(auditing.SETTLED)
            unseen = wcag.unseen_focus(page, "light", focused)
            page.emulate_media(forced_colors="active")
            unseen += wcag.unseen_focus(page, "forced colors", focused)
            page.set_viewport_size({"width": 390, "height": 800})
            page.emulate_media(color_scheme="dark", forced_colors="none")
            seen["console"].clear(), seen["foreign"].clear()
            page.reload()
            auditing.open_figures(page)
            found |= {"dark": on_a_phone(page, seen), "unseen": unseen + wcag.unseen_focus(page, "dark", focused)}
            page.set_viewport_size({"width": 1280, "height": 900})
            page.evaluate(auditing.SETTLED)
            sheets = style_sheets(LexborHTMLParser((whole / f"{name}.html").read_text("utf-8")), Path(name).parent.as_posix())
            parts, differing = page.evaluate(DRESSED, [f"{address}{whole.relative_to(site.parent)}/{sheet}" for sheet in sheets])
            return found | {"sheets": len(sheets), "parts": parts, "differing": differing}

    with served(site.parent, Content_Security_Policy=policy) as address:
        yield visit


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_page_is_quiet_asks_nobody_else_and_keeps_its_width(visit, theme, name):
    seen = visit(name)[theme]
    assert (seen["heard"], seen["foreign"]) == ([], [])
    assert seen["width"] <= 390
    assert seen["theme"] == theme
    assert seen["stretched"] == []  # nothing is stretched or stands in a gap


@pytest.mark.parametrize("name", ["search", "genindex", "slides/index"])
def test_a_page_without_a_source_is_quiet_too(visit, name):
    seen = visit(name)["light"]
    assert (seen["heard"], seen["foreign"]) == ([], [])


@pytest.mark.parametrize("name", [*PAGES, "search", "genindex", "404"])
def test_page_breaks_no_rule_of_axe(visit, name):
    """Light and dark, wide and narrow, with all folds and answers open."""
    assert visit(name)["axe"] == []


@pytest.mark.parametrize("name", [*PAGES, "search"])
def test_what_has_the_focus_shows_it(visit, name):
    """WCAG 2.4.7: in the light at a desk, in the dark on a phone, and in the system's colours."""
    assert visit(name)["unseen"] == []


@pytest.mark.parametrize("name", [*PAGES, "search"])
def test_page_fits_320_pixels_with_targets_to_hit_and_names_that_are_seen(visit, name):
    """WCAG 1.4.10, 1.4.12, 2.5.3, 2.5.8."""
    seen = visit(name)
    assert (seen["reflow"], seen["small"], seen["misnamed"]) == (320, [], [])
    assert seen["spaced"] == ([], 320)


@pytest.mark.parametrize("name", PAGES)
def test_paper_cuts_nothing(visit, name):
    assert visit(name)["paper"] == []


@pytest.mark.parametrize("name", [*PAGES, "search", "slides/index"])
def test_page_keeps_its_budget(visit, name):
    assert auditing.over_budget({**visit(name)["weight"], "axe": 0}) == []


@pytest.mark.parametrize("name", [*PAGES, "search"])
def test_the_rules_left_out_of_the_style_sheet_are_of_no_use(visit, name):
    """Every part of a page looks the same with the theme's own style sheets, none of their rules dropped."""
    seen = visit(name)
    assert seen["sheets"] > 8 and seen["parts"] * 3 > 300
    assert seen["differing"] == []


def test_labels_of_small_panels_keep_apart_on_a_phone(phone, address):
    page = phone.new_page()
    page.goto(address + "chapters/logic.html")
    page.locator(".plotly-figure").first.scroll_into_view_if_needed()
    page.wait_for_selector(".plotly-figure .main-svg .point")
    assert page.evaluate("""() => {
        const labels = [...document.querySelector(".plotly-figure").querySelectorAll("[class*=axislayer] text, .annotation-text")]
            .map(label => label.getBoundingClientRect());
        const meet = (a, b) => a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
        return [labels.length > 50, labels.filter((a, i) => labels.slice(i + 1).some(b => meet(a, b))).length];
    }""") == [True, 0]
    page.close()


def test_the_header_covers_the_text_without_javascript(browser, address):
    context = browser.new_context(java_script_enabled=False, viewport={"width": 390, "height": 800})
    page = context.new_page()
    page.goto(address + "chapters/logic.html#what-to-keep")
    assert page.locator(".bd-header-article").evaluate("header => getComputedStyle(header).backgroundColor") == "rgb(255, 255, 255)"
    context.close()


def luminance(color):
    channels = [c / 255 / 12.92 if c <= 10 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in color]
    return sum(weight * channel for weight, channel in zip((0.2126, 0.7152, 0.0722), channels))


@pytest.mark.parametrize("selector", [".cell_output img", ".plotly-figure"])
def test_figures_can_be_read_in_light_and_dark(phone, address, selector):
    """The extremes of a figure's picture stand apart as text must (WCAG 2.1, 1.4.3: 4.5 to 1)."""
    import io

    from PIL import Image

    page = phone.new_page()
    page.goto(address + "chapters/logic.html")
    figure = page.locator(selector).first
    figure.scroll_into_view_if_needed()
    if selector == ".plotly-figure":
        page.wait_for_selector(".plotly-figure .main-svg")
    picture = Image.open(io.BytesIO(figure.screenshot())).convert("RGB")
    shades = sorted(luminance(color) for _, color in picture.getcolors(1 << 24))
    assert (shades[-1] + 0.05) / (shades[0] + 0.05) > 7
    ground = max(picture.getcolors(1 << 24))[1]  # most frequent: what the figure stands on
    assert luminance(ground) > 0.8 if phone.theme == "light" else luminance(ground) < 0.05
    page.close()


def test_wide_boxes_scroll_by_keyboard(phone, address):
    page = phone.new_page()
    page.goto(address + "chapters/dataset.html")
    wide = page.evaluate("""[...document.querySelectorAll(".cell_output .output.text_html, div.math, article pre")]
        .filter(box => box.scrollWidth > box.clientWidth).map(box => box.tabIndex)""")
    assert wide and set(wide) == {0}
    page.close()


def test_a_wide_equation_begins_at_its_left_end_and_scrolls_by_keyboard(phone, address):
    page = phone.new_page()
    page.goto(address + "chapters/random-effects.html")
    wide = page.evaluate("""[...document.querySelectorAll("div.math")].filter(box => box.scrollWidth > box.clientWidth)
        .map(box => [box.tabIndex, box.querySelector(".katex-html").getBoundingClientRect().left >= box.getBoundingClientRect().left])""")
    assert wide and all(seen == [0, True] for seen in wide)
    page.close()


LETTERS_A_LINE = """() => [...document.querySelectorAll("article section > p")].filter(text => !text.querySelector(".katex, code")).flatMap(text => {
    const lines = new Map(), range = document.createRange(), walker = document.createTreeWalker(text, NodeFilter.SHOW_TEXT);
    while (walker.nextNode())
        for (let at = 0; at < walker.currentNode.length; at++) {
            range.setStart(walker.currentNode, at), range.setEnd(walker.currentNode, at + 1);
            const box = range.getClientRects()[0], line = box && Math.round(box.bottom / 6);
            if (box) lines.set(line, (lines.get(line) ?? 0) + 1);
        }
    return [...lines.values()].slice(0, -1);  // but for the last, which ends anywhere
})"""


@pytest.mark.parametrize("width", [1280, 1920])
def test_lines_have_60_to_75_letters(browser, address, width):
    page = browser.new_page(viewport={"width": width, "height": 900})
    page.goto(address + "chapters/why.html")
    letters = sorted(page.evaluate(LETTERS_A_LINE))
    page.close()
    assert len(letters) > 50
    # A tenth on either side may fall out: a long word goes to the next line, narrow letters fill one.
    assert letters[len(letters) // 10] >= 60 and letters[-len(letters) // 10] <= 75


def test_the_contents_mark_every_section(reader, address):
    reader.goto(address + "chapters/why.html")
    marked = reader.evaluate("""async () => {
        const marked = [];
        for (let y = 0; y <= document.documentElement.scrollHeight - innerHeight + 40; y += 40) {
            scrollTo({top: y, behavior: "instant"});
            await new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)));
            marked.push(...[...document.querySelectorAll("#pst-page-toc-nav [aria-current=location]")].map(link => link.hash));
        }
        return marked;
    }""")
    links = reader.locator("#pst-page-toc-nav a").evaluate_all("links => links.map(link => link.hash)")
    assert list(dict.fromkeys(marked)) == links  # each, in their order
    reader.evaluate("scrollTo(0, 0)")


def test_a_chosen_section_is_the_marked_one(browser, address):
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.goto(address + "chapters/why.html")
    for link in page.locator("#pst-page-toc-nav > ul > li > a").all()[::3]:
        link.click()
        page.wait_for_function("link => link.getAttribute('aria-current') === 'location'", arg=link.element_handle())
    page.close()


@pytest.mark.parametrize("name", [*PAGES, "search", "genindex"])
def test_the_tab_key_goes_through_a_page_and_shows_each_stop(browser, address, name):
    """WCAG 2.1.2 and 2.4.11: no control keeps the focus, none is passed over, and nothing covers the one that has it."""
    page = browser.new_page(viewport={"width": 390, "height": 800}, reduced_motion="reduce")
    page.goto(address + name + ".html")
    page.evaluate("document.activeElement.blur()")
    expected = page.evaluate(wcag.STOPS)
    reached, covered = set(), []
    for _ in range(len(expected) + 5):
        page.keyboard.press("Tab")
        at, seen = page.evaluate("""() => {
            const stop = document.activeElement, box = stop.getClientRects()[0], at = stops.indexOf(stop);
            if (at < 0 || !box) return [at, true];
            const there = document.elementFromPoint(box.left + box.width / 2, box.top + box.height / 2);
            return [at, stop.contains(there) || there?.contains(stop)];
        }""")
        reached.add(at)
        covered += [expected[at]] * (not seen)
    assert [kind for at, kind in enumerate(expected) if at not in reached] == [] and covered == []
    page.close()


CURRENT_IN_SIGHT = """() => {
    const link = document.querySelector("nav.bd-links [aria-current=page]"), box = link?.getBoundingClientRect();
    if (!link) return false;  // the page is still being read
    const frame = link.closest("dialog, .bd-sidebar-primary").getBoundingClientRect();
    return box.top >= frame.top && box.bottom <= Math.min(frame.bottom, innerHeight);
}"""


def test_screen_readers_meet_every_formula_wherever_the_window_is(browser, address):
    """A browser tells nothing of what its styles leave unset while it is out of view."""
    page = browser.new_page(viewport={"width": 390, "height": 800})
    page.goto(address + "chapters/model.html")
    told = page.context.new_cdp_session(page).send("Accessibility.getFullAXTree")["nodes"]
    shown = page.evaluate("[...document.querySelectorAll('.katex')].filter(formula => formula.checkVisibility()).length")
    assert sum(node.get("role", {}).get("value") == "MathMLMath" for node in told) == shown > 50
    page.close()


def test_no_number_of_an_equation_lies_over_it(browser, address):
    page = browser.new_page(viewport={"width": 390, "height": 800})
    page.goto(address + "chapters/time-points.html")
    apart = page.evaluate("""[...document.querySelectorAll("div.math:has(.eqno)")].map(box =>
        box.querySelector(".eqno").getBoundingClientRect().left - box.querySelector(".katex-display").getBoundingClientRect().right)""")
    assert len(apart) > 1 and min(apart) >= 0
    page.close()


def test_the_list_of_chapters_shows_where_the_reader_is(browser, address):
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.goto(address + "chapters/software.html")
    for _ in range(3):
        page.locator(".right-next").click()
        page.wait_for_load_state()
    for name in ("means-as-outcomes", "bibliography", "why"):
        page.locator(f'nav.bd-links a[href$="{name}.html"]').click()
        page.wait_for_function(CURRENT_IN_SIGHT)
    page.close()


def test_the_phones_drawer_opens_at_the_current_page_and_has_a_button_to_close_it(browser, address):
    page = browser.new_page(viewport={"width": 390, "height": 800})
    page.goto(address + "chapters/power.html")
    for side, name in [("primary", "Chapters"), ("secondary", "On this page")]:
        page.get_by_role("button", name=name, exact=True).click()
        page.wait_for_function(CURRENT_IN_SIGHT if side == "primary" else "document.querySelector('dialog[open]')")
        page.get_by_role("button", name=f"Close: {name}").click()
        assert page.locator("dialog[open]").count() == 0
        assert page.evaluate("document.activeElement.getAttribute('aria-label')") == name
    page.get_by_role("button", name="On this page", exact=True).click()
    page.locator("dialog[open] a").last.click()
    assert page.locator("dialog[open]").count() == 0 and "#" in page.url
    page.close()


def draw(page, number=0):
    """Bring an interactive figure into view and wait until it is drawn."""
    figure = page.locator(".plotly-figure").nth(number)
    figure.scroll_into_view_if_needed()
    figure.locator(".main-svg .trace").first.wait_for()
    return figure


def test_pointing_at_a_student_names_the_school(reader, address):
    reader.goto(address + "chapters/logic.html")
    figure = draw(reader)
    figure.locator(".point").first.hover(force=True)
    assert "School 1224" in figure.locator(".hoverlayer").text_content()


def test_pointing_at_a_line_names_its_school_and_makes_it_stand_out(reader, address):
    reader.goto(address + "chapters/logic.html")
    figure = draw(reader, 1)
    figure.locator(".nsewdrag").hover(force=True)
    said = figure.locator(".hoverlayer").text_content()
    row = reader.locator(".figure-data tbody tr", has=reader.get_by_text(re.search(r"school=(\d{4})", said)[1], exact=True))
    sector, students = row.locator("td").all_text_contents()[:2]
    assert f"sector={sector}" in said and f"students={students}" in said
    line, = figure.locator(".pointed .lines path").all()
    assert line.evaluate("line => getComputedStyle(line).strokeWidth") == "4px"


def test_pointing_at_a_caterpillar_says_what_its_table_says(reader, address):
    reader.goto(address + "chapters/shrinkage.html")
    figure = draw(reader)
    row = reader.locator(".figure-data tbody tr").first
    figure.locator(".point").first.hover(force=True)
    school, sector, students = row.locator("td").all_text_contents()[:3]
    said = figure.locator(".hoverlayer").text_content()
    assert all(part in said for part in (f"School {school}", "place=1", f"sector={sector}", f"students={students}"))


def test_a_term_explains_itself_by_pointer_and_keyboard(reader, address):
    reader.goto(address + "chapters/logic.html")
    link = reader.locator('article a[href*="#term-LOESS"]').first
    link.hover()
    card = reader.locator("#course-card")
    assert card.is_visible() and "Local regression" in card.text_content()
    assert link.get_attribute("aria-describedby") == "course-card"
    reader.keyboard.press("Escape")
    assert not card.is_visible()
    reader.mouse.move(0, 0)
    link.evaluate("link => link.focus({focusVisible: true})")
    assert card.is_visible()


def test_a_first_tap_explains_and_a_second_follows(browser, address):
    context = browser.new_context(viewport={"width": 390, "height": 800}, has_touch=True, is_mobile=True)
    page = context.new_page()
    page.goto(address + "chapters/logic.html")
    link = page.locator('article a[href*="#term-LOESS"]').first
    link.tap()
    assert page.locator("#course-card").is_visible() and "logic.html" in page.url
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    link.tap()
    page.wait_for_url("**/glossary.html#term-LOESS")
    context.close()


@pytest.mark.parametrize("words", SOUGHT)
def test_search_begins_with_what_is_meant_and_quotes_sentences(reader, site, words):
    """From disk, on the narrowest screen: the definition, then the page that teaches it, each quoted in sentences."""
    reader.set_viewport_size({"width": 320, "height": 800})
    reader.goto(f"file://{site}/search.html?q={words}")
    reader.wait_for_selector(".search-summary")
    assert reader.evaluate("document.documentElement.scrollWidth") <= 320
    term, page = SOUGHT[words]
    assert [link.get_attribute("href") for link in reader.locator(".search-term a").all()] == [f"chapters/glossary.html#{term}"] * bool(term)
    results = reader.locator(".search-list li")
    addresses = [link.get_attribute("href") for link in results.locator("a").all()]
    assert addresses[0].partition("#")[0] == f"chapters/{page}.html"
    for address in addresses:
        name, _, anchor = address.partition("#")
        assert not anchor or f'id="{anchor}"' in (site / name).read_text("utf-8")
    quotes = results.locator("h2 + p").all_text_contents()
    assert len(quotes) == results.count() > 0
    for quote in quotes:
        assert not re.search(r"\\[A-Za-z]|[{}]|Contents|Click to|Show code| {2}|\n", quote), quote
        assert len(quote) < 700 and (not quote or quote[-1] in ".?!)”;,…" or len(quote) < 200), quote
    reader.set_viewport_size({"width": 1000, "height": 800})


@pytest.mark.parametrize("wrong, right", [("chapters/residual.html", "residuals"), ("deep/in/a/glosary", "glossary")])
def test_a_dead_address_leads_on(reader, address, wrong, right):
    reader.goto(address + wrong)
    reader.wait_for_selector("#guess a")
    with reader.expect_navigation():
        reader.locator("#guess a").click()
    assert reader.url == f"{address}chapters/{right}.html"


def test_a_dead_address_leads_on_where_the_site_is_not_at_its_hosts_root(browser, site, tmp_path):
    """As on GitHub Pages, which shows the page at any depth below the project's name; nothing that it asks for is missing."""
    (tmp_path / "fork").symlink_to(site)
    shutil.copy(site / "404.html", tmp_path)
    page, missing = browser.new_page(), []
    page.on("response", lambda answer: missing.append(answer.url) if (answer.status, answer.request.method) == (404, "GET") else None)
    with served(tmp_path) as host:
        wrong = [f"{host}fork/{name}" for name in ("glosary", "chapters/glosary.html", "deep/in/a/glosary")]
        for address in wrong:
            page.goto(address)
            page.wait_for_selector("#guess a")
            links = page.locator("a").evaluate_all("links => links.map(link => link.href)")
            assert set(links) == {f"{host}fork/{name}.html" for name in PAGES}
        assert missing == wrong and page.locator("link[rel=icon]").get_attribute("href").startswith("data:")
        page.close()


def test_paper_shows_what_is_folded(reader, address):
    reader.goto(address + "chapters/dataset.html")
    reader.emulate_media(media="print")
    assert not reader.locator(".bd-sidebar-primary, .prev-next-footer, .headerlink").first.is_visible()
    reader.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert reader.evaluate("[...document.querySelectorAll('article details')].every(fold => fold.open)")
    assert reader.evaluate("[...document.querySelectorAll('.solution > section p')].every(p => p.checkVisibility())")
    reader.emulate_media(media="screen")


@pytest.mark.parametrize("name", ["index", "chapters/dataset", "chapters/random-effects", "chapters/glossary"])
def test_a_page_saved_as_pdf_has_tags_and_alternative_texts(reader, address, tmp_path, name):
    """As Chromium's dialog saves it: what a screen reader needs that the book's PDF lacks."""
    reader.goto(address + name + ".html")
    reader.emulate_media(media="print")
    reader.evaluate("dispatchEvent(new Event('beforeprint'))")
    reader.wait_for_load_state("networkidle")
    shown = [reader.locator(part).evaluate_all("parts => parts.filter(part => part.checkVisibility()).length") for part in ("h1", "h2", "h3", "img[alt]", "th")]
    reader.pdf(path=tmp_path / "page.pdf", tagged=True)
    reader.emulate_media(media="screen")
    kinds, described = wcag.tags(tmp_path / "page.pdf")
    assert (kinds["H1"], kinds["H2"], kinds["H3"], described, kinds["TH"]) == tuple(shown)


INTERACTIVE = [name for name in PAGES if "mlm.show(" in (ROOT / f"{name}.md").read_text("utf-8")]


@pytest.mark.parametrize("name", INTERACTIVE)
def test_interactive_figures_have_a_picture_without_javascript(browser, address, name):
    context = browser.new_context(java_script_enabled=False, viewport={"width": 390, "height": 800})
    page = context.new_page()
    page.goto(address + name + ".html")
    figures, stills = page.locator(".plotly-figure"), page.locator("img.plotly-still")
    assert figures.count() == stills.count() > 0
    for figure, still in zip(figures.all(), stills.all()):
        still.scroll_into_view_if_needed()
        assert still.is_visible() and not figure.is_visible()
        assert len(still.get_attribute("alt")) > 40
        box = still.bounding_box()
        shown = still.locator("xpath=preceding-sibling::source")  # the variant for a narrow window
        given = shown if shown.count() else still
        size = int(given.get_attribute("width")) / int(given.get_attribute("height"))
        assert box["width"] <= 390 and box["width"] / box["height"] == pytest.approx(size, rel=0.02)  # whole pixels
    context.close()


@pytest.mark.parametrize("name", INTERACTIVE)
def test_paper_shows_the_pictures_and_nothing_half_faded_in(reader, address, name):
    reader.goto(address + name + ".html")
    reader.emulate_media(media="print")
    assert reader.evaluate("dispatchEvent(new Event('beforeprint')), document.getAnimations().length") == 0
    reader.wait_for_load_state("networkidle")
    assert reader.evaluate("""[...document.querySelectorAll('.cell_output img')]
        .every(picture => picture.checkVisibility() && picture.complete && picture.naturalWidth)""")
    assert not reader.locator(".plotly-figure").first.is_visible()
    reader.emulate_media(media="screen")


def test_the_folder_works_from_disk(browser, site):
    """Opened as files, without a server: styles, mathematics' fonts, figures and search."""
    page = browser.new_page()
    heard = []
    page.on("console", lambda message: heard.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: heard.append(str(error)))
    page.goto(f"file://{site}/index.html")
    page.locator('nav a[href="chapters/logic.html"]').first.click()
    page.locator(".plotly-figure").first.scroll_into_view_if_needed()
    page.wait_for_selector(".plotly-figure .main-svg")
    assert page.evaluate("document.fonts.check('1em KaTeX_Math')")
    page.goto(f"file://{site}/search.html?q=shrinkage")
    page.wait_for_selector("#search-results li a")
    assert heard == []
    page.close()


# ---- what readers met who came with other browsers, hands and lines ------------------------------

def phone_of(browser):
    return browser.new_context(viewport={"width": 390, "height": 800}, has_touch=True, is_mobile=True)


def swipe(page, x, heights):
    """Move a finger over the heights, by the browser's own protocol."""
    protocol = page.context.new_cdp_session(page)
    touches = [("touchStart", heights[:1]), *(("touchMove", [height]) for height in heights), ("touchEnd", [])]
    for kind, places in touches:
        protocol.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x, "y": y} for y in places]})


def test_where_nothing_may_be_stored_search_and_drawers_open_all_the_same(browser, address):
    context = phone_of(browser)
    context.add_init_script("""for (const name of ["localStorage", "sessionStorage"])
        Object.defineProperty(window, name, {configurable: true, get() {throw new DOMException("blocked", "SecurityError")}})""")
    page = context.new_page()
    faults = []
    page.on("pageerror", lambda fault: faults.append(fault))
    page.goto(address + "chapters/why.html")
    for button, dialog in [("Chapters", "Chapters"), ("On this page", "On this page"), ("Search", "Search")]:
        page.get_by_role("button", name=button, exact=True).locator("visible=true").click()
        assert page.get_by_role("dialog", name=dialog, exact=True).is_visible()
        page.keyboard.press("Escape")
    assert faults == []
    context.close()


def test_a_finger_scrolls_over_a_figure(browser, address):
    context = phone_of(browser)
    page = context.new_page()
    page.goto(address + "chapters/logic.html")
    figure = page.locator(".plotly-figure").first
    figure.scroll_into_view_if_needed()
    page.wait_for_selector(".plotly-figure .main-svg .point")
    figure.evaluate("figure => figure.scrollIntoView({block: 'start', behavior: 'instant'})")
    before, y = page.evaluate("scrollY"), int(figure.bounding_box()["y"]) + 100
    assert page.evaluate("y => document.elementFromPoint(195, y).classList.contains('drag')", y)
    swipe(page, 195, range(y + 150, y, -10))
    page.wait_for_function("before => scrollY > before + 50", arg=before)
    context.close()


def test_without_the_plotting_library_the_still_is_shown(browser, address):
    page = browser.new_page()
    page.route("**/plotly-basic.min.js*", lambda route: route.abort())
    page.goto(address + "chapters/logic.html")
    figure = page.locator(".plotly-figure").first
    figure.scroll_into_view_if_needed()
    page.wait_for_function("document.querySelector('.plotly-figure').hidden")
    assert page.evaluate("[...document.querySelectorAll('figure, .cell_output')].find(f => f.querySelector('.plotly-figure')).querySelector('img').checkVisibility()")
    page.close()


def test_the_card_of_a_link_of_two_lines_lies_beside_both(browser, address):
    page = browser.new_page(viewport={"width": 390, "height": 800})
    page.goto(address + "chapters/shrinkage.html")
    page.add_style_tag(content="article a[href*='#term-'] {word-spacing: 300px}")  # each word a line
    link = page.locator("article p a[href*='#term-']").filter(has_text=re.compile(r"\w \w")).first
    link.scroll_into_view_if_needed()
    link.evaluate("link => link.focus({focusVisible: true})")
    meets = """([link, card]) => {const a = link.getBoundingClientRect(), b = card.getBoundingClientRect();
        return [link.getClientRects().length > 1, a.bottom > b.top && b.bottom > a.top, Math.min(Math.abs(b.top - a.bottom), Math.abs(a.top - b.bottom)) < 6]}"""
    assert page.evaluate(meets, [link.element_handle(), page.locator("#course-card").element_handle()]) == [True, False, True]
    page.close()


def test_a_button_of_the_header_keeps_the_focus_and_says_the_mode(browser, address):
    page = browser.new_page()
    page.goto(address + "chapters/why.html")
    button = page.locator(".theme-switch-button").locator("visible=true").first
    button.focus()
    said = set()
    for _ in range(3):
        said.add(button.get_attribute("aria-label"))
        page.keyboard.press("Enter")
        assert button.evaluate("button => button === document.activeElement")
    assert said == {"Color mode: auto", "Color mode: light", "Color mode: dark"}
    assert page.evaluate("""document.body.dispatchEvent(new KeyboardEvent("keydown", {key: "/", cancelable: true, bubbles: true}))"""), '"/" is the browser\'s'
    page.close()


def test_a_dark_page_prints_light(browser, address):
    context = browser.new_context(color_scheme="dark")
    page = context.new_page()
    page.goto(address + "chapters/why.html")
    seen = page.evaluate("""["beforeprint", "afterprint"].map(name => {dispatchEvent(new Event(name)); return document.documentElement.dataset.theme})""")
    assert seen == ["light", "dark"]
    context.close()


def test_who_comes_back_finds_no_drawer_over_the_page(browser, address):
    page = browser.new_page(viewport={"width": 390, "height": 800})
    page.goto(address + "chapters/why.html")
    page.get_by_role("button", name="Chapters", exact=True).click()
    page.evaluate("dispatchEvent(new PageTransitionEvent('pagehide', {persisted: true}))")
    assert page.locator("dialog[open]").count() == 0
    page.close()


def test_the_glossarys_letters_are_whole_below_the_header(browser, address):
    for width, height in [(390, 800), (1280, 800)]:
        page = browser.new_page(viewport={"width": width, "height": height})
        page.goto(address + "chapters/glossary.html#term-shrinkage")
        page.wait_for_timeout(300)
        header, letters = (page.locator(part).first.bounding_box() for part in (".bd-header-article", ".az"))
        assert 0 <= letters["y"] - header["y"] - header["height"] < 3, (width, header, letters)
        page.close()
