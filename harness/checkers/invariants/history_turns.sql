-- claim: A turn of a workflow first takes in what has happened and then orders what comes next: within a turn, no event is taken in after something was ordered.
-- layer: engine
-- examined: SELECT count(*) FROM history WHERE event = 'workflowStarted'
-- catches: turn_shuffled
-- source: durabletask-go backend/orchestration.go (applyWorkItem adds workflowStarted and the whole inbox before the code runs) and backend/runtimestate/applier.go (after that, Actions appends what the code ordered).
-- witness: {instance_id}: {event} at position {position} was taken in right after {ordered}, which the same turn had ordered.
WITH following AS (
    SELECT
        instance_id,
        position,
        event,
        lag(event) OVER (PARTITION BY instance_id ORDER BY position, event) AS ordered
    FROM suspects
)
SELECT instance_id, position, event, ordered
FROM following
WHERE event IN (
        'executionStarted', 'taskCompleted', 'taskFailed', 'timerFired', 'childWorkflowInstanceCompleted',
        'childWorkflowInstanceFailed', 'eventRaised', 'executionSuspended', 'executionResumed', 'executionTerminated'
    )
    AND ordered IN (
        'taskScheduled', 'timerCreated', 'childWorkflowInstanceCreated', 'detachedWorkflowInstanceCreated', 'eventSent',
        'executionCompleted'
    )
ORDER BY instance_id, position, event
