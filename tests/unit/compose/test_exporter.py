"""compose/exporter.py: the metrics of the journals that are mounted, where Prometheus asks for them."""

import importlib.util
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

from prometheus_client import CollectorRegistry, generate_latest

COMPOSE = Path(__file__).resolve().parents[3] / "compose"


def test_it_serves_the_journals_where_prometheus_asks(monkeypatch):
    spec = importlib.util.spec_from_file_location("exporter", COMPOSE / "exporter.py")
    exporter = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(exporter)
    registry, asked = CollectorRegistry(), []

    @contextmanager
    def served(port, address):
        asked.append((port, address))
        yield registry

    monkeypatch.setattr(exporter, "served", served)
    monkeypatch.setattr(exporter, "threading", SimpleNamespace(Event=lambda: SimpleNamespace(wait=lambda: None)))
    exporter.main()

    assert b"harness_start_lateness_seconds_count 0.0" in generate_latest(registry)
    assert asked == [(8080, "0.0.0.0")]
    assert "exporter:8080" in (COMPOSE / "prometheus.yaml").read_text()
