"""A fit as the sentences of a report."""

from importlib.metadata import version
from itertools import starmap

import numpy as np

from . import __version__
from .checks import FIT, LEVEL, TEXT, checked
from .formats import decimals, p_value, share, text
from .inference import satterthwaite
from .intervals import variance_intervals


@checked(fit=FIT, rows=TEXT, groups=TEXT, level=LEVEL)
def report(fit, rows="rows", groups="groups", level=0.95):
    """A paragraph that reports a fit: sample, method, coefficients with tests, variances, software.

    What the reporting standards for quantitative research (Appelbaum et al., 2018, Am. Psychol. 73(1))
    and the Publication Manual of the APA (2020) ask of a model, as plain text: the letters *b*, *t* and
    *p* are to be set in italics. What the numbers mean, and what was left out, are yours to say.

    Parameters
    ----------
    fit : MixedResults
    rows, groups : str
        What the rows and the groups are, in the plural: ``"students"``, ``"schools"``.
    level : float, default 0.95
        Of the intervals, between 0 and 1.

    Returns
    -------
    str
        Coefficients with Satterthwaite's degrees of freedom; standard deviations and correlations of
        the random effects with profile intervals.

    Raises
    ------
    ValueError
        `level` is not between 0 and 1.

    Examples
    --------
    >>> import mlm
    >>> fit = mlm.mixedlm("mathach ~ 1", mlm.load_hsb(), groups="schid")
    >>> print(mlm.report(fit, "students", "schools").split(", with")[0])
    A linear mixed model of mathach was fitted by restricted maximum likelihood to 7,185 students of 160 schools (14 to 67 each)
    """
    width, sizes = f"{100 * level:g}% CI", np.bincount(fit.design.codes)
    method = "restricted maximum likelihood" if fit.reml else "maximum likelihood"
    each = " to ".join(map(str, sorted({sizes.min(), sizes.max()})))
    slopes = [name for name in fit.design.random if name != "Intercept"]
    random = " and ".join(["random intercepts"] * (len(slopes) < fit.k_re) + [f"random slopes of {name}" for name in slopes])

    pairs = {f"{a} {b}": f"{a} and {b}" for a in fit.design.random for b in fit.design.random}

    def interval(low, high, places, write=text):
        return f"{width} [{write(low, places)}, {write(high, places)}]"

    def coefficient(name, test):
        p, places = p_value(test.p), decimals(test.se, 2)
        return (f"{name}: b = {text(test.estimate, places)}, SE = {text(test.se, places)}, "
                f"{interval(test.lower, test.upper, places)}, t({test.df:.1f}) = {text(test.t, 2)}, "
                f"p {p if p.startswith('<') else f'= {p}'}")

    def spread(name, estimate, low, high):
        kind, _, of = name.partition(" ")
        of = f"residual, within {groups}," if of == "residual" else f"correlation of {pairs[of]}" if kind == "cor" else of
        write, places = share if kind == "cor" else text, decimals((high - low) / 2, 2)
        return f"{of} {write(estimate, places)}, {interval(low, high, places, write)}"

    deviations = variance_intervals(fit, level)
    # standard deviations, correlations, the residual
    order = sorted(deviations.index, key=lambda name: (name == "sd residual", name.startswith("cor")))
    sentences = [
        f"A linear mixed model of {fit.design.response} was fitted by {method} to {fit.nobs:,.0f} {rows} of {len(sizes)} "
        f"{groups} ({each} each), with {random}.",
        f"The coefficients were: {'; '.join(starmap(coefficient, satterthwaite(fit, level=level).iterrows()))}.",
        f"Standard deviations between {groups}: {'; '.join(starmap(spread, deviations.loc[order].itertuples()))}.",
        fit.singular,
        "Tests of coefficients have Satterthwaite's degrees of freedom; intervals of the standard deviations are profile "
        f"intervals (Python, mlm {__version__}, statsmodels {version('statsmodels')}).",
    ]
    return " ".join(filter(None, sentences))
