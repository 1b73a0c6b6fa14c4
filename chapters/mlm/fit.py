"""`mixedlm`, a two-level linear mixed model that is certified or refused, and its results.

`design` reads the formulas, `search` finds the estimates and `likelihood` checks them; here they get
the form of statsmodels' results.
"""

import copy
import warnings
from functools import cached_property
from types import SimpleNamespace

import numpy as np
import pandas as pd
import patsy
from scipy import stats
from statsmodels.regression.mixed_linear_model import MixedLM, MixedLMParams, MixedLMResults
from statsmodels.stats.contrast import ContrastResults

from .columns import as_frame
from .design import Design
from .formulas import listed, refuse_keywords
from .likelihood import Products
from .search import estimate


class SingularFit(UserWarning):
    """The best fit lies on the boundary, such as a variance of 0 or a correlation of +-1.

    Examples
    --------
    >>> import mlm, warnings
    >>> hsb = mlm.load_hsb()
    >>> few = hsb[hsb.schid.isin(hsb.schid.unique()[:5])]
    >>> with warnings.catch_warnings(record=True) as caught:
    ...     fit = mlm.mixedlm("mathach ~ ses", few, groups="schid", re_formula="~ ses")
    >>> print(caught[0].message)
    Singular fit: the best estimate of the correlation of Intercept and ses is +1.
    """


def mixedlm(formula, data, groups, re_formula=None, reml=True, correlated=True, **unknown):
    """Fit a two-level linear mixed model, certified, or raise.

    Parameters
    ----------
    formula : str
        Response and fixed effects, as in statsmodels (patsy's formulas). It sees the
        columns of `data` and the names where `mixedlm` is called.
    data : pandas.DataFrame
        A row for each observation. Rows with missing values are left out, with a warning.
    groups : str or array_like
        The column that names each row's group, or the names themselves.
    re_formula : str, optional
        Random effects: ``"~ x"`` is an intercept and a slope, with their covariance;
        ``"~ 0 + x"`` a slope alone. By default a random intercept.
    reml : bool, default True
        Restricted maximum likelihood, or maximum likelihood.
    correlated : bool, default True
        With False, the columns of the random effects have variances and no covariances: lme4's
        ``(x || g)``, for numeric x. Such a model depends on where x is 0: an intercept and a slope
        that are uncorrelated at one origin of x are correlated at every other.

    Returns
    -------
    MixedResults

    Raises
    ------
    TypeError
        An argument that `mixedlm` doesn't have (says what to do instead), or one of another type.
    ValueError
        Something can't be estimated from these data; says what, and what to do about it.
    NotCertified
        No point passed the checks of `certify`.

    Warns
    -----
    SingularFit
        The best fit has a variance of 0, a correlation of +-1 or, with three random effects and
        more, a combination of them without variance.
    MissingRows
        Rows were left out.

    Examples
    --------
    >>> import mlm
    >>> fit = mlm.mixedlm("mathach ~ ses", mlm.load_hsb(), groups="schid", re_formula="~ ses")
    >>> fit.fe_params.round(2).to_dict()
    {'Intercept': 12.67, 'ses': 2.39}
    >>> fit.cov_re.round(2)
               Intercept   ses
    Intercept       4.83 -0.15
    ses            -0.15  0.41
    """
    refuse_keywords(unknown)
    for name, value in {"reml": reml, "correlated": correlated}.items():
        if not isinstance(value, (bool, np.bool_)):
            raise TypeError(f"{name} is True or False, not {value!r}.")
    env = patsy.EvalEnvironment.capture(0, reference=1)
    design = Design.read(formula, data, groups, re_formula, env)
    design.check_sizes()
    products = Products.of(design, correlated)
    result = MixedResults(design, products, reml, *estimate(products, reml))
    if result.singular:
        warnings.warn(result.singular, SingularFit, stacklevel=2)
    return result


