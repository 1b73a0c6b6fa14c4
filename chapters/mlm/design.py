"""What the formulas say of the data: response, fixed-effects and random-effects designs, groups."""

import ast
import copy
import keyword
import re
import warnings
from collections import namedtuple
from dataclasses import dataclass, replace
from decimal import Decimal
from difflib import get_close_matches
from functools import lru_cache
from numbers import Real
from types import ModuleType

import numpy as np
import pandas as pd
import patsy
import patsy.builtins
from patsy.parse_formula import parse_formula


class MissingRows(UserWarning):
    """Rows with missing values were left out.

    Examples
    --------
    >>> import mlm, warnings
    >>> hsb = mlm.load_hsb()
    >>> with warnings.catch_warnings(record=True) as caught:
    ...     fit = mlm.mixedlm("mathach ~ ses", hsb.assign(ses=hsb.ses.mask(hsb.ses > 2)), groups="schid")
    >>> caught[0].category is mlm.MissingRows, fit.nobs
    (True, 7184)
    """


def listed(names):
    return ", ".join(map(str, names))


# ------------------------------------------------------------------ formulas

BITS = {ast.BitOr: "|", ast.BitXor: "^", ast.BitAnd: "&", ast.LShift: "<<", ast.RShift: ">>", ast.Invert: "~"}
OF_R = {"factor": "C", "ns": "cr", "s": "cr", "ifelse": "np.where", "poly": "x + I(x ** 2)",
        "offset": "I(y - offset) on the left"}
MORE_FACTORS = ("Models with more than one grouping factor (three levels, crossed effects) are not covered: lme4 (R) "
                "fits them, in Python mixedlm.lmer.")
ELSEWHERE = {
    "weights": "Weighted rows are not covered. lme4 (R) fits them, in Python mixedlm.lmer(…, weights=…).",
    "offset": "Subtract the offset from the response: 'I(y - offset) ~ x' is the same model.",
    "correlation": "Correlated residuals, AR(1) for example, are not covered. nlme (R) fits them: "
                   "lme(…, correlation = corAR1()).",
    "vc_formula": MORE_FACTORS,
    "family": "Responses that are not normal are not covered. lme4 (R) fits them with glmer, in Python glmm.fit.",
    "subset": "Choose the rows of the data first: data[data['x'] > 0].",
    "missing": "Rows with missing values are left out always; drop or fill them in the data first.",
}
ELSEWHERE |= {"ar1": ELSEWHERE["correlation"], "exog_vc": ELSEWHERE["vc_formula"],
              "exog_re": "Random effects are given by re_formula='~ x'.", "REML": "Write reml=…"}


def refuse_keywords(names):
    """TypeError for arguments that `mixedlm` doesn't have, with what to do instead."""
    for name in names:
        raise TypeError(f"mixedlm has no argument {name!r}. {ELSEWHERE.get(name, '')}".rstrip())


@lru_cache(maxsize=256)
def parse(formula):
    """patsy's reading of a formula, refused where it isn't what people mean by it."""
    if not isinstance(formula, str):
        raise TypeError(f"A formula is text, as in 'y ~ x'; this is a {type(formula).__name__}.")
    try:
        tree = parse_formula(formula)
        check_powers(formula, tree)
        model = patsy.ModelDesc.from_formula(tree)
    except (patsy.PatsyError, SyntaxError) as error:
        reason = (advice(formula) or str(error)).splitlines()[0]
        raise ValueError(f"The formula {formula!r} cannot be read: {reason}") from None
    for factor in factors_of(model):
        check_factor(formula, factor.name())
    return model


def factors_of(model):
    return dict.fromkeys(factor for term in model.lhs_termlist + model.rhs_termlist for factor in term.factors)


def check_powers(formula, node):
    """x**2 is x to patsy, as x^2 is to R: a power of a sum of terms."""
    if node.type == "**" and node.args[0].type == "PYTHON_EXPR":
        name = node.args[0].token.extra
        raise ValueError(f"In the formula {formula!r} the power of {name} is {name} itself (powers expand sums); "
                         f"for the square write I({name} ** 2).")
    for argument in node.args:
        check_powers(formula, argument)


