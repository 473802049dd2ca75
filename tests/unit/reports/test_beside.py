"""One run beside another."""

import pytest
from harness_reports import beside, words

from harness.comparing.figures import Figures, Latency, Recovery
from harness.model import Result

THIS = Figures(
    run="this",
    scenario="demo",
    seed=7,
    dapr_version="1.18.2",
    defect=None,
    result=Result.HOLDS,
    interrupted=False,
    began_ns=0,
    instances=600,
    violated=0,
    accepted=1.0,
    throughput=15.0,
    offered=15.0,
    start=Latency(median=0.02, p99=0.5),
    completion=Latency(median=0.2, p99=4.0),
    unended=0,
    repeated_attempts=59,
    recoveries=(Recovery(step=0, fault="kill", role="sidecar", seconds=3.5),),
)


def of(**changes):
    made = beside.of(THIS, THIS.model_copy(update=changes))
    return made, {each.name: (each.this, each.base, each.change) for each in made.measures}


def test_a_run_beside_itself_does_not_differ():
    made, measures = of()
    assert made.caveats == ()
    assert measures.pop("verdict") == ("HOLDS", "HOLDS", "")
    assert {change for *_, change in measures.values()} == {"none"}


@pytest.mark.parametrize(
    ("changes", "name", "told"),
    [
        ({"throughput": 20.0}, "throughput, per second", ("15", "20", "-25.0 %")),
        ({"throughput": None}, "throughput, per second", ("15", words.NOTHING, "cannot be told")),
        ({"start": Latency(median=0.01, p99=0.5)}, "start, median", ("20 ms", "10 ms", "+100.0 %")),
        ({"start": None}, "start, 99 %", ("500 ms", words.NOTHING, "cannot be told")),
        ({"recoveries": ()}, "longest recovery", ("3.5 s", words.NOTHING, "cannot be told")),
        ({"repeated_attempts": 0}, "repeated attempts", ("59", "0", words.NOTHING)),
    ],
)
def test_a_measure_is_told_with_its_change(changes, name, told):
    assert of(**changes)[1][name] == told


def test_what_else_differs_is_told():
    made, _ = of(seed=8, dapr_version="1.17.0", defect="double_ship")
    assert made.caveats == (
        "seed: 7 here, 8 there",
        "Dapr: 1.18.2 here, 1.17.0 there",
        "planted defect: none here, double_ship there",
    )
