"""Descriptive statistics against R's psych (tests/reference/describe.json)."""

import pandas as pd
import pytest

import mlm


def test_describe_equals_psych(hsb, reference):
    ours, theirs = mlm.describe(hsb), reference("describe")["student_level"]
    for variable in ["minority", "female", "ses", "mathach", "size", "schtype", "meanses"]:
        for statistic in ours.columns:
            # Rounding of sums over 7185 rows: far below 1e-9 relative.
            assert ours.loc[variable, statistic] == pytest.approx(theirs[variable][statistic], rel=1e-9, abs=1e-12)


def test_between_within_equals_psych(hsb, reference):
    theirs = reference("describe")
    ours = mlm.between_within(hsb, list(theirs["icc1"]), "schid")
    for variable in theirs["icc1"]:
        assert ours.loc[variable, "ICC1"] == pytest.approx(theirs["icc1"][variable], rel=1e-9)
        assert ours.loc[variable, "ICC2"] == pytest.approx(theirs["icc2"][variable], rel=1e-9)


def test_describe_leaves_out_names_and_gaps():
    frame = pd.DataFrame({"school": ["a", "b", "c"], "x": [1.0, None, 3.0]})
    described = mlm.describe(frame)
    assert described.index.tolist() == ["x"]
    assert described.loc["x", ["n", "mean", "sd"]].tolist() == [2, 2.0, pytest.approx(2**0.5)]
