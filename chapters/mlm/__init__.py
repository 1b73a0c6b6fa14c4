"""The course's helper package: the data, a certified fit, and what to draw of it."""

from . import data, figures, tables
from .data import load_hsb
from .describe import between_within, center_within, describe
from .figures import use_course_style
from .fit import SingularFit, mixedlm
from .notebook import glue, show
from .power import plan, power

__all__ = ["SingularFit", "between_within", "center_within", "data", "describe", "figures", "glue", "load_hsb", "mixedlm", "plan",
           "power", "show", "tables", "use_course_style"]
