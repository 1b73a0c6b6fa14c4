"""What the page on the software claims."""

import re

import pandas as pd
import pytest
from statsmodels.regression.mixed_linear_model import MixedLMResults

import mlm
from conftest import ROOT
from course import fit, hsb

NOT_COMPUTED = {
    "name the program that estimated the models, its version and the estimation method": "advice on how to publish",
    "With other versions you may get other numbers.": "tests run with one set of versions; what changes is known afterwards only",
}


@pytest.mark.claim("pandas holds the table, `mlm.mixedlm` fits the models.")
def test_who_holds_and_who_fits():
    assert isinstance(mlm.load_hsb(), pd.DataFrame)
    assert isinstance(fit("mathach ~ ses"), MixedLMResults)


@pytest.mark.claim('`mlm.mixedlm("mathach ~ ses", hsb, groups="schid", re_formula="~ ses")`',
                   'You know `lmer(mathach ~ ses + (ses | schid))` of lme4.')
def test_the_call_is_that_of_lme4(reference):
    theirs = reference("mixed")["slope_raw"]
    assert theirs["formula"].replace("1 + ", "") == "mathach ~ ses + (ses | schid)"
    ours = mlm.mixedlm("mathach ~ ses", hsb(), groups="schid", re_formula="~ ses")
    # both at a tight optimum; R's values are good to about seven digits
    assert ours.fe_params.to_list() == pytest.approx(theirs["reml"]["fixed"]["estimate"], rel=1e-6)
    assert ours.cov_re.to_numpy() == pytest.approx(pd.DataFrame(theirs["reml"]["random"]["tau"]).to_numpy(), rel=1e-5)


@pytest.mark.claim('`mlm.mixedlm("mathach ~ ses + (ses | schid)", hsb)`', "The formulas are those of statsmodels, which have no term in brackets.")
def test_a_term_in_brackets_is_refused():
    with pytest.raises(TypeError, match="groups"):
        mlm.mixedlm("mathach ~ ses + (ses | schid)", hsb())
    with pytest.raises(ValueError, match="bar"):
        mlm.mixedlm("mathach ~ ses + (ses | schid)", hsb(), groups="schid")


@pytest.mark.claim('`mlm.mixedlm("mathach ~ ses", hsb, groups="schid")`', "This lets only the intercept vary over schools: `(1 | schid)` in lme4.")
def test_without_re_formula_the_intercept_varies():
    ours = mlm.mixedlm("mathach ~ ses", hsb(), groups="schid")
    assert list(ours.cov_re) == ["Intercept"]


@pytest.mark.claim("So that the versions named are those that made the numbers.")
def test_no_version_of_the_environment_is_typed():
    text = (ROOT / "chapters/software.md").read_text("utf-8")
    rows = re.findall(r"^\| ([\w -]+) \| ([^|]*) \|", text.split("| Package |")[1].split("\n\n")[0], flags=re.M)
    assert len(rows) == 12
    for name, version in rows:
        assert version == f"{{glue:text}}`v_{name.lower().replace('-', '_').replace(' ', '_')}`"


@pytest.mark.claim("Two, after the import;")
def test_the_call_on_the_page_fits_a_distribution_of_lines():
    ours = fit("mathach ~ ses", "~ ses")
    assert len(ours.fe_params) == 2 and ours.cov_re.shape == (2, 2)
