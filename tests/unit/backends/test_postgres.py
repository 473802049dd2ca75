"""PostgreSQL as the state store: a real server, as a node that is killed whole, and as a witness that is read."""

import shutil
import signal
import time
from pathlib import Path

import psutil
import psycopg
import pytest
from pydantic import SecretStr

from harness import rundir
from harness.backends import groups, ports, postgresstore, probe, ready, sharedmemory, store
from harness.backends.endpoints import Address
from harness.backends.postgresnode import PostgresNode
from harness.backends.topology import Topology
from harness.errors import EvidenceError
from harness.evidence.engine import Engine
from harness.faults.base import NotFeltError
from harness.faults.process import Kill, Pause, Stop
from harness.faults.store import Disconnect, ReadOnly
from harness.names import Store
from harness.planning import plan, scenario, target
from tests.builders import postgres

pytestmark = pytest.mark.skipif(not postgres.HERE, reason="PostgreSQL is not installed")

TABLE = """
CREATE TABLE state (
  key text NOT NULL PRIMARY KEY, value bytea NOT NULL, etag uuid NOT NULL DEFAULT gen_random_uuid(),
  created_at timestamptz NOT NULL DEFAULT now(), updated_at timestamptz, expires_at timestamptz
)
"""
BINARIES = ("daprd", "placement", "scheduler", "toxiproxy-server")


class System:
    """A backend of one node, with the powers that faults of a store need."""

    def __init__(self, node, at):
        self.node = node
        self.at = at

    def store(self):
        return self.at

    def kill(self, _):
        return self.node.kill()

    def stop(self, _, grace):
        return self.node.stop(grace)

    def start(self, _):
        self.node.spawn()
        self.node.await_ready()

    def pause(self, _):
        self.node.pause()

    def resume(self, _):
        self.node.resume()

    def probe_node(self, _, timeout):
        return probe.postgres(self.at, timeout)

    def processes(self):
        parent = psutil.Process(self.node._process.pid)
        return [parent, *parent.children(recursive=True)]

    def connect(self, user=None):
        return psycopg.connect(
            hostaddr=self.at.host,
            port=self.at.port,
            user=user or "dapr",
            password=self.at.login.password.get_secret_value(),
            dbname="postgres",
            autocommit=True,
        )


@pytest.fixture(name="made", scope="module")
def _made(pytestconfig):
    read = scenario.load(
        pytestconfig.rootpath / "tests/targets/payments_sidecar_kill.yaml", ["topology.store=postgres"]
    )
    return plan.make(read, target.load(read.target), seed=1, dapr_version="1.18.2")


@pytest.fixture(name="topology", scope="module")
def _topology(made):
    with ports.lease() as lease, postgres.folder() as folder:
        binaries = {name: Path(name) for name in BINARIES} | {"postgres": Path(shutil.which("postgres"))}
        yield Topology(
            made, rundir.create(folder, "made", 1), binaries, lambda: Address(host=ports.HOST, port=lease.take())
        )


@pytest.fixture(name="server", scope="module")
def _server(topology):
    spec = next(spec for stage in topology.stages() for spec in stage if spec.name == "postgres")
    node = PostgresNode(spec)
    node.spawn()
    try:
        node.await_ready()
        system = System(node, topology.store)
        with system.connect() as connection:
            connection.execute(TABLE)
        yield system
    finally:
        node.end()


@pytest.fixture(name="system")
def _system(server):
    with server.connect() as connection:
        connection.execute("DELETE FROM state")
    return server


def lives(process):
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


def put(system, rows, **columns):
    with system.connect() as connection:
        for key, value in rows.items():
            names, values = ("key", "value", *columns), (key, value, *columns.values())
            connection.execute(
                f"INSERT INTO state ({', '.join(names)}) VALUES ({', '.join(['%s'] * len(values))})", values
            )


def test_rows_are_read_as_dapr_reads_them(system, monkeypatch):
    monkeypatch.setattr(postgresstore, "_PAGE", 2)
    put(system, {"a*b": b"1", "a*c": b"\x00\xff", "a*d": b"3", "a%": b"4", "b": b"5"})
    put(system, {"a*e": b"gone"}, expires_at="2020-01-01")

    with store.connect(system.at) as rows:
        assert list(rows.keys("a*")) == [["a*b", "a*c"], ["a*d"]]
        assert [key for page in rows.keys("") for key in page] == ["a%", "a*b", "a*c", "a*d", "b"]
        assert rows.values(["b", "nobody", "a*c", "a*e"]) == [b"5", None, b"\x00\xff", None]
        assert rows.value("a%") == b"4"
        assert rows.values([]) == []


def test_an_instance_reads_the_same_as_from_redis(system, made):
    from tests.unit.evidence.test_tables_and_collectors import ENDED, PREFIX, STARTED, event, store_instance

    class Hashes:
        """What `store_instance` writes, as rows of the table, and as a store of rows in memory."""

        def __init__(self):
            self.rows = {}

        def hset(self, key, mapping):
            self.rows[key] = mapping["data"]

        def keys(self, prefix):
            yield [key for key in self.rows if key.startswith(prefix)]

        def values(self, keys):
            return [self.rows.get(key) for key in keys]

        def value(self, key):
            return self.rows.get(key)

        def close(self):
            pass

    hashes = Hashes()
    store_instance(hashes, "a", STARTED, inbox=[event(-1, "taskCompleted", 140, taskScheduledId=0)])
    store_instance(hashes, "b", ENDED)
    put(system, hashes.rows)
    assert all(key.startswith(PREFIX) for key in hashes.rows)

    raw, in_memory = Engine(system.at, made.target), Engine(system.at, made.target)
    in_memory._store = hashes
    assert list(raw.rows()) == list(in_memory.rows())
    assert raw.owners() == in_memory.owners() == {"a": None, "b": None}
    assert raw.events("a") == in_memory.events("a")
    assert raw.states(["a", "b", "c"], "result") == in_memory.states(["a", "b", "c"], "result")
    assert list(raw.standing(["a", "c"])) == list(in_memory.standing(["a", "c"]))
    raw.close()


