"""Power of a planned two-level study by simulation, on the cores of one machine or of a cluster.

A study is drawn again and again from parameters that are taken for true, and each time the
effect is tested. `Plan` says what to draw, `power` draws, tests and counts.
"""

from dataclasses import dataclass, replace
from itertools import product
from numbers import Integral

import numpy as np
import pandas as pd
import patsy
from joblib import Parallel, delayed
from scipy import stats

from .checks import (
    ANY,
    COUNT,
    FIT,
    FLAG,
    LEVEL,
    NOTHING,
    NUMBER,
    POSITIVE,
    TEXT,
    Domain,
    checked,
    each,
    floats,
    number,
    one_of,
    whole,
)
from .design import Design, by_hand, by_patsy
from .formulas import listed, names_in, parse
from .fit import MixedResults
from .inference import mixture_p, variance_and_df
from .likelihood import Products, deviance, root
from .search import check_identified
from .simulation import bar, draw, refits
from .means import predictors

BATCH = 25  # draws that share their predictors and are fitted in one array operation
KINDS = ["school 0/1", "school normal", "student 0/1", "student normal", "student steps"]
EFFECTS = Domain("a dict of fixed effects to finite numbers",
                 lambda value: isinstance(value, dict) and all(map(number, value.values())))
PREDICTORS = Domain(f"a dict of predictors to one of {listed(map(repr, KINDS))}",
                    lambda value: isinstance(value, dict) and set(map(str, value.values())) <= set(KINDS))
JOBS = Domain("a whole number other than 0, -1 for all cores",
              lambda value: number(value) and isinstance(value, Integral) and value != 0)


# ------------------------------------------------------------------ what is planned


@dataclass(frozen=True)
class Plan:
    """A two-level study: its model, its true parameters, and how its predictors are distributed.

    `plan` makes it from numbers, `Plan.of` from a fit.

    Attributes
    ----------
    design : Design or None
        Rows to draw schools and students from, or None: then predictors are made as `predictors` says.
    fixed : pandas.Series
        The true fixed effects.
    tau : pandas.DataFrame
        The true covariance matrix of the random effects.
    sigma2 : float
    reml : bool
    formula : str
    re_formula : str
    predictors : dict of str to str
    axis : str
        A predictor of the fit whose values within schools are fixed by design, or empty.

    Examples
    --------
    >>> import mlm
    >>> fit = mlm.mixedlm("mathach ~ ses", mlm.load_hsb(), groups="schid")
    >>> mlm.Plan.of(fit).with_value("ses", 1).fixed.round(1).to_dict()
    {'Intercept': 12.7, 'ses': 1.0}
    """

    design: Design | None
    fixed: pd.Series
    tau: pd.DataFrame
    sigma2: float
    reml: bool
    formula: str
    re_formula: str
    predictors: dict
    axis: str = ""

    @classmethod
    def of(cls, fit):
        """The plan to repeat the study of a fit, with its estimates for truth."""
        if not fit.products.correlated:
            raise ValueError("power simulates models whose random effects are correlated; this fit has correlated=False.")
        rows = replace(fit.design, data=None, index=None, memory=(None, None))  # what workers need of it
        return cls(rows, fit.fe_params, fit.cov_re, fit.scale, fit.reml, rows.formula, rows.re_formula, {},
                   _axis(fit.design))

    def with_value(self, effect, value):
        """The same plan with another true value of one fixed effect or variance (correlations kept)."""
        if not np.isfinite(value):
            raise ValueError(f"The value of {effect!r} cannot be {value}.")
        if effect in self.fixed.index:
            return replace(self, fixed=self.fixed.where(self.fixed.index != effect, value))
        if value < 0:
            raise ValueError(f"The value of {effect!r} is a variance and cannot be {value}.")
        name = effect.removesuffix(" Var")
        if name not in self.tau.index:
            effects = [*self.fixed.index, *(f"{each} Var" for each in self.tau.index)]
            raise ValueError(f"There is no effect {effect!r}. The effects are: {listed(effects)}.")
        old = self.tau.loc[name, name]
        tau = self.tau.copy()
        factor = np.sqrt(value / old) if old > 0 else 0.0
        tau.loc[name] *= factor
        tau[name] *= factor
        tau.loc[name, name] = float(value)
        return replace(self, tau=tau)

    def rows(self, schools, students, rng):
        """A design of `schools` schools with `students` students each, its predictors drawn.

        From a fit: its schools with replacement and, unless `students` is None, as many students
        of each, with replacement as well. With neither number: the rows of the fit as they are.
        """
        if self.design is None:
            return self._made(schools, students, rng)
        if schools is None and students is None:
            return self.design
        order = np.argsort(self.design.codes, kind="stable")
        members = np.split(order, np.cumsum(np.bincount(self.design.codes))[:-1])
        chosen = range(len(members)) if schools is None else rng.integers(len(members), size=schools)
        drawn = [members[j] if students is None else rng.choice(members[j], students) for j in chosen]
        codes = np.repeat(np.arange(len(drawn)), [len(part) for part in drawn])
        take = np.concatenate(drawn)
        return replace(self.design, y=self.design.y[take], X=self.design.X[take], Z=self.design.Z[take], codes=codes,
                       labels=pd.RangeIndex(len(drawn)))

    def _made(self, schools, students, rng):
        codes = np.repeat(np.arange(schools), students)
        data = {}
        for name, kind in self.predictors.items():
            level, law = kind.split()
            size = schools if level == "school" else students
            if law == "steps":
                data[name] = np.tile(np.arange(float(students)), schools)
                continue
            # the same values in each school or study, in another order: halves, or evenly spaced quantiles
            values = np.arange(size) % 2.0 if law == "0/1" else stats.norm.ppf((np.arange(size) + 0.5) / size)
            values = values if law == "0/1" else values / max(values.std(), 1e-12)
            data[name] = (rng.permutation(values)[codes] if level == "school"
                          else rng.permuted(np.tile(values, (schools, 1)), axis=1).ravel())
        data = pd.DataFrame(data, index=range(len(codes)))
        (_, X), (_, Z) = (_columns(formula, data) for formula in (self.formula, self.re_formula))
        return Design(np.zeros(len(codes)), X, Z, "the response", list(self.fixed.index), list(self.tau), codes,
                      pd.RangeIndex(schools), None, self.formula, self.re_formula, None, (None, None))


