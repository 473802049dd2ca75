"""The pages that set runs side by side, opened in a real browser."""

import random

import pytest
from harness_reports import comparison
from harness_reports import history as drawing

from harness.comparing.compare import compare
from harness.comparing.history import history
from harness.model import Result
from tests.builders import runs, shop

pytestmark = pytest.mark.browser


def _compared(folder):
    dice = random.Random(1)
    base = [runs.chance(seed, dice) for seed in range(10)]
    candidate = [
        runs.chance(seed + 100, dice, throughput=12 + dice.random(), result=Result.VIOLATED, violated=2, run=shop.EVIL)
        for seed in range(10)
    ]
    told = compare(runs.found(base), runs.found(candidate, "candidate", unusable=(shop.EVIL,)), ("old", shop.EVIL))
    return comparison.write(told, folder)


def _history(folder):
    dice = random.Random(1)
    before = [runs.chance(seed, dice) for seed in range(12)]
    after = [
        runs.chance(seed, dice, throughput=9 + dice.random(), dapr_version="1.19.0", result=Result.VIOLATED)
        for seed in range(12, 24)
    ]
    return drawing.write(history(runs.found([*before, *after], unusable=(shop.EVIL,))), folder)


def test_a_history_asks_for_nothing_complains_of_nothing_and_keeps_nobody_out(opened, tmp_path):
    seen = opened(_history(tmp_path).as_uri())

    assert len(seen.requests) == 1
    assert seen.complaints == []
    assert seen.barriers() == []


def test_a_comparison_asks_for_nothing_complains_of_nothing_and_keeps_nobody_out(opened, tmp_path):
    seen = opened(_compared(tmp_path).as_uri())

    assert [url for url in seen.requests if not url.startswith(("file:", "data:"))] == []
    assert len([url for url in seen.requests if url.startswith("file:")]) == 1
    assert seen.complaints == []
    assert seen.page.title() == f"Comparison: old and {comparison.words.printable(shop.EVIL)}"
    seen.page.get_by_text("Methods, p-values and notes").click()
    assert seen.barriers() == []


def test_every_interval_is_drawn_where_it_lies(opened, tmp_path):
    page = opened(_compared(tmp_path).as_uri()).page
    row = page.get_by_role("row", name="throughput").first
    middle = row.locator("circle.middle").bounding_box()
    zero = row.locator("line.zero").bounding_box()

    assert middle["x"] + middle["width"] < zero["x"], "a loss is left of no difference"
