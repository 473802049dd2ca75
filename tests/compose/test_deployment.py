"""The reference deployment, as the engine itself tells what it runs: links, ports, rights."""

import ipaddress
import itertools
import json
import os
import re
import socket
import subprocess
from pathlib import Path

import httpx
import pytest
import tenacity

from harness import plan, target
from harness.backends.base import Address
from harness.scenario import REFERENCE_TARGET

pytestmark = pytest.mark.compose

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "compose"
OVERLAYS = sorted(file.name for file in FOLDER.glob("compose.*.yaml"))
PROJECT = f"harness-test-{os.getpid()}"


def docker(*arguments, check=True, env=None):
    done = subprocess.run(
        ("docker", *arguments), capture_output=True, text=True, check=False, env={**os.environ, **(env or {})}
    )
    assert done.returncode == 0 or not check, done.stderr
    return done


def files(overlays=()):
    return [word for name in ("compose.yaml", *overlays) for word in ("--file", str(FOLDER / name))]


def variables():
    """Every port variable of the files."""
    text = "".join(file.read_text() for file in FOLDER.glob("compose*.yaml"))
    return sorted(set(re.findall(r"HARNESS_PORT_\w+", text)))


@pytest.fixture(scope="module")
def system():
    """The deployment, up, on ports of the engine's choice; the containers by service, as the engine describes them."""
    env = dict.fromkeys(variables(), "0")
    try:
        docker("compose", *files(), "-p", PROJECT, "up", "--detach", "--wait", "--no-build", env=env)
        ids = docker("ps", "--quiet", "--filter", f"label=com.docker.compose.project={PROJECT}").stdout.split()
        found = json.loads(docker("inspect", *ids).stdout)
        yield {one["Config"]["Labels"]["com.docker.compose.service"]: one for one in found}
    finally:
        docker("compose", *files(), "-p", PROJECT, "down", "--volumes", "--timeout", "0", check=False)


def published(container, port):
    """Where on this machine a container's port is."""
    (binding,) = container["NetworkSettings"]["Ports"][f"{port}/tcp"]
    return Address(host=binding["HostIp"], port=int(binding["HostPort"]))


def combinations():
    return [some for count in range(len(OVERLAYS) + 1) for some in itertools.combinations(OVERLAYS, count)]


@pytest.mark.parametrize("overlays", combinations(), ids=lambda some: "+".join(some) or "alone")
def test_every_combination_of_overlays_is_clean(overlays):
    done = docker("compose", *files(overlays), "config", "--quiet")

    assert (done.stdout, done.stderr) == ("", "")


def test_every_node_of_a_plan_is_a_container_and_every_link_a_proxy(system):
    described = target.load(REFERENCE_TARGET)
    proxies = httpx.get(f"{published(system['toxiproxy'], 8474).url}/proxies").json()

    assert set(system) == {*plan.nodes(described, 2), "toxiproxy"}
    assert set(plan.links(described, 2)) <= set(proxies)
    for name in plan.links(described, 2):
        source, dest = name.split("->")
        assert proxies[name]["upstream"].startswith(f"{dest}:"), source


def test_every_published_port_is_bound_to_loopback(system):
    bindings = {
        (service, port, binding["HostIp"])
        for service, container in system.items()
        for port, bound in container["NetworkSettings"]["Ports"].items()
        for binding in bound or ()
    }

    assert len(bindings) > len(system)
    assert {host for _, _, host in bindings if not ipaddress.ip_address(host).is_loopback} == set()


def test_no_container_has_a_privilege_the_engines_socket_or_a_writable_root(system):
    for service, container in system.items():
        host = container["HostConfig"]
        assert not host["Privileged"], service
        assert not host["CapAdd"], service
        assert host["CapDrop"] == ["ALL"], service
        assert "no-new-privileges:true" in host["SecurityOpt"], service
        assert host["ReadonlyRootfs"], service
        assert host["NetworkMode"].startswith(PROJECT), service
        assert (host["PidMode"], host["IpcMode"]) == ("", "private"), service
        assert container["Config"]["User"].split(":")[0] not in ("", "0", "root"), service
        assert 0 < host["Memory"] <= 1 << 30, service
        assert host["NanoCpus"] > 0, service
        mounts = {mount["Source"] for mount in container["Mounts"]}
        assert not [source for source in mounts if "docker.sock" in source or source in ("/", "/var/run", "/run")]
        assert not [mount for mount in container["Mounts"] if mount["Type"] == "bind" and mount["RW"]], service


