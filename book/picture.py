"""Draw the picture of the home page and the card that is shown where somebody shares a link.

    python book/picture.py FOLDER     write shrinkage.svg, shrinkage.pdf and card.png
"""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "chapters"))

import matplotlib  # noqa: E402

matplotlib.use("agg")

import matplotlib.pyplot as plt  # noqa: E402
import pandas as pd  # noqa: E402

import mlm  # noqa: E402


def school_means() -> pd.DataFrame:
    """Each school's mean achievement on its own, and as the null model predicts it."""
    hsb = mlm.load_hsb()
    fit = mlm.mixedlm("mathach ~ 1", hsb, groups="schid")
    schools = hsb.groupby("schid", observed=True)["mathach"].agg(["mean", "size"])
    schools["predicted"] = [fit.fe_params.iloc[0] + fit.random_effects[school].iloc[0] for school in schools.index]
    return schools


def shrinkage(ax, schools: pd.DataFrame, size: float) -> None:
    """Lines from each school's own mean to its prediction; the twenty smallest schools stand out."""
    small = schools["size"].rank(method="first") <= 20
    for chosen, color, alpha, width in [(~small, mlm.figures.PUBLIC, 0.35, 1), (small, mlm.figures.CATHOLIC, 0.9, 1.6)]:
        ax.plot([0, 1], schools.loc[chosen, ["mean", "predicted"]].T, color=color, alpha=alpha, linewidth=width * size)
        for x, column in enumerate(["mean", "predicted"]):
            ax.scatter([x] * chosen.sum(), schools.loc[chosen, column], s=9 * size, color=color, alpha=alpha, zorder=3)
    ax.set_xlim(-0.08, 1.08)
    ax.set_xticks([0, 1], ["each school on its own", "predicted by the model"])
    ax.set_ylabel("Mean achievement of a school")


def draw(folder: Path) -> None:
    """Write the pictures."""
    mlm.use_course_style()
    schools = school_means()
    figure, ax = plt.subplots(figsize=(6.2, 3.6))
    shrinkage(ax, schools, 1)
    ax.plot([], [], color=mlm.figures.CATHOLIC, label="the 20 smallest schools")
    ax.plot([], [], color=mlm.figures.PUBLIC, label="the others")
    ax.legend(loc="upper right", fontsize=9)
    folder.mkdir(parents=True, exist_ok=True)
    figure.savefig(folder / "shrinkage.svg", metadata={"Date": None})
    figure.savefig(folder / "shrinkage.pdf", metadata={"CreationDate": None})
    card, ax = plt.subplots(figsize=(12, 6.3), dpi=100, facecolor="white", layout="none")
    ax.set_position([0.56, 0.13, 0.4, 0.78])
    shrinkage(ax, schools, 1.8)
    card.text(0.05, 0.62, "Introduction to\nMultilevel Modeling", fontsize=37, fontweight="bold", linespacing=1.25)
    card.text(0.05, 0.36, f"A course in Python with one real\ndata set: {len(schools)} schools,\n"
              f"{schools['size'].sum():,} students", fontsize=20, linespacing=1.4)
    card.savefig(folder / "card.png", facecolor="white", metadata={"Software": None})


if __name__ == "__main__":
    draw(Path(sys.argv[1]))
