"""Lines fitted to some students of each school and judged on the others, in closed form: fast enough for five seeds."""

import warnings

import numpy as np
import pandas as pd

import mlm
from course import hsb

SEEDS = [1, 2, 3, 4, 5]


def errors(seed, students=None):
    """Root mean squared errors on the students left out of a random split, by kind of line.

    The split takes `students` of each school, half of them by default.
    """
    data = hsb()
    draw = pd.Series(np.random.default_rng(seed).random(len(data))).groupby(data["schid"], observed=True)
    seen = draw.rank() <= (students or draw.transform("size") / 2)
    train, test = data[seen], data[~seen]
    schools = data["schid"].nunique()
    x = mlm.center_within(train["ses"], train["schid"])
    slope = (x @ train["mathach"]) / (x @ x)
    means = train.groupby("schid", observed=True)[["ses", "mathach"]].mean()
    heights = means["mathach"] - slope * means["ses"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", mlm.SingularFit)  # what is judged are predictions
        model = mlm.mixedlm("mathach ~ ses", train, "schid", "~ ses")
        intercepts = mlm.mixedlm("mathach ~ ses", train, "schid")
    level, common = intercepts.fe_params
    lines = {
        "one": np.tile(mlm.figures.ols_line(train["ses"], train["mathach"]), (schools, 1)),
        "intercepts": np.column_stack([heights, np.full(schools, slope)]),
        "lines": mlm.figures.ols_lines(train)[["intercept", "slope"]].to_numpy(),
        "pooled intercepts": np.column_stack([intercepts.blups.to_numpy()[:, 0] + level, np.full(schools, common)]),
        "pooled": model.blups.to_numpy() + model.fe_params.to_numpy(),
    }
    school = test["schid"].cat.codes
    return {name: ((test["mathach"] - line[school, 0] - line[school, 1] * test["ses"]) ** 2).mean() ** 0.5
            for name, line in lines.items()}
