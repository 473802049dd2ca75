"""
Getting the five programs with a network that answers nothing and a Go that is a script: what is done, in which order,
and what an interruption at any point leaves behind.
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from harness.errors import ProvisionError
from harness.runtime import cache, gocache, golang, versions
from harness.runtime.parts import parts
from harness.runtime.provision import provision
from harness.runtime.versions import DAPR, TOXIPROXY

PINNED = versions.MODULE_SUMS
BUILT = ("daprd", "placement", "scheduler", "toxiproxy-server")
NAMES = (*BUILT, "redis-server")

GO = """#!{python}
import json, os, pathlib, re, signal, sys, time
here, said = pathlib.Path(__file__).parent, sys.argv[1:]
settings = json.loads((here / "go.json").read_text())
def log(line):
    with open(here / "go.log", "a") as file:
        file.write(line + "\\n")
log(" ".join(said[:2]) + " GOSUMDB=" + os.environ.get("GOSUMDB", ""))
if said[0] != "version":
    for name in ("GOCACHE", "GOMODCACHE"):
        place = pathlib.Path(os.environ[name])
        place.mkdir(parents=True, exist_ok=True)
        (place / "some.file").write_bytes(b"x" * 100)
def fail(line):
    sys.exit(print(line, file=sys.stderr) or 1)
if said[0] == "version":
    print(f"go version go{settings['version']} linux/amd64")
elif said[:2] == ["mod", "download"]:
    (here / "source" / "cmd/daprd/components").mkdir(parents=True, exist_ok=True)
    for file in ("go.mod", "go.sum", "cmd/daprd/components/pubsub_pulsar.go"):
        (here / "source" / file).write_text(f"the release's {file}\\n")
    print(json.dumps({"Dir": str(here / "source"), "Sum": settings["sums"].get(said[-1], "h1:unknown=")}))
elif said == ["mod", "edit", "-json"]:
    fork = {"Path": "github.com/twmb/pulsar-client-go", "Version": "v0.20.1"}
    other = {"Path": "github.com/some/fork", "Version": "v1.0.0"}
    print(json.dumps({"Replace": [
        {"Old": {"Path": "github.com/apache/pulsar-client-go", "Version": "v0.18.0"}, "New": fork},
        {"Old": {"Path": "github.com/some/module"}, "New": other},
    ]}))
elif said[:2] == ["mod", "edit"]:
    log("edits " + " ".join(said[2:]))
elif said[0] == "list":
    if pathlib.Path.cwd() != here / "source":
        log(pathlib.Path("go.sum").read_text())
        log("files " + " ".join(sorted(str(path) for path in pathlib.Path().rglob("*.go"))))
    elif settings["not_served"]:
        fail(f"cron.go:26:2: {settings['not_served']}: 403 Forbidden")
    print("go: downloading github.com/some/module v1.0.0", file=sys.stderr)
    print("a\\nb\\nc")
elif said[0] == "build":
    into = pathlib.Path(said[said.index("-o") + 1])
    stamps = dict(re.findall(r"-X (\\S+)=(\\S+)", said[said.index("-ldflags") + 1]))
    version = settings["stamp"] or next(iter(stamps.values()))
    if settings["build"] == "fails":
        print("github.com/some/package", file=sys.stderr)
        fail("# github.com/dapr/dapr/cmd/daprd\\nmain.go:7:1: undefined: main")
    for package in (word for word in said if word.startswith("./cmd/")):
        name = package.rpartition("/")[2]
        answers = {"daprd": version, "server": f"toxiproxy-server version {version}"}
        answer = answers.get(name, f"-- version {version} --")
        (into / name).write_text("#!/bin/sh\\n")
        if settings["build"]:
            (here / "building").write_text(str(os.getpid()))
            signal.signal(signal.SIGINT, lambda *_: sys.exit(log("interrupted") or 1))
            time.sleep(settings["silent"])
            while True:
                print("github.com/some/package", file=sys.stderr, flush=True)
                time.sleep(0.02)
        (into / name).write_text(f"#!/bin/sh\\necho '{answer}'\\n")
        (into / name).chmod(0o755)
