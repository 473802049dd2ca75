"""A target's description that cannot be meant is refused, with its lines."""

import pytest

from harness.errors import UsageError
from harness.planning import target


def refusal(pytestconfig, tmp_path, *changes):
    text = (pytestconfig.rootpath / "tests/targets/payments/target.yaml").read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    file = tmp_path / "target.yaml"
    file.write_text(text)
    with pytest.raises(UsageError) as caught:
        target.load(file)
    return str(caught.value).replace(str(tmp_path), "DIR")


def test_an_effect_has_one_meaning(pytestconfig, tmp_path):
    """Where two pairs share a name, a compensation that is missing would pass for that of the other."""
    pair = "  - {forward: hold, compensation: void}\n"

    told = refusal(pytestconfig, tmp_path, (pair, pair + "  - {forward: charge, compensation: void}\n"))

    assert told == 'DIR/target.yaml:25: "void" is the name of another effect, too'


def test_a_set_of_effect_pairs_fits_a_number(pytestconfig, tmp_path):
    pair = "  - {forward: hold, compensation: void}\n"
    more = "".join(f"  - {{forward: f{number}, compensation: c{number}}}\n" for number in range(62))

    assert "at most 62 items" in refusal(pytestconfig, tmp_path, (pair, pair + more))
