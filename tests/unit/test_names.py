"""One grammar for nodes and links: every name of every plan is read back as it was written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import names
from harness.names import Link, Node, parse
from harness.planning import plan, scenario, target

ROLES = st.from_regex(r"[a-z][a-z0-9_]{0,8}(-[a-z][a-z0-9_]{0,8})?", fullmatch=True)
NUMBERS = st.none() | st.integers(0, 999_999)
APPLICATIONS = st.from_regex(r"[a-z][a-z0-9]{0,8}(-[a-z][a-z0-9]{0,8})?", fullmatch=True)
NODES = st.builds(Node, ROLES.filter(lambda role: not names.is_reserved(role)), NUMBERS) | st.builds(
    Node, st.sampled_from((names.APP, names.SIDECAR)), NUMBERS, st.none() | APPLICATIONS
)
TARGETS = ("target/target.yaml", "tests/targets/payments/target.yaml", "tests/targets/orders/target.yaml")


@given(NODES | st.builds(Link, NODES, NODES))
def test_a_name_is_read_back_as_it_was_written(thing):
    assert parse(str(thing)) == thing


@pytest.mark.parametrize("replicas", [1, 2, 8])
@pytest.mark.parametrize("file", TARGETS)
def test_every_node_and_link_that_a_plan_can_have_is_one(pytestconfig, file, replicas):
    described = target.load(pytestconfig.rootpath / file)
    nodes, links = plan.nodes(described, replicas), plan.links(described, replicas)

    assert [str(names.node(name)) for name in nodes] == list(nodes)
    assert [str(names.link(name)) for name in links] == list(links)
    assert {end for name in links for end in names.link(name).parts} <= {*nodes, "client", "sidecars"}


@pytest.mark.parametrize("name", scenario.names())
def test_every_name_in_every_plan_is_a_node_or_a_link_of_it(name):
    read = scenario.load(scenario.find(name))
    made = plan.make(read, target.load(read.target), seed=1, dapr_version="1.18.2")

    for step in made.steps:
        assert all(str(parse(one)) == one for one in step.nodes)
        assert set(step.nodes) <= {*made.nodes, *made.links}


@pytest.mark.parametrize(
    ("name", "replica", "role"),
    [
        ("app-0", "app-0", "app"),
        ("sidecar-11", "app-11", "sidecar"),
        ("sidecar-shipping-0", "app-shipping-0", "sidecar"),
        ("app-shipping-eu-1->sidecar-shipping-eu-1", "app-shipping-eu-1", "app->sidecar"),
        ("redis", None, "redis"),
        ("scheduler-0", None, "scheduler"),
        ("pay-2-0", None, "pay-2"),
        ("client->app-0", "app-0", "client->app"),
        ("client->sidecar-1", "app-1", "client->sidecar"),
        ("sidecar-1->redis", "app-1", "sidecar->redis"),
        ("app-1->provider-0", "app-1", "app->provider"),
        ("sidecars->scheduler-0", None, "sidecars->scheduler"),
        ("not a name", None, "not a name"),
        ("a->b->c", None, "a->b->c"),
        ("", None, ""),
    ],
)
def test_the_replica_and_the_role_of_a_name(name, replica, role):
    assert (names.replica(name), names.role(name)) == (replica, role)


@pytest.mark.parametrize(
    "text", ["", "->", "a->", "->b", "a->b->c", "a b", "app-0\n", "app-0 ", "é", "app-1234567", "app-00", "app-٣"]
)
def test_what_is_no_name_is_refused(text):
    with pytest.raises(ValueError, match="is no name of a node"):
        parse(text)


def test_a_node_is_no_link_and_a_link_no_node():
    with pytest.raises(ValueError, match="name of a link"):
        names.node("app-0->sidecar-0")
    with pytest.raises(ValueError, match="name of a node"):
        names.link("app-0")


@pytest.mark.parametrize("text", ["", "1st", "shipping-1", "Shipping", "ship_ping", "shipping-", "a" * 31, "a b"])
def test_what_is_no_name_of_an_application_makes_no_node_of_one(text):
    assert not names.is_application(text)
    assert f"sidecar-{text}-0" != str(names.sidecar(0)) or not text
    with pytest.raises((ValueError, AssertionError)):
        assert names.node(f"sidecar-{text}-0").application == text


def test_the_group_of_a_name_is_its_role_in_its_own_application():
    of = {name: names.group(name) for name in ("sidecar-0", "sidecar-shipping-0", "app-shipping-0->sidecar-shipping-0")}

    assert list(of.values()) == ["sidecar", "sidecar-shipping", "app-shipping->sidecar-shipping"]


def test_a_link_touches_its_ends():
    assert names.touched(["sidecar-1->redis", "app-0"]) == {"sidecar-1->redis", "sidecar-1", "redis", "app-0"}


@pytest.mark.parametrize("role", sorted(names.RESERVED))
def test_what_the_system_has_is_a_role(role):
    assert names.is_role(role)


@pytest.mark.parametrize("role", ["provider", "pay-2", "a_b"])
def test_a_service_can_be_called(role):
    assert names.is_role(role)


@pytest.mark.parametrize("role", ["store-front", "postgres-audit", "restore", "provider"])
def test_a_service_may_be_called_like_the_store_and_more(role):
    assert not names.is_reserved(role)


@pytest.mark.parametrize("role", ["", "2", "a b", "x->y", "-a", "pay-", "a/b", "[x]"])
def test_a_service_cannot_be_called(role):
    assert not names.is_role(role)
