"""
The plots of one page in Bokeh: bars, levels, percentiles and lanes on one time axis, with every fault window shaded.
"""

from __future__ import annotations

import html
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from bokeh.core.properties import value as constant
from bokeh.document import Document
from bokeh.models import (
    BoxAnnotation,
    BoxZoomTool,
    CDSView,
    ColumnDataSource,
    CrosshairTool,
    FixedTicker,
    HoverTool,
    IndexFilter,
    NumeralTickFormatter,
    PrintfTickFormatter,
    Range1d,
    Span,
)
from bokeh.plotting import figure

from harness.model import FaultFinding
from harness_reports import words
from harness_reports.chart import Chart, Key, Window
from harness_reports.palette import PALETTE
from harness_reports.series import Axis, Lines, Missing

_FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
_MOST_LANES = 16
_MOST_LETTERS = 40
_MOST_NAMED = 12
"""If there are more fault windows, their labels are only numbers, because names would cover each other."""
_TIP = (
    "margin:-6px;padding:8px 12px;background:var(--page);color:var(--text);border:1px solid var(--line);"
    "font:12px/1.5 system-ui,sans-serif;font-variant-numeric:tabular-nums"
)
_TIP_ROW = "display:flex;justify-content:space-between;gap:20px"
_HEADROOM = 1.28
_LABEL_HEIGHT = 0.9
"""The value axis is longer than its highest value. The labels of the fault windows use this space."""
_OTHER = "red"
OUTCOMES = {"ok": "blue", "fail": "violet", "unknown": "amber"}
_PERCENTILES = {"p50": ("blue", "solid"), "p95": ("violet", "dashed"), "p99": ("amber", "dotted")}
_TICKS = [digit * 10.0**power for power in range(-5, 5) for digit in (1, 2, 5)]
_MOST_TICKS = 7


