"""The course's helper package: the data, a certified fit, inference from it, and what to draw of it."""

from . import data, figures, inference, tables
from .data import load_hsb, load_sleepstudy
from .describe import between_within, center_within, describe
from .design import MissingRows
from .explained import design_effect, icc, r_squared, reliability, variance_partition, variance_reduction
from .figures import use_course_style
from .fit import MixedResults, SingularFit, mixedlm
from .inference import (
    bootstrap,
    bootstrap_test,
    joint_tests,
    likelihood_ratio,
    refit,
    satterthwaite,
    simulate,
)
from .intervals import variance_intervals
from .likelihood import Certificate, NotCertified
from .means import marginal_means, pairwise
from .notebook import glue, show
from .power import Plan, plan, power
from .prediction import blups, predict
from .tables import coefficients, model_table, p_value, residual_quantiles

__version__ = "0.1.0"  # as in CITATION.cff

__all__ = [
    "Certificate", "MissingRows", "MixedResults", "NotCertified", "Plan", "SingularFit", "between_within", "blups",
    "bootstrap", "bootstrap_test", "center_within", "coefficients", "data", "describe", "design_effect", "figures",
    "glue", "icc", "inference", "joint_tests", "likelihood_ratio", "load_hsb", "load_sleepstudy", "marginal_means",
    "mixedlm", "model_table", "p_value", "pairwise", "plan", "power", "predict", "r_squared", "refit", "reliability",
    "residual_quantiles", "satterthwaite", "show", "simulate", "tables", "use_course_style", "variance_intervals",
    "variance_partition", "variance_reduction",
]
