"""What the page on the data claims."""

import re

import numpy as np
import pytest
from scipy import stats

import mlm
from conftest import ROOT
from course import fit, hsb


def schools():
    return hsb().groupby("schid", observed=True)


def f_value(variable, data=None):
    """F of the analysis of variance over schools, with its degrees of freedom."""
    data = hsb() if data is None else data
    means = data.groupby("schid", observed=True)[variable].transform("mean")
    n, k = len(data), data["schid"].nunique()
    between = ((means - data[variable].mean()) ** 2).sum() / (k - 1)
    return between / (((data[variable] - means) ** 2).sum() / (n - k)), k - 1, n - k


def interval(variable, data=None):
    """The 95 % interval of ICC1 that follows from that of F."""
    f, df1, df2 = f_value(variable, data)
    size = (df1 + df2 + 1) / (df1 + 1)
    return [(f / q - 1) / (f / q + size - 1) for q in stats.f.ppf([0.975, 0.025], df1, df2)]


def icc(variable):
    return mlm.between_within(hsb(), [variable], "schid").loc[variable]


@pytest.mark.claim("A row is a student, and some columns belong to the school: describe each at its own level.", "Level 2.")
def test_levels():
    most = schools().nunique().max()
    assert set(most.index[most == 1]) == {"size", "schtype", "meanses"}


@pytest.mark.claim("About a sixth of the variance of mathematics achievement lies between schools, and about a quarter of that of SES.")
def test_shares():
    def nearest(share):
        return min(range(2, 10), key=lambda n: abs(1 / n - share))
    assert nearest(icc("mathach")["ICC1"]) == 6 and nearest(icc("ses")["ICC1"]) == 4


@pytest.mark.claim("and the two intervals don't overlap")
def test_intervals_of_achievement_and_ses():
    assert interval("mathach")[1] < interval("ses")[0]


@pytest.mark.claim("Two students of the same school are not independent observations.")
def test_students_of_a_school_are_alike():
    assert stats.f.sf(*f_value("mathach")) < 1e-6 and interval("mathach")[0] > 0


@pytest.mark.claim("ICC1 is about single students, ICC2 about means of schools.")
def test_icc2_is_that_of_a_mean():
    one, size = icc("mathach"), len(hsb()) / 160
    # Spearman and Brown: the reliability of a mean of `size` students
    assert one["ICC2"] == pytest.approx(size * one["ICC1"] / (1 + (size - 1) * one["ICC1"]), rel=1e-9)


@pytest.mark.claim("`meanses` is a shipped column, not the mean of `ses` in these data.",
                   "`meanses` is the mean moved by a constant, and is shipped as it is.")
def test_trap():
    moved, means = schools()["meanses"].first(), schools()["ses"].mean()
    assert (moved > means).all()
    assert ((means + 0.006).round(3) == moved.round(3)).sum() == 159  # the last one is a tie of rounding
    assert (moved - means - 0.006).abs().max() < 0.00051
    assert abs(moved.mean()) < 0.001 < abs(means.mean())  # centered over schools


@pytest.mark.claim("It is the size of the school of an average student in the data, not that of an average school.")
def test_mean_over_rows():
    size, n = schools()["size"].first(), schools().size()
    assert hsb()["size"].mean() == pytest.approx((size * n).sum() / n.sum(), rel=1e-12)
    assert abs(hsb()["size"].mean() - size.mean()) > 20


@pytest.mark.claim("the scores are spread more evenly over the scale than normal ones, with short tails")
def test_shape_of_achievement():
    row = mlm.describe(hsb()).loc["mathach"]
    assert row["mad"] > 1.1 * row["sd"] and row["kurtosis"] < -0.5


@pytest.mark.claim("But here the residuals have short tails as well, since the predictors account for little")
@pytest.mark.parametrize("formula, slope", [("mathach ~ 1", None), ("mathach ~ ses_cwc", "~ ses_cwc"),
                                            ("mathach ~ meanses * ses_cwc + schtype * ses_cwc", "~ ses_cwc")])
def test_short_tails_stay_in_the_residuals(formula, slope):
    model = fit(formula, slope)
    assert stats.kurtosis(model.resid) < -0.4 and mlm.r_squared(model).iloc[0] < 0.25
    # normal residuals and these predictors don't make such an outcome
    assert stats.kurtosis(mlm.simulate(model, 100, seed=1)).min() > -0.3 > stats.kurtosis(hsb()["mathach"]) + 0.5


@pytest.mark.claim("it stands wherever these rows are grouped by school.")
def test_grouping_by_school_keeps_to_the_schools_at_hand():
    calls = [call for page in (ROOT / "chapters").glob("*.md")
             for call in re.findall(r"\.groupby\([^()]*schid[^()]*\)", page.read_text("utf-8"))]
    assert len(calls) > 20 and [call for call in calls if "observed=True" not in call] == []


@pytest.mark.claim("within each sector, the number of a school's students in the data is nearly uncorrelated with its mean.")
def test_number_and_mean():
    table = schools().agg(n=("mathach", "size"), mean=("mathach", "mean"), sector=("schtype", "first"))
    for _, sector in table.groupby("sector"):
        assert abs(sector["n"].corr(sector["mean"])) < 0.1


@pytest.mark.claim("it may be zero.")
def test_sectors():
    """The difference of ICC1 between the sectors, with its standard error by a jackknife of schools."""
    def by_schools(part):
        groups = part.groupby("schid", observed=True)["ses"]
        return np.array([groups.size(), groups.mean(), groups.var()])

    def icc1(n, mean, var):
        size = n.mean()
        between, within = n @ (mean - n @ mean / n.sum()) ** 2 / (len(n) - 1), (n - 1) @ var / (n - 1).sum()
        return (between - within) / (between + (size - 1) * within)

    estimates, variances = [], []
    for _, part in hsb().groupby("schtype"):
        table = by_schools(part)
        J, left = table.shape[1], part.assign(schid=part["schid"].cat.remove_unused_categories())
        assert icc1(*table) == pytest.approx(mlm.between_within(left, ["ses"], "schid").loc["ses", "ICC1"], rel=1e-9)
        without = [icc1(*np.delete(table, j, axis=1)) for j in range(J)]
        estimates.append(icc1(*table))
        variances.append((J - 1) * np.var(without))
    gap, se = estimates[1] - estimates[0], np.sqrt(sum(variances))
    assert 0.05 < gap < 0.1 and 1.5 < gap / se < 1.96


@pytest.mark.claim("It has no weights of the survey's design.")
def test_the_file_has_no_weights():
    assert (ROOT / "data/hsb.csv").read_text("utf-8").split("\n")[0] == "schid,minority,female,ses,mathach,size,schtype,meanses"
