"""A run directory that a stranger made is judged, and does nothing else (docs/threat-model.md)."""

import io
import os
import shutil
import stat

import pytest
from rich.text import Text

from harness import cli, files, pipeline, rundir
from harness.checkers import judge
from harness.cli.console import Safe
from harness.errors import EvidenceError, UsageError
from harness.evidence import manifest
from harness.model import Result
from harness.planning import yamlfile
from tests.builders import literal
from tests.builders.evidence import write_evidence

OTHERS = ("report.html", "summary.md", "junit.xml", "verdict.json", "SHA256SUMS", "stalled.json", "selftest.json")
ESCAPE = "\x1b[2J\x1b[1;1H✓ HOLDS"


@pytest.fixture(name="planned", scope="module")
def _planned():
    return literal.planned()


@pytest.fixture(name="run")
def _run(planned, tmp_path):
    run = rundir.create(tmp_path / "runs", "demo", 1)
    run.save_plan(planned)
    run.keep_invariants({})
    rows = literal.sound()
    write_evidence(run.evidence, rows)
    manifest.write(run)
    return run


def check(run, *arguments):
    return cli.app(["check", str(run.path), *arguments], standalone_mode=False)


@pytest.mark.parametrize("name", OTHERS)
@pytest.mark.parametrize("command", ["check", "report", "gate", "selftest"])
def test_no_link_in_a_run_is_followed(run, tmp_path, name, command):
    precious = tmp_path / "precious"
    precious.write_text("ours")
    (run.path / name).unlink(missing_ok=True)
    (run.path / name).symlink_to(precious)

    with pytest.raises(EvidenceError, match="is no plain file"):
        cli.app([command, str(run.path)], standalone_mode=False)
    assert precious.read_text() == "ours"


@pytest.mark.parametrize("folder", ["evidence", "invariants", "known", "violations", "journal", "logs"])
def test_no_folder_of_a_run_is_a_link_or_holds_one(run, tmp_path, folder):
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "a.parquet").write_text("ours")
    kept = run.path / f"{folder}-kept"
    if (run.path / folder).exists():
        (run.path / folder).rename(kept)
    (run.path / folder).symlink_to(precious)
    with pytest.raises(EvidenceError, match=rf"{folder} is no plain file"):
        check(run)
    (run.path / folder).unlink()
    (run.path / folder).mkdir()
    (run.path / folder / "x").symlink_to(precious / "a.parquet")
    with pytest.raises(EvidenceError, match=rf"{folder}/x is no plain file"):
        check(run)
    assert (precious / "a.parquet").read_text() == "ours"


@pytest.mark.parametrize("name", ["verdict.json", "evidence/faults.parquet", "SHA256SUMS"])
def test_a_pipe_in_place_of_a_file_makes_nobody_wait(run, name):
    (run.path / name).unlink(missing_ok=True)
    os.mkfifo(run.path / name)

    with pytest.raises(EvidenceError, match="is no plain file"):
        check(run)


@pytest.mark.parametrize(
    "name",
    ["/proc/kmsg", "../../etc/passwd", "evidence/../../x.parquet", "invariants/../x.sql", "data/x", "plan.json/"],
)
def test_a_manifest_opens_no_file_but_the_run_s_own(run, name, monkeypatch):
    opened = []
    monkeypatch.setattr(manifest, "_digest", lambda file: opened.append(file) or "0" * 64)
    with run.sums.open("a") as sums:
        sums.write(f"{'0' * 64}  {name}\n")

    assert manifest.modified(run) == (f"SHA256SUMS, which names {name}",)
    assert opened == []


