-- title: The answer to a canceled turn is taken for that of its repetition.
-- number: 9
-- layer: engine
-- seen: 1.18.2
-- upstream: dapr/dapr#10482
-- explains: code_changed, failed, half_compensated, history_causes, history_ids, history_tasks, retried_too_often,
--   retry_wait
-- sentence: {instance_id}: id {event_id} was ordered at {first_ns:at} by one turn (position {first_position}) and again at
--   {again_ns:at} by a later one (position {again_position}), which was given the answer to an earlier request; the worker
--   then found a history that its code cannot have made ({error:or}).
WITH orders AS (
    -- Required: the same id was ordered by two turns of a whole history. The SDKs number orders by one counter and replay
    -- finds the recorded ones, so no workflow code, not even one that is not deterministic, orders an id twice; an answer
    -- that is recorded for a turn it does not belong to does. If it has ended, it ended as FAILED, for that reason.
    SELECT instance_id, event_id, event, task_id, coalesce(name, '') AS name, position, at_ns
    FROM suspects
    WHERE event_id >= 0
        AND event IN ('taskScheduled', 'timerCreated', 'childWorkflowInstanceCreated')
        -- A paused worker orders again, too (paused_turn_ordered_again).
        AND instance_id NOT IN (SELECT instance_id FROM suspects WHERE event = 'executionSuspended')
), twice AS (
    SELECT
        instance_id,
        event_id,
        min(position) AS first_position,
        max(position) AS again_position,
        arg_min(at_ns, position) AS first_ns,
        arg_max(at_ns, position) AS again_ns
    FROM orders
    GROUP BY instance_id, event_id, event, task_id, name
    HAVING count(*) = 2
), ends AS (
    SELECT instance_id, max(error) AS error
    FROM suspects
    WHERE event = 'executionCompleted'
    GROUP BY instance_id
)
SELECT
    twice.instance_id,
    twice.event_id,
    twice.first_position,
    twice.first_ns,
    twice.again_position,
    twice.again_ns,
    ends.error
FROM twice
JOIN instances ON instances.instance_id = twice.instance_id
JOIN histories ON histories.instance_id = twice.instance_id
LEFT JOIN ends ON ends.instance_id = twice.instance_id
WHERE histories.whole
    AND instances.history_length = instances.history_rows
    AND EXISTS (
        SELECT 1
        FROM suspects
        WHERE suspects.instance_id = twice.instance_id
            AND suspects.event = 'workflowStarted'
            AND suspects.position BETWEEN twice.first_position AND twice.again_position
    )
    AND (
        instances.status = 'RUNNING'
        OR (instances.status = 'FAILED' AND ends.error LIKE 'NonDeterminismError%')
    )
ORDER BY twice.instance_id, twice.event_id
