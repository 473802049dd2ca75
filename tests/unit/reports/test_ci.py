"""Markdown and the terminal: what a CI job's summary and a person at a prompt get."""

import dataclasses
import io

import pytest
from harness_reports import markdown, reported, terminal, words
from rich.console import Console

from harness.errors import NodeError
from harness.model import FaultFinding, Result
from tests.builders import shop
from tests.builders.shop import EVIL, finding


@pytest.fixture(name="violated", scope="module")
def _violated():
    return shop.violated(shop.evidence(200))


def summary(folder, *runs, over_runs=()):
    markdown.write(runs, folder / "summary.md", over_runs)
    return (folder / "summary.md").read_text(encoding="utf-8")


def test_the_summary_shows_ids_from_outside_and_they_do_nothing_in_markdown(violated, tmp_path):
    text = summary(tmp_path, shop.reported(violated))
    assert "<script>" not in text
    assert EVIL not in text
    odd = shop.verdict((finding("a|b", Result.UNKNOWN, reason="[x](javascript:y) `z` @everyone\n# big"),))
    text = summary(tmp_path, shop.reported(odd))
    assert "\\[x\\]\\(javascript:y\\) \\`z\\` \\@everyone \\# big" in text
    assert "| a\\|b |" in text


@pytest.mark.parametrize(
    ("hostile", "shown"), [("- x", "\\- x"), ("1. x", "1\\. x"), ("===", "\\==="), ("::x", "\\::x")]
)
def test_a_line_of_the_summary_never_begins_with_a_sign_from_outside(tmp_path, hostile, shown):
    text = summary(tmp_path, shop.reported(shop.verdict((finding("a", Result.UNKNOWN, reason=hostile),))))
    assert shown in text.splitlines()


def test_the_summary_opens_with_the_verdict_and_ends_with_the_command(violated, tmp_path):
    lines = summary(tmp_path, shop.reported(violated, defect="double_ship")).splitlines()
    assert lines[0] == "## ❌ VIOLATED: demo, seed 7"
    assert lines[2] == "**A promise was broken: 2 of 10 invariants are violated.**"
    assert lines[-1] == "    harness run demo --seed 7 --defect double_ship"
    assert "| #0 | kill | sidecar-0 | 6.000 s | 12.3 ms | 8.100 s | 17 | 31 ms | 3.12 s | 3.41 s |" in lines


def test_the_summary_of_a_load_of_several_workflows_counts_each(tmp_path):
    verdict = shop.verdict(
        workflows={"order_v1": {"completed": 358}, "parcel_v1": {"completed": 2, "rejected": 114}},
        costs={"parcel_v1": shop.COST},
    )
    run = shop.reported(verdict)
    several = dataclasses.replace(run, plan=shop.starting(run.plan, ("order_v1", "parcel_v1")))

    assert "| of parcel\\_v1 | 116: completed 2, rejected 114 |" in summary(tmp_path, several)
    took = "466 ms (p99 1.28 s), 48 rows, 1.4 kB, 12 of 1,590 attempts repeated"
    assert f"| parcel\\_v1 took | {took} |" in summary(tmp_path, several)
    assert "| of parcel\\_v1 |" not in summary(tmp_path, run)


def test_the_summary_of_many_runs_has_a_table_and_then_what_is_red_the_worst_first(violated, tmp_path):
    failed = reported.failed(shop.plan(seed=9), "compose", NodeError("redis was not ready"))
    unknown = shop.verdict(result=Result.UNKNOWN, reasons=("too thin",), lacking=("too thin",), seed=8)
    runs = (shop.reported(shop.verdict()), shop.reported(unknown, seed=8), failed, shop.reported(violated, seed=6))

    lines = summary(tmp_path, *runs, over_runs=("result_discarded was met in 4 of 4 runs",)).splitlines()

    assert lines[0] == "## ❌ 1 of 4 runs pass"
    assert lines[2] == "- **does not pass**: result\\_discarded was met in 4 of 4 runs"
    rows = [line for line in lines if line.startswith(("| ✅ | demo", "| ❌ | demo"))]
    assert [row.split(" | ")[2] for row in rows] == ["6", "9", "8", "7"]
    assert rows[1] == "| ❌ | demo | 9 | 1.18.2 | compose | failed | **failed** | \N{EN DASH} |"
    heads = [line for line in lines if line.startswith("## ")][1:]
    assert heads == ["## ❌ VIOLATED: demo, seed 7", "## ❌ no verdict: demo, seed 9", "## ❔ UNKNOWN: demo, seed 8"]
    assert "- redis was not ready" in lines


