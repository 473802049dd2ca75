"""
Three logistics providers in one process, and the ledger of what they ship: the outside world.

    GET    /providers/{name}/quote?order_id=&quantity=    200 a price; some never answer for some orders
    POST   /providers/{name}/shipments                    200 committed, 422 refused for good, 410 cancelled, 503
    DELETE /providers/{name}/shipments/{order_id}         200 cancelled, whether or not it was ever committed
    GET    /effects                                       the ledger, JSON lines
    GET    /healthz
    GET    /misbehave                                     how often each kind of trouble was made so far
    PUT    /misbehave                                     the same, after it was said what to make from now on

An order's kind says how the provider treats it. Served by aiohttp, which can drop a connection as a lost answer does.
"""

from __future__ import annotations

import asyncio
import hashlib
import json

from aiohttp import web

from target.contract import Environment
from target.ledger import ClosedError, Ledger, Shipment
from target.logistics import PROVIDERS
from target.misbehaviour import Handler, Misbehaviour

REFUSED = "refused"
FLAKY = "flaky"
LOST_ANSWER = "lost_answer"
LOST_FOR_GOOD = "lost_for_good"

_FLAKY_TRIES = 2
_SILENCE = 5.0
_SILENT_IN_256 = 16
_LEDGER = web.AppKey("ledger", Ledger)
_MISBEHAVIOUR = web.AppKey("misbehaviour", Misbehaviour)


def price(provider: str, order_id: str, quantity: int) -> int | None:
    """
    What a provider asks for an order, in cents; None if it never answers for this one.

    It follows from the names alone, so that anybody can work out what the cheapest choice was. For one order in
    sixteen one provider keeps silent, never more than one.
    """
    order = hashlib.sha256(order_id.encode()).digest()
    if order[0] < _SILENT_IN_256 and PROVIDERS[order[1] % len(PROVIDERS)] == provider:
        return None
    return 500 + 100 * quantity + hashlib.sha256(f"{provider} {order_id}".encode()).digest()[0]


async def quote(request: web.Request) -> web.Response:
    """
    A price, or silence.
    """
    asked = price(request.match_info["name"], request.query["order_id"], int(request.query["quantity"]))
    if asked is None:
        await asyncio.sleep(_SILENCE)
        raise web.HTTPServiceUnavailable
    return web.json_response({"price": asked})


async def ship(request: web.Request) -> web.Response:
    """
    Commit a shipment, unless the order's kind says otherwise.
    """
    ledger = request.app[_LEDGER]
    order = await request.json()
    order_id, kind = order["order_id"], order["kind"]
    if kind == REFUSED:
        raise web.HTTPUnprocessableEntity(text="this provider does not ship such orders")
    count = ledger.tried(order_id)
    if kind == FLAKY and count <= _FLAKY_TRIES:
        raise web.HTTPServiceUnavailable(text="try again")
    shipment = Shipment(order_id, request.match_info["name"], order["quantity"], order["price"])
    try:
        shipped = ledger.ship(request.headers["Idempotency-Key"], shipment)
    except ClosedError as error:
        raise web.HTTPGone(text=str(error)) from error
    answer_is_lost = kind == LOST_FOR_GOOD or (kind == LOST_ANSWER and count == 1)
    if answer_is_lost and request.transport is not None:
        request.transport.abort()
    return web.json_response({"shipment": shipped})


async def cancel(request: web.Request) -> web.Response:
    """
    Cancel what was shipped for an order, and whatever might still be.
    """
    return web.json_response({"cancelled": request.app[_LEDGER].cancel(request.match_info["order_id"])})


async def effects(request: web.Request) -> web.StreamResponse:
    """
    The ledger, in order of commit.
    """
    response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
    await response.prepare(request)
    for row in request.app[_LEDGER].effects():
        await response.write(json.dumps(row).encode() + b"\n")
    return response


async def healthz(_: web.Request) -> web.Response:
    """
    Here.
    """
    return web.json_response({"providers": PROVIDERS})


async def misbehave(request: web.Request) -> web.Response:
    """
    Make trouble as asked.
    """
    try:
        request.app[_MISBEHAVIOUR].ask(await request.json())
    except (ValueError, TypeError, AttributeError) as error:
        raise web.HTTPBadRequest(text=str(error)) from error
    return await misbehaved(request)


async def misbehaved(request: web.Request) -> web.Response:
    """
    How often which trouble was made.
    """
    return web.json_response(request.app[_MISBEHAVIOUR].done)


@web.middleware
async def troubled(request: web.Request, handler: Handler) -> web.StreamResponse:
    """
    Only what a provider does can go wrong; what the harness asks for cannot.
    """
    if not request.path.startswith("/providers/"):
        return await handler(request)
    return await request.app[_MISBEHAVIOUR].treat(request, handler)


def build(ledger: Ledger) -> web.Application:
    """
    The service over a ledger.
    """
    app = web.Application(middlewares=[troubled])
    app[_LEDGER] = ledger
    app[_MISBEHAVIOUR] = Misbehaviour()
    app.add_routes(
        [
            web.get("/providers/{name}/quote", quote),
            web.post("/providers/{name}/shipments", ship),
            web.delete("/providers/{name}/shipments/{order_id}", cancel),
            web.get("/effects", effects),
            web.get("/healthz", healthz),
            web.get("/misbehave", misbehaved),
            web.put("/misbehave", misbehave),
        ]
    )
    return app


def main() -> None:
    """
    Serve until stopped.
    """
    environment = Environment.read()
    ledger = Ledger(environment.data / "ledger.sqlite")
    web.run_app(build(ledger), host=environment.host, port=environment.port, print=None, access_log=None)


if __name__ == "__main__":
    main()