def test_a_plan_leads_to_no_invariant_outside_of_its_run(run, tmp_path, planned):
    """The folder that a plan names is of the machine that made the run."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "theirs.sql").write_text("-- claim: c\n-- examined: SELECT 1\n-- witness: w\nSELECT 1 AS x")
    target = planned.target.model_copy(update={"invariants": outside})
    run.save_plan(planned.model_copy(update={"target": target}))
    shutil.rmtree(run.invariants)

    verdict = pipeline.judge_again(run, run.load_plan())

    assert "theirs" not in {finding.name for finding in verdict.findings}
    (lost,) = [finding for finding in verdict.findings if finding.name == "invariants"]
    assert lost.result is Result.UNKNOWN


def test_what_is_not_this_installation_s_is_told(run):
    text = "-- claim: c\n-- examined: SELECT 1\n-- witness: w\nSELECT 1 AS x LIMIT 0"
    (run.invariants / "theirs.sql").write_text(text)
    run.known.mkdir()
    (run.known / "excuse.sql").write_text(
        "-- title: t\n-- layer: app\n-- seen: 1.0\n-- sentence: s\nSELECT instance_id FROM faults, instances LIMIT 0"
    )

    notes = pipeline.judge_again(run, run.load_plan()).notes

    assert "invariants that the run brought, not this installation's: theirs" in notes
    assert "known findings that the run brought, not this installation's: excuse" in notes


def test_a_report_replaces_what_is_there_and_writes_through_nothing(tmp_path):
    precious = tmp_path / "precious"
    precious.write_text("ours")
    (tmp_path / "report.html").symlink_to(precious)
    (tmp_path / ".report.html.tmp").symlink_to(precious)

    files.write_whole(tmp_path / "report.html", "new")

    assert precious.read_text() == "ours"
    assert (tmp_path / "report.html").read_text() == "new"
    assert not (tmp_path / "report.html").is_symlink()
    assert stat.S_IMODE((tmp_path / "report.html").stat().st_mode) == 0o644


def test_a_file_that_cannot_be_written_leaves_nothing_behind(tmp_path):
    (tmp_path / "taken").mkdir()

    with pytest.raises(OSError, match="taken"):
        files.write_whole(tmp_path / "taken", "new")
    assert [each.name for each in tmp_path.iterdir()] == ["taken"]


@pytest.mark.parametrize("printed", [ESCAPE, Text(ESCAPE), f"[red]{ESCAPE}[/x]", "a\x07b\x9b2J\u202ec", "\r✓ HOLDS"])
def test_no_text_from_outside_moves_the_cursor(printed):
    console = Safe()
    console.file = io.StringIO()

    console.print(printed)

    shown = console.file.getvalue()
    assert not {"\x1b", "\x07", "\x9b", "\u202e", "\r"} & set(shown)
    assert str(printed).count("[") == shown.count("["), "no markup is read"


def test_what_is_being_done_is_told_without_markup():
    with Safe(stderr=True).status("copying [/x]") as status:
        status.update("judging: invariant [/y]")

    assert status.renderable.text.plain == "judging: invariant [/y]"


def test_a_json_file_of_gigabytes_is_not_read(run, monkeypatch):
    monkeypatch.setattr(rundir, "BY_HARNESS", 1000)

    with pytest.raises(EvidenceError, match="File too large"):
        run.load_plan()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a: " + "[" * 5000 + "]" * 5000, "nested too deep"),
        ("a: " + "[" * 60 + "]" * 60, "nested deeper than 50 levels"),
        ("a: " + "x" * 1_100_000, "larger than 1,000,000 bytes"),
        (
            "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
            + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 9)),
            "counting what its aliases stand for",
        ),
        ("a: " + "9" * 5000, "not valid YAML"),
        ("a: 2026-02-31", "not valid YAML"),
        ("a: \x01", "not valid YAML"),
        ("a: \ud800".encode("utf-8", "surrogatepass"), "not a text in UTF-8"),
        ("claim: é\n".encode("latin-1"), ":1: not a text in UTF-8"),
        ("claim: x\n".encode("utf-32"), "not a text in UTF-8"),
        ("<<: *x\n", "not valid YAML"),
        ('a: 1\nb: [1, "x\\0y"]\n', ":2: a text has a character that no file, path or command can hold"),
        ('a: 1\n"b\\ud800": 1\n', "a text has a character that no file, path or command can hold"),
    ],
    ids=[
        "depth",
        "deep",
        "large",
        "bomb",
        "digits",
        "date",
        "control",
        "surrogate",
        "latin",
        "utf32",
        "merge",
        "nul",
        "half a pair",
    ],
)
def test_a_yaml_file_that_would_take_for_ever_is_refused(tmp_path, text, told):
    file = tmp_path / "x.yaml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())

    with pytest.raises(UsageError, match=told):
        yamlfile.read(file)


def test_a_pipe_is_no_scenario(tmp_path):
    os.mkfifo(tmp_path / "x.yaml")

    with pytest.raises(UsageError, match="not a file"):
        yamlfile.read(tmp_path / "x.yaml")


def test_a_start_that_is_a_year_late_takes_no_memory(planned, tmp_path):
    rows = literal.sound()
    late = 365 * 86_400 * 10**9
    rows["operations"] = [
        {**row, "intended_ns": row["intended_ns"] + (late if number == 0 else 0)}
        for number, row in enumerate(rows["operations"])
    ]
    fault = {"step": 0, "fault": "kill", "node": "sidecar-0", "planned_ns": literal.T0, "applied_ns": literal.T0 + 1}
    rows["faults"] = [{**fault, "felt_ns": literal.T0 + 2, "healed_ns": literal.T0 + 3, "proof": "{}"}]
    write_evidence(tmp_path, rows)

    judge.judge("run", planned, tmp_path)  # 10 GB, before there was a limit
