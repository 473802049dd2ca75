"""What the checkers' tests share."""

import pytest

from tests.builders import literal


@pytest.fixture(name="planned", scope="session")
def _planned():
    return literal.planned()
