"""
Defects that can be planted, each to show that the harness finds it. `DEFECT` names one; without it there is none.
"""

from __future__ import annotations

DOUBLE_SHIP = "double_ship"
"""Each try to register a shipment takes a new idempotency key."""

SKIP_RELEASE = "skip_release"
"""Compensation forgets to release the stock."""

EARLY_ACK = "early_ack"
"""A start is acknowledged first and made durable later."""

LOST_UPDATE = "lost_update"
"""Stock is saved without looking whether somebody else saved it meanwhile."""

ALL = (DOUBLE_SHIP, SKIP_RELEASE, EARLY_ACK, LOST_UPDATE)
