"""Reading the output."""

import pytest

from course import fit


@pytest.mark.claim("those of the gray lines, which are shrunken, differ less")
def test_slopes_of_the_predicted_lines_differ_less_than_the_true_ones():
    model = fit("mathach ~ ses_cwc", "~ ses_cwc")
    assert model.blups["ses_cwc"].std() < 0.7 * model.cov_re.iloc[1, 1] ** 0.5


@pytest.mark.claim("The random-coefficients model has six: two $\\gamma$, three $\\tau$ and $\\sigma^2$; the cross-level model has ten")
def test_numbers_of_parameters():
    simple = fit("mathach ~ ses_cwc", "~ ses_cwc")
    cross = fit("mathach ~ meanses * ses_cwc + schtype * ses_cwc", "~ ses_cwc")
    assert [len(model.fe_params) + model.k_re2 + 1 for model in (simple, cross)] == [6, 10]
