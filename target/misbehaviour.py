"""
Trouble that the providers make when they are told to (docs/target-contract.md, "Services that misbehave").

Which requests meet it follows from counting, not from chance: of a share of 0.25 every fourth.
"""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping

from aiohttp import web

SHARES = ("errors", "slow", "lost", "twice")

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Misbehaviour:
    """
    What is done to requests: the shares that are asked for now, and how often each was done so far.

    errors: 503, and nothing happened. slow: `delay` seconds later than else. lost: done, and the connection breaks
    in place of the answer. twice: done two times, as a proxy has it that repeats a request whose answer it lost.

    Not two answers to one request: HTTP/1.1 has no way to tell the second from the answer to the next request.
    """

    def __init__(self) -> None:
        self.done: Counter[str] = Counter(dict.fromkeys(SHARES, 0))
        self._shares: Mapping[str, float] = {}
        self._delay = 0.0
        self._met: Counter[str] = Counter()

    def ask(self, wanted: Mapping[str, float]) -> None:
        """
        From now on misbehave so. Raises ValueError for a share that is not known, or not from 0 to 1.
        """
        shares = {name: share for name, share in wanted.items() if name != "delay"}
        unknown = sorted(shares.keys() - set(SHARES))
        if unknown or not all(0 <= share <= 1 for share in shares.values()):
            raise ValueError(f"expected shares from 0 to 1 of {', '.join(SHARES)}, and delay; found {dict(wanted)}")
        self._shares, self._delay = shares, wanted.get("delay", 0.0)
        self._met.clear()

    async def treat(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """
        Handle a request, as well as is asked for.
        """
        if self._meets("slow"):
            await asyncio.sleep(self._delay)
        if self._meets("errors"):
            raise web.HTTPServiceUnavailable(text="told to fail")
        if self._meets("twice"):
            await handler(request)
        response = await handler(request)
        if self._meets("lost") and request.transport is not None:
            request.transport.abort()
        return response

    def _meets(self, name: str) -> bool:
        """
        Is it this request's turn? Of a share s, n requests meet floor(n * s).
        """
        share = self._shares.get(name, 0.0)
        self._met[name] += 1
        turn = math.floor(self._met[name] * share) > math.floor((self._met[name] - 1) * share)
        self.done[name] += turn
        return turn
