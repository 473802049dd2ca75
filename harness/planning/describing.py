"""
A first description of an application that was not written for the harness: a target.yaml and a scenario, from Dapr's
multi-app run file (`dapr.yaml`; documentation, "Multi-App Run template") and from the application's sources. What these
do not tell is said, and stands in the file as a comment.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path

from pydantic import Field
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from harness.errors import UsageError
from harness.model import Value

RUN_FILE = "dapr.yaml"
UNKNOWN = "CHANGE_ME"
"""Stands in the file for what is not known."""

_JS = re.compile(r"\.registerWorkflow(?:WithName\(\s*[\"'`]|\(\s*)(?P<name>\w+)")
_SOURCES = {
    ".py": re.compile(
        r"@\w+\.workflow(?:\((?:\s*name\s*=\s*[\"'](?P<given>[^\"']+)[\"'])?[^)]*\))?\s*\n(?:async )?def (?P<name>\w+)"
    ),
    ".js": _JS,
    ".ts": _JS,
    ".go": re.compile(r"\.AddWorkflow(?:N\(\s*\"|\(\s*)(?P<name>\w+)"),
    ".java": re.compile(r"registerWorkflow\(\s*(?P<name>\w+)\.class"),
}
"""How the registration of a workflow looks, by the ending of the file: the decorators and calls of Dapr's SDKs."""
_FOREIGN = {"node_modules", "venv", ".venv", "site-packages", "vendor", "build"}
_MOST_FILES = 2000
_LARGEST = 1_000_000
"""Bytes."""


class Facts(Value):
    """
    What is known of an application. Paths are relative to the folder of the description.
    """

    app_id: str | None = None
    command: tuple[str, ...] = ()
    workdir: str = "."
    env: Mapping[str, str] = {}
    components: str | None = None
    configuration: str | None = None
    workflow: str | None = None
    others: tuple[str, ...] = Field(default=(), description="other app ids of the run file")


def facts(folder: Path) -> Facts:
    """
    Return what the run file in a folder and the sources tell. Raises UsageError if the run file cannot be used.
    """
    found = _of_run_file(folder / RUN_FILE) if (folder / RUN_FILE).is_file() else Facts()
    return found.model_copy(update={"workflow": next(_workflows(folder / found.workdir), None)})


def lacking(known: Facts) -> Iterator[str]:
    """
    Say what is not known and must be filled in, and what was left out.
    """
    if not known.command:
        yield "how one replica of the application is started (`app.command`)"
    if known.app_id is None:
        yield "its app id (`app_id`)"
    if known.workflow is None:
        yield "the name under which its workflow is registered"
    yield "what a start sends (`body`), if it is not {}"
    yield "what the output of the workflow means: until `outcome` says it, COMPLETED counts as completed"
    for other in known.others:
        yield f"{other} is not started: a target has one app id, and services (`services`)"


