"""
A first description of an application that was not written for the harness: a target.yaml and a scenario, from what the
team starts it with (`harness.planning.started`) and from the application's sources. What these do not tell is said, and
stands in the file as a comment.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from pydantic import Field

from harness.model import Value
from harness.planning import started
from harness.planning.started import App

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
    ".java": re.compile(
        r"\.registerWorkflow\(\s*(?:\"(?P<given>[^\"]+)\"|(?:new\s+(?=\w+\s*\()|(?=\w+\.class))(?P<name>\w+))"
    ),
}
"""How the registration of a workflow looks, by the ending of the file: the decorators and calls of Dapr's SDKs."""
_ACTIVITY = re.compile(r"@\w+\.activity\b|\.registerActivity|\.AddActivity|\bregisterActivity\(")
"""How the registration of an activity looks in any of them."""
_FOREIGN = {"node_modules", "venv", ".venv", "site-packages", "vendor", "build"}
_MOST_FILES = 2000
_LONGEST_NAME = 24
_LARGEST = 1_000_000
"""Bytes."""


class Facts(Value):
    """
    What is known of a target: its main application, whose workflow clients start, and the further ones.
    """

    main: App = App()
    apps: tuple[App, ...] = ()
    workflow: str | None = None
    not_started: tuple[str, ...] = Field(default=(), description="other app ids of the file")


def facts(folder: Path) -> Facts:
    """
    Return what the files in a folder and the sources tell. Raises UsageError if the run file or the compose file there
    cannot be used.

    The main application is the first that registers a workflow. Others are started if they register a workflow or an
    activity, because only a workflow calls them.
    """
    apps, ids = started.read(folder) or ((App(),), ())
    sources = [tuple(_texts(folder, app, apps)) for app in apps]
    workflows = [next(_workflows(texts), None) for texts in sources]
    main = next((number for number, workflow in enumerate(workflows) if workflow is not None), 0)
    further = [
        number
        for number, texts in enumerate(sources)
        if number != main and (workflows[number] is not None or any(_ACTIVITY.search(text) for _, text in texts))
    ]
    taken = {apps[number].app_id for number in (main, *further)}
    return Facts(
        main=apps[main],
        apps=tuple(apps[number] for number in further),
        workflow=workflows[main],
        not_started=tuple(app_id for app_id in ids if app_id not in taken),
    )


def lacking(known: Facts) -> Iterator[str]:
    """
    Say what is not known and must be filled in, and what was left out.
    """
    if not known.main.command:
        yield "how one replica of the application is started (`app.command`)"
    for app in (known.main, *known.apps):
        yield from (f"{app.app_id}: {each}" for each in app.unsure)
    if known.main.app_id is None:
        yield "its app id (`app_id`)"
    if known.workflow is None:
        yield "the name under which its workflow is registered"
    yield "what a start sends (`body`), if it is not {}"
    yield "what the output of the workflow means: until `outcome` says it, COMPLETED counts as completed"
    if known.apps:
        yield f"whether it is {known.main.app_id} whose workflow clients start: it is the first that registers one"
    for app in known.apps:
        for field in ("components", "configuration"):
            if getattr(app, field) not in (None, getattr(known.main, field)):
                yield f"{app.app_id} has a `{field}` of its own, {getattr(app, field)}: all applications share one"
    for other in known.not_started:
        yield (
            f"{other} is not started: no workflow and no activity was found in its sources, and only those are called; "
            "one of `apps` if it has some, or one of `services`"
        )


def target(known: Facts) -> str:
    """
    Return the text of a target.yaml.
    """
    main = known.main
    name = re.sub(r"[^a-z0-9-]+", "-", (main.app_id or "mine").lower()).strip("-")
    lines = [
        "# What the harness must know of this application: docs/target-contract.md explains each line.",
        f"name: {name if name[:1].isalpha() else f'app-{name}'}",
        f"app_id: {json.dumps(main.app_id or UNKNOWN)}",
        "app:  # how one replica is started; its sidecar's ports and PORT are in its environment",
        *_started(main, "  "),
    ]
    if known.apps:
        lines.append("apps:  # whose activities and workflows are called by their app ids; nodes are app-NAME-0, ...")
        for application, app in _named(known.apps).items():
            own_id = [] if application == app.app_id else [f"    app_id: {json.dumps(app.app_id)}"]
            lines += [f"  {application}:", *own_id, *_started(app, "    "), "    replicas: 1"]
    for field, value, default in (
        ("components", main.components, "a Redis state store of the run's own"),
        ("configuration", main.configuration, "no certificates, sidecars find each other by a file"),
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


def _started(app: App, indent: str) -> Iterator[str]:
    """
    Return the lines that say how a replica of an application is started.
    """
    yield f"{indent}command: {json.dumps(list(app.command or (UNKNOWN,)))}"
    yield f"{indent}workdir: {json.dumps(app.workdir)}"
    yield f"{indent}health: workers  # ready when its workflow worker is connected; or a route like /healthz, or port"
    if app.env:
        yield f"{indent}env: {json.dumps(dict(app.env))}"


def _named(apps: Iterable[App]) -> Mapping[str, App]:
    """
    Return the applications by names that can be parts of the names of nodes (`harness.names.is_application`).
    """
    named: dict[str, App] = {}
    for app in apps:
        words = re.findall(r"[a-z]+[a-z0-9]*|[0-9]+", (app.app_id or "").lower())
        plain = "-".join(word if word[0].isalpha() else f"n{word}" for word in words)[:_LONGEST_NAME].strip("-")
        name, number = plain or "further", 1
        while name in named:
            number += 1
            name = f"{plain or 'further'}-n{number}"
        named[name] = app
    return named


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


def _workflows(texts: Iterable[tuple[str, str]]) -> Iterator[str]:
    """
    Return the names of workflows that sources, (ending of the name, text), register.
    """
    for suffix, text in texts:
        for match in _SOURCES[suffix].finditer(text):
            given = match.groupdict().get("given")
            yield given or (_qualified(match["name"], text) if suffix == ".java" else match["name"])


def _qualified(name: str, text: str) -> str:
    """
    Return the name of a Java class with its package, as the source that names it tells. Java's SDK calls a workflow so
    (WorkflowClassWrapper: the canonical name), unless it is given another.
    """
    imported = re.search(rf"^import\s+([\w.]+\.{name});", text, re.MULTILINE)
    package = re.search(r"^package\s+([\w.]+);", text, re.MULTILINE)
    if imported:
        return imported[1]
    return f"{package[1]}.{name}" if package else name


def _texts(folder: Path, app: App, apps: Sequence[App]) -> Iterator[tuple[str, str]]:
    """
    Return (ending of the name, text) of each source file of an application: first those that its command names, then
    the others of its folder, unless it shares the folder with another application. The folder of another application
    that lies in its own is not its own.
    """
    home = folder / app.workdir
    inner = [at for other in apps if (at := folder / other.workdir) != home and at.is_relative_to(home)]
    named = [file for word in app.command if (file := home / word).suffix in _SOURCES and file.is_file()]
    shared = sum(other.workdir == app.workdir for other in apps) > 1
    others = () if named and shared else sorted(home.rglob("*"))
    files = (file for file in dict.fromkeys((*named, *others)) if file.suffix in _SOURCES)
    for number, file in enumerate(files):
        if number == _MOST_FILES:
            return
        if not file.is_file() or file.stat().st_size > _LARGEST:
            continue
        if file not in named and (_FOREIGN & set(file.relative_to(home).parts) or any(map(file.is_relative_to, inner))):
            continue
        yield file.suffix, file.read_text(encoding="utf-8", errors="replace")
