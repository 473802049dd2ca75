"""Suite files: what is accepted, what it stands for, and how each mistake is told."""

from pathlib import Path

import pytest

from harness.errors import UsageError
from harness.planning import suite

GOOD = """\
claim: Every promise is kept.
budget: 10m
gate: {known: allow, recorded: rates.yaml}
runs:
  - {scenario: baseline}
  - {scenario: mine/slow.yaml, seeds: [7, 9], target: other/target.yaml, set: {load.duration: 5s}}
  - {scenario: storm, seeds: 3, dapr: [1.18.2, 1.17.0], gate: {known: deny}}
"""


def load(tmp_path, text):
    file = tmp_path / "mine.yaml"
    file.write_text(text)
    return suite.load(file)


def refusal(tmp_path, text):
    with pytest.raises(UsageError) as caught:
        load(tmp_path, text)
    return str(caught.value).replace(str(tmp_path), "DIR")


def test_paths_are_relative_to_the_suite_and_a_number_of_seeds_stands_for_the_first(tmp_path):
    read = load(tmp_path, GOOD)
    slow, storm = read.runs[1:]

    assert read.name == "mine"
    assert slow.scenario == str(tmp_path / "mine/slow.yaml")
    assert slow.target == tmp_path / "other/target.yaml"
    assert (slow.seeds, storm.seeds) == ((7, 9), (1, 2, 3))
    assert storm.dapr == ("1.18.2", "1.17.0")


def test_the_gate_of_an_entry_is_that_of_the_suite_with_its_own_values(tmp_path):
    read = load(tmp_path, GOOD)
    baseline, slow, storm = (read.request(entry, "1.18.2").settings for entry in read.runs)

    assert baseline == ('gate.known="allow"', f'gate.recorded="{tmp_path / "rates.yaml"}"')
    assert slow[0] == 'load.duration="5s"'
    assert 'gate.known="deny"' in storm


@pytest.mark.parametrize(
    ("right", "wrong", "told"),
    [
        ("budget: 10m", "budget: soon", "DIR/mine.yaml:2: budget: "),
        ("budget: 10m\n", "", '"budget" is missing'),
        ("seeds: 3", "seeds: 0", "DIR/mine.yaml:7: runs.2.seeds: the number of seeds is from 1 to 1000"),
        ("seeds: 3", "seed: 3", '"seed" is not known here; did you mean "seeds"?'),
        ("scenario: storm, seeds: 3, dapr: [1.18.2, 1.17.0]", "scenario: baseline", "baseline with seed 1 on Dapr"),
        ("runs:", "enough: 3\nruns:", '"enough" is not known here'),
        ("{scenario: baseline}", "{scenario: baseline, enough: 1}", "runs.0.enough: "),
        ("{scenario: baseline}", "baseline", "DIR/mine.yaml:5: runs.0: "),
    ],
)
def test_a_mistake_is_told_with_its_line(tmp_path, right, wrong, told):
    assert right in GOOD

    assert told in refusal(tmp_path, GOOD.replace(right, wrong))


def test_a_suite_that_is_not_there_is_told_with_those_that_are():
    with pytest.raises(UsageError, match=r'there is no suite "smok"; did you mean "smoke"\?'):
        suite.find("smok")
    assert suite.find("mine.yaml") == Path("mine.yaml")
