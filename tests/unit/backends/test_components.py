"""The team's own component files are used in a copy that reaches nothing but the run."""

import pytest
from ruamel.yaml import YAML

from harness.backends import components
from harness.errors import UsageError
from harness.names import Store
from tests.builders import tutorial

STORE = """
apiVersion: dapr.io/v1alpha1
kind: Component
metadata: {name: statestore}
spec:
  type: state.redis
  version: v1
  metadata:
    - {name: redisHost, value: "localhost:6379"}
    - {name: redisPassword, secretKeyRef: {name: redis, key: password}}
    - {name: keyPrefix, value: name}
"""
POSTGRES = """
kind: Component
metadata: {name: statestore}
spec:
  type: state.postgresql
  version: v1
  metadata:
    - {name: connectionString, value: "host=db.example user=them password=theirs"}
    - {name: tablePrefix, value: theirs_}
    - {name: maxConns, value: "7"}
    - {name: actorStateStore, value: "false"}
"""
BROKER = """
---
apiVersion: dapr.io/v1alpha1
kind: Component
metadata: {name: orders}
spec: {type: pubsub.redis, version: v1, metadata: [{name: redisHost, value: "10.0.0.1:6379"}]}
"""
KAFKA = """
kind: Component
metadata: {name: events}
spec: {type: pubsub.kafka, metadata: [{name: brokers, value: "kafka:9092"}]}
"""


@pytest.fixture(name="of")
def _of(tmp_path):
    """The target with these component files: `of(text, ...)`."""

    def make(*texts, **changes):
        folder = tmp_path / "components"
        folder.mkdir()
        for number, text in enumerate(texts):
            (folder / f"{number}.yaml").write_text(text)
        return tutorial.plan(components=str(folder), **changes).target

    return make


def read(folder):
    return {
        document["metadata"]["name"]: document["spec"]
        for file in folder.iterdir()
        for document in YAML(typ="safe").load_all(file.read_text())
    }


def test_every_redis_of_the_copy_is_the_runs_own(of, tmp_path):
    target = of(STORE + BROKER)

    copy = read(components.write(target, tmp_path / "copy"))

    ours = {"name": "redisHost", "envRef": "REDIS_HOST"}
    actors = {"name": "actorStateStore", "value": "true"}
    assert copy["statestore"]["metadata"] == [ours, actors, {"name": "keyPrefix", "value": "name"}]
    assert copy["orders"]["metadata"] == [ours]
    assert "localhost:6379" in (target.components / "0.yaml").read_text(), "the team's own files stay as they are"


def test_a_component_that_leads_out_of_the_run_is_refused_unless_it_is_named(of, tmp_path):
    target = of(STORE, KAFKA)

    with pytest.raises(UsageError, match=r"events \(pubsub\.kafka\) leads to something that this run does not start"):
        components.prepared(target)

    named = target.model_copy(update={"outside": ("events",)})
    assert read(components.write(named, tmp_path / "copy"))["events"]["type"] == "pubsub.kafka"


@pytest.mark.parametrize(
    ("texts", "told"),
    [
        ([], "the component statestore, in which workflows are kept, is not there; it must be state.redis"),
        (
            [STORE.replace("state.redis", "state.in-memory")],
            "is state.in-memory; it must be state.redis or state.postg",
        ),
        ([POSTGRES], "statestore is state.postgresql, and the state store of this run is redis: use --store postgres"),
        (
            [POSTGRES.replace("name: statestore", "name: other"), STORE],
            r"other \(state\.postgresql\) leads to something",
        ),
        (["kind: Component\n"], "0.yaml: a component has metadata.name, spec.type and a list spec.metadata"),
        (["kind: [\n"], "0.yaml: cannot be read: "),
        (["# " + "x" * 1_000_000], "0.yaml: cannot be read: .*File too large"),
        (["[" * 5_000], "0.yaml: cannot be read: "),
        (["- 1\n"], "0.yaml: a component has metadata.name"),
    ],
)
def test_components_that_cannot_be_used_are_refused_before_anything_starts(of, texts, told):
    with pytest.raises(UsageError, match=told):
        components.prepared(of(*texts))


def test_without_files_there_is_a_store_and_a_configuration(tmp_path):
    target = tutorial.plan(components=None, configuration=None).target

    copy = read(components.write(target, tmp_path / "copy"))

    assert [spec["type"] for spec in copy.values()] == ["state.redis"]
    assert "sqlite" in components.write_configuration(target, tmp_path).read_text()


OURS = {"name": "connectionString", "envRef": "POSTGRES_CONNECTION"}
ACTORS = {"name": "actorStateStore", "value": "true"}


@pytest.mark.parametrize(
    ("text", "kept"), [(STORE, {"name": "keyPrefix", "value": "name"}), (POSTGRES, {"name": "maxConns", "value": "7"})]
)
def test_the_state_store_is_the_runs_own_postgres_whatever_it_was(of, tmp_path, text, kept):
    copy = read(components.write(of(text), tmp_path / "copy", Store.POSTGRES))

    spec = copy["statestore"]
    assert (spec["type"], spec["version"], spec["metadata"]) == ("state.postgresql", "v2", [OURS, ACTORS, kept])


def test_without_files_there_is_a_postgres(tmp_path):
    target = tutorial.plan(components=None, configuration=None).target

    (spec,) = read(components.write(target, tmp_path / "copy", Store.POSTGRES)).values()

    assert (spec["type"], spec["version"], spec["metadata"]) == ("state.postgresql", "v2", [OURS, ACTORS])


def test_what_needs_a_redis_is_refused_in_a_run_that_has_none(of):
    target = of(STORE + BROKER)

    with pytest.raises(UsageError, match=r"orders \(pubsub\.redis\) needs a Redis, and this run has none"):
        components.prepared(target, Store.POSTGRES)
    components.prepared(target.model_copy(update={"outside": ("orders",)}), Store.POSTGRES)
