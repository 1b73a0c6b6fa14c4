"""The data card, whose text is data/README.md."""

import numpy as np

import mlm


def test_the_shipped_means_are_the_students_means_plus_six_thousandths():
    schools = mlm.load_hsb().groupby("schid", observed=True)
    expected = schools["ses"].mean() + 0.006
    # half a unit of the third digit; the mean of one school lies exactly between two
    np.testing.assert_allclose(schools["meanses"].first(), expected, rtol=0, atol=0.0005 + 1e-12)
