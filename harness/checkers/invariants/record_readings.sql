-- claim: Dapr's workflow API answers for each instance that it is asked for.
-- severity: unknown
-- examined: SELECT count(*) FROM readings
-- catches: reading_failed
-- witness: {instance_id} could not be read through {node}: {error}.
SELECT instance_id, node, error
FROM readings
WHERE error IS NOT NULL
ORDER BY instance_id, node
