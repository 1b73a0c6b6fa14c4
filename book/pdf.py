"""Build the PDFs: the book, and the slides' content with space for notes.

    python book/pdf.py            both into _build/pdf
    python book/pdf.py --check    only say whether this machine can
    python book/pdf.py --packages name the Debian packages that it takes

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

from build import PICTURES, ROOT, WORK, draw_pictures, execute_chapters, execution_key, last_change, prepare

OUT = ROOT / "_build" / "pdf"
PACKAGES = ("texlive-xetex texlive-latex-recommended texlive-latex-extra texlive-fonts-recommended "
            "fonts-texgyre fonts-texgyre-math latexmk")
FONT = "texgyrepagella-regular.otf"


def missing_tools() -> str | None:
    """The one line that says what to install, or None if all is there."""
    programs = [name for name in ("xelatex", "latexmk", "kpsewhich") if not shutil.which(name)]
    if not programs and all(subprocess.run(["kpsewhich", name], capture_output=True).stdout
                            for name in (FONT, "texgyrepagella-math.otf", "tcolorbox.sty", "adjustbox.sty")):
        return None
    return f"The PDFs need TeX. Debian, Ubuntu: apt install --no-install-recommends {PACKAGES}"


def write_fonts(folder: Path) -> None:
    """Name the fonts for the .tex files, and give each character that Pagella lacks to DejaVu.

    XeTeX leaves a character out, silently, if the font doesn't have it.
    """
    import matplotlib
    from fontTools.ttLib import TTFont

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


def write_latex(root: Path, cache: Path, folder: Path) -> bool:
    """Let Sphinx write the .tex files, strictly; whether it had nothing to complain of."""
    from jupyter_book.config import get_final_config
    from sphinx.application import Sphinx
    from sphinx.util.docutils import docutils_namespace, patch_docutils

    # Not jupyter_book's own build: it breaks down over a second LaTeX document.
    settings, _ = get_final_config(user_yaml=root / "_config.yml", sourcedir=root, cli_config={"latex_individualpages": False})
    today = datetime.fromtimestamp(int(os.environ["SOURCE_DATE_EPOCH"]), timezone.utc)
    settings |= {"extensions": [*settings["extensions"], "course_latex"], "nb_execution_cache_path": str(cache),
                 "nitpicky": True, "today": f"{today:%-d %B %Y}"}
    with patch_docutils(), docutils_namespace():
        app = Sphinx(root, None, folder, folder.with_name("doctrees"), "latex", confoverrides=settings, status=None,
                     freshenv=True, warningiserror=True, keep_going=True)
        app.build()
    return app.statuscode == 0


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


def build(root: Path = ROOT, work: Path = WORK, out: Path = OUT) -> int:
    started = time.monotonic()
    lack = missing_tools()
    if lack:
        print(lack, file=sys.stderr)
        return 1
    os.environ["SOURCE_DATE_EPOCH"] = last_change(root)
    cache = work / "_build" / ".jupyter_cache"
    unfinished = work / "unfinished"
    was_unfinished = unfinished.exists()
    prepare(work, execution_key(root))
    draw_pictures(root, PICTURES, execution_key(root))
    execute_chapters(root, cache)
    if not was_unfinished:
        unfinished.unlink()  # the site's marker is the site's affair
    folder = out / "latex"
    shutil.rmtree(folder, ignore_errors=True)
    if not write_latex(root, cache, folder):
        print("The PDFs were not built; what is wrong stands above.", file=sys.stderr)
        return 1
    write_fonts(folder)
    names = [path.stem for path in sorted(folder.glob("multilevel-*.tex"))]
    if not all([run_latex(folder, name) for name in names]):
        return 1
    for name in names:
        shutil.copyfile(folder / f"{name}.pdf", out / f"{name}.pdf")
        print(f"{(out / name).relative_to(root)}.pdf", end="  ")
    print(f"({time.monotonic() - started:.0f} s)")
    return 0


if __name__ == "__main__":
    if "--packages" in sys.argv:
        sys.exit(print(PACKAGES))
    if "--check" in sys.argv:
        sys.exit(missing_tools())
    sys.exit(build())
