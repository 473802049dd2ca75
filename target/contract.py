"""
The contract between this application and whoever runs it: environment, attempts, effects (docs/target-contract.md).
"""

from __future__ import annotations

import json
import os
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self


@dataclass(frozen=True)
class Environment:
    """
    The settings that a process of this application gets when it is started.
    """

    node: str
    host: str
    port: int
    data: Path
    state_store: str
    defect: str | None
    attempts: Path | None
    provider_url: str
    sidecar_url: str

    @classmethod
    def read(cls) -> Self:
        """
        Read the environment variables. Those that only the app gets are empty for the providers.
        """
        sidecar = os.environ.get("DAPR_HTTP_ENDPOINT") or f"http://127.0.0.1:{os.environ.get('DAPR_HTTP_PORT', '')}"
        return cls(
            node=os.environ["NODE"],
            host=os.environ.get("HOST", "127.0.0.1"),
            port=int(os.environ["PORT"]),
            data=Path(os.environ["DATA_DIR"]),
            state_store=os.environ["STATE_STORE"],
            defect=os.environ.get("DEFECT") or None,
            attempts=Path(file) if (file := os.environ.get("ATTEMPTS_FILE")) else None,
            provider_url=os.environ.get("PROVIDER_URL", ""),
            sidecar_url=sidecar,
        )


def effect(instance_id: str, name: str, key: str, attributes: Mapping[str, object]) -> dict[str, object]:
    """
    Return one row of a ledger: an effect that is committed now, by this process's clock (nanoseconds UTC).
    """
    return {
        "instance_id": instance_id,
        "effect": name,
        "key": key,
        "at_ns": time.time_ns(),
        "attributes": dict(attributes),
    }


class Attempts:
    """
    The append-only file of activity executions: one line at the start of a body, one at its end.

    Each line is one write() to a file opened for appending. So a process that is killed leaves at most its last line
    incomplete, and the next process begins on a new line. Without a file nothing is written.
    """

    def __init__(self, file: Path | None, node: str) -> None:
        self._fd: int | None = None
        self.node = node
        if file is None:
            return
        self._fd = os.open(file, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        size = os.fstat(self._fd).st_size
        if size and os.pread(self._fd, 1, size - 1) != b"\n":
            os.write(self._fd, b"\n")

    def begin(self, instance_id: str, activity: str, task_id: int) -> str:
        """
        Write that a body begins, and return the attempt's id.
        """
        attempt_id = uuid.uuid4().hex
        self._write(
            {
                "event": "start",
                "attempt_id": attempt_id,
                "instance_id": instance_id,
                "activity": activity,
                "task_id": task_id,
                "node": self.node,
                "at_ns": time.time_ns(),
            }
        )
        return attempt_id

    def end(self, attempt_id: str, error: BaseException | None) -> None:
        """
        Write that a body ended, normally (`error` is None) or with an error.
        """
        self._write(
            {
                "event": "end",
                "attempt_id": attempt_id,
                "at_ns": time.time_ns(),
                "outcome": "ok" if error is None else "error",
                "detail": None if error is None else f"{type(error).__name__}: {error}"[:300],
            }
        )

    def _write(self, row: Mapping[str, object]) -> None:
        if self._fd is not None:
            os.write(self._fd, json.dumps(row, separators=(",", ":")).encode() + b"\n")
