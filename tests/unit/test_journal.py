"""Journals: a writer killed at any byte costs at most its own last line."""

import subprocess
import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ConfigDict, TypeAdapter

from harness import journal
from harness.errors import EvidenceError
from harness.journal import Journal, Tail
from harness.rows import Row


class Any(Row):
    """A row that may hold anything."""

    model_config = ConfigDict(extra="allow")

    at_ns: int = 0


ANY = TypeAdapter(Any)
ROWS = [Any(n=1), Any(text="line\nbreak, ü"), Any(n=3)]


@pytest.fixture(name="file")
def _file(tmp_path):
    file = tmp_path / "journal" / "a.jsonl"
    with Journal(file) as writer:
        for row in ROWS:
            writer.write(row)
    return file


def test_what_was_written_is_read_in_order(file):
    assert list(journal.read(file, ANY)) == ROWS


def test_a_second_writer_appends(file):
    with Journal(file) as writer:
        writer.write(Any(n=4), sync=True)

    assert [*ROWS, Any(n=4)] == list(journal.read(file, ANY))


@given(
    rows=st.lists(st.builds(Any, n=st.integers(-(2**63), 2**63 - 1) | st.text(max_size=9)), max_size=5), data=st.data()
)
def test_a_journal_cut_at_any_byte_gives_a_prefix_of_its_rows(tmp_path_factory, rows, data):
    whole = b"".join(row.model_dump_json().encode() + b"\n" for row in rows)
    cut = data.draw(st.integers(0, len(whole)))
    file = tmp_path_factory.mktemp("cut") / "a.jsonl"
    file.write_bytes(whole[:cut])

    assert rows[: whole[:cut].count(b"\n")] == list(journal.read(file, ANY))


def test_cut_at_every_byte_it_loses_one_line_says_so_and_the_next_writer_goes_on(file):
    whole = file.read_bytes()
    for cut in range(len(whole) + 1):
        left = whole[:cut].count(b"\n")
        at_an_end = whole[:cut].endswith(b"\n") or cut == 0
        file.write_bytes(whole[:cut])

        assert list(journal.read(file, ANY)) == ROWS[:left], cut
        assert journal.torn(file) == (0 if at_an_end else 1), cut
        with Journal(file) as writer:
            writer.write(Any(n=4))
        only_its_newline = whole[cut : cut + 1] == b"\n"
        assert list(journal.read(file, ANY)) == [*ROWS[: left + only_its_newline], Any(n=4)], cut
        assert Tail(file, ANY).poll() == list(journal.read(file, ANY)), cut


def test_a_line_that_lacks_nothing_but_its_newline_is_whole_once_it_has_one(file):
    file.write_bytes(file.read_bytes()[:-1])
    assert list(journal.read(file, ANY)) == ROWS[:-1]

    Journal(file).close()

    assert list(journal.read(file, ANY)) == ROWS
    assert journal.torn(file) == 0


WRITER = """
import sys
from pathlib import Path
from harness.journal import Journal
from harness.rows import Completed
with Journal(Path(sys.argv[1])) as journal:
    print("ready", flush=True)
    for n in range(10**9):
        journal.write(Completed(op_id=str(n), outcome="ok", status=n, detail="x" * (n * 37 % 9000), at_ns=n))
        print(n, flush=True)
"""


@pytest.mark.parametrize("wait", [0.0, 0.003, 0.011, 0.023, 0.047])
def test_a_writer_killed_by_sigkill_loses_no_line_that_it_had_written(tmp_path, wait):
    file = tmp_path / "a.jsonl"
    for _ in range(2):  # the second goes on where the first was killed
        before = sum(1 for _ in journal.read(file, ANY)) if file.exists() else 0
        with subprocess.Popen((sys.executable, "-c", WRITER, file), stdout=subprocess.PIPE, text=True) as writer:
            assert writer.stdout.readline() == "ready\n"
            time.sleep(wait)  # the moment is the test's: nothing is awaited
            writer.kill()
            said = writer.stdout.read().split("\n")[:-1]
        read = [row.at_ns for row in journal.read(file, ANY)][before:]

        assert read == list(range(len(read)))
        assert len(read) >= len(said)
        assert journal.torn(file) <= 2


@pytest.mark.parametrize("line", [b'{"n":}', b'{"n":2{"n":2}', b"broken", b"[1]", b""])
def test_a_broken_line_is_an_error(file, line):
    file.write_bytes(b'{"n":1}\n' + line + b'\n{"n":3}\n')

    with pytest.raises(EvidenceError, match=r"a\.jsonl:2: a broken line"):
        list(journal.read(file, ANY))


def test_a_tail_gives_whole_lines_once(tmp_path):
    file = tmp_path / "a.jsonl"
    tail = Tail(file, ANY)

    assert tail.poll() == []
    file.write_bytes(b'{"n":1}\n{"n"')
    assert tail.poll() == [Any(n=1)]
    assert tail.poll() == []
    file.write_bytes(b'{"n":1}\n{"n":2}\n')
    assert tail.poll() == [Any(n=2)]
