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


class ClientRequest(Value):
    """
    What clients ask of an instance after its start, by Dapr's workflow API: to take an event.

    The seed decides of each instance whether it gets the request (`share`), and of these, which get it a second time
    (`again`). It chooses the time of each from `after`, in seconds since the start was due. A request is not sent
    before its start is answered, and not at all if that was refused.
    """

    operation: Literal["raiseEvent"]
    event: str = Field(min_length=1, max_length=200, description="name of the event, one of the workflow's `events`")
    after: tuple[Annotated[Seconds, Field(ge=0, le=600)], ...] = Field(
        default=(0.0,), min_length=1, description="times since the start was due, from which the seed chooses"
    )
    share: float = Field(default=1, gt=0, le=1, description="of the instances, how many get the request")
    again: float = Field(default=0, ge=0, le=1, description="of these, how many get it a second time")

    def __str__(self) -> str:
        twice = f", {self.again:.0%} of these twice" if self.again else ""
        times = " or ".join(f"{each:g}" for each in dict.fromkeys(self.after))
        return f"{self.operation} {self.event} for {self.share:.0%} of them{twice}, {times} s after the start was due"


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
    timeout: Annotated[Seconds, Field(gt=0)] = 10.0
    retries: int = Field(default=1, ge=0, le=5, description="of a start with unknown outcome: same id, next replica")

    @property
    def shares(self) -> Mapping[str, Share]:
        """
        Each workflow that is started -> its share of the starts.
        """
        return self.workflows or {self.workflow: Share(mix=self.mix)}

    @property
    def requests(self) -> Mapping[str, tuple[ClientRequest, ...]]:
        """
        Each workflow of whose instances clients ask something after their start -> what.
        """
        return {name: share.requests for name, share in self.shares.items() if share.requests}

    @property
    def longest_after(self) -> float:
        """
        How many seconds after its start was due a request may be due.
        """
        return max((max(each.after) for requests in self.requests.values() for each in requests), default=0.0)

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
        if self.workflows and (self.workflow or self.mix):
            raise ValueError(
                "`workflows` says which workflows are started, each with its own `weight` and `mix`; give it, or "
                "`workflow` and `mix` for a single one"
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
