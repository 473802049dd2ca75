-- claim: A turn of a workflow orders something only because of what it has taken in, and nothing that was taken in is younger than the last turn.
-- layer: engine
-- examined: SELECT count(*) FROM histories
-- catches: result_after_turn, turn_without_cause
-- source: durabletask-go backend/orchestration.go (applyWorkItem: a turn begins with workflowStarted, then comes the whole inbox). After a crash a turn may be there that neither took in nor ordered anything. If another application is not there when the first turn orders something of it, that turn is saved without the order, and a later one orders it (Dapr 1.18 orchestrator/run.go, hasRemoteTasks). The times of one instance's events may come from two sidecars, and a result's time from a third process; a difference of one millisecond is allowed.
-- witness: {instance_id}: {fault}.
SELECT instance_id, 'the turn at position ' || position || ' ordered something, and nothing had happened' AS fault
FROM (
    SELECT
        instance_id,
        position,
        event,
        lead(event) OVER (PARTITION BY instance_id ORDER BY position, event) AS next_event,
        sum(
            CASE
                WHEN event IN (
                    'taskCompleted', 'taskFailed', 'timerFired', 'childWorkflowInstanceCompleted',
                    'childWorkflowInstanceFailed', 'eventRaised'
                ) THEN 1
                ELSE 0
            END
        ) OVER (PARTITION BY instance_id ORDER BY position, event) AS taken
    FROM suspects
) AS following
WHERE event = 'workflowStarted'
    AND next_event IN (
        'taskScheduled', 'timerCreated', 'childWorkflowInstanceCreated', 'detachedWorkflowInstanceCreated', 'eventSent',
        'executionCompleted'
    )
    AND NOT (
        taken = 0
        AND next_event IN ('taskScheduled', 'childWorkflowInstanceCreated')
        AND EXISTS (SELECT 1 FROM nodes WHERE starts_with(node, 'sidecar-') AND substr(node, 9, 1) >= 'a')
    )
UNION ALL
SELECT suspects.instance_id, 'the ' || suspects.event || ' at position ' || suspects.position || ' is younger than the last turn'
FROM suspects
JOIN (
    SELECT instance_id, max(at_ns) AS turn_ns
    FROM suspects
    WHERE event = 'workflowStarted'
    GROUP BY instance_id
) AS turns ON turns.instance_id = suspects.instance_id
WHERE suspects.event IN ('taskCompleted', 'taskFailed', 'timerFired', 'executionStarted') AND suspects.at_ns > turns.turn_ns + 1000000
ORDER BY instance_id, fault
