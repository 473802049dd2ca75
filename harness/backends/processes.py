"""
The `processes` backend: every node a process on this machine, every attacked link through Toxiproxy.

    client -> app-i -> sidecar-i -> [Toxiproxy] -> redis
                       sidecar-i -> placement-0, scheduler-0
              app-i -> services of the target (the outside world)

The command lines follow `dapr run` in self-hosted mode, Dapr 1.18 (docs: arguments and annotations overview).
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import httpx
import redis
from toxiproxy import Toxiproxy
from toxiproxy.api import APIConsumer
from toxiproxy.exceptions import NotFound

from harness.backends import guard, ports
from harness.backends.base import Address, Death, Endpoints, Say, Toxic
from harness.backends.process import Child, Spec
from harness.model import Plan, Program
from harness.rundir import RunDir

_QUIET = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TZ", "VIRTUAL_ENV")
"""What nodes get of this process's environment: nothing that could be a secret, nothing that changes Dapr."""


class Processes:
    """
    The whole system as processes of this machine. Powers: Kills, Links.

    `binaries` maps daprd, placement, scheduler, toxiproxy-server and redis-server to their paths.
    """

    def __init__(self, plan: Plan, run: RunDir, binaries: Mapping[str, Path]) -> None:
        self._plan = plan
        self._run = run
        self._binaries = binaries
        self._exits = ExitStack()
        self._children: dict[str, Child] = {}
        self._links: dict[str, Address] = {}

    # --- Backend ---

    def up(self, say: Say) -> Endpoints:
        """
        Start everything, in the order in which the parts need each other; see Backend.
        """
        try:
            return self._up(say)
        except BaseException:
            self.down()
            raise

    def _up(self, say: Say) -> Endpoints:
        keeper = guard.start(self._run.path)
        self._exits.callback(_dismiss, keeper)
        lease = self._exits.enter_context(ports.lease())
        replicas = range(self._plan.scenario.topology.replicas)

        def address() -> Address:
            return Address(host=ports.HOST, port=lease.take())

        store, proxy, placement, scheduler = address(), address(), address(), address()
        services = {node: address() for node in self._service_nodes()}
        sidecars = {f"sidecar-{i}": address() for i in replicas}
        apps = {f"app-{i}": address() for i in replicas}
        self._links = {link: address() for link in self._plan.links}

        say("starting redis and toxiproxy")
        self._launch(self._redis(store), self._toxiproxy(proxy))
        APIConsumer.host, APIConsumer.port = (
            proxy.host,
            proxy.port,
        )  # toxiproxy-python keeps them on the class
        for link, listen in self._links.items():
            Toxiproxy().create(name=link, listen=str(listen), upstream=str(store))

        say("starting placement, scheduler" + "".join(f", {node}" for node in services))
        urls = {
            f"{name.upper().replace('-', '_')}_URL": services[f"{name}-0"].url for name in self._plan.target.services
        }
        self._launch(
            self._placement(placement, address()),
            self._scheduler(scheduler, address(), address(), address()),
            *(
                self._program(node, self._plan.target.services[node.rpartition("-")[0]], at, urls)
                for node, at in services.items()
            ),
        )

        say(f"starting {len(replicas)} sidecars and {len(replicas)} app replicas")
        grpc = {f"sidecar-{i}": address() for i in replicas}
        self._launch(
            *(
                self._sidecar(
                    node,
                    http,
                    grpc[node],
                    address(),
                    address(),
                    store=self._links[f"{node}->redis"],
                    placement=placement,
                    scheduler=scheduler,
                )
                for node, http in sidecars.items()
            )
        )
        self._launch(
            *(
                self._program(
                    f"app-{i}",
                    self._plan.target.app,
                    apps[f"app-{i}"],
                    {
                        **urls,
                        "APP_ID": self._plan.target.app_id,
                        "DAPR_HTTP_PORT": str(sidecars[f"sidecar-{i}"].port),
                        "DAPR_GRPC_PORT": str(grpc[f"sidecar-{i}"].port),
                    },
                )
                for i in replicas
            )
        )
        return Endpoints(apps=apps, sidecars=sidecars, services=services, redis=store, links=self._links)

    def quiesce(self) -> None:
        """
        See Backend.
        """
        for node, child in self._children.items():
            if node.startswith(("app-", "sidecar-")):
                child.stop()

    def down(self) -> None:
        """
        See Backend. Data lives in the run directory, so there is nothing to wait for: SIGKILL.
        """
        for child in reversed(self._children.values()):
            child.stop()
        self._children.clear()
        self._exits.close()

    def deaths(self) -> Mapping[str, Death]:
        """
        See Backend.
        """
        return {node: death for node, child in self._children.items() if (death := child.death()) is not None}

    def usage(self) -> Mapping[str, tuple[float, int]]:
        """
        See Backend.
        """
        return {node: usage for node, child in self._children.items() if (usage := child.usage()) is not None}

    # --- Kills ---

    def kill(self, node: str) -> Death:
        """
        See Kills.
        """
        return self._children[node].kill()

    def start(self, node: str) -> None:
        """
        See Kills.
        """
        self._children[node].spawn()
        self._children[node].await_ready()

    # --- Links ---

    def add_toxic(self, link: str, toxic: Toxic) -> None:
        """
        See Links.
        """
        Toxiproxy().get_proxy(link).add_toxic(
            name=toxic.name,
            type=toxic.type,
            stream=toxic.stream,
            toxicity=toxic.toxicity,
            attributes=dict(toxic.attributes),
        )

    def remove_toxic(self, link: str, name: str) -> None:
        """
        See Links.
        """
        try:
            Toxiproxy().get_proxy(link).destroy_toxic(name)
        except NotFound:
            return

    def probe(self, link: str, timeout: float) -> float:
        """
        See Links. The smallest exchange with Redis is an inline PING (Redis protocol specification, RESP).
        """
        at = self._links[link]
        begin = time.monotonic()
        with socket.create_connection((at.host, at.port), timeout) as connection:
            connection.settimeout(timeout)
            connection.sendall(b"PING\r\n")
            if not connection.recv(16).startswith(b"+PONG"):
                raise ConnectionError(f"{link} did not answer a PING")
        return time.monotonic() - begin

    # --- how each node is started ---

    def _service_nodes(self) -> list[str]:
        return [f"{name}-{i}" for name, service in self._plan.target.services.items() for i in range(service.replicas)]

    def _launch(self, *specs: Spec) -> None:
        """
        Start nodes at once, then wait until all of them are ready.
        """
        for spec in specs:
            self._children[spec.name] = Child(spec)
            self._children[spec.name].spawn()
        with ThreadPoolExecutor(max_workers=len(specs)) as pool:
            for ready in [pool.submit(self._children[spec.name].await_ready) for spec in specs]:
                ready.result()

    def _spec(
        self,
        name: str,
        command: tuple[str, ...],
        ready: Callable[[], bool],
        *,
        folder: Path | None = None,
        env: Mapping[str, str] | None = None,
    ) -> Spec:
        kept = {key: os.environ[key] for key in _QUIET if key in os.environ}
        data = self._run.data / name
        data.mkdir(exist_ok=True)
        return Spec(
            name=name,
            command=command,
            env={**kept, **(env or {}), guard.MARK: str(self._run.path)},
            folder=folder or data,
            log=self._run.logs / f"{name}.log",
            ready=ready,
        )

    def _redis(self, at: Address) -> Spec:
        def ready() -> bool:
            try:
                with redis.Redis(at.host, at.port, socket_timeout=1) as client:
                    return bool(client.ping())
            except redis.RedisError:
                return False

        return self._spec(
            "redis",
            (
                str(self._binaries["redis-server"]),
                *("--port", str(at.port), "--bind", at.host),
                *("--appendonly", "yes", "--save", "", "--dir", str(self._run.data / "redis")),
            ),
            ready,
        )

    def _toxiproxy(self, at: Address) -> Spec:
        return self._spec(
            "toxiproxy",
            (str(self._binaries["toxiproxy-server"]), "-host", at.host, "-port", str(at.port)),
            _answers(f"{at.url}/version"),
        )

    def _placement(self, at: Address, health: Address) -> Spec:
        return self._spec(
            "placement-0",
            (
                str(self._binaries["placement"]),
                *("--port", str(at.port), "--listen-address", at.host),
                *("--healthz-port", str(health.port), "--healthz-listen-address", health.host),
                "--enable-metrics=false",
            ),
            _answers(f"{health.url}/healthz"),
        )

    def _scheduler(self, at: Address, health: Address, client: Address, peer: Address) -> Spec:
        name = "scheduler-0"
        return self._spec(
            name,
            (
                str(self._binaries["scheduler"]),
                *("--port", str(at.port), "--listen-address", at.host),
                *("--healthz-port", str(health.port), "--healthz-listen-address", health.host),
                *("--etcd-data-dir", str(self._run.data / name)),
                *("--etcd-client-port", str(client.port), "--etcd-client-listen-address", client.host),
                *("--etcd-initial-cluster", f"dapr-scheduler-server-0={peer.url}"),
                "--enable-metrics=false",
            ),
            _answers(f"{health.url}/healthz"),
        )

    def _sidecar(
        self,
        name: str,
        http: Address,
        grpc: Address,
        internal: Address,
        metrics: Address,
        *,
        store: Address,
        placement: Address,
        scheduler: Address,
    ) -> Spec:
        target = self._plan.target
        return self._spec(
            name,
            (
                str(self._binaries["daprd"]),
                *("--app-id", target.app_id),
                *("--dapr-http-port", str(http.port), "--dapr-grpc-port", str(grpc.port)),
                *("--dapr-listen-addresses", http.host),
                *("--dapr-internal-grpc-port", str(internal.port)),
                *("--dapr-internal-grpc-listen-address", internal.host),
                *("--metrics-port", str(metrics.port), "--metrics-listen-address", metrics.host),
                *("--placement-host-address", str(placement), "--scheduler-host-address", str(scheduler)),
                *("--resources-path", str(target.components), "--config", str(target.configuration)),
            ),
            _answers(f"{http.url}/v1.0/healthz"),
            # One folder for all sidecars: relative paths in components (name resolution by SQLite) are shared.
            folder=self._run.data / "sidecars",
            env={"REDIS_HOST": str(store), "APP_ID": target.app_id},
        )

    def _program(self, name: str, program: Program, at: Address, env: Mapping[str, str]) -> Spec:
        command = program.command
        if command[0] == "python":
            command = (sys.executable, *command[1:])
        return self._spec(
            name,
            command,
            _answers(f"{at.url}{program.health}"),
            folder=program.workdir,
            env={
                **program.env,
                **env,
                "NODE": name,
                "PORT": str(at.port),
                "DATA_DIR": str(self._run.data / name),
                "ATTEMPTS_FILE": str(self._run.journal / f"attempts-{name}.jsonl"),
                "STATE_STORE": self._plan.target.state_store,
                "DEFECT": self._plan.defect or "",
            },
        )


def _answers(url: str) -> Callable[[], bool]:
    """
    A readiness check: does `url` answer 2xx?
    """

    def ready() -> bool:
        try:
            return httpx.get(url, timeout=2).is_success
        except httpx.HTTPError:
            return False

    return ready


def _dismiss(keeper: subprocess.Popen[bytes]) -> None:
    """
    Let the guard make its sweep, now rather than when the harness ends, and wait for it.
    """
    if keeper.stdin is not None:
        keeper.stdin.close()
    keeper.wait()