def target(known: Facts) -> str:
    """
    Return the text of a target.yaml.
    """
    name = re.sub(r"[^a-z0-9-]+", "-", (known.app_id or "mine").lower()).strip("-")
    command = json.dumps(list(known.command or (UNKNOWN,)))
    lines = [
        "# What the harness must know of this application: docs/target-contract.md explains each line.",
        f"name: {name if name[:1].isalpha() else f'app-{name}'}",
        f"app_id: {json.dumps(known.app_id or UNKNOWN)}",
        "app:",
        f"  command: {command}  # how one replica is started; its sidecar's ports and PORT are in its environment",
        f"  workdir: {json.dumps(known.workdir)}",
        "  health: workers  # ready when its workflow worker is connected; or a route such as /healthz, or port",
    ]
    if known.env:
        lines.append(f"  env: {json.dumps(dict(known.env))}")
    for field, value, default in (
        ("components", known.components, "a Redis state store of the run's own"),
        ("configuration", known.configuration, "no certificates, sidecars find each other by a file"),
    ):
        lines.append(f"# {field}: ...  # default: {default}" if value is None else f"{field}: {json.dumps(value)}")
    lines += [
        "workflows:",
        f"  {json.dumps(known.workflow or UNKNOWN)}:  # the name under which it is registered",
        "    # By Dapr's API. Where a route of yours starts it and its answer brings the id:",
        "    # start: {http: /orders, id: instanceId}",
        "    start: {dapr: dapr}",
        "    body: {}  # what is sent: JSON; {id} and the names in `vary` are filled in",
        "    kinds:",
        "      any: {ends: [completed]}  # vary: {item: [tea, coffee]}; more ends: compensated, rejected",
        "    # Where the output says how an instance ended (JMESPath), and what each word means:",
        "    # outcome: processed",
        "    # outcomes:",
        "    #   true: {ends: completed}",
        "    #   false: {ends: rejected}",
        "# To judge what the outside world kept, too:",
        "# effects:",
        "#   - {forward: charge, compensation: refund}",
        "# ledgers:",
        "#   - {prefix: account-, field: entries}  # lists in documents of the state store",
        "#   - {service: bank, path: /charges, rows: data, row: {instance_id: order, at: booked}}  # a route of yours",
        "#   - {sql: 'postgresql://me@127.0.0.1/shop', query: SELECT ..., row: {...}}  # a table",
    ]
    return "\n".join(lines) + "\n"


SCENARIO = """\
# A killed sidecar under load. `harness list` names more scenarios; each runs with --target target.yaml.
claim: A sidecar that is killed loses no instance, and everything that was accepted ends.
target: target.yaml
load: {rate: 5, duration: 30s}
faults:
  - {fault: kill, on: sidecar, at: 10s, for: 2s}
checks:
  minimum: {instances: 50}
"""
"""A first scenario, beside the target.yaml."""


def _of_run_file(file: Path) -> Facts:
    try:
        document = YAML(typ="safe").load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, YAMLError, ValueError) as error:
        raise UsageError(f"{file}: cannot be read: {str(error).splitlines()[0]}") from error
    apps = document.get("apps") if isinstance(document, Mapping) else None
    apps = [app for app in apps if isinstance(app, Mapping)] if isinstance(apps, list) else []
    runnable = [app for app in apps if app.get("command")]
    if not runnable:
        raise UsageError(f"{file}: no app has a `command`; it is no file for `dapr run -f`")
    app, shared = runnable[0], document.get("common")
    shared = shared if isinstance(shared, Mapping) else {}
    command, workdir = app["command"], Path(str(app.get("appDirPath", ".")))
    words = shlex.split(command) if isinstance(command, str) else [str(word) for word in command]
    if words[0] == "python":  # in a target.yaml, that is the harness's own
        words[0] = "python3"
    env = {**_env(shared), **_env(app)}
    resources = app.get("resourcesPath", shared.get("resourcesPath"))
    for several in (app.get("resourcesPaths"), shared.get("resourcesPaths")):
        resources = resources or (several[0] if isinstance(several, list) and several else None)
    configuration = app.get("configFilePath", shared.get("configFilePath"))
    return Facts(
        app_id=str(app.get("appID") or workdir.name or "app"),
        command=tuple(words),
        workdir=str(workdir),
        env=env,
        components=None if resources is None else str(resources),
        configuration=None if configuration is None else str(configuration),
        others=tuple(str(other.get("appID", "?")) for other in apps if other is not app),
    )


def _env(of: Mapping[str, object]) -> dict[str, str]:
    env = of.get("env")
    return {str(name): str(value) for name, value in env.items()} if isinstance(env, Mapping) else {}


def _workflows(folder: Path) -> Iterator[str]:
    """
    Return the names of workflows that the sources register, in order of files.
    """
    files = (file for file in sorted(folder.rglob("*")) if file.suffix in _SOURCES)
    for number, file in enumerate(files):
        if number == _MOST_FILES:
            return
        if _FOREIGN & set(file.relative_to(folder).parts) or not file.is_file() or file.stat().st_size > _LARGEST:
            continue
        for match in _SOURCES[file.suffix].finditer(file.read_text(encoding="utf-8", errors="replace")):
            yield match.groupdict().get("given") or match["name"]
