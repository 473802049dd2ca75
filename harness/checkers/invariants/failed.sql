-- claim: The engine ends no instance as FAILED or TERMINATED, unless target.yaml says that such an end is right.
-- layer: not decided
-- examined: SELECT count(*) FROM classes WHERE stored
-- catches: status_failed
-- witness: {instance_id} ended as {status} at {completed_ns:at} ({error:or}); the ledger holds {ledger}.
SELECT
    classes.instance_id,
    classes.status,
    classes.completed_ns,
    ends.error
FROM classes
LEFT JOIN (
    SELECT instance_id, max(error) AS error
    FROM history
    WHERE event = 'executionCompleted' AND error IS NOT NULL
    GROUP BY instance_id
) AS ends USING (instance_id)
WHERE classes.failed
ORDER BY classes.instance_id
