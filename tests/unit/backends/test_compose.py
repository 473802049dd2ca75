"""Nodes as containers, with an engine in memory: what a fault is told, what is refused, what is removed."""

import io
import os
import re
import signal
import socket
import tarfile
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
from docker.errors import APIError, DockerException, ImageNotFound
from requests.exceptions import ReadTimeout

from harness import cli, names, rundir
from harness.backends import base, composefile, containers, guard, ports, probe, tapped
from harness.backends.base import Death
from harness.backends.compose import Compose
from harness.backends.container import Node
from harness.backends.endpoints import Address
from harness.backends.processes import Processes
from harness.backends.sockets import Socket
from harness.backends.tapped import Tapped
from harness.errors import Exit, LeftError, NodeError, UsageError
from harness.faults import BUILT_IN
from harness.faults.base import NotFeltError
from harness.faults.isolation import Isolate
from harness.faults.process import Kill
from harness.planning import scenario as scenarios
from harness.planning import target
from harness.planning.request import Request
from harness.runtime import shipped

BORN = "2026-11-25T00:30:13.123456789Z"


class Container:
    """A container as the SDK has it, in memory."""

    def __init__(self, *, running=True, code=0, cores=0.5):
        self.attrs = {
            "State": {
                "Status": "running" if running else "exited",
                "Running": running,
                "Paused": False,
                "Pid": 4711 if running else 0,
                "StartedAt": BORN,
                "ExitCode": code,
            },
            "HostConfig": {"NanoCpus": round(cores * 1e9)},
            "Mounts": [
                {"Type": "volume", "Name": "p_redis", "Destination": "/data"},
                {"Type": "bind", "Source": "/x", "Destination": "/journal"},
            ],
        }
        self.did = []
        self.dies_of = 128 + signal.SIGKILL
        self.used = []

    def reload(self):
        pass

    def _die(self, code):
        self.attrs["State"] |= {"Status": "exited", "Running": False, "Pid": 0, "ExitCode": code}

    def kill(self):
        self.did.append("kill")
        self._die(self.dies_of)

    def stop(self, timeout):
        self.did.append(("stop", timeout))
        self._die(0)

    def start(self):
        self.attrs["State"] |= {"Status": "running", "Running": True, "Pid": 4712}

    def wait(self, timeout):
        return {"StatusCode": self.attrs["State"]["ExitCode"]}

    def pause(self):
        self.attrs["State"]["Paused"] = True

    def unpause(self):
        self.attrs["State"]["Paused"] = False

    def stats(self, *, stream, one_shot):
        return self.used.pop(0)

    def logs(self, tail):
        return b"one\nlast words\n"

    def get_archive(self, folder):
        assert folder == "/data"
        file = io.BytesIO()
        with tarfile.open(fileobj=file, mode="w") as archive:
            archive.addfile(tarfile.TarInfo("data/appendonly.aof"))
            directory = tarfile.TarInfo("data/empty")
            directory.type = tarfile.DIRTYPE
            archive.addfile(directory)
        return [file.getvalue()], {}


def made(name="sidecar_kill", seed=1):
    return Request(name).plan(seed)


# --- a node ---


def test_a_kill_is_proved_by_the_exit_status_of_that_very_process():
    class System:
        def kill(self, node):
            return Node(node, Container()).kill()

    proof = Kill().apply_and_prove(System(), "app-0")

    assert proof == {"pid": 4711, "started": pytest.approx(1795566613.123456), "status": -signal.SIGKILL}


def test_an_end_before_the_signal_arrived_is_told_as_it_was():
    container = Container()
    container.dies_of = 3

    assert Node("app-0", container).kill().status == 3


def test_a_dead_node_cannot_be_killed_or_measured_or_paused():
    node = Node("app-0", Container(running=False))

    for act in (node.kill, node.consumed, node.pause, lambda: node.throttle(0.2)):
        with pytest.raises(NodeError, match="app-0 does not run"):
            act()


