-- title: An activity that one sidecar hands out twice at once keeps its job for ever.
-- number: 10
-- layer: engine
-- seen: 1.18.2
-- explains: left_behind
-- sentence: {instance_id}: {node} executed task {task_id} ({activity}) twice at once, from {first_ns:at} and from {again_ns:at}; the
--   history has its result once, and the scheduler still holds the job {name}, which nobody acknowledges.
WITH held AS (
    SELECT jobs.instance_id, jobs.task_id, min(jobs.name) AS name
    FROM jobs
    JOIN instances ON instances.instance_id = jobs.instance_id
    WHERE jobs.kind = 'activity'
        AND instances.status IN ('COMPLETED', 'FAILED', 'TERMINATED')
        AND instances.completed_ns < jobs.listed_ns - 5000000000
    GROUP BY jobs.instance_id, jobs.task_id
), bodies AS (
    -- Required: two bodies of that very task, on one replica, each begun before the other had ended, and both ended by
    -- themselves. A body that hangs, or that was cut off, keeps its job for another reason.
    SELECT
        attempts.instance_id,
        attempts.task_id,
        attempts.activity,
        attempts.node,
        attempts.started_ns,
        attempts.ended_ns,
        lag(attempts.started_ns) OVER earlier AS before_started_ns,
        lag(attempts.ended_ns) OVER earlier AS before_ended_ns
    FROM attempts
    JOIN held ON held.instance_id = attempts.instance_id AND held.task_id = attempts.task_id
    WHERE attempts.outcome IS NOT NULL
    WINDOW earlier AS (
        PARTITION BY attempts.instance_id, attempts.task_id, attempts.node
        ORDER BY attempts.started_ns, attempts.attempt_id
    )
), unended AS (
    SELECT DISTINCT attempts.instance_id, attempts.task_id
    FROM attempts
    JOIN held ON held.instance_id = attempts.instance_id AND held.task_id = attempts.task_id
    WHERE attempts.outcome IS NULL
), results AS (
    SELECT instance_id, task_id, count(*) AS number
    FROM history
    WHERE event IN ('taskCompleted', 'taskFailed')
    GROUP BY instance_id, task_id
)
SELECT
    bodies.instance_id,
    bodies.task_id,
    min(bodies.activity) AS activity,
    min(bodies.node) AS node,
    min(bodies.before_started_ns) AS first_ns,
    min(bodies.started_ns) AS again_ns,
    min(held.name) AS name
FROM bodies
JOIN held ON held.instance_id = bodies.instance_id AND held.task_id = bodies.task_id
JOIN results ON results.instance_id = bodies.instance_id AND results.task_id = bodies.task_id
LEFT JOIN unended ON unended.instance_id = bodies.instance_id AND unended.task_id = bodies.task_id
WHERE bodies.started_ns < bodies.before_ended_ns
    AND results.number = 1
    AND unended.instance_id IS NULL
GROUP BY bodies.instance_id, bodies.task_id
ORDER BY bodies.instance_id, bodies.task_id
