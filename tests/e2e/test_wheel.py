"""The built wheel, alone in an environment and a folder of its own: an installed package is as good as a checkout."""

import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from tests.builders.command import BIN, ROOT

pytestmark = pytest.mark.e2e


def run(*command, cwd, code=0):
    """What a command prints; it must end with `code`. Nothing of the checkout is in its environment."""
    kept = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env={**kept, "COLUMNS": "120"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == code, done.stdout
    return done.stdout


@pytest.fixture(name="dist", scope="module")
def _dist(tmp_path_factory):
    """The folder with wheel and sdist, built from what git knows of the checkout."""
    folder = tmp_path_factory.mktemp("dist")
    source = tmp_path_factory.mktemp("source") / "checkout"
    files = run("git", "ls-files", "--cached", "--others", "--exclude-standard", cwd=ROOT).splitlines()
    for name in files:
        if (ROOT / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, source / name)
    secret = source / "compose/tls/ca.key"  # what `compose/certificates.sh` leaves in a checkout
    secret.parent.mkdir()
    secret.write_text("secret")
    run("git", "init", "--quiet", cwd=source)
    run(BIN / "uv", "build", "--quiet", "--out-dir", folder, source, cwd=source)
    return folder


@pytest.fixture(name="place", scope="module")
def _place(dist, tmp_path_factory):
    """An empty folder, and `harness` installed from the wheel, with pytest, beside it."""
    environment = tmp_path_factory.mktemp("environment")
    (wheel,) = dist.glob("*.whl")
    run(sys.executable, "-m", "venv", "--without-pip", environment, cwd=environment)
    python = environment / "bin/python"
    locked = ("--constraint", ROOT / "requirements.lock")
    run(BIN / "uv", "pip", "install", "--quiet", "--python", python, *locked, wheel, "pytest", cwd=environment)
    return environment / "bin/harness", tmp_path_factory.mktemp("empty")


def test_no_generic_name_is_installed_and_no_secret_is_packed(dist):
    (wheel,), (sdist,) = dist.glob("*.whl"), dist.glob("*.tar.gz")
    names = zipfile.ZipFile(wheel).namelist()
    with tarfile.open(sdist) as packed:
        names_of_source = packed.getnames()

    assert {name.split("/")[0] for name in names} == {
        "harness",
        "harness_reports",
        wheel.name.removesuffix("-py3-none-any.whl") + ".dist-info",
    }
    assert {"harness/py.typed", "harness_reports/py.typed"} <= set(names)
    assert not [name for name in [*names, *names_of_source] if "tls/" in name or "__pycache__" in name]


def test_the_scenarios_are_listed_and_planned(place):
    harness, empty = place

    assert "sidecar_kill" in run(harness, "list", cwd=empty)
    assert "kill" in run(harness, "plan", "sidecar_kill", cwd=empty)
    assert list(empty.iterdir()) == []


def test_a_run_and_its_check(place, harness_settings):
    harness, empty = place

    printed = run(harness, "run", "baseline", *harness_settings, cwd=empty)
    assert "HOLDS" in printed
    assert "HOLDS" in run(harness, "check", "latest", cwd=empty)
    assert (empty / "runs/latest/report.html").stat().st_size > 100_000


@pytest.mark.timeout(900)
def test_what_init_copies_out_runs_as_tests_of_pytest_green_on_the_good_target_and_red_on_the_defective_one(place):
    harness, empty = place
    run(harness, "init", "mine", cwd=empty)
    (empty / "test_chaos.py").write_text("""
import pytest

SHORT = {"load.duration": "8s", "checks.minimum": {"instances": 50}}


@pytest.mark.chaos("mine/scenarios/baseline.yaml", settings=SHORT)
def test_good(chaos_run):
    assert chaos_run.verdict.result == "HOLDS"
    assert chaos_run.verdict.classes["completed"] > 20


@pytest.mark.chaos("mine/scenarios/baseline.yaml", settings=SHORT, defect="skip_release")
def test_defective(chaos_run):
    raise AssertionError("is not reached")
""")

    tried = (harness.parent / "python", "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_chaos.py")
    printed = run(*tried, cwd=empty, code=1)

    assert "1 failed, 1 passed" in printed
    assert re.search(r"half_compensated: \d+ rows against it\n    [\w-]+ ", printed), printed
    assert "is not reached" not in printed.partition("short test summary")[0].partition("VIOLATED")[2]
    assert run(harness, "gate", cwd=empty, code=1).splitlines()[-1] == "2 runs: exit code 1"


@pytest.mark.compose
def test_a_run_in_containers(place, harness_settings):
    harness, empty = place

    assert "HOLDS" in run(harness, "run", "baseline", "--backend", "compose", *harness_settings, cwd=empty)


@pytest.fixture(name="harness_settings")
def _harness_settings():
    """A short baseline."""
    return ("--duration", "8s", "--set", "checks.minimum={instances: 50}")


def test_a_stranger_s_target_reads_nothing_of_the_checkout(place):
    """The target's programs are found where they are shipped."""
    harness, empty = place
    where = run(harness.parent / "python", "-c", "from harness.runtime import shipped; print(shipped.ROOT)", cwd=empty)

    assert Path(where.strip()).is_relative_to(harness.parents[1])