def test_no_container_but_toxiproxy_meets_one_of_another_role(system):
    networks = {service: set(one["NetworkSettings"]["Networks"]) for service, one in system.items()}
    for one, other in itertools.combinations(sorted(networks), 2):
        together = networks[one] & networks[other]
        assert "toxiproxy" not in (one, other) or together
        same_role = one.split("-")[0] == other.split("-")[0] or {one, other} == {"placement-0", "scheduler-0"}
        assert bool(together) == (same_role or "toxiproxy" in (one, other)), (one, other)


REACH = """
import socket, sys
try:
    socket.create_connection((sys.argv[1], int(sys.argv[2])), 2)
except OSError as error:
    print(type(error).__name__)
else:
    print("reached")
"""


@pytest.mark.parametrize(
    ("node", "port", "link"),
    [("sidecar-0", 50001, 26030), ("provider-0", 8080, 26040), ("redis", 6379, 26010), ("scheduler-0", 50006, 26000)],
)
def test_an_app_reaches_others_through_toxiproxy_alone(system, node, port, link):
    """Neither by name nor by address; asked from inside the app's container."""
    (address,) = (network["IPAddress"] for network in system[node]["NetworkSettings"]["Networks"].values())

    def reach(host, at):
        return docker("exec", system["app-0"]["Id"], "python", "-c", REACH, host, str(at)).stdout.strip()

    assert reach(node, port) == "gaierror"
    assert reach(address, port) == "TimeoutError"
    assert reach("toxiproxy", link) == "reached"


def test_an_order_goes_through_the_whole_system(system):
    toxiproxy = system["toxiproxy"]
    app_0, app_1 = (published(toxiproxy, port).url for port in (26050, 26051))
    started = httpx.post(f"{app_0}/orders", json={"order_id": "whole-1", "sku": "sku-00", "quantity": 2})
    assert started.status_code == httpx.codes.ACCEPTED

    @tenacity.retry(stop=tenacity.stop_after_delay(30), wait=tenacity.wait_fixed(0.2), reraise=True)
    def ended():
        status = httpx.get(f"{app_1}/orders/whole-1").json()["status"]
        assert status == "COMPLETED"

    ended()
    ledger = httpx.get(f"{published(system['provider-0'], 8080).url}/effects").text
    assert [json.loads(line)["key"] for line in ledger.splitlines() if "whole-1" in line] == ["whole-1/ship"]


def test_a_latency_toxic_of_a_link_is_felt_through_its_published_port(system):
    toxiproxy = system["toxiproxy"]
    api = published(toxiproxy, 8474).url
    toxics = f"{api}/proxies/client->app-0/toxics"
    slow = {"name": "slow", "type": "latency", "attributes": {"latency": 300}}

    def took():
        response = httpx.get(f"{published(toxiproxy, 26050).url}/healthz")
        return response.elapsed.total_seconds()

    took()
    httpx.post(toxics, json=slow).raise_for_status()
    with_toxic = took()
    httpx.delete(f"{toxics}/slow").raise_for_status()

    assert with_toxic >= 0.3


def test_the_dapr_files_are_those_of_the_processes_backend_and_load_in_a_real_daprd(system):
    described = target.load(REFERENCE_TARGET)
    for i in range(2):
        mounted = {one["Destination"]: one for one in system[f"sidecar-{i}"]["Mounts"]}["/dapr"]
        assert Path(mounted["Source"]) == described.components.parent == described.configuration.parent
        assert not mounted["RW"]
        metadata = httpx.get(f"{published(system[f'sidecar-{i}'], 3500).url}/v1.0/metadata").json()
        assert [(one["name"], one["type"]) for one in metadata["components"]] == [("statestore", "state.redis")]


def test_the_default_ports_are_free_of_each_other():
    """So that `docker compose up` alone works."""
    text = (FOLDER / "compose.yaml").read_text()
    ports = [int(port) for port in re.findall(r"\$\{HARNESS_PORT_\w+:-(\d+)\}", text)]

    assert len(ports) == len(set(ports)) == text.count("127.0.0.1:${")
    assert all(port > socket.IPPROTO_RAW for port in ports)
