"""Errata."""

import pytest

import mlm
from course import fit, hsb


def digits(number, places):
    """The first digits of a number, rounded to so many."""
    return f"{number:.{places}g}"


@pytest.mark.claim("an intercept that differs in the third or fourth digit")
def test_recomputed_means_move_intercepts_in_the_third_or_fourth_digit():
    for shipped, own in (("meanses", "ses_mean"), ("meanses * ses_cwc + schtype * ses_cwc", "ses_mean * ses_cwc + schtype * ses_cwc")):
        theirs, ours = (fit(f"mathach ~ {formula}", "~ ses_cwc" if "cwc" in formula else None).fe_params for formula in (own, shipped))
        assert digits(theirs["Intercept"], 4) != digits(ours["Intercept"], 4)
        assert digits(theirs["Intercept"], 2) == digits(ours["Intercept"], 2)
        assert digits(theirs.iloc[1], 3) == digits(ours.iloc[1], 3)  # the slope between schools stays


@pytest.mark.claim("also coefficients of `meanses` and of the sector that differ in the third digit")
def test_centering_at_the_shipped_means_moves_two_coefficients_in_the_third_digit():
    data = hsb().assign(x=hsb()["ses"] - hsb()["meanses"])
    theirs = mlm.mixedlm("mathach ~ meanses * x + schtype * x", data, "schid", "~ x").fe_params
    ours = fit("mathach ~ meanses * ses_cwc + schtype * ses_cwc", "~ ses_cwc").fe_params
    for name in ("meanses", "schtype"):
        assert digits(theirs[name], 3) != digits(ours[name], 3) and digits(theirs[name], 2) == digits(ours[name], 2)


@pytest.mark.claim("`logic.md::last_all:d` students are in")
def test_the_fourteenth_school_is_cut():
    assert (hsb().head(550)["schid"] == "1637").sum() == 20 and (hsb()["schid"] == "1637").sum() == 27
