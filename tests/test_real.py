"""Twenty models of nineteen public data sets, by REML and ML, against lme4 at a tight optimum (tests/reference/real.R).

Both solve the same equations in double precision. lme4's theta is good to about 1e-7 of its size, because its
optimiser sees only the deviance, which is flat to that degree at its minimum; what depends on the variances agrees
to some 1e-6 therefore (worst seen: 2e-6, a Satterthwaite df), what doesn't to 1e-9.
"""

import json
import re
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import mlm
from mlm.fit import SingularFit

HERE = Path(__file__).parent / "reference"
LME4 = {name: model for name, model in json.loads((HERE / "real.json").read_text()).items() if name != "versions"}
CASES = [(name, method) for name in LME4 for method in ("reml", "ml")]
pytestmark = pytest.mark.parametrize("name, method", CASES)


def data(name):
    return pd.read_csv(HERE / "real" / f"{name}.csv", dtype={LME4[name]["groups"]: str}, keep_default_na=False)


@pytest.fixture(scope="module")
def fit():
    """The fit of a case, made once."""
    made = {}

    def make(name, method):
        if (name, method) not in made:
            model = LME4[name]
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", SingularFit)  # whether it is singular is tested below
                made[name, method] = mlm.mixedlm(model["fixed"], data(name), model["groups"], model["random"],
                                                 reml=method == "reml")
        return made[name, method]

    return make


def name_in_r(term):
    """A fixed effect's name as R writes it."""
    term = re.sub(r"C\((\w+)\)", r"\1", term).replace("np.log", "log").replace("Intercept", "(Intercept)")
    return re.sub(r"\[T\.([^\]]*)\]", r"\1", term).replace(" ** ", "^")


def test_likelihood_and_fixed_effects(fit, name, method):
    ours, theirs = fit(name, method), LME4[name][method]
    assert ours.llf == pytest.approx(theirs["log_likelihood"], abs=1e-9 * max(1, abs(theirs["log_likelihood"])))
    at = [theirs["terms"].index(name_in_r(term)) for term in ours.fe_params.index]
    assert sorted(at) == list(range(len(theirs["terms"])))
    estimate, se, df = (np.array(theirs[key])[at] for key in ("estimate", "se", "df"))
    np.testing.assert_allclose((ours.fe_params - estimate) / se, 0, atol=1e-6)
    np.testing.assert_allclose(ours.bse_fe, se, rtol=1e-5)
    np.testing.assert_allclose(mlm.satterthwaite(ours).df, df, rtol=1e-4)


def test_variances(fit, name, method):
    ours, theirs = fit(name, method), LME4[name][method]
    tau = np.array(theirs["tau"])
    np.testing.assert_allclose(ours.cov_re, tau, rtol=1e-5, atol=1e-5 * np.abs(tau).max())
    assert ours.scale == pytest.approx(theirs["sigma2"], rel=1e-6)
    assert bool(ours.singular) == theirs["singular"]


def test_predicted_effects(fit, name, method):
    ours, theirs = fit(name, method), LME4[name][method]
    table = mlm.blups(ours)
    shape = np.shape(theirs["ranef"])
    labels = LME4[name]["labels"]
    assert sorted(ours.blups.index) == sorted(labels)
    estimate, sd = (table[column].to_numpy().reshape(shape) for column in ("estimate", "sd"))
    at = ours.blups.index.get_indexer(labels)
    largest = np.abs(theirs["conditional_sd"]).max()
    np.testing.assert_allclose(estimate[at], theirs["ranef"], rtol=1e-5, atol=1e-5 * max(largest, 1e-6))
    np.testing.assert_allclose(sd[at], theirs["conditional_sd"], rtol=1e-5, atol=1e-5 * largest)


def test_predictions(fit, name, method):
    ours, theirs, rows = fit(name, method), LME4[name][method], data(name)
    model, close = LME4[name], 1e-6 * np.sqrt(ours.scale)
    np.testing.assert_allclose(ours.fittedvalues, theirs["fitted"], rtol=1e-6, atol=close)
    np.testing.assert_allclose(ours.predict()[:6], theirs["fixed_part"], rtol=1e-8)
    np.testing.assert_allclose(ours.predict(rows.head(6)), theirs["fixed_part"], rtol=1e-8)
    np.testing.assert_allclose(mlm.predict(ours, rows, model["groups"]).fit, theirs["fitted"], rtol=1e-6, atol=close)
    np.testing.assert_allclose(mlm.predict(ours, rows.head(3), ["nowhere"] * 3).fit, theirs["new_group"], rtol=1e-8)


def limits(fit, name, method):
    """Profile limits, ours and theirs, of the correlation (if there is one) and of the SDs."""
    if "profile" not in LME4[name][method]:  # the script solves for those of at most two random effects
        assert name == "Machines"
        return (np.empty((0, 2)),) * 4
    table = mlm.variance_intervals(fit(name, method))
    ours, theirs = table[["lower", "upper"]].to_numpy(), np.array(LME4[name][method]["profile"])
    of_cor = table.index.str.startswith("cor ")
    return ours[of_cor], theirs[of_cor], ours[~of_cor], theirs[~of_cor]


def test_profile_limits_of_standard_deviations(fit, name, method):
    _, _, ours, theirs = limits(fit, name, method)
    # at an SD of 0 the deviance is flat in the SD: 1e-4 of the residual's can't be told from it
    np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-4 * np.sqrt(fit(name, method).scale))


def test_profile_limits_of_correlations(fit, name, method):
    # where a model with an SD of 0 is near enough to the best, every correlation is: -1 and 1
    ours, theirs, _, _ = limits(fit, name, method)
    np.testing.assert_allclose(ours, theirs, atol=1e-5)
