"""The JSON Schemas, for editors and for programs: in step with the models, and of one mind with the reader."""

import json

import jsonschema
import pytest
from ruamel.yaml import YAML

from harness.model import Result, verdict
from harness.planning import scenario, suite, target
from tests.builders import pages, shop

SCENARIO = scenario.schema()


@pytest.mark.parametrize("made", pages.SCHEMAS.values(), ids=pages.SCHEMAS)
def test_every_schema_is_one(made):
    jsonschema.Draft202012Validator.check_schema(made())


def problems(made, text):
    found = jsonschema.Draft202012Validator(made).iter_errors(json.loads(json.dumps(YAML(typ="safe").load(text))))
    return [error.message for error in found]


@pytest.mark.parametrize("name", scenario.names())
def test_every_named_scenario_fits_the_schema(name):
    assert problems(SCENARIO, scenario.find(name).read_text()) == []


@pytest.mark.parametrize("name", suite.names())
def test_every_named_suite_fits_the_schema(name):
    assert problems(suite.schema(), suite.find(name).read_text()) == []


@pytest.mark.parametrize("file", ["target/target.yaml", "tests/targets/payments/target.yaml"])
def test_every_target_fits_the_schema(pytestconfig, file):
    assert problems(target.schema(), (pytestconfig.rootpath / file).read_text()) == []


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("duration: 40s", "duration: soon"),
        ("fault: kill", "fault: kil"),
        ("fault: kill", "fault: latency"),
        ("at: 6s", "at: 6s, sharpness: 3"),
        ("rate: 8", "rate: fast"),
        ("load:", "lode:"),
    ],
)
def test_what_the_reader_refuses_the_schema_refuses(right, wrong):
    text = scenario.find("sidecar_kill").read_text()
    assert right in text

    assert problems(SCENARIO, text.replace(right, wrong, 1)) != []


@pytest.mark.parametrize("name", ["holds", "violated", "explained", "expected"])
def test_every_verdict_fits_its_schema_also_one_with_a_field_of_a_later_release(name):
    lost = shop.finding("lost", Result.VIOLATED, violations=1)
    found = {
        "holds": shop.verdict(),
        "violated": shop.violated(shop.evidence(200)),
        "explained": shop.explained()[0],
        "expected": shop.verdict((lost,), expect={"violated": ["lost"], "upstream": "https://example.org/1"}),
    }[name]
    document = json.loads(found.model_dump_json())
    reader = jsonschema.Draft202012Validator(verdict.schema())

    assert list(reader.iter_errors(document)) == []
    assert list(reader.iter_errors({**document, "later": 1})) == []
    for wrong in ({"version": 2}, {"result": "FINE"}, {"findings": [{"name": "lost"}]}):
        assert list(reader.iter_errors({**document, **wrong})) != []


def test_every_field_of_a_verdict_has_a_description():
    for model in (verdict.schema(), *verdict.schema()["$defs"].values()):
        lacking = [name for name, field in model.get("properties", {}).items() if "description" not in field]
        assert lacking == [], model["title"]
