"""Standard errors of fixed effects come from the joint Hessian instead of generalised least squares.

At the same estimates, SAS, HLM and lme4 report the roots of the diagonal of (X'V^-1 X)^-1, the
inverse of the expected information; here they differ from it.
"""

import numpy as np
from statsmodels.regression.mixed_linear_model import MixedLM

rng = np.random.default_rng(3)
g, x = np.repeat(np.arange(20), 5), rng.normal(size=100)
u = rng.normal(size=(20, 2)) * [1, 0.7]
y = 1 + x + u[g, 0] + u[g, 1] * x + rng.normal(size=100)
X = np.column_stack([np.ones(100), x])
fit = MixedLM(y, X, g, exog_re=X).fit()

information = 0
for Xj, Zj in zip(fit.model.exog_li, fit.model.exog_re_li):
    V = Zj @ fit.cov_re @ Zj.T + fit.scale * np.eye(len(Xj))
    information = information + Xj.T @ np.linalg.solve(V, Xj)
gls = np.sqrt(np.diag(np.linalg.inv(information)))
print("expected (GLS):", gls, " bse_fe:", np.asarray(fit.bse_fe), " ratio:", np.asarray(fit.bse_fe) / gls)
fault = not np.allclose(fit.bse_fe, gls, rtol=1e-4)
