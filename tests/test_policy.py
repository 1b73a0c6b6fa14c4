"""What a reader does works under the Content-Security-Policy of deploy/nginx.conf; test_browser.py opens every page under it."""

import re

import pytest

from book.audit.serving import served
from book.extensions import explorers
from book.steps.policy import NAME, inline_scripts, write_policy
from test_browser import browser  # noqa: F401 (a fixture)

REPORT = """window.refused = [];
    document.addEventListener("securitypolicyviolation", event => refused.push(`${event.violatedDirective} ${event.blockedURI} ${event.sample}`));"""


@pytest.fixture(scope="module")
def page(browser, site, policy):
    """A page of a browser to which the site is served with its policy; `page.read(name)` opens one of the site."""
    with served(site, Content_Security_Policy=policy) as address:
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.add_init_script(REPORT)
        page.faults = []
        page.on("console", lambda said: page.faults.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: page.faults.append(str(error)))

        def read(name):
            page.faults.clear()
            page.goto(address + name)
            page.wait_for_load_state("networkidle")

        page.read = read
        yield page
        page.close()


def refused(page):
    """What the policy refused on a page, and what its console says."""
    return page.evaluate("refused") + page.faults


def test_the_policy_is_strict(policy):
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'" and not re.search(r"https?:|\*|unsafe-eval", policy)
    assert "'unsafe-inline'" not in rules["script-src"]


def test_a_script_that_is_not_the_sites_own_is_refused(page):
    page.read("index.html")
    page.evaluate("""document.body.append(Object.assign(document.createElement("script"), {textContent: "window.foreign = 1"}))""")
    assert page.evaluate("window.foreign") is None and "script-src-elem inline" in page.evaluate("refused[0]")


def test_a_page_that_is_not_there_leads_to_one_that_is(page):
    page.read("chapters/residual.html")
    page.locator("a[href$='chapters/residuals.html']").first.wait_for()
    assert page.evaluate("refused") == []


def test_what_a_lesson_does_works(page):
    """Its self-check answers, the theme changes, and the page's buttons do what they say."""
    page.read("chapters/why.html")
    page.evaluate("window.print = () => window.printed = true")
    page.evaluate("""document.querySelectorAll("[onclick*='print']").forEach(button => button.click())""")
    assert page.evaluate("window.printed") or not page.locator("[onclick*='print']").count()
    before = page.evaluate("document.documentElement.dataset.mode")
    page.locator(".theme-switch-button").first.evaluate("button => button.click()")
    assert page.evaluate("document.documentElement.dataset.mode") != before
    answers = page.locator(".self-check details")
    answers.first.locator("summary").click()
    assert answers.first.evaluate("answer => answer.open") and refused(page) == []


def test_search_finds_a_page(page):
    page.read("search.html?q=shrinkage")
    page.locator("main a[href*='chapters/shrinkage.html']").first.wait_for()
    assert refused(page) == []


@pytest.mark.parametrize("name", sorted(explorers.DATA))
def test_explorer_answers(page, site, name):
    where = next(path for path in sorted((site / "chapters").glob("*.html")) if f"explorers/{name}.js" in path.read_text("utf-8"))
    page.read(f"chapters/{where.name}")
    explorer = page.locator(f"[data-explorer={name}]")
    before = explorer.locator(".ex-live").inner_text()
    for control in explorer.locator(".ex-live :is(input, select, button)").all():
        control.focus()
        for key in ("End", "ArrowLeft", "ArrowDown", "Space"):
            page.keyboard.press(key)
    assert explorer.locator(".ex-live").inner_text() != before and refused(page) == []


def test_the_deck_moves_on(page):
    page.read("slides/index.html")
    before = page.url
    page.keyboard.press("ArrowRight")
    page.wait_for_function("before => location.href !== before", arg=before)
    assert refused(page) == []


def test_every_script_in_a_page_is_listed(tmp_path):
    code = "<script>one()</script><script src='a.js'></script><script type='application/json'>{}</script><button onclick='two()'></button>"
    assert inline_scripts(code) == {"one()", "two()"}
    (tmp_path / "page.html").write_text(code)
    write_policy(tmp_path)
    # printf 'one()' | openssl dgst -sha256 -binary | base64
    assert "'sha256-HR7iaask9daLMRRskMI++QeJtjWDOjyPA6lGzYGzKW4='" in (tmp_path / NAME).read_text()