def advice(code):
    """What to write instead of something that isn't Python."""
    if re.search(r"\|\s*\|", code):
        return ("'||' is lme4's. Random effects stand by themselves here: mixedlm('y ~ x', data, groups='school', "
                "re_formula='~ x', correlated=False) for y ~ x + (x || school).")
    if "^" in code:
        return "'^' is no power in Python: write I(x ** 2), or (a + b) ** 2 for main effects and interactions."
    if re.search(r"\)\s*[|&]|[|&]\s*\(", code):
        return "conditions stand in I(), as in I((a > 1) | (b == 2))."
    if re.search(r"as\s*\.\s*factor", code):
        return "as.factor(k) is R's: write C(k)."
    if re.search(r"%\s*in\s*%|%\s*%|:\s*:|<\s*-", code):
        return "that is R's; a formula holds Python's expressions."
    if re.fullmatch(r"\s*\.\s*", code) or re.search(r"~\s*\.\s*($|[-+])", code):
        return "'.' for all other columns is R's: name the predictors."
    name = re.sub(r"\s*\.\s*", ".", code.strip())
    if keyword.iskeyword(name) or re.fullmatch(r"[\w. ]+", name):
        return f'a column whose name is no Python name is written Q("{name}").'
    return ""


def check_factor(formula, code):
    """Refuse what is no expression of Python's, and operators that work on the bits of numbers."""
    try:
        tree = ast.parse(code, mode="eval")
    except SyntaxError as error:
        raise ValueError(f"The formula {formula!r} cannot be read: {advice(code) or f'{code!r}: {error.msg}.'}") from None
    for node in ast.walk(tree):
        operands = {ast.BinOp: ("left", "right"), ast.UnaryOp: ("operand",)}.get(type(node), ())
        sign = BITS.get(type(getattr(node, "op", None)))
        if not sign or all(is_condition(getattr(node, name)) for name in operands):
            continue
        if sign == "|":
            raise ValueError(f"The formula {formula!r} has a bar as in lme4. Here random effects stand by themselves: "
                             "mixedlm('y ~ x', data, groups='school', re_formula='~ x') for y ~ x + (x | school). "
                             f"{MORE_FACTORS} (For 'or' write np.logical_or(a, b).)")
        reason = advice(sign) or (f"'{sign}' works on the bits of numbers. Write conditions as (a > 1) & (b == 2), "
                                  "an interaction as a:b.")
        raise ValueError(f"The formula {formula!r} cannot be read: {reason}")


def is_condition(node):
    """Whether an expression is true or false, so that |, & and ~ mean or, and, not."""
    if isinstance(node, ast.BinOp):
        return type(node.op) in BITS and is_condition(node.left) and is_condition(node.right)
    if isinstance(node, ast.UnaryOp):
        return isinstance(node.op, (ast.Invert, ast.Not)) and is_condition(node.operand)
    return isinstance(node, ast.Compare)


# The names of a factor's variables and functions, the variable that it makes categories of with C(), and the one
# that it consists of, alone or in Q().
Read = namedtuple("Read", "variables functions kinds bare")


@lru_cache(maxsize=1024)
def names_in(code):
    """What the code of a factor reads, see `Read`."""
    tree = ast.parse(code, mode="eval")
    nodes = list(ast.walk(tree))
    calls = {node: node.func.id for node in nodes if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}
    functions = {node.func for node in calls}
    variables = {node: node.id for node in nodes if isinstance(node, ast.Name) and node not in functions}
    for node, function in calls.items():
        if function == "Q":
            if [type(argument) for argument in node.args] != [ast.Constant]:
                raise ValueError(f"{code} cannot be read: write the column's name into Q, as in Q(\"my column\").")
            variables[node] = node.args[0].value
    made = calls.get(tree.body) == "C" and tree.body.args and variables.get(tree.body.args[0])
    return Read(set(variables.values()), set(calls.values()), {made} - {None, False, ""}, variables.get(tree.body))


# ------------------------------------------------------------------ columns


