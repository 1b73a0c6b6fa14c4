"""No code on the site is unrun: chapters, home page, deck and README.

Cells are run when the pages are built. Everything else that looks like a call is run here (Python), by
tests/reference/code_on_pages.R (R), or stands below for what it is. Fenced blocks say by their language what they are.
"""

import ast
import hashlib
import importlib.metadata
import importlib.util
import json
import re

import glmm
import joblib
import matplotlib.pyplot
import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from scipy import stats

import mlm
from conftest import ROOT

PAGES = [ROOT / "index.md", ROOT / "README.md", *sorted((ROOT / "chapters").glob("*.md")), ROOT / "slides/deck.md"]
FENCE = re.compile(r"^(`{3,})([^\n`]*)\n(.*?)^\1\s*$", flags=re.M | re.S)
# python blocks are run here; bash is for a shell, text is output or the syntax of another program
LANGUAGES = {"python", "bash", "text"}
R_SCRIPT = ROOT / "tests/reference/code_on_pages.R"

# What looks like a call and can't be run, page by page, with the reason.
MARKED = {
    "install.packages(x)": "installs a package",
    'lmer("y ~ x + (1 | person) + (1 | item)", data=…)': "pymer4: not in this environment",
    'bmb.Model("y ~ x + (1|person) + (1|item)", data)': "bambi: not in this environment",
    "lmer(mathach ~ ses + (ses | schid))": "what lmer would be asked, as a figure of speech",
    'mlm.mixedlm("mathach ~ ses + (ses | schid)", hsb)': "refused on purpose",
    "EQ@ref(eq:comb-eq)": "a slip of the slides, quoted",
    "i.d.d": "a slip of the slides, quoted",
    "Client()": "of Dask, which tests/test_power.py runs",
    "fit_vb": "a method in a cell",
}
# blocks in python that are not run here
ELSEWHERE = {"from dask.distributed": "tests/test_power.py runs it"}
# a term of a formula, a row of a table, an argument, an option of another program
PIECE = re.compile(r"(schid )?\(Intercept\)|\(?[\w+ ]+ \|{1,2} [\w/]+\)?( \+ \(1 \| \w+\))?|(var|cov|cor|sd)\([\w, ]+\)"
                   r"|C\(\w+\)|COVTYPE\(\w+\)|/?\w+=[\w()]+|\[0\.025 0\.975\]|(ar1?|diag|summary|conf_int)\(\)|[~\w. ]+ ~ .*")
CALL = re.compile(r"\w\(|\w\[|\b(mlm|fit|hsb|null|smf|np|ax)\.\w|^\w+(\.[A-Za-z_]\w*)+$|^\w+::\w+$")
ROLE = re.compile(r"\{(ref|numref|term|eq|doc|cite(:\w+)?|glue:text)\}`[^`]*`")


def inline(text):
    """What stands between backticks, blocks and roles left out; a bar in a table without its backslash."""
    text = FENCE.sub(lambda m: m[3] if m[2].startswith("{") and not re.match(r"\{(code-cell|literalinclude)", m[2]) else "", text)
    found = re.findall(r"(?<!`)`([^`]+)`(?!`)", ROLE.sub("", text))
    return [" ".join(code.replace("\\|", "|").split()) for code in found]


