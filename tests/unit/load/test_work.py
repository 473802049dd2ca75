"""What each of several load generators is to do on a system that somebody else runs."""

import pytest

from harness.errors import UsageError
from harness.load.arrivals import schedule
from harness.load.start import start
from harness.load.work import of_hosts
from harness.planning import plan, scenario, target
from harness.runtime.versions import DAPR

URLS = "http://127.0.0.1:26050,http://127.0.0.1:26051"


@pytest.fixture(name="made", scope="module")
def _made():
    read = scenario.load(scenario.find("baseline"))
    return plan.make(read, target.load(read.target), seed=3, dapr_version=DAPR)


def first(work, count=40):
    return [arrival for _, arrival in zip(range(count), work.arrivals(), strict=False)]


def test_shares_are_disjoint_and_together_the_whole_schedule(made):
    shares = [first(of_hosts(made, URLS, share=share, shares=3, prefix="x-")) for share in range(3)]
    numbers = sorted(arrival.number for share in shares for arrival in share)

    assert numbers[:60] == list(range(60))
    assert len(set(numbers)) == len(numbers)


def test_ids_begin_with_the_prefix_and_the_rest_is_the_seeds(made):
    load, workflows = made.scenario.load, made.workflows
    here = first(of_hosts(made, URLS, share=0, shares=1, prefix="t1-"), 20)
    planned = [arrival for _, arrival in zip(range(20), schedule(load, workflows, 3), strict=False)]

    assert [arrival.instance_id for arrival in here] == [f"t1-{arrival.instance_id}" for arrival in planned]
    assert [arrival.at for arrival in here] == [arrival.at for arrival in planned]
    assert here[0].body["order_id"] == here[0].instance_id


def test_the_load_goes_on_beyond_the_scenarios_duration(made):
    work = of_hosts(made, URLS, share=0, shares=1, prefix="")

    assert first(work, 1000)[-1].at > made.scenario.load.duration


def test_starts_go_round_the_hosts(made):
    work = of_hosts(made, URLS, share=0, shares=1, prefix="")
    urls = [start("order_v1", work.workflows["order_v1"], "i", {}, work.replicas, replica).url for replica in range(3)]

    assert urls == [f"http://127.0.0.1:{port}/orders" for port in (26050, 26051, 26050)]


@pytest.mark.parametrize("urls", ["127.0.0.1:26050", "https://there:1", "http://there", "http://there:port", ""])
def test_what_is_no_address_of_a_replica_is_refused(made, urls):
    with pytest.raises(UsageError, match="--host"):
        of_hosts(made, urls, share=0, shares=1, prefix="")
