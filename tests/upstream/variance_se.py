"""Standard errors of variances (bse_re, the variance rows of summary) are in a wrong unit.

When the outcome is multiplied by 10, a variance and its standard error must grow by 100. The
standard error grows by 10: it is short of a factor of sqrt(scale).
"""

import numpy as np
from statsmodels.regression.mixed_linear_model import MixedLM

rng = np.random.default_rng(0)
g = np.repeat(np.arange(100), 10)
y = 1 + 2 * rng.normal(size=100)[g] + 3 * rng.normal(size=1000)
fits = [MixedLM(unit * y, np.ones(1000), g).fit() for unit in (1, 10)]

variance, se = (float(fits[1].cov_re[0, 0] / fits[0].cov_re[0, 0]), float(fits[1].bse_re[0] / fits[0].bse_re[0]))
print(f"expected: both grow by 100; the variance grows by {variance:.1f}, its standard error by {se:.1f}")
fault = abs(se / variance - 1) > 0.01
