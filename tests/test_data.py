"""The loader gives the course's data and refuses anything else."""

import pandas as pd
import pytest

import mlm
from mlm.data import COLUMNS, PATH


def test_counts_of_the_data_card(hsb):
    schools = hsb.groupby("schid", observed=True)
    assert hsb.shape == (7185, 8) and list(hsb.columns) == COLUMNS
    assert not hsb.isna().any().any()
    assert schools.ngroups == 160
    assert schools["schtype"].first().value_counts().to_dict() == {0: 90, 1: 70}
    assert (schools.size().min(), schools.size().max()) == (14, 67)


def test_first_rows_are_the_slides(hsb):
    assert hsb["schid"].head(6).tolist() == ["1224"] * 6
    assert hsb["ses"].head(6).tolist() == [-1.528, -0.588, -0.528, -0.668, -0.158, 0.022]
    assert hsb["mathach"].head(6).tolist() == [5.876, 19.708, 20.349, 8.781, 17.898, 4.583]


def test_schools_keep_the_order_of_the_file(hsb):
    assert hsb["schid"].cat.categories.tolist() == list(dict.fromkeys(hsb["schid"]))


def test_labels():
    labelled = mlm.load_hsb(labels=True)
    assert labelled["schtype"].cat.categories.tolist() == ["public", "Catholic"]
    assert (labelled["schtype"] == "Catholic").sum() == mlm.load_hsb()["schtype"].sum()


@pytest.mark.parametrize("load, name, rows", [(mlm.load_hsb, "hsb", 7185), (mlm.load_sleepstudy, "sleepstudy", 180)])
def test_each_loader_knows_its_file(tmp_path, load, name, rows):
    path = tmp_path / f"{name}.csv"
    with pytest.raises(FileNotFoundError, match=rf"{name}\.csv is not in .*git checkout data/{name}\.csv"):
        load(path)
    text = PATH.with_name(path.name).read_text()
    path.write_text(text[: len(text) // 2])
    with pytest.raises(ValueError, match=rf"{name}\.csv is not the course's: it has \d+ rows, expected {rows}"):
        load(path)
    path.write_text(text.replace("8", "9", 1))
    with pytest.raises(ValueError, match="some of its values have been altered"):
        load(path)


@pytest.mark.parametrize("alter, message", [
    (lambda text: text[: len(text) // 2], r"it has \d+ rows, expected 7185"),
    (lambda text: text.replace("5.876", "5.867", 1), "some of its values have been altered"),
    (lambda text: text.replace("mathach", "math", 1), "its columns are .*'math'"),
    (lambda text: "", "its columns are"),
])
def test_an_altered_file_is_refused(tmp_path, alter, message):
    path = tmp_path / "hsb.csv"
    path.write_text(alter(PATH.read_text()))
    with pytest.raises(ValueError, match=message):
        mlm.load_hsb(path)


def test_ends_of_lines_as_on_windows_are_no_alteration(tmp_path, hsb):
    path = tmp_path / "hsb.csv"
    path.write_bytes(PATH.read_bytes().replace(b"\n", b"\r\n"))
    pd.testing.assert_frame_equal(mlm.load_hsb(path), hsb)


def test_check_sums_of_the_data_cards():
    card = (PATH.parent / "README.md").read_text()
    assert mlm.data.SHA256 in card and mlm.data.SLEEPSTUDY_SHA256 in card


def test_sleepstudy_is_as_its_card_says():
    data = mlm.load_sleepstudy()
    assert data.shape == (180, 3) and not data.isna().any().any()
    assert data["Subject"].cat.categories.tolist() == list(dict.fromkeys(data["Subject"]))
    assert (data.groupby("Subject", observed=True)["Days"].apply(list).map(lambda days: days == list(range(10)))).all()
    assert (min(data["Subject"]), max(data["Subject"])) == ("308", "372")
    card = (PATH.parent / "README.md").read_text()
    assert f"{data['Reaction'].min()} to {data['Reaction'].max()}" in card


def test_meanses_is_not_the_mean_of_ses(hsb):
    schools = hsb.groupby("schid", observed=True)
    excess = schools["meanses"].first() - schools["ses"].mean()
    assert 0.0054 < excess.min() and excess.max() < 0.0066
    assert schools["meanses"].nunique().eq(1).all()


def test_center_within(hsb):
    centered = mlm.center_within(hsb["ses"], hsb["schid"])
    assert centered.groupby(hsb["schid"], observed=True).mean().abs().max() < 1e-12
    assert isinstance(centered, pd.Series)
