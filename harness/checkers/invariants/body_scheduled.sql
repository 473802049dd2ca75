-- claim: Every activity body of a completed instance ran for a task of the instance's history, under that task's id and name, and not before the instance was started; only tasks that the last turn ordered may be missing in the history.
-- layer: not decided
-- needs: activities, attempts
-- examined: SELECT count(*) FROM attempts WHERE instance_id IN (SELECT instance_id FROM instances WHERE status = 'COMPLETED' AND generation = 1)
-- catches: attempt_renamed, attempts_renamed_alike, attempt_of_no_task, attempt_before_start
-- source: Dapr 1.18 orchestrator/run.go (runWorkflow dispatches activities before it saves the turn that ordered them; after a crash the turn runs again and orders the same ids) and dapr-ext-workflow _durabletask/worker.py (set_complete drops what the last turn ordered before it ended). An id that is higher than every id in the history but lower than the id of the end belongs to something that was dropped in this way (docs/findings.md, 8). An instance in a later generation has lost its earlier history.
-- witness: {instance_id}: {activity} ran as task {task_id} on {node} at {started_ns:at}, but {fault}.
WITH doubtful AS (
    SELECT instances.instance_id, instances.created_ns
    FROM instances
    LEFT JOIN histories ON histories.instance_id = instances.instance_id
    JOIN bodies ON bodies.instance_id = instances.instance_id
    WHERE instances.status = 'COMPLETED'
        AND instances.generation = 1
        AND (
            bodies.executions IS DISTINCT FROM histories.scheduled
            OR bodies.tasks_print IS DISTINCT FROM histories.tasks_print
            OR bodies.first_ns < instances.created_ns - 1000000
        )
), ordered AS (
    SELECT
        instance_id,
        max(CASE WHEN event <> 'executionCompleted' THEN event_id END) AS last_id,
        max(CASE WHEN event = 'executionCompleted' THEN event_id END) AS end_id
    FROM history
    WHERE instance_id IN (SELECT instance_id FROM doubtful)
    GROUP BY instance_id
), tasks AS (
    SELECT instance_id, task_id, min(name) AS name, max(name) AS other_name
    FROM history
    WHERE event = 'taskScheduled' AND instance_id IN (SELECT instance_id FROM doubtful)
    GROUP BY instance_id, task_id
), compared AS (
    SELECT
        attempts.instance_id,
        attempts.activity,
        attempts.task_id,
        attempts.node,
        attempts.started_ns,
        CASE
            WHEN attempts.started_ns < doubtful.created_ns - 1000000 THEN 'the instance was not started yet'
            WHEN tasks.task_id IS NULL AND ordered.end_id >= 0
                AND (attempts.task_id <= ordered.last_id OR attempts.task_id >= ordered.end_id)
                THEN 'its history has no such task'
            WHEN tasks.name <> attempts.activity AND tasks.other_name <> attempts.activity
                THEN 'its history has ' || tasks.name || ' under that id'
        END AS fault
    FROM attempts
    JOIN doubtful ON doubtful.instance_id = attempts.instance_id
    LEFT JOIN tasks ON tasks.instance_id = attempts.instance_id AND tasks.task_id = attempts.task_id
    LEFT JOIN ordered ON ordered.instance_id = attempts.instance_id
)
SELECT instance_id, activity, task_id, node, started_ns, fault
FROM compared
WHERE fault IS NOT NULL
ORDER BY instance_id, task_id, started_ns, node
