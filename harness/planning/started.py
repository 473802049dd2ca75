"""
What a team starts its applications with, by its own files: Dapr's multi-app run file (`dapr.yaml`; documentation,
"Multi-App Run template"), or else a compose file in which a container of daprd stands beside that of each application
(documentation, "How-To: Run Dapr using Docker Compose").
"""

from __future__ import annotations

import json
import posixpath
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import Field
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from harness.errors import UsageError
from harness.files import BY_HAND, read_up_to
from harness.model import Value

RUN_FILE = "dapr.yaml"
COMPOSE_FILES = ("compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml")
"""In the order in which Compose looks for them (Compose specification, "The Compose file")."""
_SIDECAR = re.compile(r"(?:.*/)?daprd")
_BESIDE = re.compile(r"[-_](?:dapr|daprd|sidecar)$")
"""How the service of a sidecar is called beside that of its application."""


class App(Value):
    """
    How one application is started. Paths are relative to the folder of the description.
    """

    app_id: str | None = None
    command: tuple[str, ...] = ()
    workdir: str = "."
    env: Mapping[str, str] = {}
    components: str | None = None
    configuration: str | None = None
    unsure: tuple[str, ...] = Field(default=(), description="what was not understood, in words")


Started = tuple[tuple[App, ...], tuple[str, ...]]
"""The applications that a file starts, and the app ids of all that it has."""


def read(folder: Path) -> Started | None:
    """
    Return what the files in a folder start; None if there is no such file. Raises UsageError if one cannot be used.
    """
    if (folder / RUN_FILE).is_file():
        return _of_run_file(folder / RUN_FILE)
    for name in COMPOSE_FILES:
        if (folder / name).is_file() and (found := tuple(_of_compose_file(folder / name))):
            return found, tuple(app.app_id or "?" for app in found)
    return None


def _document(file: Path) -> Mapping[str, Any]:
    """
    Return a YAML document; empty if it is no mapping. Raises UsageError if it cannot be read.
    """
    try:
        document = YAML(typ="safe").load(read_up_to(BY_HAND, file).decode())
    except (OSError, YAMLError, ValueError, RecursionError) as error:
        raise UsageError(f"{file}: cannot be read: {str(error).splitlines()[0]}") from error
    return document if isinstance(document, Mapping) else {}


def _of_run_file(file: Path) -> Started:
    """
    Return the applications of Dapr's multi-app run file. Raises UsageError if it cannot be used.
    """
    document = _document(file)
    apps = document.get("apps")
    apps = [app for app in apps if isinstance(app, Mapping)] if isinstance(apps, list) else []
    if not any(app.get("command") for app in apps):
        raise UsageError(f"{file}: no app has a `command`; it is no file for `dapr run -f`")
    shared = document.get("common")
    shared = shared if isinstance(shared, Mapping) else {}
    every = [_app(app, shared) for app in apps]
    return tuple(app for app in every if app.command), tuple(app.app_id or "?" for app in every)


def _app(app: Mapping[str, Any], shared: Mapping[str, Any]) -> App:
    command, workdir = app.get("command") or (), Path(str(app.get("appDirPath", ".")))
    words = shlex.split(command) if isinstance(command, str) else [str(word) for word in command]
    if words[:1] == ["python"]:  # in a target.yaml, that is the harness's own
        words[0] = "python3"
    resources = app.get("resourcesPath", shared.get("resourcesPath"))
    for several in (app.get("resourcesPaths"), shared.get("resourcesPaths")):
        resources = resources or (several[0] if isinstance(several, list) and several else None)
    configuration = app.get("configFilePath", shared.get("configFilePath"))
    return App(
        app_id=str(app.get("appID") or workdir.name or "app"),
        command=tuple(words),
        workdir=str(workdir),
        env={**_env(shared), **_env(app)},
        components=None if resources is None else str(resources),
        configuration=None if configuration is None else str(configuration),
    )


def _env(of: Mapping[str, object]) -> dict[str, str]:
    env = of.get("env")
    return {str(name): str(value) for name, value in env.items()} if isinstance(env, Mapping) else {}


def _of_compose_file(file: Path) -> Iterator[App]:
    """
    Return the applications beside which the services of a compose file run daprd, one of each app id. Raises UsageError
    if it cannot be read.
    """
    services = _document(file).get("services")
    services = services if isinstance(services, Mapping) else {}
    services = {str(name): service for name, service in services.items() if isinstance(service, Mapping)}
    taken: set[str] = set()
    for name, service in services.items():
        words = [*_words(service.get("entrypoint")), *_words(service.get("command"))]
        flags = _flags(words) if any(map(_SIDECAR.fullmatch, words)) else {}
        app_id = flags.get("app-id")
        if not app_id or app_id in taken:
            continue
        taken.add(app_id)
        beside = _beside(name, services)
        app = _container(file.parent, services[beside]) if beside else App(unsure=("nothing says which service it is",))
        yield app.model_copy(
            update={
                "app_id": app_id,
                "components": _outside(
                    flags.get("resources-path", flags.get("components-path")), service.get("volumes")
                ),
                "configuration": _outside(flags.get("config"), service.get("volumes")),
            }
        )


