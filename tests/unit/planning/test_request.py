"""What a user asks for, and the command that asks for it again."""

import shlex
from pathlib import Path

import pytest
from harness_reports import words

from harness.model import Asked
from harness.planning.request import Request

ROOT = Path(__file__).resolve().parents[3]
REQUESTS = [
    Request("baseline"),
    Request(str(ROOT / "scenarios/baseline.yaml"), ROOT / "target/target.yaml", settings=("load.rate=5",)),
    Request("sidecar_kill", defect="double_ship", dapr_version="1.17.0", rate=7.0, duration="45s"),
]


def again(command):
    """The request that a command line is."""
    program, verb, scenario, *options = shlex.split(command)
    assert (program, verb) == ("harness", "run")
    given = list(zip(options[::2], options[1::2], strict=True))
    last = dict(given)
    return int(last["--seed"]), Request(
        scenario,
        Path(last["--target"]) if "--target" in last else None,
        last.get("--dapr-version"),
        last.get("--defect"),
        tuple(value for option, value in given if option == "--set"),
    )


@pytest.mark.parametrize("request_", REQUESTS)
def test_the_command_that_a_report_shows_makes_the_same_plan(request_):
    made = request_.plan(11)

    seed, asked = again(words.repeat(made))

    assert asked.plan(seed) == made


def test_a_plan_of_an_earlier_version_is_repeated_by_its_name():
    made = Request("baseline").plan(3).model_copy(update={"asked": None})

    assert words.repeat(made) == "harness run baseline --seed 3"


def test_what_is_asked_is_quoted_for_a_shell():
    made = Request("baseline").plan(3)
    asked = Asked(scenario="a b.yaml", settings=("load.mix={plain: 1}", "claim=$(rm -rf x)"))

    shown = words.repeat(made.model_copy(update={"asked": asked}))

    assert shown == "harness run 'a b.yaml' --seed 3 --set 'load.mix={plain: 1}' --set 'claim=$(rm -rf x)'"
