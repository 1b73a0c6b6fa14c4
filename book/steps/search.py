"""What the search knows: each section of each page, as sentences to quote and as words to find it by.

Sphinx's own search quotes whatever surrounds a word on a page: tables, TeX, menus. And it fetches the pages
for it, which a browser refuses where they are opened from disk. Here the texts are one script, and
search.js finds in it with MiniSearch.
"""

import hashlib
import json
import re
import subprocess
from pathlib import Path

from selectolax.lexbor import LexborHTMLParser, LexborNode

from book.workspace import FRONT

TEXTS, FINDER = "_static/search-texts.js", "_static/search.js"
# Answers and solutions aren't given away by the search.
LEFT_OUT = ("template, script, .headerlink, .course-place, div.math, .plotly-figure, .explorer, "
            "details, .solution, .cell_output pre, .cell_output table, .az, dl.py > dd > :not(:first-child), .question > :nth-child(n + 3)")
WORDS = "pre, table, dt.sig"  # no sentences, but their words find a section
HEADINGS = "h1, h2, h3, h4"
BLOCKS = "p, figcaption, dd, li"
LOW, HIGH = str.maketrans("0123456789ijk+-()", "₀₁₂₃₄₅₆₇₈₉ᵢⱼₖ₊₋₍₎"), str.maketrans("0123456789+-()", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁽⁾")
ACCENTS = {"^": "\u0302", "ˉ": "\u0304", "~": "\u0303"}


def spoken(formula: LexborNode) -> str:
    """A formula in MathML as text: with indices and powers where there are letters for them, or "…" where it is no line of text."""
    parts = [spoken(part) for part in formula.iter()]
    match formula.tag, parts:
        case "mi" | "mn" | "mo" | "mtext", _:
            return formula.text().replace("\u2061", "")
        case "msub", [base, low]:
            return base + low.translate(LOW)
        case "msup", [base, high]:
            return base + high.translate(HIGH)
        case "msubsup", [base, low, high]:
            return base + low.translate(LOW) + high.translate(HIGH)
        case "mover", [base, over] if over in ACCENTS:
            return base + ACCENTS[over]
        case "mfrac" | "mtable" | "munder" | "munderover" | "mover", _:
            return "…"
        case "msqrt", _:
            return f"√({''.join(parts)})"
        case "annotation", _:
            return ""
    return "".join(parts)


def sentences(section: LexborNode) -> list[str]:
    """The paragraphs of a section, up to their last whole sentence: before an equation or a table they break off."""
    found = []
    for block in section.css(BLOCKS):
        if len(block.css(BLOCKS)) == 1 and "admonition-title" not in (block.attrs.get("class") or ""):
            text = " ".join(block.text().split())
            whole = re.match(r".*[.?!][”)]?(?=\s|$)", text)
            found += [whole[0] if whole else text] * (bool(whole) or block.parent.tag == "li" and not text.endswith(":"))
    return list(filter(None, found))


def remove(nodes: list[LexborNode]) -> None:
    """Take nodes out of their page, the innermost first."""
    for node in reversed(nodes):
        node.decompose()


def sections(page: LexborHTMLParser) -> list[tuple[str, str, list[str], str]]:
    """The sections of a page, each with its anchor, heading, paragraphs, and the words of its code and tables."""
    article = page.css_first("article")
    if not article:
        return []
    copy = LexborHTMLParser(article.html, is_fragment=True)
    remove(copy.css(LEFT_OUT))
    for formula in copy.css(".katex"):
        formula.replace_with(spoken(formula.css_first("math")))
    found = []
    for section in reversed(copy.css("section[id]")):  # the innermost first: each is taken out of that around it
        if not (heading := section.css_first(HEADINGS)):
            continue  # the text of an exercise is part of the section around it
        title = " ".join(heading.text().split())
        words = " ".join(node.text(separator=" ") for node in section.css(WORDS))
        remove(section.css(f"{WORDS}, {HEADINGS}"))
        paragraphs = sentences(section)
        known = set(re.findall(r"\w+", " ".join(paragraphs).lower()))
        found.append((section.id, title, paragraphs, set(re.findall(r"[A-Za-z_][\w.]{1,24}", words.lower())) - known))
        section.decompose()
    return once(found[::-1])


def once(found: list[tuple[str, str, list[str], set[str]]]) -> list[tuple[str, str, list[str], str]]:
    """A page's sections, each word of code or a table only in the first that has it."""
    told, kept = set(), []
    for anchor, title, paragraphs, words in found:
        kept.append((anchor, title, paragraphs, " ".join(sorted(words - told))))
        told |= words
    return kept


def definitions(page: LexborHTMLParser) -> list[tuple[list[LexborNode], LexborNode]]:
    """The glossary's entries: the terms that share a definition, and the definition."""
    found = []
    for meaning in page.css("dl.glossary > dd"):
        terms, before = [], meaning.prev
        while before and before.tag != "dd":
            terms = [before] * (before.tag == "dt") + terms
            before = before.prev
        found.append((terms, meaning))
    return found


def terms(page: LexborHTMLParser) -> list[tuple[str, list[str], str, list[str]]]:
    """The glossary's entries as the search shows them: anchor, terms, definition, and the pages that teach them."""
    copy = LexborHTMLParser(page.html)
    for formula in copy.css("dl.glossary .katex"):
        formula.replace_with(spoken(formula.css_first("math")))
    remove(copy.css("dl.glossary .headerlink"))
    return [(names[0].id, [name.text().strip() for name in names], " ".join(meaning.text().split()),
             [link.attrs["href"] for link in meaning.css("a.internal") if not link.attrs["href"].startswith("#")])
            for names, meaning in definitions(copy)]


def write_search(site: Path, pages: dict[str, LexborHTMLParser]) -> None:
    """Put the texts on the site, and the script that finds in them in place of Sphinx's."""
    texts = {"pages": [(name, *found) for name, page in pages.items() if (found := sections(page))],
             "terms": [(name, *term) for name, page in pages.items() for term in terms(page)]}
    (site / TEXTS).write_text(f"const courseTexts = {json.dumps(texts, ensure_ascii=False, separators=(',', ':'))};\n", "utf-8")
    subprocess.run([FRONT / "node_modules/.bin/esbuild", FRONT / "search.js", "--bundle", "--minify", "--log-level=warning",
                    f"--outfile={site / FINDER}"], check=True)
    scripts = {name: pages["search.html"].css_first(f"script[src*='{name}']") for name in ("searchtools", "language_data", "searchindex")}
    scripts["searchtools"].attrs["src"], scripts["searchindex"].attrs["src"] = (
        f"{name}?v={hashlib.sha256((site / name).read_bytes()).hexdigest()[:8]}" for name in (TEXTS, FINDER))
    scripts["language_data"].decompose()
    for name in ("_static/searchtools.js", "_static/language_data.js"):
        (site / name).unlink()
