"""What the site carries of others is named with its license, and all that it is built with is in a bill of materials."""

import importlib.metadata
import json

from book import software
from book.workspace import FRONT
from conftest import ROOT

TOOLS = {"axe-core", "esbuild", "purgecss"}


def test_each_part_of_npm_is_a_tool_or_on_the_page():
    asked = json.loads((FRONT / "package.json").read_text())["dependencies"]
    assert set(asked) - TOOLS <= set(software.SHIPPED)


def test_each_script_is_the_courses_or_of_a_package_on_the_page(site):
    """By its name, or that of the template from which Sphinx writes it."""
    known = {path.name for path in FRONT.rglob("*.js") if "node_modules" not in path.parts} | {"deck.js", "notes.js", "search-texts.js"}
    for name in software.SHIPPED:
        folder = FRONT / "node_modules" / name
        files = folder.rglob("*.js") if folder.exists() else importlib.metadata.files(name)
        known |= {file.name.removesuffix(".jinja").removesuffix("_t").removesuffix(".tmpl") for file in files}
    scripts = {path.name for folder in ("_static", "slides") for path in (site / folder).rglob("*.js") if not path.name.startswith("LICENSE")}
    assert len(scripts) > 10 and scripts - known == set()


def test_the_page_names_every_package_and_the_site_has_its_license(site):
    page, texts = (site / "chapters/licenses.html").read_text("utf-8"), (site / software.TEXTS).read_text("utf-8")
    assert {part["name"] for part in software.shipped()} == set(software.SHIPPED)
    for part in software.shipped():
        assert f"{part['name']} {part['version']}" in page and part["licenses"][0]["license"]["name"] in page
        words = software.license_texts(part["name"])
        assert words and all(text in texts for text in words), part


def test_the_bill_of_materials_is_that_of_the_locks(site):
    bill = json.loads((site / software.BILL).read_text("utf-8"))
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.6")
    listed = {part["purl"] for part in bill["components"]}
    assert len(listed) == len(bill["components"]) > 150
    pins = (ROOT / "requirements.txt").read_text().split()
    assert {f"pkg:pypi/{pin.replace('==', '@')}" for pin in pins if "==" in pin} <= listed
    assert {f"pkg:npm/{part['name']}@{part['version']}" for part in software.npm_packages() if "@" not in part["name"]} <= listed
    assert all(part["licenses"][0]["license"]["name"] not in ("", "UNKNOWN", "see its files") for part in bill["components"])