def as_frame(data):
    """The data as a pandas data frame: also a dict of columns, Polars' and Arrow's tables."""
    if isinstance(data, pd.DataFrame):
        return data
    return data.to_pandas() if hasattr(data, "to_pandas") else pd.DataFrame(data)


def one_column(data, name, what="for the groups"):
    """The column of that name, if there is just one."""
    if name not in data.columns:
        raise ValueError(f"There is no column {name!r} {what}. The columns are: {listed(data.columns)}.")
    column = data[name]
    if isinstance(column, pd.DataFrame):
        raise ValueError(f"The data have several columns {name!r}: rename them, so that each has a name of its own.")
    return column


def sorted_out(series):
    """A column as NumPy's numbers or as objects, where it has values, and of what sort they are."""
    if not isinstance(series.dtype, np.dtype) and series.dtype.kind not in "mM":
        series = pd.Series(np.asarray(series, dtype=object), index=series.index)
    present = series.notna().to_numpy()
    known = series[present]
    sort = pd.api.types.infer_dtype(known)
    if sort.startswith("mixed") and all(isinstance(value, (Real, Decimal)) and not isinstance(value, bool)
                                        for value in known):
        sort = "floating"
    return series, present, sort


def is_float(series):
    return isinstance(series.dtype, np.dtype) and series.dtype.kind == "f"


def numbers(series, flags=False):
    """The values of a column of numbers of any type as float64, NaN where they are missing; of others None.

    With `flags`, true and false count as 1 and 0.
    """
    if is_float(series):
        return series.to_numpy(float)
    if isinstance(series.dtype, pd.CategoricalDtype):
        return None
    series, present, sort = sorted_out(series)
    if sort not in ("integer", "floating", "decimal", "empty") and not (flags and sort == "boolean"):
        return None
    values = np.full(len(series), np.nan)
    values[present] = series[present].to_numpy().astype(float)
    return values


def usable(series, name, kinds=False, computed=True, fresh=False):
    """The values of a column in a type that patsy reads rightly, or ValueError with its name.

    Parameters
    ----------
    series : pandas.Series, shape (n,)
    name : str
    kinds : bool
        Only categories are made of it, so that numbers and text of any sort will do.
    computed : bool
        A formula computes with it, so that whole numbers must not overflow.
    fresh : bool
        It belongs to new rows, whose categories are those of the fit.

    Returns
    -------
    array, shape (n,)
        Numbers of all types as float64 (whole ones that nothing is computed with as int64); text as objects, None
        where it is missing; true and false as bool; categories without unused ones; dates as they are, for the
        formula's functions to work on.
    """
    if isinstance(series.dtype, pd.CategoricalDtype):
        return series.astype(object).to_numpy() if fresh else series.array.remove_unused_categories()
    plain, present, sort = (series, None, "floating") if is_float(series) else sorted_out(series)
    if sort == "integer" and not computed and present.all():
        return plain.to_numpy(np.int64)
    if (values := numbers(series)) is not None:
        return values
    known = plain[present]
    if sort == "boolean":
        return plain.to_numpy(bool) if present.all() else pd.Categorical(plain, [False, True])
    if sort == "string" or sort.startswith("mixed"):
        parsed = pd.to_numeric(known.astype(object), errors="coerce")
        if sort == "string" and (kinds or parsed.isna().all()):
            return plain.astype(object).where(present, None).to_numpy()
        odd = known[parsed.isna()].iloc[0] if parsed.isna().any() else known.iloc[0]
        raise ValueError(f"Column {name!r} holds text ({odd!r}) where numbers belong. Convert it with "
                         f"pd.to_numeric, or write C({name}) if it names categories."
                         if isinstance(odd, str) else
                         f"Column {name!r} holds values of several types, {odd!r} among them: convert them to one.")
    if sort in ("complex", "bytes"):
        raise ValueError(f"Column {name!r} holds {sort} values ({known.iloc[0]!r}), not numbers or text.")
    return series.array


def variables_of(factors):
    """Names of the variables in the factors' code, in its order."""
    return list(dict.fromkeys(name for code in factors for name in sorted(names_in(code).variables)))


