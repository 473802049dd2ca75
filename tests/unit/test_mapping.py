"""What a target.yaml finds in somebody else's JSON."""

import pytest

from harness import mapping


@pytest.mark.parametrize(
    ("expression", "text", "word"),
    [
        ("result", '{"result": "paid"}', "paid"),
        ("result", '{"result": true}', "true"),
        ("result.code", '{"result": {"code": 5}}', "5"),
        ("@", "4.5", "4.5"),
        ("@", '"done"', "done"),
        ("@ > `0`", "3", "true"),
        ("result", '{"result": {"code": 5}}', None),
        ("@", "[1]", None),
        ("result", "5", None),
        ("result", "null", None),
        ("result", "no JSON", None),
        ("result", None, None),
        ("length(@)", "5", None),
        ("@", "[" * 100_000, None),
    ],
)
def test_the_word_that_an_expression_finds(expression, text, word):
    assert mapping.word(expression, text) == word


def test_what_is_no_expression_is_refused_with_the_reason():
    with pytest.raises(ValueError, match='"result\\[" is not a JMESPath expression'):
        mapping.refuse("result[")


@pytest.mark.parametrize(
    ("expression", "text"),
    [("'charge'", "charge"), ('`"charge"`', "charge"), ("`5`", None), ("kind", None), ("kind || 'x'", None)],
)
def test_the_text_that_an_expression_is(expression, text):
    assert mapping.literal(expression) == text
