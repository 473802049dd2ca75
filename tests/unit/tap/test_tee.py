"""A real tap before a real program: bytes, ends, resets, and what becomes of it with its sidecar."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from harness.backends import ports
from harness.tap import record
from harness.tap.record import What

ECHO = """
import signal, socket, struct, sys, threading
held = []
signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))
def serve(connection):
    while data := connection.recv(65536):
        if data == b"hold":
            held.append(connection)
            return connection.sendall(b"held")
        if data == b"reset":
            held[0].setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            held[0].close()
        connection.sendall(data)
    connection.sendall(b"bye")
    connection.close()
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
"""


class Tapped:
    def __init__(self, folder, port, sidecar):
        self.folder, self.port, self.sidecar = folder, port, sidecar

    @property
    def tap(self):
        listen, to = (f"127.0.0.1:{port}" for port in (self.port, self.sidecar))
        return (sys.executable, "-P", "-m", "harness.tap", listen, to, str(self.folder), "sidecar-0")

    def start(self, *command):
        command = command or (sys.executable, "-c", ECHO, str(self.sidecar))
        self.process = subprocess.Popen((*self.tap, *command), start_new_session=True, stderr=subprocess.PIPE)
        self.awaited(lambda: self.connect(self.sidecar).close() is None)
        (self.tee,) = psutil.Process(self.process.pid).children()

    @staticmethod
    def awaited(condition):
        until = time.monotonic() + 20
        while time.monotonic() < until:
            try:
                if condition():
                    return
            except OSError:
                pass
            time.sleep(0.02)
        raise TimeoutError

    def connect(self, port=None):
        return socket.create_connection(("127.0.0.1", port or self.port), 10)

    def ended(self):
        self.awaited(lambda: not self.tee.is_running() or self.tee.status() == psutil.STATUS_ZOMBIE)

    def said(self, life=1):
        chunks = list(record.read(self.folder / f"sidecar-0-{life:06d}.tap"))
        return tuple(b"".join(c.data for c in chunks if c.what == what) for what in (What.FROM_APP, What.FROM_SIDECAR))


@pytest.fixture(name="tapped")
def _tapped(tmp_path):
    with ports.lease() as lease:
        tapped = Tapped(tmp_path, lease.take(), lease.take())
        tapped.start()
        yield tapped
        with contextlib.suppress(ProcessLookupError):
            os.killpg(tapped.process.pid, signal.SIGKILL)  # also a tap that a test has stopped
        tapped.process.communicate()


def test_every_byte_passes_and_is_written_down_and_the_end_of_one_direction_too(tapped):
    sent = os.urandom(3_000_000)
    got = bytearray()
    with tapped.connect() as connection:

        def read():
            while data := connection.recv(65536):
                got.extend(data)

        reader = threading.Thread(target=read)
        reader.start()
        connection.sendall(sent)
        connection.shutdown(socket.SHUT_WR)
        reader.join(20)

    assert bytes(got) == sent + b"bye"
    assert tapped.said() == (sent, sent + b"bye")
    assert tapped.tee.memory_info().rss < 40_000_000


def test_an_end_and_a_reset_at_once_are_a_reset_and_the_tap_lives_on(tapped):
    with tapped.connect() as connection:
        connection.sendall(b"hold")
        assert connection.recv(9) == b"held"
        tapped.tee.suspend()  # so that it finds the end of one side and the reset of the other together
        connection.shutdown(socket.SHUT_WR)
        with tapped.connect(tapped.sidecar) as direct:
            direct.sendall(b"reset")
            assert direct.recv(9) == b"reset"
        tapped.tee.resume()
        with pytest.raises(ConnectionResetError):
            connection.recv(9)

    with tapped.connect() as another:
        another.sendall(b"x")
        assert another.recv(9) == b"x"


def test_one_that_does_not_read_is_not_read_from(tapped):
    with tapped.connect() as connection:
        connection.settimeout(0.5)
        with pytest.raises(TimeoutError):
            connection.sendall(bytes(100_000_000))

    assert tapped.tee.memory_info().rss < 40_000_000


def test_it_stands_still_and_dies_with_its_sidecar_and_comes_back_on_the_same_port(tapped):
    with tapped.connect() as connection:
        connection.sendall(b"one")
        assert connection.recv(9) == b"one"
        os.killpg(tapped.process.pid, signal.SIGSTOP)
        tapped.awaited(lambda: tapped.tee.status() == psutil.STATUS_STOPPED)
        os.killpg(tapped.process.pid, signal.SIGKILL)
        assert tapped.process.wait(10) == -signal.SIGKILL
        tapped.ended()
        assert connection.recv(9) == b""
    tapped.process.communicate()

    tapped.start()
    with tapped.connect() as connection:
        connection.sendall(b"two")
        assert connection.recv(9) == b"two"

    assert tapped.said(1) == (b"one", b"one")
    assert tapped.said(2)[0] == b"two"
    assert list(record.every(tapped.folder)) == ["sidecar-0"]


def test_a_sidecar_that_is_asked_to_end_ends_with_its_own_status_and_the_tap_after_it(tapped):
    os.killpg(tapped.process.pid, signal.SIGTERM)

    assert tapped.process.wait(10) == 7
    tapped.ended()
    with pytest.raises(ConnectionRefusedError):
        tapped.connect()


def test_a_sidecar_that_refuses_is_a_reset(tmp_path):
    with ports.lease() as lease:
        tapped = Tapped(tmp_path, lease.take(), lease.take())
        with subprocess.Popen((*tapped.tap, "/bin/sleep", "60"), start_new_session=True) as process:
            tapped.awaited(lambda: list(tmp_path.iterdir()) and (tapped.connect().close() is None))
            with tapped.connect() as connection, pytest.raises(ConnectionResetError):
                connection.recv(9)
            os.killpg(process.pid, signal.SIGKILL)


def test_a_tap_that_cannot_write_takes_its_sidecar_with_it(tmp_path):
    with ports.lease() as lease:
        tapped = Tapped(tmp_path / "nowhere", lease.take(), lease.take())
        done = subprocess.run(
            (*tapped.tap, "/bin/sleep", "60"), start_new_session=True, capture_output=True, timeout=20, check=False
        )

    assert done.returncode == -signal.SIGKILL
    assert b"No such file or directory" in done.stderr


def test_without_a_command_it_ends_with_the_process_that_started_it(tmp_path):
    with ports.lease() as lease:
        tapped = Tapped(tmp_path, lease.take(), lease.take())
        begin = "import subprocess, sys, time; subprocess.Popen(sys.argv[1:]); time.sleep(60)"
        with (
            subprocess.Popen((sys.executable, "-c", ECHO, str(tapped.sidecar))) as sidecar,
            subprocess.Popen((sys.executable, "-c", begin, *tapped.tap)) as starter,
        ):
            tapped.awaited(lambda: tapped.connect().close() is None and tapped.connect(tapped.sidecar).close() is None)
            (tapped.tee,) = psutil.Process(starter.pid).children()
            with tapped.connect() as connection:
                connection.sendall(b"one")
                assert connection.recv(9) == b"one"
                starter.kill()
                tapped.ended()
            sidecar.kill()
    assert tapped.said()[0] == b"one"


def test_a_torn_chunk_is_counted_and_left_out(tmp_path):
    writer = record.create(tmp_path, "sidecar-0")
    writer.write(1, 1, What.OPENED)
    writer.write(2, 1, What.FROM_APP, b"whole")
    (file,) = tmp_path.iterdir()
    whole = file.read_bytes()
    assert (record.torn(file), len(list(record.read(file)))) == (0, 2)

    for size in range(len(whole)):
        file.write_bytes(whole[:size])
        kept = [chunk.data for chunk in record.read(file)]
        edge = size in (8, 25)
        assert (kept, record.torn(file)) == ([b""] * (size >= 25), int(not edge))


def test_a_file_that_is_no_record_is_refused(tmp_path):
    file = tmp_path / "sidecar-0-000001.tap"
    file.write_bytes(b"PK\x03\x04" * 9)

    with pytest.raises(ValueError, match="not the record of a tap"):
        list(record.read(Path(file)))
