"""Make the built pages light, after Sphinx and before they are published.

A stock page loads eleven style sheets, 1.5 MB of icons and a dozen scripts, each of which
holds up its first paint. Here the style sheets become one without unused rules, the icons
a font of those in use, and scripts wait until the page stands. What Sphinx built is left
as it is: `slim` works on the copy that will be published.
"""

import base64
import hashlib
import io
import json
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from fontTools import subset
from fontTools.ttLib import TTFont

BOOK = Path(__file__).parent
STYLE = re.compile(r'[ \t]*<link\b[^>]*\bhref="([^"?]+\.css)[^"]*"[^>]*>\n?')
SCRIPT = re.compile(r"[ \t]*<script\b([^>]*)>(.*?)</script>\n?", re.DOTALL)
PRELOADED_SCRIPT = re.compile(r'[ \t]*<link\b[^>]*\bas="script"[^>]*>\n?')
VIEWPORT = re.compile(r'[ \t]*<meta name="viewport"[^>]*>\n?')
MATH = 'class="katex"'
# Before the first paint: the reader's theme, so that a dark page doesn't flash white, and whether
# scripts run, so that what they will fold is folded from the start.
FIRST = """<script>
    {const page = document.documentElement, choice = name => {try {return localStorage.getItem(name)} catch {}};
    page.classList.add("js");
    const mode = page.dataset.mode = choice("mode") || "auto";
    page.dataset.theme = mode != "auto" ? mode : matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";}
  </script>
"""


def style_sheets(page: str, folder: str) -> list[str]:
    """The style sheets that a page asks for, as paths from the site's root."""
    return [(Path("/", folder) / href).resolve().relative_to("/").as_posix() for href in STYLE.findall(page)]


def icon_font(ttf: Path, characters: set[int]) -> bytes:
    """The part of an icon font that has the given characters."""
    font = TTFont(ttf, recalcTimestamp=False)
    # No hinting: icons are drawn at any size, and hints would double the file.
    chosen = subset.Subsetter(subset.Options(hinting=False, desubroutinize=True, drop_tables=["FFTM", "GSUB", "GPOS"]))
    chosen.populate(unicodes=characters)
    chosen.subset(font)
    font.flavor = "woff"
    out = io.BytesIO()
    font.save(out)
    return out.getvalue()


def embed_icons(css: str, site: Path, classes: set[str]) -> str:
    """Put fonts of the icons in use in place of the whole of Font Awesome."""
    used = {int(code, 16) for code in re.findall(r"\\([ef][0-9a-f]{3})\b", css)}
    # The style sheets' own icons are solid; the other two fonts are there for pages that name them.
    named = {"fa-regular-400": {"fa-regular", "far"}, "fa-brands-400": {"fa-brands", "fab"}}

    def embed(face: re.Match) -> str:
        name = re.search(r"fa-\w+-\d+", face[0])[0]
        if name in named and not named[name] & classes:
            return ""
        font = icon_font(next(site.rglob(f"{name}.ttf")), used)
        source = f'url(data:font/woff;base64,{base64.b64encode(font).decode()}) format("woff")'
        return re.sub(r"src:[^;}]*", lambda _: "src:" + source, face[0])

    return re.sub(r"@font-face\{[^}]*webfonts/fa-[^}]*\}", embed, css)


def rewrite(page: str, up: str, styles: dict[str, str]) -> str:
    """One page with the joined style sheets and deferred scripts.

    Parameters
    ----------
    page : str
    up : str
        The way from the page to the site's root: "" or "../".
    styles : dict
        Address of each joined style sheet, from the root: "site" and "math".
    """
    links = f'<link rel="stylesheet" href="{up}{styles["site"]}" />\n'
    if MATH in page:
        links += f'<link rel="stylesheet" href="{up}{styles["math"]}" />\n'
    page = PRELOADED_SCRIPT.sub("", STYLE.sub("", page))
    # The theme has no colours for "auto": without a script the page is light, with it FIRST decides.
    page = page.replace('data-theme="auto"', 'data-theme="light"', 1)
    seen = set()

    def script(match: re.Match) -> str:
        attributes, code = match[1], match[2].strip()
        if "fontawesome" in attributes or "DOCUMENTATION_OPTIONS.pagename" in code:
            return ""
        if "dataset.theme" in code:
            return "  " + FIRST
        if " src=" not in attributes:
            repeated, _ = code in seen, seen.add(code)
            return "" if repeated and "type=" not in attributes else match[0]
        return match[0] if " defer" in attributes else match[0].replace("<script", "<script defer", 1)

    page = SCRIPT.sub(script, page)
    viewport = VIEWPORT.search(page)
    page = VIEWPORT.sub("", page).replace("<head>", "<head>\n" + viewport[0].rstrip(), 1) if viewport else page
    return page.replace("</title>", "</title>\n" + links, 1)


