"""Journals: a writer killed at any byte costs at most its own last line."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import journal
from harness.errors import EvidenceError
from harness.journal import Journal, Tail

ROWS = [{"n": 1}, {"text": "line\nbreak, ü"}, {"n": 3}]


@pytest.fixture(name="file")
def _file(tmp_path):
    file = tmp_path / "journal" / "a.jsonl"
    with Journal(file) as writer:
        for row in ROWS:
            writer.write(row)
    return file


def test_what_was_written_is_read_in_order(file):
    assert list(journal.read(file)) == ROWS


def test_a_second_writer_appends(file):
    with Journal(file) as writer:
        writer.write({"n": 4}, sync=True)

    assert [*ROWS, {"n": 4}] == list(journal.read(file))


@given(
    rows=st.lists(st.dictionaries(st.text(max_size=5), st.integers() | st.text(max_size=9)), max_size=5), data=st.data()
)
def test_a_journal_cut_at_any_byte_gives_a_prefix_of_its_rows(tmp_path_factory, rows, data):
    whole = b"".join(json.dumps(row).encode() + b"\n" for row in rows)
    cut = data.draw(st.integers(0, len(whole)))
    file = tmp_path_factory.mktemp("cut") / "a.jsonl"
    file.write_bytes(whole[:cut])

    assert rows[: whole[:cut].count(b"\n")] == list(journal.read(file))


def test_a_broken_line_in_the_middle_is_an_error(file):
    file.write_bytes(b'{"n":1}\n{"n":\n{"n":3}\n')

    with pytest.raises(EvidenceError, match=r"a\.jsonl:2: a broken line in the middle"):
        list(journal.read(file))


def test_a_tail_gives_whole_lines_once(tmp_path):
    file = tmp_path / "a.jsonl"
    tail = Tail(file)

    assert tail.poll() == []
    file.write_bytes(b'{"n":1}\n{"n"')
    assert tail.poll() == [{"n": 1}]
    assert tail.poll() == []
    file.write_bytes(b'{"n":1}\n{"n":2}\n')
    assert tail.poll() == [{"n": 2}]