def _columns(formula, data):
    """Names and columns of a formula's right side, which sees the data and NumPy alone."""
    terms = parse(formula).rhs_termlist
    columns = by_hand(terms, data) or next(
        by_patsy(patsy.ModelDesc([], terms), data, patsy.EvalEnvironment([{"np": np}])))
    return columns[:2]


@checked(formula=TEXT, fixed=EFFECTS, tau=ANY, sigma2=POSITIVE, predictors=PREDICTORS, re_formula=TEXT | NOTHING, reml=FLAG)
def plan(formula, fixed, tau, sigma2, predictors, re_formula=None, reml=True):
    """Plan a study from assumed parameters.

    In units of the response's standard deviation: ``tau=[[0.1]], sigma2=0.9`` is an intraclass
    correlation of .1, and fixed effects are standardized.

    Parameters
    ----------
    formula : str
        As for `mixedlm`, with numeric predictors only.
    fixed : dict of str to float
        True fixed effects, named as in the output; those left out are 0.
    tau : array_like, shape (q, q), or float
        Variances and covariances of the random effects; a number for a random intercept.
    sigma2 : float
        Residual variance.
    predictors : dict of str to str
        How each predictor is distributed. ``"school 0/1"``: half of the schools have 1.
        ``"school normal"``: standard normal, one value a school. ``"student 0/1"`` and
        ``"student normal"``: the same over the students of each school, so that schools do not
        differ in it. ``"student steps"``: 0, 1, 2, ... in each, such as the occasions of persons.
    re_formula : str, optional
        As for `mixedlm`.
    reml : bool, default True

    Returns
    -------
    Plan

    Raises
    ------
    ValueError
        Names, sizes or values that do not fit together.

    Examples
    --------
    >>> import mlm
    >>> study = mlm.plan("y ~ treated + x", {"treated": 0.4, "x": 0.2}, tau=0.15, sigma2=0.85,
    ...                  predictors={"treated": "school 0/1", "x": "student normal"})
    >>> study.fixed.to_dict()
    {'Intercept': 0.0, 'treated': 0.4, 'x': 0.2}
    """
    left, right = parse(formula), parse(re_formula or "~ 1")
    if len(left.lhs_termlist) != 1 or right.lhs_termlist:
        raise ValueError(f"The formula needs one response on its left, as in 'y ~ x' (it is {formula!r}), "
                         f"and that of the random effects none, as in '~ x' (it is {re_formula!r}).")
    for factor in {factor.name() for side in (left, right) for term in side.rhs_termlist for factor in term.factors}:
        if names_in(factor).kinds:
            raise ValueError(f"plan makes numbers, no categories: write {listed(names_in(factor).kinds)} in place of {factor}.")
    few = pd.DataFrame(dict.fromkeys(predictors, 1.0), index=[0, 1])
    (names, _), (effects, _) = (_columns(text, few) for text in (formula, re_formula or "~ 1"))
    unknown = [name for name in fixed if name not in names]
    if unknown:
        raise ValueError(f"{unknown[0]!r} is no fixed effect of {formula!r}; these are {listed(names)}.")
    tau = np.atleast_2d(floats(tau))
    if not np.isfinite(tau).all():
        raise ValueError("tau must be finite numbers: a variance, or the rows of a covariance matrix.")
    if tau.shape != (len(effects),) * 2:
        raise ValueError(f"tau has the shape {tau.shape}, but the random effects are {listed(effects)}.")
    if not np.array_equal(tau, tau.T) or np.linalg.eigvalsh(tau)[0] < -1e-12 * np.abs(tau).max():
        raise ValueError("tau is no covariance matrix: it must be symmetric, its correlations between -1 and 1.")
    return Plan(None, pd.Series(fixed, dtype=float).reindex(names, fill_value=0.0),
                pd.DataFrame(tau, index=effects, columns=effects), float(sigma2), reml, formula, re_formula or "~ 1",
                dict(predictors))


