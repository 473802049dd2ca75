"""The reference deployment, as the engine itself tells what it runs: links, ports, rights."""

import itertools
import re
from ipaddress import ip_address
from pathlib import Path

import httpx
import pytest

from harness.planning import plan, target
from harness.runtime import shipped

pytestmark = pytest.mark.compose

FOLDER = Path(__file__).resolve().parents[2] / "compose"
OVERLAYS = sorted(file.name.split(".")[1] for file in FOLDER.glob("compose.*.yaml"))


@pytest.fixture(scope="module", name="system")
def _system(deployed):
    with deployed() as system:
        yield system


def combinations():
    return [some for count in range(len(OVERLAYS) + 1) for some in itertools.combinations(OVERLAYS, count)]


@pytest.mark.parametrize("overlays", combinations(), ids=lambda some: "+".join(some) or "alone")
def test_every_combination_of_overlays_is_clean(compose, overlays):
    done = compose(overlays, "--profile", "*", "config", "--quiet")

    assert (done.stdout, done.stderr) == ("", "")


def test_every_node_of_a_plan_is_a_container_and_every_link_a_proxy(system):
    described = target.load(shipped.TARGET)
    proxies = httpx.get(f"{system.at('toxiproxy', 8474).url}/proxies").json()

    assert set(system.containers) == {*plan.nodes(described, 2), "toxiproxy"}
    assert set(plan.links(described, 2)) <= set(proxies)
    for name in plan.links(described, 2):
        _, dest = name.split("->")
        assert proxies[name]["upstream"].startswith(f"{dest}:"), name


def test_every_published_port_is_bound_to_loopback(system):
    bindings = system.bindings()

    assert len(bindings) > len(system.containers)
    assert [binding for binding in bindings if not ip_address(binding[2]).is_loopback] == []


def test_no_container_has_a_privilege_the_engines_socket_or_a_writable_root(system):
    for service, container in system.containers.items():
        host = container["HostConfig"]
        assert not host["Privileged"], service
        assert not host["CapAdd"], service
        assert host["CapDrop"] == ["ALL"], service
        assert "no-new-privileges:true" in host["SecurityOpt"], service
        assert host["ReadonlyRootfs"], service
        assert host["NetworkMode"].startswith(system.project), service
        assert (host["PidMode"], host["IpcMode"]) == ("", "private"), service
        assert container["Config"]["User"].split(":")[0] not in ("", "0", "root"), service
        assert 0 < host["Memory"] <= 1 << 30, service
        assert host["NanoCpus"] > 0, service
        mounts = container["Mounts"]
        assert not [mount for mount in mounts if "docker.sock" in mount["Source"] or mount["Source"] in ("/", "/run")]
        assert not [mount for mount in mounts if mount["Type"] == "bind" and mount["RW"]], service


def test_no_container_but_toxiproxy_meets_one_of_another_role(system):
    networks = {service: set(one["NetworkSettings"]["Networks"]) for service, one in system.containers.items()}
    for one, other in itertools.combinations(sorted(networks), 2):
        meet = bool(networks[one] & networks[other])
        same_role = one.split("-")[0] == other.split("-")[0] or {one, other} == {"placement-0", "scheduler-0"}
        assert meet == (same_role or "toxiproxy" in (one, other)), (one, other)


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
def test_an_app_reaches_others_through_toxiproxy_alone(docker, system, node, port, link):
    """Neither by name nor by address; asked from inside the app's container."""
    (address,) = (one["IPAddress"] for one in system.containers[node]["NetworkSettings"]["Networks"].values())

    def reach(host, at):
        return docker("exec", system.containers["app-0"]["Id"], "python", "-c", REACH, host, str(at)).stdout.strip()

    assert reach(node, port) == "gaierror"
    assert reach(address, port) == "TimeoutError"
    assert reach("toxiproxy", link) == "reached"


def test_an_order_goes_through_the_whole_system(system):
    system.completes("whole-1")


def test_a_latency_toxic_of_a_link_is_felt_through_its_published_port(system):
    toxics = f"{system.at('toxiproxy', 8474).url}/proxies/client->app-0/toxics"
    slow = {"name": "slow", "type": "latency", "attributes": {"latency": 300}}

    httpx.post(toxics, json=slow).raise_for_status()
    took = httpx.get(f"{system.at('toxiproxy', 26050).url}/healthz", timeout=10).elapsed.total_seconds()
    httpx.delete(f"{toxics}/slow").raise_for_status()

    assert took >= 0.3


def test_the_dapr_files_are_those_of_the_processes_backend_and_load_in_a_real_daprd(system):
    described = target.load(shipped.TARGET)
    for i in range(2):
        mounted = {one["Destination"]: one for one in system.containers[f"sidecar-{i}"]["Mounts"]}["/dapr"]
        assert Path(mounted["Source"]) == described.components.parent == described.configuration.parent
        assert not mounted["RW"]
        metadata = httpx.get(f"{system.at(f'sidecar-{i}', 3500).url}/v1.0/metadata").json()
        assert [(one["name"], one["type"]) for one in metadata["components"]] == [("statestore", "state.redis")]


def test_the_default_ports_of_all_files_are_free_of_each_other():
    """So that `docker compose up` alone works, with any overlay."""
    text = "".join(file.read_text() for file in FOLDER.glob("compose*.yaml"))
    ports = [int(port) for port in re.findall(r"\$\{HARNESS_PORT_\w+:-(\d+)\}", text)]

    assert len(ports) == len(set(ports)) == text.count("127.0.0.1:${")
    assert min(ports) > 1023
