"""A made-up sidecar that speaks as Dapr does with workers, for what stands between the two."""

import asyncio
from contextlib import asynccontextmanager

import grpc
from dapr.ext.workflow._durabletask.internal import orchestrator_service_pb2 as durabletask

from harness.backends import ports
from harness.tap import record
from harness.tap.act import Act
from harness.tap.acting import Acting

WORK = "/TaskHubSidecarService/GetWorkItems"
TURN_ENDS = "/TaskHubSidecarService/CompleteOrchestratorTask"
SAVE = "/dapr.proto.runtime.v1.Dapr/SaveState"
ACTIVITY_ENDS = "/TaskHubSidecarService/CompleteActivityTask"


class Sidecar(grpc.GenericRpcHandler):
    """Hands out work, and takes answers down."""

    def __init__(self):
        self.work = asyncio.Queue()
        self.answers = []
        self.results = []
        self.saved = []

    def service(self, details):
        behaviour = {WORK: self.hand_out, TURN_ENDS: self.take, ACTIVITY_ENDS: self.take_result, SAVE: self.save}.get(
            details.method, self.refuse
        )
        return grpc.stream_stream_rpc_method_handler(behaviour)

    async def hand_out(self, requests, context):
        while (item := await self.work.get()) is not None:
            yield item

    async def take(self, requests, context):
        async for request in requests:
            self.answers.append(durabletask.WorkflowResponse.FromString(request))
        yield b""

    async def take_result(self, requests, context):
        async for request in requests:
            self.results.append(durabletask.ActivityResponse.FromString(request))
        yield b""

    async def save(self, requests, context):
        async for request in requests:
            self.saved.append(request)
            if request == b"stale":
                await context.abort(grpc.StatusCode.ABORTED, "another etag")
        yield b""

    async def refuse(self, requests, context):
        async for request in requests:
            assert request == b"asked"
        metadata = dict(context.invocation_metadata())
        assert metadata["dapr-app-id"] == "orders"
        assert metadata[record.AGENT].startswith("grpc-python-asyncio"), "what the worker calls itself"
        context.set_trailing_metadata((("why", "not here"),))
        await context.abort(grpc.StatusCode.NOT_FOUND, "no such thing")
        yield b""


@asynccontextmanager
async def serving(handler):
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((handler,))
    with ports.lease() as lease:
        at = f"127.0.0.1:{lease.take()}"
        server.add_insecure_port(at)
        await server.start()
        try:
            yield at
        finally:
            await server.stop(0)


@asynccontextmanager
async def tapped(journal, **options):
    """A made-up sidecar, and the address at which its acting tap listens."""
    sidecar = Sidecar()
    async with serving(sidecar) as at, serving(Acting(act(at, **options), journal)) as tap:
        yield sidecar, tap


def act(sidecar, *, share=0.0, node="sidecar-0", peers=None, url="", points=(), operations=()):
    return Act("", sidecar, node, "", share, peers or {}, url, points, operations)
