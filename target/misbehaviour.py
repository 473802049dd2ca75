"""
Misbehaviour that the providers show on request (docs/target-contract.md, "Services that misbehave").

Which requests are affected follows from counting, not from chance: with a share of 0.25 it is every fourth.
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
    What is done to requests: the shares that are requested now, and how often each kind has been done so far.

    errors: the answer is 503, and nothing happened. slow: the request is handled `delay` seconds later. lost: the
    request is handled, and the connection breaks in place of the answer. twice: the request is handled two times, as if
    a proxy had lost the answer and repeated the request.

    A request never gets two answers: in HTTP/1.1 the second could not be told from the answer to the next request.
    """

    def __init__(self) -> None:
        self.done: Counter[str] = Counter(dict.fromkeys(SHARES, 0))
        self._shares: Mapping[str, float] = {}
        self._delay = 0.0
        self._met: Counter[str] = Counter()

    def ask(self, wanted: Mapping[str, float]) -> None:
        """
        Set the misbehaviour from now on. Raises ValueError for an unknown share, or one that is not from 0 to 1.
        """
        shares = {name: share for name, share in wanted.items() if name != "delay"}
        unknown = sorted(shares.keys() - set(SHARES))
        if unknown or not all(0 <= share <= 1 for share in shares.values()):
            raise ValueError(f"expected shares from 0 to 1 of {', '.join(SHARES)}, and delay; found {dict(wanted)}")
        self._shares, self._delay = shares, wanted.get("delay", 0.0)
        self._met.clear()

    async def treat(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """
        Handle a request, with the misbehaviour that is requested now.
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
        Return whether this request is affected. With a share s, floor(n * s) of the first n requests are affected.
        """
        share = self._shares.get(name, 0.0)
        self._met[name] += 1
        turn = math.floor(self._met[name] * share) > math.floor((self._met[name] - 1) * share)
        self.done[name] += turn
        return turn
