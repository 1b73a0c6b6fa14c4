"""What `mlm` offers: every public name is there, says what it takes, gives and refuses, and shows how by code that runs."""

import doctest
import inspect
import re

import matplotlib
import numpy as np
import pandas as pd
import pytest
import yaml

import mlm
from conftest import ROOT

FIGURES = sorted(name for name, value in vars(mlm.figures).items() if inspect.isfunction(value)
                 and value.__module__ == "mlm.figures" and not name.startswith("_") and name not in mlm.__all__)
NAMES = [name for name in mlm.__all__ if not inspect.ismodule(getattr(mlm, name))] + [f"figures.{name}" for name in FIGURES]
# Arguments of these are checked where formulas and data are read (tests/test_data.py, tests/test_fit.py), or are what a
# reader of the page writes; the others say their domains.
ELSEWHERE = {"between_within", "center_within", "describe", "glue", "load_hsb", "load_sleepstudy", "mixedlm", "show", "use_course_style"}


def get(name):
    value = mlm
    for part in name.split("."):
        value = getattr(value, part)
    return value


FUNCTIONS = [name for name in NAMES if inspect.isfunction(get(name))]


def test_all_that_is_public_has_its_name_here():
    assert sorted(set(mlm.__all__)) == mlm.__all__
    for name in mlm.__all__:
        assert hasattr(mlm, name), name
    public = [get(name) for name in NAMES]
    modules = {value.__module__ for value in public}
    for module in modules:  # what has domains is meant for readers
        for name, value in vars(__import__(module, fromlist=["_"])).items():
            if hasattr(value, "domains"):
                assert value in public, f"{module}.{name} has domains, but no name for readers"
    used = set()
    for page in [*(ROOT / "chapters").glob("*.md"), *(ROOT / "slides").glob("*.md")]:
        used |= set(re.findall(r"\bmlm\.([a-z_]+(?:\.[a-z_]+)?)\(", page.read_text("utf-8")))
    assert len(used) > 25
    assert not [name for name in used if name.split(".")[-1] not in {known.split(".")[-1] for known in NAMES}]


def test_version_is_that_of_the_citation():
    assert mlm.__version__ == yaml.safe_load((ROOT / "CITATION.cff").read_text())["version"]


@pytest.mark.parametrize("name", NAMES)
def test_docstrings_are_whole(name):
    value, text = get(name), inspect.getdoc(get(name))
    sections = re.findall(r"^(\w[\w ]*)\n-+$", text, flags=re.M)
    assert "Examples" in sections
    if inspect.isfunction(value):
        parameters = inspect.signature(value).parameters
        assert "Returns" in sections and ("Raises" in sections or name in ("glue", "use_course_style"))
        assert not parameters or "Parameters" in sections
        described = re.split(r"\n\w[\w ]*\n-+\n", text.partition("Parameters\n----------\n")[2])[0]
        named = {part.strip(" *") for line in re.findall(r"^\S.*?(?= :|$)", described, flags=re.M) for part in line.split(",")}
        catch_all = {name for name, about in parameters.items() if about.kind is about.VAR_KEYWORD}
        assert named | catch_all == set(parameters)
    elif not issubclass(value, Exception):
        assert "Attributes" in sections


@pytest.mark.parametrize("name", NAMES)
def test_examples_run(name):
    matplotlib.use("Agg")
    value = inspect.unwrap(get(name))
    tests = [test for test in doctest.DocTestFinder(recurse=False).find(value, name, globs={}) if test.examples]
    assert tests, "there is no example"
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE, verbose=False)
    reports = []
    for test in tests:
        assert any(example.want for example in test.examples), "the example shows nothing"
        with pd.option_context("display.precision", 6):  # pandas' own, whatever has set the course's style before
            runner.run(test, out=reports.append)
    assert not runner.failures, "".join(reports)


def test_examples_can_fail():
    test, = doctest.DocTestFinder(recurse=False).find(inspect.unwrap(mlm.icc), "icc", globs={})
    test.examples[-1].want = "0.19\n"
    assert doctest.DocTestRunner(verbose=False).run(test, out=lambda text: None).failed == 1


@pytest.mark.parametrize("name", [name for name in FUNCTIONS if name not in ELSEWHERE and "." not in name])
def test_every_argument_has_its_domain(name, hsb):
    function = get(name)
    fit = mlm.mixedlm("mathach ~ ses", hsb, groups="schid")
    good = {"fit": fit, "smaller": fit, "larger": fit, "study": fit, "icc": 0.2, "size": 10, "p": 0.1, "draws": 3,
            "responses": hsb[["mathach"]], "fits": fit, "data": hsb, "of": "ses", "effect": "ses", "formula": "y ~ x",
            "fixed": {}, "tau": 0.1, "sigma2": 1, "predictors": {"x": "student normal"}}
    needed = {parameter: good[parameter] for parameter, about in inspect.signature(function).parameters.items()
              if about.default is inspect.Parameter.empty}
    for argument, domain in function.domains.items():
        if domain.allowed == "anything":  # checked with the data at hand: the tests of the function
            assert (name, argument) in {("satterthwaite", "contrasts"), ("joint_tests", "contrasts"), ("refit", "responses"),
                                        ("predict", "groups"), ("plan", "tau")}
            continue
        with pytest.raises((TypeError, ValueError), match=f"^{argument} must be .*; it is <object") as caught:
            function(**(needed | {argument: object()}))
        assert domain.allowed in str(caught.value)


