"""
What a target.yaml finds in somebody else's JSON: in the output of a workflow, the answer to a start, a ledger's row.
The language is JMESPath (https://jmespath.org/specification.html).
"""

from __future__ import annotations

import functools
import json
from typing import Any

import jmespath
from jmespath.exceptions import JMESPathError
from jmespath.parser import ParsedResult


def refuse(expression: str) -> None:
    """
    Raise ValueError, which says why, if a text is not a JMESPath expression.
    """
    try:
        _compiled(expression)
    except JMESPathError as error:
        first = str(error).splitlines()[0]
        raise ValueError(f'"{expression}" is not a JMESPath expression: {first}') from error


def find(expression: str, value: Any) -> Any:
    """
    Return what an expression finds in a JSON value; None if it finds nothing there, or cannot be applied to it.
    """
    try:
        return _compiled(expression).search(value)
    except (JMESPathError, TypeError, ValueError):
        return None


def literal(expression: str) -> str | None:
    """
    Return the text that an expression is, as `'charge'` is one; None if it is no text, but looks for one.
    """
    parsed = _compiled(expression).parsed
    value = parsed.get("value") if parsed["type"] == "literal" else None
    return value if isinstance(value, str) else None


def word(expression: str, text: str | None) -> str | None:
    """
    Return the scalar that an expression finds in a JSON text as one word: a text as it is, and a number or a truth
    value as JSON has it (`true`, `4.5`). None if the text is not JSON, or if nothing, an object or a list is found.
    """
    try:
        found = find(expression, json.loads(text or "null"))
    except (ValueError, RecursionError):
        return None
    if isinstance(found, str):
        return found
    return json.dumps(found) if isinstance(found, bool | int | float) else None


@functools.lru_cache(maxsize=64)
def _compiled(expression: str) -> ParsedResult:
    return jmespath.compile(expression)
