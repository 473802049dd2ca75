-- title: The history of a completed workflow can lack its last task.
-- number: 8
-- layer: engine
-- seen: 1.18.2
-- fixed: 1.19.0
-- upstream: dapr/dapr#10558
-- sentence: {instance_id}: {activity} ran as task {task_id} on {node} and ended at {ended_ns:at}; the last id that its
--   history ordered is {last_id}, that of its end, at {completed_ns:at}, is {end_id}, and no event knows the task.
WITH ordered AS (
    -- Required: the end's own id leaves a gap after the last order, the ids of the gap were given to tasks that no event knows,
    -- and a body of such a task ended well before the workflow did.
    SELECT
        instance_id,
        max(CASE WHEN event <> 'executionCompleted' THEN event_id END) AS last_id,
        max(CASE WHEN event = 'executionCompleted' THEN event_id END) AS end_id
    FROM history
    GROUP BY instance_id
    HAVING end_id > last_id + 1
)
SELECT
    attempts.instance_id,
    attempts.task_id,
    min(attempts.activity) AS activity,
    arg_min(attempts.node, attempts.ended_ns) AS node,
    min(attempts.ended_ns) AS ended_ns,
    max(ordered.last_id) AS last_id,
    max(ordered.end_id) AS end_id,
    max(instances.completed_ns) AS completed_ns
FROM ordered
JOIN instances ON instances.instance_id = ordered.instance_id
JOIN attempts ON attempts.instance_id = ordered.instance_id
WHERE instances.status = 'COMPLETED'
    AND instances.generation = 1
    AND instances.history_length = instances.history_rows
    AND attempts.task_id > ordered.last_id
    AND attempts.task_id < ordered.end_id
    AND attempts.outcome = 'ok'
    AND attempts.ended_ns < instances.completed_ns
GROUP BY attempts.instance_id, attempts.task_id
ORDER BY attempts.instance_id, attempts.task_id
