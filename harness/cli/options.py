"""
The arguments and options that several commands share.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.names import BackendName, Store

Name = Annotated[str, typer.Argument(metavar="SCENARIO", help="a named scenario, or the path of a YAML file")]

RunName = Annotated[str, typer.Argument(metavar="RUN", help="a run directory, or `latest`")]

RunNames = Annotated[
    list[str] | None,
    typer.Argument(metavar="[RUN]...", help="run directories; default: all runs of the last command that made runs"),
]

Seed = Annotated[int, typer.Option(help="decides targets, arrivals and order values")]

TargetFile = Annotated[Path | None, typer.Option("--target", help="target.yaml of the system under test")]

DaprVersion = Annotated[str | None, typer.Option(help="Dapr release to run; default: the pinned one")]

Defect = Annotated[str | None, typer.Option(help="plant one of the target's defects")]

Settings = Annotated[
    list[str] | None,
    typer.Option("--set", help="override a value of the scenario: path=value, e.g. load.rate=50"),
]

Rate = Annotated[float | None, typer.Option(help="starts per second; same as --set load.rate=...")]

Duration = Annotated[str | None, typer.Option(help="of the load, like 40s; same as --set load.duration=...")]


StateStore = Annotated[
    Store | None, typer.Option("--store", help="Dapr's state store; same as --set topology.store=...")
]

Backend = Annotated[BackendName, typer.Option("--backend", help="where the system runs")]

Metrics = Annotated[
    int | None,
    typer.Option(
        "--metrics",
        metavar="PORT",
        min=1,
        max=65535,
        help="serve the run's metrics for Prometheus at 127.0.0.1:PORT/metrics (docs/metrics.md)",
    ),
]

Overlays = Annotated[
    list[str] | None,
    typer.Option("--overlay", metavar="NAME", help="also what compose.NAME.yaml holds; only with --backend compose"),
]

Out = Annotated[Path, typer.Option("--out", help="folder that gets the run directories")]