def test_a_stop_waits_for_its_grace_and_gives_the_programs_own_status():
    container = Container()

    assert Node("app-0", container).stop(10.0).status == 0
    assert container.did == [("stop", 10)]


def test_only_a_death_that_nobody_asked_for_is_reported():
    container = Container()
    node = Node("app-0", container)
    node.state()
    container._die(137)
    assert node.death() == Death(4711, pytest.approx(1795566613.123456), -signal.SIGKILL)

    node.start()
    assert node.death() is None
    node.kill()
    assert node.death() is None


def test_a_kill_between_two_looks_at_a_container_is_no_death_of_its_own(monkeypatch):
    container = Container()
    node = Node("app-0", container)

    def killed_meanwhile():
        monkeypatch.undo()
        node.kill()

    monkeypatch.setattr(container, "reload", killed_meanwhile)

    assert node.death() is None


def test_resuming_what_is_not_paused_does_nothing():
    container = Container()
    node = Node("app-0", container)
    node.resume()
    node.pause()
    node.resume()

    assert container.attrs["State"]["Paused"] is False


def used(cpu, throttled=0, rss=1000):
    return {
        "cpu_stats": {"cpu_usage": {"total_usage": cpu}, "throttling_data": {"throttled_time": throttled}},
        "memory_stats": {"stats": {"rss": rss}},
    }


def test_what_a_node_consumed_is_in_seconds_since_it_started():
    container = Container()
    container.used = [used(1_500_000_000, 250_000_000)]

    assert Node("app-0", container).consumed() == (1.5, 0.25)


def test_usage_is_per_cent_of_one_core_since_the_last_look_and_none_once_it_is_dead():
    container = Container()
    container.used = [used(0), used(10_000_000), used(0), {"cpu_stats": {}, "memory_stats": {}}]
    node = Node("app-0", container)

    assert node.usage() == (0.0, 1000)
    assert node.usage()[0] > 0
    assert node.usage() == (0.0, 1000)  # started again: its counter began anew
    assert node.usage() is None


def test_a_limit_is_given_back_as_the_compose_file_has_it(monkeypatch):
    limits = []
    node = Node("app-0", Container(cores=0.5))
    monkeypatch.setattr(node, "_limit", limits.append)
    node._container.client = type("Client", (), {"info": lambda self: {"NCPU": 4}})()

    node.throttle(0.2)
    node._container.attrs["HostConfig"]["NanoCpus"] = 200_000_000  # what the engine says from now on
    node.unthrottle()

    assert limits == [0.2, 0.5]


def test_connections_are_counted_in_the_network_of_the_process_that_listens():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        node = Node("toxiproxy", Container())
        node._pid = "self"
        assert node.users(port) == 0
        with socket.create_connection(("127.0.0.1", port)), server.accept()[0]:
            assert node.users(port) == 1
    with pytest.raises(NodeError, match="does its engine run elsewhere"):
        node.users(port)


def test_connections_with_oneself_are_none_with_others():
    line = "0: 0100007F:{port} {remote} {state} 0 0"
    sockets = [
        Socket.parse(line.format(port="1F90", remote="0100007F:9C40", state="01")),
        Socket.parse(line.format(port="1F90", remote="0000000000000000FFFF00000100007F:9C40", state="01")),
        Socket.parse(line.format(port="1F90", remote="00000000000000000000000001000000:9C40", state="01")),
        Socket.parse(line.format(port="1F90", remote="020014AC:9C40", state="01")),
    ]

    assert [one.remote.is_loopback for one in sockets] == [True, True, True, False]
    assert (str(sockets[3].remote), sockets[3].port) == ("172.20.0.2", 8080)


class Network:
    def __init__(self):
        self.did = []

    def disconnect(self, container):
        self.did.append("disconnect")

    def connect(self, container, *, aliases):
        self.did.append(("connect", aliases))