class MixedResults(MixedLMResults):
    """A fitted model, with the attributes and methods of statsmodels' `MixedLMResults`.

    What differs from statsmodels: the variances in `params`, `bse` and `conf_int()` are in
    the units of `cov_re` (statsmodels divides them by `scale`). Standard errors of the
    fixed effects are those of generalized least squares, as in lme4, HLM and SAS; those of
    the variances come from the observed information, and are not a number for a singular
    fit, where no normal theory holds. The random intercept is called Intercept, not Group.

    Attributes
    ----------
    singular : str
        Empty, or what makes the fit singular.
    elements : tuple of ndarray
        Rows and columns of the elements of `cov_re` that are estimated: its lower triangle, or
        its diagonal if the random effects are uncorrelated.
    certificate : Certificate
        What was checked at the optimum, see `certify`, and how often the deviance was computed.

    Examples
    --------
    >>> import mlm
    >>> fit = mlm.mixedlm("mathach ~ ses", mlm.load_hsb(), groups="schid")
    >>> isinstance(fit, mlm.MixedResults), round(fit.llf, 2), round(fit.scale, 2)
    (True, -23322.58, 37.03)
    """

    llf = None  # set for each fit; statsmodels has a read-only property of this name

    def __init__(self, design, products, reml, T, at, certificate):
        self.design, self.products, self.reml, self.method = design, products, reml, "REML" if reml else "ML"
        self.T, self.at, self.certificate = T, at, certificate
        n, p, q = products.n, products.p, products.q
        self.df = n - p * reml
        self.scale = float(products.unit**2 * at.r2 / self.df)
        jacobian = 2 * self.df * np.log(products.unit) + 2 * reml * np.log(np.abs(np.diag(products.Rx))).sum()
        self.llf = float(-(at.value + jacobian) / 2)
        self.to_random = np.linalg.inv(products.Rz)
        self.elements = np.tril_indices(q) if products.correlated else (np.arange(q),) * 2
        tau = self.scale * self.to_random @ T @ self.to_random.T
        self.zero = np.diag(tau) < 1e-9 * self.scale * (self.to_random**2).sum(axis=1)
        tau[self.zero] = tau[:, self.zero] = 0
        self.tau = (tau + tau.T) / 2
        # what statsmodels' own methods look for
        self.k_fe, self.k_re, self.k_re2, self.k_vc = p, q, len(self.elements[0]), 0
        self.converged, self.nobs, self.df_resid, self._use_t = True, n, n - p, False
        self.vcomp, self.freepat, self.cov_pen, self._cache = np.array([]), None, None, {}
        self._data_attr, self._data_in_cache = [], []
        self.singular = self._singularity()

    def _singularity(self):
        if self.zero.any():
            names = listed(name for name, zero in zip(self.design.random, self.zero) if zero)
            return f"Singular fit: the best estimate of the variance of {names} is 0."
        sd = np.sqrt(np.diag(self.T))
        if np.linalg.eigvalsh(self.T / np.outer(sd, sd))[0] > 1e-10:
            return ""
        if self.k_re == 2:
            sign = "+1" if self.tau[0, 1] > 0 else "-1"
            pair = " and ".join(self.design.random)
            return f"Singular fit: the best estimate of the correlation of {pair} is {sign}."
        return f"Singular fit: a combination of the random effects {listed(self.design.random)} has variance 0."

    # -- estimates

    @cached_property
    def fe_params(self):
        """Estimated fixed effects."""
        beta = np.linalg.solve(self.products.Rx, self.products.ols + self.products.unit * self.at.coef)
        return pd.Series(beta, index=self.design.fixed)

    @cached_property
    def cov_fixed(self):
        """Covariance matrix of the fixed effects by generalized least squares: s2 (X'V^-1 X)^-1."""
        half = np.linalg.inv(self.at.R.T @ self.products.Rx)
        return pd.DataFrame(self.scale * half @ half.T, index=self.design.fixed, columns=self.design.fixed)

    @cached_property
    def bse_fe(self):
        """Standard errors of the fixed effects."""
        return np.sqrt(pd.Series(np.diag(self.cov_fixed), index=self.design.fixed))

    @cached_property
    def cov_re(self):
        """Covariance matrix of the random effects (tau00, tau10, tau11 ...)."""
        return pd.DataFrame(self.tau, index=self.design.random, columns=self.design.random)

    @property
    def cov_re_unscaled(self):
        """`cov_re` over `scale`."""
        return self.cov_re / self.scale

    @cached_property
    def params(self):
        """Fixed effects, then the `elements` of `cov_re`."""
        names = self.design.random
        labels = [f"{names[i]} Var" if i == j else f"{names[j]} x {names[i]} Cov" for i, j in zip(*self.elements)]
        return pd.concat([self.fe_params, pd.Series(self.tau[self.elements], index=labels)])

    # -- standard errors of the variances

    @cached_property
    def cov_variances(self):
        """Covariance matrix of the variance parameters, ``Residual Var`` (sigma2) last.

        The inverse of the observed information of the (restricted) likelihood in
        (tau, sigma2); not a number for a singular fit.
        """
        names = [*self.params.index[self.k_fe :], "Residual Var"]
        covariance = np.full((len(names), len(names)), np.nan)
        if not self.singular:
            steps = np.array([*self._unit_steps(), -self.T / self.scale]).reshape(len(names), -1)
            # the profiled deviance has sigma2 at its best; this is what it costs to leave that
            observed = (self.at.v.T @ self.at.v).ravel()
            cost = steps @ observed / self.df
            cost[-1] += 1 / self.scale
            covariance = 2 * np.linalg.inv(steps @ self.at.K @ steps.T + self.df * np.outer(cost, cost))
        return pd.DataFrame(covariance, index=names, columns=names)

    def _unit_steps(self):
        """How T moves with each of the `elements` of `cov_re`, sigma2 fixed."""
        for i, j in zip(*self.elements):
            unit = np.zeros((self.k_re, self.k_re))
            unit[i, j] = unit[j, i] = 1 / self.scale
            yield self.products.Rz @ unit @ self.products.Rz.T

    @cached_property
    def bse_re(self):
        """Standard errors of the `elements` of `cov_re`, in its units."""
        return np.sqrt(pd.Series(np.diag(self.cov_variances), index=self.cov_variances.index))[:-1]

    @cached_property
    def normalized_cov_params(self):
        """Covariance matrix of `params` over `scale`; fixed effects and variances are uncorrelated."""
        covariance = np.zeros((len(self.params), len(self.params)))
        covariance[: self.k_fe, : self.k_fe] = self.cov_fixed
        covariance[self.k_fe :, self.k_fe :] = self.cov_variances.iloc[:-1, :-1]
        return pd.DataFrame(covariance / self.scale, index=self.params.index, columns=self.params.index)

    @cached_property
    def bse(self):
        """Standard errors of `params`."""
        return pd.concat([self.bse_fe, self.bse_re])

    @cached_property
    def tvalues(self):
        """`params` over `bse`."""
        return self.params / self.bse

    @cached_property
    def pvalues(self):
        """Two-sided p values of the z tests of `params` against 0."""
        return pd.Series(2 * stats.norm.sf(np.abs(self.tvalues)), index=self.params.index)

    # -- what the groups and rows are predicted to be

    @cached_property
    def blups(self):
        """Predicted random effects: a data frame, a row for each group."""
        effects = np.sqrt(self.scale) * self.at.v @ self.T @ self.to_random.T
        effects[:, self.zero] = 0
        return pd.DataFrame(effects, index=self.design.labels, columns=self.design.random)

    @cached_property
    def blups_cov(self):
        """Their conditional covariance matrices given the estimates, shape (J, q, q)."""
        inner = self.T - self.T @ self.at.W @ self.T
        return self.scale * self.to_random @ inner @ self.to_random.T

    @cached_property
    def random_effects(self):
        """Predicted random effects (BLUPs): group -> Series."""
        return dict(zip(self.blups.index.tolist(), (row for _, row in self.blups.iterrows())))

    @cached_property
    def random_effects_cov(self):
        """Conditional covariance matrix of the random effects: group -> data frame."""
        names = self.design.random
        return {label: pd.DataFrame(matrix, index=names, columns=names)
                for label, matrix in zip(self.design.labels.tolist(), self.blups_cov)}

    @cached_property
    def fittedvalues(self):
        """X g + Z u: the fixed effects and the predicted random effects, for each row."""
        effects = (self.design.Z * self.blups.to_numpy()[self.design.codes]).sum(axis=1)
        return pd.Series(self.design.X @ self.fe_params.to_numpy() + effects, index=self.design.index)

    @cached_property
    def resid(self):
        """The response less `fittedvalues`."""
        return self.design.y - self.fittedvalues

    def predict(self, exog=None):
        """The fixed part X g, for the rows of the fit or for new data.

        `exog` is a data frame with the columns of the formula, or a matrix X.
        """
        if exog is None:
            return pd.Series(self.design.X @ self.fe_params.to_numpy(), index=self.design.index)
        if isinstance(exog, (np.ndarray, list, tuple)):
            return np.asarray(exog) @ self.fe_params.to_numpy()
        exog = as_frame(exog)
        return pd.Series(next(self.design.of_new(exog)) @ self.fe_params.to_numpy(), index=exog.index)

    # -- statsmodels' machinery

    def profile_re(self, *args, **kwargs):
        """Not available: statsmodels' version refits by its own optimiser."""
        raise NotImplementedError("Use mlm.variance_intervals(fit) for profile intervals.")

    @cached_property
    def model(self):
        """statsmodels' own model object; built only when something asks for it."""
        design = self.design
        y = pd.Series(design.y, index=design.index, name=design.response)
        X, Z = (pd.DataFrame(part, index=design.index, columns=names)
                for part, names in ((design.X, design.fixed), (design.Z, design.random)))
        return MixedLM(y, X, np.asarray(design.labels)[design.codes], exog_re=Z)

    @property
    def params_object(self):
        """The parameters as statsmodels packs them, variances over `scale`."""
        return MixedLMParams.from_components(self.fe_params.to_numpy(), cov_re=self.cov_re_unscaled.to_numpy())

    def _plain(self):
        """A copy with arrays instead of labelled frames: what statsmodels' methods compute with."""
        plain = copy.copy(self)
        for name in ("params", "fe_params", "cov_re", "bse", "normalized_cov_params"):
            plain.__dict__[name] = getattr(self, name).to_numpy()
        names = list(self.params.index)
        plain.model = SimpleNamespace(  # what they read of the model; the real one takes time
            endog_names=self.design.response, data=SimpleNamespace(param_names=names, cov_names=names),
            n_totobs=self.nobs, n_groups=len(self.design.labels),
            endog_li=[range(size) for size in np.bincount(self.design.codes)])
        return plain

    def _constraint(self, r_matrix):
        """Matrix and values of linear hypotheses about the fixed effects."""
        if not isinstance(r_matrix, (str, dict, tuple)):
            r_matrix = np.atleast_2d(r_matrix)
            if r_matrix.shape[1] == len(self.params) and not r_matrix[:, self.k_fe :].any():
                r_matrix = r_matrix[:, : self.k_fe]
        constraint = patsy.DesignInfo(self.design.fixed).linear_constraint(r_matrix)
        return constraint.coefs, constraint.constants.ravel()

    def t_test(self, r_matrix, cov_p=None, use_t=None):
        """Test linear hypotheses about the fixed effects: ``"ses = 2"``, or a matrix with p columns."""
        R, values = self._constraint(r_matrix)
        effect = R @ self.fe_params.to_numpy()
        sd = np.sqrt(np.diag(R @ (self.cov_fixed.to_numpy() if cov_p is None else cov_p) @ R.T))
        law = {"distribution": "t", "distargs": (self.df_resid,)} if use_t else {"distribution": "norm"}
        return ContrastResults(effect=effect, statistic=(effect - values) / sd, sd=sd, df_denom=self.df_resid, **law)

    def wald_test(self, r_matrix, *args, **kwargs):
        """Joint test of linear hypotheses about the fixed effects: ``"ses = 0, female = 0"``."""
        R, values = self._constraint(r_matrix)
        R = np.hstack([R, np.zeros((len(R), self.k_re2))])
        return super(MixedResults, self._plain()).wald_test((R, values), *args, **kwargs)

    def conf_int(self, alpha=0.05):
        """Normal-theory intervals of `params`; for variances a profile interval is better."""
        reach = stats.norm.ppf(1 - alpha / 2) * self.bse
        return pd.DataFrame({0: self.params - reach, 1: self.params + reach})

    def summary(self, yname=None, xname_fe=None, xname_re=None, title=None, alpha=0.05):
        """statsmodels' summary table, with right standard errors of the variances."""
        plain = self._plain()
        plain.bse = plain.bse / np.sqrt(self.scale)  # by which summary() multiplies
        if not self.products.correlated:  # what statsmodels calls variance components
            plain.k_re, plain.k_re2, plain.k_vc, plain.vcomp = 0, 0, self.k_re, np.diag(self.tau)
        return super(MixedResults, plain).summary(yname, xname_fe, xname_re, title, alpha)

    def __getstate__(self):
        return {name: value for name, value in self.__dict__.items() if name != "model"}