@pytest.fixture(scope="module")
def scope(tmp_path_factory):
    """The names that the text speaks of, with few schools, so that all runs in seconds."""
    hsb = mlm.load_hsb()
    hsb["ses_cwc"] = mlm.center_within(hsb["ses"], hsb["schid"])
    hsb = hsb.assign(catholic=hsb["schtype"], X=hsb["ses_cwc"], W=hsb["meanses"])
    hsb["quarter"] = pd.cut(hsb["size"], [0, 600, 1100, 1600, 3000], labels=["small", "medium", "large", "huge"])
    few = hsb[hsb["schid"].isin(hsb["schid"].unique()[::8])]

    def fit(formula, re_formula=None, reml=True):
        return mlm.mixedlm(formula, few, groups="schid", re_formula=re_formula, reml=reml)

    rng, size = np.random.default_rng(1), 600
    data = pd.DataFrame({"school": np.arange(size) // 30, "classroom": np.arange(size) // 10, "person": np.arange(size) // 10,
                         "item": np.arange(size) % 10, "x": rng.normal(size=size), "everybody": 1})
    data["class"] = data["classroom"]
    data["y"] = sum(rng.normal(size=60)[data[name]] for name in ("school", "classroom", "item")) + rng.normal(size=size)
    data["y"] += sum(rng.normal(size=60)[data[name]] for name in ("school", "classroom")) * data["x"]
    data = data.assign(skill=data["y"], experience=rng.normal(size=20)[data["school"]], time=data["x"])
    names = {
        "mlm": mlm, "glmm": glmm, "np": np, "pd": pd, "smf": smf, "importlib": importlib,
        "hsb": hsb, "dat": hsb, "d": hsb.head(550), "data": data, "groups": "school", "formula": "y ~ x", "re_formula": "~ x",
        "null": fit("mathach ~ 1", reml=False), "ancova": fit("mathach ~ ses_cwc", reml=False),
        "fit": fit("mathach ~ ses_cwc", "~ ses_cwc"), "smaller": fit("mathach ~ ses_cwc", reml=False),
        "by_size": fit("mathach ~ ses + quarter"),
        "larger": fit("mathach ~ ses_cwc", "~ ses_cwc", reml=False), "j": "1224", "n": 20, "x": "statsmodels", "i": 1,
        "new": few.head(3), "columns": ["ses"], "name": "a", "stats": stats, "ax": matplotlib.pyplot.figure().add_subplot(),
        "plan": mlm.plan("y ~ program", fixed={"program": 2}, tau=8.0, sigma2=39.0, predictors={"program": "school 0/1"}),
        "lrt_cross": {"p": 1e-9}, "pages": {"notation": {"fit": fit("mathach ~ W * X", "~ X")}},
    }
    with joblib.parallel_config("sequential"):  # to start workers takes longer than what they do
        yield names
    matplotlib.pyplot.close("all")


def executed_in_cells():
    """Every expression in a cell of a page or of the deck, as its syntax tree."""
    found = set()
    for page in PAGES:
        for _, kind, source in FENCE.findall(page.read_text("utf-8")):
            if kind.startswith("{code-cell}"):
                source = re.sub(r"\A(---\n.*?\n---\n|(:\w+:.*\n)+)", "", source, flags=re.S)
                found |= {ast.dump(node) for node in ast.walk(ast.parse(source)) if isinstance(node, (ast.expr, ast.stmt))}
    return found


IN_CELLS = executed_in_cells()
IN_R = json.loads(R_SCRIPT.with_suffix(".json").read_text("utf-8"))


def why_not_run(code, scope):
    """None if the code is run somewhere or is no call, else what went wrong."""
    if not CALL.search(code) or code in MARKED or code in IN_R["ran"] or PIECE.fullmatch(code):
        return None
    if any((folder / code).exists() for folder in (ROOT, ROOT / "chapters", ROOT / "data")) or re.fullmatch(r"[\d.±-]+", code):
        return None
    try:
        tree = ast.parse(code)
    except SyntaxError as error:
        return f"not Python, and not in {R_SCRIPT.name}: {error}"
    if all(ast.dump(node.value if isinstance(node, ast.Expr) else node) in IN_CELLS for node in tree.body):
        return None
    try:
        exec(compile(tree, "<page>", "exec"), dict(scope))
    except Exception as error:  # whatever it is, the page shows code that fails
        return f"{type(error).__name__}: {error}"
    return None


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.stem)
def test_calls_in_the_text_run(page, scope, capsys):
    names = scope | scope["pages"].get(page.stem, {})
    wrong = {code: why_not_run(code, names) for code in inline(page.read_text("utf-8"))}
    assert {code: reason for code, reason in wrong.items() if reason} == {}


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.stem)
def test_blocks_run_or_say_what_they_are(page, capsys):
    for _, kind, source in FENCE.findall(page.read_text("utf-8")):
        if kind.startswith("{"):
            continue  # a cell or a box
        assert kind.strip() in LANGUAGES, f"a block without a language, or with another: {kind!r}\n{source}"
        if kind.strip() == "python":
            tree = compile(source, page.name, "exec")
            if not any(mark in source for mark in ELSEWHERE):
                exec(tree, {})


def test_marks_are_needed():
    texts = [page.read_text("utf-8") for page in PAGES]
    used = {code for text in texts for code in inline(text)}
    assert [code for code in MARKED if code not in used] == []
    assert all(any(mark in text for text in texts) for mark in ELSEWHERE)


def test_calls_in_r_were_run_as_they_stand_in_the_script():
    assert IN_R["md5"] == hashlib.md5(R_SCRIPT.read_bytes()).hexdigest(), "run `make reference`"
    used = {code for page in PAGES for code in inline(page.read_text("utf-8"))}
    assert [code for code in IN_R["ran"] if code not in used] == []


@pytest.mark.parametrize("code", ["mlm.blup(fit)", "fit.blups + fit.no_such_name", "VarCor(m)", "mlm.predict(fit, new, of=1, at=2)"])
def test_code_that_fails_is_found(code, scope):
    assert why_not_run(code, scope)
