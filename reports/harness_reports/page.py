"""
What all our HTML pages have in common: each is one file that works offline, with its style and its security policy.

Jinja escapes everything that comes from outside. In addition, the content security policy of the page allows only the
scripts that are inserted here, identified by their SHA-256, and loads nothing (W3C CSP Level 3).
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path

import jinja2

from harness.errors import UsageError
from harness.files import write_whole
from harness.model import Value
from harness_reports import words

TEMPLATES = files(__package__).joinpath("templates")

_MOST_LETTERS = 1_000
"""No text on a page is longer: error texts of the system under test may be of any length."""


def style(*more: str) -> str:
    """
    Return the style sheet without the colours, which are in `palette`, and after it `more` sheets, by file name.
    """
    return "".join(TEMPLATES.joinpath(sheet).read_text(encoding="utf-8") for sheet in ("report.css", *more))


def environment() -> jinja2.Environment:
    """
    Return the Jinja environment: where the templates are, and how their values are escaped and shown.
    """
    templates = jinja2.Environment(
        loader=jinja2.PackageLoader(__package__),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_told,
    )
    templates.filters["in_words"] = in_words
    # Bokeh's documents refer back to what came before in them.
    templates.policies["json.dumps_kwargs"] = {"sort_keys": False}
    return templates


def in_words(proof: Mapping[str, object]) -> Sequence[tuple[str, str]]:
    """
    Return what a fault's proof says, as names and texts.
    """
    words_of = {None: "not told", True: "yes", False: "no"}
    return [
        (name.replace("_", " "), words_of[value] if value is None or isinstance(value, bool) else str(value))
        for name, value in proof.items()
    ]


def write(folder: Path, data: tuple[str, Value], page: tuple[str, str]) -> Path:
    """
    Write a value as JSON and its page into `folder`, which is made if it is not there; each as (file name, content),
    and each completely or not at all. Return the page's path. Raises UsageError if the folder cannot have them.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(folder / data[0], data[1].model_dump_json(indent=2) + "\n")
        write_whole(folder / page[0], page[1])
    except (FileExistsError, IsADirectoryError, NotADirectoryError, PermissionError) as error:
        why = "it is not a folder" if isinstance(error, FileExistsError) else error.strerror
        raise UsageError(f"{folder} cannot have {page[0]}: {why}; give another folder with --out") from error
    return folder / page[0]


def policy(*scripts: str, forms: str = "'none'") -> str:
    """
    Return the content security policy. It allows these scripts, inline styles, and images inside the file; nothing
    else. `forms` is where forms may be sent.
    """
    hashes = (base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts)
    allowed = " ".join(f"'sha256-{each}'" for each in hashes) or "'none'"
    return (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src data:; "
        f"base-uri 'none'; form-action {forms}"
    )


def _told(value: object) -> object:
    """
    Return a text as it is shown on the page: in one line, without characters that are invisible or change its
    direction, and cut if it is very long.
    """
    if type(value) is not str:
        return value
    text = words.printable(value[:_MOST_LETTERS])
    return text if len(value) <= _MOST_LETTERS else f"{text}… ({len(value) - _MOST_LETTERS:,} characters more)"
