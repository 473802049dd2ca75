"""
Reading a scenario: YAML -> Scenario, with file and line in every complaint.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from harness.errors import UsageError
from harness.model import FaultStep, Scenario, Value
from harness.yamlfile import Document, did_you_mean, override, read

FOLDER = Path(__file__).resolve().parent.parent / "scenarios"
"""Where the named scenarios are."""

REFERENCE_TARGET = FOLDER.parent / "target" / "target.yaml"

_STEP_FIELDS = frozenset(info.alias or name for name, info in FaultStep.model_fields.items()) - {"settings"}


def names() -> list[str]:
    """
    The named scenarios, sorted.
    """
    return sorted(file.stem for file in FOLDER.glob("*.yaml"))


def find(name: str) -> Path:
    """
    The file of a named scenario, or the path itself if it is one.

    Raises UsageError that says what exists.
    """
    if name.endswith((".yaml", ".yml")) or "/" in name:
        return Path(name)
    if name not in names():
        raise UsageError(f'there is no scenario "{name}"; {did_you_mean(name, names())} (`harness list` shows all)')
    return FOLDER / f"{name}.yaml"


def load(file: Path, faults: Mapping[str, type[Value]], settings: Iterable[str] = ()) -> Scenario:
    """
    The scenario in `file`, after `settings` (`path=value`) were applied.

    `faults` maps each fault's name to the model of its settings. The scenario's name is the file's stem;
    `target` is relative to the file. Raises UsageError with file:line for every problem at once.
    """
    document = read(file)
    override(document, settings)
    data = dict(document.data)
    data["name"] = file.stem
    data["target"] = (file.resolve().parent / str(data["target"])).resolve() if "target" in data else REFERENCE_TARGET
    if isinstance(data.get("faults"), list):
        data["faults"] = [_step(document, index, raw, faults) for index, raw in enumerate(data["faults"])]
    scenario = document.validate(Scenario, data)
    document.finish()
    if scenario is None:  # finish() has raised
        raise AssertionError(file)
    return scenario


def _step(document: Document, index: int, raw: object, faults: Mapping[str, type[Value]]) -> object:
    """
    One timeline entry: the step's own fields stay, all others are the fault's settings.
    """
    at = ("faults", index)
    if not isinstance(raw, Mapping):
        return raw
    name = raw.get("fault")
    if not isinstance(name, str) or name not in faults:
        if name is not None:
            document.problem((*at, "fault"), f'"{name}" is not a fault; {did_you_mean(str(name), faults)}')
        return {key: value for key, value in raw.items() if key in _STEP_FIELDS}
    own = {key: value for key, value in raw.items() if key not in _STEP_FIELDS}
    model = faults[name]
    for key in [key for key in own if key not in model.model_fields]:
        known = [*model.model_fields, *_STEP_FIELDS]
        document.problem((*at, key), f'"{key}" is not a setting of {name}; {did_you_mean(str(key), known)}')
        del own[key]
    settings = document.validate(model, own, at)
    return {
        **{key: value for key, value in raw.items() if key in _STEP_FIELDS},
        "settings": settings.model_dump(mode="json") if settings is not None else {},
    }
