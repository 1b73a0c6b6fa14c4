"""What R prints in the chapters on the five models is what the course's own fit says, to the printed digit."""

import hashlib
import re

import numpy as np
import pytest
from bs4 import BeautifulSoup

import mlm
from conftest import ROOT
from book.workspace import chapters

FOLDER = ROOT / "chapters" / "r"
SCRIPT = (FOLDER / "models.R").read_text("utf-8")
SECTIONS = dict(re.findall(r"^# ---- (\S+) ----\n(.*?)(?=^# ----)", SCRIPT, flags=re.M | re.S))
MODELS = [name for name in SECTIONS if name != "data"]
WRITTEN = [path.stem for path in chapters() if path.stem in MODELS]
NUMBER = re.compile(r"(?<![\w.'])[-<]?\s?\d+(?:\.\d+)?(?:e-\d+)?(?![\w'])")


def kept(name):
    header, text = (FOLDER / f"{name}.txt").read_text("utf-8").split("\n", 1)
    return header, text.rstrip("\n")


def formula_of(text):
    """Fixed and random formula of the ``Formula:`` line."""
    line = " ".join(re.search(r"^Formula: (.*?)\n +Data:", text, flags=re.M | re.S)[1].split())
    return re.fullmatch(r"(.+?) \+ \((.+) \| schid\)", line).groups()


def printed(text):
    """Every number in the output, in reading order; of the legend, the formula and the method's name none."""
    body = text.split("Data: hsb")[1]
    return NUMBER.findall(re.sub(r"^Signif. codes.*$", "", body, flags=re.M))


def expected(fit, names):
    """The same numbers from the course's fit, as (value, kind); the fixed effects in the order of `names`, R's."""
    ours = {frozenset(name.split(":")): name for name in fit.fe_params.index}
    order = [ours[frozenset(name.replace("(Intercept)", "Intercept").split(":"))] for name in names]
    values = [-2 * fit.llf, *(fit.resid / np.sqrt(fit.scale)).quantile([0, 0.25, 0.5, 0.75, 1])]
    sds = np.sqrt(np.diag(fit.cov_re))
    for k, sd in enumerate(sds):
        values += [sd**2, sd, *(fit.cov_re.iloc[k, :k] / (sd * sds[:k]))]
    values += [fit.scale, np.sqrt(fit.scale), fit.nobs, len(fit.random_effects)]
    yield from ((value, "any") for value in values)
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
    the sixth digit.
    """
    table = text.split("Pr(>|t|)")[1].split("---")[0]
    ours, theirs = list(expected(fit, re.findall(r"^(\S+)(?= +-?\d)", table, flags=re.M))), printed(text)
    assert len(ours) == len(theirs)
    for number, (value, kind) in zip(theirs, ours):
        slack = 0 if fit.k_re == 1 else abs(value) * (1.5e-4 if kind == "df" else 1e-6)
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
    data = hsb.assign(ses_cwc=mlm.center_within(hsb["ses"], hsb["schid"]), catholic=hsb["schtype"])

    def fit(text):
        fixed, random = formula_of(text)
        return mlm.mixedlm(fixed, data, "schid", f"~ {random}")

    return fit


@pytest.mark.parametrize("name", MODELS)
def test_numbers_are_those_of_the_course(name, fit_of):
    text = kept(name)[1]
    assert [row for row in compared(text, fit_of(text)) if not agrees(*row)] == []


@pytest.mark.parametrize("name", [name for name in MODELS if "(1 | schid)" in SECTIONS[name]])
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
    script = next(path.name for path in FOLDER.glob("*.R") if f"# ---- {name} ----" in path.read_text("utf-8"))
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
    for shown in (SECTIONS["data"], SECTIONS[name], kept(name)[1]):
        assert shown.strip() in blocks
