"""What Locust's options and form ask for. In a process of its own: Locust patches whoever imports it."""

import json
import os
import subprocess
import sys

import pytest

PROBE = """
import json, sys
from locust.argument_parser import get_parser, ui_extra_args_dict
from harness.errors import UsageError
from harness.locust import listeners, options

def told(arguments, form):
    try:
        return options.wanted(get_parser([]).parse_args(arguments), form).arguments
    except UsageError as error:
        return str(error)

print(json.dumps({
    "fields": {name: field["choices"] for name, field in ui_extra_args_dict([]).items()},
    "web_host": get_parser([]).parse_args([]).web_host,
    "loaded": [name for name in ("duckdb", "dapr", "bokeh", "harness_reports") if name in sys.modules],
    "told": [told(*case) for case in json.loads(sys.argv[1])],
}))
"""
PLAIN = ["baseline", "--seed", "1", "--backend", "processes", "--out", "runs"]
CASES = {
    "nothing": ([], None, PLAIN),
    "options": (
        [
            *("--scenario", "storm", "--seed", "0", "--target", "t.yaml"),
            *("--store", "postgres", "--rate", "2.5", "-t", "1m"),
        ],
        None,
        [
            *("storm", "--seed", "0", "--target", "t.yaml", "--backend", "processes", "--store", "postgres"),
            *("--rate", "2.5", "--duration", "60s", "--out", "runs"),
        ],
    ),
    "a form comes before the command line": (
        ["--scenario", "storm", "--store", "redis", "--rate", "3"],
        {"scenario": "baseline", "seed": " 7 ", "store": "scenario", "rate": "", "duration": "9s"},
        ["baseline", "--seed", "7", "--backend", "processes", "--duration", "9s", "--out", "runs"],
    ),
    "run time and duration": (["-t", "40s", "--duration", "40s"], None, [*PLAIN[:5], "--duration", "40s", *PLAIN[5:]]),
    "run time or duration": (
        ["-t", "40s", "--duration", "30s"],
        None,
        "--duration 30s and --run-time 40s are one thing: give one of them",
    ),
    "seed": ([], {"seed": "one"}, "seed: 'one' is not a whole number"),
    "rate": ([], {"rate": "fast"}, "rate: 'fast' is not a number of starts per second"),
    "backend": ([], {"backend": "moon"}, "backend: 'moon' is not one of processes, compose"),
    "store": ([], {"store": "tape"}, "store: 'tape' is not one of redis, postgres"),
}


def probe(cases, **env):
    done = subprocess.run(
        [sys.executable, "-c", PROBE, json.dumps(cases)],
        capture_output=True,
        check=True,
        text=True,
        env={**os.environ, **env},
        timeout=60,
    )
    return json.loads(done.stdout)


@pytest.fixture(name="probed", scope="module")
def _probed():
    return probe([(arguments, form) for arguments, form, _ in CASES.values()])


def test_the_form_offers_what_decides_a_run_and_nothing_else(probed):
    assert list(probed["fields"]) == ["scenario", "seed", "target", "backend", "store", "rate", "duration"]
    assert probed["fields"]["backend"] == ["processes", "compose"]
    assert probed["fields"]["store"] == ["scenario", "redis", "postgres"]


def test_it_needs_no_more_than_the_container_that_only_sends_load_has(probed):
    assert probed["loaded"] == [], "compose/load/requirements.in"


def test_the_page_is_on_loopback(probed):
    assert probed["web_host"] == "127.0.0.1", "whoever reaches it can start runs"


@pytest.mark.parametrize("case", CASES)
def test_a_run_is_asked_for_or_what_was_expected_is_said(probed, case):
    assert probed["told"][list(CASES).index(case)] == CASES[case][2]


def test_variables_of_the_environment_are_options_too():
    told = probe([([], None)], HARNESS_SCENARIO="storm", HARNESS_BACKEND="compose", LOCUST_WEB_HOST="0.0.0.0")
    assert told["told"] == [["storm", "--seed", "1", "--backend", "compose", "--out", "runs"]]
    assert told["web_host"] == "0.0.0.0"


def test_a_scenario_that_cannot_be_used_ends_locust_with_the_reason_and_exit_code_64():
    command = [sys.executable, "-m", "locust", "-f", "scenarios", "--headless", "--host", "http://127.0.0.1:9"]
    done = subprocess.run([*command, "--scenario", "nope"], capture_output=True, check=False, text=True, timeout=60)

    assert done.returncode == 64, done.stderr
    assert 'harness: there is no scenario "nope"' in done.stderr
