"""What the checkers' tests share."""

import pytest

from harness.checkers import planned
from tests.builders import literal


@pytest.fixture(name="planned", scope="session")
def _planned():
    return literal.planned()


@pytest.fixture(name="_arrivals", scope="package", autouse=True)
def _arrivals_of_the_literal_run():
    """Its ids are short, so no plan would make them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(planned, "schedule", literal.arrivals)
        yield
