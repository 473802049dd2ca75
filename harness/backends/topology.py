"""
How each node of the `processes` backend is started, and the links through which the nodes reach each other.

    client -> app-i -> sidecar-i -> redis, or postgres
                       sidecar-i -> placement-0, and all sidecars -> scheduler-0
              app-i -> services of the target (the outside world)

The replicas of a further application (app-NAME-i, sidecar-NAME-i) have the same links, but no clients.

Every arrow is a link through Toxiproxy. If the plan has a tap (docs/tap.md), it is on the sidecar's side of the
link from its app. The command lines follow `dapr run` in self-hosted mode, Dapr 1.18
(documentation: arguments and annotations overview). This module starts nothing itself.
"""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from pydantic import SecretStr

from harness import names
from harness.backends import components, guard, postgresstart, probe, ready
from harness.backends.endpoints import Address, Login, StoreAddress
from harness.backends.probe import Probe
from harness.backends.process import Spec
from harness.backends.taps import Taps
from harness.backends.wired import Way
from harness.model import Plan, Program
from harness.names import Link, Node, Store
from harness.rundir import RunDir

PLACEMENT = Node(names.PLACEMENT, 0)
SIDECARS_TO_SCHEDULER = Link(Node(names.ALL_SIDECARS), Node(names.SCHEDULER, 0))
_KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TZ", "VIRTUAL_ENV")
"""
The variables of this process's environment that nodes get. None of them can hold a secret or change how Dapr behaves.
"""


