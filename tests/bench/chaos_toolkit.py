"""
Chaos Toolkit, in an environment of its own below the bench's folder: the same kill and the same toxic by its hand.

Each is one `chaos run` of an experiment whose method is an action and a probe that proves it, and whose rollback, for
the toxic, is its removal and a probe again. Its journal says when each began and ended.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

VERSION = "1.19.0"
PACKAGES = (f"chaostoolkit=={VERSION}", "chaostoolkit-lib==1.44.0", "chaostoolkit-toxiproxy==0.3.1")
"""The newest that Python 3.11 can have."""
PATIENCE = 120.0


class UnavailableError(Exception):
    """
    It cannot be had here; the message says why.
    """


class Took(NamedTuple):
    """
    Milliseconds: of the whole process; from its command to the end of the probe that proves; from the start of the
    action to that; from the start of the rollback to the end of its probe, None where there is none.
    """

    whole: float
    command: float
    action: float
    heal: float | None


class ChaosToolkit:
    """
    `chaos` as a user runs it, but for its look for a newer version of itself, which would go over the network.
    """

    def __init__(self, program: Path, folder: Path) -> None:
        self._program = program
        self._folder = folder

    def kill(self, pid: int) -> Took:
        """
        SIGKILL by its process action. The probe waits until there is no such process, so somebody must reap it.
        """
        gone = f"while kill -0 {pid} 2>/dev/null; do sleep 0.001; done"
        return self._run(
            {},
            method=(
                _activity("action", {"type": "process", "path": "kill", "arguments": ["-9", str(pid)]}),
                _activity("probe", {"type": "process", "path": "sh", "arguments": ["-c", gone], "timeout": 10}),
            ),
        )

    def latency(self, toxiproxy: str, link: str, milliseconds: int, url: str) -> Took:
        """
        The toxic by its extension for Toxiproxy; an answer from `url`, 404, through the link is what proves it.
        """

        def toxic(function: str, **arguments: object) -> Mapping[str, object]:
            of = {"for_proxy": link, "toxic_name": "chaos_toolkit", **arguments}
            return {"type": "python", "module": "chaostoxi.toxic.actions", "func": function, "arguments": of}

        probe = _activity("probe", {"type": "http", "url": url, "timeout": 10}) | {"tolerance": 404}
        return self._run(
            {"toxiproxy_url": toxiproxy},
            method=(_activity("action", toxic("create_latency_toxic", latency=milliseconds)), probe),
            rollbacks=(_activity("action", toxic("delete_toxic")), probe),
        )

    def _run(
        self, configuration: Mapping[str, str], method: Sequence[Mapping], rollbacks: Sequence[Mapping] = ()
    ) -> Took:
        experiment, journal = self._folder / "experiment.json", self._folder / "journal.json"
        document = {"title": "bench", "description": "bench", "configuration": configuration, "method": method}
        experiment.write_text(json.dumps({**document, "rollbacks": rollbacks}))
        journal.unlink(missing_ok=True)
        began = time.time()
        subprocess.run(
            [self._program, "--no-version-check", "run", "--journal-path", journal.name, experiment.name],
            cwd=self._folder,
            check=True,
            capture_output=True,
            timeout=PATIENCE,
        )
        whole = time.time() - began
        done = json.loads(journal.read_text())
        if failed := [one for one in done["run"] + done["rollbacks"] if one["status"] != "succeeded"]:
            raise RuntimeError(f"Chaos Toolkit could not do it: {failed}")
        (acting, _), (_, proved) = (_span(one) for one in done["run"])
        heal = None
        if rollbacks:
            (healing, _), (_, clean) = (_span(one) for one in done["rollbacks"])
            heal = (clean - healing) * 1000
        return Took(whole * 1000, (proved - began) * 1000, (proved - acting) * 1000, heal)


def install(folder: Path) -> ChaosToolkit:
    """
    Install it, unless it is there from before. Raises UnavailableError if that cannot be.
    """
    home = (folder / f"chaostoolkit-{VERSION}").resolve()
    program = home / "bin/chaos"
    uv = shutil.which("uv", path=str(Path(sys.executable).parent)) or shutil.which("uv")
    if not program.exists() and uv is None:
        raise UnavailableError("there is no uv to install it with")
    if not program.exists():
        for command in (
            [uv, "venv", "--quiet", "--clear", "--python", sys.executable, home],
            [uv, "pip", "install", "--quiet", "--python", home / "bin/python", *PACKAGES],
        ):
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode != 0:
                raise UnavailableError(" ".join(done.stderr.split()) or f"uv ended with {done.returncode}")
    return ChaosToolkit(program, home)


def _activity(kind: str, provider: Mapping[str, object]) -> Mapping[str, object]:
    return {"type": kind, "name": kind, "provider": provider}


def _span(activity: Mapping[str, str]) -> tuple[float, float]:
    """
    When it began and ended, in seconds since the epoch.
    """
    return datetime.fromisoformat(activity["start"]).timestamp(), datetime.fromisoformat(activity["end"]).timestamp()
