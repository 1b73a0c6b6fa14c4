"""The faults of statsmodels that the course works around are still there.

A failure here is good news: a newer statsmodels has mended one. Then change what the message names.
"""

import runpy

import pytest
import statsmodels

from conftest import ROOT

FAULTS = {
    "score_sign": "chapters/software-wrong.md shows this gradient",
    "lbfgs_null": "chapters/software-wrong.md shows this fit",
    "lbfgs_slope": "chapters/software-wrong.md and chapters/model.md show such a fit",
    "default_slope": "chapters/software-wrong.md and chapters/model.md show such a fit",
    "variance_se": "chapters/software-wrong.md and the docstring of MixedResults speak of these standard errors",
    "fixed_se": "the docstring of MixedResults speaks of these standard errors",
    "singular_packing": "MixedResults.params_object builds statsmodels' packing around it",
}


@pytest.mark.parametrize("name", FAULTS)
def test_the_fault_is_still_there(name, capsys):
    fault = runpy.run_path(str(ROOT / f"tests/upstream/{name}.py"))["fault"]
    printed = capsys.readouterr().out
    assert "expected" in printed
    assert fault, (f"statsmodels {statsmodels.__version__} no longer shows the fault of tests/upstream/{name}.py: "
                   f"{FAULTS[name]}.\n{printed}")


def test_every_reproduction_is_run():
    assert {path.stem for path in (ROOT / "tests/upstream").glob("*.py")} == set(FAULTS)
