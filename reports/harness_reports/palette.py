"""
The colours of the HTML report, for a light and a dark page. They are defined only here.

Text has a contrast of at least 4.5 to 1 to its background (WCAG 2.2, 1.4.3), and marks in charts of at least 3 to 1.
"""

from __future__ import annotations

from typing import NamedTuple

from harness_reports import words


class Shade(NamedTuple):
    """
    One colour, for each of the two pages.
    """

    light: str
    dark: str


PALETTE = {
    "page": Shade("#ffffff", "#0f1216"),
    "surface": Shade("#f5f6f8", "#171b21"),
    "text": Shade("#1c2127", "#e3e7ec"),
    "muted": Shade("#5b6470", "#98a2ae"),
    "line": Shade("#dcdfe4", "#2c323b"),
    "link": Shade("#0b5cad", "#6cb2f7"),
    "holds": Shade("#17753a", "#4cc474"),
    "holds-soft": Shade("#e6f5eb", "#12271a"),
    "violated": Shade("#c0202b", "#ff7b75"),
    "violated-soft": Shade("#fdecec", "#331618"),
    "unknown": Shade("#8a5a00", "#e2ab3b"),
    "unknown-soft": Shade("#fcf3dc", "#2b2210"),
    "fault": Shade("#b4440f", "#f59052"),
    "fault-soft": Shade("#fbe9df", "#2f1c12"),
    "blue": Shade("#2b6cb3", "#62a8f0"),
    "violet": Shade("#7a4fbf", "#b08cf0"),
    "grey": Shade("#77808c", "#8b94a0"),
    "amber": Shade("#c27d12", "#e0a244"),
    "red": Shade("#c2303a", "#f2726d"),
    "grid": Shade("#e6e8ec", "#242a32"),
}
"""Name -> colour. All light colours are different, because the page makes a chart dark by replacing them."""

_CLASSES = {
    "completed": "blue",
    "compensated": "violet",
    "rejected": "grey",
    "refused": "muted",
    "terminated": "grey",
    "purged": "muted",
}
_TONES = {"holds": "grey", "unknown": "amber", "violated": "red"}


def of_class(name: str) -> str:
    """
    Return the name of the colour of an end class. A good end has a colour of its own; any other has that of its tone.
    """
    return _CLASSES.get(name) or _TONES[words.end_class(name).tone]
