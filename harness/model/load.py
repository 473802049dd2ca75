"""
The load of a scenario: what is started, how often, and how the rate changes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field, model_validator

from harness.model.values import Seconds, Value

Rate = Annotated[float, Field(ge=0, le=2000)]
"""Starts per second."""
Period = Annotated[Seconds, Field(ge=0.1)]


class Ramp(Value):
    """
    The rate goes to `to` in a straight line, until the load ends or `until`.
    """

    to: Rate
    until: Annotated[Seconds, Field(gt=0)] | None = None

    def __str__(self) -> str:
        return f"ramp to {self.to:g} until " + ("the end" if self.until is None else f"{self.until:g} s")


class Steps(Value):
    """
    The rate is higher by `by` after each `every`. It never falls below 0.
    """

    by: float = Field(ge=-2000, le=2000)
    every: Period

    def __str__(self) -> str:
        return f"{self.by:+g} after each {self.every:g} s"


class Spike(Value):
    """
    The rate is `to` from `at` on, for as long as `for` says.
    """

    to: Rate
    at: Seconds
    hold: Seconds = Field(alias="for")

    def __str__(self) -> str:
        return f"spike of {self.to:g} at {self.at:g} s for {self.hold:g} s"


class Wave(Value):
    """
    The rate swings between `load.rate` and `to` as a sine does; one period takes `every`.
    """

    to: Rate
    every: Period

    def __str__(self) -> str:
        return f"wave to {self.to:g} with a period of {self.every:g} s"


class Burst(Value):
    """
    Besides the rate, `size` starts at once after each `every`.
    """

    size: int = Field(ge=1, le=10_000)
    every: Period

    def __str__(self) -> str:
        return f"and {self.size} at once after each {self.every:g} s"


class Replay(Value):
    """
    Starts at given times (seconds after the load began), and none by the rate.
    """

    file: str
    times: tuple[Annotated[float, Field(ge=0, le=10**6)], ...] = Field(min_length=1, max_length=50_000)

    def __str__(self) -> str:
        return f"none by the rate, {len(self.times)} at the times of {self.file}"


class Shape(Value):
    """
    How the rate changes over the load: one of these.
    """

    ramp: Ramp | None = None
    steps: Steps | None = None
    spike: Spike | None = None
    wave: Wave | None = None
    burst: Burst | None = None
    replay: Replay | None = None

    @model_validator(mode="after")
    def _is_one(self) -> Shape:
        given = [name for name in type(self).model_fields if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"a shape is one of {', '.join(type(self).model_fields)}, not {len(given)} of them")
        return self

    def __str__(self) -> str:
        return str(next(of for _, of in self if of is not None))


Operation = Literal["raiseEvent", "pause", "resume", "terminate", "purge", "get", "start"]
"""An operation of Dapr's workflow API on an instance, by its name there ("Workflow API reference")."""
Times = tuple[Annotated[Seconds, Field(ge=0, le=600)], ...]


class ClientRequest(Value):
    """
    What clients ask of an instance after its start, by Dapr's workflow API: to take an event, to pause and to go on, to
    end at once, to be forgotten once it has ended, what its status is, or to begin anew under its id once it has ended.

    The seed decides of each instance whether it gets the request (`share`), and of these, which get it a second time
    (`again`). It chooses the time of each from `after`, in seconds since the start was due. Each pause is followed by a
    resume, after one of the times in `resume_after`. A request is not sent before its start is answered, and not at all
    if that was refused.
    """

    operation: Operation
    event: str | None = Field(
        default=None, min_length=1, max_length=200, description="name of the event, one of the workflow's `events`"
    )
    after: Times = Field(
        default=(0.0,), min_length=1, description="times since the start was due, from which the seed chooses"
    )
    resume_after: Times = Field(
        default=(), description="of `pause`: times until the instance is resumed, from which the seed chooses"
    )
    share: float = Field(default=1, gt=0, le=1, description="of the instances, how many get the request")
    again: float = Field(default=0, ge=0, le=1, description="of these, how many get it a second time")

    @property
    def longest_after(self) -> float:
        """
        How many seconds after its start was due the request, or the resume that follows it, may be due.
        """
        return max(self.after) + max(self.resume_after, default=0.0)

    @model_validator(mode="after")
    def _fits_its_operation(self) -> ClientRequest:
        if (self.event is not None) != (self.operation == "raiseEvent"):
            raise ValueError("raiseEvent needs an event" if self.event is None else "event is for raiseEvent alone")
        if bool(self.resume_after) != (self.operation == "pause"):
            raise ValueError(
                "resume_after is for pause alone"
                if self.resume_after
                else "pause needs resume_after: an instance that nobody resumes stands for ever"
            )
        return self

    def __str__(self) -> str:
        def times(of: Times) -> str:
            return " or ".join(f"{each:g}" for each in dict.fromkeys(of))

        what = " ".join(filter(None, (self.operation, self.event)))
        twice = f", {self.again:.0%} of these twice" if self.again else ""
        resumed = f", and resume {times(self.resume_after)} s later" if self.resume_after else ""
        return f"{what} for {self.share:.0%} of them{twice}, {times(self.after)} s after the start was due{resumed}"


