"""What the page on random effects and residuals claims."""

import numpy as np
import pytest

import mlm
from course import fit, hsb

NOT_COMPUTED = {
    "are deviations of a school's intercept and slope from the averages; $r_{ij}$ is the deviation of a student": "definitions of the three residuals",
    "Report variances, not single residuals;": "advice on how to report",
}


def model():
    return fit("mathach ~ ses", "~ ses")


def parts():
    """Fixed part, school's part and student's part of every student."""
    m, codes, x = model(), hsb()["schid"].cat.codes.to_numpy(), hsb()["ses"]
    u = m.blups.to_numpy()[codes]
    return m.fe_params["Intercept"] + m.fe_params["ses"] * x, u[:, 0] + u[:, 1] * x, m.resid


def intercepts():
    return mlm.blups(model()).xs("Intercept", level="effect")


@pytest.mark.claim("None of them is observed. Their predictions vary less than they do.",
                   "Predictions are shrunken, so they vary less than the true effects.",
                   "so their variance falls short of $\\hat\\tau_{00}$ by about the average squared uncertainty that is left.")
def test_predictions_vary_less():
    variance, left = intercepts()["estimate"].var(), (intercepts()["sd"] ** 2).mean()
    tau00 = model().cov_re.iloc[0, 0]
    assert variance < 0.9 * tau00
    assert variance + left == pytest.approx(tau00, rel=0.02)  # exact only for schools of one size


@pytest.mark.claim("That deviation is $u_{0j} + u_{1j}X_{ij} + r_{ij}$. $r_{ij}$ is what is left when the school is known.")
def test_parts_add_up():
    fixed, school, student = parts()
    assert (hsb()["mathach"] - fixed).to_numpy() == pytest.approx((school + student).to_numpy(), abs=1e-9)
    assert (student - (hsb()["mathach"] - fixed)).abs().max() > 1


@pytest.mark.claim("Predictions are uncertain; most neighbors in such a ranking can't be told apart.")
def test_neighbors_in_a_ranking():
    ranked = intercepts().sort_values("estimate")
    apart = ranked["estimate"].diff() > 1.96 * np.hypot(ranked["sd"], ranked["sd"].shift())
    assert apart.mean() < 0.5


@pytest.mark.claim("$r_{ij}$ is positive, the school's part negative.")
def test_signs():
    fixed, school, student = parts()
    here = (hsb()["mathach"] < fixed) & (hsb()["mathach"] > fixed + school)
    assert here.sum() > 50 and (student[here] > 0).all() and (school[here] < 0).all()


@pytest.mark.claim("The prediction allows for the sampling error in the OLS intercept.",
                   "The less certain the school's own intercept is, the more the BLUP is, as a rule, drawn toward zero.")
def test_the_less_certain_the_more_it_is_drawn():
    own = mlm.figures.ols_lines(hsb())["intercept"] - model().fe_params["Intercept"]
    kept = intercepts()["estimate"].to_numpy() / own
    far = own.abs() > 1.5  # of a deviation near zero, no share can be told
    reliability = mlm.reliability(model())["Intercept"]
    assert (kept[far] < 1).mean() > 0.9 and kept[far].corr(reliability[far], method="spearman") > 0.3


@pytest.mark.claim("One for each school, and none of them is a parameter.", "The model has six parameters:")
def test_none_is_a_parameter():
    assert len(intercepts()) == 160 and len(model().params) + 1 == 6


@pytest.mark.claim("The gap of", "This one is no fault of the model but the mark of partial pooling.",
                   "in schools that are predicted above the average the residuals are, on average, above zero too.")
def test_covariances_of_the_parts():
    fixed, school, student = parts()
    assert fixed.cov(school) > 0.5 and school.cov(student) > 0.5 and abs(fixed.cov(student)) < 1e-6
    means = student.groupby(hsb()["schid"], observed=True).mean().to_numpy()
    assert np.corrcoef(means, intercepts()["estimate"])[0, 1] > 0.5


@pytest.mark.claim("and the low intercept of this school lifts its predicted slope, for two reasons.")
def test_slope_of_school_1224():
    """Predicted by itself, with the intercept, and with the covariance of intercepts and slopes, too."""
    m, school = model(), hsb()[hsb()["schid"] == "1224"]
    z = np.column_stack([np.ones(len(school)), school["ses"]])
    residual = school["mathach"].to_numpy() - z @ m.fe_params.to_numpy()

    def slope(tau):
        return (tau @ z.T @ np.linalg.solve(z @ tau @ z.T + m.scale * np.eye(len(school)), residual))[1]

    own = mlm.figures.ols_lines(hsb()).loc["1224", "slope"] - m.fe_params["ses"]
    alone = mlm.reliability(m).loc["1224", "ses"] * own
    together, with_covariance = slope(np.diag(np.diag(m.cov_re))), slope(m.cov_re.to_numpy())
    assert with_covariance == pytest.approx(m.blups.loc["1224"].iloc[1], rel=1e-6)
    assert alone < 0.3 * own and alone + 0.03 < together < with_covariance - 0.03
    assert (school["ses"] < 0).mean() > 0.7


@pytest.mark.claim("The school's line lies above the average line at this SES, and the student above the school's line.")
def test_student_of_1308():
    fixed, school, student = parts()
    last = hsb().index[hsb()["schid"] == "1308"][-1]
    assert school[last] > 0 and student[last] > 0
