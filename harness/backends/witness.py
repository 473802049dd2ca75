"""
How the state store is read as a witness, and what faults do to it, whatever store it is.
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


class StateStore(Rows, Protocol):
    """
    A state store, with what a fault does to it. Every call raises as those of Rows do.
    """

    def greet(self) -> None:
        """
        Return once the store has answered the smallest question that it answers only when it is ready for Dapr.
        """

    def close_others(self) -> int:
        """
        Close every connection of a client except those of the harness. Return how many the store says that it closed.
        """

    def read_only(self, *, on: bool) -> None:
        """
        Let the store refuse writes from now on, or take them again. `refusal` may see it a moment later.
        """

    def refusal(self) -> str | None:
        """
        Try a write that leaves nothing behind. Return in the store's words how it was refused; None if it was taken.
        """