def test_an_isolated_node_comes_back_under_the_names_that_it_had():
    container, network = Container(), Network()
    container.attrs["NetworkSettings"] = {"Networks": {"store": {"NetworkID": "n1", "Aliases": ["redis", "abc"]}}}
    container.client = SimpleNamespace(networks=SimpleNamespace(get=lambda name: network))
    node = Node("redis", container)

    node.reconnect()  # never taken off
    assert node.isolate() == 1
    node.reconnect()
    node.reconnect()

    assert network.did == ["disconnect", ("connect", ["redis", "abc"])]


class Cable:
    """A system whose node is plugged in or not."""

    def __init__(self, *, connections=3, works=True):
        self.pulled = False
        self.works = works
        self.connections = lambda node: connections

    def isolate(self, node):
        self.pulled = True
        return 1

    def reconnect(self, node):
        self.pulled = False

    def probe_node(self, node, timeout):
        if self.pulled and self.works:
            raise ConnectionRefusedError
        return 0.001


def test_an_isolation_is_proved_by_a_probe_that_finds_no_way():
    system = Cable()

    proof = Isolate().apply_and_prove(system, "sidecar-0")
    Isolate().heal(system, "sidecar-0")

    assert proof == {
        "networks": 1,
        "connections": 3,
        "probe_before_ms": 1.0,
        "probe_during": "ConnectionRefusedError",
    }
    assert not system.pulled


@pytest.mark.parametrize(
    ("system", "why"), [(Cable(works=False), "still answered"), (Cable(connections=0), "talks to nobody")]
)
def test_an_isolation_that_nobody_feels_is_not_felt(system, why, monkeypatch):
    monkeypatch.setattr(Isolate, "patience", 0.05)

    with pytest.raises(NotFeltError, match=f"sidecar-0 {why}"):
        Isolate().apply_and_prove(system, "sidecar-0")


def test_what_a_node_keeps_is_counted_in_its_volumes_alone():
    assert Node("redis", Container()).keeps() == (1, ["p_redis"])


def test_a_complaint_of_the_engine_is_told_with_the_node():
    container = Container()

    def refuse(**_):
        raise APIError("no such container")

    container.kill = refuse
    with pytest.raises(NodeError, match="the engine could not kill app-0: no such container"):
        Node("app-0", container).kill()


# --- a sidecar's tap ---


@pytest.fixture(name="tap")
def _tap(tmp_path):
    run = rundir.create(tmp_path, "x", 1)
    with ports.lease() as lease, socket.create_server((ports.HOST, lease.take())) as listener:
        at = Address(host=ports.HOST, port=listener.getsockname()[1])
        with tapped.tap(run, "sidecar-0", ("/bin/sleep", "60"), at) as child:
            yield child
        assert not child.runs()


def test_a_tap_dies_stands_still_and_comes_back_with_its_container(tap):
    container = Container()
    node = Tapped("sidecar-0", container, tap)

    node.pause()
    assert tap.is_halted()
    container.attrs["State"]["Paused"] = True
    node.resume()
    assert not tap.is_halted()
    node.kill()
    assert not tap.runs()
    node.start()
    assert tap.runs()
    node.stop(0.1)
    assert not tap.runs()
    assert node.tap_death() is None


def test_a_tap_that_ends_by_itself_is_a_death_of_its_sidecar(tap, tmp_path):
    system = Compose(made(), rundir.create(tmp_path, "y", 1), composefile.Files(()))
    system._engine = SimpleNamespace(containers=SimpleNamespace(list=lambda **_: []))
    system._nodes = {"sidecar-0": Tapped("sidecar-0", Container(), tap), "app-0": Node("app-0", Container())}
    assert system.deaths() == {}

    tap._process.kill()
    tap._process.wait()

    assert system.deaths()["sidecar-0"].status == -signal.SIGKILL


# --- the compose file ---