class Topology:
    """
    The nodes, addresses and links of one system. `take` returns another free address at each call.
    """

    def __init__(self, plan: Plan, run: RunDir, binaries: Mapping[str, Path], take: Callable[[], Address]) -> None:
        self._plan = plan
        self._run = run
        self._binaries = binaries
        self._take = take
        self._login = _login() if plan.store is Store.POSTGRES else None
        self._apps = tuple(node for node in map(names.node, plan.nodes) if node.role == names.APP)
        self.toxiproxy_at = take()
        self._at = {node: take() for node in plan.nodes}
        self.points = take() if any(step.aim is not None for step in plan.steps) else None
        self._sidecar_http = {str(names.sidecar_of(app)): take() for app in self._apps}
        self._taps = Taps(plan, run, take, self.points)
        self.metrics: dict[str, Address] = {}
        self.probes = {node: self._probe(node) for node in plan.nodes}
        self.links = {name: self._link(name) for name in plan.links}

    def stages(self) -> tuple[tuple[Spec, ...], ...]:
        """
        Return the nodes in the order in which they need each other. All nodes of one stage can be started at once.

        Toxiproxy is ready after the first stage. Its proxies must be created then.
        """
        target = self._plan.target
        resources = components.write(target, self._run.data / "components", self._plan.store)
        configuration = components.write_configuration(target, self._run.data)
        return (
            (self._store(), self._toxiproxy()),
            (self._placement(), self._scheduler(), *(self._service(name) for name in target.services)),
            tuple(self._sidecar(names.sidecar_of(app), resources, configuration) for app in self._apps),
            tuple(self._app(app) for app in self._apps),
        )

    def versions(self) -> Mapping[str, Mapping[str, Spec]]:
        """
        Return node -> version -> how the node is started as that version, for each node whose program has versions.
        """
        return {
            str(node): {version: self._versioned(node, version) for version in versions}
            for node in map(names.node, self._plan.nodes)
            if (versions := self._plan.target.versions(node))
        }

    def _versioned(self, node: Node, version: str) -> Spec:
        return self._app(node, version) if node.role == names.APP else self._service(node.role, version)

    def _probe(self, node: str) -> tuple[Address, Probe]:
        """
        Return the address at which a node is probed, and the probe.
        """
        return self._sidecar_http.get(node, self._at[node]), probe.of_node(node, self._plan.target)

    def _link(self, name: str) -> Way:
        link = names.link(name)
        dest = str(link.dest)
        by_app = link.source.role == names.APP
        upstream = (self._taps.entrance(dest) or self._at[dest]) if by_app else self.probes[dest][0]
        return Way(self._take(), str(upstream), probe.of_link(name, self._plan.target))

    def _spec(
        self,
        name: str,
        command: tuple[str, ...],
        ready: Callable[[], bool],
        *,
        asked: Callable[[], str] | None = None,
        folder: Path | None = None,
        env: Mapping[str, str] | None = None,
    ) -> Spec:
        kept = {key: os.environ[key] for key in _KEPT if key in os.environ}
        data = self._run.data / name
        data.mkdir(exist_ok=True)
        return Spec(
            name=name,
            command=command,
            env={**kept, **(env or {}), guard.MARK: str(self._run.path)},
            folder=folder or data,
            log=self._run.logs / f"{name}.log",
            ready=ready,
            asked=asked,
            tapped=self._taps.entrance(name) is not None,
        )

    @property
    def store(self) -> StoreAddress:
        """
        Where the state store itself listens.
        """
        kind = self._plan.store
        at = self._at[kind]
        return StoreAddress(host=at.host, port=at.port, kind=kind, login=self._login)

    def _store(self) -> Spec:
        at, folder = self.store, str(self._run.data / self._plan.store)
        command: tuple[str, ...]
        if self._login is None:
            env = {}
            command = (
                str(self._binaries["redis-server"]),
                *("--port", str(at.port), "--bind", at.host),
                *("--appendonly", "yes", "--save", "", "--dir", folder),
            )
        else:
            command = (
                *(sys.executable, "-P", "-m", postgresstart.__name__),
                *(str(self._binaries["postgres"]), folder, at.host, str(at.port)),
            )
            env = {postgresstart.PASSWORD: self._login.password.get_secret_value()}
        return self._spec(self._plan.store, command, lambda: ready.serves(at), env=env)

    def _connection(self, sidecar: Node) -> Mapping[str, str]:
        """
        Return the variable in which a sidecar finds the state store, as the copy of the components refers to it.
        """
        listen = self.links[str(Link(sidecar, Node(self._plan.store)))].listen
        if self._login is None:
            return {components.VARIABLES[Store.REDIS]: str(listen)}
        words = {
            "host": listen.host,
            "port": listen.port,
            "user": self._login.user,
            "password": self._login.password.get_secret_value(),
            "dbname": self._login.database,
            "sslmode": "disable",
        }
        return {components.VARIABLES[Store.POSTGRES]: " ".join(f"{name}={value}" for name, value in words.items())}

    def _toxiproxy(self) -> Spec:
        at = self.toxiproxy_at
        command = (str(self._binaries["toxiproxy-server"]), "-host", at.host, "-port", str(at.port))
        return self._spec("toxiproxy", command, lambda: ready.answers(f"{at.url}/version"))

    def _placement(self) -> Spec:
        name, health, raft = str(PLACEMENT), self._take(), self._take()
        command = (
            str(self._binaries["placement"]),
            *("--port", str(self._at[name].port), "--listen-address", self._at[name].host),
            *("--id", "dapr-placement-0", "--initial-cluster", f"dapr-placement-0={raft}"),
            *("--healthz-port", str(health.port), "--healthz-listen-address", health.host),
            "--enable-metrics=false",
        )
        return self._spec(name, command, lambda: ready.answers(f"{health.url}/healthz"))

    def _scheduler(self) -> Spec:
        name, health, client, peer = str(SIDECARS_TO_SCHEDULER.dest), self._take(), self._take(), self._take()
        command = (
            str(self._binaries["scheduler"]),
            *("--port", str(self._at[name].port), "--listen-address", self._at[name].host),
            # The scheduler tells each sidecar where to connect, so it must give the address of the link, not its own.
            *("--override-broadcast-host-port", str(self.links[str(SIDECARS_TO_SCHEDULER)].listen)),
            *("--healthz-port", str(health.port), "--healthz-listen-address", health.host),
            *("--etcd-data-dir", str(self._run.data / name)),
            *("--etcd-client-port", str(client.port), "--etcd-client-listen-address", client.host),
            *("--etcd-initial-cluster", f"dapr-scheduler-server-0={peer.url}"),
            "--enable-metrics=false",
        )
        return self._spec(name, command, lambda: ready.answers(f"{health.url}/healthz"))

    def _sidecar(self, node: Node, resources: Path, configuration: Path) -> Spec:
        name, app_id = str(node), self._plan.target.app_ids[node.application]
        acting = self._taps.acting(name)
        http, grpc, internal, metrics = self._sidecar_http[name], self._at[name], self._take(), self._take()
        self.metrics[name] = metrics
        command = (
            *self._taps.words(name, grpc),
            str(self._binaries["daprd"]),
            *("--app-id", app_id),
            *("--dapr-listen-addresses", http.host),
            *("--dapr-http-port", str(http.port), "--dapr-grpc-port", str(grpc.port)),
            *("--dapr-internal-grpc-port", str(internal.port)),
            *("--dapr-internal-grpc-listen-address", internal.host),
            *("--metrics-port", str(metrics.port), "--metrics-listen-address", metrics.host),
            *("--placement-host-address", str(self.links[str(Link(node, PLACEMENT))].listen)),
            *("--scheduler-host-address", str(self.links[str(SIDECARS_TO_SCHEDULER)].listen)),
            *("--resources-path", str(resources), "--config", str(configuration)),
        )
        return self._spec(
            name,
            command,
            lambda: ready.answers(f"{http.url}/v1.0/healthz") and (acting is None or ready.listens(acting)),
            # All sidecars share one folder, so that relative paths in the configuration mean the same file for all of
            # them (name resolution by SQLite).
            folder=self._run.data / "sidecars",
            env={**self._connection(node), "APP_ID": app_id},
        )

    def _service(self, name: str, version: str | None = None) -> Spec:
        return self._program(str(Node(name, 0)), self._plan.target.services[name].as_version(version), {})

    def _app(self, app: Node, version: str | None = None) -> Spec:
        sidecar, target = names.sidecar_of(app), self._plan.target
        services = {
            f"{service.upper().replace('-', '_')}_URL": self.links[str(Link(app, Node(service, 0)))].listen.url
            for service in target.services
        }
        dapr = {
            "APP_ID": target.app_ids[app.application],
            "DAPR_HTTP_PORT": str(self._sidecar_http[str(sidecar)].port),
            "DAPR_GRPC_PORT": str(self.links[str(Link(app, sidecar))].listen.port),
        }
        env = {**services, **dapr, **self._announcing()}
        program = target.program(app.application).as_version(version)
        return self._program(str(app), program, env, self._sidecar_http[str(sidecar)])

    def _announcing(self) -> Mapping[str, str]:
        """
        Return the variables that tell an app to announce activity points; empty if no step of the plan aims at one that
        it announces.
        """
        announced = self._plan.points(by_tap=False)
        if self.points is None or not announced:
            return {}
        return {"POINTS_URL": f"{self.points.url}/", "POINTS": ",".join(announced)}

    def _program(self, name: str, program: Program, env: Mapping[str, str], sidecar: Address | None = None) -> Spec:
        command = program.command
        if command[0] == "python":
            command = (sys.executable, *command[1:])
        return self._spec(
            name,
            (*self._taps.words(name, self._at[name]), *command),
            lambda: ready.is_ready(program, self._at[name], sidecar),
            asked=lambda: ready.told(program, self._at[name]),
            folder=program.workdir,
            env={
                **program.env,
                **env,
                **({"ATTEMPTS_FILE": str(self._run.journals.attempts(name))} if self._plan.target.attempts else {}),
                "NODE": name,
                "PORT": str(self._at[name].port),
                "DATA_DIR": str(self._run.data / name),
                "STATE_STORE": self._plan.target.state_store,
                "DEFECT": self._plan.defect or "",
            },
        )


def _login() -> Login:
    """
    Return how to log in at a PostgreSQL that is yet to be made, with a password that nobody has had before.
    """
    password = SecretStr(secrets.token_urlsafe())
    return Login(user=postgresstart.USER, password=password, database=postgresstart.DATABASE)
