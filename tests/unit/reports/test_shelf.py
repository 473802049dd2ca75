"""A folder of runs: what it says of each, and that nothing outside of it can be read."""

import json
import os

import pytest
from harness_reports import index
from harness_reports.shelf import FILES, Library, opened

from harness.model import Result
from harness.rundir import RunDir
from tests.builders import shop
from tests.builders.hostile import HOSTILE

NAMES = [f"20261129T1{number:05}Z-demo-{number}" for number in range(4)]


def make(root, name, verdict=None, **changes):
    folder = RunDir(root / name)
    folder.path.mkdir(parents=True)
    folder.save_plan(shop.plan(**changes))
    if verdict is not None:
        folder.save_verdict(verdict)
        (folder.path / "report.html").write_text("<title>a report</title>")
    return folder.path


@pytest.fixture(name="root")
def _root(tmp_path):
    """Four runs: holds, violated and explained, broken, and one that still runs."""
    root = tmp_path / "runs"
    make(root, NAMES[0], shop.verdict())
    make(root, NAMES[1], shop.explained()[0], dapr_version="1.17.0")
    (make(root, NAMES[2], shop.verdict()) / "verdict.json").write_text("{")
    make(root, NAMES[3])
    (root / "latest").symlink_to(NAMES[3])
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret/plan.json").write_text("secret")
    return root


