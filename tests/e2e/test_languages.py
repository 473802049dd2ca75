"""The order workflow on other SDKs, as users of these SDKs write it: the same scenarios, the same verdicts."""

import pytest

from tests.builders.command import ROOT

pytestmark = pytest.mark.e2e

BUILT = {
    "go": "target/go/bin/orders",
    "java": "target/java/target/orders.jar",
    "javascript": "target/javascript/node_modules",
    "python": "target/python/.venv/bin/python",
}
SHORT = ("--rate", "4", "--duration", "10s", "--set", "checks.minimum={instances: 30}")


@pytest.mark.parametrize("language", BUILT)
def test_the_order_workflow_holds_and_its_code_is_deterministic(harness, language):
    if not (ROOT / BUILT[language]).exists():
        pytest.skip(f"target/{language} is not built: make targets")

    finished = harness.run("determinism", "--target", f"target/{language}/target.yaml", *SHORT)

    assert finished.holds(), finished.out
    assert finished.finding("nondeterministic")["examined"] > 100
    assert {"completed", "compensated"} <= finished.verdict["classes"].keys()