"""


class Machine:
    """A home with nothing in it, no network, and a Go on the PATH that does as it is told."""

    def __init__(self, home):
        self.home = home
        self.bin = home / "bin"
        self.bin.mkdir()
        self.environment = {"HOME": str(home), "PATH": str(self.bin), "HTTPS_PROXY": "http://127.0.0.1:1"}

    def go(self, *, version="1.26.8", sums=PINNED, not_served="", build="", silent=0.0, stamp=""):
        settings = {"version": version, "sums": dict(sums), "not_served": not_served}
        settings |= {"build": build, "silent": silent, "stamp": stamp}
        (self.bin / "go.json").write_text(json.dumps(settings))
        (self.bin / "go").write_text(GO.replace("{python}", sys.executable, 1))
        (self.bin / "go").chmod(0o755)

    @property
    def log(self):
        log = self.bin / "go.log"
        return log.read_text().splitlines() if log.exists() else []

    def provisions(self):
        """A provision in a process of its own, as `harness provision` is one."""
        # Where the tests run in the background of a shell, SIGINT is ignored, and every process inherits that.
        code = (
            "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
            f"from harness.runtime.provision import provision; provision(dapr_version={DAPR!r}, progress=print)"
        )
        return subprocess.Popen(
            (sys.executable, "-c", code),
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def building(self, process):
        """Wait until Go is in the middle of a build; its process."""
        while not (self.bin / "building").exists():
            assert process.poll() is None, process.communicate()
            time.sleep(0.01)
        return psutil.Process(int((self.bin / "building").read_text()))


def alive(process):
    """A zombie is dead: who inherits orphans may be slow to collect them."""
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.fixture(name="machine")
def _machine(tmp_path, monkeypatch):
    machine = Machine(tmp_path)
    for name in [*machine.environment, "XDG_CACHE_HOME", "ALL_PROXY", "https_proxy", "all_proxy", "GOSUMDB"]:
        monkeypatch.delenv(name, raising=False)
    for part in parts(DAPR):
        monkeypatch.delenv(part.variable, raising=False)
    for name, value in machine.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(golang, "_INSTALLED", "/nowhere")
    return machine


def get(dapr_version=DAPR):
    lines = []
    return provision(dapr_version=dapr_version, progress=lines.append), lines


def installed():
    """What the cache holds, but for its lock and for what Go keeps."""
    return sorted(
        str(file.relative_to(cache.root()))
        for file in cache.root().rglob("*")
        if file.name != ".lock" and file != gocache.folder() and gocache.folder() not in file.parents
    )


def test_what_cannot_be_downloaded_is_built_and_says_how(machine):
    machine.go()

    got, lines = get()

    assert set(got) == set(NAMES)
    assert [got[name].version for name in BUILT] == [DAPR, DAPR, DAPR, TOXIPROXY]
    assert got["daprd"].path == cache.root() / f"dapr-{DAPR}/daprd"
    record = cache.provenance(got["daprd"].path)
    assert record.how == f"built with Go 1.26.8 from github.com/dapr/dapr v{DAPR}"
    assert record.checked == f"source has the pinned sum {PINNED[f'github.com/dapr/dapr@v{DAPR}']}"
    assert record.sha256 == cache.sha256(got["daprd"].path)
    said = "\n".join(lines)
    assert f"daprd {DAPR}: https://github.com/dapr/dapr/releases/download/v{DAPR}/daprd_linux_" in said
    assert "daprd, placement, scheduler: built" in said


def test_go_works_in_caches_of_our_own_which_are_gone_when_all_is_built(machine):
    machine.go()
    lines = []

    with gocache.removed_afterwards(lines.append, keep=False):
        get()
        assert gocache.size(gocache.folder()) == 200

    assert not gocache.folder().exists()
    assert sorted(path.name for path in machine.home.iterdir()) == [".cache", "bin"]
    (line,) = lines
    assert line.startswith("removed Go's caches, ")
    with gocache.removed_afterwards(lines.append, keep=False):
        get()  # builds nothing, so there is nothing to remove and nothing to say
    assert lines == [line]


def test_the_caches_of_go_stay_where_that_is_wished_and_after_an_error(machine):
    machine.go()
    lines = []

    with gocache.removed_afterwards(lines.append, keep=True):
        get()
    with pytest.raises(KeyboardInterrupt), gocache.removed_afterwards(lines.append, keep=False):
        raise KeyboardInterrupt

    assert gocache.folder().is_dir()
    (line,) = lines
    assert line.endswith("; they are kept")


def test_a_second_call_starts_nothing_and_says_nothing(machine):
    machine.go()
    first, _ = get()
    before = machine.log

    assert get() == (first, [])
    assert machine.log == before


def test_releases_live_side_by_side(machine):
    machine.go()
    get()

    older, _ = get("1.16.0")

    assert older["daprd"].version == "1.16.0"
    assert get()[0]["daprd"].version == DAPR


def test_a_source_that_is_not_the_pinned_one_is_not_built(machine):
    machine.go(sums={**PINNED, f"github.com/dapr/dapr@v{DAPR}": "h1:other="})

    with pytest.raises(ProvisionError, match="has sum h1:other=, pinned is h1:"):
        get()

    assert not any(line.startswith("build") and "dapr" in line for line in machine.log)
    assert f"dapr-{DAPR}" not in installed()


def test_a_release_without_a_pin_is_held_against_gos_database_and_says_so(machine, monkeypatch):
    monkeypatch.setenv("GOSUMDB", "off")
    machine.go()

    got, _ = get("1.19.7")

    assert "source has sum h1:unknown= by Go's database, not pinned here" in got["daprd"].where
    assert "mod download GOSUMDB=sum.golang.org" in machine.log
    assert "list -deps GOSUMDB=off" in machine.log


def test_a_dependency_that_is_not_served_gets_its_pinned_stand_in_and_the_result_is_called_a_mixture(machine):
    machine.go(not_served="github.com/diagridio/go-etcd-cron@v0.12.5")
    (cron,) = versions.MIXTURES["github.com/dapr/dapr@v1.18.1"].stand_ins

    with pytest.raises(ProvisionError, match="403 Forbidden"):  # Toxiproxy has no mixture
        get("1.18.1")

    record = cache.provenance(cache.root() / "dapr-1.18.1/daprd")
    assert record.how.endswith(f"with {cron.module} v0.12.6 (a mixture: the release's own choice is not served)")
    assert f"edits -require={cron.module}@v0.12.6" in machine.log
    assert machine.log[machine.log.index("the release's go.sum") :][1:3] == [
        f"{cron.module} v0.12.6 {cron.source_sum}",
        f"{cron.module} v0.12.6/go.mod {cron.gomod_sum}",
    ]


def test_a_mixture_leaves_out_the_source_files_that_need_a_module_for_which_there_is_no_stand_in(machine):
    machine.go(not_served="github.com/iskorotkov/avro/v2@v2.33.1")

    with pytest.raises(ProvisionError, match="403 Forbidden"):
        get("1.18.3")

    record = cache.provenance(cache.root() / "dapr-1.18.3/daprd")
    assert ", without cmd/daprd/components/pubsub_pulsar.go (a mixture:" in record.how
    (edits,) = (line for line in machine.log if line.startswith("edits"))
    assert "-droprequire=github.com/iskorotkov/avro/v2" in edits
    assert "-dropreplace=github.com/apache/pulsar-client-go@v0.18.0" in edits
    assert "github.com/some/module" not in edits
    assert "files " in machine.log  # none of them
    kept = machine.home / "bin/source/cmd/daprd/components/pubsub_pulsar.go"
    assert kept.exists()  # Go's module cache is not changed


@pytest.mark.parametrize(
    "complaint",
    ["github.com/other/module@v1.0.0: 403 Forbidden", "github.com/diagridio/go-etcd-cron@v0.12.5: checksum mismatch"],
)
def test_a_stand_in_takes_no_place_but_that_of_what_is_not_served(machine, complaint):
    machine.go(not_served=complaint)

    with pytest.raises(ProvisionError, match=complaint):
        get("1.18.1")

    assert not any(line.startswith("edits") for line in machine.log)


def test_a_program_that_says_another_version_than_was_asked_for_is_not_kept(machine):
    machine.go(stamp="edge")

    with pytest.raises(ProvisionError, match=f"what was got for daprd {DAPR} says it is edge"):
        get()

    assert installed() == []


def test_when_nothing_works_all_that_was_tried_is_told_with_the_ways_out(machine):
    daprd = machine.home / ".dapr/bin/daprd"
    daprd.parent.mkdir(parents=True)
    daprd.write_text("#!/bin/sh\necho 1.15.0\n")
    daprd.chmod(0o755)

    with pytest.raises(ProvisionError) as error:
        get()

    lines = str(error.value).splitlines()
    assert lines[0] == "neither found, downloaded nor built: " + ", ".join(
        (f"daprd {DAPR}", f"placement {DAPR}", f"scheduler {DAPR}", f"toxiproxy-server {TOXIPROXY}")
    )
    assert lines[1:3] == ["  daprd", f"    {daprd} (of the Dapr CLI) says 1.15.0, not {DAPR}"]
    assert lines[3].startswith("    download: https://github.com/dapr/dapr/releases/download/")
    assert lines[4] == "    build: no `go` on the PATH or in /nowhere"
    assert lines[-4:] == [
        "any of these mends it:",
        "  install Go 1.21 or newer (https://go.dev/dl) and run `harness provision` again",
        f"  dapr init --slim --runtime-version {DAPR}    (with the Dapr CLI; needs the network)",
        "  set HARNESS_DAPRD, HARNESS_PLACEMENT, HARNESS_SCHEDULER, HARNESS_TOXIPROXY to the path of such a program",
    ]


@pytest.mark.parametrize(
    ("go", "reason"),
    [
        ({"version": "1.19.8"}, "is Go 1.19.8, 1.21 or newer is needed"),
        ({"build": "fails"}, "`go build` failed: # github.com/dapr/dapr/cmd/daprd | main.go:7:1: undefined: main"),
    ],
)
def test_what_go_complains_of_is_passed_on(machine, go, reason):
    machine.go(**go)

    with pytest.raises(ProvisionError) as error:
        get()

    assert reason in str(error.value)


def test_a_program_in_the_cache_that_does_not_run_is_replaced(machine):
    machine.go()
    cached = get()[0]["daprd"].path
    cached.write_bytes(b"of another machine")

    assert get()[0]["daprd"].path == cached
    assert cached.read_text().startswith("#!/bin/sh")


def test_a_wrong_path_of_the_user_is_not_made_up_for_by_building_another(machine, monkeypatch):
    machine.go()
    monkeypatch.setenv("HARNESS_DAPRD", "/nowhere")

    with pytest.raises(ProvisionError, match=r"^HARNESS_DAPRD=/nowhere is no executable file"):
        get()

    assert machine.log == []


def test_a_provision_killed_in_the_middle_of_a_build_leaves_nothing_half_made(machine):
    machine.go(build="endless")
    process = machine.provisions()
    go = machine.building(process)

    process.kill()
    process.communicate()

    while alive(go):  # Go dies with it: pytest's time-out decides
        time.sleep(0.01)
    assert not [file for file in installed() if not file.startswith(".staging")]
    machine.go()
    assert get()[0]["daprd"].version == DAPR
    assert not (cache.root() / ".staging").exists()


def test_a_go_that_outlives_its_provision_is_waited_for(machine):
    """While it links it writes nothing for a while, so nothing tells it that we are dead."""
    machine.go(build="endless", silent=1.5)
    process = machine.provisions()
    go = machine.building(process)
    process.kill()
    process.communicate()
    machine.go()
    assert alive(go)

    _, lines = get()

    assert lines[0].endswith("waiting for another provision on this machine to end")
    assert not alive(go)


def test_an_interrupted_provision_interrupts_go_and_clears_up(machine):
    machine.go(build="endless")
    process = machine.provisions()
    go = machine.building(process)

    process.send_signal(signal.SIGINT)
    _, complaint = process.communicate(timeout=10)

    assert "KeyboardInterrupt" in complaint
    assert not alive(go)
    assert "interrupted" in machine.log
    assert installed() == []


def test_two_provisions_at_once_do_the_work_once(machine):
    machine.go()
    both = [machine.provisions(), machine.provisions()]

    said = [process.communicate(timeout=30) for process in both]

    assert [process.returncode for process in both] == [0, 0], said
    assert len([line for line in machine.log if line.startswith("build")]) == 2  # one a module
    assert os.fspath(Path(f"dapr-{DAPR}/daprd")) in installed()