def test_every_port_of_a_plan_has_a_variable_in_the_reference_compose_file():
    plan = made()

    files = composefile.of(plan)

    assert composefile.port("sidecars->scheduler-0") == "HARNESS_PORT_LINK_SIDECARS_SCHEDULER_0"
    assert {composefile.port(name) for name in (*plan.nodes, *plan.links)} <= files.ports
    assert {"HARNESS_PORT_SIDECAR_0_GRPC", "HARNESS_PORT_SIDECAR_1_GRPC"} <= files.ports


def test_a_compose_file_that_does_not_publish_what_the_tap_needs_is_refused_for_a_run_that_has_one(tmp_path):
    plan = made()
    file = tmp_path / "compose.yaml"
    file.write_text(plan.target.compose.read_text().replace("HARNESS_PORT_SIDECAR_1_GRPC", "SIDECAR_1_GRPC"))
    plan = plan.model_copy(update={"target": plan.target.model_copy(update={"compose": file})})

    composefile.of(plan)
    with pytest.raises(UsageError, match="publishes no port as HARNESS_PORT_SIDECAR_1_GRPC"):
        composefile.of(plan.model_copy(update={"tap": True}))


def test_a_run_tells_its_own_variables_and_takes_each_port_once(tmp_path):
    plan = made().model_copy(update={"defect": "no_dedup"})
    numbers = iter(range(20_000, 21_000))
    files = composefile.of(plan)

    told = composefile.settings(plan, rundir.create(tmp_path, "x", 1), files.ports, lambda: next(numbers))

    ports = [value for name, value in told.items() if name.startswith("HARNESS_PORT_")]
    assert len(set(ports)) == len(ports) == len(files.ports)
    assert told["HARNESS_RUN"] == str((tmp_path / "latest").resolve())
    assert told["HARNESS_JOURNAL"] == f"{told['HARNESS_RUN']}/journal"
    assert (told["DEFECT"], told["DAPR_VERSION"], told["POINTS_URL"]) == ("no_dedup", plan.dapr_version, "")


def test_more_replicas_than_the_compose_file_has_are_refused():
    plan = Request("baseline", settings=("topology.replicas=3",)).plan(1)

    with pytest.raises(UsageError, match="publishes no port as HARNESS_PORT_APP_2; the plan needs 8"):
        composefile.of(plan)


def test_a_target_without_a_compose_file_is_refused(pytestconfig):
    plan = made()
    plan = plan.model_copy(update={"target": plan.target.model_copy(update={"compose": None})})

    with pytest.raises(UsageError, match="target orders names no compose file") as refused:
        composefile.of(plan)
    assert refused.value.exit_code == Exit.USAGE


def test_an_overlay_that_is_not_there_is_refused():
    with pytest.raises(UsageError, match=r"compose\.nothing\.yaml: there is no such compose file"):
        composefile.of(made(), ["nothing"])


def test_an_overlay_that_cannot_be_judged_is_refused_for_a_run_alone(tmp_path):
    plan = made()
    base = tmp_path / "compose.yaml"
    base.write_text(plan.target.compose.read_text())
    (tmp_path / "compose.tls.yaml").write_text('x-unjudged: "the scheduler is asked in the clear"\nservices: {}\n')
    plan = plan.model_copy(update={"target": plan.target.model_copy(update={"compose": base})})

    assert len(composefile.of(plan, ["tls"], judged=False).paths) == 2
    with pytest.raises(
        UsageError, match="cannot be judged: the scheduler is asked in the clear; `harness up` takes it"
    ):
        composefile.of(plan, ["tls"])


def test_a_store_that_is_not_redis_has_an_overlay_of_its_name():
    plan = Request("baseline", store=names.Store.POSTGRES).plan(1)

    files = composefile.of(plan, ["observability"])

    expected = ["compose.yaml", "compose.postgres.yaml", "compose.observability.yaml"]
    assert [path.name for path in files.paths] == expected
    assert composefile.of(plan, ["postgres"]).paths == files.paths[:2]


@pytest.mark.parametrize("judged", [True, False])
def test_the_overlay_of_another_store_is_refused(judged):
    with pytest.raises(UsageError, match="--overlay postgres is the state store postgres: use --store postgres"):
        composefile.of(made(), ["postgres"], judged=judged)


