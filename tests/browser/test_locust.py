"""Locust's own web page with the harness in it, on real runs: the start form, the tab, the verdict."""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from harness.backends.ports import lease
from tests.builders.command import BIN, ROOT, left, until

pytestmark = [pytest.mark.browser, pytest.mark.e2e]

SCENARIO = "tests/e2e/slow_store.yaml"
FORM = {"user_count": 1, "spawn_rate": 1, "host": ""}


@dataclass
class Locust:
    """A Locust with its web page, as a user starts it."""

    process: subprocess.Popen
    url: str
    runs: Path

    def refused(self, form, **headers):
        """What the page tells if it does not start a test with these fields."""
        told = httpx.post(f"{self.url}/swarm", data=FORM | form, headers=headers).json()
        assert told["success"] is False
        return told["message"]


@pytest.fixture(name="locust", scope="module")
def _locust(tmp_path_factory):
    runs = tmp_path_factory.mktemp("runs")
    with lease() as ports:
        yield from _started(runs, ports.take())


def _started(runs, port):
    process = subprocess.Popen(
        [BIN / "locust", "-f", "scenarios", "--web-port", str(port), "--scenario", SCENARIO, "--out", runs],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={name: value for name, value in os.environ.items() if not name.startswith("LOCUST_")},
    )
    started = Locust(process, f"http://127.0.0.1:{port}", runs)

    def answers():
        try:
            return httpx.get(started.url).status_code == 200
        except httpx.TransportError:
            return False

    until(answers, 30)
    yield started
    process.kill()
    process.communicate()


def test_what_cannot_be_run_is_said_in_the_form_and_starts_nothing(locust):
    assert 'there is no scenario "nope"' in locust.refused({"scenario": "nope"})
    assert "rate: 'fast' is not a number" in locust.refused({"rate": "fast"})
    assert "needs the power Scales" in locust.refused({"scenario": "scale", "backend": "compose"})
    assert "Run time is not used here" in locust.refused({"run_time": "40s"})
    assert list(locust.runs.iterdir()) == []


def test_no_other_site_presses_start_or_reads_what_is_shown(locust):
    port = locust.url.rpartition(":")[2]
    other = {"Origin": "http://example.com"}
    assert httpx.post(f"{locust.url}/swarm", data=FORM, headers=other).status_code == 403
    assert httpx.get(f"{locust.url}/chaos/state", headers=other).status_code == 403
    assert httpx.get(locust.url, headers={"Host": f"example.com:{port}"}).status_code == 421
    assert httpx.get(f"{locust.url}/chaos/state").json()["state"] == "none"


def test_two_runs_from_the_empty_form_to_the_verdict_in_one_page(locust, opened):
    visit = opened(locust.url)
    page = visit.page
    form, chaos = page.locator("form"), page.locator("#chaos")
    assert page.get_by_text("has no host attribute").count() == 0
    assert form.locator("#chaos-note-userCount").inner_text().startswith("Not used: the load is open.")
    offered = form.locator("select[name=scenario] option").all_inner_texts()
    assert offered[0] == SCENARIO
    fields = form.locator("select, input").evaluate_all("all => all.map(each => each.name).filter(Boolean)")
    assert fields[-7:] == ["scenario", "seed", "target", "backend", "store", "rate", "duration"]
    assert "sidecar_kill" in offered

    for seed in ("1", "2"):
        form.locator("input[name=seed]").fill(seed)
        form.get_by_role("button", name="Start").click()
        if seed == "1":
            page.get_by_role("tab", name="Chaos").click()
        chaos.get_by_role("heading", name="The system is coming up.").wait_for()
        chaos.locator("rect.hit").first.wait_for(timeout=60_000)
        assert f"slow_store, seed {seed}" in chaos.inner_text()
        chaos.get_by_text("Ends per second", exact=True).wait_for()
        chaos.get_by_text("safety.standstill").wait_for()
        assert "A run is under way" in locust.refused({})
        chaos.get_by_role("heading", name="The load is over.").wait_for(timeout=60_000)
        assert "not judged yet" in locust.refused({})
        chaos.get_by_role("heading", name="HOLDS, exit code 0").wait_for(timeout=90_000)
        assert chaos.locator("path.starts").count() == 1
        assert "completed" in chaos.get_by_text("Instances by class, as judged").locator("xpath=..").inner_text()
        with page.context.expect_page() as opening:
            chaos.get_by_role("link", name="Report").click()
        report = opening.value
        assert report.title() == f"HOLDS: slow_store, seed {seed}"
        report.close()
        page.get_by_role("button", name="New").click()

    assert visit.complaints == []
    runs = sorted(run.name for run in locust.runs.iterdir() if run.is_dir() and not run.is_symlink())
    assert [name[-1] for name in runs] == ["1", "2"]
    files = f"{locust.url}/chaos/runs/{runs[0]}"
    assert "sandbox" in httpx.get(f"{files}/report.html").headers["Content-Security-Policy"]
    assert httpx.get(f"{files}/endpoints.json").status_code == 404
    assert httpx.get(f"{locust.url}/chaos/runs/latest/report.html").status_code == 404
    locust.process.terminate()
    assert locust.process.wait(timeout=30) == 0
    assert left(locust.runs) == []
