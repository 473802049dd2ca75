"""Waiting for what happens in another process."""

import tenacity


def until(condition):
    """For at most ten seconds."""
    tenacity.Retrying(
        stop=tenacity.stop_after_delay(10),
        wait=tenacity.wait_fixed(0.02),
        retry=tenacity.retry_if_result(lambda met: not met),
    )(condition)