class Page:
    """
    The charts of one document, which share their time axis and the line under the pointer.
    """

    def __init__(self, axis: Axis, shown: tuple[Window, ...]) -> None:
        self.axis = axis
        self.windows = shown
        self.document = Document()
        self._time = Range1d(0, axis.end, bounds=(0, axis.end), min_interval=axis.width, name="time")
        self._pointer = Span(dimension="height", line_color=_colour("muted"), line_dash="dotted")

    def lanes(self, faults: Sequence[FaultFinding]) -> Chart:
        """
        Draw each fault on each node: while it was in force, and until the throughput was steady again.
        """
        applied = [fault for fault in faults if fault.at is not None]
        shown = applied[:_MOST_LANES]
        chart = Chart(
            "faults",
            "Faults",
            "A bar lasts while the fault was in force, the line below it until the throughput was steady again."
            + (f" The first {len(shown)} of {len(applied)} are shown." if len(shown) < len(applied) else ""),
            height=44 + 26 * len(shown),
            keys=(Key("in force", "fault"), Key("not yet recovered", "red", "solid")),
        )
        if not shown:
            return replace(chart, missing="No fault was applied in this run.")
        plot = self._plot(chart, Range1d(len(shown), 0))
        plot.yaxis.visible = False
        plot.ygrid.visible = False
        source = ColumnDataSource(
            {
                "middle": [row + 0.42 for row in range(len(shown))],
                "below": [row + 0.78 for row in range(len(shown))],
                "left": [fault.at for fault in shown],
                "right": [self.axis.end if fault.healed_at is None else fault.healed_at for fault in shown],
                "well": [(fault.at or 0) + (fault.recovery or 0) for fault in shown],
                "name": [_name(fault) for fault in shown],
                "felt": [words.took(fault.felt_after) for fault in shown],
                "healed": [words.at(fault.healed_at) for fault in shown],
                "in_flight": [fault.in_flight for fault in shown],
                "recovery": [words.recovered(fault) for fault in shown],
            }
        )
        bars = plot.hbar(
            y="middle", height=0.44, left="left", right="right", source=source, color=_colour("fault"), line_color=None
        )
        plot.segment(
            x0="left", x1="well", y0="below", y1="below", source=source, line_color=_colour("red"), line_width=2
        )
        for late in (False, True):
            of = [row for row, fault in enumerate(shown) if ((fault.at or 0) > self.axis.end / 2) is late]
            plot.text(
                x="left" if late else "right",
                y="middle",
                text="name",
                source=source,
                view=CDSView(filter=IndexFilter(of)),
                text_align="right" if late else "left",
                x_offset=-6 if late else 6,
                **_LABEL,
            )
        self._tooltips(
            plot,
            bars,
            [
                ("fault", "@name"),
                ("applied", "@left{0.000} s"),
                ("felt after", "@felt"),
                ("healed", "@healed"),
                ("in flight", "@in_flight"),
                ("recovery", "@recovery"),
            ],
        )
        return self._with(chart, plot)

    def bars(self, chart: Chart, lines: Lines, colours: Mapping[str, str]) -> Chart:
        """
        Draw counts per second as stacked bars, with the names of `colours` first, in that order.
        """
        if isinstance(lines, Missing):
            return replace(chart, missing=lines.reason)
        names = words.in_order(lines, colours)
        # The columns have numbers: a name from the evidence could have a special meaning for Bokeh.
        rates = {f"line{n}": [(value or 0) / self.axis.width for value in lines[name]] for n, name in enumerate(names)}
        totals = [sum(values) for values in zip(*rates.values(), strict=True)]
        plot = self._counting(chart, totals)
        source = self._source(rates)
        keys = tuple(Key(words.shortened(name, _MOST_LETTERS), colours.get(name, _OTHER)) for name in names)
        plot.vbar_stack(
            list(rates),
            x="middle",
            width=self.axis.width * 0.84,
            source=source,
            color=[_colour(key.colour) for key in keys],
            line_color=None,
        )
        self._columns(
            plot, source, [(key.label, f"@{line}{{0.[0]}} /s") for key, line in zip(keys, rates, strict=True)]
        )
        return self._with(replace(chart, keys=keys), plot)

    def level(self, chart: Chart, lines: Lines) -> Chart:
        """
        Draw how many there are at the end of each bin.
        """
        if isinstance(lines, Missing):
            return replace(chart, missing=lines.reason)
        values = [value or 0 for value in next(iter(lines.values()))]
        plot = self._counting(chart, values)
        source = self._source({"value": values})
        plot.varea(x="right", y1=0, y2="value", source=source, color=_colour("blue"), alpha=0.18)
        plot.line(x="right", y="value", source=source, color=_colour("blue"), line_width=2)
        self._columns(plot, source, [("in flight", "@value{0,0}")])
        return self._with(chart, plot)

    def percentiles(self, chart: Chart, lines: Lines) -> Chart:
        """
        Draw times in seconds, on a logarithmic axis.
        """
        if isinstance(lines, Missing):
            return replace(chart, missing=lines.reason)
        drawn = {name: [value if value and value > 0 else math.nan for value in lines[name]] for name in lines}
        known = [value for values in drawn.values() for value in values if not math.isnan(value)] or [1.0]
        low = max((tick for tick in _TICKS if tick <= min(known)), default=_TICKS[0])
        high = min((tick for tick in _TICKS if tick >= max(known)), default=_TICKS[-1])
        decades = math.log10(high / low) or 1
        top = high * 10 ** (decades * (_HEADROOM - 1))
        plot = self._plot(chart, Range1d(low, top), y_axis_type="log")
        ticks = [tick for tick in _TICKS if low <= tick <= high]
        if len(ticks) > _MOST_TICKS:
            ticks = [tick for tick in ticks if f"{tick:e}"[0] == "1"]
        plot.yaxis.ticker = FixedTicker(ticks=ticks)
        plot.yaxis.major_label_overrides = {tick: words.took(tick) for tick in ticks}
        plot.ygrid.ticker = plot.yaxis[0].ticker
        self._shade(plot, low * (top / low) ** _LABEL_HEIGHT)
        source = self._source(drawn)
        for name in lines:
            colour, dash = _PERCENTILES[name]
            plot.line(x="middle", y=name, source=source, color=_colour(colour), line_dash=dash, line_width=2)
            plot.scatter(x="middle", y=name, source=source, color=_colour(colour), size=3)
        source.data.update({f"{name}_told": [words.took(value) for value in lines[name]] for name in lines})
        self._columns(plot, source, [(name, f"@{name}_told") for name in lines])
        keys = tuple(Key(name, *_PERCENTILES[name]) for name in lines)
        return self._with(replace(chart, keys=keys), plot)

    def _plot(self, chart: Chart, values: Range1d, **settings: str) -> Any:
        plot = figure(
            height=chart.height,
            sizing_mode="stretch_width",
            x_range=self._time,
            y_range=values,
            tools=[BoxZoomTool(dimensions="width"), CrosshairTool(overlay=self._pointer)],
            toolbar_location=None,
            background_fill_color=None,
            border_fill_color=None,
            outline_line_color=None,
            min_border_left=58,
            min_border_right=14,
            min_border_top=4,
            name=chart.name,
            **settings,
        )
        plot.grid.grid_line_color = _colour("grid")
        plot.xgrid.visible = False
        plot.axis.axis_line_color = _colour("line")
        plot.axis.major_tick_line_color = _colour("line")
        plot.axis.minor_tick_line_color = None
        plot.axis.major_label_text_color = _colour("muted")
        plot.axis.major_label_text_font = _FONT
        plot.axis.major_label_text_font_size = "11px"
        plot.xaxis.formatter = PrintfTickFormatter(format="%g s")
        return plot

    def _counting(self, chart: Chart, values: Sequence[float]) -> Any:
        """
        Return a plot whose value axis begins at 0, with the fault windows in it.
        """
        top = max([*values, 1.0]) * _HEADROOM
        plot = self._plot(chart, Range1d(0, top))
        plot.yaxis.ticker.desired_num_ticks = 4
        plot.yaxis.formatter = NumeralTickFormatter(format="0,0.[0]")
        self._shade(plot, top * _LABEL_HEIGHT)
        return plot

    def _shade(self, plot: Any, height: float) -> None:
        """
        Draw every fault window as a band, with its label at `height` of the value axis.
        """
        for window in self.windows:
            plot.add_layout(
                BoxAnnotation(
                    left=window.left,
                    right=window.right,
                    fill_color=_colour("fault"),
                    fill_alpha=0.13,
                    line_color=_colour("fault"),
                    line_alpha=0.35,
                    level="underlay",
                    name="fault window",
                )
            )
        brief = len(self.windows) > _MOST_NAMED
        plot.text(
            x=[window.left for window in self.windows],
            y=[height] * len(self.windows),
            text=[f"#{window.step}" if brief else window.label for window in self.windows],
            x_offset=4,
            **(_LABEL | {"text_color": _colour("fault")}),
        )

    def _source(self, columns: Mapping[str, Sequence[float]]) -> ColumnDataSource:
        lefts = self.axis.lefts
        return ColumnDataSource(
            {
                "left": lefts,
                "middle": [left + self.axis.width / 2 for left in lefts],
                "right": [left + self.axis.width for left in lefts],
                **columns,
            }
        )

    def _columns(self, plot: Any, source: ColumnDataSource, told: Sequence[tuple[str, str]]) -> None:
        """
        Show the values of a bin when the pointer is anywhere in its column.
        """
        columns = plot.quad(
            left="left",
            right="right",
            bottom=plot.y_range.start,
            top=plot.y_range.end,
            source=source,
            alpha=0,
            hover_alpha=0.06,
            hover_color=_colour("muted"),
        )
        self._tooltips(plot, columns, [("time", "@left{0,0} to @right{0,0} s"), *told])

    def _tooltips(self, plot: Any, renderer: Any, told: Sequence[tuple[str, str]]) -> None:
        """
        A box beside the pointer, in the page's own colours; `told` has names and Bokeh's marks for values.
        """
        rows = "".join(
            f'<div style="{_TIP_ROW}"><span style="color:var(--muted)">{html.escape(name)}</span><b>{value}</b></div>'
            for name, value in told
        )
        plot.add_tools(
            HoverTool(
                renderers=[renderer],
                tooltips=f'<div style="{_TIP}">{rows}</div>',
                point_policy="follow_mouse",
                show_arrow=False,
            )
        )

    def _with(self, chart: Chart, plot: Any) -> Chart:
        self.document.add_root(plot)
        return replace(chart, model=plot.id)


def _name(fault: FaultFinding) -> str:
    felt = "" if fault.felt_after is not None else " (not felt)"
    return f"#{fault.step} {fault.fault} {words.shortened(fault.node, 40)}{felt}"


def _colour(name: str) -> str:
    return PALETTE[name].light


_LABEL = {
    "text_baseline": "middle",
    "text_color": _colour("text"),
    "text_font": constant(_FONT),
    "text_font_size": "12px",
}
