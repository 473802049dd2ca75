"""
Stand-ins for the official images, for machines that cannot pull: local images under the same names, of this machine's
own binaries and packages. Each says in a label that it is one, and of what.

They have the same programs at the same places, and the same users, and no more. An official image that is here is
left alone.
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
        for one in (
            *standins.dapr(located, dapr_version),
            standins.toxiproxy(located),
            standins.redis(folder, progress),
        ):
            _make(one, progress)
        for overlay in overlays:
            for one in _OVERLAYS[overlay](dapr_version, folder, progress):
                _make(one, progress)
        _ours(TARGET, "compose/Dockerfile", "target/requirements.lock", progress)
        if _WITH_THE_HARNESS.intersection(overlays):
            _ours(LOAD, "compose/load/Dockerfile", "compose/load/requirements.lock", progress)
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


def _make(one: StandIn, progress: Say) -> None:
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


def _ours(name: str, dockerfile: str, locked: str, progress: Say) -> None:
    """
    One of our own images by its Dockerfile, over this machine's Python with the packages that the harness runs with.
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
"""Overlays with images of their own, and what stands in for them. For Grafana nothing does: distributions have none."""
