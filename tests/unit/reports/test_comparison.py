"""A comparison as a reader meets it: nothing is executed, nothing is lost, and every word is escaped."""

import io
import json
import random
import re

import pytest
from harness_reports import amounts, comparison
from rich.console import Console

from harness.comparing.compare import compare
from harness.comparing.result import Change, Comparison
from tests.builders import runs, shop

EVIL = '<script>alert(1)</script>"&\x1b[31m[red]'


@pytest.fixture(name="told")
def _told():
    dice = random.Random(1)
    base = [runs.chance(seed, dice) for seed in range(10)]
    candidate = [runs.chance(seed + 100, dice, throughput=11.0 + dice.random()) for seed in range(10)]
    candidate[0] = candidate[0].model_copy(update={"run": EVIL, "dapr_version": "1.18.2"})
    plan = shop.plan()
    plan = plan.model_copy(update={"scenario": plan.scenario.model_copy(update={"name": EVIL})})
    found = (runs.found(base, plan=plan), runs.found(candidate, "candidate", plan, unusable=(EVIL,)))
    return compare(*found, (EVIL, "candidate"))


def printed(told, folder, width=100):
    console = Console(width=width, record=True, file=io.StringIO())
    console.print(comparison.terminal(told, folder))
    return console.export_text()


def test_the_page_executes_and_loads_nothing_whatever_the_runs_are_called(told, tmp_path):
    html = comparison.write(told, tmp_path).read_text()

    assert "<script" not in html
    assert "script-src &#39;none&#39;" in html
    assert not re.search(r"""(?:src|href)=["']https?:""", html)
    assert "\x1b" not in html
    assert "&lt;script&gt;alert(1)" in html


def test_the_page_has_a_row_an_interval_and_every_run_for_each_measure(told, tmp_path):
    html = comparison.write(told, tmp_path).read_text()

    for each in told.scenarios[0].measures:
        assert f'<th scope="row">{each.title}</th>' in html
        assert amounts.interval(each) in html
    assert html.count('<circle class="dot"') == 20 * len(told.scenarios[0].measures)


def test_the_json_is_read_again_and_names_its_version(told, tmp_path):
    comparison.write(told, tmp_path)
    text = (tmp_path / "comparison.json").read_text()

    assert json.loads(text)["version"] == 1
    assert Comparison.model_validate_json(text) == told


def test_the_terminal_names_what_is_worse_and_by_how_much(told, tmp_path):
    text = printed(told, tmp_path)

    assert re.search(r"throughput +1\d.* /s +11.* /s +.2\d % \(.\d\d to .\d\d\) +✗ worse", text)
    assert re.search(r"Worse: throughput .2\d % \(", text)
    assert "\x1b[31m" not in text


@pytest.mark.parametrize("change", list(Change))
def test_every_change_has_a_sentence(told, change):
    measures = tuple(each.model_copy(update={"change": change}) for each in told.scenarios[0].measures)
    only = told.scenarios[0].model_copy(update={"measures": measures})
    some = told.model_copy(update={"scenarios": (only, only)})

    assert comparison.headline(some).endswith(".")
    assert all(isinstance(amounts.because(each), str) for each in measures)
    assert some.change is change


def test_runs_that_tell_no_values_are_drawn_without_them(tmp_path):
    nothing = {
        "throughput": None,
        "accepted": None,
        "start": None,
        "completion": None,
        "violated": None,
        "recoveries": (),
    }
    told = compare(
        runs.found([runs.figures(1, instances=0, **nothing)]),
        runs.found([runs.figures(2, instances=0, **nothing)], "candidate"),
        ("a", "b"),
    )

    html = comparison.write(told, tmp_path).read_text()

    assert "not enough runs" in html
    assert "1 of 1 runs of the base do not tell it." in html
    assert "throughput" in printed(told, tmp_path)
