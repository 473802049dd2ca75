"""
Three logistics providers in one process, and the ledger of what they ship: the outside world.

    GET    /providers/{name}/quote?order_id=&quantity=    200 a price; for some orders a provider never answers
    POST   /providers/{name}/shipments                    200 committed, 422 refused, 410 cancelled, 503 try again
    DELETE /providers/{name}/shipments/{order_id}         200 cancelled, whether or not it was ever committed
    GET    /effects                                       the ledger, JSON lines
    GET    /healthz
    GET    /misbehave                                     how often each kind of misbehaviour was done so far
    PUT    /misbehave                                     set the misbehaviour from now on; answers as GET

An order's kind decides how the provider treats it. The server is aiohttp, because it can drop a connection, which is
how an answer gets lost.
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
    Return the price in cents that a provider asks for an order; None if the provider never answers for this order.

    The price follows from the names alone, so anybody can compute which choice was the cheapest. For one order in
    sixteen one provider does not answer; there is never more than one.
    """
    order = hashlib.sha256(order_id.encode()).digest()
    if order[0] < _SILENT_IN_256 and PROVIDERS[order[1] % len(PROVIDERS)] == provider:
        return None
    return 500 + 100 * quantity + hashlib.sha256(f"{provider} {order_id}".encode()).digest()[0]


async def quote(request: web.Request) -> web.Response:
    """
    Answer with a price, or do not answer in time.
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
    Cancel every shipment of an order, and let none be committed later.
    """
    return web.json_response({"cancelled": request.app[_LEDGER].cancel(request.match_info["order_id"])})


async def effects(request: web.Request) -> web.StreamResponse:
    """
    Answer with the ledger, in order of commit.
    """
    response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
    await response.prepare(request)
    for row in request.app[_LEDGER].effects():
        await response.write(json.dumps(row).encode() + b"\n")
    return response


async def healthz(_: web.Request) -> web.Response:
    """
    Answer that the service runs.
    """
    return web.json_response({"providers": PROVIDERS})


async def misbehave(request: web.Request) -> web.Response:
    """
    Misbehave as requested from now on.
    """
    try:
        request.app[_MISBEHAVIOUR].ask(await request.json())
    except (ValueError, TypeError, AttributeError) as error:
        raise web.HTTPBadRequest(text=str(error)) from error
    return await misbehaved(request)


async def misbehaved(request: web.Request) -> web.Response:
    """
    Answer how often each kind of misbehaviour was done.
    """
    return web.json_response(request.app[_MISBEHAVIOUR].done)


@web.middleware
async def troubled(request: web.Request, handler: Handler) -> web.StreamResponse:
    """
    Apply the misbehaviour only to what a provider does, not to the requests of the harness.
    """
    if not request.path.startswith("/providers/"):
        return await handler(request)
    return await request.app[_MISBEHAVIOUR].treat(request, handler)


def build(ledger: Ledger) -> web.Application:
    """
    Return the service for a ledger.
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
    Serve until the process is stopped.
    """
    environment = Environment.read()
    ledger = Ledger(environment.data / "ledger.sqlite")
    web.run_app(build(ledger), host=environment.host, port=environment.port, print=None, access_log=None)


if __name__ == "__main__":
    main()
