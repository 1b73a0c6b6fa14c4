"""The workflows of GitHub: pinned, with few rights, and made of steps that also run by hand."""

import re

import pytest
import yaml

from conftest import ROOT

WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
BY_HAND = re.compile(r"make ([\w-]+)|sudo apt-get install .*|pip install uv==[\d.]+$")


def jobs(path):
    return yaml.safe_load(path.read_text())["jobs"].values()


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_actions_are_pinned_and_rights_are_few(path):
    text = path.read_text()
    assert yaml.safe_load(text)["permissions"] == {"contents": "read"}
    uses = re.findall(r"uses: (.*)", text)
    assert uses and all(re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", line) for line in uses), uses
    assert text.count("actions/checkout@") == text.count("persist-credentials: false")
    assert all(job["timeout-minutes"] <= 45 for job in jobs(path))


def test_an_action_has_one_version_everywhere():
    uses = {line for path in WORKFLOWS for line in re.findall(r"uses: (.*)", path.read_text())}
    assert len(uses) == len({line.split("@")[0] for line in uses})


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_steps_are_make_targets(path):
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.M))
    for job in jobs(path):
        for step in job["steps"]:
            if "run" in step:
                match = BY_HAND.match(step["run"])
                assert match and (match[1] is None or match[1] in targets), step["run"]


def test_what_pushes_to_the_repository_runs_nothing_from_elsewhere():
    pushing = [job for path in WORKFLOWS for job in jobs(path) if job.get("permissions", {}).get("contents") == "write"]
    assert [[step["run"] for step in job["steps"] if "run" in step] for job in pushing] == [["make push-notebooks"]]
    recipe = re.search(r"^push-notebooks: (.*)((?:\n\t.*)+)", (ROOT / "Makefile").read_text(), flags=re.M)
    assert "env" not in recipe[1].split("##")[0] and not re.search(r"pip|npm", recipe[2])


def test_values_of_the_hub_hold_what_the_text_says():
    values = yaml.safe_load((ROOT / "deploy/values.yaml").read_text())
    text = (ROOT / "chapters/instructors.md").read_text("utf-8")
    assert values["singleuser"]["memory"] == {"guarantee": "512M", "limit": "1G"}
    assert values["singleuser"]["storage"]["capacity"] == "1Gi" and values["cull"]["timeout"] == 3600
    assert all(words in text for words in ("guarantee of 512 MB", "limit of 1 GB", "1 GB of disk", "after an hour"))
