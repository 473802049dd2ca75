"""
Defects that can be planted, to show that the harness finds each of them. The variable `DEFECT` names one; without it
there is none.
"""

from __future__ import annotations

DOUBLE_SHIP = "double_ship"
"""Each try to register a shipment uses a new idempotency key."""

SKIP_RELEASE = "skip_release"
"""The compensation does not release the stock."""

EARLY_ACK = "early_ack"
"""A start is acknowledged before it is durable."""

LOST_UPDATE = "lost_update"
"""Stock is saved without checking whether somebody else has saved it since it was read."""

ALL = (DOUBLE_SHIP, SKIP_RELEASE, EARLY_ACK, LOST_UPDATE)