# ------------------------------------------------------------------ draw, test, count


@checked(study=Domain("a plan (mlm.plan) or a fit (mlm.mixedlm)",
                     lambda value: isinstance(value, Plan) or FIT.holds(value), TypeError),
         effect=TEXT, schools=each(whole(2) | NOTHING, "them"), students=each(whole(1) | NOTHING, "them"),
         value=each(NUMBER, "them") | NOTHING, draws=COUNT, alpha=LEVEL, test=one_of("t", "z"), seed=whole(0), jobs=JOBS,
         progress=FLAG)
def power(study, effect, schools=None, students=None, value=None, draws=1000, alpha=0.05, test="t", seed=1, jobs=-1,
          progress=False):
    """Power of a test, by simulation, for one design or for each of several.

    Parameters
    ----------
    study : Plan or MixedResults
        What is taken for true: a `plan`, or a fit, whose schools and students are then drawn
        with replacement, so that predictors are distributed as in its data. Where the values within
        schools are fixed by design, such as occasions, leave `students` at None, or make a plan.
    effect : str
        A fixed effect, or a variance of the random effects as ``"x Var"``, named as in the output.
    schools, students : int or list of int, optional
        Number of schools, and of students in each. For a fit, None leaves the schools, or their
        students, as they are.
    value : float or list of float, optional
        The true value of the effect; that of `study` by default. With 0 the result is the rate of
        false alarms.
    draws : int, default 1000
        Simulated studies for each design.
    alpha : float, default 0.05
        Level of the two-sided test (of variances: by its nature one-sided).
    test : {"t", "z"}
        For fixed effects: with Satterthwaite's degrees of freedom, or with the normal distribution,
        which rejects too often when schools are few. Variances are tested by the likelihood ratio
        with its mixture of chi-square distributions (`likelihood_ratio`).
    seed : int, default 1
        A design has the same draws whatever else is asked for, and whatever does the work.
    jobs : int, default -1
        Processes, -1 for one a core. Within ``joblib.parallel_config("dask")`` the workers of the
        Dask cluster take their place.
    progress : bool, default False
        Draw a progress bar on stderr.

    Returns
    -------
    pandas.DataFrame
        A row for each design: ``schools``, ``students`` (their mean number, rounded, where a fit
        gives it), ``value``; ``power``, with the standard
        error ``mc_error`` that comes from the number of draws, and a 95 % interval (``lower``,
        ``upper``; Wilson, 1927, J. Am. Stat. Assoc. 22); mean standard error ``se`` and median
        degrees of freedom ``df`` of the fixed effect; ``singular``, the share of singular fits.

    Raises
    ------
    ValueError
        Numbers or names that cannot be, a design with which the model cannot be estimated, or
        `students` for a fit whose predictors have each value once in a school.

    Examples
    --------
    >>> import mlm
    >>> study = mlm.plan("y ~ treated", {"treated": 0.5}, tau=0.1, sigma2=0.9, predictors={"treated": "school 0/1"})
    >>> mlm.power(study, "treated", schools=[20, 60], students=10, draws=200, jobs=1)["power"].round(1)
    0    0.7
    1    1.0
    Name: power, dtype: float64
    """
    study = Plan.of(study) if isinstance(study, MixedResults) else study
    if students is not None and study.axis:
        raise ValueError(f"students must be None for this fit: no school has a value of {study.axis!r} twice, so its values "
                         "are fixed by design, and students drawn with replacement would break it. The fit's own rows "
                         "stay with students=None; for another number make a plan with 'student steps'.")
    variances = [f"{name} Var" for name in study.tau]
    if effect not in [*study.fixed.index, *variances]:
        raise ValueError(f"There is no effect {effect!r}. The effects are: {listed([*study.fixed.index, *variances])}.")
    variance = effect not in study.fixed.index
    value = (study.tau.loc[(effect.removesuffix(" Var"),) * 2] if variance else study.fixed[effect]) if value is None \
        else value
    cells = list(product(_numbers("schools", schools, study), _numbers("students", students, study),
                         np.atleast_1d(value)))
    sizes = [min(BATCH, draws - done) for done in range(0, draws, BATCH)]
    tasks = [(study.with_value(effect, true), effect, school, student, size, test, source)
             for school, student, true in cells
             for size, source in zip(sizes, _seeds(seed, school, student, len(sizes)))]
    found = []
    for result in Parallel(n_jobs=jobs, return_as="generator")(delayed(_batch)(*task) for task in tasks):
        found.append(result)
        if progress:
            bar(len(found) / len(tasks), f"{len(cells) * draws} studies")
    rows = study.design
    drawn = rows is not None and (schools is not None or students is not None)
    own = (None, None) if rows is None else (len(rows.labels), round(len(rows.codes) / len(rows.labels)))
    table = []
    for k, (school, student, true) in enumerate(cells):
        p, se, df, singular = np.concatenate(found[k * len(sizes) : (k + 1) * len(sizes)], axis=1)
        table.append((school or own[0], student or own[1], float(true), *_share(p < alpha, drawn), se.mean(),
                      np.median(df), singular.mean()))
    columns = ["schools", "students", "value", "power", "mc_error", "lower", "upper", "se", "df", "singular"]
    table = pd.DataFrame(table, columns=columns)
    return table.drop(columns=["se", "df"]) if variance else table


