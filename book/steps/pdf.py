"""Build the PDFs: the book, and the slides' content with space for notes.

    python -m book.steps.pdf            both into _build/pdf
    python -m book.steps.pdf --check    only say whether this machine can

Sphinx's LaTeX builder, then xelatex by latexmk. Chapters are not run again: their outputs come
from the site's cache. Pages are always made anew (seconds), so that every warning is reported.
"""

import os
import re
import shutil
import subprocess
import sys
import time
from datetime import datetime, timezone
from pathlib import Path

import matplotlib
from fontTools.ttLib import TTFont

from book.workspace import PDFS, ROOT, course_notebooks, execute, last_change, pdf_key, prepare, run_sphinx, turn

PACKAGES = [line for line in (ROOT / "book/debian.txt").read_text().split() if line.startswith(("tex", "fonts-", "latex"))]
FONT = "texgyrepagella-regular.otf"


def missing_tools() -> str | None:
    """The one line that says what to install, or None if all is there."""
    programs = [name for name in ("xelatex", "latexmk", "kpsewhich") if not shutil.which(name)]
    if not programs and all(subprocess.run(["kpsewhich", name], capture_output=True).stdout
                            for name in (FONT, "texgyrepagella-math.otf", "tcolorbox.sty", "adjustbox.sty")):
        return None
    return f"The PDFs need TeX. Debian, Ubuntu: apt install --no-install-recommends {' '.join(PACKAGES)}"


def write_fonts(folder: Path) -> None:
    """Name the fonts for the .tex files, and give each character that Pagella lacks to DejaVu.

    XeTeX leaves a character out, silently, if the font doesn't have it.
    """
    for font in ("DejaVuSans", "DejaVuSans-Bold", "DejaVuSansMono", "DejaVuSansMono-Bold", "DejaVuSansMono-Oblique",
                 "DejaVuSansMono-BoldOblique"):
        shutil.copy(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / f"{font}.ttf", folder)
    pagella = subprocess.run(["kpsewhich", FONT], capture_output=True, text=True).stdout.strip()
    known = set(TTFont(pagella).getBestCmap())
    used = {c for path in folder.glob("multilevel-*.tex") for c in path.read_text("utf-8") if ord(c) > 126}
    lines = [r"\setmainfont{texgyrepagella}[Extension=.otf,UprightFont=*-regular,ItalicFont=*-italic,"
             r"BoldFont=*-bold,BoldItalicFont=*-bolditalic]",
             r"\setsansfont{texgyreheros}[Extension=.otf,UprightFont=*-regular,ItalicFont=*-italic,"
             r"BoldFont=*-bold,BoldItalicFont=*-bolditalic,Scale=.92]",
             r"\setmonofont{DejaVuSansMono}[Path=./,Extension=.ttf,BoldFont=*-Bold,ItalicFont=*-Oblique,"
             r"BoldItalicFont=*-BoldOblique,Scale=.9]",
             r"\newfontfamily\coursefallback{DejaVuSans}[Path=./,Extension=.ttf,BoldFont=*-Bold,Scale=.9]",
             r"\setmathfont{texgyrepagella-math.otf}", r"\usepackage{newunicodechar}",
             r"\newcommand{\coursechar}[1]{\ifmmode\text{\coursechar{#1}}\else"
             r"\iffontchar\font#1\relax\char#1\relax\else{\coursefallback\char#1}\fi\fi}"]
    lines += [rf"\newunicodechar{{{c}}}{{\texorpdfstring{{\coursechar{{{ord(c)}}}}}{{\unichar{{{ord(c)}}}}}}}" for c in sorted(used - {"\u200b"}) if ord(c) not in known]
    lines += [r"\newunicodechar{^^^^200b}{\hspace{0pt}}"]
    (folder / "fonts.tex").write_text("\n".join(lines) + "\n", encoding="utf-8")


def run_latex(folder: Path, name: str) -> bool:
    """Run xelatex as often as it takes; print the errors of its log if it fails."""
    done = subprocess.run(["latexmk", "-xelatex", "-interaction=nonstopmode", "-halt-on-error", "-quiet", f"{name}.tex"],
                          cwd=folder, env=os.environ | {"FORCE_SOURCE_DATE": "1", "max_print_line": "1000"},
                          capture_output=True, text=True, errors="replace")
    if done.returncode:
        log = folder / f"{name}.log"
        text = log.read_text("utf-8", "replace") if log.exists() else done.stdout
        print("\n".join(re.findall(r"^(?:!.*|l\.\d+.*)$", text, flags=re.M)) or done.stdout + done.stderr, file=sys.stderr)
        print(f"{name}.tex was not set; the whole log is {log}.", file=sys.stderr)
    return done.returncode == 0


def build() -> None:
    """Set both documents; exit with what is wrong if that fails."""
    started = time.monotonic()
    lack = missing_tools()
    if lack:
        sys.exit(lack)
    key = pdf_key()
    prepare()
    execute(course_notebooks())
    folder = PDFS / "latex"
    shutil.rmtree(folder, ignore_errors=True)
    day = datetime.fromtimestamp(int(last_change()), timezone.utc)
    # Apart from the site's: what LaTeX reads differs.
    doctrees = PDFS / "doctrees"
    shutil.rmtree(doctrees, ignore_errors=True)
    if not run_sphinx("latex", folder, doctrees, extensions=["book.extensions.latex"], today=f"{day:%-d %B %Y}"):
        sys.exit("The PDFs were not built; what is wrong stands above.")
    write_fonts(folder)
    names = [path.stem for path in sorted(folder.glob("multilevel-*.tex"))]
    if not all([run_latex(folder, name) for name in names]):
        sys.exit(1)
    for name in names:
        shutil.copyfile(folder / f"{name}.pdf", PDFS / f"{name}.pdf")
        (PDFS / f"{name}.key").write_text(key)
        print(f"{(PDFS / name).relative_to(ROOT)}.pdf", end="  ")
    print(f"({time.monotonic() - started:.0f} s)")


if __name__ == "__main__":
    if "--check" in sys.argv:
        sys.exit(missing_tools())
    with turn():
        build()
