-- title: A timer is thrown away as one of an earlier generation, which the store never left.
-- number: 13
-- layer: engine
-- seen: 1.18.2
-- explains: stuck
-- sentence: {instance_id} is RUNNING in generation {generation}: its timer {task_id} was due at {fire_at_ns:at} and has not fired,
--   and the scheduler holds no job that would fire it; after {fault} of {node} ({applied_ns:at}).
WITH renewed AS (
    -- Required: a workflow that continues as new, so that there is a later generation for which the timer can be too old.
    SELECT DISTINCT instances.workflow
    FROM instances
    JOIN calls ON calls.instance_id = instances.instance_id
    WHERE instances.generation > calls.starts
), waiting AS (
    -- Required: everything is stored and nothing waits, so that the instance waits for the timer alone. No job will fire it:
    -- the scheduler's job is gone although the timer never came, and no application takes part in that.
    SELECT classes.instance_id, instances.generation
    FROM classes
    JOIN instances ON instances.instance_id = classes.instance_id
    JOIN renewed ON renewed.workflow = instances.workflow
    WHERE classes.stuck
        AND instances.status = 'RUNNING'
        AND instances.history_length = instances.history_rows
        AND instances.inbox_length = 0
        AND instances.inbox_rows = 0
        AND classes.instance_id NOT IN (SELECT instance_id FROM jobs WHERE instance_id IS NOT NULL)
), lasts AS (
    SELECT history.instance_id, max(history.position) AS position
    FROM history
    JOIN waiting ON waiting.instance_id = history.instance_id
    GROUP BY history.instance_id
), timers AS (
    SELECT waiting.instance_id, waiting.generation, history.task_id, history.at_ns, history.fire_at_ns
    FROM waiting
    JOIN lasts ON lasts.instance_id = waiting.instance_id
    JOIN history ON history.instance_id = lasts.instance_id AND history.position = lasts.position
    WHERE history.event = 'timerCreated' AND history.fire_at_ns < (SELECT settled_ns FROM run)
)
-- Required: a sidecar was hit about when the timer was due, to which the turn of the next generation sent what it ordered.
SELECT
    timers.instance_id,
    timers.generation,
    timers.task_id,
    timers.fire_at_ns,
    max(faults.applied_ns) AS applied_ns,
    arg_max(faults.fault, faults.applied_ns) AS fault,
    arg_max(faults.node, faults.applied_ns) AS node
FROM timers
JOIN faults
    ON faults.node LIKE 'sidecar-%'
    AND faults.node NOT LIKE '%->%'
    AND faults.applied_ns BETWEEN timers.at_ns - 15000000000 AND timers.fire_at_ns + 15000000000
GROUP BY timers.instance_id, timers.generation, timers.task_id, timers.fire_at_ns
ORDER BY timers.instance_id
