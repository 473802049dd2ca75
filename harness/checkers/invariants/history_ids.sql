-- claim: Everything that a workflow orders (tasks, timers, child workflows and its end) has an id of its own, and the end has the highest id.
-- layer: SDK
-- examined: SELECT count(*) FROM history WHERE event_id >= 0
-- catches: id_given_twice, end_id_reused
-- source: the SDKs number everything that a workflow orders with one counter (dapr-ext-workflow 1.18.3 _durabletask/worker.py, next_sequence_number; durabletask-go task/orchestrator.go, getNextSequenceNumber). A replay gives the same numbers. A result identifies its task by that number alone.
-- witness: {instance_id}: {fault}.
WITH orders AS (
    SELECT instance_id, event_id, event
    FROM suspects
    WHERE event_id >= 0
        AND event IN (
            'taskScheduled', 'timerCreated', 'childWorkflowInstanceCreated', 'detachedWorkflowInstanceCreated', 'eventSent',
            'executionCompleted'
        )
), ends AS (
    SELECT
        instance_id,
        max(CASE WHEN event = 'executionCompleted' THEN event_id END) AS end_id,
        max(CASE WHEN event <> 'executionCompleted' THEN event_id END) AS last_id
    FROM orders
    GROUP BY instance_id
)
SELECT instance_id, 'id ' || event_id || ' was given ' || count(*) || ' times: ' || min(event) || ', ' || max(event) AS fault
FROM orders
GROUP BY instance_id, event_id
HAVING count(*) > 1
UNION ALL
SELECT instance_id, 'its end has id ' || end_id || ', and something else ' || last_id
FROM ends
WHERE end_id < last_id
ORDER BY instance_id, fault
