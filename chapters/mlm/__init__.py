"""The course's helper package: the data, a certified fit, inference from it, and what to draw of it."""

from . import data, figures, inference, tables
from .data import load_hsb
from .describe import between_within, center_within, describe
from .figures import use_course_style
from .fit import SingularFit, mixedlm
from .inference import (
    blups,
    bootstrap,
    bootstrap_test,
    design_effect,
    icc,
    likelihood_ratio,
    predict,
    r_squared,
    reliability,
    satterthwaite,
    simulate,
    variance_intervals,
    variance_partition,
    variance_reduction,
)
from .notebook import glue, show
from .power import plan, power
from .tables import model_table

__all__ = [
    "SingularFit", "between_within", "blups", "bootstrap", "bootstrap_test", "center_within", "data", "describe",
    "design_effect", "figures", "glue", "icc", "inference", "likelihood_ratio", "load_hsb", "mixedlm", "model_table",
    "plan", "power", "predict", "r_squared", "reliability", "satterthwaite", "show", "simulate", "tables",
    "use_course_style", "variance_intervals", "variance_partition", "variance_reduction",
]
