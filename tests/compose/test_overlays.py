"""Each overlay, up, where its images are: it does what it is for, and is as closed as the deployment itself."""

import json
import os
import shutil
import socket
import ssl
import subprocess
import time
from ipaddress import ip_address
from pathlib import Path

import httpx
import pytest
import tenacity

from harness.journal import Journal, Journals
from harness.rows import Applied, Completed, Invoked

pytestmark = pytest.mark.compose

FOLDER = Path(__file__).resolve().parents[2] / "compose"


@pytest.fixture(name="up")
def _up(docker, compose, deployed):
    """`with up(overlay) as system`; skips, with the reason, where an image of the overlay is not here."""

    def start(overlay, **options):
        images = compose((overlay,), "config", "--images").stdout.split()
        if missing := [image for image in images if docker("image", "inspect", image, check=False).returncode]:
            reason = f"no {', '.join(missing)} (`harness images build --overlay {overlay}`)"
            if os.environ.get("HARNESS_REQUIRE_COMPOSE") == "1":
                pytest.fail(reason)
            pytest.skip(reason)
        return deployed((overlay,), **options)

    return start


def closed(system):
    for service, container in system.containers.items():
        host = container["HostConfig"]
        assert not host["Privileged"], service
        assert (host["CapDrop"], host["CapAdd"]) == (["ALL"], None), service
        assert host["ReadonlyRootfs"], service
        assert not [mount for mount in container["Mounts"] if "docker.sock" in mount["Source"]], service
    return [binding for binding in system.bindings() if not ip_address(binding[2]).is_loopback] == []


def patiently(check):
    tenacity.Retrying(stop=tenacity.stop_after_delay(60), wait=tenacity.wait_fixed(0.5), reraise=True)(check)


def test_postgres_keeps_the_workflows_in_place_of_redis(docker, up):
    with up("postgres") as system:
        system.completes("kept-1")
        metadata = httpx.get(f"{system.at('sidecar-0', 3500).url}/v1.0/metadata").json()
        keys = docker("exec", system.containers["redis"]["Id"], "redis-cli", "dbsize").stdout.strip()

        assert closed(system)
        assert [one["type"] for one in metadata["components"]] == ["state.postgresql"]
        assert keys == "0"
        assert system.containers["postgres"]["Config"]["StopSignal"] == "SIGINT"  # SIGTERM waits for the pools


@pytest.fixture
def _authority():
    """The certificate authority; one that somebody made is left as it is."""
    folder = FOLDER / "tls"
    made = not folder.exists()
    subprocess.run([FOLDER / "certificates.sh"], check=True, capture_output=True)
    yield
    if made:
        shutil.rmtree(folder)


@pytest.mark.usefixtures("_authority")
def test_tls_is_spoken_between_daprs_processes_and_orders_complete(docker, up):
    with up("tls") as system:
        system.completes("sealed-1")
        logs = docker("logs", system.containers["sidecar-0"]["Id"])
        unverified = ssl.create_default_context()
        unverified.check_hostname, unverified.verify_mode = False, ssl.CERT_NONE

        assert closed(system)
        assert "mTLS is disabled" not in logs.stdout + logs.stderr
        for link in (26000, 26020):  # to the scheduler and to placement
            at = system.at("toxiproxy", link)
            with socket.create_connection((at.host, at.port), 10) as to, unverified.wrap_socket(to) as sealed:
                assert sealed.version() == "TLSv1.3"


def test_every_query_of_the_dashboard_shows_a_run_on_a_real_prometheus(up, tmp_path):
    """With a journal as a run leaves it, and its fault window."""
    dashboard = json.loads((FOLDER / "grafana/dashboards/run.json").read_text())
    queries = {query["expr"] for panel in dashboard["panels"] for query in panel["targets"]}
    queries |= {annotation["expr"] for annotation in dashboard["annotations"]["list"]}
    tmp_path.chmod(0o1777)
    now = time.time_ns()
    call = {"op_id": "c/1", "instance_id": "a", "workflow": "order_v1", "kind": "plain", "client": "c", "node": "app-0"}
    journals = Journals(tmp_path)
    with Journal(journals.faults) as faults:
        faults.write(Applied(step=0, fault="pause", node="sidecar-1", at_ns=now))
    with Journal(journals.operations("1")) as operations:
        operations.write(Invoked(**call, attempt=1, intended_ns=now, at_ns=now))
        operations.write(Completed(op_id="c/1", outcome="ok", status=202, detail=None, at_ns=now))
    with up("observability", env={"HARNESS_JOURNAL": str(tmp_path)}) as system:
        api = f"{system.at('prometheus', 9090).url}/api/v1/query"

        def shown():
            system.completes(f"seen-{time.time_ns()}")
            empty = [query for query in queries if not httpx.get(api, params={"query": query}).json()["data"]["result"]]
            assert empty == []

        patiently(shown)
        (window,) = httpx.get(api, params={"query": "harness_fault_in_force == 1"}).json()["data"]["result"]
        assert (window["metric"]["fault"], window["metric"]["node"]) == ("pause", "sidecar-1")
        assert closed(system)


def test_locusts_workers_share_the_load_of_a_scenario(up):
    with up("load", env={"HARNESS_LOAD_WORKERS": "2"}) as system:
        locust = system.at("locust-master", 8089).url

        def ready():
            told = httpx.get(f"{locust}/stats/requests").json()
            assert [worker["state"] for worker in told["workers"]] == ["ready", "ready"]

        def both():
            told = httpx.get(f"{locust}/stats/requests").json()
            assert [worker["user_count"] for worker in told["workers"]] == [1, 1]
            assert sum(row["num_requests"] for row in told["stats"] if row["name"] == "Aggregated") > 20

        patiently(ready)  # a master that has no workers yet takes the order to start, and forgets it
        httpx.post(f"{locust}/swarm", data={"user_count": 2, "spawn_rate": 2}).raise_for_status()

        def shipped():
            ledger = httpx.get(f"{system.at('provider-0', 8080).url}/effects").text.splitlines()
            assert len({json.loads(line)["instance_id"].split("-")[0] for line in ledger}) == 2

        patiently(both)
        patiently(shipped)  # the orders of both, which were started and take a while
        assert closed(system)
