"""
Reading a scenario: YAML -> Scenario, with file and line in every error message.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.faults import families
from harness.model import FaultEntry, NemesisFault, Scenario, Value
from harness.model.values import JSON_SCHEMA_DRAFT
from harness.planning import yamlfile
from harness.planning.replay import with_times
from harness.planning.yamlfile import Document, Location, did_you_mean, override, read, with_record
from harness.runtime import shipped


def names() -> list[str]:
    """
    Return the names of the named scenarios, sorted.
    """
    return yamlfile.named(shipped.SCENARIOS)


def find(name: str) -> Path:
    """
    Return the file of a named scenario. If `name` is a path, return it as it is.

    Raises UsageError if there is no such scenario; the message says which there are.
    """
    return yamlfile.find(shipped.SCENARIOS, "scenario", name)


def load(file: Path, settings: Iterable[str] = ()) -> Scenario:
    """
    Return the scenario in `file`, with `settings` (`path=value`) applied.

    The name of the scenario is the name of the file without its ending. `target`, and the times of a load that is
    replayed, are relative to the file. Raises one
    UsageError that lists every problem with file:line.
    """
    document = read(file)
    override(document, settings)
    data = dict(document.data)
    data["name"] = file.stem
    data["target"] = (file.resolve().parent / str(data["target"])).resolve() if "target" in data else shipped.TARGET
    if isinstance(data.get("load"), Mapping):
        data["load"] = with_times(document, data["load"], file.resolve().parent)
    if "gate" in data:
        data["gate"] = with_record(data["gate"], file.resolve().parent)
    if isinstance(data.get("faults"), list):
        data["faults"] = _steps(document, ("faults",), data["faults"], FaultEntry)
    nemesis = data.get("nemesis")
    if isinstance(nemesis, Mapping) and isinstance(nemesis.get("faults"), list):
        steps = _steps(document, ("nemesis", "faults"), nemesis["faults"], NemesisFault)
        data["nemesis"] = {**nemesis, "faults": steps}
    return document.finish(document.validate(Scenario, data))


def refuse(file: Path, settings: Iterable[str], at: Location, message: str) -> None:
    """
    Raise UsageError about the value at a place of a scenario, with file:line.
    """
    document = read(file)
    override(document, settings)
    document.problem(at, f"{'.'.join(map(str, at))}: {message}")
    document.finish(None)


def schema() -> dict[str, Any]:
    """
    Return the JSON Schema of a scenario file, for editors (draft 2020-12).

    In the file, the settings of a fault are on the same level as `fault`, `on` and the other fields. So each fault has
    a schema of its own.
    """
    whole = Scenario.model_json_schema()
    definitions = whole["$defs"]
    for step in (FaultEntry, NemesisFault):
        fields_of_step = definitions[step.__name__]
        for name, model in families().items():
            definitions[f"{step.__name__}.{name}"] = _entry(step.__name__, fields_of_step, name, model)
        kinds = [{"$ref": f"#/$defs/{step.__name__}.{name}"} for name in families()]
        definitions[step.__name__] = {"$defs": {"own": fields_of_step["properties"]}, "anyOf": kinds}
    del whole["properties"]["name"]
    whole["properties"]["target"] |= {"default": "the reference target", "description": "path of a target.yaml"}
    whole["required"] = [name for name in whole["required"] if name not in ("name", "target")]
    return {"$schema": JSON_SCHEMA_DRAFT, **whole}


def _entry(step: str, fields_of_step: Mapping[str, Any], name: str, model: type[Value]) -> dict[str, Any]:
    """
    Return the schema of one fault in a timeline: the fields of every step, and the settings of the fault.
    """
    settings = model.model_json_schema()
    fields = {
        field: {"$ref": f"#/$defs/{step}/$defs/own/{field}"}
        for field in fields_of_step["properties"]
        if field != "settings"
    }
    fault = {"const": name, "description": settings["description"]}
    return settings | {
        "title": name,
        "properties": {**fields, "fault": fault, **settings.get("properties", {})},
        "required": [*fields_of_step["required"], *settings.get("required", [])],
    }


def _steps(document: Document, at: Location, entries: Sequence[object], step: type[Value]) -> list[object]:
    """
    Return the entries of a timeline with the settings of the fault apart: all fields that are not fields of a step.
    """
    fields_of_step = {info.alias or name for name, info in step.model_fields.items()} - {"settings"}
    return [_step(document, (*at, index), raw, fields_of_step) for index, raw in enumerate(entries)]


def _step(document: Document, at: Location, raw: object, fields_of_step: set[str]) -> object:
    if not isinstance(raw, Mapping):
        return raw
    step = {key: value for key, value in raw.items() if key in fields_of_step}
    name, faults = raw.get("fault"), families()
    if not isinstance(name, str) or name not in faults:
        if name is not None:
            document.problem((*at, "fault"), f'"{name}" is not a fault; {did_you_mean(str(name), faults)}')
        return step
    model = faults[name]
    settings = {key: value for key, value in raw.items() if key not in fields_of_step}
    for key in [key for key in settings if key not in model.model_fields]:
        hint = did_you_mean(str(key), [*model.model_fields, *fields_of_step])
        document.problem((*at, key), f'"{key}" is not a setting of {name}; {hint}')
        del settings[key]
    valid = document.validate(model, settings, at)
    return {**step, "settings": valid.model_dump(mode="json") if valid is not None else {}}
