-- claim: The attempts file and the tap tell of the same executions: each body that ran was delivered to its replica, and each task that was delivered ran there, unless its delivery was cut off; and a task that was answered with a result is one whose body ended well.
-- severity: unknown
-- examined: SELECT (SELECT count(*) FROM attempts) + (SELECT count(*) FROM deliveries)
-- catches: delivery_deleted, delivery_invented
-- plants: UPDATE deliveries SET outcome = 'ok', detail = NULL WHERE attempt_id = (SELECT min(attempt_id) FROM deliveries WHERE outcome = 'error')
-- needs: activities, tap, attempts_file
-- source: docs/tap.md. A delivery without an answer whose stream ended before the run had settled may never have reached the application.
-- witness: {instance_id}: {activity:or} as task {task_id} on {node}: the attempts file has it {executed} times, and the tap {delivered} times, {certain} of them certain to have reached the application; {well} bodies ended well, and {results} results were answered.
WITH told AS (
    SELECT instance_id, count(*) AS executions, bit_xor(hash(hash(task_id, node, activity, outcome))) AS print
    FROM attempts
    GROUP BY instance_id
), seen AS (
    SELECT
        instance_id,
        count(*) AS executions,
        bit_xor(hash(hash(task_id, node, activity, outcome))) AS print,
        count_if(completed_ns IS NULL) AS unanswered
    FROM deliveries
    GROUP BY instance_id
), doubtful AS (
    SELECT coalesce(told.instance_id, seen.instance_id) AS instance_id
    FROM told
    FULL JOIN seen ON seen.instance_id = told.instance_id
    WHERE told.executions IS DISTINCT FROM seen.executions OR told.print IS DISTINCT FROM seen.print OR seen.unanswered > 0
), by_file AS (
    SELECT instance_id, task_id, node, activity, count(*) AS executed, count_if(outcome = 'ok') AS well
    FROM attempts
    WHERE instance_id IN (SELECT instance_id FROM doubtful)
    GROUP BY instance_id, task_id, node, activity
), by_tap AS (
    SELECT
        instance_id,
        task_id,
        node,
        activity,
        count(*) AS delivered,
        count_if(completed_ns IS NOT NULL OR cut_ns IS NULL OR cut_ns >= (SELECT settled_ns FROM run)) AS certain,
        count_if(outcome = 'ok') AS results
    FROM deliveries
    WHERE instance_id IN (SELECT instance_id FROM doubtful)
    GROUP BY instance_id, task_id, node, activity
), compared AS (
    SELECT
        coalesce(by_file.instance_id, by_tap.instance_id) AS instance_id,
        coalesce(by_file.activity, by_tap.activity) AS activity,
        coalesce(by_file.task_id, by_tap.task_id) AS task_id,
        coalesce(by_file.node, by_tap.node) AS node,
        coalesce(by_file.executed, 0) AS executed,
        coalesce(by_tap.delivered, 0) AS delivered,
        coalesce(by_tap.certain, 0) AS certain,
        coalesce(by_file.well, 0) AS well,
        coalesce(by_tap.results, 0) AS results
    FROM by_file
    FULL JOIN by_tap
        ON by_tap.instance_id = by_file.instance_id
        AND by_tap.task_id = by_file.task_id
        AND by_tap.node = by_file.node
        AND by_tap.activity = by_file.activity
)
SELECT instance_id, activity, task_id, node, executed, delivered, certain, well, results
FROM compared
WHERE executed > delivered OR executed < certain OR results > well
ORDER BY instance_id, task_id, node, activity