def variables(factors, data, categories=None):
    """The columns that the factors read, as patsy reads them rightly.

    For new rows, `categories` are the factors which the fit made categories of.
    """
    read = [names_in(code) for code in factors]
    bare = {one.bare for one in read}
    kinds = {name for one in read for name in one.kinds} - {name for one in read for name in one.variables - one.kinds}
    if categories is not None:
        kinds = set(variables_of(categories))
    computed = {name for one in read for name in one.variables - one.kinds - {one.bare}}
    columns = {name: usable(one_column(data, name), name, name in kinds, name in computed, categories is not None)
               for name in variables_of(factors) if name in data}
    for name, values in columns.items():
        if name in bare and not isinstance(values, (np.ndarray, pd.Categorical)):
            raise no_numbers(name, values[0])
    return columns


def no_numbers(code, value):
    return ValueError(f"{code!r} holds values of the type {type(value).__name__} ({value}), not numbers. Write C({code}) "
                      "for categories; make numbers of dates in the data, such as the days since the first: "
                      "(date - date.min()).dt.days.")


def with_arrays(factors, data, env):
    """The data, and the caller's own arrays that the factors read as further columns."""
    arrays = {}
    for name in variables_of(factors):
        found = env.namespace[name] if name in env.namespace else getattr(patsy.builtins, name, None)
        if name in data:
            continue
        if name in factors and (callable(found) or isinstance(found, ModuleType)):
            raise ValueError(f"{name!r} is no column. The columns are: {listed(data.columns)}.")
        if isinstance(found, (np.ndarray, pd.Series)) and np.ndim(found) and len(found) == len(data):
            if found.ndim > 1:
                raise ValueError(f"{name!r} is an array of {found.ndim} dimensions: put its columns into the data.")
            arrays[name] = aligned(found, data.index, name)
    return data.assign(**{name: np.asarray(values) for name, values in arrays.items()}) if arrays else data


def missing_in_memory(factors, data, env):
    """Rows without a value in a variable of which a formula remembers something, such as its mean."""
    missing = np.zeros(len(data), bool)
    for code in factors:
        called = [getattr(patsy.builtins, name, None) if name not in env.namespace else env.namespace[name]
                  for name in names_in(code).functions]
        if any(hasattr(function, "__patsy_stateful_transform__") for function in called):
            for name, values in variables([code], data).items():
                if isinstance(values, np.ndarray) and values.dtype.kind == "f" and np.isinf(values).any():
                    raise ValueError(f"Column {name!r} has infinite values.")
                missing |= pd.isna(values)
    return missing


def moved_centers(columns, codes, complete):
    """Columns whose means are 0 in every group before rows are left out, and not after."""
    def largest_mean(values, rows):
        rows = rows & (codes >= 0) & ~np.isnan(values)
        sums, count = np.bincount(codes[rows], values[rows]), np.bincount(codes[rows])
        return np.abs(sums / np.maximum(count, 1)).max(initial=0)

    for name, values in columns.items():
        if isinstance(values, np.ndarray) and values.dtype.kind == "f":
            limit = 1e-8 * np.nanmax(np.abs(values))
            if largest_mean(values, np.isfinite(values)) < limit < largest_mean(values, complete):
                yield name


def aligned(values, index, what="groups"):
    """Values of the rows with that index: a Series by its own index, all else by position."""
    if len(values) != len(index):
        raise ValueError(f"The {what} have {len(values)} entries, the data {len(index)} rows.")
    if not isinstance(values, pd.Series) or values.index.equals(index):
        return values
    if index.is_unique and values.index.is_unique and index.isin(values.index).all():
        return values.reindex(index)
    raise ValueError(f"The {what} are a Series with another index than the data: their rows can't be matched. If both "
                     f"have the same order, pass {what}.to_numpy().")


