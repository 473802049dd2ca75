"""
Defects that can be planted: the variable DEFECT names one. Without it there is none.
"""

from __future__ import annotations

import itertools
import os
import random
import string
import time

DOUBLE_SHIP = "double_ship"
SKIP_RELEASE = "skip_release"
LOST_UPDATE = "lost_update"

PLANTED = os.environ.get("DEFECT", "")

_counter = itertools.count()

MARKS = {
    "random_number": random.random,
    "clock": time.time_ns,
    "set_order": lambda: list(set(string.ascii_letters)),
    "global_counter": lambda: next(_counter),
}
"""What four more defects take into what the workflow orders, each time that its code is executed."""
