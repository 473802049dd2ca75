"""
The target's Dapr components, for sidecars that must reach nothing but this run: a copy of the team's own files in which
every Redis is the run's own.

Dapr reads every YAML file of its resources folder (`--resources-path`); a file may hold several documents.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from harness.errors import UsageError
from harness.files import BY_HAND, read_up_to
from harness.model import Target

_STORE = "state.redis"
_OF_REDIS = (_STORE, "pubsub.redis", "lock.redis", "configuration.redis", "bindings.redis")
_ADDRESS = "redisHost"
_OF_OTHER_REDIS = frozenset(
    {"redisPassword", "redisUsername", "enableTLS", "redisType", "failover", "sentinelMasterName", "redisDB"}
)
"""What belongs to the address that is replaced: the run's own Redis has no password, no TLS and no sentinels."""
_INWARD = (
    "bindings.cron",
    "bindings.localstorage",
    "middleware.",
    "pubsub.in-memory",
    "secretstores.local.",
    "state.in-memory",
)
"""Types that lead to nothing outside of the sidecar and its files."""
_FILES = ("*.yaml", "*.yml")

Component = dict[str, Any]


def prepared(target: Target) -> Mapping[str, list[Component]]:
    """
    Return the documents of each file of the target's components, as the sidecars get them. Without `components` in
    target.yaml there is a state store alone.

    Raises UsageError if a file cannot be read, if the state store is not there or is not Redis, and if a component
    leads out of the run and target.yaml does not name it (`outside`).
    """
    if target.components is None:
        return {"statestore.yaml": [_own_store(target.state_store)]}
    files = {file.name: _documents(file) for pattern in _FILES for file in sorted(target.components.glob(pattern))}
    found = {name: [_for_the_run(target, document) for document in documents] for name, documents in files.items()}
    stores = {
        document["metadata"]["name"]: document["spec"]["type"]
        for documents in found.values()
        for document in documents
        if document.get("kind") == "Component"
    }
    if stores.get(target.state_store) != _STORE:
        there = f"is {stores[target.state_store]}" if target.state_store in stores else "is not there"
        raise UsageError(
            f"{target.components}: the component {target.state_store}, in which workflows are kept, {there}; it must "
            f"be {_STORE} (`state_store` in target.yaml names another)"
        )
    return found


def write(target: Target, folder: Path) -> Path:
    """
    Write the components of a target into a folder, which is made. Return the folder. Raises UsageError as `prepared`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    yaml = YAML(typ="safe")
    for name, documents in prepared(target).items():
        with (folder / name).open("w", encoding="utf-8") as file:
            yaml.dump_all(documents, file)
    return folder


def write_configuration(target: Target, folder: Path) -> Path:
    """
    Return Dapr's configuration of a target: the team's own file, or else one that is written into `folder`. It lets the
    sidecars find each other without the network, and without certificates.
    """
    if target.configuration is not None:
        return target.configuration
    names = {"component": "sqlite", "version": "v1", "configuration": {"connectionString": "names.sqlite"}}
    document = {
        "apiVersion": "dapr.io/v1alpha1",
        "kind": "Configuration",
        "metadata": {"name": "harness"},
        "spec": {"mtls": {"enabled": False}, "nameResolution": names},
    }
    file = folder / "configuration.yaml"
    with file.open("w", encoding="utf-8") as opened:
        YAML(typ="safe").dump(document, opened)
    return file


def _own_store(name: str) -> Component:
    metadata = [{"name": _ADDRESS, "envRef": "REDIS_HOST"}, {"name": "actorStateStore", "value": "true"}]
    spec = {"type": _STORE, "version": "v1", "metadata": metadata}
    return {"apiVersion": "dapr.io/v1alpha1", "kind": "Component", "metadata": {"name": name}, "spec": spec}


def _documents(file: Path) -> list[Component]:
    try:
        documents = list(YAML(typ="safe").load_all(read_up_to(BY_HAND, file).decode()))
    except (OSError, YAMLError, ValueError, RecursionError) as error:
        raise UsageError(f"{file}: cannot be read: {str(error).splitlines()[0]}") from error
    kept = [document for document in documents if document is not None]
    for document in kept:
        if not isinstance(document, dict) or (document.get("kind") == "Component" and not _is_component(document)):
            raise UsageError(f"{file}: a component has metadata.name, spec.type and a list spec.metadata")
    return kept


def _is_component(document: Component) -> bool:
    about, spec = document.get("metadata"), document.get("spec")
    if not isinstance(about, dict) or not isinstance(about.get("name"), str) or not isinstance(spec, dict):
        return False
    settings = spec.get("metadata") or []
    return (
        isinstance(spec.get("type"), str)
        and isinstance(settings, list)
        and all(isinstance(each, dict) for each in settings)
    )


def _for_the_run(target: Target, document: Component) -> Component:
    """
    Return a document as the sidecars of the run get it.
    """
    if document.get("kind") != "Component":
        return document
    name, type_ = document["metadata"]["name"], document["spec"]["type"]
    if type_ in _OF_REDIS:
        metadata = list(_settings(target, document))
        return {**document, "spec": {**document["spec"], "metadata": metadata}}
    if not type_.startswith(_INWARD) and name not in target.outside:
        raise UsageError(
            f"{target.components}: the component {name} ({type_}) leads to something that this run does not start, and "
            f"so to somebody's own: nothing was started. Give the target a folder of components without it, or say "
            f"that the run may use it (`outside: [{name}]` in target.yaml)"
        )
    return document


def _settings(target: Target, document: Component) -> Iterator[Mapping[str, object]]:
    is_store = document["metadata"]["name"] == target.state_store
    replaced = {_ADDRESS, *_OF_OTHER_REDIS, *(["actorStateStore"] if is_store else [])}
    yield {"name": _ADDRESS, "envRef": "REDIS_HOST"}
    if is_store:
        yield {"name": "actorStateStore", "value": "true"}
    yield from (each for each in document["spec"].get("metadata") or [] if each.get("name") not in replaced)
