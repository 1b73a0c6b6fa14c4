"""The High School and Beyond data: load them, or say clearly why not."""

import hashlib
import io
from pathlib import Path

import pandas as pd

PATH = Path(__file__).resolve().parents[2] / "data" / "hsb.csv"
SHA256 = "18ad76d324d3f2a9ca4cc27b5dbcc87d650d84482442c5824854c81e2b86c095"
ROWS, COLUMNS = 7185, ["schid", "minority", "female", "ses", "mathach", "size", "schtype", "meanses"]
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
        (0/1), ``ses`` (standardized composite), ``mathach`` (test points),
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
    path = Path(path or PATH)
    remedy = "Restore it with `git checkout data/hsb.csv` or download the course again."
    if not path.is_file():
        raise FileNotFoundError(f"The data file {path.name} is not in {path.parent}. {remedy}")
    content = path.read_bytes().replace(b"\r\n", b"\n")  # Git on Windows may have changed the ends of lines
    found = hashlib.sha256(content).hexdigest()
    if found != SHA256:
        lines = content.decode("utf-8", errors="replace").splitlines()
        header = lines[0].split(",") if lines else []
        detail = (f"its columns are {header}, expected {COLUMNS}" if header != COLUMNS
                  else f"it has {len(lines) - 1} rows, expected {ROWS}" if len(lines) - 1 != ROWS
                  else "some of its values have been altered")
        raise ValueError(f"The data file {path.name} is not the course's: {detail} "
                         f"(SHA-256 {found[:12]}…, expected {SHA256[:12]}…). {remedy}")
    data = pd.read_csv(io.BytesIO(content), dtype={"schid": str})
    data["schid"] = pd.Categorical(data["schid"], categories=data["schid"].unique())
    if labels:
        for column, names in LABELS.items():
            data[column] = pd.Categorical(data[column].map(names), categories=names.values())
    return data
