"""What an app and its sidecar say to each other, as a tap records it: HTTP/2 made by hpack and hyperframe."""

import itertools

from dapr.ext.workflow._durabletask.internal import orchestrator_service_pb2 as durabletask
from hpack import Encoder
from hyperframe.frame import DataFrame, HeadersFrame, RstStreamFrame, SettingsFrame

from harness.tap.record import Chunk, What

WORK = "/TaskHubSidecarService/GetWorkItems"
RESULT = "/TaskHubSidecarService/CompleteActivityTask"


class Wire:
    """One life of a tap, from a time on. Every chunk is one frame, one millisecond after the one before."""

    def __init__(self, begin_ns=0):
        self.begin_ns = begin_ns
        self.chunks = []
        self._coders = {}
        self._streams = {}

    @property
    def now(self):
        return self.begin_ns + len(self.chunks) * 1_000_000

    def _add(self, connection, what, data=b""):
        self.chunks.append(Chunk(self.now, connection, what, data))

    def open(self, connection):
        self._add(connection, What.OPENED)
        self._coders[connection] = {True: Encoder(), False: Encoder()}
        self._streams[connection] = itertools.count(1, 2)
        self._add(connection, What.FROM_APP, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + SettingsFrame(0).serialize())
        self._add(connection, What.FROM_SIDECAR, SettingsFrame(0).serialize())

    def close(self, connection):
        self._add(connection, What.CLOSED)

    def call(self, connection, path, **headers):
        """Begin a call; return its stream."""
        stream = next(self._streams[connection])
        self.headers(connection, stream, True, {":method": "POST", ":path": path, **headers})
        return stream

    def headers(self, connection, stream, from_app, headers):
        block = self._coders[connection][from_app].encode(list(headers.items()))
        self._frame(connection, from_app, HeadersFrame(stream, block, flags=["END_HEADERS"]))

    def say(self, connection, stream, message, *, from_app, flags=0):
        body = message if isinstance(message, bytes) else message.SerializeToString()
        self._frame(connection, from_app, DataFrame(stream, bytes([flags]) + len(body).to_bytes(4) + body))

    def reset(self, connection, stream, code):
        self._frame(connection, True, RstStreamFrame(stream, error_code=code))

    def end(self, connection, stream, status=0):
        self.headers(connection, stream, False, {"grpc-status": str(status)})

    def _frame(self, connection, from_app, frame):
        self._add(connection, What.FROM_APP if from_app else What.FROM_SIDECAR, frame.serialize())

    def deliver(self, connection, stream, instance, task, activity="ship_v1"):
        item = durabletask.WorkItem()
        item.activityRequest.name, item.activityRequest.taskId = activity, task
        item.activityRequest.workflowInstance.instanceId = instance
        self.say(connection, stream, item, from_app=False)

    def complete(self, connection, instance, task, error=None):
        stream = self.call(connection, RESULT)
        answer = durabletask.ActivityResponse(instanceId=instance, taskId=task)
        if error:
            answer.failureDetails.errorType, answer.failureDetails.errorMessage = error
        self.say(connection, stream, answer, from_app=True)
        self.end(connection, stream)

    def save(self, writer):
        for chunk in self.chunks:
            writer.write(*chunk)
