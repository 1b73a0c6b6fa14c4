"""Write messy.csv: a simulated study with the faults that files have, for the chapter on data of your own.

    python data/make_messy.py

What is true of it is known: `TRUTH`. The seed is the first there is.
"""

from pathlib import Path

import numpy as np
import pandas as pd

TRUTH = {"before": 0.5, "alliance_cwc": -1.5, "alliance_mean": -3.0, "experience": 0.0, "sd Intercept": 2.0, "sd residual": 5.0}


def simulate():
    """The study as it would be without faults: patients with therapists, who are numbered from 1 in each clinic."""
    rng = np.random.default_rng(1)
    therapists = pd.MultiIndex.from_product([["North", "South", "West"], range(1, 13)], names=["clinic", "therapist"])
    therapists = therapists.to_frame(index=False)
    therapists["experience"] = rng.integers(1, 26, len(therapists))
    therapists["mean"] = rng.normal(4.8, 0.5, len(therapists))
    therapists["u"] = rng.normal(0, TRUTH["sd Intercept"], len(therapists))
    patients = rng.integers(5, 15, len(therapists))
    patients[-1] = 1
    data = therapists.loc[therapists.index.repeat(patients)].reset_index(drop=True)
    n = len(data)
    data.insert(2, "patient", [f"P{number:03d}" for number in range(1, n + 1)])
    data["before"] = rng.normal(30, 7, n).round().astype(int)
    within = rng.normal(0, 0.9, n)
    data["alliance"] = (data["mean"] + within).clip(1, 7).round(1)
    within = data["alliance"] - data["mean"]
    data["after"] = (20 + TRUTH["before"] * (data["before"] - 30) + TRUTH["alliance_cwc"] * within
                     + TRUTH["alliance_mean"] * (data["mean"] - 4.8) + TRUTH["experience"] * data["experience"]
                     + data["u"] + rng.normal(0, TRUTH["sd residual"], n)).round()
    # Who began with more symptoms is more often gone before the end.
    data.loc[rng.random(n) < 1 / (1 + np.exp(3.2 - 0.12 * (data["before"] - 30))), "after"] = np.nan
    return data.drop(columns=["mean", "u"]), rng


def spoil(data, rng):
    """Put in the faults, each as it stands in real files."""
    rows = iter(rng.permutation(len(data)))
    messy = data.assign(alliance=data["alliance"].map("{:.1f}".format), after=data["after"].astype("Int64"))
    south = messy["clinic"] == "South"  # exported where the decimal sign is a comma
    messy.loc[south, "alliance"] = messy.loc[south, "alliance"].str.replace(".", ",")
    messy.loc[[next(rows) for _ in range(9)], "alliance"] = "?"
    messy.loc[[next(rows) for _ in range(7)], "before"] = 999
    north = [row for row in rows if messy.loc[row, "clinic"] == "North"]
    messy.loc[north[:2], "clinic"] = "north"
    messy.loc[north[2], "clinic"] = "North "
    return pd.concat([messy, messy.loc[north[3:4]]])  # entered twice


if __name__ == "__main__":
    target = Path(__file__).with_name("messy.csv")
    spoil(*simulate()).to_csv(target, index=False, lineterminator="\n")
    print(f"{target.name}: {len(pd.read_csv(target))} rows")
