"""What the chain of a run loads, and when."""

import subprocess
import sys

import pytest

HEAVY = ("bokeh", "docker", "grpc", "locust", "redis", "ruptures", "scipy", "tenacity")
"""Libraries that only some of the commands need: they cost each of the others up to a second and some 30 MB."""
OF_RUNS = (*HEAVY, "duckdb", "pydantic", "psutil")
"""And those that a command without a plan or a run needs neither, such as `harness --help`."""


@pytest.mark.parametrize(
    ("module", "unwanted"), [("harness.cli", OF_RUNS), ("harness.pipeline", HEAVY), ("harness.checkers.judge", HEAVY)]
)
def test_what_not_every_command_needs_is_not_loaded_at_the_start(module, unwanted):
    code = f"import sys, {module}; print(*sorted(set({unwanted!r}) & sys.modules.keys()))"

    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)

    assert loaded.stdout.split() == []


def test_a_run_without_a_ledger_in_sql_loads_no_sqlalchemy():
    code = "import sys, harness.pipeline, harness.running.witnesses; print('sqlalchemy' in sys.modules)"

    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)

    assert loaded.stdout == "False\n"
