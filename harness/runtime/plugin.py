"""
The Compose plugin of the docker command, where the distribution has none or one that is too old.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from harness.errors import ProvisionError
from harness.runtime.parts import for_docker
from harness.runtime.provision import provision
from harness.runtime.versions import DAPR


def install(progress: Callable[[str], None]) -> str:
    """
    Build it into the cache, link it to where docker looks for its plugins, and return its version.

    A plugin that somebody else put there is left alone. Raises ProvisionError if it cannot be built or linked.
    """
    located = provision(dapr_version=DAPR, progress=progress, of=for_docker)["docker-compose"]
    folder = Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker", "cli-plugins")
    link = folder / "docker-compose"
    if link.exists() and not link.samefile(located.path):
        raise ProvisionError(f"{link} is there already; if it does not work, remove it and try again")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        link.unlink(missing_ok=True)  # a link that leads nowhere
        link.symlink_to(located.path)
    except OSError as error:
        raise ProvisionError(f"{link} cannot be made: {error}") from error
    return located.version
