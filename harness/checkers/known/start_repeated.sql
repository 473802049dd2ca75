-- title: A start is asked for again by the sidecar that took it, and the workflow runs a second time after its end.
-- number: 11
-- layer: engine
-- seen: 1.18.2
-- explains: ran_again
-- sentence: {instance_id}: {node} was asked once, at {invoked_ns:at}, and had no answer until {answered_ns:at}; {fault} of
--   {lost} ({applied_ns:at}) came in between, a body of it ran from {ran_ns:at} on, and it was started again at {created_ns:at}.
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
), again AS (
    -- Required: the second execution was begun while that request still waited for its answer, and after another sidecar had
    -- been hit, which may have owned the workflow.
    SELECT
        asked.instance_id,
        asked.node,
        asked.invoked_ns,
        asked.answered_ns,
        instances.created_ns,
        arg_max(faults.fault, faults.applied_ns) AS fault,
        arg_max(faults.node, faults.applied_ns) AS lost,
        max(faults.applied_ns) AS applied_ns
    FROM asked
    JOIN instances ON instances.instance_id = asked.instance_id
    JOIN faults
        ON faults.applied_ns BETWEEN asked.invoked_ns AND instances.created_ns
        AND faults.node LIKE 'sidecar-%'
        AND faults.node NOT LIKE '%->%'
        AND faults.node <> asked.node
    WHERE instances.generation = 2
        AND instances.created_ns <= asked.answered_ns
    GROUP BY ALL
), ran AS (
    SELECT instance_id, min(started_ns) AS ran_ns
    FROM attempts
    GROUP BY instance_id
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
    again.created_ns,
    ran.ran_ns
FROM again
JOIN ran ON ran.instance_id = again.instance_id
WHERE ran.ran_ns < again.created_ns
ORDER BY again.instance_id
