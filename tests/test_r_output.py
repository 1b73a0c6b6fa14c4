"""What R prints in the chapters on the five models and on time points is what the course's own fit says, to the printed digit."""

import hashlib
import re

import numpy as np
import pandas as pd
import pytest
from bs4 import BeautifulSoup

import mlm
from conftest import ROOT
from book.workspace import chapters

FOLDER = ROOT / "chapters" / "r"
SCRIPTS = {path.name: dict(re.findall(r"^# ---- (\S+) ----\n(.*?)(?=^# ----)", path.read_text("utf-8"), flags=re.M | re.S))
           for path in FOLDER.glob("*.R") if path.name != "keep.R"}
SCRIPT_OF = {name: script for script, sections in SCRIPTS.items() for name in sections if name != "data"}
MODELS = [name for script in ("models.R", "time-points.R") for name, code in SCRIPTS[script].items() if "<- lmer(" in code]
WRITTEN = [path.stem for path in chapters() if path.stem in MODELS]
NUMBER = re.compile(r"(?<![\w.'])[-<]?\s?\d+(?:\.\d+)?(?:e-\d+)?(?![\w'])")


def kept(name):
    header, text = (FOLDER / f"{name}.txt").read_text("utf-8").split("\n", 1)
    return header, text.rstrip("\n")


def formula_of(text):
    """Fixed formula, random formula and groups of the ``Formula:`` line."""
    line = " ".join(re.search(r"^Formula: (.*?)\n +Data:", text, flags=re.M | re.S)[1].split())
    return re.fullmatch(r"(.+?) \+ \((.+) \| (\w+)\)", line).groups()


def printed(text):
    """Every number in the output, in reading order; of the legend, the formula and the method's name none."""
    body = re.split(r"Data: \w+", text)[1]
    return NUMBER.findall(re.sub(r"^Signif. codes.*$", "", body, flags=re.M))


def expected(fit, names):
    """The same numbers from the course's fit, as (value, kind); the fixed effects in the order of `names`, R's."""
    ours = {frozenset(name.split(":")): name for name in fit.fe_params.index}
    order = [ours[frozenset(name.replace("(Intercept)", "Intercept").split(":"))] for name in names]
    values = [-2 * fit.llf, *(fit.resid / np.sqrt(fit.scale)).quantile([0, 0.25, 0.5, 0.75, 1])]
    yield from ((value, "any") for value in values)
    sds = np.sqrt(np.diag(fit.cov_re))
    for k, sd in enumerate(sds):
        yield from ((value, "tau") for value in (sd**2, sd, *(fit.cov_re.iloc[k, :k] / (sd * sds[:k]))))
    yield from ((value, "any") for value in (fit.scale, np.sqrt(fit.scale), fit.nobs, len(fit.random_effects)))
    tests = mlm.satterthwaite(fit).loc[order, ["estimate", "se", "df", "t", "p"]]
    yield from ((value, column) for row in tests.to_dict("records") for column, value in row.items())
    errors = fit.bse_fe[order].to_numpy()
    correlation = fit.cov_fixed.loc[order, order].to_numpy() / np.outer(errors, errors)
    yield from ((value, "any") for value in correlation[np.tril_indices(len(order), -1)])


def compared(text, fit):
    """What R prints beside our value and the largest difference allowed.

    Half a unit of the last printed digit, for rounding. Where slopes vary, lme4's default optimiser stops
    3e-8 deviance units short: its standard deviations are off by up to 1e-4 relative (the slope's) and 4e-6
    (the others), which moves a printed number that is near a rounding border, and the degrees of freedom in
    the sixth digit. With 18 persons the deviance is flatter: 1e-8 short is a variance off by 2e-5.
    """
    table = text.split("Pr(>|t|)")[1].split("---")[0]
    ours, theirs = list(expected(fit, re.findall(r"^(\S+)(?= +-?\d)", table, flags=re.M))), printed(text)
    assert len(ours) == len(theirs)
    for number, (value, kind) in zip(theirs, ours):
        few = kind == "tau" and len(fit.random_effects) < 100
        slack = 0 if fit.k_re == 1 else abs(value) * (1.5e-4 if kind == "df" else 2e-5 if few else 1e-6)
        yield number, value, unit(number) / 2 * (1 + 1e-6) + slack


def unit(number):
    """One unit of the last printed digit."""
    mantissa, _, exponent = number.partition("e")
    return 10.0 ** (int(exponent or 0) - len(mantissa.partition(".")[2]))


def agrees(number, value, allowed):
    """Whether our value is the printed number; R prints ``<2e-16`` for smaller p values."""
    if number.startswith("<"):
        return value < float(number[1:])
    return abs(float(number) - value) <= allowed


