"""The state store of a run: one name for whatever it is, and what cannot be done to which."""

import pytest

from harness import names
from harness.errors import UsageError
from harness.faults import families
from harness.model import FaultEntry
from harness.names import BackendName, Store
from harness.planning import plan, scenario, target
from harness.planning.powers import refuse_unservable
from harness.planning.request import Request

LATENCY = {"fault": "latency", "pick": "all", "settings": {"latency": 0.1, "jitter": 0}}


@pytest.fixture(name="make", params=list(Store))
def _make(request, pytestconfig):
    """`make(fault, ...)`: the plan, on each store."""
    read = scenario.load(pytestconfig.rootpath / "tests/targets/payments_sidecar_kill.yaml")
    topology = read.topology.model_copy(update={"store": request.param})
    described = target.load(read.target)

    def make(*faults):
        steps = tuple(FaultEntry.model_validate({"at": 1, "for": 1, **fault}) for fault in faults)
        changed = read.model_copy(update={"faults": steps, "topology": topology})
        return plan.make(changed, described, seed=1, dapr_version="1.18.2")

    make.store = request.param
    return make


@pytest.mark.parametrize(
    ("on", "hits"),
    [
        ("sidecar-*->store", ("sidecar-0->{}", "sidecar-1->{}")),
        ("sidecar->store", ("sidecar-0->{}", "sidecar-1->{}")),
        ("sidecar-1->store", ("sidecar-1->{}",)),
    ],
)
def test_a_scenario_names_the_links_to_any_store(make, on, hits):
    made = make({**LATENCY, "on": on}, {"fault": "kill", "on": "store", "at": 5})

    assert made.steps[0].nodes == tuple(link.format(make.store) for link in hits)
    assert made.steps[1].nodes == (str(make.store),)
    assert made.store is make.store
    assert (made.nodes[0], made.links[1]) == (make.store, f"sidecar-0->{make.store}")


def test_the_name_of_another_store_is_told_with_the_way_out(make):
    (other,) = set(Store) - {make.store}

    assert make({"fault": "kill", "on": str(make.store)}).steps[0].nodes == (str(make.store),)
    told = rf'nothing is called "{other}"; the state store of this run is {make.store}: "store" is right whatever store'
    with pytest.raises(UsageError, match=told):
        make({"fault": "kill", "on": str(other)})
    with pytest.raises(UsageError, match=r'"sidecar-\*->store" is right whatever store it is'):
        make({**LATENCY, "on": f"sidecar-*->{other}"})


@pytest.mark.parametrize("pattern", ["store", "sidecar-*->store", "app-0", "storage", "restore->sidecar", "services"])
def test_what_a_store_is_called_is_put_in_and_taken_out(pattern):
    for store in Store:
        put_in = names.with_store(pattern, store)
        assert (put_in == pattern) is not (pattern.endswith("store"))
        assert names.without_store(put_in) == pattern


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        ({"fault": "out_of_memory"}, "it has no limit of memory"),
        ({"fault": "lose_data"}, "Dapr makes its tables there only when a sidecar starts"),
        ({"fault": "disk_full"}, "it writes in many"),
        ({"fault": "starve", "settings": {"share": 0.1}}, "its work is in many"),
    ],
)
def test_what_cannot_be_done_to_postgres_is_refused_by_a_sentence(make, fault, why):
    made = make({**fault, "on": "store"})

    if make.store is Store.REDIS:
        refuse_unservable(made, BackendName.PROCESSES)
    else:
        with pytest.raises(UsageError, match=f"fault {fault['fault']} cannot hit postgres: .*{why}"):
            refuse_unservable(made, BackendName.PROCESSES)


@pytest.mark.parametrize("fault", ["kill", "stop", "pause", "disconnect", "read_only"])
def test_what_can_be_done_to_every_store_is_not(make, fault):
    refuse_unservable(make({"fault": fault, "on": "store"}), BackendName.PROCESSES)


def test_every_fault_that_a_store_cannot_have_names_a_store():
    assert {node for fault in families().values() for node in fault.not_on} <= set(Store)


@pytest.mark.parametrize("fault", ["kill", "stop", "pause", "disconnect", "read_only"])
def test_containers_have_each_store(make, fault):
    refuse_unservable(make({"fault": fault, "on": "store"}), BackendName.COMPOSE)


def test_the_store_is_a_setting_of_the_scenario():
    asked = Request("baseline", store=Store.POSTGRES).plan(1)

    assert asked.store is Store.POSTGRES
    assert asked.asked.settings == ("topology.store=postgres",)
    assert Request("baseline").plan(1).store is Store.REDIS
    with pytest.raises(UsageError, match=r"topology\.store.*redis.*postgres"):
        Request("baseline", settings=("topology.store=mysql",)).plan(1)


@pytest.mark.parametrize("name", [name for name in scenario.names() if name not in ("redis_full", "redis_memory_loss")])
def test_every_other_scenario_can_be_run_on_postgres(name):
    refuse_unservable(Request(name, store=Store.POSTGRES).plan(1), BackendName.PROCESSES)
