"""Style sheets, icons, scripts and pictures as light as a phone wants them.

The style sheets become one without unused rules, since each of them holds up a page's first paint, with the icons that
are in use, and beside it one with the letters of formulas.
"""

import base64
import hashlib
import io
import json
import logging
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from fontTools import subset
from fontTools.ttLib import TTFont
from selectolax.lexbor import LexborHTMLParser

from book.workspace import FRONT

logging.getLogger("fontTools").setLevel(logging.ERROR)  # it tells each table that it drops, and doubts the dates of KaTeX's fonts
TARGETS = ["_static/site.css", "_static/formulas.css"]  # the second for pages with formulas: the fonts of these
FORMULAS = FRONT / "node_modules/katex/dist/fonts"  # the site has the woff2 alone


def style_sheets(page: LexborHTMLParser, folder: str) -> list[str]:
    """The style sheets that a page asks for, as paths from the site's root."""
    return [Path("/", folder, link.attrs["href"].partition("?")[0]).resolve().relative_to("/").as_posix()
            for link in page.css("link[href*='.css']")]


def part_of(ttf: Path, characters: Iterable[str]) -> str:
    """A source for a style sheet: the part of a font that has the given characters."""
    font = TTFont(ttf, recalcTimestamp=False)
    # No hinting: icons and formulas are drawn at any size, and hints would double the file.
    chosen = subset.Subsetter(subset.Options(hinting=False, desubroutinize=True, drop_tables=["FFTM", "GSUB", "GPOS"]))
    chosen.populate(text="".join(characters))
    chosen.subset(font)
    font.flavor = "woff"
    out = io.BytesIO()
    font.save(out)
    return f'url(data:font/woff;base64,{base64.b64encode(out.getvalue()).decode()}) format("woff")'


def embed_fonts(css: str, site: Path, pages: dict[str, LexborHTMLParser]) -> str:
    """Put what is in use of Font Awesome, and of the fonts of all formulas, in place of the whole fonts.

    A browser asks for a font when it has the style sheet, and shows no formula until it has that, too. KaTeX's rarer
    fonts, such as the bold one, stay files of their own.
    """
    classes = {name for page in pages.values() for node in page.css("[class*=fa-]") for name in node.attrs["class"].split()}
    icons = {chr(int(code, 16)) for code in re.findall(r"\\([ef][0-9a-f]{3})\b", css)}
    letters, italic = Counter(), Counter()
    for formula in (formula for page in pages.values() for formula in page.css(".katex-html")):
        letters.update(formula.text())
        italic.update("".join(part.text() for part in formula.css(".mathnormal")))
    # The style sheets' own icons are solid; the other two fonts are there for pages that name them.
    named = {"fa-regular-400": {"fa-regular", "far"}, "fa-brands-400": {"fa-brands", "fab"}}

    def embed(face: re.Match) -> str:
        name = face["name"]
        if name in named and not named[name] & classes:
            return ""
        fonts, used = (site, icons) if name.startswith("fa-") else (FORMULAS, italic if "Italic" in name else letters - italic)
        source = part_of(next(fonts.rglob(f"{name}.ttf")), used)
        return re.sub(r"src:[^;}]*", lambda _: "src:" + source, face[0])

    return re.sub(r"@font-face\{[^}]*/(?P<name>fa-\w+-\d+|KaTeX_(?:Main-Regular|Math-Italic|Size\d-Regular))\.[^}]*\}", embed, css)


def scripts(site: Path) -> list[Path]:
    """The site's scripts but plotly, whose bundle is loaded when a figure comes into view."""
    return sorted(path for path in (site / "_static").rglob("*.js") if not path.name.startswith("plotly"))


def strip_scripts(site: Path) -> None:
    """Remove the library of icons, and scripts' maps, for which a browser's console would ask."""
    for path in {*(site / "_static").rglob("fontawesome.js*"), *(site / "_static").rglob("*.js.map")}:
        path.unlink()
    for path in scripts(site):
        path.write_text(re.sub(r"\n?//# sourceMappingURL=.*", "", path.read_text("utf-8")), "utf-8")


def join_styles(site: Path, pages: dict[str, LexborHTMLParser]) -> list[str]:
    """Write the style sheets of `TARGETS` in place of all others; their addresses from the site's root."""
    sheets = list(dict.fromkeys(sheet for name, page in pages.items()
                                for sheet in style_sheets(page, Path(name).parent.as_posix())))
    request = {"sheets": sorted(sheets, key=lambda sheet: "katex" in sheet),
               "content": [*pages, *(path.relative_to(site).as_posix() for path in scripts(site))]}
    css = subprocess.run(["node", FRONT / "styles.mjs", site], input=json.dumps(request), stdout=subprocess.PIPE,
                         text=True, check=True).stdout
    css = embed_fonts(css, site, pages)
    # KaTeX lists woff2 first and every browser since 2018 reads it; the others are not on the site.
    css = re.sub(r",\s*url\([^)]*\.(?:woff|ttf)\"?\)\s*format\([^)]*\)", "", css).replace("url(fonts/KaTeX", "url(katex/fonts/KaTeX")
    for sheet in (site / "_static").rglob("*.css"):
        sheet.unlink()
    fonts = r"@font-face\{[^}]*KaTeX[^}]*\}"
    parts = re.sub(fonts, "", css), "".join(re.findall(fonts, css))
    for target, part in zip(TARGETS, parts):
        (site / target).write_text(part, "utf-8")
    return [f"{target}?v={hashlib.sha256(part.encode()).hexdigest()[:8]}" for target, part in zip(TARGETS, parts)]


def shorten(svg: str) -> str:
    """A picture without matplotlib's metadata, its coordinates to a tenth of a point."""
    def coordinates(match: re.Match) -> str:
        return re.sub(r"\d+\.\d{3,}", lambda number: f"{float(number[0]):.1f}".rstrip("0").rstrip("."), match[0])

    svg = re.sub(r"<metadata>.*?</metadata>\s*", "", svg, flags=re.S)
    return re.sub(r' (?:d|x|y)="[^"]*"', coordinates, svg)


def shorten_pictures(site: Path) -> None:
    """Shorten every picture of the pages."""
    for path in (site / "_images").glob("*.svg"):
        path.write_text(shorten(path.read_text("utf-8")), "utf-8")


def remove_unused(site: Path) -> None:
    """Remove the theme's files whose name occurs in no page, script or style sheet."""
    shutil.rmtree(site / "_static/locales", ignore_errors=True)
    text = "\n".join(path.read_text("utf-8") for path in [*site.glob("*.html"), *(site / "chapters").glob("*.html"),
                                                         *scripts(site), *(site / "_static").rglob("*.css")])
    for path in sorted((site / "_static").rglob("*"), reverse=True):
        if path.is_dir():
            if not any(path.iterdir()):
                path.rmdir()
        elif path.name not in text and path.suffix != ".css":
            path.unlink()