@pytest.fixture(scope="module")
def fit_of(hsb):
    sleepstudy = mlm.load_sleepstudy()
    data = {"hsb": hsb.assign(ses_cwc=mlm.center_within(hsb["ses"], hsb["schid"]), catholic=hsb["schtype"]),
            "sleepstudy": sleepstudy, "restricted": sleepstudy[sleepstudy["Days"] >= 2].assign(day=sleepstudy["Days"] - 2)}

    def fit(text):
        fixed, random, groups = formula_of(text)
        return mlm.mixedlm(fixed, data[re.search(r"Data: (\w+)", text)[1]], groups, f"~ {random}")

    return fit


@pytest.mark.parametrize("name", MODELS)
def test_numbers_are_those_of_the_course(name, fit_of):
    text = kept(name)[1]
    assert [row for row in compared(text, fit_of(text)) if not agrees(*row)] == []


def rows_of_factor(text):
    """Every number that lmerTest and emmeans print for the groups of size, beside ours."""
    data = mlm.load_hsb()
    data["size_group"] = pd.cut(data["size"], [0, 800, 1400, 3000], labels=["small", "medium", "large"])
    fit = mlm.mixedlm("mathach ~ size_group", data, "schid")
    joint = mlm.joint_tests(fit).loc["size_group"]
    mean_square = joint["F"] * fit.scale
    ours = {"size_group": [joint["df1"] * mean_square, mean_square, *joint[["df1", "df2", "F", "p"]]]}
    ours |= mlm.marginal_means(fit, "size_group").T.to_dict("list")
    ours |= mlm.pairwise(fit, "size_group")[["estimate", "se", "df", "t", "p"]].T.to_dict("list")
    planned = mlm.satterthwaite(fit, "size_group[T.large] - 0.5 * size_group[T.medium]").iloc[0]
    ours["large - others"] = planned[["estimate", "se", "df", "t", "p"]].tolist()
    for label, values in ours.items():
        line = re.search(rf"^ ?{label} +(-?\d.*)$", text, flags=re.M)[1].split()
        assert len(line) == len(values)
        # lme4's default optimiser: standard deviations off by up to 4e-6, sums of squares by twice that
        yield from ((number, value, unit(number) / 2 + 1e-5 * abs(value)) for number, value in zip(line, values))


def test_numbers_of_the_factor_are_those_of_the_course():
    rows = list(rows_of_factor(kept("size-groups")[1]))
    assert len(rows) == 6 + 3 * 5 + 4 * 5 and [row for row in rows if not agrees(*row)] == []


def test_the_page_shows_the_factor_in_r(site):
    page = BeautifulSoup((site / "chapters/means-as-outcomes.html").read_text("utf-8"), "html.parser")
    blocks = [block.get_text().strip() for block in page.select("details pre")]
    sections = SCRIPTS["size-groups.R"]
    for shown in (sections["data"], sections["size-groups"], kept("size-groups")[1]):
        assert shown.strip() in blocks


@pytest.mark.parametrize("name", [name for name in MODELS if "(1 | schid)" in SCRIPTS[SCRIPT_OF[name]][name]])
def test_every_altered_digit_is_found(name, fit_of):
    text = kept(name)[1]
    fit, (head, body) = fit_of(text), text.split("Data: hsb")
    body, rest = body.split("Signif.")
    digits = [m.start() for m in re.finditer(r"\d", re.sub(r"<2e-16|\dQ", lambda m: "-" * len(m[0]), body))]
    assert len(digits) > 70
    for k in digits:
        altered = f"{head}Data: hsb{body[:k]}{(int(body[k]) + 5) % 10}{body[k + 1:]}Signif.{rest}"
        assert not all(agrees(*row) for row in compared(altered, fit)), body[k - 10:k + 10]


@pytest.mark.parametrize("name", sorted(path.stem for path in FOLDER.glob("*.txt")))
def test_kept_output_belongs_to_the_script(name):
    script = SCRIPT_OF[name]
    digest = hashlib.md5((FOLDER / script).read_bytes()).hexdigest()
    assert kept(name)[0].endswith(f"{script} has MD5 {digest}"), f"{script} was edited: run `make reference`"


def test_no_page_shows_a_file_of_the_tests():
    """The book is to be built without its tests."""
    pages = {path.name: path.read_text("utf-8") for path in (ROOT / "chapters").glob("*.md")}
    included = re.compile(r"^`+\{(?:literal)?include\} .*tests/", flags=re.M)
    assert [name for name, text in pages.items() if included.search(text)] == []


@pytest.mark.parametrize("name", WRITTEN)
def test_the_chapter_shows_the_script_and_its_output(name, site):
    page = BeautifulSoup((site / "chapters" / f"{name}.html").read_text("utf-8"), "html.parser")
    blocks = [block.get_text().strip() for block in page.select("details pre")]
    sections = SCRIPTS[SCRIPT_OF[name]]
    parts = [part for part in sections if part == name or part.startswith(f"{name}-")]
    for shown in (sections["data"], *(sections[part] for part in parts), *(kept(part)[1] for part in parts)):
        assert shown.strip() in blocks
