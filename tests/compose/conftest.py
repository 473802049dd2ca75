"""A deployment that is up for a while, as the engine itself describes it."""

import json
import os
import re
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import tenacity

from harness.backends.endpoints import Address

FOLDER = Path(__file__).resolve().parents[2] / "compose"


def docker(*arguments, check=True, env=None):
    done = subprocess.run(
        ("docker", *arguments), capture_output=True, text=True, check=False, env={**os.environ, **(env or {})}
    )
    assert done.returncode == 0 or not check, done.stderr
    return done


def compose(overlays, *arguments, **options):
    names = ("compose.yaml", *(f"compose.{name}.yaml" for name in overlays))
    return docker("compose", *(word for name in names for word in ("--file", FOLDER / name)), *arguments, **options)


@dataclass(frozen=True)
class Deployment:
    """The containers by service, as `docker inspect` has them."""

    project: str
    containers: dict

    def at(self, service, port):
        """Where on this machine a container's port is."""
        (binding,) = self.containers[service]["NetworkSettings"]["Ports"][f"{port}/tcp"]
        return Address(host=binding["HostIp"], port=int(binding["HostPort"]))

    def bindings(self):
        """(service, port in the container, host address) of every published port."""
        return {
            (service, port, binding["HostIp"])
            for service, container in self.containers.items()
            for port, bound in container["NetworkSettings"]["Ports"].items()
            for binding in bound or ()
        }

    def completes(self, order):
        """An order, started at one replica and asked for at the other."""
        one, other = (self.at("toxiproxy", port).url for port in (26050, 26051))
        started = httpx.post(f"{one}/orders", json={"order_id": order, "sku": "sku-00", "quantity": 2}, timeout=10)
        assert started.status_code == httpx.codes.ACCEPTED

        @tenacity.retry(stop=tenacity.stop_after_delay(60), wait=tenacity.wait_fixed(0.2), reraise=True)
        def ended():
            assert httpx.get(f"{other}/orders/{order}", timeout=10).json()["status"] == "COMPLETED"

        ended()
        ledger = httpx.get(f"{self.at('provider-0', 8080).url}/effects").text
        assert [json.loads(line)["key"] for line in ledger.splitlines() if order in line] == [f"{order}/ship"]


@contextmanager
def deployed(overlays=(), env=None):
    """The deployment with these overlays, up, on ports of the engine's choice; nothing of it is left afterwards."""
    text = "".join(file.read_text() for file in FOLDER.glob("compose*.yaml"))
    ports = dict.fromkeys(re.findall(r"HARNESS_PORT_\w+", text), "0")
    project = f"harness-test-{os.getpid()}-{'-'.join(overlays) or 'alone'}"
    try:
        compose(overlays, "-p", project, "up", "--detach", "--wait", "--no-build", env={**ports, **(env or {})})
        ids = docker("ps", "--quiet", "--filter", f"label=com.docker.compose.project={project}").stdout.split()
        found = json.loads(docker("inspect", *ids).stdout)
        yield Deployment(project, {one["Config"]["Labels"]["com.docker.compose.service"]: one for one in found})
    finally:
        compose(overlays, "-p", project, "down", "--volumes", "--timeout", "0", check=False)


@pytest.fixture(scope="session", name="docker")
def _docker():
    return docker


@pytest.fixture(scope="session", name="compose")
def _compose():
    return compose


@pytest.fixture(scope="session", name="deployed")
def _deployed():
    return deployed
