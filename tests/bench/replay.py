"""
Token replay of each order's rows on a Petri net of the order workflow, by pm4py; run by a Python that has pm4py:

    python replay.py EVIDENCE

EVIDENCE is the folder of Parquet files. Each row is one event in its order's trace, by time; the instance, as it was
found at the end, is the last. Prints one JSON object: orders, rows, orders that do not fit (`illegal`), how many
different traces they have (`variants`), and the seconds of reading, of replaying every order, and of what pm4py does if
it is let: replaying every variant once. Making its own log of a data frame is left out, in its favour.
"""

import json
import sys
import time

import duckdb
import pm4py
from pm4py.algo.conformance.tokenreplay import algorithm
from pm4py.algo.conformance.tokenreplay.variants.token_replay import Parameters
from pm4py.objects.petri_net.obj import Marking, PetriNet
from pm4py.objects.petri_net.utils.petri_utils import add_arc_from_to

TRACES = """
    WITH told AS (
        SELECT instance_id, invoked_ns AS at_ns, 0 AS rank, 'call' AS label FROM '{0}/operations.parquet'
        UNION ALL
        SELECT instance_id, started_ns, 2, 'body ' || activity FROM '{0}/attempts.parquet'
        UNION ALL
        SELECT instance_id, at_ns, 2, effect FROM '{0}/effects.parquet'
        UNION ALL
        SELECT
            instance_id,
            at_ns,
            CASE event WHEN 'executionStarted' THEN 1 ELSE 2 END,
            CASE
                WHEN event = 'executionCompleted' THEN 'end ' || json_extract_string(payload, '$.outcome')
                WHEN event IN ('taskScheduled', 'taskCompleted', 'taskFailed')
                THEN event || ' ' || max(name) FILTER (event = 'taskScheduled') OVER (PARTITION BY instance_id, task_id)
                ELSE event
            END
        FROM '{0}/history.parquet'
        UNION ALL
        SELECT instance_id, coalesce(completed_ns, 0), 3, 'found ' || outcome FROM '{0}/instances.parquet'
    )
    SELECT
        instance_id AS "case:concept:name",
        label AS "concept:name",
        make_timestamp_ns(at_ns) AS "time:timestamp"
    FROM told
    ORDER BY instance_id, rank = 3, at_ns, rank
"""
START = {"asked": 1, "no reserve": 1, "no ship": 1}
NET = {
    "call": ({"asked": 1}, {"asked": 1}),
    "executionStarted": ({"asked": 1}, {"running": 1, "reserve": 1}),
    "workflowStarted": ({"running": 1}, {"running": 1}),
    "taskScheduled reserve_stock_v1": ({"reserve": 1}, {"reserve ordered": 1}),
    "body reserve_stock_v1": ({"reserve ordered": 1}, {"reserve ran": 1}),
    "reserve": ({"reserve ran": 1, "no reserve": 1}, {"reserve ran": 1, "reserved": 1}),
    "taskCompleted reserve_stock_v1": ({"reserve ran": 1}, {"quote": 3}),
    "taskScheduled quote_v1": ({"quote": 1}, {"quote ordered": 1}),
    "body quote_v1": ({"quote ordered": 1}, {"quote ran": 1}),
    "taskCompleted quote_v1": ({"quote ran": 1}, {"quoted": 1}),
    "taskScheduled register_shipment_v1": ({"quoted": 3}, {"ship ordered": 1}),
    "body register_shipment_v1": ({"ship ordered": 1}, {"ship ran": 1}),
    "ship": ({"ship ran": 1, "no ship": 1}, {"ship ran": 1, "shipped": 1}),
    "taskCompleted register_shipment_v1": ({"ship ran": 1}, {"ship answered": 1}),
    "taskFailed register_shipment_v1": ({"ship ran": 1}, {"ship answered": 1}),
    "timerCreated": ({"ship answered": 1}, {"waiting": 1}),
    "timerFired": ({"waiting": 1}, {"quoted": 3}),
    "taskScheduled cancel_shipment_v1": ({"ship answered": 1}, {"cancel ordered": 1}),
    "body cancel_shipment_v1": ({"cancel ordered": 1}, {"cancel ran": 1}),
    "cancel": ({"cancel ran": 1, "shipped": 1}, {"cancel ran": 1, "no ship": 1}),
    "taskCompleted cancel_shipment_v1": ({"cancel ran": 1}, {"cancel answered": 1}),
    "taskScheduled release_stock_v1": ({"cancel answered": 1}, {"release ordered": 1}),
    "body release_stock_v1": ({"release ordered": 1}, {"release ran": 1}),
    "release": ({"release ran": 1, "reserved": 1}, {"release ran": 1, "no reserve": 1}),
    "taskCompleted release_stock_v1": ({"release ran": 1}, {"release answered": 1}),
    "end completed": ({"running": 1, "ship answered": 1, "reserved": 1, "shipped": 1}, {"completed": 1}),
    "end compensated": ({"running": 1, "release answered": 1, "no reserve": 1, "no ship": 1}, {"compensated": 1}),
    "end rejected": ({"running": 1, "quote": 3, "no reserve": 1, "no ship": 1}, {"rejected": 1}),
    "found completed": ({"completed": 1}, {"found": 1}),
    "found compensated": ({"compensated": 1}, {"found": 1}),
    "found rejected": ({"rejected": 1}, {"found": 1}),
}
"""Label -> the tokens that it takes, and those that it puts, by place; an order ends with one token in `found`."""


def net():
    made, places = PetriNet("orders"), {}

    def place(name):
        if name not in places:
            places[name] = PetriNet.Place(name)
            made.places.add(places[name])
        return places[name]

    for label, (taken, put) in NET.items():
        transition = PetriNet.Transition(label, label)
        made.transitions.add(transition)
        for name, tokens in taken.items():
            add_arc_from_to(place(name), transition, made, weight=tokens)
        for name, tokens in put.items():
            add_arc_from_to(transition, place(name), made, weight=tokens)
    return made, Marking({place(name): tokens for name, tokens in START.items()}), Marking({place("found"): 1})


def timed(act):
    began = time.perf_counter()
    answer = act()
    return answer, time.perf_counter() - began


def main():
    model = net()
    every = {Parameters.SHOW_PROGRESS_BAR: False, Parameters.DISABLE_VARIANTS: True}
    variants = {Parameters.SHOW_PROGRESS_BAR: False}
    frame, read_s = timed(duckdb.sql(TRACES.format(sys.argv[1])).df)
    kinds = frame.groupby("case:concept:name")["concept:name"].agg(tuple).nunique()
    replayed, variants_s = timed(lambda: algorithm.apply(frame, *model, parameters=variants))
    # Of a data frame pm4py replays each variant once, whatever it is told: for every order it takes a log of its own.
    log = pm4py.convert_to_event_log(frame)
    replayed, every_s = timed(lambda: algorithm.apply(log, *model, parameters=every))
    found = {"orders": len(replayed), "rows": len(frame), "illegal": sum(not one["trace_is_fit"] for one in replayed)}
    found |= {"variants": int(kinds), "read_s": read_s, "variants_s": variants_s, "every_s": every_s}
    print(json.dumps(found))  # noqa: T201  its standard output is its answer


if __name__ == "__main__":
    main()
