"""MixedLM.score has the wrong sign in a column of the Cholesky factor whose diagonal is negative.

The log-likelihood is the same for the factors L and L with a column's sign turned round. Its
derivative in that column must turn round too. `score` takes the derivative at the positive
factor whatever the sign, so optimisers that step into that half-space are led uphill.
"""

import numpy as np
from statsmodels.regression.mixed_linear_model import MixedLM, MixedLMParams

rng = np.random.default_rng(0)
g, x = np.repeat(np.arange(100), 10), rng.normal(size=1000)
u = rng.normal(size=(100, 2)) * [2, 0.5]
y = 1 + x + u[g, 0] + u[g, 1] * x + 3 * rng.normal(size=1000)
X = np.column_stack([np.ones(1000), x])

model = MixedLM(y, X, g, exog_re=X)
model.reml, model.use_sqrt, model.cov_pen, model.fe_pen, model._freepat = False, True, None, None, None


def packed(factor):
    return MixedLMParams.from_packed(np.asarray(factor), 2, 2, use_sqrt=True, has_fe=False)


factor = np.array([0.5, 0.1, -0.3])  # lower triangle, row by row
score = model.score(packed(factor), profile_fe=True)
steps = 1e-5 * np.eye(3)
numerical = [(model.loglike(packed(factor + h)) - model.loglike(packed(factor - h))) / 2e-5 for h in steps]
print("expected (finite differences):", np.round(numerical, 3))
print("score:                        ", np.round(score, 3))
fault = not np.allclose(score, numerical, rtol=1e-3)
