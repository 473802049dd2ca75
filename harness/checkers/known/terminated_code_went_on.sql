-- title: The code of a terminated workflow goes on with a result that comes in the same turn, and orders more.
-- number: 16
-- layer: SDK
-- seen: 1.18.2
-- explains: not_terminated, history_ends, history_ids, history_tasks, late_effect
-- sentence: {instance_id} took in a terminate at position {position} ({at_ns:at}) and after it {event} at {event_position}; its end has id
--   {end_id}, and its {ordered} at position {ordered_position}, after the end, has id {ordered_id}.
WITH told AS (
    SELECT
        ends.instance_id,
        ends.position AS end_position,
        ends.event_id AS end_id,
        min(terminate.position) AS position,
        min(terminate.at_ns) AS at_ns
    FROM suspects AS ends
    JOIN suspects AS terminate
        ON terminate.instance_id = ends.instance_id
        AND terminate.event = 'executionTerminated'
        AND terminate.position < ends.position
    WHERE ends.event = 'executionCompleted' AND ends.error IS NULL
    GROUP BY ends.instance_id, ends.position, ends.event_id
), results AS (
    -- Required: the turn that took in the terminate took in something after it that can move the code.
    SELECT told.instance_id, max(taken.position) AS event_position, arg_max(taken.event, taken.position) AS event
    FROM told
    JOIN suspects AS taken
        ON taken.instance_id = told.instance_id
        AND taken.position > told.position
        AND taken.position < told.end_position
        AND taken.event IN (
            'taskCompleted', 'taskFailed', 'timerFired', 'childWorkflowInstanceCompleted', 'childWorkflowInstanceFailed', 'eventRaised'
        )
    WHERE NOT EXISTS (
        SELECT 1
        FROM suspects AS turns
        WHERE turns.instance_id = told.instance_id
            AND turns.event = 'workflowStarted'
            AND turns.position BETWEEN told.position AND told.end_position
    )
    GROUP BY told.instance_id
)
-- Required: what was ordered has a later id than the end, so the code went on after its worker had ended it. The code that
-- runs into its own end orders nothing after it.
SELECT
    told.instance_id,
    told.position,
    told.at_ns,
    told.end_id,
    results.event,
    results.event_position,
    min(ordered.position) AS ordered_position,
    arg_min(ordered.event, ordered.position) AS ordered,
    arg_min(ordered.event_id, ordered.position) AS ordered_id
FROM told
JOIN results ON results.instance_id = told.instance_id
JOIN instances ON instances.instance_id = told.instance_id AND instances.status = 'TERMINATED'
JOIN histories ON histories.instance_id = told.instance_id
JOIN suspects AS ordered
    ON ordered.instance_id = told.instance_id
    AND ordered.position > told.end_position
    AND ordered.event_id > told.end_id
    AND ordered.event IN ('taskScheduled', 'timerCreated', 'childWorkflowInstanceCreated')
WHERE histories.whole AND instances.history_length = instances.history_rows
GROUP BY ALL
ORDER BY told.instance_id