_MOST_PERIODS = 10_000
Mix = Mapping[str, Annotated[int, Field(ge=0)]]
"""Kind -> weight."""


class Share(Value):
    """
    The share that one workflow has of a load: its weight among the workflows of the load, the weights of its kinds, and
    what clients ask of its instances after their start.
    """

    weight: int = Field(default=1, ge=1, description="of the starts, among the workflows of the load")
    mix: Mix = Field(default={}, description="kind -> weight; default: the kinds of the target, with their weights")
    requests: tuple[ClientRequest, ...] = Field(
        default=(), max_length=20, description="what clients ask of its instances after their start"
    )


class Load(Value):
    """
    Open arrivals: starts are sent when the schedule says so, whether or not earlier ones were answered.

    A load starts one workflow (`workflow`, `mix`), or several (`workflows`).
    """

    workflow: str = Field(default="", description="name in the target's workflows; default: the first of them")
    workflows: Mapping[str, Share] = Field(
        default={}, description="name in the target's workflows -> its share of the starts; in place of `workflow`"
    )
    rate: Rate = Field(description="starts per second; where there is a shape, at the begin of the load")
    duration: Seconds
    shape: Shape | None = Field(default=None, description="how the rate changes; default: not at all")
    arrivals: Literal["poisson", "constant"] = Field(
        default="poisson", description="gaps between starts: random, as of independent clients, or all the same"
    )
    mix: Mix = Field(default={}, description="kind -> weight; default: the kinds of the target, with their weights")
    requests: tuple[ClientRequest, ...] = Field(
        default=(), max_length=20, description="what clients ask of the instances after their start"
    )
    timeout: Annotated[Seconds, Field(gt=0)] = 10.0
    workers: int = Field(default=1, ge=1, le=16, description="processes that share the load")
    max_in_flight: int = Field(
        default=2000,
        ge=1,
        le=20_000,
        description="starts that may wait for their answers at once; one that is due beyond that is dropped",
    )
    retries: int = Field(default=1, ge=0, le=5, description="of a start with unknown outcome: same id, next replica")

    @property
    def shares(self) -> Mapping[str, Share]:
        """
        Each workflow that is started -> its share of the starts.
        """
        return self.workflows or {self.workflow: Share(mix=self.mix, requests=self.requests)}

    @property
    def asked(self) -> Mapping[str, tuple[ClientRequest, ...]]:
        """
        Each workflow of whose instances clients ask something after their start -> what.
        """
        return {name: share.requests for name, share in self.shares.items() if share.requests}

    @property
    def longest_after(self) -> float:
        """
        How many seconds after its start was due a request may be due.
        """
        return max((each.longest_after for requests in self.asked.values() for each in requests), default=0.0)

    @property
    def started(self) -> str:
        """
        What is started, in words: `pay_v1`, `pay_v1 (3 of 4) and refund_v1 (1 of 4)`.
        """
        whole = sum(share.weight for share in self.shares.values())
        told = [f"{name} ({share.weight} of {whole})" for name, share in self.workflows.items()] or [self.workflow]
        return " and ".join(filter(None, (", ".join(told[:-1]), told[-1])))

    @property
    def pace(self) -> str:
        """
        The rate in words: `10 starts/s`, `10 starts/s, ramp to 40 until 30 s`.
        """
        rate = f"{self.rate:g} starts/s"
        return rate if self.shape is None else f"{rate}, {self.shape}"

    @model_validator(mode="after")
    def _starts_one_or_several(self) -> Load:
        if self.workflows and (self.workflow or self.mix or self.requests):
            raise ValueError(
                "`workflows` says which workflows are started, each with its own `weight`, `mix` and `requests`; give "
                "it, or `workflow`, `mix` and `requests` for a single one"
            )
        return self

    @model_validator(mode="after")
    def _repeats_not_too_often(self) -> Load:
        shape = self.shape
        for period in (shape.steps, shape.wave, shape.burst) if shape is not None else ():
            if period is not None and self.duration / period.every > _MOST_PERIODS:
                raise ValueError(
                    f"shape: `every` {period.every:g} s comes more than {_MOST_PERIODS:,} times in this load"
                )
        return self