@pytest.mark.parametrize("runs", [1, 500])
def test_no_summary_is_larger_than_github_takes(tmp_path, runs):
    long = "&" * 10_000
    findings = tuple(finding(f"{long}{number}", Result.UNKNOWN, reason=long, claim=long) for number in range(1_000))
    huge = shop.verdict(findings, reasons=(long,) * 9_000, notes=(long,) * 9_000)

    text = summary(tmp_path, *[shop.reported(huge)] * runs)

    assert 300_000 < len(text.encode()) <= markdown.LARGEST
    assert text.startswith("## ❔ UNKNOWN" if runs == 1 else "## ❌ 0 of 500 runs pass")
    assert "of this summary did not fit; report.html has all" in text


def printed(plan, verdict, folder):
    screen = Console(width=100, file=io.StringIO(), legacy_windows=False)
    screen.print(terminal.summary(plan, verdict, folder, shop.DECISION))
    return screen.file.getvalue()


def test_the_screen_tells_the_verdict_the_classes_the_faults_and_the_way_on(tmp_path):
    text = printed(shop.plan(), shop.verdict(), tmp_path / "r")
    for line in (
        "✓ HOLDS  demo, seed 7, Dapr 1.18.2",
        "instances   600: completed 358, compensated 121, rejected 114, refused 7",
        "attempts    2,431, 59 of them repeated (allowed)",
        "kill sidecar-0 at 6.000 s: felt after 12.3 ms, first failure 31 ms, success 3.12 s,",
        "invariants  10 of 10 hold, 6,120 things examined",
        "again       harness run demo --seed 7",
    ):
        assert line in text
    assert str(tmp_path / "r/report.html").replace("/", "") in text.replace("\n", "").replace(" ", "").replace("/", "")


def test_the_screen_names_what_is_violated_with_a_witness_and_obeys_none_of_it(violated, tmp_path):
    text = printed(shop.plan(), violated, tmp_path)
    assert "✗ duplicated" in text
    assert "? over_compensated it examined nothing" in text
    assert "\x1b" not in text


def test_the_worst_run_still_fits_one_screen(tmp_path):
    long = "a sentence that goes on and on, as sentences about broken promises do, and then a little further; " * 5
    faults = tuple(
        FaultFinding(
            step=step,
            fault="kill",
            node=f"sidecar-{step}->a-node-with-a-long-name",
            at=1.0,
            felt_after=None,
            healed_at=None,
            in_flight=0,
            recovery=None,
            proof={},
        )
        for step in range(30)
    )
    worst = shop.verdict(
        tuple(finding(f"an_invariant_with_a_long_name_{n}", Result.UNKNOWN, reason=long) for n in range(30)),
        claim=long,
        reasons=(long,) * 30,
        missed_levels=(long,) * 9,
        classes=dict.fromkeys(words.CLASSES, 123_456),
        faults=faults,
    )
    text = printed(shop.plan(defect="double_ship"), worst, tmp_path / ("deep/" * 20))
    assert len(text.splitlines()) <= 40
    assert max(map(len, text.splitlines())) <= 100
    assert "and 25 more, in the report" in text


def test_what_a_gate_accepts_is_told_in_the_summary(tmp_path):
    found, decision = shop.explained()

    text = summary(tmp_path, shop.reported(found, decision))
    assert "**Gate: Passes: every violation is explained by a known finding**" in text
    assert "known findings explain 2 of 2" in text
