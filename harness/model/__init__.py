"""
The plain values that the stages of a run give to each other: target, scenario, plan, verdict.

All are frozen pydantic models. They are made and validated once, compared, and saved as JSON. They contain no logic of
a run. Durations are seconds (float), unless the name says otherwise. Points in time are integer nanoseconds since the
epoch, UTC, in fields whose names end in `_ns`.
"""

from harness.model.ledgers import Balance, HttpLedger, Ledger, RowMapping, SqlLedger, StateLedger
from harness.model.load import Load
from harness.model.plan import Aim, Asked, Plan, Step
from harness.model.scenario import (
    ActivityPoint,
    Checks,
    Expectation,
    FaultEntry,
    Gate,
    Latency,
    Minimum,
    Moment,
    Names,
    Nemesis,
    NemesisFault,
    Percentiles,
    Safety,
    Scenario,
    Topology,
)
from harness.model.selftest import Cell, Planted, SelfTest
from harness.model.stall import Stall, Stuck
from harness.model.target import (
    Activity,
    Application,
    DaprStart,
    EffectPair,
    Ending,
    HttpStart,
    Kind,
    Outcome,
    Program,
    Retry,
    Target,
    Workflow,
)
from harness.model.values import EndClass, NodeName, Point, Seconds, Value, seconds
from harness.model.verdict import (
    INTERRUPTED,
    FaultFinding,
    Finding,
    Known,
    NotApplicable,
    Origin,
    Result,
    Verdict,
    Witness,
    worst,
)

__all__ = [
    "INTERRUPTED",
    "Activity",
    "ActivityPoint",
    "Aim",
    "Application",
    "Asked",
    "Balance",
    "Cell",
    "Checks",
    "DaprStart",
    "EffectPair",
    "EndClass",
    "Ending",
    "Expectation",
    "FaultEntry",
    "FaultFinding",
    "Finding",
    "Gate",
    "HttpLedger",
    "HttpStart",
    "Kind",
    "Known",
    "Latency",
    "Ledger",
    "Load",
    "Minimum",
    "Moment",
    "Names",
    "Nemesis",
    "NemesisFault",
    "NodeName",
    "NotApplicable",
    "Origin",
    "Outcome",
    "Percentiles",
    "Plan",
    "Planted",
    "Point",
    "Program",
    "Result",
    "Retry",
    "RowMapping",
    "Safety",
    "Scenario",
    "Seconds",
    "SelfTest",
    "SqlLedger",
    "Stall",
    "StateLedger",
    "Step",
    "Stuck",
    "Target",
    "Topology",
    "Value",
    "Verdict",
    "Witness",
    "Workflow",
    "seconds",
    "worst",
]
