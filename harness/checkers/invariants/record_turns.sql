-- claim: Each turn that was executed twice is a turn of an instance's history: before the first fault it began where the history has one and took in what had happened; on sidecars of the run, and both executions differ exactly where a difference is told.
-- severity: unknown
-- examined: SELECT count(*) FROM turns
-- catches: turn_of_nobody, turn_elsewhere, turn_half_told, turn_misplaced, turn_duplicated
-- needs: determinism
-- source: harness/tap/acting.py. A turn that was executed and not saved leaves nothing in the history, and the next one may take in other events; a fault that cuts off saves does that, so only turns of before the first fault are looked up there. An instance in a later generation has lost its earlier history. In a synthetic run only the first copy has turns.
-- witness: {instance_id:or}: the turn that took in {new:or} events after {past:or}, executed by {node:or}, {fault}.
WITH placed AS (
    SELECT
        turns.instance_id,
        turns.node,
        turns.past,
        turns.new,
        turns.turned_ns,
        count_if(history.position = turns.past AND history.event <> 'workflowStarted') AS elsewhere,
        count_if(
            history.position > turns.past
            AND history.event IN (
                'workflowStarted', 'taskScheduled', 'timerCreated', 'childWorkflowInstanceCreated',
                'detachedWorkflowInstanceCreated', 'eventSent', 'executionCompleted'
            )
        ) AS ordered
    FROM turns
    JOIN instances ON instances.instance_id = turns.instance_id AND instances.generation = 1
    JOIN history
        ON history.instance_id = turns.instance_id
        AND history.position BETWEEN turns.past AND turns.past + turns.new - 1
    WHERE turns.turned_ns + 1000000000 < (SELECT coalesce(min(faults.applied_ns), 9223372036854775807) FROM faults)
    GROUP BY turns.instance_id, turns.node, turns.past, turns.new, turns.turned_ns
), doubted AS (
    SELECT
        turns.instance_id,
        turns.node,
        turns.past,
        turns.new,
        CASE
            WHEN turns.instance_id NOT IN (SELECT instance_id FROM instances WHERE instance_id IS NOT NULL)
                AND turns.instance_id NOT IN (SELECT instance_id FROM operations WHERE instance_id IS NOT NULL)
                THEN 'is of an instance that nobody started'
            WHEN NOT starts_with(turns.node, 'sidecar-') OR turns.node NOT IN (SELECT node FROM nodes)
                OR NOT starts_with(turns.other, 'sidecar-') OR turns.other NOT IN (SELECT node FROM nodes)
                THEN 'was executed by what is no sidecar of the run'
            WHEN (turns.same IS NULL) <> (turns.other IS NULL) THEN 'has an answer without the sidecar that gave it, or a sidecar without an answer'
            WHEN coalesce(turns.same, TRUE) AND coalesce(turns.difference, turns.first, turns.second) IS NOT NULL THEN 'has a difference where there is none'
            WHEN NOT turns.same AND turns.difference IS NULL THEN 'differs, and nothing says how'
            WHEN turns.new < 1 THEN 'took in nothing'
            WHEN turns.turned_ns < instances.created_ns - 1000000 THEN 'was executed before the instance was started'
        END AS fault
    FROM turns
    LEFT JOIN instances ON instances.instance_id = turns.instance_id
)
SELECT instance_id, node, past, new, fault
FROM doubted
WHERE fault IS NOT NULL
UNION ALL
SELECT instance_id, node, past, new, 'does not begin where the history has a turn, or took in what it had ordered itself'
FROM placed
WHERE elsewhere > 0 OR ordered > 0
UNION ALL
SELECT instance_id, node, past, new, 'is told ' || count(*) || ' times'
FROM turns
GROUP BY instance_id, node, past, new, turned_ns
HAVING count(*) > 1
ORDER BY instance_id, past, node, fault
