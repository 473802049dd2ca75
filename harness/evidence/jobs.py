"""
What the scheduler still holds: the jobs that would wake workflows and activities, as the scheduler itself lists them.

Dapr 1.18 drives a workflow by actor reminders. Each reminder is a job in the scheduler's own etcd. The scheduler tries
it again every second, until a sidecar says that it is done (pkg/actors/targets/workflow/orchestrator/reminder.go,
activity/reminder.go).

The scheduler is asked directly, not through Toxiproxy, by ListJobs of dapr/proto/scheduler/v1/scheduler.proto, about
the two actor types of each of the target's applications. Dapr's Python packages contain no stub for this, so the few
fields that are needed are described here.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import product
from typing import Any

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

from harness.backends.endpoints import Address
from harness.errors import EvidenceError
from harness.model import Target

_NAMESPACE = "default"
_PACKAGE = "dapr.proto.scheduler.v1"
_METHOD = f"/{_PACKAGE}.Scheduler/ListJobs"
_TIMEOUT = 30.0

# message -> (field, its number, the message that it contains; None for text). `jobs` is the only list.
_MESSAGES: dict[str, tuple[tuple[str, int, str | None], ...]] = {
    "TargetActorReminder": (("id", 1, None), ("type", 2, None)),
    "JobTargetMetadata": (("actor", 2, "TargetActorReminder"),),
    "JobMetadata": (("app_id", 1, None), ("namespace", 2, None), ("target", 3, "JobTargetMetadata")),
    "NamedJob": (("name", 1, None), ("metadata", 2, "JobMetadata")),
    "ListJobsRequest": (("metadata", 1, "JobMetadata"),),
    "ListJobsResponse": (("jobs", 1, "NamedJob"),),
}

Row = dict[str, Any]


def left(target: Target, scheduler: Address, timeout: float = _TIMEOUT) -> Iterator[Row]:
    """
    Return one row of the table `jobs` for each job that would wake a workflow or an activity of the target.

    Raises EvidenceError if the scheduler does not answer within `timeout` seconds.
    """
    with grpc.insecure_channel(str(scheduler), options=[("grpc.max_receive_message_length", -1)]) as channel:
        listed = channel.unary_unary(
            _METHOD,
            request_serializer=_CLASSES["ListJobsRequest"].SerializeToString,
            response_deserializer=_CLASSES["ListJobsResponse"].FromString,
        )
        for app_id, kind in product(target.app_ids.values(), ("workflow", "activity")):
            request = _CLASSES["ListJobsRequest"]()
            request.metadata.app_id, request.metadata.namespace = app_id, _NAMESPACE
            request.metadata.target.actor.type = f"dapr.internal.{_NAMESPACE}.{app_id}.{kind}"
            try:
                answer = listed(request, timeout=timeout)
            except (grpc.RpcError, DecodeError) as error:
                raise EvidenceError(f"the scheduler at {scheduler} could not be asked for its jobs: {error}") from error
            listed_ns = time.time_ns()
            for job in sorted(answer.jobs, key=lambda job: (job.metadata.target.actor.id, job.name)):
                yield _row(kind, job) | {"listed_ns": listed_ns}


def _row(kind: str, job: Any) -> Row:
    """
    Return one job as a row. The actor id of a workflow is the instance id. That of an activity is
    `<instance>::<task>::<generation>` (pkg/actors/targets/workflow/orchestrator/activity.go, buildActivityActorID).
    """
    actor = job.metadata.target.actor.id
    instance, task = actor, None
    if kind == "activity":
        instance, task, _ = actor.rsplit("::", 2)
    return {
        "instance_id": instance,
        "kind": kind,
        "name": job.name,
        "task_id": None if task is None else int(task),
    }


def _classes() -> dict[str, Any]:
    field = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(name="scheduler.proto", package=_PACKAGE, syntax="proto3")
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for called, number, holds in fields:
            message.field.add(
                name=called,
                number=number,
                label=field.LABEL_REPEATED if called == "jobs" else field.LABEL_OPTIONAL,
                type=field.TYPE_MESSAGE if holds else field.TYPE_STRING,
                type_name=f".{_PACKAGE}.{holds}" if holds else None,
            )
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.{name}")) for name in _MESSAGES
    }


_CLASSES = _classes()