# What axe-core finds in the theme's and the extensions' own markup: a label that isn't what is read on
# the button, the course's name outside of any landmark, roles that the standard has given up, empty headers.
MENDED = [
    (re.compile(r'(<button class="btn search-button-field[^>]*?) title="Search" aria-label="Search"'), r"\1"),
    (re.compile(r'(<summary) aria-label="Toggle hidden content"'), r"\1"),
    (re.compile(r'(<div id="pst-primary-sidebar") '), r'\1 role="complementary" aria-label="The course" '),
    (re.compile(r'<div role="list" class="citation-list">'), '<div class="citation-list">'),
    (re.compile(r' role="doc-biblioentry"'), ""),
    (re.compile(r"<th\b[^>]*>(?:\s|</?p>)*</th>"), "<td></td>"),
    # Besides: a link begins with its first letter, and a short text in a table, such as a p value, is not broken.
    (re.compile(r'(">)Solution to(<a [^>]*>) '), r"\1Solution to \2"),
    (re.compile(r'<td class="text">([^<]{1,16}</td>)'), r"<td>\1"),
]
PICTURE = re.compile(r'<img ([^>]*?)src="((?:\.\./)*_images/[^"]+\.svg)"([^>]*?)/?>')


def place_pictures(page: str, folder: Path) -> str:
    """Say how large each picture is, so that nothing moves when it comes, which it does when it is near."""
    def sized(match: re.Match) -> str:
        head = (folder / match[2]).read_text("utf-8")[:2000]
        size = re.search(r'<svg[^>]*?width="([\d.]+)pt" height="([\d.]+)pt"', head)
        if not size or "width=" in match[1] + match[3]:
            return match[0]
        width, height = (round(float(points) * 4 / 3) for points in size.groups())  # CSS: 96 pixels are 72 points
        return f'<img {match[1]}src="{match[2]}"{match[3]} width="{width}" height="{height}" loading="lazy" />'

    return PICTURE.sub(sized, page)


def shorten(svg: str) -> str:
    """A picture without matplotlib's metadata, its coordinates to a hundredth of a point."""
    def coordinates(match: re.Match) -> str:
        return re.sub(r"\d+\.\d{3,}", lambda number: f"{float(number[0]):.2f}".rstrip("0").rstrip("."), match[0])

    svg = re.sub(r"<metadata>.*?</metadata>\s*", "", svg, flags=re.S)
    return re.sub(r' (?:d|x|y)="[^"]*"', coordinates, svg)


def remove_unused(site: Path, texts: list[str]) -> None:
    """Remove the theme's files whose name occurs in no page, script or style sheet."""
    text = "\n".join(texts)
    for path in sorted((site / "_static").rglob("*"), reverse=True):
        if path.is_dir():
            if not any(path.iterdir()):
                path.rmdir()
        elif path.name not in text and path.suffix != ".css":
            path.unlink()


def slim(site: Path) -> None:
    """Make the pages of a built site light, in place.

    Raises
    ------
    ValueError
        If the theme's pages no longer have the shape that this step knows.
    """
    pages = {path.relative_to(site).as_posix(): path.read_text("utf-8") for path in sorted(site.rglob("*.html"))
             if "_static" not in path.relative_to(site).parts and path.name != "404.html"}
    sheets = list(dict.fromkeys(sheet for name, page in pages.items()
                                for sheet in style_sheets(page, Path(name).parent.as_posix())))
    math = [sheet for sheet in sheets if "katex" in sheet]
    groups = {"site": [sheet for sheet in sheets if sheet not in math], "math": math}
    if not groups["site"] or not all("dataset.theme" in page for page in pages.values()):
        raise ValueError("The theme's pages have changed: book/slim.py must be adapted to them.")
    for path in {*(site / "_static").rglob("fontawesome.js*"), *(site / "_static").rglob("*.js.map")}:
        path.unlink()
    scripts = sorted(path for path in (site / "_static").rglob("*.js") if not path.name.startswith("plotly"))
    content = [*pages, *(path.relative_to(site).as_posix() for path in scripts)]
    with tempfile.NamedTemporaryFile("w", suffix=".json") as request:
        json.dump({"groups": groups, "content": content}, request)
        request.flush()
        done = subprocess.run(["node", BOOK / "slim.mjs", site, request.name], stdout=subprocess.PIPE, text=True,
                              check=True)
    css = json.loads(done.stdout)
    for path in scripts:  # a browser's console would ask for the maps
        path.write_text(re.sub(r"\n?//# sourceMappingURL=.*", "", path.read_text("utf-8")), "utf-8")
    classes = {name for page in pages.values() for names in re.findall(r'\bclass="([^"]*)"', page) for name in names.split()}
    css["site"] = embed_icons(css["site"], site, classes)
    # KaTeX lists woff2 first and every browser since 2018 reads it; the others are not on the site.
    css["math"] = re.sub(r",\s*url\([^)]*\.(?:woff|ttf)\"?\)\s*format\([^)]*\)", "", css["math"])
    for sheet in (site / "_static").rglob("*.css"):
        sheet.unlink()
    addresses = {}
    for name, target in {"site": "_static/site.css", "math": "_static/katex/math.css"}.items():
        (site / target).parent.mkdir(exist_ok=True)
        (site / target).write_text(css[name], "utf-8")
        addresses[name] = f"{target}?v={hashlib.sha256(css[name].encode()).hexdigest()[:8]}"
    for path in (site / "_images").glob("*.svg"):
        path.write_text(shorten(path.read_text("utf-8")), "utf-8")
    for name, page in pages.items():
        page = place_pictures(rewrite(page, "../" * name.count("/"), addresses), (site / name).parent)
        for found, mended in MENDED:
            page = found.sub(mended, page)
        pages[name] = page
        (site / name).write_text(pages[name], "utf-8")
    shutil.rmtree(site / "_static/locales", ignore_errors=True)
    remove_unused(site, [*pages.values(), *css.values(), *(path.read_text("utf-8") for path in scripts)])
