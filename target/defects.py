"""
Defects that can be planted, to show that the harness finds each of them. The variable `DEFECT` names one; without it
there is none.
"""

from __future__ import annotations

import itertools
import random
import string
import time
from collections.abc import Callable, Mapping

DOUBLE_SHIP = "double_ship"
"""Each try to register a shipment uses a new idempotency key."""

SKIP_RELEASE = "skip_release"
"""The compensation does not release the stock."""

EARLY_ACK = "early_ack"
"""A start is acknowledged before it is durable."""

LOST_UPDATE = "lost_update"
"""Stock is saved without checking whether somebody else has saved it since it was read."""

FORGOTTEN_PART = "forgotten_part"
"""The fan-in of parallel_v1 leaves out what the last of its activities gives."""

TIMEOUT_IGNORED = "timeout_ignored"
"""approve_order_v1 processes an order that has timed out, too."""

EARLY_POLL = "early_poll"
"""watch_shipment_v1 waits half as long between two polls."""

RANDOM_NUMBER = "random_number"
"""The workflow's code takes a random number into what it orders."""

CLOCK = "clock"
"""The workflow's code takes the time of the machine into what it orders."""

SET_ORDER = "set_order"
"""The workflow's code takes the order of a set into what it orders. It differs from process to process."""

GLOBAL_COUNTER = "global_counter"
"""The workflow's code takes a counter of its process into what it orders."""

_counter = itertools.count()

MARKS: Mapping[str, Callable[[], object]] = {
    RANDOM_NUMBER: random.random,
    CLOCK: time.time_ns,
    SET_ORDER: lambda: list(set(string.ascii_letters)),
    GLOBAL_COUNTER: lambda: next(_counter),
}
"""What these four take, each time that the code is executed."""

ALL = (DOUBLE_SHIP, SKIP_RELEASE, EARLY_ACK, LOST_UPDATE, FORGOTTEN_PART, TIMEOUT_IGNORED, EARLY_POLL, *MARKS)
