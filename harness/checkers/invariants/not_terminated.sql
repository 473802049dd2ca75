-- claim: An instance that takes in a terminate ends in that turn and orders nothing more: as TERMINATED, unless something that the same turn took in before let its code end.
-- layer: engine
-- needs: terminates
-- examined: SELECT count(*) FROM history WHERE event = 'executionTerminated'
-- plants: UPDATE instances SET status = 'COMPLETED' WHERE instance_id = (SELECT min(instances.instance_id)
--   FROM instances JOIN history ON history.instance_id = instances.instance_id AND history.event = 'executionTerminated'
--   WHERE instances.status = 'TERMINATED' AND (SELECT count(*) FROM history AS before
--   WHERE before.instance_id = history.instance_id AND before.position = history.position - 1 AND before.event = 'workflowStarted') = 1);
--   UPDATE history SET event = 'taskScheduled', task_id = 99 WHERE (instance_id, position) = (SELECT min((ends.instance_id, ends.position))
--   FROM history AS ends JOIN history AS told ON told.instance_id = ends.instance_id
--   WHERE ends.event = 'executionCompleted' AND told.event = 'executionTerminated')
-- source: Dapr's "Workflow management": a terminated workflow orders no more activities. durabletask-go backend/orchestration.go (a terminate that the code did not honour is forced). An activity that was ordered before may still run.
-- witness: {instance_id} took in a terminate at {at_ns:at} (position {position}), and {fault}.
WITH told AS (
    SELECT instance_id, min(position) AS position, min(at_ns) AS at_ns
    FROM history
    WHERE event = 'executionTerminated'
    GROUP BY instance_id
), around AS (
    SELECT
        told.instance_id,
        told.position,
        told.at_ns,
        max(CASE WHEN history.position < told.position AND history.event = 'workflowStarted' THEN history.position END) AS turn,
        min(CASE WHEN history.position > told.position AND history.event = 'executionCompleted' THEN history.position END) AS ended,
        min(CASE WHEN history.position > told.position AND history.event = 'workflowStarted' THEN history.position END) AS next_turn,
        min(
            CASE
                WHEN history.position > told.position AND history.event IN (
                    'taskScheduled', 'timerCreated', 'childWorkflowInstanceCreated', 'detachedWorkflowInstanceCreated', 'eventSent'
                ) THEN history.position
            END
        ) AS ordered
    FROM told
    JOIN history ON history.instance_id = told.instance_id
    GROUP BY told.instance_id, told.position, told.at_ns
), wrong AS (
    SELECT
        around.instance_id,
        around.position,
        around.at_ns,
        CASE
            WHEN around.ordered IS NOT NULL THEN 'something was ordered after that, at position ' || around.ordered
            WHEN around.next_turn < coalesce(around.ended, around.next_turn + 1)
                THEN 'another turn began after that, at position ' || around.next_turn
            WHEN around.ended IS NULL THEN 'it did not end in that turn'
            WHEN instances.status <> 'TERMINATED' AND around.turn = around.position - 1 THEN 'it ended as ' || instances.status
        END AS fault
    FROM around
    JOIN instances ON instances.instance_id = around.instance_id
)
SELECT instance_id, position, at_ns, fault
FROM wrong
WHERE fault IS NOT NULL
ORDER BY instance_id
