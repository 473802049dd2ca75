"""
Several questions to one database, a few at once.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from threading import Thread
from typing import Protocol, Self, TypeVar

_AGAIN = 0.05
"""Seconds after which a thread that has not stopped is interrupted again: it may have been between two queries."""


class Asked(Protocol):
    """
    A database that several threads may ask, each through one `beside` it.
    """

    @property
    def at_once(self) -> int:
        """
        How many threads it is worth to ask at once.
        """

    def beside(self) -> Self:
        """
        Return the same database for another thread.
        """

    def interrupt(self) -> None:
        """
        Interrupt everything that is being asked now.
        """


AskedT = TypeVar("AskedT", bound=Asked)
AnswerT = TypeVar("AnswerT")


def together(database: AskedT, questions: Sequence[Callable[[AskedT], AnswerT]]) -> Iterator[AnswerT]:
    """
    Ask the questions, a few at once, each thread with a database of its own. Return the answers in the order of the
    questions. If the reader stops, so does what is being asked.

    One thread takes the first question that is left and the other the last. So the target's invariants, which read the
    most, do not need their memory at the same time.
    """
    answers: list[Future[AnswerT]] = [Future() for _ in questions]
    left = deque(zip(questions, answers, strict=True))
    ends = (left.popleft, left.pop)[: database.at_once]
    threads = [Thread(target=_ask, args=(database.beside(), take)) for take in ends]
    for thread in threads:
        thread.start()
    try:
        for answer in answers:
            yield answer.result()
    finally:
        left.clear()
        while any(thread.is_alive() for thread in threads):
            database.interrupt()
            for thread in threads:
                thread.join(_AGAIN)


def _ask(database: AskedT, take: Callable[[], tuple[Callable[[AskedT], AnswerT], Future[AnswerT]]]) -> None:
    """
    Ask what `take` returns, until it raises IndexError because nothing is left.
    """
    while True:
        try:
            question, answer = take()
        except IndexError:
            return
        try:
            answer.set_result(question(database))
        except BaseException as error:  # noqa: BLE001 - the reader of the answer raises it
            answer.set_exception(error)