def group_labels(groups, data):
    """Each row's group: a column of the data, or values for its rows."""
    if isinstance(groups, str) or (np.isscalar(groups) and groups in data.columns):
        if groups not in data.columns and re.search(r"[:/*+|]", groups):
            raise ValueError(f"The groups {groups!r} are no column. {MORE_FACTORS}")
        groups = one_column(data, groups)
    elif isinstance(groups, (list, tuple)) and len(groups) < len(data) and set(groups) <= set(data.columns):
        raise ValueError(f"The groups {listed(groups)} are {len(groups)} columns. {MORE_FACTORS} Name one column.")
    if np.ndim(groups) != 1:
        raise ValueError("The groups are the name of one column, or one label for each row.")
    groups = pd.Series(aligned(groups, data.index))
    if groups.dtype == object and groups.dropna().map(lambda label: isinstance(label, str)).nunique() > 1:
        raise ValueError("The groups' labels mix numbers and text: convert them to one type.")
    return groups


def type_of(labels):
    """What sort of labels these are, in a word, and the first of them."""
    known = pd.Series(labels, dtype=object).dropna()
    kind = pd.api.types.infer_dtype(known)
    words = {"integer": "numbers", "floating": "numbers", "mixed-integer-float": "numbers", "decimal": "numbers",
             "string": "text", "empty": None}
    return words.get(kind, kind), known.iloc[0] if len(known) else None


# ------------------------------------------------------------------ designs


def build(left, right, columns, env, known):
    """Names, columns and patsy's memory of the response, the fixed effects and the random effects.

    `columns` are those that the formulas read, `known` the names of all.
    """
    rows = len(next(iter(columns.values()), ()))
    sides = [by_hand(terms, columns, rows) for terms in (left.lhs_termlist, left.rhs_termlist)]
    response, fixed = by_patsy(left, columns, env, known) if None in sides else sides
    random = by_hand(right.rhs_termlist, columns, rows) or next(by_patsy(right, columns, env, known))
    if len(response[0]) != 1:
        raise ValueError(f"The response {left.lhs_termlist[0].name()!r} holds categories; it must be numeric.")
    if not random[0]:
        raise ValueError("The formula of the random effects is empty: this is a regression without groups.")
    return response, fixed, random


def by_hand(terms, data, rows=None):
    """Columns of a design of plain numeric columns and their products, or None.

    It gives what patsy gives, without the milliseconds that patsy takes.
    """
    factors = {factor.name() for term in terms for factor in term.factors}
    if not all(name in data and isinstance(data[name].dtype, np.dtype) and data[name].dtype.kind in "iuf"
               for name in factors):
        return None
    values = {name: np.asarray(data[name], float) for name in factors}
    matrix = np.ones((len(data) if rows is None else rows, len(terms)), order="F")
    for column, term in zip(matrix.T, terms):
        for factor in term.factors:
            column *= values[factor.name()]
    return [term.name() for term in terms], matrix, None


def by_patsy(description, data, env, known=None):
    """Names, columns (NaN where a value is missing) and patsy's memory of each side of a formula."""
    known = list(data) if known is None else known
    data = pd.DataFrame(dict(data)).reset_index(drop=True)
    try:
        design = patsy.dmatrices if getattr(description, "lhs_termlist", None) else patsy.dmatrix
        parts = design(description, data, env, return_type="dataframe")
    except Exception as error:  # whatever the formula's functions raise
        if isinstance(error.__cause__, NameError):
            name = re.search("'(.*?)'", str(error.__cause__))[1]
            raise ValueError(f"{name!r} is neither a column nor a name in your session{instead(name, known)}. "
                             f"The columns are: {listed(known)}.") from None
        factors = getattr(description, "factor_infos", None) or factors_of(description)
        hidden = [name for factor in factors for name in names_in(factor.name()).functions if name in data]
        reason = f"a column hides the function {hidden[0]}(): rename it" if hidden else str(error).splitlines()[0]
        raise ValueError(f"The formula cannot be evaluated: {reason}.") from error
    for part in parts if isinstance(parts, tuple) else (parts,):
        check_categories(part.design_info, data)
        matrix = np.full((len(data), part.shape[1]), np.nan, order="F")
        matrix[part.index] = part
        yield list(part), matrix, part.design_info