def test_a_compose_file_without_that_store_is_refused(tmp_path):
    plan = Request("baseline", store=names.Store.POSTGRES).plan(1)
    base = tmp_path / "compose.yaml"
    base.write_text(plan.target.compose.read_text())
    plan = plan.model_copy(update={"target": plan.target.model_copy(update={"compose": base})})

    with pytest.raises(UsageError, match=r"compose\.postgres\.yaml: there is no such compose file"):
        composefile.of(plan)


@pytest.mark.parametrize(
    ("environment", "login"),
    [
        ({"POSTGRES_USER": "u", "POSTGRES_PASSWORD": "p", "POSTGRES_DB": "d"}, ("u", "p", "d")),
        ({"POSTGRES_USER": "u", "POSTGRES_PASSWORD": "p"}, ("u", "p", "u")),
        ({"POSTGRES_PASSWORD": "p"}, ("postgres", "p", "postgres")),
        (None, ("postgres", "", "postgres")),
    ],
)
def test_the_harness_logs_in_as_the_service_says(environment, login):
    found = composefile.login({"postgres": {"environment": environment}}, names.Store.POSTGRES)

    assert (found.user, found.password.get_secret_value(), found.database) == login
    assert composefile.login({"redis": {}}, names.Store.REDIS) is None


def test_each_run_has_a_password_of_its_own(tmp_path):
    plan = Request("baseline", store=names.Store.POSTGRES).plan(1)

    made_twice = [
        composefile.settings(plan, rundir.create(tmp_path, plan.scenario.name, number), (), lambda: 1)[
            "HARNESS_POSTGRES_PASSWORD"
        ]
        for number in range(2)
    ]

    assert len(set(made_twice)) == 2
    assert min(map(len, made_twice)) > 30


def test_the_compose_file_is_found_from_the_targets_description():
    assert target.load(shipped.TARGET).compose.name == "compose.yaml"


def docker(tmp_path, monkeypatch, script):
    """A `docker` that is a script, first on the PATH."""
    program = tmp_path / "docker"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    return composefile.Command(composefile.Files((tmp_path / "compose.yaml",)), "harness-a-b", {"DEFECT": "x"})


def test_what_compose_starts_is_told_as_it_happens(tmp_path, monkeypatch):
    said = []

    docker(
        tmp_path,
        monkeypatch,
        'echo " Container harness-a-b-app-0-1 Creating" >&2; echo " Container harness-a-b-app-0-1  Started" >&2; '
        f'echo "$DEFECT $*" > {tmp_path}/asked',
    ).up(["app-0"], said.append)

    assert said == ["started app-0"]
    assert (tmp_path / "asked").read_text() == (
        f"x compose --file {tmp_path}/compose.yaml --project-name harness-a-b --progress plain "
        "up --detach --no-build --pull never app-0\n"
    )


@pytest.mark.parametrize(
    ("complaint", "told"),
    [
        ("unknown flag: --file", "`docker compose` is not there; install the Compose plugin"),
        ("docker: 'compose' is not a docker command.", "`docker compose` is not there; install the Compose plugin"),
        ("no space left on device", "`docker compose config` failed: no space left on device"),
    ],
)
def test_what_compose_complains_of_is_told(tmp_path, monkeypatch, complaint, told):
    with pytest.raises(NodeError, match=told):
        docker(tmp_path, monkeypatch, f'echo "{complaint}" >&2; exit 1').services()


def test_a_compose_command_that_hangs_is_ended_with_its_plugin_and_a_sentence(tmp_path, monkeypatch):
    # The plugin has a process group of its own, as the docker command starts it.
    monkeypatch.setattr(composefile, "_SILENT_FOR", 0.5)
    command = docker(
        tmp_path, monkeypatch, f'echo " Network Creating" >&2; setsid sleep 60 & echo $! >{tmp_path}/plugin; wait'
    )

    with pytest.raises(NodeError, match=r"`docker compose up` said nothing for 0\.5 s.*the last was: Network Creating"):
        command.create("app-0")

    with suppress(psutil.NoSuchProcess):
        psutil.Process(int((tmp_path / "plugin").read_text())).wait(5)


