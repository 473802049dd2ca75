"""
The target's Dapr components, for sidecars that must reach nothing but this run: a copy of the team's own files in which
every Redis, and the state store, is the run's own.

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
from harness.names import Store

VARIABLES = {Store.REDIS: "REDIS_HOST", Store.POSTGRES: "POSTGRES_CONNECTION"}
"""The variable of a sidecar's environment in which it finds the run's state store."""
_ADDRESSES = {Store.REDIS: "redisHost", Store.POSTGRES: "connectionString"}
_TYPES = {Store.REDIS: ("state.redis", "v1"), Store.POSTGRES: ("state.postgresql", "v2")}
"""Type and version. The first version for PostgreSQL has another table, which the harness does not read."""
_ANY_STORE = ("state.redis", "state.postgresql", "state.postgres")
_OF_REDIS = ("state.redis", "pubsub.redis", "lock.redis", "configuration.redis", "bindings.redis")
_OF_OTHER_REDIS = frozenset(
    {"redisPassword", "redisUsername", "enableTLS", "redisType", "failover", "sentinelMasterName", "redisDB"}
)
"""What belongs to the address that is replaced: the run's own Redis has no password, no TLS and no sentinels."""
_OF_ANY_POSTGRES = frozenset(
    {
        "keyPrefix",
        *("timeout", "timeoutInSeconds", "cleanupInterval", "cleanupIntervalInSeconds"),
        *("maxConns", "connectionMaxIdleTime", "queryExecMode"),
    }
)
"""What is kept of a state store's settings for PostgreSQL: all others say which server or table, or are Redis's own."""
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
_ACTORS = "actorStateStore"

Component = dict[str, Any]


def prepared(target: Target, store: Store = Store.REDIS) -> Mapping[str, list[Component]]:
    """
    Return the documents of each file of the target's components, as the sidecars get them in a run whose state store is
    `store`. Without `components` in target.yaml there is a state store alone.

    Raises UsageError if a file cannot be read, if the state store is not there or is none that a run can have, and if a
    component leads out of the run and target.yaml does not name it (`outside`).
    """
    if target.components is None:
        return {"statestore.yaml": [_own_store(target.state_store, store)]}
    files = {file.name: _documents(file) for pattern in _FILES for file in sorted(target.components.glob(pattern))}
    found = {
        name: [_for_the_run(target, store, document) for document in documents] for name, documents in files.items()
    }
    stores = {
        document["metadata"]["name"]: document["spec"]["type"]
        for documents in found.values()
        for document in documents
        if document.get("kind") == "Component"
    }
    if stores.get(target.state_store) != _TYPES[store][0]:
        there = f"is {stores[target.state_store]}" if target.state_store in stores else "is not there"
        raise UsageError(
            f"{target.components}: the component {target.state_store}, in which workflows are kept, {there}; it must "
            f"be state.redis or state.postgresql (`state_store` in target.yaml names another)"
        )
    return found


def write(target: Target, folder: Path, store: Store = Store.REDIS) -> Path:
    """
    Write the components of a target into a folder, which is made. Return the folder. Raises UsageError as `prepared`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    yaml = YAML(typ="safe")
    for name, documents in prepared(target, store).items():
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


def _own_store(name: str, store: Store) -> Component:
    type_, version = _TYPES[store]
    spec = {"type": type_, "version": version, "metadata": _connection(store, keeps_workflows=True)}
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


def _for_the_run(target: Target, store: Store, document: Component) -> Component:
    """
    Return a document as the sidecars of the run get it.
    """
    if document.get("kind") != "Component":
        return document
    name, spec = document["metadata"]["name"], document["spec"]
    type_ = spec["type"]
    if name == target.state_store and type_ in _ANY_STORE and (store is not Store.REDIS or type_ == "state.redis"):
        run_type, version = _TYPES[store]
        version = spec.get("version", version) if run_type == type_ == "state.redis" else version
        metadata = list(_settings(spec, store, keeps_workflows=True))
        return {**document, "spec": {**spec, "type": run_type, "version": version, "metadata": metadata}}
    if name == target.state_store and type_ in _ANY_STORE:
        raise UsageError(
            f"{target.components}: the component {name} is {type_}, and the state store of this run is {store}: use "
            f"--store {Store.POSTGRES}, or `store: {Store.POSTGRES}` in the `topology` of the scenario"
        )
    if type_ in _OF_REDIS and store is Store.REDIS:
        return {**document, "spec": {**spec, "metadata": list(_settings(spec, store, keeps_workflows=False))}}
    if type_ in _OF_REDIS and name not in target.outside:
        raise UsageError(
            f"{target.components}: the component {name} ({type_}) needs a Redis, and this run has none, because its "
            f"state store is {store}: nothing was started"
        )
    if not type_.startswith(_INWARD) and name not in target.outside:
        raise UsageError(
            f"{target.components}: the component {name} ({type_}) leads to something that this run does not start, and "
            f"so to somebody's own: nothing was started. Give the target a folder of components without it, or say "
            f"that the run may use it (`outside: [{name}]` in target.yaml)"
        )
    return document


def _settings(spec: Component, store: Store, *, keeps_workflows: bool) -> Iterator[Mapping[str, object]]:
    """
    Return the settings of a component, with the run's own server in place of the team's.
    """
    yield from _connection(store, keeps_workflows=keeps_workflows)
    for each in spec.get("metadata") or []:
        name = each.get("name")
        replaced = name in _OF_OTHER_REDIS or name == _ADDRESSES[store] or (keeps_workflows and name == _ACTORS)
        if not replaced and (store is Store.REDIS or name in _OF_ANY_POSTGRES):
            yield each


def _connection(store: Store, *, keeps_workflows: bool) -> list[Mapping[str, object]]:
    address = {"name": _ADDRESSES[store], "envRef": VARIABLES[store]}
    return [address, {"name": _ACTORS, "value": "true"}] if keeps_workflows else [address]
