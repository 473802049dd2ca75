"""
The times of a load that is replayed.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.files import BY_HAND, read_up_to
from harness.planning.yamlfile import Document

_AT = ("load", "shape", "replay")


def with_times(document: Document, load: Mapping[str, Any], folder: Path) -> Mapping[str, Any]:
    """
    Return the values of a scenario's load with the times that `shape.replay` names: a file in `folder` with one time in
    each line, in seconds after the load began, or a CSV file with the times in its first column. A first line that is
    not a time is the name of the column.

    A file that cannot be read is noted as a problem of the document, with its line.
    """
    shape = load.get("shape")
    if not isinstance(shape, Mapping) or not isinstance(shape.get("replay"), str):
        return load
    file = folder / shape["replay"]
    try:
        times = sorted(_times(file))
    except (OSError, ValueError, csv.Error) as error:
        document.problem(_AT, f"{file} cannot be replayed: {error}")
        return {**load, "shape": None}
    return {**load, "shape": {**shape, "replay": {"file": file.name, "times": times}}}


def _times(file: Path) -> list[float]:
    data = read_up_to(BY_HAND, file)
    found = []
    for number, row in enumerate(csv.reader(data.decode().splitlines()), 1):
        if not row or not row[0].strip():
            continue
        try:
            found.append(float(row[0]))
        except ValueError as error:
            if number > 1:
                raise ValueError(f'line {number}: "{row[0][:40]}" is not a time in seconds') from error
    return found
