-- title: A start is asked for again by the sidecar that took it, and the workflow runs a second time after its end.
-- number: 11
-- layer: engine
-- seen: 1.18.2
-- explains: ran_again, watched
-- sentence: {instance_id}: {node} was asked once, at {invoked_ns:at}, and had no answer until {answered_ns:at}; {fault} of
--   {lost} ({applied_ns:at}) came in between, a body of it ran from {ran_ns:at} on, and it was started again at {begun_ns:at}.
WITH asked AS (
    -- Required: one request in all, which a sidecar took from the client and answered well. Where an application takes it,
    -- its own code may have asked twice.
    SELECT
        instance_id,
        min(node) AS node,
        min(invoked_ns) AS invoked_ns,
        max(completed_ns) AS answered_ns
    FROM operations
    GROUP BY instance_id
    HAVING count(*) = 1 AND min(outcome) = 'ok' AND min(node) LIKE 'sidecar-%'
), firsts AS (
    SELECT
        instance_id,
        min(started_ns) AS ran_ns,
        arg_min(activity, started_ns) AS activity,
        arg_min(task_id, started_ns) AS task_id
    FROM attempts
    GROUP BY instance_id
), begun_anew AS (
    -- When the second execution was begun: what the engine has as its start; but a workflow that continued as new has another
    -- one since. There it is a body of the first task that ran again after one of another task.
    SELECT instance_id, created_ns AS begun_ns
    FROM instances
    WHERE generation = 2
    UNION ALL
    SELECT attempts.instance_id, min(attempts.started_ns)
    FROM attempts
    JOIN firsts
        ON firsts.instance_id = attempts.instance_id
        AND firsts.activity = attempts.activity
        AND firsts.task_id = attempts.task_id
    JOIN instances ON instances.instance_id = attempts.instance_id
    WHERE instances.generation > 2
        AND EXISTS (
            SELECT 1
            FROM attempts AS others
            WHERE others.instance_id = attempts.instance_id
                AND (others.activity, others.task_id) <> (firsts.activity, firsts.task_id)
                AND others.started_ns BETWEEN firsts.ran_ns AND attempts.started_ns
        )
    GROUP BY attempts.instance_id
), again AS (
    -- Required: the second execution was begun while that request still waited for its answer (its first body runs a moment
    -- later), and after another sidecar had been hit, which may have owned the workflow.
    SELECT
        asked.instance_id,
        asked.node,
        asked.invoked_ns,
        asked.answered_ns,
        begun_anew.begun_ns,
        arg_max(faults.fault, faults.applied_ns) AS fault,
        arg_max(faults.node, faults.applied_ns) AS lost,
        max(faults.applied_ns) AS applied_ns
    FROM asked
    JOIN instances ON instances.instance_id = asked.instance_id
    JOIN begun_anew ON begun_anew.instance_id = asked.instance_id
    JOIN faults
        ON faults.applied_ns BETWEEN asked.invoked_ns AND begun_anew.begun_ns
        AND faults.node LIKE 'sidecar-%'
        AND faults.node NOT LIKE '%->%'
        AND faults.node <> asked.node
    WHERE begun_anew.begun_ns <= asked.answered_ns + CASE WHEN instances.generation = 2 THEN 0 ELSE 1000000000 END
    GROUP BY ALL
)
-- Required: the first execution did run.
SELECT
    again.instance_id,
    again.node,
    again.invoked_ns,
    again.answered_ns,
    again.fault,
    again.lost,
    again.applied_ns,
    again.begun_ns,
    firsts.ran_ns
FROM again
JOIN firsts ON firsts.instance_id = again.instance_id
WHERE firsts.ran_ns < again.begun_ns
ORDER BY again.instance_id
