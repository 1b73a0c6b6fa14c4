"""The course's helper package: the data, a certified fit, inference from it, and what to draw of it."""

from importlib import import_module

__version__ = "0.1.0"  # as in CITATION.cff

# Where the public names live. A module is imported when the first of its names is used: all together take
# seconds, and who fits models in a program of their own needn't have what draws. No module that is not named
# itself may be called like a function: importing it would put it in the function's place.
_NAMES = {
    "data": ["data", "load_hsb", "load_sleepstudy"],
    "description": ["between_within", "center_within", "describe"],
    "design": ["MissingRows"],
    "explained": ["design_effect", "icc", "r_squared", "reliability", "variance_partition", "variance_reduction"],
    "figures": ["figures", "use_course_style"],
    "fit": ["MixedResults", "SingularFit", "mixedlm"],
    "inference": ["inference", "joint_tests", "likelihood_ratio", "satterthwaite"],
    "intervals": ["variance_intervals"],
    "likelihood": ["Certificate", "NotCertified"],
    "means": ["marginal_means", "pairwise"],
    "notebook": ["glue", "show"],
    "planning": ["Plan", "plan", "power"],
    "prediction": ["blups", "predict"],
    "reporting": ["report"],
    "simulation": ["bootstrap", "bootstrap_test", "refit", "simulate"],
    "tables": ["coefficients", "model_table", "p_value", "residual_quantiles", "tables"],
}
_HOME = {name: module for module, names in _NAMES.items() for name in names}
_EXTRAS = {"figures": "figures", "notebook": "figures", "planning": "power"}  # as in pyproject.toml

__all__ = sorted(_HOME)


def __getattr__(name):
    """Import what is used for the first time (PEP 562)."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = _HOME[name]
    try:
        module = import_module(f".{home}", __name__)
    except ModuleNotFoundError as error:
        if home not in _EXTRAS:
            raise
        extra = _EXTRAS[home]
        raise ImportError(f"mlm.{name} needs {error.name}, which is not installed. It comes with the extra {extra!r}: pip install "
                          f"'MLM[{extra}]', where MLM is what you installed mlm from.", name=error.name) from error
    globals()[name] = value = module if name == home else getattr(module, name)
    return value


def __dir__():
    return sorted({*globals(), *__all__})
