"""
The values that all models use: durations, names, and the frozen base class.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

JSON_SCHEMA_DRAFT = "https://json-schema.org/draft/2020-12/schema"
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h)?")
_UNIT_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


def seconds(value: object) -> object:
    """
    Return `8`, `8s`, `200ms`, `1.5m` or `1h` in seconds. A value that is not text is returned as it is, and pydantic
    checks it.

    Raises ValueError for a text that is not a duration.
    """
    if not isinstance(value, str):
        return value
    match = _DURATION.fullmatch(value.strip())
    if match is None:
        raise ValueError("a duration is a number with ms, s, m or h, like 1.5s or 200ms")
    return round(float(match[1]) * _UNIT_SECONDS[match[2] or "s"], 6)


_Bounded = Annotated[float, Field(ge=0, le=86_400)]
Seconds = Annotated[
    _Bounded,
    BeforeValidator(seconds, json_schema_input_type=_Bounded | Annotated[str, Field(pattern=f"^{_DURATION.pattern}$")]),
]


def one_or_more(value: object) -> object:
    """
    Return a text as the only one of several. Any other value is returned as it is, and pydantic checks it.
    """
    return (value,) if isinstance(value, str) else value


EndClass = Literal["completed", "compensated", "rejected", "refused"]
"""How an instance ends by itself."""
AskedEnd = Literal["terminated", "purged", "paused"]
"""How an instance ends or stands because a client asked for it after the start."""
NodeName = Annotated[str, Field(min_length=1, max_length=100)]
Point = Literal["before_body", "before_effect", "after_effect", "after_return"]
"""
A point of an activity: before the application gets it; before its effect; after its effect is committed and before its
body returns; after its body has returned and before the engine has recorded the result.
"""


class Value(BaseModel):
    """
    A frozen value that refuses unknown fields.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")


def schema_for_readers(model: type[Value]) -> dict[str, Any]:
    """
    Return the JSON Schema (draft 2020-12) of what a command writes, for those who read it. It allows fields that it
    does not name: a reader passes over what a later release adds.
    """
    made = model.model_json_schema(mode="serialization")
    for each in (made, *made["$defs"].values()):
        each.pop("additionalProperties", None)
    return {"$schema": JSON_SCHEMA_DRAFT, **made}
