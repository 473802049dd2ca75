"""The commands that set runs side by side, from run directories to exit codes."""

import json
import shutil

import pytest
from harness_reports import page

from harness import cli
from harness.errors import EvidenceError, UsageError
from tests.builders import runs, shop


def call(*arguments):
    return cli.app([str(each) for each in arguments], standalone_mode=False)


@pytest.fixture(name="saved", scope="module")
def _saved(tmp_path_factory):
    """Three runs a side, the candidate's one folder further down."""
    folder = tmp_path_factory.mktemp("saved")
    for seed in range(1, 4):
        runs.save(folder / "base", seed)
        runs.save(folder / "candidate" / f"run-{seed}", seed + 10)
    return folder


@pytest.fixture(name="sides")
def _sides(saved, tmp_path):
    shutil.copytree(saved, tmp_path, dirs_exist_ok=True)
    return tmp_path / "base", tmp_path / "candidate"


def test_two_folders_are_compared_and_both_files_are_written(sides, tmp_path, capsys):
    code = call("compare", *sides, "--out", tmp_path / "out")

    told = json.loads((tmp_path / "out/comparison.json").read_text())
    assert code in (0, 1, 2)
    assert [len(told["scenarios"][0][side]["used"]) for side in ("base", "candidate")] == [3, 3]
    assert "comparison.html" in capsys.readouterr().out.replace("\n", "")


def test_two_single_runs_are_not_enough(sides, tmp_path, capsys):
    single = [next(sides[0].iterdir()), next(sides[1].glob("*/*"))]

    assert call("compare", *single, "--out", tmp_path / "out") == 2
    assert "not enough to tell anything" in capsys.readouterr().out


def test_a_run_that_cannot_be_read_is_told_and_the_rest_is_compared(sides, tmp_path, capsys):
    next(sides[0].glob("*-1/verdict.json")).unlink()
    next(sides[0].glob("*-2/plan.json")).write_text("{}")

    assert call("compare", *sides, "--out", tmp_path / "out") == 2
    printed = " ".join(capsys.readouterr().out.split())
    assert "has no verdict yet" in printed
    assert "was not written by this version of the harness" in printed


def test_latest_is_no_run_of_its_own(sides, tmp_path):
    (sides[0] / "latest").symlink_to(next(sides[0].iterdir()).name)

    call("compare", *sides, "--out", tmp_path / "out")

    told = json.loads((tmp_path / "out/comparison.json").read_text())
    assert len(told["scenarios"][0]["base"]["used"]) == 3


def test_a_folder_without_runs_is_a_usage_error(sides, tmp_path):
    with pytest.raises(UsageError, match="there are no runs in"):
        call("compare", sides[0], tmp_path / "nothing")


def test_the_figures_of_an_interrupted_run_are_left_out(sides, tmp_path):
    runs.save(sides[0], 9, interrupted=True, plan=shop.plan(seed=9))

    call("compare", *sides, "--out", tmp_path / "out")

    told = json.loads((tmp_path / "out/comparison.json").read_text())
    assert len(told["scenarios"][0]["base"]["left_out"]) == 1


def test_a_history_is_drawn_beside_its_runs_or_elsewhere(sides, tmp_path, capsys):
    assert not call("history", sides[0])
    assert not call("history", sides[1], "--out", tmp_path / "elsewhere")

    told = json.loads((tmp_path / "elsewhere/history.json").read_text())
    assert [len(track["points"]) for track in told["tracks"]] == [3]
    assert (sides[0] / "history.html").is_file()
    assert "demo: 3 runs" in capsys.readouterr().out


def test_a_folder_of_which_no_run_can_be_read_says_why(sides):
    for verdict in sides[0].glob("*/verdict.json"):
        verdict.unlink()

    with pytest.raises(EvidenceError, match=r"none of the 3 runs in .* the first: .* has no verdict yet"):
        call("history", sides[0])


def test_a_page_that_its_folder_cannot_have_is_wrong_usage(sides, tmp_path):
    (tmp_path / "file").touch()

    with pytest.raises(UsageError, match=r"cannot have history\.html: it is not a folder; give another .* --out"):
        call("history", sides[0], "--out", tmp_path / "file")


@pytest.mark.parametrize("where", ["file", "file/inner", "taken"])
def test_whatever_a_page_cannot_be_written_to_is_told(tmp_path, where):
    (tmp_path / "file").touch()
    (tmp_path / "taken/page.html").mkdir(parents=True)

    with pytest.raises(UsageError, match=r"cannot have page\.html: .*; give another folder with --out"):
        page.write(tmp_path / where, ("data.json", runs.figures()), ("page.html", "<title>a page</title>"))