def instead(name, columns):
    """What may be meant by a name that isn't there."""
    dotted = [column for column in columns if str(column).startswith(name + ".")]
    near = get_close_matches(name, [*map(str, columns), *patsy.builtins.__all__], 1)
    meant = (f'Q("{dotted[0]}")' if dotted else OF_R.get(name) or (f"np.{name}" if hasattr(np, name) else None)
             or (near[0] if near else None))
    return f" (write {meant}?)" if meant else ""


def check_categories(info, data):
    """Refuse numbers and dates that patsy would take for categories unasked."""
    for factor, about in info.factor_infos.items():
        code = factor.name()
        read = names_in(code)
        asked = read.kinds or read.bare in data and isinstance(data[read.bare].dtype, pd.CategoricalDtype)
        odd = [value for value in about.categories or () if not isinstance(value, (str, bool, np.bool_, pd.Interval))]
        if odd and not asked:
            raise no_numbers(code, odd[0])


@dataclass
class Design:
    """The rows that enter a fit: response y (n,), X (n, p), Z (n, q), their names and groups.

    ``codes`` (n,) count the groups from 0, ``labels`` are their names, ``index`` is the
    rows' index, ``data`` the data frame they come from, ``memory`` what patsy has to remember
    of X and Z (None where they were built by hand).
    """

    y: np.ndarray
    X: np.ndarray
    Z: np.ndarray
    response: str
    fixed: list
    random: list
    codes: np.ndarray
    labels: pd.Index
    index: pd.Index
    formula: str
    re_formula: str
    data: pd.DataFrame
    memory: tuple

    @classmethod
    def read(cls, formula, data, groups, re_formula, env):
        """Build both designs, leave out rows with missing values, refuse what cannot be used.

        The rows left out leave no trace: unused categories, and what formulas remember (means, knots),
        come from the other rows.
        """
        data, re_formula = as_frame(data), "~ 1" if re_formula is None else re_formula
        if data.empty:
            raise ValueError("The data frame is empty.")
        left, right = parse(formula), parse(re_formula)
        if len(left.lhs_termlist) != 1 or right.lhs_termlist:
            raise ValueError(f"The formula needs one response on its left, as in 'y ~ x' (it is {formula!r}), "
                             f"and that of the random effects none, as in '~ x' (it is {re_formula!r}).")
        env = env or patsy.EvalEnvironment([])
        factors = [factor.name() for model in (left, right) for factor in factors_of(model)]
        data = with_arrays(factors, data, env)
        codes, labels = pd.factorize(group_labels(groups, data), sort=True)
        if not isinstance(labels.dtype, (np.dtype, pd.CategoricalDtype)):
            labels = pd.Index(labels.tolist())
        complete = (codes >= 0) & ~missing_in_memory(factors, data, env)
        for _ in range(3):
            rows = data if complete.all() else data[complete]
            columns = variables(factors, rows)
            empty = [name for name in {names_in(code).bare: None for code in factors}
                     if name in columns and pd.isna(columns[name]).all()]
            if not complete.any() or empty:
                raise ValueError("No row is complete" + (f": {listed(empty)} has no values." if len(rows) else "."))
            sides = build(left, right, columns, env, list(data))
            bad = np.zeros(len(rows), bool)
            for names, part, _ in sides:
                if not np.isfinite(part.sum()):
                    infinite = np.isinf(part).any(axis=0)
                    if infinite.any():
                        raise ValueError(f"Column {names[np.argmax(infinite)]!r} has infinite values.")
                    bad |= np.isnan(part).any(axis=1)
            if not bad.any():
                break
            complete[np.flatnonzero(complete)[bad]] = False
        else:
            raise ValueError("The formula makes new missing values of those that are left, whenever rows with missing "
                             "values are left out: compute its lags and the like as columns first.")
        (response, y, _), (fixed, X, remember_X), (random, Z, remember_Z) = sides
        if not complete.all():
            kept, inverse = np.unique(codes[complete], return_inverse=True)
            lost = labels.delete(kept).tolist()
            moved = [*moved_centers(variables(factors, data), codes, complete)]
            warnings.warn(f"{(~complete).sum()} of {len(data)} rows have missing values and are left out"
                          + (f"; nothing is left of the groups {listed(lost)}" if lost else "")
                          + (f"; {listed(moved)} was centered within groups before, and is no longer: drop these rows, "
                             "then center" if moved else "") + ".", MissingRows, stacklevel=3)
            codes, labels = inverse, labels[kept]
        return cls(y[:, 0], X, Z, response[0], fixed, random, codes, labels, rows.index, formula, re_formula, rows,
                   (remember_X, remember_Z))

    def of_new(self, data):
        """X and Z of new rows, by the same formulas."""
        data = as_frame(data)
        for text, memory, matrix in zip((self.formula, self.re_formula), self.memory, (self.X, self.Z)):
            terms = parse(text).rhs_termlist
            factors = [factor.name() for term in terms for factor in term.factors]
            names = variables_of(factors)
            lacking = [name for name in names if name not in data and (self.data is None or name in self.data)]
            if lacking:
                raise ValueError(f"New rows need the columns of {text!r}; {listed(lacking)} is not among theirs: "
                                 f"{listed(data.columns)}.")
            if memory is None:
                built = by_hand(terms, variables(factors, data), len(data))
                if built is None:
                    raise ValueError(f"New rows need numbers in {listed(names)}, as the rows of the fit had.")
                yield built[1]
                continue
            if memory is True:  # pickled: patsy builds its memory again, with the names np and pd alone
                env = patsy.EvalEnvironment([{"np": np, "pd": pd}])
                memory = next(by_patsy(patsy.ModelDesc([], terms), variables(factors, self.data), env))[2]
            categories = {factor.name() for factor, about in memory.factor_infos.items() if about.categories}
            columns = variables(factors, data, categories)
            wrong = [name for code in factors if code not in categories and (name := names_in(code).bare) in columns
                     and columns[name].dtype.kind not in "iuf"]
            if wrong:
                raise ValueError(f"New rows need numbers in {listed(wrong)}, as the rows of the fit had.")
            half = len(self.data) // 2
            for rows in (slice(half), slice(half, None)):
                again = next(by_patsy(memory, variables(factors, self.data[rows], categories), 0))[1]
                if not np.allclose(again, matrix[rows], rtol=1e-9, atol=1e-12 * np.abs(matrix).max(), equal_nan=False):
                    raise ValueError(f"What {text!r} makes of a row depends on the other rows, so that new rows would "
                                     "get other values: write center(x) instead of x - x.mean(), or compute the column "
                                     "in the data.")
            yield next(by_patsy(memory, columns, 0))[1]

    def codes_of(self, groups, data):
        """Which groups of the fit new rows belong to, -1 for a new group.

        Labels of another type than the fit's are an error: none of them would be found.
        """
        if groups is None:
            return np.full(len(data), -1)
        groups = group_labels(groups, data)
        (ours, example), (theirs, odd) = type_of(self.labels), type_of(groups)
        if theirs not in (None, ours):
            raise ValueError(f"The fit's groups are {ours} (such as {example!r}), those of the new rows {theirs} (such as "
                             f"{odd!r}), so that none would be found: convert one of them.")
        return pd.Index(self.labels.tolist(), dtype=object).get_indexer(pd.Index(groups.tolist(), dtype=object))

    def __getstate__(self):
        return self.__dict__ | {"memory": tuple(None if memory is None else True for memory in self.memory)}

    def __deepcopy__(self, memo):
        return replace(self, **{name: copy.deepcopy(value, memo) for name, value in self.__dict__.items()
                                if name != "memory"})

    def check_sizes(self):
        """Refuse data with which nothing can be estimated, and say why."""
        n, p, q, J = *self.X.shape, self.Z.shape[1], len(self.labels)
        if J < 2:
            raise ValueError(f"The data have {J} group; how groups vary takes at least two.")
        if np.bincount(self.codes).max() == 1:
            raise ValueError("Every group has one row: the variance between groups cannot be told from the residual.")
        if n <= J * q:
            raise ValueError(f"{J} groups with {q} random effects each make {J * q} random effects, but there are "
                             f"only {n} rows: they cannot be told from the residuals. Leave out a random slope.")
        if n <= p + 1:
            raise ValueError(f"{p} fixed effects and the variances cannot be estimated from {n} rows.")
