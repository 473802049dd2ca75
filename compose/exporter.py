"""
The content of a run's journals as metrics for Prometheus: faults in force, calls of clients, executions of activities.

This program runs in the target's image beside a run. The run's journal folder is mounted read-only at /journal. The
program writes nothing, imports nothing of the harness, and judges nothing. It reads each line of a journal once. It
leaves an incomplete last line until the line is complete.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock
from typing import Any

_HELP = {
    "harness_fault_in_force": ("gauge", "1 while a fault is applied to a node or link, 0 once it is healed"),
    "harness_faults_total": ("counter", "fault events that the controller wrote: intent, applied, felt, healed, ..."),
    "harness_calls_total": ("counter", "calls of clients that were sent"),
    "harness_answers_total": ("counter", "calls of clients by outcome: ok, fail or unknown"),
    "harness_attempts_total": ("counter", "executions of an activity's body that began"),
    "harness_attempts_ended_total": ("counter", "executions of an activity's body that ended, by outcome"),
}

Series = tuple[str, tuple[tuple[str, str], ...]]


class Journals:
    """
    The counts so far, of every journal in a folder. Safe to share between threads.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._read: dict[Path, int] = {}
        self._values: Counter[Series] = Counter()
        self._lock = Lock()

    def metrics(self) -> str:
        """
        Read what is new in the journals, and return all counts in Prometheus's text format.
        """
        with self._lock:
            for file in sorted(self._folder.glob("*.jsonl")):
                for row in self._new(file):
                    self._count(file.name, row)
            return "".join(self._lines())

    def _new(self, file: Path) -> Iterator[dict[str, Any]]:
        with file.open("rb") as stream:
            stream.seek(self._read.get(file, 0))
            read = stream.read()
        whole = read[: read.rfind(b"\n") + 1]
        self._read[file] = self._read.get(file, 0) + len(whole)
        for line in whole.splitlines():
            try:
                row = json.loads(line)
            except ValueError:  # incomplete, because its writer died
                continue
            if isinstance(row, dict):
                yield row

    def _count(self, file: str, row: dict[str, Any]) -> None:
        event = str(row.get("event"))
        if file == "faults.jsonl":
            fault, node = str(row.get("fault")), str(row.get("node"))
            self._values[_series("harness_faults_total", fault=fault, event=event)] += 1
            if event in ("applied", "healed", "unfelt"):
                self._values[_series("harness_fault_in_force", fault=fault, node=node)] = int(event == "applied")
        elif file.startswith("operations-"):
            if event == "invoke":
                self._values[_series("harness_calls_total", node=str(row.get("node")))] += 1
            else:
                self._values[_series("harness_answers_total", outcome=str(row.get("outcome")))] += 1
        elif file.startswith("attempts-"):
            if event == "start":
                activity, node = str(row.get("activity")), str(row.get("node"))
                self._values[_series("harness_attempts_total", activity=activity, node=node)] += 1
            else:
                self._values[_series("harness_attempts_ended_total", outcome=str(row.get("outcome")))] += 1

    def _lines(self) -> Iterator[str]:
        for name, (kind, meaning) in _HELP.items():
            yield f"# HELP {name} {meaning}\n# TYPE {name} {kind}\n"
            for (series, labels), value in sorted(self._values.items()):
                if series == name:
                    yield f"{name}{{{','.join(f'{key}={json.dumps(label)}' for key, label in labels)}}} {value}\n"


def _series(name: str, **labels: str) -> Series:
    return name, tuple(sorted(labels.items()))


def main() -> None:
    """
    Serve until the process is stopped.
    """
    journals = Journals(Path("/journal"))

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            content = journals.metrics().encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """
            Write nothing: a line for every scrape would be of no use.
            """

    ThreadingHTTPServer(("0.0.0.0", 8080), Handler).serve_forever()  # noqa: S104 - in a container


if __name__ == "__main__":
    main()
