"""
The program that becomes a PostgreSQL server: it fills the server's folder if that is empty, and then executes the
server in its place, so that the node's process is the server itself.

    python -P -m harness.backends.postgresstart POSTGRES FOLDER HOST PORT

The environment variable POSTGRES_PASSWORD has the password of the user `dapr`. The server listens on TCP alone, and
asks everybody for it: who may log in as its first user can run any program as the server's owner. PostgreSQL refuses to
run as root; if root starts it, `nobody` runs it, and owns its folder.
"""

from __future__ import annotations

import os
import pwd
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

USER = "dapr"
"""The first user of the server."""
DATABASE = "postgres"
PASSWORD = "POSTGRES_PASSWORD"  # noqa: S105 - the name of a variable
_OWNER = "nobody"
_SETTINGS = """
listen_addresses = '{host}'
port = {port}
unix_socket_directories = ''
# A sidecar's pool is as large as the machine has cores (pgxpool, pool_max_conns).
max_connections = 1000
# In files of this folder, and not of the machine: a server that is killed leaves nothing there.
dynamic_shared_memory_type = mmap
"""


def main(words: Sequence[str]) -> None:
    """
    Do what the module says. Ends with a sentence if the server's folder cannot be filled.
    """
    program, folder, host, port = words
    password = os.environ.pop(PASSWORD)
    data = Path(folder)
    owner = pwd.getpwnam(_OWNER) if os.geteuid() == 0 else None
    if owner is not None:
        os.chown(data, owner.pw_uid, owner.pw_gid)
    data.chmod(0o700)
    if not any(data.iterdir()):
        _fill(Path(program).resolve().with_name("initdb"), data, password, owner)
        with (data / "postgresql.conf").open("a", encoding="utf-8") as file:
            file.write(_SETTINGS.format(host=host, port=port))
    if owner is not None:  # last, as this user may not reach our own modules
        os.setgroups([])
        os.setgid(owner.pw_gid)
        os.setuid(owner.pw_uid)
    os.execv(program, [program, "-D", str(data)])  # noqa: S606 - without a shell


def _fill(initdb: Path, data: Path, password: str, owner: pwd.struct_passwd | None) -> None:
    """
    Make the server's folder. A run does not outlive a crash of the machine, so nothing needs to be on the disk yet.
    """
    user, group, groups = (None, None, None) if owner is None else (owner.pw_uid, owner.pw_gid, ())
    with tempfile.NamedTemporaryFile("w", encoding="utf-8") as file:
        if owner is not None:
            os.fchown(file.fileno(), owner.pw_uid, owner.pw_gid)
        file.write(password)
        file.flush()
        words = ("-D", data, "-U", USER, "--auth=scram-sha-256", f"--pwfile={file.name}", "--encoding=UTF8")
        command = (initdb, *words, "--no-locale", "--no-sync")
        done = subprocess.run(
            command, stdout=subprocess.DEVNULL, check=False, user=user, group=group, extra_groups=groups
        )
    if done.returncode != 0:
        hint = f"; PostgreSQL refuses to be root, so {_OWNER} runs it, and must be able to reach {data} (--out)"
        sys.exit(f"{initdb} ended with exit status {done.returncode}{hint if owner else ''}")


if __name__ == "__main__":
    main(sys.argv[1:])
