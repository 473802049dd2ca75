"""
Stand-ins for the official images, for machines that cannot pull them: local images with the same names, made of this
machine's own binaries and packages. A label on each image says that it is a stand-in, and what it is made of.

A stand-in has the same programs at the same paths as the official image, and the same users, and nothing else. An
official image that is already on this machine is not replaced.
"""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path

from harness.errors import ProvisionError, UsageError
from harness.runtime import parts, python, shipped, standins
from harness.runtime.provision import provision
from harness.runtime.standins import Say, StandIn

LABEL = "durable-workflow-harness.stand-in"
TARGET = "durable-workflow-harness/target:local"
LOAD = "durable-workflow-harness/load:local"
_WITH_THE_HARNESS = frozenset({"load", "observability"})
"""Overlays that run the harness's own image: Locust, and the exporter of journals."""

_BUILD_TIMEOUT = 900.0


def build(*, dapr_version: str, overlays: Collection[str], progress: Say) -> None:
    """
    Build every image that compose.yaml names and that is not on this machine, and those of the overlays in `overlays`.

    Stand-ins that exist are built again. Raises UsageError for an unknown overlay, and ProvisionError if an image
    cannot be built or no Docker engine answers.
    """
    if unknown := set(overlays) - set(_OVERLAYS):
        raise UsageError(f"--overlay {unknown.pop()}: those with images of their own are {', '.join(_OVERLAYS)}")
    docker("version", "--format", "{{.Server.Version}}")
    located = provision(dapr_version=dapr_version, progress=progress, of=parts.for_images)
    with tempfile.TemporaryDirectory(prefix="harness-images-") as scratch:
        folder = Path(scratch)
        for stand_in in (
            *standins.dapr(located, dapr_version),
            standins.toxiproxy(located),
            standins.redis(folder, progress),
        ):
            _make(stand_in, progress)
        for overlay in overlays:
            for stand_in in _OVERLAYS[overlay](dapr_version, folder, progress):
                _make(stand_in, progress)
        _ours(TARGET, "compose/Dockerfile", "target/requirements.lock", progress)
        if _WITH_THE_HARNESS.intersection(overlays):
            _ours(LOAD, "compose/load/Dockerfile", "compose/load/requirements.lock", progress)
    # Remove the images that the new ones replaced, and the stages of the Dockerfile. Nothing else has the label.
    docker("image", "prune", "--force", "--filter", f"label={LABEL}")


def docker(*arguments: str, stdin: int | None = subprocess.DEVNULL) -> str:
    """
    Run a docker command and return what it prints. Raises ProvisionError, with its last error messages, if it fails.
    """
    try:
        done = subprocess.run(
            ("docker", *arguments),  # noqa: S607 - the docker that the user has on the PATH
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


def _make(stand_in: StandIn, progress: Say) -> None:
    label = _label(stand_in.name)
    if label == "":
        progress(f"{stand_in.name}: is here, and no stand-in: left alone")
        return
    settings = (*stand_in.settings, f'LABEL {LABEL}="{stand_in.of}"')
    changes = [word for line in settings for word in ("--change", line)]
    with tempfile.TemporaryFile() as layer:
        stand_in.files.write(layer)
        layer.seek(0)
        docker("import", *changes, "-", stand_in.name, stdin=layer.fileno())
    progress(f"{stand_in.name}: a stand-in, of {stand_in.of}")


def _label(name: str) -> str | None:
    """
    Return what the label of a local image says that it is made of; empty if the image is no stand-in, None if there is
    no such image.
    """
    try:
        return docker("image", "inspect", "--format", f'{{{{index .Config.Labels "{LABEL}"}}}}', name)
    except ProvisionError:
        return None


def _ours(name: str, dockerfile: str, locked: str, progress: Say) -> None:
    """
    Build one of the project's own images by its Dockerfile, on top of this machine's Python with the packages that the
    harness uses.
    """
    base = f"{name.partition(':')[0]}-python:local"
    _make(StandIn(base, python.rootfs(shipped.ROOT / locked), python.words(), python.settings()), progress)
    with tempfile.TemporaryDirectory(prefix="harness-context-") as context:
        shipped.copy_sources(Path(context))
        docker(
            *("build", "--quiet", "--file", str(Path(context) / dockerfile), "--tag", name),
            *("--build-arg", f"PYTHON_IMAGE={base}", "--label", f"{LABEL}={python.words()}", context),
        )
    progress(f"{name}: built over {base}")


_OVERLAYS: Mapping[str, Callable[[str, Path, Say], Iterable[StandIn]]] = {
    "observability": lambda _version, folder, _say: [standins.prometheus(folder)],
    "postgres": lambda _version, folder, _say: [standins.postgres(folder)],
    "tls": lambda version, _folder, say: [standins.sentry(version, say)],
    "load": lambda _version, _folder, _say: [],
}
"""
The overlays that need images of their own, and the stand-ins for these. Grafana has no stand-in, because no
distribution has a package of it.
"""
