"""Numbers as text: one form for all tables, after the Publication Manual of the APA (2020, section 6.36)."""

import numpy as np

from .checks import PROBABILITY, checked

MINUS = "\N{MINUS SIGN}"


@checked(p=PROBABILITY)
def p_value(p):
    """A p value as APA style prints it: three decimals without the zero before them, never 0.

    Parameters
    ----------
    p : float
        From 0 to 1.

    Returns
    -------
    str
        Such as ``.012`` or ``< .001``.

    Raises
    ------
    ValueError
        `p` is not a probability.

    Examples
    --------
    >>> import mlm
    >>> mlm.p_value(0.0123), mlm.p_value(1e-12)
    ('.012', '< .001')
    """
    return "< .001" if p < 0.001 else share(p, 3)


def decimals(value, least):
    """How many decimals leave `value` two significant digits; at least `least`."""
    return least if not np.isfinite(value) or value == 0 else max(least, 1 - int(np.floor(np.log10(abs(value)))))


def text(value, places):
    """With so many decimals, or as a power of ten where these would be more than eight."""
    if places > 8 and value:
        return f"{value:.1e}".replace("-", MINUS)
    return f"{round(value, places) + 0:.{places}f}".replace("-", MINUS)  # + 0: no minus before a zero


def share(value, places):
    """A number that can't exceed 1, without the zero before its point."""
    number = text(value, places)
    return number.replace("0.", ".", 1) if abs(value) < 1 and number.lstrip(MINUS).startswith("0.") else number
