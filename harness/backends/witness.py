"""
How the state store is read as a witness, whatever store it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Protocol, Self


class Rows(Protocol):
    """
    What a state store holds: the bytes that Dapr keeps under each key.

    Every call ends within the time limit of the connection. Raises EvidenceError if the store does not answer. After
    that the same object may be asked again: it connects anew.
    """

    def values(self, keys: Sequence[str]) -> list[bytes | None]:
        """
        Return the value of each of these keys, in one round trip; None for a key that is not there.
        """

    def keys(self, prefix: str) -> Iterator[list[str]]:
        """
        Return every key that begins with `prefix`, page by page. A key may come more than once.
        """

    def close(self) -> None:
        """
        Close the connection.
        """

    def value(self, key: str) -> bytes | None:
        """
        Return the value of one key; None if it is not there.
        """
        return self.values([key])[0]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
