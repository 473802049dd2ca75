"""Several applications: the nodes and links of each, what a fault can name, and what cannot be meant."""

import pytest

from harness.errors import UsageError
from harness.model import FaultEntry
from harness.names import BackendName
from harness.planning import plan, scenario, target
from harness.planning.powers import refuse_unservable


@pytest.fixture(name="read")
def _read(pytestconfig):
    made = scenario.load(pytestconfig.rootpath / "tests/targets/orders_shipping_kill.yaml")
    return made, target.load(made.target)


def make(read, *faults, replicas=2):
    topology = read[0].topology.model_copy(update={"replicas": replicas})
    steps = tuple(FaultEntry.model_validate({"at": 1, "for": 1, **fault}) for fault in faults)
    made = read[0].model_copy(update={"faults": steps, "topology": topology})
    return plan.make(made, read[1], seed=1, dapr_version="1.18.2")


def test_a_further_application_has_nodes_and_links_of_its_own_and_no_clients(read):
    made = make(read, replicas=1)

    assert made.nodes == (
        *("redis", "placement-0", "scheduler-0"),
        *("sidecar-0", "sidecar-shipping-0", "sidecar-shipping-1"),
        *("app-0", "app-shipping-0", "app-shipping-1"),
    )
    assert made.links[-3:] == (
        "sidecar-shipping-1->redis",
        "sidecar-shipping-1->placement-0",
        "app-shipping-1->sidecar-shipping-1",
    )
    assert [link for link in made.links if "client" in link] == ["client->app-0", "client->sidecar-0"]


@pytest.mark.parametrize(
    ("on", "expected"),
    [
        ("sidecar", ("sidecar-0", "sidecar-1", "sidecar-shipping-0", "sidecar-shipping-1")),
        ("sidecar-shipping", ("sidecar-shipping-0", "sidecar-shipping-1")),
        ("sidecar-[0-9]", ("sidecar-0", "sidecar-1")),
        ("app-shipping-0", ("app-shipping-0",)),
        (["app-shipping", "app-1"], ("app-1", "app-shipping-0", "app-shipping-1")),
    ],
)
def test_a_fault_names_every_application_or_one_of_them(read, on, expected):
    assert make(read, {"fault": "kill", "on": on, "pick": "all"}).steps[0].nodes == expected


@pytest.mark.parametrize(
    ("on", "count"), [("sidecar->redis", 4), ("sidecar-shipping->redis", 2), ("app-shipping-0->sidecar-shipping-0", 1)]
)
def test_so_does_a_fault_on_links(read, on, count):
    step = make(read, {"fault": "reset", "on": on, "pick": "all"}).steps[0]

    assert len(step.nodes) == count


def test_what_nothing_is_called_is_told_with_the_groups(read):
    with pytest.raises(UsageError, match=r'nothing is called "sidecar-shiping".*sidecar-shipping'):
        make(read, {"fault": "kill", "on": "sidecar-shiping"})


def test_a_backend_that_cannot_start_them_is_refused_by_a_sentence(read):
    made = make(read)

    refuse_unservable(made, BackendName.PROCESSES)
    with pytest.raises(UsageError, match=r"target orders has further applications \(`apps`\).*use --backend processes"):
        refuse_unservable(made, BackendName.COMPOSE)


def test_an_app_id_is_the_name_if_none_is_given(read):
    assert read[1].app_ids == {None: "orders", "shipping": "shipping"}
    assert read[1].program("shipping").workdir == read[1].app.workdir


APPS = """apps:
  shipping:  # its nodes are app-shipping-0 and sidecar-shipping-0
"""
CHILDREN = "children: {deliver: {statuses: {FAILED: {ends: rejected, effects: [fly]}}}, order: {}}\nretries:\n"


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (APPS, "apps:\n  Shipping-2:\n", '8: "Shipping-2" cannot be a part of the name of a node'),
        (APPS, "apps:\n  shipping:\n    app_id: orders\n", "8: its app id orders is that of the main application, too"),
        (APPS, "apps:\n  shipping:\n    app-id: x\n", '9: "app-id" is not known here; did you mean "app_id"?'),
        ("replicas: 2", "replicas: 9", "11: apps.shipping.replicas"),
        ("{app: shipping, prefix", "{app: shiping, prefix", '32: "shiping" is not one of `apps`'),
        ("retries:\n", CHILDREN, '24: "fly" is not a forward effect of this target'),
        ("retries:\n", CHILDREN, '24: "order" is one of `workflows`, which says how it ends'),
    ],
)
def test_what_cannot_be_meant_is_refused_with_its_line(pytestconfig, tmp_path, old, new, told):
    text = (pytestconfig.rootpath / "tests/targets/orders/target.yaml").read_text()
    assert old in text
    file = tmp_path / "target.yaml"
    file.write_text(text.replace(old, new, 1))

    with pytest.raises(UsageError) as caught:
        target.load(file)

    assert f"target.yaml:{told}" in str(caught.value)


def test_the_plan_of_one_application_is_for_the_same_one_in_another_folder(read, tmp_path):
    there = read[1].model_copy(
        update={
            name: {"shipping": read[1].apps["shipping"].model_copy(update={"workdir": tmp_path})} for name in ("apps",)
        }
    )

    assert target.same(read[1], there) is there
    other = read[1].model_copy(update={"apps": {}})
    with pytest.raises(UsageError, match="is another"):
        target.same(read[1], other)
