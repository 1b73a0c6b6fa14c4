"""MixedLMParams.get_packed drops the covariances of a singular covariance matrix.

A correlation of 1 is a legitimate estimate. Its Cholesky factor fails, and the matrix is replaced
by its diagonal without a word.
"""

import numpy as np
from statsmodels.regression.mixed_linear_model import MixedLMParams

tau = np.array([[1.0, 1.0], [1.0, 1.0]])
packed = MixedLMParams.from_components(np.zeros(1), cov_re=tau).get_packed(use_sqrt=True, has_fe=True)
back = MixedLMParams.from_packed(packed, 1, 2, use_sqrt=True, has_fe=True).cov_re
print(f"expected: {tau.tolist()}\nresult:   {back.tolist()}")
fault = not np.allclose(back, tau)
