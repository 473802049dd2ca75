-- title: A save that loses the race for a workflow is written half, over a turn that another has saved.
-- number: 6
-- layer: store
-- seen: 1.18.2
-- upstream: dapr/components-contrib#2071
-- explains: code_changed, failed, half_compensated, history_ids, history_tasks, retried_too_often, retry_wait, wrong_choice
-- sentence: {instance_id}: one turn of its history has the order of {event_id} twice, at {first_ns:at} (position
--   {first_position}) and at {again_ns:at} (position {again_position}), so it is of two saves; two sidecars may have owned it,
--   after {fault} of {node} ({applied_ns:at} to {healed_ns:at}), and the worker then found a history that its code cannot have
--   made ({error:or}).
WITH turns AS (
    SELECT
        instance_id,
        position,
        event_id,
        event,
        task_id,
        coalesce(name, '') AS name,
        at_ns,
        count_if(event = 'workflowStarted') OVER (PARTITION BY instance_id ORDER BY position) AS turn
    FROM suspects
), twice AS (
    -- A turn orders all that it orders within milliseconds, and gives no id twice.
    SELECT
        instance_id,
        event_id,
        min(position) AS first_position,
        max(position) AS again_position,
        arg_min(at_ns, position) AS first_ns,
        arg_max(at_ns, position) AS again_ns
    FROM turns
    WHERE event_id >= 0 AND event IN ('taskScheduled', 'timerCreated', 'childWorkflowInstanceCreated')
    GROUP BY instance_id, turn, event_id, event, task_id, name
    HAVING count(*) = 2 AND max(at_ns) > min(at_ns) + 500000000
), ends AS (
    SELECT instance_id, max(error) AS error
    FROM suspects
    WHERE event = 'executionCompleted'
    GROUP BY instance_id
), contested AS (
    SELECT
        twice.instance_id,
        twice.first_position,
        max(contests.applied_ns) AS applied_ns,
        arg_max(contests.healed_ns, contests.applied_ns) AS healed_ns,
        arg_max(contests.fault, contests.applied_ns) AS fault,
        arg_max(contests.node, contests.applied_ns) AS node
    FROM twice
    JOIN contests
        ON contests.applied_ns < greatest(twice.first_ns, twice.again_ns)
        AND contests.until_ns > least(twice.first_ns, twice.again_ns)
    GROUP BY twice.instance_id, twice.first_position
)
SELECT
    twice.instance_id,
    twice.event_id,
    twice.first_position,
    twice.first_ns,
    twice.again_position,
    twice.again_ns,
    contested.fault,
    contested.node,
    contested.applied_ns,
    contested.healed_ns,
    ends.error
FROM twice
JOIN contested ON contested.instance_id = twice.instance_id AND contested.first_position = twice.first_position
JOIN instances ON instances.instance_id = twice.instance_id
JOIN histories ON histories.instance_id = twice.instance_id
LEFT JOIN ends ON ends.instance_id = twice.instance_id
WHERE histories.whole
    AND (
        instances.status = 'RUNNING'
        OR (instances.status = 'FAILED' AND ends.error LIKE 'NonDeterminismError%')
    )
ORDER BY twice.instance_id, twice.event_id
