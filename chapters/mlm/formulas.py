"""Formulas: what they name, and one line on what to write where patsy would read something else."""

import ast
import keyword
import re
from collections import namedtuple
from functools import lru_cache

import patsy
import patsy.builtins
from patsy.parse_formula import parse_formula


def listed(names):
    return ", ".join(map(str, names))


BITS = {ast.BitOr: "|", ast.BitXor: "^", ast.BitAnd: "&", ast.LShift: "<<", ast.RShift: ">>", ast.Invert: "~"}
OF_R = {"factor": "C", "ns": "cr", "s": "cr", "ifelse": "np.where", "poly": "x + I(x ** 2)",
        "offset": "I(y - offset) on the left"}
MORE_FACTORS = ("Models with more than one grouping factor (three levels, crossed effects) are not covered: lme4 (R) "
                "fits them, in Python mixedlm.lmer.")
ELSEWHERE = {
    "weights": "Weights are not covered. Rows of known precision: lme4 (R), in Python mixedlm.lmer(…, weights=…). "
               "Sampling weights are something else: WeMix (R).",
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
