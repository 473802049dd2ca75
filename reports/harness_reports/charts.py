"""
A run over time as Bokeh charts: one common time axis, every fault window shaded and labelled.

The charts are plain JSON for BokehJS, in the light colours of the palette; the page's script draws them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.model import FaultFinding
from harness_reports import words
from harness_reports.chart import Chart, Window, windows
from harness_reports.palette import of_class
from harness_reports.plots import OUTCOMES, Page
from harness_reports.series import Axis, Series

_MOST_WINDOWS = 100
"""Each is drawn in each chart; more would hide what they shade."""

_STARTS = Chart(
    "starts",
    "Starts per second",
    "Client calls, retries included, by what the client was told; each at the time for which it was intended.",
    height=170,
)
_ENDED = Chart(
    "ended",
    "Instances ended per second",
    "At the engine's own time of their last event, by what their output says of them.",
    height=170,
)
_IN_FLIGHT = Chart(
    "in-flight",
    "Instances in flight",
    "Begun and not ended, by the engine's own times.",
    height=150,
)
_LATENCY = Chart(
    "latency",
    "Start latency",
    "Of accepted calls, from the time for which each was intended to its answer, so that a stalled system is not "
    "spared the calls that it delayed. The axis is logarithmic.",
    height=190,
)


@dataclass(frozen=True)
class Drawing:
    """
    All charts: the Bokeh document that holds them, and the fault windows that they show; `unshaded` more are not shown.
    """

    document: Mapping[str, Any]
    charts: tuple[Chart, ...]
    windows: tuple[Window, ...]
    unshaded: int
    axis: Axis


def draw(series: Series, faults: Sequence[FaultFinding]) -> Drawing:
    """
    Draw a run's series with its faults.
    """
    found = windows(faults, series.axis.end)
    page = Page(series.axis, found[:_MOST_WINDOWS])
    charts = (
        page.lanes(faults),
        page.bars(_STARTS, series.starts, OUTCOMES),
        page.bars(_ENDED, series.ended, {name: of_class(name) for name in words.CLASSES}),
        page.level(_IN_FLIGHT, series.in_flight),
        page.percentiles(_LATENCY, series.latency),
    )
    return Drawing(
        page.document.to_json(deferred=False), charts, page.windows, len(found) - len(page.windows), series.axis
    )
