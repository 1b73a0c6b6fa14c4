"""What pages show without making it anew: the Bayesian fit, and the comparison of packages."""

import hashlib
import re
import sys

import numpy as np
import pandas as pd
import pytest
from bs4 import BeautifulSoup

import mlm
from conftest import ROOT

BAMBI = ROOT / "chapters/bambi"
sys.path.insert(0, str(ROOT / "benchmarks"))


def pins(path):
    return dict(re.findall(r"^([\w-]+)==([\w.]+)", path.read_text("utf-8"), flags=re.M))


def test_the_bayesian_output_belongs_to_the_script_and_its_pins():
    header = (BAMBI / "random_slope.txt").read_text("utf-8").splitlines()[0]
    digest = hashlib.md5((BAMBI / "random_slope.py").read_bytes()).hexdigest()
    assert header.endswith(f"random_slope.py has MD5 {digest}"), "the script was edited: run `make bayes`"
    assert all(f"{name} {pins(BAMBI / 'requirements.txt')[name]}" in header for name in ("bambi", "pymc", "arviz"))


@pytest.fixture(scope="module")
def packages():
    return pd.read_csv(ROOT / "data/packages.csv", keep_default_na=False)


def test_the_table_on_the_page_is_the_files(packages, site):
    page = BeautifulSoup((site / "chapters/next.html").read_text("utf-8"), "html.parser")
    shown = next(table for table in page.select("table") if "interlace-lme" in table.get_text())
    rows = {cells[0]: cells for cells in ([cell.get_text().strip() for cell in row.select("th, td")] for row in shown.select("tr"))}
    for (program, version), fits in packages[packages["model"] != "crossed"].groupby(["program", "version"]):
        short = pd.to_numeric(fits["short"])
        expected = [program, version, f"{len(fits)}", f"{(short.isna() | (short > 0.01)).sum()}", f"{short.max():.2f}"]
        assert rows[program][:5] == expected


def test_the_file_holds_every_package_by_the_versions_that_are_pinned(packages):
    wanted = pins(ROOT / "requirements.txt") | pins(ROOT / "benchmarks/requirements.txt")
    for program, fits in packages.groupby("program"):
        assert len(fits) == (10 if program in ("mlm", "mixedlm-rs") else 11), program
        if program not in ("mlm", "lme4 (R)"):
            assert set(fits["version"]) == {wanted[program]}, f"{program}: run `make bench`"
    assert {"mlm", "statsmodels", "glmm", "mixedlm", "mixedlm-rs", "lme-python", "interlace-lme", "lme4 (R)"} == set(packages["program"])


def test_mlm_is_at_the_best_log_likelihood_when_fitted_again(packages):
    """The file has four digits: half a unit of the last. No other program is above, to what they stop short by."""
    from packages import FIVE
    from speed import hsb

    data, ours = hsb(), packages[packages["program"] == "mlm"]
    assert len(ours) == 10
    for row in ours.itertuples():
        fixed, random = FIVE[row.model]
        llf = mlm.mixedlm(fixed, data, "schid", "~ " + random, reml=row.method == "REML").llf
        same = packages[(packages["model"] == row.model) & (packages["method"] == row.method)]
        assert llf == pytest.approx(row.log_likelihood, abs=5.1e-5)
        assert pd.to_numeric(same["log_likelihood"], errors="coerce").max() - llf < 1e-4
        assert float(row.short) < 1e-5 and np.isclose(float(row.time), 1)
