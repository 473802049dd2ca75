-- title: A scheduler that was killed does nothing for twenty seconds after it is back.
-- number: 3
-- layer: engine
-- seen: 1.18.2
-- sentence: {node}, hit by {fault} at {applied_ns:at}, was back at {healed_ns:at}; the next start was answered at
--   {answered_ns:at}, {waited_ms} ms after the scheduler was last back, and {unanswered} starts asked for in between were not.
WITH back AS (
    -- One row a fault of a scheduler, of no instance. Required: starts were asked for while it was back, and none was
    -- answered for at least 15 seconds after it was back for the last time, and one was within 45: the lease that its
    -- predecessor could not give back is of 20 seconds.
    SELECT step, fault, node, applied_ns, healed_ns
    FROM faults
    WHERE node LIKE 'scheduler%' AND fault IN ('kill', 'disk_full') AND healed_ns IS NOT NULL
), answers AS (
    SELECT back.step, back.node, min(operations.completed_ns) AS answered_ns
    FROM back
    JOIN operations ON operations.invoked_ns > back.healed_ns AND operations.outcome = 'ok'
    GROUP BY back.step, back.node
), lasting AS (
    SELECT answers.step, answers.node, answers.answered_ns, max(again.healed_ns) AS last_ns
    FROM answers
    JOIN back AS again ON again.node = answers.node AND again.healed_ns < answers.answered_ns
    GROUP BY answers.step, answers.node, answers.answered_ns
), asked AS (
    SELECT back.step, back.node, count(*) AS unanswered
    FROM lasting
    JOIN back ON back.step = lasting.step AND back.node = lasting.node
    JOIN operations
        ON operations.invoked_ns > back.healed_ns
        AND operations.invoked_ns < lasting.answered_ns
        AND operations.outcome IS DISTINCT FROM 'ok'
    GROUP BY back.step, back.node
)
SELECT
    NULL::VARCHAR AS instance_id,
    back.step,
    back.fault,
    back.node,
    back.applied_ns,
    back.healed_ns,
    lasting.answered_ns,
    ((lasting.answered_ns - lasting.last_ns) / 1000000)::BIGINT AS waited_ms,
    asked.unanswered
FROM back
JOIN lasting ON lasting.step = back.step AND lasting.node = back.node
JOIN asked ON asked.step = back.step AND asked.node = back.node
WHERE lasting.answered_ns BETWEEN lasting.last_ns + 15000000000 AND lasting.last_ns + 45000000000
ORDER BY back.step, back.node
