"""A real PostgreSQL server in a folder of its own, on loopback, where its programs are installed."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path

from harness.backends import ports

PROGRAMS = ("initdb", "postgres")
HERE = all(shutil.which(program) for program in PROGRAMS)
_FAST = ("-c", "fsync=off", "-c", "shared_buffers=16MB", "-c", "max_connections=20")


@contextmanager
def folder():
    """A folder that `nobody` can reach, as whom the harness runs the server if root runs the harness."""
    with tempfile.TemporaryDirectory(prefix="harness-postgres-", dir="/tmp") as made:
        Path(made).chmod(0o755)
        yield Path(made)


@contextmanager
def server():
    """A server whose superuser is `owner`, who needs no password; everybody else needs one. Yields (port, process)."""
    user = pwd.getpwnam("nobody") if os.geteuid() == 0 else None  # it refuses to be root
    run_as = {"user": user.pw_uid, "group": user.pw_gid} if user else {}
    with tempfile.TemporaryDirectory(prefix="harness-postgres-", dir="/tmp") as home, ports.lease() as lease:
        if user:
            os.chown(home, user.pw_uid, user.pw_gid)
        data, port = Path(home) / "data", lease.take()
        made = ["initdb", "-D", data, "-U", "owner", "--auth=trust", "--no-sync", "--encoding=UTF8", "--no-locale"]
        subprocess.run(made, check=True, capture_output=True, cwd=home, **run_as)
        rules = "host all owner 127.0.0.1/32 trust\nhost all all 127.0.0.1/32 scram-sha-256\n"
        (data / "pg_hba.conf").write_text(rules)
        command = ["postgres", "-D", data, "-p", str(port), "-h", "127.0.0.1", "-k", home, *_FAST]
        with (Path(home) / "log").open("wb") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log, cwd=home, **run_as)
        try:
            yield port, process
        finally:
            process.send_signal(signal.SIGCONT)  # a test may have stopped it
            process.send_signal(signal.SIGQUIT)  # at once: it waits for no client
            process.wait(60)
