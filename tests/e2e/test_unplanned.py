"""What nobody planned is seen all the same."""

import signal
import threading

import psutil
import pytest
import tenacity

from tests.builders import lines

pytestmark = pytest.mark.e2e


def test_a_run_with_a_node_that_ended_by_itself_never_holds(harness, tmp_path):
    """
    Somebody else kills placement while the load is on, and nobody starts it again.

    Dapr may go on with the table of placement that it has, or halt every actor: the run is then UNKNOWN or VIOLATED.
    """

    def kill_placement():
        tenacity.Retrying(wait=tenacity.wait_fixed(0.1), stop=tenacity.stop_after_delay(60))(
            lambda: lines.read(tmp_path / "latest/journal/load.jsonl")[0]
        )
        for process in psutil.process_iter():
            if process.name() == "placement" and process.environ().get("HARNESS_RUN", "").startswith(str(tmp_path)):
                process.send_signal(signal.SIGTERM)

    somebody = threading.Thread(target=kill_placement)
    somebody.start()
    finished = harness.run("tests/targets/payments_calm.yaml")
    somebody.join()

    assert finished.code in (1, 2), finished.out
    assert any("exit of placement-0" in reason for reason in finished.verdict["reasons"])


def test_faults_that_nobody_can_feel_make_the_run_unknown(harness):
    """A toxic on a link that nobody uses, and a stop of what is dead already."""
    finished = harness.run("tests/e2e/unfelt.yaml", check=2)

    felt = {fault["step"]: fault["felt_after"] is not None for fault in finished.verdict["faults"]}
    assert felt == {0: False, 1: True, 2: False}
    proofs = {fault["step"]: fault["proof"].get("reason") for fault in finished.verdict["faults"]}
    assert proofs[0] == "nobody uses client->app-0"
    assert proofs[2] == "could not be applied: sidecar-0 does not run"
    assert "latency of client->app-0 (step 0) was never applied" in finished.verdict["reasons"]
