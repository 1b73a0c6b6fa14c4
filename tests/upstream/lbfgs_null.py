"""A random-intercept model fitted by lbfgs says `converged` with an infinite log-likelihood.

The first unit step of the line search lands on a variance of exactly 0, where `loglike` returns
+inf; no other point can be better.
"""

import warnings

import numpy as np
from statsmodels.regression.mixed_linear_model import MixedLM

rng = np.random.default_rng(0)
g = np.repeat(np.arange(100), 10)
y = 1 + 2 * rng.normal(size=100)[g] + 3 * rng.normal(size=1000)

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # what it warns of is the Hessian, not the solution
    fit = MixedLM(y, np.ones(1000), g).fit(method="lbfgs")
print("expected: a finite log-likelihood, or converged False")
print(f"result:   log-likelihood {fit.llf}, variance {fit.cov_re[0, 0]}, converged {fit.converged}")
fault = bool(fit.converged and not np.isfinite(fit.llf))
