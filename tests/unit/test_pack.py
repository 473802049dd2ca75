"""Packing runs: what is in, what is left out, and that what is unpacked is judged again."""

import random
import tarfile

import pytest

from harness import cli, last, pack, rundir
from harness.errors import UsageError
from harness.evidence import manifest
from harness.model import Result
from tests.builders import shop

LIMIT = 5_000_000


@pytest.fixture(name="made")
def _made(tmp_path):
    """A run as a real one is left: with evidence, reports, a journal, logs and much data."""

    def made(verdict=None, noise=10_000):
        run = rundir.create(tmp_path / "runs", "demo", 7)
        run.save_plan(shop.plan())
        shop.evidence(40).write(run.evidence)
        run.keep_invariants({"mine": "-- claim: A claim.\n-- examined: SELECT 1\nSELECT 1 WHERE false"})
        (run.journals.folder / "load.jsonl").write_text("{}\n")
        (run.logs / "app-0.log").write_bytes(random.Random(1).randbytes(noise))
        (run.data / "redis").mkdir()
        (run.data / "redis/appendonly.aof").write_bytes(random.Random(2).randbytes(10_000))
        run.stands.touch()
        manifest.write(run)
        if verdict is not None:
            run.save_verdict(verdict)
            for name in ("junit.xml", "summary.md"):
                (run.path / name).touch()
            (run.path / "report.html").write_bytes(random.Random(3).randbytes(300_000))
        return run

    return made


def names(file):
    with tarfile.open(file) as archive:
        return archive.getnames()


def test_all_that_a_verdict_rests_on_is_packed_and_nothing_of_data(made, tmp_path):
    run = made(shop.verdict())

    packed = pack.pack(tmp_path / "runs", [run], tmp_path / "packed.tar.gz", LIMIT)

    found = [name.removeprefix(f"{run.name}/") for name in names(packed.file)]
    for name in ("plan.json", "SHA256SUMS", "evidence/history.parquet", "invariants/mine.sql", "verdict.json"):
        assert name in found
    for name in ("report.html", "journal/load.jsonl", "logs/app-0.log", "junit.xml", "summary.md"):
        assert name in found
    assert [name for name in found if name.startswith("data") or name == "stands"] == []
    assert packed.left_out == ()
    assert packed.size == packed.file.stat().st_size < LIMIT


def test_the_same_runs_give_the_same_bytes(made, tmp_path):
    run = made(shop.verdict())
    files = [pack.pack(tmp_path, [run], tmp_path / name, LIMIT).file for name in ("a", "b")]

    assert files[0].read_bytes() == files[1].read_bytes()


def test_what_finds_no_room_is_left_out_and_of_runs_that_hold_first(made, tmp_path):
    holds, lost = made(shop.verdict(), 600_000), made(shop.verdict((shop.finding("lost", Result.VIOLATED),)), 600_000)

    packed = pack.pack(tmp_path / "runs", [holds, lost], tmp_path / "packed.tar.gz", 1_700_000)

    assert packed.size <= 1_700_000
    left_out = {str(path) for path in packed.left_out}
    assert f"{holds.name}/logs/app-0.log" in left_out
    assert f"{lost.name}/logs/app-0.log" not in left_out
    assert {f"{holds.name}/evidence/history.parquet", f"{lost.name}/report.html"} <= set(names(packed.file))


def test_what_verdicts_rest_on_is_packed_even_if_it_is_too_large(made, tmp_path):
    run = made(shop.verdict())

    packed = pack.pack(tmp_path / "runs", [run], tmp_path / "packed.tar.gz", 2_000)

    assert packed.size > 2_000
    assert f"{run.name}/plan.json" in names(packed.file)
    assert any(path.name == "report.html" for path in packed.left_out)


def call(capsys, *arguments):
    code = cli.app(list(map(str, arguments)), standalone_mode=False)
    return code, capsys.readouterr().out


