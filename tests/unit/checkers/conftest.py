"""What the checkers' tests share."""

from contextlib import contextmanager

import pytest

from harness.checkers import changing, planned
from harness.checkers.examining import examine
from harness.checkers.invariant import GENERAL, load
from harness.checkers.telling import Telling
from harness.evidence import schema, tables
from tests.builders import literal
from tests.builders.evidence import write_evidence


@pytest.fixture(name="planned", scope="session")
def _planned():
    return literal.planned()


@pytest.fixture(name="_arrivals", scope="package", autouse=True)
def _arrivals_of_the_literal_run():
    """Its ids are short, so no plan would make them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(planned, "schedule", literal.arrivals)
        yield


@pytest.fixture(name="truth", scope="package")
def _truth(tmp_path_factory):
    """The evidence of the sound run."""
    return write_evidence(tmp_path_factory.mktemp("truth"), literal.sound())


@pytest.fixture(name="copy", scope="package")
def _copy(planned, truth, _arrivals):
    """A copy of it, whose tables can be changed for as long as a `with` block runs."""
    with changing.copied(planned, truth) as copy:
        yield copy


@pytest.fixture(name="told", scope="package")
def _told(copy):
    """`with told(tell) as database`: the database of the sound run once `tell` has changed its rows."""

    @contextmanager
    def told(tell):
        true, rows = literal.sound(), literal.sound()
        tell(rows)
        changed = [table for table in schema.TABLES if rows[table.name] != true[table.name]]
        for table in changed:
            tables.write(copy.folder, table, rows[table.name])
        with copy.changed(changed):
            yield copy.database

    return told


@pytest.fixture(name="found")
def _found(told):
    """
    `found(name, tell)`: what the general invariant `name` tells of the sound run once `tell` has changed its rows, in
    sentences, and how much it examined.
    """
    texts = load(GENERAL)

    def found(name, tell):
        with told(tell) as database:
            result = examine(database, Telling(literal.T0), name, texts[name], "general")
        assert "cannot be asked" not in (result.reason or ""), result.reason
        return [witness.sentence for witness in result.witnesses], result.examined

    return found
