"""What axe-core can't judge of a page: focus, targets, names, text spacing, colours that the system chooses (WCAG 2.2)."""

import re
from collections import Counter

SPACED = "* { line-height: 1.5 !important; letter-spacing: 0.12em !important; word-spacing: 0.16em !important } p { margin-block-end: 2em !important }"
# 1.4.12: parts that cut their own text off. Not what is hidden from sight on purpose, and not formulas, whose boxes scroll.
CUT_OFF = """[...document.querySelectorAll("body *")].filter(part => {
    const style = getComputedStyle(part);
    return part.checkVisibility({visibilityProperty: true}) && part.innerText?.trim() && !part.closest("div.math, .katex, svg") && part.clientHeight > 2
        && (/hidden|clip/.test(style.overflowX) && part.scrollWidth > part.clientWidth + 2
            || /hidden|clip/.test(style.overflowY) && part.scrollHeight > part.clientHeight + 2);
}).map(part => part.tagName + "." + part.className)"""
CONTROLS = "a[href], button, summary, input, select, textarea, [tabindex='0']"
# 2.5.8: a target of 24 pixels, or room for a circle of that size that meets no other target; links in a line of text may be smaller.
SMALL = f"""(() => {{
    const parts = [...document.querySelectorAll("{CONTROLS}")].filter(part => part.checkVisibility({{visibilityProperty: true}}) && !part.disabled);
    const boxes = parts.map(part => part.getBoundingClientRect());
    const inText = part => part.tagName === "A" && getComputedStyle(part).display === "inline"
        && part.parentElement.closest("p, li, dd, dt, td, th, figcaption, h1, h2, h3, h4, span")?.innerText.trim() !== part.innerText.trim();
    const far = (box, x, y) => Math.hypot(Math.max(box.left - x, 0, x - box.right), Math.max(box.top - y, 0, y - box.bottom)) >= 12;
    return parts.filter((part, at) => {{
        const box = boxes[at], x = box.left + box.width / 2, y = box.top + box.height / 2;
        return box.width && Math.min(box.width, box.height) < 23.5 && !inText(part) && !part.classList.contains("headerlink")
            && parts.some((other, there) => there !== at && boxes[there].width && !part.contains(other) && !other.contains(part) && !far(boxes[there], x, y));
    }}).map(part => part.tagName + "." + part.className + " " + part.innerText?.slice(0, 30));
}})()"""
# 2.5.3: who says the words that are seen must reach the control.
MISNAMED = f"""[...document.querySelectorAll("{CONTROLS}")].filter(part => {{
    const name = part.getAttribute("aria-label")?.toLowerCase(), seen = part.innerText?.trim().toLowerCase();
    return part.checkVisibility() && name && /^(A|BUTTON|SUMMARY)$/.test(part.tagName) && seen && !name.includes(seen);
}}).map(part => part.outerHTML.slice(0, 120))"""
# Everything that takes the focus, with the kind of thing that it is.
STOPS = f"""(() => {{
    window.stops = [...document.querySelectorAll("{CONTROLS}")].filter(part => part.checkVisibility({{visibilityProperty: true}})
        && part.tabIndex >= 0 && !part.disabled && !part.matches("[type=radio]:not(:checked)") && part.getBoundingClientRect().width > 1);
    const name = part => part.tagName + "." + [...part.classList].filter(word => !/current|active/.test(word)).join(".");
    return window.stops.map(part => [part, part.parentElement, part.parentElement.parentElement].map(name).join(" < "));
}})()"""


def cut_by_spacing(page):
    """The parts that cut their text off if a reader sets lines, letters and words wider, and the page's width then."""
    style = page.add_style_tag(content=SPACED)
    found = page.evaluate(CUT_OFF), page.evaluate("document.documentElement.scrollWidth")
    style.evaluate("style => style.remove()")
    return found


def unseen_focus(page, view, judged):
    """The kinds of controls on which the focus changes no pixel; each kind is looked at once in each view."""
    unseen = []
    for number, kind in enumerate(page.evaluate(STOPS)):
        if (view, kind) in judged:
            continue
        judged.add((view, kind))
        page.evaluate("number => {stops[number].scrollIntoView({block: 'center', behavior: 'instant'}); document.activeElement.blur()}", number)
        left, top, right, bottom = page.evaluate("""number => {const box = stops[number].getClientRects()[0];
            return [Math.max(box.left - 8, 0), Math.max(box.top - 8, 0), Math.min(box.right + 8, innerWidth), Math.min(box.bottom + 8, innerHeight)]}""", number)
        if right - left < 2 or bottom - top < 2:  # beyond the window, as a closed drawer is
            continue
        clip = {"x": left, "y": top, "width": min(right - left, 500), "height": min(bottom - top, 300)}
        before = page.screenshot(clip=clip)
        page.evaluate("number => stops[number].focus({focusVisible: true, preventScroll: true})", number)
        if page.screenshot(clip=clip) == before:
            unseen.append(kind)
    page.evaluate("document.activeElement.blur()")
    return unseen


def tags(path):
    """How often each kind of tag is in a PDF that Chromium printed, and how many figures have an alternative text.

    Of a document that says that it is tagged, its language and its title; Chromium leaves these parts uncompressed.
    """
    text = path.read_bytes()
    assert all(re.search(mark, text) for mark in (rb"/Marked true", rb"/Lang \(en\)", rb"/DisplayDocTitle true", rb"/Title \S"))
    return Counter(kind.decode() for kind in re.findall(rb"/S /(\w+)", text)), len(re.findall(rb"/Alt [(<]", text))
