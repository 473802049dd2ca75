"""Queries that take too long are interrupted, by one thread for all of them."""

import threading
from contextlib import ExitStack

from harness.checkers import interrupts
from tests.builders.command import until


def test_what_takes_too_long_is_interrupted_and_nothing_else():
    late, heard, mistaken = interrupts.Late(), threading.Event(), threading.Event()

    with late.after(60, mistaken.set):
        pass
    with late.after(60, mistaken.set), late.after(0.1, heard.set):  # the later one was there before
        assert heard.wait(10)

    assert not mistaken.is_set()


def test_one_thread_looks_after_all_and_ends_when_there_is_nothing_to_look_after(monkeypatch):
    monkeypatch.setattr(interrupts, "_IDLE", 0.1)
    before = set(threading.enumerate())
    late, heard = interrupts.Late(), threading.Event()

    with ExitStack() as queries:
        for _ in range(5):
            queries.enter_context(late.after(60, heard.set))
        (thread,) = set(threading.enumerate()) - before
    with late.after(60, heard.set):
        assert thread.is_alive()
    until(lambda: not thread.is_alive(), 10)
    heard.clear()
    with late.after(0.01, heard.set):
        assert heard.wait(10), "another thread looks after it"
