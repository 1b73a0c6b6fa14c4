"""The domains of arguments: an error names the argument, what is allowed and what was given."""

import inspect
from dataclasses import dataclass
from functools import wraps
from numbers import Integral, Real

import numpy as np
import pandas as pd

from .fit import MixedResults


@dataclass(frozen=True)
class Domain:
    """What values an argument may have: in words, as a test, and the error for others."""

    allowed: str
    holds: object
    error: type = ValueError

    def __or__(self, other):
        return Domain(f"{self.allowed} or {other.allowed}", lambda value: self.holds(value) or other.holds(value),
                      self.error)

    def check(self, name, value):
        if not self.holds(value):
            given = repr(value)
            given = given if len(given) < 80 else f"{type(value).__name__} {given[:60]}…"
            raise self.error(f"{name} must be {self.allowed}; it is {given}.")


def number(value):
    """A finite number, not a boolean."""
    return isinstance(value, Real) and not isinstance(value, (bool, np.bool_)) and np.isfinite(value)


def floats(value):
    """As an array; not a number if it can't be one."""
    try:
        return np.asarray(value, float)
    except (TypeError, ValueError):
        return np.array(np.nan)


def one_of(*choices):
    return Domain(" or ".join(map(repr, choices)), lambda value: isinstance(value, str) and value in choices)


def whole(least):
    return Domain(f"a whole number from {least} on",
                  lambda value: number(value) and isinstance(value, Integral) and value >= least)


def each(domain, plural):
    """One value of a domain, or a list of at least one."""
    def holds(value):
        return domain.holds(value) or np.ndim(value) == 1 and len(value) > 0 and all(map(domain.holds, value))
    return Domain(f"{domain.allowed}, or a list of {plural}", holds)


ANY = Domain("anything", lambda value: True)
NOTHING = Domain("None", lambda value: value is None)
FIT = Domain("a fit of mlm.mixedlm", lambda value: isinstance(value, MixedResults), TypeError)
FRAME = Domain("a pandas data frame", lambda value: isinstance(value, pd.DataFrame), TypeError)
FLAG = Domain("True or False", lambda value: isinstance(value, (bool, np.bool_)))
TEXT = Domain("a string", lambda value: isinstance(value, str))
NUMBER = Domain("a finite number", number)
POSITIVE = Domain("a number above 0", lambda value: number(value) and value > 0)
LEVEL = Domain("a share between 0 and 1, such as 0.95", lambda value: number(value) and 0 < value < 1)
PROBABILITY = Domain("a probability, from 0 to 1", lambda value: number(value) and 0 <= value <= 1)
SEED = whole(0) | NOTHING | Domain("a NumPy generator", lambda value: isinstance(value, np.random.Generator))
COUNT = whole(1)
NAMES = each(TEXT, "them")


def checked(**domains):
    """Check the arguments of a function before it runs; every one has its domain."""
    def decorate(function):
        signature = inspect.signature(function)
        assert set(signature.parameters) == set(domains), function.__name__

        @wraps(function)
        def inner(*args, **kwargs):
            bound = signature.bind(*args, **kwargs)
            for name, value in bound.arguments.items():
                domains[name].check(name, value)
            return function(*args, **kwargs)

        inner.domains = domains
        return inner
    return decorate
