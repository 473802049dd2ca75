-- title: A save that loses the race for a workflow is written half, and takes an event of its inbox away.
-- number: 6
-- layer: store
-- seen: 1.18.2
-- upstream: dapr/components-contrib#2071
-- explains: stuck, record_readings
-- sentence: {instance_id} is RUNNING: {shape}; two sidecars may have owned it, after {fault} of {node} ({applied_ns:at} to
--   {healed_ns:at}), and of a save that is refused at its last row Redis keeps those in front.
WITH waiting AS (
    SELECT
        classes.instance_id,
        classes.created_ns,
        instances.history_length,
        instances.history_rows,
        instances.inbox_length,
        instances.inbox_rows,
        held.instance_id IS NOT NULL AS tried
    FROM classes
    JOIN instances ON instances.instance_id = classes.instance_id
    LEFT JOIN (SELECT DISTINCT instance_id FROM jobs) AS held ON held.instance_id = classes.instance_id
    WHERE classes.stuck AND classes.status = 'RUNNING'
), unloadable AS (
    -- The refused save of a turn: its rows of the history are there, those of the inbox that it took are not, and metadata
    -- knows of neither. Whoever loads the workflow fails, and a job tries again without end.
    SELECT
        instance_id,
        created_ns + 15000000000 AS from_ns,
        9223372036854775807 AS to_ns,
        'a turn that was refused has left ' || (history_rows - history_length) || ' rows of history and taken '
            || (inbox_length - inbox_rows) || ' of the ' || inbox_length || ' in the inbox, so that nobody can load it' AS shape
    FROM waiting
    WHERE tried AND history_rows > history_length AND inbox_rows < inbox_length
), idle AS (
    SELECT instance_id
    FROM waiting
    WHERE NOT tried AND inbox_length = 0 AND inbox_rows = 0 AND history_length = history_rows
), events AS (
    SELECT history.instance_id, history.event, history.name, history.task_id, history.at_ns
    FROM history
    JOIN idle ON idle.instance_id = history.instance_id
), returned AS (
    -- A result that the engine took, as no job is left that would ask for it again, and that is nowhere.
    SELECT tasks.instance_id, tasks.task_id, max(tasks.name) AS name, max(attempts.ended_ns) AS ended_ns
    FROM events AS tasks
    JOIN attempts
        ON attempts.instance_id = tasks.instance_id
        AND attempts.task_id = tasks.task_id
        AND attempts.started_ns > tasks.at_ns
        AND attempts.outcome IS NOT NULL
    LEFT JOIN events AS results
        ON results.instance_id = tasks.instance_id
        AND results.task_id = tasks.task_id
        AND results.event IN ('taskCompleted', 'taskFailed')
    WHERE tasks.event = 'taskScheduled' AND results.instance_id IS NULL
    GROUP BY tasks.instance_id, tasks.task_id
), displaced AS (
    -- Another result of the same seconds, which came to the inbox as well, is in its place.
    SELECT
        returned.instance_id,
        min(returned.ended_ns) - 5000000000 AS from_ns,
        min(returned.ended_ns) + 5000000000 AS to_ns,
        'task ' || min(returned.task_id) || ' (' || min(returned.name) || ') was executed once it was recorded, and its result is '
            || 'neither in the history nor in the inbox; that of task ' || max(others.task_id) || ', of the same seconds, is' AS shape
    FROM returned
    JOIN events AS others
        ON others.instance_id = returned.instance_id
        AND others.event IN ('taskCompleted', 'taskFailed', 'timerFired')
        AND others.at_ns BETWEEN returned.ended_ns - 5000000000 AND returned.ended_ns + 5000000000
    GROUP BY returned.instance_id
), found AS (
    SELECT instance_id, from_ns, to_ns, shape FROM unloadable
    UNION ALL
    SELECT instance_id, from_ns, to_ns, shape FROM displaced
)
SELECT
    found.instance_id,
    found.shape,
    arg_max(contests.fault, contests.applied_ns) AS fault,
    arg_max(contests.node, contests.applied_ns) AS node,
    max(contests.applied_ns) AS applied_ns,
    arg_max(contests.healed_ns, contests.applied_ns) AS healed_ns
FROM found
JOIN contests ON contests.applied_ns < found.to_ns AND contests.until_ns > found.from_ns
GROUP BY found.instance_id, found.shape
ORDER BY found.instance_id, found.shape