@pytest.mark.parametrize("call, message", [
    ("variance_intervals(fit, method='wald')", "method must be 'profile' or 'delta'; it is 'wald'"),
    ("variance_intervals(fit, level=95)", "level must be a share between 0 and 1, such as 0.95; it is 95"),
    ("satterthwaite(fit, level=1)", "level must be .* it is 1"),
    ("blups(fit, level=float('nan'))", "level must be .* it is nan"),
    ("predict(fit, hsb, of='obs')", "of must be 'observation' or 'mean'; it is 'obs'"),
    ("predict(fit, None)", "data must be a pandas data frame; it is None"),
    ("simulate(fit, 0)", "draws must be a whole number from 1 on; it is 0"),
    ("simulate(fit, True)", "draws must be a whole number from 1 on; it is True"),
    ("bootstrap(fit, 10.5)", "draws must be a whole number from 1 on; it is 10.5"),
    ("bootstrap(fit, seed='a')", "seed must be a whole number from 0 on or None or a NumPy generator; it is 'a'"),
    ("bootstrap_test(fit, None)", "larger must be a fit of mlm.mixedlm; it is None"),
    ("likelihood_ratio(fit, 3)", "larger must be a fit"),
    ("refit(fit, hsb.mathach)", r"responses must be finite numbers of shape \(7185, m\)"),
    ("refit(fit, hsb[['schid']].astype(object).map(lambda text: text + 'x'))", "responses must be finite"),
    ("satterthwaite(fit, 'sex = 0')", "contrasts must combine the fixed effects Intercept, ses, as in"),
    ("satterthwaite(fit, [1, 0, 0])", "contrasts must be text such as .* in 2 columns, for Intercept, ses"),
    ("satterthwaite(fit, [1, float('nan')])", "contrasts must be text"),
    ("joint_tests(fit, {'ses': 1})", "contrasts must be text"),
    ("design_effect(18, 45)", "icc must be a probability, from 0 to 1, or a list of them; it is 18"),
    ("design_effect(0.18, 0)", "size must be a number above 0, or a list of them; it is 0"),
    ("icc(0.3)", "fit must be a fit of mlm.mixedlm; it is 0.3"),
    ("model_table(fit, digits=-1)", "digits must be a whole number from 0 on; it is -1"),
    ("variance_reduction(fit, fewer)", "different rows or responses"),
    ("refit(fit, np.ones((7185, 1)))", "responses must be finite numbers that vary; column 0 is constant"),
    ("refit(fit, np.where(np.arange(7185) == 3, np.nan, hsb.mathach)[:, None])", "column 0 has missing or infinite values"),
    ("joint_tests(fit, [[0, 0]])", "contrasts must not be 0 in every column"),
    ("satterthwaite(fit, [[0, 1], [0, 0]])", "contrasts must not be 0 in every column"),
    ("likelihood_ratio(fit, fit)", "The models are the same: there is nothing to test"),
    ("design_effect([0.1, 0.2], [5, 6, 7])", "icc and size must be of one length; they have 2 and 3 values"),
    ("Plan.of(fit).with_value('sex', 1)", "There is no effect 'sex'. The effects are: Intercept, ses, Intercept Var"),
    ("power(mlm.mixedlm('mathach ~ ses', hsb, 'schid', '~ ses', correlated=False), 'ses')", "this fit has correlated=False"),
    ("plan('y ~ C(arm)', {}, 0.1, 0.9, {'arm': 'school 0/1'})", r"plan makes numbers, no categories: write arm in place of C\(arm\)"),
    ("center_within(hsb.ses, hsb[['schid']])", "The groups are the name of one column, or one label for each row"),
    ("center_within(hsb.ses, [1224, *hsb.schid[1:]])", "The groups' labels mix numbers and text"),
    ("coefficients(3)", "fit must be a result of a statsmodels regression; it is 3"),
])
def test_arguments_outside_their_domain(hsb, call, message):
    fit, fewer = (mlm.mixedlm("mathach ~ ses", data, groups="schid") for data in (hsb, hsb[:-1]))
    with pytest.raises((TypeError, ValueError), match=message):
        eval(f"mlm.{call}", {"mlm": mlm, "np": np, "fit": fit, "fewer": fewer, "hsb": hsb})


# ---- the page -----------------------------------------------------------------------------------

PAGE = (ROOT / "chapters/api.md").read_text("utf-8")


def test_the_page_has_every_name_once():
    listed = [name.removeprefix("mlm.") for name in re.findall(r"^\.\. auto\w+:: (\S+)$", PAGE, flags=re.M)]
    assert sorted(listed) == sorted(NAMES)


def test_on_paper_each_name_has_its_first_line():
    from book.extensions.latex import in_short

    short = in_short(PAGE)
    assert "- `mlm.p_value`: A p value as APA style prints it" in short and "- `mlm.figures.loess`: Local quadratic" in short
    assert len(re.findall(r"^- `mlm\.", short, flags=re.M)) == len(NAMES) and "eval-rst" not in short and "```" not in short


def test_the_built_page_has_signatures_sections_and_examples(site):
    from bs4 import BeautifulSoup

    page = BeautifulSoup((site / "chapters/api.html").read_text("utf-8"), "html.parser")
    entries = {entry["id"].removeprefix("mlm."): entry.parent for entry in page.select("dl.py > dt.sig")}
    assert set(NAMES) <= set(entries)
    text = entries["joint_tests"].get_text()
    assert "joint_tests(fit, contrasts=None)" in re.sub(r"\s+", " ", text) and "Fai & Cornelius" in re.sub(r"\s+", " ", text)
    for name in FUNCTIONS:
        entry = entries[name]
        assert "Returns" in entry.get_text() and entry.select("div.doctest"), name
    links = [link["href"] for chapter in ("software", "r-to-python")
             for link in BeautifulSoup((site / f"chapters/{chapter}.html").read_text("utf-8"), "html.parser").select("article a")]
    assert [link.split("#")[0] for link in links].count("api.html") == 2
