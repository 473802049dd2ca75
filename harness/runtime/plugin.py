"""
The Compose plugin of the docker command, for machines whose distribution has none or only one that is too old.
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
    Build the plugin into the cache, link it to the folder in which docker looks for plugins, and return its version.

    A plugin that is already there and is not the harness's is not replaced. Raises ProvisionError in that case, or if
    the plugin cannot be built or linked.
    """
    located = provision(dapr_version=DAPR, progress=progress, of=for_docker)["docker-compose"]
    folder = Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker", "cli-plugins")
    link = folder / "docker-compose"
    if link.exists() and not link.samefile(located.path):
        raise ProvisionError(f"{link} is there already; if it does not work, remove it and try again")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        link.unlink(missing_ok=True)  # it may be a link to a file that does not exist any more
        link.symlink_to(located.path)
    except OSError as error:
        raise ProvisionError(f"{link} cannot be made: {error}") from error
    return located.version
