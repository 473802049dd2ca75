"""A Locust that the harness started is ended, also if it hangs."""

import signal
import subprocess
import sys
import threading
import time

import pytest

from harness.load.generators import Locust
from harness.rundir import create


@pytest.fixture(name="locust")
def _locust(tmp_path):
    """A generator whose process is stopped, so that it heeds no SIGTERM."""
    locust = Locust(create(tmp_path, "x", 1), tmp_path)
    locust._process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    locust._process.send_signal(signal.SIGSTOP)
    yield locust
    locust._process.kill()
    locust._process.wait()


def test_whoever_interrupts_the_end_of_a_locust_that_hangs_does_not_wait_for_it(locust):
    began = time.monotonic()
    threading.Timer(0.3, signal.raise_signal, (signal.SIGINT,)).start()

    with pytest.raises(KeyboardInterrupt):
        locust.stop()

    assert time.monotonic() - began < 20
    assert locust._process.returncode == -signal.SIGKILL
    locust.stop()  # there is nothing to end any more