def test_what_is_unpacked_is_judged_again_and_taken_by_a_gate(made, tmp_path, capsys):
    run = made()
    code, _ = call(capsys, "check", run.path)
    last.save(tmp_path / "runs", last.LastCommand(asked=1, runs=(run.name,)))
    before = run.verdict.read_bytes()

    packed, printed = call(capsys, "pack", "--out", tmp_path / "runs")
    with tarfile.open(tmp_path / "runs/packed.tar.gz") as archive:
        archive.extractall(tmp_path / "elsewhere", filter="data")

    assert packed is None
    assert "MB, 1 run" in printed
    elsewhere = rundir.find(tmp_path / "elsewhere", run.name)
    assert manifest.modified(elsewhere) == ()
    assert call(capsys, "gate", "--out", tmp_path / "elsewhere")[0] == code
    assert call(capsys, "check", run.name, "--out", tmp_path / "elsewhere")[0] == code
    assert elsewhere.verdict.read_bytes() == before


def test_the_runs_of_a_suite_keep_their_folder_and_its_report(made, tmp_path, capsys):
    run, suite = made(shop.whole(shop.verdict())), tmp_path / "runs/suite"
    suite.mkdir()
    run.path.rename(suite / run.name)
    (suite / "report.html").write_text("the matrix")
    last.save(tmp_path / "runs", last.LastCommand(asked=1, runs=(f"suite/{run.name}",)))

    call(capsys, "pack", "--out", tmp_path / "runs")
    with tarfile.open(tmp_path / "runs/packed.tar.gz") as archive:
        archive.extractall(tmp_path / "elsewhere", filter="data")

    assert (tmp_path / "elsewhere/suite/report.html").read_text() == "the matrix"
    assert call(capsys, "gate", "--out", tmp_path / "elsewhere")[0] == 0


def test_a_run_that_failed_is_packed_with_its_logs_and_says_why(made, tmp_path, capsys):
    run = made()
    last.save(tmp_path / "runs", last.LastCommand(asked=1, failed=("demo-seed-7: redis was not ready",)))

    call(capsys, "pack", "--out", tmp_path / "runs")

    assert {"last.json", f"{run.name}/logs/app-0.log"} <= set(names(tmp_path / "runs/packed.tar.gz"))


def test_of_a_run_that_lies_elsewhere_nothing_but_the_run_is_packed(made, tmp_path):
    run = made(shop.verdict())
    (tmp_path / "runs/report.html").write_text("somebody's own")

    packed = pack.pack(tmp_path / "other", [run], tmp_path / "packed.tar.gz", LIMIT)

    assert {name.split("/")[0] for name in names(packed.file)} == {run.name}


def test_where_there_is_nothing_to_pack_this_is_told(tmp_path, capsys):
    with pytest.raises(UsageError, match="there are no runs in"):
        call(capsys, "pack", "--out", tmp_path)


def test_an_archive_is_written_into_a_folder_that_is_named(made, tmp_path, capsys):
    made(shop.verdict())
    (tmp_path / "kept").mkdir()

    _, printed = call(capsys, "pack", "--out", tmp_path / "runs", "--to", tmp_path / "kept")

    assert "plan.json" in {name.split("/")[-1] for name in names(tmp_path / "kept/packed.tar.gz")}
    assert "packed.tar.gz: " in printed.replace("\n", "")


@pytest.mark.parametrize("where", ["no/such/folder/a.tar.gz", "file/a.tar.gz"])
def test_an_archive_that_no_folder_can_have_is_wrong_usage(made, tmp_path, capsys, where):
    made(shop.verdict())
    (tmp_path / "file").touch()

    with pytest.raises(UsageError, match="is not a folder; --to names a file in one"):
        call(capsys, "pack", "--out", tmp_path / "runs", "--to", tmp_path / where)


@pytest.mark.parametrize("command", ["pack", "gate"])
def test_a_folder_of_runs_that_is_a_file_is_wrong_usage(tmp_path, capsys, command):
    (tmp_path / "file").touch()

    with pytest.raises(UsageError, match="file is not a folder; --out names the folder of the runs"):
        call(capsys, command, "--out", tmp_path / "file")


def test_a_run_that_does_not_fit_is_told(made, tmp_path, capsys):
    run = made(shop.verdict(), noise=300_000)

    _, printed = call(capsys, "pack", run.path, "--out", tmp_path, "--limit", "0.1")

    assert "files that find no room: " in printed