def test_the_newest_run_comes_first_and_each_says_what_it_is(root):
    runs = Library(root).read().runs
    assert [run.path for run in runs] == NAMES[::-1]
    assert [run.result for run in runs] == [None, None, Result.VIOLATED, Result.HOLDS]
    assert [run.explained for run in runs] == [None, None, "all", None]
    assert runs[0].problem.startswith("it has no verdict")
    assert runs[1].problem == "its verdict.json cannot be read; `harness check` judges it again"
    assert runs[2].told == "600 instances, 4 of 4 faults felt; violated: stuck"
    assert (runs[3].began, runs[3].recovery) == ("2026-11-29 10:00:00", pytest.approx(3.51))
    assert "report.html" in runs[3].files


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", "\x00", '{"scenario": {"name": 7}}', "[" * 100_000])
def test_a_plan_that_is_none_is_told_as_such(root, text):
    (root / NAMES[0] / "plan.json").write_text(text)
    assert Library(root).read().runs[-1].problem == "its plan.json is missing or cannot be read"


def test_a_run_of_another_version_is_shown_with_what_it_has(root):
    plan = {"scenario": {"name": "of_old"}, "seed": 3, "dapr_version": "1.16.0", "gone": 1}
    verdict = {"result": "HOLDS", "unheard_of": []}
    (root / NAMES[0] / "plan.json").write_text(json.dumps(plan))
    (root / NAMES[0] / "verdict.json").write_text(json.dumps(verdict))
    old = Library(root).read().runs[-1]
    assert (old.scenario, old.result, old.told) == ("of_old", Result.HOLDS, "0 instances, 0 of 0 faults felt")


def test_the_folder_is_read_again_and_what_changed_is_seen(root):
    library = Library(root)
    library.read()
    RunDir(root / NAMES[3]).save_verdict(shop.verdict())
    make(root, "20261130T000000Z-demo-9", shop.verdict())
    assert [run.result for run in library.read().runs[:2]] == [Result.HOLDS, Result.HOLDS]
    for file in (root / NAMES[0]).iterdir():
        file.unlink()
    assert len(library.read().runs) == 4


def test_the_runs_of_a_sweep_are_found_in_its_folder_with_its_page(root):
    make(root, "sweep-order_v1-1/20261129T200000Z-cell-1", shop.verdict())
    (root / "sweep-order_v1-1/sweep.html").touch()
    shelf = Library(root).read()
    assert shelf.pages == ("sweep-order_v1-1/sweep.html",)
    assert shelf.runs[0].path == "sweep-order_v1-1/20261129T200000Z-cell-1"


def test_a_folder_that_is_empty_or_gone_has_no_runs(tmp_path):
    assert Library(tmp_path).read().runs == ()
    assert Library(tmp_path / "gone").read().runs == ()


def test_a_file_below_the_folder_is_opened(root):
    with opened(root, [NAMES[0], "report.html"]) as file:
        assert file.read() == b"<title>a report</title>"


@pytest.mark.parametrize(
    "parts",
    [
        [],
        [""],
        ["..", "secret", "plan.json"],
        ["latest", "plan.json"],
        ["/", "etc", "passwd"],
        ["../secret", "plan.json"],
        [NAMES[0], "..", NAMES[1], "plan.json"],
        [NAMES[0], "."],
        [NAMES[0]],
        [NAMES[0], "link"],
        [NAMES[0], "pipe"],
        [NAMES[0], ".hidden"],
        [NAMES[0], "plan.json\0"],
        [NAMES[0], "x" * 5000],
        *([name, "plan.json"] for name in HOSTILE if "\ud800" not in name),
    ],
)
def test_nothing_else_is_opened(root, parts):
    (root / NAMES[0] / "link").symlink_to("/etc/passwd")
    (root / NAMES[0] / ".hidden").touch()
    os.mkfifo(root / NAMES[0] / "pipe")
    assert opened(root, parts) is None


def test_a_plan_that_is_a_link_is_not_read(root):
    (root / NAMES[0] / "plan.json").unlink()
    (root / NAMES[0] / "plan.json").symlink_to(root / NAMES[1] / "plan.json")
    (root / "away").symlink_to(root.parent / "secret")
    runs = {run.path: run for run in Library(root).read().runs}
    assert runs[NAMES[0]].problem is not None
    assert set(runs) == set(NAMES)


def page(root, **wanted):
    return index.html(Library(root).read(), "runs", wanted)


def test_the_filters_leave_the_runs_that_fit(root):
    assert all(f"/{name}/plan.json" in page(root) for name in NAMES)
    for wanted, left in (
        ({"result": "VIOLATED"}, {NAMES[1]}),
        ({"explained": "all"}, {NAMES[1]}),
        ({"dapr": "1.18.2", "result": "HOLDS"}, {NAMES[0]}),
        ({"result": "not judged"}, {NAMES[2], NAMES[3]}),
        ({"scenario": "demo", "unheard_of": "x"}, set(NAMES)),
    ):
        assert {name for name in NAMES if f"/{name}/plan.json" in page(root, **wanted)} == left
    assert "No run fits these filters." in page(root, backend="nowhere")


def test_the_trend_of_a_scenario_goes_from_the_oldest_to_the_newest(root):
    text = page(root)
    assert "1 of 2" in text
    assert text.index(f"/{NAMES[0]}/report.html") < text.index(f"/{NAMES[1]}/report.html")
    assert "<polyline" in text


def test_names_that_try_to_be_html_are_text(root):
    for name in HOSTILE:
        if name.strip(".") and "/" not in name and "\0" not in name and "\ud800" not in name and len(name) < 200:
            make(root, name, shop.verdict(scenario=name, claim=name))
            plan = json.loads((root / name / "plan.json").read_text())
            plan["scenario"]["name"] = plan["dapr_version"] = name
            (root / name / "plan.json").write_text(json.dumps(plan))
            (root / name / "endpoints.json").write_text(json.dumps({"backend": name}))
    bad = os.fsdecode(b"\xff\xfe<b>")
    make(root, bad, shop.verdict())
    text = page(root, **dict.fromkeys(index.FILTERS, ""))
    text.encode("utf-8")
    assert "<script" not in text
    assert "<b>" not in text
    assert 'onmouseover="' not in text
    assert "/%FF%FE%3Cb%3E/plan.json" in text


def test_the_files_that_are_offered_are_those_of_a_run():
    assert set(FILES) >= {"report.html", "verdict.json", "plan.json", "junit.xml", "summary.md"}
