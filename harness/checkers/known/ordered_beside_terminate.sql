-- title: A workflow that is terminated still sends orders beside its end, and they are carried out.
-- number: 16
-- layer: SDK
-- seen: 1.18.2
-- explains: not_terminated, history_ends, history_ids, history_tasks, late_effect
-- sentence: {instance_id} took in a terminate at position {position} ({at_ns:at}) and in the turn that ended it a result, {event} at
--   {event_position}; its end has id {end_id}, and {orders} orders stand beside it, the first at position {ordered_position} with id
--   {ordered_id}.
WITH told AS (
    SELECT
        ends.instance_id,
        ends.position AS end_position,
        ends.event_id AS end_id,
        min(terminate.position) AS position,
        min(terminate.at_ns) AS at_ns,
        max(turns.position) AS turn
    FROM history AS ends
    JOIN history AS terminate
        ON terminate.instance_id = ends.instance_id
        AND terminate.event = 'executionTerminated'
        AND terminate.position < ends.position
    JOIN history AS turns
        ON turns.instance_id = ends.instance_id
        AND turns.event = 'workflowStarted'
        AND turns.position < ends.position
    WHERE ends.event = 'executionCompleted' AND ends.error IS NULL
    GROUP BY ends.instance_id, ends.position, ends.event_id
), results AS (
    -- Required: the turn that ended it took in something that can move the code: after the terminate, so that the code went on
    -- after its end, or before, so that what the code had ordered was not taken back. If it was paused meanwhile, the worker kept
    -- that back from earlier turns (terminate_waits_for_resume).
    SELECT told.instance_id, max(taken.position) AS event_position, arg_max(taken.event, taken.position) AS event
    FROM told
    JOIN history AS taken
        ON taken.instance_id = told.instance_id
        AND taken.position < told.end_position
        AND taken.event IN (
            'taskCompleted', 'taskFailed', 'timerFired', 'childWorkflowInstanceCompleted', 'childWorkflowInstanceFailed', 'eventRaised'
        )
    WHERE taken.position > told.turn
        OR EXISTS (
            SELECT 1
            FROM history AS resumes
            WHERE resumes.instance_id = told.instance_id
                AND resumes.event = 'executionResumed'
                AND resumes.position BETWEEN told.turn AND told.end_position
        )
    GROUP BY told.instance_id
)
-- Required: the orders are those of the turn that ended it. No code of an application can order anything there: the worker decides
-- what is sent with an end that is not the code's.
SELECT
    told.instance_id,
    told.position,
    told.at_ns,
    told.end_id,
    results.event,
    results.event_position,
    count(*) AS orders,
    min(ordered.position) AS ordered_position,
    arg_min(ordered.event_id, ordered.position) AS ordered_id
FROM told
JOIN results ON results.instance_id = told.instance_id
JOIN instances ON instances.instance_id = told.instance_id AND instances.status = 'TERMINATED'
JOIN histories ON histories.instance_id = told.instance_id
JOIN history AS ordered
    ON ordered.instance_id = told.instance_id
    AND ordered.position > told.position
    AND ordered.position > told.turn
    AND ordered.event IN ('taskScheduled', 'timerCreated', 'childWorkflowInstanceCreated')
WHERE histories.whole AND instances.history_length = instances.history_rows
GROUP BY ALL
ORDER BY told.instance_id
