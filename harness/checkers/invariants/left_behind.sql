-- claim: Nothing is left behind: an instance that has ended has an empty inbox.
-- layer: engine
-- examined: SELECT count(*) FROM instances WHERE status IN ('COMPLETED', 'FAILED', 'TERMINATED')
-- catches: inbox_left
-- source: Dapr 1.18 orchestrator/run.go (the inbox is cleared in the same save as the events it led to).
-- witness: {instance_id} is {status} since {completed_ns:at}, and {inbox_rows:or} rows wait in its inbox.
SELECT
    instance_id,
    status,
    completed_ns,
    inbox_rows
FROM instances
WHERE status IN ('COMPLETED', 'FAILED', 'TERMINATED') AND (inbox_rows > 0 OR inbox_length > 0)
ORDER BY instance_id
