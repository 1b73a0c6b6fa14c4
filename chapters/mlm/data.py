"""The course's data: load them, or say clearly why not."""

import hashlib
import io
from pathlib import Path

import pandas as pd

# Beside the package where it is installed (pyproject.toml puts them there), beside the chapters in the course.
_HERE = Path(__file__).resolve().parent
FOLDER = next((folder for folder in [_HERE / "datasets"] if folder.is_dir()), _HERE.parents[1] / "data")
PATH, MESSY = FOLDER / "hsb.csv", FOLDER / "messy.csv"  # the second is simulated, with faults to find
SHA256 = "18ad76d324d3f2a9ca4cc27b5dbcc87d650d84482442c5824854c81e2b86c095"
ROWS, COLUMNS = 7185, ["schid", "minority", "female", "ses", "mathach", "size", "schtype", "meanses"]
SLEEPSTUDY_SHA256 = "68c20efbc9d4b1e8cb4d80015f6f249fda290664943598530a54b63c80ab48d3"
LABELS = {
    "minority": {0: "non-minority", 1: "minority"},
    "female": {0: "male", 1: "female"},
    "schtype": {0: "public", 1: "Catholic"},
}


def load_hsb(path=None, labels=False):
    """Load the HSB data, 7185 students in 160 schools, in the order of the source.

    Parameters
    ----------
    path : path-like, optional
        The CSV file; the course's own by default.
    labels : bool, default False
        Give ``minority``, ``female`` and ``schtype`` as labeled categories
        instead of 0 and 1.

    Returns
    -------
    pandas.DataFrame, shape (7185, 8)
        ``schid`` (category, in file order), ``minority``, ``female``, ``schtype``
        (0/1), ``ses`` (composite), ``mathach`` (test points),
        ``size`` (students enrolled in the school), ``meanses`` (as shipped: not
        the mean of ``ses``, see ``data/README.md``).

    Raises
    ------
    FileNotFoundError
        The file is not there.
    ValueError
        The file is not the one the course was written with, line for line.

    Examples
    --------
    >>> import mlm
    >>> mlm.load_hsb(labels=True)[["schid", "schtype", "ses", "mathach"]].head(2)
      schid schtype    ses  mathach
    0  1224  public -1.528    5.876
    1  1224  public -0.588   19.708
    """
    content = _content(path or PATH, SHA256, ROWS, COLUMNS)
    data = pd.read_csv(io.BytesIO(content), dtype={"schid": str})
    data["schid"] = pd.Categorical(data["schid"], categories=data["schid"].unique())
    if labels:
        for column, names in LABELS.items():
            data[column] = pd.Categorical(data[column].map(names), categories=names.values())
    return data


def load_sleepstudy(path=None):
    """Load reaction times of 18 persons on ten days, the last seven after short nights (Belenky et al., 2003).

    Parameters
    ----------
    path : path-like, optional
        The CSV file; the course's own by default.

    Returns
    -------
    pandas.DataFrame, shape (180, 3)
        ``Subject`` (category, in file order), ``Days`` (since the first day of the study: 0 and 1
        were training, 2 is the last day with full sleep, see ``data/README.md``), ``Reaction``
        (mean reaction time of the day, milliseconds).

    Raises
    ------
    FileNotFoundError
        The file is not there.
    ValueError
        The file is not the one the course was written with, line for line.

    Examples
    --------
    >>> import mlm
    >>> mlm.load_sleepstudy().head(2)
      Subject  Days  Reaction
    0     308     0  249.5600
    1     308     1  258.7047
    """
    content = _content(path or PATH.with_name("sleepstudy.csv"), SLEEPSTUDY_SHA256, 180, ["Subject", "Days", "Reaction"])
    data = pd.read_csv(io.BytesIO(content), dtype={"Subject": str})
    return data.assign(Subject=pd.Categorical(data["Subject"], categories=data["Subject"].unique()))


def _content(path, sha256, rows, columns):
    """The bytes of a data file of the course's, which has that check sum."""
    path = Path(path)
    remedy = f"Restore it with `git checkout data/{path.name}` or download the course again; read data of your own with pandas.read_csv."
    if not path.is_file():
        raise FileNotFoundError(f"The data file {path.name} is not in {path.parent}. {remedy}")
    content = path.read_bytes().replace(b"\r\n", b"\n")  # Git on Windows may have changed the ends of lines
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        lines = content.decode("utf-8", errors="replace").splitlines()
        header = lines[0].split(",") if lines else []
        detail = (f"its columns are {header}, expected {columns}" if header != columns
                  else f"it has {len(lines) - 1} rows, expected {rows}" if len(lines) - 1 != rows
                  else "some of its values have been altered")
        raise ValueError(f"The data file {path.name} is not the course's: {detail} "
                         f"(SHA-256 {found[:12]}…, expected {sha256[:12]}…). {remedy}")
    return content