def _axis(design):
    """A predictor whose values are fixed by design, at most once in each school, or ''.

    Values that fell on students by chance would coincide within some schools.
    """
    size = np.bincount(design.codes)
    for name in predictors(design, design.formula) | predictors(design, design.re_formula):
        values = pd.factorize(design.data[name])[0]
        twice = len(values) - len(np.unique(values * len(size) + design.codes))
        by_chance = (size * (size - 1)).sum() / 2 * ((np.bincount(values) / len(values)) ** 2).sum()
        if twice == 0 and by_chance > 10:
            return name
    return ""


def _check_schools(design):
    """Refuse designs whose fixed effects of schools leave no school to tell how schools vary."""
    first = np.unique(design.codes, return_index=True)[1]
    own = (design.X == design.X[first][design.codes]).all(axis=0)
    rank = np.linalg.matrix_rank(design.X[np.ix_(first, own)])
    if rank >= len(first):
        names = listed(name for name, constant in zip(design.fixed, own) if constant)
        raise ValueError(f"{len(first)} schools have {rank} fixed effects of schools ({names}), and none is left to tell how "
                         "schools vary besides: take more schools.")


def _numbers(name, given, study):
    """`given` as a list; None only where there is a fit to take the rest from."""
    numbers = list(given) if np.ndim(given) else [given]
    if None in numbers and study.design is None:
        raise ValueError(f"Give the number of {name}: a plan has none of its own.")
    return numbers


