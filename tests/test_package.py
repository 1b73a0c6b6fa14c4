"""The helper package by itself: what the wheel holds, what it needs, and that it runs where the course isn't."""

import os
import site as sites
import subprocess
import sys
import tomllib
import venv
import zipfile

import pytest

import mlm
from book.steps import wheel
from book.workspace import WHEEL
from conftest import ROOT
from test_setup import imported_modules, pins

FOUND = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
PROJECT = FOUND["project"]
EXTRAS = PROJECT["optional-dependencies"]
HEAVY = ["numpy", "pandas", "scipy", "statsmodels", "patsy"]
DRAWS = ["matplotlib", "seaborn", "plotly", "IPython", "matplotlib_inline", "skmisc"]
SCRIPT = """
import sys, mlm
fit = mlm.mixedlm("mathach ~ 1", mlm.load_hsb(), groups="schid")
print(mlm.__file__, fit.llf, sep="\\n")
print(mlm.model_table(fit).shape, mlm.icc(fit), file=sys.stderr)
"""


def python(code, program=sys.executable, folder=ROOT / "chapters"):
    """What a program prints that knows of the course only what is in its folder."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run([program, "-c", code], cwd=folder, env=kept, check=True, capture_output=True, text=True).stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A new environment with the wheel; what it needs is borrowed from that of the tests."""
    folder = tmp_path_factory.mktemp("apart")
    wheel.pack(folder)
    venv.create(folder / "env", with_pip=False)
    program = folder / "env/bin/python"
    subprocess.run([sys.executable, "-m", "pip", "--python", program, "install", "--quiet", "--no-deps", "--no-index",
                    folder / WHEEL], check=True)
    packages = next((folder / "env/lib").glob("python*/site-packages"))
    (packages / "borrowed.pth").write_text("\n".join(sites.getsitepackages()))
    return program


def test_a_script_in_another_folder_fits_the_null_model(installed, tmp_path):
    (tmp_path / "analysis.py").write_text(SCRIPT)
    where, likelihood = python("exec(open('analysis.py').read())", installed, tmp_path).split()
    assert where.startswith(f"{installed.parents[1]}")
    assert float(likelihood) == mlm.mixedlm("mathach ~ 1", mlm.load_hsb(), groups="schid").llf  # the same code on the same machine


def test_the_site_has_the_wheel_of_these_sources(site, tmp_path):
    wheel.pack(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [WHEEL]
    assert (tmp_path / WHEEL).read_bytes() == (site / "downloads" / WHEEL).read_bytes()


def test_the_data_travel_with_their_card(tmp_path):
    wheel.pack(tmp_path)
    with zipfile.ZipFile(tmp_path / WHEEL) as archive:
        for path in [*(ROOT / "data").glob("*.csv"), ROOT / "data/README.md"]:
            assert archive.read(f"mlm/datasets/{path.name}") == path.read_bytes()
        assert not [name for name in archive.namelist() if "__pycache__" in name]


def test_pages_name_the_wheel():
    for page in ("index.md", "chapters/software.md"):
        assert f"downloads/{WHEEL}" in (ROOT / page).read_text("utf-8")


def test_lower_bounds_are_the_versions_that_are_tested():
    tested = dict(pin.split("==") for pin in pins("requirements.txt"))
    for wanted in [*FOUND["build-system"]["requires"], *PROJECT["dependencies"], *EXTRAS["power"], *EXTRAS["figures"]]:
        name, _, least = wanted.partition(">=")
        # a notebook's own kernel brings these two
        assert least == tested.get(name, "") and (least or name in ("ipython", "matplotlib-inline")), wanted


def test_what_a_module_imports_is_in_the_core_or_in_its_extra():
    import_names = {"scikit-misc": "skmisc", "ipython": "IPython", "matplotlib-inline": "matplotlib_inline"}

    def names(wanted):
        return {import_names.get(name, name) for name in (text.partition(">=")[0] for text in wanted)}

    given = names(PROJECT["dependencies"]) | sys.stdlib_module_names
    for path in (ROOT / "chapters/mlm").glob("*.py"):
        extra = names(EXTRAS.get(mlm._EXTRAS.get(path.stem), []))
        assert set(imported_modules(path.read_text("utf-8"))) <= given | extra, path.name


def test_importing_it_imports_nothing_that_takes_time():
    """All together took 2 s; a fit needn't wait for what draws."""
    tell = "print([name for name in {} if name in sys.modules])"
    assert eval(python(f"import sys, mlm; {tell.format(HEAVY + DRAWS)}")) == []
    after_a_fit = python(f"{SCRIPT}\n{tell.format(DRAWS + ['joblib'])}").splitlines()[-1]
    assert eval(after_a_fit) == []


@pytest.mark.parametrize("use, missing, extra", [
    ("mlm.use_course_style()", "matplotlib", "figures"), ("mlm.figures.loess", "skmisc", "figures"),
    ("mlm.show", "plotly", "figures"), ("from mlm import glue", "IPython", "figures"), ("mlm.power", "joblib", "power")])
def test_without_its_extra_a_function_says_what_to_install(use, missing, extra):
    code = f"import sys, mlm; sys.modules[{missing!r}] = None\ntry: {use}\nexcept ImportError as error: print(error)"
    said = python(code)
    assert f"needs {missing}" in said and f"[{extra}]" in said


def test_a_name_that_is_not_there_is_no_attribute():
    with pytest.raises(AttributeError, match="no_such_name"):
        mlm.no_such_name
    assert set(mlm.__all__) <= set(dir(mlm))


def test_no_module_takes_the_place_of_a_function():
    modules = {path.stem for path in (ROOT / "chapters/mlm").glob("*.py")}
    assert {name for name in mlm.__all__ if name in modules and mlm._HOME[name] != name} == set()