def test_ctrl_c_ends_a_compose_command_at_once(tmp_path, monkeypatch):
    def interrupt(_):
        raise KeyboardInterrupt

    command = docker(
        tmp_path, monkeypatch, f'echo $$ >{tmp_path}/pid; echo " Container harness-a-b-app-0-1  Started" >&2; sleep 60'
    )

    with pytest.raises(KeyboardInterrupt):
        command.up(["app-0"], interrupt)

    assert not psutil.pid_exists(int((tmp_path / "pid").read_text()))


def test_without_the_docker_command_the_way_out_is_told(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(NodeError, match=r"`docker` cannot be started.*install it with its Compose plugin"):
        composefile.Command(composefile.Files(()), "p", {}).services()


# --- plans and powers ---


LEFT_IN_ENGINE = (
    r"what the run left in the engine \(toxiproxy, .*sidecar-0.*\) is removed as soon as it answers, if that is "
    r"within 10 minutes; later by `harness down --all`, or by `docker compose --project-name harness-\S+ down --volumes"
)


def silent(*_, **__):
    raise ReadTimeout("read timed out")


def test_an_engine_that_hangs_fails_the_run_with_a_sentence(tmp_path, monkeypatch):
    engine = SimpleNamespace(containers=SimpleNamespace(list=silent), close=lambda: None)
    monkeypatch.setattr(containers, "connect", lambda: engine)
    backend = Compose(made(), rundir.create(tmp_path, "x", 1), composefile.Files((tmp_path / "compose.yaml",)))
    backend._engine = engine

    with pytest.raises(NodeError, match=r"the Docker engine no longer answers \(read timed out\)"):
        backend.deaths()
    with pytest.raises(NodeError, match=LEFT_IN_ENGINE):
        backend.down()
    backend.down()  # there is no engine to ask any more


def test_who_leaves_before_all_is_removed_is_told_what_is_left(tmp_path):
    def impatient(*_, **__):
        raise KeyboardInterrupt

    backend = Compose(made(), rundir.create(tmp_path, "x", 1), composefile.Files((tmp_path / "compose.yaml",)))
    backend._engine = SimpleNamespace(containers=SimpleNamespace(list=impatient))

    with pytest.raises(LeftError, match=f"interrupted before all was removed; {LEFT_IN_ENGINE}"):
        backend.down()


def test_the_guard_asks_an_engine_that_hangs_again(tmp_path, monkeypatch):
    answers = iter([DockerException("gone"), None])
    removed = []

    def connect():
        if (error := next(answers)) is not None:
            raise NodeError("no engine") from error
        return SimpleNamespace(close=lambda: None)

    monkeypatch.setattr(containers, "connect", connect)
    monkeypatch.setattr(containers, "end_run", lambda _, run: removed.append(run))
    monkeypatch.setattr(containers, "_RETRIED_EVERY", 0.0)

    containers._watch(tmp_path)

    assert removed == [tmp_path]


REFUSED = {
    "scheduler_disk_full": "Fills",
    "rolling_upgrade": "Upgrades",
    "upgrade_rollback": "Upgrades",
    "bad_upgrade": "Upgrades",
    "scale": "Scales",
}
"""Scenario that containers cannot serve -> the power that they lack."""


def test_a_plan_is_the_same_on_both_backends_or_is_refused_for_a_power_that_containers_lack(capsys):
    refused = {}
    for name in scenarios.names():
        printed = []
        for backend in ("processes", "compose"):
            try:
                cli.app(["plan", name, "--json", "--backend", backend], standalone_mode=False)
                printed.append(capsys.readouterr().out)
            except UsageError as error:
                refused[name] = str(error)
        assert len(set(printed)) == 1, name

    assert refused.keys() == REFUSED.keys()
    for name, power in REFUSED.items():
        assert f"needs the power {power}, which the backend compose does not have" in refused[name]


def lacking(can):
    return {name for name, fault in BUILT_IN.items() if not can(fault.needs)}


@pytest.mark.parametrize(("name", "backend"), [("processes", Processes), ("compose", Compose)])
def test_a_backend_can_do_what_is_declared_and_no_more(name, backend):
    declared = base.POWERS[name]

    assert all(issubclass(backend, power) for power in declared)
    assert lacking(lambda power: issubclass(backend, power)) == lacking(
        lambda power: any(issubclass(one, power) for one in declared)
    )


def test_nodes_and_links_are_asked_alike_on_both_backends():
    plan = made()

    assert probe.of_node("placement-0", plan.target) is probe.grpc
    assert probe.of_link("client->app-0", plan.target) is probe.of_node("sidecar-1", plan.target) is probe.http
    assert probe.of_link("app-0->sidecar-0", plan.target) is probe.grpc
    assert probe.of_link("sidecar-0->redis", plan.target) is probe.redis
    assert probe.program("app-1", plan.target) is plan.target.app
    assert probe.program("sidecar-1", plan.target) is probe.program("redis", plan.target) is None


def test_containers_without_the_label_of_the_run_are_told(monkeypatch, tmp_path):
    system = Compose(made(), rundir.create(tmp_path, "x", 1), composefile.Files(()))
    monkeypatch.setattr(containers, "of_run", lambda engine, run: {"redis": Container()})

    with pytest.raises(NodeError, match=r"no container of toxiproxy, placement-0, .* has the label harness\.run"):
        system._find()


# --- what is left in the engine ---


class Thing:
    def __init__(self, run, kind):
        self.id = self.name = f"{kind} of {run}"
        self.attrs = {"Labels": {containers.LABEL: run}}
        self.store = None

    def remove(self):
        self.store.remove(self)


class Store(list):
    def list(self, filters, **_):
        wanted = filters["label"]
        name, _, value = (wanted if isinstance(wanted, str) else wanted[0]).partition("=")
        return [one for one in self if not value or one.attrs["Labels"][name] == value]

    def put(self, *things):
        for thing in things:
            thing.store = self
            self.append(thing)


class Engine:
    def __init__(self):
        self.containers, self.networks, self.volumes = Store(), Store(), Store()

    def close(self):
        pass


@pytest.fixture(name="engine")
def _engine(monkeypatch):
    engine = Engine()
    monkeypatch.setattr(containers, "connect", lambda: engine)
    return engine


def down(capsys, tmp_path, *arguments):
    cli.app(["down", "--out", str(tmp_path / "runs"), *arguments], standalone_mode=False)
    return capsys.readouterr().out.strip()


def test_down_ends_what_was_left_up_and_with_all_what_dead_runs_left_and_nothing_else(
    engine, tmp_path, monkeypatch, capsys
):
    dead, living, elsewhere = tmp_path / "dead", tmp_path / "living", tmp_path / "elsewhere"
    here = rundir.create(tmp_path / "runs", "up", 1)
    elsewhere.mkdir()
    for up in (here, rundir.RunDir(elsewhere)):
        up.stands.touch()
    monkeypatch.setattr(guard, "guarded", lambda: frozenset({living}))
    monkeypatch.setattr(guard, "owners", frozenset)
    owners = (str(dead), str(living), str(elsewhere), str(here.path), "")
    for kind, store in (("network", engine.networks), ("volume", engine.volumes)):
        store.put(*(Thing(owner, kind) for owner in owners))

    assert down(capsys, tmp_path) == "0 processes ended, 2 containers, networks and volumes removed"
    assert not here.stands.exists()
    assert down(capsys, tmp_path) == "0 processes ended, 0 containers, networks and volumes removed"
    assert down(capsys, tmp_path, "--all") == "0 processes ended, 2 containers, networks and volumes removed"
    left = [f"of {living}", f"of {elsewhere}", "of "]
    assert [thing.name for thing in engine.networks] == [f"network {name}" for name in left]
    assert [thing.name for thing in engine.volumes] == [f"volume {name}" for name in left]


@pytest.fixture(name="nowhere")
def _nowhere(monkeypatch):
    """No engine answers."""

    def refuse(**_):
        raise DockerException("connection refused")

    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
    monkeypatch.setattr(containers.docker, "from_env", refuse)


def test_without_an_engine_there_is_nothing_to_remove(nowhere, tmp_path, capsys):
    assert down(capsys, tmp_path) == "0 processes ended, 0 containers, networks and volumes removed"


def test_without_an_engine_what_is_up_in_one_is_not_forgotten(nowhere, tmp_path, capsys):
    here = rundir.create(tmp_path / "runs", "up", 1)
    here.save_endpoints('{"backend": "compose"}')
    here.stands.touch()

    with pytest.raises(NodeError, match=f"no Docker engine answers, and what is up there is left up: {here.path}"):
        down(capsys, tmp_path)

    assert here.stands.exists()


def test_without_an_engine_the_way_out_is_told(nowhere):
    with pytest.raises(NodeError, match=r"no Docker engine answers(.|\n)*start Docker, or use `--backend processes`"):
        containers.connect()


@pytest.mark.parametrize(
    ("settings", "host"),
    [({"Subnet": "172.17.0.0/16", "Gateway": "172.17.0.9"}, "172.17.0.9"), ({"Subnet": "172.17.0.0/16"}, "172.17.0.1")],
)
def test_containers_reach_this_machine_at_the_gateway_of_their_network(settings, host):
    asked = []

    def listed(filters):
        asked.append(filters)
        return [SimpleNamespace(attrs={"IPAM": {"Config": [settings]}})]

    engine = SimpleNamespace(networks=SimpleNamespace(list=listed))

    assert containers.gateway(engine, Path("/run"), "apps") == host
    assert asked == [{"label": ["harness.run=/run", "com.docker.compose.network=apps"]}]


def test_a_network_without_the_runs_label_is_told():
    with pytest.raises(NodeError, match="no network apps with the label"):
        containers.gateway(Engine(), Path("/run"), "apps")


class Images:
    def get(self, image):
        raise ImageNotFound(image)


def test_an_image_that_is_not_here_is_pulled_where_that_is_allowed(tmp_path, monkeypatch):
    docker(tmp_path, monkeypatch, f'echo "$*" >>{tmp_path}/asked')
    engine, said = Engine(), []
    engine.images = Images()

    containers.have_images(engine, {"redis:7": "missing"}, said.append)

    assert said == ["pulling redis:7"]
    assert (tmp_path / "asked").read_text() == "pull --quiet redis:7\n"


@pytest.mark.parametrize(
    ("image", "policy", "why"),
    [
        ("redis:7", "missing", "cannot be pulled (no route to host)"),
        ("ours:local", "never", "is not here"),
        ("ours:local", "build", "is not here"),
    ],
)
def test_an_image_that_cannot_be_had_is_told_with_the_way_out(image, policy, why, tmp_path, monkeypatch):
    docker(tmp_path, monkeypatch, 'echo "no route to host" >&2; exit 1')
    engine = Engine()
    engine.images = Images()

    with pytest.raises(NodeError, match=f"the image {image} {re.escape(why)}; `harness images build`"):
        containers.have_images(engine, {image: policy}, print)


def test_a_pull_that_takes_too_long_is_given_up(tmp_path, monkeypatch):
    docker(tmp_path, monkeypatch, "exec sleep 60")
    monkeypatch.setattr(containers, "_PULLED_WITHIN", 0.2)
    engine = Engine()
    engine.images = Images()

    with pytest.raises(NodeError, match=r"redis:7 cannot be pulled \(.*timed out after 0\.2 seconds"):
        containers.have_images(engine, {"redis:7": "missing"}, print)
