"""Several questions are asked at once, and nobody can tell from the answers."""

import os
import signal
import threading
import time

import pytest

from harness.checkers.database import Database, UnansweredError, open_database
from harness.checkers.together import together
from tests.builders.evidence import write_evidence

ENDLESS = "SELECT count(*) FROM range(100000000000) AS a, range(100000) AS b WHERE a.range % 7 = b.range"


@pytest.fixture(name="database")
def _database(tmp_path, planned):
    write_evidence(tmp_path, {})
    with open_database(planned, tmp_path) as database:
        yield database


def test_answers_come_in_the_order_of_the_questions_though_the_first_takes_longest(database):
    def question(number):
        def ask(asked):
            time.sleep(0.2 if number == 0 else 0)
            return asked.scalar(f"SELECT {number}")

        return ask

    assert list(together(database, [question(number) for number in range(20)])) == list(range(20))


def test_two_questions_are_asked_at_once_each_with_a_connection_of_its_own(database):
    both = threading.Barrier(2, timeout=10)
    seen = []

    def ask(asked):
        both.wait()
        seen.append(asked)
        return asked.scalar("SELECT current_setting('TimeZone') || current_setting('python_enable_replacements')")

    assert list(together(database, [ask, ask])) == ["UTCfalse"] * 2
    assert len({id(asked) for asked in seen}) == 2
    assert database not in seen


def test_where_one_is_asked_at_a_time_the_database_itself_is_asked(database, monkeypatch):
    monkeypatch.setattr(Database, "at_once", 1)
    monkeypatch.setattr(Database, "beside", lambda self: self)

    assert list(together(database, [lambda asked: asked is database] * 3)) == [True] * 3


def test_an_error_of_one_question_ends_the_others(database):
    def fails(_):
        raise ValueError("no")

    began = time.monotonic()
    with pytest.raises(ValueError, match="no"):
        list(together(database, [fails, lambda asked: asked.scalar(ENDLESS), lambda asked: asked.scalar(ENDLESS)]))
    assert time.monotonic() - began < 10


def test_ctrl_c_ends_every_query(database):
    # To the process, as a terminal does it: signal.raise_signal would tell the timer's thread alone, and wake nobody.
    timer = threading.Timer(0.5, lambda: os.kill(os.getpid(), signal.SIGINT))
    timer.start()

    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        list(together(database, [lambda asked: asked.scalar(ENDLESS)] * 4))
    assert time.monotonic() - began < 10
    timer.join()


def test_an_interrupt_ends_what_is_read_in_parts(database):
    threading.Timer(0.5, database.interrupt).start()

    with pytest.raises(UnansweredError, match="longer"):
        list(database.batches(ENDLESS))