def _seeds(seed, schools, students, count):
    """Seeds of the batches of one design."""
    return np.random.SeedSequence([seed, schools or 0, students or 0]).spawn(count)


def _share(rejected, drawn):
    """The share rejected, its standard error and Wilson's limits.

    Where schools are drawn from a fit, the studies of a batch have the same ones and are alike:
    a batch is a cluster, and the variance grows by its design effect.
    """
    n, share = len(rejected), rejected.mean()
    binomial = share * (1 - share)
    if drawn and n > BATCH and binomial:
        excess = np.add.reduceat(rejected - share, range(0, n, BATCH))
        n /= max(1, (excess**2).sum() / (n * binomial) * len(excess) / (len(excess) - 1))
    z = stats.norm.ppf(0.975)
    middle, reach = share + z**2 / (2 * n), z * np.sqrt(binomial / n + z**2 / (4 * n**2))
    return share, np.sqrt(binomial / n), (middle - reach) / (1 + z**2 / n), (middle + reach) / (1 + z**2 / n)


def _batch(study, effect, schools, students, draws, test, source):
    """p value, standard error, degrees of freedom and singularity of each draw, shape (4, draws)."""
    rng = np.random.default_rng(source)
    T = study.tau.to_numpy() / study.sigma2
    design, products, responses = _estimable(study, schools, students, root(T), draws, rng)
    T = products.Rz @ T @ products.Rz.T
    each = refits(design, products, study.reml, T, responses)
    eigenvalues = np.linalg.eigvalsh(each.T)
    singular = eigenvalues[:, 0] < 1e-9 * np.maximum(eigenvalues[:, -1], 1)
    if effect not in study.fixed.index:
        statistic = _deviances_without(effect, design, study.reml, T, responses, each) - each.at.value
        nothing = np.full(draws, np.nan)
        return np.array([mixture_p(np.maximum(statistic, 0), len(T)), nothing, nothing, singular])
    k = study.fixed.index.get_loc(effect)
    variance, df = variance_and_df(np.eye(products.p)[[k]], each.T, each.at, products, study.reml)
    se, df = np.sqrt(variance[:, 0]), df[:, 0] if test == "t" else np.full(draws, np.inf)
    return np.array([2 * stats.t.sf(np.abs(each.fixed[:, k]) / se, df), se, df, singular])


def _estimable(study, schools, students, half, draws, rng):
    """Rows with which the model can be estimated, and responses for them.

    A small draw of schools can lack what the model needs, such as a school of each sector.
    Nobody would carry out that study, so the schools are drawn again.
    """
    for _ in range(100):
        design = study.rows(schools, students, rng)
        design.check_sizes()
        responses = draw(design, study.fixed.to_numpy(), half, study.sigma2, draws, rng)
        design = replace(design, y=responses[:, 0])
        try:
            _check_schools(design)
            products = Products.of(design)
            check_identified(products, study.reml)
            return design, products, responses
        except ValueError as error:
            reason = error
    raise ValueError(f"The model cannot be estimated with {len(design.labels)} schools and {len(design.y)} students: "
                     f"{reason}")


def _deviances_without(effect, design, reml, T, responses, each):
    """Deviances of the model without one random effect."""
    if len(T) == 1:
        return deviance(np.zeros_like(each.T), each.products, reml).value
    kept = [i for i, name in enumerate(design.random) if name != effect.removesuffix(" Var")]
    fewer = replace(design, Z=design.Z[:, kept], random=[design.random[i] for i in kept])
    products = Products.of(fewer)
    return refits(fewer, products, reml, T[np.ix_(kept, kept)], responses).at.value
