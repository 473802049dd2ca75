"""
Reading a suite: YAML -> Suite. A suite names the scenarios that CI runs, with their seeds, releases and gates.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, JsonValue

from harness.model import Seconds, Value
from harness.model.values import JSON_SCHEMA_DRAFT, one_or_more
from harness.names import BackendName
from harness.planning import yamlfile
from harness.planning.request import Request
from harness.planning.yamlfile import Document, read, with_record
from harness.runtime import shipped
from harness.runtime.versions import DAPR

FOLDER = shipped.SCENARIOS / "suites"
"""The named suites."""

_MOST_SEEDS = 1000


def _first(value: object) -> object:
    """
    Return the seeds from 1 on, if `value` is their number.
    """
    if isinstance(value, bool) or not isinstance(value, int):
        return value
    if not 1 <= value <= _MOST_SEEDS:
        raise ValueError(f"the number of seeds is from 1 to {_MOST_SEEDS}, or give a list of seeds")
    return tuple(range(1, value + 1))


_SeedList = tuple[Annotated[int, Field(ge=0)], ...]


class Entry(Value):
    """
    Runs of one scenario: one for each seed and Dapr release.
    """

    scenario: str = Field(description="a named scenario, or the path of a YAML file, relative to the suite's file")
    seeds: Annotated[
        _SeedList,
        BeforeValidator(_first, json_schema_input_type=int | _SeedList),
        Field(min_length=1, max_length=_MOST_SEEDS, description="a list, or how many: 3 stands for 1, 2 and 3"),
    ] = (1,)
    dapr: Annotated[
        tuple[str, ...],
        BeforeValidator(one_or_more, json_schema_input_type=str | tuple[str, ...]),
        Field(min_length=1, description="Dapr release, or a list of them; default: the pinned one"),
    ] = (DAPR,)
    backend: BackendName = BackendName.PROCESSES
    target: Path | None = Field(default=None, description="a target.yaml, relative to the suite's file")
    defect: str | None = Field(default=None, description="plant one of the target's defects")
    set: Mapping[str, JsonValue] = Field(default={}, description="other values of the scenario: path -> value")
    gate: Mapping[str, JsonValue] = Field(default={}, description="as the suite's gate, for this scenario alone")
    enough: Annotated[float, Field(gt=0, lt=1)] | None = Field(
        default=None, description="stop once it is 95 % sure that fewer than this share of runs fail"
    )


class Suite(Value):
    """
    What CI runs: scenarios, and how long all of them together may take.
    """

    name: str
    claim: str = Field(min_length=10)
    budget: Annotated[Seconds, Field(gt=0, description="of time; a run that would not end in time is not begun")]
    gate: Mapping[str, JsonValue] = Field(default={}, description="other values of the gate of every scenario")
    runs: tuple[Entry, ...] = Field(min_length=1)

    def request(self, entry: Entry, release: str) -> Request:
        """
        Return what a user would ask for, to run the scenario of an entry on a Dapr release.
        """
        gate = {f"gate.{name}": value for name, value in {**self.gate, **entry.gate}.items()}
        settings = tuple(f"{path}={json.dumps(value)}" for path, value in {**entry.set, **gate}.items())
        return Request(entry.scenario, entry.target, release, entry.defect, settings)


def names() -> list[str]:
    """
    Return the names of the named suites, sorted.
    """
    return yamlfile.named(FOLDER)


def find(name: str) -> Path:
    """
    Return the file of a named suite. If `name` is a path, return it as it is.

    Raises UsageError if there is no such suite; the message says which there are.
    """
    return yamlfile.find(FOLDER, "suite", name)


def load(file: Path) -> Suite:
    """
    Return the suite in `file`. Its name is the name of the file without its ending.

    Raises one UsageError that lists every problem with file:line: also two runs that could not be told apart.
    """
    document = read(file)
    folder = file.resolve().parent
    data = dict(document.data)
    data["name"] = file.stem
    data["gate"] = with_record(data.get("gate", {}), folder)
    if isinstance(data.get("runs"), list):
        data["runs"] = [_with_paths(entry, folder) for entry in data["runs"]]
    suite = document.validate(Suite, data)
    if suite is not None:
        _refuse_twins(document, suite)
    return document.finish(suite)


def schema() -> dict[str, Any]:
    """
    Return the JSON Schema of a suite's file, for editors (draft 2020-12).
    """
    whole = Suite.model_json_schema()
    del whole["properties"]["name"]
    whole["required"].remove("name")
    return {"$schema": JSON_SCHEMA_DRAFT, **whole}


def _with_paths(entry: object, folder: Path) -> object:
    """
    Return an entry with its paths made absolute. They are relative to `folder`.
    """
    if not isinstance(entry, Mapping):
        return entry
    known = dict(entry)
    scenario, target = known.get("scenario"), known.get("target")
    if isinstance(scenario, str) and scenario.endswith((".yaml", ".yml")):
        known["scenario"] = str((folder / scenario).resolve())
    if isinstance(target, str):
        known["target"] = (folder / target).resolve()
    known["gate"] = with_record(known.get("gate", {}), folder)
    return known


def _refuse_twins(document: Document, suite: Suite) -> None:
    """
    Note a problem for each run that has the scenario, seed, release and backend of an earlier one.
    """
    seen: set[tuple[str, int, str, BackendName]] = set()
    for number, entry in enumerate(suite.runs):
        for run in _identities(entry):
            if run in seen:
                scenario, seed, release, _ = run
                document.problem(
                    ("runs", number),
                    f"{scenario} with seed {seed} on Dapr {release} is there twice: reports could not tell the two "
                    "apart; give other seeds, or copy the scenario to a file with a name of its own",
                )
                break
            seen.add(run)


def _identities(entry: Entry) -> Iterator[tuple[str, int, str, BackendName]]:
    scenario = Path(entry.scenario).stem
    for release in entry.dapr:
        for seed in entry.seeds:
            yield scenario, seed, release, entry.backend
