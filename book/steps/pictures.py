"""Draw the picture of the home page and the card that is shown where somebody shares a link.

    python -m book.steps.pictures     write shrinkage.svg, shrinkage.pdf and card.png into _build/pictures
"""

import sys
import textwrap
from pathlib import Path

import matplotlib

from book.workspace import CONFIG, PICTURES, ROOT

sys.path.insert(0, str(ROOT / "chapters"))
matplotlib.use("agg")

import matplotlib.pyplot as plt  # noqa: E402
import pandas as pd  # noqa: E402

import mlm  # noqa: E402


def school_slopes() -> pd.DataFrame:
    """Each school's slope of achievement on SES: of its own line, and as the model predicts it."""
    hsb = mlm.load_hsb()
    fit = mlm.mixedlm("mathach ~ ses", hsb, groups="schid", re_formula="~ ses")
    schools = mlm.figures.ols_lines(hsb)
    schools["predicted"] = [fit.fe_params["ses"] + fit.random_effects[school]["ses"] for school in schools.index]
    return schools


def shrinkage(ax, schools: pd.DataFrame, size: float) -> None:
    """Lines from each school's own slope to its prediction; the twenty smallest schools stand out."""
    small = schools["n"].rank(method="first") <= 20
    for chosen, color, alpha, width in [(~small, mlm.figures.PUBLIC, 0.35, 1), (small, mlm.figures.CATHOLIC, 0.9, 1.6)]:
        ax.plot([0, 1], schools.loc[chosen, ["slope", "predicted"]].T, color=color, alpha=alpha, linewidth=width * size)
        for x, column in enumerate(["slope", "predicted"]):
            ax.scatter([x] * chosen.sum(), schools.loc[chosen, column], s=9 * size, color=color, alpha=alpha, zorder=3)
    ax.set_xlim(-0.08, 1.08)
    ax.set_xticks([0, 1], ["each school\non its own", "predicted by\nthe model"])
    ax.set_ylabel("Slope of achievement on SES")


def draw(folder: Path) -> None:
    """Write the pictures."""
    title = CONFIG["title"]
    mlm.use_course_style()
    schools = school_slopes()
    figure, ax = plt.subplots(figsize=(6.2, 3.6))
    shrinkage(ax, schools, 1)
    ax.plot([], [], color=mlm.figures.CATHOLIC, label="the 20 smallest schools")
    ax.plot([], [], color=mlm.figures.PUBLIC, label="the others")
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=2, fontsize=9)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "shrinkage.svg").write_text(mlm.notebook.figure_to_svg(figure), "utf-8")
    figure.savefig(folder / "shrinkage.pdf", metadata={"CreationDate": None})
    card, ax = plt.subplots(figsize=(12, 6.3), dpi=100, facecolor="white", layout="none")
    ax.set_position([0.63, 0.13, 0.33, 0.8])
    shrinkage(ax, schools, 1.8)
    card.text(0.05, 0.62, textwrap.fill(title, 20), fontsize=32, fontweight="bold", linespacing=1.25)
    card.text(0.05, 0.36, f"A course in Python with one real\ndata set: {len(schools)} schools,\n"
              f"{schools['n'].sum():,} students", fontsize=20, linespacing=1.4)
    card.savefig(folder / "card.png", facecolor="white", metadata={"Software": None})


if __name__ == "__main__":
    draw(PICTURES)
