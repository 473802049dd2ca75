-- claim: Each event of a history is one that the engine has, and has what such an event has: a task a name and an id, a timer a time, a failure an error, and nothing else has these.
-- severity: unknown
-- examined: SELECT count(*) FROM history
-- catches: event_unknown, event_half_told
-- source: dapr/durabletask-protobuf protos/orchestrator_service.proto (HistoryEvent), harness/evidence/decoding.py.
-- witness: {instance_id:or}: {event:or} at position {position:or} {fault}.
WITH doubted AS (
    SELECT
        events,
        outline,
        position,
        event,
        CASE
            WHEN event NOT IN (
                    'executionStarted', 'executionCompleted', 'executionTerminated', 'taskScheduled', 'taskCompleted', 'taskFailed',
                    'childWorkflowInstanceCreated', 'childWorkflowInstanceCompleted', 'childWorkflowInstanceFailed', 'timerCreated',
                    'timerFired', 'workflowStarted', 'workflowCompleted', 'eventSent', 'eventRaised',
                    'continueAsNew', 'executionSuspended', 'executionResumed', 'executionStalled',
                    'detachedWorkflowInstanceCreated'
                )
                THEN 'is no event of the engine'
            WHEN event IN ('taskScheduled', 'executionStarted') AND coalesce(name, '') = '' THEN 'has no name'
            WHEN event IN ('taskScheduled', 'taskCompleted', 'taskFailed', 'timerCreated', 'timerFired') AND task_id IS NULL
                THEN 'belongs to no task and no timer'
            WHEN event IN ('taskScheduled', 'timerCreated') AND event_id <> task_id THEN 'has the id of another event'
            WHEN event IN ('taskCompleted', 'taskFailed', 'timerFired', 'workflowStarted', 'executionStarted') AND event_id <> -1
                THEN 'has an id, as only an order has'
            WHEN event IN ('workflowStarted', 'executionStarted', 'executionCompleted') AND task_id IS NOT NULL THEN 'has a task'
            WHEN event IN ('workflowStarted', 'taskCompleted', 'taskFailed', 'executionCompleted') AND name IS NOT NULL THEN 'has a name'
            WHEN event NOT IN ('taskScheduled', 'timerCreated') AND call_id IS NOT NULL THEN 'is a try of a call'
            WHEN (event IN ('timerCreated', 'timerFired')) <> (fire_at_ns IS NOT NULL) THEN 'has a time to fire, or lacks one'
            WHEN event IN ('workflowStarted', 'timerCreated', 'timerFired', 'taskFailed') AND payload IS NOT NULL THEN 'has a payload'
            WHEN event = 'taskFailed' AND coalesce(error, '') = '' THEN 'has no error'
            WHEN event NOT IN ('taskFailed', 'executionCompleted', 'childWorkflowInstanceFailed', 'executionStalled') AND error IS NOT NULL
                THEN 'has an error'
            WHEN event <> 'workflowStarted' AND (version IS NOT NULL OR patches IS NOT NULL) THEN 'has a version'
        END AS fault
    FROM examples
)
SELECT outlines.instance_id, doubted.position, doubted.event, doubted.fault
FROM doubted
JOIN outlines ON outlines.events = doubted.events AND outlines.outline = doubted.outline
WHERE doubted.fault IS NOT NULL
ORDER BY outlines.instance_id, doubted.position, doubted.event, doubted.fault
