"""The software of the site: what it is built with, as a bill of materials, and what of it readers are sent, with its licenses."""

import functools
import importlib.metadata
import json
import re
from pathlib import Path

import yaml

from book.workspace import FRONT, ROOT

# What the site's pages and slides carry of others, and what for; axe-core, esbuild and PurgeCSS stay behind.
SHIPPED = {"sphinx": "index", "sphinx-book-theme": "layout",
           "pydata-sphinx-theme": "layout, with Bootstrap and icons of Font Awesome", "sphinx-copybutton": "buttons that copy code, with clipboard.js",
           "sphinx-design": "cards", "minisearch": "search", "katex": "formulas and their fonts",
           "plotly.js-basic-dist-min": "interactive figures", "reveal.js": "slides"}
TEXTS = "downloads/licenses.txt"
BILL = "downloads/software.cdx.json"


def license_of(name: str) -> str:
    """The license of an installed Python package, in the words of its metadata."""
    data = importlib.metadata.metadata(name)
    classes = [text.rpartition(" :: ")[2] for text in data.get_all("Classifier") or [] if text.startswith("License ::")]
    words = data.get("License-Expression") or "; ".join(classes) or (data.get("License") or "").partition("\n")[0]
    return words or next(text for text in license_texts(name) if "icense" in text[:200]).partition("\n")[0]


def python_packages() -> list[dict]:
    """The packages of requirements.lock that are installed here, as components of CycloneDX."""
    pins = re.findall(r"^([\w.-]+)==([^\s;]+).*((?:\n +--hash.*)+)", (ROOT / "requirements.lock").read_text("utf-8"), flags=re.M)
    installed = {re.sub(r"[-_.]+", "-", found.name).lower(): found for found in importlib.metadata.distributions() if found.name}
    return [{"type": "library", "name": name, "version": version, "purl": f"pkg:pypi/{name}@{version}",
             "licenses": [{"license": {"name": license_of(name)}}]}
            for name, version, _ in pins if name in installed and installed[name].version == version]


def npm_packages() -> list[dict]:
    """The packages of npm's lock, as components of CycloneDX."""
    locked = json.loads((FRONT / "package-lock.json").read_text("utf-8"))["packages"]
    found = {(path.rpartition("node_modules/")[2], package["version"]): package["license"] for path, package in locked.items() if path}
    return [{"type": "library", "name": name, "version": version, "purl": f"pkg:npm/{name.replace('@', '%40')}@{version}",
             "licenses": [{"license": {"name": license}}]} for (name, version), license in sorted(found.items())]


@functools.cache
def shipped() -> list[dict]:
    """The components of which readers are sent something."""
    return [part for part in python_packages() + npm_packages() if part["name"] in SHIPPED]


def bill_of_materials() -> dict:
    """All that the site is built with, as CycloneDX 1.6 has it."""
    course = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    return {"bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1,
            "metadata": {"component": {"type": "application", "name": course["title"], "version": course["version"]}},
            "components": python_packages() + npm_packages()}


def license_texts(name: str) -> list[str]:
    """The license files that a package brings."""
    folder = FRONT / "node_modules" / name
    files = (sorted(folder.glob("LICENSE*")) if folder.exists() else
             [Path(file.locate()) for file in importlib.metadata.files(name) if re.search(r"(?i)licen[sc]e|copying", file.name)])
    return [file.read_text("utf-8").strip() for file in files if file.is_file()]


def write_software(site: Path) -> None:
    """Write the bill of materials and the texts of the licenses into a built site."""
    (site / "downloads").mkdir(exist_ok=True)
    (site / BILL).write_text(json.dumps(bill_of_materials(), indent=1) + "\n", "utf-8")
    texts = ["\n\n".join([f"{part['name']} {part['version']}", *license_texts(part["name"])]) for part in shipped()]
    (site / TEXTS).write_text(f"\n\n{'=' * 80}\n\n".join(texts) + "\n", "utf-8")
