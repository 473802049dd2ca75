"""
How the processes of a target are started: programs, their versions, and further applications.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pydantic import Field

from harness.model.values import Value

WORKERS, PORT = "workers", "port"
"""What `health` of a program may be in place of a route."""


class Version(Value):
    """
    How a program is started as one of its versions: with another command, with more or other variables, or both.
    """

    command: tuple[str, ...] | None = Field(default=None, min_length=1, description="default: the program's own")
    env: Mapping[str, str] = {}


class Program(Value):
    """
    How one replica of a process of the target is started.

    The process gets its settings from environment variables, which docs/target-contract.md lists (PORT, NODE, ...).
    """

    command: tuple[str, ...] = Field(min_length=1)
    workdir: Path = Path()
    health: str = Field(
        default="/healthz",
        pattern=rf"^(/.*|{WORKERS}|{PORT})$",
        description="ready when this route answers 2xx; `workers`: when its sidecar has a workflow worker; `port`: "
        "when its port is open",
    )
    env: Mapping[str, str] = {}
    misbehave: str | None = Field(default=None, description="route by which a service can be told to misbehave")
    versions: Mapping[str, Version] = Field(
        default={},
        description="name -> how it is started as that version; a run starts with the first, and the fault `upgrade` "
        "brings another",
    )

    def as_version(self, name: str | None) -> Program:
        """
        Return how it is started as one of its versions; None is the one with which a run starts.
        """
        if not self.versions:
            return self
        version = self.versions[name or next(iter(self.versions))]
        return self.model_copy(
            update={"command": version.command or self.command, "env": {**self.env, **version.env}, "versions": {}}
        )


class Application(Program):
    """
    A further application, whose activities and workflows those of the others call by its app id.
    """

    app_id: str | None = Field(default=None, description="Dapr app id; default: the name of the application")
    replicas: int = Field(default=1, ge=1, le=8)
