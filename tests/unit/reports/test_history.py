"""The history of runs as a reader meets it."""

import io
import json
import random
import re

import pytest
from harness_reports import history as drawing
from rich.console import Console

from harness.comparing.figures import Latency
from harness.comparing.history import History, history
from harness.model import Result
from tests.builders import runs, shop


@pytest.fixture(name="told")
def _told():
    dice = random.Random(1)
    before = [runs.chance(seed, dice) for seed in range(12)]
    late = Latency(median=0.4, p99=2.0)
    after = [
        runs.chance(seed, dice, start=late, dapr_version="<b>1.19</b>", run=shop.EVIL, result=Result.VIOLATED)
        for seed in range(12, 24)
    ]
    return history(runs.found([*before, *after], unusable=(shop.EVIL,) * 5))


def test_the_page_draws_every_run_and_change_and_executes_nothing(told, tmp_path):
    html = drawing.write(told, tmp_path).read_text()

    assert "<script" not in html
    assert "<b>1.19" not in html
    assert "\x1b" not in html
    assert not re.search(r"""(?:src|href)=["']https?:""", html)
    trends = [trend for trend in told.tracks[0].trends if trend.segments]
    assert html.count("<circle") == 24 * len(trends)
    assert html.count(" violated") >= 12 * len(trends)
    assert html.count('<line class="release"') == len(trends)
    assert re.search(r"\+\d{3} %, [\d.]+ ms to 4\d\d ms", html)


def test_the_json_is_read_again_and_names_its_version(told, tmp_path):
    drawing.write(told, tmp_path)
    text = (tmp_path / "history.json").read_text()

    assert json.loads(text)["version"] == 1
    assert History.model_validate_json(text) == told


def test_the_terminal_tells_each_change_and_the_first_of_what_was_not_read(told, tmp_path):
    console = Console(width=160, record=True, file=io.StringIO())
    console.print(drawing.terminal(told, tmp_path / "history.html"))
    printed = console.export_text()

    assert re.search(r"start latency, median +4\d\d ms +\+\d{3} %, [\d.]+ ms to 4\d\d ms, since shop-", printed)
    assert "Dapr 1.18.2: 0 of 12 runs violated (95 % interval: 0 % to 24 %)" in printed
    assert "not read: 2 more" in printed
    assert "\x1b[31m" not in printed


def test_runs_that_tell_nothing_are_drawn_without_trends(tmp_path):
    nothing = {
        "throughput": None,
        "accepted": None,
        "start": None,
        "completion": None,
        "recoveries": (),
        "began_ns": None,
    }
    told = history(runs.found([runs.figures(1, instances=0, **nothing), runs.figures(2, result=Result.UNKNOWN)]))

    html = drawing.write(told, tmp_path).read_text()

    assert "<circle" not in html
    only_unknown = history(runs.found([runs.figures(2, result=Result.UNKNOWN)]))
    assert "run-2" in drawing.write(only_unknown, tmp_path).read_text()