def _beside(sidecar: str, services: Mapping[str, Mapping[str, Any]]) -> str | None:
    """
    Return the service whose application a sidecar serves: that with which it shares its network, that of its name, or
    else the only one that it waits for and that is built here. None if nothing says it.
    """
    mode = str(services[sidecar].get("network_mode", ""))
    shared = [mode.removeprefix("service:")] if mode.startswith("service:") else []
    shared += [name for name, of in services.items() if of.get("network_mode") == f"service:{sidecar}"]
    shared += [_BESIDE.sub("", sidecar)] if _BESIDE.search(sidecar) else []
    waits = services[sidecar].get("depends_on")
    awaited = (
        [str(name) for name in waits] if isinstance(waits, Sequence | Mapping) and not isinstance(waits, str) else []
    )
    built = [name for name in awaited if "build" in services.get(name, {})]
    shared += built if len(built) == 1 else []
    return next((name for name in shared if name in services and name != sidecar), None)


def _container(folder: Path, service: Mapping[str, Any]) -> App:
    """
    Return how the application of a service is started outside of its container.
    """
    build = service.get("build")
    context = str(build.get("context", ".")) if isinstance(build, Mapping) else str(build or ".")
    command = [*_words(service.get("entrypoint")), *_words(service.get("command"))]
    unsure = []
    if not command and build is not None:
        name = str(build.get("dockerfile", "Dockerfile")) if isinstance(build, Mapping) else "Dockerfile"
        command = _of_dockerfile(folder / context / name)
    if command:
        unsure.append(f"its command, {shlex.join(command)}, is that of a container; it must also run in {context}")
    listed = service.get("environment")
    pairs = listed.items() if isinstance(listed, Mapping) else (str(each).partition("=")[::2] for each in listed or ())
    env = {str(name): str(value) for name, value in pairs if value not in (None, "")}
    own = {name: value for name, value in env.items() if not name.startswith("DAPR_") and "$" not in value}
    if left_out := [name for name in env if name not in own]:
        unsure.append(f"left out of its environment: {', '.join(left_out)}")
    if command[:1] == ["python"]:  # in a target.yaml, that is the harness's own
        command[0] = "python3"
    return App(command=tuple(command), workdir=str(Path(context)), env=own, unsure=tuple(unsure))


def _words(command: object) -> list[str]:
    """
    Return the words of a command that is a text or a list of words.
    """
    if isinstance(command, str):
        try:
            return shlex.split(command)
        except ValueError:
            return []
    return [str(word) for word in command] if isinstance(command, Sequence) else []


def _flags(words: Sequence[str]) -> Mapping[str, str]:
    """
    Return the flags of daprd with their values; they begin with one dash or two.
    """
    flags = {}
    for number, word in enumerate(words):
        name, equals, value = word.lstrip("-").partition("=")
        if word.startswith("-"):
            flags[name] = value if equals else next(iter(words[number + 1 :]), "")
    return flags


def _outside(inside: str | None, volumes: object) -> str | None:
    """
    Return the path on this machine that a path of a container has, by the volumes of its service; None if none has it.
    The working directory of Dapr's image is /.
    """
    if inside is None:
        return None
    path = posixpath.normpath(posixpath.join("/", inside))
    for volume in volumes if isinstance(volumes, Sequence) and not isinstance(volumes, str) else ():
        if isinstance(volume, Mapping):
            source, mounted = str(volume.get("source", "")), str(volume.get("target", ""))
        else:
            source, _, mounted = str(volume).partition(":")
            mounted = mounted.partition(":")[0]
        mounted = posixpath.normpath(mounted or "/")
        if source.startswith((".", "/")) and (path == mounted or path.startswith(f"{mounted}/")):
            return posixpath.normpath(posixpath.join(source, posixpath.relpath(path, mounted)))
    return None


def _of_dockerfile(file: Path) -> list[str]:
    """
    Return the command that an image starts: its last ENTRYPOINT, then its last CMD. Empty if the file cannot be read.
    """
    try:
        lines = re.sub(r"\\\s*\n", " ", read_up_to(BY_HAND, file).decode()).splitlines()
    except (OSError, UnicodeDecodeError):  # also one that is too large
        return []
    found: dict[str, list[str]] = {}
    for line in lines:
        word, _, rest = line.strip().partition(" ")
        if word.upper() in ("ENTRYPOINT", "CMD"):
            try:
                found[word.upper()] = _words(json.loads(rest))
            except ValueError:
                found[word.upper()] = _words(rest)
    return [*found.get("ENTRYPOINT", ()), *found.get("CMD", ())]