def test_a_kill_ends_every_process_and_what_was_written_is_there_when_it_is_back(system):
    put(system, {"kept": b"1"})
    before = system.processes()
    reader = store.connect(system.at)
    assert reader.value("kept") == b"1"

    proof = Kill().apply_and_prove(system, "postgres")

    assert proof["status"] == -signal.SIGKILL
    assert len(before) > 3
    assert not any(map(lives, before))
    with pytest.raises(EvidenceError, match="the state store could not be read: "):
        reader.value("kept")
    assert not ready.serves(system.at)
    Kill().heal(system, "postgres")
    assert reader.value("kept") == b"1", "the same reader connects again"
    reader.close()


def test_a_connection_that_broke_since_the_last_question_is_made_again(system):
    put(system, {"kept": b"1"})
    with store.connect(system.at) as reader:
        reader.greet()
        system.kill("postgres")
        system.start("postgres")

        assert reader.value("kept") == b"1"


def test_a_stop_does_not_wait_for_those_who_are_connected(system):
    with system.connect() as connection:
        connection.execute("SELECT 1")
        proof = Stop(grace=20).apply_and_prove(system, "postgres")

    assert proof["status"] == 0
    Stop().heal(system, "postgres")


def test_all_of_a_paused_server_stands_still(system):
    with store.connect(system.at, timeout=3) as reader:
        reader.greet()
        Pause().apply_and_prove(system, "postgres")
        try:
            assert not [each for each in system.processes() if lives(each) and not groups.halted(each.pid)]
            began = time.monotonic()
            with pytest.raises(EvidenceError, match=r"the state store did not answer in 3 s"):
                reader.greet()
            assert time.monotonic() - began < 20
        finally:
            Pause().heal(system, "postgres")
        reader.greet()


def test_a_paused_server_can_be_killed(system):
    before = system.processes()
    system.pause("postgres")

    system.kill("postgres")

    assert not any(map(lives, before))
    system.start("postgres")


def test_the_harness_s_own_connections_are_neither_closed_nor_counted(system):
    with store.connect(system.at) as ours, system.connect() as theirs:
        ours.greet()
        assert Disconnect().apply_and_prove(system, "postgres") == {"closed": 1}
        with pytest.raises(psycopg.OperationalError):
            theirs.execute("SELECT 1")
        with pytest.raises(NotFeltError, match="postgres had no connection to close"):
            Disconnect().apply_and_prove(system, "postgres")


def test_open_sessions_are_read_only_too_until_it_is_healed(system):
    with system.connect() as theirs:
        assert "read-only transaction" in ReadOnly().apply_and_prove(system, "postgres")["refusal"]
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            theirs.execute("DELETE FROM state")
        ReadOnly().heal(system, "postgres")
        theirs.execute("DELETE FROM state")
    with store.connect(system.at) as reader:
        assert list(reader.keys("")) == [[]], "the write that was tried left nothing behind"


def test_cpu_and_memory_are_those_of_all_its_processes(system):
    alone = psutil.Process(system.node._process.pid).memory_info().rss
    system.node.usage()
    with system.connect() as connection:
        connection.execute("SELECT count(*) FROM generate_series(1, 1000000)")
        cpu, memory = system.node.usage()

    assert cpu >= 0
    assert memory > alone


def test_nobody_gets_in_without_the_password(system):
    login = system.at.login.model_copy(update={"password": SecretStr("guessed")})
    stranger = system.at.model_copy(update={"login": login})

    with pytest.raises(EvidenceError, match="password"), store.connect(stranger) as reader:
        reader.greet()


def test_the_password_is_in_no_command_and_no_file_of_the_run(topology, system):
    secret = system.at.login.password.get_secret_value()
    specs = {spec.name: spec for stage in topology.stages() for spec in stage}

    assert not any(secret in word for spec in specs.values() for word in spec.command)
    assert secret not in system.at.model_dump_json() + repr(system.at)
    assert secret not in "".join(system.processes()[0].environ().values())
    assert f"password={secret} " in specs["sidecar-0"].env["POSTGRES_CONNECTION"]
    assert "REDIS_HOST" not in specs["sidecar-0"].env
    run = Path(specs["postgres"].folder).parents[1]
    assert not [file for file in run.rglob("*") if file.is_file() and secret.encode() in file.read_bytes()]


def test_shared_memory_is_removed_only_if_a_dead_server_made_it(system, tmp_path):
    data = Path(system.node.spec.folder)
    assert not sharedmemory.remove(data), "it is in use"
    assert not sharedmemory.remove(tmp_path), "there is no server"
    lock = (data / "postmaster.pid").read_text()

    system.kill("postgres")
    (tmp_path / "postmaster.pid").write_text(lock.replace(lock.splitlines()[0], "1", 1))
    assert not sharedmemory.remove(tmp_path), "somebody else made it"
    assert sharedmemory.remove(data)
    assert not sharedmemory.remove(data)
    system.start("postgres")


def test_a_store_that_is_away_is_told(made):
    with ports.lease() as lease:
        away = Address(host=ports.HOST, port=lease.take())
    at = postgresstore.StoreAddress(host=away.host, port=away.port, kind=Store.POSTGRES)

    with pytest.raises(EvidenceError, match="the state store could not be read: "), store.connect(at) as reader:
        reader.greet()
    assert not ready.serves(at)
