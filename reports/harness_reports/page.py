"""
What every HTML page of ours has in common: one file that works offline, its style, and what it is allowed to do.

Whatever came from outside is escaped by Jinja. Beyond that the page's own content security policy lets no script
run but those that are put in here, known by their SHA-256, and nothing be loaded (W3C CSP Level 3).
"""

from __future__ import annotations

import base64
import hashlib
from importlib.resources import files

import jinja2

from harness_reports import words

TEMPLATES = files(__package__).joinpath("templates")


def style() -> str:
    """
    The style sheet, but for the colours, which `palette` has.
    """
    return TEMPLATES.joinpath("report.css").read_text(encoding="utf-8")


def environment() -> jinja2.Environment:
    """
    Where the templates are found, and what is done with what they are given.
    """
    templates = jinja2.Environment(
        loader=jinja2.PackageLoader(__package__),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_told,
    )
    # Bokeh's documents refer back to what came before in them.
    templates.policies["json.dumps_kwargs"] = {"sort_keys": False}
    return templates


def policy(*scripts: str) -> str:
    """
    The content security policy: these scripts, inline styles, images that are in the file; nothing else.
    """
    hashes = (base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts)
    allowed = " ".join(f"'sha256-{each}'" for each in hashes) or "'none'"
    return (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def _told(value: object) -> object:
    """
    Text as it is put on the page: in one line, and without characters that cannot be seen or turn the text round.
    """
    return words.printable(value) if type(value) is str else value
