"""One huge value fills no machine: the query fails, and the judge goes on."""

import resource

import pytest

from harness.checkers import memory
from harness.checkers.database import UnansweredError, open_database
from tests.builders.evidence import write_evidence


@pytest.fixture(name="empty")
def _empty(tmp_path):
    return write_evidence(tmp_path, {})


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT len(range(2000000000))",
        "SELECT length(repeat('x', 12000000000))",
        "SELECT len(list_concat(range(900000000), range(900000000)))",
        "SELECT len(string_agg(repeat('x', 1000000), '')) FROM range(20000)",
    ],
)
def test_a_huge_value_is_an_unanswered_query_and_the_next_one_is_answered(planned, empty, sql):
    with open_database(planned, empty) as database:
        with pytest.raises(UnansweredError):
            database.rows(sql)

        assert database.scalar("SELECT 42") == 42


def test_the_limit_is_gone_afterwards_and_a_lower_one_stays():
    before = resource.getrlimit(resource.RLIMIT_AS)
    with memory.bounded(10**9):
        outer, _ = resource.getrlimit(resource.RLIMIT_AS)
        with memory.bounded(10**12):
            inner, _ = resource.getrlimit(resource.RLIMIT_AS)

    assert inner == outer != before[0]
    assert resource.getrlimit(resource.RLIMIT_AS) == before
