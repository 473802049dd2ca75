"""
What the pages in docs/ say of the code, written from the code: `make docs`. `test_docs.py` holds that it was done.

Only the tables and the JSON Schemas are written. A table stands after its heading; what else stands there stays.
"""

from __future__ import annotations

import functools
import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from harness.backends import base
from harness.capacity import result as capacity
from harness.checkers import invariant
from harness.evidence.schema import TABLES
from harness.faults import BUILT_IN
from harness.model import verdict
from harness.planning import scenario, suite, target
from harness.running.metrics import METRICS
from tests.builders.command import ROOT

Rows = Iterable[Sequence[str]]
DOCS = ROOT / "docs"
SCHEMAS = {
    "scenario": scenario.schema,
    "suite": suite.schema,
    "target": target.schema,
    "verdict": verdict.schema,
    "capacity": capacity.schema,
}
_FOLDERS = {
    "The invariants": invariant.GENERAL,
    "The invariants of the reference target": ROOT / "target/invariants",
}


def pages() -> list[Path]:
    """
    The pages, without their content.
    """
    return [*(_schema_of(name) for name in SCHEMAS), *(DOCS / page for page in _tables())]


@functools.cache
def written() -> Mapping[Path, str]:
    """
    The pages as they must be: path -> content.
    """
    found = {_schema_of(name): json.dumps(made(), indent=2) + "\n" for name, made in SCHEMAS.items()}
    for page, tables in _tables().items():
        text = (DOCS / page).read_text()
        for heading, head, rows in tables():
            text = with_table(text, heading, head, rows)
        found[DOCS / page] = text
    return found


def _schema_of(name: str) -> Path:
    return DOCS / f"{name}.schema.json"


def _tables() -> Mapping[str, Callable[[], Iterator[tuple[str, Sequence[str], Rows]]]]:
    return {
        "verdict.md": _invariants,
        "verdict-json.md": _fields,
        "run-directory.md": _evidence,
        "writing-a-fault.md": _powers,
        "locust.md": _flags,
        "metrics.md": _metrics,
    }


def with_table(text: str, heading: str, head: Sequence[str], rows: Rows) -> str:
    """
    A page with these rows in the first table after a heading. A heading that is not there yet comes at the end.
    """
    lines = [_row(head), "|" + "---|" * len(head), *map(_row, rows)]
    table = "\n".join(lines) + "\n"
    found = re.search(rf"^#+ {re.escape(heading)}\n", text, re.MULTILINE)
    if found is None:
        return f"{text}\n### {heading}\n\n{table}"
    end = re.compile(r"^#+ ", re.MULTILINE).search(text, found.end())
    section = text[found.end() : end.start() if end else len(text)]
    old = re.search(r"^\|.*\n(\|.*\n)*", section, re.MULTILINE)
    new = section[: old.start()] + table + section[old.end() :] if old else f"{section.rstrip()}\n\n{table}\n"
    return text[: found.end()] + new + (text[end.start() :] if end else "")


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _invariants() -> Iterator[tuple[str, Sequence[str], Rows]]:
    for heading, folder in _FOLDERS.items():
        texts = invariant.load(folder)
        yield heading, ("invariant", "claim"), [(f"`{n}`", invariant.parse(t).claim) for n, t in texts.items()]


def _metrics() -> Iterator[tuple[str, Sequence[str], Rows]]:
    rows = [
        (f"`{told.name}`", told.kind, ", ".join(f"`{label}`" for label in told.labels), told.meaning)
        for told in METRICS
    ]
    yield "The metrics", ("metric", "type", "labels", "meaning"), rows


def _flags() -> Iterator[tuple[str, Sequence[str], Rows]]:
    """
    From a process of its own: whoever imports `harness.locust` is patched for gevent.
    """
    told = "[[flag.names, flag.served, flag.why] for flag in FLAGS]"
    asked = f"from harness.locust.flags import FLAGS; import json; print(json.dumps({told}))"
    done = subprocess.run([sys.executable, "-c", asked], capture_output=True, check=True, text=True, timeout=60)
    rows = [(", ".join(f"`{name}`" for name in names), *how) for names, *how in json.loads(done.stdout)]
    yield "Locust's flags", ("flag", "what it does here", "when it is refused, and why"), rows


def _fields() -> Iterator[tuple[str, Sequence[str], Rows]]:
    made = verdict.schema()
    for name, model in {"Verdict": made, **made["$defs"]}.items():
        if "properties" in model:
            rows = [(f"`{field}`", _type(of), of["description"]) for field, of in model["properties"].items()]
            yield name, ("field", "type", "meaning"), rows


def _type(field: Mapping[str, Any]) -> str:
    """
    A JSON Schema's type in words: `list of Finding`.
    """
    if "anyOf" in field:
        return " or ".join(_type(each) for each in field["anyOf"])
    if "$ref" in field:
        name = field["$ref"].rsplit("/", 1)[1]
        return {"Result": "string", "JsonValue": "anything"}.get(name, name)
    if "const" in field:
        return str(field["const"])
    match field.get("type"):
        case "array":
            return f"list of {_type(field['items'])}"
        case "object" if isinstance(values := field.get("additionalProperties"), dict) and values:
            return f"object of {_type(values)}"
        case other:
            return str(other)


def _evidence() -> Iterator[tuple[str, Sequence[str], Rows]]:
    for table in TABLES:
        rows = [(f"`{column.name}`", column.type, column.meaning) for column in table.columns]
        yield table.name, ("column", "type", "meaning"), rows


def _powers() -> Iterator[tuple[str, Sequence[str], Rows]]:
    rows = []
    for power in vars(base).values():
        told = " ".join((getattr(power, "__doc__", None) or "").split())
        if not isinstance(power, type) or not told.startswith("Power "):
            continue
        told = told.removeprefix("Power ").partition(". ")[0].rstrip(".")
        backends = [name.value for name, of in base.POWERS.items() if any(issubclass(each, power) for each in of)]
        faults = [f"`{name}`" for name, family in BUILT_IN.items() if family.needs is power]
        rows.append((f"`{power.__name__}`", told, ", ".join(backends), ", ".join(faults)))
    yield "The powers", ("power", "what it is for", "backends", "faults that need it"), rows


if __name__ == "__main__":
    for file, content in written().items():
        if file.read_text() != content:
            file.write_text(content)
            Console().print(f"written: {file.relative_to(ROOT)}")
